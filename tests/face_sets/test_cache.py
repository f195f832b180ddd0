import errno
import subprocess
import sys

import numpy as np
import pytest

from face_sets.cache import cached, entry
from ferbook.errors import DataError
from tests.made import even_pictures, made_faces

KEY = {"size": 2, "seed": 0}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_CACHE", str(tmp_path))
    return tmp_path / "faces"


def toy(value=1):
    return made_faces(even_pictures([value], 2))


def never():
    pytest.fail("made although it was kept")


def test_an_entry_is_made_once_and_loaded_after(folder):
    made = cached("toy", KEY, toy)
    again = cached("toy", dict(reversed(KEY.items())), never)
    assert again.checksum == made.checksum == toy().checksum
    assert list(folder.iterdir()) == [entry("toy", KEY)]
    assert entry("toy", KEY).name.startswith("toy-")
    assert len(entry("toy", KEY).name) == len("toy-") + 16


def test_another_key_or_kind_is_another_entry():
    keys = [KEY, {**KEY, "seed": 1}, {**KEY, "seed": "0"}, {**KEY, "seed": 0.5}, {"size": 2}]
    places = {entry("toy", key) for key in keys} | {entry("other", KEY)}
    assert len(places) == 6


def damage_pixels(place):
    whole = (place / "pixels.npy").read_bytes()
    (place / "pixels.npy").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))


def empty_table(place):
    (place / "table.parquet").write_bytes(b"")


def drop_about(place):
    (place / "faceset.json").unlink()


@pytest.mark.parametrize("damage", [damage_pixels, empty_table, drop_about])
def test_a_damaged_or_half_written_entry_is_said_in_one_line_and_made_anew(damage, folder, caplog):
    cached("toy", KEY, toy)
    damage(entry("toy", KEY))
    assert cached("toy", KEY, lambda: toy(7)).pixels.max() == 7
    (record,) = caplog.records
    assert "made anew" in record.message and str(entry("toy", KEY)) in record.message
    assert "\n" not in record.message
    assert list(folder.iterdir()) == [entry("toy", KEY)]
    assert cached("toy", KEY, never).pixels.max() == 7


@pytest.mark.slow
def test_processes_that_make_the_same_entry_at_once_all_succeed(folder, request):
    code = (
        f"import sys; sys.path.insert(0, {str(request.path.parent)!r}); "
        "from test_cache import KEY, cached, toy\n"
        "def make():\n"
        "    print('making', flush=True); sys.stdin.readline()\n"
        "    return toy()\n"
        "print(cached('toy', KEY, make).checksum)"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    assert [p.stdout.readline() for p in both] == ["making\n"] * 2
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [p.communicate()[0].strip() for p in both] == [toy().checksum] * 2
    assert [p.returncode for p in both] == [0, 0]
    assert list(folder.iterdir()) == [entry("toy", KEY)]


def test_a_full_disk_is_a_data_error_and_leaves_no_entry(folder, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full)
        with pytest.raises(DataError, match="No space left on device"):
            cached("toy", KEY, toy)
    assert list(folder.iterdir()) == []
    assert cached("toy", KEY, toy).checksum == toy().checksum


def test_what_was_interrupted_is_not_kept(folder):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached("toy", KEY, interrupted)
    assert not folder.exists() or list(folder.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_named_with_what_sets_it(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"file/faces/toy-.* could not be written .*FER_CACHE"):
        cached("toy", KEY, toy)
