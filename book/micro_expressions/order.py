"""Does it use time? What the order of the frames is worth, where each unit of a clip moves in its own time
and where all move together.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from book.micro_expressions.leave_one_out import ClipStudy
from fer_lib.faces.clips import Clips
from fer_lib.stats.contrasts import TrainingScores, contrast, score_trainings
from fer_lib.stats.resampling import RERUN_TOLERANCE
from ferbook.errors import DataError
from ferbook.estimate import Estimate

TIMED, UNTIMED = ("each unit has its own time", "all units move together")

GAINS = {
    "order_gain_timed": TIMED,
    "order_gain_untimed": UNTIMED,
    "order_gain_difference": "the first less the second",
}
"""Metric -> what it is called in the figure."""


def require_same_clips(timed: Clips, untimed: Clips) -> None:
    """Raise DataError unless both are the same clips of the same people, but for when units move."""
    names = ("subjects", "sequences", "emotions")
    if not all(np.array_equal(getattr(timed, name), getattr(untimed, name)) for name in names):
        raise DataError(
            f"{timed.faces.name!r} and {untimed.faces.name!r} are not the same clips: timing can be switched "
            "off in rendered clips only"
        )


def score_orders(
    studies: Mapping[tuple[str, bool], ClipStudy],
    labels: np.ndarray,
    subjects: np.ndarray,
    *,
    draws: int = 2000,
    seed: int = 0,
) -> TrainingScores:
    """All trainings of ``studies`` scored on the same clips, people drawn alike: by ``TIMED`` or ``UNTIMED``
    and whether the frames were in order. ``labels`` and ``subjects`` (C,) of the clips.
    """
    rows = [
        {"timing": timing, "ordered": ordered, "training": number}
        for (timing, ordered), study in studies.items()
        for number in range(len(study.probabilities))
    ]
    answers = np.concatenate([study.probabilities for study in studies.values()])
    people = pd.factorize(subjects)[0]
    condition = ["timing", "ordered"]
    return score_trainings(pd.DataFrame(rows), answers, labels, people, condition, draws=draws, seed=seed)


def order_gains(scored: TrainingScores) -> dict[str, Estimate]:
    """In points of the unweighted F1: ``order_gain_timed``, how far LSTMs on frames in order are ahead of
    those on shuffled ones where each unit moves in its own time; where all were also asked with all units
    moving together ``order_gain_untimed``; and ``order_gain_difference``, the first minus the second: what
    the order is worth beyond what any two trainings on other sequences differ by.
    """
    table = scored.table

    def gain(timing: str) -> np.ndarray:
        own = table["timing"].eq(timing)
        return scored.weights(own & table["ordered"]) - scored.weights(own & ~table["ordered"])

    weights = {"order_gain_timed": gain(TIMED)}
    if table["timing"].eq(UNTIMED).any():
        weights["order_gain_untimed"] = gain(UNTIMED)
        weights["order_gain_difference"] = weights["order_gain_timed"] - weights["order_gain_untimed"]
    return {
        name: contrast(scored, own, "macro_f1", unit="", tolerance=RERUN_TOLERANCE)
        for name, own in weights.items()
    }


def gain_table(gains: Mapping[str, Estimate]) -> pd.DataFrame:
    """The ``order_gains``: ``asked`` (by ``GAINS``), ``gain``, ``low``, ``high`` in points, for
    ``figures.order_dots``.
    """
    rows = [(GAINS[name], gain.value, gain.low, gain.high) for name, gain in gains.items()]
    return pd.DataFrame(rows, columns=["asked", "gain", "low", "high"])
