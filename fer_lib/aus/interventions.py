"""Interventions: one action unit of a face is activated while everything else is unchanged, and the
difference in a filter's response is the unit's effect.

In a set of faces (``aus.association``) a unit may be associated with a filter because people show it together
with another unit. Here no other unit changes. Only synthetic faces allow this.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from face_sets.faceset import FaceSet
from face_sets.rendered import scripted_faces
from fer_lib.aus.presence import require_finite
from fer_lib.look.judge import Twins
from fer_lib.stats.resampling import bounds, resampled_sums
from ferbook.errors import ParameterError, require_name
from synthetic_faces.facs import AUS
from synthetic_faces.people import STRANGERS
from synthetic_faces.script import Script


@dataclass(frozen=True)
class Interventions:
    """B neutral faces, and each of them with each of A action units at each of L levels.

    Attributes
    ----------
    faces : FaceSet
        All pictures, person by person: first the neutral face, then for each AU its levels.
    aus : tuple of str
    levels : tuple of float
        Ascending, in (0, 1].
    subjects : (B,) array of str
    doses : tuple of float
        Each unit's intensity at level 1.
    """

    faces: FaceSet
    aus: tuple[str, ...]
    levels: tuple[float, ...]
    subjects: np.ndarray
    doses: tuple[float, ...]

    def arranged(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Split ``values`` (B·(1 + A·L), …), one per picture of ``faces``, into those of the neutral faces
        (B, …) and the others (B, A, L, …).
        """
        each = values.reshape(len(self.subjects), 1 + len(self.aus) * len(self.levels), *values.shape[1:])
        shape = (len(self.subjects), len(self.aus), len(self.levels), *values.shape[1:])
        return each[:, 0], each[:, 1:].reshape(shape)

    @cached_property
    def change(self) -> np.ndarray:
        """float64 (A, L): how much each AU changes a picture at each level, the root mean square over pixels
        and people in grey levels (0 to 255).
        """
        # One person at a time: the squares of all pictures would fill the memory.
        pairs = zip(*self.arranged(self.faces.pixels), strict=True)
        squares = [((on.astype(np.float32) - off) ** 2).mean(axis=(2, 3)) for off, on in pairs]
        return np.sqrt(np.mean(squares, axis=0, dtype=np.float64))


def interventions(
    people: int,
    aus: Sequence[str] = AUS,
    levels: Sequence[float] = (0.25, 0.5, 0.75, 1.0),
    *,
    size: int = 48,
    face_seed: int = 0,
    domain: str = "lab",
    doses: Mapping[str, float] | None = None,
) -> Interventions:
    """Render ``people`` of a synthetic domain, neutral and with each of ``aus`` alone at each of ``levels``;
    cached.

    All pictures of a face have the head pose, light, background and noise that the domain would give it: they
    differ in one AU alone. The people are in no face set.

    Parameters
    ----------
    people : int
    aus : sequence of str
    levels : sequence of float
    size : int
        Side of a picture in pixels.
    face_seed : int
    domain : str
    doses : mapping, optional
        AU -> intensity at level 1; by default 1.

    Returns
    -------
    Interventions

    Raises
    ------
    ParameterError
        For a unit that no face can show, and for a dose that is not above 0 and at most 1.
    """
    taken = {"domain": domain, "size": size, "seed": face_seed}
    persons = np.arange(STRANGERS, STRANGERS + people)
    return switch_units(persons, partial(scripted_faces, **taken), aus, levels, doses)


def switch_units(
    persons: np.ndarray,
    render: Callable[[Script], FaceSet],
    aus: Sequence[str] = AUS,
    levels: Sequence[float] = (1.0,),
    doses: Mapping[str, float] | None = None,
) -> Interventions:
    """As ``interventions``, for given people and pictures.

    Parameters
    ----------
    persons : (B,) int array
        Numbers of people.
    render : callable
        Makes the pictures of a script.
    aus, levels, doses
        As of ``interventions``.

    Returns
    -------
    Interventions
    """
    aus, levels = tuple(aus), tuple(float(level) for level in levels)
    at_one = tuple(float((doses or {}).get(au, 1.0)) for au in aus)
    shown = [np.zeros((len(AUS), 2))]
    for au, dose in zip(aus, at_one, strict=True):
        require_name("unit", au, AUS)
        if not 0 < dose <= 1:
            raise ParameterError(f"dose of {au} = {dose:g}: an intensity above 0 and at most 1 is expected")
        shown += [level * dose * (np.array(AUS)[:, None] == [au, au]) for level in levels]
    number = np.repeat(persons, len(shown))
    faces = render(Script(number, np.zeros_like(number), np.tile(shown, (len(persons), 1, 1))))
    subjects = faces.table["subject"].to_numpy(dtype=object)[:: len(shown)]
    return Interventions(faces, aus, levels, subjects, at_one)


@dataclass(frozen=True)
class Effects:
    """The effect of each of A action units on each of K filters at L levels, in standard deviations of the
    filter's response to neutral faces.

    The deviation of a filter that is inactive on all neutral faces is that over all pictures.

    Attributes
    ----------
    aus : tuple of str
    levels : tuple of float
    effect, low, high : (K, A, L) arrays
        Mean over people of m(on) − m(off), and its 95 % percentile interval over draws of people.
    people : (S, K, A, L) array
        The differences of single people.
    dead : (K,) bool array
        No picture activates the filter; its effects are 0.
    """

    aus: tuple[str, ...]
    levels: tuple[float, ...]
    effect: np.ndarray
    low: np.ndarray
    high: np.ndarray
    people: np.ndarray
    dead: np.ndarray


def effects_of(maxima: np.ndarray, stimuli: Interventions, *, draws: int = 1000, seed: int = 0) -> Effects:
    """Compute the effect of every action unit of ``stimuli`` on each of K responses.

    No effect is tested. Since noise is the same in both pictures, even a small effect is certain: what
    matters is its size.

    Parameters
    ----------
    maxima : (N, K) array
        Responses to the N pictures of ``stimuli.faces``.
    stimuli : Interventions
    draws, seed : int
        Of the bootstrap over people.

    Returns
    -------
    Effects

    Raises
    ------
    DataError
        A response is not finite.
    """
    maxima = np.asarray(maxima, dtype=np.float64)
    require_finite(maxima)
    off, on = stimuli.arranged(maxima)
    deviation, dead = _deviation(off, maxima)
    people = (on - off[:, None, None]) / deviation
    # From here on filters come first, as in every table of units.
    people = np.ascontiguousarray(people.transpose(0, 3, 1, 2))
    low, high = _interval(people, draws, seed)
    return Effects(
        aus=stimuli.aus,
        levels=stimuli.levels,
        effect=people.mean(axis=0),
        low=low,
        high=high,
        people=people.astype(np.float32),
        dead=dead,
    )


def _deviation(neutral: np.ndarray, maxima: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the standard deviation (K,) of responses to ``neutral`` faces, or to all where it is zero, and
    which filters do not vary at all.
    """
    spread, overall = neutral.std(axis=0, ddof=1), maxima.std(axis=0, ddof=1)
    # The spread of equal values is not exactly zero in floating point.
    negligible = 1e-7 * np.abs(maxima).max(axis=0)
    dead = overall <= negligible
    return np.where(dead, 1.0, np.where(spread <= negligible, overall, spread)), dead


def _interval(people: np.ndarray, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return bounds (K, A, L) of the mean of (S, K, A, L) over draws of people; one AU at a time, which
    bounds the memory.
    """
    low, high = np.empty((2, *people.shape[1:]))
    for a in range(people.shape[2]):
        # The same seed: the same people are drawn for every AU.
        means = resampled_sums(people[:, :, a], draws, seed) / len(people)
        interval, value = bounds(means, len(people)), people[:, :, a].mean(axis=0)
        # The interval of an effect that is the same in all people is its value.
        low[:, a], high[:, a] = (np.where(np.isnan(bound), value, bound) for bound in interval)
    return low, high


def twins_of(switched: Interventions) -> Twins:
    """Pair each person of ``switched`` with each of the units at the highest level with the person's neutral
    face.
    """
    off, on = switched.arranged(np.arange(len(switched.faces)))
    units = np.tile(np.array(switched.aus, dtype=object), len(off))
    at_rest = switched.faces.select(np.repeat(off, len(switched.aus)))
    return Twins(switched.faces.select(on[:, :, -1].ravel()), at_rest, units)
