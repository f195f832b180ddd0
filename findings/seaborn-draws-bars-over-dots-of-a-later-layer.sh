#!/usr/bin/env bash
# A figure of estimates: a broad pale bar for what does not matter, and, in a layer of its own, dots on it.
# One would guess: layers of seaborn.objects lie above each other in the order in which they were added.
# What happens: matplotlib draws by kind, not by order. A Range is a collection of lines at height 2, Dots are
# a collection of paths, at height 1, so the bars of the first layer lie above the dots of the second.
# Source: seaborn 0.13.2 seaborn/_marks/line.py (Range) and dot.py (Dots), matplotlib 3.11.2 zorder, run.
# Why it matters: an estimate near 0 is hidden where it says most, behind that bar; the picture
# looks as if nothing had been measured, and no warning says so. Set the zorder of the dots afterwards.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv own
own/bin/pip install -q seaborn==0.13.2 matplotlib==3.11.2 numpy==2.4.6 pandas==3.1.1
own/bin/python - <<'PYTHON'
import matplotlib

matplotlib.use("agg")
import numpy as np
import pandas as pd
import seaborn
from matplotlib import pyplot
from seaborn import objects as so

row = pd.DataFrame({"gain": [0.0], "row": ["dropout"], "low": [-1.0], "high": [1.0]})
figure, axes = pyplot.subplots()
bar = so.Range(color="#d0d0d0", linewidth=30)
plot = so.Plot(row, x="gain", y="row").add(bar, xmin="low", xmax="high", orient="y")
plot.add(so.Dots(color="#ff0000", fillalpha=1, alpha=1, pointsize=12)).on(axes).plot()
first, second = axes.collections
heights = first.get_zorder(), second.get_zorder()


def red():
    figure.canvas.draw()
    picture = np.asarray(figure.canvas.buffer_rgba()).astype(int)
    return int(((picture[..., 0] > 200) & (picture[..., 1] < 60)).sum())


hidden = red()
second.set_zorder(3)
shown = red()
print(f"seaborn {seaborn.__version__}, matplotlib {matplotlib.__version__}: heights {heights}")
print(f"red pixels of a dot that was added last: {hidden}; with zorder 3: {shown}")
assert heights == (2, 1) and hidden == 0 and shown > 50
PYTHON
