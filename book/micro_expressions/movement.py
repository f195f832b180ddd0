"""Which filters move in a micro-expression, and whether it is for the action unit that they are said to
detect.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from torch import nn

from fer_lib.faces.clips import Clips
from fer_lib.look.responses import maximal_responses
from fer_lib.stats.resampling import bootstrap, bounds, cluster_sums, ratio, resampled_sums
from ferbook.estimate import Estimate
from ferbook.page.tables import Table

WITH, WITHOUT = "clips with the unit", "other clips"

FEWEST_PEOPLE = 5
"""A unit is looked at where so many people show it in some clip, and so many do not in another: an interval
over fewer says little.
"""

MOST_PANELS = 6

STEPS = 41
"""Points in progress, from 0 at the onset over 1 at the apex to 2 at the offset."""


def shown_units(clips: Clips) -> pd.DataFrame:
    """bool, one row per clip and one column per action unit: whether the picture at the apex shows it;
    missing where nobody coded it.
    """
    apex = np.take_along_axis(clips.rows, clips.apex_at[:, None], axis=1)[:, 0]
    values = clips.faces.table[list(clips.faces.aus)].iloc[apex].reset_index(drop=True)
    return values.gt(0).astype("boolean").mask(values.isna())


def units_to_look_at(claimed: pd.DataFrame, shown: pd.DataFrame, subjects: np.ndarray) -> list[str]:
    """The units that have a claimed filter and are shown, and not shown, by ``FEWEST_PEOPLE`` people each;
    that with the strongest filter first.
    """
    found = []
    for unit in claimed["au"].unique():
        if unit in shown:
            sides = [shown[unit].eq(state).fillna(False).to_numpy(bool) for state in (True, False)]
            if min(len(np.unique(subjects[side])) for side in sides) >= FEWEST_PEOPLE:
                found.append(unit)
    return found


def response_changes(
    model: nn.Module, layer: str, clips: Clips, filters: Sequence[int], *, steps: int = STEPS
) -> np.ndarray:
    """float64 (C, K, ``steps``): how the maximal responses of ``filters`` at ``layer`` change
    from the onset to the offset of each clip; NaN where a clip has no way there.

    Clips differ in length, so time is progress: 0 at the onset, 1 at the apex, 2 at the offset, straight in
    between; each clip's responses are interpolated at ``steps`` points. A change is the response less that at
    the onset, in standard deviations of the filter's responses over all frames (0 for a filter that never
    changes).

    Raises what ``look.responses.maximal_responses`` raises.
    """
    shown = np.unique(clips.rows[clips.inside])
    maxima = maximal_responses(model, clips.faces.select(shown), layer).maxima.astype(np.float64)
    maxima = maxima[:, list(filters)]
    spread = maxima.std(axis=0)
    maxima = maxima / np.where(spread > 1e-7 * np.abs(maxima).max(axis=0), spread, np.inf)
    way, grid = progress(clips), np.linspace(0, 2, steps)
    changes = np.full((len(clips), maxima.shape[1], len(grid)), np.nan)
    for number, length in enumerate(clips.lengths.tolist()):
        responses = maxima[np.searchsorted(shown, clips.rows[number, :length])]
        # Each frame's share in each point of the grid, the same for all filters.
        shares = [np.interp(grid, way[number, :length], frame) for frame in np.eye(length)]
        there = (grid >= way[number, 0]) & (grid <= way[number, length - 1])
        changes[number, :, there] = ((responses - responses[0]).T @ np.array(shares)[:, there]).T
    return changes


def mean_trajectories(
    changes: np.ndarray,
    subjects: np.ndarray,
    filters: Sequence[int],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """One row per filter and step of progress, from ``changes`` (C, K, steps) of ``response_changes``, of all
    clips or of some; ``filters`` names the K filters.

    ``change``: the mean over clips; ``low`` and ``high``: its interval, which draws whole people, NaN for
    fewer than two; ``clips``: how many there are at that point: one with its apex at an end has no way there.
    """
    grid = np.linspace(0, 2, changes.shape[2])
    known = ~np.isnan(changes)
    sums = cluster_sums(np.where(known, changes, 0), subjects)
    counts = cluster_sums(known[:, 0].astype(np.float64), subjects)
    tables = []
    for column, number in enumerate(filters):
        change, low, high = _mean_change(sums[:, column], counts, draws, seed)
        columns = {"progress": grid, "change": change, "low": low, "high": high}
        clips_there = counts.sum(axis=0).astype(np.int64)
        tables.append(pd.DataFrame({"filter": int(number)} | columns | {"clips": clips_there}))
    return pd.concat(tables, ignore_index=True)


def _mean_change(
    sums: np.ndarray, counts: np.ndarray, draws: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, lower and upper bound (steps,) of changes that add up to ``sums`` over ``counts`` clips of each
    person, both (people, steps).
    """
    total, clips = sums.sum(axis=0), counts.sum(axis=0)
    change, low, high = np.full((3, len(total)), np.nan)
    change[clips > 0] = total[clips > 0] / clips[clips > 0]
    several = (counts > 0).sum(axis=0) > 1
    if several.any():
        drawn = resampled_sums(np.stack([sums[:, several], counts[:, several]], axis=1), draws, seed)
        # A draw may miss everybody who has a way there; what changes in nobody has its value for an interval.
        drawn = ratio(drawn.transpose(0, 2, 1))
        found = bounds(drawn, (counts > 0).sum(axis=0)[several], change[several])
        low[several], high[several] = (np.where(np.isnan(end), change[several], end) for end in found)
    return change, low, high


def progress(clips: Clips) -> np.ndarray:
    """float64 (C, T): where each frame stands between onset (0), apex (1) and offset (2); NaN beyond a clip's
    end.
    """
    onset, apex, offset = (
        np.asarray(at, np.float64)[:, None] for at in (clips.onset, clips.apex, clips.offset)
    )
    frames = clips.frames.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        rising, falling = (frames - onset) / (apex - onset), 1 + (frames - apex) / (offset - apex)
    way = np.where(frames < apex, rising, np.where(frames > apex, falling, 1.0))
    return np.where(clips.inside, way, np.nan)


def panel_table(
    changes: np.ndarray,
    filters: Sequence[int],
    claimed: pd.DataFrame,
    units: Sequence[str],
    shown: pd.DataFrame,
    subjects: np.ndarray,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Of the first ``MOST_PANELS`` ``units`` the strongest filter over time, for
    ``figures.trajectory_panels``.

    ``changes`` (C, K, steps) of ``micro_expressions.spotting.response_changes`` for the K ``filters``. The
    filter of a unit is chosen by its association in chapter ``au_verification``, on other faces: nothing here
    is chosen by what it then shows.
    """
    strongest = claimed.drop_duplicates("au").set_index("au")["filter"]
    places = {number: column for column, number in enumerate(filters)}
    parts = []
    for unit in list(units)[:MOST_PANELS]:
        number = int(strongest[unit])
        own = changes[:, [places[number]]]
        for group, state in ((WITH, True), (WITHOUT, False)):
            keep = shown[unit].eq(state).fillna(False).to_numpy(bool)
            part = mean_trajectories(own[keep], subjects[keep], [number], draws=draws, seed=seed)
            parts.append(part.assign(au=unit, group=group))
    return pd.concat(parts, ignore_index=True)


def movement_table(
    at_apex: np.ndarray,
    filters: Sequence[int],
    claimed: pd.DataFrame,
    units: Sequence[str],
    shown: pd.DataFrame,
    subjects: np.ndarray,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """One row per unit: how far its filters move in clips that show it, and in clips that do not.

    ``at_apex`` (C, K): change of each of ``filters`` from onset to apex in standard deviations. ``au``,
    ``filters`` claimed for it, ``clips`` that show it, ``with`` and ``without``: mean change over clips and
    the unit's filters; ``difference`` with ``low`` and ``high``, drawing people.
    """
    places = {number: column for column, number in enumerate(filters)}
    rows = []
    for unit in units:
        own = claimed.loc[claimed["au"].eq(unit), "filter"]
        moved = at_apex[:, [places[number] for number in own]].mean(axis=1)
        known = (shown[unit].notna() & np.isfinite(moved)).to_numpy(bool)
        state = shown[unit][known].to_numpy(bool)
        gap = _difference(moved[known], state, subjects[known], draws, seed)
        ends = (np.nan if end is None else end for end in (gap.low, gap.high))
        change = moved[known]
        means = change[state].mean(), change[~state].mean()
        rows.append((unit, len(own), int(state.sum()), *means, gap.value, *ends))
    columns = ["au", "filters", "clips", "with", "without", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def movement_metrics(table: pd.DataFrame) -> dict[str, Estimate]:
    """Of ``movement_table``: ``units_moving``, units whose filters rise more where they are shown (the
    interval lies above 0), ``units_moving_against``, where they rise less, of ``units_looked_at``, and
    ``unit_movement``, the mean difference over units in standard deviations."""
    if table.empty:
        return {"units_looked_at": Estimate(0, unit="count")}
    return {
        "units_looked_at": Estimate(len(table), unit="count", tolerance=3),
        "units_moving": Estimate(table["low"].gt(0).sum(), unit="count", tolerance=3),
        "units_moving_against": Estimate(table["high"].lt(0).sum(), unit="count", tolerance=3),
        "unit_movement": Estimate(table["difference"].mean(), n=len(table), tolerance=0.3),
    }


def movement_for_page(table: pd.DataFrame) -> Table:
    """``movement_table`` with each difference and its interval in one cell."""
    how = "95 % expanded percentile bootstrap over people"
    gaps = [Estimate.bounded(row.difference, row.low, row.high, how=how) for row in table.itertuples()]
    names = {"au": "unit", "filters": "filters", "clips": "clips with it", "with": "change with it"}
    shown = table.rename(columns=names | {"without": "change without"}).drop(columns=["low", "high"])
    moves = dict.fromkeys(("change with it", "change without", "difference"), 0.5)
    caption = "Change from onset to apex, in standard deviations of a filter"
    return Table(shown.assign(difference=gaps), caption, tolerance=moves)


def _difference(
    values: np.ndarray, state: np.ndarray, subjects: np.ndarray, draws: int, seed: int
) -> Estimate:
    """Mean of ``values`` where ``state`` less the mean where not, with an interval that draws people."""
    parts = np.stack([values * state, state, values * ~state, ~state], axis=1).astype(np.float64)

    def gap(totals: np.ndarray) -> np.ndarray:
        return ratio(totals[:, :2]) - ratio(totals[:, 2:])

    value = gap(parts.sum(axis=0)[None])[0]
    return bootstrap(cluster_sums(parts, subjects), gap, value, draws=draws, seed=seed, n=len(values))


def lacking(kept: bool, claimed: pd.DataFrame, shown: pd.DataFrame) -> str:
    """What it would take for a unit to look at, where there is none. ``kept``: whether the network is the one
    whose filters were judged.
    """
    if not kept:
        return "the network whose filters chapter au_verification has judged"
    if claimed.empty:
        return "a filter of this network that beats chance within emotions"
    if shown.empty or not shown.columns.isin(claimed["au"]).any():
        return "clips in which somebody coded the units of these filters"
    return f"a unit of these filters that {FEWEST_PEOPLE} people show, and as many do not"
