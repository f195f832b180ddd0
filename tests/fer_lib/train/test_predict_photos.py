"""``ferbook predict``: answers, faces in photos, and every picture that cannot be answered beside those that
can.
"""

import json

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from fer_lib.nets.build import build_network
from fer_lib.train.predict import predict_pictures
from fer_lib.train.weights import load_weights, save_weights
from ferbook import console
from ferbook.errors import DataError
from ferbook.store import DONE, file_checksums, make_current, open_run

SIZE = 16
CLASSES = ["neutral", "happiness", "surprise"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run that keeps a network of three classes."""
    monkeypatch.setenv("FER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(console.console, "width", 200)
    run = open_run("mine")
    run.folder.mkdir(parents=True)
    record = {
        "request": {"profile": "laptop", "parameters": {"training": {"faces": "lab"}}},
        "changed": "2026-01-01T00:00:00+00:00",
    }
    run.record_file.write_text(yaml.safe_dump(record))
    save_network(run, CLASSES)
    make_current(run)
    return run


def save_network(run, classes, **about):
    model = build_network("zhu", len(CLASSES), SIZE, generator=torch.Generator().manual_seed(0))
    place = run.result("training").folder
    place.mkdir(exist_ok=True)
    save_weights(model, place / "weights", {"classes": classes, "faces": "lab"} | about)
    (place / DONE).write_text(
        json.dumps({"finished": "2026-01-01T00:00:00+00:00", "inputs": {}, "files": file_checksums(place)})
    )


@pytest.fixture
def crops(tmp_path):
    """Three pictures of the network's size, and one that is wide and coloured."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{k}.png" for k in range(4)]
    for path, shape in zip(paths, [(SIZE, SIZE)] * 3 + [(40, 60, 3)], strict=True):
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(path)
    return paths


def test_an_answer_is_the_networks_own_for_that_picture(run, crops):
    folder = run.result("training").folder
    model = load_weights(folder / "weights")
    prediction = predict_pictures(folder, crops, cropped=True)
    assert (prediction.classes, prediction.faces) == (tuple(CLASSES), "lab")
    assert [answer.path for answer in prediction.pictures] == crops
    for answer, path in list(zip(prediction.pictures, crops, strict=True))[:3]:
        picture = torch.tensor(np.array(Image.open(path)))[None, None] / 255
        with torch.no_grad():
            expected = model(picture).softmax(dim=1)[0].tolist()
        assert list(answer.probabilities) == CLASSES
        assert list(answer.probabilities.values()) == pytest.approx(expected, abs=1e-6)
        assert answer.emotion == CLASSES[int(np.argmax(expected))]
        assert [share for _, share in answer.ranked] == sorted(answer.probabilities.values(), reverse=True)
    assert sum(prediction.pictures[3].probabilities.values()) == pytest.approx(1)
    assert prediction.pictures_per_second == pytest.approx(4 / prediction.seconds)


def test_the_face_in_a_photo_gets_nearly_the_answer_of_its_crop(run, rendered_faces, tmp_path):
    for k, face in enumerate(rendered_faces[:2]):
        photo = np.full((300, 400), 110, np.uint8)
        photo[90:282, 60:252] = np.kron(face, np.ones((2, 2), np.uint8))
        Image.fromarray(photo).save(tmp_path / f"photo{k}.png")
        Image.fromarray(face).save(tmp_path / f"crop{k}.png")
    folder = run.result("training").folder
    photos = predict_pictures(folder, [tmp_path / f"photo{k}.png" for k in (0, 1)]).pictures
    crops = predict_pictures(folder, [tmp_path / f"crop{k}.png" for k in (0, 1)], cropped=True).pictures
    for photo, crop in zip(photos, crops, strict=True):
        assert photo.faces_found == 1 and crop.window is None
        assert [photo.window.left, photo.window.side] == pytest.approx([60, 192], abs=20)
        assert photo.probabilities == pytest.approx(crop.probabilities, abs=0.1)


def test_a_picture_that_cannot_be_answered_stops_no_other(run, crops, command, tmp_path):
    damaged, blank, absent = tmp_path / "damaged.png", tmp_path / "blank.png", tmp_path / "absent.png"
    damaged.write_text("no picture")
    Image.fromarray(np.full((64, 64), 90, np.uint8)).save(blank)
    words = [crops[0], damaged, absent, tmp_path, crops[1], "--run", "mine"]
    code, out, err = command("predict", *words, "--cropped")
    assert code == 2
    assert str(crops[0]) in out and str(crops[1]) in out and "2 picture(s)" in out
    version, *told = err.splitlines()
    assert "the network was trained on lab/1" in version
    assert [line.split(":")[1].strip() for line in told] == [str(damaged), str(absent), str(tmp_path)]
    code, out, err = command("predict", blank, "--run", "mine")
    assert (code, out) == (2, "") and f"{blank}: no face found" in err and "--cropped" in err


def test_json_holds_answers_and_faults_in_the_order_given(run, crops, command, tmp_path):
    words = [crops[2], tmp_path, crops[3], "--cropped", "--json"]
    code, out, _ = command("predict", *words)
    found = json.loads(out)
    assert code == 2 and (found["run"], found["chapter"]) == ("mine", "training")
    first, fault, last = found["pictures"]
    assert first["picture"] == str(crops[2]) and last["picture"] == str(crops[3])
    assert list(first["probabilities"]) == CLASSES == found["classes"]
    assert first["probabilities"][first["emotion"]] == max(first["probabilities"].values())
    assert set(fault) == {"picture", "error"} and "a folder" in fault["error"]
    assert found["pictures_per_second"] > 0


def test_of_a_photo_of_several_the_largest_is_told(run, rendered_faces, command, tmp_path):
    photo = np.full((300, 500), 110, np.uint8)
    photo[90:282, 60:252] = np.kron(rendered_faces[0], np.ones((2, 2), np.uint8))
    photo[100:196, 350:446] = rendered_faces[1]
    Image.fromarray(photo).save(tmp_path / "two.jpg")
    code, out, _ = command("predict", tmp_path / "two.jpg")
    assert code == 0 and "largest of 2" in out and "1 picture(s)" in out
    assert "trained on lab" in out


def test_a_run_without_weights_says_how_to_make_them(run, crops, command):
    _, _, err = command("predict", crops[0], "--cropped", "--run", "other")
    assert "there is no run 'other'" in err
    _, _, err = command("predict", crops[0], "--cropped", "--run", "mine", "--chapter", "faces")
    assert "no weights of the chapter 'faces'; `ferbook run faces --run mine` makes them" in err
    (run.result("training").folder / "weights.safetensors").unlink()
    with pytest.raises(DataError, match=r"weights\.safetensors: not readable"):
        predict_pictures(run.result("training").folder, [])


@pytest.mark.parametrize(
    "classes", [["neutral", "joy", "fear"], ["neutral", "fear"], ["neutral", "fear", "fear"], "neutral", None]
)
def test_weights_that_do_not_say_what_they_answer_are_refused(run, classes):
    save_network(run, classes)
    with pytest.raises(DataError, match=r"weights\.json: the record does not say which classes"):
        predict_pictures(run.result("training").folder, [])


def test_a_record_whose_arguments_have_no_names_is_refused(run):
    place = run.result("training").folder / "weights.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | {"arguments": [3, SIZE]}))
    with pytest.raises(DataError, match=r"weights\.json: arguments is \[3, 16\]; expected names"):
        predict_pictures(run.result("training").folder, [])
