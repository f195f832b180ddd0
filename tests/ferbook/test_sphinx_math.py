from xml.etree import ElementTree

import pytest
from sphinx.testing.util import SphinxTestApp

from ferbook.site import external_requests
from ferbook.sphinx_math import MathError, to_mathml

NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"


def tags(markup: str) -> list[str]:
    return [element.tag.removeprefix(NAMESPACE) for element in ElementTree.fromstring(markup).iter()]


def test_a_fraction_by_hand():
    root = ElementTree.fromstring(to_mathml(r"\frac{a}{2}"))
    assert root.tag == f"{NAMESPACE}math"
    assert root.get("display") == "inline"
    fraction = root.find(f".//{NAMESPACE}mfrac")
    assert ["".join(part.itertext()) for part in fraction] == ["a", "2"]


def test_an_index_under_a_hat_stays_outside_the_hat():
    root = ElementTree.fromstring(to_mathml(r"\hat{x}_{ik}"))
    base, index = root.find(f".//{NAMESPACE}msub")
    assert base.tag == f"{NAMESPACE}mover"
    assert "".join(index.itertext()) == "ik"


@pytest.mark.parametrize("environment", ["aligned", "align", "align*", "split"])
def test_aligned_rows_become_a_table_without_numbers_of_its_own(environment):
    markup = to_mathml(rf"\begin{{{environment}}} a &= b \\ c &= d \end{{{environment}}}", block=True)
    assert tags(markup).count("mtr") == 2
    assert tags(markup).count("mtd") == 4
    assert "(1)" not in "".join(ElementTree.fromstring(markup).itertext())
    assert "columnalign" not in markup  # not in MathML Core: browsers ignore it
    assert "text-align: right" in markup


def test_bare_rows_of_a_block_are_aligned():
    assert tags(to_mathml(r"a &= b \\ c &= d", block=True)).count("mtr") == 2


@pytest.mark.parametrize(
    ("latex", "said"),
    [
        (r"\foo{x}", r"\\foo is not a known command"),
        (r"\frac{1}{", "no available tokens"),
        (r"a &= b", "an & is outside"),
        (r"\boldsymbol{\theta}", "browsers do not draw"),
    ],
)
def test_what_cannot_be_converted_is_refused(latex, said):
    with pytest.raises(MathError, match=said):
        to_mathml(latex)


def build(source, text: str) -> tuple[str, str]:
    (source / "conf.py").write_text(
        "extensions = ['myst_nb', 'ferbook.sphinx_math']\n"
        "nb_execution_mode = 'off'\nnb_ipywidgets_js = {}\n"
        "myst_enable_extensions = ['dollarmath', 'amsmath']\nhtml_math_renderer = 'mathml'\nnumfig = True\n"
    )
    (source / "index.md").write_text(text)
    app = SphinxTestApp("html", srcdir=source)
    try:
        app.build()
        return (app.outdir / "index.html").read_text(encoding="utf-8"), app.warning.getvalue()
    finally:
        app.cleanup()


def test_a_page_holds_mathml_and_loads_no_script_for_it(tmp_path):
    page, warnings = build(tmp_path, "# P\n\nInline $x_i$.\n\n$$\na = b\n$$ (one)\n\nSee {eq}`one`.\n")
    assert warnings == ""
    assert page.count("<math ") == 2
    assert 'display="block"' in page
    assert '<span class="eqno">(1)' in page
    assert 'href="#equation-one"' in page
    assert external_requests(tmp_path / "_build" / "html") == []


BELOW = "The mean is\n$$\n\\bar{x}\n$$\nand"


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        (BELOW, True),
        ("The mean is\n$$ x $$", True),
        ("The mean is\n$$\nx\n\ny\n$$", True),
        ("`$$`, 5 $, $x$.", False),
    ],
)
def test_an_equation_right_below_a_line_of_text_warns_with_file_and_line(tmp_path, text, warned):
    _, warnings = build(tmp_path, f"# P\n\n{text}\n")
    assert ("index.md:3: WARNING: an equation in $$ is right below" in warnings) is warned
    assert warned or warnings == ""


@pytest.mark.parametrize("equation", [r"Inline $\foo{x<1}$.", "$$\n\\foo{x<1}\n$$"])
def test_an_equation_that_cannot_be_converted_warns_with_file_and_line(tmp_path, equation):
    page, warnings = build(tmp_path, f"# P\n\nText.\n\n{equation}\n")
    assert "index.md:5: WARNING: cannot turn the equation" in warnings
    assert r"<code>\foo{x&lt;1}</code>" in page
