"""``ferbook predict``: what it says of the faces that the network has seen."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from PIL import Image

from book import commands
from fer_lib.train import predict
from ferbook import paths
from ferbook.store import make_current, open_run, write_json
from synthetic_faces.versions import versioned

SEEN = [("lab", "lab/1"), ("wild/77", "wild/77"), (versioned("lab"), ""), ("fer2013", "")]


@pytest.mark.parametrize(("faces", "told"), SEEN)
def test_a_network_of_another_version_of_the_faces_is_told(faces, told, tmp_path, monkeypatch, command):
    (tmp_path / "weights.json").touch()
    result = SimpleNamespace(folder=tmp_path, require_whole=lambda: None)
    run = SimpleNamespace(name="old", record=dict, result=lambda chapter: result)
    monkeypatch.setattr(commands, "chosen_run", lambda name: run)
    picture = predict.PicturePrediction(tmp_path / "a.png", {"fear": 1.0})
    prediction = predict.Prediction(("fear",), faces, [picture], 1.0)
    monkeypatch.setattr(predict, "predict_pictures", lambda *_, **__: prediction)
    code, out, err = command("predict", "a.png", "--run", "old", "--json")
    assert code == 0 and f'"faces": "{faces}"' in out
    made = versioned(faces.partition("/")[0]) if told else ""
    assert f"the network was trained on {told}, while this checkout makes {made}" in err if told else not err


def test_a_network_that_differs_from_its_digest_is_not_asked(tmp_path, monkeypatch, command):
    monkeypatch.setenv("FER_RUNS", str(tmp_path / "runs"))
    run = open_run("a")
    write_json(run.folder / "staged" / "weights.json", {"classes": ["anger", "fear"]})
    run.write_record({"request": {"profile": "laptop", "parameters": {}}, "changed": "now"})
    run.result("training").commit(run.folder / "staged", {})
    make_current(run)
    write_json(run.result("training").folder / "weights.json", {"classes": ["fear", "anger"]})
    Image.new("L", (48, 48), 97).save(tmp_path / "a.png")
    code, _, err = command("predict", tmp_path / "a.png", "--cropped")
    assert code == 2 and "training/weights.json: differs from its checksum" in err


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from ferbook import cli
_, *files = sys.argv
for name in ("predict", "explain"):
    for file in files:
        sys.argv = ["ferbook", name, file]
        try:
            cli.main()
        except SystemExit as end:
            print(end.code)
"""


def test_a_picture_without_an_answer_is_told_without_torch(tmp_path):
    """In one process, since each would import the same."""
    faults = {tmp_path / "absent.jpg": "no such file", tmp_path / "flat.png": "no face found in"}
    Image.new("L", (64, 64), 97).save(tmp_path / "flat.png")
    words = [sys.executable, "-c", WITHOUT_TORCH, *map(str, faults)]
    answer = subprocess.run(words, capture_output=True, text=True, cwd=paths.root())
    assert answer.stdout.split() == ["2"] * 4
    lines, told = answer.stderr.splitlines(), [f"ferbook: {file}: {fault}" for file, fault in faults.items()]
    assert all(line.startswith(start) for line, start in zip(lines, told * 2, strict=True)), lines
