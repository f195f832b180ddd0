"""Transfer between head models: networks trained on one family of rendered faces, evaluated on the others and
on photographs of people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd
import torch

from face_sets.faceset import FaceSet, named_alone
from fer_lib.aus.heads import Heads, drawn_aurocs, fit_heads
from fer_lib.aus.presence import presence
from fer_lib.nets.build import build_network
from fer_lib.nets.classifier import Classifier
from fer_lib.stats.classification import balanced_accuracy_of, confusion_sums
from fer_lib.stats.resampling import RERUN_TOLERANCE, interval, mean_of_defined, resampled_sums
from fer_lib.train.controls import untrained_network
from fer_lib.train.device import Precision, PrecisionName
from fer_lib.train.learner import face_learner, fit
from fer_lib.train.predict import features_of, predict
from fer_lib.train.recipe import TrainingRecipe
from ferbook.estimate import Estimate, Unit
from ferbook.page.tables import Table

SAME_FAMILY, SHAPES, BUILD, BOTH = (
    "same family, held-out people",
    "other head shapes",
    "other build of the units",
    "other head shapes and build",
)
"""How the evaluated family differs from that of the training."""

PHOTOGRAPHS = "photographs (FER2013, PublicTest)"


@dataclass(frozen=True)
class FamilyNetwork:
    """A network trained on the expressions of one family, with detectors of action units fitted to the input
    of its last layer; ``untrained``: the network before its training, with separate detectors.
    """

    model: Classifier
    classes: tuple[str, ...]
    heads: Heads
    untrained: Classifier
    untrained_heads: Heads


def train_family(
    faces: FaceSet,
    recipe: TrainingRecipe,
    *,
    seed: int = 0,
    precision: PrecisionName | Precision = "auto",
    device: torch.device | str = "cpu",
) -> FamilyNetwork:
    """Train a network on the training split of ``faces``; the validation split chooses epoch and detectors.

    Raises as ``train.learner.fit`` and ``aus.heads.fit_heads``.
    """
    generator = torch.Generator().manual_seed(seed)
    model = build_network("zhu", len(faces.classes), faces.size[0], generator=generator)
    fit(face_learner(faces, model, faces.classes, recipe, device=device, seed=seed, precision=precision))
    untrained = untrained_network(model, seed)
    coded, split = presence(faces), faces.table["split"].to_numpy(dtype=str)
    heads, others = (fit_heads(features_of(net, faces), coded, split) for net in (model, untrained))
    return FamilyNetwork(model, faces.classes, heads, untrained, others)


@dataclass(frozen=True)
class FamilyScores:
    """Scores of one network on one set.

    ``confusion`` (classes, classes): counted pictures, rows the true expression. ``expressions`` (balanced
    accuracy), ``units`` and ``untrained_units`` (macro AUROC; None where the set has no codes): float64
    (1 + draws,), first of all pictures, then of each resample of the ``people``.
    """

    confusion: np.ndarray
    people: int
    expressions: np.ndarray
    units: np.ndarray | None
    untrained_units: np.ndarray | None

    @property
    def pictures(self) -> int:
        """Number of evaluated pictures."""
        return int(self.confusion.sum())


def score_network(
    network: FamilyNetwork, faces: FaceSet, *, draws: int = 1000, seed: int = 0
) -> FamilyScores:
    """Evaluate ``network`` on the pictures of ``faces`` whose expression is among its classes."""
    faces = faces.select(faces.table["emotion"].isin(network.classes).to_numpy())
    labels = faces.table["emotion"].map(network.classes.index).to_numpy()
    predictions = predict(network.model, faces).argmax(axis=1)
    people = pd.factorize(named_alone(faces.table["subject"]))[0]
    sums = confusion_sums(labels, predictions, people, len(network.classes))
    totals = np.concatenate([sums.sum(axis=0)[None], resampled_sums(sums, draws, seed)])
    units = [None, None]
    if faces.aus:
        pairs = ((network.model, network.heads), (network.untrained, network.untrained_heads))
        coded = presence(faces)
        aurocs = (
            drawn_aurocs(heads, features_of(net, faces), coded, draws=draws, seed=seed)
            for net, heads in pairs
        )
        units = [mean_of_defined(each, axis=0) for each in aurocs]
    return FamilyScores(sums.sum(axis=0), len(sums), balanced_accuracy_of(totals), *units)


def family_distance(one: str, other: str) -> str:
    """Name how family ``other`` (``shapes-build``) differs from family ``one``."""
    same_shapes, same_build = (a == b for a, b in zip(one.split("-"), other.split("-"), strict=True))
    return {(True, True): SAME_FAMILY, (False, True): SHAPES, (True, False): BUILD}.get(
        (same_shapes, same_build), BOTH
    )


def score_families(
    families: Mapping[str, FaceSet],
    photographs: FaceSet | None,
    recipe: TrainingRecipe,
    *,
    networks: int = 1,
    draws: int = 1000,
    seed: int = 0,
    precision: PrecisionName | Precision = "auto",
    device: torch.device | str = "cpu",
) -> dict[str, list[FamilyScores]]:
    """Train a network on each of the first ``networks`` families and evaluate it on all of them.

    Parameters
    ----------
    families : mapping of str to FaceSet
        Families by name, with splits of people.
    photographs : FaceSet or None
        Evaluated as well.
    recipe, seed, precision, device
        As of ``train_family``.
    networks, draws : int
        Number of networks, and of resamples of the people.

    Returns
    -------
    dict
        Distance of the evaluated family, nearest first -> scores of each network: on the test people of its
        own family, on everybody of another.
    """
    scores: dict[str, list[FamilyScores]] = {}
    for name, faces in islice(families.items(), networks):
        network = train_family(faces, recipe, seed=seed, precision=precision, device=device)
        sets = [
            (family_distance(name, other), target.split("test") if other == name else target)
            for other, target in families.items()
        ]
        if photographs is not None:
            sets.append((PHOTOGRAPHS, photographs))
        for number, (distance, target) in enumerate(sets):
            # The people of one set are resampled alike for every network.
            scores.setdefault(distance, []).append(score_network(network, target, draws=draws, seed=number))
    order = (SAME_FAMILY, SHAPES, BUILD, BOTH, PHOTOGRAPHS)
    return {distance: scores[distance] for distance in order if distance in scores}


def carry_over_table(scores: Mapping[str, Sequence[FamilyScores]]) -> Table:
    """Average ``score_families`` over networks; the intervals are over people (of photographs, pictures)."""
    rows = {
        distance: {
            "expressions": _mean([one.expressions for one in group], group, "share"),
            "units": _mean([one.units for one in group], group),
            "units, untrained network": _mean([one.untrained_units for one in group], group),
            "networks": len(group),
            "pictures": sum(one.pictures for one in group),
        }
        for distance, group in scores.items()
    }
    return Table(
        pd.DataFrame.from_dict(rows, orient="index").rename_axis("evaluated on"),
        "Balanced accuracy of expressions and macro AUROC of action units",
        tolerance=0.1,
    )


def carry_over_metrics(table: Table) -> dict[str, Estimate]:
    """Take the scores on the own family, on the farthest one and on photographs as metrics."""
    names = {SAME_FAMILY: "own", BOTH: "other", PHOTOGRAPHS: "photographs"}
    found = {
        f"{column}_{short}": table.data.loc[distance, column]
        for distance, short in names.items()
        if distance in table.data.index
        for column in ("expressions", "units")
    }
    return {name: value for name, value in found.items() if isinstance(value, Estimate)}


def _mean(
    values: list[np.ndarray | None], scores: Sequence[FamilyScores], unit: Unit = ""
) -> Estimate | float:
    """The mean over networks of ``values``, each (1 + draws,); NaN where a set has no codes."""
    if any(one is None for one in values):
        return np.nan
    mean = np.mean(values, axis=0)
    settings = {"n": sum(one.pictures for one in scores), "unit": unit, "tolerance": RERUN_TOLERANCE}
    remark = f", mean of {len(values)} networks"
    return interval(mean[0], mean[1:], min(one.people for one in scores), besides=remark, **settings)
