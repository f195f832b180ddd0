"""Figures of the question whether a filter detects an action unit: what the papers show, and what is left of
it.

Figures of what switching does: an action unit on a face, a filter in a network.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ferbook.page.pictures import picture_grid, show, thumbnail
from ferbook.page.style import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    RULE,
    SKY,
    VERMILION,
    WIDTH,
    Drawn,
    FigureError,
    listing,
    percent,
    require_columns,
)

ROUNDED = 4
"""Digits after the point of values in wide tables."""


def divergence_map(table: pd.DataFrame, label: str) -> Drawn:
    """The papers' result: the association of some filters with every action unit, the largest of each row
    framed.

    ``table``: a row per filter and AU, filters in the order to be shown: ``filter``, ``au``, ``estimate``
    (NaN: too few people), ``stability`` (of the filter's mapping, a share). ``label`` says what the estimate
    is. Data: a row per filter, ``named``, ``stability`` and a column per AU.
    """
    require_columns(table, ["filter", "au", "estimate", "stability"])
    wide = table.pivot(index="filter", columns="au", values="estimate")
    wide = wide.loc[table["filter"].unique(), [au for au in table["au"].unique() if wide[au].notna().any()]]
    if wide.isna().any(axis=None):
        raise FigureError("every filter to be drawn needs an estimate for the same action units")
    stability = table.drop_duplicates("filter").set_index("filter")["stability"]
    named = wide.idxmax(axis=1)
    figure, axes = plt.subplots(figsize=(WIDTH, 1.3 + 0.27 * len(wide)))
    image = axes.imshow(wide, cmap="Blues", vmin=0, vmax=float(wide.max(axis=None)) or 1.0, aspect="auto")
    for row, au in enumerate(named):
        column = wide.columns.get_loc(au)
        axes.add_patch(
            Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=VERMILION, linewidth=1.8)
        )
        axes.text(
            1.02,
            row,
            f"{100 * stability.iloc[row]:.0f} %",
            va="center",
            fontsize=8,
            transform=axes.get_yaxis_transform(),
        )
    axes.text(1.02, -0.7, "stable", fontsize=8, va="bottom", transform=axes.get_yaxis_transform())
    axes.set_xticks(range(wide.shape[1]), [au.removeprefix("AU") for au in wide], fontsize=8)
    axes.set_yticks(range(len(wide)), wide.index, fontsize=8)
    axes.set(xlabel="action unit", ylabel="filter, the strongest first")
    axes.tick_params(length=0)
    figure.colorbar(image, ax=axes, label=label, orientation="horizontal", shrink=0.5, aspect=35)
    data = wide.round(ROUNDED).rename_axis(columns=None).reset_index()
    data.insert(1, "named", named.to_numpy())
    data.insert(2, "stability", stability.to_numpy())
    told = [
        f"filter {number}: {au} ({wide.loc[number, au]:.2f}, the same in {percent(stability[number])} of "
        "the resamples)"
        for number, au in named.items()
    ]
    alt = (
        f"Heat map of {len(wide)} filters by {wide.shape[1]} action units; darker is a larger {label}. The "
        "largest of each row is framed: "
        f"{listing(told)}."
    )
    return figure, data, alt


def response_histograms(tables: dict[tuple[int, str], pd.DataFrame]) -> Drawn:
    """How filters answer with and without the AU that the papers' rule names, as Khorrami et al. 2015 show
    it.

    ``tables``: (filter, AU) to what ``aus.association.histograms`` gives; at most six. Data: its columns with
    ``filter`` and ``au``.
    """
    if not 1 <= len(tables) <= 6:
        raise FigureError(f"{len(tables)} filters: give from 1 to 6")
    for table in tables.values():
        require_columns(table, ["left", "right", "present", "absent", "divergence"])
    columns = min(3, len(tables))
    rows = -(-len(tables) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(WIDTH, 0.6 + 1.7 * rows), squeeze=False)
    for axes, ((number, au), table) in zip(grid.flat, tables.items(), strict=False):
        edges = [*table["left"], table["right"].iloc[-1]]
        axes.stairs(table["absent"], edges, fill=True, color=RULE, label="absent")
        axes.stairs(table["present"], edges, color=VERMILION, linewidth=1.8, label="present")
        axes.set_title(f"filter {number}, {au}", fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        axes.tick_params(labelsize=8)
    for axes in list(grid.flat)[len(tables) :]:
        axes.set_axis_off()
    figure.supxlabel("maximal response", fontsize=9)
    figure.supylabel("share of the pictures", fontsize=9)
    figure.legend(
        *grid[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=2, title="the unit is"
    )
    data = pd.concat(
        [table.assign(filter=number, au=au) for (number, au), table in tables.items()], ignore_index=True
    ).round(ROUNDED)
    told = [
        f"filter {number} and {au}, divergence {table['divergence'].sum():.2f} nats"
        for (number, au), table in tables.items()
    ]
    alt = (
        f"{len(tables)} pairs of histograms of a filter's maximal response, over pictures with the unit as "
        "a line and over pictures without it as grey "
        f"bars: {listing(told)}."
    )
    return figure, data, alt


def strongest_associations(table: pd.DataFrame, label: str) -> Drawn:
    """The strongest association of each channel, whatever the unit: the trained layer beside layers that
    learned nothing of emotions.

    ``table``: a row per channel: ``source`` (in the order to be shown, the trained one first), ``estimate``.
    ``label`` says what the estimate is. Data: a row per source, ``channels``, ``q05``, ``q25``, ``median``,
    ``q75``, ``q95``, ``largest``.
    """
    require_columns(table, ["source", "estimate"])
    shares = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95, "largest": 1.0}
    groups = table.groupby("source", sort=False)["estimate"]
    data = pd.DataFrame(
        {"channels": groups.size(), **{name: groups.quantile(share) for name, share in shares.items()}}
    ).reset_index()
    place = np.arange(len(data))
    figure, axes = plt.subplots(figsize=(WIDTH, 1.0 + 0.3 * len(data)))
    colours = [VERMILION if row == 0 else BLUE for row in place]
    axes.hlines(place, data["q05"], data["q95"], color=colours, linewidth=1.4)
    axes.hlines(place, data["q25"], data["q75"], color=colours, linewidth=6)
    axes.plot(data["median"], place, "o", color="white", markeredgecolor=INK, markersize=6, linestyle="none")
    axes.plot(data["largest"], place, "|", color=INK, markersize=9, markeredgewidth=1.6, linestyle="none")
    axes.set_yticks(place, [f"{row.source} ({row.channels})" for row in data.itertuples()])
    axes.invert_yaxis()
    axes.set(xlabel=f"{label} with the unit it goes with most")
    axes.set_xlim(left=min(0, data["q05"].min()))
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    told = [f"{row.source} {row.median:.2f} (largest {row.largest:.2f})" for row in data.itertuples()]
    alt = (
        "A line of dots per source of channels: median, quartiles, 5th to 95th percentile and largest "
        f"value of each channel's strongest {label}. "
        f"Medians: {listing(told)}."
    )
    return figure, data, alt


def survivor_panels(
    aus: Sequence[str], observed: np.ndarray, overall: np.ndarray, within: np.ndarray, label: str
) -> Drawn:
    """All filters by all units three times: every association, what survives the null, what survives it
    within emotions.

    ``observed`` (K, A), NaN for units of too few people; ``overall``, ``within`` bool (K, A). Filters stand
    in the same order in all three: by the unit with which they go most. Data: a row per filter, ``strongest``
    (its unit), ``overall`` and ``within`` (the units that survive, blanks between), and a column per AU.
    Raises FigureError for other shapes.
    """
    observed = np.asarray(observed, np.float64)
    if not observed.shape == overall.shape == within.shape == (len(observed), len(aus)) or not len(observed):
        raise FigureError(
            f"associations {observed.shape}, survivors {overall.shape} and {within.shape} for {len(aus)} "
            "units do not fit"
        )
    scored = ~np.isnan(observed).any(axis=0)
    names = [au for au, kept in zip(aus, scored, strict=True) if kept]
    if not names:
        raise FigureError("no unit was scored: there is nothing to draw")
    values, marks = observed[:, scored], (overall[:, scored], within[:, scored])
    strongest = values.argmax(axis=1)
    order = np.lexsort((-values.max(axis=1), strongest))
    panels = {
        "every association": np.ones(values.shape, bool),
        f"survives the null ({marks[0].any(axis=1).sum()} filters)": marks[0],
        f"survives it within emotions ({marks[1].any(axis=1).sum()} filters)": marks[1],
    }
    figure, grid = plt.subplots(3, 1, figsize=(WIDTH, 0.9 + 3 * (0.35 + 0.105 * len(names))), sharex=True)
    for axes, (title, kept) in zip(grid, panels.items(), strict=True):
        shown = np.where(kept, values, np.nan)[order].T
        axes.set_facecolor("#F2F2F2")
        image = axes.imshow(shown, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_title(title, fontsize=10)
        axes.set_yticks(range(len(names)), [au.removeprefix("AU") for au in names], fontsize=6)
        axes.tick_params(axis="y", length=0)
    grid[1].set_ylabel("action unit")
    grid[-1].set_xlabel("filters, in the order of their strongest unit")
    grid[-1].set_xticks([])
    figure.colorbar(image, ax=grid, label=f"{label}, where above 0", shrink=0.5, aspect=30)
    data = pd.DataFrame({"filter": np.arange(len(values)), "strongest": np.array(names)[strongest]})
    for name, marked in zip(("overall", "within"), marks, strict=True):
        data[name] = [" ".join(np.array(names)[row]) for row in marked]
    data = pd.concat([data, pd.DataFrame(values, columns=names).round(ROUNDED)], axis=1)
    per_unit = pd.Series(marks[1].sum(axis=0), index=names).sort_values(ascending=False, kind="stable")
    most = [f"{au} ({count} filters)" for au, count in per_unit.head(3).items() if count]
    alt = (
        f"Three heat maps of {len(names)} action units by {len(values)} filters. The first shows every "
        "association above 0. In the second "
        f"{marks[0].sum()} pairs of {marks[0].any(axis=1).sum()} filters are left, in the third, within "
        f"emotions, {marks[1].sum()} pairs of "
        f"{marks[1].any(axis=1).sum()} filters" + (f"; most for {listing(most)}." if most else ".")
    )
    return figure, data.iloc[order].reset_index(drop=True), alt


def criteria_panels(table: pd.DataFrame) -> Drawn:
    """How many channels of each source meet each criterion: the trained layer in one colour, whatever stands
    beside it in another.

    ``table``: a row per network (or bank of filters) and criterion: ``source`` (several untrained networks
    share one name), ``criterion``, ``share`` of the channels, ``count``, ``channels``; in the order to be
    shown, the trained source first. Data: these columns.
    """
    columns = ["source", "criterion", "share", "count", "channels"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    criteria, sources = list(data["criterion"].unique()), list(data["source"].unique())
    figure, grid = plt.subplots(
        1, len(criteria), figsize=(WIDTH, 1.5 + 0.3 * len(sources)), sharey=True, squeeze=False
    )
    for axes, criterion in zip(grid.flat, criteria, strict=True):
        part = data[data["criterion"].eq(criterion)]
        for place, source in enumerate(sources):
            own = part.loc[part["source"].eq(source), "share"]
            style = {"color": VERMILION, "marker": "D"} if place == 0 else {"color": BLUE, "marker": "o"}
            axes.plot(own, [place] * len(own), linestyle="none", markersize=6, alpha=0.75, **style)
        axes.set_title("\n".join(_wrapped(criterion)), fontsize=8.5)
        axes.set(xlim=(-0.06, 1.06))
        axes.set_xticks((0, 0.5, 1), ("0", "50", "100"), fontsize=8)
        axes.grid(axis="both")
        axes.tick_params(axis="y", length=0)
    grid[0, 0].set_yticks(range(len(sources)), sources)
    grid[0, 0].invert_yaxis()
    figure.supxlabel("share of the channels (%)", fontsize=9)
    told = []
    for criterion in criteria:
        part = data[data["criterion"].eq(criterion)]
        means = part.groupby("source", sort=False)["share"].mean()
        told.append(f"{criterion}: " + ", ".join(f"{name} {percent(value)}" for name, value in means.items()))
    return (
        figure,
        data,
        f"Dots in {len(criteria)} panels, one per criterion: the share of channels that meet it. "
        f"{'. '.join(told)}.",
    )


def _wrapped(text: str, width: int = 14) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def unit_counts(table: pd.DataFrame, label: str) -> Drawn:
    """How many filters each unit has: the trained layer beside the untrained ones, of which the dot is the
    mean and the line the range.

    ``table``: a row per ``bank`` and ``au``: ``source`` (``trained`` or ``untrained``), ``count``. ``label``
    says what a filter has to do to be counted. Data: a row per AU, ``trained``, ``untrained`` (mean),
    ``least``, ``most``.
    """
    require_columns(table, ["source", "bank", "au", "count"])
    trained, others = (table[table["source"].eq(source)] for source in ("trained", "untrained"))
    if trained.empty or others.empty:
        raise FigureError("counts of the trained layer and of at least one untrained network are needed")
    data = trained.set_index("au")["count"].rename("trained").to_frame()
    by_unit = others.groupby("au")["count"]
    data = data.assign(untrained=by_unit.mean(), least=by_unit.min(), most=by_unit.max()).reset_index()
    place = np.arange(len(data))
    figure, axes = plt.subplots(figsize=(WIDTH, 2.7))
    axes.vlines(place + 0.16, data["least"], data["most"], color=BLUE, linewidth=1.6)
    axes.plot(
        place + 0.16, data["untrained"], "o", color=BLUE, markersize=5.5, label="untrained (mean and range)"
    )
    axes.plot(place - 0.16, data["trained"], "D", color=VERMILION, markersize=6, label="trained")
    axes.set_xticks(place, [au.removeprefix("AU") for au in data["au"]], fontsize=8.5)
    axes.set(xlabel="action unit", ylabel=label, ylim=(-0.04 * max(1, data["most"].max()), None))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.grid(axis="y")
    axes.tick_params(axis="x", length=0)
    figure.legend(loc="outside upper left", ncols=2)
    told = [f"{row.au} {row.trained} and {row.untrained:.1f}" for row in data.itertuples()]
    served = int(data["trained"].gt(0).sum()), int(data["untrained"].gt(0).sum())
    alt = (
        f"Dots per action unit: {label}, of the trained layer and as the mean of {others['bank'].nunique()} "
        f"untrained ones. {served[0]} of {len(data)} units have a filter in the "
        f"trained layer, {served[1]} in any untrained one: {listing(told)}."
    )
    return figure, data, alt


def agreement_dots(table: pd.DataFrame) -> Drawn:
    """How often each measure names the unit that moves a filter most, with its interval and with what random
    names would reach.

    ``table``: a row per ``measure`` and ``filters`` (which filters are meant): ``share``, ``low``, ``high``,
    ``chance``, ``near`` (same or a pair on the same skin), ``n``. Data: these columns.
    """
    columns = ["measure", "filters", "share", "low", "high", "chance", "near", "n"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    groups = list(data["filters"].unique())
    measures = list(data["measure"].unique())
    figure, axes = plt.subplots(figsize=(WIDTH, 1.2 + 0.22 * len(measures) * len(groups)))
    styles = [(VERMILION, "D"), (BLUE, "o"), (ORANGE, "s")]
    gap = 0.7 / len(groups)
    for number, group in enumerate(groups):
        part = data[data["filters"].eq(group)]
        place = np.array([measures.index(measure) for measure in part["measure"]]) + gap * (
            number - (len(groups) - 1) / 2
        )
        colour, marker = styles[number % len(styles)]
        axes.hlines(place, part["low"], part["high"], color=colour, linewidth=1.8)
        axes.plot(part["share"], place, marker, color=colour, label=group, markersize=6, linestyle="none")
        axes.plot(part["chance"], place, "|", color=INK, markersize=9, markeredgewidth=1.6, linestyle="none")
    axes.plot(
        [],
        [],
        "|",
        color=INK,
        markersize=9,
        markeredgewidth=1.6,
        linestyle="none",
        label="names dealt at random",
    )
    axes.set_yticks(range(len(measures)), [measure.replace("_", " ") for measure in measures])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="filters whose named unit is the causal one, with 95 % interval")
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    figure.legend(loc="outside upper left", ncols=2)
    told = [
        f"{row.measure.replace('_', ' ')}, {row.filters}: {percent(row.share)} "
        f"({100 * row.low:.0f}–{100 * row.high:.0f}; by chance {percent(row.chance)})"
        for row in data.itertuples()
    ]
    return (
        figure,
        data,
        "Dots with intervals: the share of filters for which a measure names the causal unit. "
        f"{listing(told)}.",
    )


def calibration(table: pd.DataFrame) -> Drawn:
    """Do the tests and intervals keep their promise? Error rates and coverage in simulations where the truth
    is known.

    ``table``: a row per check: ``panel`` (a title, such as ``family-wise error``), ``what``, ``rate``,
    ``low``, ``high`` (binomial interval), ``promised``, ``simulations``. Data: these columns.
    """
    columns = ["panel", "what", "rate", "low", "high", "promised", "simulations"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    panels = list(data["panel"].unique())
    most = int(data.groupby("panel").size().max())
    figure, grid = plt.subplots(1, len(panels), figsize=(WIDTH, 1.1 + 0.28 * most), squeeze=False)
    for axes, panel in zip(grid.flat, panels, strict=True):
        part = data[data["panel"].eq(panel)].reset_index(drop=True)
        axes.axvline(part["promised"].iloc[0], color=INK, linestyle="--", linewidth=1.2)
        axes.hlines(part.index, part["low"], part["high"], color=BLUE)
        axes.plot(part["rate"], part.index, "o", color=BLUE, markersize=5)
        axes.set_yticks(part.index, part["what"], fontsize=8)
        axes.set(title=panel, ylim=(len(part) - 0.5, -0.5), xlabel="share of simulations")
        axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
    told = [
        f"{row.panel}, {row.what}: {percent(row.rate)} ({100 * row.low:.1f}–{100 * row.high:.1f}), promised "
        f"{percent(row.promised)}"
        for row in data.itertuples()
    ]
    return figure, data, f"Dots with binomial intervals, a dashed line at what is promised. {listing(told)}."


def planted_curves(table: pd.DataFrame, along: str, label: str) -> Drawn:
    """Precision and recall of planted detectors by measure, one panel per rule and score, along ``along`` (a
    column of ``table``, on a log axis).

    ``table``: a row per ``measure``, ``rule`` and value of ``along``: ``precision``, ``recall`` (shares; NaN
    where nothing is claimed). Data: these columns.
    """
    columns = ["measure", "rule", along, "precision", "recall"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    rules, measures = list(data["rule"].unique()), list(data["measure"].unique())
    styles = dict(
        zip(
            measures,
            [
                (BLUE, "o", "-"),
                (VERMILION, "s", "--"),
                (ORANGE, "^", "-."),
                (INK, "D", ":"),
                (SKY, "v", "-"),
                (MUTED, "x", "--"),
            ],
            strict=False,
        )
    )
    figure, grid = plt.subplots(2, len(rules), figsize=(WIDTH, 4.0), sharex=True, sharey=True, squeeze=False)
    for column, rule in enumerate(rules):
        for row, score in enumerate(("precision", "recall")):
            axes = grid[row, column]
            for measure in measures:
                part = data[data["rule"].eq(rule) & data["measure"].eq(measure)].sort_values(along)
                colour, marker, line = styles[measure]
                axes.plot(
                    part[along],
                    part[score],
                    color=colour,
                    marker=marker,
                    linestyle=line,
                    linewidth=1.4,
                    markersize=4.5,
                    label=measure.replace("_", " "),
                )
            axes.set(xscale="log", ylim=(-0.04, 1.04))
            axes.set_xticks(
                sorted(data[along].unique()),
                [f"{value:g}" for value in sorted(data[along].unique())],
                fontsize=8,
            )
            axes.minorticks_off()
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
            axes.grid(axis="y")
            if row == 0:
                axes.set_title(rule.replace("_", " "), fontsize=9)
        grid[1, column].set_xlabel(label, fontsize=8.5)
    for row, score in enumerate(("precision", "recall")):
        grid[row, 0].set_ylabel(score)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    far = data[data[along].eq(data[along].max())]
    told = [
        f"{row.measure.replace('_', ' ')} by {row.rule.replace('_', ' ')}: "
        + ("no claim" if pd.isna(row.precision) else f"precision {percent(row.precision)}")
        + f", recall {percent(row.recall)}"
        for row in far.itertuples()
    ]
    alt = f"Lines of precision (above) and recall (below) along {label}, a column of panels for each of {len(rules)} rules. At {far[along].iloc[0]:g}: {listing(told)}."
    return figure, data, alt


def effect_map(table: pd.DataFrame) -> Drawn:
    """What each unit does to each of some filters, in standard deviations of the filter's response to neutral
    faces.

    ``table``: a row per filter and AU, filters in the order to be shown: ``filter``, ``au``, ``effect``,
    ``survives`` (bool: the effect stands at the family-wise level), ``claimed`` (bool: the association's
    unit). Framed: the claimed unit; plus and minus: effects that stand. Data: these columns.
    """
    columns = ["filter", "au", "effect", "survives", "claimed"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    filters, aus = list(data["filter"].unique()), list(data["au"].unique())
    if len(data) != len(filters) * len(aus):
        raise FigureError(
            f"{len(data)} rows for {len(filters)} filters and {len(aus)} units; give each pair once"
        )
    wide = data.pivot(index="filter", columns="au", values="effect").loc[filters, aus]
    reach = float(np.abs(wide.to_numpy()).max()) or 1.0
    figure, axes = plt.subplots(figsize=(WIDTH, 1.4 + 0.27 * len(filters)))
    # Effects span three orders of magnitude: a straight scale would show the largest alone.
    norm = SymLogNorm(linthresh=1, vmin=-reach, vmax=reach, base=10)
    image = axes.imshow(wide, cmap="RdBu_r", norm=norm, aspect="auto")
    for row in data.itertuples():
        x, y = aus.index(row.au), filters.index(row.filter)
        if row.survives:
            bright = abs(norm(row.effect) - 0.5) > 0.3
            # The sign in the mark too: red and blue are one grey in print.
            mark = "+" if row.effect > 0 else "_"
            axes.plot(x, y, mark, color="white" if bright else INK, markersize=4.5, markeredgewidth=1)
        if row.claimed:
            axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor=INK, linewidth=1.8))
    axes.set_xticks(range(len(aus)), [au.removeprefix("AU") for au in aus], fontsize=8)
    axes.set_yticks(range(len(filters)), filters, fontsize=8)
    axes.set(xlabel="action unit switched on", ylabel="filter")
    axes.tick_params(length=0)
    bar = figure.colorbar(image, ax=axes, orientation="horizontal", shrink=0.6, aspect=35)
    bar.set_label("effect (sd of the filter over neutral faces)")
    ticks = [tick for tick in (-100, -10, -1, 0, 1, 10, 100) if abs(tick) <= reach]
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    bar.ax.minorticks_off()
    largest = data.loc[data.groupby("filter", sort=False)["effect"].idxmax()]
    told = [f"filter {row.filter} by {row.au} ({row.effect:+.1f})" for row in largest.itertuples()]
    same = int(largest["claimed"].sum())
    alt = (
        f"Heat map of {len(filters)} filters by {len(aus)} units: red where switching the unit on raises "
        "the response, blue where it lowers it, a plus or a minus where the "
        f"effect stands. Raised most: {listing(told)}. For {same} of {len(filters)} it is the framed unit, "
        "the one that the association names."
    )
    return figure, data, alt


def dose_response(table: pd.DataFrame) -> Drawn:
    """Effect by intensity: for each filter its claimed unit as a line with its interval, the other units as
    thin grey lines.

    ``table``: a row per ``filter``, ``au`` and ``level`` (0 to 1): ``effect``, ``low``, ``high`` (sd),
    ``claimed`` (bool), at most six filters. Data: these columns.
    """
    columns = ["filter", "au", "level", "effect", "low", "high", "claimed"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    filters = list(data["filter"].unique())
    if len(filters) > 6:
        raise FigureError(f"{len(filters)} filters: at most 6 can be read side by side")
    across = min(3, len(filters))
    rows = -(-len(filters) // across)
    figure, grid = plt.subplots(rows, across, figsize=(WIDTH, 0.5 + 1.75 * rows), sharex=True, squeeze=False)
    told = []
    for axes, number in zip(grid.flat, filters, strict=False):
        part = data[data["filter"].eq(number)]
        for au, curve in part.groupby("au", sort=False):
            if not curve["claimed"].any():
                axes.plot([0, *curve["level"]], [0, *curve["effect"]], color=RULE, linewidth=0.9, zorder=1)
                continue
            axes.fill_between(
                [0, *curve["level"]],
                [0, *curve["low"]],
                [0, *curve["high"]],
                color=VERMILION,
                alpha=0.25,
                linewidth=0,
            )
            axes.plot([0, *curve["level"]], [0, *curve["effect"]], "o-", color=VERMILION, markersize=4)
            axes.set_title(f"filter {number}, {au}", fontsize=9)
            last = curve.iloc[-1]
            told.append(f"filter {number} and {au} {last.effect:+.1f} ({last.low:+.1f} to {last.high:+.1f})")
        axes.axhline(0, color=MUTED, linewidth=0.8)
        axes.tick_params(labelsize=8)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.set_xticks((0, 0.5, 1))
    for axes in list(grid.flat)[len(filters) :]:
        axes.set_axis_off()
    figure.supxlabel("intensity of the unit", fontsize=9)
    figure.supylabel("effect (sd)", fontsize=9)
    alt = (
        f"Line charts of {len(filters)} filters: the effect of the unit that the association names, with "
        "its interval, over its intensity, and those of the other units in grey. At "
        f"the highest intensity: {listing(told)}."
    )
    return figure, data, alt


def filter_gallery(
    table: pd.DataFrame, faces: np.ndarray | None, projections: np.ndarray, differences: np.ndarray | None
) -> Drawn:
    """What drives some filters: their top faces, the deconvolutions of these, and what switching the claimed
    unit changes.

    ``table``: a row per filter and top picture, ``filter``, ``au``, ``picture``, ``response``, filters in the
    order to be shown with equally many pictures each; ``faces`` uint8 (rows, H, W), None where they may not
    be shown: then the projections' mean alone stands for each filter; ``projections`` float (rows, H, W),
    signed; ``differences`` float (filters, H, W): picture with the unit on less that with it off, None to
    leave it out. Data: these columns.
    """
    columns = ["filter", "au", "picture", "response"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    filters = list(data["filter"].unique())
    top = len(data) // len(filters)
    if len(data) != top * len(filters) or len(projections) != len(data):
        raise FigureError(
            f"{len(data)} rows and {len(projections)} projections for {len(filters)} filters do not fit"
        )
    named = data.drop_duplicates("filter").set_index("filter")["au"]
    own = projections.reshape(len(filters), top, *projections.shape[1:])
    if faces is None:
        return _means_alone(named, own.mean(axis=1)), data, _gallery_alt(named, top, False, False)
    strips, heads = [], []
    for place in range(len(filters)):
        pictures = faces[place * top : (place + 1) * top]
        parts: dict[str, Sequence[np.ndarray]] = {
            "top faces": [thumbnail(picture, 1) for picture in pictures],
            "their projections": [_signed(projection) for projection in own[place]],
        }
        if differences is not None:
            parts["on − off"] = [_signed(differences[place])]
        strip, heads = _strip(parts)
        strips.append(strip)
    # Laid out by hand: strips of one shape, with room for the filters on the left and the headings above.
    left, above, apart = 0.55, 0.22, 0.04
    height = strips[0].shape[0] / strips[0].shape[1] * (WIDTH - left)
    whole = above + len(filters) * (height + apart)
    figure, grid = plt.subplots(
        len(filters),
        1,
        figsize=(WIDTH, whole),
        squeeze=False,
        layout="none",
        gridspec_kw={
            **{"left": left / WIDTH, "right": 1, "bottom": 0, "top": 1 - above / whole},
            "hspace": apart / height,
        },
    )
    for axes, strip, number in zip(grid[:, 0], strips, filters, strict=True):
        axes.imshow(strip, vmin=0, vmax=255)
        axes.set_xticks([])
        axes.set_yticks([strip.shape[0] / 2], [f"{number}\n{named[number]}"], fontsize=8.5)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    for middle, head in heads:
        grid[0, 0].text(middle, -2, head, ha="center", va="bottom", fontsize=8.5)
    return figure, data, _gallery_alt(named, top, True, differences is not None)


def _means_alone(named: pd.Series, means: np.ndarray) -> Figure:
    """The mean projection of each filter, side by side: what may be shown of pictures that may not be."""
    figure, grid = picture_grid(1, len(named), title=0.35)
    for axes, (number, au), mean in zip(grid[0], named.items(), means, strict=True):
        show(axes, _signed(mean), f"{number}\n{au}")
    return figure


def _gallery_alt(named: pd.Series, top: int, faces: bool, differences: bool) -> str:
    told = listing([f"filter {number} ({au})" for number, au in named.items()])
    shown = (
        f"the {top} faces that drive it most and their projections to pixels"
        if faces
        else f"the mean of the projections of its {top} top faces"
    )
    alt = f"Pictures of each of {len(named)} filters, {told}: {shown}"
    return f"{alt}, then what its unit changes in a picture." if differences else f"{alt}."


def _signed(picture: np.ndarray) -> np.ndarray:
    """A signed map as grey: 0 is mid-grey, the strongest value black or white."""
    reach = np.abs(picture).max()
    return thumbnail(127.5 + 127.5 * picture / (reach if reach > 0 else 1.0), 1)


def _strip(
    parts: dict[str, Sequence[np.ndarray]], gap: int = 2, between: int = 8
) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Groups of pictures side by side on white, and the middle of each group with its name.

    Pictures stand ``gap`` pixels apart, groups ``between`` pixels.
    """
    columns: list[np.ndarray] = []
    heads = []
    for name, group in parts.items():
        if columns:
            columns.append(np.full((len(group[0]), between), 255, np.uint8))
        start = sum(column.shape[1] for column in columns)
        for place, picture in enumerate(group):
            columns += [picture] if place == 0 else [np.full((len(picture), gap), 255, np.uint8), picture]
        heads.append(((start + sum(column.shape[1] for column in columns)) / 2, name))
    return np.concatenate(columns, axis=1), heads


def silencing(table: pd.DataFrame) -> Drawn:
    """What is lost when the top filters of a unit are silenced, beside what other filters of equal activation
    cost.

    ``table``: a row per AU of one outcome of ``au_verification.silence.silence``: ``au``, ``intact``,
    ``silenced``, ``random``, ``random_low``, ``random_high``, ``difference``, ``low``, ``high``. Left the
    outcome itself, right the difference (random − silenced) with its interval. Data: these columns.
    """
    columns = ["au", "intact", "silenced", "random", "random_low", "random_high", "difference", "low", "high"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    place = np.arange(len(data))
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(WIDTH, 1.3 + 0.25 * len(data)), sharey=True, width_ratios=(3, 2)
    )
    left.hlines(place, data["random_low"], data["random_high"], color=RULE, linewidth=6)
    left.plot(
        data["random"], place, "|", color=INK, markersize=10, markeredgewidth=1.6, label="others silenced"
    )
    left.plot(data["intact"], place, "o", color="white", markeredgecolor=INK, label="intact")
    left.plot(data["silenced"], place, "D", color=VERMILION, markersize=6, label="its top filters silenced")
    for line in left.lines:
        line.set_linestyle("none")
    left.set(xlabel="AUROC of the unit's head", title="The head")
    right.axvline(0, color=INK, linestyle="--", linewidth=1.2)
    right.hlines(place, data["low"], data["high"], color=BLUE)
    right.plot(data["difference"], place, "o", color=BLUE, markersize=5, linestyle="none")
    right.set(xlabel="lost beyond others (0: nothing)", title="Difference")
    left.set_yticks(place, data["au"])
    left.invert_yaxis()
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper left", ncols=3, fontsize=8.5)
    told = [
        f"{row.au} from {row.intact:.2f} to {row.silenced:.2f}, with others {row.random:.2f} (lost beyond "
        f"these {row.difference:+.2f}, interval {row.low:+.2f} to {row.high:+.2f})"
        for row in data.itertuples()
    ]
    return (
        figure,
        data,
        "Dots per unit: the AUROC of its head intact, with its own top filters silenced and with others "
        f"silenced. {listing(told)}.",
    )
