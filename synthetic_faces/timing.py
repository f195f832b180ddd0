"""When each action unit of an expression moves, from the first movement of a sequence to its last.

The order of the units and which of them rise or fall fast follow the sources named in ``SCHEDULES``, cited
from memory; the numbers, and everything without a named source, are choices of this generator. Spontaneous
smiles rise smoothly, and the larger the movement the faster, with the duration about the same (Hess & Kleck
1990; Schmidt, Cohn & Tian 2003; Cohn & Schmidt 2004): every unit follows a cosine whose duration does not
depend on its intensity. The two halves of a face start at slightly different times (Hager & Ekman 1985).

The duration of a clip and the place of the apex in it carry no information about the expression: time is
stretched until the first movement, the largest total movement and the last one are at the clip's onset, apex
and offset.
"""

import numpy as np

from synthetic_faces.facs import AUS, SIDED

# How the units of a sequence move: each by ``SCHEDULES``, all along one cosine, or ``EVENTS`` in turn, which
# are the same whatever the clip's class: only their order, one of ``ORDERS``, reveals it.
TIMINGS = ("by_unit", "together", "in_turn")

# Brows, corners of the lips, jaw: apart in the face, so that each can be seen while the others are inactive.
EVENTS = (("AU1", "AU2"), ("AU12",), ("AU25", "AU26"))

# Class of a clip -> which of ``EVENTS`` comes first, second and third. Each comes in each place in one class
# at least and in two at most, so that no frame alone reveals a class.
ORDERS = {
    "disgust": (0, 1, 2),
    "happiness": (1, 2, 0),
    "surprise": (2, 0, 1),
    "repression": (0, 2, 1),
    "other": (2, 1, 0),
}

_TURN, _STRAY = 0.3, 0.05

# Standard deviations: of a duration's logarithm; of a delay, as a fraction of the clip; and of the delay
# between the two halves of the face.
TEMPO, WANDER, LAG = 0.15, 0.04, 0.03

# Fraction of its intensity that every unit has at the apex, so that a coder of the apex sees it.
LEAST_AT_APEX = 0.15

_JAW = [AUS.index(au) for au in ("AU25", "AU26", "AU27")]
_STEPS = 1001


def schedule(*rows: str, wander: float = WANDER) -> tuple[np.ndarray, float]:
    """Parse ``rows`` such as ``"6 7: .08 .45 .08 .4"`` into ``(times, wander)``: float64 (len(AUS), 4), and
    the spread of the delays of single clips.

    After the AUs' numbers: how long after the first unit they begin, and how long they rise, last and fall,
    all as fractions of the clip. The row ``rest`` comes last, and is about all others.
    """
    times = np.full((len(AUS), 4), np.nan)
    for row in rows:
        units, _, values = row.partition(":")
        indices = [AUS.index(f"AU{unit}") for unit in units.split() if unit != "rest"]
        times[indices or np.isnan(times[:, 0])] = [float(value) for value in values.split()]
    return times, wander


# Emotion -> when its units move. A micro-expression lasts at most half a second, and rises in at most 260 ms
# (Yan et al. 2013): these are fractions of that.
SCHEDULES = {
    # Nose and lips first, upper lids later (Jack, Garrod & Schyns 2014).
    "anger": schedule("9 22: 0 .25 .2 .5", "4 7: .05 .3 .2 .4", "5: .3 .25 .15 .3", "rest: .15 .3 .2 .35"),
    "contempt": schedule("12 14: 0 .4 .2 .4", "rest: .15 .35 .15 .35"),
    # The nose wrinkles at once, the upper lip follows (Jack et al. 2014).
    "disgust": schedule("9 17: 0 .2 .2 .45", "10 25 26: .28 .25 .15 .32", "rest: .06 .25 .2 .4"),
    # Wide eyes and open mouth at once, the brows later (Jack et al. 2014).
    "fear": schedule("5 25 26 27: 0 .2 .2 .5", "1 2 4: .22 .25 .2 .33", "rest: .15 .3 .2 .35"),
    # Smooth and slow, cheeks with the corners of the lips (Ekman & Friesen 1982; Krumhuber & Kappas 2005).
    "happiness": schedule(
        "12: 0 .45 .02 .53", "6: .04 .42 .04 .5", "25 26 27: .14 .36 .04 .4", "rest: .06 .42 .04 .45"
    ),
    "sadness": schedule("1 4: 0 .45 .2 .35", "6 7 43: .1 .45 .15 .3", "rest: .2 .4 .15 .25"),
    # As in fear; sudden, and soon over (Ekman & Friesen 1975).
    "surprise": schedule(
        "5: 0 .12 .15 .35", "25 26 27: .03 .17 .15 .45", "1 2: .2 .17 .1 .4", "rest: .2 .2 .1 .4"
    ),
    # What is felt leaks first, most in the upper face (Porter, ten Brinke & Wallace 2012), and is cut short
    # by chin and lips, which press it down and last longest (Ekman & Friesen 1982 on masked, damped smiles).
    "repression": schedule("1 2 4 5 6 7 9 10 12 20 25 26 27: 0 .2 .04 .5", "rest: .34 .2 .32 .12"),
    # No source describes it: units start in any order.
    "other": schedule("rest: .1 .4 .15 .35", wander=0.12),
}


def events() -> np.ndarray:
    """Return float64 (len(AUS), 2): 1 for the units of ``EVENTS``, 0 elsewhere."""
    return np.isin(AUS, [au for event in EVENTS for au in event]).repeat(2).reshape(-1, 2).astype(float)


def turns(emotion: str, phase: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the progress of each unit of ``EVENTS`` at each ``phase`` (T,), 0 to 2 as of ``shares``: float64
    (T, len(AUS), 2) in [0, 1]. They peak at a sixth, a half and five sixths of the clip, with a little chance
    that does not depend on ``emotion``, and are zero at its ends.
    """
    progress = np.zeros((len(phase), len(AUS), 2))
    peaks = (np.arange(3) + 0.5) * 2 / 3 + _STRAY * rng.standard_normal(3)
    for event, peak in zip(ORDERS[emotion], peaks, strict=True):
        away = np.clip((phase - peak) / _TURN, -1, 1)
        course = 0.5 + 0.5 * np.cos(np.pi * away)
        progress[:, np.isin(AUS, EVENTS[event])] = (course * (np.abs(phase - 1) < 1))[:, None, None]
    return progress


def shares(
    timing: str, emotion: str, phase: np.ndarray, apex: np.ndarray, *, stays: bool, rng: np.random.Generator
) -> np.ndarray:
    """Return the progress of each unit to its intensity ``apex`` (len(AUS), 2) at each ``phase`` (T,) of an
    ``emotion``: float64 (T, len(AUS), 2) in [0, 1]; the phase is 0 at the onset, 1 at the apex, 2 at the
    offset.

    ``timing``: one of ``TIMINGS``, except in turn, which is ``turns``. By unit, some are not quite complete
    at the apex or fall already; with ``stays`` all are complete there.
    """
    whole = 0.5 - 0.5 * np.cos(np.pi * phase)
    if timing == "together":
        return np.broadcast_to(whole[:, None, None], (len(phase), *apex.shape))
    times, wander = SCHEDULES[emotion]
    strays = rng.standard_normal((4, len(AUS)))
    # Lips part at least as far as the jaw drops: they move with it.
    strays[:, _JAW] = strays[:, _JAW[:1]]
    begin = np.repeat((times[:, 0] + wander * strays[0])[:, None], 2, axis=1)
    begin[SIDED, rng.integers(2)] += np.abs(LAG * rng.standard_normal(SIDED.sum()))
    # From here on only the units shown: (units,).
    active = apex > 0
    unit, begin = np.nonzero(active)[0], begin[active]
    rise, hold, fall = (times[:, 1:].T * np.exp(TEMPO * strays[1:]))[:, unit]
    full, leave = begin + rise, begin + rise + hold

    def curves(time: np.ndarray) -> np.ndarray:
        there = np.clip((time[:, None] - begin) / rise, 0, 1)
        decay = 0 * there if stays else np.clip((time[:, None] - leave) / fall, 0, 1)
        # Rounded: what is gone but for a rounding error would be coded.
        return np.round(0.25 * (1 - np.cos(np.pi * there)) * (1 + np.cos(np.pi * decay)), 9)

    first, last = begin.min(), (leave + fall).max()
    if stays:
        # The last unit has been complete for a moment.
        peak = 1.1 * full.max()
    else:
        # As a coder defines it: when the largest total is first reached.
        grid = np.linspace(first, last, _STEPS)
        total = curves(grid) @ apex[active]
        peak = grid[(total >= total.max() - 1e-6).argmax()]
    # What would be missing at the apex is added along the course of the whole: that leaves the apex there.
    missing = np.maximum(LEAST_AT_APEX - curves(np.array([peak])), 0)
    progress = np.zeros((len(phase), *apex.shape))
    progress[:, active] = curves(np.interp(phase, [0, 1, 2], [first, peak, last])) + missing * whole[:, None]
    return np.minimum(progress, 1)
