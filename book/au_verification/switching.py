"""Units switched on, one at a time, in faces that can be told what to show: what that does to the filters,
and which measure of association finds the unit that does most.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from book.au_verification.agreement import agreement
from book.au_verification.study import ALPHA, TRAINED, Judged
from fer_lib.aus.association import Association, associate
from fer_lib.aus.interventions import Effects, Interventions
from fer_lib.aus.measures import MEASURES
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.responses import Responses
from ferbook.estimate import Estimate
from synthetic_faces.domains import DOMAINS

LEVELS = (0.3, 0.6, 1.0)
"""Intensities at which units are switched on."""

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
    parts = [
        table[table[column].ne("")].assign(au=lambda part, column=column: part[column], rank=rank)
        for rank, column in enumerate(("within", "overall", "named"), 1)
    ]
    if "verified" in table:
        parts.insert(0, parts[0][parts[0]["verified"]].assign(rank=0))
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
    off, on = switched.arranged(np.arange(len(switched.faces)))
    rows = np.column_stack((off, on[:, :, -1])).ravel()
    return replace(switched, faces=switched.faces.select(rows), levels=switched.levels[-1:])


def changed_pixels(switched: Interventions, chosen: pd.DataFrame) -> np.ndarray:
    """float64 (filters, H, W): what the unit of each ``chosen`` filter changes in a picture at the highest
    level, mean over base faces.
    """
    off = switched.off.astype(np.float64)
    changes = dict(zip(switched.aus, (switched.pixels[:, :, -1] - off[:, None]).mean(axis=0), strict=True))
    return np.stack([changes.get(au, np.zeros(off.shape[1:])) for au in chosen["au"]])


def effect_table(effects: Effects, chosen: pd.DataFrame) -> pd.DataFrame:
    """Effects on the ``chosen`` filters, a row per filter, AU and level: ``effect``, ``low``, ``high``,
    ``survives`` (at the highest level), ``claimed``.
    """
    filters, aus = chosen["filter"].to_numpy(), np.array(effects.aus, dtype=object)
    shape = (len(filters), len(aus), len(effects.levels))
    columns = {
        "filter": filters[:, None, None],
        "au": aus[None, :, None],
        "level": np.array(effects.levels),
        "effect": effects.effect[filters],
        "low": effects.low[filters],
        "high": effects.high[filters],
        "survives": effects.survivors(ALPHA)[filters][:, :, None],
        "claimed": (aus == chosen["au"].to_numpy(dtype=object)[:, None])[:, :, None],
    }
    return pd.DataFrame({name: np.broadcast_to(column, shape).ravel() for name, column in columns.items()})


def agreement_table(
    judged: Mapping[str, Judged],
    effects: Mapping[str, Effects],
    known: Mapping[str, Association],
    within: np.ndarray,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[pd.DataFrame, dict[str, Estimate]]:
    """How often each measure names the unit that raises a filter most, a row per measure and group of
    filters, for ``figures.agreement_dots``; and ``<measure>_agreement`` of the trained layer's filters, with
    ``<measure>_agreement_untrained``.

    The groups: all filters of the trained layer; those that are ``within`` bool (K, A), claimed for some unit
    within emotions, where there are any; those of the first untrained network. ``known``: associations of the
    trained layer that have been computed with their intervals; the others' need none here, for the names
    alone count.
    """
    claimed = within.any(axis=1)
    groups = [("trained", TRAINED, None, "_agreement")]
    groups += [(SURVIVING, TRAINED, claimed, None)] if claimed.any() else []
    groups += [("untrained", "untrained 1", None, "_agreement_untrained")]
    rows, metrics = [], {}
    for measure in MEASURES:
        named = {
            bank: (bank == TRAINED and known.get(measure))
            or associate(judged[bank].maxima, judged[bank].presence, measure, draws=1, seed=seed)
            for bank in (TRAINED, "untrained 1")
        }
        for name, bank, filters, ending in groups:
            found = agreement(effects[bank], named[bank], filters=filters, draws=draws, seed=seed)
            share = found.share
            bounded = share.value, share.low, share.high
            rows.append((name, measure, *bounded, found.chance, found.near, share.n))
            if ending:
                metrics[measure + ending] = share
    columns = ["filters", "measure", "share", "low", "high", "chance", "near", "n"]
    return pd.DataFrame(rows, columns=columns).astype({"low": float, "high": float}), metrics
