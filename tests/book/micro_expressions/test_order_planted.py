"""The control of time: clips whose class is the order of three events. Whether an LSTM that is trained and
judged as in the reference reads them is what ``claims.yaml`` says of ``order_of_events`` and
``course_of_events``.
"""

import numpy as np
import pandas as pd
import pytest
import torch

from book.micro_expressions.chapter import CHAPTER
from book.micro_expressions.leave_one_out import ClipTask, clip_recipes, fold_features, leave_one_out
from book.micro_expressions.order import IN_TURN, order_gains, score_orders
from book.micro_expressions.rivals import clip_contenders, controlled
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


def planted_clips() -> Clips:
    """As many clips of as many people as the reference has, of all classes alike, of 16 frames each."""
    rows = [
        {"subject": f"s{clip % PEOPLE:02}", "sequence": f"{clip}", "frame": frame}
        | {"emotion": CLASSES[clip // PEOPLE % len(CLASSES)], "onset": 0, "apex": 8, "offset": FRAMES - 1}
        for clip in range(CLIPS)
        for frame in range(FRAMES)
    ]
    table = pd.DataFrame(rows).assign(dataset="micro", split="train", fps=200.0)
    return clips_of(FaceSet("micro", np.zeros((len(rows), 4, 4), np.uint8), table))


def planted_features(clips: Clips, seed: int) -> np.ndarray:
    """float32 (C, T, F): an event raises features of its own for three frames, at places that do not depend
    on which event it is; clips differ in strength, and every frame is noisy. The frames of a clip are the
    same in every class but for their order.
    """
    generator = np.random.default_rng(seed)
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(FEATURES, 3)))[0].T * np.sqrt(
        FEATURES / 8
    )
    features = NOISE * generator.normal(size=(len(clips), FRAMES, FEATURES))
    strength = generator.uniform(0.6, 1.4, size=(len(clips), 3))
    for clip, label in enumerate(clips.labels(CLASSES)):
        for place, event in enumerate(ORDERS[label]):
            first = 2 + 4 * place + generator.integers(2)
            features[clip, first : first + 3] += strength[clip, event] * directions[event]
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
