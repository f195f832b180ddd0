"""The average of the weights is what is validated and kept; pictures that grow."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fer_lib.nets.residual import ResidualNet
from fer_lib.train.callbacks import Averaging, Epochs, Growth, growing_side
from fer_lib.train.learner import face_learner, fit
from fer_lib.train.recipe import TrainingRecipe
from ferbook.errors import ParameterError


class Witness(Averaging):
    """Keeps the network's state after each step, and what was validated."""

    def before_fit(self):
        super().before_fit()
        self.states, self.validated = [], []

    def after_batch(self):
        super().after_batch()
        if self.training:
            self.states.append(copied(self.trained))

    def after_validate(self):
        self.validated.append((self.learn.model is self.averaged, copied(self.learn.model)))


def copied(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("decay", [0.3, 0.95])
def test_weights_and_statistics_are_averaged_as_by_hand(faces, classes, decay, monkeypatch):
    monkeypatch.setattr("fer_lib.train.learner.Averaging", Witness)
    model = ResidualNet(2, 16, widths=(4,), depths=(1,), generator=torch.Generator().manual_seed(0))
    recipe = TrainingRecipe(epochs=3, batch_size=8, averaging=decay, augment="none")
    learner = face_learner(faces, model, classes, recipe, precision="fp32")
    (witness,) = (each for each in learner.fit_callbacks if isinstance(each, Witness))
    training = fit(learner)
    assert [swapped for swapped, _ in witness.validated] == [True] * 3 and learner.model is model

    average = {name: value.double() for name, value in witness.states[0].items()}
    expected = []
    for step, state in enumerate(witness.states):
        if step:
            now = min(decay, (1 + step) / (10 + step))
            average = {name: now * average[name] + (1 - now) * state[name] for name in state}
        if step % 4 == 3:
            expected.append(average)
    floating = [name for name, value in model.state_dict().items() if value.is_floating_point()]
    assert any("running_var" in name for name in floating)
    for (_, found), wanted in zip(witness.validated, expected, strict=True):
        for name in floating:
            assert np.allclose(found[name], wanted[name], rtol=1e-4, atol=1e-5), name
    kept, last = witness.validated[training.best_epoch - 1][1], witness.states[-1]
    assert all(torch.equal(model.state_dict()[name], kept[name]) for name in kept)
    assert any(not torch.equal(model.state_dict()[name], last[name]) for name in floating)


def test_sides_by_hand():
    assert [growing_side(epoch, 5, 32, 48) for epoch in range(5)] == [32, 40, 40, 48, 48]  # 32 36 40 44 48
    assert [growing_side(epoch, 3, 16, 44) for epoch in range(3)] == [16, 32, 44]
    assert growing_side(0, 1, 16, 48) == 48
    assert {growing_side(epoch, 9, 48, 48) for epoch in range(9)} == {48}


@pytest.mark.parametrize(("start", "end"), [(56, 48), (20, 48), (0, 48), (-8, 48)])
def test_refuses_what_does_not_grow(start, end):
    with pytest.raises(ParameterError, match=f"start_size {start}.*multiple of 8.*{end}"):
        Growth(start, end)


@pytest.mark.parametrize(("others", "first"), [((), 1 / 6), ((Growth(8, 16),), 64 / 960)])
def test_of_pictures_that_grow_an_epoch_counts_by_its_pixels(others, first):
    told = []
    epochs = Epochs(lambda *counts: told.append(counts))
    epochs.learn = SimpleNamespace(cbs=others, n_epoch=6, n_iter=4, training=True)
    epochs.before_fit()
    for epoch in range(6):
        epochs.learn.epoch = epoch
        for _ in range(4):
            epochs.after_batch()
    counts, shares = np.array(told).T
    assert counts.sum() == pytest.approx(6) and shares.sum() == pytest.approx(1)
    assert shares[:4].sum() == pytest.approx(first)
