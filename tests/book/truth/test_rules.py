"""Which rules are believed: by filters whose cause is planted, and by tables whose scores are known."""

import numpy as np
import pandas as pd
import pytest

from book.truth import rules
from book.truth.questions import IGNORANT_RULES, LABEL_QUESTIONS
from fer_lib.aus.label_judge import LabelTrial
from fer_lib.aus.labels import LABELLERS
from fer_lib.aus.presence import Presence
from tests.book.truth.toy_judged import judged_rules

AUS = ("AU1", "AU4", "AU12", "AU25")
FAMILIES = ("narrow-faceunits", "broad-faceunits")
FILTERS = 40


def trial(name: str, *, seed: int = 0, worse_family: str = "") -> LabelTrial:
    """Filters that answer to one unit each, also to its dose; but in ``worse_family`` the next unit is their
    cause.
    """
    rng, unit = np.random.default_rng(seed), np.arange(FILTERS) % len(AUS)
    people = np.array([f"lab-{family}-S{number}" for family in FAMILIES for number in range(4)])
    subjects = np.repeat([f"{who}1" for who in people], 12)
    present = (rng.random((len(subjects), len(AUS))) < 0.3).astype(np.float32)
    emotions = np.where(present[:, 0] == 1, "fear", "anger")
    effects = rng.normal(0, 0.2, (len(people), FILTERS, len(AUS)))
    worse = np.array([bool(worse_family) and worse_family in who for who in people])
    for rows, cause in ((~worse, unit), (worse, (unit + 1) % len(AUS))):
        effects[np.ix_(rows, np.arange(FILTERS))] += np.eye(len(AUS))[cause]
    return LabelTrial(
        name,
        2.0 * present[:, unit] + rng.normal(0, 0.5, (len(subjects), FILTERS)).clip(0),
        Presence(AUS, present, subjects, subjects, emotions),
        people,
        effects,
        effects.clip(-1, 1),
        seed,
    )


def trials(**about: str) -> dict[str, list[LabelTrial]]:
    return {"one": [trial(f"one {seed}", seed=seed, **about) for seed in range(3)]}


def brightness(responses: np.ndarray, presence: np.ndarray) -> np.ndarray:
    """Says the same of every unit's filter: how large its answers are."""
    return np.tile(responses.mean(axis=0)[:, None], presence.shape[1]) + np.arange(presence.shape[1])


RULES = {"auroc": LABELLERS["auroc"], "brightness": brightness} | {
    name: LABELLERS[name] for name in IGNORANT_RULES
}


@pytest.fixture(scope="module")
def judged() -> pd.DataFrame:
    return rules.judged_labels(trials(), RULES)


def test_the_right_rule_names_causes_and_brightness_does_not(judged):
    answers = rules.label_answers(judged).set_index(["without", "method", "score"])["answer"]
    assert set(answers.index.get_level_values("without")) == {"", *FAMILIES}
    for score in ("kappa", "precision", "dose"):
        assert answers["", "auroc", score] == "yes"
    assert answers["", "brightness", "precision"] == "no"
    assert answers["", "brightness", "kappa"] != "yes"


def test_with_a_family_held_out_neither_its_labels_nor_its_truth_are_asked():
    whole = trial("one")
    part = rules.held_out(whole, FAMILIES[0])
    assert len(part.people) == 4 and all(FAMILIES[1] in who for who in part.people)
    assert len(part.responses) == len(part.shown) == len(whole.responses) // 2
    assert all(FAMILIES[1] in who for who in part.shown.subjects)
    np.testing.assert_array_equal(part.effects, whole.effects[4:])


@pytest.mark.slow
def test_a_family_that_says_otherwise_is_seen():
    # Of four worse people and four others neither has the cause for sure: without one it is plain.
    answers = rules.label_answers(rules.judged_labels(trials(worse_family=FAMILIES[0]), RULES))
    told = answers.set_index(["without", "method", "score"])["answer"]
    assert told[FAMILIES[0], "auroc", "precision"] == "yes"
    assert told[FAMILIES[1], "auroc", "precision"] == "no"


def test_a_rule_is_believed_where_all_is_answered_with_yes():
    answers = rules.label_answers(judged_rules())
    assert len(answers) == 3 * len(LABEL_QUESTIONS)
    told = answers.set_index(["method", "score"])["answer"]
    assert (told["auroc"] == "yes").all() and told["kl", "missing"] == "no"
    assert told["sparse_probe", "precision"] == "open"
    metrics = rules.rule_metrics(judged_rules(), answers, ["one"])
    assert metrics["rules"].value == 3 and metrics["rules_believed"].value == 1
    assert metrics["label_answers"].value == metrics["label_answers_kept"].value == 24
    assert metrics["auroc_precision"].value == pytest.approx(0.9, abs=0.02)
    assert metrics["probe_over_auroc"].value == pytest.approx(-0.4, abs=0.02)


def test_the_lead_is_over_the_best_rule_that_knows_nothing():
    own = judged_rules()
    lead = rules.rule_estimate(own, "auroc", LABEL_QUESTIONS[0])
    means = own[own["left_out"].eq(-1)].groupby("method")["kappa"].mean()
    assert lead.value == pytest.approx(means["auroc"] - means["random"])


def test_what_is_the_same_everywhere_is_answered_by_its_value():
    same = judged_rules()
    same["extra"] = 1.0
    answers = rules.label_answers(same)
    rows = answers[answers["score"].eq("extra")]
    assert all(estimate.low is None for estimate in rows["estimate"])
    assert set(rows["answer"]) == {"yes"}


def test_causes_that_hang_on_the_face_agree_less():
    own = trials()["one"]
    assert rules.cause_agreement(own, own).value == 1
    others = trials(worse_family=FAMILIES[0])["one"]
    assert rules.cause_agreement(own, others).value < 0.8


def test_rates_are_by_unit():
    rates = rules.unit_rates(trials()["one"], "auroc")
    assert set(rates.index) == set(AUS) and rates["frequency"].is_monotonic_increasing
    assert (rates[["precision", "recall"]] > 0.9).all(axis=None)
