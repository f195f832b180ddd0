"""How good a generated neutral face is, where the true one is known: near to it, of the same person, and
without the expression.

Each is asked of what costs nothing, too: the input handed back, which keeps the person and the expression,
and a mean neutral face, which keeps neither. N pairs of an input and the true neutral picture of the same
person, of H × W pixels each, all as bytes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from book.derl.pairs import NEUTRAL_EMOTION, Lessons
from fer_lib.faces.faceset import FaceSet
from fer_lib.nets.derl import Generator
from fer_lib.nets.evaluating import evaluating
from fer_lib.stats.resampling import bounds, cluster_sums, ratio, resampled_sums
from fer_lib.train.batches import batches
from fer_lib.train.predict import predict
from ferbook.errors import DataError
from ferbook.estimate import Estimate
from ferbook.page.tables import Table

GENERATED, INPUT, MEAN_NEUTRAL, TRUTH = "generated", "input", "mean neutral", "true neutral"
OTHERS = "generator of others' neutrals"

STAND_INS = {
    GENERATED: "generated",
    INPUT: "input",
    MEAN_NEUTRAL: "mean_face",
    TRUTH: "truth",
    OTHERS: "others",
}
"""What may stand in for the true neutral picture, and its slug in metrics; ``OTHERS``, which was taught other
people's neutral faces, only where it was trained. The truth is the bound that none can pass.
"""

QUALITY_MEASURES: dict[str, str] = {
    "psnr": "PSNR (dB)",
    "p_neutral": "called neutral",
    "identity_other_take": "person found in other takes",
}
"""The measures as the figure calls them; all but the first are shares.

``psnr``: against the true neutral picture. ``p_neutral``: what a plain expression network says of neutral.
``identity_other_take``: whose nearest among all true neutral pictures but those of the input's own take is
one of the same person.
"""

BRIGHTEST = 255


def psnr(pictures: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio of each picture, float64 (N,), in dB: 10 log10(255² / mean squared error);
    infinite where both are equal.

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
    """Whether the picture of the gallery that correlates most with each picture is one of the same person: 1
    or 0, float64 (N,).

    ``pictures`` (N, H, W) of ``subjects`` (N,); ``gallery`` (G, H, W) of ``owners`` (G,); ``allowed`` bool
    (N, G): which of the gallery each picture is compared with. By Pearson's correlation of the pixels, so
    brightness and contrast as a whole do not count. Of equally near ones the share that is of the same person
    counts. NaN where no allowed picture is of the same person, and nothing could be found.
    """
    alike = _normalised(pictures) @ _normalised(gallery).T
    same = np.asarray(subjects)[:, None] == np.asarray(owners)
    alike = np.where(allowed, alike, -np.inf)
    # Rounding must not decide between equal pictures.
    nearest = allowed & (alike >= alike.max(axis=1, keepdims=True) - 1e-12)
    share = (nearest & same).sum(axis=1) / np.maximum(nearest.sum(axis=1), 1)
    return np.where((allowed & same).any(axis=1), share, np.nan)


def _normalised(pictures: np.ndarray) -> np.ndarray:
    """(N, H·W): each picture less its mean and of length one; an even one stays zero, which correlates with
    nothing.
    """
    flat = pictures.reshape(len(pictures), -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.divide(flat, length, out=np.zeros_like(flat), where=length > 0)


def generated_neutrals(
    generator: nn.Module, pictures: np.ndarray, *, batch_size: int = 64, device: torch.device | str = "cpu"
) -> np.ndarray:
    """What ``generator`` makes of each of ``pictures`` uint8 (N, H, W), in evaluation mode and float32: uint8
    (N, H, W), rounded as they would be stored.

    The generator is moved to ``device``; its mode stays as it was.
    """
    made = []
    generator.to(device)
    with evaluating(generator):
        for batch in batches(pictures, batch_size, device=device):
            made.append((generator(batch).float().clamp(0, 1) * BRIGHTEST).round().byte().cpu().numpy()[:, 0])
    return np.concatenate(made)


def mean_face(pictures: np.ndarray) -> np.ndarray:
    """uint8 (H, W): the mean of ``pictures`` uint8 (N, H, W)."""
    return pictures.mean(axis=0).round().astype(np.uint8)


def quality(
    lessons: Lessons,
    generators: Mapping[str, Generator],
    judge: nn.Module,
    classes: Sequence[str],
    *,
    device: torch.device | str = "cpu",
) -> pd.DataFrame:
    """Every measure of every candidate for the true neutral face of the test people of ``lessons``: one row
    per candidate and expressive picture.

    ``generators``: ``GENERATED``, and ``OTHERS`` where there is one. ``judge``: a network that names
    ``classes`` and was taught none of these people; where none of them is neutral its answers are NaN.

    Columns: ``candidate``, ``picture`` (from 0), ``subject``, and those of ``QUALITY_MEASURES``. PSNR is
    infinite where both pictures are equal, as of the truth itself. A person of one take only is nobody to be
    found elsewhere (NaN). Raises DataError where nothing but neutral inputs is given.
    """
    faces, truth = lessons.expressive()
    if not len(faces):
        raise DataError(
            f"all of the {len(lessons.tested)} inputs are neutral: there is no expression to take off; give "
            "expressive ones"
        )
    made = {name: generated_neutrals(one, faces.pixels, device=device) for name, one in generators.items()}
    mean = np.broadcast_to(mean_face(lessons.neutrals), truth.shape)
    candidates = {GENERATED: made[GENERATED], INPUT: faces.pixels, MEAN_NEUTRAL: mean, TRUTH: truth} | made
    subjects = faces.table["subject"].to_numpy(str)
    takes = subjects + np.char.add("/", faces.table["sequence"].to_numpy(str))
    flat, first = np.unique(truth.reshape(len(truth), -1), axis=0, return_index=True)
    gallery, elsewhere = flat.reshape(-1, *truth.shape[1:]), takes[:, None] != takes[first]
    tables = []
    for name, pictures in candidates.items():
        said = np.full(len(faces), np.nan)
        if NEUTRAL_EMOTION in classes:
            shown = FaceSet("candidates", pictures, faces.table)
            said = predict(judge, shown, device=device)[:, list(classes).index(NEUTRAL_EMOTION)]
        own = {"candidate": name, "picture": np.arange(len(faces)), "subject": subjects}
        own |= {"psnr": psnr(pictures, truth), "p_neutral": said}
        own["identity_other_take"] = rank_one(pictures, subjects, gallery, subjects[first], elsewhere)
        tables.append(pd.DataFrame(own))
    return pd.concat(tables, ignore_index=True)


def summarise_quality(table: pd.DataFrame, *, draws: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Means of what ``quality`` gave, with 95 % intervals over people and trainings: one row per
    candidate and measure.

    ``table`` may have a column ``training``; of several trainings a picture's mean counts, and their luck is
    added to that of the people as in ``stats.contrasts``.

    ``candidate``, ``measure``, ``value``, ``low``, ``high``; ``gain``, ``gain_low``, ``gain_high``: the
    ``GENERATED`` picture less the candidate, over the inputs for which both are numbers (NaN for itself);
    ``share``, ``share_low``, ``share_high``: the mean of the generated over that of the candidate, likewise;
    ``n``, the pictures that count, which those of an infinite PSNR do not, and ``subjects``, theirs;
    ``trainings``. A measure that no candidate has is left out. Bounds are NaN where there is no interval.
    """
    table = table if "training" in table else table.assign(training=0)
    names = table["candidate"].unique()
    parts = {name: table[table["candidate"] == name] for name in names}
    first = parts[GENERATED].drop_duplicates("picture").set_index("picture")["subject"].sort_index()
    subjects = first.to_numpy(dtype=object).astype(str)
    rows = []
    for measure in QUALITY_MEASURES:
        if not np.isfinite(table[measure]).any():
            continue
        # (trainings, pictures)
        found = {
            name: part.pivot(index="training", columns="picture", values=measure).to_numpy(float)
            for name, part in parts.items()
        }
        ours = found[GENERATED]
        for name, values in found.items():
            counts = np.isfinite(values).all(axis=0)
            even = np.ones_like(values)
            none = (np.nan,) * 3
            gain = none if name == GENERATED else _mean(ours - values, even, subjects, draws, seed)
            share = none if name == GENERATED else _mean(ours, values, subjects, draws, seed)
            how_many = counts.sum(), len(np.unique(subjects[counts])), len(values)
            mean = _mean(values, even, subjects, draws, seed)
            rows.append((name, measure, *mean, *gain, *share, *how_many))
    ends = ("", "_low", "_high")
    columns = [*ends, *(f"{what}{end}" for what in ("gain", "share") for end in ends)]
    columns[:3] = "value", "low", "high"
    return pd.DataFrame(rows, columns=["candidate", "measure", *columns, "n", "subjects", "trainings"])


def _mean(
    above: np.ndarray, below: np.ndarray, subjects: np.ndarray, draws: int, seed: int
) -> tuple[float, float, float]:
    """The sum of ``above`` over that of ``below``, (trainings, pictures) each, with its bounds."""
    counts = (np.isfinite(above) & np.isfinite(below)).all(axis=0)
    if not counts.any():
        return np.nan, np.nan, np.nan
    both = np.stack([above[:, counts], below[:, counts]], axis=-1)
    value = float(ratio(both.mean(axis=0).sum(axis=0)))
    sums = cluster_sums(both.mean(axis=0), subjects[counts])
    drawn = ratio(resampled_sums(sums, draws, seed))
    if (freedom := len(both) - 1) and len(sums) > 1:
        error = ratio(both.sum(axis=1)).std(ddof=1) / np.sqrt(len(both))
        drawn = drawn + error * np.random.default_rng(seed).standard_t(freedom, size=draws)
    return value, *bounds(drawn, len(sums), value)


GATE: dict[str, tuple[float, str]] = {
    "psnr_gain": (1.0, "nearer to the truth than the input is, by more than 1 dB"),
    "neutral_called": (0.85, "called neutral at least 0.85 times as surely as the truth"),
    "identity_kept": (-0.05, "the same person found, at most 0.05 less often than by the input"),
}
"""What the generated faces must be before it can be asked what their residue is worth: by metric the bound
above which its whole interval has to lie, and what that means.
"""


ASKED = {
    "psnr_gain": (INPUT, "psnr", "gain"),
    "neutral_called": (TRUTH, "p_neutral", "share"),
    "identity_kept": (INPUT, "identity_other_take", "gain"),
}
"""By metric of the gate: of which candidate and measure, and what is held against it."""


def quality_metrics(summary: pd.DataFrame) -> dict[str, Estimate]:
    """``<candidate>_<measure>``, such as ``generated_psnr`` or ``input_p_neutral``; and those of ``GATE``:
    ``psnr_gain`` over the input (dB), ``neutral_called`` as a share of the truth's, ``identity_kept``, in
    other takes, less the input's.
    """
    found = {}
    for row in summary[summary["value"].notna()].itertuples():
        found[f"{STAND_INS[row.candidate]}_{row.measure}"] = _estimate(row)
        for name, (candidate, measure, what) in ASKED.items():
            if (row.candidate, row.measure) == (candidate, measure):
                found[name] = _estimate(row, what)
    return found


def gate_text(found: Mapping[str, Estimate]) -> str:
    """Whether stage one passed ``GATE``, and what decided it, in a sentence or two."""
    told = {
        name: name in found and found[name].low is not None and found[name].low > bound
        for name, (bound, _) in GATE.items()
    }
    failed = [GATE[name][1] for name, passed in told.items() if not passed]
    if not failed:
        every = "; ".join(what for _, what in GATE.values())
        return f"Stage one passed its gate: the generated faces are {every}."
    return (
        f"Stage one did not pass its gate. Not shown by the whole interval: {'; '.join(failed)}. So whatever "
        "stage two finds does not settle what the residue of a good generator is worth."
    )


def _estimate(row: tuple, of: str = "value") -> Estimate:
    """The value of a row of ``summarise_quality``, or its gain or share."""
    before = "" if of == "value" else f"{of}_"
    bounded = (getattr(row, of), getattr(row, f"{before}low"), getattr(row, f"{before}high"))
    share = of == "value" and row.measure != "psnr"
    return Estimate.bounded(
        *bounded,
        how=f"95 % expanded percentile bootstrap over {row.subjects} subjects; trainings: {row.trainings}",
        n=row.n,
        unit="share" if share else "",
        tolerance=2.0 if row.measure == "psnr" else 0.15,
    )


def tried_table() -> Table:
    """What was tried for stage one, as ``benchmarks/gan.py`` says: ``tried.csv`` beside this file."""
    data = pd.read_csv(Path(__file__).with_name("tried.csv")).set_index("stage one")
    return Table(data, "What was tried for stage one, each once, with the same people and the same judge")
