"""Figures across the book: their numbers, the places where pages show them, and what refers to them.

``<!-- key figure: name -->`` on a chapter's page shows that figure first; ``<!-- figure: chapter.name -->``
on any page shows one of a chapter. ``{figure}`name` ``, or ``{figure}`chapter.name` ``, becomes "Figure 5.2"
and a link.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode

from ferbook import paths
from ferbook.book import Chapter, chapters, page_of, pages_of_toc
from ferbook.claims import read_claims
from ferbook.errors import BookError, nearest_name
from ferbook.notebook import figure_cells, read_notebook
from ferbook.page.figure import in_theme

_KEY = re.compile(r"<!-- key figure: (\w+) -->")
_PLACE = re.compile(r"<!-- (?:key )?figure: ([\w.]+) -->")
_ROLE = re.compile(r"\{figure\}`([^`]+)`")
_FIGURE = re.compile(r'<figure class="fer-figure" id="figure-(\w+)">.*?</figure>', re.DOTALL)


def key_figure(notebook: NotebookNode) -> str:
    """The name of the figure that the page shows first; empty where it says none."""
    matches = (_KEY.search(cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
    return next((match[1] for match in matches if match), "")


def numbered(notebook: NotebookNode, chapter: int) -> dict[str, str]:
    """The figures that a notebook draws -> their numbers, such as ``5.2``: the key figure is the first."""
    key = key_figure(notebook)
    names = sorted(figure_cells(notebook), key=lambda name: name != key)
    return {name: f"{chapter}.{place}" for place, name in enumerate(names, start=1)}


def _texts() -> Iterator[tuple[str, str, str]]:
    """Every text of the book: the chapter whose page it is on (empty for others), where it stands, and it."""
    own = {page_of(chapter): chapter for chapter in chapters().values()}
    for page in pages_of_toc():
        if page in own:
            for cell in read_notebook(own[page].notebook).cells:
                if cell.cell_type == "markdown":
                    yield own[page].name, f"{page}.ipynb, cell {cell.get('id')!r}", cell.source
        elif (file := paths.root() / f"{page}.md").is_file():
            yield "", f"{page}.md", file.read_text(encoding="utf-8")
    if (file := paths.claims_file()).is_file():
        yield (
            "",
            file.name,
            " ".join(f"{{figure}}`{each.figure}`" for each in read_claims(file).every if each.figure),
        )


def require_figures() -> None:
    """Raise BookError where a page refers to a figure that no chapter draws, or a chapter draws one that its
    own page never refers to.
    """
    notebooks = {chapter.name: read_notebook(chapter.notebook) for chapter in chapters().values()}
    cells = {
        f"{name}.{figure}": cell
        for name in notebooks
        for figure, cell in figure_cells(notebooks[name]).items()
    }
    faults, names = [], set()
    for chapter, where, text in _texts():
        for match in [*_PLACE.finditer(text), *_ROLE.finditer(text)]:
            name = match[1] if "." in match[1] else f"{chapter}.{match[1]}"
            if name not in cells:
                faults.append(f"{where}: no chapter draws a figure {match[1]!r}{nearest_name(name, cells)}")
            elif match.re is _ROLE and name.startswith(f"{chapter}."):
                names.add(name)
    for name, cell in cells.items():
        chapter, _, figure = name.partition(".")
        if name not in names:
            faults.append(
                f"{page_of(chapters()[chapter])}.ipynb, cell {cell.get('id')!r}: the page never refers to "
                f"the figure {figure!r}; say what it shows, with {{figure}}`{figure}`"
            )
    if faults:
        raise BookError("\n  ".join(faults))


@dataclass(frozen=True)
class Figures:
    """The figures of the book that is being built: numbers by chapter and name, and what pages ``shown``."""

    numbers: Mapping[str, Mapping[str, str]] = field(
        default_factory=lambda: {
            chapter.name: numbered(read_notebook(chapter.notebook), place)
            for place, chapter in enumerate(chapters().values(), start=1)
        }
    )
    shown: dict[str, str] = field(default_factory=dict)

    def collect(self, chapter: Chapter, notebook: NotebookNode) -> None:
        """Number the figures among the outputs of a staged ``notebook``; in place of the key figure, which
        stands above, a line says so.
        """
        key = key_figure(notebook)

        def put(match: re.Match) -> str:
            number = self.numbers[chapter.name].get(match[1])
            if number is None:  # drawn by code that the notebook no longer has
                return match[0]
            word = f"<figcaption><strong>Figure {number}</strong> "
            # Runs of before 28 November 2026 hold figures in the colours of paper.
            markup = in_theme(match[0]).replace("<figcaption>", word, 1)
            self.shown[f"{chapter.name}.{match[1]}"] = markup
            if match[1] != key:
                return self.shown[f"{chapter.name}.{match[1]}"]
            up = f'<a href="#figure-{key}">Figure {number}</a>'
            return f'<p class="not-shown">{up} stands at the top of the page.</p>'

        for output in (output for cell in notebook.cells for output in cell.get("outputs", ())):
            if "text/html" in output.get("data", {}):
                output.data["text/html"] = _FIGURE.sub(put, output.data["text/html"])

    def placed(self, text: str, page: str) -> str:
        """``text`` of ``page`` with the figures that it asks for, and links for what refers to one."""
        own = next((name for name, chapter in chapters().items() if page_of(chapter) == page), "")

        def full(name: str) -> tuple[str, str]:
            chapter, _, figure = (name if "." in name else f"{own}.{name}").partition(".")
            return chapter, figure

        def figure_html(match: re.Match) -> str:
            chapter, figure = full(match[1])
            folder = _from(page, page_of(chapters()[chapter]))
            markup = self.shown.get(f"{chapter}.{figure}", "").replace(
                'href="figures/', f'href="{folder}figures/'
            )
            absence = f'<p class="not-shown">Figure {self.numbers[chapter][figure]}: not in this run.</p>'
            # In one line: after an empty one its words would be Markdown, and those of a run are data.
            line = " ".join((markup or absence).splitlines())
            return f"\n\n{line}\n\n"

        def link(match: re.Match) -> str:
            chapter, figure = full(match[1])
            other = "" if chapter == own else f"{_from(page, page_of(chapters()[chapter]))}{chapter}.html"
            anchor = f"#figure-{figure}" if f"{chapter}.{figure}" in self.shown else ""
            words = f"Figure {self.numbers[chapter][figure]}"
            return f'<a href="{other}{anchor}">{words}</a>' if other or anchor else words

        # In this order: what a caption says is no role.
        return _PLACE.sub(figure_html, _ROLE.sub(link, text))


def _from(page: str, other: str) -> str:
    """The way from ``page`` to the folder of the ``other``, empty or ending in a slash."""
    way = os.path.relpath(Path(other).parent, Path(page).parent)
    return "" if way == "." else f"{way}/"
