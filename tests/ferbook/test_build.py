"""Building: the table of contents, the merge of prose and results, the command that makes a page again."""

import fcntl
import json
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ferbook import book, build, paths
from ferbook.book import CHAPTERS, Chapter
from ferbook.build import build_book, check_toc, pages_of_toc, stage, staged_notebook
from ferbook.errors import ChapterError, RunStoreError
from ferbook.notebook import read_notebook
from ferbook.provenance import provenance, reproduce_command
from ferbook.request import Request
from ferbook.store import ChapterResult, open_run, write_json


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_RUNS", str(tmp_path / "runs"))


def test_the_table_of_contents_names_every_chapter_and_only_pages_that_are_there():
    check_toc()
    assert pages_of_toc()[0] == "book/index"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda text: text.replace("- file: book/training", "- file: book/rerun"),
            "does not name book/training",
        ),
        (lambda text: text.replace("book/references", "book/absent"), "neither book/absent.md"),
    ],
)
def test_a_table_of_contents_that_is_wrong_is_refused(tmp_path, monkeypatch, change, told):
    changed = tmp_path / "_toc.yml"
    changed.write_text(change(paths.TOC.read_text()))
    monkeypatch.setattr(paths, "TOC", changed)
    with pytest.raises(ChapterError, match=told):
        check_toc()


def test_a_notebook_that_no_chapter_declares_is_refused(monkeypatch):
    only_faces = {"faces": CHAPTERS["faces"]}
    monkeypatch.setattr(book, "CHAPTERS", only_faces)
    with pytest.raises(ChapterError, match=r"book/training, which chapters\.py does not declare"):
        check_toc()


def notebook(prose, code, executed):
    output = [new_output("stream", name="stdout", text="42\n")] if executed else []
    cells = [
        new_markdown_cell(prose),
        new_code_cell(
            "epochs = 1", metadata={"tags": ["parameters"]}, execution_count=1 if executed else None
        ),
        new_code_cell(code, outputs=output, execution_count=3 if executed else None),
    ]
    if executed:
        injected = new_code_cell("epochs = 5", metadata={"tags": ["injected-parameters"]}, execution_count=2)
        cells.insert(2, injected)
    else:
        cells[-1].metadata["tags"] = ["hide-input"]
    return new_notebook(cells=cells)


@pytest.fixture
def chapter(tmp_path, monkeypatch):
    """A chapter whose prose was changed after it was executed, and its result."""
    monkeypatch.setattr(paths, "BOOK", tmp_path)
    made = Chapter("toy", "Toy", CHAPTERS["faces"].parameters)
    nbformat.write(notebook("new prose", "print(42)", False), made.notebook)
    result = ChapterResult("toy", tmp_path / "run" / "toy")
    result.folder.mkdir(parents=True)
    nbformat.write(notebook("old prose", "print(42)", True), result.notebook)
    return made, result


def test_prose_comes_from_the_source_and_outputs_from_the_run(chapter):
    staged = staged_notebook(*chapter)
    assert [cell.source for cell in staged.cells] == ["new prose", "epochs = 1", "epochs = 5", "print(42)"]
    assert staged.cells[-1].outputs[0].text == "42\n"
    assert staged.cells[1].metadata.tags == ["parameters", "remove-input"]
    assert staged.cells[2].metadata.tags == ["injected-parameters", "hide-input"]
    assert staged.cells[-1].metadata.tags == ["hide-input"], "how a cell is shown is the source's to say"


def test_changed_code_must_run_again(chapter):
    nbformat.write(notebook("prose", "print(43)", False), chapter[0].notebook)
    with pytest.raises(ChapterError, match=r"the code of toy\.ipynb changed .* `ferbook run toy --run run`"):
        staged_notebook(*chapter)


def test_a_run_without_a_finished_chapter_is_not_built():
    run = open_run("a")
    run.write_record({"request": {"profile": "laptop", "parameters": {}}, "changed": "now"})
    with pytest.raises(RunStoreError, match=r"has no finished chapter; `ferbook run --run a` makes them"):
        build_book(run)


@pytest.mark.parametrize(
    ("request_made", "chapter", "command"),
    [
        (Request("smoke"), None, "ferbook run --profile smoke"),
        (Request("laptop", {"epochs": "5"}), "training", "ferbook run training --profile laptop -p epochs=5"),
        (Request("laptop", {"epochs": "5"}), "faces", "ferbook run faces --profile laptop"),
        (Request("laptop", {"faces": "fer2013"}), None, "ferbook run --profile laptop --faces fer2013"),
        (
            Request("smoke", {"size": "32", "lr": "0.5"}),
            None,
            "ferbook run --profile smoke -p size=32 -p lr=0.5",
        ),
        (Request("laptop", {"faces.seed": "4"}), None, "ferbook run --profile laptop -p faces.seed=4"),
    ],
)
def test_the_command_names_what_differs_from_the_profile(request_made, chapter, command):
    assert reproduce_command(recorded(request_made, CHAPTERS), chapter) == command


def recorded(request_made, names):
    """A run that was asked for the chapters ``names`` and has none of them yet."""
    run = open_run("a")
    parameters = {name: request_made.of_chapter(CHAPTERS[name]).model_dump() for name in names}
    run.write_record(
        {
            "request": {"profile": request_made.profile, "parameters": parameters},
            "changed": "now",
            "commit": "abc",
        }
    )
    return run


def test_the_book_of_some_chapters_is_made_again_by_a_command_that_names_them():
    run = recorded(Request("laptop", {"epochs": "5"}), ["faces", "training"])
    assert reproduce_command(run) == "ferbook run faces training --profile laptop -p epochs=5"


def test_a_chapter_that_the_run_lacks_is_staged_as_a_page_that_says_how_to_make_it(tmp_path):
    run = recorded(Request("smoke"), ["faces"])
    result = tmp_path / "result"
    write_json(result / "metrics.json", {"pictures": {"value": 1}})
    made = {"device": "toaster", "seconds": 3.0, "commit": "abc", "figures": {}}
    write_json(result / "record.json", made)
    nbformat.write(read_notebook(CHAPTERS["faces"].notebook), result / "faces.ipynb")
    run.result("faces").commit(result, {})
    staged = tmp_path / "stage"
    staged.mkdir()
    stage(run, staged)
    assert [file.name for file in (staged / "metrics").iterdir()] == ["faces.json"]
    assert len(read_notebook(staged / "book" / "faces.ipynb").cells) > 1
    for name in CHAPTERS.keys() - {"faces"}:
        (cell,) = read_notebook(staged / "book" / f"{name}.ipynb").cells
        title = read_notebook(CHAPTERS[name].notebook).cells[0].source.splitlines()[0]
        assert cell.cell_type == "markdown" and cell.source.startswith(f"{title}\n")
        assert f"ferbook run {name} --run a\n" in cell.source and "ferbook build --run a" in cell.source
    answers = (staged / "book" / "answers.md").read_text()
    assert "| the run has no chapter training |" in answers and "{bdg-light}`not asked`" in answers


def test_a_page_tells_of_the_result_even_where_the_run_was_killed_before_its_record_was_written(tmp_path):
    run = open_run("a")
    run.write_record({"request": {"profile": "laptop", "parameters": {}}, "changed": "now", "chapters": {}})
    staged = tmp_path / "staged"
    write_json(staged / "record.json", {"device": "toaster", "seconds": 3.0, "commit": "abc", "figures": {}})
    run.result("faces").commit(staged, {"parameters": {"seed": 4}, "packages": {}})
    told = provenance(run, "faces")
    assert "toaster" in told and "`seed=4`" in told
    assert "| Data |" not in told, "a chapter that opened no faces has no data to name"


@pytest.fixture
def finished(tmp_path):
    """A run whose chapters are finished, ``training`` from the result of ``faces`` that is there."""
    run = open_run("a")
    run.write_record({"request": {"profile": "laptop", "parameters": {}}, "changed": "now"})
    for name, chapter in CHAPTERS.items():
        staged = tmp_path / f"staged-{name}"
        write_json(staged / "metrics.json", {})
        upstream = {other: run.result(other).checksum() for other in chapter.upstream}
        run.result(name).commit(staged, {"upstream": upstream})
    return run


@pytest.fixture
def toy_book(tmp_path, monkeypatch):
    """Jupyter Book replaced by what writes the pages and says which build it is; ``_build`` in a folder of
    its own.
    """
    monkeypatch.setattr(paths, "BUILD", tmp_path / "_build")
    monkeypatch.setattr(build, "stage", lambda run, folder: (folder / "page.md").write_text("x"))
    monkeypatch.setattr(build, "pages_of_toc", lambda: ["index"])
    monkeypatch.setattr(build, "check_toc", lambda: None)
    builds = []

    def jupyter_book(command, **_):
        builds.append(command)
        page = Path(command[command.index("--path-output") + 1]) / "_build" / "html" / "index.html"
        page.parent.mkdir(parents=True)
        page.write_text(f"build {len(builds)}")
        with (paths.BUILD / ".lock").open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(build.subprocess, "run", jupyter_book)
    return tmp_path / "_build" / "html"


def test_a_run_of_results_that_do_not_belong_together_is_not_built(finished, tmp_path):
    write_json(tmp_path / "other" / "metrics.json", {"pictures": {"value": 1}})
    finished.result("faces").commit(tmp_path / "other", {})
    with pytest.raises(
        RunStoreError,
        match=r"training was made from another result of faces .*`ferbook run training .* --run a` makes it "
        r"again",
    ):
        build_book(finished)


def test_a_chapter_whose_upstream_was_lost_is_not_built(finished):
    (finished.result("faces").folder / "DONE.json").unlink()
    with pytest.raises(RunStoreError, match="training was made from another result of faces"):
        build_book(finished)


def test_a_book_is_built_once_alone_and_again_where_its_stamp_is_damaged(finished, toy_book):
    assert build_book(finished) == (toy_book / "index.html", True)
    assert build_book(finished)[1] is False
    for content in ("", "[]", "{}"):
        (toy_book / build.STAMP).write_text(content)
        assert build_book(finished)[1] is True
    assert json.loads((toy_book / build.STAMP).read_text())["run"] == "a"


def test_a_kill_while_the_new_book_moves_in_leaves_the_old_one(finished, toy_book, monkeypatch):
    build_book(finished)
    rename = Path.rename

    def killed(self, target):
        if self.parent.name == "_build" and self.parent.parent.name == "new":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        build_book(finished, force=True)
    monkeypatch.setattr(Path, "rename", rename)
    assert build_book(finished)[1] is False
    assert (toy_book / "index.html").read_text() == "build 1"
