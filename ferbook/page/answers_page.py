"""The page of answers: their count, a figure, a card for each claim, and the log of what decides them.

The figure has a row for each claim and an axis for each unit of measurement.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib import ticker
from matplotlib.axes import Axes

from ferbook.answers import NOT_MEASURED, Answered, Answers, ClaimAnswer
from ferbook.book import chapters, suite
from ferbook.claims import CERTAINTIES, OWN_CLAIMS, PaperClaim
from ferbook.errors import require_name
from ferbook.page.figure import store_figure
from ferbook.page.style import BLUE, INK, MUTED, RULE, VERMILION, WIDTH, Drawn, Mark, in_percent
from ferbook.rule import MOST, TRACE, RuleAnswer
from ferbook.text import bounds_text

# Lines of a page that ``answers_text`` and ``log_text`` replace.
PLACE, LOG_PLACE = "<!-- claims -->", "<!-- claims log -->"
# A line that ``answer_text`` of the claim of that short name replaces.
ANSWER_PLACE = re.compile(r"<!-- answer: (.+?) -->")
# File in the folder of the page with the open data of all answers.
DATA_FILE = "answers.json"

_COLOURS = {"yes": "success", "partly": "info", "no": "danger", "undecided": "muted"}


def badge(answer: ClaimAnswer) -> str:
    """Return an answer as a label: filled if it holds after correction, outlined if not."""
    line = "" if answer.holds else "-line"
    return f"{{bdg-{_COLOURS.get(answer.word, 'light')}{line}}}`{answer.word}`"


def table_row(cells: Sequence[str]) -> str:
    """Return a row of a table of MyST, where a bar would end a cell."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _whose(answers: Answers, each: Answered) -> str:
    """Label of the answer that the page shows first: the reference's on a page of a user's run."""
    if answers.by_reference:
        return ""
    return " *(reference)*" if each.reference else f" *({each.own.whose})*" * bool(each.own.whose)


def answer_text(answers: Answers, short: str) -> str:
    """Return the answer to the claim called ``short``, in bold, with its absolute size and its degree. Raises
    ParameterError for a claim that does not exist.
    """
    every = {each.main.claim.short: each for each in answers.every}
    require_name("claim", short, every)
    answer, whose = every[short].main, _whose(answers, every[short])
    if answer.estimate is None:
        return f"**{NOT_MEASURED.capitalize()} yet.**"
    return f"**{answer.word.capitalize()}.**{whose} {answer.absolute} {answer.sentence}"


def chapter_text(answers: Answers, chapter: str) -> str:
    """Return the claims that a chapter measures as a table of MyST, with the answers of reference and user's
    run; empty where it measures none.
    """
    own = [each for each in answers.every if each.main.claim.chapter == chapter]
    apart = any(each.apart for each in own)
    stored = next((f", {each.own.whose}" for each in own if each.apart and each.own.whose), "")
    referenced = not answers.by_reference and any(each.reference for each in own)
    heads = ("Claim", "Answer of the reference" if referenced else "Answer", f"Your run{stored}")
    rows = [
        (each.main.claim.short, _brief(each.main), _brief(each.own) if each.apart else "") for each in own
    ]
    lines = [table_row(row[: 2 + apart]) for row in (heads, ("---",) * 3, *rows)]
    # Two answers for each claim are folded: they are long, and the page's summary is just above.
    lines = [":::{dropdown} The answers of your run", *lines, ":::"] if apart else lines
    return "\n".join(lines) if own else ""


def _brief(answer: ClaimAnswer) -> str:
    return f"{badge(answer)} {answer.absolute or NOT_MEASURED}"


def counts_text(answers: Answers) -> str:
    """Return one sentence: how many claims have which answer, and how many of these hold after correction."""
    words = Counter(each.main.word for each in answers.every)
    hold = Counter(each.main.word for each in answers.every if each.main.holds)
    parts = []
    for word in filter(words.__contains__, get_args(RuleAnswer)):
        holds = f" (**{hold[word]}** significant)" * (word in ("yes", "partly", "no"))
        parts.append(f"**{words[word]}** {word}{holds}")
    meant = "; *significant*: after Holm's correction for all" * any(hold.values())
    return f"Of {len(answers.every)} claims: {', '.join(parts)}{meant}."


def _method(answer: ClaimAnswer, answers: Answers) -> list[str]:
    """Return how a claim was measured as a list: interval, sample, power, method, gates, amendments."""
    claim = answer.claim
    chapter = f"[{chapters()[claim.chapter].title}]({claim.chapter}/{claim.chapter}.ipynb)"
    facts = answers.results[claim.chapter].facts
    on = ", ".join(f"`{facts[name]}`" for name in suite().named_by if name in facts)
    estimate, distance, second = answer.estimate, answer.distance, answer.second_model
    sample = [f"{number:,.0f} {noun}" for noun, number in answer.sample.items()]
    sample += [f"n = {estimate.n:,}"] if estimate and estimate.n else []
    holm = f"Holm's, for all claims that were measured; {answer.certainty}"
    sure = f"[{claim.certainty}]{{.certainty}} {CERTAINTIES[claim.certainty]}"
    log = [change for change in answers.claims.log if claim.short in change.claims]
    changes = [f"{change.day:%-d %B %Y}, before: {change.claims[claim.short].before}" for change in log]
    items = [
        ("Interval", estimate and (estimate.how or estimate.why)),
        ("Sample", estimate and "; ".join(sample)),
        ("Correction", answer.certainty and holm),
        ("Minimum detectable effect", answer.detectable_text and f"{answer.detectable_text}, at 80 % power"),
        ("Method", f"`{claim.decided_by}` of {chapter}{f', on {on}' * bool(on)}. {claim.why}"),
        ("Controls", claim.form == "degree" and f"0 %: {claim.floor}; 100 %: {claim.ceiling}"),
        ("Distance of the controls", distance and f"{bounds_text(distance)}; {answer.matters} matter"),
        (suite().again[1].capitalize(), second and f"{answer.sized(second)}; decides nothing"),
        *(("Condition", each.sentence) for each in answer.gates),
        ("The paper reports", claim.reported and f"{claim.reported}. {sure}"),
        ("Amendments", "; ".join(changes)),
    ]
    return [f"- *{name}*: {text}" for name, text in items if text]


def _controls(answer: ClaimAnswer) -> list[str]:
    """Return what was measured and the values of its controls as a table."""
    if not answer.absolute:
        return []
    rows = [("", answer.claim.quantity or "value"), ("---", "--:")]
    for row in answer.controls:
        mark = "**" * row["measured"]
        text = bounds_text(row["estimate"]) if row["estimate"] else NOT_MEASURED
        rows.append((f"{mark}{row['label']}{mark}", f"{mark}{text}{mark}"))
    return [*map(table_row, rows), ""]


def _card(each: Answered, answers: Answers, linked: Callable[[str], str]) -> list[str]:
    """Return a claim as a card: answer, absolute measure, degree, figure, and a fold with its controls."""
    answer, own, folded = each.main, [], []
    figure = [linked(f"{{figure}}`{answer.claim.figure}`")] if answer.claim.figure else []
    certainty = f" *{answer.certainty}*" if answer.certainty else ""
    if each.apart:
        label = f" ({each.own.whose})" * bool(each.own.whose)
        words = " It disagrees with the reference." * each.disagree
        own = [f"*Your run{label}:* {badge(each.own)}{words}", ""]
        folded = [f"- *Your run{label}*: {each.own.absolute} {each.own.sentence}"]
    elif each.reference and not answers.by_reference:
        folded = [f"- *Your run*: {each.own.sentence}"]
    return [
        "::::{container} claim",
        *(f"{badge(answer)}{_whose(answers, each)}{certainty}", "", f"**{answer.claim.claim}**", ""),
        *([answer.absolute, ""] if answer.absolute else []),
        *(" ".join([answer.sentence, *answer.second, *figure]), ""),
        *own,
        ":::{dropdown} Controls, method and statistics",
        *_controls(answer),
        *folded,
        *_method(answer, answers),
        *(":::", "::::", ""),
    ]


REFERENCE_MARK, RUN_MARK = "reference", "your run"
_LOOKS = (("o", BLUE, 6), ("s", VERMILION, 5), ("D", MUTED, 4))
# Height of a row in inches: name and number, the interval, and of a degree the names of its controls.
_ROW_HEIGHTS = {"degree": 0.47, "difference": 0.3}
_DEGREE_LIMITS = (-0.5, 2.1)
# Behind a row's name, so that no line crosses it.
_GROUND = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
_CAPTION = (
    "Each row: a claim's number, its 95 % interval and the answer. Filled: significant after correction "
    "for all claims. Pale bars: differences too small to matter, or proportions for which the answer is no. "
    "Dotted lines: no if the whole interval lies below 10 %, yes if it lies above 50 %."
)


def _axis_of(claim: PaperClaim) -> str:
    """Return the axis that a claim is drawn on: degrees share one, differences those of their unit."""
    unit = "percentage points" if claim.unit == "points" else claim.unit or claim.quantity
    return "" if claim.form == "degree" else unit


def marks_of(each: Answered, by_reference: bool) -> list[tuple[str, ClaimAnswer]]:
    """By whom a claim has a mark, the one that answers on the page first."""
    marks = [(REFERENCE_MARK, each.reference)] if each.reference else []
    if each.apart or not marks:
        label = f"{RUN_MARK}{f' ({each.own.whose})' * bool(each.own.whose)}"
        marks.append((REFERENCE_MARK if by_reference else label, each.own))
    if each.main.claim.form == "degree" and each.main.second_model:
        marks.append((suite().again[1], replace(each.main, estimate=each.main.second_model, corrected=None)))
    return [(who, answer) for who, answer in marks if answer.estimate]


def answers_figure(answers: Answers, alt: str) -> Drawn:
    """Draw the answer to each claim. Data: a row for each mark, ``claim``, ``run``, ``metric``, ``value``,
    ``low``, ``high``, ``answer``, ``holds``.
    """
    groups: dict[str, list[Answered]] = {}
    for each in sorted(answers.every, key=lambda each: each.main.claim.form):
        groups.setdefault(_axis_of(each.main.claim), []).append(each)
    heights = [0.34 + _ROW_HEIGHTS[rows[0].main.claim.form] * len(rows) for rows in groups.values()]
    figure, grid = plt.subplots(
        len(groups), 1, figsize=(WIDTH, 0.3 + sum(heights)), height_ratios=heights, squeeze=False
    )
    hover, data, handles = [], [], {}
    for axes, (unit, rows) in zip(grid.flat, groups.items(), strict=True):
        degrees = rows[0].main.claim.form == "degree"
        _dress(axes, unit, rows, degrees)
        for place, each in enumerate(rows):
            marks = marks_of(each, answers.by_reference)
            _name_row(axes, place, each.main, degrees)
            for number, (who, answer) in enumerate(marks):
                marker, colour, size = _LOOKS[2] if who == suite().again[1] else _LOOKS[min(number, 1)]
                height = place + (-0.1 + 0.11 * number if degrees else 0.14 + 0.16 * number)
                estimate = answer.estimate
                if degrees and estimate.low is None:  # too uncertain: it has no position
                    continue
                ends = [estimate.value] * 2 if estimate.low is None else [estimate.low, estimate.high]
                axes.plot(ends, [height] * 2, color=colour, linewidth=1.8)
                fill = colour if answer.holds else "white"
                (handles[who],) = axes.plot(
                    estimate.value, height, marker, color=colour, mfc=fill, ms=size, linestyle="none"
                )
                _mark_beyond(axes, ends, height)
                words = f"{each.main.claim.short}, {who}: {answer.sized(estimate)}; {answer.word}"
                hover.append(Mark(axes, estimate.value, height, words))
                interval = estimate.value, estimate.low, estimate.high
                about = each.main.claim.short, who, answer.claim.decided_by
                data.append((*about, *interval, answer.word, answer.holds))
    if len(handles) > 1:
        figure.legend(handles.values(), handles, loc="outside upper left", ncols=2)
    columns = ["claim", "run", "metric", "value", "low", "high", "answer", "holds"]
    return Drawn(figure, pd.DataFrame(data, columns=columns), alt, _CAPTION, hover=hover)


def _dress(axes: Axes, unit: str, rows: Sequence[Answered], degrees: bool) -> None:
    title = unit if len(unit) < 3 else f"{unit[0].upper()}{unit[1:]}"
    if any(each.main.claim.polarity != "more_than" for each in rows):
        title += "; left of 0: worse than what it is compared with"
    axes.set_title("Degree: 0 % is the lower, 100 % the upper control" if degrees else title, weight="bold")
    axes.set_ylim(len(rows) - (0.55 if degrees else 0.6), -0.6)
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    axes.axvline(0, color=INK, linestyle="--", linewidth=1, zorder=1)
    if degrees:
        axes.set(xlim=_DEGREE_LIMITS, xticks=[0, MOST, 1])
        axes.axvline(1, color=INK, linestyle="--", linewidth=1, zorder=1)
        for bound in (TRACE, MOST):
            axes.axvline(bound, color=MUTED, linewidth=0.8, linestyle=":", zorder=1)
    else:
        for place, claim in enumerate(each.main.claim for each in rows):
            low = 0 if claim.polarity == "more_than" else -claim.matters
            axes.plot(
                [low, claim.matters], [place + 0.14] * 2, color=RULE, linewidth=7, solid_capstyle="butt"
            )
        axes.xaxis.set_major_locator(ticker.MaxNLocator(5))
        axes.margins(x=0.06)
    if degrees or any(each.main.estimate and each.main.estimate.unit == "share" for each in rows):
        in_percent(axes.xaxis)


def _name_row(axes: Axes, place: int, answer: ClaimAnswer, degrees: bool) -> None:
    """Write name, number and answer above a row, and the names of its controls below a degree."""
    up, small = place - (0.36 if degrees else 0.3), {"va": "center", "bbox": _GROUND, "zorder": 1.5}
    across = axes.get_yaxis_transform()
    number = "no interval" if answer.estimate else NOT_MEASURED
    if answer.estimate and answer.estimate.low is not None:
        shown = replace(answer.estimate, unit="share") if degrees else answer.estimate
        number = bounds_text(shown, decimals=0 if degrees else None)
    axes.text(0, up, answer.claim.short, transform=across, **small)
    axes.text(1, up, f"{number} · {answer.word}", transform=across, ha="right", **small)
    for where, name in enumerate(answer.claim.ends or ()):
        axes.text(where, place + 0.29, name, color=MUTED, ha="center", **small)


def _mark_beyond(axes: Axes, ends: Sequence[float], height: float) -> None:
    """Put an arrow head where an interval of a degree leaves the axis."""
    if axes.get_autoscalex_on():
        return
    left, right = axes.get_xlim()
    for end, sign, beyond in ((left, "<", ends[0] < left), (right, ">", ends[1] > right)):
        if beyond:
            axes.plot(end, height, sign, color=INK, clip_on=False)


def answers_text(answers: Answers, folder: Path, linked: Callable[[str], str]) -> str:
    """Return the claims as MyST Markdown: the count, a figure, whose files go below ``folder`` like the open
    data, then paper by paper a card for each claim, with a link that ``linked`` makes of its figure's role.
    """
    if not answers.every:
        return ""
    count = counts_text(answers)
    alt = f"A row for each claim: its interval, number and answer. {count.replace('*', '')}"
    lines = [count, "", store_figure(folder, "claims", answers_figure(answers, alt)), ""]
    (folder / DATA_FILE).write_text(json.dumps(answers.to_json(), indent=1, ensure_ascii=False) + "\n")
    if differing := [each.main.claim.short for each in answers.every if each.disagree]:
        lines += [f"Your run and the reference disagree on: {'; '.join(differing)}.", ""]
    for paper, name in answers.claims.headings.items():
        cited = f"{{cite:t}}`{paper}`." if paper != OWN_CLAIMS else "No paper claims this."
        lines += [f"## {name}", "", cited, ""]
        for each in answers.every:
            if each.paper == paper:
                lines += _card(each, answers, linked)
    return "\n".join(lines)


def log_text(answers: Answers) -> str:
    """Return the log as MyST Markdown, a fold for each entry: what changed, why, and each answer before and
    after; where none is stored after, it is what the page shows.
    """
    now = {each.main.claim.short: each.main.word for each in answers.every}
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
    """Fill the lines of a page for answers, log and single answers; files go below ``folder``. A book without
    claims has nothing there.
    """
    if PLACE in text:
        text = text.replace(PLACE, answers_text(answers, folder, linked) if answers else "")
    text = text.replace(LOG_PLACE, log_text(answers) if answers else "")
    return ANSWER_PLACE.sub(lambda match: answer_text(answers, match[1]) if answers else "", text)
