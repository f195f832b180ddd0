"""What a run says of the claims: on the page and on the command line."""

import pytest

from ferbook import paths
from ferbook.book import chapters
from ferbook.claims import PLACE, Paper, PaperClaim, claims_text, faces_of, judge, judged_claims, read_claims
from ferbook.errors import RunStoreError
from ferbook.request import Request
from ferbook.run import _write_record
from ferbook.store import open_run, write_json


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run of which only ``derl`` has finished."""
    monkeypatch.setenv("FER_RUNS", str(tmp_path / "runs"))
    run = open_run("a")
    request = Request("smoke", {"derl.faces": "ckplus"})
    run.folder.mkdir(parents=True)
    staged = tmp_path / "staged"
    ahead = {"low": 1.0, "high": 3.0, "unit": "", "how": "95 % bootstrap"}
    names = ("ahead_of_cnn", "ahead_of_pixel_difference", "ahead_of_untrained_generator")
    write_json(staged / "metrics.json", {name: {"value": 2.0, **ahead} for name in names})
    write_json(staged / "record.json", {"figures": {}})
    run.result("derl").commit(staged, {})
    _write_record(run, request, {name: request.of_chapter(chapter) for name, chapter in chapters().items()})
    return run


def test_what_a_finished_chapter_answers_is_judged_and_the_rest_is_not_asked(run):
    verdicts = {paper.paper: {each.verdict for each in claims} for paper, claims in judged_claims(run)}
    assert verdicts.pop("yang2018") == {"holds here"}
    assert set.union(*verdicts.values()) == {"not asked here"}
    absent = [one for _, claims in judged_claims(run) for each in claims for one in each.answers]
    absent = [one for one in absent if one.question.chapter != "derl"]
    assert all(one.why == f"the run has no chapter {one.question.chapter}" for one in absent)


def test_the_page_names_each_claim_its_numbers_and_its_faces(run):
    text = claims_text(judged_claims(run), faces_of(run))
    for paper in read_claims(paths.claims()).papers:
        assert f"## {paper.name}" in text and f"{{cite:t}}`{paper.paper}`" in text
        for claim in paper.claims:
            assert text.count(claim.claim) == 2, "once in the overview, once with its questions"
    assert "2.00 (95 % interval 1.00–3.00) points; asked: above 0 points" in text.replace("\u00a0", " ")
    assert "(derl/derl.ipynb), on `ckplus` |" in text and "(training/training.ipynb), on `lab` |" in text
    assert (paths.book() / "answers.md").read_text().splitlines().count(PLACE) == 1


def test_a_bar_in_a_question_does_not_end_its_cell():
    claim = PaperClaim(claim="c", certainty="R", questions=[{"asks": "|a|?", "metric": "derl.x", "above": 0}])
    paper = Paper(paper="p", name="P", claims=[claim])
    assert "| \\|a\\|? |" in claims_text([(paper, [judge(claim, {"derl": {}})])], {})


def test_a_run_that_is_not_there_is_named(run):
    with pytest.raises(RunStoreError, match="no run 'b'"):
        judged_claims(open_run("b"))
