"""Figures across the book: their numbers, the places where pages show them, and what refers to them.

``<!-- key figure: name -->`` on a chapter's page shows that figure first; ``<!-- figure: chapter.name -->``
on any page shows one of a chapter. ``{figure}`name` ``, or ``{figure}`chapter.name` ``, becomes "Figure 5.2"
and a link.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode

from ferbook.book import Chapter, chapters, page_of
from ferbook.errors import BookError, nearest_name
from ferbook.notebook import figure_names, read_notebook

_KEY = re.compile(r"<!-- key figure: (\w+) -->")
_PLACE = re.compile(r"<!-- (?:key )?figure: ([\w.]+) -->")
_ROLE = re.compile(r"\{figure\}`([^`]+)`")
_FIGURE = re.compile(r'<figure class="fer-figure" id="figure-(\w+)">.*?</figure>', re.DOTALL)


def key_figure(notebook: NotebookNode) -> str:
    """Return the name of the figure that the page shows first; empty where it says none."""
    matches = (_KEY.search(cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
    return next((match[1] for match in matches if match), "")


def numbered(notebook: NotebookNode, chapter: int) -> dict[str, str]:
    """Return the figures that a notebook draws -> their numbers, such as ``5.2``: the key figure is the
    first.
    """
    key = key_figure(notebook)
    names = sorted(figure_names(notebook), key=lambda name: name != key)
    return {name: f"{chapter}.{place}" for place, name in enumerate(names, start=1)}


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
        is shown above, goes a link to it.
        """
        key = key_figure(notebook)

        def put(match: re.Match) -> str:
            number = self.numbers[chapter.name].get(match[1])
            if number is None:  # drawn by code that the notebook no longer has
                return match[0]
            word = f"<figcaption><strong>Figure {number}</strong> "
            self.shown[f"{chapter.name}.{match[1]}"] = match[0].replace("<figcaption>", word, 1)
            if match[1] != key:
                return self.shown[f"{chapter.name}.{match[1]}"]
            return f'<p class="not-shown"><a href="#figure-{key}">↑ Figure {number}</a></p>'

        for output in (output for cell in notebook.cells for output in cell.get("outputs", ())):
            if "text/html" in output.get("data", {}):
                output.data["text/html"] = _FIGURE.sub(put, output.data["text/html"])

    def placed(self, text: str, page: str, where: str = "") -> str:
        """``text`` of ``page``, there ``where``, with the figures that its comments name, and links for
        what refers to one. Raises BookError for a figure that no chapter draws.
        """
        own = next((name for name, chapter in chapters().items() if page_of(chapter) == page), "")

        def full(name: str) -> tuple[str, str]:
            chapter, _, figure = (name if "." in name else f"{own}.{name}").partition(".")
            if figure not in self.numbers.get(chapter, {}):
                every = [f"{of}.{one}" for of, figures in self.numbers.items() for one in figures]
                near = nearest_name(f"{chapter}.{figure}", every)
                raise BookError(f"{where or page}: no chapter draws a figure {name!r}{near}")
            return chapter, figure

        def figure_html(match: re.Match) -> str:
            chapter, figure = full(match[1])
            folder = _from(page, page_of(chapters()[chapter]))
            absence = f'<p class="not-shown">Figure {self.numbers[chapter][figure]}: not in this run.</p>'
            markup = self.shown.get(f"{chapter}.{figure}", absence)
            # In one line: after an empty one its words would be Markdown, and those of a run are data.
            line = " ".join(markup.replace('href="figures/', f'href="{folder}figures/').splitlines())
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
    """Return the way from ``page`` to the folder of the ``other``, empty or ending in a slash."""
    way = os.path.relpath(Path(other).parent, Path(page).parent)
    return "" if way == "." else f"{way}/"
