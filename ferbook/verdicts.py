"""What a run says of a claim: each question is answered by whether a number's whole interval lies beyond a
bound, and the verdict follows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from types import MappingProxyType
from typing import Literal, Self

from ferbook import paths
from ferbook.book import chapters, suite
from ferbook.chance import chance_alone, holm, smallest_effect
from ferbook.claims import Control, Fact, Paper, PaperClaim, Question, read_claims
from ferbook.errors import DataError, nearest_name
from ferbook.estimate import Estimate
from ferbook.store import ChapterResult, Run
from ferbook.text import MetricError, metric_text


@dataclass(frozen=True)
class Evidence:
    """What the result of a chapter tells those who ask: its metrics, its parameters with what it noted, and
    the names of its figures; nothing where there is no result.
    """

    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)
    figures: frozenset[str] = frozenset()

    @classmethod
    def by(cls, result: ChapterResult) -> Self:
        """What a finished chapter tells. Raises RunStoreError where it is damaged."""
        summary, figures = result.summary(), result.record().get("figures", {})
        return cls(result.metrics(), summary["parameters"] | summary, frozenset(figures))


ByChapter = Mapping[str, Evidence]
"""Every chapter of the book -> what it tells."""


AnswerWord = Literal["yes", "no", "no difference", "open", "too few", "not asked"]
Verdict = Literal[
    "holds",
    "holds against a weak control",
    "does not hold",
    "not settled",
    "cannot be asked with this many",
    "cannot be asked here",
    "not asked",
]

SIGNIFICANCE = 0.05
"""A verdict survives the correction for many questions where its p stay below this."""


@dataclass(frozen=True)
class Answered:
    """A question with its answer: what was ``measured`` and ``asked`` as text, ``why`` there is neither yes
    nor no; the ``estimate``, with the number that is its ``limit``.
    """

    question: Question | Fact
    answer: AnswerWord
    measured: str = ""
    asked: str = ""
    why: str = ""
    estimate: Estimate | None = None
    limit: float | None = None

    @property
    def details(self) -> str:
        """What was measured and what was asked for, or why nothing was."""
        return f"{self.measured}; asked: {self.asked}" if self.measured else self.why

    @property
    def sentence(self) -> str:
        """The question with its answer, what was measured and what was asked for."""
        return f"{self.question.asks} {self.answer.capitalize()}: {self.details}."

    @property
    def role(self) -> str:
        """What the question is to its claim, to be said before it; empty for one that decides."""
        if isinstance(self.question, Fact):
            return ""
        return "weak control: " if self.question.weak else "beside it: " if self.question.beside else ""

    @property
    def chance(self) -> float | None:
        """p of the answer, two-sided; where a margin is asked for, that of its nearer edge. None of what is
        compared as it is, and where nothing is known of the interval's tails.
        """
        if self.estimate is None or self.question.counts:
            return None
        margin = self.question.margin
        if self.question.side != "about" and self.answer != "no difference":
            return chance_alone(self.estimate, self.limit)
        edges = [chance_alone(self.estimate, self.limit + sign * margin) for sign in (-1, 1)]
        return None if None in edges else max(edges)

    @property
    def finds(self) -> str:
        """The smallest effect that would be found, as text; empty where that is not known."""
        smallest = None if self.estimate is None or self.question.counts else smallest_effect(self.estimate)
        if smallest is None:
            return ""
        size = Estimate(smallest, unit=self.estimate.unit, why="a size")
        return _with_unit(metric_text(size), self.question.unit)

    @property
    def room(self) -> float:
        """How far the interval lies from the bound, in widths of the interval; infinite for a count."""
        low, high = self.estimate.low, self.estimate.high
        if low is None or low == high:
            return inf
        near = min(abs(low - self.limit), abs(high - self.limit))
        return ((self.question.margin - near) if self.question.side == "about" else near) / (high - low)

    def to_json(self) -> dict[str, object]:
        """Plain values: the question, and its answer."""
        fields = ("answer", "measured", "asked", "why", "chance", "finds")
        own = {name: getattr(self, name) for name in fields}
        return self.question.model_dump(exclude_none=True) | own


@dataclass(frozen=True)
class Judged:
    """A claim with the answers to its questions, those to its preconditions by name, and what follows.

    ``control``: what is planted to see that it can be asked; None where nothing is.
    ``again``: by question, its answer elsewhere, where it was asked there (``Suite.again``). ``sizes``: how
    much of it there is, as text; ``found``: what was found, in a sentence. ``survives``: whether the verdict
    stands when its p are corrected for all questions that were asked; None where nothing was answered, or by
    a count.
    """

    claim: PaperClaim
    answers: tuple[Answered, ...]
    required: Mapping[str, Answered]
    verdict: Verdict
    sizes: str = ""
    found: str = ""
    again: Mapping[Question, Answered] = field(default_factory=dict)
    control: Control | None = None
    survives: bool | None = None

    @property
    def own(self) -> list[Answered]:
        """The answers to the questions that decide."""
        return [each for each in self.answers if not (each.question.beside or each.question.weak)]

    @property
    def weak(self) -> list[Answered]:
        """The answers to the questions about weak controls."""
        return [each for each in self.answers if each.question.weak]

    @property
    def deciding(self) -> Answered:
        """The question whose answer decided: the first that stands against the claim, or, where none does,
        the one that was answered most narrowly.
        """
        if self.verdict == "holds":
            return min(self.own, key=lambda each: each.room)
        return min(self.own, key=_against)

    @property
    def resting(self) -> list[Answered]:
        """The answers that the verdict rests on."""
        every = {"holds": self.own, "holds against a weak control": self.weak}
        return every.get(self.verdict, [self.deciding])

    @property
    def replicated(self) -> Answered | None:
        """Of what the verdict rests on, the answer elsewhere that stands most against the claim; None where
        none was asked there.
        """
        there = [self.again[each.question] for each in self.resting if each.question in self.again]
        return min(there, key=_against, default=None)

    @property
    def why(self) -> str:
        """One sentence: what decided, what was measured, and what was asked for."""
        if self.verdict == "cannot be asked here":
            note = f"Where it was planted, it was not found either: {self.control.plants}."
            return f"{note} {self.sizes}".rstrip()
        unmet = _unmet(self.required)
        if self.verdict in ("not settled", "cannot be asked with this many") and unmet:
            return f"First of all: {unmet[0].sentence}"
        sentence = self.deciding.sentence
        if self.verdict == "holds against a weak control":
            weak = min(self.weak, key=lambda each: each.room)
            sentence = f"{weak.sentence.removesuffix('.')}; but: {sentence}"
        there = self.replicated if self.verdict.startswith("holds") else None
        if there and there.answer != "yes":
            sentence += f" {suite().again[1].capitalize()}: {there.answer}, {there.details}."
        return f"{sentence} {self.sizes}".rstrip()

    @property
    def finding(self) -> str:
        """What was found and, where that does not settle the claim, what stands in the way; else ``why``."""
        if not self.found or self.verdict == "not asked":
            return self.why
        if self.verdict == "cannot be asked here":
            return f"{self.found} Where it was planted, it was not found either."
        unmet = _unmet(self.required)
        if self.verdict in ("not settled", "cannot be asked with this many") and unmet:
            return f"{self.found} {unmet[0].sentence}"
        return self.found

    @property
    def figure(self) -> str:
        """``chapter.figure``, the one to look at: that of the question that decided, else the claim's."""
        return self.deciding.question.figure or self.claim.figure

    def after(self, p_values: Mapping[int, float]) -> bool | None:
        """Whether the verdict stands with the corrected ``p_values``, by the ``id`` of their answers."""
        resting = {"holds": self.own, "holds against a weak control": self.weak}.get(self.verdict, [])
        if self.verdict == "does not hold":
            resting = [each for each in self.own if each.answer in ("no", "no difference")]
            resting = sorted(resting, key=lambda each: p_values.get(id(each), inf))[:1]
        chances = [p_values.get(id(each)) for each in resting]
        return None if None in chances or not chances else max(chances) < SIGNIFICANCE

    def to_json(self) -> dict[str, object]:
        """Plain values: the claim, its verdict and why, and each question with its answer."""
        return self.claim.model_dump(exclude={"questions", "requires", "sizes", "found", "control"}) | {
            "verdict": self.verdict,
            "why": self.why,
            "sizes": self.sizes,
            "found": self.finding,
            "again": [each.to_json() for each in self.again.values()],
            "survives": self.survives,
            "requires": {name: each.to_json() for name, each in self.required.items()},
            "control": self.control and self.control.model_dump(),
            "questions": [each.to_json() for each in self.answers],
        }


def _against(each: Answered) -> int:
    """How far an answer is from standing against the claim."""
    return ("no", "no difference", "too few", "open", "not asked", "yes").index(each.answer)


def _evidence_on(name: str, results: ByChapter) -> tuple[Evidence, str]:
    """What the chapter of ``chapter.name`` tells, and that name in it.

    Raises DataError for a chapter that there is not: that can only be a slip of the pen.
    """
    chapter, _, inner = name.partition(".")
    if chapter not in results:
        raise DataError(f"{name}: no chapter {chapter!r}{nearest_name(chapter, results)}")
    return results[chapter], inner


def _metric(name: str, results: ByChapter) -> Estimate | None:
    """The metric ``chapter.metric``; None where the chapter has no such number for these faces."""
    evidence, metric = _evidence_on(name, results)
    return evidence.metrics.get(metric)


def _not_asked(question: Question | Fact, results: ByChapter) -> Answered:
    there = results[question.chapter] != Evidence()
    why = "these faces, or these parameters, do not allow it" if there else None
    return Answered(question, "not asked", why=why or f"the run has no chapter {question.chapter}")


def _look_up(fact: Fact, results: ByChapter) -> Answered:
    evidence, name = _evidence_on(fact.noted, results)
    if name not in evidence.facts:
        return _not_asked(fact, results)
    answer = "yes" if evidence.facts[name] == fact.equals else "no"
    return Answered(fact, answer, str(evidence.facts[name]), str(fact.equals))


def ask(question: Question | Fact, results: ByChapter) -> Answered:
    """Answer a question from what the chapters of a run tell.

    Yes where the whole interval lies where it is asked to, no where it lies wholly elsewhere, open where it
    holds the bound or where there is no interval, no difference where it lies within the margin of the bound;
    too few where it holds the bound and is too wide to lie within the margin anywhere; not asked where a
    number is absent. Raises DataError for an unknown chapter, MetricError for a metric without an interval
    and without a word why it has none.
    """
    if isinstance(question, Fact):
        return _look_up(question, results)
    estimate, limit = _metric(question.metric, results), question.bound
    if isinstance(limit, str):
        limit = _metric(limit, results)
    elif estimate is not None:
        limit = Estimate(limit, unit=estimate.unit, why="a bound")
    if estimate is None or limit is None:
        return _not_asked(question, results)
    try:
        measurement = metric_text(estimate, "value" if question.counts else "interval")
    except MetricError as fault:
        raise MetricError(f"{question.metric}: {fault}") from fault
    measurement, bound = (_with_unit(text, question.unit) for text in (measurement, metric_text(limit)))
    condition, margin = f"{question.side} {bound}", question.margin
    if margin is not None:
        size = _with_unit(metric_text(Estimate(margin, unit=estimate.unit, why="a bound")), question.unit)
        within = f"within {size} of {bound}"
        condition = within if question.side == "about" else f"{condition} ({within}: no difference)"

    def answered(answer: AnswerWord, why: str = "") -> Answered:
        return Answered(question, answer, measurement, condition, why, estimate, limit.value)

    low, high = (estimate.value, estimate.value) if question.counts else (estimate.low, estimate.high)
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
    if short or question.counts:
        return answered("no")
    if margin is not None and (high - low) / 2 >= margin:
        return answered("too few", "no interval so wide lies within the margin")
    return answered("open", "the interval holds the bound")


def _with_unit(text: str, unit: str) -> str:
    return f"{text} {unit}".strip().replace("-", "−")


def judge(
    claim: PaperClaim,
    results: ByChapter,
    preconditions: Mapping[str, Question | Fact],
    controls: Mapping[str, Control] = MappingProxyType({}),
) -> Judged:
    """Ask all questions of a claim. It holds where every answer is yes, against a weak control where the
    answers about these are, and not where one is no, or no difference. Where a precondition is not met
    nothing of it is settled; it cannot be asked with so few where that one counts, and where a question has
    too few. It cannot be asked here where its control does not find what was planted.

    Questions beside the claim decide nothing.
    """
    answers = tuple(ask(question, results) for question in claim.questions)
    required = {name: ask(preconditions[name], results) for name in claim.requires}
    again = {each: ask(there, results) for each in claim.questions if (there := _elsewhere(each, results))}
    sizes, finding = (_filled(text, results) for text in (claim.sizes, claim.found))
    control = controls.get(claim.control)
    judgement = Judged(claim, answers, required, "not settled", sizes, finding, again, control)
    words = {each.answer for each in judgement.own}
    unmet = _unmet(required)
    verdict: Verdict = "not settled"
    if words == {"not asked"}:
        verdict = "not asked"
    elif control and control.finds is False:
        verdict = "cannot be asked here"
    elif unmet:
        if getattr(unmet[0].question, "counts", False) and unmet[0].answer == "no":
            verdict = "cannot be asked with this many"
    elif words == {"yes"}:
        verdict = "holds"
    elif judgement.weak and all(each.answer == "yes" for each in judgement.weak):
        verdict = "holds against a weak control"
    elif words & {"no", "no difference"}:
        verdict = "does not hold"
    elif "too few" in words:
        verdict = "cannot be asked with this many"
    return replace(judgement, verdict=verdict)


def _elsewhere(question: Question, results: ByChapter) -> Question | None:
    """The ``question`` about what its metric is elsewhere; None where that is not known."""
    evidence, name = _evidence_on(question.metric, results)
    there = f"{suite().again[0]}{name}"
    if there == name or there not in evidence.metrics or isinstance(question.bound, str):
        return None
    return question.model_copy(update={"metric": f"{question.chapter}.{there}"})


def _unmet(required: Mapping[str, Answered]) -> list[Answered]:
    return [each for each in required.values() if each.answer != "yes"]


def _filled(words: str, results: ByChapter) -> str:
    """``words`` with the numbers in the place of their names, as a sentence; empty where one is not there."""

    def number(match: re.Match) -> str:
        address, _, part = match[1].partition(":")
        evidence, name = _evidence_on(address, results)
        if name not in evidence.metrics:
            return str(evidence.facts[name])
        return metric_text(evidence.metrics[name], part or "value")

    try:
        text = re.sub(r"{([^}]*)}", number, words)
    except KeyError:
        return ""
    return f"{text[0].upper()}{text[1:].removesuffix('.')}." if text else ""


def correct(judgements: Sequence[Judged]) -> list[Judged]:
    """The same with ``survives``: by Holm's correction over every question that a verdict can rest on."""
    chances = {
        id(one): one.chance
        for each in judgements
        for one in (*each.own, *each.weak)
        if one.chance is not None
    }
    p_values = dict(zip(chances, holm([*chances.values()]), strict=True))
    return [replace(each, survives=each.after(p_values)) for each in judgements]


def evidence_by(run: Run) -> ByChapter:
    """What each chapter of the book tells in ``run``; nothing where the run has not finished it.

    Raises RunStoreError where there is no such run, or for a damaged result.
    """
    run.record()
    evidence = {result.chapter: Evidence.by(result) for result in run.results()}
    return {name: evidence.get(name, Evidence()) for name in chapters()}


def judged_claims(results: ByChapter) -> list[tuple[Paper, list[Judged]]]:
    """Each paper with its claims of ``claims.yaml``, judged by what chapters tell.

    Raises DataError for a damaged ``claims.yaml``.
    """
    content = read_claims(paths.claims_file())
    judgements = correct(
        [
            judge(claim, results, content.preconditions, content.controls)
            for paper in content.papers
            for claim in paper.claims
        ]
    )
    each = iter(judgements)
    return [(paper, [next(each) for _ in paper.claims]) for paper in content.papers]
