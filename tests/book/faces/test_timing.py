"""Curves of units over time, and what the order of a clip's frames adds."""

import numpy as np
import pytest

from book.faces import figures, timing
from synthetic_faces.domains import DOMAINS
from synthetic_faces.timing import TIMINGS


@pytest.fixture(scope="module")
def curves():
    return timing.unit_curves(people=6)


def test_curves_are_those_of_one_clip_of_each_emotion(curves):
    assert set(curves["emotion"]) == set(DOMAINS["micro"].emotions) and set(curves["timing"]) == set(TIMINGS)
    for (how, _), clip in curves.groupby(["timing", "emotion"]):
        by_unit = clip.pivot(index="milliseconds", columns="au", values="intensity")
        assert by_unit.notna().all(axis=None) and (by_unit.iloc[[0, -1]] == 0).all(axis=None)
        total = by_unit.sum(axis=1)
        apex = clip["apex"].iloc[0]
        assert 0 < apex < by_unit.index[-1] <= 500
        if how == "together":
            assert total[apex] == total.max()
            shares = by_unit / by_unit.max()
            np.testing.assert_allclose(shares, shares.iloc[:, [0] * shares.shape[1]], atol=1e-9)


def test_the_figure_says_in_which_order_units_are_largest(curves):
    drawn = figures.unit_curves(curves)
    assert len(drawn.figure.axes) == 2 * len(DOMAINS["micro"].emotions)
    together = drawn.data[drawn.data["timing"] == "together"]
    assert (together["largest"] == together["apex"]).all()
    apart = drawn.data[drawn.data["timing"] == "by_unit"].groupby("emotion")["largest"].nunique()
    assert apart.max() > 2 and "by unit" in drawn.alt


def test_sorting_keeps_the_frames_and_loses_their_order():
    tracks = np.random.default_rng(0).standard_normal((3, 5, 4))
    lost = timing.by_amount(tracks)
    np.testing.assert_array_equal(timing.by_amount(tracks[:, ::-1]), lost)
    for filmed, ordered in zip(tracks, lost, strict=True):
        assert sorted(map(tuple, filmed)) == sorted(map(tuple, ordered))
        assert (np.diff(np.linalg.norm(ordered, axis=1)) >= 0).all()


def test_a_model_that_knows_the_order_tells_clips_that_one_without_cannot():
    generator = np.random.default_rng(0)
    moves = generator.standard_normal((2, 12))
    labels, subjects = np.arange(120) % 2, np.arange(120) // 6
    # Class 0 moves one way and then the other, class 1 the other way round.
    early, late = np.array([1.0, 1, 0, 0]), np.array([0, 0, 1.0, 1])
    tracks = np.einsum("t,f->tf", early, moves[0]) + np.einsum("t,f->tf", late, moves[1])
    tracks = np.where(labels[:, None, None] == 0, tracks, tracks[::-1])
    tracks = tracks + 0.05 * generator.standard_normal(tracks.shape)
    assert (timing.named_by_others(tracks, labels, subjects) == labels).mean() > 0.95
    lost = timing.named_by_others(timing.by_amount(tracks), labels, subjects)
    assert 0.3 < (lost == labels).mean() < 0.7


def test_landmarks_move_as_units_do_and_rest_at_the_onset():
    tracks, emotions, subjects = timing.landmark_tracks("by_unit", people=3, frames=4)
    again, *_ = timing.landmark_tracks("together", people=3, frames=4)
    assert tracks.shape == again.shape == (len(emotions), 4, 136) and len(set(subjects)) == 3
    assert (tracks[:, 0] == 0).all() and not np.array_equal(tracks, again)
    amount = np.linalg.norm(tracks, axis=2).mean(axis=0)
    # Within the detector's errors the last frame is at rest again.
    assert amount[3] < 2 * timing.JITTER * np.sqrt(136) < amount[1:3].max()


def test_the_study_says_all_that_its_table_needs():
    metrics = timing.order_metrics(people=12, frames=6, draws=100)
    known, lost = (metrics[f"order_{what}_by_unit"].value for what in ("known", "lost"))
    assert metrics["order_adds_by_unit"].value == pytest.approx(known - lost)
    more = metrics["order_adds_by_unit"].value - metrics["order_adds_together"].value
    assert metrics["order_adds_more"].value == pytest.approx(more)
    assert metrics["order_adds_more"].low is not None and metrics["order_chance"].value == 0.2
    table = timing.order_table(metrics)
    assert list(table.data.index) == ["by unit", "together"] and "difference" in table.html()
