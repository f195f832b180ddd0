"""The chapter on de-expression: whom the generator learns from, and what is compared, counted against values
worked by hand.
"""

import numpy as np
import pandas as pd
import pytest
import torch

from book.derl import pairs as derl_pairs
from book.derl import stage_one
from book.derl import study as derl_study
from book.derl.chapter import DerlParameters
from book.derl.pairs import PairSplits, draw_pair_splits
from book.derl.stage_one import GanRecipe, GanTraining
from book.derl.study import ResidueStudy
from face_sets.faceset import FaceSet
from face_sets.folds import Fold, Protocol
from fer_lib.train.device import Precision
from ferbook.errors import DataError, ParameterError
from tests.book.derl.made_pairs import at_rest_and_happy

CLASSES = ("neutral", "happiness")
FP32 = Precision("fp32", channels_last=False)


def posed(name: str, people: int, size: int = 16, seed: int = 0) -> FaceSet:
    """Each person once at rest and once happy, in one sequence."""
    pixels = np.random.default_rng(seed).integers(0, 256, (2 * people, size, size), dtype=np.uint8)
    return at_rest_and_happy(name, pixels)


def study_of(conditions: dict[str, list[np.ndarray]], rows: np.ndarray, labels: np.ndarray) -> ResidueStudy:
    """A study of 2 classes whose answers are given as class indices, one array for each seed."""
    table = pd.DataFrame(
        [
            {"condition": name, "seed": seed, "parameters": 10, "frozen": 5}
            | {"valid_accuracy": 0.5 + 0.1 * name.count("8")}
            for name, seeds in conditions.items()
            for seed in range(len(seeds))
        ]
    )
    trainings = pd.concat([table.assign(fold=fold) for fold in (0, 1)], ignore_index=True)
    answers = np.stack([np.eye(2, dtype=np.float32)[own] for seeds in conditions.values() for own in seeds])
    trainings = trainings.sort_values(
        ["condition", "seed"],
        kind="stable",
        key=lambda c: c.map({n: k for k, n in enumerate(conditions)}) if c.name == "condition" else c,
        ignore_index=True,
    )
    people = np.array([f"p{row // 2}" for row in rows], dtype=object)
    return ResidueStudy(trainings, rows, labels, people, answers, {})


LABELS = np.array([0, 1] * 6)
ROWS = np.arange(12)


@pytest.fixture
def study() -> ResidueStudy:
    right, wrong = LABELS, 1 - LABELS
    half = np.where(ROWS < 6, right, wrong)
    pairs = {"all_pairs": [right, half], "pair8": [half, half], "pair4": [wrong, half]}
    return study_of(pairs | {"cnn": [half, half], "pixel_difference": [wrong, wrong]}, ROWS, LABELS)


@pytest.fixture
def protocol() -> Protocol:
    folds = (
        Fold(np.array([6, 7, 9, 11]), np.array([8]), np.arange(6)),  # three of four are happy
        Fold(np.array([0, 2, 1]), np.array([3]), np.arange(6, 12)),  # two of three are at rest
    )
    return Protocol("two folds", CLASSES, folds, "")


def splits_of(faces: FaceSet) -> PairSplits:
    """Each person's two pictures, with the one at rest; all of them learned from, watched and tested."""
    truth = np.repeat(faces.pixels[::2], 2, axis=0)
    pairs = (faces.pixels, truth)
    return PairSplits(pairs, pairs, faces.table["subject"].to_numpy(str), faces, truth, "")


def test_a_real_set_is_divided_by_people_and_shares_nobody_with_the_faces():
    p = DerlParameters(faces="lab", pretrain="bu4dfe", size=16)
    real = posed("bu4dfe", 24, seed=1)
    splits = draw_pair_splits(p, posed("lab", 4), {"bu4dfe": real})
    assert len(splits.train[0]) == 36 and len(splits.valid[0]) == 4, "one in twelve of 24 people is watched"
    assert set(splits.subjects) == {f"bu4dfe-{k:02d}" for k in range(18)}
    assert set(splits.tested.table["subject"]) == {f"bu4dfe-{k:02d}" for k in range(20, 24)}
    np.testing.assert_array_equal(splits.train[1], np.repeat(real.pixels[:36:2], 2, axis=0))
    np.testing.assert_array_equal(splits.valid[0], real.pixels[36:40])
    np.testing.assert_array_equal(splits.tested.pixels, real.pixels[40:])
    np.testing.assert_array_equal(splits.truth, np.repeat(real.pixels[40::2], 2, axis=0))
    assert list(splits.tested.table["emotion"]) == list(CLASSES) * 4
    shown, truth = splits.expressive()
    np.testing.assert_array_equal(shown.pixels, real.pixels[41::2])
    np.testing.assert_array_equal(truth, real.pixels[40::2])
    assert len(splits.neutrals) == 18 and "18 people of bu4dfe" in splits.about


def test_two_sets_are_learned_from_and_tested_together():
    p = DerlParameters(pretrain="bu4dfe,bp4d", size=16)
    both = {name: posed(name, 6, seed=k) for k, name in enumerate(("bu4dfe", "bp4d"), 1)}
    splits = draw_pair_splits(p, posed("lab", 4), both)
    assert set(splits.subjects) == {f"{name}-{k:02d}" for name in both for k in range(4)}
    assert list(splits.tested.table["subject"].unique()) == ["bu4dfe-05", "bp4d-05"]
    np.testing.assert_array_equal(splits.tested.pixels[:2], both["bu4dfe"].pixels[10:])
    assert "4 people of bu4dfe, and of 4 people of bp4d" in splits.about


@pytest.mark.parametrize(
    ("faces", "real", "error", "told"),
    [
        (posed("lab", 4), None, ParameterError, r"derl.pretrain: 'bu4dfe' is not on this machine"),
        (posed("bu4dfe", 4, seed=1), posed("bu4dfe", 8, seed=1), DataError, "not apart"),
        (posed("lab", 4), posed("bu4dfe", 3, seed=1), DataError, "bu4dfe: 3 people"),
    ],
    ids=["absent", "shared", "few"],
)
def test_what_cannot_be_learned_from_is_refused(faces, real, error, told):
    with pytest.raises(error, match=told):
        draw_pair_splits(DerlParameters(pretrain="bu4dfe", size=16), faces, {"bu4dfe": real})


def test_people_rendered_to_order_are_divided_in_the_same_way(monkeypatch):
    asked = {}

    def rendered(people, size, seed, domain, **further):
        asked.update(people=people, size=size, seed=seed, domain=domain, **further)
        faces = posed("staged", people, size)
        return faces, np.arange(2 * people) // 2 * 2

    monkeypatch.setattr(derl_pairs, "expression_pairs", rendered)
    p = DerlParameters(pretrain="wild", pretrain_people=9, pretrain_expressions=5, face_seed=3)
    splits = draw_pair_splits(p, posed("lab", 2))
    assert asked == {"people": 9, "size": 16, "seed": 3, "domain": "wild", "expressions": 5, "takes": 2}
    assert [len(part) for part in (splits.train[0], splits.valid[0], splits.tested)] == [14, 2, 2]
    assert "style of wild" in splits.about and "among the people of lab" in splits.about


def test_null_generators_never_saw_the_persons_own_neutral_face(monkeypatch):
    splits = splits_of(posed("staged", 4))
    seen = []

    def train(inputs, targets, recipe, **how):
        seen.append({"inputs": inputs, "targets": targets} | how)
        return GanTraining(f"the {len(seen)}th", None, pd.DataFrame({"epoch": [1]}), FP32)

    monkeypatch.setattr(stage_one, "train_generator", train)
    before = torch.get_rng_state()
    found = stage_one.learn_stage_one(splits, GanRecipe(), shuffled=True, seed=2)
    assert found.seed == 2 and found.precision == FP32 and len(found.curve) == 1
    assert found.generators["trained"] == "the 1th" and found.generators["shuffled"] == "the 2th"
    own, others = seen
    assert own["valid"] is splits.valid and own["seed"] == others["seed"] == 2
    assert others["precision"] == FP32, "what the first one chose"
    for one in seen:
        np.testing.assert_array_equal(one["inputs"], splits.train[0])
    np.testing.assert_array_equal(own["targets"], splits.train[1])
    assert (others["targets"] != splits.train[1]).any(axis=(1, 2)).all(), "nobody's own"
    known = {picture.tobytes() for picture in splits.train[1]}
    assert all(picture.tobytes() in known for picture in others["targets"]), "but neutral ones"
    alone = stage_one.learn_stage_one(splits, GanRecipe(), shuffled=False, seed=2).generators
    assert set(alone) == {"trained", "untrained"} and not alone["untrained"].training
    assert torch.equal(before, torch.get_rng_state())
    untrained = (each["untrained"].parameters() for each in (alone, found.generators))
    assert all(torch.equal(one, other) for one, other in zip(*untrained, strict=True))


def test_the_generators_metrics_are_those_of_their_last_epochs():
    curve = pd.DataFrame({"real_accuracy": [0.5, 0.8], "fake_accuracy": [0.5, 0.6], "epoch": [1, 2]})
    curve["valid_l1"] = [0.2, 0.1]
    splits = splits_of(posed("staged", 3))
    found = stage_one.gan_metrics([curve, curve.assign(valid_l1=0.2)], splits)
    assert found["generator_l1"].value == pytest.approx(0.15 * 255)
    assert found["discriminator_right"].value == pytest.approx(0.7)
    assert found["generator_pairs"].value == 6 and found["generator_epochs"].value == 2
    assert found["generators"].value == 2


def test_the_majority_class_is_that_of_each_folds_training_pictures(study, protocol):
    answers = derl_study.majority_probabilities(posed("lab", 6), protocol, study)
    assert answers.argmax(axis=1).tolist() == [1] * 6 + [0] * 6 and (answers.sum(axis=1) == 1).all()


def test_derl_stands_first_and_every_score_is_the_mean_over_its_seeds(study, protocol):
    contest = derl_study.contest_of(study, posed("lab", 6), protocol, draws=200)
    layers = ("DeRL: all layers", "layers of 8 × 8 only", "layers of 4 × 4 only")
    assert contest.names == (*layers, "plain CNN, equal size", "pixel difference", "majority-class baseline")
    found = derl_study.residue_metrics(contest, study)
    assert found["accuracy"].value == pytest.approx(0.75)
    assert found["cnn_accuracy"].value == pytest.approx(0.5)
    assert found["ahead_of_cnn"].value == pytest.approx(25) and found["ahead_of_cnn"].unit == ""
    assert found["ahead_of_pixel_difference"].value == pytest.approx(75)
    assert found["majority_accuracy"].value == pytest.approx(0.5)
    counts = {name: found[name].value for name in ("tested", "people", "folds", "trainings")}
    assert counts == {"tested": 12, "people": 6, "folds": 2, "trainings": 20}
    assert found["seed_spread"].value > 0


def test_pictures_of_nobody_stand_for_themselves(study, protocol):
    study.subjects[:] = ""
    contest = derl_study.contest_of(study, posed("lab", 6), protocol, draws=200)
    assert contest.scored.clusters == 12
    assert derl_study.residue_metrics(contest, study)["people"].value == 0
