"""``ferbook``: the command line. The engine's commands, which call it and print what it returns, and those
that the book adds.

Heavy modules are imported inside the commands, so that help and listings appear at once.
"""

import inspect
import io
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ferbook import paths
from ferbook.book import chapters, find_chapter, import_named, suite, with_upstream
from ferbook.console import AsJson, RunName, chosen_run, console, errors, print_json, print_lines, print_table
from ferbook.environment import git_commit
from ferbook.errors import ChapterError, ParameterError, RunStoreError

if TYPE_CHECKING:
    from ferbook.store import Run

# The engine's own commands, in the order of the help.
COMMANDS: list[Callable] = []
Chapters = Annotated[
    list[str] | None, typer.Argument(metavar="[CHAPTER]...", help="Chapters; all where none is named.")
]


def command(function: Callable) -> Callable:
    """Make ``function`` a command of the engine."""
    COMMANDS.append(function)
    return function


def _with_names(function: Callable) -> Callable:
    """``function`` with an option for each parameter that names a run, passed on as one more of ``param``."""
    signature = inspect.signature(function)
    if "param" not in signature.parameters:
        return function
    options = {
        name: Annotated[str | None, typer.Option(f"--{name}", metavar="NAME", help=f"As -p {name}=NAME.")]
        for name in suite().named_by
    }

    @wraps(function)
    def run_command(**values: object) -> None:
        own = [f"{name}={value}" for name in options if (value := values.pop(name)) is not None]
        function(**values | {"param": [*(values["param"] or ()), *own]})

    keyword = inspect.Parameter.KEYWORD_ONLY
    own = [inspect.Parameter(name, keyword, default=None, annotation=kind) for name, kind in options.items()]
    run_command.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *own])
    run_command.__annotations__ = function.__annotations__ | options
    return run_command


def command_line() -> typer.Typer:
    """Return all commands: the engine's and the book's own."""
    plain = {"add_completion": False, "pretty_exceptions_enable": False, "rich_markup_mode": None}
    epilog = "`ferbook --version` prints version and commit."
    app = typer.Typer(no_args_is_help=True, help=suite().title, epilog=epilog, **plain)
    for function in COMMANDS:
        name = function.__name__
        app.command(name, hidden=name.startswith("_"))(_with_names(function))
    places = dict(suite().commands)
    if (paths.root() / "assignments").is_dir():
        places = {"course": "ferbook.course.commands:app"} | places
    for name, place in places.items():
        entry = import_named(f"the command {name!r}", place)
        if isinstance(entry, typer.Typer):
            app.add_typer(entry, name=name)
        else:
            app.command(name)(entry)
    return app


@command
def params(
    chapter: Annotated[str | None, typer.Argument(help="One chapter; all where none is named.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print each parameter: default, type, range, what other profiles set, and meaning."""
    selection = [find_chapter(chapter)] if chapter else list(chapters().values())
    rows = {c.name: c.parameter_rows() for c in selection}
    if as_json:
        return print_json(rows)
    for name, fields in rows.items():
        console.print(f"chapter {name}", style="bold")
        for row in fields:
            usual = row[suite().profile]
            others = [f"{row[each]} in {each}" for each in suite().profiles if row[each] != usual]
            about = "; ".join([f"{row['type']}, {row['range']}", *others])
            print_lines(f"{row['parameter']} = {usual}  ({about})", 2)
            print_lines(str(row["meaning"]), 6)
        console.print()


@command
def run(
    chapters: Chapters = None,
    profile: Annotated[
        str | None, typer.Option(metavar="NAME", help="Set of defaults; `ferbook params` shows them.")
    ] = None,
    run_name: RunName = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "-p",
            "--param",
            metavar="NAME=VALUE",
            help="A parameter; CHAPTER.NAME=VALUE for one chapter only; seed=0..19 and faces=lab,wild make a "
            "run for each value.",
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("-f", "--file", help="A YAML file of parameters; -p wins over it.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be executed.")] = False,
    cores: Annotated[
        int | None, typer.Option(min=1, help="Processor cores to use; all where not given.")
    ] = None,
    executor: Annotated[
        str | None, typer.Option(help="slurm, or the folder of a Snakemake profile; default: this machine.")
    ] = None,
    update: Annotated[bool, typer.Option("--update", help="Change an existing run's parameters.")] = False,
) -> None:
    """Execute chapters, and what they depend on, where they are stale.

    An existing run, named without any parameters, is brought up to date with its stored parameters. Several
    values of a parameter make a run each; what does not depend on it is executed once.
    """
    from ferbook.answers import left_open
    from ferbook.compare import pattern_of
    from ferbook.request import Request, merge_overrides, parse_assignments, read_overrides
    from ferbook.run import make_runs, plan_runs, requests_by_run, require_runnable
    from ferbook.schedule import profile_of

    if cores and executor:
        raise ParameterError("--cores and --executor do not go together: a cluster goes by Resources")
    request = None
    if profile is not None or param or file:
        overrides = merge_overrides(read_overrides(file) if file else {}, parse_assignments(param or []))
        request = Request(suite().profile if profile is None else profile, overrides)
    requests = requests_by_run(request, chapters or [], run_name)
    if executor:
        profile_of(executor)
    if dry_run:
        places, work = plan_runs(requests, chapters or [], update=update)
        for place in places:
            own = ", ".join(chapter.name for other, chapter in work if other is place)
            rest = "uses results of another run" if place.stale else "up to date"
            console.print(f"{place.run.name}: {own or rest}")
        console.print(f"{len(places)} run(s), {len(work)} chapter(s) to be executed")
        return
    require_runnable(requests, chapters or [])
    first, *others = requests
    several = f" to {[*requests][-1]!r} ({len(requests)} runs)" if others else ""
    console.print(f"run {first!r}{several}")
    if short := left_open(requests[first], with_upstream(chapters or [])):
        more = f", and {len(short) - 1} more; `ferbook claims --run {first}` says which" * (len(short) > 1)
        print_lines(f"Perhaps too small to decide these claims: {short[0]}{more}.", 0)
    try:
        places, faults = make_runs(requests, chapters or [], cores=cores, executor=executor, update=update)
    except KeyboardInterrupt:
        errors.print("ferbook: stopped. Finished chapters are stored; the same command runs the others")
        raise typer.Exit(130) from None
    if faults and not others:
        raise ChapterError(faults[first])
    for name, fault in faults.items():
        errors.print(f"ferbook: run {name!r} is left out: {fault}")
    if faults:
        errors.print(f"ferbook: {len(faults)} of {len(places)} runs are missing; the same command goes on")
        raise typer.Exit(1)
    if others:
        shows = f"`ferbook compare {pattern_of([*requests])}` shows what they found"
        console.print(f"{len(places)} runs are up to date; {shows}")
        return
    if fresh := [state.chapter for state in places[0].states if state.up_to_date]:
        console.print(f"up to date: {', '.join(fresh)}")
    console.print(f"run {first!r}: {len(places[0].states)} chapter(s) finished in {places[0].run.folder}")


@command
def status(
    run_name: RunName = None,
    every: Annotated[bool, typer.Option("--all", help="List all runs instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say for each chapter of a run whether its result is up to date, or why not."""
    if every:
        if run_name:
            raise ParameterError("--all and --run do not go together: --all lists every run")
        _list_runs(as_json)
        return
    from ferbook.inputs import run_states
    from ferbook.progress import at_work

    target = chosen_run(run_name)
    running = at_work(target)
    rows = [
        asdict(each) | {"up_to_date": each.up_to_date, "running": running.get(each.chapter)}
        for each in run_states(target)
    ]
    if as_json:
        return print_json({"run": target.name, "chapters": rows})
    lines = [
        [row["chapter"], row["running"] or "; ".join(row["reasons"]) or "up to date", row["seconds"] or ""]
        for row in rows
    ]
    print_table(f"run {target.name!r}", ["chapter", "state", "seconds"], lines)


def _list_runs(as_json: bool) -> None:
    """``ferbook status --all``."""
    from ferbook.compare import run_rows

    rows = run_rows()
    if as_json:
        return print_json(rows)
    if not rows:
        console.print("no runs yet; `ferbook run` makes one")
        return
    for row in (row for row in rows if "fault" in row):
        errors.print(f"{row['run']}: {row['fault']}")
    if whole := [[*row.values()] for row in rows if "fault" not in row]:
        print_table("", ["run", "profile", *suite().named_by, "changed"], whole)


@command
def compare(
    names: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Runs, or patterns such as 'laptop-seed-*'.")
    ],
    chapter: Annotated[
        str, typer.Option("--chapter", metavar="NAME", help="One chapter; all where none is named.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show in which parameters and metrics two runs differ, or draw the key metrics of several.

    For runs that differ only in their seed their mean is shown, too.
    """
    from ferbook.compare import compare_runs, runs_named

    if chapter:
        find_chapter(chapter)
    runs = runs_named(names)
    if len(runs) < 2:
        raise RunStoreError(f"{runs[0].name!r} alone: name two runs, or a pattern that several names fit")
    if len(runs) > 2:
        _print_outcome(runs, chapter, as_json)
        return
    first, second = (run.name for run in runs)
    comparison = compare_runs(first, second, chapter)
    if as_json:
        return print_json(comparison)
    if rows := [[*row.values()] for row in comparison["parameters"]]:
        print_table("", ["parameter", first, second], rows)
    else:
        console.print("the parameters are equal")
    for name, otherwise in comparison["made"].items():
        console.print(f"{name} was produced differently: {otherwise}")
    for name, networks in comparison["stored"].items():
        console.print(f"{name}: numbers of {networks}, which these runs did not train")
    console.print()
    columns = ("metric", "first_shown", "second_shown", "difference_shown", "intervals")
    if rows := [[row[name] for name in columns] for row in comparison["metrics"]]:
        print_table("", ["metric", first, second, "difference", "intervals"], rows)
    console.print(f"{comparison['equal']} metrics are equal")
    for name, alone in zip((first, second), comparison["alone"], strict=True):
        if alone:
            console.print(f"only in {name}: {', '.join(alone)}")


def _print_outcome(runs: list["Run"], chapter: str, as_json: bool) -> None:
    """``ferbook compare`` with more than two runs."""
    from ferbook.outcome import outcome_figure, outcome_rows, outcome_table
    from ferbook.page.figure import store_figure
    from ferbook.text import bounds_text

    rows, notes = outcome_rows(runs, chapter)
    store_figure(paths.build_folder(), "compared", outcome_figure(rows))
    if as_json:
        plain = [row | {"estimate": row["estimate"].to_json()} for row in rows]
        return print_json({"rows": plain, "notes": notes})
    table = outcome_table(rows).drop(columns=["low", "high", "unit", "about"])
    table.insert(0, "run", table.pop("run"))
    every = (row["estimate"] for row in rows)
    table["value"] = [bounds_text(each) + f" ({each.why})" * bool(each.why) for each in every]
    print_table("", [*table], table.astype(str).values.tolist())
    for note in notes:
        console.print(f"note: {note}")
    console.print(f"figure and table: {paths.build_folder() / 'figures' / 'compared.svg'}, .png and .csv")


@command
def claims(run_name: RunName = None, as_json: AsJson = False) -> None:
    """Answer the papers' claims by a run's numbers, next to the reference's answers."""
    from ferbook.answers import answers_of
    from ferbook.page.answers_page import counts_text
    from ferbook.reference_run import matching_references

    target = chosen_run(run_name)
    answers = answers_of(target, matching_references(target))
    if as_json:
        return print_json({"run": target.name, "claims": answers.to_json()})
    console.print(f"run {target.name!r}")
    for paper, name in answers.claims.headings.items():
        console.print(name, style="bold")
        for each in (one for one in answers.every if one.paper == paper):
            console.print(f"  {each.main.claim.short}")
            own = "" if answers.by_reference else ", ".join(filter(None, ("your run", each.own.whose)))
            shown = {own: each.own, "reference": each.reference}
            for whose, answer in ((whose, answer) for whose, answer in shown.items() if answer):
                word = f"{whose}: {answer.word.upper()}" if whose else answer.word.upper()
                words = ", ".join(filter(None, (word, answer.certainty)))
                print_lines(f"{words}. {answer.absolute} {answer.sentence}", 4)
    print_lines(counts_text(answers).replace("*", ""), 0)


@command
def build(
    run_name: RunName = None,
    mine: Annotated[
        bool, typer.Option("--mine", help="The run is my own, copied from another machine of mine.")
    ] = False,
) -> None:
    """Build the book from a run's executed chapters into _build/html."""
    from ferbook.build import build_book, built_run, mark_run_local
    from ferbook.inputs import NOT_FOUND, run_states

    target = chosen_run(run_name)
    if mine:
        mark_run_local(target)
        console.print(f"note: {target.name!r} counts as yours now: pages show its text, pictures and scripts")
    earlier = built_run()
    index = build_book(target)
    finished = {result.chapter for result in target.results()}
    against = {each.chapter: each.reasons for each in run_states(target) if each.chapter in finished}
    stale = [name for name, why in against.items() if not all(each.startswith(NOT_FOUND) for each in why)]
    if stale:
        console.print(
            f"note: stale: {', '.join(stale)}; the book shows what is stored, `ferbook status --run "
            f"{target.name}` says why, `ferbook run --run {target.name}` makes it again"
        )
    if absent := [name for name in chapters() if name not in finished]:
        console.print(f"note: the run has no {', '.join(absent)}; their pages say how to make them")
    if earlier not in ("", target.name):
        back = f"`ferbook build --run {earlier}` brings it back"
        console.print(f"note: this book replaces that of run {earlier!r} at the same address; {back}")
    console.print(f"book built from run {target.name!r}: open {index}")


@command
def check(
    chapters: Chapters = None,
    run_name: RunName = None,
    one: Annotated[bool, typer.Option("--one", help="Execute only one chapter, in turn.")] = False,
    profile: Annotated[
        str | None, typer.Option(metavar="NAME", help="First bring them up to date in this profile's run.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Execute a run's chapters again through nbval and compare cells, metrics and figures' numbers."""
    from ferbook.check import check_run
    from ferbook.request import Request
    from ferbook.run import make_runs, requests_by_run

    names = chapters or []
    if profile:
        places, faults = make_runs(requests_by_run(Request(profile), names, run_name), names, current=False)
        for fault in faults.values():
            raise ChapterError(fault)
        target = places[0].run
    else:
        target = chosen_run(run_name)
    rows = check_run(target, names, one=one)
    selection = [row for row in rows if row["executed"] or row["faults"]] if one else rows
    if as_json:
        print_json({"run": target.name, "chapters": rows})
    else:
        console.print(f"run {target.name!r}")
        for row in selection:
            print_lines(f"{row['chapter']}: {row['state']}", 0, 2)
            for fault in row["faults"]:
                print_lines(fault, 2, 2)
        if left := len(rows) - len(selection):
            again = f"`ferbook check --run {target.name}` executes them again, too"
            print_lines(f"the other {left}: stored results whole; {again}", 0, 2)
    if any(row["faults"] for row in rows):
        raise typer.Exit(1)


@command
def notebook(
    chapter: Annotated[str | None, typer.Argument(help="One chapter; all where none is named.")] = None,
    run_name: RunName = None,
) -> None:
    """Open a chapter in JupyterLab with a run's parameters: a copy, so that the book does not change."""
    from ferbook.lab import copy_for, open_lab, require_lab

    require_lab()
    target = chosen_run(run_name)
    for each in [find_chapter(chapter)] if chapter else chapters().values():
        file, earlier = copy_for(target, each)
        if earlier:
            console.print(f"note: {file} is an earlier copy and is not changed; remove it to start afresh")
    console.print(f"run {target.name!r}: {file if chapter else file.parent}")
    open_lab(target, file if chapter else file.parent)


@command
def _execute(chapter: str, folder: Path) -> None:
    """Execute one chapter of the run in FOLDER. Called by the Snakefile's rules."""
    from ferbook.execute import execute_chapter
    from ferbook.store import Run

    place = folder.resolve()
    execute_chapter(find_chapter(chapter), Run(place.name, place))


@command
def new(
    chapter: Annotated[str, typer.Argument(help="The chapter's name, and its folder's below book/.")],
) -> None:
    """Write a new chapter: its folder, with a first notebook, and its line in the table of contents."""
    from ferbook.new import write_chapter

    folder = write_chapter(chapter)
    check = f"`ferbook check {chapter} --profile {suite().profiles[0]}` executes it twice and compares"
    console.print(f"written: {folder}; {check}")


def main() -> None:
    """Run the command line: one line for an error, exit code 2 for the user's mistakes, 1 for ours."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # In a locale without "→" or "≥" a listing shows their numbers, as errors do, instead of failing.
        sys.stdout.reconfigure(errors="backslashreplace")
    homes = paths.ENGINE.parent, paths.root()
    for place in map(str, homes):
        if place not in sys.path:
            sys.path.insert(0, place)
    if sys.argv[1:] == ["--version"]:
        console.print(f"fer-lib {version('fer-lib')}, commit {git_commit()}")
        sys.exit()
    try:
        command_line()()
    except ModuleNotFoundError as fault:
        if fault.name and any(root.joinpath(fault.name.partition(".")[0]).exists() for root in homes):
            raise
        errors.print(
            f"ferbook: this command needs {fault.name}, which an environment that only reads leaves out; "
            "`make env` installs it"
        )
        sys.exit(2)
    except OSError as fault:
        # A full disk, a folder that may not be written: the user can correct it.
        place = f"{fault.filename}: " if fault.filename else ""
        errors.print(f"ferbook: {place}{fault.strerror or fault}")
        sys.exit(2)
    except Exception as fault:
        # The engine's errors, and those of packages that know nothing of the engine.
        if not hasattr(fault, "exit_code") or isinstance(fault, typer.Exit):
            raise
        errors.print(f"ferbook: {fault}")
        sys.exit(fault.exit_code)


if __name__ == "__main__":
    main()
