"""Notebooks: which show that they were executed from the first to the last cell, and which parameters cells
are none.
"""

import json

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ferbook import notebook as notebooks
from ferbook.book import find_chapter
from ferbook.errors import BookError, ChapterError
from ferbook.notebook import cell_name, faults_of_execution, read_notebook, require_parameters_cell


def executed(*counts, output=True):
    outputs = [new_output("stream", text="1")] if output else []
    cells = [new_code_cell(f"x = {n}", outputs=[*outputs]) for n in range(len(counts))]
    for cell, count in zip(cells, counts, strict=True):
        cell.execution_count = count
    return new_notebook(cells=cells)


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
def test_a_notebook_that_was_not_executed_from_first_to_last_cell_is_found(notebook, told):
    assert faults_of_execution(executed(1, 2, 3)) == []
    assert any(told in fault for fault in faults_of_execution(notebook))


@pytest.mark.parametrize(("minor", "ids"), [(0, False), (4, False), (5, False), (5, True)])
def test_cells_without_an_id_have_the_same_at_every_reading(tmp_path, minor, ids, recwarn, caplog):
    """As Google Colab (4.0) and older editors write them."""
    notebook = new_notebook(cells=[new_markdown_cell("# T", id="title"), new_code_cell("a = 1", id="a")])
    content = notebook | {"nbformat_minor": minor}
    for cell in () if ids else content["cells"]:
        del cell["id"]
    file = tmp_path / "a.ipynb"
    file.write_text(json.dumps(content))
    first, second = read_notebook(file), read_notebook(file)
    assert [cell.id for cell in first.cells] == (["title", "a"] if ids else ["cell-0", "cell-1"])
    assert first == second and (first.nbformat, first.nbformat_minor) == (4, 5)
    assert not recwarn.list and not caplog.records


def test_cells_without_an_id_of_their_own_are_known_by_their_numbers():
    """An editor that writes none gives others at each reading, and papermill adds a cell before them."""
    source, ran = executed(1, 2), executed(1, 2)
    found = notebooks.cells_executed(source, ran)
    assert found == {own.id: other for own, other in zip(source.cells, ran.cells, strict=True)}


def test_an_error_is_found_in_a_cell_counted_as_its_author_does():
    notebook = executed(1, 2, 3)
    notebook.cells[1].metadata["tags"] = ["injected-parameters"]
    notebook.cells.insert(0, new_code_cell(""))
    notebook.cells[-1].outputs = [new_output("error", ename="ValueError", evalue="bad", traceback=[])]
    assert faults_of_execution(notebook) == ["code cell 3 ended with ValueError: bad"]
    assert cell_name(notebook, notebook.cells[2]) == "the cell of the run's parameters"


@pytest.mark.parametrize(
    "change",
    [
        {"cells": ["text"]},
        {"metadata": []},
        {"cells": [new_code_cell() | {"source": 1}]},
        {"cells": [{"cell_type": "markdown", "source": "", "metadata": {"tags": "one"}}]},
        {"cells": [{"cell_type": "markdown", "source": "", "metadata": {}}] * 2001},
        {"cells": [new_code_cell(outputs=[new_output("stream", text="1")] * 20_000)]},
        {"metadata": dict.fromkeys(map(str, range(20_001)))},
    ],
)
def test_a_notebook_of_another_form_is_refused_once_where_it_is_read(tmp_path, change):
    (tmp_path / "a.ipynb").write_text(json.dumps(new_notebook() | change))
    with pytest.raises(ChapterError, match=r"a\.ipynb: not a readable notebook"):
        read_notebook(tmp_path / "a.ipynb")


def test_a_cell_that_is_not_python_is_named():
    cells = [new_code_cell("a = 1"), new_code_cell("%matplotlib inline", id="magic")]
    with pytest.raises(ChapterError, match=r"code cell 2 \(magic\): not plain Python"):
        notebooks.figure_names(new_notebook(cells=cells))


def test_unreadable_notebooks_are_told(tmp_path):
    with pytest.raises(ChapterError, match="no such notebook"):
        read_notebook(tmp_path / "absent.ipynb")
    no_cells = '{"cells": 1, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}'
    for number, text in enumerate(("", "{", no_cells)):
        file = tmp_path / f"{number}.ipynb"
        file.write_text(text)
        with pytest.raises(ChapterError, match="not a readable notebook"):
            read_notebook(file)


def test_papermill_metadata_is_removed():
    notebook = executed(1)
    notebook.metadata["papermill"] = {"input_path": "somewhere"}
    notebook.cells[0].metadata["papermill"] = {"duration": 1}
    notebooks.drop_papermill_metadata(notebook)
    assert "papermill" not in notebook.metadata and "papermill" not in notebook.cells[0].metadata


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("draws = 1000", "draws = 999", "which has draws = 1000; make them equal"),
        ("draws = 1000", "draws = 1000\\nmore = 1", "which has no more;"),
        ('draws = 1000\\n",\n    "seed = 0', 'seed = 0\\n",\n    "draws = 1000', "which has another order, "),
        ("draws = 1000", "draws = = 1000", "correct its parameters cell"),
        ('"parameters"', '"no-parameters"', "exactly the first code cell must be tagged 'parameters'"),
    ],
)
def test_a_parameters_cell_that_differs_from_the_model_is_told_with_file_and_mend(copy, before, after, told):
    means = find_chapter("means")
    require_parameters_cell(means.notebook, means.parameters().model_dump())
    file = copy / "book" / "means" / "means.ipynb"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))
    with pytest.raises(BookError, match=told) as fault:
        require_parameters_cell(means.notebook, means.parameters().model_dump())
    assert str(file) in str(fault.value)


def test_a_notebook_of_windows_reads_as_any_other(tmp_path):
    content = new_notebook(cells=[new_code_cell("a = 1\nb = 2", id="a")])
    text = json.dumps(content)
    for name, written in (("a", text), ("b", "\ufeff" + text.replace("\\n", "\\r\\n"))):
        (tmp_path / f"{name}.ipynb").write_text(written, encoding="utf-8", newline="\r\n")
    assert read_notebook(tmp_path / "a.ipynb") == read_notebook(tmp_path / "b.ipynb")


@pytest.mark.parametrize(
    ("data", "faults"),
    [
        ({"text/plain": "1"}, 0),
        ({"image/png": "AAAA"}, 1),
        ({"image/jpeg": "AAAA", "text/plain": "<Figure size 640x480>"}, 1),
        (None, 1),
    ],
)
def test_a_compared_cell_that_nbval_would_not_compare_is_a_fault(data, faults):
    outputs = [new_output("display_data", data)] if data else []
    cell = new_code_cell("x", id="shown", outputs=outputs, metadata={"tags": ["nbval-check-output"]})
    found = notebooks.faults_of_comparison(new_notebook(cells=[cell]))
    assert len(found) == faults and all("code cell 1 (shown)" in fault for fault in found)
    for source, tag in (("x\n  # NBVAL_SKIP", "a"), ("x", "nbval-ignore-output")):
        cell.source, cell.metadata.tags = source, [notebooks.COMPARED_TAG, tag]
        (fault,) = notebooks.faults_of_comparison(new_notebook(cells=[cell]))
        assert "by which nbval compares nothing" in fault
