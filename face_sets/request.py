"""The faces that a chapter or script uses, as one value that is stored with networks and compared; and the
selection of frames of a clip.

Readers and the generator of clips use the same selection, so that a place in the sequence says no more about
a synthetic clip than about a real one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from face_sets.sources import CLIP_SETS
from ferbook.errors import ParameterError

# Pictures of one clip by default; at 200 pictures per second a clip of half a second has a hundred.
CLIP_FRAMES = 16

# Onset, apex and offset.
FEWEST_FRAMES = 3


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
    """Select at most ``most`` of the ascending ``numbers``, evenly spaced, with first, last and ``apex``.

    0 selects all.
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


# The fields that are options of ``synthetic_faces.produce.Recipe``.
RECIPE_OPTIONS = ("timing", "family", "sample", "units")


@dataclass(frozen=True)
class FaceRequest:
    """The pictures that a chapter or a script uses; equal requests give equal sets.

    ``open_faces`` checks the values.

    Parameters
    ----------
    name
        A set of ``face_sets.sources``; a synthetic one also with its version, such as ``lab/2``.
    subjects
        Number of people of a synthetic set; 0 takes the set's own.
    size
        Side of the pictures in pixels; 0 takes the set's own.
    face_seed
        Seed of synthetic people.
    clip_frames
        Largest number of pictures of one clip, evenly spaced from onset to offset; 0 takes all.
    family, sample, timing, units
        Options of synthetic people: see ``synthetic_faces.produce.Recipe``.
    """

    # An unknown field is rejected if pydantic reads a request from a file.
    __pydantic_config__: ClassVar = {"extra": "forbid"}

    name: str
    subjects: int = 0
    size: int = 0
    face_seed: int = 0
    family: str = ""
    sample: str = ""
    clip_frames: int = CLIP_FRAMES
    timing: str = ""
    units: str = ""

    def __str__(self) -> str:
        """The values that were chosen, as in ``lab 600 48 0``: the name of the set in runs."""
        clips = self.name in CLIP_SETS or self.clip_frames != CLIP_FRAMES
        chosen = [self.name, str(self.subjects), str(self.size), str(self.face_seed)]
        chosen += [self.family, self.sample, str(self.clip_frames) if clips else "", self.timing, self.units]
        return " ".join(filter(None, chosen))

    @property
    def options(self) -> dict[str, str]:
        """The options of synthetic faces that differ from the default."""
        return {name: value for name in RECIPE_OPTIONS if (value := getattr(self, name))}

    def with_options(self, options: Mapping[str, str]) -> "FaceRequest":
        """Set ``options`` of synthetic faces. Raises ParameterError for an unknown one."""
        if unknown := [name for name in options if name not in RECIPE_OPTIONS]:
            raise ParameterError(
                f"no option {unknown[0]!r} of synthetic faces; the options are {', '.join(RECIPE_OPTIONS)}"
            )
        return replace(self, **options)
