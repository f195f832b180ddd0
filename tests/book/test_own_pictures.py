"""Twelve pictures on the way that ``book/own_pictures.md`` shows: a table, and a chapter run on it."""

import csv
import json
import subprocess
import sys

import pytest
from PIL import Image

from face_sets.registry import open_faces
from face_sets.request import FaceRequest
from ferbook.book import child_environment

PEOPLE = ("Ada", "Ben", "Cleo", "Dora", "Emil", "Fay")
COMMAND = ["run", "au_verification", "--profile", "smoke", "--faces", "mine", "--run", "mine"]


@pytest.fixture
def data(tmp_path):
    """``FER_DATA`` with the page's set ``mine``: of each of six people a face at rest and one that is not."""
    faces = open_faces(FaceRequest("lab", 9))
    rows = [["path", "subject", "emotion", "split", "cropped"]]
    folder = tmp_path / "data" / "mine"
    folder.mkdir(parents=True)
    for k, (name, (_, own)) in enumerate(zip(PEOPLE, faces.table.groupby("subject"), strict=False)):
        for row, emotion in ((own.index[0], "neutral"), (own.index[-1], "happiness")):
            file = f"{name.lower()}-{emotion}.png"
            Image.fromarray(faces.pixels[row]).save(folder / file)
            rows.append([file, name, emotion, ("train", "valid", "test")[k // 2], "yes"])
    with (folder / "faces.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder.parent


@pytest.mark.slow
def test_a_chapter_is_run_on_twelve_pictures(data, tmp_path):
    environment = child_environment(FER_DATA=str(data), FER_RUNS=str(tmp_path / "runs"))
    words = [sys.executable, "-m", "ferbook.cli", *COMMAND]
    answer = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    record = json.loads((tmp_path / "runs" / "mine" / "training" / "record.json").read_text())
    assert record["data"]["name"] == "mine"
    assert (tmp_path / "runs" / "mine" / "au_verification" / "DONE.json").is_file()


def test_too_few_people_are_told_before_anything_runs(data, tmp_path, monkeypatch, command):
    monkeypatch.setenv("FER_DATA", str(data))
    monkeypatch.setenv("FER_RUNS", str(tmp_path / "runs"))
    table = data / "mine" / "faces.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-2]))
    code, _, told = command(*COMMAND)
    assert code == 2 and not (tmp_path / "runs" / "mine" / "training").exists()
    assert "face set 'mine' has 1 person to test on; two are needed" in told
