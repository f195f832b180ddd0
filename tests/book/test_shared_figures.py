"""Figures that several chapters draw show the numbers that they were given."""

import numpy as np
import pandas as pd
import pytest

from book import shared_figures
from face_sets.faceset import EMOTIONS
from ferbook.page.style import FigureError


def toy_matrix() -> pd.DataFrame:
    names = ["neutral", "anger", "fear"]
    return pd.DataFrame([[8, 2, 0], [1, 3, 0], [0, 0, 0]], index=names, columns=names)


def test_confusion_shares_words_and_cells_by_hand(well_drawn):
    drawn = well_drawn(lambda: shared_figures.confusion_matrix(toy_matrix()))
    share = drawn.data.set_index(["true", "predicted"])["share"]
    assert share["neutral", "anger"] == 0.2
    assert share["anger", "anger"] == 0.75
    assert share["fear"].isna().all()
    assert "neutral 80.0 % and anger 75.0 %" in drawn.alt
    assert "anger with neutral (25.0 %) and neutral with anger (20.0 %)" in drawn.alt
    assert "Never" not in drawn.caption, "fear does not occur"
    cells = np.asarray(drawn.figure.axes[0].collections[0].get_array().filled(-1)).reshape(3, 3)
    np.testing.assert_allclose(cells, [[80, 20, 0], [25, 75, 0], [-1, -1, -1]])


def test_a_class_without_a_correct_answer_is_named_and_ties_are_not_picked_from():
    names = ["neutral", "anger", "fear"]
    matrix = pd.DataFrame([[6, 2, 2], [2, 6, 2], [9, 0, 0]], index=names, columns=names)
    caption = shared_figures.confusion_matrix(matrix).caption
    assert "Never recognised: fear (0 of 9)" in caption and "anger with" not in caption
    assert "fear with neutral (100.0 %)" in caption


def test_a_perfect_confusion_matrix_says_so():
    matrix = pd.DataFrame(np.eye(8, dtype=int) * 5, index=list(EMOTIONS), columns=list(EMOTIONS))
    drawn = shared_figures.confusion_matrix(matrix)
    assert len(drawn.data) == 64 and drawn.alt.endswith(": none.")


def test_a_confusion_of_other_classes_is_refused():
    with pytest.raises(FigureError, match="same classes"):
        shared_figures.confusion_matrix(toy_matrix().iloc[:2])
