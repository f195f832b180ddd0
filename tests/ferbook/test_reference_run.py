"""What may stand beside a run: the reference, where it is whole and about the same."""

import dataclasses

import pytest

from ferbook import reference_run
from ferbook.book import chapters, suite
from ferbook.build import SAME_NETWORKS, WHOSE, key_numbers, stage
from ferbook.environment import OUTPUT_VARIABLE, RUN_VARIABLE
from ferbook.estimate import Estimate
from ferbook.inputs import chapter_inputs, run_states
from ferbook.notebook import read_notebook
from ferbook.records import ChapterRecord
from ferbook.reference_run import matching_references
from ferbook.request import Request
from ferbook.run import write_record
from ferbook.session import open_chapter
from ferbook.store import open_run


class DiceNoted(ChapterRecord):
    @property
    def outdated(self):
        return getattr(self, "old", "")

    @property
    def extent(self):
        return f"{self.dice} dice" if hasattr(self, "dice") else ""


@pytest.fixture(autouse=True)
def alike(example, monkeypatch):
    """Dice of other sides do not stand together; a record may say that it is of an old table."""
    told = dataclasses.replace(suite(), must_agree=("sides",), record=DiceNoted)
    monkeypatch.setattr(reference_run, "suite", lambda: told)
    monkeypatch.setattr("ferbook.store.suite", lambda: told)


@pytest.fixture
def make(finish):
    """Make a run with finished ``throws``, and ``means`` where asked for."""

    def make(name, count, means=None, record=None, half=0.1, **given):
        run, request = open_run(name), Request("laptop", given)
        models = {each: request.of_chapter(chapter) for each, chapter in chapters().items()}
        thrown = Estimate(count, unit="count").to_json()
        inputs = {"throws": chapter_inputs(chapters()["throws"], models["throws"]) | {"upstream": {}}}
        finish(run, "throws", inputs["throws"], {"throws": thrown}, **(record or {}))
        if means is not None:
            upstream = {"throws": run.result("throws").artifact_digest()}
            inputs["means"] = chapter_inputs(chapters()["means"], models["means"]) | {"upstream": upstream}
            mean = Estimate.bounded(means, means - half, means + half, how="bootstrap").to_json()
            finish(run, "means", inputs["means"], {"mean": mean}, **(record or {}))
        write_record(run, request, models)
        return run

    return make


def why(run):
    return matching_references(run)["means"].why


def test_the_reference_stands_beside_a_run_that_is_smaller_but_about_the_same(make):
    reference = make("reference", 60_000, 3.5, throws=60_000, record={"dice": 7})
    run = make("a", 60, 3.4, throws=60, half=float("nan"))
    found = matching_references(run)
    assert [each.result for each in found.values()] == [reference.result(name) for name in found]
    table = key_numbers(chapters()["means"], run.result("means"), found["means"])
    heads = ["| Key numbers | Reference, 7 dice | Your run |", "| --- | --- | --- |"]
    row = "| mean | 3.50 (3.40–3.60) | 3.40 (no interval) |"
    assert table.splitlines() == [*heads, row, "", WHOSE]
    assert {each.result for each in matching_references(reference).values()} == {None}, "beside itself"
    run = make("b", 60, 3.5, throws=60)
    table = key_numbers(chapters()["means"], run.result("means"), matching_references(run)["means"])
    told = ["| Key numbers | Reference, 7 dice |", "| --- | --- |", "| mean | 3.50 (3.40–3.60) |", ""]
    assert table.splitlines() == [*told, SAME_NETWORKS], "the same to the last digit is no second run"
    alone = matching_references(reference)["means"]
    assert key_numbers(chapters()["means"], reference.result("means"), alone) == ""


def test_one_that_is_absent_damaged_or_about_something_else_does_not_and_it_is_said_why(make):
    run = make("a", 60, 3.4, sides=6)
    assert key_numbers(chapters()["means"], run.result("means"), matching_references(run)["means"]) == ""
    reference = make("reference", 60, sides=8)
    assert "no finished means: `git checkout -- runs/reference`" in why(run)
    reference = make("reference", 60, 3.5, sides=8)
    assert why(run).endswith("than the run `reference` has: `sides=6` in place of `sides=8`")  # its upstream
    told = key_numbers(chapters()["means"], run.result("means"), matching_references(run)["means"])
    assert told == f"The numbers of this page cannot be compared with the reference: {why(run)}."
    make("reference", 60, 3.5, record={"old": "table 1"})
    assert "read the data table 1, of another version" in why(run)
    make("reference", 60, 3.5)
    assert why(run) == ""
    (reference.result("means").folder / "metrics.json").write_text("{}")
    assert "is damaged, means/metrics.json: differs from its checksum" in why(run)
    reference.record_file.write_text("[]")
    assert "is damaged" in why(run)


def test_pages_that_the_run_lacks_are_the_references_and_prose_may_quote_either(make, tmp_path):
    make("reference", 60_000, 3.5, throws=60_000)
    run = make("a", 60)
    staged = tmp_path / "stage"
    staged.mkdir()
    stage(run, staged)
    read = {
        (folder, name): (staged / folder / f"{name}.json").read_text()
        for folder in ("metrics", "metrics/reference")
        for name in ("throws", "means")
    }
    assert '"value": 60.0' in read["metrics", "throws"]
    assert '"value": 60000.0' in read["metrics/reference", "throws"]
    assert read["metrics", "means"] == read["metrics/reference", "means"]
    means = read_notebook(staged / "book" / "means" / "means.ipynb").cells
    assert "| Run | `reference`" in means[-1].source
    throws = read_notebook(staged / "book" / "throws" / "throws.ipynb").cells
    assert "| Run | `a`" in throws[-1].source and "| Compared with | run `reference`" in throws[-1].source


def test_prose_quotes_the_reference_also_where_the_run_is_about_something_else(make, tmp_path):
    make("reference", 60_000, 3.5, sides=8)
    stage(make("a", 60, 3.4, sides=6), tmp_path)
    read = [(tmp_path / each / "throws.json").read_text() for each in ("metrics/reference", "metrics")]
    assert '"value": 60000.0' in read[0] and '"value": 60.0' in read[1]


def test_a_chapter_that_draws_the_reference_is_out_of_date_with_it(make, monkeypatch):
    make("reference", 60_000, 3.5, throws=60_000)
    run = make("a", 60)
    monkeypatch.setenv(OUTPUT_VARIABLE, str(run.work / "out"))
    monkeypatch.setenv(RUN_VARIABLE, str(run.folder))
    session = open_chapter("throws", chapters()["throws"].parameters(throws=60).model_dump())
    assert session.reference("throws") == Estimate(60_000, unit="count")
    assert session.reference("absent") is None and session.reference_table("counts") is None
    noted = {"reference": session._record["reference"]}
    run = make("a", 60, record=noted, throws=60)
    assert run_states(run)[0].up_to_date
    make("reference", 70_000, throws=70_000)
    assert run_states(run)[0].reasons == ("the reference changed",)


def test_in_place_of_a_chapter_that_the_run_lacks_stands_only_what_it_was_asked_for(make, monkeypatch):
    told = dataclasses.replace(suite(), named_by=("seed",))
    monkeypatch.setattr(reference_run, "suite", lambda: told)
    make("reference", 60, 3.5)
    assert matching_references(make("a", 60))["means"].result is not None
    assert why(make("b", 60, seed=3)).endswith("`seed=3` in place of `seed=0`")
