"""Posed expressions: a folder per person, in it one per emotion, in it a sequence that begins at rest.

What Oulu-CASIA and BU-4DFE have in common. There is no file of labels: the folder's name is the label, and of
the pictures kept the first is neutral.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers import sequences
from fer_lib.faces.readers.pictures import add_once, list_inside
from ferbook.errors import DataError

_LEAST = 4
_FPS = 25.0
SHORT = "sequences of fewer than four pictures"


@dataclass(frozen=True)
class PosedLayout:
    """How one data set names its folders and pictures, and which pictures of a sequence are kept."""

    name: str
    emotions: Mapping[str, str]
    """Emotion -> the folder of its sequence."""
    subject_folder: re.Pattern
    subject_form: Callable[[re.Match], str]
    suffix: str
    keep: Callable[[int], Sequence[int]]
    """From the number of pictures, four or more, to the positions of those to keep; 0 is the neutral one."""


def read_posed(
    layout: PosedLayout, folder: Path, tops: Sequence[Path], framing: sequences.WindowRule, size: int
) -> FaceSet:
    """Every sequence below the folders ``tops`` of people; ``folder`` is the data set's own.

    Raises DataError, naming the folder or file: one that is no emotion's, two for one emotion or one person,
    a picture without a frame number, and what ``gather_rows`` refuses. Sequences of fewer than four pictures
    are counted.
    """
    left_out: Counter[str] = Counter()
    emotions = {word.lower(): emotion for emotion, word in layout.emotions.items()}
    rows: list[sequences.FaceRow] = []
    people = sequences.named_folders(tops, folder, layout.subject_folder, left_out, form=layout.subject_form)
    for subject, place in people.items():
        folders: dict[str, Path] = {}
        for entry in list_inside(place, folder):
            if not entry.is_dir():
                continue
            emotion = emotions.get(entry.name.lower())
            if emotion is None:
                raise DataError(
                    f"{entry}: not the folder of an emotion; expected {', '.join(layout.emotions.values())}"
                )
            add_once(folders, emotion, entry, f"folder of {emotion}")
        for emotion, entry in folders.items():
            paths = sequences.numbered_pictures(
                entry, folder, re.compile(r"(?P<frame>\d+)"), f"000{layout.suffix}"
            )
            numbers = list(paths)
            if len(numbers) < _LEAST:
                left_out[SHORT] += 1
                continue
            selection = [numbers[k] for k in layout.keep(len(numbers))]
            rows += [
                sequences.FaceRow(
                    sequences.picture_file(paths[number]),
                    f"{layout.name}-{subject}",
                    f"{subject}/{layout.emotions[emotion]}",
                    {"frame": number, "emotion": emotion if k else "neutral", "fps": _FPS},
                )
                for k, number in enumerate(selection)
            ]
    return sequences.gather_rows(layout.name, rows, size, framing, left_out)
