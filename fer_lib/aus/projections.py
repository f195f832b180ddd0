"""Whether the projections of a layer's filters depend on what the network has learned, network by network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pandas as pd
from torch import nn

from face_sets.faceset import FaceSet
from fer_lib.look.deconvolution import Method
from fer_lib.look.judge import MapScore, add_people_groups, sums_left_out
from fer_lib.look.responses import LayerView
from fer_lib.look.sanity import cascading_randomisation, similarities_across_networks
from fer_lib.stats.resampling import RERUN_TOLERANCE, ratio
from fer_lib.stats.two_way import networks_and_people
from fer_lib.train.controls import untrained_network
from fer_lib.train.record import TrainedNetwork
from ferbook.estimate import Estimate

# The populations of networks: trained ones, and those with their random first weights.
TRAINED_NETWORKS, UNTRAINED_NETWORKS = "trained", "untrained"


@dataclass(frozen=True, eq=False)
class NetworkView:
    """An evaluated network.

    Attributes
    ----------
    name, population : str
    model : torch.nn.Module
    view : LayerView
        Its layer with the projections.
    """

    name: str
    population: str
    model: nn.Module
    view: LayerView


def view_networks(
    classifiers: Sequence[TrainedNetwork],
    untrained: int,
    held_out: FaceSet,
    look: Callable[[nn.Module, FaceSet], LayerView],
    *,
    view: LayerView | None = None,
    seed: int = 0,
) -> list[NetworkView]:
    """Apply ``look`` to all networks: the ``classifiers`` and ``untrained`` ones.

    Parameters
    ----------
    classifiers : sequence of TrainedNetwork
    untrained : int
        Number of untrained networks, with first weights from ``seed`` on.
    held_out : FaceSet
        The pictures.
    look : callable
        ``look.responses.view_layer`` with its settings.
    view : LayerView, optional
        Used for the first network if it is of ``held_out``.
    seed : int

    Returns
    -------
    list of NetworkView
    """
    models = [(each.name, TRAINED_NETWORKS, each.model) for each in classifiers]
    models += [
        (f"untrained {number}", UNTRAINED_NETWORKS, untrained_network(classifiers[0].model, number))
        for number in range(seed, seed + untrained)
    ]
    spared = {0: view} if view is not None and view.faces is held_out else {}
    return [NetworkView(*each, spared.get(n) or look(each[2], held_out)) for n, each in enumerate(models)]


def over_networks(measure: MapScore, values: np.ndarray) -> Estimate | None:
    """Apply ``stats.two_way.networks_and_people`` to the networks whose values are all defined; None if there
    are none, and no interval with a single person.
    """
    defined = values[np.isfinite(values).all(axis=1)]
    about = {"n": len(defined), "tolerance": measure.tolerance}
    if not len(defined):
        return None
    if values.shape[1] > 2:
        return networks_and_people(defined, **about)
    return Estimate(defined[:, 0].mean(), why="fewer than two people", **about)


def check_projections(networks: Sequence[NetworkView], count: int, *, seed: int = 0) -> pd.DataFrame:
    """Compare the projections of the trained networks with those of other networks, by every method.

    Of each trained network ``count`` filters are used, each with its strongest picture, and compared with
    those of the network itself with random weights, of an untrained one, and of the next trained one if there
    are several. Filters of two networks are matched by their responses to the pictures that are not
    projected.

    Parameters
    ----------
    networks : sequence of NetworkView
    count : int
        Filters of each network.
    seed : int
        Of the random weights.

    Returns
    -------
    pandas.DataFrame
        Rows of ``look.sanity.similarities`` with ``check`` (``random weights``, ``untrained``, ``retrained``,
        ``learned``), ``network``, ``method``, ``step``, ``layer``. The check ``learned`` has the difference
        of the last two, beyond their floors.
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
                about = {"maxima": maxima, "method": method}
                likened = similarities_across_networks((own.model, other.model), *at, **about)
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
    """Summarise ``check_projections``: one row per ``check``, ``method``, ``step``, ``layer`` and
    ``measure``.

    Returns
    -------
    pandas.DataFrame
        ``similarity``, ``floor`` and ``excess`` = similarity − floor, means over networks, the last an
        Estimate over networks and people; ``n`` pairs that were compared; ``off``, pairs that could not be,
        since a neuron is inactive; and ``networks``. NaN and None where too few neurons are active in both
        networks.
    """
    compared = add_people_groups(compared, "cluster").eval("excess = similarity - floor")
    names, rows = ["check", "method", "step", "layer", "measure"], []
    for key, own in compared.groupby(names, sort=False):
        there = own.dropna(subset="excess")
        excess = over_networks(EXCESS, ratio(sums_left_out(there, EXCESS)))
        counts = len(there), len(own) - len(there), there["network"].nunique()
        rows.append((*key, there["similarity"].mean(), there["floor"].mean(), excess, *counts))
    return pd.DataFrame(rows, columns=[*names, "similarity", "floor", "excess", "n", "off", "networks"])
