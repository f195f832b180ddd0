"""What papers claim and report, and what a run says of it: questions, each answered by whether a number's
whole interval lies beyond a bound.

Claims, questions and reported numbers stand in ``claims.yaml``. No question is answered by hand, and none by
a number without its interval, but for counts of things that were tested one by one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ferbook import paths
from ferbook.book import chapters
from ferbook.errors import DataError, nearest_name
from ferbook.estimate import Estimate
from ferbook.files import read_yaml
from ferbook.page.tables import Table
from ferbook.store import Run
from ferbook.text import PERCENT, MetricError, metric_text

Metrics = Mapping[str, Mapping[str, Estimate]]
"""Chapter -> metric -> its value; nothing of a chapter that the run does not have."""

Certainty = Literal["V", "S", "R", "N"]

CERTAINTIES: dict[Certainty, str] = {
    "V": "read in the authors' own paper or code",
    "S": "read in another paper that cites it",
    "R": "remembered; look it up before you rely on it",
    "N": "not found",
}

Answer = Literal["yes", "no", "open", "not asked"]
Verdict = Literal["holds here", "holds in part", "does not hold here", "not settled here", "not asked here"]


class Entry(BaseModel):
    """A part of ``claims.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Question(Entry):
    """A question that a metric answers: its whole interval lies ``above``, or ``below``, a number or another
    metric's value.

    ``counts``: the metric is a count, or another value that stands without an interval, and is compared as it
    is. ``beside``: the answer puts the claim into proportion, but does not decide it. ``unit``: printed
    behind a number that has no unit of its own. The uncertainty of a bound that is another metric does not
    enter.
    """

    asks: str
    metric: str
    above: float | str | None = None
    below: float | str | None = None
    counts: bool = False
    beside: bool = False
    unit: str = ""

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("give either above or below")
        for name in (self.metric, self.bound):
            if isinstance(name, str) and name.count(".") != 1:
                raise ValueError(f"{name!r} is not of the form chapter.metric")
        return self

    @property
    def bound(self) -> float | str:
        """What the metric is compared with: a number, or the name of another metric."""
        return self.below if self.above is None else self.above

    @property
    def side(self) -> Literal["above", "below"]:
        """On which side of the bound the metric is asked to lie."""
        return "below" if self.above is None else "above"

    @property
    def chapter(self) -> str:
        """The chapter that answers."""
        return self.metric.partition(".")[0]


class PaperClaim(Entry):
    """One claim of a paper, how well it is known, and the questions that must all be answered with yes for it
    to hold, but for those beside it.
    """

    claim: str
    reported: str = ""
    certainty: Certainty
    questions: tuple[Question, ...]


class Paper(Entry):
    """A paper, its key in the bibliography and its name as a heading, with its claims."""

    paper: str
    name: str
    claims: tuple[PaperClaim, ...]


class Reported(Entry):
    """A number (share) that ``paper`` reports on some data, to be read beside a result, never as its equal.

    ``accuracy``: None where none is known, which certainty ``N`` says. ``users``: what people report who ran
    the published code, in the public thread ``where``.
    """

    paper: str = ""
    data: str = ""
    accuracy: float | None = Field(None, ge=0, le=1)
    certainty: Certainty
    remark: str = ""
    users: tuple[float, ...] = ()
    where: str = ""

    @model_validator(mode="after")
    def _number_or_none(self) -> Self:
        if (self.accuracy is None) != (self.certainty == "N"):
            raise ValueError("certainty N and no accuracy go together")
        return self


class Claims(Entry):
    """``claims.yaml``: papers with their claims, and by chapter a table of numbers that papers report."""

    class Numbers(Entry):
        """A caption and its numbers."""

        caption: str
        numbers: tuple[Reported, ...]

    papers: tuple[Paper, ...]
    reported: dict[str, Numbers] = {}


@dataclass(frozen=True)
class Answered:
    """A question with its answer; ``measured`` and ``bound`` as text, ``why`` there is neither yes nor no."""

    question: Question
    answer: Answer
    measured: str = ""
    bound: str = ""
    why: str = ""

    @property
    def told(self) -> str:
        """What was measured and what was asked for, or why nothing was."""
        return f"{self.measured}; asked: {self.question.side} {self.bound}" if self.measured else self.why


@dataclass(frozen=True)
class Judged:
    """A claim with the answers to its questions and what follows from them."""

    claim: PaperClaim
    answers: tuple[Answered, ...]
    verdict: Verdict

    def to_json(self) -> dict[str, object]:
        """Plain values: the claim, its verdict, and each question with its answer."""
        answers = [
            each.question.model_dump(exclude_none=True)
            | {"answer": each.answer, "measured": each.measured, "bound": each.bound, "why": each.why}
            for each in self.answers
        ]
        return self.claim.model_dump(exclude={"questions"}) | {"verdict": self.verdict, "questions": answers}


def read_claims(file: Path) -> Claims:
    """The claims and reported numbers of a YAML file, in its order. Raises DataError that names the file, the
    place in it and what is wrong there.
    """
    try:
        return Claims.model_validate(read_yaml(file, DataError))
    except ValidationError as fault:
        first = fault.errors()[0]
        place = ", ".join(f"number {part + 1}" if isinstance(part, int) else part for part in first["loc"])
        raise DataError(f"{file}, {place or 'its content'}: {first['msg']}") from fault


def reported_table(chapter: str) -> Table:
    """What papers report on the subject of a chapter, for its page: ``paper``, ``data``, ``accuracy`` with
    the digits that the paper gives, ``how sure``, and ``remark``, ``users report`` and ``where`` if there are
    any.
    """
    reported = read_claims(paths.claims()).reported[chapter]
    rows = [
        {
            "paper": each.paper or None,
            "data": each.data or None,
            "accuracy": each.accuracy,
            "how sure": f"{each.certainty}: {CERTAINTIES[each.certainty]}",
            "remark": each.remark or None,
            "users report": ", ".join(f"{100 * share:g} %" for share in each.users) or None,
            "where": each.where or None,
        }
        for each in reported.numbers
    ]
    table = pd.DataFrame(rows).astype({"accuracy": float}).dropna(axis="columns", how="all")
    return Table(table, reported.caption, {"accuracy": lambda share: f"{100 * share:.4g}{PERCENT}"})


def _metric(metrics: Metrics, name: str) -> Estimate | None:
    """The metric ``chapter.metric``; None where the chapter has no such number for these faces.

    Raises DataError for a chapter that there is not: that can only be a slip of the pen.
    """
    chapter, _, metric = name.partition(".")
    if chapter not in metrics:
        raise DataError(f"{name}: no chapter {chapter!r}{nearest_name(chapter, metrics)}")
    return metrics[chapter].get(metric)


def ask(question: Question, metrics: Metrics) -> Answered:
    """Answer a question from the metrics of a run.

    Yes where the whole interval lies on the side that is asked for, no where it lies on the other, open where
    it holds the bound or where there is no interval; not asked where a number is absent. Raises DataError for
    an unknown chapter, MetricError for a metric without an interval and without a word why it has none.
    """
    found, limit = _metric(metrics, question.metric), question.bound
    if isinstance(limit, str):
        limit = _metric(metrics, limit)
    elif found is not None:
        limit = Estimate(limit, unit=found.unit)
    if found is None or limit is None:
        why = "these faces, or these parameters, do not allow it"
        if not metrics[question.chapter]:
            why = f"the run has no chapter {question.chapter}"
        return Answered(question, "not asked", why=why)
    try:
        measured = metric_text(found, "value" if question.counts else "interval")
    except MetricError as fault:
        raise MetricError(f"{question.metric}: {fault}") from fault
    texts = (measured, metric_text(limit))
    measured, bound = (f"{text} {question.unit}".strip().replace("-", "−") for text in texts)
    low, high = (found.value, found.value) if question.counts else (found.low, found.high)
    if low is None:
        return Answered(question, "open", measured, bound, "it has no interval")
    beyond, short = low > limit.value, high < limit.value
    if question.side == "below":
        beyond, short = short, beyond
    if beyond:
        return Answered(question, "yes", measured, bound)
    if short or question.counts:
        return Answered(question, "no", measured, bound)
    return Answered(question, "open", measured, bound, "the interval holds the bound")


def judge(claim: PaperClaim, metrics: Metrics) -> Judged:
    """Ask all questions of a claim. It holds where every answer is yes, in part where some are yes and some
    no, and not where some are no and none is yes.

    Questions beside the claim decide nothing.
    """
    answers = tuple(ask(question, metrics) for question in claim.questions)
    given = {each.answer for each in answers if not each.question.beside}
    if given <= {"not asked"}:
        verdict: Verdict = "not asked here"
    elif "no" in given:
        verdict = "holds in part" if "yes" in given else "does not hold here"
    else:
        verdict = "holds here" if given == {"yes"} else "not settled here"
    return Judged(claim, answers, verdict)


PLACE = "<!-- claims -->"
"""The line of a page in whose place ``claims_text`` is put."""

_BADGES = {
    **{"holds here": "success", "yes": "success"},
    **{"does not hold here": "danger", "no": "danger"},
    **{"holds in part": "warning", "not settled here": "muted", "open": "muted"},
    **{"not asked here": "light", "not asked": "light"},
}


def judged_claims(run: Run) -> list[tuple[Paper, list[Judged]]]:
    """Each paper with its claims of ``claims.yaml``, judged by the finished chapters of ``run``; what an
    unfinished one would answer is not asked.

    Raises DataError for a damaged ``claims.yaml`` and RunStoreError where there is no such run, or for a
    damaged result.
    """
    run.record()
    finished = {result.chapter: result.metrics() for result in run.results()}
    metrics: Metrics = {name: finished.get(name, {}) for name in chapters()}
    return [
        (paper, [judge(claim, metrics) for claim in paper.claims])
        for paper in read_claims(paths.claims()).papers
    ]


def faces_of(run: Run) -> dict[str, str]:
    """Chapter -> name of the face set that it was about."""
    asked = run.record()["request"]["parameters"]
    return {name: str(parameters["faces"]) for name, parameters in asked.items() if "faces" in parameters}


def _cell(text: str) -> str:
    """``text`` in a table of Markdown, where a bar would end the cell."""
    return text.replace("|", "\\|")


def _badge(text: str) -> str:
    return f"{{bdg-{_BADGES[text]}}}`{text}`"


def _overview(judged: Sequence[tuple[Paper, Sequence[Judged]]]) -> list[str]:
    rows = ["| Verdict | Claim | Paper |", "|---|---|---|"]
    for paper, claims in judged:
        for each in claims:
            rows.append(f"| {_badge(each.verdict)} | {_cell(each.claim.claim)} | {paper.name} |")
    return rows


def _question(each: Answered, faces: Mapping[str, str]) -> str:
    question = each.question
    where = f"[{chapters()[question.chapter].title}]({question.chapter}/{question.chapter}.ipynb)"
    if question.chapter in faces:
        where += f", on `{faces[question.chapter]}`"
    asks = f"*Beside it:* {question.asks}" if question.beside else question.asks
    return f"| {' | '.join(_cell(cell) for cell in (_badge(each.answer), asks, each.told, where))} |"


def claims_text(judged: Sequence[tuple[Paper, Sequence[Judged]]], faces: Mapping[str, str]) -> str:
    """The claims as MyST Markdown: an overview, then paper by paper each claim with its questions, numbers
    and answers.

    ``faces``: chapter -> name of the face set that it was about.
    """
    lines = [*_overview(judged), ""]
    for paper, claims in judged:
        lines += [f"## {paper.name}", "", f"{{cite:t}}`{paper.paper}`.", ""]
        for each in claims:
            claim = each.claim
            sure = f"[{claim.certainty}]{{.certainty}} {CERTAINTIES[claim.certainty]}"
            lines += [
                *(f"**{claim.claim}** {_badge(each.verdict)}", ""),
                *(f"Reported: {claim.reported or 'no number'}. {sure}.", ""),
                *("| Answer | Asked here | Measured | Where |", "|---|---|---|---|"),
                *(_question(one, faces) for one in each.answers),
                "",
            ]
    return "\n".join(lines)
