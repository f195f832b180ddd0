"""Figures of the question whether a filter detects an action unit: what the papers show, what populations of
networks show beyond chance, and single filters of one of them.
"""

from collections.abc import Iterable

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


YOURS = "your run"
"""What is drawn of this run beside the reference."""

BESIDE = "Trained and untrained: the run reference; beside them the trained networks of this run."
"""Caption where the reference is drawn."""


def networks(table: pd.DataFrame, *, reference: pd.DataFrame | None = None) -> style.Drawn:
    """The strip of networks: what each network shows beyond chance, by population.

    ``table``: of ``study.strip_table``; ``reference``: that of the reference, whose populations are then
    drawn, and below them those of this run. Data: the same, with a column ``run``.
    """
    parts = {"": table} if reference is None else {"reference": reference, YOURS: table}
    data = pd.concat([part.assign(run=run) for run, part in parts.items()], ignore_index=True)
    single = data.rename(columns={"population": "label", "run": "group"})
    means = single.drop_duplicates(["group", "label", "panel"])
    own = means["group"].eq(list(parts)[-1]) & means["label"].eq(table["population"].iloc[0])
    return forest(
        means.assign(value=means["mean"], main=own)[
            ["panel", "group", "label", "value", "low", "high", "main"]
        ],
        measured="",
        unit="",
        null=0,
        null_name="chance",
        strokes=single[["panel", "group", "label", "value"]],
        alt="Dots in panels, a row per population of networks: the mean over its networks with the interval "
        "over networks and people; each network is a stroke below.",
        caption="Strokes are networks, dots their means with 95 % intervals over networks and people.",
        tolerance=dict.fromkeys(("value", "mean", "low", "high"), COUNT_TOLERANCE) | {"seed": 0},
        data=data,
    )


def by_unit(table: pd.DataFrame, *, reference: pd.DataFrame | None = None) -> style.Drawn:
    """Verified filters beyond chance by unit, trained beside untrained networks.

    ``table``: of ``study.unit_table``; ``reference``: that of the reference, which is then drawn with the
    trained networks of this run. Data: the same.
    """
    data = _beside(table, reference)
    return forest(
        data.rename(columns={"au": "label"}),
        measured="verified filters beyond chance, mean over networks",
        unit="",
        null=0,
        null_name="chance",
        alt="Dots with intervals per action unit: verified filters less those expected by chance, of trained "
        "and of untrained networks.",
        caption="" if reference is None else BESIDE,
        tolerance=dict.fromkeys(("value", "low", "high"), COUNT_TOLERANCE),
        data=data,
    )


def _beside(table: pd.DataFrame, reference: pd.DataFrame | None) -> pd.DataFrame:
    """``table`` (``series``: trained ones first, then others), or the reference's with the trained ones of
    ``table`` as a series of their own.
    """
    if reference is None:
        return table
    own = table[table["series"].eq(table["series"].iloc[0])]
    return pd.concat([reference, own.assign(series=YOURS)], ignore_index=True)


ALONG = {
    "accuracy": "accuracy, validation",
    "verified_gain": "verified beyond chance",
    "distinct_units": "units with a verified filter",
}
"""Column of ``study.along_training`` -> heading of its panel."""


def along_training(table: pd.DataFrame) -> style.Drawn:
    """When detectors appear: what some networks show after so many epochs, beside how well they name
    emotions.

    ``table``: of ``study.along_training``. Data: the same.
    """
    figure, panels = _small_panels(len(ALONG), sharex=True)
    looks = ((style.BLUE, "o-"), (style.VERMILION, "s--"), (style.ORANGE, "^-."))
    told = []
    for axes, (column, title) in zip(panels, ALONG.items(), strict=True):
        for (seed, part), (colour, look) in zip(table.groupby("seed"), looks, strict=False):
            axes.plot(part["epoch"], part[column], look, color=colour, markersize=4, label=f"network {seed}")
        axes.set_title(title, fontsize=8)
        axes.set_ylim(bottom=min(0, table[column].min()))
        axes.yaxis.set_major_locator(MaxNLocator(4))
    panels[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    for seed, part in table.groupby("seed"):
        steps = [f"{row.verified_gain:.0f} after epoch {row.epoch}" for row in part.itertuples()]
        told.append(f"network {seed} {style.listing(steps)}")
    figure.supxlabel("epochs of training", fontsize=9)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    alt = (
        f"Lines of {len(told)} networks along their training, in panels: accuracy, verified filters beyond "
        f"chance, units that have one. Verified filters beyond chance: {'; '.join(told)}."
    )
    moves = dict.fromkeys(table.columns, COUNT_TOLERANCE) | {"accuracy": 1e-6, "seed": 0, "epoch": 0}
    return style.Drawn(figure, table, alt, tolerance=moves)


def agreement(table: pd.DataFrame, *, reference: pd.DataFrame | None = None) -> style.Drawn:
    """How far each measure names the unit that moves a filter most, beyond chance.

    ``table``: of ``study.agreement_table``; ``reference`` as of ``by_unit``. Data: the same.
    """
    data = _beside(table, reference)
    return forest(
        data.rename(columns={"measure": "label"}),
        measured="κ of the named unit and the one that moves the filter most",
        unit="",
        null=0,
        null_name="chance",
        alt="Dots with intervals per measure: the agreement beyond chance of the unit that it names and the "
        "one that moves the filter most, of trained and of untrained networks.",
        caption="" if reference is None else BESIDE,
        tolerance=dict.fromkeys(("value", "low", "high"), 0.15),
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
        across=1,
        alt="Dots with binomial intervals.",
        tolerance=dict.fromkeys(("rate", "low", "high"), 0.03),
        data=table,
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
    the difference (random − silenced) with its interval. Data: ``au``, ``outcome``, ``intact``, ``silenced``,
    ``random``, ``random_low``, ``random_high``, ``difference``, ``low``, ``high``.
    """
    columns = ["intact", "silenced", "random", "random_low", "random_high", "difference", "low", "high"]
    data = table.loc[table["outcome"].eq(OWN), ["au", "outcome", *columns]].reset_index(drop=True)
    head, difference = ({"label": data["au"], "panel": panel} for panel in ("head", "difference"))
    drawn = {"value": data["random"], "low": data["random_low"], "high": data["random_high"]}
    parts = {
        "its own silenced": head | {"value": data["silenced"]},
        "others silenced": head | drawn,
        "difference": difference | {"value": data["difference"], **data[["low", "high"]]},
    }
    return forest(
        pd.concat(pd.DataFrame(values).assign(series=series) for series, values in parts.items()),
        measured={"head": "AUROC of the unit's head", "difference": "lost beyond others"},
        unit="",
        null={"difference": 0},
        widths=(3, 2),
        alt="Dots per unit: the AUROC of its head with its own top filters silenced and with others "
        "silenced, and what the former lose beyond the latter.",
        tolerance=dict.fromkeys(columns, 0.1),
        data=data,
    )
