"""Rules that name the action unit which a filter detects, all behind one call, and where a new one is
registered.

A rule is a function ``label(responses, presence)``: ``responses`` float64 (N, K), what K filters answer to N
pictures at most; ``presence`` float32 (N, A), 1 where a picture shows the unit and 0 where it does not. It
returns scores (K, A), finite, on any scale: the larger, the more the filter is held to detect the unit.
``@labeller("name")`` registers one; what is registered is put on trial by ``aus.label_judge`` and stands in
the table of ``ferbook evaluate labels``.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from sklearn.linear_model import LogisticRegression

from fer_lib.aus.association import statistic
from fer_lib.aus.heads import one_blas_thread
from fer_lib.aus.measures import MEASURES
from fer_lib.names import register
from ferbook.errors import DataError

Labeller = Callable[[np.ndarray, np.ndarray], np.ndarray]

LABELLERS: dict[str, Labeller] = {}
"""Name -> rule, of all that are registered."""

TOP_SHARE = 0.1
"""The share of pictures to which a filter counts as answering, where a rule wants a yes or a no: as many as
show a frequent unit."""

SPARSE_STRENGTH = 0.05
"""Inverse strength C of the L1 penalty of the sparse probe: some ten filters of 256 are left for a unit."""


labeller = partial(register, LABELLERS, "rule")
"""``@labeller("name")`` registers a rule."""


def label_scores(rule: Labeller, responses: np.ndarray, presence: np.ndarray) -> np.ndarray:
    """The scores of ``rule``, float64 (K, A). Raises DataError where they have another shape or are not
    finite numbers, and where the rule changed what it was given.
    """
    inputs = responses.astype(np.float64), presence.astype(np.float32)
    before = [each.copy() for each in inputs]
    scores = rule(*inputs)
    shape = (responses.shape[1], presence.shape[1])
    if not all(np.array_equal(*each) for each in zip(inputs, before, strict=True)):
        raise DataError("it changed the responses or the labels that it was given; work on a copy")
    if not isinstance(scores, np.ndarray):
        raise DataError(f"it returned {type(scores).__name__}; expected an array {shape}")
    if scores.shape != shape or scores.dtype.kind not in "fiub":
        raise DataError(f"it returned {scores.dtype} {scores.shape}; expected numbers {shape}")
    scores = scores.astype(np.float64)
    wrong = np.argwhere(~np.isfinite(scores))
    if len(wrong):
        filter_, unit = wrong[0]
        raise DataError(f"filter {filter_}, unit {unit}: its score is {scores[filter_, unit]}, not finite")
    return scores


def _by_measure(measure: str, responses: np.ndarray, presence: np.ndarray) -> np.ndarray:
    # Of a unit that every picture shows, or none, nothing can be said.
    return np.nan_to_num(statistic(responses, presence, measure), nan=0.0)


for _measure in MEASURES:
    labeller(_measure)(partial(_by_measure, _measure))


def _ratio(top: np.ndarray, under: np.ndarray) -> np.ndarray:
    return np.divide(top, under, out=np.zeros(np.broadcast_shapes(top.shape, under.shape)), where=under > 0)


@labeller("correlation")
def _correlation(responses: np.ndarray, presence: np.ndarray) -> np.ndarray:
    """Pearson's, of the response with 0 and 1."""
    return _cosine(responses - responses.mean(axis=0), presence - presence.mean(axis=0, dtype=np.float64))


@labeller("cosine")
def _cosine(responses: np.ndarray, presence: np.ndarray) -> np.ndarray:
    lengths = [np.sqrt((each.astype(np.float64) ** 2).sum(axis=0)) for each in (responses, presence)]
    # What is left of a filter that answers to all alike is rounding.
    lengths[0] = np.where(lengths[0] > 1e-9 * np.abs(responses).max(), lengths[0], 0)
    return _ratio(responses.T @ presence, np.outer(*lengths))


@labeller("auprc")
def _auprc(responses: np.ndarray, presence: np.ndarray) -> np.ndarray:
    """The area under precision over recall, by steps; equal responses enter together."""
    areas, positives = np.zeros((responses.shape[1], presence.shape[1])), presence.sum(axis=0)
    for own, column in zip(areas, responses.T, strict=True):
        order = np.argsort(-column, kind="stable")
        ends = np.append(np.flatnonzero(np.diff(column[order])), len(column) - 1)
        right = presence[order].cumsum(axis=0, dtype=np.float64)[ends]
        steps = np.diff(right, axis=0, prepend=0)
        own[:] = _ratio((steps * right / (ends + 1)[:, None]).sum(axis=0), positives)
    return areas


@labeller("iou")
def _iou(responses: np.ndarray, presence: np.ndarray) -> np.ndarray:
    """Bau et al. 2017 (arXiv 1704.05796), section 2: intersection over union, here of the pictures with the
    unit and those that the filter answers to more than to all but ``TOP_SHARE``.
    """
    others = np.sort(responses, axis=0)[: len(responses) - round(TOP_SHARE * len(responses))]
    answering = (responses > others[-1]).astype(np.float64)
    both = answering.T @ presence
    return _ratio(both, answering.sum(axis=0)[:, None] + presence.sum(axis=0) - both)


@labeller("sparse_probe")
def _sparse_probe(responses: np.ndarray, presence: np.ndarray) -> np.ndarray:
    """Gurnee et al. 2023 (arXiv 2305.01610): a filter's weight in a logistic regression of the unit on all
    filters, of which an L1 penalty leaves few.
    """
    spread = responses.std(axis=0)
    scaled = (responses - responses.mean(axis=0)) / np.where(spread > 0, spread, np.inf)
    weights = np.zeros((responses.shape[1], presence.shape[1]))
    with one_blas_thread():
        for unit in np.flatnonzero(np.ptp(presence, axis=0)):
            probe = LogisticRegression(
                l1_ratio=1, C=SPARSE_STRENGTH, solver="liblinear", tol=1e-3, random_state=0
            )
            weights[:, unit] = probe.fit(scaled, presence[:, unit]).coef_[0]
    return weights


@labeller("dealt_probe")
def _dealt_probe(responses: np.ndarray, presence: np.ndarray) -> np.ndarray:
    """The sparse probe of labels that were dealt anew to the pictures (Hewitt and Liang 2019, arXiv
    1909.03368): what it finds is chance.
    """
    return _sparse_probe(responses, presence[np.random.default_rng(0).permutation(len(presence))])


@labeller("random")
def _random(responses: np.ndarray, presence: np.ndarray) -> np.ndarray:
    """Knows nothing."""
    return np.random.default_rng(0).random((responses.shape[1], presence.shape[1]))
