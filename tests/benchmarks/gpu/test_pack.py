"""A checkout made light and whole again: nothing is lost, too much is refused, FER2013 stays as it is."""

import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers.fer2013 import CODES, read_fer2013
from ferbook.errors import FerError

GPU = Path(__file__).resolve().parents[3] / "benchmarks" / "gpu"


@pytest.fixture
def pack(monkeypatch):
    monkeypatch.syspath_prepend(str(GPU))
    import pack

    return pack


@pytest.fixture
def checkout(tmp_path):
    """A checkout with a program of 10 bytes, a run of 1,000 and a kept page."""
    place = tmp_path / "a checkout"
    for name, size in (
        ("program.py", 10),
        ("runs/reference/weights", 1000),
        ("book/_kept/a.json", 50),
        ("book/runs/page.md", 20),
    ):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("x" * size)
    identity = ["-c", "user.name=n", "-c", "user.email=e"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "all"]):
        subprocess.run(["git", "-C", str(place), *words], check=True)
    return place


def files(place):
    return {
        file.relative_to(place).as_posix(): file.read_text()
        for file in place.rglob("*")
        if file.is_file() and ".git" not in file.parts
    }


def test_a_light_checkout_has_no_runs_and_is_whole_again(pack, checkout):
    before = files(checkout)
    head = subprocess.check_output(["git", "-C", str(checkout), "rev-parse", "HEAD"], text=True)
    assert pack.lighten(checkout) == 30 + 12
    light = files(checkout)
    assert head.startswith(light.pop(".gpu/commit"))
    assert set(light) == {"program.py", "book/runs/page.md"}
    with pytest.raises(FerError, match=r"sparse already; .*whole"):
        pack.lighten(checkout)
    pack.restore(checkout)
    assert files(checkout) == before
    assert subprocess.check_output(["git", "-C", str(checkout), "status", "--porcelain"]) == b""


def test_too_much_is_refused_by_name_and_undone(pack, checkout, monkeypatch):
    before = files(checkout)
    monkeypatch.setattr(pack, "MOST_PACKED", 41)
    with pytest.raises(FerError, match=r"MiB would travel, .*largest: book/runs/page.md .*program.py"):
        pack.lighten(checkout)
    assert files(checkout) == before


def test_what_is_not_committed_is_not_taken_away(pack, checkout):
    (checkout / "runs" / "reference" / "weights").write_text("mine")
    with pytest.raises(FerError, match=r"runs/reference/weights is not committed"):
        pack.lighten(checkout)
    assert files(checkout)["runs/reference/weights"] == "mine"


def test_fer2013_comes_out_as_it_went_in(pack, checkout, tmp_path):
    count = pack.ABREAST + 7
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "dataset": "fer2013",
            "subject": "",
            "sequence": "",
            "frame": 0,
            "emotion": [CODES[row % len(CODES)] for row in range(count)],
            "split": generator.choice(["train", "valid", "test"], count),
        }
    )
    faces = FaceSet("fer2013", generator.integers(0, 256, (count, 48, 48), dtype=np.uint8), table)
    total = pack.lighten(checkout, faces)
    load = checkout / pack.GPU_LOAD.name
    assert total == 30 + sum(file.stat().st_size for file in load.iterdir())
    data = pack.unpack_fer2013(load, tmp_path / "data")
    there = read_fer2013(data / "fer2013")
    assert np.array_equal(there.pixels, faces.pixels)
    for column in ("emotion", "split"):
        assert there.table[column].tolist() == table[column].tolist()
    assert pack.unpack_fer2013(load, tmp_path / "data") == data
    pack.restore(checkout)
    assert not load.exists()
