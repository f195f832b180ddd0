"""One set of pictures under two labels: what a network learns from each, and how much each test shows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from fer_lib.faces.faceset import FaceSet
from fer_lib.train.predict import predict
from fer_lib.train.recipe import Recipe
from fer_lib.train.study import train_structure, training_row

SECOND_LABELS = {
    "fer2013_emotion": ("FER+ majority", "FER2013 label"),
    "true_emotion": ("label", "what was shown"),
}
"""Column with a second label -> what the first label is called, and the second."""

VOTES = "votes"


@dataclass(frozen=True)
class LabelStudy:
    """Networks of one ``structure`` that learned the same pictures from different labels.

    ``table``: one row per training with ``learned`` (the labelling), ``seed`` and what
    ``train.study.training_row`` says; ``probabilities``: float32 (trainings, test pictures, classes);
    ``tests``: the test pictures under each labelling; ``classes``: those of both labellings.
    """

    structure: str
    table: pd.DataFrame
    probabilities: np.ndarray
    tests: dict[str, FaceSet]
    classes: tuple[str, ...]


def two_labellings(faces: FaceSet) -> dict[str, FaceSet]:
    """The pictures of ``faces`` that both labellings name with an emotion that occurs in both, under the one
    and the other; empty where there is one label only.
    """
    table = faces.table
    for column, names in SECOND_LABELS.items():
        if column in table:
            common = set(table["emotion"]) & set(table[column]) - {""}
            kept = faces.select((table["emotion"].isin(common) & table[column].isin(common)).to_numpy())
            second = kept.assign(emotion=kept.table[column])
            return dict(zip(names, (kept, second), strict=True))
    return {}


def run_labellings(
    faces: FaceSet,
    structure: str,
    seeds: Sequence[int],
    recipe: Recipe,
    *,
    device: torch.device | str = "cpu",
    **settings: object,
) -> LabelStudy | None:
    """Train ``structure`` on each labelling of ``faces``, and on the crowd's votes where there are some; None
    where there is one label only.

    Hard labels are learned with cross-entropy, votes with cross-entropy against their distribution. Each
    training's epoch is chosen on the validation split under the labels that it learns (for votes, the first
    labelling). ``settings`` as of ``train.study.train_structure``.
    """
    labelled = two_labellings(faces)
    if not labelled:
        return None
    first = next(iter(labelled.values()))
    classes = first.classes
    conditions = [(name, own, "cross_entropy") for name, own in labelled.items()]
    if all(f"vote_{name}" in faces.table for name in classes):
        conditions.append((VOTES, first, "votes"))
    rows, probabilities = [], []
    for learned, own, loss in conditions:
        for seed in seeds:
            chosen = replace(recipe, loss=loss)
            model, training = train_structure(
                own, classes, structure, chosen, seed, device=device, **settings
            )
            rows.append({"learned": learned, "seed": seed} | training_row(training, model, faces.size[0]))
            probabilities.append(predict(model, own.split("test"), device=device))
    tests = {name: own.split("test") for name, own in labelled.items()}
    return LabelStudy(structure, pd.DataFrame(rows), np.stack(probabilities), tests, classes)
