"""What stands beside the LSTMs: every control and rival is asked about the same clips, and gets what its name
says.
"""

import numpy as np
import pandas as pd

from book.micro_expressions.leave_one_out import fold_features
from book.micro_expressions.rivals import CONTROLS, baseline_answers, control_studies, linear_answers
from fer_lib.faces.clips import clips_of
from fer_lib.faces.faceset import FaceSet
from fer_lib.train.clips import ClipRecipe

CLASSES = ("disgust", "other")
PEOPLE = 5


def clips_of_length(frames=3):
    """Five people, each with a clip of disgust, whose apex is bright, and one of ``other``, whose apex is
    dark; ``frames`` of 16 × 16 pixels.
    """
    rows = [
        {"subject": f"s{person}", "sequence": emotion, "emotion": emotion, "frame": frame}
        for person in range(PEOPLE)
        for emotion in CLASSES
        for frame in range(frames)
    ]
    table = pd.DataFrame(rows).assign(
        dataset="micro", split="train", onset=0, apex=1, offset=frames - 1, fps=200.0
    )
    pixels = np.random.default_rng(0).integers(90, 130, (len(table), 16, 16), dtype=np.uint8)
    apex = table["frame"].eq(1).to_numpy()
    pixels[apex & table["emotion"].eq("disgust").to_numpy()] += 60
    pixels[apex & table["emotion"].eq("other").to_numpy()] -= 60
    return clips_of(FaceSet("micro", pixels, table))


def folds_of(clips):
    person = np.array([int(subject[1:]) for subject in clips.subjects])
    ahead = [(person - k) % PEOPLE for k in range(PEOPLE)]
    return [tuple(np.flatnonzero(part) for part in (a > 1, a == 1, a == 0)) for a in ahead]


def features_for(clips, size=4):
    """What a person's face is, and, at the apex, what it shows."""
    person = np.array([int(subject[1:]) for subject in clips.subjects])
    features = np.zeros((*clips.rows.shape, size), np.float32)
    features += person[:, None, None]
    features[np.arange(len(clips)), clips.apex_at, 0] += np.where(clips.emotions == "disgust", 2, -2)
    return features


def test_every_control_is_a_study_of_the_same_clips():
    clips = clips_of_length()
    folds = folds_of(clips)
    given = fold_features([features_for(clips)] * 2, clips, folds, 2)
    task = {"classes": CLASSES, "folds": folds, "recipes": [ClipRecipe(epochs=4, hidden=3)], "seeds": [5, 6]}
    found = control_studies(given, clips, **task)
    assert set(found) == set(CONTROLS)
    for name, study in found.items():
        assert study.probabilities.shape == (2, len(clips), 2), name
        assert study.chosen_on_test is None and study.table["training"].unique().tolist() == [0, 1]
    again = control_studies(given, clips, ["shuffled"], **task)
    np.testing.assert_array_equal(again["shuffled"].probabilities, found["shuffled"].probabilities)


def test_baselines_answer_by_what_they_are_named_for():
    clips = clips_of_length()
    features, folds = features_for(clips), folds_of(clips)
    found = baseline_answers([features, features], clips, CLASSES, folds)
    assert set(found) == {"apex_features", "optical_flow", "lbp_top", "majority"}
    moved = features[np.arange(len(clips)), clips.apex_at] - features[:, 0]
    by_hand = linear_answers(moved, clips, CLASSES, folds)
    np.testing.assert_array_equal(
        found["apex_features"].probabilities, np.repeat(by_hand.probabilities, 2, axis=0)
    )
    right = found["apex_features"].probabilities[0].argmax(axis=1) == clips.labels(CLASSES)
    assert right.all(), "the apex tells the classes apart"


def test_clips_too_short_for_patterns_over_time_leave_them_out():
    clips = clips_of_length(frames=2)
    found = baseline_answers([features_for(clips)], clips, CLASSES, folds_of(clips))
    assert set(found) == {"apex_features", "optical_flow", "majority"}
