"""Requests: where a value applies, what a run is called, and files of parameters."""

import dataclasses

import pytest

from ferbook import book as ferbook_book
from ferbook.book import chapters
from ferbook.errors import ParameterError
from ferbook.request import (
    Request,
    line_overrides,
    merge_overrides,
    parse_assignments,
    read_overrides,
    stored_request,
)

pytestmark = pytest.mark.usefixtures("example")


def of(chapter, request):
    return request.of_chapter(chapters()[chapter])


def test_a_plain_name_reaches_every_chapter_that_has_it_and_a_dotted_one_only_its_own():
    request = Request("laptop", {"seed": "96", "means.seed": "3", "sides": "7"})
    assert (of("throws", request).seed, of("means", request).seed) == (96, 3)
    assert of("throws", request).sides == 7


@pytest.mark.parametrize(
    ("profile", "overrides", "name"),
    [
        ("laptop", {}, "laptop"),
        ("smoke", {"sides": "8"}, "8-smoke"),
        ("laptop", {"draws": "500"}, "laptop-draws-500"),
        ("laptop", {"means.draws": "1e3", "seed": 1}, "laptop-means.draws-1000-seed-1"),
        ("laptop", {"draws": "5e-1", "wide": "True"}, "laptop-draws-0.5-wide-true"),
        ("laptop", {"draws": 0.5, "wide": True}, "laptop-draws-0.5-wide-true"),
        ("laptop", {"draws": [1, 2]}, "laptop-draws-1-2"),
        ("laptop", {"draws": "1_000"}, "laptop-draws-1-000"),
    ],
)
def test_a_run_is_named_after_what_was_asked(monkeypatch, profile, overrides, name):
    named = dataclasses.replace(ferbook_book.suite(), named_by=("sides",))
    monkeypatch.setattr("ferbook.request.suite", lambda: named)
    assert Request(profile, overrides).default_run_name == name


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
        ("- 1\n", "expected a mapping"),
        ("a: [\n", "not YAML"),
        ("", "expected a mapping"),
        ("seed: 2026-13-45\n", "not YAML .*month"),
        ("seed: " + "9" * 5000, "not YAML .*digits"),
        ("[" * 5000, "not YAML"),
        ("lr: 1\nlr: 2\n", "'lr' is given twice"),
        ("training: {lr: 1, lr: 2}\n", "'lr' is given twice"),
        ("training: {lr: 1}\ntraining: {seed: 2}\n", "'training' is given twice"),
        ("training.lr: 1\ntraining: {lr: 2}\n", "training.lr is given twice"),
        ("faces: wild\nfaces: {samples: 3}\n", "'faces' is given twice"),
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


def test_an_option_of_the_book_and_p_do_not_give_one_parameter_twice(tmp_path):
    file = tmp_path / "my.yaml"
    file.write_text("faces: lab\nlr: 1\n")
    assert line_overrides(["lr=2"], file, {"faces": "wild"}) == {"faces": "wild", "lr": "2"}
    with pytest.raises(ParameterError, match="faces is given twice: by -p, and by an option of its own"):
        line_overrides(["faces=lab"], None, {"faces": "wild"})


@pytest.mark.parametrize(
    ("in_file", "on_line", "draws"),
    [
        ({"draws": 200, "means.draws": 300}, {}, 300),
        ({"means.draws": 300, "draws": 200}, {}, 300),
        ({"means.draws": 300}, {"draws": "400"}, 400),
        ({"draws": 200, "means.draws": 300}, {"draws": "400"}, 400),
        ({"draws": 200}, {"means.draws": "500", "draws": "400"}, 500),
    ],
)
def test_the_command_line_wins_over_the_file_and_one_chapter_over_all(in_file, on_line, draws):
    assert of("means", Request("laptop", merge_overrides(in_file, on_line))).draws == draws


def test_a_stored_request_gives_the_same_parameters_again():
    asked = Request("smoke", {"draws": "200", "throws.seed": "4"})
    parameters = {name: of(name, asked).model_dump() for name in chapters()}
    again = stored_request({"request": {"profile": "smoke", "parameters": parameters}})
    again.check()
    assert {name: of(name, again).model_dump() for name in chapters()} == parameters


def test_a_chapter_that_the_run_lacks_takes_what_all_share_and_its_own_profile():
    throws = of("throws", Request("smoke", {"seed": "7"})).model_dump()
    again = stored_request({"request": {"profile": "smoke", "parameters": {"throws": throws}}})
    assert (of("means", again).seed, of("means", again).draws) == (7, 100)


def test_a_field_or_chapter_that_is_no_more_is_left_out():
    throws = of("throws", Request()).model_dump() | {"forgotten": 1}
    record = {"request": {"profile": "laptop", "parameters": {"throws": throws, "gone": {"x": 1}}}}
    stored_request(record).check()
