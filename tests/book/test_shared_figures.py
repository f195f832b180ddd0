"""Figures that several chapters draw show the numbers that they were given."""

import numpy as np
import pandas as pd
import pytest

from book import shared_figures
from face_sets.faceset import EMOTIONS, FaceSet
from ferbook.page.style import FigureError
from tests.made import even_pictures, made_faces


def toy_matrix() -> pd.DataFrame:
    names = ["neutral", "anger", "fear"]
    return pd.DataFrame([[8, 2, 0], [1, 3, 0], [0, 0, 0]], index=names, columns=names)


def toy_clip() -> FaceSet:
    """Frames in no order; the change from the first is largest at frame 30, AU12 acts and AU4 does not."""
    frames = np.array([10, 40, 30, 20])
    greys = {10: 50, 20: 60, 30: 80, 40: 55}
    shown = {"frame": frames, "AU4": 0.0, "AU12": [0, 0.1, 0.3, 0.2], "fps": 200.0}
    return made_faces(even_pictures([greys[f] for f in frames], 8), subject="s", sequence="c", **shown)


def test_confusion_shares_and_words_by_hand():
    drawn = shared_figures.confusion_matrix(toy_matrix())
    share = drawn.data.set_index(["true", "predicted"])["share"]
    assert share["neutral", "anger"] == 0.2
    assert share["anger", "anger"] == 0.75
    assert share["fear"].isna().all()
    assert "neutral 80.0 % and anger 75.0 %" in drawn.alt
    assert "anger with neutral (25.0 %) and neutral with anger (20.0 %)" in drawn.alt
    assert "Never" not in drawn.caption, "fear does not occur"


def test_a_class_without_a_correct_answer_is_named_and_ties_are_not_picked_from():
    names = ["neutral", "anger", "fear"]
    matrix = pd.DataFrame([[6, 2, 2], [2, 6, 2], [9, 0, 0]], index=names, columns=names)
    caption = shared_figures.confusion_matrix(matrix).caption
    assert "Never recognised: fear (0 of 9)" in caption and "anger with" not in caption
    assert "fear with neutral (100.0 %)" in caption


def test_confusion_cells_are_drawn_where_they_belong():
    figure = shared_figures.confusion_matrix(toy_matrix()).figure
    drawn = np.asarray(figure.axes[0].collections[0].get_array().filled(-1)).reshape(3, 3)
    np.testing.assert_allclose(drawn, [[80, 20, 0], [25, 75, 0], [-1, -1, -1]])


def test_a_perfect_confusion_matrix_says_so():
    matrix = pd.DataFrame(np.eye(8, dtype=int) * 5, index=list(EMOTIONS), columns=list(EMOTIONS))
    drawn = shared_figures.confusion_matrix(matrix)
    assert len(drawn.data) == 64 and drawn.alt.endswith(": none.")


def test_a_clip_is_shown_in_the_order_of_its_frames_with_the_units_that_act():
    drawn = shared_figures.clip_strip(toy_clip())
    data = drawn.data
    assert data["frame"].tolist() == [10, 20, 30, 40]
    assert data["change"].tolist() == [0, 10, 30, 5]
    assert data["milliseconds"].tolist() == [0, 50, 100, 150]
    assert "AU12" in data and "AU4" not in data
    assert "largest at frame 30" in drawn.alt


def test_a_strip_holds_the_apex_where_it_is_known():
    faces = toy_clip()
    clip = FaceSet("toy", faces.pixels, faces.table.assign(apex=30))
    drawn = shared_figures.clip_strip(clip, columns=2)
    assert drawn.data["frame"].tolist() == [10, 30] and drawn.data["apex"].tolist() == [False, True]
    titles = [axes.get_title(loc="left") for axes in drawn.figure.axes]
    assert titles == ["0 ms", "100 ms", "", "apex"]
    assert shared_figures.clip_strip(faces, columns=2).data["frame"].tolist() == [10, 40]
    untimed = FaceSet("toy", faces.pixels, faces.table.drop(columns="fps"))
    drawn = shared_figures.clip_strip(untimed)
    assert drawn.data["milliseconds"].isna().all() and drawn.figure.axes[0].get_title(loc="left") == "10"


def test_a_confusion_of_other_classes_is_refused():
    with pytest.raises(FigureError, match="same classes"):
        shared_figures.confusion_matrix(toy_matrix().iloc[:2])


@pytest.mark.parametrize(
    "draw",
    [lambda: shared_figures.confusion_matrix(toy_matrix()), lambda: shared_figures.clip_strip(toy_clip())],
)
def test_what_they_draw_can_be_stored(draw, well_drawn):
    well_drawn(draw)
