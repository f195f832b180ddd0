"""What the marks of a figure say on a page, and the colours it has there."""

import html
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from ferbook.marks import on_page
from ferbook.page.figure import store_figure
from ferbook.page.forest import Axis, forest
from ferbook.page.heat import heat
from ferbook.page.style import BLUE, INK, VERMILION, Drawn, in_percent


@pytest.fixture
def shown(tmp_path):
    def show(drawn: Drawn) -> str:
        markup = store_figure(tmp_path, "drawn", drawn)
        return on_page(markup, (tmp_path / "figures" / "drawn.svg").read_bytes())

    return show


def said(markup):
    """What the marks say, in their order; the figure's own alt text apart."""
    return [html.unescape(words) for words in re.findall(r'class="hover"[^>]*aria-label="([^"]*)"', markup)]


def plotted(axes):
    figure = axes.figure
    return Drawn(figure, pd.DataFrame({"x": [1]}), "Alt.", "Caption.")


def test_a_dot_says_its_row_its_series_its_value_and_its_interval(shown):
    rows = pd.DataFrame(
        {
            "label": ["with", "with", "without"],
            "series": ["test", "training", "test"],
            "value": [0.5, 0.75, 0.6],
            "low": [0.25, np.nan, 0.55],
            "high": [0.625, np.nan, 0.7],
            "group": ["vowels", "vowels", "consonants"],
        }
    )
    markup = shown(forest(rows, measured="accuracy", alt="Dots.", caption="Dots."))
    assert sorted(said(markup)) == [
        "consonants, without, test: 60.0 % (55.0 to 70.0 %); accuracy",
        "vowels, with, test: 50.0 % (25.0 to 62.5 %); accuracy",
        "vowels, with, training: 75.0 %; accuracy",
    ]
    assert 'role="group" aria-label="Dots.' in markup


def test_of_two_intervals_side_by_side_each_dot_has_its_own(shown):
    _, axes = plt.subplots()
    for x, bound, colour, name in ((5, 1, BLUE, "one"), (5.004, 2, VERMILION, "two")):
        axes.errorbar(
            [x], [5], yerr=[[bound], [bound]], marker="o", linestyle="none", color=colour, label=name
        )
    axes.set(xlim=(0, 10), ylim=(0, 10), xlabel="minutes", ylabel="accuracy")
    axes.legend()
    told = said(shown(plotted(axes)))
    assert [words.split(" (")[1] for words in told] == ["4.00 to 6.00)", "3.00 to 7.00)"]


def test_a_dot_that_stands_alone_is_one_mark(shown):
    rows = pd.DataFrame({"label": ["with"], "value": [0.5], "low": [0.25], "high": [0.625]})
    markup = shown(forest(rows, measured="accuracy", alt="A dot.", caption="A dot."))
    assert said(markup) == ["with: 50.0 % (25.0 to 62.5 %); accuracy"]


def test_panels_side_by_side_share_the_names_of_rows(shown):
    rows = pd.DataFrame(
        {"label": ["a", "b"] * 2, "panel": ["one", "one", "two", "two"], "value": [1, 2, -3, 4]}
    )
    axis = Axis(unit="points", limits=(-10, 10))
    drawn = forest(rows.assign(low=np.nan, high=np.nan), measured="points", axis=axis, alt="A.", caption="C.")
    assert said(shown(drawn)) == [
        "a: 1.0; one, points",
        "b: 2.0; one, points",
        "a: −3.0; two, points",
        "b: 4.0; two, points",
    ]


def test_a_point_of_a_line_says_both_its_values_and_a_line_without_points_some_of_them(shown):
    _, axes = plt.subplots()
    axes.plot([0, 5, 10], [0.1, 0.25, 0.2], "o-", color=BLUE, label="marked")
    axes.plot(np.linspace(0, 10, 400), 0.2 + 0.1 * np.sin(np.linspace(0, 9, 400)), color=INK, label="bare")
    axes.set(xlabel="epoch", ylabel="loss")
    axes.legend()
    words = said(shown(plotted(axes)))
    assert words[:3] == [
        f"marked: epoch {x}; loss {y}" for x, y in (("0.0", "0.100"), ("5.0", "0.250"), ("10.0", "0.200"))
    ]
    bare = words[3:]
    assert 12 <= len(bare) <= 24 and bare[0] == "bare: epoch 0.0; loss 0.200"


def test_bars_and_outlines_of_histograms_say_their_heights(shown):
    _, (left, right) = plt.subplots(1, 2)
    left.bar([1, 2, 3], [10, 0, 30], color=BLUE)
    right.stairs([0.5, 0, 0.25], [0, 2, 4, 6], fill=True, color=BLUE)
    in_percent(right.yaxis)
    for axes, name in ((left, "dogs"), (right, "cats")):
        axes.set(xlabel="age", ylabel=name)
    words = said(shown(plotted(left)))
    assert words == [
        "age 1.00; dogs 10.0",
        "age 3.00; dogs 30.0",
        "age 1.00; cats 50.0 %",
        "age 5.00; cats 25.0 %",
    ]


def test_a_cell_says_what_is_written_into_it(shown):
    cells = pd.DataFrame(
        {"learned": ["lab", "lab", "wild", "wild"], "tested": ["lab", "wild"] * 2, "share": [0.9, 0.4, 0, 1]}
    )
    cells["text"] = ["90", "40", "", "100"]
    drawn = heat(cells, rows="learned", columns="tested", value="share", measured="%", alt="A.", caption="C.")
    markup = shown(drawn)
    assert said(markup) == ["lab, lab: 90", "lab, wild: 40", "wild, wild: 100"]
    assert re.search(r"<text[^>]*fill: #ffffff[^>]*>100<", markup), "it lies on a dark cell"


@pytest.mark.parametrize("ticks", [[1, 10, 1000], [1, 1000]])
def test_a_logarithmic_axis_tells_numbers_between_its_own(shown, ticks):
    _, axes = plt.subplots()
    axes.plot([1, 2, 3], [1, 25, 0.2], "o")
    axes.set_yscale("log")
    axes.set(xlabel="epoch", ylabel="seconds", ylim=(0.1, 2000))
    axes.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.set_yticks([], minor=True)
    words = said(shown(plotted(axes)))
    assert [text.split("; ")[1] for text in words] == ["seconds 1.00", "seconds 25.0", "seconds 0.200"]


def test_an_axis_with_one_number_tells_none(shown):
    _, axes = plt.subplots()
    axes.plot([1, 2, 3], [1, 25, 100], "o")
    axes.set_yscale("log")
    axes.set(xlabel="epoch", ylabel="seconds")
    axes.set_yticks([1000], ["1,000"])
    axes.set_yticks([], minor=True)
    assert [text.split("; ") for text in said(shown(plotted(axes)))] == [
        ["1.00", "epoch"], ["2.00", "epoch"], ["3.00", "epoch"]
    ]  # fmt: skip


def test_inks_follow_the_page_and_a_panel_says_where_its_numbers_lie(shown):
    _, axes = plt.subplots()
    axes.plot([0, 10], [0, 1], "o", color=BLUE)
    axes.set(xlim=(0, 10), ylim=(0, 1))
    markup = shown(plotted(axes))
    assert "var(--figure-ink)" in markup and "var(--figure-blue)" in markup
    assert not re.search(r"#(?:ffffff|222222|0173b2)", markup)
    zero, step = map(float, re.search(r'data-x="([^"]+)"', markup)[1].split())
    places = [float(x) for x in re.findall(r'<use class="hover"[^>]* x="([\d.]+)"', markup)]
    assert places == pytest.approx([zero, zero + 10 * step], abs=0.01)


def test_colours_that_a_legend_explains_of_a_picture_stay(shown):
    figure, axes = plt.subplots()
    axes.imshow(np.zeros((4, 4, 3), np.uint8))
    axes.axis("off")
    figure.legend([plt.Rectangle((0, 0), 1, 1, color=INK)], ["changed"])
    markup = shown(plotted(axes))
    assert re.search(r'<path class="kept"[^>]*#222222', markup) and said(markup) == []
    assert 'role="img"' in markup


def test_markup_of_another_figure_only_takes_the_colours(shown, tmp_path):
    _, axes = plt.subplots()
    axes.plot([0, 10], [0, 1], "o", color=BLUE)
    shown(plotted(axes))
    other = '<svg role="img"><path style="fill: #222222"/></svg>'
    assert on_page(other, (tmp_path / "figures" / "drawn.svg").read_bytes()) == other.replace(
        "#222222", "var(--figure-ink)"
    )
