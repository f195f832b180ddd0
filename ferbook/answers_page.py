"""The page of answers: all claims on one ruler, a card for each, and the log of what decides them."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pandas as pd

from ferbook.answers import SIGNIFICANCE, Answered, Answers, ClaimAnswer
from ferbook.book import chapters, suite
from ferbook.claims import CERTAINTIES
from ferbook.errors import require_name
from ferbook.estimate import Estimate
from ferbook.page.figure import store_figure
from ferbook.page.forest import Axis, forest
from ferbook.page.style import INK, MUTED, Drawn
from ferbook.rule import MOST, TRACE, RuleAnswer
from ferbook.text import bounds_text

PLACE, LOG_PLACE = "<!-- claims -->", "<!-- claims log -->"
"""The lines of a page in whose places ``answers_text`` and ``log_text`` are put."""

ANSWER_PLACE = re.compile(r"<!-- answer: (.+?) -->")
"""In its place stands ``answer_text`` of the claim of that short name."""

_BADGES = {"yes": "success", "in part": "info", "in part or more": "info", "no": "danger", "open": "muted"}

BY_REFERENCE, BY_RUN = "the reference", "your run"


def badge(word: str) -> str:
    """An answer as a coloured label."""
    return f"{{bdg-{_BADGES.get(word, 'light')}}}`{word}`"


def table_row(cells: Sequence[str]) -> str:
    """A row of a table of MyST, where a bar would end a cell."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def answer_text(answers: Answers, short: str) -> str:
    """The answer to the claim called ``short``, in bold, with its sentence. Raises ParameterError for a claim
    that there is not.
    """
    every = {each.main.claim.short: each for each in answers.every}
    require_name("claim", short, every)
    found = every[short]
    claim = found.main.claim
    if found.main.estimate is None:
        ends = f"between 0, {claim.floor}, and 1, {claim.ceiling}" if claim.floor else "of two systems"
        return f"**Not measured yet.** Where it lies {ends}, this run does not say."
    sentence = re.sub(r"^Part of it( or more)?: ", "", found.main.sentence)
    return f"**{found.main.label.capitalize()}.** {sentence}"


def chapter_text(answers: Answers, chapter: str) -> str:
    """The claims that a chapter measures, with their answers and the run's own, as a table of MyST; empty
    where it measures none.
    """
    own = [each for each in answers.every if each.main.claim.chapter == chapter]
    apart = any(each.apart for each in own)
    heads = ("Claim", "Answer", "Your run")
    rows = [
        (each.main.claim.short, _brief(each.main), _brief(each.own) if each.apart else "") for each in own
    ]
    lines = [table_row(row[: 2 + apart]) for row in (heads, ("---",) * 3, *rows)]
    return "\n".join(lines) if own else ""


def _brief(answer: ClaimAnswer) -> str:
    return f"{badge(answer.label)} {answer.exact if answer.estimate else 'not measured'}"


def counts_text(answers: Answers) -> str:
    """One sentence: how many claims have which answer, and how many of the answers stand when all count."""
    counts = Counter(each.main.word for each in answers.every)
    words = [f"**{counts[word]}** {word}" for word in get_args(RuleAnswer) if counts[word]]
    tested = [each.main.corrected for each in answers.every if each.main.corrected is not None]
    stand = sum(p < SIGNIFICANCE for p in tested)
    measured = sum(each.main.estimate is not None for each in answers.every)
    holm = f"; **{stand}** of these answers stand after Holm's correction for all {measured}" * bool(tested)
    return f"Of {len(answers.every)} claims: {', '.join(words)}{holm}."


_ENDS = ("value", "low", "high")


def _ends(estimate: Estimate | None, scale: float = 1.0) -> dict[str, float]:
    """Value and bounds, NaN where there are none."""
    known = {name: getattr(estimate, name, None) for name in _ENDS}
    return {name: float("nan") if end is None else scale * end for name, end in known.items()}


def _marks_of(each: Answered, run: str) -> list[tuple[str, ClaimAnswer]]:
    """By whom a claim has a mark, ``run`` or the reference, that of whoever answers on the page first; of a
    degree elsewhere, too.
    """
    marks = [(BY_REFERENCE, each.reference)] if each.reference else []
    if each.apart or not marks:
        marks.append((run, each.own))
    other = each.main.elsewhere if each.main.claim.form == "degree" else None
    return [*marks, *([(suite().again[1], replace(each.main, estimate=other))] if other else [])]


def ruler_picture(answers: Answers) -> Drawn:
    """All claims in one picture: above the degrees, between what their two ends are, with an arrow head where
    an interval goes on; below the differences, in points, with what does not matter as a pale bar. The
    reference's and the run's marks side by side.

    Data: a row for each mark, ``claim``, ``run``, ``metric``, ``value``, ``low``, ``high``, ``answer``.
    """
    degrees, differences = "Degrees", "Differences in points"
    floor, ceiling, caption = suite().ruler
    rows, data = [], []
    for each in sorted(answers.every, key=lambda each: each.main.claim.form):
        claim = each.main.claim
        panel, scale, wide = degrees, 1.0, float("nan")
        if claim.form == "difference":
            panel, scale = differences, 1.0 if claim.unit else 100.0
            wide = scale * claim.matters
        note = f"{each.main.label}{' (dB)' * (claim.unit == 'dB')}"
        for name, one in _marks_of(each, BY_REFERENCE if answers.by_reference else BY_RUN):
            row = {"panel": panel, "label": claim.short, "series": name, "note": note, "wide_low": -wide}
            # A degree that may be anything has no place between its ends.
            placed = claim.form == "difference" or (one.estimate and one.estimate.low is not None)
            rows.append(row | {"wide_high": wide} | _ends(one.estimate if placed else None, scale))
            note = ""
            if one.estimate:
                told = {"claim": claim.short, "run": name, "metric": claim.decided_by}
                data.append(told | _ends(one.estimate) | {"answer": one.label})
    table = pd.DataFrame(rows)
    if table["series"].nunique() == 1:
        table["series"] = ""
    between = table[table["panel"].eq(degrees)].dropna(subset="value")
    ends = between[[*_ENDS]].fillna(0.0)
    limits = max(-1.0, min([-0.15, *ends.min() - 0.05])), min(2.2, max([1.15, *ends.max() + 0.05]))
    picture = forest(
        table,
        measured="",
        axis={degrees: Axis("", null=0.0, limits=limits), differences: Axis("points", null=0.0)},
        across=1,
        listing=False,
        alt="Two panels of dots with intervals, a row for each claim, its answer to the right. "
        f"{counts_text(answers).replace('*', '')} The cards give the numbers.",
        caption=caption,
        data=pd.DataFrame(data, columns=["claim", "run", "metric", *_ENDS, "answer"]),
    )
    if table["panel"].iloc[0] == degrees:  # they stand first
        above = picture.figure.axes[0]
        for place in (TRACE, MOST):
            above.axvline(place, color=MUTED, linewidth=0.6, linestyle=":")
        above.axvline(1.0, color=MUTED, linestyle="--", linewidth=1.2)
        above.set_xticks([0, MOST, 1], [f"0\n{floor}", ".5", f"1\n{ceiling}"])
        for label, side in zip(above.get_xticklabels(), ("right", "center", "left"), strict=True):
            label.set_horizontalalignment(side)
        marks = (mark for mark in picture.hover if mark.axes is above)
        for row, mark in zip(between.itertuples(), marks, strict=True):
            left, right = limits
            for end, sign in [(left, "<")] * (row.low < left) + [(right, ">")] * (row.high > right):
                above.plot(end, mark.y, sign, color=INK, clip_on=False)
    return picture


def _how(answer: ClaimAnswer, answers: Answers) -> list[str]:
    """How a claim was asked, as a list: what decides, its ends, what chance leaves, and its gates."""
    claim = answer.claim
    chapter = f"[{chapters()[claim.chapter].title}]({claim.chapter}/{claim.chapter}.ipynb)"
    facts = answers.results[claim.chapter].facts
    on = ", ".join(f"`{facts[name]}`" for name in suite().named_by if name in facts)
    items = [("Measure", f"`{claim.decided_by}` of {chapter}{f', on {on}' * bool(on)}. {claim.why}")]
    if claim.form == "degree":
        items += [("0", claim.floor), ("1", claim.ceiling)]
        raw = [(name, getattr(answer, name)) for name in ("measure", "room") if getattr(answer, name)]
        items += [("In raw units", "; ".join(f"{name} {bounds_text(one)}" for name, one in raw))] * bool(raw)
    items += [("Matters", f"{answer.matters} or more")]
    if answer.estimate:
        n = [f"n = {answer.estimate.n}"] if answer.estimate.n else []
        items += [("Interval", "; ".join([*filter(None, [answer.estimate.how or answer.estimate.why]), *n]))]
    if answer.found_size:
        items += [("Minimum detectable effect, at 80 % power", answer.found_size)]
    if answer.again is not None:
        items += [("Chance of the same answer in an equal run", f"{100 * answer.again:.0f} %")]
    if answer.corrected is not None:
        stands = "stands" if answer.corrected < SIGNIFICANCE else "does not stand"
        p = "below .001" if answer.corrected < 0.001 else f"{answer.corrected:.3f}".lstrip("0")
        items += [("After Holm's correction for all claims", f"p {p}; the answer {stands}")]
    if answer.elsewhere:
        items += [(suite().again[1].capitalize(), f"{bounds_text(answer.elsewhere)}; decides nothing")]
    items += [("First", f"{each.sentence}") for each in answer.gates]
    sure = f"[{claim.certainty}]{{.certainty}} {CERTAINTIES[claim.certainty]}"
    items += [("The paper reports", f"{claim.reported or 'no number'}. {sure}")]
    log = [change for change in answers.claims.log if claim.short in change.claims]
    told = [f"{change.day:%-d %B %Y}, before: {change.claims[claim.short].before}" for change in log]
    items += [("Log", "; ".join(told))] if told else []
    return [f"- *{name}*: {text}" for name, text in items]


def _card(each: Answered, answers: Answers, linked: Callable[[str], str]) -> list[str]:
    """A claim as a card: its answer, one sentence, the figure, and below a fold how it was asked."""
    answer, own, figure = each.main, [], each.main.claim.figure
    if each.apart:
        words = " It disagrees with the reference." * each.disagree
        own = [f"*Your run:* {badge(each.own.label)} {each.own.sentence}{words}", ""]
    elif each.reference and each.own.estimate:
        own = ["*Your run* asked the same networks, so its answer is this one.", ""]
    return [
        "::::{container} claim",
        *(f"{badge(answer.label)} **{answer.claim.claim}**", ""),
        *(answer.sentence, "", *own, linked(f"{{figure}}`{figure}`") if figure else "", ""),
        ":::{dropdown} How it was asked",
        *_how(answer, answers),
        *(":::", "::::", ""),
    ]


def answers_text(answers: Answers, folder: Path, linked: Callable[[str], str]) -> str:
    """The claims as MyST Markdown: how many have which answer, a picture, whose files go below ``folder``,
    then paper by paper a card for each claim, with a link that ``linked`` makes of its figure's role.
    """
    if not answers.every:
        return ""
    lines = [counts_text(answers), "", store_figure(folder, "claims", ruler_picture(answers)), ""]
    if differing := [each.main.claim.short for each in answers.every if each.disagree]:
        lines += [f"Your run and the reference disagree on: {'; '.join(differing)}.", ""]
    for paper, name in answers.claims.headings.items():
        lines += [f"## {name}", "", f"{{cite:t}}`{paper}`.", ""]
        for each in answers.every:
            if each.paper == paper:
                lines += _card(each, answers, linked)
    return "\n".join(lines)


def log_text(answers: Answers) -> str:
    """The log as MyST Markdown, a fold for each entry, headed by its day and first sentence: what was changed
    and why, and of each claim the answer before and after; where no other is stored, after is what the page
    says now.
    """
    now = {each.main.claim.short: each.main.label for each in answers.every}
    lines = []
    for change in answers.claims.log:
        rows = [
            table_row((name, one.before, one.after or now.get(name, "gone")))
            for name, one in change.claims.items()
        ]
        table = ["", "| Claim | Before | After |", "|---|---|---|", *rows] if rows else []
        first, _, rest = change.what.partition(". ")
        head = f":::{{dropdown}} {change.day:%-d %B %Y}: {first.removesuffix('.')}"
        lines += [head, f"{rest} *Why:* {change.why}".strip(), *table, ":::", ""]
    return "\n".join(lines)


def with_answers(text: str, answers: Answers | None, folder: Path, linked: Callable[[str], str] = str) -> str:
    """``text`` of a page with answers, log and single answers in their places, whose files go below
    ``folder``; a book without claims has nothing there.
    """
    if PLACE in text:  # a picture, whose files are written
        text = text.replace(PLACE, answers_text(answers, folder, linked) if answers else "")
    text = text.replace(LOG_PLACE, log_text(answers) if answers else "")
    return ANSWER_PLACE.sub(lambda match: answer_text(answers, match[1]) if answers else "", text)
