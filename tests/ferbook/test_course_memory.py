"""The kernel's limit on memory: pretended groups of each kind, and a real one where this machine has it."""

import pytest

from ferbook.course import memory, sandbox
from ferbook.course.memory import memory_group
from ferbook.course.sandbox import TRUST, Box, Worker

CHILD = """
import os, signal
there, here = os.pipe()
if not os.fork():
    kept = bytearray(80 * 2**20)
    os.write(here, b".")
    signal.pause()
os.read(there, 1)
"""
OWN = "9:cpu:/\n4:memory:/a/b\n0::/c\n"


@pytest.mark.parametrize(
    ("own", "files", "told"),
    [
        (OWN, {"memory/a/b": ("memory.limit_in_bytes", "memory.oom_control")}, "memory/a/b"),
        ("0::/c/d\n", {"c/d": ("memory.max", "memory.events")}, "c/d"),
        ("0::/\n", {".": ("memory.max", "memory.events")}, "."),
        ("0::/c\n", {"c": ()}, None),  # the controller is not handed down
        ("9:cpu:/\n", {"cpu": ()}, None),
        (OWN, {}, None),
    ],
)
def test_a_group_is_made_below_the_own_one_where_memory_can_be_limited(
    own, files, told, tmp_path, monkeypatch
):
    (tmp_path / "own").write_text(own)
    monkeypatch.setattr(memory, "_OWN", tmp_path / "own")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "control")
    make = memory.Path.mkdir

    def fill(folder):
        """As the kernel does: a new group has its files from the start."""
        make(folder)
        for file in files[str(folder.parent.relative_to(tmp_path / "control"))]:
            (folder / file).write_text("oom_kill 0\n")

    for place in files:
        (tmp_path / "control" / place).mkdir(parents=True)
    monkeypatch.setattr(memory.Path, "mkdir", fill)
    group = memory_group(2**20)
    made = [path for path in (tmp_path / "control").rglob("ferbook-*")]
    if told is None:
        assert group is None and made == []
        return
    limit, events = files[told]
    assert made == [group.folder] and group.folder.parent == tmp_path / "control" / told
    assert (group.folder / limit).read_text() == str(2**20) and not group.exceeded()
    (group.folder / events).write_text("low 0\noom_kill 12\n")
    assert group.exceeded()


@pytest.mark.slow
@pytest.mark.defect("C4")
def test_what_the_kernel_charges_to_all_processes_together_ends_them(monkeypatch):
    """A child takes 80 MiB and its parent 180: less than the limit each, and more together."""
    if (group := memory_group(2**20)) is None:
        pytest.skip("no control group of memory can be made here")
    group.remove()
    assert not group.folder.exists()
    monkeypatch.setattr(sandbox, "_MEMORY", 256 * 2**20)
    monkeypatch.setattr(sandbox, "WATCH", 5)  # nobody else looks meanwhile
    with Worker(TRUST, Box(), 3) as worker:
        folder = worker._group.folder
        worker.ask(do="cell", source=CHILD)
        assert not worker.ended
        worker.ask(do="cell", source="kept = bytearray(180 * 2**20)")
        assert worker.ended == sandbox.GREEDY
    assert not folder.exists()
