"""Fine-tuning: what pictures of other sets are worth where few of one's own are labelled."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd
import torch
from torch import nn

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.subsets import share_of
from fer_lib.nets.build import build_network
from fer_lib.stats.contrasts import Scored, difference, mean_score
from fer_lib.stats.resampling import RERUN_TOLERANCE
from fer_lib.train.evaluate import score_on
from fer_lib.train.learner import seed_everything, train
from fer_lib.train.precision import Precision, Request
from fer_lib.train.predict import predict
from fer_lib.train.recipe import Recipe
from ferbook.estimate import Estimate
from ferbook.page.tables import Table

PRETRAINED, SCRATCH = STARTS = ("pretrained", "scratch")

RATE_SHARES = (1.0, 0.1)
"""The peak rates that each start is trained with, as shares of the recipe's; the validation pictures choose
one. With few pictures a small rate keeps what was learned before, with many it only holds a network back; to
fix either would decide the comparison beforehand.
"""

LEAST_STEPS = 60
"""A training has at least so many steps, in more epochs than the recipe's: ten pictures make one step of an
epoch.
"""

NOTHING_TRAINED = {
    **dict.fromkeys(("train_pictures", "train_people", "valid_pictures"), 0),
    **dict.fromkeys(("valid_accuracy", "rate_share"), np.nan),
    **dict.fromkeys(("best_epoch", "epochs"), 0),
}
"""What the table says of a fraction of 0."""


@dataclass(frozen=True)
class FineTuning:
    """Networks fine-tuned on parts of a face set, beside networks trained from scratch on the same pictures.

    ``table``: one row per ``start`` (``pretrained``, ``scratch``), ``fraction`` (per cent) and ``draw`` with
    ``accuracy`` (share of the test pictures), ``train_pictures``, ``train_people`` (0 where the set does not
    say), ``valid_pictures``, ``valid_accuracy`` and ``rate_share``, the one that it chose (NaN where nothing
    was trained), ``best_epoch`` and ``epochs``. ``answers``: (start, fraction, draw) -> float32 (test
    pictures, classes), probabilities in the order of ``test``.
    """

    table: pd.DataFrame
    answers: dict[tuple[str, int, int], np.ndarray]
    test: FaceSet
    classes: tuple[str, ...]


def fine_tuning(
    pretrained: Sequence[nn.Module],
    target: FaceSet,
    classes: tuple[str, ...],
    network: str,
    recipe: Recipe,
    *,
    fractions: Sequence[int],
    draws: int,
    dropout: float | None = None,
    seed: int = 0,
    precision: Request | Precision = "auto",
    device: torch.device | str = "cpu",
) -> FineTuning:
    """Train on each of ``fractions`` of ``target`` from ``pretrained`` weights and from scratch, ``draws``
    times; test on its test split.

    ``pretrained``: networks of several seeds with one output for each of ``classes``, as ``network`` builds
    them, which the draws take in turn; they stay as they are. Each start is trained once with each of
    ``RATE_SHARES`` of the recipe's peak rate as it suits the network, and the training with the highest
    validation accuracy is kept, of equals the first. The draw d is trained from the seed ``seed`` + d on
    pictures that ``faces.subsets.nested_rows`` orders: of one draw, those of a smaller fraction are among
    those of a larger one, and at 100 the draws differ in the seed only. At 0 nothing is trained: the
    pretrained network as it is, and an untrained one.

    The epoch is chosen on the same fraction of the validation split, at least one picture of each class that
    is there and never more pictures than are trained on: who has ten labelled pictures has not 400 to choose
    by.

    Raises DataError where a picture is none of ``classes``, or a class has no training picture; and what
    ``train.learner.train`` raises.
    """
    test = target.split("test")
    labels = test.labels(classes)
    full = recipe.for_network(network)
    rows, answers = [], {}
    for draw, fraction in product(range(draws), fractions):
        part = share_of(target, classes, fraction, draw=seed + draw) if fraction else None
        for start in STARTS:
            seed_everything(seed + draw)
            if start == PRETRAINED:
                model = pretrained[draw % len(pretrained)]
            else:
                model = build_network(network, len(classes), target.size[0], dropout=dropout)
            trained = NOTHING_TRAINED
            if part is not None:
                settings = {"precision": precision, "device": device, "seed": seed + draw}
                model, trained = _best_rate(model, part, classes, full, **settings)
            answer = predict(model, test, device=device)
            answers[start, fraction, draw] = answer
            accuracy = float((answer.argmax(axis=1) == labels).mean())
            rows.append({"start": start, "fraction": fraction, "draw": draw, "accuracy": accuracy} | trained)
    return FineTuning(pd.DataFrame(rows), answers, test, classes)


def _best_rate(
    model: nn.Module, part: FaceSet, classes: tuple[str, ...], recipe: Recipe, **settings: object
) -> tuple[nn.Module, dict[str, float]]:
    """Of the trainings of ``model`` with each share of the recipe's rate, the network with the highest
    validation accuracy, and what the table says of it.
    """
    learned = part.table[part.table["split"] == "train"]
    steps = max(1, len(learned) // recipe.batch_size + (len(learned) % recipe.batch_size >= 2))
    epochs = max(recipe.epochs, -(-LEAST_STEPS // steps))
    best = None, {"valid_accuracy": -1.0}
    for share in RATE_SHARES:
        own = deepcopy(model)
        training = train(part, own, classes, replace(recipe, epochs=epochs, lr=recipe.lr * share), **settings)
        row = {
            "train_pictures": len(learned),
            "train_people": len(set(learned["subject"]) - {""}),
            "valid_pictures": len(part) - len(learned),
            "valid_accuracy": training.valid_accuracy,
            "rate_share": share,
            "best_epoch": training.best_epoch,
            "epochs": len(training.curve),
        }
        if row["valid_accuracy"] > best[1]["valid_accuracy"]:
            best = own, row
    return best


def score_fine_tuning(found: FineTuning, **draws: int) -> dict[int, Scored]:
    """Fraction (per cent) -> the trainings with it, scored on the test pictures.

    Each fraction by itself: draws of few pictures differ more than draws of many, so one spread for all would
    be too small for the first. The luck of the drawn pictures and that of the seed are covered together.
    """
    scored = {}
    for fraction, rows in found.table.groupby("fraction"):
        keys = rows[["start", "fraction", "draw"]].itertuples(index=False, name=None)
        answers = np.stack([found.answers[key] for key in keys])
        table = rows.drop(columns="accuracy")
        scored[int(fraction)] = score_on(found.test, found.classes, table, answers, ["start"], **draws)
    return scored


def _start(scored: Scored, start: str, **settings: object) -> Estimate:
    return mean_score(scored, scored.table["start"].eq(start), **settings)


def _gain(scored: Scored, **settings: object) -> Estimate:
    """Pre-trained minus from scratch, in points."""
    start = scored.table["start"]
    return difference(scored, start.eq(PRETRAINED), start.eq(SCRATCH), **settings)


def fine_tuning_table(scored: Mapping[int, Scored]) -> Table:
    """A row per fraction for the page: the ``part``, ``pictures`` and ``people`` learned from (means over the
    draws; people missing where they are unknown); estimates of the accuracy of each start, and of the
    difference in points.
    """
    rows = []
    for fraction, own in scored.items():
        people = own.table["train_people"].mean()
        rows.append(
            {
                "part": fraction / 100,
                "pictures": round(own.table["train_pictures"].mean()),
                "people": round(people) if people or not fraction else None,
                "pre-trained": _start(own, PRETRAINED),
                "from scratch": _start(own, SCRATCH),
                "difference (points)": _gain(own),
            }
        )
    caption = "Pre-trained on another set against from scratch; 95 % intervals"
    moves = {"pre-trained": 0.25, "from scratch": 0.25, "difference (points)": 25}
    return Table(pd.DataFrame(rows).astype({"people": "Int64"}), caption, {"part": "{:.0%}".format}, moves)


def fine_tuning_metrics(scored: Mapping[int, Scored]) -> dict[str, Estimate]:
    """Fine-tuning in numbers.

    ``tuning_fraction``: the smallest share of the set that was learned from (a share), and at it
    ``tuned_accuracy`` and ``scratch_accuracy``, and ``tuning_gain``, the first minus the second in points.
    ``tuning_gain_full``: the same with the largest share. ``zero_shot_accuracy``: the pre-trained network
    without any picture of the set, where it was asked.
    """
    settings = {"tolerance": RERUN_TOLERANCE}
    found = {}
    if 0 in scored:
        found["zero_shot_accuracy"] = _start(scored[0], PRETRAINED, same_networks=True, **settings)
    learned = [fraction for fraction in scored if fraction]
    if learned:
        least, most = scored[min(learned)], scored[max(learned)]
        found |= {
            "tuning_fraction": Estimate(min(learned) / 100, unit="share"),
            "tuned_accuracy": _start(least, PRETRAINED, **settings),
            "scratch_accuracy": _start(least, SCRATCH, **settings),
            "tuning_gain": _gain(least, **settings),
            "tuning_gain_full": _gain(most, **settings),
        }
    return found
