"""Run cells with nbclient in a fresh kernel, students' cells inside bubblewrap: no network, no files but
Python's and copies of those given, and file systems in memory of a fixed size for what they write.
"""

import atexit
import errno
import os
import platform
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from asyncio import Event, create_task, sleep
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import zmq.asyncio
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient import NotebookClient
from nbclient.util import run_sync
from nbformat.v4 import new_code_cell, new_notebook

from ferbook.environment import kill
from ferbook.errors import MissingError

# Limits of a notebook: bytes of a process's data (of all its processes a third more), processes, bytes of
# files; all its cells together may take so many times the seconds of one.
MEMORY, PROCESSES, FILES, CELLS_EACH = 3 * 2**30, 64, 256 * 2**20, 3
TOO_LONG = "it took longer than"  # a cell, or the whole notebook
# Bytes of a kernel's message, and how many may wait; threads of the user who grades, which a fork bomb may
# reach between two looks; seconds between two looks, and until the kernel has to be there.
_MESSAGE, _WAITING, _BOMB, _WATCH, _START = 4 * 2**20, 64, 4096, 0.2, 60
# memfd_create, memfd_secret and shmget, whose memory no limit counts, by the numbers of the processor.
_CALLS = {"x86_64": (0xC000003E, 319, 447, 29), "aarch64": (0xC00000B7, 279, 447, 194)}


@dataclass
class Ran:
    """What came of cells. ``errors``: of those that ran, in their order, kind and message of the error, None
    where there was none; ``ended``: why the others did not run.
    """

    errors: list[tuple[str, str] | None] = field(default_factory=list)
    ended: str = ""


def require_box() -> None:
    """Raise MissingError if bubblewrap is not installed or does not work here."""
    with tempfile.TemporaryDirectory(prefix="fer-", dir="/tmp") as empty:
        command = [*_bwrap(Path(empty)), "true"]
        works = shutil.which("bwrap") and not subprocess.run(command, input=_system_calls()).returncode
    if not works:
        remedy = "install it (`apt install bubblewrap`), or grade students whom you trust with --without-box"
        raise MissingError(f"students' code runs in a box, and bubblewrap makes none here: {remedy}")


def _bwrap(place: Path) -> list[str]:
    """Return the command that runs the arguments behind it in a box, in a folder with copies of the files in
    ``place``. The box reads its filter of system calls from its standard input.
    """
    command = (
        "bwrap --unshare-all --die-with-parent --new-session --cap-drop ALL --seccomp 0 --proc /proc "
        f"--dev /dev --size {FILES} --tmpfs /tmp --size {FILES} --tmpfs /dev/shm"
    ).split()
    shown = [f"/{name}" for name in ("usr", "bin", "sbin", "lib", "lib32", "lib64")]
    shown += [f"/etc/{name}" for name in ("ld.so.cache", "alternatives", "fonts")]
    shown += sorted({sys.prefix, sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable))})
    for name in shown:
        command += ["--ro-bind-try", name, name]
    command += ["--ro-bind", str(place), "/given", "--dir", str(place), "--chdir", str(place)]
    command += ["--remount-ro", "/dev", "--remount-ro", "/", "--clearenv"]
    for name, value in (_environment(place) | {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}).items():
        command += ["--setenv", name, value]
    limits = f"-- prlimit --data={MEMORY} --fsize={FILES} --nproc={_BOMB} --core=0 --"
    return [*command, *limits.split(), "sh", "-c", 'cp -r /given/. . && exec "$@" < /dev/null', "sh"]


def _system_calls() -> bytes:
    """Return a filter (seccomp, as the kernel reads it) that refuses ``_CALLS``, and all calls in another
    processor's numbers. Empty, which bubblewrap refuses, for a processor that is not listed.
    """
    if platform.machine() not in _CALLS:
        return b""
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06
    processor, *calls = _CALLS[platform.machine()]
    refuse = 5 + len(calls)  # the last step; a jump counts from the step behind it
    steps = [(load, 0, 0, 4), (equal, 0, refuse - 2, processor), (load, 0, 0, 0)]
    steps += [(at_least, refuse - 4, 0, 0x40000000)]
    steps += [(equal, refuse - 5 - n, 0, call) for n, call in enumerate(calls)]
    steps += [(answer, 0, 0, 0x7FFF0000), (answer, 0, 0, 0x00050000 | errno.ENOSYS)]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def _environment(place: Path) -> dict[str, str]:
    names = ("HOME", "TMPDIR", "IPYTHONDIR", "MPLCONFIGDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")
    rest = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
    rest |= {"PYTHONWARNINGS": "ignore", "PYTHONHASHSEED": "0", "MPLBACKEND": "Agg"}
    return dict.fromkeys(names, str(place)) | rest


def run_cells(
    sources: Sequence[str], files: Mapping[str, Path], seconds: float, boxed: bool, often: int = CELLS_EACH
) -> Ran:
    """Run cells one after the other in a fresh kernel, in a folder with copies of ``files`` by their names.

    A cell that takes longer than ``seconds`` is interrupted, and the next one runs; after ``often`` times as
    long the kernel is ended. What cells print has no effect.
    """
    folder, ran = tempfile.mkdtemp(prefix="fer-", dir="/tmp"), Ran()  # a socket's path has to be short
    try:
        for name, file in files.items():
            shutil.copyfile(file, Path(folder, name))
        run_sync(_run)(sources, Path(folder), ran, seconds=seconds, whole=often * seconds, boxed=boxed)
        return ran
    finally:
        # Unlike shutil.rmtree these never follow a link (CVE-2023-6597) and work at any depth.
        for command in ("chmod -R u+rwX", "rm -rf"):
            subprocess.run([*command.split(), folder], stderr=subprocess.DEVNULL)


class _Silent(NotebookClient):
    """Keeps nothing of what cells print, draw and open."""

    output = handle_comm_msg = _update_display_id = lambda *_: None


class _Manager(AsyncKernelManager):
    """Starts a kernel by the command that it is given; no file describes that kernel."""

    kernel_spec = None
    boxed = False

    async def start_kernel(self, **how) -> None:
        """Start the kernel, and look for its sockets in the file system of its box."""
        await super().start_kernel(**how)
        while self.boxed and self.provisioner.process.poll() is None:
            if inside := _tree(self)[1:]:
                self.ip = f"/proc/{inside[0].pid}/root{self.ip}"
                self._close_control_socket()  # it is connected again, there, to interrupt a cell
                break
            await sleep(0.01)


async def _run(
    sources: Sequence[str], place: Path, ran: Ran, *, seconds: float, whole: float, boxed: bool
) -> None:
    context = zmq.asyncio.Context()
    for option, value in ((zmq.MAXMSGSIZE, _MESSAGE), (zmq.RCVHWM, _WAITING), (zmq.LINGER, 0)):
        context.setsockopt(option, value)
    sockets = {"transport": "ipc", "ip": str(place / "k"), "connection_file": str(place / "connection.json")}
    manager = _Manager(context=context, **sockets)
    manager.boxed = boxed
    command = [*(_bwrap(place) if boxed else []), sys.executable, "-P", "-m", "ipykernel_launcher"]
    about = {"argv": [*command, "-f", "{connection_file}"], "env": _environment(place)}
    manager.kernel_spec = KernelSpec(interrupt_mode="message", **about)

    def executed(cell: object, cell_index: int, execute_reply: dict) -> None:
        said, error = execute_reply["content"], None
        if said["status"] != "ok":
            words = (str(said.get(name, ""))[:600] for name in ("ename", "evalue"))
            kind, message = (word.encode("utf-8", "backslashreplace").decode() for word in words)
            slow = f"{TOO_LONG} {seconds:.0f} s"
            error = (kind or "stopped", slow if kind == "KeyboardInterrupt" else message)
        # Cells without code are not executed.
        ran.errors += [*[None] * (cell_index - len(ran.errors)), error]

    how = {"allow_errors": True, "interrupt_on_timeout": True, "shutdown_kernel": "immediate"}
    how |= {"timeout": seconds, "startup_timeout": _START, "on_cell_executed": executed}
    how |= {"on_notebook_start": lambda notebook: ready.set()}
    client = _Silent(new_notebook(cells=[*map(new_code_cell, sources)]), km=manager, **how)
    ready, nowhere = Event(), subprocess.DEVNULL
    watch = create_task(_watch(manager, whole, ran, ready))
    with tempfile.TemporaryFile() as calls:
        calls.write(_system_calls())
        calls.seek(0)
        streams = {"stdin": calls, "stdout": nowhere, "stderr": nowhere}
        try:
            await client.async_execute(cleanup_kc=True, cwd=str(place), **streams)
            ran.errors += [None] * (len(sources) - len(ran.errors))
        except Exception as fault:  # the kernel has ended, or sent a message that no kernel sends
            ran.ended = ran.ended or f"its kernel ended by itself ({type(fault).__name__})"
        finally:
            watch.cancel()
            atexit.unregister(client._cleanup_kernel)  # nbclient forgets to when a kernel has died
            kill(_tree(manager))
            context.destroy(linger=0)


def _tree(manager: AsyncKernelManager) -> list[psutil.Process]:
    with suppress(psutil.Error, AttributeError):
        root = psutil.Process(manager.provisioner.pid)
        return [root, *root.children(recursive=True)]
    return []


async def _watch(manager: AsyncKernelManager, whole: float, ran: Ran, ready: Event) -> None:
    """End a kernel that exceeds a limit, from when it is ``ready``."""
    await ready.wait()
    start = time.monotonic()
    while not ran.ended:
        await sleep(_WATCH)
        tree, memory = _tree(manager), 0
        for process in tree:
            with suppress(psutil.Error):
                memory += process.memory_info().rss
        excess = {
            f"{TOO_LONG} {whole:.0f} s": time.monotonic() > start + whole,
            f"it took more than {MEMORY >> 30} GiB of memory": memory > MEMORY * 4 // 3,
            f"it started more than {PROCESSES} processes": len(tree) > PROCESSES,
        }
        ran.ended = next((why for why, true in excess.items() if true), "")
    kill(_tree(manager))
