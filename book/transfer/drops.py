"""What is lost where a network is tested on another set than it learned from, and how sure that is."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from book.transfer.study import TransferStudy, all_but
from fer_lib.faces.leakage import independent_groups
from fer_lib.stats.resampling import CONFIDENCE, cluster_sums, resampled_sums
from ferbook.errors import ParameterError

Measure = Literal["accuracy", "balanced_accuracy"]
"""The share of right answers, over all pictures or as the mean over the classes; sets differ in how often
they show each.
"""


@dataclass(frozen=True)
class Drops:
    """A transfer study in numbers: shares in [0, 1], bounds of 95 % intervals, NaN where there is no
    interval.

    ``cells``: one row per ``trained_on`` × ``tested_on`` with ``value``, ``low``, ``high``; ``in_dataset``,
    the value of the networks that were trained on the set tested on; ``drop`` = ``in_dataset`` − ``value``
    with ``drop_low`` and ``drop_high``, NaN where it is the same network; ``n`` (test pictures) and
    ``clusters``. Values are means over the seeds. ``means``: one row per ``mean`` with ``value``, ``low``,
    ``high`` and ``cells``, how many it is over: ``in_dataset`` and ``across`` (off the diagonal), ``drop`` of
    the latter and, where there are such networks, ``left_one_out`` and ``left_one_out_drop``. ``method``: how
    the intervals were made.
    """

    cells: pd.DataFrame
    means: pd.DataFrame
    method: str


def drops(study: TransferStudy, *, measure: Measure = "accuracy", draws: int = 2000, seed: int = 0) -> Drops:
    """Score each network of ``study`` on each set, and its drop against the networks of that set.

    The test pictures of a set are resampled by person (or group of equal pictures, where nobody is named),
    the same draw for all networks: what makes a picture hard for all cancels in a drop. Sets are resampled
    independently of each other. Of the seeds the mean is taken in every draw: the intervals cover the luck of
    the pictures, not that of the seeds. Raises ParameterError for another measure.
    """
    if measure not in get_args(Measure):
        raise ParameterError(f"measure {measure!r}; give {' or '.join(get_args(Measure))}")
    cells, drawn = [], {}
    for number, target in enumerate(study.sets):
        sources = [*study.sets, all_but(target)]
        sources = [source for source in sources if any(key[:2] == (source, target) for key in study.answers)]
        sums = np.stack([_right_and_all(study, source, target) for source in sources], axis=1)
        values = _scores(sums.sum(axis=0, keepdims=True), measure)[0]
        resampled = _scores(resampled_sums(sums, draws, seed + number), measure)
        home = sources.index(target)
        for column, source in enumerate(sources):
            lost, lost_drawn = values[home] - values[column], resampled[:, home] - resampled[:, column]
            drawn[source, target] = (values[column], resampled[:, column], lost, lost_drawn)
            low, high = _bounds(values[column], resampled[:, column])
            drop_low, drop_high = _bounds(lost, lost_drawn)
            cells.append(
                {
                    "trained_on": source,
                    "tested_on": target,
                    "value": values[column],
                    "low": low,
                    "high": high,
                    "in_dataset": values[home],
                    "drop": np.nan if column == home else lost,
                    "drop_low": drop_low,
                    "drop_high": drop_high,
                    "n": len(study.tests[target]),
                    "clusters": len(sums),
                }
            )
    method = f"{CONFIDENCE:.0%} percentile bootstrap, {draws} draws of the people of each test set; the seeds are not covered"
    return Drops(pd.DataFrame(cells), _means(study.sets, drawn), method)


def _right_and_all(study: TransferStudy, source: str, target: str) -> np.ndarray:
    """float64 (clusters, seeds, 2, classes): of the pictures of each class, how many are answered rightly,
    and how many there are.
    """
    test = study.tests[target]
    labels = test.labels(study.classes)
    truth = np.eye(len(study.classes))[labels]
    answers = [study.answers[key] for key in study.answers if key[:2] == (source, target)]
    right = [truth * (answer.argmax(axis=1) == labels)[:, None] for answer in answers]
    counted = np.stack([np.stack([given, truth], axis=1) for given in right], axis=1)
    return cluster_sums(counted, independent_groups(test))


def _scores(totals: np.ndarray, measure: Measure) -> np.ndarray:
    """(draws, sources) of totals (draws, sources, seeds, 2, classes): the mean over the seeds. A class that
    no draw shows is left out of a mean over classes.
    """
    right, pictures = totals[..., 0, :], totals[..., 1, :]
    if measure == "accuracy":
        return (right.sum(axis=-1) / pictures.sum(axis=-1)).mean(axis=-1)
    recalls = np.divide(right, pictures, out=np.zeros_like(right), where=pictures > 0)
    return (recalls.sum(axis=-1) / (pictures > 0).sum(axis=-1)).mean(axis=-1)


def _bounds(value: float, drawn: np.ndarray) -> tuple[float, float]:
    """The interval of ``drawn``; NaN where all draws are the same, which would claim certainty. It always
    holds the value.
    """
    if np.ptp(drawn) < 1e-12:
        return np.nan, np.nan
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return min(float(low), float(value)), max(float(high), float(value))


def _means(
    sets: tuple[str, ...], drawn: dict[tuple[str, str], tuple[float, np.ndarray, float, np.ndarray]]
) -> pd.DataFrame:
    diagonal = [key for key in drawn if key[0] == key[1]]
    across = [key for key in drawn if key[0] in sets and key not in diagonal]
    left_one_out = [key for key in drawn if key[0] not in sets]
    # Where in the tuples a value and its draws stand: of the score, and of the drop.
    score, drop = 0, 2
    wanted = {
        "in_dataset": (diagonal, score),
        "across": (across, score),
        "drop": (across, drop),
        "left_one_out": (left_one_out, score),
        "left_one_out_drop": (left_one_out, drop),
    }
    rows = []
    for name, (keys, place) in wanted.items():
        if keys:
            value = float(np.mean([drawn[key][place] for key in keys]))
            low, high = _bounds(value, np.mean([drawn[key][place + 1] for key in keys], axis=0))
            rows.append({"mean": name, "value": value, "low": low, "high": high, "cells": len(keys)})
    return pd.DataFrame(rows)
