"""Single filters of one network: which are shown, and what switching units on does to them."""

import numpy as np
import pandas as pd

from fer_lib.aus.interventions import Effects


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


def effect_table(effects: Effects, pairs: pd.DataFrame) -> pd.DataFrame:
    """Effects on the filters of ``pairs``, a row per filter, AU and level: ``effect``, ``low``, ``high``,
    ``claimed``.
    """
    filters, aus = pairs["filter"].to_numpy(), np.array(effects.aus, dtype=object)
    shape = (len(filters), len(aus), len(effects.levels))
    columns = {
        "filter": filters[:, None, None],
        "au": aus[None, :, None],
        "level": np.array(effects.levels),
        "effect": effects.effect[filters],
        "low": effects.low[filters],
        "high": effects.high[filters],
        "claimed": (aus == pairs["au"].to_numpy(dtype=object)[:, None])[:, :, None],
    }
    return pd.DataFrame({name: np.broadcast_to(column, shape).ravel() for name, column in columns.items()})
