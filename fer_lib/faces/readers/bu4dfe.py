"""BU-4DFE (Yin et al., 2008): 101 people, six expressions from rest over their height back to rest, 25 per
second.

Expected, also some levels further down: ``F001/Fear/042.jpg``, the texture beside the mesh ``042.wrl``, which
is not read. Of each sequence the first picture is kept, as neutral, and the middle three. That a sequence is
at its height in the middle is the custom, not a label; how large the pictures are, and the published counts,
are quoted from memory of the literature. There is no official split.
"""

import re
from pathlib import Path

from fer_lib.faces.faceset import SIX, FaceSet
from fer_lib.faces.readers.sequences import PosedLayout, first_and_middle, read_posed, tops

_EMOTIONS = dict(zip(SIX, ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise"), strict=True))
"""Emotion -> its folder; a sequence's first picture is neutral, and no other emotion can be written in this
layout.
"""

PUBLISHED = {"subjects": 101, "sequences": 606, **{f"sequences of {emotion}": 101 for emotion in _EMOTIONS}}
"""58 women and 43 men, one sequence of each expression; from memory of the literature."""

_LAYOUT = PosedLayout(
    name="bu4dfe",
    emotions=_EMOTIONS,
    subject_folder=re.compile(r"[FM]\d{3}", re.IGNORECASE),
    subject_form=lambda match: match[0].upper(),
    suffix=".jpg",
    keep=first_and_middle,
)


def read_bu4dfe(folder: Path, size: int) -> FaceSet:
    """BU-4DFE from ``folder``: the first and the middle three pictures of each sequence.

    Subjects are ``bu4dfe-F001`` …, sequences ``F001/Fear`` …. Faces are found by a detector, one window per
    sequence. Several folders of people on one level (one per archive) are taken together. Raises DataError:
    see ``read_posed``.
    """
    return read_posed(
        _LAYOUT, folder, tops(folder, _LAYOUT.subject_folder, "folders of people (F001)"), "clip", size
    )
