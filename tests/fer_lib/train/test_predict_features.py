"""Features: what the last layer is given, and nothing of the network changes; of clips in the order of time,
scaled by those who train.
"""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from face_sets.clips import Clips, clips_of
from face_sets.faceset import FaceSet
from fer_lib.nets.zero_bias import ZeroBiasCNN
from fer_lib.train.predict import clip_features, difference_to_onset, features_of, inside_clips, scaling
from ferbook.errors import DataError
from tests.made import made_faces


@pytest.fixture
def model() -> ZeroBiasCNN:
    return ZeroBiasCNN(3, 16, gain=1.0, generator=torch.Generator().manual_seed(0)).eval()


@pytest.fixture
def clips() -> Clips:
    """Clips of three and two frames, on the disk in another order than in time."""
    frames = [3, 1, 2, 8, 7]
    table = pd.DataFrame({"sequence": ["a"] * 3 + ["b"] * 2, "frame": frames})
    first = table.groupby("sequence")["frame"]
    table = table.assign(
        dataset="micro",
        subject="s",
        emotion="happiness",
        split="test",
        onset=first.transform("min"),
        apex=first.transform("max"),
        offset=first.transform("max"),
        fps=200.0,
    )
    pixels = np.random.default_rng(5).integers(0, 256, (5, 16, 16)).astype(np.uint8)
    return clips_of(FaceSet("micro", pixels, table))


def test_features_of_clips_are_in_the_order_of_time_and_zero_behind(model, clips):
    found, pictures = clip_features(model, clips), features_of(model, clips.faces)
    assert found.shape == (2, 3, 300) and found.dtype == np.float32
    for clip, rows in enumerate(([1, 2, 0], [4, 3])):
        np.testing.assert_allclose(found[clip, : len(rows)], pictures[rows], rtol=1e-4, atol=1e-6)
    assert (found[1, 2] == 0).all()
    # A selection of clips asks only for its own pictures, and keeps the number of places.
    one = clip_features(model, clips.select([1]))
    np.testing.assert_allclose(one[0], found[1], rtol=1e-4, atol=1e-6)


LENGTHS = np.array([3, 2])
VALUES = np.array([[[1.0, 5], [2, 5], [6, 5]], [[3, 1], [1, 9], [99, 99]]], np.float32)


def test_differences_and_places_by_hand():
    assert inside_clips(LENGTHS, 3).tolist() == [[True, True, True], [True, True, False]]
    expected = [[[0, 0], [1, 0], [5, 0]], [[0, 0], [-2, 8], [0, 0]]]
    assert difference_to_onset(VALUES, LENGTHS).tolist() == expected
    _, twice = difference_to_onset(np.stack([VALUES, 2 * VALUES]), LENGTHS)
    assert twice.tolist() == (2 * np.array(expected)).tolist()


def test_scale_comes_from_the_frames_of_the_training_clips():
    train = np.array([True, False])
    mean, spread = scaling(VALUES, LENGTHS, train)
    # The second feature is constant there: its deviation counts as one.
    np.testing.assert_allclose(mean, [3, 5])
    np.testing.assert_allclose(spread, [np.sqrt(14 / 3), 1])
    spoilt = VALUES.copy()
    spoilt[1] = np.nan
    assert [part.tolist() for part in scaling(spoilt, LENGTHS, train)] == [mean.tolist(), spread.tolist()]
    with pytest.raises(DataError, match="no training clip"):
        scaling(VALUES, LENGTHS, ~train & train)


def test_the_scale_is_scikit_learns():
    features = np.random.default_rng(0).normal(3, 5, (6, 4, 2)).astype(np.float32)
    lengths, train = np.array([4, 2, 3, 4, 1, 2]), np.array([0, 1, 4])
    scaler = StandardScaler().fit(features[train][inside_clips(lengths, 4)[train]])
    mean, spread = scaling(features, lengths, train)
    np.testing.assert_allclose(mean, scaler.mean_, rtol=1e-5)
    np.testing.assert_allclose(spread, scaler.scale_, rtol=1e-5)


def test_features_are_what_the_last_layer_is_given():
    pixels = np.random.default_rng(5).integers(0, 256, (5, 16, 16)).astype(np.uint8)
    faces = made_faces(pixels)
    model = ZeroBiasCNN(3, 16, gain=1.0, generator=torch.Generator().manual_seed(0)).train()
    found = features_of(model, faces, batch_size=2)
    assert found.shape == (5, 300) and model.training and not model.output._forward_pre_hooks
    with torch.no_grad():
        model.eval()
        logits = model(torch.tensor(pixels)[:, None] / 255)
        np.testing.assert_allclose(model.output(torch.tensor(found)), logits, rtol=1e-4, atol=1e-6)
    with pytest.raises(DataError, match="no picture"):
        features_of(model, faces.select(np.zeros(5, bool)))
