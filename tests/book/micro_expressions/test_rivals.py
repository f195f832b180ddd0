"""What stands beside the LSTMs: linear answers against a scikit-learn pipeline and blind to whoever is
tested, controls that take away what they say and nothing else, baselines that do what their names say.
"""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from book.micro_expressions import rivals
from book.micro_expressions.leave_one_out import ClipTask
from book.micro_expressions.rivals import baseline_answers, controlled, linear_answers, majority_of_folds
from face_sets.clips import Clips
from ferbook.errors import DataError, ParameterError
from tests.book.micro_expressions.made_clips import made_clips

CLASSES = ("disgust", "happiness", "other")
PEOPLE, REPEATS = 6, 2


def labelled_clips() -> Clips:
    """Six people show each class twice, ``other`` four times."""
    who = [
        (f"s{person}", f"{emotion}{repeat}", emotion)
        for person in range(PEOPLE)
        for emotion in CLASSES
        for repeat in range(REPEATS * (2 if emotion == "other" else 1))
    ]
    subjects, sequences, emotions = zip(*who, strict=True)
    return made_clips([2] * len(who), subject=subjects, sequence=sequences, emotion=emotions)


def folds_of(clips: Clips) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Each person is tested once, and the next selects."""
    person = np.array([int(subject[1:]) for subject in clips.subjects])
    people = person.max() + 1
    ahead = [(person - k) % people for k in range(people)]
    return [tuple(map(np.flatnonzero, (own > 1, own == 1, own == 0))) for own in ahead]


def task_of(clips: Clips, classes: tuple[str, ...] = CLASSES, **more: object) -> ClipTask:
    return ClipTask(clips, classes, folds_of(clips), **more)


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
    found = linear_answers(features, task_of(clips), strengths=strengths)
    given = answers(found.probabilities)[0]
    for number, (train, valid, test) in enumerate(folds_of(clips)):
        scores, said = [], []
        for strength in strengths:
            machine = SVC(C=strength / features.shape[1], kernel="linear", class_weight="balanced")
            pipeline = make_pipeline(StandardScaler(), machine).fit(features[train], labels[train])
            true, predicted = labels[valid], pipeline.predict(features[valid])
            recalls = recall_score(true, predicted, labels=np.unique(true), average=None)
            scores.append(recalls.mean())
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
    found = linear_answers({"none": nothing, "good": good, "again": good}, task_of(clips))
    assert (found.table["features"] == "good").all()
    alone = linear_answers(good, task_of(clips))
    np.testing.assert_array_equal(found.probabilities, alone.probabilities)
    pd.testing.assert_frame_equal(found.table.drop(columns="features"), alone.table)
    # It is the validating person who decides, not the tested one.
    spoilt = good.copy()
    spoilt[folds[0][1]] = spoilt[folds[0][1]][::-1]
    chosen = linear_answers({"none": nothing, "good": spoilt}, task_of(clips)).table["features"]
    assert chosen[0] == "none" and (chosen[1:5] == "good").all()


def test_majority_and_chance():
    clips = labelled_clips()
    folds, labels = folds_of(clips), clips.labels(CLASSES)
    most = majority_of_folds(task_of(clips))
    assert (answers(most.probabilities) == 2).all() and most.probabilities.shape == (1, len(clips), 3)
    assert (answers(most.probabilities)[0] == labels).mean() == 0.5
    few = [(np.flatnonzero((labels != 2) & np.isin(np.arange(len(clips)), folds[0][0])), *folds[0][1:])]
    equal = majority_of_folds(ClipTask(clips, CLASSES, few)).probabilities
    # Disgust and happiness equally often: the first. Nobody else is tested.
    assert (equal[0, folds[0][2]].argmax(axis=1) == 0).all()
    assert np.isnan(np.delete(equal, folds[0][2], axis=1)).all()


def test_what_does_not_fit_is_refused():
    clips = labelled_clips()
    folds, features = folds_of(clips), telling(clips)
    train, valid, test = folds[0]
    alone = train[clips.labels(CLASSES)[train] == 1]
    with pytest.raises(DataError, match="fold 0 has training clips of 'happiness' only"):
        linear_answers(features, ClipTask(clips, CLASSES, [(alone, valid, test)]))
    with pytest.raises(DataError, match="is not among the classes"):
        linear_answers(features, ClipTask(clips, CLASSES[1:], folds))


def numbered(clips: Clips) -> np.ndarray:
    """Feature 0 of a frame is 10 · clip + place + 1, feature 1 its negative; zero beyond the end."""
    count, longest = clips.rows.shape
    first = 10 * np.arange(count)[:, None] + np.arange(longest) + 1.0
    return np.where(clips.inside[:, :, None], np.stack([first, -first], axis=2), 0).astype(np.float32)


def test_the_apex_takes_the_place_of_each_frame():
    clips = made_clips([4, 2])
    given = numbered(clips)
    kept = given.copy()
    apex = controlled(given, clips, "matched_apex")
    assert apex[:, :, 0].tolist() == [[2, 2, 2, 2], [12, 12, 0, 0]]
    assert apex[:, :, 1].tolist() == (-apex[:, :, 0]).tolist()
    np.testing.assert_array_equal(given, kept)


def test_shuffled_keeps_the_frames_of_each_clip_and_nothing_of_their_order():
    clips = made_clips([5] * 60 + [3])
    given = numbered(clips)
    mixed = controlled(given, clips, "shuffled", seed=3)
    np.testing.assert_array_equal(np.sort(mixed[:-1, :, 0], axis=1), given[:-1, :, 0])
    assert sorted(mixed[-1, :3, 0]) == [601, 602, 603] and not mixed[-1, 3:].any()
    np.testing.assert_array_equal(mixed[:, :, 1], -mixed[:, :, 0])
    orders = mixed[:60, :, 0] - given[:60, :1, 0]
    # Each clip has an order of its own, and each frame comes first about equally often (12 of 60).
    assert len(np.unique(orders, axis=0)) > 30
    assert (np.bincount(orders[:, 0].astype(int), minlength=5) > 3).all()
    np.testing.assert_array_equal(mixed, controlled(given, clips, "shuffled", seed=3))
    assert (mixed != controlled(given, clips, "shuffled", seed=4)).any()


@pytest.mark.parametrize("name", rivals.CONTROLS)
def test_folds_with_features_of_their_own_are_changed_alike(name):
    clips = made_clips([4, 2, 3])
    given = numbered(clips)
    together = controlled(np.stack([given, 2 * given]), clips, name, seed=5)
    for fold, features in zip(together, (given, 2 * given), strict=True):
        np.testing.assert_array_equal(fold, controlled(features, clips, name, seed=5))


def test_unknown_names_are_refused():
    clips = made_clips([4, 2])
    with pytest.raises(ParameterError, match=r"no control 'shufled'.*shuffled.*matched_apex"):
        controlled(numbered(clips), clips, "shufled")


TWO = ("disgust", "other")


def clips_of_length(frames=3):
    """Five people, each with a clip of disgust, whose apex is bright, and one of ``other``, whose apex is
    dark; ``frames`` of 16 × 16 pixels.
    """
    generator, emotions = np.random.default_rng(0), [*TWO] * 5
    pixels = generator.integers(90, 130, (10, frames, 16, 16), dtype=np.uint8)
    pixels[::2, 1] += 60
    pixels[1::2, 1] -= 60
    people = np.repeat([f"s{k}" for k in range(5)], 2)
    return made_clips(list(pixels), subject=people, sequence=emotions, emotion=emotions)


def features_for(clips, size=4):
    """What a person's face is, and, at the apex, what it shows."""
    person = np.array([int(subject[1:]) for subject in clips.subjects])
    features = np.zeros((*clips.rows.shape, size), np.float32)
    features += person[:, None, None]
    features[np.arange(len(clips)), clips.apex_at, 0] += np.where(clips.emotions == "disgust", 2, -2)
    return features


def test_baselines_answer_by_what_they_are_named_for():
    clips = clips_of_length()
    features, task = features_for(clips), task_of(clips, TWO)
    sequences = np.stack([features - features[:, :1]] * len(task.folds))
    found = baseline_answers(sequences, task, 1)
    one_frame = {"spotted_features", "middle_features", "apex_features"}
    assert set(found) == one_frame | {"mean_features", "optical_flow", "lbp_top", "majority"}
    moved = features[np.arange(len(clips)), clips.apex_at] - features[:, 0]
    by_hand = {"apex": moved, "spotted": moved, "mean": moved / clips.lengths[:, None]}
    for name, own in by_hand.items():
        answered = found[f"{name}_features"].probabilities
        np.testing.assert_array_equal(answered, linear_answers(own, task).probabilities)
    right = found["spotted_features"].probabilities[0].argmax(axis=1) == clips.labels(TWO)
    assert right.all(), "the apex tells the classes apart"


def test_clips_too_short_for_patterns_over_time_leave_them_out():
    clips = clips_of_length(frames=2)
    features, task = features_for(clips), task_of(clips, TWO)
    found = baseline_answers(np.stack([features - features[:, :1]] * len(task.folds)), task, 1)
    assert "lbp_top" not in found and {"optical_flow", "majority"} <= set(found)


def test_seeds_that_share_a_network_make_no_machine_of_their_own():
    clips = clips_of_length()
    features, task = features_for(clips), task_of(clips, TWO, seeds=(0, 1, 2))
    sequences = [way * (features - features[:, :1]) for way in (1, -1, 1) for _ in task.folds]
    found = baseline_answers(np.stack(sequences), task, 2)
    assert len(found["spotted_features"].probabilities) == len(found["mean_features"].probabilities) == 2
    assert len(found["optical_flow"].probabilities) == 1
