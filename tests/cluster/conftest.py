"""The example book in a folder that a cluster's job can be told without quoting, with the command line."""

import pytest

from tests.ferbook.conftest import clone, copy, gate  # noqa: F401


@pytest.fixture
def copy_folder(tmp_path):
    """Where its copy lies."""
    return tmp_path / "book of dice"
