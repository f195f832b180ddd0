"""``ferbook notebook``: a copy with a run's parameters, what was edited in it, and where there is no
JupyterLab.
"""

import os
import sys

import pytest

from ferbook import lab
from ferbook.book import find_chapter
from ferbook.errors import RunStoreError
from ferbook.notebook import code_cells, read_notebook
from ferbook.request import Request
from ferbook.store import open_run

SEED = 17


@pytest.fixture
def asked(run):
    """A run that was asked for another seed; nothing of it is finished."""
    throws = find_chapter("throws")
    parameters = {"throws": Request(overrides={"seed": SEED}).of_chapter(throws).model_dump()}
    request = {"profile": "laptop", "every": {"seed": SEED}, "parameters": parameters}
    run.folder.mkdir(parents=True)
    run.write_record({"run": run.name, "request": request, "chapters": {}, "changed": "now"})
    return run


def test_a_copy_has_the_parameters_of_the_run_and_the_book_stays_as_it_is(asked):
    source = find_chapter("throws").notebook
    before = source.read_bytes()
    file, edited = lab.copy_for(asked, find_chapter("throws"))
    assert not edited and source.read_bytes() == before
    assert not file.is_relative_to(asked.folder) and file.parent.name == asked.name
    copied, original = read_notebook(file), read_notebook(source)
    assert f"seed = {SEED}" in code_cells(copied)[0].source and "seed = 0" in code_cells(original)[0].source
    assert [c.source for c in copied.cells][3:] == [c.source for c in original.cells][3:]


def test_a_chapter_that_the_run_lacks_has_what_all_were_asked_for(asked):
    file, _ = lab.copy_for(asked, find_chapter("means"))
    assert f"seed = {SEED}" in code_cells(read_notebook(file))[0].source


def test_a_copy_that_is_there_stays(asked):
    throws = find_chapter("throws")
    file, _ = lab.copy_for(asked, throws)
    file.write_text("mine")
    assert lab.copy_for(asked, throws) == (file, True) and file.read_text() == "mine"


def test_a_run_that_there_is_not_is_named(example):
    with pytest.raises(RunStoreError, match="there is no run 'b'"):
        lab.copy_for(open_run("b"), find_chapter("throws"))


def test_without_jupyterlab_one_line_says_how_to_install_it(asked, monkeypatch, command):
    monkeypatch.setattr(lab, "find_spec", lambda name: None)
    code, _, told = command("notebook", "throws", "--run", "a")
    assert code == 2 and told.count("\n") == 1 and "-e '.[notebook]'" in told
    assert not (asked.folder.parent / "interactive").exists()


@pytest.mark.parametrize("chapter", ["throws", None])
def test_jupyterlab_opens_the_copy_and_finds_the_run(asked, monkeypatch, command, chapter):
    become = []
    monkeypatch.setattr(lab, "find_spec", lambda name: True)
    monkeypatch.setattr(os, "execve", lambda *given: become.append(given))
    code, told, _ = command("notebook", *([chapter] if chapter else []), "--run", "a")
    ((program, words, environment),) = become
    folder = asked.folder.parent / "interactive" / "notebooks" / "a"
    assert code == 0 and program == sys.executable and words[1:3] == ["-m", "jupyterlab"]
    assert words[3] == str(folder / "throws.ipynb" if chapter else folder) and words[3] in told
    assert environment["FER_RUN"] == str(asked.folder)
    assert {file.stem for file in folder.iterdir()} == ({"throws"} if chapter else {"throws", "means"})
