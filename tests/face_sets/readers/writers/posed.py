"""Writes what ``face_sets.readers.posed`` reads."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from face_sets.faceset import FaceSet
from face_sets.readers import posed
from face_sets.readers.own import write_picture
from face_sets.readers.posed import BU4DFE, MODEL_NAME, MODEL_PERSON, OULU_CASIA, PosedLayout
from tests.face_sets.readers.writers.sequences import frames_of, named_sequences, shown_emotion


def write_posed(layout: PosedLayout, faces: FaceSet, folder: Path, subject_id: Callable[[int], str]) -> None:
    """Write ``faces`` below ``folder``, one folder per person and emotion; frames keep their numbers.

    The k-th of the sorted subjects becomes ``subject_id(k)``, unless all come from this data set.
    """
    clips = named_sequences(faces, layout.name, layout.subject_folder, subject_id)
    for person, _, _, rows in clips:
        place = folder / person / shown_emotion(faces, rows, layout.emotions)
        for frame, pixels in frames_of(faces, rows):
            write_picture(place / f"{frame:03d}{layout.suffix}", pixels)


def write_oulu_casia(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as ``B_OriginalImg/OriginalImg/VL/Strong``.

    The k-th of the sorted subjects becomes ``P00k``; JPEG changes grey values slightly; AUs are not written,
    since the layout has none.
    """
    write_posed(
        OULU_CASIA, faces, folder / "B_OriginalImg" / "OriginalImg" / "VL" / "Strong", "P{:03d}".format
    )


def write_bu4dfe(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as ``BU_4DFE/F001/Fear/000.jpg`` ….

    The k-th of the sorted subjects becomes ``F00k``, whoever that is; JPEG changes grey values slightly; AUs
    are not written. Of a sequence of more than four pictures the reader keeps four.
    """
    write_posed(BU4DFE, faces, folder / "BU_4DFE", "F{:03d}".format)


def write_bu3dfe(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as ``F0001/F0001_AN01WH_F2D.bmp`` …, without loss.

    The k-th of the sorted subjects becomes ``F000k``, whoever that is, and of ancestry WH, unless the set is
    BU-3DFE itself. A person's pictures of one emotion get the levels 01, 02 … in the order of sequence and
    frame, neutral ones 00, 01 …: sets with more than the release's four (and one) go on counting.
    AUs are not written.
    """
    table = faces.table
    clips = named_sequences(faces, "bu3dfe", MODEL_PERSON, "F{:04d}".format)
    white = posed.MODEL_ANCESTRIES[0]
    own = all(MODEL_NAME.fullmatch(sequence + "_F2D") for _, _, sequence, _ in clips)
    counts: Counter[tuple[str, str]] = Counter()
    for person, subject, sequence, rows in clips:
        for row, pixels in zip(rows, faces.gather(rows), strict=True):
            emotion = table["emotion"].iloc[row]
            counts[subject, emotion] += 1
            level = counts[subject, emotion] - (emotion == "neutral")
            model = sequence if own else f"{person}_{posed.MODEL_EMOTIONS[emotion]}{level:02d}{white}"
            write_picture(folder / person / f"{model}_F2D.bmp", pixels)
