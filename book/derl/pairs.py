"""Pairs of an expressive picture and a neutral one of the same person: those that a generator learns from,
and those on which it is tested.
"""

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

    ``inputs`` and ``targets`` int64 (P,): rows of the face set, the inputs ascending. ``left_out``: the
    people without a neutral picture, and how many pictures of theirs have no pair; under the empty name the
    pictures of unnamed people.
    """

    inputs: np.ndarray
    targets: np.ndarray
    left_out: Mapping[str, int]


def neutral_pairs(faces: FaceSet) -> NeutralPairs:
    """Every picture of ``faces`` that carries an emotion or action units, with a neutral one of the same
    person.

    The neutral picture is one of the same sequence, the nearest in frames (of two the earlier), else the
    person's first one in the order of sequence and frame. What counts as neutral, says ``is_neutral``. People
    without one are named and counted in ``left_out``.

    Raises DataError where the set names nobody, and where no person has a neutral picture.
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
            f"face set {faces.name!r}: nobody has a neutral picture, nor one at the onset of a clip or "
            "without any coded action unit; choose a set that has one of them"
        )
    return NeutralPairs(np.array(inputs, np.int64), np.array(targets, np.int64), left_out)


def is_neutral(faces: FaceSet) -> np.ndarray:
    """bool (N,): which pictures of ``faces`` show a face at rest.

    Those with the label neutral; of a set without that label the frame at a clip's onset, before the movement
    begins; and of pictures without an emotion those on which some action units were coded and none was shown.
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
    """int64 (P,): for each of P pairs the index of another person's pair, drawn evenly among all of them.

    A generator that is trained on these targets in the place of its own ones learns from faces of the same
    kind, but cannot learn to keep the person. ``subjects`` (P,): who is shown. Raises DataError where all
    pairs are of one person.
    """
    _, codes, counts = np.unique(np.asarray(subjects).astype(str), return_inverse=True, return_counts=True)
    if len(counts) < 2:
        raise DataError("all pairs are of one person: there is no other one's neutral picture to give")
    by_person = np.argsort(codes, kind="stable")
    before = (np.cumsum(counts) - counts)[codes]
    draws = np.random.default_rng(seed).integers(len(codes) - counts[codes])
    # Counted over everybody else: whoever comes after the person is further on by the person's own pairs.
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
    """P expressive and neutral pictures of people who are in no face set, ``size`` × ``size`` each, and the
    row of each one's neutral picture, int64 (P,); cached.

    Each of ``people`` persons of the synthetic ``domain`` shows ``expressions`` emotions, drawn as the domain
    draws them, in ``takes`` takes of their own head pose, light, background and noise, and once in each take
    the neutral face. The neutral picture of the same take is the target, so that a pair differs by the
    expression and in nothing else; a neutral picture has itself. So P is ``people`` · (``expressions`` +
    ``takes``), and that many pictures are rendered. As in sequences of the domain a person's
    neutral face, which may show a weak action unit, stays under the expression. Nobody shows an emotion again
    before all others.

    The set has emotions, AU intensities, and masks of where these act; a ``sequence`` is a take. Raises
    ParameterError for an unknown domain, DataError where anny or warp-lang is missing.
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
    """Take, emotion and intensities (``len(AUS)``, 2) of a person's pictures, take by take, the neutral one
    first.
    """
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
"""One in so many of the people of each set is watched while the generator learns; one in so many is
held out: on them its neutral faces are tested at the end.
"""


@dataclass(frozen=True, eq=False)
class PairSplits:
    """Pairs of pictures that a generator learns from, others that are watched, and others on which it is
    tested: of people who are in one of the three only.

    ``train`` and ``valid``: inputs and targets, uint8 (P, H, W) each; ``subjects`` (P,): whose the training
    pairs are. ``tested``: the inputs of the test, neutral ones too, and ``truth`` uint8 (P, H, W), their
    targets. ``about``: whose pictures they are, in a sentence.
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
    """The pairs that the generator of a chapter with the parameters ``p`` learns from: of nobody in
    ``faces``.

    Of each set of ``p.pretrain``: people rendered to order in its style, or the people of a set of ``real``
    (by name), which has neutral pictures of them. Of the people of each set, sorted, the last
    ``1 / TESTED_SHARE`` are for the test, those before them are watched. Raises ParameterError where a real
    set is asked for and absent; DataError where it shares people or pictures with ``faces``, and where fewer
    than two people can be learned from.
    """
    sets, targets, parts, sources = [], [], [], []
    for name in listed(p.pretrain):
        inputs, truth, whose = _pairs_of(name, p, faces, real.get(name))
        people, codes = np.unique(inputs.table["subject"].to_numpy(str), return_inverse=True)
        sizes = np.array([max(1, len(people) // share) for share in (WATCHED_SHARE, TESTED_SHARE)])
        if len(people) - sizes.sum() < 2:
            raise DataError(
                f"{name}: {len(people)} people to learn neutral faces from; at least 4 are needed"
            )
        # 0: learned from; 1: watched; 2: tested.
        parts.append(np.digitize(codes, len(people) - sizes[::-1].cumsum()[::-1]))
        sets.append(inputs)
        targets.append(truth)
        sources.append(f"{len(people) - sizes.sum()} {whose}")
    part, every, truth = np.concatenate(parts), FaceSet.concat("pairs", sets), np.concatenate(targets)
    train, valid = ((every.pixels[part == number], truth[part == number]) for number in range(2))
    subjects, test = every.table["subject"].to_numpy(str)[part == 0], every.select(part == 2)
    about = (
        f"The generator learns from {len(subjects):,} pairs of pictures of {', and of '.join(sources)}. "
        f"{len(valid[0]):,} pairs of others are watched, and decide nothing; on {len(test):,} pairs of "
        f"{test.table['subject'].nunique()} more it is tested. None of them is among the people of "
        f"{faces.name}."
    )
    return PairSplits(train, valid, subjects, test, truth[part == 2], about)


def _pairs_of(
    name: str, p: DerlParameters, faces: FaceSet, real: FaceSet | None
) -> tuple[FaceSet, np.ndarray, str]:
    """Inputs, the neutral pictures (P, H, W) that go with them, and whose they are, of the set ``name``."""
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
        whose = f"people rendered to order, as those of {name} are; each neutral face is of the same take"
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
    """The rows of up to ``count`` of ``faces`` to look at, of different people, and as many expressions as
    there are, by turns.
    """
    candidates, rows = faces.table, []
    while len(rows) < count and len(candidates):
        emotions = [faces.table["emotion"][row] for row in rows]
        row = int(candidates["emotion"].map(emotions.count).idxmin())
        rows.append(row)
        candidates = candidates[candidates["subject"].ne(candidates["subject"][row])]
    return np.array(rows)
