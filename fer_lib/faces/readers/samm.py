"""SAMM (Davison et al., 2018): micro-expressions of a wide range of people, grey, 2040 × 1088, 200 pictures
per second.

Expected in the folder: ``006/006_1_2/006_05562.jpg`` (subject, subject_inducement_index, subject_frame), also
some levels further down, and the coding sheet ``SAMM_Micro_FACS_Codes_v2.xlsx`` (other names with
``FACS_Codes`` are found as well), worksheet ``MICRO_ONLY`` or the first. Notes stand above its header, which
is found by its first cell. The padding of frame numbers differs between clips: they are read as numbers.

Faces are found by a detector, one window per clip. Faults of the sheet (the apex of ``028_4_1`` and of
``032_3_1`` lies outside the clip; the offset of one row is wrong) are mended and noted as
``fer_lib.faces.readers.micro`` says. AU codes may carry letters and sides; of ``R12 or R15`` neither counts
as coded. The class counts below are those usually quoted, unverified; there is no official split.
"""

import re
from pathlib import Path

from fer_lib.faces import faceset
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers.micro import MicroLayout, Pictures, read_micro
from fer_lib.faces.readers.tables import counts_of
from fer_lib.faces.request import CLIP_FRAMES

PUBLISHED = {
    "subjects": 29,
    "sequences": 159,
    **counts_of(
        "sequences", anger=57, happiness=26, other=26, surprise=15, contempt=12, disgust=9, fear=8, sadness=6
    ),
}
"""Rows of the coding sheet; 159 is certain, the other counts are quoted from memory of the literature. Of 32
people 29 have clips."""

_EMOTIONS = {
    emotion: emotion.capitalize() for emotion in (*faceset.EMOTIONS, "other") if emotion != "neutral"
}
"""Emotion -> the sheet's word; no other emotion can be written in this layout."""

_WORKSHEET = "MICRO_ONLY"
_LAYOUT = MicroLayout(
    name="samm",
    sheet="SAMM*FACS_Codes*.xlsx",
    worksheet=_WORKSHEET,
    emotions=_EMOTIONS,
    subject_folder=re.compile(r"(\d{3,4})"),
    subject_id="{:03d}".format,
)


def read_samm(folder: Path, size: int, clip_frames: int = CLIP_FRAMES) -> FaceSet:
    """SAMM from ``folder``: at most ``clip_frames`` pictures (0: all) of each coded clip, ``size`` ×
    ``size``.

    Subjects are ``samm-006`` …, sequences ``006/006_1_2`` …; columns ``onset``, ``apex``, ``offset``,
    ``fps``, ``missing_frames``, ``corrected``, AUs with their halves, ``facs``. Emotions are those of
    ``_EMOTIONS``. Raises DataError: see ``read_micro``; and where there are no folders of subjects.
    """
    pictures = Pictures(folder, re.compile(r"\d+_(?P<frame>\d+)"), "006_05562.jpg", "clip")
    return read_micro(_LAYOUT, folder, pictures, size, clip_frames)
