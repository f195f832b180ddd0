"""A face with each unit, packed for the page on FACS."""

import base64
import io

import numpy as np
from PIL import Image

from book.unit_faces import UnitPictures, unit_codes
from fer_lib.faces.faceset import FaceSet
from ferbook.page.pictures import mosaic
from synthetic_faces.facs import AUS

SIZE = 96
"""Side of a picture in pixels."""

COLUMNS = len(AUS)

QUALITY = 75
"""Of WebP: the sheet takes some 300 kB, a third of what PNG takes."""


def packed(faces: FaceSet) -> UnitPictures:
    """``faces``, as ``book.unit_faces.unit_faces`` makes them, for the page."""
    codes = unit_codes()
    full = [codes.index({au: "E"}) for au in AUS]
    change = np.clip(128 + faces.pixels[full].astype(int) - faces.pixels[0], 0, 255)
    sheet = mosaic(np.concatenate([faces.pixels, change.astype(np.uint8)]), COLUMNS, gap=0)
    sink = io.BytesIO()
    Image.fromarray(sheet).save(sink, "webp", quality=QUALITY, method=6)
    encoded = base64.b64encode(sink.getvalue()).decode()
    return UnitPictures(size=faces.size[0], columns=COLUMNS, sheet=encoded)
