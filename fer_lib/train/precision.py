"""Which number format and memory format a network trains in, chosen by a short timing on a CPU."""

import copy
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Literal

import torch
from fastai.callback.channelslast import ChannelsLast
from fastai.callback.core import Callback
from fastai.callback.fp16 import AMPMode, MixedPrecision
from fastai.torch_core import to_float
from torch import nn
from torch.nn import functional as F

from ferbook.errors import ParameterError

Request = Literal["auto", "fp32", "bf16"]

TIMED_PICTURES = 32
WARM_UP_STEPS = 1
TIMED_STEPS = 4

WORTHWHILE = 1.15
"""The fastest format replaces the plainest only where it is at least this much faster: a noisy timing
must not decide between two that are as good, because their weights differ."""


@dataclass(frozen=True)
class Precision:
    """What a network trains in, for the run's record.

    ``name``: ``fp32``, ``bf16`` or ``fp16``; the weights stay float32 in all three. ``channels_last``: memory
    format of weights and activations. ``timings``: training throughput, in pictures per second, of each
    format that was tried; empty where there was nothing to choose.
    """

    name: Literal["fp32", "bf16", "fp16"]
    channels_last: bool
    timings: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict:
        """Plain values, as they stand in a run's record."""
        return asdict(self)

    def callbacks(self, device: torch.device | str) -> list[Callback]:
        """The fastai callbacks that put this choice into effect on ``device``."""
        chosen: list[Callback] = [ChannelsLast()] if self.channels_last else []
        if self.name == "fp32":
            return chosen
        if torch.device(device).type == "cuda":
            return [*chosen, MixedPrecision(AMPMode(self.name))]
        return [*chosen, CPUAutocast()]


class CPUAutocast(Callback):
    """bfloat16 convolutions and products on a CPU, float32 weights and loss.

    fastai's own MixedPrecision opens autocast for CUDA only. bfloat16 has float32's range,
    so no gradient scaling is needed.
    """

    order = MixedPrecision.order

    def before_fit(self) -> None:
        self.autocast = torch.autocast("cpu", torch.bfloat16)

    def before_batch(self) -> None:
        self.autocast.__enter__()

    def after_pred(self) -> None:
        self.learn.pred = to_float(self.pred)
        self.autocast.__exit__(None, None, None)


def leave_autocast(callbacks: Iterable[Callback], device: torch.device | str) -> None:
    """Close an autocast region that an interrupted batch left open.

    fastai has no event for an interruption, and an open region would go on changing every
    later computation of the process.
    """
    kind = torch.device(device).type
    for callback in callbacks:
        if isinstance(callback, CPUAutocast | MixedPrecision) and torch.is_autocast_enabled(kind):
            callback.autocast.__exit__(None, None, None)


def training_step(
    model: nn.Module, pictures: torch.Tensor, labels: torch.Tensor, *, bf16: bool
) -> torch.Tensor:
    """One forward and backward pass of ``model``, in which gradients are added up; returns the loss."""
    with torch.autocast(pictures.device.type, torch.bfloat16, enabled=bf16):
        logits = model(pictures)
    loss = F.cross_entropy(logits.float(), labels)
    loss.backward()
    return loss.detach()


def time_formats(
    model: nn.Module,
    batch: tuple[torch.Tensor, torch.Tensor],
    formats: dict[str, tuple[bool, bool]],
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Pictures per second of a training step in each format.

    The formats take turns and the fastest step of each counts: other work on the machine only slows steps
    down. ``formats``: name to (bf16, channels last). The steps are done by copies of ``model`` under a random
    state of their own: the model's weights, gradients and mode, and the global random state, stay as they
    are.
    """
    pictures, labels = batch
    seconds: dict[str, list[float]] = {name: [] for name in formats}
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        copies = {
            name: copy.deepcopy(model)
            .train()
            .to(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
            for name, (_, channels_last) in formats.items()
        }
        for step in range(WARM_UP_STEPS + TIMED_STEPS):
            for name, (bf16, _) in formats.items():
                start = clock()
                training_step(copies[name], pictures, labels, bf16=bf16)
                copies[name].zero_grad()
                if step >= WARM_UP_STEPS:
                    seconds[name].append(clock() - start)
    return {name: len(labels) / min(times) for name, times in seconds.items()}


def choose_precision(
    model: nn.Module,
    batch: tuple[torch.Tensor, torch.Tensor],
    requested: Request = "auto",
    device: torch.device | str = "cpu",
) -> Precision:
    """The number and memory format to train ``model`` in, on ``device``, for batches like ``batch``.

    On a CPU ``auto`` times a few steps (two seconds at 48 pixels) and takes the fastest format, if it is
    clearly faster than plain float32: bfloat16 is more than twice as fast where the processor has
    instructions for it and slower where it has none. On CUDA ``auto`` is bfloat16, or float16 on GPUs without
    it; on other devices float32. What is requested by name is channels-last on a CPU and on CUDA.

    Raises ParameterError for an unknown request and for bfloat16 where the device has none.
    """
    if requested not in ("auto", "fp32", "bf16"):
        raise ParameterError(f"precision {requested!r}: give auto, fp32 or bf16")
    kind = torch.device(device).type
    if kind == "cuda":
        if requested == "fp32":
            return Precision("fp32", channels_last=True)
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Precision("bf16", channels_last=True)
        if requested == "bf16":
            raise ParameterError("precision bf16: this GPU has no bfloat16; give auto or fp32")
        return Precision("fp16", channels_last=True)
    if kind != "cpu":
        if requested == "bf16":
            raise ParameterError(f"precision bf16 is not offered on the device {kind!r}; give auto or fp32")
        return Precision("fp32", channels_last=False)
    if requested != "auto":
        return Precision(requested, channels_last=True)
    formats = {
        "fp32": (False, False),
        "fp32 channels_last": (False, True),
        "bf16 channels_last": (True, True),
    }
    pictures, labels = batch
    timings = time_formats(model, (pictures[:TIMED_PICTURES], labels[:TIMED_PICTURES]), formats)
    return _fastest(formats, timings)


def _fastest(formats: dict[str, tuple[bool, bool]], timings: dict[str, float]) -> Precision:
    plainest = next(iter(formats))
    chosen = max(timings, key=timings.__getitem__)
    if timings[chosen] < WORTHWHILE * timings[plainest]:
        chosen = plainest
    bf16, channels_last = formats[chosen]
    return Precision("bf16" if bf16 else "fp32", channels_last, timings)
