"""Grading what a class handed in: run one by one in a box, and reported."""

import csv
import io
import math
import os
import re
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from jinja2 import StrictUndefined, Template

from ferbook.course.box import require_box
from ferbook.course.marking import Judgement, beside, mark
from ferbook.course.source import Assignment, Cell, assignments, digest
from ferbook.course.submission import Submission, csv_rows, find_submissions, shown, variant_of
from ferbook.errors import DataError
from ferbook.files import whole_folder, write_atomically
from ferbook.steps import steps

# The columns of ``by_hand.csv``. ``key`` says whose answer a row is for, whatever a spreadsheet does.
BY_HAND = ("key", "student", "assignment", "question", "of", "points", "comment")
_FORMULA = tuple("=+-@")  # what a spreadsheet takes for the begin of one


def grade(
    folder: Path, course: Path, out: Path, names: list[str] | None = None, boxed: bool = True
) -> list[str]:
    """Grade each submission and write the reports into ``out``. Returns lines to tell the teacher.

    Raises MissingError where there is no box and students are not trusted; DataError where an assignment is
    not built, ``by_hand.csv`` is wrong, or a model solution does not earn all points:
    then nothing is graded.
    """
    known, chosen = assignments(course), assignments(course, names)
    if not known:
        raise DataError(f"{course}: no assignment is built; `ferbook course build --course {course}`")
    if boxed:
        require_box()
    listed = course / "variants.csv"
    rows = csv_rows(listed, ["student", "variant"], DataError) if listed.is_file() else {}
    variants = {shown(row["student"]): row["variant"] for row in rows.values()}
    submissions = find_submissions(folder, known, chosen, variants)
    read_by_hand(out / "by_hand.csv", chosen)  # raises before anything is graded
    todo = [each for each in submissions if not each.reason]
    for name in {each.assignment: "" for each in todo}:
        model = known[name]
        checks = mark(model, model.solution, beside(model.folder, 0), boxed).checks
        if told := "; ".join(f"{check} ({why})" for check, why in checks.items() if why):
            raise DataError(f"{name}: nothing is graded, for here the model solution itself fails {told}")

    def work(each: Submission) -> None:
        model, variant = known[each.assignment], variants.get(each.student) or variant_of(each.student)
        try:
            each.verdict = mark(model, each.cells, beside(model.folder, variant), boxed)
        except Exception as fault:  # whatever one submission raises is its row, and stops no other
            each.reason = f"could not be graded ({type(fault).__name__}: {str(fault)[:300]})"

    with ThreadPoolExecutor(os.cpu_count()) as pool, steps("submissions", len(todo) or 1) as advance:
        try:
            for _ in pool.map(work, todo):
                advance()
        finally:
            pool.shutdown(cancel_futures=True)
    lines = _add_points_by_hand(submissions, out / "by_hand.csv", chosen)
    _point_out_equals(submissions, known)
    _report(submissions, known, out, boxed)
    graded = sum(each.verdict is not None for each in submissions)
    return [*lines, f"{graded} graded, {len(submissions) - graded} not; see {out / 'grades.csv'}"]


def read_by_hand(file: Path, known: Mapping[str, Assignment]) -> dict[str, dict[str, str]]:
    """The rows of ``by_hand.csv`` by their keys; none where it is not there. Raises DataError, naming the
    line, for points that the question does not have, and for a row that comes twice.
    """
    rows: dict[str, dict[str, str]] = {}
    for line, row in (csv_rows(file, BY_HAND, DataError) if file.is_file() else {}).items():
        points = known[row["assignment"]].points if row["assignment"] in known else {}
        most, given = points.get(row["question"], math.inf), row["points"].strip()
        if given and not (re.fullmatch(r"\+?\d+(\.\d*)?", given) and float(given) <= most):
            what = f"expected points from 0 to {most}, which the question has, or none"
            raise DataError(f"{file}, line {line}: {what}")
        if row["key"] in rows:
            name = f"{row['student']} {row['assignment']} {row['question']}"
            raise DataError(f"{file}, line {line}: {name} stands above as well; leave one of them")
        rows[row["key"]] = row | {"points": given}
    return rows


def _add_points_by_hand(
    submissions: list[Submission], file: Path, chosen: Mapping[str, Assignment]
) -> list[str]:
    """Give each answer in words its row of ``by_hand.csv``, a new one where it has none: rows that a person
    wrote stay as they are. Returns a line for each that belongs to no answer of those that were handed in.
    """
    rows, new = read_by_hand(file, chosen), {}  # read now: whoever graded meanwhile loses nothing
    for each in submissions:
        for question in chosen[each.assignment].written if each.verdict else ():
            names, of = (each.student, each.assignment, question), chosen[each.assignment].points[question]
            key = digest(*names, *(cell.source for cell in each.cells if cell.name == question))
            new[key] = dict(zip(BY_HAND, (key, *names, f"{of:g}", "", ""), strict=True)) | rows.get(key, {})
            each.hand[question] = new[key]
    if new.keys() - rows:
        write_atomically(file, _csv([*(rows | new).values()]))
    lines = []
    for key, row in rows.items():
        if key not in new and row["assignment"] in chosen and row["points"] + row["comment"]:
            whose = f"{row['student']} {row['assignment']} {row['question']} ({key})"
            lines.append(f"{file}: the row of {whose} belongs to no answer handed in: it counts for nobody")
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
        row |= {"not_graded": given.count(""), "reason": each.reason or verdict.ended}
        row["notes"] = ", ".join(f"{cell}: {what}" for cell, what in verdict.notes)
        row |= {"look_at": ", ".join(each.look_at), "box": "yes" if boxed else "no: the students are trusted"}
        rows.append({name: _plain(f"{text}") for name, text in row.items()})
        if each.file:
            students[each.student].append(each)
    write_atomically(out / "grades.csv", _csv(rows))
    text = Path(__file__).with_name("feedback.html").read_text(encoding="utf-8")
    template = Template(text, autoescape=True, undefined=StrictUndefined)
    page = partial(template.render, known=known, trusted=not boxed, parts=(), asked=())
    with whole_folder(out / "feedback", replace=True) as pages:  # those of an earlier call go
        for student, theirs in students.items():
            (pages / f"{student}.html").write_text(page(title=f"Feedback for {student}", parts=theirs))
    write_atomically(out / "by_hand.html", page(title="Answers in words", asked=submissions))


def _plain(text: str) -> str:
    """Text of a student's on one line, without what parts cells where commas do not, and led by an apostrophe
    where a spreadsheet would take it for a formula.
    """
    text = re.sub(r"[;|\t\r\n]+", ",", shown(text))
    return "'" * text.startswith(_FORMULA) + text


def _csv(rows: list[dict[str, str]]) -> str:
    table = csv.DictWriter(stream := io.StringIO(), dict.fromkeys(name for row in rows for name in row), "")
    table.writeheader()
    table.writerows(rows)
    return stream.getvalue()
