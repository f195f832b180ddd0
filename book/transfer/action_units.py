"""Which action units a network that learned expressions detects: tables and metrics."""

import numpy as np
import pandas as pd

from fer_lib.aus.cross_task import CHOSEN, CONDITIONS, FROZEN, CrossTask
from fer_lib.aus.heads import MACRO
from fer_lib.stats.resampling import RERUN_TOLERANCE
from ferbook.estimate import Estimate
from ferbook.page.tables import Table

_METRICS = ("frozen", "tuned", "scratch", "untrained", "hog", "emotion")
SHORT = dict(zip(CONDITIONS, _METRICS, strict=True))
"""Condition -> its name in metrics."""

METHOD = "95 % expanded percentile bootstrap over subjects; the seeds are not covered"

BOUNDS = {"auroc_low": "low", "auroc_high": "high"}

MEASURES = {"average_precision": "average precision", "f1": "F1", "f1_skew": "F1, skew-normalised"}


def headline(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``aus.cross_task.CrossTask.table`` that stand for their condition: where there are layers,
    the chosen one of each unit.
    """
    return table[table["layer"].isin(("", CHOSEN))].reset_index(drop=True)


def macro_table(found: CrossTask) -> pd.DataFrame:
    """Macro means, a row per condition and layer, for ``figures.macro_dots``: ``condition``, ``layer`` (empty
    or ``CHOSEN`` where the row stands for its condition), ``auroc``, ``low``, ``high``.
    """
    macro = found.table[found.table["au"].eq(MACRO)].rename(columns=BOUNDS)
    return macro[["condition", "layer", "auroc", "low", "high"]].reset_index(drop=True)


def condition_scores(found: CrossTask) -> pd.DataFrame:
    """AUROC of each condition on each unit and in the mean, for ``shared_figures.unit_map``: ``row`` (the
    condition), ``au``, ``auroc``, ``low``, ``high``, ``positives``, ``framed`` (all false).
    """
    return _cells(found, headline(found.table), "condition").assign(framed=False)


def layer_scores(found: CrossTask, best: pd.DataFrame) -> pd.DataFrame:
    """As ``condition_scores`` for each layer of the expression network; ``framed``: the layer that the
    validation pictures choose. ``best`` from ``aus.cross_task.best_layer``.
    """
    layers = found.table[found.table["condition"].eq(FROZEN) & found.table["layer"].ne(CHOSEN)]
    cells = _cells(found, layers, "layer")
    chosen = pd.MultiIndex.from_frame(best[["layer", "au"]])
    return cells.assign(framed=pd.MultiIndex.from_frame(cells[["row", "au"]]).isin(chosen))


def _cells(found: CrossTask, rows: pd.DataFrame, names: str) -> pd.DataFrame:
    drawn = rows[rows["au"].isin((*found.aus, MACRO))].rename(columns={names: "row", **BOUNDS})
    cells = drawn[["row", "au", "auroc", "low", "high", "positives"]]
    return cells.astype({"positives": float}).reset_index(drop=True)


def condition_table(found: CrossTask) -> Table:
    """Macro means for the page, a row per condition: ``detector``; estimates of the ``AUROC`` and of what it
    lies over the untrained network's and HOG's; average precision, F1 at the chosen threshold and as if units
    were shown in half of the pictures.
    """
    macro, n = _macro(found)
    estimates = {"AUROC": "auroc", "over untrained": "over_untrained", "over HOG": "over_hog"}
    rows = [
        {
            "detector": f"{condition}: {CONDITIONS[condition]}",
            **{name: _estimate(row, column, n) for name, column in estimates.items()},
            **{name: row[column] for column, name in MEASURES.items()},
        }
        for condition, row in macro.iterrows()
    ]
    return Table(pd.DataFrame(rows), "Means over the units, with 95 % intervals over people", tolerance=0.2)


def _macro(found: CrossTask) -> tuple[pd.DataFrame, int]:
    """The macro means, a row per condition; and of how many pictures."""
    rows = headline(found.table)
    macro = rows[rows["au"].eq(MACRO)].set_index("condition")
    return macro, int(rows.loc[rows["au"].isin(found.aus), "n"].max())


def _estimate(row: pd.Series, name: str, n: int) -> Estimate | None:
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    if np.isnan(value):
        return None
    return Estimate.bounded(value, low, high, how=METHOD, n=n, tolerance=2 * RERUN_TOLERANCE)


def unit_metrics(found: CrossTask) -> dict[str, Estimate]:
    """Macro means of the AUROC: ``au_auroc_frozen`` (each unit from its chosen layer), ``…_tuned``,
    ``…_scratch``, ``…_untrained``, ``…_hog``, ``…_emotion``.

    ``au_frozen_over_untrained``, ``au_frozen_over_hog``: paired differences; ``au_scored`` and
    ``au_too_few``: units; ``au_beyond_untrained``: units whose frozen AUROC lies above the untrained
    network's with an interval above zero.
    """
    macro, n = _macro(found)
    rows = headline(found.table)
    frozen = rows[rows["condition"].eq(FROZEN) & rows["au"].isin(found.aus)]
    return {
        "au_scored": Estimate(len(found.aus), unit="count"),
        "au_too_few": Estimate(len(found.too_few), unit="count"),
        "au_beyond_untrained": Estimate(
            frozen["over_untrained_low"].gt(0).sum(), unit="count", tolerance=len(found.aus)
        ),
        **{f"au_auroc_{name}": _estimate(macro.loc[of], "auroc", n) for of, name in SHORT.items()},
        **{
            f"au_frozen_over_{rival}": _estimate(macro.loc[FROZEN], f"over_{rival}", n)
            for rival in ("untrained", "hog")
        },
    }
