"""The tables and numbers of populations of networks, on answers of a few filters."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from book.au_verification import study as au
from book.au_verification.chapter import AuVerificationParameters
from book.au_verification.ruler import Cast
from face_sets.faceset import FaceSet
from face_sets.request import FaceRequest
from fer_lib.aus.verification import Detectors
from fer_lib.nets.build import build_network
from fer_lib.train.record import TrainedNetwork
from ferbook.estimate import Estimate
from tests.book.au_verification.toy_networks import answered
from tests.made import made_faces

UNCODED = SimpleNamespace(aus=())
KNOWS = ["AU1", "AU4", "AU12", ""], ["AU1", "AU4", "AU12", "AU12"]
GUESSES = ["AU12", "AU12", "AU12", ""], ["AU12", "AU1", "AU1", "AU1"]


@pytest.fixture
def groups():
    return {
        "trained": [answered(*KNOWS, seed=0), answered(*GUESSES, seed=1)],
        "mixtures": [answered(*GUESSES, group="mixtures", seed=seed) for seed in (0, 1)],
        "units": [answered(*KNOWS, group="units")],
        "untrained": [answered(*GUESSES, group="untrained", seed=seed) for seed in (0, 1)],
    }


def test_trained_networks_are_held_against_untrained_ones(groups):
    found = au.population_metrics(groups)
    assert found["kappa"].value == 0.5 and found["kappa"].n == 2 == found["networks"].value
    assert found["kappa_over_untrained"].value == 0.5 and found["untrained_kappa"].value == 0
    assert found["units_kappa"].value == 1 and found["verified_gain_mixtures"].value == 0
    assert found["verified_gain_over_mixtures"].value == 1 and "mixtures_kappa" not in found
    assert found["verified_gain"].low < found["verified_gain"].value == 1 < found["verified_gain"].high
    assert found["beyond_chance"].how == "Student's t over 2 networks"
    assert found["distinct_units_over_untrained"].value == 1
    assert found["kl_agreement_share"].value == pytest.approx((1 + 1 / 3) / 2)
    assert found["auroc_agreement_share"].value == 1 and found["filters"].value == 4
    assert found["verified_gain"].low < 0 == found["verified"].low, "there may be fewer than by chance"


def test_networks_of_photographs_are_held_against_those_that_learned_them_by_heart(groups):
    assert not [name for name in au.population_metrics(groups) if "shuffled" in name]
    by_heart = {
        "photographs": [answered(*KNOWS, group="photographs", seed=seed) for seed in (0, 1)],
        "photographs_shuffled": [answered(*GUESSES, group="photographs_shuffled")],
    }
    found = au.population_metrics(groups | by_heart)
    assert found["photographs_verified_gain_over_shuffled"].value == 2
    assert (found["photographs_networks"].value, found["photographs_shuffled_networks"].value) == (2, 1)


def test_trained_networks_and_their_own_mixtures_are_compared_pair_by_pair(groups):
    right, wrong = ["AU1", "AU4", "AU12"] * 4, ["AU4", "AU12", "AU1"] * 4
    for seed, verified in enumerate((4, 8)):
        for group, count in (("trained", verified), ("mixtures", verified - 3)):
            groups[group][seed] = answered(right, right[:count] + wrong[count:], group=group, seed=seed)
    found = au.population_metrics(groups)
    # Every network is as far ahead of its mixtures, though the networks are four filters apart.
    assert found["verified_gain_over_mixtures"].why.startswith("it is the same in all networks")
    assert found["verified_gain"].high - found["verified_gain"].low > 10


def test_filters_confirmed_on_a_second_head_model_are_counted_in_groups_that_were_evaluated_there(groups):
    assert "other_heads_verified_gain" not in au.population_metrics(groups)
    groups["trained"] = [answered(*KNOWS, KNOWS[1]), answered(*GUESSES, GUESSES[1], seed=1)]
    found = au.population_metrics(groups)
    assert found["other_heads_verified_gain"].value == 1
    assert "units_other_heads_verified_gain" not in found


def test_of_one_network_the_interval_says_what_it_does_not_cover(groups):
    groups |= {name: groups[name][:1] for name in ("trained", "mixtures")}
    groups["trained"][0].claimed[1, 0] = "AU4"
    found = au.population_metrics(groups)["kappa_over_untrained"]
    assert found.n == 1 and "one network" in found.how


def test_what_is_left_out_is_said_and_the_answer_is_that_of_the_rule():
    number = {name: Estimate(value, unit="count") for name, value in (("filters", 256), ("networks", 1))}
    told = au.ruler_text(number, ["'emotions' has 1 networks; a role takes 3 or more"])
    assert told == "256 filters, 1 network. Left out: 'emotions' has 1 networks; a role takes 3 or more."
    room = Estimate(30, 20, 40, n=3)
    names = ("untrained_verified_gain", "verified_gain", "units_verified_gain")
    number |= {name: Estimate(value, unit="count") for name, value in zip(names, (0, 20, 30), strict=True)}
    for degree, answer in (((0.4, 0.9), "Partly"), ((0.6, 0.9), "Yes"), ((-0.2, 0.09), "No")):
        own = Estimate(sum(degree) / 2, *degree, n=3)
        metrics = number | {"verified_gain_degree": own, "verified_gain_room": room}
        assert au.ruler_text(metrics, []).endswith(f"action units? {answer}.")
    metrics["other_heads_verified_gain_degree"] = Estimate(0.5, 0.4, 0.6, n=3)
    assert "second head model: 0.5" in au.ruler_text(metrics, [])


def test_a_mark_has_every_network_the_mean_and_its_place(groups):
    table = au.marks_table(groups)
    assert len(table) == 7
    order = ["untrained", "random mixtures", "trained on emotions", "trained on units"]
    assert list(table["population"].unique()) == order
    own = table[table["population"].eq("trained on emotions")]
    assert own["value"].tolist() == [2, 0] and own["mean"].tolist() == [1, 1]
    assert (own["low"] < 1).all() and own["seed"].tolist() == [0, 1] and own["place"].tolist() == [0.5] * 2
    ends = table.drop_duplicates("population").set_index("population")["place"]
    assert ends["untrained"] == 0 and ends["trained on units"] == 1
    table = au.marks_table(groups | {"breuer": groups["trained"]})
    assert table["place"].isna().tolist() == table["population"].eq("Breuer's, emotions").tolist()
    del groups["units"]
    assert au.marks_table(groups)["place"].isna().all()


def test_measures_are_told_for_both_ends_too(groups):
    measures = au.agreement_table(groups).set_index(["series", "measure"])["value"]
    assert measures["trained on emotions", "2·AUROC − 1"] == 1
    assert measures["trained on emotions", "KL divergence"] == pytest.approx((1 + 1 / 3) / 2)


def learned(seed: int, size: int = 48, name: str = "zero_bias") -> TrainedNetwork:
    record = SimpleNamespace(network=name, seed=seed, faces=FaceRequest("lab", size=size))
    return TrainedNetwork(f"some {seed}", build_network(name, 2, 16).eval(), record)


def test_what_networks_taught_units_know(faces):
    coded = faces.assign(AU1=np.arange(len(faces)) % 2, AU2=np.zeros(len(faces)))
    record = SimpleNamespace(classes=("AU9", "AU2", "AU1"))
    generator = torch.Generator().manual_seed(0)
    models = [build_network("zero_bias", 3, 16, generator=generator).eval() for _ in range(2)]
    networks = [TrainedNetwork("", model, record) for model in models]
    table = au.units_known(networks, coded, torch.device("cpu")).data.set_index("unit")
    assert list(table.index) == ["AU2", "AU1"], "AU9 was coded in no picture"
    alone = [au.units_known([own], coded, torch.device("cpu")).data.set_index("unit") for own in networks]
    assert table.loc["AU1", "AUROC"] == pytest.approx(np.mean([each.loc["AU1", "AUROC"] for each in alone]))
    assert alone[0].loc["AU1", "AUROC"] != alone[1].loc["AU1", "AUROC"] and np.isnan(table.loc["AU2", "F1"])
    assert au.units_known((), coded, torch.device("cpu")) is None


@pytest.fixture
def put(monkeypatch):
    """What was put to whom: group, structure, seed, layer, and how many filters were judged by how many
    measures.
    """
    told = []

    def responses_of(model, layer, queries, device):
        maxima = np.zeros((1, 8 if layer.endswith(".1") else 4))
        return SimpleNamespace(faces=maxima, of=lambda part: (queries, layer, maxima[:, part].shape[1]))

    def examine(responses, queries, *, about, measures, device):
        told.append((*about, *responses[1:], len(measures)))
        assert responses[0] is queries
        return SimpleNamespace(about=about, asked=queries), about

    monkeypatch.setattr(au, "responses_of", responses_of)
    monkeypatch.setattr(au, "examine", examine)
    return told


def queries(size=48):
    return SimpleNamespace(faces=SimpleNamespace(size=(size, size)), aus=("AU1",))


def test_every_network_is_asked_beside_its_mixtures_and_untrained_ones_of_both_structures(put):
    networks = {"own": [learned(7)], "trained": [learned(200), learned(201)], "units": [learned(200)]}
    cast = Cast(networks | {"breuer": [learned(200, name="breuer")]})
    groups, whole = au.examine_all(cast, AuVerificationParameters(untrained=2), queries(), UNCODED)
    counts = {"own": 1, "trained": 2, "mixtures": 2, "units": 1, "units_mixtures": 1}
    counts |= {"breuer": 1, "untrained": 2, "untrained_breuer": 1}
    assert {group: len(each) for group, each in groups.items()} == counts
    assert whole == ("own", "ZeroBiasCNN", 7), "what is behind the first network's answers is kept"
    by_group = {entry[0]: entry[3:] for entry in put}
    assert by_group["own"] == ("relu3", 4, 3)
    assert by_group["trained"] == by_group["units"] == ("relu3.1", 4, 3)
    assert by_group["mixtures"] == ("relu3.1", 4, 0) and by_group["untrained"] == ("relu3", 4, 3)
    assert by_group["untrained_breuer"][1:] == (4, 0)
    put.clear()
    au.examine_all(cast, AuVerificationParameters(untrained=2, layer="relu1"), queries(), UNCODED)
    assert {entry[3] for entry in put if entry[1] == "ZeroBiasCNN"} == {"relu1", "relu1.1"}
    assert not {entry[3] for entry in put if entry[1] != "ZeroBiasCNN"} & {"relu1"}


def specified_network(**changed):
    effects = np.array([[[3, 1], [1.96, 2], [0, 1]], [[1, 3], [2, 1], [0, 1]]], np.float16)
    stronger = np.array([[[3, 1], [3, 1], [0, 1]]] * 2, np.float16)
    own = {
        "aus": ("AU1", "AU4"),
        "claimed": np.array([["AU1", "AU1", ""]] * 2),
        "also_claimed": np.array([["", "", ""], ["AU1", "", ""]]),
        "effects": np.repeat(np.stack([effects, stronger])[:, :, None], 2, axis=2),
    }
    return SimpleNamespace(**own | changed)


def test_a_specification_counts_by_its_choices():
    own = specified_network()
    assert au.specified(own, (0, 0, 0, 0, 1)).tolist() == [0.5, 0.5], "the second responds most to AU4"
    assert au.specified(own, (0, 0, 1, 0, 1))[0] == 1, "within 5 % of the largest it is confirmed"
    assert au.specified(own, (0, 1, 0, 0, 1))[0] == 0.5, "by the median the second is the right one"
    assert au.specified(own, (1, 0, 0, 0, 1))[0] == 1, "at the stronger change both are"
    assert [au.specified(own, (0, 0, 0, each, 1)).tolist() for each in (1, 2)] == [[0], [1]]
    assert au.specified(own, (0, 0, 0, 0, 0))[0] == 0, "one of two confirmed is what chance gives"


def test_the_specification_curve_has_an_interval_where_people_were_left_out():
    claimed = {"untrained": ["", ""], "trained": ["AU1", "AU4"], "units": ["AU1", "AU4"]}
    effects = np.broadcast_to(np.array([[2, 1], [1, 2]], np.float16), (2, 2, 4, 2, 2))
    groups = {}
    for name, names in claimed.items():
        claims = {"claimed": np.array([names] * 4), "also_claimed": np.array([names] * 2)}
        groups[name] = [specified_network(effects=effects, **claims)] * 3
    table = au.specification_table(groups)
    assert len(table) == 48 and (table["degree"] == 1).all()
    decided = table["assigned"].eq(au.SPECIFICATIONS["assigned"][0])
    assert decided.sum() == 16 and (table["answer"].ne("") == decided).all()
    first = table.iloc[0]
    assert (first["negative"], first["measured"], first["positive"]) == (0, 1, 1)
    assert au.specification_table({"trained": groups["trained"]}).empty


def test_squares_count_each_state_of_the_first_network(groups):
    table = au.squares_table(groups)
    assert list(table.index) == ["untrained", "trained on emotions", "trained on units"]
    assert (table.sum(axis=1) == 4).all() and table.loc["trained on emotions"].tolist() == [3, 0, 1]


def test_an_evaluation_is_a_checkpoint_where_all_stored_networks_are_evaluated(put, monkeypatch):
    stored = []
    monkeypatch.setattr(au, "evaluation", lambda *given, compute, **_: stored.append(given[2]) or compute())
    cast = Cast({"trained": [learned(0), learned(1)]})
    au.examine_all(cast, AuVerificationParameters(untrained=2), queries(), UNCODED)
    assert not stored
    au.examine_all(cast, AuVerificationParameters(untrained=2, of_each=0), queries(), UNCODED)
    assert [each[0] for each in stored] == ["trained", "mixtures", "untrained", "untrained"]


def test_the_layer_is_read_out_by_what_other_people_show(put, monkeypatch):
    shown = SimpleNamespace(only=lambda aus: SimpleNamespace(present=1))
    monkeypatch.setattr(au, "presence", lambda *_: shown)
    monkeypatch.setattr(au, "evaluation", lambda *_, compute, **__: compute())
    monkeypatch.setattr(au, "with_detectors", lambda model, given, labels: (model, "read out"))
    cast = Cast({"trained": [learned(seed) for seed in range(5)]})
    coded = SimpleNamespace(aus=("AU1",))
    for of_each, number in ((3, 1), (0, au.READ_OUTS)):
        p = AuVerificationParameters(of_each=of_each)
        groups, _ = au.examine_all(cast, p, queries(), coded)
        assert len(groups["read_out"]) == number
    assert {entry[3] for entry in put if entry[0] == "read_out"} == {"read out"}
    assert "read_out" not in au.examine_all(cast, AuVerificationParameters(), queries(), UNCODED)[0]


def faces(name: str, aus: bool) -> FaceSet:
    units = {"AU1": [0.0, 1.0]} if aus else {}
    pixels = np.zeros((2, 8, 8), np.uint8)
    return made_faces(pixels, name, subject=["a", "b"], emotion="neutral", **units)


@pytest.mark.parametrize(
    ("given", "own", "told"),
    [
        (faces("lab", True), False, "2 rendered people"),
        (faces("ckplus", True), True, "those of ckplus"),
        (faces("fer2013", False), False, "Nobody coded action units in fer2013"),
    ],
)
def test_filters_are_judged_on_people_whom_no_network_has_seen(given, own, told):
    held_out_people = faces("lab", True)
    found, said = au.picture_source(given, held_out_people)
    assert found is (given if own else held_out_people) and told in said


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


def test_the_showcase_begins_with_verified_filters_of_different_units():
    table = pd.DataFrame(
        {
            "filter": range(7),
            "named": ["AU1", "AU1", "AU1", "AU2", "AU12", "AU2", ""],
            "overall": ["AU1", "AU1", "AU1", "AU2", "AU12", "", ""],
            "within": ["AU1", "AU1", "AU1", "AU2", "", "", ""],
            "score": [8.0, 5.0, 7.0, 4.0, np.nan, np.nan, np.nan],
            "effect": [1.0, 3.0, 9.0, 2.0, np.nan, np.nan, np.nan],
            "verified": [True, True, False, True, False, False, False],
        }
    )
    chosen = au.showcase(table, 9)
    assert chosen["filter"].tolist() == [1, 3, 0, 2, 4, 5]
    assert chosen["au"].tolist() == ["AU1", "AU2", "AU1", "AU1", "AU12", "AU2"]
    assert au.showcase(table, 2)["filter"].tolist() == [1, 3]
    none_verified = au.showcase(table.assign(verified=False), 3)
    assert none_verified["filter"].tolist() == [0, 3, 2] and none_verified["filter"].dtype == int
    none_within = au.showcase(table.assign(within="", score=np.nan, verified=False), 9)
    assert none_within["filter"].tolist() == [0, 3, 4, 1, 2, 5] and none_within["filter"].dtype == int


def test_the_null_maximum_is_told_by_its_middle_and_by_what_one_deal_in_twenty_passes():
    found = au.null_metrics(np.linspace(0.6, 0.8, 21), np.full(21, 0.5))
    values = {name: round(each.value, 6) for name, each in found.items()}
    assert values == {"luck": 0.7, "luck_bar": 0.79, "luck_singly": 0.5}
