"""Whether trainings had come to their end: what the last fifth of their epochs still changed."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from fer_lib.stats.contrasts import POINTS
from fer_lib.stats.seeds import mean_over_seeds
from ferbook.estimate import Estimate


def last_fifth(curves: Sequence[pd.DataFrame]) -> dict[str, Estimate]:
    """What the last fifth of the epochs still changed, mean over the networks: ``train_loss_fall``, by which
    share of itself the training loss fell, and ``valid_rise``, by how many points the validation accuracy
    rose. Near 0 longer training would add little. Of a single epoch all is its own. ``curves``: those of
    ``train.curve.Training``.
    """
    falls, rises = [], []
    for curve in curves:
        before = curve.iloc[-1 - max(1, len(curve) // 5)] if len(curve) > 1 else None
        last = curve.iloc[-1]
        falls.append(1.0 if before is None else 1 - last["train_loss"] / before["train_loss"])
        rises.append(POINTS * (last["valid_accuracy"] - (0 if before is None else before["valid_accuracy"])))
    return {"train_loss_fall": network_mean(falls, "share"), "valid_rise": network_mean(rises)}


def network_mean(values: Sequence[float], unit: str = "") -> Estimate:
    """The mean of one value per network, with the interval of Student's t over the networks: a bootstrap of
    three of them holds the truth in three of four times.
    """
    each = [Estimate(value, unit=unit, why="of one network") for value in values]
    return replace(mean_over_seeds(each), tolerance=0.2)
