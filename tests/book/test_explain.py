"""``ferbook explain``: which networks are asked, what is measured of a picture, the page, and every picture
that cannot be explained.
"""

import base64
import io
import re
import struct
import zlib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from book import explain as explaining
from book import yardstick
from book.explain import explain, named_run, networks_of
from book.explain_page import explanation_page
from book.photographs import PhotographAnswer
from book.training.chapter import TrainingParameters
from face_sets.photo import face_of
from fer_lib.aus.verification import Detector, Detectors
from fer_lib.nets.build import build_network
from fer_lib.train.device import Precision
from fer_lib.train.record import TrainedNetwork, TrainingRecord
from fer_lib.train.weights import save_weights
from ferbook.errors import RunStoreError
from ferbook.store import make_current, open_run, write_json
from synthetic_faces.versions import versioned
from tests.book.elements import Elements
from tests.made import made_faces

SIZE = 48
EMOTIONS = ("neutral", "anger", "fear")
FP32 = Precision("fp32", channels_last=False)
LESSON = TrainingRecord.of(TrainingParameters(network="zhu", epochs=1), EMOTIONS, 3, FP32)


def network(seed):
    torch.manual_seed(seed)
    return build_network("zhu", len(EMOTIONS), SIZE).eval()


FOUND = Detectors(
    layer="relu2",
    filters=(
        Detector(filter=3, au="AU12", association=0.9, moved_by="AU6"),
        Detector(filter=5, au="AU12", association=0.8, moved_by="AU12"),
        Detector(filter=6, au="AU4", association=0.7, moved_by=""),
    ),
)


@pytest.fixture(scope="module")
def known():
    """Twenty people, three pictures of noise each."""
    people = np.repeat([f"lab-{who:02}" for who in range(20)], len(EMOTIONS))
    pixels = np.random.default_rng(0).integers(0, 256, (len(people), SIZE, SIZE), dtype=np.uint8)
    shown = {"subject": people, "sequence": people, "emotion": EMOTIONS * 20, "split": "train"}
    return made_faces(pixels, "lab", **shown)


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch, known):
    monkeypatch.setenv("FER_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(yardstick, "open_faces", lambda *_, **__: known)
    return tmp_path / "runs"


def begun(name):
    run = open_run(name)
    run.folder.mkdir(parents=True)
    run.write_record({"request": {"profile": "laptop", "parameters": {}}, "changed": "now"})
    return run


def finish(run, chapter, population="", faces=None, key="", **files):
    staged = run.folder / "staged"
    told = {"data": {"name": faces or versioned("lab")}}
    told |= {"populations": {population: {"kept": [0, 1, 2], "failed": {"3": "failed"}}}}
    write_json(staged / "record.json", told)
    (staged / "artefacts").mkdir()
    for name, content in files.items():
        (staged / "artefacts" / f"{name}.json").write_text(content.model_dump_json())
    if chapter == "training":
        save_weights(network(0), staged / "weights", {"classes": list(EMOTIONS)})
    inputs = {"parameters": {"population": population}, "data": {f"population {population}": key}}
    if chapter == "au_verification" and run.result("training").done():
        inputs["upstream"] = {"training": run.result("training").artifact_digest()}
    run.result(chapter).commit(staged, inputs)


@pytest.fixture
def run():
    """A run that trained a network and asked what its filters detect."""
    made = begun("a")
    finish(made, "training", training_record=LESSON)
    finish(made, "au_verification", detectors=FOUND)
    return made


def test_the_named_run_explains_then_the_reference_then_the_last_one():
    with pytest.raises(RunStoreError, match="there is no run yet"):
        named_run(None)
    make_current(begun("b"))
    assert named_run(None).name == "b"
    begun("reference")
    assert named_run(None).name == "reference" and named_run("b").name == "b"


def test_a_run_without_a_network_and_one_of_other_faces_are_refused():
    with pytest.raises(RunStoreError, match="there is no run 'b'"):
        networks_of(open_run("b"), "cpu")
    made = begun("a")
    with pytest.raises(RunStoreError, match="run 'a' has no trained network; `ferbook run au_verification"):
        networks_of(made, "cpu")
    finish(made, "training", training_record=LESSON, faces="lab/1")
    with pytest.raises(RunStoreError, match="chapter 'training' of run 'a' saw the faces lab/1"):
        networks_of(made, "cpu")


def test_detectors_of_a_network_that_was_trained_anew_since_are_not_the_new_ones(run):
    finish(run, "training", training_record=LESSON.model_copy(update={"seed": 1}))
    with pytest.raises(RunStoreError, match="trained anew since; `ferbook run au_verification --run a`"):
        networks_of(run, torch.device("cpu"))


def test_the_networks_are_those_that_the_detectors_are_of(run, monkeypatch):
    (own,), detectors = networks_of(run, torch.device("cpu"))
    assert own.name == "this run's" and own.record == LESSON and detectors == FOUND
    members = [
        SimpleNamespace(seed=seed, has_weights=seed != 1, trained_network=lambda device, seed=seed: seed)
        for seed in range(4)
    ]
    population = SimpleNamespace(kept=lambda: members)
    monkeypatch.setattr(explaining, "find_population", {"published": population}.get)
    finish(run, "au_verification", population="published", detectors=FOUND)
    # One is without weights, and one was trained after the run.
    assert networks_of(run, torch.device("cpu")) == ([0, 2], FOUND)
    population.key_of = lambda own, failed: "".join(map(str, (*(each.seed for each in own), *failed)))
    finish(run, "au_verification", "published", key="0123", detectors=FOUND)
    assert networks_of(run, torch.device("cpu")) == ([0, 2], FOUND)
    finish(run, "au_verification", "published", key="others", detectors=FOUND)
    with pytest.raises(RunStoreError, match="evaluated networks of the population 'published' that have"):
        networks_of(run, torch.device("cpu"))
    members.pop(0)
    with pytest.raises(RunStoreError, match="evaluated network 0 of the population 'published', which is"):
        networks_of(run, torch.device("cpu"))


def test_a_network_that_differs_from_its_digest_is_not_asked(run):
    (run.result("training").folder / "weights.json").write_text("{}")
    with pytest.raises(RunStoreError, match=r"weights\.json: differs from its checksum"):
        networks_of(run, torch.device("cpu"))


@pytest.mark.slow
def test_filters_are_ranked_placed_among_pictures_and_joined_with_their_verdicts(run, photo, known):
    told = explain(run, photo)
    answers = [each.response for each in told.strongest]
    assert answers == sorted(answers, reverse=True) and len(answers) == explaining.STRONGEST
    np.testing.assert_allclose(told.projections.responses, answers, rtol=1e-3)
    valid = LESSON.fold_of(known).split("valid")
    responses = explaining.maximal_responses(told.learned[0].model, valid, "relu2").maxima
    for each in told.strongest:
        assert each.above == pytest.approx(np.mean(responses[:, each.filter] < each.response), abs=0.006)
    # Of a unit's detectors the verified one comes first, whatever its association.
    assert {each.detector.au: each.filter for each in told.units} == {"AU12": 5, "AU4": 6}
    assert told.calibration.fitted_on == len(valid) and told.faces_found == 1
    np.testing.assert_allclose(told.probabilities.sum(axis=1), 1)


def test_a_validation_picture_is_beyond_nothing_and_a_strange_one_beyond_much(run, tmp_path, known):
    inside = LESSON.fold_of(known).split("valid").pixels[0]
    Image.fromarray(inside).save(tmp_path / "inside.png")
    told = explain(run, tmp_path / "inside.png", cropped=True)
    assert told.beyond == 0 <= told.usual and told.window is None
    assert "is unlike those on which" not in explanation_page(told)
    spot = np.zeros((SIZE, SIZE), np.uint8)
    spot[20:23, 20:23] = 255
    Image.fromarray(spot).save(tmp_path / "spot.png")
    told = explain(run, tmp_path / "spot.png", cropped=True)
    assert told.beyond > told.usual and "is unlike those on which" in explanation_page(told)


def test_what_the_run_keeps_of_known_faces_is_read_in_their_place(run, photo, known, monkeypatch):
    told = explain(run, photo)
    networks, found = networks_of(run, torch.device("cpu"))
    kept = yardstick.yardstick_of(networks, found.layer, "cpu")
    finish(run, "au_verification", detectors=FOUND, yardstick=kept)

    def absent(*_):
        raise AssertionError("the faces are rendered")

    monkeypatch.setattr(yardstick, "open_faces", absent)
    again = explain(run, photo)
    assert again.calibration == told.calibration and again.strongest == told.strongest
    assert (again.beyond, again.usual) == (told.beyond, told.usual)
    np.testing.assert_array_equal(again.probabilities, told.probabilities)
    # Of another layer, or of networks that are not those asked, it says nothing.
    assert explaining._stored_reference(run, networks, found.layer) == kept
    for other in ({"layer": "relu1"}, {"first": "published 1"}, {"temperatures": {"published 1": 1.0}}):
        finish(run, "au_verification", detectors=FOUND, yardstick=kept.model_copy(update=other))
        assert explaining._stored_reference(run, networks, found.layer) is None


def test_the_page_is_whole_needs_no_other_file_and_says_each_picture_in_words(run, photo):
    told = replace(explain(run, photo), path=photo.with_name("<b>&.png"))
    page = explanation_page(told)
    elements = Elements(page)
    assert "<b>&.png" not in page and "&lt;b&gt;&amp;.png" in page
    assert elements.of("html") == [{"lang": "en"}] and "{" not in page.partition("<body>")[2]
    pictures = elements.of("img")
    assert len(pictures) == 2 + explaining.STRONGEST
    for attrs in pictures:
        assert attrs["alt"] and attrs["src"].startswith("data:image/webp;base64,")
        Image.open(io.BytesIO(base64.b64decode(attrs["src"].partition(",")[2]))).verify()
    assert not re.search(r"https?:|<script|<link", page)
    assert "<code>ferbook explain &#39;/" in page and "/&lt;b&gt;&amp;.png&#39; --run a</code>" in page
    assert len(re.findall(r"verified</td>", page)) == 1 and "~ no activated unit raises it" in page


def test_other_networks_stand_beside_the_first(run, photo, monkeypatch):
    first, other = (TrainedNetwork(f"published {seed}", network(seed), LESSON) for seed in (0, 1))
    monkeypatch.setattr(explaining, "networks_of", lambda *_: ([first, other, other], None))
    told = explain(run, photo)
    page = explanation_page(told)
    assert told.probabilities.shape == (3, 3) and told.units is None
    assert page.count('<b style="left:') == 2 * 3
    assert page.count("others: ") == 3
    assert "of 3 networks that differ only in their seed" in page
    assert "<code>ferbook run au_verification --run a</code>" in page and "Action units" not in page


def test_nothing_is_said_to_be_certain_or_impossible(run, photo):
    told = explain(run, photo)
    page = explanation_page(replace(told, probabilities=np.array([[0.9999, 0.0001, 0.0]])))
    assert "with a probability of <strong>more than 99.9\u00a0%" in page
    assert page.count("less than 0.1\u00a0%") == 2


def test_what_networks_of_photographs_say_stands_first_with_what_they_are_worth(run, photo):
    told = explain(run, photo)
    photograph = PhotographAnswer(EMOTIONS, np.array([0.1, 0.2, 0.7]), 5, 0.612, 3589, "fer2013")
    page = explanation_page(told, photograph)
    lead = re.sub(r"<[^>]+>|\s+", " ", page[page.index('class="lead"') :])
    words = " ".join(lead.split())
    assert "Taken as a photograph: fear , with a probability of 70.0 %" in words
    assert "classifies 61.2 % of 3,589 test photographs of fer2013 correctly" in words
    assert "Taken as a photograph" not in explanation_page(told)


def test_the_command_writes_one_file_and_says_which_run_it_asked(run, photo, tmp_path, command):
    make_current(run)
    before = set(tmp_path.iterdir())
    code, told, err = command("explain", photo)
    assert (code, told, err) == (0, "run 'a': some one-explained.html\n", "")
    assert set(tmp_path.iterdir()) - before == {tmp_path / "some one-explained.html"}
    code, told, _ = command("explain", photo, "--run", "a", "-o", "there/page.html")
    assert code == 0 and "there/page.html" in told and (tmp_path / "there" / "page.html").exists()


def encoded(pixels, kind="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def huge():
    png = bytearray(encoded(np.zeros((4, 4), np.uint8)))
    png[16:24] = struct.pack(">II", 20_000, 20_000)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    return bytes(png)


@pytest.mark.parametrize(
    ("content", "words", "fault"),
    [
        (b"no picture", (), "not a readable picture"),
        (b"", (), "not a readable picture"),
        (huge(), (), "not a readable picture (more than"),
        (encoded(np.zeros((1, 1), np.uint8)), (), "no face found in 1 × 1 pixels"),
        (encoded(np.zeros((3, 20_000), np.uint8)), (), "no face found in 20,000 × 3 pixels"),
        (encoded(np.zeros((90, 90), np.float32), "TIFF"), (), "pixel format F"),
        (encoded(np.full((90, 90), 7, np.uint8)), ("--cropped",), "all pixels of the face are alike"),
        (None, (), "no such file"),
    ],
    ids=["text", "empty", "huge", "one pixel", "strip", "floats", "flat", "absent"],
)
def test_what_cannot_be_explained_is_one_line_and_no_file(run, tmp_path, command, content, words, fault):
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    code, out, err = command("explain", path, "--run", "a", *words)
    assert code == 2 and not out and err.count("\n") == 1 and f"{path}: {fault}" in err
    assert not list(tmp_path.glob("*.html"))


def test_pictures_of_every_make_are_explained_and_their_changes_told(tmp_path, rendered_faces):
    face = Image.fromarray(rendered_faces[0]).resize((192, 192)).convert("RGB")
    turned = Image.Exif()
    turned[0x0112] = 6
    deep, clear = np.asarray(face.convert("L")).astype(np.uint16) * 257, face.convert("RGBA")
    clear.paste((0, 0, 0, 0), (0, 0, 9, 9))
    moves = face, {"save_all": True, "append_images": [face.point(lambda v: v // 2)]}, ["the first of 2"]
    made = {
        "ink.jpg": (face.convert("CMYK"), {}, ["inks (CMYK) made grey"]),
        "deep.png": (Image.fromarray(deep), {}, ["brought from 16 bits to 8"]),
        "turned.jpg": (face.rotate(90), {"exif": turned}, ["turned upright, as its EXIF data say"]),
        "turned.tiff": (face.rotate(90), {"exif": turned}, ["turned upright, as its EXIF data say"]),
        "clear.png": (clear, {}, ["transparent parts made white"]),
        "plain.webp": (face, {}, []),
        "moves.gif": moves,
        "moves.png": moves,
    }
    for name, (picture, options, told) in made.items():
        picture.save(tmp_path / name, **options)
        _, crop, _, found = face_of(tmp_path / name, SIZE, "lab")
        assert found == 1 and crop.shape == (SIZE, SIZE)
        changed = explaining.changes(tmp_path / name)
        assert len(changed) == len(told)
        assert all(a.startswith(b) for a, b in zip(changed, told, strict=True)), name
