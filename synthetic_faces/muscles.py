"""How the muscles of one person build each action unit: which targets, how strongly, how evenly."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from synthetic_faces.facs import ACTION_UNITS, SIDES, ActionUnit, builds

# Standard deviation of the logarithm of a person's strength in one AU, cut off at ``STRENGTH_LIMITS``.
STRENGTH = 0.2

STRENGTH_LIMITS = (0.7, 1.4)

# Standard deviation of what one half of a face does more, in every expression, and the other less.
LOPSIDED = 0.08

# How far the tissue around an AU goes along.
ALONG_LIMITS = (0.1, 1.6)

# How deep the wrinkles of an AU become.
WRINKLING = (0.7, 1.4)

# Standard deviation of an AU's mix of the two sets about its person's.
OWN_MIX = 0.25


@dataclass(frozen=True)
class Muscles:
    """How one person's muscles build AUs.

    ``units`` float32 (len(AUS), 3, A): weights of the facial actions at full intensity, of the left half of
    each AU, of the right half, and of what both halves share; ``wrinkling`` (len(AUS),): how deep its
    wrinkles become.
    """

    units: np.ndarray
    wrinkling: np.ndarray


def draw_muscles(
    action_names: list[str],
    makehuman: tuple[float, float],
    rng: np.random.Generator,
    action_units: Mapping[str, ActionUnit] = ACTION_UNITS,
) -> Muscles:
    """Muscles of a person.

    ``makehuman``: (lowest, highest) fraction of MakeHuman's build of an AU, the rest being Face Units'.
    ``action_units``: AU -> how the head's actions build it.
    """
    units = np.zeros((len(action_units), 3, len(action_names)), np.float32)
    column = {name: i for i, name in enumerate(action_names)}
    # Rather one or the other, seldom half way.
    person = rng.beta(0.6, 0.6)
    wrinkling = rng.uniform(*WRINKLING) * rng.uniform(0.7, 1.3, len(units))
    for row, unit in zip(units, action_units.values(), strict=True):
        low, high = makehuman
        mix = low + (high - low) * min(max(person + OWN_MIX * rng.standard_normal(), 0), 1)
        strength = min(
            max(math.exp(STRENGTH * rng.standard_normal()), STRENGTH_LIMITS[0]), STRENGTH_LIMITS[1]
        )
        tilt = LOPSIDED * rng.standard_normal()
        if unit.firm:
            mix, strength, tilt = round(mix), 1.0, 0.0
        recipe: dict[str, float] = {}
        for text, share in (
            (unit.faceunits, 1 - mix),
            (unit.makehuman, mix),
            (unit.along, rng.uniform(*ALONG_LIMITS)),
        ):
            choices = builds(text)
            # Fractions of a Dirichlet distribution of concentration 0.4, which NumPy takes longer to draw.
            gammas = rng.standard_gamma(0.4, len(choices))
            parts = (gammas * (1 / gammas.sum())).tolist() if choices else []
            for build, part in zip(choices, parts, strict=True):
                for action, weight in build.items():
                    recipe[action] = recipe.get(action, 0) + share * part * weight
        for action, weight in recipe.items():
            if "*" not in action:
                row[2, column[action]] = weight * strength
                continue
            for half, more in enumerate((tilt, -tilt)):
                row[half, column[action.replace("*", SIDES[half])]] = weight * strength * (1 + more)
    return Muscles(units, wrinkling)
