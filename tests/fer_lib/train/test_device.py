"""Choosing a device: by availability, or refused with what there is. Freed memory is used again: seen in the
pages that the kernel had to hand out.
"""

import json
import subprocess
import sys

import pytest
import torch

from fer_lib.train.device import device_name, keep_freed_memory, pick_device
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


# In a process of its own: what other tests left on the heap would be used first.
COUNT_PAGES = """
import json, resource
import numpy as np
from fer_lib.train.device import keep_freed_memory

def pages_for_blocks():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(6):
        np.empty(64 * 2**20, np.uint8).fill(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

found = {"by itself": pages_for_blocks(), "understood": keep_freed_memory()}
pages_for_blocks()
found["kept"] = pages_for_blocks()
keep_freed_memory(False)
found["returned"] = pages_for_blocks()
print(json.dumps(found))
"""


def test_a_large_block_is_handed_out_once():
    answer = subprocess.run([sys.executable, "-c", COUNT_PAGES], capture_output=True, text=True, check=True)
    found = json.loads(answer.stdout)
    if not found["understood"]:
        pytest.skip("the C library of this system has no mallopt")
    assert found["kept"] < found["by itself"] / 10, found
    assert found["kept"] < found["returned"] / 10, found


def test_another_system_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False
