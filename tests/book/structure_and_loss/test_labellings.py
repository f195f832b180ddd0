"""One set of pictures under two labels."""

import numpy as np
import pytest

from book.structure_and_loss import labels
from book.structure_and_loss.labels import run_labellings, two_labellings
from fer_lib.faces.faceset import FaceSet
from fer_lib.train.recipe import Recipe


@pytest.fixture
def crowd(faces):
    """Every seventh picture has another label in FER2013, four are contempt in FER+ only; ten votes each."""
    table = faces.table.copy()
    table["fer2013_emotion"] = table["emotion"]
    other = table.index % 7 == 0
    swapped = table["emotion"].map({"neutral": "happiness", "happiness": "neutral"})
    table.loc[other, "fer2013_emotion"] = swapped[other]
    table.loc[[2, 33, 47, 50], "emotion"] = "contempt"
    for name in ("neutral", "happiness", "contempt"):
        table[f"vote_{name}"] = np.where(table["emotion"].eq(name), 8, 1)
    return FaceSet("ferplus", faces.pixels, table)


def test_pictures_that_only_one_labelling_can_name_are_left_out(crowd):
    first, second = two_labellings(crowd).values()
    assert len(first) == len(second) == len(crowd) - 4
    np.testing.assert_array_equal(first.pixels, second.pixels)
    kept = crowd.table["emotion"].ne("contempt")
    assert list(first.table["emotion"]) == list(crowd.table.loc[kept, "emotion"])
    assert list(second.table["emotion"]) == list(crowd.table.loc[kept, "fer2013_emotion"])


def test_a_set_with_one_label_has_nothing_to_compare(faces):
    assert two_labellings(faces) == {}
    assert run_labellings(faces, "zhu", (0,), Recipe()) is None


def test_each_labelling_is_learned_and_so_are_the_votes(crowd, monkeypatch):
    learned = []
    train_structure = labels.train_structure

    def noted(faces, classes, structure, recipe, seed, **settings):
        learned.append((recipe.loss, tuple(faces.table["emotion"])))
        return train_structure(faces, classes, structure, recipe, seed, **settings)

    monkeypatch.setattr(labels, "train_structure", noted)
    recipe = Recipe(epochs=1, batch_size=15, lr=0.01)
    study = run_labellings(crowd, "zhu", (0, 1), recipe, precision="fp32")
    first, second = (tuple(f.table["emotion"]) for f in two_labellings(crowd).values())
    assert learned[::2] == [("cross_entropy", first), ("cross_entropy", second), ("votes", first)]
    assert list(study.table["learned"]) == ["FER+ majority"] * 2 + ["FER2013 label"] * 2 + ["votes"] * 2
    assert study.classes == ("neutral", "happiness")
    assert study.probabilities.shape == (6, len(study.tests["FER2013 label"]), 2)
