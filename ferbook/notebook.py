"""Reading chapters and judging executed ones."""

import ast
import math
import re
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ferbook.errors import BookError, ChapterError
from ferbook.files import read_plain

PARAMETERS_TAG = "parameters"
INJECTED_TAG = "injected-parameters"
COMPARED_TAG = "nbval-check-output"
# Bytes of a notebook with its outputs.
LARGEST_NOTEBOOK = 2**26
# Values of a notebook: cells, outputs, entries of metadata. Validating a million of them takes minutes.
_MOST_VALUES = 20_000
# Types of output that nbval leaves out of its comparison.
NOT_COMPARED = ("image/png", "image/jpeg", "application/vnd.jupyter.widget-view+json")
# Comments and tags by which nbval leaves out what a cell shows, or the whole cell.
_LEFT_OUT = re.compile(r"[ \t]*#*[ \t]*((?:NBVAL_|PYTEST_VALIDATE_)(?:IGNORE_OUTPUT|SKIP))[ \t]*")
_MOST_CELLS = 2000


def read_notebook(path: Path) -> NotebookNode:
    """Return the notebook at ``path``, as format 4.5; cells without an id, such as Google Colab writes, have
    their place for one. Raises ChapterError where it is absent or not a notebook.
    """
    try:
        notebook = nbformat.reader.reads(read_plain(path, LARGEST_NOTEBOOK).decode("utf-8-sig"))
        if _has_more_values(notebook, _MOST_VALUES):
            raise ValueError(f"more than {_MOST_VALUES:,} cells, outputs and other values")
        if len(notebook.get("cells", ())) > _MOST_CELLS:
            raise ValueError(f"{len(notebook.cells):,} cells, more than {_MOST_CELLS:,}")
        if notebook.nbformat != 4:
            raise ValueError(f"of notebook format {notebook.nbformat}; 4 is read")
        for place, cell in enumerate(notebook.cells):
            cell.setdefault("id", f"cell-{place}")
            cell.source = with_line_ends(cell.source)
        notebook.nbformat_minor = max(5, notebook.nbformat_minor)
        nbformat.validate(notebook)  # here, once: what follows relies on the form
        return notebook
    except FileNotFoundError as fault:
        raise ChapterError(f"{path}: there is no such notebook") from fault
    except (
        *(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError),
        nbformat.ValidationError,
    ) as fault:
        # nbformat assumes a notebook's shape while it reads, and fails in as many ways as a file can lack it.
        reason = (str(fault).splitlines() or [type(fault).__name__])[0][:200]
        raise ChapterError(f"{path}: not a readable notebook ({reason})") from fault


def _has_more_values(content: object, most: int) -> bool:
    """Whether nested lists and mappings hold more than so many values."""
    waiting, count = [content], 0
    while waiting and count <= most:
        value = waiting.pop()
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        count += len(inner)
        waiting += inner
    return count > most


def with_line_ends(text: str) -> str:
    """Return ``text`` with line ends as on Linux, so that no editor's change anything."""
    return re.sub(r"\r*\n|\r", "\n", text)


def tags(cell: NotebookNode) -> list[str]:
    """Return the cell's tags."""
    return cell.metadata.get("tags", [])


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the code cells, without the one that papermill injects."""
    return [c for c in notebook.cells if c.cell_type == "code" and INJECTED_TAG not in tags(c)]


def parameters_source(parameters: Mapping[str, object]) -> str:
    """Return the source of a cell that assigns ``parameters``."""
    return "\n".join(f"{name} = {value!r}" for name, value in parameters.items())


def require_parameters_cell(file: Path, defaults: Mapping[str, object]) -> None:
    """Raise BookError unless the first code cell, and no other, of the notebook in ``file`` is tagged
    ``parameters``, and assigns exactly the model's fields and ``defaults``, as ``parameters_source`` does.
    """
    wanted = parameters_source(defaults).splitlines()
    try:
        code = code_cells(read_notebook(file))
        tagged = [cell for cell in code if PARAMETERS_TAG in tags(cell)]
        if len(tagged) != 1 or tagged[0] is not code[0]:
            count = f"exactly the first code cell must be tagged {PARAMETERS_TAG!r}; {len(tagged)} are"
            raise ChapterError(count)
        lines = ast.unparse(ast.parse(code[0].source)).splitlines()
    except (ChapterError, SyntaxError, ValueError) as fault:
        raise BookError(f"{file}: {fault}; correct its parameters cell") from fault
    odd = [line for line in wanted if line not in lines]
    odd = odd or [f"no {line.partition(' = ')[0]}" for line in lines if line not in wanted]
    if lines != wanted:
        raise BookError(
            f"{file}: the parameters cell differs from the model in chapter.py, which has "
            f"{', '.join(odd) or 'another order, ' + ', '.join(defaults)}; make them equal"
        )


def figure_names(notebook: NotebookNode) -> list[str]:
    """Return the figures that a notebook draws by ``run.figure("name", …)``, in their order. Raises
    ChapterError for a cell that is not plain Python.
    """
    figures: list[str] = []
    for number, cell in enumerate(code_cells(notebook), start=1):
        try:
            calls = [each for each in ast.walk(ast.parse(cell.source)) if isinstance(each, ast.Call)]
        except (SyntaxError, ValueError) as fault:  # ValueError: a null byte
            raise ChapterError(
                f"code cell {number} ({cell.get('id')}): not plain Python ({getattr(fault, 'msg', fault)})"
            ) from fault
        shows = [call for call in calls if getattr(call.func, "attr", "") == "figure" and call.args]
        names = [call.args[0] for call in sorted(shows, key=lambda call: call.lineno)]
        figures += [name.value for name in names if isinstance(name, ast.Constant)]
    return [*dict.fromkeys(figures)]


def reading_minutes(notebook: NotebookNode) -> int:
    """Return minutes to read a notebook: 200 words of prose take one, as do two code cells not folded."""
    prose = " ".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    words = len(re.findall(r"[\w’'.-]*\w", re.sub(r"<[^>]*>|\$\$.*?\$\$", " ", prose, flags=re.S)))
    fold_tags = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
    visible = [cell for cell in code_cells(notebook)[2:] if not fold_tags & {*tags(cell)}]
    return max(1, math.ceil(words / 200 + len(visible) / 2))


def cell_name(notebook: NotebookNode, cell: NotebookNode) -> str:
    """Return how messages name a code cell: by its number among those that the author wrote."""
    numbers = [number for number, each in enumerate(code_cells(notebook), start=1) if each is cell]
    return f"code cell {numbers[0]}" if numbers else "the cell of the run's parameters"


def faults_of_execution(notebook: NotebookNode) -> list[str]:
    """Return what shows that a notebook was not executed from its first to its last cell; empty if it was.

    Papermill can write a notebook whose kernel died as completed, so its word is not taken.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    miscounted = [
        f"{cell_name(notebook, cell)} has execution count {cell.execution_count}, not {place}"
        for place, cell in enumerate(code, start=1)
        if cell.execution_count != place
    ]
    failures = [
        f"{cell_name(notebook, cell)} ended with {output.ename}: {output.evalue}"
        for cell in code
        for output in cell.outputs
        if output.output_type == "error"
    ]
    silent = [] if any(cell.outputs for cell in code) else ["no cell has any output"]
    return [*miscounted[:1], *failures, *silent]


def faults_of_comparison(notebook: NotebookNode) -> list[str]:
    """Return what would make nbval pass compared cells without comparing them: no output, or a picture."""
    faults = []
    for cell in (cell for cell in notebook.cells if COMPARED_TAG in tags(cell)):
        types = {each for output in cell.get("outputs", ()) for each in output.get("data", ())}
        name = f"{cell_name(notebook, cell)} ({cell.get('id')}), tagged {COMPARED_TAG},"
        lines = [*cell.source.splitlines(), *(tag.upper().replace("-", "_") for tag in tags(cell))]
        if marks := [fits[1] for line in lines if (fits := _LEFT_OUT.fullmatch(line))]:
            faults.append(f"{name} says {marks[0]}, by which nbval compares nothing")
        elif not cell.get("outputs"):
            faults.append(f"{name} has no output")
        elif left_out := types & {*NOT_COMPARED}:
            faults.append(
                f"{name} shows {', '.join(sorted(left_out))}, which nbval does not compare; print numbers, "
                "or take the tag away"
            )
    return faults


def cells_executed(source: NotebookNode, executed: NotebookNode) -> dict[str, NotebookNode]:
    """Return the id of a code cell -> the cell that was executed in its place, of a notebook's ``executed``
    edition: the one of the same id, or where no code differs of the same number.
    """
    today, past = code_cells(source), code_cells(executed)
    same = [cell.source for cell in today] == [cell.source for cell in past]
    return {cell.id: ran for cell, ran in zip(today if same else past, past, strict=True)}


def drop_papermill_metadata(notebook: NotebookNode) -> None:
    """Take papermill's notes of paths and times out of it, which differ from machine to machine."""
    for part in (notebook, *notebook.cells):
        for note in ("papermill", "execution"):
            part.metadata.pop(note, None)
