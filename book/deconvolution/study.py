"""What the projections of a layer's filters say, network by network: where they lie, and whether they show
the network.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from torch import nn

from book.deconvolution.layer_view import LayerView, extremum_counts
from fer_lib.aus.presence import Presence, presence
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.request import FaceRequest
from fer_lib.look.controls import receptive_fields
from fer_lib.look.deconvolution import Method
from fer_lib.look.judge import MAP_SCORES, MapScore, in_groups, sums_left_out, unit_regions
from fer_lib.look.localisation import scores
from fer_lib.look.regions import region_aus
from fer_lib.look.responses import known_subjects
from fer_lib.look.sanity import cascading_randomisation, similarities_across_networks
from fer_lib.stats.resampling import RERUN_TOLERANCE, bootstrap, ratio
from fer_lib.stats.two_way import networks_and_people
from fer_lib.train.controls import untrained_network
from fer_lib.train.lesson import TrainedNetwork
from ferbook.errors import ChapterError
from ferbook.estimate import Estimate
from ferbook.page.tables import Table

CONCENTRATION_TOLERANCE = 0.5
"""How far a concentration, energy over area, may move where another processor adds up in another order: a
weak maximum may change its place.
"""

TRAINED_NETWORKS, UNTRAINED_NETWORKS, PHOTOGRAPH_NETWORKS = "trained", "untrained", "photographs"
"""The populations of networks: those that the chapter is about, those with their first random weights, and
those taught by photographs.
"""

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


@dataclass(frozen=True, eq=False)
class NetworkView:
    """A network that was asked: its ``name``, its ``population`` and its ``model``; ``view``, its layer with
    the projections; ``units`` (K,), the action unit of each filter, see ``units_of_filters``.
    """

    name: str
    population: str
    model: nn.Module
    view: LayerView
    units: np.ndarray


def units_of_filters(maxima: np.ndarray, truth: Presence) -> np.ndarray:
    """The action unit with which each filter goes most: names (K,), of ``maxima`` (N, K) and what the N
    pictures show.

    The largest 2 · AUROC − 1 within emotions: pictures with and without the unit are compared only where they
    show the same emotion, and all such pairs of pictures count alike. No map is looked at. Units that fewer
    than ``aus.presence.FEWEST_SUBJECTS`` people show are left out.
    """
    truth = truth.scored()
    wins, pairs = np.zeros((maxima.shape[1], len(truth.aus))), np.zeros(len(truth.aus))
    for emotion in np.unique(truth.emotions):
        own = truth.emotions == emotion
        ranks, labels = rankdata(maxima[own], axis=0), truth.present[own] == 1
        count = labels.sum(axis=0)
        wins += ranks.T @ labels - count * (count + 1) / 2
        pairs += count * (own.sum() - count)
    strength = np.divide(2 * wins, pairs, out=np.full(wins.shape, -np.inf), where=pairs > 0)
    return np.array(truth.aus, dtype=object)[strength.argmax(axis=1)]


def require_strangers(networks: Sequence[TrainedNetwork], strangers: FaceRequest) -> None:
    """Raise ChapterError where one of the networks learned from the people of ``strangers``."""
    name, seed = strangers.name, strangers.face_seed
    for each in networks:
        if (each.lesson.faces.name, each.lesson.faces.face_seed) == (name, seed):
            raise ChapterError(
                f"network {each.name!r} learned from the people of {name} with face_seed {seed}, who are "
                f"to be strangers to it; give chapter deconvolution another face_seed than {seed - 1}"
            )


def view_networks(
    classifiers: Sequence[TrainedNetwork],
    photographs: Sequence[TrainedNetwork],
    untrained: int,
    strangers: FaceSet,
    look: Callable[[nn.Module, FaceSet], LayerView],
    *,
    view: LayerView | None = None,
    seed: int = 0,
) -> list[NetworkView]:
    """All networks with what ``look`` (``layer_view.view_layer`` with its settings) sees of ``strangers``:
    those of the chapter, those taught by ``photographs``, and so many ``untrained`` ones, with first weights
    from ``seed`` on.

    ``view`` is taken for that of the first network where it is of the strangers.
    """
    models = [(each.name, TRAINED_NETWORKS, each.model) for each in classifiers]
    models += [(each.name, PHOTOGRAPH_NETWORKS, each.model) for each in photographs]
    models += [
        (f"untrained {number}", UNTRAINED_NETWORKS, untrained_network(classifiers[0].model, number))
        for number in range(seed, seed + untrained)
    ]
    truth, networks = presence(strangers), []
    for name, population, model in models:
        spared = not networks and view is not None and view.faces is strangers
        own = view if spared else look(model, strangers)
        networks.append(
            NetworkView(name, population, model, own, units_of_filters(own.responses.maxima, truth))
        )
    return networks


def asked_about(
    networks: Sequence[NetworkView], faces: FaceSet, look: Callable[[nn.Module, FaceSet], LayerView]
) -> list[NetworkView]:
    """The same networks with what ``look`` sees of other ``faces``. Each filter keeps its unit, which was not
    read from these.
    """
    return [replace(each, view=look(each.model, faces)) for each in networks]


def locate(networks: Sequence[NetworkView], count: int, *, seed: int = 0) -> pd.DataFrame:
    """``look.localisation.scores`` of the projections of ``count`` filters of each network, with the columns
    ``network``, ``population`` and ``au``, the filter's unit.

    The filters are ``view.sample(count)`` with all their top pictures, less those whose unit has no region on
    these faces. The region of each is that of its unit on the picture; the others are
    ``look.regions.rival_regions``.
    """
    tables = []
    for network in networks:
        view = network.view
        aus = region_aus(view.faces)
        sample = [number for number in view.sample(count) if network.units[number] in aus]
        pairs = np.concatenate([np.array(view.pairs_of(number)) for number in sample])
        rows, filters = view.rows[pairs], view.filters[pairs]
        scored = scores(
            np.stack([view.projections.whole(pair) for pair in pairs]),
            *unit_regions(view.faces, rows, network.units[filters]),
            known_subjects(view.faces, rows),
            filters,
            view.faces.gather(rows),
            fields=receptive_fields(view.projections.corners[pairs], view.field.size, view.faces.size),
            seed=seed,
        )
        about = {"network": network.name, "population": network.population}
        tables.append(scored.assign(**about, au=network.units[scored["filter"]]))
    return pd.concat(tables, ignore_index=True)


PLACE_MEASURES = {
    "concentration": replace(MAP_SCORES["concentration"], tolerance=CONCENTRATION_TOLERANCE),
    "pointing_game": replace(MAP_SCORES["pointing"], unit="share", tolerance=RERUN_TOLERANCE),
    "iou": replace(MAP_SCORES["iou"], unit="share", tolerance=RERUN_TOLERANCE),
}
"""The scores of maps that say where they lie."""


def beside_untrained(scored: pd.DataFrame, population: str = TRAINED_NETWORKS) -> pd.DataFrame:
    """How far the maps of the networks of a ``population`` lie in the regions, beside controls and untrained
    networks: one row per measure and kind of ``scored``, which is from ``locate``.

    Each measure is computed per network, and the mean over networks has an interval over networks and people
    (``stats.two_way``). The gain over untrained networks compares filters of the same units, in our networks'
    mixture: some regions are easier to hit than others, and untrained filters go with other units.

    Columns: ``measure``; ``kind``, ``untrained`` for the own maps of untrained networks; the ``estimate``;
    its ``gain``, an Estimate too: the networks' own maps less this kind (None for ours); ``networks``,
    ``pairs``. None where nothing is defined.
    """
    scored = in_groups(scored, "subject")
    own = scored[scored["population"].eq(population)]
    null = scored[scored["population"].eq(UNTRAINED_NETWORKS) & scored["kind"].eq("ours")]
    kinds = pd.concat([own, null.assign(kind=UNTRAINED_NETWORKS)])
    own, rows = own[own["kind"].eq("ours")], []
    for name, measure in PLACE_MEASURES.items():
        ours = ratio(sums_left_out(own, measure))
        for kind, part in kinds.groupby("kind", sort=False):
            its, gain = ratio(sums_left_out(part, measure)), None
            if kind == UNTRAINED_NETWORKS:
                gain = _over_networks(
                    measure, *(_pooled(side, measure) for side in _of_shared_units(own, part))
                )
            elif kind != "ours":
                gain = _over_networks(measure, ours - its)
            rows.append((name, kind, _over_networks(measure, its), gain, len(its), len(part)))
    return pd.DataFrame(rows, columns=["measure", "kind", "estimate", "gain", "networks", "pairs"])


def _of_shared_units(ours: pd.DataFrame, null: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of both whose unit the other has, too, with a ``weight`` by which each unit has as much of the
    second as of the first.
    """
    shared = set(ours["au"]) & set(null["au"])
    ours, null = (rows[rows["au"].isin(shared)] for rows in (ours, null))
    weight = ours["au"].value_counts() / null["au"].value_counts()
    return ours.assign(weight=1.0), null.assign(weight=null["au"].map(weight).astype(float))


def strip_values(scored: pd.DataFrame) -> pd.DataFrame:
    """Every network's own maps in ``scored``, and the means of each population: ``measure``, ``population``,
    ``network`` (empty of a mean), ``estimate`` (of a single network a number).
    """
    own, rows = in_groups(scored[scored["kind"].eq("ours")], "subject"), []
    for name, measure in PLACE_MEASURES.items():
        for population, part in own.groupby("population", sort=False):
            values = ratio(sums_left_out(part, measure))
            rows.append((name, population, "", _over_networks(measure, values)))
            singles = zip(np.unique(part["network"]), values[:, 0], strict=True)
            rows += [(name, population, network, value) for network, value in singles]
    return pd.DataFrame(rows, columns=["measure", "population", "network", "estimate"])


def _pooled(rows: pd.DataFrame, measure: MapScore) -> np.ndarray:
    """(R, 1 + G): values whose mean over networks is the ratio of the sums over all networks, for networks
    with unequal numbers of rows; of the sums without a group of people to the first order.
    """
    sums = sums_left_out(rows, measure)
    sums = sums[(sums[..., 1] > 0).all(axis=1)]
    if not len(sums):
        return sums[..., 0]
    pooled = ratio(sums[:, 0].sum(axis=0))
    return pooled + (sums[..., 0] - pooled * sums[..., 1]) / sums[:, 0, 1].mean()


def _over_networks(
    measure: MapScore, values: np.ndarray, against: np.ndarray | None = None
) -> Estimate | None:
    """``stats.two_way.networks_and_people`` of the networks of which all is defined; None where there is no
    such, and no interval with a single person.
    """
    sides = [side[np.isfinite(side).all(axis=1)] for side in (values, against) if side is not None]
    about = {"n": len(sides[0]), "unit": measure.unit, "tolerance": measure.tolerance}
    if not all(map(len, sides)):
        return None
    if values.shape[1] > 2:
        return networks_and_people(*sides, **about)
    first, *other = (side[:, 0].mean() for side in sides)
    return Estimate(first - sum(other), why="fewer than two people", **about)


def localisation_metrics(table: pd.DataFrame, prefix: str = "") -> dict[str, Estimate]:
    """Of the ``table`` of ``beside_untrained``: ``concentration``, ``pointing`` and ``iou`` of the filters'
    own maps and of untrained networks', ``concentration_untrained`` …; the gain over ``DECISIVE_RIVALS``,
    ``concentration_gain_wrong_au`` …, and over untrained networks, ``concentration_over_untrained`` …; each
    name behind the ``prefix``.
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
            "concentration": _over_networks(energy, _pooled(own, energy)),
            "over other regions": _over_networks(more, _pooled(own, more)),
            "over untrained": _over_networks(energy, _pooled(own, energy), _pooled(rival, energy)),
        }
    table = pd.DataFrame.from_dict(rows, orient="index", dtype=object).rename_axis("unit")
    moves = dict.fromkeys(("concentration", "over other regions", "over untrained"), 1.0)
    moves |= {"filters": 5, "people": 20}
    caption = "Filters by the action unit they go with: energy over area in its region, 95 % intervals"
    return Table(table, caption, tolerance=moves)


def check_projections(networks: Sequence[NetworkView], count: int, *, seed: int = 0) -> pd.DataFrame:
    """How much of the trained networks' projections is left in other networks, by every method: rows of
    ``look.sanity.similarities`` with ``check`` (of ``CHECKS``), ``network``, ``method``, ``step``, ``layer``.

    Of each trained network ``count`` filters, each with its strongest picture: beside its own with random
    weights, an untrained one, and the next trained one, where there are several. Filters of two networks are
    matched by their responses to the pictures that are not projected. The check ``learned`` has the
    difference of the last two, beyond their floors.
    """
    originals = [each for each in networks if each.population == TRAINED_NETWORKS]
    untrained = [each for each in networks if each.population == UNTRAINED_NETWORKS]
    tables = []
    for number, own in enumerate(originals):
        view, layer = own.view, own.view.responses.layer
        filters = view.sample(count)
        rows = view.top[filters, 0]
        others = {"untrained": untrained[number % len(untrained)]}
        if len(originals) > 1:
            others["retrained"] = originals[(number + 1) % len(originals)]
        apart = np.delete(np.arange(len(view.faces)), np.unique(rows))
        at = (view.faces, layer, rows, filters)
        for method in get_args(Method):
            parts = {"random weights": cascading_randomisation(own.model, *at, method=method, seed=seed)}
            for check, other in others.items():
                maxima = tuple(each.view.responses.maxima[apart] for each in (own, other))
                likened = similarities_across_networks(own.model, other.model, *at, maxima, method=method)
                parts[check] = likened.assign(step=0, layer="")
            if "retrained" in parts:
                alike, null = parts["retrained"], parts["untrained"]
                parts["learned"] = alike.assign(
                    similarity=alike["similarity"] - alike["floor"], floor=null["similarity"] - null["floor"]
                )
            tables += [part.assign(check=check, network=own.name) for check, part in parts.items()]
    return pd.concat(tables, ignore_index=True)


EXCESS = MapScore("likeness of maps beyond their floor", "excess", tolerance=RERUN_TOLERANCE)


def checks_summary(compared: pd.DataFrame) -> pd.DataFrame:
    """The likeness in ``check_projections``, one row per ``check``, ``method``, ``step``, ``layer`` and
    ``measure``.

    ``similarity``, ``floor`` and ``excess`` = similarity - floor, means over networks, the last an Estimate
    over networks and people; ``n`` pairs that were compared, ``off``, how many could not be, since a neuron
    is off, and ``networks``. NaN and None where too few neurons are on in both networks.
    """
    compared = in_groups(compared, "cluster").eval("excess = similarity - floor")
    names, rows = ["check", "method", "step", "layer", "measure"], []
    for key, own in compared.groupby(names, sort=False):
        there = own.dropna(subset="excess")
        excess = _over_networks(EXCESS, ratio(sums_left_out(there, EXCESS)))
        counts = len(there), len(own) - len(there), there["network"].nunique()
        rows.append((*key, there["similarity"].mean(), there["floor"].mean(), excess, *counts))
    return pd.DataFrame(rows, columns=[*names, "similarity", "floor", "excess", "n", "off", "networks"])


METRICS_OF_CHECKS = {
    "untrained": "untrained_match",
    "retrained": "retrained_ceiling",
    "learned": "retrained_over_untrained",
}


def sanity_metrics(checks: pd.DataFrame) -> dict[str, Estimate]:
    """``random_weights_deconv``, ``random_weights_guided``, ``random_weights_gradient``: the likeness beyond
    the floor that all weights random leave, in the measure, absolute or signed, of which that is most. For
    deconvolution, and in that measure: ``METRICS_OF_CHECKS``. ``checks`` from ``checks_summary``.
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
