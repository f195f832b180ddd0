"""What is done to the built pages, on a page by hand."""

import json
import re

import pytest

from ferbook.errors import BookError
from ferbook.site import TEXTS, finish, home, public_address

PAGE = """<html><head>
  <script defer src="../_static/scripts/fontawesome.js?digest=1"></script>
  <script src="../_static/doctools.js"></script>
  <script src="../_static/searchtools.js?v=1"></script>
  <script src="../_static/language_data.js"></script>
  <script src="../searchindex.js"></script>
</head><body><nav>Not this</nav><article class="bd-article">
<section id="first"><h1>A &lt;die&gt;<a href="#first">#</a></h1>
<p>is   thrown</p><div class="cell_input docutils"><div>throw(6)</div></div><svg><text>7</text>
</svg><section id="then"><p>twice</p></section></section></article>
<section id="provenance">
<h2>Provenance</h2><p>run a</p></section>
<div class="bd-footer-content__inner container"></div></body></html>"""

CITATION = """
title: Dice
authors: [{name: The players}, {family-names: Bernoulli, given-names: Jacob}]
date-released: 1713-08-01
version: 2.0.0
license: MIT
"""


@pytest.fixture
def built(tmp_path):
    folder = tmp_path / "html"
    for name in ("book/dice.html", "search.html", "_static/scripts/a.js.map", "_static/locales/de/x.mo"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(PAGE)
    return folder


def test_pages_lose_what_they_do_not_need_and_the_search_has_the_texts(built):
    finish(built, "")
    page = (built / "book" / "dice.html").read_text()
    assert re.findall(r'src="([^"]+)"', page) == ["../_static/doctools.js"]
    search = (built / "search.html").read_text()
    assert "searchindex.js" in search and "fontawesome" not in search and f'src="{TEXTS}"' in search
    texts = json.loads((built / TEXTS).read_text().removeprefix("const PAGES = ").partition(";\n")[0])
    told = '<section id="first">A &lt;die&gt; is thrown<section id="then">twice</section></section>'
    assert texts == {"book/dice.html": told}
    assert [file.name for file in (built / "_static").rglob("*") if file.is_file()] == []


def test_a_link_to_a_word_says_what_it_means(built):
    link = '<a class="reference internal" href="{}#term-die">die</a>'
    meaning = f'<p>A <b>"cube"</b> with\nsides. <em>Explained in</em> {link}</p>'
    entry = f'<dl><dt id="term-die">die</dt><dd>{meaning}</dd></dl>'
    (built / "book" / "words.html").write_text(entry)
    (built / "book" / "dice.html").write_text(link.format("words.html") + link.replace("die", "coin"))
    finish(built, "")
    page = (built / "book" / "dice.html").read_text()
    assert page.startswith(
        '<a class="reference internal" href="words.html#term-die" data-told="A &quot;cube&quot; '
    )
    assert 'with sides."' in page and page.count("data-told") == 1, "nobody defines a coin"


def test_every_page_says_where_the_book_comes_from_and_how_to_cite_it(copy, built, monkeypatch):
    assert home() == "", "a book without CITATION.cff"
    (copy / "CITATION.cff").write_text(CITATION)
    (copy / "LICENSE").write_text("MIT License")
    foot = home()
    assert "The players; Bernoulli, Jacob (1713). Dice, version 2.0.0." in foot
    assert str(copy) not in foot and "the repository that this book was built in" in foot
    finish(built, foot)
    assert 'href="../LICENSE.txt">MIT' in (built / "book" / "dice.html").read_text()
    assert 'href="LICENSE.txt">MIT' in (built / "search.html").read_text()
    assert (built / "LICENSE.txt").read_text() == "MIT License"


def test_a_citation_that_lacks_something_is_named(copy):
    (copy / "CITATION.cff").write_text("title: Dice\n")
    with pytest.raises(BookError, match=r"CITATION.cff: 'authors'"):
        home()


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("git@github.com:ada/faces.git", "https://github.com/ada/faces"),
        ("https://ada:secret@codeberg.org/ada/faces", "https://codeberg.org/ada/faces"),
        ("ssh://git@git.sr.ht:22/~ada/faces/", "https://git.sr.ht/~ada/faces"),
        ("/srv/git/faces.git", ""),
        ("../faces", ""),
        ("file:///srv/faces", ""),
        ("http://localhost:3000/ada/faces", ""),
        ("http://10.0.0.3/ada/faces", ""),
        ("ada@box.local:faces.git", ""),
        ("box:faces.git", ""),
        ("", ""),
    ],
)
def test_only_an_address_that_others_reach_is_shown(remote, address):
    assert public_address(remote) == address
