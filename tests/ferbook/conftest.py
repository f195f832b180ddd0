"""The engine's own book, about dice: small, and about nothing that the engine knows."""

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from ferbook import build, paths
from ferbook.book import chapters, clear_cached_book
from ferbook.course.build import build_course
from ferbook.request import Request
from ferbook.run import write_record
from ferbook.store import open_run, write_json
from tests.ferbook.clones import Clone, Gate

EXAMPLE = Path(__file__).parent / "example"
GATE = ("generators", "psnr_gain", "neutral_called", "identity_kept")
RIVALS = ("cnn", "pixel_difference", "feature_difference", "untrained_generator", "shuffled_neutrals")

LEFT_OUT = shutil.ignore_patterns("_build", "runs", "__pycache__")


@pytest.fixture
def example(tmp_path, monkeypatch):
    """The example book is the one at hand, with a run store of its own; returns its folder."""
    monkeypatch.setenv("FERBOOK_ROOT", str(EXAMPLE))
    monkeypatch.setenv("FER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return EXAMPLE


@pytest.fixture(scope="session")
def course(tmp_path_factory):
    """The example's course as it is built."""
    place = tmp_path_factory.mktemp("course")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERBOOK_ROOT", str(EXAMPLE))
        build_course(None, place, [])
    return place


@pytest.fixture
def copy_folder(tmp_path):
    """Where a copy of the example book lies."""
    return tmp_path / "a {book} of [it]"


@pytest.fixture
def copy(copy_folder, monkeypatch):
    """A copy of the example book, to be changed."""
    shutil.copytree(EXAMPLE, copy_folder, ignore=LEFT_OUT)
    monkeypatch.setenv("FERBOOK_ROOT", str(copy_folder))
    monkeypatch.setenv("FER_RUNS", str(copy_folder / "runs"))
    monkeypatch.setenv("XDG_STATE_HOME", str(copy_folder.parent / "state"))
    clear_cached_book()
    return copy_folder


@pytest.fixture
def run(example):
    """A run that there is not yet."""
    return open_run("a")


@pytest.fixture
def finish(tmp_path):
    """Give a run a finished chapter, made from ``inputs``, with ``metrics``."""

    def finish(run, chapter, inputs=None, metrics=None, **record):
        staged = tmp_path / f"staged-{chapter}"
        write_json(staged / "record.json", {"seconds": 1.5, "commit": "abc", "figures": {}} | record)
        write_json(staged / "metrics.json", metrics or {})
        shutil.copy(chapters()[chapter].notebook, staged)
        run.folder.mkdir(parents=True, exist_ok=True)
        run.result(chapter).commit(staged, inputs or {})

    return finish


@pytest.fixture
def clone(copy):
    """The copied book with the command line in it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FER")}
    return Clone(copy, environment | {"PYTHONPATH": str(paths.ENGINE.parent), "COLUMNS": "200"})


@pytest.fixture
def toy_clone(clone):
    """Its chapters only open: for what happens around their execution."""
    for name in chapters():
        clone.write_chapter(name)
    return clone


@pytest.fixture
def gate(tmp_path):
    path = tmp_path / "gate"
    os.mkfifo(path)
    return Gate(path)


@pytest.fixture
def toy_book(tmp_path, monkeypatch):
    """Jupyter Book replaced by what writes the pages and says which build it is; ``_build`` in a folder of
    its own.
    """
    monkeypatch.setattr(paths, "build_folder", lambda: tmp_path / "_build")
    monkeypatch.setattr(build, "stage", lambda run, folder: (folder / "page.md").write_text("x"))
    monkeypatch.setattr(build, "pages_of_toc", lambda: ["index"])
    monkeypatch.setattr(build, "check_toc", lambda: None)
    builds = []

    def jupyter_book(command, log, environment):
        builds.append(command)
        page = Path(command[command.index("--path-output") + 1]) / "_build" / "html" / "index.html"
        page.parent.mkdir(parents=True)
        page.write_text(f"build {len(builds)}")
        with (paths.build_folder() / ".lock").open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    monkeypatch.setattr(build, "printed_by_failure", jupyter_book)
    return tmp_path / "_build" / "html"


@pytest.fixture
def finish_derl(tmp_path, monkeypatch):
    """Make a run of which only ``derl`` has finished, ahead of its rivals by so many points."""
    monkeypatch.setenv("FER_RUNS", str(tmp_path / "runs"))

    def finish(name, ahead, freedom=None, metrics=(), record=(), without=(), **given):
        run = open_run(name)
        asked = Request("smoke", {f"derl.{key}": value for key, value in given.items()})
        staged = tmp_path / "staged"
        told = {"value": ahead, "low": ahead - 1, "high": ahead + 1, "unit": "", "how": "95 % bootstrap"}
        told["freedom"] = freedom
        passed = told | {"value": 3, "low": 2, "high": 4}
        shown = [*(f"{rival}_accuracy" for rival in RIVALS), "accuracy", "generated_psnr", "input_psnr"]
        every = {f"ahead_of_{rival}": told for rival in RIVALS} | dict.fromkeys((*GATE, *shown), passed)
        every = {key: value for key, value in every.items() if key not in without}
        write_json(staged / "metrics.json", every | dict(metrics))
        noted = {"figures": {"ablation": {}}, "seconds": 1.0, "commit": "abc"} | dict(record)
        write_json(staged / "record.json", noted)
        run.folder.mkdir(parents=True)
        models = {each: asked.of_chapter(chapter) for each, chapter in chapters().items()}
        run.result("derl").commit(staged, {"parameters": models["derl"].model_dump(), "upstream": {}})
        write_record(run, asked, models)
        return run

    return finish
