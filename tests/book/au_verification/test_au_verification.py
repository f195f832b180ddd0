"""The tables, counts and sentences about filters that may be detectors, on data with one planted detector."""

import numpy as np
import pandas as pd
import pytest

from book.au_verification import study as au
from fer_lib.aus.association import associate
from fer_lib.aus.interventions import Effects
from fer_lib.aus.presence import Presence
from fer_lib.look.responses import Responses, rank_filters, top_pictures

AUS = ("AU1", "AU4", "AU12")


def people(count: int = 24) -> Presence:
    """Two sequences of three frames each per person: neutral, then two frames in which units are shown at
    random.
    """
    generator = np.random.default_rng(1)
    shown = generator.random((count, 2, len(AUS))) < 0.5
    present = np.zeros((count, 2, 3, len(AUS)))
    present[:, :, 1:] = shown[:, :, None]
    who = np.repeat([f"s{i}" for i in range(count)], 6)
    sequence = np.tile(np.repeat(["one", "two"], 3), count)
    emotions = np.tile(["neutral", "happiness", "happiness"], 2 * count)
    return Presence(AUS, present.reshape(-1, len(AUS)), who, sequence, emotions)


def bank(presence: Presence, strength: float, seed: int) -> np.ndarray:
    """Six filters: the first detects AU12 with ``strength``, the last fires for one person only, the others
    are noise.
    """
    maxima = np.random.default_rng(seed).random((len(presence), 6))
    maxima[:, 0] += strength * presence.present[:, 2]
    maxima[:, 5] = 0
    maxima[:3, 5] = 1
    return maxima


@pytest.fixture(scope="module")
def presence() -> Presence:
    return people()


@pytest.fixture(scope="module")
def judged(presence) -> dict[str, au.Judged]:
    banks = {
        "trained": bank(presence, 3, 0),
        "untrained 1": bank(presence, 0.7, 1),
        "untrained 2": bank(presence, 0.9, 2),
    }
    return au.judge(banks, presence, "auroc", permutations=199)


def effects_with(causes: dict[int, int], stands: bool = True) -> Effects:
    """Filter -> index of the unit that raises it by 5 sd; other effects are 0.1 sd."""
    effect = np.full((6, 3, 1), 0.1)
    for k, a in causes.items():
        effect[k, a] = 5
    people = np.repeat(effect[None], 8, axis=0)
    none = np.zeros(6, bool)
    return Effects(
        AUS, (1.0,), np.arange(8), effect, effect, effect, people, np.ones(6), none, none,
        np.ones((6, 3)), np.full((6, 3), 0.01 if stands else 0.5),
    )  # fmt: skip


def test_the_planted_detector_is_found_and_the_filter_of_one_person_set_aside(judged):
    own = judged["trained"]
    assert own.channels == 6 and own.overall.rare.tolist() == [False] * 5 + [True]
    assert own.within.permutations == 199
    table = au.detectors(own, None)
    assert table.loc[0, ["named", "overall", "within"]].tolist() == ["AU12"] * 3
    assert table.loc[5, ["overall", "within"]].tolist() == [""] * 2
    assert table["named"].ne("").all(), "the papers' rule names a unit for every live filter"
    assert table["overall"].ne("").sum() == 1
    assert table.loc[0, "value"] == own.overall.observed[0, 2] and np.isnan(table.loc[1, "value"])
    assert "causal" not in table


def test_a_claim_is_verified_by_an_effect_of_the_same_unit_that_stands(judged):
    own = judged["trained"]
    right, wrong, chance = (
        au.detectors(own, effects)
        for effects in (effects_with({0: 2}), effects_with({0: 1}), effects_with({0: 2}, stands=False))
    )
    assert right["causal"].iloc[0] == "AU12" and right["verified"].tolist() == [True] + [False] * 5
    assert wrong["causal"].iloc[0] == "AU4" and not wrong["verified"].any()
    assert chance["causal"].eq("").all() and not chance["verified"].any()


def test_a_filter_is_beyond_the_untrained_only_if_it_beats_all_of_them_for_its_unit(judged):
    assert au.beyond_untrained(judged, "trained").tolist() == [True] + [False] * 5
    ahead = au.beyond_untrained(judged, "untrained 2")[0], au.beyond_untrained(judged, "untrained 1")[0]
    first, second = (judged[f"untrained {n}"].overall.observed[0, 2] for n in (1, 2))
    claimed = [au.detectors(judged[f"untrained {n}"], None)["within"].iloc[0] == "AU12" for n in (2, 1)]
    assert ahead == (claimed[0] and second > first, claimed[1] and first > second)
    alone = {"untrained 1": judged["untrained 1"]}
    assert not au.beyond_untrained(alone, "untrained 1").any()


def test_criteria_count_what_the_tables_say(judged):
    effects = dict.fromkeys(judged, effects_with({0: 2}))
    table = au.criteria(judged, effects)
    own = table[table["bank"].eq("trained")].set_index("criterion")["count"]
    assert own.to_dict() == {au.NAMED: 6, au.SURVIVES: 1, au.WITHIN: 1, au.BEYOND: 1, au.MOVED: 1}
    assert (table["share"] == table["count"] / 6).all()
    assert au.MOVED not in set(au.criteria(judged, None)["criterion"])
    metrics = au.criteria_metrics(table)
    assert metrics["named_filters"].value == 6 and metrics["verified_filters"].value == 1
    others = table[table["source"].eq("untrained") & table["criterion"].eq(au.SURVIVES)]["count"]
    assert not any(name.endswith("_rotated") for name in metrics)
    mixed = au.criteria_metrics(table.replace({"source": {"untrained": "rotated basis"}}))
    assert mixed["beyond_chance_rotated"].value == others.mean()
    assert (
        metrics["beyond_chance_untrained"].value == others.mean()
        and metrics["beyond_chance_untrained"].n == 2
    )


def test_units_are_counted_per_network(judged):
    table = au.unit_table(judged, dict.fromkeys(judged, effects_with({0: 2})), "verified")
    own = table[table["bank"].eq("trained")].set_index("au")["count"]
    assert own.to_dict() == {"AU1": 0, "AU4": 0, "AU12": 1}
    metrics = au.unit_metrics(table, "verified")
    assert metrics["verified_units"].value == 1 and metrics["verified_units_untrained"].n == 2
    assert au.unit_metrics(table[table["source"].eq("trained")], "verified").keys() == {"verified_units"}
    named = au.unit_table(judged, None, "named")
    assert named[named["bank"].eq("trained")]["count"].sum() == 6


def test_a_rule_without_enough_permutations_says_how_many_it_needs(judged):
    table = au.rule_table(judged["trained"]).set_index("rule")
    assert table.loc["holm", "needs"] == 5 * 3 / 0.05 - 1
    assert pd.isna(table.loc["holm", "filters"]) and pd.isna(table.loc["argmax", "needs"])
    assert table.loc["max statistic", "filters"] == 1 and table.loc["argmax", "pairs"] == 6


def test_the_strongest_filters_come_with_their_association_and_histograms(presence):
    maxima = bank(presence, 3, 0)
    maxima[:, 5] = 0
    responses = Responses("relu", maxima.astype(np.float32), np.zeros((*maxima.shape, 2), np.int16), (4, 4))
    ranked = rank_filters(responses, top_pictures(responses, presence.subjects, 2))
    association = associate(maxima, presence, "kl", draws=20)
    table = au.strongest_filters(association, ranked, 9)
    assert table["filter"].unique().tolist() == [k for k in ranked["filter"] if k != 5]
    assert table[table["filter"].eq(0)]["estimate"].tolist() == association.estimate[0].tolist()
    pairs = au.named_histograms(table, maxima, presence, count=2)
    assert len(pairs) == 2 and (0, "AU12") in pairs
    assert pairs[0, "AU12"]["divergence"].sum() == pytest.approx(association.estimate[0, 2])


def test_the_strongest_associations_leave_rare_channels_out(judged):
    table = au.strongest_associations(judged)
    assert table.groupby("source").size().to_dict() == {"trained": 5, "untrained": 10}
    assert table["estimate"].iloc[0] == np.max(judged["trained"].overall.observed[0])


def test_counts_of_the_page(presence, judged):
    table = au.count_table(presence)
    assert table.index.tolist() == list(AUS) and table["scored"].eq("yes").all()
    assert table.loc["AU12", "pictures with it"] == presence.present[:, 2].sum()
    metrics = au.presence_metrics(presence, judged["trained"], 2)
    assert {name: metric.value for name, metric in metrics.items()} == {
        **{"untrained_networks": 2, "pictures": 144, "people": 24, "units_scored": 3, "units_too_few": 0},
        **{"filters": 6, "filters_rare": 1},
    }


def test_stability_is_a_mean_over_live_filters(presence):
    association = associate(bank(presence, 3, 0), presence, "kl", draws=20)
    metric = au.mapping_metrics({"kl": association})["kl_stability"]
    assert metric.value == pytest.approx(np.nanmean(association.stability)) and metric.n == 6
