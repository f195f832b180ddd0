"""Counts as squares: how many of a fixed number of things are in which of up to three states."""

from collections.abc import Mapping
from textwrap import wrap

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from ferbook.page.style import BLUE, RULE, WIDTH, Drawn, FigureError, Mark

# Side of a square and how it looks: filled, hollow, small and pale, which differ in grey print, too.
_LOOKS = (
    (0.8, {"facecolor": BLUE, "edgecolor": BLUE, "linewidth": 0.8}),
    (0.72, {"facecolor": "white", "edgecolor": BLUE, "linewidth": 1.2}),
    (0.4, {"facecolor": RULE, "edgecolor": RULE, "linewidth": 0}),
)


def squares(
    counts: pd.DataFrame,
    *,
    per_row: int = 24,
    alt: str,
    caption: str,
    tolerance: float | Mapping[str, float] = 1e-6,
) -> Drawn:
    """Draw a square for each thing that is counted, a panel for each row of ``counts``.

    Parameters
    ----------
    counts : DataFrame of whole numbers
        A row for each panel, named by the index; a column for each state, at most three, the most remarkable
        first: its squares are filled, those of the second state hollow, those of the third small and pale.
    per_row : int
        Squares in a row of a panel; two panels are side by side.

    Returns
    -------
    Drawn
        Its data are the counts; the title of each panel and the end of ``alt`` give the counts.

    Raises
    ------
    FigureError
        For more than three states, no panel, or a count that is negative or not whole.

    >>> kinds = pd.DataFrame({"confirmed": [32, 2], "not assigned": [224, 254]},
    ...                      index=["trained", "untrained"])
    >>> squares(kinds, alt="256 squares for each network.", caption="Training matters.").alt
    '256 squares for each network. trained: 32 confirmed, 224 not assigned; untrained: 2 confirmed, 254 not \
assigned.'
    """
    numbers = counts.to_numpy()
    if not 0 < counts.shape[1] <= len(_LOOKS) or not len(counts):
        raise FigureError(f"{counts.shape[1]} states of {len(counts)} panels: give one to three, and a panel")
    if (numbers < 0).any() or (numbers != np.round(numbers)).any():
        raise FigureError("the squares of each state are counted: give whole numbers, 0 or more")
    across = min(2, len(counts))
    lines, high = -(-len(counts) // across), -(-int(numbers.sum(axis=1).max()) // per_row)
    side = WIDTH / across / (per_row + 1)
    size = WIDTH, 0.35 + lines * (side * high + 0.62)
    figure, grid = plt.subplots(lines, across, figsize=size, squeeze=False)
    texts, hover, handles = [], [], {}
    for axes, (name, row) in zip(grid.flat, counts.iterrows(), strict=False):
        told = [f"{int(count):,} {state}" for state, count in row.items()]
        texts.append(f"{name}: {', '.join(told)}")
        lines_of = wrap(", ".join(told), int(WIDTH / across / 0.078))
        axes.set_title("\n".join([str(name), *lines_of]))
        ends = np.cumsum([0, *row])
        for state, words, (width, look), start, end in zip(
            counts, told, _LOOKS, ends, ends[1:], strict=False
        ):
            down, right = np.divmod(np.arange(start, end), per_row)
            outline, unit = width * (Path.unit_rectangle().vertices - 0.5), Path.unit_rectangle().codes
            each = [Path(outline + corner, unit) for corner in zip(right, down, strict=True)]
            handles[state] = axes.add_patch(PathPatch(Path.make_compound_path(*each), **look))
            # One mark for each row of a panel: a page holds few of them.
            for line in np.unique(down):
                own = right[down == line]
                place = (own[0] - 0.5, own[-1] + 0.5), (line - 0.5, line + 0.5)
                hover.append(Mark(axes, *place, f"{name}: {words}"))
        axes.set(xlim=(-0.6, per_row - 0.4), ylim=(high - 0.4, -0.6), aspect="equal", anchor="NW")
    for axes in grid.flat:
        axes.set_axis_off()
    where = {"loc": "outside upper left", "ncols": len(handles), "handlelength": 0.7}
    figure.legend(handles.values(), handles, **where)
    data = counts.rename_axis(counts.index.name or "panel").reset_index()
    return Drawn(figure, data, f"{alt} {'; '.join(texts)}.", caption, tolerance, hover)
