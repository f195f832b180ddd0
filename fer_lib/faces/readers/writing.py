"""What the writers of official layouts share: identifiers in a layout's own form, and labels it can hold."""

import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fer_lib.errors import DataError
from fer_lib.faces.faceset import UNLABELLED, FaceSet


def layout_ids(
    names: Iterable[str], own: str, numbered: Callable[[int], str], prefix: str = ""
) -> dict[str, str]:
    """name -> identifier in a layout's form, for subjects, sequences or clips.

    If every distinct name, less ``prefix``, matches the regular expression ``own``, the names are kept as they
    are (less ``prefix``). Otherwise the k-th of the sorted names, counted from 0, becomes ``numbered(k)``:
    whoever has the set that was written knows by its sorted names who is who. Raises DataError for an
    empty name, since a layout with identifiers cannot hold who is unknown.
    """
    distinct = sorted(set(names))
    if "" in distinct:
        raise DataError(
            "a subject or sequence without a name; this layout files pictures by subject and sequence"
        )
    kept = [name.removeprefix(prefix) for name in distinct]
    if all(re.fullmatch(own, name) for name in kept):
        return dict(zip(distinct, kept, strict=True))
    return {name: numbered(k) for k, name in enumerate(distinct)}


def require_labels(faces: FaceSet, allowed: Collection[str], layout: str, unlabelled: bool = False) -> None:
    """Raise DataError, naming the row, unless every emotion is among ``allowed`` (or empty, with ``unlabelled``)."""
    emotion = faces.table["emotion"]
    wrong = np.flatnonzero(~emotion.isin([*allowed, UNLABELLED] if unlabelled else [*allowed]))
    if len(wrong):
        raise DataError(
            f"face set {faces.name!r}, row {wrong[0]}: the layout of {layout} has no label for "
            f"{emotion[wrong[0]] or 'an unlabelled picture'!r}; select the pictures of {', '.join(allowed)} first"
        )


def write_picture(path: Path, picture: np.ndarray, **options: object) -> None:
    """Write uint8 (H, W) to ``path``, in the format of its ending; folders are made, ``options`` go to Pillow."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, **options)


def sequences_of(table: pd.DataFrame) -> dict[tuple[str, str], np.ndarray]:
    """(subject, sequence) -> its row numbers in the order of their frames, sorted by key.

    Raises DataError where a sequence has two pictures of one frame.
    """
    rows = {}
    for key, part in table.groupby(["subject", "sequence"], sort=True):
        ordered = part.sort_values("frame", kind="stable")
        if ordered["frame"].duplicated().any():
            frame = ordered["frame"][ordered["frame"].duplicated()].iloc[0]
            raise DataError(
                f"subject {key[0]!r}, sequence {key[1]!r}: two pictures of frame {frame}; expected one"
            )
        rows[key] = ordered.index.to_numpy()
    return rows
