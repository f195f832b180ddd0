"""Who names micro-expressions best: one set of clips, one draw of people for all, and what the seeds add."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, recall_score

from fer_lib.errors import DataError
from fer_lib.faces.clips import clips_of
from fer_lib.faces.faceset import FaceSet
from fer_lib.learn.clip_learner import ClipRecipe
from fer_lib.learn.clip_linear import ClipAnswers
from fer_lib.learn.clip_study import ClipStudy
from fer_lib.learn.sharing import Shared
from fer_lib.report.contest import BASELINE, CONTROL, NULL, OURS, Contender, contest_table, hold_contest
from fer_lib.report.micro import (
    FIRST,
    clip_table,
    clips_of_classes,
    contenders,
    contest_metrics,
    leak_summary,
    measures_table,
    pooled_confusion,
    selection_by_person,
    selection_gain,
    study_metrics,
    whose_clips,
)
from fer_lib.report.micro_apex import clearest_clip

LABELS = np.repeat([0, 1, 2], [10, 8, 6])
PEOPLE = np.array([f"p{n % 6}" for n in range(24)])


def one_hot(answers):
    return np.eye(3, dtype=np.float32)[np.asarray(answers)]


def wrong_in(*clips):
    """One-hot answers (24, 3) that are right but in ``clips``."""
    answers = LABELS.copy()
    answers[list(clips)] = (answers[list(clips)] + 1) % 3
    return one_hot(answers)


@pytest.fixture
def contest():
    ours = np.stack([wrong_in(0, 11), wrong_in(1, 12, 20), wrong_in(2)])
    shuffled = np.stack([wrong_in(0, 3, 11, 19), wrong_in(1, 5, 12)])
    contenders = (
        Contender("the LSTM", OURS, ours),
        Contender("shuffled", CONTROL, shuffled),
        Contender("flow", BASELINE, wrong_in(4, 9)[None], seeded=False),
        Contender("commonest", NULL, one_hot(np.zeros(24, int))[None], seeded=False),
    )
    return hold_contest(contenders, LABELS, PEOPLE, draws=400)


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
    assert "seeds (pooled, 3 degrees of freedom)" in contest.score("the LSTM").interval
    assert "the seeds are not covered" in contest.score("flow").interval
    unseeded = [Contender(name, OURS, wrong_in(clip)[None], seeded=False) for clip, name in enumerate("ab")]
    assert "not covered" in hold_contest(unseeded, LABELS, PEOPLE, draws=200).ahead("b").interval
    widths = []
    for seeded in (False, True):
        rivals = [Contender("flow", BASELINE, wrong_in(4, 9)[None], seeded)]
        ours = Contender("the LSTM", OURS, np.stack([wrong_in(0, 11), wrong_in(1, 12, 20)]))
        gap = hold_contest([ours, *rivals], LABELS, PEOPLE, draws=400).ahead("flow")
        widths.append(gap.high - gap.low)
    assert widths[0] < widths[1], "a rival without a seed has none of its luck"


def test_the_table_is_what_the_figure_takes(contest):
    table = contest_table(contest)
    assert list(table["name"]) == ["the LSTM", "shuffled", "flow", "commonest"]
    assert np.isnan(table["ahead"][0]) and table["ahead"][1:].notna().all()
    own = contest.scored.table[contest.of("the LSTM")]["macro_f1"]
    assert (table["least"][0], table["most"][0]) == (own.min(), own.max())
    shown = measures_table(contest)
    assert list(shown.columns) == ["contender", "UF1", "UAR", "accuracy", "trainings"]
    assert shown["UAR"][3] == "33.3" and shown["trainings"].tolist() == [3, 2, 1, 1]


def test_every_rival_has_its_metrics():
    rivals = {
        "majority": ClipAnswers(pd.DataFrame(), one_hot(np.zeros(24, int))[None]),
        "optical_flow": ClipAnswers(pd.DataFrame(), wrong_in(4, 9)[None]),
        "shuffled": toy_study(),
    }
    contest = hold_contest(contenders(toy_study(), rivals), LABELS, PEOPLE, draws=100)
    assert contest.names == (FIRST, "frames shuffled", "optical flow, SVM", "commonest class")
    found = contest_metrics(contest)
    assert {"uf1", "uar", "accuracy", "majority_uf1", "ahead_of_optical_flow", "seed_spread"} <= set(found)
    assert found["ahead_of_shuffled"].value == 0
    assert found["majority_accuracy"].value == pytest.approx(10 / 24)
    assert found["seed_spread"].value == pytest.approx(100 * contest.scored.spread["macro_f1"])
    with pytest.raises(DataError, match="no rival 'flow'"):
        contenders(toy_study(), {"flow": rivals["optical_flow"]})


def toy_study(watched=True):
    """Two people, two seeds, three epochs: validation takes epoch 1, the person tested would take 2 or 3."""
    rows = [(fold, f"p{fold}", seed, 0, 1) for fold in range(2) for seed in range(2)]
    table = pd.DataFrame(rows, columns=["fold", "subject", "seed", "recipe", "best_epoch"]).assign(absent="")
    accuracy = {
        (0, 0): (0.5, 0.9, 0.9),
        (0, 1): (0.5, 0.5, 0.7),
        (1, 0): (0.8, 0.2, 0.1),
        (1, 1): (0.6, 0.6, 1.0),
    }
    curves = pd.DataFrame(
        [
            {"recipe": 0, "fold": fold, "seed": seed, "epoch": epoch, "test_accuracy": value}
            for (fold, seed), values in accuracy.items()
            for epoch, value in enumerate(values, start=1)
        ]
    )
    honest, flattered = (np.stack([wrong_in(*clips)] * 2) for clips in ((0, 11, 20), (0,)))
    return ClipStudy(
        ("a", "b", "c"), (ClipRecipe(),), table, honest, (None,) * 4, curves, flattered if watched else None
    )


def test_the_person_tested_would_choose_another_epoch():
    table = selection_by_person(toy_study()).set_index("training")
    assert table.loc["p0", ["chosen_accuracy", "test_accuracy", "gain"]].tolist() == pytest.approx(
        [0.5, 0.8, 0.3]
    )
    assert table.loc["p0", "test_epoch"] == pytest.approx((2 + 3) / 2), "of equals the first"
    assert table.loc["p1", "gain"] == pytest.approx((0 + 0.4) / 2)
    gain = selection_gain(toy_study(), LABELS, PEOPLE, draws=200)
    assert gain["selection_gain_accuracy"].value == pytest.approx(100 * 2 / 24)
    assert "the seeds are not covered" in gain["selection_gain_uf1"].interval, "the same networks"
    for unwatched in (selection_by_person, lambda study: selection_gain(study, LABELS, PEOPLE)):
        with pytest.raises(DataError, match="were not watched"):
            unwatched(toy_study(watched=False))


def test_what_could_give_a_test_away_is_counted():
    leaks = pd.DataFrame(
        {"tested_subjects": [0, 1], "validated_subjects": [0, 0], "tested_copies": [2, 3], "fold": [0, 1]}
    )
    found = leak_summary(leaks, toy_study(), Shared(("lab_1", "lab_2"), None, "")).set_index("what")["found"]
    assert found.tolist() == [1, 0, 5, 2, "–", 0]
    confused = pooled_confusion(toy_study(), LABELS)
    assert confused.to_numpy().tolist() == [[9, 1, 0], [0, 7, 1], [1, 0, 5]]
    counted = study_metrics(toy_study(), PEOPLE)
    assert (counted["clips"].value, counted["people"].value, counted["folds"].value) == (24, 6, 2)


def test_contenders_have_names_of_their_own():
    twins = [Contender("same", OURS, wrong_in(0)[None])] * 2
    with pytest.raises(DataError, match="names of their own"):
        hold_contest(twins, LABELS, PEOPLE)
    with pytest.raises(DataError, match="at least one: none"):
        hold_contest([], LABELS, PEOPLE)
    with pytest.raises(DataError, match="do not fit"):
        hold_contest(twins[:1], LABELS[:-1], PEOPLE[:-1])


def test_people_are_drawn_whole(contest):
    """All clips of one person: one cluster, no interval, rather than one that treats clips as people."""
    alone = hold_contest(
        [Contender("a", OURS, wrong_in(0)[None], seeded=False)], LABELS, np.full(24, "p"), draws=100
    )
    assert alone.score("a").low is None and "1 cluster" in alone.score("a").interval
    assert isinstance(contest.scored.table, pd.DataFrame) and contest.scored.clusters == 6


def moving_faces():
    """Two clips of five frames of ``micro``-like faces at 100 per second: one of disgust from 10 to 50 ms, one of ``other``."""
    rows = [
        {
            "subject": f"s{clip}",
            "sequence": f"c{clip}",
            "frame": frame,
            "emotion": emotion,
            "onset": 1,
            "apex": 3,
            "offset": 5,
        }
        for clip, emotion in enumerate(("disgust", "other"))
        for frame in range(1, 6)
    ]
    table = pd.DataFrame(rows).assign(dataset="micro", split="train", fps=100.0)
    pixels = np.zeros((10, 8, 8), np.uint8)
    pixels[7] = 90  # the apex of the second clip
    return FaceSet("micro", pixels, table, left_out={"one picture only": 2})


def test_the_clips_are_told_as_they_are():
    faces = moving_faces()
    clips = clips_of(faces)
    table = clip_table(clips, ("disgust", "other")).set_index("class")
    assert table.loc["all", "clips"] == 2 and table.loc["disgust", "frames kept"] == 5
    assert table.loc["other", "milliseconds"] == pytest.approx(40) and table.loc["all", "range"] == "40 to 40"
    assert len(clips_of_classes(clips, ("other",))) == 1
    assert (
        whose_clips(faces, faces)
        == "The clips are made of 10 pictures of micro. Left out by its reader: one picture only: 2."
    )
    given = FaceSet("fer2013", faces.pixels, faces.table)
    assert whose_clips(given, faces).startswith("fer2013 has no clips. The network that learned from it")


def test_the_clearest_clip_is_the_one_that_shows_most():
    faces = moving_faces()
    assert set(clearest_clip(clips_of(faces)).table["sequence"]) == {"c1"}, "the one that changes most"
    coded = faces.assign(AU4=[0, 0, 0.3, 0, 0] + 5 * [0.0], AU9=[0.0] * 5 + [0, 0, 0.2, 0, 0.9])
    assert set(clearest_clip(clips_of(coded)).table["sequence"]) == {"c0"}, "at the apex"
