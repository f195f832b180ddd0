"""CASME II (Yan et al., 2014): 26 people, spontaneous micro-expressions at 200 pictures per second.

Expected in the folder: the coding sheet ``CASME2-coding-<date>.xlsx`` and one of

- ``Cropped/sub01/EP02_01f/reg_img46.jpg``: face crops, taken whole (they are not square: squeezed, as is
  customary);
- ``CASME2_RAW_selected/`` or ``CASME2-RAW/``, ``sub01/EP02_01f/img46.jpg``: the faces are found by a
  detector.

Doubled folders (``Cropped/Cropped``) are accepted. Frame numbers are not padded and are those of the sheet.
Faults of the sheet (one apex is ``/``; the offset of one row, the 61st, is wrong) are mended and noted as
``fer_lib.faces.readers.micro`` says; so is the incomplete ``sub16/EP01_08``. AUs are coded as present
(intensity 1) with sides. The class counts below are those usually quoted, unverified; there is no official
split.
"""

import re
from pathlib import Path

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers.micro import MicroLayout, Pictures, read_micro
from fer_lib.faces.readers.tables import counts_of
from fer_lib.faces.request import CLIP_FRAMES
from ferbook.errors import DataError

PUBLISHED = {
    "subjects": 26,
    "sequences": 255,
    **counts_of(
        "sequences", happiness=32, disgust=63, repression=27, surprise=25, other=99, sadness=7, fear=2
    ),
}
"""Rows of the coding sheet by emotion; the paper speaks of 247 clips. Quoted from memory of the literature.
"""

_OWN_NAMES = ("happiness", "disgust", "repression", "surprise", "sadness", "fear")
_EMOTIONS = {**dict(zip(_OWN_NAMES, _OWN_NAMES, strict=True)), "other": "others"}
"""Emotion -> the sheet's word; no other emotion can be written in this layout."""

_LAYOUT = MicroLayout(
    name="casme2",
    sheet="CASME2-coding*.xlsx",
    worksheet="",
    emotions=_EMOTIONS,
    subject_folder=re.compile(r"sub(\d{1,4})", re.IGNORECASE),
    subject_id="sub{:02d}".format,
)
_TREES = (
    ("Cropped", "reg_img", "whole"),
    ("Cropped-updated", "reg_img", "whole"),
    ("Cropped_original", "reg_img", "whole"),
    ("CASME2_RAW_selected", "img", "clip"),
    ("CASME2-RAW", "img", "clip"),
)


def read_casme2(folder: Path, size: int, clip_frames: int = CLIP_FRAMES) -> FaceSet:
    """CASME II from ``folder``: at most ``clip_frames`` pictures (0: all) of each coded clip, ``size`` ×
    ``size``.

    Subjects are ``casme2-sub01`` …, sequences ``sub01/EP02_01f`` …; columns ``onset``, ``apex``, ``offset``,
    ``fps``, ``missing_frames``, ``corrected``, AUs with their halves, ``facs``. Emotions are those of
    ``_EMOTIONS``. Raises DataError: see ``read_micro``; and where neither tree of pictures is there.
    """
    for tree, prefix, framing in _TREES:
        place = folder / tree
        if place.is_dir():
            pattern = re.compile(rf"{prefix}(?P<frame>\d+)")
            own = Pictures(place, pattern, f"{prefix}46.jpg", framing)
            return read_micro(_LAYOUT, folder, own, size, clip_frames)
    raise DataError(
        f"{folder}: no pictures; expected the folder {' or '.join(tree for tree, _, _ in _TREES)} of CASME "
        "II there"
    )
