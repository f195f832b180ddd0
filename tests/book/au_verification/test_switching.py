"""What is told of units that were switched on, on small constructed inputs."""

import numpy as np
import pandas as pd
import pytest
from toy_effects import effects_of_size

from book.au_verification import switching
from fer_lib.aus.interventions import Interventions
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.responses import Responses

AUS = ("AU1", "AU2", "AU12")


def switched(levels: tuple[float, ...] = (0.5, 1.0)) -> Interventions:
    """Two base faces; the grey value of a picture is its number, 1 + unit * levels + level, plus 100 for the
    second face.
    """
    per_face = 1 + len(AUS) * len(levels)
    numbers = np.concatenate([np.arange(per_face), 100 + np.arange(per_face)])
    pixels = np.repeat(numbers, 64).reshape(-1, 8, 8).astype(np.uint8)
    table = pd.DataFrame(
        {"subject": np.repeat(["a", "b"], per_face), "frame": 0, "emotion": "neutral", "split": "test"}
    ).assign(dataset="toy", sequence="")
    masks = np.ones(pixels.shape, np.uint32)
    faces = FaceSet("toy", pixels, table, masks=masks, mask_aus=AUS)
    valid, doses = np.ones((2, len(AUS)), bool), (1.0,) * len(AUS)
    return Interventions(faces, AUS, levels, np.array(["a", "b"]), np.zeros(2, int), valid, doses)


def test_the_showcase_begins_with_verified_filters_of_different_units():
    table = pd.DataFrame(
        {
            "filter": range(7),
            "named": ["AU1", "AU1", "AU1", "AU2", "AU12", "AU2", ""],
            "overall": ["AU1", "AU1", "AU1", "AU2", "AU12", "", ""],
            "within": ["AU1", "AU1", "AU1", "AU2", "", "", ""],
            "score": [5.0, 9.0, 7.0, 4.0, np.nan, np.nan, np.nan],
            "verified": [True, True, False, True, False, False, False],
        }
    )
    chosen = switching.showcase(table, 9)
    assert chosen["filter"].tolist() == [1, 3, 0, 2, 4, 5]
    assert chosen["au"].tolist() == ["AU1", "AU2", "AU1", "AU1", "AU12", "AU2"]
    assert switching.showcase(table, 2)["filter"].tolist() == [1, 3]
    none_verified = switching.showcase(table.assign(verified=False), 3)
    assert none_verified["filter"].tolist() == [1, 3, 2] and none_verified["filter"].dtype == int
    none_within = switching.showcase(table.assign(within="", score=np.nan, verified=False), 9)
    assert none_within["filter"].tolist() == [0, 3, 4, 1, 2, 5] and none_within["filter"].dtype == int


def test_top_pairs_give_every_filter_as_many_pictures_as_the_poorest_has():
    maxima = np.arange(12, dtype=np.float32).reshape(4, 3)
    responses = Responses("relu", maxima, np.zeros((4, 3, 2), np.int16), (2, 2))
    top = np.array([[3, 2, 1], [0, 3, -1], [1, 0, 2]])
    chosen = pd.DataFrame({"filter": [1, 2], "au": ["AU1", "AU12"]})
    rows = switching.top_pairs(chosen, responses, top)
    assert rows["filter"].tolist() == [1, 1, 2, 2] and rows["picture"].tolist() == [0, 3, 1, 0]
    assert rows["response"].tolist() == [1, 10, 5, 2] and rows["au"].tolist() == ["AU1"] * 2 + ["AU12"] * 2


def test_changed_pixels_are_those_of_the_claimed_unit_at_the_highest_level():
    chosen = pd.DataFrame({"filter": [4, 5], "au": ["AU12", "AU99"]})
    changes = switching.changed_pixels(switched(), chosen)
    assert (changes[0] == 6).all() and not changes[1].any()


def test_the_effect_table_has_a_row_per_filter_unit_and_level():
    effects = effects_of_size([[0.5, 3.0, 0.0], [0.0, 0.0, -2.0]], AUS)
    table = switching.effect_table(effects, pd.DataFrame({"filter": [1, 0], "au": ["AU12", "AU2"]}))
    assert table["filter"].tolist() == [1] * 6 + [0] * 6
    full = table[table["level"].eq(1)].set_index(["filter", "au"])
    assert full.loc[(0, "AU2"), "effect"] == 3 and full.loc[(1, "AU12"), "low"] == pytest.approx(-2.1)
    assert full["survives"].tolist() == [False, False, True, False, True, False]
    assert full["claimed"].tolist() == [False, False, True, False, True, False]
    assert table.loc[1, "effect"] == 0 and table.iloc[8]["effect"] == 1.5
