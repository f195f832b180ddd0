#!/usr/bin/env bash
# A short program makes a network, asks it and takes gradients in eager mode; then it makes torch.optim.SGD.
# One would guess: an optimiser is a list of tensors and some numbers, and costs nothing to make.
# What happens: the first one of a process imports the whole compiler (torch._dynamo, and sympy with it): some
# nine hundred further modules, more than a second of a core and 150 MB, though nothing is ever
# compiled. Its methods carry a mark for the compiler, and whoever first calls one of them fetches it.
# Source: torch 2.14.1, torch/_compile.py (_disable_dynamo) and optim/optimizer.py, run.
# Why it matters: every kernel of a notebook that trains, every worker of a test suite and every job of a
# sweep pays it, beside the two seconds of `import torch`; a process that only predicts does not. Measured
# times of "the first epoch" hold it, too.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv own
own/bin/pip install -q torch==2.14.1 numpy==2.4.6
own/bin/python - <<'PYTHON'
import resource
import sys
import time

import torch
from torch import nn

network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
nn.functional.cross_entropy(network(torch.rand(4, 1, 4, 4)), torch.zeros(4, dtype=torch.long)).backward()
before = set(sys.modules)
assert not {"torch._dynamo", "sympy"} & before
began, held = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
torch.optim.SGD(network.parameters(), lr=0.1)
passed, more = time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held
added = sys.modules.keys() - before
print(f"torch {torch.__version__}: {len(added)} modules, {passed:.1f} s of a core, {more / 1024:.0f} MB")
assert {"torch._dynamo", "torch._dynamo.symbolic_convert", "sympy"} <= added and len(added) > 500
began = time.process_time()
torch.optim.SGD(network.parameters(), lr=0.1)
assert time.process_time() - began < passed / 10
PYTHON
