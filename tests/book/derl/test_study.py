"""The ablation of DeRL: the same people, pictures and seeds for all conditions, and each given what its name
says.
"""

import weakref
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch

from book.derl import stage_two
from book.derl import study as derl_study
from book.derl.chapter import DerlParameters
from book.derl.stage_one import StageOne, settle_statistics
from book.derl.stage_two import ResidueRecipe, as_inputs, neutral_faces, picture_views, residues_of
from book.derl.study import CONTEST_CONDITIONS, ResidueTask, cnn_features, equal_cnn, fewer_pictures, joined
from face_sets.faceset import FaceSet
from face_sets.folds import Fold, Protocol
from fer_lib.nets.derl import Generator
from fer_lib.train.device import Precision
from fer_lib.train.predict import features_of
from fer_lib.train.weights import parameter_count
from ferbook.errors import DataError
from tests.made import same_weights

FP32 = Precision("fp32", channels_last=False)
RECIPE = ResidueRecipe(epochs=1, batch_size=8)
PAIRS = ("pair8", "pair4")


@pytest.fixture
def generators() -> dict[str, Generator]:
    return {
        name: Generator(16, (4, 6), generator=torch.Generator().manual_seed(seed))
        for seed, name in enumerate(("trained", "untrained", "shuffled"))
    }


@pytest.fixture
def posed(faces) -> FaceSet:
    """``faces`` with an unlabelled picture before each of its first five: rows of the set and of its labelled
    pictures differ.
    """
    rows = np.insert(np.arange(60), np.arange(5), np.arange(5))
    emotions = faces.table["emotion"].to_numpy(dtype=object)[rows]
    emotions[np.arange(0, 10, 2)] = ""
    return FaceSet("stripes", faces.pixels[rows], faces.table.iloc[rows].assign(emotion=emotions))


@pytest.fixture
def protocol(classes) -> Protocol:
    """Two folds by subject, of the 60 labelled pictures, of which ten are in no fold."""
    rows = np.arange(10, 60)
    folds = (Fold(rows[:30], rows[30:38], rows[38:]), Fold(rows[20:], rows[12:20], rows[:12]))
    return Protocol("two folds", classes, folds, "")


def run(posed, protocol, generators, fold=0, conditions=(), seed=0):
    p = DerlParameters(epochs=RECIPE.epochs, batch_size=RECIPE.batch_size, views=RECIPE.views, ablation=True)
    task, stage = ResidueTask(p, posed, protocol, None), StageOne(seed, generators, pd.DataFrame(), FP32)
    return derl_study.learn_fold(task, stage, fold, conditions)


def test_every_condition_answers_every_tested_picture_once_per_seed(posed, protocol, generators, classes):
    weights = {name: g.state_dict()["decoder.up8.conv.weight"].clone() for name, g in generators.items()}
    places = product((4, 3), (0, 1))
    studies = [run(posed, protocol, generators, fold, CONTEST_CONDITIONS, seed) for seed, fold in places]
    study = joined(studies)
    names = [name for name in CONTEST_CONDITIONS if name != "single_pairs"]
    names[1:1] = PAIRS
    assert list(study.table["condition"]) == list(np.repeat(names, 2))
    assert list(study.table["seed"]) == [3, 4] * 8
    assert study.probabilities.shape == (16, 24, 2)
    np.testing.assert_allclose(study.probabilities.sum(axis=2), 1, atol=1e-5)
    labelled = posed.labelled()
    np.testing.assert_array_equal(study.rows, np.concatenate([np.arange(48, 60), np.arange(10, 22)]))
    np.testing.assert_array_equal(study.labels, labelled.labels(classes)[study.rows])
    assert list(study.subjects) == list(labelled.table["subject"].iloc[study.rows])
    assert len(study.trainings) == 32 and set(study.trainings["fold"]) == {0, 1}
    assert list(study.models) == names
    of = {(each.trainings["seed"][0], each.trainings["fold"][0]): each for each in studies}
    for place, (condition, seed) in enumerate((names.index(n), s) for n in names for s in (3, 4)):
        own = [of[seed, fold].probabilities[condition] for fold in (0, 1)]
        np.testing.assert_array_equal(study.probabilities[place], np.concatenate(own))
    means = study.trainings.groupby(["condition", "seed"])["valid_accuracy"].mean()
    for row in study.table.itertuples():
        assert row.valid_accuracy == pytest.approx(means[row.condition, row.seed])
    for name, generator in generators.items():
        assert torch.equal(generator.state_dict()["decoder.up8.conv.weight"], weights[name])
        assert all(p.grad is None for p in generator.parameters())


def test_parameters_are_those_that_learn_from_labels_and_those_needed_besides(posed, protocol, generators):
    study = run(posed, protocol, generators, conditions=CONTEST_CONDITIONS)
    table = study.table.set_index("condition")
    for name, model in study.models.items():
        assert table.loc[name, "parameters"] == parameter_count(model)
    frozen, cnn = parameter_count(generators["trained"]), table.loc["cnn", "parameters"]
    derl = table.loc["all_pairs", "parameters"]
    assert table.loc["cnn", "frozen"] == 0
    assert table.loc["feature_difference", "frozen"] == frozen + cnn
    assert (table.drop(["cnn", "feature_difference"])["frozen"] == frozen).all()
    assert abs(cnn / derl - 1) < 0.15


@pytest.fixture
def given(monkeypatch):
    """Condition by condition the inputs that its classifier was trained on."""
    seen = []
    train = stage_two.train_residue_classifier

    def spy(inputs, *rest, **settings):
        seen.append(inputs)
        return train(inputs, *rest, **settings)

    monkeypatch.setattr(stage_two, "train_residue_classifier", spy)
    return seen


def test_each_condition_is_given_what_its_name_says(posed, protocol, generators, given, monkeypatch):
    monkeypatch.setattr("book.derl.study.TESTED_AT_A_TIME", 5)
    study = run(posed, protocol, generators)
    views = picture_views(posed.labelled().pixels[10:], RECIPE)
    residues = {source: residues_of(generator, views) for source, generator in generators.items()}
    assert len({maps["pair8"].sum().item() for maps in residues.values()}) == 3
    pictures, neutral = as_inputs(views), neutral_faces(generators["trained"], views)
    own, rest = (cnn_features(study.models["cnn"].network, part) for part in (pictures, neutral))
    expected = {"all_pairs": residues["trained"]}
    expected |= {pair: {pair: residues["trained"][pair]} for pair in PAIRS}
    expected |= {"untrained_generator": residues["untrained"], "shuffled_neutrals": residues["shuffled"]}
    plain = {"pixel_difference": pictures - neutral, "cnn": pictures, "feature_difference": own - rest}
    expected |= {name: {"picture": part} for name, part in plain.items()}
    assert list(study.table["condition"]) == list(expected)
    for inputs, said, (name, whole) in zip(given, study.probabilities, expected.items(), strict=True):
        torch.testing.assert_close(inputs, {key: part[:, :38] for key, part in whole.items()})
        tested = stage_two.predict_inputs(study.models[name], whole, np.arange(38, 50))
        np.testing.assert_allclose(said, tested, atol=1e-5)


def test_a_condition_alone_gives_the_same_answers_as_among_others(posed, protocol, generators):
    together = run(posed, protocol, generators, seed=2)
    for name in ("shuffled_neutrals", "cnn"):
        alone = run(posed, protocol, generators, conditions=(name,), seed=2)
        at = list(together.table["condition"]).index(name)
        np.testing.assert_array_equal(alone.probabilities[0], together.probabilities[at])


def test_the_people_tested_have_no_influence_on_what_is_learned(posed, protocol, generators):
    study = run(posed, protocol, generators)
    pixels, labelled = posed.pixels.copy(), np.flatnonzero((posed.table["emotion"] != "").to_numpy())
    pixels[labelled[study.rows]] = np.random.default_rng(1).integers(0, 255, (12, 16, 16))
    garbage = FaceSet("stripes", pixels, posed.table)
    other = run(garbage, protocol, generators)
    pd.testing.assert_frame_equal(study.trainings, other.trainings)
    assert all(same_weights(model, other.models[name]) for name, model in study.models.items())
    assert not np.array_equal(study.probabilities, other.probabilities)


def test_a_fold_that_cannot_be_trained_is_told_before_anything_is(posed, protocol, generators, given):
    labels = posed.labelled().labels(protocol.classes)
    second = protocol.folds[1]
    lacking = Fold(second.train[labels[second.train] == 0], second.valid, second.test)
    broken = Protocol("two folds", protocol.classes, (protocol.folds[0], lacking), "")
    with pytest.raises(DataError, match="no training picture of happiness"):
        run(posed, broken, generators, 1)
    assert not given


def test_fewer_pictures_are_drawn_of_those_to_learn_from_and_to_choose_by_alone(posed, protocol):
    fewer, labelled = fewer_pictures(posed, protocol, 7, seed=1), posed.labelled()
    for own, whole in zip(fewer.folds, protocol.folds, strict=True):
        assert (len(own.train), len(own.valid)) == (7, 3) and len(whole.train) > 7
        assert np.isin(own.train, whole.train).all() and np.isin(own.valid, whole.valid).all()
        np.testing.assert_array_equal(own.test, whole.test)
        assert (np.diff(own.train) > 0).all()
        assert set(labelled.select(own.train).table["emotion"]) == set(protocol.classes)
    assert not np.array_equal(fewer.folds[0].train, fewer_pictures(posed, protocol, 7, seed=2).folds[0].train)
    assert fewer_pictures(posed, protocol, 0) is protocol


def test_residues_of_one_generator_are_gone_before_those_of_the_next(
    posed, protocol, generators, monkeypatch
):
    kept, alive, compute = [], [], stage_two.residues_of

    def spy(generator, *arguments, **options):
        alive.append(sum(each() is not None for owner, each in kept if owner is not generator))
        residues = compute(generator, *arguments, **options)
        kept.extend((generator, weakref.ref(maps)) for maps in residues.values())
        return residues

    monkeypatch.setattr(stage_two, "residues_of", spy)
    run(posed, protocol, generators)
    assert alive == [0] * 8 and {owner for owner, _ in kept} == set(generators.values())


def test_only_folds_that_every_seed_has_are_joined(posed, protocol, generators):
    conditions = {"conditions": ("cnn",)}
    both = [run(posed, protocol, generators, fold, seed=0, **conditions) for fold in (0, 1)]
    second = run(posed, protocol, generators, 1, seed=1, **conditions)
    study = joined([*both, second])
    assert set(study.trainings["fold"]) == {1} and list(study.table["seed"]) == [0, 1]
    np.testing.assert_array_equal(study.rows, protocol.folds[1].test)
    first = run(posed, protocol, generators, 0, seed=1, **conditions)
    with pytest.raises(DataError, match="no fold was tested from every seed"):
        joined([both[1], first])


@pytest.mark.parametrize("parameters", [1000, 20_000, 183_336])
def test_no_other_width_comes_nearer_to_the_number_of_parameters(parameters):
    network = equal_cnn(8, 48, parameters)
    width = network.arguments["widths"][0]
    distance = abs(parameter_count(network) - parameters)
    for other in {max(1, width - 1), width + 1} - {width}:
        wider = type(network)(8, 48, widths=tuple(other * k for k in (1, 2, 4, 8)))
        assert abs(parameter_count(wider) - parameters) >= distance
    assert network(torch.rand(2, 1, 48, 48)).shape == (2, 8)


def test_features_are_those_that_the_last_layer_is_given(faces):
    torch.manual_seed(0)
    network = equal_cnn(2, 16, 2000)
    views = picture_views(faces.pixels, RECIPE)
    found = cnn_features(network, as_inputs(views))
    assert found.shape == (2, 60, network.output.in_features)
    np.testing.assert_allclose(found[0], features_of(network, faces), atol=5e-3)
    assert network.training and not network.output._forward_pre_hooks


def test_settled_statistics_are_those_of_the_pictures_and_the_weights_stay(faces):
    generator = Generator(16, (4, 6), generator=torch.Generator().manual_seed(0))
    before = {name: value.clone() for name, value in generator.named_parameters()}
    settle_statistics(generator, faces.pixels, batch_size=60)
    assert all(torch.equal(before[name], value) for name, value in generator.named_parameters())
    pictures = torch.tensor(faces.pixels)[:, None].float() / 255
    with torch.no_grad():
        maps = generator.encoder.down4.conv(generator.encoder.down8(generator.standardise(pictures)))
    norm = generator.encoder.down4.norm
    torch.testing.assert_close(norm.running_mean, maps.mean(dim=(0, 2, 3)), atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(norm.running_var, maps.var(dim=(0, 2, 3)), atol=1e-8, rtol=1e-3)
    residues = residues_of(generator, picture_views(faces.pixels, RECIPE))
    assert min(maps.float().std().item() for maps in residues.values()) > 0.2
