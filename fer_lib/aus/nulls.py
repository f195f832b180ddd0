"""Permutation tests of the association of filters with action units, and the rule that assigns filters to
units.

What depends on each other is permuted together: the frames of a sequence, the sequences of a subject. Units
depend on people: some smile with narrowed eyes, some without. So do responses. In pictures of real people
labels are therefore exchanged between whole people; exchanged sequence by sequence, agreement would look
rarer than it is, and too many filters would pass. Rendered people draw each expression independently, so
there sequences can be exchanged, of which there are many more.
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

# What is exchanged as a whole.
BlockKind = Literal["sequence", "subject"]

# Permutations drawn from one generator: permutation p does not depend on how many are drawn.
AT_ONCE = 250

# Blocks of one length exchange labels among themselves if there are at least so many, else also with those
# nearest in length.
LEAST_ALIKE = 8


@dataclass(frozen=True)
class Blocks:
    """Which pictures exchange labels with which: sequences in blocks, blocks in groups.

    A block is a sequence, or a subject with all its sequences.

    Attributes
    ----------
    rows : (N,) array
        The pictures in the order of blocks, strata, sequences and time.
    starts, lengths : (S,) arrays
        Where a sequence begins in ``rows``, and its frames.
    block_of, cell_of : (S,) arrays
        The block of a sequence; and its cell, the sequences of one stratum of one block.
    first, counts : (U,) arrays
        The first sequence of a block, and its number of sequences.
    groups : (U,) array
        The group within which a block is exchanged.
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
        """Number of blocks that have no other to be exchanged with; their labels do not change."""
        return int((np.bincount(self.groups) == 1).sum())

    def movable(self, values: np.ndarray) -> np.ndarray:
        """Count the blocks that differ from the median block of their group, in labels or responses.

        Only they distinguish permutations: what is equal in a whole group does not change. A block counts as
        its mean over pictures; NaN (not coded) as a separate value.

        Parameters
        ----------
        values : (N, C) array

        Returns
        -------
        (C,) int64 array
        """
        of_row = np.repeat(np.repeat(np.arange(len(self.counts)), self.counts), self.lengths)
        # Rounded: the mean of equal numbers can differ in the last digit.
        means = pd.DataFrame(values[self.rows]).groupby(of_row).mean().fillna(-1).to_numpy().round(9)
        movable = np.zeros(values.shape[1], np.int64)
        for group in range(self.groups.max() + 1):
            members = means[self.groups == group]
            middle = np.quantile(members, 0.5, axis=0, method="lower")
            movable += (members != middle).sum(0)
        return movable

    def draws(self, permutations: int, seed: int) -> Iterator[np.ndarray]:
        """Yield permutations, int64 (≤ AT_ONCE, N): picture i receives the labels of picture ``draw[p, i]``.

        Uniform over all arrangements in which blocks are exchanged within their group and, if a block is a
        subject, its sequences of one stratum are in any order. A sequence receives the labels of one of
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
        """Return (P, S): the sequence whose labels each sequence receives, from (P, U), the block whose
        labels its block receives.
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
        """Return (P, N): the picture whose labels each picture receives, from the same for sequences (P,
        S).
        """
        sequence_of = np.repeat(np.arange(len(self.starts)), self.lengths)
        frame = np.arange(len(self.rows)) - self.starts[sequence_of]
        source = sequences[:, sequence_of]
        place = _relative(frame, self.lengths[sequence_of], self.lengths[source])
        rows = np.empty(source.shape, np.int64)
        rows[:, self.rows] = self.rows[self.starts[source] + place]
        return rows


def _relative(place: np.ndarray, length: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the place in a sequence of ``other`` frames that corresponds to the middle of ``place`` in one
    of ``length``.
    """
    return (2 * place + 1) * other // (2 * length)


def blocks_of(
    presence: Presence, kind: BlockKind = "sequence", *, within: np.ndarray | None = None
) -> Blocks:
    """Find the blocks of a data set whose sequences list their pictures in temporal order.

    Labels are exchanged

    - among sequences of one stratum only. A sequence that shows several strata (neutral, then anger) is
      exchanged with those that show the same in the same order;
    - among sequences in which the same action units are coded, so that missing codes do not move;
    - if blocks are subjects, among those with equally many sequences of each stratum, all sequences of a
      subject together, those of anger for those of anger. A subject without an equal is not permuted, see
      ``Blocks.fixed``;
    - among blocks of one length (frames of a sequence; sequences of a subject that are all of one stratum);
      if fewer than ``LEAST_ALIKE`` have it, also with those nearest in length. Equal lengths make the test
      exact; unequal ones make it approximate.

    Parameters
    ----------
    presence : Presence
    kind : str
        ``sequence`` or ``subject``.
    within : (N,) array, optional
        The stratum of each picture, for instance ``presence.emotions``.

    Returns
    -------
    Blocks

    Raises
    ------
    ParameterError
        For an unknown ``kind``.
    DataError
        No block has another to be exchanged with.
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
    """Remove each value that equals the one before."""
    return tuple(values[np.flatnonzero(np.diff(values, prepend=values[0] - 1))].tolist())


def _pattern(values: np.ndarray) -> tuple[int, ...]:
    """Return one value if all are equal, else all: then only the same pattern of the same length fits."""
    return tuple(values.tolist()) if np.ptp(values) else (int(values[0]),)


def _groups(strata: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the group of each block, (U,) int; in each stratum one per size, small ones joined with the next
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
            # Too few of the longest are left: they join the group before, if their stratum has one.
            last = max(number - 1, min(group_of.values()))
            group_of = {size: min(group, last) for size, group in group_of.items()}
            number = last + 1
        groups[members] = [group_of[size] for size in sizes[members]]
    return groups


# Values (permutations × filters × action units) held at a time: 512 MiB in float32.
MOST_NULL_VALUES = 2**27

# Labels (permutations × action units × pictures) held at a time: 64 MiB in float32.
MOST_LABELS = 2**24

# Scores nearer than this, in standard deviations over the permutations, count as equal: rounding must not
# break a tie in favour of the observed labels.
TIE = 1e-4

# Scores whose permutation distribution is less skewed, or skewed to the left, are hardly corrected.
LEAST_SKEWNESS = 0.02


@dataclass(frozen=True)
class Null:
    """Observed associations and those of permuted labels, for K filters and A action units.

    Attributes
    ----------
    aus : tuple of str
    observed : (K, A) array
        The measure's value; NaN for units with too few subjects.
    excess : (K, A) array
        Value minus the mean over the permutations and the observed labels, see ``standardise_``.
    scores : (K, A) array
        The excess in standard deviations; 0 where nothing varies.
    unskewed : (K, A) array
        The scores made nearly normal, see ``unskew_``.
    maxima : (permutations,) array
        The largest unskewed score over all filters and units in each permutation.
    tested : (K, A) bool array
        Pairs of a filter that varies in enough blocks and a unit that occurs in enough of them.
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
        """(K, A): p-values adjusted for all pairs: the proportion of maxima at least as large as the pair's
        unskewed score.
        """
        maxima = np.sort(self.maxima)
        exceedances = self.permutations - np.searchsorted(maxima, self.unskewed - TIE)
        return np.where(self.tested, (1 + exceedances) / (1 + self.permutations), np.nan)


def least_permutations(alpha: float) -> int:
    """Return how many permutations make the smallest possible p-value, 1 / (1 + permutations), at most
    ``alpha``.
    """
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
    """Compute ``measure`` for permuted labels of sequences or subjects: anywhere, or only within strata,
    which tests for more than the stratum explains.

    All action units of a block move together, and all filters have the same permutations, so that their
    dependence is preserved. By sequences, the null hypothesis is that labels are assigned to sequences
    regardless of the subject, as they are in rendered faces. If units depend on people, as in pictures of
    real ones, ``blocks="subject"`` is the valid choice.

    The statistic of the family is the largest *unskewed score*: each pair's value minus its mean, over its
    standard deviation, made nearly normal (``unskew_``), over all permutations with the observed labels among
    them. Raw values would not do: those of a rare unit vary more than those of a frequent one, and a filter
    that merely discriminates any expression from none has a mean far from zero in all permutations, since
    neutral frames remain neutral. Standard deviations alone would not do either: a filter that responds to
    few pictures, or a unit that few show, is many of them off whenever a permutation combines the two, and a
    few such pairs would set the threshold for all. The observed labels are included in mean, deviation and
    skewness, equally with the permuted ones, which makes the test exact, however good the approximation.
    Large values alone count: a detector responds more. ``benchmarks/nulls.py`` compares error rate and power
    of this rule with others.

    Units that fewer than ``min_subjects`` subjects show, or are seen without, are not tested. Nor are units
    and filters that differ from the median of their group in fewer than ``min_subjects`` blocks: a filter
    that responds in a single sequence, for instance. Such pairs have only a few possible values, one of them
    many deviations off, and would hide all others from the maximum.

    Memory is bounded by about 1 GiB.

    Parameters
    ----------
    maxima : (N, K) array
        Maximal responses to the pictures of ``presence``.
    presence : Presence
    measure : str
        As of ``statistic``.
    permutations : int
    seed : int
    within : (N,) array, optional
        Labels are exchanged only among blocks of the same value, for instance ``presence.emotions``; see
        ``blocks_of``.
    blocks : str
        What is exchanged: ``sequence`` or ``subject``.
    min_subjects : int
    device : torch.device, optional
        By default CUDA if it is available.

    Returns
    -------
    Null

    Raises
    ------
    DataError
        Responses do not fit or are not finite; there is one subject only, no unit with enough subjects, or no
        filter that varies; and as ``blocks_of``.
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

    # A filter with the same response to all pictures is associated with nothing.
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
    """Turn ``values`` (1 + P, A, K) in place into standard deviations from the mean of each column; return
    the means and the skewness of the columns, (A, K) each.

    In mean, deviation and skewness the largest value of a column counts as the second largest: else a clear
    detector would be hidden by the skewness that its observed value causes. 0 if only one value differs.
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
    """Make ``scores`` (1 + P, A, K) of ``standardise_`` nearly normal in place; return them.

    A column skewed to the right is treated as Pearson's type III (a shifted gamma distribution) of its
    skewness g, as Winkler et al. (2016, NeuroImage 141: 502) do with permutations, and that as the cube of a
    normal one (Wilson and Hilferty 1931, PNAS 17: 684): 6/g ((1 + g z / 2)^⅓ − 1) + g/6. The order does not
    change.
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
    """Compute the measure of the observed labels, then of the permuted ones: float32 (1 + permutations, A,
    K).
    """
    values = torch.empty(1 + permutations, present.shape[1], maxima.shape[1], device=device)
    # Missing codes do not move, so units coded in the same pictures have common ranks and sums.
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
    """Assign filters to action units at level ``alpha``: pairs whose unskewed score exceeds the largest of
    all pairs in 1 − alpha of the permutations (family-wise error).

    Pairs that were not tested (a unit or filter that is too rare, a filter that never varies) are never
    assigned.

    Parameters
    ----------
    null : Null
        As of ``permutation_null``.
    alpha : float
        Level, between 0 and 1.

    Returns
    -------
    (K, A) bool array

    Raises
    ------
    ParameterError
        The level is outside (0, 1), or ``null`` has too few permutations for it; the message gives the number
        needed.
    """
    least = least_permutations(alpha)
    if null.permutations < least:
        raise ParameterError(
            f"permutations = {null.permutations}: level {alpha} needs at least {least}; compute the null "
            "with so many"
        )
    return null.tested & (null.p_family <= alpha)


def claimed_units(null: Null, alpha: float = 0.05) -> np.ndarray:
    """Return the action unit (index in ``null.aus``) to which each filter is assigned, -1 if none: int (K,).

    Of the pairs of ``decide``, the one with the largest score of ``null``: units that occur together are
    often assigned together. Within emotions the score measures how strong a pair is within emotions; the
    value over all pictures does not: it includes the effect of the emotion.
    """
    calls = decide(null, alpha)
    return np.where(calls.any(1), np.where(calls, null.scores, -np.inf).argmax(1), -1)
