"""What is compared with another commit's build is another one, of committed files, on a machine at rest."""

import importlib
import sys

import pytest

from ferbook import paths


@pytest.mark.parametrize(
    ("other", "commit", "busy", "told"),
    [
        ("HEAD", "", 0, "'HEAD' is no commit but this one, "),
        ("absent", "", 0, "'absent' is no commit but this one, "),
        ("other", "1a-dirty", 0, "files differ from 1a; commit them first"),
        ("other", "", 40, "the machine is busy (40% of its processors, load "),
        ("other", "", 0, "git: 'nothing' is not a git command"),
    ],
)
def test_what_says_nothing_is_refused_and_nothing_is_kept(other, commit, busy, told, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(paths.root() / "benchmarks")
    checkouts = importlib.import_module("checkouts")
    monkeypatch.setattr(checkouts, "COMMIT", commit or checkouts.COMMIT.removesuffix("-dirty"))
    monkeypatch.setattr("psutil.cpu_percent", lambda _: busy)
    monkeypatch.setenv("BENCH_CSV", str(tmp_path / "kept.csv"))
    monkeypatch.setattr(sys, "argv", ["checkouts.py", other, "git", "nothing"])
    if other == "other" and not commit:
        monkeypatch.setattr(checkouts, "two_commits", lambda _: {"this": "HEAD", "other": "HEAD"})
    with pytest.raises(SystemExit) as end:
        checkouts.main()
    assert told in end.value.code and not (tmp_path / "kept.csv").exists()
