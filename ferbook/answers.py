"""The page of answers: how many claims hold, all in one picture, and paper by paper a card for each."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
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
from ferbook.verdicts import Answered, ByChapter, Evidence, Judged, Verdict, evidence_by, judged_claims

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
        reference = self.reference and {"verdict": self.reference.verdict, "why": self.reference.why}
        own = {"paper": self.paper.paper, **self.own.to_json()}
        return own | {"reference": reference}

    @property
    def apart(self) -> bool:
        """Whether the run has numbers of its own beside the reference's: it may have asked the same networks,
        and then every number is the same.
        """
        if self.reference is None:
            return False
        estimates = [[one.estimate for one in judgement.answers] for judgement in (self.own, self.reference)]
        return self.own.verdict != "not asked" and estimates[0] != estimates[1]

    def dots(self) -> Iterator[tuple[str, Verdict, Answered]]:
        """By whom, with which verdict, and the answer to the question that decided, where a number was
        found.
        """
        place = self.main.answers.index(self.main.deciding)
        own = None if self.reference and not self.apart else self.own
        for name, judgement in ((BY_REFERENCE, self.reference), (BY_RUN, own)):
            if judgement and judgement.answers[place].estimate:
                yield name, judgement.verdict, judgement.answers[place]


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
    claims = read_claims(paths.claims_file())
    if paths.questions_log().is_file():
        require_logged(claims, read_log(paths.questions_log()), paths.questions_log())
    own = evidence_by(run)
    standing = {name: each.result for name, each in standing_beside(run).items() if each.result}
    reference = {name: Evidence.by(standing[name]) if name in standing else Evidence() for name in chapters()}
    verdicts = []
    for (paper, ours), (_, others) in zip(judged_claims(own), judged_claims(reference), strict=True):
        for mine, theirs in zip(ours, others, strict=True):
            stands = judged_chapters(mine) <= standing.keys()
            verdicts.append(Verdicts(paper, mine, theirs if stands else None))
    return Answers(
        tuple(verdicts),
        {name: reference[name] if name in standing else own[name] for name in chapters()},
        {name: reference[name] if own[name] == Evidence() else own[name] for name in chapters()},
    )


def log_verdicts(verdicts: Sequence[Verdicts]) -> str:
    """Put the run's ``verdicts`` into the log of questions, where they are to be computed, and say which, and
    which are not.
    """
    claims, file = read_claims(paths.claims_file()), paths.questions_log()
    preconditions = claims.preconditions
    by_claim = {
        (each.own.claim.short, claim_digest(each.own.claim, preconditions)): each.own.verdict
        for each in verdicts
        if all(one.answer != "not asked" for one in (*each.own.own, *each.own.required.values()))
    }
    entries, missing = fill_log(file, by_claim)
    lines = [f"{file.name}: {len(entries)} put in", *(f"  {name}: {verdict}" for name, verdict in entries)]
    if missing:
        lines += [
            f"still to be computed, since this run does not ask it, or asks otherwise: {', '.join(missing)}"
        ]
    return "\n".join(lines)


def judged_chapters(judgement: Judged) -> set[str]:
    """The chapters that a claim and its preconditions ask."""
    return {each.question.chapter for each in (*judgement.answers, *judgement.required.values())}


def _cell(text: str) -> str:
    """``text`` in a table of Markdown, where a bar would end the cell."""
    return text.replace("|", "\\|")


def badge(text: str) -> str:
    """An answer or a verdict as a coloured label."""
    return f"{{bdg-{_BADGES[text]}}}`{text}`"


def table_row(cells: Sequence[str]) -> str:
    """A row of a table of MyST."""
    return f"| {' | '.join(map(_cell, cells))} |"


def figure_link(judgement: Judged, results: ByChapter) -> str:
    """A link to the figure to look at, on its chapter's page; empty where the claim names none, and where the
    chapter left it out.

    Raises DataError for one that the chapter never draws.
    """
    chapter, _, name = judgement.figure.partition(".")
    if not chapter:
        return ""
    if chapter not in results:
        raise DataError(f"{judgement.figure}: no chapter {chapter!r}{nearest_name(chapter, results)}")
    figures = results[chapter].figures
    if name in figures:
        return f'<a href="{chapter}/{chapter}.html#figure-{name}">the figure that decides</a>'
    if any(f'"{name}"' in source for source in code_sources(read_notebook(chapters()[chapter].notebook))):
        return ""
    raise DataError(
        f"claims.yaml, {judgement.claim.short!r}: chapter {chapter!r} draws no figure {name!r}"
        f"{nearest_name(name, figures)}"
    )


_COUNTED = (
    ("holds", "holds", "hold"),
    ("holds against a weak control", "holds against a weak control only", "hold against a weak control only"),
    ("does not hold", "does not hold", "do not hold"),
    ("not settled", "is not settled", "are not settled"),
    ("cannot be asked with this many", "cannot be asked with so few", "cannot be asked with so few"),
    ("cannot be asked here", "cannot be asked here", "cannot be asked here"),
    ("not asked", "was not asked", "were not asked"),
)
"""Each verdict, as it is said of one claim and of several."""


def counts_text(every: Sequence[Verdicts]) -> str:
    """One sentence: of how many claims which verdict was reached, and by whom."""
    counts = Counter(each.main.verdict for each in every)
    phrases = [
        f"**{counts[verdict]}** {one if counts[verdict] == 1 else several}"
        for verdict, one, several in _COUNTED
        if counts[verdict]
    ]
    claims = f"Of {len(every)} claims" if len(every) > 1 else "Of one claim"
    text = f"{', '.join(phrases[:-1])} and {phrases[-1]}" if phrases[1:] else "".join(phrases)
    return f"{claims} {text}."


def _scaled(answer: Answered, size: float) -> dict[str, float]:
    """The answer's estimate as seen from its bound, in parts of ``size``; what speaks for the claim is
    positive.
    """
    sign = -1 if answer.question.side == "below" else 1
    ends = [answer.estimate.low, answer.estimate.high]
    if None in ends or answer.question.counts:
        ends = [float("nan")] * 2
    low, value, high = (
        sign * (end - answer.limit) / size for end in (ends[0], answer.estimate.value, ends[1])
    )
    band = (answer.question.margin or float("nan")) / size
    low, high = (low, high) if sign > 0 else (high, low)
    return {"value": value, "low": low, "high": high, "wide_low": -band, "wide_high": band}


def _size(answer: Answered) -> float:
    """The largest distance from the bound that is to be drawn."""
    estimate, margin = answer.estimate, answer.question.margin or 0.0
    ends = [end for end in (estimate.low, estimate.value, estimate.high) if end is not None]
    return max(margin, *(abs(end - answer.limit) for end in ends))


def claims_picture(every: Sequence[Verdicts]) -> Drawn:
    """Each claim's deciding estimate with its interval against its bound, of the reference and of the run:
    every row in its own scale, what speaks for the claim to the right.

    Data: one row per dot, ``claim``, ``run``, ``metric``, ``value``, ``low``, ``high``, ``asked``,
    ``verdict``.
    """
    rows, data = [], []
    first = BY_REFERENCE if any(each.reference for each in every) else BY_RUN
    for each in every:
        dots = list(each.dots())
        row = {"group": each.paper.name, "label": each.main.claim.short}
        verdict = each.main.verdict
        size = max([_size(answer) for *_, answer in dots], default=1.0) or 1.0
        # A claim of which nothing was measured has its line all the same.
        empty = dict.fromkeys(("value", "low", "high", "wide_low", "wide_high"), float("nan"))
        ends_by_run = [(name, _scaled(answer, size)) for name, _, answer in dots] or [(first, empty)]
        rows += [
            row | {"series": name, "note": "" if number else _IN_PICTURE.get(verdict, verdict)} | ends
            for number, (name, ends) in enumerate(ends_by_run)
        ]
        for name, word, answer in dots:
            data.append(
                {
                    "claim": each.main.claim.short,
                    "run": name,
                    "metric": answer.question.metric,
                    **{end: getattr(answer.estimate, end) for end in ("value", "low", "high")},
                    "asked": answer.asked,
                    "verdict": word,
                }
            )
    table = pd.DataFrame(rows)
    if table["series"].nunique() == 1:
        table["series"] = ""
    counts = pd.Series([each.main.verdict for each in every]).value_counts()
    counts_text = ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
    picture = forest(
        table,
        measured="against the claim  ←  the bound  →  for the claim",
        axis=Axis("", null=0.0, limits=(-1.12, 1.12)),
        noted="verdict",
        listing=False,
        alt=f"Dots with intervals on either side of a dashed line, one row for each of {len(every)} claims: "
        f"{counts_text}. The table below gives the numbers.",
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
    return replace(picture, hover=())  # each row's numbers are in a scale of its own


def _question(each: Answered, results: ByChapter, before: str) -> str:
    question = each.question
    where = f"[{chapters()[question.chapter].title}]({question.chapter}/{question.chapter}.ipynb)"
    facts = results[question.chapter].facts
    if names := [f"`{facts[name]}`" for name in suite().named_by if name in facts]:
        where += f", on {', '.join(names)}"
    before = f"*{before.strip().capitalize()}* " if before else ""
    return table_row([badge(each.answer), f"{before}{question.asks}", each.details, each.finds or "–", where])


def _planted(control: Control | None) -> tuple[str, ...]:
    """A paragraph: what was planted, and whether it was found."""
    if not control:
        return ()
    outcome = {True: "is found", False: "is **not** found", None: "was not looked for yet"}[control.finds]
    return (f"*Planted*, to see that it can be asked: {control.plants}. It {outcome}.", "")


def _claim(each: Verdicts, results: ByChapter, pages: ByChapter) -> list[str]:
    """A claim as a card: its verdict, what was found, the figure, and below a fold how it was asked."""
    judgement, claim = each.main, each.main.claim
    sure = f"[{claim.certainty}]{{.certainty}} {CERTAINTIES[claim.certainty]}"
    there, survives = judgement.replicated, {True: "yes", False: "no"}.get(judgement.survives)
    beside = [
        *([f"{suite().again[1].capitalize()}: {badge(there.answer)}"] if there else []),
        *([f"Survives the count of all questions: {survives}"] if survives else []),
        *filter(None, [figure_link(judgement, pages)]),
    ]
    own = []
    if each.apart:
        own = [f"*Your run:* {badge(each.own.verdict)} {each.own.finding}", ""]
    elif each.reference and each.own.verdict != "not asked":
        own = ["*Your run* asked the same networks, so its answer is this one.", ""]
    return [
        "::::{container} claim",
        *(f"{badge(judgement.verdict)} **{claim.claim}**", ""),
        *(judgement.finding, "", *own, " · ".join(beside), ""),
        ":::{dropdown} How it was asked",
        *(f"Reported: {claim.reported or 'no number'}. {sure}.", ""),
        *_planted(judgement.control),
        *("| Answer | Asked here | Measured | Finds | Where |", "|---|---|---|---|---|"),
        *(_question(one, results, "first of all: ") for one in judgement.required.values()),
        *(_question(one, results, one.role) for one in judgement.answers),
        *(_question(one, results, f"{suite().again[1]}: ") for one in judgement.again.values()),
        *(":::", "::::", ""),
    ]


def answers_text(answers: Answers, folder: Path) -> str:
    """The claims as MyST Markdown: how many hold, a picture, whose files go below ``folder``, then paper by
    paper a card for each claim, with its questions, numbers and answers.
    """
    every = answers.verdicts
    if not every:
        return ""
    picture = store_figure(folder, "claims", claims_picture(every))
    lines = [counts_text(every), "", picture, ""]
    papers = {each.paper.paper: each.paper for each in every}
    for paper in papers.values():
        lines += [f"## {paper.name}", "", f"{{cite:t}}`{paper.paper}`.", ""]
        for each in every:
            if each.paper is paper:
                lines += _claim(each, answers.results, answers.pages)
    return "\n".join(lines)
