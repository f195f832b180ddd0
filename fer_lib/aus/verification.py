"""What filters are said to detect, held against what moves them, beyond what chance would pair; and the
filters that are held for detectors of an action unit, which one chapter hands to another.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, NonNegativeInt

from ferbook.errors import DataError


class Detector(BaseModel):
    """A filter, the unit ``au`` that it is claimed to detect, its ``association`` with that unit, and the
    unit that it is ``moved_by`` most when units are switched on one at a time; empty where none raises it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    filter: NonNegativeInt
    au: str
    association: float
    moved_by: str

    @property
    def verified(self) -> bool:
        """Whether the unit of the claim is the one that moves the filter most."""
        return self.au == self.moved_by


class Detectors(BaseModel):
    """The detectors of one ``layer`` of a network, the strongest first; a filter has one unit at most."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layer: str
    filters: tuple[Detector, ...]


@dataclass(frozen=True)
class Verified:
    """Claims and causes of one network's filters; ``filters`` of them are claimed for an action unit at all.

    int (A,) each: ``claimed`` for the unit; ``caused``: claimed for any unit, and moved most by this one;
    ``verified``: both.
    """

    aus: tuple[str, ...]
    filters: int
    claimed: np.ndarray
    caused: np.ndarray
    verified: np.ndarray

    @property
    def expected(self) -> np.ndarray:
        """(A,): ``verified`` to expect if claims and causes were paired at random among the filters with a
        claim.
        """
        return self.claimed * self.caused / max(self.filters, 1)

    @property
    def kappa(self) -> float:
        """Cohen's (1960) kappa of claims and causes: observed minus expected over what there was to gain;
        NaN where there was nothing.
        """
        gain, possible = (count - self.expected.sum() for count in (self.verified.sum(), self.filters))
        return float(gain / possible) if possible > 0 else np.nan

    @property
    def units(self) -> int:
        """How many distinct action units have a verified filter."""
        return int((self.verified > 0).sum())


def verified(claims: Sequence[str], causes: Sequence[str], aus: Sequence[str]) -> Verified:
    """Claims (K,) of filters, the unit that each is said to detect, held against causes (K,), the unit that
    moves it most; empty where there is none.

    A filter without a claim counts nowhere; one without a cause is a claim that cannot be verified. Raises
    DataError where the two are not equally many or name a unit that is not among ``aus``.
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
