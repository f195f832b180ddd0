"""Notebooks: which show that they were executed from the first to the last cell, and which parameters cells
are none.
"""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ferbook.book import chapters
from ferbook.errors import BookError, ChapterError
from ferbook.notebook import (
    faults_of_execution,
    parameters_cell,
    read_notebook,
    require_parameters_cell,
    without_papermill_metadata,
)


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


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("draws = 1000", "draws = 999", "which has draws = 1000; make them equal"),
        ("draws = 1000", "draws = 1000.0", "which has draws = 1000;"),
        ("draws = 1000\\n", "", "which has draws = 1000;"),
        ("draws = 1000", "draws = 1000\\nmore = 1", "which has no more;"),
        ('draws = 1000\\n",\n    "seed = 0', 'seed = 0\\n",\n    "draws = 1000', "in another order"),
        ("draws = 1000", "draws = = 1000", "mend its parameters cell"),
        ('"parameters"', '"no-parameters"', "exactly the first code cell must be tagged 'parameters'"),
    ],
)
def test_a_parameters_cell_that_differs_from_the_model_is_told_with_file_and_mend(copy, before, after, told):
    require_parameters_cell(chapters()["means"])
    file = copy / "book" / "means" / "means.ipynb"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))
    with pytest.raises(BookError, match=told) as fault:
        require_parameters_cell(chapters()["means"])
    assert str(file) in str(fault.value)
