"""Rules for labels: each by hand or by a second way, what all of them must do, and what is refused."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, jaccard_score

from fer_lib.aus.labels import LABELLERS, label_scores, labeller
from ferbook.errors import DataError, ParameterError

BLIND = {"dealt_probe", "random"}
"""Rules that are there to know nothing."""


def planted(seed: int = 0, pictures: int = 300, filters: int = 7, units: int = 4):
    """Filter k < ``units`` answers to unit k, to others not; the last filter never answers."""
    rng = np.random.default_rng(seed)
    presence = (rng.random((pictures, units)) < 0.2).astype(np.float32)
    responses = rng.random((pictures, filters))
    responses[:, :units] += 2 * presence
    responses[:, -1] = 0
    return responses, presence


@pytest.mark.parametrize("name", sorted(LABELLERS))
def test_every_rule(name):
    responses, presence = planted()
    rule = LABELLERS[name]
    scores = label_scores(rule, responses, presence)
    assert np.array_equal(scores, label_scores(rule, responses, presence)), "the same when asked again"
    if name not in BLIND:
        assert scores[:4].argmax(axis=1).tolist() == [0, 1, 2, 3]
        order = np.random.default_rng(1).permutation(responses.shape[1])
        turned = label_scores(rule, responses[:, order], presence)
        assert np.allclose(turned, scores[order], rtol=1e-3, atol=1e-3 * np.abs(scores).max())
    never = np.column_stack([presence, np.zeros(len(presence), np.float32)])
    assert np.isfinite(label_scores(rule, responses, never)).all(), "a unit that nobody shows"


def test_a_probe_of_dealt_labels_finds_no_detector():
    assert (label_scores(LABELLERS["dealt_probe"], *planted())[:4].argmax(axis=1) == range(4)).sum() < 4


def test_precision_and_recall_curves_and_overlaps_are_sklearn_s():
    responses, presence = planted()
    responses = responses.round(1)  # with ties
    found = {name: LABELLERS[name](responses, presence) for name in ("auprc", "iou", "correlation", "cosine")}
    for filter_, unit in ((0, 0), (2, 1), (5, 3)):
        column, shown = responses[:, filter_], presence[:, unit]
        at = filter_, unit
        assert found["auprc"][at] == pytest.approx(average_precision_score(shown, column))
        answering = column > sorted(column)[269]  # of 300 the thirtieth from above is the first
        assert found["iou"][at] == pytest.approx(jaccard_score(shown, answering))
        assert found["correlation"][at] == pytest.approx(np.corrcoef(column, shown)[0, 1])
        cosine = column @ shown / np.linalg.norm(column) / np.linalg.norm(shown)
        assert found["cosine"][at] == pytest.approx(cosine)
    assert all(found[name][-1].tolist() == [0] * 4 for name in ("iou", "correlation", "cosine"))


def test_a_sparse_probe_leaves_most_filters_out_and_takes_the_better_of_two():
    responses, presence = planted()
    rng = np.random.default_rng(2)
    responses = np.hstack([responses, responses[:, :1] + rng.random((len(responses), 1))])
    scores = LABELLERS["sparse_probe"](responses, presence)
    assert scores[0, 0] > scores[-1, 0] >= 0
    assert (scores == 0).mean() > 0.5


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (lambda r, p: np.zeros((len(r), 4)), r"returned float64 \(300, 4\); expected numbers \(7, 4\)"),
        (lambda r, p: [[0.0] * 4] * 7, "returned list"),
        (lambda r, p: np.full((7, 4), "AU1"), "returned <U3"),
        (
            lambda r, p: np.where(np.arange(28).reshape(7, 4) == 6, np.nan, 1),
            "filter 1, unit 2: its score is nan",
        ),
        (lambda r, p: _sorts(r), "changed the responses"),
    ],
)
def test_what_is_refused(rule, told):
    with pytest.raises(DataError, match=told):
        label_scores(rule, *planted())


def _sorts(responses):
    responses.sort(axis=0)
    return np.zeros((7, 4))


def test_a_name_is_taken_once():
    with pytest.raises(ParameterError, match="registered already"):
        labeller("auroc")(lambda r, p: p)
