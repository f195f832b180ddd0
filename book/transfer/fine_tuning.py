"""Fine-tuning: what pictures of other sets are worth where few of one's own are labelled."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd
import torch
from torch import nn

from book.transfer.study import require_classes
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.leakage import independent_groups
from fer_lib.faces.subsets import share_of
from fer_lib.nets.build import build_network
from fer_lib.stats.contrasts import Scored, contrast, difference, score_trainings
from fer_lib.stats.resampling import RERUN_TOLERANCE
from fer_lib.train.curve import Training
from fer_lib.train.learner import seed_everything, train
from fer_lib.train.precision import Precision, Request
from fer_lib.train.predict import predict
from fer_lib.train.recipe import Recipe
from ferbook.errors import ParameterError
from ferbook.estimate import Estimate
from ferbook.page.tables import Table

FRACTIONS = (0, 1, 5, 10, 50, 100)
"""Per cent of the target set's training pictures."""

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
    pictures, classes), probabilities in the order of ``test``. ``precision``: of all trainings, None where
    nothing was trained.
    """

    table: pd.DataFrame
    answers: dict[tuple[str, int, int], np.ndarray]
    test: FaceSet
    classes: tuple[str, ...]
    precision: Precision | None


def fine_tuning(
    pretrained: nn.Module | Sequence[nn.Module],
    target: FaceSet,
    classes: tuple[str, ...],
    network: str,
    recipe: Recipe,
    *,
    fractions: Sequence[int] = FRACTIONS,
    draws: int = 3,
    least: int = 1,
    rate_shares: Sequence[float] = RATE_SHARES,
    least_steps: int = LEAST_STEPS,
    test: FaceSet | None = None,
    dropout: float | None = None,
    seed: int = 0,
    precision: Request | Precision = "auto",
    device: torch.device | str = "cpu",
) -> FineTuning:
    """Train on each of ``fractions`` of ``target`` from ``pretrained`` weights and from scratch, ``draws``
    times; test on its test split.

    ``pretrained``: a network with one output for each of ``classes``, as ``network`` builds it, or several of
    them (of several seeds), which the draws take in turn; they stay as they are. Each start is trained once
    with each of ``rate_shares`` of the recipe's peak rate as it suits the network, and the training with the
    highest validation accuracy is kept, of equals the earlier in ``rate_shares``. The draw d is trained from
    the seed ``seed`` + d on pictures that ``faces.subsets.nested_rows`` orders: of one draw, those of a
    smaller fraction are among those of a larger one, and at 100 the draws differ in the seed only. At 0
    nothing is trained: the pretrained network as it is, and an untrained one.

    The epoch is chosen on the same fraction of the validation split, at least one picture of each class that
    is there and never more pictures than are trained on: who has ten labelled pictures has not 400 to choose
    by. ``test``: other test pictures than the split's, for a study that left some out.

    Raises ParameterError for impossible fractions or draws and for a network with other outputs; DataError
    where a picture is none of ``classes``, or a class has fewer than ``least`` training pictures or none to
    test; and what ``train.learner.train`` raises.
    """
    networks = [pretrained] if isinstance(pretrained, nn.Module) else list(pretrained)
    _require_settings(networks, fractions, draws, rate_shares, len(classes))
    target.labels(classes)
    require_classes(target, classes)
    test = target.split("test") if test is None else test
    labels = test.labels(classes)
    full = recipe.for_network(network)
    rows, answers = [], {}
    for draw, fraction in product(range(draws), fractions):
        part = share_of(target, classes, fraction, draw=seed + draw, least=least) if fraction else None
        for start in STARTS:

            def begin(start: str = start, draw: int = draw) -> nn.Module:
                seed_everything(seed + draw)
                if start == PRETRAINED:
                    return deepcopy(networks[draw % len(networks)])
                return build_network(network, len(classes), target.size[0], dropout=dropout)

            model, trained = begin(), NOTHING_TRAINED
            if part is not None:
                chosen = _long_enough(full, part, least_steps)
                model, training, rate_share = _best_rate(
                    begin,
                    part,
                    classes,
                    chosen,
                    rate_shares,
                    precision=precision,
                    device=device,
                    seed=seed + draw,
                )
                precision = training.precision
                trained = _sizes(part) | {
                    "valid_accuracy": _valid_accuracy(training),
                    "rate_share": rate_share,
                    "best_epoch": training.best_epoch,
                    "epochs": len(training.curve),
                }
            answer = predict(model, test, device=device)
            answers[start, fraction, draw] = answer
            accuracy = float((answer.argmax(axis=1) == labels).mean())
            rows.append({"start": start, "fraction": fraction, "draw": draw, "accuracy": accuracy} | trained)
    used = precision if isinstance(precision, Precision) else None
    return FineTuning(pd.DataFrame(rows), answers, test, classes, used)


def _best_rate(
    begin: Callable[[], nn.Module],
    part: FaceSet,
    classes: tuple[str, ...],
    recipe: Recipe,
    rate_shares: Sequence[float],
    *,
    precision: Request | Precision,
    device: torch.device | str,
    seed: int,
) -> tuple[nn.Module, Training, float]:
    """Of the trainings of ``begin()`` with each share of the recipe's rate, the one with the highest
    validation accuracy.
    """
    tried = []
    for share in rate_shares:
        model = begin()
        own = replace(recipe, lr=recipe.lr * share)
        training = train(part, model, classes, own, precision=precision, device=device, seed=seed)
        precision = training.precision
        tried.append((model, training, share))
    return max(tried, key=lambda result: _valid_accuracy(result[1]))


def _valid_accuracy(training: Training) -> float:
    best = training.curve["epoch"].eq(training.best_epoch)
    return float(training.curve.loc[best, "valid_accuracy"].iloc[0])


def _require_settings(
    networks: Sequence[nn.Module],
    fractions: Sequence[int],
    draws: int,
    rate_shares: Sequence[float],
    n_classes: int,
) -> None:
    wrong = [f for f in fractions if not 0 <= f <= 100]
    if wrong or not fractions or len(set(fractions)) < len(fractions):
        raise ParameterError(
            f"fractions are {list(fractions)}; give per cent of the training pictures, 0 to 100, each once"
        )
    if draws < 1:
        raise ParameterError(f"draws is {draws}; give at least 1")
    if not rate_shares or min(rate_shares) <= 0:
        raise ParameterError(f"rate_shares are {list(rate_shares)}; give at least one, each above 0")
    if not networks:
        raise ParameterError("no pretrained network; give at least one")
    for model in networks:
        if model.output.out_features != n_classes:
            raise ParameterError(
                f"a pretrained network tells {model.output.out_features} classes apart, not {n_classes}; "
                "train it on the common classes"
            )


def _sizes(part: FaceSet) -> dict[str, int]:
    train = part.table[part.table["split"] == "train"]
    return {
        "train_pictures": len(train),
        "train_people": len(set(train["subject"]) - {""}),
        "valid_pictures": len(part) - len(train),
    }


def _long_enough(recipe: Recipe, part: FaceSet, least_steps: int) -> Recipe:
    """``recipe`` with so many epochs that the training pictures of ``part`` make ``least_steps`` steps."""
    pictures = _sizes(part)["train_pictures"]
    steps = max(1, pictures // recipe.batch_size + (pictures % recipe.batch_size >= 2))
    return replace(recipe, epochs=max(recipe.epochs, -(-least_steps // steps)))


def score_fine_tuning(found: FineTuning, *, draws: int = 2000, seed: int = 0) -> dict[int, Scored]:
    """Fraction (per cent) -> the trainings with it, scored on the test pictures.

    Each fraction by itself: draws of few pictures differ more than draws of many, so one spread for all would
    be too small for the first. The luck of the drawn pictures and that of the seed are covered together.
    """
    labels, clusters = found.test.labels(found.classes), independent_groups(found.test)
    scored = {}
    for fraction, rows in found.table.groupby("fraction"):
        keys = rows[["start", "fraction", "draw"]].itertuples(index=False, name=None)
        answers = np.stack([found.answers[key] for key in keys])
        scored[int(fraction)] = score_trainings(
            rows.drop(columns="accuracy"), answers, labels, clusters, ["start"], draws=draws, seed=seed
        )
    return scored


def _start(scored: Scored, start: str, **settings: object) -> Estimate:
    return contrast(scored, scored.weights(scored.table["start"].eq(start)), **settings)


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
