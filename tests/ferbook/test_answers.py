"""The one engine: what numbers answer to a claim, what an open answer lacks, and who answers."""

import dataclasses
import shutil

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
    ends = {"form": "degree", "floor": "untrained", "ceiling": "trained on units", "unit": "points"}
    return claim(**ends | {"matters": 0.05} | fields)


def estimate(value, half=1.0, freedom=20.0, **fields):
    return Estimate(value, value - half, value + half, freedom=freedom, how="made", **fields)


def told(facts=(), **metrics):
    return {"throws": Evidence(metrics, dict(facts)), "means": Evidence()}


def test_a_difference_is_answered_with_its_size_and_its_p():
    found = answer_claim(difference(), {}, told(gain=estimate(5), control=estimate(0)))
    assert (found.word, found.missing, found.absolute) == ("yes", "", "5.0")
    assert found.sentence == "A difference of 5.0 (95\u00a0% interval 4.0–6.0) points; 2 points would matter."
    law = stats.t(20)
    error = 1 / law.ppf(0.975)
    assert found.p == pytest.approx(2 * law.sf(5 / error), rel=1e-4)
    assert found.detectable == pytest.approx((law.ppf(0.975) + law.ppf(0.8)) * error)


@pytest.mark.parametrize(
    ("polarity", "value", "word", "words", "bounds"),
    [
        ("more", 0.5, "no", "Equal within 2 points", [-2, 2]),
        ("more", -5, "no", "Worse than", [0]),
        ("as_good", 5, "no", "A difference of 5.0", [2]),
        ("not_worse", -5, "no", "A difference of −5.0", [-2]),
        ("more_than", 5, "yes", "More than 2 points", [2]),
        ("more_than", 0.5, "no", "Less than 2 points", [2]),
    ],
)
def test_each_answer_has_its_words_and_the_p_of_its_bound(polarity, value, word, words, bounds):
    found = answer_claim(difference(polarity), {}, told(gain=estimate(value)))
    assert found.word == word and found.sentence.startswith(words)
    error = 1 / stats.t(20).ppf(0.975)
    expected = max(2 * stats.t(20).sf(abs(value - bound) / error) for bound in bounds)
    assert found.p == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("value, word, bound", [(0.77, "yes", 0.5), (0.3, "partly", 0), (-0.2, "no", 0.1)])
def test_a_degree_is_answered_between_its_controls(value, word, bound):
    gain, apart = estimate(value, 0.2), estimate(0.23, 0.1)
    found = answer_claim(degree(), {}, told(gain=estimate(0.2, 0.1), gain_degree=gain, gain_room=apart))
    assert found.word == word
    assert found.sentence.startswith(
        "On a scale from 0 % (untrained) to 100 % (trained on units) this lies at "
    )
    error = 0.2 / stats.t(20).ppf(0.975)
    assert found.p == pytest.approx(2 * stats.t(20).sf(abs(value - bound) / error), rel=1e-3)


@pytest.mark.parametrize(
    ("high", "control", "said"),
    [(0.9, 0.2, ""), (1.1, 0.2, "reaches above 100 %"), (0.9, 0.4, "control lies above it (0.40)")],
)
def test_a_card_says_where_the_upper_control_is_no_ceiling(high, control, said):
    numbers = told(gain=estimate(0.2, 0.1), control=estimate(control, 0.1), gain_room=estimate(0.23, 0.1))
    numbers["throws"].metrics["gain_degree"] = Estimate(0.7, 0.5, high, how="made", freedom=9)
    found = answer_claim(degree(), {}, numbers)
    assert said in found.sentence and ("More than 100 %" in found.sentence) is bool(said)


def test_controls_that_do_not_differ_decide_nothing_and_uncertain_ones_neither():
    numbers = told(gain_degree=Estimate(0.4, why="too uncertain"), gain_room=estimate(0.01, 0.03))
    none = answer_claim(degree(), {}, numbers)
    assert (none.word, none.missing, none.p) == ("controls alike", "", None)
    assert "0.010 (−0.020 to 0.040)" in none.sentence and "0.05 points" in none.sentence
    numbers["throws"].metrics["gain_room"] = estimate(0.1, 0.2)
    found = answer_claim(degree(), {}, numbers)
    assert (found.word, found.p, found.missing) == ("undecided", None, "too uncertain")
    assert "0.10 (−0.10 to 0.30)" in found.sentence and found.sentence.endswith("Undecided: too uncertain.")


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [
        ({}, "not measured: the run has no finished chapter throws"),
        ({"gain": estimate(0.2)}, "it has no throws.gain_degree"),
        ({"gain_degree": estimate(0.5, 0.1)}, "not measured in this run"),
        ({"gain_degree": estimate(0.5, 0.1), "gain_room": Estimate(0.2, why="one")}, "no interval: one"),
        ({"gain_degree": estimate(1.5, 0.1), "gain_room": estimate(0.2, 0.1)}, "is no ceiling"),
        ({"gain_degree": estimate(0.5, 0.1), "gain_room": estimate(-0.1, 0.3)}, "below the lower one"),
        ({"gain_degree": estimate(0.05, 0.1), "gain_room": estimate(0.2, 0.1)}, "more than 10 %"),
    ],
)
def test_what_an_undecided_degree_lacks_is_named(numbers, missing):
    found = answer_claim(degree(), {}, told(**numbers))
    assert found.word == "undecided" and missing in found.missing and found.p is None


def test_an_undecided_difference_says_how_many_would_decide_it():
    people = {"sample": [["people", "throws.people"]]}
    numbers = told({"people": 30}, gain=estimate(1, 4))
    found = answer_claim(difference(**people), {}, numbers)
    # Above 0 where the interval is a quarter as wide: 16 times the people.
    assert found.word == "undecided" and found.p is None and found.needed == pytest.approx(16, rel=0.1)
    assert found.sample == {"people": 30} and "(now 30) would decide it" in found.sentence
    assert "no effect and one that matters (2 points)" in found.sentence
    assert "no sample of 100 times" in answer_claim(difference(), {}, told(gain=estimate(0.01, 40))).sentence
    bare = answer_claim(difference(), {}, told(gain=Estimate(1, why="one person")))
    assert bare.word == "undecided" and bare.missing == "it has no interval: one person"


@pytest.mark.parametrize(
    ("gate", "found", "own", "reply"),
    [
        ({"above": 4}, Estimate(5, unit="count"), False, "yes"),
        ({"above": 4, "own": 2}, Estimate(3, unit="count"), True, "yes"),
        ({"above": 4, "own": 2}, Estimate(2, unit="count"), True, "no"),
        ({"above": 1}, estimate(1.5), False, "undecided"),
        ({"below": 1}, estimate(-1), False, "yes"),
        ({"below": 1}, estimate(3), False, "no"),
        ({"not_above": 1}, estimate(1.5), False, "yes"),
        ({"not_above": 1}, estimate(2.5), False, "no"),
        ({"above": 4}, None, False, "not measured"),
    ],
)
def test_a_gate_is_passed_by_the_whole_interval(gate, found, own, reply):
    asked = Gate(requires="Is it?", metric="throws.n", **gate)
    one = passed(asked, told(**{"n": found} if found else {}), {} if own else None)
    assert one.reply == reply and one.sentence.startswith(f"Is it? {reply.capitalize()}")


def test_a_control_that_a_users_run_did_not_measure_is_the_references_and_says_so():
    low = Gate(requires="Low?", metric="throws.n", not_above=0.1)
    one = passed(low, told(), told(n=estimate(0.05, 0.01)))
    assert one.reply == "yes" and "0.050 (0.040–0.060), reference" in one.sentence
    assert passed(low, told(n=estimate(0.5, 0.01)), told(n=estimate(0.05, 0.01))).reply == "no"
    many = Gate(requires="Many?", metric="throws.n", above=4)
    assert passed(many, told(), told(n=Estimate(9, unit="count"))).reply == "not measured", "each its own"


def test_a_gate_that_is_not_passed_leaves_the_claim_undecided_and_is_named():
    many = Gate(requires="Many?", metric="throws.throws", above=9)
    gates = {"six": Gate(requires="Six sides?", noted="throws.sides", equals=6), "many": many}
    asked = difference(gates=("six", "many"))

    def found(sides, throws):
        numbers = told({"sides": sides}, gain=estimate(5), throws=Estimate(throws, unit="count"))
        return answer_claim(asked, gates, numbers)

    assert found(6, 10).word == "yes"
    few = found(6, 9)
    assert few.word == "undecided" and few.p is None and few.detectable is not None
    assert few.sentence.endswith("Undecided: Many? No: 9 (needed: more than 9).")
    assert "Six sides? No: 8 (needed: 6)" in found(8, 9).missing, "the first that fails"
    with pytest.raises(DataError, match=r"throw.gain: no chapter 'throw' \(did you mean 'throws'"):
        answer_claim(difference(measure="throw.gain"), {}, told())


def test_correction_counts_all_measured_claims_and_an_undecided_one_as_one():
    made = [difference(short=name, measure=f"throws.{name}") for name in ("a", "b", "c", "d")]
    claims = Claims(papers=[{"paper": "p", "name": "P", "claims": [each.model_dump() for each in made]}])
    numbers = told(a=estimate(1.5), b=estimate(5), c=estimate(0, 5))
    found = {each.claim.short: each for each in answer_all(claims, numbers)}
    assert found["c"].corrected is None and found["d"].corrected is None and not found["c"].holds
    assert found["b"].corrected == pytest.approx(3 * found["b"].p) and found["b"].holds
    assert found["a"].corrected == pytest.approx(2 * found["a"].p)
    assert found["b"].certainty.startswith("significant") and found["c"].certainty == ""


def test_stored_networks_answer_in_the_place_of_the_one_that_a_run_trained_and_the_answer_says_so():
    gates = {"five": Gate(requires="Five networks?", metric="throws.networks", above=4, own=2)}
    mine, stored = {"gain": estimate(-3), "networks": 1}, {"stored_gain": estimate(15), "stored_networks": 3}
    counts = {name: Estimate(n, unit="count") for name, n in (mine | stored).items() if isinstance(n, int)}
    asked = difference(gates=("five",))
    alone, both = (
        answer_claim(asked, gates, told(**each | {k: v for k, v in counts.items() if k in each}), told())
        for each in (mine, mine | stored)
    )
    assert (alone.word, alone.estimate.value, alone.whose) == ("undecided", -3, "")
    assert (both.word, both.estimate.value, both.whose) == ("yes", 15, answers.STORED_NETWORKS)
    other = answer_claim(difference(measure="throws.other"), {}, told(other=estimate(5), **stored))
    assert other.whose == "", "of the network that the run trained"
    assert both.absolute == "15.0" and both.to_json()["whose"] == answers.STORED_NETWORKS


@pytest.fixture
def run(finish_derl):
    return finish_derl("a", 5.0, faces="ckplus")


def of_derl(run):
    every = answers_of(run, matching_references(run)).every
    return {each.main.claim.short: each for each in every}["The residue beats the face"]


def test_what_a_finished_chapter_answers_is_answered_and_the_rest_is_not_measured(run):
    every = answers_of(run, matching_references(run)).every
    assert {each.own.word for each in every if each.paper == "yang2018"} == {"yes"}
    others = [each.own.missing for each in every if each.paper != "yang2018"]
    assert others and all(missing.startswith("not measured: the run has no") for missing in others)


def test_the_references_answer_comes_first_and_the_runs_next_to_it(run, finish_derl, monkeypatch):
    finish_derl("reference", -5.0, faces="ckplus")
    found = of_derl(run)
    assert (found.main.word, found.own.word) == ("no", "yes") and found.apart and found.disagree
    assert of_derl(open_run("reference")).reference is None
    data = found.to_json()
    assert (data["answer"], data["reference"]["answer"], data["whose"]) == ("yes", "no", "")
    assert " Yes: " in data["gates"]["generators_repeated"]
    monkeypatch.setattr(Claims, "is_former", lambda self, finished: True)
    for each in (run, open_run("reference")):
        with pytest.raises(DataError, match=r"runs/reference/derl: .* were frozen: `ferbook run derl"):
            of_derl(each)


def test_a_reference_on_other_faces_does_not_answer_what_the_run_shows(finish_derl):
    run = finish_derl("a", 5.0, faces="lab")
    finish_derl("reference", -5.0, faces="ckplus")
    assert of_derl(run).reference is None


def faces(checksum):
    return {"name": "lab/2", "pictures": 9, "checksum": checksum}


@pytest.mark.defect("E1")
@pytest.mark.parametrize(
    ("ahead", "seeds", "checksum", "whose", "repeats"),
    [
        (5.0, (), "a", "", False),
        (5.0, (1, 2), "a", "", True),
        (6.0, (1,), "a", "", True),
        (5.0, (1, 2), "b", "", True),
        (6.0, (1, 2), "b", "stored networks, your faces", False),
        (6.0, (1, 7), "a", "stored networks, your faces", False),
    ],
    ids=["trained", "same", "fewer", "same number", "new faces", "new network"],
)
def test_a_run_answers_by_its_own_networks_or_faces(finish_derl, ahead, seeds, checksum, whose, repeats):
    """What repeats the reference, the same networks on the same pictures, is no answer of the run."""
    for name, of, kept, data in (("reference", 5.0, (1, 2, 3), "a"), ("a", ahead, seeds, checksum)):
        record = {"populations": {"emotions": {"kept": list(kept)}} if kept else {}, "data": faces(data)}
        run = finish_derl(name, of, faces="ckplus", record=record)
    found = of_derl(run)
    told = "not an answer of your run: the same stored networks" in found.own.missing
    assert (told, found.own.whose) == (repeats, whose)
    assert (found.own.estimate is None) is repeats and found.apart is not repeats
    assert bool(found.to_json()["gates"]) is not repeats, "no gate of what is no answer is checked"
    assert ("ot an answer of your run" in found.own.sentence) is repeats and found.reference.whose == ""


def test_an_answer_without_its_controls_value_is_none(finish_derl):
    found = of_derl(finish_derl("a", 5.0, without=["cnn_accuracy", "majority_accuracy"], faces="ckplus"))
    assert found.own.word == "undecided" and "derl.cnn_accuracy" in found.own.missing


def test_what_a_second_model_repeats_is_shown_and_decides_nothing(monkeypatch):
    again = dataclasses.replace(suite(), again=("other_", "on other tables"))
    monkeypatch.setattr(answers, "suite", lambda: again)
    found = answer_claim(difference(), {}, told(gain=estimate(5), other_gain=estimate(-5)))
    assert found.word == "yes" and found.second_model.value == -5


def test_a_damaged_or_absent_reference_answers_nothing_and_an_absent_run_is_named(run, finish_derl):
    reference = finish_derl("reference", -5.0, faces="ckplus")
    (reference.result("derl").folder / "metrics.json").write_text("{}")
    assert of_derl(run).reference is None
    shutil.rmtree(reference.result("derl").folder)
    assert of_derl(run).reference is None
    with pytest.raises(RunStoreError, match="no run 'b'"):
        answers_of(open_run("b"), {})
