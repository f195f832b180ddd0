"""Sphinx extension: LaTeX becomes MathML in the page itself, so that no script has to be fetched.

Every current browser draws MathML Core. What cannot be converted faithfully is a Sphinx warning
that names file and line, which ``-W`` turns into a failed build.
"""

import html
import re
from xml.etree import ElementTree

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.util.typing import ExtensionMetadata
from sphinx.writers.html5 import HTML5Translator

from ferbook.errors import UserError

_logger = logging.getLogger(__name__)

_NAMESPACE = "http://www.w3.org/1998/Math/MathML"
ElementTree.register_namespace("", _NAMESPACE)

# The converter numbers the rows of `align` by itself and does not know `aligned`; numbers are
# Sphinx's affair, and `split` is the same layout without them.
_SAME_LAYOUT = re.compile(r"\\(begin|end)\{(?:aligned|align\*?)\}")
_NO_LAYOUT = re.compile(r"\\(?:begin|end)\{equation\*?\}")


class MathError(UserError):
    """An equation holds something that cannot be turned into MathML."""

    def __init__(self, latex: str, why: str) -> None:
        super().__init__(f"cannot turn the equation {latex.strip()!r} into MathML: {why}")


def to_mathml(latex: str, block: bool = False) -> str:
    """Return the MathML Core element ``<math>`` of ``latex``, as a displayed equation if ``block``.

    Raises MathError where the LaTeX is malformed, holds an unknown command, or uses a
    letter style that browsers do not draw.
    """
    text = _SAME_LAYOUT.sub(lambda match: f"\\{match[1]}{{split}}", _NO_LAYOUT.sub("", latex.strip()))
    if block and "\\\\" in text and "\\begin" not in text:
        text = f"\\begin{{split}}{text}\\end{{split}}"
    try:
        markup = convert(text, display="block" if block else "inline")
    except Exception as fault:  # the converter's exceptions share no base class
        reason = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(fault).__name__.removesuffix("Error")).lower()
        raise MathError(latex, reason) from fault
    try:
        root = ElementTree.fromstring(markup)
    except ElementTree.ParseError as fault:
        why = "an & is outside a matrix, cases, split or aligned environment"
        raise MathError(latex, why) from fault
    for element in root.iter():
        _use_core(element, latex)
    return ElementTree.tostring(root, encoding="unicode")


def _use_core(element: ElementTree.Element, latex: str) -> None:
    """Change what MathML Core lacks into what it has; raise MathError where it has nothing."""
    text = element.text or ""
    if text.startswith("\\") and len(text) > 1:
        why = f"{text} is not a known command; write it with \\operatorname{{…}} or another command"
        raise MathError(latex, why)
    variant = element.get("mathvariant")
    if variant is not None and variant != "normal":
        why = f"browsers do not draw {text!r} in {variant}; use another letter or the Unicode character"
        raise MathError(latex, why)
    if align := element.attrib.pop("columnalign", None):
        element.set("style", f"text-align: {align}")


def _render(node: nodes.Element, block: bool) -> str:
    try:
        return to_mathml(node.astext(), block)
    except MathError as fault:
        _logger.warning("%s", fault, location=node, type="math")
        return f"<code>{html.escape(node.astext().strip())}</code>"


def visit_math(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(_render(node, block=False))
    raise nodes.SkipNode


def visit_math_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    translator.body += [translator.starttag(node, "div", CLASS="equation"), _render(node, block=True)]
    if node["number"]:
        translator.body.append(f'<span class="eqno">({get_node_equation_number(translator, node)})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def require_set_apart(app: Sphinx, doctree: nodes.document) -> None:
    """Warn where ``$$`` is right below a line of text: MyST makes one paragraph of both, on whose page
    there would be a dollar sign, an inline equation, and a dollar sign; and where ``$$`` encloses none.
    """
    texts = doctree.findall(nodes.Text)
    odd = [each.parent for each in texts if "$$" in each and isinstance(each.parent, nodes.paragraph)]
    for math in doctree.findall(nodes.math):
        siblings = ["", *map(str, math.parent), ""]
        place = math.parent.index(math) + 1
        if siblings[place - 1].endswith("$") or siblings[place + 1].startswith("$"):
            odd.append(math.parent)
    for place in odd:
        words = "an equation in $$ is right below a line of text, or not whole; put an empty line above it"
        _logger.warning("%s, and none within", words, location=place, type="math")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the renderer; ``html_math_renderer = "mathml"`` chooses it."""
    app.connect("doctree-read", require_set_apart)
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
