"""Action units, how faces look that show them, the facial actions that do it, and which exclude each other.

AU numbers, names, muscles and appearance changes follow the Facial Action Coding System (Ekman, Friesen &
Hager 2002), in words of our own.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from synthetic_faces.errors import SettingError


@dataclass(frozen=True)
class ActionUnit:
    """One AU: its FACS name, the muscle that does it, what it changes in a face, and the facial actions that
    show it at full strength.

    ``faceunits`` and ``makehuman``: how either set of targets builds it, each ``"action weight, …"``, with
    ``*`` for ``Left`` and ``Right``; where there are several builds (``|`` between them) people mix them.
    ``along``: actions of the tissue around, which go along more in some people than in others. ``firm``: all
    people do it alike strongly, with one set or the other.
    """

    name: str
    muscle: str
    appearance: str
    faceunits: str
    makehuman: str
    along: str = ""
    firm: bool = False

    @property
    def sided(self) -> bool:
        """Whether the left and the right half of the face can show it independently."""
        return all("*" in action for build in builds(self.faceunits) for action in build)


@lru_cache
def builds(text: str) -> list[dict[str, float]]:
    """Weights of facial actions, for each of the builds that ``text`` lists."""
    rows = (build.split(",") for build in text.split("|") if build.strip())
    return [{action: float(weight) for action, weight in map(str.split, row)} for row in rows]


ACTION_UNITS = {
    "AU1": ActionUnit(
        "inner brow raiser",
        "frontalis, inner part",
        "the brows' inner ends rise, so that they slant; level folds in the middle of the forehead",
        faceunits="browInnerUp 2.1, browOuterUp* .2",
        makehuman="eyebrows-inner-up-* 2.2, eyebrows-up-* .3",
        along="eyeWide* .1",
    ),
    "AU2": ActionUnit(
        "outer brow raiser",
        "frontalis, outer part",
        "the brows' outer halves rise and arch, the skin of the upper lids is stretched; folds above them",
        faceunits="browOuterUp* 1.8",
        makehuman="eyebrows-extern-up-* 1, eyebrows-up-* 1",
        along="eye-opened-up-* .15",
    ),
    "AU4": ActionUnit(
        "brow lowerer",
        "corrugator supercilii, depressor supercilii, procerus",
        "the brows come down and together and push the upper lids' skin down; upright folds between them",
        faceunits="browDown* 1.4",
        makehuman="eyebrows-down-* 1.5",
        along="eyeSquint* .2",
    ),
    "AU5": ActionUnit(
        "upper lid raiser",
        "levator palpebrae superioris",
        "the upper lids go up: more of the iris is bare, and white above it; the stare of fear and surprise",
        faceunits="eyeWide* 1.1",
        makehuman="eye-opened-up-* 1.25",
    ),
    "AU6": ActionUnit(
        "cheek raiser",
        "orbicularis oculi, outer ring",
        "cheeks go up, skin is drawn to the eye: narrower, full below, crow's feet and a furrow under it",
        faceunits="cheekSquint* 1.7, eyeSquint* .35",
        makehuman="eye-slit-* .35, cheekSquint* 1.3, eye-bag-* .9",
        along="eye-bag-* .4, eyeSquint* .2",
    ),
    "AU7": ActionUnit(
        "lid tightener",
        "orbicularis oculi, inner ring",
        "the lower lid rises and straightens, and the eye becomes a slit",
        faceunits="eyeSquint* 1.1",
        makehuman="eye-slit-* .45, eyeSquint* .3",
        along="cheekSquint* .2",
    ),
    "AU9": ActionUnit(
        "nose wrinkler",
        "levator labii superioris alaeque nasi",
        "skin is pulled up along the nose, which wrinkles; brows' inner ends down, cheeks and upper lip up",
        faceunits="noseSneer* 1.75, mouthUpperUp* .1",
        makehuman="nose-elevation-* 1.4, eyebrows-down-* .6, mouth-elevation-* .15, noseSneer* .4",
        along="mouthUpperUp* .15, browDown* .25, cheekSquint* .35, nose-dilatation-* .6",
    ),
    "AU10": ActionUnit(
        "upper lip raiser",
        "levator labii superioris",
        "the upper lip goes straight up and bends; the fold beside the nose deepens, its wings widen",
        faceunits="mouthUpperUp* 1.1",
        makehuman="mouth-elevation-* 1, nose-elevation-* .3",
        along="cheekSquint* .25, nose-dilatation-* .6",
    ),
    "AU12": ActionUnit(
        "lip corner puller",
        "zygomaticus major",
        "the lips' corners go up and back; cheeks are lifted, the fold beside nose and mouth deepens",
        # The action at 1 moves the corners by 18 mm, wider than any grin.
        faceunits="mouthSmile* .9",
        makehuman="mouth-corner-puller-* 1.2",
        along="cheekSquint* .3, mouth-retraction-* .25",
    ),
    "AU14": ActionUnit(
        "dimpler",
        "buccinator",
        "the lips' corners are drawn inwards and tighten; a dimple or bulge beside them",
        faceunits="mouthDimple* 1",
        makehuman="mouth-retraction-* 1.05, mouth-depression-* .2",
        along="mouthPress* .15",
    ),
    "AU15": ActionUnit(
        "lip corner depressor",
        "depressor anguli oris",
        "the lips' corners go down, so that the line between the lips bends; pouches and lines below them",
        faceunits="mouthFrown* 1.1",
        makehuman="mouth-depression-* 1",
        along="mouthStretch* .15, neck-platysma-* .1",
    ),
    "AU16": ActionUnit(
        "lower lip depressor",
        "depressor labii inferioris",
        "the lower lip goes down and sideways and flattens; lower teeth may show",
        faceunits="mouthLowerDown* 1",
        makehuman="mouth-depression-retraction-* .75",
        along="neck-platysma-* .1",
    ),
    "AU17": ActionUnit(
        "chin raiser",
        "mentalis",
        "the chin's boss goes up and wrinkles and pushes the lower lip up: the mouth bends, corners down",
        faceunits="mouthShrugLower 1.45, chin-boss-up .4",
        makehuman="mouthShrugLower .6, chin-boss-up 1, mouth-depression-* .4, mouth-eversion .45",
        along="mouthShrugUpper .25, mouth-depression-* .2",
    ),
    "AU18": ActionUnit(
        "lip pucker",
        "incisivi labii",
        "the lips are drawn together and forward, as by a string",
        faceunits="mouthPucker 1.3",
        makehuman="mouth-pursing .8",
        along="mouth-eversion .2",
    ),
    "AU20": ActionUnit(
        "lip stretcher",
        "risorius",
        "the lips are drawn sideways and flatten, the mouth is long; cheeks flatten, the neck may tense",
        faceunits="mouthStretch* 1.2",
        makehuman="mouth-retraction-* .7, mouth-depression-* .15, mouthStretch* .45, neck-platysma-* .2",
        along="neck-platysma-* .2",
    ),
    "AU22": ActionUnit(
        "lip funneler",
        "orbicularis oris",
        "the lips turn outwards like a funnel; teeth or gums may show",
        faceunits="mouthFunnel 1",
        makehuman="mouth-protusion .7",
        along="mouth-eversion .25",
    ),
    "AU23": ActionUnit(
        "lip tightener",
        "orbicularis oris",
        "the lips become narrow and hard, their red turns in",
        faceunits="mouthRollUpper .4, mouthRollLower .5, mouthPucker .45",
        makehuman="mouthRollUpper .4, mouthRollLower .4, mouth-pursing .35",
        along="chin-boss-up .2",
    ),
    "AU24": ActionUnit(
        "lip pressor",
        "orbicularis oris",
        "the lips are pressed together and flatten, without the chin being pushed up",
        # mouthPress also lifts the corners, which looks like a smile: kept low.
        faceunits="mouthRollUpper .5, mouthRollLower .5, mouthPress* .25",
        makehuman="mouthRollUpper .6, mouthRollLower .45, mouth-depression-* .12, mouth-retraction-* .15",
        along="mouthDimple* .15",
    ),
    "AU25": ActionUnit(
        "lips part",
        "depressor labii inferioris, or mentalis and orbicularis oris relax",
        "the lips part a little: lower lip, upper lip or jaw; teeth may show",
        # The first is enough to show the upper teeth in a smile: AU12's action lifts the lower lip too.
        faceunits="jawOpen .2, mouthLowerDown* .85, mouthUpperUp* .35 | jawOpen .12, mouthUpperUp* .8 "
        "| jawOpen .3, mouthLowerDown* .3 | mouthShrugUpper .8, mouthLowerDown* .5, jawOpen .1",
        makehuman="mouth-depression-retraction-* .6, mouth-elevation-* .3, jawOpen .1 "
        "| mouth-elevation-* .75, mouth-parling .5, jawOpen .1 | mouth-part-later .55 "
        "| mouth-parling 1, mouth-open .15",
    ),
    "AU26": ActionUnit(
        "jaw drop",
        "masseter, temporalis and inner pterygoid relax",
        "the jaw falls by its weight, the teeth part",
        faceunits="jawOpen .45",
        makehuman="mouth-open .42",
    ),
    "AU27": ActionUnit(
        "mouth stretch",
        "pterygoids, digastric",
        "the jaw is pulled down, the mouth becomes a tall oval and the cheeks flatten",
        faceunits="jawOpen .9",
        makehuman="mouth-open .85",
    ),
    "AU28": ActionUnit(
        "lip suck",
        "orbicularis oris",
        "the lips are sucked in over the teeth: their red disappears",
        faceunits="mouthRollUpper 1, mouthRollLower 1",
        makehuman="mouthRollUpper 1, mouthRollLower 1, mouth-retraction-* .25, chin-boss-up .3",
    ),
    "AU43": ActionUnit(
        "eyes closed",
        "levator palpebrae superioris relaxes",
        "the upper lids come down all the way",
        faceunits="eyeBlink* 1",
        makehuman="eye-closure-* 1",
        firm=True,
    ),
}
AUS = tuple(ACTION_UNITS)
SIDES = ("Left", "Right")
SIDED = np.array([unit.sided for unit in ACTION_UNITS.values()])

ALTERNATIVES = (
    # One jaw: AU27 is the farther end of AU26.
    (("AU26",), ("AU27",)),
    # Lips that are pressed together or sucked in do not part.
    (("AU24", "AU28"), ("AU25", "AU26", "AU27")),
    (("AU23", "AU24"), ("AU28",)),
    # Lips that are pushed forward are neither stretched, pulled up nor rolled in.
    (("AU18", "AU22"), ("AU12", "AU20", "AU24", "AU28")),
    # Lids are raised or closed.
    (("AU5",), ("AU43",)),
)
"""Pairs of groups of AUs of which a face shows one at a time (FACS manual: alternatives, or movements that
undo each other).
"""

OPPOSED = ("AU12", "AU15")
"""Corners of the lips up and down: both can be scored, but not both be strong."""

OPPOSED_LIMIT = 0.3


def resolve_alternatives(intensities: np.ndarray) -> np.ndarray:
    """AU intensities (len(AUS), 2) as one face can show them; the given array is left as it is.

    Of the two groups of each of ``ALTERNATIVES``, in order, the one with the stronger AU stays (the first of
    equals) and the other goes. A jaw that drops parts the lips: AU25 is at least half of AU26 and AU27. The
    weaker of ``OPPOSED`` is at most ``OPPOSED_LIMIT`` on each half of the face.
    """
    levels = intensities.copy()
    for groups in ALTERNATIVES:
        first, second = ([AUS.index(au) for au in group] for group in groups)
        if levels[first].max() > 0 and levels[second].max() > 0:
            levels[second if levels[first].max() >= levels[second].max() else first] = 0
    lips, jaw = AUS.index("AU25"), [AUS.index("AU26"), AUS.index("AU27")]
    levels[lips] = np.maximum(levels[lips], 0.5 * levels[jaw].max())
    up, down = (AUS.index(au) for au in OPPOSED)
    for half in range(len(SIDES)):
        weaker = up if levels[up, half] < levels[down, half] else down
        levels[weaker, half] = min(levels[weaker, half], OPPOSED_LIMIT)
    return levels


STRONGEST_ACTION = 2.6
"""No action goes farther than this times its target: people add strengths, AUs and tissue up."""

TO_THE_END = {action: 1.0 for action in ("jawOpen", "mouth-open", "mouthRollUpper", "mouthRollLower")}
"""Actions whose target is the end of the way."""


def action_weights(intensities: np.ndarray, units: np.ndarray, action_names: list[str]) -> np.ndarray:
    """(A,): the facial actions that show AU ``intensities`` (len(AUS), 2) in somebody with ``units``.

    ``units`` (len(AUS), 3, A): the actions of each AU at full intensity of the left half, of the right half,
    and of the stronger of both, as ``muscles.Muscles`` has them. Where several AUs move the same action they
    add up, to ``STRONGEST_ACTION`` or ``TO_THE_END``. Raises SettingError for intensities out of range.
    """
    if intensities.shape != (len(AUS), 2) or intensities.min() < 0 or intensities.max() > 1:
        raise SettingError(f"intensities must be ({len(AUS)}, 2) values between 0 and 1")
    halves = np.concatenate([intensities, intensities.max(axis=1, keepdims=True)], axis=1)
    # Summed term by term, not by BLAS: its rounding depends on the number of threads.
    weights = (halves[..., None] * units).sum(axis=(0, 1))
    return np.clip(weights, 0, [TO_THE_END.get(name, STRONGEST_ACTION) for name in action_names])
