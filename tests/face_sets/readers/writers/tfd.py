"""Writes what ``face_sets.readers.tfd`` reads."""

import re
from pathlib import Path

import numpy as np
from scipy.io import savemat

from face_sets.faceset import UNLABELLED, FaceSet
from face_sets.readers.pictures import gather_pictures, whole
from face_sets.readers.tfd import FOLD_SPLITS, NO_LABEL, NOBODY, TFD_CODES, TFD_FILES
from tests.face_sets.readers.writers.sequences import official_ids

_ID = re.compile(r"0|[1-9]\d{0,8}")


def write_tfd(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as ``TFD_48x48.mat``, or as ``TFD_96x96.mat`` if larger than 48
    pixels.

    Pictures of another size are resampled. The folds are ``fold1`` … ``fold5`` where the table has them,
    otherwise ``split`` five times. Numbers of people are kept where all names have the form ``tfd-<number>``;
    otherwise the k-th of the sorted names, from 1, becomes k. A picture without a subject is nobody's, one
    without an emotion unlabelled. Sequences, frames and action units are lost.
    """
    side = 48 if max(faces.size) <= 48 else 96
    pixels, _ = gather_pictures(len(faces), side, lambda row: whole(faces.gather(np.array([row]))[0], side))
    table = faces.table
    ids = official_ids((who for who in table["subject"] if who), "tfd-", _ID, str)
    labelled = (table["emotion"] != UNLABELLED).to_numpy()
    columns = [table.get(f"fold{k}", table["split"]).tolist() for k in range(1, 6)]
    folds = np.array([[FOLD_SPLITS.index(split) for split in column] for column in columns]).T
    arrays = {
        "images": pixels,
        "labs_ex": [[TFD_CODES.index(e) + 1 if e else NO_LABEL] for e in table["emotion"]],
        "labs_id": [[int(ids[who]) if who else NOBODY] for who in table["subject"]],
        "folds": np.where(labelled[:, None], folds, 0).astype(np.uint8),
    }
    savemat(folder / TFD_FILES[side], arrays, do_compression=True)
