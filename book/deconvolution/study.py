"""A network small enough that every number of a deconvolution by hand fits into a figure; how far projections
overlap the skin that a unit moves, between two ends; and what is left of them with random weights.
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
from fer_lib.look.judge import MAP_SCORES, MapBenchmark, Twins, in_groups, map_benchmark, sums_left_out
from fer_lib.look.localisation import control_maps, cross_fitted_overlap
from fer_lib.look.responses import LayerView
from fer_lib.stats.degree import Role, degree_and_room
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


OWN_ONE, MEASURED, CEILING, FLOOR_ROLE = "own", "trained", "units", "untrained"
"""Whose maps they are: of the run's own network beside kept ones, and of the three roles."""

MAP_CONTROLS = ("field_edges", "field", "edges", "other_filter", "random")
"""Of ``look.localisation``: what a filter's maps stand beside."""

ANSWERED = {
    "iou": ("Does deconvolution show where the unit is?", 0.05),
    "iou_at_same_places": ("Does training put it there?", 0.02),
}
"""Measure -> what it answers, and the least room that matters, as ``claims.yaml`` says."""

THE_CHANGE = "change"
"""The maps that show the change itself: a face with its unit less the same face without."""


def require_held_out(networks: Sequence[TrainedNetwork], held_out_people: FaceRequest) -> None:
    """Raise ChapterError where one of the networks learned from the people of ``held_out_people``."""
    name, seed = held_out_people.name, held_out_people.face_seed
    for each in networks:
        if (each.record.faces.name, each.record.faces.face_seed) == (name, seed):
            raise ChapterError(
                f"network {each.name!r} learned from the people of {name} with face_seed {seed}, who are "
                f"to be held out from it; give chapter deconvolution another face_seed than {seed - 1}"
            )


def switched_faces(p: DeconvolutionParameters) -> Twins:
    """Faces of people whom no network has seen, each with one action unit and without."""
    settings = {"size": p.held_out_request.size, "face_seed": p.eval_seed, "domain": p.domain}
    return twins_of(interventions(p.people, AUS, (1.0,), **settings))


def benchmarks_of(
    p: DeconvolutionParameters,
    own: Sequence[TrainedNetwork],
    kept: Callable[[str], Sequence[TrainedNetwork]],
    twins: Twins,
    layer: str,
) -> tuple[dict[str, list[MapBenchmark]], str]:
    """What networks of each role are asked about ``twins``, and why those of the roles are not, if they are
    not: then the ``own`` ones are measured. Of each unit the filter is asked that it moves most.
    """
    groups, left_out = {MEASURED: list(own)}, ""
    if p.pairs:
        try:
            both = networks_of_pair(p, p.pairs[0], own[0].record.network, kept)
        except DataError as fault:
            left_out = str(fault)
        else:
            groups = dict(zip((MEASURED, CEILING), both, strict=True))
            groups |= {} if p.population else {OWN_ONE: list(own)}
    models = {name: [(each.name, each.model) for each in networks] for name, networks in groups.items()}
    models[FLOOR_ROLE] = [
        (f"untrained {seed}", untrained_network(models[MEASURED][0][1], seed)) for seed in range(p.untrained)
    ]
    return {
        name: [map_benchmark(f"{name}: {called}", model, twins, layer=layer) for called, model in networks]
        for name, networks in models.items()
    }, left_out


def overlap_table(trials: Mapping[str, Sequence[MapBenchmark]], method: Method) -> pd.DataFrame:
    """Intersection over union of maps with the skin that the unit moves, a row per map: ``population``,
    ``network``, ``kind`` (``ours``; of the measured networks ``MAP_CONTROLS`` and ``THE_CHANGE`` too),
    ``subject``, ``au``, ``row`` and ``iou``.
    """
    tables = []
    for population, each in ((name, one) for name, some in trials.items() for one in some):
        pictures, at = each.twins.on.pixels, (each.filters, each.positions)
        maps = {"ours": projected(each, each.rows, *at, method)}
        if population == MEASURED:
            shown = pictures[each.rows]
            controls = control_maps(maps["ours"], shown, each.filters, fields=each.fields)
            maps |= {name: controls[name] for name in MAP_CONTROLS if name in controls}
            maps[THE_CHANGE] = np.abs(shown.astype(np.float32) - each.twins.off.pixels[each.rows])
        for kind, own in maps.items():
            tables.append(_overlaps(each, each.rows, own).assign(population=population, kind=kind))
    return pd.concat(tables, ignore_index=True)


def same_places(trials: Mapping[str, Sequence[MapBenchmark]], method: Method) -> pd.DataFrame:
    """The same of maps from the same places: those of the extrema of one network of each role. Each network
    is asked about every face that all of them answer to, by its own filter of the unit, at all these places;
    where its neuron is off it draws nothing, and the row has no overlap. The run's own networks are left out.
    """
    roles = {name: some for name, some in trials.items() if name != OWN_ONE}
    tables = []
    for together in zip(*roles.values(), strict=False):
        rows = np.array(sorted(set.intersection(*(set(each.rows.tolist()) for each in together))), int)
        if not len(rows):
            continue
        chosen = [np.searchsorted(each.rows, rows) for each in together]
        places = np.concatenate([each.positions[at] for each, at in zip(together, chosen, strict=True)])
        asked = np.tile(rows, len(together))
        for population, each, at in zip(roles, together, chosen, strict=True):
            filters = np.tile(each.filters[at], len(together))
            maps = projected(each, asked, filters, places, method)
            tables.append(_overlaps(each, asked, maps).assign(population=population, kind="ours"))
    return pd.concat(tables, ignore_index=True)


def projected(
    trial: MapBenchmark, rows: np.ndarray, filters: np.ndarray, positions: np.ndarray, method: Method
) -> np.ndarray:
    """float32 (P, H, W): what ``look.deconvolution.project`` makes of these neurons of the trial."""
    pictures = trial.twins.on.pixels
    made = project(trial.network, trial.layer, pictures, rows, filters, positions=positions, method=method)
    return made.whole()


def _overlaps(trial: MapBenchmark, rows: np.ndarray, maps: np.ndarray) -> pd.DataFrame:
    region, people = trial.twins.regions[0][rows], trial.twins.people[rows]
    found = cross_fitted_overlap(maps, region, people)
    about = {"network": trial.name, "subject": people, "au": trial.twins.aus[rows], "row": rows}
    return pd.DataFrame(about | {"iou": found})


def _values(rows: pd.DataFrame, **which: str) -> np.ndarray:
    """(R, 1 + G): the mean overlap of each network, of all people and without each group, of the rows of
    ``in_groups`` that are ``which``; of networks of which it is defined.
    """
    own = rows[np.logical_and.reduce([rows[name].eq(value) for name, value in which.items()])]
    values = ratio(sums_left_out(own, MAP_SCORES["iou"])) if len(own) else np.empty((0, 2))
    return values[np.isfinite(values).all(axis=1)]


ABOUT_OVERLAP = {"tolerance": RERUN_TOLERANCE, "limits": (0, 1), "unit": "share"}


def overlap_metrics(found: pd.DataFrame, same: pd.DataFrame) -> tuple[dict[str, Estimate], list[str]]:
    """Of ``overlap_table`` and ``same_places``, over networks and people: ``iou`` of the measured networks'
    own maps, ``iou_<kind>`` of what stands beside them, ``iou_over_edges``; ``iou_at_same_places``, and of
    the other roles ``<role>_iou_at_same_places``; of both measures ``_degree`` and ``_room``, where there is
    a ruler; ``networks_of_each_role``. And why a degree is not told.
    """
    found, same = (in_groups(table, "subject") for table in (found, same))
    own = {kind: _values(found, population=MEASURED, kind=kind) for kind in found["kind"].unique()}
    metrics = {}
    for kind, values in own.items():
        name = "iou" if kind == "ours" else f"iou_{kind}"
        metrics[name] = networks_and_people(values, **ABOUT_OVERLAP)
    lead = own["ours"] - own["field_edges"]
    metrics["iou_over_edges"] = networks_and_people(lead, **ABOUT_OVERLAP | {"limits": (-1, 1)})
    places = {role: _values(same, population=role) for role in (FLOOR_ROLE, MEASURED, CEILING)}
    for role, values in places.items():
        if len(values):
            prefix = "" if role == MEASURED else f"{role}_"
            metrics[f"{prefix}iou_at_same_places"] = networks_and_people(values, **ABOUT_OVERLAP)
    number = min(map(len, places.values()))
    metrics["networks_of_each_role"] = Estimate(number, unit="count")
    maps = {"edges": own["field_edges"], "own maps": own["ours"], "the change": own[THE_CHANGE]}
    ends = {"iou": maps} if len(own["ours"]) > 1 else {}
    ends |= {"iou_at_same_places": places} if number else {}
    faults = []
    for name, values in ends.items():
        try:
            roles = [Role(role, each[:, 0], each[:, 1:].T) for role, each in values.items()]
            # Other maps of the same networks are no other networks.
            both = degree_and_room(*roles, same_networks=name == "iou", unit="share")
        except DataError as fault:
            faults.append(f"{name}: {fault}")
        else:
            of_degree = replace(both[0], tolerance=0.5)
            metrics |= {f"{name}_degree": of_degree, f"{name}_room": replace(both[1], tolerance=0.15)}
    return metrics, faults


def overlap_means(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Each network's mean overlap and that of its kind, by ``column`` (``kind`` or ``population``):
    ``network`` (empty of a mean), ``estimate`` (of a single network a number).
    """
    table, rows = in_groups(table, "subject"), []
    for name in table[column].unique():
        values = _values(table, **{column: name})
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
    """``random_weights_deconv``, ``random_weights_guided``, ``random_weights_gradient``: the likeness beyond
    the floor that all weights random leave, in the measure, absolute or signed, of which that is most. For
    deconvolution, and in that measure: ``METRICS_OF_CHECKS``. ``checks`` from
    ``aus.projections.checks_summary``.
    """
    likeness = _likeness(checks)
    keys = {f"random_weights_{method}": ("random weights", method) for method in get_args(Method)}
    keys |= {name: (check, "deconv") for check, name in METRICS_OF_CHECKS.items()}
    return {name: likeness[key] for name, key in keys.items() if key in likeness}


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


def degrees_text(metrics: Mapping[str, Estimate], left_out: Sequence[str]) -> str:
    """Where the maps stand on both rulers, with the answers by the rule of ``claims.yaml``, its gates aside;
    and what was ``left_out``, and why.
    """
    parts = []
    for name, (question, matters) in ANSWERED.items():
        if f"{name}_degree" in metrics:
            degree, room = metrics[f"{name}_degree"], metrics[f"{name}_room"]
            answer = degree_answer(degree, room, matters).capitalize()
            parts.append(
                f"{question} Degree {interval_text(degree)}, of a room of {bounds_text(room)}: {answer}."
            )
    if left_out:
        parts.append(f"Left out: {'; '.join(left_out)}.")
    return " ".join(parts)
