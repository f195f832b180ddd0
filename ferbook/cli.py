"""``ferbook``: the command line. Thin: every command is one call into ``suite`` or ``faces``.

Heavy modules are imported inside the commands, so that listing and help answer at once.
"""

import io
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from book.commands import data_app
from ferbook.console import AsJson, DataDir, console, errors, print_json, print_table, use_data_dir

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Run, build and check the chapters of the paper suite on facial expression recognition.",
)
app.add_typer(data_app, name="data")

Chapters = Annotated[
    list[str] | None, typer.Argument(metavar="[CHAPTER]...", help="Chapters; all where none is named.")
]
RunName = Annotated[str | None, typer.Option("--run", metavar="NAME", help="The run's name below runs/.")]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "-p", "--param", metavar="NAME=VALUE", help="A parameter; CHAPTER.NAME=VALUE for one chapter only."
    ),
]
ParametersFile = Annotated[
    Path | None, typer.Option("-f", "--file", help="A YAML file of parameters; -p wins over it.")
]
ProfileName = Annotated[
    str | None,
    typer.Option(
        "--profile", metavar="smoke|laptop|paper", help="Set of defaults; laptop where none is named."
    ),
]
FacesName = Annotated[
    str | None, typer.Option("--faces", metavar="NAME", help="Face set; `ferbook data list` shows them.")
]


def _request(
    profile: str | None,
    assignments: list[str] | None,
    file: Path | None,
    faces: str | None,
    publish: bool = False,
):
    """What the options ask for; None where none of them is given: then a run's own request holds."""
    from ferbook.request import Request, merge_overrides, parse_assignments, read_overrides

    if profile is None and not assignments and file is None and faces is None and not publish:
        return None
    given = parse_assignments(assignments or [])
    if faces is not None:
        given["faces"] = faces
    if publish:
        given["publish_faces"] = True
    overrides = merge_overrides(read_overrides(file) if file else {}, given)
    return Request("laptop" if profile is None else profile, overrides)


@app.command()
def params(
    chapter: Annotated[str | None, typer.Argument(help="One chapter; all where none is named.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print each parameter: type, default per profile, range and meaning."""
    from ferbook.book import CHAPTERS, find_chapter
    from ferbook.parameters import parameter_rows

    chosen = [find_chapter(chapter)] if chapter else list(CHAPTERS.values())
    rows = {c.name: parameter_rows(c.name, c.parameters) for c in chosen}
    if as_json:
        print_json(rows)
        return
    for name, fields in rows.items():
        columns = [key for key in fields[0] if key != "meaning"]
        widths = [max(len(str(value)) for value in (key, *(f[key] for f in fields))) for key in columns]
        console.print(f"chapter {name}: parameters, and their defaults per profile", style="bold")
        for row in ({key: key for key in columns}, *fields):
            cells = (str(row[key]).ljust(width) for key, width in zip(columns, widths, strict=True))
            console.print("  " + "  ".join(cells).rstrip(), soft_wrap=True)
            if "meaning" in row:
                console.print(f"      {row['meaning']}", soft_wrap=True, style="dim")
        console.print()


@app.command()
def run(
    chapters: Chapters = None,
    profile: ProfileName = None,
    run_name: RunName = None,
    param: Assignments = None,
    file: ParametersFile = None,
    faces: FacesName = None,
    data_dir: DataDir = None,
    publish_faces: Annotated[
        bool, typer.Option("--publish-faces", help="Let pictures of licensed subjects onto the pages.")
    ] = False,
    cores: Annotated[
        int | None, typer.Option(min=1, help="Processor cores to use; all where not given.")
    ] = None,
    update: Annotated[bool, typer.Option("--update", help="Change an existing run's parameters.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Empty an existing run first.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait while another process has the run.")] = False,
) -> None:
    """Execute chapters, and what they depend on, where they are out of date.

    An existing run, named without any parameters, is brought up to date as it was asked for.
    """
    from ferbook.progress import watch
    from ferbook.run import run_chapters

    use_data_dir(data_dir)
    try:
        done, found = run_chapters(
            _request(profile, param, file, faces, publish_faces),
            chapters or [],
            run_name,
            cores=cores,
            update=update,
            replace=replace,
            wait=wait,
            watch=watch,
        )
    except KeyboardInterrupt:
        errors.print("ferbook: stopped; the same command goes on where it was")
        raise typer.Exit(130) from None
    fresh = [state.chapter for state in found if state.up_to_date]
    if fresh:
        console.print(f"up to date: {', '.join(fresh)}", soft_wrap=True)
    console.print(f"run {done.name!r}: {len(found)} chapter(s) finished in {done.folder}", soft_wrap=True)


@app.command()
def status(
    run_name: RunName = None,
    profile: ProfileName = None,
    param: Assignments = None,
    file: ParametersFile = None,
    faces: FacesName = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Say for each chapter of a run whether it is up to date, or why not.

    Against the parameters given, or else against those that the run was made with. Without --run and
    without parameters: the run that changed last.
    """
    from ferbook.state import run_states
    from ferbook.store import latest_run, open_run

    use_data_dir(data_dir)
    request = _request(profile, param, file, faces)
    if request:
        request.check()
    if run_name is not None:
        chosen = open_run(run_name)
    else:
        chosen = open_run(request.default_run_name) if request else latest_run()
    found = run_states(chosen, request)
    if as_json:
        print_json(
            {
                "run": chosen.name,
                "chapters": [
                    {
                        "chapter": s.chapter,
                        "up_to_date": s.up_to_date,
                        "reasons": s.reasons,
                        "seconds": s.seconds,
                    }
                    for s in found
                ],
            }
        )
        return
    print_table(
        f"run {chosen.name!r}",
        ["chapter", "state", "seconds"],
        [
            [
                s.chapter,
                "up to date" if s.up_to_date else "; ".join(s.reasons),
                "" if s.seconds is None else s.seconds,
            ]
            for s in found
        ],
    )


@app.command()
def runs(as_json: AsJson = False) -> None:
    """List the runs with their key metrics."""
    from ferbook.compare import run_rows

    rows = run_rows()
    if as_json:
        print_json(rows)
        return
    if not rows:
        console.print("no runs yet; `ferbook run` makes one")
        return
    for row in rows:
        console.print(row["run"], style="bold", markup=False, soft_wrap=True)
        console.print(f"  {row['profile']}, {row['faces']}, {row['changed']}", markup=False, soft_wrap=True)
        for metric in row["shown"]:
            console.print(f"  {metric}", markup=False, soft_wrap=True)


@app.command()
def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="A run.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another run.")],
    as_json: AsJson = False,
) -> None:
    """Show how two runs differ in parameters and metrics, with intervals."""
    from ferbook.compare import compare_runs

    found = compare_runs(first, second)
    if as_json:
        print_json(found)
        return
    if found["parameters"]:
        print_table(
            "parameters that differ",
            ["parameter", first, second],
            [[p["parameter"], p["first"], p["second"]] for p in found["parameters"]],
        )
    else:
        console.print("the parameters are equal")
    console.print()
    print_table(
        "metrics",
        ["metric", first, second, "difference", "intervals"],
        [
            [m["metric"], m["first_shown"], m["second_shown"], m["difference_shown"], m["intervals"]]
            for m in found["metrics"]
        ],
    )


@app.command()
def claims(run_name: RunName = None, as_json: AsJson = False) -> None:
    """Say what a run's numbers answer to the papers' claims. Without --run: the run that changed last."""
    from ferbook.answers import judged_claims
    from ferbook.store import latest_run, open_run

    chosen = latest_run() if run_name is None else open_run(run_name)
    judged = judged_claims(chosen)
    if as_json:
        rows = [{"paper": paper.paper} | each.to_json() for paper, claims in judged for each in claims]
        print_json({"run": chosen.name, "claims": rows})
        return
    for paper, claims in judged:
        console.print(paper.name, style="bold", soft_wrap=True)
        for each in claims:
            console.print(f"  {each.verdict.upper()}: {each.claim.claim}", soft_wrap=True)
            for one in each.answers:
                shown = f"{one.measured}; asked: {one.question.side} {one.bound}" if one.measured else one.why
                beside = "beside it: " if one.question.beside else ""
                console.print(f"    {one.answer}: {beside}{one.question.asks} {shown}", soft_wrap=True)


@app.command()
def build(
    run_name: RunName = None,
    force: Annotated[bool, typer.Option("--force", help="Build even where nothing changed.")] = False,
) -> None:
    """Build the book from a run's executed chapters into _build/html."""
    from ferbook.book import CHAPTERS
    from ferbook.build import build_book
    from ferbook.state import run_states
    from ferbook.store import latest_run, open_run

    chosen = latest_run() if run_name is None else open_run(run_name)
    index, built = build_book(chosen, force=force)
    finished = {result.chapter for result in chosen.results()}
    for state in run_states(chosen):
        if state.chapter in finished and not state.up_to_date:
            console.print(
                f"note: {state.chapter} is out of date ({'; '.join(state.reasons)}); the book shows the "
                "stored "
                f"result, `ferbook run --run {chosen.name}` makes it anew",
                markup=False,
                soft_wrap=True,
            )
    if absent := [name for name in CHAPTERS if name not in finished]:
        console.print(
            f"note: the run has no {', '.join(absent)}; in their place stand the commands that make them",
            soft_wrap=True,
        )
    console.print(f"{'book built' if built else 'book is up to date'}: open {index}", soft_wrap=True)


@app.command()
def check(
    chapters: Chapters = None,
    run_name: RunName = None,
    within: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="SECONDS", help="Execute again only chapters that took at most this long."
        ),
    ] = None,
    skip_checked: Annotated[
        bool,
        typer.Option("--skip-checked", help="Do not execute again what passed before and has not changed."),
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Execute a run's chapters again through nbval and compare cells, metrics and figures' numbers."""
    from ferbook.check import check_run
    from ferbook.store import latest_run, open_run

    use_data_dir(data_dir)
    chosen = latest_run() if run_name is None else open_run(run_name)
    found = check_run(chosen, chapters or [], within=within, skip_checked=skip_checked)
    if as_json:
        print_json(found)
    else:
        for row in found:
            console.print(f"{row['chapter']}: {row['state']}", soft_wrap=True)
            for fault in row["faults"]:
                console.print(f"  {fault}", soft_wrap=True)
    if any(row["faults"] for row in found):
        raise typer.Exit(1)


@app.command()
def predict(
    pictures: Annotated[
        list[Path], typer.Argument(metavar="PICTURE...", help="Picture files: PNG, JPEG, BMP or TIFF.")
    ],
    run_name: RunName = None,
    chapter: Annotated[str, typer.Option(help="The chapter whose network answers.")] = "training",
    cropped: Annotated[
        bool, typer.Option("--cropped", help="The pictures are crops of faces already: look for none.")
    ] = False,
    test_time: Annotated[
        Literal["none", "flip", "ten_crop"],
        typer.Option(help="Ask about the mirror image too, or about ten crops, and take the mean."),
    ] = "none",
    as_json: AsJson = False,
) -> None:
    """Say which emotion a run's network sees in pictures: the largest face of each.

    Without --run: the run that changed last. A picture that cannot be answered is named; the others are
    answered.
    """
    from fer_lib.train.photos import predict_pictures, trained_network
    from ferbook.book import find_chapter
    from ferbook.errors import RunStoreError
    from ferbook.store import latest_run, open_run

    chosen = latest_run() if run_name is None else open_run(run_name)
    chosen.record()
    folder = chosen.result(find_chapter(chapter).name).folder
    if not (folder / "weights.json").exists():
        raise RunStoreError(
            f"run {chosen.name!r} keeps no weights of the chapter {chapter!r}; `ferbook run {chapter} --run "
            f"{chosen.name}` makes them, if it is a chapter that trains, as `training` is"
        )
    network = trained_network(folder)
    found = predict_pictures(network, pictures, cropped=cropped, test_time=test_time)
    answered = [answer for answer in found.answers if not answer.fault]
    if as_json:
        about = {"run": chosen.name, "chapter": chapter, "classes": network.classes, "test_time": test_time}
        answers = [answer.to_json() for answer in found.answers]
        rate = round(found.pictures_per_second, 2)
        print_json({**about, "pictures_per_second": rate, "pictures": answers})
    elif answered:
        print_table(
            f"run {chosen.name!r}, chapter {chapter}: a network trained on {network.faces}",
            ["picture", "emotion", "probabilities from 0.01", "faces"],
            [
                [
                    answer.path,
                    answer.emotion,
                    ", ".join(f"{name} {share:.2f}" for name, share in answer.ranked if share >= 0.01),
                    f"largest of {answer.found}" if answer.found > 1 else "whole" if cropped else "one",
                ]
                for answer in answered
            ],
        )
        console.print(
            f"{len(answered)} picture(s), {found.pictures_per_second:.3g} per second: "
            f"{found.reading:.2f} s to read and frame them, {found.asking:.2f} s to ask the network",
            soft_wrap=True,
        )
    for answer in found.answers:
        if answer.fault:
            errors.print(f"ferbook: {answer.fault}", soft_wrap=True)
    if len(answered) < len(found.answers):
        raise typer.Exit(2)


@app.command("_execute", hidden=True)
def execute(chapter: str, folder: Path) -> None:
    """Execute one chapter of the run in FOLDER. Called by the Snakefile's rules."""
    from ferbook.book import find_chapter
    from ferbook.execute import execute_chapter
    from ferbook.store import Run

    place = folder.resolve()
    execute_chapter(find_chapter(chapter), Run(place.name, place))


def main() -> None:
    """Run the command line: one line for an error, exit code 2 for the user's mistakes, 1 for ours."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # In a locale without "→" or "≥" a listing shows their numbers, as errors do, instead of failing.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except OSError as fault:
        # A full disk, a folder that may not be written: the user's to mend, where no room of ours knew
        # better.
        place = f"{fault.filename}: " if fault.filename else ""
        errors.print(f"ferbook: {place}{fault.strerror or fault}", soft_wrap=True)
        sys.exit(2)
    except Exception as fault:
        # Ours, or another package's that says how a program it stops should end.
        if not hasattr(fault, "exit_code"):
            raise
        errors.print(f"ferbook: {fault}", soft_wrap=True)
        sys.exit(fault.exit_code)


if __name__ == "__main__":
    main()
