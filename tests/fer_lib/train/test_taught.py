"""What a kept network says about how it was taught."""

import json

import numpy as np
import pandas as pd
import pytest

from book.chapter_parameters import TrainingParameters
from fer_lib.faces.faceset import FaceSet
from fer_lib.nets.build import build_network
from fer_lib.train.lesson import taught_by
from fer_lib.train.weights import save_weights
from ferbook.errors import DataError
from ferbook.store import ChapterResult

EMOTIONS = ("neutral", "anger", "fear")


def lab_like(people=20):
    rows = [(f"lab-{who:02}", emotion) for who in range(people) for emotion in EMOTIONS]
    table = pd.DataFrame(rows, columns=["subject", "emotion"])
    table = table.assign(dataset="lab", sequence=table["subject"], frame=0, split="train")
    pixels = np.random.default_rng(0).integers(0, 256, (len(table), 16, 16), dtype=np.uint8)
    return FaceSet("lab", pixels, table)


def kept(folder, fold, **parameters):
    staged = folder / "staged"
    staged.mkdir()
    about = {"classes": list(EMOTIONS), "fold": fold}
    save_weights(build_network("zhu", 3, 16), staged / "weights.safetensors", about)
    result = ChapterResult("training", folder / "training")
    precision = {"name": "bf16", "channels_last": True, "timings": {}}
    (staged / "record.json").write_text(json.dumps({"precision": precision, "figures": {}}))
    result.commit(staged, {"parameters": TrainingParameters(**parameters).model_dump()})
    return result


def test_the_lesson_is_that_of_the_kept_fold(tmp_path):
    faces = lab_like()
    taught = taught_by(kept(tmp_path, 3, epochs=7, lr=0.02, loss="focal"), faces)
    assert taught.classes == EMOTIONS
    tested = set(taught.faces.split("test").table["subject"])
    assert tested == {"lab-03", "lab-13"}
    assert not tested & set(taught.faces.split("train").table["subject"])
    assert (taught.precision.name, taught.precision.channels_last) == ("bf16", True)
    recipe = taught.recipe(epochs=2)
    assert (recipe.epochs, recipe.lr, recipe.loss) == (2, 0.02, "focal")


def test_faces_without_emotions_teach_nothing(tmp_path):
    faces = lab_like().assign(emotion="")
    with pytest.raises(DataError, match="carries an emotion"):
        taught_by(kept(tmp_path, 0), faces)
