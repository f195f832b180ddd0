"""States: what speaks against a stored result, also where its files are damaged or of an older edition."""

from contextlib import contextmanager

import pytest

from ferbook import inputs
from ferbook.book import chapters
from ferbook.inputs import chapter_inputs, run_states
from ferbook.request import Request
from ferbook.run import write_record
from ferbook.store import write_json


@pytest.fixture
def run(run, finish):
    """A run whose chapter ``throws`` is finished and up to date."""
    request = Request()
    parameters = {name: request.of_chapter(chapter) for name, chapter in chapters().items()}
    finish(run, "throws", chapter_inputs(chapters()["throws"], parameters["throws"]) | {"upstream": {}})
    write_record(run, request, parameters)
    return run


def reasons(run):
    return [each.reasons for each in run_states(run)]


def test_a_finished_chapter_is_up_to_date(run):
    assert reasons(run) == [(), ("never ran",)]
    assert run.record()["chapters"]["throws"]["commit"] == "abc"


def test_it_says_how_many_chapters_it_has_compared(run, monkeypatch):
    told = []

    @contextmanager
    def counted(what, total):
        yield lambda: told.append((what, total))

    monkeypatch.setattr(inputs, "steps", counted)
    reasons(run)
    assert told == [("chapters compared", 2)] * 2


def test_parameters_that_the_model_no_longer_has_are_named_and_new_ones_take_their_default(run):
    record = run.record()
    stored = record["request"]["parameters"]["throws"]
    stored["abolished"] = 3
    del stored["sides"]
    run.write_record(record)
    done = run.result("throws").done()
    done["inputs"]["parameters"]["abolished"] = 3
    write_json(run.result("throws").folder / "DONE.json", done)
    assert reasons(run)[0] == ("parameter abolished 3 → absent",)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"finished": "x", "files": {}, "inputs": 3}'])
def test_a_damaged_manifest_means_not_finished(run, content):
    (run.result("throws").folder / "DONE.json").write_text(content)
    assert reasons(run)[0] == ("not finished",)


def test_a_damaged_record_is_a_reason_and_does_not_keep_the_chapter_from_running(run):
    (run.result("throws").folder / "record.json").write_text("[]")
    assert "damaged" in reasons(run)[0][0]
    write_record(run, Request(), {})
    assert run.record()["chapters"] == {}


@pytest.mark.parametrize("content", ["", "[]", "{}"])
def test_a_damaged_note_of_a_failure_is_still_a_failure(run, content):
    failed = run.result("means").failed_folder
    failed.mkdir()
    (failed / "failure.json").write_text(content)
    assert reasons(run)[1][-1].startswith("last attempt failed")
