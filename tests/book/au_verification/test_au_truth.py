"""Tables of interventions, planted detectors and ablation, on small constructed inputs."""

import numpy as np
import pandas as pd
import pytest

from book.au_verification import truth
from book.au_verification.agreement import agreement
from book.au_verification.silence import ACCURACY, OWN
from book.au_verification.study import Judged
from fer_lib.aus import heads
from fer_lib.aus import presence as aus_presence
from fer_lib.aus.association import associate
from fer_lib.aus.interventions import Effects, Interventions
from fer_lib.aus.presence import Presence
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.responses import Responses

AUS = ("AU1", "AU2", "AU12")


def switched(levels: tuple[float, ...] = (0.5, 1.0)) -> Interventions:
    """Two base faces; the grey value of a picture is its number, 1 + unit * levels + level, plus 100 for the
    second face.
    """
    per_face = 1 + len(AUS) * len(levels)
    numbers = np.concatenate([np.arange(per_face), 100 + np.arange(per_face)])
    pixels = np.repeat(numbers, 64).reshape(-1, 8, 8).astype(np.uint8)
    table = pd.DataFrame(
        {"subject": np.repeat(["a", "b"], per_face), "frame": 0, "emotion": "neutral", "split": "test"}
    ).assign(dataset="toy", sequence="")
    masks = np.ones(pixels.shape, np.uint32)
    faces = FaceSet("toy", pixels, table, masks=masks, mask_aus=AUS)
    return Interventions(
        faces, AUS, levels, np.array(["a", "b"]), np.zeros(2, int), np.ones((2, len(AUS)), bool)
    )


def effects_of_size(sizes: np.ndarray, levels: tuple[float, ...] = (0.5, 1.0)) -> Effects:
    """(K, A) effects at the highest level, proportional at the others, the same for all of eight people."""
    effect = sizes[:, :, None] * np.array(levels)
    filters = len(sizes)
    none = np.zeros(filters, bool)
    people = np.repeat(effect[None], 8, axis=0)
    p = np.where(np.abs(sizes) > 1, 0.01, 0.6)
    return Effects(
        AUS, levels, np.arange(8), effect, effect - 0.1, effect + 0.1, people, np.ones(filters), none, none,
        np.ones(sizes.shape), p,
    )  # fmt: skip


def people() -> tuple[np.ndarray, Presence]:
    generator = np.random.default_rng(0)
    present = (generator.random((80, 3)) < 0.4).astype(float)
    maxima = generator.random((80, 3))
    maxima[:, 0] += 2 * present[:, 2]
    names = np.repeat([f"s{i}" for i in range(40)], 2)
    return maxima, Presence(AUS, present, names, np.arange(80).astype(str), np.full(80, "happiness"))


def test_the_showcase_begins_with_verified_filters_of_different_units():
    table = pd.DataFrame(
        {
            "filter": range(7),
            "named": ["AU1", "AU1", "AU1", "AU2", "AU12", "AU2", ""],
            "overall": ["AU1", "AU1", "AU1", "AU2", "AU12", "", ""],
            "within": ["AU1", "AU1", "AU1", "AU2", "", "", ""],
            "score": [5.0, 9.0, 7.0, 4.0, np.nan, np.nan, np.nan],
            "verified": [True, True, False, True, False, False, False],
        }
    )
    chosen = truth.showcase(table, 9)
    assert chosen["filter"].tolist() == [1, 3, 0, 2, 4, 5]
    assert chosen["au"].tolist() == ["AU1", "AU2", "AU1", "AU1", "AU12", "AU2"]
    assert truth.showcase(table, 2)["filter"].tolist() == [1, 3]
    assert truth.showcase(table.drop(columns="verified"), 3)["filter"].tolist() == [1, 3, 2]
    none_verified = truth.showcase(table.assign(verified=False), 3)
    assert none_verified["filter"].tolist() == [1, 3, 2] and none_verified["filter"].dtype == int


def test_top_pairs_give_every_filter_as_many_pictures_as_the_poorest_has():
    maxima = np.arange(12, dtype=np.float32).reshape(4, 3)
    responses = Responses("relu", maxima, np.zeros((4, 3, 2), np.int16), (2, 2))
    top = np.array([[3, 2, 1], [0, 3, -1], [1, 0, 2]])
    chosen = pd.DataFrame({"filter": [1, 2], "au": ["AU1", "AU12"]})
    rows = truth.top_pairs(chosen, responses, top)
    assert rows["filter"].tolist() == [1, 1, 2, 2] and rows["picture"].tolist() == [0, 3, 1, 0]
    assert rows["response"].tolist() == [1, 10, 5, 2] and rows["au"].tolist() == ["AU1"] * 2 + ["AU12"] * 2


def test_the_highest_level_alone_is_the_same_pictures():
    every, full = switched((0.3, 0.6, 1.0)), truth.at_full(switched((0.3, 0.6, 1.0)))
    assert full.levels == (1.0,) and len(full.faces) == 2 * 4
    np.testing.assert_array_equal(full.off, every.off)
    np.testing.assert_array_equal(full.pixels[:, :, 0], every.pixels[:, :, -1])


def test_changed_pixels_are_those_of_the_claimed_unit_at_the_highest_level():
    chosen = pd.DataFrame({"filter": [4, 5], "au": ["AU12", "AU99"]})
    changes = truth.changed_pixels(switched(), chosen)
    assert (changes[0] == 6).all() and not changes[1].any()


def test_the_effect_table_has_a_row_per_filter_unit_and_level():
    effects = effects_of_size(np.array([[0.5, 3.0, 0.0], [0.0, 0.0, -2.0]]))
    table = truth.effect_table(effects, pd.DataFrame({"filter": [1, 0], "au": ["AU12", "AU2"]}))
    assert table["filter"].tolist() == [1] * 6 + [0] * 6
    full = table[table["level"].eq(1)].set_index(["filter", "au"])
    assert full.loc[(0, "AU2"), "effect"] == 3 and full.loc[(1, "AU12"), "low"] == pytest.approx(-2.1)
    assert full["survives"].tolist() == [False, False, True, False, True, False]
    assert full["claimed"].tolist() == [False, False, True, False, True, False]
    assert table.loc[1, "effect"] == 0 and table.iloc[8]["effect"] == 1.5


def test_agreement_is_told_for_each_measure_and_group_of_filters():
    maxima, presence = people()
    effects = effects_of_size(np.array([[0, 0, 4.0], [4.0, 0, 0], [0, 4.0, 0]]))
    bank = Judged(presence, maxima, None, None)
    known = {"auroc": associate(maxima, presence, "auroc", draws=2)}
    banks = {"trained": bank, "untrained 1": bank}
    within = np.zeros((3, 3), bool)
    within[0, 2] = True
    table = truth.agreement_table(banks, dict.fromkeys(banks, effects), known, within, draws=20)
    assert (
        table["filters"].unique().tolist() == ["trained", truth.SURVIVING, "untrained"] and len(table) == 18
    )
    best = table[table["filters"].eq(truth.SURVIVING)]
    assert (best["share"] == 1).all() and (best["n"] == 1).all()
    row = table[table["measure"].eq("auroc") & table["filters"].eq("trained")].iloc[0]
    assert row["share"] == agreement(effects, known["auroc"], draws=20).share
    metrics = truth.agreement_metrics(table)
    assert len(metrics) == 12 and metrics["auroc_agreement"].value == row["share"]
    none = truth.agreement_table(
        banks, dict.fromkeys(banks, effects), known, np.zeros((3, 3), bool), draws=20
    )
    assert none["filters"].unique().tolist() == ["trained", "untrained"]


def test_pairs_on_the_same_skin_are_told_where_both_were_switched():
    effects = effects_of_size(np.array([[3.0, 2.5, 0.0], [0.0, 3.0, 1.0]]))
    table = truth.confusion_table(effects, switched())
    assert table["pair"].tolist() == ["AU1, AU2"], "of the other pairs one unit was not switched"
    assert table.loc[0, ["first", "second"]].tolist() == [1, 1]
    assert table.loc[0, "other is next"] == 0.5
    assert truth.confusion_table(None, None) is None


def test_numbers_of_people_end_with_everyone():
    assert truth.numbers_of_people(118) == (20, 40, 80, 118)
    assert truth.numbers_of_people(40) == (20, 40) and truth.numbers_of_people(9) == (9,)


def test_benjamini_and_hochberg_are_tried_where_permutations_allow():
    assert "benjamini_hochberg" not in truth.planted_rules(199)
    assert truth.planted_rules(1999) == ("max_statistic", "benjamini_hochberg", "argmax")


def test_calibration_shows_the_maximum_statistic_and_the_coverage():
    errors = pd.DataFrame(
        {
            "rule": ["max_statistic", "argmax"],
            "share": [0.04, 1.0],
            "low": [0.02, 0.9],
            "high": [0.07, 1.0],
            "sets": 400,
        }
    )
    covered = pd.DataFrame(
        {
            "measure": ["mean_difference"],
            "effect": [0.5],
            "coverage": [0.94],
            "low": [0.91],
            "high": [0.96],
            "simulations": [400],
        }
    )
    table = truth.calibration_table({"kl": errors}, covered)
    assert table["what"].tolist() == ["kl", "mean difference, effect 0.5"]
    assert table["rate"].tolist() == [0.04, 0.94] and table["promised"].tolist() == [0.05, 0.95]
    metrics = truth.calibration_metrics(table)
    assert (metrics["family_wise_error"].value, metrics["family_wise_error"].high) == (0.04, 0.07)
    assert metrics["coverage"].n == 400


def test_planted_metrics_are_those_of_the_clearest_signal():
    table = pd.DataFrame(
        [
            {
                "measure": measure,
                "rule": rule,
                "snr": snr,
                "precision": precision,
                "recall": snr / 2,
                "repeats": 5,
            }
            for measure in ("kl", "auroc")
            for rule, precision in (("max_statistic", 0.9), ("argmax", np.nan if measure == "kl" else 0.3))
            for snr in (0.5, 2.0)
        ]
    )
    found = {name: metric.value for name, metric in truth.planted_metrics(table, "auroc").items()}
    assert found == {"planted_precision": 0.9, "planted_recall": 1.0, "planted_precision_argmax": 0.3}
    assert set(truth.planted_metrics(table, "kl")) == {"planted_precision", "planted_recall"}


def test_heads_need_enough_people_in_every_split():
    _, presence = people()
    split = np.where(np.arange(80) < 48, "train", np.where(np.arange(80) < 64, "valid", "test"))
    assert heads.enough_people(presence, split)
    lonely = np.where(np.arange(80) < 76, np.where(split == "test", "valid", split), "test")
    assert not heads.enough_people(presence, lonely), "two people are tested"


def test_the_filters_to_silence_are_those_that_a_unit_moves_or_goes_with():
    maxima, presence = people()
    association = associate(maxima, presence, "auroc", draws=2)
    effects = effects_of_size(np.array([[0.0, 0.0, 4.0], [0.0, 1.0, 5.0], [-1.0, 0.0, 0.0]]))
    assert truth.filters_to_silence(association, effects, 2) == {"AU2": (1,), "AU12": (1, 0)}
    assert truth.filters_to_silence(association, None, 1)["AU12"] == (0,)


def test_what_silencing_costs_in_a_few_numbers():
    table = pd.DataFrame(
        {
            "outcome": [OWN, OWN, ACCURACY, "other heads"],
            "difference": [0.2, -0.1, 0.03, 9.0],
            "low": [0.1, -0.2, 0.0, 9.0],
        }
    )
    found = {name: metric.value for name, metric in truth.silencing_metrics(table).items()}
    assert found == {"heads": 2, "heads_hurt": 1, "head_loss": pytest.approx(0.05), "accuracy_loss": 0.03}


def test_only_rendered_people_can_be_told_what_to_show_and_a_stand_in_is_named():
    rendered = switched().faces
    photographed = FaceSet("fer2013", rendered.pixels, rendered.table)
    assert truth.domain_of(photographed) is None
    lab = FaceSet("lab", rendered.pixels, rendered.table)
    assert truth.domain_of(lab) == "lab"
    assert aus_presence.whose_units(lab, lab) == "Pictures and action units are those of lab."
    told = aus_presence.whose_units(photographed, lab)
    assert told.startswith("Nobody coded action units in fer2013.") and "rendered faces of lab" in told
