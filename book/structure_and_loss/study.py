"""What a study of structures and losses, a ladder of ingredients and a study of labels say: tables, metrics,
and the answer.
"""

import numpy as np
import pandas as pd

from book.structure_and_loss.labels import LabelStudy
from book.structure_and_loss.ladder import Ladder
from book.structure_and_loss.variance import PARTS, variance_shares
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.leakage import independent_groups
from fer_lib.stats.contrasts import POINTS, Scored, contrast, difference, score_trainings
from fer_lib.stats.resampling import RERUN_TOLERANCE
from fer_lib.train.evaluate import majority_share
from fer_lib.train.study import Study
from ferbook.estimate import Estimate
from ferbook.text import NO_BREAK, interval_text, number_text

CONDITION = ["structure", "loss"]
OF_ALL = "all"
"""In the column ``within`` of ``differences``: the mean over all levels of the other factor."""


def score_study(
    study: Study, faces: FaceSet, classes: tuple[str, ...], *, draws: int = 2000, seed: int = 0
) -> Scored:
    """The study's trainings with their scores on the test split; the bootstrap draws subjects, or groups of
    equal pictures.
    """
    return _scored(study.table, study.probabilities, faces.split("test"), classes, CONDITION, draws, seed)


def _scored(
    table: pd.DataFrame,
    probabilities: np.ndarray,
    pictures: FaceSet,
    classes: tuple[str, ...],
    condition: list[str],
    draws: int,
    seed: int,
) -> Scored:
    labels, clusters = pictures.labels(classes), independent_groups(pictures)
    return score_trainings(table, probabilities, labels, clusters, condition, draws=draws, seed=seed)


def _bounds(metric: Estimate, names: tuple[str, str, str]) -> dict[str, float]:
    found = (metric.value, metric.low, metric.high)
    return {name: np.nan if value is None else value for name, value in zip(names, found, strict=True)}


def condition_table(scored: Scored) -> pd.DataFrame:
    """One row per pair of structure and loss, in the study's order.

    ``structure``, ``loss``, ``trainings``; means over the seeds of ``valid_accuracy``, ``accuracy`` and
    ``macro_f1``, the latter two with ``…_low`` and ``…_high`` (NaN where there is no interval). All shares.
    """
    rows = []
    for (structure, loss), part in scored.table.groupby(CONDITION, sort=False):
        weights = scored.weights(scored.table.index.isin(part.index))
        rows.append(
            {
                "structure": structure,
                "loss": loss,
                "trainings": len(part),
                "valid_accuracy": part["valid_accuracy"].mean(),
                **_bounds(contrast(scored, weights), ("accuracy", "accuracy_low", "accuracy_high")),
                **_bounds(
                    contrast(scored, weights, "macro_f1"), ("macro_f1", "macro_f1_low", "macro_f1_high")
                ),
            }
        )
    return pd.DataFrame(rows)


def cost_table(scored: Scored) -> pd.DataFrame:
    """One row per structure: what it costs, and its mean ``accuracy`` over all losses and seeds with
    ``accuracy_low`` and ``accuracy_high``.

    ``parameters``; ``macs``, multiply-adds of one picture; ``epoch_seconds``, the median over its trainings.
    """
    rows = []
    for structure, part in scored.table.groupby("structure", sort=False):
        mean = contrast(scored, scored.weights(scored.table["structure"].eq(structure)))
        rows.append(
            {
                "structure": structure,
                "parameters": part["parameters"].iloc[0],
                "macs": part["macs"].iloc[0],
                "epoch_seconds": part["epoch_seconds"].median(),
                **_bounds(mean, ("accuracy", "accuracy_low", "accuracy_high")),
            }
        )
    return pd.DataFrame(rows)


def differences(scored: Scored) -> pd.DataFrame:
    """Paired differences of test accuracy in percentage points: each loss minus cross-entropy (or the first
    loss), each structure minus the first.

    Columns: ``factor`` (``loss`` or ``structure``), ``name``, ``reference``, ``within`` (a level of the other
    factor, or ``all`` for their mean), ``difference``, ``low``, ``high`` (NaN where there is no interval). No
    rows where either factor has one level only.
    """
    table, rows = scored.table, []
    for factor, other in (("loss", "structure"), ("structure", "loss")):
        names, others = table[factor].unique(), table[other].unique()
        reference = "cross_entropy" if "cross_entropy" in names else names[0]
        for within in (OF_ALL, *(others if len(others) > 1 else ())):
            here = table[other].eq(within) | (within == OF_ALL)
            for name in names[names != reference]:
                found = difference(scored, here & table[factor].eq(name), here & table[factor].eq(reference))
                about = {"factor": factor, "name": name, "reference": reference, "within": within}
                rows.append(about | _bounds(found, ("difference", "low", "high")))
    columns = ["factor", "name", "reference", "within", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _by_validation(scored: Scored, factor: str) -> list[str]:
    """The levels of ``factor``, by their mean validation accuracy over everything else, the best first."""
    means = scored.table.groupby(factor, sort=False)["valid_accuracy"].mean()
    return list(means.sort_values(ascending=False, kind="stable").index)


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
    ``interaction_share``, ``seed_share``: see ``contrasts.variance_shares``.
    """
    table = scored.table
    structure, loss = chosen_pair(scored)
    weights = scored.weights(table["structure"].eq(structure) & table["loss"].eq(loss))
    settings = {"tolerance": RERUN_TOLERANCE}
    effects = {}
    for factor in CONDITION:
        best, *_, worst = [*_by_validation(scored, factor)] * 2
        ends = (scored.weights(table[factor].eq(level)) for level in (best, worst))
        effects[factor] = np.subtract(*ends)
    pair = effects["structure"], effects["loss"]
    count = {"trainings": len(table), "structures": table["structure"].nunique()}
    count |= {"losses": table["loss"].nunique(), "seeds": table["seed"].nunique()}
    freedom = f"pooled over all conditions, {scored.freedom} degrees of freedom"
    return {
        **{name: Estimate(value, unit="count") for name, value in count.items()},
        "majority_accuracy": Estimate(
            majority_share(faces, classes, "test"), n=scored.pictures, unit="share"
        ),
        "test_accuracy": contrast(scored, weights, **settings),
        "macro_f1": contrast(scored, weights, "macro_f1", **settings),
        "structure_effect": contrast(scored, pair[0], unit="", **settings),
        "loss_effect": contrast(scored, pair[1], unit="", **settings),
        "effect_difference": contrast(scored, pair[0] - pair[1], unit="", **settings),
        "seed_spread": Estimate(
            POINTS * scored.spread["accuracy"], why=freedom, tolerance=POINTS * RERUN_TOLERANCE
        ),
        **{f"{part}_share": share for part, share in variance_shares(scored, tolerance=0.5).items()},
    }


def answer(metrics: dict[str, dict]) -> str:
    """Whether structure or loss matters more, in words, from the ``metrics`` of ``study_metrics`` as stored."""
    structures, losses = (round(metrics[name]["value"]) for name in ("structures", "losses"))
    if min(structures, losses) < 2:
        return "With one structure or one loss only, this run cannot say which of the two matters more."
    gap = metrics["effect_difference"]
    # A ranking that the test split turns round is no gain from choosing, however clear the difference.
    if _above_zero(gap) and _above_zero(metrics["structure_effect"]):
        verdict = "Here structure matters more than loss"
    elif _below_zero(gap) and _above_zero(metrics["loss_effect"]):
        verdict = "Here loss matters more than structure"
    else:
        verdict = "Here this study cannot tell whether structure or loss matters more"
    return (
        f"{verdict}: of the {structures} structures the one that validation prefers does better on the test "
        "split than the one it likes "
        f"least by {_points(metrics['structure_effect'])}; of the {losses} losses, by "
        f"{_points(metrics['loss_effect'])}. "
        f"The first minus the second is {_points(gap)}."
    )


def _above_zero(metric: dict) -> bool:
    return metric["low"] is not None and metric["low"] > 0


def _below_zero(metric: dict) -> bool:
    return metric["high"] is not None and metric["high"] < 0


def _points(metric: dict) -> str:
    """``+5.1 points (95 % interval 2.0 to 8.1)``."""
    bounds = "no interval"
    if metric["low"] is not None:
        bounds = f"95{NO_BREAK}% interval {metric['low']:.1f} to {metric['high']:.1f}"
    return f"{metric['value']:+.1f} points ({bounds})".replace("-", "−")


def variance_table(metrics: dict[str, dict]) -> pd.DataFrame:
    """One row per part of the variance: ``part``, ``share``, ``low``, ``high`` (NaN where there is no
    interval).
    """
    rows = []
    for part in PARTS:
        metric = metrics[f"{part}_share"]
        bounds = {n: np.nan if metric[n] is None else metric[n] for n in ("low", "high")}
        rows.append({"part": part, "share": metric["value"], **bounds})
    return pd.DataFrame(rows)


def score_ladder(
    ladder: Ladder, faces: FaceSet, classes: tuple[str, ...], *, draws: int = 2000, seed: int = 0
) -> Scored:
    """The ladder's networks with their scores on the validation split."""
    return _scored(ladder.table, ladder.valid, faces.split("valid"), classes, ["rung"], draws, seed)


def ladder_table(ladder: Ladder, scored: Scored) -> pd.DataFrame:
    """One row per rung: ``rung``, ``name``, ``adds``, ``networks`` scored, ``parameters``, ``epoch_seconds``,
    ``macro_f1``; ``accuracy``, ``low``, ``high`` (shares of the validation split); ``step``, ``step_low``,
    ``step_high``: what it adds to the rung below, in points.

    All but the first have a step. Where the networks are those of the rung below, its interval covers the
    pictures only.
    """
    rows = []
    of_rung = scored.table["rung"]
    for number, rung in enumerate(ladder.rungs):
        here = of_rung.eq(number)
        own = scored.table[here]
        step = {"step": np.nan, "step_low": np.nan, "step_high": np.nan}
        if number:
            kept = not own["trained"].iloc[0]
            found = difference(scored, here, of_rung.eq(number - 1), same_networks=kept)
            step = _bounds(found, tuple(step))
        rows.append(
            {
                "rung": number,
                "name": rung.name,
                "adds": rung.adds,
                "networks": len(own),
                "parameters": rung.networks * own["parameters"].iloc[0],
                "epoch_seconds": own["epoch_seconds"].median(),
                "macro_f1": own["macro_f1"].mean(),
                **_bounds(contrast(scored, scored.weights(here)), ("accuracy", "low", "high")),
                **step,
            }
        )
    return pd.DataFrame(rows)


def ladder_metrics(
    ladder: Ladder,
    scored: Scored,
    faces: FaceSet,
    classes: tuple[str, ...],
    *,
    draws: int = 2000,
    seed: int = 0,
) -> dict[str, Estimate]:
    """``ladder_first`` and ``ladder_last``: validation accuracy of the lowest and highest rung;
    ``ladder_gain`` from the one to the other (points); ``ladder_test_accuracy`` and ``ladder_test_macro_f1``:
    the last rung on the test split, which nothing has seen before."""
    of_rung = scored.table["rung"]
    first, last = of_rung.eq(0), of_rung.eq(len(ladder.rungs) - 1)
    top = ladder.table[ladder.table["rung"].eq(len(ladder.rungs) - 1)]
    read = _scored(top, ladder.test, faces.split("test"), classes, ["rung"], draws, seed)
    whole = read.weights(np.ones(len(top)))
    settings = {"tolerance": RERUN_TOLERANCE}
    return {
        "ladder_first": contrast(scored, scored.weights(first), **settings),
        "ladder_last": contrast(scored, scored.weights(last), **settings),
        "ladder_gain": difference(scored, last, first, **settings),
        "ladder_test_accuracy": contrast(read, whole, same_networks=True, **settings),
        "ladder_test_macro_f1": contrast(read, whole, "macro_f1", same_networks=True, **settings),
    }


def ladder_answer(metrics: dict[str, dict], table: pd.DataFrame) -> str:
    """Where the ladder leads, in words; ``metrics`` as stored, ``table`` from ``ladder_table``."""
    climbed = table.dropna(subset="step").sort_values("step", ascending=False, kind="stable")
    sure = list(climbed.loc[climbed["step_low"] > 0, "name"])
    said = (
        f"Of its {len(climbed)} steps those with an interval above zero are: {', '.join(sure)}."
        if sure
        else (f"None of its {len(climbed)} steps alone has an interval above zero.")
    )
    return (
        f"From {interval_text(metrics['ladder_first'])} to {interval_text(metrics['ladder_last'])} of the "
        "validation split. "
        f"{said} The last rung on the test split: {interval_text(metrics['ladder_test_accuracy'])}."
    )


def label_table(study: LabelStudy, *, draws: int = 2000, seed: int = 0) -> pd.DataFrame:
    """One row per labelling to learn from and labelling to be tested by: ``learned``, ``tested``,
    ``trainings``, ``accuracy``, ``low``, ``high``, ``macro_f1``.

    The bootstrap draws subjects, or groups of equal pictures; the networks and the pictures are the same in
    both tests.
    """
    rows = []
    for tested, pictures in study.tests.items():
        scored = _scored(study.table, study.probabilities, pictures, study.classes, ["learned"], draws, seed)
        for learned, part in scored.table.groupby("learned", sort=False):
            weights = scored.weights(scored.table.index.isin(part.index))
            rows.append(
                {
                    "learned": learned,
                    "tested": tested,
                    "trainings": len(part),
                    **_bounds(contrast(scored, weights), ("accuracy", "low", "high")),
                    "macro_f1": part["macro_f1"].mean(),
                }
            )
    return pd.DataFrame(rows)


_BOUNDED = (
    ("accuracy", "accuracy_low", "accuracy_high"),
    ("accuracy", "low", "high"),
    ("macro_f1", "macro_f1_low", "macro_f1_high"),
    ("step", "step_low", "step_high"),
)
PAGE_FORMATS = {
    **dict.fromkeys(("valid_accuracy", "macro_f1"), "share"),
    **dict.fromkeys(("parameters", "macs"), "count"),
    "epoch_seconds": "seconds",
}
"""How ``for_page`` leaves numbers to be shown, for ``Session.show_table``."""


def for_page(table: pd.DataFrame) -> pd.DataFrame:
    """``table`` with each estimate and its bounds as one text, ``61.2 % (58.0–64.1)``, steps in points, and
    without what the page shows elsewhere.
    """
    table = table.drop(columns=["rung", "trainings", "networks"], errors="ignore")
    for value, low, high in _BOUNDED:
        if {value, low, high} <= set(table):
            cells = [_bounded(*cell, points=value == "step") for cell in table[[value, low, high]].to_numpy()]
            table = table.assign(**{value: cells}).drop(columns=[low, high])
    return table.rename(columns={"step": "step (points)"})


def _bounded(value: float, low: float, high: float, points: bool) -> str | None:
    """One estimate as text; None, which a table shows as a dash, where there is none."""
    if np.isnan(value):
        return None
    if points:
        text, bounds = f"{value:+.1f}", f"{low:.1f} to {high:.1f}"
    else:
        text, bounds = number_text(value, "share"), f"{POINTS * low:.1f}–{POINTS * high:.1f}"
    return (text if np.isnan(low) else f"{text} ({bounds})").replace("-", "−")


_SUMMARY = {
    "structure_effect": "from the worst to the best structure, as validation ranks them (points)",
    "loss_effect": "from the worst to the best loss, as validation ranks them (points)",
    "effect_difference": "the first minus the second (points)",
    "seed_spread": "standard deviation between seeds of one condition (points)",
    "test_accuracy": "test split: the pair that validation prefers",
    "macro_f1": "test split: its macro F1",
    "majority_accuracy": "test split: always the commonest class",
    "ladder_first": "validation split: lowest rung of the ladder",
    "ladder_last": "validation split: highest rung",
    "ladder_test_accuracy": "test split: highest rung",
    "ladder_test_macro_f1": "test split: its macro F1",
}


def summary_names(metrics: dict[str, dict]) -> dict[str, str]:
    """Name -> what it is, of those of the page's main ``metrics`` that there are, for
    ``tables.records_table``.
    """
    return {name: words for name, words in _SUMMARY.items() if name in metrics}
