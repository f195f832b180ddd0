"""Every figure of the reference: its words are the field's, and what its marks say is in its CSV."""

import html
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ferbook import paths
from ferbook.marks import element_marks
from ferbook.text import MINUS

DRAWN = sorted((paths.root() / "runs/reference").glob("*/figures/*.svg"))
PICTURES = {
    *("deconvolution/how_it_works", "deconvolution/one_response", "deconvolution/strongest", "derl/maps"),
    *("derl/neutrals", "faces/expressions", "faces/four_sets", "faces/nearest", "faces/one_unit"),
    *("faces/switched_units", "micro_expressions/clip", "training/hardest", "truth/one_neuron"),
}
"""Figures of faces, maps and written numbers: there is no mark on an axis."""
OTHERWISE = {
    "structure_and_loss/seeds": "its CSV has differences of seeds",
    "training/networks": "its CSV has single networks, where a mark is their mean",
    "transfer/factors": "one panel has the losses of its CSV as gains",
    "truth/verdicts": "its cells count, its CSV has shares",
    "truth/rule_verdicts": "its cells count, its CSV has shares",
}
CODE = re.compile(
    r"\w_\w|[a-z][a-z0-9]*-(?:faceunits|makehuman)|fer2013|\bvgg\b|\bmacs\b|\bzhu\b|\bdeconv\b|\bhog\b"
)
"""Names that are the code's; the field writes FER2013, VGG, HOG, Zhu."""
NUMBERS = re.compile(r": ([−\d.,]+)(?: %)?(?: \(([−\d.,]+)(?: %)? to ([−\d.,]+)(?: %)?\))?(?:;|$)")

every_figure = pytest.mark.parametrize("file", DRAWN, ids=lambda file: f"{file.parts[-3]}/{file.stem}")


def name_of(file: Path) -> str:
    return f"{file.parts[-3]}/{file.stem}"


def said(file: Path) -> list[str]:
    told = element_marks(file.read_bytes(), file.with_suffix(".csv").read_text(encoding="utf-8")).values()
    return [
        html.unescape(words) for pair in told for words in re.findall('aria-label="([^"]*)"', "".join(pair))
    ]


@every_figure
def test_a_figure_is_written_in_words_of_the_field(file):
    words = re.findall(r"<(?:text|tspan)[^>]*>([^<]+)", file.read_text(encoding="utf-8"))
    assert [each for each in words if CODE.search(html.unescape(each))] == []


@every_figure
def test_every_figure_with_marks_says_their_values(file):
    own = 'class="hover"' in file.read_text(encoding="utf-8")
    assert bool(said(file) or own) == (name_of(file) not in PICTURES)
    assert not any(CODE.search(words) for words in said(file))


@every_figure
def test_what_a_mark_says_is_a_number_of_the_figures_csv(file):
    if name_of(file) in OTHERWISE:
        return
    stored = pd.read_csv(file.with_suffix(".csv")).select_dtypes("number").to_numpy().ravel()
    foreign = []
    for words in said(file):
        for text in filter(None, match.groups() if (match := NUMBERS.search(words)) else ()):
            value, digits = float(text.replace(MINUS, "-").replace(",", "")), len(text.partition(".")[2])
            near = np.abs(np.concatenate([stored, 100 * stored]) - value) <= 0.51 * 10**-digits
            foreign += [] if near.any() else [(words, text)]
    assert foreign == []
