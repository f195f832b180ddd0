"""The control of time: clips whose class is the order of three events. Whether an LSTM that is trained and
judged as in the reference reads them is what ``claims.yaml`` says of ``order_of_events`` and
``course_of_events``.
"""

import numpy as np
import pandas as pd
import pytest
import torch

from book.micro_expressions.chapter import CHAPTER
from book.micro_expressions.leave_one_out import ClipStudy, ClipTask, fold_features, leave_one_out
from book.micro_expressions.order import TIMED, UNTIMED, order_gains, score_orders
from book.micro_expressions.rivals import clip_contenders, controlled
from book.micro_expressions.study import clip_contest_metrics
from fer_lib.faces.clips import Clips, clips_of
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import clip_folds, protocol_of
from fer_lib.stats.contest import hold_contest
from fer_lib.train.clips import ClipRecipe

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


def planted_features(clips: Clips, seed: int, *, timed: bool = True) -> np.ndarray:
    """float32 (C, T, F): an event raises features of its own for three frames, at places that do not depend
    on which event it is; clips differ in strength, and every frame is noisy. The frames of a clip are the
    same in every class but for their order. Where they are not ``timed`` all three come at once.
    """
    generator = np.random.default_rng(seed)
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(FEATURES, 3)))[0].T * np.sqrt(
        FEATURES / 8
    )
    features = NOISE * generator.normal(size=(len(clips), FRAMES, FEATURES))
    strength = generator.uniform(0.6, 1.4, size=(len(clips), 3))
    for clip, label in enumerate(clips.labels(CLASSES)):
        for place, event in enumerate(ORDERS[label]):
            first = 2 + 4 * (place if timed else 1) + generator.integers(2)
            features[clip, first : first + 3] += strength[clip, event] * directions[event]
    return features.astype(np.float32)


@pytest.mark.slow
def test_claims_says_whether_the_order_of_events_and_their_course_are_read(planted_answers):
    torch.set_num_threads(1)
    p = CHAPTER.parameters(**CHAPTER.profiles["reference"])
    clips = planted_clips()
    folds = clip_folds(clips, protocol_of(clips.faces, CLASSES))
    recipes = [
        ClipRecipe(p.epochs, p.lr, "onecycle", p.weight_decay, int(cells), p.dropout)
        for cells in p.hidden.split(",")
    ]
    task = ClipTask(clips, CLASSES, folds, recipes, range(p.seeds))

    def study(control: str = "", *, timed: bool = True) -> ClipStudy:
        features = [planted_features(clips, k, timed=timed) for k in range(p.seeds)]
        sequences = fold_features(features, task, p.components)
        if control:
            sequences = controlled(sequences, clips, control, p.seed)
        return leave_one_out(sequences, task)

    ours, others = study(), {name: study(name) for name in ("shuffled", "matched_apex")}
    draws = {"draws": p.bootstrap, "seed": p.seed}
    orders = {(TIMED, True): ours, (TIMED, False): others["shuffled"]}
    orders |= {(UNTIMED, True): study(timed=False), (UNTIMED, False): study("shuffled", timed=False)}
    found = order_gains(score_orders(orders, task.labels, clips.subjects, **draws))
    contest = hold_contest(clip_contenders(ours, others), task.labels, clips.subjects, **draws)
    found |= clip_contest_metrics(contest)
    outcomes = [
        planted_answers(name, micro_expressions=found) for name in ("order_of_events", "course_of_events")
    ]
    assert [answers == {"yes"} for answers, _ in outcomes] == [finds for _, finds in outcomes]
