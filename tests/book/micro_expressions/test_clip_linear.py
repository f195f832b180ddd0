"""Linear answers about clips: against a scikit-learn pipeline, and blind to whoever is tested."""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from book.micro_expressions.rivals import linear_answers, majority_of_folds, mean_recall
from fer_lib.faces.clips import Clips, clips_of
from fer_lib.faces.faceset import FaceSet
from ferbook.errors import DataError

CLASSES = ("disgust", "happiness", "other")
PEOPLE, REPEATS = 6, 2


def labelled_clips(lonely: bool = False) -> Clips:
    """Six people show each class twice, ``other`` four times; with ``lonely`` only the first of them shows
    disgust.
    """
    rows = []
    for person in range(PEOPLE):
        for emotion in CLASSES:
            if lonely and emotion == "disgust" and person:
                continue
            for repeat in range(REPEATS * (2 if emotion == "other" else 1)):
                about = {"subject": f"s{person}", "sequence": f"{emotion}{repeat}", "emotion": emotion}
                rows += [about | {"frame": frame} for frame in range(2)]
    table = pd.DataFrame(rows).assign(dataset="micro", split="train", onset=0, apex=1, offset=1, fps=200.0)
    return clips_of(FaceSet("micro", np.zeros((len(table), 8, 8), np.uint8), table))


def folds_of(clips: Clips) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Each person is tested once, and the next selects."""
    person = np.array([int(subject[1:]) for subject in clips.subjects])
    return [
        tuple(np.flatnonzero(part) for part in ((ahead > 1), ahead == 1, ahead == 0))
        for ahead in ((person - k) % PEOPLE for k in range(PEOPLE))
    ]


def telling(clips: Clips, noise: float = 1.0, size: int = 12) -> np.ndarray:
    """Features that tell the classes apart, more or less, on scales of their own, and one that is the same in
    all.
    """
    generator = np.random.default_rng(0)
    features = generator.normal(size=(len(clips), size)) * noise
    features[:, :3] += 1.5 * np.eye(3)[clips.labels(CLASSES)]
    return np.hstack([features * 10.0 ** np.arange(size) + 5, np.full((len(clips), 1), 0.1)])


def answers(probabilities: np.ndarray) -> np.ndarray:
    assert probabilities.dtype == np.float32 and np.isin(probabilities, (0, 1)).all()
    np.testing.assert_array_equal(probabilities.sum(axis=2), 1)
    return probabilities.argmax(axis=2)


def test_answers_are_those_of_a_scikit_learn_pipeline():
    clips = labelled_clips()
    features, labels, strengths = telling(clips), clips.labels(CLASSES), (0.01, 1.0, 100.0)
    found = linear_answers(features, clips, CLASSES, folds_of(clips), strengths=strengths)
    given = answers(found.probabilities)[0]
    for number, (train, valid, test) in enumerate(folds_of(clips)):
        scores, said = [], []
        for strength in strengths:
            machine = SVC(C=strength / features.shape[1], kernel="linear", class_weight="balanced")
            pipeline = make_pipeline(StandardScaler(), machine).fit(features[train], labels[train])
            scores.append(mean_recall(labels[valid], pipeline.predict(features[valid])))
            said.append(pipeline.predict(features[test]))
        best = int(np.argmax(scores))
        row = found.table.loc[number]
        assert (row["strength"], row["valid_score"]) == (strengths[best], scores[best])
        np.testing.assert_array_equal(given[test], said[best])
    assert found.table["strength"].nunique() > 1
    assert (given == labels).mean() > 0.6


def test_each_fold_takes_the_features_that_its_validation_prefers():
    clips = labelled_clips()
    folds, good = folds_of(clips), telling(clips, noise=0.3)
    nothing = np.random.default_rng(9).normal(size=(len(clips), 40))
    found = linear_answers({"none": nothing, "good": good, "again": good}, clips, CLASSES, folds)
    assert (found.table["features"] == "good").all()
    alone = linear_answers(good, clips, CLASSES, folds)
    np.testing.assert_array_equal(found.probabilities, alone.probabilities)
    pd.testing.assert_frame_equal(found.table.drop(columns="features"), alone.table)
    # It is the validating person who decides, not the tested one.
    spoilt = good.copy()
    spoilt[folds[0][1]] = spoilt[folds[0][1]][::-1]
    chosen = linear_answers({"none": nothing, "good": spoilt}, clips, CLASSES, folds).table["features"]
    assert chosen[0] == "none" and (chosen[1:5] == "good").all()


def test_rows_say_who_was_tested():
    clips = labelled_clips()
    table = linear_answers(telling(clips), clips, CLASSES, folds_of(clips)).table
    assert table["fold"].tolist() == list(range(PEOPLE))
    assert table["subject"].tolist() == [f"s{person}" for person in range(PEOPLE)]
    assert table["clips"].tolist() == [8] * PEOPLE and (table["absent"] == "").all()


def test_the_tested_person_has_no_say():
    clips = labelled_clips()
    folds, features = folds_of(clips), telling(clips)
    before = linear_answers(features, clips, CLASSES, folds)
    spoilt = features.copy()
    spoilt[folds[2][2][1:]] = np.random.default_rng(1).normal(size=(7, features.shape[1])) * 1e9
    after = linear_answers(spoilt, clips, CLASSES, folds)
    assert before.table.loc[2].equals(after.table.loc[2])
    kept = folds[2][2][0]
    np.testing.assert_array_equal(before.probabilities[:, kept], after.probabilities[:, kept])
    # Where that person is learned from or selects, it matters.
    assert not before.table["valid_score"].equals(after.table["valid_score"])


def test_the_validating_person_chooses_and_is_not_learned_from():
    clips = labelled_clips()
    folds, features = folds_of(clips), telling(clips)
    one = linear_answers(features, clips, CLASSES, folds, strengths=(1.0,))
    spoilt = features.copy()
    spoilt[folds[0][1]] *= -3
    two = linear_answers(spoilt, clips, CLASSES, folds, strengths=(1.0,))
    tested = folds[0][2]
    np.testing.assert_array_equal(one.probabilities[:, tested], two.probabilities[:, tested])
    assert one.table["valid_score"][0] != two.table["valid_score"][0]


def test_a_class_of_one_person_is_never_answered_about_that_person():
    clips = labelled_clips(lonely=True)
    folds = folds_of(clips)
    found = linear_answers(telling(clips), clips, CLASSES, folds)
    # Learned from in every fold but those in which the one who shows it is tested or selects.
    assert found.table["absent"].tolist() == ["disgust", "", "", "", "", "disgust"]
    assert (answers(found.probabilities)[0][folds[0][2]] != 0).all()


def test_majority_and_chance():
    clips = labelled_clips()
    folds, labels = folds_of(clips), clips.labels(CLASSES)
    most = majority_of_folds(clips, CLASSES, folds)
    assert (answers(most.probabilities) == 2).all() and most.probabilities.shape == (1, len(clips), 3)
    assert (answers(most.probabilities)[0] == labels).mean() == 0.5
    few = [(np.flatnonzero((labels != 2) & np.isin(np.arange(len(clips)), folds[0][0])), *folds[0][1:])]
    equal = majority_of_folds(clips, CLASSES, few).probabilities
    # Disgust and happiness equally often: the first. Nobody else is tested.
    assert (equal[0, folds[0][2]].argmax(axis=1) == 0).all()
    assert np.isnan(np.delete(equal, folds[0][2], axis=1)).all()


def test_clips_of_no_fold_need_no_class():
    clips = labelled_clips()
    two = CLASSES[1:]
    labels = clips.labels(CLASSES)
    folds = [tuple(part[labels[part] > 0] for part in fold) for fold in folds_of(clips)]
    found = linear_answers(telling(clips), clips, two, folds).probabilities
    assert np.isnan(found[0, labels == 0]).all() and np.isfinite(found[0, labels > 0]).all()


def test_what_does_not_fit_is_refused():
    clips = labelled_clips()
    folds, features = folds_of(clips), telling(clips)
    train, valid, test = folds[0]
    with pytest.raises(DataError, match="subject s0 is both learned from and tested"):
        linear_answers(features, clips, CLASSES, [(np.append(train, test[0]), valid, test)])
    with pytest.raises(DataError, match="clip 0 is tested in 2 folds"):
        majority_of_folds(clips, CLASSES, [folds[0], folds[0]])
    with pytest.raises(DataError, match="fold 0: no clip that is selected on"):
        majority_of_folds(clips, CLASSES, [(train, valid[:0], test)])
    alone = train[clips.labels(CLASSES)[train] == 1]
    with pytest.raises(DataError, match="fold 0 has training clips of 'happiness' only"):
        linear_answers(features, clips, CLASSES, [(alone, valid, test)])
    with pytest.raises(DataError, match="is not among the classes"):
        linear_answers(features, clips, CLASSES[1:], folds)
