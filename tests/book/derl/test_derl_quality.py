"""Generated neutral faces beside the true ones: whose they are, and that the network that judges them knows
none of them.
"""

import numpy as np
import pandas as pd
import pytest
import torch

from book.derl import neutral_quality
from book.derl.neutral_quality import GENERATED, OTHERS
from book.derl.pairs import examples, known_neutrals
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import Fold, Protocol
from fer_lib.nets.derl import Generator
from fer_lib.nets.vgg import VGG
from ferbook.errors import DataError

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
def protocol() -> Protocol:
    fold = Fold(np.arange(9), np.arange(9, 12), np.arange(12, 18))
    return Protocol("one fold", "made here", CLASSES, (fold,), "")


@pytest.fixture
def judge() -> VGG:
    torch.manual_seed(0)
    return VGG(3, 16, widths=(2, 2, 2, 2)).eval()


def generator(seed: int) -> Generator:
    return Generator(16, (2, 4), generator=torch.Generator().manual_seed(seed))


def test_the_judge_is_asked_only_about_people_whom_its_fold_tests(protocol, judge):
    known = known_neutrals(posed())
    made = {GENERATED: generator(0), OTHERS: generator(1)}
    neutrals = posed(3).pixels[::3]
    summary = neutral_quality.quality(known, made, neutrals, judge, protocol, draws=50)
    of = summary.set_index(["candidate", "measure"])
    assert of.loc[("generated", "psnr"), "n"] == 12 and of.loc[("generated", "psnr"), "subjects"] == 6
    assert (
        of.loc[("generated", "p_neutral"), "n"] == 4 and of.loc[("generated", "p_neutral"), "subjects"] == 2
    )
    assert of.loc[("true neutral", "identity"), "value"] == 1
    assert OTHERS in set(summary["candidate"])
    assert not summary.duplicated(["candidate", "measure"]).any()
    apart = known_neutrals(nobodys(), posed())
    asked = neutral_quality.quality(apart, {GENERATED: made[GENERATED]}, neutrals, judge, protocol, draws=50)
    of = asked.set_index(["candidate", "measure"])
    assert of.loc[("generated", "p_neutral"), "n"] == 12, "none of the rendered people was learned from"
    assert OTHERS not in set(asked["candidate"])


def test_table_and_metrics_have_every_value_that_there_is(protocol, judge):
    known = known_neutrals(posed())
    neutrals = posed(3).pixels[::3]
    summary = neutral_quality.quality(known, {GENERATED: generator(0)}, neutrals, judge, protocol, draws=50)
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
