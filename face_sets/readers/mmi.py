"""MMI (Pantic et al., 2005; Valstar & Pantic, 2010): videos of posed expressions from neutral to the apex and
back.

Expected: ``Sessions/<n>/`` with ``session.xml``, one ``<sid>.avi``, ``<sid>.xml`` and optionally the AU
coding ``<sid>-oao_aucs.xml``. The layout is not documented in public; the reader follows code that others
published:

- ``session.xml``: the attribute ``view`` of the first ``track``: 0 (frontal) and 2 (both views in one
  picture) are read, the others are counted. The person is the attribute ``id`` of ``subject``, or, without
  it, the part of the sid before the hyphen (``S001-001``): both are unverified.
- ``<sid>.xml``: the ``Metatag`` named ``Emotion``: 1 anger, 2 disgust, 3 fear, 4 happiness, 5 sadness, 6
  surprise. Other codes exist. A video with such a code, or with none, is used without an emotion if its AUs
  are coded, else counted.
- ``<sid>-oao_aucs.xml``: per ``ActionUnit`` (attribute ``Number``) ``Marker`` elements with ``Frame`` (from
  1) and ``Type``: 0 neutral, 1 onset, 2 apex, 3 offset. From a marker of type 1 to 3 up to one of type 0 the
  AU counts as present (intensity 1); an AU that is not listed is absent. AUs whose number is not whole are
  counted and ignored.

Used are the first frame, as neutral, and the middle three. Some videos lie on their side: if no face is found
upright, it is searched for in the frames turned by 90° clockwise. There is no official split.
"""

import os
import re
import tempfile
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np

from face_sets.faceset import SIX, FaceSet
from face_sets.facs_codes import Code, Codes
from face_sets.readers import sequences
from face_sets.readers.pictures import cut_out, list_inside
from face_sets.readers.sequences import FaceRow, Frame, Search
from ferbook.errors import DataError
from ferbook.files import open_regular

# Emotion -> its code; a sequence's first frame is neutral, and no other emotion can be written in this
# layout. ``sources.toml`` has no counts of it: 205 frontal sequences of 30 people and 208 of 31 are both
# quoted, and depend on who selected them.
EMOTION_CODES = {emotion: str(code) for code, emotion in enumerate(SIX, start=1)}

NEUTRAL_MARKER = 0
_LEAST = 4

_NO_VIDEO = "sessions without a video"
_VIEW = "videos that do not show the face from the front"
_NO_LABEL = "videos without one of the six emotions and without AU codes"
_ORDER = "AU codes whose markers do not follow each other in time, and were put in order"
_NO_MARKER = "markers of AU codes that have none, and count as absent"
_UNLABELLED = "emotions of videos that are read for their AU codes"
_UNCODED = "AU codes of videos that come with an emotion only"
_COMPLAINT = "pictures that a decoder found fault with, though it gave some"
_SHORT = "videos of fewer than four frames"
_DROPPED = "frames that videos promise and do not hold"
_AU_NUMBER = "AU codes whose number is not whole"
_SESSIONS, _SESSION = re.compile("Sessions", re.IGNORECASE), re.compile(r"\d+")


def read_mmi(folder: Path, size: int) -> FaceSet:
    """Read MMI from ``folder``: four frames of each frontal video, ``size`` × ``size``.

    Subjects are ``mmi-<id>``, sequences ``<session, four digits>/<sid>``, ``frame`` counts from 1; ``fps`` is
    the video's. AUs are those of each frame. Raises DataError, naming the file: XML that cannot be read or
    lacks what is needed, a video that cannot be read or is cut short, two videos in a session, an AU or a
    marker twice.
    """
    left_out: Counter[str] = Counter()
    trees = sequences.find_folders(folder, _SESSIONS, "folder Sessions")
    above = [top for tree in trees for top in sequences.tops(tree, _SESSION, "folders of sessions (1, 2 …)")]
    places = sequences.named_folders(
        above, folder, _SESSION, left_out, "folders that are not named like a session"
    )
    sessions = sorted(places.items(), key=lambda item: int(item[0]))
    with ThreadPoolExecutor() as threads:
        outcomes = list(threads.map(lambda session: _read_session(*session, folder, size), sessions))
    left_out.update(reason for _, reasons in outcomes for reason in reasons)
    rows = [row for rows, _ in outcomes for row in rows]
    return sequences.gather_rows("mmi", rows, size, Search(), left_out, halves=False)


def _read_session(number: str, place: Path, folder: Path, size: int) -> tuple[list[FaceRow], list[str]]:
    """Return the four frames of a session's video, cut out, and the reasons for what was left out."""
    videos = list_inside(place, folder, (".avi",))
    if not videos:
        return [], [_NO_VIDEO]
    if len(videos) > 1:
        raise DataError(f"{videos[1]}: a second video next to {videos[0].name}; expected one per session")
    video = videos[0]
    present = {path.name.lower(): path for path in list_inside(place, folder)}
    if "session.xml" not in present:
        raise DataError(
            f"{place / 'session.xml'}: not found; it says which side of the face {video.name} shows"
        )
    about = _xml(present["session.xml"])
    track, subject = about.find(".//track"), about.find(".//subject")
    if track is None or track.get("view") is None:
        raise DataError(f"{present['session.xml']}: no element track with the attribute view")
    if track.get("view") not in ("0", "2"):
        return [], [_VIEW]
    identity = (subject is not None and subject.get("id")) or video.stem.upper().partition("-")[0]
    tags, coding = (present.get(f"{video.stem}{ending}".lower()) for ending in (".xml", "-oao_aucs.xml"))
    emotion = _emotion(tags) if tags else ""
    markers, left_out = _markers(coding) if coding else (None, [])
    if not emotion and markers is None:
        return [], [_NO_LABEL]
    if not emotion or markers is None:
        left_out.append(_UNLABELLED if not emotion else _UNCODED)
    fps, frames, dropped, complaint = _read_video(video)
    left_out += [_DROPPED] * dropped + [_COMPLAINT] * bool(complaint)
    if not frames:
        return [], [*left_out, _SHORT]
    crops = _framed(list(frames.values()), size)
    if crops is None:
        return [], [*left_out, sequences.NO_FACE[True]]
    rows = []
    for k, (at, picture) in enumerate(zip(frames, crops, strict=True)):
        frame = Frame(f"{video}, frame {at + 1}", lambda picture=picture: picture)
        labels = {"frame": at + 1, "emotion": emotion and (emotion if k else "neutral"), "fps": fps}
        sequence, codes = f"{number:>04}/{video.stem.upper()}", _codes(markers, at + 1)
        rows.append(FaceRow(frame, f"mmi-{identity}", sequence, labels, codes, cropped=True))
    return rows, left_out


def _xml(path: Path) -> ElementTree.Element:
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError, ValueError, LookupError) as fault:
        raise DataError(f"{path}: not a readable XML file ({fault})") from fault
    for element in root.iter():  # a namespace would hide every element from its name
        element.tag = str(element.tag).rpartition("}")[2]
    return root


def _emotion(path: Path) -> str:
    """Return the emotion of ``<sid>.xml``; empty if there is no code, or another than the six."""
    tags = list(_xml(path).iter("Metatag"))
    if not tags:
        raise DataError(f"{path}: no element Metatag; it should say what is shown")
    values = {tag.get("Value", "").strip() for tag in tags if tag.get("Name") == "Emotion"}
    if len(values) > 1 or not all(re.fullmatch(r"[0-9]{1,9}", value) for value in values):
        raise DataError(
            f"{path}: Metatag Emotion is {', '.join(map(repr, sorted(values)))}; expected one whole number, "
            "1 to 6 for the six emotions"
        )
    codes = {str(int(value)) for value in values}
    return next((emotion for emotion, code in EMOTION_CODES.items() if code in codes), "")


def _markers(path: Path) -> tuple[dict[int, list[tuple[int, int]]], list[str]]:
    """Return AU -> (frame, type) of its markers in order, and what was left out."""
    left_out: list[str] = []
    coding: dict[int, list[tuple[int, int]]] = {}
    root = _xml(path)
    units = list(root.iter("ActionUnit"))
    if not units and root.tag != "ActionUnits":
        raise DataError(f"{path}: no element ActionUnit; it should say which are shown")
    for unit in units:
        number = (unit.get("Number") or "").strip()
        if not re.fullmatch(r"0*[1-9][0-9]?", number):
            left_out.append(_AU_NUMBER)
            continue
        markers = [(marker.get("Frame", ""), marker.get("Type", "")) for marker in unit.iter("Marker")]
        text = "".join([unit.text or "", *(marker.tail or "" for marker in unit)]).strip()
        bad = [each for each in markers if not re.fullmatch(r"[0-9]{1,9} [0-3]", " ".join(each))]
        frames = [int(frame) for frame, _ in markers] if not bad else []
        faults = {
            "occurs twice; expected it once": int(number) in coding,
            f"holds the text {text!r:.60}; expected elements Marker only": text,
            f"has a Marker with Frame and Type {bad[:1]}; expected a frame number, and 0 to 3": bad,
            "has two Markers at one frame": len(set(frames)) < len(frames),
        }
        for fault, true in faults.items():
            if true:
                raise DataError(f"{path}: AU{number} {fault}")
        left_out += [_NO_MARKER] * (not markers) + [_ORDER] * (frames != sorted(frames))
        coding[int(number)] = sorted((int(frame), int(kind)) for frame, kind in markers)
    return coding, left_out


def _codes(markers: Mapping[int, Sequence[tuple[int, int]]] | None, frame: int) -> Codes:
    """Return the AUs present at ``frame``: those whose last marker up to there is not a neutral one."""
    if markers is None:
        return None
    states = {au: [kind for at, kind in marks if at <= frame] for au, marks in sorted(markers.items())}
    return tuple(Code(au) for au, state in states.items() if state and state[-1] != NEUTRAL_MARKER)


def _framed(pictures: list[np.ndarray], size: int) -> list[np.ndarray] | None:
    """Cut out the frames with one window; None if no face is found, upright or on its side."""
    if pictures[0].shape == (size, size):
        return pictures
    for views in (pictures, [np.ascontiguousarray(np.rot90(picture, -1)) for picture in pictures]):
        window = sequences.first_window(views)
        if window:
            return [cut_out(picture, window, size) for picture in views]
    return None


_stderr = threading.Lock()


def _read_video(path: Path) -> tuple[float, dict[int, np.ndarray], int, str]:
    """As ``_decode``, and the decoder's output on stderr: OpenCV reports its errors in no other way."""
    with _stderr, tempfile.TemporaryFile() as log:
        stderr = os.dup(2)
        try:
            os.dup2(log.fileno(), 2)
            video = _decode(path)
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
        log.seek(0)
        return *video, log.read().decode(errors="replace")


def _decode(path: Path) -> tuple[float, dict[int, np.ndarray], int]:
    """Read a video: frames per second; by 0-based position the frames that are used, grey, none of a short
    video; and how many frames the header promises that are missing.

    A recorder that dropped frames counts them all the same: the frames up to the first missing one are the
    video. Raises DataError for a file that is shorter than its header says: it was cut.
    """
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        raise DataError(f"{path}: not a readable video")
    promised, count = int(video.get(cv2.CAP_PROP_FRAME_COUNT)), 0
    while count < promised and video.grab():
        count += 1
    if count < promised and _is_cut(path):
        raise DataError(
            f"{path}: frame {count + 1} of {promised} cannot be read; the video is cut short or damaged"
        )
    positions = sequences.first_and_middle(count) if count >= _LEAST else []
    pictures: dict[int, np.ndarray] = {}
    video = cv2.VideoCapture(str(path))
    for position in range(count if positions else 0):
        success = video.grab()
        if position in positions:
            success, picture = video.retrieve()
            if not success:
                raise DataError(
                    f"{path}: frame {position + 1} of {promised} cannot be read; the video is damaged"
                )
            grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if picture.ndim == 3 else picture
            pictures[position] = grey
    return float(video.get(cv2.CAP_PROP_FPS)), pictures, promised - count


def _is_cut(path: Path) -> bool:
    """Return whether a file of the RIFF family, as AVI is, ends before the size that its header gives."""
    with open_regular(path) as file:
        head = file.read(8)
        return head[:4] == b"RIFF" and file.seek(0, os.SEEK_END) < int.from_bytes(head[4:], "little")
