"""Which filters move in a micro-expression, and whether it is for the action unit that they are said to
detect.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from book.micro_expressions.spotting import mean_trajectories
from fer_lib.faces.clips import Clips
from fer_lib.stats.resampling import bootstrap, cluster_sums, ratio
from ferbook.estimate import Estimate

WITH, WITHOUT = "clips with the unit", "other clips"

FEWEST_PEOPLE = 5
"""A unit is looked at where so many people show it in some clip, and so many do not in another: an interval
over fewer says little.
"""

MOST_PANELS = 6


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
        rows.append(
            {
                "au": unit,
                "filters": len(own),
                "clips": int(state.sum()),
                "with": moved[known][state].mean(),
                "without": moved[known][~state].mean(),
                "difference": gap.value,
                "low": np.nan if gap.low is None else gap.low,
                "high": np.nan if gap.high is None else gap.high,
            }
        )
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


def movement_for_page(table: pd.DataFrame) -> pd.DataFrame:
    """``movement_table`` with its differences as text: ``unit``, ``filters``, ``clips with it``, ``change
    with it``, ``change without``, ``difference``.
    """
    gaps = [
        f"{row.difference:+.2f}" + ("" if pd.isna(row.low) else f" ({row.low:.2f} to {row.high:.2f})")
        for row in table.itertuples()
    ]
    return pd.DataFrame(
        {
            "unit": table["au"],
            "filters": table["filters"],
            "clips with it": table["clips"],
            "change with it": [f"{value:+.2f}".replace("-", "−") for value in table["with"]],
            "change without": [f"{value:+.2f}".replace("-", "−") for value in table["without"]],
            "difference": [text.replace("-", "−") for text in gaps],
        }
    )


def _difference(
    values: np.ndarray, state: np.ndarray, subjects: np.ndarray, draws: int, seed: int
) -> Estimate:
    """Mean of ``values`` where ``state`` less the mean where not, with an interval that draws people."""
    parts = np.stack([values * state, state, values * ~state, ~state], axis=1).astype(np.float64)

    def gap(totals: np.ndarray) -> np.ndarray:
        return ratio(totals[:, :2]) - ratio(totals[:, 2:])

    value = gap(parts.sum(axis=0)[None])[0]
    return bootstrap(cluster_sums(parts, subjects), gap, value, draws=draws, seed=seed, n=len(values))


def nothing_to_look_at(kept: bool, claimed: pd.DataFrame, shown: pd.DataFrame) -> str:
    """Why there is no unit to look at, in a sentence. ``kept``: whether the network is the one whose filters
    were judged.
    """
    if not kept:
        return "Left out: the filters that chapter au_verification has judged are another network's."
    if claimed.empty:
        return "Left out: no filter of this network beats chance within emotions."
    if shown.empty or not shown.columns.isin(claimed["au"]).any():
        return "Left out: nobody coded the units of these filters in these clips."
    return f"Left out: no unit of these filters is shown by {FEWEST_PEOPLE} people, and not shown by as many."
