"""Projections of all filters of the zero-bias CNN's third layer to their top pictures, against one neuron at
a time.

    python benchmarks/deconv.py [--size 96] [--pictures 1308] [--top 9] [--method deconv] [--neurons 24]
    [--repeats 3] [--faces FOLDER]

The pairs are those of the atlas: 256 filters times their `--top` strongest pictures, from different people.
The contestants take turns within one process; a ratio is the median over the turns of the ratio within a
turn, once of the time that passed and, on a CPU, once of processor time, which is what to look at where
others use the machine (with one thread: a waiting thread counts as working).

- ours: ``look.deconvolution.project`` of all pairs, the places of the maxima given, as ``maximal_responses``
  found them;
- one by one: for each pair the whole picture through the network as far as the layer and back, hooks on the
  ReLUs: the work that Captum does, without what Captum does around it;
- captum: ``NeuronDeconvolution``, ``NeuronGuidedBackprop`` or ``NeuronGradient`` with a neuron selected.

The last two are timed on `--neurons` pairs, spread evenly, and **scaled** to all; on these the maps are
compared, too. `atlas` is what a chapter waits for: the responses of all filters to all pictures, the choice
of the top pictures, and the projections. Memory is what the process grew by at most while all pairs were
projected.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import captum.attr
import numpy as np
import pandas as pd
import psutil
import torch
from torch import nn

from fer_lib.faces.faceset import FaceSet
from fer_lib.look.deconvolution import Method, Projections, project
from fer_lib.look.responses import maximal_responses, top_pictures
from fer_lib.nets.build import build_network
from fer_lib.train.device import device_name

SEED = 0
LAYER = "relu3"
SUBJECTS = 118
CAPTUM = {"deconv": "NeuronDeconvolution", "guided": "NeuronGuidedBackprop", "gradient": "NeuronGradient"}
# Linux counts resident memory in KB, macOS in bytes.
MEMORY_UNIT = 2**20 if sys.platform == "darwin" else 2**10


def random_faces(pictures: int, size: int) -> FaceSet:
    """Noise, as many pictures of each person."""
    pixels = np.random.default_rng(SEED).integers(0, 256, (pictures, size, size), dtype=np.uint8)
    table = pd.DataFrame(
        {
            "dataset": "noise",
            "subject": [f"noise-{row % SUBJECTS}" for row in range(pictures)],
            "sequence": "",
            "frame": 0,
            "emotion": "neutral",
            "split": "train",
        }
    )
    return FaceSet("noise", pixels, table)


class Pairs:
    """What every contestant is given: the standardised pictures' places in the layer, found in the same
    pass.
    """

    def __init__(self, model: nn.Module, faces: FaceSet, top: int) -> None:
        responses = maximal_responses(model, faces, LAYER)
        chosen = top_pictures(responses, faces.table["subject"], top)
        self.filters, place = np.nonzero(chosen >= 0)
        self.rows = chosen[self.filters, place]
        self.positions = responses.positions[self.rows, self.filters]

    def __len__(self) -> int:
        return len(self.rows)

    def spread(self, count: int) -> np.ndarray:
        return np.unique(np.linspace(0, len(self) - 1, count).astype(int))


def ours(model: nn.Module, faces: FaceSet, pairs: Pairs, method: Method) -> Projections:
    return project(
        model, LAYER, faces.pixels, pairs.rows, pairs.filters, positions=pairs.positions, method=method
    )


def standardised(model: nn.Module, faces: FaceSet, row: int, device: torch.device) -> torch.Tensor:
    with torch.no_grad():
        return model.standardise(torch.tensor(faces.pixels[row : row + 1], device=device)[:, None] / 255)


def one_by_one(
    model: nn.Module, faces: FaceSet, pairs: Pairs, some: np.ndarray, method: Method, device: torch.device
) -> np.ndarray:
    """Maps (P, H, W) of the pairs ``some``, each from a pass of its own."""

    def rectify(module: nn.Module, signals: tuple, above: tuple) -> tuple | None:
        if method == "gradient":
            return None
        return ((above[0] if method == "deconv" else signals[0]).clamp(min=0),)

    layers = list(model.children())
    first_layers = layers[1 : layers.index(model.relu3) + 1]
    hooks = [m.register_full_backward_hook(rectify) for m in first_layers if isinstance(m, nn.ReLU)]
    maps = []
    for pair in some:
        picture = standardised(model, faces, pairs.rows[pair], device).requires_grad_()
        values = picture
        for layer in first_layers:
            values = layer(values)
        unit = values[0, pairs.filters[pair], *pairs.positions[pair]]
        (signal,) = torch.autograd.grad(unit, picture, unit.detach())
        maps.append(signal[0, 0].cpu().numpy())
    for hook in hooks:
        hook.remove()
    return np.stack(maps)


def captum_loop(
    model: nn.Module, faces: FaceSet, pairs: Pairs, some: np.ndarray, method: Method, device: torch.device
) -> np.ndarray:
    """As ``one_by_one``, by Captum: of a unit's value 1, so times the response."""
    # Captum begins where the network does: at the standardised picture, as the others do.
    behind = nn.Sequential(*list(model.children())[1:]).eval()
    oracle = getattr(captum.attr, CAPTUM[method])(behind, model.relu3)
    maps = []
    for pair in some:
        picture = standardised(model, faces, pairs.rows[pair], device).requires_grad_()
        neuron = (int(pairs.filters[pair]), *(int(place) for place in pairs.positions[pair]))
        maps.append(oracle.attribute(picture, neuron)[0, 0].detach().cpu().numpy())
    return np.stack(maps)


def seconds_of(run: Callable[[], object], device: torch.device) -> np.ndarray:
    """Seconds that passed and seconds of processor time."""
    start, used = time.perf_counter(), time.process_time()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return np.array([time.perf_counter() - start, time.process_time() - used])


def largest_difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Median over pairs of the largest difference of a pixel as a share of the map's largest value."""
    off = np.abs(found - expected).max(axis=(1, 2)) / np.abs(expected).max(axis=(1, 2))
    return float(np.median(off))


def grown_mb(run: Callable[[], object], device: torch.device) -> float:
    """MB that the process (or, on a GPU, its tensors there) grew by at most while ``run`` worked."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    before = psutil.Process().memory_info().rss / 2**20
    run()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEMORY_UNIT - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--pictures", type=int, default=1308)
    parser.add_argument("--top", type=int, default=9)
    parser.add_argument("--method", choices=list(CAPTUM), default="deconv")
    parser.add_argument("--neurons", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--faces", type=Path, help="a folder written by FaceSet.save, instead of noise")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    device = torch.device(given.device)
    faces = FaceSet.load(given.faces) if given.faces else random_faces(given.pictures, given.size)
    generator = torch.Generator().manual_seed(SEED)
    model = build_network("zero_bias", 8, faces.size[0], gain=1.0, generator=generator).to(device).eval()
    print(
        f"{len(faces)} pictures of {faces.size[0]} pixels, {torch.get_num_threads()} threads, "
        f"{device_name(device)}"
    )

    # The very first: later, memory that was freed before would be taken again, and nothing would grow.
    few = random_faces(given.top, faces.size[0])
    filters = np.repeat(np.arange(256), given.top)
    rows = np.tile(np.arange(given.top), 256)
    places = np.random.default_rng(SEED).integers(0, faces.size[0] // 4, (len(rows), 2))
    grown = grown_mb(
        lambda: project(model, LAYER, few.pixels, rows, filters, positions=places, method=given.method),
        device,
    )
    print(f"memory {grown:.0f} MB for {len(rows)} pairs")

    found: list[Pairs] = []
    choosing = seconds_of(lambda: found.append(Pairs(model, faces, given.top)), device)
    pairs = found[0]
    some = pairs.spread(given.neurons)
    maps = ours(model, faces, pairs, given.method)
    whole = np.stack([maps.whole(pair) for pair in some])
    loops = {"one_by_one": lambda: one_by_one(model, faces, pairs, some, given.method, device)}
    print(f"differs from one by one by {largest_difference(whole, loops['one_by_one']()):.1e} (median)")
    loops["captum"] = lambda: captum_loop(model, faces, pairs, some, given.method, device)
    of_one = loops["captum"]() * maps.responses[some, None, None]
    print(f"differs from captum by {largest_difference(whole, of_one):.1e} (median)")

    turns = []
    for _ in range(given.repeats):
        turn = {"ours": seconds_of(lambda: ours(model, faces, pairs, given.method), device)}
        for name, loop in loops.items():
            turn[name] = seconds_of(loop, device) * len(pairs) / len(some)
        turns.append(turn)
    print(f"{'':12}{'passed':>10}{'processor':>12}   for {len(pairs)} pairs")
    for name in turns[0]:
        passed, used = np.median([turn[name] for turn in turns], axis=0)
        how = "" if name == "ours" else f"   scaled from {len(some)}"
        print(f"{name:12}{passed:8.2f} s{used:10.2f} s{how}")
    projecting = np.median([turn["ours"] for turn in turns], axis=0)
    passed, used = choosing + projecting
    print(
        f"{'atlas':12}{passed:8.2f} s{used:10.2f} s   of these {projecting[0]:.2f} s and "
        f"{projecting[1]:.2f} s for projections"
    )
    for name in loops:
        passed, used = np.median([turn[name] / turn["ours"] for turn in turns], axis=0)
        print(f"ratio {name} {passed:.1f}")
        if device.type == "cpu":
            print(f"ratio {name}_processor {used:.1f}")


if __name__ == "__main__":
    main()
