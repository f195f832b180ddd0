"""Detection heads: scores against scikit-learn, people never shared, nothing chosen on test pictures."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fer_lib.aus.heads import HEAD_STRENGTHS, _aurocs, drawn_aurocs, enough_people, fit_heads
from fer_lib.aus.presence import Presence
from ferbook.errors import DataError

AUS = ("AU1", "AU2", "AU4")


def data(seed=0, people=60, each=4, strength=2.0):
    """Features (N, 5) of which the first two carry AU1 and AU2; AU4 is rare. Split by person."""
    rng = np.random.default_rng(seed)
    n = people * each
    subjects = np.repeat([f"S{i:02d}" for i in range(people)], each)
    present = (rng.random((n, 3)) < (0.4, 0.25, 0.01)).astype(np.float32)
    features = rng.normal(size=(n, 5)) * (1, 10, 0.1, 1, 1) + 3
    features[:, 0] += strength * present[:, 0]
    features[:, 1] -= 10 * strength * present[:, 1]
    person = np.arange(n) // each
    split = np.select([person % 5 == 3, person % 5 == 4], ["valid", "test"], "train")
    return features, Presence(AUS, present, subjects, subjects, np.full(n, "")), split


def detect(features, presence, split, *, strengths=HEAD_STRENGTHS, draws=1000, seed=0):
    """float64 (A, 1 + draws): AUROC of heads chosen on validation and scored on test pictures."""
    heads = fit_heads(features, presence, split, strengths=strengths)
    test = np.asarray(split) == "test"
    return drawn_aurocs(heads, features[test], presence.select(test), draws=draws, seed=seed)


def test_heads_are_those_of_scikit_learn():
    features, presence, split = data()
    heads = fit_heads(features, presence, split, strengths=(0.1,))
    train = split == "train"
    for column in range(len(heads.aus)):
        own = make_pipeline(StandardScaler(), LogisticRegression(C=0.1)).fit(
            features[train], presence.present[train, column]
        )
        np.testing.assert_allclose(
            heads.log_odds(features)[:, column], own.decision_function(features), rtol=1e-4, atol=1e-5
        )
    assert heads.aus == ("AU1", "AU2") and heads.too_few == ("AU4",)


def test_aurocs_are_those_of_scikit_learn():
    features, presence, split = data()
    heads = fit_heads(features, presence, split)
    test = split == "test"
    log_odds = heads.log_odds(features[test])
    found = detect(features, presence, split, draws=50)
    assert found.shape == (2, 51)
    for column in range(len(heads.aus)):
        shown = presence.present[test, column] == 1
        assert found[column, 0] == pytest.approx(roc_auc_score(shown, log_odds[:, column]))
        assert np.nanmin(found[column, 1:]) < found[column, 0] < np.nanmax(found[column, 1:])


def test_weighted_aurocs_are_those_of_repeated_pictures():
    # Whole numbers as weights must do what copies of the pictures would do, ties included.
    rng = np.random.default_rng(1)
    for _ in range(20):
        scores, shown = rng.integers(0, 5, 12).astype(float), rng.random(12) < 0.5
        shown[:2] = True, False
        weights = rng.integers(0, 4, 12)
        weights[:2] = 1
        rows = np.repeat(np.arange(12), weights)
        found = _aurocs(scores, shown, weights[None].astype(float))
        np.testing.assert_allclose(found, [roc_auc_score(shown[rows], scores[rows])])


def test_a_draw_without_the_unit_is_left_out():
    found = _aurocs(np.array([1.0, 2.0]), np.array([True, False]), np.array([[0.0, 2.0], [1.0, 1.0]]))
    assert np.isnan(found[0]) and found[1] == 0


def test_nothing_is_chosen_on_test_pictures():
    features, presence, split = data()
    heads = fit_heads(features, presence, split)
    changed = features.copy()
    changed[split == "test"] = 99
    # Presence on test pictures only decides whether there are enough people.
    other = fit_heads(changed, presence, split)
    for name in ("weights", "bias"):
        np.testing.assert_array_equal(getattr(heads, name), getattr(other, name))


def test_strengths_are_chosen_on_validation_pictures():
    features, presence, split = data(strength=0.6)
    noisy = np.concatenate([features, np.random.default_rng(3).normal(size=(len(features), 80))], axis=1)
    heads = fit_heads(noisy, presence, split, strengths=(1000.0, 0.001))
    valid = split == "valid"
    each = [fit_heads(noisy, presence, split, strengths=(strength,)) for strength in (0.001, 1000.0)]
    for column in range(len(heads.aus)):
        shown = presence.present[valid, column]
        aurocs = [roc_auc_score(shown, one.log_odds(noisy[valid])[:, column]) for one in each]
        np.testing.assert_array_equal(heads.weights[column], each[np.argmax(aurocs)].weights[column])


def test_pictures_that_were_not_coded_do_not_count():
    features, presence, split = data()
    present = presence.present.copy()
    gone = np.arange(len(present)) % 7 == 0
    present[gone, 0] = np.nan
    part = Presence(AUS, present, presence.subjects, presence.sequences, presence.emotions)
    with_gaps = detect(features, part, split, draws=20)
    heads = fit_heads(features, part, split)
    test = (split == "test") & ~gone
    by_hand = roc_auc_score(present[test, 0], heads.log_odds(features[test])[:, 0])
    assert with_gaps[0, 0] == pytest.approx(by_hand)


def test_noise_is_not_detected_and_a_clear_signal_is():
    features, presence, split = data(strength=6)
    assert detect(features, presence, split, draws=20)[0, 0] > 0.99
    rng = np.random.default_rng(4)
    drawn = detect(rng.normal(size=(len(features), 5)), presence, split, draws=200)[0, 1:]
    assert np.nanquantile(drawn, 0.025) < 0.5 < np.nanquantile(drawn, 0.975)


def test_a_feature_that_never_varies_has_no_weight():
    features, presence, split = data()
    features[:, 3] = 7.3
    # Even where it does vary on other people.
    features[split == "test", 3] = 1e6
    heads = fit_heads(features, presence, split)
    assert (heads.weights[:, 3] == 0).all() and np.isfinite(heads.bias).all()


def test_people_in_two_splits_are_refused():
    features, presence, split = data()
    shared = split.copy()
    shared[0] = "test"
    with pytest.raises(DataError, match="subject 'S00' is in the splits test, train"):
        detect(features, presence, shared)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda f, p, s: (np.where(np.arange(5) == 2, np.nan, f), p, s), DataError, "picture 0, feature 2"),
        (
            lambda f, p, s: (f, p, np.where(s == "test", "train", s)),
            DataError,
            "no picture is in the split 'test'",
        ),
        (lambda f, p, s: (f, p.only(("AU4",)), s), DataError, "use a larger face set"),
    ],
)
def test_data_that_cannot_be_used_is_refused(change, error, message):
    with pytest.raises(error, match=message):
        detect(*change(*data()))


def test_heads_need_enough_people_in_every_split():
    names = np.repeat([f"s{i}" for i in range(40)], 2)
    present = (np.random.default_rng(0).random((80, 3)) < 0.4).astype(float)
    shown = Presence(("AU1", "AU2", "AU12"), present, names, np.arange(80).astype(str), np.full(80, ""))
    split = np.where(np.arange(80) < 48, "train", np.where(np.arange(80) < 64, "valid", "test"))
    assert enough_people(shown, split)
    lonely = np.where(np.arange(80) < 76, np.where(split == "test", "valid", split), "test")
    assert not enough_people(shown, lonely), "two people are tested"
