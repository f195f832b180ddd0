"""Across tasks, the other way: which expressions can be read from a network that learned action units."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fer_lib.aus.heads import STRENGTHS, one_blas_thread
from fer_lib.faces.faceset import SPLITS, FaceSet
from fer_lib.faces.leakage import independent_groups
from fer_lib.look.handmade import hog_responses
from fer_lib.nets.classifier import Classifier
from fer_lib.stats.contrasts import Scored, contrast, difference, score_trainings
from fer_lib.stats.resampling import RERUN_TOLERANCE
from fer_lib.train.controls import untrained_network
from fer_lib.train.features import features_of
from fer_lib.train.predict import predict
from ferbook.errors import DataError, ParameterError
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
    strengths: Sequence[float] = STRENGTHS,
    seeds: Sequence[int] = (0,),
) -> ReverseTask:
    """How well each of ``CONDITIONS`` names the expression on people that nothing was fitted to.

    ``unit_networks``: one per seed of ``seeds``, trained from scratch to tell action units on the same people
    (``aus.cross_task``), which never were told an expression; the seeds draw the first weights of the
    untrained networks too. Heads are multinomial logistic regressions with an L2 penalty on features
    standardised by the training pictures; of ``strengths`` the one that names most validation pictures
    rightly, the smallest of equals. Pictures of other emotions than ``classes`` do not count.

    Raises ParameterError for fewer than two classes, where they do not fit the expression network, where
    networks and seeds are not as many, and for a strength that is not positive; DataError where a class has
    no training picture or a split is empty.
    """
    if len(classes) < 2 or expression_model.output.out_features != len(classes):
        raise ParameterError(
            f"{len(classes)} classes for a network with {expression_model.output.out_features} outputs; "
            "give the classes that it was trained for, at least two"
        )
    if not unit_networks or len(unit_networks) != len(seeds):
        raise ParameterError(
            f"{len(unit_networks)} networks of action units for {len(seeds)} seeds; give one per seed"
        )
    if not strengths or min(strengths) <= 0:
        raise ParameterError(f"strengths {tuple(strengths)}: give at least one C, all above 0")
    faces = faces.select(faces.table["emotion"].isin(classes).to_numpy())
    reader = _Reader(faces, classes, tuple(sorted(strengths)))
    found = [reader.network(expression_model)]
    for seed, network in zip(seeds, unit_networks, strict=True):
        features = features_of(network, faces)
        found.append(reader.head(UNIT_FEATURES, features, seed))
        weights, bias = (part.detach().cpu().numpy() for part in (network.output.weight, network.output.bias))
        found.append(reader.head(UNIT_ANSWERS, features @ weights.T + bias, seed))
        untrained = features_of(untrained_network(expression_model, seed), faces)
        found.append(reader.head(UNTRAINED, untrained, seed))
    found.append(reader.head(HOG, hog_responses(faces)))
    rows, probabilities = zip(*found, strict=True)
    order = np.argsort([list(CONDITIONS).index(row["condition"]) for row in rows], kind="stable")
    return ReverseTask(
        pd.DataFrame(rows).iloc[order].reset_index(drop=True),
        np.stack(probabilities)[order],
        faces.split("test"),
    )


class _Reader:
    """Reads the ``classes`` of ``faces`` from features; says how well on validation pictures, and what it
    says of the test pictures.
    """

    def __init__(self, faces: FaceSet, classes: tuple[str, ...], strengths: tuple[float, ...]) -> None:
        self.faces, self.strengths = faces, strengths
        self.labels = faces.labels(classes)
        split = faces.table["split"].to_numpy(dtype=object)
        self.rows = {name: np.flatnonzero(split == name) for name in SPLITS}
        for name, rows in self.rows.items():
            if not len(rows):
                raise DataError(
                    f"face set {faces.name!r}: no picture of {', '.join(classes)} is in the split {name!r}"
                )
        counts = np.bincount(self.labels[self.rows["train"]], minlength=len(classes))
        if not counts.all():
            raise DataError(
                f"face set {faces.name!r}: no training picture of {classes[int(counts.argmin())]}; leave "
                "the class out"
            )

    def network(self, model: Classifier) -> tuple[dict[str, object], np.ndarray]:
        device = model.output.weight.device
        valid, test = (
            predict(model, self.faces.select(self.rows[name]), device=device) for name in ("valid", "test")
        )
        row = {"condition": EXPRESSION, "seed": 0, "features": None, "strength": np.nan}
        return row | {"valid_accuracy": self._accuracy(valid)}, test

    def head(
        self, condition: str, features: np.ndarray, seed: int = 0
    ) -> tuple[dict[str, object], np.ndarray]:
        train, valid, test = (features[self.rows[name]].astype(np.float64) for name in SPLITS)
        labels = self.labels[self.rows["train"]]
        with one_blas_thread():
            heads = [
                make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000)).fit(
                    train, labels
                )
                for strength in self.strengths
            ]
        accuracies = [self._accuracy(head.predict_proba(valid)) for head in heads]
        best = int(np.argmax(accuracies))
        row = {"condition": condition, "seed": seed, "features": features.shape[1]}
        row |= {"strength": self.strengths[best], "valid_accuracy": accuracies[best]}
        return row, heads[best].predict_proba(test).astype(np.float32)

    def _accuracy(self, probabilities: np.ndarray) -> float:
        return float((probabilities.argmax(axis=1) == self.labels[self.rows["valid"]]).mean())


_METRICS = ("expressions", "units", "unit_answers", "untrained", "hog")
SHORT = dict(zip(CONDITIONS, _METRICS, strict=True))
"""Condition -> its name in metrics."""


def score_reverse(
    found: ReverseTask, classes: tuple[str, ...], *, draws: int = 2000, seed: int = 0
) -> Scored:
    """Score what each condition names on the test pictures; the bootstrap draws subjects, or groups of equal
    pictures.
    """
    labels, clusters = found.test.labels(classes), independent_groups(found.test)
    return score_trainings(
        found.table, found.probabilities, labels, clusters, ["condition"], draws=draws, seed=seed
    )


def _of(scored: Scored, condition: str) -> np.ndarray:
    return scored.table["condition"].eq(condition).to_numpy()


def reverse_metrics(scored: Scored) -> dict[str, Estimate]:
    """``reverse_accuracy_<condition>`` for ``expressions``, ``units``, ``unit_answers``, ``untrained``,
    ``hog``; ``reverse_units_over_untrained`` and ``reverse_units_over_expressions``, paired, in points.
    """
    settings = {"tolerance": 2 * RERUN_TOLERANCE}
    units = _of(scored, UNIT_FEATURES)
    return {
        f"reverse_accuracy_{name}": contrast(scored, scored.weights(_of(scored, condition)), **settings)
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
                "named rightly": contrast(scored, scored.weights(own)),
                "against the first (points)": None
                if condition == EXPRESSION
                else difference(scored, own, first),
            }
        )
    moves = {"named rightly": 0.2, "against the first (points)": 20}
    return Table(pd.DataFrame(rows), "Expressions from action units", tolerance=moves)
