"""What a class handed in: who is in it, and a student's notebook for an assignment."""

import csv
import io
import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ferbook.course.marking import Judgement
from ferbook.course.source import Assignment, Cell, digest, read_cells
from ferbook.errors import DataError, ParameterError
from ferbook.files import read_plain

MOST_VARIANTS = 8
# Most bytes and notebooks that a student hands in.
_LARGEST, _MOST = 20 * 2**20, 50
_STUDENT = re.compile(r"\w[\w.@+-]{0,53}")  # with what is added to it a file's name, of at most 255 bytes
# What systems and notebooks leave behind: nobody's work.
_LITTER = re.compile(r"\._.*|\.DS_Store|__MACOSX|Thumbs\.db|desktop\.ini|\.ipynb_checkpoints")
METADATA_GONE = "no assignment's, or its metadata are gone: copy the answers into a new copy, in Jupyter"


@dataclass
class Submission:
    """A student's notebook for an assignment; ``reason``: why it is not graded;
    ``look_at``: what is odd, for the teacher alone; ``hand``: rows of ``by_hand.csv`` by question.
    """

    student: str
    assignment: str = ""
    file: Path | None = None
    reason: str = ""
    look_at: list[str] = field(default_factory=list)
    verdict: Judgement | None = None
    cells: list[Cell] = field(default_factory=list)
    hand: dict[str, dict[str, str]] = field(default_factory=dict)


def variant_of(student: str) -> int:
    """Which of the variants a student has: SHA-256 of the name, modulo 8."""
    return int(digest(student)[1:], 16) % MOST_VARIANTS


def shown(name: str) -> str:
    """A name that may not be text, in the one form in which names are compared (Unicode's NFC); its escape
    where a terminal obeys it or reads it backwards.
    """
    return unicodedata.normalize("NFC", name) if name.isprintable() else ascii(name)[1:-1]


def csv_rows(file: Path, columns: Collection[str], error: type[Exception]) -> dict[int, dict[str, str]]:
    """The rows of a CSV file, parted by commas, semicolons or tabs, by the numbers of their last lines.
    Raises ``error``, naming file, line and column, where one has not as many cells as the heading, or a
    column is not there.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
        sign = max(",;\t", key=text.partition("\n")[0].count)
        table = csv.DictReader(io.StringIO(text, newline=""), delimiter=sign, strict=True)
        rows = [(table.line_num, row) for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise error(f"{file}: cannot be read ({fault}); save it as CSV in UTF-8") from fault
    heading = table.fieldnames or []
    if absent := [name for name in columns if name not in heading]:
        expected = f"expected the columns {', '.join(columns)}; without {', '.join(absent)}"
        raise error(f"{file}, line 1: {expected}")
    for line, row in rows:
        if None in row or None in row.values():
            what = f"not as many cells as the {len(heading)} columns; put a comment with commas in quotes"
            raise error(f"{file}, line {line}: {what}")
    return {line: row for line, row in rows if any(row.values())}


def read_students(file: Path) -> list[str]:
    """The students' names: the column ``student`` of a CSV file. Raises ParameterError, naming each, for
    names that no folder of work that is handed in can have.
    """
    names = [shown(row["student"].strip()) for row in csv_rows(file, ["student"], ParameterError).values()]
    if odd := [name for name in names if not _STUDENT.fullmatch(name)]:
        told = f"{', '.join(map(ascii, odd))} cannot name a folder"
        raise ParameterError(f"{file}: {told}; expected letters, digits and _ . @ + -")
    return names


def find_submissions(
    folder: Path, known: Mapping[str, Assignment], names: Collection[str], expected: Collection[str] = ()
) -> list[Submission]:
    """The notebooks in the students' folders, one folder each, for the assignments of those ``names``, and a
    submission without a file for each that a student, or one of the ``expected``, did not hand in.
    Raises DataError where there is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected one folder per student in it")
    files: dict[str, list[Path]] = {student: [] for student in expected}
    submissions = []
    for entry in sorted(folder.iterdir()):
        student = shown(entry.name)
        if _LITTER.fullmatch(entry.name):
            continue
        if entry.is_symlink() or not entry.is_dir() or not _STUDENT.fullmatch(student):
            reason = "no folder that is named as a student can be; links are not followed"
            submissions.append(Submission(student, reason=reason))
        else:
            own = [file for file in entry.rglob("*.ipynb") if not any(map(_LITTER.fullmatch, file.parts))]
            files.setdefault(student, []).extend(sorted(own))
    for student, theirs in files.items():
        several = [one for one in _of_student(student, theirs, known) if one.assignment in ("", *names)]
        found = {one.assignment for one in several}  # "": it is not known what that was for
        missing = [name for name in names if not found & {name, ""}]
        several += [Submission(student, name, reason="no notebook handed in") for name in missing]
        for one in several if expected and student not in expected else ():
            one.look_at.append("not in variants.csv")
        submissions += several
    return submissions


def _of_student(student: str, files: list[Path], known: Mapping[str, Assignment]) -> list[Submission]:
    """A student's notebooks, read one at a time; of two for an assignment the one of its name counts."""
    size = sum(file.lstat().st_size for file in files)
    if size > _LARGEST or len(files) > _MOST:
        most = f"a student hands in at most {_MOST} of {_LARGEST >> 20} MiB in all"
        return [Submission(student, reason=f"{len(files)} notebooks of {size / 2**20:.1f} MiB; {most}")]
    submissions = []
    for file in files:
        stem = shown(file.stem)
        submissions.append(one := Submission(student, stem if stem in known else "", file))
        try:
            one.cells = read_cells(read_plain(file, _LARGEST))
        except (OSError, ValueError) as fault:
            one.reason = getattr(fault, "strerror", None) or str(fault)
            continue
        names = {cell.name for cell in one.cells}
        shared = {name: len(names & each.points.keys()) for name, each in known.items()}
        best = max(shared, key=shared.get)
        one.assignment, one.reason = (best, "") if shared[best] else (one.assignment, METADATA_GONE)
    for name in known:
        several = [one for one in submissions if one.assignment == name and not one.reason]
        named = [one for one in several if shown(one.file.stem) == name]
        for one in several if len(several) > 1 else ():
            said = f"{name}.ipynb is graded" if len(named) == 1 else "none is graded"
            one.reason = "" if named == [one] else f"one of {len(several)} files for this assignment; {said}"
    return submissions
