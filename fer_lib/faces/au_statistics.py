"""How far action units follow from the emotion: how often each is shown with it, and what it tells about it."""

import re

import numpy as np
import pandas as pd
from sklearn.metrics import mutual_info_score

from fer_lib.errors import DataError
from fer_lib.faces.faceset import LABELS, UNLABELLED

_AU = re.compile(r"AU(\d+)")


def au_emotion_table(table: pd.DataFrame, present_from: float = 0.0) -> pd.DataFrame:
    """How often each AU is shown with each emotion: AUs as rows, emotions as columns, shares in [0, 1].

    ``table``: of a FaceSet, with a column ``emotion`` and columns ``AU<n>``; rows without an emotion are left out. An AU is
    shown where its intensity is above ``present_from``; pictures for which it was not coded (NaN) do not count, and a
    share is NaN where none was coded. Raises DataError where there is no AU column or no labelled row.
    """
    emotion, present = _presence(table, present_from)
    shares = present.groupby(emotion).mean()
    return shares.loc[[label for label in LABELS if label in shares.index]].T.rename_axis("emotion", axis=1)


def mutual_information(table: pd.DataFrame, present_from: float = 0.0) -> pd.DataFrame:
    """What the presence of each AU and the emotion tell about each other, one row per AU.

    ``n``: pictures with an emotion for which the AU was coded; ``present``: share of them that show it; ``entropy`` of its presence and
    ``information``, its mutual information with the emotion, in bits; ``share`` = information / entropy: 0 where
    the AU is independent of the emotion, 1 where the emotion determines it, NaN for an AU that is always
    or never there. All are NaN but ``n`` where none was coded. Plug-in estimates: with E emotions they lie about (E - 1) / (2 n ln 2) bits too high. Arguments and
    errors as for ``au_emotion_table``.
    """
    emotion, present = _presence(table, present_from)
    rows = {}
    for au, values in present.items():
        coded = values.notna()
        rows[au] = {"n": int(coded.sum())}
        if coded.any():
            shown, with_it = values[coded], emotion[coded]
            entropy = max(mutual_info_score(shown, shown) / np.log(2), 0.0)
            information = max(mutual_info_score(with_it, shown) / np.log(2), 0.0)
            share = information / entropy if entropy > 1e-12 else np.nan
            rows[au] |= {
                "present": shown.mean(),
                "entropy": entropy,
                "information": information,
                "share": share,
            }
    columns = ["n", "present", "entropy", "information", "share"]
    return pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns).rename_axis("AU")


def _presence(table: pd.DataFrame, present_from: float) -> tuple[pd.Series, pd.DataFrame]:
    """The emotion of each labelled row, and 1, 0 or NaN for each AU in numeric order."""
    aus = sorted((c for c in table.columns if _AU.fullmatch(c)), key=lambda c: int(c[2:]))
    rows = table[table["emotion"] != UNLABELLED]
    if not aus or rows.empty:
        raise DataError(
            f"{len(aus)} AU columns and {len(rows)} labelled rows; a table of AUs and emotions needs both"
        )
    intensities = rows[aus].astype(float)
    return rows["emotion"], (intensities > present_from).astype(float).where(intensities.notna())
