"""The losses against torch's own, against values worked out by hand, and against what they must refuse."""

import math
from typing import get_args

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fer_lib.names import Loss
from fer_lib.nets.build import build_network
from fer_lib.train.losses import CentreLoss, build_loss
from ferbook.errors import ParameterError

NAMES = get_args(Loss)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def logits() -> torch.Tensor:
    return 3 * torch.randn(12, 4, generator=seeded())


@pytest.fixture
def labels() -> torch.Tensor:
    return torch.randint(4, (12,), generator=seeded(1))


@pytest.fixture
def votes() -> torch.Tensor:
    return torch.rand(12, 4, generator=seeded(2)).softmax(1)


@pytest.fixture
def model() -> nn.Module:
    return build_network("residual", 4, 16, widths=(6,), depths=(1,))


def called(loss: nn.Module, logits: torch.Tensor, labels: torch.Tensor, width: int = 6) -> torch.Tensor:
    features = torch.randn(len(logits), width, generator=seeded(3))
    return loss(logits, labels, features) if isinstance(loss, CentreLoss) else loss(logits, labels)


def test_votes_cost_least_where_the_network_gives_the_crowds_shares(model, votes):
    """Gibbs: of all predictions, the distribution itself costs least, and that is its entropy."""
    loss = build_loss("votes", model, n_classes=4)
    least = loss(votes.log(), votes)
    assert torch.allclose(least, -(votes * votes.log()).sum(1).mean())
    for seed in range(5):
        assert loss(votes.log() + 0.1 * torch.randn(12, 4, generator=seeded(seed)), votes) > least


def test_focal_worked_out_by_hand():
    """Probabilities 0.8 and 0.5 of the true class: (0.2²·log 1.25 + 0.5²·log 2)/2."""
    logits = torch.tensor([[0.8, 0.2], [0.5, 0.5]]).log()
    found = build_loss("focal", None, n_classes=2)(logits, torch.tensor([0, 1]))
    assert found.item() == pytest.approx((0.04 * math.log(1.25) + 0.25 * math.log(2)) / 2)


@pytest.mark.parametrize("name", NAMES)
def test_extreme_logits_cost_a_finite_number_with_finite_gradients(model, name):
    logits = torch.tensor([[1e4, 0, 0, 0], [1e4, 0, 0, 0]], requires_grad=True)
    loss = called(build_loss(name, model, n_classes=4), logits, torch.tensor([0, 1]))
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(logits.grad).all()


def test_each_name_has_the_constants_of_its_paper(logits, labels, model):
    features = torch.randn(12, 6, generator=seeded(3))
    log_p = logits.log_softmax(1)[torch.arange(12), labels]
    entropy, norm = -log_p.mean().item(), features.square().sum(1).mean().item()
    expected = {
        "cross_entropy": entropy,
        "label_smoothing": F.cross_entropy(logits, labels, label_smoothing=0.1).item(),
        "focal": (-((1 - log_p.exp()) ** 2) * log_p).mean().item(),
        "centre": entropy + 0.003 * norm / 2,  # all centres are at the origin as yet
        "votes": entropy,
    }
    found = {name: called(build_loss(name, model, n_classes=4), logits, labels).item() for name in NAMES}
    assert found == pytest.approx(expected)


CENTRES = torch.tensor([[3.0, 4.0], [0.0, 2.0], [1.0, 0.0]])
FEATURES = torch.tensor([[1.0, 4.0], [3.0, 7.0], [1.0, 2.0]])
LABELS = torch.tensor([0, 0, 1])
# Equal logits: a cross-entropy of log 3.
EVEN = torch.zeros(3, 3)


def with_centres(loss: CentreLoss, **constants: float) -> CentreLoss:
    loss.centres.copy_(CENTRES)
    for name, value in constants.items():
        setattr(loss, name, value)
    return loss


def test_centre_loss_worked_out_by_hand():
    """Squared distances 4, 9 and 1; 0.3/2 times their mean, on top of log 3."""
    loss = with_centres(CentreLoss(3, 2), weight=0.3)
    assert loss(EVEN, LABELS, FEATURES).item() == pytest.approx(math.log(3) + 0.15 * 14 / 3)


def test_centres_move_as_worked_out_by_hand():
    """Class 0: Σ(f − c) = (−2, 3), over 1 + 2; class 1: (1, 0), over 1 + 1; class 2: not seen. Times 0.5."""
    loss = with_centres(CentreLoss(3, 2), rate=0.5)
    loss(EVEN, LABELS, FEATURES)
    expected = torch.tensor([[3 - 1 / 3, 4.5], [0.25, 2.0], [1.0, 0.0]])
    assert torch.allclose(loss.centres, expected)


def test_the_features_gradient_is_taken_at_the_centres_before_they_move():
    features = FEATURES.clone().requires_grad_()
    loss = with_centres(CentreLoss(3, 2), weight=0.3, rate=0.5)
    loss(EVEN, LABELS, features).backward()
    assert torch.allclose(features.grad, 0.3 * (FEATURES - CENTRES[LABELS]) / 3)


def test_centres_rest_while_no_gradient_is_recorded():
    """Validation never moves them."""
    loss = with_centres(CentreLoss(3, 2))
    with torch.no_grad():
        loss(EVEN, LABELS, FEATURES)
    assert torch.equal(loss.centres, CENTRES)


def test_the_features_gradient_reaches_the_network_below(model):
    seen = []
    model.output.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    loss = build_loss("centre", model, n_classes=4)
    logits = model(torch.rand(5, 1, 16, 16))
    loss(logits.detach(), torch.arange(5) % 4, seen[0]).backward()
    assert loss.centres.shape == (4, 6) and model.conv1.weight.grad.any()
    assert model.output.weight.grad is None


def test_a_loss_that_there_is_not_is_refused():
    model = build_network("zhu", 3, 16)
    with pytest.raises(ParameterError, match="no loss 'centre_loss'"):
        build_loss("centre_loss", model, n_classes=3)
