"""How the kept network learned, as another chapter reads it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from book.training.chapter import TrainingParameters
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.request import FaceRequest
from fer_lib.train.device import Precision
from fer_lib.train.lesson import Lesson
from fer_lib.train.recipe import TrainingRecipe
from ferbook.errors import DataError

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
    adamw = {"optimiser": "adamw", "weight_decay": 0.05, "warmup": 0.15}
    assert taught.recipe == TrainingRecipe(epochs=7, lr=0.02, loss="focal", augment="none", **adamw)
    assert (taught.network, taught.seed, taught.classes, taught.fold) == ("zero_bias", 5, EMOTIONS, 3)
    assert taught.options == {"dropout": 0.0, "bias": False, "gain": None}
    assert taught.faces == FaceRequest("lab", size=48)
    older = taught.model_dump_json().replace('"faces":{', '"source":{')
    assert Lesson.model_validate_json(older) == taught
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
