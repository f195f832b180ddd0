"""A run that fails, is stopped or is killed: nothing lost, nothing half-written believed, and the same
command goes on.

Two chapters, one upstream of the other, are enough for that.
"""

import json
import os
import select
import signal
import sys
from contextlib import suppress

import psutil
import pytest

DEFAULT = 1000


def done(clone, chapter):
    return (clone.result("a", chapter) / "DONE.json").is_file()


def finished(clone, chapter):
    return json.loads((clone.result("a", chapter) / "DONE.json").read_text())["finished"]


def gone(pid):
    """Wait until the process has ended."""
    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(timeout=60)
    return True


@pytest.mark.slow
def test_a_second_run_has_nothing_to_do_and_a_change_is_named(toy_clone):
    toy_clone.ferbook("run", "means", "--run", "a")
    first = finished(toy_clone, "means")
    record = toy_clone.root / "runs" / "a" / "run.yaml"
    before = record.read_text()
    assert "up to date: throws, means" in toy_clone.ferbook("run", "means", "--run", "a")
    assert finished(toy_clone, "means") == first
    assert record.read_text() == before

    told = toy_clone.ferbook("run", "means", "--run", "a", "-p", "means.draws=600", expect=2)
    assert f"exists with other parameters (means.draws {DEFAULT} → 600)" in told
    assert "--update" in told
    told = toy_clone.ferbook("run", "means", "--run", "a", "-p", "means.draws=600", "--update")
    assert "means: finished" in told and "up to date: throws" in told
    assert "up to date: throws, means" in toy_clone.ferbook("run", "means", "--run", "a"), "as asked for"

    toy_clone.write_chapter("throws", "x = 2")
    states = toy_clone.ferbook_json("status", "--run", "a")["chapters"]
    assert states[0]["reasons"] == ["notebook changed"]
    assert states[1]["reasons"] == ["upstream throws is stale"]
    made = (toy_clone.result("a", "means") / "DONE.json").read_text()
    assert "2 chapter(s) finished" in toy_clone.ferbook("run", "means", "--run", "a")
    assert (toy_clone.result("a", "means") / "DONE.json").read_text() == made, "it reads the same of throws"
    assert "up to date: throws, means" in toy_clone.ferbook("run", "means", "--run", "a")


@pytest.mark.slow
def test_a_failing_cell_is_shown_and_marks_nothing_done(toy_clone):
    toy_clone.write_chapter("means", "x = 1", "raise ValueError('planted fault')")
    told = toy_clone.ferbook("run", "means", "--run", "a", expect=1)
    assert "chapter 'means' failed in code cell 5: ValueError: planted fault" in told
    assert "Traceback" not in told
    kept = toy_clone.result("a", "means.failed")
    assert f"partial notebook: {kept / 'means.ipynb'}" in told
    assert "planted fault" in (kept / "means.ipynb").read_text()
    log = toy_clone.root / "runs" / "a" / ".work" / "logs" / "means.log"
    assert f"log: {log}" in told and "planted fault" in log.read_text()
    assert done(toy_clone, "throws") and not done(toy_clone, "means")
    states = toy_clone.ferbook_json("status", "--run", "a")["chapters"]
    assert states[1]["reasons"] == ["not finished", "last attempt failed in code cell 5"]
    first = finished(toy_clone, "throws")

    toy_clone.write_chapter("means", "x = 1")
    toy_clone.ferbook("run", "means", "--run", "a")
    assert done(toy_clone, "means") and finished(toy_clone, "throws") == first
    assert not kept.exists()

    # A later failure keeps the earlier result.
    first = finished(toy_clone, "means")
    toy_clone.write_chapter("means", "raise ValueError('planted fault')")
    toy_clone.ferbook("run", "means", "--run", "a", expect=1)
    assert finished(toy_clone, "means") == first
    reasons = toy_clone.ferbook_json("status", "--run", "a")["chapters"][1]["reasons"]
    assert reasons == ["notebook changed", "last attempt failed in code cell 4"]


@pytest.mark.slow
def test_a_kernel_that_dies_is_a_failure(toy_clone):
    toy_clone.write_chapter("means", "import os; os._exit(3)")
    told = toy_clone.ferbook("run", "means", "--run", "a", expect=1)
    assert "the kernel died" in told
    assert not done(toy_clone, "means")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["interrupt the group", "kill -9"])
def test_the_same_command_goes_on_after_an_end_from_outside(toy_clone, gate, how):
    toy_clone.write_chapter("means", gate.cell)
    process = toy_clone.start("run", "means", "--run", "a")
    kernel = gate.reached(process)
    told = toy_clone.ferbook("run", "means", "--run", "a", expect=2)
    assert f"in use by process {process.pid}" in told
    if how == "kill -9":
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    else:
        os.killpg(process.pid, signal.SIGINT)
        told = process.communicate()[0]
        assert process.returncode == 130, told
        assert "the same command runs the others" in told
    assert gone(kernel)
    assert done(toy_clone, "throws") and not done(toy_clone, "means")
    first = finished(toy_clone, "throws")

    toy_clone.write_chapter("means", "x = 1")
    told = toy_clone.ferbook("run", "means", "--run", "a")
    assert done(toy_clone, "means") and finished(toy_clone, "throws") == first
    assert "up to date: throws" in told
    assert not (toy_clone.root / "runs" / "a" / ".work" / "staging" / "means").exists()


# Computes for ever and gives no other thread a turn.
BUSY = "import collections, itertools; collections.deque(itertools.repeat(0), maxlen=0)"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
@pytest.mark.slow
def test_a_busy_kernel_ends_with_the_process_that_executes_its_chapter(toy_clone, gate):
    toy_clone.write_chapter("throws", gate.cell.replace("signal.pause()", BUSY))
    process = toy_clone.start("run", "throws", "--run", "a")
    kernel = gate.reached(process)
    descriptor = os.pidfd_open(kernel)
    psutil.Process(kernel).parent().kill()
    ended, _, _ = select.select([descriptor], [], [], 60)
    if not ended:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    os.close(descriptor)
    assert ended, "the kernel outlived the process that started it"
    assert "chapter 'throws' ended without a result: killed from outside" in process.communicate()[0]
    assert process.returncode == 1 and not done(toy_clone, "throws")
