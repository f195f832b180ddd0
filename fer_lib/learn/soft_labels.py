"""Soft labels: one network learns what most of a crowd said, another how the crowd divided."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from fer_lib.errors import DataError
from fer_lib.faces.faceset import FaceSet
from fer_lib.learn.precision import Precision, Request
from fer_lib.learn.recipe import Recipe
from fer_lib.learn.study import require_votes, run_study
from fer_lib.learn.targets import vote_shares

LEARNED = {"cross_entropy": "majority", "votes": "votes"}
"""Loss -> from which labels it learns."""


@dataclass(frozen=True)
class SoftLabels:
    """Networks that learned the same pictures from the crowd's majority and from its votes.

    ``table``: one row per training with ``learned`` (``majority`` or ``votes``), ``seed`` and what ``learn.study.training_row`` says. ``probabilities``: float32
    (trainings, N, C) for the test pictures, in the order of the table. ``test``: those N pictures; ``shares`` float32 (N, C): how the crowd's votes for
    ``classes`` divide. ``without_votes``: pictures, of all splits, that were left out because nobody voted for any of the classes.
    ``precision``: of all trainings.
    """

    table: pd.DataFrame
    probabilities: np.ndarray
    test: FaceSet
    shares: np.ndarray
    classes: tuple[str, ...]
    without_votes: int
    precision: Precision


def learn_soft_labels(
    faces: FaceSet,
    classes: tuple[str, ...],
    network: str,
    recipe: Recipe,
    seeds: Sequence[int],
    *,
    dropout: float | None = None,
    precision: Request | Precision = "auto",
    device: torch.device | str = "cpu",
) -> SoftLabels:
    """Train ``network`` by ``recipe``, whose own loss does not count, from each of ``seeds``: on the majority, and on the votes (Barsoum et al. 2016).

    The majority is learned with cross-entropy against the picture's ``emotion``, the votes with cross-entropy against their shares. Both start
    from the same weights and see the pictures in the same order; the epoch of both is chosen by the accuracy on the validation split's
    majority. The rest is as in ``learn.study.run_study``.

    Raises ParameterError for a face set without votes; DataError where a column of votes is absent, and as ``run_study``.
    """
    require_votes(faces, ["votes"])
    columns = [f"vote_{name}" for name in classes]
    absent = [name for name in columns if name not in faces.table]
    if absent:
        raise DataError(
            f"face set {faces.name!r} has votes, but no column {absent[0]}; leave that class out of {', '.join(classes)}"
        )
    voted = faces.table[columns].to_numpy(np.float64).sum(axis=1) > 0
    kept = faces.select(voted)
    study = run_study(
        kept,
        classes,
        [network],
        list(LEARNED),
        seeds,
        recipe,
        dropout=dropout,
        precision=precision,
        device=device,
    )
    learned = study.table["loss"].map(LEARNED)
    table = study.table.drop(columns=["structure", "loss"])
    table.insert(0, "learned", learned)
    test = kept.split("test")
    shares = vote_shares(kept, classes, split="test")
    return SoftLabels(table, study.probabilities, test, shares, classes, int((~voted).sum()), study.precision)
