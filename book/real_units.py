"""``ferbook units``: whether heads for action units that were fitted on rendered faces tell units on real
pictures, beside heads on untrained networks and beside the heads of other units.

What decides was written down before any number was there: a unit carries over where the AUROC of its head
lies above .5, above that of heads on untrained networks, and above the mean of the heads of other units, each
with its whole 95 % interval over pictures or people, and networks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from book.populations import Member, find_population
from fer_lib.aus.heads import Heads, drawn_aurocs, fit_heads
from fer_lib.aus.presence import Presence, presence
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.leakage import independent_groups
from fer_lib.faces.registry import open_faces
from fer_lib.faces.request import FaceRequest
from fer_lib.nets.classifier import Classifier
from fer_lib.stats.two_way import networks_and_draws
from fer_lib.train.controls import untrained_network
from fer_lib.train.features import features_of
from ferbook.errors import DataError, ParameterError
from ferbook.estimate import Estimate
from ferbook.page.style import listing
from ferbook.store import ChapterResult

VOTED = {
    "AU1": "surprise",
    "AU2": "surprise",
    "AU4": "anger",
    "AU5": "surprise",
    "AU6": "happiness",
    "AU9": "disgust",
    "AU10": "disgust",
    "AU12": "happiness",
    "AU14": "contempt",
    "AU15": "sadness",
    "AU20": "fear",
    "AU23": "anger",
    "AU24": "anger",
    "AU26": "surprise",
}
"""Unit -> the emotion that stands for it where voters named emotions and nobody coded units: one of whose
prototypes it is (Ekman, Friesen and Hager 2002, Investigator's Guide, table 10-2; contempt: Matsumoto and
Ekman 2004). Many pictures of the emotion do not show it, so an AUROC of 1 cannot be had."""

MEASURED = ("auroc", "over_untrained", "over_other_heads")

HEAD_PEOPLE = FaceRequest("lab", subjects=200, face_seed=1)
"""On whom heads are fitted and chosen: rendered people whom no network has seen."""


@dataclass(frozen=True)
class UnitEvidence:
    """What the head of ``unit`` makes of real pictures, of which ``shown`` show it, as ``shown_by`` says: the
    AUROC, and how far it lies above that of heads on untrained networks and of heads of other units.
    """

    unit: str
    shown_by: str
    shown: int
    auroc: Estimate
    over_untrained: Estimate
    over_other_heads: Estimate

    @property
    def carries_over(self) -> bool:
        """Whether all three are answered with yes."""
        criteria = ((self.auroc, 0.5), (self.over_untrained, 0), (self.over_other_heads, 0))
        return all(estimate.low is not None and estimate.low > bound for estimate, bound in criteria)

    def to_row(self) -> dict[str, object]:
        """For a table: an estimate is its value, and its ends under ``…_low`` and ``…_high``."""
        row = {"unit": self.unit, "shown_by": self.shown_by, "shown": self.shown}
        for name in MEASURED:
            estimate: Estimate = getattr(self, name)
            row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        return row | {"carries_over": self.carries_over}


def shown_units(faces: FaceSet) -> tuple[Presence, dict[str, str]]:
    """Which picture shows which unit, and by what each is known: ``faces``' own codes, or of a set with the
    votes of FER+ the emotion of ``VOTED``. Equal pictures count as one person where the set names nobody.

    Raises DataError where it has neither.
    """
    if faces.aus:
        return presence(faces), dict.fromkeys(faces.aus, "codes")
    if "vote_happiness" not in faces.table:
        raise DataError(
            f"{faces.name}: no picture has action units or the votes of FER+; give a set with either, as "
            "ckplus, bp4d or ferplus"
        )
    emotions = faces.table["emotion"].to_numpy(dtype=object).astype(str)
    labels = np.stack([emotions == emotion for emotion in VOTED.values()], axis=1)
    people = independent_groups(faces)
    sequences = faces.table["sequence"].to_numpy(dtype=object).astype(str)
    units = Presence(tuple(VOTED), labels.astype(np.float32), people, sequences, emotions)
    return units, {unit: f"votes for {emotion}" for unit, emotion in VOTED.items()}


def evidence_of(
    faces: FaceSet,
    networks: Sequence[Classifier],
    rendered_faces: FaceSet,
    *,
    draws: int = 500,
    seed: int = 0,
    tell: Callable[[str], None] = lambda _: None,
) -> list[UnitEvidence]:
    """The units of ``faces``' pictures (of its split ``test``, where voters named emotions) by heads that are
    fitted on ``rendered_faces``, one set of heads for each of ``networks`` and for as many untrained ones.

    Units that too few people show, or for which there is no head, are left out. Raises DataError as
    ``shown_units``, ``aus.heads.fit_heads`` and ``aus.presence.Presence.scored``.
    """
    pictures = faces if faces.aus else faces.split("test")
    units, known_by = shown_units(pictures)
    units = units.scored()
    by_kind: dict[str, list[tuple[Heads, np.ndarray]]] = {"trained": [], "untrained": []}
    for number, network in enumerate(networks):
        tell(f"heads on network {number + 1} of {len(networks)}, and on an untrained one")
        for kind, model in (("trained", network), ("untrained", untrained_network(network, seed + number))):
            split = rendered_faces.table["split"].to_numpy(dtype=object).astype(str)
            heads = fit_heads(features_of(model, rendered_faces), presence(rendered_faces), split)
            by_kind[kind].append((heads, features_of(model, pictures)))
    head_units = by_kind["trained"][0][0].aus
    evidence = []
    for unit in (each for each in units.aus if each in head_units):
        labels = units.present[:, units.aus.index(unit)]
        same = {
            other
            for other, column in zip(units.aus, units.present.T, strict=True)
            if np.array_equal(column, labels, equal_nan=True)
        }
        others = [k for k, other in enumerate(head_units) if other not in same]
        # Every head is asked the same question: does the picture show this unit?
        question = replace(units, aus=head_units, present=np.repeat(labels[:, None], len(head_units), axis=1))
        aurocs = {
            kind: np.stack([drawn_aurocs(*each, question, draws=draws, seed=seed) for each in heads])
            for kind, heads in by_kind.items()
        }
        place = head_units.index(unit)
        own, untrained = (aurocs[kind][:, place] for kind in ("trained", "untrained"))
        differences = (own, own - untrained, own - aurocs["trained"][:, others].mean(axis=1))
        people = len(np.unique(units.subjects))
        estimates = [
            networks_and_draws(each, people, n=len(units), limits=limits)
            for each, limits in zip(differences, ((0, 1), (-1, 1), (-1, 1)), strict=True)
        ]
        evidence.append(UnitEvidence(unit, known_by[unit], int(np.nansum(labels)), *estimates))
    return evidence


def networks_with_weights(population: str, count: int) -> tuple[list[Classifier], int]:
    """The first ``count`` networks of ``population`` whose weights are kept, and the side of their pictures.

    Raises ParameterError where there are fewer.
    """
    entry = find_population(population)
    members: list[Member] = [member for member in entry.kept() if member.has_weights]
    if len(members) < count:
        raise ParameterError(
            f"networks = {count}: of population {population!r} the weights of {len(members)} are kept"
        )
    return [member.network() for member in members[:count]], entry.faces.size


def units_on(
    name: str, population: str, count: int, tell: Callable[[str], None] = lambda _: None
) -> list[UnitEvidence]:
    """As ``evidence_of``, of the set called ``name`` by ``count`` networks of ``population``."""
    networks, size = networks_with_weights(population, count)
    faces = open_faces(FaceRequest(name, size=size))
    shown_units(faces)
    tell(f"{len(faces):,} pictures of {name}; rendering {HEAD_PEOPLE.subjects} people for the heads")
    return evidence_of(faces, networks, open_faces(replace(HEAD_PEOPLE, size=size)), tell=tell)


def evidence_table(evidence: Sequence[UnitEvidence]) -> pd.DataFrame:
    """A row per unit."""
    return pd.DataFrame([each.to_row() for each in evidence])


KEPT_EVIDENCE = Path(__file__).with_name("real_units.csv")
"""``ferbook units ferplus -o`` of three networks of ``published``, committed."""


def evidence_page(results: Mapping[str, ChapterResult]) -> str:
    """``KEPT_EVIDENCE`` as a page shows it: which units carry over, and a row per unit."""
    evidence = pd.read_csv(KEPT_EVIDENCE)
    over = evidence.loc[evidence["carries_over"], "unit"].tolist()
    units = listing(over) if over else "none"
    lines = [
        f"**{len(over)} of {len(evidence)} units carry over to photographs: {units}.**",
        "",
        "| unit | shown by | pictures | AUROC | over untrained | over other heads | carries over |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in evidence.to_dict("records"):
        numbers = [
            f"{row[name]:.2f} ({row[f'{name}_low']:.2f} to {row[f'{name}_high']:.2f})" for name in MEASURED
        ]
        says = "yes" if row["carries_over"] else "no"
        lines.append(
            f"| {row['unit']} | {row['shown_by']} | {row['shown']:,} | {' | '.join(numbers)} | {says} |"
        )
    return "\n".join(lines).replace("-0.", "−0.")
