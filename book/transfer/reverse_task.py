"""Across tasks, the other way: which expressions can be read from a network that learned action units."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from book.transfer.study import require_classes
from fer_lib.aus.heads import STRENGTHS, one_blas_thread
from fer_lib.faces.faceset import SPLITS, FaceSet
from fer_lib.look.handmade import hog_responses
from fer_lib.nets.classifier import Classifier
from fer_lib.stats.contrasts import Scored, difference, mean_score
from fer_lib.stats.resampling import RERUN_TOLERANCE
from fer_lib.train.controls import untrained_network
from fer_lib.train.evaluate import score_on
from fer_lib.train.features import features_of
from fer_lib.train.predict import predict
from ferbook.estimate import Estimate
from ferbook.page.tables import Table

EXPRESSION, UNIT_FEATURES, UNIT_ANSWERS = "expression network", "AU features", "AU log-odds"
UNTRAINED, HOG = "untrained", "HOG"

CONDITIONS: dict[str, str] = {
    EXPRESSION: "the network that learned expressions, all layers of it",
    UNIT_FEATURES: "a linear head on features of a network that learned action units only",
    UNIT_ANSWERS: "a linear head on that network's outputs: a log-odds per action unit and nothing else",
    UNTRAINED: "a linear head on features of the same structure with its first weights",
    HOG: "a linear head on histograms of oriented gradients",
}
"""What names the expression, by name."""


@dataclass(frozen=True)
class ReverseTask:
    """What ``reverse`` found, as ``stats.contrasts.score_trainings`` takes it, with ``condition`` as what
    trainings are compared by.

    ``table``: a row per condition and seed with ``condition``, ``seed``; ``features``, how many the head was
    given; ``strength``, its C; ``valid_accuracy``. Of the expression network the first two of the latter are
    missing. ``probabilities`` float32 (rows, n, C) of the pictures of ``test``, in their order.
    """

    table: pd.DataFrame
    probabilities: np.ndarray
    test: FaceSet


def reverse(
    faces: FaceSet,
    expression_model: Classifier,
    unit_networks: Sequence[Classifier],
    classes: tuple[str, ...],
    *,
    seeds: Sequence[int] = (0,),
) -> ReverseTask:
    """How well each of ``CONDITIONS`` names the expression on people that nothing was fitted to.

    ``unit_networks``: one per seed of ``seeds``, trained from scratch to tell action units on the same people
    (``aus.cross_task``), which never were told an expression; the seeds draw the first weights of the
    untrained networks too. Heads are multinomial logistic regressions with an L2 penalty on features
    standardised by the training pictures; of ``aus.heads.STRENGTHS`` the one that names most validation
    pictures rightly, the smallest of equals. Pictures of other emotions than ``classes`` do not count.

    Raises DataError where a class has no training picture, or where there is none to validate with.
    """
    faces = faces.select(faces.table["emotion"].isin(classes).to_numpy())
    require_classes(faces, classes, in_splits=("train",))
    labels, split = faces.labels(classes), faces.table["split"].to_numpy()
    units = [features_of(network, faces) for network in unit_networks]
    given = {
        UNIT_FEATURES: units,
        UNIT_ANSWERS: [_log_odds(*each) for each in zip(unit_networks, units, strict=True)],
        UNTRAINED: [features_of(untrained_network(expression_model, seed), faces) for seed in seeds],
        HOG: [hog_responses(faces)],
    }
    device = expression_model.output.weight.device
    valid, test = (predict(expression_model, faces.split(name), device=device) for name in ("valid", "test"))
    right = (valid.argmax(axis=1) == labels[split == "valid"]).mean()
    rows = [{"condition": EXPRESSION, "seed": 0, "valid_accuracy": right}]
    probabilities = [test]
    for condition, features in given.items():
        for seed, seen in zip(seeds, features, strict=False):
            row, answer = _linear_head(seen, labels, split)
            rows.append({"condition": condition, "seed": seed, **row})
            probabilities.append(answer)
    return ReverseTask(pd.DataFrame(rows), np.stack(probabilities), faces.split("test"))


def _log_odds(network: Classifier, features: np.ndarray) -> np.ndarray:
    weights, bias = (part.detach().cpu().numpy() for part in (network.output.weight, network.output.bias))
    return features @ weights.T + bias


def _linear_head(
    features: np.ndarray, labels: np.ndarray, split: np.ndarray
) -> tuple[dict[str, float], np.ndarray]:
    """What the table says of the best head on ``features`` (N, F); float32 (n, C), its probabilities of the
    test pictures.
    """
    train, valid, test = (features[split == name].astype(np.float64) for name in SPLITS)
    with one_blas_thread():
        heads = [
            make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000)).fit(
                train, labels[split == "train"]
            )
            for strength in STRENGTHS
        ]
    accuracies = [head.score(valid, labels[split == "valid"]) for head in heads]
    best = int(np.argmax(accuracies))
    row = {"features": features.shape[1], "strength": STRENGTHS[best], "valid_accuracy": accuracies[best]}
    return row, heads[best].predict_proba(test).astype(np.float32)


_METRICS = ("expressions", "units", "unit_answers", "untrained", "hog")
SHORT = dict(zip(CONDITIONS, _METRICS, strict=True))
"""Condition -> its name in metrics."""


def score_reverse(found: ReverseTask, classes: tuple[str, ...], **draws: int) -> Scored:
    """Score what each condition names on the test pictures, by ``train.evaluate.score_on``."""
    return score_on(found.test, classes, found.table, found.probabilities, ["condition"], **draws)


def _of(scored: Scored, condition: str) -> np.ndarray:
    return scored.table["condition"].eq(condition).to_numpy()


def reverse_metrics(scored: Scored) -> dict[str, Estimate]:
    """``reverse_accuracy_<condition>`` for ``expressions``, ``units``, ``unit_answers``, ``untrained``,
    ``hog``; ``reverse_units_over_untrained`` and ``reverse_units_over_expressions``, paired, in points.
    """
    settings = {"tolerance": 2 * RERUN_TOLERANCE}
    units = _of(scored, UNIT_FEATURES)
    return {
        f"reverse_accuracy_{name}": mean_score(scored, _of(scored, condition), **settings)
        for condition, name in SHORT.items()
    } | {
        f"reverse_units_over_{SHORT[rival]}": difference(scored, units, _of(scored, rival), **settings)
        for rival in (UNTRAINED, EXPRESSION)
    }


def reverse_table(scored: Scored) -> Table:
    """A row per condition for the page: ``from``; estimates of what it has ``named rightly``, and of its
    difference to the expression network in points, on the same pictures.
    """
    first = _of(scored, EXPRESSION)
    rows = []
    for condition, about in CONDITIONS.items():
        own = _of(scored, condition)
        rows.append(
            {
                "from": f"{condition}: {about}",
                "named rightly": mean_score(scored, own),
                "against the first (points)": None
                if condition == EXPRESSION
                else difference(scored, own, first),
            }
        )
    moves = {"named rightly": 0.2, "against the first (points)": 20}
    return Table(pd.DataFrame(rows), "Expressions from action units", tolerance=moves)
