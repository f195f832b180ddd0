"""``ferbook course``: assignments to hand out, and their grading."""

from pathlib import Path
from typing import Annotated

import typer

from ferbook.console import console

app = typer.Typer(
    help="Assignments: build what is handed out, grade what is handed in.", no_args_is_help=True
)

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[ASSIGNMENT]...", help="Assignments; all where none is named.")
]
Place = Annotated[
    Path | None,
    typer.Option("--course", metavar="DIR", help="Where the built course lies; _course if not given."),
]


@app.command("build")
def build_handouts(
    names: Names = None,
    course: Place = None,
    students: Annotated[
        Path | None,
        typer.Option(help="A list of students: who gets which variant is written to variants.csv."),
    ] = None,
) -> None:
    """Make what students are given, without solutions and hidden checks, and what grading holds."""
    from ferbook.course.build import build_course, course_folder, read_students

    place = course_folder(course)
    for line in build_course(names, place, read_students(students) if students else []):
        console.print(line)
    console.print(f"to hand out: {place / 'release'}; to keep: all else in {place}")


@app.command("check")
def check_course(
    names: Names = None,
    variants: Annotated[int, typer.Option(min=1, max=8, help="Variants to try.")] = 1,
) -> None:
    """Try each assignment: the instructor notebook earns all, the released one nothing, a wrong one less."""
    from ferbook.course.check import check_assignment
    from ferbook.course.source import assignments
    from ferbook.steps import steps

    amiss, chosen = 0, assignments(names)
    with steps("assignments", len(chosen)) as advance:
        for assignment in chosen:
            faults = check_assignment(assignment, variants)
            console.print(
                f"{assignment.name}: {'as it should be' if not faults else f'{len(faults)} faults'}"
            )
            for fault in faults:
                console.print(f"  {fault}", markup=False)
            amiss += bool(faults)
            advance()
    raise typer.Exit(int(bool(amiss)))


@app.command("grade")
def grade_class(
    submissions: Annotated[Path, typer.Argument(help="A folder with one folder per student.")],
    out: Annotated[Path, typer.Option(help="Where grades and feedback are written.")] = Path("grades"),
    course: Place = None,
    assignment: Annotated[
        list[str] | None, typer.Option(help="Grade only this assignment; may be given several times.")
    ] = None,
    cores: Annotated[int | None, typer.Option(min=1, help="Submissions graded side by side.")] = None,
    without_box: Annotated[
        bool,
        typer.Option(
            "--without-box", help="Run students' code with your rights and network; every report says so."
        ),
    ] = False,
) -> None:
    """Grade what was handed in: grades.csv, a page of feedback per student, and what to grade by hand."""
    from ferbook.course.build import course_folder
    from ferbook.course.grade import grade

    grades = grade(
        submissions, course_folder(course), out.resolve(), assignment, cores, not without_box, console.print
    )
    others = [each for each in grades if each.verdict is None]
    console.print(f"{len(grades) - len(others)} graded, {len(others)} not; see {out / 'grades.csv'}")
