"""Stage two of DeRL: residues as the generator gives them, five weighted losses, and nothing learned from
pictures that are not to be learned from.
"""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from book.derl import stage_two
from book.derl.stage_two import ResidueRecipe, picture_views, predict_inputs, residues_of, weighted_losses
from fer_lib.nets.derl import Generator, ResidueClassifier
from fer_lib.train.batches import AUGMENTATIONS, Augmentation
from fer_lib.train.device import Precision
from ferbook.errors import DataError

FP32 = Precision("fp32", channels_last=False)
RECIPE = ResidueRecipe(epochs=3, batch_size=8, lr=0.01)


@pytest.fixture
def generator() -> Generator:
    made = Generator(16, (4, 6), generator=torch.Generator().manual_seed(0))
    # Statistics other than at the start, so that the mode matters.
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made.train()(torch.rand(8, 1, 16, 16))
    return made


@pytest.fixture
def views(faces) -> torch.Tensor:
    return picture_views(faces.pixels, RECIPE)


def classifier(generator: Generator, seed: int = 0) -> ResidueClassifier:
    return ResidueClassifier(generator.channels, 2, generator=torch.Generator().manual_seed(seed))


def test_the_first_view_is_the_picture_and_the_others_are_transformed(faces):
    views = picture_views(faces.pixels, ResidueRecipe(views=3), seed=1)
    assert views.shape == (3, 60, 1, 16, 16) and views.dtype == torch.uint8
    np.testing.assert_array_equal(views[0, :, 0], faces.pixels)
    assert (views[1] != views[0]).any() and (views[2] != views[1]).any()
    torch.testing.assert_close(views, picture_views(faces.pixels, ResidueRecipe(views=3), seed=1))
    assert picture_views(faces.pixels, ResidueRecipe(views=1)).shape[0] == 1


def test_a_view_is_what_the_augmentation_makes_of_the_picture(faces, monkeypatch):
    mirror = Augmentation(1.0, 0.0, (1, 1), 0.0, gamma=(1, 1), gain=(1, 1), offset=0.0)
    monkeypatch.setitem(AUGMENTATIONS, "light", mirror)
    views = picture_views(faces.pixels, RECIPE)
    torch.testing.assert_close(views[1], views[0].flip(3), atol=1, rtol=0)


def test_residues_are_those_that_the_frozen_generator_gives_picture_by_picture(generator, views):
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    found = residues_of(generator, views, batch_size=7)
    made = stage_two.neutral_faces(generator, views, batch_size=7)
    assert generator.training and all(torch.equal(before[n], v) for n, v in generator.state_dict().items())
    assert {n: (tuple(v.shape), v.dtype) for n, v in found.items()} == {
        "pair8": ((2, 60, 8, 8, 8), torch.float16),
        "pair4": ((2, 60, 12, 4, 4), torch.float16),
    }
    generator.eval()
    with torch.no_grad():
        for view, picture in ((0, 0), (0, 7), (1, 33), (1, 59)):
            one = views[view, picture][None].float() / 255
            for name, residue in generator.residues(one).items():
                own = found[name][view, picture].float()
                torch.testing.assert_close(own, residue[0], atol=2e-3, rtol=2e-3)
            torch.testing.assert_close(made[view, picture].float(), generator(one)[0], atol=1e-3, rtol=0)


def test_a_generator_that_diverged_is_refused(generator, views):
    with torch.no_grad():
        generator.decoder.up8.conv.weight[0] = torch.nan
    with pytest.raises(DataError, match=r"pair8.*diverged"):
        residues_of(generator, views)


def numbered(count: int = 7, versions: int = 2) -> dict[str, torch.Tensor]:
    """Inputs that say which picture in which version they are."""
    numbers = torch.arange(count) + 100 * torch.arange(versions)[:, None]
    return {"a": numbers[..., None].half(), "b": torch.zeros(versions, count, 2, 3)}


def test_a_pass_has_each_picture_once_in_a_version_of_its_own_with_its_label():
    labels = 10 * np.arange(7)
    rows = np.array([1, 2, 3, 5, 6])
    batches = stage_two.InputBatches(numbered(), labels, rows, 2, shuffle=True, seed=0)
    versions, orders = [], []
    for _ in range(200):
        passed = [(given["a"][:, 0], told) for given, told in batches]
        assert [len(told) for _, told in passed] == [2, 2] and len(batches) == 2  # the fifth would be alone
        given, told = (torch.cat(parts) for parts in zip(*passed, strict=True))
        assert (10 * (given % 100) == told).all()
        assert set(given.int().tolist()) <= {row + version for row in rows.tolist() for version in (0, 100)}
        assert len(set((given % 100).tolist())) == 4 and given.dtype == torch.float32
        versions.append((given >= 100).float().mean())
        orders.append(tuple(told.tolist()))
    # 800 draws: four standard deviations.
    assert abs(np.mean(versions) - 0.5) < 4 * 0.5 / np.sqrt(800) and len(set(orders)) > 50
    again = stage_two.InputBatches(numbered(), labels, rows, 2, shuffle=True, seed=0)
    assert tuple(torch.cat([told for _, told in again]).tolist()) == orders[0]


def test_the_losses_are_weighted_by_hand():
    joint, one, other = torch.tensor([[[2.0, 0.0]], [[0.0, 1.0]], [[3.0, 0.0]]]).unbind(0)
    labels = torch.tensor([0])
    found = weighted_losses((joint, {"one": one, "other": other}), labels, local=0.25)
    # −log of the softmax at the label: log(1 + e^(other − own)).
    expected = np.log1p(np.exp(-2)) + 0.25 * (np.log1p(np.exp(1)) + np.log1p(np.exp(-3)))
    assert found.item() == pytest.approx(expected, rel=1e-6)
    assert weighted_losses((joint, {}), labels, local=0.25).item() == pytest.approx(np.log1p(np.exp(-2)))


def test_without_weight_local_outputs_learn_nothing_but_what_they_rest_on(generator, views, faces, classes):
    inputs, labels = residues_of(generator, views), torch.from_numpy(faces.labels(classes))
    for local in (0.0, 0.25):
        model = classifier(generator)
        answers = model({n: v[0].float() for n, v in inputs.items()})
        weighted_losses(answers, labels, local=local).backward()
        of_local = model.locals["pair8"].output.weight.grad.abs().max().item()
        assert (of_local > 0) == (local > 0)
        assert model.locals["pair8"].layers.dense.weight.grad.abs().max() > 0


def trained(generator, inputs, labels, *, seed=0, recipe=RECIPE, train=None, valid=None):
    model = classifier(generator)
    rows = np.arange(60)
    train = rows[:30] if train is None else train
    valid = rows[30:46] if valid is None else valid
    how = {"recipe": recipe, "precision": FP32, "seed": seed}
    training = stage_two.train_residue_classifier(inputs, labels, train, valid, model, **how)
    return model, training


def test_learnable_residues_are_learned_and_validation_chooses_the_epoch(generator, views, faces, classes):
    inputs, labels = residues_of(generator, views), faces.labels(classes)
    model, recipe = classifier(generator), ResidueRecipe(epochs=8, batch_size=8, lr=0.003)
    state = torch.get_rng_state()
    rows, how = (np.arange(30), np.arange(30, 46)), {"recipe": recipe, "precision": FP32}
    training = stage_two.train_residue_classifier(inputs, labels, *rows, model, **how)
    assert torch.equal(state, torch.get_rng_state()) and not model.training
    curve = training.curve
    assert list(curve) == ["epoch", "train_loss", "valid_loss", "valid_accuracy", "seconds"]
    assert len(curve) == 8
    best = curve.sort_values(["valid_accuracy", "valid_loss", "epoch"], ascending=[False, True, True]).iloc[0]
    assert training.best_epoch == best["epoch"]
    said = predict_inputs(model, inputs, np.arange(30, 46), batch_size=5)
    assert (said.argmax(1) == labels[30:46]).mean() == best["valid_accuracy"]
    losses = -np.log(said[np.arange(16), labels[30:46]])
    assert losses.mean() == pytest.approx(best["valid_loss"], rel=1e-4)
    assert (predict_inputs(model, inputs, np.arange(46, 60)).argmax(1) == labels[46:]).mean() > 0.8


def test_pictures_neither_learned_from_nor_selected_on_have_no_influence(generator, views, faces, classes):
    inputs, labels = residues_of(generator, views), faces.labels(classes)
    model, training = trained(generator, inputs, labels)
    garbage = {name: values.clone() for name, values in inputs.items()}
    for values in garbage.values():
        values[:, 46:] = 1000
    wrong = labels.copy()
    wrong[46:] = 1 - wrong[46:]
    other, elsewhere = trained(generator, garbage, wrong)
    for value, same in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(value, same)
    assert training.best_epoch == elsewhere.best_epoch
    garbage["pair8"][:, :30] = 0
    assert not torch.equal(model.output.weight, trained(generator, garbage, wrong)[0].output.weight)


def test_a_plain_network_is_trained_on_the_pictures_in_the_same_way(views, faces, classes):
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(256, 2))
    model, labels = stage_two.PlainClassifier(network), faces.labels(classes)
    inputs = {"picture": stage_two.as_inputs(views)}
    torch.testing.assert_close(inputs["picture"][0].float() * 255, views[0].float(), atol=0.1, rtol=0)
    stage_two.train_residue_classifier(inputs, labels, np.arange(30), np.arange(30, 46), model, recipe=RECIPE)
    said = predict_inputs(model, inputs)
    with torch.no_grad():
        expected = F.softmax(network(inputs["picture"][0].float()), dim=1)
    np.testing.assert_allclose(said, expected, atol=1e-6)


def test_nothing_is_both_learned_from_and_selected_on(generator, views, faces, classes):
    with pytest.raises(DataError, match="picture 30 is both"):
        trained(generator, residues_of(generator, views), faces.labels(classes), train=np.arange(31))
