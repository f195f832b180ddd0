"""Transfer between families whose signal is made up here."""

import numpy as np
import pandas as pd
import pytest

from book.faces import carry_over
from book.faces.carry_over import BOTH, BUILD, PHOTOGRAPHS, SAME_FAMILY, SHAPES, FamilyScores
from face_sets.faceset import FaceSet
from fer_lib.train.recipe import TrainingRecipe
from ferbook.estimate import Estimate
from tests.made import made_faces

SPLITS = ["train", "valid", "test"]


def family(name: str, seed: int, *, coded: bool = True, flipped: bool = False) -> FaceSet:
    """90 pictures of 30 people; anger and AU4 brighten the upper half (the lower one, if ``flipped``)."""
    rng = np.random.default_rng(seed)
    angry = np.tile([0, 1, 1], 30)
    pixels = rng.integers(60, 120, (90, 48, 48)).astype(np.uint8)
    half = slice(24, 48) if flipped else slice(0, 24)
    pixels[angry == 1, half] += 90
    who = [f"{name}-{k}" for k in np.repeat(np.arange(30), 3)]
    known = {"subject": who, "sequence": [f"{name}-{k}" for k in range(90)]}
    known |= {"emotion": np.where(angry, "anger", "happiness"), "split": np.repeat(SPLITS, 30)}
    units = {"AU4": angry.astype(float), "AU12": 1.0 - angry} if coded else {}
    return made_faces(pixels, name, **known, **units)


@pytest.mark.parametrize("other, far", [("a-x", SAME_FAMILY), ("b-x", SHAPES), ("a-y", BUILD), ("b-y", BOTH)])
def test_how_far_a_family_is_from_another(other, far):
    assert carry_over.family_distance("a-x", other) == far


@pytest.mark.slow
def test_a_signal_that_both_families_share_transfers_and_a_reversed_one_does_not():
    sets = {"a-x": family("one", 0), "b-x": family("two", 1), "a-y": family("three", 2, flipped=True)}
    recipe = TrainingRecipe(epochs=8, batch_size=10, lr=0.05, augment="none")
    photos, how = family("photos", 3, coded=False), {"networks": 2, "draws": 100, "precision": "fp32"}
    scores = carry_over.score_families(sets, photos, recipe, **how)
    counts = {SAME_FAMILY: 2, SHAPES: 2, BUILD: 1, BOTH: 1, PHOTOGRAPHS: 2}
    assert {distance: len(each) for distance, each in scores.items()} == counts
    first = {distance: each[0] for distance, each in scores.items()}
    assert first[SAME_FAMILY].expressions[0] == first[SHAPES].expressions[0] == first[SHAPES].units[0] == 1
    assert first[BUILD].expressions[0] <= 0.5, "brightness at the bottom is no anger here"
    assert (first[SAME_FAMILY].pictures, first[SHAPES].pictures) == (30, 90), "held-out people of its own"
    assert first[PHOTOGRAPHS].units is None
    counted = first[BUILD].confusion
    assert (counted.diagonal() / counted.sum(axis=1)).mean() == pytest.approx(first[BUILD].expressions[0])

    table = carry_over.carry_over_table(scores)
    assert list(table.data.index) == [SAME_FAMILY, SHAPES, BUILD, BOTH, PHOTOGRAPHS]
    assert isinstance(table.data.loc[BOTH, "expressions"], Estimate)
    assert pd.isna(table.data.loc[PHOTOGRAPHS, "units"])
    names = {"expressions_own", "units_own", "expressions_other", "units_other", "expressions_photographs"}
    assert set(carry_over.carry_over_metrics(table)) == names


def test_networks_are_averaged_with_all_their_resamples():
    values = [np.array([0.5, 0.4, 0.6]), np.array([0.7, 0.6, 0.8])]
    scores = [FamilyScores(np.diag([4, 6]), 5, one, one, one - 0.2) for one in values]
    row = carry_over.carry_over_table({SAME_FAMILY: scores}).data.loc[SAME_FAMILY]
    mean = row["expressions"]
    assert (mean.value, mean.n, row["networks"], row["pictures"]) == (pytest.approx(0.6), 20, 2, 20)
    assert mean.low == pytest.approx(0.5, abs=0.01) and mean.high == pytest.approx(0.7, abs=0.01)
    assert row["units, untrained network"].value == pytest.approx(0.4)
