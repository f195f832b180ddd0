"""Training on action units: codes that are missing count nowhere, the epoch is chosen by AUROC, bodies are
kept or drawn anew.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch.nn import functional as F

from fer_lib.nets.residual import ResidualNet
from fer_lib.nets.zero_bias import ZeroBiasCNN
from fer_lib.train.au_heads import (
    TUNED_SHARE,
    CodedCrossEntropy,
    UnitScore,
    balancing_code_weights,
    train_units,
    unit_detector,
    unit_network,
)
from fer_lib.train.features import features_of
from fer_lib.train.recipe import Recipe
from ferbook.errors import DataError, ParameterError

RECIPE = Recipe(epochs=4, batch_size=8, lr=0.05, schedule="constant", augment="none")
NAN = float("nan")


def tiny(outputs=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return ResidualNet(outputs, 16, dropout=0.0, widths=(8,), depths=(1,), generator=generator)


@pytest.fixture
def present(faces):
    """(60, 2): the first unit is shown on the striped pictures, the second on bright ones of which a third
    was not coded.
    """
    happy = (faces.table["emotion"] == "happiness").to_numpy(np.float32)
    bright = (faces.pixels[:, 8, 8] > np.median(faces.pixels[:, 8, 8])).astype(np.float32)
    bright[::3] = np.nan
    return np.stack([happy, bright], axis=1)


def weights_of(model):
    return torch.cat([value.flatten().double() for value in model.state_dict().values()])


def test_the_loss_by_hand():
    logits = torch.tensor([[0.0, 2.0], [-1.0, 5.0]])
    targets = torch.tensor([[1.0, 0.0], [0.0, NAN]])
    # ln 2, ln(1 + e²), ln(1 + e⁻¹); the fourth code is missing.
    terms = [0.693147, 2.126928, 0.313262]
    assert CodedCrossEntropy()(logits, targets).item() == pytest.approx(sum(terms) / 2, abs=1e-5)
    weights = torch.tensor([[0.5, 3.0], [4.0, 7.0]])
    weighed = 4 * terms[0] + 3 * terms[1] + 0.5 * terms[2]
    assert CodedCrossEntropy(weights)(logits, targets).item() == pytest.approx(weighed / 2, abs=1e-5)


def test_the_loss_is_torchs_where_all_is_coded_and_no_gradient_comes_from_what_is_not():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(6, 3, generator=generator, requires_grad=True)
    targets = torch.randint(0, 2, (6, 3), generator=generator).float()
    wanted = F.binary_cross_entropy_with_logits(logits, targets, reduction="sum") / 6
    assert CodedCrossEntropy()(logits, targets).item() == pytest.approx(wanted.item())
    targets[2, 1] = NAN
    (gradient,) = torch.autograd.grad(CodedCrossEntropy()(logits, targets), logits)
    assert gradient[2, 1] == 0 and (gradient != 0).sum() == 17 and gradient.isfinite().all()
    nothing = CodedCrossEntropy()(logits, torch.full((6, 3), NAN))
    assert nothing.item() == 0


def test_code_weights_balance_each_unit_and_keep_its_mean():
    present = np.array([[1, 0], [0, 0], [0, 1], [0, NAN]], np.float32)
    np.testing.assert_allclose(balancing_code_weights(present), [[4 / 6, 3 / 4], [4 / 2, 3 / 2]])
    with pytest.raises(DataError, match="unit 1 of 2 is shown on 0 training pictures and not on 1"):
        balancing_code_weights(np.array([[1, 0], [0, NAN]], np.float32))


def test_the_score_is_scikit_learns_over_batches():
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=(30, 3)), (rng.random((30, 3)) < 0.4).astype(np.float32)
    targets[::4, 0] = np.nan
    targets[:, 2] = 0  # never shown: no AUROC
    score = UnitScore(torch.device("cpu"))
    for rows in (slice(0, 12), slice(12, 30)):
        score.add(torch.tensor(logits[rows]), torch.tensor(targets[rows]))
    coded = ~np.isnan(targets[:, 0])
    wanted = [
        roc_auc_score(targets[coded, 0], logits[coded, 0]),
        roc_auc_score(targets[:, 1], logits[:, 1]),
    ]
    assert score.value() == pytest.approx(np.mean(wanted))
    whole = CodedCrossEntropy()(torch.tensor(logits), torch.tensor(targets))
    assert score.loss() == pytest.approx(whole.item(), rel=1e-5)


def test_units_are_learned_and_the_best_epoch_is_kept(faces, present):
    model = tiny()
    training = train_units(faces, present, model, RECIPE, precision="fp32")
    curve = training.curve
    assert "valid_accuracy" not in curve
    best = curve.sort_values(["valid_auroc", "valid_loss"], ascending=[False, True], kind="stable").iloc[0]
    assert training.best_epoch == best["epoch"] and best["valid_auroc"] > 0.9
    valid = (faces.table["split"] == "valid").to_numpy()
    with torch.no_grad():
        said = model(torch.from_numpy(faces.pixels[valid])[:, None] / 255)
    score = UnitScore(torch.device("cpu"))
    score.add(said, torch.from_numpy(present[valid]))
    assert score.value() == pytest.approx(best["valid_auroc"])
    assert score.loss() == pytest.approx(best["valid_loss"], rel=1e-4)


def test_the_epoch_with_the_highest_auroc_is_kept(faces):
    noise = (np.random.default_rng(0).random((60, 2)) < 0.5).astype(np.float32)
    training = train_units(faces, noise, tiny(), RECIPE, precision="fp32")
    aurocs = training.curve.set_index("epoch")["valid_auroc"]
    assert aurocs.nunique() > 2 and training.best_epoch == aurocs.idxmax()


def test_neither_test_pictures_nor_the_random_state_nor_what_was_not_coded_matter(faces, present):
    first, second = tiny(), tiny()
    train_units(faces, present, first, RECIPE, precision="fp32", seed=3)
    changed = present.copy()
    changed[(faces.table["split"] == "test").to_numpy()] = 1
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    train_units(faces, changed, second, RECIPE, precision="fp32", seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(weights_of(first), weights_of(second))


def test_mixed_pictures_train_too(faces, present):
    model = tiny()
    recipe = Recipe(epochs=1, batch_size=8, lr=0.05, mixup=0.4)
    curve = train_units(faces, present, model, recipe, precision="fp32").curve
    assert np.isfinite(curve["train_loss"]).all() and weights_of(model).isfinite().all()


def test_a_body_is_kept_or_drawn_anew(faces):
    model = ZeroBiasCNN(2, 16, gain=1.0, generator=torch.Generator().manual_seed(0)).eval()
    kept = unit_network(model, 5, keep_body=True, seed=1).eval()
    drawn = unit_network(model, 5, keep_body=False, seed=1)
    assert kept.arguments == drawn.arguments == {**model.arguments, "n_classes": 5}
    assert kept.output.out_features == 5
    np.testing.assert_array_equal(features_of(kept, faces), features_of(model, faces))
    assert torch.equal(kept.output.weight, drawn.output.weight)  # new in both
    assert not torch.equal(kept.conv1.weight, drawn.conv1.weight)
    with pytest.raises(ParameterError, match="how it was built"):
        unit_network(torch.nn.Linear(2, 2), 5, keep_body=True)
    with pytest.raises(ParameterError, match="1 action unit: these networks"):
        unit_network(model, 1, keep_body=True)


def test_tuning_starts_from_the_body_and_leaves_it(faces, present):
    model = tiny(outputs=3, seed=5)
    before = weights_of(model)
    slow = Recipe(epochs=1, batch_size=8, lr=1e-6, schedule="constant", augment="none", weight_decay=0)
    tuned, training = unit_detector(model, faces, present, slow, keep_body=True, precision="fp32")
    scratch, _ = unit_detector(model, faces, present, slow, keep_body=False, precision="fp32")
    assert torch.equal(weights_of(model), before) and len(training.curve) == 1
    torch.testing.assert_close(tuned.conv1.weight, model.conv1.weight, atol=1e-4, rtol=0)
    assert (scratch.conv1.weight - model.conv1.weight).abs().max() > 0.1


def test_a_body_learns_on_at_its_share_of_the_rate(faces, present):
    model = tiny(outputs=3, seed=5)
    once = replace(RECIPE, epochs=1)
    tuned, _ = unit_detector(model, faces, present, once, keep_body=True, precision="fp32")
    by_hand = unit_network(model, 2, keep_body=True)
    train_units(
        faces, present, by_hand, replace(RECIPE, epochs=1, lr=TUNED_SHARE * RECIPE.lr), precision="fp32"
    )
    assert torch.equal(weights_of(tuned), weights_of(by_hand)) and TUNED_SHARE < 1


@pytest.mark.parametrize("class_weights", [False, True])
def test_codes_weigh_by_class_weights_while_training_only(faces, present, class_weights):
    # One step from a network without normalisation or dropout: its loss is that of the network as it came.
    model = ZeroBiasCNN(2, 16, gain=1.0, dropout=0.0, generator=torch.Generator().manual_seed(0))
    present[:12, 1] = 0  # rarer than balanced codes, which weigh one anyway
    learned = (faces.table["split"] == "train").to_numpy()
    codes = torch.from_numpy(present[learned])
    weights = torch.from_numpy(balancing_code_weights(present[learned])) if class_weights else None
    with torch.no_grad():
        said = model(torch.from_numpy(faces.pixels[learned])[:, None] / 255)
    wanted = CodedCrossEntropy(weights)(said, codes).item()
    recipe = Recipe(
        **{"epochs": 1, "batch_size": 30, "lr": 1e-9, "schedule": "constant", "augment": "none"},
        class_weights=class_weights,
    )
    curve = train_units(faces, present, model, recipe, precision="fp32").curve
    assert curve["train_loss"][0] == pytest.approx(wanted, rel=1e-4)
    valid = (faces.table["split"] == "valid").to_numpy()
    with torch.no_grad():
        said = model(torch.from_numpy(faces.pixels[valid])[:, None] / 255)
    plain = CodedCrossEntropy()(said, torch.from_numpy(present[valid])).item()
    assert curve["valid_loss"][0] == pytest.approx(plain, rel=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, s: np.where(s[:, None] == "train", 0, p), "unit 0 of 2 is shown on 0 training pictures"),
        (lambda p, s: np.where(s[:, None] == "valid", 1, p), "no epoch can be chosen"),
    ],
)
def test_codes_that_teach_nothing_are_refused(faces, present, change, message):
    split = faces.table["split"].to_numpy(dtype=object)
    with pytest.raises(DataError, match=message):
        train_units(faces, change(present, split), tiny(), RECIPE)
    with pytest.raises(ParameterError, match="build it for 2 classes"):
        train_units(faces, present, tiny(outputs=3), RECIPE)
