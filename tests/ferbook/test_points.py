"""What a sweep varies: ranges, lists, and what is none of them."""

from typing import Annotated

import pytest
from pydantic import AfterValidator

from ferbook.book import Chapter, with_upstream
from ferbook.errors import ParameterError
from ferbook.parameters import ListOf, Parameters
from ferbook.points import points_of, sweep_values


@pytest.fixture
def closure(example):
    return with_upstream(["means"])


def test_ranges_and_lists_are_values_of_the_parameters_type(closure):
    assert list(sweep_values("seed", "0..19", closure)) == list(range(20))
    assert sweep_values("seed", "0..2, 7,5..6", closure) == [0, 1, 2, 7, 5, 6]
    assert sweep_values("seed", "3", closure) == [3]
    assert sweep_values("throws.sides", "6,20", closure) == [6, 20]


def test_what_is_a_list_itself_is_parted_by_semicolons():
    class Own(Parameters):
        losses: Annotated[str, AfterValidator(ListOf(("focal", "votes")))] = "focal"

    closure = [Chapter("x", Own, name="x")]
    assert sweep_values("losses", "focal,votes", closure) == ["focal,votes"]
    assert sweep_values("losses", "focal;focal,votes", closure) == ["focal", "focal,votes"]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("seed", "", "a value is empty"),
        ("seed", "1,,2", "a value is empty"),
        ("seed", "5..3", "is empty: 3 is below 5"),
        ("seed", "0..x", "is no range; 0..19 is one"),
        ("seed", "..", "is no range"),
        ("seed", "-1..3", r"means.seed = -1 is not allowed"),
        ("draws", "100..100001", r"means.draws = 100001 is not allowed"),
        ("seed", "1,b", r"means.seed = 'b' is not allowed"),
    ],
)
def test_what_is_no_value_is_named(closure, name, text, told):
    with pytest.raises(ParameterError, match=told):
        sweep_values(name, text, closure)


def test_a_range_over_what_is_no_whole_number_is_refused():
    class Own(Parameters):
        word: str = "a"
        rate: float = 0.1

    closure = [Chapter("x", Own, name="x")]
    with pytest.raises(ParameterError, match=r"a range is of whole numbers, and rate is of type float"):
        sweep_values("rate", "1..2", closure)


def test_every_combination_is_a_request_and_the_rest_holds_for_all(closure):
    base, points = points_of("smoke", {"seed": "0..1", "sides": "6,8", "throws": "20"}, closure, None)
    assert base.overrides == {"throws": 20}
    assert [dict(point.values) for point in points] == [
        {"seed": seed, "sides": sides} for seed in (0, 1) for sides in (6, 8)
    ]
    assert points[1].request.overrides == {"throws": 20, "seed": 0, "sides": 8}
    assert points[1].request.default_run_name == "smoke-seed-0-sides-8-throws-20"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"seed": "3"}, "nothing varies"),
        ({}, "nothing varies"),
        ({"sed": "0..3"}, r"no chapter has a parameter 'sed' \(did you mean 'seed'\?\)"),
        ({"seed": "0..9999"}, "10,000 runs are more than 100; --yes makes them all"),
        ({"seed": "0..2000000000"}, "2,000,000,001 runs are more than 100"),
        ({"seed": "5,0..2000000000"}, "seed = '0..2000000000': 2,000,000,001 runs are more than 100; --yes"),
        ({"seed": "0..99,50..100"}, "^101 runs are more than 100"),
    ],
)
def test_what_is_no_sweep_is_refused(closure, given, told):
    with pytest.raises(ParameterError, match=told):
        points_of("smoke", given, closure, 100)


def test_what_changes_nothing_cannot_be_varied(example):
    with pytest.raises(ParameterError, match="neither 'throws' nor a chapter that it depends on takes it"):
        points_of("smoke", {"draws": "100,200"}, with_upstream(["throws"]), 100)
