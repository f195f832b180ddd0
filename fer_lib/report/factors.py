"""What breaks transfer, factor by factor: the table of the figure, metrics, and the answer in words."""

from collections.abc import Mapping

import pandas as pd
from torch import nn

from fer_lib.faces.synthetic.factors import FACTORS
from fer_lib.learn.transfer import TransferStudy
from fer_lib.report.contrasts import POINTS
from fer_lib.report.evaluation import RERUN_TOLERANCE
from fer_lib.report.figures.style import listing
from fer_lib.report.metrics import Metric
from fer_lib.report.transfer import points_text


def networks_by_source(study: TransferStudy, first: str) -> dict[str, list[nn.Module]]:
    """What a network of ``study`` learned from -> the networks of all seeds that did, of single sets only; ``first`` before the others, where it is among them."""
    names = sorted(study.sets, key=lambda name: name != first)
    return {name: [model for (own, _), model in study.networks.items() if own == name] for name in names}


def factor_table(found: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The tables of ``learn.factors.factor_drops`` by what the network learned from, one below the other, for ``figures.factor_dots``.

    ``network``, ``factor``, ``direction``, ``accuracy`` (share); ``difference``, ``low``, ``high`` in points. The condition without any factor, which is compared with itself, has no row.
    """
    parts = []
    for name, table in found.items():
        rows = table[table["direction"].ne("none")]
        parts.append(
            pd.DataFrame(
                {
                    "network": name,
                    **{column: rows[column] for column in ("factor", "direction", "accuracy")},
                    "difference": POINTS * rows["difference"],
                    "low": POINTS * rows["difference_low"],
                    "high": POINTS * rows["difference_high"],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def about_factors() -> pd.DataFrame:
    """Every factor and what it is, for readers: ``factor``, ``what differs``."""
    return pd.DataFrame([{"factor": name, "what differs": factor.title} for name, factor in FACTORS.items()])


def factor_metrics(found: Mapping[str, pd.DataFrame]) -> dict[str, Metric]:
    """Of the first network: ``factor_base_accuracy`` with no factor switched, ``factor_all_drop`` with all, in points, and ``factor_worst_drop``, that of the
    factor which alone lowers its accuracy most."""
    table = next(iter(found.values()))
    kind = table["direction"]
    alone = table[kind.eq("add")]
    base = table[kind.eq("none")].iloc[0]
    rows = {
        "factor_all_drop": table[kind.eq("all")].iloc[0],
        "factor_worst_drop": alone.loc[alone["difference"].idxmin()],
    }
    metrics = {"factor_base_accuracy": _metric(base["accuracy"], base["low"], base["high"], base, 1)}
    for name, row in rows.items():
        metrics[name] = _metric(row["difference"], row["difference_low"], row["difference_high"], row, POINTS)
    return metrics


def _metric(value: float, low: float, high: float, row: pd.Series, scale: int) -> Metric:
    ends = (
        (None, None) if pd.isna(low) else (min(scale * low, scale * value), max(scale * high, scale * value))
    )
    how = row["interval"] if not pd.isna(low) else "none: all draws of the people give the same value"
    return Metric(
        scale * value, *ends, row["n"], how, "share" if scale == 1 else "", 2 * scale * RERUN_TOLERANCE
    )


def factor_answer(
    found: Mapping[str, pd.DataFrame], metrics: Mapping[str, Mapping], base: str, other: str
) -> str:
    """Which factors between the domains ``base`` and ``other`` cost the first network how much, in words."""
    name, table = next(iter(found.items()))
    alone = table[table["direction"].eq("add")].sort_values("difference")
    sure = [
        f"{row.factor} ({POINTS * row.difference:.1f})".replace("-", "−")
        for row in alone.itertuples()
        if row.difference_high < 0
    ]
    said = (
        f"Alone, these lower it, with an interval below zero: {listing(sure)}."
        if sure
        else "No factor alone lowers it with an interval below zero."
    )
    return (
        f"From {base} to {other} faces of the same people, the accuracy of the network that learned from {name} changes by "
        f"{points_text(metrics['factor_all_drop'])}. {said}"
    )
