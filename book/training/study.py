"""What a training by a protocol showed: the protocol and its folds, the networks side by side, accuracies,
the hardest pictures, and how far the first layer has moved.
"""

from collections.abc import Mapping
from inspect import getdoc

import numpy as np
import pandas as pd
import torch
from torch import nn

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import Protocol, leak_table
from fer_lib.faces.leakage import independent_groups
from fer_lib.nets.build import NETWORKS, build_network, forward_macs
from fer_lib.stats.classification import accuracy
from fer_lib.stats.resampling import RERUN_TOLERANCE
from fer_lib.train.crossval import CrossValidation
from fer_lib.train.curve import Training
from fer_lib.train.evaluate import Evaluation, majority_share
from fer_lib.train.weights import parameter_count
from ferbook.errors import ParameterError
from ferbook.estimate import Estimate
from ferbook.page.tables import Table
from ferbook.text import metric_text


def hardest_pictures(evaluation: Evaluation, classes: tuple[str, ...], count: int = 12) -> pd.DataFrame:
    """The ``count`` tested pictures on which the loss −ln p(true emotion) is highest, one per sequence, the
    hardest first.

    ``rank`` from 1; ``picture``: its row in ``evaluation.faces``; ``subject``; ``sequence``; ``true`` and
    ``predicted`` emotion with the probability that each was given (``p_true``, ``p_predicted``); ``loss`` in
    nats. Frames of one sequence look alike, so the hardest stands for its sequence.
    """
    table, rows = evaluation.faces.table, np.arange(len(evaluation.faces))
    labels, predicted = evaluation.faces.labels(classes), evaluation.probabilities.argmax(axis=1)
    p_true = evaluation.probabilities[rows, labels].astype(np.float64)
    names = np.array(classes)
    found = pd.DataFrame(
        {
            "picture": rows,
            "subject": table["subject"],
            "sequence": table["sequence"],
            "true": names[labels],
            "predicted": names[predicted],
            "p_true": p_true,
            "p_predicted": evaluation.probabilities[rows, predicted].astype(np.float64),
            "loss": -np.log(np.maximum(p_true, np.finfo(np.float32).tiny)),
        }
    ).sort_values("loss", ascending=False, kind="stable")
    again = found["sequence"].ne("") & found.duplicated(["subject", "sequence"])
    found = found[~again].head(count).reset_index(drop=True)
    found.insert(0, "rank", np.arange(1, len(found) + 1))
    return found


def first_layer(model: nn.Module) -> np.ndarray:
    """float32 (K, 1, h, w): a copy of the weights of the first convolution of ``model``."""
    first = next(layer for layer in model.modules() if isinstance(layer, nn.Conv2d))
    return first.weight.detach().cpu().numpy().copy()


def start_correlation(start: np.ndarray, weights: np.ndarray) -> Estimate:
    """Pearson correlation (-1 to 1) between a layer's weights before and after training, of the same shape.

    Near 1, what the layer shows is its random start.
    """
    return Estimate(np.corrcoef(start.ravel(), weights.ravel())[0, 1], n=weights.size, tolerance=0.1)


def training_metrics(model: nn.Module, trained: Training) -> dict[str, Estimate]:
    """What to know of a training: ``parameters``, ``epochs``, ``best_epoch`` and ``valid_accuracy`` in that
    epoch.

    The last is the number by which the epoch was chosen, so it flatters; it has no interval for that reason.
    """
    epochs = len(trained.curve)
    return {
        "parameters": Estimate(parameter_count(model), unit="count"),
        "epochs": Estimate(epochs, unit="count"),
        "best_epoch": Estimate(trained.best_epoch, unit="count", tolerance=max(2, epochs // 3)),
        "valid_accuracy": Estimate(trained.valid_accuracy, unit="share", tolerance=RERUN_TOLERANCE),
    }


def network_table(n_classes: int, size: int, used: str) -> Table:
    """One row per network of ``nets.build``: the first sentence about it, ``weights``, ``multiply-adds`` of
    one picture, whether it is ``used``.

    For ``n_classes`` emotions and pictures of ``size`` pixels; both counts are missing where a network does
    not take that size. The global random state is left as it was.
    """
    rows = []
    for name, network in NETWORKS.items():
        try:
            with torch.random.fork_rng(devices=[]):
                model = build_network(name, n_classes, size)
            counts = (parameter_count(model), forward_macs(model, size))
        except ParameterError:
            counts = (pd.NA, pd.NA)
        about = " ".join(getdoc(network).split("\n\n")[0].split())
        rows.append((name, about, *counts, "yes" if name == used else ""))
    columns = ["network", "what it is", "weights", "multiply-adds", "used here"]
    table = pd.DataFrame(rows, columns=columns).astype({"weights": "Int64", "multiply-adds": "Int64"})
    return Table(table, f"Networks, for {n_classes} emotions and {size} pixels")


def protocol_table(protocol: Protocol, ran: int) -> Table:
    """What ``protocol`` is, for readers: its name, its source, how it divides, its classes, and that ``ran``
    of its folds ran.
    """
    told = {
        "protocol": protocol.name,
        "source": protocol.source,
        "division": protocol.about,
        "classes": ", ".join(protocol.classes),
        "folds on this page": f"the first {ran} of {len(protocol.folds)}",
    }
    return Table(pd.Series(told, name="what").rename_axis("").to_frame(), "The protocol of these faces")


ACCURACIES = {
    "test_accuracy": "accuracy over all tested pictures",
    "protocol_accuracy": "mean of the folds' accuracies, as papers give it",
    "test_accuracy_without_copies": "accuracy without copies of training pictures",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "majority_accuracy": "majority-class baseline",
}


def accuracy_table(metrics: Mapping[str, Estimate]) -> Table:
    """The metrics of ``train.evaluate.Evaluation`` with their intervals and numbers of pictures."""
    rows = [
        {"measure": label, "value": metrics[name], "pictures": metrics[name].n}
        for name, label in ACCURACIES.items()
    ]
    return Table(pd.DataFrame(rows), "Test pictures of the folds", tolerance={"value": 0.15, "pictures": 0})


def hardest_table(hardest: pd.DataFrame) -> Table:
    """``hardest_pictures`` for the page. Which they are may differ from one machine to another: not
    compared.
    """
    columns = ["rank", "subject", "true", "p_true", "predicted", "p_predicted"]
    shares = {"p_true": "share", "p_predicted": "share"}
    return Table(hardest[columns], "The hardest test pictures", shares, tolerance=None)


def leaks_of(faces: FaceSet, protocol: Protocol, ran: int) -> pd.DataFrame:
    """``leak_table`` of the first ``ran`` folds, the columns that are empty throughout left out."""
    table = leak_table(faces, protocol).head(ran).set_index("fold")
    empty = [name for name in ("absent_from_train", "absent_from_test") if table[name].eq("").all()]
    return table.drop(columns=empty)


def fold_metrics(crossed: CrossValidation, leaks: pd.DataFrame) -> dict[str, Estimate]:
    """``folds`` that ran, ``folds_in_protocol``, ``tested_copies`` (of ``leaks``, over the folds that ran)
    and ``training_pictures`` of the first fold.
    """
    counts = {
        "folds": len(crossed.folds),
        "folds_in_protocol": len(crossed.protocol.folds),
        "tested_copies": leaks["tested_copies"].sum(),
        "training_pictures": len(crossed.folds[0].faces.split("train")),
    }
    return {name: Estimate(count, unit="count") for name, count in counts.items()}


def fold_table(
    crossed: CrossValidation, classes: tuple[str, ...], *, draws: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """One row per fold that ran: how its test went.

    ``fold`` (from 0); ``pictures`` and ``people`` tested (people missing where nobody is named);
    ``best_epoch`` and ``valid_accuracy``, which chose it; ``accuracy`` on the test split with ``low`` and
    ``high`` (NaN where there is no interval); ``majority``, what naming the majority class of the training
    split gives.
    """
    rows = []
    for fold in crossed.folds:
        tested = fold.faces.split("test")
        subjects = tested.table["subject"]
        right = (tested.labels(classes), fold.probabilities.argmax(axis=1), independent_groups(tested))
        found = accuracy(*right, draws=draws, seed=seed)
        rows.append(
            {
                "fold": fold.number,
                "pictures": len(tested),
                "people": subjects.nunique() if subjects.ne("").all() else pd.NA,
                "best_epoch": fold.training.best_epoch,
                "valid_accuracy": fold.training.valid_accuracy,
                "accuracy": found.value,
                "low": found.low,
                "high": found.high,
                "majority": majority_share(fold.faces, classes, "test"),
            }
        )
    return pd.DataFrame(rows).astype({"people": "Int64", "low": float, "high": float})


def selection_answer(gain: Estimate) -> str:
    """What ``selection_gain`` found, in one sentence."""
    value = metric_text(gain, "value" if gain.low is None else "interval")
    trainings = "one training" if gain.n == 1 else f"{metric_text(gain, 'n')} trainings"
    return f"Over {trainings} the test pictures' own choice gains {value} on average."
