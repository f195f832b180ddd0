"""Grading what a class handed in: found, run one by one in a box, each result kept, and reported."""

import csv
import hashlib
import io
import os
import re
import tokenize
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ferbook.course import box, feedback, marking
from ferbook.course.build import csv_rows, failures, is_built, limit_of, read_secret, variant_of
from ferbook.course.marking import beside, mark
from ferbook.course.source import Assignment, Judgement, assignments, is_solution, name_of
from ferbook.course.submission import Submission, digest, find_submissions, key_of, one_form, shown
from ferbook.errors import DataError
from ferbook.files import write_atomically
from ferbook.notebook import read_notebook
from ferbook.steps import steps

# The columns of ``by_hand.csv``. ``key`` says whose row it is, whatever a spreadsheet made of the names.
BY_HAND = ("key", "student", "assignment", "question", "answer", "of", "points", "comment")
_BLANK = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
_UNTOUCHED = ("", "your answer here")  # what nbgrader puts where words are expected, in small letters
_FORMULA = tuple("=+-@\t\r")  # what a spreadsheet takes for the begin of one


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
    if absent := " ".join(name for name, place in bundles.items() if not is_built(place)):
        command = f"`ferbook course build {absent} --course {course}`"
        raise DataError(f"{course}: not built: {absent.replace(' ', ', ')}; {command}")
    secret = read_secret(course, new=False)
    if boxed:
        box.require_box()
    listed = course / "variants.csv"
    rows = csv_rows(listed, "the list of students", DataError)[1:] if listed.is_file() else []
    submissions = find_submissions(
        folder, [*catalogue.values()], [one_form(row[0]) for _, row in rows if row]
    )
    _graded_by_hand(out / "by_hand.csv", catalogue)  # raises before anything is graded
    todo = [each for each in submissions if not each.reason]
    for name in {each.assignment: "" for each in todo}:
        model = read_notebook(bundles[name] / "instructor.ipynb")
        verdict, _ = mark(model, model, beside(bundles[name], 0), limit_of(bundles[name]), boxed)
        if told := failures(verdict):
            raise DataError(f"{name}: nothing is graded, for here the model solution itself fails {told}")

    def work(each: Submission) -> Submission:
        try:
            each.verdict = _verdict(each, bundles[each.assignment], secret, boxed, out)
        except Exception as fault:  # whatever one submission raises is its row, and stops no other
            each.reason = f"could not be graded ({type(fault).__name__}: {shown(str(fault)[:300])})"
        return each

    with ThreadPoolExecutor(cores or os.cpu_count()) as pool, steps("submissions", len(todo) or 1) as advance:
        try:
            for number, each in enumerate(pool.map(work, todo), 1):
                got = f"{each.verdict.points:g} points by checks" if each.verdict else each.reason
                tell(f"{number}/{len(todo)} {each.student} {each.assignment}: {got}")
                advance()
        finally:
            pool.shutdown(cancel_futures=True)
    by_hand = _graded_by_hand(out / "by_hand.csv", catalogue)  # whoever graded meanwhile loses nothing
    for line in _strays(by_hand, submissions, catalogue):
        tell(f"{out / 'by_hand.csv'}: {line}")
    _add_answers(by_hand, submissions)
    columns = dict.fromkeys((*BY_HAND, *(name for row in by_hand.values() for name in row)))
    write_atomically(out / "by_hand.csv", _csv(list(by_hand.values()), [*columns]))
    for line in _point_out_equals(submissions, catalogue):
        tell(line)
    _report(submissions, by_hand, out, boxed, catalogue)
    return submissions


def _verdict(each: Submission, bundle: Path, secret: bytes, boxed: bool, out: Path) -> Judgement:
    """What a submission earns, or earned in an earlier call that graded the same."""
    parts = [Path(module.__file__).read_bytes() for module in (box, marking)]
    parts += [(bundle / "bundle.json").read_bytes(), nbformat.writes(each.notebook).encode()]
    variant = variant_of(each.student, secret)
    state = hashlib.sha256(b"\0".join([*parts, f"{boxed} {variant}".encode()])).hexdigest()
    file = out / "results" / each.student / f"{each.assignment}-{state}.json"
    if file.is_file():
        return Judgement.model_validate_json(file.read_bytes())
    model = read_notebook(bundle / "instructor.ipynb")
    verdict, _ = mark(model, each.notebook, beside(bundle, variant), limit_of(bundle), boxed)
    if not verdict.ended:  # what was stopped may have had bad luck: a machine that was busy
        write_atomically(file, verdict.model_dump_json())
    return verdict


def _point_out_equals(submissions: list[Submission], catalogue: dict[str, Assignment]) -> list[str]:
    """Note whose code that earned points, and whose answer in words, equals another's or the model solution's
    but for comments, blanks and letter case of words; and a line for each group.
    """
    groups: dict[tuple[str, str, str], list[Submission]] = defaultdict(list)
    models = set()
    for each in filter(lambda each: each.verdict, submissions):
        model = catalogue[each.assignment].notebook
        code, written = _code(each.notebook, model), each.verdict.written
        pairs = [[" ".join(text.lower().split()) for text in (one.answer, one.rubric)] for one in written]
        words = "\n".join(answer for answer, _ in pairs)
        models |= {(each.assignment, "code", _code(model, model))}
        models |= (
            {(each.assignment, "words", words)} if all(answer in all_ for answer, all_ in pairs) else set()
        )
        if each.verdict.points:
            groups[each.assignment, "code", code].append(each)
        if any(answer not in _UNTOUCHED for answer, _ in pairs):
            groups[each.assignment, "words", words].append(each)
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


def _report(
    submissions: list[Submission],
    by_hand: dict[str, dict],
    out: Path,
    boxed: bool,
    catalogue: dict[str, Assignment],
) -> None:
    rows, students, pages = [], defaultdict(list), out / "feedback"
    for each in submissions:
        students[each.student].append(each)
        verdict = each.verdict or Judgement()
        hand = [by_hand.get(key_of(each, one.question), {}) for one in verdict.written]
        notes = [f"{cell}: {what}" for cell, what in each.notes + verdict.notes]
        row = {"student": each.student, "assignment": each.assignment}
        row["file"] = _plain(each.file.name) if each.file else ""
        row["points"] = f"{verdict.points:g}" if each.verdict else ""
        row["by_hand"] = f"{sum(float(one.get('points') or 0) for one in hand):g}" if hand else ""
        row["of"] = sum(catalogue[each.assignment].points.values()) if each.assignment else ""
        row["not_graded"] = sum(not one.get("points") for one in hand)
        row["reason"], row["notes"] = _plain(each.reason or verdict.ended), _plain(", ".join(notes))
        row["alike"], row["box"] = ", ".join(each.alike), "yes" if boxed else "no: the students are trusted"
        rows.append(row)
    write_atomically(out / "grades.csv", _csv(rows, [*rows[0]]))
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
        if key not in known and (key != digest(*parts) or row["assignment"] in catalogue):
            given = f"; its {row['points']} points count for nobody" if row["points"] else ""
            lines.append(f"the row of {' '.join(parts)} ({key}) belongs to no answer handed in{given}")
    return lines


def _graded_by_hand(file: Path, catalogue: dict[str, Assignment]) -> dict[str, dict]:
    """The points that a person gave in ``by_hand.csv``, by the row's key; none where it is not there. ``of``
    is what the question has today. Raises DataError, naming the line, for a row that is not one, has more
    than that, or comes twice.
    """
    if not file.is_file():
        return {}
    (_, heading), *table = csv_rows(file, "points that were given", DataError) or [(1, [])]
    if absent := [name for name in BY_HAND if name not in heading]:
        expected = f"expected the columns {', '.join(BY_HAND)}; without {', '.join(absent)}"
        raise DataError(f"{file}, line 1: {expected}")
    rows = {}
    for line, cells in filter(lambda row: any(row[1]), table):
        at = f"{file}, line {line}: "
        if len(cells) != len(heading):
            what = f"{len(cells)} cells, and {len(heading)} columns; put a comment with commas in quotes"
            raise DataError(at + what)
        row = dict(zip(heading, map(_bare, cells), strict=True))
        row |= {name: row[name].strip() for name in BY_HAND[:-1]}  # other columns are the teacher's own
        known = catalogue[row["assignment"]].points if row["assignment"] in catalogue else {}
        row["of"] = f"{known.get(row['question'], row['of'])}"
        try:
            row["points"] = f"{float(row['points']):g}" if row["points"] else ""
            if row["points"] and not 0 <= float(row["points"]) <= float(row["of"]):
                raise ValueError
        except ValueError as fault:
            what = f"expected points from 0 to {row['of']}, which the question has, or none"
            raise DataError(at + what) from fault
        if row["key"] in rows:
            name = f"{row['student']} {row['assignment']} {row['question']}"
            raise DataError(f"{at}{name} stands above as well; leave one of them")
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
            before = f"An earlier answer got {row['points']}. {row['comment']}" if row.get("points") else ""
            fresh = (*names, f"{one.most:g}", "", before.strip())
            same = row.get("answer") == answer
            by_hand[key] = row | dict(zip(BY_HAND, names if same else fresh, strict=False))


def _bare(text: str) -> str:
    """A cell as it was before ``_csv`` led it by an apostrophe."""
    return text[1:] if text[:1] == "'" and text[1:].startswith(_FORMULA) else text


def _plain(text: str) -> str:
    """Text of a student's on one line, without what parts cells where commas do not."""
    return re.sub(r"[;|\t\r\n]+", ",", shown(text))


def _csv(rows: list[dict], fields: Sequence[str]) -> str:
    """Rows as CSV. Text that a spreadsheet would take for a formula is led by an apostrophe."""
    table = csv.DictWriter(stream := io.StringIO(), fields)
    table.writeheader()
    for row in rows:
        led = {name: "'" * str(text).startswith(_FORMULA) + str(text) for name, text in row.items()}
        table.writerow(led)
    return stream.getvalue()
