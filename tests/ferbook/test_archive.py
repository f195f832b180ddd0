"""A run as one file: what is written is read, and nothing else is unpacked."""

import stat
import zipfile

import pytest

from ferbook import archive, cli
from ferbook.archive import archive_run, unpack_run, verify_run
from ferbook.book import chapters
from ferbook.errors import RunStoreError
from ferbook.inputs import code_inputs
from ferbook.store import Run, open_run


@pytest.fixture
def run(run, finish):
    """A run with a chapter of this checkout's code."""
    run.write_record({"request": {"profile": "laptop", "parameters": {}}, "changed": "now"})
    finish(run, "throws", {**code_inputs(chapters()["throws"]), "parameters": {"seed": 1}})
    return run


def test_what_is_archived_is_what_is_unpacked(run, tmp_path):
    first, second = tmp_path / "a.zip", tmp_path / "b.zip"
    assert archive_run(run, first) == archive_run(run, second) == 5
    assert first.read_bytes() == second.read_bytes()
    unpack_run(first, tmp_path / "there")
    told = verify_run(Run("there", tmp_path / "there"))
    assert told.faults == []
    assert told.unknown == ["versions: of numpy it names none"]
    assert told.holds[:2] == [
        "form and digests: 1 chapters, 3 files, made from each other",
        "throws: says that it ran this checkout's code",
    ]
    with pytest.raises(RunStoreError, match="is there already"):
        archive_run(run, first)


@pytest.mark.parametrize(
    ("name", "mode", "told"),
    [
        ("../out", stat.S_IFREG, "no path within a run"),
        ("/etc/out", stat.S_IFREG, "no path within a run"),
        ("throws/../../out", stat.S_IFREG, "no path within a run"),
        ("throws\\out", stat.S_IFREG, "no path within a run"),
        (".work/x", stat.S_IFREG, "no path within a run"),
        ("throws/", stat.S_IFDIR, "a link, or no plain file"),
        ("throws", stat.S_IFLNK, "a link, or no plain file"),
        ("RUN.YAML", stat.S_IFREG, "is there twice"),
        ("run.yaml/x", stat.S_IFREG, "'run.yaml' is a file and a folder"),
        ("Throws", stat.S_IFREG, "'Throws' is a file and a folder"),
    ],
)
def test_a_zip_with_other_paths_is_not_unpacked(run, tmp_path, name, mode, told):
    file, place = tmp_path / "a.zip", tmp_path / "place"
    archive_run(run, file)
    entry = zipfile.ZipInfo("x")
    entry.filename, entry.external_attr = name, (mode | 0o644) << 16
    with zipfile.ZipFile(file, "a") as made:
        made.writestr(entry, b"target")
    with pytest.raises(RunStoreError, match=told):
        unpack_run(file, place)
    assert not place.exists() and not (tmp_path / "out").exists()


def test_a_zip_of_too_much_is_refused_by_what_it_says_of_itself(run, tmp_path, monkeypatch):
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("run.yaml", b"0" * 100_000)
    monkeypatch.setattr(archive, "LARGEST_ARCHIVE", 99_999)
    with pytest.raises(RunStoreError, match=r"100,000 bytes unpacked, more than 99,999"):
        unpack_run(file, tmp_path / "place")
    monkeypatch.setattr(archive, "MOST_ENTRIES", 0)
    with pytest.raises(RunStoreError, match="1 files, more than 0"):
        unpack_run(file, tmp_path / "place")


def test_a_run_that_would_not_be_unpacked_is_not_archived(run, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_ENTRIES", 4)
    with pytest.raises(RunStoreError, match="5 files, more than 4; no command would unpack it"):
        archive_run(run, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.parametrize("what", ["absent.zip", "there/absent"])
def test_a_zip_that_is_not_there_is_called_no_run(what):
    with pytest.raises(RunStoreError, match=f"{what}: there is no such file"), archive.run_at(what):
        pass


@pytest.mark.parametrize("cut", [0, 10, 200])
def test_a_zip_cut_short_is_told(run, tmp_path, cut):
    file = tmp_path / "a.zip"
    archive_run(run, file)
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(RunStoreError, match="no zip that can be read"):
        unpack_run(file, tmp_path / "place")


def test_a_zip_that_is_packed_in_another_way_is_not_unpacked(run, tmp_path):
    file = tmp_path / "a.zip"
    for way in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        with zipfile.ZipFile(file, "w", way) as made:
            made.writestr("run.yaml", "x" * 100)
        with pytest.raises(RunStoreError, match=r"'run\.yaml' is packed in another way"):
            unpack_run(file, tmp_path / "place")


@pytest.mark.parametrize(
    "changes",
    [
        {7: 0x08, 30: 0xFF},  # a name that says it is UTF-8, and is not
        {-4: 0x01},  # a directory that begins before the file does
    ],
)
def test_a_zip_with_wrong_bytes_is_told(run, tmp_path, changes):
    file = tmp_path / "a.zip"
    archive_run(run, file)
    content = bytearray(file.read_bytes())
    for place, byte in changes.items():
        content[place] = byte
    file.write_bytes(content)
    with pytest.raises(RunStoreError, match="no zip that can be read"):
        unpack_run(file, tmp_path / "place")


def test_a_changed_file_and_a_foreign_cell_are_faults_and_other_code_is_not_known(run, finish, monkeypatch):
    finish(run, "throws", {"code": {"book/throws/study.py": "0" * 64}})
    assert verify_run(run).unknown == [
        "throws: files as commit abc does not have them: book/throws/study.py",
        "versions: of numpy it names none",
    ]
    monkeypatch.setattr(archive, "_digest", lambda commit, name: "0" * 64)  # a commit that has all of it
    finish(run, "throws", {"code": {"LICENSE": "0" * 64}})
    told, _ = verify_run(run).unknown
    assert told.startswith("throws: whose code it ran: it does not name ")
    notebook = run.result("throws").notebook
    notebook.write_text(notebook.read_text().replace("throws", "thrown"))
    (fault,) = verify_run(run).faults
    assert "throws.ipynb: differs from its checksum" in fault


def test_what_was_added_to_a_zip_is_a_fault_and_not_kept_and_beside_a_run_of_ones_own_it_is_none(
    run, tmp_path, monkeypatch, capsys
):
    names = "derl/derl.ipynb", "populations/emotion/1/DONE.json", "throws.failed/failure.json"
    file = tmp_path / "a.zip"
    archive_run(run, file)
    with zipfile.ZipFile(file, "a") as made:
        for name in names:
            made.writestr(name, "{}")
            (run.folder / name).parent.mkdir(parents=True)
            (run.folder / name).write_text("{}")
    for words, code in (("a",), 0), ((str(file),), 1), ((str(file), "--keep", "theirs"), 2):
        monkeypatch.setattr("sys.argv", ["ferbook", "verify", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
        told = capsys.readouterr()
        assert end.value.code == code
        assert (", ".join(names) in " ".join(f"{told.out} {told.err}".split())) is (code > 0)
    assert not open_run("theirs").folder.exists()
