"""The example book in a folder that a cluster's job can be told without quoting, with the command line."""

import os
import shutil
from pathlib import Path

import pytest

from ferbook import paths
from ferbook.book import forget
from tests.ferbook.clones import Clone
from tests.ferbook.conftest import gate  # noqa: F401

EXAMPLE = Path(__file__).parents[1] / "ferbook" / "example"


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A copy of the example book."""
    place = tmp_path / "book of dice"
    shutil.copytree(EXAMPLE, place, ignore=shutil.ignore_patterns("_build", "runs", "__pycache__"))
    monkeypatch.setenv("FERBOOK_ROOT", str(place))
    forget()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FER")}
    return Clone(place, environment | {"PYTHONPATH": str(paths.ENGINE.parent), "COLUMNS": "200"})
