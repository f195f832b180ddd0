"""The built book as one PDF, printed by a Chromium that is installed here."""

import html
import os
import re
import shutil
import tempfile
from pathlib import Path
from posixpath import dirname, join, normpath

from ferbook import paths
from ferbook.book import pages_of_toc
from ferbook.environment import printed_by_failure
from ferbook.errors import BookError, ChapterError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

_STYLE = re.compile(r'<link\b(?=[^>]*\brel="stylesheet")[^>]*\bhref="([^"?]+)')
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_ARTICLE = re.compile(r'<article class="bd-article"[^>]*>(.*)</article>', re.DOTALL)
_HEADING = re.compile(r'<h([12])[^>]*>((?:(?!</?h).)*)<a class="headerlink" href="(#[^"]+)"', re.DOTALL)
_TAG = re.compile(r"<[a-zA-Z][^<>]*>")
_NAMES = re.compile(r'\b(id|for|aria-labelledby|aria-describedby|aria-controls)="([^"]+)"')
_PLACES = re.compile(r"\burl\(#([^)]+)\)")
_LINKS = re.compile(r'\b(src|(?:xlink:)?href)="([^"]*)"')


_ON_EVERY_PAGE = ("--provenance", "--references", "--exercises", "--in-short", "--summary")
"""Sections that a table of contents need not name."""


def chromium() -> str:
    """The browser that prints. Raises BookError where none is installed."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        reason = "a PDF is printed by Chromium, and none is installed here"
        raise BookError(f"{reason} (Debian: apt-get install chromium)")
    return program


def one_page(folder: Path) -> str:
    """All pages of the book that is built in ``folder`` as one page of it, behind a table of contents. Links
    between pages stay; those to files beside them, which a PDF has not, go. Raises ChapterError for a page
    without an article.
    """
    pages = pages_of_toc()
    texts = {page: (folder / f"{page}.html").read_text(encoding="utf-8") for page in pages}
    articles = []
    for page, text in texts.items():
        article = _ARTICLE.search(text)
        if article is None:
            raise ChapterError(f"{page}.html has no article to be printed")
        body = _TAG.sub(lambda tag, page=page: _moved(tag[0], page, pages), article[1])
        articles.append(f'<article class="bd-article" id="{_place(page)}">{body}</article>')
    lines = [
        f'<li class="level-{level}"><a href="{place}">{title}</a></li>'
        for article in articles
        for level, title, place in _HEADING.findall(article)
        if not place.endswith(_ON_EVERY_PAGE)
    ]
    first = texts[pages[0]]
    styles = [normpath(join(dirname(pages[0]), address)) for address in _STYLE.findall(first)]
    title = _TITLE.search(first)
    return "\n".join(
        [
            '<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">',
            f"<title>{title[1].split('—')[-1].strip() if title else ''}</title>",
            *(f'<link rel="stylesheet" href="{style}">' for style in styles),
            '</head><body><main class="bd-content printed"><div class="bd-article-container">',
            articles[0],
            f'<nav class="contents"><p>Contents</p><ul>{"".join(lines)}</ul></nav>',
            *articles[1:],
            "</div></main></body></html>",
        ]
    )


def _place(page: str, name: str = "") -> str:
    """The id of ``page``, or of what is called ``name`` on it, where all pages are one."""
    return f"{page.replace('/', '-')}--{name}"


def _moved(tag: str, page: str, pages: list[str]) -> str:
    """A ``tag`` of ``page`` where all pages are one."""

    def named(match: re.Match) -> str:
        return f'{match[1]}="{" ".join(_place(page, name) for name in match[2].split())}"'

    def linked(match: re.Match) -> str:
        address = html.unescape(match[2])
        if re.match(r"[a-z]+:", address):
            return "" if tag.startswith("<a ") and address.startswith("data:") else match[0]
        file, _, name = address.partition("#")
        target = normpath(join(dirname(page), file)) if file else f"{page}.html"
        if match[1] == "src" or tag.startswith("<link "):
            return f'{match[1]}="{html.escape(target)}"'
        other = target.removesuffix(".html")
        return f'{match[1]}="#{_place(other, name)}"' if other in pages and other != target else ""

    tag = _PLACES.sub(lambda url: f"url(#{_place(page, url[1])})", _NAMES.sub(named, tag))
    return _LINKS.sub(linked, tag)


def print_book(folder: Path) -> Path:
    """Print the book that is built in ``folder`` beside it. Raises BookError where there is no browser,
    ChapterError where it fails.
    """
    target = paths.build_folder() / "book.pdf"
    source = folder / ".print.html"  # its pictures and styles lie there
    log = paths.build_folder() / "pdf.log"
    try:
        source.write_text(one_page(folder), encoding="utf-8")
        with tempfile.TemporaryDirectory() as profile:
            printed = Path(profile) / "book.pdf"
            command = [
                *(chromium(), "--headless=new", "--disable-gpu", f"--user-data-dir={profile}"),
                *(["--no-sandbox"] if os.geteuid() == 0 else []),  # which it refuses to root
                *("--no-pdf-header-footer", "--generate-pdf-document-outline"),
                *(f"--print-to-pdf={printed}", source.as_uri()),
            ]
            printed_by_failure(command, log, os.environ)
            if not printed.is_file():
                raise ChapterError(f"Chromium printed nothing; log: {log}")
            shutil.move(printed, target)
    finally:
        source.unlink(missing_ok=True)
    return target
