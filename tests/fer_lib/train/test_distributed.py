"""Two processes on the CPU against one: the same batches, so the same weights."""

import multiprocessing
import os
import socket
from pathlib import Path

import numpy as np
import pytest
import torch

from fer_lib.faces.faceset import FaceSet
from fer_lib.nets.residual import ResidualNet
from fer_lib.nets.zero_bias import ZeroBiasCNN
from fer_lib.train import batches
from fer_lib.train.augment import Augmentation
from fer_lib.train.batches import FaceBatches
from fer_lib.train.learner import train
from fer_lib.train.parallel import process_group, rank_and_processes
from fer_lib.train.recipe import Recipe
from fer_lib.train.weights import load_weights, save_weights
from ferbook.errors import ParameterError

RECIPE = Recipe(epochs=3, batch_size=8, lr=0.02, augment="light", averaging=0.5, clip=0.5, patience=1)


class Failing(ResidualNet):
    """The second process's losses are no numbers."""

    def forward(self, pictures):
        logits = super().forward(pictures)
        return logits * float("nan") if self.training and rank_and_processes()[0] == 1 else logits


def train_together(rank: int, port: int, faces: FaceSet, classes: tuple[str, ...], folder: Path) -> None:
    """What each of two processes does; the second one starts from other weights."""
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    os.environ.update(address, RANK=str(rank), LOCAL_RANK=str(rank), TORCHELASTIC_USE_AGENT_STORE="False")

    def seeded() -> torch.Generator:
        return torch.Generator().manual_seed(rank)

    with process_group() as device:
        model = ZeroBiasCNN(2, 16, dropout=0, generator=seeded())
        train(faces, model, classes, RECIPE, precision="fp32", device=device)
        save_weights(model, folder / f"together{rank}", {})

        normalised = ResidualNet(2, 16, widths=(4,), depths=(1,), generator=seeded())
        train(faces, normalised, classes, RECIPE, device=device)
        save_weights(normalised, folder / f"normalised{rank}", {})

        failing = Failing(2, 16, widths=(4,), depths=(1,))
        try:
            train(faces, failing, classes, RECIPE, precision="fp32", device=device)
        except ParameterError as fault:
            (folder / f"fault{rank}.txt").write_text(str(fault))


@pytest.fixture
def together(faces, classes, tmp_path) -> Path:
    """What two processes wrote. They are forked, as importing everything anew would take most of the time."""
    given = (free_port(), faces, classes, tmp_path)
    fork = multiprocessing.get_context("fork")
    started = [fork.Process(target=train_together, args=(rank, *given), daemon=True) for rank in (0, 1)]
    for process in started:
        process.start()
    for process in started:
        process.join(300)
    codes = [process.exitcode for process in started]
    for process in started:
        process.kill()
    assert codes == [0, 0]
    return tmp_path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_two_processes_train_what_one_trains(faces, classes, together):
    model = ZeroBiasCNN(2, 16, dropout=0, generator=torch.Generator().manual_seed(0))
    alone = train(faces, model, classes, RECIPE, precision="fp32")
    first, second = (load_weights(together / f"together{rank}") for rank in (0, 1))
    assert len(alone.curve) > 1
    for one, other, single in zip(first.parameters(), second.parameters(), model.parameters(), strict=True):
        assert torch.equal(one, other) and torch.allclose(one, single, atol=1e-5)
    # The statistics of batch normalisation are the first process's, in both.
    states = [load_weights(together / f"normalised{rank}").state_dict() for rank in (0, 1)]
    assert any("running_mean" in name for name in states[0])
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    # A loss that is no number in one process ends the training in both.
    assert all("step 1 of epoch 1" in (together / f"fault{rank}.txt").read_text() for rank in (0, 1))


def test_shares_of_a_pass_make_up_the_whole(monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (31, 8, 8), dtype=np.uint8)

    def passes(rank: int, processes: int):
        monkeypatch.setattr(batches, "rank_and_processes", lambda: (rank, processes))
        return list(FaceBatches(pixels, np.arange(31), 12, augmentation=Augmentation(), shuffle=True))

    whole, shares = passes(0, 1), [passes(rank, 3) for rank in range(3)]
    assert [len(y) for _, y in whole] == [12, 12, 7] and [len(y) for _, y in shares[0]] == [4, 4, 2]
    for step, (pictures, labels) in enumerate(whole):
        for rank in range(3):
            mine, named = shares[rank][step]
            assert torch.equal(named, labels[rank::3][: len(named)])
            assert torch.equal(mine, pictures[rank::3][: len(named)])


def test_a_process_that_torchrun_did_not_start_is_told_how(monkeypatch):
    for name in ("LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR"):
        monkeypatch.setenv(name, "0")
    monkeypatch.delenv("RANK", raising=False)
    with (
        pytest.raises(ParameterError, match="RANK is not set; start the script with `torchrun "),
        process_group(),
    ):
        pass


@pytest.mark.parametrize("batch_size", [2, 7])
def test_refuses_batches_that_cannot_be_shared(batch_size, monkeypatch):
    monkeypatch.setattr(batches, "rank_and_processes", lambda: (0, 2))
    with pytest.raises(ParameterError, match=f"batch_size {batch_size}: 2 processes share it"):
        FaceBatches(np.zeros((9, 8, 8), np.uint8), np.zeros(9), batch_size, shuffle=True)
