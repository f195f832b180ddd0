"""What a layer's projections say: where they lie, and whether they show the network."""

from typing import get_args

import numpy as np
import pandas as pd
from torch import nn

from book.deconvolution.layer_view import LayerView
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.controls import receptive_fields
from fer_lib.look.deconvolution import Method
from fer_lib.look.localisation import scores, summarise
from fer_lib.look.regions import region_aus, regions_of
from fer_lib.look.responses import known_subjects
from fer_lib.look.sanity import cascading_randomisation, compare_networks, shift_equivariance, verdicts
from ferbook.estimate import Estimate
from ferbook.page.tables import Table
from ferbook.text import NO_BREAK

RERUN_TOLERANCE = 0.05
"""How far similarities and shares may move where another processor adds up in another order: a weak maximum
may change its place.
"""

CONCENTRATION_TOLERANCE = 0.5
"""The same for concentrations, which are energy over area."""

MATCHED_PICTURES = 300
"""Pictures by whose responses the filters of two networks are matched: enough to tell which go together."""

RIVALS = ("wrong_au", "other_filter", "field", "field_edges", "edges", "centre")
"""The controls that a filter's maps have to beat for its place to mean anything, see
``look.localisation.KINDS``.
"""

HOW = "95 % expanded percentile bootstrap over people"


def shown_aus(faces: FaceSet) -> tuple[str, ...]:
    """The action units of ``faces`` that some picture shows and whose regions are known; none where the set
    has no regions.
    """
    known = region_aus(faces)
    return tuple(au for au in faces.aus if au in known and faces.table[au].gt(0).any())


def locate(view: LayerView, count: int, *, seed: int = 0) -> pd.DataFrame | None:
    """Score the projections of ``count`` filters against regions of action units:
    ``look.localisation.scores``; None where no regions are known.

    The filters are ``view.sample(count)`` with all their top pictures. Each is held to the action unit in
    whose region its maps of the other half of the people concentrate most, and so is each kind of control
    map: the choice favours nobody.
    """
    aus = shown_aus(view.faces)
    if not aus:
        return None
    pairs = np.concatenate([np.array(view.pairs_of(number)) for number in view.sample(count)])
    rows, filters = view.rows[pairs], view.filters[pairs]
    maps = np.stack([view.projections.whole(pair) for pair in pairs])
    regions = regions_of(view.faces, rows, aus)
    subjects = known_subjects(view.faces, rows)
    seen = receptive_fields(view.projections.corners[pairs], view.field.size, view.faces.size)
    pictures = view.faces.gather(rows)
    return scores(maps, regions, aus, None, subjects, filters, pictures, fields=seen, seed=seed)


def beside_untrained(
    scored: pd.DataFrame, untrained: pd.DataFrame, *, draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """``look.localisation.summarise`` of what ``locate`` gave and, as one kind more, the own maps of an
    untrained network.

    Its filters are others, held to regions of their own in the same way, so there is no paired gain.
    """
    summary, null = (summarise(table, draws=draws, seed=seed) for table in (scored, untrained))
    own = null[null["kind"].eq("ours")].assign(kind="untrained")
    return pd.concat([summary, own], ignore_index=True)


def localisation_metrics(summary: pd.DataFrame) -> dict[str, Estimate]:
    """``concentration``, ``pointing_game`` and ``iou`` of the filters' own maps, of each the gain over every
    rival, ``concentration_gain_edges`` …, and the untrained network's own, ``concentration_untrained`` …
    """
    found = {}
    for row in summary[summary["measure"].ne("energy_share")].itertuples():
        settings = {"how": HOW, "n": row.n, "unit": "share", "tolerance": RERUN_TOLERANCE}
        if row.measure == "concentration":
            settings |= {"unit": "", "tolerance": CONCENTRATION_TOLERANCE}
        if row.kind in ("ours", "untrained"):
            name = row.measure if row.kind == "ours" else f"{row.measure}_untrained"
            found[name] = Estimate.bounded(row.value, row.low, row.high, **settings)
        elif row.kind in RIVALS and np.isfinite(row.gain):
            name = f"{row.measure}_gain_{row.kind}"
            found[name] = Estimate.bounded(row.gain, row.gain_low, row.gain_high, **settings)
    return found


def unit_table(scored: pd.DataFrame, *, draws: int = 1000, seed: int = 0) -> Table:
    """One row per action unit: how many filters and pairs are held to it, their concentration, and its gain
    over edges within the receptive field.
    """
    scored = scored[scored["au"].ne("")]  # a filter seen with half of the people only is held to nothing
    summary = summarise(scored, ("au",), draws=draws, seed=seed)
    part = summary[summary["measure"].eq("concentration")]
    own, rival = (part[part["kind"].eq(kind)].set_index("au") for kind in ("ours", "field_edges"))
    table = pd.DataFrame(
        {
            "filters": scored[scored["kind"].eq("ours")].groupby("au")["filter"].nunique(),
            "pairs": own["n"],
            "people": own["subjects"],
            "concentration": _estimates(own[["value", "low", "high"]]),
            "more than edges": _estimates(rival[["gain", "gain_low", "gain_high"]]),
        }
    )
    table = table.loc[sorted(table.index, key=lambda au: int(au[2:]))].rename_axis("unit")
    moves = dict.fromkeys(("concentration", "more than edges"), 2 * CONCENTRATION_TOLERANCE)
    moves |= {"filters": 5, "pairs": 50, "people": 20}
    return Table(table, "Filters held to each action unit, with 95 % intervals over people", tolerance=moves)


def _estimates(bounded: pd.DataFrame) -> pd.Series:
    """Estimates of the rows of ``bounded``: a value and its bounds; None where the value is NaN."""
    cells = [
        None if np.isnan(value) else Estimate.bounded(value, low, high, how=HOW)
        for value, low, high in bounded.to_numpy()
    ]
    return pd.Series(cells, bounded.index, object)


def check_projections(
    model: nn.Module,
    view: LayerView,
    count: int,
    *,
    shuffled: nn.Module | None = None,
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The cascade of random weights of every method, and the verdicts of all checks: ``look.sanity``.

    On ``count`` filters, each with its strongest picture; filters of two networks are matched on
    ``MATCHED_PICTURES`` further ones. ``shuffled``: a network of the same structure that learned shuffled
    labels; None leaves that check out.
    """
    filters = view.sample(count)
    rows, layer = view.top[filters, 0], view.responses.layer
    generator = np.random.default_rng(seed)
    fewer = min(MATCHED_PICTURES, len(view.faces))
    among = np.union1d(rows, generator.choice(len(view.faces), fewer, replace=False))
    matched = (view.faces.select(among), layer, np.searchsorted(among, rows), filters)
    cascades, likened, shifted = [], [], []
    for method in get_args(Method):
        options = {"method": method, "seed": seed}
        cascades.append(cascading_randomisation(model, view.faces, layer, rows, filters, **options))
        shifted.append(shift_equivariance(model, view.faces, layer, rows, filters, **options))
        if shuffled is not None:
            likened.append(compare_networks(model, shuffled, *matched, **options))
    cascade = pd.concat(cascades, ignore_index=True)
    labels = pd.concat(likened, ignore_index=True) if likened else None
    return cascade, verdicts(cascade, labels, pd.concat(shifted, ignore_index=True))


def sanity_metrics(found: pd.DataFrame) -> dict[str, Estimate]:
    """``random_weights_deconv``, ``shuffled_labels_guided``, ``shift_gradient`` …: the value of every verdict
    that could be told.
    """
    return {
        f"{row.name.replace(' ', '_')}_{row.method}": _similarity(row)
        for row in found.itertuples()
        if np.isfinite(row.value)
    }


def _similarity(row: object) -> Estimate:
    return Estimate.bounded(row.value, row.low, row.high, how=HOW, n=row.n, tolerance=RERUN_TOLERANCE)


def verdict_table(found: pd.DataFrame) -> Table:
    """The verdicts for the page: ``check``, ``method``, ``value`` with its interval, ``limit``, ``maps``
    compared, ``verdict``, ``what follows``.
    """
    names = {"name": "check", "n": "maps", "meaning": "what follows"}
    signs = found["name"].eq("shift").map({True: "≥", False: "≤"})
    data = found.rename(columns=names).assign(
        value=[_similarity(row) if np.isfinite(row.value) else None for row in found.itertuples()],
        limit=signs + NO_BREAK + found["limit"].map("{:g}".format),
        verdict=found["passed"].map({True: "passes", False: "fails"}).fillna("cannot be told"),
    )[["check", "method", "value", "limit", "maps", "verdict", "what follows"]]
    moves = {"value": 2 * RERUN_TOLERANCE, "maps": 20}
    return Table(data, "The sanity checks, with 95 % intervals over people", tolerance=moves)


def view_metrics(view: LayerView, places: pd.DataFrame) -> dict[str, Estimate]:
    """``filters``, ``filters_silent`` (that never respond), ``pairs`` projected, ``receptive_field``
    (pixels), and ``place_share``: of the median filter, the share of extrema at or next to the commonest
    place, with ``place_share_untrained``. ``places``: the data of ``figures.extremum_points``, the network in
    question first."""
    medians = places.groupby("network", sort=False)["share"].agg(["median", "size"])
    shares = {
        name: Estimate(row["median"], n=row["size"], unit="share", tolerance=RERUN_TOLERANCE)
        for name, (_, row) in zip(("place_share", "place_share_untrained"), medians.iterrows(), strict=False)
    }
    counts = {
        "filters": len(view.top),
        "filters_silent": int((view.ranking["pictures"] == 0).sum()),
        "pairs": len(view.rows),
        "receptive_field": view.field.size,
    }
    return {name: Estimate(value, unit="count") for name, value in counts.items()} | shares


SUMMARY = {
    "place_share": "the median filter's extrema at or next to their commonest place",
    "place_share_untrained": "the same, untrained network",
    "concentration": "energy in the region of the filter's unit, over what its area would give",
    "concentration_untrained": "the same, untrained network",
    "concentration_gain_wrong_au": "more than in other units' regions",
    "concentration_gain_other_filter": "more than of other filters' maps",
    "concentration_gain_field": "more than of the whole receptive field",
    "concentration_gain_field_edges": "more than of edges within the receptive field",
    "concentration_gain_edges": "more than of edges of the whole picture",
    "concentration_gain_centre": "more than of the middle of the picture",
    "random_weights_deconv": "likeness left with random weights, deconvolution",
    "shuffled_labels_deconv": "likeness to a network taught shuffled labels, deconvolution",
    "shift_deconv": "likeness to the shifted map of a shifted picture, deconvolution",
}
"""Metric -> what it is, for the table at the end of the page."""
