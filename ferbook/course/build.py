"""Build a course from its instructor notebooks: releases for students, data for grading; and test whether an
assignment can be handed out.
"""

import copy
import runpy
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import nbformat
import numpy as np
from nbformat import NotebookNode

from ferbook import paths
from ferbook.course.box import run_cells
from ferbook.course.grade import MOST_VARIANTS, listed_variants, variant_of
from ferbook.course.marking import KEY, SECONDS, Assignment, assignments, hidden, in_variant, mark, read_cells
from ferbook.errors import BookError, FerError
from ferbook.files import whole_folder, write_atomically
from ferbook.steps import Advance, steps


def released(assignment: Assignment) -> NotebookNode:
    """The notebook as students get it: cleared by nbgrader's preprocessors, in the order in which nbgrader
    itself applies them. Raises BookError where it refuses.
    """
    from nbgrader import preprocessors

    order = "LockCells ClearSolutions ClearOutput CheckCellMetadata ComputeChecksums ClearHiddenTests "
    order += "ClearMarkScheme ComputeChecksums CheckCellMetadata"
    notebook, resources = copy.deepcopy(assignment.notebook), {}
    for name in order.split():
        try:
            notebook, resources = getattr(preprocessors, name)().preprocess(notebook, resources)
        except Exception as fault:  # it defines no error classes
            raise BookError(f"{assignment.folder}: nbgrader's {name}: {fault}") from fault
    return notebook


def make_data(assignment: Assignment, variant: int) -> dict[str, np.ndarray]:
    """The arrays of a variant, by the assignment's ``data.py``, and its number as ``variant``. Raises
    BookError where what that reads, such as the networks of the committed run, is absent or damaged.
    """
    make = runpy.run_path(str(assignment.folder / "data.py"))["make"]
    try:
        return {"variant": np.array(variant)} | make(variant)
    except FerError as fault:
        store = f"runs are read from {paths.runs_dir()}, which FER_RUNS names where it is set"
        raise BookError(f"data of {assignment.folder.name}, variant {variant}: {fault}; {store}") from fault


def make_bundle(
    assignment: Assignment, folder: Path, variants: Iterable[int], advance: Advance = lambda: None
) -> None:
    """Write the files that grading needs: the instructor notebook, and of each variant the data and the
    key, from a run of the instructor notebook. Raises BookError where that fails its own checks.
    """
    nbformat.write(assignment.notebook, folder / f"{assignment.folder.name}.ipynb")
    (folder / "digest").write_text(assignment.digest())
    names = {name for source in assignment.checks.values() for name in KEY.findall(hidden(source))}
    for variant in variants:
        files = in_variant(folder, variant)
        files["data.npz"].parent.mkdir()
        np.savez_compressed(files["data.npz"], allow_pickle=False, **make_data(assignment, variant))
        places = ("key.npz", str(files.pop("key.npz")))  # in the kernel's folder, and where it is stored
        keep = f"for file in {places}: numpy.savez(file, **{{name: globals()[name] for name in {names}}})"
        cells = assignment.code | {"key": f"import numpy\n{keep}"} | assignment.checks
        ran = run_cells([*cells.values()], files, SECONDS, boxed=False)
        faults = [f"{name} ({error[1]})" for name, error in zip(cells, ran.errors, strict=False) if error]
        if faults or ran.ended:
            failures = "; ".join(faults) or ran.ended
            raise BookError(f"{assignment.folder}: variant {variant}: its own checks fail: {failures}")
        advance()


def build_course(names: list[str] | None, course: Path, students: list[str]) -> list[str]:
    """Build the assignments of those names, or all, into the folder ``course``, unless they are up to date.
    ``students`` get a variant, or the one that ``variants.csv`` lists for them; only variants of listed
    students are built, and all variants if there is no list.
    Returns a line for each assignment.
    """
    listed = listed_variants(course)
    chosen, lines = assignments(paths.root() / "assignments", names), []
    course.mkdir(parents=True, exist_ok=True, mode=0o700)
    given = {student: int(listed.get(student) or variant_of(student)) for student in students}
    needed = {*given.values()} or {*range(MOST_VARIANTS)}
    with steps("variants", len(needed) * len(chosen) or 1) as advance:
        for name, each in chosen.items():
            built = course / name / "digest"
            there = {
                number
                for number in range(MOST_VARIANTS)
                if in_variant(built.parent, number)["key.npz"].is_file()
            }
            if built.is_file() and built.read_text() == each.digest() and needed <= there:
                lines.append(f"{name}: up to date")
                advance(len(needed))
                continue
            with whole_folder(built.parent, replace=True) as folder:
                make_bundle(each, folder, variants := sorted(needed | there), advance)
                _release(each, folder, variants)
            lines.append(f"{name}: {sum(each.points.values()):g} points, {len(variants)} variants")
    if students:
        rows = [f"{student},{variant}" for student, variant in given.items()]
        write_atomically(course / "variants.csv", "\n".join(["student,variant", *rows]) + "\n")
    return lines


def _release(assignment: Assignment, folder: Path, variants: Iterable[int]) -> None:
    """Write an assignment's notebook and data for students, a zip a variant."""
    name, text = assignment.folder.name, nbformat.writes(released(assignment)) + "\n"
    (folder / "release").mkdir()
    for variant in variants:
        with zipfile.ZipFile(folder / "release" / f"{name}-variant-{variant}.zip", "w") as archive:
            archive.writestr(f"{name}/{name}.ipynb", text, zipfile.ZIP_DEFLATED)
            archive.write(in_variant(folder, variant)["data.npz"], f"{name}/data.npz")


def wrong_solutions(assignment: Assignment, files: dict[str, Path]) -> list[str]:
    """Return faults of the wrong solutions: each is put in place of the instructor's, one after the other
    in one kernel, and must fail its check and no other.
    """
    wrong, restored = assignment.wrong(), [(0, "", source) for source in assignment.solutions.values()]
    cells = [(0, "", source) for source in assignment.code.values()]
    for number, (_, _, source) in enumerate(wrong):
        checks = [(number, name, check) for name, check in assignment.checks.items()]
        cells += [(number, "itself", source), *checks, *restored]
    ran = run_cells([source for *_, source in cells], files, SECONDS, boxed=False, often=len(wrong))
    failed: list[list[str]] = [[] for _ in wrong]
    for (number, name, _), error in zip(cells, ran.errors, strict=False):
        failed[number] += [name] if name and error else []
    return [
        f"wrong.py: {check}: {what!r}: fails {', '.join(names) or 'no check'} {ran.ended}".rstrip()
        for (check, what, _), names in zip(wrong, failed, strict=True)
        if names != [check] or ran.ended
    ]


def check_assignment(assignment: Assignment) -> list[str]:
    """Return what is wrong with an assignment, or nothing: the instructor notebook earns all, the
    released one nothing, and each wrong solution fails its check. Raises BookError where the instructor
    notebook fails its own checks.
    """
    with tempfile.TemporaryDirectory(prefix="course-check-") as place:
        make_bundle(assignment, Path(place), range(1))
        files, release = in_variant(Path(place), 0), nbformat.writes(released(assignment))
        verdict = mark(assignment, read_cells(release.encode()), files, boxed=False)
        faults = [f"the release earns what {name} gives" for name, why in verdict.checks.items() if not why]
        faults += [f"the release's cell {cell}: {what}" for cell, what in verdict.notes]
        return faults + wrong_solutions(assignment, files)
