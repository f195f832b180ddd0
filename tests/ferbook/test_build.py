"""Building: the table of contents, the merge of prose and results, the command that makes a page again."""

import dataclasses
import fcntl
import json
import re
import sys
import types
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from sphinx.testing.util import SphinxTestApp

from ferbook import build, paths
from ferbook.book import Chapter, chapters, clear_cached_book, suite
from ferbook.build import build_book, check_toc, stage, staged_notebook, what_you_need, with_chapter_facts
from ferbook.errors import BookError, RunStoreError
from ferbook.notebook import read_notebook
from ferbook.provenance import provenance, reproduce_command
from ferbook.request import Request
from ferbook.store import ChapterResult, open_run, write_json

pytestmark = pytest.mark.usefixtures("example")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("book/means/means", "book/index", "does not name book/means/means; add `- file: book/means/means`"),
        ("book/answers", "book/absent", "neither book/absent.md"),
        ("book/answers", "book/lone", "the notebook book/lone, which is no chapter"),
    ],
)
def test_a_table_of_contents_that_is_wrong_is_refused(copy, before, after, told):
    (copy / "book" / "lone.ipynb").write_text("{}")
    check_toc()
    toc = copy / "_toc.yml"
    toc.write_text(toc.read_text().replace(before, after))
    clear_cached_book()
    with pytest.raises(BookError, match=told):
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
def chapter(tmp_path):
    """A chapter whose prose was changed after it was executed, and its result."""
    made = Chapter("Toy", chapters()["throws"].parameters, name="toy", folder=tmp_path)
    nbformat.write(notebook("new prose", "print(42)", False), made.notebook)
    result = ChapterResult("toy", tmp_path / "run" / "toy")
    result.folder.mkdir(parents=True)
    nbformat.write(notebook("old prose", "print(42)", True), result.notebook)
    write_json(result.folder / "record.json", {"commit": "abc"})
    return made, result


def test_prose_comes_from_the_source_and_outputs_from_the_run(chapter):
    staged = staged_notebook(*chapter)
    assert [cell.source for cell in staged.cells] == ["new prose", "epochs = 1", "epochs = 5", "print(42)"]
    assert staged.cells[-1].outputs[0].text == "42\n"
    assert staged.cells[1].metadata.tags == ["parameters", "remove-input"]
    assert staged.cells[2].metadata.tags == ["injected-parameters", "hide-input"]
    assert staged.cells[-1].metadata.tags == ["hide-input"], "how a cell is shown is the source's to say"


def cells(*sources):
    """A notebook of ``sources``, code but for those that begin with ``#``; the first word is the id."""
    made = []
    for number, source in enumerate(sources):
        prose = new_markdown_cell(source[1:], id=f"prose-{number}")
        made.append(prose if source.startswith("#") else new_code_cell(source, id=source.split()[0]))
    return new_notebook(cells=made)


CHANGED, GONE, ADDED = "has changed since", "has no longer the cells", "has been added here"


def test_a_page_shows_values_as_they_show_themselves_and_what_is_printed_in_one_box(chapter, tmp_path):
    svg, png = '<svg xmlns="http://www.w3.org/2000/svg"/>', "UE5H"
    values = {"text/html": pd.DataFrame({"a": [1]})._repr_html_(), "image/svg+xml": svg, "image/png": png}
    executed = read_notebook(chapter[1].notebook)
    executed.cells[-1].outputs = [new_output("stream", name="stdout", text=f"{n}\n") for n in range(3)] + [
        new_output("display_data", data={"text/plain": "<IPython.core.display.Markdown object>", form: value})
        for form, value in (values | {"text/markdown": "*so*", "text/latex": "$x$"}).items()
    ]
    nbformat.write(executed, chapter[1].notebook)
    (tmp_path / "pages").mkdir()
    nbformat.write(staged_notebook(*chapter), tmp_path / "pages" / "index.ipynb")
    settings = yaml.safe_load((paths.ENGINE.parent / "_config.yml").read_text())["sphinx"]["config"]
    used = {name: value for name, value in settings.items() if name.startswith("nb_")}
    (tmp_path / "pages" / "conf.py").write_text("extensions = ['myst_nb']\nnb_execution_mode = 'off'\n")
    app = SphinxTestApp("html", srcdir=tmp_path / "pages", confoverrides=used)
    app.build()
    page = (app.outdir / "index.html").read_text()
    app.cleanup()
    assert page.count('class="output stream') == 1
    text = re.sub(r"<style.*?</style>", "", page, flags=re.DOTALL)
    assert "IPython.core" not in page and "dataframe tbody" not in text
    assert all(part in text for part in ("<th>a</th>", "<em>so</em>", "math notranslate", ".svg", ".png"))


@pytest.mark.parametrize(
    ("today", "page"),
    [
        (["#1", "draw 2", "#2", "say 1"], ["1", CHANGED, "draw 1", "2", "say 1"]),
        (["#1", "draw 1", "#new", "more 1", "#2", "say 1"], ["1", "draw 1", "new", ADDED, "2", "say 1"]),
        (["#1", "say 1"], ["1", "say 1", f"{GONE} draw,"]),
        (["#other", "a draw", "b say", "#prose"], ["other", ADDED, ADDED, "prose", f"{GONE} draw, say,"]),
    ],
)
def test_a_page_shows_the_code_that_was_executed_and_says_where_todays_differs(chapter, today, page):
    made, result = chapter
    nbformat.write(cells(*today), made.notebook)
    nbformat.write(cells("draw 1", "say 1"), result.notebook)
    staged = staged_notebook(made, result)
    assert len({cell.id for cell in staged.cells}) == len(staged.cells)
    shown = [cell.source for cell in staged.cells]
    for text, told in zip(page, shown, strict=True):
        noted = any(words in text for words in (CHANGED, GONE, ADDED))
        assert text in told and ("commit <code>abc</code>" in told) == noted


def test_a_run_without_a_finished_chapter_is_not_built():
    run = open_run("a")
    run.write_record({"request": {"profile": "laptop", "parameters": {}}, "changed": "now"})
    with pytest.raises(RunStoreError, match=r"has no finished chapter; `ferbook run --run a` makes them"):
        build_book(run)


@pytest.mark.parametrize(
    ("request_made", "chapter", "command"),
    [
        (("smoke", {}), None, "ferbook run --profile smoke"),
        (("laptop", {"draws": "500"}), "means", "ferbook run means --profile laptop -p draws=500"),
        (("laptop", {"draws": "500"}), "throws", "ferbook run throws --profile laptop"),
        (("smoke", {"seed": "3", "draws": "500"}), None, "ferbook run --profile smoke --seed 3 -p draws=500"),
        (("laptop", {"throws.seed": "4"}), None, "ferbook run --profile laptop -p throws.seed=4"),
    ],
)
def test_the_command_names_what_differs_from_the_profile(monkeypatch, request_made, chapter, command):
    told = dataclasses.replace(suite(), named_by=("seed",))
    monkeypatch.setattr("ferbook.provenance.suite", lambda: told)
    run = recorded(request_made, chapters())
    assert reproduce_command(run, chapter) == command
    assert reproduce_command(run, chapter, into=True) == f"{command} --run a"


def recorded(asked, names):
    """A run that was asked for the chapters ``names`` and has none of them yet."""
    run, request_made = open_run("a"), Request(*asked)
    parameters = {name: request_made.of_chapter(chapters()[name]).model_dump() for name in names}
    record = {"request": {"profile": request_made.profile, "parameters": parameters}, "commit": "abc"}
    run.write_record(record | {"changed": "now"})
    return run


def test_the_book_of_some_chapters_is_made_again_by_a_command_that_names_them():
    run = recorded(("laptop", {"sides": "8"}), ["throws"])
    assert reproduce_command(run) == "ferbook run throws --profile laptop -p sides=8"
    told = "`ferbook run throws --profile laptop -p sides=8 --run a`, then `ferbook build --run a`"
    assert told in provenance(run)


def test_a_chapter_that_the_run_lacks_is_staged_as_a_page_that_says_how_to_make_it(tmp_path):
    run = recorded(("smoke", {}), ["throws"])
    result = tmp_path / "result"
    write_json(result / "metrics.json", {"throws": {"value": 60}})
    write_json(result / "record.json", {"device": "toaster", "seconds": 3.0, "commit": "abc", "figures": {}})
    nbformat.write(read_notebook(chapters()["throws"].notebook), result / "throws.ipynb")
    run.result("throws").commit(result, {})
    staged = tmp_path / "stage"
    staged.mkdir()
    stage(run, staged)
    metrics = sorted(file.name for file in (staged / "metrics").iterdir())
    assert metrics == ["reference", "throws.json", "throws.other-code"]
    assert not list(staged.rglob("*.py"))
    assert len(read_notebook(staged / "book" / "throws" / "throws.ipynb").cells) > 1
    (cell,) = read_notebook(staged / "book" / "means" / "means.ipynb").cells
    assert cell.cell_type == "markdown" and cell.source.startswith("# The mean, and how sure it is\n")
    assert "ferbook run means --run a\n" in cell.source and "ferbook build --run a" in cell.source
    answers = (staged / "book" / "answers.md").read_text()
    assert "Of 1 claims: **1** undecided." in answers


def test_a_figure_of_a_claim_that_nobody_draws_is_told_with_its_file(copy, tmp_path):
    claims = copy / "claims.yaml"
    claims.write_text(claims.read_text().replace("throws.counts", "throws.count"))
    with pytest.raises(BookError, match=r"^claims\.yaml: no chapter draws a figure 'throws\.count'"):
        stage(recorded(("smoke", {}), ["throws"]), tmp_path)


def test_a_chapter_says_once_what_it_is_and_every_page_has_it_from_there():
    assert with_chapter_facts("# <!-- title -->", "book/throws/throws") == "# A die is thrown"
    index = with_chapter_facts("<!-- chapters --> <!-- title -->", "book/index")
    row = "| [](means/means.ipynb) | between which bounds the mean of a die lies | 3 min | chapter 1 |"
    assert row in index
    assert index.endswith("<!-- title -->"), "no chapter's page"


def test_what_a_page_takes_is_counted_and_timed(finished):
    assert what_you_need(chapters()["means"], [finished.result("means")]) == (
        "**Time to read:** 3 minutes · **Time to run:** 1.5 s with profile `laptop` (run `a`) · "
        "**Needs:** nothing else · **Read before:** [](../throws/throws.ipynb)"
    ).replace("1.5 s", "1.5\u00a0s")
    assert "Time to run" not in what_you_need(chapters()["throws"], [])


def test_a_page_tells_of_the_result_even_where_the_run_was_killed_before_its_record_was_written(run, finish):
    run.write_record({"request": {"profile": "laptop", "parameters": {}}, "changed": "now", "chapters": {}})
    finish(run, "throws", {"parameters": {"seed": 4}, "packages": {}}, device="toaster")
    told = provenance(run, "throws")
    assert "toaster" in told and "`seed=4`" in told and "| Software |" not in told


@pytest.fixture
def finished(run, finish):
    """A run whose chapters are finished, ``means`` from the result of ``throws`` that is there."""
    run.write_record({"request": {"profile": "laptop", "parameters": {}}, "changed": "now"})
    finish(run, "throws")
    finish(run, "means", {"upstream": {"throws": run.result("throws").artifact_digest()}})
    return run


def test_a_fault_names_the_page_and_the_cell(tmp_path):
    place = tmp_path / "book" / "toy" / "toy.ipynb"
    place.parent.mkdir(parents=True)
    nbformat.write(cells("# prose", "first cell"), place)
    told = build.with_position(f"\x1b[91m{place}:20003: WARNING: no such equation\x1b[39;49;00m", tmp_path)
    assert told == "book/toy/toy.ipynb, cell 'first', line 3: WARNING: no such equation"
    told = build.with_position(f"{tmp_path}/book/index.md:7: WARNING: x", tmp_path)
    assert told == "book/index.md:7: WARNING: x"


def test_a_book_fills_lines_of_its_own_from_results_that_its_chapters_show(finished, tmp_path, monkeypatch):
    (finished.result("means").folder / "DONE.json").unlink()
    names = types.SimpleNamespace(shown=lambda results: f"<{[*results]}>")
    monkeypatch.setitem(sys.modules, "fills_of_the_book", names)
    own = dataclasses.replace(suite(), placeholders={"## What we can conclude": "fills_of_the_book:shown"})
    monkeypatch.setattr(build, "suite", lambda: own)
    monkeypatch.setattr(build, "code_inputs", lambda *_: {"notebook": "of today"})
    monkeypatch.setattr(build, "provenance", lambda *_: "told")
    (tmp_path / "stage").mkdir()
    stage(finished, tmp_path / "stage")
    page = read_notebook(tmp_path / "stage" / "book" / "throws" / "throws.ipynb")
    assert any("<['throws']>" in cell.source for cell in page.cells)
    assert not any("## What we can conclude" in cell.source for cell in page.cells)


def test_a_run_of_results_that_do_not_belong_together_is_not_built(finished, finish, tmp_path, monkeypatch):
    write_json(tmp_path / "staged-throws" / "artefacts" / "throws.json", [1])
    finish(finished, "throws")
    told = r"means was made from another result of throws .*`ferbook run means .* --run a` makes it again"
    with pytest.raises(RunStoreError, match=told):
        build_book(finished)
    file = finished.result("means").folder / "DONE.json"
    done = json.loads(file.read_text())
    done["inputs"]["parameters"] = {"seed": 5}
    write_json(file, done)
    monkeypatch.setattr(build, "suite", lambda: dataclasses.replace(suite(), standalone_by="seed"))
    build.require_intact(finished)


def test_a_chapter_whose_upstream_was_lost_is_not_built(finished):
    (finished.result("throws").folder / "DONE.json").unlink()
    with pytest.raises(RunStoreError, match="means was made from another result of throws"):
        build_book(finished)


def test_a_book_is_built_alone_and_says_of_which_run_it_is(finished, toy_book):
    assert build_book(finished) == toy_book / "index.html"
    assert json.loads((toy_book / build.STAMP).read_text())["run"] == build.built_run() == "a"


@pytest.mark.defect("R7")
def test_whether_a_run_is_sound_is_asked_while_no_other_build_is_at_work(finished, toy_book, monkeypatch):
    asked = []

    def require_intact(run):
        asked.append(run)
        with (paths.build_folder() / ".lock").open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    monkeypatch.setattr(build, "require_intact", require_intact)
    build_book(finished)
    assert asked == [finished]


def test_a_kill_while_the_new_book_moves_in_leaves_the_old_one(finished, toy_book, monkeypatch):
    build_book(finished)
    rename = Path.rename

    def killed(self, target):
        if self.parent.name == "_build" and self.parent.parent.name == "new":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        build_book(finished)
    monkeypatch.setattr(Path, "rename", rename)
    assert (toy_book.with_name("old") / "index.html").read_text() == "build 1"
    build_book(finished)
    assert (toy_book / "index.html").read_text() == "build 3"
