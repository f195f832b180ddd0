"""The book from a run: executed chapters staged at their source paths, numbers beside them, Jupyter Book on
top.
"""

import copy
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook

from ferbook import paths
from ferbook.answers import PLACE, claims_text, faces_of, judged_claims
from ferbook.book import CHAPTERS, Chapter
from ferbook.errors import ChapterError, RunStoreError
from ferbook.notebook import INJECTED_TAG, PARAMETERS_TAG, code_cells, code_sources, read_notebook, tags
from ferbook.offline import external_requests
from ferbook.owner import end_with_parent
from ferbook.provenance import provenance, reproduce_command
from ferbook.store import ChapterResult, Run, read_json, write_json

STAMP = ".build.json"


def pages_of_toc() -> list[str]:
    """Every page that ``_toc.yml`` names, as paths without ending, in order."""

    def walk(node: object) -> list[str]:
        if isinstance(node, dict):
            own = [node[key] for key in ("root", "file") if key in node]
            return own + [page for value in node.values() for page in walk(value)]
        return [page for entry in node for page in walk(entry)] if isinstance(node, list) else []

    return walk(yaml.safe_load(paths.TOC.read_text(encoding="utf-8")))


def check_toc() -> None:
    """Raise ChapterError where ``_toc.yml`` lacks a declared chapter, or names a page that is not there."""
    pages = pages_of_toc()
    for chapter in CHAPTERS.values():
        page = chapter.notebook.relative_to(paths.ROOT).with_suffix("").as_posix()
        if page not in pages:
            raise ChapterError(f"_toc.yml does not name {page}, which chapters.py declares")
    for page in pages:
        if not any((paths.ROOT / f"{page}{ending}").is_file() for ending in (".md", ".ipynb")):
            raise ChapterError(f"_toc.yml names {page}, but there is neither {page}.md nor {page}.ipynb")
        if (paths.ROOT / f"{page}.ipynb").is_file() and Path(page).name not in CHAPTERS:
            raise ChapterError(f"_toc.yml names the notebook {page}, which chapters.py does not declare")


def staged_notebook(chapter: Chapter, result: ChapterResult) -> NotebookNode:
    """The executed chapter with the source's present prose: outputs come from the run, text from ``book/``.

    Raises ChapterError where the code of the two differs: then the chapter has to run again.
    """
    source, executed = read_notebook(chapter.notebook), read_notebook(result.notebook)
    if code_sources(source) != code_sources(executed):
        raise ChapterError(
            f"the code of {chapter.notebook.name} changed since the run {result.folder.parent.name!r}; "
            f"`ferbook run {chapter.name} --run {result.folder.parent.name}` executes it again"
        )
    staged = copy.deepcopy(source)
    outputs = iter(code_cells(executed))
    cells: list[NotebookNode] = []
    injected = [cell for cell in executed.cells if INJECTED_TAG in tags(cell)]
    for cell in staged.cells:
        if cell.cell_type == "code":
            ran = next(outputs)
            cell.outputs, cell.execution_count = copy.deepcopy(ran.outputs), ran.execution_count
            if PARAMETERS_TAG in tags(cell):
                cells += [
                    _tagged(cell, "remove-input"),
                    *(_tagged(other, "hide-input") for other in injected),
                ]
                continue
        cells.append(cell)
    staged.cells = cells
    staged.metadata = executed.metadata
    return staged


def _tagged(cell: NotebookNode, tag: str) -> NotebookNode:
    """The cell with one more tag. The page folds away the values that were used, and leaves out the defaults
    that they replaced; Jupyter Book does not know papermill's own hiding."""
    cell.metadata["tags"] = [*tags(cell), tag]
    return cell


def _absent_notebook(chapter: Chapter, run: Run) -> NotebookNode:
    """A notebook too, and not a page of Markdown: other pages link to it by its file's name."""
    text = (
        f"# {chapter.title}\n\nThe run `{run.name}`, from which this book was built, has no finished "
        "result of this chapter. It can be added:\n\n"
        f"```bash\nferbook run {chapter.name} --run {run.name}\nferbook build --run {run.name}\n```\n"
    )
    return new_notebook(cells=[new_markdown_cell(text, id="absent")])


def stage(run: Run, folder: Path) -> None:
    """Write everything Jupyter Book reads to ``folder``: settings, pages, executed chapters, metrics.

    In place of a chapter that the run lacks stands a page that says how to make it.
    """
    shutil.copy(paths.CONFIG, folder)
    shutil.copy(paths.TOC, folder)
    shutil.copytree(paths.BOOK, folder / "book", ignore=shutil.ignore_patterns("*.ipynb", "*.toml", ".*"))
    (folder / "metrics").mkdir()
    for chapter in CHAPTERS.values():
        result = run.result(chapter.name)
        if result.done() is None:
            notebook = _absent_notebook(chapter, run)
        else:
            notebook = staged_notebook(chapter, result)
            notebook.cells.append(new_markdown_cell(provenance(run, chapter.name), id="provenance"))
            write_json(folder / "metrics" / f"{chapter.name}.json", result.metrics())
        nbformat.write(notebook, folder / "book" / chapter.notebook.name)
    claims = claims_text(judged_claims(run), faces_of(run))
    for page in pages_of_toc():
        file = folder / f"{page}.md"
        if file.is_file():
            text = file.read_text(encoding="utf-8").replace(PLACE, claims)
            file.write_text(f"{text.rstrip()}\n\n{provenance(run)}", encoding="utf-8")


def _require_sound(run: Run) -> None:
    """Raise RunStoreError unless there are finished chapters, all whole and made from each other."""
    run.record()
    if not run.results():
        raise RunStoreError(
            f"run {run.name!r} has no finished chapter; `ferbook run --run {run.name}` makes them"
        )
    faults = [fault for result in run.results() for fault in result.faults()]
    if faults:
        raise RunStoreError(f"run {run.name!r} is damaged: {'; '.join(faults)}; run the chapter again")
    for result in run.results():
        for name, used in result.done()["inputs"].get("upstream", {}).items():
            if run.result(name).done() is None or run.result(name).checksum() != used:
                raise RunStoreError(
                    f"run {run.name!r}: {result.chapter} was made from another result of {name} than the "
                    "run now "
                    f"holds; `{reproduce_command(run, result.chapter)} --run {run.name}` makes it again"
                )


def _content_key(folder: Path) -> str:
    """SHA-256 over everything staged and over the extensions that render it."""
    digest = hashlib.sha256()
    files = [*folder.rglob("*"), *(paths.LIBRARY / "suite").glob("sphinx_*.py")]
    for file in sorted(f for f in files if f.is_file()):
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def build_book(run: Run, force: bool = False) -> tuple[Path, bool]:
    """Build ``_build/html`` from a run; every Sphinx warning, and any request to another host, is an error.

    Returns the first page, and whether anything was built: an unchanged book is left alone. The old book
    stays until the new one is whole. Raises RunStoreError where no chapter is finished or one is damaged,
    ChapterError where the build fails.
    """
    check_toc()
    _require_sound(run)
    with _alone():
        return _build(run, force)


@contextmanager
def _alone() -> Iterator[None]:
    """Hold ``_build`` for this process: two builds would empty each other's folders. The second one waits."""
    paths.BUILD.mkdir(parents=True, exist_ok=True)
    with (paths.BUILD / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_built_from(html: Path, key: str) -> bool:
    with suppress(RunStoreError):  # no stamp, or a damaged one: not known, so build
        return (html / "index.html").is_file() and read_json(html / STAMP).get("key") == key
    return False


def _build(run: Run, force: bool) -> tuple[Path, bool]:
    html = paths.BUILD / "html"
    index = html / "index.html"
    staging, output, old = paths.BUILD / "stage", paths.BUILD / "new", paths.BUILD / "old"
    if old.exists() and not html.exists():
        old.rename(html)  # a kill struck between the two moves below
    for folder in (staging, output, old):
        shutil.rmtree(folder, ignore_errors=True)
    staging.mkdir(parents=True)
    stage(run, staging)
    key = _content_key(staging)
    if not force and _is_built_from(html, key):
        return index, False
    log = paths.BUILD / "build.log"
    environment = os.environ | {"PYTHONPATH": str(paths.ROOT), "PYTHONWARNINGS": "ignore", "NO_COLOR": "1"}
    command = [
        *(sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(staging)),
        *("--path-output", str(output), "-W", "--keep-going"),
    ]
    with log.open("wb") as sink:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=environment,
            check=False,
            preexec_fn=end_with_parent,
        )
    if answer.returncode:
        text = log.read_text(encoding="utf-8", errors="replace").splitlines()
        told = [line for line in text if "WARNING" in line or "ERROR" in line or "Error" in line] or text[
            -15:
        ]
        raise ChapterError("the book could not be built:\n  " + "\n  ".join(told[:20]) + f"\n  log: {log}")
    new = output / "_build" / "html"
    absent = [page for page in pages_of_toc() if not (new / f"{page}.html").is_file()]
    if absent:
        raise ChapterError(f"the built book lacks {', '.join(absent)}; log: {log}")
    requests = external_requests(new)
    if requests:
        raise ChapterError("the book would ask other hosts:\n  " + "\n  ".join(requests[:20]))
    write_json(new / STAMP, {"key": key, "run": run.name})
    if html.exists():
        html.rename(old)
    new.rename(html)
    for folder in (old, output):
        shutil.rmtree(folder, ignore_errors=True)
    return index, True
