"""Chapter notebooks: the contract every one of them keeps, and the checker against ones that break it."""

import ast

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ferbook import paths
from ferbook.book import CHAPTERS
from ferbook.errors import ChapterError
from ferbook.notebook import (
    COMPARED_TAG,
    code_cells,
    faults_of_execution,
    parameters_cell,
    read_notebook,
    tags,
    without_papermill_metadata,
)

MOST_LINES = 12
MOST_BYTES = 40_000

chapters = pytest.mark.parametrize("chapter", CHAPTERS.values(), ids=list(CHAPTERS))


@chapters
def test_the_parameters_cell_equals_the_model(chapter):
    defaults = chapter.parameters().model_dump()
    cell = parameters_cell(read_notebook(chapter.notebook))
    assert cell == defaults
    assert list(cell) == list(defaults)
    assert {name: type(value) for name, value in cell.items()} == {n: type(v) for n, v in defaults.items()}


@chapters
def test_the_second_cell_opens_the_chapter(chapter):
    second = code_cells(read_notebook(chapter.notebook))[1]
    assert f'open_chapter("{chapter.name}", globals())' in second.source


@chapters
def test_a_chapter_holds_no_output_and_no_noise(chapter):
    notebook = read_notebook(chapter.notebook)
    for cell in code_cells(notebook):
        assert cell.outputs == [] and cell.execution_count is None
        assert set(cell.metadata) <= {"tags"}
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert chapter.notebook.stat().st_size <= MOST_BYTES


@chapters
def test_cells_are_short_and_only_call_the_library(chapter):
    for cell in code_cells(read_notebook(chapter.notebook)):
        if "parameters" not in tags(cell):
            assert len(cell.source.splitlines()) <= MOST_LINES, cell.source
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda), cell.source
            if isinstance(node, ast.Import | ast.ImportFrom):
                name = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
                assert name.split(".")[0] == "fer_lib", f"a chapter imports only from fer_lib, not {name}"


@chapters
def test_a_chapter_names_no_absolute_path_and_downloads_nothing(chapter):
    text = chapter.notebook.read_text()
    for sign in ("/home/", "/root/", "C:\\\\", "http://", "https://", "urlretrieve", "requests.get"):
        assert sign not in text


@chapters
def test_a_chapter_has_cells_that_check_compares(chapter):
    assert any(COMPARED_TAG in tags(cell) for cell in code_cells(read_notebook(chapter.notebook)))


def test_every_notebook_in_book_is_a_declared_chapter():
    assert {file.stem for file in paths.BOOK.glob("*.ipynb")} == set(CHAPTERS)


def executed(*counts, output=True):
    cells = [
        new_code_cell(
            f"x = {place}", execution_count=count, outputs=[new_output("stream", text="1")] if output else []
        )
        for place, count in enumerate(counts)
    ]
    return new_notebook(cells=cells)


def test_a_notebook_executed_from_first_to_last_cell_passes():
    assert faults_of_execution(executed(1, 2, 3)) == []


@pytest.mark.parametrize(
    ("notebook", "told"),
    [
        (executed(1, None), "execution count None"),
        (executed(1, 3), "execution count 3, not 2"),
        (executed(None, output=False), "execution count None"),
        (executed(1, 2, output=False), "no cell has any output"),
        (new_notebook(), "no cell has any output"),
    ],
)
def test_a_notebook_that_was_not_executed_is_found(notebook, told):
    assert any(told in fault for fault in faults_of_execution(notebook))


def test_an_error_in_a_cell_is_found():
    notebook = executed(1)
    notebook.cells[0].outputs.append(new_output("error", ename="ValueError", evalue="bad", traceback=[]))
    assert faults_of_execution(notebook) == ["code cell 1 ended with ValueError: bad"]


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ([new_code_cell("a = 1")], "0 are"),
        (
            [new_code_cell("a = 1"), new_code_cell("b = 1", metadata={"tags": ["parameters"]})],
            "first code cell",
        ),
        ([new_code_cell("a = f()", metadata={"tags": ["parameters"]})], "not a plain assignment"),
        ([new_code_cell("a = 1\nprint(a)", metadata={"tags": ["parameters"]})], "line 2"),
    ],
)
def test_a_parameters_cell_that_breaks_the_rules_is_found(cells, told):
    with pytest.raises(ChapterError, match=told):
        parameters_cell(new_notebook(cells=[new_markdown_cell("# T"), *cells]))


def test_unreadable_notebooks_are_told(tmp_path):
    with pytest.raises(ChapterError, match="no such notebook"):
        read_notebook(tmp_path / "absent.ipynb")
    for number, text in enumerate(
        ("", "{", '{"cells": 1, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}')
    ):
        file = tmp_path / f"{number}.ipynb"
        file.write_text(text)
        with pytest.raises(ChapterError, match="not a readable notebook"):
            read_notebook(file)


def test_papermill_metadata_is_removed_from_a_copy():
    notebook = executed(1)
    notebook.metadata["papermill"] = {"input_path": "somewhere"}
    notebook.cells[0].metadata["papermill"] = {"duration": 1}
    clean = without_papermill_metadata(notebook)
    assert "papermill" not in clean.metadata and "papermill" not in clean.cells[0].metadata
    assert "papermill" in notebook.metadata
