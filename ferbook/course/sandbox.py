"""A process that student's code runs in: without a network, with nothing to read but Python and the
assignment's data, nothing to write but a folder in memory, and limits that are watched from outside.
"""

import itertools
import json
import math
import os
import secrets
import select
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from ferbook.course import worker
from ferbook.course.memory import memory_group
from ferbook.course.syscalls import call_filter
from ferbook.course.worker import LONGEST
from ferbook.errors import MissingError
from ferbook.owner import end_with_parent

TRUST = "none: the students are trusted"
_MEMORY, OUTPUT, PROCESSES, _FILES = 2 * 2**30, 2**20, 64, 256 * 2**20
"""Most that a submission may take: memory, printed bytes, processes, bytes of files."""
_SPACE = 16 * _MEMORY
"""Bytes of a process's addresses: a library may reserve much, but page tables must not fill memory."""
ON_THE_CLOCK, LONGEST_WAIT = 3, 60
"""By the clock a submission may take three times its seconds of the processor, and no more than a minute."""
_MOST_QUEUED = 120
"""Seconds by the clock that are forgiven to who is ready and waits for a processor that others have."""
STRANGER = 64_123
"""The first of the users and groups that a grader who is root becomes: of each submission its own two."""
_STRANGERS = 1000
_runs = itertools.count()
"""What a process has started so far: the two runs of a submission are of two users."""
WATCH = 0.05
"""Seconds between two looks at a process's memory."""
SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/alternatives",
    "/etc/fonts",
)
DEVICES = ("null", "random", "urandom")
"""Not ``zero``: mapped, it is memory that is shared and nobody's file."""
START = 60
"""Seconds that Python may take to start."""
_GONE = "its process ended by itself"
GREEDY = f"it took more than {_MEMORY >> 30} GiB of memory"
SCRATCH = "/tmp"
"""Where a student's code may write: a folder, so that a Python below the system's can be shown in it."""
WORKER = "/engine/worker.py"
_WITHHELD = Path(__file__).with_name("withheld.py")
NEW_ROOT = "/sys"
"""What is hidden under the new root while it is filled: holds no checkout, and is on every Linux."""


@dataclass(frozen=True)
class Box:
    """What a sandbox shows: our own ``packages`` by their folders, without the ``withheld`` modules, and
    ``data``, files by their names.
    """

    packages: tuple[Path, ...] = ()
    data: tuple[Path, ...] = ()
    withheld: tuple[str, ...] = ()

    def shown(self) -> dict[str, Path]:
        """Each path inside, and what lies there; all of it is read-only."""
        real = {name: Path(name) for name in SYSTEM if Path(name).exists()}
        python = {sys.prefix, sys.base_prefix}
        real |= {place: Path(place) for place in sorted(python) if not place.startswith("/usr/")}
        folders = {folder.name: folder for folder in self.packages}
        real |= {f"/packages/{name}": folder for name, folder in folders.items()}
        for package, _, module in (name.partition(".") for name in self.withheld):
            file = folders[package] / f"{module.replace('.', '/')}.py"
            for each in (file, *file.parent.glob(f"__pycache__/{file.stem}.*")):
                real[f"/packages/{package}/{each.relative_to(folders[package])}"] = _WITHHELD
        return real | {f"{SCRATCH}/{file.name}": file for file in self.data} | {WORKER: Path(worker.__file__)}


def _environment(home: str, packages: str) -> dict[str, str]:
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
    base = {
        "HOME": home,
        "TMPDIR": home,
        "IPYTHONDIR": f"{home}/.ipython",
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        "LANG": "C.UTF-8",
    }
    more = {
        "PYTHONPATH": packages,
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "Agg",
    }
    return base | threads | more


def _python(engine: str) -> list[str]:
    most = (_FILES, 4 * PROCESSES, 2 * _MEMORY, _SPACE)
    return [sys.executable, "-P", engine, *map(str, most), call_filter()]


def _as_stranger() -> list[str]:
    """What a process of root puts before a command that shall be nobody's."""
    none = ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    if os.geteuid() == 0:
        number = STRANGER + (os.getpid() % (_STRANGERS // 2) * 2 + next(_runs) % 2)
        none += [f"--reuid={number}", f"--regid={number}", "--clear-groups"]
    return ["setpriv", *none]


def _bwrap(box: Box) -> list[str]:
    command = [
        "bwrap",
        "--unshare-net",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--die-with-parent",
    ]
    command += ["--new-session", "--proc", "/proc", "--size", str(2**20), "--tmpfs", "/dev"]
    for name in DEVICES:
        command += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    command += ["--symlink", "/proc/self/fd", "/dev/fd"]
    command += ["--perms", "0777", "--size", str(_FILES), "--tmpfs", SCRATCH]
    mounts = box.shown()
    for folder in sorted({str(parent) for inside in mounts for parent in list(Path(inside).parents)[:-1]}):
        command += ["--perms", "0755", "--dir", folder]
    for inside, real in mounts.items():
        command += ["--ro-bind", str(real), inside]
    if os.geteuid() == 0:
        for name in ("SETUID", "SETGID", "SETPCAP"):
            command += ["--cap-add", f"CAP_{name}"]
    return [
        *command,
        "--remount-ro",
        "/dev",
        "--remount-ro",
        "/",
        "--chdir",
        SCRATCH,
        *_as_stranger(),
        *_python(WORKER),
    ]


def _unshare(box: Box) -> list[str]:
    """The same with util-linux alone: a root folder in memory, into which all is mounted."""
    root = NEW_ROOT
    lines = ["set -e; umask 022", f"mount -t tmpfs -o size=4m,mode=755 tmpfs {root}"]

    def mount(inside: str, real: str, kind: str, options: str = "ro,") -> None:
        place = shlex.quote(root + inside)
        parent = shlex.quote(os.path.dirname(root + inside))
        touch = f"mkdir -p {parent}; [ -e {place} ] || touch {place}"
        make = f"mkdir -p {place}" if kind == "folder" else touch
        lines.append(f"{make}; mount --bind {shlex.quote(real)} {place}")
        if options:
            lines.append(f"mount -o remount,{options}nosuid,bind {place}")

    for name in DEVICES:
        mount(f"/dev/{name}", f"/dev/{name}", "file", "")
    lines.append(f"mkdir -p {root}{SCRATCH} {root}/proc; mount -t proc proc {root}/proc")
    lines.append(f"mount -t tmpfs -o size={_FILES},nr_inodes=32k,mode=777 tmpfs {root}{SCRATCH}")
    lines.append(f"ln -s /proc/self/fd {root}/dev/fd")
    for inside, real in box.shown().items():
        mount(inside, str(real), "folder" if real.is_dir() else "file")
    lines.append(f"mount -o remount,bind,ro {root}")
    run = shlex.join([*_as_stranger(), *_python(WORKER)])
    lines.append(f"exec chroot {root} /bin/sh -c {shlex.quote(f'cd {SCRATCH} && exec {run}')}")
    spaces = [
        "--mount",
        "--pid",
        "--net",
        "--ipc",
        "--uts",
        "--fork",
        "--kill-child",
        "--propagation",
        "private",
    ]
    flags = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *flags, *spaces, "/bin/sh", "-c", "\n".join(lines)]


ISOLATIONS: dict[str, Callable[[Box], list[str]]] = {"bwrap": _bwrap, "unshare": _unshare}

_TRUSTING = (
    "grade students whom you trust with all that you may do by --trust-students, which marks every report"
)

_PROBE = """
import os, socket
found = []
for path in {hidden!r}:
    if os.path.exists(path):
        found.append("sees " + path)
for path in ("/", "/usr", "/packages", "/dev", os.path.dirname(os.__file__)):
    try:
        open(path + "/written", "w")
        found.append("writes into " + path)
    except OSError:
        pass
try:
    socket.create_connection(("127.0.0.1", {port}), 2)
    found.append("reaches a server")
except OSError:
    pass
if os.geteuid() == 0 and int(open("/proc/self/status").read().split("CapEff:")[1].split()[0], 16):
    found.append("is root")
open("written", "w").write("here")
"""


def choose_isolation(
    hidden: list[Path], what: str = "what students handed in", otherwise: str = _TRUSTING
) -> str:
    """The first way of isolating a process that works here, as a process tried out that tries to see the
    ``hidden`` paths, to write, and to reach a server.

    Raises MissingError, with what each way lacks, where none does; ``what`` is to be isolated, and
    ``otherwise`` is advised.
    """
    faults = []
    for name in ISOLATIONS:
        if shutil.which(name) is None:
            faults.append(f"{name}: not installed")
            continue
        with socket.create_server(("127.0.0.1", 0)) as server:
            paths = [str(path.resolve()) for path in hidden]
            probe = _PROBE.format(hidden=paths, port=server.getsockname()[1])
            with Worker(name, Box(), seconds=30) as process:
                answer = process.ask(do="cell", source=probe)
                breaches = (
                    process.ask(do="value", name="found").get("value") if "raised" not in answer else None
                )
                message = process.ended or f"{answer.get('raised')}: {answer.get('message')}"
        if breaches is None:
            faults.append(f"{name}: {message} {' '.join(process.printed().split())[-300:]}".strip())
        elif breaches != ["list"]:
            faults.append(f"{name}: what runs in it {', '.join(map(str, breaches[1:]))}")
        else:
            return name
    install = "" if shutil.which("bwrap") else "install bubblewrap, or "
    raise MissingError(f"no way to isolate {what} works here ({'; '.join(faults)}): {install}{otherwise}")


def queued(pid: int) -> float:
    """Seconds that a process was ready and waited for its turn (Linux, Documentation/scheduler/sched-stats);
    0 where nobody says so.
    """
    with suppress(OSError, IndexError, ValueError):
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    return 0.0


class Worker:
    """A process that runs a student's code, asked by messages; it ends with the block.

    ``isolation`` is one of ``ISOLATIONS`` or ``TRUST``. ``seconds`` of the processor is what all answers
    together may take, not counted the start of Python; by the clock more (``ON_THE_CLOCK``), not counted what
    a process waits for its turn, so that a busy machine stops nobody. ``ended`` says why the process is no
    more, empty as long as it is there; then every question is answered by ``{}``.
    """

    def __init__(self, isolation: str, box: Box, seconds: float):
        self.ended = ""
        self._busy, self._before, self._queued = 0.0, math.inf, 0.0
        self._seconds = seconds
        self._clock = self._left = min(ON_THE_CLOCK * seconds, max(seconds, LONGEST_WAIT))
        self._printed = bytearray()
        self._buffer = bytearray()
        self._folder = tempfile.TemporaryDirectory(prefix="course-") if isolation == TRUST else None
        if self._folder is None:
            command, home, search = ISOLATIONS[isolation](box), SCRATCH, "/packages"
        else:
            command, home = [sys.executable, "-P", worker.__file__], self._folder.name
            search = os.pathsep.join(sorted({str(folder.parent) for folder in box.packages}))
            for file in box.data:
                shutil.copy(file, home)
        self._group = group = memory_group(_MEMORY)

        def prepare() -> None:
            end_with_parent()
            if group:
                group.take_me()

        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=_environment(home, search),
            cwd=home if self._folder else "/",
            preexec_fn=prepare,
            start_new_session=True,  # who signals its own group must not find us in it
        )
        os.set_blocking(self._process.stdin.fileno(), False)
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        self._converse({"do": "cell", "source": ""}, START)
        self._before = self._busy

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._end("the work is done")
        self._watcher.join()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with suppress(OSError):
                stream.close()
        if self._folder:
            self._folder.cleanup()
        if self._group:
            self._group.remove()

    @property
    def spent(self) -> float:
        """Seconds of the processor that all answers took so far."""
        return max(0.0, self._busy - self._before)

    def printed(self) -> str:
        """What the student's code printed, as far as it was read."""
        return self._printed.decode(errors="replace")

    def ask(self, **message: object) -> dict:
        """The answer to a message (see ``worker``); ``{}`` where the process has ended."""
        start = self._now()
        answer = self._converse(message, self._left)
        self._left -= self._now() - start
        while select.select([self._process.stderr], [], [], 0)[0]:
            if not self._take(self._process.stderr, self._printed, OUTPUT):
                break
        return answer

    def _now(self) -> float:
        """The clock, in seconds; it stands while the process waits for its turn."""
        return time.monotonic() - min(self._queued, _MOST_QUEUED)

    def _converse(self, message: dict, seconds: float) -> dict:
        until = self._now() + seconds
        number = secrets.token_hex(8)
        out = memoryview((json.dumps({"id": number, **message}) + "\n").encode())
        process = self._process
        while not self.ended:
            if self._now() > until:
                self._end(f"it took longer than {self._clock:.0f} seconds by the clock")
                break
            asking = [process.stdin] if out else []
            readable, ready, _ = select.select([process.stdout, process.stderr], asking, [], WATCH)
            if process.stderr in readable and not self._take(process.stderr, self._printed, OUTPUT):
                self._end(
                    f"it printed more than {OUTPUT >> 20} MiB" if len(self._printed) > OUTPUT else _GONE
                )
            if ready:
                try:
                    out = out[os.write(process.stdin.fileno(), out) :]
                except OSError:
                    self._end(_GONE)
            if process.stdout in readable and not self._take(process.stdout, self._buffer, LONGEST):
                self._end(
                    f"it answered more than {LONGEST >> 20} MiB" if len(self._buffer) > LONGEST else _GONE
                )
            if b"\n" in self._buffer:
                line, _, rest = self._buffer.partition(b"\n")
                with suppress(ValueError, RecursionError, AttributeError):
                    answer = json.loads(line)
                    if answer.get("id") == number and not rest:
                        self._buffer.clear()
                        return answer
                self._end("it answered what it was not asked")
        return {}

    def _take(self, stream: IO[bytes], into: bytearray, most: int) -> bool:
        """Read what has come; False where the stream has ended or brought more than ``most`` bytes."""
        chunk = os.read(stream.fileno(), 2**20)
        into += chunk
        return bool(chunk) and len(into) <= most

    def _tree(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            root = psutil.Process(self._process.pid)
            return [root, *root.children(recursive=True)]
        return []

    def _watch(self) -> None:
        while not self._over.wait(
            WATCH if self._folder is None else 4 * WATCH
        ):  # of the trusted, more rarely
            tree, memory, busy = self._tree(), 0, 0.0
            self._queued = max([self._queued, *(queued(process.pid) for process in tree)])
            for process in tree:
                with suppress(psutil.Error):
                    busy += sum(process.cpu_times()[:4])  # user, system, and of ended children
                    memory += process.memory_info().rss
            self._busy = max(self._busy, busy)
            if self.spent > self._seconds:
                self._end(f"it took longer than {self._seconds:.0f} seconds")
            elif memory > _MEMORY:
                self._end(GREEDY)
            elif len(tree) > PROCESSES:
                self._end(f"it started more than {PROCESSES} processes")

    def _end(self, why: str) -> None:
        self.ended = self.ended or (GREEDY if self._group and self._group.exceeded() else why)
        self._over.set()
        tree = self._tree()
        for process in tree:
            with suppress(psutil.Error):
                process.kill()
        self._process.wait()
        psutil.wait_procs(tree, timeout=START)
