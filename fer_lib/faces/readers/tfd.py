"""TFD, the Toronto Face Database (Susskind, Anderson & Hinton, 2010): aligned grey faces with five official
folds.

One MATLAB file is read: ``TFD_48x48.mat`` or ``TFD_96x96.mat`` (an edition as ``TFD_ranzato_48x48.mat`` has
the same content). Its arrays: ``images`` (N, S, S), 0 to 255; ``labs_ex`` (N, 1), the emotion 1 to 7, -1
where unlabelled; ``labs_id`` (N, 1), the person, -1 where unknown; ``folds`` (N, 5), 0 for unlabelled, 1
train, 2 validation, 3 test. Some 98,000 of the 102,000 pictures are unlabelled; they are left out and
counted.

The keys and the coding of the folds are those of pylearn2's loader (``pylearn2/datasets/tfd.py``). Unverified
without a copy: the numeric types, the sizes of the folds. TFD was gathered from other sets, CK+, JAFFE, MMI,
KDEF, POFA and NimStim among them: never learn from one and test on the other without saying so. By design the
validation pictures of one fold can be training or test pictures of another.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.io import loadmat

from fer_lib.faces.faceset import SIX, UNLABELLED, FaceSet
from fer_lib.faces.readers.pictures import gather_pictures, require_inside, whole
from ferbook.errors import DataError

TFD_CODES = (*SIX, "neutral")
"""Emotions of ``labs_ex`` 1 to 7."""

NO_LABEL = NOBODY = -1
_FOLD_SPLITS = (UNLABELLED, "train", "valid", "test")
"""What the values 0 to 3 in ``folds`` mean."""

_FOLDS = 5
_FILES = {48: ("TFD_48x48.mat", "TFD_ranzato_48x48.mat"), 96: ("TFD_96x96.mat",)}
_KEYS = ("images", "labs_ex", "labs_id", "folds")

PUBLISHED = {"pictures": 4_178}
"""Labelled pictures, as the loaders of several groups count them (the report is not at hand)."""

_UNLABELLED = "pictures without an emotion"


def read_tfd(folder: Path, size: int) -> FaceSet:
    """The labelled pictures of TFD in ``folder``: pixels (N, ``size``, ``size``), emotions, people, the five
    folds.

    Of the two files the one of 48 × 48 is read for a ``size`` up to 48, that of 96 × 96 above, or else the
    one that is there; the pictures, face crops already, are resampled where ``size`` is another. ``subject``
    is ``tfd-<id>``, empty where unknown; ``sequence`` the picture's row in the file. ``fold1`` … ``fold5``
    hold ``train``, ``valid`` or ``test``, and ``split`` is ``fold1``. Raises DataError, naming file, key and
    row, for anything absent or out of range.
    """
    path = _file(folder, size)
    arrays = _load(path)
    images, labels, people = arrays["images"], arrays["labs_ex"], arrays["labs_id"]
    valid = np.isin(labels, (NO_LABEL, *range(1, len(TFD_CODES) + 1)))
    _require(path, "labs_ex", labels, valid, "{}; expected 1 to 7, or -1 where unlabelled")
    rows = np.flatnonzero(labels != NO_LABEL)
    if not len(rows):
        raise DataError(f"{path}: labs_ex is -1 throughout; no picture has an emotion")
    folds = arrays["folds"]
    valid = np.isin(folds, range(len(_FOLD_SPLITS)))
    _require(path, "folds", folds, valid, "{}; expected 0 unlabelled, 1 train, 2 validation, 3 test")
    consistent = (folds != 0) | (labels == NO_LABEL)[:, None]
    _require(
        path,
        "folds",
        folds,
        consistent,
        "{} (unlabelled), but labs_ex gives it an emotion; expected 1, 2 or 3",
    )
    _require(path, "labs_id", people, people >= NOBODY, "{}; expected the number of a person, or -1")
    if images.dtype != np.uint8 and images.max(initial=0) <= 1:
        raise DataError(f"{path}: images: grey levels from 0 to 1; expected 0 to 255")
    pixels, _ = gather_pictures(
        len(rows), size, lambda row: whole(_picture(path, images, int(rows[row])), size)
    )
    splits = np.array(_FOLD_SPLITS, dtype=object)[folds[rows]]
    table = pd.DataFrame(
        {
            "dataset": "tfd",
            "subject": ["" if who == NOBODY else f"tfd-{who}" for who in people[rows].tolist()],
            "sequence": [f"{row:06d}" for row in rows.tolist()],
            "frame": 0,
            "emotion": np.array(TFD_CODES, dtype=object)[labels[rows] - 1],
            "split": splits[:, 0],
            **{f"fold{k + 1}": splits[:, k] for k in range(_FOLDS)},
        }
    )
    unlabelled = len(labels) - len(rows)
    return FaceSet("tfd", pixels, table, left_out={_UNLABELLED: unlabelled} if unlabelled else {})


def _file(folder: Path, size: int) -> Path:
    for side in (48, 96) if size <= 48 else (96, 48):
        for name in _FILES[side]:
            path = folder / name
            if path.exists() or path.is_symlink():
                return require_inside(path, folder)
    raise DataError(f"{folder / _FILES[48][0]}: not found, nor {_FILES[96][0]}; put one of them there")


def _load(path: Path) -> dict[str, np.ndarray]:
    """``images`` (N, S, S) as the file has them; ``labs_ex`` and ``labs_id`` int64 (N,), ``folds`` int64 (N,
    5).
    """
    try:
        content = loadmat(path, variable_names=_KEYS)
    except NotImplementedError as fault:
        raise DataError(
            f"{path}: a MATLAB 7.3 file; the official one is of version 5. Save it again with -v7"
        ) from fault
    except Exception as fault:  # whatever a damaged file leads scipy to
        raise DataError(f"{path}: not a readable MATLAB file ({fault})") from fault
    missing = [key for key in _KEYS if key not in content]
    if missing:
        raise DataError(f"{path}: no array {missing[0]!r}; expected {', '.join(_KEYS)}")
    images = np.asarray(content["images"])
    if (
        images.ndim != 3
        or images.shape[1] != images.shape[2]
        or not len(images)
        or images.dtype.kind not in "uif"
    ):
        raise DataError(
            f"{path}: images is {images.dtype} {images.shape}; expected numbers (N, 48, 48) or (N, 96, 96)"
        )
    arrays = {"images": images}
    shapes = {"labs_ex": (len(images),), "labs_id": (len(images),), "folds": (len(images), _FOLDS)}
    for key, shape in shapes.items():
        values = np.asarray(content[key])
        fits = values.shape == shape if key == "folds" else values.size == len(images)
        if not fits or values.dtype.kind not in "uif":
            raise DataError(
                f"{path}: {key} is {values.dtype} {values.shape}; expected numbers {shape}, one row for each "
                "picture"
            )
        _require(path, key, values, np.isfinite(values) & (values == np.rint(values)), "not a whole number")
        arrays[key] = values.astype(np.int64).reshape(shape)
    return arrays


def _require(path: Path, key: str, values: np.ndarray, good: np.ndarray, fault: str) -> None:
    """Raise DataError with the first row of ``values`` that is not ``good``; ``fault`` may show its value."""
    if not good.all():
        at = tuple(np.argwhere(~good)[0])
        raise DataError(f"{path}: {key}, row {at[0]}: {fault.format(values[at])}")


def _picture(path: Path, images: np.ndarray, row: int) -> np.ndarray:
    picture = images[row]
    if picture.dtype != np.uint8:
        rounded = np.rint(picture.astype(float))
        if not (np.isfinite(rounded).all() and rounded.min() >= 0 and rounded.max() <= 255):
            raise DataError(f"{path}: images, row {row}: a pixel outside 0 to 255")
        picture = rounded.astype(np.uint8)
    return np.ascontiguousarray(picture)
