"""What one factor costs: worked by hand, against a loop over draws of people; and what is told of it. Faces
between two domains: one row per picture, paired over the conditions, made once.
"""

import numpy as np
import pandas as pd
import pytest
from torch import nn

from book.transfer import factors, figures
from book.transfer.factors import condition_rows, factor_drops, factor_faces, render_factors
from book.transfer.study import Sets, TransferStudy
from face_sets.faceset import FaceSet
from fer_lib.stats.resampling import bounds, cluster_weights
from ferbook.errors import DataError, ParameterError
from ferbook.estimate import Estimate
from synthetic_faces.errors import SettingError
from synthetic_faces.facs import AUS
from synthetic_faces.mix import FACTORS, conditions
from synthetic_faces.produce import Recipe
from tests.made import even_pictures, made_faces

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
    said = np.ravel([ANSWERS[kind] for kind, *_ in KINDS])
    kinds = zip(("condition", "factor", "direction"), np.repeat(KINDS, 6, axis=0).T, strict=True)
    who = {"subject": np.tile(np.repeat(["s-p", "s-q", "s-r"], 2), 4), "emotion": np.tile(CLASSES, 12)}
    return made_faces(even_pictures(said, 8), "between", dataset="s", **dict(kinds), **who)


def values(estimates) -> list[float]:
    return [one.value for one in estimates]


def test_shares_and_differences_worked_by_hand(between):
    found = factor_drops([Reader()], CLASSES, between)
    assert list(found["condition"]) == [kind for kind, *_ in KINDS]
    assert [one.n for one in found["accuracy"]] == [6] * 4
    assert values(found["accuracy"]) == pytest.approx([1, 5 / 6, 4 / 6, 2 / 6])
    # A factor more and all are held against none; a factor less against all.
    assert values(found["difference"]) == pytest.approx([0, -100 / 6, 200 / 6, -400 / 6])


def test_several_networks_count_alike(between):
    found = factor_drops([Reader(), Reader(), Reader(contrary=True)], CLASSES, between)
    assert values(found["accuracy"]) == pytest.approx([2 / 3, 11 / 18, 5 / 9, 4 / 9])


def test_intervals_draw_people_and_keep_pairs_together(between):
    found = factor_drops([Reader()], CLASSES, between, draws=300, seed=4).set_index("condition")
    right = {name: (np.array(said) == [0, 1]).sum(axis=1) for name, said in ANSWERS.items()}
    drawn = np.concatenate(list(cluster_weights(3, 300, 4)))

    def ends(sums, value):
        by_hand = np.array([sum(w * own for w, own in zip(draw, sums, strict=True)) / 6 for draw in drawn])
        return pytest.approx([float(end) for end in bounds(by_hand, 3, value)])

    apart, alone = found.loc["b − x", "difference"], found.loc["b", "accuracy"]
    assert [apart.low, apart.high] == ends(100 * (right["b − x"] - right["b"]), apart.value)
    assert [alone.low, alone.high] == ends(right["b"], alone.value)
    assert "300 draws of 3 people; the seeds are not covered" in apart.how
    # All right in every draw: no interval, rather than one that claims certainty.
    for certain in found.loc["a", ["accuracy", "difference"]]:
        assert certain.low is None and "give the same value" in certain.why


def test_emotions_that_the_network_does_not_know_are_left_out(between):
    further = between.select(between.table["emotion"].eq("neutral").to_numpy()).assign(emotion="fear")
    joined = FaceSet.concat("between", [between, further])
    order = np.argsort(joined.table["condition"].map([k for k, *_ in KINDS].index), kind="stable")
    found = factor_drops([Reader()], CLASSES, joined.select(order))
    pd.testing.assert_frame_equal(found, factor_drops([Reader()], CLASSES, between))


def test_a_single_class_tells_nothing(between):
    with pytest.raises(DataError, match="shows 1 of the classes neutral, fear"):
        factor_drops([Reader()], ("neutral", "fear"), between)


def test_the_networks_stay_as_they_were(between):
    model = Reader().train()
    factor_drops([model], CLASSES, between)
    assert model.training


CELLS = {
    ("", "none"): (0.9, 0.0),
    ("pose", "add"): (0.7, -0.2),
    ("blur", "add"): (0.88, -0.02),
    ("pose", "remove"): (0.6, 0.2),
    ("blur", "remove"): (0.45, 0.05),
    ("", "all"): (0.4, -0.5),
}


def made(scale: float = 1.0) -> pd.DataFrame:
    rows = []
    for (factor, direction), (accuracy, difference) in CELLS.items():
        apart = 100 * scale * difference
        estimates = {
            "accuracy": Estimate(accuracy, accuracy - 0.05, accuracy + 0.05, unit="share", n=84),
            "difference": Estimate(apart, apart - 3, apart + 3),
        }
        rows.append({"factor": factor, "direction": direction, "networks": 5, "people": 12} | estimates)
    return pd.DataFrame(rows)


def test_the_table_is_in_points_and_leaves_out_what_is_compared_with_itself():
    table = factors.factor_table({"lab": made(), "wild": made(0.5)})
    assert len(table) == 10 and table["network"].unique().tolist() == ["lab", "wild"]
    pose = table[table["factor"].eq("pose") & table["direction"].eq("add")]
    assert pose["difference"].tolist() == pytest.approx([-20, -10])
    assert pose["low"].iloc[0] == pytest.approx(-23)


def test_the_metrics_are_those_of_the_first_network():
    metrics = factors.factor_metrics({"lab": made(), "wild": made(0.5)})
    assert metrics["factor_base_accuracy"].value == 0.9
    assert metrics["factor_all_drop"].value == pytest.approx(-50)
    assert metrics["factor_worst_drop"].value == pytest.approx(-20)
    assert metrics["factor_worst_drop"].low == pytest.approx(-23)
    assert metrics["factor_worst_drop"].high == pytest.approx(-16.57, abs=0.01), "of two, by Bonferroni"


def test_the_figure_shows_all_networks_and_its_caption_says_what_costs_each_most():
    drawn = figures.factor_dots({"lab": made(), "wild": made(0.5)}, "lab", "wild")
    assert len(drawn.data) == 10
    left, right = (
        {round(float(x)) for dots in axes.collections for x, _ in dots.get_offsets() if np.isfinite(x)}
        for axes in drawn.figure.axes[:2]
    )
    assert {-50, -20} <= left and {20, 5} <= right and 50 not in right
    assert "was learned): pose −20.0 (lab) and −10.0 (wild). All" in drawn.caption
    assert "together: −50.0 (lab) and −25.0 (wild)." in drawn.caption and "Not drawn" not in drawn.caption
    assert "Networks of each set: 5; people: 12; pictures with each factor: 84." in drawn.caption
    for scale, told in ((0.05, "pose −1.0 (lab, not told from 0)"), (-1, "learned): none +2.0 (lab")):
        assert told in figures.factor_dots({"lab": made(scale)}, "lab", "wild").caption
    small = figures.factor_dots({"wild": made(0.5)}, "lab", "wild")
    assert "change no network by 5 points: " in small.caption and len(small.data) == 5
    assert "all of them, learned from lab −50.0" in drawn.alt and "pose, learned from lab −20.0" in drawn.alt


def test_networks_are_asked_by_set_and_those_of_the_base_come_first(between):
    networks = {("wild", 0): Reader(), ("lab", 0): Reader(), ("lab", 1): Reader(contrary=True)}
    study = TransferStudy(Sets(CLASSES, {"wild": None, "lab": None}, {}, {}), networks, {})
    found = factors.every_drop(study, between, draws=100)
    assert list(found) == ["lab", "wild"]
    assert list(factors.every_drop(study, between, first="", draws=100)) == ["wild", "lab"]
    alone = factor_drops([Reader()], CLASSES, between, draws=100)
    pd.testing.assert_frame_equal(found["wild"], alone)
    assert values(found["lab"]["accuracy"]) == pytest.approx([0.5] * 4)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_CACHE", str(tmp_path))


def test_pictures_are_paired_over_the_conditions(monkeypatch):
    kinds = conditions("lab", "micro")
    pixels = np.arange(len(kinds) * 6, dtype=np.uint8).reshape(-1, 6, 1, 1) * np.ones((2, 2), np.uint8)
    units = np.linspace(0, 1, len(kinds) * 6 * len(AUS)).reshape(len(kinds), 6, len(AUS))
    monkeypatch.setattr(factors, "render_conditions", lambda *_, **__: (pixels, units))
    faces = render_factors(Recipe("lab", 3, 16), "micro", people=2)
    table = faces.table
    assert len(faces) == len(kinds) * 6 and faces.pixels[:, 0, 0].tolist() == list(range(len(faces)))
    np.testing.assert_array_equal(table[list(AUS)].to_numpy(), units.reshape(-1, len(AUS)))
    assert list(table["condition"].drop_duplicates()) == [kind.name for kind in kinds]
    who = table[["subject", "emotion", "sequence"]].to_numpy().reshape(len(kinds), 6, 3)
    assert (who == who[0]).all()
    assert list(who[0, :, 1]) == ["disgust", "happiness", "surprise"] * 2
    assert list(who[0, ::3, 0]) == ["lab-S200001", "lab-S200002"]
    assert set(table["split"]) == {"test"} and set(table["factor"]) == {"", *FACTORS}


def test_faces_are_rendered_once(own_cache, monkeypatch):
    made = []

    def fake(recipe, other, people):
        made.append((other, people))
        table = condition_rows(recipe.domain, other, people)
        return FaceSet("between", np.zeros((len(table), 16, 16), np.uint8), table)

    monkeypatch.setattr(factors, "render_factors", fake)
    first, again = (factor_faces(2, size=16) for _ in range(2))
    assert first.checksum == again.checksum and made == [("wild", 2)]
    factor_faces(3, size=16)
    factor_faces(2, size=16, seed=1)
    factor_faces(2, size=16, other="game")
    assert len(made) == 4


@pytest.mark.parametrize(
    ("arguments", "message", "error"),
    [
        ({"people": 1}, "people 1: give at least 2", ParameterError),
        ({"size": 8}, "size is 8", SettingError),
        ({"other": "lab"}, "both lab", SettingError),
        ({"other": "zoo"}, "no synthetic domain 'zoo'", SettingError),
    ],
)
def test_what_cannot_be_made_is_refused(arguments, message, error):
    with pytest.raises(error, match=message):
        factor_faces(**arguments)
