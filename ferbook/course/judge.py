"""Holds checks and answers, and never runs what a student wrote: that is another process (``sandbox``), which
calls of a check's functions go to, and data come from.

``python -m ferbook.course.judge`` reads a ``Case`` as JSON and prints a ``Judgement`` as JSON.
"""

import ast
import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

import nbformat
from nbformat import NotebookNode
from pydantic import BaseModel, PlainSerializer

from ferbook.course import source
from ferbook.course.recognition import as_text
from ferbook.course.sandbox import Box, Worker
from ferbook.course.source import HIDDEN, is_check, is_given, is_solution, is_written, name_of
from ferbook.course.worker import decode, encode, limit
from ferbook.notebook import read_notebook

LONGEST_MESSAGE = 600
Text = Annotated[str, PlainSerializer(as_text)]
"""Text in which a student's own may stand."""
_SEEN = "in the notebook"
"""The part of a check that students see."""
_KINDS = ("AttributeError", "IndexError", "KeyError", "NameError", "TypeError", "ValueError")
"""Errors that are named where a hidden input was sent: each further name could tell more about it."""
_MEMORY = 4 * 2**30
"""Bytes that a judge may take, lest a check does much with what a student's function gave."""


class Checked(BaseModel):
    """What came of a check. ``part``: of which one failed, what the student saw or what was hidden."""

    check: str
    points: float
    most: float
    part: str = ""
    message: Text = ""


class Written(BaseModel):
    """An answer in words, to be graded by a person; ``rubric`` is the instructor's cell."""

    question: str
    most: float
    answer: str
    rubric: str


class Judgement(BaseModel):
    """What came of a submission. ``notes``: (cell, what is odd about it); ``ended``: why its process did."""

    checks: list[Checked] = []
    written: list[Written] = []
    notes: list[tuple[Text, Text]] = []
    ended: str = ""
    printed: Text = ""
    seconds: float = 0


class Case(BaseModel):
    """What a judge needs: the ``bundle`` folder of an assignment, the student's ``notebook``, as text, and
    variant.
    """

    bundle: Path
    notebook: str
    variant: int
    isolation: str
    seconds: float
    packages: tuple[Path, ...] = ()
    withheld: tuple[str, ...] = ()


class StudentError(Exception):
    """A student's code raised, gave what is no data, or has ended."""


@dataclass
class Bench:
    """The judge's side of a worker: names of the student, and what given cells define."""

    worker: Worker
    names: dict[str, bool]
    given: dict[str, object] = field(default_factory=dict)
    silent: bool = True
    """Whether the student's code is asked with hidden inputs: then none of its words and values are told."""

    def said(self, answer: dict) -> str:
        """What the student's code raised."""
        kind = str(answer["raised"])
        if self.silent:
            return kind if kind in _KINDS else "another error"
        return f"{kind[:100]}: {answer.get('message', '')}"[:LONGEST_MESSAGE]

    def give(self, code: str) -> None:
        """Run a cell that all students have alike on this side."""
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(code, "<given>", "exec"), self.given)

    def function(self, name: str) -> Callable:
        """A stand-in for the student's function."""

        def call(*args: object, **kwargs: object) -> object:
            keywords = {key: encode(value) for key, value in kwargs.items()}
            return self._data(name, do="call", args=[*map(encode, args)], kwargs=keywords)

        return call

    def value(self, name: str) -> object:
        """The student's value. Raises StudentError where there is none, or it is no data."""
        return self._data(name, do="value")

    def _data(self, name: str, **message: object) -> object:
        answer = self.worker.ask(name=name, **message)
        if not answer:
            raise StudentError(f"the notebook was stopped: {self.worker.ended}")
        if answer.get("missing"):
            raise StudentError(f"`{name}` is not defined")
        if answer.get("long"):
            raise StudentError(f"`{name}` gave more data than can be told")
        if "raised" in answer:
            raise StudentError(f"`{name}` raised {self.said(answer)}")
        try:
            if "odd" in answer:
                raise ValueError(answer["odd"])
            return decode(answer.get("value"))
        except ValueError as fault:
            what = "" if self.silent else f" ({str(fault)[:LONGEST_MESSAGE]})"
            raise StudentError(f"`{name}` is, or gave, no number, text, list, dict or array{what}") from fault

    def namespace(self, code: str, key: SimpleNamespace) -> dict[str, object]:
        """What a check's code sees: given names, and of the student's those that it uses."""
        identifiers = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
        names = dict(self.given) | {"key": key}
        for name in identifiers & self.names.keys():
            names[name] = self.function(name) if self.names[name] else self.value(name)
        return names

    def check(self, cell: NotebookNode, key: SimpleNamespace) -> Checked:
        """Run a check on this side. All of its points are given, or none."""
        note = source.grading(cell)
        outcome = Checked(check=note["grade_id"], points=0, most=note["points"], part=_SEEN)
        try:
            visible = HIDDEN.sub("", cell.source + "\n")
            names = self.namespace(cell.source if self.silent else visible, key)
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(visible, "<check>", "exec"), names)
                if self.silent:
                    outcome.part = "on new inputs"
                    exec(compile(HIDDEN.search(cell.source + "\n").group(1), "<check>", "exec"), names)
        except StudentError as fault:
            outcome.message = str(fault)
        except AssertionError as fault:
            note = "" if self.silent and outcome.part == _SEEN else str(fault)[:LONGEST_MESSAGE]
            outcome.message = note or "the result is not right"
        except Exception as fault:
            note = f" ({type(fault).__name__})" if not self.silent or type(fault).__name__ in _KINDS else ""
            outcome.message = f"the result cannot be used{note}"
        else:
            outcome.points, outcome.part = outcome.most, ""
        return outcome


def merged(
    instructor: NotebookNode, student: NotebookNode
) -> Iterator[tuple[NotebookNode | None, NotebookNode]]:
    """The cells to run, in the instructor's order: (the instructor's cell, the student's); of the student's
    own cells the first is None, and each stays behind the cell that it followed. Of a cell that comes twice
    the first counts, and a further one is the student's own; of an answer in words all parts count.
    """
    cells = {name_of(cell): cell for cell in instructor.cells if name_of(cell)}
    own: dict[str, list[NotebookNode]] = {"": []}
    matches: dict[str, NotebookNode] = {}
    last = ""
    for cell in student.cells:
        name = name_of(cell)
        if name in cells and name not in matches:
            matches[name] = cell
            last = name
        elif name in cells and is_written(cells[name]):
            parts = (matches[name].source, cell.source)
            matches[name] = NotebookNode(matches[name] | {"source": "\n\n".join(parts)})
        elif name not in cells or is_solution(cells[name]):
            own.setdefault(last, []).append(cell)
    yield from ((None, cell) for cell in own[""])
    for name, cell in cells.items():
        yield cell, matches.get(name)
        yield from ((None, each) for each in own.get(name, ()))


def oddities(release: NotebookNode, student: NotebookNode, variant: int) -> list[tuple[str, str]]:
    """Cells that were deleted, came twice, or were edited though they are locked."""
    notes = []
    for cell in filter(name_of, release.cells):
        name = name_of(cell)
        same = [each for each in student.cells if name_of(each) == name]
        if not same:
            notes.append(
                (name, "deleted" if is_solution(cell) or is_written(cell) else "deleted, and restored")
            )
            continue
        if len(same) > 1:
            counts = "all count" if is_written(cell) else "the first counts"
            notes.append((name, f"there {len(same)} times; {counts}"))
        locked, released_as = is_check(cell) or is_given(cell), source.source_of(cell, variant)
        if locked and same[0].source.strip() != released_as.strip():
            notes.append((name, "edited though it is locked, and restored"))
        if same[0].cell_type != cell.cell_type:
            notes.append((name, f"made a {same[0].cell_type} cell"))
    return notes


@contextlib.contextmanager
def in_folder(data: Path) -> Iterator[None]:
    """A folder to work in, in which the data lie as they do beside a student's notebook."""
    with tempfile.TemporaryDirectory(prefix="judge-") as folder, contextlib.chdir(folder):
        os.symlink(data.resolve(), "data.npz")
        yield


def judge_submission(case: Case, keys: dict | None = None) -> Judgement:
    """The verdict on a submission. ``keys``: to be filled with the values of the names that solutions define,
    told by this notebook, which then is the instructor's; otherwise they are read from the bundle.

    A student's notebook runs twice. Only from the first run, in a process that is sent no hidden input, come
    messages with the student's own words and values: what the second one is sent cannot go back to it, by
    whatever the kernel keeps between them. The instructor's notebook runs once: it differs from the release,
    which is nothing to tell of, and again only where it fails what a student can see.
    """
    rehearsal = _run(case, None, silent=False) if keys is None else None
    verdict = _run(case, keys, silent=True)
    visible = [one for one in verdict.checks if one.part == _SEEN]
    if visible and rehearsal is None:
        rehearsal = _run(case, keys, silent=False)
    if verdict.ended or rehearsal is None:
        return verdict
    messages = {one.check: one.message for one in rehearsal.checks}
    for one in visible:
        one.message = messages.get(one.check) or one.message
    verdict.notes = rehearsal.notes
    return verdict


def _run(case: Case, keys: dict | None, silent: bool) -> Judgement:
    instructor = read_notebook(case.bundle / "instructor.ipynb")
    student = nbformat.reads(case.notebook, as_version=4)
    verdict = Judgement(notes=oddities(read_notebook(case.bundle / "release.ipynb"), student, case.variant))
    data = case.bundle / f"variant-{case.variant}" / "data.npz"
    box = Box(case.packages, (data,), case.withheld)
    names = {
        name: each
        for cell in instructor.cells
        if is_solution(cell)
        for name, each in source.defined(cell.source).items()
    }
    if keys is None:
        values = json.loads((data.parent / "key.json").read_text())
    with in_folder(data), Worker(case.isolation, box, case.seconds) as worker:
        bench = Bench(worker, names, silent=silent)
        for cell, attempt in merged(instructor, student):
            if cell is not None and is_written(cell):
                answer = "" if attempt is None else attempt.source
                most = source.grading(cell)["points"]
                verdict.written.append(
                    Written(question=name_of(cell), most=most, answer=answer, rubric=cell.source)
                )
            elif cell is not None and is_check(cell):
                if keys is not None:
                    values = {}
                    for name, function in names.items():
                        if not function and not (answer := worker.ask(do="value", name=name)).get("missing"):
                            values[name] = answer.get("value")
                    keys |= values
                key = SimpleNamespace(**{name: decode(value) for name, value in values.items()})
                verdict.checks.append(bench.check(cell, key))
            elif cell is not None and is_given(cell):
                code = source.source_of(cell, case.variant)
                bench.give(code)
                worker.ask(do="cell", source=code)
            elif attempt is not None and attempt.cell_type == "code":
                answer = worker.ask(do="cell", source=attempt.source)
                if "raised" in answer and answer["raised"] != "NotImplementedError":
                    told_of = (name_of(attempt) or "a cell of your own", f"raised {bench.said(answer)}")
                    verdict.notes.append(told_of)
        verdict.ended = worker.ended
        verdict.printed = worker.printed()[-2000:]
        verdict.seconds = worker.spent
    return verdict


def main() -> None:
    """Judge the case on standard input."""
    limit(DATA=_MEMORY)
    case = Case.model_validate_json(sys.stdin.read())
    print(judge_submission(case).model_dump_json())


if __name__ == "__main__":
    main()
