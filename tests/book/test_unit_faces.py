"""A face with each unit, and what the page on FACS makes of it."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from book import facs_page, unit_faces
from book.faces.figures import COLUMNS, packed
from book.unit_faces import UnitPictures
from synthetic_faces.facs import ALTERNATIVES, AUS, OPPOSED
from tests.made import made_faces

CODES = unit_faces.unit_codes()


class Result:
    """Stands for the result of chapter ``faces``."""

    def __init__(self, pictures):
        self.pictures = pictures

    def artefact(self, name, model):
        assert name == "switchboard" and isinstance(self.pictures, model)
        return self.pictures


@pytest.fixture(scope="module")
def pictures() -> UnitPictures:
    """Each picture as bright as its number says."""
    pixels = (np.arange(len(CODES))[:, None, None] % 200 * np.ones((1, 12, 12))).astype(np.uint8)
    return packed(made_faces(pixels, subject="toy-1"))


def test_codes_are_few_all_different_and_possible():
    named = [tuple(code.items()) for code in CODES]
    assert CODES[0] == {} and len(set(named)) == len(CODES) == 1 + 5 * len(AUS) + 9 * 28 <= 400
    assert {au for code in CODES for au in code} == set(AUS)
    for groups in (*ALTERNATIVES, [[au] for au in OPPOSED]):
        for code in CODES:
            assert not all(set(group) & set(code) for group in groups), "units that exclude each other"


def test_pictures_are_taken_as_the_codes_say(monkeypatch):
    told = {}
    monkeypatch.setattr(unit_faces, "scripted_faces", lambda script, **how: told.update(how, script=script))
    unit_faces.unit_faces(48, face_seed=3)
    shown = told["script"].intensities
    assert (told["size"], told["seed"]) == (48, 3) and len(set(told["script"].people)) == 1
    place = CODES.index({"AU6": "C", "AU12": "E"})
    intensities = {AUS[k]: shown[place, k].tolist() for k in np.flatnonzero(shown[place, :, 0])}
    assert intensities == {"AU6": [0.6, 0.6], "AU12": [1.0, 1.0]}
    assert not shown[0].any()


def test_the_sheet_holds_every_picture_and_what_each_unit_changes(pictures):
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(pictures.sheet))).convert("L"))
    rows = -(-(len(CODES) + len(AUS)) // COLUMNS)
    assert sheet.shape == (12 * rows, 12 * COLUMNS)
    grey = sheet.reshape(rows, 12, COLUMNS, 12).mean(axis=(1, 3)).ravel()
    np.testing.assert_allclose(grey[: len(CODES)], np.arange(len(CODES)) % 200, atol=8)
    full = np.array([CODES.index({au: "E"}) for au in AUS])
    change = grey[len(CODES) : len(CODES) + len(AUS)]
    np.testing.assert_allclose(change, np.clip(128 + full % 200, 0, 255), atol=8)


def test_every_unit_has_its_section_with_and_without_pictures(pictures):
    for results, tiles in (({}, 0), ({"faces": Result(pictures)}, 3 * len(AUS))):
        text = facs_page.units(results)
        assert re.findall(r"(?m)^### (AU\d+)$", text) == list(AUS)
        assert text.count('class="facs-tile"') == tiles and "Zygomaticus major" in text


def test_the_units_of_an_emotion_are_those_of_its_variants():
    rows = dict(line.split(" | ", 1) for line in facs_page.emotions({}).splitlines()[2:])
    # 34 % of .99, 20 % of .98, 16 % of .98, 12 % of .99, 10 % of .15, 8 % of .95, as shares of 1.
    assert "[12](#au12) in 90 %" in rows["| happiness"]
    assert "6 in 51 %" in rows["| happiness"] and "AU" not in rows["| anger"]
