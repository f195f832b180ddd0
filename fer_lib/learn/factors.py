"""What breaks transfer: networks' accuracy on faces between two domains, of which one factor at a time was switched."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn

from fer_lib.errors import DataError, ParameterError
from fer_lib.faces.faceset import FaceSet
from fer_lib.learn.test_time import predict
from fer_lib.resampling import Interval, bootstrap_interval, cluster_sums


def factor_drops(
    models: Sequence[nn.Module],
    classes: tuple[str, ...],
    faces: FaceSet,
    *,
    draws: int = 2000,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> pd.DataFrame:
    """One row per condition of ``faces``, as ``faces.synthetic.factors.factor_faces`` makes them: what ``models`` name rightly.

    ``condition``, ``factor``, ``direction``; ``n`` pictures; ``accuracy`` (share, the mean over the ``models``, which differ in their seed) with ``low`` and
    ``high``; ``difference``, in shares: of a condition with a factor more, or with all, to the one with none; of a condition with a
    factor less to the one with all. ``difference_low`` and ``difference_high``: its 95 % interval over draws of people, who are the same in both conditions;
    ``interval`` says how, or why there is none (the bounds are then NaN). The luck of the seeds is not covered.

    The models answer with any of ``classes``. Pictures of another emotion are left out. Raises DataError where fewer than two of ``classes`` are shown,
    and for faces that are not paired over conditions; ParameterError without a model.
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
        alone = bootstrap_interval(lambda t: t[:, 0] / t[:, 2], own, draws=draws, seed=seed)
        apart = bootstrap_interval(lambda t: (t[:, 0] - t[:, 1]) / t[:, 2], own, draws=draws, seed=seed)
        rows.append(
            {
                **kind,
                "n": len(by_picture),
                "accuracy": by_picture[:, k].mean(),
                **_bounds(alone, ""),
                "difference": by_picture[:, k].mean() - by_picture[:, against].mean(),
                **_bounds(apart, "difference_"),
                "interval": apart.method,
            }
        )
    return pd.DataFrame(rows)


def _paired(faces: FaceSet, classes: tuple[str, ...]) -> tuple[pd.DataFrame, FaceSet]:
    """The conditions in their order, and the pictures of ``classes``, condition by condition, in one order of pictures."""
    about = ["condition", "factor", "direction"]
    absent = [column for column in about if column not in faces.table]
    if absent:
        raise DataError(f"face set {faces.name!r} has no column {absent[0]!r}; give what factor_faces makes")
    chosen = faces.select(faces.table["emotion"].isin(classes).to_numpy())
    if len(chosen.classes) < 2:
        raise DataError(
            f"face set {faces.name!r} shows {len(chosen.classes)} of the classes {', '.join(classes)}; at least 2 are needed"
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
            f"face set {faces.name!r}: its conditions do not hold the same people and emotions in the same order; give what "
            "factor_faces makes, whole"
        )
    return kinds, chosen


def _bounds(interval: Interval, prefix: str) -> dict[str, float]:
    values = {"low": interval.low, "high": interval.high}
    return {f"{prefix}{name}": np.nan if value is None else value for name, value in values.items()}
