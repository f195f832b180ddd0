"""Transfer: features against a bare forward pass, and what a table of k × k tests costs beside its k
trainings.

    python benchmarks/transfer.py [--parts features matrix] [--network residual] [--pictures 1024] [--size 32]
    [--repeats 5]

`features`: ``features_of`` on a face set, bytes in and an array out, against the bare loop: the same network
on the same pictures, which already lie on the device as floating-point numbers, in batches of the same size,
the answers thrown away. The two take turns in changing order; the ratio is the median over the turns of the
ratio within a turn, on a CPU of processor seconds, which other programs disturb less.

`matrix`: ``cross_dataset`` between k sets of noise, trained for one epoch. Printed are the trainings per set
(1 without leaving one out: k and not k², with which every pair would be trained for itself) and the share of
the time that is not training.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch

from book.transfer.study import cross_dataset
from fer_lib.faces.faceset import EMOTIONS, FaceSet
from fer_lib.nets.build import NETWORKS, build_network
from fer_lib.nets.classifier import Classifier
from fer_lib.nets.evaluating import evaluating
from fer_lib.train import study
from fer_lib.train.device import device_name
from fer_lib.train.features import features_of
from fer_lib.train.learner import seed_everything
from fer_lib.train.recipe import Recipe

SEED = 0
BATCH = 256
SETS = 4
RECIPE = Recipe(epochs=1, batch_size=32, lr=0.01, augment="none")
SPLITS = (("train", 0.6), ("valid", 0.2), ("test", 0.2))


def noise(name: str, pictures: int, size: int, seed: int = SEED) -> FaceSet:
    """Noise under every emotion in turn, 60 % to train, 20 % to validate, 20 % to test."""
    generator = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "dataset": name,
            "subject": "",
            "sequence": "",
            "frame": 0,
            "emotion": [EMOTIONS[row % len(EMOTIONS)] for row in range(pictures)],
            "split": generator.choice(
                [split for split, _ in SPLITS], pictures, p=[share for _, share in SPLITS]
            ),
        }
    )
    return FaceSet(name, generator.integers(0, 256, (pictures, size, size), dtype=np.uint8), table)


def bare_forward(model: Classifier, faces: FaceSet, device: torch.device) -> Callable[[], None]:
    pictures = torch.tensor(faces.pixels).unsqueeze(1).float().div(255).to(device)

    def loop() -> None:
        with evaluating(model):
            for batch in pictures.split(BATCH):
                last = model(batch)
            last[0, 0].item()  # a GPU has to have done the work

    return loop


def compare_features(given: argparse.Namespace, device: torch.device) -> None:
    faces = noise("noise", given.pictures, given.size)
    model = build_network(given.network, len(EMOTIONS), given.size).to(device)
    contestants = {
        "features": lambda: features_of(model, faces, batch_size=BATCH),
        "bare forward": bare_forward(model, faces, device),
    }
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    wall: dict[str, list[float]] = {name: [] for name in contestants}
    compared: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(given.repeats + 1):
        for name in sorted(contestants, reverse=bool(turn % 2)):
            started, counted = time.perf_counter(), clock()
            contestants[name]()
            if turn:  # the first warms up: allocations, kernels
                wall[name].append(time.perf_counter() - started)
                compared[name].append(clock() - counted)
    for name, times in wall.items():
        print(f"{name:30} {given.pictures / statistics.median(times):10.0f} pictures/s")
    turns = zip(compared["features"], compared["bare forward"], strict=True)
    print(f"ratio features {statistics.median(bare / ours for ours, bare in turns):.2f}")


def measure_matrix(given: argparse.Namespace, device: torch.device) -> None:
    sets = {f"set {k}": noise(f"set {k}", given.pictures, given.size, seed=k) for k in range(SETS)}
    spent: list[float] = []
    train = study.train

    def timed(*arguments: object, **settings: object) -> object:
        start = time.perf_counter()
        done = train(*arguments, **settings)
        spent.append(time.perf_counter() - start)
        return done

    with patch.object(study, "train", timed):
        start = time.perf_counter()
        cross_dataset(
            sets, given.network, RECIPE, (SEED,), leave_one_out=False, precision="fp32", device=device
        )
        whole = time.perf_counter() - start
    print(
        f"{SETS} × {SETS} tests: {len(spent)} trainings, {whole:.1f} s, of which {whole - sum(spent):.1f} s "
        "are not training"
    )
    print(f"ratio trainings_per_set {len(spent) / SETS:.2f}")
    print(f"ratio beside_training {(whole - sum(spent)) / whole:.2f}")


PARTS = {"features": compare_features, "matrix": measure_matrix}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--network", choices=list(NETWORKS), default="residual")
    parser.add_argument("--pictures", type=int, default=1024)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    device = torch.device(given.device)
    seed_everything(SEED)
    print(
        f"{given.network}, {given.pictures} pictures of {given.size} pixels, {torch.get_num_threads()} "
        f"threads, {device_name(device)}"
    )
    for part in given.parts:
        print(f"-- {part}")
        PARTS[part](given, device)


if __name__ == "__main__":
    main()
