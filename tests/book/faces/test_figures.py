"""The figures of the faces show the pictures and counts that they were given."""

import numpy as np
import pytest

from book.faces import figures
from book.faces.study import nearest
from face_sets.faceset import LABELS, FaceSet
from face_sets.facs_codes import parse_codes
from synthetic_faces.expressions import typical_aus
from synthetic_faces.studio import Switched
from tests.made import even_pictures, made_faces


def toy_faces(aus: bool = False, size: int = 48, subjects: int = 6) -> FaceSet:
    """Three emotions; the grey value of a picture is that of its emotion and subject."""
    who, emotions = np.tile(np.arange(subjects), 3), np.repeat(["neutral", "anger", "happiness"], subjects)
    units = {"AU4": 1.0 * (emotions == "anger"), "AU12": 0.5 * (emotions == "happiness")}
    pixels = even_pictures((80 * np.repeat(range(3), subjects) + who) % 256, size)
    split = np.array(["train", "train", "train", "valid", "test", "test"])[who % 6]
    known = {"subject": [f"s{number}" for number in who], "emotion": emotions, "split": split}
    return made_faces(pixels, **known, **(units if aus else {}))


def toy_unit() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A face of 8 x 8 pixels off and on, and a region: two rows share both, one only either."""
    off = np.full((8, 8), 100, np.uint8)
    on, region = off.copy(), np.zeros((8, 8), bool)
    on[:3] -= 40
    region[1:4] = True
    return off, on, region


def toy_switched() -> Switched:
    """Two units, the first of which changes its own region only, the second half its own and half outside."""
    off = np.full((8, 8), 100, np.uint8)
    on = np.stack([off, off])
    masks = np.zeros((2, 8, 8), bool)
    masks[:, :4] = True
    on[0, :2] += 40
    on[1, 3:5] -= 20
    return Switched(("AU1", "AU12"), off, on, masks)


def test_typical_codes_are_the_typical_units():
    codes = {name: figures.typical_codes(name) for name in LABELS}
    assert (codes["neutral"], codes["surprise"], codes["contempt"]) == ("", "1+2+5+25+26", "L14")
    for emotion, text in codes.items():
        assert {f"AU{code.au}" for code in parse_codes(text)} == set(typical_aus(emotion))


def test_the_heat_map_shows_the_coded_pictures_and_marks_never_rarely_and_not_coded(well_drawn):
    faces = toy_faces(aus=True, subjects=120)
    table = faces.table.copy()
    happy = np.flatnonzero(table["emotion"] == "happiness")
    table.loc[happy, "AU4"] = 0.0
    table.loc[happy[0], "AU4"] = 0.5
    table.loc[happy[0], "AU12"] = 0.0
    table.loc[happy[1], "AU12"] = np.nan
    table.loc[table["emotion"] == "neutral", "AU12"] = np.nan
    drawn = well_drawn(lambda: figures.au_by_emotion(FaceSet("toy", faces.pixels, table)))
    data = drawn.data.set_index(["emotion", "au"])
    shown = {("anger", "AU4"): 1, ("anger", "AU12"): 0, ("happiness", "AU4"): 1 / 120}
    for key, value in (shown | {("happiness", "AU12"): 118 / 119}).items():
        assert data["present"][key] == pytest.approx(value), key
    assert np.isnan(data["present"]["neutral", "AU12"])
    assert data["intensity"]["happiness", "AU12"] == pytest.approx(0.5 * 118 / 119)
    assert "AU4 (100.0 %)" in drawn.alt and "AU12 (99.2 %)" in drawn.alt
    texts = {(text.get_position(), text.get_text()) for text in drawn.figure.axes[0].texts}
    # Across: neutral, anger, happiness; downwards: AU4, AU12.
    assert texts >= {((0.5, 0.5), ""), ((1.5, 0.5), "100"), ((2.5, 0.5), "<1")}
    assert texts >= {((0.5, 1.5), "–"), ((1.5, 1.5), ""), ((2.5, 1.5), ">99")}


def test_switched_units_show_the_neutral_face_the_change_and_how_much_is_in_the_region(well_drawn):
    drawn = well_drawn(lambda: figures.switched_units(toy_switched()))
    data, axes = drawn.data, drawn.figure.axes
    assert data["au"].tolist() == ["AU1", "AU12"] and data["inside"].tolist() == [1.0, 0.5]
    assert data["region"].tolist() == [0.5, 0.5] and data["changed"].tolist() == [0.25, 0.25]
    # 16 of 32 pixels; of the other half in and half out: 8 of 40. The other unit's region is the same.
    assert data["iou"].tolist() == data["iou_of_others"].tolist() == [0.5, 0.2]
    assert "AU12 (50.0 %)" in drawn.alt and axes[2].get_title(loc="left") == "AU1"
    neutral, change = (np.asarray(axes[place].images[0].get_array()).astype(int) for place in (0, 5))
    assert np.abs(neutral - 100).max() <= 255 / 63, "within the grey levels that are stored"
    assert np.unique(change).tolist() == [-20, 0]


def test_expressions_with_the_proportion_of_changed_pixels(well_drawn):
    pictures = np.full((2, 4, 4), 100, np.uint8)
    pictures[1, 0] = 120
    pictures[1, 1] = 110  # not visible
    drawn = well_drawn(lambda: figures.expressions(pictures, ("neutral", "anger"), ("", "4+7")))
    assert drawn.data["moved"].tolist() == [0, 0.25] and "25.0 %" in drawn.alt
    assert [axes.get_title(loc="left") for axes in drawn.figure.axes] == ["neutral\nno AU", "anger\n4+7"]


def test_one_unit_with_what_changed_and_moved(well_drawn):
    drawn = well_drawn(lambda: figures.one_unit(*toy_unit(), "AU12"))
    shares = drawn.data[["both", "change_alone", "region_alone", "iou"]]
    assert shares.iloc[0].tolist() == [0.25, 0.125, 0.125, 0.5]
    assert "0.50" not in drawn.caption, "the page lets readers guess the IoU first"


def test_neighbours_of_another_emotion_are_marked_and_samples_are_of_other_people(well_drawn):
    well_drawn(lambda: figures.face_rows({"a": toy_faces(), "b": toy_faces(size=24)}, "Two.", 3, 0))
    assert figures.face_rows({"a": toy_faces()}, "One.", 6, 0).data["subject"].nunique() == 6
    faces = toy_faces()
    faces.table["subject"] = np.repeat(["a", "b", "c"], 6)  # the grey of a picture is that of its person
    drawn = well_drawn(lambda: figures.nearest_pictures(faces, nearest(faces), 3))
    assert (drawn.data["of_all_emotion"] == drawn.data["emotion"]).all()
    assert (drawn.data["of_other_people_emotion"] != drawn.data["emotion"]).all()
    assert "Of all 18, 100.0 %" in drawn.caption
    marked = [axes.get_title(loc="left")[:1] == "✗" for axes in drawn.figure.axes]
    assert marked == [False] * 6 + [True] * 3
