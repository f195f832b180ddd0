"""The control of transfer: answers of the reference's own networks, of which each pair of sets keeps three
quarters of what a network of that set's own is above chance. Whether it is found to keep more than half is
what ``claims.yaml`` says of ``three_quarters_kept``.
"""

import numpy as np
import pytest
from torch import nn

from book.populations import find_population
from book.transfer.chapter import CHAPTER
from book.transfer.drops import drops, matrix_metrics
from book.transfer.study import Sets, TransferStudy

SETS, LOST = ("a", "b", "c", "d"), 0.25


def with_less_above_chance(
    answers: np.ndarray, labels: np.ndarray, share: float, generator: np.random.Generator
) -> np.ndarray:
    """The ``answers`` (N, K), of which each class loses ``share`` of what it has above chance: pictures that
    were right are given to another class.
    """
    changed = answers.copy()
    classes = answers.shape[1]
    for label in range(classes):
        shown = labels == label
        right = np.flatnonzero(shown & (answers.argmax(axis=1) == label))
        count = max(0, round(share * (len(right) - shown.sum() / classes)))
        chosen = generator.choice(right, count, replace=False)
        changed[chosen, (label + generator.integers(1, classes, count)) % classes] = 2
    return changed


@pytest.mark.slow
def test_claims_says_whether_three_quarters_are_found_to_be_more_than_half(planted_answers, blank):
    p = CHAPTER.parameters(**CHAPTER.profiles["reference"])
    members = find_population("published").kept()
    classes = tuple(members[0].done()["classes"])
    labels, groups = (members[0].tested()[name].to_numpy() for name in ("label", "group"))
    shown = [classes[label] for label in labels]
    faces = {name: blank(shown, name, subject=[f"{name}-{group}" for group in groups]) for name in SETS}
    given, generator = {}, np.random.default_rng(0)
    for place, source in enumerate(SETS):
        for k in range(p.seeds):
            own = members[(place * p.seeds + k) % len(members)].answers().astype(np.float32)
            for target in SETS:
                lost = 0 if source == target else LOST
                given[source, k, target] = with_less_above_chance(own, labels, lost, generator)
    networks = {key[:2]: nn.Identity() for key in given}
    study = TransferStudy(Sets(classes, faces, {}, {}), networks, given)
    metrics = matrix_metrics(study, drops(study, draws=p.bootstrap, seed=p.seed))
    answers, finds = planted_answers("three_quarters_kept", transfer=metrics)
    assert (answers == {"yes"}) is finds
