"""Grading what a class handed in: found, judged side by side, each result kept, and reported."""

import csv
import hashlib
import io
import json
import os
import re
import stat
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import nbformat
from pydantic import ValidationError

from ferbook.course import feedback, judge, sandbox, worker
from ferbook.course.build import OUR_METADATA, limit_of, packages, read_secret, variant_of
from ferbook.course.judge import Case, Verdict
from ferbook.course.sandbox import TRUST, choose_isolation
from ferbook.course.source import Assignment, assignments, name_of
from ferbook.environment import child_environment
from ferbook.errors import ChapterError, DataError
from ferbook.files import write_atomically
from ferbook.notebook import read_notebook

LARGEST = 20 * 2**20
"""Bytes of a notebook."""
STUDENT = re.compile(r"\w[\w.@+-]{0,99}")
SPARE = 120
"""Seconds that a judge may take beside the student's code."""


@dataclass
class Submission:
    """A student's notebook for an assignment; ``reason``: why it is not judged; ``notes``: what is odd."""

    student: str
    assignment: str = ""
    file: Path | None = None
    reason: str = ""
    notes: list[tuple[str, str]] = field(default_factory=list)
    verdict: Verdict | None = None


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
    if told.st_size > LARGEST:
        return "", f"{told.st_size >> 20} MiB; a notebook has at most {LARGEST >> 20}"
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


def grade(
    folder: Path,
    course: Path,
    out: Path,
    names: list[str] | None = None,
    cores: int | None = None,
    trust: bool = False,
    tell: Callable[[str], None] = print,
) -> list[Submission]:
    """Judge each submission and write the reports into ``out``. Results of an earlier call are kept where
    the notebook, the assignment and the variant are the same.

    Raises MissingError where student's code cannot be isolated and they are not trusted; DataError where
    an assignment is not built, or nothing is handed in.
    """
    known = assignments(names)
    bundles = {each.name: course / "judge" / each.name for each in known}
    if absent := [name for name, place in bundles.items() if not (place / "bundle.json").is_file()]:
        raise DataError(
            f"{course}: not built: {', '.join(absent)}; `ferbook course build {' '.join(absent)}`"
        )
    secret = read_secret(course)
    submissions = find_submissions(folder, known)
    isolation = TRUST if trust else choose_isolation([course, folder, *(each.folder for each in known)])
    tell(f"isolation: {isolation}")
    todo = [each for each in submissions if not each.reason]
    work = partial(_judged, bundles=bundles, secret=secret, isolation=isolation, out=out)
    with ThreadPoolExecutor(cores or os.cpu_count()) as pool:
        for done, each in enumerate(pool.map(work, todo), 1):
            points = sum(check.points for check in each.verdict.checks) if each.verdict else 0
            tell(f"{done}/{len(todo)} {each.student} {each.assignment}: {points:g} {each.reason}".rstrip())
    _report(submissions, out, isolation, {each.name: each for each in known})
    return submissions


def _judged(
    submission: Submission, bundles: dict[str, Path], secret: bytes, isolation: str, out: Path
) -> Submission:
    bundle = bundles[submission.assignment]
    variant = variant_of(submission.student, secret)
    content = submission.file.read_bytes()
    said = json.loads(content).get("metadata", {}).get(OUR_METADATA)
    if isinstance(said, dict) and said.get("variant", variant) != variant:
        told = f"variant {str(said['variant'])[:20]}, but this student's is {variant}, by which it is judged"
        submission.notes.append(("the file", told))
    case = Case(
        bundle=bundle,
        notebook=submission.file.resolve(),
        variant=variant,
        isolation=isolation,
        seconds=limit_of(bundle),
        packages=packages(),
    )
    engine = b"".join(Path(each.__file__).read_bytes() for each in (judge, sandbox, worker))
    told = (content, (bundle / "bundle.json").read_bytes(), str(variant).encode(), isolation.encode(), engine)
    digest = hashlib.sha256(b"\0".join(told)).hexdigest()
    kept = out / "results" / submission.student / f"{submission.assignment}.json"
    try:
        record = json.loads(kept.read_text(encoding="utf-8"))
        if record["digest"] == digest:
            submission.verdict = Verdict.model_validate(record["verdict"])
            return submission
    except (OSError, ValueError, KeyError, TypeError):
        pass
    answer = None
    try:
        answer = subprocess.run(
            [sys.executable, "-m", "ferbook.course.judge"],
            input=case.model_dump_json(),
            capture_output=True,
            text=True,
            timeout=case.seconds + SPARE,
            env=child_environment(MPLBACKEND="Agg", OMP_NUM_THREADS="1", PYTHONHASHSEED="0"),
            check=True,
        )
        submission.verdict = Verdict.model_validate_json(answer.stdout)
    except (subprocess.SubprocessError, ValidationError) as fault:
        last = (getattr(fault, "stderr", None) or str(fault)).strip().splitlines()[-1]
        submission.reason = f"the judge failed: {last[:300]}"
        return submission
    write_atomically(kept, json.dumps({"digest": digest, "verdict": submission.verdict.model_dump()}))
    return submission


def _report(submissions: list[Submission], out: Path, isolation: str, known: dict[str, Assignment]) -> None:
    by_hand = _graded_by_hand(out / "by_hand.csv", submissions)
    rows, students = [], defaultdict(list)
    for each in submissions:
        students[each.student].append(each)
        verdict = each.verdict or Verdict()
        hand = [by_hand.get((each.student, each.assignment, one.question), {}) for one in verdict.written]
        points = sum(check.points for check in verdict.checks)
        rows.append(
            {
                "student": each.student,
                "assignment": each.assignment,
                "file": shown(each.file.name) if each.file else "",
                "points": f"{points:g}" if each.verdict else "",
                "by_hand": f"{sum(float(one.get('points') or 0) for one in hand):g}" if hand else "",
                "of": sum(known[each.assignment].points.values()) if each.assignment else "",
                "not_graded": sum(not one.get("points") for one in hand),
                "reason": each.reason or verdict.ended,
                "notes": "; ".join(f"{cell}: {what}" for cell, what in each.notes + verdict.notes),
                "isolation": isolation,
            }
        )
    write_atomically(out / "grades.csv", _csv(rows))
    for student, theirs in students.items():
        if any(each.file for each in theirs):
            page = feedback.page(student, theirs, known, by_hand, trusted=isolation == TRUST)
            write_atomically(out / "feedback" / f"{student}.html", page)
    write_atomically(out / "by_hand.html", feedback.to_grade(submissions, known))


def _graded_by_hand(file: Path, submissions: list[Submission]) -> dict[tuple[str, str, str], dict]:
    """The points that a person gave in ``by_hand.csv``, by student, assignment and question; answers that
    are new, or others than were graded, are added to it without points. Raises DataError, naming the row, for
    points that are none.
    """
    fields = ["student", "assignment", "question", "answer", "of", "points", "comment"]
    rows = {}
    if file.is_file():
        for number, row in enumerate(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"))), 2):
            try:
                if row["points"] and not 0 <= float(row["points"]) <= float(row["of"]):
                    raise ValueError
                rows[row["student"], row["assignment"], row["question"]] = {
                    name: row[name] for name in fields
                }
            except (KeyError, TypeError, ValueError) as fault:
                told = f"points from 0 to {row.get('of')}, or none" if "points" in row else ", ".join(fields)
                raise DataError(f"{file}, line {number}: expected {told}") from fault
    for each in submissions:
        for one in each.verdict.written if each.verdict else ():
            place = (each.student, each.assignment, one.question)
            answer = hashlib.sha256(one.answer.encode()).hexdigest()[:12]
            row = rows.get(place, {})
            if row.get("answer") != answer:
                before = (
                    f"An earlier answer got {row['points']}. {row['comment']}" if row.get("points") else ""
                )
                rows[place] = dict(
                    zip(fields, (*place, answer, f"{one.most:g}", "", before.strip()), strict=True)
                )
    write_atomically(file, _csv(list(rows.values()), fields))
    return rows


def _csv(rows: list[dict], fields: list[str] | None = None) -> str:
    """Rows as CSV. Text that a spreadsheet would take for a formula is led by an apostrophe."""
    written = io.StringIO()
    table = csv.DictWriter(written, fields or list(rows[0]))
    table.writeheader()
    for row in rows:
        table.writerow(
            {
                name: f"'{text}" if str(text)[:1] in "=+-@\t\r" and text != "" else text
                for name, text in row.items()
            }
        )
    return written.getvalue()
