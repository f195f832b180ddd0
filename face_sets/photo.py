"""Faces in any picture: found, and cut out as the pictures of a face set are framed."""

import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from face_sets.readers.pictures import (
    DAMAGE,
    Window,
    bits_per_channel,
    cut_out,
    face_windows,
    read_grey,
    whole,
)
from ferbook.errors import DataError

# Shorter side in pixels to which a picture is scaled for the search for faces, larger and smaller ones alike.
SEARCHED_AT = 320

# Longest side in pixels that is searched: in a narrow strip, the shorter one is then less than
# ``SEARCHED_AT``.
_LONGEST = 4 * SEARCHED_AT

# The least fraction of the shorter side for a face: first that of the readers, and a smaller one only if no
# face is found. Smaller finds are more often false.
_SMALLEST = (0.25, 0.1)

# Margin added on every side, as a fraction of the shorter one, by repeating the edge: the detector misses
# faces that fill a picture.
ROOM = 0.25

# The EXIF tag.
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Framing:
    """Position of a face set's pictures relative to the window of ``find_faces``.

    Attributes
    ----------
    side : float
        Side of the set's picture in window sides.
    down : float
        How much lower its centre is, in window sides.
    """

    side: float = 1.0
    down: float = 0.0


# Medians over up to 400 pictures of each set (FER2013: those in which a face is found, 76 %), enlarged to 192
# pixels with a margin. Other sets are framed as by ``find_faces``, real ones by their readers (lab, game and
# micro: sides 1.01, 0.98 and 0.99 of 150, 150 and 114 pictures, seed 3); the framing of the crops that come
# with TFD is not known here.
FRAMINGS: dict[str, Framing] = {
    "wild": Framing(1.02, -0.06),
    "fer2013": Framing(1.02, -0.08),
    "ferplus": Framing(1.02, -0.08),
}


def read_photo(path: Path) -> np.ndarray:
    """Read the picture at ``path`` in grey, uint8 (H, W), upright as its EXIF orientation says.

    Raises DataError for an absent file, a folder, and whatever ``read_grey`` refuses.
    """
    if os.path.isdir(path):  # also False for a name that is too long
        raise DataError(f"{path}: a folder; name the pictures in it, as {path / '*.jpg'}")
    if not os.path.exists(path):
        raise DataError(f"{path}: no such file")
    picture = Image.fromarray(read_grey(path))
    with Image.open(path) as image:
        if image.format != "TIFF":  # which Pillow turned while loading
            picture.getexif()[_ORIENTATION] = _orientation(image)
    return np.asarray(ImageOps.exif_transpose(picture))


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation of ``image``; 1, upright, if the tag is absent or not legible."""
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except DAMAGE:
        return 1
    return orientation if isinstance(orientation, int) else 1


def find_faces(picture: np.ndarray) -> list[Window]:
    """Find the frontal faces in a grey ``picture`` (H, W).

    Returns
    -------
    list of Window
        In the framing of the readers, the largest first.
    """
    height, width = picture.shape
    scale = min(SEARCHED_AT / min(height, width), _LONGEST / max(height, width))
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    view = cv2.resize(picture, shape, interpolation=interpolation)
    room = round(ROOM * SEARCHED_AT)
    view = cv2.copyMakeBorder(view, room, room, room, room, cv2.BORDER_REPLICATE)
    for least in _SMALLEST:
        candidates = face_windows(view, least * SEARCHED_AT)
        windows = [
            Window((w.left - room) / scale, (w.top - room) / scale, w.side / scale) for w in candidates
        ]
        # The repeated edge has only stripes, and no face.
        windows = [w for w in windows if 0 < w.left + w.side / 2 < width and 0 < w.top + w.side / 2 < height]
        if windows:
            break
    return sorted(windows, key=lambda window: (-window.side, window.left, window.top))


def look_closer(picture: np.ndarray, window: Window) -> Window:
    """Find the face of ``window`` again in a part of ``picture`` twice as wide, if it takes less than half of
    the shorter side.

    For a small face the detector's first result is coarse: synthetic faces of 96 pixels in pictures of 640 ×
    480 were framed with an overlap (intersection over union) of .68 with their own window, and of .93 after
    the second search.
    """
    if window.side > 0.5 * min(picture.shape):
        return window
    around = Window(window.left - 0.5 * window.side, window.top - 0.5 * window.side, 2 * window.side)
    windows = face_windows(cut_out(picture, around, SEARCHED_AT), 0.3 * SEARCHED_AT)
    if not windows:
        return window
    scale = SEARCHED_AT / around.side
    best = max(windows, key=lambda w: w.side)
    return Window(around.left + best.left / scale, around.top + best.top / scale, best.side / scale)


def frame_as(window: Window, framing: Framing) -> Window:
    """Move and scale ``window`` of ``find_faces`` to ``framing``."""
    side = framing.side * window.side
    left = window.left + 0.5 * (window.side - side)
    top = window.top + 0.5 * (window.side - side) + framing.down * window.side
    return Window(left, top, side)


def crop_face(picture: np.ndarray, size: int, faces_like: str) -> tuple[np.ndarray, Window, int] | None:
    """Cut out the largest face in a grey ``picture`` (H, W), framed like the set ``faces_like``.

    Returns
    -------
    tuple or None
        uint8 (``size``, ``size``), its window, and how many faces were found; None where there was none.
    """
    windows = find_faces(picture)
    if not windows:
        return None
    window = frame_as(look_closer(picture, windows[0]), FRAMINGS.get(faces_like.partition("/")[0], Framing()))
    return cut_out(picture, window, size), window, len(windows)


def face_of(
    path: Path, size: int, faces_like: str, *, cropped: bool = False
) -> tuple[np.ndarray, np.ndarray, Window | None, int]:
    """Read the picture at ``path`` and cut out its largest face.

    Parameters
    ----------
    path
        A picture file.
    size
        Side of the crop in pixels.
    faces_like
        The face set whose framing is used.
    cropped
        The picture is a cropped face already, and is used whole, squeezed where not square.

    Returns
    -------
    tuple
        The picture uint8 (H, W), and what ``crop_face`` returns; no window and 0 faces where ``cropped``.

    Raises
    ------
    DataError
        As ``read_photo``, and where no face is found.
    """
    picture = read_photo(path)
    if cropped:
        return picture, whole(picture, size), None, 0
    face = crop_face(picture, size, faces_like)
    if face is None:
        height, width = picture.shape
        raise DataError(
            f"{path}: no face found in {width:,} × {height:,} pixels; where the picture is the crop of a "
            "face already, give --cropped"
        )
    return picture, *face


def changes(path: Path) -> list[str]:
    """List what ``read_photo`` changes of the picture at ``path``, or leaves out, in a few words each."""
    with Image.open(path) as image:
        mode, pictures, deep = image.mode, getattr(image, "n_frames", 1), bits_per_channel(image) > 8
        turned = _orientation(image) > 1  # Pillow turned a TIFF while loading
        seen_through = image.has_transparency_data and image.convert("RGBA").getextrema()[3][0] < 255
    notes = {
        f"the first of {pictures:,} pictures in the file": pictures > 1,
        "turned upright, as its EXIF data say": turned,
        "brought from 16 bits to 8": deep,
        "transparent parts made white": seen_through,
        "inks (CMYK) made grey": mode == "CMYK",
    }
    return [words for words, true in notes.items() if true]
