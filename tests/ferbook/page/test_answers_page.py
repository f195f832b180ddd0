"""The page of answers: count, figure, a card for each claim, and the log."""

import json
import re

import pytest
from matplotlib import pyplot

from ferbook import paths
from ferbook.answers import STORED_NETWORKS, Answered, Answers, Evidence, answer_all, answers_of
from ferbook.book import chapters
from ferbook.claims import Claims, read_claims
from ferbook.errors import ParameterError
from ferbook.estimate import Estimate
from ferbook.page import answers_page
from ferbook.page.answers_page import PLACE, answers_figure, answers_text, badge, chapter_text, with_answers

TABLE = [["**trained**", "training.kappa"], ["untrained", "training.untrained"]]
SHARED = {"claim": "It is.", "why": "w", "certainty": "N", "absolute": "It is {training.kappa:interval}."}
SHARED |= {"table": TABLE, "quantity": "κ", "sample": [["networks", "training.n"]]}
DEGREE = SHARED | {"form": "degree", "floor": "no training", "ceiling": "units", "matters": 0.05}
DEGREE |= {"ends": ["none", "units"]}
POINTS = SHARED | {"form": "difference", "polarity": "more", "matters": 2, "unit": "points"}
SIXES = POINTS | {"short": "Half", "measure": "derl.half", "unit": "", "matters": 0.5}
SIXES |= {"polarity": "more_than"}
LOGGED = {"Ahead": {"before": "holds"}, "Gone": {"before": "no"}}
CLAIMS = Claims.model_validate(
    {
        "gates": {"many": {"requires": "Many?", "metric": "training.n", "above": 4}},
        "papers": [
            {
                "paper": "p",
                "name": "P",
                "claims": [
                    POINTS | {"short": "Ahead", "measure": "derl.ahead", "figure": "derl.quality"},
                    DEGREE | {"short": "Filters", "measure": "training.kappa", "gates": ["many"]},
                    SIXES | {"reported": "6 of 10", "quantity": "proportion of throws"},
                    DEGREE | {"short": "Later", "measure": "training.later"},
                ],
            },
            {"paper": "suite", "name": "Our own", "claims": [POINTS | {"short": "Db", "measure": "derl.db"}]},
        ],
        "log": [{"day": "2026-11-28", "what": "Frozen.", "why": "A start.", "claims": LOGGED}],
    }
)


def estimate(value, half, **fields):
    return Estimate(value, value - half, value + half, how="made", freedom=30.0, **fields)


def evidence(degree, ahead, n=5, networks=()):
    training = {"kappa": estimate(0.18, 0.05), "untrained": estimate(0.01, 0.01)}
    training |= {"kappa_degree": estimate(degree, 0.2), "kappa_room": estimate(0.23, 0.1)}
    training["n"] = Estimate(n, unit="count")
    derl = {"ahead": estimate(ahead, 1.0, n=60), "half": estimate(0.2, 0.1, unit="share")}
    found = {"training": Evidence(training, {"faces": "lab", "commit": "abc"}, frozenset(networks))}
    return {name: (found | {"derl": Evidence(derl)}).get(name, Evidence()) for name in chapters()}


def made(own, reference=None):
    ours = answer_all(CLAIMS, own, reference or own)
    theirs = answer_all(CLAIMS, reference) if reference else [None] * len(ours)
    papers = ["p"] * 4 + ["suite"]
    every = tuple(Answered(*row) for row in zip(papers, ours, theirs, strict=True))
    return Answers(CLAIMS, every, reference or own)


def both():
    return made(evidence(0.3, 5.0, networks=["a"]), evidence(0.77, -5.0))


@pytest.fixture
def close():
    yield
    pyplot.close("all")


def test_each_unit_has_an_axis_and_each_row_its_number_and_the_names_of_its_controls(close):
    picture = answers_figure(both(), "Answers.")
    texts = [[text.get_text().replace("\u00a0", " ") for text in axes.texts] for axes in picture.figure.axes]
    degrees, points, proportion = texts
    assert degrees[:4] == ["Filters", "77 % (57–97) · yes", "none", "units"]
    assert "not measured · undecided" in degrees
    assert points[:2] == ["Ahead", "−5.0 (−6.0 to −4.0) · no"] and points[2] == "Db"
    assert proportion == ["Half", "20 % (10–30) · no"]
    below = [text for text in picture.figure.axes[0].texts if text.get_text() in ("none", "units")]
    assert all(text.get_transform() == picture.figure.axes[0].transData for text in below), "at 0 % and 100 %"
    rows = picture.data.set_index(["claim", "run"])
    assert rows.loc[("Filters", "reference"), "value"] == 0.77
    assert rows.loc[("Filters", f"your run ({STORED_NETWORKS})"), "value"] == 0.3
    assert any(mark.text.startswith("Ahead, reference: ") for mark in picture.hover)
    for axes in picture.figure.axes:
        assert axes.get_position().width > 0.5, "at least half of the width is data"


def test_a_mark_is_filled_where_its_answer_holds_after_correction(close):
    weak = made(evidence(0.21, -1.05))
    assert [each.main.holds for each in weak.every[:2]] == [False, False]
    figure = answers_figure(weak, "Answers.").figure
    lines = [line for axes in figure.axes for line in axes.lines if line.get_marker() == "o"]
    fills = {line.get_markerfacecolor() for line in lines}
    assert "white" in fills and len(fills) == 2


def test_an_interval_that_leaves_the_axis_ends_in_an_arrow_head(close):
    wide = evidence(1.4, 5.0)
    wide["training"].metrics["kappa_degree"] = Estimate(1.2, -1.5, 2.9, how="made", freedom=3.0)
    figures = [answers_figure(made(of), "Answers.").figure for of in (wide, evidence(0.9, 5.0))]
    heads = [[line.get_marker() for line in figure.axes[0].lines] for figure in figures]
    assert {"<", ">"} <= set(heads[0]) and not {"<", ">"} & set(heads[1])
    nothing = answers_figure(made({name: Evidence() for name in chapters()}), "Answers.")
    assert nothing.data.empty and not nothing.figure.legends


def test_a_card_gives_the_absolute_size_then_the_degree_and_folds_the_controls(tmp_path):
    text = answers_text(both(), tmp_path, str).replace("\u00a0", " ")
    assert text.startswith(answers_page.counts_text(both())) and text.index("<figure") < text.index("## P")
    cards = re.findall(r"::::\{container\} claim\n(.*?)::::\n", text, re.S)
    ahead, filters, half, later, _ = cards
    parts = [
        "{bdg-success}`yes` *(reference)* *significant after correction (p = .0",
        "**It is.**",
        "It is 0.180 (95 % interval 0.130–0.230).",
        "On a scale from 0 % (no training) to 100 % (units) this lies at 77 % (95 % interval 57–97 %).",
        f"*Your run ({STORED_NETWORKS}):* {{bdg-info",
        ":::{dropdown} Controls, method and statistics",
        "|  | κ |",
        "| **trained** | **0.180 (0.130–0.230)** |",
        "| untrained | 0.010 (0.000–0.020) |",
        "- *Sample*: 5 networks",
        "- *Minimum detectable effect*: ",
        "- *Method*: `training.kappa_degree` of [",
        "- *Condition*: Many? Yes: 5 (needed: more than 4).",
    ]
    places = [filters.index(part) for part in parts]
    assert places == sorted(places)
    assert "The paper reports" not in filters and "S read" not in filters, "there is no number"
    assert "- *The paper reports*: 6 of 10. [N]{.certainty}" in half
    assert "n = 60" in ahead and "- *Amendments*: 28 November 2026, before: holds" in ahead
    assert "Not measured in this run" in later and "Interval" not in later
    assert "No paper claims this." in text and "{cite:t}`suite`" not in text
    rows = json.loads((tmp_path / "answers.json").read_text())
    assert [row["short"] for row in rows] == ["Ahead", "Filters", "Half", "Later", "Db"]
    assert rows[1]["commit"] == "abc" and rows[1]["sample"] == {"networks": 5}
    assert rows[1]["reference"]["holds_after_correction"] and rows[1]["whose"] == STORED_NETWORKS


def test_a_card_links_to_the_figure_of_its_claim(tmp_path):
    asked = []
    text = answers_text(both(), tmp_path, lambda role: asked.append(role) or "Figure 8.1")
    assert asked == ["{figure}`derl.quality`"] and text.count(" Figure 8.1\n") == 1


def test_one_answer_stands_in_any_sentence():
    answers = both()
    shown = with_answers("Is it? <!-- answer: Filters --> So.", answers, None).replace("\u00a0", " ")
    assert shown.startswith("Is it? **Yes.** *(reference)* It is 0.180") and "77 % (95" in shown
    assert with_answers("<!-- answer: Later -->", answers, None) == "**Not measured yet.**"
    with pytest.raises(ParameterError, match=r"no claim 'Filter' \(did you mean 'Filters'"):
        with_answers("<!-- answer: Filter -->", answers, None)


def test_a_chapters_page_has_the_answers_that_it_measures_labelled_by_whose_they_are():
    fold, heads, _, filters, later, end = chapter_text(both(), "training").replace("\u00a0", " ").splitlines()
    assert (fold, end) == (":::{dropdown} The answers of your run", ":::")
    assert heads == f"| Claim | Answer of the reference | Your run, {STORED_NETWORKS} |"
    assert filters.startswith("| Filters | {bdg-success}`yes` It is 0.180") and "{bdg-info" in filters
    assert later == "| Later | {bdg-muted-line}`undecided` not measured |  |"
    alone = chapter_text(made(evidence(0.3, 5.0)), "training").splitlines()
    assert alone[0] == "| Claim | Answer |" and alone[1].count("---") == 2
    assert chapter_text(both(), "faces") == ""


def test_each_place_is_filled_and_a_book_without_claims_has_nothing_there(tmp_path):
    page = f"a {PLACE} b {answers_page.LOG_PLACE} c <!-- answer: Ahead --> d"
    assert with_answers(page, None, tmp_path) == "a  b  c  d"
    text = with_answers(page, both(), tmp_path)
    assert 'id="figure-claims"' in text and "<!--" not in text
    assert ":::{dropdown} 28 November 2026: Frozen\n*Why:* A start." in text
    assert "| Ahead | holds | no |" in text and "| Gone | no | gone |" in text


def test_the_committed_page_has_every_place_once_and_every_claim_on_it(finish_derl, tmp_path):
    page = (paths.pages() / "answers.md").read_text()
    assert [page.count(place) for place in (PLACE, answers_page.LOG_PLACE)] == [1, 1]
    first = next(line for line in page.splitlines()[1:] if line.strip())
    assert first == PLACE, "count and figure come first"
    claims = read_claims(paths.claims_file())
    text = answers_text(answers_of(finish_derl("a", 5.0, faces="ckplus"), {}), tmp_path, str)
    assert all(f"## {paper.name}" in text for paper in claims.papers)
    assert all(text.count(claim.claim) == 1 for claim in claims.every)
    pages = [file.read_text() for file in paths.pages().rglob("*.md")]
    named = [name for text in pages for name in answers_page.ANSWER_PLACE.findall(text)]
    assert named and set(named) <= {claim.short for claim in claims.every}


def test_the_count_says_how_many_of_each_answer_are_significant():
    assert answers_page.counts_text(both()) == (
        "Of 5 claims: **1** yes (**1** significant), **2** no (**2** significant), **2** undecided; "
        "*significant*: after Holm's correction for all."
    )
    weak = made(evidence(0.21, -1.05))
    assert [each.main.p < 0.05 for each in weak.every[:3]] == [True] * 3, "each by itself"
    badges = [badge(each.main) for each in weak.every[:2]]
    assert badges == ["{bdg-danger-line}`no`", "{bdg-info-line}`partly`"]
    assert badge(both().every[1].main) == "{bdg-success}`yes`", "filled"
    assert answers_page.table_row(("|a|", "b")) == "| \\|a\\| | b |"
