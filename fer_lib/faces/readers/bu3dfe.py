"""BU-3DFE (Yin et al., 2006): 100 people, six expressions at four levels and one neutral face each.

Expected, also some levels further down (``Subjects/``, one folder per archive):
``F0001/F0001_AN01WH_F2D.bmp``, that is person, expression (AN DI FE HA SA SU, or NE for neutral), level (01
to 04, 00 for neutral), ancestry (WH AE AM BL IN LA). Only the pictures ``_F2D.bmp`` are read, no meshes. They
are textures said to be stitched of two views, which is unverified; the face is found in each by a detector.
There is no official split.
"""

import re
from collections import Counter
from pathlib import Path

from fer_lib.faces.faceset import SIX, FaceSet
from fer_lib.faces.readers import sequences
from fer_lib.faces.readers.pictures import SUFFIXES, add_once, list_inside
from ferbook.errors import DataError

_EMOTIONS = {emotion: emotion[:2].upper() for emotion in ("neutral", *SIX)}
"""Emotion -> its code in file names; no other emotion can be written in this layout."""

_ANCESTRIES = ("WH", "AE", "AM", "BL", "IN", "LA")
PUBLISHED = {
    "subjects": 100,
    "pictures": 2500,
    "pictures of neutral": 100,
    **{f"pictures of {emotion}": 400 for emotion in SIX},
}
"""2,500 models of 100 people, 25 each, are certain."""

_PERSON = re.compile(r"[FM]\d{4}", re.IGNORECASE)
_NAME = re.compile(
    r"(?P<person>[FM]\d{4})_(?P<emotion>[A-Z]{2})(?P<level>\d\d)(?P<ancestry>[A-Z]{2})_F2D", re.IGNORECASE
)
_KIND = "_F2D"


def read_bu3dfe(folder: Path, size: int) -> FaceSet:
    """BU-3DFE from ``folder``: every frontal picture, one sequence each (``F0001_AN01WH``), frame 0.

    Subjects are ``bu3dfe-F0001`` …; columns ``level`` (0 for neutral, in the release 1 to 4 otherwise) and
    ``ancestry``. Pictures in which no face is found are left out and counted. Raises DataError, naming the
    file: a name that says another person than its folder, or an expression, level or ancestry that there is
    not; two pictures of one model; two folders of one person; what ``gather_rows`` refuses.
    """
    left_out: Counter[str] = Counter()
    models: dict[str, Path] = {}
    rows: list[sequences.FaceRow] = []
    places = sequences.tops(folder, _PERSON, "folders of people (F0001)")
    for person, place in sequences.named_folders(places, folder, _PERSON, left_out).items():
        for path in list_inside(place, folder, SUFFIXES):
            if not path.stem.upper().endswith(_KIND):
                continue
            labels = _labels(path, person)
            model = path.stem.upper().removesuffix(_KIND)
            add_once(models, model, path, f"picture of {model}")
            rows.append(sequences.FaceRow(sequences.picture_file(path), f"bu3dfe-{person}", model, labels))
    return sequences.gather_rows("bu3dfe", rows, size, "picture", left_out)


def _labels(path: Path, person: str) -> dict[str, object]:
    codes = {code: emotion for emotion, code in _EMOTIONS.items()}
    match = _NAME.fullmatch(path.stem)
    if not match:
        raise DataError(f"{path}: not named like F0001_AN01WH_F2D.bmp")
    if match["person"].upper() != person:
        raise DataError(f"{path}: a picture of {match['person']} in the folder of {person}")
    emotion = codes.get(match["emotion"].upper())
    if emotion is None:
        raise DataError(f"{path}: expression {match['emotion']}; expected {', '.join(codes)}")
    level, ancestry = int(match["level"]), match["ancestry"].upper()
    if level == 0 and emotion != "neutral":
        raise DataError(f"{path}: level 00 of {emotion}; expected 01 to 04, 00 is for neutral")
    if ancestry not in _ANCESTRIES:
        raise DataError(f"{path}: ancestry {ancestry}; expected {', '.join(_ANCESTRIES)}")
    return {"frame": 0, "emotion": emotion, "level": level, "ancestry": ancestry}
