"""Transfer: features against a bare forward pass, and what a table of k × k tests costs beside its k
trainings.

    python benchmarks/transfer.py [--parts features matrix] [--network residual] [--pictures 1024] [--size 32]
    [--repeats 5]

`features`: ``features_of`` on a face set, bytes in and an array out, against the bare loop: the same network
on the same pictures, which already lie on the device as floating-point numbers, in batches of the same size,
the answers thrown away. The two take turns; the ratio is on a CPU of processor seconds.

`matrix`: k sets of noise, a network each, trained for one epoch and tested on all. Printed are the trainings
per set (1: k and not k², with which every pair would be trained for itself) and the share of the time that is
not training.
"""

import argparse
import time
from collections.abc import Callable
from unittest.mock import patch

import torch

from book.transfer.study import comparable, taught, tested
from contest import SEED, machine, noise, options, print_ratio, print_speeds, take_turns
from fer_lib.faces.faceset import EMOTIONS, FaceSet
from fer_lib.nets.build import NETWORKS, build_network
from fer_lib.nets.classifier import Classifier, evaluating
from fer_lib.train import study
from fer_lib.train.learner import seed_everything
from fer_lib.train.predict import features_of
from fer_lib.train.recipe import TrainingRecipe

FEATURE_BATCH = 256
SETS = 4
RECIPE = TrainingRecipe(epochs=1, batch_size=32, lr=0.01, augment="none")
NOISE_SPLITS = ("train", "train", "train", "valid", "test")


def bare_forward(model: Classifier, faces: FaceSet, device: torch.device) -> Callable[[], None]:
    pictures = torch.tensor(faces.pixels).unsqueeze(1).float().div(255).to(device)

    def loop() -> None:
        with evaluating(model):
            for batch in pictures.split(FEATURE_BATCH):
                model(batch)

    return loop


def compare_features(args: argparse.Namespace, device: torch.device) -> None:
    faces = noise(args.pictures, args.size)
    model = build_network(args.network, len(EMOTIONS), args.size).to(device)
    contestants = {
        "features": lambda: features_of(model, faces, batch_size=FEATURE_BATCH),
        "bare forward": bare_forward(model, faces, device),
    }
    seconds = take_turns(contestants, args.repeats)
    print_speeds(seconds["passed"], args.pictures)
    clock = "processor" if device.type == "cpu" else "passed"
    print_ratio("features", seconds[clock], "features", "bare forward")


def measure_matrix(args: argparse.Namespace, device: torch.device) -> None:
    split = [NOISE_SPLITS[row // len(EMOTIONS) % len(NOISE_SPLITS)] for row in range(args.pictures)]
    sets = {f"set {k}": noise(args.pictures, args.size, seed=k, split=split) for k in range(SETS)}
    durations: list[float] = []
    train = study.train

    def timed(*arguments: object, **settings: object) -> object:
        start = time.perf_counter()
        outcome = train(*arguments, **settings)
        durations.append(time.perf_counter() - start)
        return outcome

    with patch.object(study, "train", timed):
        start = time.perf_counter()
        common = comparable(sets)
        networks, precision = taught(common, args.network, RECIPE, (SEED,), precision="fp32", device=device)
        tested(common, networks, precision, device)
        whole = time.perf_counter() - start
    print(
        f"{SETS} × {SETS} tests: {len(durations)} trainings, {whole:.1f} s, of which "
        f"{whole - sum(durations):.1f} s are not training"
    )
    print(f"ratio trainings_per_set {len(durations) / SETS:.2f}")
    print(f"ratio beside_training {(whole - sum(durations)) / whole:.2f}")


PARTS = {"features": compare_features, "matrix": measure_matrix}


def main() -> None:
    parser = options(__doc__, pictures=1024, size=32, repeats=5)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--network", choices=list(NETWORKS), default="residual")
    args = parser.parse_args()
    device = torch.device(args.device)
    seed_everything(SEED)
    print(f"{args.network}, {args.pictures} pictures of {args.size} pixels, {machine(device)}")
    for part in args.parts:
        print(f"-- {part}")
        PARTS[part](args, device)


if __name__ == "__main__":
    main()
