"""The page of ``ferbook explain``: one HTML file that needs no other, in light and dark, wide and narrow."""

import base64
import io
import shlex
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image, ImageDraw

from book.explain import Explanation
from book.photographs import PhotographAnswer, worth_on_photographs
from book.yardstick import USUAL
from ferbook.text import bounds_text, number_text
from synthetic_faces.facs import ACTION_UNITS

PAGE = Path(__file__).with_name("explain.html")
"""The template of the page, which has all its words."""

HEAT = np.array([0xD5, 0x5E, 0x00])
"""Vermilion of Okabe and Ito, as in the atlas of filters."""

_LONGEST = 640
"""Pixels of the longer side at which the whole picture is shown."""

ENLARGED = 4
"""Pixels of the page for each pixel of the network's picture."""

FINEST = 0.001
"""A probability nearer to 0 or 1 than this is shown as this."""

UNDECIDED = 0.5
"""Probability below which all other emotions together are likelier than the first."""


def explanation_page(explanation: Explanation, photograph: PhotographAnswer | None = None) -> str:
    """The whole page, HTML; in front what networks of photographs say, where they were evaluated."""
    templates = Environment(
        loader=FileSystemLoader(PAGE.parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    templates.filters |= {"bounds": bounds_text, "chance": _chance, "number": number_text, "share": _share}
    templates.filters |= {"quoted": shlex.quote, "unit": _unit, "webp": _webp}
    first = explanation.probabilities[0]
    energies = [np.abs(explanation.projections.whole(place)) for place in range(len(explanation.strongest))]
    return templates.get_template(PAGE.name).render(
        vars(explanation),
        agreeing=int((explanation.probabilities.argmax(axis=1) == first.argmax()).sum()),
        enlarged=np.kron(explanation.crop, np.ones((ENLARGED, ENLARGED), np.uint8)),
        finest=FINEST,
        framed=None if explanation.window is None else _framed(explanation),
        photograph=photograph,
        worth=worth_on_photographs(explanation.learned[0].name),
        order=np.argsort(-first, kind="stable"),
        tiles=[
            (answer, heated(explanation.crop, energy), _place(energy))
            for answer, energy in zip(explanation.strongest, energies, strict=True)
        ],
        undecided=UNDECIDED,
        usual_share=USUAL,
    )


def _share(value: float) -> str:
    return number_text(float(value), "share")


def _chance(value: float) -> str:
    """A probability in words of which none says that something is certain, or impossible."""
    if value > 1 - FINEST:
        return f"more than {_share(1 - FINEST)}"
    return _share(value) if value >= FINEST else f"less than {_share(FINEST)}"


def _unit(au: str) -> str:
    return f"{au}, {ACTION_UNITS[au].name}" if au in ACTION_UNITS else au


def _webp(pixels: np.ndarray) -> str:
    """``pixels`` uint8, grey (H, W) or in colours (H, W, 3), as an address that holds them."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "WEBP", quality=80)
    return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _framed(explanation: Explanation) -> np.ndarray:
    """uint8 (H, W, 3): the whole picture, reduced, with the frame around the face."""
    height, width = explanation.picture.shape
    scale = min(1, _LONGEST / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = Image.fromarray(explanation.picture).resize(size, Image.Resampling.BOX).convert("RGB")
    window = explanation.window
    left, top, side = (scale * value for value in (window.left, window.top, window.side))
    draw = ImageDraw.Draw(image)
    for grow, colour in ((1, "white"), (0, tuple(HEAT.tolist()))):
        box = (left - grow, top - grow, left + side + grow, top + side + grow)
        draw.rectangle(box, outline=colour, width=3 - grow)
    return np.asarray(image)


def _place(energy: np.ndarray) -> str:
    """In which ninth of the crop the centre of ``energy`` (H, W) lies."""
    total = energy.sum() or 1
    row, column = (
        min(int(3 * (energy.sum(axis=1 - axis) @ np.arange(side)) / total / side), 2)
        for axis, side in enumerate(energy.shape)
    )
    return f"{('upper', 'middle', 'lower')[row]} {('left', 'centre', 'right')[column]}"


def heated(crop: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3), ``ENLARGED`` times: the face ``crop`` with ``energy`` (H, W) ≥ 0 laid over it in
    ``HEAT``.
    """
    share = np.sqrt(energy / (energy.max() or 1))
    share, grey = (np.kron(each, np.ones((ENLARGED, ENLARGED)))[:, :, None] for each in (share, crop / 1.0))
    return np.round((1 - 0.85 * share) * (255 + 2 * grey) / 3 + 0.85 * share * HEAT).astype(np.uint8)
