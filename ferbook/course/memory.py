"""The kernel's own limit on the memory of a process and all that it starts: a control group, where one can be
made.
"""

import os
import re
import secrets
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
_PATIENCE = 5
"""Seconds until processes that were killed have left their group."""


@dataclass(frozen=True)
class MemoryGroup:
    """A control group (cgroups(7), of version 1 or 2): its ``folder``, and the file of it in which the kernel
    counts whom it killed for want of memory.
    """

    folder: Path
    events: str

    def take_me(self) -> None:
        """Put this process into it, and with it all that it starts."""
        with suppress(OSError):
            (self.folder / "cgroup.procs").write_text("0")

    def exceeded(self) -> bool:
        """Whether a process in it was killed because the group took more than it may."""
        with suppress(OSError):
            return bool(re.search(r"^oom_kill [1-9]", (self.folder / self.events).read_text(), re.M))
        return False

    def remove(self) -> None:
        """End what still runs in it, though its parent may be gone, and remove it."""
        until = time.monotonic() + _PATIENCE
        while self.folder.is_dir() and time.monotonic() < until:
            with suppress(OSError):
                self.folder.rmdir()
                return
            with suppress(OSError):
                for process in filter(int, (self.folder / "cgroup.procs").read_text().split()):
                    os.kill(int(process), signal.SIGKILL)
            time.sleep(0.05)


def memory_group(most: int) -> MemoryGroup | None:
    """A new group of at most ``most`` bytes below this process's own; None where this process may make none:
    on another system, without the right, or where the controller of memory is not handed down.
    """
    with suppress(OSError):
        for line in _OWN.read_text().splitlines():
            kinds, own = line.split(":", 2)[1:]
            first = "memory" in kinds.split(
                ","
            )  # the controller is of version 1; of version 2 no kind is named
            if kinds and not first:
                continue
            folder = (
                CGROUPS / ("memory" if first else "") / own.lstrip("/") / f"ferbook-{secrets.token_hex(8)}"
            )
            limit, events = (
                ("memory.limit_in_bytes", "memory.oom_control") if first else ("memory.max", "memory.events")
            )
            with suppress(OSError):
                folder.mkdir()
                try:
                    (folder / limit).stat()  # lest it be made where this is no control group
                    (folder / limit).write_text(str(most))
                    return MemoryGroup(folder, events)
                except OSError:
                    folder.rmdir()
    return None
