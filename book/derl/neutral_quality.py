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
from scipy import ndimage
from torch import nn

from book.derl.pairs import Lessons
from fer_lib.aus.presence import named_alone
from fer_lib.faces.faceset import EMOTIONS, FaceSet
from fer_lib.nets.derl import Generator
from fer_lib.nets.evaluating import evaluating
from fer_lib.stats.resampling import bounds, cluster_sums, ratio, resampled_sums
from fer_lib.train.batches import FaceBatches
from fer_lib.train.predict import predict
from ferbook.errors import DataError
from ferbook.estimate import Estimate
from ferbook.page.tables import Table

NEUTRAL = EMOTIONS[0]

GENERATED, INPUT, MEAN, TRUTH = "generated", "input", "mean neutral", "true neutral"
OTHERS = "generator of others' neutrals"

CANDIDATES: dict[str, tuple[str, str]] = {
    GENERATED: ("generated", "what the generator makes of the input"),
    INPUT: ("input", "the input as it is, expression and all"),
    MEAN: ("mean_face", "one face for all inputs: the mean of other people's neutral pictures"),
    TRUTH: ("truth", "the true neutral picture, as the bound that none can pass"),
    OTHERS: ("others", "what a generator makes that was taught other people's neutral faces"),
}
"""What may stand in for the true neutral picture: its slug in metrics and what it is; the last one only where
it was trained.
"""

HEADS: dict[str, str] = {
    "psnr": "PSNR (dB)",
    "ssim": "SSIM",
    "identity": "same person found",
    "identity_other_take": "same person found, other takes",
    "p_neutral": "called neutral",
    "p_emotion": "called the input's expression",
}
"""The measures as figure and table call them; all but the first two are shares.

``psnr`` and ``ssim``: against the true neutral picture. ``identity``: whose nearest among all true neutral
pictures is one of the same person; ``identity_other_take``: the same without those of the input's own take.
``p_neutral`` and ``p_emotion``: what a plain expression network says of neutral and the input's expression.
"""

PEAK = 255

WINDOW, SPREAD = 11, 1.5
"""Pixels along each side of the Gaussian window of SSIM, and its standard deviation (Wang et al. 2004,
section III-B).
"""

K1, K2 = 0.01, 0.03
"""Constants of SSIM that keep its quotients finite: C = (K · 255)² (Wang et al. 2004, section III-B)."""


def psnr(pictures: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio of each picture, float64 (N,), in dB: 10 log10(255² / mean squared error);
    infinite where both are equal.

    ``pictures`` and ``truth`` uint8 (N, H, W).
    """
    error = np.square(pictures.astype(np.float64) - truth).mean(axis=(1, 2))
    with np.errstate(divide="ignore"):
        return 10 * np.log10(PEAK**2 / error)


def ssim(pictures: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Mean structural similarity of each picture, float64 (N,) in [-1, 1] (Wang et al. 2004, equations 13 and
    17).

    In a window of 11 × 11 pixels under a Gaussian of 1.5 pixels, moved over all places where it lies within
    the picture; ``K1`` and ``K2`` as there. The authors' code halves pictures of 384 pixels and more
    beforehand; here none is made smaller. ``pictures`` and ``truth`` uint8 (N, H, W), no smaller than the
    window, as all that a generator takes.
    """
    one, other = pictures.astype(np.float64), truth.astype(np.float64)
    mean_one, mean_other = _windowed(one), _windowed(other)
    both = mean_one * mean_other
    squares = mean_one**2 + mean_other**2
    covariance = _windowed(one * other) - both
    variances = _windowed(one**2) + _windowed(other**2) - squares
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    alike = (2 * both + c1) * (2 * covariance + c2) / ((squares + c1) * (variances + c2))
    return alike.mean(axis=(1, 2))


def _windowed(values: np.ndarray) -> np.ndarray:
    """Means of ``values`` (N, H, W) under the Gaussian window, at all places where it lies inside."""
    reach = WINDOW // 2
    bell = np.exp(-0.5 * ((np.arange(WINDOW) - reach) / SPREAD) ** 2)
    bell /= bell.sum()
    for axis in (1, 2):
        values = ndimage.correlate1d(values, bell, axis=axis)
    return values[:, reach:-reach, reach:-reach]


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
        for batch, _ in FaceBatches(pictures, np.zeros(len(pictures), np.int64), batch_size, device=device):
            made.append((generator(batch).float().clamp(0, 1) * PEAK).round().byte().cpu().numpy()[:, 0])
    return np.concatenate(made)


def mean_face(pictures: np.ndarray) -> np.ndarray:
    """uint8 (H, W): the mean of ``pictures`` uint8 (N, H, W)."""
    return pictures.mean(axis=0).round().astype(np.uint8)


def neutral_quality(
    candidates: Mapping[str, np.ndarray],
    truth: np.ndarray,
    table: pd.DataFrame,
    *,
    classifier: nn.Module | None = None,
    classes: Sequence[str] = (),
    device: torch.device | str = "cpu",
) -> pd.DataFrame:
    """Every measure of every candidate for every input: one row per candidate and picture.

    ``candidates`` by name, the ``INPUT`` among them, and ``truth`` uint8 (N, H, W); ``table``: N rows with
    ``subject``, ``sequence`` and ``emotion`` of the inputs. Inputs that are neutral or their own truth are
    left out: there is nothing to take off. ``classifier`` names ``classes``, learned from none of these
    people; without it, or where an emotion is none of ``classes``, the probabilities are NaN.

    Columns: ``candidate``, ``picture`` (index in what was given), ``subject``, ``emotion``, the measures of
    ``HEADS``, and ``identity_chance`` and ``identity_other_take_chance``: how often a picture drawn at
    random from the gallery would be of the person. The gallery is all different true neutral pictures. That
    of the input's own take has its light, pose and background besides its person, so that even the input
    finds it; the second search therefore leaves out whatever is the truth of the input's sequence, or of the
    input alone where it has none. PSNR and SSIM of the truth itself are NaN.

    Raises DataError where nothing but neutral inputs is given.
    """
    about = table[["subject", "sequence", "emotion"]].astype("str").assign(picture=np.arange(len(table)))
    changed = (candidates[INPUT] != truth).any(axis=(1, 2))
    expressive = (about["emotion"] != NEUTRAL).to_numpy() & changed
    if not expressive.any():
        raise DataError(
            f"all of the {len(truth)} inputs are neutral: there is no expression to take off; give "
            "expressive ones"
        )
    about, truth = about[expressive], truth[expressive]
    search = _Search(truth, about)
    tables = []
    for name, given in candidates.items():
        pictures = given[expressive]
        near = {"psnr": np.nan, "ssim": np.nan}
        if name != TRUTH:
            near = {"psnr": psnr(pictures, truth), "ssim": ssim(pictures, truth)}
        left = {"p_neutral": np.nan, "p_emotion": np.nan}
        if classifier is not None:
            left = _left_expression(pictures, about, classifier, classes, device)
        own = about[["picture", "subject", "emotion"]].assign(**near, **search.find(pictures), **left)
        own.insert(0, "candidate", name)
        tables.append(own)
    return pd.concat(tables, ignore_index=True)


def summarise_quality(table: pd.DataFrame, *, draws: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Means of what ``neutral_quality`` gave, with 95 % intervals over people and trainings: one row per
    candidate and measure.

    ``table`` may have a column ``training``; of several trainings a picture's mean counts, and their luck is
    added to that of the people as in ``stats.contrasts``.

    ``candidate``, ``measure``, ``value``, ``low``, ``high``; ``gain``, ``gain_low``, ``gain_high``: the
    ``GENERATED`` picture less the candidate, over the inputs for which both are numbers (NaN for itself);
    ``share``, ``share_low``, ``share_high``: the mean of the generated over that of the candidate, likewise;
    ``n``, the pictures that count; ``undefined``, those that do not, such as an infinite PSNR; ``subjects``,
    those of the pictures that count; ``trainings``. A measure that no candidate has is left out. Bounds are
    NaN where there is no interval.
    """
    table = table if "training" in table else table.assign(training=0)
    names = table["candidate"].unique()
    parts = {name: table[table["candidate"] == name] for name in names}
    first = parts[GENERATED].drop_duplicates("picture").set_index("picture")["subject"].sort_index()
    subjects = first.to_numpy(dtype=object).astype(str)
    rows = []
    for measure in HEADS:
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
            how_many = counts.sum(), (~counts).sum(), len(np.unique(subjects[counts])), len(values)
            mean = _mean(values, even, subjects, draws, seed)
            rows.append((name, measure, *mean, *gain, *share, *how_many))
    ends = ("", "_low", "_high")
    columns = [f"{what}{end}" for what in ("gain", "share") for end in ends]
    columns = [
        "candidate",
        "measure",
        "value",
        "low",
        "high",
        *columns,
        "n",
        "undefined",
        "subjects",
        "trainings",
    ]
    return pd.DataFrame(rows, columns=columns)


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


class _Search:
    """Looks for people among all different true neutral pictures of the inputs ``about``."""

    def __init__(self, truth: np.ndarray, about: pd.DataFrame) -> None:
        flat = truth.reshape(len(truth), -1)
        _, first, whose = np.unique(flat, axis=0, return_index=True, return_inverse=True)
        self.subjects = about["subject"].to_numpy()
        self.gallery, self.owners = truth[first], self.subjects[first]
        takes = about.groupby(["subject", named_alone(about["sequence"])]).ngroup().to_numpy()
        own_take = np.zeros((len(truth), len(first)), bool)
        own_take[takes, whose] = True
        self.allowed = {"identity": np.ones_like(own_take), "identity_other_take": ~own_take[takes]}

    def find(self, pictures: np.ndarray) -> dict[str, np.ndarray]:
        """Both identities of ``pictures``, and what chance would find."""
        same = self.subjects[:, None] == self.owners
        found = {}
        for name, allowed in self.allowed.items():
            found[name] = rank_one(pictures, self.subjects, self.gallery, self.owners, allowed)
            chance = (allowed & same).sum(axis=1) / np.maximum(allowed.sum(axis=1), 1)
            found[f"{name}_chance"] = np.where(np.isnan(found[name]), np.nan, chance)
        return found


def _left_expression(
    pictures: np.ndarray,
    about: pd.DataFrame,
    classifier: nn.Module,
    classes: Sequence[str],
    device: torch.device | str,
) -> dict[str, np.ndarray]:
    # One face for all inputs, or the truth of several, is asked about once.
    flat = pictures.reshape(len(pictures), -1)
    _, first, places = np.unique(flat, axis=0, return_index=True, return_inverse=True)
    columns = about[["subject", "sequence", "emotion"]].iloc[first].assign(dataset="", frame=0, split="test")
    said = predict(classifier, FaceSet("candidates", pictures[first], columns), device=device)[places]
    # A column more, for emotions that the network does not know.
    said = np.column_stack([said, np.full(len(said), np.nan)]).astype(np.float64)
    known = pd.Index(classes)
    return {
        "p_neutral": said[:, known.get_indexer([NEUTRAL])[0]],
        "p_emotion": said[np.arange(len(said)), known.get_indexer(about["emotion"])],
    }


def quality(
    lessons: Lessons,
    generators: Mapping[str, Generator],
    judge: nn.Module,
    classes: Sequence[str],
    *,
    device: torch.device | str = "cpu",
) -> pd.DataFrame:
    """Every measure of every candidate for the true neutral face of the test people of ``lessons``, as
    ``neutral_quality`` has them.

    ``generators``: ``GENERATED``, and ``OTHERS`` where there is one. ``judge``: a network that names
    ``classes`` and was taught none of these people.
    """
    inputs, truth = lessons.test
    made = {name: generated_neutrals(one, inputs, device=device) for name, one in generators.items()}
    mean = np.broadcast_to(mean_face(lessons.neutrals), inputs.shape)
    candidates = {GENERATED: made[GENERATED], INPUT: inputs, MEAN: mean, TRUTH: truth} | made
    return neutral_quality(
        candidates, truth, lessons.tested, classifier=judge, classes=classes, device=device
    )


GATE: dict[str, tuple[float, str]] = {
    "psnr_gain": (1.0, "nearer to the truth than the input is, by more than 1 dB"),
    "neutral_called": (0.85, "called neutral at least 0.85 times as surely as the truth"),
    "identity_kept": (-0.05, "the same person found, at most 0.05 less often than by the input"),
}
"""What the generated faces must be before it can be asked what their residue is worth: by metric the bound
above which its whole interval has to lie, and what that means.
"""


def gate_metrics(summary: pd.DataFrame) -> dict[str, Estimate]:
    """The metrics of ``GATE``: ``psnr_gain`` over the input (dB), ``neutral_called`` as a share of the
    truth's, ``identity_kept``, in other takes, less the input's.
    """
    of = summary.set_index(["candidate", "measure"], drop=False)
    asked = {
        "psnr_gain": ((INPUT, "psnr"), "gain"),
        "neutral_called": ((TRUTH, "p_neutral"), "share"),
        "identity_kept": ((INPUT, "identity_other_take"), "gain"),
    }
    return {
        name: _estimate(of.loc[[row]].iloc[0], what) for name, (row, what) in asked.items() if row in of.index
    }


def gate_text(found: Mapping[str, Estimate]) -> str:
    """Whether stage one passed ``GATE``, and what decided it, in a sentence or two."""
    told = {
        name: name in found and found[name].low is not None and found[name].low > bound
        for name, (bound, _) in GATE.items()
    }
    failed = [GATE[name][1] for name, passed in told.items() if not passed]
    if not failed:
        return (
            "Stage one passed its gate: the generated faces are "
            + "; ".join(w for _, w in GATE.values())
            + "."
        )
    return (
        f"Stage one did not pass its gate. Not shown by the whole interval: {'; '.join(failed)}. So whatever "
        "stage two finds does not settle what the residue of a good generator is worth."
    )


def quality_metrics(summary: pd.DataFrame) -> dict[str, Estimate]:
    """``<candidate>_<measure>``, such as ``generated_psnr`` or ``input_p_neutral``; and
    ``<measure>_over_<candidate>``, the generated picture less a candidate, of input and mean face.
    """
    found = {}
    for row in summary.itertuples():
        slug, _ = CANDIDATES[row.candidate]
        if not np.isnan(row.value):
            found[f"{slug}_{row.measure}"] = _estimate(row)
        if row.candidate in (INPUT, MEAN) and not np.isnan(row.gain):
            found[f"{row.measure}_over_{slug}"] = _estimate(row, "gain")
    return found


def _estimate(row: tuple, of: str = "value") -> Estimate:
    """The value of a row of ``summarise_quality``, or its gain or share."""
    before = "" if of == "value" else f"{of}_"
    bounded = (getattr(row, of), getattr(row, f"{before}low"), getattr(row, f"{before}high"))
    share = of == "value" and row.measure not in ("psnr", "ssim")
    return Estimate.bounded(
        *bounded,
        how=f"95 % expanded percentile bootstrap over {row.subjects} subjects; trainings: {row.trainings}",
        n=row.n,
        unit="share" if share else "",
        tolerance=2.0 if row.measure == "psnr" else 0.15,
    )


def quality_table(summary: pd.DataFrame) -> Table:
    """One row per candidate: ``what it is``, and each measure with its interval."""
    rows: dict[str, dict] = {}
    for row in summary[summary["value"].notna()].itertuples():
        own = rows.setdefault(row.candidate, {"what it is": CANDIDATES[row.candidate][1]})
        own[HEADS[row.measure]] = _estimate(row)
    heads = [head for measure, head in HEADS.items() if measure in set(summary["measure"])]
    data = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=["what it is", *heads])
    caption = "Stand-ins for the true neutral face, with intervals over people"
    return Table(data.rename_axis("candidate"), caption, tolerance=dict.fromkeys(heads, 3.0))


def tried_table() -> Table:
    """What was tried for stage one, as ``benchmarks/gan.py`` says: ``tried.csv`` beside this file."""
    data = pd.read_csv(Path(__file__).with_name("tried.csv")).set_index("stage one")
    return Table(data, "What was tried for stage one, each once, with the same people and the same judge")
