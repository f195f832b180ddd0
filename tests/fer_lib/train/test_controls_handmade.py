import numpy as np
import pytest
import torch
from torch import nn

from face_sets.faceset import FaceSet
from fer_lib.nets.build import build_network
from fer_lib.train import controls
from fer_lib.train.controls import hog_responses, untrained_network, with_shuffled_labels
from ferbook.errors import DataError, ParameterError
from tests.made import made_faces


def face_set(
    pixels: np.ndarray, emotions: list[str] | None = None, splits: list[str] | None = None
) -> FaceSet:
    count = len(pixels)
    about = {"emotion": emotions or "neutral", "split": splits or "train"}
    return made_faces(pixels.astype(np.uint8), **about, AU4=np.arange(count) / max(count, 1))


def test_an_even_picture_drives_no_histogram():
    even = face_set(np.full((1, 48, 48), 77))
    assert hog_responses(even).max() == 0


def test_a_channel_of_the_histograms_belongs_to_its_cell():
    blank = np.full((24, 32), 90)
    marked = blank.copy()
    marked[11:14, 19:21] = 200  # inside the cell of rows 8 to 15 and columns 16 to 23
    found = hog_responses(face_set(np.stack([blank, marked])))
    assert found.shape == (2, 3 * 4 * controls.ORIENTATION_BINS) and found.dtype == np.float32
    # OpenCV lists cells column by column.
    by_cell = found[1].reshape(4, 3, controls.ORIENTATION_BINS).sum(axis=2).T
    assert (by_cell > 0).sum() == 1 and by_cell[1, 2] > 0


def test_pictures_that_cells_do_not_fill_are_refused():
    with pytest.raises(DataError, match="20 × 20 pixels are not made of cells of 8"):
        hog_responses(face_set(np.zeros((1, 20, 20))))


@pytest.mark.parametrize("name", ["zero_bias", "residual"])
def test_an_untrained_network_is_the_same_architecture_from_another_seed(name):
    model = build_network(name, 3, 16)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    first, again, other = (untrained_network(model, seed) for seed in (1, 1, 2))
    assert type(first) is type(model) and first.arguments == model.arguments and not first.training
    weights = [network.conv1.weight for network in (first, again, other, model)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2]) and not torch.equal(weights[0], weights[3])
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_a_network_that_does_not_say_how_it_was_built_is_refused():
    with pytest.raises(ParameterError, match="Sequential does not say how it was built"):
        untrained_network(nn.Sequential(nn.Conv2d(1, 2, 3)), 0)


def test_shuffling_deals_out_the_labels_of_each_split_and_leaves_all_else():
    emotions = ["neutral", "anger", "fear", "sadness"] * 10 + [""] * 4
    splits = (["train"] * 24 + ["valid"] * 16) + ["train"] * 4
    faces = face_set(np.zeros((44, 8, 8)), emotions, splits)
    shuffled, again = with_shuffled_labels(faces, 3), with_shuffled_labels(faces, 3)
    assert shuffled.table.equals(again.table)
    assert not shuffled.table["emotion"].equals(faces.table["emotion"])
    per_split = [t.table.groupby(["split", "emotion"]).size() for t in (faces, shuffled)]
    assert per_split[0].equals(per_split[1])
    assert shuffled.table.drop(columns="emotion").equals(faces.table.drop(columns="emotion"))
    assert (shuffled.table["emotion"].iloc[40:] == "").all()


def test_votes_are_dealt_out_with_the_emotions():
    faces = face_set(np.zeros((40, 8, 8)), ["anger", "fear"] * 20, ["train"] * 40)
    angry = faces.table["emotion"].eq("anger").to_numpy(float)
    shuffled = with_shuffled_labels(faces.assign(vote_anger=9 * angry, vote_fear=9 - 9 * angry), 1).table
    assert shuffled["vote_anger"].eq(9).equals(shuffled["emotion"].eq("anger"))
    assert not shuffled["emotion"].equals(faces.table["emotion"])
