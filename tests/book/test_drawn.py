"""Every figure of the reference is written in the field's words."""

import html
import re

import pytest

from ferbook import paths

DRAWN = sorted((paths.root() / "runs/reference").glob("*/figures/*.svg"))
# Names that are the code's; the field writes FER2013, VGG, HOG, Zhu.
CODE = re.compile(
    r"\w_\w|[a-z][a-z0-9]*-(?:faceunits|makehuman)|fer2013|\bvgg\b|\bmacs\b|\bzhu\b|\bdeconv\b|\bhog\b"
)


@pytest.mark.parametrize("file", DRAWN, ids=lambda file: f"{file.parts[-3]}/{file.stem}")
def test_a_figure_is_written_in_words_of_the_field(file):
    words = re.findall(r"<(?:text|tspan)[^>]*>([^<]+)", file.read_text(encoding="utf-8"))
    assert [each for each in words if CODE.search(html.unescape(each))] == []
