"""Figures of the question whether a filter detects an action unit: one filter, what chance alone reaches,
the degree of networks, and the effects of activated units.
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from book.au_verification.examine import FAMILY_ERROR
from book.au_verification.ruler import (
    GROUP_LABELS,
    IDENTITY,
    MIXTURES,
    OWN_NETWORK,
    TRAINED,
    TRAINED_ON_UNITS,
    UNTRAINED,
)
from book.au_verification.study import SPECIFICATIONS
from book.shared_figures import YOURS
from fer_lib.aus.interventions import Effects
from ferbook.page import style
from ferbook.page.forest import Axis, forest
from ferbook.page.squares import squares

BIN = 0.02
"""Of AUROC, where what chance reaches is drawn."""

_FILTERS = 1000
"""More filters than a layer has: a row of which may hold another one when the chapter is executed again."""

EFFECT_TOLERANCE = 0.5
"""How far an effect may move, in standard deviations: some are hundreds."""

_MARK_TOLERANCE = 40
"""Filters by which a mark may move: a filter's largest association may be of two nearly equal ones."""


def one_filter(with_it: np.ndarray, without: np.ndarray, name: str, unit: str, auroc: float) -> style.Drawn:
    """How the filter called ``name`` answers to pictures with a unit and without: two histograms.

    ``auroc``: how often one of ``with_it`` (n,) is larger than one of ``without`` (m,). Data: ``left``,
    ``right``, and the pictures in each bin, ``with_it`` and ``without``.
    """
    edges = np.linspace(0, max(with_it.max(), without.max()), 21)
    counts = [np.histogram(part, edges)[0] for part in (with_it, without)]
    figure, axes = plt.subplots(figsize=(style.WIDTH, 2.5))
    present, absent = (part / part.sum() for part in counts)
    axes.stairs(present, edges, fill=True, color=style.ORANGE, alpha=0.6, label=f"with {unit}")
    axes.stairs(absent, edges, color=style.BLUE, linewidth=2, label=f"without {unit}")
    figure.legend(loc="outside upper left", ncols=2)
    axes.set(xlabel=f"maximal response of {name}", ylabel="pictures")
    style.in_percent(axes.yaxis)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    text = f"{len(with_it)} pictures with {unit} (filled) and {len(without)} without (outline)"
    data = {"left": edges[:-1], "right": edges[1:], "with_it": counts[0], "without": counts[1]}
    hover = [
        style.Mark(
            axes, ends, share, f"{name} {ends[0]:.3g} to {ends[1]:.3g}: {style.percent(share)} {which}"
        )
        for which, shares in ((f"with {unit}", present), (f"without {unit}", absent))
        for ends, share in zip(pairwise(edges), shares, strict=True)
        if share
    ]
    return style.Drawn(
        figure,
        pd.DataFrame(data),
        f"Two histograms of the responses of {name}: {text}.",
        f"A picture with {unit} gets a larger response than one without in {style.percent(auroc)} of all "
        f"pairs. Responses of {name} to {text}.",
        # Another filter may be the first when the chapter is executed again.
        tolerance=dict.fromkeys(("left", "right"), float(edges[-1]))
        | dict.fromkeys(("with_it", "without"), len(without)),
        hover=hover,
    )


def null_maxima(null: Mapping[str, np.ndarray], best: np.ndarray) -> style.Drawn:
    """The largest AUROC of each shuffle of the labels, above the ``best`` of each filter (filters,), and the
    values that one shuffle in twenty passes.

    ``null``: how the labels were shuffled -> the largest of each shuffle (shuffles,), two of them. Data:
    ``left``, ``right``, and in each bin the shuffles, a column for each of ``null``, and ``filters``.
    """
    everything = np.concatenate([*null.values(), best])
    edges = np.arange(np.floor(everything.min() / BIN) * BIN, 1 + BIN, BIN).round(6)
    figure, panels = plt.subplots(2, 1, figsize=(style.WIDTH, 2.9), sharex=True)
    histograms = {name: np.histogram(values, edges)[0] for name, values in (null | {"filters": best}).items()}
    bars, hover = {name: float(np.quantile(values, 1 - FAMILY_ERROR)) for name, values in null.items()}, []
    looks = zip(histograms, (style.MUTED, style.SKY, style.ORANGE), (0, 0, 1), strict=True)
    for name, colour, panel in looks:
        look = {"color": colour, "alpha": 1 if panel else 0.75, "label": name}
        panels[panel].bar(edges[:-1], histograms[name], 0.9 * BIN, align="edge", **look)
        hover += [
            style.Mark(
                panels[panel], ends, (0, count), f"{name}: {count} from {ends[0]:.2f} to {ends[1]:.2f}"
            )
            for ends, count in zip(pairwise(edges), histograms[name], strict=True)
            if count
        ]
        for axes in panels if not panel else ():
            axes.axvline(bars[name], color=colour, linestyle="--", linewidth=1.6)
    for axes, what in zip(panels, ("shuffles", "filters"), strict=True):
        axes.set_ylabel(what)
        axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
    panels[1].set_xlabel("AUROC; dashed: passed by one shuffle in twenty")
    phrases = [
        f"{bar:.2f} ({name}; {style.percent(float((best <= bar).mean()))} of the filters lie below)"
        for name, bar in bars.items()
    ]
    return style.Drawn(
        figure,
        pd.DataFrame({"left": edges[:-1], "right": edges[1:], **histograms}),
        f"Histograms over AUROC: the largest of each shuffle of the labels, {style.listing([*null])}, "
        f"and below the best of each of {len(best)} filters. Dashed lines: {style.listing(phrases)}.",
        f"The largest AUROC of one shuffle in twenty is above {style.listing(phrases)}. Above, the largest "
        "of each shuffle of the labels; below, that of each filter with the true labels. The test first "
        "compares each pair of filter and unit with its own shuffles, which is not drawn.",
        tolerance=dict.fromkeys(("left", "right"), 0.1) | dict.fromkeys(histograms, _FILTERS),
        hover=hover,
    )


def _two_digits(number: float) -> str:
    return f"{number:z.2f}".replace("-", "−")


def networks(table: pd.DataFrame, *, reference: pd.DataFrame | None = None) -> style.Drawn:
    """Confirmed filters beyond chance of every kind of networks on one axis: both controls, the networks that
    are measured, and other reference points, which decide nothing.

    ``table``: of ``study.marks_table``; of the ``reference`` those that this run has, too, are above it.
    Data: the same, with a column ``run``.
    """
    parts = {"": table}
    if reference is not None and set(table) <= set(reference):
        parts = {"reference": reference[reference["population"].isin(table["population"])], YOURS: table}
    data = pd.concat([part.assign(run=run) for run, part in parts.items()], ignore_index=True)
    rows = data.rename(columns={"population": "label", "run": "group"})
    means = rows.drop_duplicates(["group", "label"]).assign(value=lambda part: part["mean"])
    places = means["place"]
    means["note"] = [_two_digits(place) if pd.notna(place) else "" for place in places]
    means["main"] = means["label"].isin((GROUP_LABELS[TRAINED], GROUP_LABELS[OWN_NETWORK]))
    first = means[means["group"].eq(next(iter(parts)))].set_index("label")["value"]
    ends = [f"{label} {first[label]:z.1f}".replace("-", "−") for label in _RULER if label in first]
    return forest(
        means[["group", "label", "value", "low", "high", "main", "note"]],
        measured="confirmed filters beyond chance",
        axis=Axis("filters", null=0, null_name="chance"),
        singles=rows[["group", "label", "value"]],
        noted="degree" if places.notna().any() else "",
        alt="Dots with intervals, a row per kind of networks: the mean number of filters that are "
        "assigned to a unit and confirmed, minus what chance gives; each network is a small dot below.",
        caption=f"Confirmed filters beyond chance: {style.listing(ends)}. Small dots are networks, large "
        "dots their means with 95 % intervals over networks and people. The degree is 0 at untrained "
        "networks and 1 at networks trained on units; structure, recipe and pictures are the same.",
        tolerance=dict.fromkeys(table.columns[1:], _MARK_TOLERANCE) | {"seed": 0},
        data=data,
    )


def filter_squares(counts: pd.DataFrame) -> style.Drawn:
    """A square for each filter of one network of each kind. ``counts``: of ``study.squares_table``."""
    confirmed = counts.iloc[:, 0]
    text = style.listing([f"{name} {count}" for name, count in confirmed.items()])
    return squares(
        counts,
        alt="Squares, one for each filter of one network of each kind.",
        caption="Each square is a filter: filled if it is assigned to a unit and responds most to that unit "
        f"when it alone is activated. Confirmed in one network of each kind: {text}; averages over all "
        "networks differ a little.",
        tolerance=_FILTERS,
    )


def specification_curve(table: pd.DataFrame) -> style.Drawn:
    """The title's degree by every specification of ``study.specification_table``, in ascending order, above
    the choices of each. Data: the same.
    """
    ordered = table.sort_values("degree", kind="stable", ignore_index=True)
    options = [(name, option) for name in SPECIFICATIONS for option in SPECIFICATIONS[name]]
    first = [ordered[name].eq(choices[0]) for name, choices in SPECIFICATIONS.items()]
    deciding = int(np.logical_and.reduce(first).argmax())
    figure, (above, below) = plt.subplots(2, 1, figsize=(style.WIDTH, 4.6), sharex=True, height_ratios=(1, 1))
    places = np.arange(len(ordered))
    above.vlines(places, ordered["low"], ordered["high"], color=style.MUTED, linewidth=1)
    above.plot(places, ordered["degree"], "o", color=style.BLUE, markersize=4)
    above.plot(deciding, ordered["degree"][deciding], "o", color=style.VERMILION, markersize=7)
    above.set_ylabel("degree")
    above.set_ylim(0, max(1.05, 1.05 * ordered[["degree", "high"]].max().max()))
    for down, (name, option) in enumerate(options):
        chosen = places[ordered[name].eq(option)]
        below.plot(chosen, np.full(len(chosen), down), "s", color=style.INK, markersize=3)
    below.set_yticks(range(len(options)), [option for _, option in options], fontsize=style.SMALLEST)
    below.set(xticks=[], ylim=(len(options) - 0.5, -0.5))
    below.set_xlabel("specifications, by degree")
    least, most = ordered["degree"].min(), ordered["degree"].max()
    answered = ordered[ordered["answer"].ne("")]
    words = [f"{count} answer {word}" for word, count in answered["answer"].value_counts().items()]
    hover = [
        style.Mark(
            above, place, row["degree"], f"{row['degree']:.2f}: " + ", ".join(row[n] for n in SPECIFICATIONS)
        )
        for place, row in ordered.iterrows()
    ]
    return style.Drawn(
        figure,
        ordered,
        f"Dots: the degree by each of {len(ordered)} specifications, ascending from {_two_digits(least)} to "
        f"{_two_digits(most)}; squares below name the choices of each.",
        f"The degree lies between {_two_digits(least)} and {_two_digits(most)} in all {len(ordered)} "
        f"specifications; red is the deciding one, {_two_digits(ordered['degree'][deciding])}. Of the "
        f"{len(answered)} with an interval {style.listing(words)}. Squares show the choices of each; a dot "
        "without a line has no interval.",
        tolerance={
            name: 0.5 if name in ("degree", "low", "high") else _FILTERS
            for name in ordered.columns[len(SPECIFICATIONS) : -1]
        },
        hover=hover,
    )


_RULER = tuple(GROUP_LABELS[group] for group in (UNTRAINED, IDENTITY, MIXTURES, TRAINED, TRAINED_ON_UNITS))


def agreement(table: pd.DataFrame) -> style.Drawn:
    """In what proportion of the filters each measure names the unit that moves them most. ``table``: of
    ``study.agreement_table``. Data: the same.
    """
    own = table[table["series"].eq(GROUP_LABELS[TRAINED])].set_index("measure")["value"]
    return forest(
        table.rename(columns={"measure": "label"}),
        measured="filters that respond most to the unit with the largest distance",
        axis=Axis(limits=(0, None)),
        alt="Dots with intervals per measure: the proportion of filters that respond most to the unit "
        "with the largest distance.",
        caption="Whichever distance is used, the unit with the largest one is the unit to which the filter "
        f"responds most in at most {style.percent(own.max())} of the filters of networks trained on "
        "emotions. 95 % intervals over networks and people.",
        tolerance=dict.fromkeys(("value", "low", "high"), 0.15),
        data=table,
    )


def dose_response(effects: Effects, pairs: pd.DataFrame) -> style.Drawn:
    """Effect by intensity: for each filter of ``pairs``, at most six, its claimed unit as a line with its
    interval, the other units as thin grey lines.

    ``pairs``: of ``study.showcase``. Data: a row per filter, AU and level (0 to 1), ``filter``, ``au``,
    ``level``, ``effect``, ``low``, ``high`` (standard deviations), ``claimed``.
    """
    data = effect_table(effects, pairs)
    figure, panels = _small_panels(len(pairs))
    phrases, hover, first = [], [], 0
    for axes, (number, part) in zip(panels, data.groupby("filter", sort=False), strict=True):
        full = part[part["level"].eq(part["level"].max())].set_index("au")["effect"]
        for au, curve in part.groupby("au", sort=False):
            level, effect, low, high = ([0, *curve[name]] for name in ("level", "effect", "low", "high"))
            if not curve["claimed"].any():
                axes.plot(level, effect, color=style.RULE, linewidth=0.9, zorder=1)
                if au == full.idxmax():
                    axes.plot(level[-1:], effect[-1:], "s", color=style.MUTED, markersize=4)
                    words = f"filter {number}, {au}: {effect[-1]:+.1f} sd, the largest of the others"
                    hover.append(style.Mark(axes, level[-1], effect[-1], words))
                continue
            axes.fill_between(level, low, high, color=style.VERMILION, alpha=0.25, linewidth=0)
            axes.plot(level, effect, color=style.VERMILION)
            axes.plot(level[1:], effect[1:], "o", color=style.VERMILION, markersize=5)
            for x, y, *ends in list(zip(level, effect, low, high, strict=True))[1:]:
                words = f"filter {number}, {au} at {x:g}: {y:+.1f} sd ({ends[0]:+.1f} to {ends[1]:+.1f})"
                hover.append(style.Mark(axes, x, y, words))
            axes.set_title(f"{number}, {au}", fontsize=style.SMALLEST)
            first += au == full.idxmax()
            phrases.append(f"filter {number} and {au} {effect[-1]:+.1f} ({low[-1]:+.1f} to {high[-1]:+.1f})")
        axes.axhline(0, color=style.MUTED, linewidth=0.8)
        axes.yaxis.set_major_locator(MaxNLocator(3))
        axes.set_xticks((0, 1))
    marks = (
        {"color": style.VERMILION, "marker": "o", "label": "assigned unit"},
        {"color": style.RULE, "label": "other units"},
        {"color": style.MUTED, "marker": "s", "linestyle": "none", "label": "raises the response more"},
    )
    figure.legend(handles=[Line2D([], [], **mark) for mark in marks], loc="outside upper left", ncols=3)
    figure.supxlabel("intensity of the unit", fontsize=style.SMALLEST)
    figure.supylabel("effect (sd)", fontsize=style.SMALLEST)
    alt = (
        f"Line charts of {len(panels)} filters: the effect of the assigned unit, with "
        "its interval, over its intensity, and those of the other units in grey. At the highest intensity: "
        f"{style.listing(phrases)}."
    )
    caption = (
        f"At full intensity the assigned unit raises the response most in {first} of {len(panels)} filters. "
        "Change of the response when one unit alone is activated, by its intensity, in standard deviations: "
        "the assigned unit (red, 95 % interval over people) and the others (grey; a square marks one that "
        "raises it more)."
    )
    moves = dict.fromkeys(("effect", "low", "high"), EFFECT_TOLERANCE) | {"filter": _FILTERS}
    return style.Drawn(figure, data, alt, caption, tolerance=moves, hover=hover)


def _small_panels(count: int) -> tuple[Figure, list[Axes]]:
    """A figure of one to six axes, three side by side; those of an incomplete row are empty."""
    columns = min(3, count)
    rows = -(-count // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(style.WIDTH, 0.6 + 1.6 * rows), squeeze=False, sharex=True
    )
    for place, axes in enumerate(grid.flat):
        axes.tick_params(labelsize=style.SMALLEST)
        axes.set(visible=place < count)
    return figure, list(grid.flat[:count])


def effect_table(effects: Effects, pairs: pd.DataFrame) -> pd.DataFrame:
    """Effects on the filters of ``pairs``, a row per filter, AU and level: ``effect``, ``low``, ``high``,
    ``claimed``.
    """
    filters, aus = pairs["filter"].to_numpy(), np.array(effects.aus, dtype=object)
    shape = (len(filters), len(aus), len(effects.levels))
    columns = {
        "filter": filters[:, None, None],
        "au": aus[None, :, None],
        "level": np.array(effects.levels),
        "effect": effects.effect[filters],
        "low": effects.low[filters],
        "high": effects.high[filters],
        "claimed": (aus == pairs["au"].to_numpy(dtype=object)[:, None])[:, :, None],
    }
    return pd.DataFrame({name: np.broadcast_to(column, shape).ravel() for name, column in columns.items()})
