"""The controls of clips: their class is the order of three events. Whether an LSTM that is trained and judged
as in the reference reads them, and more than patterns of pixels do in which they drown, is what
``claims.yaml`` says of ``order_of_events``, ``course_of_events`` and ``order_in_features``.
"""

import numpy as np
import pandas as pd
import pytest
import torch

from book.micro_expressions.chapter import CHAPTER
from book.micro_expressions.lbp_top import candidate_features
from book.micro_expressions.leave_one_out import ClipTask, clip_recipes, fold_features, leave_one_out
from book.micro_expressions.order import IN_TURN, order_gains, score_orders
from book.micro_expressions.rivals import clip_contenders, controlled, linear_answers, majority_of_folds
from book.micro_expressions.study import clip_contest_metrics
from fer_lib.faces.clips import Clips, clips_of
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import clip_folds, protocol_of
from fer_lib.stats.contest import hold_contest

CLASSES = ("anger", "disgust", "fear", "happiness", "surprise")
ORDERS = ((0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (2, 1, 0))
"""Which of three events comes first, second and third, by class."""

PEOPLE, CLIPS, FRAMES, FEATURES = 26, 250, 16, 64
NOISE = 0.25
"""Standard deviation of a feature's noise, where an event raises three of them by about 1."""

SIDE, BRIGHTER, GRAIN = 24, 1.0, 3.0
"""Pixels of a picture by side; grey levels by which an event brightens a third of it, and of its noise."""


def planted_clips() -> Clips:
    """As many clips of as many people as the reference has, of all classes alike, of 16 frames each; of every
    person a texture, of which an event brightens a third.
    """
    rows = [
        {"subject": f"s{clip % PEOPLE:02}", "sequence": f"{clip}", "frame": frame}
        | {"emotion": CLASSES[clip // PEOPLE % len(CLASSES)], "onset": 0, "apex": 8, "offset": FRAMES - 1}
        for clip in range(CLIPS)
        for frame in range(FRAMES)
    ]
    table = pd.DataFrame(rows).assign(dataset="micro", split="train", fps=200.0)
    generator, numbers = np.random.default_rng(0), np.arange(CLIPS)
    textures = 110 + 20 * generator.normal(size=(PEOPLE, SIDE, SIDE))
    shown = event_courses(numbers // PEOPLE % len(CLASSES), generator)
    pictures = textures[numbers % PEOPLE, None] + BRIGHTER * shown.repeat(SIDE // 3, axis=2)[..., None]
    pictures += GRAIN * generator.normal(size=pictures.shape)
    grey = np.clip(pictures, 0, 255).round().astype(np.uint8).reshape(-1, SIDE, SIDE)
    return clips_of(FaceSet("micro", grey, table))


def event_courses(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(C, T, 3): how strongly each event is there in clips of the classes ``labels`` (C,). It lasts for three
    frames, at places that do not depend on which event it is; clips differ in strength.
    """
    strength = generator.uniform(0.6, 1.4, size=(len(labels), 3))
    courses = np.zeros((len(labels), FRAMES, 3))
    for clip, label in enumerate(labels):
        for place, event in enumerate(ORDERS[label]):
            first = 2 + 4 * place + generator.integers(2)
            courses[clip, first : first + 3, event] = strength[clip, event]
    return courses


def planted_features(clips: Clips, seed: int) -> np.ndarray:
    """float32 (C, T, F): an event raises features of its own, and every frame is noisy. The frames of a clip
    are the same in every class but for their order.
    """
    generator = np.random.default_rng(seed)
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(FEATURES, 3)))[0].T * np.sqrt(
        FEATURES / 8
    )
    features = NOISE * generator.normal(size=(len(clips), FRAMES, FEATURES))
    features += event_courses(clips.labels(CLASSES), generator) @ directions
    return features.astype(np.float32)


@pytest.mark.slow
def test_claims_says_whether_the_order_of_events_and_their_course_are_read(planted_answers):
    torch.set_num_threads(1)
    p = CHAPTER.parameters(**CHAPTER.profiles["reference"])
    clips = planted_clips()
    folds = clip_folds(clips, protocol_of(clips.faces, CLASSES))
    task = ClipTask(clips, CLASSES, folds, clip_recipes(p), range(p.seeds))
    draws = {"draws": p.bootstrap, "seed": p.seed}
    sequences = fold_features([planted_features(clips, k) for k in range(p.seeds)], task)
    ours, shuffled, apex = (
        leave_one_out(controlled(sequences, clips, name, p.seed) if name else sequences, task)
        for name in ("", "shuffled", "matched_spotted")
    )
    answers = ours.probabilities.argmax(axis=2)
    assert (answers == task.labels).mean() > 0.75, "an LSTM that reads no order can be asked nothing of time"
    orders = {(IN_TURN, True): ours, (IN_TURN, False): shuffled}
    gains = order_gains(score_orders(orders, task.labels, clips.subjects, **draws))
    rivals = {"shuffled": shuffled, "matched_spotted": apex}
    contest = hold_contest(clip_contenders(ours, rivals), task.labels, clips.subjects, **draws)
    found = gains | clip_contest_metrics(contest)
    outcomes = [
        planted_answers(name, micro_expressions=found) for name in ("order_of_events", "course_of_events")
    ]
    assert [answers == {"yes"} for answers, _ in outcomes] == [finds for _, finds in outcomes]


@pytest.mark.slow
def test_claims_says_whether_an_lstm_is_found_ahead_of_patterns_in_which_the_order_drowns(planted_answers):
    # Of the reference's recipes one that reads an order, for the sake of time.
    p = CHAPTER.parameters(**CHAPTER.profiles["reference"] | {"components": "8", "pooling": "both_ends"})
    clips = planted_clips()
    folds = clip_folds(clips, protocol_of(clips.faces, CLASSES))
    task = ClipTask(clips, CLASSES, folds, clip_recipes(p), range(2))
    ours = leave_one_out(fold_features([planted_features(clips, k) for k in task.seeds], task), task)
    rivals = {"lbp_top": linear_answers(candidate_features(clips), task), "majority": majority_of_folds(task)}
    contenders = clip_contenders(ours, rivals)
    contest = hold_contest(contenders, task.labels, clips.subjects, draws=p.bootstrap, seed=p.seed)
    found = clip_contest_metrics(contest)
    answers, finds = planted_answers("order_in_features", micro_expressions=found)
    assert (answers == {"yes"}) is finds
