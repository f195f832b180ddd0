"""Maps of residues: against hooks and a naive loop."""

import cv2
import numpy as np
import pytest
import torch

from book.derl.residues import PIXEL_MAPS, residue_maps
from fer_lib.nets.derl import Generator

SIDE = 16


@pytest.fixture
def generator() -> Generator:
    """Two pairs, of 8 and 4 pixels, with weights large enough to see something; one filter of the encoder is
    dead.
    """
    made = Generator(SIDE, (3, 4), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for weights in made.parameters():
            weights.mul_(10)
        first = made.encoder.down8.conv
        first.weight[1], first.bias[1] = 0, 0.3
    return made


def pictures(seed: int, count: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE), dtype=np.uint8)


def activations(generator: Generator, layer: str, shown: np.ndarray) -> np.ndarray:
    kept = []
    hook = generator.get_submodule(layer).register_forward_hook(lambda *given: kept.append(given[2]))
    with torch.no_grad():
        generator.eval()(torch.tensor(shown)[:, None].float() / 255)
    hook.remove()
    return kept[0].double().numpy()


def test_maps_are_changes_in_standard_deviations_of_each_channel(generator):
    one, other = pictures(0), pictures(1)
    generator.train()
    found = residue_maps(generator, one, other, batch_size=2)
    assert generator.training
    assert list(found) == ["pair8", "pair4", PIXEL_MAPS]
    for pair in ("pair8", "pair4"):
        a, b = (
            np.concatenate([activations(generator, layer, shown) for layer in generator.pairs[pair]], axis=1)
            for shown in (one, other)
        )
        squares = np.zeros((5, *a.shape[2:]))
        for channel in range(a.shape[1]):
            spread = np.concatenate([a[:, channel], b[:, channel]]).std()
            if spread > 1e-9:
                squares += ((a[:, channel] - b[:, channel]) / spread) ** 2
        expected = np.sqrt(squares / a.shape[1])
        enlarged = [cv2.resize(change, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) for change in expected]
        assert found[pair].dtype == np.float32
        np.testing.assert_allclose(found[pair], enlarged, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found[PIXEL_MAPS], np.abs(one / 255 - other / 255), atol=1e-6)


def test_equal_pictures_have_no_map_and_a_change_stays_in_its_place(generator):
    one = pictures(0)
    other = one.copy()
    other[1:, :4, :4] = 255 - other[1:, :4, :4]
    with torch.no_grad():
        # The decoder hears everything everywhere: of a deaf one the encoder's maps are left.
        generator.decoder.up4.conv.weight.zero_()
    found = residue_maps(generator, one, other)
    for its in found.values():
        assert not its[0].any() and its[1:].any(axis=(1, 2)).all()
    # A 4×4 filter of stride 2 sees one pixel beyond its place; the next map's places are 4 pixels wide and
    # see 3 beyond.
    assert not found["pair8"][:, 8:, :].any() and not found["pair8"][:, :, 8:].any()
    assert found["pair8"][1:, 2, 2].all()
    assert not found["pair4"][:, 14:, :].any()
