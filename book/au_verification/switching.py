"""Single filters of one network: which are shown, what drives them, and what switching units on does to
them.
"""

import numpy as np
import pandas as pd

from book.au_verification.examine import ALPHA
from fer_lib.aus.interventions import Effects, Interventions
from fer_lib.look.responses import Responses


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
