"""What one factor costs: worked by hand, against a loop over draws of people."""

import numpy as np
import pandas as pd
import pytest
from torch import nn

from book.transfer.factors import factor_drops
from fer_lib.faces.faceset import FaceSet
from fer_lib.stats.resampling import bounds, cluster_weights
from ferbook.errors import DataError, ParameterError

CLASSES = ("neutral", "happiness")
KINDS = (("a", "", "none"), ("a + x", "x", "add"), ("b − x", "x", "remove"), ("b", "", "all"))
# What is answered for the neutral and the happy picture of persons p, q and r, under each condition.
ANSWERS = {
    "a": ([0, 1], [0, 1], [0, 1]),  # all right
    "a + x": ([1, 1], [0, 1], [0, 1]),  # one of six wrong
    "b − x": ([0, 0], [0, 0], [0, 1]),  # two wrong
    "b": ([0, 0], [1, 0], [0, 0]),  # four wrong
}


class Reader(nn.Module):
    """Names the class that a picture's grey level says, or its opposite."""

    def __init__(self, contrary: bool = False):
        super().__init__()
        self.contrary = contrary

    def forward(self, pictures):
        said = (pictures.mean(dim=(1, 2, 3)) * 255).round().long()
        return nn.functional.one_hot(1 - said if self.contrary else said, 2).float()


@pytest.fixture
def between() -> FaceSet:
    rows = [
        (kind, factor, direction, f"s-{who}", emotion)
        for kind, factor, direction in KINDS
        for who in "pqr"
        for emotion in CLASSES
    ]
    table = pd.DataFrame(rows, columns=["condition", "factor", "direction", "subject", "emotion"])
    table = table.assign(dataset="s", sequence="", frame=0, split="test")
    said = np.array([ANSWERS[kind] for kind, *_ in KINDS], np.uint8).ravel()
    return FaceSet("between", np.broadcast_to(said[:, None, None], (24, 8, 8)).copy(), table)


def test_shares_and_differences_worked_by_hand(between):
    found = factor_drops([Reader()], CLASSES, between)
    assert list(found["condition"]) == [kind for kind, *_ in KINDS]
    assert list(found["n"]) == [6] * 4
    assert found["accuracy"].tolist() == pytest.approx([1, 5 / 6, 4 / 6, 2 / 6])
    # A factor more and all are held against none; a factor less against all.
    assert found["difference"].tolist() == pytest.approx([0, -1 / 6, 2 / 6, -4 / 6])


def test_several_networks_count_alike(between):
    found = factor_drops([Reader(), Reader(), Reader(contrary=True)], CLASSES, between)
    assert found["accuracy"].tolist() == pytest.approx([2 / 3, 11 / 18, 5 / 9, 4 / 9])


def test_intervals_draw_people_and_keep_pairs_together(between):
    found = factor_drops([Reader()], CLASSES, between, draws=300, seed=4).set_index("condition")
    right = {name: (np.array(said) == [0, 1]).sum(axis=1) for name, said in ANSWERS.items()}
    drawn = np.concatenate(list(cluster_weights(3, 300, 4)))
    apart = [
        sum(w * (o - n) for w, o, n in zip(d, right["b − x"], right["b"], strict=True)) / 6 for d in drawn
    ]
    of_difference = found.loc["b − x", "difference"]
    assert found.loc["b − x", ["difference_low", "difference_high"]].tolist() == pytest.approx(
        bounds(np.array(apart), 3, of_difference)
    )
    alone = [sum(w * o for w, o in zip(d, right["b"], strict=True)) / 6 for d in drawn]
    assert found.loc["b", ["low", "high"]].tolist() == pytest.approx(
        bounds(np.array(alone), 3, found.loc["b", "accuracy"])
    )
    assert found.loc["b", "interval"] == "95 % expanded percentile bootstrap, 300 draws of 3 people"
    # All right in every draw: no interval, rather than one that claims certainty.
    assert found.loc["a", ["low", "high", "difference_low"]].isna().all()


def test_emotions_that_the_network_does_not_know_are_left_out(between):
    further = between.select(between.table["emotion"].eq("neutral").to_numpy()).assign(emotion="fear")
    joined = FaceSet.concat("between", [between, further])
    order = np.argsort(joined.table["condition"].map([k for k, *_ in KINDS].index), kind="stable")
    found = factor_drops([Reader()], CLASSES, joined.select(order))
    pd.testing.assert_frame_equal(found, factor_drops([Reader()], CLASSES, between))


def test_pictures_that_are_not_paired_are_refused(between):
    swapped = np.r_[0:18, 20, 21, 18, 19, 22, 23]
    # One picture of the first condition changed places with the same picture of the last.
    mixed = np.r_[18, 1:18, 0, 19:24]
    for wrong in (np.arange(23), swapped, mixed, np.r_[0:6, 6:12], np.arange(24).reshape(4, 6).T.ravel()):
        with pytest.raises(DataError, match="'between': its conditions do not hold the same people"):
            factor_drops([Reader()], CLASSES, between.select(wrong))


def test_what_cannot_be_measured_is_refused(between):
    with pytest.raises(ParameterError, match="at least one network"):
        factor_drops([], CLASSES, between)
    with pytest.raises(DataError, match="shows 1 of the classes neutral, fear"):
        factor_drops([Reader()], ("neutral", "fear"), between)
    plain = FaceSet("plain", between.pixels, between.table.drop(columns="condition"))
    with pytest.raises(DataError, match="'plain' has no column 'condition'"):
        factor_drops([Reader()], CLASSES, plain)


def test_the_networks_stay_as_they_were(between):
    model = Reader().train()
    factor_drops([model], CLASSES, between)
    assert model.training
