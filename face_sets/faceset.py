"""FaceSet: pictures of faces with one table row each."""

import hashlib
import json
import re
import tokenize
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ferbook.errors import DataError
from ferbook.files import whole_folder
from synthetic_faces.expressions import EMOTIONS as EMOTIONS
from synthetic_faces.expressions import LABELS

# The basic emotions: without neutral and contempt.
SIX = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")

# ``emotion`` of a picture that comes with action units but without an emotion.
UNLABELLED = ""

SPLITS = ("train", "valid", "test")
# Points of a face in the order of the iBUG annotation, the subject's right jaw first.
LANDMARKS = 68

# Arrays of more bytes are not read into memory but mapped from their file.
MAPPED_ABOVE = 1 << 30

REQUIRED_COLUMNS = ("dataset", "subject", "sequence", "frame", "emotion", "split")
_AU = re.compile(r"AU(\d+)")
_INTENSITY = re.compile(r"AU\d+(_left|_right)?")


class FaceSet:
    """Pictures of faces with one table row each.

    Selections copy no pixels before ``pixels`` is read. A set never changes after it was made.

    Parameters
    ----------
    name
        What messages call the set.
    pixels
        uint8 (N, H, W), grey.
    table
        N rows in the same order. Required columns: ``dataset``; ``subject``, with the data set's prefix,
        empty where unknown; ``sequence``; ``frame`` (int, 0 for single pictures); ``emotion``, one of
        ``LABELS`` or empty; ``split``, one of ``SPLITS``. Optional: ``AU1`` …, the intensity from 0 to 1 of
        the stronger half of the face, NaN where not coded; ``AU1_left`` and ``AU1_right`` …;
        ``vote_<emotion>``, counts of crowd votes. Further columns hold numbers or text. The index becomes 0 …
        N-1, text columns get the dtype ``str`` and ``frame`` int64.
    masks
        uint32 (N, H, W): bit i says that a pixel lies in the region that ``mask_aus[i]`` moves.
    mask_aus
        The action unit of each bit of ``masks``, at most 32.
    landmarks
        float32 (N, 68, 2): x and y in pixels from the upper left corner, NaN where unknown.
    left_out
        What a reader left out: reason -> count.

    Raises
    ------
    DataError
        An array or a column that does not fit; names row, column and value.
    """

    def __init__(
        self,
        name: str,
        pixels: np.ndarray,
        table: pd.DataFrame,
        *,
        masks: np.ndarray | None = None,
        mask_aus: Sequence[str] = (),
        landmarks: np.ndarray | None = None,
        left_out: Mapping[str, int] | None = None,
    ) -> None:
        self.name = name
        self.mask_aus = tuple(mask_aus)
        self.left_out = {reason: int(count) for reason, count in (left_out or {}).items()}
        arrays = {"pixels": pixels, "masks": masks, "landmarks": landmarks}
        self._arrays = {kind: values for kind, values in arrays.items() if values is not None}
        self._check_arrays(table)
        self._rows = np.arange(len(pixels))
        self.table = self._normalised(table)

    def _check_arrays(self, table: pd.DataFrame) -> None:
        pixels = self._arrays["pixels"]
        if pixels.dtype != np.uint8 or len(pixels.shape) != 3:
            raise self._fault(f"pixels must be uint8 (N, H, W), not {pixels.dtype} {pixels.shape}")
        if len(pixels) != len(table):
            raise self._fault(f"{len(pixels)} pictures but {len(table)} table rows")
        formats = {"masks": (np.uint32, pixels.shape), "landmarks": (np.float32, (len(pixels), LANDMARKS, 2))}
        for kind, (dtype, shape) in formats.items():
            own = self._arrays.get(kind)
            if own is not None and (own.dtype != dtype or own.shape != shape):
                raise self._fault(f"{kind} must be {np.dtype(dtype)} {shape}, not {own.dtype} {own.shape}")
        names = self.mask_aus
        if ("masks" in self._arrays) != bool(names) or len(names) > 32 or len(set(names)) < len(names):
            raise self._fault(
                f"mask_aus must name the AU of each bit of masks, at most 32, each once; not {names}"
            )

    def _normalised(self, table: pd.DataFrame) -> pd.DataFrame:
        """Check ``table`` and return it in its one form; the caller's frame does not change."""
        columns = list(table.columns)
        for column in columns:
            if not isinstance(column, str) or columns.count(column) > 1:
                raise self._fault(f"table column {column!r}; column names must be text, each once")
        missing = [column for column in REQUIRED_COLUMNS if column not in columns]
        if missing:
            raise self._fault(f"the table lacks the column(s) {', '.join(missing)}")
        new = {}
        for column, values in table.items():
            if column == "frame":
                if not pd.api.types.is_integer_dtype(values) or values.hasnans:
                    raise self._fault(f"frame has dtype {values.dtype}; expected integers, none missing")
                new[column] = values.astype(np.int64)
            elif _INTENSITY.fullmatch(column) or column.startswith("vote_"):
                if not _holds_numbers(values):
                    raise self._fault(f"{column} has dtype {values.dtype}; expected numbers")
                if column.startswith("vote_"):
                    self._require(values, values.between(0, np.inf, inclusive="left"), "a count of votes")
                else:
                    intensity = values.isna() | values.between(0, 1)
                    self._require(values, intensity, "an intensity in [0, 1] or NaN")
            elif column in REQUIRED_COLUMNS or not _holds_numbers(values):
                text = values.map(lambda value: isinstance(value, str)).astype(bool)
                self._require(values, text if column in REQUIRED_COLUMNS else text | values.isna(), "text")
                new[column] = values.astype("str")
        for column, choices in (("emotion", (*LABELS, UNLABELLED)), ("split", SPLITS)):
            self._require(
                new[column], new[column].isin(choices), f"one of {', '.join(filter(None, choices))}"
            )
        return table.assign(**new).set_axis(pd.RangeIndex(len(table)), axis="index")

    def _fault(self, what: str) -> DataError:
        return DataError(f"face set {self.name!r}: {what}")

    def _require(self, values: pd.Series, good: pd.Series, rule: str) -> None:
        wrong = np.flatnonzero(~good.to_numpy(bool, na_value=False))
        if len(wrong):
            value = values.iloc[wrong[0]]
            plain = value.item() if isinstance(value, np.generic) else value
            text = "missing" if pd.isna(value) else repr(plain)
            raise DataError(
                f"face set {self.name!r}, row {wrong[0]}: {values.name} is {text}, which is not {rule}"
            )

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def pixels(self) -> np.ndarray:
        """uint8 (N, H, W): all pictures. Of a selection they are copied here, once; see also ``gather``."""
        return self._gathered("pixels")

    @cached_property
    def masks(self) -> np.ndarray | None:
        """uint32 (N, H, W), bit i for ``mask_aus[i]``; None where the set has no masks."""
        return self._gathered("masks") if "masks" in self._arrays else None

    @cached_property
    def landmarks(self) -> np.ndarray | None:
        """float32 (N, 68, 2): x and y in pixels; None where the set has no landmarks."""
        return self._gathered("landmarks") if "landmarks" in self._arrays else None

    def _gathered(self, kind: str, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Return the array ``kind`` at ``rows`` of this set: a view if they are consecutive in memory."""
        places, whole = self._rows[rows], self._arrays[kind]
        beside = len(places) and (np.diff(places) == 1).all()
        return whole[places[0] : places[-1] + 1] if beside else whole[places]

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Load the pictures at the indices ``rows`` (0 … N-1), uint8 (len(rows), H, W), and no others."""
        return self._gathered("pixels", self._indices(rows))

    def mask(self, au: str) -> np.ndarray:
        """Return the region that ``au`` moves, bool (N, H, W). Raises DataError where the set has none."""
        if au not in self.mask_aus:
            names = ", ".join(self.mask_aus) or "none"
            raise self._fault(f"no mask of {au!r}; the masks are {names}")
        return (self.masks >> np.uint32(self.mask_aus.index(au)) & 1).astype(bool)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of every picture, in pixels."""
        return self._arrays["pixels"].shape[1:]

    @property
    def classes(self) -> tuple[str, ...]:
        """The emotions that occur, in the order of ``LABELS``."""
        present = set(self.table["emotion"])
        return tuple(e for e in LABELS if e in present)

    @property
    def aus(self) -> tuple[str, ...]:
        """Names of the action-unit columns, in numeric order (``AU1``, ``AU2`` …)."""
        names = [c for c in self.table.columns if _AU.fullmatch(c)]
        return tuple(sorted(names, key=lambda c: int(c[2:])))

    def labels(self, classes: tuple[str, ...]) -> np.ndarray:
        """Number the emotions.

        Parameters
        ----------
        classes
            Emotions in the order of their numbers.

        Returns
        -------
        np.ndarray
            int64 (N,): the index of each picture's emotion in ``classes``.

        Raises
        ------
        DataError
            A picture's emotion is not among ``classes``, or a class is named twice.
        """
        if len(set(classes)) < len(classes):
            raise self._fault(f"a class is named twice in {', '.join(classes)}")
        codes = pd.Index(classes, dtype="str").get_indexer(self.table["emotion"]).astype(np.int64)
        if (codes < 0).any():
            row = int(np.flatnonzero(codes < 0)[0])
            emotion = self.table["emotion"].iloc[row]
            what = f"emotion {emotion!r}" if emotion else "it has no emotion (see labelled()), and nothing"
            raise DataError(
                f"face set {self.name!r}, row {row}: {what} is not among the classes {', '.join(classes)}"
            )
        return codes

    def select(self, keep: np.ndarray) -> "FaceSet":
        """Select pictures, without copying pixels.

        Parameters
        ----------
        keep
            Boolean mask (N,), or indices from 0 to N-1 in any order.

        Raises
        ------
        DataError
            As ``chosen_rows``.
        """
        keep = self._indices(keep)
        return self._part(self._rows[keep], self.table.iloc[keep].reset_index(drop=True))

    def _part(self, rows: np.ndarray, table: pd.DataFrame) -> "FaceSet":
        """Return the set of ``rows`` of the same arrays, which were checked when it was made."""
        part = object.__new__(FaceSet)
        part.name, part.mask_aus, part.left_out = self.name, self.mask_aus, self.left_out
        part._arrays, part._rows, part.table = self._arrays, rows, table
        return part

    def assign(self, **columns: object) -> "FaceSet":
        """Add or replace ``columns`` of the table, as pandas does; no pixels are copied.

        Raises DataError for values that do not fit, as the constructor does.
        """
        return self._part(self._rows, self._normalised(self.table.assign(**columns)))

    def _indices(self, keep: np.ndarray) -> np.ndarray:
        return chosen_rows(keep, len(self), f"face set {self.name!r}")

    def labelled(self) -> "FaceSet":
        """Select the pictures that have an emotion. Raises DataError where none has."""
        mask = (self.table["emotion"] != UNLABELLED).to_numpy()
        if not mask.any():
            raise self._fault(
                f"none of its {len(self):,} pictures carries an emotion; choose a set that has emotions"
            )
        return self if mask.all() else self.select(mask)

    def split(self, name: str) -> "FaceSet":
        """Select the pictures of the split ``name``: ``train``, ``valid`` or ``test``."""
        if name not in SPLITS:
            raise DataError(f"no split {name!r}; the splits are {', '.join(SPLITS)}")
        return self.select((self.table["split"] == name).to_numpy())

    @staticmethod
    def concat(name: str, sets: "Sequence[FaceSet]") -> "FaceSet":
        """Join the pictures of all ``sets`` into the set ``name``.

        A column that a set lacks is NaN in its rows. Landmarks and masks remain where all sets have them,
        masks of the same AUs.

        Raises
        ------
        DataError
            No set, different sizes, or votes in only some sets.
        """
        if not sets or len({faces.size for faces in sets}) > 1:
            sizes = ", ".join(f"{f.name} {f.size[0]} × {f.size[1]}" for f in sets) or "none"
            raise DataError(f"face sets to join must have pictures of one size; given: {sizes}")
        kinds = [k for k in sets[0]._arrays if all(k in faces._arrays for faces in sets)]
        if "masks" in kinds and len({faces.mask_aus for faces in sets}) > 1:
            kinds.remove("masks")
        left_out = Counter()
        # Parts of one set have the same counts: what its reader left out counts once.
        for _, exclusions in {(faces.name, tuple(faces.left_out.items())) for faces in sets}:
            left_out.update(dict(exclusions))
        return FaceSet(
            name,
            table=pd.concat([faces.table for faces in sets], ignore_index=True),
            mask_aus=sets[0].mask_aus if "masks" in kinds else (),
            left_out=left_out,
            **{kind: np.concatenate([faces._gathered(kind) for faces in sets]) for kind in kinds},
        )

    @cached_property
    def checksum(self) -> str:
        """SHA-256 (hex) of arrays and table: equal sets have equal checksums.

        Computed from shapes, column names and values in a fixed byte order, so it is the same on
        every platform and whichever pandas dtype holds the same values.
        """
        digest = hashlib.sha256(json.dumps([self.mask_aus, self.left_out], sort_keys=True).encode())
        for kind in self._arrays:
            values = _little_endian(self._gathered(kind))
            content = hashlib.sha256(f"{values.shape}".encode())
            content.update(values)
            digest.update(kind.encode() + content.digest())
        for column in self.table.columns:
            for part in (json.dumps(column).encode(), *_canonical(self.table[column])):
                digest.update(len(part).to_bytes(8, "little") + part)
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Write arrays (``pixels.npy`` …), ``table.parquet`` and ``faceset.json`` to the new ``folder``.

        The folder appears in one step: a half-written one is never seen. Raises DataError where it exists or
        cannot be written.
        """
        if folder.exists() or folder.is_symlink():
            raise DataError(f"{folder}: exists already; a face set is never written over another")
        try:
            with whole_folder(folder) as partial:
                for kind in self._arrays:
                    np.save(partial / f"{kind}.npy", _little_endian(self._gathered(kind)))
                self.table.to_parquet(partial / "table.parquet", index=False)
                about = {"name": self.name, "pictures": len(self), "arrays": list(self._arrays)}
                about |= {"mask_aus": self.mask_aus, "left_out": self.left_out, "checksum": self.checksum}
                (partial / "faceset.json").write_text(json.dumps(about, indent=2) + "\n")
        except OSError as fault:
            raise DataError(
                f"{folder}: the face set could not be written ({fault}); free disk space or choose another "
                "folder"
            ) from fault

    @classmethod
    def load(cls, folder: Path) -> "FaceSet":
        """Read what ``save`` wrote. An array above 1 GiB remains on the disk and is mapped.

        Raises DataError where a file is absent, damaged or changed.
        """
        try:
            about = json.loads((folder / "faceset.json").read_text())
            checksum = about["checksum"]
            faces = cls(
                about["name"],
                table=pd.read_parquet(folder / "table.parquet"),
                mask_aus=about["mask_aus"],
                left_out=about["left_out"],
                **{kind: _read_array(folder / f"{kind}.npy") for kind in about["arrays"]},
            )
        except _DAMAGE as fault:
            raise DataError(f"{folder}: not a readable face set ({fault}); delete the folder") from fault
        if faces.checksum != checksum:
            raise DataError(
                f"{folder}: its content does not match the checksum in faceset.json; delete the folder"
            )
        return faces


def _little_endian(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, values.dtype.newbyteorder("<"))


def _read_array(file: Path) -> np.ndarray:
    # Mapped first: a damaged header with a huge shape is rejected before memory is allocated.
    array = np.load(file, mmap_mode="r", allow_pickle=False)
    return array if array.nbytes > MAPPED_ABOVE else np.array(array)


# Errors of the readers of json, npy and parquet for damaged files.
_DAMAGE = (
    *(OSError, EOFError, ValueError, OverflowError, TypeError, KeyError, AttributeError, DataError),
    *(SyntaxError, tokenize.TokenError),  # numpy tokenizes the header of a npy file
    pa.ArrowException,
)


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


def chosen_rows(keep: np.ndarray, count: int, of: str) -> np.ndarray:
    """Turn a boolean mask or indices into indices.

    Parameters
    ----------
    keep
        Boolean mask (``count``,), or indices from 0 to ``count`` - 1.
    count
        How many rows there are.
    of
        What the rows belong to, for messages.

    Returns
    -------
    np.ndarray
        int64 indices.

    Raises
    ------
    DataError
        A mask of another length, another kind of array, or an index out of range; negative ones included,
        since -1 is what searches return for "not found".
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


def named_alone(names: pd.Series) -> np.ndarray:
    """Return ``names``, (N,) text, with a unique name for each picture whose name is empty."""
    alone = "picture " + names.index.to_series().astype(str)
    return names.where(names.ne(""), alone).to_numpy(dtype=object).astype(str)
