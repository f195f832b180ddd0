"""What filters are said to detect, held against what moves them, beyond what chance would pair."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ferbook.errors import DataError


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
