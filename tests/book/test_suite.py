"""What this book tells the engine: what is refused before a run, and what makes a chapter out of date."""

import json
import re
from contextlib import nullcontext
from itertools import takewhile
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from book import suite as book_suite
from fer_lib.aus.verification import Detectors
from ferbook import paths
from ferbook.answers import left_open
from ferbook.book import chapters, import_named
from ferbook.errors import DataError, ParameterError
from ferbook.inputs import code_files
from ferbook.notebook import read_notebook, tags
from ferbook.request import Request
from ferbook.store import open_run


def parameters(names, **overrides):
    request = Request("smoke", overrides)
    return {name: request.of_chapter(chapters()[name]) for name in names}


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ({"layer": "relu9"}, r"deconvolution.layer: ZeroBiasCNN has no layer 'relu9' .*did you mean 'relu3'"),
        ({"deconvolution.layer": "relu1", "au_verification.layer": "x"}, "au_verification.layer: "),
        ({"layer": "relu3", "network": "residual"}, "ResidualNet has no layer 'relu3'"),
        ({"layer": "relu3", "training.population": "photographs_residual"}, "ResidualNet has no layer"),
    ],
)
def test_a_layer_that_the_network_will_not_have_is_refused_before_it_is_trained(overrides, told):
    with pytest.raises(ParameterError, match=told):
        book_suite.check_parameters(parameters(["training", "deconvolution", "au_verification"], **overrides))


@pytest.mark.parametrize(
    ("population", "network", "layer", "told"),
    [
        ("photographs_zero_bias", "residual", "relu3", ""),
        ("photographs_residual", "zero_bias", "relu3", "au_verification.layer: ResidualNet has no layer"),
        ("photographs_zero_bias", "zero_bias", "nosuch", "au_verification.layer: ZeroBiasCNN has no layer"),
    ],
)
def test_the_layer_is_one_of_the_population_that_is_asked(population, network, layer, told):
    asks = {"au_verification.population": population, "au_verification.layer": layer}
    chosen = parameters(["training", "au_verification"], **{"training.network": network} | asks)
    with pytest.raises(ParameterError, match=told) if told else nullcontext():
        book_suite.check_parameters(chosen)


def test_faces_that_are_not_here_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_DATA", str(tmp_path / "my-data"))
    with pytest.raises(DataError, match="my-data/fer2013 not found"):
        book_suite.check_parameters(parameters(["faces"], faces="fer2013"))
    (tmp_path / "my-data" / "mine").mkdir(parents=True)
    (tmp_path / "my-data" / "mine" / "faces.csv").touch()
    for near, name in (("mien", "mine"), ("fer2031", "fer2013")):
        with pytest.raises(ParameterError, match=rf"faces is '{near}'.* \(did you mean '{name}'"):
            book_suite.check_parameters(parameters(["faces"], faces=near))


COMPUTING = (
    *("book/derl/figures.py", "book/training/hog_of_emotions.csv", "fer_lib/__init__.py"),
    *("face_sets/sources.toml", "synthetic_faces/facs.toml"),
    *("fer_lib/nets/vgg.py", "ferbook/page/style.py"),
)
OTHERS = (
    *("book/derl/chapter.py", "book/session.py", "book/suite.py"),
    *("ferbook/run.py", "ferbook/build.py", "fer_lib/names.py"),
    # The fingerprints of the faces have them.
    *("synthetic_faces/render.py", "face_sets/readers/ckplus.py"),
)


@pytest.mark.parametrize("file", [*COMPUTING, *OTHERS])
def test_what_computes_concerns_a_chapter_that_opens_it_and_what_runs_or_declares_it_none(file):
    assert (paths.root() / file).is_file()
    assert list(code_files({paths.root() / file: "d"})) == ([file] if file in COMPUTING else [])


def test_a_cluster_gives_each_chapter_at_least_twice_what_the_reference_took():
    given = {name: 60 * chapter.resources.minutes for name, chapter in chapters().items()}
    took = {result.chapter: result.record().seconds for result in open_run("reference").results()}
    assert {name: given[name] for name in took if given[name] < 2 * took[name]} == {}


def test_what_a_chapter_takes_goes_by_the_faces_that_it_is_about():
    own = chapters()["training"]
    assert own.expected("laptop", own.resolve("laptop", {"faces": "fer2013"})) > own.seconds["laptop"]


def test_bad_data_stop_a_run_before_anything_executes(tmp_path, monkeypatch):
    file = tmp_path / "fer2013" / "fer2013.csv"
    file.parent.mkdir()
    file.write_text("emotion,pixels,Usage\n9,1 2 3,Training\n")
    monkeypatch.setenv("FER_DATA", str(tmp_path))
    asked = parameters(["training"], faces="fer2013")
    book_suite.check_parameters(asked)
    with pytest.raises(DataError, match=r"fer2013\.csv.*line 2") as fault:
        book_suite.prepare(list(asked.values()))
    assert str(file) in str(fault.value)


def test_sets_that_several_chapters_take_are_made_once_and_before_them(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setenv("FER_DATA", str(tmp_path))
    monkeypatch.setattr("face_sets.registry.open_faces", opened.append)
    monkeypatch.setattr(book_suite, "_require_fit", lambda model, faces: None)
    monkeypatch.setattr("face_sets.describe.names_in_two_cases", lambda faces: [])
    faces = parameters(["faces"])["faces"]
    transfer, other = (parameters(["transfer"], **given)["transfer"] for given in ({}, {"seed": 1}))
    book_suite.prepare([faces, transfer])
    assert set(opened) == {faces.face_request, transfer.face_request}, "each makes its further sets itself"
    opened.clear()
    book_suite.prepare([faces, transfer, other])
    assert set(opened) - {faces.face_request} == set(transfer.face_requests)
    assert len(opened) == len(set(opened))


def test_one_person_to_test_on_is_said_before_anything_executes(tmp_path, monkeypatch):
    rng, folder = np.random.default_rng(0), tmp_path / "jaffe"
    folder.mkdir()
    for who in ("AA", "AB", "AC"):
        for number, emotion in enumerate(("AN", "HA", "NE")):
            picture = Image.fromarray(rng.integers(0, 256, (48, 48), dtype=np.uint8))
            picture.save(folder / f"{who}.{emotion}1.{number}.tiff")
    monkeypatch.setenv("FER_DATA", str(tmp_path))
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "cache"))
    asked = parameters(["training", "transfer"], faces="jaffe", size=48)
    with pytest.raises(DataError) as fault:
        book_suite.prepare(list(asked.values()))
    needed = "face set 'jaffe' has 1 person to test on; two are needed"
    told = str(fault.value)
    assert f"chapter training: {needed}: -p folds=2 tests in two of 3 folds, -p folds=0 in all" in told
    assert f"chapter transfer: {needed}: add people" in told
    book_suite.prepare(list(parameters(["training"], faces="jaffe", size=48, folds=2).values()))


def test_what_a_layout_never_has_is_said_before_a_picture_is_read(tmp_path, monkeypatch):
    # Nothing of these sets is here: reading them would be another error.
    monkeypatch.setenv("FER_DATA", str(tmp_path))
    asked = parameters(["structure_and_loss", "derl", "faces"], faces="bp4dplus")
    with pytest.raises(DataError) as fault:
        book_suite.prepare(list(asked.values()))
    assert "chapter structure_and_loss, derl: face set 'bp4dplus' has no emotions" in str(fault.value)
    assert "faces:" not in str(fault.value)


def finished(folder, populations, layer="relu3"):
    about = {"filter": 44, "au": "AU12", "association": 0.5, "moved_by": "AU25"}
    told = Detectors(layer=layer, filters=[about])
    record = SimpleNamespace(populations=populations)
    return SimpleNamespace(folder=folder, record=lambda: record, artefact=lambda name, model: told)


def test_verdicts_stand_in_the_atlas_where_both_pages_are_about_one_network(tmp_path):
    run = tmp_path / "reference"
    drawn = finished(run / "deconvolution", {"photographs_zero_bias": {}, "photographs": {}})
    judged = finished(run / "au_verification", {"photographs_zero_bias": {}, "shuffled": {}})
    text = book_suite.verdicts({"deconvolution": drawn, "au_verification": judged})
    data = re.search(r'<script type="application/json" id="filter-verdicts">(.*)</script>', text)[1]
    told = json.loads(data)
    words = told.pop("words")
    assert told == {"layer": "relu3", "filters": {"44": ["AU12", "AU25"]}}
    assert "lip corner puller" in words["AU12"] and "smile" in words["AU12"] and "brow" in words["AU1"]
    assert '#filter-44 summary::after{content:"AU12"}' in text and "\n" not in text
    mine = finished(tmp_path / "mine" / "au_verification", {"photographs_zero_bias": {}})
    for other in (mine, finished(run / "x", {})):
        assert book_suite.verdicts({"deconvolution": drawn, "au_verification": other}) == ""
    assert book_suite.verdicts({"deconvolution": drawn}) == ""


def test_every_question_to_predict_has_a_closed_answer_below_it():
    """In a dropdown behind the question, as the folded output of a cell before the next text, or, of what the
    title asks, in *In short* right below it.
    """
    for chapter in chapters().values():
        cells = read_notebook(chapter.notebook).cells
        for place, cell in enumerate(cells):
            paragraphs = cell.source.split("\n\n") if cell.cell_type == "markdown" else ()
            asks = [n for n, each in enumerate(paragraphs) if re.search(r"\*Predict(?!, then)", each)]
            if not asks:
                continue
            answered = "".join(paragraphs[asks[0] + 1 : asks[0] + 2]).startswith(":::{dropdown} Answer\n")
            following = takewhile(lambda each: each.cell_type == "code", cells[place + 1 :])
            below = cell.id == "title" or any("hide-output" in tags(each) for each in following)
            assert answered or below, (chapter.name, cell.id)


def test_every_line_that_the_book_fills_has_its_function_and_stands_on_a_page():
    pages = "".join(file.read_text() for file in paths.pages().rglob("*") if file.suffix in (".md", ".ipynb"))
    singular = r"\{(?:reference|metric)\}`[^`]+` (?:unit|filter|network|face|person)\b"
    assert re.findall(singular, pages) == [], "what fills them is seldom 1"
    for line, place in book_suite.SUITE.placeholders.items():
        assert callable(import_named(line, place)) and line in pages


def test_a_small_run_may_leave_open_what_asks_for_many_networks_and_not_what_it_reads_or_has_a_bound_for():
    every = [{*left_open(Request(each), chapters().values())} for each in book_suite.SUITE.profiles]
    tiny, small, whole, larger = every
    assert tiny == small and "Dropout helps" in small and "An LSTM reads micro-expressions" in small
    assert not whole and not larger, "five generators, five seeds of every network that reads clips"
    assert not small & {"Structure helps", "Filters respond to action units"}
