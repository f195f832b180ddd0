"""What a page shows of a run: figures and tables as they are, and nothing that acts."""

import time

import pytest
from nbformat.v4 import new_code_cell, new_output

from ferbook.markup import fault_of_svg, safe_html, safe_outputs

ACTS = (
    "<script",
    "onerror",
    "onload",
    "javascript",
    "<iframe",
    "http:",
    "file:",
    "<form",
    "<meta",
    "@import",
)


@pytest.mark.defect("R3")
@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg onload=alert(1)><script>alert(1)</script></svg>",
        '<a href="javascript:alert(1)">x</a>',
        '<svg><a xlink:href="javascript:alert(1)"><text>x</text></a></svg>',
        '<iframe src="file:///etc/passwd"></iframe>',
        '<div style="background-image:url(http://a/b)">x</div>',
        '<path fill="url(http://a/b)"/>',
        '<svg><use href="http://a/b#c"/></svg>',
        '<style>.a{width:1px}@import "http://a"</style>',
        "<style>body{display:none}</style>",
        "<form action=http://a><input></form>",
        '<meta http-equiv=refresh content="0;url=http://a">',
        '<svg><foreignObject><iframe srcdoc="<script>1</script>"></iframe></foreignObject></svg>',
        '<svg><animate attributeName=href to="javascript:alert(1)"/></svg>',
        '<a href="figures/../../other.html">x</a>',
    ],
)
def test_nothing_acts(text):
    shown = safe_html(f"{text}<b>kept</b>")
    assert not [word for word in (*ACTS, "display:none", "..") if word in shown.lower()]
    assert "<b>kept</b>" in shown


def test_a_figure_and_a_table_stay_as_they_are():
    figure = (
        '<figure class="fer-figure" id="figure-a"><svg viewBox="0 0 2 2" role="img" aria-label="A">'
        '<defs><clipPath id="a--p"><rect x="0" y="0" width="1" height="1"></rect></clipPath></defs>'
        '<g clip-path="url(#a--p)"><path d="M 0 0" style="fill: #fff;"></path></g></svg>'
        '<figcaption>Said.<a href="figures/a.svg">SVG</a></figcaption></figure>'
        '<table role="table"><tbody><tr><td class="number" data-label="n">1</td></tr></tbody></table>'
    )
    assert safe_html(figure) == figure


def test_a_sheet_of_plain_rules_holds_within_its_output():
    rules = ".atlas .mean{background-image:url(data:image/webp;base64,AA==);width:10%}"
    assert safe_html(f"<style>{rules}</style><i>x</i>") == f"<style>@scope{{{rules}}}</style><i>x</i>"


def test_a_sheet_of_many_spaces_is_read_at_once():
    began = time.process_time()
    assert safe_html(f"<style>{'a{}  ' * 2000}!</style>x") == "x"
    assert time.process_time() - began < 10, "before, thirty rules took weeks"


def test_of_an_output_only_what_a_page_shows_is_kept():
    data = {"text/html": "<b>1</b><script>2</script>", "application/javascript": "3", "image/svg+xml": "4"}
    cell = new_code_cell("x", outputs=[new_output("display_data", data=data, metadata={"mystnb": {}})])
    (output,) = safe_outputs(cell).outputs
    assert output.data == {"text/html": "<b>1</b>2"} and output.metadata == {}


@pytest.mark.parametrize(
    ("inside", "told"),
    [
        ("<g/>", ""),
        ("<style>*{stroke-linejoin: round}</style>", ""),
        ("<script>1</script>", "<script>"),
        ('<path onclick="1"/>', "onclick"),
        ('<image xlink:href="http://a/b"/>', "href"),
        ("<style>*{fill: url(http://a)}</style>", "<style>"),
        ("<g>", "no SVG"),
        ('<script xmlns="http://www.w3.org/1999/xhtml">1</script>', "<script>"),
    ],
)
def test_a_picture_that_acts_is_named(inside, told):
    namespaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    fault = fault_of_svg(f"<svg {namespaces}>{inside}</svg>".encode())
    assert (told in fault) if told else not fault
