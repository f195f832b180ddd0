"""The verdicts along training: those that the page has are those of the reference."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from book.au_verification.checkpoints import CHECKPOINTS_FILE, checkpoints, stage_verdicts, verdict_counts
from fer_lib.aus.detectors import Detectors
from ferbook.store import open_run

CLOSE = 3
"""Claims that may differ between processors, of some 100; of the verified filters one."""


@pytest.fixture(scope="module")
def stored():
    return json.loads(CHECKPOINTS_FILE.read_text(encoding="utf-8"))


def test_counts_are_worked_out_by_hand():
    assert verdict_counts({"claimed": [0, 3, 3, 5, 7], "caused": [2, 3, 3, 0, 7]}) == (4, 3, 2)


def test_every_kept_epoch_of_every_network_is_asked(monkeypatch, stored):
    asked = []

    def examined(model, layer, queries, *, about, groups):
        asked.append(about[2])
        au = np.array([["AU4", "", "AU1"]])
        return SimpleNamespace(claimed=au, caused=au[:, ::-1]), None

    monkeypatch.setattr("book.au_verification.examine.examine", examined)
    monkeypatch.setattr(
        "book.au_verification.study.questions_of", lambda *given: SimpleNamespace(aus=("AU1", "AU4"))
    )
    monkeypatch.setattr("fer_lib.faces.registry.open_faces", lambda request: None)
    new = stage_verdicts()
    assert asked == [each["seed"] for each in stored["stages"]] and new["aus"] == ["AU1", "AU4"]
    for one, other in zip(new["stages"], stored["stages"], strict=True):
        assert (one["claimed"], one["caused"]) == ([2, 0, 1], [1, 0, 2])
        assert (one["seed"], one["epoch"]) == (other["seed"], other["epoch"])
        assert one["accuracy"] == other["accuracy"]


def test_the_last_epoch_of_the_first_network_has_the_verdicts_of_the_atlas(stored):
    detectors = open_run("reference").result("au_verification").artefact("detectors", Detectors)
    names, stage = ["", *stored["aus"]], [each for each in stored["stages"] if each["seed"] == 0][-1]
    rows = zip(stage["claimed"], stage["caused"], strict=True)
    found = {k: (names[au], names[cause]) for k, (au, cause) in enumerate(rows) if au}
    assert found == {each.filter: (each.au, each.moved_by) for each in detectors.filters}


def test_each_epoch_has_the_numbers_of_the_figure(stored):
    folder = open_run("reference").result("au_verification").folder
    expected = pd.read_csv(folder / "figures" / "along_training.csv").set_index(["seed", "epoch"])
    stages = {(each["seed"], each["epoch"]): each for each in stored["stages"]}
    assert set(expected.index) <= set(stages)
    for place, row in expected.iterrows():
        claimed, verified, units = verdict_counts(stages[place])
        assert abs(claimed - row["beyond_emotion"]) <= CLOSE and abs(verified - row["verified"]) <= 1
        assert units == row["distinct_units"]
        assert stages[place]["accuracy"] == pytest.approx(row["accuracy"], abs=1e-4)


def test_without_a_script_a_table_of_the_first_network_stands_there(stored):
    part = checkpoints({})
    own = [each for each in stored["stages"] if each["seed"] == 0]
    assert part.count("<tr>") == 1 + len(own) == 7
    last = "".join(f"<td>{each}</td>" for each in verdict_counts(own[-1]))
    assert last in part and "\n" not in part
