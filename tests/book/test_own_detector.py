"""What a reader who looks for a detector is given."""

import numpy as np
import pytest

from book import own_detector
from book.switchboard import switchboard_faces
from fer_lib.look.responses import maximal_responses
from fer_lib.nets.zero_bias import ZeroBiasCNN
from fer_lib.train.controls import untrained_network
from ferbook.errors import RunStoreError


def test_filters_are_chosen_by_the_largest_auroc_of_any_unit():
    shown = np.array([[True, False], [True, False], [False, True], [False, False]])
    perfect, turned, flat = [3.0, 4, 1, 2], [1.0, 2, 4, 3], [1.0, 1, 1, 1]
    responses = np.array([flat, perfect, turned]).T
    assert own_detector.ranked_by_auroc(responses, shown, 2).tolist() == [1, 2]
    assert own_detector.ranked_by_auroc(responses, shown[:, :1], 3).tolist() == [1, 0, 2]


@pytest.mark.slow
def test_the_page_gets_responses_labels_and_the_strongest_faces():
    model = untrained_network(ZeroBiasCNN(8, 48), seed=1)
    faces = switchboard_faces(48)
    people = [f"person {row % 12}" for row in range(len(faces))]
    faces = faces.assign(subject=people)
    data = own_detector.own_detector_data({"untrained": model}, "relu3", faces, faces)
    (network,) = data["networks"]
    assert len(network["filters"]) == own_detector.OWN_FILTERS
    maxima = maximal_responses(model, faces, "relu3").maxima
    for each in network["filters"]:
        own = maxima[:, each["filter"]]
        assert each["responses"] == pytest.approx(own.tolist(), rel=1e-4)
        assert len(each["strongest"]) == own_detector.OWN_FACES
        assert max(each["strongest"]) < data["tiles"]
    place = data["units"].index("AU12")
    smiling = np.array([bits >> place & 1 for bits in data["shown"]]) == 1
    assert (smiling == (faces.table["AU12"] > 0).to_numpy()).all()
    assert len(data["sequences"]) == len(data["emotions"]) == len(faces)


def test_where_the_networks_are_not_kept_a_sentence_says_so(monkeypatch):
    def absent(name):
        raise RunStoreError(f"no run {name!r}")

    monkeypatch.setattr(own_detector, "open_run", absent)
    assert own_detector.own_detector({}) == (
        "Here you could find a detector of your own; no run &#x27;reference&#x27;."
    )
