"""Leaving one subject out: nothing of the tested subject reaches the networks that answer about it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import book.micro_expressions.leave_one_out as leave_one_out_module
from book.micro_expressions.leave_one_out import ClipStudy, ClipTask, fold_features, leave_one_out
from book.micro_expressions.rivals import controlled
from face_sets.clips import Clips
from face_sets.folds import clip_folds, protocol_of
from fer_lib.train.clips import ClipRecipe
from fer_lib.train.predict import difference_to_onset
from ferbook.errors import DataError
from tests.book.micro_expressions.made_clips import made_clips

CLASSES = ("disgust", "happiness", "other")
PEOPLE = 6
RECIPE, WIDER = (ClipRecipe(epochs=8, lr=0.02, hidden=hidden, components=4) for hidden in (2, 6))
# Of which the first takes the most components of a frame.
THREE = (ClipRecipe(components=3), ClipRecipe(components=2))


def clips_shown(rarely: str = "") -> Clips:
    """Six people show three emotions twice, in clips of three to five frames; ``rarely`` is shown by the
    first one only.
    """
    who = [
        (f"s{person}", str(take), CLASSES[take % 3], 3 + (person + take // 3) % 3)
        for person in range(PEOPLE)
        for take in range(6)
        if not (person and CLASSES[take % 3] == rarely)
    ]
    subjects, sequences, emotions, lengths = zip(*who, strict=True)
    return made_clips(lengths, subject=subjects, sequence=sequences, emotion=emotions)


def features_of_clips(clips: Clips, seed: int = 0, rise: float = 2) -> np.ndarray:
    """Noise in six features; the emotion's own one rises after the onset."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(*clips.rows.shape, 6))
    features[:, 1:] += rise * np.eye(3, 6)[clips.labels(CLASSES)][:, None]
    return np.where(clips.inside[..., None], features, 0).astype(np.float32)


@pytest.fixture(scope="module")
def clips() -> Clips:
    return clips_shown()


@pytest.fixture(scope="module")
def folds(clips) -> list:
    return clip_folds(clips, protocol_of(clips.faces, CLASSES))


def studied(
    clips: Clips, folds: list, features: np.ndarray, recipes=(RECIPE, WIDER), watch_test=True
) -> ClipStudy:
    task = ClipTask(clips, CLASSES, folds, recipes, (0, 1))
    return leave_one_out(fold_features([features], task), task, watch_test=watch_test)


@pytest.fixture(scope="module")
def study(clips, folds) -> ClipStudy:
    return studied(clips, folds, features_of_clips(clips))


def of_fold(frame: pd.DataFrame, fold: int) -> pd.DataFrame:
    kept = [column for column in frame if not column.startswith("test_")]
    return frame.loc[frame["fold"] == fold, kept].reset_index(drop=True)


def test_garbage_in_the_tested_subjects_clips_changes_nothing_of_its_fold(clips, folds, study):
    fold = 2
    tested = folds[fold][2]
    features = features_of_clips(clips)
    features[tested] = np.random.default_rng(9).normal(size=features[tested].shape) * 1e6
    emotions = clips.emotions.copy()
    emotions[tested] = "other"
    spoilt = studied(replace(clips, emotions=emotions), folds, features)
    # Scaling, components, choices, and curves: bit for bit.
    pd.testing.assert_frame_equal(of_fold(study.table, fold), of_fold(spoilt.table, fold), check_exact=True)
    pd.testing.assert_frame_equal(of_fold(study.curves, fold), of_fold(spoilt.curves, fold), check_exact=True)
    # The other folds learned from the garbage, so the comparison can fail.
    for other in set(range(PEOPLE)) - {fold}:
        assert not of_fold(study.curves, other).equals(of_fold(spoilt.curves, other))
    assert not np.array_equal(study.probabilities[:, tested], spoilt.probabilities[:, tested])


def test_looking_at_the_test_subjects_changes_nothing(clips, folds, study):
    unwatched = studied(clips, folds, features_of_clips(clips), watch_test=False)
    assert unwatched.chosen_on_test is None and "test_accuracy" not in unwatched.curves
    assert np.array_equal(unwatched.probabilities, study.probabilities)
    pd.testing.assert_frame_equal(unwatched.table, study.table)


def test_validation_clips_choose_and_do_not_teach(clips, folds):
    fold = 1
    features = features_of_clips(clips)
    one = studied(clips, folds, features, recipes=[RECIPE])
    features[folds[fold][1]] *= -3
    changed = studied(clips, folds, features, recipes=[RECIPE])
    before, after = of_fold(one.curves, fold), of_fold(changed.curves, fold)
    assert before["train_loss"].equals(after["train_loss"])
    assert not before["valid_loss"].equals(after["valid_loss"])


def test_each_fold_takes_the_size_with_the_lowest_validation_loss(clips, folds, study):
    features = features_of_clips(clips)
    alone = {r.hidden: studied(clips, folds, features, recipes=[r]) for r in (RECIPE, WIDER)}
    keys = ["fold", "training"]
    least = {h: found.curves.groupby(keys)["valid_loss"].min() for h, found in alone.items()}
    assert set(study.table["hidden"]) == {2, 6}, "both are chosen somewhere, so the test can fail"
    for row in study.table.itertuples():
        best = min((2, 6), key=lambda hidden, at=(row.fold, row.training): least[hidden][at])
        assert row.hidden == best
        own, other = (s.probabilities[row.training, folds[row.fold][2]] for s in (study, alone[best]))
        np.testing.assert_array_equal(own, other)


def test_the_features_of_a_fold_are_components_of_its_training_clips(clips, folds):
    features = features_of_clips(clips)
    given = fold_features([features, 2 * features], ClipTask(clips, CLASSES, folds, THREE, (0, 1)))
    assert given.shape == (2 * PEOPLE, *clips.rows.shape, 3) and not given[:, ~clips.inside].any()
    moved = difference_to_onset(features, clips.lengths)
    train = folds[2][0]
    frames = moved[train][clips.inside[train]]
    scaled = (frames - frames.mean(axis=0)) / frames.std(axis=0)
    spread = np.linalg.svd(scaled, compute_uv=False)[:3] / np.sqrt(len(scaled))
    np.testing.assert_allclose(given[2][train][clips.inside[train]].std(axis=0), spread, rtol=1e-3)
    with pytest.raises(DataError, match="for clips of"):
        fold_features([features[:, :2]], ClipTask(clips, CLASSES, folds, THREE))


def test_features_that_depend_on_each_other_leave_no_components_of_rounding(clips, folds):
    features = features_of_clips(clips)
    task = ClipTask(clips, CLASSES, folds, [ClipRecipe(epochs=2, hidden=2, components=12)])
    given = fold_features([np.concatenate([features, features @ np.eye(6)[::-1] * 3], axis=2)], task)
    assert given.shape[-1] == 12 and (given[..., :6].std(axis=(1, 2)) > 0.1).all()
    assert not given[..., 6:].any() and np.isfinite(leave_one_out(given, task).probabilities).all()


def test_an_interrupted_study_goes_on_where_it_was(clips, folds, study, monkeypatch):
    """With one fold per program: the same folds, up to rounding, and those that were finished are read."""
    monkeypatch.setattr(leave_one_out_module, "TRAINED_AT_ONCE", 1)
    trained, train = [], leave_one_out_module.train_clips

    def stopped(*given, **more):
        if len(trained) == 6:
            raise KeyboardInterrupt
        trained.append(given)
        return train(*given, **more)

    monkeypatch.setattr(leave_one_out_module, "train_clips", stopped)
    features = features_of_clips(clips)
    with pytest.raises(KeyboardInterrupt):
        studied(clips, folds, features)
    monkeypatch.setattr(
        leave_one_out_module, "train_clips", lambda *a, **b: trained.append(a) or train(*a, **b)
    )
    found = studied(clips, folds, features)
    assert len(trained) == 2 * PEOPLE, "three folds of two recipes, then the other three"
    np.testing.assert_allclose(found.probabilities, study.probabilities, atol=1e-4)
    np.testing.assert_allclose(found.chosen_on_test, study.chosen_on_test, atol=1e-4)
    numbers = ["fold", "training", "best_epoch"]
    np.testing.assert_array_equal(found.table[numbers], study.table[numbers])


def test_groups_test_each_person_once_and_validate_with_the_next_tenth(clips):
    protocol = protocol_of(clips.faces, CLASSES)
    grouped = leave_one_out_module.leave_groups_out(protocol, 3)
    folds = clip_folds(clips, grouped)
    people = [[sorted(set(clips.subjects[side])) for side in fold] for fold in folds]
    assert [tested for *_, tested in people] == [["s0", "s3"], ["s1", "s4"], ["s2", "s5"]]
    assert people[2] == [["s1", "s4"], ["s0", "s3"], ["s2", "s5"]]
    assert (grouped.name, grouped.classes) == (protocol.name, protocol.classes)
    for groups in (0, PEOPLE, 20):
        assert leave_one_out_module.leave_groups_out(protocol, groups) is protocol


def test_the_epoch_has_the_lowest_validation_loss(study):
    assert len(study.curves) == PEOPLE * 2 * 8
    for row in study.table.itertuples():
        own = study.curves[(study.curves["fold"] == row.fold) & (study.curves["training"] == row.training)]
        assert row.best_epoch == own.loc[own["valid_loss"].idxmin(), "epoch"]


def test_choosing_on_the_test_subject_is_never_worse_there(clips, folds, study):
    labels = clips.labels(CLASSES)
    honest = study.probabilities.argmax(axis=2) == labels
    flattered = study.chosen_on_test.argmax(axis=2) == labels
    for fold, (_, _, tested) in enumerate(folds):
        for seed in (0, 1):
            own = study.curves[(study.curves["fold"] == fold) & (study.curves["training"] == seed)]
            assert flattered[seed, tested].mean() == own["test_accuracy"].max()
            assert flattered[seed, tested].mean() >= honest[seed, tested].mean()
    assert flattered.mean() > honest.mean() > 1 / 3


def test_a_study_learns_what_there_is_to_learn_and_a_control_takes_it_away(clips, folds):
    labels, features = clips.labels(CLASSES), features_of_clips(clips, rise=5)
    task = ClipTask(clips, CLASSES, folds, [ClipRecipe(epochs=25, lr=0.02, hidden=6, components=6)])
    given = fold_features([features], task)
    found = leave_one_out(given, task)
    assert (found.probabilities[0].argmax(axis=1) == labels).mean() > 0.75
    apex = leave_one_out(controlled(0 * given, clips, "matched_apex"), task)
    # Of nothing the apex is nothing: clips of one length get the same answer within a fold.
    for _, _, tested in folds:
        for length in (3, 4, 5):
            alike = tested[clips.lengths[tested] == length]
            assert len(alike) == 0 or np.ptp(apex.probabilities[0, alike], axis=0).max() == 0


def test_a_class_of_one_subject_is_told_and_not_answered():
    clips = clips_shown(rarely="other")
    folds = clip_folds(clips, protocol_of(clips.faces, CLASSES))
    task = ClipTask(clips, CLASSES, folds, [replace(RECIPE, epochs=20)])
    study = leave_one_out(fold_features([features_of_clips(clips)], task), task)
    # The first person is tested in the first fold and selected on in the last.
    assert study.table["absent"].tolist() == ["other", "", "", "", "", "other"]
    answers = study.probabilities[0].argmax(axis=1)
    assert (answers[folds[0][2]] != CLASSES.index("other")).all()
    assert np.isfinite(study.probabilities).all()


def test_clips_in_no_fold_have_no_answer(clips, folds):
    emotions = clips.emotions.copy()
    emotions[folds[0][2]] = "fear"
    # The last fold selects on the person who is left out.
    rest = [(np.setdiff1d(train, folds[0][2]), valid, test) for train, valid, test in folds[1:-1]]
    task = ClipTask(replace(clips, emotions=emotions), CLASSES, rest, [RECIPE])
    study = leave_one_out(fold_features([features_of_clips(clips)], task), task, watch_test=True)
    silent = np.isnan(study.probabilities[0]).all(axis=1)
    assert np.flatnonzero(silent).tolist() == [*folds[0][2], *folds[-1][2]]
    assert np.isnan(study.chosen_on_test[0]).all(axis=1).tolist() == silent.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folds: [(folds[0][0], folds[0][2], folds[0][2])], "subject s0 is in validation and test"),
        (lambda folds: [(folds[0][0], folds[0][1][:0], folds[0][2])], "fold 0: no validation clip"),
        (lambda folds: [folds[0], folds[0]], "clip 0 is tested in 2 folds"),
    ],
)
def test_folds_that_leak_are_refused(clips, folds, change, message):
    with pytest.raises(DataError, match=message):
        ClipTask(clips, CLASSES, change(folds))


def test_features_of_other_clips_are_refused(clips, folds):
    task = ClipTask(clips, CLASSES, folds, [RECIPE])
    features = features_of_clips(clips)
    with pytest.raises(DataError, match="for clips of"):
        fold_features([features[1:]], task)
    sequences = fold_features([features], task)
    with pytest.raises(DataError, match=r"for 2 trainings of 6 folds on 36 clips"):
        leave_one_out(sequences, replace(task, seeds=(0, 1)))


def test_seeds_take_turns_with_the_networks_that_saw_the_frames(clips, folds):
    first, second = features_of_clips(clips, 0), features_of_clips(clips, 1)
    task = ClipTask(clips, CLASSES, folds, THREE, seeds=(4, 5, 6))
    sequences = fold_features([first, second], task).reshape(3, len(folds), *clips.rows.shape, 3)
    np.testing.assert_array_equal(sequences[0], sequences[2])
    assert not np.array_equal(sequences[0], sequences[1])
