"""``ferbook course``: assignments to hand out, and their grading."""

from pathlib import Path
from typing import Annotated

import typer

from ferbook import paths
from ferbook.console import console

app = typer.Typer(help="Assignments to hand out, and their grading.", no_args_is_help=True)

_ALL, _WHERE = "Assignments; all where none is named.", "Where the built course lies; _course if not given."
_UNBOXED = "Run students' code with your rights and network, files unlimited; reports mention it."
Names = Annotated[list[str] | None, typer.Argument(metavar="[ASSIGNMENT]...", help=_ALL)]
Place = Annotated[Path | None, typer.Option("--course", metavar="DIR", help=_WHERE)]


@app.command("build")
def build_handouts(
    names: Names = None,
    course: Place = None,
    students: Annotated[Path | None, typer.Option(help="A list of students; makes variants.csv.")] = None,
) -> None:
    """Build releases for students, without solutions and hidden checks, and the data for grading."""
    from ferbook.course.build import build_course
    from ferbook.course.grade import read_students

    place = (course or paths.root() / "_course").resolve()
    for line in build_course(names, place, read_students(students) if students else []):
        console.print(line, markup=False)
    console.print(f"to hand out: {place}/*/release; to keep: all else in {place}", markup=False)


@app.command("check")
def check_course(names: Names = None) -> None:
    """Test each assignment: the instructor notebook earns all, the released one nothing, a wrong one less."""
    from ferbook.course.build import check_assignment
    from ferbook.course.marking import assignments
    from ferbook.steps import steps

    amiss, chosen = False, assignments(paths.root() / "assignments", names)
    with steps("assignments", len(chosen)) as advance:
        for name, assignment in chosen.items():
            faults = check_assignment(assignment)
            console.print(f"{name}: " + ("\n  ".join(faults) or "as it should be"), markup=False)
            amiss |= bool(faults)
            advance()
    raise typer.Exit(int(amiss))


@app.command("grade")
def grade_class(
    submissions: Annotated[Path, typer.Argument(help="A folder with one folder per student.")],
    out: Annotated[Path, typer.Option(help="Where grades and feedback are written.")] = Path("grades"),
    course: Place = None,
    assignment: Annotated[list[str] | None, typer.Option(help="Only this one; may come again.")] = None,
    without_box: Annotated[bool, typer.Option("--without-box", help=_UNBOXED)] = False,
) -> None:
    """Grade what was handed in: grades.csv, a page of feedback per student, and a table for manual points."""
    from ferbook.course.grade import grade

    place = (course or paths.root() / "_course").resolve()
    for line in grade(submissions, place, out.resolve(), assignment, boxed=not without_box):
        console.print(line, markup=False)
