import random
import re

import numpy as np
import pytest
import torch
from fastai.callback.core import Callback
from torch import nn
from torch.nn import functional as F

from fer_lib.nets.residual import ResidualNet
from fer_lib.nets.zero_bias import ZeroBiasCNN
from fer_lib.train import callbacks
from fer_lib.train.batches import face_loaders
from fer_lib.train.device import Precision
from fer_lib.train.learner import face_learner, fit, seed_everything
from fer_lib.train.predict import predict
from fer_lib.train.recipe import TrainingRecipe
from ferbook.errors import ParameterError

PLAIN = TrainingRecipe(epochs=2, batch_size=8, lr=0.02, schedule="constant", augment="none")


def train(faces, model, classes, recipe, *, precision="fp32", seed=0, checkpoints=()):
    learner = face_learner(faces, model, classes, recipe, precision=precision, seed=seed)
    return fit(learner, checkpoints=checkpoints)


def changed(recipe, **changes):
    return recipe.model_copy(update=changes)


def trained(faces, classes, *, seed=0, precision="fp32", **changes):
    seed_everything(seed)
    model = ZeroBiasCNN(len(classes), 16)
    recipe = changed(PLAIN, **changes)
    return model, train(faces, model, classes, recipe, precision=precision, seed=seed)


def weights_of(model: nn.Module) -> torch.Tensor:
    return torch.cat([value.flatten().double() for value in model.state_dict().values()])


def accuracy(model, faces, classes) -> float:
    return (predict(model, faces).argmax(1) == faces.labels(classes)).mean()


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    """Whatever a test does, training writes no file where it runs."""
    monkeypatch.chdir(tmp_path)
    yield
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def voted(faces):
    """The same pictures with ten votes each, seven of them for the label."""
    happy = (faces.table["emotion"] == "happiness").to_numpy()
    votes = {"vote_happiness": np.where(happy, 7, 2), "vote_neutral": np.where(happy, 2, 7), "vote_fear": 1}
    return type(faces)("voted", faces.pixels, faces.table.assign(**votes))


@pytest.mark.parametrize(
    ("schedule", "precision"),
    [("constant", "fp32"), ("onecycle", "bf16"), ("cosine", "fp32")],
)
def test_learns_what_can_be_learned(faces, classes, schedule, precision, capfd):
    model, training = trained(faces, classes, epochs=8, precision=precision, schedule=schedule)
    assert accuracy(model, faces.split("test"), classes) == 1.0
    assert list(training.curve) == ["epoch", "train_loss", "valid_loss", "valid_accuracy", "seconds"]
    assert training.curve["epoch"].tolist() == list(range(1, 9)) and (training.curve["seconds"] > 0).all()
    assert training.curve["train_loss"].iloc[-1] < training.curve["train_loss"].iloc[0]
    assert training.precision == Precision(precision, channels_last=True)
    assert all(p.is_contiguous() for p in model.parameters()), "a copy from a file would add up otherwise"
    assert capfd.readouterr() == ("", "")


OPTIONS = [
    {"nesterov": True, "weight_decay": 1e-3, "clip": 1.0},
    {"augment": "standard", "loss": "label_smoothing", "precision": "bf16"},
    {"averaging": 0.9, "loss": "focal", "precision": "bf16"},
    {"loss": "centre"},
    {"loss": "votes", "averaging": 0.9},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: " ".join(options))
def test_learns_with_every_option(voted, classes, options):
    model, training = trained(voted, classes, epochs=8, **options)
    assert accuracy(model, voted.split("test"), classes) == 1.0
    assert training.curve["valid_loss"].iloc[training.best_epoch - 1] < np.log(2)
    assert not model.output._forward_pre_hooks


@pytest.mark.parametrize("nesterov", [False, True])
def test_steps_are_those_of_torchs_sgd(faces, classes, nesterov):
    """The same batches through torch.optim.SGD and torch's clipping give the same weights, weight decay and
    biases included.
    """
    seed_everything(3)
    model = ZeroBiasCNN(2, 16, dropout=0)
    twin = ZeroBiasCNN(2, 16, dropout=0)
    twin.load_state_dict(model.state_dict())
    recipe = changed(PLAIN, epochs=1, lr=0.01, weight_decay=0.1, nesterov=nesterov, clip=0.5)
    train(faces, model, classes, recipe, seed=5, precision="fp32")
    optimiser = torch.optim.SGD(twin.parameters(), lr=0.01, momentum=0.9, weight_decay=0.1, nesterov=nesterov)
    longest = 0.0
    for pictures, labels in face_loaders(faces, classes, 8, seed=5).train:
        optimiser.zero_grad()
        F.cross_entropy(twin(pictures), labels).backward()
        longest = max(longest, nn.utils.clip_grad_norm_(twin.parameters(), 0.5).item())
        optimiser.step()
    assert longest > 0.5, "no gradient was clipped"
    for mine, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=2e-6)


def test_rates_are_the_schedules(faces, classes):
    recipe = changed(PLAIN, epochs=8, batch_size=10, lr=0.01, schedule="onecycle")
    learner = face_learner(faces, ZeroBiasCNN(2, 16), classes, recipe, precision="fp32")
    rates = []
    learner.add_cb(Callback(before_step=lambda _: rates.append(learner.opt.hypers[-1]["lr"])))
    fit(learner)
    assert len(rates) == 24 and rates[0] == pytest.approx(0.01 / 25)
    assert rates[6] == pytest.approx(0.01) == max(rates) and rates[-1] < 0.001


@pytest.mark.parametrize("options", [{"precision": "bf16"}, {"averaging": 0.9, "augment": "standard"}])
def test_same_seed_same_weights_and_metrics(faces, classes, options):
    models, curves = [], []
    for seed in (1, 1, 2):
        model, training = trained(faces, classes, seed=seed, **options)
        models.append(weights_of(model))
        curves.append(training.curve.drop(columns="seconds").to_numpy())
    assert torch.equal(models[0], models[1]) and not torch.equal(models[0], models[2])
    assert np.array_equal(curves[0], curves[1]) and not np.array_equal(curves[0], curves[2])
    assert np.isfinite(curves).all()


def test_the_random_state_around_a_training_neither_matters_nor_moves(faces, classes):
    found = []
    for state in (7, 8):
        model = ZeroBiasCNN(2, 16, generator=torch.Generator().manual_seed(0))
        torch.manual_seed(state)
        train(faces, model, classes, changed(PLAIN, augment="light"), precision="fp32", seed=4)
        found.append(weights_of(model))
        drawn = torch.rand(())
        torch.manual_seed(state)
        assert drawn == torch.rand(())
    assert torch.equal(*found)


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
    training = train(faces, model, classes, changed(PLAIN, epochs=3, batch_size=10), precision="fp32")
    assert training.curve["valid_accuracy"].tolist() == pytest.approx(right)
    assert training.best_epoch == best and model.steps.item() == 3 * best


@pytest.mark.parametrize("loss", ["cross_entropy", "label_smoothing"])
def test_losses_are_means_over_pictures(faces, classes, loss):
    """Validation is in plain cross-entropy, whatever the loss that is minimised."""
    model = Scripted([0.75], [1.0], train_steps=4)
    recipe = changed(PLAIN, epochs=1, batch_size=9, loss=loss)
    training = train(faces, model, classes, recipe, precision="fp32")
    # Equal logits for two classes cost log 2; one logit of 1 costs log(1+1/e) if right and log(1+e) if wrong.
    assert training.curve["train_loss"][0] == pytest.approx(np.log(2), abs=1e-6)
    expected = 0.75 * np.log1p(np.exp(-1)) + 0.25 * np.log1p(np.e)
    assert training.curve["valid_loss"][0] == pytest.approx(expected, abs=1e-6)


def test_the_training_loss_counts_every_picture_alike(faces, classes):
    """Batches of 9, 9, 9 and 3, of which the last costs log(1 + e) a picture, and the others log 2."""

    class Late(Scripted):
        def forward(self, pictures):
            logits = super().forward(pictures)
            truth = (pictures.amax((1, 2, 3)) > 0.55).long()
            return logits + F.one_hot(1 - truth, 2) if self.training and len(pictures) == 3 else logits

    model = Late([0.75], [1.0], train_steps=4)
    training = train(faces, model, classes, changed(PLAIN, epochs=1, batch_size=9), precision="fp32")
    expected = (27 * np.log(2) + 3 * np.log1p(np.e)) / 30
    assert training.curve["train_loss"][0] == pytest.approx(expected, abs=1e-6)


def test_the_test_split_is_never_looked_at(faces, classes):
    table = faces.table.copy()
    pixels = faces.pixels.copy()
    pixels[table["split"] == "test"] = 0
    blinded = type(faces)("blinded", pixels, table)
    seen = [weights_of(trained(f, classes, augment="light")[0]) for f in (faces, blinded)]
    assert torch.equal(*seen)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("validating", [False, True])
def test_an_interruption_leaves_nothing_behind(faces, classes, precision, validating):
    class Interrupt(Callback):
        order = 11  # inside the autocast region

        def before_batch(self):
            if self.training is not validating and self.iter == 1:
                raise KeyboardInterrupt

    model = ZeroBiasCNN(2, 16)
    recipe = changed(PLAIN, loss="centre", averaging=0.9)
    learner = face_learner(faces, model, classes, recipe, precision=precision)
    before = {type(c) for c in learner.cbs}
    learner.add_cb(Interrupt())
    with pytest.raises(KeyboardInterrupt):
        fit(learner)
    learner.remove_cb(Interrupt)
    assert not torch.is_autocast_enabled("cpu")
    assert {type(c) for c in learner.cbs} == before and learner.opt is None
    assert learner.model is model and not model.output._forward_pre_hooks
    assert all(p.grad is None for p in model.parameters())
    learner.recipe = changed(recipe, epochs=1)
    assert fit(learner).best_epoch == 1


class Failing(ZeroBiasCNN):
    """Answers that are not numbers in one step of training."""

    def __init__(self, step: int, fault: float = float("nan")):
        super().__init__(2, 16, generator=torch.Generator().manual_seed(0))
        self.left, self.fault = step, fault

    def forward(self, pictures):
        logits = super().forward(pictures)
        if self.training:
            self.left -= 1
            if self.left == 0:
                return logits * self.fault
        return logits


@pytest.mark.parametrize("looks", [1, 3, 50])
@pytest.mark.parametrize("fault", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_training_and_keeps_the_last_good_weights(
    faces, classes, looks, fault, monkeypatch
):
    monkeypatch.setattr(callbacks, "LOOKS", {"cpu": looks})
    good, model = Failing(-1), Failing(4 + 2, fault)  # four steps an epoch
    train(faces, good, classes, changed(PLAIN, epochs=1), precision="fp32")
    says = r"step 2 of epoch 2, at a learning rate of 0\.02: .* those of epoch 1\. .*-p lr=0\.007"
    with pytest.raises(ParameterError, match=says):
        train(faces, model, classes, changed(PLAIN, epochs=5), precision="fp32")
    assert torch.equal(weights_of(model), weights_of(good))
    assert model.left <= 0 and (looks > 1 or model.left == 0), "it went on after the step"


@pytest.mark.parametrize("looks", [1, 3])
def test_divergence_names_the_rate_of_its_step(faces, classes, looks, monkeypatch):
    monkeypatch.setattr(callbacks, "LOOKS", {"cpu": looks})
    rate = 0.02 * (1 + np.cos(np.pi * 5 / 20)) / 2  # five of twenty steps were done
    with pytest.raises(ParameterError, match=re.escape(f"learning rate of {rate:.3g}:")):
        train(faces, Failing(6), classes, changed(PLAIN, epochs=5, schedule="cosine"), precision="fp32")


def test_divergence_in_the_first_epoch_gives_the_first_weights_back(faces, classes):
    model = Failing(1)
    before = weights_of(model).clone()
    with pytest.raises(ParameterError, match=r"step 1 of epoch 1.*those it started with"):
        train(faces, model, classes, PLAIN, precision="fp32")
    assert torch.equal(weights_of(model), before) and not model.training


def test_a_validation_that_gives_no_number_ends_training(faces, classes):
    """The step before it was finite: the weights that it left are not."""
    model = Scripted([0.75, 0.5, 1.0], [1, np.nan, 1], train_steps=3)
    says = r"the validation after epoch 2, at a learning rate of 0\.02: .* those of epoch 1\."
    with pytest.raises(ParameterError, match=says):
        train(faces, model, classes, changed(PLAIN, epochs=3, batch_size=10), precision="fp32")
    assert model.steps.item() == 3


def test_a_gpu_without_memory_says_which_flag(faces, classes):
    class Large(ZeroBiasCNN):
        def forward(self, pictures):
            if len(pictures) > 4:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
            return super().forward(pictures)

    with pytest.raises(ParameterError, match=r"batch_size = 8; .*-p batch_size=4"):
        train(faces, Large(2, 16), classes, PLAIN, precision="fp32")
    assert train(faces, Large(2, 16), classes, changed(PLAIN, batch_size=4), precision="fp32")


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (ZeroBiasCNN(2, 24), r"ZeroBiasCNN and pictures of 16 × 16 pixels do not fit.*\(B, 1, 24, 24\)"),
        (ZeroBiasCNN(3, 16), r"give \(2, 3\) for 2 pictures; build it for 2 classes"),
        (nn.Linear(5, 2), "Linear and pictures of 16 × 16 pixels do not fit"),
    ],
)
def test_a_network_that_does_not_fit_is_refused_before_the_first_step(faces, classes, model, says):
    before = weights_of(model).clone()
    with pytest.raises(ParameterError, match=says):
        train(faces, model, classes, PLAIN)
    assert torch.equal(weights_of(model), before)


def test_pictures_grow_for_a_network_that_takes_any_size(classes, faces):
    large = type(faces)("large", faces.pixels.repeat(2, axis=1).repeat(2, axis=2), faces.table)
    sides = []

    class Seen(ResidualNet):
        def forward(self, pictures):
            if self.training:
                sides.append(pictures.shape[2])
            return super().forward(pictures)

    model = Seen(2, 32, widths=(8,), depths=(1,), generator=torch.Generator().manual_seed(0))
    recipe = changed(PLAIN, epochs=3, batch_size=15, start_size=16, augment="light")
    training = train(large, model, classes, recipe, precision="fp32")
    assert sides == [16, 16, 24, 24, 32, 32] and len(training.curve) == 3
    assert predict(model, large).shape == (60, 2)


def test_pictures_do_not_grow_for_a_network_of_one_size(classes, faces):
    with pytest.raises(ParameterError, match="pictures of 8 × 8 pixels do not fit"):
        trained(faces, classes, start_size=8)
    with pytest.raises(ParameterError, match="start_size 24"):
        trained(faces, classes, start_size=24)


def test_every_size_that_growing_pictures_will_have_is_tried_before_the_first_step(classes, faces):
    """Of 48 × 72 pixels, 16 × 24 and 32 × 48 fit, and 24 × 36 would not, in the second of five epochs."""
    oblong = type(faces)("oblong", np.resize(faces.pixels, (60, 48, 72)), faces.table)
    model = ResidualNet(2, 48, widths=(4,), depths=(1,))
    before = weights_of(model).clone()
    recipe = changed(PLAIN, start_size=16)
    with pytest.raises(ParameterError, match="pictures of 24 × 36 pixels do not fit"):
        train(oblong, model, classes, changed(recipe, epochs=5), precision="fp32")
    assert torch.equal(weights_of(model), before)
    assert len(train(oblong, model, classes, changed(recipe, epochs=3), precision="fp32").curve) == 3


@pytest.mark.parametrize("loss", ["votes", "cross_entropy"])
def test_votes_are_the_targets_of_the_loss_of_votes_only(voted, classes, loss):
    learner = face_learner(voted, ZeroBiasCNN(2, 16), classes, changed(PLAIN, loss=loss, batch_size=30))
    targets = sorted(next(iter(learner.dls.train))[1].tolist())
    expected = [[2 / 9, 7 / 9]] * 15 + [[7 / 9, 2 / 9]] * 15 if loss == "votes" else [0] * 15 + [1] * 15
    assert np.allclose(targets, expected)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"batch_size": 1}, "batch_size 1"),
        ({"augment": "ligth"}, r"no augmentation 'ligth' \(did you mean 'light'\?\)"),
        ({"optimiser": "adam"}, "no optimiser 'adam'"),
        ({"loss": "center"}, "no loss 'center'"),
        ({"epochs": 0}, "epochs = 0; give at least 1"),
    ],
)
def test_refuses_what_there_is_not(faces, classes, changes, says):
    with pytest.raises(ParameterError, match=says):
        trained(faces, classes, **changes)


def test_weights_after_an_epoch_that_there_is_not_are_refused(faces, classes):
    with pytest.raises(ParameterError, match="epochs = 2, checkpoints = 1, 5"):
        train(faces, ZeroBiasCNN(2, 16), classes, changed(PLAIN, epochs=2), checkpoints=(1, 5))


def test_seeding_reaches_all_three_generators():
    draws = []
    for seed in (1, 1, 2):
        seed_everything(seed)
        draws.append((random.random(), np.random.rand(), torch.rand(()).item()))
    assert draws[0] == draws[1] and all(a != b for a, b in zip(draws[0], draws[2], strict=True))


def test_a_chosen_precision_is_kept(faces, classes):
    chosen = Precision("bf16", channels_last=False)
    assert train(faces, ZeroBiasCNN(2, 16), classes, PLAIN, precision=chosen).precision is chosen
