"""Grade the submissions of a class: find them, run each in a box, and write the reports."""

import csv
import io
import math
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd
from jinja2 import StrictUndefined, Template

from ferbook.course import marking
from ferbook.course.box import TOO_LONG, require_box
from ferbook.course.marking import Assignment, Cell, Judgement, assignments, digest, mark
from ferbook.errors import DataError, ParameterError
from ferbook.files import read_plain, whole_folder, write_atomically
from ferbook.steps import steps

MOST_VARIANTS = 8
# The most that a student hands in: bytes, notebooks, files and folders.
_LARGEST, _MOST, _ENTRIES = 20 * 2**20, 50, 20_000
_STUDENT = re.compile(r"\w[\w.@+-]{0,53}")  # with what is added to it a file's name, of at most 255 bytes
# Files that operating systems and Jupyter leave behind.
_LITTER = re.compile(r"\._.*|\.DS_Store|__MACOSX|Thumbs\.db|desktop\.ini|\.ipynb_checkpoints")
METADATA_GONE = "no assignment's, or its metadata are gone: copy the answers into a new copy, in Jupyter"
# The columns of ``by_hand.csv``. ``key`` says whose answer a row is for, whatever a spreadsheet does.
BY_HAND = ("key", "student", "assignment", "question", "of", "points", "comment")


@dataclass
class Submission:
    """A student's notebook for an assignment; ``reason``: why it is not graded; ``look_at``: notes for the
    teacher alone; ``hand``: rows of ``by_hand.csv`` by question.
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


def listed_variants(course: Path) -> dict[str, str]:
    """The variants of students that ``variants.csv`` lists; none where it is not there. Raises DataError,
    naming the line, for a variant that there is not.
    """
    file = course / "variants.csv"
    rows = csv_rows(file, ["student", "variant"], DataError) if file.is_file() else {}
    for line, row in rows.items():
        if row["variant"] not in {"", *map(str, range(MOST_VARIANTS))}:
            allowed = f"expected 0 to {MOST_VARIANTS - 1}, or none"
            raise DataError(f"{file}, line {line}, column variant: {row['variant']!r}; {allowed}")
    return {shown(row["student"]): row["variant"] for row in rows.values()}


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
    rows: list[tuple[int, dict[str, str]]] = []
    try:
        text = file.read_text(encoding="utf-8-sig")
        sign = max(",;\t", key=text.partition("\n")[0].count)
        table = csv.DictReader(io.StringIO(text, newline=""), delimiter=sign, strict=True)
        rows += ((table.line_num, row) for row in table)
    except csv.Error as fault:
        line = rows[-1][0] + 1 if rows else 2
        raise error(f"{file}, line {line}: cannot be read ({fault}): is each quote closed?") from fault
    except (OSError, UnicodeDecodeError) as fault:
        raise error(f"{file}: cannot be read ({fault}); save it as CSV in UTF-8") from fault
    heading = table.fieldnames or []
    if absent := [name for name in columns if name not in heading]:
        expected = f"expected the columns {', '.join(columns)}; without {', '.join(absent)}"
        raise error(f"{file}, line 1: {expected}")
    # What a text holds that has swallowed a row.
    a_row = rf"(?s)(?=.*[\r\n])(.*{sign}){{{len(heading) - 1}}}"
    if "key" in columns:  # comments may have many commas and lines
        a_row = r"(?s)[\r\n].*\bk[0-9a-f]{32}\b"
    for line, row in rows:
        if None in row or None in row.values():
            what = f"not as many cells as the {len(heading)} columns; put a comment with commas in quotes"
            raise error(f"{file}, line {line}: {what}")
        if any(re.search(a_row, cell) for cell in row.values()):
            raise error(f"{file}, line {line}: a quote of a row above it is closed only here")
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
    folders: dict[str, list[Path]] = {student: [] for student in expected}
    submissions = []
    for entry in sorted(folder.iterdir()):
        student = shown(entry.name)
        if _LITTER.fullmatch(entry.name):
            continue
        if entry.is_symlink() or not entry.is_dir() or not _STUDENT.fullmatch(student):
            reason = "no folder that is named as a student can be; links are not followed"
            submissions.append(Submission(student, reason=reason))
        else:
            folders.setdefault(student, []).append(entry)
    for student, theirs in folders.items():
        try:
            files = sorted(file for place in theirs for file in _notebooks(place))
            several = _of_student(student, files, known)
        except Exception as fault:  # an error of one student's folder is that student's row
            why = getattr(fault, "strerror", None) or str(fault)
            several = [Submission(student, reason=f"could not be read ({type(fault).__name__}: {why[:300]})")]
        several = [one for one in several if one.assignment in ("", *names)]
        found = {one.assignment for one in several}  # "": it is not known what that was for
        missing = [name for name in names if not found & {name, ""}]
        several += [Submission(student, name, reason="no notebook handed in") for name in missing]
        for one in several if expected and student not in expected else ():
            one.look_at.append("not in variants.csv")
        submissions += several
    return submissions


def _notebooks(folder: Path) -> Iterator[Path]:
    """The notebooks in a student's folder and in those below it; links to folders are not followed."""
    waiting, count = [folder], 0
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if (count := count + 1) > _ENTRIES:
                    raise ValueError(f"more than {_ENTRIES:,} files and folders")
                if _LITTER.fullmatch(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif entry.name.endswith(".ipynb"):
                    yield Path(entry.path)


def _of_student(student: str, files: list[Path], known: Mapping[str, Assignment]) -> list[Submission]:
    """A student's notebooks, read one at a time; of two for an assignment the one of its name counts."""
    size = sum(file.lstat().st_size for file in files)
    if size > _LARGEST or len(files) > _MOST:
        most = f"a student hands in at most {_MOST} of {_LARGEST >> 20} MiB in all"
        return [
            Submission(student, "", files[0], f"{len(files)} notebooks of {size / 2**20:.1f} MiB; {most}")
        ]
    submissions = []
    for file in files:
        stem = shown(file.stem)
        submissions.append(one := Submission(student, stem if stem in known else "", file))
        try:
            one.cells = marking.read_cells(read_plain(file, _LARGEST))
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


def grade(folder: Path, course: Path, out: Path, names: list[str] | None, boxed: bool) -> list[str]:
    """Grade each submission and write the reports into ``out``. Returns lines for the teacher.

    Raises MissingError where there is no box and students are not trusted; DataError where an assignment is
    not built, ``by_hand.csv`` is wrong, or a model solution does not earn all points: then nothing is graded.
    """
    known, chosen = assignments(course), assignments(course, names)
    if not known:
        raise DataError(f"{course}: no assignment is built; `ferbook course build --course {course}`")
    if boxed:
        require_box()
    variants = listed_variants(course)
    submissions = find_submissions(folder, known, chosen, variants)
    read_manual_points(out / "by_hand.csv", chosen)  # raises before anything is graded
    todo = [each for each in submissions if not each.reason]
    for name in {each.assignment: "" for each in todo}:
        model = known[name]
        built = min(model.folder.glob("variant-*")).name.removeprefix("variant-")
        checks = mark(model, model.solution, marking.in_variant(model.folder, built), boxed).checks
        if failures := "; ".join(f"{check} ({why})" for check, why in checks.items() if why):
            raise DataError(f"{name}: nothing is graded, for here the model solution itself fails {failures}")

    def work(each: Submission) -> None:
        model, variant = known[each.assignment], variants.get(each.student) or variant_of(each.student)
        if not marking.in_variant(model.folder, variant)["key.npz"].is_file():
            each.reason = f"variant {variant} is not built: add the student to the list, and build again"
            return
        try:
            each.verdict = mark(model, each.cells, marking.in_variant(model.folder, variant), boxed)
        except Exception as fault:  # an error of one submission is its row, and stops no other
            each.reason = f"could not be graded ({type(fault).__name__}: {str(fault)[:300]})"

    with ThreadPoolExecutor(os.cpu_count()) as pool, steps("submissions", len(todo) or 1) as advance:
        try:
            for _ in pool.map(work, todo):
                advance()
        finally:
            pool.shutdown(cancel_futures=True)
    lines = _add_rows(submissions, out / "by_hand.csv", chosen)
    _point_out_equals(submissions, known)
    _report(submissions, known, out, boxed)
    graded = sum(each.verdict is not None for each in submissions)
    return [*lines, f"{graded} graded, {len(submissions) - graded} not; see {out / 'grades.csv'}"]


def read_manual_points(file: Path, known: Mapping[str, Assignment]) -> dict[str, dict[str, str]]:
    """The rows of ``by_hand.csv`` by their keys; none where it is not there. Raises DataError, naming the
    line, for points that the question does not have, and for a row that comes twice.
    """
    rows: dict[str, dict[str, str]] = {}
    for line, row in (csv_rows(file, BY_HAND, DataError) if file.is_file() else {}).items():
        points = known[row["assignment"]].points if row["assignment"] in known else {}
        most, given = points.get(row["question"], math.inf), row["points"].strip().replace(",", ".")
        if given and not (re.fullmatch(r"\+?(\d+\.?|\d*\.\d+)", given) and float(given) <= most):
            what = f"expected points from 0 to {most}, which the question has, such as 0.5 or 0,5, or none"
            raise DataError(f"{file}, line {line}: {what}")
        if row["key"] in rows:
            name = f"{row['student']} {row['assignment']} {row['question']}"
            raise DataError(f"{file}, line {line}: {name} is there twice; leave one of the rows")
        rows[row["key"]] = row | {"points": given}
    return rows


def _add_rows(submissions: list[Submission], file: Path, chosen: Mapping[str, Assignment]) -> list[str]:
    """Give each answer in words its row of ``by_hand.csv``, a new one if it has none; rows that the teacher
    filled in are not changed. Returns a line for each that belongs to no answer of those that were handed in.
    """
    rows, new = read_manual_points(file, chosen), {}  # read now, so that points given meanwhile count
    for each in submissions:
        for question in chosen[each.assignment].written if each.verdict else ():
            names, of = (each.student, each.assignment, question), chosen[each.assignment].points[question]
            key = digest(*names, *(cell.source for cell in each.cells if cell.name == question))
            new[key] = dict(zip(BY_HAND, (key, *names, f"{of:g}", "", ""), strict=True)) | rows.get(key, {})
            each.hand[question] = new[key]
    if new.keys() - rows:
        write_atomically(file, pd.DataFrame((rows | new).values()).to_csv(index=False))
    lines = []
    for key, row in rows.items():
        if key not in new and row["assignment"] in chosen and row["points"] + row["comment"]:
            whose = f"{row['student']} {row['assignment']} {row['question']} ({key})"
            lines.append(f"{file}: the row of {whose} belongs to no answer handed in and does not count")
    return lines


def _point_out_equals(submissions: list[Submission], known: Mapping[str, Assignment]) -> None:
    """Note whose code that earned points, and whose answers in words, equal another's or the model solution's
    but for comments, blanks and capitals.
    """
    groups: dict[tuple[str, str, str], list[Submission]] = defaultdict(list)
    for each in submissions:
        said = _said(known[each.assignment], each.cells) if each.verdict else {}
        for kind, text in said.items():
            if text not in ("", "youranswerhere") and (kind == "words" or each.verdict.points):
                groups[each.assignment, kind, text].append(each)
    for (name, kind, text), several in groups.items():
        copied = text in _said(known[name], known[name].solution)[kind]
        who = [each.student for each in several] + ["the model solution"] * copied
        for each in several if len(who) > 1 else ():
            each.look_at.append(f"{kind} of {', '.join(one for one in who if one != each.student)}")


def _said(model: Assignment, cells: list[Cell]) -> dict[str, str]:
    kinds, texts = {"code": model.solutions, "words": model.written}, {}
    for kind, names in kinds.items():
        text = "\n".join(cell.source for cell in cells if cell.name in names)
        texts[kind] = re.sub(r"#.*|\s", "", text.lower())
    return texts


def _report(submissions: list[Submission], known: Mapping[str, Assignment], out: Path, boxed: bool) -> None:
    rows, students = [], defaultdict(list)
    for each in submissions:
        verdict = each.verdict or Judgement(0, {}, [], "")
        given = [row["points"] for row in each.hand.values()]
        row = {"student": each.student, "assignment": each.assignment}
        row["file"] = each.file.name if each.file else ""
        row["points"] = f"{verdict.points:g}" if each.verdict else ""
        row["by_hand"] = f"{sum(float(points or 0) for points in given):g}" if given else ""
        row["of"] = sum(known[each.assignment].points.values()) if each.assignment else ""
        slow = [f"{cell}: {what}" for cell, what in verdict.notes if what.startswith(TOO_LONG)]
        row |= {"not_graded": given.count(""), "reason": each.reason or verdict.ended or ", ".join(slow)}
        row["notes"] = ", ".join(f"{cell}: {what}" for cell, what in verdict.notes)
        row |= {"look_at": ", ".join(each.look_at), "box": "yes" if boxed else "no: the students are trusted"}
        rows.append({name: _plain(f"{text}") for name, text in row.items()})
        if each.file:
            students[each.student].append(each)
    write_atomically(out / "grades.csv", pd.DataFrame(rows).to_csv(index=False))
    text = Path(__file__).with_name("feedback.html").read_text(encoding="utf-8")
    template = Template(text, autoescape=True, undefined=StrictUndefined)
    page = partial(template.render, known=known, trusted=not boxed, parts=(), asked=())
    with whole_folder(out / "feedback", replace=True) as pages:  # those of an earlier call go
        for student, theirs in students.items():
            text = page(title=f"Feedback for {student}", parts=theirs)
            (pages / f"{student}.html").write_text(text, encoding="utf-8", errors="backslashreplace")
    write_atomically(out / "by_hand.html", page(title="Answers in words", asked=submissions))


def _plain(text: str) -> str:
    """Text of a student's on one line, without what parts cells where commas do not, and led by an apostrophe
    where a spreadsheet would take it for a formula.
    """
    text = re.sub(r"[;|\t\r\n]+", ",", shown(text))
    return f"'{text}" if text.startswith(tuple("=+-@")) else text
