"""Pairs of an expressive picture and a neutral one of the same person: those that a generator learns from,
and those by which it is judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import pandas as pd

from book.derl.chapter import DerlParameters
from fer_lib.aus.presence import named_alone
from fer_lib.faces.faceset import EMOTIONS, UNLABELLED, FaceSet
from fer_lib.faces.rendered import scripted_faces
from fer_lib.faces.shared import require_apart
from fer_lib.names import FaceDomain
from ferbook.errors import DataError, ParameterError
from ferbook.parameters import listed
from synthetic_faces.domains import Domain, domain_named
from synthetic_faces.expressions import draw_expression
from synthetic_faces.facs import resolve_alternatives
from synthetic_faces.people import PAIRED, Stream
from synthetic_faces.script import Script
from synthetic_faces.sequences import person_number

NEUTRAL = EMOTIONS[0]


@dataclass(frozen=True, eq=False)
class Pairs:
    """P pictures of a face set, each with a neutral picture of the same person; a neutral picture has itself.

    ``inputs`` and ``targets`` int64 (P,): rows of the face set, the inputs ascending. ``subjects`` (P,):
    text. ``same_sequence`` bool (P,): whether the neutral picture is of the input's own sequence.
    ``left_out``: the people without a neutral picture, and how many pictures of theirs have no pair; under
    the empty name the pictures of unnamed people.
    """

    inputs: np.ndarray
    targets: np.ndarray
    subjects: np.ndarray
    same_sequence: np.ndarray
    left_out: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.inputs)


def neutral_pairs(faces: FaceSet) -> Pairs:
    """Every picture of ``faces`` that carries an emotion or action units, with a neutral one of the same
    person.

    The neutral picture is one of the same sequence, the nearest in frames (of two the earlier), else the
    person's first one in the order of sequence and frame. What counts as neutral, says ``is_neutral``. People
    without one are named and counted in ``left_out``.

    Raises DataError where the set names nobody, and where no person has a neutral picture.
    """
    table = faces.table
    neutral, described = is_neutral(faces), (table["emotion"] != UNLABELLED).to_numpy() | _is_coded(faces)
    named = (table["subject"] != "").to_numpy()
    if not named.any():
        raise DataError(
            f"face set {faces.name!r} does not say who is shown, so no neutral picture of the same person "
            "can be found; choose a set with subjects"
        )
    ordered = table.sort_values(["subject", "sequence", "frame"], kind="stable")
    ordered = ordered[(neutral & named)[ordered.index]]
    in_sequence = {
        key: (part.index.to_numpy(), part["frame"].to_numpy())
        for key, part in ordered.groupby(["subject", "sequence"], sort=False)
    }
    first = ordered.reset_index().groupby("subject", sort=False)["index"].first().to_dict()
    inputs, targets, same = [], [], []
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
        same.append(rows is not None)
        if neutral[row]:
            targets.append(row)
        else:
            targets.append(first[subject] if rows is None else rows[np.abs(frames - frame).argmin()])
    if not inputs:
        raise DataError(
            f"face set {faces.name!r}: nobody has a neutral picture, nor one at the onset of a clip or "
            "without any coded action unit; choose a set that has one of them"
        )
    subjects = table["subject"].to_numpy(dtype=object)[inputs]
    return Pairs(np.array(inputs, np.int64), np.array(targets, np.int64), subjects, np.array(same), left_out)


def is_neutral(faces: FaceSet) -> np.ndarray:
    """bool (N,): which pictures of ``faces`` show a face at rest.

    Those with the label neutral; of a set without that label the frame at a clip's onset, before the movement
    begins; and of pictures without an emotion those on which some action units were coded and none was shown.
    """
    table = faces.table
    emotions = table["emotion"]
    neutral = (emotions == NEUTRAL).to_numpy()
    if not neutral.any() and "onset" in table:
        neutral = (table["frame"] == table["onset"]).to_numpy(bool)
    shown = (table[list(faces.aus)] > 0).any(axis=1).to_numpy(bool)
    return neutral | ((emotions == UNLABELLED).to_numpy() & _is_coded(faces) & ~shown)


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
    drawn = np.random.default_rng(seed).integers(len(codes) - counts[codes])
    # Counted over everybody else: whoever comes after the person is further on by the person's own pairs.
    return by_person[np.where(drawn < before, drawn, drawn + counts[codes])]


def expression_pairs(
    people: int = 60,
    size: int = 48,
    seed: int = 0,
    domain: str = "lab",
    *,
    expressions: int = 8,
    takes: int = 4,
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Expressive and neutral pictures of people who are in no face set, uint8 (P, ``size``, ``size``) each,
    and a table of P rows; cached.

    Each of ``people`` persons of the synthetic ``domain`` shows ``expressions`` emotions, drawn as the domain
    draws them, in ``takes`` takes of their own head pose, light, background and noise, and once in each take
    the neutral face. The neutral picture of the same take is the target, so that a pair differs by the
    expression and in nothing else; a neutral picture has itself. So P is ``people`` · (``expressions`` +
    ``takes``), and ``people`` · that many pictures are rendered. As in sequences of the domain a person's
    neutral face, which may show a weak action unit, stays under the expression. Nobody shows an emotion again
    before all others.

    ``table``: ``subject``, ``sequence`` (the take), ``emotion``, and the intensities ``AU1`` … of the input.
    Raises ParameterError for an unknown domain, DataError where anny or warp-lang is
    missing.
    """
    own = domain_named(domain)
    shown = [_performance(own, seed, PAIRED + person, expressions, takes) for person in range(people)]
    emotions = [emotion for plan in shown for _, emotion, _ in plan]
    number = np.array([take for plan in shown for take, _, _ in plan])
    intensities = np.stack([units for plan in shown for _, _, units in plan])
    script = Script(np.repeat(PAIRED + np.arange(people), expressions + takes), number, intensities)
    faces = scripted_faces(script, domain=domain, size=size, seed=seed)
    table = faces.table[["subject", "sequence", *faces.aus]].assign(emotion=emotions)
    sequences = table["sequence"].to_numpy()
    # A take begins with its neutral picture.
    starts, take_of = np.unique(sequences, return_index=True, return_inverse=True)[1:]
    return faces.pixels, faces.pixels[starts[take_of]], table


def _performance(
    domain: Domain, seed: int, person: int, expressions: int, takes: int
) -> list[tuple[int, str, np.ndarray]]:
    """Take, emotion and intensities (``len(AUS)``, 2) of a person's pictures, take by take, the neutral one
    first.
    """
    rng = np.random.default_rng((Stream.PAIR, seed, person_number(domain, person)))
    emotions = [emotion for emotion in domain.emotions if emotion in EMOTIONS and emotion != NEUTRAL]
    order = [
        str(emotion) for _ in range(-(-expressions // len(emotions))) for emotion in rng.permutation(emotions)
    ]
    pictures = []
    for take, own in enumerate(np.array_split(np.array(order[:expressions]), takes)):
        rest = draw_expression(NEUTRAL, rng, domain.spread).intensities
        pictures.append((take, NEUTRAL, rest))
        for emotion in own.tolist():
            apex = draw_expression(emotion, rng, domain.spread).intensities
            pictures.append((take, emotion, resolve_alternatives(np.maximum(rest, apex))))
    return pictures


WATCHED, TESTED = 12, 5
"""One in so many of the people of each set is watched while the generator learns; one in so many is a
stranger to it, by whom its neutral faces are judged at the end.
"""


@dataclass(frozen=True, eq=False)
class Lessons:
    """Pairs of pictures that a generator learns from, others that are watched, and others by which it is
    judged.

    ``train``, ``valid`` and ``test``: inputs and targets, uint8 (P, H, W) each, of people who are in one of
    the three only. ``subjects`` (P,): whose the training pairs are. ``tested``: of the test pairs the
    ``subject``, ``sequence`` and ``emotion``. ``about``: whose pictures they are, in a sentence.
    """

    train: tuple[np.ndarray, np.ndarray]
    valid: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    subjects: np.ndarray
    tested: pd.DataFrame
    about: str

    @property
    def neutrals(self) -> np.ndarray:
        """uint8 (P, H, W): the different neutral pictures of the training people."""
        return np.unique(self.train[1], axis=0)


def draw_lessons(p: DerlParameters, faces: FaceSet, real: Mapping[str, FaceSet | None] = {}) -> Lessons:
    """The pairs that the generator of a chapter with the parameters ``p`` learns from: of nobody in
    ``faces``.

    Of each set of ``p.pretrain``: people rendered to order in its style, or the people of a set of ``real``
    (by name), which has neutral pictures of them. Of the people of each set, sorted, the last ``1 / TESTED``
    are for the test, those before them are watched. Raises ParameterError where a real set is asked for and
    absent; DataError where it shares people or pictures with ``faces``, and where fewer than two people can
    be learned from.
    """
    inputs, targets, tables, parts, told = [], [], [], [], []
    for name in listed(p.pretrain):
        own_inputs, own_targets, table, whose = _pairs_of(name, p, faces, real.get(name))
        people, codes = np.unique(table["subject"].to_numpy(str), return_inverse=True)
        held = np.array([max(1, len(people) // share) for share in (WATCHED, TESTED)])
        if len(people) - held.sum() < 2:
            raise DataError(
                f"{name}: {len(people)} people to learn neutral faces from; at least 4 are needed"
            )
        # 0: learned from; 1: watched; 2: tested.
        parts.append(np.digitize(codes, len(people) - held[::-1].cumsum()[::-1]))
        inputs.append(own_inputs)
        targets.append(own_targets)
        tables.append(table[["subject", "sequence", "emotion"]])
        told.append(f"{len(people) - held.sum()} {whose}")
    part, table = np.concatenate(parts), pd.concat(tables, ignore_index=True)
    pixels = np.concatenate(inputs), np.concatenate(targets)
    cut = [tuple(pictures[part == number] for pictures in pixels) for number in range(3)]
    strangers = table["subject"][part == 2].nunique()
    about = (
        f"The generator learns from {len(cut[0][0]):,} pairs of pictures of {', and of '.join(told)}. "
        f"{len(cut[1][0]):,} pairs of others are watched, and decide nothing; by {len(cut[2][0]):,} pairs of "
        f"{strangers} more it is judged. None of them is among the people of {faces.name}."
    )
    tested = table[part == 2].reset_index(drop=True)
    return Lessons(*cut, table["subject"].to_numpy(str)[part == 0], tested, about)


def _pairs_of(
    name: str, p: DerlParameters, faces: FaceSet, real: FaceSet | None
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame, str]:
    """Inputs, targets, their table, and whose they are, of the set ``name``."""
    if name in get_args(FaceDomain):
        pairs = expression_pairs(
            p.pretrain_people,
            faces.size[0],
            p.face_seed,
            name,
            expressions=p.pretrain_expressions,
            takes=max(1, p.pretrain_expressions // 2),
        )
        return *pairs, (
            f"people rendered to order, as those of {name} are; each neutral face was rendered in the same "
            "take"
        )
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
    table = real.table.iloc[pairs.inputs].reset_index(drop=True)
    return real.gather(pairs.inputs), real.gather(pairs.targets), table, whose


@dataclass(frozen=True, eq=False)
class KnownNeutrals:
    """Expressive pictures of labelled ``faces`` whose people are shown at rest as well: ``inputs`` and
    ``targets`` int64 (P,), rows of ``faces``.

    ``same_sequence`` bool (P,): whether both pictures are of one sequence. ``about``: whose they are, in a
    sentence. ``own``: whether they are the chapter's own faces.
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
        """int64 (sequences,): the place of one pair of each sequence, ascending: that of the apex where the
        set says when it is, else the last; a picture of no sequence stands for itself.
        """
        table = self.table
        away = (table["frame"] - table["apex"]).abs() if "apex" in table else -table["frame"]
        order = away.astype(float).argsort(kind="stable")
        takes = pd.DataFrame({"who": table["subject"], "where": named_alone(table["sequence"])})
        first = ~takes.iloc[order].duplicated()
        return np.sort(first.index[first].to_numpy(np.int64))

    def select(self, keep: np.ndarray | list[int]) -> "KnownNeutrals":
        """The pairs where the mask ``keep`` is true, or at its places."""
        parts = {name: getattr(self, name)[keep] for name in ("inputs", "targets", "same_sequence")}
        return replace(self, **parts)


def known_neutrals(faces: FaceSet, beside: FaceSet | None = None) -> KnownNeutrals:
    """The expressive pictures of ``faces`` (labelled ones) with the true neutral face of the same person;
    where it has none, those of the rendered set ``beside``.

    Raises DataError where neither has any.
    """
    try:
        pairs = neutral_pairs(faces)
    except DataError as fault:
        if beside is None:
            raise
        found = known_neutrals(beside.labelled())
        why = str(fault).partition(";")[0]
        about = f"{why[0].upper()}{why[1:]}. So neutral faces are compared on rendered ones. {found.about}"
        return replace(found, about=about, own=False)
    expressive = pairs.inputs != pairs.targets
    own = pairs.same_sequence[expressive]
    people = len(np.unique(pairs.subjects[expressive]))
    about = (
        f"{expressive.sum():,} expressive pictures of {people} people of {faces.name} have a true neutral "
        f"one, {own.sum():,} of them in the same sequence."
    )
    if pairs.left_out:
        some = ", ".join(list(pairs.left_out)[:3]) + (", …" if len(pairs.left_out) > 3 else "")
        lost = sum(pairs.left_out.values())
        about += (
            f" Without a neutral picture, and left out: {len(pairs.left_out)} people ({some}) with {lost:,} "
            "pictures."
        )
    return KnownNeutrals(faces, pairs.inputs[expressive], pairs.targets[expressive], own, about, True)


def examples(known: KnownNeutrals, count: int = 6) -> list[int]:
    """The places of up to ``count`` pairs to look at, of different people, and as many expressions as there
    are, by turns.
    """
    left = known.table.iloc[known.apexes()]
    chosen: list[int] = []
    shown: list[str] = []
    while len(chosen) < count and len(left):
        place = left["emotion"].map(shown.count).idxmin()
        chosen.append(int(place))
        shown.append(left["emotion"][place])
        left = left[left["subject"].ne(left["subject"][place])]
    return chosen
