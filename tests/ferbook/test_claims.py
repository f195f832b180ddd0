"""What papers claim and report, as it is read: what is damaged is named, and what decides is frozen."""

import re

import pytest
import yaml

from ferbook import paths
from ferbook.claims import Claims, claim_digest, read_claims, require_logged
from ferbook.errors import DataError

DIE = {"claim": "A die is fair.", "short": "Fair", "form": "difference", "polarity": "as_good"}
DIE |= {"measure": "throws.gain", "why": "Both were thrown.", "matters": 2, "unit": "points"}
DIE |= {"gates": ["thrown_often"], "certainty": "N", "absolute": "It fell on six {throws.sixes} times."}
DIE |= {"table": [["**this die**", "throws.sixes"], ["a fair one", "throws.fair"]]}
DEGREE = {"form": "degree", "polarity": None, "floor": "no weight", "ceiling": "a heavy side"}
OFTEN = {"requires": "Often?", "metric": "throws.throws", "above": 4}
LOADED = {"before": "no", "digest": "0" * 12}
ENTRY = {"day": "2026-11-28", "what": "Frozen.", "why": "A start."}


def content(claim=(), gate=(), **others):
    made = {key: value for key, value in (DIE | dict(claim)).items() if value is not None}
    gates = {"thrown_often": {key: value for key, value in (OFTEN | dict(gate)).items() if value is not None}}
    paper = {"paper": "pascal1654", "name": "Pascal", "claims": [made]}
    return {"gates": gates, "papers": [paper]} | others


@pytest.fixture
def read(tmp_path):
    def read(*args, **kwargs):
        file = tmp_path / "claims.yaml"
        file.write_text(yaml.safe_dump(content(*args, **kwargs)))
        return read_claims(file)

    return read


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"claim": DEGREE | {"floor": ""}}, "'Fair' is a degree without a floor"),
        ({"claim": DEGREE | {"unit": "dB"}}, "'Fair' is a degree in dB, which have no upper bound"),
        ({"claim": DEGREE | {"polarity": "more"}}, "'Fair': a difference has a polarity, a degree has none"),
        ({"claim": {"polarity": None}}, "'Fair': a difference has a polarity"),
        ({"claim": {"floor": "nothing", "ceiling": "all"}}, "'Fair' is a difference, which has neither"),
        ({"claim": {"form": "verdict"}}, "entry 1, claims, entry 1, form: Input should be 'degree'"),
        ({"claim": {"matters": 0}}, "matters: Input should be greater than 0"),
        ({"claim": {"measure": "gain"}}, "'gain' is not of the form chapter.metric"),
        ({"claim": {"short": "F" * 45}}, "short: String should have at most 44"),
        ({"claim": {"questions": []}}, "questions: Extra inputs are not permitted"),
        ({"claim": {"gates": ["thrown_oft"]}}, r"'thrown_oft', .* \(did you mean 'thrown_often'"),
        ({"claim": {"absolute": None}}, "'Fair' has no absolute measure"),
        ({"claim": {"second": ["{throws.gain} of {gain}"]}}, "'Fair': .* around no chapter.metric"),
        ({"claim": {"table": DIE["table"][:1]}}, "'Fair' has no control"),
        ({"claim": {"table": [["a", "throws.a"], ["b", "throws.b"]]}}, "'Fair' has no control"),
        ({"claim": {"sample": [["dice", "throws"]]}}, "'throws' is not of the form chapter.metric"),
        ({"gate": {"below": 3}}, "gates, thrown_often: .*one of above, below and not_above"),
        ({"gate": {"metric": None, "above": None, "noted": "throws.sides"}}, "noted with what it equals"),
        ({"log": [ENTRY, ENTRY | {"day": "2026-11-27"}]}, "the entry of 2026-11-27 follows that of"),
        ({"log": [ENTRY | {"claims": {"Fair": LOADED}}] * 2}, "of 2026-11-28 has no answer after .*'Fair'"),
        ({"log": [ENTRY | {"claims": {"Fair": LOADED | {"before": ""}}}]}, "Fair, before"),
        ({"log": [ENTRY | {"why": None}]}, "log, entry 1, why"),
        ({"log": [ENTRY | {"claims": {"Fair": {"before": "new", "digest": "short"}}}]}, "Fair, digest"),
    ],
)
def test_what_is_damaged_is_named_by_file_and_place(read, change, fault):
    with pytest.raises(DataError, match=f"claims.yaml: .*{fault}"):
        read(**change)


def test_two_claims_of_one_name_are_refused_and_two_blocks_of_one_paper_are_one_list(read):
    first = content()["papers"][0]
    again = first | {"name": "Pascal, again", "claims": [DIE | {"short": "Fairer"}]}
    claims = read(papers=[first, {**first, "paper": "huygens1657", "claims": []}, again])
    assert claims.headings == {"pascal1654": "Pascal, again", "huygens1657": "Pascal"}
    assert [claim.short for claim in claims.every] == ["Fair", "Fairer"]
    with pytest.raises(DataError, match="two claims are called 'Fair'"):
        read(papers=[first, first])


def test_the_committed_claims_are_those_that_were_frozen_and_fit_on_a_few_screens():
    file = paths.claims_file()
    claims = read_claims(file)
    require_logged(claims, file)
    assert len(claims.every) >= 23 and len(file.read_text().splitlines()) <= 750
    assert not {gate for gate in claims.gates if not any(gate in each.gates for each in claims.every)}


def logged(tmp_path, *digests, **changes):
    decision = {"before": "new", "after": "yes"}
    entries = [ENTRY | {"claims": {"Fair": decision | {"digest": digest}}} for digest in digests]
    require_logged(Claims.model_validate(content(log=entries, **changes)), tmp_path / "claims.yaml")


def digest_of(**changes):
    made = Claims.model_validate(content(**changes))
    return claim_digest(made.every[0], made.gates)


@pytest.mark.parametrize(
    "change",
    [
        {"claim": {"claim": "A die is nearly fair."}},
        {"claim": {"gates": []}},
        {"claim": {"measure": "throws.loss"}},
        {"claim": DEGREE},
        {"gate": {"above": 3}},
    ],
)
def test_a_change_of_what_decides_needs_an_entry(change, tmp_path):
    logged(tmp_path, digest_of())
    with pytest.raises(DataError, match="'Fair' is not what was frozen on 2026-11-28") as refusal:
        logged(tmp_path, digest_of(), **change)
    remedy = re.search(r"now (\w+)", str(refusal.value))[1]
    logged(tmp_path, digest_of(), remedy, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"claim": {"why": "Others were thrown."}},
        {"claim": {"figure": "throws.counts"}},
        {"claim": {"absolute": "{throws.fours} fours.", "second": ["{throws.ones} ones."], "quantity": "n"}},
        {"claim": {"table": [*DIE["table"], ["none", "throws.none"]], "sample": [["dice", "throws.dice"]]}},
        {"claim": {"reported": "1 in 6", "certainty": "S"}},
        {"gate": {"requires": "Very often?"}},
        {"gate": {"own": 1}},
    ],
)
def test_other_words_and_the_bound_of_a_run_of_ones_own_need_none(change):
    assert digest_of(**change) == digest_of()


def test_new_claims_and_those_that_are_gone_need_an_entry_too(tmp_path):
    with pytest.raises(DataError, match=f"no entry about the claim 'Fair', whose digest is {digest_of()}"):
        require_logged(Claims.model_validate(content(log=[ENTRY])), tmp_path / "claims.yaml")
    both = {"Fair": {"before": "new", "digest": digest_of()}, "Loaded": LOADED}
    with pytest.raises(DataError, match="'Loaded', last logged on 2026-11-28, is no longer there"):
        require_logged(Claims.model_validate(content(log=[ENTRY | {"claims": both}])), tmp_path / "c")
    both["Loaded"] = LOADED | {"after": "no"}
    gone = ENTRY | {"claims": {"Loaded": {"before": "no", "after": "gone"}}}
    require_logged(Claims.model_validate(content(log=[ENTRY | {"claims": both}, gone])), tmp_path / "c")
    require_logged(Claims.model_validate(content()), tmp_path / "a draft has no log")


def test_a_reference_that_is_older_than_the_questions_is_the_former_one():
    claims = Claims.model_validate(content(frozen="2026-11-28 15:20:02+00:00"))
    assert claims.is_former("2026-11-28T06:34:01+00:00") and claims.is_former("2026-11-28T16:20:01+01:00")
    assert not claims.is_former("2026-11-28T15:20:03+00:00")
    assert claims.is_former("tomorrow") and claims.is_former("2030-01-01T00:00:00")
    assert not Claims.model_validate(content()).is_former("2000-01-01T00:00:00+00:00")
