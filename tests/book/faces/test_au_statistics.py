import numpy as np
import pandas as pd
import pytest

from book.faces.study import au_emotion_table, mutual_information
from ferbook.errors import DataError


def table(emotions, **aus):
    return pd.DataFrame({"emotion": emotions, **aus})


def test_shares_worked_by_hand():
    some = table(
        ["fear", "fear", "anger", "anger", ""],
        AU12=[0.2, 0.0, np.nan, 0.6, 1.0],
        AU4=[0.0, 0.05, 1.0, 0.3, 1.0],
        AU4_left=[0.0, 0.0, 0.0, 0.0, 0.0],
    )
    shares = au_emotion_table(some)
    assert shares.index.tolist() == ["AU4", "AU12"]
    # In the order of the one table of emotions; the unlabelled row and the uncoded picture do not count.
    assert shares.columns.tolist() == ["anger", "fear"]
    assert shares.to_numpy().tolist() == [[1.0, 0.5], [1.0, 0.5]]
    assert au_emotion_table(some, present_from=0.3).loc["AU4"].tolist() == [0.5, 0.0]


def test_a_share_of_nothing_coded_is_not_a_number():
    shares = au_emotion_table(table(["fear", "anger"], AU1=[np.nan, 1.0]))
    assert np.isnan(shares.loc["AU1", "fear"]) and shares.loc["AU1", "anger"] == 1


COLUMNS = ["n", "present", "entropy", "information"]


def test_information_worked_by_hand():
    four = ["fear", "fear", "anger", "anger"]
    rows = mutual_information(table(four, AU1=[1, 1, 0, 0], AU2=[1, 0, 1, 0], AU4=[1, 1, 1, 1]), draws=4000)
    # AU1 is the emotion, AU2 knows nothing of it, AU4 is always there.
    assert rows.loc["AU1", COLUMNS].tolist() == pytest.approx([4, 0.5, 1, 1])
    assert rows.loc["AU2", COLUMNS].tolist() == pytest.approx([4, 0.5, 1, 0], abs=1e-12)
    assert rows.loc["AU4", COLUMNS].tolist() == pytest.approx([4, 1, 0, 0], abs=1e-12)
    assert rows.loc["AU4", ["share", "p"]].isna().all()
    # Two of the six deals of two and two give one bit, the others none.
    assert rows.loc["AU1", "chance"] == pytest.approx(1 / 3, abs=0.04)
    assert rows.loc["AU1", ["share", "p"]].tolist() == pytest.approx([1, 1 / 3], abs=0.04)
    assert rows.loc["AU2", ["share", "p"]].tolist() == pytest.approx([-0.5, 1], abs=0.08)


def test_a_rare_unit_is_not_called_told_by_the_emotion():
    rng = np.random.default_rng(1)
    shares = []
    for _ in range(40):
        emotions = rng.choice(["fear", "anger", "neutral", "disgust"], 60)
        row = mutual_information(table(emotions, AU1=rng.permutation([1] * 2 + [0] * 58)), draws=100).loc[
            "AU1"
        ]
        shares.append((row["information"] / row["entropy"], row["share"]))
    plain, adjusted = np.mean(shares, axis=0)
    assert plain > 0.15 and abs(adjusted) < 0.06


def test_frames_of_one_sequence_are_dealt_together():
    # Two sequences of 50 frames are two things to know, not a hundred.
    frames = table(["fear"] * 50 + ["anger"] * 50, AU1=[1] * 50 + [0] * 50)
    apart = mutual_information(frames).loc["AU1"]
    together = mutual_information(frames.assign(sequence=["a"] * 50 + ["b"] * 50)).loc["AU1"]
    assert apart["p"] < 0.01 and apart["share"] == pytest.approx(1)
    assert together["chance"] == pytest.approx(1) and np.isnan(together["share"])
    # Frames that do not say of what sequence they are do not hang together.
    unnamed = mutual_information(frames.assign(sequence="")).loc["AU1"]
    pd.testing.assert_series_equal(unnamed, apart)


def test_information_is_that_of_the_joint_shares():
    rng = np.random.default_rng(0)
    emotions = rng.choice(["fear", "anger", "neutral"], 400)
    shown = rng.random(400) < np.where(emotions == "fear", 0.7, 0.2)
    joint = pd.crosstab(emotions, shown, normalize=True).to_numpy()
    expected = (joint * np.log2(joint / np.outer(joint.sum(axis=1), joint.sum(axis=0)))).sum()
    row = mutual_information(table(emotions, AU9=shown * 0.5)).loc["AU9"]
    assert row["information"] == pytest.approx(expected)
    assert row["share"] == pytest.approx((expected - row["chance"]) / (row["entropy"] - row["chance"]))
    # Independent estimate of the bias: (emotions - 1) / (2 n ln 2) bits (Miller 1955).
    assert row["chance"] == pytest.approx(2 / (2 * 400 * np.log(2)), rel=0.25)


def test_uncoded_pictures_are_left_out_of_the_information():
    rows = mutual_information(table(["fear", "anger", "fear"], AU1=[1, 0, np.nan], AU2=[np.nan] * 3))
    assert rows.loc["AU1", "n"] == 2 and rows.loc["AU1", "information"] == pytest.approx(1)
    assert rows.loc["AU2", "n"] == 0 and np.isnan(rows.loc["AU2", "present"])


@pytest.mark.parametrize("some", [table(["fear"]), table([""], AU1=[1.0])])
def test_a_table_without_units_or_labels_is_refused(some):
    for function in (au_emotion_table, mutual_information):
        with pytest.raises(DataError, match="needs both"):
            function(some)
