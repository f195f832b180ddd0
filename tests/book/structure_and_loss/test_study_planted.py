"""The control of structure and loss: answers of the reference's own networks to photographs, into which a
gain of one point was planted. Whether the same code finds it is what ``claims.yaml`` says of
``one_point_more``.
"""

import numpy as np
import pandas as pd
import pytest

from book.populations import find_population
from book.structure_and_loss import study
from fer_lib.stats.contrasts import score_trainings

MORE = {
    ("vgg", "cross_entropy"): 0.0,
    ("residual", "cross_entropy"): 0.01,
    ("vgg", "label_smoothing"): 0.01,
    ("vgg", "centre"): 0.0,
}
"""Which share of the photographs each pair names more rightly, of the pairs that the reference has."""


@pytest.mark.slow
def test_claims_says_whether_one_point_is_found(planted_answers):
    members = find_population("vgg_cross_entropy_40").kept()
    labels, groups = (members[0].tested()[name].to_numpy() for name in ("label", "group"))
    rows, given = [], []
    for k, ((structure, loss), share) in enumerate(MORE.items()):
        for member in members:
            answers = member.answers().astype(np.float32)
            wrong = np.flatnonzero(answers.argmax(axis=1) != labels)
            rng = np.random.default_rng((k, member.seed))
            chosen = rng.choice(wrong, round(share * len(labels)), replace=False)
            answers[chosen, labels[chosen]] = 2
            given.append(answers)
            rows.append({"structure": structure, "loss": loss, "seed": member.seed, "valid_accuracy": share})
    table = pd.DataFrame(rows).assign(epochs=40)
    scores = score_trainings(table, np.stack(given), labels, groups, study.CONDITION, draws=2000, seed=0)
    comparison = study.Comparison(scores, np.stack(given), labels, groups, 0.25, "planted")
    metrics = study.comparison_metrics(comparison)
    assert metrics["structure_gain"].value == pytest.approx(1, abs=0.05)
    assert metrics["loss_gain"].value == pytest.approx(1, abs=0.05)
    answers, finds = planted_answers("one_point_more", structure_and_loss=metrics)
    assert (answers == {"yes"}) is finds
