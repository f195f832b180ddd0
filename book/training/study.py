"""What trained networks showed: accuracies beside those of what is no network, what biases, dropout,
augmentation and resolution change, and what choosing the epoch adds.
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
"""Who is tested: the networks that the page is about, a linear classifier on histograms of oriented
gradients, and one who always names the commonest class of the training split. Others are populations by their
name."""


MOST_CANDIDATES = 12
"""Epochs of a training, at most, among which the page shows what choosing on tested people does."""


@dataclass(frozen=True)
class Tested:
    """The networks that a page is about, and what they say of pictures that nobody learned from or chose by.

    ``folds``: the face sets with the splits that were used, one of each fold that ran. ``pictures``: those
    tested, N, fold after fold. ``curves``: name -> curve and chosen epoch of each training.
    ``probabilities`` (answers, N, classes): what each network says of the pictures; where there are several
    folds each has one network, and what these say of their own is one answer. ``seeds`` of each answer, and
    ``learned``, the share that its network names rightly of the pictures that it learned from, of several
    folds the first. ``candidates`` (M, N, classes): what those among which one could choose say of the first
    fold's tested pictures: a training's epochs, or the networks of a population. ``models``: of the first
    fold, or those whose weights are kept; ``record`` of the first.
    """

    folds: tuple[FaceSet, ...]
    pictures: FaceSet
    curves: dict[str, tuple[pd.DataFrame, int]]
    probabilities: np.ndarray
    seeds: tuple[int, ...]
    learned: tuple[float, ...]
    candidates: np.ndarray
    models: tuple[Classifier, ...]
    record: TrainingRecord


def train_folds(run: FaceSession, faces: FaceSet, protocol: Protocol) -> Tested:
    """Networks that are trained now, by the page's recipe and all from its seed: one on each fold that its
    parameters ask for, at most as many as ``protocol`` has, and tested by it. The epoch is chosen on the
    fold's validation split.

    Raises what ``fold_faces``, ``build_network``, ``face_learner`` and ``fit`` raise.
    """
    p, device, count = run.params, run.device, len(protocol.folds)
    # All at once, which copies no pictures: a fold that cannot be trained is told before the first one is.
    folds = tuple(fold_faces(faces, protocol, number) for number in range(min(p.folds or count, count)))
    looks = np.linspace(1, p.epochs, min(p.epochs, MOST_CANDIDATES)).round().astype(int).tolist()
    how = {"seed": p.seed, "precision": run.precision, "device": device}
    models, trainings, said = [], [], []
    for fold in folds:
        seed_everything(p.seed)
        model = build_network(p.network, len(protocol.classes), faces.size[0], **p.network_options)
        trainings.append(fit(face_learner(fold, model, protocol.classes, p, **how), checkpoints=looks))
        said.append(predict(model, fold.split("test"), test_time=p.test_time, device=device))
        models.append(model)
    first, epoch, candidates = trainings[0], copy.deepcopy(models[0]), []
    run.note(precision=first.precision.to_json())
    for weights in first.checkpoints.values():
        epoch.load_state_dict(weights)
        candidates.append(predict(epoch, folds[0].split("test"), device=device))
    taught = at_most(folds[0], p.asked, p.seed).split("train")
    tested = np.concatenate([each.test for each in protocol.folds[: len(folds)]])
    right = predict(models[0], taught, device=device).argmax(1) == taught.labels(protocol.classes)
    return Tested(
        folds=folds,
        pictures=faces.labelled().select(tested),
        curves={f"fold {k}": (each.curve, each.best_epoch) for k, each in enumerate(trainings)},
        probabilities=np.concatenate(said)[None],
        seeds=(p.seed,),
        learned=(float(right.mean()),),
        candidates=np.stack(candidates),
        models=(models[0],),
        record=TrainingRecord.of(p, protocol.classes, 0, first.precision),
    )


def of_population(run: FaceSession, faces: FaceSet, protocol: Protocol) -> Tested:
    """The networks of the page's population, all tested by the first fold of ``faces``.

    Raises ParameterError where none is kept, or they learned from other faces than the page is about.
    """
    name, request = run.params.population, run.params.face_request
    members, networks = run.members(name), run.population(name)
    if not members:
        raise ParameterError("no network of the population is kept; `ferbook populations train` trains them")
    source = members[0].population.faces
    if source != request:
        raise ParameterError(
            f"population {name!r} learned from the faces {source}, and the chapter asks for {request}; give "
            "the same, or no population"
        )
    fold = fold_faces(faces, protocol, 0)
    probabilities = np.stack([member.answers().astype(np.float32) for member in members])
    return Tested(
        folds=(fold,),
        pictures=fold.split("test"),
        curves={f"seed {m.seed}": (m.curve(), m.done()["best_epoch"]) for m in members},
        probabilities=probabilities,
        seeds=tuple(member.seed for member in members),
        learned=tuple(member.done()["train_accuracy"] for member in members),
        candidates=probabilities,
        models=tuple(each.model for each in networks),
        record=networks[0].record,
    )


def no_networks(folds: Iterable[FaceSet], classes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """What those say of the tested pictures who are no network: ``HOG`` and ``MAJORITY``, as 0 and 1 (N,
    classes), fold after fold.
    """
    answers = {HOG: [], MAJORITY: []}
    for faces in folds:
        answers[HOG].append(classifier_on_hog(faces, classes).predict(hog_responses(faces.split("test"))))
        commonest = np.bincount(faces.split("train").labels(classes)).argmax()
        answers[MAJORITY].append(np.full(len(faces.split("test")), commonest))
    return {name: np.eye(len(classes))[np.concatenate(parts)] for name, parts in answers.items()}


HOG_STRENGTHS = (0.0001, 0.001, 0.01, 0.1, 1.0)
"""Of the linear classifier's inverse regularisation, from which the validation split chooses."""


def classifier_on_hog(faces: FaceSet, classes: tuple[str, ...]) -> Pipeline:
    """A linear classifier that reads histograms of oriented gradients, of the training split of ``faces``."""
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
    networks: Tested,
    others: Mapping[str, np.ndarray],
    beside: Sequence[Member],
    classes: tuple[str, ...],
    **draws,
) -> TrainingScores:
    """All that were tested by the same pictures, one row each with its ``condition``, ``seed`` and
    ``learned``, the share that it names rightly of what it learned from: the page's own networks, the
    ``others`` that are no networks, and those of other populations ``beside`` them.
    """
    rows = [(OWN, *own) for own in zip(networks.seeds, networks.learned, strict=True)]
    rows += [(m.population.name, m.seed, m.done()["train_accuracy"]) for m in beside]
    rows += [(name, 0, np.nan) for name in others]
    table = pd.DataFrame(rows, columns=["condition", "seed", "learned"])
    answers = np.stack([*networks.probabilities, *(m.answers() for m in beside), *others.values()])
    labels, people = networks.pictures.labels(classes), independent_groups(networks.pictures)
    return score_trainings(table, answers, labels, people, ["condition"], **draws)


def of_condition(scored: TrainingScores, condition: str, measure: str = "accuracy") -> Estimate:
    """The mean over the networks of ``condition``."""
    keep = scored.table["condition"].eq(condition)
    return mean_score(scored, keep, measure, without_seed=_without_seed(scored), tolerance=RERUN_TOLERANCE)


def _without_seed(scored: TrainingScores) -> np.ndarray:
    """Who gives the same answers whatever the seed."""
    return scored.table["condition"].isin((HOG, MAJORITY)).to_numpy()


TRAINING_GAINS = {
    "ahead_of_majority": ("over the commonest class", {OWN: 1, MAJORITY: -1}),
    "ahead_of_hog": ("over linear HOG", {OWN: 1, HOG: -1}),
    "ahead_of_biased": ("leaving out biases", {OWN: 1, "emotions_with_biases": -1}),
    "dropout_gain": ("dropout (D)", {OWN: 1, "emotions_without_dropout": -1}),
    "augmentation_gain": ("augmentation (A)", {OWN: 1, "emotions_without_augmentation": -1}),
}
"""Metric -> what is asked, and the weight of each condition's mean accuracy: 1 minus -1 is a difference."""


def training_variance(scored: TrainingScores) -> list[StandardError]:
    """What seeds leave uncertain of the mean accuracy of the page's own networks, in points; none where no
    condition was trained twice.
    """
    own = scored.table["condition"].eq(OWN).sum()
    error = POINTS * scored.spread["accuracy"] / np.sqrt(own)
    return [StandardError(error, scored.freedom)] if scored.freedom else []


def variant_members(run: FaceSession) -> list[Member]:
    """The networks of the populations that differ from the page's own in their structure or augmentation.
    Raises DataError, naming the population, where one learned from other people.
    """
    names = run.params.populations if run.params.population else ()
    if names:
        require_matched(map(find_population, names), but=("options", "recipe.augment"))
    return [member for name in names[1:] for member in run.members(name)]


def reference_gains(run: FaceSession) -> dict[str, Estimate]:
    """Those of ``TRAINING_GAINS`` that the reference has, where it stands beside the run."""
    gains = {name: run.reference(name) for name in TRAINING_GAINS}
    return {name: gain for name, gain in gains.items() if gain}


def comparisons(scored: TrainingScores) -> dict[str, Estimate]:
    """Each of ``TRAINING_GAINS`` whose conditions were all tested, in points, paired by picture."""
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
"""Those of ``TRAINING_GAINS`` that are asked of more people, where these were asked."""


def variant_gains(
    run: FaceSession, networks: Tested, beside: Sequence[Member], classes: tuple[str, ...], **draws: int
) -> dict[str, Estimate]:
    """``GAINS_OF_MANY`` over the tested people and those drawn anew, who are many more: each whose other
    side, of ``beside``, answered them too when it was trained, and of these networks ``networks_compared``.
    Without them a point can hardly be told from none.
    """
    if len(run.params.face_requests) < 2:
        return {}
    anew = run.extra_faces(run.params.faces).labelled()
    members = [m for m in beside if m.population.fresh == run.params.face_requests[1]]
    answers = {(m.population.name, m.seed): (m.answers(), m.fresh_answers()) for m in members}
    answers = {who: np.concatenate(both) for who, both in answers.items() if both[1] is not None}
    # Both sets call their people S001 and so on; these are others.
    table = anew.table.assign(
        subject="new-" + anew.table["subject"], sequence="new-" + anew.table["sequence"]
    )
    faces = FaceSet.concat(anew.name, [networks.pictures, FaceSet(anew.name, anew.pixels, table)])
    own = zip(networks.seeds, networks.models, networks.probabilities, strict=False)
    answers |= {
        (OWN, seed): np.concatenate([answer, predict(model, anew, device=run.device)])
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
    """``dropout_networks`` and ``augmentation_networks``: the fewer of those with and those without it,
    where both were tested.
    """
    counts = scored.table["condition"].value_counts()
    estimates = {}
    for name in ("dropout", "augmentation"):
        sides = TRAINING_GAINS[f"{name}_gain"][1]
        if set(sides) <= set(counts.index):
            estimates[f"{name}_networks"] = Estimate(counts[[*sides]].min(), unit="count")
    return estimates


def metrics_of(
    networks: Tested, scored: TrainingScores, result: Evaluation, leaks: pd.DataFrame, folds: int
) -> dict[str, Estimate]:
    """``networks``; ``folds`` that ran, ``folds_in_protocol``; ``tested_copies`` (of ``leaks``);
    ``training_pictures`` of the first fold; ``epochs``, most of any network; ``parameters`` of
    one; ``train_accuracy``, of what was learned from; ``valid_accuracy`` of the chosen epochs, which
    flatters; ``test_accuracy``, ``balanced_accuracy``, ``macro_f1``, ``hog_accuracy``,
    ``majority_accuracy``; of ``result`` ``test_accuracy_without_copies`` and, of several folds,
    ``protocol_accuracy``; ``last_fifth``, ``comparisons`` and ``networks_compared``.
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
        "train_accuracy": network_mean(networks.learned, "share"),
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
    """How wide the interval of the accuracy would be, as a share of its width, if single pictures were drawn
    in place of ``people`` (N,); ``labels`` and ``answers`` (N,) are classes.
    """
    wide, narrow = (accuracy(labels, answers, of, **draws) for of in (people, np.arange(len(labels))))
    if None in (wide.low, narrow.low):
        return Estimate(1.0, why="all draws give the same value")
    share = (narrow.high - narrow.low) / (wide.high - wide.low)
    return Estimate(share, n=len(labels), why="a ratio of two widths", tolerance=0.2)


@dataclass(frozen=True)
class EpochAnswers:
    """What a network named after each epoch: ``named`` (epochs, N), indices of classes of the tested
    pictures; ``chosen`` (N,): at the epoch that validation chose.
    """

    named: np.ndarray
    chosen: np.ndarray


def answers_by_epoch(run: FaceSession, networks: Tested) -> list[EpochAnswers]:
    """Of each network of the page's population whose answers after each epoch are kept; of a training on this
    page that of its first fold.
    """
    if not run.params.population:
        named = networks.candidates.argmax(2)
        return [EpochAnswers(named, networks.probabilities[0, : named.shape[1]].argmax(1))]
    members = run.members(run.params.population)
    members = [member for member in members if "epochs.npy" in member.done()["files"]]
    return [EpochAnswers(m.answers_by_epoch(), m.answers().argmax(1)) for m in members]


def epoch_choice(
    by_epoch: Sequence[EpochAnswers], labels: np.ndarray, people: np.ndarray, classes: int, **draws
) -> tuple[pd.DataFrame, dict[str, Estimate]]:
    """What choosing the epoch on those who are tested adds, paired by network and by person, and of how many
    networks that is: ``epoch_choice`` in points, ``epoch_choice_networks``. It cannot be below 0, unless
    validation chose an epoch that the tested people could not choose; its size is what counts. First a row
    per network: ``by_tested`` and ``by_validation``, shares named rightly at the epoch of either.

    ``labels`` (N,): true classes of the tested pictures, of so many ``classes``; ``people`` (N,): equal for
    pictures that are not independent. The interval takes the chosen epochs as they are.
    """
    count = {"epoch_choice_networks": Estimate(len(by_epoch), unit="count")}
    if not by_epoch:
        return pd.DataFrame(columns=["by_tested", "by_validation"], dtype=float), count
    best = np.stack([each.named[(each.named == labels).mean(axis=1).argmax()] for each in by_epoch])
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
    return Table(
        pd.DataFrame(rows),
        "On the tested pictures, mean of the networks",
        tolerance={"value": 0.15, "pictures": 0},
    )


def leaks_of(faces: FaceSet, protocol: Protocol, ran: int) -> pd.DataFrame:
    """``leak_table`` of the first ``ran`` folds (0: all), without columns that are empty throughout."""
    table = leak_table(faces, protocol).head(ran or len(protocol.folds)).set_index("fold")
    empty = [name for name in ("absent_from_train", "absent_from_test") if table[name].eq("").all()]
    return table.drop(columns=empty)
