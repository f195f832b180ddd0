"""What the emotion says about action units, against values worked out by hand and made up without effect."""

import numpy as np
import pandas as pd
import pytest

from book.faces.study import information_metrics, information_table, mutual_information
from tests.made import even_pictures, made_faces


def information(emotions, subject="", sequence="", draws=200, **units):
    table = pd.DataFrame({"emotion": emotions, "subject": subject, "sequence": sequence, **units})
    return mutual_information(table, list(units), draws=draws)


COLUMNS = ["n", "present", "entropy", "information"]


def test_information_of_four_pictures():
    four = ["fear", "fear", "anger", "anger"]
    rows = information(four, AU1=[1, 1, 0, 0], AU2=[1, 0, 1, 0], AU4=[1, 1, 1, 1], draws=4000)
    # AU1 is the emotion, AU2 is independent of it, AU4 is always present.
    assert rows.loc["AU1", COLUMNS].tolist() == pytest.approx([4, 0.5, 1, 1])
    assert rows.loc["AU2", COLUMNS].tolist() == pytest.approx([4, 0.5, 1, 0], abs=1e-12)
    assert rows.loc["AU4", COLUMNS].tolist() == pytest.approx([4, 1, 0, 0], abs=1e-12)
    assert rows.loc["AU4", ["adjusted", "p"]].isna().all()
    # Two of the six arrangements of two and two give one bit, the others none.
    assert rows.loc["AU1", "chance"] == pytest.approx(1 / 3, abs=0.04)
    assert rows.loc["AU1", ["adjusted", "p"]].tolist() == pytest.approx([1, 1 / 3], abs=0.04)
    assert rows.loc["AU2", ["adjusted", "p"]].tolist() == pytest.approx([-0.5, 1], abs=0.08)


def test_a_rare_unit_shares_no_information_once_adjusted_for_chance():
    rng = np.random.default_rng(1)
    sets = (rng.choice(["fear", "anger", "neutral", "disgust"], 60) for _ in range(40))
    rows = [information(each, AU1=rng.permutation([1, 1] + [0] * 58), draws=100) for each in sets]
    mean = pd.concat(rows).mean()
    assert mean["information"] / mean["entropy"] > 0.15 and abs(mean["adjusted"]) < 0.06


def test_frames_of_one_sequence_are_shuffled_together():
    # Two sequences of 50 frames are two observations, not a hundred.
    emotions, shown = ["fear"] * 50 + ["anger"] * 50, [1] * 50 + [0] * 50
    apart = information(emotions, AU1=shown, draws=1000).loc["AU1"]
    together = information(emotions, sequence=["a"] * 50 + ["b"] * 50, AU1=shown).loc["AU1"]
    assert apart["p"] < 0.01 and apart["adjusted"] == pytest.approx(1)
    assert together["chance"] == pytest.approx(1) and np.isnan(together["adjusted"])


def test_emotions_are_shuffled_within_people_whose_habits_are_no_information():
    """Half of the people mostly smile, and these always show AU12: within a person it says nothing."""
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(24), 8)
    smiling = people % 2 == 0
    emotions = np.where(rng.random(len(people)) < np.where(smiling, 0.8, 0.2), "happiness", "anger")
    among_all = information(emotions, AU12=smiling * 1.0).loc["AU12"]
    within = information(emotions, subject=[f"s{k}" for k in people], AU12=smiling * 1.0).loc["AU12"]
    assert among_all["p"] < 0.01 and not within["p"] < 0.9
    # Whoever has one sequence only changes places with others of whom that is true.
    one_each = information(emotions, subject=[f"s{k}" for k in range(len(people))], AU12=smiling * 1.0)
    assert one_each.loc["AU12", "p"] == among_all["p"]


def test_information_is_that_of_the_joint_proportions():
    rng = np.random.default_rng(0)
    emotions = rng.choice(["fear", "anger", "neutral"], 400)
    shown = rng.random(400) < np.where(emotions == "fear", 0.7, 0.2)
    joint = pd.crosstab(emotions, shown, normalize=True).to_numpy()
    expected = (joint * np.log2(joint / np.outer(joint.sum(axis=1), joint.sum(axis=0)))).sum()
    row = information(emotions, AU9=shown * 0.5).loc["AU9"]
    assert row["information"] == pytest.approx(expected)
    assert row["adjusted"] == pytest.approx((expected - row["chance"]) / (row["entropy"] - row["chance"]))
    # Independent estimate of the bias: (emotions - 1) / (2 n ln 2) bits (Miller 1955).
    assert row["chance"] == pytest.approx(2 / (2 * 400 * np.log(2)), rel=0.25)


def test_uncoded_pictures_are_left_out_of_the_information():
    rows = information(["fear", "anger", "fear"], AU1=[1, 0, np.nan], AU2=[np.nan] * 3)
    assert rows.loc["AU1", "n"] == 2 and rows.loc["AU1", "information"] == pytest.approx(1)
    assert rows.loc["AU2", "n"] == 0 and np.isnan(rows.loc["AU2", "present"])


def test_the_table_begins_with_the_most_informed_unit_and_its_p_is_corrected():
    emotions = ["fear", "anger"] * 20
    units = {"AU1": [1, 0, 0, 1] * 10, "AU12": [1, 0] * 20, "AU4": [0] * 40}
    shown = information_table(made_faces(even_pictures([0] * 40), emotion=emotions, **units))
    assert list(shown.data.index) == ["AU12", "AU1", "AU4"]
    first = shown.data.loc["AU12", ["adjusted information", "present in", "pictures"]]
    assert first.tolist() == pytest.approx([1, 0.5, 40])
    # The least p of 1,000 shuffles, times the two units that can be tested.
    assert shown.data["p"].tolist()[:2] == pytest.approx([2 / 1001, 1])
    metrics = information_metrics(shown)
    assert metrics["information_most"].value == pytest.approx(1) and metrics["informed_units"].value == 1


def test_units_are_counted_by_their_corrected_p():
    """Of 20 units that know nothing one has p below .05 by chance: corrected for 20, none counts."""
    rng = np.random.default_rng(1)
    emotions = rng.choice(["fear", "anger", "neutral"], 90)
    units = {f"AU{k}": rng.integers(2, size=90).astype(float) for k in (*range(1, 21),)}
    faces = made_faces(even_pictures([0] * 90), emotion=emotions, **units)
    assert mutual_information(faces.table, faces.aus)["p"].min() < 0.05
    assert information_metrics(information_table(faces))["informed_units"].value == 0
