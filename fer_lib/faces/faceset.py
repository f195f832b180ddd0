"""FaceSet: pictures of faces with one table row each."""

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

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

REQUIRED_COLUMNS = ("dataset", "subject", "sequence", "frame", "emotion", "split")


@dataclass(frozen=True)
class FaceSet:
    """``pixels`` uint8 (N, H, W) and ``table``, a data frame of N rows in the same order.

    Columns of ``table``: ``dataset``; ``subject`` (with the data set's prefix, empty where the
    set does not say who it is); ``sequence``; ``frame`` (int, 0 for single pictures);
    ``emotion`` (one of ``EMOTIONS``); ``split`` (one of ``SPLITS``). Optional: ``AU1`` …
    intensities in [0, 1], and ``vote_<emotion>`` counts of crowd votes.
    """

    name: str
    pixels: np.ndarray
    table: pd.DataFrame

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 3:
            raise DataError(
                f"face set {self.name!r}: pixels must be uint8 (N, H, W), "
                f"not {self.pixels.dtype} {self.pixels.shape}"
            )
        if len(self.pixels) != len(self.table):
            raise DataError(
                f"face set {self.name!r}: {len(self.pixels)} pictures but {len(self.table)} table rows"
            )
        missing = [c for c in REQUIRED_COLUMNS if c not in self.table.columns]
        if missing:
            raise DataError(f"face set {self.name!r}: the table lacks the column(s) {', '.join(missing)}")
        for column, allowed in (("emotion", EMOTIONS), ("split", SPLITS)):
            wrong = np.flatnonzero(~self.table[column].isin(allowed).to_numpy())
            if len(wrong):
                value = self.table[column].iloc[wrong[0]]
                raise DataError(
                    f"face set {self.name!r}, row {wrong[0]}: {column} {value!r} is not one of {', '.join(allowed)}"
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

        Raises DataError where a picture's emotion is not among ``classes``.
        """
        codes = pd.Categorical(self.table["emotion"], categories=list(classes)).codes.astype(np.int64)
        if (codes < 0).any():
            row = int(np.flatnonzero(codes < 0)[0])
            raise DataError(
                f"face set {self.name!r}, row {row}: emotion {self.table['emotion'].iloc[row]!r} "
                f"is not among the classes {', '.join(classes)}"
            )
        return codes

    def select(self, keep: np.ndarray) -> "FaceSet":
        """The pictures where the boolean mask ``keep`` (N,) is true, or at the indices ``keep``."""
        keep = np.asarray(keep)
        if keep.dtype == bool:
            keep = np.flatnonzero(keep)
        return FaceSet(self.name, self.pixels[keep], self.table.iloc[keep].reset_index(drop=True))

    def split(self, name: str) -> "FaceSet":
        """The pictures of one split: ``train``, ``valid`` or ``test``."""
        if name not in SPLITS:
            raise DataError(f"no split {name!r}; the splits are {', '.join(SPLITS)}")
        return self.select((self.table["split"] == name).to_numpy())

    @cached_property
    def checksum(self) -> str:
        """SHA-256 (hex) of the pixels and the table: equal sets have equal checksums."""
        digest = hashlib.sha256(f"{self.pixels.shape}".encode())
        digest.update(np.ascontiguousarray(self.pixels))
        digest.update(self.table.to_csv(index=False).encode())
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Write ``pixels.npy``, ``table.parquet`` and ``faceset.json`` to ``folder``, which must not exist.

        The files are written beside it and moved in one step: a half-written folder never appears.
        """
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            np.save(partial / "pixels.npy", self.pixels)
            self.table.to_parquet(partial / "table.parquet", index=False)
            about = {"name": self.name, "pictures": len(self), "checksum": self.checksum}
            (partial / "faceset.json").write_text(json.dumps(about, indent=2) + "\n")
            partial.rename(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise

    @classmethod
    def load(cls, folder: Path) -> "FaceSet":
        """Read what ``save`` wrote. Raises DataError where a file is absent, damaged or changed."""
        try:
            about = json.loads((folder / "faceset.json").read_text())
            pixels = np.load(folder / "pixels.npy", allow_pickle=False)
            table = pd.read_parquet(folder / "table.parquet")
            faces = cls(about["name"], pixels, table)
        except (OSError, ValueError, KeyError) as fault:
            raise DataError(f"{folder}: not a readable face set ({fault})") from fault
        if faces.checksum != about["checksum"]:
            raise DataError(f"{folder}: its content does not match the checksum in faceset.json")
        return faces
