"""Pictures made by several processes: how many, how they end, and what is said when they do."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from synthetic_faces import workers
from synthetic_faces.errors import RenderError
from synthetic_faces.facs import AUS
from synthetic_faces.script import Script, render_script
from synthetic_faces.workers import Job, render_people


def render(people: int = 3, **how) -> np.ndarray:
    jobs = [Job(2, {"person": person}) for person in range(people)]
    pixels = np.zeros((2 * people, 4), np.uint8)
    render_people("a:b", jobs, {"pixels": pixels}, size=24, **how)
    return pixels


@pytest.fixture
def instead(tmp_path, monkeypatch):
    """A shell script in the place of the worker."""
    monkeypatch.setattr(workers, "load_head", lambda head, cache: None)

    def take(script: str) -> None:
        file = tmp_path / "python"
        file.write_text("#!/bin/sh\n" + script)
        file.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(file))

    return take


@pytest.fixture(autouse=True)
def none_waits():
    workers._IDLE.end()
    yield
    workers._IDLE.end()


def processes(monkeypatch) -> list[subprocess.Popen]:
    """Those of the workers that are started from now on."""
    started, start = [], subprocess.Popen

    def recorded(*arguments, **options):
        started.append(start(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(workers.subprocess, "Popen", recorded)
    return started


@pytest.mark.parametrize("number", [1, 2])
def test_every_answer_is_put_where_its_job_is(instead, number):
    # A worker that answers with the digit of the person that it is asked for.
    instead(
        'echo cpu\nwhile read wanted; do for k in 1 2 3 4 5 6 7 8; do printf "${wanted##*: }" | cut -c1 |'
        ' tr -d "\\n"; done; done\n'
    )
    told = []
    pixels = render(workers=number, advance=told.append)
    np.testing.assert_array_equal(pixels, np.repeat([48, 49, 50], 2)[:, None] * np.ones((1, 4)))
    assert told == [2, 2, 2]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo first >&2\necho 'no such kernel' >&2\nexit 3\n", r"status 3 as it started: no such kernel"),
        ("echo cpu\nread wanted\necho 'no memory' >&2\nexit 4\n", r"status 4 at person \d: no memory"),
        ("echo cpu\nread wanted\nprintf half\nexit 0\n", r"status 0 at person \d: no message"),
    ],
)
def test_a_worker_that_dies_is_reported_with_its_last_words(instead, script, message):
    instead(script)
    with pytest.raises(RenderError, match=message):
        render(workers=2)


def test_a_task_that_fails_is_reported_with_its_error(face_cache):
    with pytest.raises(RenderError, match=r"status 1 at person 1: ModuleNotFoundError.*'a'"):
        render(workers=1, cache=face_cache)


@pytest.mark.parametrize(
    ("device", "each", "expected"), [("cpu", 2, 7), ("cuda:0", 2, workers.GPU_WORKERS), ("cpu", 10, 2)]
)
def test_a_worker_per_core_but_few_share_a_gpu_or_few_pictures(
    tmp_path, instead, monkeypatch, device, each, expected
):
    count = tmp_path / "started"
    instead(f"echo x >> {count}\necho {device}\nread wanted\nexit 5\n")
    monkeypatch.setattr(workers, "usable_cores", lambda: 7)
    monkeypatch.setattr(workers, "PICTURES_AT_LEAST", each)
    with pytest.raises(RenderError, match="status 5"):
        render(9)
    assert len(count.read_text().split()) == expected


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interrupt_leaves_no_processes(instead, monkeypatch):
    instead("echo cpu\nwhile read wanted; do printf 12345678; done\n")
    started, first = processes(monkeypatch), iter([True])
    # A shell starts what it puts into the background with the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            # ``advance`` is called in the threads; Python delivers the signal to the main thread.
            render(
                20_000,
                workers=2,
                advance=lambda rows: next(first, False) and os.kill(os.getpid(), signal.SIGINT),
            )
    finally:
        signal.signal(signal.SIGINT, before)
    assert 1 <= len(started) <= 2
    assert all(worker.returncode is not None for worker in started)


ANSWERS = "while read wanted; do printf 12345678; done\n"


def test_a_worker_does_the_next_set_too_unless_it_has_died(instead, monkeypatch, tmp_path):
    instead(f"echo cpu\n{ANSWERS}")
    started = processes(monkeypatch)
    render(workers=2)
    render(workers=2)
    assert len(started) == 2
    render(workers=2, cache=tmp_path)
    assert len(started) == 4, "other files"
    started[0].kill()
    started[0].wait()
    render(workers=2)
    assert len(started) == 5 and [each.poll() is None for each in started] == [False, *[True] * 4]


def test_none_waits_longer_than_it_may_nor_on_a_gpu(instead, monkeypatch):
    instead(f"echo cuda:0\n{ANSWERS}")
    started = processes(monkeypatch)
    render(workers=1)
    assert started[0].poll() is not None
    instead(f"echo cpu\n{ANSWERS}")
    monkeypatch.setattr(workers, "WAIT", 0.05)
    render(workers=1)
    assert started[1].wait(timeout=60) is not None
    render(workers=1)
    assert len(started) == 3


@pytest.mark.slow
def test_a_worker_of_another_size_makes_the_same_pictures(face_cache, monkeypatch):
    def faces(size: int) -> np.ndarray:
        script = Script(np.zeros(2, int), np.arange(2), np.zeros((2, len(AUS), 2)))
        return render_script(script, "lab", size, workers=1, cache=face_cache)["pixels"]

    started = processes(monkeypatch)
    small, large = faces(16), faces(24)
    assert len(started) == 1
    workers._IDLE.end()
    np.testing.assert_array_equal(faces(24), large)
    np.testing.assert_array_equal(faces(16), small)
    assert len(started) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes of POSIX")
def test_a_copy_of_this_process_takes_no_worker_of_it(instead):
    instead(f"echo cpu\n{ANSWERS}")
    render(workers=1)
    child = os.fork()
    if not child:
        os._exit(len(workers._IDLE._timers))
    assert os.waitpid(child, 0)[1] == 0 and len(workers._IDLE._timers) == 1
