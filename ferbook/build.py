"""The book from a run: executed chapters staged at their source paths, their numbers next to them, Jupyter
Book on top.
"""

import html
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook

from ferbook import notebook as notebook_files
from ferbook import paths
from ferbook.answers import STORED_NETWORKS, answers_of
from ferbook.book import Chapter, chapters, child_environment, import_named, page_of, pages_of_toc, suite
from ferbook.environment import held, printed_by_failure
from ferbook.errors import BookError, ChapterError, RunStoreError
from ferbook.figures import Figures
from ferbook.inputs import code_inputs
from ferbook.labels import require_labels
from ferbook.notebook import read_notebook, tags
from ferbook.page.answers_page import chapter_text, table_row, with_answers
from ferbook.provenance import provenance, reproduce_command
from ferbook.records import read_json
from ferbook.reference_run import REFERENCE, matching_references, usable_reference
from ferbook.site import external_requests, finish
from ferbook.steps import steps
from ferbook.store import ChapterResult, ReferenceMatch, Run, open_run, write_json
from ferbook.text import OTHER_CODE, bounds_text, number_text

STAMP = ".build.json"
# The lines of a chapter's page in whose place ``key_numbers`` and ``what_you_need`` are put.
KEY_NUMBERS, READING = "<!-- key numbers -->", "<!-- reading -->"
# Said where a run's key metrics are the reference's, to the last digit.
SAME_NETWORKS = (
    "Your run evaluated the networks of the reference on its pictures, so these are its numbers, too."
)
# Said where a page quotes both.
WHOSE = "Values marked *reference* come from the published run; all others are your run's."
# How long a first build is expected to take; later ones take the time of the one before.
USUAL_SECONDS = 90
# Folder of the files that go next to the built pages unchanged.
_FILES = "files"
_SHOWN_FILES = (".svg", ".png", ".csv")


def check_toc() -> None:
    """Raise BookError where ``_toc.yml`` lacks a chapter, or names a page that is not there."""
    pages, chapter_pages = pages_of_toc(), [page_of(chapter) for chapter in chapters().values()]
    for page in chapter_pages:
        if page not in pages:
            raise BookError(f"_toc.yml does not name {page}; add `- file: {page}` to it")
    for page in pages:
        if not any((paths.root() / f"{page}{ending}").is_file() for ending in (".md", ".ipynb")):
            raise BookError(f"_toc.yml names {page}, but there is neither {page}.md nor {page}.ipynb")
        if (paths.root() / f"{page}.ipynb").is_file() and page not in chapter_pages:
            raise BookError(f"_toc.yml names the notebook {page}, which is no chapter: it has no chapter.py")


def _link(page: str, origin: str) -> str:
    """Return a link in ``origin`` to another page, which shows that page's title."""
    ending = ".ipynb" if (paths.root() / f"{page}.ipynb").is_file() else ".md"
    return f"[]({os.path.relpath(page + ending, Path(origin).parent)})"


def with_chapter_facts(text: str, page: str) -> str:
    """``text`` of ``page`` with what only ``chapter.py`` says: a chapter's title, and the
    table of all chapters.
    """
    every = list(chapters().values())
    if "<!-- chapters -->" in text:
        rows = [
            f"| {_link(page_of(each), page)} | {each.learn} | {_minutes(each)} min | {_needs(each)} |"
            for each in every
        ]
        head = ["| Chapter | What you learn | To read | Needs |", "|---|---|---|---|"]
        text = text.replace("<!-- chapters -->", "\n".join((*head, *rows)))
    for own in (each for each in every if page_of(each) == page):
        text = text.replace("<!-- title -->", own.title)
    return text


def _minutes(chapter: Chapter) -> int:
    return notebook_files.reading_minutes(read_notebook(chapter.notebook))


def what_you_need(chapter: Chapter, results: Sequence[ChapterResult]) -> str:
    """Return what it takes to read the chapter's page, and to run it, as the ``results`` of runs know."""
    minutes, page = _minutes(chapter), page_of(chapter)
    before = [name for name in chapters() if name in {*chapter.upstream, *chapter.after}]
    times = []
    for result in results:
        run = Run(result.folder.parent.name, result.folder.parent)
        if (seconds := result.record().seconds) is not None:
            profile, took = run.record()["request"]["profile"], number_text(seconds, "seconds")
            times.append(f"{took} with profile `{profile}` (run `{run.name}`)")
    rows = {
        "Time to read": f"{minutes} minute{'s' * (minutes > 1)}",
        "Time to run": "; ".join(times),
        "Needs": chapter.needs or "nothing else",
        "Read before": ", ".join(_link(page_of(chapters()[name]), page) for name in before),
    }
    return " · ".join(f"**{name}:** {value}" for name, value in rows.items() if value)


def _needs(chapter: Chapter) -> str:
    """Return what it takes to run a chapter, with the numbers of the chapters that it reads."""
    upstream = [str(place) for place, name in enumerate(chapters(), start=1) if name in chapter.upstream]
    of_chapters = f"chapter{'s' * (len(upstream) > 1)} {' and '.join(upstream)}" if upstream else ""
    return "; ".join(filter(None, (of_chapters, chapter.needs))) or "nothing else"


def staged_notebook(chapter: Chapter, result: ChapterResult) -> NotebookNode:
    """Return the chapter as its page shows it: today's prose from ``book/``, and the code that was executed,
    with its outputs. Where today's code differs from that, a note says so, and at which commit it was
    executed.

    The page folds away the values that were used, and leaves out the defaults that they replaced; Jupyter
    Book does not know papermill's own hiding.
    """
    source, executed = read_notebook(chapter.notebook), read_notebook(result.notebook)
    past, commit = notebook_files.cells_executed(source, executed), html.escape(result.record().commit)
    cells: list[NotebookNode] = []

    def note(words: str) -> None:
        text = f'<p class="not-shown">{words} at commit <code>{commit}</code>.</p>'
        cells.append(new_markdown_cell(text, id=f"note-{len(cells)}"))

    for cell in source.cells:
        ran = past.pop(cell.id, None) if cell.cell_type == "code" else cell
        if ran is None:
            note("A cell has been added here since the chapter was executed,")
            continue
        ran.id, ran.metadata = cell.id, cell.metadata
        if notebook_files.PARAMETERS_TAG in tags(cell):
            ran.metadata["tags"] = [*tags(cell), "remove-input"]
            cells.append(ran)
            for used in (one for one in executed.cells if notebook_files.INJECTED_TAG in tags(one)):
                used.metadata = NotebookNode(tags=[notebook_files.INJECTED_TAG, "hide-input"])
                cells.append(used)
            continue
        if "open_chapter(" in ran.source:
            ran.metadata["tags"] = [*tags(cell), "hide-input"]
        if ran.source != cell.source:
            note("The cell below has changed since. It is shown as it was executed,")
        cells.append(ran)
    if past:
        note(f"The notebook has no longer the cells {', '.join(past)}, which were executed, too,")
    source.cells = cells
    source.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    return source


def _absent_notebook(chapter: Chapter, run: Run) -> NotebookNode:
    """Return the page of an absent chapter: a notebook, since other pages link to it by its file's name."""
    text = (
        f"# {chapter.title}\n\nThe run `{run.name}`, from which this book was built, has no finished "
        "result of this chapter. It can be added:\n\n"
        f"```bash\nferbook run {chapter.name} --run {run.name}\nferbook build --run {run.name}\n```\n"
    )
    return new_notebook(cells=[new_markdown_cell(text, id="absent")])


def key_numbers(chapter: Chapter, own: ChapterResult, match: ReferenceMatch) -> str:
    """Return the chapter's key metrics by the reference and by the run, as a table of MyST; where the
    reference may be compared, why. Empty where there is none.
    """
    if match.result is None:
        words = f"The numbers of this page cannot be compared with the reference: {match.why}."
        return words if match.why else ""
    if own.done() is None:
        return ""
    reference, here = match.result.metrics(), own.metrics()
    extent = match.result.record().extent
    names = [name for name in chapter.key_metrics if name in reference and name in here]
    same = bool(names) and all(reference[name] == here[name] for name in names)
    text = partial(bounds_text, bare=" (no interval)")
    rows = [
        (name.replace("_", " "), *(text(of[name]) if name in of else "–" for of in (reference, here)))
        for name in chapter.key_metrics
        if name in reference or name in here
    ]
    yours = f"Your run{f', {STORED_NETWORKS}' * bool(own.record().stored_networks)}"
    heads = ("Key numbers", f"Reference{f', {extent}' * bool(extent)}", yours)
    width = 2 if same else 3
    table = "\n".join(table_row(line[:width]) for line in (heads, ("---",) * 3, *rows))
    return f"{table}\n\n{SAME_NETWORKS if same else WHOSE}"


def stage(run: Run, folder: Path) -> None:
    """Write everything Jupyter Book reads to ``folder``: settings, pages, executed chapters, metrics.

    In place of a chapter that the run lacks goes the reference's, or a page that says how to make it.
    """
    shutil.copy(paths.root() / "_config.yml", folder)
    shutil.copy(paths.toc(), folder)
    ignore = shutil.ignore_patterns("*.ipynb", "*.py", "*.toml", "__pycache__", ".*")
    shutil.copytree(paths.pages(), folder / "book", ignore=ignore)
    matches = matching_references(run)
    answers = answers_of(run, matches) if paths.claims_file().exists() else None
    figures, notebooks, results, places = Figures(), {}, {}, {}
    for name, chapter in chapters().items():
        own, match = run.result(name), matches[name]
        there = own.done() is not None
        result = own if there else match.result
        if result is None:
            notebook = _absent_notebook(chapter, run)
        else:
            if not there:
                _require_own([result])
            notebook, results[name] = staged_notebook(chapter, result), result
            origin = provenance(run, name, match.result) if there else provenance(open_run(REFERENCE), name)
            notebook.cells.append(new_markdown_cell(origin, id="provenance"))
            _stage_metrics(chapter, result, folder / "metrics")
            _stage_files(result.folder, folder, page_of(chapter))
        # Numbers with the role ``reference`` are the reference's, whatever the run is about.
        if quoted := usable_reference(run, chapter).result or (own if there and not match.why else None):
            lacking = quoted is own and run.name != REFERENCE
            _stage_metrics(chapter, quoted, folder / "metrics" / REFERENCE, lacking=lacking)
        figures.collect(chapter, notebook)
        notebooks[name] = notebook
        needed = what_you_need(chapter, [each for each in (own, match.result) if each and each.done()])
        texts = answers and chapter_text(answers, name), key_numbers(chapter, own, match)
        places[name] = {READING: needed, KEY_NUMBERS: "\n\n".join(filter(None, texts))}
    fills = {
        line: import_named(f"the line {line!r}", place)(results)
        for line, place in suite().placeholders.items()
    }
    for name, notebook in notebooks.items():
        page = page_of(chapters()[name])
        prose = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
        require_labels(page, [(cell.get("id", ""), cell.source) for cell in prose])
        for cell in prose:
            text = _with(places[name] | fills, with_chapter_facts(cell.source, page))
            text = figures.placed(text, page, f"{page}.ipynb, cell {cell.get('id')!r}")
            cell.source = with_answers(text, answers, folder / _FILES / Path(page).parent)
        nbformat.write(notebook, folder / f"{page}.ipynb")
    for page in pages_of_toc():
        file = folder / f"{page}.md"
        if file.is_file():
            require_labels(page, [("text", file.read_text(encoding="utf-8"))])
            text = _with(fills, with_chapter_facts(file.read_text(encoding="utf-8"), page))
            text = figures.placed(text, page)
            linked = partial(figures.placed, page=page, where=paths.claims_file().name)
            text = with_answers(text, answers, folder / _FILES / Path(page).parent, linked)
            file.write_text(f"{text.rstrip()}\n\n{provenance(run)}", encoding="utf-8")


def _with(fills: Mapping[str, str], text: str) -> str:
    """``text`` with the texts that the book gives for its placeholders."""
    for place, content in fills.items():
        text = text.replace(place, content)
    return text


def _stage_files(source: Path, folder: Path, page: str) -> None:
    """Copy the figures' files next to the built ``page``."""
    target = folder / _FILES / Path(page).parent / "figures"
    for file in sorted(file for file in (source / "figures").glob("*.*") if file.suffix in _SHOWN_FILES):
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)


def _stage_metrics(chapter: Chapter, result: ChapterResult, folder: Path, *, lacking: bool = False) -> None:
    """The metrics that pages may quote. Today's prose may quote some that are absent from a result of
    other code, and from a run that takes the place of an absent reference (``lacking``).
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(result.folder / "metrics.json", folder / f"{result.chapter}.json")
    inputs = result.done()["inputs"]
    if lacking or any(inputs.get(part) != now for part, now in code_inputs(chapter, inputs).items()):
        (folder / f"{result.chapter}{OTHER_CODE}").touch()


def require_intact(run: Run) -> None:
    """Raise RunStoreError unless there are finished chapters, all whole and made from each other."""
    run.record()
    if not run.results():
        raise RunStoreError(
            f"run {run.name!r} has no finished chapter; `ferbook run --run {run.name}` makes them"
        )
    advice = "; run the chapter again"
    if faults := [fault for result in run.results() for fault in result.faults()]:
        raise RunStoreError(f"run {run.name!r} is damaged: {'; '.join(faults).removesuffix(advice)}{advice}")
    for result in run.results():
        inputs = result.done()["inputs"]
        if inputs.get("parameters", {}).get(suite().standalone_by):
            continue
        for name, checksum in inputs.get("upstream", {}).items():
            if run.result(name).done() is None or run.result(name).artifact_digest() != checksum:
                raise RunStoreError(
                    f"run {run.name!r}: {result.chapter} was made from another result of {name} than the "
                    f"run now holds; `{reproduce_command(run, result.chapter, into=True)}` makes it again"
                )


def mark_run_local(run: Run) -> None:
    """Take the results of ``run`` for made here, as its user says. Raises RunStoreError for a damaged run."""
    require_intact(run)
    for result in run.results():
        if not result.is_local():
            result.mark_local()


def _require_own(results: Sequence[ChapterResult]) -> None:
    if foreign := [result for result in results if not result.is_local()]:
        name, chapters_of_it = foreign[0].folder.parent.name, ", ".join(each.chapter for each in foreign)
        raise RunStoreError(
            f"run {name!r} comes from elsewhere ({chapters_of_it} was not made here): no page shows what "
            f"such a run brings along. `ferbook check --run {name}` executes this checkout's code with "
            "its parameters and compares the numbers; of a run that was made on another machine of yours, "
            f"`ferbook build --run {name} --mine` says so, once"
        )


def build_book(run: Run) -> Path:
    """Build ``_build/html`` from a run; every Sphinx warning, and any request to another host, is an error.

    Returns the first page. The old book is replaced when the new one is whole. Raises RunStoreError where no
    chapter is finished or one is damaged, ChapterError where the build fails.
    """
    check_toc()
    with held(paths.build_folder() / ".lock"):  # two builds would empty each other's folders
        require_intact(run)
        _require_own(run.results())
        with steps("pages", len(pages_of_toc()), _stamp().get("seconds", USUAL_SECONDS), lambda: "build"):
            return _build(run)


def built_run() -> str:
    """Return the run of the present built book; empty where there is none."""
    return str(_stamp().get("run", ""))


def _stamp() -> dict[str, object]:
    """Return what the last build wrote of itself: its run, and its seconds."""
    with suppress(RunStoreError):
        return read_json(paths.build_folder() / "html" / STAMP)
    return {}


def with_position(line: str, staging: Path) -> str:
    """Return a warning of Sphinx with the page, and of a notebook the cell, in place of the staged file."""

    def named(match: re.Match) -> str:
        page, cell, number = match[1], *divmod(int(match[2]), 10_000)
        cells = read_notebook(staging / page).cells
        place = cells[cell - 1].get("id", cell) if 0 < cell <= len(cells) else cell
        return f"{page}, cell {place!r}, line {number}"

    line = re.sub(r"\x1b\[[\d;]*m", "", line)
    line = re.sub(rf"{re.escape(str(staging))}/([^:]+\.ipynb):(\d+)", named, line)
    return line.replace(f"{staging}/", "")


def _build(run: Run) -> Path:
    html, began = paths.build_folder() / "html", monotonic()
    staging, output, old = (paths.build_folder() / name for name in ("stage", "new", "old"))
    if old.exists() and not html.exists():
        old.rename(html)  # a kill struck between the two moves below
    for folder in (staging, output, old):
        shutil.rmtree(folder, ignore_errors=True)
    staging.mkdir(parents=True)
    stage(run, staging)
    log = paths.build_folder() / "build.log"
    environment = child_environment(PYTHONWARNINGS="ignore", NO_COLOR="1")
    command = [
        *(sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(staging)),
        *("--path-output", str(output), "-W", "--keep-going"),
    ]
    printed = printed_by_failure(command, log, environment)
    if printed is not None:
        faults = [with_position(line, staging) for line in printed if re.search("WARNING|ERROR|Error", line)]
        lines = [*(faults or printed[-15:])[:20], f"log: {log}"]
        raise ChapterError("\n  ".join(["the book could not be built:", *lines]))
    new = output / "_build" / "html"
    if absent := [page for page in pages_of_toc() if not (new / f"{page}.html").is_file()]:
        raise ChapterError(f"the built book lacks {', '.join(absent)}; log: {log}")
    if (staging / _FILES).is_dir():
        shutil.copytree(staging / _FILES, new, dirs_exist_ok=True)
    finish(new)
    if requests := external_requests(new):
        raise ChapterError("the book would send requests to other hosts:\n  " + "\n  ".join(requests[:20]))
    write_json(new / STAMP, {"run": run.name, "seconds": round(monotonic() - began)})
    if html.exists():
        html.rename(old)
    new.rename(html)
    for folder in (old, output):
        shutil.rmtree(folder, ignore_errors=True)
    return html / "index.html"
