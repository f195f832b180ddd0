"""What trained networks showed: accuracies beside those of what is no network, what biases, dropout,
augmentation and resolution change, what choosing the epoch adds, and how far each layer has moved.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from inspect import getdoc

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from book.populations import Member
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import Protocol, fold_faces, leak_table
from fer_lib.look.handmade import hog_responses
from fer_lib.nets.build import NETWORKS, build_network, forward_macs
from fer_lib.nets.classifier import Classifier
from fer_lib.stats.contrasts import POINTS, Scored, contrast, difference, mean_score, minus
from fer_lib.stats.resampling import RERUN_TOLERANCE, bootstrap
from fer_lib.train.crossval import CrossValidation
from fer_lib.train.evaluate import Answers, Evaluation, score_on
from fer_lib.train.predict import predict
from fer_lib.train.weights import parameter_count
from ferbook.errors import ParameterError
from ferbook.estimate import Estimate
from ferbook.page.tables import Table

OWN, HOG, MAJORITY = "own", "HOG", "majority"
"""Who is tested: the networks that the page is about, a linear classifier on histograms of oriented
gradients, and one who always names the commonest class of the training split. Others are populations by their
name."""


@dataclass(frozen=True)
class Tested:
    """The networks that a page is about, and what they say of pictures that nobody learned from or chose by.

    ``folds``: the face sets with the splits that were used, one of each fold that ran. ``curves``: name ->
    curve and chosen epoch of each training. ``answers`` and ``seeds``: of each network, tested by its fold;
    where there are several folds each has one network, else all were tested by the same pictures.
    """

    folds: tuple[FaceSet, ...]
    curves: dict[str, tuple[pd.DataFrame, int]]
    answers: tuple[Answers, ...]
    seeds: tuple[int, ...]

    @property
    def pictures(self) -> FaceSet:
        """The tested pictures, fold after fold."""
        parts = [faces.split("test") for faces in self.folds]
        return FaceSet.concat(parts[0].name, parts)

    @property
    def rows(self) -> list[tuple[int, np.ndarray]]:
        """Seed and probabilities (N, classes) of those who answered all tested pictures: each network, or
        those of all folds together.
        """
        said = [probabilities for _, probabilities in self.answers]
        if len(self.folds) > 1:
            return [(self.seeds[0], np.concatenate(said))]
        return list(zip(self.seeds, said, strict=True))


def of_folds(crossed: CrossValidation, seed: int) -> Tested:
    """The networks of a cross-validation, each tested by its own fold."""
    curves = {f"fold {f.number}": (f.training.curve, f.training.best_epoch) for f in crossed.folds}
    folds = tuple(fold.faces for fold in crossed.folds)
    return Tested(folds, curves, crossed.answers, (seed,) * len(folds))


def of_population(members: Sequence[Member], faces: FaceSet, protocol: Protocol) -> Tested:
    """The networks of a population, all tested by the first fold of ``faces``.

    Raises ParameterError where there is none, or they learned from other faces.
    """
    if not members:
        raise ParameterError("no network of the population is kept; `ferbook populations train` trains them")
    fold = fold_faces(faces, protocol, 0)
    labels = fold.split("test").labels(protocol.classes)
    for member in members:
        if not np.array_equal(member.tested()["label"], labels):
            learned = " ".join(f"{name}={value}" for name, value in member.population.faces.items())
            raise ParameterError(
                f"population {member.population.name!r} learned from the faces {learned}, and the chapter "
                "asks for others; give the same, or no population"
            )
    curves = {f"seed {m.seed}": (m.curve(), m.done()["best_epoch"]) for m in members}
    answers = tuple((fold, member.answers().astype(np.float32)) for member in members)
    return Tested((fold,), curves, answers, tuple(member.seed for member in members))


def no_networks(folds: Iterable[FaceSet], classes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """What those say of the tested pictures who are no network: ``HOG`` and ``MAJORITY``, as 0 and 1 (N,
    classes), fold after fold.
    """
    said = {HOG: [], MAJORITY: []}
    for faces in folds:
        said[HOG].append(_linear_on_hog(faces, classes))
        commonest = np.bincount(faces.split("train").labels(classes)).argmax()
        said[MAJORITY].append(np.full(len(faces.split("test")), commonest))
    return {name: np.eye(len(classes))[np.concatenate(parts)] for name, parts in said.items()}


STRENGTHS = (0.0001, 0.001, 0.01, 0.1, 1.0)
"""Of the linear classifier's inverse regularisation, from which the validation split chooses."""


def _linear_on_hog(faces: FaceSet, classes: tuple[str, ...]) -> np.ndarray:
    """The class (N,) that a linear classifier names for each tested picture."""
    seen = {name: hog_responses(faces.split(name)) for name in ("train", "valid", "test")}
    labels = {name: faces.split(name).labels(classes) for name in ("train", "valid")}
    fitted = [
        make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=200)).fit(
            seen["train"], labels["train"]
        )
        for strength in STRENGTHS
    ]
    best = max(fitted, key=lambda model: model.score(seen["valid"], labels["valid"]))
    return best.predict(seen["test"])


def score(
    tested: Tested,
    others: Mapping[str, np.ndarray],
    beside: Iterable[Member],
    classes: tuple[str, ...],
    **draws,
) -> Scored:
    """All that were tested by the same pictures, one row each with its ``condition`` and ``seed``: the page's
    own networks, the ``others`` that are no networks, and those of other populations ``beside`` them.
    """
    rows = [(OWN, seed, said) for seed, said in tested.rows]
    rows += [(member.population.name, member.seed, member.answers()) for member in beside]
    rows += [(name, 0, said) for name, said in others.items()]
    table = pd.DataFrame([row[:2] for row in rows], columns=["condition", "seed"])
    said = np.stack([row[2] for row in rows])
    return score_on(tested.pictures, classes, table, said, ["condition"], **draws)


def of_condition(scored: Scored, condition: str, measure: str = "accuracy") -> Estimate:
    """The mean over the networks of ``condition``."""
    keep = scored.table["condition"].eq(condition)
    return mean_score(scored, keep, measure, without_seed=_unlucky(scored), tolerance=RERUN_TOLERANCE)


def _unlucky(scored: Scored) -> np.ndarray:
    """Who gives the same answers whatever the seed."""
    return scored.table["condition"].isin((HOG, MAJORITY)).to_numpy()


COMPARED = {
    "ahead_of_majority": ("ahead of always naming the commonest class", OWN, MAJORITY),
    "ahead_of_hog": ("ahead of a linear classifier on HOG", OWN, HOG),
    "ahead_of_biased": ("ahead of the same with biases", OWN, "with_biases"),
    "dropout_gain": ("what dropout (D) adds", OWN, "without_dropout"),
    "augmentation_gain": ("what augmentation (A) adds", OWN, "without_augmentation"),
    "resolution_gain": ("what 96 pixels add to 48", "published_96", OWN),
}
"""Metric -> what is asked, and the two whose accuracies are compared: the first minus the second."""


def comparisons(scored: Scored) -> dict[str, Estimate]:
    """Each difference of ``COMPARED`` whose sides were both tested, in points, paired by picture."""
    conditions, found = scored.table["condition"], {}
    for name, (_, first, second) in COMPARED.items():
        sides = [conditions.eq(side) for side in (first, second)]
        if all(side.any() for side in sides):
            settings = {"without_seed": _unlucky(scored), "tolerance": RERUN_TOLERANCE}
            found[name] = difference(scored, *sides, **settings)
    return found


def comparisons_answer(found: Mapping[str, Estimate]) -> str:
    """Which of ``COMPARED`` leave out zero, which do not, and which were not asked, in a sentence each."""
    told = {"The interval leaves out zero": [], "It holds zero": [], "Only the reference asks": []}
    clear, unclear, absent = told.values()
    for name, (asked, *_) in COMPARED.items():
        gain = found.get(name)
        known = gain is not None and gain.low is not None
        (absent if gain is None else clear if known and gain.low * gain.high > 0 else unclear).append(asked)
    return " ".join(f"{what}: {'; '.join(names)}." for what, names in told.items() if names)


def metrics_of(
    tested: Tested, scored: Scored, model: nn.Module, leaks: pd.DataFrame, folds: int
) -> dict[str, Estimate]:
    """``networks``; ``folds`` that ran, ``folds_in_protocol``; ``tested_copies`` (of ``leaks``);
    ``training_pictures`` of the first fold; ``epochs``, most of any network; ``parameters`` of
    ``model``; ``valid_accuracy`` of the chosen epochs, which flatters; ``test_accuracy``,
    ``balanced_accuracy``, ``macro_f1``, ``hog_accuracy``, ``majority_accuracy``; ``last_fifth`` and
    ``comparisons``.
    """
    counts = {
        "networks": len(tested.curves),
        "folds": len(tested.folds),
        "folds_in_protocol": folds,
        "tested_copies": leaks["tested_copies"].sum(),
        "training_pictures": len(tested.folds[0].split("train")),
        "epochs": max(len(curve) for curve, _ in tested.curves.values()),
        "parameters": parameter_count(model),
    }
    measures = {"test_accuracy": "accuracy", "balanced_accuracy": "balanced_accuracy", "macro_f1": "macro_f1"}
    return {
        **{name: Estimate(count, unit="count") for name, count in counts.items()},
        **{name: of_condition(scored, OWN, measure) for name, measure in measures.items()},
        "hog_accuracy": of_condition(scored, HOG),
        "majority_accuracy": of_condition(scored, MAJORITY),
        "valid_accuracy": _over_networks(
            [c.set_index("epoch").loc[best, "valid_accuracy"] for c, best in tested.curves.values()], "share"
        ),
        **last_fifth([curve for curve, _ in tested.curves.values()]),
        **comparisons(scored),
    }


def last_fifth(curves: Sequence[pd.DataFrame]) -> dict[str, Estimate]:
    """What the last fifth of the epochs still changed, mean over the networks: ``train_loss_fall``, by which
    share of itself the training loss fell, and ``valid_rise``, by how many points the validation accuracy
    rose. Near 0 longer training would add little. Of a single epoch all is its own.
    """
    falls, rises = [], []
    for curve in curves:
        before = curve.iloc[-1 - max(1, len(curve) // 5)] if len(curve) > 1 else None
        last = curve.iloc[-1]
        falls.append(1.0 if before is None else 1 - last["train_loss"] / before["train_loss"])
        rises.append(POINTS * (last["valid_accuracy"] - (0 if before is None else before["valid_accuracy"])))
    return {"train_loss_fall": _over_networks(falls, "share"), "valid_rise": _over_networks(rises)}


def _over_networks(values: Sequence[float], unit: str = "") -> Estimate:
    """The mean of one value per network, with an interval over the networks."""
    sums = np.column_stack([values, np.ones(len(values))])
    return bootstrap(sums, of="networks", n=len(values), unit=unit, tolerance=0.2)


def ask_people(
    models: Sequence[nn.Module],
    people: Mapping[str, FaceSet],
    classes: tuple[str, ...],
    device: torch.device,
    *,
    draws: int,
    seed: int,
) -> dict[str, Scored]:
    """The ``models``, one row each, on each of the sets of ``people``, which have nobody in common."""
    table, found = pd.DataFrame({"condition": OWN, "seed": range(len(models))}), {}
    for number, (name, faces) in enumerate(people.items()):
        said = np.stack([predict(model, faces, device=device) for model in models])
        settings = {"draws": draws, "seed": seed + number}
        found[name] = score_on(faces, classes, table, said, ["condition"], **settings)
    return found


CHOSE, HAD_NO_SAY, FRESH = "chose the epoch", "had no say", "drawn anew"


def optimism(by_people: Mapping[str, Scored]) -> dict[str, Estimate]:
    """``optimism``: by how many points the accuracy on the people who chose the epoch lies above that on
    people who had no say in anything, of the same networks; ``shown_accuracy`` and ``fresh_accuracy``: the
    two. The people are those drawn anew where there are some, else those of the test split.
    """
    shown, fresh = by_people[CHOSE], by_people.get(FRESH, by_people[HAD_NO_SAY])
    gap, settings = minus(shown, fresh, ["condition"]), {"tolerance": RERUN_TOLERANCE}
    return {
        "shown_accuracy": of_condition(shown, OWN),
        "fresh_accuracy": of_condition(fresh, OWN),
        "optimism": contrast(gap, gap.weights(np.full(len(gap.table), True)), unit="", **settings),
    }


def layer_correlations(starts: Sequence[Classifier], models: Sequence[Classifier]) -> pd.DataFrame:
    """One row per network and layer: ``network`` (from 0), ``layer``, ``kind`` (``convolution`` or
    ``dense``), ``correlation``: Pearson's (-1 to 1) between the layer's weights before and after training.
    """
    rows = []
    for number, (start, model) in enumerate(zip(starts, models, strict=True)):
        for name, layer in model.named_modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                ends = (each.get_submodule(name).weight.detach().cpu().ravel() for each in (start, model))
                kind = "convolution" if isinstance(layer, nn.Conv2d) else "dense"
                rows.append((number, name, kind, np.corrcoef(*ends)[0, 1]))
    return pd.DataFrame(rows, columns=["network", "layer", "kind", "correlation"])


def correlation_metrics(correlations: pd.DataFrame) -> dict[str, Estimate]:
    """``first_layer_correlation`` and ``last_layer_correlation``: of the first and the last convolution with
    their random start, mean over the networks.
    """
    layers = correlations.loc[correlations["kind"].eq("convolution"), "layer"].unique()
    values = correlations.groupby("layer")["correlation"]
    ends = {"first": layers[0], "last": layers[-1]}
    return {f"{end}_layer_correlation": _over_networks(values.get_group(name)) for end, name in ends.items()}


def first_layer(model: nn.Module) -> np.ndarray:
    """float32 (K, 1, h, w): a copy of the weights of the first convolution of ``model``."""
    first = next(layer for layer in model.modules() if isinstance(layer, nn.Conv2d))
    return first.weight.detach().cpu().numpy().copy()


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
    "hog_accuracy": "linear classifier on HOG",
    "majority_accuracy": "always the commonest class",
}


def accuracy_table(metrics: Mapping[str, Estimate]) -> Table:
    """Those of ``ACCURACIES`` that are in ``metrics``, with their intervals and numbers of pictures."""
    rows = [
        {"measure": label, "value": metrics[name], "pictures": metrics[name].n}
        for name, label in ACCURACIES.items()
        if name in metrics
    ]
    return Table(pd.DataFrame(rows), "On the tested pictures", tolerance={"value": 0.15, "pictures": 0})


def leaks_of(faces: FaceSet, protocol: Protocol, ran: int) -> pd.DataFrame:
    """``leak_table`` of the first ``ran`` folds, the columns that are empty throughout left out."""
    table = leak_table(faces, protocol).head(ran).set_index("fold")
    empty = [name for name in ("absent_from_train", "absent_from_test") if table[name].eq("").all()]
    return table.drop(columns=empty)
