"""Who names micro-expressions best, on one set of clips; and the clips as the page tells of them."""

import numpy as np
import pandas as pd
import pytest

from book.micro_expressions import study as clip_study
from book.micro_expressions.apex import clearest_clip
from book.micro_expressions.leave_one_out import ClipStudy
from book.micro_expressions.rivals import FIRST, ClipAnswers, clip_contenders
from book.micro_expressions.study import clip_contest_metrics, clip_counts, clip_source, clips_of_classes
from face_sets.clips import clips_of
from face_sets.faceset import FaceSet
from face_sets.leakage import Shared
from fer_lib.stats.contrasts import hold_contest
from tests.book.micro_expressions.made_clips import made_clips
from tests.fer_lib.stats.toy_contest import LABELS, PEOPLE, one_hot, wrong_in


def test_every_rival_has_its_metrics():
    rivals = {
        "majority": ClipAnswers(pd.DataFrame(), one_hot(np.zeros(24, int))[None]),
        "optical_flow": ClipAnswers(pd.DataFrame(), wrong_in(4, 9)[None]),
        "shuffled": toy_study(),
    }
    contest = hold_contest(clip_contenders(toy_study(), rivals), LABELS, PEOPLE, draws=100)
    assert contest.names == (FIRST, "LSTM, frames shuffled", "SVM, optical flow", "majority-class baseline")
    found = clip_contest_metrics(contest)
    assert {"uf1", "uar", "accuracy", "majority_uf1", "ahead_of_optical_flow", "seed_spread"} <= set(found)
    assert found["ahead_of_shuffled"].value == 0
    assert found["majority_accuracy"].value == pytest.approx(10 / 24)
    ahead = 100 * (found["accuracy"].value - 10 / 24)
    assert found["accuracy_ahead_of_majority"].value == pytest.approx(ahead)
    assert found["seed_spread"].value == pytest.approx(100 * contest.scored.spread["macro_f1"])


def toy_study():
    """Two people, two seeds, three epochs: validation takes epoch 1, the person tested would take 2 or 3."""
    rows = [(fold, f"p{fold}", seed, 1) for fold in range(2) for seed in range(2)]
    table = pd.DataFrame(rows, columns=["fold", "subject", "training", "best_epoch"]).assign(absent="")
    accuracy = {(0, 0): (0.5, 0.9, 0.9), (0, 1): (0.5, 0.5, 0.7), (1, 0): (0.8, 0.2, 0.1)}
    accuracy[1, 1] = (0.6, 0.6, 1.0)
    curves = pd.DataFrame(
        [
            {"fold": fold, "training": seed, "epoch": epoch, "test_accuracy": value}
            for (fold, seed), values in accuracy.items()
            for epoch, value in enumerate(values, start=1)
        ]
    )
    honest, flattered = (np.stack([wrong_in(*clips)] * 2) for clips in ((0, 11, 20), (0,)))
    return ClipStudy(("a", "b", "c"), table, honest, curves, flattered)


def test_the_person_tested_would_choose_another_epoch():
    gain = clip_study.selection_gain(toy_study(), LABELS, PEOPLE, draws=200)
    assert gain["selection_gain_accuracy"].value == pytest.approx(100 * 2 / 24)
    assert "the seeds are not covered" in gain["selection_gain_uf1"].how, "the same networks"


def test_what_could_give_a_test_away_is_counted():
    leaks = pd.DataFrame({"tested_subjects": [0, 1], "validated_subjects": 0, "tested_copies": [2, 3]})
    leaks["fold"] = [0, 1]
    found = clip_study.leak_summary(leaks, toy_study(), Shared(("lab_1", "lab_2"), None, "")).data["found"]
    assert found.tolist() == [1, 0, 5, 2, pd.NA, 0]
    counted = clip_counts(toy_study(), PEOPLE)
    assert (counted["clips"].value, counted["people"].value, counted["folds"].value) == (24, 6, 2)


def moving_faces():
    """Two clips of five frames of ``micro``-like faces at 100 per second: one of disgust from 10 to 50 ms,
    one of ``other``.
    """
    volumes = np.zeros((2, 5, 8, 8), np.uint8)
    volumes[1, 2] = 90  # the apex of the second clip
    own = {"sequence": ["c0", "c1"], "emotion": ["disgust", "other"], "apex": 3, "fps": 100.0}
    faces = made_clips(list(volumes), [range(1, 6)] * 2, **own).faces
    return FaceSet("micro", faces.pixels, faces.table, left_out={"one picture only": 2})


def test_the_clips_are_told_as_they_are():
    faces = moving_faces()
    assert len(clips_of_classes(clips_of(faces), ("other",))) == 1
    told = "The clips are made of 10 pictures of micro. Left out by its reader: one picture only: 2."
    assert clip_source(faces, faces) == told
    given = FaceSet("fer2013", faces.pixels, faces.table)
    assert clip_source(given, faces).startswith("fer2013 has no clips.")


def test_the_clearest_clip_is_the_one_that_shows_most():
    faces = moving_faces()
    assert set(clearest_clip(clips_of(faces)).table["sequence"]) == {"c1"}, "the one that changes most"
    coded = faces.assign(AU4=[0, 0, 0.3, 0, 0] + 5 * [0.0], AU9=[0.0] * 5 + [0, 0, 0.2, 0, 0.9])
    assert set(clearest_clip(clips_of(coded)).table["sequence"]) == {"c0"}, "at the apex"
