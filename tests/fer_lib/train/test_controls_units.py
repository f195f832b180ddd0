"""Networks that are taught action units: labels, what is learned, and that nothing else differs."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from fer_lib.nets.zero_bias import ZeroBiasCNN
from fer_lib.train import learner
from fer_lib.train.controls import UnitScore, train_on, unit_answers, unit_targets, unit_task, units_auroc
from fer_lib.train.learner import face_learner, fit, seed_everything
from fer_lib.train.recipe import TrainingRecipe
from ferbook.errors import DataError, ParameterError

RECIPE = TrainingRecipe(epochs=6, batch_size=8, lr=0.02, schedule="onecycle", augment="none")
UNITS = ("AU4", "AU12")


@pytest.fixture
def coded(faces):
    """The same pictures: AU12 where they are happy, AU4 where not, with any intensity above 0."""
    happy = (faces.table["emotion"] == "happiness").to_numpy()
    return faces.assign(AU12=np.where(happy, 0.3, 0.0), AU4=np.where(happy, 0.0, 1.0))


def taught(faces, seed=0, **changes):
    seed_everything(seed)
    model = ZeroBiasCNN(len(UNITS), 16, gain=1.0)
    recipe = RECIPE.model_copy(update=changes)
    return model, train_on(unit_task(UNITS), faces, model, recipe, precision="fp32", seed=seed)


def test_units_that_can_be_told_are_learned(coded):
    model, training = taught(coded, epochs=8)
    test = coded.split("test")
    answers = unit_answers(model, test)
    assert answers.shape == (len(test), 2) and answers.min() >= 0 and answers.max() <= 1
    assert units_auroc(unit_targets(test, UNITS), answers) == 1.0
    assert list(training.curve) == ["epoch", "train_loss", "valid_loss", "valid_auroc", "seconds"]
    best = training.curve.set_index("epoch")["valid_auroc"]
    assert best[training.best_epoch] == best.max()


def test_a_network_sees_the_pictures_that_one_of_emotions_sees(coded, monkeypatch):
    """Same seed, same order, same augmentation: only the labels differ."""
    seen = []

    class Watched(ZeroBiasCNN):
        def forward(self, pictures):
            if self.training:
                seen.append(pictures.detach().clone())
            return super().forward(pictures)

    recipe = RECIPE.model_copy(update={"epochs": 2, "augment": "light"})
    classes = ("happiness", "neutral")
    assert set(coded.table["emotion"]) == set(classes)
    fit(face_learner(coded, Watched(2, 16, gain=1.0), classes, recipe, precision="fp32", seed=3))
    emotions, seen = seen.copy(), seen
    seen.clear()
    train_on(unit_task(UNITS), coded, Watched(2, 16, gain=1.0), recipe, precision="fp32", seed=3)
    assert len(seen) == len(emotions) > 2
    assert all(torch.equal(a, b) for a, b in zip(seen, emotions, strict=True))


def test_the_loss_is_binary_cross_entropy_and_the_score_the_mean_auroc():
    score = UnitScore(torch.device("cpu"))
    logits = torch.tensor([[2.0, -1.0, 0.0], [0.5, 1.0, 0.0], [-1.0, 0.0, 0.0], [-2.0, 2.0, 0.0]])
    shown = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    for part in (slice(0, 3), slice(3, 4)):
        score.add(logits[part], shown[part])
    p = 1 / (1 + np.exp(-logits.numpy()))
    by_hand = -(shown.numpy() * np.log(p) + (1 - shown.numpy()) * np.log(1 - p)).mean()
    assert score.loss() == pytest.approx(by_hand, rel=1e-6)
    each = [roc_auc_score(shown[:, unit], logits[:, unit]) for unit in (0, 1)]
    assert score.value() == pytest.approx(np.mean(each)), "all show the third: it is left out"


def test_what_cannot_be_taught_is_named(coded):
    with pytest.raises(DataError, match=r"has no action unit AU9; it has AU4, AU12"):
        unit_targets(coded, ("AU9",))
    with pytest.raises(DataError, match=r"row 1: AU12 was not coded"):
        unit_targets(coded.assign(AU12=[0.0, np.nan, *[0.0] * (len(coded) - 2)]), UNITS)
    with pytest.raises(DataError, match=r"no unit is shown by some and not by others"):
        units_auroc(np.ones((4, 2)), np.ones((4, 2)))
    with pytest.raises(ParameterError, match="loss = focal"):
        taught(coded, loss="focal")


def test_a_training_that_diverges_says_so(coded):
    with pytest.raises(learner.Diverged, match="diverged"):
        taught(coded, lr=1e30)
