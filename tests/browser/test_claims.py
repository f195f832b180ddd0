"""The claims by bounds that a reader moves: by the keyboard alone, and against Python's own verdicts."""

import json
import os
import random
import subprocess
import sys

import pytest

from ferbook import paths
from ferbook.claims import Control, Fact, PaperClaim, Question
from ferbook.estimate import Estimate
from ferbook.verdicts import Evidence, judge

pytestmark = pytest.mark.browser

PAGE = "book/answers.html"
VERDICTS = "cards => cards.map((card) => card.dataset.verdict)"
BADGES = "badges => badges.map((badge) => badge.textContent)"
OF_CARDS = ".claim > p:first-child .sd-badge"
OF_ROWS = ".claim tbody .sd-badge"


@pytest.fixture
def answers(opened):
    tab, found = opened(PAGE)
    yield tab
    tab.close()
    assert found.faults == []


@pytest.fixture(scope="module")
def told(request, site) -> list[str]:
    """The verdicts that ``ferbook claims`` prints: the reference's where it stands beside the run."""
    run = json.loads((site / ".build.json").read_text())["run"]
    asked = ("claims", "--run", run, "--json")
    if "FERBOOK_SITE" in os.environ:
        command = [sys.executable, "-m", "ferbook.cli", *asked]
        printed = subprocess.run(command, cwd=paths.root(), capture_output=True, text=True, check=True).stdout
        claims = json.loads(printed)["claims"]
    else:
        claims = request.getfixturevalue("smoke_clone").ferbook_json(*asked[:-1])["claims"]
    return [(each["reference"] or each)["verdict"] for each in claims]


def by_python(claim: dict, moved: dict[str, float]) -> str:
    """The verdict on a claim of the page's data by bounds ``moved``, as ``ferbook.verdicts`` reaches it."""
    metrics, required, questions, facts = {}, {}, [], {}
    for place, row in enumerate(row for row in claim["rows"] if row["role"] != "again"):
        if "name" not in row:  # answered whatever the bound
            name = f"fact_{place}"
            if row["answer"] != "not asked":
                facts[name] = row["answer"] == "yes"
            asked = Fact(asks="?", noted=f"a.{name}", equals=True)
            if row["role"] != "required":
                asked = Question(asks="?", metric=f"a.{name}", above=0, weak=row["role"] == "weak")
        else:
            bound = {row["side"]: moved.get(row["name"], row["limit"])}
            rest = {"margin": row["margin"], "counts": row["counts"]}
            role = {row["role"]: True} if row["role"] in ("weak", "beside") else {}
            asked = Question(asks="?", metric=f"a.m{place}", **bound, **rest, **role)
            why = "" if row["low"] is not None else "none"
            metrics[f"m{place}"] = Estimate(row["value"], row["low"], row["high"], unit=row["kind"], why=why)
        if row["role"] == "required":
            required[f"r{place}"] = asked
        else:
            questions.append(asked)
    control = {"c": Control(plants="?", test="?", finds=claim["control"])}
    own = PaperClaim(
        claim="?", short="?", certainty="N", requires=tuple(required), control="c", questions=tuple(questions)
    )
    return judge(own, {"a": Evidence(metrics, facts)}, required, control).verdict


def test_by_the_frozen_bounds_the_verdicts_are_those_of_ferbook_claims(answers, told, chromium, site):
    assert answers.eval_on_selector_all(".claim", VERDICTS) == told
    context = chromium.new_context(offline=True, java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{site.as_uri()}/{PAGE}")
    for badges in (OF_CARDS, OF_ROWS):
        assert answers.eval_on_selector_all(badges, BADGES) == tab.eval_on_selector_all(badges, BADGES)
    assert tab.locator(".bound").count() == 0
    context.close()


def test_by_any_bounds_the_verdicts_are_pythons(answers):
    claims = json.loads(answers.locator("#claims-data").text_content())["claims"]
    rows = {row["name"]: row for claim in claims for row in claim["rows"] if row.get("name")}
    rng, seen = random.Random(0), set()
    for _ in range(60):
        chosen = rng.sample(sorted(rows), rng.randint(0, len(rows)))
        moved = {}
        for name in chosen:
            row = rows[name]
            ends = [row["value"] if row[end] is None else row[end] for end in ("low", "high")]
            width = (ends[1] - ends[0]) or 1
            moved[name] = rng.choice([*ends, rng.uniform(ends[0] - width, ends[1] + width)])
        address = "&".join(f"{name}={bound!r}" for name, bound in moved.items())
        answers.evaluate(f"location.hash = '#bounds?{address}'")
        answers.evaluate("() => new Promise((done) => setTimeout(done))")
        verdicts = answers.eval_on_selector_all(".claim", VERDICTS)
        assert verdicts == [by_python(claim, moved) for claim in claims], address
        seen |= set(verdicts)
    assert len(seen) >= 4 or not rows


def test_a_bound_is_moved_by_the_keyboard_and_stands_in_the_address(answers, opened):
    before, slider = answers.eval_on_selector_all(OF_ROWS, BADGES), answers.locator(".bound input").first
    answers.locator(".claim").filter(has=slider).locator("summary").first.press("Enter")
    name = slider.get_attribute("aria-label")
    assert name.startswith("Bound: ")
    slider.press("Home")
    near = answers.eval_on_selector_all(OF_ROWS, BADGES)
    slider.press("End")
    assert "By one bound that you moved" in answers.locator(".bounds-bar output").inner_text()
    far, address = answers.eval_on_selector_all(OF_ROWS, BADGES), answers.evaluate("location.hash")
    assert address.startswith("#bounds?") and far != near
    tab, found = opened(f"{PAGE}{address}")
    assert tab.eval_on_selector_all(OF_ROWS, BADGES) == far and found.faults == []
    assert tab.locator(".claim.moved details[open]").count()
    tab.close()
    answers.get_by_role("button", name="Frozen bounds again").press("Enter")
    assert answers.eval_on_selector_all(OF_ROWS, BADGES) == before
    assert answers.evaluate("location.hash") == ""


def test_an_address_that_moves_no_bound_is_said(opened):
    tab, found = opened(f"{PAGE}#bounds?training.nothing=5")
    assert "training.nothing=5, which is no bound" in tab.locator(".bounds-bar output").inner_text()
    assert tab.locator(".claim.moved").count() == 0 and found.faults == []
    tab.close()
