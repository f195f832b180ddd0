"""Training, scrubbed: by the keyboard, on a wide and on a narrow page."""

import json

import pytest

from book.au_verification.checkpoints import CHECKPOINTS_FILE, verdict_counts

from .conftest import NARROW, WIDE

pytestmark = pytest.mark.browser

PAGE = "book/au_verification/au_verification.html"


def drawn(tab):
    """What the fields show: filters with a unit, and those that are verified; and the sentence."""
    marks = tab.locator(".checkpoints .filters i").all_inner_texts()
    said = tab.locator(".checkpoints [role=status]").inner_text()
    return sum(map(bool, marks)), sum(each.startswith("✓") for each in marks), said


@pytest.mark.parametrize(("width", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_epochs_and_networks_are_chosen_by_the_keyboard(opened, width, scheme):
    stages = json.loads(CHECKPOINTS_FILE.read_text(encoding="utf-8"))["stages"]
    tab, seen = opened(PAGE, width, scheme)
    tab.locator(".checkpoints > summary").press("Enter")
    epoch = tab.get_by_label("Epoch", exact=True)
    own = [each for each in stages if each["seed"] == 0]
    epoch.focus()
    for stage in reversed(own):
        claimed, verified, units = verdict_counts(stage)
        assert drawn(tab)[:2] == (claimed, verified)
        assert f"After epoch {stage['epoch']}:" in drawn(tab)[2] and f"for {units} units" in drawn(tab)[2]
        tab.keyboard.press("ArrowLeft")
    tab.get_by_label("Network", exact=True).focus()
    tab.keyboard.press("End")
    assert epoch.is_disabled() and drawn(tab)[:2] == verdict_counts(stages[-1])[:2]
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.close()
    assert seen.faults == []


def test_without_a_script_the_table_stands_there(chromium, site):
    context = chromium.new_context(offline=True, java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{site.as_uri()}/{PAGE}")
    assert tab.locator(".checkpoints tbody tr").count() == 6
    assert tab.locator(".checkpoints select").count() == 0
    context.close()
