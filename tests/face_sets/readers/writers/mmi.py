"""Writes what ``face_sets.readers.mmi`` reads."""

import re
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pandas as pd

from face_sets.faceset import FaceSet
from face_sets.readers.mmi import EMOTION_CODES, NEUTRAL_MARKER
from tests.face_sets.readers.writers.facs_codes import codes_of
from tests.face_sets.readers.writers.sequences import named_sequences, shown_emotion

APEX_MARKER, VIDEO_FPS = 2, 25.0


def write_mmi(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as ``Sessions/<n>/`` with XML files and a lossless video (FFV1)
    each.

    The k-th sequence, sorted by subject and sequence, becomes session k; the k-th of the sorted subjects has
    the id k, unless all come from MMI. A video has no gaps: frames are numbered 1, 2, 3 … in their order. AUs
    are written as present or not, frame by frame. Of a sequence of more than four pictures the reader keeps
    four.
    """
    clips = named_sequences(faces, "mmi", re.compile(r"[^\s/]+"), str)
    for number, (identity, _, _, rows) in enumerate(clips, start=1):
        place = folder / "Sessions" / str(number)
        place.mkdir(parents=True)
        sid = f"S{identity.zfill(3) if identity.isdigit() else identity}-{number:03d}"
        coding = _coding(faces, rows)
        write_video(place / f"{sid}.avi", faces.gather(rows))
        session = ElementTree.Element("session", sessionId=str(number))
        ElementTree.SubElement(session, "subject", id=identity)
        ElementTree.SubElement(session, "track", type="Video", filename=f"{sid}.avi", view="0")
        if coding is not None:
            ElementTree.SubElement(session, "annotation", filename=f"{sid}-oao_aucs.xml")
            _write_xml(place / f"{sid}-oao_aucs.xml", coding)
        _write_xml(place / "session.xml", session)
        tags = ElementTree.Element("session")
        ElementTree.SubElement(
            tags, "Metatag", Name="Emotion", Value=shown_emotion(faces, rows, EMOTION_CODES)
        )
        _write_xml(place / f"{sid}.xml", tags)


def _coding(faces: FaceSet, rows: np.ndarray) -> ElementTree.Element | None:
    """The AU coding of one sequence, a marker wherever an AU comes or goes; None where no AU is coded."""
    table: pd.DataFrame = faces.table.iloc[rows]
    codes = codes_of(table.drop(columns="facs", errors="ignore"), letters=False)
    if all(frame is None for frame in codes):
        return None
    root = ElementTree.Element("ActionUnits")
    for au in sorted({code.au for frame in codes for code in frame}):
        unit = ElementTree.SubElement(root, "ActionUnit", Number=str(au))
        before = None
        for position, frame in enumerate(codes, start=1):
            present = any(code.au == au for code in frame)
            if present != before:
                kind = APEX_MARKER if present else NEUTRAL_MARKER
                ElementTree.SubElement(unit, "Marker", Frame=str(position), Type=str(kind))
            before = present
    return root


def _write_xml(path: Path, root: ElementTree.Element) -> None:
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def write_video(path: Path, pictures: np.ndarray) -> None:
    height, width = pictures.shape[1:]
    video = cv2.VideoWriter(
        str(path), cv2.VideoWriter.fourcc(*"FFV1"), VIDEO_FPS, (width, height), isColor=False
    )
    for picture in pictures:
        video.write(picture)
    video.release()
