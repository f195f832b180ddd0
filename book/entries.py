"""Somebody's function in a file, asked in a process of its own: what is put on trial by ``book.evaluation``.

``EntryProcess`` keeps mistakes out, not ill will: it can read what we can read. ``SealedEntry`` asks it in
the graders' sandbox, where there is nothing but Python, our packages without what knows the truth, and what
it is given.
"""

import hashlib
import importlib.machinery
import importlib.util
import inspect
import json
import math
import multiprocessing
import os
import pickle
import resource
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch

import fer_lib
import ferbook
import synthetic_faces
from fer_lib.aus.labels import label_scores
from fer_lib.look.judge import asked
from fer_lib.paths import cache_dir, data_dir
from ferbook import paths
from ferbook.course.sandbox import Box, Worker, choose_isolation
from ferbook.course.worker import decode, encode
from ferbook.errors import DataError, FerError
from ferbook.owner import end_with_parent

PROCESSOR_SECONDS = 600
"""What an entry may take of the processor in all."""

CLOCK = 3
"""By the clock an answer may take so many times the processor's seconds."""

START_SECONDS = 600
"""What Python and torch may take to start in the entry's process, by the clock."""

WITHHELD = (
    "fer_lib.look.judge",
    "fer_lib.look.placement",
    "fer_lib.look.regions",
    "fer_lib.look.localisation",
    "fer_lib.aus.label_judge",
    "fer_lib.aus.interventions",
    "fer_lib.faces.rendered",
    "synthetic_faces.render",
    "synthetic_faces.script",
)
"""What knows the truth, or makes it; a sealed entry does not find it."""


@dataclass(frozen=True)
class EntryKind:
    """A ``function`` of these ``arguments``; ``ask`` gives what it returns, or says what is wrong with it."""

    function: str
    arguments: tuple[str, ...]
    ask: Callable[..., np.ndarray]


MAP_ENTRY = EntryKind("explain", ("network", "layer", "pictures", "rows", "filters", "positions"), asked)
LABEL_ENTRY = EntryKind("label", ("responses", "presence"), label_scores)


class EntryProcess:
    """The function of a ``file`` as a method of ours, which runs in a process of its own until the block
    ends; it may take ``seconds`` of the processor, and an answer ``CLOCK`` times as many by the clock.

    Raises DataError, naming the file, where there is no such function, and in a call where it raises, ends
    its process, takes longer, or gives what ``kind.ask`` refuses.
    """

    def __init__(self, file: Path, seconds: int = PROCESSOR_SECONDS, kind: EntryKind = MAP_ENTRY) -> None:
        _require_file(file, kind)
        self.file, self._seconds = file, seconds
        self._connection, theirs = multiprocessing.Pipe()
        work = (theirs, str(file), seconds, torch.get_num_threads(), kind)
        # Not a fork: torch's threads do not survive one.
        self._process = multiprocessing.get_context("spawn").Process(target=_serve, args=work, daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> "EntryProcess":
        try:
            self._answer(START_SECONDS)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()

    def __call__(self, *arguments: object) -> np.ndarray:
        """What the function returns."""
        # No shared memory: the process must not reach our network. Why it has ended says `_answer`.
        with suppress(OSError):
            self._connection.send_bytes(pickle.dumps(arguments))
        return self._answer(CLOCK * self._seconds)

    def _answer(self, seconds: int) -> np.ndarray:
        try:
            if not self._connection.poll(seconds):
                raise DataError(f"{self.file}: it took longer than {seconds} seconds by the clock")
            fault, kind, shape = json.loads(self._connection.recv_bytes())
            answer = self._connection.recv_bytes()
        except (EOFError, OSError) as ended:
            self._process.join()
            late = self._process.exitcode == -signal.SIGXCPU
            why = f"it took longer than {self._seconds} seconds of the processor" if late else ""
            raise DataError(f"{self.file}: {why or 'its process ended by itself'}") from ended
        if fault:
            raise DataError(f"{self.file}: {fault}")
        return np.frombuffer(answer, kind).reshape(shape)


def _require_file(file: Path, kind: EntryKind) -> None:
    """Raise DataError where there is no such file."""
    if not file.is_file():
        raise DataError(f"{file}: no such file; name one that defines `{kind.function}`")


def _serve(connection: Connection, file: str, seconds: int, threads: int, kind: EntryKind) -> None:
    """In the entry's process: answer first whether there is a function, then every question, by a fault
    (empty where there is none), what kind of numbers and which shape, and the bytes of them.
    """
    end_with_parent()
    os.dup2(2, 1)  # what the entry prints is no answer of the command's
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)
    usage = math.ceil(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
    resource.setrlimit(resource.RLIMIT_CPU, (usage + seconds, usage + seconds + 5))
    method = None
    while True:
        answer, fault = np.zeros(0), ""
        try:
            if method is None:
                method = read_method(file, kind)
            else:
                answer = kind.ask(method, *pickle.loads(connection.recv_bytes()))
        except EOFError:
            return
        except BaseException as raised:
            fault = _reason(raised, file)
        connection.send_bytes(json.dumps([fault, answer.dtype.str, answer.shape]).encode())
        connection.send_bytes(answer.tobytes())
        if method is None:
            return


def read_method(file: str, kind: EntryKind = MAP_ENTRY) -> Callable[..., np.ndarray]:
    """The function of a Python file that ``kind`` asks for. Raises DataError where there is none of these
    arguments, and whatever the file raises.
    """
    spec = importlib.util.spec_from_file_location(
        "entry", file, loader=importlib.machinery.SourceFileLoader("entry", file)
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    method = getattr(module, kind.function, None)
    if not callable(method):
        raise DataError(f"it defines no function `{kind.function}`")
    try:
        inspect.signature(method).bind(*kind.arguments)
    except TypeError as fault:
        raise DataError(f"its `{kind.function}` does not take ({', '.join(kind.arguments)})") from fault
    return method


def read_source(file: Path) -> str:
    """The text of a Python file. Raises DataError for one that is not UTF-8."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as fault:
        raise DataError(f"{file}: not UTF-8 at byte {fault.start}; save it in UTF-8") from fault


def _reason(fault: BaseException, file: str) -> str:
    """One line: what an entry raised, and where in its file."""
    if isinstance(fault, FerError):
        return str(fault)
    lines = [frame.lineno for frame in traceback.extract_tb(fault.__traceback__) if frame.filename == file]
    return _raised(type(fault).__name__, str(fault)) + (f" (line {lines[-1]})" if lines else "")


def _raised(name: str, message: str) -> str:
    text = " ".join(f"{name}: {message}".split())[:300]
    if not torch.cuda.is_available() and any(word in text.lower() for word in ("cuda", "nvidia")):
        return f"it needs a GPU, and there is none here ({text})"
    return f"it raised {text}"


_INSIDE = """
import inspect, pickle, types
import numpy as np
import torch

torch.set_num_threads({threads})
networks = {{}}

def read_entry(source, file):
    global method
    module = types.ModuleType("entry")
    exec(compile(source, file, "exec"), module.__dict__)
    method = getattr(module, {function!r}, None)
    if not callable(method):
        return "it defines no function `{function}`"
    try:
        inspect.signature(method).bind(*{arguments!r})
    except TypeError:
        return "its `{function}` does not take ({named})"
    return ""

def keep(name, pickled):
    networks[name] = pickle.loads(pickled.tobytes())

def ask_entry(*given):
    returned = method(*(networks.get(each, each) if isinstance(each, str) else each for each in given))
    returned = returned.detach().cpu().numpy() if isinstance(returned, torch.Tensor) else returned
    if isinstance(returned, np.ndarray) and returned.ndim == 3 and returned.dtype == np.float64:
        return returned.astype(np.float32)  # half as long
    return returned
"""
"""What runs in the sandbox beside an entry, whose process it shares: nothing in it is to be trusted."""


class SealedEntry:
    """As ``EntryProcess``, in the graders' sandbox: no file of ours but the packages, without ``WITHHELD``,
    and no way out; 2 GiB of memory. ``isolation`` says by what.

    Raises also MissingError where nothing isolates a process here.
    """

    def __init__(self, file: Path, seconds: int = PROCESSOR_SECONDS, kind: EntryKind = MAP_ENTRY) -> None:
        _require_file(file, kind)
        self.file, self._kind, self._kept = file, kind, set()
        hidden = [each for each in (paths.runs_dir(), cache_dir(), data_dir()) if each.exists()]
        self.isolation = choose_isolation(hidden, "a sealed entry", "leave `--sealed` out")
        ours = tuple(Path(package.__path__[0]) for package in (fer_lib, ferbook, synthetic_faces))
        self._worker = Worker(self.isolation, Box(ours, withheld=WITHHELD), seconds)

    def __enter__(self) -> "SealedEntry":
        try:
            kind = self._kind
            settings = {
                "function": kind.function,
                "arguments": kind.arguments,
                "named": ", ".join(kind.arguments),
            }
            inside = _INSIDE.format(threads=torch.get_num_threads(), **settings)
            self._answer_value(self._worker.ask(do="cell", source=inside))
            if fault := self._asked("read_entry", read_source(self.file), self.file.name):
                raise DataError(f"{self.file}: {fault}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.__exit__()

    def __call__(self, *arguments: object) -> np.ndarray:
        """What the function returns, as far as it is data; a network is given by its weights."""
        inputs = [self._network(each) if isinstance(each, torch.nn.Module) else each for each in arguments]
        return self._asked("ask_entry", *inputs)

    def _network(self, network: torch.nn.Module) -> str:
        pickled = pickle.dumps(network)
        name = hashlib.sha256(pickled).hexdigest()
        if name not in self._kept:
            self._asked("keep", name, np.frombuffer(pickled, np.uint8))
            self._kept.add(name)
        return name

    def _asked(self, name: str, *arguments: object) -> object:
        codes = [encode(each) for each in arguments]
        return self._answer_value(self._worker.ask(do="call", name=name, args=codes, kwargs={}))

    def _answer_value(self, answer: dict) -> object:
        if not answer:
            raise DataError(f"{self.file}: {self._worker.ended}")
        if "raised" in answer:
            raise DataError(f"{self.file}: {_raised(str(answer['raised']), str(answer.get('message')))}")
        if "value" not in answer:
            raise DataError(f"{self.file}: it returned {answer.get('odd', 'what is too long')}")
        try:
            return decode(answer["value"])
        except ValueError as fault:
            raise DataError(f"{self.file}: it returned {fault}") from fault
