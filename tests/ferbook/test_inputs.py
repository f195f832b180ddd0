"""Staleness by content: what a chapter depends on, and the reasons why a result is out of date."""

import copy as copies
import os
from importlib.metadata import PackageNotFoundError

import pytest

from ferbook import inputs as ferbook_inputs
from ferbook import paths
from ferbook.book import chapters, clear_cached_book
from ferbook.inputs import chapter_inputs, code_files, code_inputs, package_versions, stale_reasons

pytestmark = pytest.mark.usefixtures("example")


def inputs(name):
    return chapter_inputs(chapters()[name], chapters()[name].resolve())


def test_a_chapter_depends_on_its_code_and_the_files_it_opens_and_not_on_the_engine_or_its_declaration():
    own = ("book/throws/study.py", "book/throws/weights.csv")
    engine = ("ferbook/page/style.py", "ferbook/estimate.py", "ferbook/session.py", "ferbook/store.py")
    noted = [paths.root() / place for place in (*own, "book/throws/chapter.py", "claims.yaml")]
    noted += [paths.ENGINE.parent / place for place in engine]
    assert code_files(dict.fromkeys(noted, "d")) == dict.fromkeys((*own, *engine[:2]), "d")


def test_what_the_files_hold_now_is_told_of_those_that_a_result_was_made_from(copy):
    study = copy / "book" / "throws" / "study.py"
    before = {"code": {"book/throws/study.py": "", "book/throws/gone.csv": ""}}
    first = code_inputs(chapters()["throws"], before)["code"]
    assert first["book/throws/gone.csv"] == "absent" and len(first["book/throws/study.py"]) == 64
    study.write_text("x = 1\n")
    again = code_inputs(chapters()["throws"], before)["code"]
    assert again["book/throws/study.py"] != first["book/throws/study.py"]


RECORDED = {
    "notebook": "n",
    "parameters": {"epochs": 5, "faces": "lab"},
    "resolved": {"eval_seed": 1, "face_requests": [{"name": "lab", "face_seed": 0}]},
    "packages": {"torch": "1"},
    "code": {"fer_lib/a.py": "1", "fer_lib/b.py": "1"},
    "data": {"lab 0 48 0": "f", "wild 12 0 0": "w"},
    "upstream": {"faces": "u"},
}


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("notebook",), "m", "notebook changed"),
        (("parameters", "epochs"), 6, "parameter epochs 5 → 6"),
        (("parameters", "lr"), 0.1, "parameter lr absent → 0.1"),
        (("packages", "torch"), "2", "package torch 1 → 2"),
        (("code", "fer_lib/a.py"), "2", "code changed (fer_lib/a.py)"),
        (("code", "fer_lib/c.py"), "1", "code changed (fer_lib/c.py)"),
        (("resolved", "eval_seed"), 2, "eval_seed 1 → 2"),
        (("resolved", "face_requests"), [{"name": "lab", "face_seed": 2}], "face_requests changed"),
        (("upstream", "faces"), "v", "upstream faces ran"),
        (("data", "wild 12 0 0"), "g", "data changed (w → g)"),
        (("data", "lab 0 48 0"), "absent", "data not found"),
        (("data", "lab 0 48 2"), "g", "data changed (none → g)"),
    ],
)
def test_each_change_is_named(path, value, reason):
    current = copies.deepcopy(RECORDED)
    place = current
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert stale_reasons(RECORDED, current) == [reason]


def test_a_package_that_is_not_installed_here_is_unknown_and_not_changed(monkeypatch):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("ferbook.inputs.version", absent)
    current = copies.deepcopy(RECORDED) | {"packages": package_versions()}
    assert stale_reasons(RECORDED, current) == []


def test_other_data_are_told_once_as_the_parameter_that_asks_for_them():
    current = copies.deepcopy(RECORDED) | {"data": {"fer2013 0 48 0": "g", "wild 12 0 0": "w"}}
    current["parameters"]["faces"] = "fer2013"
    current["resolved"]["face_requests"] = [{"name": "fer2013"}]
    assert stale_reasons(RECORDED, current) == ["parameter faces lab → fer2013"]
    assert ferbook_inputs.provenance_diff(RECORDED, current) == ""


def test_data_are_compared_by_content_and_not_by_the_names_of_their_requests():
    renamed = {f"set {name}": key for name, key in RECORDED["data"].items()}
    assert stale_reasons(RECORDED, copies.deepcopy(RECORDED) | {"data": renamed}) == []


def test_a_result_stored_without_what_its_parameters_resolve_to_is_stale():
    earlier = {name: value for name, value in RECORDED.items() if name != "resolved"}
    assert stale_reasons(earlier, RECORDED) == [
        "stored without what its parameters resolve to (requests, options)"
    ]


DERIVED = """    @property
    def eval_seed(self) -> int:
        return self.seed + 1


SIDES_SHOWN = (1, 6)
"""


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ("self.seed + 1", "self.seed + 2", ["eval_seed"]),
        ("(1, 6)", "(1, 2)", ["SIDES_SHOWN"]),
        ("self.seed + 1", "1 + self.seed  # the same", []),
        ('"laptop": 1', '"laptop": 2', []),
    ],
)
def test_what_a_declaration_computes_counts_and_the_rest_of_it_does_not(copy, before, after, changed):
    file = copy / "book" / "throws" / "chapter.py"
    declared = DERIVED + '\n\nCHAPTER = Chapter(seconds={"laptop": 1},'
    text = file.read_text().replace("\n\nCHAPTER = Chapter(", declared)
    file.write_text(text)
    clear_cached_book()
    first = inputs("throws")["resolved"]
    assert first == {"eval_seed": 1, "SIDES_SHOWN": [1, 6]}
    assert before in text
    file.write_text(text.replace(before, after))
    # Python takes a compiled file for current by its source's second and size: both may be the same here.
    os.utime(file, (file.stat().st_atime, file.stat().st_mtime + 2))
    clear_cached_book()
    again = inputs("throws")["resolved"]
    assert [name for name in first if first[name] != again[name]] == changed


def test_prose_does_not_count_but_code_does(copy):
    before = inputs("throws")
    file = copy / "book" / "throws" / "throws.ipynb"
    file.write_text(file.read_text().replace("Here it is thrown", "One more sentence. Here it is thrown"))
    assert inputs("throws") == before
    file.write_text(file.read_text().replace("print(sum(", "print(1 + sum("))
    assert inputs("throws")["notebook"] != before["notebook"]
