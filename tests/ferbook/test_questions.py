"""What decides a claim is frozen: a change without its entry is named, wherever it is made."""

import re

import pytest
import yaml

from ferbook import paths
from ferbook.answers import answers_of
from ferbook.claims import Claims, Question, read_claims
from ferbook.errors import DataError
from ferbook.questions import TO_COMPUTE, claim_digest, fill_log, log_text, read_log, require_logged
from ferbook.store import open_run

CLAIM = {
    "claim": "A die is fair.",
    "short": "Fair",
    "certainty": "N",
    "requires": ["thrown_often"],
    "questions": [{"asks": "Is it?", "metric": "throws.gain", "above": 0, "margin": 0.5, "unit": "points"}],
}
CONTROLS = {"loaded": {"plants": "a die with a heavy side", "test": "test_dice.py"}}

ENTRY = {"day": "2026-11-22", "what": "Frozen.", "why": "A start.", "number": "known"}


def claims(**changes):
    often = {"asks": "Often?", "metric": "throws.count", "above": changes.pop("often", 4), "counts": True}
    paper = {"paper": "pascal1654", "name": "Pascal", "claims": [CLAIM | changes]}
    before = {"preconditions": {"thrown_often": often}, "controls": CONTROLS}
    return Claims.model_validate(before | {"papers": [paper]})


def digest_of(made):
    return claim_digest(made.papers[0].claims[0], made.preconditions)


def entry(name="Fair", digest="", after="holds", **changes):
    return ENTRY | {"claims": {name: {"before": "holds", "after": after, "digest": digest}}} | changes


def log(tmp_path, *entries):
    file = tmp_path / "questions.log.yaml"
    file.write_text(yaml.safe_dump(list(entries)))
    return read_log(file)


def question(**changes):
    return {"questions": [CLAIM["questions"][0] | changes]}


def test_the_committed_log_holds_what_the_committed_claims_ask():
    require_logged(read_claims(paths.claims_file()), read_log(paths.questions_log()), paths.questions_log())


def test_each_entry_goes_on_from_the_one_before_and_the_last_has_what_the_reference_answers():
    last = {}
    for change in read_log(paths.questions_log()):
        for name, decision in change.claims.items():
            if name in last and last[name].digest:
                assert decision.before in (last[name].after, TO_COMPUTE), (change.day, name)
            last[name] = decision
    logged = {name: each.after for name, each in last.items() if each.after not in ("gone", TO_COMPUTE)}
    verdicts = {each.own.claim.short: each.own.verdict for each in answers_of(open_run("reference")).verdicts}
    assert logged.items() <= verdicts.items()


@pytest.mark.parametrize(
    "change",
    [
        {"claim": "A die is nearly fair."},
        {"requires": []},
        {"often": 3},
        {"control": "loaded"},
        question(above=-1),
        question(margin=0.6),
        question(metric="throws.loss"),
        {"questions": [*CLAIM["questions"], CLAIM["questions"][0] | {"beside": True}]},
    ],
)
def test_a_change_of_what_decides_needs_an_entry(change, tmp_path):
    frozen = log(tmp_path, entry(digest=digest_of(claims())))
    require_logged(claims(), frozen, tmp_path)
    with pytest.raises(DataError, match="'Fair' is not what was frozen on 2026-11-22") as refusal:
        require_logged(claims(**change), frozen, tmp_path)
    remedy = re.search(r"now (\w+)", str(refusal.value))[1]
    require_logged(
        claims(**change), log(tmp_path, entry(digest=digest_of(claims())), entry(digest=remedy)), tmp_path
    )


@pytest.mark.parametrize("change", [question(asks="Really?"), question(unit=""), {"figure": "throws.counts"}])
def test_other_words_need_none(change):
    assert digest_of(claims(**change)) == digest_of(claims())


def test_a_field_that_is_added_later_changes_no_digest_where_it_has_its_default():
    asked = claims().papers[0].claims[0].questions[0]
    later = type("Later", (Question,), {"__annotations__": {"level": str}, "level": ""})
    grown = later.model_validate(asked.model_dump())
    claim = claims().papers[0].claims[0]
    assert claim_digest(
        claim.model_copy(update={"questions": (grown,)}), claims().preconditions
    ) == digest_of(claims())


def test_new_claims_and_those_that_are_gone_need_an_entry_too(tmp_path):
    with pytest.raises(
        DataError, match="no entry about the claim 'Fair', whose digest is " + digest_of(claims())
    ):
        require_logged(claims(), (), tmp_path)
    own, other = entry(digest=digest_of(claims())), entry("Loaded", digest="0" * 12)
    with pytest.raises(DataError, match="'Loaded', last logged on 2026-11-22, is not in"):
        require_logged(claims(), log(tmp_path, own, other), tmp_path)
    require_logged(claims(), log(tmp_path, own, other, entry("Loaded", after="gone")), tmp_path)


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        ([entry(digest="0" * 12), entry(digest="1" * 12, day="2026-11-21")], "stands after that of"),
        ([entry()], "entry 1.*needs a digest"),
        ([entry(digest="0" * 12, commit="abc1234")], "entry 1.*needs a digest, unless"),
        ([entry(digest="short")], "entry 1, claims, Fair, digest"),
        ([entry(digest="0" * 12, number="guessed")], "entry 1, number"),
        ([entry(digest="0" * 12, why=None)], "entry 1, why"),
    ],
)
def test_a_damaged_log_is_named_by_file_and_entry(entries, fault, tmp_path):
    with pytest.raises(DataError, match=f"questions.log.yaml.*{fault}"):
        log(tmp_path, *entries)


def test_the_page_tells_old_changes_from_those_since_the_freeze_and_what_each_did(tmp_path):
    old = ENTRY | {"commit": "abc1234", "claims": {"Fair": {"before": "not settled", "after": "holds"}}}
    text = log_text(log(tmp_path, old, entry(digest="0" * 12, number="not known")))
    before, since = text.split("### Frozen, and changed since")
    assert "commit `abc1234`" in before and "| Fair | not settled | holds |" in before
    assert "{dropdown} 22 November 2026, number known: Fair" in before
    assert "The same verdict before and after: Fair (holds)." in since and "number not known: Fair" in since


def test_the_title_of_a_change_to_many_claims_gives_their_number(tmp_path):
    digest = {"before": "holds", "after": "holds", "digest": "0" * 12}
    many = ENTRY | {"claims": dict.fromkeys(("A", "B", "C", "D"), digest)}
    assert "number known: 4 claims" in log_text(log(tmp_path, many))


def test_verdicts_are_put_where_they_are_to_be_computed_and_nothing_else_moves(tmp_path):
    file = tmp_path / "questions.log.yaml"
    text = """# A comment stays.

- day: 2026-11-22
  what: After, to be computed.
  why: A start.
  number: known
  claims:
    Breuer's, of a die: {before: new, after: to be computed, digest: "0123456789ab"}
    Fair: {before: holds, after: to be computed, digest: "ba9876543210"}
    Loaded: {before: holds, after: holds, digest: "ba9876543210"}
"""
    file.write_text(text)
    told = {
        ("Breuer's, of a die", "0123456789ab"): "does not hold",
        ("Fair", "0" * 12): "holds",
        ("Loaded", "ba9876543210"): "not settled",
    }
    assert fill_log(file, told) == ([("Breuer's, of a die", "does not hold")], ["Fair"])
    filled = text.replace("new, after: to be computed", "new, after: does not hold")
    assert file.read_text() == filled and read_log(file)[0].claims["Fair"].after == "to be computed"
    assert fill_log(file, told) == ([], ["Fair"])
