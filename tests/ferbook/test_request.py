"""Requests: where a value applies, what a run is called, and files of parameters."""

import pytest

from ferbook.book import CHAPTERS
from ferbook.errors import ParameterError
from ferbook.request import Request, merge_overrides, parse_assignments, read_overrides, stored_request

FACES, TRAINING = CHAPTERS["faces"], CHAPTERS["training"]


def test_a_plain_name_reaches_every_chapter_that_has_it_and_a_dotted_one_only_its_own():
    request = Request("laptop", {"size": "96", "training.seed": "3", "epochs": "7"})
    faces, training = request.of_chapter(FACES), request.of_chapter(TRAINING)
    assert (faces.size, training.size) == (96, 96)
    assert (faces.seed, training.seed) == (0, 3)
    assert training.epochs == 7


@pytest.mark.parametrize(
    ("profile", "overrides", "name"),
    [
        ("laptop", {}, "laptop"),
        ("smoke", {"faces": "fer2013"}, "fer2013-smoke"),
        ("laptop", {"epochs": "5"}, "laptop-epochs-5"),
        ("laptop", {"training.lr": "1e-2", "seed": 1}, "laptop-seed-1-training.lr-1e-2"),
    ],
)
def test_a_run_is_named_after_what_was_asked(profile, overrides, name):
    assert Request(profile, overrides).default_run_name == name


def test_a_long_name_ends_in_a_digest_that_tells_requests_apart():
    many = {f"training.{name}": 1 for name in ("epochs", "batch_size", "bootstrap", "lr", "gain")}
    first, second = (Request("laptop", many | {"seed": seed}).default_run_name for seed in (1, 2))
    assert len(first) < 70 and first != second


def test_a_yaml_file_sets_all_chapters_or_one(tmp_path):
    file = tmp_path / "my.yaml"
    file.write_text("seed: 3\nfaces: wild\ntraining:\n  lr: 1e-2\n  bias: true\n")
    assert read_overrides(file) == {
        "seed": 3,
        "faces": "wild",
        "training.lr": "1e-2",
        "training.bias": True,
    }
    training = Request("laptop", read_overrides(file)).of_chapter(TRAINING)
    assert training.lr == 0.01 and training.bias is True


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


@pytest.mark.parametrize(
    ("in_file", "on_line", "epochs"),
    [
        ({"epochs": 2, "training.epochs": 3}, {}, 3),
        ({"training.epochs": 3, "epochs": 2}, {}, 3),
        ({"training.epochs": 3}, {"epochs": "4"}, 4),
        ({"epochs": 2, "training.epochs": 3}, {"epochs": "4"}, 4),
        ({"epochs": 2}, {"training.epochs": "5", "epochs": "4"}, 5),
    ],
)
def test_the_command_line_wins_over_the_file_and_one_chapter_over_all(in_file, on_line, epochs):
    request = Request("laptop", merge_overrides(in_file, on_line))
    assert request.of_chapter(TRAINING).epochs == epochs


def test_a_stored_request_gives_the_same_parameters_again():
    asked = Request("smoke", {"faces": "fer2013", "lr": "0.5", "faces.seed": "4"})
    parameters = {name: asked.of_chapter(chapter).model_dump() for name, chapter in CHAPTERS.items()}
    again = stored_request({"request": {"profile": "smoke", "parameters": parameters}})
    again.check()
    assert {name: again.of_chapter(chapter).model_dump() for name, chapter in CHAPTERS.items()} == parameters


def test_a_chapter_that_the_run_lacks_takes_the_faces_of_the_others_and_its_own_profile():
    faces = Request("smoke", {"faces": "fer2013", "seed": "7"}).of_chapter(FACES).model_dump()
    again = stored_request({"request": {"profile": "smoke", "parameters": {"faces": faces}}})
    training = again.of_chapter(TRAINING)
    assert (training.faces, training.seed) == ("fer2013", 7)
    assert training.epochs == Request("smoke", {"faces": "fer2013"}).of_chapter(TRAINING).epochs


def test_a_field_or_chapter_that_is_no_more_is_left_out():
    faces = FACES.parameters().model_dump() | {"forgotten": 1}
    record = {"request": {"profile": "laptop", "parameters": {"faces": faces, "gone": {"x": 1}}}}
    stored_request(record).check()
