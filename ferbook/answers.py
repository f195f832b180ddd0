"""Answers to the claims of ``claims.yaml`` from the numbers of a run, by the rules of ``rule``."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Self

from pydantic_core import to_jsonable_python

from ferbook import paths, rule
from ferbook.book import Chapter, chapters, suite
from ferbook.claims import MEASURED_LABEL, PLACEHOLDER, Claims, Gate, PaperClaim, read_claims, require_logged
from ferbook.errors import DataError, nearest_name
from ferbook.estimate import STORED, Estimate
from ferbook.request import Request
from ferbook.store import REFERENCE, ChapterResult, ReferenceMatch, Run
from ferbook.text import bounds_text, interval_text, metric_text, number_text

# An answer holds after correction where its p, corrected for all measured claims, is below this.
SIGNIFICANCE = 0.05

# Label of numbers of stored networks that a run evaluated on its own faces.
STORED_NETWORKS = "stored networks, your faces"

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Evidence:
    """What a chapter's result provides; empty where there is no result.

    ``facts``: its parameters and what it noted. ``networks``: the stored networks that it evaluated; empty
    where it trained its own. ``pictures``: digests of the pictures that it opened.
    """

    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)
    networks: frozenset[str] = frozenset()
    pictures: frozenset[str] = frozenset()

    @classmethod
    def of(cls, result: ChapterResult) -> Self:
        """Read it from a finished chapter. Raises RunStoreError where that is damaged."""
        summary, record = result.summary(), result.record()
        facts = summary["parameters"] | summary
        return cls(result.metrics(), facts, record.stored_networks, record.opened_pictures)

    @property
    def of_stored(self) -> Self:
        """With the metrics of stored networks in the place of those of networks that the run trained."""
        stored = {
            name.removeprefix(STORED): each for name, each in self.metrics.items() if name.startswith(STORED)
        }
        return replace(self, metrics={**self.metrics, **stored})

    def number(self, name: str) -> Estimate | None:
        """Return the metric ``name``, or the noted whole number of that name."""
        fact = self.facts.get(name)
        counted = Estimate(fact, unit="count") if isinstance(fact, int) else None
        return self.metrics.get(name, counted)


# Every chapter of the book -> its evidence.
ByChapter = Mapping[str, Evidence]


@dataclass(frozen=True)
class Passed:
    """Whether a ``gate`` is passed: ``yes``, ``no``, ``undecided`` where its interval includes the bound, or
    ``not measured``; ``found``: the number and the bound, as text.
    """

    gate: Gate
    reply: Literal["yes", "no", "undecided", "not measured"]
    found: str

    @property
    def sentence(self) -> str:
        """The question, the reply, the number and the bound."""
        return f"{self.gate.requires} {self.reply.capitalize()}{self.found}."


@dataclass(frozen=True)
class ClaimAnswer:
    """The answer to a claim.

    Parameters
    ----------
    word : RuleAnswer
    gates : tuple of Passed
    estimate : Estimate or None
        The degree or difference that decides; of a degree also ``measure`` and ``distance``, that of its
        controls, in raw units. None where the run has none.
    second_model : Estimate or None
        The same estimate on the second head model (``Suite.again``); it decides nothing.
    numbers : mapping
        Each ``chapter.metric`` that the card shows -> its estimate; without those that are not measured.
    missing : str
        Why an undecided claim is undecided.
    p, corrected : float or None
        p of the answer, and the same corrected by Holm's rule for all measured claims.
    detectable : float or None
        Minimum detectable effect at 80 % power.
    needed : float or None
        How many times as large a sample would decide an undecided claim.
    whose : str
        ``STORED_NETWORKS`` or empty.
    """

    claim: PaperClaim
    word: rule.RuleAnswer
    gates: tuple[Passed, ...] = ()
    estimate: Estimate | None = None
    measure: Estimate | None = None
    distance: Estimate | None = None
    second_model: Estimate | None = None
    numbers: Mapping[str, Estimate] = field(default_factory=dict)
    missing: str = ""
    p: float | None = None
    corrected: float | None = None
    detectable: float | None = None
    needed: float | None = None
    whose: str = ""

    @property
    def holds(self) -> bool:
        """Whether the answer holds after correction for all claims."""
        return self.corrected is not None and self.corrected < SIGNIFICANCE

    @property
    def certainty(self) -> str:
        """Whether it holds after correction, in words; empty where nothing was tested."""
        if self.corrected is None:
            return ""
        p = "p < .001" if self.corrected < 0.001 else f"p = {self.corrected:.3f}".replace("0.", ".")
        return f"{'not ' * (not self.holds)}significant after correction ({p})"

    @property
    def absolute(self) -> str:
        """The absolute measure, in a sentence; empty where it was not measured."""
        return self._filled(self.claim.absolute) if self.estimate else ""

    @property
    def second(self) -> list[str]:
        """The further sentences of the card."""
        return [self._filled(text) for text in self.claim.second if self.estimate]

    def _filled(self, text: str) -> str:
        def number(match: re.Match) -> str:
            found = self.numbers.get(match[1])
            part = "value" if found and found.low is None else match[2] or "value"
            return metric_text(found, part) if found else f"({NOT_MEASURED})"

        return PLACEHOLDER.sub(number, text)

    @property
    def controls(self) -> list[dict[str, object]]:
        """Rows of the table: ``label``, ``metric``, its ``estimate``, whether it is the ``measured`` one."""
        rows = []
        for label, address in self.claim.table:
            measured, name = bool(MEASURED_LABEL.fullmatch(label)), MEASURED_LABEL.sub(r"\1", label)
            number = self.numbers.get(address)
            rows.append({"label": name, "metric": address, "estimate": number, "measured": measured})
        return rows

    @property
    def lacks_control(self) -> str:
        """The metrics of the measured system, or of its controls, none of which has a value; else empty."""
        sides = [[each for each in self.controls if each["measured"] is side] for side in (True, False)]
        lacking = [side for side in sides if self.estimate and not any(each["estimate"] for each in side)]
        return ", ".join(each["metric"] for side in lacking for each in side)

    @property
    def sample(self) -> dict[str, float]:
        """How many people and networks, by their nouns."""
        known = [(noun, self.numbers.get(address)) for noun, address in self.claim.sample]
        return {noun: number.value for noun, number in known if number}

    @property
    def sentence(self) -> str:
        """The degree or difference with its interval, or why the claim is undecided."""
        if self.estimate is None:
            return f"{self.missing[0].upper()}{self.missing[1:]}."
        words = _degree_words(self) if self.claim.form == "degree" else _difference_words(self)
        return f"{words} Undecided: {self.missing}." if self.missing else words

    @property
    def matters(self) -> str:
        """The smallest difference, or distance of the controls, that matters, with its unit."""
        if self.measure and self.measure.unit == "share":
            return number_text(self.claim.matters, "share", 0)
        text = f"{self.claim.matters:g} {self.claim.unit or self.claim.quantity}".strip()
        return text.removesuffix("s") if self.claim.matters == 1 else text

    def sized(self, estimate: Estimate) -> str:
        """Return an ``estimate`` of this kind as text: a degree in per cent, a difference with its unit."""
        if self.claim.form == "degree":
            return interval_text(replace(estimate, unit="share"))
        return f"{interval_text(estimate)} {self.claim.unit}".strip()

    @property
    def detectable_text(self) -> str:
        """The minimum detectable effect; empty where it is not known."""
        if self.detectable is None:
            return ""
        unit = "share" if self.claim.form == "degree" else self.estimate.unit
        effect = metric_text(Estimate(self.detectable, why="a size", unit="" if unit == "count" else unit))
        return f"{effect} {self.claim.unit * (self.claim.form == 'difference')}".strip()

    def to_json(self) -> dict[str, object]:
        """Return the open data of the answer; the page of answers documents the form."""
        claim, rule_fields = self.claim, {"form", "polarity", "floor", "ceiling", "matters", "unit"}
        estimates = ("estimate", "measure", "distance", "second_model")
        content = {
            **claim.model_dump(include={"claim", "short", "reported", "certainty"}),
            **{"answer": self.word, "holds_after_correction": self.holds, "whose": self.whose},
            **{"p": self.p, "p_corrected": self.corrected, "decided_by": claim.decided_by},
            "specification": claim.model_dump(include=rule_fields, exclude_defaults=True),
            **{"absolute": self.absolute, "sentence": self.sentence},
            **{name: getattr(self, name) for name in estimates},
            **{"controls": self.controls, "sample": self.sample, "sample_needed": self.needed},
            "minimum_detectable_effect": self.detectable,
            # Of what is no answer of the run no gate was checked.
            "gates": {name: each.sentence for name, each in zip(claim.gates, self.gates, strict=False)},
            "missing": self.missing,
        }
        return to_jsonable_python(content)


def _degree_words(answer: ClaimAnswer) -> str:
    claim, degree = answer.claim, answer.estimate
    controls = f"{claim.floor} and {claim.ceiling}"
    if answer.word == "controls alike":
        apart = bounds_text(answer.distance)
        return f"The controls ({controls}) differ by {apart}; less than {answer.matters} is no difference."
    if degree.low is None:
        return f"The controls ({controls}) differ by {bounds_text(answer.distance)}, too little to divide by."
    size = answer.sized(answer.estimate)
    words = f"On a scale from 0 % ({claim.floor}) to 100 % ({claim.ceiling}) this lies at {size}."
    return f"{words} {why}" if (why := _no_ceiling(answer)) else words


def _no_ceiling(answer: ClaimAnswer) -> str:
    """Say that the upper control is no ceiling, where the interval or another row lies above it."""
    above = ["the interval reaches above 100 %"] if answer.estimate.high > 1 else []
    measured = next(row for row in answer.controls if row["measured"])
    if answer.measure and measured["metric"] == answer.claim.measure:
        top = answer.measure.value + (1 - answer.estimate.value) * answer.distance.value
        above += [
            f"{row['label']} lies above it ({metric_text(row['estimate'])})"
            for row in answer.controls
            if not row["measured"] and row["estimate"] and row["estimate"].value > top + 1e-6
        ]
    return f"More than 100 % is possible: {' and '.join(above)}." if above else ""


def _difference_words(answer: ClaimAnswer) -> str:
    s, low, high = answer.matters, answer.estimate.low, answer.estimate.high
    if answer.claim.polarity == "more_than":
        decided = {"yes": f"More than {s}: ", "no": f"Less than {s}: "}.get(answer.word, "")
        return f"{decided}{answer.sized(answer.estimate)}{'' if decided else f'; more than {s} is claimed'}."
    words = f"a difference of {answer.sized(answer.estimate)}"
    if low is not None and -answer.claim.matters < low and high < answer.claim.matters:
        return f"Equal within {s}: {words}."
    if answer.claim.polarity == "more" and answer.word == "no":
        return f"Worse than what it is compared with: {words}."
    return f"A{words[1:]}; {s} would matter."


def _found(address: str, results: ByChapter) -> tuple[Evidence, str]:
    """Return the evidence of the chapter of ``chapter.name``, and that name.

    Raises DataError for a chapter that does not exist.
    """
    chapter, _, inner = address.partition(".")
    if chapter not in results:
        raise DataError(f"{address}: no chapter {chapter!r}{nearest_name(chapter, results)}")
    return results[chapter], inner


def passed(gate: Gate, results: ByChapter, reference: ByChapter | None = None) -> Passed:
    """Check a gate. A user's run has a ``reference``: its gates have separate bounds, and a control
    (``not_above``) that it did not measure is the reference's, which the text says.
    """
    evidence, name = _found(gate.address, results)
    whose = ""
    if reference and gate.not_above is not None and name not in evidence.metrics:
        evidence, whose = reference[gate.chapter], ", reference"
    values = evidence.facts if gate.noted else evidence.metrics
    if name not in values:
        return Passed(gate, NOT_MEASURED, " in this run")
    found = values[name]
    if gate.noted:
        met = found == gate.equals
        return Passed(gate, "yes" if met else "no", "" if met else f": {found} (needed: {gate.equals})")
    bounds = {side: getattr(gate, side) for side in ("above", "below", "not_above")}
    side, bound = next((side, bound) for side, bound in bounds.items() if bound is not None)
    bound = gate.own if reference is not None and gate.own is not None else bound
    low, high = (found.value, found.value) if found.low is None else (found.low, found.high)
    yes, no = {
        "above": (low > bound, high <= bound),
        "below": (high < bound, low >= bound),
        "not_above": (low <= bound, low > bound),
    }[side]
    needed = {"above": "more than", "below": "less than", "not_above": "at most"}[side]
    text = f": {bounds_text(found)}{whose} (needed: {needed} {bound:g})".replace("-", "−")
    return Passed(gate, "yes" if yes else "no" if no else "undecided", text)


def answer_claim(
    claim: PaperClaim, gates: Mapping[str, Gate], results: ByChapter, reference: ByChapter | None = None
) -> ClaimAnswer:
    """Answer ``claim`` from ``results``; those of a user's run have a ``reference``.

    It is undecided, with what is missing, where a number is absent or has no interval, a gate is not passed,
    the ceiling is none, or the rules say so.
    """
    chapter, _, name = claim.measure.partition(".")
    here = results.get(chapter, Evidence())
    # A chapter that gives numbers of stored networks a prefix has trained the networks of all others.
    prefixed = any(each.startswith(STORED) for each in here.metrics)
    by_stored = STORED + name in here.metrics if prefixed else bool(here.networks)
    whose = STORED_NETWORKS * by_stored
    if prefixed and by_stored:
        results = {**results, chapter: here.of_stored}

    def number(address: str) -> Estimate | None:
        evidence, inner = _found(address, results)
        return evidence.number(inner)

    checked = tuple(passed(gates[each], results, reference) for each in claim.gates)
    estimate, measure = number(claim.decided_by), number(claim.measure)
    distance = number(f"{claim.measure}_room") if claim.form == "degree" else None
    prefix, decided = suite().again[0], claim.decided_by.partition(".")[2]
    second_model = number(f"{chapter}.{prefix}{decided}") if prefix else None
    if claim.form == "degree" and distance is None:
        estimate = None
    numbers = {address: found for address in claim.shown if (found := number(address))}
    answer = ClaimAnswer(
        claim, "undecided", checked, estimate, measure, distance, second_model, numbers, whose=whose
    )
    if missing := _missing(answer, results):
        return replace(answer, missing=missing, detectable=estimate and rule.smallest_effect(estimate))

    def by_rule(found: Estimate) -> rule.RuleAnswer:
        if claim.form == "degree":
            return rule.degree_answer(found, distance, claim.matters)
        return rule.difference_answer(found, claim.polarity, claim.matters)

    word = by_rule(estimate)
    if estimate.low is None:
        return replace(answer, word=word, missing=estimate.why if word == "undecided" else "")
    answer = replace(answer, word=word, detectable=rule.smallest_effect(estimate))
    if word == "controls alike":
        return answer
    if word != "undecided":
        return replace(answer, p=_chance(claim, word, estimate))
    answer = replace(answer, needed=rule.sample_factor(estimate, by_rule))
    return replace(answer, missing=_between(answer))


def _between(answer: ClaimAnswer) -> str:
    """Return what an interval includes that decides nothing, and how large a sample would decide."""
    claim, sample = answer.claim, answer.sample
    effect = {
        "more_than": f"less and more than {answer.matters}",
        "not_worse": "a loss that matters and none",
    }
    plain = f"no effect and one that matters ({answer.matters})"
    if claim.form == "degree":
        plain = f"no effect and more than {100 * rule.TRACE:.0f} % of the distance"
    text = f"the interval includes both {effect.get(claim.polarity, plain)}"
    if answer.needed is None:
        return f"{text}; no sample of 100 times the size would decide it"
    if not sample:
        return f"{text}; {answer.needed:.1f} times the sample would decide it"
    noun, now = next(iter(sample.items()))
    many = metric_text(Estimate(answer.needed * now, unit="count"))
    return f"{text}; about {many} {noun} (now {now:g}) would decide it"


def _missing(answer: ClaimAnswer, results: ByChapter) -> str:
    """Return why the rules do not apply; empty where they do."""
    claim, estimate = answer.claim, answer.estimate
    if estimate is None:
        if results[claim.chapter] == Evidence():
            return f"{NOT_MEASURED}: the run has no finished chapter {claim.chapter}"
        return f"{NOT_MEASURED} in this run: it has no {claim.decided_by}"
    if unpassed := [each for each in answer.gates if each.reply != "yes"]:
        return unpassed[0].sentence.removesuffix(".")
    decides = answer.distance if claim.form == "degree" else estimate
    if decides.low is None:
        return f"it has no interval: {decides.why}"
    if claim.form == "degree" and answer.distance.value <= 0 and answer.distance.high >= claim.matters:
        return "the upper control lies below the lower one"
    if claim.form == "degree" and (estimate.low or 0) > 1:
        return "the upper control is no ceiling: the whole interval lies above 100 %"
    return ""


def _chance(claim: PaperClaim, word: rule.RuleAnswer, estimate: Estimate) -> float | None:
    """p of an answer against the bound that it passed; of one within two bounds, against the nearer one."""
    s = claim.matters
    if claim.form == "degree":
        bounds = [{"yes": rule.MOST, "partly": 0.0, "no": rule.TRACE}[word]]
    elif claim.polarity == "more_than":
        bounds = [s]
    elif claim.polarity == "not_worse":
        bounds = [-s]
    elif -s < estimate.low and estimate.high < s:
        bounds = [-s, s]
    elif claim.polarity == "as_good":
        bounds = [s if estimate.value > 0 else -s]
    else:
        bounds = [0.0]
    chances = [rule.chance_alone(estimate, bound) for bound in bounds]
    return None if None in chances else max(chances)


def answer_all(claims: Claims, results: ByChapter, reference: ByChapter | None = None) -> list[ClaimAnswer]:
    """Answer each claim; p is corrected by Holm's rule for all that were measured, undecided counts as 1."""
    answers = [answer_claim(claim, claims.gates, results, reference) for claim in claims.every]
    measured = [each for each in answers if each.estimate is not None]
    corrected = rule.holm([1.0 if each.p is None else each.p for each in measured])
    by_short = {each.claim.short: p for each, p in zip(measured, corrected, strict=True)}
    return [
        each if each.p is None else replace(each, corrected=by_short[each.claim.short]) for each in answers
    ]


def left_open(request: Request, made: Iterable[Chapter]) -> list[str]:
    """Return the short names of claims that a run of the chapters ``made`` may be too small for: a gate needs
    as much as the reference has, whose profile makes more of the chapter.
    """
    if not paths.claims_file().is_file():
        return []
    claims, profiles = read_claims(paths.claims_file()), suite().profiles
    smaller = REFERENCE in profiles[profiles.index(request.profile) + 1 :]
    more = {each.name for each in made if smaller and REFERENCE in each.profiles}
    many = {k: one.chapter for k, one in claims.gates.items() if one.above is not None and one.own is None}
    return [claim.short for claim in claims.every if more & {many.get(name) for name in claim.gates}]


@dataclass(frozen=True)
class Answered:
    """A claim of a ``paper``, by its key, answered by the run, and by the reference where that may be shown
    next to it.
    """

    paper: str
    own: ClaimAnswer
    reference: ClaimAnswer | None = None

    @property
    def main(self) -> ClaimAnswer:
        """The reference's answer where there is one."""
        return self.reference or self.own

    @property
    def apart(self) -> bool:
        """Whether the run has an answer besides the reference's."""
        return bool(self.reference and self.own.estimate)

    @property
    def disagree(self) -> bool:
        """Whether run and reference answer, and answer differently."""
        words = [self.own.word, self.main.word]
        return "undecided" not in words and words[0] != words[1]

    def to_json(self) -> dict[str, object]:
        """Return the open data of the run's answer, and of the reference's."""
        reference = self.reference and self.reference.to_json()
        return {"paper": self.paper, **self.own.to_json(), "reference": reference}


@dataclass(frozen=True)
class Answers:
    """The answers to every claim of ``claims`` and the ``results`` behind them, the reference's where it is
    shown; ``by_reference``: the run is the reference.
    """

    claims: Claims
    every: tuple[Answered, ...]
    results: ByChapter
    by_reference: bool = False

    def to_json(self) -> list[dict[str, object]]:
        """Return the open data of all answers, each with commit and parameters of the chapter behind it."""
        facts = [self.results[each.main.claim.chapter].facts for each in self.every]
        made = [{name: of.get(name) for name in ("commit", "parameters")} for of in facts]
        return [each.to_json() | own for each, own in zip(self.every, made, strict=True)]


def _repeats(own: Evidence, there: Evidence, mine: ClaimAnswer, theirs: ClaimAnswer) -> bool:
    """Return whether an answer only repeats the reference's: stored networks of the reference on its
    pictures.
    """
    if not mine.whose or not mine.estimate or not own.networks <= there.networks:
        return False
    same_number = bool(theirs.estimate) and mine.estimate.value == theirs.estimate.value
    return same_number or (bool(own.pictures) and own.pictures <= there.pictures)


def _with_controls(answer: ClaimAnswer) -> ClaimAnswer:
    """Return the answer, undecided where a control's value is missing: its card could not be judged."""
    if not (lacking := answer.lacks_control):
        return answer
    why = f"its control was {NOT_MEASURED}: {lacking}"
    return replace(answer, word="undecided", missing=why, p=None, corrected=None)


def answers_of(run: Run, matches: Mapping[str, ReferenceMatch]) -> Answers:
    """Answer every claim of ``claims.yaml`` by ``run``, and by the reference where its results of all
    chapters that a claim needs match the run's.

    Raises DataError for a damaged ``claims.yaml``, for a claim that is not as it was frozen, and for an
    answer of the reference without its control's value; RunStoreError where the run does not exist or a
    result is damaged.
    """
    file = paths.claims_file()
    claims = read_claims(file)
    require_logged(claims, file)
    run.record()
    ours = {result.chapter: result for result in run.results()}
    matching = {name: each.result for name, each in matches.items() if each.result}
    usable = {name: each.usable for name, each in matches.items() if each.usable}
    own, reference, anywhere = (
        {name: Evidence.of(of[name]) if name in of else Evidence() for name in chapters()}
        for of in (ours, matching, usable)
    )
    is_reference = run.name == REFERENCE
    for result in (ours if is_reference else matching).values():
        if claims.is_former(result.done()["finished"]):
            raise DataError(
                f"{result.folder}: finished {result.done()['finished']}, before the claims of {file} were "
                f"frozen: `ferbook run {result.chapter} --run {REFERENCE}` executes it again"
            )
    papers = [paper.paper for paper in claims.papers for _ in paper.claims]
    mines = answer_all(claims, own, None if is_reference else reference)
    rows = zip(papers, mines, answer_all(claims, reference), answer_all(claims, anywhere), strict=True)
    every = []
    for paper, mine, theirs, known in rows:
        claim = mine.claim
        if is_reference:
            mine = replace(mine, whose="")
        elif _repeats(own[claim.chapter], anywhere[claim.chapter], mine, known):
            why = "not an answer of your run: the same stored networks on the same pictures as the reference"
            mine = ClaimAnswer(claim, "undecided", missing=why)
        shown = replace(theirs, whose="") if claims.chapters_of(claim) <= matching.keys() else None
        every.append(Answered(paper, _with_controls(mine), shown and _with_controls(shown)))
    results = own | {name: reference[name] for name in matching}
    return Answers(claims, tuple(every), results, is_reference)
