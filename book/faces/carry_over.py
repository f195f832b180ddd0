"""What carries over: networks that learned from one family of rendered faces, asked about the others and
about people's photographs.
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
from fer_lib.train.learner import train
from fer_lib.train.predict import features_of, predict
from fer_lib.train.recipe import TrainingRecipe
from ferbook.estimate import Estimate, Unit
from ferbook.page.tables import Table

SAME_FAMILY, SHAPES, BUILD, BOTH = (
    "the same family, unseen people",
    "other shapes of head",
    "another build of the units",
    "other shapes, another build",
)
"""How far the family that a network is asked about is from the one that it learned from."""

PHOTOGRAPHS = "photographs (FER2013, PublicTest)"


@dataclass(frozen=True)
class FamilyNetwork:
    """A network that learned the expressions of one family, and detectors of action units fitted to what its
    last layer is given, and to the same of the network before its training.
    """

    model: Classifier
    classes: tuple[str, ...]
    heads: Heads
    untrained: Classifier
    untrained_heads: Heads


def teach_family(
    faces: FaceSet,
    recipe: TrainingRecipe,
    *,
    seed: int = 0,
    precision: PrecisionName | Precision = "auto",
    device: torch.device | str = "cpu",
) -> FamilyNetwork:
    """Train a network on the training people of ``faces``; epochs and heads are chosen on its validation
    people. Raises as ``train.learner.train`` and ``aus.heads.fit_heads``.
    """
    generator = torch.Generator().manual_seed(seed)
    model = build_network("zhu", len(faces.classes), faces.size[0], generator=generator)
    train(faces, model, faces.classes, recipe, device=device, seed=seed, precision=precision)
    untrained = untrained_network(model, seed)
    coded, split = presence(faces), faces.table["split"].to_numpy(dtype=str)
    heads, others = (fit_heads(features_of(net, faces), coded, split) for net in (model, untrained))
    return FamilyNetwork(model, faces.classes, heads, untrained, others)


@dataclass(frozen=True)
class FamilyAnswers:
    """What one network answers about one set. ``confusion`` (classes, classes): counted pictures, rows the
    true expression. The others float64 (1 + draws,), first of all pictures, then of each draw of whole
    ``people``: balanced accuracy of the expressions, macro AUROC of the units, and that of the untrained
    network. The units' are None where the set has no codes.
    """

    confusion: np.ndarray
    people: int
    expressions: np.ndarray
    units: np.ndarray | None
    untrained_units: np.ndarray | None

    @property
    def pictures(self) -> int:
        """How many were asked about."""
        return int(self.confusion.sum())


def family_answers(
    network: FamilyNetwork, faces: FaceSet, *, draws: int = 1000, seed: int = 0
) -> FamilyAnswers:
    """What ``network`` answers about the pictures of ``faces`` whose expression it knows."""
    emotions = faces.table["emotion"]
    faces = faces.select(emotions.isin(network.classes).to_numpy())
    labels = faces.table["emotion"].map(network.classes.index).to_numpy()
    predictions = predict(network.model, faces).argmax(axis=1)
    people = pd.factorize(named_alone(faces.table["subject"]))[0]
    sums = confusion_sums(labels, predictions, people, len(network.classes))
    totals = np.concatenate([sums.sum(axis=0)[None], resampled_sums(sums, draws, seed)])
    units = [None, None]
    if faces.aus:
        pairs = ((network.model, network.heads), (network.untrained, network.untrained_heads))
        coded = presence(faces)
        units = [
            mean_of_defined(
                drawn_aurocs(heads, features_of(net, faces), coded, draws=draws, seed=seed), axis=0
            )
            for net, heads in pairs
        ]
    return FamilyAnswers(sums.sum(axis=0), len(sums), balanced_accuracy_of(totals), *units)


def family_distance(one: str, other: str) -> str:
    """How far family ``other`` (``shapes-build``) is from family ``one``, in words."""
    same_shapes, same_build = (a == b for a, b in zip(one.split("-"), other.split("-"), strict=True))
    return {(True, True): SAME_FAMILY, (False, True): SHAPES, (True, False): BUILD}.get(
        (same_shapes, same_build), BOTH
    )


def answers_of_all(
    families: Mapping[str, FaceSet],
    photographs: FaceSet | None,
    recipe: TrainingRecipe,
    *,
    networks: int = 1,
    draws: int = 1000,
    seed: int = 0,
    precision: PrecisionName | Precision = "auto",
    device: torch.device | str = "cpu",
) -> dict[str, list[FamilyAnswers]]:
    """One network for each of the first ``networks`` of ``families`` (by name: pictures with splits of
    people), asked about the test people of its own, about everybody of each other one, and about
    ``photographs``: the answers of all by how far away is who was asked about, nearest first. Further
    arguments as of ``teach_family``.
    """
    answers: dict[str, list[FamilyAnswers]] = {}
    for name, faces in islice(families.items(), networks):
        network = teach_family(faces, recipe, seed=seed, precision=precision, device=device)
        sets = [
            (family_distance(name, other), target.split("test") if other == name else target)
            for other, target in families.items()
        ]
        if photographs is not None:
            sets.append((PHOTOGRAPHS, photographs))
        for number, (apart, target) in enumerate(sets):
            # Of each set its own draws of people, the same for every network that is asked about it.
            own_answers = family_answers(network, target, draws=draws, seed=number)
            answers.setdefault(apart, []).append(own_answers)
    return {
        apart: answers[apart] for apart in (SAME_FAMILY, SHAPES, BUILD, BOTH, PHOTOGRAPHS) if apart in answers
    }


def carry_over_table(answers: Mapping[str, Sequence[FamilyAnswers]]) -> Table:
    """By distance the means over the networks of ``answers_of_all``, each with its interval over people (of
    photographs, over pictures).
    """
    rows = {
        apart: {
            "expressions": _mean([one.expressions for one in group], group, "share"),
            "units": _mean([one.units for one in group], group),
            "units, untrained": _mean([one.untrained_units for one in group], group),
            "networks": len(group),
            "answers": sum(one.pictures for one in group),
        }
        for apart, group in answers.items()
    }
    data = pd.DataFrame.from_dict(rows, orient="index").rename_axis("asked about")
    return Table(
        data,
        "Balanced accuracy of expressions and macro AUROC of action units, by who is asked about",
        tolerance=0.1,
    )


def carry_over_metrics(table: Table) -> dict[str, Estimate]:
    """The expressions and the units of the first and of the farthest rendered family, as metrics."""
    names = {SAME_FAMILY: "own", BOTH: "other", PHOTOGRAPHS: "photographs"}
    metrics = {}
    for apart, short in names.items():
        if apart in table.data.index:
            row = table.data.loc[apart]
            metrics[f"expressions_{short}"] = row["expressions"]
            if isinstance(units := row["units"], Estimate):
                metrics[f"units_{short}"] = units
    return metrics


def _mean(
    values: list[np.ndarray | None], answers: Sequence[FamilyAnswers], unit: Unit = ""
) -> Estimate | float:
    """The mean over networks of ``values``, each (1 + draws,); NaN where a set has no codes."""
    if any(one is None for one in values):
        return np.nan
    mean = np.mean(values, axis=0)
    settings = {"n": sum(one.pictures for one in answers), "unit": unit, "tolerance": RERUN_TOLERANCE}
    remark = f", mean of {len(values)} networks"
    return interval(mean[0], mean[1:], min(one.people for one in answers), besides=remark, **settings)
