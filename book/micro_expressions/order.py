"""Does the LSTM use time? UF1 with frames in order minus UF1 with frames shuffled: where each unit of a clip
moves in its own time, where all move together, and where classes differ only in the order of three events;
for LSTMs on a network's features and for LSTMs on the true course of each unit.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from book.micro_expressions.leave_one_out import ClipStudy, ClipTask, fold_features, leave_one_out
from book.micro_expressions.rivals import controlled
from face_sets.clips import Clips
from fer_lib.stats.contrasts import TrainingScores, contrast, score_trainings
from fer_lib.stats.resampling import RERUN_TOLERANCE
from ferbook.errors import DataError
from ferbook.estimate import Estimate

TIMED, UNTIMED, IN_TURN = (
    "each unit moves in its own time",
    "all units move together",
    "classes differ only in the order of three events",
)
TIMED_COURSES, IN_TURN_COURSES = (f"{name} (exact intensities)" for name in (TIMED, IN_TURN))
"""Inputs of an LSTM: clips by their timing, or the exact intensities of their units (``true_courses``)."""

GAINS = {
    "order_gain_timed": TIMED,
    "order_gain_untimed": UNTIMED,
    "order_gain_difference": "own time minus together",
    "order_gain_in_turn": IN_TURN,
    "order_gain_timed_courses": TIMED_COURSES,
    "order_gain_in_turn_courses": IN_TURN_COURSES,
}
"""Metric -> label in the figure."""

RETIMED = {"together": UNTIMED, "in_turn": IN_TURN}
"""Timing of the further clips that are rendered -> label."""


def both_orders(
    inputs: str, features: Sequence[np.ndarray], task: ClipTask, *, seed: int = 0
) -> dict[tuple[str, bool], ClipStudy]:
    """Run ``leave_one_out`` on ``features`` with frames in order and shuffled; by ``inputs`` and whether in
    order, for ``score_orders``."""
    sequences = fold_features(features, task)
    shuffled = controlled(sequences, task.clips, "shuffled", seed)
    return {(inputs, True): leave_one_out(sequences, task), (inputs, False): leave_one_out(shuffled, task)}


def require_same_clips(timed: Clips, untimed: Clips) -> None:
    """Raise DataError unless both are the same clips of the same people with other timing."""
    names = ("subjects", "sequences", "emotions")
    if not all(np.array_equal(getattr(timed, name), getattr(untimed, name)) for name in names):
        raise DataError(
            f"{timed.faces.name!r} and {untimed.faces.name!r} are not the same clips: timing can be changed "
            "in rendered clips only"
        )


def score_orders(
    studies: Mapping[tuple[str, bool], ClipStudy],
    labels: np.ndarray,
    subjects: np.ndarray,
    *,
    draws: int = 2000,
    seed: int = 0,
) -> TrainingScores:
    """Score all trainings of ``studies`` on the same clips and the same resampled people.

    ``studies``: by input (``TIMED``, ``UNTIMED``, …) and whether the frames were in order. ``labels`` and
    ``subjects`` (C,) of the clips.
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
    """Return UF1 with frames in order minus frames shuffled, in percentage points, for each scored input of
    ``GAINS``; if clips of both timings were scored also ``order_gain_difference``, that with units in their
    own time minus that with all moving together.
    """
    table = scored.table

    def gain(timing: str) -> np.ndarray:
        own = table["timing"].eq(timing)
        return scored.weights(own & table["ordered"]) - scored.weights(own & ~table["ordered"])

    weights = {name: gain(inputs) for name, inputs in GAINS.items() if table["timing"].eq(inputs).any()}
    if {"order_gain_timed", "order_gain_untimed"} <= weights.keys():
        weights["order_gain_difference"] = weights["order_gain_timed"] - weights["order_gain_untimed"]
    return {
        name: contrast(scored, own, "macro_f1", unit="", tolerance=RERUN_TOLERANCE)
        for name, own in weights.items()
    }


def true_courses(clips: Clips) -> np.ndarray | None:
    """Return the coded intensity of each action unit in each frame, float32 (C, T, units), 0 to 1: the input
    of a reader that sees every unit without error. Zero beyond a clip's end; None if frames between onset and
    apex are not coded.
    """
    units = list(clips.faces.aus)
    coded = clips.faces.table[units].to_numpy(np.float32)[clips.rows]
    between = clips.inside & (clips.frames > clips.onset[:, None]) & (clips.frames < clips.apex[:, None])
    if not units or not np.isfinite(coded[clips.inside]).all() or not coded[between].any():
        return None
    return np.where(clips.inside[..., None], coded, 0)


def gain_table(gains: Mapping[str, Estimate]) -> pd.DataFrame:
    """Return the ``order_gains`` as a table for ``figures.order_dots``: ``input`` (by ``GAINS``), ``gain``,
    ``low``, ``high`` in percentage points.
    """
    rows = [(GAINS[name], gain.value, gain.low, gain.high) for name, gain in gains.items()]
    return pd.DataFrame(rows, columns=["input", "gain", "low", "high"])
