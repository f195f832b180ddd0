"""A network that has seen the people of the clips is not asked about them."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from book.chapter_parameters import TrainingParameters
from fer_lib.faces.faceset import FaceSet
from fer_lib.nets.build import build_network
from fer_lib.train import lesson
from fer_lib.train.lesson import stranger_to
from fer_lib.train.weights import save_weights
from ferbook.errors import ParameterError
from ferbook.store import ChapterResult

EMOTIONS = ("neutral", "anger", "fear")


def faces_of(dataset, size=16, people=10, pixels_from=0):
    rows = [(f"{dataset}-{who:02}", emotion) for who in range(people) for emotion in EMOTIONS]
    table = pd.DataFrame(rows, columns=["subject", "emotion"])
    table = table.assign(dataset="lab", sequence=table["subject"], frame=0, split="train")
    pixels = np.random.default_rng(pixels_from).integers(0, 256, (len(table), size, size), dtype=np.uint8)
    return FaceSet(dataset, pixels, table)


@pytest.fixture
def session(tmp_path, monkeypatch):
    """A run whose chapter ``training`` learned from the set ``learned``, and that has ``lab`` beside."""
    staged = tmp_path / "staged"
    staged.mkdir()
    model = build_network("zhu", 3, 16)
    save_weights(model, staged / "weights.safetensors", {"classes": list(EMOTIONS), "fold": 0})
    precision = {"name": "fp32", "channels_last": False, "timings": {}}
    (staged / "record.json").write_text(json.dumps({"precision": precision, "figures": {}}))
    result = ChapterResult("training", tmp_path / "training")
    parameters = TrainingParameters(network="zhu", epochs=1, augment="none", dropout=0.0)
    result.commit(staged, {"parameters": parameters.model_dump()})
    learned = faces_of("learned")
    monkeypatch.setattr(lesson, "open_faces", lambda **_: learned)
    return SimpleNamespace(
        chapter=SimpleNamespace(name="micro_expressions"),
        device="cpu",
        upstream=lambda name: result,
        network=lambda name: model,
        beside=lambda name: faces_of("rendered", pixels_from=2),
    )


def test_the_kept_network_is_asked_where_it_has_met_nobody(session):
    found = stranger_to(session, faces_of("clips", pixels_from=1))
    assert found.kept and found.model is session.network("training") and not found.model.training
    assert found.learned_from == "learned" and found.pictures == 8 * 3, "one tenth tested, one to select"
    assert found.shared.nothing and "shares nobody" in found.introduction


def test_another_network_is_taught_where_the_kept_one_has_met_the_people(session):
    found = stranger_to(session, faces_of("learned", pixels_from=1))
    assert not found.kept and found.model is not session.network("training")
    assert found.learned_from == "rendered" and len(found.shared.subjects) == 10
    assert "learned from the people of these clips (10 of them)" in found.introduction
    assert "24 pictures of rendered" in found.introduction and not found.model.training
    weights = [model.output.weight for model in (found.model, session.network("training"))]
    assert not (weights[0] == weights[1]).all()


def test_pictures_that_were_learned_from_count_as_met_too(session):
    """The same pictures under other names, as in an export."""
    found = stranger_to(session, faces_of("renamed", pixels_from=0))
    assert not found.kept and found.shared.copies == 30 and not found.shared.subjects


def test_clips_of_another_size_are_refused_with_the_size_to_give(session):
    with pytest.raises(ParameterError, match=r"micro_expressions.size: the clips have 24 × 24.*size=16"):
        stranger_to(session, faces_of("clips", size=24))
