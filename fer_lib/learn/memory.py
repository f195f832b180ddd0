"""Memory that a training step frees and the next one asks for again."""

import ctypes
import sys

# Names and numbers of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4

_KEPT = {_MMAP_MAX: 0, _TRIM_THRESHOLD: -1}
_RETURNED = {_MMAP_MAX: 65_536, _MMAP_THRESHOLD: 32 * 2**20, _TRIM_THRESHOLD: 64 * 2**20}
"""What glibc's own moving thresholds arrive at in a process that uses large blocks."""


def keep_freed_memory(keep: bool = True) -> bool:
    """Whether freed blocks stay with this process, for the next step, rather than go back to the system.

    glibc gives every block of 32 MiB and more back when it is freed. A training step on a CPU frees and asks for
    dozens of them, and each time the kernel clears them page by page: an eighth of the step of the zero-bias CNN
    at 48 pixels and 64 pictures. ``keep=False`` gives back what was kept, and from then on as glibc does by itself. Returns whether the C
    library understood: false on systems without glibc, where nothing changes.
    """
    if sys.platform != "linux":
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return False
    understood = [library.mallopt(name, value) == 1 for name, value in (_KEPT if keep else _RETURNED).items()]
    if not keep:
        library.malloc_trim(0)
    return all(understood)
