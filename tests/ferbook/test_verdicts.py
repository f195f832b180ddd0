"""Claims are judged by intervals against bounds, and by nothing else."""

import pytest

from fer_lib.look.sanity import REMAINDER_LIMIT
from ferbook import paths
from ferbook.book import chapters
from ferbook.claims import Control, Fact, PaperClaim, Question, read_claims
from ferbook.errors import DataError
from ferbook.estimate import Estimate
from ferbook.text import MetricError
from ferbook.verdicts import Evidence, ask, correct, judge

METRICS = {
    "accuracy": Estimate(0.8, 0.7, 0.9, unit="share"),
    "null": Estimate(25, unit="count"),
    "gain": Estimate(-4.0, -7.0, -1.0),
    "lone": Estimate(0.0, why="one person"),
    "filters": Estimate(9, unit="count"),
    "untrained": Estimate(9, unit="count"),
}
RESULTS = {"training": Evidence(METRICS, {"network": "zero_bias", "folds": 2}), "derl": Evidence()}


QUESTION = (
    "papers: [{{paper: a, name: b, claims: [{{claim: c, short: c, certainty: S, "
    "questions: [{{asks: '?', {}}}]}}]}}]"
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
        (question("gain", above=0), "no"),
        (question("gain", above=0, margin=7.1), "no difference"),
        (question("gain", above=0, margin=6.9), "no"),
        (question("gain", below=0, margin=7.1), "no difference"),
        (question("gain", below=0, margin=7), "yes"),
        (question("gain", about=-3, margin=4.1), "yes"),
        (question("gain", about=-3.5, margin=3.1), "open"),
        (question("gain", about=-3, margin=3), "too few"),
        (question("gain", above=-3, margin=3), "too few"),
        (question("gain", above=-3, margin=3.1), "open"),
        (question("gain", about=4, margin=4.9), "no"),
        (question("lone", about=0, margin=1), "open"),
        (question("lone", above=-1), "open"),
        (question("filters", above=8, counts=True), "yes"),
        (question("filters", above="training.untrained", counts=True), "no"),
        (question("absent", above=0), "not asked"),
        (question("filters", above="derl.absent", counts=True), "not asked"),
        (Fact(asks="?", noted="training.network", equals="zero_bias"), "yes"),
        (Fact(asks="?", noted="training.folds", equals=3), "no"),
        (Fact(asks="?", noted="training.absent", equals=3), "not asked"),
    ],
)
def test_an_answer_needs_the_whole_interval_on_one_side(asked, answer):
    assert ask(asked, RESULTS).answer == answer


def test_an_answer_shows_what_was_measured_and_the_bound():
    told = ask(question("gain", above=0, unit="points"), RESULTS)
    assert told.measured.replace("\u00a0", " ") == "−4.0 (95 % interval −7.0 to −1.0) points"
    assert told.asked == "above 0 points"
    told = ask(question("gain", above=0, unit="points", margin=8), RESULTS)
    assert told.asked == "above 0 points (within 8.00 points of 0 points: no difference)"
    assert ask(question("accuracy", about=0.5, margin=0.1), RESULTS).asked.replace("\u00a0", " ") == (
        "within 10.0 % of 50.0 %"
    )
    told = ask(question("filters", above="training.untrained", counts=True), RESULTS)
    assert told.sentence == "Is it? No: 9; asked: above 9."
    assert ask(question("lone", above=0), RESULTS).why == "it has no interval"


def claim(*questions, **fields):
    return PaperClaim(claim="b", short="b", certainty="S", questions=questions, **fields)


@pytest.mark.parametrize(
    ("bounds", "verdict", "deciding"),
    [
        ([0.5, 0.6], "holds", 1),
        ([0.6, 0.5], "holds", 0),
        ([0.5, 0.95], "does not hold", 1),
        ([0.95], "does not hold", 0),
        ([0.95, 0.8], "does not hold", 0),
        ([0.8, 0.96], "does not hold", 1),
        ([0.5, 0.8], "not settled", 1),
        ([None, 0.5], "not settled", 0),
        ([None], "not asked", 0),
    ],
)
def test_a_verdict_follows_from_the_answers_and_names_the_one_that_decided(bounds, verdict, deciding):
    asked = [question("accuracy", above=b) if b else question("absent", above=0) for b in bounds]
    judged = judge(claim(*asked), RESULTS, {})
    assert judged.verdict == verdict
    assert judged.deciding is judged.answers[deciding] and judged.why == judged.deciding.sentence
    beside = question("accuracy", above=0.95, beside=True)
    assert judge(claim(*asked, beside), RESULTS, {}).verdict == verdict


@pytest.mark.parametrize(
    ("bounds", "verdict"),
    [([0], "does not hold"), ([0, 1], "does not hold"), ([0, -8], "does not hold"), ([-3.5], "not settled")],
)
def test_no_difference_is_an_answer_against_a_claim(bounds, verdict):
    asked = [question("gain", above=bound, margin=None if bound else 8) for bound in bounds]
    assert judge(claim(*asked), RESULTS, {}).verdict == verdict


PRECONDITIONS = {
    "trained": question("accuracy", above=0.5),
    "well trained": question("accuracy", above=0.8),
    "residual": Fact(asks="Is it residual?", noted="training.network", equals="residual"),
}


def test_a_claim_is_not_settled_until_its_preconditions_hold():
    def judged(*requires, above=0.5):
        return judge(claim(question("accuracy", above=above), requires=requires), RESULTS, PRECONDITIONS)

    assert judged("trained").verdict == "holds"
    assert judged("trained", "well trained").verdict == "not settled"
    other = judged("trained", "residual", above=0.95)
    assert other.verdict == "not settled", "a claim about one network is not answered by another's run"
    assert other.why == "First of all: Is it residual? No: zero_bias; asked: residual."


def test_a_claim_cannot_be_asked_here_where_what_was_planted_is_not_found():
    asked = claim(question("accuracy", above=0.5)).model_copy(update={"control": "planted"})

    def judged(finds, metric="accuracy"):
        control = Control(plants="a true gain", test="test_gain.py", finds=finds)
        own = asked.model_copy(update={"questions": (question(metric, above=0.5),)})
        return judge(own, RESULTS, {}, {"planted": control})

    assert judged(True).verdict == judged(None).verdict == "holds"
    assert judged(False, "absent").verdict == "not asked"
    blind = judged(False)
    assert blind.verdict == "cannot be asked here"
    assert blind.why == "Where it was planted, it was not found either: a true gain."
    assert blind.to_json()["control"] == {"plants": "a true gain", "test": "test_gain.py", "finds": False}


def test_a_claim_cannot_be_asked_where_fewer_were_counted_than_it_needs():
    many = {
        "many": question("filters", above=9, counts=True),
        "some": question("filters", above=8, counts=True),
    }
    asked = question("accuracy", above=0.5)
    assert judge(claim(asked, requires=("some",)), RESULTS, many).verdict == "holds"
    few = judge(claim(asked, requires=("some", "many")), RESULTS, many)
    assert few.verdict == "cannot be asked with this many"
    assert few.why == "First of all: Is it? No: 9; asked: above 9."
    absent = {"many": question("absent", above=9, counts=True)}
    assert judge(claim(asked, requires=("many",)), RESULTS, absent).verdict == "not settled"


@pytest.mark.parametrize(
    ("strong", "answer"),
    [
        (question("accuracy", above=0.95), "No"),
        (question("accuracy", above=0.8), "Open"),
        (question("gain", above=-3, margin=2), "Too few"),
        (question("gain", above=0, margin=8), "No difference"),
    ],
)
def test_below_the_deciding_question_a_weak_control_may_hold_and_both_answers_are_told(strong, answer):
    weak = question("accuracy", above=0.5, weak=True)
    judged = judge(claim(question("accuracy", above=0.6), strong, weak), RESULTS, {})
    assert judged.verdict == "holds against a weak control" and judged.deciding.question is strong
    first, second = judged.why.split("; but: ")
    assert "asked: above 50.0" in first and f"Is it? {answer}:" in second
    lost = question("accuracy", above=0.95, weak=True)
    assert judge(claim(strong, weak, lost), RESULTS, {}).verdict != "holds against a weak control"
    assert judge(claim(question("accuracy", above=0.6), lost), RESULTS, {}).verdict == "holds"


def test_a_margin_that_cannot_be_reached_is_no_open_question():
    assert judge(claim(question("gain", above=-3, margin=2)), RESULTS, {}).verdict == (
        "cannot be asked with this many"
    )
    both = claim(question("gain", above=-3, margin=2), question("accuracy", above=0.95))
    assert judge(both, RESULTS, {}).verdict == "does not hold"


def test_the_verdict_tells_how_much_there_is():
    asked = question("accuracy", above=0.5)
    told = judge(claim(asked, sizes="{training.filters} of {training.folds} folds"), RESULTS, {})
    assert told.why.endswith("asked: above 50.0\u00a0%. 9 of 2 folds.")
    assert judge(claim(asked, sizes="{training.absent} folds"), RESULTS, {}).sizes == ""
    with pytest.raises(DataError, match="no chapter 'trainnig'"):
        judge(claim(asked, sizes="{trainnig.filters}"), RESULTS, {})


def on_other_heads(**there):
    """The results, with these numbers on other heads too."""
    told = RESULTS["training"]
    there = {f"other_heads_{name}": estimate for name, estimate in there.items()}
    return RESULTS | {"training": Evidence(METRICS | there, told.facts)}


def test_what_holds_here_and_not_elsewhere_is_said_in_the_verdict():
    asked = claim(question("accuracy", above=0.5), question("filters", above=8, counts=True))
    assert judge(asked, RESULTS, {}).replicated is None and judge(asked, RESULTS, {}).again == {}
    same = judge(asked, on_other_heads(accuracy=Estimate(0.7, 0.6, 0.8, unit="share")), {})
    assert same.verdict == "holds" and same.replicated.answer == "yes" and "other heads" not in same.why
    wide = judge(asked, on_other_heads(accuracy=Estimate(0.6, 0.45, 0.8, unit="share")), {})
    assert "On other heads: open, 60" in wide.why, "what is not shown to replicate is said too"
    lost = judge(
        asked,
        on_other_heads(accuracy=Estimate(0.6, 0.45, 0.8, unit="share"), filters=Estimate(3, unit="count")),
        {},
    )
    assert lost.verdict == "holds", "other heads decide nothing"
    assert lost.why.endswith(" On other heads: no, 3; asked: above 8.")
    assert [each.answer for each in lost.again.values()] == ["open", "no"]
    assert lost.replicated.question.metric == "training.other_heads_filters"


def test_what_is_asked_again_is_what_the_verdict_rests_on():
    weak, beside = question("accuracy", above=0.5, weak=True), question("gain", above=-9, beside=True)
    asked = claim(question("filters", above=9, counts=True), weak, beside)
    there = on_other_heads(accuracy=Estimate(0.4, 0.3, 0.45, unit="share"), gain=Estimate(-20, -30, -10))
    judged = judge(asked, there, {})
    assert judged.verdict == "holds against a weak control" and judged.replicated.answer == "no"
    assert "On other heads: no, 40" in judged.why
    strong = claim(question("accuracy", above=0.95))
    assert judge(strong, there, {}).replicated.answer == "no"
    assert "other heads" not in judge(strong, there, {}).why, "nothing is there to be replicated"


def corrected(*distances, **bound):
    """Verdicts of claims whose single numbers lie so many half-widths, of 100 degrees of freedom, from 0."""
    names = [f"m{number}" for number in range(len(distances))]
    metrics = {
        name: Estimate(away, away - 1, away + 1, freedom=100)
        for name, away in zip(names, distances, strict=True)
    }
    asked = [claim(question(name, **(bound or {"above": 0}))) for name in names]
    return correct([judge(each, {"training": Evidence(metrics)}, {}) for each in asked])


def test_a_verdict_survives_where_its_p_is_small_among_all_that_were_asked():
    # 1.1 half-widths are p = .031, which two questions make .063; 1.2 are p = .019, three make .058.
    assert [each.survives for each in corrected(1.1)] == [True]
    assert [each.survives for each in corrected(1.1, 3.0, 3.0)] == [True, True, True]
    assert [each.survives for each in corrected(1.1, 0.2, 3.0, -1.2)] == [False, None, True, False]
    assert [each.verdict for each in corrected(1.1, 0.2, -1.2)] == ["holds", "not settled", "does not hold"]


def test_an_equivalence_survives_by_the_edge_that_is_nearer():
    near, far = corrected(0.4, 2.6, about=0, margin=1.5)
    assert near.verdict == "holds" and far.verdict == "does not hold"
    # 1.1 half-widths to the edge, on either side.
    assert near.answers[0].chance == pytest.approx(far.answers[0].chance)
    none = ask(question("gain", above=0, margin=8), RESULTS)
    assert none.answer == "no difference" and none.chance is None, "nothing is known of its tails"


def test_a_number_without_an_interval_answers_nothing():
    with pytest.raises(MetricError, match=r"training\.null: it has no interval"):
        ask(question("null", above=0), RESULTS)


def test_an_unknown_chapter_is_a_slip_of_the_pen():
    with pytest.raises(DataError, match=r"no chapter 'trainnig' \(did you mean 'training'\?\)"):
        ask(Question(asks="?", metric="trainnig.accuracy", above=0), RESULTS)


def requiring(names):
    """A claim that requires ``names`` of some preconditions."""
    return (
        "preconditions: {flat: {asks: '?', metric: a.b, above: 1}, dim: {asks: '?', metric: a.b, about: 0, "
        "margin: 1}, zero: {asks: '?', noted: a.network, equals: zero_bias}, one: {asks: '?', "
        "noted: a.network, equals: residual}}\n"
        + QUESTION.format("metric: a.b, above: 0").replace("short: c", f"short: c, requires: [{names}]")
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- [", "not YAML"),
        ("a: 1", "papers: Field required"),
        ("- paper: a", "Input should be"),
        ("papers: [paper: a]", "papers, entry 1, name: Field required"),
        (
            "papers: [{paper: a, name: b, claims: [{claim: c, short: c, certainty: X, questions: []}]}]",
            "claims, entry 1, certainty",
        ),
        (
            "{papers: [], reported: {derl: {caption: c, numbers: [{certainty: R}]}}}",
            "reported, derl, numbers, entry 1: .*certainty N and no accuracy go together",
        ),
        (QUESTION.format("metric: a.b"), "questions, entry 1: .*one of above, below and about"),
        (QUESTION.format("metric: ab, above: 0"), "'ab' is not of the form chapter.metric"),
        (QUESTION.format("metric: a.b, above: a.c"), "the bound a.c has an uncertainty .* a metric that is"),
        (QUESTION.format("metric: a.b, about: 0"), "about needs a margin"),
        (QUESTION.format("metric: a.b, above: 0, margin: -1"), "margin: .*greater than 0"),
        (QUESTION.format("metric: a.b, above: 0, margin: 1, counts: true"), "a margin needs an interval"),
        (QUESTION.format("metric: a.b, above: 0, beside: true"), "no question decides it"),
        (QUESTION.format("metric: a.b, above: 0, weak: true"), "no question decides it"),
        (
            QUESTION.format("metric: a.b, above: 0, weak: true, beside: true"),
            "weak control, or beside .* not",
        ),
        (requiring("flat, dirm"), "'c' requires 'dirm', which is no precondition .did you mean 'dim'"),
        (requiring("flat, dim"), "'c' requires 'flat' and 'dim', which cannot both hold: .* of a.b"),
        (requiring("zero, one"), "'c' requires 'zero' and 'one', which cannot both hold: .* of a.network"),
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
    papers = read_claims(paths.claims_file()).papers
    cited = (paths.pages() / "references.bib").read_text()
    keys = [paper.paper for paper in papers]
    assert keys == ["khorrami2015", "zhu2019", "liu2019", "yang2018", "breuer2017"]
    assert all(f"{{{key}," in cited for key in keys)
    claims = [each for paper in papers for each in paper.claims]
    for each in claims:
        assert {question.chapter for question in each.questions} <= set(chapters())
        assert not each.figure or each.figure.partition(".")[0] in chapters(), each.short
    assert len({each.short for each in claims}) == len(claims)
    (remainder,) = (
        q for c in claims for q in c.questions if q.metric == "deconvolution.random_weights_deconv"
    )
    assert remainder.below == REMAINDER_LIMIT, "the chapter's own limit"
