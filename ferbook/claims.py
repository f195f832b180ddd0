"""What papers claim and report, as it stands in ``claims.yaml``, and the questions that test it.

No question is answered by hand, and none by a number without its interval, but for counts of things that were
tested one by one: ``verdicts`` asks them.
"""

from itertools import combinations
from math import inf
from pathlib import Path
from typing import Literal, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ferbook import paths
from ferbook.errors import DataError, first_fault, nearest_name
from ferbook.files import read_yaml
from ferbook.page.tables import Table
from ferbook.text import PERCENT

Certainty = Literal["V", "S", "R", "N"]

CERTAINTIES: dict[Certainty, str] = {
    "V": "read in the authors' own paper or code",
    "S": "read in another paper that cites it",
    "R": "remembered; look it up before you rely on it",
    "N": "not found",
}


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
    the answer puts the claim into proportion, but does not decide it. ``weak``: it asks of a weak control,
    and decides only whether the claim holds at least against that. ``unit``: printed behind a number that has
    no unit of its own. ``figure``: the one to look at where it decides, if not the claim's.
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
    figure: str = ""

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
        if self.figure:
            _require_address(self.figure, "figure")
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


class Control(Entry):
    """A situation in which what is asked for is there, since it was planted: what it ``plants``, in a
    sentence, and whether the same code ``finds`` it, as the ``test`` shows; None where it has not been run.
    """

    plants: str
    test: str
    finds: bool | None = None


class PaperClaim(Entry):
    """One claim of a paper, how well it is known, and the questions that must all be answered with yes for it
    to hold, but for those of weak controls and those beside it.

    ``short``: its name in the picture of all claims. ``requires``: names of the preconditions without
    which it is not settled, whatever the answers. ``control``: name of what is planted to see that it can
    be asked. ``figure``: ``chapter.figure``, the one to look at. ``sizes``: how much of it there is,
    where ``{chapter.metric}`` stands for that number. ``found``: what was found, in a sentence that is right
    whatever the verdict.
    """

    claim: str
    short: str = Field(max_length=44)
    reported: str = ""
    certainty: Certainty
    requires: tuple[str, ...] = ()
    control: str = ""
    questions: tuple[Question, ...]
    figure: str = ""
    sizes: str = ""
    found: str = ""

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
    """``claims.yaml``: preconditions and controls by name, papers with their claims, and by chapter a
    table of numbers that papers report.
    """

    class Numbers(Entry):
        """A caption and its numbers."""

        caption: str
        numbers: tuple[Reported, ...]

    preconditions: dict[str, Question | Fact] = {}
    controls: dict[str, Control] = {}
    papers: tuple[Paper, ...]
    reported: dict[str, Numbers] = {}

    @model_validator(mode="after")
    def _preconditions_that_can_be_met(self) -> Self:
        for claim in (claim for paper in self.papers for claim in paper.claims):
            if claim.control and claim.control not in self.controls:
                near = nearest_name(claim.control, self.controls)
                raise ValueError(
                    f"the claim {claim.short!r} names {claim.control!r}, which is no control{near}"
                )
            for name in claim.requires:
                if name not in self.preconditions:
                    near = nearest_name(name, self.preconditions)
                    names = ", ".join(self.preconditions) or "none"
                    raise ValueError(
                        f"the claim {claim.short!r} requires {name!r}, which is no precondition{near}; there "
                        f"are {names}"
                    )
            for one, other in combinations(claim.requires, 2):
                first, second = self.preconditions[one], self.preconditions[other]
                if first.subject == second.subject and first.rules_out(second):
                    raise ValueError(
                        f"the claim {claim.short!r} requires {one!r} and {other!r}, which cannot both hold: "
                        f"they ask different things of {first.subject}"
                    )
        return self


def read_claims(file: Path) -> Claims:
    """The claims and reported numbers of a YAML file, in its order. Raises DataError that names the file, the
    place in it and what is wrong there.
    """
    try:
        return Claims.model_validate(read_yaml(file, DataError))
    except ValidationError as fault:
        raise DataError(f"{file}: {first_fault(fault)}") from fault


def reported_table(chapter: str) -> Table:
    """What papers report on the subject of a chapter, for its page: ``paper``, ``data``, ``accuracy`` with
    the digits that the paper gives, ``how sure``, and ``remark``, ``users report`` and ``where`` if there are
    any.
    """
    report = read_claims(paths.claims_file()).reported[chapter]
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
        for each in report.numbers
    ]
    table = pd.DataFrame(rows).astype({"accuracy": float}).dropna(axis="columns", how="all")
    return Table(table, report.caption, {"accuracy": lambda share: f"{100 * share:.4g}{PERCENT}"})
