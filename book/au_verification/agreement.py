"""Does association find the cause? The action unit that goes most with a filter's response, held against the
one that raises it most.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fer_lib.aus.association import Association
from fer_lib.aus.interventions import Effects, Interventions
from fer_lib.stats.resampling import interval, resampled_sums
from ferbook.errors import DataError
from ferbook.estimate import Estimate
from ferbook.page.tables import Table

ALIKE = (("AU1", "AU2"), ("AU9", "AU10"), ("AU12", "AU25"))
"""Pairs of AUs that move the same skin."""

NONE = -1
"""In the place of an AU's index: no AU raises the filter's response."""


def causal_argmax(effects: Effects, aus: Sequence[str] | None = None) -> np.ndarray:
    """int64 (K,): index in ``aus`` (None: ``effects.aus``) of the AU that, at its highest level, raises each
    filter's response most.

    ``NONE`` where no AU raises it; a detector of an AU is on when the AU is.
    """
    return _argmax(effects.effect[:, [effects.aus.index(au) for au in aus or effects.aus], -1])


def _argmax(values: np.ndarray) -> np.ndarray:
    """Index of the largest of the last axis, ``NONE`` where that is not above 0."""
    return np.where(values.max(axis=-1) > 0, values.argmax(axis=-1), NONE)


@dataclass(frozen=True)
class Agreement:
    """How often a measure names the AU that raises a filter's response most.

    ``share`` of the filters that the measure names an AU for, with its interval over draws of people of the
    interventions (the measure's own names stay as they are). ``chance``: the share to expect if filters were
    dealt their names at random, each AU as often as it is named (as in Cohen's kappa). ``near``: the share
    where the two name the same AU or a pair that moves the same skin.
    """

    share: Estimate
    chance: float
    near: float


def agreement(
    effects: Effects,
    association: Association,
    *,
    filters: np.ndarray | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> Agreement:
    """Compare the AU that ``association`` names for each filter with the causal one; both choose among the
    AUs that both have.

    ``filters`` bool (K,) restricts it, for instance to those that survive a null. A filter that the measure
    names an AU for and no AU raises counts as a disagreement; dead filters are named by nobody and left out.

    Raises DataError where fewer than two AUs are in both.
    """
    estimate = association.estimate
    scored = ~np.isnan(estimate).all(axis=0)
    aus = [au for au, there in zip(association.aus, scored, strict=True) if there and au in effects.aus]
    if len(aus) < 2:
        raise DataError(
            f"AUs both switched and scored: {', '.join(aus) or 'none'}; at least two are needed to choose "
            "among"
        )
    kept = ~association.dead if filters is None else ~association.dead & filters
    columns = [association.aus.index(au) for au in aus]
    # A single value that is not scored must not win.
    named = np.where(np.isnan(estimate), -np.inf, estimate)[np.ix_(kept, columns)].argmax(axis=1)
    causal = causal_argmax(effects, aus)[kept]
    people = effects.people[:, kept][:, :, [effects.aus.index(au) for au in aus], -1]
    shares = (_argmax(resampled_sums(people, draws, seed)) == named).mean(axis=1)
    of_measure, of_cause = (np.bincount(codes[codes >= 0], minlength=len(aus)) for codes in (named, causal))
    alike = np.eye(len(aus), len(aus) + 1, dtype=bool)  # the last column is for NONE
    for one, other in ALIKE:
        if one in aus and other in aus:
            alike[[aus.index(one), aus.index(other)], [aus.index(other), aus.index(one)]] = True
    share = float((causal == named).mean())
    n = int(kept.sum())
    return Agreement(
        interval(share, shares, len(people), of="people", n=n, unit="share", tolerance=0.15),
        chance=float((of_measure * of_cause).sum() / n**2),
        near=float(alike[named, causal].mean()),
    )


def confusable(effects: Effects, switched: Interventions) -> pd.DataFrame | None:
    """For pairs of AUs that are ``ALIKE``, whether filters tell the one from the other; one row per pair that
    was switched, AUs at their highest level. None where no pair was.

    ``pair``; ``shared skin``: mean over base faces of the intersection of the two AUs' regions over their
    union; ``correlation`` of the two AUs' effects over the filters that are not dead; ``first``, ``second``:
    filters that the one, or the other, raises most; of all these, ``other is next``: the share in which the
    other one comes second. NaN where there is nothing to compute it from.
    """
    strongest = effects.effect[:, :, -1]
    own, live = causal_argmax(effects), ~effects.dead
    second = np.argsort(-strongest, axis=1, kind="stable")[:, 1] if len(effects.aus) > 1 else own
    rows = []
    for pair in ALIKE:
        if not set(pair) <= set(effects.aus):
            continue
        a, b = (effects.aus.index(name) for name in pair)
        both = np.isin(own, (a, b))
        profiles = strongest[live][:, (a, b)]
        varies = len(profiles) > 1 and profiles.std(axis=0).min() > 0
        correlation = np.corrcoef(profiles.T)[0, 1] if varies else np.nan
        follows = (second == np.where(own == a, b, a))[both].mean() if both.any() else np.nan
        counts = (own == a).sum(), (own == b).sum()
        rows.append((", ".join(pair), _shared(switched, a, b), correlation, *counts, follows))
    columns = ["pair", "shared skin", "correlation", "first", "second", "other is next"]
    return pd.DataFrame(rows, columns=columns) if rows else None


def confusion_table(found: pd.DataFrame) -> Table:
    """``confusable`` for the page."""
    formats = {"shared skin": "share", "other is next": "share"}
    moves = dict.fromkeys(("shared skin", "correlation", "other is next"), 0.2) | {"first": 30, "second": 30}
    return Table(found, "Pairs of units that move the same skin, in the trained layer", formats, moves)


def _shared(switched: Interventions, a: int, b: int) -> float:
    one, other = switched.masks[:, a], switched.masks[:, b]
    union = (one | other).sum(axis=(1, 2))
    there = union > 0
    return float(((one & other).sum(axis=(1, 2))[there] / union[there]).mean()) if there.any() else np.nan
