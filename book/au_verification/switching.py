"""Single filters of one network: which are shown, what switching units on does to them, and what they answer
to the pictures of the switchboard.
"""

import numpy as np
import pandas as pd
from torch import nn

from book.switchboard import ShownFilter, SwitchboardResponses, switchboard_faces
from fer_lib.aus.interventions import Effects
from fer_lib.look.responses import maximal_responses


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


def on_switchboard(
    model: nn.Module, layer: str, pairs: pd.DataFrame, size: int, seed: int
) -> SwitchboardResponses:
    """What the filters of ``pairs`` in ``layer`` answer to the pictures of the switchboard on the page on
    FACS, of ``size`` pixels and the faces of ``seed``.
    """
    maxima = maximal_responses(model, switchboard_faces(size, seed), layer).maxima
    columns = maxima[:, pairs["filter"]].T.round(4).tolist()
    triples = zip(pairs["filter"].tolist(), pairs["au"], columns, strict=True)
    filters = [ShownFilter(filter=k, unit=au, responses=column) for k, au, column in triples]
    return SwitchboardResponses(layer=layer, filters=filters)


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
