"""What is done to the built pages: they lose what nobody looks at, find words from a file, say what a word
means where it is linked, and where they come from.
"""

import html
import json
import re
import shutil
import subprocess
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


def public_address(remote: str) -> str:
    """Where a reader finds the repository that git knows as ``remote``; empty for a folder of this machine or
    for a host that others cannot reach.
    """
    match = re.fullmatch(
        r"(?:(?:https?|ssh|git)://)?(?:[^@/]+@)?([\w.-]+)(?::\d+)?[:/]+(\S+?)(?:\.git)?/?", remote
    )
    if not match or remote.startswith((".", "/", "~", "file:")):
        return ""
    host, path = match.groups()
    inner = ("localhost", "local", "lan", "internal", "localdomain", "home", "corp", "test")
    public = "." in host and host.rpartition(".")[2] not in inner and not re.fullmatch(r"[\d.]+", host)
    return f"https://{host}/{path}" if public else ""


def _origin() -> str:
    command = ["git", "config", "--get", "remote.origin.url"]
    try:
        remote = subprocess.run(command, cwd=paths.root(), capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""
    return public_address(remote.strip())


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
    address = citation.get("repository-code") or _origin()
    place = (
        f'<a href="{html.escape(address)}">{html.escape(address)}</a>'
        if address
        else ("the repository that this book was built in; its README says how to run it")
    )
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
