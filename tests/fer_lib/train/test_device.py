"""Choosing a device: by availability, or refused with what there is."""

import pytest
import torch

from fer_lib.train.device import device_name, pick_device
from ferbook.errors import ParameterError


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_auto_takes_the_best_there_is(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert pick_device("auto").type == expected
    assert pick_device("cpu").type == "cpu"


def test_an_absent_device_is_refused_with_what_there_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ParameterError, match="'cuda' is not available on this machine; it has: cpu"):
        pick_device("cuda")


def test_a_cpu_is_named_with_its_cores():
    name = device_name(torch.device("cpu"))
    assert name.startswith("CPU (") and name.endswith(" cores)")
