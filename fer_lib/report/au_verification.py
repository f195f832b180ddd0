"""Is this filter an action-unit detector? The tables, metrics and sentences of the chapter that asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from fer_lib.explain.filters import Responses
from fer_lib.report.figures.style import listing
from fer_lib.report.metrics import Metric
from fer_lib.units.agreement import NONE, Agreement, causal_argmax
from fer_lib.units.association import Association, mapping
from fer_lib.units.decision import RULES, claims, decide, permutations_needed
from fer_lib.units.intervene import Effects, Interventions
from fer_lib.units.nulls import Null, permutation_null
from fer_lib.units.presence import Presence
from fer_lib.units.rare import without_rare

TRAINED = "trained"

NAMED, SURVIVES, WITHIN, MOVED, BEYOND = (
    "named by the papers' rule",
    "beats chance",
    "beats chance within emotions",
    "and its unit moves it most",
    "and beats untrained filters",
)
"""Criteria of ``criteria``; the last two take those that beat chance within emotions."""

COUNT_TOLERANCE = 0.1
"""By how much a count of filters may move on another machine, as a share of all: sums in another order shift a filter over a threshold."""


@dataclass(frozen=True)
class Judged:
    """Channels of one network or bank, held against chance.

    ``maxima`` (N, K): their maximal responses, 0 for those set aside as ``rare`` (K,). ``overall`` and ``within``: the null over all pictures,
    and the one in which labels move among sequences of the same emotion only.
    """

    maxima: np.ndarray
    rare: np.ndarray
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
    """Each of ``banks`` (name to maximal responses (N, K)) against permuted labels; the same permutations for all of them.

    Raises what ``units.nulls.permutation_null`` raises.
    """
    found = {}
    settings = {"permutations": permutations, "seed": seed, "device": device}
    for name, maxima in banks.items():
        kept, rare = without_rare(maxima, presence.subjects)
        overall = permutation_null(kept, presence, measure, **settings)
        within = permutation_null(kept, presence, measure, within=presence.emotions, **settings)
        found[name] = Judged(kept, rare, overall, within)
    return found


def source_of(name: str) -> str:
    """What a bank's name stands for on the page: the untrained networks share one."""
    return "untrained" if name.startswith("untrained") else name


def strongest_filters(association: Association, ranked: pd.DataFrame, count: int = 10) -> pd.DataFrame:
    """The association of the ``count`` filters with the highest response, the strongest first: what ``figures.divergence_map`` takes.

    ``ranked`` is what ``explain.filters.rank_filters`` gave. Dead and rare filters are passed over.
    """
    live = [k for k in ranked["filter"] if not association.dead[k]][:count]
    stability = mapping(association).set_index("filter")["stability"]
    return pd.DataFrame(
        {
            "filter": np.repeat(live, len(association.aus)),
            "au": np.tile(np.array(association.aus, dtype=object), len(live)),
            "estimate": association.estimate[live].ravel(),
            "stability": np.repeat(stability.loc[live].to_numpy(), len(association.aus)),
        }
    )


def strongest_associations(judged: Mapping[str, Judged]) -> pd.DataFrame:
    """One row per live channel: ``source`` and ``estimate``, its largest association with any unit."""
    parts = [
        pd.DataFrame(
            {
                "source": source_of(name),
                "estimate": np.nanmax(own.overall.observed[~own.overall.dead], axis=1),
            }
        )
        for name, own in judged.items()
    ]
    return pd.concat(parts, ignore_index=True)


def rule_table(own: Judged, alpha: float) -> pd.DataFrame:
    """How many filters and pairs each decision rule claims, over all pictures and within emotions; one row per rule.

    A rule that would need more permutations than there are has missing values, and says in ``permutations needed`` how many.
    """
    rows = []
    for rule in RULES:
        row: dict[str, object] = {"rule": rule}
        for where, null in (("overall", own.overall), ("within emotions", own.within)):
            needed = permutations_needed(null, rule, alpha)
            row["permutations needed"] = needed or pd.NA
            called = decide(null, rule, alpha) if null.permutations >= needed else None
            row[f"filters, {where}"] = pd.NA if called is None else int(called.any(axis=1).sum())
            row[f"pairs, {where}"] = pd.NA if called is None else int(called.sum())
        rows.append(row)
    return pd.DataFrame(rows)


def detectors(own: Judged, effects: Effects | None, alpha: float) -> pd.DataFrame:
    """One row per channel: what it is said to detect, and by what.

    ``filter``; ``named`` (unit of the largest association, empty for dead and rare filters); ``overall``, ``within``: the unit that it is claimed to detect after the
    null, empty where none; ``value`` and ``score`` of the latter; with ``effects`` also ``causal``, the unit that raises it most
    and does so beyond chance (empty: none), and ``verified``: ``within`` is named and equals ``causal``.
    """
    names = np.array([*own.overall.aus, ""], dtype=object)
    within = claims(own.within, "max_statistic", alpha)
    rows = np.arange(own.channels)
    table = pd.DataFrame(
        {
            "filter": rows,
            "named": names[claims(own.overall, "argmax", alpha)],
            "overall": names[claims(own.overall, "max_statistic", alpha)],
            "within": names[within],
            "value": np.where(within >= 0, own.within.observed[rows, within], np.nan),
            "score": np.where(within >= 0, own.within.scores[rows, within], np.nan),
        }
    )
    if effects is None:
        return table
    causal = causal_argmax(effects)
    stands = effects.survivors(alpha)[rows, causal] & (causal != NONE)
    table["causal"] = np.where(stands, np.array([*effects.aus, ""], dtype=object)[causal], "")
    return table.assign(verified=table["within"].ne("") & table["within"].eq(table["causal"]))


def beyond_untrained(judged: Mapping[str, Judged], name: str, alpha: float) -> np.ndarray:
    """bool (K,): channels of the bank ``name`` that beat chance within emotions, and every channel of the untrained networks for the same unit.

    An untrained network is held against the other ones. Where there is none to compare with, nothing is beyond.
    """
    own = judged[name].within
    others = [
        j.within.observed for other, j in judged.items() if source_of(other) == "untrained" and other != name
    ]
    if not others:
        return np.zeros(len(own.observed), bool)
    bar = np.concatenate(others).max(axis=0)
    claimed = claims(own, "max_statistic", alpha)
    return (claimed >= 0) & (own.observed[np.arange(len(claimed)), claimed] > bar[claimed])


def criteria(
    judged: Mapping[str, Judged], effects: Mapping[str, Effects] | None, alpha: float
) -> pd.DataFrame:
    """One row per bank and criterion: ``source``, ``bank``, ``criterion``, ``count``, ``channels`` and ``share``.

    The criterion of interventions stands only where there are ``effects``, by the names of ``judged``.
    """
    rows = []
    for name, own in judged.items():
        table = detectors(own, effects[name] if effects else None, alpha)
        met = {
            NAMED: table["named"].ne(""),
            SURVIVES: table["overall"].ne(""),
            WITHIN: table["within"].ne(""),
            BEYOND: beyond_untrained(judged, name, alpha),
        }
        if effects:
            met[MOVED] = table["verified"]
        rows += [
            {
                "source": source_of(name),
                "bank": name,
                "criterion": criterion,
                "count": int(np.sum(kept)),
                "channels": own.channels,
                "share": float(np.mean(kept)),
            }
            for criterion, kept in met.items()
        ]
    return pd.DataFrame(rows)


def unit_table(
    judged: Mapping[str, Judged], effects: Mapping[str, Effects] | None, column: str, alpha: float
) -> pd.DataFrame:
    """How many filters of the trained and the untrained networks each unit has: ``source``, ``bank``, ``au``, ``count``.

    ``column`` of ``detectors`` says which unit is meant: ``named``, ``overall``, ``within``, ``causal``; ``verified`` counts those that are
    claimed within emotions and moved most by that unit.
    """
    rows = []
    for name, own in judged.items():
        if source_of(name) not in (TRAINED, "untrained"):
            continue
        table = detectors(own, effects[name] if effects else None, alpha)
        units = table.loc[table["verified"], "within"] if column == "verified" else table[column]
        counts = units.value_counts()
        rows += [
            {"source": source_of(name), "bank": name, "au": au, "count": int(counts.get(au, 0))}
            for au in own.overall.aus
            if au not in own.overall.too_few
        ]
    return pd.DataFrame(rows)


def unit_metrics(table: pd.DataFrame, name: str) -> dict[str, Metric]:
    """``<name>_units``: how many units have a filter in the trained layer of ``unit_table``; ``<name>_units_untrained``, the mean over the untrained."""
    served = table[table["count"].gt(0)].groupby(["source", "bank"]).size()
    banks = table.groupby("source")["bank"].nunique()
    return {
        f"{name}_units{ending}": Metric(
            served.get(source, pd.Series(dtype=float)).sum() / banks[source],
            n=int(banks[source]),
            unit="count",
            tolerance=3,
        )
        for source, ending in ((TRAINED, ""), ("untrained", "_untrained"))
        if source in banks
    }


def showcase(table: pd.DataFrame, count: int = 6) -> pd.DataFrame:
    """Up to ``count`` filters to look at, ``filter`` and ``au``: verified ones first, as many units as possible, then by score.

    Where too few are verified those follow that beat chance within emotions, then overall, then those that are merely named.
    """
    parts = []
    for column, rank in (("within", 1), ("overall", 2), ("named", 3)):
        own = table[table[column].ne("")]
        parts.append(own.assign(au=own[column], rank=rank))
        if column == "within" and "verified" in table:
            parts.insert(0, own[own["verified"]].assign(au=own["within"], rank=0))
    found = pd.concat(parts).drop_duplicates("filter")
    found = found.sort_values(["rank", "score"], ascending=[True, False], kind="stable")
    found["again"] = found.groupby(["rank", "au"]).cumcount()
    found = found.sort_values(["rank", "again"], kind="stable")
    return found[["filter", "au"]].head(count).reset_index(drop=True)


def top_pairs(chosen: pd.DataFrame, responses: Responses, top: np.ndarray) -> pd.DataFrame:
    """``chosen`` filters with their top pictures, a row each: ``filter``, ``au``, ``picture``, ``response``; equally many for each.

    ``top`` (K, count) is what ``explain.filters.top_pictures`` gave.
    """
    count = max(1, int((top[chosen["filter"]] >= 0).sum(axis=1).min()))
    filters = np.repeat(chosen["filter"].to_numpy(), count)
    pictures = top[chosen["filter"], :count].ravel()
    return pd.DataFrame(
        {
            "filter": filters,
            "au": np.repeat(chosen["au"].to_numpy(), count),
            "picture": pictures,
            "response": responses.maxima[pictures, filters],
        }
    )


def at_full(switched: Interventions) -> Interventions:
    """The same interventions at the highest level only."""
    per_face = 1 + len(switched.aus) * len(switched.levels)
    last = np.concatenate(([0], np.arange(len(switched.aus)) * len(switched.levels) + len(switched.levels)))
    rows = (np.arange(len(switched.subjects))[:, None] * per_face + last).ravel()
    return replace(switched, faces=switched.faces.select(rows), levels=switched.levels[-1:])


def changed_pixels(switched: Interventions, chosen: pd.DataFrame) -> np.ndarray:
    """float64 (filters, H, W): what the unit of each ``chosen`` filter changes in a picture at the highest level, mean over base faces."""
    off = switched.off.astype(np.float64)
    return np.stack(
        [
            (switched.pixels[:, switched.aus.index(au), -1] - off).mean(axis=0)
            if au in switched.aus
            else np.zeros(off.shape[1:])
            for au in chosen["au"]
        ]
    )


def effect_table(effects: Effects, chosen: pd.DataFrame, alpha: float) -> pd.DataFrame:
    """Effects on the ``chosen`` filters, a row per filter, AU and level: ``effect``, ``low``, ``high``, ``survives`` (at the highest level), ``claimed``."""
    stands = effects.survivors(alpha)
    rows = []
    for filter_, claimed in zip(chosen["filter"], chosen["au"], strict=True):
        for a, au in enumerate(effects.aus):
            for step, level in enumerate(effects.levels):
                rows.append(
                    {
                        "filter": filter_,
                        "au": au,
                        "level": level,
                        "effect": effects.effect[filter_, a, step],
                        "low": effects.low[filter_, a, step],
                        "high": effects.high[filter_, a, step],
                        "survives": bool(stands[filter_, a]),
                        "claimed": au == claimed,
                    }
                )
    return pd.DataFrame(rows)


def agreement_table(found: Mapping[str, Sequence[Agreement]]) -> pd.DataFrame:
    """``found``: which filters are meant -> agreements of the measures. One row each, for ``figures.agreement_dots``."""
    fields = ("measure", "share", "low", "high", "chance", "near", "n")
    return pd.DataFrame(
        [
            {"filters": filters} | {field: getattr(one, field) for field in fields}
            for filters, agreements in found.items()
            for one in agreements
        ]
    )


def presence_metrics(presence: Presence, own: Judged) -> dict[str, Metric]:
    """``pictures``, ``people``, ``units_scored``, ``units_too_few``, ``filters`` and ``filters_rare``."""
    return {
        "pictures": Metric(len(presence), unit="count"),
        "people": Metric(len(np.unique(presence.subjects)), unit="count"),
        "units_scored": Metric(len(presence.aus) - len(own.overall.too_few), unit="count"),
        "units_too_few": Metric(len(own.overall.too_few), unit="count"),
        "filters": Metric(own.channels, unit="count"),
        "filters_rare": Metric(own.rare.sum(), unit="count", tolerance=3),
    }


_METRIC_OF = {
    NAMED: "named",
    SURVIVES: "beyond_chance",
    WITHIN: "beyond_emotion",
    BEYOND: "beyond_untrained",
    MOVED: "verified",
}


def criteria_metrics(table: pd.DataFrame) -> dict[str, Metric]:
    """Of ``criteria``: ``<criterion>_filters`` of the trained layer, and ``<criterion>_untrained``, the mean over the untrained networks."""
    found = {}
    for (criterion, source), part in table.groupby(["criterion", "source"], sort=False):
        room = COUNT_TOLERANCE * part["channels"].iloc[0]
        name = _METRIC_OF[criterion]
        if source == TRAINED:
            found[f"{name}_filters"] = Metric(part["count"].iloc[0], unit="count", tolerance=room)
        elif source == "untrained":
            found[f"{name}_untrained"] = Metric(
                part["count"].mean(), n=len(part), unit="count", tolerance=room
            )
    return found


def mapping_metrics(associations: Mapping[str, Association]) -> dict[str, Metric]:
    """``<measure>_stability``: the mean share of resamples in which a filter keeps its unit, over the filters that are not dead."""
    return {
        f"{measure}_stability": Metric(
            np.nanmean(found.stability), n=int((~found.dead).sum()), unit="share", tolerance=0.1
        )
        for measure, found in associations.items()
    }


def agreement_metrics(table: pd.DataFrame) -> dict[str, Metric]:
    """``<measure>_agreement`` of the trained layer's filters and ``<measure>_agreement_untrained``, with intervals; ``best_agreement`` is the largest."""
    found = {}
    for row in table.itertuples():
        if row.filters not in (TRAINED, "untrained"):
            continue
        name = f"{row.measure}_agreement" + ("" if row.filters == TRAINED else "_untrained")
        method = "95 % percentile bootstrap over people of the interventions"
        found[name] = Metric(row.share, row.low, row.high, row.n, method, "share", 0.15)
    return found


def answer(metrics: Mapping[str, Mapping], measure: str) -> str:
    """The chapter's result in plain words, from its metrics; parts that were not computed are left out."""

    def count(name: str) -> str:
        return f"{round(metrics[name]['value']):,}"

    told = [
        f"The papers' rule names a unit for {count('named_filters')} of {count('filters')} filters. "
        f"{count('beyond_chance_filters')} are detectors at a family-wise error of 5 % over all pairs, and {count('beyond_emotion_filters')} still are when labels move "
        "only within an emotion."
    ]
    if "beyond_emotion_untrained" in metrics:
        told.append(
            f"Of as many filters that were never trained, the same two tests leave {count('beyond_chance_untrained')} and "
            f"{count('beyond_emotion_untrained')} on average: to beat chance is no sign of learning. Stronger than every untrained filter with the same unit are "
            f"{count('beyond_untrained_filters')}."
        )
    if "verified_filters" in metrics:
        told.append(
            f"Switched on alone, the named unit is also the one that raises the response most in {count('verified_filters')} trained filters and in "
            f"{count('verified_untrained')} of an untrained network."
        )
    agreed = {name: metrics.get(f"{name}_agreement") for name in (measure, "kl")}
    known = [
        f"{name.replace('_', ' ')} {100 * metric['value']:.0f} %" for name, metric in agreed.items() if metric
    ]
    if known:
        told.append(
            f"The largest association names the causal unit for this share of the filters: {listing(known)}."
        )
    return " ".join(told)
