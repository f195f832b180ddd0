"""Files that appear whole or not at all."""

import os
from contextlib import suppress

import pytest

from ferbook.errors import FerError
from ferbook.files import is_leftover, parse_json, read_plain, read_yaml, whole_folder, write_atomically


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


def test_a_folder_appears_at_the_end_of_the_block(tmp_path):
    with whole_folder(tmp_path / "deep" / "set") as partial:
        (partial / "a").write_text("x")
        assert not (tmp_path / "deep" / "set").exists() and partial.parent == tmp_path / "deep"
    assert [file.name for file in (tmp_path / "deep").rglob("*")] == ["set", "a"]


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt])
def test_a_folder_whose_block_fails_leaves_nothing(tmp_path, fault):
    with pytest.raises(fault), whole_folder(tmp_path / "set") as partial:
        (partial / "a").write_text("x")
        raise fault
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_meanwhile_is_kept(tmp_path):
    with pytest.raises(OSError), whole_folder(tmp_path / "set") as partial:
        (partial / "a").write_text("x")
        (tmp_path / "set").mkdir()
        (tmp_path / "set" / "theirs").touch()
    assert [file.name for file in tmp_path.rglob("*")] == ["set", "theirs"]


@pytest.mark.parametrize("fault", [None, "block", "rename"])
def test_a_folder_takes_the_place_of_an_earlier_one_that_stays_where_it_fails(tmp_path, fault, monkeypatch):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "old").touch()
    rename = type(tmp_path).rename

    def move(path, target):
        if fault == "rename" and (path / "new").exists():
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(type(tmp_path), "rename", move)
    with suppress(OSError), whole_folder(tmp_path / "set", replace=True) as partial:
        (partial / "new").touch()
        if fault == "block":
            raise OSError(28, "No space left on device")
    assert [file.name for file in tmp_path.rglob("*")] == ["set", "old" if fault else "new"]


def test_what_a_killed_write_leaves_is_known_by_its_name(tmp_path, monkeypatch):
    file = tmp_path / "x.json"
    monkeypatch.setattr(os, "replace", lambda *_: None)
    monkeypatch.setattr(type(file), "unlink", lambda _: None)
    write_atomically(file, "new")
    (left,) = tmp_path.iterdir()
    assert is_leftover(left, file)
    others = [left.with_name(left.name[:-1]), left.with_name(f"{left.name}0"), tmp_path / "a" / left.name]
    assert not any(is_leftover(other, file) for other in (file, *others))
    assert not is_leftover(left, tmp_path / "xxjson")
    with whole_folder(tmp_path / "set") as partial:
        assert is_leftover(partial, tmp_path / "set")


@pytest.mark.parametrize("kind", ["pipe", "link", "folder", "large"])
def test_only_a_plain_file_of_bounded_size_is_read(tmp_path, kind):
    file = tmp_path / "record.json"
    {
        "pipe": lambda: os.mkfifo(file),
        "link": lambda: file.symlink_to("/dev/zero"),
        "folder": file.mkdir,
        "large": lambda: file.write_bytes(b"12345"),
    }[kind]()
    with pytest.raises(OSError, match=r"record\.json"):
        read_plain(file, 4)
    (tmp_path / "whole").write_bytes(b"1234")
    assert read_plain(tmp_path / "whole", 4) == b"1234"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[" * 100_000, "nested"),
        ("[" * 30 + "]" * 30, "nested more than 24 deep"),
        ('{"a": {"b": "x`y"}}', "a.b: holds '`'"),
        ('{"a": "\\u001b[31m"}', "a: holds"),
        ('{"a": "\\u202e"}', "a: holds"),
        ('{"a": NaN}', "a: no finite number"),
        (f'{{"a": {10**400}}}', "a: no finite number"),
        ('{"|": 1}', "the key: holds"),
        ("{", "Expecting"),
        (f'{{"{"k" * 90000}": [1, "<script>"]}}', r"^k{197}\[1\]: holds '<'"),
    ],
)
def test_what_no_record_holds_is_refused_with_its_place(content, told):
    with pytest.raises(ValueError, match=told):
        parse_json(content.encode())


def test_a_record_that_refers_to_a_part_of_itself_is_refused(tmp_path):
    (tmp_path / "run.yaml").write_text("a: &part [1]\nb: *part\n")
    assert read_yaml(tmp_path / "run.yaml", FerError) == {"a": [1], "b": [1]}
    with pytest.raises(FerError, match=r"run\.yaml: not YAML \(holds '\*', which no record does\)"):
        read_yaml(tmp_path / "run.yaml", FerError, most=1000)


def test_words_that_stand_on_no_page_may_hold_signs():
    content = '{"figures": {"a": {"alt": "a < b"}}, "n": [1, 2.5, true, null, "lab/2, 96 × 96"]}'
    assert parse_json(content.encode(), ("alt",))["figures"]["a"]["alt"] == "a < b"
    with pytest.raises(ValueError, match=r"figures\.a\.alt"):
        parse_json(content.encode())
