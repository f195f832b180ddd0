"""What papers claim and report, and what a run says of it: questions, each answered by whether a number's
whole interval lies beyond a bound.

Claims, questions and reported numbers stand in ``claims.yaml``. No question is answered by hand, and none by
a number without its interval, but for counts of things that were tested one by one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from math import inf
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
from ferbook.store import ChapterResult, Run
from ferbook.text import PERCENT, MetricError, metric_text


@dataclass(frozen=True)
class Told:
    """What the result of a chapter tells those who ask: its metrics, its parameters with what it noted, and
    the names of its figures; nothing where there is no result.
    """

    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)
    figures: frozenset[str] = frozenset()

    @classmethod
    def by(cls, result: ChapterResult) -> Self:
        """What a finished chapter tells. Raises RunStoreError where it is damaged."""
        made = result.summary()
        return cls(result.metrics(), made["parameters"] | made, frozenset(result.record().get("figures", {})))


ByChapter = Mapping[str, Told]
"""Every chapter of the book -> what it tells."""

Certainty = Literal["V", "S", "R", "N"]

CERTAINTIES: dict[Certainty, str] = {
    "V": "read in the authors' own paper or code",
    "S": "read in another paper that cites it",
    "R": "remembered; look it up before you rely on it",
    "N": "not found",
}

AnswerWord = Literal["yes", "no", "no difference", "open", "not asked"]
Verdict = Literal[
    "holds here",
    "holds in part",
    "does not hold here",
    "no difference here",
    "not settled here",
    "not asked here",
]


class Entry(BaseModel):
    """A part of ``claims.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _require_address(text: str, what: str) -> None:
    if text.count(".") != 1:
        raise ValueError(f"{text!r} is not of the form chapter.{what}")


class Question(Entry):
    """A question that a metric answers: its whole interval lies ``above``, or ``below``, a number, or within
    ``margin`` ``about`` one.

    ``margin`` beside ``above`` or ``below``: an interval wholly within so much of the bound shows that there
    is no difference worth the name, which is an answer of its own. ``counts``: the metric is a count, or
    another value that stands without an interval, and is compared as it is; only then may the bound be
    another metric: the difference of two estimates has an interval of its own, and is a metric. ``beside``:
    the answer puts the claim into proportion, but does not decide it. ``weak``: it asks of a weak control, and
    decides only whether the claim holds at least against that. ``unit``: printed behind a number that has no
    unit of its own.
    """

    asks: str
    metric: str
    above: float | str | None = None
    below: float | str | None = None
    about: float | None = None
    margin: float | None = Field(None, gt=0)
    counts: bool = False
    weak: bool = False
    beside: bool = False
    unit: str = ""

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if sum(bound is not None for bound in (self.above, self.below, self.about)) != 1:
            raise ValueError("give one of above, below and about")
        if self.about is not None and self.margin is None:
            raise ValueError("about needs a margin: how much is still no difference?")
        if self.counts and self.margin is not None:
            raise ValueError("a margin needs an interval, and counts are compared as they are")
        if self.weak and self.beside:
            raise ValueError("a question is of a weak control, or beside the claim, not both")
        _require_address(self.metric, "metric")
        if isinstance(self.bound, str):
            _require_address(self.bound, "metric")
            if not self.counts:
                raise ValueError(
                    f"the bound {self.bound} has an uncertainty of its own: ask for a metric that is the "
                    "difference of the two, or say `counts: true`"
                )
        return self

    @property
    def bound(self) -> float | str:
        """What the metric is compared with: a number, or the name of another metric."""
        return next(bound for bound in (self.above, self.below, self.about) if bound is not None)

    @property
    def side(self) -> Literal["above", "below", "about"]:
        """Where the metric is asked to lie, seen from the bound."""
        return "above" if self.above is not None else "below" if self.below is not None else "about"

    @property
    def chapter(self) -> str:
        """The chapter that answers."""
        return self.metric.partition(".")[0]

    @property
    def subject(self) -> str:
        """What is asked about."""
        return self.metric

    def rules_out(self, other: Self) -> bool:
        """Whether no number answers this question and the ``other``, of the same metric, with yes."""
        if isinstance(self.bound, str) or isinstance(other.bound, str):
            return False
        ranges = [
            {
                "above": (each.bound, inf),
                "below": (-inf, each.bound),
                "about": (each.bound - (each.margin or 0), each.bound + (each.margin or 0)),
            }[each.side]
            for each in (self, other)
        ]
        lows, highs = zip(*ranges, strict=True)
        return max(lows) >= min(highs)


class Fact(Entry):
    """A question that a chapter's parameters, or what it noted in its record, answer: the value of ``noted``,
    ``chapter.name``, is as ``equals`` says.
    """

    asks: str
    noted: str
    equals: bool | int | float | str

    @model_validator(mode="after")
    def _of_a_chapter(self) -> Self:
        _require_address(self.noted, "name")
        return self

    @property
    def chapter(self) -> str:
        """The chapter that answers."""
        return self.noted.partition(".")[0]

    @property
    def subject(self) -> str:
        """What is asked about."""
        return self.noted

    def rules_out(self, other: Self) -> bool:
        """Whether no value answers this question and the ``other``, of the same fact, with yes."""
        return self.equals != other.equals


class PaperClaim(Entry):
    """One claim of a paper, how well it is known, and the questions that must all be answered with yes for it
    to hold, but for those of weak controls and those beside it.

    ``short``: its name in the picture of all claims. ``requires``: names of the preconditions without which
    it is not settled, whatever the answers. ``figure``: ``chapter.figure``, the one to look at. ``sizes``: how
    much of it there is, where ``{chapter.metric}`` stands for that number.
    """

    claim: str
    short: str = Field(max_length=44)
    reported: str = ""
    certainty: Certainty
    requires: tuple[str, ...] = ()
    questions: tuple[Question, ...]
    figure: str = ""
    sizes: str = ""

    @model_validator(mode="after")
    def _decided(self) -> Self:
        if all(question.beside or question.weak for question in self.questions):
            raise ValueError("no question decides it: at least one must be neither weak nor beside it")
        if self.figure:
            _require_address(self.figure, "figure")
        return self


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
    """``claims.yaml``: preconditions by name, papers with their claims, and by chapter a table of numbers
    that papers report.
    """

    class Numbers(Entry):
        """A caption and its numbers."""

        caption: str
        numbers: tuple[Reported, ...]

    preconditions: dict[str, Question | Fact] = {}
    papers: tuple[Paper, ...]
    reported: dict[str, Numbers] = {}

    @model_validator(mode="after")
    def _preconditions_that_can_be_met(self) -> Self:
        for claim in (claim for paper in self.papers for claim in paper.claims):
            for name in claim.requires:
                if name not in self.preconditions:
                    near = nearest_name(name, self.preconditions)
                    known = ", ".join(self.preconditions) or "none"
                    raise ValueError(
                        f"the claim {claim.short!r} requires {name!r}, which is no precondition{near}; there "
                        f"are {known}"
                    )
            for one, other in combinations(claim.requires, 2):
                first, second = self.preconditions[one], self.preconditions[other]
                if first.subject == second.subject and first.rules_out(second):
                    raise ValueError(
                        f"the claim {claim.short!r} requires {one!r} and {other!r}, which cannot both hold: "
                        f"they ask different things of {first.subject}"
                    )
        return self


@dataclass(frozen=True)
class Answered:
    """A question with its answer: what was ``measured`` and ``asked`` as text, ``why`` there is neither yes
    nor no; the estimate that was ``found``, with the number that is its ``limit``.
    """

    question: Question | Fact
    answer: AnswerWord
    measured: str = ""
    asked: str = ""
    why: str = ""
    found: Estimate | None = None
    limit: float | None = None

    @property
    def told(self) -> str:
        """What was measured and what was asked for, or why nothing was."""
        return f"{self.measured}; asked: {self.asked}" if self.measured else self.why

    @property
    def sentence(self) -> str:
        """The question with its answer, what was measured and what was asked for."""
        return f"{self.question.asks} {self.answer.capitalize()}: {self.told}."

    @property
    def room(self) -> float:
        """How far the interval lies from the bound, in widths of the interval; infinite for a count."""
        low, high = self.found.low, self.found.high
        if low is None or low == high:
            return inf
        near = min(abs(low - self.limit), abs(high - self.limit))
        return ((self.question.margin - near) if self.question.side == "about" else near) / (high - low)

    def to_json(self) -> dict[str, object]:
        """Plain values: the question, and its answer."""
        told = {name: getattr(self, name) for name in ("answer", "measured", "asked", "why")}
        return self.question.model_dump(exclude_none=True) | told


@dataclass(frozen=True)
class Judged:
    """A claim with the answers to its questions, those to its preconditions by name, and what follows."""

    claim: PaperClaim
    answers: tuple[Answered, ...]
    required: Mapping[str, Answered]
    verdict: Verdict

    @property
    def deciding(self) -> Answered:
        """The question whose answer decided: the first that stands against the claim, or, where none does,
        the one that was answered most narrowly.
        """
        own = [each for each in self.answers if not each.question.beside]
        wanted = {
            "holds here": ("yes",),
            "holds in part": ("no", "no difference"),
            "does not hold here": ("no",),
            "no difference here": ("no difference",),
            "not settled here": ("open", "not asked"),
            "not asked here": ("not asked",),
        }[self.verdict]
        decided = [each for answer in wanted for each in own if each.answer == answer]
        if self.verdict == "holds here":
            return min(decided, key=lambda each: each.room)
        return (decided or own)[0]

    @property
    def why(self) -> str:
        """One sentence: what decided, what was measured, and what was asked for."""
        unmet = [each for each in self.required.values() if each.answer != "yes"]
        if self.verdict == "not settled here" and unmet:
            return f"First of all: {unmet[0].sentence}"
        return self.deciding.sentence

    def to_json(self) -> dict[str, object]:
        """Plain values: the claim, its verdict and why, and each question with its answer."""
        return self.claim.model_dump(exclude={"questions", "requires"}) | {
            "verdict": self.verdict,
            "why": self.why,
            "requires": {name: each.to_json() for name, each in self.required.items()},
            "questions": [each.to_json() for each in self.answers],
        }


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
    reported = read_claims(paths.claims_file()).reported[chapter]
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


def _told(name: str, results: ByChapter) -> tuple[Told, str]:
    """What the chapter of ``chapter.name`` tells, and that name in it.

    Raises DataError for a chapter that there is not: that can only be a slip of the pen.
    """
    chapter, _, inner = name.partition(".")
    if chapter not in results:
        raise DataError(f"{name}: no chapter {chapter!r}{nearest_name(chapter, results)}")
    return results[chapter], inner


def _metric(name: str, results: ByChapter) -> Estimate | None:
    """The metric ``chapter.metric``; None where the chapter has no such number for these faces."""
    told, metric = _told(name, results)
    return told.metrics.get(metric)


def _not_asked(question: Question | Fact, results: ByChapter) -> Answered:
    there = results[question.chapter] != Told()
    why = "these faces, or these parameters, do not allow it" if there else None
    return Answered(question, "not asked", why=why or f"the run has no chapter {question.chapter}")


def _look_up(fact: Fact, results: ByChapter) -> Answered:
    told, name = _told(fact.noted, results)
    if name not in told.facts:
        return _not_asked(fact, results)
    answer = "yes" if told.facts[name] == fact.equals else "no"
    return Answered(fact, answer, str(told.facts[name]), str(fact.equals))


def ask(question: Question | Fact, results: ByChapter) -> Answered:
    """Answer a question from what the chapters of a run tell.

    Yes where the whole interval lies where it is asked to, no where it lies wholly elsewhere, open where it
    holds the bound or where there is no interval, no difference where it lies within the margin of the bound;
    not asked where a number is absent. Raises DataError for an unknown chapter, MetricError for a metric
    without an interval and without a word why it has none.
    """
    if isinstance(question, Fact):
        return _look_up(question, results)
    found, limit = _metric(question.metric, results), question.bound
    if isinstance(limit, str):
        limit = _metric(limit, results)
    elif found is not None:
        limit = Estimate(limit, unit=found.unit, why="a bound")
    if found is None or limit is None:
        return _not_asked(question, results)
    try:
        measured = metric_text(found, "value" if question.counts else "interval")
    except MetricError as fault:
        raise MetricError(f"{question.metric}: {fault}") from fault
    measured, bound = (_with_unit(text, question.unit) for text in (measured, metric_text(limit)))
    asked, margin = f"{question.side} {bound}", question.margin
    if margin is not None:
        size = _with_unit(metric_text(Estimate(margin, unit=found.unit, why="a bound")), question.unit)
        within = f"within {size} of {bound}"
        asked = within if question.side == "about" else f"{asked} ({within}: no difference)"

    def answered(answer: AnswerWord, why: str = "") -> Answered:
        return Answered(question, answer, measured, asked, why, found, limit.value)

    low, high = (found.value, found.value) if question.counts else (found.low, found.high)
    if low is None:
        return answered("open", "it has no interval")
    low, high = low - limit.value, high - limit.value
    if margin is not None and -margin < low and high < margin:
        return answered("yes" if question.side == "about" else "no difference")
    beyond, short = {
        "above": (low > 0, high < 0),
        "below": (high < 0, low > 0),
        "about": (False, low > (margin or 0) or high < -(margin or 0)),
    }[question.side]
    if beyond:
        return answered("yes")
    return answered("no") if short or question.counts else answered("open", "the interval holds the bound")


def _with_unit(text: str, unit: str) -> str:
    return f"{text} {unit}".strip().replace("-", "−")


def judge(claim: PaperClaim, results: ByChapter, preconditions: Mapping[str, Question | Fact]) -> Judged:
    """Ask all questions of a claim. It holds where every answer is yes, in part where some are yes and some
    are not, and not where none is yes and some are no; nothing of it is settled where a precondition is not
    met.

    Questions beside the claim decide nothing.
    """
    answers = tuple(ask(question, results) for question in claim.questions)
    required = {name: ask(preconditions[name], results) for name in claim.requires}
    given = {each.answer for each in answers if not each.question.beside}
    against = given & {"no", "no difference"}
    if given == {"not asked"}:
        verdict: Verdict = "not asked here"
    elif any(each.answer != "yes" for each in required.values()):
        verdict = "not settled here"
    elif against and "yes" in given:
        verdict = "holds in part"
    elif against:
        verdict = "does not hold here" if "no" in against else "no difference here"
    else:
        verdict = "holds here" if given == {"yes"} else "not settled here"
    return Judged(claim, answers, required, verdict)


def told_by(run: Run) -> ByChapter:
    """What each chapter of the book tells in ``run``; nothing where the run has not finished it.

    Raises RunStoreError where there is no such run, or for a damaged result.
    """
    run.record()
    finished = {result.chapter: Told.by(result) for result in run.results()}
    return {name: finished.get(name, Told()) for name in chapters()}


def judged_claims(results: ByChapter) -> list[tuple[Paper, list[Judged]]]:
    """Each paper with its claims of ``claims.yaml``, judged by what chapters tell.

    Raises DataError for a damaged ``claims.yaml``.
    """
    asked = read_claims(paths.claims_file())
    return [
        (paper, [judge(claim, results, asked.preconditions) for claim in paper.claims])
        for paper in asked.papers
    ]
