"""TFD, the Toronto Face Database (Susskind, Anderson & Hinton, 2010): aligned grey faces with five official
folds.

One MATLAB file is read: ``TFD_48x48.mat`` or ``TFD_96x96.mat``. Its arrays: ``images`` (N, S, S), 0 to 255;
``labs_ex`` (N, 1), the emotion 1 to 7, -1 where unlabelled; ``labs_id`` (N, 1), the person, -1 where unknown;
``folds`` (N, 5), 0 for unlabelled, 1 train, 2 validation, 3 test. Some 98,000 of the 102,000 pictures are
unlabelled; they are left out and counted.

The keys and the coding of the folds are those of pylearn2's loader (``pylearn2/datasets/tfd.py``). Unverified
without a copy: the numeric types, the sizes of the folds. TFD was gathered from other sets, CK+, JAFFE, MMI,
KDEF, POFA and NimStim among them: never learn from one and test on the other without saying so. By design the
validation pictures of one fold can be training or test pictures of another.
"""

import os
from functools import partial
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from face_sets.faceset import SIX, UNLABELLED, FaceSet
from face_sets.readers.pictures import require_inside
from face_sets.readers.sequences import FaceRow, Frame, Search, gather_rows
from ferbook.errors import DataError

# Emotions of ``labs_ex`` 1 to 7.
TFD_CODES = (*SIX, "neutral")

NO_LABEL = NOBODY = -1
# The meaning of the values 0 to 3 in ``folds``.
FOLD_SPLITS = (UNLABELLED, "train", "valid", "test")

TFD_FILES = {48: "TFD_48x48.mat", 96: "TFD_96x96.mat"}
_KEYS = ("images", "labs_ex", "labs_id", "folds")


def read_tfd(folder: Path, size: int) -> FaceSet:
    """Read the labelled pictures of TFD in ``folder``: pictures of ``size`` × ``size`` pixels, emotions,
    people, the five folds.

    Of the two files the one of 48 × 48 is read for a ``size`` up to 48, that of 96 × 96 above, or else the
    one that exists; the pictures, face crops already, are resampled to another ``size``. ``subject`` is
    ``tfd-<id>``, empty if unknown; ``sequence`` the picture's row in the file. ``fold1`` … ``fold5`` are
    ``train``, ``valid`` or ``test``, and ``split`` is ``fold1``. Raises DataError, naming file, key and row,
    for anything absent or out of range.
    """
    paths = [folder / TFD_FILES[side] for side in ((48, 96) if size <= 48 else (96, 48))]
    path = next(filter(os.path.lexists, paths), None)
    if path is None:
        raise DataError(f"{folder}: {' or '.join(TFD_FILES.values())} not found; put one of them there")
    images, labels, people, folds = _arrays(require_inside(path, folder))
    unlabelled = labels == NO_LABEL
    rules = (
        ("labs_ex", labels, np.isin(labels, (NO_LABEL, *range(1, 8))), "1 to 7, or -1 where unlabelled"),
        ("labs_id", people, (people >= NOBODY) & (people % 1 == 0), "the number of a person, or -1"),
        ("folds", folds, np.isin(folds, range(4)), "0 unlabelled, 1 train, 2 validation, 3 test"),
        ("folds", folds, (folds > 0) | unlabelled[:, None], "1, 2 or 3, since labs_ex gives it an emotion"),
    )
    for key, values, good, form in rules:
        if not good.all():
            at = tuple(np.argwhere(~good)[0])
            raise DataError(f"{path}: {key}, row {at[0]}: {values[at]:g}; expected {form}")
    if unlabelled.all():
        raise DataError(f"{path}: labs_ex is -1 throughout; no picture has an emotion")
    if images.dtype != np.uint8 and images.max(initial=0) <= 1:
        raise DataError(f"{path}: images: grey levels from 0 to 1; expected 0 to 255")
    rows = []
    for k in np.flatnonzero(~unlabelled).tolist():
        splits = [FOLD_SPLITS[int(fold)] for fold in folds[k]]
        labels_of = {"frame": 0, "emotion": TFD_CODES[int(labels[k]) - 1], "split": splits[0]}
        labels_of |= {f"fold{number}": split for number, split in enumerate(splits, start=1)}
        frame = Frame(str(path), partial(_picture, path, images, k))
        person = "" if people[k] == NOBODY else f"tfd-{people[k]:.0f}"
        rows.append(FaceRow(frame, person, f"{k:06d}", labels_of, cropped=True))
    left_out = {"pictures without an emotion": int(unlabelled.sum())}
    return gather_rows("tfd", rows, size, Search(clips=False), left_out)


def _arrays(path: Path) -> list[np.ndarray]:
    """Return ``images`` (N, S, S), ``labs_ex`` and ``labs_id`` (N,), ``folds`` (N, 5), as in the file."""
    try:
        content = loadmat(path, variable_names=_KEYS)
    except NotImplementedError as fault:
        raise DataError(
            f"{path}: a MATLAB 7.3 file; the official one is of version 5. Save it again with -v7"
        ) from fault
    except Exception as fault:  # whatever a damaged file leads scipy to
        raise DataError(f"{path}: not a readable MATLAB file ({fault})") from fault
    if missing := [key for key in _KEYS if key not in content]:
        raise DataError(f"{path}: no array {missing[0]!r}; expected {', '.join(_KEYS)}")
    images, labels, people, folds = (np.asarray(content[key]) for key in _KEYS)
    count, side = len(images), images.shape[-1]
    fits = {
        "images": count and images.shape == (count, side, side),
        "labs_ex": labels.size == count,
        "labs_id": people.size == count,
        "folds": folds.shape == (count, 5),
    }
    for key, values in zip(_KEYS, (images, labels, people, folds), strict=True):
        if not fits[key] or values.dtype.kind not in "uif":
            raise DataError(
                f"{path}: {key} is {values.dtype} {values.shape}; expected numbers: images (N, 48, 48) or "
                "(N, 96, 96), labs_ex and labs_id (N, 1), folds (N, 5)"
            )
    return [images, labels.ravel().astype(float), people.ravel().astype(float), folds]


def _picture(path: Path, images: np.ndarray, row: int) -> np.ndarray:
    picture = np.rint(images[row].astype(float))
    if not (np.isfinite(picture).all() and picture.min() >= 0 and picture.max() <= 255):
        raise DataError(f"{path}: images, row {row}: a pixel outside 0 to 255")
    return picture.astype(np.uint8, order="C")
