"""Parameters of the chapter: faces and networks."""

import pytest

from book.truth.chapter import MAP_UNITS, TruthParameters
from ferbook.book import chapters
from ferbook.errors import ParameterError
from synthetic_faces.domains import FAMILIES
from synthetic_faces.facs import AUS


def test_units_are_activated_in_faces_of_the_set_or_for_real_sets_of_lab():
    assert TruthParameters(faces="wild").domain == "wild"
    assert TruthParameters(faces="fer2013").domain == "lab"
    assert TruthParameters(families=2).family_names == tuple(FAMILIES)[:2] and set(MAP_UNITS) < set(AUS)


def test_the_page_has_its_own_population_first():
    p = TruthParameters(population="photographs_zero_bias", beside="units, units_free")
    assert p.populations == ("photographs_zero_bias", "units", "units_free")
    assert TruthParameters().populations == ()


@pytest.mark.parametrize(("name", "value"), [("families", 1), ("families", 5), ("map_units", 9)])
def test_what_cannot_be_held_out_or_judged_is_refused(name, value):
    with pytest.raises(ParameterError, match=name):
        chapters()["truth"].resolve("smoke", {name: value})
