"""Files that appear whole or not at all."""

import os

import pytest

from fer_lib.files import write_atomically


def test_text_and_bytes_are_written_with_their_folders(tmp_path):
    write_atomically(tmp_path / "a" / "b.txt", "ä")
    write_atomically(tmp_path / "a" / "c.bin", b"\xff")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "ä".encode()
    assert (tmp_path / "a" / "c.bin").read_bytes() == b"\xff"


def test_a_file_has_the_rights_of_any_other(tmp_path):
    (tmp_path / "plain").write_text("")
    write_atomically(tmp_path / "x", "")
    assert (tmp_path / "x").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_an_interrupted_write_leaves_the_old_content(tmp_path, monkeypatch):
    file = tmp_path / "x.json"
    write_atomically(file, "old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*x\.json'$"):
        write_atomically(file, "new")
    assert file.read_text() == "old"
    assert [f.name for f in tmp_path.iterdir()] == ["x.json"]
