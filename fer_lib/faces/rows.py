"""Rows: some rows of one or more arrays, without a copy until they are asked for."""

import hashlib
from collections.abc import Iterator

import numpy as np

from ferbook.errors import DataError

CHUNK = 1 << 26
"""Bytes that are gathered at a time where all rows are gone through."""


class Rows:
    """The rows ``index`` (M,) of ``blocks``, arrays that are thought of as stacked: an array (M, …) in all
    but memory.

    Selecting and joining rows moves indices only. ``gather`` gives arrays; rows that lie side by side in one
    block are given as a view of it.
    """

    def __init__(self, blocks: tuple[np.ndarray, ...], index: np.ndarray | None = None) -> None:
        self.blocks = blocks
        self.ends = np.cumsum([len(block) for block in blocks])
        self.index = np.arange(self.ends[-1]) if index is None else index

    def __len__(self) -> int:
        return len(self.index)

    @property
    def dtype(self) -> np.dtype:
        return self.blocks[0].dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *self.blocks[0].shape[1:])

    def select(self, rows: np.ndarray) -> "Rows":
        """The rows ``rows`` (0 … M-1) of these rows."""
        return Rows(self.blocks, self.index[rows])

    @staticmethod
    def joined(parts: "list[Rows]") -> "Rows":
        """The rows of all ``parts`` one after the other; a block that several of them share is kept once."""
        blocks: dict[int, np.ndarray] = {id(block): block for part in parts for block in part.blocks}
        lengths = [len(block) for block in blocks.values()]
        first = dict(zip(blocks, np.cumsum([0, *lengths[:-1]]), strict=True))
        index = []
        for part in parts:
            within = np.searchsorted(part.ends, part.index, side="right")
            starts = part.ends - [len(block) for block in part.blocks]
            shifts = np.array([first[id(block)] for block in part.blocks]) - starts
            index.append(part.index + shifts[within])
        return Rows(tuple(blocks.values()), np.concatenate(index))

    def gather(self, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """An array of the rows ``rows`` (0 … M-1) of these rows; of all of them (M, …) unless they are
        named.
        """
        index = self.index[rows]
        if not len(index):
            return self.blocks[0][:0]
        starts = self.ends - [len(block) for block in self.blocks]
        which = np.searchsorted(self.ends, index, side="right")
        local = index - starts[which]
        if (which == which[0]).all():
            block = self.blocks[which[0]]
            beside = (np.diff(local) == 1).all()
            return block[local[0] : local[-1] + 1] if beside else block[local]
        values = np.empty((len(index), *self.shape[1:]), self.dtype)
        for number in np.unique(which):
            here = which == number
            values[here] = self.blocks[number][local[here]]
        return values

    def chunks(self) -> Iterator[np.ndarray]:
        """All rows in order, some tens of megabytes at a time."""
        step = max(1, CHUNK // max(1, self.dtype.itemsize * int(np.prod(self.shape[1:]))))
        for start in range(0, len(self), step):
            yield self.gather(slice(start, start + step))

    def digest(self) -> bytes:
        """SHA-256 of shape and values, the latter in little-endian order."""
        content = hashlib.sha256(f"{self.shape}".encode())
        for chunk in self.chunks():
            content.update(np.ascontiguousarray(chunk, self.dtype.newbyteorder("<")))
        return content.digest()


def chosen_rows(keep: np.ndarray, count: int, of: str) -> np.ndarray:
    """int64: the indices (0 … ``count`` - 1) that ``keep`` selects, a boolean mask (``count``,) or indices.

    Raises DataError, naming what they are ``of``, for a mask of another length, for an index out of range
    (negative ones included: -1 is what searches return for "not found"), and for any other kind of array.
    """
    keep = np.asarray(keep)
    if keep.size == 0 and keep.dtype != bool:
        keep = keep.astype(np.int64)  # np.asarray([]) is float64
    if keep.ndim != 1 or keep.dtype.kind not in "biu":
        raise DataError(
            f"{of}: select takes a mask or indices (one dimension), not {keep.dtype} of shape {keep.shape}"
        )
    if keep.dtype == bool:
        if len(keep) != count:
            raise DataError(f"{of}: a mask of {len(keep)} values for {count}")
        return np.flatnonzero(keep)
    wrong = np.flatnonzero((keep < 0) | (keep >= count))
    if len(wrong):
        raise DataError(f"{of}: index {keep[wrong[0]]} is out of range (0 to {count - 1})")
    return keep
