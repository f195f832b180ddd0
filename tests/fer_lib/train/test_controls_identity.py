"""Networks trained to recognise people: which pictures they learn from, and which choose the epoch."""

import numpy as np
import pytest

from fer_lib.nets.zero_bias import ZeroBiasCNN
from fer_lib.train.controls import identity_task, subject_targets, train_on, with_held_out_pictures
from fer_lib.train.recipe import TrainingRecipe
from ferbook.errors import DataError, ParameterError


@pytest.fixture
def people(striped_faces):
    """Ten people of six pictures each; the first eight train."""
    who = np.arange(60) // 6
    split = np.where(who < 8, "train", np.where(who < 9, "valid", "test"))
    return striped_faces.assign(subject=[f"S{each}" for each in who], split=split)


def test_one_picture_of_each_training_person_is_held_out(people):
    faces = with_held_out_pictures(people, seed=3)
    names = set(people.table.loc[people.table["split"] == "train", "subject"])
    assert set(faces.table["subject"]) == names
    held_out = faces.table[faces.table["split"] == "valid"]
    assert sorted(held_out["subject"]) == sorted(names)
    again = with_held_out_pictures(people, seed=3).table["split"]
    assert (again == faces.table["split"]).all()
    assert (with_held_out_pictures(people, seed=4).table["split"] != faces.table["split"]).any()


def test_people_are_learned_from_pictures_that_name_them(people):
    unknown = people.assign(subject=np.full(len(people), "", object))
    with pytest.raises(DataError, match="without a subject"):
        with_held_out_pictures(unknown, seed=0)


def test_a_network_learns_who_people_are(people):
    faces = with_held_out_pictures(people, seed=0)
    names = tuple(sorted(set(faces.table["subject"])))
    assert (np.array(names)[subject_targets(faces, names)] == faces.table["subject"]).all()
    model = ZeroBiasCNN(len(names), size=faces.size[0], gain=1.0)
    training = train_on(identity_task(names), faces, model, TrainingRecipe(epochs=1, batch_size=16))
    assert 0 <= training.curve["valid_accuracy"].iloc[0] <= 1
    with pytest.raises(ParameterError, match="label_smoothing"):
        train_on(identity_task(names), faces, model, TrainingRecipe(epochs=1, loss="label_smoothing"))
