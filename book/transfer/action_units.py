"""Which action units a network that learned expressions detects: tables, metrics, and the answer in words."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fer_lib.aus.cross_task import (
    CHOSEN,
    CONDITIONS,
    EMOTION,
    FROZEN,
    HOG,
    SCRATCH,
    TUNED,
    UNTRAINED,
    CrossTask,
)
from fer_lib.aus.heads import MACRO
from fer_lib.stats.resampling import RERUN_TOLERANCE
from ferbook.estimate import Estimate
from ferbook.page.style import listing

SHORT = {
    FROZEN: "frozen",
    TUNED: "tuned",
    SCRATCH: "scratch",
    UNTRAINED: "untrained",
    HOG: "hog",
    EMOTION: "emotion",
}
"""Condition -> its name in metrics."""

METHOD = "95 % expanded percentile bootstrap over subjects; the seeds are not covered"


def headline(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``aus.cross_task.CrossTask.table`` that stand for their condition: where there are layers,
    the chosen one of each unit.
    """
    return table[table["layer"].isin(("", CHOSEN))].reset_index(drop=True)


def macro_table(found: CrossTask) -> pd.DataFrame:
    """Macro means, a row per condition and layer, for ``figures.macro_dots``: ``condition``, ``layer`` (empty
    or ``CHOSEN`` where the row stands for its condition), ``auroc``, ``low``, ``high``.
    """
    macro = found.table[found.table["au"].eq(MACRO)]
    named = {"auroc": "auroc", "auroc_low": "low", "auroc_high": "high"}
    return macro[["condition", "layer", *named]].rename(columns=named).reset_index(drop=True)


def unit_scores(found: CrossTask) -> pd.DataFrame:
    """AUROC of each condition on each unit and in the mean, for ``figures.unit_map``: ``row`` (the
    condition), ``au``, ``auroc``, ``low``, ``high``, ``positives``, ``framed`` (all false).
    """
    rows = headline(found.table)
    rows = rows[rows["au"].isin((*found.aus, MACRO))]
    return _cells(rows, rows["condition"]).assign(framed=False)


def layer_scores(found: CrossTask, best: pd.DataFrame) -> pd.DataFrame:
    """As ``unit_scores`` for each layer of the expression network; ``framed``: the layer that the validation
    pictures choose. ``best`` from ``aus.cross_task.best_layer``.
    """
    rows = found.table[found.table["condition"].eq(FROZEN) & found.table["layer"].ne(CHOSEN)]
    rows = rows[rows["au"].isin((*found.aus, MACRO))]
    chosen = set(zip(best["layer"], best["au"], strict=True))
    framed = [pair in chosen for pair in zip(rows["layer"], rows["au"], strict=True)]
    return _cells(rows, rows["layer"]).assign(framed=framed)


def _cells(rows: pd.DataFrame, names: pd.Series) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "row": names.to_numpy(),
            "au": rows["au"].to_numpy(),
            "auroc": rows["auroc"].to_numpy(),
            "low": rows["auroc_low"].to_numpy(),
            "high": rows["auroc_high"].to_numpy(),
            "positives": rows["positives"].astype("Float64").to_numpy(np.float64, na_value=np.nan),
        }
    )


def condition_table(found: CrossTask) -> pd.DataFrame:
    """Macro means for the page, a row per condition: ``detector``, ``AUROC`` with its interval, average
    precision, F1 at the chosen threshold and as if units were shown in half of the pictures, and what lies
    over the untrained network and over HOG, as text.
    """
    macro = headline(found.table)
    macro = macro[macro["au"].eq(MACRO)]
    return pd.DataFrame(
        {
            "detector": [f"{row.condition}: {CONDITIONS[row.condition]}" for row in macro.itertuples()],
            "AUROC": [_bounded(row.auroc, row.auroc_low, row.auroc_high) for row in macro.itertuples()],
            "average precision": [f"{value:.2f}" for value in macro["average_precision"]],
            "F1": [f"{value:.2f}" for value in macro["f1"]],
            "F1, skew-normalised": [f"{value:.2f}" for value in macro["f1_skew"]],
            "over untrained": [_gap(macro, "over_untrained", row) for row in range(len(macro))],
            "over HOG": [_gap(macro, "over_hog", row) for row in range(len(macro))],
        }
    )


def _gap(macro: pd.DataFrame, name: str, row: int) -> str | None:
    value, low, high = (macro[f"{name}{end}"].iloc[row] for end in ("", "_low", "_high"))
    return None if np.isnan(value) else _bounded(value, low, high, "+")


def _bounded(value: float, low: float, high: float, sign: str = "") -> str:
    text = f"{value:{sign}.3f}"
    if not np.isnan(low):
        text += f" ({low:.3f} to {high:.3f})"
    return text.replace("-", "−")


def unit_metrics(found: CrossTask) -> dict[str, Estimate]:
    """Macro means of the AUROC: ``au_auroc_frozen`` (each unit from its chosen layer), ``…_tuned``,
    ``…_scratch``, ``…_untrained``, ``…_hog``, ``…_emotion``.

    ``au_frozen_over_untrained``, ``au_frozen_over_hog``: paired differences; ``au_scored`` and
    ``au_too_few``: units; ``au_beyond_untrained``: units whose frozen AUROC lies above the untrained
    network's with an interval above zero.
    """
    rows = headline(found.table)
    macro = rows[rows["au"].eq(MACRO)].set_index("condition")
    frozen = rows[rows["condition"].eq(FROZEN) & rows["au"].isin(found.aus)]
    n = int(frozen["n"].max())
    metrics = {
        "au_scored": Estimate(len(found.aus), unit="count"),
        "au_too_few": Estimate(len(found.too_few), unit="count"),
        "au_beyond_untrained": Estimate(
            frozen["over_untrained_low"].gt(0).sum(), unit="count", tolerance=len(found.aus)
        ),
    }
    for condition, name in SHORT.items():
        metrics[f"au_auroc_{name}"] = _metric(macro.loc[condition], "auroc", n)
    for rival in ("untrained", "hog"):
        metrics[f"au_frozen_over_{rival}"] = _metric(macro.loc[FROZEN], f"over_{rival}", n)
    return metrics


def _metric(row: pd.Series, name: str, n: int) -> Estimate:
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    return Estimate.bounded(value, low, high, how=METHOD, n=n, tolerance=2 * RERUN_TOLERANCE)


def unit_answer(found: CrossTask, best: pd.DataFrame, metrics: Mapping[str, Mapping]) -> str:
    """What an expression network knows of action units, in words, from its ``metrics`` as stored."""

    def auroc(name: str) -> str:
        return f"{metrics[f'au_auroc_{name}']['value']:.3f}"

    gap = metrics["au_frozen_over_untrained"]
    said = (
        f"Linear heads on the expression network's features detect {len(found.aus)} action units with a "
        f"mean AUROC of {auroc('frozen')}; on an untrained network's, "
        f"{auroc('untrained')}; on HOG, {auroc('hog')}. Networks that learned the units reach "
        f"{auroc('tuned')} (trained on, from expressions) "
        f"and {auroc('scratch')} (from scratch)."
    )
    if gap["low"] is not None and gap["low"] > 0:
        said += " What was learned from emotions helps to see action units, beyond what the structure sees anyway."
    elif gap["high"] is not None and gap["high"] < 0:
        said += (
            " What was learned from emotions sees action units less well than the untrained structure does."
        )
    else:
        said += " That learning emotions helps to see action units, beyond what the untrained structure sees, is not shown."
    alone, frozen = (metrics[f"au_auroc_{name}"]["value"] for name in ("emotion", "frozen"))
    said += f" Who is told the true emotion and never sees the picture reaches {auroc('emotion')}" + (
        ": that much can be had without seeing a single unit."
        if alone >= frozen
        else ", which is less: the features say more of units than the emotion does."
    )
    counts = best["layer"].value_counts()
    carried = [f"{name} ({number})" for name, number in counts.items()]
    return f"{said} The layers that carry most of them, as validation chooses: {listing(carried)}."
