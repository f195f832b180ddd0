"""The session of a chapter's notebook: its parameters, and the folder of its numbers, figures and tables."""

import html
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pandas as pd
from IPython.display import HTML
from pydantic import BaseModel

from ferbook import paths
from ferbook.book import Chapter, find_chapter
from ferbook.environment import OUTPUT_VARIABLE, RUN_VARIABLE
from ferbook.errors import ChapterError, ParameterError, RunStoreError
from ferbook.estimate import Estimate
from ferbook.files import write_atomically
from ferbook.page.tables import Table
from ferbook.reference_run import matching_reference
from ferbook.store import INTERACTIVE, ChapterResult, Run, current_run, write_json

if TYPE_CHECKING:
    from ferbook.page.style import Drawn


class Session:
    """An open chapter, as ``open_chapter`` returns it; it writes into one folder and records what it used.

    A book whose chapters have more in common, such as their data, makes a subclass.

    Attributes
    ----------
    chapter : Chapter
    params : Parameters
        The values of the notebook's parameters cell.
    output : Path
        Folder of the results.
    """

    def __init__(self, chapter: Chapter, parameters: BaseModel, output: Path, run: Path) -> None:
        self.chapter = chapter
        self.params = parameters
        self.output = output
        self._run = run
        self._record: dict[str, object] = {"figures": {}, "tables": {}}
        self._metrics: dict[str, Estimate] = {}
        self._write()

    def _write(self) -> None:
        write_json(self.output / "record.json", self._record)
        write_json(self.output / "metrics.json", {name: m.to_json() for name, m in self._metrics.items()})

    def upstream(self, name: str) -> ChapterResult:
        """Return the finished result of an upstream chapter, to read its artefacts and weights. This chapter
        does not become stale where only the numbers of that page change.

        Raises
        ------
        ChapterError
            If ``name`` is not declared upstream, or that chapter is not finished.
        """
        if name not in self.chapter.upstream:
            raise ChapterError(f"chapter {self.chapter.name!r} does not declare {name!r} as upstream")
        result = ChapterResult(name, self._run / name)
        if result.done() is None:
            raise ChapterError(f"chapter {name!r} is not finished in this run; `ferbook run {name}` makes it")
        return result

    def reference(self, metric: str) -> Estimate | None:
        """Return the reference's ``metric`` of this chapter, to be drawn next to this run's; None if the two
        runs are not comparable, or the reference lacks the metric.
        """
        result = self._reference
        return result.metrics().get(metric) if result else None

    def reference_table(self, name: str) -> pd.DataFrame | None:
        """Return the numbers of the reference's table or figure ``name`` of this chapter, as its CSV holds
        them; None as of ``reference``.
        """
        result = self._reference
        files = [result.folder / kind / f"{name}.csv" for kind in ("tables", "figures")] if result else []
        return next((pd.read_csv(file) for file in files if file.is_file()), None)

    @cached_property
    def _reference(self) -> ChapterResult | None:
        """The reference's result with which this one may be compared. Its digest is recorded: a changed
        reference makes this result stale.
        """
        run = Run(self._run.name, self._run)
        result = matching_reference(run, self.chapter, self.params.model_dump()).result
        self.note(reference=result and result.shown_numbers())
        return result

    def note(self, **facts: object) -> None:
        """Add facts (plain JSON values) to the chapter's record."""
        self._record.update(facts)
        self._write()

    def save_metrics(self, metrics: Mapping[str, Estimate]) -> None:
        """Store metrics by name; prose and other chapters quote them from ``metrics.json``."""
        self._metrics |= metrics
        self._write()

    def artefact(self, name: str, content: BaseModel) -> None:
        """Store ``content`` as ``artefacts/<name>.json`` for the chapters that follow, which read it with
        ``run.upstream(…).artefact(name, type(content))``.
        """
        file = self.output / "artefacts" / f"{name}.json"
        file.parent.mkdir(exist_ok=True)
        write_atomically(file, content.model_dump_json(indent=2) + "\n")

    def figure(
        self,
        name: str,
        draw: "Drawn | Callable[..., Drawn | None] | None",
        *arguments: object,
        needs: str = "",
        **options: object,
    ) -> HTML:
        """Store a figure as ``figures/<name>.svg`` and ``.png`` with its numbers as ``.csv``, and return it.

        Parameters
        ----------
        name : str
        draw : callable or Drawn
            ``draw(*arguments, **options)`` returns a Drawn. If it returns None, or one of ``arguments`` is
            None, the page shows instead that the figure was left out.
        needs : str
            What a figure that was left out needs.

        Raises
        ------
        ChapterError
            For a figure without alt text, caption or numbers, and for one left out without ``needs``.
        FigureError
            For text that is too small to be read.
        """
        # Here, as in `table`: a chapter that only opens waits for no plotting library.
        from ferbook.page.figure import figure_html, store_figure

        if (plot := _result_of(draw, arguments, options)) is None:
            return HTML(figure_html(name, "", self._left_out(f"figure {name!r}", needs)))
        absent = {"alt text": not plot.alt.strip(), "caption": not plot.caption.strip()}
        absent["data: the numbers that it shows"] = plot.data.empty
        for what in filter(absent.get, absent):
            raise ChapterError(f"figure {name!r} has no {what}")
        markup = store_figure(self.output, name, plot)
        words = {"alt": plot.alt, "caption": plot.caption}
        self._record["figures"][name] = words | {"tolerance": plot.tolerance}
        self._write()
        return HTML(markup)

    def table(
        self,
        name: str,
        make: Table | Callable[..., Table | None] | None,
        *arguments: object,
        needs: str = "",
        **options: object,
    ) -> HTML:
        """Store the numbers of a table as ``tables/<name>.csv`` and return it for display.

        ``make(*arguments, **options)`` returns a Table; everything else as of ``figure``.
        """
        from ferbook.page.figure import csv_of

        if (content := _result_of(make, arguments, options)) is None:
            return self.say(self._left_out(f"table {name!r}", needs))
        if content.data.empty:
            raise ChapterError(f"table {name!r} has no rows")
        (self.output / "tables").mkdir(exist_ok=True)
        (self.output / "tables" / f"{name}.csv").write_text(csv_of(content.stored()), encoding="utf-8")
        self._record["tables"][name] = {"caption": content.caption, "tolerance": content.tolerance}
        self._write()
        return HTML(content.html())

    def _left_out(self, what: str, needs: str) -> str:
        if not needs:
            raise ChapterError(f"{what} lacks what it shows; say with needs= what that takes")
        return f"Left out: it needs {needs.rstrip('.')}."

    def show(self, fragment: str) -> HTML:
        """HTML that a function of the book wrote, for display as it is."""
        return HTML(fragment)

    def say(self, text: str) -> HTML:
        """Return a sentence in place of what these data or these parameters do not allow."""
        return HTML(f'<p class="not-shown">{html.escape(text)}</p>')


def _result_of(make: object, arguments: tuple, options: dict[str, object]) -> object:
    """Return what is to be shown; None where something that it needs is absent."""
    if any(part is None for part in arguments):
        return None
    return make(*arguments, **options) if callable(make) else make


Opened = TypeVar("Opened", bound=Session)


def _parameters_from(chapter: Chapter, namespace: Mapping[str, object]) -> BaseModel:
    public = {name: value for name, value in namespace.items() if not name.startswith("_")}
    values = {name: value for name, value in public.items() if isinstance(value, int | float | str)}
    for name in chapter.parameters.model_fields:
        if name not in values:
            raise ParameterError(f"the parameters cell of {chapter.name} does not assign {name!r}")
    return chapter.resolve(overrides=values)


def open_chapter(name: str, namespace: Mapping[str, object], kind: type[Opened] = Session) -> Opened:
    """Open a chapter with the parameters that its notebook assigns. Its second code cell calls this.

    Under ``ferbook run`` the output goes into the run. In a notebook that was opened in an editor it goes to
    ``runs/interactive/``, and upstream chapters are those of the run that `ferbook run` was last called for.

    Parameters
    ----------
    name : str
    namespace : mapping
        The notebook's ``globals()``, with the values of its parameters cell.
    kind : type
        Session, or the subclass of the book.

    Raises
    ------
    ParameterError
        For an unknown, absent or impossible parameter.
    """
    chapter = find_chapter(name)
    parameters = _parameters_from(chapter, namespace)
    interactive = paths.runs_dir() / INTERACTIVE
    run = interactive
    if RUN_VARIABLE in os.environ:
        run = Path(os.environ[RUN_VARIABLE])
    else:
        with suppress(RunStoreError):  # no run yet: a chapter that depends on no other can be opened
            run = current_run().folder
    output = Path(os.environ.get(OUTPUT_VARIABLE) or interactive / name)
    if OUTPUT_VARIABLE not in os.environ:
        shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True, exist_ok=True)
    return kind(chapter, parameters, output, run)
