"""Scores of units and ICC(3,1), against numbers by hand and those of Shrout and Fleiss."""

import numpy as np
import pytest

from book.au_verification.study import consistency, unit_scores


def test_scores_of_units():
    """By hand: of AU4, two of four are shown, three are said to be, both of these rightly."""
    coded = np.array([[0.2, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    answers = np.array([[0.6, 0.1], [0.9, 0.2], [0.7, 0.3], [0.1, 0.4]])
    scores = unit_scores(["AU4", "AU12"], coded, answers).set_index("unit")
    of_four = scores.loc["AU4", ["shown", "AUROC", "F1", "balanced_accuracy"]]
    assert of_four.to_list() == [0.5, 0.75, 0.8, 0.75]
    assert scores.loc["AU4", "ICC(3,1)"] == pytest.approx(consistency(np.stack([coded, answers])[:, :, 0].T))
    assert scores.loc["AU12"].to_list()[0] == 0 and scores.loc["AU12"].isna().sum() == 4  # nobody shows it


def test_consistency_of_raters_is_that_of_the_paper():
    """Shrout and Fleiss 1979, tables 2 and 4: six targets, four judges, ICC(3,1) = .71."""
    judges = [[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]]
    ratings = np.array(judges, float).T
    assert consistency(ratings) == pytest.approx(0.7148, abs=5e-4)
    strict = ratings - np.array([0, 5, 2, 3])
    assert consistency(strict) == pytest.approx(consistency(ratings))
    assert consistency(np.ones((5, 2))) != consistency(np.ones((5, 2)))  # nothing varies: not a number
