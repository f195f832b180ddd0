"""Who vouches for a run: a signature over the digests of its files, in the format of OpenSSH.

Written and checked by ``ssh-keygen -Y``, with the keys that people have for other machines already.
"""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from ferbook.archive import archived_names
from ferbook.errors import MissingError, RunStoreError
from ferbook.files import open_regular, read_plain, write_atomically
from ferbook.store import Run, open_run

NAMESPACE = "ferbook"
"""What a signature is for: one of the same key over a letter or a commit is none over a run."""

_PUBLIC_KEY = re.compile(r"(?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[\w@.-]+ [A-Za-z0-9+/]+={0,3}", re.ASCII)
_LARGEST = 2**14
"""Bytes of a public key or a signature."""

RUN_SIGNATURE = "run.sig"
"""Where the signature of a run lies in its folder."""


def signature_file(what: str) -> Path:
    """Where the signature of a run, or of the run in a zip, lies: in its folder, or beside it."""
    return Path(f"{what}.sig") if Path(what).is_file() else open_run(what).folder / RUN_SIGNATURE


def signed_text(run: Run) -> bytes:
    """What a signature is over: path -> digest of each file that an archive of ``run`` has, so that the run
    and every archive of it have one signature.
    """
    digests = {}
    for name in archived_names(run):
        with open_regular(run.folder / name) as content:
            digests[name] = hashlib.file_digest(content, "sha256").hexdigest()
    return json.dumps(digests, sort_keys=True).encode()


def _ssh_keygen(*words: str | Path, text: bytes = b"") -> subprocess.CompletedProcess:
    program = shutil.which("ssh-keygen")
    if program is None:
        raise MissingError(
            "ssh-keygen is not installed here; signatures of runs are written and checked by it"
        )
    return subprocess.run([program, *map(str, words)], input=text, capture_output=True, check=False)


def _reason(answer: subprocess.CompletedProcess) -> str:
    lines = (answer.stderr or answer.stdout).decode(errors="backslashreplace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "no reason given")


def sign_run(run: Run, key: Path, file: Path) -> None:
    """Sign ``run`` with the private ``key`` of OpenSSH and write the signature to ``file``.

    Raises RunStoreError for a key that cannot be used, MissingError without ssh-keygen.
    """
    answer = _ssh_keygen("-Y", "sign", "-f", key, "-n", NAMESPACE, text=signed_text(run))
    if answer.returncode or not answer.stdout:
        raise RunStoreError(f"{key}: no key that could sign ({_reason(answer)})")
    write_atomically(file, answer.stdout)


def _content(file: Path, mend: str) -> bytes:
    try:
        return read_plain(file, _LARGEST)
    except OSError as fault:
        raise RunStoreError(f"{file}: cannot be read ({fault.strerror}); {mend}") from fault


def fault_of_signature(run: Run, key: Path, file: Path) -> str:
    """Why the signature in ``file`` is not one of ``run`` by the private part of the public ``key``; empty
    where it is.

    Raises RunStoreError where there is no public key or no signature, MissingError without ssh-keygen.
    """
    match = _PUBLIC_KEY.match(_content(key, "name a public key of OpenSSH").decode(errors="replace"))
    if not match:
        raise RunStoreError(f"{key}: no public key of OpenSSH; expected a line such as ssh-ed25519 AAAA…")
    content = _content(file, "`ferbook sign` writes it")
    with TemporaryDirectory(prefix="ferbook-key.") as place:
        signers, signature = Path(place) / "signers", Path(place) / "signature"
        signers.write_text(f"{NAMESPACE} {match[0]}\n")
        signature.write_bytes(content)
        words = ("-f", signers, "-I", NAMESPACE, "-n", NAMESPACE, "-s", signature)
        answer = _ssh_keygen("-Y", "verify", *words, text=signed_text(run))
    return f"{file}: not this run signed by {key} ({_reason(answer)})" if answer.returncode else ""
