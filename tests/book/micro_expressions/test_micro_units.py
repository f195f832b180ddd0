"""Filters that move with their unit: named by another chapter, judged by clips that show it and clips that do
not.
"""

import numpy as np
import pandas as pd
import pytest

from book.micro_expressions.movement import (
    WITH,
    WITHOUT,
    lacking,
    movement_for_page,
    movement_metrics,
    movement_table,
    panel_table,
    shown_units,
    units_to_look_at,
)
from fer_lib.faces.clips import clips_of
from fer_lib.faces.faceset import FaceSet

CLAIMED = pd.DataFrame({"filter": [7, 9, 2], "au": ["AU4", "AU4", "AU12"], "association": [0.6, 0.5, 0.3]})
"""As chapter ``au_verification`` hands on its detectors."""


def clips(people=6):
    """Each person has a clip with AU4 at the apex and one without; AU12 is shown by one person only; AU9 was
    coded in no clip.
    """
    rows = [
        {
            "subject": f"s{person}",
            "sequence": str(unit),
            "frame": frame,
            "AU4": 0.3 * (unit == 1) * (frame == 1),
            "AU12": 0.2 * (person == 0),
            "AU9": np.nan,
        }
        for person in range(people)
        for unit in (0, 1)
        for frame in range(3)
    ]
    table = pd.DataFrame(rows).assign(
        dataset="micro", emotion="other", split="train", onset=0, apex=1, offset=2, fps=200.0
    )
    return clips_of(FaceSet("micro", np.zeros((len(table), 8, 8), np.uint8), table))


def test_units_are_looked_at_where_enough_people_show_and_do_not_show_them():
    shown = shown_units(clips())
    assert shown["AU4"].tolist() == [False, True] * 6 and shown["AU9"].isna().all()
    subjects = clips().subjects
    assert units_to_look_at(CLAIMED, shown, subjects) == ["AU4"]
    few = clips(people=4)
    assert units_to_look_at(CLAIMED, shown_units(few), few.subjects) == []


def changes_with_the_unit():
    """(12, 2, 5): filter 7 rises to 2 at the apex of clips with AU4 and to 1 in the others; filter 9 to 4 in
    all, plus the person's number / 100.
    """
    way = np.array([0, 0.5, 1, 0.5, 0])
    shown = np.array([False, True] * 6)
    person = np.repeat(np.arange(6), 2)
    heights = np.stack([1.0 + shown, 4.0 + person / 100], axis=1)
    return heights[:, :, None] * way


def test_the_difference_between_clips_is_that_of_means_by_hand():
    claimed, shown = CLAIMED, shown_units(clips())
    moving = changes_with_the_unit()
    found = movement_table(moving[:, :, 2], [7, 9], claimed, ["AU4"], shown, clips().subjects, draws=200)
    row = found.iloc[0]
    assert (row["filters"], row["clips"]) == (2, 6)
    # Means over both filters: (2 + 4.025) / 2 and (1 + 4.025) / 2.
    assert (row["with"], row["without"]) == (pytest.approx(3.0125), pytest.approx(2.5125))
    assert row["difference"] == pytest.approx(0.5)
    assert movement_metrics(found)["unit_movement"].value == pytest.approx(0.5)
    shown = movement_for_page(found).data.iloc[0]
    assert shown["change with it"] == pytest.approx(3.0125) and shown["difference"].value == row["difference"]
    nothing = movement_metrics(found.iloc[:0])
    assert list(nothing) == ["units_looked_at"] and nothing["units_looked_at"].value == 0


def test_a_difference_that_varies_has_an_interval_of_people():
    generator = np.random.default_rng(0)
    moving = changes_with_the_unit()[:, :, 2] + generator.normal(size=(12, 2))
    claimed, shown = CLAIMED, shown_units(clips())
    row = movement_table(moving, [7, 9], claimed, ["AU4"], shown, clips().subjects, draws=400).iloc[0]
    assert row["low"] < row["difference"] < row["high"]
    state = shown["AU4"].to_numpy(bool)
    assert row["difference"] == pytest.approx(moving[state].mean() - moving[~state].mean())
    same = movement_table(0 * moving, [7, 9], claimed, ["AU4"], shown, clips().subjects, draws=200)
    assert np.isnan(same["low"]).all() and movement_metrics(same)["units_moving"].value == 0


def test_the_panels_show_the_strongest_filter_with_and_without_its_unit():
    claimed, shown = CLAIMED, shown_units(clips())
    table = panel_table(changes_with_the_unit(), [7, 9], claimed, ["AU4"], shown, clips().subjects, draws=50)
    assert set(table["filter"]) == {7} and list(table["group"].unique()) == [WITH, WITHOUT]
    at_apex = table[table["progress"].eq(1)].set_index("group")["change"]
    assert (at_apex[WITH], at_apex[WITHOUT]) == (pytest.approx(2), pytest.approx(1))


def test_the_reason_is_told_where_there_is_nothing_to_look_at():
    claimed, shown = CLAIMED, shown_units(clips())
    assert "the network whose filters" in lacking(False, claimed, shown)
    assert "beats chance" in lacking(True, claimed.iloc[:0], shown)
    assert "somebody coded" in lacking(True, claimed, shown[["AU9"]])
    assert "that 5 people show" in lacking(True, claimed, shown)
