"""Requests: where a value applies, what a run is called, and files of parameters."""

import dataclasses
from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator

from ferbook import book as ferbook_book
from ferbook import request as requested
from ferbook.book import Chapter, chapters, with_upstream
from ferbook.errors import ParameterError
from ferbook.parameters import ListOf, Parameters, parse_value
from ferbook.request import Request, parameter_values, parse_assignments, read_overrides, requests_of
from ferbook.run import requests_by_run
from ferbook.store import open_run

pytestmark = pytest.mark.usefixtures("example")


def of(chapter, request):
    return request.of_chapter(chapters()[chapter])


def test_a_plain_name_reaches_every_chapter_that_has_it_and_a_dotted_one_only_its_own():
    request = Request("laptop", {"seed": "96", "means.seed": "3", "sides": "7"})
    assert (of("throws", request).seed, of("means", request).seed) == (96, 3)
    assert of("throws", request).sides == 7 and of("means", request) is of("means", request)


@pytest.mark.parametrize(
    ("profile", "overrides", "name"),
    [
        ("laptop", {}, "laptop"),
        ("smoke", {"sides": "8"}, "8-smoke"),
        ("laptop", {"draws": "500"}, "laptop-draws-500"),
        ("laptop", {"means.draws": "1000", "seed": 1}, "laptop-means.draws-1000-seed-1"),
        ("laptop", {"draws": 1e-05, "wide": "a-b"}, "laptop-draws-1e-05-wide-a-b"),
    ],
)
def test_a_run_is_named_after_what_was_asked(monkeypatch, profile, overrides, name):
    named = dataclasses.replace(ferbook_book.suite(), named_by=("sides",))
    monkeypatch.setattr("ferbook.request.suite", lambda: named)
    assert Request(profile, overrides).default_run_name == name


@pytest.mark.parametrize("values", [(-1, 1), ("a b", "a_b", "a-b", "a  b"), ("x/", "x"), ([1, 2], "1-2")])
def test_different_values_make_different_runs(values):
    names = {Request("laptop", {"draws": value}).default_run_name for value in values}
    assert len(names) == len(values) and all(open_run(name) for name in names)


def test_a_long_name_ends_in_a_digest_that_tells_requests_apart():
    many = {f"throws.{name}": 1 for name in ("sides", "throws", "bootstrap", "averaging", "gain")}
    first, second = (Request("laptop", many | {"seed": seed}).default_run_name for seed in (1, 2))
    assert len(first) < 70 and first != second


def test_a_yaml_file_sets_all_chapters_or_one(tmp_path):
    file = tmp_path / "my.yaml"
    file.write_text("seed: 3\nmeans:\n  draws: '500'\n  seed: 4\n")
    assert read_overrides(file) == {"seed": 3, "means.draws": "500", "means.seed": 4}
    means = of("means", Request("laptop", read_overrides(file)))
    assert (means.draws, means.seed) == (500, 4)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a: [\n", "not YAML"),
        ("", "expected a mapping"),
        ("seed: 2026-13-45\n", "not YAML .*month"),
        ("[" * 5000, "not YAML"),
        ("lr: 1\nlr: 2\n", "'lr' is given twice"),
        ("training: {lr: 1, lr: 2}\n", "'lr' is given twice"),
        ("training.lr: 1\ntraining: {lr: 2}\n", "training.lr is given twice"),
    ],
    ids=lambda value: value[:25],
)
def test_a_file_that_is_no_mapping_or_says_two_things_is_refused(tmp_path, content, told):
    file = tmp_path / "my.yaml"
    file.write_text(content)
    with pytest.raises(ParameterError, match=told):
        read_overrides(file)


def test_values_may_contain_an_equals_sign_but_names_come_once():
    assert parse_assignments(["a=b=c", "x = 1"]) == {"a": "b=c", "x": "1"}
    with pytest.raises(ParameterError, match="given twice"):
        parse_assignments(["a=1", "a =2"])
    with pytest.raises(ParameterError, match="expected NAME=VALUE"):
        parse_assignments(["epochs"])


@pytest.mark.parametrize(
    ("in_file", "on_line", "draws"),
    [
        ({"draws": 200, "means.draws": 300}, {}, 300),
        ({"means.draws": 300}, {"draws": "400"}, 400),
        ({"draws": 200}, {"means.draws": "500", "draws": "400"}, 500),
    ],
)
def test_the_command_line_wins_over_the_file_and_one_chapter_over_all(in_file, on_line, draws):
    assert of("means", Request("laptop", requested.merge_overrides(in_file, on_line))).draws == draws


def test_a_stored_request_gives_the_same_parameters_again():
    asked = Request("smoke", {"draws": "200", "throws.seed": "4"})
    parameters = {name: of(name, asked).model_dump() for name in chapters()}
    again = requested.stored_request({"profile": "smoke", "parameters": parameters})
    again.check()
    assert {name: of(name, again).model_dump() for name in chapters()} == parameters


@pytest.mark.parametrize(
    ("every", "seed", "draws"), [({}, 0, 100), ({"seed": "7", "draws": 500, "gone": 1}, 7, 500)]
)
def test_a_chapter_that_the_run_lacks_takes_what_was_asked_of_all_or_its_default(every, seed, draws):
    throws = of("throws", Request("smoke", {"seed": "7"})).model_dump()
    again = requested.stored_request({"profile": "smoke", "every": every, "parameters": {"throws": throws}})
    again.check()
    assert (of("means", again).seed, of("means", again).draws) == (seed, draws)
    assert of("throws", again).seed == 7


@pytest.mark.parametrize("name", ["draws", "means.seed"])
def test_what_no_chapter_that_is_to_run_takes_is_refused(name):
    with pytest.raises(ParameterError, match=f"{name}: no chapter that is to run takes it: these are throws"):
        requests_by_run(Request("smoke", {name: "500"}), ["throws"])


def test_a_value_that_another_chapter_refuses_is_told_with_the_way_to_give_it_to_one():
    with pytest.raises(ParameterError, match=r"seed = '-1' is not allowed.*; -p CHAPTER.seed=… is for one"):
        Request("smoke", {"seed": "-1"}).check()


def test_a_field_or_chapter_that_is_no_more_is_left_out():
    throws = of("throws", Request()).model_dump() | {"forgotten": 1}
    requested.stored_request(
        {"profile": "laptop", "parameters": {"throws": throws, "gone": {"x": 1}}}
    ).check()


@pytest.fixture
def closure(example):
    return with_upstream(["means"])


def test_ranges_and_lists_are_values_of_the_parameters_type(closure):
    assert list(parameter_values("seed", "0..19", closure)) == list(range(20))
    assert parameter_values("seed", "0..2, 7,5..6", closure) == [0, 1, 2, 7, 5, 6]
    assert parameter_values("seed", "3", closure) == [3]
    assert parameter_values("throws.sides", "6,20", closure) == [6, 20]


def test_what_is_a_list_itself_is_parted_by_semicolons():
    class Own(Parameters):
        losses: Annotated[str, AfterValidator(ListOf(("focal", "votes")))] = "focal"

    closure = [Chapter("x", Own, name="x")]
    assert parameter_values("losses", "focal,votes", closure) == ["focal,votes"]
    assert parameter_values("losses", "focal;focal,votes", closure) == ["focal", "focal,votes"]


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
        parameter_values(name, text, closure)


def test_a_range_over_what_is_no_whole_number_is_refused():
    class Own(Parameters):
        word: str = "a"
        rate: float = 0.1

    closure = [Chapter("x", Own, name="x")]
    with pytest.raises(ParameterError, match=r"a range is of whole numbers, and rate is of type float"):
        parameter_values("rate", "1..2", closure)


def test_every_combination_is_a_request_and_the_rest_holds_for_all(closure):
    request = Request("smoke", {"seed": "0..1", "sides": "6,8", "throws": "20"})
    requests = requests_of(request, closure)
    pairs = [(each.overrides["seed"], each.overrides["sides"]) for each in requests]
    assert pairs == [(0, 6), (0, 8), (1, 6), (1, 8)]
    assert requests[1].default_run_name == "smoke-seed-0-sides-8-throws-20"


def test_a_value_for_one_chapter_wins_over_the_one_that_varies_for_all(closure):
    first, second = requests_of(Request("smoke", {"seed": "0..1", "throws.seed": "7"}), closure)
    for seed, request in enumerate((first, second)):
        assert [request.of_chapter(chapter).seed for chapter in closure] == [7, seed]


def test_one_value_of_each_is_the_request_itself(closure):
    request = Request("smoke", {"seed": "3"})
    assert requests_of(request, closure) == [request]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"sed": "0..3"}, r"no chapter has a parameter 'sed' \(did you mean 'seed'\?\)"),
        ({"seed": "0..9999"}, "10,000 runs are more than 100; request some"),
        ({"seed": "0..2000000000"}, "2,000,000,001 runs are more than 100"),
        ({"seed": "5,0..2000000000"}, "seed = '0..2000000000': 2,000,000,001 runs are more than 100"),
        ({"seed": "0..99,50..100"}, "^101 runs are more than 100"),
    ],
)
def test_too_many_runs_and_no_parameter_are_refused(closure, given, told):
    with pytest.raises(ParameterError, match=told):
        requests_of(Request("smoke", given), closure)


def test_what_changes_nothing_cannot_be_varied(example):
    with pytest.raises(ParameterError, match="draws: no chapter that is to run takes it"):
        requests_of(Request("smoke", {"draws": "100,200"}), with_upstream(["throws"]))


def test_a_choice_that_there_is_not_comes_with_the_nearest_one():
    class Model(Parameters):
        optimiser: Literal["adamw", "sgd"] = "sgd"

    with pytest.raises(ParameterError, match=r"'adamv' is not allowed \(did you mean 'adamw'\?\)"):
        parse_value("training", Model, "optimiser", "adamv")
