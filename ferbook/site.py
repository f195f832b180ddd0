"""Finish built pages: remove what no reader needs, add definitions to the links of terms, and search for
requests to other hosts, of which a book that is read without a network has none.
"""

import re
import shutil
from pathlib import Path

# The theme brings its icons twice, as a font and as a script of 1.5 MB that draws them; and it loads on every
# page what only the search needs.
_ICONS = re.compile(r"\s*<(?:script|link)\b[^>]*\bfontawesome\.js[^>]*>(?:</script>)?")
_SEARCH = re.compile(r'\s*<script src="[^"]*\b(?:searchtools|language_data|searchindex)\.js[^"]*"></script>')
_NEVER_LOADED = ("*.map", "scripts/fontawesome.js*", "webfonts/*.ttf", "webfonts/fa-brands*", "locales")
_NO_LIST = '<div role="list" class="citation-list">'  # docutils gives it no list items
_DEFINED = re.compile(r'<dt id="(term-[^"]+)">.*?</dt>\s*<dd>(.*?)</dd>', re.DOTALL)
_TERM = re.compile(r'(<a class="reference internal" href="[^"#]*#(term-[^"]+)")')

# Ink on white, also where the page is dark.
_PRINTED = """<script>
  const shown = document.documentElement.dataset;
  addEventListener("beforeprint", () => { shown.before = shown.theme; shown.theme = "light"; });
  addEventListener("afterprint", () => { shown.theme = shown.before; });
</script>
</head>"""


def _definitions(page: str) -> dict[str, str]:
    """Return the words that a glossary's ``page`` defines, by their ids -> what an attribute says of each."""
    definitions = {}
    for name, text in _DEFINED.findall(page):
        words = re.sub(r"\s+", " ", re.sub("<[^>]+>", "", text.partition("<em>Explained in</em>")[0])).strip()
        definitions[name] = words.replace('"', "&quot;")
    return definitions


def finish(folder: Path) -> None:
    """Remove what no reader needs from the pages in ``folder``, and give links to terms their definitions."""
    pages = {file: file.read_text(encoding="utf-8") for file in sorted(folder.rglob("*.html"))}
    definitions = {name: text for page in pages.values() for name, text in _definitions(page).items()}

    def explained(link: re.Match) -> str:  # a script shows what the attribute says
        return f'{link[1]} data-told="{definitions[link[2]]}"' if definitions.get(link[2]) else link[0]

    for file, page in pages.items():
        page = _TERM.sub(explained, _ICONS.sub("", page)).replace(_NO_LIST, '<div class="citation-list">')
        if file != folder / "search.html":
            page = _SEARCH.sub("", page).replace("</head>", _PRINTED)
        file.write_text(page, encoding="utf-8")
    for pattern in _NEVER_LOADED:
        for path in (folder / "_static").rglob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


# A <link> of these kinds only states a relation; every other kind is fetched or connected to.
_STATED = "alternate|author|canonical|help|index|license|next|prev|search"
_ADDRESS = re.compile(r"""//[\w\[][^\s"'`)>]*""")
# The text before an address that a browser fetches or connects to by itself.
_LOADED = re.compile(
    "(?:"
    r"""[\s.](?:src|poster|data|background|xlink:href)\s*[=:]\s*["'`]?"""
    r"""|\ssrcset\s*=\s*["'](?:[^"']*,)?"""
    r"""|<(?:image|feimage|use|base)\b[^>]*?\shref\s*=\s*["']?"""
    rf"""|<link\b(?![^>]*\brel\s*=\s*["']?(?:{_STATED})\b)[^>]*?\shref\s*=\s*["']?"""
    r"""|http-equiv\s*=\s*["']?refresh[^>]*?url\s*=\s*["']?"""
    r"""|url\(\s*["']?|@import\s+["']"""
    # In a script an address that is only a string (an XML namespace, a link for the reader) is none.
    r"""|(?:\bimport\s*\(?|\bfrom|\bfetch\s*\(|\bimportScripts\s*\(|\.open\s*\(\s*["']\w+["']\s*,"""
    r"""|\bnew\s+(?:Worker|SharedWorker|WebSocket|EventSource|Request|URL)\s*\()\s*["'`]"""
    r""")\s*((?:(?:https?|wss?):)?)$""",
    re.IGNORECASE,
)
# Characters before an address that are looked at.
_BEFORE = 300
_READ_BY_A_BROWSER = {".css", ".js", ".mjs", ".html", ".htm", ".svg"}


def external_requests(html_dir: Path) -> list[str]:
    """Return everything in the built book ``html_dir`` that would make a browser send a request to another
    host.

    One line per finding, ``page:line: address``, sorted; empty if the book reads offline. Looks for addresses
    where elements, styles and scripts load them, in prose, too. Links that a reader may follow are not
    requests. Scripts that put an address together out of parts are beyond it: for those a page is opened
    without a network.
    """
    findings = []
    for file in sorted(file for file in html_dir.rglob("*") if file.suffix.lower() in _READ_BY_A_BROWSER):
        text = file.read_text(encoding="utf-8", errors="replace")
        if file.suffix.lower() == ".css":
            text = re.sub(r"/\*.*?\*/", lambda comment: "\n" * comment[0].count("\n"), text, flags=re.DOTALL)
        for match in _ADDRESS.finditer(text):
            if loaded := _LOADED.search(text[max(0, match.start() - _BEFORE) : match.start()]):
                line = text.count("\n", 0, match.start()) + 1
                findings.append(f"{file.relative_to(html_dir).as_posix()}:{line}: {loaded[1]}{match[0]}")
    return findings
