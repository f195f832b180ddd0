import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from book.derl import stage_one
from book.derl.stage_one import GanRecipe, PairBatches, gan_learner, train_generator
from fer_lib.nets.derl import Discriminator
from ferbook.errors import ParameterError
from tests.made import same_weights as same

TINY = GanRecipe(epochs=2, batch_size=8, lr=0.002, widths=(4, 6, 8, 8))


@pytest.fixture(scope="module")
def pairs() -> tuple[np.ndarray, np.ndarray]:
    """24 faces of a ramp, light or dark; the expressive ones wear a bright bar."""
    generator = np.random.default_rng(0)
    brightness = generator.integers(40, 140, 24)[:, None, None]
    neutral = brightness + 4 * np.arange(16)[None, :, None] + generator.integers(0, 8, (24, 16, 16))
    expressive = neutral.copy()
    expressive[:, 10:13, 4:12] = 250
    return expressive.astype(np.uint8), neutral.astype(np.uint8)


@pytest.fixture(scope="module")
def trained(pairs):
    return train_generator(*pairs, TINY, valid=pairs, precision="fp32", seed=3)


def distance(generator, pairs) -> float:
    inputs, targets = (torch.tensor(part).unsqueeze(1).float() / 255 for part in pairs)
    with torch.no_grad():
        return F.l1_loss(generator(inputs), targets).item()


@pytest.mark.slow
def test_equals_a_plain_loop_that_is_written_down_once_more(pairs):
    """The two steps with torch's own losses; the same first weights and batches."""
    recipe = replace(TINY, ema=0.0)
    torch.manual_seed(7)
    learner = gan_learner(*pairs, recipe, valid=pairs, precision="fp32", seed=5)
    trained = learner.model, learner.adversary.discriminator
    both = generator, discriminator = [copy.deepcopy(network).train() for network in trained]
    start = [copy.deepcopy(network.state_dict()) for network in both]
    batches = copy.deepcopy(learner.dls.train)
    learner.fit(recipe.epochs, recipe.lr, wd=0.0, reset_opt=True)

    players = [torch.optim.Adam(network.parameters(), recipe.lr, recipe.betas) for network in both]
    hinge, rows = nn.HingeEmbeddingLoss(margin=1.0), []
    for _ in range(recipe.epochs):
        seen = []
        for faces, true in batches:
            made = generator(faces)
            real = discriminator(torch.cat((faces, true), 1))
            fake = discriminator(torch.cat((faces, made.detach()), 1))
            # max(0, 1 - logit) is what torch's loss pays for the answer -1.
            loss = (hinge(real, -torch.ones_like(real)) + hinge(-fake, -torch.ones_like(fake))) / 2
            players[1].zero_grad()
            loss.backward()
            players[1].step()
            again = discriminator(torch.cat((faces, made), 1))
            adversarial, l1 = -again.mean(), (made - true).abs().mean()
            players[0].zero_grad()
            (adversarial + 100 * l1).backward()
            players[0].step()
            right = (real > 0).float().mean(), (fake < 0).float().mean()
            seen.append([v.item() for v in (adversarial + 100 * l1, adversarial, l1, loss, *right)])
        rows.append(np.mean(seen, axis=0))
    for mine, theirs, first in zip(trained, both, start, strict=True):
        for name, value in theirs.named_parameters():
            # Adam makes a step of a gradient that is but a rounding error, so single weights may differ.
            moved = (value - first[name]).abs().mean()
            assert (mine.get_parameter(name) - value).abs().mean() < 0.05 * moved, name
    found = [[row[name] for name in stage_one.TERMS] for row in learner.gan_curve.rows]
    assert np.allclose(found, rows, rtol=2e-3, atol=2e-3)
    far = distance(generator.eval(), pairs)
    assert learner.gan_curve.rows[-1]["valid_l1"] == pytest.approx(far, rel=1e-3)


@pytest.mark.slow
def test_it_learns_to_take_the_bar_off(pairs):
    training = train_generator(*pairs, replace(TINY, epochs=40, lr=0.005), valid=pairs, precision="fp32")
    inputs, targets = (part.astype(float) / 255 for part in pairs)
    copying = np.abs(inputs - targets).mean()
    mean_face = np.abs(targets - targets.mean(0)).mean()
    assert training.curve["valid_l1"].iloc[-1] < 0.6 * min(copying, mean_face)
    assert training.curve["valid_l1"].iloc[-1] == pytest.approx(distance(training.generator, pairs), rel=1e-4)
    assert not training.generator.training and not training.discriminator.training


def test_the_same_seed_gives_the_same_bits_and_leaves_the_random_state_alone(pairs, trained):
    before = torch.random.get_rng_state()
    again = train_generator(*pairs, TINY, precision="fp32", seed=3)
    assert torch.equal(before, torch.random.get_rng_state())
    assert same(again.generator, trained.generator) and same(again.discriminator, trained.discriminator)
    assert "valid_l1" not in again.curve
    assert not same(train_generator(*pairs, TINY, precision="fp32", seed=4).generator, trained.generator)


def test_the_averaged_weights_are_kept_unless_none_are_asked_for(pairs, trained):
    plain = train_generator(*pairs, replace(TINY, ema=0.0), precision="fp32", seed=3)
    assert not same(plain.generator, trained.generator) and same(plain.discriminator, trained.discriminator)


def test_bfloat16_trains_about_the_same_network_with_float32_weights(pairs, trained):
    training = train_generator(*pairs, TINY, valid=pairs, precision="bf16", seed=3)
    assert training.precision.name == "bf16" and not torch.is_autocast_enabled("cpu")
    assert all(p.dtype == torch.float32 for p in training.generator.parameters())
    assert np.allclose(training.curve["l1"], trained.curve["l1"], rtol=0.02)
    assert not same(training.generator, trained.generator)


def test_the_rate_of_the_discriminator_follows_the_schedule(pairs):
    recipe = replace(TINY, schedule="cosine", epochs=1)
    learner = gan_learner(*pairs, recipe, precision="fp32")
    learner.fit(1, recipe.lr, wd=0.0, reset_opt=True)
    rate = learner.opt.hypers[-1]["lr"]
    assert 0 < rate < recipe.lr and learner.adversary.optimiser.param_groups[0]["lr"] == rate


def test_a_loss_that_is_no_number_stops_the_training(pairs, monkeypatch):
    """24 pairs in batches of 8 are 3 steps an epoch, and each step judges thrice: call 10 is in step 1 of
    epoch 2.
    """
    judged, calls = Discriminator.forward, []

    def lost(self, pictures):
        calls.append(1)
        return judged(self, pictures) * (float("nan") if len(calls) >= 10 else 1)

    monkeypatch.setattr(Discriminator, "forward", lost)
    with pytest.raises(ParameterError, match=r"step 1 of epoch 2.*smaller lr than 0\.002"):
        train_generator(*pairs, replace(TINY, epochs=4), precision="fp32")


def test_a_discriminator_that_is_always_sure_stops_the_training(pairs, monkeypatch):
    """All its epochs after the first are held silent by decree."""
    recipe = replace(TINY, epochs=5)
    losses = train_generator(*pairs, recipe, precision="fp32").curve["discriminator_loss"]
    assert losses.iloc[1:].max() < losses.iloc[0]
    monkeypatch.setattr(stage_one, "SILENT", losses.iloc[0])
    assert len(train_generator(*pairs, recipe, precision="fp32").curve) == 5, "only four of them are silent"
    monkeypatch.setattr(stage_one, "PATIENCE", 3)
    with pytest.raises(ParameterError, match=r"in 3 epochs up to epoch 4"):
        train_generator(*pairs, recipe, precision="fp32")


@pytest.fixture
def marked_pairs() -> tuple[np.ndarray, np.ndarray]:
    """11 pairs that say which they are: pixel (0, 0) of the input is the number, of the target twice the
    number.
    """
    inputs = np.zeros((11, 4, 4), np.uint8)
    inputs[:, 0, 0] = np.arange(11) + 1
    inputs.setflags(write=False)
    return inputs, 2 * inputs


def numbers(pictures, column=0):
    return (pictures[:, 0, 0, column] * 255).round().int().tolist()


def test_a_shuffled_pass_shows_every_pair_once_and_keeps_it_together(marked_pairs):
    loader = PairBatches(*marked_pairs, 4, shuffle=True, seed=1)
    shown = []
    for inputs, targets in loader:
        assert inputs.shape == targets.shape == (len(inputs), 1, 4, 4) and inputs.dtype == torch.float32
        assert numbers(targets) == [2 * number for number in numbers(inputs)]
        shown += numbers(inputs)
    assert sorted(shown) == list(range(1, 12)) and shown != sorted(shown)


def test_a_pair_is_mirrored_together_or_not_at_all(marked_pairs):
    loader = PairBatches(*marked_pairs, 11, flip=0.5, shuffle=True, seed=0)
    sides = set()
    for _ in range(8):
        inputs, targets = next(iter(loader))
        for column in (0, 3):
            assert numbers(targets, column) == [2 * number for number in numbers(inputs, column)]
        both = zip(numbers(inputs), numbers(inputs, 3), strict=True)
        assert all((left > 0) != (right > 0) for left, right in both)
        sides |= {number > 0 for number in numbers(inputs)}
    assert sides == {True, False}
