"""Do the pixels that drive a filter lie where an action unit moves the skin, and more so than maps that know
nothing of the filter?

The measures are those of ``look.placement``, the other maps those of ``look.controls``. P pairs of a filter
and a picture, A action units, pictures of H × W pixels.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fer_lib.look.controls import control_maps
from fer_lib.look.placement import THRESHOLDS, area_share, energy_share, overlaps, pointing_game
from fer_lib.stats.resampling import bounds, cluster_sums, ratio, resampled_sums
from ferbook.errors import DataError

MEASURES = ("energy_share", "concentration", "pointing_game", "iou")
"""What is reported for each kind of map, see ``summarise``."""

KINDS = ("ours", "wrong_au", "other_filter", "field", "field_edges", "edges", "centre", "random")
"""The maps themselves, then the controls, see ``look.controls.control_maps`` and ``scores``."""

SAME_SKIN = 0.5
"""From this intersection over union on, two action units move the same skin, and one is no wrong answer for
the other.
"""


def scores(
    maps: np.ndarray,
    regions: np.ndarray,
    aus: Sequence[str],
    targets: Sequence[str] | None,
    subjects: Sequence[str],
    filters: np.ndarray,
    pictures: np.ndarray,
    *,
    fields: np.ndarray | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """How well each pair's map, and each control, finds the region of the pair's AU: one row per pair and
    kind.

    ``regions`` bool (P, A, H, W) for ``aus`` (A names), ``subjects`` (P,), ``filters`` (P,), ``pictures``
    uint8 (P, H, W), ``fields`` bool (P, H, W) as in ``control_maps``. Kinds: ``ours``; ``wrong_au``, the same
    maps against the other AUs' regions, mean over those that do not move the ``SAME_SKIN``; and the
    ``control_maps``.

    ``targets`` (P,): the AU that each pair is held to, known from elsewhere, such as from responses. None:
    ``ours``, ``wrong_au`` and ``other_filter`` are held to the ``best_regions`` of the pairs' own maps, the
    other controls to their own. To choose the AUs by the filters' maps and hold edges to the same ones would
    favour the filters.

    Columns: ``pair``, ``filter``, ``au`` (that of the pair's own map, empty where none is best), ``subject``,
    ``kind``, ``held_to`` (the AU of this kind), ``energy_share``, ``area_share``, ``pointing_game``, ``iou``,
    ``threshold``. The threshold of a kind is chosen on half of the subjects and used for the other half, and
    the reverse: none is chosen on the pictures that it is scored on. Values are NaN where the region is empty
    (hidden skin), the map zero everywhere, or no region the best.

    Raises DataError for an empty subject, or fewer than two subjects.
    """
    pairs, filters = len(maps), np.asarray(filters)
    names = np.asarray(subjects, dtype=object)
    first_half = _halves(names, seed)
    given = None if targets is None else pd.Index(aus).get_indexer(targets)
    every = np.ones((pairs, 1), bool)
    tables = []

    def held_to(its: np.ndarray) -> np.ndarray:
        if given is not None:
            return given
        return pd.Index(aus).get_indexer(best_regions(its, regions, aus, filters, names, seed=seed))

    def add(kind: str, its: np.ndarray, against: np.ndarray, of: np.ndarray, target: np.ndarray) -> None:
        """Means over the regions of ``against`` that ``of`` marks; the cut is the one that suits the maps'
        own regions.
        """
        cut = _cross_fitted(overlaps(its, _own(regions, target))[:, 0], first_half)
        values = {
            "energy_share": energy_share(its, against),
            "area_share": area_share(against),
            "pointing_game": pointing_game(its, against),
            "iou": overlaps(its, against)[np.arange(pairs), :, cut],
        }
        about = {"pair": np.arange(pairs), "filter": filters, "au": _au_names(aus, ours), "subject": names}
        about |= {"kind": kind, "held_to": _au_names(aus, target)}
        means = {name: _mean_where(value, of) for name, value in values.items()}
        tables.append(pd.DataFrame({**about, **means, "threshold": THRESHOLDS[cut]}))

    ours = held_to(maps)
    add("ours", maps, _own(regions, ours), every, ours)
    add("wrong_au", maps, regions, _wrong_regions(regions, ours), ours)
    for kind, its in control_maps(maps, pictures, filters, fields=fields, seed=seed).items():
        # Other filters are asked whether they lie in this filter's region, too, not whether they lie in some.
        target = ours if kind == "other_filter" else held_to(its)
        add(kind, its, _own(regions, target), every, target)
    return pd.concat(tables, ignore_index=True)


def summarise(
    scored: pd.DataFrame, by: Sequence[str] = (), *, draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Means of what ``scores`` gave, with 95 % intervals that resample subjects: one row per group, measure
    and kind.

    ``by``: columns that part the groups: ``("au",)``, ``("filter", "au")``; empty for one group of all. The
    means are over pairs. The measure ``concentration`` is the mean energy share over the mean area share.
    Columns beside ``by``: ``measure``, ``kind``, ``value``, ``low``, ``high``; ``gain``, ``gain_low``,
    ``gain_high``: ours less this kind, over the pairs in which both are defined, from the same draws (NaN for
    ours); ``n``, the pairs that count; ``undefined``, those that do not (an empty region, a map of zeros);
    ``subjects``, those of the pairs that count.

    Bounds are NaN with fewer than two subjects, or where all draws give the same.
    """
    groups = scored.groupby(list(by), sort=True) if by else [((), scored)]
    rows = []
    for names, group in groups:
        rows += [dict(zip(by, names, strict=True)) | row for row in _summary_rows(group, draws, seed)]
    return pd.DataFrame(rows)


def concentrations(
    maps: np.ndarray, regions: np.ndarray, aus: Sequence[str], filters: np.ndarray
) -> pd.DataFrame:
    """Mean energy share over mean area share of each filter's maps in each region: a table filters × ``aus``,
    both as labels.

    ``regions`` bool (P, A, H, W). NaN where a filter has no pair with a map above zero and a region that is
    not empty.
    """
    share = energy_share(maps, regions)
    area = np.where(np.isnan(share), np.nan, area_share(regions))
    index = pd.Index(np.asarray(filters), name="filter")
    energy, areas = (
        pd.DataFrame(values, index, list(aus)).groupby("filter").mean() for values in (share, area)
    )
    return energy / areas


def best_regions(
    maps: np.ndarray,
    regions: np.ndarray,
    aus: Sequence[str],
    filters: np.ndarray,
    subjects: Sequence[str],
    *,
    seed: int = 0,
) -> np.ndarray:
    """The AU in whose region each pair's filter concentrates most, judged on the other half of the subjects:
    names (P,), for ``targets``.

    So a filter may be held to one AU on half of its pictures and to another on the rest, which says that its
    place is not stable; and what is then scored was not chosen on the scored pictures. Empty text where the
    other half has no map of the filter. The seed parts the subjects as in ``scores``.
    """
    filters, first_half = np.asarray(filters), _halves(np.asarray(subjects, dtype=object), seed)
    best = np.full(len(maps), "", dtype=object)
    for half in (first_half, ~first_half):
        table = concentrations(maps[half], regions[half], aus, filters[half]).dropna(how="all")
        named = table.idxmax(axis=1)
        best[~half] = pd.Series(filters[~half]).map(named).fillna("").to_numpy(object)
    return best


def _summary_rows(group: pd.DataFrame, draws: int, seed: int) -> list[dict]:
    kinds = [kind for kind in KINDS if (group["kind"] == kind).any()]
    tables = {kind: group[group["kind"] == kind].set_index("pair") for kind in kinds}
    ours = tables["ours"]
    cells, parts = [], []
    for measure in MEASURES:
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
    return [
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


def _own(regions: np.ndarray, target: np.ndarray) -> np.ndarray:
    """bool (P, 1, H, W): each pair's region at the index ``target``, empty where that is -1."""
    return (regions[np.arange(len(regions)), target] & (target >= 0)[:, None, None])[:, None]


def _au_names(aus: Sequence[str], target: np.ndarray) -> np.ndarray:
    return np.array([*aus, ""], dtype=object)[target]


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
        cut[~half] = _mean_where(
            found[half].T, np.ones((found.shape[1], half.sum()), bool), missing=-1.0
        ).argmax()
    return cut


def _wrong_regions(regions: np.ndarray, target: np.ndarray) -> np.ndarray:
    """bool (P, A): the regions that do not move the ``SAME_SKIN`` as the target, nor are it; none where the
    target is -1.
    """
    flat = regions.reshape(*regions.shape[:2], -1)
    wrong = np.zeros(flat.shape[:2], bool)
    for pair in np.flatnonzero(target >= 0):
        masks, right = flat[pair], flat[pair, target[pair]]
        wrong[pair] = (masks & right).sum(axis=1) < SAME_SKIN * (masks | right).sum(axis=1)
    return wrong


def _mean_where(values: np.ndarray, of: np.ndarray, missing: float = np.nan) -> np.ndarray:
    """(P,): mean of each row of ``values`` over what ``of`` marks and is defined, ``missing`` where that is
    nothing.
    """
    count = of & ~np.isnan(values)
    total = np.where(count, values, 0).sum(axis=1)
    return np.divide(total, count.sum(axis=1), out=np.full(len(values), missing), where=count.any(axis=1))
