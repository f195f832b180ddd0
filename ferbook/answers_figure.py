"""The figure of all answers: a row for each claim, an axis for each unit of measurement."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib import ticker
from matplotlib.axes import Axes

from ferbook.answers import Answered, Answers, ClaimAnswer
from ferbook.book import suite
from ferbook.claims import PaperClaim
from ferbook.page.style import BLUE, INK, MUTED, RULE, VERMILION, WIDTH, Drawn, Mark
from ferbook.rule import MOST, TRACE
from ferbook.text import bounds_text

REFERENCE_MARK, RUN_MARK = "reference", "your run"
_LOOKS = (("o", BLUE, 6), ("s", VERMILION, 5), ("D", MUTED, 4))
# Height of a row in inches: name and number, the interval, and of a degree the names of its controls.
_ROWS = {"degree": 0.47, "difference": 0.3}
_DEGREE_LIMITS = (-0.5, 2.1)
# Behind a row's name, so that no line crosses it.
_GROUND = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
_NAMES = {"points": "percentage points"}
_CAPTION = (
    "A row for each claim: its number with the 95 % interval, and its answer. Filled marks hold after "
    "correction for all claims, hollow ones do not. Pale bars span differences too small to matter; dotted "
    "lines are the bounds of no (10 %) and yes (50 %)."
)


def _axis_of(claim: PaperClaim) -> str:
    """Return the axis that a claim is drawn on: degrees share one, differences those of their unit."""
    unit = _NAMES.get(claim.unit, claim.unit) or claim.quantity
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
    heights = [0.34 + _ROWS[rows[0].main.claim.form] * len(rows) for rows in groups.values()]
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
                height = place + (-0.04 if degrees else 0.14) + 0.16 * number
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
                told = {"claim": each.main.claim.short, "run": who, "metric": answer.claim.decided_by}
                bounds = {name: getattr(estimate, name) for name in ("value", "low", "high")}
                data.append(told | bounds | {"answer": answer.word, "holds": answer.holds})
    if len(handles) > 1:
        figure.legend(handles.values(), handles, loc="outside upper left", ncols=2)
    columns = ["claim", "run", "metric", "value", "low", "high", "answer", "holds"]
    return Drawn(figure, pd.DataFrame(data, columns=columns), alt, _CAPTION, hover=hover)


def _dress(axes: Axes, unit: str, rows: Sequence[Answered], degrees: bool) -> None:
    title = unit if len(unit) < 3 else f"{unit[0].upper()}{unit[1:]}"
    if any(each.main.claim.polarity != "more_than" for each in rows):
        title += "; left of 0 the comparison is better"
    axes.set_title("Degree: 0 % is the lower, 100 % the upper control" if degrees else title, weight="bold")
    axes.set_ylim(len(rows) - 0.55 if degrees else len(rows) - 0.6, -0.6)
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    axes.axvline(0, color=INK, linestyle="--", linewidth=1, zorder=1)
    share = degrees or any(each.main.estimate and each.main.estimate.unit == "share" for each in rows)
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
    if share:
        axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %".replace("-", "−"))


def _name_row(axes: Axes, place: int, answer: ClaimAnswer, degrees: bool) -> None:
    """Write name, number and answer above a row, and the names of its controls below a degree."""
    across, up, small = (
        axes.get_yaxis_transform(),
        place - (0.36 if degrees else 0.3),
        {"va": "center", "bbox": _GROUND, "zorder": 1.5},
    )
    number = "no interval" if answer.estimate else "not measured"
    if answer.estimate and answer.estimate.low is not None:
        shown = replace(answer.estimate, unit="share") if degrees else answer.estimate
        number = bounds_text(shown, decimals=0 if degrees else None)
    axes.text(0, up, answer.claim.short, transform=across, **small)
    axes.text(1, up, f"{number} · {answer.word}", transform=across, ha="right", **small)
    for where, name in enumerate(answer.claim.ends or ()):
        axes.text(where, place + 0.23, name, color=MUTED, ha="center", **small)


def _mark_beyond(axes: Axes, ends: Sequence[float], height: float) -> None:
    """Put an arrow head where an interval of a degree leaves the axis."""
    if axes.get_autoscalex_on():
        return
    left, right = axes.get_xlim()
    for end, sign, beyond in ((left, "<", ends[0] < left), (right, ">", ends[1] > right)):
        if beyond:
            axes.plot(end, height, sign, color=INK, clip_on=False)
