import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fer_lib.nets.zero_bias import ZeroBiasCNN
from fer_lib.train.predict import predict, views
from ferbook.errors import DataError


def network(seed: int) -> ZeroBiasCNN:
    return ZeroBiasCNN(2, 16, generator=torch.Generator().manual_seed(seed))


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def test_predictions_are_the_plain_networks(faces):
    model = network(0).train()
    found = predict(model, faces, batch_size=7)
    assert model.training
    with torch.no_grad():
        logits = model.eval()(torch.tensor(faces.pixels).unsqueeze(1) / 255).double().numpy()
    expected = softmax(logits)
    assert found.shape == (60, 2) and found.dtype == np.float32
    assert np.allclose(found, expected, atol=1e-6) and np.allclose(found.sum(1), 1, atol=1e-6)


def test_ten_crops_are_corners_and_centre_and_their_mirror_images():
    # On a plane of one slope each way, an enlarged window shows the same plane, but for its border.
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    plane = (y + 100 * x).expand(1, 1, 48, 48)
    found = list(views(plane, "ten_crop"))
    inside = slice(2, 46)
    places = (torch.arange(48) + 0.5) * 42 / 48 - 0.5  # of the enlarged pixels' centres in a window
    for number, (top, left) in enumerate([(0, 0), (0, 6), (6, 0), (6, 6), (3, 3)]):
        expected = (top + places)[:, None] + 100 * (left + places)[None, :]
        crop, mirrored = found[2 * number], found[2 * number + 1]
        assert crop.shape == plane.shape
        assert torch.allclose(crop[0, 0, inside, inside], expected[inside, inside], atol=1e-2)
        assert torch.equal(mirrored, crop.flip(3))
    assert len(found) == 10


def test_flip_is_the_picture_and_its_mirror_image():
    pictures = torch.rand(3, 1, 16, 24)
    plain, mirrored = views(pictures, "flip")
    assert torch.equal(plain, pictures) and torch.equal(mirrored, pictures.flip(3))
    assert [len(list(views(pictures, name))) for name in ("none", "ten_crop")] == [1, 10]


@pytest.mark.parametrize("test_time", ["none", "flip", "ten_crop"])
def test_probabilities_are_means_over_views(faces, test_time):
    model, some = network(0), faces.select(np.arange(9))
    pictures = torch.tensor(some.pixels).unsqueeze(1) / 255
    with torch.no_grad():
        each = [softmax(model.eval()(view).double().numpy()) for view in views(pictures, test_time)]
    found = predict(model, some, test_time=test_time, batch_size=4)
    assert np.allclose(found, np.mean(each, axis=0), atol=1e-6)
    assert not np.allclose(found, predict(network(1), some, test_time=test_time), atol=1e-3)


def test_mirror_images_are_answered_alike_with_flip(faces):
    mirrored = type(faces)("mirrored", faces.pixels[:, :, ::-1].copy(), faces.table)
    model = network(2)
    plain = [predict(model, some) for some in (faces, mirrored)]
    flipped = [predict(model, some, test_time="flip") for some in (faces, mirrored)]
    assert not np.allclose(*plain, atol=1e-4) and np.allclose(*flipped, atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_comes_back_even_after_a_fault(faces, training):
    class Broken(nn.Module):
        def forward(self, pictures):
            raise RuntimeError("no")

    for model in (network(0), Broken()):
        model.train(training)
        if isinstance(model, Broken):
            with pytest.raises(RuntimeError, match="no"):
                predict(model, faces)
        else:
            predict(model, faces)
        assert model.training is training


def test_refusals(faces):
    with pytest.raises(DataError, match="no picture"):
        predict(network(0), faces.select(np.zeros(60, bool)))


def test_a_window_is_seven_eighths_of_the_side():
    picture = torch.rand(1, 1, 16, 16)
    first = next(views(picture, "ten_crop"))
    expected = F.interpolate(picture[..., :14, :14], (16, 16), mode="bilinear", align_corners=False)
    assert torch.equal(first, expected)
