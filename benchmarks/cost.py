"""What larger studies take: processor time and peak memory against pictures, permutations, filters, people.

    python benchmarks/cost.py [--what predictions responses null] [--turns 3] [--out book/costs.csv]

Each size is a process of its own, of one thread, which has done the smallest size before. Pictures are noise
of 48 pixels in a file that is mapped; the network is one convolution with as many filters as the last one of
the published network, so that what grows is what stands around a network. ``published`` is that network
itself. A null is the area under the curve's, with 15 units, 500 permutations, 256 filters and 109 people of
12 pictures where these do not vary.

The exponent of a curve is Theil and Sen's slope of log seconds on log size over all turns, with its interval
of 95 %. Goals, written before any of it was measured: linear in pictures (the interval contains 1, or ends
below 1.05), and at most 2 GiB in any process at 100,000 pictures. What is not asked again stays in the file.
"""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import theilslopes
from torch import nn

from contest import SEED, invented, noise, options, peak_memory_mb
from fer_lib.aus.nulls import permutation_null
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.responses import maximal_responses
from fer_lib.nets.build import build_network
from fer_lib.train.device import device_name
from fer_lib.train.predict import predict
from ferbook.environment import git_commit
from ferbook.files import write_atomically
from ferbook.owner import now

SIDE_OF_NOISE = 48
WITHOUT_CHANGE = {"permutations": 500, "filters": 256, "people": 109}
"""Sizes of a null where another one grows."""

NOISE_SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
COST_SIZES = {
    ("predictions", "pictures"): NOISE_SIZES,
    ("predictions", "published"): (500,),
    ("responses", "pictures"): NOISE_SIZES,
    ("null", "permutations"): (125, 250, 500, 1_000, 2_000, 4_000),
    ("null", "filters"): (32, 64, 128, 256, 512, 1_024),
    ("null", "people"): (25, 50, 100, 200, 400, 800),
}
"""What is asked, and against what -> the sizes."""


def pictures_of(folder: Path, count: int) -> FaceSet:
    """``count`` pictures of noise, read from a file."""
    file = folder / f"{count}.npy"
    if not file.exists():
        np.save(file, noise(count, SIDE_OF_NOISE).pixels)
    pixels = np.load(file, mmap_mode="r")
    return FaceSet("noise", pixels, noise(count, 1).table)


def one_convolution() -> nn.Module:
    """A network of one layer, ``relu``, and its classes."""
    layers = {
        "convolution": nn.Conv2d(1, WITHOUT_CHANGE["filters"], 5, stride=4, padding=2),
        "relu": nn.ReLU(),
        "pool": nn.AdaptiveMaxPool2d(1),
        "flatten": nn.Flatten(),
        "output": nn.Linear(WITHOUT_CHANGE["filters"], 7),
    }
    torch.manual_seed(SEED)
    model = nn.Sequential()
    for name, layer in layers.items():
        model.add_module(name, layer)
    return model


def task_of(what: str, against: str, size: int, folder: Path) -> Callable[[], object]:
    """What is timed."""
    if what == "null":
        sizes = WITHOUT_CHANGE | {against: size}
        asked, permutations = invented(sizes["people"], 15, sizes["filters"]), sizes["permutations"]
        return lambda: permutation_null(*asked, "auroc", permutations=permutations, seed=SEED)
    faces = pictures_of(folder, size)
    if what == "responses":
        model = one_convolution()
        return lambda: maximal_responses(model, faces, "relu")
    model = build_network("zero_bias", 7, SIDE_OF_NOISE) if against == "published" else one_convolution()
    return lambda: predict(model, faces)


def measured(pipe: Connection, turns: int, what: str, against: str, size: int, folder: Path) -> None:
    """Send processor seconds of each turn, and the peak memory in MB."""
    torch.set_num_threads(1)
    task_of(what, against, COST_SIZES[what, against][0], folder)()
    run, seconds = task_of(what, against, size, folder), []
    for _ in range(turns):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    pipe.send((seconds, peak_memory_mb()))


def exponent(sizes: np.ndarray, seconds: np.ndarray) -> tuple[float, float, float]:
    """Slope of log ``seconds`` on log ``sizes``, and its interval."""
    line = theilslopes(np.log(seconds), np.log(sizes), 0.95)
    return line.slope, line.low_slope, line.high_slope


def main() -> None:
    kinds = list(dict.fromkeys(what for what, _ in COST_SIZES))
    parser = options(__doc__, turns=3)
    parser.add_argument("--what", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    context, curves = multiprocessing.get_context("spawn"), []
    about = {"device": device_name(torch.device("cpu")), "when": now(), "commit": git_commit()}
    with tempfile.TemporaryDirectory() as folder:
        for (what, against), sizes in COST_SIZES.items():
            rows = []
            for size in sizes if what in args.what else ():
                ours, theirs = context.Pipe()
                task = (theirs, args.turns, what, against, size, Path(folder))
                process = context.Process(target=measured, args=task)
                process.start()
                theirs.close()
                seconds, memory = ours.recv()
                process.join()
                rows += [(size, each, memory) for each in seconds]
                print(f"{what:12} {size:7,} {against:13} {np.median(seconds):8.2f} s {memory:6.0f} MB")
            if rows:
                table = pd.DataFrame(rows, columns=["size", "seconds", "megabytes"])
                last = table[table["size"].eq(sizes[-1])]
                curve = {"what": what, "against": against, "smallest": sizes[0], "largest": sizes[-1]}
                curve |= {"seconds": last["seconds"].median(), "megabytes": last["megabytes"].max()}
                if len(sizes) > 1:
                    slope = exponent(table["size"], table["seconds"])
                    print(f"exponent {what} {against} {{:.3f}} [{{:.3f}}, {{:.3f}}]".format(*slope))
                    curve |= dict(zip(("exponent", "exponent_low", "exponent_high"), slope, strict=True))
                curves.append(curve)
    if args.out:
        table = pd.DataFrame(curves).assign(**about, load=f"{os.getloadavg()[0]:.1f}")
        if args.out.exists():
            earlier = pd.read_csv(args.out, keep_default_na=False, na_values=[""])  # `null` is a name
            table = pd.concat([earlier[~earlier["what"].isin(args.what)], table])
        write_atomically(args.out, table.to_csv(index=False, float_format="%.5g"))


if __name__ == "__main__":
    main()
