"""Classifiers of a generator's residue, compared with classifiers of other inputs.

All conditions have the same versions of the same pictures, the same folds, seeds and recipe, and are scored
on the same people.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from book.derl import stage_two
from book.derl.chapter import DerlParameters
from book.derl.pairs import PairSplits
from book.derl.stage_one import StageOne
from face_sets.faceset import SPLITS, FaceSet, named_alone
from face_sets.folds import Fold, Protocol, fold_faces
from face_sets.splits import random_rows
from fer_lib.nets.classifier import Classifier, evaluating
from fer_lib.nets.derl import ResidueClassifier
from fer_lib.nets.vgg import VGG
from fer_lib.stats.contrasts import BASELINE, CONTROL, NULL, OURS, Contender, Contest, hold_contest
from fer_lib.stats.resampling import RERUN_TOLERANCE
from fer_lib.train.weights import parameter_count
from ferbook.errors import DataError
from ferbook.estimate import Estimate

DERL, SINGLE_PAIRS, UNTRAINED_GENERATOR, SHUFFLED_NEUTRALS = (
    "all_pairs",
    "single_pairs",
    "untrained_generator",
    "shuffled_neutrals",
)
PIXEL_DIFFERENCE, CNN, FEATURE_DIFFERENCE = "pixel_difference", "cnn", "feature_difference"

CONTEST_CONDITIONS = (
    DERL,
    SINGLE_PAIRS,
    UNTRAINED_GENERATOR,
    SHUFFLED_NEUTRALS,
    PIXEL_DIFFERENCE,
    CNN,
    FEATURE_DIFFERENCE,
)
"""Conditions: DeRL on the residues of all layer pairs; on the residue of one pair, a condition for each pair
with its name (``pair24``); DeRL on a generator with random weights, and on one trained on other people's
neutral faces; a plain CNN, with as many parameters as DeRL's second stage, on the picture minus the generated
neutral face, and on the picture; and a linear layer on that CNN's features of the picture minus those of the
neutral face.
"""

MAJORITY_BASELINE = "majority"

CONDITION_LABELS: dict[str, tuple[str, str]] = {
    DERL: ("DeRL: all layers", OURS),
    CNN: ("plain CNN, equal size", BASELINE),
    PIXEL_DIFFERENCE: ("pixel difference", BASELINE),
    FEATURE_DIFFERENCE: ("CNN feature difference", BASELINE),
    UNTRAINED_GENERATOR: ("untrained generator", CONTROL),
    SHUFFLED_NEUTRALS: ("generator of wrong neutrals", CONTROL),
    MAJORITY_BASELINE: ("majority-class baseline", NULL),
}
"""Slug in metrics -> name and kind of each condition; single layers have the name of their pair."""

CLAIMED_CONDITIONS = (DERL, UNTRAINED_GENERATOR, PIXEL_DIFFERENCE, CNN, FEATURE_DIFFERENCE)
"""Conditions of the paper's claim, which need no further generator."""

CONDITIONS_OF_GENERATOR = {
    "trained": (DERL, SINGLE_PAIRS),
    "untrained": (UNTRAINED_GENERATOR,),
    "shuffled": (SHUFFLED_NEUTRALS,),
}
"""Generator -> conditions on its residues. Differences are to the neutral faces of ``trained``."""

TESTED_AT_A_TIME = 128
"""Tested pictures with inputs in memory at a time; the residues of one take about 185 KB at 48 × 48."""


@dataclass(frozen=True, eq=False)
class ResidueTask:
    """Inputs of both stages: ``parameters``; ``faces`` to classify, in the folds of ``protocol``; ``splits``
    for the generators; and the ``device``.
    """

    parameters: DerlParameters
    faces: FaceSet
    protocol: Protocol
    splits: PairSplits
    device: torch.device | str = "cpu"


@dataclass(frozen=True, eq=False)
class ResidueStudy:
    """Trainings that differ only in condition, seed and fold.

    Attributes
    ----------
    trainings : DataFrame
        One row per ``condition`` (of a single pair its name), ``seed`` and ``fold`` (from 0): ``parameters``
        (trained on labels), ``frozen`` (of the generator, and of the CNN that it needs) and
        ``valid_accuracy``. ``table``: the same per condition and seed, averaged over the folds.
    rows, labels, subjects : (P,) arrays
        Rows of the labelled pictures that were tested, their classes and people.
    probabilities : (rows of ``table``, P, classes) float32 array
        Answers about these pictures.
    models : mapping
        Condition -> classifier of the first fold and seed.
    """

    trainings: pd.DataFrame
    rows: np.ndarray
    labels: np.ndarray
    subjects: np.ndarray
    probabilities: np.ndarray
    models: Mapping[str, nn.Module]

    @property
    def table(self) -> pd.DataFrame:
        summary = {"parameters": "first", "frozen": "first", "valid_accuracy": "mean"}
        return self.trainings.groupby(["condition", "seed"], sort=False, as_index=False).agg(summary)


def one_fold(
    task: ResidueTask,
    fold: int,
    trainings: pd.DataFrame,
    probabilities: np.ndarray,
    models: Mapping[str, nn.Module] | None = None,
) -> ResidueStudy:
    """Return the study of one ``fold`` and one seed: a row of ``trainings`` and answers about the fold's test
    pictures, ``probabilities`` (conditions, P, classes), for each condition.
    """
    labelled, rows = task.faces.labelled(), task.protocol.folds[fold].test
    labels = labelled.select(rows).labels(task.protocol.classes)
    subjects = labelled.table["subject"].to_numpy(dtype=object)[rows]
    return ResidueStudy(trainings, rows, labels, subjects, probabilities, models or {})


def joined(studies: Sequence[ResidueStudy]) -> ResidueStudy:
    """Join studies of single seeds and folds, for the folds that every seed has."""
    by_seed: dict[int, dict[int, ResidueStudy]] = {}
    for study in studies:
        seed, fold = study.trainings[["seed", "fold"]].iloc[0]
        by_seed.setdefault(int(seed), {})[int(fold)] = study
    folds = sorted(set.intersection(*map(set, by_seed.values())))
    if not folds:
        raise DataError("no fold was tested from every seed; `ferbook populations train derl` goes on")
    grid = {seed: [own[fold] for fold in folds] for seed, own in sorted(by_seed.items())}
    first = next(iter(grid.values()))
    trainings = pd.concat([each.trainings for own in grid.values() for each in own], ignore_index=True)
    # By condition, then by seed, as in the table.
    order = {name: place for place, name in enumerate(trainings["condition"].unique())}
    trainings = trainings.sort_values(
        ["condition", "seed", "fold"],
        key=lambda column: column.map(order) if column.name == "condition" else column,
    )
    answers = np.stack(
        [np.concatenate([each.probabilities for each in own], axis=1) for own in grid.values()]
    )
    return ResidueStudy(
        trainings.reset_index(drop=True),
        *(np.concatenate([getattr(each, name) for each in first]) for name in ("rows", "labels", "subjects")),
        answers.swapaxes(0, 1).reshape(-1, *answers.shape[2:]),
        first[0].models,
    )


def learn_fold(task: ResidueTask, stage: StageOne, fold: int, conditions: Sequence[str] = ()) -> ResidueStudy:
    """Train and test a classifier for each condition in one fold.

    The epoch is chosen on the fold's validation people; its test people are predicted once.

    Parameters
    ----------
    task : ResidueTask
        Its faces share no person with the training of the generators.
    stage : StageOne
        Generators ``trained`` and, where conditions need them, ``untrained`` and ``shuffled``, which are not
        changed; seed and number format.
    fold : int
        From 0.
    conditions : sequence of str
        Empty: those of the parameters. ``feature_difference`` needs ``cnn``, whose network it uses.

    Returns
    -------
    ResidueStudy

    Raises
    ------
    DataError, ParameterError
        As ``fold_faces`` and ``train_residue_classifier``.
    """
    p, protocol, seed = task.parameters, task.protocol, stage.seed
    fold_faces(task.faces, protocol, fold)  # raises before anything is trained
    labelled, sides = task.faces.labelled(), protocol.folds[fold]
    # Other rows are not needed.
    index = np.unique(np.concatenate([sides.train, sides.valid, sides.test]))
    learned, test = np.union1d(sides.train, sides.valid), np.searchsorted(index, sides.test)
    train, valid = (np.searchsorted(learned, rows) for rows in (sides.train, sides.valid))
    labels = labelled.select(learned).labels(protocol.classes)
    recipe = stage_two.ResidueRecipe(p.epochs, p.batch_size, p.lr, local=p.local, views=p.views)
    views = stage_two.picture_views(labelled.gather(index), recipe)
    parts = views[:, np.searchsorted(index, learned)], *views[:1, test].split(TESTED_AT_A_TIME, dim=1)
    names = conditions or (CONTEST_CONDITIONS if p.ablation else CLAIMED_CONDITIONS)
    rows: list[tuple] = []
    answers: list[np.ndarray] = []
    models: dict[str, nn.Module] = {}
    how = {"recipe": recipe, "precision": stage.precision, "device": task.device, "seed": seed}
    for condition in chain(
        _on_residues(task, stage, names, parts), _on_pictures(task, stage, names, parts, models)
    ):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = condition.build()
        inputs, name = iter(condition.inputs), condition.name
        training = stage_two.train_residue_classifier(next(inputs), labels, train, valid, model, **how)
        best = float(training.curve["valid_accuracy"].iloc[training.best_epoch - 1])
        rows.append((name, seed, fold, parameter_count(model), condition.frozen, best))
        models[name] = model
        said = [stage_two.predict_inputs(model, part, device=task.device) for part in inputs]
        answers.append(np.concatenate(said))
        del condition, inputs  # before the residues of the next generator are computed
    columns = ["condition", "seed", "fold", "parameters", "frozen", "valid_accuracy"]
    trainings = pd.DataFrame(rows, columns=columns)
    return one_fold(task, fold, trainings, np.stack(answers), models)


@dataclass(frozen=True)
class _Condition:
    """``inputs`` of the training and validation pictures, then those of the tested ones, part by part; and
    ``build`` makes the network for them, under a seeded random state.
    """

    name: str
    frozen: int
    inputs: Iterable[stage_two.Inputs]
    build: Callable[[], nn.Module]


def fewer_pictures(faces: FaceSet, protocol: Protocol, most: int, seed: int = 0) -> Protocol:
    """Return ``protocol`` with at most ``most`` training pictures in each fold, and a third as many for
    validation, drawn from ``seed``; all are tested. 0: unchanged.
    """
    if not most:
        return protocol
    folds = []
    for number, fold in enumerate(protocol.folds):
        rows = np.sort(np.concatenate([fold.train, fold.valid, fold.test]))
        pictures = fold_faces(faces, protocol, number)
        places = random_rows(pictures, {"train": most, "valid": -(-most // 3), "test": len(rows)}, seed)
        split = pictures.table["split"].to_numpy()[places]
        folds.append(Fold(*(rows[places[split == part]] for part in SPLITS)))
    return replace(protocol, folds=tuple(folds))


def _on_residues(
    task: ResidueTask, stage: StageOne, conditions: Sequence[str], parts: Sequence[Tensor]
) -> Iterator[_Condition]:
    """Yield the conditions of DeRL one by one, so that the residues of one generator are in memory at a time;
    those of tested pictures are computed anew for each condition.
    """
    for source, names in CONDITIONS_OF_GENERATOR.items():
        selection = [name for name in names if name in conditions]
        if not selection:
            continue
        frozen = parameter_count(stage.generators[source])
        residues_of = partial(stage_two.residues_of, stage.generators[source], device=task.device)
        residues = residues_of(parts[0])
        for name in selection:
            alone = {pair: {pair: maps} for pair, maps in residues.items()}
            for slug, inputs in (alone if name == SINGLE_PAIRS else {name: residues}).items():
                channels = {pair: maps.shape[2] for pair, maps in inputs.items()}
                build = partial(ResidueClassifier, channels, len(task.protocol.classes))
                yield _Condition(slug, frozen, chain([inputs], map(residues_of, parts[1:])), build)
        del residues, alone, inputs


def _on_pictures(
    task: ResidueTask,
    stage: StageOne,
    conditions: Sequence[str],
    parts: Sequence[Tensor],
    models: Mapping[str, nn.Module],
) -> Iterator[_Condition]:
    """Yield the plain networks, of the picture or of its difference to the generated neutral face.
    ``models``: those that were trained before.
    """
    generator, n_classes, device = stage.generators["trained"], len(task.protocol.classes), task.device
    frozen, key = parameter_count(generator), stage_two.PICTURE_INPUT
    second_stage = parameter_count(ResidueClassifier(generator.channels, n_classes))
    plain = partial(_plain_cnn, n_classes, parts[0].shape[-1], second_stage)
    pictures = [stage_two.as_inputs(part) for part in parts]
    if PIXEL_DIFFERENCE in conditions or FEATURE_DIFFERENCE in conditions:
        neutral = [stage_two.neutral_faces(generator, part, device=device) for part in parts]
    if PIXEL_DIFFERENCE in conditions:
        differences = [{key: own - rest} for own, rest in zip(pictures, neutral, strict=True)]
        yield _Condition(PIXEL_DIFFERENCE, frozen, differences, plain)
    if CNN in conditions:
        yield _Condition(CNN, 0, [{key: own} for own in pictures], plain)
    if FEATURE_DIFFERENCE in conditions:
        network = models[CNN].network
        own, rest = ([cnn_features(network, part, device) for part in each] for each in (pictures, neutral))
        differences = [{key: one - other} for one, other in zip(own, rest, strict=True)]
        head = partial(_linear_head, network.output.in_features, n_classes)
        yield _Condition(FEATURE_DIFFERENCE, frozen + parameter_count(network), differences, head)


def _plain_cnn(n_classes: int, size: int, parameters: int) -> stage_two.PlainClassifier:
    return stage_two.PlainClassifier(equal_cnn(n_classes, size, parameters))


def _linear_head(features: int, n_classes: int) -> stage_two.PlainClassifier:
    # The features differ in scale by orders of magnitude.
    return stage_two.PlainClassifier(
        nn.Sequential(nn.BatchNorm1d(features, affine=False), nn.Linear(features, n_classes))
    )


def equal_cnn(n_classes: int, size: int, parameters: int) -> VGG:
    """Return a VGG with w, 2w, 4w and 8w filters, with the w whose number of parameters is nearest to
    ``parameters``: 3×3 convolutions, batch normalisation and ReLUs, as the local CNNs of DeRL have.
    """

    def widths(first: int) -> tuple[int, ...]:
        return tuple(first * factor for factor in (1, 2, 4, 8))

    def distance(first: int) -> int:
        # Without memory or random numbers: only counted.
        with torch.device("meta"):
            return abs(parameter_count(VGG(n_classes, size, widths=widths(first))) - parameters)

    width = 1
    while distance(width + 1) < distance(width):
        width += 1
    return VGG(n_classes, size, widths=widths(width))


def cnn_features(network: Classifier, pictures: Tensor, device: torch.device | str = "cpu") -> Tensor:
    """Return the input of the last layer of ``network`` for each of ``pictures``, float (V, N, 1, H, W), in
    evaluation mode: float32 (V, N, F) on the CPU.
    """
    features: list[Tensor] = []
    hook = network.output.register_forward_pre_hook(
        lambda _, inputs: features.append(inputs[0].float().cpu())
    )
    try:
        with evaluating(network.to(device)):
            for part in pictures.flatten(0, 1).split(256):
                network(part.to(device).float())
    finally:
        hook.remove()
    return torch.cat(features).unflatten(0, pictures.shape[:2])


def majority_probabilities(faces: FaceSet, protocol: Protocol, study: ResidueStudy) -> np.ndarray:
    """Return the majority class of the fold's training pictures for each picture of ``study``, with
    probability one: float32 (P, classes).
    """
    emotions = faces.labelled().table["emotion"].to_numpy(dtype=object)
    codes = pd.Index(protocol.classes).get_indexer(emotions)
    folds = [protocol.folds[fold] for fold in sorted(study.trainings["fold"].unique())]
    majority = [np.bincount(codes[fold.train]).argmax() for fold in folds]
    answers = np.repeat(majority, [len(fold.test) for fold in folds])
    return np.eye(len(protocol.classes), dtype=np.float32)[answers]


def condition_contenders(study: ResidueStudy, majority: np.ndarray) -> list[Contender]:
    """Return the conditions of ``study`` in the order of the figure: DeRL first, the ``majority``-class
    baseline last.
    """
    conditions = study.table["condition"]
    answers = {slug: study.probabilities[conditions.eq(slug)] for slug in conditions.unique()}
    answers[MAJORITY_BASELINE] = majority[None]
    order = dict.fromkeys(
        (DERL, *(slug for slug in answers if slug not in CONDITION_LABELS), *CONDITION_LABELS)
    )
    return [
        Contender(*_called(slug), answers[slug], seeded=slug != MAJORITY_BASELINE)
        for slug in order
        if slug in answers
    ]


def _called(slug: str) -> tuple[str, str]:
    """Return name and kind of a condition or of a single layer pair."""
    side = slug.removeprefix("pair")
    return CONDITION_LABELS.get(slug, (f"layers of {side} × {side} only", SINGLE_PAIRS))


def contest_of(
    study: ResidueStudy, faces: FaceSet, protocol: Protocol, *, draws: int = 2000, seed: int = 0
) -> Contest:
    """Score all conditions of ``study`` on the same pictures of ``faces``; pictures without a subject label
    are treated as separate subjects.
    """
    people = named_alone(pd.Series(study.subjects, study.rows))
    own = condition_contenders(study, majority_probabilities(faces, protocol, study))
    return hold_contest(own, study.labels, people, draws=draws, seed=seed)


def residue_metrics(contest: Contest, study: ResidueStudy) -> dict[str, Estimate]:
    """Return ``accuracy``, ``macro_f1`` and ``balanced_accuracy`` of DeRL; for each other condition
    ``<slug>_accuracy`` and ``ahead_of_<slug>``, accuracy of DeRL minus its accuracy (percentage points).

    ``tested``, ``people``, ``folds``, ``trainings``, ``generators`` (seeds from which one was trained);
    ``seed_spread`` (points), where a condition was trained more than once.
    """
    first = contest.names[0]
    metrics = {name: contest.score(first, name) for name in ("accuracy", "macro_f1", "balanced_accuracy")}
    slugs = {_called(slug)[0]: slug for slug in (*study.table["condition"], *CONDITION_LABELS)}
    for name in contest.names[1:]:
        metrics[f"{slugs[name]}_accuracy"] = contest.score(name, "accuracy")
        metrics[f"ahead_of_{slugs[name]}"] = contest.ahead(name, "accuracy")
    counts = {
        "tested": len(study.rows),
        "people": len(np.unique(study.subjects[study.subjects != ""])),
        "folds": study.trainings["fold"].nunique(),
        "trainings": len(study.trainings),
        "generators": study.trainings["seed"].nunique(),
    }
    metrics |= {name: Estimate(count, unit="count") for name, count in counts.items()}
    if contest.scored.freedom:
        spread = 100 * contest.scored.spread["accuracy"]
        why = f"pooled over the conditions, {contest.scored.freedom} degrees of freedom"
        metrics["seed_spread"] = Estimate(spread, why=why, tolerance=100 * RERUN_TOLERANCE)
    return metrics
