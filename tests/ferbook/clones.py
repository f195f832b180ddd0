"""A book in a folder of its own with the command line in it, and a cell that waits to be killed."""

import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from ferbook.book import chapters
from ferbook.errors import ChapterError
from ferbook.run import make_runs, requests_by_run


@dataclass(frozen=True)
class Clone:
    """A book in a folder of its own, to be changed, and the environment in which its own code is imported."""

    root: Path
    environment: dict[str, str]
    session: str = "ferbook.session"

    def ferbook(self, *words, expect=0):
        """Run ``ferbook``; returns its output and errors as one text."""
        process = self.start(*words)
        output, _ = process.communicate()
        assert process.returncode == expect, output
        return output

    def ferbook_json(self, *words):
        """What it prints as JSON; how far it has come is told beside, as an error would be."""
        process = self.start(*words, "--json", stderr=subprocess.PIPE)
        output, errors = process.communicate()
        assert process.returncode == 0, errors
        return json.loads(output)

    def start(self, *words, stderr=subprocess.STDOUT):
        """Start ``ferbook`` in a process group of its own, as a shell would."""
        return subprocess.Popen(
            [sys.executable, "-m", "ferbook.cli", *words],
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
            # A job started in a script's background inherits an ignored SIGINT, and would never end by it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def result(self, run, chapter):
        return self.root / "runs" / run / chapter

    def write_chapter(self, name, *cells):
        """Replace a chapter of the book at hand by one that only opens and runs ``cells``."""
        defaults = chapters()[name].parameters().model_dump()
        assignments = "\n".join(f"{field} = {value!r}" for field, value in defaults.items())
        opening = f'from {self.session} import open_chapter\nrun = open_chapter("{name}", globals())'
        notebook = new_notebook(
            cells=[
                new_markdown_cell(f"# {name}"),
                new_code_cell(assignments, metadata={"tags": ["parameters"]}),
                new_code_cell(opening),
                new_code_cell("print(1)", metadata={"tags": ["nbval-check-output"]}),
                *(new_code_cell(cell) for cell in cells),
            ],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        nbformat.write(notebook, self.root / "book" / name / f"{name}.ipynb")


def run_one(request, names, name, **settings):
    """Bring one run up to date, as `ferbook run` does; where it stood before."""
    (place,), faults = make_runs(requests_by_run(request, names, name), names, **settings)
    if faults:
        raise ChapterError(*faults.values())
    return place


@dataclass
class Gate:
    """A named pipe at which a notebook's cell tells that it is there, and then waits for ever."""

    path: Path

    @property
    def cell(self):
        """Source of the cell."""
        return (
            f"import os, signal\n"
            f"descriptor = os.open({str(self.path)!r}, os.O_WRONLY)\n"
            f"os.write(descriptor, str(os.getpid()).encode())\n"
            f"signal.pause()"
        )

    def reached(self, process, within=180):
        """Wait until the cell runs; returns the kernel's process id."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            ready, _, _ = select.select([descriptor], [], [], within)
            if not ready:
                process.send_signal(signal.SIGKILL)
                pytest.fail(f"the cell was not reached: {process.communicate()[0]}")
            return int(os.read(descriptor, 100))
        finally:
            os.close(descriptor)
