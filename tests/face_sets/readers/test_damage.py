"""Copies of every layout, damaged in every way that comes to mind: each damage is an error, changes nothing,
is told, or could not have been known; and none of the last kind passes a seal.

``pytest -s`` prints the table.
"""

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from face_sets.describe import equal_pictures, published_table
from face_sets.readers.pictures import SUFFIXES
from face_sets.registry import REGISTRY, read_anew
from face_sets.request import FaceRequest
from ferbook.errors import FerError
from tests.face_sets.readers.test_every_reader import SOURCES, face_set, size_of
from tests.face_sets.readers.writers.every import export_faces

TEXTS = (".csv", ".txt", ".xml")

# Damages that leave files such as there might have been: without digests of what was there, only counts may
# tell.
NOBODY_KNOWS = (
    *("one bit flipped", "contents of two files exchanged", "two lines exchanged", "a digit changed"),
)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) * 2 // 3] ^= 1
    file.write_bytes(content)


def fellow(file: Path, top: Path) -> Path | None:
    """Another file with the same ending, of the same folder where there is one."""
    others = [other for other in sorted(top.rglob(f"*{file.suffix}")) if other != file and other.is_file()]
    return next(iter([*(other for other in others if other.parent == file.parent), *others]), None)


def exchange(file: Path, top: Path) -> None:
    if other := fellow(file, top):
        first, second = file.read_bytes(), other.read_bytes()
        file.write_bytes(second)
        other.write_bytes(first)


def become(file: Path, top: Path) -> None:
    if other := fellow(file, top):
        file.write_bytes(other.read_bytes())


def link(file: Path, top: Path) -> None:
    if other := fellow(file, top):
        file.unlink()
        file.symlink_to(other)


def pipe(file: Path, top: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def folder(file: Path, top: Path) -> None:
    file.unlink()
    file.mkdir()


def lines(file: Path, change: Callable[[list[str]], list[str]]) -> None:
    file.write_text("\n".join(change(file.read_text().splitlines())) + "\n")


def dark(file: Path, top: Path) -> None:
    picture = np.asarray(Image.open(file)).astype(np.uint16)
    Image.fromarray(picture).save(file, "PNG")


def digits(file: Path, many: str) -> None:
    text = file.read_text()
    at = [match.span() for match in re.finditer(r"\d+", text)]
    if at:
        start, end = at[len(at) // 2]
        file.write_text(text[:start] + many + text[end:])


FILES: dict[str, Callable[[Path, Path], object]] = {
    "taken away": lambda file, top: file.unlink(),
    "empty": lambda file, top: file.write_bytes(b""),
    "cut short": lambda file, top: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "one bit flipped": lambda file, top: flip(file),
    "noise": lambda file, top: file.write_bytes(np.random.default_rng(0).bytes(2000)),
    "a pipe": pipe,
    "a folder": folder,
    "a link to another one": link,
    "another letter case": lambda file, top: file.rename(file.with_name(file.name.swapcase())),
    "contents of two files exchanged": exchange,
    "another one's content": become,
    "a second copy of a file": lambda file, top: shutil.copy(
        file, file.with_name(f"{file.stem}x{file.suffix}")
    ),
    "may not be read": lambda file, top: file.chmod(0),
}
PICTURES = {"16 bits with the values of 8": dark}
WORDS: dict[str, Callable[[Path, Path], object]] = {
    "a line taken out": lambda file, top: lines(
        file, lambda all: all[: len(all) // 2] + all[len(all) // 2 + 1 :]
    ),
    "two lines exchanged": lambda file, top: lines(file, lambda all: [*all[:-2], *all[:-3:-1]]),
    "some XML": lambda file, top: file.write_text("<a><b/></a>"),
    "5,000 digits": lambda file, top: digits(file, "7" * 5000),
    "a digit changed": lambda file, top: digits(file, "3"),
    "not UTF-8": lambda file, top: file.write_bytes(file.read_bytes() + b"\xff\xfe"),
}
TOPS = {
    "a folder in another letter case": lambda place, top: place.rename(
        place.with_name(place.name.swapcase())
    ),
    "a folder taken away": lambda place, top: shutil.rmtree(place),
}


def damages(top: Path) -> Iterator[tuple[str, Path, Callable[[Path, Path], object]]]:
    """Damage and where, of one file of each ending, the middle one, and of each folder at the top."""
    files = [file for file in sorted(top.rglob("*")) if file.is_file() and not file.name.startswith(".")]
    for suffix in sorted({file.suffix for file in files}):
        own = [file for file in files if file.suffix == suffix]
        file = own[len(own) // 2]
        kinds = FILES | (PICTURES if suffix in SUFFIXES else {}) | (WORDS if suffix in TEXTS else {})
        yield from ((kind, file, damage) for kind, damage in kinds.items())
    for place in sorted(place for place in top.iterdir() if place.is_dir()):
        yield from ((kind, place, damage) for kind, damage in TOPS.items())


def outcome(name: str) -> tuple[str, object, object]:
    """How reading ended: ``error``, or what was read and what was said of it."""
    try:
        faces = read_anew(FaceRequest(name, size=size_of(name)))
    except FerError as refusal:
        return "error", str(refusal), None
    counts = published_table(faces, REGISTRY[name].published)
    notes = [
        faces.table[column].tolist() for column in ("missing_frames", "corrected") if column in faces.table
    ]
    return "read", faces.checksum, (faces.left_out, counts, equal_pictures(faces), notes)


@pytest.mark.defect("D1", "D2", "D3", "D4", "D5")
@pytest.mark.slow
@pytest.mark.parametrize("name", SOURCES)
def test_every_damage_is_refused_told_or_without_effect(name, tmp_path, monkeypatch):
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "cache"))
    whole, data = tmp_path / "whole", tmp_path / "data"
    export_faces(face_set(size_of(name)), name, whole)
    monkeypatch.setenv("FER_DATA", str(data))
    table: Counter[str] = Counter()
    silent = []
    for kind, place, damage in damages(whole / name):
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(whole, data)
        before = outcome(name)
        assert before[0] == "read"
        damage(data / name / place.relative_to(whole / name), data / name)
        after = outcome(name)
        if after[0] == "error":
            table["error"] += 1
        elif after[1] == before[1]:
            table["same"] += 1
        elif after[2] != before[2]:
            table["told"] += 1
        else:
            table["silent"] += 1
            silent.append((kind, place.name))
    print(f"\n{name}: {dict(table)} {silent}", end="")
    assert [each for each in silent if each[0] not in NOBODY_KNOWS] == []
