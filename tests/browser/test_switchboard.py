"""The switchboard of the page on FACS, by the keyboard alone."""

import pytest

from .conftest import NARROW, WIDE

pytestmark = pytest.mark.browser


@pytest.fixture
def board(opened):
    tab, found = opened("book/facs.html")
    yield tab
    tab.close()
    assert found.faults == []


def shown(tab) -> tuple:
    """What the board says, which tile it shows, how many outlines it draws, and what its filters answer."""
    place = "each => ['--row', '--column'].map((name) => each.style.getPropertyValue(name).trim()).join()"
    return (
        tab.locator("#facs-board .shown").inner_text(),
        tab.locator("#facs-board .face .facs-tile").evaluate(place),
        tab.locator("#facs-board .face path").count(),
        tab.locator("#facs-board li b").all_inner_texts(),
    )


def test_units_are_switched_by_arrow_keys(board):
    before = shown(board)
    assert before[0] == "AU6 C (cheek raiser) + AU12 E (lip corner puller)" and before[2] == 2 and before[3]
    intensity = board.get_by_label("Second unit: intensity")
    intensity.focus()
    board.keyboard.press("ArrowLeft")  # of two units there are three intensities each
    assert shown(board)[0] == "AU6 C (cheek raiser) + AU12 C (lip corner puller)"
    board.keyboard.press("Home")
    alone = shown(board)
    assert alone[0] == "AU6 C (cheek raiser)" and alone[2] == 1
    assert alone[1] != before[1] and alone[3] != before[3]
    assert intensity.get_attribute("aria-valuetext") == "off"
    board.keyboard.press("Shift+Tab")  # to the second unit's name
    board.keyboard.press("Home")
    assert board.evaluate("document.activeElement.value") == "none" and intensity.is_disabled()
    assert (
        intensity.input_value() == "0"
        and board.locator("#facs-board .unit output").nth(1).inner_text() == "–"
    )
    first = board.get_by_label("First unit: intensity")
    first.focus()
    board.keyboard.press("ArrowRight")  # of one there are five
    assert shown(board)[0] == "AU6 D (cheek raiser)"
    board.keyboard.press("Home")
    off = shown(board)
    assert off[0] == "All units off." and off[1] == "0,0" and off[2] == 0


def test_a_unit_that_goes_with_no_other_switches_the_second_off(board):
    board.get_by_label("First unit", exact=True).select_option("AU43")
    assert shown(board)[0].startswith("AU43 C")
    assert board.get_by_label("Second unit", exact=True).is_disabled()


def test_the_outline_can_be_taken_off(board):
    board.get_by_label("outline of the skin that moves").press("Space")
    assert shown(board)[2] == 0


def test_another_person_shows_one_unit_and_answers_otherwise(opened):
    for width, scheme in ((WIDE, "dark"), (NARROW, "light")):
        board, found = opened("book/facs.html", width, scheme)
        person = board.get_by_label("Person", exact=True)
        if not person.count():
            assert board.locator("#facs-board .bar i").count() == 0  # without the reference's network
            board.close()
            continue
        before = shown(board)
        person.focus()
        board.keyboard.press("ArrowDown")
        after = shown(board)
        assert after[0] == "AU6 C (cheek raiser)" and after[2] == 0 and after[3] != before[3]
        assert board.get_by_label("Second unit", exact=True).is_disabled()
        dots = board.locator("#facs-board .bar i")
        assert dots.count() == 4 * len(after[3]) and all(each.is_visible() for each in dots.all())
        first = board.get_by_label("First unit: intensity")
        first.focus()
        board.keyboard.press("ArrowRight")  # of the others there are three intensities
        assert shown(board)[0] == "AU6 E (cheek raiser)"
        assert board.evaluate("document.documentElement.scrollWidth") <= width
        person.select_option("0")
        assert shown(board)[0] == "AU6 E (cheek raiser)" and shown(board)[2] == 1
        board.close()
        assert found.faults == []


def test_without_a_script_the_face_stands_there(chromium, site):
    context = chromium.new_context(offline=True, java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{site.as_uri()}/book/facs.html")
    assert tab.locator("#facs-board .face .facs-tile").is_visible()
    assert "AU12 E" in tab.locator("#facs-board .shown").inner_text()
    assert tab.locator("#facs-board select").count() == 0
    context.close()
