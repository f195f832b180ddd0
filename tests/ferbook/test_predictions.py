"""What readers are asked to predict, and what the run found."""

import json
import re

import pandas as pd
import pytest

from ferbook import paths, predictions
from ferbook.book import chapters
from ferbook.errors import BookError
from ferbook.notebook import read_notebook
from ferbook.predictions import (
    Guess,
    prediction_data,
    predictions_page,
    read_guesses,
    with_predictions,
)
from ferbook.store import open_run


@pytest.fixture(scope="module")
def results():
    return {each.chapter: each for each in open_run("reference").results()}


def guessed(results, **fields):
    return prediction_data(Guess(at="faces.x", asks="?", **fields), results)


def test_every_sentence_that_asks_has_a_control_and_every_control_a_sentence():
    asking = {
        f"{name}.{cell.id}"
        for name, chapter in chapters().items()
        for cell in read_notebook(chapter.notebook).cells
        if cell.cell_type == "markdown" and re.search(r"\*Predict(?!, then)", cell.source)
    }
    assert {each.at for each in read_guesses()} == asking


def test_the_reference_answers_all_that_is_asked_and_draws_the_figures(results):
    for guess in read_guesses():
        data, chapter = prediction_data(guess, results), guess.at.partition(".")[0]
        assert data, guess.id
        assert not guess.figure or guess.figure in results[chapter].record()["figures"], guess.id
        if data["kind"] == "number":
            assert data["from"] <= data["value"] <= data["to"], guess.id
            assert data["from"] < data["to"] - data["step"], guess.id
        if data["kind"] == "choice":
            assert len(data["options"]) > len(data["right"]) > 0, guess.id


def test_a_number_is_that_of_the_metric_a_share_in_per_cent(results):
    share = results["faces"].metrics()["leak"]
    data = guessed(results, number="faces.leak", high=100, step=1)
    assert data["value"] == 100 * share.value and (data["low"], data["unit"]) == (100 * share.low, "%")
    assert data["text"].startswith(f"{100 * share.value:.1f}")
    away = guessed(results, number="training.ahead_of_hog", zero="training.hog_accuracy")
    assert away["zero"] == 100 * results["training"].metrics()["hog_accuracy"].value


def test_options_are_right_by_their_numbers(results):
    table = {"table": "confusion", "column": "count"}
    rows = [{"true": "neutral", "predicted": each} for each in ("neutral", "anger")]
    options = {"much": {**table, "where": rows[0]}, "little": {**table, "where": rows[1]}}
    own = {"at": "training.x", "asks": "?"}
    assert prediction_data(Guess(**own, largest=options), results)["right"] == [0]
    assert prediction_data(Guess(**own, smallest=options), results)["right"] == [1]
    absent = {"gone": {**table, "where": {"true": "nobody"}}, **options}
    assert prediction_data(Guess(**own, largest=absent), results)["options"] == ["much", "little"]
    two = {"one": ["training.hog_accuracy", "training.test_accuracy"], "other": "training.train_loss_fall"}
    assert prediction_data(Guess(**own, largest=two), results)["right"] == [0]
    parts = {"low": (0, 60), "high": (60, 101)}
    assert guessed(results, number="training.test_accuracy", within=parts)["right"] == [1]


def test_what_a_run_did_not_find_is_not_asked(results):
    assert guessed(results, number="faces.nothing") is None
    assert guessed(results, number={"printed": "never printed ([0-9])"}) is None
    assert guessed(results, number={"table": "nearest", "column": "nothing"}) is None
    assert guessed(results, largest={"a": "faces.leak", "b": "faces.nothing"}) is None
    assert guessed({}, words=True) is None


def test_a_number_that_the_run_could_not_tell_is_not_asked(results, monkeypatch):
    monkeypatch.setattr(predictions, "_table_of", lambda *_: pd.DataFrame({"share": [float("nan")]}))
    cell = {"table": "any", "column": "share"}
    assert guessed(results, number=cell) is None
    assert guessed(results, largest={"a": cell, "b": cell}) is None


def test_a_control_stands_behind_the_sentence_that_asks():
    text = "First.\n\n*Predict:* how many?\n\nLast."
    own = [{"id": "a.cell"}, {"id": "a.cell.b", "asks": "</script>"}, {"id": "a.cells"}]
    before, sentence, control, after = with_predictions(text, "a.cell", own).split("\n\n")
    assert (before, sentence, after) == ("First.", "*Predict:* how many?", "Last.")
    assert [each["id"] for each in json.loads(re.search(r"\[.*\]", control)[0])] == ["a.cell", "a.cell.b"]
    assert control.count("</script>") == 1 and "\n" not in control
    assert with_predictions(text, "a.other", own) == text
    with pytest.raises(BookError, match="asks for a guess where the page has no"):
        with_predictions("First.", "a.cell", own)


def test_the_page_has_all_with_their_chapters(results):
    every = [prediction_data(guess, results) for guess in read_guesses()]
    page = json.loads(re.search(r"\[.*\]", predictions_page(every))[0])
    assert [each["id"] for each in page] == [each["id"] for each in every]
    assert {each["chapter"] for each in page} == {each.title for each in chapters().values()}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("- {at: a.b, asks: x}", "entry 1: .*give one of number"),
        ("- {at: a.b, asks: x, words: true, low: 2}", "entry 1: .*low 2 must lie below high 1"),
        ("- {at: a.b, asks: x, words: true}\n- {at: a.b, asks: y, words: true}", "a.b twice"),
        ("- {at: a.b, asks: x, word: true}", "entry 1: word: Extra inputs"),
    ],
)
def test_a_faulty_entry_is_named(monkeypatch, tmp_path, content, said):
    monkeypatch.setattr(paths, "pages", lambda: tmp_path)
    assert read_guesses() == ()
    (tmp_path / "predictions.yaml").write_text(content)
    with pytest.raises(BookError, match=said):
        read_guesses()
