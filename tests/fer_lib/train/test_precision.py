import itertools

import pytest
import torch
from torch.nn import functional as F

from fer_lib.nets.zero_bias import ZeroBiasCNN
from fer_lib.train.precision import Precision, choose_precision
from ferbook.errors import ParameterError


@pytest.mark.parametrize(
    ("able", "name"),
    [
        ({"avx512_f": True, "avx512_bf16": True, "cpu_name": "AMD EPYC"}, "bf16"),
        ({"avx512_f": True, "avx512_bf16": True}, "bf16"),
        ({"avx512_bf16": True, "amx_bf16": False, "cpu_name": "Intel Xeon"}, "fp32"),
        ({"avx512_bf16": True, "amx_bf16": True, "cpu_name": "Intel Xeon"}, "bf16"),
        ({"amx_bf16": True}, "bf16"),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, "fp32"),
        ({"neon": True}, "fp32"),
    ],
)
def test_a_cpu_trains_in_bfloat16_where_that_is_faster(monkeypatch, able, name):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert choose_precision() == Precision(name, channels_last=True)
    for request in ("fp32", "bf16"):
        assert choose_precision(request) == Precision(request, True), "what is asked for is not judged"


@pytest.mark.parametrize(("able", "name"), [(True, "bf16"), (False, "fp16")])
def test_a_gpu_trains_in_the_best_half_format_that_it_has(monkeypatch, able, name):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: able)
    assert choose_precision("auto", "cuda") == Precision(name, True)
    assert choose_precision("fp32", "cuda") == Precision("fp32", True)
    if not able:
        with pytest.raises(ParameterError, match="this GPU has no bfloat16"):
            choose_precision("bf16", "cuda")


def test_a_precision_goes_through_a_record_and_is_taken_as_it_is():
    chosen = Precision("bf16", channels_last=True)
    assert chosen.to_json() == {"name": "bf16", "channels_last": True}
    older = chosen.to_json() | {"timings": {"fp32": 120.5, "bf16 channels_last": 300.0}}
    assert Precision.of(chosen.to_json()) == Precision.of(older) == chosen
    fixed = Precision("fp32", channels_last=False)
    assert choose_precision(fixed) is fixed
    half = Precision("fp16", channels_last=True)
    assert choose_precision(half, "cuda") is half and choose_precision(half, "cpu") == choose_precision()
    assert choose_precision(half, "mps").name == "fp32"


def test_bf16_step_is_near_the_fp32_step_but_not_equal():
    torch.manual_seed(0)
    model = ZeroBiasCNN(2, 16, dropout=0)
    pictures, labels = torch.rand(16, 1, 16, 16), torch.arange(16) % 2
    losses, gradients = [], []
    for bf16 in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = model(pictures)
        losses.append(F.cross_entropy(logits.float(), labels))
        losses[-1].backward()
        gradients.append(model.conv3.weight.grad.flatten().clone())
    assert losses[0] != losses[1] and torch.allclose(losses[0], losses[1], rtol=0.02)
    assert torch.cosine_similarity(*gradients, dim=0) > 0.98
    assert gradients[1].dtype == torch.float32


def test_callbacks_by_device():
    for name, channels_last, device in itertools.product(("fp32", "bf16"), (True, False), ("cpu", "cuda")):
        kinds = [type(c).__name__ for c in Precision(name, channels_last).callbacks(device)]
        amp = {"cpu": ["CPUAutocast"], "cuda": ["MixedPrecision"]}[device] if name == "bf16" else []
        assert kinds == ["ChannelsLast"] * channels_last + amp


def test_refuses_devices_without_bf16():
    with pytest.raises(ParameterError, match="mps"):
        choose_precision("bf16", "mps")
    assert choose_precision("auto", "mps") == Precision("fp32", False)
