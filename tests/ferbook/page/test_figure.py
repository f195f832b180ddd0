"""A figure's files, and what of it stands on a page."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from ferbook.page.figure import LARGEST_PNG, figure_html, store_figure
from ferbook.page.style import Drawn, FigureError


def dot(**change):
    figure, axes = plt.subplots(figsize=(5, 2))
    (point,) = axes.plot([1, 2], [1, 2], "o")
    point.set_gid("point")
    axes.set_title("a < b")
    given = {"figure": figure, "data": pd.DataFrame({"y": [1, 2]}), "alt": 'Two "dots".', "caption": "A < b."}
    return Drawn(**given | change)


def test_a_figure_lies_beside_the_page_and_its_text_stands_in_it(tmp_path):
    page = store_figure(tmp_path, "dots", dot())
    assert sorted(file.name for file in (tmp_path / "figures").iterdir()) == [
        "dots.csv",
        "dots.png",
        "dots.svg",
    ]
    with Image.open(tmp_path / "figures" / "dots.png") as picture:
        assert picture.size == (1000, 400)
    assert ">a &lt; b</text>" in page and "Verdana" in page, "text, in a font that is there"
    assert "<figcaption>A &lt; b.<" in page and 'aria-label="Two &quot;dots&quot;."' in page
    assert not re.search(r"\n\s*\n", page), "an empty line ends HTML in Markdown"
    assert "<style" not in page and "<metadata" not in page
    assert not plt.get_fignums()


def test_two_figures_of_a_page_share_no_id(tmp_path):
    one, other = (store_figure(tmp_path, name, dot()) for name in ("one", "other"))
    ids = [set(re.findall(r' id="([^"]+)"', page)) for page in (one, other)]
    assert ids[0] and not ids[0] & ids[1]
    assert set(re.findall(r'(?:url\(|xlink:href=")#([^")]+)', one)) <= ids[0], "what is referred to is there"


def test_an_element_that_tells_something_is_reached_by_keyboard(tmp_path):
    page = store_figure(tmp_path, "dots", dot(hover={"point": "1 & 2"}))
    assert (
        '<g id="dots--point" class="hover" tabindex="0" role="img" aria-label="1 &amp; 2">'
        "<title>1 &amp; 2</title>" in page
    )
    assert 'role="group" aria-label="Two' in page, "an image has no parts"
    with pytest.raises(FigureError, match="'dots': no element has the gid 'absent'"):
        store_figure(tmp_path, "dots", dot(hover={"absent": "nothing"}))


def test_text_that_a_telephone_cannot_show_is_refused(tmp_path):
    drawn = dot()
    drawn.figure.axes[0].set_xlabel("too small", fontsize=9)
    with pytest.raises(FigureError, match=r"figure 'dots': text below 9.5 points .*'too small' has 9"):
        store_figure(tmp_path, "dots", drawn)
    drawn.figure.axes[0].set_xlabel("just right", fontsize=9.5)
    store_figure(tmp_path, "dots", drawn)
    wide, _ = plt.subplots(figsize=(6, 2))
    with pytest.raises(FigureError, match="'wide' is 6 inches wide"):
        store_figure(tmp_path, "wide", dot(figure=wide))


def test_a_picture_of_noise_is_stored_small(tmp_path):
    figure, axes = plt.subplots(figsize=(5, 5))
    axes.imshow(np.random.default_rng(0).random((120, 120)))
    store_figure(tmp_path, "noise", dot(figure=figure))
    assert (tmp_path / "figures" / "noise.png").stat().st_size <= LARGEST_PNG


def test_a_figure_that_was_left_out_keeps_its_place():
    assert figure_html("a", "", "Left out.") == (
        '<figure class="fer-figure" id="figure-a"><figcaption>Left out.</figcaption></figure>'
    )
