"""What the switchboard shows, and what the page on FACS makes of it."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from book import facs_page, switchboard
from book.faces.packing import COLUMNS, packed
from book.several_people import PeopleFilter, SeveralPeople, single_codes
from book.switchboard import ShownFilter, SwitchboardPictures, SwitchboardResponses
from fer_lib.aus.detectors import Detector, Detectors
from fer_lib.faces.faceset import FaceSet
from ferbook.errors import RunStoreError
from synthetic_faces.facs import ALTERNATIVES, AUS, OPPOSED

CODES = switchboard.switchboard_codes()


class Result:
    """Stands for a chapter's result that has a switchboard, or detectors, or neither."""

    def __init__(self, switchboard=None, detectors=None):
        self.contents = {"switchboard": switchboard, "detectors": detectors}

    def artefact(self, name, model):
        if self.contents[name] is None:
            raise RunStoreError(f"{name} is not there")
        assert isinstance(self.contents[name], model)
        return self.contents[name]


@pytest.fixture(autouse=True)
def no_reference(monkeypatch):
    """The page is of one person, as where the reference's network is not kept."""

    def absent():
        raise RunStoreError("no run 'reference'")

    monkeypatch.setattr(facs_page, "several_people", absent)


@pytest.fixture(scope="module")
def pictures() -> SwitchboardPictures:
    """Each picture as bright as its number says; AU1 moves a square with a hole."""
    pixels = (np.arange(len(CODES))[:, None, None] % 200 * np.ones((1, 12, 12))).astype(np.uint8)
    masks = np.zeros((len(CODES), 12, 12), np.uint32)
    masks[CODES.index({"AU1": "E"}), 2:9, 2:9] = 1
    masks[CODES.index({"AU1": "E"}), 5, 5] = 0
    row = {"dataset": "toy", "subject": "toy-1", "sequence": "", "frame": 0, "emotion": "", "split": "test"}
    table = pd.DataFrame([row] * len(CODES))
    return packed(FaceSet("toy", pixels, table, masks=masks, mask_aus=AUS))


@pytest.fixture(scope="module")
def answers() -> SwitchboardResponses:
    rows = np.random.default_rng(0).random((2, len(CODES))).round(3)
    filters = [
        ShownFilter(filter=k, unit=au, responses=row)
        for k, au, row in zip((44, 7), ("AU12", ""), rows.tolist(), strict=True)
    ]
    return SwitchboardResponses(layer="relu3", filters=filters)


def test_codes_are_few_all_different_and_possible():
    named = [tuple(code.items()) for code in CODES]
    assert CODES[0] == {} and len(set(named)) == len(CODES) == 1 + 5 * len(AUS) + 9 * 28 <= 400
    assert {au for code in CODES for au in code} == set(AUS)
    for groups in (*ALTERNATIVES, [[au] for au in OPPOSED]):
        for code in CODES:
            assert not all(set(group) & set(code) for group in groups), "units that exclude each other"


def test_pictures_are_taken_as_the_codes_say(monkeypatch):
    told = {}
    monkeypatch.setattr(switchboard, "scripted_faces", lambda script, **how: told.update(how, script=script))
    switchboard.switchboard_faces(48, face_seed=3)
    shown = told["script"].intensities
    assert (told["size"], told["seed"]) == (48, 3) and len(set(told["script"].people)) == 1
    place = CODES.index({"AU6": "C", "AU12": "E"})
    assert {AUS[k]: shown[place, k].tolist() for k in np.flatnonzero(shown[place, :, 0])} == {
        "AU6": [0.6, 0.6],
        "AU12": [1.0, 1.0],
    }
    assert not shown[0].any()


def test_a_filter_answers_every_picture_once():
    with pytest.raises(ValueError, match="filter 3: 2 responses, one for each of the 368"):
        ShownFilter(filter=3, unit="AU1", responses=(0.1, 0.2))


def test_the_sheet_holds_every_picture_and_what_each_unit_changes(pictures):
    import base64
    import io

    from PIL import Image

    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(pictures.sheet))).convert("L"))
    rows = -(-(len(CODES) + len(AUS)) // COLUMNS)
    assert sheet.shape == (12 * rows, 12 * COLUMNS)
    grey = sheet.reshape(rows, 12, COLUMNS, 12).mean(axis=(1, 3)).ravel()
    np.testing.assert_allclose(grey[: len(CODES)], np.arange(len(CODES)) % 200, atol=8)
    full = np.array([CODES.index({au: "E"}) for au in AUS])
    change = grey[len(CODES) : len(CODES) + len(AUS)]
    np.testing.assert_allclose(change, np.clip(128 + full % 200, 0, 255), atol=8)
    assert pictures.outlines["AU1"].count("M") == 2 and pictures.outlines["AU2"] == ""


def test_the_page_shows_a_face_and_the_answers_to_it_without_a_script(pictures, answers):
    shown = facs_page.switchboard({"faces": Result(pictures), "au_verification": Result(answers)})
    assert "\n" not in shown
    data = json.loads(re.search(r'id="switchboard-data">(.*?)</script>', shown)[1])
    place = data["codes"].index("AU6C+AU12E")
    row, column = divmod(place, data["columns"])
    assert f"--row:{row};--column:{column}" in shown and "AU6 C (cheek raiser) + AU12 E" in shown
    assert "filter 44: not AU12, here <i>" in shown and "filter 7<" in shown
    assert f"<b>{answers.filters[0].responses[place]:.3g}</b>" in shown
    assert [[len(own) for own in each["answers"]] for each in data["filters"]] == [[len(CODES)]] * 2
    assert data["sheets"] == []


def test_beside_a_bar_stand_the_verdict_and_the_unit_that_moves_it_most_in_this_face(pictures):
    def told(moved_by, **rises):
        row = np.full(len(CODES), 2.0)
        for au, rise in rises.items():
            row[CODES.index({au: "E"})] += rise
        board = SwitchboardResponses(
            layer="relu3", filters=[ShownFilter(filter=9, unit="AU2", responses=row.tolist())]
        )
        found = Detectors(
            layer="relu3", filters=[Detector(filter=9, au="AU2", association=0.7, moved_by=moved_by)]
        )
        shown = facs_page.switchboard({"faces": Result(pictures), "au_verification": Result(board, found)})
        return re.sub("</?i>", "", re.search(r"<li><span>(.*?)</span>", shown)[1])

    assert told("AU2", AU9=0.35, AU4=0.3) == "filter 9: ✓ AU2, here AU9"
    assert told("AU4", AU2=1.0) == "filter 9: not AU2, here AU2"
    assert told("AU2", AU2=-1.0) == "filter 9: ✓ AU2, here none"


def test_each_filter_says_in_how_many_people_the_named_unit_moves_it_most(pictures, answers, monkeypatch):
    first, others = np.ones(len(CODES)), np.ones((2, len(single_codes())))
    first[CODES.index({"AU4": "E"})] = 3
    others[:, single_codes().index({"AU9": "E"})] = 2
    others[1, single_codes().index({"AU4": "E"})] = 5
    rows = (first.tolist(), *others.tolist())
    filters = tuple(
        PeopleFilter(filter=number, unit=unit, kind=kind, answers=rows)
        for number, unit, kind in ((76, "AU4", "verified"), (5, "AU9", "untrained"))
    )
    people = SeveralPeople(detectors="", size=48, sheets=("one", "two"), filters=filters)
    monkeypatch.setattr(facs_page, "several_people", lambda: people)
    shown = facs_page.switchboard({"faces": Result(pictures), "au_verification": Result(answers)})
    assert "filter 76: ✓ AU4, here <i>AU4</i> (2 of 3)" in shown
    assert "filter 5: AU9, here <i>AU4</i> (1 of 3)" in shown
    data = json.loads(re.search(r'id="switchboard-data">(.*?)</script>', shown)[1])
    assert len(data["sheets"]) == 2 and len(data["sheetCodes"]) == len(others[0]) and "" in data["sheetCodes"]
    assert shown.index("Verified:") < shown.index("Of an untrained network")


def test_what_no_run_has_made_is_said(pictures):
    assert "ferbook run faces" in facs_page.switchboard({})
    assert "ferbook run au_verification" in facs_page.switchboard(
        {"faces": Result(pictures), "au_verification": Result()}
    )


def test_every_unit_has_its_section_with_and_without_pictures(pictures):
    for results, tiles in (({}, 0), ({"faces": Result(pictures)}, 3 * len(AUS))):
        text = facs_page.units(results)
        assert re.findall(r"(?m)^### (AU\d+)$", text) == list(AUS)
        assert text.count("facs-tile") == tiles and "Zygomaticus major" in text


def test_the_units_of_an_emotion_are_those_of_its_variants():
    rows = dict(line.split(" | ", 1) for line in facs_page.emotions({}).splitlines()[2:])
    # 34 % of .99, 20 % of .98, 16 % of .98, 12 % of .99, 10 % of .15, 8 % of .95, as shares of 1.
    assert "[12](#au12) in 90 %" in rows["| happiness"]
    assert "6 in 51 %" in rows["| happiness"] and "AU" not in rows["| anger"]
