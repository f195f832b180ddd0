import numpy as np
import pandas as pd
import pytest

from book.faces.study import information_metrics, information_table, mutual_information
from tests.made import even_pictures, made_faces


def table(emotions, **columns):
    return pd.DataFrame({"emotion": emotions, "sequence": "", **columns})


def information(frame, **settings):
    return mutual_information(frame, [name for name in frame if name.startswith("AU")], **settings)


COLUMNS = ["n", "present", "entropy", "information"]


def test_information_worked_by_hand():
    four = ["fear", "fear", "anger", "anger"]
    rows = information(table(four, AU1=[1, 1, 0, 0], AU2=[1, 0, 1, 0], AU4=[1, 1, 1, 1]), draws=4000)
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
        row = information(table(emotions, AU1=rng.permutation([1] * 2 + [0] * 58)), draws=100).loc["AU1"]
        shares.append((row["information"] / row["entropy"], row["share"]))
    plain, adjusted = np.mean(shares, axis=0)
    assert plain > 0.15 and abs(adjusted) < 0.06


def test_frames_of_one_sequence_are_dealt_together():
    # Two sequences of 50 frames are two things to know, not a hundred.
    frames = table(["fear"] * 50 + ["anger"] * 50, AU1=[1] * 50 + [0] * 50)
    # Those that do not say of what sequence they are do not hang together.
    apart = information(frames).loc["AU1"]
    together = information(frames.assign(sequence=["a"] * 50 + ["b"] * 50)).loc["AU1"]
    assert apart["p"] < 0.01 and apart["share"] == pytest.approx(1)
    assert together["chance"] == pytest.approx(1) and np.isnan(together["share"])


def test_information_is_that_of_the_joint_shares():
    rng = np.random.default_rng(0)
    emotions = rng.choice(["fear", "anger", "neutral"], 400)
    shown = rng.random(400) < np.where(emotions == "fear", 0.7, 0.2)
    joint = pd.crosstab(emotions, shown, normalize=True).to_numpy()
    expected = (joint * np.log2(joint / np.outer(joint.sum(axis=1), joint.sum(axis=0)))).sum()
    row = information(table(emotions, AU9=shown * 0.5)).loc["AU9"]
    assert row["information"] == pytest.approx(expected)
    assert row["share"] == pytest.approx((expected - row["chance"]) / (row["entropy"] - row["chance"]))
    # Independent estimate of the bias: (emotions - 1) / (2 n ln 2) bits (Miller 1955).
    assert row["chance"] == pytest.approx(2 / (2 * 400 * np.log(2)), rel=0.25)


def test_uncoded_pictures_are_left_out_of_the_information():
    rows = information(table(["fear", "anger", "fear"], AU1=[1, 0, np.nan], AU2=[np.nan] * 3))
    assert rows.loc["AU1", "n"] == 2 and rows.loc["AU1", "information"] == pytest.approx(1)
    assert rows.loc["AU2", "n"] == 0 and np.isnan(rows.loc["AU2", "present"])


def test_the_unit_comes_first_that_the_emotion_tells_most_about():
    emotions = ["fear", "anger"] * 20
    units = {"AU1": [1, 0, 0, 1] * 10, "AU12": [1, 0] * 20}
    shown = information_table(made_faces(even_pictures([0] * 40), emotion=emotions, **units))
    assert list(shown.data.index) == ["AU12", "AU1"]
    assert shown.data.loc["AU12", ["adjusted information", "acts in", "pictures"]].tolist() == pytest.approx(
        [1, 0.5, 40]
    )
    metrics = information_metrics(shown)
    assert metrics["information_most"].value == pytest.approx(1) and metrics["informed_units"].value == 1
    assert "1.00</td>" in shown.html() and "50.0\N{NO-BREAK SPACE}%</td>" in shown.html()
