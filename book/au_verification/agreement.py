"""Does association find the cause? The action unit that goes most with a filter's response, held against the
one that raises it most.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fer_lib.aus.association import Association
from fer_lib.aus.interventions import Effects, Interventions
from fer_lib.stats.resampling import CONFIDENCE, resampled_sums
from ferbook.errors import DataError, ParameterError

ALIKE = (("AU1", "AU2"), ("AU9", "AU10"), ("AU12", "AU25"))
"""Pairs of AUs that move the same skin."""

NONE = -1
"""In the place of an AU's index: no AU raises the filter's response."""


def causal_argmax(
    effects: Effects, aus: Sequence[str] | None = None, *, absolute: bool = False
) -> np.ndarray:
    """int64 (K,): index in ``aus`` (None: ``effects.aus``) of the AU that, at its highest level, raises each
    filter's response most.

    ``NONE`` where no AU raises it; a detector of an AU is on when the AU is. With ``absolute`` the AU that
    changes the response most in either direction, ``NONE`` where none changes it. Raises ParameterError for
    an AU that was not switched.
    """
    strongest = _at_full(effects, effects.aus if aus is None else aus)
    return _argmax(np.abs(strongest) if absolute else strongest)


def _at_full(effects: Effects, aus: Sequence[str]) -> np.ndarray:
    unknown = [au for au in aus if au not in effects.aus]
    if unknown:
        raise ParameterError(
            f"{unknown[0]} was not switched in the interventions; they have {', '.join(effects.aus)}"
        )
    return effects.effect[:, [effects.aus.index(au) for au in aus], -1]


def _argmax(values: np.ndarray) -> np.ndarray:
    """Index of the largest of the last axis, ``NONE`` where that is not above 0."""
    return np.where(values.max(axis=-1) > 0, values.argmax(axis=-1), NONE)


@dataclass(frozen=True)
class Agreement:
    """How often a ``measure`` names the AU that raises a filter's response most.

    ``share`` of the ``n`` filters that the measure names an AU for, with the interval ``low`` … ``high`` over
    draws of people of the interventions (the measure's own names stay as they are). ``chance``: the share to
    expect if filters were dealt their names at random, each AU as often as it is named (as in Cohen's kappa).
    ``near``: the share where the two name the same AU or a pair that moves the same skin. ``table``: one row
    per filter: ``filter``, ``named``, ``causal`` (empty: no AU raises it), ``agrees``.
    """

    measure: str
    share: float
    low: float
    high: float
    chance: float
    near: float
    n: int
    interval: str
    table: pd.DataFrame


def agreement(
    effects: Effects,
    association: Association,
    *,
    filters: np.ndarray | None = None,
    absolute: bool = False,
    alike: Sequence[tuple[str, str]] = ALIKE,
    draws: int = 1000,
    seed: int = 0,
) -> Agreement:
    """Compare the AU that ``association`` names for each filter with the causal one; both choose among the
    AUs that both have.

    ``filters`` bool (K,) restricts it, for instance to those that survive a null. A filter that the measure
    names an AU for and no AU raises counts as a disagreement; dead filters are named by nobody and left out.
    ``absolute`` as in ``causal_argmax``.

    Raises DataError where the numbers of filters differ, fewer than two AUs are in both, or no filter is
    left.
    """
    estimate = association.estimate
    if len(estimate) != len(effects.effect):
        raise DataError(
            f"{len(effects.effect)} filters in the effects and {len(estimate)} in the association; give "
            "those of one layer"
        )
    scored = ~np.isnan(estimate).all(axis=0)
    aus = [au for au, there in zip(association.aus, scored, strict=True) if there and au in effects.aus]
    if len(aus) < 2:
        raise DataError(
            f"AUs both switched and scored: {', '.join(aus) or 'none'}; at least two are needed to choose "
            "among"
        )
    kept = ~association.dead if filters is None else ~association.dead & np.asarray(filters, bool)
    if not kept.any():
        raise DataError("no filter is left to compare; dead ones are named by no measure")
    columns = [association.aus.index(au) for au in aus]
    # A single value that is not scored must not win.
    named = np.where(np.isnan(estimate), -np.inf, estimate)[np.ix_(kept, columns)].argmax(axis=1)
    causal = causal_argmax(effects, aus, absolute=absolute)[kept]

    switched = [effects.aus.index(au) for au in aus]
    people = effects.people[:, kept][:, :, switched, -1]
    drawn = resampled_sums(people, draws, seed)
    shares = (_argmax(np.abs(drawn) if absolute else drawn) == named).mean(axis=1)
    share = float((causal == named).mean())
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(shares, (tail, 1 - tail))

    of_measure, of_cause = (np.bincount(codes[codes >= 0], minlength=len(aus)) for codes in (named, causal))
    pairs = {frozenset(pair) for pair in alike}
    names = np.array([*aus, ""], dtype=object)
    table = pd.DataFrame(
        {
            "filter": np.flatnonzero(kept),
            "named": names[named],
            "causal": names[causal],
            "agrees": causal == named,
        }
    )
    near = [
        same or frozenset((one, other)) in pairs
        for same, one, other in zip(table["agrees"], table["named"], table["causal"], strict=True)
    ]
    return Agreement(
        measure=association.measure,
        share=share,
        # Where draws miss their own estimate the interval is widened to it.
        low=min(float(low), share),
        high=max(float(high), share),
        chance=float((of_measure * of_cause).sum() / kept.sum() ** 2),
        near=float(np.mean(near)),
        n=int(kept.sum()),
        interval=f"{CONFIDENCE:.0%} percentile bootstrap, {draws} draws of {len(effects.subjects)} people "
        "of the interventions",
        table=table,
    )


def confusable(
    effects: Effects,
    switched: Interventions | None = None,
    pairs: Sequence[tuple[str, str]] = ALIKE,
) -> pd.DataFrame:
    """For pairs of AUs, whether filters tell the one from the other; one row per pair, AUs at their highest
    level.

    ``first``, ``second``; ``shared_skin``: mean over base faces of the intersection of the two AUs' regions
    over their union, NaN without ``switched``; ``correlation`` of the two AUs' effects over the filters that
    are not dead; ``filters_first``, ``filters_second``: filters that the one, or the other, raises most; of
    all these, ``runner_up``: the share in which the other one comes second, and ``ratio``: the median of the
    other one's effect over the own. NaN where there is nothing to compute it from.

    Raises ParameterError for an AU that was not switched.
    """
    strongest = _at_full(effects, effects.aus)
    own, live = causal_argmax(effects), ~effects.dead
    second = np.argsort(-strongest, axis=1, kind="stable")[:, 1] if len(effects.aus) > 1 else own
    rows = []
    for first_name, second_name in pairs:
        _at_full(effects, (first_name, second_name))
        a, b = (effects.aus.index(name) for name in (first_name, second_name))
        both = np.isin(own, (a, b))
        other = np.where(own == a, b, a)
        profiles = strongest[live][:, (a, b)]
        varies = len(profiles) > 1 and profiles.std(axis=0).min() > 0
        ratio = np.take_along_axis(strongest, other[:, None], 1)[both, 0] / strongest[both].max(axis=1)
        rows.append(
            {
                "first": first_name,
                "second": second_name,
                "shared_skin": np.nan if switched is None else _shared(switched, a, b),
                "correlation": np.corrcoef(profiles.T)[0, 1] if varies else np.nan,
                "filters_first": int((own == a).sum()),
                "filters_second": int((own == b).sum()),
                "runner_up": (second == other)[both].mean() if both.any() else np.nan,
                "ratio": np.median(ratio) if both.any() else np.nan,
            }
        )
    return pd.DataFrame(rows)


def _shared(switched: Interventions, a: int, b: int) -> float:
    one, other = switched.masks[:, a], switched.masks[:, b]
    union = (one | other).sum(axis=(1, 2))
    there = union > 0
    return float(((one & other).sum(axis=(1, 2))[there] / union[there]).mean()) if there.any() else np.nan
