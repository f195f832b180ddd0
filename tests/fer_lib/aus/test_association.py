import numpy as np
import pytest
from scipy.stats import norm, t

from fer_lib.aus import association
from fer_lib.aus.association import MEASURES, SIGNED, associate, statistic
from fer_lib.aus.presence import Presence
from ferbook.errors import DataError


def presence_of(present, subjects, aus=None):
    subjects = np.asarray(subjects).astype(str)
    names = aus or tuple(f"AU{k + 1}" for k in range(present.shape[1]))
    return Presence(names, present, subjects, subjects, np.full(len(subjects), ""))


@pytest.fixture
def study():
    """240 pictures of 30 subjects, 5 filters: 0 detects AU1, 1 detects AU2, 2 neither, 3 is silenced by AU1,
    4 is dead. Few show AU3.
    """
    generator = np.random.default_rng(8)
    subjects = np.repeat(np.arange(30), 8)
    present = (generator.random((240, 3)) < (0.3, 0.4, 0.5)).astype(np.float32)
    present[subjects >= 7, 2] = 0
    drive = np.stack((present[:, 0], present[:, 1], 0 * present[:, 0], -present[:, 0]), axis=1)
    maxima = np.maximum(1 + 1.5 * drive + generator.normal(size=(240, 4)), 0)
    return np.hstack((maxima, np.zeros((240, 1)))), presence_of(present, subjects)


@pytest.mark.parametrize("measure", MEASURES)
def test_filters_find_their_au_and_intervals_hold_the_estimate(study, measure):
    maxima, presence = study
    found = associate(maxima, presence, measure, draws=100)
    strongest = np.array(found.aus)[np.nanargmax(found.estimate, axis=1)]
    assert strongest[:2].tolist() == ["AU1", "AU2"]
    # What an AU silences is far from it in distance, and not detected where there is a sign.
    assert strongest[3] == ("AU2" if measure in SIGNED else "AU1")
    assert (
        found.too_few == ("AU3",) and np.isnan(found.estimate[:, 2]).all() and np.isnan(found.low[:, 2]).all()
    )
    scored = found.estimate[:, :2]
    assert scored == pytest.approx(statistic(maxima, presence.present[:, :2], measure))
    assert (found.low[:, :2] <= scored).all() and (scored <= found.high[:, :2]).all()
    assert (found.low[:4, :2] < found.high[:4, :2]).all()
    assert found.dead.tolist() == [False] * 4 + [True] and not found.estimate[4, :2].any()


@pytest.mark.parametrize("measure", ["auroc", "smd", "wasserstein"])
def test_interval_is_that_of_a_naive_bootstrap_of_whole_subjects(study, measure):
    maxima, presence = study
    found = associate(maxima, presence, measure, draws=60, seed=4)
    naive = []
    for row in np.random.default_rng(4).integers(30, size=(60, 30)):
        again = np.concatenate(
            [np.flatnonzero(presence.subjects == np.unique(presence.subjects)[s]) for s in row]
        )
        naive.append(statistic(maxima[again], presence.present[again], measure)[:4, :2])
    naive = np.array(naive)
    shown = [presence.subjects[presence.present[:, a] == 1] for a in (0, 1)]
    for a, who in enumerate(shown):
        n = len(np.unique(who))
        tail = norm.cdf(-t.ppf(0.975, n - 1) * np.sqrt(n / (n - 1)))
        low, high = np.quantile(naive[:, :, a], (tail, 1 - tail), axis=0)
        estimate = found.estimate[:4, a]
        if measure == "wasserstein":
            low, high = np.maximum(2 * estimate - high, 0), np.maximum(2 * estimate - low, 0)
        assert found.low[:4, a] == pytest.approx(np.minimum(low, estimate), abs=1e-5)
        assert found.high[:4, a] == pytest.approx(np.maximum(high, estimate), abs=1e-5)


def test_resamples_in_several_parts_are_as_good(study, monkeypatch):
    maxima, presence = study
    whole = associate(maxima, presence, "auroc", draws=50)
    monkeypatch.setattr(association, "DRAWS_AT_ONCE", 7)
    parts = associate(maxima, presence, "auroc", draws=50)
    np.testing.assert_array_equal(parts.low, whole.low)
    np.testing.assert_array_equal(parts.high, whole.high)
    assert not np.array_equal(associate(maxima, presence, "auroc", draws=50, seed=1).low, whole.low, True)


def test_an_au_that_is_not_coded_everywhere_is_judged_where_it_is(study):
    maxima, presence = study
    present = presence.present.copy()
    present[:40, 1] = np.nan
    partly = presence_of(present, presence.subjects)
    found = associate(maxima, partly, "kl", draws=50)
    assert found.estimate[:, 0] == pytest.approx(associate(maxima, presence, "kl", draws=50).estimate[:, 0])
    assert np.isfinite(found.low[:, 1]).all()


def test_bad_input_is_named(study):
    maxima, presence = study
    with pytest.raises(DataError, match="1 subject on 240 pictures"):
        associate(maxima, presence_of(presence.present, np.zeros(240)))
    with pytest.raises(DataError, match="no AU has 31 subjects"):
        associate(maxima, presence, min_subjects=31)
    maxima[3, 1] = np.inf
    with pytest.raises(DataError, match="picture 3, filter 1: the maximal response is inf"):
        associate(maxima, presence)
