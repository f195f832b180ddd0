"""Staleness by content: what a chapter depends on, and the reasons why a result is out of date."""

import copy

import pytest

from book.chapter_parameters import FacesParameters, TrainingParameters
from ferbook import notebook as ferbook_notebook
from ferbook.book import CHAPTERS
from ferbook.errors import ChapterError
from ferbook.inputs import chapter_inputs, library_files, reasons_out_of_date


def test_library_files_follow_imports_and_leave_the_runner_out():
    files = library_files(["from fer_lib.faces.leakage import leakage_table"])
    assert "fer_lib/faces/leakage.py" in files and "fer_lib/faces/faceset.py" in files
    assert not any(file.startswith(("fer_lib/suite/", "fer_lib/params/")) for file in files)
    assert "fer_lib/models/zero_bias.py" in library_files(["from fer_lib.nets.zero_bias import ZeroBiasCNN"])


def test_a_chapter_depends_on_what_it_imports_and_not_on_what_another_does():
    training = chapter_inputs(CHAPTERS["training"], TrainingParameters())["library"]
    faces = chapter_inputs(CHAPTERS["faces"], FacesParameters())["library"]
    assert "fer_lib/learn/learner.py" in training and "fer_lib/learn/learner.py" not in faces
    assert "fer_lib/learn/__init__.py" in training, "importing a module runs its package's code"
    assert not any(file.startswith("fer_lib/faces/synthetic/") for file in training), (
        "the fingerprint has them"
    )


RECORDED = {
    "notebook": "n",
    "parameters": {"epochs": 5, "faces": "lab"},
    "packages": {"torch": "1"},
    "library": {"fer_lib/a.py": "1", "fer_lib/b.py": "1"},
    "face_data": {"lab 0 48 0": "f", "wild 12 0 0": "w"},
    "upstream": {"faces": "u"},
}


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("notebook",), "m", "notebook changed"),
        (("parameters", "epochs"), 6, "parameter epochs 5 → 6"),
        (("parameters", "lr"), 0.1, "parameter lr absent → 0.1"),
        (("packages", "torch"), "2", "package torch 1 → 2"),
        (("library", "fer_lib/a.py"), "2", "library changed (fer_lib/a.py)"),
        (("library", "fer_lib/c.py"), "1", "library changed (fer_lib/c.py)"),
        (("upstream", "faces"), "v", "upstream faces ran"),
        (("face_data", "wild 12 0 0"), "g", "face data changed"),
        (("face_data", "lab 0 48 0"), "absent", "face data not found (FER_DATA or --data-dir)"),
    ],
)
def test_each_change_is_named(path, value, reason):
    current = copy.deepcopy(RECORDED)
    place = current
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert reasons_out_of_date(RECORDED, current) == [reason]


def test_nothing_changed_means_no_reason():
    assert reasons_out_of_date(RECORDED, copy.deepcopy(RECORDED)) == []


def test_another_face_set_is_told_once_as_the_parameter():
    current = copy.deepcopy(RECORDED) | {"face_data": {"fer2013 0 48 0": "g", "wild 12 0 0": "w"}}
    current["parameters"]["faces"] = "fer2013"
    assert reasons_out_of_date(RECORDED, current) == ["parameter faces lab → fer2013"]


def test_prose_does_not_count_but_code_does(tmp_path, monkeypatch):
    chapter = CHAPTERS["faces"]
    before = chapter_inputs(chapter, chapter.parameters())
    notebook = ferbook_notebook.read_notebook(chapter.notebook)
    next(cell for cell in notebook.cells if cell.cell_type == "markdown").source += "\nOne more sentence."
    monkeypatch.setattr(ferbook_notebook, "read_notebook", lambda _: notebook)
    assert chapter_inputs(chapter, chapter.parameters()) == before
    next(cell for cell in notebook.cells if cell.cell_type == "code").source += "\nx = 1"
    assert chapter_inputs(chapter, chapter.parameters())["notebook"] != before["notebook"]


@pytest.mark.parametrize("source", ["%matplotlib inline", "x = = 1", "x = '\0'"])
def test_a_cell_that_is_not_python_is_named(source):
    with pytest.raises(ChapterError, match=r"training\.ipynb, code cell 2.*: not plain Python"):
        library_files(["import ferbook.paths", source], "training.ipynb")
