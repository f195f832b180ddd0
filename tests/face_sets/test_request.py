"""What is asked for, and which frames of a clip are kept."""

from dataclasses import fields, replace

import pytest
from pydantic import TypeAdapter, ValidationError

from face_sets.request import RECIPE_OPTIONS, FaceRequest, require_clip_frames, spread_evenly
from ferbook.errors import ParameterError
from synthetic_faces.produce import Recipe


def test_equal_requests_are_one_key():
    one = FaceRequest("lab", 600, 48)
    assert {one: 1}[FaceRequest(name="lab", size=48, subjects=600)] == 1
    assert all(replace(one, **{each.name: "x"}) != one for each in fields(FaceRequest))


def test_a_request_of_a_file_has_the_fields_that_there_are():
    read = TypeAdapter(FaceRequest).validate_python
    assert read({"name": "fer2013", "size": 48}) == FaceRequest("fer2013", size=48)
    with pytest.raises(ValidationError, match="subject"):
        read({"name": "lab", "subject": 600})
    with pytest.raises(ValidationError, match="size"):
        read({"name": "lab", "size": "large"})


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (FaceRequest("lab", 600, 48), "lab 600 48 0"),
        (FaceRequest("micro", 9, sample="one", clip_frames=3), "micro 9 0 0 one 3"),
        (FaceRequest("micro", size=48, timing="together"), "micro 0 48 0 16 together"),
        (FaceRequest("lab", 60, 48, family="broad-makehuman"), "lab 60 48 0 broad-makehuman"),
    ],
)
def test_stored_runs_call_a_set_by_what_was_chosen(request_, told):
    assert str(request_) == told


def test_the_options_are_those_of_the_generator():
    assert set(RECIPE_OPTIONS) == {field.name for field in fields(Recipe)[4:]}
    chosen = FaceRequest("micro").with_options({"timing": "together"})
    assert chosen.options == {"timing": "together"}
    with pytest.raises(ParameterError, match="no option 'tming' of synthetic faces; the options are timing"):
        FaceRequest("lab").with_options({"tming": "together"})


@pytest.mark.parametrize(
    ("count", "apex", "kept"),
    [
        (3, 1, [0, 1, 2]),
        (5, 2, [0, 1, 2, 3, 4]),
        (11, 5, [0, 2, 5, 8, 10]),
        (11, 4, [0, 2, 4, 8, 10]),
        (11, 9, [0, 2, 5, 9, 10]),
        (11, 1, [0, 1, 5, 8, 10]),
        (11, 0, [0, 2, 5, 8, 10]),
        (11, 10, [0, 2, 5, 8, 10]),
    ],
)
def test_five_frames_by_hand(count, apex, kept):
    assert spread_evenly(range(count), 5, apex) == kept
    assert spread_evenly([100 + 2 * k for k in range(count)], 5, 100 + 2 * apex) == [
        100 + 2 * k for k in kept
    ]


@pytest.mark.parametrize("count", [16, 17, 18, 31, 60, 141])
def test_the_first_the_last_and_the_apex_are_always_kept(count):
    for apex in range(count):
        kept = spread_evenly(range(count), 16, apex)
        assert len(kept) == 16 and kept == sorted(set(kept)) and {0, apex, count - 1} <= set(kept)


def test_nought_keeps_every_frame():
    assert spread_evenly(range(40, 141), 0, 90) == list(range(40, 141))


def test_three_are_onset_apex_and_offset():
    assert [spread_evenly(range(20, 101), 3, apex) for apex in (20, 33, 100)] == [
        [20, 60, 100],
        [20, 33, 100],
        [20, 60, 100],
    ]


@pytest.mark.parametrize("wrong", [-1, 1, 2, 16.0, "16", True, False, None])
def test_a_number_that_cannot_hold_onset_apex_and_offset_is_refused(wrong):
    with pytest.raises(ParameterError, match=r"clip_frames is .* at least 3 .* or 0 for every frame"):
        require_clip_frames(wrong)


@pytest.mark.parametrize("right", [0, 3, 16, 500])
def test_other_numbers_are_not(right):
    require_clip_frames(right)
