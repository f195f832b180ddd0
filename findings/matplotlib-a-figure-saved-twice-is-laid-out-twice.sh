#!/usr/bin/env bash
# A figure with constrained layout is saved, and saved again, with nothing changed in between: say as SVG for
# a page and then as PNG for a talk.
# One would guess: the same picture twice.
# What happens: each save solves the layout anew, and begins where the last one ended, which was no fixed
# point. With a colour bar the axes move by a pixel of a PNG of 200 dpi, in a grid of pictures by two,
# and there once more at the third save. Only the first save of a figure gives the same bytes in every run.
# Source: matplotlib 3.11.2, _constrained_layout.py and backend_bases.py (print_figure), run.
# Why it matters: a run's SVG and PNG of one figure differ, a digest of the second changes with what was
# saved before, and every save pays for a layout, half of the time of a figure with many axes. After the
# first save figure.set_layout_engine("none") keeps what was found.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv own
own/bin/pip install -q matplotlib==3.11.2 numpy==2.4.6
own/bin/python - <<'PYTHON'
import io

import matplotlib

matplotlib.use("agg")
import numpy as np
from matplotlib import pyplot

matplotlib.rcParams["svg.hashsalt"] = "own"


def barred():
    figure, axes = pyplot.subplots(layout="constrained")
    figure.colorbar(axes.imshow(np.eye(3)))
    return figure


def pictures():
    figure, axes = pyplot.subplots(3, 5, layout="constrained", figsize=(5, 3.7))
    for each in axes.flat:
        each.imshow(np.eye(8))
        each.set(title="fear", xticks=[], yticks=[])
    return figure


def saved(figure):
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    wide, high = 200 * figure.get_size_inches()
    places = np.array([axes.get_position().bounds for axes in figure.axes]) * [wide, high, wide, high]
    return text.getvalue(), places


print(f"matplotlib {matplotlib.__version__}")
for draw in (barred, pictures):
    figure = draw()
    (first, start), (second, then), (_, end) = (saved(figure) for _ in range(3))
    moved, again = (float(np.abs(b - a).max()) for a, b in ((start, then), (then, end)))
    print(f"{draw.__name__}: same bytes: {first == second}; moved by {moved:.2f}, then {again:.2f} pixels")
    assert first == saved(draw())[0] != second and moved > 0.5
    kept = draw()
    saved(kept)
    kept.set_layout_engine("none")
    assert saved(kept)[0] == first
PYTHON
