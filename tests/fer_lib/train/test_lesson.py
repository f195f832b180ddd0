"""How the kept network learned, as another chapter reads it; and a network that has seen the people of the
clips is not asked about them.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from book.training.chapter import TrainingParameters
from fer_lib.faces.faceset import FaceSet
from fer_lib.nets.build import build_network
from fer_lib.train import lesson as module
from fer_lib.train.lesson import Lesson, stranger_to
from fer_lib.train.precision import Precision
from fer_lib.train.recipe import Recipe
from ferbook.errors import DataError, ParameterError

EMOTIONS = ("neutral", "anger", "fear")


def faces_of(dataset, size=16, people=10, pixels_from=0):
    rows = [(f"{dataset}-{who:02}", emotion) for who in range(people) for emotion in EMOTIONS]
    table = pd.DataFrame(rows, columns=["subject", "emotion"])
    table = table.assign(dataset="lab", sequence=table["subject"], frame=0, split="train")
    pixels = np.random.default_rng(pixels_from).integers(0, 256, (len(table), size, size), dtype=np.uint8)
    return FaceSet(dataset, pixels, table)


def lesson(fold=0, **changes):
    parameters = TrainingParameters(network="zhu", epochs=1, augment="none", dropout=0.0)
    precision = Precision("fp32", channels_last=False)
    return Lesson.of(parameters.model_copy(update=changes), EMOTIONS, fold, precision)


def test_a_lesson_is_read_back_as_it_was_written():
    taught = lesson(3, epochs=7, lr=0.02, loss="focal", network="zero_bias", gain=0.0, seed=5)
    assert Lesson.model_validate_json(taught.model_dump_json()) == taught
    assert taught.recipe == Recipe(epochs=7, lr=0.02, loss="focal", augment="none")
    assert (taught.network, taught.seed, taught.classes, taught.fold) == ("zero_bias", 5, EMOTIONS, 3)
    assert taught.options == {"dropout": 0.0, "bias": False, "gain": None}
    assert taught.source == {"name": "lab", "subjects": 0, "size": 48, "face_seed": 0}
    assert replace(taught.recipe, epochs=2).epochs == 2
    with pytest.raises(ValidationError, match="epochs"):
        Lesson.model_validate_json(taught.model_dump_json().replace('"epochs":7', '"epochs":"many"'))


def test_the_fold_of_a_lesson_is_the_kept_one():
    fold = lesson(3).fold_of(faces_of("lab", people=20))
    assert set(fold.split("test").table["subject"]) == {"lab-03", "lab-13"}
    assert not set(fold.split("train").table["subject"]) & {"lab-03", "lab-13"}


def test_faces_without_emotions_teach_nothing():
    with pytest.raises(DataError, match="carries an emotion"):
        lesson().fold_of(faces_of("lab").assign(emotion=""))


@pytest.fixture
def kept(monkeypatch):
    """The network of chapter ``training``, which learned from the set ``learned``."""
    monkeypatch.setattr(module, "open_faces", lambda **_: faces_of("learned"))
    return build_network("zhu", 3, 16)


def asked_about(clips, kept):
    return stranger_to(clips, lesson(), kept, lambda: faces_of("rendered", pixels_from=2))


def test_the_kept_network_is_asked_where_it_has_met_nobody(kept):
    found = stranger_to(faces_of("clips", pixels_from=1), lesson(), kept, lambda: pytest.fail("rendered"))
    assert found.kept and found.model is kept and not found.model.training
    assert found.learned_from == "learned" and found.pictures == 8 * 3, "one tenth tested, one to select"
    assert found.shared.nothing and "shares nobody" in found.introduction


def test_another_network_is_taught_where_the_kept_one_has_met_the_people(kept):
    found = asked_about(faces_of("learned", pixels_from=1), kept)
    assert not found.kept and found.model is not kept
    assert found.learned_from == "rendered" and len(found.shared.subjects) == 10
    assert "learned from the people of these clips (10 of them)" in found.introduction
    assert "24 pictures of rendered" in found.introduction and not found.model.training
    assert not (found.model.output.weight == kept.output.weight).all()


def test_pictures_that_were_learned_from_count_as_met_too(kept):
    """The same pictures under other names, as in an export."""
    found = asked_about(faces_of("renamed"), kept)
    assert not found.kept and found.shared.copies == 30 and not found.shared.subjects


def test_clips_of_another_size_are_refused_with_the_size_to_give(kept):
    with pytest.raises(ParameterError, match=r"size: the clips have 24 × 24.*-p size=16"):
        asked_about(faces_of("clips", size=24), kept)
