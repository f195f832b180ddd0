"""The contract that every chapter's notebook keeps."""

import ast
import re
import shutil
from pathlib import Path

import pytest

from ferbook import notebook as notebooks
from ferbook import paths
from ferbook.book import chapters, clear_cached_book, pages_of_toc
from ferbook.build import check_toc
from ferbook.claims import read_claims
from ferbook.figures import Figures, key_figure
from ferbook.new import write_chapter
from ferbook.notebook import COMPARED_TAG, code_cells, figure_names, read_notebook, tags
from ferbook.store import REFERENCE, open_run

# Code cells of a page; lines of a cell, without its imports; characters of a line, as of
# commands on a page of text: a screen of 1,280 pixels shows so many.
MOST_CELLS, MOST_LINES, MOST_COLUMNS = 25, 12, 84
MOST_FIGURES, MOST_TABLES = 9, 5
# Cells of a page that are folded, its parameters aside; lines of a cell that is seen, with its imports.
MOST_FOLDS, MOST_SEEN_LINES = 5, 16
MOST_BYTES = 40_000
ROOMS = ("book", "face_sets", "fer_lib", "ferbook", "synthetic_faces", "fastai", "numpy", "torch", "pandas")
EXAMPLE = Path(__file__).parents[1] / "ferbook" / "example"

every_chapter = pytest.mark.parametrize("chapter", chapters().values(), ids=list(chapters()))


@every_chapter
def test_the_parameters_cell_equals_the_model(chapter):
    notebooks.require_parameters_cell(chapter.notebook, chapter.parameters().model_dump())


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


def opening_faults(cells):
    """What is wrong with the cells that open a page."""
    title, short, parameters, opens = cells[:4]
    if title.id != "title" or not re.match(r"# <!-- title -->\n\n\*\*[^*]+\?\*\*(\n|$)", title.source):
        yield "the cell 'title' is not the title and one question in bold"
    elif len(re.findall(r"[.!?](?=\s|$)", title.source.partition("?**")[2])) > 3:
        yield "the title has more than three sentences below its question"
    table = re.match(
        r"## In short\n\n\*\*[^*\n]+\*\*.*\n\n<!-- key figure: \w+ -->\n"
        r"(?:\n(?:\| [^|\n]+ ){3}\|\n\|[-|: ]+\|\n((?:\|.*\|\n)+))?"
        r"\n<!-- key numbers -->\n\n<!-- reading -->$",
        short.source,
    )
    if short.id != "in-short" or table is None:
        yield "the cell 'in-short' is not answer, key figure, table, key numbers and what one needs"
    elif table[1] and not 2 <= len(table[1].splitlines()) <= 4:
        yield "'In short' has not 2 to 4 rows"
    if "parameters" not in tags(parameters) or opens.id != "open" or "open_chapter(" not in opens.source:
        yield "the parameters and the cell 'open' do not follow"


def prose_faults(notebook):
    """What is wrong with the order of a page, and with how it ends."""
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    headings = re.findall(r"(?m)^## (.+)$", "\n".join(prose))
    if headings[:1] != ["In short"] or headings[-2:] != ["What we can conclude", "Exercises"]:
        yield f"the sections are {headings}"
    exercises = "\n".join(prose).partition("\n## Exercises\n")[2]
    if exercises.count(":::{dropdown} What to expect\n") < 3:
        yield "fewer than three exercises say what to expect"
    if notebook.cells[-1].cell_type != "markdown" or any("<!-- next -->" in text for text in prose):
        yield "something follows the exercises"
    places = ("<!-- title -->", "<!-- key numbers -->", "<!-- reading -->", "<!-- key figure:")
    if any(sum(text.count(place) for text in prose) != 1 for place in places):
        yield f"not each of {', '.join(places)} stands once"
    if any(word in "\n".join(prose) for word in ("**Next:**", "## References", "## Provenance")):
        yield "the page says what the build appends"


def code_faults(notebook):
    """What is wrong with the code of a page."""
    code = code_cells(notebook)
    if len(code) > MOST_CELLS:
        yield f"{len(code)} code cells"
    if len(figure_names(notebook)) > MOST_FIGURES:
        yield f"{len(figure_names(notebook))} figures"
    if (tables := sum(cell.source.count("run.table(") for cell in code)) > MOST_TABLES:
        yield f"{tables} tables"
    if key_figure(notebook) not in figure_names(notebook):
        yield "the key figure is not drawn"
    for place, cell in enumerate(code[1:], start=1):
        body = ast.parse(cell.source).body
        imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
        lines = sum(1 for line in cell.source.splitlines() if line.strip())
        lines -= sum(node.end_lineno - node.lineno + 1 for node in imports)
        if lines > MOST_LINES:
            yield f"cell {cell.id!r} has {lines} lines"
        if max(map(len, cell.source.splitlines()), default=0) > MOST_COLUMNS:
            yield f"cell {cell.id!r} has a line of more than {MOST_COLUMNS} characters"
        defines = any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in body)
        if defines and not any("assert " in later.source for later in code[place : place + 2]):
            yield f"cell {cell.id!r} defines by hand what nothing is compared with"


# Methods of an open chapter whose value a page shows.
SHOWN = ("table", "figure", "say")


def lost_outputs(notebook):
    """What is made for the page and never shown, since it is not the last of its cell."""
    for cell in code_cells(notebook):
        for node in ast.parse(cell.source).body[:-1]:
            call = node.value if isinstance(node, ast.Expr) else None
            if isinstance(call, ast.Call) and ast.unparse(call.func) in {f"run.{name}" for name in SHOWN}:
                yield f"cell {cell.id!r} loses {ast.unparse(call)[:30]}: it is not the last of its cell"


def fold_faults(notebook):
    """What is wrong with what a page folds away."""
    code = code_cells(notebook)
    folded = [cell for cell in code[1:] if {"hide-input", "hide-cell"} & {*tags(cell)}]
    seen = [cell for cell in code[1:] if cell not in folded]
    if 2 * len(seen) < len(code):
        yield f"{len(seen)} of {len(code)} code cells are seen"
    if len(folded) > MOST_FOLDS:
        yield f"{len(folded)} cells are folded"
    for cell in folded:
        if "hide-input" in tags(cell) and cell.id != "open":
            yield f"cell {cell.id!r} shows what it makes and not how"
    for cell in seen:
        if (lines := len(cell.source.splitlines())) > MOST_SEEN_LINES:
            yield f"cell {cell.id!r} shows {lines} lines"


def faults(notebook):
    of_page = (prose_faults, code_faults, lost_outputs, fold_faults)
    return [*opening_faults(notebook.cells), *(told for find in of_page for told in find(notebook))]


@every_chapter
def test_a_page_keeps_the_skeleton(chapter):
    assert faults(read_notebook(chapter.notebook)) == []


def defined_terms():
    """The words of the glossary, the longest first: "accuracy" in "balanced accuracy" is none of its own."""
    text = (paths.pages() / "glossary.md").read_text(encoding="utf-8")
    entries = re.search(r"(?s)```\{glossary\}\n(.*?)\n```", text)[1].splitlines()
    return sorted((line for line in entries if re.match(r"\w", line)), key=len, reverse=True)


def unlinked(prose, terms):
    """The ``terms`` that ``prose`` uses and never links."""
    linked = {term.lower() for term in re.findall(r"\{term\}`(?:[^`<]*<)?([^`<>]+)>?`", prose)}
    left = re.sub(r"(?s)<!--.*?-->|```.*?```|\$\$.*?\$\$", " ", prose)
    left = re.sub(r"(?:\{[^}]+\})?`[^`]*`|\$[^$]+\$|\]\([^)]*\)|^## .*$", " ", left, flags=re.MULTILINE)
    found = []
    for term in terms:
        left, uses = re.subn(rf"(?i)(?<![\w-]){re.escape(term)}(?:e?s)?(?![\w-])", " ", left)
        if uses and term.lower() not in linked:
            found.append(term)
    return found


@every_chapter
def test_every_word_of_the_glossary_is_linked_where_a_page_uses_it(chapter):
    prose = [cell.source for cell in read_notebook(chapter.notebook).cells if cell.cell_type == "markdown"]
    assert unlinked("\n\n".join(prose), defined_terms()) == []


def require_figures():
    """Raises BookError where a page refers to a figure that no chapter draws."""
    figures = Figures()
    for name, chapter in chapters().items():
        cells = read_notebook(chapter.notebook).cells
        prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        figures.placed(prose, f"book/{name}/{name}")
        named = {each.removeprefix(f"{name}.") for each in re.findall(r"\{figure\}`([\w.]+)`", prose)}
        assert figures.numbers[name].keys() <= named, f"{name} never refers to a figure that it draws"
    for page in pages_of_toc():
        if (file := paths.root() / f"{page}.md").is_file():
            figures.placed(file.read_text(encoding="utf-8"), page)


def test_the_example_and_a_new_chapter_keep_it_too(tmp_path, monkeypatch):
    shutil.copytree(EXAMPLE, tmp_path / "book", ignore=shutil.ignore_patterns("_build", "runs"))
    monkeypatch.setenv("FERBOOK_ROOT", str(tmp_path / "book"))
    clear_cached_book()
    write_chapter("gaps")
    require_figures()
    for name, chapter in chapters().items():
        assert faults(read_notebook(chapter.notebook)) == [], name


@every_chapter
def test_a_page_imports_only_what_it_may(chapter):
    for cell in code_cells(read_notebook(chapter.notebook)):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                name = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
                assert name.split(".")[0] in ROOMS, f"a page imports only {', '.join(ROOMS)}, not {name}"


@every_chapter
def test_a_chapter_names_no_absolute_path_and_downloads_nothing(chapter):
    text = chapter.notebook.read_text()
    for sign in ("/home/", "/root/", "C:\\\\", "http://", "https://", "urlretrieve", "requests.get"):
        assert sign not in text


@every_chapter
def test_a_chapter_has_cells_that_check_compares(chapter):
    assert any(COMPARED_TAG in tags(cell) for cell in code_cells(read_notebook(chapter.notebook)))


@every_chapter
def test_no_assertion_hangs_on_which_of_two_results_is_larger(chapter):
    trees = [ast.parse(cell.source) for cell in code_cells(read_notebook(chapter.notebook))]
    asserted = [each for tree in trees for each in ast.walk(tree) if isinstance(each, ast.Assert)]
    for compared in (each for test in asserted for each in ast.walk(test) if isinstance(each, ast.Compare)):
        by_size = any(isinstance(sign, ast.Lt | ast.Gt | ast.LtE | ast.GtE) for sign in compared.ops)
        assert not by_size or isinstance(compared.comparators[-1], ast.Constant), ast.unparse(compared)


def test_figures_are_there_and_mentioned():
    require_figures()
    claimed = (each.figure for each in read_claims(paths.claims_file()).every if each.figure)
    Figures().placed(" ".join(f"{{figure}}`{name}`" for name in claimed), "claims.yaml")


def test_every_folder_with_a_notebook_is_a_chapter():
    assert {file.parent.name for file in paths.pages().glob("*/*.ipynb")} == set(chapters())


def test_the_table_of_contents_names_every_chapter_and_only_pages_that_are_there():
    check_toc()
    assert pages_of_toc()[0] == "book/index"


def test_no_chapter_reads_the_numbers_of_another_page():
    """A chapter is not executed again where only those change (``ChapterResult.artifact_digest``)."""
    files = [file for kind in ("*.py", "*.ipynb") for file in (paths.root() / "book").rglob(kind)]
    assert [f for f in files if re.search(r"upstream\([^)]*\)\.(metrics|table|record)", f.read_text())] == []


def warnings_on(notebook):
    """What an executed page shows that libraries meant for their authors, cell by cell."""
    return [
        f"{cell.id}: {output.text}"
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream" and output.name == "stderr"
    ]


@pytest.mark.parametrize("result", open_run(REFERENCE).results(), ids=lambda result: result.chapter)
def test_no_warning_stands_on_a_page_of_the_reference(result):
    assert warnings_on(read_notebook(result.notebook)) == []


def long_lines(page: str) -> list[str]:
    """Lines between fences of a page of text that a wide screen would cut off."""
    listings = re.findall(r"^```(?:bash|python|yaml)\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    return [line for part in listings for line in part.splitlines() if len(line) > MOST_COLUMNS]


@pytest.mark.parametrize("page", [page.name for page in sorted(paths.pages().glob("*.md"))])
def test_commands_of_a_page_fit_on_a_wide_screen(page):
    assert long_lines((paths.pages() / page).read_text(encoding="utf-8")) == []
