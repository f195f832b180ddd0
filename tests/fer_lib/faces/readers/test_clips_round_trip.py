"""Micro-expressions written in the layouts of CASME II and SAMM and read back: the same clips, folds and
features.
"""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from fer_lib.faces.clips import Clips, clips_of
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import clip_folds, protocol_of
from fer_lib.faces.readers.micro import read_casme2, read_samm
from fer_lib.faces.rendered import set_table
from fer_lib.nets.zero_bias import ZeroBiasCNN
from fer_lib.train.predict import clip_features
from synthetic_faces.produce import Recipe
from tests.fer_lib.faces.readers.made_by_hand import pictures
from tests.fer_lib.faces.readers.writers.micro import write_casme2, write_samm

SIZE = 24
IN_BOTH = ("disgust", "happiness", "other", "surprise")
LAYOUTS = {"casme2": (write_casme2, read_casme2), "samm": (write_samm, read_samm)}


def micro_table(clip_frames: int) -> pd.DataFrame:
    """What five people of ``micro`` do in their first clip of each emotion that both layouts have a name
    for.
    """
    table = set_table(Recipe("micro", 5, SIZE), clip_frames)
    first = table["sequence"].str.endswith("-1") & table["emotion"].isin(IN_BOTH)
    return table[first].reset_index(drop=True)


@pytest.fixture(scope="module")
def full_rate() -> FaceSet:
    """Every frame; smooth pictures in place of rendered ones."""
    table = micro_table(0)
    return FaceSet("micro", pictures(len(table), SIZE, seed=1), table)


@pytest.fixture(scope="module")
def direct(full_rate) -> FaceSet:
    """At most 16 frames of each clip, as the generator takes them."""
    table, keys = micro_table(16), ["sequence", "frame"]
    rows = pd.MultiIndex.from_frame(full_rate.table[keys]).get_indexer(pd.MultiIndex.from_frame(table[keys]))
    return FaceSet("micro", full_rate.pixels[rows], table)


def assert_same_clips(back: Clips, direct: Clips) -> None:
    for field in ("lengths", "frames", "emotions", "onset", "apex", "offset", "apex_at", "fps"):
        np.testing.assert_array_equal(getattr(back, field), getattr(direct, field), err_msg=field)
    for field in ("subjects", "sequences"):
        old, new = (pd.factorize(getattr(clips, field))[0].tolist() for clips in (direct, back))
        assert new == old, field
    for old, new in zip(
        *(clip_folds(clips, protocol_of(clips.faces, IN_BOTH)) for clips in (direct, back)), strict=True
    ):
        for part, other in zip(old, new, strict=True):
            np.testing.assert_array_equal(part, other)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_exported_clips_come_back_as_they_were_with_the_pictures_but_for_jpeg(layout, direct, tmp_path):
    write, read = LAYOUTS[layout]
    write(direct, tmp_path)
    back, own = clips_of(read(tmp_path, SIZE)), clips_of(direct)
    assert_same_clips(back, own)
    assert np.abs(back.gather().astype(int) - own.gather()).max() <= 2


@pytest.mark.parametrize("layout", LAYOUTS)
def test_of_an_export_at_full_rate_the_reader_takes_the_frames_that_the_generator_takes(
    layout, full_rate, direct, tmp_path
):
    write, read = LAYOUTS[layout]
    write(full_rate, tmp_path)
    assert_same_clips(clips_of(read(tmp_path, SIZE)), clips_of(direct))
    assert_same_clips(clips_of(read(tmp_path, SIZE, clip_frames=0)), clips_of(full_rate))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_from_pictures_without_loss_a_network_has_the_same_features_bit_for_bit(
    layout, direct, tmp_path, monkeypatch
):
    write, read = LAYOUTS[layout]
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "cache"))
    folder, own = tmp_path / layout, clips_of(direct)
    folder.mkdir()
    write(direct, folder)

    def place(path):
        return path.parent, int(re.search(r"\d+$", path.stem)[0])

    # PNG in place of JPEG; sorted by clip and frame number, as the clips are.
    files = sorted(folder.rglob("*.jpg"), key=place)
    for path, picture in zip(files, own.gather()[own.inside], strict=True):
        Image.fromarray(picture).save(path.with_suffix(".png"))
        path.unlink()
    back = clips_of(read(folder, SIZE))
    np.testing.assert_array_equal(back.gather(), own.gather())
    model = ZeroBiasCNN(4, SIZE, generator=torch.Generator().manual_seed(0))
    features = clip_features(model, own)
    np.testing.assert_array_equal(clip_features(model, back), features)
    assert features[own.inside].std(axis=0).max() > 0
