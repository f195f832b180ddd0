"""Figures across a book: numbered, shown first, referred to, and nothing else."""

import pytest
from markdown_it.renderer import RendererHTML
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ferbook import paths
from ferbook.book import chapters
from ferbook.errors import BookError
from ferbook.figures import Figures, numbered
from ferbook.notebook import figure_names, reading_minutes
from ferbook.page.figure import figure_html

CODE = 'run.figure("a", draw)\nother.table("t")\nrun.figure("b", draw(run.figure("c", draw)))'


def page(key=""):
    prose = new_markdown_cell(f"<!-- key figure: {key} -->" if key else "Words.")
    return new_notebook(cells=[prose, new_code_cell(CODE, id="draws")])


def test_figures_are_numbered_as_they_are_drawn_and_the_key_figure_is_the_first():
    assert figure_names(page()) == ["a", "b", "c"]
    assert numbered(page(), 4) == {"a": "4.1", "b": "4.2", "c": "4.3"}
    assert numbered(page("b"), 4) == {"b": "4.1", "a": "4.2", "c": "4.3"}


def test_the_time_to_read_is_counted_from_words_and_shown_cells():
    opening = [new_code_cell("x = 1"), new_code_cell("run = 1")]
    more = [new_code_cell("y = 2")]
    words = [new_markdown_cell("one two three " * 150 + "$$ a b c $$ <!-- not a word -->")]
    assert reading_minutes(new_notebook(cells=[*words, *opening])) == 3  # 450 words
    shown = [new_code_cell("y = 1"), new_code_cell("z = 1", metadata={"tags": ["hide-input"]})]
    assert reading_minutes(new_notebook(cells=[*words, *opening, *shown])) == 3
    assert reading_minutes(new_notebook(cells=[*words, *opening, *shown, *more])) == 4


def drawn(*names):
    shown = "".join(
        f'<figure class="fer-figure" id="figure-{name}"><svg/><figcaption>Told. '
        f'<a href="figures/{name}.csv">CSV</a></figcaption></figure>'
        for name in names
    )
    output = new_output("display_data", data={"text/html": f"<div>{shown}</div>"})
    return new_code_cell("", outputs=[output])


@pytest.fixture
def staged(example):
    """The figures of the example: ``throws`` has drawn its one, and one that is no longer there."""
    figures = Figures()
    notebook = new_notebook(cells=[new_markdown_cell("<!-- key figure: counts -->"), drawn("counts", "gone")])
    figures.collect(chapters()["throws"], notebook)
    return figures, notebook


def test_the_key_figure_stands_at_its_place_and_a_link_where_it_is_drawn(staged):
    figures, notebook = staged
    told = notebook.cells[1].outputs[0].data["text/html"]
    assert '<p class="not-shown"><a href="#figure-counts">↑ Figure 1.1</a></p>' in told and "<svg/>" in told
    assert told.count("<svg/>") == 1 and "Figure 1.2" not in told, "what the notebook has not has no number"
    placed = figures.placed(notebook.cells[0].source, "book/throws/throws")
    assert "\n\n<figure" in placed and "<figcaption><strong>Figure 1.1</strong> Told." in placed


def test_a_caption_is_data_and_never_markdown_a_role_or_a_product(example):
    """The caption of a run, put where a page asks for the figure, through MyST with all that it can."""
    figures = Figures()
    said = "Told.\n\n{{ 6 * 7 }} **bold** {figure}`counts`\n\n<!-- figure: throws.counts -->"
    shown = figure_html("counts", "<svg/>", said)
    cell = new_code_cell("", outputs=[new_output("display_data", data={"text/html": shown})])
    figures.collect(chapters()["throws"], new_notebook(cells=[cell]))
    placed = figures.placed("# Title\n\n<!-- figure: throws.counts -->\n\nWords.", "book/throws/throws")
    every = {"substitution", "colon_fence", "dollarmath", "attrs_inline"}
    blocks = create_md_parser(MdParserConfig(enable_extensions=every), RendererHTML).parse(placed)
    (figure,) = [block.content for block in blocks if block.type == "html_block"]
    assert "{{ 6 * 7 }} **bold** {figure}`counts` " in figure and "&lt;!-- figure: throws" in figure
    assert [block.content for block in blocks if block.type == "inline"] == ["Title", "Words."]
    settings = (paths.ENGINE.parent / "_config.yml").read_text(encoding="utf-8")
    assert "substitution" not in settings, "no text of a page is computed while it is read"


def test_any_page_shows_a_figure_and_links_to_one(staged):
    figures, _ = staged
    index = figures.placed("<!-- figure: throws.counts --> {figure}`throws.counts`", "book/index")
    assert 'href="throws/figures/counts.csv"' in index
    assert '<a href="throws/throws.html#figure-counts">Figure 1.1</a>' in index
    own = figures.placed("{figure}`counts` {figure}`means.mean`", "book/throws/throws")
    assert own == '<a href="#figure-counts">Figure 1.1</a> <a href="../means/means.html">Figure 2.1</a>'
    assert "Figure 2.1: not in this run." in figures.placed("<!-- key figure: mean -->", "book/means/means")


@pytest.mark.parametrize("text", ["{figure}`count`", "<!-- key figure: count -->", "{figure}`throws.count`"])
def test_a_figure_that_nobody_draws_is_refused(staged, text):
    told = r"^here: no chapter draws a figure '(throws\.)?count' \(did you mean 'throws.counts'\?\)$"
    with pytest.raises(BookError, match=told):
        staged[0].placed(text, "book/throws/throws", "here")
