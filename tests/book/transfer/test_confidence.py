"""Does a network know when it does not know? Answers whose confidence and accuracy are known."""

import numpy as np
import pytest
from torch import nn

from book.transfer import figures
from book.transfer.confidence import confidence_metrics, transfer_answers
from book.transfer.study import Sets, TransferStudy

TWO = ("anger", "happiness")


@pytest.fixture
def study(blank):
    """40 people in each of two sets: always 80 % sure, at home right in 32 of 40, on the other set in 16."""
    faces = {name: blank([TWO[row % 2] for row in range(40)], name) for name in "ab"}
    given = {}
    for source, target in ("aa", "ab", "ba", "bb"):
        labels = faces[target].labels(TWO)
        said = np.where(np.arange(40) < (32 if source == target else 16), labels, 1 - labels)
        given[source, 0, target] = np.where(np.eye(2)[said] > 0, 0.8, 0.2).astype(np.float32)
    return TransferStudy(Sets(TWO, faces, {}, {}), {key[:2]: nn.Identity() for key in given}, given)


def test_networks_are_asked_at_home_and_away_and_people_keep_their_set(study):
    home, away = (transfer_answers(study, at_home=at_home) for at_home in (True, False))
    for (said, labels, people), share in ((home, 0.8), (away, 0.4)):
        assert said.shape == (80, 2) and len(set(people)) == 80
        assert (said.argmax(axis=1) == labels).mean() == pytest.approx(share)


def test_the_error_is_how_much_surer_than_right_they_are(study):
    home, away = (transfer_answers(study, at_home=at_home) for at_home in (True, False))
    found = confidence_metrics(home, away, draws=300, seed=0)
    assert found["confidence_home"].value == found["confidence_away"].value == pytest.approx(0.8)
    assert found["calibration_error_home"].value == pytest.approx(0, abs=1e-6)
    error = found["calibration_error_away"]
    assert error.value == pytest.approx(0.4) and 0.25 < error.low < 0.4 < error.high < 0.55
    drawn = figures.reliability_lines(home, away)
    assert "on the other sets 80.0 % sure and 40.0 % right" in drawn.caption
    assert drawn.data["asked"].tolist() == ["set learned from", "other sets"]
