"""How the kept network learned, as another chapter reads it."""

import pytest
from pydantic import ValidationError

from face_sets.request import FaceRequest
from fer_lib.train.recipe import TrainingRecipe
from fer_lib.train.record import TrainingRecord
from ferbook.errors import DataError
from tests.fer_lib.train.toy_record import EMOTIONS, faces_of, record


def test_a_record_is_read_back_as_it_was_written():
    trained = record(3, epochs=7, lr=0.02, loss="focal", network="zero_bias", gain=0.0, seed=5)
    assert TrainingRecord.model_validate_json(trained.model_dump_json()) == trained
    adamw = {"optimiser": "adamw", "weight_decay": 0.05, "warmup": 0.15}
    assert trained.recipe == TrainingRecipe(epochs=7, lr=0.02, loss="focal", augment="none", **adamw)
    assert (trained.network, trained.seed, trained.classes, trained.fold) == ("zero_bias", 5, EMOTIONS, 3)
    assert trained.options == {"dropout": 0.0, "bias": False, "gain": None}
    assert trained.faces == FaceRequest("lab", size=48)
    assert trained.recipe.model_copy(update={"epochs": 2}).epochs == 2
    with pytest.raises(ValidationError, match="epochs"):
        TrainingRecord.model_validate_json(trained.model_dump_json().replace('"epochs":7', '"epochs":"many"'))


def test_the_fold_of_a_record_is_the_kept_one():
    fold = record(3).fold_of(faces_of("lab", people=20))
    assert set(fold.split("test").table["subject"]) == {"lab-03", "lab-13"}
    assert not set(fold.split("train").table["subject"]) & {"lab-03", "lab-13"}


def test_faces_without_emotions_teach_nothing():
    with pytest.raises(DataError, match="carries an emotion"):
        record().fold_of(faces_of("lab").assign(emotion=""))
