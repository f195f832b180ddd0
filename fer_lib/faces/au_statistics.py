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


def mutual_information(
    table: pd.DataFrame, present_from: float = 0.0, draws: int = 200, seed: int = 0
) -> pd.DataFrame:
    """What the presence of each AU and the emotion tell about each other, one row per AU.

    ``n``: pictures with an emotion for which the AU was coded; ``present``: share of them that show it; ``entropy`` of its presence and
    ``information``, its mutual information with the emotion, in bits. That is never below 0, and with few pictures far above it
    even where nothing is told. So ``chance`` is what it is on average over ``draws`` deals in which the emotions
    are dealt anew, the frames of one sequence with one emotion together, and
    ``share`` = (information - chance) / (entropy - chance), adjusted for chance as by Vinh, Epps & Bailey (2010): about 0 where the
    AU is independent of the emotion, 1 where the emotion determines it. ``p``: share of the deals, the real one
    among them, with as much information. Both are NaN for an AU that is always or never there, and all but ``n`` where none was
    coded. Arguments and errors as for ``au_emotion_table``.
    """
    emotion, present = _presence(table, present_from)
    emotions, groups = pd.factorize(emotion)[0], _frames_together(table)
    emotion_of = pd.Series(emotions).groupby(groups).first().to_numpy()
    rng = np.random.default_rng(seed)
    deals = np.stack([emotion_of, *(rng.permutation(emotion_of) for _ in range(draws))])
    rows = {}
    for au, values in present.items():
        coded = values.notna().to_numpy()
        rows[au] = {"n": int(coded.sum())}
        if coded.any():
            shown = values[coded].to_numpy()
            of_group = [
                np.bincount(groups[coded], weights=which, minlength=len(emotion_of))
                for which in (shown, 1 - shown)
            ]
            information = _information(deals, np.stack(of_group, axis=1))
            entropy = max(mutual_info_score(shown, shown) / np.log(2), 0.0)
            chance = information[1:].mean()
            # Equal but for rounding: for an AU that is always or never there.
            telling = entropy - chance > 1e-9
            rows[au] |= {
                "present": shown.mean(),
                "entropy": entropy,
                "information": information[0],
                "chance": chance,
                "share": (information[0] - chance) / (entropy - chance) if telling else np.nan,
                "p": (information >= information[0] - 1e-9).mean() if telling else np.nan,
            }
    columns = ["n", "present", "entropy", "information", "chance", "share", "p"]
    return pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns).rename_axis("AU")


def _frames_together(table: pd.DataFrame) -> np.ndarray:
    """int64: which labelled rows are frames of one sequence with one emotion; a row without a sequence is by itself."""
    rows = table[table["emotion"] != UNLABELLED].reset_index(drop=True)
    alone = rows.index.to_series().astype(str)
    sequence = rows["sequence"].where(rows["sequence"].ne(""), alone) if "sequence" in rows else alone
    return pd.factorize(pd.MultiIndex.from_arrays([sequence, rows["emotion"]]))[0].astype(np.int64)


def _information(deals: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Bits (D,): mutual information of emotion and presence in each of ``deals`` (D, groups) of emotions.

    ``counts`` (groups, 2): pictures of each group that show the AU, and that do not.
    """
    joint = np.stack([(deals == emotion) @ counts for emotion in range(deals.max() + 1)], axis=1)
    joint /= counts.sum()
    alone = joint.sum(axis=2, keepdims=True) * joint.sum(axis=1, keepdims=True)
    ratio = np.divide(joint, alone, out=np.ones_like(joint), where=joint > 0)
    return np.maximum((joint * np.log2(ratio)).sum(axis=(1, 2)), 0.0)


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
