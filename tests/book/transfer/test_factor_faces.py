"""Faces between two domains as a face set: one row per picture, paired over the conditions, made once."""

import numpy as np
import pytest

from book.transfer import factor_faces as module
from book.transfer.factor_faces import condition_rows, factor_faces, render_factors
from fer_lib.faces.faceset import FaceSet
from ferbook.errors import ParameterError
from synthetic_faces.errors import SettingError
from synthetic_faces.facs import AUS
from synthetic_faces.mix import FACTORS, conditions
from synthetic_faces.produce import Recipe


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_CACHE", str(tmp_path))


def test_pictures_are_paired_over_the_conditions(monkeypatch):
    kinds = conditions("lab", "micro")
    pixels = np.arange(len(kinds) * 6, dtype=np.uint8).reshape(len(kinds), 6, 1, 1) * np.ones(
        (2, 2), np.uint8
    )
    units = np.linspace(0, 1, len(kinds) * 6 * len(AUS)).reshape(len(kinds), 6, len(AUS))
    monkeypatch.setattr(module, "render_conditions", lambda *_, **__: (pixels, units))
    faces = render_factors(Recipe("lab", 3, 16), "micro", people=2)
    table = faces.table
    assert len(faces) == len(kinds) * 6 and faces.pixels[:, 0, 0].tolist() == list(range(len(faces)))
    np.testing.assert_array_equal(table[list(AUS)].to_numpy(), units.reshape(-1, len(AUS)))
    assert list(table["condition"].drop_duplicates()) == [kind.name for kind in kinds]
    who = table[["subject", "emotion", "sequence"]].to_numpy().reshape(len(kinds), 6, 3)
    assert (who == who[0]).all()
    assert list(who[0, :, 1]) == ["disgust", "happiness", "surprise"] * 2
    assert list(who[0, ::3, 0]) == ["lab-S200001", "lab-S200002"]
    assert set(table["split"]) == {"test"} and set(table["factor"]) == {"", *FACTORS}


def test_faces_are_rendered_once(own_cache, monkeypatch):
    made = []

    def fake(recipe, other, people):
        made.append((other, people))
        table = condition_rows(recipe.domain, other, people)
        return FaceSet("between", np.zeros((len(table), 16, 16), np.uint8), table)

    monkeypatch.setattr(module, "render_factors", fake)
    first, again = (factor_faces(2, size=16) for _ in range(2))
    assert first.checksum == again.checksum and made == [("wild", 2)]
    factor_faces(3, size=16)
    factor_faces(2, size=16, seed=1)
    factor_faces(2, size=16, other="game")
    assert len(made) == 4


@pytest.mark.parametrize(
    ("arguments", "message", "error"),
    [
        ({"people": 1}, "people 1: give at least 2", ParameterError),
        ({"size": 8}, "size is 8", SettingError),
        ({"other": "lab"}, "both lab", SettingError),
        ({"other": "zoo"}, "no synthetic domain 'zoo'", SettingError),
    ],
)
def test_what_cannot_be_made_is_refused(arguments, message, error):
    with pytest.raises(error, match=message):
        factor_faces(**arguments)
