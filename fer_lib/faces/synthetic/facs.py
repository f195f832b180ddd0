"""Action units, the facial actions that show them, and the expressions they make up.

AU numbers and names follow the Facial Action Coding System (Ekman, Friesen & Hager 2002). The
combinations per emotion start from the prototypes usual in the field; their variants, shares and
intensities are choices of this generator, made so that the emotion does not determine the AUs.
"""

from dataclasses import dataclass

import numpy as np

from fer_lib.errors import ParameterError
from fer_lib.faces.faceset import EMOTIONS


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
    "AU25": ActionUnit(
        "lips part", {"jawOpen": 0.12, "mouthLowerDown{side}": 0.45, "mouthUpperUp{side}": 0.2}
    ),
    "AU26": ActionUnit("jaw drop", {"jawOpen": 0.45}),
    "AU27": ActionUnit("mouth stretch", {"jawOpen": 0.9}),
    "AU28": ActionUnit("lip suck", {"mouthRollUpper": 1.0, "mouthRollLower": 1.0}),
    "AU43": ActionUnit("eyes closed", {"eyeBlink{side}": 1.0}),
}
AUS = tuple(ACTION_UNITS)
SIDES = ("Left", "Right")
_SIDED = np.array([unit.sided for unit in ACTION_UNITS.values()])
# A weak AU27 would be no other than AU26.
_EXTRAS = tuple(au for au in AUS if au != "AU27")


@dataclass(frozen=True)
class Variant:
    """One way to show an emotion: its share among the emotion's variants, and AU intensities.

    Full intensities, to be scaled by the picture's own; ``one_sided`` shows on half of the face.
    """

    share: float
    intensities: dict[str, float]
    one_sided: bool = False


VARIANTS = {
    "neutral": (Variant(1.0, {}),),
    "anger": (
        Variant(0.45, {"AU4": 1.0, "AU5": 0.5, "AU7": 0.8, "AU23": 0.9, "AU17": 0.35}),
        Variant(0.25, {"AU4": 1.0, "AU5": 0.3, "AU7": 0.9, "AU24": 0.9, "AU17": 0.4}),
        Variant(0.15, {"AU4": 1.0, "AU7": 0.9, "AU17": 0.3, "AU23": 0.6}),
        Variant(0.15, {"AU4": 1.0, "AU5": 0.6, "AU7": 0.7, "AU10": 0.4, "AU22": 0.25, "AU25": 0.6}),
    ),
    "contempt": (
        Variant(0.5, {"AU12": 0.7, "AU14": 1.0}, one_sided=True),
        Variant(0.3, {"AU12": 0.35, "AU14": 1.0}, one_sided=True),
        Variant(0.2, {"AU10": 0.5, "AU12": 0.5, "AU14": 0.9}, one_sided=True),
    ),
    "disgust": (
        Variant(0.5, {"AU9": 1.0, "AU10": 0.6, "AU15": 0.5, "AU16": 0.25, "AU4": 0.3}),
        Variant(0.25, {"AU9": 1.0, "AU17": 0.6, "AU4": 0.3}),
        Variant(0.25, {"AU10": 1.0, "AU9": 0.5, "AU25": 0.5, "AU6": 0.3}),
    ),
    "fear": (
        Variant(
            0.4,
            {
                "AU1": 1.0,
                "AU2": 0.7,
                "AU4": 0.6,
                "AU5": 0.9,
                "AU7": 0.3,
                "AU20": 0.9,
                "AU25": 0.3,
                "AU26": 0.3,
            },
        ),
        Variant(0.35, {"AU1": 1.0, "AU2": 0.6, "AU4": 0.7, "AU5": 1.0, "AU20": 0.7, "AU25": 0.6}),
        Variant(0.25, {"AU1": 1.0, "AU2": 0.5, "AU4": 0.7, "AU5": 1.0, "AU20": 0.8}),
    ),
    "happiness": (
        Variant(0.45, {"AU6": 0.9, "AU12": 0.9, "AU25": 0.5}),
        Variant(0.25, {"AU6": 0.7, "AU12": 0.8}),
        Variant(0.15, {"AU12": 0.8, "AU25": 0.3}),
        Variant(0.15, {"AU6": 0.9, "AU12": 1.0, "AU25": 0.6, "AU26": 0.5}),
    ),
    "sadness": (
        Variant(0.45, {"AU1": 1.0, "AU4": 0.5, "AU15": 1.0, "AU17": 0.4}),
        Variant(0.3, {"AU1": 1.0, "AU4": 0.4, "AU15": 0.9}),
        Variant(0.25, {"AU1": 0.8, "AU4": 0.5, "AU6": 0.3, "AU15": 0.9, "AU17": 0.6, "AU43": 0.25}),
    ),
    "surprise": (
        Variant(0.5, {"AU1": 1.0, "AU2": 1.0, "AU5": 0.8, "AU26": 0.9}),
        Variant(0.25, {"AU1": 1.0, "AU2": 1.0, "AU5": 0.9, "AU27": 0.8}),
        Variant(0.25, {"AU1": 0.9, "AU2": 1.0, "AU5": 0.7, "AU25": 0.6, "AU26": 0.4}),
    ),
}


@dataclass(frozen=True)
class Spread:
    """How far pictures of one emotion differ. All in [0, 1]; ``intensity`` is a (low, high) pair.

    ``jitter``: relative standard deviation of each AU; ``drop``: chance that an AU of the variant is
    missing; ``extra``: chance, twice per picture, of a further weak AU that the emotion does not call for
    (a neutral face too); ``asymmetry``: largest share by which one side of a sided AU is weaker.
    """

    intensity: tuple[float, float] = (0.75, 1.0)
    jitter: float = 0.1
    drop: float = 0.02
    extra: float = 0.05
    asymmetry: float = 0.15

    def __post_init__(self) -> None:
        low, high = self.intensity
        if not 0 <= low <= high <= 1:
            raise ParameterError(f"intensity is {self.intensity}; it must be a pair 0 <= low <= high <= 1")
        for name in ("jitter", "drop", "extra", "asymmetry"):
            if not 0 <= getattr(self, name) <= 1:
                raise ParameterError(f"{name} is {getattr(self, name)}; it must lie between 0 and 1")


def draw_intensities(emotion: str, rng: np.random.Generator, spread: Spread) -> np.ndarray:
    """(len(AUS), 2): AU intensities in [0, 1] of the left and the right half of a face that shows ``emotion``.

    Variants, missing and additional AUs and the spread of intensity make sure that the AUs do not
    follow from the emotion. Raises ParameterError for an emotion that is not in ``EMOTIONS``.
    """
    if emotion not in EMOTIONS:
        raise ParameterError(f"no emotion {emotion!r}; the emotions are {', '.join(EMOTIONS)}")
    variants = VARIANTS[emotion]
    variant = variants[rng.choice(len(variants), p=[v.share for v in variants])]
    overall = rng.uniform(*spread.intensity)
    intensities = np.zeros((len(AUS), 2))
    strong = rng.integers(2)
    for au, full in variant.intensities.items():
        kept = rng.random() >= spread.drop
        value = full * overall * (1 + spread.jitter * rng.standard_normal())
        row = AUS.index(au)
        if kept and variant.one_sided:
            intensities[row, strong] = value
            # A unilateral movement pulls the other half along a little.
            intensities[row, 1 - strong] = value * rng.uniform(0, spread.asymmetry)
        elif kept:
            intensities[row] = value
    for _ in range(2):
        if rng.random() < spread.extra:
            row = AUS.index(_EXTRAS[rng.integers(len(_EXTRAS))])
            intensities[row] = np.maximum(intensities[row], rng.uniform(0.1, 0.4))
    weaker = rng.integers(2, size=len(AUS))
    share = 1 - rng.uniform(0, spread.asymmetry, len(AUS))
    intensities[np.arange(len(AUS)), weaker] *= np.where(_SIDED, share, 1)
    return np.clip(intensities, 0, 1)


def action_weights(intensities: np.ndarray, action_names: list[str]) -> np.ndarray:
    """(len(action_names),) in [0, 1]: the facial actions that show AU ``intensities`` (len(AUS), 2).

    Where several AUs move the same action their sum is clipped to 1. An action without a side takes
    the stronger half's intensity. Raises ParameterError for intensities out of range.
    """
    if intensities.shape != (len(AUS), 2) or intensities.min() < 0 or intensities.max() > 1:
        raise ParameterError(f"intensities must be ({len(AUS)}, 2) values between 0 and 1")
    weights = dict.fromkeys(action_names, 0.0)
    for unit, (left, right) in zip(ACTION_UNITS.values(), intensities, strict=True):
        for action, full in unit.actions.items():
            if "{side}" in action:
                for side, value in zip(SIDES, (left, right), strict=True):
                    weights[action.format(side=side)] += full * value
            else:
                weights[action] += full * max(left, right)
    return np.clip(np.array(list(weights.values())), 0, 1)
