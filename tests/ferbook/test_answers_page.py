"""The page of answers: one picture, a card for each claim, the marks, and the log."""

import re

import pytest
from matplotlib import pyplot

from ferbook import paths
from ferbook.answers import Answered, Answers, Evidence, answer_all, answers_of
from ferbook.answers_page import (
    ANSWER_PLACE,
    LOG_PLACE,
    PLACE,
    answer_text,
    answers_text,
    badge,
    chapter_text,
    counts_text,
    log_text,
    ruler_picture,
    table_row,
    with_answers,
)
from ferbook.book import chapters
from ferbook.claims import Claims, read_claims
from ferbook.errors import ParameterError
from ferbook.estimate import Estimate

TABLE = [["**trained**", "training.kappa"], ["untrained", "training.untrained"]]
SHARED = {"claim": "It is.", "why": "w", "certainty": "N", "absolute": "{training.kappa}", "table": TABLE}
DEGREE = SHARED | {"form": "degree", "floor": "untrained", "ceiling": "taught", "matters": 0.05}
POINTS = SHARED | {"form": "difference", "polarity": "more", "matters": 2, "unit": "points"}
CLAIMS = Claims.model_validate(
    {
        "gates": {"many": {"asks": "Many?", "metric": "training.n", "above": 4}},
        "papers": [
            {
                "paper": "p",
                "name": "P",
                "claims": [
                    POINTS | {"short": "Ahead", "measure": "derl.ahead", "figure": "derl.quality"},
                    DEGREE | {"short": "Filters", "measure": "training.kappa", "gates": ["many"]},
                    POINTS | {"short": "Shares", "measure": "derl.share", "unit": "", "matters": 0.05},
                    DEGREE | {"short": "Later", "measure": "training.later"},
                ],
            }
        ],
        "log": [
            {
                "day": "2026-11-28",
                "what": "Frozen.",
                "why": "A start.",
                "claims": {"Ahead": {"before": "holds"}, "Gone": {"before": "no"}},
            }
        ],
    }
)


def estimate(value, half, **fields):
    return Estimate(value, value - half, value + half, how="made", freedom=30.0, **fields)


def evidence(degree, ahead, n=5):
    training = {
        "kappa": estimate(0.18, 0.05),
        "kappa_degree": estimate(degree, 0.2),
        "kappa_room": estimate(0.23, 0.1),
        "n": Estimate(n, unit="count"),
    }
    derl = {"ahead": estimate(ahead, 1.0, n=60), "share": estimate(ahead / 100, 0.01)}
    told = {"training": Evidence(training, {"faces": "lab"}), "derl": Evidence(derl)}
    return {name: told.get(name, Evidence()) for name in chapters()}


def made(own, reference=None):
    ours = answer_all(CLAIMS, own, reference or own)
    theirs = answer_all(CLAIMS, reference) if reference else [None] * len(ours)
    every = tuple(Answered("p", mine, other) for mine, other in zip(ours, theirs, strict=True))
    return Answers(CLAIMS, every, reference or own)


def both():
    return made(evidence(0.3, 5.0), evidence(0.77, -5.0))


def test_all_claims_stand_in_one_picture_the_runs_mark_beside_the_references():
    picture = ruler_picture(both())
    rows = picture.data.set_index(["claim", "run"])
    assert rows.loc[("Filters", "the reference"), ["value", "low", "high"]].tolist() == pytest.approx(
        [0.77, 0.57, 0.97]
    )
    assert rows.loc[("Filters", "your run"), "value"] == 0.3 and len(rows) == 6
    above, below = picture.figure.axes
    assert [label.get_text() for label in above.get_yticklabels()] == ["Filters", "Later"]
    assert [label.get_text() for label in below.get_yticklabels()] == ["Ahead", "Shares"]
    assert [label.get_text() for label in above.get_xticklabels()][0::2] == [
        "0\nuntrained",
        "1\ntaught units",
    ]
    notes = [text.get_text() for axes in (above, below) for text in axes.texts]
    assert notes == ["yes", "open", "no", "no"], "the reference's"
    told = [mark.text.replace("\u00a0", " ") for mark in picture.hover]
    assert "Shares, the reference: −5.0 (−6.0 to −4.0); Differences in points" in told, "κ in hundredths"
    assert "Of 4 claims: 1 yes, 2 no, 1 open" in picture.alt
    pyplot.close(picture.figure)


def test_an_interval_that_goes_on_beyond_the_ruler_ends_in_an_arrow_head():
    wide = evidence(1.4, 5.0)
    wide["training"].metrics["kappa_degree"] = Estimate(1.2, -1.5, 2.9, how="made", freedom=3.0)
    above, within = (ruler_picture(made(of)).figure.axes[0] for of in (wide, evidence(1.1, 5.0)))
    heads = [(line.get_marker(), *line.get_xydata()[0]) for line in above.lines]
    assert heads[-2:] == [("<", -1.0, 0), (">", 2.2, 0)], "in the row of its claim"
    assert within.get_xlim()[1] == pytest.approx(1.35) and ">" not in [x.get_marker() for x in within.lines]
    part = ruler_picture(made(evidence(0.45, 5.0))).figure.axes[0].texts[0]
    assert part.get_text() == "in part or more", "as its card"
    pyplot.close("all")


def test_a_run_alone_has_no_legend():
    lone = made(evidence(-0.6, 5.0))
    alone = ruler_picture(lone)
    assert not alone.figure.legends and set(alone.data["run"]) == {"your run"}
    assert set(ruler_picture(Answers(CLAIMS, lone.every, {}, True)).data["run"]) == {"the reference"}
    assert alone.figure.axes[0].get_xlim()[0] < -0.6, "beyond the ends, within the axis"
    anywhere = evidence(3.0, 5.0)
    anywhere["training"].metrics["kappa_degree"] = Estimate(3.0, why="the room is too uncertain")
    unbounded = ruler_picture(made(anywhere))
    assert unbounded.figure.axes[0].get_xlim()[1] < 2, "what may be anything has no place on the ruler"
    nothing = ruler_picture(made({name: Evidence() for name in chapters()}))
    assert nothing.data.empty and [text.get_text() for text in nothing.figure.axes[0].texts] == ["open"] * 2
    pyplot.close("all")


def test_a_card_says_the_answer_one_sentence_and_in_a_fold_how_it_was_asked(tmp_path):
    text = answers_text(both(), tmp_path, str)
    assert re.match(
        r"Of 4 claims: \*\*1\*\* yes, \*\*2\*\* no, \*\*1\*\* open; .* for all 3\.\n\n<figure", text
    )
    assert (tmp_path / "figures" / "claims.csv").is_file()
    assert "Your run and the reference disagree on: Ahead; Filters; Shares." in text
    cards = re.findall(r"::::\{container\} claim\n(.*?)::::\n", text.replace("\u00a0", " "), re.S)
    ahead, filters, _, later = cards
    assert filters.startswith(
        "{bdg-success}`yes` **It is.**\n\nMost of it: 0.77 (95 % interval 0.57–0.97) of "
    )
    assert "*Your run:* {bdg-info}`in part` Part of it: 0.30" in filters
    assert "It disagrees with the reference." in filters
    for line in (
        "- *Measure*: `training.kappa_degree` of [",
        "(training/training.ipynb), on `lab`. w",
        "- *0*: untrained",
        "- *1*: taught",
        "- *In raw units*: measure 0.180 (0.130–0.230); room 0.23 (0.13–0.33)",
        "- *Matters*: 0.05 or more",
        "- *Chance of the same answer in an equal run*: ",
        "- *After Holm's correction for all claims*: p ",
        "- *First*: Many? Yes: 5; asked: above 4.",
        "- *The paper reports*: no number. [N]{.certainty}",
    ):
        assert line in filters, line
    assert "- *Interval*: made; n = 60" in ahead and "- *Log*: 28 November 2026, before: holds" in ahead
    assert "- *Minimum detectable effect, at 80 % power*: 1.42 points" in ahead
    assert "Not measured in this run" in later and "Holm" not in later and "*Interval*" not in later


def test_a_card_links_to_the_figure_of_its_claim_and_takes_no_other_role(tmp_path):
    asked = []
    text = answers_text(both(), tmp_path, lambda role: asked.append(role) or "Figure 8.1")
    assert asked == ["{figure}`derl.quality`"] and text.count("\nFigure 8.1\n") == 1


def test_what_a_run_shares_with_the_reference_is_said(tmp_path):
    same = answers_text(made(evidence(0.77, 5.0), evidence(0.77, 5.0)), tmp_path, str)
    assert same.count("*Your run* asked the same networks") == 3 and "*Your run:*" not in same
    assert "{bdg-success}`yes` **It is.**" in same
    assert "disagree" not in same


def test_one_answer_stands_in_any_sentence_and_what_is_not_measured_is_not_guessed():
    answers = both()
    told = with_answers("Is it? <!-- answer: Filters --> So.", answers, None).replace("\u00a0", " ")
    assert told == (
        "Is it? **Yes.** Most of it: 0.77 (95 % interval 0.57–0.97) of the way from 0, untrained, to 1, "
        "taught. So."
    )
    assert answer_text(answers, "Later") == (
        "**Not measured yet.** Where it lies between 0, untrained, and 1, taught, this run does not say."
    )
    with pytest.raises(ParameterError, match=r"no claim 'Filter' \(did you mean 'Filters'"):
        with_answers("<!-- answer: Filter -->", answers, None)


def test_a_chapters_page_has_the_answers_that_it_measures_and_the_runs_beside():
    lines = chapter_text(both(), "training").replace("\u00a0", " ").splitlines()
    assert lines == [
        "| Claim | Answer | Your run |",
        "| --- | --- | --- |",
        "| Filters | {bdg-success}`yes` 0.77 (95 % interval 0.57–0.97) "
        "| {bdg-info}`in part` 0.30 (95 % interval 0.10–0.50) |",
        "| Later | {bdg-muted}`open` not measured |  |",
    ]
    alone = chapter_text(made(evidence(0.3, 5.0), evidence(0.3, 5.0)), "training").splitlines()
    assert alone[0] == "| Claim | Answer |" and alone[1].count("---") == 2
    assert chapter_text(both(), "faces") == ""


def test_the_log_says_before_and_after_and_after_is_what_the_page_says():
    text = log_text(both())
    assert ":::{dropdown} 28 November 2026: Frozen\n*Why:* A start." in text
    assert "| Ahead | holds | no |" in text and "| Gone | no | gone |" in text


def test_each_place_is_filled_and_a_book_without_claims_has_nothing_there(tmp_path):
    page = f"a {PLACE} b {LOG_PLACE} c <!-- answer: Ahead --> d"
    assert with_answers(page, None, tmp_path) == "a  b  c  d"
    text = with_answers(page, both(), tmp_path)
    assert 'id="figure-claims"' in text and "*Why:*" in text
    assert "<!--" not in text


def test_the_committed_page_has_every_place_once_and_every_claim_on_it(finish_derl, tmp_path):
    page = (paths.pages() / "answers.md").read_text()
    assert [page.count(place) for place in (PLACE, LOG_PLACE)] == [1, 1]
    text = answers_text(answers_of(finish_derl("a", 5.0, faces="ckplus"), {}), tmp_path, str)
    for paper in read_claims(paths.claims_file()).papers:
        assert f"## {paper.name}" in text and f"{{cite:t}}`{paper.paper}`" in text
        assert all(text.count(claim.claim) == 1 for claim in paper.claims)
    shorts = {claim.short for claim in read_claims(paths.claims_file()).every}
    named = [name for file in paths.pages().rglob("*.md") for name in ANSWER_PLACE.findall(file.read_text())]
    assert named and set(named) <= shorts


def test_each_answer_has_a_colour_and_a_bar_does_not_end_a_cell():
    assert all(
        badge(word).startswith("{bdg-") for word in ("yes", "in part or more", "no", "open", "no room")
    )
    assert table_row(("|a|", "b")) == "| \\|a\\| | b |"
    assert counts_text(both()).startswith("Of 4 claims: **1** yes")


def test_how_many_answers_stand_when_all_count_is_said_where_there_are_answers():
    weak = made(evidence(0.21, -1.05))
    assert [each.main.chance < 0.05 for each in weak.every[:3]] == [True] * 3, "each by itself"
    assert counts_text(weak).endswith("; **1** of these answers stand after Holm's correction for all 3.")
    assert counts_text(made({name: Evidence() for name in chapters()})) == "Of 4 claims: **4** open."
