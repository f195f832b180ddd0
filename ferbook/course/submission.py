"""What a class handed in: a student's notebook for an assignment, and how it is recognised."""

import hashlib
import json
import os
import re
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ferbook.course import source
from ferbook.course.source import Assignment, Judgement, is_open, name_of, visible
from ferbook.errors import DataError

# Most bytes and files that a student hands in; cells of a notebook, characters in them; bytes of a name.
_LARGEST, _MOST, _CELLS, _TEXT, _NAME = 20 * 2**20, 50, 2000, 2**20, 200
_STUDENT = re.compile(r"\w[\w.@+-]{0,99}")
# What systems and notebooks leave behind, and the data that were handed out: nobody's work.
_LITTER = re.compile(r"\._.*|\.DS_Store|__MACOSX|Thumbs\.db|desktop\.ini|\.ipynb_checkpoints|(data|key)\.npz")
# Control characters, and those that turn the direction of a text.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
METADATA_GONE = (
    "its metadata are gone, so that no cell can be told from another: copy the answers into a new copy of "
    "what was handed out, save that in Jupyter, and hand it in"
)


@dataclass
class Submission:
    """A student's notebook for an assignment; ``reason``: why it is not graded; ``notes``: what is odd;
    ``alike``: whose work it equals, for the teacher alone.
    """

    student: str
    assignment: str = ""
    file: Path | None = None
    reason: str = ""
    notes: list[tuple[str, str]] = field(default_factory=list)
    alike: list[str] = field(default_factory=list)
    verdict: Judgement | None = None
    notebook: NotebookNode | None = None


def digest(*parts: str) -> str:
    """128 bits of SHA-256 (hex) behind a letter, lest a spreadsheet read a number."""
    return "k" + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def key_of(each: Submission, question: str) -> str:
    """Whose row of ``by_hand.csv`` an answer in words has."""
    return digest(each.student, each.assignment, question)


def shown(name: str | Path) -> str:
    """A name that may not be text, as text, without what a terminal obeys or reads backwards."""
    text = os.fsencode(name).decode(errors="backslashreplace")
    return _UNSEEN.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def one_form(name: str) -> str:
    """A name in the one form in which names are compared: Unicode's NFC."""
    return unicodedata.normalize("NFC", name)


def is_student(name: str) -> bool:
    """Whether a student's folder and reports can be named so."""
    return bool(_STUDENT.fullmatch(name)) and len(name.encode()) <= _NAME


def find_submissions(
    folder: Path, assignments: list[Assignment], expected: Collection[str] = ()
) -> list[Submission]:
    """What lies in the students' folders, one each, as ``<student>/<assignment>.ipynb`` or deeper, and a
    submission without a file for each assignment that a student, or one of the ``expected``, did not hand in.

    Raises DataError where there is no such folder, or it holds nothing to grade.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected one folder per student in it")
    names = [each.name for each in assignments]
    catalogue = {each.name: each for each in source.assignments()}
    found: dict[str, list[list[Submission]]] = {student: [] for student in expected}
    for entry in sorted(folder.iterdir(), key=os.fsencode):
        if not _LITTER.fullmatch(entry.name):
            student = one_form(shown(entry.name))
            found.setdefault(student, []).append(_of_entry(student, entry, catalogue))
    submissions = []
    for student, entries in found.items():
        several = [one for own in entries for one in own if one.assignment in ("", *names)]
        if len(entries) > 1:
            several = [Submission(student, reason=f"{len(entries)} folders of this name, in other letters")]
        if all(one.assignment for one in several):  # else it is not known what that was for
            missing = [name for name in names if name not in {one.assignment for one in several}]
            several += [Submission(student, name, reason="nothing handed in") for name in missing]
        for one in several if expected and student not in expected else ():
            one.notes.append(("the student", "is not in variants.csv"))
        submissions += several
    if not any(each.file and each.assignment for each in submissions):
        raise DataError(f"{folder}: no student's folder with a notebook for {', '.join(names)} in it")
    return submissions


def _of_entry(student: str, entry: Path, assignments: dict[str, Assignment]) -> list[Submission]:
    """What lies under a name in the class's folder."""
    reason = "" if is_student(student) else "this folder's name cannot be a student's"
    reason = reason if entry.is_dir() else "lies in no student's folder"
    reason = "a link, which is not followed" if entry.is_symlink() else reason
    files = [] if reason else _files(entry)
    if len(files) > _MOST:
        reason = f"{len(files)} files; a student hands in at most {_MOST}"
    if reason:
        return [Submission(student, reason=reason)]
    groups: dict[str, list[Submission]] = defaultdict(list)
    left = _LARGEST
    for file in files:
        one = Submission(student, file=file)
        try:
            left -= (size := _size(file))
            if left < 0:
                raise ValueError(
                    f"{size / 2**20:.1f} MiB; a student hands in at most {_LARGEST >> 20} in all"
                )
            with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
                one.notebook = read_cells(stream.read(size))
            one.assignment, one.reason = _recognised(one, assignments)
        except (OSError, ValueError, RecursionError, MemoryError) as fault:
            plain = type(fault) is ValueError
            one.reason = shown(str(fault) if plain else f"cannot be read ({type(fault).__name__})")
        groups[one.assignment].append(one)
    for name, several in groups.items():
        matches = [each for each in several if one_form(each.file.name) == f"{name}.ipynb"]
        choice = several if len(several) == 1 else matches if len(matches) == 1 else []
        for each in several if name else ():
            if not choice:
                each.reason = each.reason or f"{len(several)} files for this assignment"
            elif each is not choice[0]:
                each.reason = f"a second file; {shown(choice[0].file.name)} is graded"
            elif each.file.name != f"{name}.ipynb":
                each.notes.append(("the file", f"renamed to {shown(each.file.name)}"))
    return [each for several in groups.values() for each in several]


def _files(folder: Path) -> list[Path]:
    """Files that may be notebooks, in order; links are among them, but never followed."""
    files = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _LITTER.fullmatch(name)]
        links = [name for name in folders if os.path.islink(f"{place}/{name}")]
        files += [Path(place, name) for name in names + links if not _LITTER.fullmatch(name)]
    return sorted(files, key=os.fsencode)


def _size(file: Path) -> int:
    """Bytes of a file that may be a notebook. Raises ValueError, saying why, for one that cannot."""
    facts = file.lstat()
    excuses = {
        "a link, which is not followed": stat.S_ISLNK(facts.st_mode),
        "not a file": not stat.S_ISREG(facts.st_mode),
        "not a notebook": file.suffix != ".ipynb",
        "empty": not facts.st_size,
    }
    if why := next((why for why, true in excuses.items() if true), ""):
        raise ValueError(why)
    return facts.st_size


def read_cells(content: bytes) -> NotebookNode:
    """A notebook made anew of a file's content: kinds, names and sources of its cells, and nothing else.
    Raises ValueError, saying why, where it is no notebook of format 4.
    """
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except ValueError as fault:
        raise ValueError(f"not a readable notebook ({type(fault).__name__})") from fault
    cells, version = _part(document, "cells", list), _part(document, "nbformat") or 4
    if version != 4:
        raise ValueError(f"of notebook format {_text(str(version)[:20])}; 4 is read")
    if cells is None:
        raise ValueError("not a readable notebook (no list of cells)")
    if len(cells) > _CELLS:
        raise ValueError(f"{len(cells)} cells; a notebook has at most {_CELLS}")
    made = [_cell(cell, number) for number, cell in enumerate(cells, 1)]
    if (length := sum(len(cell["source"]) for cell in made)) > _TEXT:
        raise ValueError(f"{length} characters in its cells; a notebook has at most {_TEXT}")
    return nbformat.from_dict({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": made})


def _cell(node: object, number: int) -> dict[str, object]:
    kind, lines = _part(node, "cell_type"), _part(node, "source")
    lines = [lines] if isinstance(lines, str) else lines
    whole = isinstance(lines, list) and all(isinstance(line, str) for line in lines)
    if kind not in ("code", "markdown", "raw") or not whole:
        raise ValueError(f"not a readable notebook (cell {number} has no kind or no source)")
    name = _part(_part(_part(node, "metadata"), "nbgrader"), "grade_id", str)
    metadata = {"nbgrader": {"grade_id": _text(name[:_NAME])}} if name else {}
    more = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "metadata": metadata, "source": _text("".join(lines)), **more}


def _part(node: object, name: str, kind: type = object) -> object:
    """What stands under a name, where it is of that kind; else None."""
    part = node.get(name) if isinstance(node, dict) else None
    return part if isinstance(part, kind) else None


def _text(text: str) -> str:
    """Text that can be written as UTF-8: what cannot, such as half a surrogate pair, becomes its escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def names_by_place(instructor: NotebookNode, student: NotebookNode) -> dict[int, str]:
    """The names that a student's cells had before their metadata were lost, by their numbers: locked ones by
    what they say, and the next one of its kind behind them for a task or an answer.
    """
    cells = [cell for cell in instructor.cells if name_of(cell)]
    following = dict(zip(map(name_of, cells), [*cells[1:], None], strict=True))
    locked = {visible(cell): cell for cell in cells if not is_open(cell)}
    due, names = None, {}
    for number, cell in enumerate(student.cells):
        if origin := locked.get(cell.source.strip()):
            names[number], after = name_of(origin), following[name_of(origin)]
            due = after if after is not None and is_open(after) else None
        elif due is not None and cell.cell_type == due.cell_type:
            names[number], due = name_of(due), None
    return names


def _recognised(one: Submission, assignments: dict[str, Assignment]) -> tuple[str, str]:
    """Which assignment a notebook is for, and why it cannot be judged: by its cells' names, or where they
    have none by what is locked in them, which gives the names back, or by the file's name.
    """
    cells = {name_of(cell) for cell in one.notebook.cells}
    best = max(assignments, key=lambda name: len(cells & assignments[name].points.keys()))
    if cells & assignments[best].points.keys():
        return best, ""
    lost = {name: names_by_place(each.notebook, one.notebook) for name, each in assignments.items()}
    best = max(lost, key=lambda name: len(lost[name]))
    if len(lost[best]) > 1:  # more than what all assignments begin with
        for number, name in lost[best].items():
            one.notebook.cells[number].metadata["nbgrader"] = {"grade_id": name}
        one.notes.append(("the file", "its metadata are gone; its cells are known by what is locked"))
        return best, ""
    name = one_form(one.file.stem)
    return (name, METADATA_GONE) if name in assignments else ("", "no assignment of this course")
