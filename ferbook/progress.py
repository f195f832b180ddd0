"""What the user sees while jobs run: one line with how many are done, how long the rest takes, and what is at
work now.
"""

import json
import math
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.live import Live
from rich.text import Text

from ferbook.book import Resources, chapters
from ferbook.environment import is_held
from ferbook.errors import ChapterError, RunStoreError
from ferbook.records import read_json
from ferbook.schedule import QueueJob, finished_file, lost_jobs, start_jobs, stop_jobs
from ferbook.steps import INTERVAL, LOG_INTERVAL, MINUTE, time_text
from ferbook.store import Run

# Seconds that Snakemake has to end when all jobs have: its accounting may wait for ever.
GRACE = 60.0

# Seconds between two looks at a cluster's queue.
QUEUE_INTERVAL = 10.0

# Share that a job which takes longer than it should is taken to have done.
ALMOST = 0.95


def run_jobs(
    board: Path, jobs: Sequence[QueueJob], resources: Mapping[str, Resources], **settings: object
) -> tuple[int, dict[tuple[str, str], str]]:
    """``start_jobs``, and say how far they are until all have ended; Snakemake's exit code, and the jobs that
    are lost. Where that is interrupted, all are ended.
    """
    executor = settings.get("executor")
    process = start_jobs(board, jobs, resources, **settings)
    try:
        lost = watch(board, jobs, process)
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)  # all its jobs have ended, and Snakemake should
    finally:
        if process.poll() is None:
            stop_jobs(process, executor)
    return process.wait(), lost


def watch(board: Path, jobs: Sequence[QueueJob], process: subprocess.Popen) -> dict[tuple[str, str], str]:
    """Say how far it is until ``process``, or all jobs, have ended: on a terminal in one line that is written
    anew, elsewhere in a line every ten seconds; each job that ends; and once that the cluster has not
    answered for a minute. The ``lost_jobs``, if it was not waited for.
    """
    console = Console(highlight=False, markup=False)
    clock = _Clock(board, jobs)
    shown = Live(console=console, auto_refresh=False, transient=True)
    with shown if console.is_terminal else nullcontext():
        due, next_look, heard, lost = LOG_INTERVAL, 0.0, 0.0, {}
        while True:
            ended = process.poll() is not None
            for line in clock.look():
                console.print(line, soft_wrap=True)
            if console.is_terminal:
                shown.update(Text(clock.line(console.width - 1), no_wrap=True), refresh=True)
            elif clock.passed() >= due and not ended:
                due = clock.passed() + LOG_INTERVAL
                console.print(clock.line(), soft_wrap=True)
            if clock.passed() >= next_look:
                next_look = clock.passed() + QUEUE_INTERVAL
                try:
                    heard, lost = clock.passed(), lost_jobs(board)
                except ChapterError as fault:
                    lost = {}
                    if clock.passed() > heard + MINUTE:
                        console.print(f"{fault}; Snakemake's log: {board / 'snakemake.log'}", soft_wrap=True)
                        heard = math.inf
            if ended:
                return {}
            if clock.idle(lost) > GRACE:
                return lost
            time.sleep(INTERVAL)


class _Clock:
    """Which of the ``jobs`` have begun and ended, and how long the others take."""

    def __init__(self, board: Path, jobs: Sequence[QueueJob]) -> None:
        of_one = len({each.name for each in jobs}) == 1
        self.jobs = {job.kind if of_one else f"{job.kind} {job.name}": job for job in jobs}
        self._board, self._start = board, time.monotonic()
        self._begun: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._busy = 0.0

    def passed(self) -> float:
        """Return seconds since it began."""
        return time.monotonic() - self._start

    def idle(self, lost: Mapping[tuple[str, str], str]) -> float:
        """Return seconds since a job was at work, of those that have not ended and are not ``lost``."""
        if len(self._took) < len(self.jobs) and not lost:
            self._busy = self.passed()
        return self.passed() - self._busy

    def look(self) -> list[str]:
        """Look what has begun and ended since; a line for each job that ended."""
        lines = []
        for title, job in self.jobs.items():
            if title not in self._begun and job.log.exists():
                self._begun[title] = self.passed()
            if title not in self._took and finished_file(self._board, job.kind, job.name).exists():
                self._took[title] = self.passed() - self._begun.setdefault(title, self.passed())
                lines.append(f"{title}: finished after {self._took[title]:.0f} s")
        return lines

    def _left(self) -> float | None:
        """Return seconds until all have ended, if as many go on side by side as now: by what each is expected
        to take, how fast the ended ones were, and what those at work report themselves; None where that is
        unknown.
        """
        expected = [job.seconds for job in self.jobs.values() if job.seconds]
        usual = sum(expected) / len(expected) if expected else 1.0
        weights = {title: job.seconds or usual for title, job in self.jobs.items()}
        pace = sum(self._took.values()) / sum(weights[title] for title in self._took) if self._took else 1.0
        parts, known = [], bool(self._took or expected)
        for title in (title for title in self.jobs if title not in self._took):
            seconds = pace * weights[title]
            done = self.passed() - self._begun[title] if title in self._begun else 0
            reported = _reported(self.jobs[title].progress).get("left", 0) if title in self._begun else 0
            known = known or bool(reported)
            parts.append(max(seconds - done, (1 - ALMOST) * seconds, reported))
        if not known:
            return None
        return max(sum(parts) / max(1, len(self._begun) - len(self._took)), max(parts)) if parts else 0

    def line(self, width: int | None = None) -> str:
        """``3 of 9 done, about 4 min left; training: cell 7 of 23, epochs 2.4 of 12``; of what is at work as
        much as fits into ``width``.
        """
        left = self._left()
        text = f"{len(self._took)} of {len(self.jobs)} done"
        if left is not None and len(self._took) < len(self.jobs):
            text += f", about {time_text(left)} left"
        for title in self._begun:
            part = f"; {title}{_details(self.jobs[title].progress)}"
            if title not in self._took and (width is None or cell_len(text + part) <= width):
                text += part
        return text


def at_work(run: Run) -> dict[str, str]:
    """Chapter -> how far it is, of those that are executed now."""
    names = [name for name in chapters() if is_held(run.work / f"{name}.lock")]
    return {name: f"running{_details(run.progress_file(name))}" for name in names}


def _details(progress: Path) -> str:
    """Return in which cell a chapter is, and how far the work there; empty before its kernel works."""
    with suppress(OSError, RunStoreError, KeyError):
        state, text = read_json(progress), _reported(progress).get("text")
        return f": cell {state['cell']} of {state['cells']}{(text and f', {text}') or ''}"
    return ""


def _reported(progress: Path) -> dict:
    """Return what the work in a chapter's cell reports (``steps``): its text, and the seconds left."""
    with suppress(OSError, ValueError):
        return json.loads(progress.with_suffix(".steps").read_text(encoding="utf-8"))
    return {}
