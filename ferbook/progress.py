"""What the user sees while chapters run: one line each, with cells done, how far the work in a cell is, and
time.
"""

import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeElapsedColumn

from ferbook.records import read_json
from ferbook.schedule import QueueJob, finished_file
from ferbook.state import ChapterState
from ferbook.steps import INTERVAL, MINUTE
from ferbook.store import Run


def watch(run: Run, states: list[ChapterState], process: subprocess.Popen) -> None:
    """Show each out-of-date chapter, why it runs, and how far it is, until ``process`` has ended."""
    console = Console(highlight=False, markup=False)
    stale = [state for state in states if not state.up_to_date]
    for state in stale:
        console.print(f"{state.chapter}: {'; '.join(state.reasons)}", soft_wrap=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("cells"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[steps]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        for state in stale:
            progress.add_task(state.chapter, start=False, total=None, steps="", due=MINUTE)
        while True:
            ended = process.poll() is not None
            for task in progress.tasks:
                _show(run, progress, task)
            if ended:
                return
            time.sleep(INTERVAL)


def watch_jobs(board: Path, jobs: Sequence[QueueJob], process: subprocess.Popen) -> None:
    """Show how many of ``jobs`` have ended, until ``process`` has: a bar on a terminal, elsewhere a line each
    tenth of them.
    """
    console = Console(highlight=False, markup=False)
    columns = (TextColumn("jobs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    files, before = [finished_file(board, job.kind, job.name) for job in jobs], 0
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("jobs", total=len(files))
        while True:
            ended = process.poll() is not None
            count = sum(file.exists() for file in files)
            progress.update(task, completed=count)
            if progress.disable and 10 * count // len(files) > 10 * before // len(files):
                console.print(f"{count} of {len(files)} jobs ended")
                before = count
            if ended:
                return
            time.sleep(INTERVAL)


def _show(run: Run, progress: Progress, task: Task) -> None:
    """How far the task's chapter is: a bar on a terminal, elsewhere a line at begin and end, and every minute
    between.
    """
    chapter = task.description
    finished = finished_file(run.work, chapter, run.name).exists()
    file = run.progress_file(chapter)
    if task.finished or not file.exists():  # before the kernel works there is none
        return
    state = read_json(file)
    lines = []
    if not task.started:
        progress.start_task(task.id)
        lines.append(f"{chapter}: running, {state['cells']} cells")
    count = state["cells"] if finished else state["cell"] - 1
    steps = ""
    with suppress(OSError):  # no work in this cell that says how far it is
        steps = run.steps_file(chapter).read_text(encoding="utf-8")
    progress.update(task.id, completed=count, total=state["cells"], steps=steps)
    if task.elapsed >= task.fields["due"] and not finished:
        progress.update(task.id, due=task.elapsed + MINUTE)
        lines.append(f"{chapter}: cell {state['cell']} of {state['cells']}{steps and f', {steps}'}")
    if finished:
        lines.append(f"{chapter}: finished after {task.elapsed:.0f} s")
    for line in lines if progress.disable else ():
        progress.console.print(line)
