"""An expression network tuned for each fold: on those whom the fold may know, and nobody else."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from book.micro_expressions.rivals import tuned_features
from fer_lib.faces.clips import Clips, clips_of
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import clip_folds, protocol_of
from fer_lib.nets.zero_bias import ZeroBiasCNN
from fer_lib.train.features import clip_features
from fer_lib.train.recipe import Recipe
from ferbook.errors import DataError

CLASSES = ("disgust", "happiness")
RECIPE = Recipe(epochs=2, batch_size=4, lr=0.02, schedule="constant", augment="none")


@pytest.fixture(autouse=True)
def a_cache_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_CACHE", str(tmp_path))


def three_people(pixels: np.ndarray | None = None) -> Clips:
    rows = [
        {"subject": f"s{person}", "sequence": str(take), "frame": frame, "emotion": CLASSES[take % 2]}
        for person in range(3)
        for take in range(4)
        for frame in range(2)
    ]
    table = pd.DataFrame(rows).assign(dataset="micro", split="train", onset=0, apex=1, offset=1, fps=100.0)
    if pixels is None:
        pixels = np.random.default_rng(0).integers(0, 256, (len(rows), 16, 16)).astype(np.uint8)
    return clips_of(FaceSet("micro", pixels, table))


@pytest.fixture
def model() -> ZeroBiasCNN:
    return ZeroBiasCNN(5, 16, gain=1.0, generator=torch.Generator().manual_seed(0)).eval()


def folds_of(clips: Clips) -> list:
    return clip_folds(clips, protocol_of(clips.faces, CLASSES))


def test_each_fold_has_features_of_its_own_and_the_network_stays(model):
    clips = three_people()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = tuned_features(model, clips, CLASSES, folds_of(clips), RECIPE, precision="fp32")
    assert found.shape == (3, 12, 2, 300) and found.dtype == np.float32
    untuned = clip_features(model, clips)
    for first, second in ((found[0], untuned), (found[0], found[1]), (found[1], found[2])):
        assert np.abs(first - second).max() > 1e-3
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_tested_subject_and_frames_but_the_apex_have_no_influence(model):
    clips = three_people()
    folds = folds_of(clips)
    found = tuned_features(model, clips, CLASSES, folds, RECIPE, precision="fp32")
    pixels, emotions = clips.faces.pixels.copy(), clips.emotions.copy()
    tested = folds[0][2]
    pixels[clips.rows[tested]] = 255 - pixels[clips.rows[tested]]
    emotions[tested] = emotions[tested][::-1]
    table = clips.faces.table.assign(emotion=np.repeat(emotions, 2))
    spoilt = clips_of(FaceSet("micro", pixels, table))
    again = tuned_features(model, spoilt, CLASSES, folds, RECIPE, precision="fp32")
    others = np.setdiff1d(np.arange(len(clips)), tested)
    assert np.array_equal(found[0, others], again[0, others])
    assert not np.array_equal(found[1, others], again[1, others])  # the second fold learned from that subject
    pixels = clips.faces.pixels.copy()
    pixels[clips.rows[:, 0]] = 0
    calm = tuned_features(model, three_people(pixels), CLASSES, folds, RECIPE, precision="fp32")
    assert np.array_equal(found[:, :, 1], calm[:, :, 1])


def test_folds_without_enough_to_learn_are_refused(model):
    clips = three_people()
    folds = folds_of(clips)
    shared = [(folds[0][0], folds[0][0], folds[0][2])]
    with pytest.raises(DataError, match="both learned from and selected on"):
        tuned_features(model, clips, CLASSES, shared, RECIPE)
    emotions = np.where(clips.subjects == "s2", "disgust", clips.emotions)
    with pytest.raises(DataError, match="training clips of disgust and 2 validation clips"):
        tuned_features(model, replace(clips, emotions=emotions), CLASSES, folds, RECIPE)
