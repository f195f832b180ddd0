"""The questions to one network, whose responses are made up."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from toy_effects import effects_of_size

from book.au_verification import examine as au
from fer_lib.aus.interventions import Interventions
from fer_lib.aus.presence import Presence
from fer_lib.faces.faceset import FaceSet
from fer_lib.stats.two_way import PEOPLE_GROUPS

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
    table = pd.DataFrame({"subject": np.repeat(names, each), "frame": 0, "emotion": "neutral"})
    faces = FaceSet("lab", pixels, table.assign(split="test", dataset="lab", sequence=""))
    valid = np.ones((people, len(AUS)), bool)
    return Interventions(faces, AUS, levels, names, np.zeros(people, int), valid, (1.0,) * len(AUS))


def asked() -> au.Questions:
    shown = people()
    pixels = np.zeros((len(shown), 8, 8), np.uint8)
    table = pd.DataFrame({"subject": shown.subjects, "sequence": shown.sequences, "frame": 0})
    faces = FaceSet("lab", pixels, table.assign(split="test", dataset="lab", emotion=shown.emotions))
    return au.Questions(faces, shown, switched((1.0,)), (), switched((0.5, 1.0)), "auroc", 99)


@pytest.fixture(scope="module")
def found() -> tuple[au.Examined, au.Whole, au.Questions]:
    """Filter 0 detects AU12, and AU12 moves it; filter 1 goes with AU4 and is moved by AU1; 2 to 4 are noise;
    5 never fires.
    """
    questions = asked()
    generator = np.random.default_rng(0)

    def respond(model, faces, layer, device=None):
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
        return *au.examine(
            None, "relu3", questions, about=("trained", "zero_bias", 7), measures=("kl", "auroc")
        ), questions


def test_a_detector_is_claimed_and_its_unit_moves_it(found):
    own, whole, _ = found
    assert (own.group, own.structure, own.seed, own.filters) == ("trained", "zero_bias", 7, 6)
    assert own.claimed[0].tolist() == ["AU12", "AU4", "", "", "", ""]
    assert own.caused[0, :2].tolist() == ["AU12", "AU1"] and own.caused[0, 5] == ""
    assert own.overall.tolist() == own.claimed[0].tolist()
    assert len(own.named) == 2 and all(
        named[0, :2].tolist() == ["AU12", "AU4"] and named[0, 5] == "" for named in own.named.values()
    )
    assert own.strength[0, 0].argmax() == 2 and whole.overall.observed[0].argmax() == 2


def test_answers_are_given_without_each_group_of_people(found):
    own, _, questions = found
    for rows in (own.claimed, own.caused, own.raw, own.strength, own.named["kl"]):
        assert len(rows) == 1 + PEOPLE_GROUPS
    assert (own.claimed[:, 0] == "AU12").all() and len(set(own.strength[:, 0, 2])) > 5
    kept = au._all_but_one(questions.shown.subjects, PEOPLE_GROUPS)
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


def test_the_highest_intensity_alone_is_the_same_pictures():
    questions = asked()
    assert questions.full.levels == (1.0,) and len(questions.full.faces) == 12 * 4
    np.testing.assert_array_equal(questions.full.off, questions.dose.off)
    np.testing.assert_array_equal(questions.full.pixels[:, :, 0], questions.dose.pixels[:, :, -1])
