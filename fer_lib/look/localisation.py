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
from fer_lib.stats.resampling import mean_of_defined
from ferbook.errors import DataError


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


def cross_fitted_overlap(maps: np.ndarray, region: np.ndarray, subjects: Sequence[str]) -> np.ndarray:
    """float64 (P,): intersection over union of each map with its region bool (P, H, W), the threshold chosen
    on the other half of the ``subjects``; NaN where the region is empty or the map zero everywhere. Raises as
    ``scores``.
    """
    overlap = overlaps(maps, region)
    return overlap[np.arange(len(maps)), _cross_fitted(overlap, _halves(np.asarray(subjects, object), 0))]


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


def _cross_fitted(overlap: np.ndarray, first_half: np.ndarray) -> np.ndarray:
    """int (P,): the index of the best mean over the pairs of the other half of ``overlap`` (P, T)."""
    cut = np.zeros(len(overlap), int)
    for half in (first_half, ~first_half):
        cut[~half] = np.nan_to_num(mean_of_defined(overlap[half].T), nan=-1.0).argmax()
    return cut
