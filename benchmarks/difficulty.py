"""How hard the synthetic domains are for a small network that has not seen the people it is tested on.

    python benchmarks/difficulty.py [--domains lab wild game micro] [--size 48] [--face-seed 0] [--seed 0]
    [--test]

Of `--subjects` and `--epochs`, 0 takes each domain's own number.

Three 3×3 convolutions of 32, 64 and 96 filters, each with batch normalisation and pooling, and a linear layer
(102,000 weights for 8 classes) are trained on the split `train` with the settings printed; the epoch is
chosen on `valid`. Without `--test` only `valid` is scored: tune on that, with face seeds other than the one
that is reported. Intervals: expanded percentile bootstrap over whole people.

- lab: all pictures, the neutral first frames too; 8 classes.
- wild: the given labels, of which a known share is wrong; and against what was shown.
- game: the label is the majority of ten votes; 8 classes. Beside it how the votes divide, and FER+'s did.
- micro: `MICRO_FRAMES` frames around the apex of each clip minus its onset frame, as grey around 128 and
  enlarged `MICRO_GAIN` times; a clip is what the mean of its frames' probabilities says; 5 classes. Too few
  clips for one split: five folds by subject, each tested once (with `--test`) after the epoch was chosen on
  the next fold.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from scipy.stats import entropy
from torch import nn

from contest import machine, options
from fer_lib.faces.faceset import EMOTIONS, FaceSet
from fer_lib.faces.rendered import rendered_faces
from fer_lib.faces.request import FaceRequest
from fer_lib.stats.classification import accuracy, balanced_accuracy
from fer_lib.train.augment import AUGMENTATIONS
from fer_lib.train.learner import seed_everything, train
from fer_lib.train.precision import Precision
from fer_lib.train.predict import predict
from fer_lib.train.recipe import TrainingRecipe
from ferbook.text import bounds_text
from synthetic_faces.domains import DOMAINS

_FILTERS = (32, 64, 96)
BATCH_SIZE, _LR, WEIGHT_DECAY, DROPOUT = 32, 0.02, 1e-4, 0.3
EPOCHS = {"lab": 40, "wild": 15, "game": 20, "micro": 20}
_FOLDS = 5
MICRO_FRAMES = 3
MICRO_GAIN = 4

# Of the ten votes for each of FER2013's pictures in FER+, "unknown" and "no face" left out.
FERPLUS_WINNER, FERPLUS_BITS = 0.770, 0.768


def network(classes: int) -> nn.Module:
    layers, width = [], 1
    for filters in _FILTERS:
        layers += [nn.Conv2d(width, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
        width = filters
    # Six by six places whatever the size of the pictures: 48 pixels halved three times.
    head = (nn.AdaptiveAvgPool2d(6), nn.Flatten(), nn.Dropout(DROPOUT), nn.Linear(36 * width, classes))
    return nn.Sequential(*layers, *head)


def trained_on(faces: FaceSet, args: argparse.Namespace) -> tuple[Callable[[FaceSet], np.ndarray], str]:
    """What predicts probabilities after training on ``train``, and how training went."""
    seed_everything(args.seed)
    device = torch.device(args.device)
    model = network(len(faces.classes))
    recipe = TrainingRecipe(
        epochs=args.epochs or EPOCHS[faces.name],
        batch_size=BATCH_SIZE,
        lr=_LR,
        weight_decay=WEIGHT_DECAY,
        augment=args.augment,
    )
    plain = Precision("fp32", channels_last=False)
    training = train(faces, model, faces.classes, recipe, precision=plain, device=device, seed=args.seed)
    loss = training.curve["train_loss"].iloc[-1]
    how = f"train loss {loss:.2f}, best epoch {training.best_epoch} of {len(training.curve)}"
    return lambda some: predict(model, some, device=device), how


def row(domain: str, what: str, subjects: pd.Series, truth: np.ndarray, answers: np.ndarray) -> None:
    """Print accuracy and balanced accuracy of class indices ``said``, with intervals over people."""
    people = pd.factorize(subjects)[0]
    scores = (score(truth, answers, people) for score in (accuracy, balanced_accuracy))
    plain, balanced = (bounds_text(score) for score in scores)
    print(
        f"{domain:6s} {what:34s} n {len(truth):5d}, {people.max() + 1:4d} people, majority-class baseline "
        f"{np.bincount(truth).max() / len(truth):.3f}, accuracy {plain}, balanced {balanced}",
        flush=True,
    )


def score_pictures(domain: str, faces: FaceSet, args: argparse.Namespace) -> None:
    answer, how = trained_on(faces, args)
    print(f"{domain:6s} {how}")
    for split in ("valid", "test") if args.test else ("valid",):
        part = faces.split(split)
        answers = answer(part).argmax(axis=1)
        row(domain, f"{split}, given labels", part.table["subject"], part.labels(faces.classes), answers)
        if "true_emotion" in part.table:
            rows = part.table["true_emotion"].isin(faces.classes).to_numpy()
            truth = pd.Index(faces.classes).get_indexer(part.table["true_emotion"])
            people = part.table["subject"][rows]
            row(domain, f"{split}, what was shown", people, truth[rows], answers[rows])
        right = pd.Series(answers == part.labels(faces.classes)).groupby(part.table["emotion"].to_numpy())
        print(f"       recall: {', '.join(f'{name} {share:.2f}' for name, share in right.mean().items())}")


def score_votes(faces: FaceSet) -> None:
    votes = faces.table[[f"vote_{emotion}" for emotion in EMOTIONS]].to_numpy(float)
    shares = votes / votes.sum(axis=1, keepdims=True)
    bits = entropy(shares, base=2, axis=1)
    right = (faces.table["emotion"] == faces.table["true_emotion"]).mean()
    print(
        f"game   votes: winner's share {shares.max(axis=1).mean():.3f} (FER+ {FERPLUS_WINNER:.3f}), "
        f"entropy {bits.mean():.3f} bits (FER+ {FERPLUS_BITS:.3f}); the majority names what was shown: "
        f"{right:.3f}"
    )


def harder_faces(faces: FaceSet) -> FaceSet:
    """Of each clip the frames nearest to the apex, minus its onset frame."""
    table = faces.table
    onset = table.groupby("sequence")["frame"].transform("idxmin").to_numpy()
    distance = (table["frame"] - table["apex"]).abs()
    rows = np.flatnonzero(distance.groupby(table["sequence"]).rank(method="first") <= MICRO_FRAMES)
    differences = faces.pixels[rows].astype(int) - faces.pixels[onset[rows]]
    pixels = np.clip(128 + MICRO_GAIN * differences, 0, 255).astype(np.uint8)
    return FaceSet(faces.name, pixels, table.iloc[rows])


def score_clips(domain: str, faces: FaceSet, args: argparse.Namespace) -> None:
    faces = harder_faces(faces)
    people = np.unique(faces.table["subject"])
    fold = pd.Series(np.random.default_rng(0).permutation(len(people)) % _FOLDS, index=people)
    of_picture = fold[faces.table["subject"]].to_numpy()
    parts: dict[str, list[tuple[FaceSet, np.ndarray]]] = {"valid": [], "test": []}
    for test in range(_FOLDS):
        valid = (test + 1) % _FOLDS
        split = np.select([of_picture == test, of_picture == valid], ["test", "valid"], "train")
        fold_set = FaceSet(faces.name, faces.pixels, faces.table.assign(split=split))
        answer, how = trained_on(fold_set, args)
        print(f"{domain:6s} fold {test + 1}: {how}", flush=True)
        for name, tested_faces in parts.items():
            tested_faces.append((fold_set.split(name), answer(fold_set.split(name))))
    for name, tested_faces in parts.items():
        if name == "valid" or args.test:
            whole = FaceSet.concat(name, [part for part, _ in tested_faces])
            chances = pd.DataFrame(np.concatenate([chances for _, chances in tested_faces]))
            clips = chances.groupby(whole.table["sequence"].to_numpy()).mean()
            first = whole.table.drop_duplicates("sequence").set_index("sequence").loc[clips.index]
            truth = pd.Index(faces.classes).get_indexer(first["emotion"])
            answers = clips.to_numpy().argmax(axis=1)
            row(domain, f"{name}, clips of {_FOLDS} folds", first["subject"], truth, answers)


def main() -> None:
    parser = options(__doc__, subjects=0, size=48, face_seed=0, seed=0, epochs=0)
    own = [name for name, domain in DOMAINS.items() if not domain.head]  # whose head comes with the suite
    parser.add_argument("--domains", nargs="+", choices=own, default=own)
    parser.add_argument("--augment", choices=list(AUGMENTATIONS), default="light")
    parser.add_argument("--test", action="store_true", help="score the test split, too")
    args = parser.parse_args()
    print(
        f"conv {_FILTERS}, {args.size} pixels, {args.epochs or EPOCHS} epochs, batch {BATCH_SIZE}, SGD "
        f"lr {_LR}, onecycle, weight decay {WEIGHT_DECAY}, dropout {DROPOUT}, augmentation {args.augment}, "
        f"fp32, seed {args.seed}; face seed {args.face_seed}; {machine(args.device)}"
    )
    for domain in args.domains:
        start = time.perf_counter()
        faces = rendered_faces(FaceRequest(domain, args.subjects, args.size, args.face_seed))
        making = time.perf_counter() - start
        if domain == "game":
            score_votes(faces)
        if DOMAINS[domain].course == "clip":
            score_clips(domain, faces, args)
        else:
            score_pictures(domain, faces, args)
        print(f"{domain:6s} faces {making:.0f} s, all {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
