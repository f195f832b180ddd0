"""The figures of the chapter on micro-expressions: they show the numbers that they were given."""

import numpy as np
import pandas as pd

from book import shared_figures
from book.micro_expressions import figures
from book.micro_expressions.apex import METHODS
from book.micro_expressions.order import GAINS
from face_sets.faceset import FaceSet
from ferbook.estimate import Estimate
from tests.made import even_pictures, made_faces, row_labels


def contest():
    rows = [
        ("ours", "LSTM", 3, 0.50, 0.40, 0.60, 0.45, 0.55, np.nan, np.nan, np.nan),
        ("control", "shuffled", 2, 0.48, 0.38, 0.58, 0.47, 0.49, 2.0, -3.0, 7.0),
        ("baseline", "flow", 1, 0.60, 0.50, 0.70, 0.60, 0.60, -10.0, -15.0, -5.0),
        ("null", "commonest", 1, 0.11, np.nan, np.nan, 0.11, 0.11, 39.0, 30.0, 48.0),
    ]
    columns = ["kind", "name", "trainings", "score", "low", "high", "least", "most"]
    return pd.DataFrame(rows, columns=[*columns, "ahead", "ahead_low", "ahead_high"])


def test_each_contender_is_a_row_and_the_alt_text_says_who_is_told_apart(dots_of):
    drawn = shared_figures.contender_dots(contest(), "UF1")
    figure, alt = drawn.figure, drawn.alt
    assert len(drawn.data) == 4
    scores, gaps = figure.get_axes()
    assert row_labels(scores) == ["LSTM", "shuffled", "flow", "commonest"]
    assert [x for x, _ in dots_of(gaps)] == [2.0, -10.0, 39.0], "the first is not ahead of itself"
    # Rows whose kind differs are parted: three times here.
    unmarked = [set(line.get_ydata()) for line in scores.get_lines() if line.get_marker() == "None"]
    assert [len(heights) for heights in unmarked].count(1) == 3
    assert "LSTM 50.0 % (40.0 to 60.0)" in alt and "commonest 11.0 %" in alt
    assert "above zero for commonest and below it for flow" in alt


def test_only_those_with_several_trainings_have_small_dots_for_them(dots_of):
    scores, _ = shared_figures.contender_dots(contest(), "UF1").figure.get_axes()
    assert sorted(x for x, _ in dots_of(scores, layer=0)) == [0.45, 0.47, 0.49, 0.55]


def test_missing_the_apex_is_a_row_per_method():
    means = dict(zip(METHODS, (6.0, 9.0, 8.0, 5.0, 20.0), strict=True))
    missed = {f"spotting_{name}": Estimate(mean, mean - 1, mean + 1, n=246) for name, mean in means.items()}
    drawn = figures.spotting_dots(missed)
    labels = row_labels(drawn.figure.get_axes()[0])
    assert labels == list(METHODS.values()) and drawn.data["mean"].tolist() == list(means.values())
    assert "middle of the clip, 5.0 camera frames" in drawn.caption


def test_the_gains_of_the_order_stand_beside_a_line_at_zero_and_beside_the_reference():
    rows = [(name, 2.0, -1.0, 5.0) for name in GAINS.values()]
    table = pd.DataFrame(rows, columns=["input", "gain", "low", "high"])
    alone = figures.order_dots(table.iloc[:1])
    assert "2.0 points (−1.0 to 5.0)" in alone.caption
    drawn = figures.order_dots(table.iloc[:1], reference=table)
    assert len(drawn.data) == 1 and "all units move together, reference +2.0 (−1.0 to +5.0)" in drawn.alt


def toy_clip(**columns: object) -> FaceSet:
    """Frames in no order; frame 30 differs most from the first, AU12 is present and AU4 is not."""
    shown = {"frame": [10, 40, 30, 20], "AU4": 0.0, "AU12": [0, 0.1, 0.3, 0.2], "fps": 200.0} | columns
    return made_faces(even_pictures([50, 55, 80, 60], 8), subject="s", sequence="c", **shown)


def test_a_clip_is_drawn_in_the_order_of_its_frames_with_its_units():
    data = figures.clip_course(toy_clip()).data
    assert data["frame"].tolist() == [10, 20, 30, 40] and data["change"].tolist() == [0, 10, 30, 5]
    assert data["milliseconds"].tolist() == [0, 50, 100, 150]
    assert "AU12" in data and "AU4" not in data


def test_the_apex_of_a_clip_is_the_coded_one_or_the_frame_that_differs_most(well_drawn):
    coded = well_drawn(lambda: figures.clip_course(toy_clip(apex=20)))
    assert coded.data["apex"].tolist() == [False, True, False, False]
    assert figures.clip_course(toy_clip()).data["apex"].tolist() == [False, False, True, False]
    untimed = toy_clip()
    untimed = FaceSet("toy", untimed.pixels, untimed.table.drop(columns="fps"))
    assert figures.clip_course(untimed).data["milliseconds"].isna().all()
