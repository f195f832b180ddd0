"""What is said of jobs while they run."""

import json
from types import SimpleNamespace

import pytest

from ferbook import progress
from ferbook.environment import held
from ferbook.errors import ChapterError
from ferbook.progress import at_work
from ferbook.schedule import QueueJob, finished_file


class Looks:
    """A process that ends when all of ``changes`` were made, one before each further look."""

    def __init__(self, *changes):
        self.changes = list(changes)

    def poll(self):
        if not self.changes:
            return 0
        self.changes.pop(0)()
        return None


def test_what_is_executed_now_is_told_with_how_far_it_is(run):
    run.progress_file("means").parent.mkdir(parents=True)
    run.progress_file("means").write_text(json.dumps({"cell": 3, "cells": 9}))
    with held(run.work / "means.lock"):
        run.progress_file("means").with_suffix(".steps").write_text('{"text": "epochs 2 of 12", "left": 9}')
        assert at_work(run) == {"means": "running: cell 3 of 9, epochs 2 of 12"}
    assert at_work(run) == {}


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """Makes jobs; each look is a second after the one before, and a line is due at every one."""
    monkeypatch.setattr(progress, "LOG_INTERVAL", 0)
    seconds = iter(range(1000))
    clock = SimpleNamespace(sleep=lambda _: None, monotonic=lambda: clock.now, now=0)

    def poll(process):
        clock.now = next(seconds)
        return Looks.poll(process)

    monkeypatch.setattr(progress, "time", clock)
    Clocked = type("Clocked", (Looks,), {"poll": poll})

    def jobs(*each):
        made = [
            QueueJob(kind, name, (), tmp_path / f"{kind}.{name}.log", (), seconds, tmp_path / f"{kind}.json")
            for kind, name, seconds in each
        ]
        return made, lambda *changes: progress.watch(tmp_path, made, Clocked(*changes))

    return jobs


def end(tmp_path, job):
    file = finished_file(tmp_path, job.kind, job.name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


def test_a_line_says_how_many_are_done_how_long_the_rest_takes_and_what_is_at_work(jobs, tmp_path, capsys):
    (first, second), watch = jobs(("first", "a", 2), ("second", "a", 6))
    cell, steps = json.dumps({"cell": 2, "cells": 5}), json.dumps({"text": "epochs 2.4 of 12", "left": 60})
    watch(
        first.log.touch,
        lambda: first.progress.write_text(cell),
        lambda: first.progress.with_suffix(".steps").write_text(steps),
        lambda: end(tmp_path, first),
        second.log.touch,
        lambda: end(tmp_path, second),
    )
    assert capsys.readouterr().out.splitlines() == [
        "0 of 2 done, about 8 s left; first",
        "0 of 2 done, about 7 s left; first: cell 2 of 5",
        "0 of 2 done, about 66 s left; first: cell 2 of 5, epochs 2.4 of 12",
        "first: finished after 3 s",
        "1 of 2 done, about 9 s left",
        "1 of 2 done, about 9 s left; second",
        "second: finished after 1 s",
        "2 of 2 done",
    ]


def test_of_several_runs_jobs_are_counted_and_what_like_jobs_took_is_believed(jobs, tmp_path, capsys):
    several, watch = jobs(("one", "a", None), ("one", "b", None), ("two", "a", None))
    watch(several[0].log.touch, lambda: None, lambda: end(tmp_path, several[0]))
    assert capsys.readouterr().out.splitlines() == [
        "0 of 3 done; one a",
        "0 of 3 done; one a",
        "one a: finished after 2 s",
        "1 of 3 done, about 4 s left",
    ]


def test_the_line_is_as_long_as_a_terminal_is_wide(jobs, tmp_path):
    (first, second), _ = jobs(("first", "a", 2), ("second", "a", 2))
    for job in (first, second):
        job.log.touch()
    first.progress.write_text(json.dumps({"cell": 2, "cells": 5}))
    clock = progress._Clock(tmp_path, [first, second])
    assert clock.look() == []
    assert clock.line(200).endswith("left; first: cell 2 of 5; second")
    assert clock.line(45).endswith("left; second") and clock.line(10).endswith("left")


def test_what_does_not_end_though_all_jobs_have_is_not_waited_for(jobs, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "GRACE", 2)
    (job,), watch = jobs(("first", "a", 2))
    changes = [lambda: end(tmp_path, job)] + [lambda: None] * 3 + [lambda: pytest.fail("it is waited for")]
    watch(*changes)


def test_jobs_that_the_cluster_lost_are_named_and_not_waited_for(jobs, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "GRACE", 2)
    monkeypatch.setattr(progress, "QUEUE_INTERVAL", 0)
    _, watch = jobs(("first", "a", 2))
    lost = {}
    monkeypatch.setattr(progress, "lost_jobs", lambda board: lost)
    changes = [lambda: None] * 4 + [lambda: lost.update({("first", "a"): "its job 7 is lost"})]
    changes += [lambda: None] * 3 + [lambda: pytest.fail("it is waited for")]
    assert watch(*changes) == {("first", "a"): "its job 7 is lost"}


def test_a_cluster_that_does_not_answer_is_told_once_after_a_minute(jobs, tmp_path, monkeypatch, capsys):
    for name, seconds in {"QUEUE_INTERVAL": 0, "MINUTE": 2}.items():
        monkeypatch.setattr(progress, name, seconds)
    silence = iter([*["no controller"] * 9, "", "no word", "no word", *[""] * 9])

    def asked(board):
        if words := next(silence):
            raise ChapterError(words)
        return {}

    monkeypatch.setattr(progress, "lost_jobs", asked)
    jobs(("first", "a", 2))[1](*[lambda: None] * 14)
    told = [line for line in capsys.readouterr().out.splitlines() if "no " in line]
    assert told == [f"no controller; Snakemake's log: {tmp_path / 'snakemake.log'}"]
