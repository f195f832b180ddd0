"""How far a long piece of work has come, said where somebody reads it: in the file that `ferbook run`
watches, as a bar on a terminal, elsewhere as a line a minute; and never in a notebook, which would keep it.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task
from rich.text import Text

STEPS_VARIABLE = "FER_STEPS"
"""Names the file into which a chapter's process writes how far its work has come."""

INTERVAL = 0.5
"""Seconds between two looks at a file, or at a bar."""

MINUTE = 60.0
"""Seconds between two lines where there is no terminal."""

LONG = 5.0
"""Seconds from which on work says how far it has come."""

Advance = Callable[..., object]


@contextmanager
def steps(what: str, total: float, seconds: float = 0) -> Iterator[Advance]:
    """Work of ``total`` steps, called ``what`` ("epochs", "pictures"). The work calls what it is given with
    the number of steps that it did since the last call, and with the share of all work that they are, where
    not every step takes as long. Work that will take more than ``LONG`` ``seconds`` is told before it begins.
    """
    with _reader() as (pause, tell):
        tell(partial(steps_text, what, 0, total), seconds if seconds > LONG else None, 0)
        began, place, part = monotonic(), 0.0, 0.0
        due = began + pause

        def advance(count: float = 1, share: float | None = None) -> None:
            nonlocal place, part, due
            place, part, now = place + count, part + (count / total if share is None else share), monotonic()
            if now >= due and part:
                due = now + pause
                left = (now - began) * max(0.0, 1 / part - 1)
                tell(partial(steps_text, what, place, total), left, part)

        yield advance


def steps_text(what: str, place: float, total: float, left: float | None) -> str:
    """``epochs 2.4 of 12, about 40 s left``, where it takes ``left`` seconds more; None: nobody knows."""
    digits = 0 if round(place, 1) % 1 == 0 else 1
    text = f"{what} {place:,.{digits}f} of {total:,.0f}"
    return text if left is None else f"{text}, about {time_text(left)} left"


def time_text(seconds: float) -> str:
    """``40 s`` or ``7 min``."""
    return f"{seconds:.0f} s" if seconds < 2 * MINUTE else f"{seconds / MINUTE:.0f} min"


class _Line(ProgressColumn):
    """The text of a task, whose time left goes down while nothing is told."""

    def render(self, task: Task) -> Text:
        text, left, told = (task.fields[name] for name in ("text", "left", "told"))
        return Text(text(left if left is None else max(left - (monotonic() - told), left / 20)))


@contextmanager
def _reader() -> Iterator[tuple[float, Callable[..., object]]]:
    """Seconds between two times at which is told how far the work is, and how: by a text that says the time
    left, that time, None where nobody knows it, and the share that is done.
    """
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    if place := os.environ.get(STEPS_VARIABLE):
        file = Path(place)
        try:
            yield (
                INTERVAL,
                lambda text, left, _: left is None or file.write_text(text(left), encoding="utf-8"),
            )
        finally:
            file.unlink(missing_ok=True)
    elif "ipykernel" in sys.modules:
        yield MINUTE, lambda *_: None
    elif not console.is_terminal:
        yield MINUTE, lambda text, left, _: left is None or console.print(text(left))
    else:
        with Progress(BarColumn(20), _Line(), console=console, transient=True) as bar:
            task = bar.add_task("", total=1, text=lambda _: "", left=None, told=0.0)

            def tell(text: Callable[[float | None], str], left: float | None, share: float) -> None:
                bar.update(task, completed=share, text=text, left=left, told=monotonic())

            yield INTERVAL, tell
