"""Frames of a clip: how many are kept, and which.

Readers and the generator of clips share this, so that a place in the sequence says no more about a synthetic
clip than about a real one.
"""

from collections.abc import Sequence

from ferbook.errors import ParameterError

CLIP_FRAMES = 16
"""Pictures kept of one clip unless others are asked for; at 200 pictures per second a clip of half a second
has a hundred.
"""

FEWEST_FRAMES = 3
"""Onset, apex and offset."""


def require_clip_frames(clip_frames: int) -> None:
    """Raise ParameterError unless ``clip_frames`` is 0 (every frame from onset to offset) or a whole number
    of at least 3.
    """
    whole = isinstance(clip_frames, int) and not isinstance(clip_frames, bool)
    if not whole or not (clip_frames == 0 or clip_frames >= FEWEST_FRAMES):
        raise ParameterError(
            f"clip_frames is {clip_frames!r}; it must be a whole number of at least {FEWEST_FRAMES} (onset, "
            "apex and offset), or 0 for every frame from onset to offset"
        )


def spread_evenly(numbers: Sequence[int], most: int, apex: int) -> list[int]:
    """At most ``most`` of the ascending ``numbers``, evenly spaced, always with the first, the last and
    ``apex``; 0: all of them.
    """
    last = len(numbers) - 1
    if not most or last < most:
        return list(numbers)
    places = [round(k * last / (most - 1)) for k in range(most)]
    at = list(numbers).index(apex)
    if 0 < at < last:
        nearest = min(range(1, most - 1), key=lambda k: abs(places[k] - at))
        places[nearest] = at
    return [numbers[k] for k in places]
