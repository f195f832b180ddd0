"""The control of the residue: faces that differ by person more than by expression, in the same pixels. A
face alone does not tell its expression; how it differs from the person's own neutral face does. Whether that
is found is what ``claims.yaml`` says of ``difference_alone``.
"""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from book.derl import study
from book.derl.stage_two import ResidueRecipe
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import protocol_of
from fer_lib.nets.derl import Generator

EMOTIONS = ("anger", "happiness", "surprise")
PEOPLE, TAKES, SIDE = 40, 3, 16
FOLDS, SEEDS = (0, 1, 2), (0, 1)
RECIPE = ResidueRecipe(epochs=6, views=1)

TRAITS = 24
"""Directions in which people's faces differ, beside those in which expressions change them."""

SHOWN, AT_REST, OF_TRAIT = 6.0, 18.0, 4.0
"""Grey levels of an expression; by which people at rest differ in its direction; and in each other one."""

ASIDE = 2
"""Pixels by which generated faces lie aside."""

_EVERY = np.linalg.qr(np.random.default_rng(0).normal(size=(SIDE**2, len(EMOTIONS) + TRAITS)))[0] * SIDE
CHANGES, OWN = _EVERY[:, : len(EMOTIONS)], _EVERY[:, len(EMOTIONS) :]
"""(SIDE², directions): patterns that are orthogonal, of a root mean square of 1 over the pixels."""


def law(seed: int) -> np.ndarray:
    """(TRAITS, emotions): how a face at rest looks in the directions of expressions, by its traits."""
    return np.random.default_rng(seed).normal(size=(TRAITS, len(EMOTIONS))) / np.sqrt(TRAITS)


TRUE_LAW, OTHER_LAW = law(1), law(2)


def planted_faces() -> FaceSet:
    """Every person at rest and with each expression, in several takes, which differ by noise."""
    generator = np.random.default_rng(0)
    traits = generator.normal(size=(PEOPLE, TRAITS))
    rest = 128 + OF_TRAIT * traits @ OWN.T + AT_REST * traits @ TRUE_LAW @ CHANGES.T
    changes = np.vstack([np.zeros(SIDE**2), SHOWN * CHANGES.T])
    pictures = rest[:, None, None] + changes[:, None] + generator.normal(size=(PEOPLE, 4, TAKES, SIDE**2))
    table = pd.DataFrame(
        [
            {"subject": f"p{person:02}", "sequence": f"{person} {take}", "frame": number, "emotion": emotion}
            for person in range(PEOPLE)
            for number, emotion in enumerate(("neutral", *EMOTIONS))
            for take in range(TAKES)
        ]
    ).assign(dataset="lab", split="train")
    grey = np.clip(pictures, 0, 255).round().astype(np.uint8)
    return FaceSet("lab", grey.reshape(-1, SIDE, SIDE), table)


class PlantedGenerator(nn.Module):
    """Knows by a ``law`` (TRAITS, emotions) how a face looks at rest: its layers hold what is shown beyond
    that, everywhere alike, and its picture is that face, ``ASIDE``.
    """

    def __init__(self, law: np.ndarray) -> None:
        super().__init__()
        for name, values in {"changes": CHANGES, "own": OWN, "law": law}.items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32))
        self.sides = {f"pair{side}": side for side in (8, 4, 2, 1)}
        self.channels = dict.fromkeys(self.sides, len(EMOTIONS))

    def shown(self, pictures: Tensor) -> Tensor:
        """Grey levels (B, emotions)."""
        pixels = (255 * pictures - 128).flatten(1)
        traits = pixels @ self.own / SIDE**2 / OF_TRAIT
        return pixels @ self.changes / SIDE**2 - AT_REST * traits @ self.law

    def residues(self, pictures: Tensor) -> dict[str, Tensor]:
        shown = self.shown(pictures)[:, :, None, None] / SHOWN
        return {name: shown.expand(-1, -1, side, side) for name, side in self.sides.items()}

    def forward(self, pictures: Tensor) -> Tensor:
        neutral = pictures - (self.shown(pictures) @ self.changes.T / 255).view_as(pictures)
        return neutral.roll(ASIDE, dims=3)


@pytest.mark.slow
def test_claims_says_whether_the_residue_is_found_ahead_where_a_difference_alone_tells(planted_answers):
    faces = planted_faces()
    protocol = protocol_of(faces)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generators = {"untrained": Generator(SIDE).eval()}
    generators |= {"trained": PlantedGenerator(TRUE_LAW), "shuffled": PlantedGenerator(OTHER_LAW)}
    conditions = [name for name in study.CONTEST_CONDITIONS if name != study.SINGLE_PAIRS]
    how = {"conditions": conditions, "folds": FOLDS, "precision": "fp32"}
    studies = [
        each
        for seed in SEEDS
        for each in study.residue_study(faces, protocol, generators, RECIPE, seed=seed, **how)
    ]
    whole = study.joined(studies)
    metrics = study.residue_metrics(study.contest_of(whole, faces, protocol), whole)
    answers, finds = planted_answers("difference_alone", derl=metrics)
    assert (answers == {"yes"}) is finds
