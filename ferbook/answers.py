"""The page of answers: every claim in one picture, in a table, and paper by paper with all its questions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ferbook import paths
from ferbook.beside import standing_beside
from ferbook.book import chapters, suite
from ferbook.claims import CERTAINTIES, Control, Paper, read_claims
from ferbook.errors import DataError, nearest_name
from ferbook.notebook import code_sources, read_notebook
from ferbook.page.figure import store_figure
from ferbook.page.forest import Axis, forest
from ferbook.page.style import Drawn
from ferbook.questions import claim_digest, fill_log, read_log, require_logged
from ferbook.store import Run
from ferbook.verdicts import Answered, ByChapter, Judged, Told, Verdict, judged_claims, told_by

PLACE = "<!-- claims -->"
"""The line of a page in whose place ``answers_text`` is put."""

_BADGES = {
    **{"holds": "success", "yes": "success", "holds against a weak control": "warning"},
    **{"does not hold": "danger", "no": "danger", "no difference": "info"},
    **{"not settled": "muted", "open": "muted", "not asked": "light"},
    **dict.fromkeys(("cannot be asked with this many", "too few", "cannot be asked here"), "light"),
}

_IN_PICTURE = {
    "holds against a weak control": "weak control",
    "cannot be asked with this many": "too few",
    "cannot be asked here": "not found planted",
}
"""Verdicts that are too long for the picture of all claims."""

BY_REFERENCE, BY_RUN = "the reference", "your run"


@dataclass(frozen=True)
class Verdicts:
    """A claim of a paper, judged by the run, and by the reference where that stands beside it."""

    paper: Paper
    own: Judged
    reference: Judged | None = None

    @property
    def main(self) -> Judged:
        """The reference's where there is one."""
        return self.reference or self.own

    def to_json(self) -> dict[str, object]:
        """Plain values: the run's judgement, and the reference's verdict with why."""
        told = self.reference and {"verdict": self.reference.verdict, "why": self.reference.why}
        return {"paper": self.paper.paper, **self.own.to_json(), "reference": told}

    def drawn(self) -> Iterator[tuple[str, Verdict, Answered]]:
        """By whom, with which verdict, and the answer to the question that decided, where a number was
        found.
        """
        place = self.main.answers.index(self.main.deciding)
        for name, judged in ((BY_REFERENCE, self.reference), (BY_RUN, self.own)):
            if judged and judged.answers[place].found:
                yield name, judged.verdict, judged.answers[place]


@dataclass(frozen=True)
class Answers:
    """The verdicts on every claim, what those of the page rest on, and what the chapters' pages show."""

    verdicts: tuple[Verdicts, ...]
    results: ByChapter
    pages: ByChapter


def answers_of(run: Run) -> Answers:
    """Judge every claim of ``claims.yaml`` by ``run``, and by the reference where all chapters that it asks
    stand beside the run's.

    Raises DataError for a damaged ``claims.yaml`` and for a question that is not as it was frozen,
    RunStoreError where there is no such run, or for a damaged result of it.
    """
    if paths.questions_log().is_file():
        require_logged(
            read_claims(paths.claims_file()), read_log(paths.questions_log()), paths.questions_log()
        )
    own = told_by(run)
    standing = {name: each.result for name, each in standing_beside(run).items() if each.result}
    reference = {name: Told.by(standing[name]) if name in standing else Told() for name in chapters()}
    verdicts = [
        Verdicts(paper, mine, theirs if judged_chapters(mine) <= standing.keys() else None)
        for (paper, ours), (_, others) in zip(judged_claims(own), judged_claims(reference), strict=True)
        for mine, theirs in zip(ours, others, strict=True)
    ]
    return Answers(
        tuple(verdicts),
        {name: reference[name] if name in standing else own[name] for name in chapters()},
        {name: reference[name] if own[name] == Told() else own[name] for name in chapters()},
    )


def log_verdicts(verdicts: Sequence[Verdicts]) -> str:
    """Put the run's ``verdicts`` into the log of questions, where they are to be computed, and say which, and
    which are not.
    """
    claims, file = read_claims(paths.claims_file()), paths.questions_log()
    preconditions = claims.preconditions
    told = {
        (each.own.claim.short, claim_digest(each.own.claim, preconditions)): each.own.verdict
        for each in verdicts
        if all(one.answer != "not asked" for one in (*each.own.own, *each.own.required.values()))
    }
    found, left = fill_log(file, told)
    said = [f"{file.name}: {len(found)} put in", *(f"  {name}: {verdict}" for name, verdict in found)]
    if left:
        said += [
            f"still to be computed, since this run does not ask it, or asks otherwise: {', '.join(left)}"
        ]
    return "\n".join(said)


def judged_chapters(judged: Judged) -> set[str]:
    """The chapters that a claim and its preconditions ask."""
    return {each.question.chapter for each in (*judged.answers, *judged.required.values())}


def _cell(text: str) -> str:
    """``text`` in a table of Markdown, where a bar would end the cell."""
    return text.replace("|", "\\|")


def badge(text: str) -> str:
    """An answer or a verdict as a coloured label."""
    return f"{{bdg-{_BADGES[text]}}}`{text}`"


def table_row(cells: Sequence[str]) -> str:
    """A row of a table of MyST."""
    return f"| {' | '.join(map(_cell, cells))} |"


def figure_link(judged: Judged, results: ByChapter) -> str:
    """A link to the figure to look at, on its chapter's page; empty where the claim names none, and where the
    chapter left it out.

    Raises DataError for one that the chapter never draws.
    """
    chapter, _, name = judged.claim.figure.partition(".")
    if not chapter:
        return ""
    if chapter not in results:
        raise DataError(f"{judged.claim.figure}: no chapter {chapter!r}{nearest_name(chapter, results)}")
    figures = results[chapter].figures
    if name in figures:
        return f'<a href="{chapter}/{chapter}.html#figure-{name}">figure</a>'
    if any(f'"{name}"' in source for source in code_sources(read_notebook(chapters()[chapter].notebook))):
        return ""
    raise DataError(
        f"claims.yaml, {judged.claim.short!r}: chapter {chapter!r} draws no figure {name!r}"
        f"{nearest_name(name, figures)}"
    )


def _overview(every: Sequence[Verdicts], results: ByChapter) -> list[str]:
    both = any(each.reference for each in every)
    heads = ["Reference", "Your run"] if both else ["Verdict"]
    where = suite().again[1].capitalize()
    again = [where] if any(each.main.replicated for each in every) else []
    heads += [*again, "Claim", "Why", "Survives", ""]
    rows = [table_row(heads), "|---" * len(heads) + "|"]
    for each in every:
        verdicts = [badge(each.own.verdict)]
        if both:
            verdicts.insert(0, badge(each.reference.verdict) if each.reference else "–")
        there = each.main.replicated
        verdicts += [badge(there.answer) if there else "–"] * len(again)
        claim = f"{each.main.claim.claim} *({each.paper.name})*"
        survives = {True: "yes", False: "no", None: "–"}[each.main.survives]
        rows.append(table_row([*verdicts, claim, each.main.why, survives, figure_link(each.main, results)]))
    return rows


def _scaled(answered: Answered, size: float) -> dict[str, float]:
    """The answer's estimate as seen from its bound, in parts of ``size``; what speaks for the claim is
    positive.
    """
    sign = -1 if answered.question.side == "below" else 1
    ends = [answered.found.low, answered.found.high]
    if None in ends or answered.question.counts:
        ends = [float("nan")] * 2
    low, value, high = (
        sign * (end - answered.limit) / size for end in (ends[0], answered.found.value, ends[1])
    )
    band = (answered.question.margin or float("nan")) / size
    low, high = (low, high) if sign > 0 else (high, low)
    return {"value": value, "low": low, "high": high, "wide_low": -band, "wide_high": band}


def _size(answered: Answered) -> float:
    """The largest distance from the bound that is to be drawn."""
    found, margin = answered.found, answered.question.margin or 0.0
    ends = [end for end in (found.low, found.value, found.high) if end is not None]
    return max(margin, *(abs(end - answered.limit) for end in ends))


def claims_picture(every: Sequence[Verdicts]) -> Drawn:
    """Each claim's deciding estimate with its interval against its bound, of the reference and of the run:
    every row in its own scale, what speaks for the claim to the right.

    Data: one row per dot, ``claim``, ``run``, ``metric``, ``value``, ``low``, ``high``, ``asked``,
    ``verdict``.
    """
    rows, data = [], []
    first = BY_REFERENCE if any(each.reference for each in every) else BY_RUN
    for each in every:
        drawn = list(each.drawn())
        row = {"group": each.paper.name, "label": each.main.claim.short}
        verdict = each.main.verdict
        size = max([_size(answered) for *_, answered in drawn], default=1.0) or 1.0
        # A claim of which nothing was measured has its line all the same.
        empty = dict.fromkeys(("value", "low", "high", "wide_low", "wide_high"), float("nan"))
        shown = [(name, _scaled(answered, size)) for name, _, answered in drawn] or [(first, empty)]
        rows += [
            row | {"series": name, "note": "" if number else _IN_PICTURE.get(verdict, verdict)} | ends
            for number, (name, ends) in enumerate(shown)
        ]
        for name, judged, answered in drawn:
            data.append(
                {
                    "claim": each.main.claim.short,
                    "run": name,
                    "metric": answered.question.metric,
                    **{end: getattr(answered.found, end) for end in ("value", "low", "high")},
                    "asked": answered.asked,
                    "verdict": judged,
                }
            )
    table = pd.DataFrame(rows)
    if table["series"].nunique() == 1:
        table["series"] = ""
    counts = pd.Series([each.main.verdict for each in every]).value_counts()
    told = ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
    picture = forest(
        table,
        measured="against the claim  ←  the bound  →  for the claim",
        axis=Axis("", null=0.0, limits=(-1.12, 1.12)),
        noted="verdict",
        told=False,
        alt=f"Dots with intervals on either side of a dashed line, one row for each of {len(every)} claims: "
        f"{told}. The table below gives the numbers.",
        caption="Each claim's deciding number, seen from the bound that it was asked to pass; every row in a "
        "scale of its own. A pale bar: differences too small to count. Weak control: it holds against such a "
        "one, and the strong one decides otherwise. Too few: it cannot be asked with this many. Not found "
        "planted: nor would it be found where it is known to be there.",
        data=pd.DataFrame(
            data, columns=["claim", "run", "metric", "value", "low", "high", "asked", "verdict"]
        ),
    )
    for axes in picture.figure.axes:
        axes.set_xticks([])
    return picture


def _question(each: Answered, results: ByChapter, before: str) -> str:
    question = each.question
    where = f"[{chapters()[question.chapter].title}]({question.chapter}/{question.chapter}.ipynb)"
    facts = results[question.chapter].facts
    if named := [f"`{facts[name]}`" for name in suite().named_by if name in facts]:
        where += f", on {', '.join(named)}"
    before = f"*{before.strip().capitalize()}* " if before else ""
    return table_row([badge(each.answer), f"{before}{question.asks}", each.told, each.finds or "–", where])


def _planted(control: Control | None) -> tuple[str, ...]:
    """A paragraph: what was planted, and whether it was found."""
    if not control:
        return ()
    outcome = {True: "is found", False: "is **not** found", None: "was not looked for yet"}[control.finds]
    return (f"*Planted*, to see that it can be asked: {control.plants}. It {outcome}.", "")


def _claim(each: Verdicts, results: ByChapter) -> list[str]:
    judged, claim = each.main, each.main.claim
    sure = f"[{claim.certainty}]{{.certainty}} {CERTAINTIES[claim.certainty]}"
    return [
        f":::{{dropdown}} {claim.claim} {badge(judged.verdict)}",
        *(f"Reported: {claim.reported or 'no number'}. {sure}.", ""),
        *_planted(judged.control),
        *("| Answer | Asked here | Measured | Finds | Where |", "|---|---|---|---|---|"),
        *(_question(one, results, "first of all: ") for one in judged.required.values()),
        *(_question(one, results, one.role) for one in judged.answers),
        *(_question(one, results, f"{suite().again[1]}: ") for one in judged.again.values()),
        *(":::", ""),
    ]


def answers_text(answers: Answers, folder: Path) -> str:
    """The claims as MyST Markdown: a picture, whose files go below ``folder``, an overview, then paper by
    paper each claim with its questions, numbers and answers.
    """
    every = answers.verdicts
    if not every:
        return ""
    lines = [store_figure(folder, "claims", claims_picture(every)), "", *_overview(every, answers.pages), ""]
    papers = {each.paper.paper: each.paper for each in every}
    for paper in papers.values():
        lines += [f"## {paper.name}", "", f"{{cite:t}}`{paper.paper}`.", ""]
        for each in every:
            if each.paper is paper:
                lines += _claim(each, answers.results)
    return "\n".join(lines)
