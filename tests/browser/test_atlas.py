"""The atlas of filters in a browser: found, filtered and opened, by keyboard alone."""

import pytest

pytestmark = pytest.mark.browser

PAGE = "book/deconvolution/deconvolution.html"
SHOWN = ".filter-atlas details:not([hidden])"
TILES = ".filter-atlas details"
# What a tile is called, by its name.
LABELS = """tiles => Object.fromEntries(tiles.map((tile) =>
  [tile.id, tile.querySelector("summary").getAttribute("aria-label")]))"""


@pytest.fixture
def atlas(opened):
    tab, seen = opened(PAGE)
    yield tab
    assert seen.faults == []


def numbers(tab) -> list[int]:
    return tab.eval_on_selector_all(SHOWN, "tiles => tiles.map((tile) => Number(tile.dataset.filter))")


def test_a_filter_is_found_and_filters_are_sorted(atlas):
    quarter = numbers(atlas)
    atlas.get_by_label("Strength").select_option("1")
    every = numbers(atlas)
    assert quarter == every[: len(every) // 4]
    atlas.get_by_role("combobox", name="Sort").select_option("number")
    assert numbers(atlas) == sorted(every)
    atlas.get_by_label("Find").fill("filter 7")
    assert numbers(atlas) == [7]
    assert atlas.locator(".atlas-tools output").inner_text() == f"1 of {len(every)} filters"


def test_a_verdict_chosen_leaves_the_tiles_that_have_it(atlas):
    for verdict in ("claimed", "verified", "no claim"):
        atlas.get_by_label("Verdict").select_option(verdict)
        for tile in atlas.locator(SHOWN).all()[:5]:
            assert verdict in tile.locator("summary").get_attribute("aria-label")


def test_filters_are_found_by_the_words_of_their_unit_and_what_is_chosen_stands_in_the_address(atlas, opened):
    atlas.get_by_label("Find").fill("AU12")
    named, labels = numbers(atlas), atlas.eval_on_selector_all(TILES, LABELS)
    assert bool(named) == any("AU12" in label for label in labels.values()), "a small run names few filters"
    for same in ("au 12", "lip corner puller"):
        atlas.get_by_label("Find").fill(same)
        assert numbers(atlas) == named
    for wider in ("smile", "mouth", "lips"):
        atlas.get_by_label("Find").fill(wider)
        assert set(numbers(atlas)) >= set(named)
    atlas.get_by_label("Find").fill("mouth")
    atlas.get_by_label("Verdict").select_option("verified")
    found, address = numbers(atlas), atlas.evaluate("location.hash")
    assert "find=mouth" in address and "verdict=verified" in address
    tab, seen = opened(f"{PAGE}{address}")
    assert numbers(tab) == found and seen.faults == []
    atlas.get_by_label("Find").fill("no such word")
    assert numbers(atlas) == []


def test_an_address_that_asks_for_what_there_is_not_shows_the_first_choice(opened):
    plain, _ = opened(f"{PAGE}#atlas?find=")
    every = numbers(plain)
    tab, seen = opened(f"{PAGE}#atlas?sort=foo&share=7&item=1&verdict=x")
    assert numbers(tab) == every and seen.faults == []
    tab.get_by_label("Find").fill("no such word")
    assert numbers(tab) == [] and seen.faults == []


def test_without_a_script_each_tile_has_its_verdict(atlas, chromium, site):
    told = """tiles => Object.fromEntries(tiles.map((tile) =>
      [tile.id, getComputedStyle(tile.querySelector("summary"), "::after").content]))"""
    with_script = atlas.eval_on_selector_all(".filter-atlas details", told)
    context = chromium.new_context(offline=True, java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{site.as_uri()}/{PAGE}")
    without = tab.eval_on_selector_all(".filter-atlas details", told)
    context.close()
    assert without == with_script
    labels = atlas.eval_on_selector_all(TILES, LABELS)
    marked = {tile for tile, text in without.items() if text.startswith('"✓ AU')}
    assert marked == {tile for tile, label in labels.items() if "verified" in label}


def test_the_grid_is_one_tab_stop_and_arrows_move_within(atlas):
    assert atlas.locator(".filter-atlas summary[tabindex='0']").count() == 1
    atlas.locator(".filter-atlas summary[tabindex='0']").focus()
    first, second, *_ = numbers(atlas)
    atlas.keyboard.press("ArrowRight")
    focused = "document.activeElement.parentElement.id"
    assert atlas.evaluate(focused) == f"filter-{second}"
    atlas.keyboard.press("Enter")
    assert atlas.evaluate("location.hash") == f"#filter-{second}"
    assert atlas.locator(f"#filter-{second}").get_attribute("open") is not None
    atlas.keyboard.press("Home")
    assert atlas.evaluate(focused) == f"filter-{first}"


def test_a_link_opens_its_filter(opened):
    tab, _ = opened(f"{PAGE}#filter-7")
    tab.wait_for_function("document.getElementById('filter-7').open")
