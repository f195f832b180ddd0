"""Is this filter an action-unit detector? The same questions to many networks, and one of them looked at
filter by filter.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel

from book.au_verification.examine import FAMILY_ERROR, Examined, Questions, Whole, examine, questions
from book.au_verification.planted import NOTICED_FROM
from book.au_verification.readings import (
    MIXTURES,
    OF_VERIFIED,
    POPULATION_LABELS,
    READING_LABELS,
    READINGS,
    TRAINED,
    UNTRAINED,
    Reading,
    agreement_of,
    agreement_share,
    beyond,
    gain_by_unit,
    strongest,
    values_of,
)
from fer_lib.aus.detectors import Detector, Detectors
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.handmade import rotated_channels
from fer_lib.look.layers import last_conv
from fer_lib.stats.two_way import networks_and_people
from fer_lib.train.controls import untrained_network
from fer_lib.train.lesson import TrainedNetwork
from ferbook.estimate import Estimate
from ferbook.page.tables import Table
from ferbook.text import bounds_text, number_text
from synthetic_faces.domains import DOMAINS

MEASURE_LABELS = {"mean_difference": "mean difference", "kl": "KL divergence", "auroc": "2·AUROC − 1"}
"""The measures by which filters are also named as in the papers."""

_COUNT_TOLERANCE = 0.1
"""By how much a count of filters may move on another machine, as a share of all: sums in another order shift
a filter over a threshold.
"""

LARGER = " px"
"""Ends the name of what has the structure of the first network, but for larger pictures."""

SHUFFLED = "shuffled"
"""Ends the name of what learned the same pictures with shuffled labels."""

UNTRAINED_BESIDE = 5
"""At most so many untrained networks of a structure that stands only beside."""

COMPARED_BY_SIZE = {"kappa": "κ", "distinct_units": "units with detectors"}
"""What networks of larger pictures are compared by, with its name."""

PAIRED_WITH_MIXTURES = ("kappa", "verified_gain", "distinct_units")
"""What tells single filters from random mixtures of them: the difference within each network."""

KAPPA_TOLERANCE = 0.15
"""The same of κ, which has few filters behind it."""


def whose_pictures(faces: FaceSet, strangers: FaceSet) -> tuple[FaceSet, str]:
    """The pictures that filters are judged on, and whose they are, in a sentence: those of the run's own set
    ``faces`` where it is a real one with action units, else rendered ``strangers``.
    """
    people = strangers.table["subject"].nunique()
    if faces.name in DOMAINS:
        return strangers, f"The pictures are of {people} rendered people whom no network has seen."
    if faces.aus:
        return faces, (
            f"Pictures and action units are those of {faces.name}. Units are switched on in rendered faces."
        )
    return strangers, (
        f"Nobody coded action units in {faces.name}. What learned from it is asked about {people} rendered "
        "people, whose units are known."
    )


def questions_of(parameters: BaseModel, faces: FaceSet) -> Questions:
    """The questions about ``faces`` that the ``parameters`` ask. Raises as ``examine.questions``."""
    return questions(
        faces,
        parameters.present_from,
        people=parameters.people,
        contexts=parameters.contexts,
        face_seed=parameters.face_seed,
        measure=parameters.measure,
        permutations=parameters.permutations,
        seed=parameters.seed,
        other_heads=parameters.other_heads,
    )


def examine_all(
    population: Sequence[TrainedNetwork],
    beside: Mapping[str, Sequence[TrainedNetwork]],
    queries: Questions,
    *,
    larger: Questions | None = None,
    layer: str = "",
    untrained: int = 5,
    device: torch.device | None = None,
) -> tuple[list[Examined], Whole]:
    """The answers of all networks, and what is behind those of the first: those of ``population`` and random
    mixtures of their filters, the populations set ``beside`` by name, and ``untrained`` networks of the
    structure, of others ``UNTRAINED_BESIDE`` at most.

    ``larger``: the questions to networks that learned pictures of their size; these count as another
    structure. ``layer`` is that of the structure of ``population``; empty, and of other structures, the
    papers' layer is taken (``look.layers.last_conv``).
    """
    own = population[0].lesson.network
    answers, whole = [], None
    structures = {}
    for name, networks in {TRAINED: population, **beside}.items():
        for each in networks:
            structure, size, seed = each.lesson.network, each.lesson.faces.size, each.lesson.seed
            short = name.removesuffix(f"_{structure}").removesuffix(f"_{size}").replace("_", " ")
            own_questions = queries
            if larger and larger.faces.size[0] == size:
                own_questions = larger
                structure = f"{size}{LARGER}" if structure == own else f"{structure} at {size} px"
            at = layer if layer and structure == own else last_conv(each.model)
            structures.setdefault(structure, (each.model, at, own_questions))
            about = short, structure, seed
            examined, behind = examine(
                each.model,
                at,
                own_questions,
                about=about,
                measures=tuple(MEASURE_LABELS) if name == TRAINED else (),
                device=device,
            )
            answers.append(examined)
            whole = whole or behind
            if name == TRAINED:
                mixed, at = rotated_channels(each.model, at, examined.filters, seed)
                about = MIXTURES, structure, seed
                answers.append(examine(mixed, at, queries, about=about, device=device)[0])
    for structure, (model, at, own_questions) in structures.items():
        for seed in range(untrained if structure == own else min(untrained, UNTRAINED_BESIDE)):
            network = untrained_network(model, seed)
            about, measures = (UNTRAINED, structure, seed), tuple(MEASURE_LABELS) if structure == own else ()
            answers.append(
                examine(network, at, own_questions, about=about, measures=measures, device=device)[0]
            )
    return answers, whole


def populations_of(examined: Sequence[Examined]) -> dict[str, list[Examined]]:
    """The networks by what they stand for, in the order in which they were examined; a structure that is not
    the first one's is named too.
    """
    own, groups = examined[0].structure, {}
    for each in examined:
        name = each.group if each.structure in (own, each.group) else f"{each.group}, {each.structure}"
        groups.setdefault(name, []).append(each)
    return groups


def rivals_of(networks: Sequence[Examined], examined: Sequence[Examined]) -> list[Examined]:
    """The untrained networks of the structure of ``networks``."""
    structure = networks[0].structure
    return [each for each in examined if (each.group, each.structure) == (UNTRAINED, structure)]


def reading_settings(metric: str, filters: int) -> dict[str, object]:
    """Unit, tolerance and limits of a ``metric`` of networks with so many ``filters``."""
    if "kappa" in metric or metric == "rank_correlation":
        return {"tolerance": KAPPA_TOLERANCE}
    if "share" in metric or metric in ("cause_reliability", *OF_VERIFIED):
        return {"unit": "share", "tolerance": KAPPA_TOLERANCE, "limits": (0, 1)}
    few = metric in ("distinct_units", "strongest_verified")
    least = -filters if metric == "verified_gain" else 0  # beyond chance there may be fewer than none
    tolerance = 3 if few else _COUNT_TOLERANCE * filters
    return {"unit": "count", "tolerance": tolerance, "limits": (least, filters)}


def over_mixtures(groups: Mapping[str, Sequence[Examined]], reading: Reading, metric: str) -> Estimate:
    """How far trained networks are ahead of random mixtures of their own filters, network by network, in what
    ``reading`` says of each; ``metric`` as of ``reading_settings``.
    """
    single, mixed = (values_of(groups[name], reading) for name in (TRAINED, MIXTURES))
    settings = reading_settings(metric, groups[TRAINED][0].filters)
    low, high = settings.get("limits", (-np.inf, np.inf))
    return networks_and_people(single - mixed, **settings | {"limits": (low - high, high - low)})


def metric_prefix(population: str) -> str:
    """What the metrics of a ``population`` begin with."""
    return "" if population == TRAINED else population.replace(", ", "_").replace(" ", "_") + "_"


def population_metrics(examined: Sequence[Examined]) -> dict[str, Estimate]:
    """Each of ``READINGS`` over networks and people: of the trained networks by its name, of the others as
    ``<population>_<metric>``, and the difference to the untrained ones of the same structure as
    ``…_over_untrained``; and of trained and untrained ones κ of the papers' rule with two measures,
    ``auroc_agreement_kappa`` and ``kl_agreement_kappa``, and in what share of the filters it is right,
    ``auroc_agreement_share`` and ``kl_agreement_share``. How many networks the others are:
    ``<population>_networks``.

    ``<metric>_over_mixtures``: how far trained networks are ahead of random mixtures of their own filters,
    network by network, of ``PAIRED_WITH_MIXTURES``.

    ``beyond_untrained``: filters that are stronger within emotions than every untrained one, and
    ``beyond_untrained_over_mixtures``: how many more than among random mixtures of the same filters. Of
    networks of larger pictures, ``…_kappa_over_smaller`` and ``…_distinct_units_over_smaller``: the
    difference to the trained ones. Beside them, ``over_shuffled``.
    """
    estimates = {}
    agreements = {f"{measure}_agreement_kappa": agreement_of(measure) for measure in ("auroc", "kl")}
    agreements |= {f"{measure}_agreement_share": agreement_share(measure) for measure in ("auroc", "kl")}
    groups = populations_of(examined)
    for name, networks in groups.items():
        prefix = metric_prefix(name)
        rivals = rivals_of(networks, examined)
        if prefix:
            estimates[f"{prefix}networks"] = Estimate(len(networks), unit="count")
        for metric, reading in (READINGS | agreements if networks[0].named else READINGS).items():
            settings = reading_settings(metric, networks[0].filters)
            own = values_of(networks, reading)
            estimates[prefix + metric] = networks_and_people(own, **settings)
            if networks[0].group != UNTRAINED:
                ahead = networks_and_people(own, values_of(rivals, reading), **settings)
                estimates[f"{prefix}{metric}_over_untrained"] = ahead
        if networks[0].group == UNTRAINED:
            continue
        count = beyond(strongest(rivals))
        settings = reading_settings("beyond_untrained", networks[0].filters)
        estimates[f"{prefix}beyond_untrained"] = networks_and_people(values_of(networks, count), **settings)
        if name.endswith(LARGER):
            for metric in COMPARED_BY_SIZE:
                both = (values_of(each, READINGS[metric]) for each in (networks, groups[TRAINED]))
                estimates[f"{prefix}{metric}_over_smaller"] = networks_and_people(
                    *both, **reading_settings(metric, networks[0].filters)
                )
    count = beyond(strongest(rivals_of(examined[:1], examined)))
    estimates["beyond_untrained_over_mixtures"] = over_mixtures(groups, count, "beyond_untrained")
    for metric in PAIRED_WITH_MIXTURES:
        estimates[f"{metric}_over_mixtures"] = over_mixtures(groups, READINGS[metric], metric)
    return estimates | over_shuffled(groups, READINGS["kappa"])


def over_shuffled(groups: Mapping[str, Sequence[Examined]], kappa: Reading) -> dict[str, Estimate]:
    """``<population>_kappa_over_shuffled`` of the populations in ``groups`` (as of ``populations_of``) beside
    which there is one of that name and ``SHUFFLED``: how far ``kappa`` is ahead of it.
    """
    estimates = {}
    for name, networks in groups.items():
        if by_heart := groups.get(f"{name} {SHUFFLED}"):
            settings = reading_settings("kappa", networks[0].filters)
            estimates[f"{metric_prefix(name)}kappa_over_shuffled"] = networks_and_people(
                values_of(networks, kappa), values_of(by_heart, kappa), **settings
            )
    return estimates


def how_many(examined: Sequence[Examined], beside: Mapping[str, Sequence[TrainedNetwork]]) -> str:
    """How many networks are behind the strip, in sentences, and what one alone leaves open."""
    groups = populations_of(examined)
    counts = [f"{POPULATION_LABELS.get(name, name)} {len(networks)}" for name, networks in groups.items()]
    text = f"Networks: {'; '.join(counts)}."
    if len(groups[TRAINED]) == 1:
        text += (
            " Of the one trained network the interval is over people only: another training is not covered."
        )
    if absent := [POPULATION_LABELS.get(name, name) for name, networks in beside.items() if not networks]:
        text += f" None is kept of {', '.join(absent)}."
    return text


def what_size_changes(estimates: Mapping[str, Estimate]) -> str:
    """What ``population_metrics`` say of networks of larger pictures against those of the first size, in a
    sentence; empty where there are none.
    """
    phrases = [
        f"{label} {bounds_text(estimate)}"
        for metric, label in COMPARED_BY_SIZE.items()
        for name, estimate in estimates.items()
        if name.endswith(f"_{metric}_over_smaller")
    ]
    return f"What larger pictures add, in trained networks: {', '.join(phrases)}." if phrases else ""


def planted_table(scores: pd.DataFrame) -> Table:
    """Of ``planted.score_rules``: what each rule finds, and how much of what it claims is right."""
    data = scores[["measure", "rule", "snr", "precision", "recall"]].replace({"rule": {"_": " "}}, regex=True)
    data = data.replace({"measure": MEASURE_LABELS}).rename(columns={"snr": "signal to noise"})
    formats = {"precision": "share", "recall": "share"}
    return Table(data, "Planted detectors, by rule", formats, dict.fromkeys(formats, 0.15))


def label_table(losses: pd.DataFrame) -> Table:
    """Of ``planted.label_tests``: what wrong labels cost, and which of them a measure notices."""
    noticed = losses[["missing", "extra"]].ge(NOTICED_FROM)
    words = {(True, True): "both", (True, False): "missing", (False, True): "extra", (False, False): "none"}
    labels = MEASURE_LABELS | {"smd": "SMD", "ks": "KS", "wasserstein": "Wasserstein"}
    data = pd.DataFrame(
        {
            "measure": losses["measure"].replace(labels),
            "half missing": losses["missing"],
            "twice as many": losses["extra"],
            "notices": [words[pair] for pair in noticed.itertuples(index=False, name=None)],
        }
    )
    formats = dict.fromkeys(("half missing", "twice as many"), "share")
    least = number_text(NOTICED_FROM, "share")
    what = f"The share of a perfect detector's value that wrong labels cost; noticed from {least} on"
    return Table(data, what, formats, dict.fromkeys(formats, 0.1) | {"notices": 0})


def strip_table(examined: Sequence[Examined]) -> pd.DataFrame:
    """One row per network and number of ``READING_LABELS``: ``population``, ``seed``, ``panel`` and
    ``value``; of a population its ``mean``, ``low`` and ``high`` in all its rows.
    """
    rows = []
    for name, networks in populations_of(examined).items():
        for metric, label in READING_LABELS.items():
            values = values_of(networks, READINGS[metric])
            mean = networks_and_people(values)
            for own, value in zip(networks, values[:, 0], strict=True):
                rows.append((name, own.seed, label, value, mean.value, mean.low, mean.high))
    columns = ["population", "seed", "panel", "value", "mean", "low", "high"]
    return pd.DataFrame(rows, columns=columns).astype({"low": float, "high": float})


def unit_table(examined: Sequence[Examined]) -> pd.DataFrame:
    """Verified filters beyond chance by unit, of trained and untrained networks: ``au``, ``series``,
    ``value`` (mean over networks), ``low``, ``high``; a row per unit and kind of network.
    """
    rows = []
    for name in (TRAINED, UNTRAINED):
        networks = populations_of(examined)[name]
        gains = values_of(networks, gain_by_unit)
        for a, au in enumerate(networks[0].aus):
            own = networks_and_people(gains[..., a])
            rows.append((au, name, own.value, own.low, own.high))
    columns = ["au", "series", "value", "low", "high"]
    return pd.DataFrame(rows, columns=columns).astype({"low": float, "high": float})


def agreement_table(examined: Sequence[Examined]) -> pd.DataFrame:
    """κ of the unit that a measure names, as in the papers, and the one that moves the filter most:
    ``measure``, ``series``, ``value``, ``low``, ``high``; a row per measure and kind of network.
    """
    rows = []
    for measure in MEASURE_LABELS:
        for name in (TRAINED, UNTRAINED):
            own = networks_and_people(values_of(populations_of(examined)[name], agreement_of(measure)))
            rows.append((MEASURE_LABELS[measure], name, own.value, own.low, own.high))
    columns = ["measure", "series", "value", "low", "high"]
    return pd.DataFrame(rows, columns=columns).astype({"low": float, "high": float})


def filter_table(own: Examined) -> pd.DataFrame:
    """One row per filter of one network: ``filter``; ``named`` (by ``kl``, as in the papers), ``overall``,
    ``within`` and ``causal``, units, empty where there is none; ``score``, its strength within emotions;
    ``verified``.
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
            "score": np.where(claimed != "", own.strength[0, every, places], np.nan),
            "verified": (claimed != "") & (claimed == own.caused[0]),
        }
    )


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


def count_metrics(examined: Sequence[Examined], stability: np.ndarray) -> dict[str, Estimate]:
    """Who was asked: ``networks`` that were trained, ``filters`` of one; and ``kl_stability``, the mean over
    filters of the share of resamples in which KL gives a filter the same unit.
    """
    shares = stability[~np.isnan(stability)]
    return {
        "networks": Estimate(len(populations_of(examined)[TRAINED]), unit="count"),
        "filters": Estimate(examined[0].filters, unit="count"),
        "kl_stability": Estimate(
            shares.mean(), n=len(shares), why="of the filters of one network", unit="share", tolerance=0.1
        ),
    }


def luck_metrics(luck: np.ndarray, singly: np.ndarray) -> dict[str, Estimate]:
    """Of the largest AUROC in each shuffle of the labels ``luck``, the middle and the bar of the 95 %
    that stay below; of shuffles picture by picture, ``singly``, the middle.
    """
    quantiles = {
        "luck": np.median(luck),
        "luck_bar": np.quantile(luck, 1 - FAMILY_ERROR),
        "luck_singly": np.median(singly),
    }
    about = {"n": len(luck), "why": f"of {len(luck)} shuffles of these labels", "tolerance": 0.03}
    return {name: Estimate(float(value), **about) for name, value in quantiles.items()}
