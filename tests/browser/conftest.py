"""The built book in a real browser, without a network: Debian's Chromium, driven by playwright."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ferbook.book import pages_of_toc

WIDE, NARROW = 1440, 390
PAGES = [*(f"{page}.html" for page in pages_of_toc()), "search.html"]


@dataclass(frozen=True)
class Seen:
    """What a page showed at one width: what went wrong, what it loaded, and what ``FACTS`` found in it."""

    faults: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    facts: dict = field(default_factory=dict)


FACTS = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const size = (text) => {
    const { a, b, c, d } = text.getScreenCTM();
    return parseFloat(getComputedStyle(text).fontSize) * Math.sqrt(Math.abs(a * d - b * c));
  };
  const height = document.documentElement.scrollHeight;
  // What a fold hides is measured open, too.
  all("details").forEach((fold) => { fold.open = true; });
  return {
    height,
    width: document.documentElement.scrollWidth,
    ids: all("[id]").map((each) => each.id),
    links: all("a[href]").map((each) => each.href),
    cut: all(".pst-scrollable-table-container, .suite-table, pre, figure").filter(
      (each) => each.checkVisibility() && each.scrollWidth > each.clientWidth + 1
    ).map((each) => each.textContent.trim().slice(0, 60)),
    small: all("a[href], button, input:not([type=hidden]), select, summary, [role=button], canvas[tabindex]")
      .filter((each) => each.tagName != "A" || getComputedStyle(each).display != "inline"
        || each.parentElement.textContent.trim() == each.textContent.trim())
      .map((each) => [(each.closest("label") ?? each).getBoundingClientRect(), each.outerHTML.slice(0, 90)])
      .filter(([{ width, height }]) => width && height && Math.min(width, height) < 23.99),
    letters: all("figure svg text").filter((each) => each.textContent.trim() && each.checkVisibility())
      .map((each) => [size(each), each.textContent, each.closest("figure").id]),
  };
}"""


@pytest.fixture(scope="session")
def site(request, tmp_path_factory) -> Path:
    """The folder of the built book: what ``FERBOOK_SITE`` names, or one built from a run at ``smoke``."""
    if built := os.environ.get("FERBOOK_SITE"):
        return Path(built).resolve()
    clone = request.getfixturevalue("smoke_clone")
    clone.ferbook("build", "--run", "smoke")
    return clone.root / "_build" / "html"


@pytest.fixture(scope="session")
def chromium():
    """The browser; tests are skipped where it is not installed."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium is installed here (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def open_page(chromium, site) -> Callable:
    """Open a page from its file, without a network: ``open_page(page, width, scheme)`` gives playwright's
    page and the ``Seen`` that fills while it is open.
    """
    contexts = {}

    def opened(page: str, width: int = WIDE, scheme: str = "light"):
        if (width, scheme) not in contexts:
            looks = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
            contexts[width, scheme] = chromium.new_context(offline=True, **looks)
        tab, seen = contexts[width, scheme].new_page(), Seen()
        tab.on("console", lambda said: seen.faults.append(said.text) if said.type == "error" else None)
        tab.on("pageerror", lambda fault: seen.faults.append(str(fault)))
        tab.on("requestfailed", lambda asked: seen.faults.append(f"{asked.url}: {asked.failure}"))
        tab.on("requestfinished", lambda asked: seen.loaded.append(asked.url))
        tab.goto(f"{site.as_uri()}/{page}", wait_until="load")
        tab.evaluate("document.fonts.ready")
        return tab, seen

    return opened


@pytest.fixture
def opened(open_page) -> Callable:
    """As ``open_page``, of pages that are closed after the test."""
    tabs = []

    def opened(*asked):
        tab, seen = open_page(*asked)
        tabs.append(tab)
        return tab, seen

    yield opened
    for tab in tabs:
        tab.close()


@pytest.fixture(scope="session")
def seen(open_page) -> Callable[[str, int], Seen]:
    """What each page showed, looked at once for all tests."""
    known = {}

    def look(page: str, width: int = WIDE) -> Seen:
        if (page, width) not in known:
            tab, found = open_page(page, width)
            found.facts.update(tab.evaluate(FACTS))
            tab.close()
            known[page, width] = found
        return known[page, width]

    return look
