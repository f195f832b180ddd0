"""The figures of the faces show the pictures and counts that they were given."""

import numpy as np
import pytest

from book.faces import figures
from book.faces.study import nearest
from face_sets.faceset import FaceSet
from synthetic_faces.studio import Switched
from tests.made import even_pictures, made_faces


def toy_faces(aus: bool = False, size: int = 48, subjects: int = 6) -> FaceSet:
    """Three emotions; the grey value of a picture tells its emotion and subject."""
    who, emotions = np.tile(np.arange(subjects), 3), np.repeat(["neutral", "anger", "happiness"], subjects)
    units = {"AU4": 1.0 * (emotions == "anger"), "AU12": 0.5 * (emotions == "happiness")}
    return made_faces(
        even_pictures((80 * np.repeat(range(3), subjects) + who) % 256, size),
        subject=[f"s{number}" for number in who],
        emotion=emotions,
        split=np.array(["train", "train", "train", "valid", "test", "test"])[who % 6],
        **(units if aus else {}),
    )


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


DRAWINGS = {
    "expressions": lambda: figures.expressions(
        toy_faces().pixels[[0, 6, 12]], ("neutral", "anger", "fear"), ("", "4+7", "1+2+5")
    ),
    "switched_units": lambda: figures.switched_units(toy_switched()),
    "one_unit": lambda: figures.one_unit(*toy_unit(), "AU12"),
    "nearest": lambda: figures.nearest_pictures(toy_faces(), nearest(toy_faces()), 3),
    "face_rows": lambda: figures.face_rows({"a": toy_faces(), "b": toy_faces(size=24)}, "Two.", 3, 0),
    "au_by_emotion": lambda: figures.au_by_emotion(toy_faces(aus=True)),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_what_is_drawn_can_be_stored(name, well_drawn):
    well_drawn(DRAWINGS[name])


def test_au_heat_map_by_hand():
    faces = toy_faces(aus=True)
    table = faces.table.copy()
    # Of the six pictures of happiness two lose AU12, and of another it was not coded.
    table.loc[[12, 13], "AU12"] = 0.0
    table.loc[14, "AU12"] = np.nan
    drawn = figures.au_by_emotion(FaceSet("toy", faces.pixels, table))
    found = drawn.data.set_index(["emotion", "au"])
    assert found["present"].to_dict() == {
        ("neutral", "AU4"): 0.0,
        ("neutral", "AU12"): 0.0,
        ("anger", "AU4"): 1.0,
        ("anger", "AU12"): 0.0,
        ("happiness", "AU4"): 0.0,
        ("happiness", "AU12"): 0.6,
    }
    assert found["intensity"]["happiness", "AU12"] == pytest.approx(0.3)
    assert found["intensity"]["anger", "AU4"] == 1.0
    assert "neutral none; anger AU4 (100.0 %); happiness AU12 (60.0 %)" in drawn.alt


def test_a_unit_that_was_never_coded_in_an_emotion_is_missing_not_absent():
    faces = toy_faces(aus=True)
    table = faces.table.assign(AU4=faces.table["AU4"].where(faces.table["emotion"].ne("anger")))
    data = figures.au_by_emotion(FaceSet("toy", faces.pixels, table)).data
    assert data.set_index(["emotion", "au"])["present"].isna().to_dict()["anger", "AU4"]


def test_switched_units_say_how_much_of_the_change_lies_in_the_region():
    drawn = figures.switched_units(toy_switched())
    data = drawn.data
    assert data["inside"].tolist() == [1.0, 0.5]
    assert data["region"].tolist() == [0.5, 0.5]
    assert data["changed"].tolist() == [0.25, 0.25]
    # 16 of 32 pixels; of the other half in and half out: 8 of 40. The other unit's region is the same.
    assert data["iou"].tolist() == data["iou_of_others"].tolist() == [0.5, 0.2]
    assert "least for AU12 (50.0 %)" in drawn.alt


def test_rows_of_sets_show_other_people_first():
    assert figures.face_rows({"a": toy_faces()}, "One.", 6, 0).data["subject"].nunique() == 6


def test_expressions_say_how_much_of_the_picture_moved():
    pictures = np.full((2, 4, 4), 100, np.uint8)
    pictures[1, 0] = 120
    pictures[1, 1] = 110  # not seen
    drawn = figures.expressions(pictures, ("neutral", "anger"), ("", "4+7"))
    assert drawn.data["moved"].tolist() == [0, 0.25]
    assert [axes.get_title(loc="left") for axes in drawn.figure.axes] == ["neutral\nno AU", "anger\n4+7"]
    assert "anger (4+7) 25.0 %" in drawn.alt


def test_one_unit_says_what_changed_and_moved():
    drawn = figures.one_unit(*toy_unit(), "AU12")
    shares = drawn.data[["both", "change_alone", "region_alone", "iou"]]
    assert shares.iloc[0].tolist() == [0.25, 0.125, 0.125, 0.5]
    assert "IoU 0.50" in drawn.caption


def test_the_nearest_of_all_may_be_the_same_person_and_the_other_may_not():
    faces = toy_faces()
    faces.table["subject"] = np.repeat(["a", "b", "c"], 6)  # the grey of a picture tells its person
    drawn = figures.nearest_pictures(faces, nearest(faces), 3)
    assert (drawn.data["of_all_emotion"] == drawn.data["emotion"]).all()
    assert (drawn.data["of_other_people_emotion"] != drawn.data["emotion"]).all()
    assert "is the same person in 100.0 %" in drawn.caption
    assert "0 of the former, 3 of the latter" in drawn.alt
    marked = [axes.get_title(loc="left")[:1] == "✗" for axes in drawn.figure.axes]
    assert marked == [False] * 6 + [True] * 3


def test_switched_units_begin_with_the_face_without_any():
    drawn = figures.switched_units(toy_switched())
    figure, data = drawn.figure, drawn.data
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[0] == "all off" and titles[2] == "AU1" and data["au"].tolist() == ["AU1", "AU12"]
    shown = np.asarray(figure.axes[0].images[0].get_array()).astype(int)
    assert np.abs(shown - 100).max() <= 255 / 63, "within the grey levels that are kept"
    # A change of -20 and one of +20 are drawn at equal distance from no change.
    drawn = np.asarray(figure.axes[5].images[0].get_array())
    assert drawn.min() == -20 and np.unique(drawn).tolist() == [-20, 0]


def test_the_heat_map_tells_never_from_rarely_and_from_not_coded():
    faces = toy_faces(aus=True, subjects=120)
    table = faces.table.copy()
    happy = np.flatnonzero(table["emotion"] == "happiness")
    table.loc[happy, "AU4"] = 0.0
    table.loc[happy[0], "AU4"] = 0.5
    table.loc[happy[0], "AU12"] = 0.0
    table.loc[table["emotion"] == "neutral", "AU12"] = np.nan
    figure = figures.au_by_emotion(FaceSet("toy", faces.pixels, table)).figure
    texts = {(text.get_position(), text.get_text()) for text in figure.axes[0].texts}
    # Across: neutral, anger, happiness; downwards: AU4, AU12.
    assert texts >= {((0.5, 0.5), ""), ((1.5, 0.5), "100"), ((2.5, 0.5), "<1")}
    assert texts >= {((0.5, 1.5), "–"), ((1.5, 1.5), ""), ((2.5, 1.5), ">99")}
