"""What is done to the built pages: they lose what nobody looks at, find words from a file, say what a word
means where it is linked, and where they come from; and what they would ask another host for, which is nothing
where a book reads without a network.
"""

import html
import json
import re
import shutil
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

from ferbook import paths
from ferbook.errors import BookError
from ferbook.files import read_yaml

TEXTS = "search_texts.js"
"""The texts of all pages, which only the page of the search loads."""

# The theme brings its icons twice, as a font and as a script of 1.5 MB that draws them; and it loads on every
# page what only the search needs.
_ICONS = re.compile(r"\s*<(?:script|link)\b[^>]*\bfontawesome\.js[^>]*>(?:</script>)?")
_SEARCH = re.compile(r'\s*<script src="[^"]*\b(?:searchtools|language_data|searchindex)\.js[^"]*"></script>')
_NEVER_LOADED = ("*.map", "scripts/fontawesome.js*", "webfonts/*.ttf", "webfonts/fa-brands*", "locales")
_NO_LIST = '<div role="list" class="citation-list">'  # docutils gives it no list items
_DEFINED = re.compile(r'<dt id="(term-[^"]+)">.*?</dt>\s*<dd>(.*?)</dd>', re.DOTALL)
_TERM = re.compile(r'(<a class="reference internal" href="[^"#]*#(term-[^"]+)")')
_FOOTER = '<div class="bd-footer-content__inner container">'

# A page read from a file may fetch nothing: what Sphinx's search asks for is answered from the texts.
_ANSWERS = """;
window.fetch = (address) => {
  const page = new URL(address, new URL(document.documentElement.dataset.content_root, location));
  const name = Object.keys(PAGES).find((each) => page.pathname.endsWith(`/${each}`));
  return Promise.resolve({ text: () => `<div role="main">${PAGES[name] ?? ""}</div>` });
};
"""

# Ink on white, also where the page is dark.
_PRINTED = """<script>
  const shown = document.documentElement.dataset;
  addEventListener("beforeprint", () => { shown.before = shown.theme; shown.theme = "light"; });
  addEventListener("afterprint", () => { shown.theme = shown.before; });
</script>
</head>"""


class _Text(HTMLParser):
    """The words of a page's article, its code apart, in nothing but the elements whose ids a search may
    name.
    """

    _PASSED_OVER = ("script", "style", "svg", "math", "button")
    _CODE = "cell_input"

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._inside = self._over = self._code = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside += tag == "article"
        self._over += tag in self._PASSED_OVER
        if tag == "div" and (self._code or self._CODE in (dict(attrs).get("class") or "").split()):
            self._code += 1
        if self._inside and tag == "section":
            self.parts.append(f'<section id="{html.escape(dict(attrs).get("id") or "")}">')

    def handle_endtag(self, tag: str) -> None:
        self._inside -= tag == "article"
        self._over -= tag in self._PASSED_OVER
        self._code -= bool(self._code) and tag == "div"
        if self._inside and tag == "section":
            self.parts.append("</section>")

    def handle_data(self, data: str) -> None:
        if self._inside and not (self._over or self._code) and data != "#":  # the sign of a link to a heading
            self.parts.append(html.escape(re.sub(r"\s+", " ", data), quote=False))


def _definitions(page: str) -> dict[str, str]:
    """The words that a glossary's ``page`` defines, by their ids -> what an attribute says of each."""
    definitions = {}
    for name, text in _DEFINED.findall(page):
        words = re.sub(r"\s+", " ", re.sub("<[^>]+>", "", text.partition("<em>Explained in</em>")[0])).strip()
        definitions[name] = words.replace('"', "&quot;")
    return definitions


def _explained(page: str, definitions: Mapping[str, str]) -> str:
    """``page`` with each word's definition at every link to it, which a script shows."""

    def definition_mark(match: re.Match) -> str:
        definition = definitions.get(match[2])
        return f'{match[1]} data-told="{definition}"' if definition else match[0]

    return _TERM.sub(definition_mark, page)


def _text(page: str) -> str:
    reader = _Text()
    reader.feed(page)
    return "".join(reader.parts).strip()


def home() -> str:
    """What each page ends with, from ``CITATION.cff``: how to cite the book, where it comes from, licence.
    Empty where there is no such file. Raises BookError where it lacks a title or an author.
    """
    file = paths.root() / "CITATION.cff"
    if not file.is_file():
        return ""
    citation = read_yaml(file, BookError, "; https://citation-file-format.github.io says what it holds")
    try:
        authors = [
            one.get("name") or f"{one['family-names']}, {one['given-names']}" for one in citation["authors"]
        ]
        reference = f"{'; '.join(authors)} ({str(citation['date-released'])[:4]}). {citation['title']}"
        licence = str(citation["license"])
    except (KeyError, TypeError, AttributeError) as fault:
        raise BookError(
            f"CITATION.cff: {fault}: authors, date-released, title and license are needed"
        ) from fault
    version = f", version {citation['version']}" if "version" in citation else ""
    address = html.escape(str(citation.get("repository-code") or ""))
    link = f'<a href="{address}">{address}</a>'
    place = link if address else "the repository that this book was built in; its README says how to run it"
    return (
        f'<div class="footer-item home"><p>To cite: {html.escape(reference + version)}.</p>\n'
        f'<p>Source: {place}. Licence: <a href="LICENSE.txt">{html.escape(licence)}</a>.</p></div>'
    )


def finish(folder: Path, foot: str) -> None:
    """Do it to the pages in ``folder``: ``foot`` is what ``home`` gave."""
    texts, pages = {}, {file: file.read_text(encoding="utf-8") for file in sorted(folder.rglob("*.html"))}
    definitions = {name: text for page in pages.values() for name, text in _definitions(page).items()}
    for file, page in pages.items():
        name = file.relative_to(folder).as_posix()
        page = _explained(_ICONS.sub("", page), definitions)
        page = page.replace(_NO_LIST, '<div class="citation-list">')
        if name == "search.html":
            page = page.replace("</head>", f'<script src="{TEXTS}"></script>\n</head>')
        else:
            page = _SEARCH.sub("", page).replace("</head>", _PRINTED)
            texts[name] = _text(page)
        if foot:
            up = "../" * name.count("/")
            page = page.replace(_FOOTER, _FOOTER + foot.replace('href="LICENSE', f'href="{up}LICENSE'))
        file.write_text(page, encoding="utf-8")
    (folder / TEXTS).write_text(
        f"const PAGES = {json.dumps(texts, ensure_ascii=False)}{_ANSWERS}", encoding="utf-8"
    )
    if foot:
        shutil.copy(paths.root() / "LICENSE", folder / "LICENSE.txt")
    for pattern in _NEVER_LOADED:
        for path in (folder / "_static").rglob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


# Attributes whose address a browser fetches by itself, and the elements where it does; ``srcset`` everywhere.
_LOADED = {
    "src": ("script", "img", "iframe", "embed", "video", "audio", "source", "track", "input"),
    "href": ("image", "use", "feimage", "base"),
    "xlink:href": ("image", "use", "feimage"),
    "poster": ("video",),
    "data": ("object",),
    "background": ("body",),
}
# A <link> of these kinds only states a relation; every other kind is fetched or connected to.
_STATED_RELATIONS = {"alternate", "author", "canonical", "help", "index", "license", "next", "prev", "search"}

_HOST = r"(?:(?:https?|wss?):)?//[\w\[]"
_EXTERNAL = re.compile(rf"\s*{_HOST}", re.IGNORECASE)
_SRCSET_EXTERNAL = re.compile(rf"(?:^|,)\s*({_HOST}\S*)", re.IGNORECASE)
_CSS = re.compile(rf"""url\(\s*["']?({_HOST}[^"')]*)|@import\s+["']({_HOST}[^"']*)""", re.IGNORECASE)
# A script's text: an address given straight to what loads. An address that is only a string (an XML
# namespace, a licence in a comment, a link for the reader) is none.
_SCRIPT = re.compile(
    rf"""(?:\bimport\s*\(?|\bfrom|\bfetch\s*\(|\bimportScripts\s*\(|\.open\s*\(\s*["']\w+["']\s*,"""
    rf"""|\bnew\s+(?:Worker|SharedWorker|WebSocket|EventSource|Request|URL)\s*\(|\.src\s*=|\bsrc\s*:)"""
    rf"""\s*["'`]({_HOST}[^"'`]*)"""
)
_REFRESH = re.compile(rf"url\s*=\s*[\"']?({_HOST}[^\"']*)", re.IGNORECASE)


def _in_css(text: str) -> list[str]:
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return [first or second for first, second in _CSS.findall(text)]


_ADDRESSES = {"style": _in_css, "script": _SCRIPT.findall}
_FILES = {".css": "style", ".js": "script", ".mjs": "script", **dict.fromkeys((".html", ".htm", ".svg"))}
"""Files that a browser reads: what they are through and through, or None for a page."""


class _Requests(HTMLParser):
    """Collects ``(line, element, address)`` of everything that a page loads from another host."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.findings: list[tuple[int, str, str]] = []
        self._text_of: str | None = None

    def _note(self, element: str, addresses: list[str]) -> None:
        self.findings += [(self.getpos()[0], element, address.strip()) for address in addresses]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._text_of = tag if tag in _ADDRESSES else None
        values = {name: value or "" for name, value in attrs}
        for attribute, value in values.items():
            if attribute == "srcset":
                self._note(f"{tag} srcset", _SRCSET_EXTERNAL.findall(value))
            elif tag in _LOADED.get(attribute, ()) and _EXTERNAL.match(value):
                self._note(f"{tag} {attribute}", [value])
        if (
            tag == "link"
            and _EXTERNAL.match(values.get("href", ""))
            and not set(values.get("rel", "").lower().split()) & _STATED_RELATIONS
        ):
            self._note("link href", [values["href"]])
        if tag == "meta" and values.get("http-equiv", "").lower() == "refresh":
            self._note("meta refresh", _REFRESH.findall(values.get("content", "")))
        self._note(f"{tag} style", _in_css(values.get("style", "")))

    def handle_endtag(self, tag: str) -> None:
        self._text_of = None

    def handle_data(self, data: str) -> None:
        if self._text_of:
            self._note(self._text_of, _ADDRESSES[self._text_of](data))


def external_requests(html_dir: Path) -> list[str]:
    """Everything in the built book ``html_dir`` that would make a browser ask another host.

    One line per finding, ``page:line: element address``, sorted; empty if the book reads offline. Looks at
    the elements, styles and scripts of ``.html`` pages, at ``.css`` and ``.svg`` files, and at addresses
    that ``.js`` files load directly. Links that a reader may follow are not requests. Scripts that put
    an address together out of parts are beyond it: for those a page is opened without a network.
    """
    findings = []
    for file in sorted(html_dir.rglob("*")):
        kind = file.suffix.lower()
        if not file.is_file() or kind not in _FILES:
            continue
        name = file.relative_to(html_dir).as_posix()
        text = file.read_text(encoding="utf-8", errors="replace")
        if element := _FILES[kind]:
            findings += [f"{name}: {element} {address}" for address in _ADDRESSES[element](text)]
        else:
            page = _Requests()
            page.feed(text)
            page.close()
            findings += [f"{name}:{line}: {element} {address}" for line, element, address in page.findings]
    return findings
