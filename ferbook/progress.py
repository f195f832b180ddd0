"""What the user sees while chapters run: one line each, with cells done and time."""

import subprocess
import time
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ferbook.state import ChapterState
from ferbook.store import Run, read_json

INTERVAL = 0.5
"""Seconds between two looks at the chapters' progress files."""


def _cells(run: Run, chapter: str) -> tuple[int, int]:
    """Cells begun and cells in all; (0, 1) before the kernel works."""
    file = run.progress_file(chapter)
    if not file.exists():
        return 0, 1
    told = read_json(file)
    return told["cell"] - 1, told["cells"]


def _finished(run: Run, chapter: str) -> bool:
    return run.marker(chapter).exists()


def watch(run: Run, states: list[ChapterState], process: subprocess.Popen) -> None:
    """Show each out-of-date chapter, why it runs, and how far it is, until ``process`` has ended."""
    console = Console(highlight=False, markup=False)
    stale = [state for state in states if not state.up_to_date]
    for state in stale:
        console.print(f"{state.chapter}: {'; '.join(state.reasons)}", soft_wrap=True)
    if console.is_terminal:
        _watch_terminal(console, run, stale, process)
    else:
        _watch_plain(console, run, stale, process)


def _watch_terminal(console: Console, run: Run, stale: list[ChapterState], process: subprocess.Popen) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("cells"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        tasks = {state.chapter: progress.add_task(state.chapter, start=False, total=None) for state in stale}
        while True:
            ended = process.poll() is not None
            for chapter, task in tasks.items():
                done, total = _cells(run, chapter)
                if run.progress_file(chapter).exists() and not progress.tasks[task].started:
                    progress.start_task(task)
                if _finished(run, chapter):
                    progress.update(task, completed=total, total=total)
                    progress.stop_task(task)
                elif done:
                    progress.update(task, completed=done, total=total)
            if ended:
                return
            time.sleep(INTERVAL)


def _watch_plain(console: Console, run: Run, stale: list[ChapterState], process: subprocess.Popen) -> None:
    begun: set[str] = set()
    told: set[str] = set()
    while True:
        ended = process.poll() is not None
        for chapter in (state.chapter for state in stale):
            if chapter not in begun and run.progress_file(chapter).exists():
                begun.add(chapter)
                console.print(f"{chapter}: running, {_cells(run, chapter)[1]} cells")
            if chapter in begun and chapter not in told and _finished(run, chapter):
                told.add(chapter)
                started = datetime.fromisoformat(read_json(run.progress_file(chapter))["started"])
                console.print(
                    f"{chapter}: finished after {(datetime.now(UTC) - started).total_seconds():.0f} s"
                )
        if ended:
            return
        time.sleep(INTERVAL)
