"""Grading what a class handed in: found, judged side by side, each result kept, and reported."""

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from ferbook.course import feedback, judge, memory, recognition, sandbox, syscalls, worker
from ferbook.course.build import csv_rows, limit_of, packages, read_secret, variant_of
from ferbook.course.judge import Case, Judgement
from ferbook.course.recognition import as_text
from ferbook.course.sandbox import TRUST, choose_isolation
from ferbook.course.source import Assignment, assignments
from ferbook.course.source import course as course_file
from ferbook.course.submission import Submission, find_submissions, shown
from ferbook.environment import child_environment
from ferbook.errors import DataError
from ferbook.files import write_atomically

_ENGINE = (judge, memory, recognition, sandbox, syscalls, worker)
BY_HAND = ("student", "assignment", "question", "answer", "of", "points", "comment")
"""The columns of ``by_hand.csv``."""

SPARE = 600
"""Seconds that a judge may take beside the student's code."""


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
    an assignment is not built, nothing is handed in, or ``by_hand.csv`` is wrong: then nothing is judged.
    """
    catalogue = assignments(names)
    bundles = {each.name: course / "judge" / each.name for each in catalogue}
    if absent := [name for name, place in bundles.items() if not (place / "bundle.json").is_file()]:
        raise DataError(
            f"{course}: not built: {', '.join(absent)}; "
            f"`ferbook course build {' '.join(absent)} --course {course}`"
        )
    secret = read_secret(course, new=False)
    submissions = find_submissions(folder, catalogue)
    points_by_hand = partial(_graded_by_hand, out / "by_hand.csv", _points_of(bundles))
    points_by_hand()  # raises before anything is judged
    isolation = TRUST if trust else choose_isolation([course, folder, *(each.folder for each in catalogue)])
    tell(f"isolation: {isolation}")
    todo = [each for each in submissions if not each.reason]
    work = partial(_judged, bundles=bundles, secret=secret, isolation=isolation, out=out)
    with ThreadPoolExecutor(cores or os.cpu_count()) as pool:
        for number, each in enumerate(pool.map(work, todo), 1):
            points = sum(check.points for check in each.verdict.checks) if each.verdict else 0
            tell(f"{number}/{len(todo)} {each.student} {each.assignment}: {points:g} {each.reason}".rstrip())
    by_hand = points_by_hand()  # whoever graded meanwhile loses nothing
    _add_answers(by_hand, submissions)
    columns = dict.fromkeys((*BY_HAND, *(name for row in by_hand.values() for name in row)))
    write_atomically(out / "by_hand.csv", _csv(list(by_hand.values()), [*columns]))
    _report(submissions, by_hand, out, isolation, {each.name: each for each in catalogue})
    return submissions


def _judged(
    submission: Submission, bundles: dict[str, Path], secret: bytes, isolation: str, out: Path
) -> Submission:
    """The submission with its verdict, or with the reason why it has none: it stops no other."""
    try:
        _judge(submission, bundles[submission.assignment], secret, isolation, out)
    except Exception as fault:  # whatever one submission raises is its row
        words = getattr(fault, "stderr", None) or str(fault)
        # Bytes, of a judge that ran too long.
        words = words.decode(errors="replace") if isinstance(words, bytes) else words
        last = words.strip().splitlines()[-1:] or [""]
        submission.reason = f"the judge failed ({type(fault).__name__}): {shown(as_text(last[0][:300]))}"
    return submission


def _judge(submission: Submission, bundle: Path, secret: bytes, isolation: str, out: Path) -> None:
    variant = variant_of(submission.student, secret)
    content = submission.notebook.encode()
    label = submission.said.get("variant", str(variant))
    if label != str(variant):
        details = f"variant {label[:20]}, but this student's is {variant}, by which it is judged"
        submission.notes.append(("the file", details))
    case = Case(
        bundle=bundle,
        notebook=submission.notebook,
        variant=variant,
        isolation=isolation,
        seconds=limit_of(bundle),
        packages=packages(),
        withheld=course_file().withheld,
    )
    engine = b"".join(Path(each.__file__).read_bytes() for each in _ENGINE)
    details = (isolation, str(variant), *case.withheld)
    parts = (content, (bundle / "bundle.json").read_bytes(), engine, *(each.encode() for each in details))
    digest = hashlib.sha256(b"\0".join(parts)).hexdigest()
    cache = out / "results" / submission.student / f"{submission.assignment}.json"
    try:
        record = json.loads(cache.read_text(encoding="utf-8"))
        verdict = Judgement.model_validate(record["verdict"])
        # What was stopped may have had bad luck: a machine that was busy, or short of memory.
        if record["digest"] == digest and not verdict.ended:
            submission.verdict = verdict
            return
    except (OSError, ValueError, KeyError, TypeError):
        pass
    answer = subprocess.run(
        [sys.executable, "-P", "-m", "ferbook.course.judge"],
        input=case.model_dump_json(),
        capture_output=True,
        text=True,
        timeout=case.seconds + SPARE,
        env=child_environment(MPLBACKEND="Agg", OMP_NUM_THREADS="1", PYTHONHASHSEED="0"),
        check=True,
    )
    submission.verdict = Judgement.model_validate_json(answer.stdout)
    write_atomically(cache, json.dumps({"digest": digest, "verdict": submission.verdict.model_dump()}))


def _report(
    submissions: list[Submission],
    by_hand: dict[tuple[str, str, str], dict],
    out: Path,
    isolation: str,
    catalogue: dict[str, Assignment],
) -> None:
    rows, students = [], defaultdict(list)
    for each in submissions:
        students[each.student].append(each)
        verdict = each.verdict or Judgement()
        hand = [by_hand.get((each.student, each.assignment, one.question), {}) for one in verdict.written]
        points = sum(check.points for check in verdict.checks)
        rows.append(
            {
                "student": each.student,
                "assignment": each.assignment,
                "file": shown(each.file.name) if each.file else "",
                "points": f"{points:g}" if each.verdict else "",
                "by_hand": f"{sum(float(one.get('points') or 0) for one in hand):g}" if hand else "",
                "of": sum(catalogue[each.assignment].points.values()) if each.assignment else "",
                "not_graded": sum(not one.get("points") for one in hand),
                "reason": each.reason or verdict.ended,
                "notes": shown("; ".join(f"{cell}: {what}" for cell, what in each.notes + verdict.notes)),
                "isolation": isolation,
            }
        )
    write_atomically(out / "grades.csv", _csv(rows))
    for student, theirs in students.items():
        if any(each.file for each in theirs):
            page = feedback.page(student, theirs, catalogue, by_hand, trusted=isolation == TRUST)
            write_atomically(out / "feedback" / f"{student}.html", page)
    write_atomically(out / "by_hand.html", feedback.to_grade(submissions, catalogue))


def _points_of(bundles: dict[str, Path]) -> dict[tuple[str, str], float]:
    """The points of each check and each answer in words, by assignment and ``grade_id``."""
    facts = {name: json.loads((place / "bundle.json").read_text()) for name, place in bundles.items()}
    return {(name, each): most for name, about in facts.items() for each, most in about["points"].items()}


def _graded_by_hand(file: Path, points: dict[tuple[str, str], float]) -> dict[tuple[str, str, str], dict]:
    """The points that a person gave in ``by_hand.csv``, by student, assignment and question; none where it is
    not there. ``of`` is what ``points`` has for assignment and question today. Raises DataError, naming the
    line, for a row that is not one, has more than that, or comes twice.
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
        place = (row["student"], row["assignment"], row["question"])
        if place in rows:
            raise DataError(f"{file}, line {line}: {' '.join(place)} stands above as well; leave one of them")
        rows[place] = row
    return rows


def _add_answers(by_hand: dict[tuple[str, str, str], dict], submissions: list[Submission]) -> None:
    """Add to ``by_hand``, without points, what nobody graded yet: answers that are new, or others than were
    graded.
    """
    for each in submissions:
        for one in each.verdict.written if each.verdict else ():
            place = (each.student, each.assignment, one.question)
            answer = hashlib.sha256(one.answer.encode()).hexdigest()[:12]
            row = by_hand.get(place, {})
            if row.get("answer") != answer:
                before = (
                    f"An earlier answer got {row['points']}. {row['comment']}" if row.get("points") else ""
                )
                by_hand[place] = dict(
                    zip(BY_HAND, (*place, answer, f"{one.most:g}", "", before.strip()), strict=True)
                )


_FORMULA = "=+-@\t\r"
"""What a spreadsheet takes for the begin of a formula."""


def _bare(text: str) -> str:
    """A cell as it was before ``_csv`` led it by an apostrophe."""
    return text[1:] if text[:1] == "'" and text[1:2] in tuple(_FORMULA) else text


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
