"""Planted detectors: channels that are known to detect an action unit, and how well each measure and rule
finds them.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd

from book.au_verification.simulation import Noise, error_share, null_responses
from fer_lib.aus.decision import Rule, claims
from fer_lib.aus.measures import MEASURES, Measure
from fer_lib.aus.nulls import permutation_null
from fer_lib.aus.permutations import BlockKind, blocks_of
from fer_lib.aus.presence import Presence
from fer_lib.stats.resampling import bounds, ratio, resampled_sums
from ferbook.errors import ParameterError


def plant(
    maxima: np.ndarray, presence: Presence, detectors: Mapping[int, str], snr: float, seed: int = 0
) -> np.ndarray:
    """float64 (N, K): ``maxima`` with some channels replaced by detectors of known action units.

    ``detectors``: filter index to action unit. The noise of such a channel is its own responses after its
    sequences have changed places at random, each channel by itself: distribution and correlation within a
    sequence stay, the tie to the pictures goes. To it are added ``snr`` of its standard deviations wherever
    the unit is shown (not where it is not coded). With ``snr`` 0 the channel detects nothing. Raises
    ParameterError for a filter or unit that is not there, or a negative ``snr``.
    """
    planted = np.array(maxima, np.float64)
    if snr < 0:
        raise ParameterError(f"snr = {snr}: the shift in standard deviations of the noise is at least 0")
    for k, au in detectors.items():
        if not 0 <= k < planted.shape[1]:
            raise ParameterError(f"no filter {k}: there are {planted.shape[1]}, counted from 0")
        if au not in presence.aus:
            raise ParameterError(f"no action unit {au!r}; there are {', '.join(presence.aus)}")
    if not detectors:
        return planted
    draws = np.concatenate(list(blocks_of(presence).draws(len(detectors), seed)))
    for (k, au), draw in zip(detectors.items(), draws, strict=True):
        noise = planted[draw, k]
        planted[:, k] = noise + snr * noise.std() * (presence.present[:, presence.aus.index(au)] == 1)
    return planted


def score_rules(
    presence: Presence,
    *,
    measures: Sequence[Measure] = MEASURES,
    rules: Sequence[Rule] = ("max_statistic", "argmax"),
    subjects: Sequence[int] = (0,),
    snrs: Sequence[float] = (0.25, 0.5, 1.0, 2.0),
    filters: int = 32,
    detectors: int = 8,
    repeats: int = 10,
    permutations: int = 199,
    alpha: float = 0.05,
    blocks: BlockKind = "sequence",
    noise: Noise | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """How well every measure and rule finds planted detectors, over numbers of subjects and signal-to-noise
    ratios.

    Each repeat draws ``subjects`` people of ``presence`` (0: all), gives ``filters`` channels null responses
    and makes the first ``detectors`` of them detectors of units drawn at random among those that are not too
    few in all of ``presence``. All measures and rules judge the same data. A rule *claims* for a filter at
    most one unit, see ``decision.claims``. Holm and Benjamini and Hochberg need far more ``permutations`` to
    find anything, see ``decision.permutations_needed``.

    One row per measure, rule, number of subjects and ratio: ``measure``, ``rule``, ``subjects``, ``snr``,
    ``repeats``; ``precision``, the share of claims that name a planted detector and its unit (NaN where
    nothing was claimed); ``recall``, the share of planted detectors claimed with their unit; both with a
    bootstrap interval over the repeats (``precision_low`` …, NaN where there is none); ``wrong_unit``, the
    share of planted detectors claimed for another unit; ``family_wise_error``, the share of repeats in which
    a channel of noise was claimed, with its exact interval (``family_wise_low`` …).

    Raises ParameterError for numbers that do not fit together, and where a rule needs more ``permutations``;
    DataError where among so few subjects no unit can be scored.
    """
    people = np.unique(presence.subjects)
    if not 0 < detectors <= filters or repeats < 1:
        raise ParameterError(
            f"detectors {detectors} of {filters} filters, repeats {repeats}: at least 1 detector, no more "
            "than filters, and 1 repeat"
        )
    if max(subjects) > len(people) or min(subjects) < 0:
        raise ParameterError(f"subjects = {list(subjects)}: from 1 to {len(people)}, or 0 for all of them")
    units = presence.scored().aus
    rows = []
    for number, snr in product(subjects, snrs):
        counts = np.zeros((len(measures), len(rules), repeats, len(_COUNTS)))
        for repeat in range(repeats):
            generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number, repeat)))
            some = generator.choice(people, number or len(people), replace=False)
            sample = presence.select(np.isin(presence.subjects, some))
            own_seed = int(generator.integers(2**31))
            truth = np.full(filters, -1)
            truth[:detectors] = [presence.aus.index(au) for au in generator.choice(units, detectors)]
            maxima = plant(
                null_responses(sample, filters, seed=own_seed, noise=noise),
                sample,
                {k: presence.aus[a] for k, a in enumerate(truth[:detectors])},
                snr,
                own_seed,
            )
            for m, measure in enumerate(measures):
                null = permutation_null(
                    maxima, sample, measure, permutations=permutations, seed=own_seed, blocks=blocks
                )
                for r, rule in enumerate(rules):
                    counts[m, r, repeat] = _counted(claims(null, rule, alpha), truth)
        for (m, measure), (r, rule) in product(enumerate(measures), enumerate(rules)):
            about = {
                "measure": measure,
                "rule": rule,
                "subjects": number or len(people),
                "snr": snr,
                "repeats": repeats,
            }
            rows.append(about | _summary(counts[m, r], seed))
    return pd.DataFrame(rows)


_COUNTS = ("right", "wrong_unit", "claimed", "noise_claimed", "planted")


def _counted(claimed: np.ndarray, truth: np.ndarray) -> tuple[int, ...]:
    """``_COUNTS`` of claims (K,) against the planted units (K,), -1 for none."""
    is_claimed, is_planted = claimed >= 0, truth >= 0
    right = is_claimed & (claimed == truth)
    return (
        right.sum(),
        (is_claimed & is_planted & ~right).sum(),
        is_claimed.sum(),
        (is_claimed & ~is_planted).sum(),
        is_planted.sum(),
    )


def _summary(counts: np.ndarray, seed: int) -> dict[str, float]:
    """The figures of merit of one measure and rule from its ``_COUNTS`` (repeats, 5)."""
    right, wrong, claimed, _, planted = range(len(_COUNTS))
    summary: dict[str, float] = {}
    for name, part, whole in (("precision", right, claimed), ("recall", right, planted)):
        total = counts[:, whole].sum()
        summary[name] = counts[:, part].sum() / total if total else np.nan
        drawn = ratio(resampled_sums(counts[:, [part, whole]], 2000, seed))
        summary[f"{name}_low"], summary[f"{name}_high"] = bounds(drawn, len(counts), summary[name])
    summary["wrong_unit"] = counts[:, wrong].sum() / counts[:, planted].sum()
    errors = error_share(int((counts[:, 3] > 0).sum()), len(counts))
    summary["family_wise_error"] = errors["share"]
    return summary | {"family_wise_low": errors["low"], "family_wise_high": errors["high"]}
