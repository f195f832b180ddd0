"""The chapter's metrics and tables of what ``aus.projections`` says of projections."""

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import numpy as np
import pandas as pd

from fer_lib.aus.projections import (
    PLACE_MEASURES,
    TRAINED_NETWORKS,
    UNTRAINED_NETWORKS,
    NetworkView,
    over_networks,
    pooled,
)
from fer_lib.faces.request import FaceRequest
from fer_lib.look.deconvolution import Method
from fer_lib.look.judge import in_groups, sums_left_out
from fer_lib.look.layer_view import LayerView, extremum_counts
from fer_lib.stats.resampling import RERUN_TOLERANCE, bootstrap, ratio
from fer_lib.train.lesson import TrainedNetwork
from ferbook.errors import ChapterError
from ferbook.estimate import Estimate
from ferbook.page.tables import Table

DECISIVE_RIVALS = ("wrong_au", "other_filter", "field", "field_edges", UNTRAINED_NETWORKS)
"""What a filter's maps have to beat above all for their place to mean anything, see
``look.localisation.scores``."""

BROWS = slice(17, 27)
"""Their landmarks, see ``look.regions``."""

CHECKS = {
    "random weights": "the same neuron, all weights random",
    "untrained": "the filter most alike of a network that learned nothing",
    "retrained": "the filter most alike of a network trained from another seed",
    "learned": "the last less the one before",
}
"""With what the projections of a trained network are compared at the same places."""


def require_strangers(networks: Sequence[TrainedNetwork], strangers: FaceRequest) -> None:
    """Raise ChapterError where one of the networks learned from the people of ``strangers``."""
    name, seed = strangers.name, strangers.face_seed
    for each in networks:
        if (each.lesson.faces.name, each.lesson.faces.face_seed) == (name, seed):
            raise ChapterError(
                f"network {each.name!r} learned from the people of {name} with face_seed {seed}, who are "
                f"to be strangers to it; give chapter deconvolution another face_seed than {seed - 1}"
            )


def strip_values(scored: pd.DataFrame) -> pd.DataFrame:
    """Every network's own maps in ``scored``, and the means of each population: ``measure``, ``population``,
    ``network`` (empty of a mean), ``estimate`` (of a single network a number).
    """
    own, rows = in_groups(scored[scored["kind"].eq("ours")], "subject"), []
    for name, measure in PLACE_MEASURES.items():
        for population, part in own.groupby("population", sort=False):
            values = ratio(sums_left_out(part, measure))
            rows.append((name, population, "", over_networks(measure, values)))
            singles = zip(np.unique(part["network"]), values[:, 0], strict=True)
            rows += [(name, population, network, value) for network, value in singles]
    return pd.DataFrame(rows, columns=["measure", "population", "network", "estimate"])


def localisation_metrics(table: pd.DataFrame, prefix: str = "") -> dict[str, Estimate]:
    """Of the ``table`` of ``aus.projections.beside_untrained``: ``concentration``, ``pointing`` and ``iou``
    of the filters' own maps and of untrained networks', ``concentration_untrained`` …; the gain over
    ``DECISIVE_RIVALS``, ``concentration_gain_wrong_au`` …, and over untrained networks,
    ``concentration_over_untrained`` …; each name behind the ``prefix``.
    """
    metrics = {}
    for row in table[table["kind"].isin(("ours", *DECISIVE_RIVALS))].itertuples():
        name = prefix + row.measure.removesuffix("_game")
        if row.kind == "ours":
            metrics[name] = row.estimate
        elif row.kind == UNTRAINED_NETWORKS:
            metrics |= {f"{name}_untrained": row.estimate, f"{name}_over_untrained": row.gain}
        else:
            metrics[f"{name}_gain_{row.kind}"] = row.gain
    return {name: estimate for name, estimate in metrics.items() if estimate is not None}


def concentration_by_unit(scored: pd.DataFrame) -> Table:
    """One row per action unit that some filter of every trained network goes with: how many do, in the mean,
    their concentration, and by how much it exceeds that in the regions of other units of equal size, and that
    of untrained networks' filters of the same unit.

    Means are over the filters of all networks, which have unequal numbers of them.
    """
    pairs = scored[scored["population"].eq(TRAINED_NETWORKS)]
    ours = pairs[pairs["kind"].eq("ours")].set_index(["network", "pair"])
    others = pairs[pairs["kind"].eq("wrong_au")].set_index(["network", "pair"])["energy_share"]
    # Both regions are of one size, so the gain is the difference of energies over that size.
    ours = ours.assign(more=ours["energy_share"] - others).reset_index()
    null = scored[scored["population"].eq(UNTRAINED_NETWORKS) & scored["kind"].eq("ours")]
    filters = ours.drop_duplicates(["network", "filter"]).groupby(["au", "network"]).size()
    shared = filters.groupby("au").size().eq(ours["network"].nunique())
    energy = PLACE_MEASURES["concentration"]
    more = replace(energy, top="more")
    rows = {}
    for au in sorted(shared.index[shared], key=lambda au: int(au[2:])):
        both = pd.concat([part[part["au"].eq(au)] for part in (ours, null)], ignore_index=True)
        both = in_groups(both, "subject")
        own, rival = (both[both["population"].eq(name)] for name in (TRAINED_NETWORKS, UNTRAINED_NETWORKS))
        rows[au] = {
            "filters": filters[au].mean(),
            "people": own["subject"].nunique(),
            "concentration": over_networks(energy, pooled(own, energy)),
            "over other regions": over_networks(more, pooled(own, more)),
            "over untrained": over_networks(energy, pooled(own, energy), pooled(rival, energy)),
        }
    table = pd.DataFrame.from_dict(rows, orient="index", dtype=object).rename_axis("unit")
    moves = dict.fromkeys(("concentration", "over other regions", "over untrained"), 1.0)
    moves |= {"filters": 5, "people": 20}
    caption = "Filters by the action unit they go with: energy over area in its region, 95 % intervals"
    return Table(table, caption, tolerance=moves)


METRICS_OF_CHECKS = {
    "untrained": "untrained_match",
    "retrained": "retrained_ceiling",
    "learned": "retrained_over_untrained",
}


def sanity_metrics(checks: pd.DataFrame) -> dict[str, Estimate]:
    """``random_weights_deconv``, ``random_weights_guided``, ``random_weights_gradient``: the likeness beyond
    the floor that all weights random leave, in the measure, absolute or signed, of which that is most. For
    deconvolution, and in that measure: ``METRICS_OF_CHECKS``. ``checks`` from
    ``aus.projections.checks_summary``.
    """
    likeness = _likeness(checks)
    keys = {f"random_weights_{method}": ("random weights", method) for method in get_args(Method)}
    keys |= {name: (check, "deconv") for check, name in METRICS_OF_CHECKS.items()}
    return {name: likeness[key] for name, key in keys.items() if key in likeness}


def checks_table(checks: pd.DataFrame) -> Table:
    """A row per check and a column per method: the likeness beyond the floor, as in ``sanity_metrics``."""
    likeness, methods = _likeness(checks), get_args(Method)
    rows = {
        CHECKS[check]: [likeness.get((check, method)) for method in methods]
        for check in CHECKS
        if (check, "deconv") in likeness
    }
    data = pd.DataFrame.from_dict(rows, orient="index", columns=methods, dtype=object)
    caption = "Rank correlation of projections beyond the floor, with 95 % intervals"
    moves = dict.fromkeys(methods, 2 * RERUN_TOLERANCE)
    return Table(data.rename_axis("compared with"), caption, tolerance=moves)


def _likeness(checks: pd.DataFrame) -> dict[tuple[str, str], Estimate]:
    """By check and method, of the last step, in the measure of which most is left with random weights."""
    random = checks["check"].eq("random weights")
    last = checks[~random | checks["step"].eq(checks["step"].max())].dropna(subset="excess")
    likeness = {}
    for method, rows in last.groupby("method", sort=False):
        rest = rows[rows["check"].eq("random weights")]
        most = max(rest.itertuples(), key=lambda row: row.excess.value, default=next(rows.itertuples()))
        own = rows[rows["measure"].eq(most.measure)].set_index("check")["excess"]
        likeness |= {(check, method): excess for check, excess in own.items()}
    return likeness


def view_metrics(
    view: LayerView, networks: Sequence[NetworkView], places: pd.DataFrame
) -> dict[str, Estimate]:
    """``networks`` trained, ``networks_untrained``; ``filters``, ``filters_silent`` (that never respond),
    ``pairs`` projected, ``receptive_field`` and ``height`` of the pictures (pixels) of the one in ``view``;
    ``place_share``: of the median filter, the share of extrema at or next to the commonest place, in the mean
    of the trained networks, with ``place_share_untrained``. ``places``: the data of
    ``figures.extremum_points``.
    """
    populations = [each.population for each in networks]
    counts = {
        "networks": populations.count(TRAINED_NETWORKS),
        "networks_untrained": populations.count(UNTRAINED_NETWORKS),
        "filters": len(view.top),
        "filters_silent": int((view.ranking["pictures"] == 0).sum()),
        "pairs": len(view.rows),
        "receptive_field": view.field.size,
        "height": view.faces.size[0],
    }
    metrics = {name: Estimate(value, unit="count") for name, value in counts.items()}
    medians = places.groupby(["population", "network"])["share"].median()
    for name, population in (
        ("place_share", TRAINED_NETWORKS),
        ("place_share_untrained", UNTRAINED_NETWORKS),
    ):
        own = medians.loc[population].to_numpy()
        settings = {"of": "networks", "n": len(own), "unit": "share", "tolerance": RERUN_TOLERANCE}
        metrics[name] = bootstrap(np.stack([own, np.ones(len(own))], axis=1), **settings)
    return metrics


def high_places(network: NetworkView, places: pd.DataFrame) -> dict[str, Estimate]:
    """Where that quarter of the filters of ``network`` draws whose extrema lie highest, as shares of the
    picture's height from its upper edge: ``high_extrema``, the mean of the commonest places; ``high_energy``,
    the mean height of their projections' energy; ``brows``, where the brows are. ``border_extrema``: the
    share of all filters' extrema in the outermost rows and columns of the map, and ``border_area``, that of
    its places. ``places`` as of ``view_metrics``.
    """
    view, places = network.view, places[places["network"].eq(network.name)]
    high = places.nsmallest(-(-len(places) // 4), "y")
    pairs = np.flatnonzero(np.isin(view.filters, high["filter"]))
    energy = sum(np.abs(view.projections.whole(pair)).sum(axis=1) for pair in pairs)
    counts = extremum_counts(view.responses).sum(axis=0)
    inner = (slice(1, -1), slice(1, -1))
    height = view.faces.size[0]
    shares = {
        "high_extrema": high["y"].mean() / height,
        "high_energy": float(energy @ np.arange(height) / energy.sum()) / height,
        "brows": float(view.faces.landmarks[:, BROWS, 1].mean()) / height,
        "border_extrema": 1 - counts[inner].sum() / counts.sum(),
        "border_area": 1 - counts[inner].size / counts.size,
    }
    about = {"why": "of the filters of one network", "unit": "share", "tolerance": RERUN_TOLERANCE}
    return {name: Estimate(value, **about) for name, value in shares.items()}
