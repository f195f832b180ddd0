"""From the light that reaches the camera to the grey picture in a file."""

import io
import math

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from synthetic_faces.capture import Caption, Shot

# Compression from this quality on is none at all.
UNCOMPRESSED = 100


def develop(radiance: np.ndarray, shot: Shot) -> np.ndarray:
    """Turn linear ``radiance`` (S, S) into a picture, uint8 (S, S).

    In the order of a camera and of its file: exposure, gamma, levels, contrast, blur, marks, sensor noise, a
    smaller copy, compression.
    """
    # Darkness rounded to less than no light would have no root, and the whole picture then no levels.
    exposure = np.maximum(radiance.astype(np.float64), 0) * 2.0**shot.exposure
    picture = (1 - np.exp(-1.45 * exposure)) ** (1 / 1.75)
    if shot.levels > 0:
        low, high = np.quantile(picture, (0.01, 0.99))
        contrast = (picture - low) / max(high - low, 0.05)
        picture = np.clip(picture + shot.levels * (contrast - picture), 0, 1)
    if shot.contrast != 1:
        picture = np.clip(picture.mean() + shot.contrast * (picture - picture.mean()), 0, 1)
    if shot.blur > 0.05:
        picture = blurred(picture, shot.blur)
    if shot.caption is not None:
        marks = caption_marks(shot.caption, len(picture))
        picture = picture + shot.caption.strength * marks * (shot.caption.light - picture)
    noise = np.random.default_rng((shot.seed, shot.frame)).standard_normal(picture.shape)
    picture = np.clip(picture + shot.noise * noise, 0, 1)
    if shot.enlargement > 1:
        picture = np.clip(enlarged(picture, shot.enlargement), 0, 1)
    pixels = np.round(255 * picture).astype(np.uint8)
    return compressed(pixels, shot.quality) if shot.quality < UNCOMPRESSED else pixels


def blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    """Apply a Gaussian blur with ``sigma`` in pixels; edges are repeated."""
    return gaussian_filter(picture, sigma, mode="nearest", radius=max(1, math.ceil(3 * sigma)))


def enlarged(picture: np.ndarray, factor: float) -> np.ndarray:
    """Reduce ``picture`` (S, S) to about S / ``factor`` pixels and enlarge it again."""
    size = len(picture)
    small = max(8, round(size / factor))
    image = Image.fromarray(picture.astype(np.float32))
    image = image.resize((small, small), Image.Resampling.BOX).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.float64)


def compressed(pixels: np.ndarray, quality: float) -> np.ndarray:
    """Apply JPEG compression with ``quality`` 1-99 and return uint8 pixels."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=round(quality))
    with Image.open(stream) as image:
        return np.asarray(image.convert("L"))


def caption_marks(caption: Caption, size: int) -> np.ndarray:
    """Draw a line of letter-like marks, each of a few strokes, with smooth edges: (size, size) in [0, 1]."""
    rng = np.random.default_rng(caption.seed)
    scale = 3
    image = Image.new("L", (scale * size, scale * size))
    pen = ImageDraw.Draw(image)
    height = caption.height * scale * size
    step = 0.7 * height
    left, base = caption.left * scale * size, caption.top * scale * size
    for i in range(caption.letters):
        x = left + i * step
        corners = [(x + 0.5 * step * a, base + height * b) for b in (0, 0.5, 1) for a in (0, 1)]
        for _ in range(rng.integers(2, 5)):
            start, end = rng.choice(len(corners), 2, replace=False)
            pen.line([corners[start], corners[end]], fill=255, width=max(1, round(0.14 * height)))
    image = image.resize((size, size), Image.Resampling.BOX)
    return np.asarray(image, dtype=np.float64) / 255
