"""Cells run by nbclient in a kernel of their own, which talks through sockets in its folder; students' inside
bubblewrap: no network, no files but Python's and its folder's, limits that are watched from outside.
"""

import asyncio
import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import zmq.asyncio
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from ferbook.errors import MissingError

# What a notebook may take: bytes of a process's data (of all its processes a third more), processes, bytes of
# files; and all its cells together so many times the seconds of one.
MEMORY, PROCESSES, FILES, CELLS_EACH = 3 * 2**30, 64, 256 * 2**20, 3
# What gathers on this side: bytes of a kernel's message, and how many wait; threads of whoever grades, as
# a fork bomb reaches between two looks; seconds between them, and until a kernel has to be there.
_MESSAGE, _WAITING, _BOMB, _WATCH, _START = 4 * 2**20, 64, 4096, 0.2, 60
LONGEST_MESSAGE = 600
REMEDY = "install bubblewrap (`apt install bubblewrap`), or grade students whom you trust with --without-box"


@dataclass
class Ran:
    """What came of cells. ``faults``: kind and message of the error of those that failed, by their number;
    ``reached``: of how many it is known; ``ended``: why the others did not run; ``kept``: a file's content.
    """

    faults: dict[int, tuple[str, str]] = field(default_factory=dict)
    reached: int = 0
    ended: str = ""
    began: float = 0
    seconds: float = 0
    kept: bytes = b""

    def passed(self, number: int) -> bool:
        """Whether that cell ended without an error."""
        return number < self.reached and number not in self.faults


def require_box() -> None:
    """Raises MissingError where bubblewrap is not installed, or does not work here."""
    if not shutil.which("bwrap"):
        raise MissingError(f"students' code runs in a box, and bubblewrap is not here: {REMEDY}")
    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run([*_bwrap(Path(folder)), "true"], capture_output=True, text=True)
    if tried.returncode:
        why = (tried.stderr.strip().splitlines() or [f"it ends with {tried.returncode}"])[-1]
        raise MissingError(f"bubblewrap makes no box here ({why}): let it make one, or {REMEDY}")


def _bwrap(place: Path) -> list[str]:
    """The command before the one that is boxed, which sees ``place``, may write there, and works there."""
    python = {sys.prefix, sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable))}
    command = (
        "bwrap --unshare-all --die-with-parent --new-session --cap-drop ALL --proc /proc --dev /dev "
        f"--size {FILES} --tmpfs /tmp --size {FILES} --tmpfs /dev/shm"
    ).split()
    shown = [f"/{name}" for name in ("usr", "bin", "sbin", "lib", "lib32", "lib64")]
    shown += [f"/etc/{name}" for name in ("ld.so.cache", "alternatives", "fonts")]
    for name in [*shown, *sorted(python)]:
        command += ["--ro-bind-try", name, name]
    command += ["--bind", str(place), str(place), "--chdir", str(place), "--remount-ro", "/dev"]
    command += ["--remount-ro", "/", "--clearenv"]
    for name, value in (_environment(place) | {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}).items():
        command += ["--setenv", name, value]
    limits = f"-- prlimit --data={MEMORY} --fsize={FILES} --nproc={_BOMB} --core=0 --"
    return command + limits.split()


def _environment(place: Path) -> dict[str, str]:
    names = {"HOME": "", "TMPDIR": "", "IPYTHONDIR": "/.ipython", "MPLCONFIGDIR": "/.mpl"}
    names |= {f"JUPYTER_{kind}_DIR": "/.jupyter" for kind in ("CONFIG", "DATA", "RUNTIME")}
    rest = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
    rest |= {"PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    return {name: f"{place}{end}" for name, end in names.items()} | rest | {"MPLBACKEND": "Agg"}


def run_cells(
    sources: Sequence[str],
    files: Mapping[str, Path],
    seconds: float,
    boxed: bool,
    keep: str = "",
    often: int = CELLS_EACH,
) -> Ran:
    """Run cells one after the other in a fresh kernel, in a folder with ``files`` by their names. A cell that
    takes longer than ``seconds`` is interrupted, and the next one runs; after ``often`` times as long nothing
    more does. ``keep``: a file of that folder to be read at the end. What cells print decides nothing.
    """
    with tempfile.TemporaryDirectory(prefix="fer-", dir="/tmp") as folder:  # a socket's path has to be short
        place, spec = Path(folder, "w"), Path(folder, "kernels", "box", "kernel.json")
        for made in (place / ".mpl", spec.parent):
            made.mkdir(parents=True)
        for name, file in files.items():
            shutil.copyfile(file, place / name)
        command = [*(_bwrap(place) if boxed else []), sys.executable, "-P", "-m", "ipykernel_launcher"]
        about = {"argv": [*command, "-f", "{connection_file}"], "display_name": "box", "language": "python"}
        spec.write_text(json.dumps(about | {"interrupt_mode": "message", "env": _environment(place)}))
        ran = Ran()
        _ended(_run(sources, place, seconds, often * seconds, ran))
        ran.seconds, file = time.monotonic() - ran.began, place / keep
        if keep and file.is_file() and not file.is_symlink() and file.stat().st_size <= FILES:
            ran.kept = file.read_bytes()
        return ran


def _ended(work: Coroutine[object, object, None]) -> None:
    """Wait for that, also where a loop is running already, as in a notebook or beside a driven browser."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
    else:
        with ThreadPoolExecutor(1) as beside:
            beside.submit(asyncio.run, work).result()


def _nothing(*_: object) -> None:
    return None


class _Silent(NotebookClient):
    """Keeps nothing of what cells print, draw and open."""

    output = handle_comm_msg = _update_display_id = _nothing


async def _run(sources: Sequence[str], place: Path, seconds: float, whole: float, ran: Ran) -> None:
    context = zmq.asyncio.Context()
    for option, value in ((zmq.MAXMSGSIZE, _MESSAGE), (zmq.RCVHWM, _WAITING), (zmq.LINGER, 0)):
        context.setsockopt(option, value)
    specs = KernelSpecManager(kernel_dirs=[str(place.parent / "kernels")], ensure_native_kernel=False)
    sockets = {"transport": "ipc", "ip": str(place / "k"), "connection_file": str(place / "connection.json")}
    manager = AsyncKernelManager(kernel_name="box", kernel_spec_manager=specs, context=context, **sockets)

    def executed(cell: object, cell_index: int, execute_reply: dict) -> None:
        said = execute_reply["content"]
        if said["status"] != "ok":
            kind, message = (_text(said.get(name, "")) for name in ("ename", "evalue"))
            slow = f"took longer than {seconds:.0f} s" if kind == "KeyboardInterrupt" else ""
            ran.faults[cell_index] = (kind[:100] or "stopped", slow or message[:LONGEST_MESSAGE])
        ran.reached = cell_index + 1

    how = {"allow_errors": True, "interrupt_on_timeout": True, "shutdown_kernel": "immediate"}
    how |= {"timeout": seconds, "startup_timeout": _START, "on_cell_executed": executed}
    how["on_notebook_start"] = lambda notebook: setattr(ran, "began", time.monotonic())
    client = _Silent(new_notebook(cells=[*map(new_code_cell, sources)]), km=manager, **how)
    watch, nowhere = asyncio.create_task(_watch(manager, place, whole, ran)), subprocess.DEVNULL
    try:
        await client.async_execute(cleanup_kc=True, cwd=str(place), stdout=nowhere, stderr=nowhere)
        ran.reached = len(sources)  # an empty last cell is not executed
    except Exception as fault:  # the kernel is gone, or says what no kernel says
        ran.ended = ran.ended or f"its kernel ended by itself ({type(fault).__name__})"
    finally:
        watch.cancel()
        atexit.unregister(client._cleanup_kernel)  # nbclient forgets to, where a kernel died
        _kill(manager)
        context.destroy(linger=0)


def _text(said: object) -> str:
    return str(said).encode("utf-8", "backslashreplace").decode()


def _tree(manager: AsyncKernelManager) -> list[psutil.Process]:
    with suppress(psutil.Error, AttributeError):
        root = psutil.Process(manager.provisioner.pid)
        return [root, *root.children(recursive=True)]
    return []


def _kill(manager: AsyncKernelManager) -> None:
    for process in _tree(manager):
        with suppress(psutil.Error):
            process.kill()


async def _watch(manager: AsyncKernelManager, place: Path, seconds: float, ran: Ran) -> None:
    """End a kernel that takes more than it may."""
    start = time.monotonic()
    while not ran.ended:
        await asyncio.sleep(_WATCH)
        tree, memory, size = _tree(manager), 0, 0
        for process in tree:
            with suppress(psutil.Error):
                memory += process.memory_info().rss
        for folder, _, names in os.walk(place):
            for name in names:
                with suppress(OSError):
                    size += 512 * os.lstat(os.path.join(folder, name)).st_blocks
        excess = {
            f"it took longer than {seconds:.0f} s": time.monotonic() - (ran.began or start + _START)
            > seconds,
            f"it took more than {MEMORY >> 30} GiB of memory": memory > MEMORY * 4 // 3,
            f"it started more than {PROCESSES} processes": len(tree) > PROCESSES,
            f"it wrote more than {FILES >> 20} MiB": size > FILES,
        }
        ran.ended = ran.ended or next((why for why, true in excess.items() if true), "")
    _kill(manager)
