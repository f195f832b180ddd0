"""The one engine: what numbers answer to a claim, what an open answer lacks, and who answers."""

import dataclasses
import shutil

import numpy as np
import pytest
from scipy import stats

from ferbook import answers
from ferbook.answers import Evidence, answer_all, answer_claim, answers_of, passed
from ferbook.book import suite
from ferbook.claims import Claims, Gate, PaperClaim
from ferbook.errors import DataError, RunStoreError
from ferbook.estimate import Estimate
from ferbook.reference_run import matching_references
from ferbook.store import open_run


def claim(**fields):
    about = {"claim": "A die is loaded.", "short": "Loaded", "measure": "throws.gain", "why": "w"}
    shown = {"absolute": "{throws.gain}", "table": [["**it**", "throws.gain"], ["control", "throws.control"]]}
    return PaperClaim(**about | shown | {"certainty": "N", "matters": 2, "form": "difference"} | fields)


def difference(polarity="more", **fields):
    return claim(polarity=polarity, unit="points", **fields)


def degree(**fields):
    ends = {"form": "degree", "floor": "untrained", "ceiling": "taught", "unit": "points"}
    return claim(**ends | {"matters": 0.05} | fields)


def estimate(value, half=1.0, freedom=20.0, **fields):
    return Estimate(value, value - half, value + half, freedom=freedom, how="made", **fields)


def told(facts=(), **metrics):
    return {"throws": Evidence(metrics, dict(facts)), "means": Evidence()}


def test_a_difference_is_answered_with_its_number():
    found = answer_claim(difference(), {}, told(gain=estimate(5)))
    assert (found.word, found.missing) == ("yes", "")
    sentence = "5.0 (95\u00a0% interval 4.0–6.0) points, where a difference of 2 points matters."
    assert found.sentence == sentence
    law = stats.t(20)
    error = 1 / law.ppf(0.975)
    assert found.chance == pytest.approx(2 * law.sf(5 / error), rel=1e-4)
    assert found.finds == pytest.approx((law.ppf(0.975) + law.ppf(0.8)) * error)
    assert found.again == 1


def test_stored_networks_answer_in_the_place_of_the_one_that_a_run_trained_and_the_answer_says_so():
    gates = {"five": Gate(asks="Five networks?", metric="throws.networks", above=4, own=2)}
    mine, stored = {"gain": estimate(-3), "networks": 1}, {"stored_gain": estimate(15), "stored_networks": 3}
    counts = {name: Estimate(n, unit="count") for name, n in (mine | stored).items() if isinstance(n, int)}
    asked = difference(gates=("five",))
    alone, both = (
        answer_claim(asked, gates, told(**each | {k: v for k, v in counts.items() if k in each}), told())
        for each in (mine, mine | stored)
    )
    assert (alone.word, alone.estimate.value, alone.by_stored) == ("open", -3, False)
    assert (both.word, both.estimate.value, both.by_stored) == ("yes", 15, True)
    assert "stored networks" in both.sentence and "stored networks" not in alone.sentence
    assert both.to_json()["by_stored"]


@pytest.mark.parametrize(
    ("polarity", "value", "word", "words", "bounds"),
    [
        ("more", 0.5, "no", "Equal within 2 points", [-2, 2]),
        ("more", -5, "no", "It is the other way round", [0]),
        ("as_good", 0.5, "yes", "Equal within 2 points", [-2, 2]),
        ("as_good", 5, "no", "5.0 (", [2]),
        ("as_good", -5, "no", "−5.0 (", [-2]),
        ("not_worse", 0.5, "yes", "Equal within", [-2]),
        ("not_worse", -5, "no", "−5.0 (", [-2]),
        ("more_than", 5, "yes", "More than 2 points", [2]),
        ("more_than", 0.5, "no", "Less than 2 points", [2]),
    ],
)
def test_each_answer_has_its_words_and_the_p_of_the_bound_that_it_passed(
    polarity, value, word, words, bounds
):
    found = answer_claim(difference(polarity), {}, told(gain=estimate(value)))
    assert found.word == word and found.sentence.startswith(words)
    error = 1 / stats.t(20).ppf(0.975)
    expected = max(2 * stats.t(20).sf(abs(value - bound) / error) for bound in bounds)
    assert found.chance == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("value", "word", "label", "words", "bound"),
    [
        (0.77, "yes", "yes", "Most of it: ", 0.5),
        (0.55, "in part", "in part or more", "Part of it or more: ", 0),
        (0.3, "in part", "in part", "Part of it: ", 0),
        (-0.2, "no", "no", "A trace at most: ", 0.1),
    ],
)
def test_a_degree_is_answered_between_its_ends(value, word, label, words, bound):
    gain, room = estimate(value, 0.2), estimate(0.23, 0.1)
    found = answer_claim(degree(), {}, told(gain=estimate(0.2, 0.1), gain_degree=gain, gain_room=room))
    assert (found.word, found.label) == (word, label) and found.sentence.startswith(words)
    assert " interval " in found.sentence and "points" not in found.sentence
    assert found.sentence.endswith(") of the way from 0, untrained, to 1, taught.")
    error = 0.2 / stats.t(20).ppf(0.975)
    assert found.chance == pytest.approx(2 * stats.t(20).sf(abs(value - bound) / error), rel=1e-3)


def test_ends_that_do_not_lie_apart_leave_no_room_and_uncertain_ones_an_open_answer():
    numbers = told(gain_degree=Estimate(0.4, why="too uncertain"), gain_room=estimate(0.01, 0.03))
    none = answer_claim(degree(), {}, numbers)
    assert (none.word, none.missing, none.chance, none.again) == ("no room", "", None, None)
    assert none.sentence == "The two ends lie 0.010 (−0.020 to 0.040) apart, which is less than 0.05 points."
    numbers["throws"].metrics["gain_room"] = estimate(0.1, 0.2)
    found = answer_claim(degree(), {}, numbers)
    assert (found.word, found.chance) == ("open", None)
    assert found.exact == "the two ends lie 0.10 (−0.10 to 0.30) apart, too little to say how far the way is"
    assert found.sentence.endswith(f"{found.exact[1:]}; open, since too uncertain.")


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [
        ({}, "not measured: the run has no finished chapter throws"),
        ({"gain": estimate(0.2)}, "not measured in this run: it has no degree between these two ends"),
        ({"gain_degree": estimate(0.5, 0.1)}, "not measured in this run"),
        ({"gain_degree": estimate(0.5, 0.1), "gain_room": Estimate(0.2, why="one")}, "no interval: one"),
        ({"gain_degree": estimate(1.5, 0.1), "gain_room": estimate(0.2, 0.1)}, "its ceiling is none"),
        ({"gain_degree": estimate(0.5, 0.1), "gain_room": estimate(-0.1, 0.3)}, "ceiling lies below its"),
        ({"gain_degree": estimate(0.05, 0.1), "gain_room": estimate(0.2, 0.1)}, "too wide for an answer"),
    ],
)
def test_what_an_open_degree_lacks_is_said(numbers, missing):
    found = answer_claim(degree(), {}, told(**numbers))
    assert found.word == "open" and missing in found.missing and found.chance is None
    assert missing.removeprefix("not ") in found.sentence


def test_an_open_difference_says_what_would_be_found():
    found = answer_claim(difference(), {}, told(gain=estimate(1, 4)))
    assert found.word == "open" and found.chance is None and 0.5 < found.again < 1
    assert found.sentence.endswith("too wide for an answer: four of five such runs find 5.65 points or more.")
    assert "no such difference" in answer_claim(difference(), {}, told(other=estimate(1))).missing
    bare = answer_claim(difference(), {}, told(gain=Estimate(1, why="one person")))
    assert bare.word == "open" and bare.missing == "it has no interval: one person"


@pytest.mark.parametrize(
    ("gate", "found", "own", "reply"),
    [
        ({"above": 4}, Estimate(5, unit="count"), False, "yes"),
        ({"above": 4}, Estimate(4, unit="count"), False, "no"),
        ({"above": 4, "own": 2}, Estimate(3, unit="count"), True, "yes"),
        ({"above": 4, "own": 2}, Estimate(3, unit="count"), False, "no"),
        ({"above": 4, "own": 2}, Estimate(2, unit="count"), True, "no"),
        ({"above": 1}, estimate(3), False, "yes"),
        ({"above": 1}, estimate(1.5), False, "open"),
        ({"above": 1}, estimate(-1), False, "no"),
        ({"below": 1}, estimate(-1), False, "yes"),
        ({"below": 1}, estimate(1.5), False, "open"),
        ({"below": 1}, estimate(3), False, "no"),
        ({"not_above": 1}, estimate(1.5), False, "yes"),
        ({"not_above": 1}, estimate(2.5), False, "no"),
        ({"above": 4}, None, False, "not measured"),
    ],
)
def test_a_gate_is_passed_by_the_whole_interval(gate, found, own, reply):
    asked = Gate(asks="Is it?", metric="throws.n", **gate)
    one = passed(asked, told(**{"n": found} if found else {}), {} if own else None)
    assert one.reply == reply
    assert one.sentence.startswith(f"Is it? {reply.capitalize()}")


def test_a_control_that_a_run_of_ones_own_did_not_measure_is_the_references():
    low = Gate(asks="Low?", metric="throws.n", not_above=0.1)
    one = passed(low, told(), told(n=estimate(0.05, 0.01)))
    assert one.sentence == "Low? Yes: 0.050 (0.040–0.060), by the reference; asked: not above 0.1."
    assert passed(low, told(n=estimate(0.5, 0.01)), told(n=estimate(0.05, 0.01))).reply == "no"
    assert passed(low, told(), told()).reply == "not measured"
    many = Gate(asks="Many?", metric="throws.n", above=4)
    assert passed(many, told(), told(n=Estimate(9, unit="count"))).reply == "not measured", "each its own"


def test_a_gate_that_is_not_passed_leaves_the_claim_open_and_is_named():
    gates = {
        "six": Gate(asks="Six sides?", noted="throws.sides", equals=6),
        "many": Gate(asks="Many?", metric="throws.throws", above=9),
    }
    asked = difference(gates=("six", "many"))

    def found(sides, throws):
        numbers = told({"sides": sides}, gain=estimate(5), throws=Estimate(throws, unit="count"))
        return answer_claim(asked, gates, numbers)

    assert found(6, 10).word == "yes"
    few = found(6, 9)
    assert few.word == "open" and few.chance is None and few.finds is not None
    assert few.sentence.endswith("open, since this comes first: Many? No: 9; asked: above 9.")
    assert "Six sides? No: 8; asked: 6" in found(8, 9).missing, "the first that fails"
    assert "Six sides? Not measured in this run" in answer_claim(asked, gates, told(gain=estimate(5))).missing
    with pytest.raises(DataError, match=r"throw.gain: no chapter 'throw' \(did you mean 'throws'"):
        answer_claim(difference(measure="throw.gain"), {}, told())


def test_all_claims_that_were_measured_are_counted_and_an_open_one_as_one():
    names = ("a", "b", "c", "d")
    made = [difference(short=name, measure=f"throws.{name}") for name in names]
    claims = Claims(papers=[{"paper": "p", "name": "P", "claims": [each.model_dump() for each in made]}])
    numbers = told(a=estimate(1.5), b=estimate(5), c=estimate(0, 5))
    found = {each.claim.short: each for each in answer_all(claims, numbers)}
    assert found["c"].corrected is None and found["d"].corrected is None
    assert found["b"].corrected == pytest.approx(3 * found["b"].chance)
    assert found["a"].corrected == pytest.approx(2 * found["a"].chance)


def test_the_same_answer_comes_again_as_often_as_in_drawn_runs():
    found = answer_claim(difference("as_good"), {}, told(gain=estimate(-0.28, 1.55, 73)))
    error = 1.55 / stats.t(73).ppf(0.975)
    drawn = np.random.default_rng(1).normal(-0.28, error, 20_000)
    assert found.again == pytest.approx((np.abs(drawn) < 2 - 1.55).mean(), abs=0.01)


@pytest.fixture
def run(finish_derl):
    return finish_derl("a", 5.0, faces="ckplus")


def answered(run):
    return answers_of(run, matching_references(run))


def of_derl(run):
    return {each.main.claim.short: each for each in answered(run).every}["The residue beats the face"]


def test_what_a_finished_chapter_answers_is_answered_and_the_rest_is_not_measured(run):
    every = answered(run).every
    assert len(every) == 23
    words = {each.main.claim.short: each.own.word for each in every if each.paper == "yang2018"}
    assert words == {
        "A generator makes the neutral face": "yes",
        "The residue beats the face": "yes",
        "Residue in layers beats a difference": "yes",
        "The residue owes to neutral faces": "yes",
    }
    others = {each.own.missing for each in every if each.paper != "yang2018"}
    assert all(missing.startswith("not measured: the run has no finished chapter ") for missing in others)


def test_the_references_answer_comes_first_and_the_runs_stands_beside(run, finish_derl, monkeypatch):
    finish_derl("reference", -5.0, faces="ckplus")
    found = of_derl(run)
    assert (found.main.word, found.own.word) == ("no", "yes") and found.apart and found.disagree
    assert of_derl(open_run("reference")).reference is None, "the reference stands beside no other"
    told = found.to_json()
    assert (told["answer"], told["reference"]["answer"]) == ("yes", "no")
    assert told["gates"]["generators_repeated"]["reply"] == "yes"
    monkeypatch.setattr(Claims, "is_former", lambda self, finished: True)
    for each in (run, open_run("reference")):
        with pytest.raises(DataError, match=r"runs/reference/derl: .* were frozen: `ferbook run derl"):
            of_derl(each)


def test_a_reference_on_other_faces_does_not_answer_what_the_run_shows(finish_derl):
    run = finish_derl("a", 5.0, faces="lab")
    finish_derl("reference", -5.0, faces="ckplus")
    assert of_derl(run).reference is None


def test_a_run_that_asked_the_same_networks_has_no_answer_of_its_own(run, finish_derl):
    finish_derl("reference", 5.0, faces="ckplus")
    found = of_derl(run)
    assert found.reference is not None and not found.apart and not found.disagree


def test_what_is_asked_elsewhere_too_stands_beside_and_decides_nothing(monkeypatch):
    again = dataclasses.replace(suite(), again=("other_", "on other tables"))
    monkeypatch.setattr(answers, "suite", lambda: again)
    found = answer_claim(difference(), {}, told(gain=estimate(5), other_gain=estimate(-5)))
    assert found.word == "yes" and found.elsewhere.value == -5


def test_a_damaged_or_absent_reference_answers_nothing_and_an_absent_run_is_named(run, finish_derl):
    reference = finish_derl("reference", -5.0, faces="ckplus")
    (reference.result("derl").folder / "metrics.json").write_text("{}")
    assert of_derl(run).reference is None
    shutil.rmtree(reference.result("derl").folder)
    assert of_derl(run).reference is None
    with pytest.raises(RunStoreError, match="no run 'b'"):
        answers_of(open_run("b"), {})
