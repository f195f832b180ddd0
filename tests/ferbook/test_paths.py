"""What a user means by a path."""

from pathlib import Path

import pytest

from ferbook import paths
from ferbook.errors import ParameterError


def test_a_home_is_found_and_one_that_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths.absolute("~/x") == tmp_path / "x"
    monkeypatch.chdir(tmp_path)
    assert paths.absolute(Path("x")) == tmp_path / "x"
    with pytest.raises(ParameterError, match="~nobody-at-all/x: there is no such user here"):
        paths.absolute("~nobody-at-all/x")
    monkeypatch.setenv(paths.RUNS_VARIABLE, "~nobody-at-all")
    with pytest.raises(ParameterError, match="no such user"):
        paths.runs_dir()
