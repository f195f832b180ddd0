"""What became of the papers' claims: questions, each answered by whether a number's whole interval lies
beyond a bound.

The questions stand in ``claims.yaml``. None of them is answered by hand, and none by a number without its
interval, but for counts of things that were tested one by one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator

from ferbook.errors import DataError, nearest_name
from ferbook.reported import Certainty
from ferbook.text import MetricError, interval_text, metric_text, number_text

Metrics = Mapping[str, Mapping[str, Mapping]]
"""Chapter -> metric -> its entry in ``metrics.json``; nothing of a chapter that the run does not have."""

Answer = Literal["yes", "no", "open", "not asked"]
Verdict = Literal["holds here", "holds in part", "does not hold here", "not settled here", "not asked here"]


class Question(BaseModel):
    """A question that a metric answers: its whole interval lies ``above``, or ``below``, a number or another
    metric's value.

    ``counts``: the metric is a count, or another value that stands without an interval, and is compared as it
    is. ``beside``: the answer puts the claim into proportion, but does not decide it. ``unit``: printed
    behind a number that has no unit of its own. The uncertainty of a bound that is another metric does not
    enter.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

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


class PaperClaim(BaseModel):
    """One claim of a paper, how well it is known, and the questions that must all be answered with yes for it
    to hold, but for those beside it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    claim: str
    reported: str = ""
    certainty: Certainty
    questions: tuple[Question, ...]


class Paper(BaseModel):
    """A paper, its key in the bibliography and its name as a heading, with its claims."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    paper: str
    name: str
    claims: tuple[PaperClaim, ...]


@dataclass(frozen=True)
class Answered:
    """A question with its answer; ``measured`` and ``bound`` as text, ``why`` there is neither yes nor no."""

    question: Question
    answer: Answer
    measured: str = ""
    bound: str = ""
    why: str = ""


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


def read_claims(file: Path) -> tuple[Paper, ...]:
    """The papers and claims of a YAML file, in its order. Raises DataError that names the file, the place in
    it and what is wrong there.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        papers = TypeAdapter(tuple[Paper, ...]).validate_python(content)
    except OSError as fault:
        raise DataError(f"{file}: cannot be read ({fault.strerror})") from fault
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise DataError(f"{file}: not YAML ({' '.join(str(fault).split())})") from fault
    except ValidationError as fault:
        first = fault.errors()[0]
        place = ", ".join(f"number {part + 1}" if isinstance(part, int) else part for part in first["loc"])
        raise DataError(f"{file}, {place or 'its content'}: {first['msg']}") from fault
    return papers


def _entry(metrics: Metrics, name: str) -> Mapping | None:
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
    entry = _entry(metrics, question.metric)
    limit = _entry(metrics, question.bound) if isinstance(question.bound, str) else {"value": question.bound}
    if entry is None or limit is None:
        why = "these faces, or these parameters, do not allow it"
        if not metrics[question.chapter]:
            why = f"the run has no chapter {question.chapter}"
        return Answered(question, "not asked", why=why)
    unit = entry.get("unit", "")
    bound = number_text(limit["value"], limit.get("unit", unit))
    low, high = entry.get("low"), entry.get("high")
    if question.counts:
        measured, low, high = metric_text(entry), entry["value"], entry["value"]
    else:
        try:
            measured = interval_text(entry)
        except MetricError as fault:
            raise MetricError(f"{question.metric}: {fault}") from fault
    measured, bound = (f"{text} {question.unit}".strip().replace("-", "−") for text in (measured, bound))
    if low is None or high is None:
        return Answered(question, "open", measured, bound, "it has no interval")
    beyond, short = (low > limit["value"], high < limit["value"])
    if question.side == "below":
        beyond, short = short, beyond
    if question.counts:
        short = not beyond
    answer = "yes" if beyond else "no" if short else "open"
    return Answered(
        question, answer, measured, bound, "" if answer != "open" else "the interval holds the bound"
    )


def _verdict(answers: Sequence[Answer]) -> Verdict:
    given = set(answers) - {"not asked"}
    if not given:
        return "not asked here"
    if "no" in given:
        return "holds in part" if "yes" in given else "does not hold here"
    return "holds here" if set(answers) == {"yes"} else "not settled here"


def judge(claim: PaperClaim, metrics: Metrics) -> Judged:
    """Ask all questions of a claim. It holds where every answer is yes, in part where some are yes and some
    no, and not where some are no and none is yes.

    Questions beside the claim decide nothing.
    """
    answers = tuple(ask(question, metrics) for question in claim.questions)
    return Judged(claim, answers, _verdict([each.answer for each in answers if not each.question.beside]))
