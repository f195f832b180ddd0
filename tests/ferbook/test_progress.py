"""What a run says of its chapters where there is no terminal."""

import json
from types import SimpleNamespace

import pytest

from ferbook import progress
from ferbook.schedule import finished_file
from ferbook.state import ChapterState
from ferbook.store import Run


class Looks:
    """A process that ends when all of ``changes`` were made, one before each further look."""

    def __init__(self, *changes):
        self.changes = list(changes)

    def poll(self):
        if not self.changes:
            return 0
        self.changes.pop(0)()
        return None


@pytest.fixture
def run(tmp_path) -> Run:
    run = Run("toy", tmp_path / "toy")
    for file in (run.progress_file("first"), finished_file(run.work, "first", run.name)):
        file.parent.mkdir(parents=True)
    return run


def test_a_long_chapter_says_its_cell_and_how_far_the_work_in_it_is(run, monkeypatch, capsys):
    monkeypatch.setattr(progress, "MINUTE", 0)  # a line at every look
    monkeypatch.setattr(progress, "time", SimpleNamespace(sleep=lambda seconds: None))
    cell = {"cell": 2, "cells": 5}
    process = Looks(
        lambda: None,
        lambda: run.progress_file("first").write_text(json.dumps(cell)),
        lambda: run.steps_file("first").write_text("epochs 2.4 of 12, about 60 s left"),
        lambda: run.steps_file("first").unlink(),
        lambda: finished_file(run.work, "first", run.name).touch(),
    )
    state = ChapterState("first", reasons=("not there",))
    progress.watch(run, [state], process)
    assert capsys.readouterr().out.splitlines() == [
        "first: not there",
        "first: running, 5 cells",
        "first: cell 2 of 5",
        "first: cell 2 of 5, epochs 2.4 of 12, about 60 s left",
        "first: cell 2 of 5",
        "first: finished after 0 s",
    ]
