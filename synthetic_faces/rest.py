"""Faces at rest: nobody's is even, and no two people's muscles hold it with the same tone.

Halves of healthy faces differ at rest by millimetres at the mouth's corners, the brows and the lids (Ferrario
et al., J. Oral Maxillofac. Surg. 2001; Springer et al., Plast. Reconstr. Surg. 2007, remembered), and faces
that show nothing look like anger, contempt, sadness or joy by their build alone (Said, Sebe & Todorov,
Emotion 2009; Adams, Nelson, Soto, Hess & Kleck, Cognition & Emotion 2012). What is drawn here belongs to the
person: it is there at rest and in every expression alike, so that only what moves tells an expression. The
spreads are choices of this generator, in shares of the targets.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from synthetic_faces.facs import SIDES


class Trait(NamedTuple):
    """A way in which faces differ at rest: the facial actions at its two ends, with ``*`` for the halves of a
    face, the standard deviation of a person's place between them, and of what one half differs by from it.

    Without an action at one end the trait goes beyond the other's beginning: a lip that is fuller than usual
    is the contrary of one that is rolled in.
    """

    up: str
    down: str
    person: float
    half: float


TRAITS = (
    # The curve of the mouth: corners up or down by about 1.5 mm.
    Trait("mouthSmile*", "mouthFrown*", 0.15, 0.06),
    Trait("mouth-corner-puller-*", "mouth-depression-*", 0.10, 0.05),
    # The height and the slant of the brows.
    Trait("eyebrows-up-*", "eyebrows-down-*", 0.35, 0.15),
    Trait("browOuterUp*", "browDown*", 0.18, 0.10),
    Trait("eyebrows-inner-up-*", "", 0.25, 0.07),
    Trait("eyebrows-extern-up-*", "", 0.22, 0.08),
    # Lids: how far the eye is open, and how firm the lower lid is.
    Trait("eyeWide*", "", 0.22, 0.09),
    Trait("eyeSquint*", "", 0.16, 0.06),
    Trait("cheekSquint*", "", 0.15, 0.06),
    # Lips: fuller or thinner, pressed or loose, pulled to one side, the cheek's corner deeper.
    Trait("mouthRollUpper", "", 0.2, 0.0),
    Trait("mouthRollLower", "", 0.2, 0.0),
    Trait("mouthDimple*", "", 0.14, 0.10),
    Trait("mouthUpperUp*", "", 0.06, 0.04),
    Trait("mouthStretch*", "", 0.10, 0.05),
    Trait("mouthLeft", "mouthRight", 0.09, 0.0),
    Trait("jawLeft", "jawRight", 0.09, 0.0),
    Trait("mouthShrugLower", "", 0.12, 0.0),
    # Nose and the skin beside it.
    Trait("noseSneer*", "", 0.12, 0.06),
)


@dataclass(frozen=True)
class Rest:
    """How one face rests: ``actions`` (A,), the facial actions that it holds, in shares of their targets;
    what is added to the painted brows' height and arch, in metres, and to how far the upper lids hang; and
    how deep, in [0, 1], the lines are that stay: ``folds`` beside the mouth, ``creases`` all others.
    """

    actions: np.ndarray
    brow_height: float
    brow_arch: float
    droop: float
    folds: float
    creases: float


def draw_rest(action_names: list[str], rng: np.random.Generator) -> Rest:
    """How somebody's face rests, on a head with ``action_names`` (A,); what it lacks is left out."""
    weights = np.zeros(len(action_names))
    for up, down, person, half in TRAITS:
        shared = person * rng.standard_normal()
        for side, own in zip(SIDES if "*" in up else ("",), half * rng.standard_normal(2), strict=False):
            held = shared + own
            action = (down if down and held < 0 else up).replace("*", side)
            if action in action_names:
                weights[action_names.index(action)] += abs(held) if down else held
    height, arch, hang = rng.standard_normal(3)
    return Rest(
        weights,
        brow_height=0.002 * height,
        brow_arch=0.002 * arch,
        droop=0.06 * abs(hang),
        folds=0.4 * rng.random(),
        creases=0.35 * rng.random() ** 2,
    )
