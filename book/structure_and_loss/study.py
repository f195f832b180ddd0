"""Structures and losses compared, trained here or read from stored networks: tables and metrics."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from book.populations import Member, require_matched
from face_sets.faceset import FaceSet
from face_sets.leakage import independent_groups
from fer_lib.stats.classification import calibration_error, reliability
from fer_lib.stats.contrasts import POINTS, TrainingScores, contrast, difference, mean_score, score_trainings
from fer_lib.stats.resampling import RERUN_TOLERANCE
from fer_lib.train.callbacks import last_fifth
from fer_lib.train.study import Study, majority_share
from ferbook.errors import DataError
from ferbook.estimate import Estimate
from ferbook.page.tables import Table

CONDITION = ["structure", "loss"]
MIRROR_IMAGES = "mirrored"
"""In the column ``part`` of ``ladder_table``: predictions are means over a picture and its mirror image."""

RECIPE_PARTS = (
    "options",
    *map("recipe.{}".format, ("optimiser", "start_size", "loss", "augment", "schedule")),
)
"""Fields in which the networks of ``ladder_table`` may differ: a part of a recipe is one of them."""

MOVES = {"accuracy": 0.15, "macro_f1": 0.15, "valid_accuracy": 0.15, "difference": 15, "worth": 15}
"""By how much a rerun may move the numbers of tables and figures."""


@dataclass(frozen=True)
class Comparison:
    """All trainings with their predictions of the tested pictures, and their scores.

    Attributes
    ----------
    probabilities
        float32 (trainings, N, classes); means over the views of a picture, where the recipe has several.
    predicted
        int (trainings, N), the class predicted from the unchanged picture, by which they are scored.
    labels, groups
        (N,): the true classes, and codes that are equal for pictures that are not independent.
    majority
        The accuracy of always predicting the commonest class of the training split.
    about
        What was trained and tested, for readers.
    networks
        ``stored networks`` or ``networks trained here``, for captions.
    curves
        Of each training, as in ``train.callbacks.Training``, where they are stored.
    """

    scores: TrainingScores
    probabilities: np.ndarray
    predicted: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    majority: float
    about: str
    networks: str = "networks trained here"
    curves: Sequence[pd.DataFrame] = ()

    @property
    def right(self) -> np.ndarray:
        """bool (trainings, N): which pictures each training classifies correctly."""
        return self.predicted == self.labels

    def of_loss(self, loss: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Probabilities, labels and groups of all predictions of the trainings with ``loss``, one after the
        other, of those structures that were trained with every loss, where there are any: else losses would
        be compared on different structures.
        """
        table = self.scores.table
        losses = table.groupby("structure")["loss"].transform("nunique")
        everywhere = losses.eq(table["loss"].nunique())
        own = self.probabilities[table["loss"].eq(loss) & (everywhere | ~everywhere.any())]
        return np.concatenate(own), np.tile(self.labels, len(own)), np.tile(self.groups, len(own))


def of_trainings(
    trainings: Study, faces: FaceSet, classes: tuple[str, ...], *, draws: int, seed: int = 0
) -> Comparison:
    """The ``trainings``, on the test split of ``faces``; ``draws`` of people, drawn with ``seed``."""
    pictures, probabilities, (height, width) = faces.split("test"), trainings.probabilities, faces.size
    labels, groups = pictures.labels(classes), independent_groups(pictures)
    scores = score_trainings(
        trainings.table, probabilities, labels, groups, CONDITION, draws=draws, seed=seed
    )
    about = f"{faces.name}: {len(faces):,} pictures of {height} × {width} pixels"
    majority, predicted = majority_share(faces, classes, "test"), probabilities.argmax(axis=2)
    return Comparison(scores, probabilities, predicted, labels, groups, majority, about)


def of_members(members: Sequence[Member], *, draws: int, seed: int = 0) -> Comparison:
    """Compare networks of populations of one face set by their stored predictions, without the faces.

    Raises DataError where there is none, or they were tested on different pictures; and, naming population
    and field, where they differ in more than their structure, or in more than their loss.
    """
    if not members:
        raise DataError("no network of these populations is stored; `ferbook populations train` trains them")
    pictures, plain = members[0].tested(), members[0].population
    for own in (member.population for member in members):
        structures = own.network != plain.network
        require_matched((plain, own), but=("network", "options") if structures else ("recipe.loss",))
    for member in members:
        if not member.tested().equals(pictures):
            raise DataError(f"{member.folder} was tested on other pictures than {members[0].folder}")
    table = pd.DataFrame([_member_row(member) for member in members])
    predicted = np.stack([_predicted(member) for member in members])
    labels, groups = pictures["label"].to_numpy(), pictures["group"].to_numpy()
    record, source = members[0].done(), members[0].population.faces
    counts = record["train_counts"]
    one_hot = np.eye(len(counts), dtype=np.float32)[predicted]
    scores = score_trainings(table, one_hot, labels, groups, CONDITION, draws=draws, seed=seed)
    about = (
        f"{record['faces']} at {source.size} pixels: {sum(counts):,} training pictures, {len(pictures):,} "
        f"test pictures; {len(members)} stored networks"
    )
    return Comparison(
        scores,
        np.stack([member.answers().astype(np.float32) for member in members]),
        predicted,
        labels,
        groups,
        float(np.mean(labels == np.argmax(counts))),
        about,
        "stored networks",
        [each.curve() for each in members],
    )


def _predicted(member: Member) -> np.ndarray:
    """The class (N,) that ``member`` predicts for each tested picture, without further views of it."""
    if member.population.test_time == "none":
        return member.answers().argmax(axis=1)
    return member.answers_by_epoch()[member.done()["best_epoch"] - 1].astype(np.int64)


def _member_row(member: Member) -> dict[str, object]:
    """The columns of ``train.study.run_study`` for a stored network."""
    population = member.population
    return {
        "structure": population.network,
        "loss": population.recipe.loss,
        "seed": member.seed,
        "valid_accuracy": member.done()["valid_accuracy"],
        "epochs": len(member.curve()),
    }


def confidence_by_loss(comparison: Comparison) -> tuple[pd.DataFrame, dict[str, Estimate]]:
    """Calibration of each loss's networks: the rows of ``stats.classification.reliability`` with their
    ``loss``, and by loss the expected calibration error, with its interval over people or pictures.
    """
    draws = comparison.scores.drawn["accuracy"].shape[1]
    tables, errors = [], {}
    for loss in comparison.scores.table["loss"].unique():
        own = comparison.of_loss(loss)
        tables.append(reliability(*own[:2]).assign(loss=loss))
        errors[loss] = calibration_error(*own, draws=draws, tolerance=RERUN_TOLERANCE)
    return pd.concat(tables), errors


def condition_table(scores: TrainingScores) -> pd.DataFrame:
    """One row per pair of ``structure`` and ``loss``, in the study's order: the number of ``seeds``, and
    estimates of ``accuracy`` on the test split, means over the seeds.
    """
    rows = []
    for condition, part in scores.table.groupby(CONDITION, sort=False):
        own = scores.table.index.isin(part.index)
        rows.append([*condition, len(part), mean_score(scores, own)])
    return pd.DataFrame(rows, columns=[*CONDITION, "seeds", "accuracy"])


def ladder_table(members: Sequence[Member], *, draws: int, seed: int = 0) -> Table:
    """Measure what each part of a recipe adds, by networks trained without it (an ablation).

    ``members``: first those of the whole recipe, then those without a part, whose population's name ends with
    it. One row per ``part``: the number of ``networks``, estimates of their ``accuracy`` on the test split
    and of what the part is ``worth``, the whole recipe's accuracy minus that, in points, paired picture by
    picture. The last is ``MIRROR_IMAGES``: the networks of the whole recipe after their last epoch with and
    without mirror images at the test; its interval covers the pictures alone. Raises DataError where a
    population differs from the whole recipe's in anything but these parts.
    """
    names = [member.population.name for member in members]
    require_matched([member.population for member in members], but=RECIPE_PARTS)
    whole = [member for member in members if member.population.name == names[0]]
    labels, groups = (members[0].tested()[name].to_numpy() for name in ("label", "group"))
    one_hot = np.eye(len(members[0].done()["classes"]), dtype=np.float32)
    bare = [one_hot[member.answers_by_epoch()[-1]] for member in whole]

    def scores_of(parts: Sequence[str], answers: Sequence[np.ndarray]) -> TrainingScores:
        table = pd.DataFrame({"part": parts})
        return score_trainings(table, np.stack(answers), labels, groups, ["part"], draws=draws, seed=seed)

    probabilities = [member.answers().astype(np.float32) for member in members]
    mirrored = scores_of(
        [names[0]] * len(whole) + [MIRROR_IMAGES] * len(whole), probabilities[: len(whole)] + bare
    )
    rows = []
    for name in (*dict.fromkeys(names[len(whole) :]), MIRROR_IMAGES):
        scores = mirrored if name == MIRROR_IMAGES else scores_of(names, probabilities)
        all_of_it, without = (scores.table["part"].eq(part) for part in (names[0], name))
        worth = difference(scores, all_of_it, without, same_networks=name == MIRROR_IMAGES)
        rows.append([name.rpartition("_")[2], without.sum(), mean_score(scores, without), worth])
    table = pd.DataFrame(rows, columns=["part", "networks", "accuracy", "worth"])
    caption = "Accuracy on the test split without each part of the recipe, and what it adds (points)"
    return Table(table, caption, tolerance=MOVES | {"networks": 0})


def plain_level(scores: TrainingScores, factor: str) -> str:
    """The level of ``factor`` that the others are compared with: cross-entropy, or the first."""
    names = scores.table[factor].unique()
    return "cross_entropy" if "cross_entropy" in names else names[0]


def difference_table(scores: TrainingScores) -> Table | None:
    """Paired differences of test accuracy: each structure, and each loss, minus the plain one.

    Columns: ``factor`` (``structure`` or ``loss``), ``name``, ``reference``; ``within``, the levels of the
    other factor that both were trained with, over which the difference is a mean; ``difference``, an estimate
    in percentage points. None where there is nothing to compare.
    """
    table, rows = scores.table, []
    for factor in CONDITION:
        plain = plain_level(scores, factor)
        for name in table.loc[table[factor].ne(plain), factor].unique():
            sides = pair_of(scores, factor, name, plain)
            if sides[0].any():
                within = ", ".join(table.loc[sides[0], _other(factor)].unique())
                rows.append([factor, name, plain, within, _difference(scores, *sides)])
    differences = pd.DataFrame(rows, columns=["factor", "name", "reference", "within", "difference"])
    caption = "Differences of accuracy on the test split (points), with 95 % intervals"
    return Table(differences, caption, tolerance=MOVES) if rows else None


def pair_of(scores: TrainingScores, factor: str, first: str, second: str) -> tuple[pd.Series, pd.Series]:
    """Which trainings represent the levels ``first`` and ``second`` of a ``factor``: those in which the other
    factor has a level that was trained with both.
    """
    table = scores.table
    others = [table.loc[table[factor].eq(level), _other(factor)] for level in (first, second)]
    common = table[_other(factor)].isin(others[0]) & table[_other(factor)].isin(others[1])
    return tuple(common & table[factor].eq(level) for level in (first, second))


def _other(factor: str) -> str:
    return next(each for each in CONDITION if each != factor)


def preferred(scores: TrainingScores, *factors: str, but: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The levels of ``factors`` with the highest validation accuracy, mean over the conditions that all of
    them share; of ties the first. The levels ``but`` are left out; empty where there are no others.
    """
    conditions = scores.table.groupby(CONDITION, sort=False)["valid_accuracy"].mean().reset_index()
    if len(factors) == 1:
        levels = conditions.groupby(_other(*factors))[factors[0]].transform("nunique")
        shared = levels.eq(conditions[factors[0]].nunique())
        conditions = conditions[shared] if shared.any() else conditions
    means = conditions.groupby(list(factors), sort=False)["valid_accuracy"].mean()
    means.index = pd.MultiIndex.from_frame(means.index.to_frame())
    means = means.drop(but, errors="ignore") if but else means
    return means.idxmax() if len(means) else ()


def comparison_metrics(comparison: Comparison) -> dict[str, Estimate]:
    """The metrics of a ``comparison``.

    ``trainings``, ``structures``, ``losses``, ``seeds`` (fewest of a condition), ``repeated`` (trainings that
    differ from another in their seed only), ``epochs`` (of the longest); ``majority_accuracy``.
    ``test_accuracy`` and ``macro_f1`` of the pair with the highest validation accuracy, mean over its seeds.
    ``structure_gain`` and ``loss_gain``: the level with the highest validation accuracy except the plain one,
    minus the plain one, mean over everything else, in points on the test split; 0, without an interval, where
    there is only the plain one; with the accuracies of both sides (``_gain``). ``seed_spread``: standard
    deviation between trainings of one condition (points). Where curves are stored, ``last_fifth``.
    """
    scores, table = comparison.scores, comparison.scores.table
    best = _is(table, CONDITION, preferred(scores, *CONDITION))
    counts = {"trainings": len(table), "structures": table["structure"].nunique()}
    counts |= {"losses": table["loss"].nunique(), "seeds": table.groupby(CONDITION).size().min()}
    counts |= {"repeated": scores.freedom, "epochs": table["epochs"].max()}
    along = last_fifth(comparison.curves) if comparison.curves else {}
    return {
        **{name: Estimate(value, unit="count") for name, value in counts.items()},
        "majority_accuracy": Estimate(
            comparison.majority,
            n=scores.pictures,
            why="counted in the pictures that are tested",
            unit="share",
        ),
        "test_accuracy": mean_score(scores, best, tolerance=RERUN_TOLERANCE),
        "macro_f1": mean_score(scores, best, "macro_f1", tolerance=RERUN_TOLERANCE),
        **{name: one for factor in CONDITION for name, one in _gain(scores, factor).items()},
        "seed_spread": Estimate(
            POINTS * scores.spread["accuracy"],
            why=f"pooled over all conditions, {scores.freedom} degrees of freedom"
            if scores.freedom
            else "not known: no condition was trained twice",
            tolerance=POINTS * RERUN_TOLERANCE,
        ),
        **along,
    }


def _is(table: pd.DataFrame, factors: Sequence[str], levels: Sequence[str]) -> pd.Series:
    return (table[list(factors)] == list(levels)).all(axis=1)


def best_and_plain(scores: TrainingScores, factor: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The level of ``factor`` with the highest validation accuracy except the plain one, and the plain one;
    the plain one twice where there is no other.
    """
    plain = (plain_level(scores, factor),)
    return preferred(scores, factor, but=plain) or plain, plain


def _gain(scores: TrainingScores, factor: str) -> dict[str, Estimate]:
    """``<factor>_gain`` and the accuracies of its two sides; of all trainings where there is one side."""
    (best,), (plain,) = best_and_plain(scores, factor)
    sides = pair_of(scores, factor, best, plain)
    why = "there is only the plain one" if best == plain else ""
    if not all(side.any() for side in sides):
        why = "nothing else was trained with both"
    if why:
        sides = [pd.Series(True, index=scores.table.index)] * 2
        gain = Estimate(0.0, n=scores.pictures, why=why, tolerance=15)
    else:
        gain = _difference(scores, *sides, tolerance=RERUN_TOLERANCE)
    names = f"{factor}_accuracy", f"{factor}_plain_accuracy"
    means = [contrast(scores, _even(scores, side), tolerance=RERUN_TOLERANCE) for side in sides]
    return {f"{factor}_gain": gain} | dict(zip(names, means, strict=True))


def _even(scores: TrainingScores, keep: pd.Series) -> np.ndarray:
    """(trainings,): weights of the mean over the conditions of the trainings ``keep``, in which each
    condition has the same weight, however many seeds it has.
    """
    rows = scores.table[keep]
    sizes = rows.groupby(CONDITION)["seed"].transform("size")
    return (1 / (sizes * len(rows.groupby(CONDITION)))).reindex(scores.table.index, fill_value=0).to_numpy()


def _difference(
    scores: TrainingScores, first: pd.Series, second: pd.Series, tolerance: float = 0.0
) -> Estimate:
    weights = _even(scores, first) - _even(scores, second)
    return contrast(scores, weights, unit="", tolerance=tolerance)


def preference_answer(scores: TrainingScores) -> str:
    """Which pair has the highest validation accuracy, and which is the plain one, in a sentence."""
    best, plain = (
        " with ".join(pair).replace("_", " ")
        for pair in (preferred(scores, *CONDITION), [plain_level(scores, factor) for factor in CONDITION])
    )
    return f"Highest validation accuracy: {best}. The plain pair: {plain}."
