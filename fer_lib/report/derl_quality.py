"""Generated neutral faces beside the true ones: whose they are, which are shown, the tables and metrics."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import nn

from fer_lib.errors import DataError
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import Protocol
from fer_lib.faces.pairs import neutral_pairs
from fer_lib.learn.neutral_quality import (
    CANDIDATES,
    GENERATED,
    INPUT,
    MEAN,
    MEASURES,
    TRUTH,
    generated_neutrals,
    mean_face,
    neutral_quality,
    summarise_quality,
)
from fer_lib.models.derl import Generator
from fer_lib.report.metrics import Metric

OTHERS = "generator of others' neutrals"
"""The generator that was taught other people's neutral faces, as a further candidate."""

JUDGED_BY_A_NETWORK = ("p_neutral", "p_emotion")

_SLUGS = {GENERATED: "generated", INPUT: "input", MEAN: "mean_face", TRUTH: "truth", OTHERS: "others"}


@dataclass(frozen=True, eq=False)
class KnownNeutrals:
    """Expressive pictures of labelled ``faces`` whose people are shown at rest as well: ``inputs`` and ``targets`` int64 (P,), rows of ``faces``.

    ``same_sequence`` bool (P,): whether both pictures are of one sequence. ``about``: whose they are, in a sentence. ``own``: whether they are the
    chapter's own faces.
    """

    faces: FaceSet
    inputs: np.ndarray
    targets: np.ndarray
    same_sequence: np.ndarray
    about: str
    own: bool

    @property
    def pictures(self) -> np.ndarray:
        return self.faces.gather(self.inputs)

    @property
    def truth(self) -> np.ndarray:
        return self.faces.gather(self.targets)

    @property
    def table(self) -> pd.DataFrame:
        """The inputs' rows of the faces' table."""
        return self.faces.table.iloc[self.inputs].reset_index(drop=True)

    def apexes(self) -> np.ndarray:
        """int64 (sequences,): the place of one pair of each sequence, ascending: that of the apex where the set says when it is, else the last; a picture of no sequence stands for itself."""
        table = self.table
        alone = "picture " + pd.Series(self.inputs.astype(str))
        named = table["sequence"].where(table["sequence"].ne(""), alone)
        away = (table["frame"] - table["apex"]).abs() if "apex" in table else -table["frame"]
        order = away.astype(float).argsort(kind="stable")
        first = ~pd.DataFrame({"who": table["subject"], "where": named}).iloc[order].duplicated()
        return np.sort(first.index[first].to_numpy(np.int64))

    def select(self, keep: np.ndarray) -> "KnownNeutrals":
        """The pairs where the mask ``keep`` is true, or at its indices."""
        parts = (part[keep] for part in (self.inputs, self.targets, self.same_sequence))
        return KnownNeutrals(self.faces, *parts, self.about, self.own)


def known_neutrals(faces: FaceSet, beside: FaceSet | None = None) -> KnownNeutrals:
    """The expressive pictures of ``faces`` (labelled ones) with the true neutral face of the same person; where it has none, those of the rendered set ``beside``.

    Raises DataError where neither has any.
    """
    try:
        pairs = neutral_pairs(faces)
    except DataError as fault:
        if beside is None:
            raise
        found = known_neutrals(beside.labelled())
        why = str(fault).partition(";")[0]
        about = f"{why}. So neutral faces are compared on rendered ones. {found.about}"
        return KnownNeutrals(
            found.faces, found.inputs, found.targets, found.same_sequence, _sentence(about), False
        )
    expressive = pairs.inputs != pairs.targets
    own = pairs.same_sequence[expressive]
    people = len(np.unique(pairs.subjects[expressive]))
    about = f"{expressive.sum():,} expressive pictures of {people} people of {faces.name} have a true neutral one, {own.sum():,} of them in the same sequence."
    if pairs.left_out:
        some = ", ".join(list(pairs.left_out)[:3]) + (", …" if len(pairs.left_out) > 3 else "")
        lost = sum(pairs.left_out.values())
        about += f" Without a neutral picture, and left out: {len(pairs.left_out)} people ({some}) with {lost:,} pictures."
    return KnownNeutrals(faces, pairs.inputs[expressive], pairs.targets[expressive], own, about, True)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def examples(known: KnownNeutrals, count: int = 6) -> KnownNeutrals:
    """Up to ``count`` pairs to look at, of different people, and as many expressions as there are, in the order of the face set."""
    table = known.table.assign(place=np.arange(len(known.inputs))).iloc[known.apexes()]
    chosen: list[int] = []
    shown: list[str] = []
    seen: set[str] = set()
    for _ in range(count):
        left = table[~table["subject"].isin(seen)]
        if left.empty:
            break
        times = left["emotion"].map(lambda emotion: shown.count(emotion))
        row = left[times.eq(times.min())].iloc[0]
        chosen.append(int(row["place"]))
        shown.append(row["emotion"])
        seen.add(row["subject"])
    return known.select(np.array(chosen))


def quality(
    known: KnownNeutrals,
    generators: Mapping[str, Generator],
    neutrals: np.ndarray,
    judge: nn.Module,
    protocol: Protocol,
    *,
    draws: int = 1000,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> pd.DataFrame:
    """All measures of all candidates for the true neutral face, as ``learn.neutral_quality.summarise_quality`` has them.

    ``generators``: ``trained``, and ``shuffled`` where there is one. ``neutrals`` uint8 (P, H, W): of other people, whose mean is a candidate. ``judge``: a network that names the
    classes of ``protocol`` and was taught on its first fold: of the chapter's own faces it is asked only about the people whom that fold tests.
    """

    def measured(part: KnownNeutrals, classifier: nn.Module | None) -> pd.DataFrame:
        inputs = part.pictures
        made = {
            name: generated_neutrals(generator, inputs, device=device)
            for name, generator in generators.items()
        }
        found = neutral_quality(
            made["trained"],
            inputs,
            part.truth,
            part.table,
            mean_neutral=mean_face(neutrals),
            classifier=classifier,
            classes=protocol.classes if classifier is not None else (),
            others={OTHERS: made["shuffled"]} if "shuffled" in made else None,
            device=device,
        )
        return summarise_quality(found, draws=draws, seed=seed)

    tables = [measured(known, None)]
    strangers = known
    if known.own:
        strangers = known.select(np.isin(known.inputs, protocol.folds[0].test))
    if len(strangers.inputs):
        judged = measured(strangers, judge)
        tables.append(judged[judged["measure"].isin(JUDGED_BY_A_NETWORK)])
    return pd.concat(tables, ignore_index=True)


def quality_table(summary: pd.DataFrame) -> pd.DataFrame:
    """One row per candidate for the page, one column per measure, with intervals as text."""
    rows = {}
    for row in summary.itertuples():
        share = row.measure not in ("psnr", "ssim")
        scale, digits = (100, 0) if share else (1, 1 if row.measure == "psnr" else 3)
        name = _HEADS[row.measure]
        if np.isnan(row.value):
            continue
        text = f"{scale * row.value:.{digits}f}"
        if not np.isnan(row.low):
            text += f" ({scale * row.low:.{digits}f}–{scale * row.high:.{digits}f})"
        rows.setdefault(row.candidate, {})[name] = text
    heads = [_HEADS[measure] for measure in MEASURES if measure in set(summary["measure"])]
    return pd.DataFrame.from_dict(rows, orient="index").reindex(columns=heads).rename_axis("candidate")


_HEADS = {
    "psnr": "PSNR (dB)",
    "ssim": "SSIM",
    "identity": "same person found (%)",
    "identity_other_take": "same person found, other takes (%)",
    "p_neutral": "called neutral (%)",
    "p_emotion": "called the input's expression (%)",
}


def quality_metrics(summary: pd.DataFrame) -> dict[str, Metric]:
    """``<candidate>_<measure>``, such as ``generated_psnr`` or ``input_p_neutral``; and ``<measure>_over_<candidate>``, the generated picture less a candidate, of input and mean face."""
    found = {}
    for row in summary.itertuples():
        unit = "" if row.measure in ("psnr", "ssim") else "share"
        tolerance = 2.0 if row.measure == "psnr" else 0.15
        settings = {"n": row.n, "tolerance": tolerance}
        if not np.isnan(row.value):
            found[f"{_SLUGS[row.candidate]}_{row.measure}"] = _metric(
                row.value, row.low, row.high, row.subjects, unit=unit, **settings
            )
        if row.candidate in (INPUT, MEAN) and not np.isnan(row.gain):
            found[f"{row.measure}_over_{_SLUGS[row.candidate]}"] = _metric(
                row.gain, row.gain_low, row.gain_high, row.subjects, **settings
            )
    return found


def _metric(value: float, low: float, high: float, subjects: int, **settings: object) -> Metric:
    if np.isnan(low):
        return Metric(value, interval="none: every draw gives the same value", **settings)
    how = f"95 % percentile bootstrap over {subjects} subjects"
    return Metric(value, min(low, value), max(high, value), interval=how, **settings)


def candidate_names(summary: pd.DataFrame) -> pd.DataFrame:
    """What each candidate is: ``candidate`` and ``what it is``."""
    about = CANDIDATES | {OTHERS: "what a generator makes that was taught other people's neutral faces"}
    names = list(dict.fromkeys(summary["candidate"]))
    return pd.DataFrame({"candidate": names, "what it is": [about[name] for name in names]})
