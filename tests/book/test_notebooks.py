"""The contract that every chapter's notebook keeps."""

import ast

import pytest

from ferbook import paths
from ferbook.book import book, chapters, pages_of_toc
from ferbook.build import check_toc
from ferbook.notebook import COMPARED_TAG, code_cells, read_notebook, require_parameters_cell, tags

MOST_LINES = 14
"""Of a cell, without its imports: a call's arguments may stand one a line."""
MOST_BYTES = 40_000
ROOMS = ("book", "fer_lib", "ferbook", "synthetic_faces")

every_chapter = pytest.mark.parametrize("chapter", chapters().values(), ids=list(chapters()))


@every_chapter
def test_the_parameters_cell_equals_the_model(chapter):
    require_parameters_cell(chapter)


@every_chapter
def test_the_second_cell_opens_the_chapter(chapter):
    second = code_cells(read_notebook(chapter.notebook))[1]
    assert f'open_chapter("{chapter.name}", globals())' in second.source


@every_chapter
def test_a_chapter_holds_no_output_and_no_noise(chapter):
    notebook = read_notebook(chapter.notebook)
    for cell in code_cells(notebook):
        assert cell.outputs == [] and cell.execution_count is None
        assert set(cell.metadata) <= {"tags"}
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert chapter.notebook.stat().st_size <= MOST_BYTES


@every_chapter
def test_cells_are_short_and_only_call_the_library(chapter):
    for cell in code_cells(read_notebook(chapter.notebook)):
        body = ast.parse(cell.source).body
        imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
        if "parameters" not in tags(cell):
            lines = sum(1 for line in cell.source.splitlines() if line.strip())
            lines -= sum(node.end_lineno - node.lineno + 1 for node in imports)
            assert lines <= MOST_LINES, cell.source
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda), cell.source
            if isinstance(node, ast.Import | ast.ImportFrom):
                name = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
                room = name.split(".")[0]
                assert room in ROOMS, f"a page imports only from {', '.join(ROOMS)}, not {name}"


@every_chapter
def test_a_chapter_names_no_absolute_path_and_downloads_nothing(chapter):
    text = chapter.notebook.read_text()
    for sign in ("/home/", "/root/", "C:\\\\", "http://", "https://", "urlretrieve", "requests.get"):
        assert sign not in text


@every_chapter
def test_a_chapter_has_cells_that_check_compares(chapter):
    assert any(COMPARED_TAG in tags(cell) for cell in code_cells(read_notebook(chapter.notebook)))


@every_chapter
def test_what_chapter_py_says_is_not_said_again(chapter):
    pages = [cell.source for cell in read_notebook(chapter.notebook).cells if cell.cell_type == "markdown"]
    for place in ("<!-- title -->", "<!-- reading -->", "<!-- next -->"):
        assert sum(place in page for page in pages) == 1
    assert not any("**Next:**" in page or "| Time to read" in page for page in pages)


def test_every_folder_with_a_notebook_is_a_chapter_without_fault():
    assert book().faults == {}
    assert {file.parent.name for file in paths.book().glob("*/*.ipynb")} == set(chapters())


def test_the_table_of_contents_names_every_chapter_and_only_pages_that_are_there():
    check_toc()
    assert pages_of_toc()[0] == "book/index"
