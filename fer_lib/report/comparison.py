"""Several face sets side by side: what their pictures are like, and how far their labels can be wrong."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from PIL import Image

from fer_lib.faces.faceset import UNLABELLED, FaceSet
from fer_lib.report.tables import NO_BREAK, number_text
from fer_lib.resampling import bootstrap_interval

COMPARED_SIZE = 48
"""Side in pixels, that of FER2013, at which pictures of several sets are compared."""

_MEASURES = {"grey": 0, "contrast": 0, "sharpness": 2, "symmetry": 2}
"""Each with the digits that are worth showing."""


def picture_statistics(
    sets: Mapping[str, FaceSet], seed: int, pictures: int = 1000, draws: int = 1000
) -> pd.DataFrame:
    """What the pictures of several sets are like, whatever they show; one row per set.

    Of ``pictures`` drawn pictures of each, shrunk to ``COMPARED_SIZE`` pixels where they are larger: mean ``grey`` and ``contrast``
    (standard deviation within a picture) in grey levels of 0 to 255, ``sharpness`` (mean absolute step between neighbouring pixels over
    the contrast) and ``symmetry`` (correlation of a picture with its mirror image), each as text with its 95 % bootstrap interval
    over people, or over pictures where people are unknown. ``pictures`` and ``people`` count the whole set (missing where nobody is known).
    """
    rows = {}
    for name, faces in sets.items():
        rng = np.random.default_rng(seed)
        drawn = rng.permutation(len(faces))[:pictures]
        measured = _picture_measures(_shrunk(faces.gather(drawn)))
        subject = faces.table["subject"].iloc[drawn]
        known = faces.table["subject"][lambda s: s.ne("")]
        rows[name] = {}
        for measure, digits in _MEASURES.items():
            mean, low, high = _mean_over_people(measured[measure].to_numpy(), subject, draws, seed)
            text = f"{mean:.{digits}f}"
            if low is not None:
                text += f" ({low:.{digits}f} to {high:.{digits}f})"
            rows[name][measure] = text.replace(" ", NO_BREAK)
        rows[name] |= {"pictures": len(faces), "people": known.nunique() if len(known) else pd.NA}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("")


def _mean_over_people(
    values: np.ndarray, subject: pd.Series, draws: int, seed: int
) -> tuple[float, float | None, float | None]:
    """The mean of ``values`` and its interval; a picture of nobody known counts as a person of its own."""
    alone = pd.Series(np.arange(len(subject)).astype(str), index=subject.index)
    people = subject.where(subject.ne(""), alone).to_numpy()
    sums = pd.DataFrame({"value": values, "n": 1.0}).groupby(people).sum().to_numpy()
    interval = bootstrap_interval(lambda totals: totals[:, 0] / totals[:, 1], sums, draws=draws, seed=seed)
    return float(np.mean(values)), interval.low, interval.high


def _shrunk(pictures: np.ndarray) -> np.ndarray:
    """float64: the pictures with at most ``COMPARED_SIZE`` pixels a side, each the mean of the area that it covers."""
    if pictures.shape[1] <= COMPARED_SIZE:
        return pictures.astype(np.float64)
    shape, box = (COMPARED_SIZE, COMPARED_SIZE), Image.Resampling.BOX
    return np.stack([np.asarray(Image.fromarray(p).resize(shape, box), np.float64) for p in pictures])


def _picture_measures(pictures: np.ndarray) -> pd.DataFrame:
    """``_MEASURES`` of each of ``pictures`` (N, S, S)."""
    centred = pictures - pictures.mean(axis=(1, 2), keepdims=True)
    contrast = np.maximum(centred.std(axis=(1, 2)), 1e-9)
    steps = [np.abs(np.diff(pictures, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2)]
    return pd.DataFrame(
        {
            "grey": pictures.mean(axis=(1, 2)),
            "contrast": contrast,
            "sharpness": np.mean(steps, axis=0) / contrast,
            "symmetry": (centred * centred[:, :, ::-1]).mean(axis=(1, 2)) / contrast**2,
        }
    )


def label_table(sets: Mapping[str, FaceSet], seed: int = 0, draws: int = 1000) -> pd.DataFrame:
    """How far the labels of several sets can be wrong; one row per set that lets one tell, none where no set does.

    ``wrong_labels``: share of the pictures whose label is not what was shown, with its 95 % bootstrap interval over people, for sets that know it
    (column ``true_emotion``). Where a crowd voted: ``votes_for_the_label``, the mean share of a picture's votes, and ``unanimous``, the share of pictures
    on which all voters agree. Shares as text; a dash stands for what cannot be known. Pictures without a vote are left out of the last two.
    """
    rows = {}
    for name, faces in sets.items():
        table = faces.table[faces.table["emotion"].ne(UNLABELLED)].reset_index(drop=True)
        known = "true_emotion" in table.columns
        voted = [column for column in table.columns if column.startswith("vote_")]
        if table.empty or not (known or voted):
            continue
        row = {
            "pictures": len(table),
            "wrong_labels": pd.NA,
            "votes_for_the_label": pd.NA,
            "unanimous": pd.NA,
        }
        if known:
            wrong = table["emotion"].ne(table["true_emotion"]).astype(float)
            share, low, high = _mean_over_people(wrong.to_numpy(), table["subject"], draws, seed)
            text = f"{100 * share:.1f} %" + ("" if low is None else f" ({100 * low:.1f} to {100 * high:.1f})")
            row["wrong_labels"] = text.replace(" ", NO_BREAK)
        if voted:
            votes = table[voted].to_numpy(float, na_value=0)
            total = votes.sum(axis=1)
            cast = total > 0
            label = pd.get_dummies(table["emotion"]).reindex(columns=[c.removeprefix("vote_") for c in voted])
            agreed = (votes * label.to_numpy(float, na_value=0)).sum(axis=1)[cast] / total[cast]
            if cast.any():
                row["votes_for_the_label"] = number_text(float(agreed.mean()), "share")
                row["unanimous"] = number_text(float((votes.max(axis=1) == total)[cast].mean()), "share")
        rows[name] = row
    columns = ["wrong_labels", "votes_for_the_label", "unanimous", "pictures"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("")
