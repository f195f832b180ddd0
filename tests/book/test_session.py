"""An open chapter of this book: its device, its faces and the network it looks at."""

import json
import warnings

import pytest
import torch

from book import session
from book.au_verification.chapter import AuVerificationParameters
from book.deconvolution.chapter import DeconvolutionParameters
from book.faces.chapter import FacesParameters
from book.session import hush_gpu_training, open_chapter
from book.training.chapter import TrainingParameters
from face_sets.faceset import FaceSet
from fer_lib.nets.build import build_network
from fer_lib.train.device import Precision
from fer_lib.train.weights import read_record, save_weights
from ferbook.environment import STORED_VARIABLE
from ferbook.errors import ChapterError
from ferbook.store import ChapterResult, write_json
from synthetic_faces.versions import versioned

DEFAULTS = FacesParameters(device="cpu").model_dump()

pytestmark = pytest.mark.usefixtures("output")


def test_a_chapter_notes_its_device_and_threads(output):
    open_chapter("faces", DEFAULTS)
    record = json.loads((output / "record.json").read_text())
    assert record["device"].startswith("CPU") and record["threads"] == 1


def finish_training(tmp_path, record):
    """The run has a finished chapter ``training``, of what lies in ``staged``."""
    staged = tmp_path / "run" / "staged"
    write_json(staged / "record.json", record)
    ChapterResult("training", tmp_path / "run" / "training").commit(staged, {})


def test_the_network_of_an_upstream_chapter_comes_ready_to_be_asked(tmp_path):
    run = open_chapter("deconvolution", DeconvolutionParameters(device="cpu").model_dump())
    with pytest.raises(ChapterError, match="'training' is not finished in this run"):
        run.network("training")
    model = build_network("zhu", 3, 16)
    save_weights(model, tmp_path / "run" / "staged" / "weights.safetensors", {"classes": ["a", "b", "c"]})
    finish_training(tmp_path, {"data": {"name": versioned("lab")}})
    kept = run.network("training")
    assert not kept.training
    assert all(torch.equal(a, b) for a, b in zip(kept.parameters(), model.parameters(), strict=True))


@pytest.mark.parametrize(
    ("name", "told"), [("lab", "lab/1"), ("wild/77", "wild/77"), (versioned("lab"), ""), ("ckplus", "")]
)
def test_a_network_of_another_version_of_the_faces_is_refused(tmp_path, name, told):
    run = open_chapter("deconvolution", DeconvolutionParameters(device="cpu").model_dump())
    finish_training(tmp_path, {"data": {"name": "ckplus"}, "beside": [{"name": name}]})
    if not told:
        assert run.upstream("training").chapter == "training"
        return
    with pytest.raises(ChapterError, match=f"chapter 'training' saw the faces {told}, while this checkout"):
        run.upstream("training")


@pytest.fixture
def asked(faces, monkeypatch):
    """Which sets are opened, in place of pictures of them."""
    seen = []
    named = FaceSet("lab", faces.pixels, faces.table)
    monkeypatch.setattr(session, "open_faces", lambda request: seen.append(request) or named)
    return seen


def test_weights_say_which_version_of_the_faces_they_saw(asked):
    run = open_chapter("training", TrainingParameters(device="cpu").model_dump())
    run.faces()
    run.save_weights(build_network("zhu", 3, 16), {})
    assert read_record(run.output / "weights")["faces"] == versioned("lab")


def test_a_family_is_another_set_than_the_domain_that_it_belongs_to(asked):
    run = open_chapter("faces", DEFAULTS)
    run.extra_faces("lab")
    run.extra_faces("lab", family="broad-makehuman")
    assert [given.family for given in asked] == ["", "broad-makehuman"]
    assert asked[1].subjects == run.params.family_subjects
    told = r"declare the face set 'lab tall'; it declares .*lab broad-makehuman"
    with pytest.raises(ChapterError, match=told):
        run.extra_faces("lab", family="tall")


def test_strangers_are_another_set_than_the_faces_that_a_chapter_is_about(asked):
    run = open_chapter("au_verification", AuVerificationParameters(device="cpu", face_seed=4).model_dump())
    run.faces()
    run.extra_faces("lab", face_seed=5)
    assert [given.face_seed for given in asked] == [4, 5]
    with pytest.raises(ChapterError, match="declare the face set 'lab 7'"):
        run.extra_faces("lab", face_seed=7)


def test_pictures_under_licence_are_shown_only_on_demand():
    assert open_chapter("faces", DEFAULTS).may_show_faces
    licensed = DEFAULTS | {"faces": "fer2013"}
    assert not open_chapter("faces", licensed).may_show_faces
    assert open_chapter("faces", licensed | {"publish_faces": True}).may_show_faces


def test_a_check_trains_in_the_stored_format(tmp_path, monkeypatch):
    run = open_chapter("training", TrainingParameters(device="cpu").model_dump())
    assert run.precision == "auto"
    stored = tmp_path / "record.json"
    stored.write_text(json.dumps({"precision": {"name": "bf16", "channels_last": True}}))
    monkeypatch.setenv(STORED_VARIABLE, str(stored))
    assert run.precision == Precision("bf16", channels_last=True)


def test_of_what_torch_says_on_a_gpu_only_the_harmless_is_kept_from_the_page():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        hush_gpu_training()
        warnings.warn("Attempting to run cuBLAS, but there was no current CUDA context!", stacklevel=1)
        warnings.warn("the GPU is hot", stacklevel=1)
    assert [str(each.message) for each in told] == ["the GPU is hot"]
