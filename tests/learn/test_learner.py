import random

import numpy as np
import pytest
import torch
from fastai.callback.core import Callback
from torch import nn
from torch.nn import functional as F

from fer_lib.errors import DataError, ParameterError
from fer_lib.learn import learner as module
from fer_lib.learn.augment import Augmentation
from fer_lib.learn.learner import face_learner, fit, predict, seed_everything
from fer_lib.learn.loaders import face_loaders
from fer_lib.models.zero_bias import ZeroBiasCNN


def trained(faces, classes, *, seed=0, epochs=2, lr=0.02, schedule="constant", **arguments):
    seed_everything(seed)
    model = ZeroBiasCNN(len(classes), 16)
    learner = face_learner(
        faces, model, classes, batch_size=8, seed=seed, **{"precision": "fp32", **arguments}
    )
    return model, fit(learner, epochs, lr=lr, schedule=schedule)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    """Whatever a test does, training writes no file where it runs."""
    monkeypatch.chdir(tmp_path)
    yield
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("schedule", ["constant", "onecycle"])
def test_learns_what_can_be_learned(faces, classes, precision, schedule, capfd):
    model, training = trained(faces, classes, epochs=8, precision=precision, schedule=schedule)
    test = faces.split("test")
    probabilities = predict(model, test)
    assert (probabilities.argmax(1) == test.labels(classes)).mean() == 1.0
    curve = training.curve
    assert list(curve) == ["epoch", "train_loss", "valid_loss", "valid_accuracy", "seconds"]
    assert curve["epoch"].tolist() == list(range(1, 9)) and (curve["seconds"] > 0).all()
    assert curve["train_loss"].iloc[-1] < curve["train_loss"].iloc[0]
    assert capfd.readouterr() == ("", "")


def test_steps_are_those_of_torchs_sgd(faces, classes):
    """The same batches through torch.optim.SGD give the same weights, weight decay and biases included."""
    seed_everything(3)
    model = ZeroBiasCNN(2, 16, dropout=0)
    twin = ZeroBiasCNN(2, 16, dropout=0)
    twin.load_state_dict(model.state_dict())
    learner = face_learner(faces, model, classes, batch_size=8, seed=5, precision="fp32")
    fit(learner, 1, lr=0.01, weight_decay=0.1)
    optimiser = torch.optim.SGD(twin.parameters(), lr=0.01, momentum=0.9, weight_decay=0.1)
    for pictures, labels in face_loaders(faces, classes, 8, seed=5).train:
        optimiser.zero_grad()
        F.cross_entropy(twin(pictures), labels).backward()
        optimiser.step()
    for mine, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=2e-6)


def test_one_cycle_reaches_its_peak_after_a_quarter(faces, classes):
    learner = face_learner(faces, ZeroBiasCNN(2, 16), classes, batch_size=10, precision="fp32")
    fit(learner, 8, lr=0.01, schedule="onecycle")
    rates = learner.recorder.lrs
    assert len(rates) == 24 and rates[0] == pytest.approx(0.01 / 25)
    assert rates[6] == pytest.approx(0.01) == max(rates) and rates[-1] < 0.001
    fit(learner, 2, lr=0.02)
    assert learner.recorder.lrs == [0.02] * 6


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_same_seed_same_weights(faces, classes, precision):
    weights = []
    for seed in (1, 1, 2):
        model, training = trained(faces, classes, seed=seed, precision=precision, augmentation=Augmentation())
        weights.append(torch.cat([p.flatten() for p in model.parameters()]))
        curve = training.curve.drop(columns="seconds")
        assert np.isfinite(curve.to_numpy()).all()
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


class Scripted(nn.Module):
    """Ends its k-th pass of training with a known validation accuracy, whatever the data say."""

    def __init__(self, right: list[float], confidence: list[float], train_steps: int):
        super().__init__()
        self.steps = nn.Parameter(torch.zeros(()), requires_grad=False)
        self.weight = nn.Parameter(torch.zeros(()))
        self.right, self.confidence, self.train_steps = right, confidence, train_steps

    def forward(self, pictures):
        if self.training:
            self.steps += 1
            return torch.zeros(len(pictures), 2) + self.weight
        epoch = int(self.steps) // self.train_steps - 1
        truth = (pictures.amax((1, 2, 3)) > 0.55).long()
        wrong = torch.arange(len(truth)) >= round(self.right[epoch] * len(truth))
        guess = torch.where(wrong, 1 - truth, truth)
        return F.one_hot(guess, 2) * float(self.confidence[epoch])


@pytest.mark.parametrize(
    ("right", "confidence", "best"),
    [
        ([0.5, 0.75, 0.625], [1, 1, 1], 2),
        ([0.5, 0.75, 0.75], [1, 1, 1], 2),  # equal: the earliest
        ([0.75, 0.75, 0.5], [2, 1, 1], 2),  # equal accuracy: the smaller loss
        ([0.25, 0.5, 1.0], [1, 1, 9], 3),
    ],
)
def test_keeps_the_weights_of_the_best_validation_epoch(faces, classes, right, confidence, best):
    model = Scripted(right, confidence, train_steps=3)
    learner = face_learner(faces, model, classes, batch_size=10, precision="fp32")
    training = fit(learner, 3, lr=0.01)
    assert training.curve["valid_accuracy"].tolist() == pytest.approx(right)
    assert training.best_epoch == best and model.steps.item() == 3 * best


def test_losses_are_means_over_pictures(faces, classes):
    model = Scripted([0.75], [1.0], train_steps=4)
    training = fit(face_learner(faces, model, classes, batch_size=9, precision="fp32"), 1)
    # Equal logits for two classes cost log 2; one logit of 1 costs log(1+1/e) if right and log(1+e) if wrong.
    assert training.curve["train_loss"][0] == pytest.approx(np.log(2), abs=1e-6)
    expected = 0.75 * np.log1p(np.exp(-1)) + 0.25 * np.log1p(np.e)
    assert training.curve["valid_loss"][0] == pytest.approx(expected, abs=1e-6)


def test_the_test_split_is_never_looked_at(faces, classes):
    table = faces.table.copy()
    pixels = faces.pixels.copy()
    pixels[table["split"] == "test"] = 0
    blinded = type(faces)("blinded", pixels, table)
    seen = [trained(f, classes, augmentation=Augmentation())[0] for f in (faces, blinded)]
    assert all(torch.equal(*pair) for pair in zip(*(m.parameters() for m in seen), strict=True))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_interruption_leaves_nothing_behind(faces, classes, precision):
    class Interrupt(Callback):
        order = 11  # inside the autocast region

        def before_batch(self):
            if self.training and self.iter == 1:
                raise KeyboardInterrupt

    model = ZeroBiasCNN(2, 16)
    learner = face_learner(faces, model, classes, batch_size=8, precision=precision)
    before = [type(c) for c in learner.cbs]
    learner.add_cb(Interrupt())
    with pytest.raises(KeyboardInterrupt):
        fit(learner, 2)
    learner.remove_cb(Interrupt)
    assert not torch.is_autocast_enabled("cpu")
    assert [type(c) for c in learner.cbs] == before and learner.opt is None
    assert all(p.grad is None for p in model.parameters())
    assert fit(learner, 1).best_epoch == 1


def test_divergence_says_which_parameter(faces, classes):
    with pytest.raises(ParameterError, match=r"diverged in epoch 1.*smaller lr than 1e\+10"):
        trained(faces, classes, lr=1e10)


def test_unknown_schedule(faces, classes):
    with pytest.raises(ParameterError, match="cosine"):
        trained(faces, classes, schedule="cosine")


def test_predictions_are_the_plain_networks(faces, classes):
    torch.manual_seed(0)
    model = ZeroBiasCNN(2, 16).train()
    found = predict(model, faces, batch_size=7)
    assert model.training
    with torch.no_grad():
        logits = model.eval()(torch.tensor(faces.pixels).unsqueeze(1) / 255).double().numpy()
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert found.shape == (60, 2) and found.dtype == np.float32
    assert np.allclose(found, expected, atol=1e-6) and np.allclose(found.sum(1), 1, atol=1e-6)


def test_nothing_to_predict(faces):
    with pytest.raises(DataError, match="no picture"):
        predict(ZeroBiasCNN(2, 16), faces.select(np.zeros(60, bool)))


def test_seeding_reaches_all_three_generators():
    draws = []
    for seed in (1, 1, 2):
        seed_everything(seed)
        draws.append((random.random(), np.random.rand(), torch.rand(()).item()))
    assert draws[0] == draws[1] and all(a != b for a, b in zip(draws[0], draws[2], strict=True))


def test_precision_is_chosen_once_and_kept(faces, classes, monkeypatch):
    asked = []
    choose = module.choose_precision
    monkeypatch.setattr(module, "choose_precision", lambda *a: asked.append(a[2:]) or choose(*a))
    learner = face_learner(faces, ZeroBiasCNN(2, 16), classes, batch_size=8)
    assert asked == [("auto", torch.device("cpu"))] and learner.precision.timings
    again = face_learner(faces, ZeroBiasCNN(2, 16), classes, precision=learner.precision)
    assert len(asked) == 1 and again.precision is learner.precision
