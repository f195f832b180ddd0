"""A figure's files, and what of it stands on a page."""

import html
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from ferbook.page.figure import LARGEST_PNG, figure_html, in_theme, store_figure
from ferbook.page.style import BLUE, INK, Drawn, FigureError, Mark, in_percent


def dot(**change):
    figure, axes = plt.subplots(figsize=(5, 2))
    axes.plot([1, 2], [1, 2], "o")
    axes.set_title("a < b")
    given = {"figure": figure, "data": pd.DataFrame({"y": [1, 2]}), "alt": 'Two "dots".', "caption": "A < b."}
    return Drawn(**given | change)


def test_a_figure_lies_beside_the_page_and_its_text_stands_in_it(tmp_path):
    page = store_figure(tmp_path, "dots", dot())
    files = sorted(file.name for file in (tmp_path / "figures").iterdir())
    assert files == ["dots.csv", "dots.png", "dots.svg"]
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


def test_a_mark_tells_its_text_where_it_stands(tmp_path):
    drawn = dot()
    axes = drawn.figure.axes[0]
    marks = [Mark(axes, 1, 1, "1 & 2"), Mark(axes, (1, 2), (1, 2), "all"), Mark(axes, 1, np.nan, "nowhere")]
    page = store_figure(tmp_path, "dots", replace(drawn, hover=marks))
    assert 'role="group" aria-label="Two' in page, "an image has no parts"
    frame = r'<rect x="([^"]+)" y="([^"]+)" width="([^"]+)" height="([^"]+)"[^>]*hover'
    point, whole = re.findall(frame, page)
    assert said(page) == ["1 & 2", "all"]
    x, y, width, height = map(float, whole)
    places = [(float(a), float(b)) for a, b in re.findall(r'<use [^>]*x="([\d.]+)" y="([\d.]+)"', page)]
    assert [(x, y + height), (x + width, y)] == [pytest.approx(each, abs=0.2) for each in places[-2:]]
    assert (float(point[0]) + 3, float(point[1]) + 3) == pytest.approx(places[-2], abs=0.2)


def said(page):
    return [html.unescape(words) for words in re.findall(r'class="hover"[^>]*aria-label="([^"]*)"', page)]


def page_of(axes, folder):
    return store_figure(folder, "drawn", Drawn(axes.figure, pd.DataFrame({"x": [1]}), "Alt.", "Caption."))


def test_points_tell_both_their_values_and_a_line_without_points_some_of_them(tmp_path):
    _, axes = plt.subplots()
    axes.plot([0, 5, 10], [0.1, 0.25, 0.2], "o-", color=BLUE, label="marked")
    axes.plot(np.linspace(0, 10, 400), 0.2 + 0.1 * np.sin(np.linspace(0, 9, 400)), color=INK, label="bare")
    axes.axhline(0.15)
    axes.set(xlabel="epoch", ylabel="loss")
    in_percent(axes.yaxis)
    words = said(page_of(axes, tmp_path))
    assert [re.sub(r"(\.\d)0+;", r"\1;", text) for text in words[:3]] == [
        f"marked: epoch {x}; loss {y} %" for x, y in (("0.0", "10"), ("5.0", "25"), ("10.0", "20"))
    ]
    bare = words[3:]
    assert 12 <= len(bare) <= 24 and all(text.startswith("bare: epoch") for text in bare)


def test_an_axis_of_names_tells_the_nearest_and_one_of_numbers_its_numbers(tmp_path):
    _, (left, right) = plt.subplots(1, 2)
    for axes in (left, right):
        axes.plot([0, 0.9], [1, 25], "o")
        axes.set_yscale("log")
        axes.set_yticks([1, 1000], ["1", "1,000"])
        axes.set_yticks([], minor=True)
        axes.set_xticks([0, 1], ["before", "after"])
    right.set_axis_off()
    left.set(xlabel="dose", title="seconds")
    assert said(page_of(left, tmp_path)) == ["dose before; seconds 1", "dose after; seconds 25"]


def test_inks_follow_the_page(tmp_path):
    _, axes = plt.subplots()
    axes.plot([0, 10], [0, 1], "o", color=BLUE)
    axes.text(5, 0.5, "dark", color="white")
    page = page_of(axes, tmp_path)
    assert "var(--figure-ink)" in page and "var(--figure-blue)" in page and "var(--figure-ground)" in page
    assert not re.search("#(?:222222|0173b2)", page)
    assert re.search(r"<text[^>]*#ffffff[^>]*>dark<", page), "it lies on a dark cell"
    assert "var(" not in (tmp_path / "figures" / "drawn.svg").read_text(encoding="utf-8")
    assert in_theme(page) == page


def test_colours_that_a_legend_explains_of_a_picture_stay(tmp_path):
    figure, axes = plt.subplots()
    axes.imshow(np.zeros((4, 4, 3), np.uint8))
    axes.axis("off")
    figure.legend([plt.Rectangle((0, 0), 1, 1, color=INK)], ["changed"])
    page = page_of(axes, tmp_path)
    assert re.search(r"<path[^>]*#222222", page) and "fill: var(--figure-ink)" in page
    assert 'role="img"' in page and said(page) == []


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
