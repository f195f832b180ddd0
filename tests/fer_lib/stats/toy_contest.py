"""Contenders whose answers are known: 24 cases of three classes and six people."""

import numpy as np

from fer_lib.stats.contrasts import BASELINE, CONTROL, NULL, OURS, Contender, hold_contest

LABELS = np.repeat([0, 1, 2], [10, 8, 6])
PEOPLE = np.array([f"p{n % 6}" for n in range(24)])


def one_hot(answers):
    return np.eye(3, dtype=np.float32)[np.asarray(answers)]


def wrong_in(*clips):
    """One-hot answers (24, 3) that are right but in ``clips``."""
    answers = LABELS.copy()
    answers[list(clips)] = (answers[list(clips)] + 1) % 3
    return one_hot(answers)


def toy_contest():
    """An LSTM of three seeds, a control of two, a baseline and a null without seeds."""
    ours = np.stack([wrong_in(0, 11), wrong_in(1, 12, 20), wrong_in(2)])
    shuffled = np.stack([wrong_in(0, 3, 11, 19), wrong_in(1, 5, 12)])
    contenders = (
        Contender("the LSTM", OURS, ours),
        Contender("shuffled", CONTROL, shuffled),
        Contender("flow", BASELINE, wrong_in(4, 9)[None], seeded=False),
        Contender("commonest", NULL, one_hot(np.zeros(24, int))[None], seeded=False),
    )
    return hold_contest(contenders, LABELS, PEOPLE, draws=400)
