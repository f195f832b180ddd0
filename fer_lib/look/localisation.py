"""Do the pixels that drive a filter lie where an action unit moves the skin, and more so than maps that know
nothing of the filter?

The measures are those of ``look.placement``, the other maps those of ``look.controls``. P pairs of a filter
and a picture, pictures of H × W pixels.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fer_lib.look.controls import control_maps
from fer_lib.look.placement import THRESHOLDS, area_share, energy_share, overlaps, pointing_game
from fer_lib.stats.resampling import bounds, cluster_sums, mean_of_defined, ratio, resampled_sums
from ferbook.errors import DataError

LOCALISATION_MEASURES = ("energy_share", "concentration", "pointing_game", "iou")
"""What is reported for each kind of map, see ``summarise``."""

MAP_KINDS = ("ours", "wrong_au", "other_filter", "field", "field_edges", "edges", "centre", "random")
"""The maps themselves, then the controls, see ``look.controls.control_maps`` and ``scores``."""


def scores(
    maps: np.ndarray,
    region: np.ndarray,
    others: np.ndarray,
    subjects: Sequence[str],
    filters: np.ndarray,
    pictures: np.ndarray,
    *,
    fields: np.ndarray | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """How well each pair's map, and each control, finds the region of the pair: one row per pair and kind.

    ``region`` bool (P, H, W), chosen without a look at the maps, such as by responses: a choice by the maps
    would favour them. ``others`` bool (P, B, H, W): regions where the maps should not lie. ``subjects`` (P,),
    ``filters`` (P,), ``pictures`` uint8 (P, H, W), ``fields`` bool (P, H, W) as in ``control_maps``. Kinds:
    ``ours``; ``wrong_au``, the same maps against ``others``, mean over those that are not empty; and the
    ``control_maps`` against the region.

    Columns: ``pair``, ``filter``, ``subject``, ``kind``, ``energy_share``, ``area_share``, ``pointing_game``,
    ``iou``, ``threshold``. The threshold of a kind is chosen on half of the subjects and used for the other
    half, and the reverse: none is chosen on the pictures that it is scored on. Values are NaN where the
    region is empty (hidden skin) or the map zero everywhere.

    Raises DataError for an empty subject, or fewer than two subjects.
    """
    pairs, names = len(maps), np.asarray(subjects, dtype=object)
    about = {"pair": np.arange(pairs), "filter": np.asarray(filters), "subject": names}
    first_half, own = _halves(names, seed), region[:, None]
    tables = []

    def add(kind: str, its: np.ndarray, against: np.ndarray) -> None:
        """Means over the regions of ``against``; the cut is the one that suits the maps' own region."""
        cut = _cross_fitted(overlaps(its, own)[:, 0], first_half)
        values = {
            "energy_share": energy_share(its, against),
            "area_share": area_share(against),
            "pointing_game": pointing_game(its, against),
            "iou": overlaps(its, against)[np.arange(pairs), :, cut],
        }
        means = {name: mean_of_defined(value) for name, value in values.items()}
        tables.append(pd.DataFrame({**about, "kind": kind, **means, "threshold": THRESHOLDS[cut]}))

    add("ours", maps, own)
    add("wrong_au", maps, others)
    for kind, its in control_maps(maps, pictures, about["filter"], fields=fields, seed=seed).items():
        add(kind, its, own)
    return pd.concat(tables, ignore_index=True)


def summarise(scored: pd.DataFrame, *, draws: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Means over pairs of what ``scores`` gave, with 95 % intervals that resample subjects: one row per
    measure and kind. The measure ``concentration`` is the mean energy share over the mean area share.

    Columns: ``measure``, ``kind``, ``value``, ``low``, ``high``; ``gain``, ``gain_low``, ``gain_high``: ours
    less this kind, over the pairs in which both are defined, from the same draws (NaN for ours); ``n``, the
    pairs that count; ``undefined``, those that do not (an empty region, a map of zeros); ``subjects``, those
    of the pairs that count.

    Bounds are NaN with fewer than two subjects, or where all draws give the same.
    """
    kinds = [kind for kind in MAP_KINDS if (scored["kind"] == kind).any()]
    tables = {kind: scored[scored["kind"] == kind].set_index("pair") for kind in kinds}
    ours = tables["ours"]
    cells, parts = [], []
    for measure in LOCALISATION_MEASURES:
        own = _ratio(ours, measure)
        for kind in kinds:
            its = _ratio(tables[kind], measure)
            both = np.isfinite(own).all(axis=1) & np.isfinite(its).all(axis=1)
            defined = np.isfinite(its).all(axis=1)
            cells.append((measure, kind, defined))
            parts.append(
                np.concatenate(
                    [np.where(keep[:, None], r, 0) for keep, r in ((defined, its), (both, own), (both, its))],
                    axis=1,
                )
            )
    subjects = ours["subject"].to_numpy()
    sums = cluster_sums(np.stack(parts, axis=1), subjects)
    value, gain = _value_and_gain(sums.sum(axis=0)[None])
    drawn = _value_and_gain(resampled_sums(sums, draws, seed))
    (low, high), (gain_low, gain_high) = (
        bounds(of, len(sums), whole[0]) for of, whole in zip(drawn, (value, gain), strict=True)
    )
    rows = [
        {
            "measure": measure,
            "kind": kind,
            "value": value[0, i],
            "low": low[i],
            "high": high[i],
            "gain": np.nan if kind == "ours" else gain[0, i],
            "gain_low": gain_low[i],
            "gain_high": gain_high[i],
            "n": int(defined.sum()),
            "undefined": int((~defined).sum()),
            "subjects": len(np.unique(subjects[defined].astype(str))),
        }
        for i, (measure, kind, defined) in enumerate(cells)
    ]
    return pd.DataFrame(rows)


def _ratio(table: pd.DataFrame, measure: str) -> np.ndarray:
    """(P, 2): numerator and denominator whose sums over pairs give the mean of ``measure``."""
    if measure == "concentration":
        return table[["energy_share", "area_share"]].to_numpy(float)
    value = table[measure].to_numpy(float)
    return np.stack((value, np.where(np.isnan(value), np.nan, 1.0)), axis=1)


def _value_and_gain(totals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From totals (draws, cells, 6) of three ratios: the first (draws, cells), and the second less the
    third.
    """
    ratios = ratio(totals.reshape(*totals.shape[:-1], 3, 2))
    return ratios[..., 0], ratios[..., 1] - ratios[..., 2]


def _halves(subjects: np.ndarray, seed: int) -> np.ndarray:
    """bool (P,): whether a pair's subject is in the first of two random halves."""
    empty = np.flatnonzero(subjects == "")
    if len(empty):
        raise DataError(
            f"pair {empty[0]} has no subject; give each picture a name of its own where the set does not "
            "say who is on it"
        )
    names, codes = np.unique(subjects.astype(str), return_inverse=True)
    if len(names) < 2:
        raise DataError(
            f"pairs of {len(names)} subject(s); at least 2 are needed to choose on some and score on others"
        )
    first = np.random.default_rng(seed).permutation(len(names)) < len(names) // 2
    return first[codes]


def _cross_fitted(found: np.ndarray, first_half: np.ndarray) -> np.ndarray:
    """int (P,): the index of the best mean over the pairs of the other half of ``found`` (P, T)."""
    cut = np.zeros(len(found), int)
    for half in (first_half, ~first_half):
        cut[~half] = np.nan_to_num(mean_of_defined(found[half].T), nan=-1.0).argmax()
    return cut
