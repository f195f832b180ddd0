"""A signature is over a run and its archives alike, and over nothing that was changed."""

import json
import shutil
import subprocess

import pytest

from ferbook import cli, signature
from ferbook.archive import archive_run, run_at
from ferbook.book import chapters
from ferbook.errors import MissingError, RunStoreError
from ferbook.inputs import code_inputs
from ferbook.signature import fault_of_signature, sign_run, signature_file, signed_text
from ferbook.store import DONE, file_checksums, write_json

pytestmark = pytest.mark.system_package
needs_ssh = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed: signatures are not tested"
)


@pytest.fixture
def run(run, finish):
    """A run with a chapter."""
    run.write_record({"request": {"profile": "laptop", "parameters": {}}, "changed": "now"})
    inputs = {**code_inputs(chapters()["throws"]), "parameters": {"seed": 1}}
    finish(run, "throws", inputs, {"throws": {"value": 60, "unit": "count"}})
    return run


@pytest.fixture
def key(tmp_path):
    def key(name):
        file = tmp_path / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
        return file, file.with_name(f"{name}.pub")

    return key


@needs_ssh
def test_a_run_and_its_archive_have_one_signature_and_another_run_or_key_has_not(run, key, tmp_path):
    (private, public), (_, others) = key("mine"), key("others")
    zipped = tmp_path / "a.zip"
    archive_run(run, zipped)
    file = signature_file(str(zipped))
    assert file == tmp_path / "a.zip.sig" and signature_file("a") == run.folder / "run.sig"
    with run_at(str(zipped)) as unpacked:
        assert signed_text(unpacked) == signed_text(run)
        sign_run(unpacked, private, file)
    assert fault_of_signature(run, public, file) == ""
    assert "not this run signed by" in fault_of_signature(run, others, file)

    folder = run.result("throws").folder
    write_json(folder / "metrics.json", {"throws": {"value": 61, "unit": "count"}})
    done = json.loads((folder / DONE).read_text())
    write_json(folder / DONE, done | {"files": file_checksums(folder)})
    assert "not this run signed by" in fault_of_signature(run, public, file), "digests were written anew"


@needs_ssh
def test_a_signature_for_another_purpose_is_none(run, key, tmp_path):
    private, public = key("mine")
    text = tmp_path / "text"
    text.write_bytes(signed_text(run))
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-f", private, "-n", "file", text], check=True)
    assert "not this run signed by" in fault_of_signature(run, public, tmp_path / "text.sig")


@needs_ssh
def test_what_is_no_key_and_no_signature_is_named(run, key, tmp_path):
    private, public = key("mine")
    with pytest.raises(RunStoreError, match="`ferbook sign` writes it"):
        fault_of_signature(run, public, tmp_path / "absent.sig")
    with pytest.raises(
        RunStoreError, match=r"absent\.pub: cannot be read \(No such file .*; name a public key"
    ):
        fault_of_signature(run, tmp_path / "absent.pub", tmp_path / "absent.sig")
    for odd in (private, run.record_file):
        with pytest.raises(RunStoreError, match="no public key of OpenSSH"):
            fault_of_signature(run, odd, tmp_path / "absent.sig")
    with pytest.raises(RunStoreError, match=r"run\.yaml: no key that could sign"):
        sign_run(run, run.record_file, tmp_path / "a.sig")
    assert not (tmp_path / "a.sig").exists()
    (tmp_path / "a.sig").write_text("no signature")
    assert "not this run signed by" in fault_of_signature(run, public, tmp_path / "a.sig")


@needs_ssh
def test_a_run_that_is_kept_keeps_the_signature_that_was_checked(run, key, tmp_path, monkeypatch):
    private, public = key("mine")
    zipped = tmp_path / "a.zip"
    archive_run(run, zipped)
    with run_at(str(zipped)) as unpacked:
        sign_run(unpacked, private, signature_file(str(zipped)))
    for words in (str(zipped), "--keep", "theirs"), ("theirs",):
        monkeypatch.setattr("sys.argv", ["ferbook", "verify", *words, "--key", str(public)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert end.value.code == 0


@needs_ssh
def test_what_is_wrong_with_a_damaged_run_is_told_beside_its_missing_signature(run, key, monkeypatch, capsys):
    _, public = key("mine")
    (run.result("throws").folder / "metrics.json").write_text("{}")
    monkeypatch.setattr("sys.argv", ["ferbook", "verify", "a", "--key", str(public)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    told = " ".join(capsys.readouterr().out.split())
    assert end.value.code == 1 and "differs from its checksum" in told
    assert "`ferbook sign` writes it" in told


def test_where_ssh_keygen_is_missing_it_is_said(run, tmp_path, monkeypatch):
    monkeypatch.setattr(signature.shutil, "which", lambda name: None)
    with pytest.raises(MissingError, match="ssh-keygen is not installed"):
        sign_run(run, tmp_path / "key", tmp_path / "a.sig")
