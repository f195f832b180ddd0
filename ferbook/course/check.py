"""Whether an assignment can be handed out: the instructor notebook earns all, the released one nothing, each
wrong solution fails its check, and no line of a solution or of a hidden check is in the release.
"""

import json
import tempfile
from pathlib import Path
from types import SimpleNamespace

import nbformat
from nbformat import NotebookNode

from ferbook.course import source
from ferbook.course.build import for_variant, make_bundle, packages, released
from ferbook.course.judge import Bench, Case, Judgement, in_folder, judge_submission
from ferbook.course.sandbox import Box, Worker
from ferbook.course.source import HIDDEN, SOLUTION, Assignment, is_check, is_given, is_solution, name_of
from ferbook.course.worker import decode

SECONDS = 300
"""That an instructor notebook and all wrong solutions may take."""
_SHORT = 16
"""A line of fewer characters tells nothing by itself."""


def leaks(notebook: NotebookNode, release: str) -> list[str]:
    """Lines of solutions, hidden checks and rubrics that the text of the release holds, and outputs or
    attachments in it. A line of a hidden check that stands in what students see as well is no leak.
    """
    secret: set[str] = set()
    for cell in notebook.cells:
        text = cell.source + "\n"
        visible = "".join(HIDDEN.sub("", other.source + "\n") for other in notebook.cells)
        secret |= {line for line in _lines(HIDDEN.findall(text)) if line not in visible}
        secret |= _lines([text] if source.is_written(cell) else SOLUTION.findall(text))
    lines = [line for line in sorted(secret) if json.dumps(line, ensure_ascii=False)[1:-1] in release]
    cells = nbformat.reads(release, as_version=4).cells
    lines += [f"output of {name_of(cell) or 'a cell'}" for cell in cells if cell.get("outputs")]
    return lines + [f"attachment of {name_of(cell) or 'a cell'}" for cell in cells if cell.get("attachments")]


def _lines(regions: list[str]) -> set[str]:
    lines = {line.strip() for region in regions for line in region.splitlines()}
    return {line for line in lines if len(line) >= _SHORT}


def wrong_solutions(assignment: Assignment, bundle: Path, isolation: str) -> list[str]:
    """What is amiss with the wrong solutions: each is put in place of the instructor's, function by function
    in one process, and must fail its check and no other.
    """
    notebook = assignment.notebook
    variant = bundle / "variant-0"
    details = json.loads((variant / "key.json").read_text())
    key = SimpleNamespace(**{name: decode(value) for name, value in details.items()})
    solution_of = {
        name: cell.source
        for cell in notebook.cells
        if is_solution(cell)
        for name in source.defined(cell.source)
    }
    checks = [cell for cell in notebook.cells if is_check(cell)]
    box = Box(packages(), (variant / "data.npz",))
    faults = []
    with in_folder(variant / "data.npz"), Worker(isolation, box, SECONDS) as worker:
        bench = Bench(worker, assignment.names)
        for cell in notebook.cells:
            if is_given(cell):
                bench.give(source.source_of(cell, 0))
            if cell.cell_type == "code" and not is_check(cell):
                worker.ask(do="cell", source=source.source_of(cell, 0))
        for wrong in assignment.wrong():
            answer = worker.ask(do="cell", source=wrong.source)
            failures = [name_of(cell) for cell in checks if not bench.check(cell, key).points]
            for name in source.defined(wrong.source):
                worker.ask(do="cell", source=solution_of.get(name, f"del {name}"))
            if failures != [wrong.check] or "raised" in answer:
                details = answer.get("raised") or ", ".join(failures) or "no check"
                faults.append(
                    f"wrong.py: {wrong.check}: {wrong.what!r}: fails {details} {worker.ended}".rstrip()
                )
    return faults


def check_assignment(assignment: Assignment, isolation: str, variants: int = 1) -> list[str]:
    """What is amiss with an assignment; empty where nothing is. ``variants``: so many of them, the first, are
    tried. Raises BookError where the instructor notebook fails its own checks.
    """
    with tempfile.TemporaryDirectory(prefix="course-check-") as place:
        bundle = Path(place)
        bundle.chmod(0o755)
        make_bundle(assignment, bundle, range(variants))
        release = released(for_variant(assignment.notebook, assignment.name, 0))
        handed_out = nbformat.writes(release)
        case = Case(
            bundle=bundle,
            notebook=handed_out,
            variant=0,
            isolation=isolation,
            seconds=SECONDS,
            packages=packages(),
        )
        faults = [f"in the release: {line}" for line in leaks(assignment.notebook, handed_out)]
        faults += _of_release(judge_submission(case))
        return faults + wrong_solutions(assignment, bundle, isolation)


def _of_release(verdict: Judgement) -> list[str]:
    faults = [f"the release earns {each.points:g} for {each.check}" for each in verdict.checks if each.points]
    faults += [f"the release's cell {cell}: {what}" for cell, what in verdict.notes]
    return faults + ([f"the release does not run to its end: {verdict.ended}"] if verdict.ended else [])
