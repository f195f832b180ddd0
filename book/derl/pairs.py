"""Pairs of an expressive picture and a neutral one of the same person, to train and to test a generator."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np

from book.derl.chapter import DerlParameters
from face_sets.faceset import EMOTIONS, UNLABELLED, FaceSet
from face_sets.leakage import require_apart
from face_sets.rendered import scripted_faces
from fer_lib.names import FaceDomain
from ferbook.errors import DataError, ParameterError
from ferbook.parameters import listed
from synthetic_faces.domains import Domain, domain_named
from synthetic_faces.expressions import draw_expression
from synthetic_faces.facs import resolve_alternatives
from synthetic_faces.people import PAIRED, Stream
from synthetic_faces.script import Script
from synthetic_faces.sequences import person_number

NEUTRAL_EMOTION = EMOTIONS[0]


@dataclass(frozen=True, eq=False)
class NeutralPairs:
    """P pictures of a face set, each with a neutral picture of the same person; a neutral picture has itself.

    ``inputs`` and ``targets`` int64 (P,): rows of the face set, the inputs ascending. ``left_out``: person
    without a neutral picture -> number of pictures without a pair; the empty name: unnamed people.
    """

    inputs: np.ndarray
    targets: np.ndarray
    left_out: Mapping[str, int]


def neutral_pairs(faces: FaceSet) -> NeutralPairs:
    """Pair every picture of ``faces`` with an emotion or action units with a neutral one of the person.

    The neutral picture (``is_neutral``) is the nearest frame of the same sequence (of two the earlier), else
    the person's first one in the order of sequence and frame.

    Raises DataError if the set has no subjects, or no person has a neutral picture.
    """
    table = faces.table
    neutral, described = is_neutral(faces), (table["emotion"] != UNLABELLED).to_numpy() | _is_coded(faces)
    has_subject = (table["subject"] != "").to_numpy()
    if not has_subject.any():
        raise DataError(
            f"face set {faces.name!r} does not say who is shown, so no neutral picture of the same person "
            "can be found; choose a set with subjects"
        )
    ordered = table.sort_values(["subject", "sequence", "frame"], kind="stable")
    ordered = ordered[(neutral & has_subject)[ordered.index]]
    in_sequence = {
        key: (part.index.to_numpy(), part["frame"].to_numpy())
        for key, part in ordered.groupby(["subject", "sequence"], sort=False)
    }
    first = ordered.reset_index().groupby("subject", sort=False)["index"].first().to_dict()
    inputs, targets = [], []
    left_out: dict[str, int] = {}
    columns = (table[name].tolist() for name in ("subject", "sequence", "frame"))
    for row, (subject, sequence, frame) in enumerate(zip(*columns, strict=True)):
        if not described[row]:
            continue
        if subject not in first:
            left_out[subject] = left_out.get(subject, 0) + 1
            continue
        rows, frames = in_sequence.get((subject, sequence), (None, None))
        inputs.append(row)
        if neutral[row]:
            targets.append(row)
        else:
            targets.append(first[subject] if rows is None else rows[np.abs(frames - frame).argmin()])
    if not inputs:
        raise DataError(
            f"face set {faces.name!r}: no person has a neutral picture, nor one at the onset of a clip or "
            "without any coded action unit; choose a set that has one of them"
        )
    return NeutralPairs(np.array(inputs, np.int64), np.array(targets, np.int64), left_out)


def is_neutral(faces: FaceSet) -> np.ndarray:
    """Return which pictures of ``faces`` show a neutral face, bool (N,).

    Those with the label neutral; in a set without that label the frame at a clip's onset; and of pictures
    without an emotion those with coded action units of which none is present.
    """
    table = faces.table
    emotions = table["emotion"]
    neutral = (emotions == NEUTRAL_EMOTION).to_numpy()
    if not neutral.any() and "onset" in table:
        neutral = (table["frame"] == table["onset"]).to_numpy(bool)
    active = (table[list(faces.aus)] > 0).any(axis=1).to_numpy(bool)
    return neutral | ((emotions == UNLABELLED).to_numpy() & _is_coded(faces) & ~active)


def _is_coded(faces: FaceSet) -> np.ndarray:
    return faces.table[list(faces.aus)].notna().any(axis=1).to_numpy(bool)


def others_targets(subjects: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return for each of P pairs the index of another person's pair, drawn uniformly, int64 (P,).

    A generator trained on these targets sees faces of the same kind, but cannot learn identity. ``subjects``
    (P,): the people. Raises DataError if all pairs are of one person.
    """
    _, codes, counts = np.unique(np.asarray(subjects).astype(str), return_inverse=True, return_counts=True)
    if len(counts) < 2:
        raise DataError("all pairs are of one person: no other person has a neutral picture")
    by_person = np.argsort(codes, kind="stable")
    before = (np.cumsum(counts) - counts)[codes]
    draws = np.random.default_rng(seed).integers(len(codes) - counts[codes])
    # Draws skip the person's own pairs.
    return by_person[np.where(draws < before, draws, draws + counts[codes])]


def expression_pairs(
    people: int = 60,
    size: int = 48,
    seed: int = 0,
    domain: str = "lab",
    *,
    expressions: int = 8,
    takes: int = 4,
) -> tuple[FaceSet, np.ndarray]:
    """Render pairs of an expressive and a neutral picture of people who are in no face set; cached.

    Each person shows ``expressions`` emotions in ``takes`` takes, each with its head pose, light, background
    and noise, and in each take once the neutral face, which is the target: a pair differs in the expression
    only. As in sequences a weak action unit of the neutral face remains under the expression. All emotions
    come before one is repeated.

    Parameters
    ----------
    people : int
        Number of people.
    size : int
        Side of a picture in pixels.
    seed : int
        Of people and pictures.
    domain : str
        Synthetic domain.
    expressions, takes : int
        Of each person.

    Returns
    -------
    FaceSet
        P = ``people`` · (``expressions`` + ``takes``) pictures with emotions, AU intensities and masks; a
        ``sequence`` is a take.
    (P,) int64 array
        Row of each picture's neutral picture.

    Raises
    ------
    ParameterError
        For an unknown domain.
    DataError
        If anny or warp-lang is missing.
    """
    own = domain_named(domain)
    performances = [_performance(own, seed, PAIRED + person, expressions, takes) for person in range(people)]
    emotions = [emotion for plan in performances for _, emotion, _ in plan]
    number = np.array([take for plan in performances for take, _, _ in plan])
    intensities = np.stack([units for plan in performances for _, _, units in plan])
    script = Script(np.repeat(PAIRED + np.arange(people), expressions + takes), number, intensities)
    faces = scripted_faces(script, domain=domain, size=size, seed=seed).assign(emotion=emotions)
    # A take begins with its neutral picture.
    _, starts, take_of = np.unique(faces.table["sequence"], return_index=True, return_inverse=True)
    return faces, starts[take_of]


def _performance(
    domain: Domain, seed: int, person: int, expressions: int, takes: int
) -> list[tuple[int, str, np.ndarray]]:
    """Return take, emotion and intensities (``len(AUS)``, 2) of a person's pictures, neutral first."""
    rng = np.random.default_rng((Stream.PAIR, seed, person_number(domain, person)))
    emotions = [emotion for emotion in domain.emotions if emotion in EMOTIONS and emotion != NEUTRAL_EMOTION]
    order = [
        str(emotion) for _ in range(-(-expressions // len(emotions))) for emotion in rng.permutation(emotions)
    ]
    pictures = []
    for take, own in enumerate(np.array_split(np.array(order[:expressions]), takes)):
        rest = draw_expression(NEUTRAL_EMOTION, rng, domain.spread).intensities
        pictures.append((take, NEUTRAL_EMOTION, rest))
        for emotion in own.tolist():
            apex = draw_expression(emotion, rng, domain.spread).intensities
            pictures.append((take, emotion, resolve_alternatives(np.maximum(rest, apex))))
    return pictures


WATCHED_SHARE, TESTED_SHARE = 12, 5
"""One in so many people of each set is for validation, one in so many for the test of the neutral faces."""


@dataclass(frozen=True, eq=False)
class PairSplits:
    """Training, validation and test pairs of a generator, subject independent.

    ``train`` and ``valid``: inputs and targets, uint8 (P, H, W) each; ``subjects`` (P,): the people of the
    training pairs. ``tested``: test inputs, neutral ones too, and ``truth`` uint8 (P, H, W), their targets.
    ``about``: whose pictures they are, in a sentence.
    """

    train: tuple[np.ndarray, np.ndarray]
    valid: tuple[np.ndarray, np.ndarray]
    subjects: np.ndarray
    tested: FaceSet
    truth: np.ndarray
    about: str

    @property
    def neutrals(self) -> np.ndarray:
        """uint8 (P, H, W): the different neutral pictures of the training people."""
        return np.unique(self.train[1], axis=0)

    def expressive(self) -> tuple[FaceSet, np.ndarray]:
        """The test's inputs that show an expression, and the truth of each."""
        differs = (self.tested.pixels != self.truth).any(axis=(1, 2))
        mask = differs & self.tested.table["emotion"].ne(NEUTRAL_EMOTION).to_numpy()
        return self.tested.select(mask), self.truth[mask]


def draw_pair_splits(
    p: DerlParameters, faces: FaceSet, real: Mapping[str, FaceSet | None] = {}
) -> PairSplits:
    """Return the pairs for the generator of parameters ``p``, of people who are not in ``faces``.

    From each set of ``p.pretrain``: people rendered in its style, or the people of a set of ``real`` (by
    name). Of the sorted people of each set the last ``1 / TESTED_SHARE`` are for the test, those before them
    for validation. Raises ParameterError if a real set is missing; DataError if it has people or pictures in
    common with ``faces``, or fewer than two training people.
    """
    sets, targets, parts, sources = [], [], [], []
    for name in listed(p.pretrain):
        inputs, truth, whose = _pairs_of(name, p, faces, real.get(name))
        people, codes = np.unique(inputs.table["subject"].to_numpy(str), return_inverse=True)
        sizes = np.array([max(1, len(people) // share) for share in (WATCHED_SHARE, TESTED_SHARE)])
        if len(people) - sizes.sum() < 2:
            raise DataError(f"{name}: {len(people)} people with neutral faces; at least 4 are needed")
        # 0: training; 1: validation; 2: test.
        parts.append(np.digitize(codes, len(people) - sizes[::-1].cumsum()[::-1]))
        sets.append(inputs)
        targets.append(truth)
        sources.append(f"{len(people) - sizes.sum()} {whose}")
    part, every, truth = np.concatenate(parts), FaceSet.concat("pairs", sets), np.concatenate(targets)
    train, valid = ((every.pixels[part == number], truth[part == number]) for number in range(2))
    subjects, test = every.table["subject"].to_numpy(str)[part == 0], every.select(part == 2)
    about = (
        f"The generator is trained on {len(subjects):,} pairs of pictures of {', and of '.join(sources)}. "
        f"{len(valid[0]):,} pairs of other people only show its progress; {len(test):,} pairs of "
        f"{test.table['subject'].nunique()} more people test it. None of them is among the people of "
        f"{faces.name}."
    )
    return PairSplits(train, valid, subjects, test, truth[part == 2], about)


def _pairs_of(
    name: str, p: DerlParameters, faces: FaceSet, real: FaceSet | None
) -> tuple[FaceSet, np.ndarray, str]:
    """Return inputs, their neutral pictures (P, H, W), and whose they are, for the set ``name``."""
    if name in get_args(FaceDomain):
        takes = max(1, p.pretrain_expressions // 2)
        inputs, targets = expression_pairs(
            p.pretrain_people,
            faces.size[0],
            p.face_seed,
            name,
            expressions=p.pretrain_expressions,
            takes=takes,
        )
        whose = f"people rendered in the style of {name}; each neutral face is of the same take"
        return inputs, inputs.gather(targets), whose
    if real is None:
        raise ParameterError(
            f"derl.pretrain: {name!r} is not on this machine; `ferbook data` says how to get it. Give lab "
            "for rendered people"
        )
    require_apart(real, faces)
    pairs = neutral_pairs(real)
    whose = f"people of {real.name}"
    if pairs.left_out:
        whose += f" ({len(pairs.left_out)} without a neutral picture are left out)"
    return real.select(pairs.inputs), real.gather(pairs.targets), whose


def examples(faces: FaceSet, count: int) -> np.ndarray:
    """Return rows of up to ``count`` pictures of ``faces`` to show, of different people and expressions."""
    candidates, rows = faces.table, []
    while len(rows) < count and len(candidates):
        emotions = [faces.table["emotion"][row] for row in rows]
        row = int(candidates["emotion"].map(emotions.count).idxmin())
        rows.append(row)
        candidates = candidates[candidates["subject"].ne(candidates["subject"][row])]
    return np.array(rows)
