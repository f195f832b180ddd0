"""Permutations of action-unit labels that keep together what belongs together: the frames of a sequence, a
subject's sequences.

Units run in people: some smile with narrowed eyes, some without. Responses run in people too. On pictures of
real people labels therefore change places between whole people; handed out sequence by sequence they would
look rarer in agreement than they are, and too many filters would pass. Rendered people draw each expression
anew, so there sequences may change places, which many more can.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from fer_lib.aus.presence import Presence
from ferbook.errors import DataError, require_name

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

    kind: BlockKind
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
    blocks = Blocks(kind, rows, starts, lengths, block_of, cell_of, first, counts, groups)
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
            last = [size for size, group in group_of.items() if group == number]
            before = [group for group in group_of.values() if group < number]
            for size in last:
                group_of[size] = before[-1] if before else number
            number += not before
        groups[members] = [group_of[size] for size in sizes[members]]
    return groups
