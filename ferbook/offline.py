"""The book must read without a network: find what a built page would ask another host for."""

import re
from html.parser import HTMLParser
from pathlib import Path

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
_CSS = re.compile(
    rf"""url\(\s*["']?({_HOST}[^"')]*)|@import\s+["']({_HOST}[^"']*)""",
    re.IGNORECASE,
)
# A script's text: an address given straight to what loads. An address that is only a string (an XML
# namespace, a licence in a comment, a link for the reader) is none.
_SCRIPT = re.compile(
    rf"""(?:\bimport\s*\(?|\bfrom|\bfetch\s*\(|\bimportScripts\s*\(|\.open\s*\(\s*["']\w+["']\s*,"""
    rf"""|\bnew\s+(?:Worker|SharedWorker|WebSocket|EventSource|Request|URL)\s*\(|\.src\s*=|\bsrc\s*:)"""
    rf"""\s*["'`]({_HOST}[^"'`]*)""",
)
_REFRESH = re.compile(rf"url\s*=\s*[\"']?({_HOST}[^\"']*)", re.IGNORECASE)


def _in_css(text: str) -> list[str]:
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return [first or second for first, second in _CSS.findall(text)]


_ADDRESSES = {"style": _in_css, "script": _SCRIPT.findall}
_FILES = {".css": "style", ".js": "script", ".mjs": "script", **dict.fromkeys((".html", ".htm", ".svg"))}
"""Files that a browser reads: what they are through and through, or None for a page."""


class _Page(HTMLParser):
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
            page = _Page()
            page.feed(text)
            page.close()
            findings += [f"{name}:{line}: {element} {address}" for line, element, address in page.findings]
    return findings
