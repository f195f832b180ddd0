"""Report how far a long piece of work is, and how long the rest takes: to `ferbook run`, which watches a
file, as a bar on a terminal, and elsewhere as a line every ten seconds; never in a notebook, which would
store it.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Event, Thread
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task
from rich.text import Text

# Names the file into which a chapter's process writes how far its work is.
STEPS_VARIABLE = "FER_STEPS"
# Seconds between two updates of a file, or of a bar.
INTERVAL = 0.5
# Seconds between two lines in a log.
LOG_INTERVAL = 10.0
# Seconds that work may take in silence.
LONG = 5.0
MINUTE = 60.0

Advance = Callable[..., object]


@contextmanager
def steps(
    what: str, total: float, seconds: float = 0, describe: Callable[[], str] | None = None
) -> Iterator[Advance]:
    """Report work of ``total`` steps, called ``what`` ("epochs", "pictures").

    The block calls what it is given with the number of steps that it did since the last call, and with the
    proportion of all work that they are, where steps differ in length. ``seconds``: how long the work is
    expected to take, 0 if unknown. ``describe``: returns the text in place of "``what`` 3 of 9".
    """
    work = _Work(what, total, seconds, describe)
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    if place := os.environ.get(STEPS_VARIABLE):
        report = _stored(work, Path(place))
    elif "ipykernel" in sys.modules:
        report = nullcontext()
    else:
        report = _drawn(work, console) if console.is_terminal else _logged(work, console)
    with report:
        yield work.advance


class _Work:
    """How much is done of a piece of work, and how long the rest takes."""

    def __init__(self, what: str, total: float, seconds: float, describe: Callable[[], str] | None) -> None:
        self.done, self.part, self.began = 0.0, 0.0, monotonic()
        self.seconds = seconds or None
        self.report: Callable[[], object] = lambda: None
        self.describe = describe or (lambda: steps_text(what, self.done, total))
        self._total = total

    def advance(self, count: float = 1, share: float | None = None) -> None:
        self.done += count
        self.part += count / self._total if share is None else share
        if self.part > 0:
            self.seconds = (monotonic() - self.began) / self.part
        self.report()

    def left(self) -> float | None:
        """Return seconds until all is done; None where that is unknown."""
        if self.seconds is None:
            return None
        return max(self.seconds - (monotonic() - self.began), self.seconds / 20 * (self.part < 1))

    def line(self) -> str:
        """``epochs 2.4 of 12, about 40 s left``."""
        left = self.left()
        return self.describe() if left is None else f"{self.describe()}, about {time_text(left)} left"


def steps_text(what: str, done: float, total: float) -> str:
    """Return a text such as ``epochs 2.4 of 12``."""
    digits = 0 if round(done, 1) % 1 == 0 else 1
    return f"{what} {done:,.{digits}f} of {total:,.0f}"


def time_text(seconds: float) -> str:
    """Return a text such as ``40 s`` or ``7 min``."""
    return f"{seconds:.0f} s" if seconds < 2 * MINUTE else f"{seconds / MINUTE:.0f} min"


class _Line(ProgressColumn):
    """The line of a piece of work, whose time left goes down at each refresh."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["work"].line())


@contextmanager
def _stored(work: _Work, file: Path) -> Iterator[None]:
    """Write to ``file`` how far the work is, at most once in ``INTERVAL`` seconds."""
    due = monotonic() + INTERVAL

    def store() -> None:
        nonlocal due
        if monotonic() >= due and work.left() is not None:
            due = monotonic() + INTERVAL
            file.write_text(json.dumps({"text": work.describe(), "left": work.left()}), encoding="utf-8")

    work.report = store
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


@contextmanager
def _drawn(work: _Work, console: Console) -> Iterator[None]:
    """Draw a bar on a terminal."""
    with Progress(BarColumn(20), _Line(), console=console, transient=True) as bar:
        task = bar.add_task("", total=1, work=work)
        work.report = lambda: bar.update(task, completed=work.part)
        yield


@contextmanager
def _logged(work: _Work, console: Console) -> Iterator[None]:
    """Print a line at once where the work is known to be long, and then every ten seconds."""
    ended = Event()

    def tick() -> None:
        pause = LOG_INTERVAL if work.seconds else LONG
        while not ended.wait(pause):
            console.print(work.line())
            pause = LOG_INTERVAL

    if (work.seconds or 0) > LONG:
        console.print(work.line())
    ticker = Thread(target=tick, daemon=True)
    ticker.start()
    try:
        yield
    finally:
        ended.set()
        ticker.join()
