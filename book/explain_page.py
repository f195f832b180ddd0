"""The page of ``ferbook explain``: one HTML file that needs no other, in light and dark, wide and narrow."""

import shlex

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import center_of_mass

from book.explain import Explanation
from book.page_parts import TEMPLATES
from book.photographs import PhotographAnswer, worth_on_photographs
from book.yardstick import USUAL
from ferbook.text import number_text
from synthetic_faces.facs import ACTION_UNITS

# Vermilion of Okabe and Ito, as in the atlas of filters.
HEAT = np.array([0xD5, 0x5E, 0x00])

# Pixels of the longer side at which the whole picture is shown.
_LONGEST = 640

# Pixels of the page for each pixel of the network's picture.
ENLARGED = 4

# A probability nearer to 0 or 1 than this is shown as this.
FINEST = 0.001

# Probability below which all other emotions together are likelier than the first.
UNDECIDED = 0.5


def explanation_page(explanation: Explanation, photograph: PhotographAnswer | None = None) -> str:
    """The whole page, HTML; in front what networks of photographs say, where they were evaluated."""
    first = explanation.probabilities[0]
    energies = [np.abs(explanation.projections.whole(place)) for place in range(len(explanation.strongest))]
    return TEMPLATES.get_template("explain.html").render(
        vars(explanation),
        agreeing=int((explanation.probabilities.argmax(axis=1) == first.argmax()).sum()),
        enlarged=magnified(explanation.crop),
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


def _chance(value: float) -> str:
    """A probability in words of which none says that something is certain, or impossible."""
    words = "more than " if value > 1 - FINEST else "less than " if value < FINEST else ""
    return words + number_text(float(np.clip(value, FINEST, 1 - FINEST)), "share")


def _unit(au: str) -> str:
    return f"{au}, {ACTION_UNITS[au].name}" if au in ACTION_UNITS else au


TEMPLATES.filters |= {"chance": _chance, "quoted": shlex.quote, "unit": _unit}


def _framed(explanation: Explanation) -> np.ndarray:
    """uint8 (H, W, 3): the whole picture, reduced, with the frame around the face."""
    reduced, window = Image.fromarray(explanation.picture), explanation.window
    reduced.thumbnail((_LONGEST, _LONGEST), Image.Resampling.BOX, reducing_gap=None)
    scale, image = reduced.width / explanation.picture.shape[1], reduced.convert("RGB")
    left, top, side = (scale * value for value in (window.left, window.top, window.side))
    draw = ImageDraw.Draw(image)
    for grow, colour in ((1, "white"), (0, tuple(HEAT.tolist()))):
        box = (left - grow, top - grow, left + side + grow, top + side + grow)
        draw.rectangle(box, outline=colour, width=3 - grow)
    return np.asarray(image)


def _place(energy: np.ndarray) -> str:
    """In which ninth of the crop the centre of ``energy`` (H, W) lies."""
    centre = center_of_mass(energy) if energy.any() else (0, 0)
    row, column = (int(3 * middle / side) for middle, side in zip(centre, energy.shape, strict=True))
    return f"{('upper', 'middle', 'lower')[row]} {('left', 'centre', 'right')[column]}"


def magnified(picture: np.ndarray) -> np.ndarray:
    """``picture`` (H, W) with each pixel ``ENLARGED`` times as wide and high."""
    return picture.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)


def heated(crop: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3), ``ENLARGED`` times: the face ``crop`` with ``energy`` (H, W) ≥ 0 laid over it in
    ``HEAT``.
    """
    share = np.sqrt(energy / (energy.max() or 1))
    share, grey = (magnified(each)[:, :, None] for each in (share, crop / 1.0))
    return np.round((1 - 0.85 * share) * (255 + 2 * grey) / 3 + 0.85 * share * HEAT).astype(np.uint8)
