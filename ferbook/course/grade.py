"""Grading what a class handed in: found, run one by one in a box, each result kept, and reported."""

import csv
import hashlib
import io
import json
import os
import re
import tokenize
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ferbook.course import box, feedback, marking
from ferbook.course.build import csv_rows, failures, is_built, limit_of, read_secret, variant_of
from ferbook.course.marking import Judgement, beside, mark
from ferbook.course.source import Assignment, assignments, is_solution, name_of
from ferbook.course.submission import Submission, digest, find_submissions, key_of, one_form, shown
from ferbook.errors import DataError
from ferbook.files import write_atomically
from ferbook.notebook import read_notebook
from ferbook.steps import steps

BY_HAND = ("key", "student", "assignment", "question", "answer", "of", "points", "comment")
"""The columns of ``by_hand.csv``. ``key`` says whose row it is, whatever a spreadsheet made of the names."""

_BLANK = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
_UNTOUCHED = "your answer here"
"""What nbgrader puts where an answer in words is expected, in small letters."""


def grade(
    folder: Path,
    course: Path,
    out: Path,
    names: list[str] | None = None,
    cores: int | None = None,
    boxed: bool = True,
    tell: Callable[[str], None] = print,
) -> list[Submission]:
    """Grade each submission and write the reports into ``out``. Results of an earlier call are kept where
    the notebook, the assignment and the variant are the same.

    Raises MissingError where there is no box and students are not trusted; DataError where an assignment is
    not built, nothing is handed in, ``by_hand.csv`` is wrong, or a model solution does not earn all points:
    then nothing is graded.
    """
    catalogue = {each.name: each for each in assignments(names)}
    bundles = {name: course / "judge" / name for name in catalogue}
    if absent := [name for name, place in bundles.items() if not is_built(place)]:
        raise DataError(
            f"{course}: not built: {', '.join(absent)}; "
            f"`ferbook course build {' '.join(absent)} --course {course}`"
        )
    secret = read_secret(course, new=False)
    if boxed:
        box.require_box()
    submissions = find_submissions(folder, [*catalogue.values()], _class_list(course))
    points_by_hand = partial(_graded_by_hand, out / "by_hand.csv", _points_of(bundles))
    points_by_hand()  # raises before anything is graded
    todo = []
    for each in submissions:
        if not each.reason:
            each.verdict, keep = _kept(each, bundles[each.assignment], secret, boxed, out)
            todo += [] if each.verdict else [(each, keep)]
    _try_models({each.assignment: bundles[each.assignment] for each, _ in todo}, boxed)
    work = partial(_graded, bundles=bundles, secret=secret, boxed=boxed)
    with ThreadPoolExecutor(cores or os.cpu_count()) as pool, steps("submissions", len(todo) or 1) as advance:
        try:
            for number, each in enumerate(pool.map(work, todo), 1):
                got = f"{each.verdict.points:g} points by checks" if each.verdict else each.reason
                tell(f"{number}/{len(todo)} {each.student} {each.assignment}: {got}")
                advance()
        finally:
            pool.shutdown(cancel_futures=True)
    by_hand = points_by_hand()  # whoever graded meanwhile loses nothing
    for line in _strays(by_hand, submissions, catalogue):
        tell(f"{out / 'by_hand.csv'}: {line}")
    _add_answers(by_hand, submissions)
    columns = dict.fromkeys((*BY_HAND, *(name for row in by_hand.values() for name in row)))
    write_atomically(out / "by_hand.csv", _csv(list(by_hand.values()), [*columns]))
    for line in _point_out_equals(submissions, catalogue):
        tell(line)
    _report(submissions, by_hand, out, boxed, catalogue)
    return submissions


def _class_list(course: Path) -> list[str]:
    """The students who were given a variant; empty where no list was."""
    file = course / "variants.csv"
    rows = csv_rows(file, "the list of students", DataError)[1:] if file.is_file() else []
    return [one_form(row[0]) for _, row in rows if row]


def _try_models(bundles: dict[str, Path], boxed: bool) -> None:
    """Grade the model solutions as students' are graded. Raises DataError where one does not earn all."""
    for name, bundle in bundles.items():
        model = read_notebook(bundle / "instructor.ipynb")
        verdict, _ = mark(model, model, beside(bundle, 0), limit_of(bundle), boxed)
        if told := failures(verdict):
            raise DataError(f"{name}: nothing is graded, for here the model solution itself fails {told}")


def _kept(
    each: Submission, bundle: Path, secret: bytes, boxed: bool, out: Path
) -> tuple[Judgement | None, Callable[[Judgement], None]]:
    """The result of an earlier call, if it is of the same, and what keeps a new one."""
    engine = b"".join(Path(module.__file__).read_bytes() for module in (box, marking))
    about = f"{boxed} {variant_of(each.student, secret)} {nbformat.writes(each.notebook)}".encode()
    state = hashlib.sha256(b"\0".join((about, (bundle / "bundle.json").read_bytes(), engine))).hexdigest()
    file = out / "results" / each.student / f"{each.assignment}.json"

    def keep(verdict: Judgement) -> None:
        write_atomically(file, json.dumps({"digest": state, "verdict": verdict.model_dump()}))

    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        verdict = Judgement.model_validate(record["verdict"])
        # What was stopped may have had bad luck: a machine that was busy, or short of memory.
        return (verdict if record["digest"] == state and not verdict.ended else None), keep
    except (OSError, ValueError, KeyError, TypeError):
        return None, keep


def _graded(
    task: tuple[Submission, Callable[[Judgement], None]], bundles: dict[str, Path], secret: bytes, boxed: bool
) -> Submission:
    """The submission with its verdict, or with the reason why it has none: it stops no other."""
    each, keep = task
    try:
        bundle = bundles[each.assignment]
        files = beside(bundle, variant_of(each.student, secret))
        model = read_notebook(bundle / "instructor.ipynb")
        each.verdict, _ = mark(model, each.notebook, files, limit_of(bundle), boxed)
        keep(each.verdict)
    except Exception as fault:  # whatever one submission raises is its row
        each.reason = f"could not be graded ({type(fault).__name__}: {shown(str(fault)[:300])})"
    return each


def _point_out_equals(submissions: list[Submission], catalogue: dict[str, Assignment]) -> list[str]:
    """Note whose code that earned points, and whose answer in words, equals another's or the model solution's
    but for comments, blanks and letter case of words; and a line for each group.
    """
    groups: dict[tuple[str, str, str], list[Submission]] = defaultdict(list)
    models = set()
    for each in submissions:
        if not each.verdict:
            continue
        model = catalogue[each.assignment].notebook
        place = each.assignment, "code", _code(each.notebook, model)
        models |= {place} if place[2] == _code(model, model) else set()
        if each.verdict.points:
            groups[place].append(each)
        answers = [(_words(one.answer), _words(one.rubric)) for one in each.verdict.written]
        place = each.assignment, "words", "\n".join(answer for answer, _ in answers)
        models |= {place} if all(answer in rubric for answer, rubric in answers) else set()
        if any(answer not in ("", _UNTOUCHED) for answer, _ in answers):
            groups[place].append(each)
    lines = []
    for place, several in groups.items():
        who = [each.student for each in several] + ["the model solution"] * (place in models)
        if len(who) > 1:
            lines.append(f"{place[0]}: equal {place[1]}: {', '.join(who)}")
            for each in several:
                each.alike.append(f"{place[1]} of {', '.join(one for one in who if one != each.student)}")
    return lines


def _code(notebook: NotebookNode, model: NotebookNode) -> str:
    """What a notebook's solutions say, without comments and blanks between words."""
    names = {name_of(cell) for cell in model.cells if is_solution(cell)}
    code = "\n".join(cell.source for cell in notebook.cells if name_of(cell) in names)
    try:
        tokens = tokenize.generate_tokens(io.StringIO(code).readline)
        return " ".join(one.string.strip() for one in tokens if one.type not in _BLANK)
    except (tokenize.TokenError, SyntaxError):
        return code


def _words(text: str) -> str:
    return " ".join(text.lower().split())


def _report(
    submissions: list[Submission],
    by_hand: dict[str, dict],
    out: Path,
    boxed: bool,
    catalogue: dict[str, Assignment],
) -> None:
    rows, students = [], defaultdict(list)
    for each in submissions:
        students[each.student].append(each)
        verdict = each.verdict or Judgement()
        hand = [by_hand.get(key_of(each, one.question), {}) for one in verdict.written]
        notes = [f"{cell}: {what}" for cell, what in each.notes + verdict.notes]
        rows.append(
            {
                "student": each.student,
                "assignment": each.assignment,
                "file": _plain(each.file.name) if each.file else "",
                "points": f"{verdict.points:g}" if each.verdict else "",
                "by_hand": f"{sum(float(one.get('points') or 0) for one in hand):g}" if hand else "",
                "of": sum(catalogue[each.assignment].points.values()) if each.assignment else "",
                "not_graded": sum(not one.get("points") for one in hand),
                "reason": _plain(each.reason or verdict.ended),
                "notes": _plain(", ".join(notes)),
                "alike": ", ".join(each.alike),
                "box": "yes" if boxed else "no: the students are trusted",
            }
        )
    write_atomically(out / "grades.csv", _csv(rows))
    pages = out / "feedback"
    made = {student: theirs for student, theirs in students.items() if any(each.file for each in theirs)}
    for student, theirs in made.items():
        page = feedback.page(student, theirs, catalogue, by_hand, trusted=not boxed)
        write_atomically(pages / f"{student}.html", page)
    for file in pages.glob("*.html"):
        if one_form(file.stem) not in made:
            file.unlink()  # of an earlier call: nothing was handed in now
    write_atomically(out / "by_hand.html", feedback.to_grade(submissions, catalogue, trusted=not boxed))


def _strays(
    by_hand: dict[str, dict], submissions: list[Submission], catalogue: dict[str, Assignment]
) -> list[str]:
    """A line for each row that belongs to no answer of those that were handed in; rows of assignments that
    are not graded now are left alone.
    """
    known = {
        key_of(each, one.question) for each in submissions if each.verdict for one in each.verdict.written
    }
    lines = []
    for key, row in by_hand.items():
        parts = [row[column] for column in ("student", "assignment", "question")]
        other = key == digest(*parts) and row["assignment"] not in catalogue
        if key not in known and not other:
            given = f"; its {row['points']} points count for nobody" if row["points"] else ""
            lines.append(f"the row of {' '.join(parts)} ({key}) belongs to no answer handed in{given}")
    return lines


def _points_of(bundles: dict[str, Path]) -> dict[tuple[str, str], float]:
    """The points of each check and each answer in words, by assignment and ``grade_id``."""
    facts = {name: json.loads((place / "bundle.json").read_text()) for name, place in bundles.items()}
    return {(name, each): most for name, about in facts.items() for each, most in about["points"].items()}


def _graded_by_hand(file: Path, points: dict[tuple[str, str], float]) -> dict[str, dict]:
    """The points that a person gave in ``by_hand.csv``, by the row's key; none where it is not there. ``of``
    is what ``points`` has for assignment and question today. Raises DataError, naming the line, for a row
    that is not one, has more than that, or comes twice.
    """
    if not file.is_file():
        return {}
    (_, heading), *table = csv_rows(file, "points that were given", DataError) or [(1, [])]
    if absent := [name for name in BY_HAND if name not in heading]:
        raise DataError(
            f"{file}, line 1: expected the columns {', '.join(BY_HAND)}; without {', '.join(absent)}"
        )
    rows = {}
    for line, cells in table:
        if not any(cells):
            continue
        if len(cells) != len(heading):
            raise DataError(
                f"{file}, line {line}: {len(cells)} cells, and {len(heading)} columns; put a comment with "
                "commas in quotes"
            )
        entries = dict(zip(heading, map(_bare, cells), strict=True))
        bare = {*BY_HAND} - {"comment"}  # other columns are the teacher's own
        row = {name: entry.strip() if name in bare else entry for name, entry in entries.items()}
        most = points.get((row["assignment"], row["question"]))
        if most is not None:
            row["of"] = f"{most:g}"
        try:
            if row["points"]:
                if not 0 <= float(row["points"]) <= float(row["of"]):
                    raise ValueError
                row["points"] = f"{float(row['points']):g}"
        except ValueError as fault:
            raise DataError(
                f"{file}, line {line}: expected points from 0 to {row['of']}, which the question has, or none"
            ) from fault
        if row["key"] in rows:
            name = " ".join(row[column] for column in ("student", "assignment", "question"))
            raise DataError(f"{file}, line {line}: {name} stands above as well; leave one of them")
        rows[row["key"]] = row
    return rows


def _add_answers(by_hand: dict[str, dict], submissions: list[Submission]) -> None:
    """Add to ``by_hand``, without points, what nobody graded yet: answers that are new, or others than were
    graded; and write whose a row is anew, which a spreadsheet may have changed.
    """
    for each in submissions:
        for one in each.verdict.written if each.verdict else ():
            key, answer = key_of(each, one.question), digest(one.answer)
            row, names = by_hand.get(key, {}), (key, each.student, each.assignment, one.question, answer)
            if row.get("answer") == answer:
                row |= dict(zip(BY_HAND, names, strict=False))
                continue
            before = f"An earlier answer got {row['points']}. {row['comment']}" if row.get("points") else ""
            by_hand[key] = dict(zip(BY_HAND, (*names, f"{one.most:g}", "", before.strip()), strict=True))


_FORMULA = "=+-@\t\r"
"""What a spreadsheet takes for the begin of a formula."""


def _bare(text: str) -> str:
    """A cell as it was before ``_csv`` led it by an apostrophe."""
    return text[1:] if text[:1] == "'" and text[1:2] in tuple(_FORMULA) else text


def _plain(text: str) -> str:
    """Text of a student's on one line, without what parts cells where commas do not."""
    return re.sub(r"[;|\t\r\n]+", ",", shown(text))


def _csv(rows: list[dict], fields: Sequence[str] = ()) -> str:
    """Rows as CSV. Text that a spreadsheet would take for a formula is led by an apostrophe."""
    stream = io.StringIO()
    table = csv.DictWriter(stream, fields or list(rows[0]))
    table.writeheader()
    for row in rows:
        table.writerow(
            {
                name: f"'{text}" if str(text)[:1] in _FORMULA and text != "" else text
                for name, text in row.items()
            }
        )
    return stream.getvalue()
