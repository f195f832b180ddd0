#!/usr/bin/env bash
# Max pooling of the maps of a small convolutional network on a CPU, 2 × 2, as all tutorials write it.
# One would guess: the convolution costs, the pooling next to nothing; and the memory format matters to the
# convolution, which has kernels for either.
# What happens: where the channels of a pixel do not lie side by side, as is PyTorch's default, max pooling
# works value by value and takes several times as long (8 here): longer than a convolution with 64 times
# 64 weights of 3 × 3 in bfloat16. The values are the same. Where the *weights* are channels last, maps are.
# Source: torch 2.14.1, aten/src/ATen/native/cpu/MaxPoolKernel.cpp (two kernels), run with one thread.
# Why it matters: fastai's ChannelsLast has trained networks so, and weights read from a file are not: the
# same network then takes half as long again to predict, and three times as long in bfloat16. A profile names
# pooling, which nobody suspects.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv own
own/bin/pip install -q torch==2.14.1 numpy==2.4.6
own/bin/python - <<'PYTHON'
import time

import torch
from torch.nn import functional as F

torch.set_num_threads(1)
apart = torch.rand(64, 64, 48, 48)
beside = apart.contiguous(memory_format=torch.channels_last)


def seconds(work):
    work()
    turns = []
    for _ in range(7):
        began = time.perf_counter()
        work()
        turns.append(time.perf_counter() - began)
    return min(turns)


with torch.no_grad():
    slow, quick = (seconds(lambda maps=maps: F.max_pool2d(maps, 2)) for maps in (apart, beside))
    assert torch.equal(F.max_pool2d(apart, 2), F.max_pool2d(beside, 2))
    weights = torch.rand(64, 64, 3, 3)
    last = weights.to(memory_format=torch.channels_last)
    assert F.conv2d(apart, weights).stride(1) > 1 == F.conv2d(apart, last).stride(1)
print(f"torch {torch.__version__}: {1000 * slow:.1f} ms, side by side {1000 * quick:.1f}: {slow / quick:.1f}")
assert slow > 2 * quick
PYTHON
