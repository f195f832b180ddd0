import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from book.derl import stage_one
from book.derl.adversary import Adversary
from book.derl.stage_one import GanDivergence, GanRecipe, train_generator
from ferbook.errors import DataError

RECIPE = GanRecipe(epochs=4, batch_size=8, lr=0.002, schedule="cosine", widths=(4, 6, 8, 8))

KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np, torch
from book.derl.stage_one import GanRecipe, train_generator

torch.set_num_threads(1)
replace, writes = os.replace, []

def killed_in_writing(partial, whole):
    writes.append(whole)
    if len(writes) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(partial, whole)

os.replace = killed_in_writing
recipe = GanRecipe(epochs=4, batch_size=8, lr=0.002, schedule="cosine", widths=(4, 6, 8, 8))
pairs = np.load(sys.argv[1])
train_generator(*pairs, recipe, valid=(pairs[0, :4], pairs[1, :4]), precision="bf16", checkpoint=Path(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def pairs() -> np.ndarray:
    generator = np.random.default_rng(0)
    inputs = generator.integers(0, 200, (20, 16, 16))
    return np.stack((inputs, inputs // 2)).astype(np.uint8)


def train(pairs, recipe=RECIPE, **options):
    options = {"precision": "bf16", "valid": (pairs[0, :4], pairs[1, :4])} | options
    return train_generator(*pairs, recipe, **options)


@pytest.fixture(scope="module")
def whole(pairs):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield train(pairs)
    torch.set_num_threads(threads)


def assert_same(training, other):
    for network in ("generator", "discriminator"):
        mine, theirs = (getattr(one, network).state_dict() for one in (training, other))
        assert all(torch.equal(value, theirs[name]) for name, value in mine.items())
    curves = [one.curve.drop(columns="seconds") for one in (training, other)]
    assert curves[0].equals(curves[1]) and training.epoch == other.epoch


class Stopped(Exception):
    pass


def ended_in_step(step: int):
    """An ``Adversary.after_loss`` that ends the training in a step, counted over all epochs, as if its
    process had died.
    """
    steps, after_loss = [], Adversary.after_loss

    def counted(self) -> None:
        after_loss(self)
        if self.training:
            steps.append(self)
            if len(steps) == step:
                raise Stopped("here")

    return counted


def train_until(step, monkeypatch, *given, **options):
    with monkeypatch.context() as dying:
        dying.setattr(Adversary, "after_loss", ended_in_step(step))
        with pytest.raises(Stopped):
            train(*given, **options)


def test_a_process_killed_while_it_wrote_goes_on_to_the_same_bits(pairs, whole, tmp_path):
    np.save(tmp_path / "pairs.npy", pairs)
    file = tmp_path / "kept" / "gan.safetensors"
    child = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path / "pairs.npy", file],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    with safe_open(file, "pt") as content:
        assert len(json.loads(content.metadata()["record"])["curve"]) == 2
    assert_same(train(pairs, checkpoint=file), whole)


@pytest.mark.parametrize("step", [1, 4, 8])
def test_a_training_stopped_in_any_epoch_goes_on_to_the_same_bits(pairs, whole, tmp_path, step, monkeypatch):
    """20 pairs in batches of 8 are 3 steps an epoch: no checkpoint yet, one of one epoch, one of two."""
    file = tmp_path / "gan.safetensors"
    train_until(step, monkeypatch, pairs, checkpoint=file)
    assert file.exists() == (step > 3) and not torch.is_autocast_enabled("cpu")
    assert_same(train(pairs, checkpoint=file), whole)


@pytest.mark.parametrize("changes", [{"ema": 0.0}, {"flip": 0.0, "schedule": "constant"}])
def test_goes_on_whatever_the_recipe(pairs, tmp_path, monkeypatch, changes):
    recipe, file = replace(RECIPE, **changes), tmp_path / "gan.safetensors"
    train_until(5, monkeypatch, pairs, recipe, checkpoint=file, precision="fp32")
    assert_same(
        train(pairs, recipe, checkpoint=file, precision="fp32"), train(pairs, recipe, precision="fp32")
    )


def test_a_finished_training_is_read_back_without_a_step(pairs, whole, tmp_path, monkeypatch):
    file = tmp_path / "gan.safetensors"
    assert_same(train(pairs, checkpoint=file), whole)
    before = file.read_bytes()
    monkeypatch.setattr(Adversary, "after_loss", ended_in_step(1))
    again = train(pairs, checkpoint=file)
    assert_same(again, whole)
    assert again.curve["seconds"].gt(0).all() and file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_what_was_computed_in_stays_when_it_is_to_be_chosen(pairs, whole, tmp_path, monkeypatch):
    """Another machine might choose otherwise, and the digits would differ."""
    file = tmp_path / "gan.safetensors"
    train_until(5, monkeypatch, pairs, checkpoint=file, precision="bf16")
    with pytest.raises(DataError, match="a training in bf16, not fp32"):
        train(pairs, checkpoint=file, precision="fp32")
    again = train(pairs, checkpoint=file, precision="auto")
    assert again.precision.name == "bf16"
    assert_same(again, whole)


def test_the_last_good_weights_outlive_the_process(pairs, tmp_path, monkeypatch):
    """All epochs after the first count as silent; the process dies in the third, and the next one finds out
    in the fourth.
    """
    recipe, file = replace(RECIPE, patience=3), tmp_path / "gan.safetensors"
    losses = train(pairs, recipe).curve["discriminator_loss"]
    assert losses.iloc[1:].max() < losses.iloc[0]
    monkeypatch.setattr(stage_one, "SILENT", losses.iloc[0])
    with pytest.raises(GanDivergence, match="those of epoch 1") as uninterrupted:
        train(pairs, recipe)
    train_until(8, monkeypatch, pairs, recipe, checkpoint=file)
    with pytest.raises(GanDivergence, match="those of epoch 1") as resumed:
        train(pairs, recipe, checkpoint=file)
    assert_same(resumed.value.training, uninterrupted.value.training)
    assert uninterrupted.value.training.epoch == 1


@pytest.fixture
def file(pairs, tmp_path):
    file = tmp_path / "gan.safetensors"
    train(pairs, replace(RECIPE, epochs=1), checkpoint=file)
    return file


@pytest.mark.parametrize(
    ("changes", "options", "says"),
    [
        ({"lr": 0.001}, {}, r"whose lr was 0\.002, not 0\.001"),
        ({"epochs": 2}, {}, "whose epochs was 1, not 2"),
        ({}, {"seed": 1}, "whose seed was 0, not 1"),
        ({}, {"valid": None}, "whose pictures was"),
        ({"perceptual": 1.0}, {"perceptual_network": torch.nn.AvgPool2d(2)}, "whose perceptual was"),
    ],
)
def test_refuses_the_checkpoint_of_another_training(pairs, file, changes, options, says):
    with pytest.raises(DataError, match=says):
        train(pairs, replace(RECIPE, **{"epochs": 1} | changes), checkpoint=file, **options)


def test_refuses_the_checkpoint_of_other_pictures(pairs, file):
    other = pairs.copy()
    other[1, 3, 2, 1] += 1
    with pytest.raises(DataError, match="whose pictures was"):
        train(other, replace(RECIPE, epochs=1), valid=(pairs[0, :4], pairs[1, :4]), checkpoint=file)


def test_refuses_a_damaged_file(pairs, file):
    whole = file.read_bytes()
    for content in (b"", whole[:100], whole[:-1]):
        file.write_bytes(content)
        with pytest.raises(DataError, match=r"not a readable checkpoint of a GAN.*delete it"):
            train(pairs, replace(RECIPE, epochs=1), checkpoint=file)
    save_file({"weights": torch.zeros(1)}, file)
    with pytest.raises(DataError, match="not a readable checkpoint"):
        train(pairs, replace(RECIPE, epochs=1), checkpoint=file)
