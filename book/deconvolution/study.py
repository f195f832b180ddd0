"""A network small enough to draw every number of its deconvolution; how far projections overlap the skin that
a unit moves, with controls; and how alike they are after the weights are randomised.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import get_args

import numpy as np
import pandas as pd
import torch
from torch import nn

from book.deconvolution.chapter import DeconvolutionParameters
from book.session import networks_of_pair
from face_sets.request import FaceRequest
from fer_lib.aus.interventions import interventions, twins_of
from fer_lib.aus.projections import TRAINED_NETWORKS, UNTRAINED_NETWORKS, NetworkView
from fer_lib.look.deconvolution import Method, project
from fer_lib.look.judge import (
    MAP_SCORES,
    MapBenchmark,
    Twins,
    add_people_groups,
    map_benchmark,
    sums_left_out,
)
from fer_lib.look.localisation import control_maps, cross_fitted_overlap
from fer_lib.look.responses import LayerView
from fer_lib.stats.degree import Role, degree_and_distance
from fer_lib.stats.resampling import RERUN_TOLERANCE, bootstrap, ratio
from fer_lib.stats.two_way import networks_and_people
from fer_lib.train.controls import untrained_network
from fer_lib.train.record import TrainedNetwork
from ferbook.errors import ChapterError, DataError
from ferbook.estimate import Estimate
from ferbook.rule import degree_answer
from ferbook.text import bounds_text, interval_text
from synthetic_faces.facs import AUS

TOY_PICTURE = np.array(
    (
        (2, 1, 1, 3, 2, 0),
        (3, 1, 2, 1, 2, 2),
        (0, 0, 1, 1, 0, 3),
        (0, 3, 0, 0, 1, 1),
        (2, 2, 0, 3, 0, 1),
        (1, 1, 1, 2, 0, 1),
    ),
    np.float64,
)
FIRST_FILTER = np.array(((-1, 0, 1), (-1, 0, 1), (-1, 0, 1)), np.float64)
"""Lighter to the right."""

SECOND_FILTER = np.array(((2, -1), (1, 1)), np.float64)


def toy_network() -> nn.Sequential:
    """Convolution, ReLU, max pooling, convolution, ReLU: one filter each, the numbers above."""
    first, second = nn.Conv2d(1, 1, 3, bias=False), nn.Conv2d(1, 1, 2, bias=False)
    for layer, weights in ((first, FIRST_FILTER), (second, SECOND_FILTER)):
        layer.weight.data = torch.from_numpy(weights)[None, None]
    names = ("conv1", "relu1", "pool1", "conv2", "relu2")
    layers = (first, nn.ReLU(), nn.MaxPool2d(2), second, nn.ReLU())
    return nn.Sequential(OrderedDict(zip(names, layers, strict=True))).eval().requires_grad_(False)


OWN_ONE, MAIN_ROLE, CEILING, FLOOR_ROLE = "own", "trained", "units", "untrained"
"""Whose maps they are: those of the run's own network, and of the three roles."""

MAP_CONTROLS = ("field_edges", "field", "edges", "other_filter", "random")
"""Control maps of ``look.localisation``."""

THE_CHANGE = "change"
"""The change itself as a map: a face with its unit minus the same face without."""

QUESTIONS = {
    "iou": ("Does deconvolution show where the unit is?", 0.05, ("iou_field_edges", "iou_change")),
    "iou_at_same_places": (
        "Does training improve this overlap?",
        0.02,
        (f"{FLOOR_ROLE}_iou_at_same_places", f"{CEILING}_iou_at_same_places"),
    ),
}
"""Measure -> question, least difference of its controls that matters (as in ``claims.yaml``), controls."""


def require_held_out(networks: Sequence[TrainedNetwork], held_out: FaceRequest) -> None:
    """Raise ChapterError where a network was trained on the people of ``held_out``."""
    name, seed = held_out.name, held_out.face_seed
    for each in networks:
        if (each.record.faces.name, each.record.faces.face_seed) == (name, seed):
            raise ChapterError(
                f"network {each.name!r} was trained on the people of {name} with face_seed {seed}, which "
                f"deconvolution needs as held-out subjects; give it another eval_face_seed"
            )


def activated_faces(p: DeconvolutionParameters) -> Twins:
    """Render held-out people, each with one action unit and without."""
    settings = {"size": p.held_out_request.size, "face_seed": p.eval_seed, "domain": p.domain}
    return twins_of(interventions(p.people, AUS, (1.0,), **settings))


def benchmarks_of(
    p: DeconvolutionParameters,
    own: Sequence[TrainedNetwork],
    stored: Callable[[str], Sequence[TrainedNetwork]],
    twins: Twins,
    layer: str,
) -> tuple[dict[str, list[MapBenchmark]], str]:
    """Find in each network of each role, for each unit, the filter that the unit activates most.

    Parameters
    ----------
    own : sequence of TrainedNetwork
        The page's networks. They are measured where those of the roles cannot be; else the first is shown.
    stored : callable
        Networks by the name of their population.

    Returns
    -------
    dict of str to list of MapBenchmark
        The networks by role.
    str
        Why those of the roles are not evaluated; empty if they are.
    """
    groups, left_out = {MAIN_ROLE: list(own)}, ""
    if p.pairs:
        try:
            both = networks_of_pair(p, p.pairs[0], own[0].record.network, stored)
        except DataError as fault:
            left_out = str(fault)
        else:
            groups = dict(zip((MAIN_ROLE, CEILING), both, strict=True))
            groups |= {} if p.population else {OWN_ONE: list(own[:1])}
    models = {name: [(each.name, each.model) for each in networks] for name, networks in groups.items()}
    fewest = min(len(networks) for name, networks in models.items() if name != OWN_ONE)
    models[FLOOR_ROLE] = [
        (f"untrained {seed}", untrained_network(models[MAIN_ROLE][0][1], seed))
        for seed in range(min(p.untrained, fewest))
    ]
    return {
        name: [map_benchmark(f"{name}: {called}", model, twins, layer=layer) for called, model in networks]
        for name, networks in models.items()
    }, left_out


def overlap_table(benchmarks: Sequence[MapBenchmark], method: Method) -> pd.DataFrame:
    """Measure how far maps overlap the skin that their unit moves.

    Returns
    -------
    DataFrame
        A row for each map: ``network``, ``kind`` (``ours``, ``MAP_CONTROLS`` or ``THE_CHANGE``), ``subject``,
        ``au``, ``row`` and ``iou``.
    """
    tables = []
    for each in benchmarks:
        shown = each.twins.on.pixels[each.rows]
        ours = projected(each, each.rows, each.filters, each.positions, method)
        controls = control_maps(ours, shown, each.filters, fields=each.fields)
        maps = {"ours": ours} | {name: controls[name] for name in MAP_CONTROLS if name in controls}
        maps[THE_CHANGE] = np.abs(shown.astype(np.float32) - each.twins.off.pixels[each.rows])
        tables += [_overlaps(each, each.rows, own).assign(kind=kind) for kind, own in maps.items()]
    return pd.concat(tables, ignore_index=True)


def same_places(benchmarks: Mapping[str, Sequence[MapBenchmark]], method: Method) -> pd.DataFrame:
    """Measure the overlap of maps that networks of all roles draw at the same places.

    One network of each role at a time: the places are the extrema of all of them, in the faces that activate
    all of them, and each projects its own filter of the unit from there. A neuron that is off draws nothing,
    and its overlap is missing.

    Returns
    -------
    DataFrame
        As of ``overlap_table``, with ``population``, the role, for ``kind``.
    """
    roles = {name: some for name, some in benchmarks.items() if name != OWN_ONE}
    tables = []
    for together in zip(*roles.values(), strict=False):
        rows = np.array(sorted(set.intersection(*(set(each.rows.tolist()) for each in together))), int)
        if not len(rows):
            continue
        chosen = [np.searchsorted(each.rows, rows) for each in together]
        places = np.concatenate([each.positions[at] for each, at in zip(together, chosen, strict=True)])
        repeated = np.tile(rows, len(together))
        for population, each, at in zip(roles, together, chosen, strict=True):
            filters = np.tile(each.filters[at], len(together))
            maps = projected(each, repeated, filters, places, method)
            tables.append(_overlaps(each, repeated, maps).assign(population=population))
    return pd.concat(tables, ignore_index=True)


def projected(
    benchmark: MapBenchmark, rows: np.ndarray, filters: np.ndarray, positions: np.ndarray, method: Method
) -> np.ndarray:
    """Project neurons of a benchmark to the pixels: float32 (P, H, W)."""
    pictures, at = benchmark.twins.on.pixels, {"positions": positions, "method": method}
    return project(benchmark.network, benchmark.layer, pictures, rows, filters, **at).whole()


def _overlaps(benchmark: MapBenchmark, rows: np.ndarray, maps: np.ndarray) -> pd.DataFrame:
    twins = benchmark.twins
    people = twins.people[rows]
    found = cross_fitted_overlap(maps, twins.regions[0][rows], people)
    about = {"network": benchmark.name, "subject": people, "au": twins.aus[rows], "row": rows}
    return pd.DataFrame(about | {"iou": found})


def _values(rows: pd.DataFrame) -> np.ndarray:
    """(R, 1 + G): mean overlap of each network, with all people and without each group of them; only networks
    where it is defined.
    """
    values = ratio(sums_left_out(rows, MAP_SCORES["iou"])) if len(rows) else np.empty((0, 2))
    return values[np.isfinite(values).all(axis=1)]


ABOUT_OVERLAP = {"tolerance": RERUN_TOLERANCE, "limits": (0, 1), "unit": "share"}


def overlap_metrics(found: pd.DataFrame, same: pd.DataFrame) -> tuple[dict[str, Estimate], list[str]]:
    """Estimate overlaps, their controls and degrees, over networks and people.

    Parameters
    ----------
    found, same : DataFrame
        From ``overlap_table`` and ``same_places``.

    Returns
    -------
    dict of str to Estimate
        ``iou`` of the filters' own maps, ``iou_<kind>`` of others, ``iou_over_edges``;
        ``iou_at_same_places``, and ``<role>_iou_at_same_places`` of the other roles; of both measures
        ``_degree`` and ``_room`` (the difference of the controls); ``networks_of_each_role``.
    list of str
        Why a degree is missing.
    """
    found, same = (add_people_groups(table, "subject") for table in (found, same))
    own = {kind: _values(found[found["kind"].eq(kind)]) for kind in found["kind"].unique()}
    metrics = {}
    for kind, values in own.items():
        name = "iou" if kind == "ours" else f"iou_{kind}"
        metrics[name] = networks_and_people(values, **ABOUT_OVERLAP)
    lead = own["ours"] - own["field_edges"]
    metrics["iou_over_edges"] = networks_and_people(lead, **ABOUT_OVERLAP | {"limits": (-1, 1)})
    places = {role: _values(same[same["population"].eq(role)]) for role in (FLOOR_ROLE, MAIN_ROLE, CEILING)}
    for role, values in places.items():
        if len(values):
            prefix = "" if role == MAIN_ROLE else f"{role}_"
            metrics[f"{prefix}iou_at_same_places"] = networks_and_people(values, **ABOUT_OVERLAP)
    number = min(map(len, places.values()))
    metrics["networks_of_each_role"] = Estimate(number, unit="count")
    maps = {"edges": own["field_edges"], "own maps": own["ours"], "the change": own[THE_CHANGE]}
    controlled = {"iou": maps} if len(own["ours"]) > 1 else {}
    controlled |= {"iou_at_same_places": places} if number else {}
    faults = []
    for name, values in controlled.items():
        try:
            roles = [Role(role, each[:, 0], each[:, 1:].T) for role, each in values.items()]
            # Of iou the maps are of the same networks; of the other the places are, one network of each role.
            degree, room = degree_and_distance(*roles, same_networks=True, unit="share")
        except DataError as fault:
            faults.append(f"{name}: {fault}")
        else:
            metrics[f"{name}_degree"] = replace(degree, tolerance=0.5)
            metrics[f"{name}_room"] = replace(room, tolerance=0.15)
    return metrics, faults


def overlap_means(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Average overlaps by ``column`` (``kind`` or ``population``) and network: ``network`` (empty of a mean),
    ``estimate`` (a number of a single network).
    """
    table, rows = add_people_groups(table, "subject"), []
    for name in table[column].unique():
        values = _values(table[table[column].eq(name)])
        if len(values):
            rows.append((name, "", networks_and_people(values, **ABOUT_OVERLAP)))
            rows += [(name, str(number), value) for number, value in enumerate(values[:, 0])]
    return pd.DataFrame(rows, columns=[column, "network", "estimate"])


METRICS_OF_CHECKS = {
    "untrained": "untrained_match",
    "retrained": "retrained_ceiling",
    "learned": "retrained_over_untrained",
}


def sanity_metrics(checks: pd.DataFrame) -> dict[str, Estimate]:
    """Read how alike maps are above their floor, with all weights random, off ``checks_summary``.

    ``random_weights_<method>`` in that measure, absolute or signed, in which it is largest; of deconvolution,
    in the same measure, ``METRICS_OF_CHECKS``.
    """
    likeness = _likeness(checks)
    keys = {f"random_weights_{method}": ("random weights", method) for method in get_args(Method)}
    keys |= {name: (check, "deconv") for check, name in METRICS_OF_CHECKS.items()}
    return {name: likeness[key] for name, key in keys.items() if key in likeness}


def _likeness(checks: pd.DataFrame) -> dict[tuple[str, str], Estimate]:
    """By check and method, after the last step."""
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
    """Count networks, filters and projected pairs, and estimate how often extrema lie at one place.

    Parameters
    ----------
    view : LayerView
        Of the network that is shown.
    places : DataFrame
        The data of ``figures.extremum_points``.

    Returns
    -------
    dict of str to Estimate
        ``networks``, ``networks_untrained``; ``filters``, ``filters_silent`` (that never respond), ``pairs``,
        ``receptive_field`` and ``height`` of the pictures (pixels) of ``view``; ``place_share`` and
        ``place_share_untrained``: proportion of extrema at or next to the commonest place, of the median
        filter, in the mean of the networks.
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
    names = {"place_share": TRAINED_NETWORKS, "place_share_untrained": UNTRAINED_NETWORKS}
    for name, population in names.items():
        own = medians.loc[population].to_numpy()
        settings = {"of": "networks", "n": len(own), "unit": "share", "tolerance": RERUN_TOLERANCE}
        metrics[name] = bootstrap(np.stack([own, np.ones(len(own))], axis=1), **settings)
    return metrics


def degrees_text(metrics: Mapping[str, Estimate], left_out: Sequence[str]) -> str:
    """Answer both questions by the rule of ``claims.yaml``, without gates, and say what was ``left_out``."""
    parts = []
    for name, (question, matters, controls) in QUESTIONS.items():
        if f"{name}_degree" in metrics:
            degree, room = metrics[f"{name}_degree"], metrics[f"{name}_room"]
            answer = degree_answer(degree, room, matters).capitalize()
            ends = " and ".join(bounds_text(metrics[each]) for each in controls)
            known = (
                f"; degree {interval_text(replace(degree, unit='share'))}" if degree.low is not None else ""
            )
            parts.append(
                f"{question} {answer}. Overlap {bounds_text(metrics[name])}, controls {ends}{known}."
            )
    if left_out:
        parts.append(f"Left out: {'; '.join(left_out)}.")
    return " ".join(parts)
