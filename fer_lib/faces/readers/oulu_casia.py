"""Oulu-CASIA NIR&VIS (Zhao et al., 2011): 80 people, six expressions from rest to their height, 320 × 240, 25
per second.

Expected somewhere below the folder: ``VL/Strong/P001/Anger/000.jpeg`` (in the release inside
``B_OriginalImg/OriginalImg/``), or, where that is not there, ``VL_Acropped/Strong/…`` (inside
``PreProcess_Img/``, ``PreProcessImg/`` or ``PreProcess/``), whose pictures are face crops and are taken
whole. Read is what the usual protocol uses: visible light (VL) and strong light; of each sequence the first
picture, as neutral, and the last three. Which names the upper folders have is not certain, so they are
searched for. There is no official split and no file of labels.
"""

import re
from pathlib import Path

from fer_lib.faces.faceset import SIX, FaceSet
from fer_lib.faces.readers.sequences import PosedLayout, find_folders, read_posed, tops
from ferbook.errors import DataError

_EMOTIONS = {emotion: emotion.capitalize() for emotion in SIX}
"""Emotion -> its folder; a sequence's first picture is neutral, and no other emotion can be written in this
layout.
"""

PUBLISHED = {"subjects": 80, "sequences": 480, **{f"sequences of {emotion}": 80 for emotion in SIX}}
"""In visible, strong light. The people are certain, one sequence of each expression is what the literature
uses.
"""

_LIGHT = "Strong"
_LAYOUT = PosedLayout(
    name="oulu_casia",
    emotions=_EMOTIONS,
    subject_folder=re.compile(r"P(\d{3,4})", re.IGNORECASE),
    subject_form=lambda match: f"P{int(match[1]):03d}",
    suffix=".jpeg",
    keep=lambda count: [0, count - 3, count - 2, count - 1],
)


def read_oulu_casia(folder: Path, size: int) -> FaceSet:
    """Oulu-CASIA (visible, strong light) from ``folder``: first and last three pictures of each sequence.

    Subjects are ``oulu_casia-P001`` …, sequences ``P001/Anger`` …. In the original pictures faces are found
    by a detector, one window per sequence. Raises DataError: see ``read_posed``; and where neither tree is
    there.
    """
    for name, framing in (("VL", "clip"), ("VL_Acropped", "whole")):
        folders = find_folders(folder, re.compile(name))
        if len(folders) > 1:
            raise DataError(f"{folders[0]} and {folders[1]}: two folders {name}; keep one")
        if folders:
            people = tops(folders[0] / _LIGHT, _LAYOUT.subject_folder, "folders of people (P001)")
            return read_posed(_LAYOUT, folder, people, framing, size)
    raise DataError(f"{folder}: no folder VL or VL_Acropped there, nor in up to 3 folders below")
