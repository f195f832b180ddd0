"""A temporary clone of the whole suite, with its own runs, and the command line in it."""

import io
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from xml.etree import ElementTree

import pandas as pd
import pytest
from clones import Clone
from matplotlib import pyplot

from fer_lib import paths as fer_lib_paths
from ferbook import paths
from ferbook.book import chapters
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
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FER")}
    environment |= {
        "PYTHONPATH": str(folder),
        "FER_CACHE": str(fer_lib_paths.cache_dir()),
        "FER_DATA": str(folder / "no-data"),
        "COLUMNS": "200",
    }
    return Clone(folder, environment, "book.session")


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
    for name in chapters():
        clone.write_chapter(name)
    return clone
