"""The questions to one network, whose responses are made up; and its numbers, on answers of four filters."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from book.au_verification import examine as au
from book.au_verification.chapter import AuVerificationParameters
from book.au_verification.examine import READINGS, agreement_share, gain_by_unit, on_other_heads
from fer_lib.aus.interventions import Interventions
from fer_lib.aus.presence import Presence
from fer_lib.stats.two_way import PEOPLE_GROUPS, all_but_one
from tests.book.au_verification.toy_effects import effects_of_size
from tests.book.au_verification.toy_networks import answered
from tests.made import made_faces

AUS = ("AU1", "AU4", "AU12")
PEOPLE = 24


def people() -> Presence:
    """Two sequences of three frames each per person: neutral, then two frames in which units are shown at
    random.
    """
    generator = np.random.default_rng(1)
    shown = generator.random((PEOPLE, 2, len(AUS))) < 0.5
    present = np.zeros((PEOPLE, 2, 3, len(AUS)))
    present[:, :, 1:] = shown[:, :, None]
    who = np.repeat([f"s{i}" for i in range(PEOPLE)], 6)
    sequence = np.tile(np.repeat(["one", "two"], 3), PEOPLE)
    emotions = np.tile(["neutral", "happiness", "happiness"], 2 * PEOPLE)
    return Presence(AUS, present.reshape(-1, len(AUS)), who, sequence, emotions)


def switched(levels: tuple[float, ...], people: int = 12) -> Interventions:
    """Base faces whose grey value is their number, and one more for each unit and level."""
    each = 1 + len(AUS) * len(levels)
    numbers = np.add.outer(np.arange(people), np.arange(each)).ravel()
    pixels = np.repeat(numbers, 64).reshape(-1, 8, 8).astype(np.uint8)
    names = np.array([f"p{i:02}" for i in range(people)])
    faces = made_faces(pixels, "lab", subject=np.repeat(names, each), emotion="neutral")
    return Interventions(faces, AUS, levels, names, (1.0,) * len(AUS))


def asked() -> au.Questions:
    shown = people()
    pixels = np.zeros((len(shown), 8, 8), np.uint8)
    known = {"subject": shown.subjects, "sequence": shown.sequences, "emotion": shown.emotions}
    faces = made_faces(pixels, "lab", **known)
    return au.Questions(faces, shown, switched((1.0,)), (), switched((0.5, 1.0)), "auroc", 99)


@pytest.fixture(scope="module")
def found() -> tuple[au.Examined, au.Whole, au.Questions]:
    """Filter 0 detects AU12, and AU12 moves it; filter 1 goes with AU4 and is moved by AU1; 2 to 4 are noise;
    5 never fires.
    """
    questions = asked()
    generator = np.random.default_rng(0)

    def respond(model, faces, layer, **_):
        maxima = generator.random((len(faces), 6))
        maxima[:, 5] = 0
        if faces is questions.faces:
            maxima[:, 0] += 3 * questions.shown.present[:, 2]
            maxima[:, 1] += 3 * questions.shown.present[:, 1]
        else:
            maxima = maxima.reshape(-1, 4, 6)
            maxima[:, 3, 0] += 9
            maxima[:, 1, 1] += 9
            maxima = maxima.reshape(-1, 6)
        return SimpleNamespace(maxima=maxima)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(au, "maximal_responses", respond)
        responses = au.responses_of(None, "relu3", questions, None)
        about = ("trained", "zero_bias", 7)
        return *au.examine(responses, questions, about=about, measures=("kl", "auroc")), questions


def test_a_detector_is_claimed_and_its_unit_moves_it(found):
    own, whole, _ = found
    assert (own.group, own.structure, own.seed, own.filters) == ("trained", "zero_bias", 7, 6)
    assert own.claimed[0].tolist() == ["AU12", "AU4", "", "", "", ""]
    assert own.caused[0, :2].tolist() == ["AU12", "AU1"] and own.caused[0, 5] == ""
    assert own.overall.tolist() == own.claimed[0].tolist()
    assert len(own.named) == 2
    assert all(named[0, :2].tolist() == ["AU12", "AU4"] and named[0, 5] == "" for named in own.named.values())
    assert own.strength[0].argmax() == 2 and whole.overall.observed[0].argmax() == 2


def test_answers_are_given_without_each_group_of_people(found):
    own, _, questions = found
    for rows in (own.claimed, own.caused, own.named["kl"]):
        assert len(rows) == 1 + PEOPLE_GROUPS
    assert (own.claimed[:, 0] == "AU12").all()
    kept = all_but_one(questions.shown.subjects, PEOPLE_GROUPS)
    left_out = [set(questions.shown.subjects[~rows]) for rows in kept[1:]]
    assert kept[0].all() and set.union(*left_out) == set(questions.shown.subjects)
    assert sum(map(len, left_out)) == PEOPLE


def test_the_cause_is_the_unit_that_raises_a_filter_most_on_average():
    effects = effects_of_size([[0.5, 3.0, 0.0], [0.0, 0.0, -2.0], [0.9, 0.0, 0.0]], AUS)
    assert au.causes(effects).tolist() == [["AU4", "", "AU1"]]
    people = np.zeros((10, 1, 3))
    people[:, 0, 0], people[0, 0, 1] = 1, 20
    outlier = au.causes(effects_of_size([[1.0, 2.0, 0.0]], AUS, people=people), 10)
    assert (outlier == "AU4").sum() == 10 and (outlier == "AU1").sum() == 1


@pytest.fixture
def switchings(monkeypatch):
    """What is switched on, in whom, in place of pictures of it."""
    asked_for = []

    def interventions(people, aus, levels, *, doses=None, **where):
        asked_for.append((where["domain"], people, tuple(levels), doses))
        return f"{where['domain']}, {people}"

    matched = partial(SimpleNamespace, unreached=())
    monkeypatch.setattr(au, "interventions", interventions)
    monkeypatch.setattr(au, "matched_doses", lambda dose: matched(intensities=f"for {dose}"))
    return asked_for


@pytest.mark.parametrize("there", [True, False])
def test_other_heads_are_asked_at_equal_energy_where_they_are_at_hand(monkeypatch, switchings, there):
    monkeypatch.setattr(au, "source_status", lambda name: {"found": there and name == "heads"})
    coded = people()
    with_another = replace(coded, aus=("AU11", *coded.aus), present=np.insert(coded.present, 0, True, axis=1))
    monkeypatch.setattr(au, "presence", lambda *_: SimpleNamespace(scored=lambda: with_another))
    own = au.questions_of(AuVerificationParameters(other_heads=14), asked().faces)
    assert own.elsewhere == ("heads, 14" if there else None) and own.equal == "lab, 12"
    assert own.shown.aus == coded.aus, "no synthetic face can show AU11"
    full = au.DOSE_LEVELS[-1:]
    asked_for = [("lab", 8, au.DOSE_LEVELS, None), ("lab", 12, full, "for lab, 8")]
    there_asked = [("heads", 4, au.DOSE_LEVELS, None), ("heads", 14, full, "for heads, 4")]
    assert switchings == asked_for + (there_asked if there else [])


def test_a_network_is_asked_about_other_heads_too(monkeypatch):
    """Filter 0 is moved by AU12 here and by AU1 there, filter 1 by AU4 on both."""
    more = {"elsewhere": switched((1.0,), 10), "stronger": switched((1.0,)), "clear": people()}
    questions = replace(asked(), **more)
    generator = np.random.default_rng(0)

    def respond(model, faces, layer, **_):
        maxima = generator.random((len(faces), 2))
        if faces is not questions.faces:
            moved = maxima.reshape(-1, 4, 2)
            moved[:, 1 if len(faces) == 40 else 3, 0] += 9
            moved[:, 2, 1] += 9
        return SimpleNamespace(maxima=maxima)

    monkeypatch.setattr(au, "maximal_responses", respond)
    monkeypatch.setattr(au, "choose_precision", lambda *_: SimpleNamespace(name="float32"))
    responses, about = au.responses_of(None, "relu3", questions, None), ("trained", "zero_bias", 7)
    own, _ = au.examine(responses, questions, about=about)
    assert (
        own.effects.shape == (2, 2, 11, 2, 3)
        and own.also_claimed.shape == (2, 2)
        and own.caused[0].tolist() == ["AU12", "AU4"]
        and own.elsewhere.tolist() == [["AU1", "AU4"]] * 11
    )
    second, _ = au.examine(responses.of(slice(1, 2)), questions, about=about, groups=0)
    assert second.caused.tolist() == [["AU4"]] and second.elsewhere.tolist() == [["AU4"]]
    alone, _ = au.examine(au.responses_of(None, "relu3", asked(), None), asked(), about=about, groups=0)
    assert alone.elsewhere is None


def test_whom_networks_are_asked_about_is_told_by_number_and_by_who_they_are():
    one, other = asked(), replace(asked(), equal=switched((1.0,), 11))
    assert one.people.startswith("24 people and 12 activated (") and one.people == asked().people
    assert other.people.startswith("24 people and 11 activated (")
    renamed = replace(one.shown, subjects=np.char.add(one.shown.subjects, "x"))
    assert replace(one, shown=renamed).people != one.people


def test_what_is_verified_or_named_rightly_is_held_against_claims_and_causes_paired_at_random():
    own = answered(["AU1", "AU1", "AU12", ""], ["AU1", "AU4", "AU12", "AU12"])
    found = {name: reading(own).tolist() for name, reading in READINGS.items()}
    # Of three claims two are verified; at random 2 · 1/3 for AU1 and 1 · 1/3 for AU12: one.
    assert gain_by_unit(own)[0] == pytest.approx([1 - 2 / 3, 0, 1 - 1 / 3])
    assert found["verified_gain"] == pytest.approx([1] * 4) and found["kappa"] == pytest.approx([0.5] * 4)
    assert found["verified"] == [2] * 4 and found["distinct_units"] == [2] * 4
    assert found["beyond_chance"] == found["beyond_emotion"] == [3] * 4
    assert agreement_share("kl")(own).tolist() == pytest.approx([2 / 3] * 4)
    assert agreement_share("auroc")(own).tolist() == [1] * 4
    assert agreement_share("kl")(answered([""] * 4, ["AU1"] * 4)).tolist() == [0] * 4


def test_where_all_filters_share_one_unit_kappa_is_nought_and_not_undefined():
    assert READINGS["kappa"](answered(["AU12"] * 4, ["AU12"] * 4)).tolist() == [0] * 4
    assert READINGS["kappa"](answered([""] * 4, ["AU12"] * 4)).tolist() == [0] * 4


def test_the_same_claims_are_held_against_what_moves_the_filters_on_other_heads():
    claims, moved = ["AU1", "AU1", "AU12", "AU4", ""], ["AU1", "AU4", "AU12", "AU4", "AU1"]
    own = answered(claims, moved, ["AU1", "AU1", "AU4", "AU4", "AU1"])
    # Of four claims three hold there; by luck AU1 has 2 · 2/4 and AU4 1 · 2/4 of them.
    found = on_other_heads(READINGS["kappa"])(own).tolist()
    assert found == pytest.approx([(3 - 1.5) / (4 - 1.5)] * 4)
    assert READINGS["kappa"](own).tolist() != found
