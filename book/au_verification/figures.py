"""Figures of the question whether a filter detects an action unit: what the papers show, what is left of it
beside chance and untrained networks, and what it does to switch an action unit on or filters off.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from book.au_verification.silence import OWN
from book.au_verification.switching import effect_table
from fer_lib.aus.interventions import Effects
from ferbook.page import style
from ferbook.page.forest import forest
from ferbook.page.heat import heat
from ferbook.page.pictures import picture_grid, show

ROUNDED = 4
"""Digits after the point of values in wide tables."""

ASSOCIATION_TOLERANCE = 0.05
"""How far an association may move where another processor adds up in another order: some pictures change
places.
"""

FILTERS = 1000
"""More filters than a layer has: a row of which may hold another one when the chapter is executed again."""

EFFECT_TOLERANCE = 0.5
"""How far an effect may move, in standard deviations: some are hundreds."""

COUNT_TOLERANCE = 20
"""How far a unit's number of filters may move: a filter's largest association of two nearly equal ones."""


def _numbers(aus: Iterable[str]) -> dict[str, str]:
    """AU12 -> 12: where an axis says that these are action units."""
    return {au: au.removeprefix("AU") for au in aus}


def _small_panels(count: int, **shared: object) -> tuple[Figure, list[Axes]]:
    """A figure of one to six axes, three side by side; those of an incomplete row are empty."""
    columns = min(3, count)
    rows = -(-count // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(style.WIDTH, 0.55 + 1.7 * rows), squeeze=False, **shared
    )
    for place, axes in enumerate(grid.flat):
        axes.tick_params(labelsize=8)
        axes.set(visible=place < count)
    return figure, list(grid.flat[:count])


def divergence_map(strongest: pd.DataFrame, label: str) -> style.Drawn:
    """The papers' result: the association of some filters with every action unit, the largest of each row
    framed.

    ``strongest``: of ``study.strongest_filters``. ``label`` says what the association is. Data: a row per
    filter, ``named``, ``stability`` and a column per AU.
    """
    wide, stability = strongest.drop(columns="stability"), strongest["stability"]
    named = wide.idxmax(axis=1)
    data = pd.concat([named.rename("named"), stability, wide.round(ROUNDED)], axis=1).reset_index()
    told = [
        f"filter {number}: {au} ({wide.loc[number, au]:.2f}, the same in {style.percent(stability[number])} "
        "of the resamples)"
        for number, au in named.items()
    ]
    return heat(
        wide.melt(ignore_index=False, var_name="au").reset_index(),
        measured=label,
        rows="filter",
        columns="au",
        text=None,
        framed=list(named.items()),
        unit="",
        limits=(0, None),
        column_names=_numbers(wide),
        row_label="filter, the strongest first",
        column_label="action unit",
        notes=[f"{100 * share:.0f} %" for share in stability],
        noted="stable",
        alt=f"Heat map of {len(wide)} filters by {wide.shape[1]} action units; darker is a larger {label}. "
        f"The largest of each row is framed: {style.listing(told)}.",
        # Two filters of nearly equal strength may change places, so any row may hold another filter.
        tolerance=dict.fromkeys(wide, 0.2) | {"stability": 0.2, "filter": FILTERS},
        data=data,
    )


def response_histograms(tables: Mapping[tuple[int, str], pd.DataFrame]) -> style.Drawn:
    """How filters answer with and without the AU that the papers' rule names, as Khorrami et al. 2015 show
    it.

    ``tables``: (filter, AU) to what ``aus.association.histograms`` gives; at most six. Data: its columns with
    ``filter`` and ``au``.
    """
    figure, panels = _small_panels(len(tables))
    told = []
    for axes, ((number, au), table) in zip(panels, tables.items(), strict=True):
        edges = [*table["left"], table["right"].iloc[-1]]
        axes.stairs(table["absent"], edges, fill=True, color=style.RULE, label="absent")
        axes.stairs(table["present"], edges, color=style.VERMILION, linewidth=1.8, label="present")
        axes.set_title(f"filter {number}, {au}", fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        told.append(f"filter {number} and {au}, divergence {table['divergence'].sum():.2f} nats")
    figure.supxlabel("maximal response", fontsize=9)
    figure.supylabel("share of the pictures", fontsize=9)
    shown = panels[0].get_legend_handles_labels()
    figure.legend(*shown, loc="outside upper left", ncols=2, title="the unit is")
    parts = [table.assign(filter=number, au=au) for (number, au), table in tables.items()]
    data = pd.concat(parts, ignore_index=True).round(ROUNDED)
    alt = (
        f"{len(tables)} pairs of histograms of a filter's maximal response, over pictures with the unit as a "
        f"line and over pictures without it as grey bars: {style.listing(told)}."
    )
    moves = {"filter": FILTERS, "present": 0.2, "absent": 0.2, "divergence": 0.2}
    moves |= dict.fromkeys(("left", "right"), 0.1 * float(data["right"].max()))
    return style.Drawn(figure, data, alt, tolerance=moves)


def strongest_associations(table: pd.DataFrame, label: str) -> style.Drawn:
    """The strongest association of each channel, whatever the unit: the trained layer beside layers that
    learned nothing of emotions.

    ``table``: a row per channel: ``source`` (in the order to be shown, the trained one first), ``estimate``.
    ``label`` says what the estimate is. Data: a row per source, ``channels``, ``q05``, ``q25``, ``median``,
    ``q75``, ``q95``, ``largest``.
    """
    quantiles = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95, "largest": 1.0}
    groups = table.groupby("source", sort=False)["estimate"]
    data = pd.DataFrame({"channels": groups.size(), **{n: groups.quantile(q) for n, q in quantiles.items()}})
    data = data.reset_index()
    names = {"median": "value", "q05": "low", "q95": "high", "q25": "wide_low", "q75": "wide_high"}
    rows = data.rename(columns=names).assign(
        label=[f"{row.source} ({row.channels})" for row in data.itertuples()], main=data.index == 0
    )
    return forest(
        rows,
        measured=f"{label} with the unit it goes with most",
        unit="",
        strokes=rows[["label"]].assign(value=rows["largest"]),
        alt=f"A dot per source of channels, the median of each channel's strongest {label}; a bar between "
        "the quartiles, a line from the 5th to the 95th percentile, a stroke at the largest.",
        tolerance=ASSOCIATION_TOLERANCE,
        data=data,
    )


def survivor_panels(
    aus: Sequence[str], observed: np.ndarray, overall: np.ndarray, within: np.ndarray, label: str
) -> style.Drawn:
    """All filters by all units three times: every association, what survives the null, what survives it
    within emotions.

    ``observed`` (K, A), NaN for units of too few people; ``overall``, ``within`` bool (K, A). Filters stand
    in the same order in all three: by the unit with which they go most. Data: a row per filter, ``strongest``
    (its unit), ``overall`` and ``within`` (the units that survive, blanks between), and a column per AU.
    """
    scored = ~np.isnan(observed).any(axis=0)
    names = np.array(aus)[scored]
    values, marks = observed[:, scored], (overall[:, scored], within[:, scored])
    strongest = values.argmax(axis=1)
    order = np.lexsort((-values.max(axis=1), strongest))
    left = [marked.any(axis=1).sum() for marked in marks]
    panels = {
        "every association": np.ones(values.shape, bool),
        f"survives the null ({left[0]} filters)": marks[0],
        f"survives it within emotions ({left[1]} filters)": marks[1],
    }
    figure, grid = plt.subplots(
        3, 1, figsize=(style.WIDTH, 0.9 + 3 * (0.35 + 0.105 * len(names))), sharex=True
    )
    for axes, (title, kept) in zip(grid, panels.items(), strict=True):
        shown = np.where(kept, values, np.nan)[order].T
        axes.set_facecolor("#F2F2F2")
        image = axes.imshow(shown, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_title(title, fontsize=10)
        axes.set_yticks(range(len(names)), _numbers(names).values(), fontsize=6)
        axes.tick_params(axis="y", length=0)
    grid[1].set_ylabel("action unit")
    grid[-1].set_xlabel("filters, in the order of their strongest unit")
    grid[-1].set_xticks([])
    figure.colorbar(image, ax=grid, label=f"{label}, where above 0", shrink=0.5, aspect=30)
    data = pd.DataFrame({"filter": np.arange(len(values)), "strongest": names[strongest]})
    for name, marked in zip(("overall", "within"), marks, strict=True):
        data[name] = [" ".join(names[row]) for row in marked]
    data = pd.concat([data, pd.DataFrame(values, columns=names).round(ROUNDED)], axis=1)
    alt = (
        f"Three heat maps of {len(names)} action units by {len(values)} filters. The first shows every "
        f"association above 0. In the second {marks[0].sum()} pairs of {left[0]} filters are left, in the "
        f"third, within emotions, {marks[1].sum()} pairs of {left[1]} filters."
    )
    moves = dict.fromkeys(names, ASSOCIATION_TOLERANCE)
    return style.Drawn(figure, data.iloc[order].reset_index(drop=True), alt, tolerance=moves)


def criteria_panels(table: pd.DataFrame) -> style.Drawn:
    """How many channels of each source meet each criterion: the trained layer in one colour, whatever stands
    beside it in another.

    ``table``: a row per network (or bank of filters) and criterion: ``source`` (several untrained networks
    share one name), ``criterion``, ``share`` of the channels, ``count``, ``channels``; in the order to be
    shown, the trained source first. Data: these columns.
    """
    data = table[["source", "criterion", "share", "count", "channels"]]
    single = data.rename(columns={"source": "label", "criterion": "panel", "share": "value"})
    means = single.groupby(["panel", "label"], sort=False, as_index=False)["value"].mean()
    return forest(
        means.assign(low=np.nan, high=np.nan, main=means["label"].eq(data["source"].iloc[0])),
        measured="share of the channels",
        limits=(-0.04, 1.04),
        strokes=single[["panel", "label", "value"]],
        alt="Dots in panels, one per criterion: the share of the channels that meet it, the mean where there "
        "are several networks, each of which is a stroke.",
        tolerance={"share": 0.15, "count": 0.15 * float(data["channels"].max())},
        data=data.reset_index(drop=True),
    )


def unit_counts(table: pd.DataFrame, label: str) -> style.Drawn:
    """How many filters each unit has: the trained layer beside the untrained ones, of which the dot is the
    mean and the line the range.

    ``table``: a row per ``bank`` and ``au``: ``source`` (``trained`` or ``untrained``), ``count``. ``label``
    says what a filter has to do to be counted. Data: a row per AU, ``trained``, ``untrained`` (mean),
    ``least``, ``most``.
    """
    trained, others = (table[table["source"].eq(source)] for source in ("trained", "untrained"))
    data = trained.set_index("au")["count"].rename("trained").to_frame()
    by_unit = others.groupby("au")["count"]
    data = data.assign(untrained=by_unit.mean(), least=by_unit.min(), most=by_unit.max()).reset_index()
    rows = data.rename(columns={"au": "label", "least": "low", "most": "high"})
    own = rows[["label"]].assign(series="trained", value=rows["trained"])
    null = rows.assign(series="untrained (mean and range)", value=rows["untrained"])
    served = int(data["trained"].gt(0).sum()), int(data["untrained"].gt(0).sum())
    return forest(
        pd.concat([own, null]),
        measured=label,
        unit="",
        alt=f"Dots per action unit: {label}, of the trained layer and as the mean of "
        f"{others['bank'].nunique()} untrained ones. {served[0]} of {len(data)} units have a filter in the "
        f"trained layer, {served[1]} in any untrained one.",
        tolerance=dict.fromkeys(("trained", "untrained", "least", "most"), COUNT_TOLERANCE),
        data=data,
    )


def agreement_dots(table: pd.DataFrame) -> style.Drawn:
    """How often each measure names the unit that moves a filter most, with its interval and with what random
    names would reach.

    ``table``: a row per ``measure`` and ``filters`` (which filters are meant): ``share``, ``low``, ``high``,
    ``chance``, ``near`` (same or a pair on the same skin), ``n``. Data: these columns.
    """
    data = table[["measure", "filters", "share", "low", "high", "chance", "near", "n"]]
    rows = data.rename(columns={"filters": "series", "share": "value", "chance": "null"})
    return forest(
        rows.assign(label=data["measure"].str.replace("_", " ")),
        measured="filters whose named unit is the causal one",
        limits=(0, 1),
        alt="Dots with intervals: the share of filters for which a measure names the causal unit; a dashed "
        "mark at what names dealt at random would reach.",
        tolerance=dict.fromkeys(("share", "low", "high", "chance", "near"), 0.15) | {"n": 30},
        data=data,
    )


def calibration(table: pd.DataFrame) -> style.Drawn:
    """Do the tests and intervals keep their promise? Error rates and coverage in simulations where the truth
    is known.

    ``table``: of ``simulation.calibration_table``. Data: the same.
    """
    return forest(
        table.rename(columns={"what": "label", "rate": "value"}),
        measured="share of the simulations",
        null=table.groupby("panel")["promised"].first().to_dict(),
        null_name="promised",
        alt="Dots with binomial intervals.",
        tolerance=dict.fromkeys(("rate", "low", "high"), 0.03),
        data=table,
    )


def planted_curves(table: pd.DataFrame, along: str, label: str) -> style.Drawn:
    """Precision and recall of planted detectors by measure, one panel per rule and score, along ``along`` (a
    column of ``table``, on a log axis).

    ``table``: a row per ``measure``, ``rule`` and value of ``along``: ``precision``, ``recall`` (shares; NaN
    where nothing is claimed). Data: these columns.
    """
    data = table[["measure", "rule", along, "precision", "recall"]]
    rules, measures, steps = (list(data[name].unique()) for name in ("rule", "measure", along))
    looks = (
        (style.BLUE, "o-"),
        (style.VERMILION, "s--"),
        (style.ORANGE, "^-."),
        (style.INK, "D:"),
        (style.SKY, "v-"),
        (style.MUTED, "x--"),
    )
    styles = dict(zip(measures, looks, strict=False))
    figure, grid = plt.subplots(
        2, len(rules), figsize=(style.WIDTH, 4.0), sharex=True, sharey=True, squeeze=False
    )
    for (row, column), axes in np.ndenumerate(grid):
        score, rule = ("precision", "recall")[row], rules[column]
        for measure, (colour, look) in styles.items():
            part = data[data["rule"].eq(rule) & data["measure"].eq(measure)].sort_values(along)
            name = measure.replace("_", " ")
            axes.plot(part[along], part[score], look, color=colour, linewidth=1.4, markersize=4.5, label=name)
        axes.set(xscale="log", ylim=(-0.04, 1.04))
        axes.set_xticks(sorted(steps), [f"{value:g}" for value in sorted(steps)], fontsize=8)
        axes.minorticks_off()
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        axes.grid(axis="y")
        if row == 0:
            axes.set_title(rule.replace("_", " "), fontsize=9)
        if column == 0:
            axes.set_ylabel(score)
    figure.supxlabel(label, fontsize=9)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    far = data[data[along].eq(data[along].max())].replace("_", " ", regex=True)
    told = [
        f"{row.measure} by {row.rule} {style.percent(row.recall)}"
        + (f" ({style.percent(row.precision)})" if row.precision >= 0 else " (no claim)")
        for row in far.itertuples()
    ]
    alt = (
        f"Lines of precision (above) and recall (below) along {label}, a column of panels for each of "
        f"{len(rules)} rules. Recall at {far[along].iloc[0]:g}, precision in brackets: {style.listing(told)}."
    )
    return style.Drawn(figure, data, alt, tolerance={"precision": 0.15, "recall": 0.15})


def effect_map(effects: Effects, chosen: pd.DataFrame) -> style.Drawn:
    """What each unit does at its highest level to each of the ``chosen`` filters, in standard deviations of
    the filter's response to neutral faces.

    ``chosen``: of ``switching.showcase``. Framed: the unit that the association names; plus and minus:
    effects that stand at the family-wise level. Data: a row per filter and AU, ``filter``, ``au``,
    ``effect``, ``survives``, ``claimed``.
    """
    table = effect_table(effects, chosen)
    data = table.loc[table["level"].eq(effects.levels[-1]), ["filter", "au", "effect", "survives", "claimed"]]
    data = data.reset_index(drop=True)
    framed = data[data["claimed"]]
    largest = data.loc[data.groupby("filter", sort=False)["effect"].idxmax()]
    told = [f"filter {row.filter} by {row.au} ({row.effect:+.1f})" for row in largest.itertuples()]
    return heat(
        # The sign in the mark too: red and blue are one grey in print.
        data.assign(text=np.where(data["survives"], np.where(data["effect"].gt(0), "+", "−"), "")),
        measured="effect (standard deviations of the filter over neutral faces)",
        rows="filter",
        columns="au",
        value="effect",
        framed=list(zip(framed["filter"], framed["au"], strict=True)),
        unit="",
        signed=True,
        column_names=_numbers(effects.aus),
        column_label="action unit switched on",
        alt=f"Heat map of {len(largest)} filters by {len(effects.aus)} action units: red where switching the "
        "unit on raises the response, blue where it lowers it, a plus or a minus where the effect stands. "
        f"Raised most: {style.listing(told)}. For {int(largest['claimed'].sum())} of {len(largest)} it is "
        "the framed unit, the one that the association names.",
        tolerance={"effect": EFFECT_TOLERANCE, "filter": FILTERS},
        data=data,
    )


def dose_response(effects: Effects, chosen: pd.DataFrame) -> style.Drawn:
    """Effect by intensity: for each of the ``chosen`` filters, at most six, its claimed unit as a line with
    its interval, the other units as thin grey lines.

    ``chosen``: of ``switching.showcase``. Data: a row per filter, AU and level (0 to 1), ``filter``, ``au``,
    ``level``, ``effect``, ``low``, ``high`` (standard deviations), ``claimed``.
    """
    data = effect_table(effects, chosen).drop(columns="survives")
    figure, panels = _small_panels(len(chosen), sharex=True)
    told = []
    for axes, (number, part) in zip(panels, data.groupby("filter", sort=False), strict=True):
        for au, curve in part.groupby("au", sort=False):
            if not curve["claimed"].any():
                axes.plot(
                    [0, *curve["level"]], [0, *curve["effect"]], color=style.RULE, linewidth=0.9, zorder=1
                )
                continue
            level, effect, low, high = ([0, *curve[name]] for name in ("level", "effect", "low", "high"))
            axes.fill_between(level, low, high, color=style.VERMILION, alpha=0.25, linewidth=0)
            axes.plot(level, effect, "o-", color=style.VERMILION, markersize=4)
            axes.set_title(f"filter {number}, {au}", fontsize=9)
            last = curve.iloc[-1]
            told.append(f"filter {number} and {au} {last.effect:+.1f} ({last.low:+.1f} to {last.high:+.1f})")
        axes.axhline(0, color=style.MUTED, linewidth=0.8)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.set_xticks((0, 0.5, 1))
    figure.supxlabel("intensity of the unit", fontsize=9)
    figure.supylabel("effect (sd)", fontsize=9)
    alt = (
        f"Line charts of {len(panels)} filters: the effect of the unit that the association names, with "
        "its interval, over its intensity, and those of the other units in grey. At the highest intensity: "
        f"{style.listing(told)}."
    )
    moves = dict.fromkeys(("effect", "low", "high"), EFFECT_TOLERANCE) | {"filter": FILTERS}
    return style.Drawn(figure, data, alt, tolerance=moves)


def filter_gallery(
    table: pd.DataFrame,
    projections: np.ndarray,
    *,
    faces: np.ndarray | None,
    differences: np.ndarray | None,
    pictures: int,
) -> style.Drawn:
    """What drives some filters: their top faces, the deconvolutions of these, and what switching the claimed
    unit changes.

    ``table``: a row per filter and top picture, ``filter``, ``au``, ``picture`` (of so many ``pictures``),
    ``response``, filters in the order to be shown with equally many pictures each; ``projections`` float
    (rows, H, W), signed; ``faces`` uint8 (rows, H, W), None where they may not be shown: then the mean of the
    projections alone stands for each filter; ``differences`` float (filters, H, W): picture with the
    unit on less that with it off, None to leave it out. Data: these columns.
    """
    data = table[["filter", "au", "picture", "response"]]
    named = data.drop_duplicates("filter").set_index("filter")["au"]
    headings = [f"{number}, {au}" for number, au in named.items()]
    own = projections.reshape(len(named), -1, *projections.shape[1:])
    top = own.shape[1]
    if faces is None:
        said = f"the mean of the projections of its {top} top faces"
        rows = _signed(own.mean(axis=1, keepdims=True))
        figure, grid = picture_grid(1, len(named))
        grid = grid.T
    else:
        said = f"the {top} faces that drive it most and their projections to pixels"
        titles, parts = {top: "their projections"}, [faces.reshape(own.shape), _signed(own)]
        if differences is not None:
            said += ", then what its unit changes in a picture"
            titles[2 * top] = "on − off"
            parts.append(_signed(differences[:, None]))
        rows = np.concatenate(parts, axis=1)
        figure, grid = picture_grid(*rows.shape[:2])
        for column, title in titles.items():
            grid[0, column].set_title(title, fontsize=8, pad=2)
    for line, heading, shown in zip(grid, headings, rows, strict=True):
        line[0].set_title(heading, fontsize=8, pad=2)
        for axes, picture in zip(line, shown, strict=True):
            show(axes, picture)
    alt = f"Pictures of each of {len(named)} filters, {style.listing(headings)}: {said}."
    # Which filters are shown, and which of two nearly equal pictures comes first, may change.
    moves = {"filter": FILTERS, "picture": pictures, "response": 0.1 * float(data["response"].max())}
    return style.Drawn(figure, data, alt, tolerance=moves)


def _signed(maps: np.ndarray) -> np.ndarray:
    """Signed maps (…, H, W) as grey: 0 is mid-grey, the strongest value of each black or white."""
    reach = np.abs(maps).max(axis=(-2, -1), keepdims=True)
    return 127.5 + 127.5 * maps / np.where(reach > 0, reach, 1)


def silencing(table: pd.DataFrame) -> style.Drawn:
    """What is lost when the top filters of a unit are silenced, beside what other filters of equal activation
    cost.

    ``table``: of ``silence.silence``, of which the units' own heads are shown. Left the outcome itself, right
    the difference (random − silenced) with its interval. Data: ``au``, ``intact``, ``silenced``, ``random``,
    ``random_low``, ``random_high``, ``difference``, ``low``, ``high``.
    """
    columns = ["intact", "silenced", "random", "random_low", "random_high", "difference", "low", "high"]
    data = table.loc[table["outcome"].eq(OWN), ["au", *columns]].reset_index(drop=True)
    head, difference = ({"label": data["au"], "panel": panel} for panel in ("head", "difference"))
    drawn = {"value": data["random"], "low": data["random_low"], "high": data["random_high"]}
    parts = {
        "intact": head | {"value": data["intact"]},
        "its top filters silenced": head | {"value": data["silenced"]},
        "others silenced (95 % of draws)": head | drawn,
        "difference (95 % interval)": difference | {"value": data["difference"], **data[["low", "high"]]},
    }
    return forest(
        pd.concat(pd.DataFrame(values).assign(series=series) for series, values in parts.items()),
        measured={"head": "AUROC of the unit's head", "difference": "lost beyond others"},
        unit="",
        null={"difference": 0},
        widths=(3, 2),
        alt="Dots per unit: the AUROC of its head intact, with its own top filters silenced and with others "
        "silenced, and what the first lose beyond the second.",
        tolerance=dict.fromkeys(columns, 0.1),
        data=data,
    )
