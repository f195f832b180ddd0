"""An open chapter: what it takes from the notebook, and what it lets in."""

import json

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from pydantic import BaseModel

from ferbook.environment import OUTPUT_VARIABLE, RUN_VARIABLE
from ferbook.errors import ChapterError, ParameterError, RunStoreError
from ferbook.estimate import Estimate
from ferbook.page.style import Drawn
from ferbook.page.tables import Table
from ferbook.session import open_chapter
from ferbook.store import ChapterResult, make_current, open_run

DEFAULTS = {"sides": 6, "throws": 600, "seed": 0}
OF_MEANS = {"draws": 1000, "seed": 0}

pytestmark = pytest.mark.usefixtures("example")


def drawn(data=None, alt="A line that rises from 1 to 2.", caption="What rises."):
    figure, axes = plt.subplots()
    axes.plot([1, 2])
    data = pd.DataFrame({"y": [1, 2]}) if data is None else data
    return Drawn(figure, data, alt, caption, {"y": 0.5})


def test_a_chapter_opens_with_what_the_cell_assigns(output):
    run = open_chapter("throws", DEFAULTS | {"sides": 2, "In": [], "_": 3, "get_ipython": print})
    assert run.params.sides == 2
    assert json.loads((output / "record.json").read_text()) == {"figures": {}, "tables": {}}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sidse": 3}, r"no parameter 'sidse' \(did you mean 'sides'\?\)"),
        ({"sides": 0}, "throws.sides = 0 is not allowed"),
        ({"sides": "3x"}, "throws.sides = '3x' is not allowed"),
    ],
)
def test_a_wrong_assignment_stops_the_chapter(output, change, told):
    with pytest.raises(ParameterError, match=told):
        open_chapter("throws", DEFAULTS | change)


def test_a_missing_assignment_stops_the_chapter(output):
    with pytest.raises(ParameterError, match="does not assign 'seed'"):
        open_chapter("throws", {name: value for name, value in DEFAULTS.items() if name != "seed"})


def test_a_figure_is_stored_with_its_numbers_and_words(output):
    run = open_chapter("throws", DEFAULTS)
    shown = run.figure("line", lambda alt: drawn(alt=alt), "A line that rises from 1 to 2.").data
    assert (output / "figures" / "line.svg").read_text().startswith("<?xml")
    assert (output / "figures" / "line.png").read_bytes().startswith(b"\x89PNG")
    assert (output / "figures" / "line.csv").read_text() == "y\n1\n2\n"
    noted = json.loads((output / "record.json").read_text())["figures"]["line"]
    words = {"alt": "A line that rises from 1 to 2.", "caption": "What rises."}
    assert noted == words | {"tolerance": {"y": 0.5}}
    assert 'role="group" aria-label="A line that rises from 1 to 2."' in shown, "its dots tell their values"
    assert "<figcaption>What rises.<" in shown and '<a href="figures/line.csv">CSV</a>' in shown


@pytest.mark.parametrize(
    ("given", "told"),
    [({"alt": " "}, "no alt text"), ({"caption": ""}, "no caption"), ({"data": pd.DataFrame()}, "no data")],
)
def test_a_figure_without_words_or_numbers_is_refused(output, given, told):
    with pytest.raises(ChapterError, match=told):
        open_chapter("throws", DEFAULTS).figure("line", drawn(**given))


def test_what_a_figure_or_table_needs_is_said_in_its_place(output):
    run = open_chapter("throws", DEFAULTS)
    for show, kind in ((run.figure, "figures"), (run.table, "tables")):
        page = show("line", pytest.fail, 3, None, needs="two people.").data
        assert ">Left out: it needs two people.<" in page
        assert ('id="figure-line"' in page) == (kind == "figures"), "what refers to it has where to go"
        assert not (output / kind).exists()
        with pytest.raises(ChapterError, match="lacks what it shows"):
            show("line", pytest.fail, None)


def test_a_table_is_stored_as_numbers_with_bounds_and_shown_as_text(output):
    accuracy = [Estimate(0.5, 0.25, 0.75, unit="share"), Estimate(1, why="one person", unit="share")]
    data = pd.DataFrame({"network": ["a", "b"], "accuracy": accuracy, "seconds": [90.0, 3]})
    table = Table(data, "Networks", {"seconds": "seconds"}, {"accuracy": 0.1, "seconds": 1e6})
    shown = open_chapter("throws", DEFAULTS).table("networks", table).data
    stored = pd.read_csv(output / "tables" / "networks.csv")
    assert list(stored.columns) == ["network", "accuracy", "accuracy_low", "accuracy_high", "seconds"]
    assert stored.loc[0].tolist() == ["a", 0.5, 0.25, 0.75, 90]
    assert stored.loc[1, "accuracy"] == 1 and stored.loc[1, ["accuracy_low", "accuracy_high"]].isna().all()
    noted = json.loads((output / "record.json").read_text())["tables"]["networks"]
    assert noted["caption"] == "Networks"
    assert noted["tolerance"] | {"accuracy": 0.1, "accuracy_high": 0.1, "seconds": 1e6} == noted["tolerance"]
    assert '>50\N{NO-BREAK SPACE}% <span class="bounds">(25–75)<' in shown
    assert "100\N{NO-BREAK SPACE}%</td>" in shown


def test_a_table_without_rows_is_refused(output):
    with pytest.raises(ChapterError, match="table 'networks' has no rows"):
        open_chapter("throws", DEFAULTS).table("networks", Table(pd.DataFrame({"a": []}), "Networks"))


class Detectors(BaseModel):
    filters: list[int]


def test_an_artefact_is_read_back_as_it_was_stored(output):
    open_chapter("throws", DEFAULTS).artefact("detectors", Detectors(filters=[3, 4]))
    stored = ChapterResult("throws", output)
    assert stored.artefact("detectors", Detectors) == Detectors(filters=[3, 4])
    with pytest.raises(RunStoreError, match=r"others.json: not readable as Detectors .*; run throws again"):
        stored.artefact("others", Detectors)
    (output / "artefacts" / "others.json").write_text('{"filters": "all"}')
    with pytest.raises(RunStoreError, match="not readable as Detectors"):
        stored.artefact("others", Detectors)


def test_metrics_add_up_and_are_stored(output):
    run = open_chapter("throws", DEFAULTS)
    run.save_metrics({"a": Estimate(1, unit="count")})
    run.save_metrics({"b": Estimate(0.5, why="one throw", unit="share")})
    assert set(json.loads((output / "metrics.json").read_text())) == {"a", "b"}


def test_only_a_declared_and_finished_chapter_can_be_looked_up(output):
    run = open_chapter("means", OF_MEANS)
    with pytest.raises(ChapterError, match="does not declare 'gaps' as upstream"):
        run.upstream("gaps")
    with pytest.raises(ChapterError, match="'throws' is not finished in this run"):
        run.upstream("throws")


def test_a_fragment_of_a_report_is_shown_as_it_is_and_words_in_place_of_a_figure_as_text(output):
    run = open_chapter("throws", DEFAULTS)
    assert run.show("<ul><li>a</li></ul>").data == "<ul><li>a</li></ul>"
    assert run.say("a < b").data == '<p class="not-shown">a &lt; b</p>'


def test_a_notebook_opened_by_hand_writes_aside_and_looks_upstream_in_the_current_run(tmp_path, monkeypatch):
    for variable in (OUTPUT_VARIABLE, RUN_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("FER_RUNS", str(tmp_path))
    run = open_run("a")
    staged = tmp_path / "staged"
    staged.mkdir()
    (staged / "metrics.json").write_text('{"pictures": {"value": 3, "unit": "count"}}')
    (staged / "record.json").write_text('{"seconds": 1.5}')
    run.write_record({"request": {"profile": "laptop", "parameters": {}}, "changed": "1"})
    run.result("throws").commit(staged, {})
    assert open_chapter("throws", DEFAULTS).output == tmp_path / "interactive" / "throws", "no run yet"
    make_current(run)
    opened = open_chapter("means", OF_MEANS)
    assert opened.output == tmp_path / "interactive" / "means"
    assert opened.upstream("throws").folder == run.result("throws").folder
