"""Is this filter an action-unit detector? Many networks evaluated alike, and one of them filter by filter."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score
from torch import nn

from book.au_verification.chapter import AuVerificationParameters
from book.au_verification.examine import (
    CHANGE,
    CLEAR,
    FAMILY_ERROR,
    READINGS,
    Examined,
    Questions,
    Whole,
    agreement_share,
    examine,
    on_other_heads,
    responses_of,
    values_of,
)
from book.au_verification.mixtures import with_mixtures
from book.au_verification.ruler import (
    BREUER,
    BREUER_UNITS,
    BREUER_UNTRAINED,
    GROUP_LABELS,
    IDENTITY,
    MIXTURES,
    OF_PHOTOGRAPHS,
    OF_PHOTOGRAPHS_SHUFFLED,
    OWN_NETWORK,
    READ_OUT,
    STRUCTURES_OF_THEIR_OWN,
    TRAINED,
    TRAINED_ON_UNITS,
    UNITS_MIXTURES,
    UNTRAINED,
    Cast,
    place_between,
)
from book.au_verification.stored import evaluation
from face_sets.faceset import FaceSet
from fer_lib.aus.presence import presence
from fer_lib.aus.verification import Detector, Detectors
from fer_lib.look.layers import example_picture, last_conv, maps_of
from fer_lib.look.responses import maximal_responses
from fer_lib.nets.classifier import Classifier
from fer_lib.nets.zero_bias import ZeroBiasCNN
from fer_lib.stats.degree import Role, degree_and_distance
from fer_lib.stats.two_way import network_mean, networks_and_people
from fer_lib.train.controls import unit_answers, untrained_network
from fer_lib.train.predict import collected
from fer_lib.train.record import TrainedNetwork
from ferbook.errors import DataError
from ferbook.estimate import Estimate
from ferbook.page.tables import Table
from ferbook.rule import degree_answer
from ferbook.text import bounds_text, interval_text
from synthetic_faces.domains import DOMAINS

_PARTS = 3
"""Parts of the picture, by side, that a detector distinguishes."""

_STRENGTH = 100.0
"""Of the penalty on a detector's weights, whose inputs have a variance of 1."""

ABOVE_ZERO = 3.0
"""Standard deviations of its score by which a detector's mean response lies above the zero of its ReLU."""


def with_detectors(trunk: Classifier, taught: FaceSet, labels: np.ndarray) -> tuple[Classifier, str]:
    """A copy of ``trunk`` with a filter for each column of ``labels`` (N, A) behind its third layer, by ridge
    regression on the outputs of that layer for the pictures ``taught``; and the name of the layer of filters.
    """
    parts = nn.AdaptiveAvgPool2d(_PARTS)
    maps = collected(trunk, taught, {"map": (trunk.relu3, lambda _, out: parts(out).flatten(1))})["map"]
    mean, spread = maps.mean(axis=0), maps.std(axis=0) + 1e-6
    features, targets = (maps - mean) / spread, labels - labels.mean(axis=0)
    gram = features @ features.T + _STRENGTH * np.eye(len(features))
    weights = features.T @ np.linalg.solve(gram, targets)
    weights /= (features @ weights).std(axis=0)
    model, filters = copy.deepcopy(trunk), nn.Conv2d(maps.shape[1] // _PARTS**2, labels.shape[1], _PARTS)
    with torch.no_grad():
        filters.weight.copy_(torch.from_numpy((weights / spread[:, None]).T).view_as(filters.weight))
        filters.bias.copy_(torch.from_numpy(ABOVE_ZERO - (mean / spread) @ weights))
    model.pool3 = nn.Sequential(parts, filters, nn.ReLU())
    model.dense, model.output = nn.Identity(), nn.Linear(labels.shape[1], model.output.out_features)
    return model.eval(), "pool3.2"


MEASURE_LABELS = {"mean_difference": "mean difference", "kl": "KL divergence", "auroc": "2·AUROC − 1"}
"""The measures whose largest association is stored, as in the papers."""

COUNT_TOLERANCE = 0.1
"""By how much a count of filters may move on another machine, as a proportion of all: sums in another order
shift a filter over a threshold.
"""

KAPPA_TOLERANCE = 0.15
"""The same of κ, which has few filters behind it."""

SMALLEST_ROOM = 5.0
"""Confirmed filters: the fewest that matter, as ``claims.yaml`` says."""

NAMED = dict.fromkeys((OWN_NETWORK, TRAINED, TRAINED_ON_UNITS, UNTRAINED), tuple(MEASURE_LABELS))
"""Groups of which the largest association is stored, too."""

MIXED_GROUPS = {TRAINED: MIXTURES, TRAINED_ON_UNITS: UNITS_MIXTURES}
"""Groups whose filters are also evaluated as random mixtures."""

ROLES = (TRAINED, UNTRAINED, TRAINED_ON_UNITS, IDENTITY, BREUER, BREUER_UNTRAINED, BREUER_UNITS)
"""Groups whose name begins those of their metrics; the first four have all of them."""

OVER_UNTRAINED = ("kappa", "verified_gain", "distinct_units")

OF_EVERY_GROUP = ("beyond_emotion", "verified", "verified_gain", "verified_share", "kappa")

FEWEST_FOR_KAPPA = 30
"""Assigned filters, on average, below which κ is not reported."""

READ_OUTS = 3
"""Networks whose layer is read out; one in your run."""


def picture_source(faces: FaceSet, held_out_people: FaceSet) -> tuple[FaceSet, str]:
    """The pictures on which filters are evaluated, and a sentence about them: those of ``faces`` where it is
    a real set with action units, else rendered ``held_out_people``.
    """
    people = held_out_people.table["subject"].nunique()
    if faces.name in DOMAINS:
        return (
            held_out_people,
            f"The pictures show {people} rendered people; no network was trained on them.",
        )
    if faces.aus:
        return faces, (
            f"Pictures and action units are those of {faces.name}. Units are activated in rendered faces."
        )
    return held_out_people, (
        f"Nobody coded action units in {faces.name}. Networks trained on it are evaluated on {people} "
        "rendered people, whose units are known."
    )


@dataclass(frozen=True)
class Candidate:
    """A network to evaluate: what it represents, ``group``, its ``seed``, the ``layer`` of its filters, and
    the group of the random mixtures behind them, ``mixed``, if any.
    """

    group: str
    seed: int
    model: Classifier
    layer: str
    mixed: str = ""


def candidates(
    cast: Cast, p: AuVerificationParameters, aus: Sequence[str], given: FaceSet
) -> Iterator[Candidate]:
    """All networks to evaluate, one after the other: those of the ``cast``, with random mixtures of the
    filters of those that are measured and of their positive control; untrained networks of the structures
    of both; and linear read-outs of the layer, from the units of the pictures ``given``.

    ``p.layer`` is that of the first network's structure; else the papers' layer is taken
    (``look.layers.last_conv``).
    """
    first = next(iter(cast.networks.values()))[0]

    def layer_of(model: Classifier) -> str:
        return p.layer if p.layer and type(model) is type(first.model) else last_conv(model)

    for group, networks in cast.networks.items():
        for each in networks:
            seed, model, mixed = each.record.seed, each.model, MIXED_GROUPS.get(group, "")
            at = layer_of(model)
            if mixed:
                width = maps_of(model, at, example_picture(model)).shape[1]
                model, at = with_mixtures(model, at, width, seed)
            yield Candidate(group, seed, model, at, mixed)
    for group, blank in ((TRAINED, UNTRAINED), (BREUER, BREUER_UNTRAINED)):
        number = p.untrained if group == TRAINED else len(cast.networks.get(group, ()))
        for seed in range(number):
            model = untrained_network(cast.networks[group][0].model, seed)
            yield Candidate(blank, seed, model, layer_of(model))
    if given.aus and not p.layer:
        labels = presence(given, p.present_from).only(aus).present
        for each in cast.networks[TRAINED][: 1 if p.of_each else READ_OUTS]:
            if isinstance(each.model, ZeroBiasCNN):
                yield Candidate(READ_OUT, each.record.seed, *with_detectors(each.model, given, labels))


def evaluated(
    each: Candidate, queries: Questions, *, store: bool = False, device: torch.device | None = None
) -> Iterator[tuple[str, Examined, Whole | None]]:
    """Evaluate the filters of one network and of its random mixtures: group, evaluation, and what it is made
    of, None where it was stored. ``store``: read and write checkpoints.
    """
    responses = None
    for name, place in ((each.group, 0), (each.mixed, 1)):
        if not name:
            continue
        measures, behind = NAMED.get(name, ()), []
        about = (name, type(each.model).__name__, each.seed)

        def compute(place=place, about=about, measures=measures, behind=behind) -> Examined:
            nonlocal responses
            responses = responses or responses_of(each.model, each.layer, queries, device)
            half = responses.faces.shape[1] // (2 if each.mixed else 1)
            filters = responses.of(slice(place * half, (place + 1) * half))
            own, whole = examine(filters, queries, about=about, measures=measures, device=device)
            behind.append(whole)
            return own

        if store:
            own = evaluation(
                each.model, (each.layer, place), about, queries, measures=measures, compute=compute
            )
        else:
            own = compute()
        yield name, own, behind[0] if behind else None


def examine_all(
    cast: Cast,
    p: AuVerificationParameters,
    asked: Questions,
    given: FaceSet,
    *,
    device: torch.device | None = None,
) -> tuple[dict[str, list[Examined]], Whole]:
    """The evaluations of all ``candidates`` by group, and what that of the first is made of. Where all stored
    networks are evaluated (``p.of_each`` 0), evaluations are checkpoints.
    """
    answers: dict[str, list[Examined]] = {}
    behind: list[Whole] = []
    for each in candidates(cast, p, asked.aus, given):
        for name, own, whole in evaluated(each, asked, store=not p.of_each and bool(behind), device=device):
            answers.setdefault(name, []).append(own)
            behind += [whole] * (whole is not None and not behind)
    return answers, behind[0]


def reading_settings(metric: str, filters: int) -> dict[str, object]:
    """Unit, tolerance and limits of a ``metric`` of networks with so many ``filters``."""
    if "kappa" in metric:
        return {"tolerance": KAPPA_TOLERANCE, "limits": (-1, 1)}
    if metric.endswith("share"):
        return {"unit": "share", "tolerance": KAPPA_TOLERANCE, "limits": (0, 1)}
    least = -filters if metric == "verified_gain" else 0  # beyond chance there may be fewer than none
    tolerance = 3 if metric == "distinct_units" else COUNT_TOLERANCE * filters
    return {"unit": "count", "tolerance": tolerance, "limits": (least, filters)}


def population_metrics(groups: Mapping[str, Sequence[Examined]]) -> dict[str, Estimate]:
    """Metrics of all kinds of networks, with intervals over networks and people.

    ``<reading>`` of the measured networks, ``<group>_<reading>`` of other ``ROLES`` and ``<reading>_<group>``
    of reference points; the proportion of filters for which the largest association finds the right unit;
    differences to untrained networks, ``<reading>_over_untrained``, to random mixtures (network by network),
    to identity, and of photographs to memorised ones; how many networks there are.
    """
    agreements = {f"{measure}_agreement_share": agreement_share(measure) for measure in ("auroc", "kl")}
    filters, estimates = groups[TRAINED][0].filters, {}

    def tell(name: str, metric: str, own: np.ndarray, against: np.ndarray | None = None) -> None:
        estimates[name] = networks_and_people(own, against, **reading_settings(metric, filters))

    for group, networks in groups.items():
        every = READINGS if group in ROLES[:4] else {name: READINGS[name] for name in OF_EVERY_GROUP}
        if group in ROLES[:3]:
            every = every | agreements
        elif values_of(networks, READINGS["beyond_emotion"])[:, 0].mean() < FEWEST_FOR_KAPPA:
            every = {name: own for name, own in every.items() if name != "kappa"}
        for metric, reading in every.items():
            prefix = "" if group == TRAINED else f"{group}_"
            name = prefix + metric if group in ROLES else f"{metric}_{group}"
            tell(name, metric, values_of(networks, reading))
            if metric == "beyond_chance":  # computed over all people only, so that networks alone vary
                how = f"Student's t over {len(networks)} networks"
                estimates[name] = replace(estimates[name], how=how)
        if group in (OF_PHOTOGRAPHS, OF_PHOTOGRAPHS_SHUFFLED, IDENTITY):
            estimates[f"{group}_networks"] = Estimate(len(networks), unit="count")
    estimates["networks"] = Estimate(len(groups[TRAINED]), unit="count")
    estimates["filters"] = Estimate(filters, unit="count")
    for metric in OVER_UNTRAINED:
        both = (values_of(groups[name], READINGS[metric]) for name in (TRAINED, UNTRAINED))
        tell(f"{metric}_over_untrained", metric, *both)
    gain = READINGS["verified_gain"]
    single, mixed = (values_of(groups[name], gain) for name in (TRAINED, MIXTURES))
    paired = {"unit": "count", "limits": (-2 * filters, 2 * filters), "tolerance": COUNT_TOLERANCE * filters}
    estimates["verified_gain_over_mixtures"] = networks_and_people(single - mixed, **paired)
    if IDENTITY in groups:
        both = (values_of(groups[name], gain) for name in (TRAINED, IDENTITY))
        tell("verified_gain_over_identity", "verified_gain", *both)
    if OF_PHOTOGRAPHS in groups and OF_PHOTOGRAPHS_SHUFFLED in groups:
        both = (values_of(groups[name], gain) for name in (OF_PHOTOGRAPHS, OF_PHOTOGRAPHS_SHUFFLED))
        tell("photographs_verified_gain_over_shuffled", "verified_gain", *both)
    for group in (UNTRAINED, TRAINED, TRAINED_ON_UNITS):
        if all(own.elsewhere is not None for own in groups.get(group, ())) and group in groups:
            prefix = "" if group == TRAINED else f"{group}_"
            values = values_of(groups[group], on_other_heads(gain))
            tell(f"{prefix}other_heads_verified_gain", "verified_gain", values)
    return estimates


def ruler_text(metrics: Mapping[str, Estimate], left_out: Sequence[str]) -> str:
    """The numbers of all controls and the answer by the rule of ``claims.yaml``, without its gates; and what
    was ``left_out``, and why.
    """
    number = int(metrics["networks"].value)
    parts = [f"{metrics['filters'].value:.0f} filters, {number} network{'s' * (number > 1)}."]
    if "verified_gain_degree" in metrics:
        degree, room = metrics["verified_gain_degree"], metrics["verified_gain_room"]
        answer = degree_answer(degree, room, SMALLEST_ROOM)
        gains = [
            f"{metrics[name].value:.1f}"
            for name in ("untrained_verified_gain", "verified_gain", "units_verified_gain")
        ]
        parts.append(
            f"Confirmed filters beyond chance: untrained {gains[0]}, trained on emotions {gains[1]}, "
            f"trained on units {gains[2]}. Degree {interval_text(degree)}. Do filters respond to single "
            f"action units? {answer.capitalize()}."
        )
    if "other_heads_verified_gain_degree" in metrics:
        degree = metrics["other_heads_verified_gain_degree"]
        parts.append(f"Degree on a second head model: {bounds_text(degree)}.")
    if left_out:
        parts.append(f"Left out: {'; '.join(left_out)}.")
    return " ".join(parts)


def marks_table(groups: Mapping[str, Sequence[Examined]]) -> pd.DataFrame:
    """One row per network: ``population``, ``seed``, its confirmed filters beyond chance, ``value``, and
    ``without_1`` …, the same without each group of people, from which the degrees' intervals are made; of the
    population ``mean``, ``low``, ``high`` and the degree of the mean, ``place``, except for networks of
    another structure, which have separate controls.
    """
    rows = []
    for group in sorted(groups, key=list(GROUP_LABELS).index):
        values = values_of(groups[group], READINGS["verified_gain"])
        mean = networks_and_people(values)
        place = np.nan if group in STRUCTURES_OF_THEIR_OWN else place_between(mean.value, groups)
        for own, each in zip(groups[group], values, strict=True):
            rows.append((GROUP_LABELS[group], own.seed, mean.value, mean.low, mean.high, place, *each))
    without = [f"without_{number}" for number in range(1, values.shape[1])]
    columns = ["population", "seed", "mean", "low", "high", "place", "value", *without]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[2:], float))


STATES = ("confirmed", "assigned, not confirmed", "not assigned")


def squares_table(groups: Mapping[str, Sequence[Examined]]) -> pd.DataFrame:
    """How many filters of the first network of each kind are in which of the ``STATES``: a row for each kind
    that is there, untrained, trained on identity, on emotions, on units.
    """
    counts = {}
    for group in filter(groups.get, (UNTRAINED, IDENTITY, TRAINED, TRAINED_ON_UNITS)):
        own = groups[group][0]
        assigned, confirmed = (int(READINGS[name](own)[0]) for name in ("beyond_emotion", "verified"))
        counts[GROUP_LABELS[group]] = (confirmed, assigned - confirmed, own.filters - assigned)
    return pd.DataFrame.from_dict(counts, orient="index", columns=[*STATES]).rename_axis("network")


SPECIFICATIONS = {
    "change": (f"units at {CHANGE:g} grey levels", "units at the median unit's change"),
    "effect": ("mean over people", "median over people"),
    "ties": ("largest effect only", "within 5 % of the largest"),
    "assigned": (
        "filters that respond often enough",
        "every filter that responds",
        f"units present from {CLEAR:g}",
    ),
    "measure": ("confirmed filters", "proportion of assigned"),
}
"""What a specification chooses: the first of each is the one that decides."""

SMALLEST_ROOMS = (SMALLEST_ROOM, 0.05)
"""Of both measures: the smallest difference of the controls that is one."""


def specification_table(groups: Mapping[str, Sequence[Examined]]) -> pd.DataFrame:
    """The title's degree by every combination of ``SPECIFICATIONS`` that the evaluations allow. It decides
    nothing.

    Returns
    -------
    pandas.DataFrame
        A row per combination: the choices; the values of untrained networks (``negative``), of those
        trained on emotions (``measured``) and on units (``positive``); the ``degree``, and where assignments
        are known without each group of people its interval, ``low`` and ``high``, and the ``answer``. Empty
        where a kind of network is missing.
    """
    roles, rows = (UNTRAINED, TRAINED, TRAINED_ON_UNITS), []
    columns = [*SPECIFICATIONS, "negative", "measured", "positive", "degree", "low", "high", "answer"]
    if not all(map(groups.get, roles)):
        return pd.DataFrame(rows, columns=columns)
    first = groups[TRAINED][0]
    assigned = 1 if first.also_claimed is None else 1 + len(first.also_claimed)
    for chosen in product(*map(range, (len(first.effects), 2, 2, assigned, 2))):
        labels = [options[place] for options, place in zip(SPECIFICATIONS.values(), chosen, strict=True)]
        ends = [values_of(groups[role], partial(specified, chosen=chosen)) for role in roles]
        means = [own[:, 0].mean() for own in ends]
        degree, low, high, answer = (means[1] - means[0]) / (means[2] - means[0]), np.nan, np.nan, ""
        if ends[0].shape[1] > 1:
            parts = (Role(name, own[:, 0], own[:, 1:].T) for name, own in zip(roles, ends, strict=True))
            with suppress(DataError):  # controls that do not differ
                estimate, room = degree_and_distance(*parts)
                low, high = estimate.low, estimate.high
                answer = degree_answer(estimate, room, SMALLEST_ROOMS[chosen[-1]])
        rows.append((*labels, *means, degree, low, high, answer))
    return pd.DataFrame(rows, columns=columns).astype({"low": float, "high": float})


def specified(own: Examined, chosen: Sequence[int]) -> np.ndarray:
    """The score of one network, (G,) as a ``Reading`` or (1,). ``chosen``: of each of ``SPECIFICATIONS`` the
    place of the option.
    """
    change, effect, ties, assigned, measure = chosen
    claims = own.also_claimed[assigned - 1][None] if assigned else own.claimed
    scores = []
    for claimed, effects in zip(claims, own.effects[change, effect].astype(float), strict=False):
        largest = effects.max(axis=1, keepdims=True)
        causes = (effects >= largest * (0.95 if ties else 1)) & (largest > 0)  # (filters, units)
        pairs = claimed[:, None] == np.array(own.aus)
        filters = pairs.any(axis=1)
        confirmed = (pairs & causes).sum()
        if measure:
            scores.append(confirmed / max(filters.sum(), 1))
        else:
            by_chance = pairs.sum(axis=0) @ causes[filters].mean(axis=0) if filters.any() else 0.0
            scores.append(confirmed - by_chance)
    return np.array(scores)


def units_known(networks: Sequence[TrainedNetwork], faces: FaceSet, device: torch.device) -> Table | None:
    """How well networks trained on units detect them in held-out people, on the pictures ``faces``: of
    each unit the mean over the networks. None without networks.
    """
    if not networks:
        return None
    units = [unit for unit in networks[0].record.classes if unit in faces.aus]
    places = [networks[0].record.classes.index(unit) for unit in units]
    intensities = faces.table[units].to_numpy(np.float64)
    each = []
    for own in networks:
        answers = unit_answers(own.model, faces, device=device)[:, places]
        each.append(unit_scores(units, intensities, answers))
    means = pd.concat(each).groupby("unit", sort=False).mean().reset_index()
    caption = f"How well {len(each)} networks trained on units detect them in held-out people"
    proportions = ("shown", "F1", "balanced_accuracy")
    return Table(means, caption, dict.fromkeys(proportions, "share"), tolerance=0.03)


def read_outs(
    cast: Cast, p: AuVerificationParameters, given: FaceSet, faces: FaceSet, device: torch.device
) -> dict[str, Estimate]:
    """``<role>_read_out_auroc``: how well all filters of the layer together detect a unit, the mean over
    units, by a linear read-out learned on the pictures ``given``, on the ``faces`` of other people; of
    ``READ_OUTS`` networks of each role. Empty in a run that does not evaluate all stored networks.
    """
    trunks = {
        role: [each.model for each in cast.networks.get(role, ())[:READ_OUTS]]
        for role in (TRAINED, IDENTITY, TRAINED_ON_UNITS)
    }
    if p.of_each or p.layer or not given.aus or not all(trunks.values()):
        return {}
    trunks[UNTRAINED] = [untrained_network(trunks[TRAINED][0], seed) for seed in range(READ_OUTS)]
    units = [au for au in given.aus if au in faces.aus]
    labels = presence(given, p.present_from).only(units).present
    intensities, metrics = faces.table[units].to_numpy(np.float64), {}
    for role, models in trunks.items():
        values = []
        for model in models:
            detectors, layer = with_detectors(model, given, labels)
            answers = maximal_responses(detectors, faces, layer, device=device).maxima
            values.append(unit_scores(units, intensities, answers)["AUROC"].mean())
        name = "read_out_auroc" if role == TRAINED else f"{role}_read_out_auroc"
        metrics[name] = replace(network_mean(values), tolerance=0.03)
    return metrics


def agreement_table(groups: Mapping[str, Sequence[Examined]]) -> pd.DataFrame:
    """In what proportion of the filters the unit that a measure names, as in the papers, is the one that
    moves them most: ``measure``, ``series``, ``value``, ``low``, ``high``; a row per measure and kind of
    network.
    """
    rows = []
    for measure, label in MEASURE_LABELS.items():
        for group in filter(groups.get, (TRAINED, UNTRAINED, TRAINED_ON_UNITS)):
            own = networks_and_people(values_of(groups[group], agreement_share(measure)), limits=(0, 1))
            rows.append((label, GROUP_LABELS[group], own.value, own.low, own.high))
    columns = ["measure", "series", "value", "low", "high"]
    return pd.DataFrame(rows, columns=columns).astype({"low": float, "high": float})


def filter_table(own: Examined) -> pd.DataFrame:
    """One row per filter of one network: ``filter``; ``named`` (by ``kl``, as in the papers, where that was
    measured), ``overall``, ``within`` and ``causal``, units, empty where there is none; ``score``, its
    strength within emotions, and of its unit the ``effect``; ``verified``.
    """
    claimed, every = own.claimed[0], np.arange(own.filters)
    places = [own.aus.index(au) if au else 0 for au in claimed]
    return pd.DataFrame(
        {
            "filter": every,
            "named": own.named["kl"][0],
            "overall": own.overall,
            "within": claimed,
            "causal": own.caused[0],
            "score": np.where(claimed != "", own.strength[every, places], np.nan),
            "effect": np.nan if own.effects is None else own.effects[0, 0, 0, every, places],
            "verified": (claimed != "") & (claimed == own.caused[0]),
        }
    )


def showcase(table: pd.DataFrame, count: int = 6) -> pd.DataFrame:
    """Up to ``count`` filters to look at, ``filter`` and ``au``: as many units as possible; first confirmed
    ones by their effect, since the largest of all effects can be nearly zero, then others by score.

    Where too few are verified those follow that beat chance within emotions, then overall, then those that
    are merely named.
    """
    parts = [
        table[table[column].ne("")].assign(au=lambda part, column=column: part[column], rank=rank)
        for rank, column in enumerate(("within", "overall", "named"), 1)
    ]
    confirmed = parts[0][parts[0]["verified"]]
    parts.insert(0, confirmed.assign(rank=0, score=confirmed["effect"]))
    filters = pd.concat(parts).drop_duplicates("filter")
    filters = filters.sort_values(["rank", "score"], ascending=[True, False], kind="stable")
    filters["again"] = filters.groupby(["rank", "au"]).cumcount()
    filters = filters.sort_values(["rank", "again"], kind="stable")
    return filters[["filter", "au"]].head(count).reset_index(drop=True)


def claimed_detectors(own: Examined, whole: Whole, layer: str) -> Detectors:
    """The filters of ``layer`` that are claimed for a unit within emotions, the one with the largest
    association first, with the unit that moves it most: what the atlas of filters says of its tiles.
    """
    table = filter_table(own)
    table = table[table["within"].ne("")]
    places = [own.aus.index(au) for au in table["within"]]
    table = table.assign(value=whole.overall.observed[table["filter"], places])
    table = table.sort_values("value", ascending=False, kind="stable")
    names = {"within": "au", "value": "association", "causal": "moved_by"}
    rows = table[["filter", *names]].rename(columns=names).to_dict("records")
    return Detectors(layer=layer, filters=[Detector(**row) for row in rows])


def null_metrics(maxima: np.ndarray, singly: np.ndarray) -> dict[str, Estimate]:
    """Of the largest AUROC in each shuffle of the labels, ``maxima``, the middle and the bar of the 95 %
    that lie below; of shuffles picture by picture, ``singly``, the middle.
    """
    quantiles = {
        "luck": np.median(maxima),
        "luck_bar": np.quantile(maxima, 1 - FAMILY_ERROR),
        "luck_singly": np.median(singly),
    }
    about = {"n": len(maxima), "why": f"of {len(maxima)} shuffles of these labels", "tolerance": 0.03}
    return {name: Estimate(float(value), **about) for name, value in quantiles.items()}


def unit_scores(units: Sequence[str], intensities: np.ndarray, answers: np.ndarray) -> pd.DataFrame:
    """One row per unit: in what proportion of the pictures it is ``shown``; the ``AUROC`` of ``answers`` (N,
    A); ``F1`` and ``balanced_accuracy`` of those above 0.5; ``ICC(3,1)`` of answers and coded ``intensities``
    (N, A), 0 to 1. Not a number where it is shown by all pictures or none.
    """
    rows = []
    for unit, coded, answer in zip(units, intensities.T, answers.T, strict=True):
        shown, said = coded > 0, answer > 0.5
        row = {"unit": unit, "shown": shown.mean()}
        if 0 < shown.sum() < len(shown):
            row["AUROC"] = roc_auc_score(shown, answer)
            row["F1"] = f1_score(shown, said)
            row["balanced_accuracy"] = balanced_accuracy_score(shown, said)
            row["ICC(3,1)"] = consistency(np.stack([coded, answer], axis=1))
        rows.append(row)
    columns = ["unit", "shown", "AUROC", "F1", "balanced_accuracy", "ICC(3,1)"]
    return pd.DataFrame(rows, columns=columns)


def consistency(ratings: np.ndarray) -> float:
    """ICC(3,1) of ``ratings`` (targets, raters): how far single raters agree but for a constant each (Shrout
    and Fleiss 1979), which is their mean covariance over their mean variance. NaN where none varies.
    """
    covariance = np.cov(ratings, rowvar=False)
    among = covariance.sum() - np.trace(covariance)
    varying = np.trace(covariance) * (len(covariance) - 1)
    return float(among / varying) if varying > 0 else np.nan
