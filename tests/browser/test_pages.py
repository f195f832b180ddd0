"""Every page from its file, with the network off: what a reader would stumble over."""

import re
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from .conftest import NARROW, PAGES, WIDE

pytestmark = pytest.mark.browser

every_page = pytest.mark.parametrize("page", PAGES)
IDS = re.compile(r'\bid="([^"]+)"')
# Bytes that all pages load, at most.
SHARED = 1_200_000
# Letters of a figure: 7 pt in pixels of a screen.
SMALLEST = 7 * 96 / 72
# Pixels of a page at most, by the screen's width, with what is folded closed. A page whose chapter was
# executed by other code is higher: notes say so at its cells.
TALLEST = {WIDE: 9000, NARROW: 10500}


def within(site: Path, address: str) -> str:
    """The page of the book that an address names, relative to its folder; empty for one elsewhere."""
    parts = urlsplit(address)
    path = Path(unquote(parts.path))
    return path.relative_to(site).as_posix() if parts.scheme == "file" and path.is_relative_to(site) else ""


@every_page
@pytest.mark.parametrize("width", TALLEST)
def test_a_page_opens_without_fault_or_request_is_short_and_fits_a_finger(seen, page, width):
    found = seen(page, width)
    assert found.faults == []
    assert [address for address in found.loaded if not address.startswith(("file:", "data:", "blob:"))] == []
    assert found.facts["height"] <= TALLEST[width]
    # But for links within a sentence, and marks of figures, which stand where their numbers are.
    assert found.facts["small"] == []


@every_page
def test_every_link_leads_to_a_page_and_a_place_that_are_there(seen, site, page):
    broken = []
    for address in seen(page).facts["links"]:
        parts = urlsplit(address)
        if parts.scheme != "file":
            assert parts.scheme in ("https", "http", "data"), address[:80]
            continue
        target = within(site, address)
        if not target or not (site / target).is_file():
            broken.append(address)
        elif parts.fragment and target.endswith(".html"):
            there = target in PAGES
            ids = seen(target).facts["ids"] if there else IDS.findall((site / target).read_text())
            if unquote(parts.fragment) not in ids:
                broken.append(address)
    assert broken == []


@every_page
def test_each_element_has_its_id_and_on_any_screen_nothing_is_cut_off_or_too_small_to_read(seen, page):
    wide, narrow = seen(page).facts, seen(page, NARROW).facts
    assert sorted({each for each in wide["ids"] if wide["ids"].count(each) > 1}) == []
    assert wide["cut"] == []
    assert narrow["width"] <= NARROW, "no scrolling sideways"
    assert [each for each in narrow["letters"] if each[0] < SMALLEST - 0.05] == []


def test_what_all_pages_load_is_light(seen, site):
    loaded = (seen(page).loaded for page in PAGES if page != "search.html")
    shared = set.intersection(*({within(site, address) for address in each} for each in loaded)) - {""}
    assert sum((site / name).stat().st_size for name in shared) <= SHARED
    assert not any("search" in name for name in shared), "only the page of the search needs it"


@every_page
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_of_ours(opened, page, scheme):
    tab, _ = opened(page, WIDE, scheme)
    # A colour that is still changing from one scheme's to the other's is neither.
    tab.add_style_tag(content="*, ::before, ::after { transition: none !important }")
    tab.evaluate((files("axe_playwright_python") / "axe.min.js").read_text())
    found = tab.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    bad = [each for each in found if each["impact"] in ("serious", "critical")]
    nodes = [(each["id"], node) for each in bad for node in each["nodes"]]
    assert [(name, node["target"], node["failureSummary"]) for name, node in nodes] == []


def test_the_search_finds_the_pages_of_a_word_from_any_page(opened):
    tab, found = opened(PAGES[0])
    tab.keyboard.press("Control+k")
    tab.keyboard.type("happiness")
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".search-summary:has-text('found')")  # until then the list grows
    tab.locator("#search-results a").first.click()
    tab.wait_for_selector("article")
    assert found.faults == []


def test_a_word_and_a_figure_show_themselves_where_they_are_named(opened):
    tab, found = opened("book/index.html")
    box = tab.locator(".hover-text")
    tab.locator("article a[data-told]").first.focus()
    assert "filter" in box.inner_text().lower() or len(box.inner_text()) > 40
    tab.keyboard.press("Escape")
    assert box.is_hidden()
    tab.locator('article a[href*="#figure-"]').first.hover()
    tab.wait_for_function("document.querySelector('.hover-text img')?.naturalWidth > 0")
    assert box.is_visible() and found.faults == []


@pytest.mark.parametrize(
    ("page", "strong", "figure"),
    [("book/index.html", 1, "article figure"), ("book/answers.html", 0, "#figure-claims")],
)
def test_the_answer_and_its_figure_stand_on_the_first_screen_of_a_phone(opened, page, strong, figure):
    tab, _ = opened(page, NARROW)
    answer = tab.locator("article p strong").nth(strong)
    assert answer.bounding_box()["y"] < 300 and tab.locator(figure).first.bounding_box()["y"] < 844


@pytest.mark.parametrize("page", [page for page in PAGES if page.count("/") == 2])
def test_each_chapter_answers_and_shows_its_key_figure_first(opened, page):
    tab, _ = opened(page, NARROW)
    short = tab.locator("#in-short")
    answer, figure = short.locator("p strong").first, short.locator("figure").first
    assert answer.bounding_box()["y"] < figure.bounding_box()["y"] < 900
    table = short.locator("table").first
    # A chapter that decides no claim has no table of them.
    assert not table.count() or figure.bounding_box()["y"] < table.bounding_box()["y"]


def test_on_paper_answers_stay_closed_and_on_a_screen_they_do_not_vanish(opened):
    tab, _ = opened("book/training/training.html")
    answers = tab.locator("#exercises details")
    assert answers.count() and all(answers.nth(place).is_visible() for place in range(answers.count()))
    tab.emulate_media(media="print")
    assert not any(answers.nth(place).is_visible() for place in range(answers.count()))


def test_a_mark_tells_its_value_to_a_pointer_and_to_the_keyboard(opened):
    tab, found = opened("book/training/training.html")
    box, mark = tab.locator(".hover-text"), tab.locator("#figure-networks .hover").first
    mark.scroll_into_view_if_needed()
    place = mark.bounding_box()
    tab.mouse.move(place["x"] + place["width"] / 2 + 2, place["y"] + place["height"] / 2)
    labels = "marks => marks.map((each) => each.getAttribute('aria-label'))"
    assert box.inner_text() in tab.locator("#figure-networks .hover").evaluate_all(labels)
    mark.focus()
    first = box.inner_text()
    tab.keyboard.press("ArrowRight")
    assert "%" in first and box.inner_text() != first and found.faults == []


def test_a_fold_opens_by_the_keyboard(opened):
    tab, _ = opened("book/training/training.html")
    fold = tab.locator("article details").first
    fold.locator("summary").first.focus()
    assert fold.get_attribute("open") is None
    tab.keyboard.press("Enter")
    assert fold.get_attribute("open") is not None


def test_formulas_are_set_in_the_font_that_the_book_brings_and_subscripts_stand_below_the_line(opened):
    tab, _ = opened("book/derl/derl.html")
    fonts = tab.evaluate("[...document.fonts].filter((f) => f.status == 'loaded').map((f) => f.family)")
    assert any("Suite Math" in family for family in fonts), fonts
    lowered = tab.evaluate(
        """() => [...document.querySelectorAll("msub")].map(({ children: [base, below] }) =>
             (below.getBoundingClientRect().bottom - base.getBoundingClientRect().bottom)
               / parseFloat(getComputedStyle(base).fontSize))"""
    )
    assert lowered and min(lowered) > 0.1
