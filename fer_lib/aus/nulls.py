"""What chance alone gives: associations of responses with action-unit labels that have changed places; and
the rule that decides by it which filters are called detectors of which action unit.

What belongs together changes places together: the frames of a sequence, a subject's sequences. Units run in
people: some smile with narrowed eyes, some without. Responses run in people too. On pictures of real people
labels therefore change places between whole people; handed out sequence by sequence they would look rarer in
agreement than they are, and too many filters would pass. Rendered people draw each expression anew, so there
sequences may change places, which many more can.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Literal, get_args

import numpy as np
import pandas as pd
import torch

from fer_lib.aus.association import coded_together, scorer, statistic
from fer_lib.aus.presence import FEWEST_SUBJECTS, Presence
from fer_lib.names import AssociationMeasure
from fer_lib.nets.classifier import own_autocast
from ferbook.errors import DataError, ParameterError, require_name
from ferbook.steps import steps

BlockKind = Literal["sequence", "subject"]
"""What changes places as a whole."""

AT_ONCE = 250
"""Permutations drawn from one generator: permutation p is the same however many are asked for."""

LEAST_ALIKE = 8
"""Blocks of one length exchange labels among themselves if they are so many, else also with those nearest in
length.
"""


@dataclass(frozen=True)
class Blocks:
    """Which pictures exchange labels with which: sequences in blocks, blocks in groups.

    A block is a sequence, or a subject with all its sequences. ``rows`` (N,): the pictures in the order of
    blocks, strata, sequences and time; ``starts``, ``lengths``, ``block_of``, ``cell_of`` (S,): where a
    sequence begins in ``rows``, its frames, its block, and the sequences of one stratum of one block;
    ``first``, ``counts``, ``groups`` (U,): a block's first sequence, its number of sequences, and the group
    within which it changes places.
    """

    rows: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    block_of: np.ndarray
    cell_of: np.ndarray
    first: np.ndarray
    counts: np.ndarray
    groups: np.ndarray

    @property
    def fixed(self) -> int:
        """Number of blocks that have none to change places with; their labels stay."""
        return int((np.bincount(self.groups) == 1).sum())

    def movable(self, values: np.ndarray) -> np.ndarray:
        """int64 (C,): blocks that differ from the middle one of their group, in labels or responses
        ``values`` (N, C).

        Only they tell one arrangement from another: what is alike in a whole group is so after every
        permutation. A block counts as its mean over pictures; NaN (not coded) as a value of its own.
        """
        of_row = np.repeat(np.repeat(np.arange(len(self.counts)), self.counts), self.lengths)
        # Rounded: the mean of equal numbers may differ in the last digit.
        means = pd.DataFrame(values[self.rows]).groupby(of_row).mean().fillna(-1).to_numpy().round(9)
        movable = np.zeros(values.shape[1], np.int64)
        for group in range(self.groups.max() + 1):
            members = means[self.groups == group]
            middle = np.quantile(members, 0.5, axis=0, method="lower")
            movable += (members != middle).sum(0)
        return movable

    def draws(self, permutations: int, seed: int) -> Iterator[np.ndarray]:
        """int64 (≤ AT_ONCE, N) each: picture i gets the labels of picture ``draw[p, i]``.

        Uniform over all arrangements in which blocks change places within their group and, where a block is a
        subject, its sequences of one stratum come in any order. A sequence hands its labels on to one of
        another length by relative time: frame j of L frames receives those of frame floor((j + 1/2) L' / L)
        of L'. With equal lengths that is a permutation.
        """
        for start in range(0, permutations, AT_ONCE):
            # A spawned stream: what is drawn elsewhere from the same seed, simulated data say, is independent
            # of it.
            key = (start // AT_ONCE,)
            generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
            blocks = np.tile(np.arange(len(self.groups)), (AT_ONCE, 1))
            for group in range(self.groups.max() + 1):
                members = np.flatnonzero(self.groups == group)
                blocks[:, members] = generator.permuted(blocks[:, members], axis=1)
            yield self._rows_of(self._sequences_of(blocks, generator))[: permutations - start]

    def _sequences_of(self, blocks: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """(P, S): the sequence whose labels each sequence gets, from the block (P, U) whose labels its block
        gets.
        """
        order = np.tile(np.arange(len(self.starts)), (len(blocks), 1))
        if self.counts.max() > 1:
            # Sequences are sorted by cell, so sorting by cell plus a fraction shuffles within each cell.
            order = np.argsort(self.cell_of + generator.random(order.shape), axis=1)
        rank = np.arange(len(self.starts)) - self.first[self.block_of]
        source = blocks[:, self.block_of]
        place = _relative(rank, self.counts[self.block_of], self.counts[source])
        return np.take_along_axis(order, self.first[source] + place, axis=1)

    def _rows_of(self, sequences: np.ndarray) -> np.ndarray:
        """(P, N): the picture whose labels each picture gets, from the same for sequences (P, S)."""
        sequence_of = np.repeat(np.arange(len(self.starts)), self.lengths)
        frame = np.arange(len(self.rows)) - self.starts[sequence_of]
        source = sequences[:, sequence_of]
        place = _relative(frame, self.lengths[sequence_of], self.lengths[source])
        rows = np.empty(source.shape, np.int64)
        rows[:, self.rows] = self.rows[self.starts[source] + place]
        return rows


def _relative(place: np.ndarray, length: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The place in a run of ``other`` that lies where the middle of ``place`` does in a run of ``length``."""
    return (2 * place + 1) * other // (2 * length)


def blocks_of(
    presence: Presence, kind: BlockKind = "sequence", *, within: np.ndarray | None = None
) -> Blocks:
    """The blocks of a data set, in which the pictures of a sequence stand in the order of time.

    Labels change places

    - among sequences of one stratum only: ``within`` (N,) names one per picture, for instance
      ``presence.emotions``. A sequence that shows several (neutral, then anger) goes with those that show the
      same in the same order;
    - among sequences in which the same action units are coded, so that what is not coded stays where it is;
    - of subjects, among those with equally many sequences of each stratum, each handing on the labels of all
      its sequences, those of anger to anger. Who has no equal keeps the own ones, see ``Blocks.fixed``;
    - among blocks of one length (frames of a sequence, sequences of a subject that are all of one stratum);
      where fewer than ``LEAST_ALIKE`` share it, also with those nearest in length. Equal lengths make the
      test exact; unequal ones make it approximate.

    Raises ParameterError for an unknown ``kind``; DataError where no block has another to change places with.
    """
    require_name("block", kind, get_args(BlockKind))
    n = len(presence)
    strata = np.zeros(n, int) if within is None else pd.factorize(np.asarray(within))[0]
    codings = np.unique(~np.isnan(presence.present), axis=0, return_inverse=True)[1].reshape(-1)
    subject = pd.factorize(presence.subjects)[0]
    # The same name of a sequence may occur with two subjects.
    sequence = pd.MultiIndex.from_arrays((subject, presence.sequences)).factorize()[0]
    frames = np.split(np.argsort(sequence, kind="stable"), np.cumsum(np.bincount(sequence))[:-1])
    stratum = pd.factorize(pd.Series([(_runs(strata[own]), _pattern(codings[own])) for own in frames]))[0]

    block = subject if kind == "subject" else sequence
    rows = np.lexsort((np.arange(n), sequence, stratum[sequence], block))
    starts = np.flatnonzero(np.diff(sequence[rows], prepend=-1))
    lengths = np.diff(starts, append=n)
    own_block, own_stratum = block[rows][starts], stratum[sequence[rows][starts]]
    first = np.flatnonzero(np.diff(own_block, prepend=-1))
    counts = np.diff(first, append=len(starts))
    block_of = np.repeat(np.arange(len(first)), counts)
    cell_of = pd.MultiIndex.from_arrays((block_of, own_stratum)).factorize()[0]
    patterns = [_pattern(own) for own in np.split(own_stratum, first[1:])]
    sizes = counts if kind == "subject" else lengths
    groups = _groups(pd.factorize(pd.Series(patterns))[0], sizes)
    blocks = Blocks(rows, starts, lengths, block_of, cell_of, first, counts, groups)
    if blocks.fixed == len(groups):
        raise DataError(
            f"none of the {len(groups)} {kind}s has another to exchange labels with: at least two of one "
            "stratum, with the same action units coded, are needed"
        )
    return blocks


def _runs(values: np.ndarray) -> tuple[int, ...]:
    """The values without repetitions of the one before."""
    return tuple(values[np.flatnonzero(np.diff(values, prepend=values[0] - 1))].tolist())


def _pattern(values: np.ndarray) -> tuple[int, ...]:
    """One value where all are the same, else all: then only the same pattern in the same number fits."""
    return tuple(values.tolist()) if np.ptp(values) else (int(values[0]),)


def _groups(strata: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(U,) int: the group of each block; in each stratum one per size, small ones joined with the next
    sizes.
    """
    groups = np.empty(len(strata), int)
    number = 0
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        counts = pd.Series(sizes[members]).value_counts().sort_index()
        group_of, open_members = {}, 0
        for size, count in counts.items():
            group_of[size] = number
            open_members += count
            if open_members >= LEAST_ALIKE:
                number, open_members = number + 1, 0
        if open_members:
            # Too few are left at the long end: they join the group before, if their stratum has one.
            last = max(number - 1, min(group_of.values()))
            group_of = {size: min(group, last) for size, group in group_of.items()}
            number = last + 1
        groups[members] = [group_of[size] for size in sizes[members]]
    return groups


MOST_NULL_VALUES = 2**27
"""Values (permutations × filters × action units) held at a time: 512 MiB in float32."""

MOST_LABELS = 2**24
"""Labels (permutations × action units × pictures) held at a time: 64 MiB in float32."""

TIE = 1e-4
"""Scores nearer than this, in standard deviations of the null, count as equal: rounding must not break a tie
in our favour.
"""

LEAST_SKEWNESS = 0.02
"""Of a null with less, or skewed to the left, the scores stay as good as uncorrected."""


@dataclass(frozen=True)
class Null:
    """Observed associations beside those of permuted labels, for K filters and A action units.

    ``observed`` (K, A): the measure's value, NaN for units that are too few. ``excess`` (K, A): by how much
    it lies above the mean over the permutations and the observed one, see ``standardise_``; ``scores`` (K,
    A): the same in standard deviations. 0 where nothing varies. ``unskewed`` (K, A): the scores made nearly
    normal, see ``unskew_``. ``maxima`` (permutations,): of each permutation the largest unskewed score over
    all filters and units. ``tested`` (K, A) bool: the pairs of a filter that answers, in enough blocks to be
    judged, and a unit that occurs in enough of them.
    """

    aus: tuple[str, ...]
    observed: np.ndarray
    excess: np.ndarray
    scores: np.ndarray
    unskewed: np.ndarray
    maxima: np.ndarray
    tested: np.ndarray

    @property
    def permutations(self) -> int:
        return len(self.maxima)

    @property
    def p_family(self) -> np.ndarray:
        """(K, A): p-values adjusted for all pairs: the share of maxima at least as large as the pair's
        unskewed score.
        """
        maxima = np.sort(self.maxima)
        exceedances = self.permutations - np.searchsorted(maxima, self.unskewed - TIE)
        return np.where(self.tested, (1 + exceedances) / (1 + self.permutations), np.nan)


def least_permutations(alpha: float) -> int:
    """Permutations with which the smallest possible p-value, 1 / (1 + permutations), is at most ``alpha``."""
    if not 0 < alpha < 1:
        raise ParameterError(f"alpha = {alpha}: a level lies between 0 and 1, for instance 0.05")
    # Rounding first: 1 / 0.05 is not a whole number in binary.
    return int(np.ceil(round(1 / alpha, 6))) - 1


def permutation_null(
    maxima: np.ndarray,
    presence: Presence,
    measure: AssociationMeasure,
    *,
    permutations: int = 2000,
    seed: int = 0,
    within: np.ndarray | None = None,
    blocks: BlockKind = "sequence",
    min_subjects: int = FEWEST_SUBJECTS,
    device: torch.device | None = None,
) -> Null:
    """What ``measure`` gives when the label vectors of sequences (or subjects) change places: anywhere,
    or only within strata, which asks for more than the stratum explains.

    ``maxima`` (N, K): maximal responses to the pictures of ``presence``. All action units of a block move
    together, and all filters see the same permutation, so that their dependence is kept. ``within`` (N,):
    labels move only among blocks of the same value, for instance ``presence.emotions``. See
    ``blocks_of`` for what changes places with what. By sequences, the null says that labels are
    handed out to sequences regardless of the subject: so it is with rendered faces. Where units run in
    people, as on pictures of real ones, ``blocks="subject"`` is the honest choice.

    The statistic of the family is the largest *unskewed score*: each pair's value minus its mean, over its
    standard deviation, made nearly normal (``unskew_``), over all permutations with the observed labels
    among them. Raw values would not do: a rare unit's vary more than a frequent one's, and a filter that
    merely tells any expression from none has a mean far from zero in all permutations, since neutral frames
    stay neutral. Nor would standard deviations alone: a filter that answers to few pictures, or a unit that
    few show, is many of them off whenever a permutation lets the two meet, and a few such pairs would set the
    bar for all. The observed labels take part in mean, deviation and skewness so that they stand on a par
    with the permuted ones, which makes the test exact, however good the approximation. Large values alone
    count: a detector responds more. ``benchmarks/nulls.py`` holds error and power of this rule beside others.

    Units that fewer than ``min_subjects`` subjects show, or are seen without, are too few to be judged. So
    are units and filters that differ from the middle of their group in fewer than ``min_subjects`` blocks: a
    filter that answers in a single sequence, say. Such pairs have but a few possible values, one of them many
    deviations off, and would hide all others from the maximum.

    Memory is bounded: about 1 GiB at most, whatever the numbers. Raises DataError for responses that do not
    fit or are not finite, one subject only, no unit that ``min_subjects`` subjects show, no filter that
    varies, and what ``blocks_of`` refuses.
    """
    if len(np.unique(presence.subjects)) < 2:
        raise DataError(
            f"all {len(presence)} pictures are of subject {presence.subjects[0]!r}: chance is judged between "
            "subjects, add pictures of other people"
        )
    enough = np.isin(presence.aus, presence.scored(min_subjects).aus)
    scheme = blocks_of(presence, blocks, within=within)
    movable = scheme.movable(presence.present)
    units = np.flatnonzero(enough & (movable >= min_subjects))
    if not len(units):
        best = int(np.where(enough, movable, -1).argmax())
        raise DataError(
            f"no action unit has {min_subjects} {blocks}s whose labels could change; {presence.aus[best]} "
            f"comes nearest with {movable[best]}: use a larger face set, or coarser strata"
        )
    maxima = np.asarray(maxima)
    associations = statistic(maxima, presence.present[:, units], measure)
    observed = np.full((len(associations), len(presence.aus)), np.nan)
    observed[:, units] = associations
    dead = np.ptp(maxima, axis=0) == 0
    rare = ~dead & (scheme.movable(maxima) < min_subjects)
    if (dead | rare).all():
        raise DataError(
            f"none of the {len(dead)} filters varies over as many as {min_subjects} {blocks}s: is the "
            "network trained?"
        )
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    drawn = {"seed": seed, "device": device}

    # A filter that answers to all pictures alike is associated with nothing.
    scores = np.where(np.isnan(observed), np.nan, 0)
    excess, unskewed = scores.copy(), scores.copy()
    largest = np.full(permutations, -np.inf)
    alive = np.flatnonzero(~(dead | rare))
    at_once = max(1, MOST_NULL_VALUES // ((1 + permutations) * len(units)))
    for start in range(0, len(alive), at_once):
        filters = alive[start : start + at_once]
        shown = presence.present[:, units]
        with own_autocast(device.type):  # within a caller's region whole numbers would lose digits
            values = permuted_values(maxima[:, filters], shown, measure, scheme, permutations, **drawn)
        at = np.ix_(filters, units)
        centre, skewness = standardise_(values)
        excess[at] = observed[at] - centre.T.cpu().numpy()
        scores[at] = values[0].T.cpu().numpy()
        unskewed[at] = unskew_(values, skewness)[0].T.cpu().numpy()
        largest = np.maximum(largest, values[1:].flatten(1).amax(1).cpu().numpy())
    tested = ~(dead | rare)[:, None] & ~np.isnan(observed)
    return Null(presence.aus, observed, excess, scores, unskewed, largest, tested)


def standardise_(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn ``values`` (1 + P, A, K) in place into standard deviations from the mean of each column; returns
    the means and the columns' skewness, (A, K) each.

    In mean, deviation and skewness the largest value of a column counts as the second largest: else a clear
    detector would hide behind the skewness that its own observed value brings. 0 where but one value differs.
    """
    centres, skewness = torch.empty_like(values[0]), torch.empty_like(values[0])
    for unit, own in enumerate(values.unbind(1)):
        clipped = own.minimum(own.topk(2, 0).values[1])
        variance, centre = torch.var_mean(clipped, 0, correction=0)
        spread = variance.sqrt()
        spread = torch.where(spread > 1e-5 * own.abs().amax(0), spread, torch.inf)
        own.sub_(centre).div_(spread)
        centres[unit], skewness[unit] = centre, clipped.sub_(centre).div_(spread).pow_(3).mean(0)
    return centres, skewness


def unskew_(scores: torch.Tensor, skewness: torch.Tensor) -> torch.Tensor:
    """``scores`` (1 + P, A, K) of ``standardise_`` made nearly normal in place; returns them.

    A column skewed to the right is taken for Pearson's type III (a shifted gamma distribution) of its
    skewness g, as Winkler et al. (2016, NeuroImage 141: 502) do with permutations, and that for the cube of a
    normal one (Wilson and Hilferty 1931, PNAS 17: 684): 6/g ((1 + g z / 2)^⅓ − 1) + g/6. What is larger stays
    larger.
    """
    skewness = skewness.clamp(min=LEAST_SKEWNESS)
    scores.mul_(skewness / 2).add_(1).clamp_(min=0).pow_(1 / 3)
    return scores.sub_(1).mul_(6 / skewness).add_(skewness / 6)


def permuted_values(
    maxima: np.ndarray,
    present: np.ndarray,
    measure: AssociationMeasure,
    blocks: Blocks,
    permutations: int,
    *,
    seed: int,
    device: torch.device,
) -> torch.Tensor:
    """float32 (1 + permutations, A, K): the measure of the observed labels, then of the permuted ones."""
    values = torch.empty(1 + permutations, present.shape[1], maxima.shape[1], device=device)
    # What is not coded stays where it is, so units coded in the same pictures share ranks and sums.
    for units, rows in coded_together(present):
        score = scorer(maxima, rows, measure, device=device)
        labels = torch.tensor(present[:, units].T, dtype=torch.float32, device=device)
        at_once = max(1, MOST_LABELS // (len(units) * len(rows)))
        offset = 0
        with steps("permutations", permutations) as advance:
            for draws in chain([np.arange(len(present))[None]], blocks.draws(permutations, seed)):
                for part in torch.as_tensor(draws[:, rows], device=device).split(at_once):
                    permuted = labels[:, part].flatten(0, 1)
                    scores = score(permuted).unflatten(0, (len(units), len(part)))
                    values[offset : offset + len(part), units] = scores.transpose(0, 1)
                    offset += len(part)
                    advance(len(part))
    # Where blocks differ in length a permutation can leave a unit without a picture: it shows no association.
    return values.nan_to_num_(nan=0)


def decide(null: Null, alpha: float = 0.05) -> np.ndarray:
    """bool (K, A): the pairs of filter and action unit that are called at level ``alpha``: those whose
    unskewed score beats the largest of all pairs in 1 - alpha of the permutations (family-wise error).

    Pairs that were not tested (a unit or filter that is too rare, a filter that never varies) are never
    called. Raises ParameterError for a level outside (0, 1), and where ``null`` has too few permutations to
    call anything: it says how many are needed.
    """
    least = least_permutations(alpha)
    if null.permutations < least:
        raise ParameterError(
            f"permutations = {null.permutations}: level {alpha} needs at least {least}; compute the null "
            "with so many"
        )
    return null.tested & (null.p_family <= alpha)


def claimed_units(null: Null, alpha: float = 0.05) -> np.ndarray:
    """int (K,): the action unit (index in ``null.aus``) that each filter is said to detect, -1 where none.

    Of the pairs that ``decide`` calls, the one with the largest score of ``null``: units that occur together
    are often called together. Within emotions the score says how strong a pair is within emotions, which the
    value over all pictures does not: there the emotion speaks too.
    """
    calls = decide(null, alpha)
    return np.where(calls.any(1), np.where(calls, null.scores, -np.inf).argmax(1), -1)
