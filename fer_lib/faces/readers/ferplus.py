"""FER+ (Barsoum et al., 2016): the pictures of FER2013 under the labels of ten crowd voters.

Two layouts are read. ``fer2013.csv`` with ``fer2013new.csv`` beside it, row i of one belonging to row i of
the other; and what Microsoft's ``generate_training_data.py`` makes of them: the folders ``FER2013Train``,
``FER2013Valid`` and ``FER2013Test`` (there, or in ``data/``), each with png pictures and a ``label.csv``
without header: name, ten votes in the order of the csv. An edition with a box such as ``"(0, 0, 48, 48)"``
after the name circulates and is read too; the box is always the whole picture. Four names stand in the
released csv twice, with different pictures: in the folders the later has overwritten the earlier, whose line
is left out and counted.

The label is that of the official majority rule (``_process_data``, mode ``majority``, in ``src/ferplus.py``
of github.com/microsoft/FERPlus): votes that stand alone in their class are dropped, and the class with more
than half of what remains wins. Left out and counted are the pictures that FER+ gives no name (no face was
found), those where nothing wins, and those where "unknown" or NF ("not a face") wins. The votes are kept as
columns, so that the paper's other modes (probability, cross-entropy) can be had from them.
"""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from fer_lib.faces.faceset import EMOTIONS, UNLABELLED, FaceSet
from fer_lib.faces.readers.fer2013 import (
    SIDE,
    VOTE_COLUMNS,
    fer2013_csv,
    majority,
    parse_votes,
    read_csv,
    read_votes,
    resized,
    vote_table,
)
from fer_lib.faces.readers.pictures import gather_pictures, list_inside, read_grey, require_inside, whole
from fer_lib.faces.readers.tables import read_records
from ferbook.errors import DataError

_FOLDERS = {"FER2013Train": "train", "FER2013Valid": "valid", "FER2013Test": "test"}
_VOTERS = 10

PUBLISHED = {"pictures": 31_412}
"""What the majority rule leaves of 35,887: 25,060 train, 3,199 valid and 3,153 test, as papers on FER+
report.
"""

_BOX = re.compile(r"\(\s*\d+(\s*,\s*\d+){3}\s*\)")
_UNNAMED = "pictures without a name in FER+ (no face was found)"
_UNKNOWN = "pictures that most voters call unknown"
_NOT_A_FACE = "pictures that most voters call not a face (NF)"
_UNDECIDED = "pictures on which no class has more than half of the votes"
_OVERWRITTEN = "lines of label.csv whose picture a later one of the same name has overwritten"
_UNLISTED = "pictures that label.csv does not list"


def read_ferplus(folder: Path, size: int = SIDE) -> FaceSet:
    """FER+ from ``folder``: pixels (N, ``size``, ``size``), majority labels, official splits, votes.

    ``image`` is the picture's name in FER+ (``fer0000000.png``), not always its alone; ``sequence`` the
    0-based row number (csv) or that name (folders); ``subject`` is empty. ``vote_<emotion>``,
    ``vote_unknown`` and ``vote_nf`` hold the counts of the voters; from the csv files, ``fer2013_emotion``
    the label of FER2013. ``left_out`` counts what the majority rule leaves out. Raises DataError, naming file
    and line, for anything absent, damaged or out of range; nothing is loaded in part.
    """
    pictures, votes = fer2013_csv(folder), folder / "fer2013new.csv"
    present = [path for path in (pictures, votes) if path.exists() or path.is_symlink()]
    if len(present) == 2:
        faces = read_csv(require_inside(pictures, folder))
        counts = read_votes(require_inside(votes, folder), faces)
        table = faces.table.drop(columns="split_rule").rename(columns={"emotion": "fer2013_emotion"})
        table = pd.concat([table, counts], axis=1)
        return resized(_under_majority(faces.pixels, table, {}), size)
    if present:
        absent = votes if present == [pictures] else pictures
        raise DataError(f"{absent}: not found; FER+ needs both fer2013.csv and fer2013new.csv")
    return _read_folders(folder, size)


def _under_majority(pixels: np.ndarray, table: pd.DataFrame, left_out: dict[str, int]) -> FaceSet:
    winner = majority(table[[f"vote_{column.lower()}" for column in VOTE_COLUMNS]].to_numpy())
    has_name = (table["image"] != "").to_numpy()
    outcome = np.array([*VOTE_COLUMNS[: len(EMOTIONS)], _UNKNOWN, _NOT_A_FACE, _UNDECIDED], dtype=object)[
        winner
    ]
    outcome[~has_name] = _UNNAMED
    keep = np.isin(outcome, EMOTIONS)
    reasons = (_UNNAMED, _UNKNOWN, _NOT_A_FACE, _UNDECIDED)
    left_out = left_out | {reason: int((outcome == reason).sum()) for reason in reasons}
    table = table.assign(dataset="ferplus", emotion=np.where(keep, outcome, UNLABELLED))
    return FaceSet("ferplus", pixels, table, left_out=+Counter(left_out)).select(keep)


def _read_folders(folder: Path, size: int) -> FaceSet:
    top = folder / "data" if (folder / "data" / "FER2013Train").exists() else folder
    missing = [name for name in _FOLDERS if not (top / name).is_dir()]
    if missing:
        raise DataError(
            f"{folder / 'fer2013.csv'}: not found, and no folder {missing[0]} either. Put the official "
            f"fer2013.csv and fer2013new.csv there, or all of {', '.join(_FOLDERS)}"
        )
    paths: list[Path] = []
    rows: list[dict] = []
    votes: list[list[int]] = []
    left_out = dict.fromkeys((_OVERWRITTEN, _UNLISTED), 0)
    for name, split in _FOLDERS.items():
        pictures = {path.name: path for path in list_inside(top / name, folder, (".png",))}
        labels = require_inside(top / name / "label.csv", folder)
        lines = _read_labels(labels)
        last = {image: number for number, (image, _) in enumerate(lines)}
        for number, (image, counts) in enumerate(lines):
            if image not in pictures:
                raise DataError(f"{labels}, line {number + 1}: no picture {image!r} in that folder")
            if number < last[image]:
                left_out[_OVERWRITTEN] += 1
                continue
            paths.append(pictures[image])
            rows.append({"subject": "", "sequence": image, "image": image, "frame": 0, "split": split})
            votes.append(counts)
        left_out[_UNLISTED] += len(pictures.keys() - last.keys())
    pixels, _ = gather_pictures(len(paths), size, lambda row: whole(read_grey(paths[row]), size))
    table = pd.concat([pd.DataFrame(rows), vote_table(np.array(votes))], axis=1)
    return _under_majority(pixels, table, left_out)


def _read_labels(path: Path) -> list[tuple[str, list[int]]]:
    """(name, ten votes) of each line of a label.csv."""
    labels = []
    for number, fields in read_records(path):
        place = f"{path}, line {number}"
        if len(fields) == 2 + _VOTERS and _BOX.fullmatch(fields[1].strip()):
            del fields[1]
        if len(fields) != 1 + _VOTERS:
            raise DataError(
                f"{place}: {len(fields)} fields; expected a name and ten votes ({', '.join(VOTE_COLUMNS)})"
            )
        labels.append((fields[0].strip(), parse_votes(fields[1:], place)))
    if not labels:
        raise DataError(f"{path}, line 1: empty; expected a picture's name and ten votes in each line")
    return labels
