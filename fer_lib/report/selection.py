"""What choosing the stopping epoch on the test split would have added to an accuracy."""

from collections.abc import Mapping

import pandas as pd

from fer_lib.errors import DataError
from fer_lib.learn.curve import Training
from fer_lib.report.metrics import Metric
from fer_lib.report.tables import metric_text
from fer_lib.resampling import bootstrap_interval

GAIN_TOLERANCE = 0.05


def selection_table(trainings: Mapping[str, Training]) -> pd.DataFrame:
    """One row per training: what it reaches on the test split, by who chose the epoch.

    ``training``: its name; ``chosen_epoch``, by the validation split, and ``chosen_accuracy``, on the test split after it;
    ``test_epoch`` and ``test_accuracy``: the epoch that is best on the test split itself (of equals the first), and its accuracy; ``gain``: the
    difference, never below 0. Raises DataError where the test split was not watched.
    """
    rows = []
    for name, training in trainings.items():
        if "watched_accuracy" not in training.curve:
            raise DataError(f"training {name!r}: its curve has no watched_accuracy; train with watch=…")
        watched = training.curve.set_index("epoch")["watched_accuracy"]
        chosen, best = watched[training.best_epoch], watched.max()
        rows.append(
            {
                "training": name,
                "chosen_epoch": training.best_epoch,
                "chosen_accuracy": chosen,
                "test_epoch": watched.idxmax(),
                "test_accuracy": best,
                "gain": best - chosen,
            }
        )
    return pd.DataFrame(rows)


def selection_gain(table: pd.DataFrame, *, draws: int = 2000, seed: int = 0) -> Metric:
    """Mean ``gain`` of ``selection_table``, with an interval that resamples trainings.

    Trainings that were tested on the same pictures are not independent, so the interval is too narrow for other pictures.
    """
    sums = pd.DataFrame({"gain": table["gain"], "n": 1.0}).to_numpy()
    interval = bootstrap_interval(lambda totals: totals[:, 0] / totals[:, 1], sums, draws=draws, seed=seed)
    bounds = (interval.low, interval.high)
    return Metric(table["gain"].mean(), *bounds, len(table), interval.method, "share", GAIN_TOLERANCE)


def selection_answer(gain: Metric) -> str:
    """What ``selection_gain`` found, in one sentence."""
    found = gain.to_json()
    value = metric_text(found, "value" if gain.low is None else "interval")
    trainings = "one training" if gain.n == 1 else f"{metric_text(found, 'n')} trainings"
    return f"Over {trainings} the test pictures' own choice gains {value} on average."
