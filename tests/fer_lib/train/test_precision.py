import copy
import itertools
import random

import numpy as np
import pytest
import torch
from torch import nn

from fer_lib.nets.zero_bias import ZeroBiasCNN
from fer_lib.train import precision
from fer_lib.train.precision import Precision, choose_precision, time_formats, training_step
from ferbook.errors import ParameterError

FORMATS = {
    "fp32": (False, False),
    "fp32 channels_last": (False, True),
    "bf16 channels_last": (True, True),
}


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(6, 1, 8, 8), torch.tensor([0, 1, 0, 1, 1, 0])


def network_with_state() -> nn.Module:
    """Batch normalisation has running statistics that a careless timing would move."""
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.Linear(108, 2)
    )


def test_timing_disturbs_nothing(batch):
    model = network_with_state().eval()
    training_step(model, *batch, bf16=False)
    before = copy.deepcopy(model.state_dict())
    gradients = [p.grad.clone() for p in model.parameters()]
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    with torch.no_grad():
        chosen = choose_precision(model, batch, "auto")
    assert chosen.timings
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(torch.equal(g, p.grad) for g, p in zip(gradients, model.parameters(), strict=True))
    assert model[0].weight.is_contiguous() and not any(m.training for m in model.modules())
    assert torch.equal(states[0], torch.get_rng_state())
    assert np.array_equal(states[1], np.random.get_state()[1]) and states[2] == random.getstate()
    assert not torch.is_autocast_enabled("cpu")


def test_rate_is_pictures_over_the_fastest_step(batch):
    # Each timed step reads the clock twice; the three formats take 1, 2 and 4 s, and most steps are held up.
    ticks, now = [], 0.0
    for step in range(precision.WARM_UP_STEPS + precision.TIMED_STEPS):
        for seconds in (1.0, 2.0, 4.0):
            took = seconds if step == 2 else seconds + 50.0
            ticks += [now, now + took] if step >= precision.WARM_UP_STEPS else [now]
            now += took
    rates = time_formats(network_with_state(), batch, FORMATS, clock=iter(ticks).__next__)
    assert list(rates.values()) == pytest.approx([6 / 1, 6 / 2, 6 / 4])


@pytest.mark.parametrize(
    ("rates", "name", "channels_last"),
    [
        ((200, 230, 540), "bf16", True),
        ((200, 240, 100), "fp32", True),
        ((200, 225, 100), "fp32", False),  # 12 % faster is within the noise
        ((200, 210, 220), "fp32", False),
        ((200, 240, 250), "bf16", True),
    ],
)
def test_takes_the_fastest_format_if_it_is_clearly_faster_than_the_plainest(
    monkeypatch, batch, rates, name, channels_last
):
    timings = dict(zip(FORMATS, rates, strict=True))
    monkeypatch.setattr(precision, "time_formats", lambda *_: timings)
    assert choose_precision(network_with_state(), batch) == Precision(name, channels_last, timings)


def test_a_request_is_not_timed(monkeypatch, batch):
    monkeypatch.setattr(precision, "time_formats", lambda *_: pytest.fail("timed"))
    for request in ("fp32", "bf16"):
        assert choose_precision(network_with_state(), batch, request) == Precision(request, True, {})


def test_record_is_plain(batch):
    record = choose_precision(network_with_state(), batch).to_json()
    assert set(record) == {"name", "channels_last", "timings"} and set(record["timings"]) == set(FORMATS)
    assert all(type(rate) is float for rate in record["timings"].values())


def test_bf16_step_is_near_the_fp32_step_but_not_equal():
    torch.manual_seed(0)
    model = ZeroBiasCNN(2, 16, dropout=0)
    pictures, labels = torch.rand(16, 1, 16, 16), torch.arange(16) % 2
    losses, gradients = [], []
    for bf16 in (False, True):
        model.zero_grad()
        losses.append(training_step(model, pictures, labels, bf16=bf16))
        gradients.append(model.conv3.weight.grad.flatten().clone())
    assert losses[0] != losses[1] and torch.allclose(losses[0], losses[1], rtol=0.02)
    assert torch.cosine_similarity(*gradients, dim=0) > 0.98
    assert gradients[1].dtype == torch.float32


def test_callbacks_by_device():
    for name, channels_last, device in itertools.product(("fp32", "bf16"), (True, False), ("cpu", "cuda")):
        kinds = [type(c).__name__ for c in Precision(name, channels_last).callbacks(device)]
        amp = {"cpu": ["CPUAutocast"], "cuda": ["MixedPrecision"]}[device] if name == "bf16" else []
        assert kinds == ["ChannelsLast"] * channels_last + amp


def test_refuses_unknown_requests_and_devices_without_bf16(batch):
    with pytest.raises(ParameterError, match="fp8"):
        choose_precision(network_with_state(), batch, "fp8")
    with pytest.raises(ParameterError, match="mps"):
        choose_precision(network_with_state(), batch, "bf16", "mps")
    assert choose_precision(network_with_state(), batch, "auto", "mps") == Precision("fp32", False)
