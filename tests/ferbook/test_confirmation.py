"""The one run that confirms: made as planned, asked once, and never again."""

import json

import pytest
import yaml

from ferbook import paths
from ferbook.answers import answers_of, answers_text
from ferbook.claims import read_claims
from ferbook.confirmation import read_confirmation, write_confirmation
from ferbook.errors import DataError, ParameterError, RunStoreError

RESIDUE = "The residue beats the face"


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """Plan a run about ``derl``; the claims are the suite's own."""
    content = yaml.safe_load(paths.claims_file().read_text("utf-8"))

    def write(**changes):
        content["confirmation"] = {
            **{"run": "again", "about": "new people", "chapters": ["derl"], "profile": "smoke"},
            **{"parameters": {"face_seed": 2}},
            **changes,
        }
        file = tmp_path / "claims.yaml"
        file.write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
        monkeypatch.setattr(paths, "claims_file", lambda: file)
        return tmp_path / "confirmation.json"

    return write


def test_a_claim_is_confirmed_where_verdict_and_answers_are_those_of_the_reference(
    plan, finish_derl, tmp_path
):
    file = plan()
    finish_derl("again", 4.0, face_seed=2)
    confirmation = write_confirmation(paths.confirmation_file())
    assert confirmation == read_confirmation(file) and confirmation.commit == "abc"
    claims = read_claims(paths.claims_file())
    deciding = {each.short for paper in claims.papers if paper.paper == "yang2018" for each in paper.claims}
    assert set(confirmation.claims) == deciding, "whose questions the run does not answer is left out"
    assert [each.answer for each in confirmation.claims[RESIDUE].replies] == ["yes"]

    def of_residue(run):
        return {each.main.claim.short: each for each in answers_of(run).verdicts}[RESIDUE]

    reference = finish_derl("reference", 2.0)
    assert of_residue(reference).confirmed == "confirmed"
    page = answers_text(answers_of(reference), tmp_path).replace("\u00a0", " ")
    assert page.startswith(
        "Of 23 claims **4** hold and **19** were not asked. 4 were asked once more, of new people"
    )
    assert "of new people: **4** of them are confirmed." in page
    assert "Asked once more: {bdg-success}`confirmed`" in page
    assert "*Asked once more* ([how](questions.md)): holds. yes: 4.0 (95 % interval 3.0–5.0)" in page
    own = of_residue(finish_derl("mine", -2.0))
    assert own.confirmed == "confirmed", "it is the reference that is confirmed, not one's own run"
    assert of_residue(finish_derl("others", -2.0, faces="ckplus")).confirmed == "", "of other faces"


def test_another_answer_does_not_confirm_and_stays(plan, finish_derl, tmp_path):
    file = plan()
    finish_derl("again", -4.0, face_seed=2)
    write_confirmation(file)
    page = answers_text(answers_of(finish_derl("reference", 2.0)), tmp_path).replace("\u00a0", " ")
    assert "Asked once more: {bdg-danger}`not confirmed`" in page
    assert "*Asked once more* ([how](questions.md)): does not hold. no (reference: yes): −4.0" in page
    content = file.read_bytes()
    finish_derl("again-2", 4.0, face_seed=2)
    plan(run="again-2")
    with pytest.raises(DataError, match=r"confirmation\.json: the run that confirms has answered"):
        write_confirmation(file)
    assert file.read_bytes() == content


def test_of_a_question_that_was_changed_since_the_reply_stays_and_confirms_nothing(
    plan, finish_derl, tmp_path
):
    file = plan()
    finish_derl("again", -4.0, face_seed=2)
    write_confirmation(file)
    content = json.loads(file.read_text("utf-8"))
    content["claims"][RESIDUE]["digest"] = "0" * 12
    file.write_text(json.dumps(content), "utf-8")
    answers = answers_of(finish_derl("reference", 4.0))
    confirmed = {each.main.claim.short: each.confirmed for each in answers.verdicts}
    assert confirmed[RESIDUE] == "" and sum(map(bool, confirmed.values())) == 3
    page = answers_text(answers, tmp_path).replace("\u00a0", " ")
    assert f"so that nothing is confirmed: *{RESIDUE}*: does not hold." in page
    assert "Asked once more, by an earlier question: {bdg-danger}`does not hold`" in page
    assert ", by an earlier question: does not hold. no: −4.0 (95 % interval −5.0 to −3.0)" in page


def test_a_run_that_was_not_made_as_planned_does_not_answer(plan, finish_derl):
    file = plan()
    command = "`ferbook run derl --profile smoke --run again -p face_seed=2` makes it"
    with pytest.raises(RunStoreError, match=f"'again' has no finished derl: {command}"):
        write_confirmation(file)
    finish_derl("again", 4.0, face_seed=3)
    with pytest.raises(ParameterError, match="derl was made with face_seed=3, and face_seed=2 was planned"):
        write_confirmation(file)
    assert not file.exists()


def test_without_a_plan_and_with_a_damaged_file_it_is_said(plan, finish_derl):
    file = plan()
    file.write_text('{"day": "tomorrow"}', "utf-8")
    with pytest.raises(DataError, match=r"confirmation\.json: day"):
        answers_of(finish_derl("reference", 4.0))
    content = yaml.safe_load(paths.claims_file().read_text("utf-8"))
    del content["confirmation"]
    paths.claims_file().write_text(yaml.safe_dump(content), "utf-8")
    with pytest.raises(DataError, match="no run is planned that confirms"):
        write_confirmation(file)
