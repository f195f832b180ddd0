"""What read-outs explain of units: codes that are known, the best filter by another computation, coverage."""

import numpy as np
import pandas as pd
import pytest

from book.truth import codes
from book.truth.maps import CODE_QUESTIONS
from fer_lib.aus.interventions import Interventions

PEOPLE, UNITS, FILTERS = 12, 5, 20
FAMILIES = np.repeat(np.array(["one", "two", "three"], object), PEOPLE // 3)


def made_changes(spread: int, seed: int = 0, noise: float = 0.1) -> np.ndarray:
    """Changes in which each unit activates ``spread`` filters alike, with a little noise."""
    rng = np.random.default_rng(seed)
    changes = noise * rng.normal(size=(PEOPLE, UNITS, FILTERS))
    code = np.array([np.roll(np.arange(FILTERS) < spread, unit * 4) for unit in range(UNITS)])
    signs = rng.choice((-1.0, 1.0), code.shape)
    return changes + (code * signs if spread > 1 else code)


def means(found: pd.DataFrame) -> pd.Series:
    return found.groupby(["basis", "size"])["explained"].mean()


def test_a_unit_of_one_filter_is_explained_by_it_and_by_no_random_direction():
    found = means(codes.explained_units(made_changes(1), FAMILIES))
    assert found[codes.FILTERS, 1] > 0.9 and found[codes.FILTERS, codes.ALL] > 0.9
    assert found[codes.TURNED, 1] < 0.7


def test_a_unit_of_many_filters_needs_many():
    found = means(codes.explained_units(made_changes(16, noise=0.8), FAMILIES))
    assert found[codes.FILTERS, codes.ALL] > found[codes.FILTERS, 4] > found[codes.FILTERS, 1] + 0.1


def test_all_directions_explain_the_same_in_any_rotation():
    found = means(codes.explained_units(made_changes(3), FAMILIES))
    assert found[codes.FILTERS, codes.ALL] == pytest.approx(found[codes.TURNED, codes.ALL], abs=1e-6)


def test_the_best_filter_by_least_squares():
    changes = made_changes(2, seed=3)
    found = codes.explained_units(changes, FAMILIES)
    tested, unit = FAMILIES == "two", 4
    weights = np.where(np.arange(UNITS) == unit, 0.5, 0.5 / (UNITS - 1))
    train, wanted = changes[~tested].reshape(-1, FILTERS), np.tile(np.eye(UNITS)[unit], 8)
    root, errors = np.sqrt(np.tile(weights, 8))[:, None], []
    for column, seen in zip(train.T, np.moveaxis(changes[tested], 2, 0), strict=True):
        design = np.stack([np.ones_like(column), column], axis=1)
        (start, slope), left, *_ = np.linalg.lstsq(root * design, root[:, 0] * wanted, rcond=None)
        predicted = (start + slope * seen).clip(0, 1)
        errors.append((left[0], 1 - 4 * ((predicted - np.eye(UNITS)[unit]) ** 2 @ weights)))
    best = min(errors, key=lambda each: each[0])[1]
    own = found[found["basis"].eq(codes.FILTERS) & found["size"].eq(1) & found["unit"].eq(unit)]
    np.testing.assert_allclose(own.set_index("row")["explained"][np.flatnonzero(tested)], best)


def test_a_filter_that_never_answers_changes_nothing():
    changes = made_changes(2)
    silent = np.concatenate([changes, np.zeros((PEOPLE, UNITS, 2))], axis=2)
    one, other = (means(codes.explained_units(each, FAMILIES)) for each in (changes, silent))
    for size in (1, 4, codes.ALL):
        assert one[codes.FILTERS, size] == pytest.approx(other[codes.FILTERS, size])


def read(values: dict[str, float]) -> pd.DataFrame:
    """Three networks of ``pop`` and six people of two families; ``basis size`` -> explained."""
    rows = pd.MultiIndex.from_product([values, range(3), range(6)], names=["name", "network", "person"])
    rows = rows.to_frame(index=False)
    about = rows["name"].str.rpartition(" ").rename(columns={0: "basis", 2: "size"})[["basis", "size"]]
    explained = rows["name"].map(values) + 0.01 * (rows["network"] + rows["person"])
    family = "family " + (rows["person"] % 2).astype(str)
    about = about.astype({"size": int}).assign(explained=explained, family=family)
    return rows.join(about).assign(population="pop", unit="AU1")


@pytest.mark.slow
def test_intervals_hold_the_mean_of_all_studies_though_readouts_are_not_fitted_again():
    """A7: people differ in strength, and train read-outs in other families than they test."""
    rng, found = np.random.default_rng(4), []
    people, families = [f"p{k}" for k in range(24)], np.repeat(np.array(list("abcd"), object), 6)

    def network():
        code = rng.normal(size=(UNITS, 12)) * (rng.random((UNITS, 12)) < 0.5)
        own = code * (1 + 0.5 * rng.normal(size=(24, UNITS, 12))) * strength
        changes = own + 0.2 * rng.normal(size=(24, 1, 12)) + 0.3 * rng.normal(size=own.shape)
        table = codes.explained_units(changes, families)
        return table.assign(person=[people[row] for row in table["row"]])

    for _ in range(100):
        strength = np.exp(0.5 * rng.normal(size=(24, UNITS, 1)))
        study = pd.concat([network().assign(network=number) for number in range(3)])
        both = [*codes.code_questions(study).values(), codes.explained_share(study, codes.FILTERS, codes.ALL)]
        found.append([(each.low, each.value, each.high) for each in both])
    low, value, high = np.moveaxis(found, 2, 0)
    assert ((low < value.mean(axis=0)) & (value.mean(axis=0) < high)).mean(axis=0).min() >= 0.92


VALUES = {"filters 1": 0.2, "filters 4": 0.3, "filters 16": 0.4, "filters 0": 0.6, "random rotation 1": 0.1}


def test_the_questions_compare_network_by_network():
    found = codes.code_questions(read(VALUES))
    assert found["privileged"].value == pytest.approx(0.1)
    # Half of .635 minus .235.
    assert found["distributed"].value == pytest.approx(0.5 * 0.635 - 0.235)
    assert set(found) == set(CODE_QUESTIONS)
    metrics = codes.code_metrics(read(VALUES), "pop")
    assert metrics["explained_1"].value == pytest.approx(0.235) and metrics["readers"].value == 6
    answers = codes.code_answers(read(VALUES))
    assert set(answers["without"]) == {"", "family 0", "family 1"} and len(answers) == 6


def test_changes_are_what_the_unit_adds():
    shown = Interventions(None, ("AU1", "AU2"), (1.0,), np.array(["a", "b"]), (1.0, 1.0))
    maxima = np.array([[1.0], [4.0], [1.0], [2.0], [2.0], [0.0]])
    np.testing.assert_array_equal(codes.unit_changes(maxima, shown)[..., 0], [[3, 0], [0, -2]])
