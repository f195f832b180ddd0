"""A new chapter: a folder that passes every check, with a metric to begin with, and its line in the table of
contents.
"""

import re
from pathlib import Path

import nbformat
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from ferbook import paths
from ferbook.book import Chapter, chapters, clear_cached_book, load, require_chapter_name
from ferbook.errors import BookError
from ferbook.files import write_atomically
from ferbook.notebook import parameters_source

_DRAFT = Environment(
    loader=FileSystemLoader(paths.ENGINE / "draft"), undefined=StrictUndefined, keep_trailing_newline=True
)


def _notebook(words: dict[str, object]) -> nbformat.NotebookNode:
    """Return the page; each cell of its template begins with a line of ``%%``, its id, kind and tags."""
    cells = []
    for text in _DRAFT.get_template("page.jinja").render(words).split("%% ")[1:]:
        head, _, source = text.partition("\n")
        key, kind, *tags = head.split()
        new_cell = new_code_cell if kind == "code" else new_markdown_cell
        cells.append(new_cell(source.strip(), id=key, metadata={"tags": tags} if tags else {}))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def _with_line(toc: str, page: str) -> str:
    """``_toc.yml`` with one more page, behind the last chapter that it has."""
    pages = [f"book/{name}/{name}" for name in chapters()]
    lines = toc.splitlines()
    listed = [number for number, line in enumerate(lines) if re.match(r"\s*- file:", line)]
    places = [number for number in listed if lines[number].partition("file:")[2].strip() in pages] or listed
    if not places:
        raise BookError(f"_toc.yml lists no page behind which a chapter could go; add `- file: {page}`")
    line = lines[places[-1]]
    lines.insert(places[-1] + 1, f"{line[: line.index('-')]}- file: {page}")
    return "\n".join(lines) + "\n"


def write_chapter(name: str) -> Path:
    """Write ``book/<name>/`` and its line in ``_toc.yml``; returns the folder.

    Raises BookError for a name that cannot be used or is taken, and where the table of contents has no place
    for it; nothing is written then.
    """
    folder = paths.pages() / name
    require_chapter_name(name)
    if folder.exists():
        raise BookError(f"the name {name!r} is taken by another folder; give the chapter another")
    own = paths.pages() / "parameters.py"
    words = {
        "name": name,
        "model": "".join(part.capitalize() for part in name.split("_")) + "Parameters",
        "title": name.replace("_", " ").capitalize(),
        "session": "book" if (paths.pages() / "session.py").exists() else "ferbook",
        "shared": own.exists() and "class ChapterParameters(" in own.read_text(encoding="utf-8"),
    }
    toc = _with_line(paths.toc().read_text(encoding="utf-8"), f"book/{name}/{name}")
    for module in ("chapter", "study", "figures"):
        text = _DRAFT.get_template(f"{module}.py.jinja").render(words)
        write_atomically(folder / f"{module}.py", text)
    chapter = load(folder / "chapter.py", "CHAPTER", Chapter)["CHAPTER"]
    parameters = chapter.parameters().model_dump()
    page = _notebook(words | {"parameters": parameters_source(parameters)})
    write_atomically(folder / f"{name}.ipynb", nbformat.writes(page) + "\n")
    write_atomically(paths.toc(), toc)
    clear_cached_book()
    return folder
