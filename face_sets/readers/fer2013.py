"""FER2013 (Goodfellow et al., 2013) and FER+ (Barsoum et al., 2016), the same pictures labelled by ten crowd
voters.

**FER2013** is ``fer2013.csv``: header ``emotion,pixels,Usage``, one row per picture, 48 × 48 grey values
separated by spaces. The columns may come in any order, and fields may stand in quotes; Kaggle's page has the
same rows as ``icml_face_data.csv``. The table's column ``split_rule`` says where a set is smaller or larger
than the release.

**FER+** adds ``fer2013new.csv`` with the votes; its row i belongs to row i of ``fer2013.csv``. The label is
that of the official majority rule (``_process_data``, mode ``majority``, in ``src/ferplus.py`` of
github.com/microsoft/FERPlus): single votes are dropped, and the class with more than half of the rest wins.
Left out and counted are the pictures that FER+ gives no name (no face was found), those where no class wins,
and those where "unknown" or NF ("not a face") wins. The votes remain as columns, for the paper's other modes
(probability, cross-entropy).
"""

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from face_sets.faceset import EMOTIONS, SIX, FaceSet
from face_sets.readers.pictures import require_inside
from face_sets.readers.sequences import FaceRow, Search, gather_rows, whole_picture
from face_sets.readers.tables import Row, read_records, read_rows, require_header
from ferbook.errors import DataError

SIDE = 48
PIXELS = SIDE * SIDE
CODES = (*SIX, "neutral")
"""FER2013's label codes 0 to 6 under the names of ``EMOTIONS``; contempt does not occur."""

HEADER = "emotion,pixels,Usage"
KAGGLE = "icml_face_data.csv"
"""The same rows as Kaggle's page offers them today: other order of columns, blanks in the header."""

USAGE = {"Training": "train", "PublicTest": "valid", "PrivateTest": "test"}
RELEASED = 35_887
"""Rows of the released set: 28,709 Training, 3,589 PublicTest, 3,589 PrivateTest."""

_GREY = r"(?:[01]\d\d|2[0-4]\d|25[0-5]|\d\d?)"
"""A grey value as it may be written."""

_PICTURE = re.compile(rf"{_GREY}(?: {_GREY}){{{PIXELS - 1}}}", re.ASCII)

_WHOLE = Search(clips=False)


def read_fer2013(folder: Path, size: int = SIDE) -> FaceSet:
    """Read FER2013, with FER+ votes where ``fer2013new.csv`` lies next to it.

    ``Training`` becomes ``train``, ``PublicTest`` ``valid``, ``PrivateTest`` ``test``; ``subject`` is empty,
    since FER2013 does not say who is shown; ``sequence`` is the row number from 0. ``vote_<emotion>``,
    ``vote_unknown`` and ``vote_nf`` count the ten votes. Exact copies remain: see ``face_sets.leakage``.

    Parameters
    ----------
    folder
        The folder of ``fer2013.csv`` or ``icml_face_data.csv``.
    size
        Side of the pictures in pixels; those of the file have 48.

    Returns
    -------
    FaceSet
        Pixels uint8 (N, ``size``, ``size``).

    Raises
    ------
    DataError
        Anything absent, damaged or out of range; names file and line. Nothing is loaded in part.
    """
    csv, votes = fer2013_csv(folder), folder / "fer2013new.csv"
    if not os.path.lexists(csv):
        raise DataError(
            f"{csv}: not found. Put the official file there, or set FER_DATA to the folder above it"
        )
    rows = _csv_rows(require_inside(csv, folder))
    if os.path.lexists(votes):
        voted = _with_votes(require_inside(votes, folder), rows)
        rows = [_labelled(row, **counts) for row, _, counts in voted]
    return gather_rows("fer2013", rows, size, _WHOLE, {})


def read_ferplus(folder: Path, size: int = SIDE) -> FaceSet:
    """Read FER+: FER2013's pictures and splits with majority labels and votes.

    ``image`` is the picture's name in FER+ (``fer0000000.png``; four names stand in two rows), ``sequence``
    the row number from 0, ``fer2013_emotion`` FER2013's label. ``left_out`` counts what the majority rule
    leaves out. Parameters, Returns and Raises are those of ``read_fer2013``.
    """
    csv, votes = fer2013_csv(folder), folder / "fer2013new.csv"
    for path in (csv, votes):
        if not os.path.lexists(path):
            raise DataError(f"{path}: not found; FER+ needs both fer2013.csv and fer2013new.csv")
    rows = []
    for row, image, counts in _with_votes(
        require_inside(votes, folder), _csv_rows(require_inside(csv, folder))
    ):
        labels = {"frame": 0, "fer2013_emotion": row.labels["emotion"], "split": row.labels["split"]}
        rows.append(replace(row, labels={**labels, **counts, "image": image}))
    columns = [f"vote_{column.lower()}" for column in VOTE_COLUMNS]
    winners = majority(np.array([[row.labels[column] for column in columns] for row in rows]))
    left_out: Counter[str] = Counter()
    decided = []
    for row, winner in zip(rows, winners, strict=True):
        outcome = _OUTCOMES[winner] if row.labels["image"] else _UNNAMED
        if outcome in EMOTIONS:
            decided.append(_labelled(row, emotion=outcome))
        else:
            left_out[outcome] += 1
    return gather_rows("ferplus", decided, size, _WHOLE, left_out)


def _labelled(row: FaceRow, **labels: object) -> FaceRow:
    return replace(row, labels={**row.labels, **labels})


def fer2013_csv(folder: Path) -> Path:
    """The path of ``fer2013.csv`` in ``folder``, or of Kaggle's form of it where only that exists."""
    official, other = folder / "fer2013.csv", folder / KAGGLE
    return other if not os.path.lexists(official) and other.exists() else official


def _csv_rows(csv: Path) -> list[FaceRow]:
    records = read_records(csv)
    header = ",".join(field.strip() for field in next(records, (1, [""]))[1])
    columns = require_header(csv, header, HEADER, any_order=True)
    places = [columns.index(column) for column in HEADER.split(",")]
    parsed = [_parsed(fields, places, f"{csv}, line {number}") for number, fields in records]
    if not parsed:
        raise DataError(f"{csv}, line 2: no pictures after the header; expected {RELEASED:,} rows")
    for usage in USAGE:
        if usage not in {usage for _, _, usage in parsed}:
            raise DataError(f"{csv}: no row with Usage {usage}; the file is not the whole of FER2013")
    rule = _split_rule("official Usage", len(parsed))
    return [
        whole_picture(picture, str(csv), f"{k:05d}", emotion=emotion, split=USAGE[usage], split_rule=rule)
        for k, (picture, emotion, usage) in enumerate(parsed)
    ]


def _parsed(fields: Sequence[str], places: Sequence[int], place: str) -> tuple[np.ndarray, str, str]:
    """Picture, emotion and Usage of one record, whose fields stand at ``places`` in the order of
    ``HEADER``.
    """
    if len(fields) != len(places):
        raise DataError(
            f"{place}: {len(fields)} field(s) instead of 3 ({HEADER}); the line is cut or damaged"
        )
    label, pixels, usage = (fields[at] for at in places)
    usage = usage.strip()
    if label not in tuple("0123456"):
        raise DataError(f"{place}: emotion {label[:20]!r}; expected 0 to 6 ({', '.join(CODES)})")
    if not _PICTURE.fullmatch(pixels):
        values = pixels.split(" ")
        for at, value in enumerate(values, start=1):
            if not re.fullmatch(_GREY, value, re.ASCII):
                raise DataError(
                    f"{place}: pixel {at} is {value[:20]!r}; expected whole numbers from 0 to 255, one "
                    "space between two"
                )
        raise DataError(f"{place}: {len(values)} pixel values; expected {PIXELS} ({SIDE} × {SIDE})")
    if usage not in USAGE:
        raise DataError(f"{place}: Usage {usage[:20]!r}; expected {', '.join(USAGE)}")
    return np.fromstring(pixels, np.uint8, sep=" ").reshape(SIDE, SIDE), CODES[int(label)], usage


def _split_rule(rule: str, count: int) -> str:
    # Not an error: exports and excerpts use the layout too. But no table of results may pass for FER2013's.
    return rule if count == RELEASED else f"{rule}; {count:,} pictures where the release has {RELEASED:,}"


VOTE_COLUMNS = (
    *("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"),
    *("unknown", "NF"),
)
"""What could be voted for, in the order of the files; NF is "not a face"."""

FERPLUS_HEADER = ",".join(("Usage", "Image name", *VOTE_COLUMNS))
_UNNAMED = "pictures without a name in FER+ (no face was found)"
_OUTCOMES = (
    *VOTE_COLUMNS[: len(EMOTIONS)],
    "pictures that most voters call unknown",
    "pictures that most voters call not a face (NF)",
    "pictures on which no class has more than half of the votes",
)
"""Of each class of ``VOTE_COLUMNS`` that wins, and, at the end, where none does."""

HUNDRED, FLOOR_OF_HUNDRED = 100, 0.42
"""The least fraction of a hundred pictures, one after the other, with a majority in which it is FER2013's
label: 53 % or more in the released pair, 18 % where rows were shuffled, at most 32 % where the rows are those
of the neighbours, since one was taken out and another put in further on.
"""


def _with_votes(path: Path, rows: Sequence[FaceRow]) -> list[tuple[FaceRow, str, dict[str, int]]]:
    """Each of ``rows``, those of fer2013.csv, with its image's name and votes in ``fer2013new.csv``.

    The name is empty where FER+ has none; in the released file four names stand in two rows, with different
    pictures. Raises DataError, naming file and line; also where the votes speak of other pictures, as
    ``FLOOR_OF_HUNDRED`` tells.
    """
    lines = read_rows(
        path, lambda header: require_header(path, ",".join(header), FERPLUS_HEADER), verb=" votes"
    )
    if len(lines) != len(rows):
        raise DataError(
            f"{path}: {len(lines)} rows of votes for the {len(rows)} rows of fer2013.csv; row i must "
            "belong to row i"
        )
    usages = dict(zip(USAGE.values(), USAGE, strict=True))
    for line, row in zip(lines, rows, strict=True):
        if line.text("Usage") != (part := usages[row.labels["split"]]):
            raise DataError(
                f"{line.place}: Usage {line.text('Usage')!r}, but that row of fer2013.csv has {part!r}; the "
                "two files do not belong together"
            )
    counts = [_votes_of(line) for line in lines]
    _require_order(lines)
    winners = majority(np.array([[each[f"vote_{name.lower()}"] for name in VOTE_COLUMNS] for each in counts]))
    emotion = np.array([row.labels["emotion"] for row in rows], dtype=object)
    named = np.array(_OUTCOMES, dtype=object)[winners]
    shown = np.flatnonzero(np.isin(named, [*set(emotion)]))  # of objects it compares each with each
    if len(shown) >= HUNDRED:
        shares = np.convolve(named[shown] == emotion[shown], np.full(HUNDRED, 1 / HUNDRED), "valid")
        at = int(shares.argmin())
        if shares[at] < FLOOR_OF_HUNDRED:
            raise DataError(
                f"{path}, lines {shown[at] + 2:,} to {shown[at + HUNDRED - 1] + 2:,}: what most voters say "
                f"is the label of that row of fer2013.csv in {100 * shares[at]:.0f} % of the pictures, where "
                "the released files agree in 67 %; rows of one of the two have changed places. Take both as "
                "they were released"
            )
    return [(row, line.text("Image name"), each) for row, line, each in zip(rows, lines, counts, strict=True)]


def _votes_of(line: Row) -> dict[str, int]:
    """The columns ``vote_…`` of one line."""
    form, names = "a whole number, 0 or more", (*EMOTIONS, "unknown", "NF")
    return {f"vote_{name.lower()}": line.whole(name, form=form) for name in names}


def _require_order(lines: Sequence[Row]) -> None:
    """Raise DataError unless names come in ascending order, but for those that stand there twice: in the
    release four do, once out of place.
    """
    counts = Counter(line.text("Image name") for line in lines)
    last = ""
    for line in lines:
        name = line.text("Image name")
        if counts[name] == 1 and name:
            if name < last:
                raise DataError(f"{line.place}: {name} after {last}; rows have changed places")
            last = name


def majority(votes: np.ndarray) -> np.ndarray:
    """int64 (N,): the class that wins by FER+'s majority rule, as an index in ``VOTE_COLUMNS``, -1 where none
    does.

    ``votes`` (N, 10) counts in the order of ``VOTE_COLUMNS``. Single votes are dropped; the winner has more
    than half of the rest.
    """
    votes = np.where(votes > 1, votes, 0)
    best = votes.argmax(axis=1)
    return np.where(2 * votes.max(axis=1) > votes.sum(axis=1), best, -1)
