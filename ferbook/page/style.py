"""The style of all figures, and helpers for their alt texts.

Theme and colours are seaborn's palette for colour-blind readers; dashes, markers and direct labels show the
difference in grey print as well. Importing this module sets the style, since part of it takes effect only
when a figure is saved: the same figure gives the same bytes of SVG (``savefig(…, metadata={"Date": None})``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib

matplotlib.use("agg", force=False)

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis as MatplotlibAxis
from matplotlib.figure import Figure

from ferbook.errors import FerError
from ferbook.text import NO_BREAK, number_text


@dataclass(frozen=True)
class Mark:
    """A place in a figure and the ``text`` that the page shows when it is pointed at or reached by keyboard.

    ``x`` and ``y`` are in data coordinates of ``axes``; of a bar or a cell both ends.
    """

    axes: Axes
    x: float | tuple[float, float]
    y: float | tuple[float, float]
    text: str


@dataclass(frozen=True)
class Drawn:
    """A figure, the numbers that it shows, and what a page needs of it.

    Parameters
    ----------
    figure : Figure
    data : DataFrame
        The numbers shown, stored as CSV.
    alt, caption : str
        What is drawn; what is drawn and what to see, true for any data.
    tolerance : float or mapping
        Largest difference of a number of ``data`` when the chapter is executed again, for all or by column; a
        column that is not named may not differ.
    hover : sequence of Mark
        Texts of its marks; empty: the points of its lines show their values.
    """

    figure: Figure
    data: pd.DataFrame
    alt: str
    caption: str
    tolerance: float | Mapping[str, float] = 1e-6
    hover: Sequence[Mark] = ()


# Width of a figure in inches.
WIDTH = 5.0
# Points of the smallest text of a figure so wide: 7 on a telephone of 390 pixels.
SMALLEST = 9.5

INK, MUTED, RULE = "#222222", "#5F5F5F", "#D0D0D0"
BLUE, ORANGE, _, VERMILION, *_, SKY = sns.color_palette("colorblind").as_hex()
_TEXTS = ("axes.titlesize", "legend.fontsize", "xtick.labelsize", "ytick.labelsize")
# Settings on top of seaborn's theme ``ticks``.
STYLE = {
    **dict.fromkeys(_TEXTS, SMALLEST),
    **dict.fromkeys(("font.size", "axes.labelsize", "figure.labelsize"), 10),
    **dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), MUTED),
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), INK),
    **dict.fromkeys(("axes.spines.right", "axes.spines.top", "legend.frameon"), False),
    "axes.titlelocation": "left",
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "figure.figsize": (WIDTH, 0.7 * WIDTH),
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "image.cmap": "gray",
    "image.interpolation": "none",
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    # Element ids in an SVG are random without it.
    "svg.hashsalt": "fer_lib.report.figures",
}
sns.set_theme("paper", "ticks", "colorblind", "DejaVu Sans", rc=STYLE)


class FigureError(FerError):
    """The table to draw is empty, has the wrong shape, or lacks a column."""


def require_columns(table: pd.DataFrame, columns: list[str]) -> None:
    absent = [name for name in columns if name not in table.columns]
    if absent or table.empty:
        what = f"lacks {', '.join(absent)}" if absent else "has no rows"
        raise FigureError(f"the table to draw {what}; it needs {', '.join(columns)}")


def in_percent(*axes: MatplotlibAxis) -> None:
    """Show proportions along an x or y axis in per cent."""
    for axis in axes:
        axis.set_major_formatter(lambda share, _: f"{100 * share:.4g} %".replace("-", "−"))


def percent(share: float) -> str:
    """Format a proportion (0 to 1) as ``92.4 %``."""
    return number_text(share, "share").replace(NO_BREAK, " ")


def listing(parts: list[str]) -> str:
    """Return ``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
