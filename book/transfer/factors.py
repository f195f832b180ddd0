"""What breaks transfer: networks' accuracy on faces between two domains, of which one factor at a time was
switched.

What breaks transfer, factor by factor: the table of the figure, metrics, and the answer in words.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn

from book.transfer.page import points_text
from book.transfer.study import TransferStudy
from fer_lib.faces.faceset import FaceSet
from fer_lib.stats.contrasts import POINTS
from fer_lib.stats.resampling import RERUN_TOLERANCE, bounds, cluster_sums, ratio, resampled_sums
from fer_lib.train.predict import predict
from ferbook.errors import DataError, ParameterError
from ferbook.estimate import Estimate
from ferbook.page.style import listing
from synthetic_faces.mix import FACTORS


def factor_drops(
    models: Sequence[nn.Module],
    classes: tuple[str, ...],
    faces: FaceSet,
    *,
    draws: int = 2000,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> pd.DataFrame:
    """One row per condition of ``faces``, as ``synthetic_faces.mix.factor_faces`` makes them: what ``models``
    name rightly.

    ``condition``, ``factor``, ``direction``; ``n`` pictures; ``accuracy`` (share, the mean over the
    ``models``, which differ in their seed) with ``low`` and ``high``; ``difference``, in shares: of a
    condition with a factor more, or with all, to the one with none; of a condition with a factor less to the
    one with all. ``difference_low`` and ``difference_high``: its 95 % interval over draws of people, who are
    the same in both conditions; ``interval`` says how, or why there is none (the bounds are then NaN). The
    luck of the seeds is not covered.

    The models answer with any of ``classes``. Pictures of another emotion are left out. Raises DataError
    where fewer than two of ``classes`` are shown, and for faces that are not paired over conditions;
    ParameterError without a model.
    """
    if not models:
        raise ParameterError("factor_drops needs at least one network")
    kinds, paired = _paired(faces, classes)
    labels = paired.labels(classes)
    right = np.mean(
        [predict(model, paired, device=device).argmax(axis=1) == labels for model in models], axis=0
    )
    by_picture = right.reshape(len(kinds), -1).T
    subjects = paired.table["subject"].to_numpy()[: len(by_picture)]
    # What each person adds: rightly named pictures under each condition, and pictures.
    sums = cluster_sums(np.column_stack([by_picture, np.ones(len(by_picture))]), subjects)
    none, every = (kinds.index[kinds["direction"] == end].item() for end in ("none", "all"))
    rows = []
    for k, kind in kinds.iterrows():
        against = every if kind["direction"] == "remove" else none
        own = sums[:, [k, against, -1]]
        accuracy, lost = by_picture[:, k].mean(), by_picture[:, k].mean() - by_picture[:, against].mean()
        drawn = resampled_sums(own, draws, seed)
        low, high = bounds(ratio(drawn[:, ::2]), len(own), accuracy)
        apart = bounds((drawn[:, 0] - drawn[:, 1]) / drawn[:, 2], len(own), lost)
        rows.append(
            {
                **kind,
                "n": len(by_picture),
                "accuracy": accuracy,
                "low": low,
                "high": high,
                "difference": lost,
                "difference_low": apart[0],
                "difference_high": apart[1],
                "interval": f"95 % expanded percentile bootstrap, {draws} draws of {len(own)} people",
            }
        )
    return pd.DataFrame(rows)


def _paired(faces: FaceSet, classes: tuple[str, ...]) -> tuple[pd.DataFrame, FaceSet]:
    """The conditions in their order, and the pictures of ``classes``, condition by condition, in one order of
    pictures.
    """
    about = ["condition", "factor", "direction"]
    absent = [column for column in about if column not in faces.table]
    if absent:
        raise DataError(f"face set {faces.name!r} has no column {absent[0]!r}; give what factor_faces makes")
    chosen = faces.select(faces.table["emotion"].isin(classes).to_numpy())
    if len(chosen.classes) < 2:
        raise DataError(
            f"face set {faces.name!r} shows {len(chosen.classes)} of the classes {', '.join(classes)}; at "
            "least 2 are needed"
        )
    kinds = chosen.table[about].drop_duplicates(ignore_index=True)
    who = chosen.table[["subject", "emotion"]].to_numpy()
    pictures = len(chosen) // len(kinds)
    repeated = np.tile(who[:pictures], (len(kinds), 1))
    order = np.repeat(kinds["condition"], pictures).to_numpy()
    ends = sorted(set(kinds["direction"]) & {"none", "all"})
    if (
        len(repeated) != len(who)
        or (repeated != who).any()
        or (order != chosen.table["condition"]).any()
        or len(ends) < 2
    ):
        raise DataError(
            f"face set {faces.name!r}: its conditions do not hold the same people and emotions in the same "
            "order; give what "
            "factor_faces makes, whole"
        )
    return kinds, chosen


def networks_by_source(study: TransferStudy, first: str) -> dict[str, list[nn.Module]]:
    """What a network of ``study`` learned from -> the networks of all seeds that did, of single sets only;
    ``first`` before the others, where it is among them.
    """
    names = sorted(study.sets, key=lambda name: name != first)
    return {name: [model for (own, _), model in study.networks.items() if own == name] for name in names}


def factor_table(found: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The tables of ``transfer.factors.factor_drops`` by what the network learned from, one below the other,
    for ``figures.factor_dots``.

    ``network``, ``factor``, ``direction``, ``accuracy`` (share); ``difference``, ``low``, ``high`` in points.
    The condition without any factor, which is compared with itself, has no row.
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


def factor_metrics(found: Mapping[str, pd.DataFrame]) -> dict[str, Estimate]:
    """Of the first network: ``factor_base_accuracy`` with no factor switched, ``factor_all_drop`` with all,
    in points, and ``factor_worst_drop``, that of the factor which alone lowers its accuracy most."""
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


def _metric(value: float, low: float, high: float, row: pd.Series, scale: int) -> Estimate:
    settings = {"unit": "share" if scale == 1 else "", "tolerance": 2 * scale * RERUN_TOLERANCE}
    ends = (scale * number for number in (value, low, high))
    return Estimate.bounded(*ends, how=row["interval"], n=row["n"], **settings)


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
        f"From {base} to {other} faces of the same people, the accuracy of the network that learned from "
        f"{name} changes by "
        f"{points_text(metrics['factor_all_drop'])}. {said}"
    )
