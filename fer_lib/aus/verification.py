"""Whether filters respond most to the action units to which they are assigned, compared with chance; and the
detectors of action units, which one chapter passes to another.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, NonNegativeInt

from ferbook.errors import DataError


class Detector(BaseModel):
    """A filter that is assigned to an action unit.

    Attributes
    ----------
    filter : int
    au : str
        The assigned unit.
    association : float
        With that unit.
    moved_by : str
        The unit that activates the filter most when units are activated one at a time; empty if none does.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    filter: NonNegativeInt
    au: str
    association: float
    moved_by: str

    @property
    def verified(self) -> bool:
        """Whether the assigned unit is the one that activates the filter most."""
        return self.au == self.moved_by


class Detectors(BaseModel):
    """The detectors of one ``layer`` of a network, the strongest first; a filter has at most one unit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layer: str
    filters: tuple[Detector, ...]


@dataclass(frozen=True)
class Verified:
    """Assigned units and strongest activations of one network's filters.

    Attributes
    ----------
    aus : tuple of str
    filters : int
        Filters that are assigned to any unit.
    claimed : (A,) int array
        Filters assigned to each unit.
    caused : (A,) int array
        Filters assigned to any unit, and activated most by this one.
    verified : (A,) int array
        Both.
    """

    aus: tuple[str, ...]
    filters: int
    claimed: np.ndarray
    caused: np.ndarray
    verified: np.ndarray

    @property
    def expected(self) -> np.ndarray:
        """(A,): ``verified`` to be expected if assigned and activating units were paired at random among the
        assigned filters.
        """
        return self.claimed * self.caused / max(self.filters, 1)

    @property
    def kappa(self) -> float:
        """Cohen's (1960) kappa of assigned and activating units: observed minus expected agreement over the
        largest possible difference; NaN if that is 0.
        """
        gain, possible = (count - self.expected.sum() for count in (self.verified.sum(), self.filters))
        return float(gain / possible) if possible > 0 else np.nan

    @property
    def units(self) -> int:
        """Number of different action units with a verified filter."""
        return int((self.verified > 0).sum())


def verified(claims: Sequence[str], causes: Sequence[str], aus: Sequence[str]) -> Verified:
    """Compare the assigned units of filters with the units that activate them most.

    A filter without an assigned unit is not counted; one that no unit activates cannot be verified.

    Parameters
    ----------
    claims : sequence of str
        The assigned unit of each of K filters, empty if there is none.
    causes : sequence of str
        The unit that activates it most, empty if there is none.
    aus : sequence of str

    Raises
    ------
    DataError
        The two have different lengths or name a unit that is not among ``aus``.
    """
    claims, causes = np.asarray(claims, dtype=object), np.asarray(causes, dtype=object)
    if len(claims) != len(causes):
        raise DataError(f"{len(claims)} claims and {len(causes)} causes: give one of each per filter")
    strange = sorted(({*claims} | {*causes}) - {*aus, ""})
    if strange:
        raise DataError(f"claims or causes name {strange[0]}; the units are {', '.join(aus)}")
    mask = claims != ""
    units = np.array(aus, dtype=object)[:, None]
    claimed, caused = claims[mask] == units, causes[mask] == units
    return Verified(tuple(aus), int(mask.sum()), claimed.sum(1), caused.sum(1), (claimed & caused).sum(1))
