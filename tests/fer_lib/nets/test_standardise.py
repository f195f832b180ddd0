import numpy as np
import torch

from fer_lib.nets.classifier import FLOOR, PictureStandardisation


def test_equals_numpys_mean_and_deviation_of_each_picture():
    pictures = np.random.default_rng(0).random((3, 1, 8, 12)).astype(np.float32)
    found = PictureStandardisation()(torch.from_numpy(pictures))
    for picture, standard in zip(pictures, found, strict=True):
        assert np.allclose(standard, (picture - picture.mean()) / (picture.std() + FLOOR), atol=1e-5)


def test_brightness_cancels_and_an_even_picture_becomes_zero():
    picture = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0)) / 2
    layer = PictureStandardisation()
    assert torch.allclose(layer(picture), layer(picture + 0.3), atol=1e-5)
    assert layer(torch.full((1, 1, 8, 8), 0.7)).abs().max() < 1e-4
