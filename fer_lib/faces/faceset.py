"""FaceSet: pictures of faces with one table row each."""

import hashlib
import json
import shutil
import tokenize
import uuid
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from fer_lib.errors import DataError

EMOTIONS = (
    "neutral",
    "anger",
    "contempt",
    "disgust",
    "fear",
    "happiness",
    "sadness",
    "surprise",
)
"""The one table of emotion names; every reader maps its own labels onto it."""

SPLITS = ("train", "valid", "test")

TEXT_COLUMNS = ("dataset", "subject", "sequence", "emotion", "split")
REQUIRED_COLUMNS = ("dataset", "subject", "sequence", "frame", "emotion", "split")


@dataclass(frozen=True)
class FaceSet:
    """``pixels`` uint8 (N, H, W) and ``table``, a data frame of N rows in the same order.

    Columns of ``table``: ``dataset``; ``subject`` (with the data set's prefix, empty where the
    set does not say who it is); ``sequence``; ``frame`` (int, 0 for single pictures);
    ``emotion`` (one of ``EMOTIONS``); ``split`` (one of ``SPLITS``). Optional: ``AU1`` …
    intensities in [0, 1] (NaN where the AU was not coded), and ``vote_<emotion>`` counts of crowd
    votes. Further columns hold numbers or text. On construction the table's index becomes 0 … N-1,
    its text columns dtype ``str`` and ``frame`` int64. Raises DataError for anything else.
    """

    name: str
    pixels: np.ndarray
    table: pd.DataFrame

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 3:
            raise self._fault(f"pixels must be uint8 (N, H, W), not {self.pixels.dtype} {self.pixels.shape}")
        if len(self.pixels) != len(self.table):
            raise self._fault(f"{len(self.pixels)} pictures but {len(self.table)} table rows")
        columns = list(self.table.columns)
        for column in columns:
            if not isinstance(column, str) or columns.count(column) > 1:
                raise self._fault(f"table column {column!r}; column names must be text, each once")
        missing = [c for c in REQUIRED_COLUMNS if c not in columns]
        if missing:
            raise self._fault(f"the table lacks the column(s) {', '.join(missing)}")
        object.__setattr__(self, "table", self._normalised())
        for column, allowed in (("emotion", EMOTIONS), ("split", SPLITS)):
            self._require(column, self.table[column].isin(allowed), f"one of {', '.join(allowed)}")
        for column in columns:
            if column in self.aus or column.startswith("vote_"):
                values = self.table[column]
                if not _holds_numbers(values):
                    raise self._fault(f"{column} has dtype {values.dtype}; expected numbers")
                if column in self.aus:
                    self._require(
                        column, values.isna() | values.between(0, 1), "an intensity in [0, 1] or NaN"
                    )
                else:
                    self._require(column, values.between(0, np.inf, inclusive="left"), "a count of votes")

    def _normalised(self) -> pd.DataFrame:
        """The table in its one form; ``assign`` and ``set_axis`` leave the caller's frame as it was."""
        table, new = self.table, {}
        for column in table.columns:
            values = table[column]
            if column == "frame":
                if not pd.api.types.is_integer_dtype(values) or values.hasnans:
                    raise self._fault(f"frame has dtype {values.dtype}; expected integers, none missing")
                if values.dtype != np.int64:
                    new[column] = values.astype(np.int64)
            elif column in TEXT_COLUMNS or not _holds_numbers(values):
                good = values.map(lambda value: isinstance(value, str)).astype(bool)
                if column not in TEXT_COLUMNS:
                    good |= values.isna()
                self._require(column, good, "text")
                if values.dtype != "str":
                    new[column] = values.astype("str")
        if new:
            table = table.assign(**new)
        if not (isinstance(table.index, pd.RangeIndex) and table.index.equals(pd.RangeIndex(len(table)))):
            table = table.set_axis(pd.RangeIndex(len(table)), axis="index")
        return table

    def _fault(self, what: str) -> DataError:
        return DataError(f"face set {self.name!r}: {what}")

    def _require(self, column: str, good: pd.Series, expected: str) -> None:
        wrong = np.flatnonzero(~good.to_numpy(bool, na_value=False))
        if len(wrong):
            value = self.table[column].iloc[wrong[0]]
            shown = "missing" if pd.isna(value) else repr(value)
            raise DataError(
                f"face set {self.name!r}, row {wrong[0]}: {column} is {shown}, which is not {expected}"
            )

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of every picture, in pixels."""
        return self.pixels.shape[1:]

    @property
    def classes(self) -> tuple[str, ...]:
        """The emotions that occur, in the order of ``EMOTIONS``."""
        present = set(self.table["emotion"])
        return tuple(e for e in EMOTIONS if e in present)

    @property
    def aus(self) -> tuple[str, ...]:
        """Names of the action-unit columns, in numeric order (``AU1``, ``AU2`` …)."""
        names = [c for c in self.table.columns if c.startswith("AU") and c[2:].isdigit()]
        return tuple(sorted(names, key=lambda c: int(c[2:])))

    def labels(self, classes: tuple[str, ...]) -> np.ndarray:
        """int64 (N,): the index of each picture's emotion in ``classes``.

        Raises DataError where a picture's emotion is not among ``classes``, or a class is named twice.
        """
        if len(set(classes)) < len(classes):
            raise self._fault(f"a class is named twice in {', '.join(classes)}")
        codes = pd.Index(classes, dtype="str").get_indexer(self.table["emotion"]).astype(np.int64)
        if (codes < 0).any():
            row = int(np.flatnonzero(codes < 0)[0])
            raise DataError(
                f"face set {self.name!r}, row {row}: emotion {self.table['emotion'].iloc[row]!r} "
                f"is not among the classes {', '.join(classes)}"
            )
        return codes

    def select(self, keep: np.ndarray) -> "FaceSet":
        """The pictures where the boolean mask ``keep`` (N,) is true, or at the indices ``keep`` (0 … N-1).

        Raises DataError for a mask of another length, for an index out of range (negative ones
        included: -1 is what searches return for "not found"), and for any other kind of array.
        """
        keep = np.asarray(keep)
        if keep.size == 0 and keep.dtype != bool:
            keep = keep.astype(np.int64)  # np.asarray([]) is float64
        if keep.ndim != 1 or keep.dtype.kind not in "biu":
            raise self._fault(
                f"select takes a mask or indices (one dimension), not {keep.dtype} of shape {keep.shape}"
            )
        if keep.dtype == bool:
            if len(keep) != len(self):
                raise self._fault(f"a mask of {len(keep)} values for {len(self)} pictures")
            keep = np.flatnonzero(keep)
        wrong = np.flatnonzero((keep < 0) | (keep >= len(self)))
        if len(wrong):
            raise self._fault(
                f"index {keep[wrong[0]]} is out of range for {len(self)} pictures (0 to {len(self) - 1})"
            )
        return FaceSet(self.name, self.pixels[keep], self.table.iloc[keep])

    def split(self, name: str) -> "FaceSet":
        """The pictures of one split: ``train``, ``valid`` or ``test``."""
        if name not in SPLITS:
            raise DataError(f"no split {name!r}; the splits are {', '.join(SPLITS)}")
        return self.select((self.table["split"] == name).to_numpy())

    @cached_property
    def checksum(self) -> str:
        """SHA-256 (hex) of the pixels and the table: equal sets have equal checksums.

        Computed from shapes, column names and values in a fixed byte order, so it is the same on
        every platform and whichever pandas dtype holds the same values.
        """
        digest = hashlib.sha256(f"{self.pixels.shape}".encode())
        digest.update(np.ascontiguousarray(self.pixels))
        for column in self.table.columns:
            for part in (json.dumps(column).encode(), *_canonical(self.table[column])):
                digest.update(len(part).to_bytes(8, "little") + part)
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Write ``pixels.npy``, ``table.parquet`` and ``faceset.json`` to ``folder``, which must not exist.

        The files are written beside it and moved in one step: a half-written folder never appears.
        Raises DataError where ``folder`` exists or cannot be written (a full disk, say).
        """
        if folder.exists() or folder.is_symlink():
            raise DataError(f"{folder}: exists already; a face set is never written over another")
        # Not tempfile.mkdtemp: its folder is private, and a group that shares a cache could not read it.
        partial = folder.parent / f".{folder.name}.{uuid.uuid4().hex}"
        try:
            partial.mkdir(parents=True)
            np.save(partial / "pixels.npy", self.pixels)
            self.table.to_parquet(partial / "table.parquet", index=False)
            about = {"name": self.name, "pictures": len(self), "checksum": self.checksum}
            (partial / "faceset.json").write_text(json.dumps(about, indent=2) + "\n")
            partial.rename(folder)
        except OSError as fault:
            raise DataError(
                f"{folder}: the face set could not be written ({fault}); make room or choose another folder"
            ) from fault
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    @classmethod
    def load(cls, folder: Path) -> "FaceSet":
        """Read what ``save`` wrote. Raises DataError where a file is absent, damaged or changed."""
        try:
            about = json.loads((folder / "faceset.json").read_text())
            name, checksum = about["name"], about["checksum"]
            # Mapped first: a damaged header that claims a huge shape is refused before memory is asked for.
            pixels = np.array(np.load(folder / "pixels.npy", mmap_mode="r", allow_pickle=False))
            faces = cls(name, pixels, pd.read_parquet(folder / "table.parquet"))
        except _DAMAGE as fault:
            raise DataError(f"{folder}: not a readable face set ({fault}); delete the folder") from fault
        if faces.checksum != checksum:
            raise DataError(
                f"{folder}: its content does not match the checksum in faceset.json; delete the folder"
            )
        return faces


_DAMAGE = (
    *(OSError, EOFError, ValueError, OverflowError, TypeError, KeyError, DataError),
    *(SyntaxError, tokenize.TokenError),  # numpy tokenizes the header of a npy file
    pa.ArrowException,
)
"""What the readers of json, npy and parquet raise for damaged files."""


def _holds_numbers(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_complex_dtype(values)


def _canonical(values: pd.Series) -> tuple[bytes, ...]:
    """Kind and bytes of one column: whole numbers as int64, others as float64, text as codes and a list."""
    if not _holds_numbers(values):
        codes, distinct = pd.factorize(values)
        return b"text", json.dumps(distinct.tolist()).encode(), codes.astype("<i4").tobytes()
    if not pd.api.types.is_float_dtype(values) and not values.hasnans:
        return b"integers", values.to_numpy().astype("<i8").tobytes()
    numbers = values.to_numpy("<f8", na_value=np.nan)
    # NaN has many bit patterns, and adding 0 makes -0 and 0, which are equal, the same bytes.
    return b"numbers", np.where(np.isnan(numbers), np.nan, numbers + 0.0).astype("<f8").tobytes()
