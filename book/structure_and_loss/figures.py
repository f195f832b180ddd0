"""Figures of a study of structures and losses."""

from book.structure_and_loss.study import MOVES, OF_ALL, condition_table
from fer_lib.stats.contrasts import Scored
from ferbook.page.forest import forest
from ferbook.page.style import Drawn, percent
from ferbook.page.tables import Table


def plain_name(name: str) -> str:
    """``cross_entropy`` as ``cross entropy``."""
    return name.replace("_", " ")


def conditions(scored: Scored, null: float) -> Drawn:
    """Accuracy of each structure with each loss, mean over the seeds with its interval; strokes are single
    trainings. ``null``: a share, always the commonest class. Data: one row per training with ``structure``
    and ``loss`` (places, from 0), ``seed``, ``accuracy`` and, of its condition, ``mean``, ``low``, ``high``.
    """
    means = condition_table(scored).stored()
    means = means.rename(columns={"accuracy": "value", "accuracy_low": "low", "accuracy_high": "high"})
    means = means.astype({"low": float, "high": float})
    names = {each: list(means[each].unique()) for each in ("structure", "loss")}
    own = scored.table[["structure", "loss", "seed", "accuracy"]]
    of_mean = means.rename(columns={"value": "mean"})[["structure", "loss", "mean", "low", "high"]]
    data = own.merge(of_mean, on=["structure", "loss"])
    rows = means.assign(group=means["structure"].map(plain_name), label=means["loss"].map(plain_name))
    strokes = own.rename(columns={"accuracy": "value"})
    return forest(
        rows.assign(note=[f"{100 * value:.1f} %" for value in rows["value"]]),
        measured="accuracy on the test split, with its 95 % interval",
        null=null,
        null_name=f"always the commonest class: {percent(null)}",
        strokes=strokes.assign(
            group=strokes["structure"].map(plain_name), label=strokes["loss"].map(plain_name)
        ),
        alt="Dots with intervals: accuracy of each structure with each loss.",
        caption="Strokes are single trainings.",
        tolerance=dict.fromkeys(("accuracy", "mean", "low", "high"), MOVES["accuracy"]),
        data=data.assign(**{each: data[each].map(names[each].index) for each in names}),
    )


def paired_differences(table: Table) -> Drawn:
    """Differences in points with their intervals, from ``study.differences``: left the losses against one of
    them, right the structures against one of them; below each mean over the levels of the other factor, small
    and grey, the single levels. Data: the table's columns with ``low`` and ``high``.
    """
    data = table.stored().rename(columns={"difference_low": "low", "difference_high": "high"})
    data = data.astype({"low": float, "high": float})
    of_all = data["within"].eq(OF_ALL)
    against = data["factor"] + " against " + data["reference"].map(plain_name)
    rows = data.assign(panel=against, group=data["name"].map(plain_name), value=data["difference"])
    rows = rows.assign(label=data["within"].mask(of_all, "mean").map(plain_name), minor=~of_all)
    together = rows.groupby(["panel", "group"], sort=False).ngroup()
    clear = int((data["low"].gt(0) | data["high"].lt(0)).sum())
    return forest(
        rows.loc[together.sort_values(kind="stable").index],
        measured="difference in accuracy (percentage points)",
        unit="points",
        null=0,
        alt=f"Dots with intervals beside a line at zero; of all {len(data)} {clear} leave out zero.",
        tolerance=dict.fromkeys(("difference", "low", "high"), MOVES["difference"]),
        data=data,
    )
