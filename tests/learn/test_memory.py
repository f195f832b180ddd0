"""Freed memory is used again: seen in the pages that the kernel had to hand out."""

import resource
import sys

import pytest
import torch

from fer_lib.learn.memory import keep_freed_memory

BYTES, TIMES = 64 * 2**20, 20


@pytest.fixture(autouse=True)
def as_before():
    yield
    keep_freed_memory(False)


def pages_for_blocks():
    """Pages handed out while a large block is taken, filled and freed again and again."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(TIMES):
        torch.empty(BYTES, dtype=torch.uint8).fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_a_large_block_is_handed_out_once():
    if not keep_freed_memory():
        pytest.skip("the C library of this system has no mallopt")
    pages_for_blocks()
    kept = pages_for_blocks()
    assert keep_freed_memory(False)
    returned = pages_for_blocks()
    assert kept < returned / 10, f"{kept} pages against {returned}"


def test_another_system_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False
