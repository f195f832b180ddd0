"""One set of cases, one draw of people for all contenders, and what the seeds add."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, recall_score

from fer_lib.stats.contrasts import BASELINE, CONTROL, OURS, Contender, contest_table, hold_contest
from ferbook.errors import DataError
from tests.fer_lib.stats.toy_contest import LABELS, PEOPLE, toy_contest, wrong_in


@pytest.fixture
def contest():
    return toy_contest()


def test_scores_are_those_of_scikit_learn_on_the_pooled_answers(contest):
    answers = wrong_in(4, 9).argmax(axis=1)
    assert contest.score("flow").value == pytest.approx(f1_score(LABELS, answers, average="macro"))
    assert contest.score("flow", "balanced_accuracy").value == pytest.approx(
        recall_score(LABELS, answers, average="macro")
    )
    assert contest.score("flow", "accuracy").value == pytest.approx(22 / 24)
    assert contest.score("the LSTM", "accuracy").value == pytest.approx(1 - 2 / 24), "mean over the seeds"
    nothing = contest.score("commonest", "balanced_accuracy")
    assert nothing.value == pytest.approx(1 / 3)


def test_being_ahead_is_paired_and_in_points(contest):
    gap = contest.ahead("shuffled", "accuracy")
    assert gap.value == pytest.approx(100 * (3.5 - 2) / 24)
    assert gap.low <= gap.value <= gap.high
    same = Contender("twin", CONTROL, wrong_in(0, 11)[None], seeded=False)
    own = Contender("the LSTM", OURS, wrong_in(0, 11)[None], seeded=False)
    twins = hold_contest((own, same), LABELS, PEOPLE, draws=200)
    assert twins.ahead("twin").value == 0 and twins.ahead("twin").low is None


def test_seeds_add_to_the_interval_only_of_those_that_have_them(contest):
    assert contest.scored.freedom == 2 + 1
    assert "seeds (pooled, 3 degrees of freedom)" in contest.score("the LSTM").how
    assert "the seeds are not covered" in contest.score("flow").how
    unseeded = [Contender(name, OURS, wrong_in(clip)[None], seeded=False) for clip, name in enumerate("ab")]
    assert "not covered" in hold_contest(unseeded, LABELS, PEOPLE, draws=200).ahead("b").how
    widths = []
    for seeded in (False, True):
        rivals = [Contender("flow", BASELINE, wrong_in(4, 9)[None], seeded)]
        ours = Contender("the LSTM", OURS, np.stack([wrong_in(0, 11), wrong_in(1, 12, 20)]))
        gap = hold_contest([ours, *rivals], LABELS, PEOPLE, draws=400).ahead("flow")
        widths.append(gap.high - gap.low)
    assert widths[0] < widths[1], "a rival without a seed has no seed variance"


def test_the_table_is_what_the_figure_takes(contest):
    table = contest_table(contest)
    assert list(table["name"]) == ["the LSTM", "shuffled", "flow", "commonest"]
    assert np.isnan(table["ahead"][0]) and table["ahead"][1:].notna().all()
    own = contest.scored.table[contest.of("the LSTM")]["macro_f1"]
    assert (table["least"][0], table["most"][0]) == (own.min(), own.max())


def test_contenders_have_names_of_their_own():
    twins = [Contender("same", OURS, wrong_in(0)[None])] * 2
    with pytest.raises(DataError, match="different names"):
        hold_contest(twins, LABELS, PEOPLE)
    with pytest.raises(DataError, match="at least one: none"):
        hold_contest([], LABELS, PEOPLE)


def test_people_are_drawn_whole(contest):
    """All clips of one person: one cluster, no interval, rather than one that treats clips as people."""
    alone = hold_contest(
        [Contender("a", OURS, wrong_in(0)[None], seeded=False)], LABELS, np.full(24, "p"), draws=100
    )
    assert alone.score("a").low is None and alone.score("a").why == "fewer than two clusters"
    assert isinstance(contest.scored.table, pd.DataFrame) and contest.scored.clusters == 6


def test_what_no_seed_changes_stands_once():
    twice = Contender("flow", BASELINE, np.stack([wrong_in(0), wrong_in(0)]), seeded=False)
    with pytest.raises(DataError, match="flow: no seed changes it"):
        hold_contest([twice], LABELS, PEOPLE)
