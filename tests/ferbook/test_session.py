"""An open chapter: what it takes from the notebook, and what it lets in."""

import json

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import torch

from book.chapter_parameters import DeconvolutionParameters, FacesParameters, TrainingParameters
from fer_lib.nets.build import build_network
from fer_lib.train.precision import Precision
from fer_lib.train.weights import save_weights
from ferbook.errors import ChapterError, ParameterError
from ferbook.estimate import Estimate
from ferbook.execute import OUTPUT_VARIABLE, RUN_VARIABLE, STORED_VARIABLE
from ferbook.session import open_chapter
from ferbook.store import ChapterResult, open_run

DEFAULTS = FacesParameters(device="cpu").model_dump()


@pytest.fixture
def output(tmp_path, monkeypatch):
    monkeypatch.setenv(OUTPUT_VARIABLE, str(tmp_path / "out"))
    monkeypatch.setenv(RUN_VARIABLE, str(tmp_path / "run"))
    return tmp_path / "out"


def drawn(data=None, alt="A line that rises from 1 to 2."):
    figure, axes = plt.subplots()
    axes.plot([1, 2])
    return figure, pd.DataFrame({"y": [1, 2]}) if data is None else data, alt


def test_a_chapter_opens_with_what_the_cell_assigns(output):
    run = open_chapter("faces", DEFAULTS | {"samples": 2, "In": [], "_": 3, "get_ipython": print})
    assert run.params.samples == 2
    assert json.loads((output / "record.json").read_text())["device"].startswith("CPU")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sampels": 3}, r"no parameter 'sampels' \(did you mean 'samples'\?\)"),
        ({"samples": 0}, "faces.samples = 0 is not allowed"),
        ({"samples": "3x"}, "faces.samples = '3x' is not allowed"),
    ],
)
def test_a_wrong_assignment_stops_the_chapter(output, change, told):
    with pytest.raises(ParameterError, match=told):
        open_chapter("faces", DEFAULTS | change)


def test_a_missing_assignment_stops_the_chapter(output):
    with pytest.raises(ParameterError, match="does not assign 'seed'"):
        open_chapter("faces", {name: value for name, value in DEFAULTS.items() if name != "seed"})


def test_a_figure_is_stored_with_its_numbers_and_words(output):
    run = open_chapter("faces", DEFAULTS)
    shown = run.save_figure("line", drawn(), tolerance={"y": 0.5}).data
    assert (output / "figures" / "line.svg").read_text().lstrip().startswith("<?xml")
    assert (output / "figures" / "line.csv").read_text() == "y\n1\n2\n"
    assert json.loads((output / "record.json").read_text())["figures"]["line"] == {
        "alt": "A line that rises from 1 to 2.",
        "tolerance": {"y": 0.5},
    }
    assert 'alt="A line that rises from 1 to 2."' in shown and 'download="line.csv"' in shown


@pytest.mark.parametrize(
    ("given", "told"), [({"alt": " "}, "no alt text"), ({"data": pd.DataFrame()}, "without the numbers")]
)
def test_a_figure_without_words_or_numbers_is_refused(output, given, told):
    with pytest.raises(ChapterError, match=told):
        open_chapter("faces", DEFAULTS).save_figure("line", drawn(**given))


def test_metrics_add_up_and_are_stored(output):
    run = open_chapter("faces", DEFAULTS)
    run.save_metrics({"a": Estimate(1, unit="count")})
    run.save_metrics({"b": Estimate(0.5, unit="share")})
    assert set(json.loads((output / "metrics.json").read_text())) == set(run.metrics) == {"a", "b"}


def test_only_a_declared_and_finished_chapter_can_be_looked_up(output):
    run = open_chapter("training", TrainingParameters(device="cpu").model_dump())
    with pytest.raises(ChapterError, match="does not declare 'training' as upstream"):
        run.upstream("training")
    with pytest.raises(ChapterError, match="'faces' is not finished in this run"):
        run.upstream("faces")


def test_the_network_of_an_upstream_chapter_comes_ready_to_be_asked(output, tmp_path):
    run = open_chapter("deconvolution", DeconvolutionParameters(device="cpu").model_dump())
    with pytest.raises(ChapterError, match="'training' is not finished in this run"):
        run.network("training")
    staged = tmp_path / "run" / "staged"
    staged.mkdir(parents=True)
    model = build_network("zhu", 3, 16)
    save_weights(model, staged / "weights.safetensors", {"classes": ["a", "b", "c"]})
    ChapterResult("training", tmp_path / "run" / "training").commit(staged, {})
    kept = run.network("training")
    assert not kept.training
    assert all(torch.equal(a, b) for a, b in zip(kept.parameters(), model.parameters(), strict=True))


def test_a_fragment_of_a_report_is_shown_as_it_is(output):
    assert open_chapter("faces", DEFAULTS).show("<ul><li>a</li></ul>").data == "<ul><li>a</li></ul>"


def test_pictures_under_licence_are_shown_only_on_demand(output):
    assert open_chapter("faces", DEFAULTS).may_show_faces
    licensed = DEFAULTS | {"faces": "fer2013"}
    assert not open_chapter("faces", licensed).may_show_faces
    assert open_chapter("faces", licensed | {"publish_faces": True}).may_show_faces


def test_a_check_trains_in_the_stored_format(output, tmp_path, monkeypatch):
    run = open_chapter("training", TrainingParameters(device="cpu").model_dump())
    assert run.precision == "auto"
    stored = tmp_path / "record.json"
    stored.write_text(json.dumps({"precision": {"name": "bf16", "channels_last": True, "timings": {}}}))
    monkeypatch.setenv(STORED_VARIABLE, str(stored))
    assert run.precision == Precision("bf16", channels_last=True)


def test_words_in_place_of_a_figure_are_text(output):
    assert open_chapter("faces", DEFAULTS).say("a < b").data == '<p class="not-shown">a &lt; b</p>'


def test_a_notebook_opened_by_hand_writes_aside_and_looks_upstream_in_the_latest_run(tmp_path, monkeypatch):
    for variable in (OUTPUT_VARIABLE, RUN_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("FER_RUNS", str(tmp_path))
    run = open_run("a")
    staged = tmp_path / "staged"
    staged.mkdir()
    (staged / "metrics.json").write_text('{"pictures": {"value": 3}}')
    (staged / "record.json").write_text("{}")
    run.write_record({"request": {"profile": "laptop", "parameters": {}}, "changed": "1"})
    run.result("faces").commit(staged, {})
    opened = open_chapter("training", TrainingParameters(device="cpu").model_dump())
    assert opened.output == tmp_path / "interactive" / "training"
    assert opened.upstream("faces").metrics() == {"pictures": {"value": 3}}
