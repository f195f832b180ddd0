"""What is true of filters: shown by switching units on and filters off, and in data where the truth is known."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from book.au_verification.agreement import ALIKE, agreement, confusable
from book.au_verification.silence import ACCURACY, OWN, top_filters
from book.au_verification.study import ALPHA, TRAINED, Judged
from fer_lib.aus.association import Association, associate
from fer_lib.aus.decision import Rule
from fer_lib.aus.interventions import Effects, Interventions, effects_of
from fer_lib.aus.measures import MEASURES
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.responses import Responses
from ferbook.estimate import Estimate
from synthetic_faces.domains import DOMAINS

LEVELS = (0.3, 0.6, 1.0)
"""Intensities at which units are switched on."""

FEWEST_FOR_BH = 1500
"""With 8 true ones among some 500 pairs p has to be below 0.05 · 8 / 500 before Benjamini and Hochberg call
them all.
"""

SURVIVING = "trained, beats chance within emotions"


def domain_of(faces: FaceSet) -> str | None:
    """The synthetic domain whose people can show what they are told to, as those of ``faces`` do; None for
    real faces.
    """
    return faces.name if faces.name in DOMAINS else None


def showcase(table: pd.DataFrame, count: int = 6) -> pd.DataFrame:
    """Up to ``count`` filters to look at, ``filter`` and ``au``: verified ones first, as many units as
    possible, then by score.

    Where too few are verified those follow that beat chance within emotions, then overall, then those that
    are merely named.
    """
    parts = []
    for column, rank in (("within", 1), ("overall", 2), ("named", 3)):
        own = table[table[column].ne("")]
        parts.append(own.assign(au=own[column], rank=rank))
        if column == "within" and "verified" in table:
            verified = own[own["verified"]]
            parts.insert(0, verified.assign(au=verified["within"], rank=0))
    found = pd.concat(parts).drop_duplicates("filter")
    found = found.sort_values(["rank", "score"], ascending=[True, False], kind="stable")
    found["again"] = found.groupby(["rank", "au"]).cumcount()
    found = found.sort_values(["rank", "again"], kind="stable")
    return found[["filter", "au"]].head(count).reset_index(drop=True)


def top_pairs(chosen: pd.DataFrame, responses: Responses, top: np.ndarray) -> pd.DataFrame:
    """``chosen`` filters with their top pictures, a row each: ``filter``, ``au``, ``picture``, ``response``;
    equally many for each.

    ``top`` (K, count) is what ``look.responses.top_pictures`` gave.
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
    """float64 (filters, H, W): what the unit of each ``chosen`` filter changes in a picture at the highest
    level, mean over base faces.
    """
    off = switched.off.astype(np.float64)
    return np.stack(
        [
            (switched.pixels[:, switched.aus.index(au), -1] - off).mean(axis=0)
            if au in switched.aus
            else np.zeros(off.shape[1:])
            for au in chosen["au"]
        ]
    )


def effect_table(effects: Effects, chosen: pd.DataFrame, alpha: float = ALPHA) -> pd.DataFrame:
    """Effects on the ``chosen`` filters, a row per filter, AU and level: ``effect``, ``low``, ``high``,
    ``survives`` (at the highest level), ``claimed``.
    """
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


def agreement_table(
    judged: Mapping[str, Judged],
    effects: Mapping[str, Effects],
    known: Mapping[str, Association],
    within: np.ndarray,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """How often each measure names the unit that raises a filter most, a row per measure and group of
    filters, for ``figures.agreement_dots``.

    The groups: all filters of the trained layer; those that are ``within`` bool (K, A), claimed for some unit
    within emotions, where there are any; those of the first untrained network. ``known``: associations of the
    trained layer that have been computed with their intervals; the others' need none here, for the names
    alone count.
    """
    trained, untrained = judged[TRAINED], judged["untrained 1"]
    claimed = within.any(axis=1)
    groups = [("trained", trained, effects[TRAINED], known, None)]
    if claimed.any():
        groups.append((SURVIVING, trained, effects[TRAINED], known, claimed))
    groups.append(("untrained", untrained, effects["untrained 1"], {}, None))
    fields = ("measure", "share", "low", "high", "chance", "near", "n")
    rows = []
    for measure in MEASURES:
        for name, bank, caused, associated, filters in groups:
            association = associated.get(measure) or associate(
                bank.maxima, bank.presence, measure, draws=1, seed=seed
            )
            found = agreement(caused, association, filters=filters, draws=draws, seed=seed)
            rows.append({"filters": name} | {field: getattr(found, field) for field in fields})
    return pd.DataFrame(rows)


def confusion_table(effects: Effects | None, switched: Interventions | None) -> pd.DataFrame | None:
    """``au_verification.agreement.confusable`` for the page, of the pairs that were switched; None where no
    pair was.

    ``correlation`` of the effects over filters; ``first``, ``second``: filters that the one and the other
    raise most; ``other is next``: share in which the other comes second.
    """
    pairs = [pair for pair in ALIKE if effects is not None and set(pair) <= set(effects.aus)]
    if not pairs:
        return None
    found = confusable(effects, switched, pairs)
    return pd.DataFrame(
        {
            "pair": found["first"] + ", " + found["second"],
            "shared skin": found["shared_skin"],
            "correlation": found["correlation"],
            "first": found["filters_first"],
            "second": found["filters_second"],
            "other is next": found["runner_up"],
        }
    )


CONFUSION_FORMATS = {"shared skin": "share", "other is next": "share"}


def planted_rules(permutations: int) -> tuple[Rule, ...]:
    """The rules that are tried on planted detectors: Benjamini and Hochberg's only with at least
    ``FEWEST_FOR_BH`` ``permutations``.
    """
    least = ("max_statistic", "argmax")
    return least if permutations < FEWEST_FOR_BH else ("max_statistic", "benjamini_hochberg", "argmax")


def numbers_of_people(everyone: int) -> tuple[int, ...]:
    """How many people planted detectors are looked for among: 20, 40 and 80, where there are more, and
    ``everyone``.
    """
    return (*(number for number in (20, 40, 80) if number < everyone), everyone)


def agreement_metrics(table: pd.DataFrame) -> dict[str, Estimate]:
    """``<measure>_agreement`` of the trained layer's filters and ``<measure>_agreement_untrained``, with
    intervals; ``best_agreement`` is the largest.
    """
    found = {}
    for row in table.itertuples():
        if row.filters not in (TRAINED, "untrained"):
            continue
        name = f"{row.measure}_agreement" + ("" if row.filters == TRAINED else "_untrained")
        how = "95 % percentile bootstrap over people of the interventions"
        found[name] = Estimate(row.share, row.low, row.high, row.n, how, unit="share", tolerance=0.15)
    return found


def effects_beside(
    banks: Mapping[str, np.ndarray], switched: Interventions, *, draws: int, seed: int
) -> dict[str, Effects]:
    """``aus.interventions.effects_of`` of the responses of each bank, by name."""
    return {name: effects_of(maxima, switched, draws=draws, seed=seed) for name, maxima in banks.items()}


def calibration_table(
    errors: Mapping[str, pd.DataFrame], covered: pd.DataFrame, alpha: float = ALPHA
) -> pd.DataFrame:
    """Family-wise errors and coverage, for ``figures.calibration``.

    ``errors``: what was simulated -> table of ``au_verification.simulation.family_wise_error``, of which the
    maximum statistic is shown; ``covered``: table of ``au_verification.simulation.coverage``.
    """
    rows = [
        {
            "panel": "a detector where there is none",
            "what": name,
            "rate": row.share,
            "low": row.low,
            "high": row.high,
            "promised": alpha,
            "simulations": row.sets,
        }
        for name, table in errors.items()
        for row in table[table["rule"].eq("max_statistic")].itertuples()
    ]
    rows += [
        {
            "panel": "interval holds the truth",
            "what": f"{row.measure.replace('_', ' ')}, effect {row.effect:g}",
            "rate": row.coverage,
            "low": row.low,
            "high": row.high,
            "promised": 0.95,
            "simulations": row.simulations,
        }
        for row in covered.itertuples()
    ]
    return pd.DataFrame(rows)


def calibration_metrics(table: pd.DataFrame) -> dict[str, Estimate]:
    """``family_wise_error`` and ``coverage``: the first row of each panel of ``calibration_table``, with its
    binomial interval.
    """
    found = {}
    for (_, part), name in zip(
        table.groupby("panel", sort=False), ("family_wise_error", "coverage"), strict=True
    ):
        row = part.iloc[0]
        found[name] = Estimate(
            row["rate"],
            row["low"],
            row["high"],
            row["simulations"],
            "95 % binomial interval over simulations",
            unit="share",
            tolerance=0.03,
        )
    return found


def planted_metrics(table: pd.DataFrame, measure: str) -> dict[str, Estimate]:
    """Of ``au_verification.planted.score_rules`` at the largest ratio of signal to noise:
    ``planted_precision``, ``planted_recall`` by the maximum statistic, and ``planted_precision_argmax`` by
    the papers' rule."""
    far = table[table["snr"].eq(table["snr"].max()) & table["measure"].eq(measure)].set_index("rule")
    strict, papers = far.loc["max_statistic"], far.loc["argmax"]
    named = {
        "planted_precision": strict["precision"],
        "planted_recall": strict["recall"],
        "planted_precision_argmax": papers["precision"],
    }
    return {
        name: Estimate(value, n=int(strict["repeats"]), unit="share", tolerance=0.1)
        for name, value in named.items()
        if np.isfinite(value)
    }


def filters_to_silence(
    association: Association, effects: Effects | None, count: int
) -> dict[str, tuple[int, ...]]:
    """The ``count`` filters per unit that are silenced: those that it raises most, without ``effects`` those
    most associated with it.
    """
    if effects is None:
        return top_filters(association.estimate, association.aus, count)
    return top_filters(effects.effect[:, :, -1], effects.aus, count)


def silencing_metrics(table: pd.DataFrame) -> dict[str, Estimate]:
    """Of ``au_verification.silence.silence``: ``head_loss``, the mean over units of what its head loses
    beyond other filters (AUROC), ``accuracy_loss``, the same of the share of expressions named rightly, and
    ``heads_hurt`` of ``heads``: units whose interval lies above 0."""
    own, named = (table[table["outcome"].eq(outcome)] for outcome in (OWN, ACCURACY))
    found = {
        "heads": Estimate(len(own), unit="count", tolerance=3),
        "heads_hurt": Estimate(own["low"].gt(0).sum(), unit="count", tolerance=3),
        "head_loss": Estimate(own["difference"].mean(), n=len(own), tolerance=0.05),
    }
    if len(named):
        found["accuracy_loss"] = Estimate(
            named["difference"].mean(), n=len(named), unit="share", tolerance=0.05
        )
    return found
