"""The program for a GPU: why one cannot be used, what an interruption leaves, and all on a processor."""

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pandas as pd
import pytest
import torch

from ferbook.environment import COMMIT_VARIABLE, git_commit
from ferbook.errors import FerError, ParameterError

GPU = Path(__file__).resolve().parents[3] / "benchmarks" / "gpu"
CUDA = torch.device("cuda")


@pytest.fixture
def program(monkeypatch):
    monkeypatch.syspath_prepend(str(GPU))
    import program

    return program


@pytest.fixture
def machine(program, monkeypatch, tmp_path):
    """A machine with a GPU whose memory and driver are as a test says."""

    def machine(usable=True, gib=80.0, built_for="13.0", there=True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: usable)
        monkeypatch.setattr(torch.version, "cuda", built_for)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "A card")
        properties = SimpleNamespace(total_memory=int(gib * 2**30))
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda *_: properties)
        monkeypatch.setattr(program, "DEVICE_FILES", tmp_path)
        monkeypatch.setattr(program, "DRIVER", tmp_path / "version")
        if there:
            (tmp_path / "nvidia0").touch()
            (tmp_path / "version").write_text("NVRM version: 470.1\nGCC version: 9\n")

    return machine


@pytest.mark.parametrize(
    ("about", "why"),
    [
        (
            {"usable": False, "built_for": None, "there": True},
            "is built without CUDA; install a build",
        ),
        ({"usable": False, "there": False}, "there is no NVIDIA GPU here"),
        ({"usable": False}, r"built for CUDA 13.0, cannot use it: .*too old.*NVRM version: 470.1"),
        ({"gib": 4.0}, "A card has 4.0 GiB of memory; 8 are needed"),
    ],
)
def test_why_a_gpu_cannot_be_used_is_named(program, machine, about, why):
    machine(**about)
    with pytest.raises(ParameterError, match=why):
        program.require_gpu(CUDA)


def test_a_gpu_that_suffices_and_a_processor_are_taken(program, machine):
    machine()
    program.require_gpu(CUDA)
    machine(usable=False, there=False)
    program.require_gpu(torch.device("cpu"))


@pytest.fixture
def steps(program, monkeypatch, tmp_path):
    """A part of three steps, of which a test says what each does, and the names of those that were begun."""
    begun, works = [], {}

    def step(name):
        begun.append(name)
        return works.get(name, dict)()

    parts = {name: (lambda name=name: step(name)) for name in ("one", "two", "three")}
    monkeypatch.setitem(program.PROGRAM, "x", lambda task: parts)
    task = program.GpuTask(tmp_path, torch.device("cpu"), True)
    return SimpleNamespace(task=task, begun=begun, works=works)


def test_what_a_killed_call_found_is_not_asked_again(program, steps):
    def killed():
        raise KeyboardInterrupt

    steps.works["two"] = killed
    with pytest.raises(KeyboardInterrupt):
        program.run_part(steps.task, "x", 60)
    assert [row["step"] for row in steps.task.rows()] == ["one"]
    steps.works.clear()
    steps.works["two"] = lambda: {"printed": ["seconds: {'scipy': 1.0}"]}
    assert program.run_part(steps.task, "x", 60) == []
    assert steps.begun == ["one", "two", "two", "three"]
    assert steps.task.rows()[1]["figures"] == steps.works["two"](), (
        "whatever a benchmark prints is read again"
    )


def test_a_part_ends_in_time_and_says_what_is_left(program, steps, capsys):
    def endless():
        while True:
            pass

    steps.works["two"] = endless
    assert program.run_part(steps.task, "x", 0.2) == ["two", "three"]
    assert "part x: its" in capsys.readouterr().out
    steps.works.clear()
    assert program.run_part(steps.task, "x", 60) == []


def test_a_step_that_fails_is_told_and_tried_again(program, steps, capsys):
    def exhausted():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB\nmore")

    steps.works["one"] = exhausted
    assert program.run_part(steps.task, "x", 60) == ["one"]
    assert (
        "FAILED: one: OutOfMemoryError: CUDA out of memory. Tried to allocate 9 GiB"
        in capsys.readouterr().out
    )
    assert "fault" in next(row for row in steps.task.rows() if row["step"] == "one")
    steps.works.clear()
    assert program.run_part(steps.task, "x", 60) == []
    assert [row["step"] for row in steps.task.rows()] == ["two", "three", "one"]


def test_what_was_found_on_another_device_does_not_count(program, steps, monkeypatch):
    program.run_part(steps.task, "x", 60)
    monkeypatch.setattr(program, "device_name", lambda _: "A card")
    assert program.run_part(steps.task, "x", 60) == [] and len(steps.begun) == 6


def test_a_trial_on_tiny_inputs_leaves_the_rows_of_a_gpu(program, steps, monkeypatch):
    real = replace(steps.task, toy=False)
    steps.works["one"] = lambda: {"accuracy": 0.74}
    program.run_part(real, "x", 60)
    steps.works["one"] = lambda: {"accuracy": 0.1}
    program.run_part(steps.task, "x", 60)
    rows = [row for row in real.rows() if row["step"] == "one"]
    assert [(row["toy"], row["figures"]["accuracy"]) for row in rows] == [(False, 0.74), (True, 0.1)]


def test_part_a_of_other_chapters_is_not_there(program, steps):
    task = replace(steps.task, chapters=("training",))
    task.keep("a", "agreement", {"figures": {}}, 1)
    assert task.is_there("a", "agreement")
    assert not steps.task.is_there("a", "agreement")


def test_whatever_a_step_raises_is_its_row_but_the_end_of_the_time(program, steps):
    def broken():
        raise RuntimeError("")

    def deaf():
        while True:
            try:
                time.sleep(60)
            except Exception:
                continue

    steps.works |= {"one": broken, "two": deaf}
    assert program.run_part(steps.task, "x", 0.2) == ["one", "two", "three"]
    assert steps.task.rows()[0]["fault"] == "RuntimeError: "


def test_what_is_fast_is_chosen_at_equal_time(program, monkeypatch, tmp_path):
    """A recipe that takes four times as long an epoch is trained for a quarter of the epochs."""
    task = program.GpuTask(tmp_path, torch.device("cpu"), False)
    works = program.photograph_steps(task)
    slow, fast, *others = program.CANDIDATES
    with pytest.raises(FerError, match=f"pace {slow} has to be done first"):
        works[f"candidate {slow}"]()
    asked, curve = [], [0.9, 0.1, 0.7, 0.3, 0.9, 0.5, 1.2, 0.8]

    def learned(fold, model, classes, recipe, **_):
        asked.append(recipe.epochs)
        return SimpleNamespace(valid_accuracy=recipe.epochs / 100, curve=pd.DataFrame({"seconds": curve}))

    for name in ("open_faces", "protocol_of", "fold_faces", "build_network"):
        monkeypatch.setattr(program, name, lambda *_, **__: MagicMock())
    monkeypatch.setattr(program, "train", learned)
    monkeypatch.setattr(program, "SEED_SECONDS", 80)
    monkeypatch.setattr(program, "CANDIDATE_SECONDS", 20)
    assert works[f"pace {slow}"]()["seconds_per_epoch"] == pytest.approx((0.1 + 0.3 + 0.5 + 0.8) / 4)
    asked.clear()
    for name, each in ((slow, 2.0), (fast, 0.5)):
        measured = {"seconds_per_epoch": each, "seconds_besides": 0.0}
        task.keep("b", f"pace {name}", {"figures": measured}, 1)
        task.keep("b", f"candidate {name}", {"figures": works[f"candidate {name}"]()}, 1)
    assert asked == [10, 40]
    task.keep("b", f"candidate {others[0]}", {"fault": "Diverged: at once"}, 1)
    assert works["choice"]()["population"] == fast
    task.keep("b", "choice", {"figures": works["choice"]()}, 1)
    monkeypatch.setattr(program, "kept_network", lambda _, population, seed: (population, seed))
    population, seed = works["seed 3"]()
    assert (population.name, population.recipe.epochs, seed) == (program.GPU_POPULATION, 160, 3)


def test_a_child_finds_the_packages_that_came_along(program, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    task = program.GpuTask(tmp_path, torch.device("cpu"), True)
    printed = program.printed_by(task, "-c", "import sys; print(*sys.path, sep='\\n')").splitlines()
    assert printed.index(str(program.paths.root())) < printed.index(str(tmp_path))


def test_the_commit_that_was_packed_is_told_where_git_cannot_know(monkeypatch):
    monkeypatch.setenv(COMMIT_VARIABLE, "0123456789ab")
    assert git_commit() == "0123456789ab"
    monkeypatch.delenv(COMMIT_VARIABLE)
    assert git_commit() != "0123456789ab"
