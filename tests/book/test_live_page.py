"""What the page on which the network computes is given: weights of 8 bits, or a sentence."""

import base64
import zlib

import numpy as np
import pytest

from book import live_page
from fer_lib.nets.zero_bias import ZeroBiasCNN
from fer_lib.train.controls import untrained_network
from fer_lib.train.weights import compacted, widened
from ferbook import paths
from ferbook.errors import RunStoreError

LAYERS = ("conv1", "conv3", "dense")


@pytest.fixture(scope="module")
def model():
    return untrained_network(ZeroBiasCNN(8, 16), seed=1)


def unpacked(packed):
    """The weights by layer, as the page makes them."""
    whole = np.frombuffer(zlib.decompress(base64.b64decode(packed["weights"])), np.int8)
    start, layers = 0, []
    for shape, scales in zip(packed["shapes"], packed["scales"], strict=True):
        count = int(np.prod(shape))
        rows = whole[start : start + count].reshape(shape[0], -1).astype(np.float32)
        layers.append((rows * np.array(scales, np.float32)[:, None]).reshape(shape))
        start += count
    assert start == len(whole)
    return layers


def test_packed_weights_are_those_of_the_network_in_8_bits(model):
    tensors = compacted(model.state_dict())
    packed, wide = live_page.packed_network(tensors, LAYERS), widened(tensors)
    for name, weights in zip(LAYERS, unpacked(packed), strict=True):
        assert (weights == wide[f"{name}.weight"].numpy()).all()
    assert [len(biases) for biases in packed["biases"]] == [0, 0, 300]
    assert np.float32(packed["biases"][2]) == pytest.approx(wide["dense.bias"].numpy())


def test_a_network_in_five_bits_is_near_the_one_that_was_drawn(model):
    few, drawn = live_page._in_five_bits(model), compacted(model.state_dict())
    for name in ("conv1", "conv2", "conv3"):
        whole = few[f"{name}.weight"].numpy()
        assert len(np.unique(whole)) == 31 and np.abs(whole).max() == 15
        scales = drawn[f"{name}.weight.int8_scale"].numpy()[:, None, None, None]
        off = widened(few)[f"{name}.weight"] - widened(drawn)[f"{name}.weight"]
        assert np.abs(off.numpy() / scales).max() < live_page.COARSE


def test_without_the_reference_the_page_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "runs_dir", lambda: tmp_path)
    told = live_page.live({})
    assert told.startswith("The network of the reference, which computes here, is not stored: there is no")
    assert "<" not in told and "\n" not in told


def test_what_the_page_cannot_compute_is_said(monkeypatch):
    def refuse():
        raise RunStoreError("run 'reference' is about <b>VGG</b>")

    monkeypatch.setattr(live_page, "live_network", refuse)
    assert "&lt;b&gt;VGG&lt;/b&gt;." in live_page.live({})


def test_pictures_lie_in_the_sheet_as_the_page_looks_for_them():
    pictures = np.arange(46, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 2), np.uint8)
    sheet = live_page._sheet(pictures)
    assert sheet.shape == (4, 46)
    for number in (0, 22, 23, 45):
        row, column = divmod(number, 23)
        assert (sheet[2 * row : 2 * row + 2, 2 * column : 2 * column + 2] == number).all()
