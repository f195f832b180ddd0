"""A figure as it stands on a page: complete in itself, with its numbers behind a link."""

import base64
import html
import io

import pandas as pd
from matplotlib import pyplot

from ferbook.page.style import Drawn


def svg_of(drawn: Drawn) -> bytes:
    """The figure as SVG, the same bytes each time it is drawn; it is closed then."""
    picture = io.BytesIO()
    drawn.figure.savefig(picture, format="svg", metadata={"Date": None})
    pyplot.close(drawn.figure)
    return picture.getvalue()


def csv_of(numbers: pd.DataFrame) -> str:
    """The numbers that a figure or a table shows, as CSV."""
    return numbers.to_csv(index=False, float_format="%.9g")


def figure_html(name: str, drawn: Drawn, picture: bytes) -> str:
    """The figure ``name``, drawn as the SVG ``picture``, with its caption and its numbers: no other file is
    needed to read it. Links lead to it by ``#figure-<name>``.
    """
    data = base64.b64encode(csv_of(drawn.data).encode()).decode()
    image = base64.b64encode(picture).decode()
    alt, words = html.escape(drawn.alt), f"{html.escape(drawn.caption)} " if drawn.caption else ""
    return (
        f'<figure class="fer-figure" id="figure-{name}"><img alt="{alt}" '
        f'src="data:image/svg+xml;base64,{image}"/>'
        f'<figcaption>{words}<a download="{name}.csv" href="data:text/csv;base64,{data}">'
        f"Numbers (CSV)</a></figcaption></figure>"
    )
