"""Doses that change a picture alike, by hand."""

from dataclasses import replace

import pytest

from book.au_verification.examine import matched_doses
from ferbook.errors import ParameterError
from tests.fer_lib.aus.test_interventions import painted


def test_doses_change_the_picture_alike_and_who_cannot_is_named():
    found = matched_doses(painted([[4, 8], [20, 40], [40, 40]]), 6.0)
    assert found.unreached == ("AU0",)
    # AU0: all it has; AU1: 3/5 of half; AU2: 3/10 of half.
    assert found.intensities == pytest.approx({"AU0": 1.0, "AU1": 0.3, "AU2": 0.15})
    again = matched_doses(replace(painted([[4, 8], [20, 40], [40, 40]]), doses=(1.0, 0.5, 1.0)), 6.0)
    assert again.intensities["AU1"] == pytest.approx(0.15)
    for change in (0.0, 21.0):
        with pytest.raises(ParameterError, match=r"at most the 20\.0 of AU1"):
            matched_doses(painted([[4, 8], [20, 40]]), change)
