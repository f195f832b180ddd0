"""A photograph is answered by networks that learned photographs; what others are worth on them is kept."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from book import photographs
from book.kept import FOLDER
from book.photographs import answer_about_photograph, measured_worth, worth_on_photographs
from fer_lib.nets.build import build_network
from ferbook import paths
from ferbook.errors import DataError
from ferbook.store import REFERENCE, open_run
from tests.made import made_faces


@pytest.fixture
def kept():
    members = photographs.photograph_networks()
    if not members and not open_run(REFERENCE).exists():
        pytest.skip("the run `reference` is not here")
    assert members, "the committed run has no networks of photographs"
    return members


def test_all_networks_of_photographs_answer_with_what_they_are_worth(photo, kept):
    told = answer_about_photograph(photo)
    assert told.networks == len(kept) and told.probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert told.emotion in told.classes and told.faces == "fer2013"
    accuracies = [(each.answers().argmax(axis=1) == each.tested()["label"]).mean() for each in kept]
    assert told.accuracy == pytest.approx(np.mean(accuracies), abs=2e-3)
    assert told.pictures == len(kept[0].tested())


def test_a_picture_without_a_face_is_told(tmp_path, kept):
    Image.fromarray(np.zeros((90, 90), np.uint8)).save(tmp_path / "none.png")
    with pytest.raises(DataError, match="no face found"):
        answer_about_photograph(tmp_path / "none.png")


def test_without_these_networks_nobody_answers(monkeypatch, tmp_path, photo):
    monkeypatch.setattr(paths, "runs_dir", lambda: tmp_path)
    assert answer_about_photograph(photo) is None


def test_what_a_network_is_worth_is_measured_by_hand_and_read_again(monkeypatch, tmp_path):
    emotions = ["fear", "anger", "", "fear", "other"]
    known = {"emotion": emotions, "split": ["test"] * 4 + ["train"], "sequence": list("abcde")}
    faces = made_faces(np.zeros((5, 16, 16), np.uint8), "fer2013", **known)
    monkeypatch.setattr("face_sets.registry.open_faces", lambda request: faces)
    always = np.tile([0.9, 0.1], (3, 1))
    monkeypatch.setattr("fer_lib.train.predict.predict", lambda model, test: always[: len(test)])
    record = SimpleNamespace(classes=("fear", "anger"))
    network = SimpleNamespace(name="toy 0", record=record, model=build_network("zhu", 2, 48))
    row = measured_worth(network)
    assert (row["pictures"], row["accuracy"]) == (3, pytest.approx(2 / 3))
    assert row["low"] < 2 / 3 < row["high"]
    monkeypatch.setattr(photographs, "WORTH_FILE", tmp_path / "worth.csv")
    pd.DataFrame([row]).to_csv(tmp_path / "worth.csv", index=False)
    share, pictures, name = worth_on_photographs("toy 0")
    assert (share.value, pictures, name) == (pytest.approx(2 / 3), 3, "fer2013")
    assert worth_on_photographs("toy 1") is None
    record.classes = ("sadness",)
    with pytest.raises(DataError, match="no test picture of an emotion that the network names"):
        measured_worth(network)


def test_the_live_page_says_what_its_network_is_worth_on_photographs():
    assert "test photographs (fer2013) it classifies" in (FOLDER / "live.json").read_text(encoding="utf-8")


def test_predict_without_a_run_asks_the_networks_of_photographs(photo, kept, command):
    code, out, _ = command("predict", photo)
    told = " ".join(out.split())
    assert code == 0 and "population 'photographs_zero_bias': trained on fer2013" in told
    assert "3,589 test photographs of fer2013 rightly" in told
