"""Find your own detector: the p of the page are those that numpy counts over the same deals."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from book.own_detector import own_detector
from ferbook import paths

pytestmark = pytest.mark.browser

DEALS = 1000


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """The address of a page with nothing but this part, the same whatever run the book is built from."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(paths.pages() / "_static", folder / "_static")
    page = folder / "book" / "au_verification" / "au_verification.html"
    page.parent.mkdir(parents=True)
    shared = '<script src="../../_static/suite.js"></script>'
    page.write_text(f'<!doctype html><meta charset="utf-8">{shared}{own_detector({})}', encoding="utf-8")
    return page.as_uri()


@pytest.fixture
def part(chromium, bare):
    context, faults = chromium.new_context(offline=True), []
    tab = context.new_page()
    tab.on("pageerror", lambda fault: faults.append(str(fault)))
    tab.goto(bare)
    tab.locator(".own-detector > summary").press("Enter")
    yield tab
    context.close()
    assert faults == []


def lots(seed):
    """The numbers of mulberry32, in [0, 1)."""
    while True:
        seed = (seed + 0x6D2B79F5) & 0xFFFFFFFF
        mixed = ((seed ^ (seed >> 15)) * (1 | seed)) & 0xFFFFFFFF
        mixed ^= (mixed + (((mixed ^ (mixed >> 7)) * (61 | mixed)) & 0xFFFFFFFF)) & 0xFFFFFFFF
        yield (mixed ^ (mixed >> 14)) / 2**32


def chance_by_numpy(data, responses, unit, within):
    """p of the ``unit``, chosen among all, by ``DEALS`` deals of whole sequences."""
    shown = (np.array(data["shown"])[:, None] >> np.arange(len(data["units"]))) & 1
    members = list(pd.Series(range(len(shown))).groupby(data["sequences"]).indices.values())
    emotions = [data["emotions"][rows[-1]] for rows in members]
    groups = [list(range(len(members)))]
    if within:
        groups = [
            np.flatnonzero(np.array(emotions) == each).tolist() for each in pd.unique(np.array(emotions))
        ]
    ranks = pd.Series(responses).rank().to_numpy()

    def aurocs(labels):
        n = labels.sum(axis=0)
        pairs = n * (len(labels) - n)
        return np.where(pairs > 0, (ranks @ labels - n * (n + 1) / 2) / np.maximum(pairs, 1), 0.5)

    lot, deals = lots(1), []
    for _ in range(DEALS):
        labels = np.empty_like(shown)
        for own in groups:
            sources = list(own)
            for last in range(len(sources) - 1, 0, -1):
                other = int(next(lot) * (last + 1))
                sources[last], sources[other] = sources[other], sources[last]
            for to, source in zip(own, sources, strict=True):
                labels[members[to]] = np.resize(shown[members[source]], (len(members[to]), shown.shape[1]))
        deals.append(aurocs(labels))
    deals = np.array(deals)
    spread = deals.std(axis=0)
    scale = np.where(spread > 1e-12, spread, np.inf)
    largest = ((deals - deals.mean(axis=0)) / scale).max(axis=1)
    own = ((aurocs(shown) - deals.mean(axis=0)) / scale)[unit]
    return (1 + (largest >= own - 1e-9).sum()) / (1 + DEALS)


def test_p_are_pythons_and_an_untrained_network_has_detectors_by_luck_too(part):
    data = json.loads(part.locator("#own-detector-data").text_content())
    seen = set()
    for number, network in enumerate(data["networks"]):
        part.locator(".own-detector select").nth(0).select_option(str(number))
        for place in (0, 5):
            part.locator(".own-detector select").nth(1).select_option(str(place))
            unit = (3 * number + place) % len(data["units"])
            part.locator(".own-detector select").nth(2).select_option(str(unit))
            told = part.eval_on_selector_all(
                ".own-detector [data-p]", "lines => lines.map((line) => Number(line.dataset.p))"
            )
            responses = network["filters"][place]["responses"]
            expected = [chance_by_numpy(data, responses, unit, within) for within in (False, True)]
            assert told == pytest.approx(expected, abs=1e-12)
            seen |= set(told)
    assert len(seen) > 3


def test_a_unit_is_named_by_the_keyboard_and_ten_faces_stand_there(part):
    assert part.locator(".own-detector .strongest span").count() == 10
    assert part.locator(".own-detector [data-p]").count() == 0, "nothing is told before a unit is named"
    part.locator(".own-detector select").nth(2).focus()
    part.keyboard.press("ArrowDown")
    told = part.locator(".own-detector .told").inner_text()
    assert "Labels shuffled within the emotion" in told and "Switched on alone on one person" in told
    assert "This chapter's verdict" in told or "AUROC" in told
    part.locator(".own-detector select").nth(1).select_option("1")
    assert part.locator(".own-detector [data-p]").count() == 0


def test_without_scripts_a_sentence_stands_there(chromium, bare):
    context = chromium.new_context(offline=True, java_script_enabled=False)
    tab = context.new_page()
    tab.goto(bare)
    tab.locator(".own-detector > summary").click()
    assert "shuffled where scripts are allowed" in tab.locator(".own-detector").inner_text()
    assert tab.locator(".own-detector select").count() == 0
    context.close()
