"""Picture files of a data set: listed, opened as grey, and cut to one framing.

Every reader brings its pictures to ``size`` × ``size`` pixels, framed as the synthetic faces are, so
that what was learned on one set can be tried on another. The readers of clips find the window once
per clip and cut every frame with it: a window found anew in each frame would tremble, and pass for motion.
"""

import os
import re
import struct
import threading
import unicodedata
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from ferbook.errors import DataError
from ferbook.files import open_regular
from synthetic_faces.framing import DOWN, EYE_TO_EYE, EYES_TO_LIPS, HALF_SIDE

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
"""Endings, in lower case, of the picture files that the official layouts hold."""

RIGHT_EYE, LEFT_EYE, LIPS = slice(36, 42), slice(42, 48), slice(48, 60)
"""Points of the 68 of iBUG: the contour of the subject's right and left eye, and the outer contour of the
lips.
"""

_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "GIF", "WEBP")
"""What is opened, whatever the ending says: for PostScript, say, Pillow would start another program."""

_LITTER = ("thumbs.db", "desktop.ini", "__macosx")
_EIGHT_BIT = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
DAMAGE = (
    *(OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError),
    *(AttributeError, RuntimeError, struct.error, zlib.error, zipfile.BadZipFile),
    *(Image.DecompressionBombError, MemoryError),
)
"""What Pillow, zipfile and openpyxl raise for damaged files: SyntaxError and the later ones for damaged
headers and XML, RuntimeError for encrypted archives.
"""


warnings.filterwarnings("ignore", module="PIL")
# What matters of it is an error here; with Pillow's words and its own file's path nobody can do anything.

_DARK = 1 << 4
"""Brightest upper byte of a 16-bit picture below which it is taken for one of 8, 10 or 12 bits."""

_LONGEST_SIDE = 1 << 16
"""Pixels; a longer picture would take gigabytes to be resized."""

_BITS_PER_SAMPLE = 258
"""The TIFF tag."""

_FOREIGN = {
    rb".{4}ftyp(hei|hev|mif1|msf1)": "HEIC, as iPhones save",
    rb".{4}ftypavi[fs]": "AVIF",
    rb".{4}ftyp|RIFF.{4}AVI|\x1aE\xdf\xa3": "a video",
    rb"\x00{3}\x0cJXL |\xff\x0a": "JPEG XL",
    rb"\x00{3}\x0cjP  |\xffO\xffQ": "JPEG 2000",
    rb"8BPS": "a Photoshop file",
    rb"%PDF": "PDF",
    rb"%!PS": "PostScript",
    rb"PK\x03\x04": "a zip archive",
    rb"version https://git-lfs": "a pointer of Git LFS instead of the picture",
    rb"(\xef\xbb\xbf)?\s*<(\?xml|svg|!doctype|html)": "a web page or a drawing (HTML, XML, SVG)",
}
"""First bytes of files that are called pictures and cannot be opened, as a pattern -> what they are."""


@dataclass(frozen=True)
class Window:
    """A square of a picture, in its pixels: x = 0 is the left edge, y = 0 the upper one. It may reach
    beyond.
    """

    left: float
    top: float
    side: float

    def scale(self, landmarks: np.ndarray, size: int) -> np.ndarray:
        """``landmarks`` (..., 2), x then y in the whole picture, as they lie in the window cut to
        ``size``.
        """
        return (np.asarray(landmarks, np.float64) - (self.left, self.top)) * (size / self.side)


def is_litter(path: Path) -> bool:
    """Whether ``path`` is what file managers leave behind (``.DS_Store``, ``Thumbs.db``, ``__MACOSX`` …)."""
    return path.name.startswith(".") or path.name.lower() in _LITTER


def require_inside(path: Path, folder: Path) -> Path:
    """``path``, unless it is a link, or below one that leaves ``folder``: then DataError.

    A link out would put files into the set that its owner never placed there, one within it would count
    files twice. ``folder`` itself may be a link.
    """
    try:
        target, is_link = path.resolve(), path.is_symlink()
    except (OSError, RuntimeError) as fault:  # RuntimeError: a circle of links, in Python below 3.13
        place = (
            str(path) if len(path.name) < 256 else f"{path.parent}: a name of {len(path.name):,} characters"
        )
        raise DataError(f"{place}: leads nowhere ({getattr(fault, 'strerror', fault)})") from fault
    if not target.is_relative_to(folder.resolve()):
        within = Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder))
        what = "a link" if within else "a path"
        raise DataError(f"{path}: {what} that leaves {folder}; put the file itself there")
    if path != folder and is_link:
        raise DataError(f"{path}: a link to {target}, which would count twice; put the file itself there")
    if target.exists() and not (target.is_file() or target.is_dir()):
        raise DataError(f"{path}: neither a file nor a folder; take it away")  # a pipe would wait for ever
    return path


def list_inside(place: Path, folder: Path, suffixes: Sequence[str] = ()) -> list[Path]:
    """What lies directly in ``place``, sorted by name in either case, without litter, of the set ``folder``.

    With ``suffixes`` (lower case) only files with one of these endings. Raises DataError where
    ``place`` cannot be listed, where it or an entry is a link that leaves ``folder``, and for a name that is
    not UTF-8, which no table could hold.
    """
    try:
        entries = sorted(
            require_inside(place, folder).iterdir(), key=lambda entry: (entry.name.casefold(), entry.name)
        )
    except OSError as fault:
        raise DataError(f"{place}: cannot be listed ({fault.strerror}); expected a folder") from fault
    entries = [entry for entry in entries if not is_litter(entry)]
    if suffixes:
        entries = [entry for entry in entries if entry.suffix.lower() in suffixes]
    for entry in entries:
        try:
            entry.name.encode()
        except UnicodeEncodeError as fault:
            raise DataError(
                f"{place}: the name {os.fsencode(entry.name)!r} is not UTF-8; rename it"
            ) from fault
    return [require_inside(entry, folder) for entry in entries]


def require_file(path: Path, folder: Path, place: str = "") -> Path:
    """``path``, a regular file in ``folder`` or below it. DataError, that begins with ``place`` or ``path``,
    for anything else; it names a file that is called so in another letter case.
    """
    require_inside(path, folder)
    if not os.path.isfile(path):
        beside = path.parent.iterdir() if path.parent.is_dir() else ()
        names = [e.name for e in beside if e.name != path.name and e.name.casefold() == path.name.casefold()]
        hint = f"; there is {names[0]!r}: mind the letter case" if names else ""
        what = "is a folder, not a file," if os.path.isdir(path) else "not found"
        raise DataError(f"{place or path}: {path.name!r} {what} in {path.parent}{hint}")
    return path


def named_file(folder: Path, name: str) -> Path:
    """The file that a table calls ``name``, a path below ``folder``. Where none is called so to the letter:
    with backslashes, as Windows writes them, or accents in another Unicode form than on the disk.
    """
    path = folder / name
    if os.path.lexists(path):  # False, too, of a name that is longer than the disk allows
        return path
    path = folder
    for part in PurePosixPath(name.replace("\\", "/")).parts:
        plain = unicodedata.normalize("NFC", part)
        beside = sorted(path.iterdir()) if path.is_dir() and not os.path.lexists(path / part) else ()
        same = (each for each in beside if unicodedata.normalize("NFC", each.name) == plain)
        path = next(same, path / part)
    return path if os.path.lexists(path) else folder / name


def pictures_below(place: Path, folder: Path) -> set[Path]:
    """The pictures in ``place`` and below; ``folder`` is the data set's own."""
    inner = [entry for entry in list_inside(place, folder) if entry.is_dir()]
    return {*list_inside(place, folder, SUFFIXES)}.union(*(pictures_below(entry, folder) for entry in inner))


def add_once(entries: dict, key: object, path: Path, what: str) -> None:
    """Enter ``path`` under ``key``; DataError that names both where ``key``, a ``what``, has one already."""
    if key in entries:
        raise DataError(f"{path}: a second {what}, beside {entries[key]}; keep one")
    entries[key] = path


def read_grey(path: Path, file: BinaryIO | None = None) -> np.ndarray:
    """Read a picture in grey.

    8-bit colour becomes grey by ITU-R 601 luma, 0.299 R + 0.587 G + 0.114 B. 16-bit grey is divided by 257
    and rounded; of 16-bit colour Pillow keeps the upper byte. Transparent parts become white: the colours
    below them, which nobody sees, must not decide an answer. An EXIF orientation is ignored, since landmarks
    refer to the pixels as stored; but Pillow itself turns a TIFF upright. Of several pictures in one file the
    first is read.

    Parameters
    ----------
    path
        The file, or the name that messages give to ``file``.
    file
        An open file to read from, such as an entry of an archive.

    Returns
    -------
    np.ndarray
        uint8 (H, W).

    Raises
    ------
    DataError
        A file that is absent, damaged, cut short, too large, wholly transparent, in another format, or of 16
        bits of which only the lower 12 are used.
    """
    try:
        # Not by its path: Pillow would map the raw pixels of a TIFF in the shape that they have once turned.
        with (
            nullcontext(file) if file else open_regular(path) as stream,
            Image.open(stream, formats=_FORMATS) as picture,
        ):
            if max(picture.size) > _LONGEST_SIDE:
                raise Image.DecompressionBombError
            return _grey(path, picture)
    except Image.DecompressionBombError as fault:
        most = f"more than {2 * Image.MAX_IMAGE_PIXELS:,} pixels, or {_LONGEST_SIDE:,} on one side"
        raise DataError(f"{path}: not a readable picture ({most}; make a smaller copy)") from fault
    except UnidentifiedImageError as fault:
        raise DataError(f"{path}: not a readable picture ({_format_of(path, file)})") from fault
    except DAMAGE as fault:
        raise DataError(f"{path}: not a readable picture ({fault})") from fault


def _grey(path: Path, picture: Image.Image) -> np.ndarray:
    hidden, deep = picture.info.get("transparency"), bits_per_channel(picture) > 8
    if picture.mode.startswith("I;16"):
        values = np.asarray(picture).astype(np.uint32)
        _require_range(path, values.max() >> 8, black=not values.any())
        grey = ((values + 128) // 257).astype(np.uint8)
        return np.where(values == hidden, np.uint8(255), grey) if isinstance(hidden, int) else grey
    if picture.mode not in _EIGHT_BIT:
        raise DataError(f"{path}: pixel format {picture.mode}; expected 8-bit grey or colour, or 16-bit grey")
    if deep:
        extrema = np.reshape(picture.getextrema(), (-1, 2))
        _require_range(
            path,
            max(
                high for (_, high), band in zip(extrema, picture.getbands(), strict=True) if band not in "Aa"
            ),
        )
    if picture.has_transparency_data:
        colours = picture.convert("RGBA")
        if not colours.getchannel("A").getbbox():
            raise DataError(f"{path}: wholly transparent; save a copy without transparency")
        white = Image.new("RGBA", picture.size, "white")
        white.alpha_composite(colours)
        picture = white
    return np.asarray(
        picture.convert("L") if picture.mode in ("L", "1") else picture.convert("RGB").convert("L")
    )


def bits_per_channel(picture: Image.Image) -> int:
    """How many bits the file of ``picture``, which is not loaded yet, has for each colour of a pixel: Pillow
    brings 16-bit colour to 8 bits without telling.
    """
    if picture.format == "TIFF":
        return int(np.max(picture.tag_v2.get(_BITS_PER_SAMPLE, 1)))
    return (
        16
        if picture.mode.startswith("I;16") or (picture.format == "PNG" and ";16" in str(picture.tile))
        else 8
    )


def _require_range(path: Path, brightest: int, *, black: bool = False) -> None:
    """Raise DataError where the ``brightest`` upper byte of a 16-bit picture says that it holds 12 bits or
    fewer.
    """
    if brightest < _DARK and not black:
        raise DataError(
            f"{path}: 16 bits, but no value above {256 * _DARK - 1:,} of 65,535: fewer bits in 16? Make a "
            "copy in 8 bits"
        )


def _format_of(path: Path, file: BinaryIO | None) -> str:
    """What a file that Pillow cannot open is, by its first bytes."""
    with nullcontext(file) if file else open_regular(path) as stream:
        stream.seek(0)
        head = stream.read(64)
    names = (name for pattern, name in _FOREIGN.items() if re.match(pattern, head, re.DOTALL | re.IGNORECASE))
    name = next(names, "")
    return f"it is {name}; save a copy as JPEG or PNG" if name else "of no known format" if head else "empty"


def landmark_window(landmarks: np.ndarray, resting: np.ndarray | None = None) -> Window:
    """Compute the window that frames a face as the synthetic ones are framed.

    With the eye line E (mean of the two eyes' centres), the lips L (mean of their outer contour), the eyes d
    apart and E and L h apart, the window's centre is ``x = (E.x + L.x) / 2, y = (1 - DOWN) E.y + DOWN L.y``,
    and half its side is ``HALF_SIDE (0.5 h / EYES_TO_LIPS + 0.5 d / EYE_TO_EYE)``, with the numbers of
    ``synthetic_faces.framing``. ``Renderer`` has the same formula; neither undoes head pose.

    Parameters
    ----------
    landmarks
        (68, 2) points in pixels, iBUG order.
    resting
        (68, 2) points of the same face when neutral, the first frame of its sequence. Then h, d and the place
        of the lips below the eyes come from there, so that an open mouth neither lowers nor shrinks the face.

    Raises
    ------
    DataError
        Points that are not finite or fall together, or lips that are not below the eyes.
    """
    eyes = _eye_line(landmarks)
    rest = landmarks if resting is None else resting
    rest_eyes, rest_lips = _eye_line(rest), np.mean(rest[LIPS], axis=0, dtype=np.float64)
    down = rest_lips - rest_eyes
    height = float(np.hypot(*down))
    apart = float(np.hypot(*(_centre(rest, RIGHT_EYE) - _centre(rest, LEFT_EYE))))
    half = HALF_SIDE * (0.5 * height / EYES_TO_LIPS + 0.5 * apart / EYE_TO_EYE)
    if not (np.isfinite(eyes).all() and np.isfinite(half) and height > 0 and apart > 0):
        raise DataError(
            "landmarks that are not numbers, or eyes and lips in one place; expected 68 points x y"
        )
    if down[1] < abs(down[0]):
        raise DataError("landmarks with the lips not below the eyes; expected x to the right and y downwards")
    x, y = eyes + (0.5, DOWN) * down
    return Window(float(x - half), float(y - half), 2 * half)


def require_within(landmarks: np.ndarray, window: Window, shape: tuple[int, int]) -> None:
    """Raise DataError unless ``landmarks`` (68, 2) and their ``window`` fit a picture of ``shape`` (H, W).

    Proportions or per cent of the picture in place of pixels give a tiny window, those of another picture
    points outside. A tenth of the shorter side is let pass: the jaw may lie outside.
    """
    height, width = shape
    slack, (left, top), (right, bottom) = min(shape) / 10, landmarks.min(0), landmarks.max(0)
    inside = min(left, top) >= -slack and right <= width + slack and bottom <= height + slack
    if not inside or window.side < min(shape) * LEAST_WINDOW:
        raise DataError(
            f"landmarks from ({left:.4g}, {top:.4g}) to ({right:.4g}, {bottom:.4g}) in a picture of "
            f"{width} × {height}; expected pixels, of a face that fills a part of it"
        )


def _centre(landmarks: np.ndarray, part: slice) -> np.ndarray:
    return np.mean(landmarks[part], axis=0, dtype=np.float64)


def _eye_line(landmarks: np.ndarray) -> np.ndarray:
    return 0.5 * (_centre(landmarks, RIGHT_EYE) + _centre(landmarks, LEFT_EYE))


LEAST_WINDOW = 1 / 6
"""The least side of a face's window by landmarks, in shorter sides of the picture; in CK+ it is about a
half.
"""

BOX_TO_SIDE, BOX_DOWN = 1.0, 0.085
"""From the box of OpenCV's detector to the synthetic faces' window: its side, and how much lower its
centre lies, in box sides. Measured on 60 synthetic people (frontal, at rest, 256 px, window 0.13 m): side
1.000 (sd 0.034), down 0.085 (sd 0.013), across 0.004 (sd 0.006); a face was found in each picture."""

SMALLEST_FACE = 0.25
"""The least fraction of a picture's shorter side that a detected face takes; smaller finds are mostly
false.
"""

_detectors = threading.local()


def face_windows(picture: np.ndarray, least: float) -> list[Window]:
    """The windows of all frontal faces in a grey ``picture`` (H, W) whose box is at least ``least`` pixels
    wide.

    OpenCV's Haar cascade ``haarcascade_frontalface_default``, which its package ships, scale factor 1.1, five
    neighbours; the boxes are moved to the framing of the synthetic faces by ``BOX_TO_SIDE`` and ``BOX_DOWN``.
    """
    if not hasattr(_detectors, "frontal"):  # a classifier keeps state while it searches: one per thread
        cascade = Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"
        _detectors.frontal = cv2.CascadeClassifier(str(cascade))
    boxes = _detectors.frontal.detectMultiScale(picture, 1.1, 5, minSize=(round(least), round(least)))
    side = BOX_TO_SIDE
    return [
        Window(x + 0.5 * (1 - side) * box, y + (0.5 + BOX_DOWN - 0.5 * side) * box, side * box)
        for x, y, box, _ in np.asarray(boxes, float).reshape(-1, 4).tolist()
    ]


def find_face(picture: np.ndarray) -> Window | None:
    """Find the largest face in a grey ``picture`` (H, W): its window, or None."""
    windows = face_windows(picture, max(20, SMALLEST_FACE * min(picture.shape)))
    return max(windows, key=lambda window: (window.side, window.left, window.top), default=None)


def cut_out(picture: np.ndarray, window: Window, size: int) -> np.ndarray:
    """Cut ``window`` out of a grey ``picture`` and resize it with an antialiasing filter.

    What lies beyond the picture repeats its edge.

    Returns
    -------
    np.ndarray
        uint8 (``size``, ``size``).

    Raises
    ------
    DataError
        The window does not touch the picture, or is more than four times as wide: damaged landmarks.
    """
    height, width = picture.shape
    right, bottom = window.left + window.side, window.top + window.side
    apart = right <= 0 or bottom <= 0 or window.left >= width or window.top >= height
    if apart or window.side > 4 * max(width, height):
        raise DataError(
            f"a window at ({window.left:.0f}, {window.top:.0f}), {window.side:.0f} wide, "
            f"does not fit a picture of {width} × {height}"
        )
    beyond = (-window.top, bottom - height, -window.left, right - width)
    if max(beyond) > 0:
        margins = [max(0, int(np.ceil(reach))) for reach in beyond]
        picture = np.pad(picture, (tuple(margins[:2]), tuple(margins[2:])), mode="edge")
        window = Window(window.left + margins[2], window.top + margins[0], window.side)
    box = (window.left, window.top, window.left + window.side, window.top + window.side)
    image = Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR, box)
    return np.asarray(image)


def whole(picture: np.ndarray, size: int) -> np.ndarray:
    """Resize the whole of a grey ``picture`` (H, W) to uint8 (``size``, ``size``), for pictures that are
    crops.

    A picture that is not square is squeezed, as is customary with these crops.
    """
    if picture.shape == (size, size):
        return picture
    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR))


def gather_pictures(
    count: int, size: int, load: Callable[[int], np.ndarray | None]
) -> tuple[np.ndarray, np.ndarray]:
    """Call ``load(0)`` … ``load(count - 1)`` in threads.

    Parameters
    ----------
    count
        How many pictures there are.
    size
        Their side in pixels.
    load
        Returns uint8 (``size``, ``size``), or None for a picture to leave out.

    Returns
    -------
    tuple
        uint8 (M, ``size``, ``size``) of those that are not None, and bool (``count``,), which these are.

    Raises
    ------
    Exception
        What ``load`` raises for the lowest number.
    """
    pixels = np.empty((count, size, size), np.uint8)

    def place(row: int) -> bool:
        picture = load(row)
        if picture is not None:
            pixels[row] = picture  # at once: pictures that wait for others would be in memory twice
        return picture is not None

    with ThreadPoolExecutor() as threads:  # at the first error it cancels what has not begun
        present = np.fromiter(threads.map(place, range(count)), bool, count)
    for to, row in enumerate(np.flatnonzero(present)):
        if to != row:
            pixels[to] = pixels[row]
    return pixels[: np.count_nonzero(present)], present
