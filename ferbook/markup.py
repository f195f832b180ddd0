"""What a run shows on a page: outputs of cells and pictures without anything that acts or hides.

A run may come from anybody, and a page from a file may read other files of its reader. bleach knows what a
browser makes of a text; here stands what figures and tables of a book consist of.
"""

import re
import xml.etree.ElementTree as tree
from functools import lru_cache

from bleach.css_sanitizer import CSSSanitizer
from bleach.sanitizer import Cleaner
from nbformat import NotebookNode

_KINDS = ("text/html", "text/plain", "image/png", "image/jpeg")
"""Of an output, what a page shows."""

_DATA = r"data:image/(?:png|jpeg|webp);base64,[\w+/=\s]*"
_ADDRESS = re.compile(rf"#[\w.-]+|figures/[\w.-]+|{_DATA}")
_URL = re.compile(rf"url\(\s*[\"']?(?!#[\w.-]+[\"']?\)|{_DATA}[\"']?\))|\\|@", re.IGNORECASE)
"""What in a style would ask for more than the page has, or might be understood as such."""
_WORDED = ("alt", "aria-label", "data-label", "title")
"""Attributes of text for a reader."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TEXTS = _words(
    """a abbr b br caption code dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i img ins
    kbd li ol p pre s small span strong sub summary sup table tbody td tfoot th thead tr u ul"""
)
_PICTURES = _words(
    """circle clippath clipPath defs ellipse g image line lineargradient linearGradient path pattern polygon
    polyline radialgradient radialGradient rect stop svg symbol text title tspan use"""
)
_ATTRIBUTES = _words(
    """class colspan download height id lang open role rowspan scope start tabindex width style data-filter
    data-layer clip-path clip-rule cx cy d dx dy fill fill-opacity fill-rule font-family font-size font-style
    font-weight gradientTransform gradientUnits offset opacity patternTransform patternUnits points
    preserveAspectRatio r rx ry stop-color stop-opacity stroke stroke-dasharray stroke-dashoffset
    stroke-linecap stroke-linejoin stroke-opacity stroke-width text-anchor transform version viewBox
    x x1 x2 y y1 y2"""
)
_STYLES = _words(
    """color background-color border border-collapse font-size font-family font-style font-weight text-align
    text-anchor text-decoration vertical-align white-space padding image-rendering opacity fill fill-opacity
    fill-rule stroke stroke-dasharray stroke-dashoffset stroke-linecap stroke-linejoin stroke-miterlimit
    stroke-opacity stroke-width clip-path stop-color stop-opacity"""
)
_RULES = _words("aspect-ratio background-image background-position background-size height left top width")
_ABOUT = ("rdf-syntax-ns#", "/dc/elements/1.1/", "creativecommons.org/ns#")
"""Namespaces of what a picture says of itself."""
_SHEET = re.compile(r"\s*<style>([^<]*)</style>")
_RULE = re.compile(r"(?:[\w.,:-][\w .,:-]*\{[\w .,:;%()*/+-]*\}\s*)*")


class _Styles(frozenset):
    """Properties of a style, with all that begin with ``--``, which act by the book's own rules."""

    def __contains__(self, name: object) -> bool:
        return str(name).startswith("--") or super().__contains__(name)


class _Css(CSSSanitizer):
    """Looks at each style once: a figure says the same few of thousands of lines."""

    sanitize_css = lru_cache(4096)(CSSSanitizer.sanitize_css)


def _may_stand(tag: str, name: str, value: str) -> bool:
    if name in ("href", "src", "xlink:href"):
        inline_svg = tag == "img" and re.fullmatch(r"data:image/svg\+xml;base64,[\w+/=]*", value)
        return bool(inline_svg or _ADDRESS.fullmatch(value.strip()))
    return name in _WORDED or (name in _ATTRIBUTES and not _URL.search(value))


_cleaner = Cleaner(
    tags={*_TEXTS, *_PICTURES},
    attributes=_may_stand,
    protocols={"data", "http"},  # which ``_may_stand`` has looked at: without http, no file beside the page
    strip=True,
    css_sanitizer=_Css(_Styles(_STYLES), ()),
)


def safe_html(text: str) -> str:
    """``text`` without what a page does not need: no script, no frame, no form, no address but its own.

    A style sheet that stands first, of plain rules, holds within what follows it.
    """
    sheet = _SHEET.match(text)
    rules = sheet[1] if sheet else ""
    plain = re.sub(rf"url\({_DATA}\)", "none", rules)
    properties = set(re.findall(r"[{;]\s*([\w-]+)\s*:", plain))
    if not _RULE.fullmatch(plain) or not properties <= _RULES or _URL.search(plain):
        rules = ""
    within = f"<style>@scope{{{rules}}}</style>" if rules else ""
    return within + _cleaner.clean(text[sheet.end() :] if sheet else text)


def safe_outputs(cell: NotebookNode) -> NotebookNode:
    """A copy of the executed code ``cell`` with outputs that a page may show."""
    cell.outputs = [_safe_output(output) for output in cell.get("outputs", ())]
    return cell


def _safe_output(output: NotebookNode) -> NotebookNode:
    output.pop("metadata", None)
    if output.output_type in ("execute_result", "display_data"):
        output.metadata = NotebookNode()
        output.data = NotebookNode({kind: output.data[kind] for kind in _KINDS if kind in output.data})
        if "text/html" in output.data:
            output.data["text/html"] = safe_html("".join(output.data["text/html"]))
    return output


def fault_of_svg(content: bytes) -> str:
    """What in the picture would act when a browser opens it; empty where nothing would."""
    try:
        elements = list(tree.fromstring(content).iter())
    except (tree.ParseError, ValueError, RecursionError) as fault:
        return f"no SVG ({fault})"
    for element in elements:
        space, _, name = str(element.tag).rpartition("}")
        if name == "metadata" or space.endswith(_ABOUT):
            continue
        if (
            not space.endswith("/2000/svg")
            or name not in (*_PICTURES, "style")
            or (name == "style" and _URL.search(element.text or ""))
        ):
            return f"an element <{name}>"
        for attribute, value in element.attrib.items():
            short = attribute.rpartition("}")[2]
            if not (short in ("type", "space") or _may_stand(name, short, value)):
                return f"<{name} {short}={value[:40]!r}>"
    return ""
