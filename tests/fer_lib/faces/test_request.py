"""One value for which faces: equal, told in words, read from files, and with the options of the generator."""

from dataclasses import fields, replace

import pytest
from pydantic import TypeAdapter, ValidationError

from fer_lib.faces.request import RECIPE_OPTIONS, FaceRequest
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
