"""What the ablation shows: each network's accuracy, and what biases, dropout and augmentation change."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fer_lib.errors import DataError
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.leakage import independent_groups
from fer_lib.learn.ablation import Ablated
from fer_lib.report.evaluation import RERUN_TOLERANCE
from fer_lib.report.metrics import Metric, accuracy
from fer_lib.resampling import bootstrap_interval

SWITCHES = {"no_biases": ("biases", False), "dropout": ("dropout", True), "augmentation": ("augmented", True)}
"""What is switched: the field of ``Ablated`` that says so, and its value with the switch on. Biases are left out, the others put in."""


def ablation_table(
    networks: Sequence[Ablated],
    tested: FaceSet,
    classes: tuple[str, ...],
    *,
    draws: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """One row per network: ``biases`` (bool), ``variant``, ``best_epoch``, ``accuracy`` on ``tested`` with ``low`` and ``high`` (NaN where there is none)."""
    labels, clusters = tested.labels(classes), independent_groups(tested)
    rows = []
    for network in networks:
        answers = (labels, network.probabilities.argmax(axis=1), clusters)
        found = accuracy(*answers, draws=draws, seed=seed)
        rows.append(
            {
                "biases": network.biases,
                "variant": network.variant,
                "best_epoch": network.training.best_epoch,
                "accuracy": found.value,
                "low": np.nan if found.low is None else found.low,
                "high": np.nan if found.high is None else found.high,
            }
        )
    return pd.DataFrame(rows)


def ablation_effects(
    networks: Sequence[Ablated],
    tested: FaceSet,
    classes: tuple[str, ...],
    *,
    draws: int = 2000,
    seed: int = 0,
) -> dict[str, Metric]:
    """By how much each switch changes the share of right answers, paired: the mean over pairs of networks that differ in it alone.

    Keys: ``no_biases_effect``, ``dropout_effect``, ``augmentation_effect``. Each tested picture counts the networks that are right with the switch minus those that are right without
    it; the interval resamples subjects. It does not cover the random start: all networks have the same one. Raises DataError where not
    every combination is there once.
    """
    right = np.array([n.probabilities.argmax(axis=1) for n in networks]) == tested.labels(classes)
    switches = np.array([[getattr(n, field) for field, _ in SWITCHES.values()] for n in networks])
    if len({tuple(row) for row in switches.tolist()}) < 8 or len(networks) != 8:
        raise DataError(f"{len(networks)} networks are not the eight of the ablation, each once")
    clusters = independent_groups(tested)
    effects = {}
    for place, (name, (_, wanted)) in enumerate(SWITCHES.items()):
        on = switches[:, place] == wanted
        difference = right[on].mean(axis=0) - right[~on].mean(axis=0)
        sums = pd.DataFrame({"d": difference, "n": 1.0}).groupby(clusters).sum().to_numpy()
        found = bootstrap_interval(lambda t: t[:, 0] / t[:, 1], sums, draws=draws, seed=seed)
        bounds = (found.low, found.high)
        effects[f"{name}_effect"] = Metric(
            difference.mean(), *bounds, len(tested), found.method, "share", 2 * RERUN_TOLERANCE
        )
    return effects
