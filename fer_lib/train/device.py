"""The device on which a chapter computes, and the number and memory format in which a network trains
there.
"""

import os
import platform
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import torch
from fastai.callback.channelslast import ChannelsLast
from fastai.callback.core import Callback
from fastai.callback.fp16 import MixedPrecision
from fastai.torch_core import to_float

from fer_lib.nets.classifier import own_autocast
from ferbook.errors import ParameterError, require_name


def pick_device(choice: str = "auto") -> torch.device:
    """Choose a device: ``auto`` takes CUDA, then Apple's MPS, then the CPU. Raises ParameterError for a
    device that is not available.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if choice == "auto":
        return torch.device(next(name for name, there in available.items() if there))
    if not available.get(choice, False):
        there = ", ".join(name for name, is_there in available.items() if is_there)
        raise ParameterError(f"device = {choice!r} is not available on this machine; it has: {there}")
    return torch.device(choice)


def device_name(device: torch.device) -> str:
    """Return the device in words, for example ``CPU (AMD EPYC, 2 cores)`` or ``NVIDIA H200``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return f"Apple GPU ({platform.machine()})"
    processor = torch.cpu.get_capabilities().get("cpu_name") or platform.processor() or platform.machine()
    return f"CPU ({processor}, {os.cpu_count()} cores)"


PrecisionName = Literal["auto", "fp32", "bf16"]


def computes_in_bf16() -> bool:
    """Return whether this CPU trains faster in bfloat16 than in float32.

    With ``amx_bf16``, and on AMD with ``avx512_bf16``, it takes less than half the time. On Intel
    ``avx512_bf16`` alone, as in a virtual machine that hides AMX, multiplies no faster than float32: the
    zero-bias CNN's step took 1.6 times as long, the residual net's 1.5 times (48 pixels, 64 pictures, Xeon of
    family 6, model 207). Without either bfloat16 is emulated.
    """
    able = torch.cpu.get_capabilities()
    intel = "intel" in able.get("cpu_name", "").casefold()
    return bool(able.get("amx_bf16") or (able.get("avx512_bf16") and not intel))


@dataclass(frozen=True)
class Precision:
    """The number and memory format in which a network trains.

    Attributes
    ----------
    name : str
        ``fp32`` or ``bf16``; the weights are float32 in both.
    channels_last : bool
        Memory format of weights and activations.
    """

    name: Literal["fp32", "bf16"]
    channels_last: bool

    def to_json(self) -> dict:
        """Return plain values, as in a run's record."""
        return asdict(self)

    @property
    def dtype(self) -> torch.dtype | None:
        """The type in which products are computed; None: that of the weights."""
        return torch.bfloat16 if self.name == "bf16" else None

    def autocast(self, device: torch.device | str) -> torch.autocast:
        """Return a context in which a network computes in this format, on ``device``."""
        return own_autocast(torch.device(device).type, self.dtype)

    @property
    def callbacks(self) -> list[Callback]:
        """The fastai callbacks that put this choice into effect."""
        return [*([ChannelsLast()] if self.channels_last else ()), *([HalfProducts()] if self.dtype else ())]


class HalfProducts(Callback):
    """bfloat16 convolutions and products, float32 weights and loss, of a ``train.learner.FaceLearner``.

    fastai's own MixedPrecision opens autocast for CUDA only, and does not close it where a training is
    interrupted. bfloat16 has float32's range, so no gradient scaling is needed.
    """

    order = MixedPrecision.order

    def before_batch(self) -> None:
        self.learn.regions.enter_context(own_autocast(self.dls.device.type, torch.bfloat16))

    def after_pred(self) -> None:
        self.learn.pred = to_float(self.pred)
        self.learn.regions.close()


def choose_precision(
    choice: PrecisionName | Precision = "auto", device: torch.device | str = "cpu"
) -> Precision:
    """Choose the number and memory format for training on ``device``.

    Parameters
    ----------
    choice : str or Precision
        ``auto`` is bfloat16 where that is faster: on a CPU as of ``computes_in_bf16``, on a CUDA GPU that has
        it; elsewhere float32. A ``Precision`` is returned unchanged if the device offers it, else ``auto``
        applies.
    device : torch.device or str

    Returns
    -------
    Precision
        Channels last on a CPU and on CUDA.

    Raises
    ------
    ParameterError
        For any other name, and for bfloat16 on a device that does not have it.
    """
    kind = torch.device(device).type
    offered = kind == "cpu" or (kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False))
    if isinstance(choice, Precision):
        if choice.name == "fp32" or offered:
            return choice
        choice = "auto"
    require_name("precision", choice, get_args(PrecisionName))
    if choice == "bf16" and not offered:
        raise ParameterError(f"precision bf16 is not offered on the device {kind!r}; give auto or fp32")
    faster = offered and (kind == "cuda" or computes_in_bf16())
    name = {"auto": "bf16" if faster else "fp32"}.get(choice, choice)
    return Precision(name, channels_last=kind in ("cpu", "cuda"))
