"""The tables and numbers of populations of networks, on answers of a few filters."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from book.au_verification import study as au
from fer_lib.aus.detectors import Detectors
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.request import FaceRequest
from fer_lib.train.lesson import TrainedNetwork
from tests.book.au_verification.toy_networks import answered

KNOWS = ["AU1", "AU4", "AU12", ""], ["AU1", "AU4", "AU12", "AU12"]
GUESSES = ["AU12", "AU12", "AU12", ""], ["AU12", "AU1", "AU1", "AU1"]


@pytest.fixture
def examined():
    return [
        answered(*KNOWS, seed=0),
        answered(*KNOWS, group="random mixtures", seed=0, score=3),
        answered(*GUESSES, seed=1),
        answered(*GUESSES, group="random mixtures", seed=1, score=3),
        answered(*KNOWS, group="photographs", structure="residual"),
        answered(*GUESSES, group="untrained", score=4),
        answered(*GUESSES, group="untrained", seed=1, score=4),
        answered(*GUESSES, group="untrained", structure="residual"),
    ]


def test_populations_are_named_by_group_and_by_a_structure_that_is_not_the_first_one_s(examined):
    groups = au.populations_of(examined)
    assert {name: len(networks) for name, networks in groups.items()} == {
        "trained": 2,
        "random mixtures": 2,
        "photographs, residual": 1,
        "untrained": 2,
        "untrained, residual": 1,
    }
    assert au.rivals_of(groups["photographs, residual"], examined) == groups["untrained, residual"]
    breuer = answered(*KNOWS, group="breuer", structure="breuer")
    assert list(au.populations_of([*examined, breuer]))[-1] == "breuer"


def test_trained_networks_are_held_against_untrained_ones_of_their_structure(examined):
    found = au.population_metrics(examined)
    assert found["kappa"].value == 0.5 and found["kappa"].n == 2
    assert found["kappa_over_untrained"].value == 0.5 and found["untrained_kappa"].value == 0
    assert found["photographs_residual_kappa_over_untrained"].value == 1
    assert found["verified_gain"].low < found["verified_gain"].value == 1 < found["verified_gain"].high
    assert found["distinct_units_over_untrained"].value == 1
    assert found["kl_agreement_kappa"].value == 0.5 and found["auroc_agreement_kappa"].value == 1
    # The untrained score 4 with AU12 and nothing with others, the mixtures 3 with what their filters claim.
    assert found["beyond_untrained"].value == 3
    assert found["beyond_untrained_over_mixtures"].value == ((3 - 2) + (3 - 0)) / 2
    assert found["beyond_untrained_over_mixtures"].low < 0, "a difference has no end at 0"
    assert found["verified_gain"].low < 0 == found["verified"].low, "nor what is more or less than chance"
    assert "untrained_kappa_over_untrained" not in found
    assert found["cause_reliability"].unit == "share" and found["selective"].unit == "count"


def test_networks_are_held_against_those_that_learned_the_same_with_shuffled_labels(examined):
    assert not [name for name in au.population_metrics(examined) if name.endswith("over_shuffled")]
    by_heart = [
        answered(*KNOWS, group="photographs"),
        answered(*GUESSES, group="photographs shuffled"),
    ]
    found = au.population_metrics([*examined, *by_heart])
    over = {name: each.value for name, each in found.items() if name.endswith("over_shuffled")}
    assert over == {"photographs_kappa_over_shuffled": 1}


def test_trained_networks_and_their_own_mixtures_are_compared_pair_by_pair(examined):
    networks = []
    for seed, verified in enumerate((4, 8)):
        right, wrong = ["AU1", "AU4", "AU12"] * 4, ["AU4", "AU12", "AU1"] * 4
        for group, count in (("trained", verified), ("random mixtures", verified - 3)):
            networks.append(answered(right, right[:count] + wrong[count:], group=group, seed=seed))
    blank = answered(right, wrong, group="untrained")
    found = au.population_metrics([*networks, blank])
    # Every network is three filters ahead of its mixtures, though the networks are four apart.
    paired = found["verified_gain_over_mixtures"]
    assert paired.value == pytest.approx(3) and paired.why.startswith("it is the same in all networks")
    assert found["verified_gain"].high - found["verified_gain"].low > 10
    assert {"kappa_over_mixtures", "distinct_units_over_mixtures"} <= found.keys()


def test_networks_of_larger_pictures_are_compared_with_the_trained_ones(examined):
    large = [answered(*KNOWS, group="published", structure="96 px", seed=seed) for seed in (0, 1)]
    blank = answered(*GUESSES, group="untrained", structure="96 px")
    found = au.population_metrics([*examined, *large, blank])
    kappa, units = (found[f"published_96_px_{m}_over_smaller"] for m in ("kappa", "distinct_units"))
    assert kappa.value == 0.5 and kappa.low < 0.5 < kappa.high and "2 and 2 networks" in kappa.how
    assert units.value == found["published_96_px_distinct_units"].value - found["distinct_units"].value > 0
    told = au.what_size_changes(found)
    assert "networks: κ 0.5 (" in told and told.endswith("units with detectors 1 (−4 to 4).")
    assert au.what_size_changes(au.population_metrics(examined)) == ""


def test_of_one_network_the_interval_says_what_it_does_not_cover(examined):
    alone = [examined[0], examined[1], *examined[5:7]]
    alone[0].claimed[1, 0] = "AU4"
    found = au.population_metrics(alone)["kappa_over_untrained"]
    assert found.n == 1 and "one network" in found.how
    assert "another training is not covered" in au.how_many(alone, {})
    assert "another training" not in au.how_many(examined, {})
    assert au.how_many(examined, {"shuffled": []}).endswith("None is kept of shuffled labels by heart.")


def test_the_strip_has_every_network_and_the_mean_of_its_kind(examined):
    table = au.strip_table(examined)
    assert len(table) == 2 * len(examined) and table["population"].iloc[0] == "trained"
    own = table[table["population"].eq("trained") & table["panel"].eq("κ of claim and cause")]
    assert own["value"].tolist() == [1, 0] and own["mean"].tolist() == [0.5, 0.5]
    assert (own["low"] < 0.5).all() and own["seed"].tolist() == [0, 1]


def test_units_and_measures_are_told_for_trained_and_untrained_networks(examined):
    units = au.unit_table(examined).set_index(["series", "au"])["value"]
    assert units["trained", "AU1"] == pytest.approx(1 / 3) and units["untrained", "AU1"] == 0
    measures = au.agreement_table(examined).set_index(["series", "measure"])["value"]
    assert measures["trained", "2·AUROC − 1"] == 1 and measures["trained", "KL divergence"] == 0.5


def learned(network: str, seed: int, size: int = 48) -> TrainedNetwork:
    lesson = SimpleNamespace(network=network, seed=seed, faces=FaceRequest("lab", size=size))
    return TrainedNetwork(f"some {seed}", f"{network} {seed}", lesson)


@pytest.fixture
def networks(monkeypatch):
    """Networks whose answers are who they are, at which layer, and what they were asked."""

    def examine(model, layer, questions, *, about, device, measures=()):
        answer = SimpleNamespace(about=about, at=(model, layer), asked=questions, measures=len(measures))
        return SimpleNamespace(**vars(answer), filters=4), model

    monkeypatch.setattr(au, "examine", examine)
    monkeypatch.setattr(au, "last_conv", lambda model: f"last of {model}")
    monkeypatch.setattr(au, "rotated_channels", lambda model, at, *_: (f"mixed {model}", at))
    monkeypatch.setattr(au, "untrained_network", lambda model, seed: f"untrained {model}")


@pytest.mark.usefixtures("networks")
def test_every_network_is_asked_and_untrained_ones_of_every_structure():
    given = [learned("zero_bias", 4), learned("zero_bias", 5)]
    beside = {
        "photographs_zero_bias": [learned("zero_bias", 0)],
        "photographs_residual": [learned("residual", 0)],
    }
    answers, whole = au.examine_all(given, beside, None, layer="relu1", untrained=1)
    assert whole == "zero_bias 4", "what is behind the first network's answers is kept"
    assert {each.about: each.at for each in answers} == {
        ("trained", "zero_bias", 4): ("zero_bias 4", "relu1"),
        ("trained", "zero_bias", 5): ("zero_bias 5", "relu1"),
        ("random mixtures", "zero_bias", 4): ("mixed zero_bias 4", "relu1"),
        ("random mixtures", "zero_bias", 5): ("mixed zero_bias 5", "relu1"),
        ("photographs", "zero_bias", 0): ("zero_bias 0", "relu1"),
        ("photographs", "residual", 0): ("residual 0", "last of residual 0"),
        ("untrained", "zero_bias", 0): ("untrained zero_bias 4", "relu1"),
        ("untrained", "residual", 0): ("untrained residual 0", "last of residual 0"),
    }
    named = {each.about[:2] for each in answers if each.measures}
    assert named == {("trained", "zero_bias"), ("untrained", "zero_bias")}
    many, _ = au.examine_all(given, beside, None, layer="relu1", untrained=9)
    assert len(many) == 6 + 9 + au.UNTRAINED_BESIDE


@pytest.mark.usefixtures("networks")
def test_networks_of_larger_pictures_are_asked_with_larger_pictures():
    given, beside = [learned("zero_bias", 4)], {"published_96": [learned("zero_bias", 0, 96)]}
    large = SimpleNamespace(faces=SimpleNamespace(size=(96, 96)))
    answers, _ = au.examine_all(given, beside, "small", larger=large, untrained=1)
    assert {each.about: each.asked for each in answers} == {
        ("trained", "zero_bias", 4): "small",
        ("random mixtures", "zero_bias", 4): "small",
        ("published", "96 px", 0): large,
        ("untrained", "zero_bias", 0): "small",
        ("untrained", "96 px", 0): large,
    }


def faces(name: str, aus: bool) -> FaceSet:
    table = pd.DataFrame({"subject": ["a", "b"], "frame": 0, "emotion": "neutral", "split": "test"})
    table = table.assign(dataset=name, sequence="", **({"AU1": [0.0, 1.0]} if aus else {}))
    return FaceSet(name, np.zeros((2, 8, 8), np.uint8), table)


@pytest.mark.parametrize(
    ("given", "own", "told"),
    [
        (faces("lab", True), False, "2 rendered people whom no network has seen"),
        (faces("ckplus", True), True, "those of ckplus"),
        (faces("fer2013", False), False, "Nobody coded action units in fer2013"),
    ],
)
def test_filters_are_judged_on_people_whom_no_network_has_seen(given, own, told):
    strangers = faces("lab", True)
    found, said = au.whose_pictures(given, strangers)
    assert found is (given if own else strangers) and told in said


def test_filters_are_told_one_by_one_and_their_claims_handed_on():
    own = answered(*GUESSES)
    table = au.filter_table(own)
    assert table["within"].tolist() == GUESSES[0] and table["causal"].tolist() == GUESSES[1]
    assert table["verified"].tolist() == [True, False, False, False]
    assert table["score"].tolist()[:3] == [5, 5, 5] and np.isnan(table["score"].iloc[3])
    observed = np.arange(12.0).reshape(4, 3)
    whole = SimpleNamespace(overall=SimpleNamespace(observed=observed))
    found = au.claimed_detectors(own, whole, "relu3")
    assert Detectors.model_validate_json(found.model_dump_json()) == found and found.layer == "relu3"
    told = [(each.filter, each.au, each.association, each.moved_by) for each in found.filters]
    assert told == [(2, "AU12", 8, "AU1"), (1, "AU12", 5, "AU1"), (0, "AU12", 2, "AU12")]
    assert [each.verified for each in found.filters] == [False, False, True]


def test_counts_of_the_page(examined):
    metrics = au.count_metrics(examined, np.array([0.5, 1, np.nan]))
    told = {name: metric.value for name, metric in metrics.items()}
    assert told == {"networks": 2, "filters": 4, "kl_stability": 0.75}


def test_luck_is_told_by_its_middle_and_by_what_one_deal_in_twenty_passes():
    found = au.luck_metrics(np.linspace(0.6, 0.8, 21), np.full(21, 0.5))
    assert {name: round(each.value, 6) for name, each in found.items()} == {
        "luck": 0.7,
        "luck_bar": 0.79,
        "luck_singly": 0.5,
    }
