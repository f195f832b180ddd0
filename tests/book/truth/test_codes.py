"""What readouts explain of units: planted codes, and the best filter worked out a second way."""

import numpy as np
import pandas as pd
import pytest

from book.truth import codes
from book.truth.maps import CODE_QUESTIONS
from fer_lib.aus.interventions import Interventions

PEOPLE, UNITS, FILTERS = 12, 5, 20
FAMILIES = np.repeat(np.array(["one", "two", "three"], object), PEOPLE // 3)


def planted(spread: int, seed: int = 0, noise: float = 0.1) -> np.ndarray:
    """Changes in which each unit moves ``spread`` filters alike, with a little chance."""
    rng = np.random.default_rng(seed)
    changes = noise * rng.normal(size=(PEOPLE, UNITS, FILTERS))
    code = np.array([np.roll(np.arange(FILTERS) < spread, unit * 4) for unit in range(UNITS)])
    signs = rng.choice((-1.0, 1.0), code.shape)
    return changes + (code * signs if spread > 1 else code)


def means(found: pd.DataFrame) -> pd.Series:
    return found.groupby(["basis", "size"])["explained"].mean()


def test_a_unit_of_one_filter_is_told_by_it_and_by_no_direction_at_random():
    found = means(codes.explained_units(planted(1), FAMILIES))
    assert found[codes.FILTERS, 1] > 0.9 and found[codes.FILTERS, codes.ALL] > 0.9
    assert found[codes.TURNED, 1] < 0.7


def test_a_unit_of_many_filters_needs_many():
    found = means(codes.explained_units(planted(16, noise=0.8), FAMILIES))
    assert found[codes.FILTERS, codes.ALL] > found[codes.FILTERS, 4] > found[codes.FILTERS, 1] + 0.1


def test_all_directions_tell_the_same_however_they_are_turned():
    found = means(codes.explained_units(planted(3), FAMILIES))
    assert found[codes.FILTERS, codes.ALL] == pytest.approx(found[codes.TURNED, codes.ALL], abs=1e-6)


def test_the_best_filter_by_least_squares():
    changes = planted(2, seed=3)
    found = codes.explained_units(changes, FAMILIES)
    tested, unit = FAMILIES == "two", 4
    weights = np.where(np.arange(UNITS) == unit, 0.5, 0.5 / (UNITS - 1))
    train, wanted = changes[~tested].reshape(-1, FILTERS), np.tile(np.eye(UNITS)[unit], 8)
    errors = []
    for column in train.T:
        design = np.stack([np.ones_like(column), column], axis=1)
        root = np.sqrt(np.tile(weights, 8))
        fitted = np.linalg.lstsq(root[:, None] * design, root * wanted, rcond=None)[0]
        left = np.sum(root**2 * (wanted - design @ fitted) ** 2)
        told = (fitted[0] + fitted[1] * changes[tested][..., len(errors)]).clip(0, 1)
        errors.append((left, 1 - 4 * ((told - np.eye(UNITS)[unit]) ** 2 @ weights)))
    best = min(errors, key=lambda each: each[0])[1]
    own = found[found["basis"].eq(codes.FILTERS) & found["size"].eq(1) & found["unit"].eq(unit)]
    np.testing.assert_allclose(own.set_index("row")["explained"][np.flatnonzero(tested)], best)


def test_a_filter_that_never_answers_changes_nothing():
    changes = planted(2)
    silent = np.concatenate([changes, np.zeros((PEOPLE, UNITS, 2))], axis=2)
    one, other = (means(codes.explained_units(each, FAMILIES)) for each in (changes, silent))
    for size in (1, 4, codes.ALL):
        assert one[codes.FILTERS, size] == pytest.approx(other[codes.FILTERS, size])


def read(values: dict[str, float]) -> pd.DataFrame:
    """Three networks of ``pop`` and six people of two families; ``basis size`` -> explained."""
    rows = [
        {
            "network": f"net {net}",
            "population": "pop",
            "person": f"p{person}",
            "family": f"family {person % 2}",
            "unit": "AU1",
            "basis": name.rpartition(" ")[0],
            "size": int(name.rpartition(" ")[2]),
            "explained": value + 0.01 * net + 0.01 * person,
        }
        for name, value in values.items()
        for net in range(3)
        for person in range(6)
    ]
    return pd.DataFrame(rows)


VALUES = {"filters 1": 0.2, "filters 4": 0.3, "filters 16": 0.4, "filters 0": 0.6, "random rotation 1": 0.1}


def test_the_questions_compare_network_by_network():
    asked = codes.code_questions(read(VALUES))
    assert asked["privileged"].value == pytest.approx(0.1)
    # Half of .635, less .235.
    assert asked["distributed"].value == pytest.approx(0.5 * 0.635 - 0.235)
    assert set(asked) == set(CODE_QUESTIONS)
    metrics = codes.code_metrics(read(VALUES), "pop")
    assert metrics["explained_1"].value == pytest.approx(0.235) and metrics["readers"].value == 6
    told = codes.code_answers(read(VALUES))
    assert set(told["without"]) == {"", "family 0", "family 1"} and len(told) == 6


def test_changes_are_what_the_unit_adds():
    shown = Interventions(None, ("AU1", "AU2"), (1.0,), np.array(["a", "b"]), (1.0, 1.0))
    maxima = np.array([[1.0], [4.0], [1.0], [2.0], [2.0], [0.0]])
    np.testing.assert_array_equal(codes.unit_changes(maxima, shown)[..., 0], [[3, 0], [0, -2]])
