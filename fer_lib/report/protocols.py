"""A protocol and its folds as tables for the page."""

import numpy as np
import pandas as pd

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import Protocol, leak_table
from fer_lib.faces.leakage import independent_groups
from fer_lib.learn.crossval import CrossValidation
from fer_lib.report.evaluation import majority_share
from fer_lib.report.metrics import Metric, accuracy


def protocol_table(protocol: Protocol, ran: int) -> pd.DataFrame:
    """What ``protocol`` is, for readers: its name, its source, how it divides, its classes, and that ``ran`` of its folds ran."""
    told = {
        "protocol": protocol.name,
        "source": protocol.source,
        "division": protocol.about,
        "classes": ", ".join(protocol.classes),
        "folds on this page": f"the first {ran} of {len(protocol.folds)}",
    }
    return pd.DataFrame({"": list(told), "what": list(told.values())}).set_index("")


def leaks_of(faces: FaceSet, protocol: Protocol, ran: int) -> pd.DataFrame:
    """``leak_table`` of the first ``ran`` folds, the columns that are empty throughout left out."""
    table = leak_table(faces, protocol).head(ran).set_index("fold")
    empty = [name for name in ("absent_from_train", "absent_from_test") if table[name].eq("").all()]
    return table.drop(columns=empty)


def fold_metrics(crossed: CrossValidation, leaks: pd.DataFrame) -> dict[str, Metric]:
    """``folds`` that ran, ``folds_in_protocol``, ``tested_copies`` (of ``leaks``, over the folds that ran) and ``training_pictures`` of the first fold."""
    counts = {
        "folds": len(crossed.folds),
        "folds_in_protocol": len(crossed.protocol.folds),
        "tested_copies": leaks["tested_copies"].sum(),
        "training_pictures": len(crossed.folds[0].faces.split("train")),
    }
    return {name: Metric(count, unit="count") for name, count in counts.items()}


def fold_table(
    crossed: CrossValidation, classes: tuple[str, ...], *, draws: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """One row per fold that ran: how its test went.

    ``fold`` (from 0); ``pictures`` and ``people`` tested (people missing where nobody is named); ``best_epoch`` and ``valid_accuracy``, which chose
    it; ``accuracy`` on the test split with ``low`` and ``high`` (NaN where there is no interval); ``majority``, what naming
    the commonest class of the training split gives.
    """
    rows = []
    for fold in crossed.folds:
        tested = fold.faces.split("test")
        subjects = tested.table["subject"]
        right = (tested.labels(classes), fold.probabilities.argmax(axis=1), independent_groups(tested))
        found = accuracy(*right, draws=draws, seed=seed)
        curve = fold.training.curve.set_index("epoch")
        rows.append(
            {
                "fold": fold.number,
                "pictures": len(tested),
                "people": subjects.nunique() if subjects.ne("").all() else pd.NA,
                "best_epoch": fold.training.best_epoch,
                "valid_accuracy": curve.loc[fold.training.best_epoch, "valid_accuracy"],
                "accuracy": found.value,
                "low": np.nan if found.low is None else found.low,
                "high": np.nan if found.high is None else found.high,
                "majority": majority_share(fold.faces, classes, "test"),
            }
        )
    return pd.DataFrame(rows).astype({"people": "Int64"})
