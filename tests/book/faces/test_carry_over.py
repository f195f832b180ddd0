"""What a network learned is asked of other families, of which the true answer is planted here."""

import numpy as np
import pandas as pd
import pytest

from book.faces import carry_over
from book.faces.carry_over import BOTH, BUILD, PHOTOGRAPHS, SAME_FAMILY, SHAPES, FamilyAnswers
from face_sets.faceset import FaceSet
from fer_lib.train.recipe import TrainingRecipe
from ferbook.estimate import Estimate
from tests.made import made_faces


def family(name: str, seed: int, *, coded: bool = True, flipped: bool = False) -> FaceSet:
    """90 pictures of 30 people; anger is bright above (below, if ``flipped``), and so is AU4."""
    rng = np.random.default_rng(seed)
    angry = np.tile([0, 1, 1], 30)
    pixels = rng.integers(60, 120, (90, 48, 48)).astype(np.uint8)
    half = slice(24, 48) if flipped else slice(0, 24)
    pixels[angry == 1, half] += 90
    known = {
        "subject": [f"{name}-{k}" for k in np.repeat(np.arange(30), 3)],
        "sequence": [f"{name}-{k}" for k in range(90)],
        "emotion": np.where(angry, "anger", "happiness"),
        "split": np.repeat(["train", "valid", "test"], 30),
    }
    units = {"AU4": angry.astype(float), "AU12": 1.0 - angry} if coded else {}
    return made_faces(pixels, name, **known, **units)


@pytest.mark.parametrize(
    ("other", "far"), [("a-x", SAME_FAMILY), ("b-x", SHAPES), ("a-y", BUILD), ("b-y", BOTH)]
)
def test_how_far_a_family_is_from_another(other, far):
    assert carry_over.family_distance("a-x", other) == far


def test_what_is_the_same_in_another_family_carries_over_and_what_is_turned_round_does_not():
    sets = {"a-x": family("one", 0), "b-x": family("two", 1), "a-y": family("three", 2, flipped=True)}
    recipe = TrainingRecipe(epochs=8, batch_size=10, lr=0.05, augment="none")
    answers = carry_over.answers_of_all(
        sets, family("photos", 3, coded=False), recipe, networks=2, draws=100, precision="fp32"
    )
    assert list(answers) == [SAME_FAMILY, SHAPES, BUILD, BOTH, PHOTOGRAPHS]
    assert [len(given) for given in answers.values()] == [2, 2, 1, 1, 2], "two learn, all are asked"
    of_first = {apart: given[0] for apart, given in answers.items() if apart != BOTH}
    assert of_first[SAME_FAMILY].expressions[0] == of_first[SHAPES].expressions[0] == 1
    assert of_first[SHAPES].units[0] == 1
    assert of_first[BUILD].expressions[0] <= 0.5, "bright below is no anger here"
    assert (of_first[SAME_FAMILY].pictures, of_first[SHAPES].pictures) == (30, 90), (
        "of its own only unseen people"
    )
    assert of_first[PHOTOGRAPHS].units is None
    counted = of_first[BUILD].confusion
    recalls = counted.diagonal() / counted.sum(axis=1)
    assert recalls.mean() == pytest.approx(of_first[BUILD].expressions[0])

    table = carry_over.carry_over_table(answers)
    assert list(table.data.index) == [SAME_FAMILY, SHAPES, BUILD, BOTH, PHOTOGRAPHS]
    assert isinstance(table.data.loc[BOTH, "expressions"], Estimate)
    assert pd.isna(table.data.loc[PHOTOGRAPHS, "units"])
    assert "units_photographs" not in carry_over.carry_over_metrics(table)


def test_the_mean_over_networks_has_the_draws_of_all():
    values = [np.array([0.5, 0.4, 0.6]), np.array([0.7, 0.6, 0.8])]
    given = [FamilyAnswers(np.diag([4, 6]), 5, one, one, one - 0.2) for one in values]
    row = carry_over.carry_over_table({SAME_FAMILY: given}).data.loc[SAME_FAMILY]
    mean = row["expressions"]
    assert (mean.value, row["networks"], row["answers"]) == (pytest.approx(0.6), 2, 20)
    assert mean.low == pytest.approx(0.5, abs=0.01) and mean.high == pytest.approx(0.7, abs=0.01)
    assert mean.n == 20 and "mean of 2 networks" in mean.how
    assert row["units, untrained"].value == pytest.approx(0.4)
