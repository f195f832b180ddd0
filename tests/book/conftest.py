"""A clone of the suite whose chapters are tiny, and what holds of every figure."""

import io
import re
from collections.abc import Callable
from xml.etree import ElementTree

import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from PIL import Image

from ferbook.book import chapters
from ferbook.page.style import Drawn

from ..conftest import make_clone


@pytest.fixture
def well_drawn():
    """Draw twice and check: there is a picture with numbers and words, and the same bytes, without a date."""

    def svg(drawn: Drawn) -> bytes:
        sink = io.BytesIO()
        drawn.figure.savefig(sink, format="svg", metadata={"Date": None})
        pyplot.close(drawn.figure)
        return sink.getvalue()

    def check(draw: Callable[[], Drawn]) -> Drawn:
        drawn = draw()
        assert drawn.figure.axes
        assert len(drawn.data) and all(isinstance(column, str) for column in drawn.data.columns)
        assert re.search(r"\d", drawn.alt) and drawn.alt.endswith(".") and "nan" not in drawn.alt.lower()
        assert pd.read_csv(io.StringIO(drawn.data.to_csv(index=False))).shape == drawn.data.shape
        if not isinstance(drawn.tolerance, float | int):
            assert set(drawn.tolerance) <= set(drawn.data.columns)
        first = svg(drawn)
        assert first == svg(draw()) and b"<dc:date>" not in first and len(first) < 200_000
        ElementTree.fromstring(first)
        return drawn

    return check


@pytest.fixture
def toy_clone(tmp_path):
    """A clone whose chapters are tiny: for what happens around their execution."""
    clone = make_clone(tmp_path / "a {clone} of [it]")
    for name in chapters():
        clone.write_chapter(name)
    return clone


@pytest.fixture
def photo(tmp_path, rendered_faces):
    """The file of a picture with a face."""
    path = tmp_path / "some one.png"
    Image.fromarray(rendered_faces[0]).resize((192, 192)).save(path)
    return path


@pytest.fixture
def dots_of():
    """The places (x, y) of dots of a figure: the last drawn, or of a ``layer``; of one ``colour``."""

    def places(axes, layer=-1, colour=None):
        points = [each for each in axes.collections if isinstance(each, PathCollection)][layer]
        shades = [to_hex(edge) for edge in points.get_edgecolors()]
        every = [tuple(place) for place in points.get_offsets().tolist()]
        return [place for place, shade in zip(every, shades, strict=True) if colour in (None, shade)]

    return places
