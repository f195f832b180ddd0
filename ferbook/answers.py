"""The one engine of answers: what a run's numbers say of each claim of ``claims.yaml``, by ``rule``."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Self

from ferbook import paths, rule
from ferbook.book import Chapter, chapters, suite
from ferbook.claims import Claims, Gate, PaperClaim, read_claims, require_logged
from ferbook.errors import DataError, nearest_name
from ferbook.estimate import STORED, Estimate
from ferbook.request import Request
from ferbook.store import REFERENCE, ChapterResult, ReferenceMatch, Run
from ferbook.text import bounds_text, interval_text, metric_text

SIGNIFICANCE = 0.05
"""An answer stands when all claims are counted where its corrected p is below this."""


@dataclass(frozen=True)
class Evidence:
    """What the result of a chapter tells those who ask: its metrics, and its parameters with what it noted;
    nothing where there is no result.
    """

    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def by(cls, result: ChapterResult) -> Self:
        """What a finished chapter tells. Raises RunStoreError where it is damaged."""
        summary = result.summary()
        return cls(result.metrics(), summary["parameters"] | summary)

    @property
    def of_stored(self) -> Self:
        """With the metrics of stored networks in the place of those of networks that the run trained."""
        stored = {
            name.removeprefix(STORED): each for name, each in self.metrics.items() if name.startswith(STORED)
        }
        return replace(self, metrics={**self.metrics, **stored})


ByChapter = Mapping[str, Evidence]
"""Every chapter of the book -> what it tells."""


@dataclass(frozen=True)
class Passed:
    """Whether a ``gate`` is passed: ``yes``, ``no``, ``open`` where its interval holds the bound, or ``not
    measured``; ``found``: what was found and what was asked for, as text.
    """

    gate: Gate
    reply: Literal["yes", "no", "open", "not measured"]
    found: str

    @property
    def sentence(self) -> str:
        """The question with its reply, what was found and what was asked for."""
        return f"{self.gate.asks} {self.reply.capitalize()}{self.found}."


@dataclass(frozen=True)
class ClaimAnswer:
    """The answer to a claim. ``estimate``: the degree, or the difference, that decides; of a degree its
    ``measure`` and ``room``, in raw units; ``elsewhere``: the same estimate elsewhere (``Suite.again``); each
    None where the run has none. ``missing``: what an open answer lacks.

    ``chance``: p of the answer that was given, and ``corrected`` for all claims that the run measured, by
    Holm's rule; ``again``: the chance of the same answer in an equal run; ``finds``: the smallest effect that
    is found with a probability of .8. Each None where there is no answer, or nothing is known of tails.
    ``by_stored``: the numbers are of stored networks that the run evaluated on its own faces.
    """

    claim: PaperClaim
    word: rule.RuleAnswer
    gates: tuple[Passed, ...] = ()
    estimate: Estimate | None = None
    measure: Estimate | None = None
    room: Estimate | None = None
    elsewhere: Estimate | None = None
    missing: str = ""
    chance: float | None = None
    corrected: float | None = None
    again: float | None = None
    finds: float | None = None
    by_stored: bool = False

    @property
    def label(self) -> str:
        """The answer, as it is shown: what lies above 0 and may be most of the way is *in part or more*."""
        more = self.word == "in part" and self.estimate.high > rule.MOST
        return f"{self.word} or more" if more else self.word

    @property
    def sentence(self) -> str:
        """One sentence with the number in it."""
        if self.estimate is None:
            return f"{self.missing[0].upper()}{self.missing[1:]}."
        words = _degree_words(self) if self.claim.form == "degree" else _difference_words(self)
        words += ", by stored networks on this run's faces" * self.by_stored
        return f"{words}; open, since {self.missing}." if self.missing else f"{words}."

    @property
    def matters(self) -> str:
        """The smallest difference, or room, that matters, with its unit."""
        text = f"{self.claim.matters:g} {self.claim.unit}".strip()
        return text.removesuffix("s") if self.claim.matters == 1 else text

    @property
    def found_size(self) -> str:
        """The smallest effect that is found four times in five, as text; empty where that is not known."""
        return "" if self.finds is None else self._text(metric_text(Estimate(self.finds, why="a size")))

    @property
    def exact(self) -> str:
        """What decides, with its interval; of a degree without one, how far apart its ends are."""
        if self.claim.form == "degree" and self.estimate.low is None:
            return f"the two ends lie {bounds_text(self.room)} apart, too little to say how far the way is"
        return self._text(interval_text(self.estimate))

    def _text(self, number: str) -> str:
        """A ``number`` of what decides, with its unit: a degree has none."""
        unit = self.claim.unit * (self.claim.form == "difference")
        return f"{number} {unit}".strip().replace("-", "−")

    def to_json(self) -> dict[str, object]:
        """Plain values: the claim, its answer, and what it rests on."""
        told = {name: value for name, value in vars(self).items() if name not in ("claim", "word", "gates")}
        gates = zip(self.claim.gates, self.gates, strict=True)
        return self.claim.model_dump() | {
            "answer": self.word,
            "sentence": self.sentence,
            **{name: each.to_json() if isinstance(each, Estimate) else each for name, each in told.items()},
            "gates": {name: {"reply": each.reply, "sentence": each.sentence} for name, each in gates},
        }


def _degree_words(answer: ClaimAnswer) -> str:
    if answer.word == "no room":
        return f"The two ends lie {bounds_text(answer.room)} apart, which is less than {answer.matters}"
    if answer.estimate.low is None:
        return f"{answer.exact[0].upper()}{answer.exact[1:]}"
    way = f"{answer.exact} of the way from 0, {answer.claim.floor}, to 1, {answer.claim.ceiling}"
    starts = {
        "yes": "Most of it: ",
        "in part": f"{answer.label.replace(answer.word, 'Part of it')}: ",
        "no": "A trace at most: ",
    }
    return starts.get(answer.word, "") + way


def _difference_words(answer: ClaimAnswer) -> str:
    s, number = answer.matters, answer.exact
    low, high = answer.estimate.low, answer.estimate.high
    plain = f"{number}, where a difference of {s} matters"
    if low is None or answer.word == "open":
        return plain
    if answer.claim.polarity == "more_than":
        return f"{'More' if answer.word == 'yes' else 'Less'} than {s}: {number}"
    if -answer.claim.matters < low and high < answer.claim.matters:
        return f"Equal within {s}, the smallest difference that matters: {number}"
    if answer.claim.polarity == "more" and answer.word == "no":
        return f"It is the other way round: {number}"
    return plain


def _found(address: str, results: ByChapter) -> tuple[Evidence, str]:
    """What the chapter of ``chapter.name`` tells, and that name in it.

    Raises DataError for a chapter that there is not: that can only be a slip of the pen.
    """
    chapter, _, inner = address.partition(".")
    if chapter not in results:
        raise DataError(f"{address}: no chapter {chapter!r}{nearest_name(chapter, results)}")
    return results[chapter], inner


def metric_of(address: str, results: ByChapter) -> Estimate | None:
    """The metric ``chapter.metric``; None where the chapter has no such number. Raises DataError for a
    chapter that there is not.
    """
    evidence, name = _found(address, results)
    return evidence.metrics.get(name)


def passed(gate: Gate, results: ByChapter, beside: ByChapter | None = None) -> Passed:
    """Ask a gate of what chapters tell. A run of one's own has the reference ``beside`` it: its gates have
    their own bounds, and a control (``not_above``) that it did not measure is the reference's.
    """
    evidence, name = _found(gate.address, results)
    whose = ""
    if beside and gate.not_above is not None and name not in evidence.metrics:
        evidence, whose = beside[gate.chapter], ", by the reference"
    told = evidence.facts if gate.noted else evidence.metrics
    if name not in told:
        return Passed(gate, "not measured", " in this run")
    found = told[name]
    if gate.noted:
        return Passed(gate, "yes" if found == gate.equals else "no", f": {found}; asked: {gate.equals}")
    bounds = {side: getattr(gate, side) for side in ("above", "below", "not_above")}
    side, bound = next((side, bound) for side, bound in bounds.items() if bound is not None)
    bound = gate.own if beside is not None and gate.own is not None else bound
    low, high = (found.value, found.value) if found.low is None else (found.low, found.high)
    yes, no = {
        "above": (low > bound, high <= bound),
        "below": (high < bound, low >= bound),
        "not_above": (low <= bound, low > bound),
    }[side]
    text = f": {bounds_text(found)}{whose}; asked: {side.replace('_', ' ')} {bound:g}".replace("-", "−")
    return Passed(gate, "yes" if yes else "no" if no else "open", text)


def answer_claim(
    claim: PaperClaim, gates: Mapping[str, Gate], results: ByChapter, beside: ByChapter | None = None
) -> ClaimAnswer:
    """The answer to ``claim`` by what chapters tell; of a run of one's own with the reference ``beside`` it.

    Open, with what is missing, where a number is not there or has no interval, a gate is not passed, a
    ceiling is none, or the rules say so.
    """
    address, _, name = claim.measure.partition(".")
    by_stored = STORED + name in (results[address].metrics if address in results else {})
    if by_stored:
        results = {**results, address: results[address].of_stored}
    asked = tuple(passed(gates[name], results, beside) for name in claim.gates)
    estimate, measure = (metric_of(name, results) for name in (claim.decided_by, claim.measure))
    room = metric_of(f"{claim.measure}_room", results) if claim.form == "degree" else None
    chapter, point, name = claim.decided_by.partition(".")
    elsewhere = metric_of(f"{chapter}{point}{suite().again[0]}{name}", results) if suite().again[0] else None
    if claim.form == "degree" and room is None:
        estimate = None
    answer = ClaimAnswer(claim, "open", asked, estimate, measure, room, elsewhere, by_stored=by_stored)
    if missing := _missing(answer, results):
        return replace(answer, missing=missing, finds=estimate and rule.smallest_effect(estimate))

    def by_rule(found: Estimate) -> rule.RuleAnswer:
        if claim.form == "degree":
            return rule.degree_answer(found, room, claim.matters)
        return rule.difference_answer(found, claim.polarity, claim.matters)

    word = by_rule(estimate)
    if estimate.low is None:
        return replace(answer, word=word, missing=estimate.why if word == "open" else "")
    answer = replace(answer, word=word, finds=rule.smallest_effect(estimate))
    if word == "no room":
        return answer
    answer = replace(answer, chance=_chance(claim, word, estimate), again=rule.same_again(estimate, by_rule))
    if word != "open":
        return answer
    size = f": four of five such runs find {answer.found_size} or more" * bool(answer.found_size)
    return replace(answer, missing=f"the interval is too wide for an answer{size}")


def _missing(answer: ClaimAnswer, results: ByChapter) -> str:
    """Why the rules are not asked; empty where they are."""
    claim, estimate = answer.claim, answer.estimate
    if estimate is None:
        if results[claim.chapter] == Evidence():
            return f"not measured: the run has no finished chapter {claim.chapter}"
        ends = "no degree between these two ends" if claim.form == "degree" else "no such difference"
        return f"not measured in this run: it has {ends}"
    if unpassed := [each for each in answer.gates if each.reply != "yes"]:
        return f"this comes first: {unpassed[0].sentence}".removesuffix(".")
    decides = answer.room if claim.form == "degree" else estimate
    if decides.low is None:
        return f"it has no interval: {decides.why}"
    if claim.form == "degree" and answer.room.value <= 0 and answer.room.high >= claim.matters:
        return "its ceiling lies below its floor, so it is none"
    if claim.form == "degree" and (estimate.low or 0) > 1:
        return "its ceiling is none: the whole degree lies above 1"
    return ""


def _chance(claim: PaperClaim, word: rule.RuleAnswer, estimate: Estimate) -> float | None:
    """p of the answer that was given, against the bound that it is beyond; of none that is within two, the
    nearer one's.
    """
    s = claim.matters
    if word in ("open", "no room"):
        return None
    if claim.form == "degree":
        bounds = [{"yes": rule.MOST, "in part": 0.0, "no": rule.TRACE}[word]]
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


def answer_all(claims: Claims, results: ByChapter, beside: ByChapter | None = None) -> list[ClaimAnswer]:
    """The answer to each claim, with p corrected by Holm's rule for all that were measured: one that is open
    counts as 1.
    """
    answers = [answer_claim(claim, claims.gates, results, beside) for claim in claims.every]
    measured = [each for each in answers if each.estimate is not None]
    corrected = rule.holm([1.0 if each.chance is None else each.chance for each in measured])
    by_short = {each.claim.short: p for each, p in zip(measured, corrected, strict=True)}
    return [
        each if each.chance is None else replace(each, corrected=by_short[each.claim.short])
        for each in answers
    ]


def left_open(request: Request, made: Iterable[Chapter]) -> list[str]:
    """Short names of the claims that a run may be too small for, of which these chapters are ``made``: a gate
    asks for as much as the reference has, whose profile, a later and so a larger one, makes more of its
    chapter.
    """
    claims, profiles = read_claims(paths.claims_file()), suite().profiles
    smaller = REFERENCE in profiles[profiles.index(request.profile) + 1 :]
    more = {each.name for each in made if smaller and REFERENCE in each.profiles}
    many = {k: one.chapter for k, one in claims.gates.items() if one.above is not None and one.own is None}
    return [claim.short for claim in claims.every if more & {many.get(name) for name in claim.gates}]


@dataclass(frozen=True)
class Answered:
    """A claim of a ``paper``, by its key, answered by the run, and by the reference where that stands beside
    it.
    """

    paper: str
    own: ClaimAnswer
    reference: ClaimAnswer | None = None

    @property
    def main(self) -> ClaimAnswer:
        """The reference's where there is one."""
        return self.reference or self.own

    @property
    def apart(self) -> bool:
        """Whether the run has a number of its own beside the reference's: it may have asked the same
        networks, and then every number is the same.
        """
        return bool(self.reference and self.own.estimate) and self.own.estimate != self.reference.estimate

    @property
    def disagree(self) -> bool:
        """Whether run and reference answer, and answer differently."""
        words = [self.own.word, self.main.word]
        return "open" not in words and words[0] != words[1]

    def to_json(self) -> dict[str, object]:
        """Plain values: the run's answer, and the reference's."""
        reference = self.reference and {"answer": self.reference.word, "sentence": self.reference.sentence}
        return {"paper": self.paper, **self.own.to_json(), "reference": reference}


@dataclass(frozen=True)
class Answers:
    """The answers to every claim of ``claims``, and the ``results`` that they rest on, of the reference where
    it stands; ``by_reference``: it is the run that answers.
    """

    claims: Claims
    every: tuple[Answered, ...]
    results: ByChapter
    by_reference: bool = False


def answers_of(run: Run, beside: Mapping[str, ReferenceMatch]) -> Answers:
    """Answer every claim of ``claims.yaml`` by ``run``, and by the reference where its results of all
    chapters that a claim asks stand ``beside`` the run's.

    Raises DataError for a damaged ``claims.yaml`` and for a claim that is not as it was frozen, RunStoreError
    where there is no such run, or for a damaged result of it.
    """
    claims = read_claims(paths.claims_file())
    require_logged(claims, paths.claims_file())
    run.record()
    ours = {result.chapter: result for result in run.results()}
    standing = {name: each.result for name, each in beside.items() if each.result}
    own, reference = (
        {name: Evidence.by(of[name]) if name in of else Evidence() for name in chapters()}
        for of in (ours, standing)
    )
    papers = [paper.paper for paper in claims.papers for _ in paper.claims]
    is_reference = run.name == REFERENCE
    for result in (ours if is_reference else standing).values():
        if claims.is_former(finished := result.done()["finished"]):
            raise DataError(
                f"{result.folder}: finished {finished}, before the questions of {paths.claims_file()} were "
                f"frozen: `ferbook run {result.chapter} --run {REFERENCE}` executes it anew"
            )
    mines = answer_all(claims, own, None if is_reference else reference)
    every = tuple(
        Answered(paper, mine, theirs if claims.chapters_of(mine.claim) <= standing.keys() else None)
        for paper, mine, theirs in zip(papers, mines, answer_all(claims, reference), strict=True)
    )
    return Answers(claims, every, own | {name: reference[name] for name in standing}, is_reference)
