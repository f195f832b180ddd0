"""Claims are judged by intervals against bounds, and by nothing else."""

import pytest

from fer_lib.look.sanity import REMAINDER_LIMIT
from ferbook import paths
from ferbook.book import chapters
from ferbook.claims import PaperClaim, Question, ask, judge, read_claims
from ferbook.errors import DataError
from ferbook.estimate import Estimate
from ferbook.text import MetricError

METRICS = {
    "training": {
        "accuracy": Estimate(0.8, 0.7, 0.9, unit="share"),
        "null": Estimate(0.25, unit="share"),
        "gain": Estimate(-4.0, -7.0, -1.0),
        "lone": Estimate(0.0, why="one person"),
        "filters": Estimate(9, unit="count"),
        "untrained": Estimate(9, unit="count"),
    },
    "derl": {},
}


QUESTION = (
    "papers: [{{paper: a, name: b, claims: [{{claim: c, certainty: S, questions: [{{asks: '?', {}}}]}}]}}]"
)


def question(metric, **bound):
    return Question(asks="Is it?", metric=f"training.{metric}", **bound)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (question("accuracy", above=0.69), "yes"),
        (question("accuracy", above=0.71), "open"),
        (question("accuracy", above=0.9), "open"),
        (question("accuracy", above=0.91), "no"),
        (question("accuracy", below=0.91), "yes"),
        (question("accuracy", below=0.69), "no"),
        (question("accuracy", above="training.null"), "yes"),
        (question("gain", above=0), "no"),
        (question("lone", above=-1), "open"),
        (question("filters", above=8, counts=True), "yes"),
        (question("filters", above="training.untrained", counts=True), "no"),
        (question("absent", above=0), "not asked"),
        (question("accuracy", above="derl.absent"), "not asked"),
    ],
)
def test_an_answer_needs_the_whole_interval_on_one_side(asked, answer):
    assert ask(asked, METRICS).answer == answer


def test_an_answer_shows_what_was_measured_and_the_bound():
    told = ask(question("gain", above=0, unit="points"), METRICS)
    assert told.measured.replace("\u00a0", " ") == "−4.00 (95 % interval −7.00 to −1.00) points"
    assert told.bound == "0 points"
    assert ask(question("lone", above=0), METRICS).why == "it has no interval"


@pytest.mark.parametrize(
    ("bounds", "verdict"),
    [
        ([0.5, 0.6], "holds here"),
        ([0.5, 0.95], "holds in part"),
        ([0.95], "does not hold here"),
        ([0.95, 0.8], "does not hold here"),
        ([0.5, 0.8], "not settled here"),
        (["derl.absent", 0.5], "not settled here"),
        (["derl.absent"], "not asked here"),
    ],
)
def test_a_verdict_follows_from_the_answers(bounds, verdict):
    claim = PaperClaim(
        claim="b", certainty="S", questions=[question("accuracy", above=bound) for bound in bounds]
    )
    assert judge(claim, METRICS).verdict == verdict
    beside = question("accuracy", above=0.95, beside=True)
    more = claim.model_copy(update={"questions": (*claim.questions, beside)})
    assert judge(more, METRICS).verdict == verdict


def test_a_number_without_an_interval_answers_nothing():
    with pytest.raises(MetricError, match=r"training\.null: it has no interval"):
        ask(question("null", above=0), METRICS)


def test_an_unknown_chapter_is_a_slip_of_the_pen():
    with pytest.raises(DataError, match=r"no chapter 'trainnig' \(did you mean 'training'\?\)"):
        ask(Question(asks="?", metric="trainnig.accuracy", above=0), METRICS)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- [", "not YAML"),
        ("a: 1", "papers: Field required"),
        ("- paper: a", "its content"),
        ("papers: [paper: a]", "papers, number 1, name: Field required"),
        (
            "papers: [{paper: a, name: b, claims: [{claim: c, certainty: X, questions: []}]}]",
            "claims, number 1, certainty",
        ),
        (
            "{papers: [], reported: {derl: {caption: c, numbers: [{certainty: R}]}}}",
            "reported, derl, numbers, number 1: .*certainty N and no accuracy go together",
        ),
        (QUESTION.format("metric: a.b"), "questions, number 1: .*above or below"),
        (QUESTION.format("metric: ab, above: 0"), "'ab' is not of the form chapter.metric"),
    ],
)
def test_a_damaged_file_is_named_with_the_place(tmp_path, text, told):
    file = tmp_path / "claims.yaml"
    file.write_text(text)
    with pytest.raises(DataError, match=rf"(?s){file}.*{told}"):
        read_claims(file)
    with pytest.raises(DataError, match=r"none\.yaml: cannot be read"):
        read_claims(tmp_path / "none.yaml")


def test_the_suites_claims_name_chapters_papers_and_limits_that_there_are():
    papers = read_claims(paths.claims()).papers
    cited = (paths.book() / "references.bib").read_text()
    keys = [paper.paper for paper in papers]
    assert keys == ["khorrami2015", "zhu2019", "liu2019", "yang2018", "breuer2017"]
    assert all(f"{{{key}," in cited for key in keys)
    claims = [claim for paper in papers for claim in paper.claims]
    for claim in claims:
        assert any(not question.beside for question in claim.questions), claim.claim
        assert {question.chapter for question in claim.questions} <= set(chapters())
    (remainder,) = (
        q for c in claims for q in c.questions if q.metric == "deconvolution.random_weights_deconv"
    )
    assert remainder.below == REMAINDER_LIMIT, "the chapter's own limit"
