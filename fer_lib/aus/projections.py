"""What the projections of a layer's filters say, network by network: where they lie beside controls, and
whether they show the network.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from torch import nn

from fer_lib.aus.measures import coded_together
from fer_lib.aus.presence import Presence, presence
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.controls import receptive_fields
from fer_lib.look.deconvolution import Method
from fer_lib.look.judge import MAP_SCORES, MapScore, in_groups, sums_left_out, unit_regions
from fer_lib.look.layer_view import LayerView
from fer_lib.look.localisation import scores
from fer_lib.look.regions import region_aus
from fer_lib.look.responses import known_subjects
from fer_lib.look.sanity import cascading_randomisation, similarities_across_networks
from fer_lib.stats.resampling import RERUN_TOLERANCE, ratio
from fer_lib.stats.two_way import networks_and_people
from fer_lib.train.controls import untrained_network
from fer_lib.train.lesson import TrainedNetwork
from ferbook.estimate import Estimate

CONCENTRATION_TOLERANCE = 0.5
"""How far a concentration, energy over area, may move where another processor adds up in another order: a
weak maximum may change its place.
"""

TRAINED_NETWORKS, UNTRAINED_NETWORKS, PHOTOGRAPH_NETWORKS = "trained", "untrained", "photographs"
"""The populations of networks: those that are asked about, those with their first random weights, and those
taught by photographs.
"""


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
    show the same emotion, and all such pairs of pictures count alike; a picture for which a unit was not
    coded says nothing of it. No map is looked at. Units that fewer than ``aus.presence.FEWEST_SUBJECTS``
    people show are left out.
    """
    truth = truth.scored()
    wins, pairs = np.zeros((maxima.shape[1], len(truth.aus))), np.zeros(len(truth.aus))
    for emotion in np.unique(truth.emotions):
        own = truth.emotions == emotion
        for units, rows in coded_together(truth.present[own]):
            ranks, labels = rankdata(maxima[own][rows], axis=0), truth.present[own][np.ix_(rows, units)] == 1
            count = labels.sum(axis=0)
            wins[:, units] += ranks.T @ labels - count * (count + 1) / 2
            pairs[units] += count * (len(rows) - count)
    strength = np.divide(2 * wins, pairs, out=np.full(wins.shape, -np.inf), where=pairs > 0)
    return np.array(truth.aus, dtype=object)[strength.argmax(axis=1)]


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
    the ``classifiers``, those taught by ``photographs``, and so many ``untrained`` ones, with first weights
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
                gain = over_networks(
                    measure, *(pooled(side, measure) for side in _of_shared_units(own, part))
                )
            elif kind != "ours":
                gain = over_networks(measure, ours - its)
            rows.append((name, kind, over_networks(measure, its), gain, len(its), len(part)))
    return pd.DataFrame(rows, columns=["measure", "kind", "estimate", "gain", "networks", "pairs"])


def _of_shared_units(ours: pd.DataFrame, null: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of both whose unit the other has, too, with a ``weight`` by which each unit has as much of the
    second as of the first.
    """
    shared = set(ours["au"]) & set(null["au"])
    ours, null = (rows[rows["au"].isin(shared)] for rows in (ours, null))
    weight = ours["au"].value_counts() / null["au"].value_counts()
    return ours.assign(weight=1.0), null.assign(weight=null["au"].map(weight).astype(float))


def pooled(rows: pd.DataFrame, measure: MapScore) -> np.ndarray:
    """(R, 1 + G): values whose mean over networks is the ratio of the sums over all networks, for networks
    with unequal numbers of rows; of the sums without a group of people to the first order.
    """
    sums = sums_left_out(rows, measure)
    sums = sums[(sums[..., 1] > 0).all(axis=1)]
    if not len(sums):
        return sums[..., 0]
    pooled = ratio(sums[:, 0].sum(axis=0))
    return pooled + (sums[..., 0] - pooled * sums[..., 1]) / sums[:, 0, 1].mean()


def over_networks(
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


def check_projections(networks: Sequence[NetworkView], count: int, *, seed: int = 0) -> pd.DataFrame:
    """How much of the trained networks' projections is left in other networks, by every method: rows of
    ``look.sanity.similarities`` with ``check`` (``random weights``, ``untrained``, ``retrained``,
    ``learned``), ``network``, ``method``, ``step``, ``layer``.

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
        excess = over_networks(EXCESS, ratio(sums_left_out(there, EXCESS)))
        counts = len(there), len(own) - len(there), there["network"].nunique()
        rows.append((*key, there["similarity"].mean(), there["floor"].mean(), excess, *counts))
    return pd.DataFrame(rows, columns=[*names, "similarity", "floor", "excess", "n", "off", "networks"])
