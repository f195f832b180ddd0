"""What the chapter takes: whose faces, and which networks."""

import pytest

from book.truth.chapter import MAP_UNITS, TruthParameters
from ferbook.book import chapters
from ferbook.errors import ParameterError
from synthetic_faces.domains import FAMILIES
from synthetic_faces.facs import AUS


def test_units_are_switched_on_faces_of_the_kind_or_of_lab_beside_real_ones():
    assert TruthParameters(faces="wild").domain == "wild"
    assert TruthParameters(faces="fer2013").domain == "lab"
    assert TruthParameters(families=2).family_names == tuple(FAMILIES)[:2]


def test_the_populations_are_the_first_and_those_beside():
    asked = TruthParameters(population="published", beside="units, units_free")
    assert asked.populations == ("published", "units", "units_free")
    assert TruthParameters().populations == ()


def test_units_are_those_that_can_be_switched():
    assert set(MAP_UNITS) < set(AUS) and len(set(MAP_UNITS)) == len(MAP_UNITS)


@pytest.mark.parametrize(
    ("name", "value"), [("families", 1), ("families", 5), ("map_units", 9), ("people", 1)]
)
def test_what_cannot_be_held_out_or_judged_is_refused(name, value):
    with pytest.raises(ParameterError, match=name):
        chapters()["truth"].resolve("smoke", {name: value})
