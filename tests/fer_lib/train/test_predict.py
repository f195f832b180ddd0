import numpy as np
import pytest
import torch
from torch import nn

from fer_lib.nets.zero_bias import ZeroBiasCNN
from fer_lib.train.predict import predict
from ferbook.errors import DataError, ParameterError


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


def test_probabilities_are_means_over_a_picture_and_its_mirror_image(faces):
    model, some = network(0), faces.select(np.arange(9))
    pictures = torch.tensor(some.pixels).unsqueeze(1) / 255
    with torch.no_grad():
        views = pictures, pictures.flip(3)
        each = [softmax(model.eval()(view).double().numpy()) for view in views]
    found = predict(model, some, test_time="flip", batch_size=4)
    assert np.allclose(found, np.mean(each, axis=0), atol=1e-6)
    assert not np.allclose(found, predict(network(1), some, test_time="flip"), atol=1e-3)


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
    with pytest.raises(ParameterError, match="no test_time 'ten_crop'"):
        predict(network(0), faces, test_time="ten_crop")
