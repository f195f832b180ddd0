"""Cross-dataset validation: k trainings for a table of k × k, on the same classes, with tests that nobody has
learned from.
"""

import numpy as np
import pandas as pd
import pytest
import torch

from book.transfer.study import TransferStudy, all_but, cross_dataset, even_shares, joined
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.subsets import at_most
from fer_lib.nets import build as nets_build
from fer_lib.train import learner
from fer_lib.train.predict import predict
from fer_lib.train.recipe import Recipe
from ferbook.errors import DataError, ParameterError

RECIPE = Recipe(epochs=1, batch_size=16, lr=0.01, augment="none")
SPLITS = ["train"] * 24 + ["valid"] * 9 + ["test"] * 12


def stripes(name, seed, emotions=("neutral", "happiness", "fear")):
    """45 noisy pictures of 16 pixels; two of each person, three emotions in turn, told by where a bright bar
    lies.
    """
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 120, size=(45, 16, 16))
    for row in range(45):
        pixels[row, :, 4 * (row % 3)] += 100
    table = pd.DataFrame(
        {
            "dataset": name,
            "subject": [f"{name}-{row // 2 + 100 * SPLITS.index(split)}" for row, split in enumerate(SPLITS)],
            "sequence": "",
            "frame": range(45),
            "emotion": [emotions[row % 3] for row in range(45)],
            "split": SPLITS,
        }
    )
    return FaceSet(name, pixels.astype(np.uint8), table)


def three_sets() -> dict[str, FaceSet]:
    return {
        "a": stripes("a", 1),
        "b": stripes("b", 2),
        "c": stripes("c", 3, ("neutral", "happiness", "sadness")),
    }


@pytest.fixture
def sets() -> dict[str, FaceSet]:
    return three_sets()


@pytest.fixture(scope="module", autouse=True)
def narrow_networks():
    build = nets_build.build_network
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            nets_build, "build_network", lambda *given, **options: build(*given, widths=(4, 4, 4), **options)
        )
        yield


@pytest.fixture(scope="module")
def study(narrow_networks) -> TransferStudy:
    """Of the three sets from one seed, to look at."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return study_of(three_sets(), seeds=(3,))
    finally:
        torch.set_num_threads(threads)


@pytest.fixture
def trained(monkeypatch) -> list[FaceSet]:
    """The faces of each training, in order."""
    seen, train = [], learner.train
    monkeypatch.setattr(
        learner,
        "train",
        lambda faces, *given, **settings: (seen.append(faces), train(faces, *given, **settings))[1],
    )
    return seen


def study_of(sets, seeds=(0,), **settings):
    return cross_dataset(sets, "residual", RECIPE, seeds, precision="fp32", **settings)


def test_every_set_is_tested_by_every_network(study):
    pairs = {(a, b) for a in "abc" for b in "abc"} | {(all_but(b), b) for b in "abc"}
    assert set(study.answers) == {(*pair, 3) for pair in pairs}
    rows = study.table[["trained_on", "tested_on", "seed"]].itertuples(index=False, name=None)
    assert set(rows) == set(study.answers) and len(study.table) == len(study.answers)
    assert study.sets == ("a", "b", "c") and study.classes == ("neutral", "happiness")
    assert study.table["valid_accuracy"].between(0, 1).all() and study.table["epochs"].eq(1).all()


def test_each_network_is_trained_once_and_from_each_seed(sets, trained):
    pair = {name: sets[name] for name in "ab"}
    # Of two sets, all but the one is the other.
    study = study_of(pair, seeds=(3, 4))
    assert len(trained) == 4 and set(study.networks) == {(name, seed) for name in "ab" for seed in (3, 4)}
    assert set(study.answers) == {(a, b, seed) for a in "ab" for b in "ab" for seed in (3, 4)}
    first, second = (study.networks["a", seed].output.weight for seed in (3, 4))
    assert not torch.equal(first, second)


def test_without_leaving_one_out_there_are_as_many_trainings_as_sets(sets, trained):
    assert len(study_of(sets, leave_one_out=False).answers) == 9 and len(trained) == 3


def test_answers_are_those_of_the_networks_to_the_tests(study):
    for (source, target, seed), answer in study.answers.items():
        test = study.tests[target]
        np.testing.assert_array_equal(answer, predict(study.networks[source, seed], test))
        row = study.table.query("trained_on == @source and tested_on == @target").iloc[0]
        assert row["accuracy"] == (answer.argmax(1) == test.labels(study.classes)).mean()
        assert row["test_pictures"] == len(test) == 8


def test_networks_learn_common_classes_of_their_own_set_only(sets, trained):
    study = study_of(sets)
    assert [set(faces.table["dataset"]) for faces in trained] == [
        {"a"},
        {"b"},
        {"c"},
        {"b", "c"},
        {"a", "c"},
        {"a", "b"},
    ]
    assert all(set(faces.table["emotion"]) == {"neutral", "happiness"} for faces in trained)
    assert study.dropped.to_dict("records") == [
        {"faces": "a", "emotion": "fear", "pictures": 15},
        {"faces": "b", "emotion": "fear", "pictures": 15},
        {"faces": "c", "emotion": "sadness", "pictures": 15},
    ]
    # All but one: as many pictures as the largest single set, half of each.
    joint = trained[3].table
    assert joint[joint["split"] == "train"].groupby("dataset").size().to_dict() == {"b": 8, "c": 8}
    assert "test" not in set(joint["split"])


def test_what_is_tested_on_chooses_and_teaches_nothing(sets):
    changed = {}
    for name, faces in sets.items():
        test = faces.table["split"].eq("test").to_numpy()
        pixels = faces.pixels.copy()
        pixels[test] = 255 - pixels[test]
        changed[name] = FaceSet(name, pixels, faces.table)
    first, second = study_of(sets), study_of(changed)
    for key, network in first.networks.items():
        for one, other in zip(
            network.state_dict().values(), second.networks[key].state_dict().values(), strict=True
        ):
            assert torch.equal(one, other)
    assert not np.array_equal(first.answers["a", "a", 0], second.answers["a", "a", 0])


def test_people_and_pictures_that_another_set_is_learned_from_are_not_tested(sets):
    def tested(faces):
        return faces.table[faces.table["split"].eq("test") & faces.table["emotion"].ne("sadness")].index

    first, second = sets["a"], sets["c"]
    names = second.table["subject"].copy()
    names[tested(second)[0]] = first.table["subject"].iloc[0]
    pixels = second.pixels.copy()
    pixels[tested(second)[3]] = first.pixels[1]
    # Within one set copies are its protocol's matter, and only counted.
    pixels[tested(second)[4]] = pixels[0]
    study = study_of(sets | {"c": FaceSet("c", pixels, second.table.assign(subject=names))})
    assert {name: len(test) for name, test in study.tests.items()} == {"a": 8, "b": 8, "c": 6}
    told = study.shared.set_index(["trained_on", "tested_on"])
    assert len(told) == 9
    assert told.loc[("a", "c")].to_dict() == {"people": 1, "copies": 1, "left_out": 2}
    assert told.loc[("c", "c")].to_dict() == {"people": 0, "copies": 1, "left_out": 0}
    assert told.drop(index=[("a", "c"), ("c", "c")]).eq(0).all(axis=None)
    assert len(study.answers["b", "c", 0]) == 6
    assert study.faces["c"].split("test").checksum == study.tests["c"].checksum
    assert len(study.faces["c"]) == len(study.faces["a"]) - 2


def test_classes_may_be_fewer_than_the_common_ones(sets):
    pair = {name: sets[name] for name in "ab"}
    assert study_of(pair).classes == ("neutral", "fear", "happiness")
    study = study_of(pair, classes=("happiness", "neutral"))
    assert study.classes == ("neutral", "happiness")
    assert study.answers["a", "b", 0].shape == (8, 2)


def test_at_most_so_many_pictures_are_learned_from(sets, trained):
    study_of(sets, most=6, leave_one_out=False)
    for faces in trained:
        assert faces.table["split"].value_counts().to_dict() == {"train": 6, "valid": 2, "test": 8}
        assert set(faces.split("train").table["emotion"]) == {"neutral", "happiness"}
    assert at_most(sets["a"], 0) is sets["a"]


@pytest.mark.parametrize(
    ("available", "shares"),
    [([10, 4, 20], [8, 4, 8]), ([10, 10], [5, 5]), ([3, 100], [3, 97]), ([7, 7, 7], [2, 2, 3]), ([5], [5])],
)
def test_shares_are_even_as_far_as_supplies_allow(available, shares):
    assert even_shares(available) == shares
    assert sum(shares) == max(available)


def test_joined_sets_forget_what_only_one_of_them_has(sets):
    votes = sets["a"].assign(vote_fear=1)
    both = joined("both", [votes, sets["b"]])
    assert both.name == "both" and "vote_fear" not in both.table
    assert both.table["split"].value_counts().to_dict() == {"train": 24, "valid": 9}
    assert len(both.table.drop_duplicates()) == len(both)


def test_what_cannot_be_compared_is_refused_before_anything_is_trained(sets, monkeypatch):
    monkeypatch.setattr(learner, "train", None)
    with pytest.raises(DataError, match=r"1 face set \(a\): transfer needs at least two"):
        study_of({"a": sets["a"]})
    small = FaceSet("small", sets["a"].pixels[:, :8, :8].copy(), sets["a"].table)
    with pytest.raises(DataError, match=r"one size, not b 16 × 16, small 8 × 8"):
        study_of({"b": sets["b"], "small": small})
    with pytest.raises(DataError, match=r"FER\+ is the pictures of FER2013"):
        study_of({"a": sets["a"].assign(dataset="fer2013"), "b": sets["b"].assign(dataset="ferplus")})
    with pytest.raises(ParameterError, match=r"neutral, surprise: give at least two.*neutral, happiness"):
        study_of(sets, classes=("neutral", "surprise"))
    with pytest.raises(ParameterError, match="no seed"):
        study_of(sets, seeds=())
    with pytest.raises(ParameterError, match="most is -1"):
        study_of(sets, most=-1)
    with pytest.raises(ParameterError, match="did you mean 'residual'"):
        cross_dataset(sets, "residuals", RECIPE, (0,))


def test_the_same_faces_under_two_names_are_no_two_sets(sets, monkeypatch):
    monkeypatch.setattr(learner, "train", None)
    split = sets["a"].table["split"].map({"train": "test", "test": "train", "valid": "valid"})
    renamed = sets["a"].assign(dataset="other", subject="", split=split)
    with pytest.raises(
        DataError, match=r"face set 'a': without the people and pictures that other are learned from"
    ):
        study_of({"a": sets["a"], "other": renamed})
