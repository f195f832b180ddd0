"""Claims and reported numbers of papers, as ``claims.yaml`` holds them: what decides each claim, and a log.

Whoever has seen a number could still choose the measure that it supports best. So the log holds a digest
of what decides each claim, and a claim that differs from it is refused. How a metric is computed is not part
of the digest: the history of the code shows it.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, Field, ValidationError, model_validator

from ferbook.errors import DataError, first_fault, nearest_name
from ferbook.files import digest_of, read_yaml
from ferbook.rule import Polarity

Certainty = Literal["V", "S", "R", "N"]

CERTAINTIES: dict[Certainty, str] = {
    "V": "read in the authors' own paper or code",
    "S": "read in another paper that cites it",
    "R": "remembered; look it up before you rely on it",
    "N": "not found",
}

# Hexadecimal digits of a digest.
DIGEST_LENGTH = 12

# Key of the claims that no paper makes.
OWN_CLAIMS = "suite"

# A number in a sentence: ``{chapter.metric}``, or ``{chapter.metric:part}`` as of the role ``metric``.
PLACEHOLDER = re.compile(r"\{([a-z]\w*\.\w+)(?::(\w+))?\}")

# The label of the row that is measured, in bold.
MEASURED_LABEL = re.compile(r"\*\*(.+)\*\*")


class Entry(BaseModel, extra="forbid", frozen=True):
    """A part of ``claims.yaml``."""


def _chapter(address: str, what: str) -> str:
    """Return the chapter of ``chapter.what``; raise ValueError for another form."""
    chapter, point, name = address.partition(".")
    if not (chapter and point and name) or "." in name:
        raise ValueError(f"{address!r} is not of the form chapter.{what}")
    return chapter


class Gate(Entry):
    """A condition of a claim: the whole interval of ``metric`` (of a count its value) lies ``above`` or
    ``below`` a number, or not wholly above it (``not_above``); or a fact or parameter that a chapter
    ``noted`` ``equals`` a value. ``requires``: the condition as a question; ``own``: the bound for a user's
    run.
    """

    requires: str
    metric: str = ""
    above: float | None = None
    below: float | None = None
    not_above: float | None = None
    own: float | None = None
    noted: str = ""
    equals: bool | int | float | str | None = None

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        bounds = sum(bound is not None for bound in (self.above, self.below, self.not_above))
        kind = bool(self.metric)
        if (bounds, bool(self.noted), self.equals is not None) != (kind, not kind, not kind):
            raise ValueError(
                "give a metric with one of above, below and not_above, or noted with what it equals"
            )
        _chapter(self.address, "name")
        return self

    @property
    def address(self) -> str:
        """``chapter.name`` of the metric or fact."""
        return self.metric or self.noted

    @property
    def chapter(self) -> str:
        """The chapter that provides it."""
        return self.address.partition(".")[0]


class PaperClaim(Entry):
    """A claim and all that decides it; the head of ``claims.yaml`` explains each field."""

    claim: str
    short: str = Field(max_length=44)
    form: Literal["degree", "difference"]
    polarity: Polarity | None = None
    measure: str
    why: str
    floor: str = ""
    ceiling: str = ""
    matters: float = Field(gt=0)
    unit: Literal["", "points", "dB"] = ""
    gates: tuple[str, ...] = ()
    figure: str = ""
    reported: str = ""
    certainty: Certainty
    absolute: str = ""
    quantity: str = ""
    table: tuple[tuple[str, str], ...] = ()
    second: tuple[str, ...] = ()
    sample: tuple[tuple[str, str], ...] = ()
    ends: tuple[str, str] | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        degree = self.form == "degree"
        absent = [name for name in ("floor", "ceiling") if not getattr(self, name)]
        measured = [label for label, _ in self.table if MEASURED_LABEL.fullmatch(label)]
        braces = [each for each in self.sentences if re.search("[{}]", PLACEHOLDER.sub("", each))]
        faults = {
            " has no absolute measure; give `absolute`, a sentence with the {chapter.metric} that anyone "
            "understands": not PLACEHOLDER.search(self.absolute),
            f": {'; '.join(braces)!r} has a brace around no chapter.metric": braces,
            " has no control to compare with; give `table`: two rows or more of [label, chapter.metric], the "
            "label of the measured one in **bold**": len(self.table) < 2 or len(measured) != 1,
            f" is a degree without a {' and a '.join(absent)}": degree and absent,
            " is a degree in dB, which have no upper bound; give a measure that has one, or compare two "
            "systems (form: difference)": degree and self.unit == "dB",
            ": a difference has a polarity, a degree has none": degree == (self.polarity is not None),
            " is a difference, which has neither floor nor ceiling": not degree and len(absent) < 2,
        }
        if fault := next((words for words, found in faults.items() if found), ""):
            raise ValueError(f"the claim {self.short!r}{fault}")
        for address in (self.measure, *(address for _, address in (*self.table, *self.sample))):
            _chapter(address, "metric")
        if self.figure:
            _chapter(self.figure, "figure")
        return self

    @property
    def chapter(self) -> str:
        """The chapter that measures it."""
        return self.measure.partition(".")[0]

    @property
    def sentences(self) -> tuple[str, ...]:
        """The sentences of its card, which hold numbers."""
        return self.absolute, *self.second

    @property
    def shown(self) -> list[str]:
        """``chapter.metric`` of each number on its card, beyond the one that decides."""
        quoted = [found[1] for text in self.sentences for found in PLACEHOLDER.finditer(text)]
        return list(dict.fromkeys([*quoted, *(address for _, address in (*self.table, *self.sample))]))

    @property
    def decided_by(self) -> str:
        """``chapter.metric`` of the estimate that decides."""
        return self.measure + "_degree" * (self.form == "degree")


class Paper(Entry):
    """A paper, its key in the bibliography and its name as a heading, with its claims."""

    paper: str
    name: str
    claims: tuple[PaperClaim, ...]


class Reported(Entry):
    """A number (a proportion) that ``paper`` reports on some data, for comparison with a result.

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


class Decision(Entry):
    """What a change did to one claim: its answer ``before`` and ``after`` (empty where a reference has to be
    made first), and the ``digest`` of what decides it from then on; empty for a removed claim.
    """

    before: str = Field(min_length=1)
    after: str = ""
    digest: str = Field("", pattern=rf"^([0-9a-f]{{{DIGEST_LENGTH}}})?$")


class Change(Entry):
    """An entry of the log: ``what`` was changed on which ``day``, ``why``, and what that did to claims, by
    their short names.
    """

    day: date
    what: str
    why: str
    claims: dict[str, Decision] = {}


class Claims(Entry):
    """``claims.yaml``: gates by name, papers with their claims, by chapter a table of numbers that papers
    report, and the log.
    """

    class Numbers(Entry):
        """A caption and its numbers."""

        caption: str
        numbers: tuple[Reported, ...]

    frozen: AwareDatetime | None = None
    gates: dict[str, Gate] = {}
    papers: tuple[Paper, ...]
    reported: dict[str, Numbers] = {}
    log: tuple[Change, ...] = ()

    @model_validator(mode="after")
    def _names_that_there_are(self) -> Self:
        shorts = [claim.short for claim in self.every]
        if twice := next((name for name in shorts if shorts.count(name) > 1), ""):
            raise ValueError(f"two claims are called {twice!r}; a short name means one")
        for short, name in ((claim.short, name) for claim in self.every for name in claim.gates):
            if name not in self.gates:
                near = nearest_name(name, self.gates)
                raise ValueError(f"the claim {short!r} names {name!r}, which is no gate{near}")
        unanswered: dict[str, date] = {}
        for change in self.log:
            for name in change.claims:
                if day := unanswered.pop(name, None):
                    raise ValueError(
                        f"log: the entry of {day} has no answer after it for {name!r}; give `after`"
                    )
            unanswered |= {name: change.day for name, each in change.claims.items() if not each.after}
        for earlier, later in pairwise(self.log):
            if later.day < earlier.day:
                raise ValueError(f"log: the entry of {later.day} follows that of {earlier.day}")
        return self

    @property
    def headings(self) -> dict[str, str]:
        """Each paper's key -> its name: two blocks of one paper are one list."""
        return {paper.paper: paper.name for paper in self.papers}

    @property
    def every(self) -> list[PaperClaim]:
        """All claims in the order of the papers."""
        return [claim for paper in self.papers for claim in paper.claims]

    def chapters_of(self, claim: PaperClaim) -> set[str]:
        """Return the chapters that provide the numbers of a claim and its gates."""
        return {claim.chapter, *(self.gates[name].chapter for name in claim.gates)}

    def is_former(self, finished: str) -> bool:
        """Return whether what was ``finished`` then (ISO 8601) is older than the claims, or gives no time."""
        try:
            return self.frozen is not None and datetime.fromisoformat(finished) < self.frozen
        except (TypeError, ValueError):  # no moment, or one of no zone, of a run from elsewhere
            return True


def claim_digest(claim: PaperClaim, gates: Mapping[str, Gate]) -> str:
    """Digest of what decides ``claim`` in a reference: not of reasons, names and what its card shows."""
    shown = {"absolute", "quantity", "table", "second", "sample", "ends"}
    shown |= {"why", "short", "figure", "reported", "certainty", "gates"}
    content = claim.model_dump(exclude=shown, exclude_defaults=True)
    of_gates = [gates[name] for name in claim.gates]
    content["gates"] = [gate.model_dump(exclude={"requires", "own"}, exclude_none=True) for gate in of_gates]
    return digest_of(content)[:DIGEST_LENGTH]


def require_logged(claims: Claims, file: Path) -> None:
    """Raise DataError unless the last digest that the log holds of each claim is that of ``claims``, read
    from ``file``; a file without a log is a draft.
    """
    if not claims.log:
        return
    logged = {name: (change.day, each) for change in claims.log for name, each in change.claims.items()}
    logged = {name: (day, each.digest) for name, (day, each) in logged.items() if each.digest}
    remedy = "add an entry to `log`: day, what, why, and of the claim before, after, digest"
    for claim in claims.every:
        name, digest = claim.short, claim_digest(claim, claims.gates)
        day, frozen = logged.pop(name, (None, ""))
        if not frozen:
            raise DataError(f"{file}: no entry about the claim {name!r}, whose digest is {digest}; {remedy}")
        if frozen != digest:
            change = f"is not what was frozen on {day} (digest {frozen}, now {digest})"
            raise DataError(f"{file}: what decides the claim {name!r} {change}; {remedy}")
    for name, (day, _) in logged.items():
        gone = f"the claim {name!r}, last logged on {day}, is no longer there"
        raise DataError(f"{file}: {gone}; add an entry that says why")


def read_claims(file: Path) -> Claims:
    """Return the claims and reported numbers of a YAML file, in its order. Raises DataError that names the
    file, the place in it and what is wrong there.
    """
    try:
        return Claims.model_validate(read_yaml(file, DataError))
    except ValidationError as fault:
        raise DataError(f"{file}: {first_fault(fault)}") from fault
