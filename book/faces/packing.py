"""The switchboard's pictures, packed for the page on FACS."""

import base64
import io

import cv2
import numpy as np
from PIL import Image

from book.switchboard import SwitchboardPictures, switchboard_codes
from fer_lib.faces.faceset import FaceSet
from ferbook.page.pictures import mosaic
from synthetic_faces.facs import AUS

SIZE = 96
"""Side of a picture in pixels."""

COLUMNS = len(AUS)

QUALITY = 75
"""Of WebP: the sheet takes some 300 kB, a third of what PNG takes."""


def packed(faces: FaceSet) -> SwitchboardPictures:
    """``faces``, as ``book.switchboard.switchboard_faces`` makes them, for the page."""
    codes = switchboard_codes()
    full = [codes.index({au: "E"}) for au in AUS]
    change = np.clip(128 + faces.pixels[full].astype(int) - faces.pixels[0], 0, 255)
    # A hole that a mask has, such as the eye within its lids, is a path of its own.
    outlines = {
        au: _outline(faces.select([0, k]).mask(au).any(axis=0)) for au, k in zip(AUS, full, strict=True)
    }
    sheet = mosaic(np.concatenate([faces.pixels, change.astype(np.uint8)]), COLUMNS, gap=0)
    sink = io.BytesIO()
    Image.fromarray(sheet).save(sink, "webp", quality=QUALITY, method=6)
    encoded = base64.b64encode(sink.getvalue()).decode()
    return SwitchboardPictures(size=faces.size[0], columns=COLUMNS, sheet=encoded, outlines=outlines)


def _outline(mask: np.ndarray) -> str:
    """The edges of ``mask``, bool (S, S), as an SVG path."""
    edges, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    points = [" ".join(f"{x},{y}" for x, y in edge[:, 0]) for edge in edges if len(edge) > 2]
    return "".join(f"M{each}Z" for each in points)
