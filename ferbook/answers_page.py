"""The page of answers: all claims on one ruler, a card for each, and the log of what decides them."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ferbook.answers import SIGNIFICANCE, Answered, Answers, ClaimAnswer, metric_of
from ferbook.book import chapters, suite
from ferbook.claims import CERTAINTIES, PaperClaim
from ferbook.errors import DataError, nearest_name, require_name
from ferbook.estimate import Estimate
from ferbook.notebook import code_sources, read_notebook
from ferbook.page.figure import store_figure
from ferbook.page.forest import Axis, forest
from ferbook.page.style import MUTED, Drawn
from ferbook.rule import MOST, TRACE
from ferbook.text import bounds_text

PLACE, MARKS_PLACE, LOG_PLACE = "<!-- claims -->", "<!-- marks -->", "<!-- claims log -->"
"""The lines of a page in whose places ``answers_text``, ``marks_text`` and ``log_text`` are put."""

ANSWER_PLACE = re.compile(r"<!-- answer: (.+?) -->")
"""In its place stands ``answer_text`` of the claim of that short name."""

_BADGES = {
    **{"yes": "success", "in part": "info", "in part or more": "info", "no": "danger"},
    **{"open": "muted", "no room": "light", "not measured": "light"},
}

BY_REFERENCE, BY_RUN, GUESSED = "the reference", "your run", "a guess before"


def badge(word: str) -> str:
    """An answer as a coloured label."""
    return f"{{bdg-{_BADGES[word]}}}`{word}`"


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
    former = " (a former reference, which confirms nothing)" * (
        found.former and found.main.estimate is not None
    )
    label = "Not measured yet" if found.main.estimate is None else found.main.label.capitalize()
    return f"**{label}.** {found.main.sentence}".removesuffix(".") + f"{former}."


def _whose(answers: Answers) -> str:
    return f"{BY_REFERENCE}{' (former)' * answers.former}"


def counts_text(answers: Answers) -> str:
    """One sentence: how many claims have which answer, and by whom."""
    counts = Counter(each.main.word for each in answers.every)
    words = [
        f"**{counts[word]}** {word}" for word in ("yes", "in part", "no", "open", "no room") if counts[word]
    ]
    return f"Of {len(answers.every)} claims: {', '.join(words)}."


def _in_points(claim: PaperClaim, estimate: Estimate) -> list[float]:
    """Value and ends of a difference, in points; what has no unit is a share."""
    scale = 1 if claim.unit else 100
    ends = (estimate.value, estimate.low, estimate.high)
    return [float("nan") if end is None else scale * end for end in ends]


def ruler_picture(answers: Answers) -> Drawn:
    """All claims in one picture: above the degrees, between what their two ends are; below the differences,
    in points, with what does not matter as a pale bar. The reference's and the run's marks side by side.

    Data: a row for each mark, ``claim``, ``run``, ``metric``, ``value``, ``low``, ``high``, ``answer``.
    """
    degree, difference = "Degrees", "Differences in points"
    ends = ("value", "low", "high")
    rows, data = [], []
    has_reference = any(each.reference for each in answers.every)
    for each in sorted(answers.every, key=lambda each: each.main.claim.form):
        claim = each.main.claim
        by = [(_whose(answers), each.reference)] if has_reference else []
        by += [] if each.reference and not each.apart else [(BY_RUN, each.own)]
        by = [(name, one) for name, one in by if one]
        if len(by) > 1 and by[1][1].estimate is None:
            by = by[:1]
        in_decibels = " (dB)" * (claim.unit == "dB")
        for place, (name, one) in enumerate(by):
            row = {"panel": degree if claim.form == "degree" else difference, "label": claim.short}
            row |= {"series": name, "note": "" if place else f"{each.main.label}{in_decibels}"}
            values = [float("nan")] * 3
            if one.estimate and claim.form == "degree":
                values = [one.estimate.value, one.estimate.low, one.estimate.high]
            elif one.estimate:
                values = _in_points(claim, one.estimate)
            wide = claim.matters * (1 if claim.unit else 100) if claim.form == "difference" else float("nan")
            rows.append(row | dict(zip(ends, values, strict=True)) | {"wide_low": -wide, "wide_high": wide})
            if one.estimate:
                told = {"claim": claim.short, "run": name, "metric": claim.decided_by, "answer": one.label}
                data.append(told | {end: getattr(one.estimate, end) for end in ends})
    table = pd.DataFrame(rows).astype(dict.fromkeys(ends, float))
    if table["series"].nunique() == 1:
        table["series"] = ""
    between = table.loc[table["panel"].eq(degree), "value"].dropna()
    limits = (min([-0.15, *(between - 0.05)]), max([1.15, *(between + 0.05)]))
    counts = re.sub(r"\*", "", counts_text(answers)).removesuffix(".")
    picture = forest(
        table,
        measured="",
        axis={degree: Axis("", null=0.0, limits=limits), difference: Axis("points", null=0.0)},
        across=1,
        listing=False,
        alt=f"Two panels of dots with intervals, a row for each claim, its answer to the right. {counts}. "
        "The cards give the numbers.",
        caption="Above, how far each measure lies on its way from the negative control, 0, to the positive, "
        "1: for most, from untrained networks to networks taught units on the same pictures. Below, "
        "differences in points (of κ in hundredths, one in dB). Pale bar: too small to matter.",
        data=pd.DataFrame(data, columns=["claim", "run", "metric", *ends, "answer"]),
    )
    if table["panel"].iloc[0] == degree:
        above = picture.figure.axes[0]
        for place in (TRACE, MOST):
            above.axvline(place, color=MUTED, linewidth=0.6, linestyle=":")
        above.axvline(1.0, color=MUTED, linestyle="--", linewidth=1.2)
        above.set_xticks([0, MOST, 1], ["0\nuntrained", ".5", "1\ntaught units"])
    return picture


def marks_picture(answers: Answers) -> Drawn:
    """The marks of ``claims.yaml`` on one axis, as somebody guessed them before anything was run, and as they
    are measured. Data: ``mark``, ``run``, ``value``, ``low``, ``high``.
    """
    rows = []
    for key, mark in answers.claims.marks.items():
        ends = {"value": answers.claims.guess[key], "low": None, "high": None}
        rows.append({"label": mark.name, "series": GUESSED} | ends)
        found, own = (metric_of(mark.metric, of) for of in (answers.results, answers.own))
        for name, each in ((_whose(answers), found), (BY_RUN, own if own != found else None)):
            if each is not None:
                ends = {end: getattr(each, end) for end in ("value", "low", "high")}
                rows.append({"label": mark.name, "series": name} | ends)
    table = pd.DataFrame(rows).astype(dict.fromkeys(("value", "low", "high"), float))
    # The measured ones are the first series, which is a full dot.
    table = table.sort_values("series", key=lambda names: names.eq(GUESSED), kind="stable")
    order = [mark.name for mark in answers.claims.marks.values()]
    table = table.sort_values("label", key=lambda names: names.map(order.index), kind="stable")
    apart = [
        (abs(row.value - answers.claims.guess[key]), mark.name, row.value, answers.claims.guess[key])
        for key, mark in answers.claims.marks.items()
        for row in table[table["label"].eq(mark.name) & table["series"].ne(GUESSED)].itertuples()
    ]
    _, name, found, guess = max(apart, default=(0, "", 0, 0))
    widest = f" Farthest apart: {name}, guessed {guess:.2f}, found {found:.2f}." * bool(apart)
    return forest(
        table,
        measured="κ: 0 chance, 1 always",
        axis=Axis("", null=0.0),
        alt="Dots on one axis, guessed and measured.",
        caption=f"Where a well-read guess put each kind of network, and where it is.{widest}",
        data=table.rename(columns={"label": "mark", "series": "run"}).reset_index(drop=True),
    )


def figure_link(claim: PaperClaim, answers: Answers) -> str:
    """A link to the figure to look at, on its chapter's page; empty where the claim names none, and where the
    chapter left it out.

    Raises DataError for one that the chapter never draws.
    """
    chapter, _, name = claim.figure.partition(".")
    if not chapter:
        return ""
    if chapter not in answers.pages:
        raise DataError(f"{claim.figure}: no chapter {chapter!r}{nearest_name(chapter, answers.pages)}")
    figures = answers.pages[chapter].figures
    if name in figures:
        return f'<a href="{chapter}/{chapter}.html#figure-{name}">the figure to look at</a>'
    if any(f'"{name}"' in source for source in code_sources(read_notebook(chapters()[chapter].notebook))):
        return ""
    raise DataError(
        f"claims.yaml, {claim.short!r}: chapter {chapter!r} draws no figure {name!r}"
        f"{nearest_name(name, figures)}"
    )


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
        items += (
            [("In raw units", "; ".join(f"{name} {bounds_text(one)}" for name, one in raw))] if raw else []
        )
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
    logged = [
        (change, change.claims[claim.short]) for change in answers.claims.log if claim.short in change.claims
    ]
    items += [
        ("Log", "; ".join(f"{change.day:%-d %B %Y}, before: {one.before}" for change, one in logged))
    ] * bool(logged)
    return [f"- *{name}*: {text}" for name, text in items]


def _card(each: Answered, answers: Answers) -> list[str]:
    """A claim as a card: its answer, one sentence, the figure, and below a fold how it was asked."""
    answer, own = each.main, []
    if each.apart:
        words = " It disagrees with the reference." * each.disagree
        own = [f"*Your run:* {badge(each.own.label)} {each.own.sentence}{words}", ""]
    elif each.reference and each.own.estimate:
        own = ["*Your run* asked the same networks, so its answer is this one.", ""]
    former = " {bdg-light}`former reference`" * (each.former and answer.estimate is not None)
    return [
        "::::{container} claim",
        *(f"{badge(answer.label)}{former} **{answer.claim.claim}**", ""),
        *(answer.sentence, "", *own, figure_link(answer.claim, answers), ""),
        ":::{dropdown} How it was asked",
        *_how(answer, answers),
        *(":::", "::::", ""),
    ]


def answers_text(answers: Answers, folder: Path) -> str:
    """The claims as MyST Markdown: how many have which answer, a picture, whose files go below ``folder``,
    then paper by paper a card for each claim.
    """
    if not answers.every:
        return ""
    lines = [counts_text(answers), "", store_figure(folder, "claims", ruler_picture(answers)), ""]
    if differing := [each.main.claim.short for each in answers.every if each.disagree]:
        lines += [f"Your run and the reference disagree on: {'; '.join(differing)}.", ""]
    for paper in answers.claims.papers:
        lines += [f"## {paper.name}", "", f"{{cite:t}}`{paper.paper}`.", ""]
        for each in answers.every:
            if each.paper.paper == paper.paper:
                lines += _card(each, answers)
    return "\n".join(lines)


def marks_text(answers: Answers, folder: Path) -> str:
    """The figure of guessed and measured marks, with its files below ``folder``; empty without marks."""
    return store_figure(folder, "marks", marks_picture(answers)) if answers.claims.marks else ""


def log_text(answers: Answers) -> str:
    """The log as MyST Markdown: what was changed and why, and of each claim the answer before and after;
    where no other is stored, after is what the page says now.
    """
    now = {each.main.claim.short: each.main.label for each in answers.every}
    lines = []
    for change in answers.claims.log:
        rows = [
            table_row((name, one.before, one.after or now.get(name, "gone")))
            for name, one in change.claims.items()
        ]
        table = ["", "| Claim | Before | After |", "|---|---|---|", *rows] if rows else []
        lines += [f"- **{change.day:%-d %B %Y}.** {change.what} *Why:* {change.why}".rstrip(), *table, ""]
    return "\n".join(lines)


def with_answers(text: str, answers: Answers | None, folder: Path) -> str:
    """``text`` of a page with answers, marks, log and single answers in their places, whose files go below
    ``folder``; a book without claims has nothing there.
    """
    for place, made in ((PLACE, answers_text), (MARKS_PLACE, marks_text)):
        if place in text:
            text = text.replace(place, made(answers, folder) if answers else "")
    if LOG_PLACE in text:
        text = text.replace(LOG_PLACE, log_text(answers) if answers else "")
    return ANSWER_PLACE.sub(lambda match: answer_text(answers, match[1]) if answers else "", text)
