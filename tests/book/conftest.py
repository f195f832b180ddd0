"""A temporary clone of the whole suite, with its own runs, and the command line in it."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pandas as pd
import pytest
from matplotlib import pyplot
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from fer_lib import paths as fer_lib_paths
from ferbook import paths
from ferbook.book import chapters as known_chapters
from ferbook.page.style import Drawn


@pytest.fixture
def well_drawn():
    """Draw twice and check: there is a picture with numbers and words, and the same bytes, without a date."""

    def svg(drawn: Drawn) -> bytes:
        sink = io.BytesIO()
        drawn.figure.savefig(sink, format="svg", metadata={"Date": None})
        pyplot.close(drawn.figure)
        return sink.getvalue()

    def check(draw: Callable[[], Drawn]) -> Drawn:
        drawn = draw()
        assert drawn.figure.axes
        assert len(drawn.data) and all(isinstance(column, str) for column in drawn.data.columns)
        assert re.search(r"\d", drawn.alt) and drawn.alt.endswith(".") and "nan" not in drawn.alt.lower()
        assert pd.read_csv(io.StringIO(drawn.data.to_csv(index=False))).shape == drawn.data.shape
        if not isinstance(drawn.tolerance, float | int):
            assert set(drawn.tolerance) <= set(drawn.data.columns)
        first = svg(drawn)
        assert first == svg(draw()) and b"<dc:date>" not in first and len(first) < 200_000
        ElementTree.fromstring(first)
        return drawn

    return check


@dataclass(frozen=True)
class Clone:
    """A copy of the checkout's files, and the environment in which its own ``fer_lib`` is the one imported."""

    root: Path
    environment: dict[str, str]

    def ferbook(self, *words, expect=0):
        """Run ``ferbook``; returns its output and errors as one text."""
        process = self.start(*words)
        output, _ = process.communicate()
        assert process.returncode == expect, output
        return output

    def ferbook_json(self, *words):
        return json.loads(self.ferbook(*words, "--json"))

    def start(self, *words):
        """Start ``ferbook`` in a process group of its own, as a shell would."""
        return subprocess.Popen(
            [sys.executable, "-m", "ferbook.cli", *words],
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # A job started in a script's background inherits an ignored SIGINT, and would never end by it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def result(self, run, chapter):
        return self.root / "runs" / run / chapter

    def write_chapter(self, name, *cells):
        """Replace a chapter by one that opens, keeps one metric and runs ``cells``; no faces, no training."""
        defaults = known_chapters()[name].parameters().model_dump()
        assignments = "\n".join(f"{field} = {value!r}" for field, value in defaults.items())
        opening = f'from book.session import open_chapter\nrun = open_chapter("{name}", globals())'
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
        nbformat.write(notebook, self.root / "book" / f"{name}.ipynb")


def make_clone(folder):
    listed = subprocess.run(
        ["git", "-C", str(paths.root()), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    )
    # Without the runs that come with the repository: a test counts its own.
    for name in (n for n in listed.stdout.split("\0") if n and not n.startswith("runs/")):
        source, target = paths.root() / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FER_")}
    environment |= {
        "PYTHONPATH": str(folder),
        "FER_CACHE": str(fer_lib_paths.cache_dir()),
        "FER_DATA": str(folder / "no-data"),
        "COLUMNS": "200",
    }
    return Clone(folder, environment)


@pytest.fixture(scope="session")
def smoke_clone(tmp_path_factory):
    """A clone in which the real chapters were run once, at ``smoke``."""
    clone = make_clone(tmp_path_factory.mktemp("smoke"))
    clone.ferbook("run", "--profile", "smoke", "--run", "smoke")
    return clone


@pytest.fixture
def toy_clone(tmp_path):
    """A clone whose chapters are tiny: for what happens around their execution."""
    clone = make_clone(tmp_path / "a {clone} of [it]")
    for name in known_chapters():
        clone.write_chapter(name)
    return clone


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

    def reached(self, process):
        """Wait until the cell runs; returns the kernel's process id."""
        import select

        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            ready, _, _ = select.select([descriptor], [], [], 180)
            if not ready:
                process.send_signal(signal.SIGKILL)
                pytest.fail(f"the cell was not reached: {process.communicate()[0]}")
            return int(os.read(descriptor, 100))
        finally:
            os.close(descriptor)


@pytest.fixture
def gate(tmp_path):
    path = tmp_path / "gate"
    os.mkfifo(path)
    return Gate(path)
