"""The further people of the switchboard, and the filters that are shown with them."""

import numpy as np
import pandas as pd
import pytest

from book import several_people
from book.explain import networks_of
from book.switchboard import switchboard_codes
from fer_lib.aus.detectors import Detector
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.responses import maximal_responses
from fer_lib.train.controls import untrained_network
from ferbook.store import open_run
from synthetic_faces.facs import AUS


def test_the_others_show_one_unit_at_a_time():
    codes = several_people.single_codes()
    assert codes[0] == {} and len(codes) == 1 + 3 * len(AUS)
    assert set(map(str, codes)) <= set(map(str, switchboard_codes())) and max(map(len, codes)) == 1


def test_another_person_has_another_face(monkeypatch):
    scripts = []
    rendered = "fer_lib.faces.rendered.scripted_faces"
    monkeypatch.setattr(rendered, lambda script, size: scripts.append((script, size)))
    several_people.people_faces(0, 48)
    several_people.people_faces(3, 48)
    (own, size), (other, _) = scripts
    assert size == 48 and set(other.people - own.people) == {3}
    place = several_people.single_codes().index({"AU12": "C"})
    assert other.intensities[place, AUS.index("AU12")].tolist() == [0.6, 0.6]
    assert np.count_nonzero(other.intensities[place]) == 2 and not other.intensities[0].any()


def test_of_each_unit_the_strongest_detector_is_shown():
    rows = (("AU12", "AU12"), ("AU9", "AU15"), ("AU12", "AU12"), ("AU4", ""), ("AU2", "AU2"), ("AU9", "AU4"))
    found = [Detector(filter=k, au=au, association=0.9, moved_by=by) for k, (au, by) in enumerate(rows)]
    assert [each.filter for each in several_people.chosen_detectors(found, True, 5)] == [0, 4]
    assert [each.filter for each in several_people.chosen_detectors(found, True, 1)] == [0]
    assert [each.filter for each in several_people.chosen_detectors(found, False, 5)] == [1]


def test_papers_name_a_filter_for_the_unit_of_the_largest_auroc():
    people = np.repeat(np.arange(40), 2)
    shows = {"AU1": people % 2 == 0, "AU4": people % 4 < 2}
    table = pd.DataFrame(
        {"dataset": "toy", "subject": [f"toy-{k}" for k in people], "sequence": "", "split": "test"}
        | {"frame": np.arange(80) % 2, "emotion": "neutral"}
        | {au: shown.astype(float) for au, shown in shows.items()}
    )
    faces = FaceSet("toy", np.zeros((80, 4, 4), np.uint8), table)
    noise = np.random.default_rng(0).random((80, 4))
    responses = noise + np.outer(shows["AU4"], [0, 5, 0, 0]) + np.outer(shows["AU1"], [0, 0, 0.5, 0.4])
    assert several_people.named_as_in_papers(responses, faces, 5) == [(1, "AU4"), (2, "AU1")]
    assert several_people.named_as_in_papers(responses, faces, 1) == [(1, "AU4")]


def test_what_is_kept_is_of_the_references_detectors_and_else_asked_anew(monkeypatch, tmp_path):
    monkeypatch.setattr(several_people, "answers_of_people", lambda run: run.name)
    kept = several_people.several_people()
    assert kept != "reference", "of other detectors: `python -m book.kept` asks anew, once for all builds"
    assert [each.kind for each in kept.filters] == ["verified"] * 5 + ["failed"] * 3 + ["untrained"] * 3
    file = tmp_path / "people.json"
    file.write_text(kept.model_copy(update={"detectors": "others"}).model_dump_json())
    monkeypatch.setattr(several_people, "PEOPLE_FILE", file)
    assert several_people.several_people() == "reference"


@pytest.mark.slow
def test_what_is_kept_is_what_the_networks_answer_to_a_person():
    kept = several_people.several_people()
    learned, detectors = networks_of(open_run("reference"), "cpu")
    model, faces = learned[0].model, several_people.people_faces(1, kept.size)
    networks = {"verified": model, "failed": model, "untrained": untrained_network(model, seed=0)}
    for kind, network in networks.items():
        maxima = maximal_responses(network, faces, detectors.layer).maxima
        for each in kept.filters:
            if each.kind == kind:
                np.testing.assert_allclose(each.answers[1], maxima[:, each.filter], rtol=0.02, atol=0.02)
