"""What a run, and the reference beside it, say of the claims: on the page and on the command line."""

import shutil
from pathlib import Path

import pytest

from ferbook import paths
from ferbook.answers import (
    PLACE,
    _scaled,
    answers_of,
    answers_text,
    claims_picture,
    counts_text,
    figure_link,
    log_verdicts,
)
from ferbook.book import chapters
from ferbook.claims import PaperClaim, Question, read_claims
from ferbook.errors import DataError, RunStoreError
from ferbook.estimate import Estimate
from ferbook.questions import claim_digest
from ferbook.store import open_run
from ferbook.verdicts import Evidence, ask, judge


@pytest.fixture
def run(finish_derl):
    return finish_derl("a", 2.0, faces="ckplus")


def of_derl(run):
    every = {each.main.claim.short: each for each in answers_of(run).verdicts}
    return every["The residue beats the face"]


def test_what_a_finished_chapter_answers_is_judged_and_the_rest_is_not_asked(run):
    verdicts = answers_of(run).verdicts
    controls = read_claims(paths.claims_file()).controls
    for each in verdicts:
        if each.paper.paper == "yang2018":
            missed = controls[each.main.claim.control].finds is False
            assert each.own.verdict == ("cannot be asked here" if missed else "holds")
    others = [each for each in verdicts if each.paper.paper != "yang2018"]
    assert {each.main.verdict for each in others} == {"not asked"}
    assert {one.why for each in others for one in each.own.answers} == {
        f"the run has no chapter {one.question.chapter}" for each in others for one in each.own.answers
    }


def test_the_page_names_each_claim_its_numbers_and_its_faces(run, tmp_path):
    text = answers_text(answers_of(run), tmp_path).replace("\u00a0", " ")
    for paper in read_claims(paths.claims_file()).papers:
        assert f"## {paper.name}" in text and f"{{cite:t}}`{paper.paper}`" in text
        for claim in paper.claims:
            assert text.count(claim.claim) == 1, "what is said twice is read once"
    assert "2.0 (95 % interval 1.0–3.0) points; asked: above 0 points" in text
    assert "(derl/derl.ipynb), on `ckplus` |" in text
    assert '<a href="derl/derl.html#figure-ablation">the figure that decides</a>' in text
    assert text.startswith("Of 23 claims **4** hold and **19** were not asked.\n\n<figure")
    assert '<figure class="fer-figure" id="figure-claims">' in text
    assert "Your run" not in text, "no reference, no second verdict"
    assert (paths.pages() / "answers.md").read_text().splitlines().count(PLACE) == 1


def test_the_page_says_of_each_control_what_is_planted_and_whether_it_is_found(run, tmp_path):
    text = answers_text(answers_of(run), tmp_path)
    claims = read_claims(paths.claims_file())
    every = [claim for paper in claims.papers for claim in paper.claims if claim.control]
    for name, control in claims.controls.items():
        assert (paths.root() / control.test).is_file(), f"{name}: no such test"
        planted = sum(claim.control == name for claim in every)
        assert planted and text.count(f"can be asked: {control.plants}. It ") == planted


def test_what_was_asked_on_other_heads_too_has_a_column_and_its_own_row(finish_derl, tmp_path):
    there = {"other_heads_ahead_of_cnn": Estimate(-2, -3, -1).to_json()}
    page = answers_text(answers_of(finish_derl("a", 2.0, metrics=there)), tmp_path).replace("\u00a0", " ")
    card = page.partition("What the generator takes off")[2].partition("How it was asked")[0]
    assert "\nOn other heads: {bdg-danger}`no` · " in card
    card = page.partition("A generator can make")[2].partition("How it was asked")[0]
    assert "On other heads" not in card
    assert "| {bdg-danger}`no` | *On other heads:* Is it ahead of a plain network" in page


def test_the_references_verdict_is_the_pages_and_the_runs_stands_beside(run, finish_derl, tmp_path):
    finish_derl("reference", -3.0, faces="ckplus")
    found = of_derl(run)
    assert (found.main.verdict, found.own.verdict) == ("does not hold", "holds")
    page = answers_text(answers_of(run), tmp_path)
    assert "{bdg-danger}`does not hold` **What the generator takes off" in page
    assert "*Your run:* {bdg-success}`holds` " in page
    picture = claims_picture(answers_of(run).verdicts)
    drawn = picture.data[picture.data["metric"].eq("derl.ahead_of_cnn")]
    drawn = drawn.set_index("run")[["value", "low", "high"]]
    assert drawn.loc["the reference"].tolist() == [-3, -4, -2] and drawn.loc["your run"].tolist() == [2, 1, 3]
    assert "3 does not hold, 1 holds" in picture.alt
    assert of_derl(open_run("reference")).reference is None, "the reference stands beside no other"


def test_a_reference_on_other_faces_does_not_judge_what_the_run_shows(finish_derl, tmp_path):
    run = finish_derl("a", 2.0, faces="lab")
    finish_derl("reference", -3.0, faces="ckplus")
    assert of_derl(run).reference is None
    assert "Your run" not in answers_text(answers_of(run), tmp_path)


def test_a_run_that_asked_the_same_networks_has_no_verdict_of_its_own(run, finish_derl, tmp_path):
    finish_derl("reference", 2.0, faces="ckplus")
    found = of_derl(run)
    assert found.reference is not None and not found.apart
    page = answers_text(answers_of(run), tmp_path)
    assert "*Your run* asked the same networks" in page and "*Your run:*" not in page
    assert "your run" not in set(claims_picture(answers_of(run).verdicts).data["run"])


def test_what_was_found_stands_in_a_sentence_and_what_stands_in_the_way_behind_it(finish_derl):
    told = {"accuracy": Estimate(0.7, unit="share", why="one").to_json()}
    told |= {"cnn_accuracy": Estimate(0.6, unit="share", why="one").to_json()}
    found = of_derl(finish_derl("a", 2.0, metrics=told)).main.finding.replace("\u00a0", " ")
    assert found.startswith("The residue's accuracy is 70.0 %, that of a plain network on the face 60.0 %")
    assert found.endswith("2.0 (95 % interval 1.0–3.0) points.")
    short = {"psnr_gain": Estimate(0.5, 0.4, 0.6).to_json()}
    found = of_derl(finish_derl("b", 2.0, metrics=told | short)).main.finding
    assert found.endswith("No: 0.50 (95\u00a0% interval 0.40–0.60); asked: above 1.00.")
    assert of_derl(finish_derl("c", 2.0)).main.finding.startswith("Is it ahead"), "without its numbers: why"


def test_a_question_that_decides_may_have_a_figure_of_its_own():
    first, second = (
        Question(asks="?", metric=f"derl.{name}", above=0, figure=figure)
        for name, figure in (("x", ""), ("y", "derl.maps"))
    )
    claim = PaperClaim(claim="c", short="s", certainty="R", questions=[first, second], figure="derl.quality")
    for x, y, figure in ((-2, 2, "derl.quality"), (2, -2, "derl.maps")):
        told = Evidence({"x": Estimate(x, x - 1, x + 1), "y": Estimate(y, y - 1, y + 1)})
        assert judge(claim, {"derl": told}, {}).figure == figure
    assert claim_digest(claim, {}) == claim_digest(
        claim.model_copy(update={"questions": (first, second.model_copy(update={"figure": ""}))}), {}
    ), "where one looks does not decide"


def test_how_many_is_said_in_one_sentence(run):
    one, other = [each for each in answers_of(run).verdicts if each.main.verdict == "holds"][:2]
    assert counts_text([one]) == "Of one claim **1** holds."
    assert counts_text([one, other]) == "Of 2 claims **2** hold."


def test_the_figure_to_look_at_is_one_that_the_chapter_draws(run):
    question = {"asks": "?", "metric": "derl.x", "above": 0}
    results = {"derl": Evidence(figures=frozenset({"accuracy"})), "training": Evidence()}

    def link(figure):
        claim = PaperClaim(claim="c", short="s", certainty="R", questions=[question], figure=figure)
        return figure_link(judge(claim, results, {}), results)

    assert link("") == link("derl.maps") == "", "this one was left out in this run"
    assert "#figure-accuracy" in link("derl.accuracy")
    with pytest.raises(DataError, match=r"'s': chapter 'derl' draws no figure 'acuracy' \(did you mean"):
        link("derl.acuracy")
    with pytest.raises(DataError, match=r"no chapter 'drel' \(did you mean 'derl'"):
        link("drel.accuracy")


def test_every_figure_that_a_claim_names_is_drawn_by_its_chapter(run):
    answers = answers_of(run)
    for each in answers.verdicts:
        figure_link(each.main, dict.fromkeys(chapters(), Evidence()))


def test_a_bar_in_a_question_does_not_end_its_cell(run, monkeypatch, tmp_path):
    file = tmp_path / "claims.yaml"
    file.write_text(
        "papers: [{paper: p, name: P, claims: [{claim: c, short: s, certainty: R, "
        "questions: [{asks: '|a|?', metric: derl.x, above: 0}]}]}]"
    )
    monkeypatch.setattr(paths, "claims_file", lambda: Path(file))
    assert "| \\|a\\|? |" in answers_text(answers_of(run), tmp_path)


def test_each_verdict_says_whether_it_survives_and_each_question_what_it_finds(finish_derl, tmp_path):
    text = answers_text(answers_of(finish_derl("a", 2.0, freedom=30.0)), tmp_path).replace("\u00a0", " ")
    # Two half-widths from 0, of 30 degrees of freedom: p = .0003, one of ten.
    assert "count of all questions: yes" in text.partition("expression better")[2].partition(":::")[0]
    # 2.042 + 0.854 standard errors, of which a half-width of 1 has 2.042.
    assert "asked: above 0 points | 1.42 points |" in text
    plain = answers_text(answers_of(finish_derl("b", 2.0)), tmp_path)
    assert "count of all questions" not in plain, "nothing is known of the tails"


def test_the_log_is_filled_by_what_a_run_asks(run, monkeypatch, tmp_path):
    file, claims = tmp_path / "questions.log.yaml", read_claims(paths.claims_file())
    kept = {"The residue beats the face", "Dropout helps"}
    rows = [
        f'    {claim.short}: {{before: holds, after: to be computed, digest: "{digest}"}}'
        for paper in claims.papers
        for claim in paper.claims
        for digest in [claim_digest(claim, claims.preconditions)]
        if claim.short in kept
    ]
    head = ["- day: 2026-11-22", "  what: A", "  why: B", "  number: known", "  claims:"]
    file.write_text("\n".join([*head, *rows]) + "\n")
    verdicts = answers_of(run).verdicts
    monkeypatch.setattr(paths, "questions_log", lambda: file)
    told = log_verdicts(verdicts)
    assert "1 put in\n  The residue beats the face: holds\n" in told and told.endswith(
        "otherwise: Dropout helps"
    )
    assert "The residue beats the face: {before: holds, after: holds," in file.read_text()


def test_a_run_that_is_not_there_is_named(run):
    with pytest.raises(RunStoreError, match="no run 'b'"):
        answers_of(open_run("b"))


@pytest.mark.parametrize(
    ("bound", "drawn"),
    [
        ({"above": 1}, (-1, -2, 0)),
        ({"below": 1}, (1, 0, 2)),
        ({"about": 1, "margin": 0.5}, (-1, -2, 0)),
        ({"above": 1, "counts": True}, (-1, None, None)),
    ],
)
def test_what_speaks_for_a_claim_is_drawn_to_the_right_of_its_bound(bound, drawn):
    results = {"derl": Evidence({"x": Estimate(0.0, -1.0, 1.0)})}
    ends = _scaled(ask(Question(asks="?", metric="derl.x", **bound), results), 1.0)
    shown = [ends[name] for name in ("value", "low", "high")]
    assert [None if value != value else value for value in shown] == list(drawn)
    assert "margin" not in bound or (ends["wide_low"], ends["wide_high"]) == (-0.5, 0.5)


def test_a_damaged_reference_judges_nothing(run, finish_derl):
    reference = finish_derl("reference", -3.0, faces="ckplus")
    (reference.result("derl").folder / "metrics.json").write_text("{}")
    assert of_derl(run).reference is None
    shutil.rmtree(reference.result("derl").folder)
    assert of_derl(run).reference is None
