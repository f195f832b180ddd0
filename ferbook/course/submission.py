"""What a class handed in: a student's notebook for an assignment, and how it is recognised."""

import json
import os
import re
import stat
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from ferbook.course.build import OUR_METADATA
from ferbook.course.judge import Judgement
from ferbook.course.source import Assignment, name_of
from ferbook.errors import ChapterError, DataError
from ferbook.notebook import read_notebook

_LARGEST = 20 * 2**20
"""Bytes of a notebook."""
STUDENT = re.compile(r"\w[\w.@+-]{0,99}")


@dataclass
class Submission:
    """A student's notebook for an assignment; ``reason``: why it is not judged; ``notes``: what is odd."""

    student: str
    assignment: str = ""
    file: Path | None = None
    reason: str = ""
    notes: list[tuple[str, str]] = field(default_factory=list)
    verdict: Judgement | None = None


def shown(name: str | Path) -> str:
    """A name that may not be text, as text."""
    return os.fsencode(name).decode(errors="backslashreplace")


def find_submissions(folder: Path, known: list[Assignment]) -> list[Submission]:
    """What lies in the students' folders, one each, as ``<student>/<assignment>.ipynb`` or deeper.

    Raises DataError where there is no such folder, or it holds no student's.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected one folder per student in it")
    found = []
    for entry in sorted(folder.iterdir(), key=os.fsencode):
        student = shown(entry.name)
        if entry.is_symlink():
            found.append(Submission(student, reason="a link, which is not followed"))
        elif not entry.is_dir():
            found.append(Submission(student, reason="lies in no student's folder"))
        elif not STUDENT.fullmatch(student):
            found.append(Submission(student, reason="this folder's name cannot be a student's"))
        else:
            found += _of_student(student, entry, {each.name: each for each in known})
    if not any(each.file for each in found):
        raise DataError(f"{folder}: no student's folder with a notebook in it")
    return found


def _of_student(student: str, folder: Path, known: dict[str, Assignment]) -> list[Submission]:
    found: dict[str, list[Submission]] = defaultdict(list)
    others = []
    for file in sorted(_files(folder), key=os.fsencode):
        one = Submission(student, file=file)
        one.assignment, one.reason = _recognised(file, known)
        (found[one.assignment] if one.assignment else others).append(one)
    for name, several in found.items():
        named = [each for each in several if each.file.name == f"{name}.ipynb"]
        chosen = several if len(several) == 1 else named if len(named) == 1 else []
        for each in several:
            if not chosen:
                each.reason = f"{len(several)} files for this assignment"
            elif each is not chosen[0]:
                each.reason = f"a second file; {shown(chosen[0].file.name)} is graded"
            elif each.file.name != f"{name}.ipynb":
                each.notes.append(("the file", f"renamed to {shown(each.file.name)}"))
    every = [each for several in found.values() for each in several] + others
    return every or [Submission(student, reason="nothing handed in")]


def _files(folder: Path) -> list[Path]:
    """Files that may be notebooks; links are among them, but never followed."""
    files = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != ".ipynb_checkpoints"]
        linked = [name for name in folders if os.path.islink(f"{place}/{name}")]
        files += [Path(place, name) for name in names + linked if name != "data.npz"]
    return files


def _recognised(file: Path, known: dict[str, Assignment]) -> tuple[str, str]:
    """Which assignment a file is for, empty where it cannot be told, and why it cannot be judged."""
    told = file.lstat()
    if stat.S_ISLNK(told.st_mode):
        return "", "a link, which is not followed"
    if not stat.S_ISREG(told.st_mode):
        return "", "not a file"
    if told.st_size > _LARGEST:
        return "", f"{told.st_size >> 20} MiB; a notebook has at most {_LARGEST >> 20}"
    if file.suffix != ".ipynb":
        return "", "not a notebook"
    if not told.st_size:
        return "", "empty"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(content, dict) and content.get("nbformat", 4) != 4:
            return "", f"of notebook format {str(content['nbformat'])[:20]}; 4 is read"
        notebook = read_notebook(file)
        nbformat.validate(notebook)
    except (OSError, ValueError, RecursionError, ChapterError, nbformat.ValidationError) as fault:
        return "", f"not a readable notebook ({type(fault).__name__})"
    said = notebook.metadata.get(OUR_METADATA)
    name = said.get("assignment") if isinstance(said, dict) else None
    if not isinstance(name, str) or name not in known:
        cells = {name_of(cell) for cell in notebook.cells} - {""}
        names = {each: len(cells & each.points.keys()) for each in known.values()}
        best = max(names, key=names.get)
        name = best.name if names[best] else ""
    return (name, "") if name else ("", "no assignment of this course")
