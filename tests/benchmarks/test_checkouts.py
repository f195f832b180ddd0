"""What is compared with another commit's build is another one, of committed files, on a machine at rest."""

import subprocess
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
def test_what_says_nothing_is_refused_and_nothing_is_kept(other, commit, busy, told, tmp_path):
    kept = tmp_path / "kept.csv"
    code = (
        "import contest, os, psutil, sys; "
        f"contest.COMMIT = {commit!r} or contest.COMMIT.removesuffix('-dirty'); "
        f"os.environ['BENCH_CSV'] = {str(kept)!r}; psutil.cpu_percent = lambda _: {busy}; "
        f"sys.argv[1:] = [{other!r}, 'git', 'nothing']; import checkouts; "
    )
    if other == "other" and not commit:
        code += "checkouts.two_commits = lambda _: {'this': 'HEAD', 'other': 'HEAD'}; "
    where = {"cwd": paths.root() / "benchmarks", "capture_output": True, "text": True}
    done = subprocess.run([sys.executable, "-c", f"{code}checkouts.main()"], check=False, **where)
    assert done.returncode == 1 and told in done.stderr and not kept.exists()
