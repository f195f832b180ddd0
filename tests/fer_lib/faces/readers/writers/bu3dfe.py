"""Writes what ``fer_lib.faces.readers.bu3dfe`` reads."""

from collections import Counter
from pathlib import Path

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers.bu3dfe import _ANCESTRIES, _EMOTIONS, _KIND, _NAME, _PERSON
from fer_lib.faces.readers.own import write_picture
from tests.fer_lib.faces.readers.writers.sequences import named_sequences


def write_bu3dfe(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as ``F0001/F0001_AN01WH_F2D.bmp`` …, without loss.

    The k-th of the sorted subjects becomes ``F000k``, whoever that is, and of ancestry WH, unless the set is
    BU-3DFE itself. A person's pictures of one emotion get the levels 01, 02 … in the order of sequence and
    frame, neutral ones 00, 01 …: sets with more than the release's four (and one) go on counting.
    AUs are not written.
    """
    table = faces.table
    clips = named_sequences(faces, "bu3dfe", _PERSON, "F{:04d}".format)
    own = all(_NAME.fullmatch(sequence + _KIND) for _, _, sequence, _ in clips)
    counts: Counter[tuple[str, str]] = Counter()
    for person, subject, sequence, rows in clips:
        for row, pixels in zip(rows, faces.gather(rows), strict=True):
            emotion = table["emotion"].iloc[row]
            counts[subject, emotion] += 1
            level = counts[subject, emotion] - (emotion == "neutral")
            model = sequence if own else f"{person}_{_EMOTIONS[emotion]}{level:02d}{_ANCESTRIES[0]}"
            write_picture(folder / person / f"{model}{_KIND}.bmp", pixels)
