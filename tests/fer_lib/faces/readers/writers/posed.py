"""Writes what ``fer_lib.faces.readers.sequences`` reads."""

from collections.abc import Callable
from pathlib import Path

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers.own import write_picture
from fer_lib.faces.readers.sequences import PosedLayout
from tests.fer_lib.faces.readers.writers.sequences import frames_of, named_sequences, shown_emotion


def write_posed(layout: PosedLayout, faces: FaceSet, folder: Path, subject_id: Callable[[int], str]) -> None:
    """Write ``faces`` below ``folder``, one folder per person and emotion; frames keep their numbers.

    The k-th of the sorted subjects becomes ``subject_id(k)``, unless all come from this data set.
    """
    clips = named_sequences(faces, layout.name, layout.subject_folder, subject_id)
    for person, _, _, rows in clips:
        place = folder / person / shown_emotion(faces, rows, layout.emotions)
        for frame, pixels in frames_of(faces, rows):
            write_picture(place / f"{frame:03d}{layout.suffix}", pixels)
