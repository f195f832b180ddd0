"""Cross-dataset validation: k trainings for a table of k × k, on the same classes, with test pictures that no
network was trained on.
"""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from book.transfer import study as transfer_study
from book.transfer.chapter import TransferParameters
from book.transfer.study import TransferStudy, common_classes, comparable, mapped, restricted, trained_sets
from face_sets.faceset import UNLABELLED, FaceSet
from face_sets.request import FaceRequest
from face_sets.splits import at_most
from fer_lib.nets.build import build_network
from fer_lib.train import study as train_study
from fer_lib.train.device import Precision
from fer_lib.train.predict import predict
from fer_lib.train.recipe import TrainingRecipe
from fer_lib.train.record import TrainedNetwork, TrainingRecord
from ferbook.errors import DataError, ParameterError
from tests.made import made_faces, same_weights

RECIPE = TrainingRecipe(epochs=1, batch_size=16, lr=0.01, augment="none")
SPLITS = ["train"] * 24 + ["valid"] * 9 + ["test"] * 12


def stripes(name, seed, emotions=("neutral", "happiness", "fear")):
    """45 noisy pictures of 16 pixels; two of each person, three emotions in turn, told by where a bright bar
    lies.
    """
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 120, size=(45, 16, 16))
    for row in range(45):
        pixels[row, :, 4 * (row % 3)] += 100
    people = [f"{name}-{row // 2 + 100 * SPLITS.index(split)}" for row, split in enumerate(SPLITS)]
    shown = {"frame": range(45), "emotion": [emotions[row % 3] for row in range(45)], "split": SPLITS}
    return made_faces(pixels.astype(np.uint8), name, subject=people, **shown)


def three_sets() -> dict[str, FaceSet]:
    sets = {name: stripes(name, seed) for name, seed in (("a", 1), ("b", 2))}
    return sets | {"c": stripes("c", 3, ("neutral", "happiness", "sadness"))}


@pytest.fixture
def sets() -> dict[str, FaceSet]:
    return three_sets()


@pytest.fixture(scope="module", autouse=True)
def narrow_networks():
    narrow = partial(train_study.build_network, widths=(4, 4, 4))
    with pytest.MonkeyPatch.context() as patch:
        for module in (transfer_study, train_study):
            patch.setattr(module, "build_network", narrow)
        yield


@pytest.fixture(scope="module")
def trainings(narrow_networks) -> list[FaceSet]:
    """The faces of each training of this file, in order."""
    seen, build = [], train_study.face_learner

    def noted(faces, *given, **settings):
        seen.append(faces)
        return build(faces, *given, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_study, "face_learner", noted)
        yield seen


@pytest.fixture
def trained(trainings) -> list[FaceSet]:
    """The faces of each training of this test."""
    trainings.clear()
    return trainings


@pytest.fixture(scope="module")
def three(trainings) -> tuple[TransferStudy, list[FaceSet]]:
    """A study of the three sets from one seed, to look at, and the faces of its trainings."""
    trainings.clear()
    return study_of(three_sets(), seeds=(3,)), list(trainings)


@pytest.fixture
def study(three) -> TransferStudy:
    return three[0]


def run_of(seeds=(0,), network="residual"):
    about = {"epochs": 1, "batch_size": 16, "lr": 0.01, "augment": "none", "seed": seeds[0]}
    p = TransferParameters(**about, seeds=len(seeds)).model_copy(update={"network": network})
    return SimpleNamespace(params=p, precision="fp32", device="cpu")


def study_of(sets, seeds=(0,), most=0) -> TransferStudy:
    common = comparable(sets, most)
    networks, precision = transfer_study.networks_of_sets(run_of(seeds), common, {})
    assert precision.name == "fp32"
    return transfer_study.test_networks(common, networks, precision)


def test_each_network_is_trained_once_and_from_each_seed(sets, trained):
    study = study_of({name: sets[name] for name in "ab"}, seeds=(3, 4))
    assert len(trained) == 4 and set(study.networks) == {(name, k) for name in "ab" for k in (0, 1)}
    assert study.sets.classes == ("neutral", "fear", "happiness")
    first, second = (network.output.weight for network in study.of("a"))
    assert not torch.equal(first, second)


def test_every_network_predicts_the_test_pictures_of_every_set(study):
    assert set(study.answers) == {(a, 0, b) for a in "abc" for b in "abc"}
    assert list(study.sets.faces) == ["a", "b", "c"] and study.sets.classes == ("neutral", "happiness")
    for (source, k, target), answer in study.answers.items():
        test = study.sets.tests[target]
        np.testing.assert_array_equal(answer, predict(study.networks[source, k], test))
        assert len(test) == 8


def test_networks_are_trained_on_common_classes_of_one_set(three):
    study, trained = three
    assert [set(faces.table["dataset"]) for faces in trained] == [{"a"}, {"b"}, {"c"}]
    assert all(set(faces.table["emotion"]) == {"neutral", "happiness"} for faces in trained)
    assert study.sets.dropped == {"a": {"fear": 15}, "b": {"fear": 15}, "c": {"sadness": 15}}


def test_test_pictures_have_no_part_in_training(sets, study):
    changed = {}
    for name, faces in sets.items():
        test = faces.table["split"].eq("test").to_numpy()
        pixels = faces.pixels.copy()
        pixels[test] = 255 - pixels[test]
        changed[name] = FaceSet(name, pixels, faces.table)
    other = study_of(changed, seeds=(3,))
    assert all(same_weights(network, other.networks[key]) for key, network in study.networks.items())
    assert not np.array_equal(study.answers["a", 0, "a"], other.answers["a", 0, "a"])


def population(name, classes=("fear", "neutral", "happiness"), **fields) -> list[TrainedNetwork]:
    """Two networks that learned the first fold of ``name``."""
    known = {"network": "residual", "options": {}, "recipe": RECIPE, "precision": Precision("fp32", False)}
    record = TrainingRecord(seed=0, classes=classes, fold=0, faces=FaceRequest(name, **fields), **known)
    models = [build_network("residual", len(classes), 16) for _ in range(2)]
    return [TrainedNetwork(f"{name} {k}", model, record) for k, model in enumerate(models)]


def test_a_stored_network_is_restricted_to_the_common_classes_in_their_order():
    (learned, _) = population("a")
    ((model,),) = restricted({"a": [learned]}, ("happiness", "fear")).values()
    faces = stripes("a", 1)
    before, after = predict(learned.model, faces), predict(model, faces)
    expected = before[:, [2, 0]] / before[:, [2, 0]].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(after, expected, rtol=1e-4)
    assert learned.model.output.out_features == 3 and model.arguments["n_classes"] == 2


def test_sets_have_the_splits_of_the_populations_trained_on_them(monkeypatch):
    monkeypatch.setattr(TrainingRecord, "fold_of", lambda record, faces: faces.assign(split="test"))
    opened = {"a": stripes("a", 1), "b": stripes("b", 2)}
    made = [FaceRequest(name, 45, 16) for name in "ab"]
    kept = [population("a", subjects=45, size=16), [], population("c")]
    sets, learned = trained_sets(kept, opened, made)
    assert set(sets) == set(learned) == {"a"} and set(sets["a"].table["split"]) == {"test"}
    with pytest.raises(DataError, match=r"a 600 0 0, not a 45 16 0"):
        trained_sets([population("a", subjects=600)], opened, made)
    with pytest.raises(DataError, match=r"'a'.* b$"):
        trained_sets([population("b", subjects=45, size=16)], opened, made)


def test_people_and_pictures_that_another_set_is_trained_on_are_not_tested(sets):
    def tested(faces):
        return faces.table[faces.table["split"].eq("test") & faces.table["emotion"].ne("sadness")].index

    first, second = sets["a"], sets["c"]
    names = second.table["subject"].copy()
    names[tested(second)[0]] = first.table["subject"].iloc[0]
    pixels = second.pixels.copy()
    pixels[tested(second)[3]] = first.pixels[1]
    # Within one set copies are its protocol's matter.
    pixels[tested(second)[4]] = pixels[0]
    third = FaceSet("c", pixels, second.table.assign(subject=names))
    common = comparable(sets | {"c": third})
    assert {name: len(test) for name, test in common.tests.items()} == {"a": 8, "b": 8, "c": 6}
    assert common.left_out == {"a": 0, "b": 0, "c": 2}
    assert len(common.faces["c"]) == len(common.faces["a"]) - 2
    assert transfer_study.comparable_table(common).data["in another set"].tolist() == [0, 0, 2]


def test_at_most_so_many_pictures_are_trained_on(sets):
    for faces in comparable(sets, most=6).faces.values():
        assert faces.table["split"].value_counts().to_dict() == {"train": 6, "valid": 2, "test": 8}
        assert set(faces.split("train").table["emotion"]) == {"neutral", "happiness"}
    few = comparable(sets, most_tested=4)
    assert {len(test) for test in few.tests.values()} == {4} and len(few.faces["a"].split("train")) == 16
    assert at_most(sets["a"], 0) is sets["a"]


def test_what_cannot_be_compared_is_refused_before_anything_is_trained(sets, monkeypatch):
    monkeypatch.setattr(train_study, "fit", None)
    with pytest.raises(DataError, match=r"1 face set \(a\)"):
        study_of({"a": sets["a"]})
    small = FaceSet("small", sets["a"].pixels[:, :8, :8].copy(), sets["a"].table)
    with pytest.raises(DataError, match=r"b 16 × 16, small 8 × 8"):
        study_of({"b": sets["b"], "small": small})
    with pytest.raises(DataError, match=r"FER\+ is the pictures of FER2013"):
        study_of({"a": sets["a"].assign(dataset="fer2013"), "b": sets["b"].assign(dataset="ferplus")})
    with pytest.raises(ParameterError, match="most is -1"):
        study_of(sets, most=-1)
    with pytest.raises(ParameterError, match="did you mean 'residual'"):
        transfer_study.networks_of_sets(run_of(network="residuals"), comparable(sets), {})


def test_the_same_faces_under_two_names_are_no_two_sets(sets, monkeypatch):
    monkeypatch.setattr(train_study, "fit", None)
    split = sets["a"].table["split"].map({"train": "test", "test": "train", "valid": "valid"})
    renamed = sets["a"].assign(dataset="other", subject="", split=split)
    with pytest.raises(DataError, match=r"face set 'a'.* other "):
        study_of({"a": sets["a"], "other": renamed})


def test_the_table_of_sets_counts_splits_and_what_has_no_counterpart(study):
    table = transfer_study.comparable_table(study.sets, ["tfd"]).data.set_index("faces")
    assert table.loc["a", ["train", "valid", "test"]].tolist() == [16, 6, 8]
    assert table["labels left out"].tolist()[:3] == ["fear", "fear", "sadness"]
    assert table["no counterpart"].tolist()[:3] == [15] * 3
    assert table.loc["tfd (not on this machine)"].isna().all()


@pytest.fixture
def labelled(blank):
    """One picture of each emotion in each split."""

    def made(name, emotions, splits=("train", "valid", "test")):
        every = [split for split in splits for _ in emotions]
        return blank(list(emotions) * len(splits), name, every, subject="")

    return made


def test_common_classes_stand_in_the_order_of_emotions_contempt_and_neutral_too(labelled):
    first = labelled("first", ["surprise", "neutral", "contempt", "anger", "other", ""])
    second = labelled("second", ["anger", "surprise", "neutral", "fear", "other"])
    # "other" is another thing in each set, whatever the name.
    assert common_classes({"a": first, "b": second}) == ("neutral", "anger", "surprise")
    assert common_classes({"a": first}) == ("neutral", "anger", "contempt", "surprise")


def test_pictures_without_a_counterpart_are_counted_by_label(labelled):
    faces = labelled("first", ["anger", "contempt", "fear", "repression", UNLABELLED])
    kept, dropped = mapped(faces, ("anger", "fear"))
    assert kept.classes == ("anger", "fear") and len(kept) == 6
    assert dropped == {"": 3, "contempt": 3, "repression": 3}
    assert len(kept) + sum(dropped.values()) == len(faces)


def test_sets_that_cannot_be_compared_are_refused_with_what_each_has(labelled):
    one, two = labelled("one", ["anger", "fear"]), labelled("two", ["anger", "sadness"])
    with pytest.raises(DataError, match=r"A: anger, fear; B: anger, sadness"):
        common_classes({"A": one, "B": two})
    with pytest.raises(DataError, match="no emotion"):
        common_classes({"A": one, "B": labelled("three", ["happiness", "sadness"])})
    with pytest.raises(DataError, match=r"'B'.*anger"):
        common_classes({"A": one, "B": labelled("three", ["anger", "other", ""])})


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_class_without_pictures_to_learn_or_to_test_is_named(labelled, split):
    faces = labelled("first", ["anger", "fear"])
    gone = (faces.table["emotion"].eq("fear") & faces.table["split"].eq(split)).to_numpy()
    with pytest.raises(DataError, match=f"'first'.*fear.*'{split}'"):
        mapped(faces.select(~gone), ("anger", "fear"))


def test_a_set_without_pictures_to_select_on_is_refused(labelled):
    with pytest.raises(DataError, match=r"anger, fear.*'valid'"):
        mapped(labelled("first", ["anger", "fear"], ("train", "test")), ("anger", "fear"))
    # One class may be absent there: the epoch is chosen by the others.
    faces = labelled("first", ["anger", "fear"])
    gone = (faces.table["emotion"].eq("fear") & faces.table["split"].eq("valid")).to_numpy()
    assert len(mapped(faces.select(~gone), ("anger", "fear"))[0]) == 5
