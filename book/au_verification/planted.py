"""Planted detectors: channels that are known to detect an action unit, and how well each measure and rule
finds them.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from book.au_verification.examine import FAMILY_ERROR
from book.au_verification.simulation import null_responses
from fer_lib.aus.association import statistic
from fer_lib.aus.decision import Rule, claimed_units
from fer_lib.aus.measures import MEASURES
from fer_lib.aus.nulls import permutation_null
from fer_lib.aus.permutations import BlockKind, blocks_of
from fer_lib.aus.presence import Presence
from fer_lib.names import AssociationMeasure
from ferbook.estimate import Estimate
from ferbook.page.tables import Table


def plant(
    maxima: np.ndarray, presence: Presence, detectors: Mapping[int, str], snr: float, seed: int = 0
) -> np.ndarray:
    """float64 (N, K): ``maxima`` with some channels replaced by detectors of known action units.

    ``detectors``: filter index to action unit. The noise of such a channel is its own responses after its
    sequences have changed places at random, each channel by itself: distribution and correlation within a
    sequence stay, the tie to the pictures goes. To it are added ``snr`` of its standard deviations wherever
    the unit is shown (not where it is not coded). With ``snr`` 0 the channel detects nothing.
    """
    responses = np.array(maxima, np.float64)
    draws = np.concatenate(list(blocks_of(presence).draws(len(detectors), seed)))
    for (k, au), draw in zip(detectors.items(), draws, strict=True):
        noise = responses[draw, k]
        responses[:, k] = noise + snr * noise.std() * (presence.present[:, presence.aus.index(au)] == 1)
    return responses


def score_rules(
    presence: Presence,
    *,
    measures: Sequence[AssociationMeasure] = MEASURES,
    rules: Sequence[Rule] = ("max_statistic", "argmax"),
    subjects: Sequence[int] = (0,),
    snrs: Sequence[float] = (0.25, 0.5, 1.0, 2.0),
    filters: int = 24,
    detectors: int = 8,
    repeats: int = 10,
    permutations: int = 199,
    seed: int = 0,
    blocks: BlockKind = "sequence",
) -> pd.DataFrame:
    """How well every measure and rule finds planted detectors, over numbers of subjects and signal-to-noise
    ratios.

    Each repeat draws ``subjects`` people of ``presence`` (0: all), gives ``filters`` channels null responses
    and makes the first ``detectors`` of them detectors of units drawn at random among those that are not too
    few in all of ``presence``. All measures and rules judge the same data, whose labels change places by
    ``blocks``. A rule *claims* for a filter at
    most one unit, see ``decision.claimed_units``.

    One row per measure, rule, number of subjects and ratio: ``measure``, ``rule``, ``subjects``, ``snr``,
    ``repeats``; ``precision``, the share of claims that name a planted detector and its unit (NaN where
    nothing was claimed); ``recall``, the share of planted detectors claimed with their unit.

    Raises ParameterError where a rule needs more ``permutations``; DataError where among so few subjects no
    unit can be scored.
    """
    people, units = np.unique(presence.subjects), presence.scored().aus
    rows = []
    for number, snr in product(subjects, snrs):
        for repeat in range(repeats):
            generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number, repeat)))
            some = generator.choice(people, number or len(people), replace=False)
            sample = presence.select(np.isin(presence.subjects, some))
            own_seed = int(generator.integers(2**31))
            unit_of = dict(enumerate(generator.choice(units, detectors)))
            truth = np.full(filters, -2)  # what no rule claims, neither a unit nor -1 for none
            truth[:detectors] = [presence.aus.index(au) for au in unit_of.values()]
            noise = null_responses(sample, filters, seed=own_seed)
            maxima = plant(noise, sample, unit_of, snr, own_seed)
            for measure in measures:
                settings = {"permutations": permutations, "seed": own_seed, "blocks": blocks}
                null = permutation_null(maxima, sample, measure, **settings)
                for rule in rules:
                    claims = claimed_units(null, rule, FAMILY_ERROR)
                    counts = (claims == truth).sum(), (claims >= 0).sum()
                    rows.append((measure, rule, number or len(people), snr, *counts))
    cases = ["measure", "rule", "subjects", "snr"]
    counts = pd.DataFrame(rows, columns=[*cases, "right", "claimed"]).groupby(cases, sort=False).sum()
    shares = {
        "precision": counts["right"] / counts["claimed"],
        "recall": counts["right"] / (detectors * repeats),
    }
    return pd.DataFrame(shares).reset_index().assign(repeats=repeats)


OPEN_MOUTH = ("AU25", "AU26", "AU27")


def decoys(
    presence: Presence, brightness: np.ndarray, generator: np.random.Generator
) -> dict[str, tuple[np.ndarray, tuple[str, ...]]]:
    """Signals (N,) that are no detector's, or another one's, each with the units that may rightly be claimed
    for it: what a rule should not fall for.

    ``emotion only``, where emotions are labelled: 1 on the pictures of one. ``co-occurring unit``, where two
    are coded: 1 where the one of two units is shown that go together most, so that the other would be wrong.
    ``brightness``: of the whole picture, ``brightness`` (N,), in standard deviations. ``open mouth``: 1 where
    any of ``OPEN_MOUTH`` is shown, which may be claimed.
    """
    labels = np.nan_to_num(presence.scored().present)
    aus = presence.scored().aus
    together = np.triu(np.atleast_2d(np.nan_to_num(np.corrcoef(labels.T))), 1)
    one = int(generator.choice(np.unravel_index(together.argmax(), together.shape)))
    signals = {}
    if emotions := [each for each in np.unique(presence.emotions) if each not in ("", "neutral")]:
        signals["emotion only"] = (presence.emotions == generator.choice(emotions), ())
    if len(aus) > 1:
        signals["co-occurring unit"] = (labels[:, one], (aus[one],))
    mouth = [aus.index(au) for au in OPEN_MOUTH if au in aus]
    return signals | {
        "brightness": ((brightness - brightness.mean()) / brightness.std(), ()),
        "open mouth": (labels[:, mouth].any(axis=1), OPEN_MOUTH),
    }


def decoy_table(
    presence: Presence,
    brightness: np.ndarray,
    measure: AssociationMeasure,
    *,
    snr: float = 1.0,
    channels: int = 4,
    filters: int = 24,
    repeats: int = 10,
    permutations: int = 199,
    seed: int = 0,
    blocks: BlockKind = "sequence",
) -> Table:
    """How often a rule falls for ``decoys``, over all pictures and within emotions: of ``repeats`` data sets
    with ``channels`` of each kind among ``filters``, the share claimed for a unit that is not there.

    A channel is null responses (see ``simulation.null_responses``) plus ``snr`` of their standard deviations
    times the signal. Detectors of a co-occurring unit that are claimed for their own unit are right.
    """
    rows = []
    for repeat in range(repeats):
        generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(repeat,)))
        kinds = decoys(presence, brightness, generator)
        own_seed = int(generator.integers(2**31))
        maxima = null_responses(presence, filters, seed=own_seed)
        own = dict(zip(kinds, np.arange(channels * len(kinds)).reshape(-1, channels), strict=True))
        for kind, (signal, _) in kinds.items():
            noise = maxima[:, own[kind]]
            maxima[:, own[kind]] = noise + snr * noise.std(axis=0) * np.asarray(signal, float)[:, None]
        settings = {"permutations": permutations, "seed": own_seed, "blocks": blocks}
        for where, within in (("overall", None), ("within emotions", presence.emotions)):
            null = permutation_null(maxima, presence, measure, within=within, **settings)
            for rule in ("max_statistic", "argmax"):
                claims = np.array([*presence.aus, ""], dtype=object)[claimed_units(null, rule, FAMILY_ERROR)]
                for kind, (_, right) in kinds.items():
                    wrong = np.mean(~np.isin(claims[own[kind]], ("", *right)))
                    rows.append((kind, f"{rule.replace('_', ' ')}, {where}", wrong))
    shares = pd.DataFrame(rows, columns=["decoy", "judged by", "wrong"])
    data = shares.pivot_table(index="decoy", columns="judged by", values="wrong", sort=False)
    data.columns.name = None
    what = (
        f"Share of decoys that are claimed for a unit which is not there, {repeats * channels} of each kind"
    )
    return Table(data, what, dict.fromkeys(data, "share"), dict.fromkeys(data, 0.2))


NOTICED_FROM = 0.1
"""A measure notices wrong labels where they cost it such a share of its value, on average over units."""

_APART = 10.0
"""Standard deviations by which a perfect detector tells pictures with its unit from others."""

_BESIDE = {
    "average precision": average_precision_score,
    "correlation": lambda labels, responses: np.corrcoef(labels, responses)[0, 1],
}
"""Measures that no paper here uses, of labels (n,) and responses (n,)."""


def label_tests(presence: Presence, *, repeats: int = 10, seed: int = 0) -> pd.DataFrame:
    """The tests of measures of Oikarinen, Yan and Weng (2025): what a perfect detector of each unit loses by
    each measure where half of the unit's labels are missing, and where there are as many wrong ones again.

    One row per measure, ``MEASURES`` and ``_BESIDE``: ``measure``, and the share of its value that is lost,
    mean over units and ``repeats``, ``missing`` and ``extra``. A measure that loses little cannot tell a
    detector of a unit from one of something that goes with half of it, or with more than it.
    """
    generator = np.random.default_rng(seed)
    truth = presence.scored().present
    losses = []
    for _ in range(repeats):
        responses = generator.normal(scale=1 / _APART, size=truth.shape) + (truth == 1)
        variants = {"right": truth, "missing": truth.copy(), "extra": truth.copy()}
        for a, own in enumerate(truth.T):
            present, absent = (generator.permutation(np.flatnonzero(own == value)) for value in (1, 0))
            variants["missing"][present[: len(present) // 2], a] = 0
            variants["extra"][absent[: min(len(present), len(absent) // 2)], a] = 1
        values = {name: _diagonals(responses, labels) for name, labels in variants.items()}
        losses.append([1 - values[name] / values["right"] for name in ("missing", "extra")])
    means = np.mean(losses, axis=(0, -1))
    return pd.DataFrame({"measure": [*MEASURES, *_BESIDE], "missing": means[0], "extra": means[1]})


def _diagonals(responses: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(measures, A): each response (N, A) by each measure, held against its own label (N, A)."""
    scores = [np.diagonal(statistic(responses, labels, measure)) for measure in MEASURES]
    coded = [~np.isnan(own) for own in labels.T]
    for measure in _BESIDE.values():
        each = zip(coded, labels.T, responses.T, strict=True)
        scores.append(np.array([measure(own[rows], answers[rows]) for rows, own, answers in each]))
    return np.stack(scores)


def label_metrics(losses: pd.DataFrame) -> dict[str, Estimate]:
    """Of ``label_tests``: how many of the measures that papers use notice missing and extra labels,
    ``notice_missing`` and ``notice_extra``, and what missing ones cost AUROC, ``auroc_missing_lost``.
    """
    own = losses.set_index("measure")
    noticed = own.loc[list(MEASURES)].ge(NOTICED_FROM).sum()
    about = {"why": "with the labels of these people", "unit": "share", "tolerance": 0.05}
    return {
        "notice_missing": Estimate(int(noticed["missing"]), unit="count", tolerance=1),
        "notice_extra": Estimate(int(noticed["extra"]), unit="count", tolerance=1),
        "auroc_missing_lost": Estimate(float(own.loc["auroc", "missing"]), **about),
    }


def planted_metrics(table: pd.DataFrame, measure: str) -> dict[str, Estimate]:
    """Of ``score_rules`` at the largest ratio of signal to noise: ``planted_precision``, ``planted_recall``
    by the maximum statistic, and ``planted_precision_argmax`` by the papers' rule.
    """
    far = table[table["snr"].eq(table["snr"].max()) & table["measure"].eq(measure)].set_index("rule")
    shares = {
        "planted_precision": far.loc["max_statistic", "precision"],
        "planted_recall": far.loc["max_statistic", "recall"],
        "planted_precision_argmax": far.loc["argmax", "precision"],
    }
    repeats = far["repeats"].iloc[0]
    about = {"n": repeats, "why": f"of {repeats} invented sets", "unit": "share", "tolerance": 0.1}
    return {name: Estimate(value, **about) for name, value in shares.items() if np.isfinite(value)}
