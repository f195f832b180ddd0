"""All pages as one, and what is said where nothing prints it."""

import re

import pytest

from ferbook import paths, pdf
from ferbook.errors import BookError, ChapterError
from ferbook.pdf import chromium, one_page, print_book

pytestmark = pytest.mark.usefixtures("example")

INDEX = """<html><head><title>Dice — A book</title><link rel="stylesheet" href="../_static/a.css?v=1">
<script src="../_static/a.js"></script></head><body><nav id="not-this"></nav><article class="bd-article">
<h1 id="one">Dice<a class="headerlink" href="#one">#</a></h1><a href="data:x">d</a>
<h2 id="provenance">Log<a class="headerlink" href="#provenance">#</a></h2>
<image href="data:image/png;base64,AA"/>
<a href="throws/throws.html#one">there</a><a href="throws/throws.html">page</a>
<a href="#one">here</a><a href="https://example.org">out</a><a href="throws/throws.csv">numbers</a>
<svg aria-labelledby="one two"><clipPath id="c"/><g clip-path="url(#c)"/><use xlink:href="#c"/></svg>
</article></body></html>"""
OTHER = """<article class="bd-article">
<link rel="stylesheet" href="../../_static/b.css"><h1 id="one">x</h1><img src="../../_images/a.png">
<a href="../index.html">i</a></article>"""


@pytest.fixture
def built(tmp_path, example):
    for page in ("throws/throws", "means/means", "answers", "index"):
        file = tmp_path / "book" / f"{page}.html"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(INDEX if page == "index" else OTHER)
    return tmp_path


def test_every_place_keeps_a_name_of_its_own_and_every_link_its_place(built):
    page = one_page(built)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids)) == 10 and "book-index--one" in ids and "not-this" not in page
    contents = '<ul><li class="level-1"><a href="#book-index--one">Dice</a></li></ul>'
    assert contents in page, "but what stands at the end of every page"
    assert '<image href="data:image/png;base64,AA"/>' in page and "<a >d</a>" in page
    assert re.findall(r'<a href="([^"]+)"', page.replace(contents, ""))[:4] == [
        "#book-throws-throws--one",
        "#book-throws-throws--",
        "#book-index--one",
        "https://example.org",
    ]
    assert "<a >numbers</a>" in page, "a file that the PDF has not"
    assert {link.removeprefix("#") for link in re.findall(r'href="(#[^"]+)"', page)} <= set(ids)
    assert 'clip-path="url(#book-index--c)"' in page and 'xlink:href="#book-index--c"' in page
    assert 'aria-labelledby="book-index--one book-index--two"' in page
    assert (
        'href="_static/a.css"' in page
        and 'rel="stylesheet" href="_static/b.css"' in page
        and 'src="_images/a.png"' in page
        and "<script" not in page
    )


def test_a_page_without_an_article_is_named(built):
    (built / "book" / "answers.html").write_text("<p>nothing</p>")
    with pytest.raises(ChapterError, match=r"book/answers.html has no article"):
        one_page(built)


def test_without_a_browser_one_line_says_so(monkeypatch):
    monkeypatch.setattr(pdf.shutil, "which", lambda name: None)
    with pytest.raises(BookError, match="none is installed here") as fault:
        chromium()
    assert fault.value.exit_code == 2


def test_where_nothing_is_printed_no_page_is_left_behind(built, monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "build_folder", lambda: tmp_path / "_build")
    failing = tmp_path / "fails"
    failing.write_text("#!/bin/sh\nexit 1\n")
    failing.chmod(0o755)
    (tmp_path / "_build").mkdir()
    (tmp_path / "_build" / "book.pdf").write_text("the earlier one")
    for browser, fault in (("", BookError), (str(failing), ChapterError)):
        monkeypatch.setattr(pdf.shutil, "which", lambda name, found=browser: found)
        with pytest.raises(fault):
            print_book(built)
        assert not list(built.glob(".print*"))
        assert (tmp_path / "_build" / "book.pdf").read_text() == "the earlier one"
