"""The tables and counts of filters that may be detectors, on data with one planted detector."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from toy_effects import effects_of_size

from book.au_verification import study as au
from fer_lib.aus.association import associate
from fer_lib.aus.detectors import Detectors
from fer_lib.aus.interventions import Effects
from fer_lib.aus.presence import Presence
from fer_lib.look.responses import Responses, rank_filters, top_pictures
from ferbook.claims import Question, ask

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


def effects_with(causes: dict[int, int]) -> Effects:
    """Filter -> index of the unit that raises it by 5 standard deviations; other effects are 0.1."""
    full = np.full((6, 3), 0.1)
    full[list(causes), list(causes.values())] = 5
    return effects_of_size(full, AUS, (1.0,))


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
    own, strong = judged["trained"], effects_with({0: 2})
    weak = replace(strong, p=np.full((6, 3), 0.5))
    right, wrong, chance = (au.detectors(own, effects) for effects in (strong, effects_with({0: 1}), weak))
    assert right["causal"].iloc[0] == "AU12" and right["verified"].tolist() == [True] + [False] * 5
    assert wrong["causal"].iloc[0] == "AU4" and not wrong["verified"].any()
    assert chance["causal"].eq("").all() and not chance["verified"].any()


def test_what_has_no_untrained_rival_is_not_held_against_any(judged):
    table = au.criteria({"trained": judged["trained"]}, None)
    assert "beyond_untrained" not in set(table["metric"])


def test_criteria_count_what_the_tables_say(judged):
    effects = dict.fromkeys(judged, effects_with({0: 2}))
    table = au.criteria(judged, effects)
    own = table[table["bank"].eq("trained")].set_index("criterion")["count"]
    assert own.to_dict() == dict(zip(au.CRITERIA.values(), (6, 1, 1, 1, 1), strict=True))
    assert (table["share"] == table["count"] / 6).all()
    assert "verified" not in set(au.criteria(judged, None)["metric"])
    metrics = au.criteria_metrics(table)
    assert metrics["named_filters"].value == 6 and metrics["verified_filters"].value == 1
    others = table[table["source"].eq("untrained") & table["metric"].eq("beyond_chance")]["count"]
    assert not any(name.endswith("_rotated") for name in metrics)
    mixed = au.criteria_metrics(table.replace({"source": {"untrained": "rotated basis"}}))
    assert mixed["beyond_chance_rotated"].value == others.mean()
    assert "ahead_of_mixtures" in mixed and "ahead_of_mixtures" not in metrics
    assert (
        metrics["beyond_chance_untrained"].value == others.mean()
        and metrics["beyond_chance_untrained"].n == 2
    )


@pytest.mark.parametrize(
    ("single", "mixed", "answer"), [(9, 3, "yes"), (3, 9, "no"), (0, 0, "open"), (6, 5, "open")]
)
def test_single_filters_are_told_from_mixtures_only_beyond_chance(single, mixed, answer):
    question = Question(asks="More than mixtures?", metric="au_verification.ahead_of_mixtures", above=0)
    metrics = {"ahead_of_mixtures": au.ahead(single, mixed, 10)}
    assert ask(question, {"au_verification": metrics}).answer == answer


def test_the_interval_between_single_filters_and_mixtures_is_newcombe_s():
    """Newcombe 1998, Statistics in Medicine 17:873, table II, method 10:
    9/10 − 3/10 is 0.1705 to 0.8090, and 0/10 − 0/10 is −0.2775 to 0.2775."""
    for single, mixed, bounds in ((9, 3, (1.705, 8.090)), (0, 0, (-2.775, 2.775))):
        found = au.ahead(single, mixed, 10)
        assert (found.low, found.high) == pytest.approx(bounds, abs=5e-4) and found.value == single - mixed


def test_what_other_chapters_are_given_are_the_claims_within_emotions(judged):
    found = au.claimed_detectors(judged["trained"], "relu3")
    assert Detectors.model_validate_json(found.model_dump_json()) == found and found.layer == "relu3"
    strength = judged["trained"].overall.observed[0, 2]
    assert found.table().to_dict("records") == [{"filter": 0, "au": "AU12", "association": strength}]


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
    table = au.rule_table(judged["trained"]).data.set_index("rule")
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
    assert table.index.tolist() == [k for k in ranked["filter"] if k != 5]
    assert table.loc[0, list(AUS)].tolist() == association.estimate[0].tolist()
    assert table["stability"].tolist() == association.stability[table.index].tolist()
    pairs = au.named_histograms(table, maxima, presence, count=2)
    assert len(pairs) == 2 and (0, "AU12") in pairs
    assert pairs[0, "AU12"]["divergence"].sum() == pytest.approx(association.estimate[0, 2])


def test_the_strongest_associations_leave_rare_channels_out(judged):
    table = au.strongest_associations(judged)
    assert table.groupby("source").size().to_dict() == {"trained": 5, "untrained": 10}
    assert table["estimate"].iloc[0] == np.max(judged["trained"].overall.observed[0])


def test_counts_of_the_page(presence, judged):
    table = au.count_table(presence).data
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
