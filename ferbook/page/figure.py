"""A figure as files, and as it stands on a page: its text can be selected, its numbers are a click away."""

import html
import io
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib import pyplot
from matplotlib.figure import Figure
from PIL import Image

from ferbook.marks import on_page
from ferbook.page.style import SMALLEST, WIDTH, Drawn, FigureError

LARGEST_PNG = 100_000
"""Bytes: runs are committed."""

_FONTS = "'DejaVu Sans', Verdana, sans-serif"
"""Of equal width first: where DejaVu is absent, Verdana, from whose measures it was made."""


def svg_of(name: str, plot: Drawn) -> str:
    """The figure ``name`` as SVG, the same each time it is drawn; elements that tell something on hover can
    be reached by keyboard.

    Raises FigureError for a figure that is wider than ``WIDTH``, for text of less than ``SMALLEST`` points,
    and for a hover text without its element.
    """
    if plot.figure.get_figwidth() > WIDTH:
        raise FigureError(f"figure {name!r} is {plot.figure.get_figwidth():g} inches wide, more than {WIDTH}")
    picture = io.StringIO()
    plot.figure.savefig(picture, format="svg", metadata={"Date": None})
    svg = picture.getvalue().replace("'DejaVu Sans'", _FONTS)
    sizes = re.findall(r"<(?:text|tspan)[^>]*?font(?:-size)?: (?:\w+ )*([\d.]+)px[^>]*>([^<]*)", svg)
    small = {html.unescape(text): size for size, text in sizes if float(size) < SMALLEST and text.strip()}
    if small:
        words = ", ".join(f"{text!r} has {size}" for text, size in list(small.items())[:6])
        raise FigureError(
            f"figure {name!r}: text below {SMALLEST} points cannot be read on a telephone: {words}"
        )
    for gid, text in plot.hover.items():
        mark, words = f'id="{gid}"', html.escape(text)
        if mark not in svg:
            raise FigureError(f"figure {name!r}: no element has the gid {gid!r} of a hover text")
        attributes = f'{mark} class="hover" tabindex="0" role="img" aria-label="{words}"'
        svg = re.sub(f"{re.escape(mark)}>", lambda _, to=f"{attributes}><title>{words}</title>": to, svg)
    return svg


def png_of(figure: Figure) -> bytes:
    """The figure as PNG, at twice a page's resolution and of 256 colours, or as near to that as
    ``LARGEST_PNG`` allows.
    """
    for dpi, colours in ((200, 256), (200, 64), (150, 64), (100, 64)):
        raw, small = io.BytesIO(), io.BytesIO()
        figure.savefig(raw, format="png", dpi=dpi)
        Image.open(raw).convert("RGB").quantize(colours).save(small, format="png", optimize=True)
        if small.tell() <= LARGEST_PNG:
            break
    return small.getvalue()


def csv_of(numbers: pd.DataFrame) -> str:
    """The numbers that a figure or a table shows, as CSV."""
    return numbers.to_csv(index=False, float_format="%.9g")


def store_figure(folder: Path, name: str, plot: Drawn) -> str:
    """Write ``figures/<name>`` as ``.svg``, ``.png`` and ``.csv`` below ``folder``, and close the figure;
    returns what ``figure_html`` makes of it. Raises FigureError as ``svg_of``.
    """
    svg = svg_of(name, plot)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    (folder / "figures" / f"{name}.svg").write_text(svg, encoding="utf-8")
    (folder / "figures" / f"{name}.png").write_bytes(png_of(plot.figure))
    (folder / "figures" / f"{name}.csv").write_text(csv_of(plot.data), encoding="utf-8")
    return _inlined(name, svg, plot, links=True)


def unstored_figure(name: str, plot: Drawn) -> str:
    """A figure that no run keeps, as a page shows it; closes it. Raises FigureError as ``svg_of``."""
    svg = svg_of(name, plot)
    return on_page(_inlined(name, svg, plot), svg.encode(), csv_of(plot.data))


def _inlined(name: str, svg: str, plot: Drawn, links: bool = False) -> str:
    pyplot.close(plot.figure)
    return figure_html(name, _inline(svg, name, plot.alt, plot.hover), plot.caption, links)


def figure_html(name: str, picture: str, caption: str, links: bool = False) -> str:
    """A figure of a page, without an empty line, which would end it in Markdown. Links lead to it by
    ``#figure-<name>``, and from it to its files, which lie beside the page.
    """
    files = "".join(f' <a href="figures/{name}.{kind}">{kind.upper()}</a>' for kind in ("svg", "png", "csv"))
    files = f'<span class="figure-files">{files}</span>' if links else ""
    return (
        f'<figure class="fer-figure" id="figure-{name}">{picture}'
        f"<figcaption>{html.escape(caption)}{files}</figcaption></figure>"
    )


def _inline(svg: str, name: str, alt: str, hover: Mapping[str, str]) -> str:
    """The element ``<svg>`` for a page: its ids are its own, its style rules stay within it."""
    svg = re.sub(
        r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg[svg.index("<svg") :], flags=re.S
    )
    svg = re.sub(r"base64,\s+", "base64,", svg)
    ids = {*re.findall(r'(?:url\(|href=")#([^")]+)', svg), *hover}
    svg = re.sub(r' id="([^"]+)"', lambda own: f' id="{name}--{own[1]}"' if own[1] in ids else "", svg)
    svg = re.sub(r'(url\(|href=")#', rf"\1#{name}--", svg)
    kind = "group" if hover else "img"
    box = re.search(r'viewBox="[^"]+"', svg)[0]
    tag = f'<svg {box} role="{kind}" aria-label="{html.escape(alt)}">'
    svg = re.sub(r"<svg[^>]*>", lambda _: tag, svg, count=1)
    return re.sub(r">\s+<", "><", svg).replace("\n", " ").strip()
