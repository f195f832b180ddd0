import numpy as np
import pytest

from fer_lib.errors import DataError
from fer_lib.units.nulls import permutation_null
from fer_lib.units.presence import Presence
from fer_lib.units.rare import without_rare


def test_filters_that_answer_to_few_people_are_set_to_zero_and_named():
    subjects = np.repeat([f"s{i}" for i in range(5)], 2)
    maxima = np.zeros((10, 4))
    maxima[[0, 1, 2], 0] = 1.0  # two people, three pictures
    maxima[[0, 2, 4], 1] = 1.0  # three people
    maxima[:, 2] = 5 + np.arange(10)  # everyone: never off, but the first person answers once more than least
    kept, rare = without_rare(maxima, subjects, min_subjects=3)
    assert rare.tolist() == [True, False, False, True]
    np.testing.assert_array_equal(kept[:, [1, 2]], maxima[:, [1, 2]])
    assert not kept[:, rare].any()
    assert maxima[0, 0] == 1, "the given responses are left as they are"


def test_one_rare_filter_no_longer_takes_the_others_their_power():
    rng = np.random.default_rng(0)
    subjects = np.repeat([f"s{i}" for i in range(40)], 4)
    shown = (rng.random((160, 2)) < (0.06, 0.3)).astype(np.float32)
    maxima = rng.random((160, 6))
    maxima[:, 0] += 0.4 * shown[:, 1]
    maxima[:, 5] = 0
    maxima[3, 5] = 1
    faces = Presence(("AU1", "AU2"), shown, subjects, np.arange(160).astype(str), np.full(160, ""))
    thresholds = [
        permutation_null(m, faces, "auroc", permutations=199, min_subjects=2).threshold()
        for m in (maxima, without_rare(maxima, subjects)[0])
    ]
    assert thresholds[1] < 0.9 * thresholds[0]


def test_responses_and_subjects_of_other_pictures_are_refused():
    with pytest.raises(DataError, match=r"responses \(4, 2\) and subjects \(3,\)"):
        without_rare(np.zeros((4, 2)), np.array(["a", "b", "c"]))
