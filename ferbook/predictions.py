"""What a reader is asked to predict, as ``book/predictions.yaml`` lists it, and what the run found, which
``book/_static/predictions.js`` shows beside the guess.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Literal, Self

import nbformat
import pandas as pd
from pydantic import Field, ValidationError, model_validator

from ferbook import paths
from ferbook.book import chapters, page_of
from ferbook.claims import Entry
from ferbook.errors import BookError, first_fault
from ferbook.estimate import Estimate
from ferbook.files import read_yaml
from ferbook.notebook import read_notebook
from ferbook.store import ChapterResult
from ferbook.text import bounds_text, number_text

PREDICTIONS_PLACE = "<!-- predictions -->"
"""The line of a page in whose place all predictions of the book are put."""
_ASKED = "*Predict"
"""What begins the sentence of a page that asks for a prediction."""


class Printed(Entry):
    """A number that a chapter prints: what the one group of the regular expression ``printed`` holds."""

    printed: str


class Cell(Entry):
    """A number of a figure's or table's CSV: the ``column`` of the row ``where`` columns have these values;
    of several rows the ``take`` of them, where the mean may be weighed by a column ``weights``.
    """

    table: str
    column: str
    where: dict[str, str] = Field(default={})
    take: Literal["only", "mean", "largest"] = "only"
    weights: str = ""


FoundAt = str | Printed | Cell
"""``chapter.metric``, or a number of the chapter that asks."""


class Guess(Entry):
    """What the sentence *Predict …* of the markdown cell ``at`` (``chapter.cell``) asks.

    One of ``number``, the source of what was found, between ``low`` and ``high`` in steps of ``step`` in
    ``unit`` (a share in per cent); ``largest`` or ``smallest``, for each option the number by which it is
    right; ``within``, for each option the numbers between which the ``number`` then lies; ``words``: free,
    judged by the reader. ``name`` tells guesses of one sentence apart. ``figure`` is the one to look at; a
    guess of a number is drawn on its ``axis``, as seen from ``zero``.
    """

    at: str
    asks: str
    name: str = ""
    number: FoundAt | None = None
    low: float = 0.0
    high: float = 1.0
    step: float = Field(0.01, gt=0)
    unit: str = ""
    within: dict[str, tuple[float, float]] = Field(default={})
    largest: dict[str, FoundAt | list[FoundAt]] = Field(default={})
    smallest: dict[str, FoundAt | list[FoundAt]] = Field(default={})
    words: bool = False
    figure: str = ""
    axis: Literal["", "x", "y"] = ""
    zero: str = ""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = (self.number is not None, bool(self.largest), bool(self.smallest), self.words)
        if sum(kinds) != 1 or (self.within and self.number is None):
            raise ValueError("give one of number, largest, smallest and words; within goes with a number")
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} must lie below high {self.high:g}")
        return self

    @property
    def id(self) -> str:
        """What it is kept by in the browser."""
        return f"{self.at}.{self.name}" if self.name else self.at


def read_guesses() -> tuple[Guess, ...]:
    """All guesses of ``book/predictions.yaml``; none where there is no such file. Raises BookError that names
    the entry and what is wrong with it.
    """
    file = paths.pages() / "predictions.yaml"
    if not file.is_file():
        return ()
    guesses = []
    for number, entry in enumerate(read_yaml(file, BookError) or [], start=1):
        try:
            guesses.append(Guess.model_validate(entry))
        except ValidationError as fault:
            raise BookError(f"{file}, entry {number}: {first_fault(fault)}") from fault
    ids = [each.id for each in guesses]
    if twice := {each for each in ids if ids.count(each) > 1}:
        raise BookError(f"{file}: {', '.join(sorted(twice))} twice; give each a name of its own")
    return tuple(guesses)


def _table_of(result: ChapterResult, name: str) -> pd.DataFrame | None:
    files = (result.folder / folder / f"{name}.csv" for folder in ("figures", "tables"))
    return next((pd.read_csv(file) for file in files if file.is_file()), None)


def _in_table(cell: Cell, result: ChapterResult) -> float | None:
    table = _table_of(result, cell.table)
    if table is None or not {cell.column, *cell.where, *filter(None, [cell.weights])} <= set(table.columns):
        return None
    for column, value in cell.where.items():
        table = table[table[column].astype(str).eq(value)]
    values = table[cell.column].astype(float)
    if cell.weights:
        weights = table[cell.weights].astype(float)
        return float((values * weights).sum() / weights.sum())
    if values.empty or (cell.take == "only" and len(values) != 1):
        return None
    return float(values.max() if cell.take == "largest" else values.mean())


def _printed_text(result: ChapterResult) -> str:
    executed: nbformat.NotebookNode = read_notebook(result.notebook)
    outputs = (output for cell in executed.cells for output in cell.get("outputs", ()))
    return "".join(output["text"] for output in outputs if output["output_type"] == "stream")


def _measured(source: FoundAt, own: ChapterResult, results: Mapping[str, ChapterResult]) -> Estimate | None:
    """What the run found; None where it has no such number, or could not tell it."""
    if isinstance(source, str):
        chapter, _, metric = source.partition(".")
        return results[chapter].metrics().get(metric) if chapter in results else None
    if isinstance(source, Cell):
        value = _in_table(source, own)
    else:
        match = re.search(source.printed, _printed_text(own))
        value = float(match[1]) if match else None
    return None if value is None or math.isnan(value) else Estimate(value, why="as the page has it")


def _largest(sources: FoundAt | Sequence, *where: object) -> float | None:
    sources = sources if isinstance(sources, list) else [sources]
    values = [each.value for each in (_measured(source, *where) for source in sources) if each]
    return max(values, default=None)


def prediction_data(guess: Guess, results: Mapping[str, ChapterResult]) -> dict[str, object] | None:
    """A guess with what was found, as plain values for the page; None where the run has not found it."""
    chapter = guess.at.partition(".")[0]
    if chapter not in results:
        return None
    own = results[chapter]
    data: dict[str, object] = {"id": guess.id, "asks": guess.asks, "figure": guess.figure}
    data["page"] = f"{page_of(chapters()[chapter])}.html"
    if guess.words:
        return data | {"kind": "words"}
    if options := guess.largest or guess.smallest:
        values = {text: _largest(source, own, results) for text, source in options.items()}
        values = {text: value for text, value in values.items() if value is not None}
        if len(values) < 2:
            return None
        best = (max if guess.largest else min)(values.values())
        right = [place for place, value in enumerate(values.values()) if value == best]
        return data | {"kind": "choice", "options": list(values), "right": right}
    estimate = _measured(guess.number, own, results)
    if estimate is None:
        return None
    scale = 100 if estimate.unit == "share" else 1
    if guess.within:
        right = [
            k for k, (low, high) in enumerate(guess.within.values()) if low <= scale * estimate.value < high
        ]
        return data | {"kind": "choice", "options": list(guess.within), "right": right}
    zero = _measured(guess.zero, own, results) if guess.zero else None
    ends = [None if end is None else scale * end for end in (estimate.low, estimate.high)]
    unit = "%" if scale == 100 else guess.unit
    text = number_text(estimate.value, estimate.unit) if estimate.low is None else bounds_text(estimate)
    return data | {
        "kind": "number",
        **{"from": guess.low, "to": guess.high, "step": guess.step, "unit": unit},
        **{"value": scale * estimate.value, "low": ends[0], "high": ends[1], "text": text},
        "axis": guess.axis,
        "zero": 0 if zero is None else zero.value * (100 if zero.unit == "share" else 1),
    }


def _as_element(content: object, name: str) -> str:
    text = json.dumps(content, ensure_ascii=False).replace("<", "\\u003c")
    return f'<div class="{name}"><script type="application/json">{text}</script></div>'


def with_predictions(text: str, at: str, predictions: Sequence[dict]) -> str:
    """``text`` of the markdown cell ``at`` with its own of ``predictions`` behind the paragraph
    that asks for them. Raises BookError where none does.
    """
    own = [each for each in predictions if each["id"] == at or each["id"].startswith(f"{at}.")]
    if not own:
        return text
    paragraphs = text.split("\n\n")
    place = next((number for number, each in enumerate(paragraphs) if _ASKED in each), None)
    if place is None:
        raise BookError(f"{at}: book/predictions.yaml asks for a guess where the page has no {_ASKED} …*")
    return "\n\n".join([*paragraphs[: place + 1], _as_element(own, "prediction"), *paragraphs[place + 1 :]])


def predictions_page(predictions: Sequence[dict]) -> str:
    """All ``predictions`` for the page that says how well one predicted."""
    titles = {f"{page_of(chapter)}.html": chapter.title for chapter in chapters().values()}
    every = [each | {"chapter": titles[each["page"]]} for each in predictions]
    return _as_element(every, "predictions")
