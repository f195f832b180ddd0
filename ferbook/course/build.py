"""A course from its instructor notebooks: what students are given, what grading holds, and what a course that
runs nbgrader takes.
"""

import copy
import csv
import hmac
import importlib.util
import io
import json
import os
import secrets
import statistics
import zipfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import nbformat
import numpy as np
from nbformat import NotebookNode

from ferbook import paths
from ferbook.beside import REFERENCE
from ferbook.course.marking import beside, mark
from ferbook.course.source import MOST_VARIANTS, Assignment, Judgement, assignments
from ferbook.course.submission import is_student, one_form
from ferbook.errors import BookError, DataError, FerError, MissingError, ParameterError
from ferbook.files import whole_folder, write_atomically
from ferbook.owner import end_with_parent
from ferbook.steps import Advance, steps

# A cell's seconds by the clock: three times what the instructor's whole notebook takes, from 30 to 120.
SLOWEST, LEAST, SHARE = 120, 30, 3


def course_folder(place: Path | None) -> Path:
    """Where a built course lies: ``_course`` in the book where no other place is given."""
    return (place or paths.root() / "_course").resolve()


def read_secret(course: Path, new: bool = True) -> bytes:
    """The course's secret, which decides who has which variant; made where there is none yet. Raises
    DataError where it is not there and must not be ``new``: another would give everybody another variant.
    """
    file = course / "secret"
    if not file.is_file():
        if not new:
            remedy = (
                f"put it back, or remove {course} and hand out anew: with another secret students have other"
            )
            raise DataError(f"{file}: not found, and {course / 'judge'} was built with it; {remedy} variants")
        course.mkdir(parents=True, exist_ok=True)
        course.chmod(0o700)
        write_atomically(file, secrets.token_hex(32) + "\n")
        file.chmod(0o600)
    return file.read_bytes().strip()


def variant_of(student: str, secret: bytes) -> int:
    """Which of the variants a student has: HMAC-SHA-256 of the name, keyed by the secret, modulo 8."""
    return int.from_bytes(hmac.digest(secret, student.encode(), "sha256")) % MOST_VARIANTS


def released(notebook: NotebookNode) -> NotebookNode:
    """The notebook as students get it: cleared by nbgrader's preprocessors, in the order in which nbgrader
    itself applies them. Raises MissingError where nbgrader is not installed.
    """
    try:
        from nbgrader import preprocessors
    except ImportError as fault:
        remedy = "`python -m pip install -c constraints.txt -e '.[course]'`"
        raise MissingError(f"nbgrader is not installed: {remedy}") from fault
    order = "LockCells ClearSolutions ClearOutput CheckCellMetadata ComputeChecksums ClearHiddenTests "
    order += "ClearMarkScheme ComputeChecksums CheckCellMetadata"
    notebook, resources = copy.deepcopy(notebook), {}
    for name in order.split():
        step = getattr(preprocessors, name)()
        if name == "ClearSolutions":
            step.code_stub = {"python": "raise NotImplementedError()"}
        notebook, resources = step.preprocess(notebook, resources)
    return notebook


def make_data(assignment: Assignment, variant: int) -> dict[str, np.ndarray]:
    """The arrays of a variant, by the assignment's ``data.py``, and its number as ``variant``. Raises
    BookError where what that reads, such as the networks of the committed run, is absent or damaged.
    """
    spec = importlib.util.spec_from_file_location("data", assignment.folder / "data.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        return {"variant": np.array(variant)} | module.make(variant)
    except FerError as fault:
        runs = paths.runs_dir()
        remedy = "" if (runs / REFERENCE).is_dir() else f"; {runs} holds no run {REFERENCE}: unset FER_RUNS"
        raise BookError(f"data of {assignment.name}, variant {variant}: {fault}{remedy}") from fault


def make_bundle(
    assignment: Assignment, folder: Path, variants: range, advance: Advance = lambda: None
) -> None:
    """What grading holds of an assignment: the instructor notebook, and of each variant the data and the
    key, from a run of the instructor notebook.
    """
    nbformat.write(assignment.notebook, folder / "instructor.ipynb")
    make, seconds = partial(make_variant, assignment, folder), []
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), _begin) as pool:
        # The first one alone: what it renders, the others read from the cache.
        for some in (variants[:1], variants[1:]):
            for each in pool.map(make, some):
                seconds.append(each)
                advance()
    facts = {"digest": assignment.digest(), "seconds": statistics.median(seconds)}
    (folder / "bundle.json").write_text(json.dumps(facts))


def _begin() -> None:
    end_with_parent()
    os.environ["OMP_NUM_THREADS"] = "1"  # each core has a variant of its own


def make_variant(assignment: Assignment, folder: Path, variant: int) -> float:
    """Write data and key of a variant; the seconds that the instructor notebook took."""
    files, notebook = beside(folder, variant), assignment.notebook
    files["data.npz"].parent.mkdir()
    np.savez_compressed(files["data.npz"], allow_pickle=False, **make_data(assignment, variant))
    key_file = files.pop("key.npz")
    verdict, key = mark(notebook, notebook, files, SHARE * SLOWEST, False, assignment.keys)
    if told := failures(verdict):
        raise BookError(f"{assignment.file}: variant {variant}: its own checks fail: {told}")
    key_file.write_bytes(key)
    return verdict.seconds


def failures(verdict: Judgement) -> str:
    """The checks that did not earn all their points, each with its message."""
    return "; ".join(f"{each.check} ({each.message})" for each in verdict.checks if each.points < each.most)


def limit_of(bundle: Path) -> float:
    """Seconds that a cell of a submission may take."""
    return min(SLOWEST, max(LEAST, SHARE * json.loads((bundle / "bundle.json").read_text())["seconds"]))


def is_built(bundle: Path, assignment: Assignment | None = None) -> bool:
    """Whether it lies there, and where ``assignment`` is given, was built from it as it is now."""
    try:
        digest = json.loads((bundle / "bundle.json").read_text())["digest"]
        return beside(bundle, 0)["key.npz"].is_file() and (not assignment or digest == assignment.digest())
    except (OSError, ValueError, KeyError):
        return False


def build_course(names: list[str] | None, course: Path, students: list[str]) -> list[str]:
    """Build the assignments of those names, all where none is named, into the folder ``course``; what is
    up to date stays. Returns a line for each.
    """
    secret = read_secret(course, new=not (course / "judge").is_dir())
    chosen = assignments(names)
    places = {each: (course / "judge" / each.name, course / "release" / each.name) for each in chosen}
    fresh = {each for each, (bundle, zips) in places.items() if zips.is_dir() and is_built(bundle, each)}
    stale = [each for each in chosen if each not in fresh]
    lines = [f"{each.name}: up to date" for each in chosen if each in fresh]
    with steps("variants", MOST_VARIANTS * len(stale) or 1) as advance:
        for each in stale:
            # The bundle takes its place last: it says what is up to date.
            bundle, handout = places[each]
            with whole_folder(bundle, replace=True) as folder, whole_folder(handout, replace=True) as zips:
                make_bundle(each, folder, range(MOST_VARIANTS), advance)
                _release(each, folder, zips)
                place = course / "nbgrader" / "source" / each.name / f"{each.name}.ipynb"
                write_atomically(place, nbformat.writes(each.notebook) + "\n")
            points, seconds = sum(each.points.values()), limit_of(bundle)
            lines.append(f"{each.name}: {points:g} points, {MOST_VARIANTS} variants, {seconds:.0f} s a cell")
    if students:
        rows = [f"{student},{variant_of(student, secret)}" for student in students]
        write_atomically(course / "variants.csv", "\n".join(["student,variant", *rows]) + "\n")
    return lines


def _release(assignment: Assignment, bundle: Path, folder: Path) -> None:
    """Write an assignment's notebook and data for students, a zip a variant."""
    name, text = assignment.name, nbformat.writes(released(assignment.notebook)) + "\n"
    for variant in range(MOST_VARIANTS):
        files = {f"{name}.ipynb": text.encode(), "data.npz": beside(bundle, variant)["data.npz"].read_bytes()}
        with zipfile.ZipFile(folder / f"{name}-variant-{variant}.zip", "w") as archive:
            for file, content in files.items():
                archive.writestr(zipfile.ZipInfo(f"{name}/{file}"), content, zipfile.ZIP_DEFLATED)


def csv_rows(file: Path, what: str, error: type[Exception]) -> list[tuple[int, list[str]]]:
    """Each row of a CSV file with the number of its last line; parted by commas, semicolons or tabs. Raises
    ``error``, saying that it is no ``what``, for one that is not UTF-8, or has a quote that does not end.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
        head = text.partition("\n")[0]
        table = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
        return [(table.line_num, row) for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise error(f"{file}: cannot be read as {what} ({fault}); save it as CSV in UTF-8") from fault


def read_students(file: Path) -> list[str]:
    """The students' names: the column ``student`` of a CSV file, the first one where no heading says so;
    parted by commas, semicolons or tabs. Raises ParameterError, naming each, for names that no folder of work
    that is handed in can have, or that come twice.
    """
    table = [row for _, row in csv_rows(file, "a list of students", ParameterError)]
    heading = [each.strip().lower() for each in table[0]] if table else []
    column, first = (heading.index("student"), 1) if "student" in heading else (0, 0)
    names = [one_form(row[column].strip()) for row in table[first:] if len(row) > column]
    names = [name for name in names if name]
    odd = [f"{name!a} cannot name a folder" for name in names if not is_student(name)]
    odd += [f"{name} comes twice" for name, count in Counter(names).items() if count > 1]
    if odd or not names:
        message = "; ".join(odd) or "no names"
        raise ParameterError(f"{file}: {message}; expected letters, digits and _ . @ + -, each name once")
    return names
