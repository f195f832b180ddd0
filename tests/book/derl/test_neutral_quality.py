"""The quality of neutral faces: against values worked by hand and a naive loop, and each candidate held to
the same inputs.
"""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from book.derl.neutral_quality import (
    CANDIDATES,
    GENERATED,
    INPUT,
    MEAN,
    TRUTH,
    generated_neutrals,
    mean_face,
    neutral_quality,
    psnr,
    rank_one,
    ssim,
    summarise_quality,
)
from fer_lib.stats.resampling import bootstrap, cluster_sums
from ferbook.errors import DataError

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


def test_ssim_by_hand():
    # Even pictures have neither variance nor covariance: what is left compares the means, with C1 = 2.55² =
    # 6.5025.
    assert ssim(even(100), even(50)) == pytest.approx((2 * 5000 + 6.5025) / (12500 + 6.5025))
    assert ssim(even(7), even(7)) == pytest.approx(1)
    picture = noise(1)
    assert ssim(picture, 255 - picture) < 0


def test_ssim_equals_a_naive_loop():
    one, other = noise(2, 1, 14), noise(2, 2, 14)
    other[1] = (one[1] // 2) + 40
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    expected = []
    for x_picture, y_picture in zip(one.astype(float), other.astype(float), strict=True):
        places = []
        for i in range(4):
            for j in range(4):
                x, y = x_picture[i : i + 11, j : j + 11], y_picture[i : i + 11, j : j + 11]
                mean_x, mean_y = (window * x).sum(), (window * y).sum()
                var_x, var_y = (window * (x - mean_x) ** 2).sum(), (window * (y - mean_y) ** 2).sum()
                cov = (window * (x - mean_x) * (y - mean_y)).sum()
                places.append(
                    (2 * mean_x * mean_y + c1)
                    * (2 * cov + c2)
                    / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
                )
        expected.append(np.mean(places))
    assert ssim(one, other) == pytest.approx(expected, rel=1e-9)


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


def study() -> dict:
    """Three people; a in two takes, the first with two inputs, b and c in one each; the fifth input is
    neutral, the last one its own truth.
    """
    neutral = noise(4, seed=3)
    truth = neutral[[0, 0, 1, 2, 0, 3, 3]]
    inputs = truth.copy()
    inputs[[0, 1, 2, 3, 5], :8] = noise(5, seed=4)[:, :8]
    inputs[4, 0] = 1
    generated = truth.copy()
    generated[:, 0, 0] ^= 255
    table = pd.DataFrame(
        {
            "subject": list("aaababb"),
            "sequence": ["1", "1", "2", "1", "1", "", ""],
            "emotion": ["happiness", "fear", "happiness", "happiness", "neutral", "happiness", "happiness"],
        },
        index=range(10, 17),
    )
    return {"generated": generated, "inputs": inputs, "truth": truth, "table": table}


def asked(given: dict, others: dict | None = None, **settings: object) -> pd.DataFrame:
    """What is measured of the four candidates and of ``others``."""
    truth = given["truth"]
    mean = np.broadcast_to(mean_face(truth), truth.shape)
    candidates = {GENERATED: given["generated"], INPUT: given["inputs"], MEAN: mean, TRUTH: truth}
    return neutral_quality(candidates | (others or {}), truth, given["table"], **settings)


def test_every_candidate_is_asked_about_the_same_expressive_inputs():
    given = study()
    mean = mean_face(given["truth"])
    table = asked(given)
    assert list(dict.fromkeys(table["candidate"])) == list(CANDIDATES)[:4]
    parts = dict(tuple(table.groupby("candidate")))
    kept = [0, 1, 2, 3, 5]
    pictures = {GENERATED: given["generated"], INPUT: given["inputs"], MEAN: np.stack([mean] * 7)}
    for name, its in pictures.items():
        part = parts[name]
        assert part["picture"].tolist() == kept and part["subject"].tolist() == list("aaabb")
        assert part["psnr"].to_numpy() == pytest.approx(psnr(its, given["truth"])[kept])
        assert part["ssim"].to_numpy() == pytest.approx(ssim(its, given["truth"])[kept])
    assert parts[TRUTH]["psnr"].isna().all() and parts[TRUTH]["identity"].eq(1).all()
    assert table["p_neutral"].isna().all() and table["p_emotion"].isna().all()


def test_another_take_is_found_without_the_pictures_of_the_own_one():
    given = study()
    # Nearly the other take of the same person: nearer to it than to the truth of the own take.
    generated = given["truth"].copy()
    generated[0] = given["truth"][2]
    table = asked(given | {"generated": generated})
    part = table[table["candidate"] == GENERATED].set_index("picture")
    assert part["identity"].tolist() == [1] * 5
    # A gallery of four: two of a, two of b.
    assert part["identity_chance"].tolist() == [0.5] * 5
    assert part["identity_other_take_chance"].to_numpy() == pytest.approx(1 / 3)
    assert part["identity_other_take"][0] == 1
    # The second input is the truth of its own take, which is not to be found; which of the three others is
    # nearest, pixels say.
    flat = given["truth"][[1, 2, 3, 5]].reshape(4, -1)
    nearest = np.corrcoef(flat)[0, 1:]
    against = np.corrcoef(np.concatenate([given["truth"][1].reshape(1, -1), flat[1:]]))[0, 1:]
    assert against == pytest.approx(nearest)
    assert part["identity_other_take"][1] == float(against.argmax() == 0)


def test_the_take_of_another_input_hides_its_truth_too():
    given = study()
    # The inputs of one sequence have different truths, as where a sequence begins and ends at rest: neither
    # counts as another take.
    truth = given["truth"].copy()
    truth[1] = noise(1, seed=9)[0]
    table = asked(given | {"truth": truth})
    part = table[table["candidate"] == TRUTH].set_index("picture")
    assert part["identity_chance"][0] == pytest.approx(3 / 5)
    assert part["identity_other_take_chance"][0] == pytest.approx(1 / 3)


def test_a_person_of_one_take_is_nobody_to_be_found_elsewhere():
    given = study()
    table = given["table"].assign(subject=list("aaabacc"))
    part = asked(given | {"table": table})
    part = part[part["candidate"] == GENERATED].set_index("picture")
    for column in ("identity_other_take", "identity_other_take_chance"):
        assert part[column].isna().tolist() == [False, False, False, True, True]


def test_the_expression_that_is_left_is_what_the_classifier_says():
    given = study()
    further = np.zeros_like(given["truth"]) + np.uint8(51)
    table = asked(given, {"dark": further}, classifier=Brightness(), classes=("neutral", "happiness"))
    bright = given["inputs"].mean(axis=(1, 2)) / 255
    part = table[table["candidate"] == INPUT].set_index("picture")
    assert part["p_neutral"].to_numpy() == pytest.approx(1 - bright[[0, 1, 2, 3, 5]], abs=1e-5)
    # The classifier does not know fear.
    assert np.isnan(part["p_emotion"][1])
    assert part["p_emotion"][2] == pytest.approx(bright[2], abs=1e-5)
    dark = table[table["candidate"] == "dark"]
    assert dark["p_neutral"].to_numpy() == pytest.approx(0.8, abs=1e-5)


def test_means_are_of_the_pictures_that_count_and_intervals_of_subjects():
    given = study()
    generated = given["truth"].copy()
    generated[1:, 0, 0] ^= 255
    table = asked(given | {"generated": generated})
    summary = summarise_quality(table, draws=200, seed=3).set_index(["candidate", "measure"])
    assert "p_neutral" not in summary.index.get_level_values("measure")
    own = summary.loc[GENERATED, "psnr"]
    # The first picture is perfect: no number of decibels, and counted as such.
    finite = psnr(generated, given["truth"])[[1, 2, 3, 5]]
    assert own["value"] == pytest.approx(finite.mean())
    assert (own["n"], own["undefined"], own["subjects"]) == (4, 1, 2) and np.isnan(own["gain"])
    copied = summary.loc[INPUT, "psnr"]
    theirs = psnr(given["inputs"], given["truth"])[[1, 2, 3, 5]]
    assert copied["gain"] == pytest.approx((finite - theirs).mean())
    sums = cluster_sums(np.stack([finite - theirs, np.ones(4)], axis=1), np.array(list("aabb")))
    interval = bootstrap(sums, draws=200, seed=3)
    assert (copied["gain_low"], copied["gain_high"]) == pytest.approx((interval.low, interval.high))


def test_inputs_without_an_expression_are_refused():
    given = study()
    for changed in ({"table": given["table"].assign(emotion="neutral")}, {"inputs": given["truth"]}):
        with pytest.raises(DataError, match="no expression to take off"):
            asked(given | changed)
