"""Writes what ``fer_lib.faces.readers.posed`` reads."""

from pathlib import Path

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers.own import write_picture
from fer_lib.faces.readers.posed import PosedLayout
from ferbook.errors import DataError
from tests.fer_lib.faces.readers.writers.sequences import emotion_after_rest, frames_of, named_sequences


def write_posed(layout: PosedLayout, faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` below ``folder``, one folder per person and emotion; frames keep their numbers.

    The k-th of the sorted subjects becomes ``subject_id(k)``, unless all come from this data set. Raises
    DataError for a sequence that is not a neutral picture and then three or more of one emotion, and for two
    of a person's sequences that show the same emotion.
    """
    contents: dict[Path, str] = {}
    for person, subject, sequence, rows in named_sequences(
        faces, layout.name, layout.subject_folder, layout.subject_id, layout.most
    ):
        place = folder / person / layout.emotions[emotion_after_rest(faces, rows, layout.emotions)]
        if place in contents:
            raise DataError(
                f"face set {faces.name!r}: {subject} shows {place.name} in {contents[place]} and in "
                f"{sequence}; this layout has room for one sequence of each emotion"
            )
        contents[place] = sequence
        for frame, pixels in frames_of(faces, rows):
            write_picture(place / f"{frame:03d}{layout.suffix}", pixels)
