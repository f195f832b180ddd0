"""Posed expressions in folders, without a file of labels: Oulu-CASIA, BU-4DFE and BU-3DFE.

The first two have a folder per person, in it one per emotion, in it a sequence that begins neutral. The
folder's name is the label, and the first of the pictures used is neutral. None of the three has an official
split.

**Oulu-CASIA NIR&VIS** (Zhao et al., 2011): 80 people, six expressions from neutral to the apex, 320 × 240, 25
per second. Expected somewhere below the folder: ``VL/Strong/P001/Anger/000.jpeg`` (in the release inside
``B_OriginalImg/OriginalImg/``), or, if that is absent, ``VL_Acropped/Strong/…`` (inside ``PreProcess_Img/``,
``PreProcessImg/`` or ``PreProcess/``), whose pictures are face crops and are used whole. As in the usual
protocol, visible light (VL) and strong light are read; of each sequence the first picture, as neutral, and
the last three. Which names the upper folders have is not certain, so they are searched for.

**BU-4DFE** (Yin et al., 2008): 101 people, six expressions from neutral over the apex back to neutral, 25 per
second. Expected, also some levels further down: ``F001/Fear/042.jpg``, the texture next to the mesh
``042.wrl``, which is not read. Of each sequence the first picture, as neutral, and the middle three are used.
That the apex is in the middle of a sequence is the custom, not a label; how large the pictures are, and the
published counts, are quoted from memory of the literature.

**BU-3DFE** (Yin et al., 2006): 100 people, six expressions at four levels and one neutral face each.
Expected, also some levels further down (``Subjects/``, one folder per archive):
``F0001/F0001_AN01WH_F2D.bmp``, that is person, expression (AN DI FE HA SA SU, or NE for neutral), level (01
to 04, 00 for neutral), ancestry (WH AE AM BL IN LA). Only the pictures ``_F2D.bmp`` are read, no meshes. They
are textures said to be stitched of two views, which is unverified; the face is found in each by a detector.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from face_sets.faceset import SIX, FaceSet
from face_sets.readers import sequences
from face_sets.readers.pictures import SUFFIXES, add_once, list_inside
from face_sets.readers.sequences import FaceRow, Search, find_folders, tops
from face_sets.readers.tables import emotion_folders
from ferbook.errors import DataError

_LEAST = 4
_FPS = 25.0
SHORT = "sequences of fewer than four pictures"


@dataclass(frozen=True)
class PosedLayout:
    """The names of folders and pictures of one data set, and the pictures of a sequence that are used."""

    name: str
    # Emotion -> the folder of its sequence; no other emotion can be written in the layout.
    emotions: Mapping[str, str]
    subject_folder: re.Pattern
    subject_form: Callable[[re.Match], str]
    suffix: str
    # From the number of pictures, four or more, to the positions of those to keep; 0 is the neutral one.
    keep: Callable[[int], Sequence[int]]


OULU_CASIA = PosedLayout(
    name="oulu_casia",
    emotions={emotion: emotion.capitalize() for emotion in SIX},
    subject_folder=re.compile(r"P(\d{3,4})", re.IGNORECASE),
    subject_form=lambda match: f"P{int(match[1]):03d}",
    suffix=".jpeg",
    keep=lambda count: [0, count - 3, count - 2, count - 1],
)
BU4DFE = PosedLayout(
    name="bu4dfe",
    emotions=dict(zip(SIX, ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise"), strict=True)),
    subject_folder=re.compile(r"[FM]\d{3}", re.IGNORECASE),
    subject_form=lambda match: match[0].upper(),
    suffix=".jpg",
    keep=sequences.first_and_middle,
)


def read_oulu_casia(folder: Path, size: int) -> FaceSet:
    """Read Oulu-CASIA (visible, strong light) from ``folder``: first and last three pictures of each
    sequence.

    Subjects are ``oulu_casia-P001`` …, sequences ``P001/Anger`` …. In the original pictures faces are found
    by a detector, one window per sequence. Raises DataError as ``_read_posed``, and if neither tree exists.
    """
    for name, cropped in (("VL", None), ("VL_Acropped", True)):
        folders = find_folders(folder, re.compile(name))
        if len(folders) > 1:
            raise DataError(f"{folders[0]} and {folders[1]}: two folders {name}; keep one")
        if folders:
            people = tops(folders[0] / "Strong", OULU_CASIA.subject_folder, "folders of people (P001)")
            return _read_posed(OULU_CASIA, folder, people, size, cropped)
    raise DataError(f"{folder}: no folder VL or VL_Acropped there, nor in up to 3 folders below")


def read_bu4dfe(folder: Path, size: int) -> FaceSet:
    """Read BU-4DFE from ``folder``: the first and the middle three pictures of each sequence.

    Subjects are ``bu4dfe-F001`` …, sequences ``F001/Fear`` …. Faces are found by a detector, one window per
    sequence. Several folders of people on one level (one per archive) are combined. Raises DataError as
    ``_read_posed``.
    """
    people = tops(folder, BU4DFE.subject_folder, "folders of people (F001)")
    return _read_posed(BU4DFE, folder, people, size)


def _read_posed(
    layout: PosedLayout, folder: Path, people: Sequence[Path], size: int, cropped: bool | None = None
) -> FaceSet:
    """Read every sequence of the folders of ``people``; ``folder`` is the data set's own.

    Raises DataError, naming the folder or file: one that belongs to no emotion, two for one emotion or one
    person, a picture without a frame number, and as ``gather_rows``. Sequences of fewer than four pictures
    are counted.
    """
    left_out: Counter[str] = Counter()
    emotions = {word.lower(): emotion for emotion, word in layout.emotions.items()}
    rows: list[FaceRow] = []
    places = sequences.named_folders(
        people, folder, layout.subject_folder, left_out, form=layout.subject_form
    )
    for subject, place in places.items():
        inner = filter(Path.is_dir, list_inside(place, folder))
        folders = emotion_folders(inner, emotions, ", ".join(layout.emotions.values()))
        for emotion, entry in folders.items():
            paths = sequences.numbered_pictures(
                entry, folder, re.compile(r"(?P<frame>\d+)"), f"000{layout.suffix}"
            )
            if len(paths) < _LEAST:
                left_out[SHORT] += 1
                continue
            for k in layout.keep(len(paths)):
                number, path = list(paths.items())[k]
                labels = {"frame": number, "emotion": emotion if k else "neutral", "fps": _FPS}
                sequence = f"{subject}/{layout.emotions[emotion]}"
                picture, person = sequences.picture_file(path), f"{layout.name}-{subject}"
                rows.append(FaceRow(picture, person, sequence, labels, cropped=cropped))
    return sequences.gather_rows(layout.name, rows, size, Search(), left_out)


# Emotion -> its code in BU-3DFE's file names; no other emotion can be written in this layout.
MODEL_EMOTIONS = {emotion: emotion[:2].upper() for emotion in ("neutral", *SIX)}

MODEL_ANCESTRIES = ("WH", "AE", "AM", "BL", "IN", "LA")
MODEL_PERSON = re.compile(r"[FM]\d{4}", re.IGNORECASE)
MODEL_NAME = re.compile(r"([FM]\d{4})_([A-Z]{2})(\d\d)([A-Z]{2})_F2D", re.IGNORECASE)


def read_bu3dfe(folder: Path, size: int) -> FaceSet:
    """Read BU-3DFE from ``folder``: every frontal picture, one sequence each (``F0001_AN01WH``), frame 0.

    Subjects are ``bu3dfe-F0001`` …; columns ``level`` (0 for neutral, in the release 1 to 4 otherwise) and
    ``ancestry``. Pictures in which no face is found are left out and counted. Raises DataError, naming the
    file: a name with another person than its folder, or an unknown expression, level or ancestry; two
    pictures of one model; two folders of one person; and as ``gather_rows``.
    """
    left_out: Counter[str] = Counter()
    emotions = {code: emotion for emotion, code in MODEL_EMOTIONS.items()}
    models: dict[str, Path] = {}
    rows: list[FaceRow] = []
    places = tops(folder, MODEL_PERSON, "folders of people (F0001)")
    for person, place in sequences.named_folders(places, folder, MODEL_PERSON, left_out).items():
        for path in list_inside(place, folder, SUFFIXES):
            if not path.stem.upper().endswith("_F2D"):
                continue
            match = MODEL_NAME.fullmatch(path.stem.upper())
            who, code, level, ancestry = match.groups() if match else ("", "", "", "")
            neutral = emotions.get(code) == "neutral"
            if (
                who != person
                or code not in emotions
                or ancestry not in MODEL_ANCESTRIES
                or (level == "00" and not neutral)
            ):
                raise DataError(
                    f"{path}: not named like {person}_AN01WH_F2D.bmp, with an expression of "
                    f"{', '.join(emotions)}, a level of 01 to 04, 00 for neutral, and an ancestry of "
                    f"{', '.join(MODEL_ANCESTRIES)}"
                )
            model = path.stem.upper().removesuffix("_F2D")
            add_once(models, model, path, f"picture of {model}")
            labels = {"frame": 0, "emotion": emotions[code], "level": int(level), "ancestry": ancestry}
            rows.append(FaceRow(sequences.picture_file(path), f"bu3dfe-{person}", model, labels))
    return sequences.gather_rows("bu3dfe", rows, size, Search(clips=False), left_out)
