"""Quality of a generated neutral face where the true one is known: distance, identity, neutrality.

Two trivial candidates are measured, too: the input itself, which has the person and the expression, and a
mean neutral face, which has neither. N pairs of an input and the true neutral picture of the same person, of
H × W pixels each, uint8.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import nn

from book.derl.pairs import NEUTRAL_EMOTION, PairSplits
from face_sets.faceset import FaceSet
from fer_lib.nets.classifier import evaluating
from fer_lib.nets.derl import Generator
from fer_lib.stats.resampling import cluster_sums, ratio, resampled_sums
from fer_lib.stats.two_way import seed_errors, two_way_interval
from fer_lib.train.batches import batches
from fer_lib.train.predict import predict
from ferbook.errors import DataError
from ferbook.estimate import Estimate, Unit

GENERATED, INPUT, MEAN_NEUTRAL, TRUTH = "generated", "input", "mean neutral", "true neutral"
OTHERS = "generator of others' neutrals"

STAND_INS = {
    GENERATED: "generated",
    INPUT: "input",
    MEAN_NEUTRAL: "mean_face",
    TRUTH: "truth",
    OTHERS: "others",
}
"""Candidates for the true neutral picture and their slugs in metrics; ``OTHERS``, the generator trained on
other people's neutral faces, only if it was trained. The truth is the upper bound.
"""

QUALITY_MEASURES: dict[str, str] = {
    "psnr": "PSNR (dB)",
    "p_neutral": "called neutral (%)",
    "identity_other_take": "person found (%)",
}
"""Measure -> title in the figure; all but the first are proportions.

``psnr``: against the true neutral picture. ``p_neutral``: probability of *neutral* by a plain expression
network. ``identity_other_take``: whether the nearest of all true neutral pictures, except those of the
input's take, is of the same person.
"""

BRIGHTEST = 255


def psnr(pictures: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the peak signal-to-noise ratio of each picture, float64 (N,), in dB: 10 log10(255² / mean
    squared error); infinite if both are equal.

    ``pictures`` and ``truth`` uint8 (N, H, W).
    """
    error = np.square(pictures.astype(np.float64) - truth).mean(axis=(1, 2))
    with np.errstate(divide="ignore"):
        return 10 * np.log10(BRIGHTEST**2 / error)


def rank_one(
    pictures: np.ndarray,
    subjects: Sequence[str],
    gallery: np.ndarray,
    owners: Sequence[str],
    allowed: np.ndarray,
) -> np.ndarray:
    """Return whether the gallery picture that correlates most with each picture is of the same person, 1 or
    0, float64 (N,).

    ``pictures`` (N, H, W) of ``subjects`` (N,); ``gallery`` (G, H, W) of ``owners`` (G,); ``allowed`` bool
    (N, G): which of the gallery each picture is compared with. Pearson's correlation of the pixels ignores
    brightness and contrast as a whole. Of equally near ones the proportion of the same person counts. NaN if
    no allowed picture is of the same person.
    """
    alike = _normalised(pictures) @ _normalised(gallery).T
    same = np.asarray(subjects)[:, None] == np.asarray(owners)
    alike = np.where(allowed, alike, -np.inf)
    # Rounding must not decide between equal pictures.
    nearest = allowed & (alike >= alike.max(axis=1, keepdims=True) - 1e-12)
    share = (nearest & same).sum(axis=1) / np.maximum(nearest.sum(axis=1), 1)
    return np.where((allowed & same).any(axis=1), share, np.nan)


def _normalised(pictures: np.ndarray) -> np.ndarray:
    """Return each picture minus its mean, of length one, (N, H·W); zero for a constant one."""
    flat = pictures.reshape(len(pictures), -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.divide(flat, length, out=np.zeros_like(flat), where=length > 0)


def generated_neutrals(
    generator: nn.Module, pictures: np.ndarray, *, batch_size: int = 64, device: torch.device | str = "cpu"
) -> np.ndarray:
    """Return the neutral face that ``generator`` makes of each of ``pictures`` uint8 (N, H, W), in evaluation
    mode and float32, rounded to uint8 (N, H, W).

    The generator is moved to ``device``; its mode is restored.
    """
    parts = []
    generator.to(device)
    with evaluating(generator):
        for batch in batches(pictures, batch_size, device=device):
            parts.append(
                (generator(batch).float().clamp(0, 1) * BRIGHTEST).round().byte().cpu().numpy()[:, 0]
            )
    return np.concatenate(parts)


def mean_face(pictures: np.ndarray) -> np.ndarray:
    """uint8 (H, W): the mean of ``pictures`` uint8 (N, H, W)."""
    return pictures.mean(axis=0).round().astype(np.uint8)


def quality(
    splits: PairSplits,
    generators: Mapping[str, Generator],
    judge: nn.Module,
    classes: Sequence[str],
    *,
    device: torch.device | str = "cpu",
) -> pd.DataFrame:
    """Measure every candidate for the true neutral face of the test people of ``splits``.

    Parameters
    ----------
    splits : PairSplits
        Pairs with the test people.
    generators : mapping
        ``GENERATED``, and ``OTHERS`` if it was trained.
    judge : Module
        A network that classifies into ``classes`` and was not trained on these people; if no class is neutral
        its answers are NaN.

    Returns
    -------
    DataFrame
        One row per candidate and expressive picture: ``candidate``, ``picture`` (from 0), ``subject`` and the
        ``QUALITY_MEASURES``. PSNR is infinite for equal pictures, as of the truth itself. Identity is NaN for
        a person without a neutral picture of another take.

    Raises
    ------
    DataError
        If all inputs are neutral.
    """
    faces, truth = splits.expressive()
    if not len(faces):
        raise DataError(
            f"all of the {len(splits.tested)} inputs are neutral: there is no expression to remove; give "
            "expressive ones"
        )
    fakes = {name: generated_neutrals(one, faces.pixels, device=device) for name, one in generators.items()}
    mean = np.broadcast_to(mean_face(splits.neutrals), truth.shape)
    candidates = {GENERATED: fakes[GENERATED], INPUT: faces.pixels, MEAN_NEUTRAL: mean, TRUTH: truth} | fakes
    subjects = faces.table["subject"].to_numpy(str)
    takes = subjects + np.char.add("/", faces.table["sequence"].to_numpy(str))
    flat, first, own_truth = np.unique(
        truth.reshape(len(truth), -1), axis=0, return_index=True, return_inverse=True
    )
    gallery, take = flat.reshape(-1, *truth.shape[1:]), np.unique(takes, return_inverse=True)[1]
    of_take = np.zeros((take.max() + 1, len(gallery)), bool)
    of_take[take, own_truth.ravel()] = True  # one picture may be the truth of several takes
    elsewhere = ~of_take[take]
    tables = []
    for name, pictures in candidates.items():
        neutral = np.full(len(faces), np.nan)
        if NEUTRAL_EMOTION in classes:
            candidate = FaceSet("candidates", pictures, faces.table)
            neutral = predict(judge, candidate, device=device)[:, list(classes).index(NEUTRAL_EMOTION)]
        own = {"candidate": name, "picture": np.arange(len(faces)), "subject": subjects}
        own |= {"psnr": psnr(pictures, truth), "p_neutral": neutral}
        own["identity_other_take"] = rank_one(pictures, subjects, gallery, subjects[first], elsewhere)
        tables.append(pd.DataFrame(own))
    return pd.concat(tables, ignore_index=True)


def summarise_quality(table: pd.DataFrame, *, draws: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Return means of the table of ``quality``, with 95 % intervals over people and trainings: one row per
    ``candidate`` and ``measure``.

    ``table`` may have a column ``training``; a picture's mean over trainings counts.

    Estimates: ``estimate``; ``gain``, the ``GENERATED`` picture minus the candidate, over the inputs for
    which both are numbers; ``share``, the mean of the generated divided by that of the candidate. None where
    nothing is a number, as for the PSNR of the truth. A measure without any number is left out.
    """
    table = table if "training" in table else table.assign(training=0)
    parts = dict(tuple(table.groupby("candidate", sort=False)))
    first = parts[GENERATED].drop_duplicates("picture").set_index("picture")["subject"].sort_index()
    people, rows = first.to_numpy(dtype=object).astype(str), []
    for measure in QUALITY_MEASURES:
        if not np.isfinite(table[measure]).any():
            continue
        mean = partial(_mean, people=people, measure=measure, draws=draws, seed=seed)
        values = {
            name: part.pivot(index="training", columns="picture", values=measure).to_numpy(float)
            for name, part in parts.items()
        }
        ours = values[GENERATED]
        for name, its in values.items():
            even = np.ones_like(its)
            unit = "" if measure == "psnr" else "share"
            beside = (mean(ours - its, even), mean(ours, its)) if name != GENERATED else (None, None)
            rows.append((name, measure, mean(its, even, unit=unit), *beside))
    return pd.DataFrame(rows, columns=["candidate", "measure", "estimate", "gain", "share"])


def _mean(
    above: np.ndarray,
    below: np.ndarray,
    *,
    people: np.ndarray,
    measure: str,
    draws: int,
    seed: int,
    unit: Unit = "",
) -> Estimate | None:
    """Return the sum of ``above`` divided by that of ``below``, (trainings, pictures) each, where both are
    numbers; None if there is nothing to divide by.
    """
    counts = (np.isfinite(above) & np.isfinite(below)).all(axis=0)
    if not below[:, counts].any():
        return None
    both = np.stack([above[:, counts], below[:, counts]], axis=-1)
    sums = cluster_sums(both.mean(axis=0), people[counts])
    return two_way_interval(
        float(ratio(both.mean(axis=0).sum(axis=0))),
        ratio(resampled_sums(sums, draws, seed)),
        len(sums),
        seed_errors(ratio(both.sum(axis=1))),
        besides=f"; trainings: {len(both)}",
        n=counts.sum(),
        unit=unit,
        limits=(0, 1) if unit == "share" else (-np.inf, np.inf),
        tolerance=2.0 if measure == "psnr" else 0.15,
    )


@dataclass(frozen=True)
class GateBound:
    """A bound that the whole interval of a ``column`` of ``summarise_quality`` must exceed for a
    ``candidate`` and a ``measure``; ``meaning``, for readers.
    """

    candidate: str
    measure: str
    column: str
    above: float
    meaning: str


GATE = {
    "psnr_gain": GateBound(INPUT, "psnr", "gain", 1.0, "more than 1 dB nearer to the truth than the input"),
    "neutral_called": GateBound(
        TRUTH, "p_neutral", "share", 0.85, "called neutral at least 0.85 times as surely as the truth"
    ),
    "identity_kept": GateBound(
        INPUT,
        "identity_other_take",
        "gain",
        -0.05,
        "the person is found at most 0.05 less often than by the input",
    ),
}
"""Metric -> what the generated faces must reach before their residue is evaluated."""


def quality_metrics(summary: pd.DataFrame) -> dict[str, Estimate]:
    """Return ``<candidate>_<measure>``, such as ``generated_psnr`` or ``input_psnr`` (dB), and those of
    ``GATE``: ``psnr_gain``, generated minus input (dB); ``neutral_called``, generated divided by truth;
    ``identity_kept``, generated minus input.
    """
    metrics = {}
    for row in summary.dropna(subset="estimate").itertuples():
        metrics[f"{STAND_INS[row.candidate]}_{row.measure}"] = row.estimate
        for name, bound in GATE.items():
            if (row.candidate, row.measure) == (bound.candidate, bound.measure):
                metrics[name] = getattr(row, bound.column)
    return {name: estimate for name, estimate in metrics.items() if estimate is not None}


def gate_text(metrics: Mapping[str, Estimate]) -> str:
    """Say whether stage one passed ``GATE``, and why."""
    lows = {name: metrics[name].low if name in metrics else None for name in GATE}
    failed = [
        bound.meaning for name, bound in GATE.items() if lows[name] is None or lows[name] <= bound.above
    ]
    if not failed:
        every = "; ".join(bound.meaning for bound in GATE.values())
        return f"Stage one passes its gate: {every}."
    return (
        f"Stage one does not pass its gate. Not shown by the whole interval: {'; '.join(failed)}. So stage "
        "two cannot decide how much the residue of a good generator is worth."
    )
