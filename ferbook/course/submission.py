"""What a class handed in: a student's notebook for an assignment, and how it is recognised."""

import json
import os
import re
import stat
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path

import nbformat

from ferbook.course import recognition, source
from ferbook.course.judge import Judgement
from ferbook.course.source import Assignment, name_of
from ferbook.environment import child_environment
from ferbook.errors import DataError

_LARGEST, _MOST, _WAIT = 20 * 2**20, 50, 600
"""Bytes of a notebook, files of a student, and seconds by the clock that one may take to be recognised."""
_STUDENT = re.compile(r"\w[\w.@+-]{0,99}")
_LONGEST_NAME = 200
"""Bytes of a student's name: files are named after it, and of 255 that a name may have some are ours."""

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of a text."""


@dataclass
class Submission:
    """A student's notebook for an assignment; ``reason``: why it is not judged; ``notes``: what is odd.

    ``notebook``, ``said``: its cells as JSON, and which assignment and variant it claims (``recognition``).
    """

    student: str
    assignment: str = ""
    file: Path | None = None
    reason: str = ""
    notes: list[tuple[str, str]] = field(default_factory=list)
    verdict: Judgement | None = None
    notebook: str = ""
    said: dict[str, str] = field(default_factory=dict)


def shown(name: str | Path) -> str:
    """A name that may not be text, as text, without what a terminal obeys or reads backwards."""
    text = os.fsencode(name).decode(errors="backslashreplace")
    return _UNSEEN.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def is_student(name: str) -> bool:
    """Whether a student's folder and reports can be named so."""
    return bool(_STUDENT.fullmatch(name)) and len(name.encode()) <= _LONGEST_NAME


def find_submissions(folder: Path, assignments: list[Assignment]) -> list[Submission]:
    """What lies in the students' folders, one each, as ``<student>/<assignment>.ipynb`` or deeper; without
    what is for another assignment of the course than these: a student of whom there is no more has a
    submission without a file.

    Raises DataError where there is no such folder, or it holds no student's.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected one folder per student in it")
    of_entry = partial(_of_entry, assignments={each.name: each for each in source.assignments()})
    names = [each.name for each in assignments]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        entries = sorted(folder.iterdir(), key=os.fsencode)
        every = [one for several in pool.map(of_entry, entries) for one in several]
    submissions = []
    for student, several in groupby(every, key=lambda each: each.student):
        own = [each for each in several if each.assignment in ("", *names)]
        submissions += own or [Submission(student, reason=f"nothing handed in for {', '.join(names)}")]
    if not any(each.file for each in submissions):
        raise DataError(f"{folder}: no student's folder with a notebook for {', '.join(names)} in it")
    return submissions


def _of_entry(entry: Path, assignments: dict[str, Assignment]) -> list[Submission]:
    """What lies under a name in the class's folder."""
    student = shown(entry.name)
    if entry.is_symlink():
        return [Submission(student, reason="a link, which is not followed")]
    if not entry.is_dir():
        return [Submission(student, reason="lies in no student's folder")]
    if not is_student(student):
        return [Submission(student, reason="this folder's name cannot be a student's")]
    return _of_student(student, entry, assignments)


def _of_student(student: str, folder: Path, assignments: dict[str, Assignment]) -> list[Submission]:
    files = sorted(_files(folder), key=os.fsencode)
    if len(files) > _MOST:
        return [Submission(student, reason=f"{len(files)} files; a student hands in at most {_MOST}")]
    groups: dict[str, list[Submission]] = defaultdict(list)
    others = []
    for file in files:
        one = Submission(student, file=file)
        _recognised(one, assignments)
        (groups[one.assignment] if one.assignment else others).append(one)
    for name, several in groups.items():
        matches = [each for each in several if each.file.name == f"{name}.ipynb"]
        choice = several if len(several) == 1 else matches if len(matches) == 1 else []
        for each in several:
            if not choice:
                each.reason = f"{len(several)} files for this assignment"
            elif each is not choice[0]:
                each.reason = f"a second file; {shown(choice[0].file.name)} is graded"
            elif each.file.name != f"{name}.ipynb":
                each.notes.append(("the file", f"renamed to {shown(each.file.name)}"))
    every = [each for several in groups.values() for each in several] + others
    return every or [Submission(student, reason="nothing handed in")]


def _files(folder: Path) -> list[Path]:
    """Files that may be notebooks; links are among them, but never followed."""
    files = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != ".ipynb_checkpoints"]
        links = [name for name in folders if os.path.islink(f"{place}/{name}")]
        files += [Path(place, name) for name in names + links if name != "data.npz"]
    return files


def _recognised(one: Submission, assignments: dict[str, Assignment]) -> None:
    """Fill in which assignment a file is for and what it holds, or why it cannot be judged."""
    try:
        content = _file_content(one.file)
    except (OSError, ValueError, subprocess.SubprocessError) as fault:
        reason = str(fault) if type(fault) is ValueError else f"cannot be read ({type(fault).__name__})"
        one.reason = shown(reason)
        return
    one.said, one.notebook = content["said"], json.dumps(content["notebook"])
    name = one.said.get("assignment")
    if name not in assignments:
        cells = {name_of(cell) for cell in nbformat.from_dict(content["notebook"]).cells} - {""}
        names = {each: len(cells & each.points.keys()) for each in assignments.values()}
        best = max(names, key=names.get)
        name = best.name if names[best] else ""
    one.assignment, one.reason = name, "" if name else "no assignment of this course"


def _file_content(file: Path) -> dict:
    """What ``recognition`` tells of a file, in a process that may fail alone. Raises ValueError, saying why,
    where it is no notebook.
    """
    facts = file.lstat()
    if stat.S_ISLNK(facts.st_mode):
        raise ValueError("a link, which is not followed")
    if not stat.S_ISREG(facts.st_mode):
        raise ValueError("not a file")
    if facts.st_size > _LARGEST:
        raise ValueError(f"{facts.st_size >> 20} MiB; a notebook has at most {_LARGEST >> 20}")
    if file.suffix != ".ipynb":
        raise ValueError("not a notebook")
    if not facts.st_size:
        raise ValueError("empty")
    with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
        content = stream.read(_LARGEST)
    command = [sys.executable, "-P", "-m", recognition.__name__]  # not what lies in this folder
    answer = subprocess.run(
        command, input=content, capture_output=True, timeout=_WAIT, env=child_environment()
    )
    if answer.returncode:
        raise ValueError(f"not a readable notebook (reading it ended with {answer.returncode})")
    facts = json.loads(answer.stdout)
    if "reason" in facts:
        raise ValueError(facts["reason"])
    return facts
