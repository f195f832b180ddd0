"""``ferbook predict``: what it says of the faces that the network has seen."""

import sys
from types import SimpleNamespace

import pytest

from book import commands
from fer_lib.train import photos
from ferbook import cli
from synthetic_faces.versions import versioned


@pytest.mark.parametrize(
    ("faces", "told"), [("lab", "lab/1"), ("wild/77", "wild/77"), (versioned("lab"), ""), ("fer2013", "")]
)
def test_a_network_of_another_version_of_the_faces_is_told(faces, told, tmp_path, monkeypatch, capsys):
    (tmp_path / "weights.json").touch()
    result = SimpleNamespace(folder=tmp_path, require_whole=lambda: None)
    run = SimpleNamespace(name="old", record=dict, result=lambda chapter: result)
    monkeypatch.setattr(commands, "chosen_run", lambda name: run)
    picture = photos.PicturePrediction(tmp_path / "a.png", {"fear": 1.0})
    prediction = photos.Prediction(("fear",), faces, [picture], 1.0, 1.0)
    monkeypatch.setattr(photos, "predict_pictures", lambda *_, **__: prediction)
    monkeypatch.setattr(sys, "argv", ["ferbook", "predict", "a.png", "--json"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    out, err = capsys.readouterr()
    assert not end.value.code and f'"faces": "{faces}"' in out
    line = (
        f"the network learned from {told}, while this checkout makes {versioned(told.partition('/')[0])}"
        if told
        else ""
    )
    assert line in err and bool(line) == bool(err)
