"""Action units: the appearance of faces that show them, the facial actions that produce it, and the units
that exclude each other.

AU numbers, names, muscles and appearance changes follow the Facial Action Coding System (Ekman, Friesen &
Hager 2002), in our words; they are in ``facs.toml``.
"""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from synthetic_faces.errors import SettingError


@dataclass(frozen=True)
class ActionUnit:
    """One AU.

    Attributes
    ----------
    name : str
        In FACS.
    muscle, appearance : str
        The muscle, and the change in a face.
    everyday : str
        Everyday words by which readers search for it.
    faceunits, makehuman : str
        The facial actions that show it at full strength, in either set of targets, each ``"action weight,
        …"``, with ``*`` for ``Left`` and ``Right``; of several builds (``|`` between them) each person has a
        mixture.
    along : str
        Actions of the tissue around, whose strength differs between people.
    firm : bool
        All people show it equally strongly, with one set or the other.
    """

    name: str
    muscle: str
    appearance: str
    everyday: str
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
    """Parse the weights of facial actions of each build in ``text``."""
    rows = (build.split(",") for build in text.split("|") if build.strip())
    return [{action: float(weight) for action, weight in map(str.split, row)} for row in rows]


ACTION_UNITS = {
    au: ActionUnit(**facts)
    for au, facts in tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")).items()
}
AUS = tuple(ACTION_UNITS)
SIDES = ("Left", "Right")
SIDED = np.array([unit.sided for unit in ACTION_UNITS.values()])

# Pairs of groups of AUs of which a face shows only one (FACS manual: alternatives, or opposite movements).
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

# Corners of the lips up and down: both can be scored, but not both be strong.
OPPOSED = ("AU12", "AU15")

OPPOSED_LIMIT = 0.3


def resolve_alternatives(intensities: np.ndarray) -> np.ndarray:
    """Resolve AU intensities (len(AUS), 2) into those that one face can show; the given array does not
    change.

    Of the two groups of each of ``ALTERNATIVES``, in order, the one with the stronger AU (the first of equal
    ones) remains and the other is removed. A jaw that drops parts the lips: AU25 is at least half of AU26 and
    AU27. The weaker of ``OPPOSED`` is at most ``OPPOSED_LIMIT`` on each half of the face.
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


# Largest factor of an action's target: the strengths of people, AUs and tissue add up.
STRONGEST_ACTION = 2.6

# Actions whose target is the full movement.
TO_THE_END = {action: 1.0 for action in ("jawOpen", "mouth-open", "mouthRollUpper", "mouthRollLower")}


def action_weights(intensities: np.ndarray, units: np.ndarray, action_names: list[str]) -> np.ndarray:
    """Return the facial actions (A,) that show AU ``intensities`` (len(AUS), 2) in a person with ``units``.

    ``units`` (len(AUS), 3, A) are the actions of each AU at full intensity of the left half, of the right
    half, and of the stronger of both, as of ``muscles.Muscles``. If several AUs move the same action they add
    up, to ``STRONGEST_ACTION`` or ``TO_THE_END``. Raises SettingError for intensities out of range.
    """
    if intensities.shape != (len(AUS), 2) or not ((intensities >= 0) & (intensities <= 1)).all():
        raise SettingError(f"intensities must be ({len(AUS)}, 2) values between 0 and 1")
    halves = np.concatenate([intensities, intensities.max(axis=1, keepdims=True)], axis=1)
    # Summed term by term, not by BLAS: its rounding depends on the number of threads.
    weights = (halves[..., None] * units).sum(axis=(0, 1))
    return np.clip(weights, 0, [TO_THE_END.get(name, STRONGEST_ACTION) for name in action_names])
