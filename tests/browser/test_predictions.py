"""Guesses: kept in the browser, shown beside what was found and drawn into the figure, counted on a page."""

import json
from urllib.parse import urlencode

import pytest

pytestmark = pytest.mark.browser

PAGE, COUNTED = "book/au_verification/au_verification.html", "book/predictions.html"
LUCK = "au_verification.luck-text"


@pytest.fixture
def context(chromium):
    """A browser that has kept nothing yet."""
    made = chromium.new_context(offline=True, viewport={"width": 1440, "height": 900})
    yield made
    made.close()


def opened_in(context, site, page):
    tab, faults = context.new_page(), []
    tab.on("pageerror", lambda fault: faults.append(str(fault)))
    tab.goto(f"{site.as_uri()}/{page}")
    return tab, faults


def guess_luck(tab, presses=5):
    """Guess how large the largest AUROC is, by the keyboard alone; returns the guess."""
    tab.locator(".guess-button").first.press("Enter")
    slider = tab.get_by_label("The largest AUROC where the labels are shuffled", exact=True)
    slider.focus()
    for _ in range(presses):
        tab.keyboard.press("ArrowRight")
    guess = float(slider.input_value())
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    return guess


def test_a_guess_is_kept_and_shown_beside_what_was_found(context, site):
    tab, faults = opened_in(context, site, PAGE)
    assert tab.locator(".guesses:visible").count() == 0, "nothing is in the way of a reader"
    guess = guess_luck(tab)
    said = tab.locator(".guesses").first.inner_text()
    assert f"You said {guess:.2f}; found here: " in said and "off by" in said
    assert tab.evaluate("document.activeElement.textContent") == "Guess again"
    tab.reload()
    tab.locator(".guesses").first.get_by_text("You said").wait_for()  # what is kept may arrive after the page
    assert tab.locator(".guesses").first.inner_text() == said, "kept"
    tab.get_by_role("button", name="Guess again").press("Enter")
    assert tab.locator("#figure-luck .guess").count() == 0
    assert tab.evaluate("localStorage.getItem('predictions')") == "{}" and faults == []


def test_a_number_is_drawn_where_the_axis_says(context, site):
    tab, faults = opened_in(context, site, PAGE)
    guess = guess_luck(tab, 10)
    places = tab.evaluate(
        """() => {
          const svg = document.querySelector("#figure-luck svg");
          const every = (selector) => [...svg.querySelectorAll(selector)];
          const ticks = every("text").filter((each) => /^[01]\\.\\d$/.test(each.textContent))
            .map((each) => [Number(each.textContent), Number(each.getAttribute("x"))]);
          return [ticks, every(".guess line").map((each) => Number(each.getAttribute("x1")))];
        }"""
    )
    ticks, lines = dict(places[0]), places[1]
    (low, at_low), (high, at_high) = sorted(ticks.items())[:: len(ticks) - 1]
    expected = at_low + (guess - low) / (high - low) * (at_high - at_low)
    assert len(lines) == 2 and all(abs(line - expected) < 0.5 for line in lines), "in both panels"
    assert faults == []


def test_what_was_guessed_on_pages_is_counted_on_one(context, site):
    tab, faults = opened_in(context, site, PAGE)
    guess_luck(tab)
    tab.locator(".guess-button").nth(1).press("Enter")
    tab.get_by_label("higher").press("Space")
    tab.locator(".guesses").nth(1).get_by_role("button", name="Keep this guess").press("Enter")
    verdict = "right" if "That is right" in tab.locator(".guesses").nth(1).inner_text() else "wrong"
    tab.goto(f"{site.as_uri()}/{COUNTED}")
    tab.get_by_text("You made 2 of ").wait_for()
    told = tab.locator(".predictions output").inner_text()
    assert told.startswith("You made 2 of ") and f"Of 1 choices {int(verdict == 'right')} " in told
    assert "by luck it would be 0.5" in told and "Your number was off by" in told
    assert tab.locator(".predictions tbody tr").count() == 2
    tab.get_by_role("button", name="Forget all guesses").press("Enter")
    assert tab.locator(".predictions output").inner_text().startswith("You made 0 of ") and faults == []


def test_two_pages_that_are_open_lose_no_guess_of_each_other(context, site):
    counted, _ = opened_in(context, site, COUNTED)
    tab, faults = opened_in(context, site, PAGE)
    other, _ = opened_in(context, site, PAGE)
    other.locator(".guess-button").nth(1).press("Enter")
    other.get_by_label("higher").press("Space")
    guess_luck(tab)
    other.locator(".guesses").first.get_by_text("You said").wait_for()
    assert other.get_by_label("higher").is_checked(), "what is being answered stays"
    other.locator(".guesses").nth(1).get_by_role("button", name="Keep this guess").press("Enter")
    tab.locator(".guesses").nth(1).get_by_text("You said").wait_for()
    counted.get_by_text("You made 2 of ").wait_for()
    assert len(json.loads(tab.evaluate("localStorage.getItem('predictions')"))) == 2 and faults == []


def test_where_nothing_can_be_kept_the_address_hands_the_guesses_on(context, site):
    context.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('off'); }})"
    )
    tab, _ = opened_in(context, site, PAGE)
    guess_luck(tab)
    assert "this browser keeps no guesses" in tab.locator(".guesses").first.inner_text()
    tab.locator(".guesses").first.get_by_role("link", name="How well you predict so far").press("Enter")
    tab.wait_for_selector(".predictions tbody tr")
    assert tab.locator(".predictions output").inner_text().startswith("You made 1 of ")


def test_an_address_takes_no_guess_away_that_is_kept(context, site):
    tab, faults = opened_in(context, site, PAGE)
    guess = guess_luck(tab)
    handed = json.dumps({LUCK: "of somebody else", "au_verification.luck": 99, "x": 1})
    kept = json.loads(tab.evaluate("localStorage.getItem('predictions')"))
    tab.goto(f"{site.as_uri()}/{COUNTED}#guesses?{urlencode({'all': handed})}")
    tab.get_by_text("You made ").wait_for()
    after = json.loads(tab.evaluate("localStorage.getItem('predictions')"))
    assert {**after, **kept} == after and "x" not in after and guess in after.values()
    assert tab.evaluate("location.hash") == "" and faults == []


@pytest.mark.parametrize("kept", ["no JSON", "[1]", json.dumps({LUCK: "much"})])
def test_what_was_kept_by_something_else_is_no_guess(context, site, kept):
    tab, faults = opened_in(context, site, COUNTED)
    tab.evaluate("kept => localStorage.setItem('predictions', kept)", kept)
    tab.goto(f"{site.as_uri()}/{PAGE}")
    assert tab.locator(".guesses:visible").count() == 0 and faults == []


def test_without_scripts_the_questions_stand_as_they_are(chromium, site):
    context = chromium.new_context(offline=True, java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{site.as_uri()}/{PAGE}")
    assert "Predict before you read on" in tab.locator("article").inner_text()
    assert tab.locator(".guess-button").count() == 0 and '"asks"' not in tab.locator("article").inner_text()
    context.close()
