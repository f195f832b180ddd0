"""The commands that know faces. ``ferbook data``: what is there, what is in it, and copies in other layouts;
``ferbook predict``: what a run's network says about pictures.

Thin, as all of the command line: heavy modules are imported inside the commands.
"""

import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from book.suite import known_set
from face_sets.request import CLIP_FRAMES
from ferbook import paths
from ferbook.console import AsJson, RunName, chosen_run, console, errors, print_json, print_lines, print_table
from ferbook.request import parse_assignments
from ferbook.steps import steps
from ferbook.text import bounds_text, number_text

if TYPE_CHECKING:
    from face_sets.faceset import FaceSet
    from ferbook.store import Run

data_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Face sets: what is there, what is missing."
)


def use_data_dir(folder: Path | None) -> None:
    """Use ``--data-dir``, where it is given, in place of FER_DATA: the option calls this."""
    if folder is not None:
        os.environ["FER_DATA"] = str(paths.absolute(folder))


DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", callback=use_data_dir, help="Folder of real data sets; otherwise FER_DATA."),
]
SetName = Annotated[str, typer.Argument(metavar="NAME", help="A face set; `ferbook data list` shows them.")]
Subjects = Annotated[int, typer.Option(min=0, help="Synthetic: number of people; 0 takes the set's own.")]
Size = Annotated[int, typer.Option(min=0, help="Side of a picture in pixels; 0 takes the set's own.")]
FaceSeed = Annotated[int, typer.Option(min=0, help="Synthetic: seed of people and pictures.")]
Options = Annotated[
    list[str] | None,
    typer.Option(
        "--option", metavar="NAME=VALUE", help="Synthetic: an option, as timing=together; repeatable."
    ),
]
ClipFrames = Annotated[
    int, typer.Option(min=0, help="Clips: frames of each, evenly from onset to offset; 0 takes all.")
]


# Of `ferbook explain`: the networks' answers, what they say of known faces, photographs, the page.
EXPLAINED_PARTS, EXPLAINED_SECONDS = 4, 20


def print_left_out(faces: "FaceSet") -> None:
    """Print what was left out of a set, by reason, and where the names of pictures without a face are."""
    from face_sets.paths import cache_dir
    from face_sets.readers.own import WITHOUT_FACE, missing_pictures
    from face_sets.registry import source_status
    from ferbook.files import write_atomically

    for reason, count in faces.left_out.items():
        console.print(f"left out: {reason}: {count:,}")
    if WITHOUT_FACE in faces.left_out:
        file = cache_dir() / "left_out" / f"{faces.name}.txt"
        names = missing_pictures(Path(source_status(faces.name)["place"]), faces)
        write_atomically(file, "\n".join([*names, ""]))
        console.print(f"their names: {file}")


@data_app.command("list")
def data_list(
    name: Annotated[str, typer.Argument(help="One set: its licence, too, and how to get it.")] = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List every face set: found, not found or incomplete, and what is missing; of one set all."""
    from face_sets.registry import list_sources, named_source
    from synthetic_faces.domains import OPTIONS

    rows = [row for row in list_sources() if name in ("", row["name"])]
    if not rows:
        known_set(name)  # which refuses it with the names that there are
    if as_json:
        print_json(rows)
        return
    for row in rows:
        state = row["state"] + (f": {row['missing']}" if row["missing"] else f" ({row['place']})")
        console.print(f"{row['version']}: {state}", style="bold")
        if not name:
            continue
        if not named_source(row["name"]).reader:
            options = (f"{each}={'|'.join(choices)}" for each, choices in OPTIONS.items())
            print_lines(f"options: {'; '.join(options)}", 2)
        for key in ("title", "expected", "how_to_get", "licence", "citation"):
            print_lines(f"{key.replace('_', ' ')}: {row[key]}", 2)


@data_app.command("make")
def data_make(
    name: Annotated[str, typer.Argument(metavar="lab|wild|game|micro", help="A synthetic set.")],
    subjects: Subjects = 0,
    size: Size = 0,
    seed: FaceSeed = 0,
    clip_frames: ClipFrames = CLIP_FRAMES,
    option: Options = None,
    layout: Annotated[
        Literal["own"] | None,
        typer.Option("--as", help="Write it to FOLDER, too, as a set of pictures: faces.csv and PNG files."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Argument(help="With --as own: the set's folder, not there yet.")
    ] = None,
) -> None:
    """Make a synthetic face set and keep it, so that chapters find it ready."""
    from face_sets.readers.own import require_own_folder, save_own
    from face_sets.registry import REGISTRY, open_faces, set_name
    from face_sets.request import FaceRequest
    from ferbook.errors import ParameterError

    synthetic = [each for each, source in REGISTRY.items() if not source.reader]
    if known_set(name).reader:
        raise ParameterError(f"{name} is a real set; the synthetic ones are {', '.join(synthetic)}")
    if (layout is None) != (folder is None):
        raise ParameterError("--as own and a FOLDER belong together: data make lab --as own sets/mine")
    if folder:
        require_own_folder(folder)
    request = FaceRequest(name, subjects, size, seed, clip_frames=clip_frames)
    faces = open_faces(request.with_options(parse_assignments(option or [])))
    people = faces.table["subject"].nunique()
    about = f"{len(faces):,} pictures of {people:,} people, {faces.size[0]} × {faces.size[1]} pixels"
    console.print(f"{set_name(faces.name)}: {about}, checksum {faces.checksum[:16]}")
    if folder:
        save_own(faces, folder)
        place = folder.absolute().parent
        console.print(f"written to {folder}; read it: FER_DATA={place} ferbook run --faces {folder.name}")


@data_app.command("describe")
def data_describe(
    name: SetName,
    subjects: Subjects = 0,
    size: Size = 0,
    seed: FaceSeed = 0,
    option: Options = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
    sheet: Annotated[
        Path | None, typer.Option("--sheet", help="A PNG file: write some pictures of each emotion to it.")
    ] = None,
) -> None:
    """Count a set's pictures by emotion, split, person and action unit."""
    from face_sets.describe import au_table, contact_sheet, notes, people_table, split_table
    from face_sets.registry import open_faces, set_name
    from face_sets.request import FaceRequest
    from ferbook.files import write_atomically

    source = known_set(name)
    request = FaceRequest(name, subjects, size, seed)
    faces = open_faces(request.with_options(parse_assignments(option or [])))
    tables = {
        "pictures and people by split and emotion": split_table(faces),
        "pictures and sequences per person": people_table(faces),
        "action units": au_table(faces),
    }
    if as_json:
        counts = {title: json.loads(table.to_json(orient="index")) for title, table in tables.items()}
        print_json({"name": set_name(faces.name), "size": faces.size, **counts, "left out": faces.left_out})
        return
    side = f"{faces.size[0]} × {faces.size[1]}"
    console.print(f"{set_name(faces.name)}: {len(faces):,} pictures of {side} pixels\n")
    for title, table in tables.items():
        if len(table):
            rows = [[row, *map(_cell, values)] for row, values in zip(table.index, table.values, strict=True)]
            print_table(title, ["", *table.columns], rows)
            console.print()
    for note in notes(faces):
        console.print(f"note: {note}")
    print_left_out(faces)
    if sheet:
        write_atomically(sheet, contact_sheet(faces, seed=seed))
        console.print(f"contact sheet: {sheet}")
        if not source.shareable:
            console.print(f"note: it shows people under licence ({source.licence})")


def _cell(value: object) -> str:
    import pandas as pd

    if pd.isna(value):
        return "–"
    return f"{value:.2f}" if isinstance(value, float) and value != int(value) else f"{int(value):,}"


@data_app.command("check")
def data_check(name: SetName, size: Size = 0, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Read a real set anew, open every picture of the copy, and compare what is there with what was
    published.
    """
    from face_sets.describe import equal_pictures, names_in_two_cases, open_every_picture, published_table
    from face_sets.registry import read_anew, source_files, source_status
    from face_sets.request import FaceRequest

    published = known_set(name).published
    faces = read_anew(FaceRequest(name, size=size))
    opened = open_every_picture(source_files(name))
    status = source_status(name)
    rows, equal = published_table(faces, published), equal_pictures(faces)
    differs = [row for row in rows if row["found"] != row["published"]]
    if as_json:
        report = {"counts": rows, "equal pictures": equal, "left out": faces.left_out}
        print_json({"name": name, **status, **report})
    else:
        report = f"; all {opened:,} picture files can be opened" if opened else ""
        console.print(f"{name}: {status['place']} was read, {len(faces):,} pictures of it are used{report}")
        if equal:
            console.print(f"note: {equal:,} pictures equal one before them, pixel for pixel")
        if rows:
            counts = [[r["what"], r["published"], r["found"]] for r in rows]
            print_table("counts", ["", "published", "found"], counts)
        for note in names_in_two_cases(faces):
            console.print(f"note: {note}")
        print_left_out(faces)
        if not rows:
            report = "no count of the publication is certain enough to compare with"
        elif differs:
            report = f"{len(differs)} of {len(rows)} counts differ from the publication"
        else:
            report = "every count is as published"
        console.print(report)
    if differs:
        raise typer.Exit(1)


def predict_command(
    pictures: Annotated[
        list[Path], typer.Argument(metavar="PICTURE...", help="Picture files: PNG, JPEG, BMP or TIFF.")
    ],
    run_name: RunName = None,
    chapter: Annotated[str, typer.Option(help="The chapter whose network answers.")] = "training",
    cropped: Annotated[
        bool, typer.Option("--cropped", help="The pictures are crops of faces already: look for none.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say which emotion a network sees in pictures: the largest face of each.

    A network that learned photographs answers; with --run that of a run, which mostly knows rendered faces. A
    picture that cannot be answered is named; the others are answered.
    """
    from book.photographs import photograph_networks
    from synthetic_faces.versions import another

    if not as_json:
        _require_a_face(pictures, cropped=cropped)
    from fer_lib.train.predict import predict_pictures

    kept = [] if run_name or chapter != "training" else photograph_networks()
    if kept:
        folder, about = kept[0].folder, {"population": kept[0].population.name, "seed": kept[0].seed}
        title = f"network {kept[0].seed} of the population {kept[0].population.name!r}"
    else:
        run, folder = _trained_chapter(run_name, chapter)
        about, title = {"run": run.name, "chapter": chapter}, f"run {run.name!r}, chapter {chapter}"
    prediction = predict_pictures(folder, pictures, cropped=cropped)
    if version := another(prediction.faces):
        errors.print(f"ferbook: the network was trained on {version}; it is used anyway")
    answers = [picture for picture in prediction.pictures if not picture.fault]
    if as_json:
        about |= {"faces": prediction.faces, "classes": prediction.classes}
        about |= {"pictures_per_second": round(prediction.pictures_per_second, 2)}
        print_json({**about, "pictures": [picture.to_json() for picture in prediction.pictures]})
    elif answers:
        rows = []
        for picture in answers:
            ranked = ", ".join(f"{name} {share:.2f}" for name, share in picture.ranked if share >= 0.01)
            found = f"largest of {picture.faces_found}" if picture.faces_found > 1 else "one"
            rows.append([picture.path, picture.emotion, ranked, "whole" if cropped else found])
        columns = ["picture", "emotion", "probabilities from 0.01", "faces"]
        print_table(f"{title}: trained on {prediction.faces}", columns, rows)
        console.print(f"{len(answers)} picture(s), {prediction.pictures_per_second:.3g} per second")
        if kept:
            share = number_text(kept[0].done()["test_accuracy"], "share")
            tested = f"{len(kept[0].tested()):,} test photographs of {prediction.faces}"
            console.print(f"it names {share} of {tested} rightly")
    for picture in prediction.pictures:
        if picture.fault:
            errors.print(f"ferbook: {picture.fault}")
    if len(answers) < len(prediction.pictures):
        raise typer.Exit(2)


def _require_a_face(pictures: list[Path], *, cropped: bool) -> None:
    """Raise DataError where no picture can be answered; without torch, whose import takes long."""
    from face_sets.photo import face_of
    from ferbook.errors import DataError

    faults = []
    for picture in pictures:
        try:
            face_of(picture, 48, "lab", cropped=cropped)
            return
        except DataError as fault:
            faults.append(str(fault))
    raise DataError("\nferbook: ".join(faults))


def _trained_chapter(run_name: str | None, chapter: str) -> tuple["Run", Path]:
    """The run called so, and the folder in which it stores the network of ``chapter``."""
    from ferbook.book import find_chapter
    from ferbook.errors import RunStoreError

    name, run = find_chapter(chapter).name, chosen_run(run_name)
    run.record()
    result = run.result(name)
    if not (result.folder / "weights.json").exists():
        mend = f"`ferbook run {chapter} --run {run.name}` makes them, if it trains, as `training` does"
        raise RunStoreError(f"run {run.name!r} keeps no weights of the chapter {chapter!r}; {mend}")
    result.require_whole()
    return run, result.folder


def explain_picture(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="A picture file with a face.")],
    run_name: RunName = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The HTML file; PICTURE-explained.html otherwise.")
    ] = None,
    cropped: Annotated[
        bool, typer.Option("--cropped", help="The picture is the crop of a face already: look for none.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Write a page about one picture: emotions with calibrated probabilities, the filters that answered and
    to which pixels, and what may be concluded.

    By the networks of the run, or of the reference where none is named. Those know rendered faces, so where
    no run is named networks that learned photographs answer first.
    """
    import warnings

    from PIL import Image

    from ferbook.errors import DataError
    from ferbook.files import write_atomically

    try:
        str(picture).encode()
    except UnicodeEncodeError as fault:
        raise DataError(f"the name {os.fsencode(picture)!r} is not UTF-8; rename it") from fault
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        _require_a_face([picture], cropped=cropped)
        if run_name:
            chosen_run(run_name).record()  # or else it is refused
        with steps("parts", EXPLAINED_PARTS, EXPLAINED_SECONDS) as advance:
            from book.explain import explain, named_run
            from book.explain_page import explanation_page
            from book.photographs import answer_about_photograph

            run = named_run(run_name)
            explanation = explain(run, picture, advance, cropped=cropped)
            photograph = None if run_name else answer_about_photograph(picture, cropped=cropped)
            advance()
            page = explanation_page(explanation, photograph)
    file = output or Path(f"{picture.stem}-explained.html")
    write_atomically(file, page)
    console.print(f"run {run.name!r}: {file}")


populations_app = typer.Typer(rich_markup_mode=None)


_ACCURACIES = ("train_accuracy", "valid_accuracy", "test_accuracy")


@populations_app.callback(invoke_without_command=True)
def populations_list(context: typer.Context, as_json: AsJson = False) -> None:
    """List trained networks that hours went into, by the recipe of each population; as JSON with
    accuracies, hours and devices.
    """
    if context.invoked_subcommand:
        return
    from book.populations import populations

    rows = []
    for population in populations().values():
        faults = {member.seed: member.fault() for member in population.members}
        records = [member.done() for member in population.members if not faults[member.seed]]
        hours = sum(record.get("core_seconds", record["seconds"]) for record in records) / 3600
        rows.append(
            {
                "population": population.name,
                "about": population.about,
                "networks": population.networks,
                "kept": len(records),
                "faults": Counter(filter(None, faults.values())),
                "faces": sorted({record["faces"] for record in records}),
                **{each: [round(own[each], 4) for own in records if each in own] for each in _ACCURACIES},
                "core_hours": round(hours, 2),
                "core_hours_planned": round(population.networks * population.core_minutes / 60, 2),
                "devices": sorted({record["device"] for record in records}),
            }
        )
    if as_json:
        print_json(rows)
        return
    if paths.RUNS_VARIABLE in os.environ:
        console.print(f"note: looked for in {paths.runs_dir()}, which {paths.RUNS_VARIABLE} names")
    for row in rows:
        faults = ", ".join(f"{count} {fault}" for fault, count in row["faults"].items())
        told = f" ({faults})" if faults else ""
        console.print(f"{row['population']}: {row['kept']} of {row['networks']}{told}")


@populations_app.command("train")
def populations_train(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Populations, in this order.")],
    n: Annotated[int, typer.Option("--n", min=0, help="At most so many networks of each; 0 takes all.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="Threads on a CPU; 0 takes all cores.")] = 0,
    replace: Annotated[
        bool, typer.Option("--replace", help="Train those of another recipe and damaged ones anew.")
    ] = False,
    only: Annotated[str | None, typer.Option("--only", metavar="SEED", help="This network of each.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Train the networks that are missing, one after the other; call it again and it goes on.

    Several calls side by side share the work. One that fails is named, and the others are trained.
    """
    import torch

    from book.population_training import train_member
    from book.populations import requested_members
    from fer_lib.train.device import pick_device

    pick_device(device)  # a wrong one is reported, also where no network is missing
    if threads:
        torch.set_num_threads(threads)
    failed = False
    for member in requested_members(names, n, only):
        label = f"{member.population.name} {member.seed}"
        try:
            record = train_member(member, device=device, replace=replace)
        except Exception as fault:
            # What the machine refuses (memory, space on the disk) is one network's, too.
            if not (hasattr(fault, "exit_code") or isinstance(fault, OSError | torch.OutOfMemoryError)):
                raise
            failed = True
            errors.print(f"ferbook: {label}: {fault}")
            continue
        if record is None:
            console.print(f"{label}: another process is at it")
            continue
        columns = {"validation": "valid_accuracy", "test": "test_accuracy"}
        shares = "".join(f"{name} {record[key]:.3f}, " for name, key in columns.items() if key in record)
        console.print(f"{label}: {shares}{record['seconds']:,} s")
    if failed:
        raise typer.Exit(1)


def evaluate_method(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A Python file that defines `explain`.")],
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the evaluation faces.")] = 0,
    small: Annotated[
        bool, typer.Option("--small", help="Fewer people and units: minutes on two cores.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Take every neuron, also where that takes hours.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Benchmark your attribution method: score its maps by the ground truth of rendered faces, next to the
    registered methods.

    The file defines `explain(network, layer, pictures, rows, filters, positions)`.
    """
    from book import evaluation
    from fer_lib.look.judge import MAP_SCORES

    size, method = "small" if small else "whole", evaluation.read_method(file)
    benchmarks = evaluation.made_benchmarks(evaluation.BENCHMARK_SIZES[size], seed, errors.print)
    about = benchmarks, errors.print, None if every else seed
    own = evaluation.judged_method(str(file), method, *about)
    others = evaluation.committed_baselines(size, seed) or evaluation.judged_baselines(*about)
    if as_json:
        methods = {file.name: own, **others}
        estimates = {name: {s: e.to_json() for s, e in each.items()} for name, each in methods.items()}
        print_json({"seed": seed, "size": size, "methods": estimates})
        return
    rows = []
    for score, about in MAP_SCORES.items():
        best = max((name for name in others if score in others[name]), key=lambda n: others[n][score].value)
        text = bounds_text(own[score]) if score in own else "–"
        rows.append([score, text, f"{best} {others[best][score].value:.2f}", about.nothing])
    print_table(f"{file.name}, seed {seed}", ["score", "yours", "best other", "constant map"], rows)
    for part in evaluation.SCORE_TABLES:
        cells = [
            [evaluation.marked(name).replace("`", ""), *evaluation.score_cells(each, part)]
            for name, each in {"yours": own, **others}.items()
        ]
        print_table("registered methods", ["maps", *(s.replace("_", " ") for s in part)], cells)
    console.print(f"{1000 * own['seconds'].value:.1f} ms a map; 95 % intervals over people and networks")
    console.print(evaluation.verdict(own, others))


detector_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Detectors of action units: faces to try one on, and what it responds to.",
)


@detector_app.command("stimuli")
def make_stimuli(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new or empty folder.")],
    people: Annotated[int, typer.Option(help="How many people; at least 6.")] = 12,
    seed: Annotated[int, typer.Option(help="Whose faces: another seed, other people.")] = 0,
    size: Annotated[int, typer.Option(min=64, max=1024, help="Side of a picture in pixels.")] = 224,
) -> None:
    """Render faces for a detector of action units: each unit alone in five doses and on either side, several
    together, turned heads, other skins, ages and lights. What is in them is written in truth.csv alone.
    """
    from book.detector_audit import PICTURES, TRUTH_FILE, write_stimuli

    pictures = write_stimuli(out, people, seed, size)
    console.print(f"{pictures:,} pictures for an audit: {out / PICTURES}; what they show: {out / TRUTH_FILE}")
    console.print(f"next: let your detector write a CSV, then `ferbook detector audit FILE --stimuli {out}`")


@detector_app.command("audit")
def audit_detector(
    detections: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="The detector's CSV, a row per picture; or a folder of one per picture."
        ),
    ],
    stimuli: Annotated[Path, typer.Option("--stimuli", help="The folder of `ferbook detector stimuli`.")],
    columns: Annotated[
        str, typer.Option("--columns", help="A YAML file with lines such as `smile: AU12`.")
    ] = "",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The page; FILE-audit.html otherwise.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a detector of action units responds to, and write it as a page."""
    from book.detector_audit import audited

    audit, notes = audited(stimuli, detections, columns)
    # Not before: it fits into the memory that the table's cells took.
    from book.detector_page import audit_json, audit_page, verdict_lines
    from ferbook.files import write_atomically

    for note in notes:
        errors.print(f"ferbook: {note}")
    if as_json:
        print_json(audit_json(audit, notes))
    if output or not as_json:
        file = output or detections.with_name(f"{detections.stem}-audit.html")
        write_atomically(file, audit_page(audit, notes, detections.name))
        errors.print(f"page: {file}")
    if not as_json:
        for line in verdict_lines(audit):
            console.print(line)
