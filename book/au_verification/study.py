"""Is this filter an action-unit detector? What goes with units in pictures, held against chance, against the
emotion and against networks that learned nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.stats import binomtest

from book.au_verification.agreement import NONE, causal_argmax
from fer_lib.aus.association import Association, histograms
from fer_lib.aus.decision import RULES, beyond, claims, decide, permutations_needed
from fer_lib.aus.detectors import Detector, Detectors
from fer_lib.aus.interventions import Effects
from fer_lib.aus.nulls import Null, permutation_null
from fer_lib.aus.presence import Presence
from fer_lib.stats.resampling import CONFIDENCE
from ferbook.estimate import Estimate
from ferbook.page.tables import Table

TRAINED = "trained"

ALPHA = 0.05
"""Family-wise error at which a filter counts as a detector."""

MEASURE_LABELS = {
    "mean_difference": "mean difference",
    "smd": "standardised mean difference",
    "wasserstein": "Wasserstein distance",
    "ks": "Kolmogorov–Smirnov distance",
    "kl": "KL divergence (nats)",
    "auroc": "2·AUROC − 1",
}

CRITERIA = {
    "named": "named by the papers' rule",
    "beyond_chance": "beats chance",
    "beyond_emotion": "beats chance within emotions",
    "beyond_untrained": "and beats untrained filters",
    "verified": "and its unit moves it most",
}
"""Criteria of ``criteria``; the last two take those that beat chance within emotions."""

COUNT_TOLERANCE = 0.1
"""By how much a count of filters may move on another machine, as a share of all: sums in another order shift
a filter over a threshold.
"""


@dataclass(frozen=True)
class Judged:
    """Channels of one network or bank, held against chance.

    ``maxima`` (N, K): their maximal responses. ``overall`` and ``within``: the null over all pictures, and
    the one in which labels move among sequences of the same emotion only. ``presence``: of the same pictures.
    """

    presence: Presence
    maxima: np.ndarray
    overall: Null
    within: Null

    @property
    def channels(self) -> int:
        return self.maxima.shape[1]


def judge(
    banks: Mapping[str, np.ndarray],
    presence: Presence,
    measure: str,
    *,
    permutations: int,
    seed: int = 0,
    device: torch.device | None = None,
) -> dict[str, Judged]:
    """Each of ``banks`` (name to maximal responses (N, K)) against permuted labels; the same permutations for
    all of them.

    Raises what ``aus.nulls.permutation_null`` raises.
    """
    found = {}
    settings = {"permutations": permutations, "seed": seed, "device": device}
    for name, maxima in banks.items():
        overall = permutation_null(maxima, presence, measure, **settings)
        within = permutation_null(maxima, presence, measure, within=presence.emotions, **settings)
        found[name] = Judged(presence, maxima, overall, within)
    return found


def source_of(name: str) -> str:
    """What a bank's name stands for on the page: the untrained networks share one."""
    return "untrained" if name.startswith("untrained") else name


def strongest_filters(association: Association, ranked: pd.DataFrame, count: int = 10) -> pd.DataFrame:
    """The association of the ``count`` filters with the highest response, the strongest first: a row each
    with its ``stability`` and a column per unit that was scored.

    ``ranked`` is what ``look.responses.rank_filters`` gave. Dead filters are passed over.
    """
    live = [k for k in ranked["filter"] if not association.dead[k]][:count]
    index = pd.Index(live, name="filter")
    table = pd.DataFrame(association.estimate[live], index, list(association.aus)).dropna(axis=1)
    table.insert(0, "stability", association.stability[live])
    return table


def named_histograms(
    strongest: pd.DataFrame, maxima: np.ndarray, presence: Presence, count: int = 6
) -> dict[tuple[int, str], pd.DataFrame]:
    """(filter, its strongest unit) -> histograms of its responses with and without the unit, for the first
    ``count`` of ``strongest_filters``.
    """
    best = strongest.drop(columns="stability").idxmax(axis=1).head(count)
    return {
        (number, au): histograms(maxima[:, number], presence.present[:, presence.aus.index(au)])
        for number, au in best.items()
    }


def strongest_associations(judged: Mapping[str, Judged]) -> pd.DataFrame:
    """One row per channel that is neither dead nor rare: ``source`` and ``estimate``, its largest association
    with any unit.
    """
    parts = []
    for name, own in judged.items():
        null = own.overall
        best = np.nanmax(null.observed[~(null.dead | null.rare)], axis=1)
        parts.append(pd.DataFrame({"source": source_of(name), "estimate": best}))
    return pd.concat(parts, ignore_index=True)


def rule_table(own: Judged) -> Table:
    """How many filters and pairs each decision rule claims, over all pictures and within emotions; one row
    per rule.

    A rule that would need more permutations than there are has missing values, and says in ``needs`` how
    many.
    """
    rows = []
    for rule in RULES:
        row: dict[str, object] = {"rule": rule.replace("_", " ")}
        for where, null in (("", own.overall), (" within", own.within)):
            needed = permutations_needed(null, rule, ALPHA)
            row["needs"] = needed or pd.NA
            called = decide(null, rule, ALPHA) if null.permutations >= needed else None
            row[f"filters{where}"] = pd.NA if called is None else int(called.any(axis=1).sum())
            row[f"pairs{where}"] = pd.NA if called is None else int(called.sum())
        rows.append(row)
    data = pd.DataFrame(rows)
    moves = dict.fromkeys(data.columns.drop("rule"), COUNT_TOLERANCE * own.channels)
    return Table(data, "Claims of the trained filters, by decision rule", tolerance=moves)


def detectors(own: Judged, effects: Effects | None) -> pd.DataFrame:
    """One row per channel: what it is said to detect, and by what.

    ``filter``; ``named`` (unit of the largest association, empty for dead filters); ``overall``, ``within``:
    the unit that it is claimed to detect after the null, empty where none; ``value`` and ``score`` of the
    latter; with ``effects`` also ``causal``, the unit that raises it most and does so beyond chance (empty:
    none), and ``verified``: ``within`` is named and equals ``causal``.
    """
    names = np.array([*own.overall.aus, ""], dtype=object)
    within = claims(own.within, "max_statistic", ALPHA)
    rows = np.arange(own.channels)
    table = pd.DataFrame(
        {
            "filter": rows,
            "named": names[claims(own.overall, "argmax", ALPHA)],
            "overall": names[claims(own.overall, "max_statistic", ALPHA)],
            "within": names[within],
            "value": np.where(within >= 0, own.overall.observed[rows, within], np.nan),
            "score": np.where(within >= 0, own.within.scores[rows, within], np.nan),
        }
    )
    if effects is None:
        return table
    causal = causal_argmax(effects)
    stands = effects.survivors(ALPHA)[rows, causal] & (causal != NONE)
    table["causal"] = np.where(stands, np.array([*effects.aus, ""], dtype=object)[causal], "")
    return table.assign(verified=table["within"].ne("") & table["within"].eq(table["causal"]))


def claimed_detectors(own: Judged, layer: str) -> Detectors:
    """The filters of ``layer`` that are claimed for a unit within emotions, the one with the largest
    association first: what other chapters look at.
    """
    table = detectors(own, None)
    held = table[table["within"].ne("")].sort_values("value", ascending=False, kind="stable")
    rows = held[["filter", "within", "value"]].itertuples(index=False)
    filters = [Detector(filter=number, au=au, association=value) for number, au, value in rows]
    return Detectors(layer=layer, filters=filters)


def criteria(judged: Mapping[str, Judged], effects: Mapping[str, Effects] | None) -> pd.DataFrame:
    """One row per bank and criterion: ``source``, ``bank``, ``metric`` (key of ``CRITERIA``), ``criterion``,
    ``count``, ``channels`` and ``share``.

    The criterion of interventions stands only where there are ``effects``, by the names of ``judged``; that
    of untrained networks where there is one besides the bank itself.
    """
    rows = []
    for name, own in judged.items():
        rivals = [judged[bank].within for bank in judged if source_of(bank) == "untrained" and bank != name]
        table = detectors(own, effects[name] if effects else None)
        met = {
            "named": table["named"].ne(""),
            "beyond_chance": table["overall"].ne(""),
            "beyond_emotion": table["within"].ne(""),
        }
        if rivals:
            met["beyond_untrained"] = beyond(own.within, rivals, alpha=ALPHA)
        if effects:
            met["verified"] = table["verified"]
        for metric, kept in met.items():
            sizes = np.sum(kept), own.channels, np.mean(kept)
            rows.append((source_of(name), name, metric, CRITERIA[metric], *sizes))
    columns = ["source", "bank", "metric", "criterion", "count", "channels", "share"]
    return pd.DataFrame(rows, columns=columns)


_ENDINGS = {TRAINED: "filters", "untrained": "untrained", "rotated basis": "rotated"}


def criteria_metrics(table: pd.DataFrame) -> dict[str, Estimate]:
    """Of ``criteria``: ``<metric>_filters`` of the trained layer, ``<metric>_untrained``, the mean over the
    untrained networks, and ``<metric>_rotated``; with the latter ``ahead_of_mixtures``.
    """
    counts = {}
    for (metric, source), part in table[table["source"].isin(_ENDINGS)].groupby(["metric", "source"]):
        counts[f"{metric}_{_ENDINGS[source]}"] = Estimate(
            part["count"].mean(),
            n=None if source == TRAINED else len(part),
            unit="count",
            tolerance=COUNT_TOLERANCE * part["channels"].iloc[0],
        )
    if "beyond_untrained_rotated" not in counts:
        return counts
    single, mixed = (round(counts[f"beyond_untrained_{ending}"].value) for ending in ("filters", "rotated"))
    return counts | {"ahead_of_mixtures": ahead(single, mixed, table["channels"].iloc[0])}


def ahead(single: int, mixed: int, of: int) -> Estimate:
    """How many more of ``of`` filters than of as many mixtures of them are exceptional.

    The interval of the difference is Newcombe's (1998, Statistics in Medicine 17:873, method 10), from those
    of Wilson: it has a width where both counts are 0, too.
    """
    own, other = (binomtest(k, of).proportion_ci(CONFIDENCE, method="wilson") for k in (single, mixed))
    return Estimate(
        single - mixed,
        low=single - mixed - math.hypot(single - of * own.low, of * other.high - mixed),
        high=single - mixed + math.hypot(of * own.high - single, mixed - of * other.low),
        n=of,
        how="95 % interval of Newcombe (1998, method 10), as if filters were independent",
        unit="count",
        tolerance=2 * COUNT_TOLERANCE * of,
    )


def unit_table(
    judged: Mapping[str, Judged], effects: Mapping[str, Effects] | None, column: str
) -> pd.DataFrame:
    """How many filters of the trained and the untrained networks each unit has: ``source``, ``bank``, ``au``,
    ``count``.

    ``column`` of ``detectors`` says which unit is meant: ``named``, ``overall``, ``within``, ``causal``;
    ``verified`` counts those that are claimed within emotions and moved most by that unit.
    """
    rows = []
    for name, own in judged.items():
        if source_of(name) not in (TRAINED, "untrained"):
            continue
        table = detectors(own, effects[name] if effects else None)
        units = table.loc[table["verified"], "within"] if column == "verified" else table[column]
        aus = [au for au in own.overall.aus if au not in own.overall.too_few]
        rows += [(source_of(name), name, au, int(units.eq(au).sum())) for au in aus]
    return pd.DataFrame(rows, columns=["source", "bank", "au", "count"])


def unit_metrics(table: pd.DataFrame, name: str) -> dict[str, Estimate]:
    """``<name>_units``: how many units have a filter in the trained layer of ``unit_table``;
    ``<name>_units_untrained``, the mean over the untrained.
    """
    served = table["count"].gt(0).groupby([table["source"], table["bank"]]).sum()
    endings = {TRAINED: "", "untrained": "_untrained"}
    return {
        f"{name}_units{endings[source]}": Estimate(own.mean(), n=len(own), unit="count", tolerance=3)
        for source, own in served.groupby("source")
    }


def count_table(presence: Presence) -> Table:
    """Pictures and people that show each unit, pictures that do not, and whether they are enough."""
    names = {"n_present": "pictures with it", "n_absent": "without", "subjects_present": "people with it"}
    counts = presence.counts().set_index("au").rename_axis("unit")
    scored = counts["too_few"].map({True: "too few", False: "yes"})
    data = counts.drop(columns="too_few").rename(columns=names).assign(scored=scored)
    return Table(data, "Who shows which unit")


def presence_metrics(presence: Presence, own: Judged, untrained: int) -> dict[str, Estimate]:
    """``pictures``, ``people``, ``units_scored``, ``units_too_few``, ``filters``, ``filters_rare`` and
    ``untrained_networks``.
    """
    counts = {
        "untrained_networks": untrained,
        "pictures": len(presence),
        "people": len(np.unique(presence.subjects)),
        "units_scored": len(presence.aus) - len(own.overall.too_few),
        "units_too_few": len(own.overall.too_few),
        "filters": own.channels,
    }
    rare = Estimate(own.overall.rare.sum(), unit="count", tolerance=3)
    return {name: Estimate(count, unit="count") for name, count in counts.items()} | {"filters_rare": rare}


def mapping_metrics(associations: Mapping[str, Association]) -> dict[str, Estimate]:
    """``<measure>_stability``: the mean share of resamples in which a filter keeps its unit, over the filters
    that are not dead.
    """
    return {
        f"{measure}_stability": Estimate(
            np.nanmean(found.stability), n=int((~found.dead).sum()), unit="share", tolerance=0.1
        )
        for measure, found in associations.items()
    }


SUMMARY = {
    "named_filters": "named by the papers' rule, filters",
    "beyond_chance_filters": "beat chance, filters",
    "beyond_chance_untrained": "the same, untrained",
    "beyond_emotion_filters": "beat chance within emotions, filters",
    "beyond_emotion_untrained": "the same, untrained",
    "beyond_untrained_filters": "of these, stronger than any untrained filter",
    "beyond_untrained_rotated": "the same, random mixtures of the trained filters",
    "ahead_of_mixtures": "more of the filters than of their mixtures",
    "verified_filters": "of these, moved most by the unit of the claim",
    "verified_untrained": "the same, untrained",
    "named_units": "units with a named filter",
    "named_units_untrained": "the same, untrained",
    "verified_units": "units with a verified filter",
    "verified_units_untrained": "the same, untrained",
    "kl_stability": "same unit in resamples, KL",
    "kl_agreement": "KL names the causal unit, share of filters",
    "auroc_agreement": "2·AUROC − 1 names the causal unit, share of filters",
    "auroc_agreement_untrained": "the same, untrained",
    "family_wise_error": "family-wise error in simulations",
    "coverage": "coverage of intervals in simulations",
    "planted_precision": "planted detectors, precision",
    "planted_recall": "planted detectors, recall",
    "planted_precision_argmax": "planted detectors, precision of the papers' rule",
    "head_loss": "AUROC that heads lose beyond other filters",
}
"""Metric -> what it is, for the table at the end of the page."""
