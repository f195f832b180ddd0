"""How people show an emotion: variants of each expression, and the AU intensities of one face.

The combinations follow the prototypes and major variants of the FACS literature (Ekman, Friesen & Hager 2002
and EMFACS: fear 1+2+4+5+20 and 5+20, disgust 9 or 10 with 17 or 16+25, anger 4+5+7 with 23 or 24, sadness
1+4+15 and 6+15, surprise 1+2+5+26 and its parts), the criteria of CK+ (Lucey et al. 2010) and the codes of
RaFD (Langner et al. 2010). How often an AU is among them follows Du, Tao & Martinez (PNAS 2014, table 1;
fractions of people, remembered): happiness 12, 25 and 6 in 51 %; sadness 4, 15, 1 in 60 %, 6 in 50 %, 17 in
67 %; fear 1, 4, 20, 25, 2 in 57 %, 5 in 63 %, 26 in 33 %; anger 4, 7, 24, 17 in 52 %, 23 in 29 %, 10 in 26 %;
surprise 1, 2, 25, 26, 5 in 66 %; disgust 9, 10, 17, 4 in 31 %, 24 in 26 %. The proportions of the variants
and the intensities are choices of this generator, made so that no AU follows from the emotion: every
expression has a variant that lacks its leading AU, and every AU belongs to several expressions.
"""

from dataclasses import dataclass, fields

import numpy as np

from synthetic_faces.errors import SettingError, require_between
from synthetic_faces.expressions_web import NATURAL
from synthetic_faces.facs import AUS, SIDED, resolve_alternatives
from synthetic_faces.variants import variants

# The only table of emotion names; every reader maps its own labels to it.
EMOTIONS = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")

# Labels of expressions: emotions, and the additional classes of sets of micro-expressions.
LABELS = (*EMOTIONS, "repression", "other")

# Probability and range of intensity of independent AUs: as many as in an expression, and clearly visible.
FREE_SHARE, FREE_INTENSITY = 0.17, (0.25, 1.0)

# Movements below this fraction of the full expression are left out: no coder could see them.
FAINT = 0.05

_LOPSIDED = 0.3
# A weak AU27 would be no other than AU26.
_EXTRAS = tuple(au for au in AUS if au != "AU27")


VARIANTS = {
    "neutral": variants("1:"),
    "anger": variants(
        ".30: 4 .95 .95, 7 .85 .8, 24 .92 .85, 17 .55 .5, 23 .25 .5, 10 .2 .35, 5 .3 .5, 15 .05 .3",
        ".24: 4 .93 .95, 5 .75 .65, 7 .85 .8, 23 .92 .9, 17 .5 .5, 24 .25 .5, 14 .05 .3",
        # Shouting: the teeth are shown.
        ".16: 4 .95 1, 5 .65 .65, 7 .65 .7, 9 .25 .5, 10 .8 .65, 16 .4 .4, 22 .4 .4, 25 .95 .8, 26 .45 .6",
        # Held back: eyes and lips only.
        ".08: 7 .95 .95, 23 .6 .9, 24 .7 .9, 17 .85 .7, 5 .3 .5",
        ".10: 4 1 1, 9 .6 .6, 7 .8 .8, 17 .4 .4, 10 .3 .4, 23 .3 .5, 2 .15 .4",
        ".12: 4 .9 .55, 7 .6 .45, 24 .5 .4, 23 .35 .45, 17 .2 .3",
    ),
    "contempt": variants(
        ".38 half: 14 .97 .95, 12 .35 .4, 2 .12 .5, 15 .06 .3",
        ".31 half: 12 .95 .7, 14 .9 .9",
        ".12 half: 10 .95 .75, 12 .6 .45, 14 .35 .4",
        ".11: 14 .9 .85, 24 .7 .5, 23 .5 .5, 17 .4 .4, 7 .25 .4, 4 .2 .4",
        ".08 half: 14 .95 .5, 12 .25 .3, 4 .1 .3",
    ),
    "disgust": variants(
        # Bared upper teeth under a wrinkled nose.
        ".28: 9 .95 .95, 10 .8 .75, 25 .85 .6, 16 .35 .4, 4 .35 .45, 6 .4 .5, 7 .4 .5, 26 .12 .3",
        ".26: 9 .95 .95, 17 .9 .7, 10 .3 .5, 4 .35 .45, 24 .26 .45, 7 .45 .5, 6 .25 .4, 23 .1 .4",
        ".18: 10 .97 .95, 25 .75 .6, 9 .2 .5, 16 .3 .4, 4 .3 .4, 6 .25 .4, 26 .1 .3, 20 .1 .4",
        ".12: 10 .95 .85, 17 .9 .7, 15 .4 .5, 4 .3 .4, 24 .2 .4, 7 .25 .4",
        ".08: 9 .95 .85, 15 .8 .6, 17 .6 .6, 43 .2 .5, 14 .15 .35, 16 .15 .3",
        ".08: 9 .85 .5, 10 .5 .4, 7 .3 .35, 15 .2 .3, 4 .25 .3",
    ),
    "fear": variants(
        # Oblique inner brows, staring eyes, a stretched mouth.
        ".34: 1 .97 1, 4 .95 .85, 20 .93 .95, 25 .85 .6, 2 .5 .6, 5 .75 .9, 26 .3 .45, 7 .15 .35",
        ".20: 1 .95 1, 2 .95 .75, 4 .85 .7, 5 .95 1, 25 .85 .6, 26 .35 .5, 20 .6 .8, 27 .32 .65",
        ".17: 1 .95 .95, 4 .95 .9, 20 .9 .9, 5 .4 .6, 25 .55 .5, 7 .35 .4",
        # The brows do not move.
        ".17: 5 .9 .95, 20 .95 .95, 25 .8 .6, 4 .4 .6, 7 .15 .3, 1 .2 .5, 12 .06 .3, 15 .08 .3",
        ".12: 1 .9 .65, 4 .8 .5, 5 .7 .6, 20 .65 .55, 25 .5 .4, 2 .3 .4",
    ),
    "happiness": variants(
        ".34: 12 .99 .85, 25 .97 .6, 6 .8 .8, 26 .12 .3, 7 .15 .4, 1 .04 .3",
        # Without the eyes.
        ".20: 12 .98 .8, 25 .9 .5, 6 .1 .3, 2 .08 .4, 1 .08 .3",
        ".16: 12 .98 .75, 6 .6 .6, 14 .15 .3, 17 .06 .3",
        # Laughing.
        ".12: 6 .95 .95, 12 .99 1, 25 1 .8, 26 .8 .6, 27 .15 .6, 7 .3 .4",
        # A smile held back: dimples in the place of raised corners.
        ".10: 6 .9 .7, 14 .9 .65, 12 .15 .3, 24 .25 .35, 7 .4 .5",
        ".08: 12 .95 .4, 6 .25 .3, 25 .15 .25, 14 .15 .25",
    ),
    "sadness": variants(
        ".27: 4 .9 .65, 15 .95 .95, 1 .8 .95, 6 .4 .45, 17 .67 .55, 7 .1 .3",
        ".20: 1 .97 1, 4 .85 .65, 15 .85 .75, 17 .35 .4, 43 .15 .35",
        ".15: 1 .97 1, 4 .9 .65, 17 .85 .7, 43 .25 .35, 7 .2 .35, 24 .15 .4, 23 .2 .4, 14 .15 .3",
        ".16: 6 .85 .55, 15 .97 1, 17 .75 .65, 4 .35 .5, 1 .15 .5, 7 .2 .35",
        # Crying.
        ".10: 1 .9 .95, 4 .8 .7, 15 .6 .8, 20 .45 .5, 25 .7 .5, 10 .2 .4, 6 .5 .5, 43 .25 .5",
        ".12: 15 .85 .55, 1 .6 .5, 17 .4 .35, 4 .4 .35, 43 .15 .3",
    ),
    "surprise": variants(
        ".30: 1 .97 1, 2 .97 1, 26 .92 .85, 25 1 .7, 5 .66 .8, 20 .06 .3",
        ".22: 1 .97 1, 2 .97 1, 5 .85 .85, 27 .95 .8, 25 1 .7",
        ".09: 1 .95 1, 2 .95 1, 5 .9 .8, 14 .05 .3",
        ".09: 1 .95 .9, 2 .97 1, 26 .8 .6, 25 .9 .5",
        # The brows do not move.
        ".12: 5 .97 1, 26 .9 .8, 25 1 .6, 1 .15 .5, 4 .1 .4",
        ".09: 2 .95 1, 1 .5 .7, 5 .8 .8, 26 .75 .6, 20 .15 .4, 12 .1 .4",
        ".09: 1 .85 .55, 2 .9 .55, 5 .45 .45, 26 .5 .4, 25 .6 .35",
    ),
    # CASME II: a smile or another feeling that is pressed down by mouth and chin.
    "repression": variants(
        ".25: 15 1 .9, 17 .8 .7, 12 .6 .8, 6 .35 .6, 1 .25 .5",
        ".25: 17 1 .9, 23 .25 .6, 9 .5 .7, 4 .5 .6, 7 .35 .6",
        ".25: 14 1 .9, 17 .35 .5, 12 .75 .8, 6 .5 .6",
        ".15: 24 1 .9, 17 .5 .6, 12 .5 .7, 1 .35 .6, 2 .3 .6, 4 .25 .6",
        ".10 half: 15 1 .9",
    ),
    # CASME II: whatever is no clear emotion, most often a lowered brow.
    "other": variants(
        ".34: 4 1 .9",
        ".26: 4 1 .9, 7 .95 .9",
        ".12 half: 14 1 .9",
        ".08: 7 1 .9",
        ".08 half: 2 1 .9, 1 .4 .6",
        ".06 half: 12 1 .6",
        ".06: 18 .6 .7, 24 .6 .7",
    ),
}


def typical_aus(emotion: str) -> dict[str, float | tuple[float, float]]:
    """Return the AUs of the most frequent variant of ``emotion`` that are more likely shown than not, in
    full.

    Raises SettingError for an emotion that the synthetic faces do not show.
    """
    if emotion not in VARIANTS:
        raise SettingError(f"no expression of {emotion!r}; there are {', '.join(VARIANTS)}")
    variant = max(VARIANTS[emotion], key=lambda v: v.share)
    return {
        au: (full, 0.0) if variant.one_sided else full
        for au, (probability, full) in variant.aus.items()
        if probability > 0.5
    }


@dataclass(frozen=True)
class Spread:
    """How much pictures of one emotion differ. All in [0, 1]; ``intensity`` is a (low, high) pair.

    Attributes
    ----------
    intensity : tuple of float
    jitter : float
        Relative standard deviation of each AU.
    drop : float
        Probability that an AU of the variant is missing, in addition to the variant's own.
    extra : float
        Probability, twice per face, of a further weak AU that does not belong to the emotion (in a neutral
        face too).
    one_sided : float
        Probability that an AU of the variant is shown on one half only.
    asymmetry : float
        Largest proportion by which one half of a face is weaker, in three faces of ten.
    natural : bool
        The variants are those of pictures on the web, ``expressions_web.NATURAL``, if there are any.
    free : bool
        No variant at all: in every expression but the neutral one each AU is shown independently, with the
        probability ``FREE_SHARE`` and an intensity drawn evenly from ``FREE_INTENSITY``, at least one, so
        that no AU predicts another or the emotion.
    """

    intensity: tuple[float, float] = (0.75, 1.0)
    jitter: float = 0.12
    drop: float = 0.02
    extra: float = 0.08
    one_sided: float = 0.01
    asymmetry: float = 0.3
    natural: bool = False
    free: bool = False

    def __post_init__(self) -> None:
        require_between(self, **{field.name: (0, 1) for field in fields(self)})


@dataclass(frozen=True)
class Expression:
    """The expression of one face: ``intensities`` (len(AUS), 2) of its left and right half, and the
    ``strength`` in [0, 1] of the whole, the factor of the variant's intensities.
    """

    intensities: np.ndarray
    strength: float


def draw_expression(emotion: str, rng: np.random.Generator, spread: Spread) -> Expression:
    """Draw a face that shows an emotion.

    Because of variants, missing and additional AUs and the spread of intensity, the AUs do not follow from
    the emotion. At least one AU of the variant is shown. AUs that exclude each other are resolved by
    ``resolve_alternatives``.

    Parameters
    ----------
    emotion : str
        One of ``LABELS``.
    rng : numpy.random.Generator
    spread : Spread

    Returns
    -------
    Expression

    Raises
    ------
    SettingError
        For an unknown emotion.
    """
    if emotion not in LABELS:
        raise SettingError(f"no emotion {emotion!r}; the emotions are {', '.join(LABELS)}")
    if spread.free and emotion != EMOTIONS[0]:
        chances, strengths = rng.random(len(AUS)), rng.uniform(*FREE_INTENSITY, len(AUS))
        # At least one, as of a variant: an expression has some movement.
        shown = strengths * ((chances < FREE_SHARE) | (chances == chances.min()))
        return Expression(resolve_alternatives(np.stack([shown, shown], axis=1)), 1.0)
    variants = NATURAL.get(emotion, VARIANTS[emotion]) if spread.natural else VARIANTS[emotion]
    variant = variants[rng.choice(len(variants), p=[v.share for v in variants])]
    strength = float(rng.uniform(*spread.intensity))
    present = {au: rng.random() < p * (1 - spread.drop) for au, (p, _) in variant.aus.items()}
    if present and not any(present.values()):
        present[max(variant.aus, key=lambda au: np.prod(variant.aus[au]))] = True

    intensities = np.zeros((len(AUS), 2))
    strong = rng.integers(2)
    for au, (_, full) in variant.aus.items():
        row = AUS.index(au)
        value = full * strength * (1 + spread.jitter * rng.standard_normal())
        alone, half, pull = rng.random() < spread.one_sided, rng.integers(2), rng.uniform(0, 0.15)
        if present[au]:
            intensities[row] = value
            if SIDED[row] and (variant.one_sided or alone):
                # A unilateral movement pulls the other half along a little.
                intensities[row, 1 - (strong if variant.one_sided else half)] *= pull
    for _ in range(2):
        if rng.random() < spread.extra:
            row = AUS.index(_EXTRAS[rng.integers(len(_EXTRAS))])
            intensities[row] = np.maximum(intensities[row], rng.uniform(0.1, 0.4))
    if rng.random() < _LOPSIDED:
        intensities[SIDED, rng.integers(2)] *= 1 - rng.uniform(0, spread.asymmetry)
    intensities = np.clip(intensities, 0, 1)
    intensities[intensities < FAINT * strength] = 0
    return Expression(resolve_alternatives(intensities), strength)
