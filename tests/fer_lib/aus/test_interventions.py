"""Interventions: pairs that differ in one unit, and effects that are what arithmetic says."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from face_sets.faceset import FaceSet
from fer_lib.aus.interventions import Interventions, effects_of, interventions
from fer_lib.stats.resampling import expanded_tail
from ferbook.errors import DataError, ParameterError
from synthetic_faces.facs import AUS
from synthetic_faces.people import STRANGERS
from tests.made import made_faces


def switched(people=6, aus=("AU1", "AU2"), levels=(0.5, 1.0)) -> Interventions:
    """Interventions with blank pictures: for responses that a test makes up."""
    number = 1 + len(aus) * len(levels)
    subjects = np.array([f"S{i}" for i in range(people)], dtype=object)
    faces = made_faces(np.zeros((people * number, 2, 2), np.uint8), subject=np.repeat(subjects, number))
    return Interventions(faces, tuple(aus), tuple(levels), subjects, (1.0,) * len(aus))


def responses(off, on):
    """(N, K) in the order of the pictures, of ``off`` (B, K) and ``on`` (B, A, L, K)."""
    off, on = np.asarray(off, float), np.asarray(on, float)
    return np.concatenate([off[:, None], on.reshape(len(off), -1, off.shape[1])], axis=1).reshape(
        -1, off.shape[1]
    )


# --- rendering ---------------------------------------------------------------------------------------


@pytest.fixture
def unrendered(monkeypatch):
    """Keep what would be rendered, and give back pictures of which picture they are."""
    asked = {}

    def fake(script, *, domain, size, seed):
        asked.update(script=script, domain=domain, size=size, seed=seed)
        n = len(script.people)
        pixels = np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None], (n, 2, 2)).copy()
        return made_faces(pixels, subject=[f"S{p}" for p in script.people])

    monkeypatch.setattr("fer_lib.aus.interventions.scripted_faces", fake)
    return asked


def test_every_pair_differs_in_one_unit_at_one_level(unrendered):
    found = interventions(6, ("AU4", "AU12"), (0.25, 1.0), size=24, face_seed=3, domain="wild")
    script = unrendered["script"]
    assert (unrendered["domain"], unrendered["size"], unrendered["seed"]) == ("wild", 24, 3)
    off, on = found.arranged(found.faces.pixels)
    assert off.shape == (6, 2, 2) and on.shape == (6, 2, 2, 2, 2)
    each = script.intensities.reshape(6, 5, len(AUS), 2)
    np.testing.assert_array_equal(np.unique(script.people), STRANGERS + np.arange(6))
    assert not script.takes.any() and not each[:, 0].any(), "a face at rest, taken once"
    # Picture 1 + 2 a + l shows AU a at level l: the order in which ``arranged`` takes them apart.
    np.testing.assert_array_equal(on[1, :, :, 0, 0], 5 + np.arange(1, 5).reshape(2, 2))
    for b, a, step in itertools.product(range(6), range(2), range(2)):
        wanted = np.zeros_like(each[b, 0])
        wanted[AUS.index(found.aus[a])] = found.levels[step]
        np.testing.assert_array_equal(each[b, 1 + 2 * a + step], wanted)


def painted(changes, levels=(0.5, 1.0)) -> Interventions:
    """Two faces whose first pixel each unit brightens by ``changes`` (A, L)."""
    changes = np.asarray(changes)
    given = switched(2, tuple(f"AU{a}" for a in range(len(changes))), levels)
    pixels = np.full((2, 1 + changes.size, 2, 2), 10, np.uint8)
    pixels[:, 1:, 0, 0] += changes.ravel().astype(np.uint8)
    faces = FaceSet("lab-staged", pixels.reshape(-1, 2, 2), given.faces.table)
    return replace(given, faces=faces)


def test_change_is_the_root_of_the_mean_square_over_pixels_and_people():
    # One of four pixels by 8: the root of 64 / 4.
    np.testing.assert_allclose(painted([[4, 8], [20, 40]]).change, [[2, 4], [10, 20]])


def test_a_dose_is_the_intensity_at_level_one(unrendered):
    interventions(6, ("AU4", "AU12"), (0.5, 1.0), doses={"AU12": 0.4})
    shown = unrendered["script"].intensities.reshape(6, 5, len(AUS), 2)
    assert (shown[:, 2, AUS.index("AU4")] == 1).all()
    np.testing.assert_allclose(shown[:, 3:, AUS.index("AU12"), 0], [[0.2, 0.4]] * 6)
    with pytest.raises(ParameterError, match=r"dose of AU12 = 1\.2"):
        interventions(6, ("AU12",), doses={"AU12": 1.2})
    with pytest.raises(ParameterError, match="no unit 'AU21'"):
        interventions(6, ("AU21",))


# --- effects -----------------------------------------------------------------------------------------


def test_effects_by_hand():
    # Neutral responses 1 … 6: standard deviation √3.5. AU1 adds 1 and then 3; AU2 takes half of it away.
    off = np.arange(1.0, 7.0)[:, None]
    on = np.stack([np.stack([off + 1, off + 3], 1), np.stack([off, off / 2], 1)], 1)
    found = effects_of(responses(off, on), switched())
    unit = np.sqrt(3.5)
    np.testing.assert_allclose(found.effect[0], [[1 / unit, 3 / unit], [0, -1.75 / unit]])
    np.testing.assert_allclose(found.people[:, 0, 1, 1], -off[:, 0] / 2 / unit, rtol=1e-6)
    # Equal in all people: no width. Else the mean of any draw of people, between the extremes.
    np.testing.assert_allclose(found.low[0, 0], found.effect[0, 0])
    assert -3 / unit <= found.low[0, 1, 1] < found.effect[0, 1, 1] < found.high[0, 1, 1] <= -0.5 / unit
    assert not found.dead.any() and found.effect.shape == (1, 2, 2)


def test_the_interval_is_that_of_means_of_drawn_people():
    rng = np.random.default_rng(0)
    off, on = rng.normal(size=(40, 2)), rng.normal(size=(40, 1, 1, 2))
    maxima = responses(off, on)
    found = effects_of(maxima, switched(40, ("AU1",), (1.0,)), draws=20_000)
    own = stats.bootstrap(
        (found.people[:, 1, 0, 0],),
        np.mean,
        n_resamples=20_000,
        method="percentile",
        rng=1,
        confidence_level=1 - 2 * expanded_tail(40),
    )
    ends = found.low[1, 0, 0], found.high[1, 0, 0]
    np.testing.assert_allclose(ends, own.confidence_interval, atol=0.03)


def test_filters_that_are_off_at_rest_or_always_are_told_apart():
    off = np.zeros((6, 2))
    on = np.zeros((6, 1, 1, 2))
    on[:, 0, 0, 0] = 2.0
    found = effects_of(responses(off, on), switched(6, ("AU1",), (1.0,)))
    assert found.dead.tolist() == [False, True]
    # Twelve responses, half of them 2: one standard deviation is √(12/11).
    np.testing.assert_allclose(found.effect[:, 0, 0], [2 / np.sqrt(12 / 11), 0])


def test_permuting_filters_units_and_people_permutes_effects():
    rng = np.random.default_rng(1)
    off, on = rng.random((7, 4)), rng.random((7, 3, 2, 4))
    aus = ("AU1", "AU2", "AU4")
    found = effects_of(responses(off, on), switched(7, aus))
    k, a = rng.permutation(4), rng.permutation(3)
    other = effects_of(responses(off[:, k], on[:, a][..., k]), switched(7, tuple(np.array(aus)[a])))
    for name in ("effect", "low", "high"):
        np.testing.assert_allclose(getattr(other, name), getattr(found, name)[k][:, a])
    scaled = effects_of(5 * responses(off, on), switched(7, aus))
    np.testing.assert_allclose(scaled.effect, found.effect)


def test_responses_that_do_not_fit_are_refused():
    given = switched()
    good = np.random.default_rng(0).random((len(given.faces), 3))
    broken = good.copy()
    broken[4, 2] = np.nan
    with pytest.raises(DataError, match="picture 4, filter 2"):
        effects_of(broken, given)
