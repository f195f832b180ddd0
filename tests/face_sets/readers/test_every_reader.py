"""What holds for every registered reader and its writer: the way there and back, and copies broken in the
same ways.
"""

import importlib
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from face_sets.faceset import LABELS, FaceSet
from face_sets.readers.pictures import SUFFIXES
from face_sets.registry import REGISTRY
from ferbook.errors import DataError
from tests.face_sets.readers.writers.every import write_layout

SOURCES = {name: source for name, source in REGISTRY.items() if source.reader}
# Emotions that every layout with emotions can hold.
SHOWN = ("disgust", "happiness")

PEOPLE = 3
FRAMES = 4
COUNTS = ("pictures", "subjects", "sequences", "labelled sequences")


def size_of(name: str) -> int:
    return SOURCES[name].sizes[0] if SOURCES[name].sizes else 32


def function(place: str):
    module, name = place.split(":")
    return getattr(importlib.import_module(module), name)


def read(name: str, folder: Path) -> FaceSet:
    return function(SOURCES[name].reader)(folder, size_of(name))


def face_set(size: int) -> FaceSet:
    """Three people, each with a sequence per emotion of ``SHOWN``: at rest, and three pictures of it.

    Blocks of eight pixels, so that JPEG hardly changes them; each picture has a brightness of its own.
    """
    rng = np.random.default_rng(0)
    rows, pixels = [], []
    for person in range(PEOPLE):
        for k, emotion in enumerate(SHOWN):
            for frame in range(1, FRAMES + 1):
                shown = frame > 1
                rows.append(
                    {
                        "subject": f"lab-{person}",
                        "sequence": f"lab-{person}-{k}",
                        "frame": frame,
                        "emotion": emotion if shown else "neutral",
                        "split": ("train", "valid", "test")[person],
                        "AU4": 0.6 * shown * (k == 0),
                        "AU12": 1.0 * shown * (k == 1),
                        "onset": 1,
                        "apex": 3,
                        "offset": 4,
                    }
                )
                blocks = rng.integers(0, 40, (size // 8, size // 8)) + 8 * len(pixels)
                pixels.append(np.kron(blocks, np.ones((8, 8))).astype(np.uint8))
    return FaceSet("lab", np.array(pixels), pd.DataFrame(rows).assign(dataset="lab"))


def exported(name: str, folder: Path, faces: FaceSet | None = None) -> Path:
    return write_layout(name, face_set(size_of(name)) if faces is None else faces, folder)


@pytest.fixture(scope="module", params=SOURCES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def pristine(name, tmp_path_factory):
    """What the writer wrote; tests that break it work on a copy."""
    return exported(name, tmp_path_factory.mktemp("pristine") / name)


@pytest.fixture
def copy(pristine, tmp_path):
    return Path(shutil.copytree(pristine, tmp_path / pristine.name))


def files_of(folder: Path) -> list[Path]:
    """The pictures, or the files that hold them where there are none; in either case the last sorted comes
    first.
    """
    files = [path for path in sorted(folder.rglob("*"), reverse=True) if path.is_file()]
    pictures = [path for path in files if path.suffix.lower() in SUFFIXES]
    return pictures or sorted(files, key=lambda path: -path.stat().st_size)


def test_every_real_set_has_a_reader():
    assert {name for name, source in REGISTRY.items() if source.layouts} == {*SOURCES, "heads"}


def test_a_set_comes_back_with_its_people_emotions_action_units_and_frames(name, pristine):
    faces, given = read(name, pristine), face_set(size_of(name))
    table, expected = faces.table, given.table
    assert faces.name == name and set(table["dataset"]) == {name} and faces.size == given.size
    people = set(table["subject"])
    if people != {""}:
        assert len(people) == PEOPLE and all(who.startswith(f"{name}-") for who in people)
        assert (table.groupby("subject")["split"].nunique() == 1).all()
    assert not table.duplicated(["subject", "sequence", "frame"]).any()
    labelled = table[~table["emotion"].isin(("", "neutral"))]
    module = importlib.import_module(SOURCES[name].module)
    assert bool(len(labelled)) != getattr(module, "NO_EMOTIONS", False)
    if len(labelled):
        shown = expected[expected["emotion"] != "neutral"]["emotion"].value_counts()
        at_rest = (table["emotion"] == "neutral").any()
        # Micro-expression sets give the clip's label to all of its pictures.
        assert labelled["emotion"].value_counts().to_dict() == {
            e: n if at_rest else n + PEOPLE for e, n in shown.items()
        }
    # Whoever kept sequences kept their frames; the numbering of the first may differ (0 or 1).
    if table["frame"].nunique() > 1:
        assert len(faces) == len(given)
        frames = table.groupby(["subject", "sequence"])["frame"].apply(list)
        assert all(list(np.diff(numbers)) == [1, 1, 1] for numbers in frames)
    if faces.aus:
        coded = table.groupby(["subject", "sequence"])[["AU4", "AU12"]].max()
        assert sorted((coded > 0).to_numpy().tolist()) == [[False, True]] * 3 + [[True, False]] * 3


def test_pictures_come_back(name, pristine):
    faces, given = read(name, pristine), face_set(size_of(name))
    means = np.sort(given.pixels.mean(axis=(1, 2)))
    again = np.sort(faces.pixels.mean(axis=(1, 2)))
    assert np.abs(again[:, None] - means[None]).min(axis=1).max() < 1.5
    closest = np.abs(faces.pixels[:, None].astype(int) - given.pixels[None]).mean(axis=(2, 3)).argmin(axis=1)
    assert len(set(closest.tolist())) == len(faces)
    difference = np.abs(faces.pixels.astype(int) - given.pixels[closest]).mean()
    lossless = not any(
        path.suffix.lower() in (".jpg", ".jpeg", ".avi", ".zip") for path in pristine.rglob("*")
    )
    assert difference == 0 if lossless else difference < 3


def test_reading_twice_and_writing_what_was_read_change_nothing(name, pristine, tmp_path):
    faces = read(name, pristine)
    assert read(name, pristine).checksum == faces.checksum
    again = read(name, exported(name, tmp_path / name, faces))
    columns = [column for column in faces.table if not column.startswith("split")]
    pd.testing.assert_frame_equal(again.table[columns], faces.table[columns], check_dtype=False)
    assert np.abs(again.pixels.astype(int) - faces.pixels).mean() < 3


def test_what_file_managers_leave_is_passed_over(name, pristine, copy):
    for place in [copy, *(path for path in copy.rglob("*") if path.is_dir())]:
        (place / ".DS_Store").write_bytes(b"x")
        (place / "Thumbs.db").write_bytes(b"x")
    (copy / "__MACOSX").mkdir()
    assert read(name, copy).checksum == read(name, pristine).checksum


def test_an_absent_folder_is_named(name, tmp_path):
    with pytest.raises(DataError, match=r"/gone"):
        read(name, tmp_path / "gone")


@pytest.mark.parametrize("content", [(), ("notes.txt",), ("other/notes.txt", "other/deeper/list.csv")])
def test_a_folder_with_something_else_in_it_is_refused(name, tmp_path, content):
    folder = tmp_path / name
    folder.mkdir()
    for entry in content:
        (folder / entry).parent.mkdir(parents=True, exist_ok=True)
        (folder / entry).write_text("nothing of use")
    with pytest.raises(DataError, match=str(folder)):
        read(name, folder)


@pytest.mark.parametrize("share", [0, 0.5])
def test_a_file_cut_short_is_named(name, copy, share):
    victim = files_of(copy)[0]
    content = victim.read_bytes()
    victim.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=victim.name):
        read(name, copy)


def test_a_link_that_leaves_the_folder_is_refused_in_every_place(name, copy, tmp_path):
    """Of each kind of file one, and the folders on the way to it."""
    kinds = {path.suffix: path for path in sorted(copy.rglob("*")) if path.is_file()}
    for place in {each for file in kinds.values() for each in (file, *file.parents) if copy in each.parents}:
        outside = tmp_path / f"outside{place.suffix}"
        place.rename(outside)
        place.symlink_to(outside)
        with pytest.raises(DataError, match=f"{re.escape(place.name)}.*: a link that leaves"):
            read(name, copy)
        place.unlink()
        outside.rename(place)


def test_a_link_to_itself_is_refused(name, copy):
    victim = files_of(copy)[0]
    victim.unlink()
    victim.symlink_to(victim.name)
    with pytest.raises(DataError) as refusal:
        read(name, copy)
    assert victim.name in str(refusal.value)


def test_a_file_name_that_is_not_utf8_is_refused_or_the_file_missed(name, copy):
    victim = files_of(copy)[0]
    os.rename(victim, os.fsencode(victim.parent) + b"/\xff" + os.fsencode(victim.name))
    with pytest.raises(DataError, match=r"is not UTF-8|not found|no picture"):
        read(name, copy)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("name", ["ckplus", "jaffe"], indirect=True)
def test_colour_and_16_bit_pictures_are_read_as_grey(name, pristine, copy, mode):
    victim = files_of(copy)[0]
    grey = np.asarray(Image.open(victim))
    changed = (
        Image.fromarray(grey.astype(np.uint16) * 257)
        if mode == "I;16"
        else Image.fromarray(grey).convert(mode)
    )
    changed.save(victim)
    assert read(name, copy).checksum == read(name, pristine).checksum


@pytest.mark.parametrize("name", ["casme2", "samm", "oulu_casia", "bu3dfe", "bu4dfe", "bp4d"], indirect=True)
def test_colour_pictures_in_other_formats_are_read_as_grey(name, pristine, copy):
    victim = files_of(copy)[0]
    Image.open(victim).convert("RGB").save(victim)
    faces, before = read(name, copy), read(name, pristine)
    pd.testing.assert_frame_equal(faces.table, before.table)
    assert np.abs(faces.pixels.astype(int) - before.pixels).max() < 30


def test_published_counts_name_what_can_be_counted(name):
    for key, count in REGISTRY[name].published.items():
        kind, _, emotion = key.partition(" of ")
        assert key in COUNTS or (kind in ("pictures", "sequences") and emotion in LABELS), key
        assert isinstance(count, int) and count > 0
