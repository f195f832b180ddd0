"""Is this filter an action-unit detector? The same questions to many networks, and one of them looked at
filter by filter.
"""

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score
from torch import nn

from book.au_verification.chapter import AuVerificationParameters
from book.au_verification.examine import (
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
from face_sets.faceset import FaceSet
from fer_lib.aus.presence import presence
from fer_lib.aus.verification import Detector, Detectors
from fer_lib.look.layers import example_picture, last_conv, maps_of
from fer_lib.nets.classifier import Classifier
from fer_lib.nets.zero_bias import ZeroBiasCNN
from fer_lib.stats.two_way import networks_and_people
from fer_lib.train.controls import unit_answers, untrained_network
from fer_lib.train.predict import collected
from fer_lib.train.record import TrainedNetwork
from ferbook.estimate import Estimate
from ferbook.page.tables import Table
from ferbook.rule import degree_answer
from ferbook.text import bounds_text, interval_text
from synthetic_faces.domains import DOMAINS

_PARTS = 3
"""Parts of the picture, by side, that a detector tells apart."""

_STRENGTH = 100.0
"""Of the penalty on a detector's weights, whose inputs have a variance of 1."""

ABOVE_ZERO = 3.0
"""Standard deviations of its score by which a detector's mean response lies above the zero of its ReLU."""


def with_detectors(trunk: Classifier, taught: FaceSet, labels: np.ndarray) -> tuple[Classifier, str]:
    """A copy of ``trunk`` with a filter for each column of ``labels`` (N, A) behind its third layer, by ridge
    regression on what that layer gives of the pictures ``taught``; and the name of the layer of filters.
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
"""The measures by which filters are also named as in the papers."""

COUNT_TOLERANCE = 0.1
"""By how much a count of filters may move on another machine, as a share of all: sums in another order shift
a filter over a threshold.
"""

KAPPA_TOLERANCE = 0.15
"""The same of κ, which has few filters behind it."""

SMALLEST_ROOM = 0.05
"""Of κ: the least that matters, as ``claims.yaml`` says."""

NAMED = dict.fromkeys((OWN_NETWORK, TRAINED, TRAINED_ON_UNITS, UNTRAINED), tuple(MEASURE_LABELS))
"""Groups whose filters are named as in the papers, too."""

MIXED_GROUPS = {TRAINED: MIXTURES, TRAINED_ON_UNITS: UNITS_MIXTURES}
"""Groups beside which random mixtures of their filters stand."""

ROLES = (TRAINED, UNTRAINED, TRAINED_ON_UNITS, BREUER, BREUER_UNTRAINED, BREUER_UNITS)
"""Groups whose name begins those of their metrics; of the first three all is told."""

OVER_UNTRAINED = ("kappa", "verified_gain", "distinct_units")

READ_OUTS = 3
"""Networks whose layer is read out; of a run of one's own one."""

LARGER_ASKED = 3
"""Networks of larger pictures, which take four times as long."""


def picture_source(faces: FaceSet, held_out_people: FaceSet) -> tuple[FaceSet, str]:
    """The pictures that filters are judged on, and whose they are, in a sentence: those of the run's own set
    ``faces`` where it is a real one with action units, else rendered ``held_out_people``.
    """
    people = held_out_people.table["subject"].nunique()
    if faces.name in DOMAINS:
        return held_out_people, f"The pictures are of {people} rendered people whom no network has seen."
    if faces.aus:
        return faces, (
            f"Pictures and action units are those of {faces.name}. Units are switched on in rendered faces."
        )
    return held_out_people, (
        f"Nobody coded action units in {faces.name}. What learned from it is asked about {people} rendered "
        "people, whose units are known."
    )


def examine_all(
    cast: Cast,
    p: AuVerificationParameters,
    asked: Questions,
    *,
    larger: Questions | None = None,
    taught: FaceSet | None = None,
    device: torch.device | None = None,
) -> tuple[dict[str, list[Examined]], Whole]:
    """The answers of all networks of the ``cast`` by group, and what is behind those of the first. Beside
    them: random mixtures of the filters of those that are measured and of their ceiling; untrained networks
    of the structures of both roles; and read-outs of the layer, from the units of the pictures ``taught``.

    ``larger``: the questions to networks that learned pictures of their size. ``p.layer`` is that of the
    first network's structure; else the papers' layer is taken (``look.layers.last_conv``).
    """
    answers: dict[str, list[Examined]] = {}
    first, behind = next(iter(cast.networks.values()))[0], []

    def ask(group: str, seed: int, model: Classifier, at: str, queries: Questions, *, rest: str = "") -> None:
        responses = responses_of(model, at, queries, device)
        half = responses.faces.shape[1] // (2 if rest else 1)
        for name, filters in ((group, slice(0, half)), (rest, slice(half, None))):
            if name:
                about, measures = (name, type(model).__name__, seed), NAMED.get(name, ())
                own, whole = examine(
                    responses.of(filters), queries, about=about, measures=measures, device=device
                )
                answers.setdefault(name, []).append(own)
                behind.append(whole)

    def layer_of(model: Classifier) -> str:
        return p.layer if p.layer and type(model) is type(first.model) else last_conv(model)

    for group, networks in cast.networks.items():
        for each in networks:
            seed, model, size = each.record.seed, each.model, each.record.faces.size
            if size != asked.faces.size[0]:
                if larger and len(answers.get(group, ())) < LARGER_ASKED:
                    ask(group, seed, model, layer_of(model), larger)
                continue
            at, rest = layer_of(model), MIXED_GROUPS.get(group, "")
            if rest:
                width = maps_of(model, at, example_picture(model)).shape[1]
                model, at = with_mixtures(model, at, width, seed)
            ask(group, seed, model, at, asked, rest=rest)
    for group, blank in ((TRAINED, UNTRAINED), (BREUER, BREUER_UNTRAINED)):
        number = p.untrained if group == TRAINED else len(cast.networks.get(group, ()))
        for seed in range(number):
            model = untrained_network(cast.networks[group][0].model, seed)
            ask(blank, seed, model, layer_of(model), asked)
    if taught is not None and taught.aus and not p.layer:
        labels = presence(taught, p.present_from).only(asked.aus).present
        for each in cast.networks[TRAINED][: 1 if p.of_each else READ_OUTS]:
            if isinstance(each.model, ZeroBiasCNN):
                model, at = with_detectors(each.model, taught, labels)
                ask(READ_OUT, each.record.seed, model, at, asked)
    return answers, behind[0]


def reading_settings(metric: str, filters: int) -> dict[str, object]:
    """Unit, tolerance and limits of a ``metric`` of networks with so many ``filters``."""
    if "kappa" in metric:
        return {"tolerance": KAPPA_TOLERANCE, "limits": (-1, 1)}
    if "share" in metric:
        return {"unit": "share", "tolerance": KAPPA_TOLERANCE, "limits": (0, 1)}
    least = -filters if metric == "verified_gain" else 0  # beyond chance there may be fewer than none
    tolerance = 3 if metric == "distinct_units" else COUNT_TOLERANCE * filters
    return {"unit": "count", "tolerance": tolerance, "limits": (least, filters)}


def population_metrics(groups: Mapping[str, Sequence[Examined]]) -> dict[str, Estimate]:
    """What networks show, over networks and people. Each of ``READINGS``, and in what share of the filters
    the papers' rule is right, of those that are measured by its name, of ``ROLES`` as ``<group>_<metric>``;
    the difference of ``OVER_UNTRAINED`` to untrained networks as ``<metric>_over_untrained``; κ of the other
    groups as ``kappa_<group>``. ``kappa_over_mixtures``: network by network. How far photographs' are ahead
    of those by heart: ``photographs_kappa_over_shuffled``. How many: ``networks``, ``photographs_networks``,
    ``photographs_shuffled_networks``.
    """
    agreements = {f"{measure}_agreement_share": agreement_share(measure) for measure in ("auroc", "kl")}
    estimates = {}

    def tell(name: str, metric: str, own: np.ndarray, against: np.ndarray | None = None) -> None:
        settings = reading_settings(metric, groups[TRAINED][0].filters)
        estimates[name] = networks_and_people(own, against, **settings)

    for group, networks in groups.items():
        every = READINGS | agreements if group in ROLES[:3] else {"kappa": READINGS["kappa"]}
        for metric, reading in every.items():
            prefix = "" if group == TRAINED else f"{group}_"
            name = prefix + metric if group in ROLES else f"{metric}_{group}"
            tell(name, metric, values_of(networks, reading))
        if group in (OF_PHOTOGRAPHS, OF_PHOTOGRAPHS_SHUFFLED):
            estimates[f"{group}_networks"] = Estimate(len(networks), unit="count")
    estimates["networks"] = Estimate(len(groups[TRAINED]), unit="count")
    estimates["filters"] = Estimate(groups[TRAINED][0].filters, unit="count")
    for metric in OVER_UNTRAINED:
        both = (values_of(groups[name], READINGS[metric]) for name in (TRAINED, UNTRAINED))
        tell(f"{metric}_over_untrained", metric, *both)
    kappa = READINGS["kappa"]
    single, mixed = (values_of(groups[name], kappa) for name in (TRAINED, MIXTURES))
    paired = networks_and_people(single - mixed, limits=(-2, 2), tolerance=KAPPA_TOLERANCE)
    estimates["kappa_over_mixtures"] = paired
    if OF_PHOTOGRAPHS in groups and OF_PHOTOGRAPHS_SHUFFLED in groups:
        both = (values_of(groups[name], kappa) for name in (OF_PHOTOGRAPHS, OF_PHOTOGRAPHS_SHUFFLED))
        tell("photographs_kappa_over_shuffled", "kappa", *both)
    for group in (UNTRAINED, TRAINED, TRAINED_ON_UNITS):
        if all(own.elsewhere is not None for own in groups.get(group, ())) and group in groups:
            prefix = "" if group == TRAINED else f"{group}_"
            tell(f"{prefix}other_heads_kappa", "kappa", values_of(groups[group], on_other_heads(kappa)))
    return estimates


def ruler_text(metrics: Mapping[str, Estimate], left_out: Sequence[str]) -> str:
    """Where the filters stand on the ruler, with the answer by the rule of ``claims.yaml``, its gates aside;
    and what was ``left_out``, and why.
    """
    number = int(metrics["networks"].value)
    parts = [f"{metrics['filters'].value:.0f} filters, {number} network{'s' * (number > 1)}."]
    if "kappa_degree" in metrics:
        degree, room = metrics["kappa_degree"], metrics["kappa_room"]
        answer = degree_answer(degree, room, SMALLEST_ROOM)
        parts.append(
            f"Degree {interval_text(degree)}, of a room of {bounds_text(room)} in κ. Do the filters answer "
            f"to action units? {answer.capitalize()}."
        )
    if "other_heads_kappa_degree" in metrics:
        parts.append(f"On heads of another model: {bounds_text(metrics['other_heads_kappa_degree'])}.")
    if left_out:
        parts.append(f"Left out: {'; '.join(left_out)}.")
    return " ".join(parts)


def marks_table(groups: Mapping[str, Sequence[Examined]]) -> pd.DataFrame:
    """One row per network: ``population``, as a reader calls it, ``seed`` and its κ, ``value``, and
    ``without_1`` …, the same without each group of people in turn, which the degrees' intervals are made of;
    of a population ``mean``, ``low``, ``high``, and the mean's ``place`` on the ruler, in all its rows: none
    of another structure's networks, which have ends of their own.
    """
    rows = []
    for group in sorted(groups, key=list(GROUP_LABELS).index):
        values = values_of(groups[group], READINGS["kappa"])
        mean = networks_and_people(values, limits=(-1, 1))
        place = np.nan if group in STRUCTURES_OF_THEIR_OWN else place_between(mean.value, groups)
        for own, each in zip(groups[group], values, strict=True):
            rows.append((GROUP_LABELS[group], own.seed, mean.value, mean.low, mean.high, place, *each))
    without = [f"without_{number}" for number in range(1, values.shape[1])]
    columns = ["population", "seed", "mean", "low", "high", "place", "value", *without]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[2:], float))


def units_known(networks: Sequence[TrainedNetwork], faces: FaceSet, device: torch.device) -> Table | None:
    """What networks that were taught units know of people whom they never saw, on the pictures ``faces``: of
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
    caption = f"What {len(each)} networks that were taught units say of people they never saw"
    return Table(means, caption, dict.fromkeys(means.columns[1:], "share"), tolerance=0.03)


def agreement_table(groups: Mapping[str, Sequence[Examined]]) -> pd.DataFrame:
    """In what share of the filters the unit that a measure names, as in the papers, is the one that moves
    them most: ``measure``, ``series``, ``value``, ``low``, ``high``; a row per measure and kind of network.
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
    asked), ``overall``, ``within`` and ``causal``, units, empty where there is none; ``score``, its strength
    within emotions; ``verified``.
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
            "verified": (claimed != "") & (claimed == own.caused[0]),
        }
    )


def showcase(table: pd.DataFrame, count: int = 6) -> pd.DataFrame:
    """Up to ``count`` filters to look at, ``filter`` and ``au``: verified ones first, as many units as
    possible, then by score.

    Where too few are verified those follow that beat chance within emotions, then overall, then those that
    are merely named.
    """
    parts = [
        table[table[column].ne("")].assign(au=lambda part, column=column: part[column], rank=rank)
        for rank, column in enumerate(("within", "overall", "named"), 1)
    ]
    parts.insert(0, parts[0][parts[0]["verified"]].assign(rank=0))
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
    that stay below; of shuffles picture by picture, ``singly``, the middle.
    """
    quantiles = {
        "luck": np.median(maxima),
        "luck_bar": np.quantile(maxima, 1 - FAMILY_ERROR),
        "luck_singly": np.median(singly),
    }
    about = {"n": len(maxima), "why": f"of {len(maxima)} shuffles of these labels", "tolerance": 0.03}
    return {name: Estimate(float(value), **about) for name, value in quantiles.items()}


def unit_scores(units: Sequence[str], intensities: np.ndarray, answers: np.ndarray) -> pd.DataFrame:
    """One row per unit: in what share of the pictures it is ``shown``; the ``AUROC`` of ``answers`` (N, A);
    ``F1`` and ``balanced_accuracy`` of those above 0.5; ``ICC(3,1)`` of answers and coded ``intensities``
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
