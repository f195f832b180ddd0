"""Which device a chapter computes on, and how it is called in a record."""

import os
import platform
from pathlib import Path

import torch

from ferbook.errors import ParameterError


def pick_device(requested: str = "auto") -> torch.device:
    """``auto`` takes CUDA, then Apple's MPS, then the CPU. Raises ParameterError for a device that is not
    there.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if requested == "auto":
        return torch.device(next(name for name, there in available.items() if there))
    if not available.get(requested, False):
        there = ", ".join(name for name, is_there in available.items() if is_there)
        raise ParameterError(f"device = {requested!r} is not available on this machine; it has: {there}")
    return torch.device(requested)


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def device_name(device: torch.device) -> str:
    """The device in words, for example ``CPU (AMD EPYC, 2 cores)`` or ``NVIDIA H200``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return f"Apple GPU ({platform.machine()})"
    return f"CPU ({_processor()}, {os.cpu_count()} cores)"
