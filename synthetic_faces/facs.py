"""Action units, the facial actions that show them, and which of them exclude each other.

AU numbers and names follow the Facial Action Coding System (Ekman, Friesen & Hager 2002).
"""

from dataclasses import dataclass

import numpy as np

from synthetic_faces.errors import SettingError


@dataclass(frozen=True)
class ActionUnit:
    """One AU: its FACS name and the facial actions of the head that show it at full intensity.

    ``{side}`` in an action's name stands for ``Left`` and ``Right``.
    """

    name: str
    actions: dict[str, float]

    @property
    def sided(self) -> bool:
        """Whether the left and the right half of the face can show it independently."""
        return all("{side}" in action for action in self.actions)


ACTION_UNITS = {
    "AU1": ActionUnit("inner brow raiser", {"browInnerUp": 1.0}),
    "AU2": ActionUnit("outer brow raiser", {"browOuterUp{side}": 1.0}),
    "AU4": ActionUnit("brow lowerer", {"browDown{side}": 1.0}),
    "AU5": ActionUnit("upper lid raiser", {"eyeWide{side}": 1.0}),
    "AU6": ActionUnit("cheek raiser", {"cheekSquint{side}": 1.0}),
    "AU7": ActionUnit("lid tightener", {"eyeSquint{side}": 1.0}),
    "AU9": ActionUnit("nose wrinkler", {"noseSneer{side}": 1.0}),
    "AU10": ActionUnit("upper lip raiser", {"mouthUpperUp{side}": 1.0}),
    # The action at 1 moves the corners by 18 mm, wider than any grin.
    "AU12": ActionUnit("lip corner puller", {"mouthSmile{side}": 0.85}),
    "AU14": ActionUnit("dimpler", {"mouthDimple{side}": 1.0}),
    "AU15": ActionUnit("lip corner depressor", {"mouthFrown{side}": 1.0}),
    "AU16": ActionUnit("lower lip depressor", {"mouthLowerDown{side}": 1.0}),
    "AU17": ActionUnit("chin raiser", {"mouthShrugLower": 1.0}),
    "AU18": ActionUnit("lip pucker", {"mouthPucker": 1.0}),
    "AU20": ActionUnit("lip stretcher", {"mouthStretch{side}": 1.0}),
    "AU22": ActionUnit("lip funneler", {"mouthFunnel": 1.0}),
    "AU23": ActionUnit(
        "lip tightener", {"mouthRollUpper": 0.35, "mouthRollLower": 0.45, "mouthPucker": 0.35}
    ),
    # mouthPress also lifts the corners, which looks like a smile: kept low.
    "AU24": ActionUnit(
        "lip pressor", {"mouthRollUpper": 0.5, "mouthRollLower": 0.5, "mouthPress{side}": 0.25}
    ),
    # Enough to show the upper teeth in a smile: AU12's action lifts the lower lip too.
    "AU25": ActionUnit(
        "lips part", {"jawOpen": 0.2, "mouthLowerDown{side}": 0.85, "mouthUpperUp{side}": 0.35}
    ),
    "AU26": ActionUnit("jaw drop", {"jawOpen": 0.45}),
    "AU27": ActionUnit("mouth stretch", {"jawOpen": 0.9}),
    "AU28": ActionUnit("lip suck", {"mouthRollUpper": 1.0, "mouthRollLower": 1.0}),
    "AU43": ActionUnit("eyes closed", {"eyeBlink{side}": 1.0}),
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
    resolved = intensities.copy()
    for groups in ALTERNATIVES:
        first, second = ([AUS.index(au) for au in group] for group in groups)
        if resolved[first].max() > 0 and resolved[second].max() > 0:
            resolved[second if resolved[first].max() >= resolved[second].max() else first] = 0
    lips, jaw = AUS.index("AU25"), [AUS.index("AU26"), AUS.index("AU27")]
    resolved[lips] = np.maximum(resolved[lips], 0.5 * resolved[jaw].max())
    up, down = (AUS.index(au) for au in OPPOSED)
    for half in range(len(SIDES)):
        weaker = up if resolved[up, half] < resolved[down, half] else down
        resolved[weaker, half] = min(resolved[weaker, half], OPPOSED_LIMIT)
    return resolved


def action_weights(intensities: np.ndarray, action_names: list[str]) -> np.ndarray:
    """(len(action_names),) in [0, 1]: the facial actions that show AU ``intensities`` (len(AUS), 2).

    Where several AUs move the same action their sum is clipped to 1. An action without a side takes
    the stronger half's intensity. Raises SettingError for intensities out of range.
    """
    if intensities.shape != (len(AUS), 2) or intensities.min() < 0 or intensities.max() > 1:
        raise SettingError(f"intensities must be ({len(AUS)}, 2) values between 0 and 1")
    weights = dict.fromkeys(action_names, 0.0)
    for unit, halves in zip(ACTION_UNITS.values(), intensities, strict=True):
        for action, full in unit.actions.items():
            values = zip(SIDES, halves, strict=True) if "{side}" in action else [("", max(halves))]
            for side, value in values:
                weights[action.format(side=side)] += full * value
    return np.clip(np.array(list(weights.values())), 0, 1)
