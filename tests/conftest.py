"""What tests of several rooms share: small faces that a network can learn, rendered ones, which a face
detector finds, and a temporary clone of the whole suite, with its own runs, and the command line in it.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from face_sets import paths as fer_lib_paths
from face_sets.faceset import FaceSet
from ferbook import cli, paths
from ferbook.environment import OUTPUT_VARIABLE, RUN_VARIABLE
from synthetic_faces import facs
from synthetic_faces.assets import load_assets
from synthetic_faces.capture import draw_shot
from synthetic_faces.domains import LAB
from synthetic_faces.people import draw_person
from synthetic_faces.render import Renderer
from tests.ferbook.clones import Clone

CLASSES = ("neutral", "happiness")
# Markers of tests whose need every Linux can install: that they were skipped is no success.
GUARDS = {"isolation", "browser", "cluster", "system_package"}
# Variable of the environment: a folder for what calls of pytest on one commit make once, as .ci/run does.
SHARED = "FERBOOK_TESTS_SHARE"
# What stands in the reason where no package would help.
CANNOT_BE_HAD = ("only root can", "needs root", "root's own cluster", "npm cannot fetch it here")


def pytest_addoption(parser):
    parser.addoption("--guards", action="store_true", help="Fail where a guard was skipped on Linux.")


def pytest_collection_modifyitems(items):
    """The longest files begin first: those that run the whole book."""
    items.sort(key=lambda item: item.get_closest_marker("whole_suite") is None)


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory):
    """Results that tests make are noted in a folder of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session):
    """Say in the very last lines what was not tested, and why; with ``--guards`` fail for it."""
    yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    guards, others = Counter(), Counter()
    for report in reporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        guard = GUARDS & set(report.keywords) and not any(part in reason for part in CANNOT_BE_HAD)
        (guards if guard else others)[reason.removeprefix("Skipped: ")] += 1
    for reason, count in (guards + others).items():
        reporter.write_line(f"not tested: {count} test{'s' * (count > 1)}: {reason}", yellow=True, bold=True)
    if guards and session.config.getoption("guards") and sys.platform == "linux":
        reporter.write_line("not tested is not passed: install what these lines name", red=True, bold=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session", autouse=True)
def one_thread_for_shared_fixtures():
    """Pictures of 16 pixels are too small to share: threads would mostly wait for one another."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def one_thread():
    """One thread again, whatever the test before left."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def close_figures():
    """Of a test that draws, no figure stays open."""
    yield
    if drawing := sys.modules.get("matplotlib.pyplot"):
        drawing.close("all")


@pytest.fixture
def classes() -> tuple[str, ...]:
    return CLASSES


@pytest.fixture(scope="session")
def striped_faces() -> FaceSet:
    """60 noisy pictures of 16 pixels: the happy ones have a lattice of stripes, so a small net can learn
    them.
    """
    generator = np.random.default_rng(0)
    happy = np.arange(60) % 2 == 1
    pixels = generator.integers(60, 120, size=(60, 16, 16))
    pixels[happy, :, ::4] += 100
    subjects, split = [f"stripes-{i // 2}" for i in range(60)], ["train"] * 30 + ["valid"] * 16
    table = pd.DataFrame({"dataset": "stripes", "subject": subjects, "sequence": "", "frame": 0})
    table["emotion"] = np.where(happy, "happiness", "neutral")
    table["split"] = split + ["test"] * 14
    return FaceSet("stripes", pixels.astype(np.uint8), table)


@contextmanager
def shared_folder(factory: pytest.TempPathFactory, name: str) -> Iterator[Path]:
    """A folder of all processes that test, held by one of them while it fills it; of several calls of pytest,
    too, where ``SHARED`` names a place for it.
    """
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    folder = Path(os.environ.get(SHARED, folder)) / name
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


@pytest.fixture(scope="session")
def face_cache(tmp_path_factory) -> Path:
    """A folder with the head and the compiled kernels of the synthetic faces, for all processes that test:
    those of the checkout's cache, since to compile them takes ten seconds.
    """
    with shared_folder(tmp_path_factory, "face-cache") as folder:
        if not (folder / "warp").exists():
            cache = fer_lib_paths.cache_dir()
            Renderer(load_assets(cache), 16, cache=cache)
            for name in ("assets", "warp"):
                # Without what another process is compiling.
                shutil.copytree(cache / name, folder / name, ignore=shutil.ignore_patterns("*_p*_t*"))
    return folder


@pytest.fixture
def command(monkeypatch, capsys):
    """Give a command in this process: its exit code, what it printed, and its errors."""

    def given(*words):
        monkeypatch.setattr(sys, "argv", ["ferbook", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return end.value.code or 0, *capsys.readouterr()

    return given


@pytest.fixture
def output(tmp_path, monkeypatch):
    """Where a chapter that is executed writes: the folder ``out``."""
    monkeypatch.setenv(OUTPUT_VARIABLE, str(tmp_path / "out"))
    monkeypatch.setenv(RUN_VARIABLE, str(tmp_path / "run"))
    return tmp_path / "out"


def make_clone(folder):
    words = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.check_output(["git", "-C", str(paths.root()), *words], text=True)
    # Without the runs that come with the repository: a test counts its own.
    for name in (n for n in listed.split("\0") if n and not n.startswith("runs/")):
        source, target = paths.root() / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FER")}
    environment |= {"PYTHONPATH": str(folder), "FER_CACHE": str(fer_lib_paths.cache_dir()), "COLUMNS": "200"}
    environment["FER_DATA"] = str(folder / "no-data")
    return Clone(folder, environment, "book.session")


@pytest.fixture(scope="session")
def smoke_clone(tmp_path_factory):
    """A clone in which the real chapters were run at ``smoke``, once for all processes that test."""
    clone = make_clone(tmp_path_factory.mktemp("smoke"))
    with shared_folder(tmp_path_factory, "smoke-run") as folder:
        clone.environment["XDG_STATE_HOME"] = str(folder / "state")  # it is every process's own run
        if not (folder / "runs").exists():
            clone.ferbook("run", "--profile", "smoke", "--run", "smoke")
            shutil.copytree(clone.root / "runs", folder / "runs")
        else:
            shutil.copytree(folder / "runs", clone.root / "runs", copy_function=shutil.copyfile)
    return clone


@pytest.fixture
def faces(striped_faces) -> FaceSet:
    """``striped_faces``, in a copy that a test may change."""
    return FaceSet(striped_faces.name, striped_faces.pixels.copy(), striped_faces.table.copy())


@pytest.fixture(scope="session")
def rendered_faces(face_cache) -> np.ndarray:
    """uint8 (4, 96, 96): four people at rest, framed and lit as those of the set ``lab``."""
    assets = load_assets(face_cache)
    renderer = Renderer(assets, 96, antialias=1, cache=face_cache)
    pictures = []
    for person in range(4):
        shot = draw_shot(np.random.default_rng(person), LAB.capture)
        looks = draw_person(assets, 7, person, LAB.looks)
        pictures.append(renderer.render(looks, np.zeros((len(facs.AUS), 2)), shot, LAB.capture).pixels)
    return np.array(pictures)
