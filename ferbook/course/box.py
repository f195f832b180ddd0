"""Cells run by nbclient in a kernel of their own, which talks through sockets in its folder; students' inside
bubblewrap: no network, no files but Python's and its folder's, limits that are watched from outside.
"""

import atexit
import errno
import os
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from asyncio import Event, create_task, sleep
from collections.abc import Iterable, Mapping, Sequence
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

# What a notebook may take: bytes of a process's data (of all its processes a third more), processes, bytes of
# files; and all its cells together so many times the seconds of one.
MEMORY, PROCESSES, FILES, CELLS_EACH = 3 * 2**30, 64, 256 * 2**20, 3
# What gathers on this side: bytes of a kernel's message, and how many wait; threads of whoever grades, as
# a fork bomb reaches between two looks; seconds between them, and until a kernel has to be there.
TOO_LONG = "it took longer than"  # a cell, or the whole notebook
_MESSAGE, _WAITING, _BOMB, _WATCH, _START = 4 * 2**20, 64, 4096, 0.2, 60


@dataclass
class Ran:
    """What came of cells. ``errors``: of those that ran, in their order, kind and message of the error, None
    where there was none; ``ended``: why the others did not run.
    """

    errors: list[tuple[str, str] | None] = field(default_factory=list)
    ended: str = ""


def require_box() -> None:
    """Raises MissingError where bubblewrap is not installed, or does not work here."""
    if not shutil.which("bwrap") or subprocess.run([*_bwrap(Path("/tmp")), "true"]).returncode:
        remedy = "install it (`apt install bubblewrap`), or grade students whom you trust with --without-box"
        raise MissingError(f"students' code runs in a box, and bubblewrap makes none here: {remedy}")


def _bwrap(place: Path) -> list[str]:
    """The command before the one that is boxed, which sees ``place``, may write there, and works there."""
    command = (
        "bwrap --unshare-all --die-with-parent --new-session --cap-drop ALL --proc /proc --dev /dev "
        f"--size {FILES} --tmpfs /tmp --size {FILES} --tmpfs /dev/shm"
    ).split()
    shown = [f"/{name}" for name in ("usr", "bin", "sbin", "lib", "lib32", "lib64")]
    shown += [f"/etc/{name}" for name in ("ld.so.cache", "alternatives", "fonts")]
    shown += sorted({sys.prefix, sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable))})
    for name in shown:
        command += ["--ro-bind-try", name, name]
    command += ["--bind", str(place), str(place), "--chdir", str(place), "--remount-ro", "/dev"]
    command += ["--remount-ro", "/", "--clearenv"]
    for name, value in (_environment(place) | {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}).items():
        command += ["--setenv", name, value]
    limits = f"-- prlimit --data={MEMORY} --fsize={FILES} --nproc={_BOMB} --core=0 --"
    return command + limits.split()


def _environment(place: Path) -> dict[str, str]:
    names = ("HOME", "TMPDIR", "IPYTHONDIR", "MPLCONFIGDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")
    rest = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
    rest |= {"PYTHONWARNINGS": "ignore", "PYTHONHASHSEED": "0", "MPLBACKEND": "Agg"}
    return dict.fromkeys(names, str(place)) | rest


def run_cells(
    sources: Sequence[str], files: Mapping[str, Path], seconds: float, boxed: bool, often: int = CELLS_EACH
) -> Ran:
    """Run cells one after the other in a fresh kernel, in a folder with ``files`` by their names. A cell that
    takes longer than ``seconds`` is interrupted, and the next one runs; after ``often`` times as long nothing
    more does. What cells print decides nothing.
    """
    folder, ran = Path(tempfile.mkdtemp(prefix="fer-", dir="/tmp")), Ran()  # a socket's path has to be short
    try:
        for name, file in files.items():
            shutil.copyfile(file, folder / name)
        run_sync(_run)(sources, folder, ran, seconds=seconds, whole=often * seconds, boxed=boxed)
        return ran
    finally:
        remove_tree(folder)


def remove_tree(folder: Path) -> None:
    """Remove a folder in which a student's code wrote, however deep it is, without following a link.

    Folders are moved up and removed one by one. Python's own removal recurses, and changed permissions
    behind links before 3.11.8 and 3.12.1 (CVE-2023-6597).
    """
    how, o_path = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, getattr(os, "O_PATH", 0)
    top = os.open(folder, how)
    try:
        waiting = ["."]
        while waiting:
            name = waiting.pop()
            inner = os.open(name, how, dir_fd=top)
            try:
                for entry in os.listdir(inner):
                    if not stat.S_ISDIR(os.lstat(entry, dir_fd=inner).st_mode):
                        os.unlink(entry, dir_fd=inner)
                    else:
                        # Without its permissions a folder can neither be moved nor read.
                        with suppress(OSError):
                            place = os.open(entry, o_path | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=inner)
                            os.chmod(f"/proc/self/fd/{place}", 0o700)
                            os.close(place)
                        waiting.append(f"fer-{secrets.token_hex(16)}")
                        os.rename(entry, waiting[-1], src_dir_fd=inner, dst_dir_fd=top)
            finally:
                os.close(inner)
            if name != ".":
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    folder.rmdir()


class _Silent(NotebookClient):
    """Keeps nothing of what cells print, draw and open."""

    output = handle_comm_msg = _update_display_id = lambda *_: None


class _Manager(AsyncKernelManager):
    """Of a kernel that no file describes: who starts it says how."""

    kernel_spec = None


async def _run(
    sources: Sequence[str], place: Path, ran: Ran, *, seconds: float, whole: float, boxed: bool
) -> None:
    context = zmq.asyncio.Context()
    for option, value in ((zmq.MAXMSGSIZE, _MESSAGE), (zmq.RCVHWM, _WAITING), (zmq.LINGER, 0)):
        context.setsockopt(option, value)
    sockets = {"transport": "ipc", "ip": str(place / "k"), "connection_file": str(place / "connection.json")}
    manager = _Manager(context=context, **sockets)
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
    watch = create_task(_watch(manager, place, whole, ran, ready))
    try:
        await client.async_execute(cleanup_kc=True, cwd=str(place), stdout=nowhere, stderr=nowhere)
        ran.errors += [None] * (len(sources) - len(ran.errors))
    except Exception as fault:  # the kernel is gone, or says what no kernel says
        ran.ended = ran.ended or f"its kernel ended by itself ({type(fault).__name__})"
    finally:
        watch.cancel()
        atexit.unregister(client._cleanup_kernel)  # nbclient forgets to, where a kernel died
        kill(_tree(manager))
        context.destroy(linger=0)


def _tree(manager: AsyncKernelManager) -> list[psutil.Process]:
    with suppress(psutil.Error, AttributeError):
        root = psutil.Process(manager.provisioner.pid)
        return [root, *root.children(recursive=True)]
    return []


def written(place: Path, processes: Iterable[int]) -> tuple[int, bool]:
    """Return the bytes of the files below ``place`` and of the processes' open files that have no name, in
    memory too; and whether a folder is too deep to be looked into.
    """
    sizes, deep, waiting = {}, False, [str(place)]
    while waiting:
        try:
            for entry in os.scandir(waiting.pop()):
                state = entry.stat(follow_symlinks=False)
                sizes[state.st_dev, state.st_ino] = 512 * state.st_blocks
                waiting += [entry.path] * stat.S_ISDIR(state.st_mode)
        except OSError as fault:
            deep |= fault.errno == errno.ENAMETOOLONG
    for process in processes:
        with suppress(OSError):
            for entry in os.scandir(f"/proc/{process}/fd"):
                with suppress(OSError):
                    state = os.stat(entry.path)
                    if stat.S_ISREG(state.st_mode) and not state.st_nlink:
                        sizes[state.st_dev, state.st_ino] = 512 * state.st_blocks
    return sum(sizes.values()), deep


async def _watch(manager: AsyncKernelManager, place: Path, whole: float, ran: Ran, ready: Event) -> None:
    """End a kernel that takes more than it may, from when it is ``ready``."""
    await ready.wait()
    start = time.monotonic()
    while not ran.ended:
        await sleep(_WATCH)
        tree, memory = _tree(manager), 0
        for process in tree:
            with suppress(psutil.Error):
                memory += process.memory_info().rss
        size, deep = written(place, [process.pid for process in tree])
        excess = {
            f"{TOO_LONG} {whole:.0f} s": time.monotonic() > start + whole,
            f"it took more than {MEMORY >> 30} GiB of memory": memory > MEMORY * 4 // 3,
            f"it started more than {PROCESSES} processes": len(tree) > PROCESSES,
            f"it wrote more than {FILES >> 20} MiB": size > FILES,
            "it made folders that are nested too deeply": deep,
        }
        ran.ended = next((why for why, true in excess.items() if true), "")
    kill(_tree(manager))
