"""Accuracies of trained networks and of baselines, what biases, dropout and augmentation change, and what
choosing the epoch on the tested people adds.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from book.populations import Member, find_population, require_matched
from book.session import FaceSession
from face_sets.faceset import FaceSet
from face_sets.folds import Protocol, fold_faces, leak_table
from face_sets.leakage import independent_groups
from face_sets.splits import at_most
from fer_lib.nets.build import build_network
from fer_lib.nets.classifier import Classifier
from fer_lib.stats.classification import accuracy
from fer_lib.stats.contrasts import POINTS, TrainingScores, contrast, mean_score, minus, score_trainings
from fer_lib.stats.resampling import RERUN_TOLERANCE
from fer_lib.stats.two_way import StandardError, network_mean
from fer_lib.train.callbacks import last_fifth
from fer_lib.train.controls import hog_responses
from fer_lib.train.learner import face_learner, fit, seed_everything
from fer_lib.train.predict import predict
from fer_lib.train.record import TrainingRecord
from fer_lib.train.study import Evaluation
from fer_lib.train.weights import parameter_count
from ferbook.errors import ParameterError
from ferbook.estimate import Estimate
from ferbook.page.tables import Table

OWN, HOG, MAJORITY = "own", "HOG", "majority"
"""Conditions: the networks that the page is about, a linear classifier on histograms of oriented gradients,
and the most frequent class of the training split. Others are populations by their name.
"""


MOST_CANDIDATES = 12
"""Epochs of a training, at most, among which the page chooses on the tested people."""


@dataclass(frozen=True)
class EvaluatedNetworks:
    """The networks that a page is about, and their predictions on held-out pictures.

    ``folds``: a face set for each fold that ran, with its splits. ``pictures``: those tested, N, fold after
    fold. ``curves``: name -> learning curve and chosen epoch of each training. ``probabilities`` (answers, N,
    classes): predictions; the networks of several folds, each on its own pictures, give one answer together.
    ``seeds`` and ``train_accuracies`` of each answer; of several folds, the first network's.
    ``candidates`` (M, N, classes): predictions on the first fold's test pictures by what one could choose
    from: the epochs of a training, or the networks of a population. ``models``: of the first fold, or those
    whose weights are stored; ``record`` of the first.
    """

    folds: tuple[FaceSet, ...]
    pictures: FaceSet
    curves: dict[str, tuple[pd.DataFrame, int]]
    probabilities: np.ndarray
    seeds: tuple[int, ...]
    train_accuracies: tuple[float, ...]
    candidates: np.ndarray
    models: tuple[Classifier, ...]
    record: TrainingRecord


def train_folds(run: FaceSession, faces: FaceSet, protocol: Protocol) -> EvaluatedNetworks:
    """Train a network on each fold that the parameters name, by the page's recipe and seed, and test it.

    The validation split of the fold chooses the epoch. Raises what ``fold_faces``, ``build_network``,
    ``face_learner`` and ``fit`` raise.
    """
    p, device, count = run.params, run.device, len(protocol.folds)
    # All at once, which copies no pictures: a fold that cannot be trained is refused before any training.
    folds = tuple(fold_faces(faces, protocol, number) for number in range(min(p.folds or count, count)))
    looks = np.linspace(1, p.epochs, min(p.epochs, MOST_CANDIDATES)).round().astype(int).tolist()
    how = {"seed": p.seed, "precision": run.precision, "device": device}
    models, trainings, answers = [], [], []
    for fold in folds:
        seed_everything(p.seed)
        model = build_network(p.network, len(protocol.classes), faces.size[0], **p.network_options)
        trainings.append(fit(face_learner(fold, model, protocol.classes, p, **how), checkpoints=looks))
        answers.append(predict(model, fold.split("test"), test_time=p.test_time, device=device))
        models.append(model)
    first, epoch, candidates = trainings[0], copy.deepcopy(models[0]), []
    run.note(precision=first.precision.to_json())
    for weights in first.checkpoints.values():
        epoch.load_state_dict(weights)
        candidates.append(predict(epoch, folds[0].split("test"), device=device))
    seen = at_most(folds[0], p.train_eval_size, p.seed).split("train")
    tested = np.concatenate([each.test for each in protocol.folds[: len(folds)]])
    right = predict(models[0], seen, device=device).argmax(1) == seen.labels(protocol.classes)
    return EvaluatedNetworks(
        folds=folds,
        pictures=faces.labelled().select(tested),
        curves={f"fold {k}": (each.curve, each.best_epoch) for k, each in enumerate(trainings)},
        probabilities=np.concatenate(answers)[None],
        seeds=(p.seed,),
        train_accuracies=(float(right.mean()),),
        candidates=np.stack(candidates),
        models=(models[0],),
        record=TrainingRecord.of(p, protocol.classes, 0, first.precision),
    )


def evaluate_population(run: FaceSession, faces: FaceSet, protocol: Protocol) -> EvaluatedNetworks:
    """Evaluate the networks of the page's population on the first fold of ``faces``.

    Raises ParameterError if none is stored, or if they were trained on other faces than the page is about.
    """
    name, request = run.params.population, run.params.face_request
    members, networks = run.members(name), run.population(name)
    if not members:
        raise ParameterError(
            "no network of the population is stored; `ferbook populations train` trains them"
        )
    source = members[0].population.faces
    if source != request:
        raise ParameterError(
            f"population {name!r} was trained on the faces {source}, the chapter is about {request}; give "
            "the same, or no population"
        )
    fold = fold_faces(faces, protocol, 0)
    probabilities = np.stack([member.answers().astype(np.float32) for member in members])
    return EvaluatedNetworks(
        folds=(fold,),
        pictures=fold.split("test"),
        curves={f"seed {m.seed}": (m.curve(), m.done()["best_epoch"]) for m in members},
        probabilities=probabilities,
        seeds=tuple(member.seed for member in members),
        train_accuracies=tuple(member.done()["train_accuracy"] for member in members),
        candidates=probabilities,
        models=tuple(each.model for each in networks),
        record=networks[0].record,
    )


def baseline_predictions(folds: Iterable[FaceSet], classes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Predict the test pictures of ``folds`` by ``HOG`` and ``MAJORITY``: 0 and 1 (N, classes)."""
    answers = {HOG: [], MAJORITY: []}
    for faces in folds:
        answers[HOG].append(classifier_on_hog(faces, classes).predict(hog_responses(faces.split("test"))))
        commonest = np.bincount(faces.split("train").labels(classes)).argmax()
        answers[MAJORITY].append(np.full(len(faces.split("test")), commonest))
    return {name: np.eye(len(classes))[np.concatenate(parts)] for name, parts in answers.items()}


HOG_STRENGTHS = (0.0001, 0.001, 0.01, 0.1, 1.0)
"""Inverse regularisation of the linear classifier; the validation split chooses."""


def classifier_on_hog(faces: FaceSet, classes: tuple[str, ...]) -> Pipeline:
    """Fit a linear classifier on histograms of oriented gradients to the training split of ``faces``."""
    responses = {name: hog_responses(faces.split(name)) for name in ("train", "valid")}
    labels = {name: faces.split(name).labels(classes) for name in responses}
    models = [
        make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=200)).fit(
            responses["train"], labels["train"]
        )
        for strength in HOG_STRENGTHS
    ]
    return max(models, key=lambda model: model.score(responses["valid"], labels["valid"]))


def score_tested(
    networks: EvaluatedNetworks,
    baselines: Mapping[str, np.ndarray],
    variants: Sequence[Member],
    classes: tuple[str, ...],
    **draws,
) -> TrainingScores:
    """Score the page's networks, the ``baselines`` and the ``variants`` on the same pictures.

    Each is a row with its ``condition``, ``seed`` and ``train_accuracy`` (NaN of a baseline).
    """
    rows = [(OWN, *own) for own in zip(networks.seeds, networks.train_accuracies, strict=True)]
    rows += [(m.population.name, m.seed, m.done()["train_accuracy"]) for m in variants]
    rows += [(name, 0, np.nan) for name in baselines]
    table = pd.DataFrame(rows, columns=["condition", "seed", "train_accuracy"])
    answers = np.stack([*networks.probabilities, *(m.answers() for m in variants), *baselines.values()])
    labels, people = networks.pictures.labels(classes), independent_groups(networks.pictures)
    return score_trainings(table, answers, labels, people, ["condition"], **draws)


def of_condition(scored: TrainingScores, condition: str, measure: str = "accuracy") -> Estimate:
    """Average ``measure`` over the networks of ``condition``."""
    keep = scored.table["condition"].eq(condition)
    return mean_score(scored, keep, measure, without_seed=_without_seed(scored), tolerance=RERUN_TOLERANCE)


def _without_seed(scored: TrainingScores) -> np.ndarray:
    """Which rows give the same answers whatever the seed."""
    return scored.table["condition"].isin((HOG, MAJORITY)).to_numpy()


TRAINING_GAINS = {
    "ahead_of_majority": ("over the most frequent class", {OWN: 1, MAJORITY: -1}),
    "ahead_of_hog": ("learned filters, over HOG", {OWN: 1, HOG: -1}),
    "ahead_of_biased": ("leaving out biases", {OWN: 1, "emotions_with_biases": -1}),
    "dropout_gain": ("dropout (D)", {OWN: 1, "emotions_without_dropout": -1}),
    "augmentation_gain": ("augmentation (A)", {OWN: 1, "emotions_without_augmentation": -1}),
}
"""Metric -> its name on the page, and the weight of each condition's mean accuracy."""


def training_variance(scored: TrainingScores) -> list[StandardError]:
    """Standard error of the mean accuracy of the page's networks over seeds, in percentage points; none if
    no condition was trained twice.
    """
    own = scored.table["condition"].eq(OWN).sum()
    error = POINTS * scored.spread["accuracy"] / np.sqrt(own)
    return [StandardError(error, scored.freedom)] if scored.freedom else []


def variant_members(run: FaceSession) -> list[Member]:
    """Open the networks of the populations that differ from the page's in structure or augmentation.

    Raises DataError, naming the population, if one was trained on other people.
    """
    names = run.params.populations if run.params.population else ()
    if names:
        require_matched(map(find_population, names), but=("options", "recipe.augment"))
    return [member for name in names[1:] for member in run.members(name)]


def reference_gains(run: FaceSession) -> dict[str, Estimate]:
    """Those of ``TRAINING_GAINS`` that the reference has, where it matches the run."""
    gains = {name: run.reference(name) for name in TRAINING_GAINS}
    return {name: gain for name, gain in gains.items() if gain}


def comparisons(scored: TrainingScores) -> dict[str, Estimate]:
    """Compute each of ``TRAINING_GAINS`` whose conditions were tested, in percentage points."""
    conditions, estimates = scored.table["condition"], {}
    for name, (_, sides) in TRAINING_GAINS.items():
        if set(sides) <= set(conditions):
            weights = sum(sign * scored.weights(conditions.eq(side)) for side, sign in sides.items())
            settings = {"without_seed": _without_seed(scored), "tolerance": RERUN_TOLERANCE}
            estimates[name] = contrast(scored, weights, unit="", **settings)
    return estimates


VARIANT_ACCURACIES = {
    "biased_accuracy": "emotions_with_biases",
    "without_dropout_accuracy": "emotions_without_dropout",
    "without_augmentation_accuracy": "emotions_without_augmentation",
}
"""Metric -> the condition whose mean accuracy it is: what the page's own networks are compared with."""


def variant_accuracies(scored: TrainingScores) -> dict[str, Estimate]:
    """Return those of ``VARIANT_ACCURACIES`` whose condition was tested."""
    tested = set(scored.table["condition"])
    return {name: of_condition(scored, side) for name, side in VARIANT_ACCURACIES.items() if side in tested}


GAINS_OF_MANY = ("dropout_gain", "augmentation_gain")
"""Those of ``TRAINING_GAINS`` that are measured on more people, where there are any."""


def variant_gains(
    run: FaceSession,
    networks: EvaluatedNetworks,
    variants: Sequence[Member],
    classes: tuple[str, ...],
    **draws: int,
) -> dict[str, Estimate]:
    """Measure ``GAINS_OF_MANY`` on the tested people and the extra ones together.

    With the tested people alone a gain of a point could hardly be detected. A gain is left out if the
    networks of its other side, among ``variants``, did not answer the extra people when they were trained.
    """
    if len(run.params.face_requests) < 2:
        return {}
    extra = run.extra_faces(run.params.faces).labelled()
    members = [m for m in variants if m.population.fresh == run.params.face_requests[1]]
    answers = {(m.population.name, m.seed): (m.answers(), m.fresh_answers()) for m in members}
    answers = {who: np.concatenate(both) for who, both in answers.items() if both[1] is not None}
    # Both sets call their people S001 and so on.
    table = extra.table.assign(**{name: "new-" + extra.table[name] for name in ("subject", "sequence")})
    faces = FaceSet.concat(extra.name, [networks.pictures, FaceSet(extra.name, extra.pixels, table)])
    own = zip(networks.seeds, networks.models, networks.probabilities, strict=False)
    answers |= {
        (OWN, seed): np.concatenate([answer, predict(model, extra, device=run.device)])
        for seed, model, answer in own
    }
    table = pd.DataFrame(answers.keys(), columns=["condition", "seed"])
    labels, people = faces.labels(classes), independent_groups(faces)
    scored = score_trainings(table, np.stack([*answers.values()]), labels, people, ["condition"], **draws)
    gains = comparisons(scored)
    accuracies = {"accuracy_of_many": of_condition(scored, OWN)} | variant_accuracies(scored)
    accuracies.pop("biased_accuracy", None)  # of fewer people
    found = {name: gains[name] for name in GAINS_OF_MANY if name in gains}
    return found | networks_compared(scored) | accuracies


def networks_compared(scored: TrainingScores) -> dict[str, Estimate]:
    """Count the networks of each comparison, the fewer of both sides: ``dropout_networks``,
    ``augmentation_networks``.
    """
    counts = scored.table["condition"].value_counts()
    estimates = {}
    for name in ("dropout", "augmentation"):
        sides = TRAINING_GAINS[f"{name}_gain"][1]
        if set(sides) <= set(counts.index):
            estimates[f"{name}_networks"] = Estimate(counts[[*sides]].min(), unit="count")
    return estimates


def metrics_of(
    networks: EvaluatedNetworks, scored: TrainingScores, result: Evaluation, leaks: pd.DataFrame, folds: int
) -> dict[str, Estimate]:
    """Collect the metrics of the page's networks.

    ``networks``; ``folds`` that ran, ``folds_in_protocol``; ``tested_copies`` (of ``leaks``);
    ``training_pictures`` of the first fold; ``epochs``, most of any network; ``parameters`` of one;
    ``train_accuracy``; ``valid_accuracy`` of the chosen epochs, which is optimistic; ``test_accuracy``,
    ``balanced_accuracy``, ``macro_f1``, ``hog_accuracy``, ``majority_accuracy``; of ``result``
    ``test_accuracy_without_copies`` and, of several folds, ``protocol_accuracy``; ``last_fifth``,
    ``comparisons``, ``variant_accuracies`` and ``networks_compared``.
    """
    names = ("test_accuracy_without_copies", "protocol_accuracy")[: 1 + (len(networks.folds) > 1)]
    each = len(networks.probabilities)  # answers that a picture has
    pooled = {name: result.metrics[name] for name in names}
    counts = {
        "networks": len(networks.curves),
        "folds": len(networks.folds),
        "folds_in_protocol": folds,
        "tested_copies": leaks["tested_copies"].sum(),
        "training_pictures": len(networks.folds[0].split("train")),
        "epochs": max(len(curve) for curve, _ in networks.curves.values()),
        "parameters": parameter_count(networks.models[0]),
    }
    measures = {"test_accuracy": "accuracy", "balanced_accuracy": "balanced_accuracy", "macro_f1": "macro_f1"}
    return {
        **{name: Estimate(count, unit="count") for name, count in counts.items()},
        **{name: of_condition(scored, OWN, measure) for name, measure in measures.items()},
        **{name: replace(metric, n=metric.n // each) for name, metric in pooled.items()},
        "hog_accuracy": of_condition(scored, HOG),
        "majority_accuracy": of_condition(scored, MAJORITY),
        "train_accuracy": network_mean(networks.train_accuracies, "share"),
        "valid_accuracy": network_mean(
            [c.set_index("epoch").loc[best, "valid_accuracy"] for c, best in networks.curves.values()],
            "share",
        ),
        **last_fifth([curve for curve, _ in networks.curves.values()]),
        **comparisons(scored),
        **variant_accuracies(scored),
        **networks_compared(scored),
    }


def drawn_by_picture(labels: np.ndarray, answers: np.ndarray, people: np.ndarray, **draws: int) -> Estimate:
    """Width of the accuracy's interval if pictures were resampled in place of ``people`` (N,), divided by its
    width; ``labels`` and ``answers`` (N,) are classes.
    """
    wide, narrow = (accuracy(labels, answers, of, **draws) for of in (people, np.arange(len(labels))))
    if None in (wide.low, narrow.low):
        return Estimate(1.0, why="all draws give the same value")
    ratio = (narrow.high - narrow.low) / (wide.high - wide.low)
    return Estimate(ratio, n=len(labels), why="a ratio of two widths", tolerance=0.2)


@dataclass(frozen=True)
class EpochAnswers:
    """Predicted classes of the tested pictures: ``predicted`` (epochs, N) after each epoch, ``chosen`` (N,)
    at the epoch that validation chose.
    """

    predicted: np.ndarray
    chosen: np.ndarray


def answers_by_epoch(run: FaceSession, networks: EvaluatedNetworks) -> list[EpochAnswers]:
    """Predictions after each epoch: of the networks of the page's population that stored them, or of the
    page's training on its first fold.
    """
    if not run.params.population:
        predicted = networks.candidates.argmax(2)
        return [EpochAnswers(predicted, networks.probabilities[0, : predicted.shape[1]].argmax(1))]
    members = run.members(run.params.population)
    members = [member for member in members if "epochs.npy" in member.done()["files"]]
    return [EpochAnswers(m.answers_by_epoch(), m.answers().argmax(1)) for m in members]


def epoch_choice(
    by_epoch: Sequence[EpochAnswers], labels: np.ndarray, people: np.ndarray, classes: int, **draws
) -> tuple[pd.DataFrame, dict[str, Estimate]]:
    """Measure what choosing the epoch on the tested people adds, paired by network and by person.

    It cannot be below 0, unless validation chose an epoch that was no candidate; its size is what counts. The
    interval takes the chosen epochs as fixed.

    Parameters
    ----------
    by_epoch : sequence of EpochAnswers
        Predictions of each network.
    labels : (N,) int array
        True classes of the tested pictures, of so many ``classes``.
    people : (N,) array
        Equal for pictures that are not independent.

    Returns
    -------
    choices : DataFrame
        A row for each network: its accuracy at the epoch chosen ``by_tested`` and ``by_validation`` people.
    metrics : dict
        ``epoch_choice`` in percentage points with both accuracies, and ``epoch_choice_networks``.
    """
    count = {"epoch_choice_networks": Estimate(len(by_epoch), unit="count")}
    if not by_epoch:
        return pd.DataFrame(columns=["by_tested", "by_validation"], dtype=float), count
    best = np.stack([each.predicted[(each.predicted == labels).mean(axis=1).argmax()] for each in by_epoch])
    answers = {"by_tested": best, "by_validation": np.stack([each.chosen for each in by_epoch])}
    table, certain = pd.DataFrame({"condition": [OWN] * len(by_epoch)}), np.eye(classes)
    clusters = np.unique(people, return_inverse=True)[1]
    scored = [
        score_trainings(table, certain[answer], labels, clusters, ["condition"], **draws)
        for answer in answers.values()
    ]
    gap = minus(*scored, ["condition"])
    choice = contrast(gap, gap.weights(np.full(len(gap.table), True)), unit="", tolerance=RERUN_TOLERANCE)
    choice = replace(choice, n=len(labels))
    sides = dict(zip(answers, scored, strict=True))
    shares = pd.DataFrame({name: each.table["accuracy"] for name, each in sides.items()})
    accuracies = {f"accuracy_{name}": of_condition(each, OWN) for name, each in sides.items()}
    return shares, {"epoch_choice": choice} | accuracies | count


ACCURACIES = {
    "test_accuracy": "accuracy",
    "test_accuracy_without_copies": "accuracy without copies of training pictures",
    "protocol_accuracy": "mean accuracy of the folds, as papers report it",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
}


def accuracy_table(metrics: Mapping[str, Estimate]) -> Table:
    """Show those of ``ACCURACIES`` that are in ``metrics``."""
    rows = [
        {"measure": label, "value": metrics[name], "pictures": metrics[name].n}
        for name, label in ACCURACIES.items()
        if name in metrics
    ]
    return Table(
        pd.DataFrame(rows),
        "The networks of this page on the test pictures, by several measures",
        tolerance={"value": 0.15, "pictures": 0},
    )


LEAK_HEADS = {
    "tested_subjects": "test people also in training or validation",
    "tested_copies": "test pictures with a copy there",
    "validated_subjects": "validation people also in training",
    "validated_copies": "validation pictures with a copy there",
}
"""Heads of columns of ``leaks_of`` on the page."""


def leaks_of(faces: FaceSet, protocol: Protocol, ran: int) -> pd.DataFrame:
    """``leak_table`` of the first ``ran`` folds (0: all), without empty columns."""
    table = leak_table(faces, protocol).head(ran or len(protocol.folds)).set_index("fold")
    empty = [name for name in ("absent_from_train", "absent_from_test") if table[name].eq("").all()]
    return table.drop(columns=empty)
