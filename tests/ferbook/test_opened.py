"""What a kernel notes of the files that it executes and opens, and that a result is held against it."""

import hashlib
import os
import subprocess
import sys

import pytest

from ferbook.errors import ChapterError
from ferbook.files import write_atomically
from ferbook.inputs import run_states
from ferbook.opened import file_digest, read_opened_files
from ferbook.store import open_run
from tests.ferbook.clones import run_one

SCRIPT = r"""
import glob, os, sys
from ferbook.opened import record_opened_files
record_opened_files(sys.argv[1], [sys.argv[2]])
sys.path.insert(0, sys.argv[2])
import one, kit.three
from pathlib import Path
[*Path(sys.argv[2], "kit").glob("[ab].csv"), *Path(sys.argv[2], "kit").rglob("*.toml")]
[*os.walk(sys.argv[2] + "/data/"), *os.scandir(sys.argv[2]), *glob.glob("x?", root_dir=sys.argv[2])]
Path(sys.argv[2], "a.csv").read_text()
open(Path(sys.argv[2], "new.csv"), "w").close()
one.__file__ and open(one.__file__).read()
if not (child := os.fork()):
    import two
    os._exit(0)
os.waitpid(child, 0)
for text in ("# d.csv\n", "# another\n"):
    Path(sys.argv[2], "d.csv").write_text(text)
    [Path(sys.argv[2], "d.csv").read_text() for _ in range(2)]
os.open(Path(sys.argv[2], "b.csv"), os.O_RDONLY)
"""


def test_modules_and_opened_files_are_noted_as_they_were_also_those_of_a_forked_process(tmp_path):
    home, log = tmp_path / "home", tmp_path / "log"
    for folder in ("kit", "data"):
        (home / folder).mkdir(parents=True)
    for name in ("one.py", "two.py", "kit/three.py", "four.py", "a.csv", "b.csv", "c.csv"):
        (home / name).write_text(f"FILE = {name!r}\n")
    (tmp_path / "script.py").write_text(SCRIPT)
    words = [sys.executable, str(tmp_path / "script.py"), str(log), str(home)]
    for _ in range(2):  # the second time from the compiled files
        log.unlink(missing_ok=True)
        subprocess.run(words, check=True, env=os.environ)
        noted = {file.relative_to(home).as_posix(): digest for file, digest in read_opened_files(log).items()}
        both = [hashlib.sha256(text.encode()).hexdigest() for text in ("# d.csv\n", "# another\n")]
        assert [line.split()[0] for line in log.read_text().splitlines() if "d.csv" in line] == both
        assert noted.pop("d.csv") not in both
        looked_for = [noted.pop(name, "") for name in ("kit/….csv", "kit/……/….toml", "data/…", "x…")]
        assert set(looked_for) == {hashlib.sha256(b"").hexdigest()}
        made = ("a.csv", "b.csv", "kit/three.py", "one.py", "two.py")
        assert noted == {name: file_digest(home / name) for name in made}


CODE = 'def f(a):\n    """Explain."""\n    return """x\n\n# y"""\n'


@pytest.mark.parametrize(
    ("changed", "equal"),
    [
        (CODE.replace("Explain.", "Explain well.\n\n    Twice.\n    "), True),
        (CODE.replace("return", "# why\n\n    return"), True),
        (f'"""A module."""\n\n{CODE}  # the end', True),
        (CODE.replace("\n", "\r\n"), True),
        (CODE.replace("\n\n", "\n"), False),
        (CODE.replace("# y", "# z"), False),
        (CODE.replace("(a)", "(a=1)"), False),
        (CODE.replace('"""Explain."""', 'f"""{print()}""" + ""'), False),
        (f"{CODE}(", False),
    ],
)
def test_what_computes_nothing_changes_no_digest_of_a_module(tmp_path, changed, equal):
    before, after, table = tmp_path / "before.py", tmp_path / "after.py", tmp_path / "a.csv"
    before.write_text(CODE)
    for file in (after, table):
        file.write_bytes(changed.encode())
    assert (file_digest(before) == file_digest(after)) is equal
    assert file_digest(table) == hashlib.sha256(changed.encode()).hexdigest()


def test_a_file_that_was_read_in_two_states_has_a_digest_that_no_file_has(tmp_path):
    log = tmp_path / "log"
    log.write_text("aa /x y.csv\nbb /x y.csv\naa /z.csv\naa /z.csv\n")
    noted = {str(file): digest for file, digest in read_opened_files(log).items()}
    assert noted["/z.csv"] == "aa" and noted["/x y.csv"] not in ("aa", "bb")


@pytest.mark.slow
def test_a_result_is_made_from_what_was_imported_and_opened_and_not_from_what_lies_there_at_the_end(clone):
    """Code that is changed during a run and put back; data beside a module, changed afterwards."""
    folder = clone.root / "book" / "throws"
    (folder / "weights.csv").write_text("1\n")
    (folder / "extra.py").write_text("KIND = 'before'\n")
    (folder / "untouched.csv").write_text("1\n")
    clone.write_chapter(
        "throws",
        "from pathlib import Path\n"
        f"folder = Path({str(folder)!r})\n"
        "(folder / 'extra.py').write_text('KIND = \"during the run\"\\n')\n"
        "from book.throws import extra\n"
        "(folder / 'extra.py').write_text(\"KIND = 'before'\\n\")\n"
        "(folder / 'weights.csv').read_text(), [*(folder / 'data').glob('*.csv')]\n"
        "assert extra.KIND == 'during the run'",
    )
    run = open_run("a")
    told = r"not up to date: throws \(code changed \(book/throws/extra.py\)\)"
    with pytest.raises(ChapterError, match=told):
        run_one(None, ["throws"], "a")
    assert run_states(run)[0].reasons == ("code changed (book/throws/extra.py)",)
    (folder / "extra.py").write_text('KIND = "during the run"\n')
    assert run_states(run)[0].reasons == ()
    (folder / "untouched.csv").write_text("2\n")
    assert run_states(run)[0].reasons == ()
    (folder / "weights.csv").write_text("100\n")
    assert run_states(run)[0].reasons == ("code changed (book/throws/weights.csv)",)
    (folder / "weights.csv").write_text("1\n")
    for name in ("new.md", ".new.csv", "__pycache__/new.csv", "new.csv"):
        assert run_states(run)[0].reasons == ()
        write_atomically(folder / "data" / name, "1\n")
    assert run_states(run)[0].reasons == ("code changed (book/throws/data/….csv)",)
