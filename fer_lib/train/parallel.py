"""One training on several devices: a process for each, which share every batch and step together."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from fastai.callback.core import Callback
from torch import distributed

from ferbook.errors import ParameterError


@contextmanager
def process_group() -> Iterator[torch.device]:
    """Join the processes that ``torchrun`` started, and leave them at the end; gives this process's own
    device.

    A GPU for each process where there are any, else the CPU. What ``train`` is called with inside must be the
    same in all processes, but for the device. Raises ParameterError where ``torchrun`` did not start this
    process.
    """
    absent = [name for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR") if name not in os.environ]
    if absent:
        raise ParameterError(
            f"no process group to join: {absent[0]} is not set; start the script with `torchrun "
            "--nproc-per-node 2 SCRIPT`"
        )
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    finally:
        distributed.destroy_process_group()


def rank_and_processes() -> tuple[int, int]:
    """This process's number, from 0, and how many train together: (0, 1) outside a process group."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


class Together(Callback):
    """Averages the gradients of all processes before each step, so that all keep the same weights.

    Each process sees its share of a batch; the mean of their gradients is that of the whole batch. Batch
    normalisation takes its statistics from the process's share; the first process's are everybody's after
    each step, so that they are averaged, validated and kept. All processes validate all pictures and go by
    the first one's result, so that all choose the same epoch and stop in the same one. A loss that is not
    finite in one ends the training in all. The centres of a loss that has such are averaged with the
    gradients. torch's DistributedDataParallel would wrap the network, which the losses on features, the
    averaged weights and the curve need bare; fastai's takes another package.
    """

    order = 5  # before the gradients are unscaled (10) and clipped (11), and before Curve (60) reads the loss

    def before_fit(self) -> None:
        _spread(self.model.state_dict().values())

    def after_loss(self) -> None:
        if self.training:
            loss = self.learn.loss.detach().clone()
            _average([loss])
            self.learn.loss = loss

    def before_step(self) -> None:
        moving = [p.grad for p in self.model.parameters() if p.grad is not None]
        _average([*moving, *self.objective.minimised.buffers()])
        _spread(self.model.buffers())

    def after_validate(self) -> None:
        _spread([self.curve.valid.total, self.curve.valid.right])


def together() -> list[Callback]:
    """The callbacks of a training that several processes share; none outside a process group."""
    return [Together()] if rank_and_processes()[1] > 1 else []


@torch.no_grad()
def _average(values: list[torch.Tensor]) -> None:
    """Replace each tensor by its mean over the processes, in one message."""
    flat = torch.cat([value.flatten() for value in values])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    for value, mean in zip(values, flat.split([value.numel() for value in values]), strict=True):
        value.copy_(mean.view_as(value))


@torch.no_grad()
def _spread(values: Iterable[torch.Tensor]) -> None:
    """Replace each tensor by the first process's."""
    for value in values:
        # A message is taken from and put into contiguous memory only.
        message = value.contiguous()
        distributed.broadcast(message, src=0)
        value.copy_(message)
