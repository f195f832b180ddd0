"""Leaving one subject out: nothing of the tested subject reaches the networks that answer about it."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

from book.micro_expressions.leave_one_out import ClipStudy, leave_one_out
from book.micro_expressions.rivals import controlled
from fer_lib.faces.clips import Clips, clips_of
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import clip_folds, protocol_of
from fer_lib.train.clips import ClipRecipe
from fer_lib.train.features import difference_to_onset
from ferbook.errors import DataError

CLASSES = ("disgust", "happiness", "other")
PEOPLE = 6
RECIPE = ClipRecipe(epochs=8, lr=0.02, hidden=5)


def clips_shown(rarely: str = "") -> Clips:
    """Six people show three emotions twice, in clips of three to five frames; ``rarely`` is shown by the
    first one only.
    """
    rows = []
    for person in range(PEOPLE):
        for take in range(6):
            emotion = CLASSES[take % 3]
            if emotion == rarely and person:
                continue
            last = 2 + (person + take // 3) % 3
            for frame in range(last + 1):
                rows.append(
                    {"subject": f"s{person}", "sequence": f"{take}", "frame": frame, "emotion": emotion}
                    | {"onset": 0, "apex": 1, "offset": last, "fps": 200.0}
                )
    table = pd.DataFrame(rows).assign(dataset="micro", split="train")
    return clips_of(FaceSet("micro", np.zeros((len(rows), 4, 4), np.uint8), table))


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


def studied(clips: Clips, folds: list, features: np.ndarray, **more) -> ClipStudy:
    return leave_one_out(features, clips, CLASSES, folds, RECIPE, (0, 1), **more)


@pytest.fixture(scope="module")
def study(clips, folds) -> ClipStudy:
    torch.set_num_threads(1)
    return studied(clips, folds, features_of_clips(clips))


def weights_of(study: ClipStudy, fold: int) -> list[dict[str, torch.Tensor]]:
    return [study.networks[row].state_dict() for row in np.flatnonzero(study.table["fold"] == fold)]


def same(first: list[dict], second: list[dict]) -> bool:
    return all(
        a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
        for a, b in zip(first, second, strict=True)
    )


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
    # Weights and scaling, choices, and curves: bit for bit.
    assert same(weights_of(study, fold), weights_of(spoilt, fold))
    pd.testing.assert_frame_equal(of_fold(study.table, fold), of_fold(spoilt.table, fold), check_exact=True)
    pd.testing.assert_frame_equal(of_fold(study.curves, fold), of_fold(spoilt.curves, fold), check_exact=True)
    # The other folds learned from the garbage, so the comparison can fail.
    for other in set(range(PEOPLE)) - {fold}:
        assert not same(weights_of(study, other), weights_of(spoilt, other))
    assert not np.array_equal(study.probabilities[:, tested], spoilt.probabilities[:, tested])


def test_looking_at_the_test_subjects_changes_nothing(clips, folds, study):
    unwatched = studied(clips, folds, features_of_clips(clips), watch_test=False)
    assert unwatched.chosen_on_test is None and "test_accuracy" not in unwatched.curves
    assert np.array_equal(unwatched.probabilities, study.probabilities)
    pd.testing.assert_frame_equal(unwatched.table, study.table)


def test_validation_clips_choose_and_do_not_teach(clips, folds, study):
    fold = 1
    features = features_of_clips(clips)
    features[folds[fold][1]] *= -3
    changed = studied(clips, folds, features)
    before, after = of_fold(study.curves, fold), of_fold(changed.curves, fold)
    assert before["train_loss"].equals(after["train_loss"])
    assert not before["valid_loss"].equals(after["valid_loss"])


def test_every_answer_comes_from_the_network_of_its_row(clips, folds, study):
    features = features_of_clips(clips)
    assert study.probabilities.shape == (2, len(clips), 3) and study.probabilities.dtype == np.float32
    np.testing.assert_allclose(study.probabilities.sum(axis=2), 1, rtol=1e-5)
    assert study.table[["fold", "seed"]].to_numpy().tolist() == [
        [f, s] for f in range(PEOPLE) for s in (0, 1)
    ]
    for row, network in zip(study.table.itertuples(), study.networks, strict=True):
        tested = folds[row.fold][2]
        given = difference_to_onset(features, clips.lengths)[tested]
        with torch.no_grad():
            said = network(torch.from_numpy(given), torch.from_numpy(clips.lengths[tested]))[0].softmax(1)
        np.testing.assert_allclose(study.probabilities[row.seed, tested], said, rtol=1e-4, atol=1e-6)
        assert row.subject == clips.subjects[tested[0]] and network.seeds == (row.seed,)


def test_the_epoch_has_the_lowest_validation_loss(study):
    assert len(study.curves) == PEOPLE * 2 * 8
    for row in study.table.itertuples():
        own = study.curves[(study.curves["fold"] == row.fold) & (study.curves["seed"] == row.seed)]
        assert row.best_epoch == own.loc[own["valid_loss"].idxmin(), "epoch"]


def test_choosing_on_the_test_subject_is_never_worse_there(clips, folds, study):
    labels = clips.labels(CLASSES)
    honest = study.probabilities.argmax(axis=2) == labels
    flattered = study.chosen_on_test.argmax(axis=2) == labels
    for fold, (_, _, tested) in enumerate(folds):
        for seed in (0, 1):
            own = study.curves[(study.curves["fold"] == fold) & (study.curves["seed"] == seed)]
            assert flattered[seed, tested].mean() == own["test_accuracy"].max()
            assert flattered[seed, tested].mean() >= honest[seed, tested].mean()
    assert flattered.mean() > honest.mean() > 1 / 3


def test_a_study_learns_what_there_is_to_learn_and_a_control_takes_it_away(clips, folds):
    labels, features = clips.labels(CLASSES), features_of_clips(clips, rise=5)
    recipe = ClipRecipe(epochs=25, lr=0.02, hidden=6)
    found = leave_one_out(features, clips, CLASSES, folds, recipe, (0,))
    assert (found.probabilities[0].argmax(axis=1) == labels).mean() > 0.75
    control = partial(controlled, clips=clips, name="onset_only")
    blind = leave_one_out(features, clips, CLASSES, folds, recipe, (0,), control=control)
    # The difference of the onset to itself is nothing: every clip gets the same answer within a fold.
    for _, _, tested in folds:
        assert np.ptp(blind.probabilities[0, tested], axis=0).max() == 0


def test_features_of_each_fold_are_its_own(clips, folds, study):
    features = np.stack([features_of_clips(clips)] * PEOPLE)
    equal = studied(clips, folds, features)
    np.testing.assert_allclose(equal.probabilities, study.probabilities, rtol=1e-3, atol=1e-5)
    features[3] = features_of_clips(clips, seed=8)
    changed = studied(clips, folds, features)
    away = np.abs(changed.probabilities - equal.probabilities).max(axis=(0, 2)) > 1e-4
    assert np.flatnonzero(away).tolist() == folds[3][2].tolist()


def test_a_class_of_one_subject_is_told_and_not_answered():
    clips = clips_shown(rarely="other")
    folds = clip_folds(clips, protocol_of(clips.faces, CLASSES))
    study = leave_one_out(features_of_clips(clips), clips, CLASSES, folds, replace(RECIPE, epochs=20), (0,))
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
    study = leave_one_out(
        features_of_clips(clips), replace(clips, emotions=emotions), CLASSES, rest, RECIPE, (0,)
    )
    silent = np.isnan(study.probabilities[0]).all(axis=1)
    assert np.flatnonzero(silent).tolist() == [*folds[0][2], *folds[-1][2]]
    assert np.isnan(study.chosen_on_test[0]).all(axis=1).tolist() == silent.tolist()


def test_an_lstm_may_be_given_the_features_as_they_are(clips, folds):
    features = features_of_clips(clips)
    given = []

    def noted(what: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        given.append(what)
        return what, clips.lengths

    for kind in ("features", "difference"):
        recipe = replace(RECIPE, epochs=1, input=kind)
        leave_one_out(features, clips, CLASSES, folds, recipe, (0,), control=noted)
    assert given[0] is features
    assert np.array_equal(given[1], difference_to_onset(features, clips.lengths))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folds: [(folds[0][0], folds[0][2], folds[0][2])], "both selected on and tested"),
        (
            lambda folds: [(np.append(folds[0][0], folds[0][2][0]), *folds[0][1:])],
            "s0 is both learned from and tested",
        ),
        (lambda folds: [(folds[0][0], folds[0][1], folds[0][2][:0])], "fold 0: no clip that is tested"),
        (lambda folds: [folds[0], folds[0]], "tested in 2 folds"),
    ],
)
def test_folds_that_leak_are_refused(clips, folds, change, message):
    with pytest.raises(DataError, match=message):
        studied(clips, change(folds), features_of_clips(clips))


def test_features_of_other_clips_are_refused(clips, folds):
    features = features_of_clips(clips)
    for wrong in (features[1:], features[0], np.stack([features, features])):
        with pytest.raises(DataError, match="give \\(clips, frames, features\\)"):
            studied(clips, folds, wrong)
