"""What other graders make of the attacks in ``attacks/``: the example's assignment, graded by nbgrader and by
otter-grader in a throwaway environment, shut in by bubblewrap and with limits of their own.

``python -m tests.ferbook.other_graders FOLDER`` makes the environment in a folder, grades each attack, and
records what came of it in ``attacks/other_graders.yaml``.
"""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import numpy as np
import yaml

from ferbook.course import source
from ferbook.course.build import build_course
from ferbook.course.sandbox import ISOLATIONS, Box
from ferbook.course.source import HIDDEN, SOLUTION, Assignment, is_check, is_solution, name_of
from ferbook.notebook import read_notebook
from tests.ferbook.attack_suite import FOLDER, RECORD, attacks, write_file
from tests.ferbook.mock_class import handed_out, solved

GRADERS = {"solutions": ("nbgrader", "otter-grader"), "files": ("nbgrader",)}
"""Who is asked about which attacks. Otter-grader is called for each file by itself: no class to stop."""
TRIED = {
    "solutions": [
        *("takes", "numpy", "spies", "names", "always_equal", "poses", "library", "widget", "exits"),
        *("kills_all", "segfault", "prints", "loop"),
    ],
    "files": [
        "a link to another student's work",
        "half a surrogate pair in the prose",
        "metadata that are a list",
        "half a surrogate pair for the format",
        "a folder under a notebook's name",
    ],
}
"""Attacks that mean something to other graders. The rest is written against the way in which ours asks, or
would take from the machine what only a limit of ours would keep.
"""
HONEST = "zz"
"""Who is graded after the attack: has no points where the grading has stopped."""
SECONDS = 120
"""By the clock, after which it is ended from outside."""
LONG = f"not ended after {SECONDS} s"
LIMITS = ["prlimit", "--nproc=200", f"--data={3 << 30}", f"--fsize={256 << 20}", "--cpu=100", "--core=0"]
MADE = "python -m nbgrader generate_assignment dice"
NBGRADER = "python -m nbgrader autograde dice"
FEEDBACK = "python -m nbgrader generate_feedback dice"
GENERATED = "python -m otter generate -t tests -o autograder.zip data.npz"
OTTER = "python -m otter run -a autograder.zip -o . --no-logo dice.ipynb"
SCORES = """select assignment.student_id, sum(grade.auto_score) from grade
join submitted_notebook on grade.notebook_id = submitted_notebook.id
join submitted_assignment assignment on submitted_notebook.assignment_id = assignment.id group by 1"""


def pinned() -> list[str]:
    """The graders that are tried, as the extra ``attacks`` pins them."""
    project = tomllib.loads((FOLDER.parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["optional-dependencies"]["attacks"]


def make_environment(folder: Path) -> Path:
    """A virtual environment with both graders. Raises CalledProcessError where they cannot be had."""
    venv = folder / "environment"
    if not venv.exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    install = [venv / "bin" / "python", "-m", "pip", "install", "--quiet", *pinned(), "numpy", "ipykernel"]
    subprocess.run(install, check=True, capture_output=True)
    return venv


def shut_in(folder: Path, venv: Path, command: str, seconds: int = SECONDS) -> bool:
    """Run a command in ``folder``, without a network and with limits. False where it had to be ended."""
    shut = ISOLATIONS["bwrap"](Box())
    shut = shut[: shut.index(sys.executable)]
    at = shut.index("--remount-ro")
    work = "/tmp/work"
    shut[at:at] = ["--bind", str(folder), work]
    for shown in ("/etc/hosts", "/etc/nsswitch.conf", str(venv)):  # the first two know localhost
        shut[at:at] = ["--ro-bind", shown, shown]
    for parent in list(venv.parents)[:-1]:
        shut[at:at] = ["--perms", "0755", "--dir", str(parent)]
    for place in (folder, *folder.rglob("*")):
        if not place.is_symlink():
            place.chmod(0o777)
    shell = ["sh", "-c", f"cd {work} && {command}"]
    environment = {"PATH": f"{venv}/bin:/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8"}
    process = subprocess.Popen(
        [*shut, *LIMITS, *shell],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "log.txt").open("ab"),
        start_new_session=True,
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False
    return True


def hidden_input(assignment: Assignment) -> str:
    """What stands in a page that shows the first check's hidden input."""
    check = next(cell for cell in assignment.notebook.cells if is_check(cell))
    names = {"np": np, "counts": lambda throws: [(throws == side).sum() for side in range(1, 7)]}
    exec(HIDDEN.search(check.source + "\n").group(1), names)
    return " ".join(map(str, names["some"][:20]))


class Trial:
    """Both graders, made ready for the example's assignment in ``folder``."""

    def __init__(self, folder: Path, venv: Path):
        self.folder, self.venv = folder, venv
        self.course = folder / "course"
        build_course(None, self.course, [])
        self.assignment = source.assignments()[0]
        self.mark = hidden_input(self.assignment)
        self.ready = {name: folder / f"ready-{name}" for name in GRADERS["solutions"]}
        given = self.course / "nbgrader" / "source"
        shutil.copytree(given, self.ready["nbgrader"] / "source")
        assert shut_in(self.ready["nbgrader"], venv, MADE)
        otter = self.ready["otter-grader"]
        (otter / "tests").mkdir(parents=True)
        shutil.copy(given / "dice" / "data.npz", otter)
        for cell in filter(is_check, read_notebook(given / "dice" / "dice.ipynb").cells):
            (otter / "tests" / f"{name_of(cell)}.py").write_text(_test_file(cell), encoding="utf-8")
        assert shut_in(otter, venv, GENERATED)

    def notebook(self, code: str | None = None):
        """The notebook, solved; or with nothing but ``code`` in the place of its first solution."""
        notebook = handed_out(self.course, self.assignment, 0)
        if code is None:
            return solved(notebook, self.assignment)
        solutions = [cell for cell in self.assignment.notebook.cells if is_solution(cell)]
        nothing = {
            name_of(cell): SOLUTION.sub("raise NotImplementedError()", cell.source) for cell in solutions
        }
        code = code.replace(
            "{function}", next(name for name, is_function in self.assignment.names.items() if is_function)
        )
        return solved(notebook, self.assignment, **(nothing | {name_of(solutions[0]): code}))

    def outcome(self, grader: str, kind: str, name: str) -> str:
        """What came of an attack, in a few words."""
        attack = attacks(kind)[name]
        place = self.folder / grader / f"{kind}-{list(attacks(kind)).index(name)}"
        shutil.copytree(self.ready[grader], place)
        part, often = attack.get("student", ["attack", 1])
        student = part * often
        notebook = self.notebook(attack.get("code"))
        work = place / "work" if grader == "otter-grader" else place / "submitted" / student / "dice"
        if kind == "files":
            link = (
                {"link": attack["link"].replace("../right", f"../../{HONEST}/dice")}
                if "link" in attack
                else {}
            )
            write_file(work, notebook, attack | link)
        else:
            work.mkdir(parents=True)
            nbformat.write(notebook, work / "dice.ipynb")
        told = self._nbgrader(place, student) if grader == "nbgrader" else self._otter(place)
        shutil.rmtree(place, ignore_errors=True)
        return told

    def _nbgrader(self, place: Path, student: str) -> str:
        honest = place / "submitted" / HONEST / "dice"
        honest.mkdir(parents=True)
        nbformat.write(self.notebook(), honest / "dice.ipynb")
        ended = shut_in(place, self.venv, NBGRADER)
        with sqlite3.connect(place / "gradebook.db") as book:
            points = dict(book.execute(SCORES).fetchall())
        if not points.get(HONEST):
            return "stops the class" if ended else LONG
        graded = place / "autograded" / student / "dice" / "dice.ipynb"
        leaked = ""
        if graded.is_file() and self.mark in graded.read_text(encoding="utf-8"):
            shut_in(place, self.venv, FEEDBACK)
            page = place / "feedback" / student / "dice" / "dice.html"
            leaked = "; shows a hidden input" if self.mark in page.read_text(encoding="utf-8") else ""
        return _told(points.get(student)) + leaked

    def _otter(self, place: Path) -> str:
        for file in (place / "work").iterdir():
            shutil.move(file, place)
        if not shut_in(place, self.venv, OTTER):
            return LONG
        try:
            told = json.loads((place / "results.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return "not graded"
        shown = [test for test in told["tests"] if test.get("visibility") != "hidden"]
        leaked = "; shows a hidden input" if self.mark in json.dumps(shown) else ""
        return _told(sum(test.get("score", 0) for test in told["tests"])) + leaked


def _told(points: float | None) -> str:
    return "not graded" if points is None else f"{points:g} points" if points else "no points"


def _test_file(check) -> str:
    """A check as otter-grader wants it: one case, hidden, so that all of its points are given, or none."""
    lines = [line for line in check.source.splitlines() if line and not line.startswith("#")]
    case = {"code": "\n".join(f">>> {line}" for line in lines), "hidden": True, "locked": False}
    suite = {"cases": [case], "scored": True, "setup": "", "teardown": "", "type": "doctest"}
    test = {"name": name_of(check), "points": source.grading(check)["points"], "suites": [suite]}
    return f"OK_FORMAT = True\ntest = {test!r}\n"


def main(folder: Path) -> None:
    """Record what came of each attack, as soon as it is known; what is recorded is not tried again."""
    venv = make_environment(folder)
    trial = Trial(folder, venv)
    record = yaml.safe_load(RECORD.read_text()) if RECORD.exists() else {}
    record["versions"] = pinned()
    for kind, names in TRIED.items():
        known = record.setdefault(kind, {})
        for name in (each for each in names if each not in known):
            known[name] = {grader: trial.outcome(grader, kind, name) for grader in GRADERS[kind]}
            RECORD.write_text(yaml.safe_dump(record, sort_keys=False), encoding="utf-8")
            print(kind, name, known[name], flush=True)


if __name__ == "__main__":
    os.environ.setdefault("FERBOOK_ROOT", str(FOLDER.parent / "example"))
    main(Path(sys.argv[1]).resolve())
