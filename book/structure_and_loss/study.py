"""What a study of structures and losses, a ladder of ingredients and a study of labels say: tables and
metrics, of estimates.
"""

import numpy as np
import pandas as pd

from book.structure_and_loss.labels import LabelStudy
from book.structure_and_loss.ladder import Ladder
from book.structure_and_loss.variance import variance_shares
from fer_lib.faces.faceset import FaceSet
from fer_lib.stats.contrasts import POINTS, Scored, contrast, difference, mean_score
from fer_lib.stats.resampling import RERUN_TOLERANCE
from fer_lib.train.evaluate import majority_share, score_on
from fer_lib.train.study import Study
from ferbook.estimate import Estimate
from ferbook.page.tables import Table

CONDITION = ["structure", "loss"]
OF_ALL = "all"
"""In the column ``within`` of ``differences``: the mean over all levels of the other factor."""

NUMBERS = {
    "structure_effect": "from the worst to the best structure, as validation ranks them (points)",
    "loss_effect": "from the worst to the best loss, as validation ranks them (points)",
    "effect_difference": "the first minus the second (points)",
    "seed_spread": "standard deviation between seeds of one condition (points)",
    "test_accuracy": "test split: the pair that validation prefers",
    "macro_f1": "test split: its macro F1",
    "majority_accuracy": "test split: always the majority class",
    "ladder_first": "validation split: lowest rung of the ladder",
    "ladder_last": "validation split: highest rung",
    "ladder_test_accuracy": "test split: highest rung",
    "ladder_test_macro_f1": "test split: its macro F1",
}
"""The page's main metrics, and what they are."""

MOVES = {"accuracy": 0.15, "macro_f1": 0.15, "valid_accuracy": 0.15, "difference": 15, "step": 15}
"""By how much a rerun may move what the tables and figures hold."""


def score_study(study: Study, faces: FaceSet, classes: tuple[str, ...], **draws: int) -> Scored:
    """The study's trainings with their scores on the test split, by ``train.evaluate.score_on``."""
    return score_on(faces.split("test"), classes, study.table, study.probabilities, CONDITION, **draws)


def condition_table(scored: Scored) -> Table:
    """One row per pair of ``structure`` and ``loss``, in the study's order: means over the seeds of
    ``valid_accuracy`` (share), and estimates of ``accuracy`` and ``macro_f1`` on the test split.
    """
    rows = []
    for condition, part in scored.table.groupby(CONDITION, sort=False):
        own = scored.table.index.isin(part.index)
        scores = [mean_score(scored, own, measure) for measure in ("accuracy", "macro_f1")]
        rows.append([*condition, part["valid_accuracy"].mean(), *scores])
    table = pd.DataFrame(rows, columns=[*CONDITION, "valid_accuracy", "accuracy", "macro_f1"])
    caption = "Means over the seeds, with 95 % intervals on the test split"
    return Table(table, caption, {"valid_accuracy": "share"}, MOVES)


def cost_table(scored: Scored) -> Table:
    """One row per ``structure``: ``parameters``; ``macs``, multiply-adds of one picture; ``epoch_seconds``,
    the median over its trainings; an estimate of its mean ``accuracy`` over all losses and seeds.
    """
    costs = {"parameters": "first", "macs": "first", "epoch_seconds": "median"}
    table = scored.table.groupby("structure", sort=False).agg(costs).reset_index()
    means = [mean_score(scored, scored.table["structure"].eq(name)) for name in table["structure"]]
    caption = "Structures: cost of one picture and one epoch, mean accuracy on test"
    formats = {"parameters": "count", "macs": "count", "epoch_seconds": "seconds"}
    return Table(table.assign(accuracy=means), caption, formats, MOVES | {"epoch_seconds": 1e6})


def differences(scored: Scored) -> Table | None:
    """Paired differences of test accuracy: each loss minus cross-entropy (or the first loss), each structure
    minus the first.

    Columns: ``factor`` (``loss`` or ``structure``), ``name``, ``reference``, ``within`` (a level of the other
    factor, or ``all`` for their mean), ``difference``, an estimate in percentage points. None where both
    factors have one level only.
    """
    table, rows = scored.table, []
    for factor, other in (("loss", "structure"), ("structure", "loss")):
        names, others = table[factor].unique(), table[other].unique()
        reference = "cross_entropy" if "cross_entropy" in names else names[0]
        for within in (OF_ALL, *(others if len(others) > 1 else ())):
            here = table[other].eq(within) | (within == OF_ALL)
            for name in names[names != reference]:
                found = difference(scored, here & table[factor].eq(name), here & table[factor].eq(reference))
                rows.append([factor, name, reference, within, found])
    named = pd.DataFrame(rows, columns=["factor", "name", "reference", "within", "difference"])
    caption = "Differences of accuracy on the test split (points), with 95 % intervals"
    return Table(named, caption, tolerance=MOVES) if rows else None


def chosen_pair(scored: Scored) -> tuple[str, str]:
    """Structure and loss with the highest validation accuracy, mean over the seeds; of equals the first."""
    means = scored.table.groupby(CONDITION, sort=False)["valid_accuracy"].mean()
    return means.idxmax()


def study_metrics(scored: Scored, faces: FaceSet, classes: tuple[str, ...]) -> dict[str, Estimate]:
    """The study in numbers.

    ``trainings``, ``structures``, ``losses``, ``seeds``; ``majority_accuracy`` of the test split.
    ``test_accuracy`` and ``macro_f1`` of the pair of structure and loss that the validation split prefers,
    mean over its seeds. ``structure_effect`` and ``loss_effect``: from the level that the validation split
    calls worst to the one it calls best, how much the accuracy on the test split grows, mean over everything
    else (points); ``effect_difference``, the first minus the second. ``seed_spread``: standard deviation
    between two trainings of one condition (points). ``structure_share``, ``loss_share``,
    ``interaction_share``, ``seed_share``: see ``variance.variance_shares``.
    """
    table = scored.table
    structure, loss = chosen_pair(scored)
    chosen = table["structure"].eq(structure) & table["loss"].eq(loss)
    settings = {"tolerance": RERUN_TOLERANCE}
    by_structure, by_loss = (_best_minus_worst(scored, factor) for factor in CONDITION)
    counts = {"trainings": len(table), "structures": table["structure"].nunique()}
    counts |= {"losses": table["loss"].nunique(), "seeds": table["seed"].nunique()}
    return {
        **{name: Estimate(value, unit="count") for name, value in counts.items()},
        "majority_accuracy": Estimate(
            majority_share(faces, classes, "test"), n=scored.pictures, unit="share"
        ),
        "test_accuracy": mean_score(scored, chosen, **settings),
        "macro_f1": mean_score(scored, chosen, "macro_f1", **settings),
        "structure_effect": contrast(scored, by_structure, unit="", **settings),
        "loss_effect": contrast(scored, by_loss, unit="", **settings),
        "effect_difference": contrast(scored, by_structure - by_loss, unit="", **settings),
        "seed_spread": Estimate(
            POINTS * scored.spread["accuracy"],
            why=f"pooled over all conditions, {scored.freedom} degrees of freedom",
            tolerance=POINTS * RERUN_TOLERANCE,
        ),
        **{f"{part}_share": share for part, share in variance_shares(scored).items()},
    }


def _best_minus_worst(scored: Scored, factor: str) -> np.ndarray:
    """Weights of the trainings: the level of ``factor`` with the highest mean validation accuracy over
    everything else, minus the one with the lowest.
    """
    means = scored.table.groupby(factor, sort=False)["valid_accuracy"].mean()
    ranked = means.sort_values(ascending=False, kind="stable").index
    best, worst = (scored.weights(scored.table[factor].eq(ranked[end])) for end in (0, -1))
    return best - worst


def score_ladder(ladder: Ladder, faces: FaceSet, classes: tuple[str, ...], **draws: int) -> Scored:
    """The ladder's networks with their scores on the validation split."""
    return score_on(faces.split("valid"), classes, ladder.table, ladder.valid, ["rung"], **draws)


def ladder_table(ladder: Ladder, scored: Scored) -> Table:
    """One row per rung: its ``name``, what it ``adds``; estimates of its ``accuracy`` on the validation
    split and of the ``step``, what it adds to the rung below, in points.

    All but the first have a step. Where the networks are those of the rung below, its interval covers the
    pictures only.
    """
    rows, of_rung = [], scored.table["rung"]
    for number, rung in enumerate(ladder.rungs):
        here, step = of_rung.eq(number), None
        if number:
            kept = not scored.table.loc[here, "trained"].iloc[0]
            step = difference(scored, here, of_rung.eq(number - 1), same_networks=kept)
        rows.append(
            {"name": rung.name, "adds": rung.adds, "accuracy": mean_score(scored, here), "step": step}
        )
    caption = "What each rung adds, on the validation split: accuracy, and the step to it in points"
    return Table(pd.DataFrame(rows), caption, tolerance=MOVES)


def ladder_metrics(
    ladder: Ladder, scored: Scored, faces: FaceSet, classes: tuple[str, ...], **draws: int
) -> dict[str, Estimate]:
    """``ladder_first`` and ``ladder_last``: validation accuracy of the lowest and highest rung;
    ``ladder_gain`` from the one to the other (points); ``ladder_test_accuracy`` and ``ladder_test_macro_f1``:
    the last rung on the test split, which nothing has seen before.
    """
    highest = len(ladder.rungs) - 1
    first, last = (scored.table["rung"].eq(number) for number in (0, highest))
    top = ladder.table[ladder.table["rung"].eq(highest)]
    read = score_on(faces.split("test"), classes, top, ladder.test, ["rung"], **draws)
    whole, settings = np.full(len(top), True), {"tolerance": RERUN_TOLERANCE}
    return {
        "ladder_first": mean_score(scored, first, **settings),
        "ladder_last": mean_score(scored, last, **settings),
        "ladder_gain": difference(scored, last, first, **settings),
        "ladder_test_accuracy": mean_score(read, whole, same_networks=True, **settings),
        "ladder_test_macro_f1": mean_score(read, whole, "macro_f1", same_networks=True, **settings),
    }


def label_table(study: LabelStudy, **draws: int) -> Table:
    """One row per labelling ``learned`` from and labelling ``tested`` by: an estimate of the ``accuracy``,
    and the mean ``macro_f1``.

    The bootstrap draws subjects, or groups of equal pictures; the networks and the pictures are the same in
    both tests.
    """
    rows = []
    for tested, pictures in study.tests.items():
        scored = score_on(pictures, study.classes, study.table, study.probabilities, ["learned"], **draws)
        for learned, part in scored.table.groupby("learned", sort=False):
            accuracy = mean_score(scored, scored.table["learned"].eq(learned))
            mean_f1 = part["macro_f1"].mean()
            rows.append({"learned": learned, "tested": tested, "accuracy": accuracy, "macro_f1": mean_f1})
    caption = f"{study.structure}: learned from one label, tested by another"
    return Table(pd.DataFrame(rows), caption, {"macro_f1": "share"}, MOVES)
