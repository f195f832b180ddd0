"""``ferbook data``: make, describe and check, on a toy set that takes the place of the
faces.
"""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from face_sets import registry
from face_sets.faceset import FaceSet
from face_sets.request import FaceRequest
from ferbook import console
from synthetic_faces.versions import VERSIONS, versioned
from tests.face_sets.readers.writers.every import export_faces


@pytest.fixture(autouse=True)
def places(monkeypatch, tmp_path) -> None:
    """``--data-dir`` sets FER_DATA; what is set here is put back."""
    for variable in ("FER_DATA", "FER_CACHE"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))


@pytest.fixture
def asked(monkeypatch) -> list[FaceRequest]:
    """What ``open_faces`` was asked for; the toy stands for every synthetic set."""
    calls = []
    real = registry.open_faces

    def open_faces(request):
        calls.append(request)
        return real(request) if registry.named_source(request.name).reader else toy(request.name)

    monkeypatch.setattr(registry, "open_faces", open_faces)
    monkeypatch.setattr(console.console, "width", 100)
    return calls


def toy(name: str) -> FaceSet:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 48, 48), dtype=np.uint8)
    table = pd.DataFrame({"sequence": list("abcdef"), "subject": [f"{name}-S{i // 2 + 1}" for i in range(6)]})
    table = table.assign(dataset=name, frame=0, emotion=["anger", "fear"] * 3)
    table = table.assign(
        split=["train", "train", "valid", "valid", "test", "test"], AU4=[0.5, 0, 1, 0, 0.3, 0]
    )
    return FaceSet(name, pixels, table, left_out={"pictures of nobody": 3})


def test_make_takes_people_size_and_seed(asked, command):
    options = ("--subjects", 9, "--size", 96, "--seed", 4)
    code, out, _ = command("data", "make", "wild", *options)
    assert code == 0
    assert out.startswith(f"{versioned('wild')}: 6 pictures of 3 people, 48 × 48 pixels, checksum ")
    assert asked == [FaceRequest("wild", 9, 96, 4)]


def test_clips_are_made_at_full_rate_where_that_is_asked(asked, command):
    code, _, _ = command("data", "make", "micro", "--clip-frames", 0)
    assert code == 0 and [given.clip_frames for given in asked] == [0]


def test_rendered_faces_are_written_as_pictures_of_ones_own(asked, tmp_path, command):
    folder = tmp_path / "sets" / "mine"
    code, out, _ = command("data", "make", "lab", "--as", "own", folder)
    assert code == 0 and f"FER_DATA={tmp_path / 'sets'} ferbook run --faces mine" in out
    asked.clear()
    code, out, _ = command("data", "check", "mine", "--data-dir", tmp_path / "sets")
    assert code == 0 and "6 pictures of it are used" in out and asked == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--as", "own", "there"], "there: exists already"),
        (["--as", "own", "Mine"], "no set can be called 'Mine'"),
        (["--as", "own", "lab"], "is no other set's"),
        (["--as", "own"], "--as own and a FOLDER belong together"),
        (["mine"], "--as own and a FOLDER belong together"),
        (["--as", "ckplus", "mine"], "'ckplus' is not"),
    ],
)
def test_where_they_cannot_be_written_nothing_is_made(asked, tmp_path, words, told, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    code, _, err = command("data", "make", "lab", *words)
    assert code == 2 and told in err and asked == []
    assert [*tmp_path.iterdir()] == [tmp_path / "there"]


MADE, REAL, SIZES = "lab, wild, game, micro", "fer2013, ferplus", "it must lie between 0"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("make", "ckplus"), ("ckplus is a real set", MADE)),
        (("make", "labb"), ("'labb'", MADE)),
        (("make", "lab", "--clip-frames", 8), ("lab has no clips",)),
        (("check", "lab"), ("lab", REAL)),
        (("check", "nothing"), ("nothing", REAL)),
        (("check", "ckplus", "--size", 513), ("size is 513", SIZES)),
        (("check", "ckplus", "--size", 10**9), ("size is 1000000000", SIZES)),
    ],
)
def test_what_cannot_be_made_or_checked_is_refused(tmp_path, words, told, command):
    code, _, err = command("data", *words, *(("--data-dir", tmp_path) if "--size" in words else ()))
    assert code == 2 and all(part in err for part in told)


def test_a_sheet_is_a_picture_file(asked, tmp_path, command):
    file = tmp_path / "deep" / "sheet.png"
    code, out, _ = command("data", "describe", "lab", "--sheet", file)
    assert code == 0 and str(file) in out and "licence" not in out
    assert Image.open(file).size == (90 + 12 * 98, 2 * 98)


def test_describe_counts_emotions_people_and_units(asked, command):
    code, out, _ = command("data", "describe", "lab")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert ["anger", "1", "1", "1", "3"] in lines
    assert ["AU4", "6", "3", "3", "0.60"] in lines
    assert "left out: pictures of nobody: 3" in out
    _, out, _ = command("data", "describe", "lab", "--json")
    found = json.loads(out)
    assert found["action units"]["AU4"]["present"] == 3 and found["left out"] == {"pictures of nobody": 3}


def test_options_of_a_set_are_passed_on_and_wrong_ones_refused(asked, command, monkeypatch):
    for word in ("make", "describe"):
        assert command("data", word, "lab", "--option", "timing=together")[0] == 0
        assert asked[-1].timing == "together"
    assert command("data", "make", "lab", "--option", "timing")[0] == 2
    monkeypatch.undo()
    code, _, err = command("data", "make", "lab", "--option", "tming=together")
    assert code == 2 and "no option 'tming' of synthetic faces; the options are timing" in err


def test_sets_are_listed_with_their_version(command):
    _, out, _ = command("data", "list")
    lab, wild = (out.index(f"{versioned(name)}: found (generated)") for name in ("lab", "wild"))
    assert lab < wild
    assert "options:" not in out and "licence" not in out, "of all sets only what fits"
    for name in VERSIONS:
        _, out, _ = command("data", "list", name)
        assert "options: timing=by_unit|together|in_turn; family=narrow-" in out
    code, _, err = command("data", "list", "labb")
    assert code == 2 and "'labb'" in err


def test_a_copy_is_listed_checked_and_shown(asked, tmp_path, command):
    export_faces(toy("wild"), "fer2013", tmp_path / "sets")
    place = ("--data-dir", tmp_path / "sets")
    _, out, _ = command("data", "list", *place)
    assert f"fer2013: found ({tmp_path / 'sets' / 'fer2013'})" in out
    assert "ckplus: not found: folder" in out
    code, out, _ = command("data", "check", "fer2013", *place)
    assert code == 1 and "counts differ from the publication" in out
    code, out, _ = command("data", "check", "fer2013", *place, "--json")
    found = json.loads(out)
    assert code == 1 and found["counts"][0]["found"] < found["counts"][0]["published"]
    _, out, _ = command("data", "describe", "fer2013", "--sheet", tmp_path / "a.png", *place)
    assert "it shows people under licence" in out and (tmp_path / "a.png").is_file()


def test_what_a_training_needs_and_is_not_there_is_said(asked, command, monkeypatch):
    _, out, _ = command("data", "describe", "lab")
    assert "note:" not in out
    monkeypatch.setattr(registry, "open_faces", lambda _: toy("lab").select([0, 2, 3, 4]))
    _, out, _ = command("data", "describe", "lab")
    assert "note: split train has no picture of fear: no network can learn of it" in out
    monkeypatch.setattr(registry, "open_faces", lambda _: toy("lab").select([0, 1]))
    _, out, _ = command("data", "describe", "lab")
    assert "note: split test has no picture with an emotion: no accuracy can be measured" in out


def test_a_set_begun_is_incomplete_with_the_first_missing_thing(tmp_path, command):
    (tmp_path / "casme2" / "Cropped").mkdir(parents=True)
    code, out, _ = command("data", "list", "--data-dir", tmp_path)
    assert code == 0
    assert f"casme2: incomplete: {tmp_path / 'casme2' / 'CASME2-coding*.xlsx'}" in out
    code, _, err = command("data", "check", "casme2", "--data-dir", tmp_path)
    assert code == 2 and "CASME2-coding*.xlsx not found" in err


def test_check_opens_the_pictures_that_the_reader_passes_over(tmp_path, command):
    frames = [toy("lab").table.assign(subject=f"lab-{p}", sequence="s", frame=range(6)) for p in range(3)]
    table = pd.concat(frames, ignore_index=True).assign(emotion="fear")
    pixels = np.random.default_rng(0).integers(0, 256, (18, 48, 48), dtype=np.uint8)
    export_faces(FaceSet("lab", pixels, table), "ckplus", tmp_path)
    words = ("check", "ckplus", "--size", 48, "--data-dir", tmp_path)
    code, out, _ = command("data", *words)
    assert code == 1 and "12 pictures of it are used; all 18 picture files can be opened" in out
    second = sorted((tmp_path / "ckplus" / "cohn-kanade-images").rglob("*.png"))[1]
    second.write_bytes(second.read_bytes()[:200])
    assert command("data", "describe", *words[1:])[0] == 0
    code, _, err = command("data", *words)
    assert code == 2 and f"{second}: not a readable picture" in err


def test_pictures_without_a_face_and_people_in_two_spellings_are_listed(tmp_path, command, monkeypatch):
    folder = tmp_path / "data" / "mine"
    folder.mkdir(parents=True)
    monkeypatch.setenv("FER_DATA", str(folder.parent))
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "cache"))
    rows = ["path,subject,emotion,cropped"]
    for k, who in enumerate(("Ada", "ada", "B", "C", *"DDDDDD")):
        cropped = "yes" if k < 4 else ""
        Image.new("L", (64, 64), 20 * k).save(folder / f"{k}.png")
        rows.append(f"{k}.png,{who},anger,{cropped}")
    (folder / "faces.csv").write_text("\n".join(rows))
    for word in ("describe", "check"):
        code, out, _ = command("data", word, "mine")
        (file,) = (tmp_path / "cache" / "left_out").iterdir()
        assert code == 0 and "cropped): 6\n" in out and f"names: {file}\n" in out
        assert file.read_text().split() == [f"{k}.png" for k in range(4, 10)]
        assert "note: mine-Ada, mine-ada differ in letter case only" in out
        assert max(map(len, out.splitlines())) < 200
        file.unlink()
