"""What is done to the built pages, on a page by hand."""

import re
from pathlib import Path

import pytest

from ferbook.site import external_requests, finish

PAGE = """<html><head>
  <script defer src="../_static/scripts/fontawesome.js?digest=1"></script>
  <script src="../_static/doctools.js"></script>
  <script src="../_static/searchtools.js?v=1"></script>
  <script src="../_static/language_data.js"></script>
  <script src="../searchindex.js"></script>
</head><body><nav>Not this</nav><article class="bd-article">
<section id="first"><h1>A &lt;die&gt;<a href="#first">#</a></h1>
</section></article>
<div class="bd-footer-content__inner container"></div></body></html>"""


@pytest.fixture
def built(tmp_path):
    folder = tmp_path / "html"
    for name in ("book/dice.html", "search.html", "_static/scripts/a.js.map", "_static/locales/de/x.mo"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(PAGE)
    return folder


def test_pages_lose_what_they_do_not_need_and_a_link_to_a_word_says_what_it_means(built):
    finish(built)
    page = (built / "book" / "dice.html").read_text()
    assert re.findall(r'src="([^"]+)"', page) == ["../_static/doctools.js"]
    search = (built / "search.html").read_text()
    assert "searchindex.js" in search and "fontawesome" not in search
    assert [file.name for file in (built / "_static").rglob("*") if file.is_file()] == []
    link = '<a class="reference internal" href="{}#term-die">die</a>'
    meaning = f'<p>A <b>"cube"</b> with\nsides. <em>Explained in</em> {link}</p>'
    entry = f'<dl><dt id="term-die">die</dt><dd>{meaning}</dd></dl>'
    (built / "book" / "words.html").write_text(entry)
    (built / "book" / "dice.html").write_text(link.format("words.html") + link.replace("die", "coin"))
    finish(built)
    page = (built / "book" / "dice.html").read_text()
    begins = '<a class="reference internal" href="words.html#term-die" data-told="A &quot;cube&quot; '
    assert page.startswith(begins)
    assert 'with sides."' in page and page.count("data-told") == 1, "nobody defines a coin"


# What would ask another host

CLEAN = """<!doctype html><html><head>
<link rel="stylesheet" href="_static/a.css"><link rel="canonical" href="https://example.org/p">
<script>const NAMESPACE = "http://www.w3.org/2000/svg";</script>
</head><body><a href="https://doi.org/10.1/x">paper</a>
<img src="data:image/png;base64,AAAA"><p>Get https://example.org/a.js</p>
</body></html>"""


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def test_a_page_with_links_namespaces_and_data_is_clean(tmp_path):
    write(tmp_path, "index.html", CLEAN)
    css = "/* from https://example.org url(//x.org/a) */ p { background: url('b.png') }"
    write(tmp_path, "_static/a.css", css)
    script = "// https://example.org\nel.setAttributeNS('http://www.w3.org/1999/xlink', 'x')"
    write(tmp_path, "_static/a.js", script)
    assert external_requests(tmp_path) == []


@pytest.mark.parametrize(
    ("element", "address"),
    [
        ('<script src="https://cdn.org/require.js"></script>', "https://cdn.org/require.js"),
        ("<script src=//cdn.org/a.js></script>", "//cdn.org/a.js"),
        ('<link href="https://fonts.org/f.css" rel="stylesheet">', "https://fonts.org/f.css"),
        ('<link rel="preconnect" href="https://fonts.org">', "https://fonts.org"),
        ('<img alt="" src="a.png" srcset="a.png 1x, https://pics.org/b.png 2x">', "https://pics.org/b.png"),
        ('<svg><image xlink:href="https://x.org/a.png"/></svg>', "https://x.org/a.png"),
        ("<div style=\"background: url( 'https://x.org/a.png' )\"></div>", "https://x.org/a.png"),
        ("<style>@import 'https://x.org/a.css';</style>", "https://x.org/a.css"),
        ('<script type="module">import m from "https://x.org/m.js";</script>', "https://x.org/m.js"),
        ("<script>fetch('https://x.org/data.json')</script>", "https://x.org/data.json"),
        ('<meta http-equiv="refresh" content="0; url=https://x.org/">', "https://x.org/"),
    ],
)
def test_a_planted_request_is_found_with_page_line_and_address(tmp_path, element, address):
    write(tmp_path, "book/page.html", CLEAN.replace("<body>", f"<body>\n{element}"))
    (finding,) = external_requests(tmp_path)
    assert finding.startswith("book/page.html:5: ")
    assert finding.endswith(f" {address}")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.css", "@font-face { src: url('https://fonts.org/f.woff2') }"),
        ("a.js", 'importScripts("https://x.org/w.js")'),
        ("a.svg", '<svg><image href="https://x.org/a.png"/></svg>'),
    ],
)
def test_a_planted_request_in_a_file_beside_the_pages_is_found(tmp_path, name, text):
    write(tmp_path, f"_static/{name}", text)
    (finding,) = external_requests(tmp_path)
    assert finding.startswith(f"_static/{name}:")
