"""Staleness by content: what a chapter depends on, and the reasons why a result is out of date."""

import copy as copies
from importlib.metadata import PackageNotFoundError

import pytest

from ferbook.book import chapters
from ferbook.errors import ChapterError
from ferbook.inputs import chapter_inputs, code_files, package_versions, reasons_out_of_date

pytestmark = pytest.mark.usefixtures("example")


def inputs(name):
    return chapter_inputs(chapters()[name], chapters()[name].resolve())


def test_a_chapter_depends_on_the_code_that_it_reaches_and_not_on_the_engine_or_its_declaration():
    throws, means = inputs("throws")["code"], inputs("means")["code"]
    assert {"book/throws/study.py", "book/throws/figures.py", "ferbook/page/style.py"} <= throws.keys()
    assert "ferbook/estimate.py" in means
    for file in ("book/throws/study.py", "book/throws/chapter.py", "ferbook/session.py", "ferbook/store.py"):
        assert file not in means
    reached = code_files(
        ["from book.throws.chapter import ThrowsParameters", "import ferbook.session, ferbook.text"]
    )
    assert set(reached) == {"ferbook/text.py", "ferbook/estimate.py"}, "no errors, session, declaration"


RECORDED = {
    "notebook": "n",
    "parameters": {"epochs": 5, "faces": "lab"},
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
        (("upstream", "faces"), "v", "upstream faces ran"),
        (("data", "wild 12 0 0"), "g", "data changed (w → g)"),
        (("data", "lab 0 48 0"), "absent", "data not found"),
    ],
)
def test_each_change_is_named(path, value, reason):
    current = copies.deepcopy(RECORDED)
    place = current
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert reasons_out_of_date(RECORDED, current) == [reason]


def test_a_package_that_is_not_installed_here_is_unknown_and_not_changed(monkeypatch):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("ferbook.inputs.version", absent)
    current = copies.deepcopy(RECORDED) | {"packages": package_versions()}
    assert reasons_out_of_date(RECORDED, current) == []


def test_nothing_changed_means_no_reason():
    assert reasons_out_of_date(RECORDED, copies.deepcopy(RECORDED)) == []


def test_other_data_are_told_once_as_the_parameter_that_asks_for_them():
    current = copies.deepcopy(RECORDED) | {"data": {"fer2013 0 48 0": "g", "wild 12 0 0": "w"}}
    current["parameters"]["faces"] = "fer2013"
    assert reasons_out_of_date(RECORDED, current) == ["parameter faces lab → fer2013"]


def test_prose_does_not_count_but_code_does(copy):
    before = inputs("throws")
    file = copy / "book" / "throws" / "throws.ipynb"
    file.write_text(file.read_text().replace("Here it is thrown", "One more sentence. Here it is thrown"))
    assert inputs("throws") == before
    file.write_text(file.read_text().replace("print(sum(", "print(1 + sum("))
    assert inputs("throws")["notebook"] != before["notebook"]
    (copy / "book" / "throws" / "study.py").write_text("x = 1\n")
    after = inputs("throws")["code"]
    assert [name for name in after if after[name] != before["code"].get(name)] == ["book/throws/study.py"]


@pytest.mark.parametrize("source", ["%matplotlib inline", "x = = 1", "x = '\0'"])
def test_a_cell_that_is_not_python_is_named(source):
    with pytest.raises(ChapterError, match=r"training\.ipynb, code cell 2.*: not plain Python"):
        code_files(["import ferbook.paths", source], "training.ipynb")
