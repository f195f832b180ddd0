"""How people show an emotion: variants of each expression, and the AU intensities of one face.

The combinations follow the prototypes and major variants of the FACS literature (Ekman, Friesen & Hager 2002)
and the emotion criteria of CK+ (Lucey et al. 2010). Their shares, probabilities and intensities are
choices of this generator, made so that no AU follows from the emotion: every expression has a variant that
lacks its leading AU, and every AU belongs to several expressions.
"""

from dataclasses import dataclass, fields

import numpy as np

from synthetic_faces.errors import SettingError, require_between
from synthetic_faces.expressions_web import NATURAL
from synthetic_faces.facs import AUS, SIDED, resolve_alternatives
from synthetic_faces.variants import variants

EMOTIONS = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
LABELS = (*EMOTIONS, "repression", "other")
"""What people show: emotions, and what sets of micro-expressions name beside them."""

FAINT = 0.05
"""What moves less than this share of the full expression does not move: nobody could code it."""

_LOPSIDED = 0.3
# A weak AU27 would be no other than AU26.
_EXTRAS = tuple(au for au in AUS if au != "AU27")


VARIANTS = {
    "neutral": variants("1:"),
    "anger": variants(
        ".38: 4 .95 .95, 7 .75 .8, 23 .92 .85, 17 .6 .5, 5 .35 .5, 24 .1 .5, 15 .06 .3",
        ".30: 4 .95 .9, 7 .75 .85, 24 .92 .85, 17 .75 .55, 5 .25 .4, 15 .1 .35, 14 .08 .3",
        # Shouting: the teeth are shown.
        ".15: 4 .95 1, 5 .6 .6, 7 .6 .7, 9 .3 .5, 10 .75 .6, 16 .3 .3, 22 .4 .3, 25 .95 .7, 26 .4 .5",
        # Held back: eyes and lips only.
        ".07: 7 .95 .95, 23 .6 .9, 24 .7 .9, 17 .85 .7, 5 .3 .5",
        ".10: 4 1 1, 9 .6 .6, 7 .8 .8, 17 .4 .4, 10 .3 .4, 23 .3 .5, 2 .15 .4",
    ),
    "contempt": variants(
        ".44 half: 14 .97 .95, 12 .35 .4, 2 .12 .5, 15 .06 .3",
        ".34 half: 12 .95 .7, 14 .9 .9",
        ".12 half: 10 .95 .75, 12 .6 .45, 14 .35 .4",
        ".10: 14 .9 .85, 24 .7 .5, 23 .5 .5, 17 .4 .4, 7 .25 .4, 4 .2 .4",
    ),
    "disgust": variants(
        ".38: 9 .97 .95, 4 .5 .4, 7 .5 .5, 17 .65 .55, 10 .25 .4, 24 .18 .4, 23 .12 .4, 6 .15 .35",
        ".25: 9 .95 .9, 10 .7 .6, 25 .8 .5, 16 .3 .35, 6 .3 .4, 7 .4 .5, 4 .35 .35, 26 .12 .3",
        ".22: 10 .97 .95, 25 .6 .5, 17 .4 .5, 15 .3 .45, 6 .25 .35, 4 .3 .4, 20 .12 .4",
        ".15: 9 .9 .85, 15 .8 .6, 17 .7 .6, 16 .15 .3, 14 .15 .35, 23 .15 .4, 43 .1 .4",
    ),
    "fear": variants(
        ".42: 1 .97 1, 2 .7 .6, 4 .92 .75, 5 .85 .9, 20 .92 .95, 25 .75 .5, 26 .3 .4, 7 .25 .35",
        ".26: 1 .95 .95, 4 .95 .8, 20 .9 .85, 25 .7 .5, 5 .4 .6, 2 .3 .5, 7 .35 .4",
        ".12: 1 .9 .85, 2 .8 .6, 5 .95 1, 25 .7 .5, 26 .5 .45, 27 .5 .6, 4 .7 .7, 20 .7 .8",
        # The brows stay where they are.
        ".20: 5 .85 .9, 20 .95 .95, 25 .8 .6, 4 .6 .7, 7 .2 .3, 1 .25 .6, 12 .08 .3, 15 .08 .3",
    ),
    "happiness": variants(
        ".42: 6 .92 .85, 12 .99 .85, 25 .97 .6, 26 .15 .3, 7 .2 .4, 1 .04 .3",
        ".20: 6 .8 .7, 12 .98 .75, 14 .15 .3, 17 .06 .3",
        ".14: 12 .98 .75, 25 .7 .4, 6 .15 .3, 2 .1 .4, 1 .1 .3",
        ".14: 6 .95 .95, 12 .99 1, 25 1 .7, 26 .85 .55, 27 .1 .5, 7 .3 .4",
        # A smile held back: dimples in the place of raised corners.
        ".10: 6 .9 .7, 14 .9 .65, 12 .15 .3, 24 .25 .35, 7 .4 .5",
    ),
    "sadness": variants(
        ".38: 1 .95 1, 4 .75 .55, 15 .92 .95, 17 .65 .5",
        ".20: 1 .97 1, 4 .9 .65, 17 .85 .7, 43 .25 .35, 7 .2 .35, 24 .15 .4, 23 .25 .4, 14 .2 .3",
        ".20: 6 .8 .5, 15 .97 1, 17 .8 .65, 4 .35 .5, 1 .15 .5, 7 .2 .35",
        # Crying.
        ".12: 1 .9 .9, 15 .6 .8, 20 .45 .4, 25 .6 .4, 4 .6 .5, 10 .1 .3, 6 .3 .4",
        ".10: 4 .7 .6, 15 .95 1, 17 .9 .7, 14 .2 .35, 43 .2 .3",
    ),
    "surprise": variants(
        ".40: 1 .97 1, 2 .97 1, 5 .85 .85, 27 .95 .8, 25 1 .7",
        ".30: 1 .97 1, 2 .97 1, 5 .7 .75, 26 .95 .85, 25 1 .6, 20 .1 .4",
        ".06: 1 .95 1, 2 .95 1, 5 .9 .8, 14 .05 .3",
        # The brows stay where they are.
        ".12: 5 .97 1, 26 .9 .8, 25 1 .6, 1 .15 .5, 4 .1 .4",
        ".12: 2 .95 1, 1 .5 .7, 5 .8 .8, 26 .75 .6, 20 .15 .4, 12 .1 .4",
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


@dataclass(frozen=True)
class Spread:
    """How far pictures of one emotion differ. All in [0, 1]; ``intensity`` is a (low, high) pair.

    ``jitter``: relative standard deviation of each AU; ``drop``: chance that an AU of the variant is missing
    beyond the variant's own; ``extra``: chance, twice per face, of a further weak AU that the emotion does
    not call for (a neutral face too); ``one_sided``: chance that an AU of the variant is shown on one half
    only; ``asymmetry``: largest share by which one half of a face is weaker, in three faces of ten.
    ``natural``: the variants are those of pictures on the web, ``expressions_web.NATURAL``, where there are
    any.
    """

    intensity: tuple[float, float] = (0.75, 1.0)
    jitter: float = 0.12
    drop: float = 0.02
    extra: float = 0.08
    one_sided: float = 0.01
    asymmetry: float = 0.3
    natural: bool = False

    def __post_init__(self) -> None:
        require_between(self, **{field.name: (0, 1) for field in fields(self)})


@dataclass(frozen=True)
class Expression:
    """What one face shows: ``intensities`` (len(AUS), 2) of its left and right half, and the ``strength`` in
    [0, 1] of the whole: the factor on the variant's intensities.
    """

    intensities: np.ndarray
    strength: float


def draw_expression(emotion: str, rng: np.random.Generator, spread: Spread) -> Expression:
    """A face that shows ``emotion``, one of ``LABELS``; raises SettingError for any other.

    Variants, missing and additional AUs and the spread of intensity make sure that the AUs do not follow from
    the emotion. At least one AU of the variant is shown. AUs that exclude each other are resolved by
    ``resolve_alternatives``.
    """
    if emotion not in LABELS:
        raise SettingError(f"no emotion {emotion!r}; the emotions are {', '.join(LABELS)}")
    variants = NATURAL.get(emotion, VARIANTS[emotion]) if spread.natural else VARIANTS[emotion]
    variant = variants[rng.choice(len(variants), p=[v.share for v in variants])]
    strength = float(rng.uniform(*spread.intensity))
    shown = {au: rng.random() < p * (1 - spread.drop) for au, (p, _) in variant.aus.items()}
    if shown and not any(shown.values()):
        shown[max(variant.aus, key=lambda au: np.prod(variant.aus[au]))] = True

    intensities = np.zeros((len(AUS), 2))
    strong = rng.integers(2)
    for au, (_, full) in variant.aus.items():
        row = AUS.index(au)
        value = full * strength * (1 + spread.jitter * rng.standard_normal())
        alone, half, pulled = rng.random() < spread.one_sided, rng.integers(2), rng.uniform(0, 0.15)
        if shown[au]:
            intensities[row] = value
            if SIDED[row] and (variant.one_sided or alone):
                # A unilateral movement pulls the other half along a little.
                intensities[row, 1 - (strong if variant.one_sided else half)] *= pulled
    for _ in range(2):
        if rng.random() < spread.extra:
            row = AUS.index(_EXTRAS[rng.integers(len(_EXTRAS))])
            intensities[row] = np.maximum(intensities[row], rng.uniform(0.1, 0.4))
    if rng.random() < _LOPSIDED:
        intensities[SIDED, rng.integers(2)] *= 1 - rng.uniform(0, spread.asymmetry)
    intensities = np.clip(intensities, 0, 1)
    intensities[intensities < FAINT * strength] = 0
    return Expression(resolve_alternatives(intensities), strength)
