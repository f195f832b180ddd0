"""The quality of neutral faces: against values worked by hand, and each candidate held to the same inputs."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from book.derl import neutral_quality
from book.derl.neutral_quality import GENERATED, INPUT, OTHERS, TRUTH, generated_neutrals, psnr, rank_one
from book.derl.pairs import PairSplits
from face_sets.faceset import FaceSet
from fer_lib.stats.resampling import bootstrap, cluster_sums
from ferbook.errors import DataError
from ferbook.estimate import Estimate

SIDE = 16


def even(value: int, side: int = SIDE) -> np.ndarray:
    return np.full((1, side, side), value, np.uint8)


def noise(count: int, seed: int = 0, side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side), dtype=np.uint8)


def test_psnr_by_hand():
    # One grey value of difference everywhere: 20 log10 255. Ten of difference in a quarter of the pixels: a
    # mean square of 25.
    quarter = even(100)
    quarter[0, :8, :8] = 110
    found = psnr(np.concatenate([even(101), quarter, even(100)]), np.concatenate([even(100)] * 3))
    assert found == pytest.approx([48.1308, 10 * np.log10(255**2 / 25), np.inf], abs=1e-4)
    # Bytes must not wrap around: 250 is far from 0.
    assert psnr(even(0), even(250)) == pytest.approx(20 * np.log10(255 / 250))


def test_the_nearest_allowed_picture_decides():
    gallery = noise(4)
    owners = np.array(["a", "b", "a", "c"])
    # The second is brighter and flatter: correlation does not mind. The last is even, and equally far from
    # all.
    pictures = np.stack([gallery[0], gallery[1] // 2 + 60, gallery[3], even(9)[0]])
    everything = np.ones((4, 4), bool)
    subjects = np.array(["a", "a", "c", "a"])
    found = rank_one(pictures, subjects, gallery, owners, everything)
    assert found == pytest.approx([1, 0, 1, 0.5])
    # Without its own picture, c has none left; a has another, which is no nearer than the others'.
    allowed = everything.copy()
    allowed[0, 0] = allowed[2, 3] = False
    found = rank_one(pictures, subjects, gallery, owners, allowed)
    nearest = np.corrcoef(np.stack([pictures[0], *gallery[1:]]).reshape(4, -1))[0, 1:].argmax()
    assert found[0] == float(owners[1:][nearest] == "a")
    assert np.isnan(found[2])


class Halved(nn.Module):
    """Half as bright, and too bright in training; remembers what it was shown."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        assert pictures.dtype == torch.float32 and pictures.shape[1:] == (1, SIDE, SIDE)
        return pictures / 2 if not self.training else pictures + 9


def test_a_generator_is_asked_in_evaluation_mode_and_rounded():
    generator, pictures = Halved(), noise(5)
    made = generated_neutrals(generator, pictures, batch_size=2)
    assert made.dtype == np.uint8 and generator.training
    # Bytes are kept in order, and halves go to the nearest byte, either one of two.
    assert np.abs(made - pictures / 2).max() <= 0.5


class Brightness(nn.Module):
    """Says ``neutral`` of dark pictures: probability (255 - mean) / 255."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        bright = pictures.mean(dim=(1, 2, 3))
        return torch.stack([torch.log(1 - bright), torch.log(bright)], dim=1)


CLASSES = ("neutral", "happiness")


def splits(**columns: object) -> PairSplits:
    """Three people; a in two takes, the first with two inputs, b in two, c in one; the fifth input is
    neutral, the last one its own truth.
    """
    neutral = noise(5, seed=3)
    truth = neutral[[0, 0, 1, 2, 0, 3, 4, 4]]
    inputs = truth.copy()
    inputs[[0, 1, 2, 3, 5, 6], :8] = noise(6, seed=4)[:, :8]
    inputs[4, 0] = 1
    emotions = ["happiness", "fear", "happiness", "happiness", "neutral", *["happiness"] * 3]
    table = pd.DataFrame({"subject": list("aaababcc"), "sequence": list("11211211"), "emotion": emotions})
    table = table.assign(dataset="toy", split="test", frame=0, **columns)
    taught = noise(4, seed=5), noise(4, seed=6)
    return PairSplits(taught, taught, np.array(list("wxyz")), FaceSet("toy", inputs, table), truth, "")


def asked(given: PairSplits, classes: tuple[str, ...] = CLASSES) -> dict[str, pd.DataFrame]:
    """What is measured of each candidate."""
    made = {GENERATED: Halved().eval(), OTHERS: nn.Identity()}
    return dict(tuple(neutral_quality.quality(given, made, Brightness(), classes).groupby("candidate")))


def test_every_candidate_is_asked_about_the_same_expressive_inputs():
    given, kept = splits(), [0, 1, 2, 3, 5, 6]
    inputs, truth = given.tested.pixels[kept], given.truth[kept]
    parts = asked(given)
    mean = np.stack([neutral_quality.mean_face(given.train[1])] * 6)
    pictures = {GENERATED: generated_neutrals(Halved(), inputs), INPUT: inputs, OTHERS: inputs}
    pictures[neutral_quality.MEAN_NEUTRAL] = mean
    for name, its in pictures.items():
        part = parts[name]
        assert part["picture"].tolist() == list(range(6)) and part["subject"].tolist() == list("aaabbc")
        assert part["psnr"].to_numpy() == pytest.approx(psnr(its, truth))
        bright = its.mean(axis=(1, 2)) / 255
        assert part["p_neutral"].to_numpy() == pytest.approx(1 - bright, abs=1e-5)
    assert np.isinf(parts[TRUTH]["psnr"]).all() and len(parts) == 5
    assert asked(given, ("happiness", "fear"))[INPUT]["p_neutral"].isna().all(), "nobody says neutral"


def test_a_person_is_looked_for_among_the_true_faces_of_other_takes():
    given = splits()
    # What is made of the first input is nearly the other take of a, that of the second the own one, which is
    # not to be found.
    found = asked(given)[OTHERS]["identity_other_take"]
    assert np.isnan(found.iloc[5]), "c has no other take"
    gallery = given.truth[[0, 2, 3, 5, 6]].reshape(5, -1)
    owners, takes = np.array(list("aabbc")), np.array(["a1", "a2", "b1", "b2", "c1"])
    for place, (row, take) in enumerate(zip((0, 1, 2, 3, 5), ("a1", "a1", "a2", "b1", "b2"), strict=True)):
        alike = np.corrcoef(np.concatenate([given.tested.pixels[row].reshape(1, -1), gallery]))[0, 1:]
        nearest = np.where(takes == take, -2, alike).argmax()
        assert found.iloc[place] == float(owners[nearest] == take[0])


def test_a_neutral_picture_of_several_takes_is_not_searched_for_from_any_of_them():
    """As in real sets with one neutral picture for each person: it is the truth, so finding it is no test."""
    given = splits()
    shared = given.truth.copy()
    shared[2] = shared[0]
    found = asked(replace(given, truth=shared))[INPUT]["identity_other_take"]
    assert found.iloc[:3].isna().all(), "a has no neutral picture besides the own truth"
    assert found.iloc[3:5].notna().all(), "b has another one"


def test_means_are_of_the_pictures_that_count_and_intervals_of_subjects():
    table = measured(
        generated=dict(psnr=(30, 32), p_neutral=(0.7, 0.9), identity_other_take=(np.nan, np.nan)),
        input=dict(psnr=(28, 28), p_neutral=(0.1, 0.1), identity_other_take=(np.nan, np.nan)),
    )
    table = table[table["training"].eq(0)].copy()
    table.loc[table["candidate"].eq("generated") & table["picture"].eq(0), "psnr"] = np.inf
    summary = neutral_quality.summarise_quality(table, draws=200, seed=3).set_index(["candidate", "measure"])
    assert "identity_other_take" not in summary.index.get_level_values("measure")
    own, copied = summary.loc[GENERATED, "psnr"], summary.loc[INPUT, "psnr"]
    # The first picture is perfect: no number of decibels.
    assert own["estimate"].value == pytest.approx(30.04) and own["gain"] is None
    assert (own["estimate"].n, copied["estimate"].n, copied["gain"].n) == (7, 8, 7)
    assert copied["gain"].value == pytest.approx(2)
    values = 30 + 0.01 * np.arange(1, 8)
    sums = cluster_sums(np.stack([values, np.ones(7)], axis=1), np.array(list("abbccdd")))
    interval = bootstrap(sums, draws=200, seed=3)
    assert (own["estimate"].low, own["estimate"].high) == pytest.approx((interval.low, interval.high))


def test_inputs_without_an_expression_are_refused():
    with pytest.raises(DataError, match="inputs are neutral"):
        asked(splits(emotion="neutral"))


def measured(**of_candidates: dict) -> pd.DataFrame:
    """What ``neutral_quality`` would say of four people's pictures, two trainings: by candidate the measures
    of the first training and the second.
    """
    rows = [
        {"candidate": name.replace("_", " "), "training": training, "picture": picture}
        | {"subject": f"p{picture // 2}"}
        | {measure: values[training] + 0.01 * picture for measure, values in measures.items()}
        for name, measures in of_candidates.items()
        for training in range(2)
        for picture in range(8)
    ]
    return pd.DataFrame(rows)


def test_the_gate_is_a_gain_a_share_and_a_difference_by_hand():
    table = measured(
        generated=dict(psnr=(30, 32), p_neutral=(0.7, 0.9), identity_other_take=(0.5, 0.5)),
        input=dict(psnr=(28, 28), p_neutral=(0.1, 0.1), identity_other_take=(0.4, 0.4)),
        true_neutral=dict(psnr=(np.nan, np.nan), p_neutral=(0.9, 0.9), identity_other_take=(0.6, 0.6)),
    )
    gate = neutral_quality.quality_metrics(neutral_quality.summarise_quality(table, draws=200))
    assert gate["psnr_gain"].value == pytest.approx(3) and gate["psnr_gain"].n == 8
    assert gate["neutral_called"].value == pytest.approx((0.8 + 0.035) / (0.9 + 0.035))
    assert gate["identity_kept"].value == pytest.approx(0.1)
    # The people agree; the two trainings differ by 2 dB, so s / sqrt(2) is 1 and t has one degree of freedom.
    assert gate["psnr_gain"].low < 0 and gate["psnr_gain"].high > 6
    one = neutral_quality.summarise_quality(table[table["training"] == 0], draws=200)
    assert neutral_quality.quality_metrics(one)["psnr_gain"].value == pytest.approx(2)


@pytest.mark.parametrize(
    ("low", "told"),
    [
        ({}, "passes its gate"),
        ({"psnr_gain": 0.9}, "does not pass its gate.*nearer to the truth"),
        ({"identity_kept": None}, "does not pass its gate.*person is found"),
    ],
)
def test_the_gate_is_passed_by_whole_intervals_only(low, told):
    bounds = {"psnr_gain": 1.1, "neutral_called": 0.86, "identity_kept": -0.04} | low
    unknown = Estimate(9, why="one person")
    gate = {n: unknown if own is None else Estimate(9, own, 10) for n, own in bounds.items()}
    assert re.search(told, neutral_quality.gate_text(gate))
    assert "does not pass" in neutral_quality.gate_text({}), "nothing was measured"


def test_there_is_no_share_of_nothing():
    found = {"psnr": (30, 32), "p_neutral": (0.7, 0.9), "identity_other_take": (0.5, 0.5)}
    table = measured(generated=found, input=found | {"identity_other_take": (0, 0)})
    table.loc[table["candidate"].eq("input"), "identity_other_take"] = 0.0
    row = neutral_quality.summarise_quality(table, draws=50).set_index(["candidate", "measure"])
    nobody = row.loc[INPUT, "identity_other_take"]
    assert nobody["share"] is None and nobody["estimate"].value == 0 and nobody["gain"].value > 0.5
