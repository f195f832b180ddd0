"""The real chapters at ``smoke``: run, build, check, and what the reader sees, in a temporary clone."""

import json
import re
import shutil
from dataclasses import replace

import nbformat
import pandas as pd
import pytest
import yaml

from ferbook.book import chapters as known_chapters
from ferbook.notebook import COMPARED_TAG, faults_of_execution
from ferbook.site import external_requests
from ferbook.store import ChapterResult
from tests.book.test_notebooks import warnings_on

pytestmark = [pytest.mark.whole_suite, pytest.mark.slow]

# Chapters that are executed soonest.
QUICK = ("structure_and_loss", "transfer")
EXACT = r"\((\d+) metrics, (\d+) of them to the last digit"

chapters = pytest.mark.parametrize("chapter", known_chapters().values(), ids=list(known_chapters()))


@pytest.fixture(scope="module")
def built(smoke_clone):
    smoke_clone.ferbook("build", "--run", "smoke")
    return smoke_clone.root / "_build" / "html"


@chapters
def test_a_chapter_leaves_everything_the_store_promises(smoke_clone, chapter):
    folder = smoke_clone.result("smoke", chapter.name)
    notebook = nbformat.read(folder / f"{chapter.name}.ipynb", as_version=4)
    assert faults_of_execution(notebook) == [] and warnings_on(notebook) == []
    stored = (folder / f"{chapter.name}.ipynb").read_text()
    assert str(smoke_clone.root) not in stored and "site-packages" not in stored, "a machine's path is stored"
    metrics = json.loads((folder / "metrics.json").read_text())
    # A degree, and what stored networks score, take networks that read pictures of this size.
    stored = {key for key in chapter.key_metrics if key.endswith("_degree") or key.startswith("stored_")}
    assert {*chapter.key_metrics} - stored <= set(metrics)
    for name, metric in metrics.items():
        if metric.get("low") is not None:
            assert metric["low"] <= metric["value"] <= metric["high"], name
            assert metric["n"] > 0 and metric["how"], name
    figures = json.loads((folder / "record.json").read_text())["figures"]
    assert figures
    for name, about in figures.items():
        assert (folder / "figures" / f"{name}.svg").stat().st_size > 0
        assert len(pd.read_csv(folder / "figures" / f"{name}.csv")) > 0
        assert len(about["alt"]) > 20


def test_the_run_record_tells_what_was_used(smoke_clone):
    record = yaml.safe_load((smoke_clone.root / "runs" / "smoke" / "run.yaml").read_text())
    assert record["request"]["profile"] == "smoke"
    for name, chapter in known_chapters().items():
        made = record["chapters"][name]
        assert set(made["parameters"]) == set(chapter.parameters.model_fields)
        assert made["seconds"] > 0 and made["device"] and len(made["data"]["checksum"]) == 64
        assert made["packages"]["torch"] == record["versions"]["torch"]
    assert record["chapters"]["training"]["precision"]


@chapters
def test_a_page_shows_numbers_figures_and_provenance(smoke_clone, built, chapter):
    page = (built / "book" / chapter.name / f"{chapter.name}.html").read_text()
    assert "Provenance" in page
    text = " ".join(re.sub("<[^>]+>", " ", page).split())
    assert f"ferbook run {chapter.name} --profile smoke" in text
    record = json.loads((smoke_clone.result("smoke", chapter.name) / "record.json").read_text())
    assert page.count("<figure") >= len(record["figures"])
    assert "np.float64" not in page


def test_every_claim_is_answered_on_its_page_and_what_was_not_measured_is_said(smoke_clone, built):
    answered = json.loads(smoke_clone.ferbook("claims", "--run", "smoke", "--json"))["claims"]
    page = " ".join(re.sub("<[^>]+>", " ", (built / "book" / "answers.html").read_text()).split())
    page = page.replace("’", "'")  # Sphinx sets quotation marks as a printer would
    assert len(answered) == 24
    for claim in answered:
        assert page.count(claim["claim"]) == 1 and claim["answer"] in page
        assert (claim["estimate"] is None) == claim["missing"].startswith("not measured")
        assert "no finished chapter" not in claim["missing"]
    measured = {claim["short"] for claim in answered if claim["estimate"]}
    assert {"Recognises expressions of new people", "The residue beats the face"} <= measured


def test_the_book_reads_offline(built):
    assert external_requests(built) == []


def test_the_check_executes_again_and_agrees(smoke_clone):
    names = tuple(known_chapters())
    rows = smoke_clone.ferbook_json("check", *names, "--run", "smoke")["chapters"]
    assert [(row["chapter"], row["faults"]) for row in rows] == [(name, []) for name in names]
    assert all(row["executed"] for row in rows)
    # Same seed, machine and threads: the same numbers, in every chapter.
    for row in rows:
        total, exact = re.search(EXACT, row["state"]).groups()
        assert total == exact, row
    told = smoke_clone.ferbook("check", *names, "--run", "smoke", "--one")
    assert told.count("executed again, agrees") == 1
    assert f"the other {len(names) - 1}: stored results whole; `ferbook check --run smoke`" in told


@pytest.fixture
def copied(smoke_clone, tmp_path):
    """The clone with a copy of its run, in a store of its own."""
    runs = tmp_path / "runs"
    shutil.copytree(smoke_clone.root / "runs" / "smoke", runs / "smoke", copy_function=shutil.copyfile)
    return replace(smoke_clone, environment=smoke_clone.environment | {"FER_RUNS": str(runs)})


def spoil_and_check(copied, tmp_path, spoil, *names):
    """What the check tells of a run in which the first quick chapter was tampered with and signed anew."""
    result = ChapterResult(QUICK[0], tmp_path / "runs" / "smoke" / QUICK[0])
    inputs = result.done()["inputs"]
    staged = tmp_path / "staged"
    shutil.copytree(result.folder, staged, ignore=shutil.ignore_patterns("DONE.json"))
    spoil(staged)
    result.commit(staged, inputs)
    told = copied.ferbook("check", *names, "--run", "smoke", expect=1)
    assert "\x1b" not in told, "nbval's colours stand in the text"
    return told


def strip_outputs(folder):
    file = folder / f"{QUICK[0]}.ipynb"
    notebook = nbformat.read(file, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, file)


def change_compared_cell(folder):
    file = folder / f"{QUICK[0]}.ipynb"
    notebook = nbformat.read(file, as_version=4)
    cell = next(c for c in notebook.cells if COMPARED_TAG in c.metadata.get("tags", []))
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="something else\n")]
    nbformat.write(notebook, file)


def change_metric_and_figure(folder):
    change_metric(folder)
    change_figure(folder)


def change_metric(folder):
    file = folder / "metrics.json"
    metrics = json.loads(file.read_text())
    next(iter(metrics.values()))["value"] += 1
    file.write_text(json.dumps(metrics))


def change_figure(folder):
    file = sorted((folder / "figures").glob("*.csv"))[0]
    table = pd.read_csv(file)
    column = table.select_dtypes("number").dropna(axis=1, how="all").columns[-1]  # no intervals at smoke
    table[column] += 50  # points of accuracy: more than any tolerance
    table.to_csv(file, index=False)


@pytest.mark.parametrize(
    ("spoil", "told"), [(strip_outputs, "execution count None"), (change_compared_cell, "FAILED")]
)
def test_the_check_finds_a_result_that_is_not_true(copied, tmp_path, spoil, told):
    assert told in spoil_and_check(copied, tmp_path, spoil, QUICK[0])


def test_of_two_chapters_checked_again_the_changed_one_differs_in_what_was_changed(copied, tmp_path):
    told = spoil_and_check(copied, tmp_path, change_metric_and_figure, *QUICK)
    changed, other = told.partition(f"{QUICK[0]}: ")[2].split(f"{QUICK[1]}: ")
    state, *faults = changed.strip().splitlines()
    assert state == "failed: executed again, it differs" and len(faults) == 2
    assert "metric trainings, value" in faults[0] and "numbers differ" in faults[1]
    total, exact = re.match(f"executed again, agrees {EXACT}", other).groups()
    assert total == exact, "same seed, machine and threads: the same numbers"


def test_a_tampered_file_is_not_believed(copied, tmp_path):
    change_metric(tmp_path / "runs" / "smoke" / "faces")
    assert "differs from its checksum" in copied.ferbook("check", "faces", "--run", "smoke", expect=1)
    assert "differs from its checksum" in copied.ferbook("build", "--run", "smoke", expect=2)
    state = copied.ferbook_json("status", "--run", "smoke")["chapters"][0]
    assert "damaged" in state["reasons"][0]


def test_a_copied_run_is_still_up_to_date(copied):
    assert "up to date: faces, training" in copied.ferbook("run", "--run", "smoke", "--profile", "smoke")


def test_a_warning_of_the_book_is_an_error(smoke_clone, built):
    page = smoke_clone.root / "book" / "rerun.md"
    before = page.read_text()
    try:
        page.write_text(before + "\n\n{metric}`training.test_acuracy`\n")
        told = smoke_clone.ferbook("build", "--run", "smoke", expect=1)
    finally:
        page.write_text(before)
    assert "test_acuracy" in told and "test_accuracy" in told
    assert (built / "index.html").is_file(), "the earlier book is gone"


def test_listings_come_as_json(smoke_clone):
    assert {row["run"] for row in smoke_clone.ferbook_json("status", "--all")} == {"smoke"}
    assert set(smoke_clone.ferbook_json("params")) == set(known_chapters())
    assert {row["name"] for row in smoke_clone.ferbook_json("data", "list")} >= {"lab", "fer2013"}
    assert "name two runs" in smoke_clone.ferbook("compare", "smoke", "smoke", "--json", expect=2)
