"""Which device a chapter computes on, its name in a record, and the memory that steps on a CPU keep."""

import ctypes
import os
import platform
import sys
from pathlib import Path

import torch

from ferbook.errors import ParameterError


def pick_device(choice: str = "auto") -> torch.device:
    """``auto`` takes CUDA, then Apple's MPS, then the CPU. Raises ParameterError for a device that is not
    there.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if choice == "auto":
        return torch.device(next(name for name, there in available.items() if there))
    if not available.get(choice, False):
        there = ", ".join(name for name, is_there in available.items() if is_there)
        raise ParameterError(f"device = {choice!r} is not available on this machine; it has: {there}")
    return torch.device(choice)


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


# Names and numbers of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_KEPT = {_MMAP_MAX: 0, _TRIM_THRESHOLD: -1}
_RETURNED = {_MMAP_MAX: 65_536, _MMAP_THRESHOLD: 32 * 2**20, _TRIM_THRESHOLD: 64 * 2**20}
"""What glibc's own moving thresholds arrive at in a process that uses large blocks."""


def keep_freed_memory(keep: bool = True) -> bool:
    """Whether freed blocks stay with this process, for the next step, rather than go back to the system.

    glibc gives every block of 32 MiB and more back when it is freed. A training step on a CPU frees and asks
    for dozens of them, and each time the kernel clears them page by page: an eighth of the step of the
    zero-bias CNN at 48 pixels and 64 pictures. ``keep=False`` gives back what was kept, and from then on as
    glibc does by itself. Returns whether the C library understood: false on systems without glibc, where
    nothing changes.
    """
    if sys.platform != "linux":
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return False
    outcomes = [library.mallopt(name, value) == 1 for name, value in (_KEPT if keep else _RETURNED).items()]
    if not keep:
        library.malloc_trim(0)
    return all(outcomes)
