"""The frozen questions: what decides a claim may change only with a line in ``questions.log.yaml``.

Whoever sees a number can still choose the question that it answers best. So each claim has a digest over what
decides it: its sentence, the metric, bound and margin of its questions, which of them stand beside, its
preconditions, and the name of its control. The log holds the digest with the day, the reason, the verdict
before and after, and whether the number was known. How a metric is computed is not part of it: that is in
the history of the code.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from ferbook.claims import Claims, Entry, Fact, PaperClaim, Question
from ferbook.errors import DataError, first_fault
from ferbook.files import read_yaml, write_atomically

LOG_PLACE = "<!-- questions log -->"
"""The line of a page in whose place ``log_text`` is put."""

TO_COMPUTE = "to be computed"
"""The verdict after a change, in place of one that no run has given yet."""

DIGEST_LENGTH = 12
"""Hexadecimal digits of a digest."""

MOST_NAMED = 3
"""Claims that the title of a change names; of more it gives the number."""


class Decision(Entry):
    """What a change did to one claim.

    ``before`` and ``after``: its verdict by the old question and by the new one, on the same numbers; ``new``
    and ``gone`` where there was, or is, none. ``digest``: of what decides it from then on; empty for a change
    of before the freeze, and for a claim that is gone.
    """

    before: str
    after: str
    digest: str = Field("", pattern=rf"^([0-9a-f]{{{DIGEST_LENGTH}}})?$")


class Change(Entry):
    """An entry of ``questions.log.yaml``: ``what`` was changed on which ``day``, and ``why``.

    ``number``: whether the one that the question asks for was known to those who changed it. ``commit``:
    where git shows the change, of one of before the freeze. ``claims``: by their short names.
    """

    day: date
    what: str
    why: str
    number: Literal["known", "not known"]
    commit: str = ""
    claims: dict[str, Decision] = Field(min_length=1)

    @model_validator(mode="after")
    def _digests_since_the_freeze(self) -> Self:
        for name, decision in self.claims.items():
            if bool(decision.digest) == bool(self.commit or decision.after == "gone"):
                raise ValueError(
                    f"the claim {name!r} needs a digest, unless it is gone, or `commit` names a change of "
                    "before the questions were frozen"
                )
        return self


_LOG = TypeAdapter(tuple[Change, ...])


def claim_digest(claim: PaperClaim, preconditions: Mapping[str, Question | Fact]) -> str:
    """Of what decides ``claim``; its wording counts, that of its questions, its figure and its short name do
    not.
    """

    def deciding(question: Question | Fact) -> dict[str, object]:
        return question.model_dump(exclude={"asks", "unit", "figure"}, exclude_defaults=True)

    content = {
        "claim": claim.claim,
        "questions": [deciding(question) for question in claim.questions],
        "requires": {name: deciding(preconditions[name]) for name in claim.requires},
    } | ({"control": claim.control} if claim.control else {})
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:DIGEST_LENGTH]


def read_log(file: Path) -> tuple[Change, ...]:
    """The changes of a log, in its order. Raises DataError that names the file, the entry and what is wrong
    there.
    """
    try:
        log = _LOG.validate_python(read_yaml(file, DataError))
    except ValidationError as fault:
        raise DataError(f"{file}: {first_fault(fault)}") from fault
    for earlier, later in pairwise(log):
        if later.day < earlier.day:
            raise DataError(f"{file}: the entry of {later.day} stands after that of {earlier.day}")
    return log


def require_logged(claims: Claims, log: tuple[Change, ...], file: Path) -> None:
    """Raise DataError unless the last digest that ``log``, read from ``file``, holds of each claim is that of
    ``claims``.
    """
    last = {name: (change.day, decision) for change in log for name, decision in change.claims.items()}
    by_name = {claim.short: claim for paper in claims.papers for claim in paper.claims}
    remedy = "add an entry: day, what, why, number (known, not known), and of the claim before, after, digest"
    for name, claim in by_name.items():
        digest = claim_digest(claim, claims.preconditions)
        day, decision = last.get(name, (None, None))
        if decision is None or not decision.digest:
            raise DataError(f"{file}: no entry about the claim {name!r}, whose digest is {digest}; {remedy}")
        if decision.digest != digest:
            raise DataError(
                f"{file}: what decides the claim {name!r} is not what was frozen on {day} (digest "
                f"{decision.digest}, now {digest}); {remedy}"
            )
    for name, (day, decision) in last.items():
        if decision.digest and name not in by_name:
            raise DataError(
                f"{file}: the claim {name!r}, last logged on {day}, is not in claims.yaml; add an entry that "
                "says why it is gone"
            )


def fill_log(file: Path, verdicts: Mapping[tuple[str, str], str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Put ``verdicts``, by a claim's short name and its digest, where the log in ``file`` says that they are
    to be computed; all else stays, letter by letter. Returns what was put in, and the names that are left.
    """
    entries, missing = [], []

    def filled(match: re.Match) -> str:
        name, digest = match["name"].strip("\"'"), match["digest"]
        if (name, digest) not in verdicts:
            missing.append(name)
            return match[0]
        entries.append((name, verdicts[name, digest]))
        return match[0].replace(f"after: {TO_COMPUTE}", f"after: {verdicts[name, digest]}")

    row = r"^ +(?P<name>[^:\n]+): \{[^}\n]*after: " + TO_COMPUTE + r', digest: "?(?P<digest>\w+)"?\}$'
    text = re.sub(row, filled, file.read_text("utf-8"), flags=re.MULTILINE)
    if entries:
        write_atomically(file, text)
    return entries, missing


def log_text(log: tuple[Change, ...]) -> str:
    """The log as MyST Markdown, a fold for each change, which names the claims and whether the number was
    known: first what was changed before the questions were frozen, then since.
    """
    lines = []
    for heading, own in (
        ("Before the questions were frozen", [change for change in log if change.commit]),
        ("Frozen, and changed since", [change for change in log if not change.commit]),
    ):
        lines += [f"### {heading}", ""] if own else []
        for change in own:
            where = f" (commit `{change.commit}`)" if change.commit else ""
            names = list(change.claims)
            which = "; ".join(names) if len(names) <= MOST_NAMED else f"{len(names)} claims"
            lines += [
                f":::{{dropdown}} {change.day:%-d %B %Y}, number {change.number}: {which}",
                ":class-container: suite-fold",
                "",
                f"{change.what}{where} *Why:* {change.why}",
                "",
                *_decisions(change),
                *(":::", ""),
            ]
    return "\n".join(lines)


def _decisions(change: Change) -> list[str]:
    changes = {name: each for name, each in change.claims.items() if each.before != each.after}
    rows = [f"| {name} | {each.before} | {each.after} |" for name, each in changes.items()]
    lines = ["| Claim | Verdict before | after |", "|---|---|---|", *rows] if rows else []
    same = [f"{name} ({each.after})" for name, each in change.claims.items() if name not in changes]
    return [*lines, *(["", f"The same verdict before and after: {'; '.join(same)}."] if same else [])]
