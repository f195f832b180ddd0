"""People of families with one unit each."""

import numpy as np
import pytest

from book.truth.family_faces import FIRST_SWITCHED, family_interventions, family_of
from fer_lib.aus.interventions import twins_of
from synthetic_faces.domains import FAMILIES


@pytest.fixture(scope="module")
def switched():
    return family_interventions(tuple(FAMILIES)[::3], 2, ("AU4", "AU12"), size=32)


def test_each_person_is_of_the_family_that_was_asked_for(switched):
    assert list(family_of(switched.subjects)) == 2 * ["narrow-faceunits"] + 2 * ["broad-makehuman"]
    assert all(int(who.rpartition("-S")[2]) > FIRST_SWITCHED for who in switched.subjects)
    off, _ = switched.arranged(switched.faces.pixels)
    assert len(np.unique(off.reshape(4, -1), axis=0)) == 4, "four people"


def test_only_the_unit_is_switched(switched):
    off, on = switched.arranged(np.arange(len(switched.faces)))
    table = switched.faces.table
    assert table.loc[off, ["AU4", "AU12"]].to_numpy().sum() == 0
    assert table.loc[on[:, 0, 0], ["AU4", "AU12"]].to_numpy().tolist() == 4 * [[1, 0]]
    moved = switched.faces.mask("AU12")[on[:, 1, 0]] | switched.faces.mask("AU12")[off]
    change = abs(switched.faces.pixels[on[:, 1, 0]].astype(int) - switched.faces.pixels[off])
    assert change.any((1, 2)).all() and change[moved].mean() > 5 * change[~moved].mean()


def test_twins_stand_beside_each_other(switched):
    twins, (off, on) = twins_of(switched), switched.arranged(switched.faces.pixels)
    assert list(twins.aus) == 4 * ["AU4", "AU12"] and len(twins.on) == len(twins.off) == 8
    np.testing.assert_array_equal(twins.on.pixels[1], on[0, 1, 0])
    np.testing.assert_array_equal(twins.off.pixels[3], off[1])
