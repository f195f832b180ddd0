"""Answers of intervals, and which methods pass, by tables whose scores are known."""

import numpy as np
import pandas as pd
import pytest

from book.truth import maps
from book.truth.maps import CONTROL_MAPS, MAP_QUESTIONS, answer, in_all
from ferbook.estimate import Estimate
from tests.book.truth.toy_judged import judged


def test_the_lead_is_over_the_best_control_network_by_network():
    table = judged()
    table.loc[table["method"].eq("field"), "correctness"] += 0.2
    own = table[table["population"].eq("one")]
    found = maps.map_score(own, "gradient", "correctness", CONTROL_MAPS)
    means = own.groupby("method")["correctness"].mean()
    assert found.value == pytest.approx(means["gradient"] - means["field"])
    assert maps.map_score(own, "gradient", "correctness").value == pytest.approx(means["gradient"])


def test_a_method_that_is_ahead_everywhere_passes_and_others_do_not():
    answers = maps.map_answers(judged())
    assert maps.believed(answers).to_dict() == {"gradient": True, "deconv": False, "guided": False}
    assert len(answers) == 2 * 3 * 3 * len(MAP_QUESTIONS)
    assert not maps.believed(maps.map_answers(judged(sane=0.3)))["gradient"], "half of it is left"


def test_a_family_with_other_answers_is_found():
    answers = maps.map_answers(judged(worse_family="broad-faceunits"))
    found = answers.set_index(["population", "without", "method", "score"])["answer"]
    assert found["one", "broad-faceunits", "gradient", "correctness"] == "yes"
    assert found["one", "narrow-faceunits", "gradient", "correctness"] == "no"
    metrics = maps.map_metrics(judged(worse_family="broad-faceunits"), answers, ["one"])
    assert metrics["believed_in_all"].value == 0
    assert metrics["answers_kept"].value == 7 and metrics["answers"].value == 9


def test_what_is_defined_nowhere_is_open():
    table = judged().assign(correctness=np.nan)
    answers = maps.map_answers(table)
    assert set(answers.loc[answers["score"].eq("correctness"), "answer"]) == {"open"}
    alone = judged()[lambda rows: rows["person"].eq("lab-broad-faceunits-S1")]
    assert maps.map_score(alone, "gradient", "sanity") is None


def test_counts_are_of_the_table():
    table = judged()
    metrics = maps.map_metrics(table, maps.map_answers(table), ["one", "two"])
    counts = {"networks": 6, "people": 8, "methods": 3, "neurons": 48, "families": 2}
    counts |= {"believed": 1, "believed_in_all": 1}
    assert {name: metrics[name].value for name in counts} == counts
    first = list(maps.question_names(maps.map_answers(table)))[:2]
    assert first == ["gradient, correctness", "gradient, right unit"]


@pytest.mark.defect("M4")
def test_two_methods_of_equal_scores_are_one():
    table = judged()
    twin = table[table["method"].eq("gradient")].assign(method="gradient_input")
    both = pd.concat([table, twin], ignore_index=True)
    assert maps.distinct_methods(both) == maps.distinct_methods(table)
    answers = maps.map_answers(both)
    assert maps.map_metrics(both, answers, ["one", "two"])["methods"].value == 3
    assert maps.map_metrics(both, answers, ["one", "two"])["believed"].value == 1
    off = twin.assign(correctness=twin["correctness"] + 0.05)
    assert "gradient_input" in maps.distinct_methods(pd.concat([table, off], ignore_index=True))


ANSWERS = {
    "yes": (Estimate(0.2, 0.1, 0.3, how="made up"), 0.0),
    "no": (Estimate(0.2, 0.1, 0.3, how="made up"), 0.5),
    "open": (Estimate(0.2, -0.1, 0.3, how="made up"), 0.0),
}


@pytest.mark.parametrize("expected", ANSWERS)
def test_the_whole_interval_has_to_lie_on_one_side(expected):
    assert answer(*ANSWERS[expected]) == expected
    assert answer(None, 0.0) == answer(Estimate(3.0, why="all alike"), 0.0) == "open"


def test_only_what_is_answered_alike_everywhere_holds():
    assert in_all(["no", "no"]) == "no"
    assert in_all(["yes", "open"]) == in_all(["yes", "no"]) == "open"
