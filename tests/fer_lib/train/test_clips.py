"""Training many LSTMs in one program: each as a plain loop with torch's LSTM would train it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from fer_lib.train.clips import ClipRecipe, class_weights, train_clips
from fer_lib.train.predict import inside_clips, scaling
from ferbook.errors import DataError, ParameterError

RECIPE = ClipRecipe(epochs=6, lr=0.02, schedule="constant", hidden=5, weight_decay=0.1)


@pytest.fixture
def task() -> dict:
    """24 clips of up to six frames of three classes; three networks learn from and select on others."""
    generator = np.random.default_rng(0)
    labels = np.arange(24) % 3
    lengths = generator.integers(2, 7, 24)
    features = generator.normal(size=(24, 6, 4)) + np.eye(3, 4)[labels][:, None]
    features[np.arange(6) >= lengths[:, None]] = 0
    place = np.arange(24)[None]
    test = place // 8 == np.arange(3)[:, None]
    valid = ~test & (place % 8 < 3)
    return {
        "features": features.astype(np.float32),
        "lengths": lengths,
        "labels": labels,
        "n_classes": 3,
        "train": ~test & ~valid,
        "valid": valid,
    }


def one_of(task: dict, network: int) -> dict:
    return task | {part: task[part][network : network + 1] for part in ("train", "valid")}


def plain_loop(task: dict, model, recipe: ClipRecipe) -> tuple[list[float], list[float], np.ndarray]:
    """One network by torch alone, from the first weights of ``model``: losses after each epoch, and the last
    one's answers.
    """
    train, valid = task["train"][0], task["valid"][0]
    labels, lengths = torch.from_numpy(task["labels"]), torch.from_numpy(task["lengths"])
    mean, spread = scaling(task["features"], task["lengths"], train)
    inside = inside_clips(task["lengths"], 6)[..., None]
    features = torch.from_numpy(np.where(inside, (task["features"] - mean) / spread, 0).astype(np.float32))
    lstm = nn.LSTM(4, recipe.hidden, batch_first=True)
    output = nn.Linear(recipe.hidden, 3)
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(model.lstm[0].from_input.weight[0])
        lstm.weight_hh_l0.copy_(model.lstm[0].from_state.weight[0])
        lstm.bias_ih_l0.copy_(model.lstm[0].from_input.bias[0])
        output.weight.copy_(model.output.weight[0])
        output.bias.copy_(model.output.bias[0])
    lstm.bias_hh_l0 = nn.Parameter(torch.zeros(4 * recipe.hidden), requires_grad=False)
    learned = [p for p in (*lstm.parameters(), *output.parameters()) if p.requires_grad]
    optimiser = torch.optim.AdamW(learned, lr=recipe.lr, weight_decay=recipe.weight_decay)
    weights = torch.from_numpy(
        compute_class_weight("balanced", classes=np.arange(3), y=task["labels"][train])
    ).float()

    def answers() -> torch.Tensor:
        packed = pack_padded_sequence(features, lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(lstm(packed)[0], batch_first=True)
        return output(states.sum(dim=1) / lengths[:, None])

    def loss(chosen: np.ndarray) -> torch.Tensor:
        return F.cross_entropy(answers()[chosen], labels[chosen], weights)

    losses = []
    for _ in range(recipe.epochs):
        optimiser.zero_grad()
        loss(train).backward()
        optimiser.step()
        with torch.no_grad():
            losses.append((loss(train).item(), loss(valid).item()))
    with torch.no_grad():
        return *map(list, zip(*losses, strict=True)), answers().softmax(dim=1).numpy()


def test_a_network_becomes_what_a_plain_loop_makes_of_it(task):
    recipe = replace(RECIPE, dropout=0.0)
    for network in range(3):
        single = one_of(task, network)
        # Steps of no length leave the first weights.
        start = train_clips(**single, seeds=(network,), recipe=replace(recipe, epochs=1, lr=0.0)).model
        train_loss, valid_loss, answers = plain_loop(single, start, recipe)
        together = train_clips(**task, seeds=(0, 1, 2), recipe=recipe, watch=True)
        curve = together.curve[together.curve["network"] == network]
        assert curve["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
        np.testing.assert_allclose(curve["train_loss"], train_loss, rtol=1e-4)
        np.testing.assert_allclose(curve["valid_loss"], valid_loss, rtol=1e-4)
        np.testing.assert_allclose(together.history[-1, network], answers, rtol=1e-3, atol=1e-5)


def test_a_network_trained_with_others_equals_the_one_trained_alone(task):
    together = train_clips(**task, seeds=(4, 4, 9), recipe=RECIPE)
    for network, seed in enumerate((4, 4, 9)):
        alone = train_clips(**one_of(task, network), seeds=(seed,), recipe=RECIPE)
        assert alone.best_epoch[0] == together.best_epoch[network]
        np.testing.assert_allclose(
            alone.probabilities[0], together.probabilities[network], rtol=1e-4, atol=1e-6
        )
        for name, value in alone.model.state_dict().items():
            torch.testing.assert_close(value[0], together.model.state_dict()[name][network])


def test_features_of_their_own_are_used_by_each_network(task):
    shared = train_clips(**task, seeds=(0, 1, 2), recipe=RECIPE)
    others = np.stack([task["features"], task["features"], -5 * task["features"]])
    own = train_clips(**task | {"features": others}, seeds=(0, 1, 2), recipe=RECIPE)
    np.testing.assert_allclose(own.probabilities[:2], shared.probabilities[:2], rtol=1e-4, atol=1e-6)
    assert np.abs(own.probabilities[2] - shared.probabilities[2]).max() > 1e-3


def test_the_epoch_with_the_lowest_validation_loss_is_kept(task):
    found = train_clips(**task, seeds=(0, 1, 2), recipe=replace(RECIPE, epochs=12, lr=0.1), watch=True)
    losses = found.curve["valid_loss"].to_numpy().reshape(3, 12)
    assert found.best_epoch.tolist() == (losses.argmin(axis=1) + 1).tolist()
    assert len(set(found.best_epoch.tolist())) > 1 or found.best_epoch[0] not in (1, 12)
    for network, epoch in enumerate(found.best_epoch):
        np.testing.assert_allclose(found.probabilities[network], found.history[epoch - 1, network], atol=1e-6)
    with torch.no_grad():
        said = found.model(torch.from_numpy(task["features"]), torch.from_numpy(task["lengths"]))
    np.testing.assert_allclose(said.softmax(dim=2), found.probabilities, atol=1e-5)
    assert not found.model.training and not found.model.lstm._forward_hooks


def test_class_weights_by_hand():
    labels = np.array([0, 0, 0, 1, 2])
    train = np.array([[True, True, True, True, False], [True, False, False, True, True]])
    # Four training clips of two classes: 4 / (2 · 3) and 4 / (2 · 1); the third class has none.
    expected = [[2 / 3, 2 / 3, 2 / 3, 2, 0], [1, 1, 1, 1, 1]]
    np.testing.assert_allclose(class_weights(labels, 3, train)[:, labels], expected)


def test_training_leaves_the_random_state_and_repeats_itself(task):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = train_clips(**task, seeds=(0, 1, 2), recipe=RECIPE)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(1)
    again = train_clips(**task, seeds=(0, 1, 2), recipe=RECIPE)
    assert np.array_equal(first.probabilities, again.probabilities)
    other = train_clips(**task, seeds=(0, 1, 5), recipe=RECIPE)
    assert np.abs(first.probabilities[2] - other.probabilities[2]).max() > 1e-4


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("train", lambda train, task: train & False, "0 clips to learn from"),
        ("valid", lambda valid, task: valid & False, "0 to select on"),
        ("valid", lambda valid, task: task["train"], "both learned from and selected on"),
        ("features", lambda features, task: features * np.nan, "clip 0 are not all finite"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(task, part, change, message):
    with pytest.raises(DataError, match=message):
        train_clips(**task | {part: change(task[part], task)}, seeds=(0, 1, 2), recipe=RECIPE)


def test_divergence_is_told(task):
    with pytest.raises(ParameterError, match=r"diverged in epoch \d.*smaller lr"):
        train_clips(**task, seeds=(0, 1, 2), recipe=replace(RECIPE, lr=1e30))
