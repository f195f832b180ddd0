"""A figure as files and as part of a page, where its text can be selected and its numbers downloaded."""

import html
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from PIL import Image

from ferbook.page import style

# Bytes: runs are committed.
LARGEST_PNG = 100_000

# Of equal width first: where DejaVu is absent, Verdana, from whose measures it was made.
_FONTS = "'DejaVu Sans', Verdana, sans-serif"

# Names in ``suite.css`` of the colours of ``ferbook.page.style``: each theme has its own values. Colours of
# cells and pictures are the same in every theme.
_INKS = {
    "#ffffff": "ground",
    style.INK: "ink",
    style.MUTED.lower(): "muted",
    style.RULE.lower(): "rule",
    style.BLUE: "blue",
    style.VERMILION: "vermilion",
    style.ORANGE: "orange",
    style.SKY: "sky",
}
# White text lies on a dark cell and is not replaced.
_COLOUR = re.compile(r"<text[^>]*#ffffff[^>]*>|\b(fill|stroke): (#[0-9a-f]{6})")
# Legend patches that explain the colours of a picture, in a figure without axes.
_SWATCH = r"<path[^>]*fill: #(?!ffffff)[^>]*>"

# Smallest width of a mark, in points.
_POINT = 6
# Largest number of places on a line without markers that show their value; a quarter of it where there are
# more than four such lines.
_MOST_POINTS = 24


def svg_of(name: str, plot: style.Drawn) -> str:
    """Return the figure ``name`` as SVG, the same bytes each time it is drawn.

    Raises
    ------
    FigureError
        For a figure wider than ``WIDTH`` and for text smaller than ``SMALLEST`` points.
    """
    if (width := plot.figure.get_figwidth()) > style.WIDTH:
        raise style.FigureError(f"figure {name!r} is {width:g} inches wide, more than {style.WIDTH}")
    picture = io.StringIO()
    plot.figure.savefig(picture, format="svg", metadata={"Date": None})
    svg = picture.getvalue().replace("'DejaVu Sans'", _FONTS)
    sizes = re.findall(r"<(?:text|tspan)[^>]*?font(?:-size)?: (?:\w+ )*([\d.]+)px[^>]*>([^<]*)", svg)
    small = {
        html.unescape(text): size for size, text in sizes if text.strip() and float(size) < style.SMALLEST
    }
    if small:
        words = ", ".join(f"{text!r} has {size}" for text, size in list(small.items())[:6])
        raise style.FigureError(
            f"figure {name!r}: text below {style.SMALLEST} points cannot be read on a telephone: {words}"
        )
    return svg


def line_marks(figure: Figure) -> Iterator[style.Mark]:
    """Yield the points of the lines in ``figure`` with their values as the axes format them; of lines without
    markers some places.
    """
    for axes in (each for each in figure.axes if each.axison):
        lines = [each for each in axes.lines if each.get_transform() == axes.transData]
        bare = [each for each in lines if each.get_marker() in ("None", "", None)]
        most = _MOST_POINTS if len(bare) <= 4 else _MOST_POINTS // 4
        for line in lines:
            name = "" if line.get_label().startswith("_") else f"{line.get_label()}: "
            places = line.get_xydata()
            for x, y in places[:: -(-len(places) // most) if line in bare else 1]:
                values = (
                    f"{_name(axes, 'x')} {_value(axes.xaxis, x)}; {_name(axes, 'y')} {_value(axes.yaxis, y)}"
                )
                yield style.Mark(axes, x, y, f"{name}{values}")


def _name(axes: Axes, way: str) -> str:
    figure = axes.figure
    words = {
        "x": [axes.get_xlabel(), figure.get_supxlabel(), "across"],
        "y": [axes.get_ylabel(), axes.get_title("left"), axes.get_title(), figure.get_supylabel(), "up"],
    }
    return next(filter(None, words[way]))


def _value(axis: Axis, place: float) -> str:
    """Format the value at ``place`` on ``axis``; return the nearest tick label where the ticks are names."""
    if text := axis.get_major_formatter().format_data_short(place).strip():
        return text
    names = [label.get_text() for label in axis.get_majorticklabels()]
    if all(re.fullmatch(r"[\d.,]+", name) for name in names):
        return f"{place:,.3g}"
    return names[int(np.abs(axis.get_majorticklocs() - place).argmin())]


def _hover_elements(figure: Figure, marks: Sequence[style.Mark]) -> str:
    """Return the invisible SVG rectangles that show the text of ``marks`` when pointed at."""
    width, height = 72 * figure.get_size_inches()
    elements = []
    for mark in marks:
        ends = np.array([np.broadcast_to(mark.x, 2), np.broadcast_to(mark.y, 2)], float).T
        places = figure.transFigure.inverted().transform(mark.axes.transData.transform(ends))
        (left, top), (right, bottom) = np.sort(places * (width, -height) + (0, height), axis=0)
        if not np.isfinite([left, right, top, bottom]).all():
            continue
        wide, high = max(right - left, _POINT), max(bottom - top, _POINT)
        x, y, words = (left + right - wide) / 2, (top + bottom - high) / 2, html.escape(mark.text)
        elements.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}" fill="none" class="hover" '
            f'tabindex="-1" role="img" aria-label="{words}"></rect>'
        )
    return "".join(elements)


def in_theme(picture: str) -> str:
    """Replace the colours of an SVG by the variables of the page's theme."""
    alone = "<image" in picture and "<use" not in picture

    def colour(match: re.Match) -> str:
        return f"{match[1]}: var(--figure-{_INKS[match[2]]})" if match[2] in _INKS else match[0]

    return re.sub(f"{_SWATCH}|{_COLOUR.pattern}" if alone else _COLOUR, colour, picture)


def png_of(figure: Figure) -> bytes:
    """Return the figure as PNG at twice the resolution of a page and in 256 colours, or as near to that as
    ``LARGEST_PNG`` allows.
    """
    for dpi, colours in ((200, 256), (200, 64), (150, 64), (100, 64)):
        if (dpi, colours) != (200, 64):  # else as it was drawn
            figure.savefig(raw := io.BytesIO(), dpi=dpi, pil_kwargs={"compress_level": 0})
        Image.open(raw).convert("RGB").quantize(colours).save(small := io.BytesIO(), "png", optimize=True)
        if small.tell() <= LARGEST_PNG:
            break
    return small.getvalue()


def csv_of(numbers: pd.DataFrame) -> str:
    """Return the numbers of a figure or a table as CSV."""
    return numbers.to_csv(index=False, float_format="%.9g")


def store_figure(folder: Path, name: str, plot: style.Drawn) -> str:
    """Store ``figures/<name>`` as ``.svg``, ``.png`` and ``.csv`` in ``folder``, close it and return
    it as HTML (``figure_html``). Raises FigureError as ``svg_of``.
    """
    svg = svg_of(name, plot)
    page = _inlined(name, svg, plot, links=True)
    plot.figure.set_layout_engine("none")  # the PNG's is the SVG's
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    (folder / "figures" / f"{name}.svg").write_text(svg, encoding="utf-8")
    (folder / "figures" / f"{name}.png").write_bytes(png_of(plot.figure))
    (folder / "figures" / f"{name}.csv").write_text(csv_of(plot.data), encoding="utf-8")
    pyplot.close(plot.figure)
    return page


def unstored_figure(name: str, plot: style.Drawn) -> str:
    """Return a figure that no run stores as HTML, and close it. Raises FigureError as ``svg_of``."""
    page = _inlined(name, svg_of(name, plot), plot)
    pyplot.close(plot.figure)
    return page


def _inlined(name: str, svg: str, plot: style.Drawn, links: bool = False) -> str:
    marks = _hover_elements(plot.figure, list(plot.hover or line_marks(plot.figure)))
    return figure_html(name, _inline(svg, name, plot.alt, marks), plot.caption, links)


def figure_html(name: str, picture: str, caption: str, links: bool = False) -> str:
    """Return a figure as HTML without an empty line, which would end it in Markdown. Its address is
    ``#figure-<name>``; with ``links`` it links to its files in the folder of the page.
    """
    files = "".join(f' <a href="figures/{name}.{kind}">{kind.upper()}</a>' for kind in ("svg", "png", "csv"))
    files = f'<span class="figure-files">{files}</span>' if links else ""
    return (
        f'<figure class="fer-figure" id="figure-{name}">{picture}'
        f"<figcaption>{html.escape(caption)}{files}</figcaption></figure>"
    )


def _inline(svg: str, name: str, alt: str, marks: str) -> str:
    """Return ``<svg>`` for a page: unique ids, no style rules, the colours of the page's theme, and
    ``marks`` on top.
    """
    svg = re.sub(
        r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg[svg.index("<svg") :], flags=re.S
    )
    svg = in_theme(re.sub(r"base64,\s+", "base64,", svg)).replace("</svg>", f"{marks}</svg>")
    ids = set(re.findall(r'(?:url\(|href=")#([^")]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda own: f' id="{name}--{own[1]}"' if own[1] in ids else "", svg)
    svg = re.sub(r'(url\(|href=")#', rf"\1#{name}--", svg)
    kind = "group" if marks else "img"
    box = re.search(r'viewBox="[^"]+"', svg)[0]
    tag = f'<svg {box} role="{kind}" aria-label="{html.escape(alt)}">'
    svg = re.sub(r"<svg[^>]*>", lambda _: tag, svg, count=1)
    return re.sub(r">\s+<", "><", svg).replace("\n", " ").strip()
