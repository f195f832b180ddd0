"""Writes what ``face_sets.readers.ckplus`` reads."""

from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np

from face_sets.faceset import FaceSet
from face_sets.facs_codes import Codes
from face_sets.readers.ckplus import _SEQUENCE, _SUBJECT, CKPLUS_CODES
from face_sets.readers.own import write_picture
from tests.face_sets.readers.writers.facs_codes import codes_of
from tests.face_sets.readers.writers.sequences import named_sequences, official_ids


def write_ckplus(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as CK+: pictures, emotions, FACS codes and landmarks of its
    sequences.

    Emotion and codes are those of a sequence's last frame; a label is written unless it is empty, codes
    unless all are NaN. Levels are ceil(5 intensity), of the stronger half; an uncertain code is left out.
    ``S005`` and ``001`` are kept where all names are CK+'s; otherwise the k-th of the sorted subjects becomes
    ``S001`` …, and the k-th sequence of each, sorted, ``001`` …. Read back are the first frame and the last
    three of a sequence.
    """
    codes = codes_of(faces.table) if faces.aus else [None] * len(faces)
    clips = named_sequences(faces, "ckplus", _SUBJECT, "S{:03d}".format)
    for tree in ("cohn-kanade-images", "Emotion", "FACS", "Landmarks"):
        (folder / tree).mkdir()
    for subject, group in groupby(clips, key=itemgetter(0)):
        own = {sequence: rows for _, _, sequence, rows in group}
        numbers = official_ids(own, f"{subject}/", _SEQUENCE, "{:03d}".format)
        for sequence, rows in own.items():
            _write_sequence(faces, rows, codes[rows[-1]], folder, subject, numbers[sequence])


def _write_sequence(
    faces: FaceSet, rows: np.ndarray, codes: Codes, folder: Path, subject: str, number: str
) -> None:
    place = Path(subject) / number
    stem = ""
    for row in rows:
        stem = f"{subject}_{number}_{faces.table['frame'][row]:08d}"
        write_picture(folder / "cohn-kanade-images" / place / f"{stem}.png", faces.pixels[row])
        if faces.landmarks is not None and np.isfinite(faces.landmarks[row]).all():
            lines = [f"{x:.8e} {y:.8e}" for x, y in faces.landmarks[row].tolist()]
            _write_lines(folder / "Landmarks" / place / f"{stem}_landmarks.txt", lines)
    emotion = faces.table["emotion"][rows[-1]]
    if emotion:
        _write_lines(
            folder / "Emotion" / place / f"{stem}_emotion.txt", [f"{CKPLUS_CODES.index(emotion):.7e}"]
        )
    if codes is not None:
        levels: dict[int, int] = {}
        for code in codes:
            if not code.uncertain:
                levels[code.au] = max(levels.get(code.au, 0), code.level or 0)
        lines = [f"{au:.7e} {level:.7e}" for au, level in levels.items()]
        _write_lines(folder / "FACS" / place / f"{stem}_facs.txt", lines)


def _write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"   {line}\n" for line in lines), encoding="ascii")
