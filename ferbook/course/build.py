"""A course from its instructor notebooks: what students are given, what the judge holds, and what a course
that runs nbgrader takes.
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
from ferbook.course import source
from ferbook.course.judge import Case, judge_submission
from ferbook.course.recognition import OUR_METADATA
from ferbook.course.sandbox import TRUST
from ferbook.course.source import HIDDEN, MOST_VARIANTS, Assignment, is_check
from ferbook.course.submission import is_student
from ferbook.course.worker import decode
from ferbook.errors import BookError, DataError, FerError, MissingError, ParameterError
from ferbook.files import whole_folder, write_atomically
from ferbook.owner import end_with_parent

SLOWEST, LEAST, SHARE = 60, 10, 3
"""A submission's seconds: three times the instructor's, from 10 to 60."""


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
            raise DataError(
                f"{file}: not found, and {course / 'judge'} was built with it; put it back, or remove "
                f"{course} and hand out anew: with another secret students have other variants"
            )
        course.mkdir(parents=True, exist_ok=True)
        course.chmod(0o700)
        write_atomically(file, secrets.token_hex(32) + "\n")
        file.chmod(0o600)
    return file.read_bytes().strip()


def variant_of(student: str, secret: bytes) -> int:
    """Which of the variants a student has: HMAC-SHA-256 of the name, keyed by the secret, modulo 8."""
    return int.from_bytes(hmac.digest(secret, student.encode(), "sha256")) % MOST_VARIANTS


def packages() -> tuple[Path, ...]:
    """The folders of the packages that students' code may import. Raises BookError for one, or a withheld
    module, that does not exist.
    """
    course = source.course()
    specs = {name: importlib.util.find_spec(name) for name in (*course.packages, *course.withheld)}
    if absent := [name for name, spec in specs.items() if spec is None]:
        raise BookError(f"assignments/course.yaml: there is no package or module {', '.join(absent)}")
    return tuple(Path(next(iter(specs[name].submodule_search_locations))) for name in course.packages)


def released(notebook: NotebookNode) -> NotebookNode:
    """The notebook as students get it: cleared by nbgrader's preprocessors, in the order in which nbgrader
    itself applies them. Raises MissingError where nbgrader is not installed.
    """
    try:
        from nbgrader import preprocessors as steps
    except ImportError as fault:
        raise MissingError(
            "nbgrader is not installed: `python -m pip install -c constraints.txt -e '.[course]'`"
        ) from fault
    order = "LockCells ClearSolutions ClearOutput CheckCellMetadata ComputeChecksums ClearHiddenTests "
    order += "ClearMarkScheme ComputeChecksums CheckCellMetadata"
    notebook, resources = copy.deepcopy(notebook), {}
    for name in order.split():
        step = getattr(steps, name)()
        if name == "ClearSolutions":
            step.code_stub = {"python": "raise NotImplementedError()"}
        notebook, resources = step.preprocess(notebook, resources)
    return notebook


def with_keys(notebook: NotebookNode, keys: dict[str, object]) -> NotebookNode:
    """The instructor notebook for a course that runs nbgrader, where no judge tells a hidden check the keys:
    they are written into it.
    """
    notebook = copy.deepcopy(notebook)
    values = {name: _literal(decode(code)) for name, code in keys.items()}
    for cell in filter(is_check, notebook.cells):
        secret = HIDDEN.search(cell.source + "\n").group(1)
        if "key." in secret:
            arguments = ", ".join(
                f"{name}={text}" for name, text in values.items() if f"key.{name}" in secret
            )
            line = f"import types\nimport numpy as np\nkey = types.SimpleNamespace({arguments})\n"
            cell.source = cell.source.replace(secret, line + secret)
    return notebook


def _literal(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"np.array({value.tolist()!r}, dtype={value.dtype.str!r})"
    return repr(value.item() if isinstance(value, np.generic) else value)


def for_variant(notebook: NotebookNode, name: str, variant: int) -> NotebookNode:
    """The notebook with a variant's parameter, saying which it is."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        cell.source = source.source_of(cell, variant)
    notebook.metadata[OUR_METADATA] = {"assignment": name, "variant": variant}
    return notebook


def make_data(assignment: Assignment, variant: int) -> dict[str, np.ndarray]:
    """The arrays of a variant, by the assignment's ``data.py``. Raises BookError where what that reads, such
    as the networks of the committed run, is absent or damaged.
    """
    spec = importlib.util.spec_from_file_location("data", assignment.folder / "data.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        return module.make(variant)
    except FerError as fault:
        runs = paths.runs_dir()
        remedy = "" if (runs / REFERENCE).is_dir() else f"; {runs} holds no run {REFERENCE}: unset FER_RUNS"
        raise BookError(f"data of {assignment.name}, variant {variant}: {fault}{remedy}") from fault


def make_bundle(assignment: Assignment, folder: Path, variants: range) -> None:
    """What the judge holds of an assignment: the instructor notebook, its release, and of each variant the
    data and the key, from a run of the instructor notebook.
    """
    nbformat.write(assignment.notebook, folder / "instructor.ipynb")
    nbformat.write(released(assignment.notebook), folder / "release.ipynb")
    make = partial(_make_variant, assignment, folder)
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), _begin) as pool:
        # The first one alone: what it renders, the others read from the cache.
        seconds = [pool.submit(make, variants[0]).result(), *pool.map(make, variants[1:])]
    facts = {
        "digest": assignment.digest(),
        "seconds": statistics.median(seconds),
        "points": assignment.points,
    }
    (folder / "bundle.json").write_text(json.dumps(facts))


def _begin() -> None:
    end_with_parent()
    os.environ["OMP_NUM_THREADS"] = "1"  # each core has a variant of its own


def _make_variant(assignment: Assignment, folder: Path, variant: int) -> float:
    """Write data and key of a variant; the seconds that the instructor notebook took."""
    place = folder / f"variant-{variant}"
    place.mkdir()
    np.savez_compressed(place / "data.npz", allow_pickle=False, **make_data(assignment, variant))
    keys: dict[str, object] = {}
    case = Case(
        bundle=folder,
        notebook=nbformat.writes(assignment.notebook),
        variant=variant,
        isolation=TRUST,
        seconds=10 * SLOWEST,
        packages=packages(),
    )
    verdict = judge_submission(case, keys)
    if failures := [f"{each.check} ({each.message})" for each in verdict.checks if each.points < each.most]:
        raise BookError(f"{assignment.file}: variant {variant}: its own checks fail: {'; '.join(failures)}")
    (place / "key.json").write_text(json.dumps(keys))
    return verdict.seconds


def limit_of(bundle: Path) -> float:
    """Seconds that a submission may take."""
    return min(SLOWEST, max(LEAST, SHARE * json.loads((bundle / "bundle.json").read_text())["seconds"]))


def build_course(names: list[str] | None, course: Path, students: list[str]) -> list[str]:
    """Build the assignments of those names, all where none is named, into the folder ``course``; what is
    up to date stays. Returns a line for each.
    """
    secret = read_secret(course, new=not (course / "judge").is_dir())
    lines = []
    for assignment in source.assignments(names):
        bundle = course / "judge" / assignment.name
        release = course / "release" / assignment.name
        if release.is_dir() and _up_to_date(bundle, assignment):
            lines.append(f"{assignment.name}: up to date")
            continue
        # The bundle takes its place last: it says what is up to date.
        with whole_folder(bundle, replace=True) as folder, whole_folder(release, replace=True) as handout:
            make_bundle(assignment, folder, range(MOST_VARIANTS))
            _release(assignment, folder, handout, course)
        facts = json.loads((bundle / "bundle.json").read_text())
        lines.append(
            f"{assignment.name}: {sum(facts['points'].values()):g} points, {MOST_VARIANTS} variants, "
            f"{facts['seconds']:.1f} s for the instructor notebook"
        )
    if students:
        rows = [f"{student},{variant_of(student, secret)}" for student in students]
        write_atomically(course / "variants.csv", "\n".join(["student,variant", *rows]) + "\n")
    return lines


def _up_to_date(bundle: Path, assignment: Assignment) -> bool:
    try:
        return json.loads((bundle / "bundle.json").read_text())["digest"] == assignment.digest()
    except (OSError, ValueError, KeyError):
        return False


def _release(assignment: Assignment, bundle: Path, handout: Path, course: Path) -> None:
    """Write an assignment's notebook and data for students, a zip a variant, into the folder ``handout``; and
    nbgrader's source.
    """
    name = assignment.name
    for variant in range(MOST_VARIANTS):
        data = (bundle / f"variant-{variant}" / "data.npz").read_bytes()
        text = nbformat.writes(released(for_variant(assignment.notebook, name, variant))) + "\n"
        target = handout / f"{name}-variant-{variant}.zip"
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for file, content in ((f"{name}.ipynb", text.encode()), ("data.npz", data)):
                archive.writestr(zipfile.ZipInfo(f"{name}/{file}"), content, zipfile.ZIP_DEFLATED)
    keys = json.loads((bundle / "variant-0" / "key.json").read_text())
    place = course / "nbgrader" / "source" / name
    text = nbformat.writes(for_variant(with_keys(assignment.notebook, keys), name, 0)) + "\n"
    write_atomically(place / f"{name}.ipynb", text)
    write_atomically(place / "data.npz", (bundle / "variant-0" / "data.npz").read_bytes())


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
    names = [row[column].strip() for row in table[first:] if len(row) > column and row[column].strip()]
    odd = [f"{name!a} cannot name a folder" for name in names if not is_student(name)]
    odd += [f"{name} comes twice" for name, count in Counter(names).items() if count > 1]
    if odd or not names:
        message = "; ".join(odd) or "no names"
        raise ParameterError(f"{file}: {message}; expected letters, digits and _ . @ + -, each name once")
    return names
