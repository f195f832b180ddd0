"""Generated neutral faces beside the true ones: whose they are, and that the network that judges them knows
none of them.
"""

import re

import numpy as np
import pandas as pd
import pytest
import torch

from book.derl import neutral_quality
from book.derl.neutral_quality import GENERATED, OTHERS
from book.derl.pairs import Lessons, examples, known_neutrals
from fer_lib.faces.faceset import FaceSet
from fer_lib.nets.derl import Generator
from fer_lib.nets.vgg import VGG
from ferbook.errors import DataError
from ferbook.estimate import Estimate

CLASSES = ("neutral", "happiness", "anger")


def posed(people: int = 6, size: int = 16, name: str = "lab") -> FaceSet:
    """Each person at rest, half and wholly happy (even numbers) or angry, in one sequence."""
    rng = np.random.default_rng(1)
    rows = []
    for k in range(people):
        shown = CLASSES[1 + k % 2]
        for frame, emotion in enumerate(("neutral", shown, shown)):
            rows.append({"subject": f"p{k}", "sequence": "s", "frame": frame, "emotion": emotion})
    table = pd.DataFrame(rows).assign(dataset=name, split="train")
    return FaceSet(name, rng.integers(0, 256, (len(rows), size, size), dtype=np.uint8), table)


def nobodys() -> FaceSet:
    faces = posed(name="fer2013")
    return faces.assign(subject=[""] * len(faces))


def test_neutral_pictures_are_no_inputs_and_every_input_has_its_own_neutral():
    faces = posed()
    known = known_neutrals(faces)
    assert known.own and len(known.inputs) == 12 and known.same_sequence.all()
    np.testing.assert_array_equal(known.targets, known.inputs // 3 * 3)
    assert "12 expressive pictures of 6 people of lab" in known.about
    np.testing.assert_array_equal(known.truth, faces.pixels[known.targets])
    assert known.table["emotion"].ne("neutral").all()


def test_people_without_a_neutral_picture_are_named_and_counted():
    faces = posed()
    table = faces.table
    faces = faces.select((table["subject"].ne("p3") | table["emotion"].ne("neutral")).to_numpy())
    about = known_neutrals(faces).about
    assert "1 people (p3) with 2 pictures" in about


def test_where_nobody_is_named_rendered_faces_are_asked_and_the_page_says_why():
    known = known_neutrals(nobodys(), posed())
    assert not known.own and known.faces.name == "lab" and len(known.inputs) == 12
    assert "does not say who is shown" in known.about and "rendered ones" in known.about
    with pytest.raises(DataError, match="does not say who is shown"):
        known_neutrals(nobodys())


def test_examples_are_of_different_people_and_of_as_many_expressions_as_there_are():
    known = known_neutrals(posed())
    shown = known.select(examples(known, 4))
    assert list(shown.table["subject"]) == ["p0", "p1", "p2", "p3"]
    assert list(shown.table["emotion"]) == ["happiness", "anger", "happiness", "anger"]
    assert shown.table["frame"].eq(2).all(), "the apex of each"
    assert len(examples(known_neutrals(posed(2)), 4)) == 2


def test_a_sequence_stands_with_its_apex_and_a_picture_of_none_with_itself():
    faces = posed()
    assert known_neutrals(faces).apexes().tolist() == [1, 3, 5, 7, 9, 11], "the last one"
    told = faces.assign(apex=np.ones(len(faces), int))
    assert known_neutrals(told).apexes().tolist() == [0, 2, 4, 6, 8, 10], "the one in the middle"
    alone = faces.assign(sequence=[""] * len(faces))
    assert known_neutrals(alone).apexes().tolist() == list(range(12))


@pytest.fixture
def lessons() -> Lessons:
    """Of six people: all of them tested, three of them learned from."""
    faces = posed()
    pairs = faces.pixels, np.repeat(faces.pixels[::3], 3, axis=0)
    half = tuple(part[:9] for part in pairs)
    return Lessons(half, half, pairs, faces.table["subject"].to_numpy(str)[:9], faces.table, "")


@pytest.fixture
def judge() -> VGG:
    torch.manual_seed(0)
    return VGG(3, 16, widths=(2, 2, 2, 2)).eval()


def generator(seed: int) -> Generator:
    return Generator(16, (2, 4), generator=torch.Generator().manual_seed(seed))


def test_all_candidates_are_judged_on_the_expressive_pictures_of_the_test_people(lessons, judge):
    made = {GENERATED: generator(0), OTHERS: generator(1)}
    table = neutral_quality.quality(lessons, made, judge, CLASSES)
    summary = neutral_quality.summarise_quality(table, draws=50)
    of = summary.set_index(["candidate", "measure"])
    assert of.loc[("generated", "psnr"), "n"] == 12 and of.loc[("generated", "psnr"), "subjects"] == 6
    assert of.loc[("true neutral", "identity"), "value"] == 1
    assert of.loc[("generated", "p_neutral"), "n"] == 12
    assert OTHERS in set(summary["candidate"])
    assert not summary.duplicated(["candidate", "measure"]).any()


def test_table_and_metrics_have_every_value_that_there_is(lessons, judge):
    quality = neutral_quality.quality(lessons, {GENERATED: generator(0)}, judge, CLASSES)
    summary = neutral_quality.summarise_quality(quality, draws=50)
    found = neutral_quality.quality_metrics(summary)
    of = summary.set_index(["candidate", "measure"])["value"]
    assert found["input_ssim"].value == of["input", "ssim"] and found["input_ssim"].unit == ""
    assert found["psnr_over_input"].value == pytest.approx(of["generated", "psnr"] - of["input", "psnr"])
    assert found["truth_identity"].unit == "share" and found["truth_identity"].low is None
    assert "truth_psnr" not in found, "infinite"
    table = neutral_quality.quality_table(summary).data
    assert list(table.index) == ["generated", "input", "mean neutral", "true neutral"]
    assert table.loc["true neutral", "same person found"].value == 1
    assert pd.isna(table.loc["true neutral", "PSNR (dB)"]) and table["what it is"].notna().all()
    assert table.loc["input", "SSIM"] == found["input_ssim"]


def measured(**of_candidates: dict) -> pd.DataFrame:
    """What ``neutral_quality`` would say of four people's pictures, two trainings: by candidate the measures
    of the first training and the second.
    """
    rows = [
        {"candidate": name.replace("_", " "), "training": training, "picture": picture}
        | {"subject": f"p{picture // 2}", "emotion": "happiness"}
        | dict.fromkeys(("ssim", "identity", "p_emotion"), np.nan)
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
    gate = neutral_quality.gate_metrics(neutral_quality.summarise_quality(table, draws=200))
    assert gate["psnr_gain"].value == pytest.approx(3) and gate["psnr_gain"].n == 8
    assert gate["neutral_called"].value == pytest.approx((0.8 + 0.035) / (0.9 + 0.035))
    assert gate["identity_kept"].value == pytest.approx(0.1)
    # The people agree; the two trainings differ by 2 dB, so s / sqrt(2) is 1 and t has one degree of freedom.
    assert gate["psnr_gain"].low < 0 and gate["psnr_gain"].high > 6
    one = neutral_quality.summarise_quality(table[table["training"] == 0], draws=200)
    assert neutral_quality.gate_metrics(one)["psnr_gain"].value == pytest.approx(2)


@pytest.mark.parametrize(
    ("low", "told"),
    [
        ({}, "passed its gate"),
        ({"psnr_gain": 0.9}, "did not pass its gate.*nearer to the truth"),
        ({"identity_kept": None}, "did not pass its gate.*the same person"),
    ],
)
def test_the_gate_is_passed_by_whole_intervals_only(low, told):
    bounds = {"psnr_gain": 1.1, "neutral_called": 0.86, "identity_kept": -0.04} | low
    gate = {n: Estimate(9, own, 10) if own is not None else Estimate(9) for n, own in bounds.items()}
    assert re.search(told, neutral_quality.gate_text(gate))
    assert "did not pass" in neutral_quality.gate_text({}), "what was not asked was not passed"


def test_what_was_tried_is_a_table_of_the_benchmark():
    table = neutral_quality.tried_table().data
    assert len(table) >= 5 and table.index.is_unique and {"PSNR gain (dB)"} <= set(table)
