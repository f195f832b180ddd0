"""Stored arrays are those of the same inputs and code, whole, or computed anew."""

import numpy as np
import pytest

from book import checkpoints
from ferbook.environment import STORED_VARIABLE


@pytest.fixture
def computed(tmp_path, monkeypatch):
    """Give inputs: the arrays, and how often they were computed so far."""
    monkeypatch.setenv("FER_CACHE", str(tmp_path))
    made = []

    def give(**inputs):
        def make():
            made.append(inputs)
            return {"twice": 2 * inputs["given"], "sum": np.float32(inputs["given"].sum())}

        arrays = checkpoints.checkpoint("toy", inputs, [checkpoints], make)
        np.testing.assert_array_equal(arrays["twice"], 2 * inputs["given"])
        return len(made)

    return give


def test_arrays_are_computed_once_for_each_input(computed, monkeypatch):
    given = np.arange(6.0)
    assert [computed(given=given, seed=0), computed(given=given, seed=0)] == [1, 1]
    others = (given + 1, given.reshape(2, 3), given.astype(np.float32))
    assert computed(given=given, seed=1) == 2
    assert [computed(given=other, seed=0) for other in others] == [3, 4, 5]
    monkeypatch.setattr(checkpoints.inspect, "getsource", lambda module: "other code")
    assert computed(given=given, seed=0) == 6


def test_a_damaged_file_is_computed_anew(computed, tmp_path):
    given = np.arange(3)
    computed(given=given)
    (file,) = tmp_path.rglob("*.npz")
    for damage in (b"", b"no archive", file.read_bytes()[:-30]):
        file.write_bytes(damage)
        before = computed(given=given)
        assert before == computed(given=given)
    assert before == 4


def test_a_check_computes_anew(computed, monkeypatch):
    computed(given=np.arange(3))
    monkeypatch.setenv(STORED_VARIABLE, "record.json")
    assert computed(given=np.arange(3)) == 2


def test_what_is_interrupted_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_CACHE", str(tmp_path))

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checkpoints.checkpoint("toy", {"given": 1}, [], stop)
    assert not list(tmp_path.rglob("*.*"))
