"""Both stages of DeRL for every seed: read from the population ``derl``, or trained now. Below that: how a
piece of the population (the generators of a seed, or one of its folds) is trained and stored.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import pandas as pd
import torch

from book.derl import neutral_quality, study
from book.derl.chapter import DerlParameters
from book.derl.pairs import PairSplits, draw_pair_splits
from book.derl.pieces import STORED_GENERATORS, Piece, Pieces, recipe_of
from book.derl.stage_one import GanRecipe, StageOne, learn_stage_one, untrained_generator
from book.derl.study import ResidueStudy, ResidueTask
from book.population_training import cost_since, origin_of, train_network
from book.populations import find_population
from face_sets.folds import protocol_of
from face_sets.registry import open_faces
from fer_lib.train.device import Precision, PrecisionName
from fer_lib.train.weights import load_weights, save_weights
from ferbook.errors import DataError
from ferbook.files import whole_folder
from ferbook.store import DONE, seal, write_json


@dataclass(frozen=True, eq=False)
class TwoStageTraining:
    """Both stages of every seed.

    Attributes
    ----------
    first : StageOne
        Stage one of the first seed.
    curves : sequence of DataFrame
        Learning curve of the generator of each seed.
    compared : ResidueStudy
        What stage two answered, in the folds that all seeds have.
    quality : DataFrame
        How good each neutral face is (``neutral_quality.quality``), with the column ``training``.
    read : mapping
        Population -> pieces that were read; empty if everything was trained now.
    about : str
        Which of both, in a sentence.
    """

    first: StageOne
    curves: Sequence[pd.DataFrame]
    compared: ResidueStudy
    quality: pd.DataFrame
    read: Mapping[str, Mapping]
    about: str


def stages_of(task: ResidueTask, precision: PrecisionName | Precision = "auto") -> TwoStageTraining:
    """Return both stages: from the population if it has the recipe of the parameters, else trained now.

    Raises DataError if the population has no seed with its generators and a fold; otherwise as the training.
    """
    name = task.parameters.population
    if name and recipe_of(task.parameters) == find_population(name).settings:
        return _read(find_population(name), task)
    return _train(task, precision)


def _train(task: ResidueTask, precision: PrecisionName | Precision) -> TwoStageTraining:
    p, most = task.parameters, len(task.protocol.folds)
    stages = [_train_stage_one(task, seed, precision) for seed in range(p.seed, p.seed + p.seeds)]
    folds = range(min(p.folds or most, most))
    studies = [[study.learn_fold(task, stage, fold) for fold in folds] for stage in stages]
    quality = [quality_of(task, stage, own[0]) for stage, own in zip(stages, studies, strict=True)]
    return TwoStageTraining(
        stages[0],
        [stage.curve for stage in stages],
        study.joined([each for own in studies for each in own]),
        pd.concat(quality),
        {},
        f"Trained on this machine in this run: {_counted(len(stages), len(folds))}.",
    )


def _read(population: Pieces, task: ResidueTask) -> TwoStageTraining:
    stored = {(piece.number, piece.fold): piece for piece in population.kept()}
    seeds = [seed for seed, fold in stored if fold is None and (seed, 0) in stored]
    if not seeds:
        raise DataError(f"no seed of the population is whole; `ferbook populations train {population.name}`")
    whole = [piece for (seed, _), piece in stored.items() if seed in seeds]
    compared = study.joined([_read_fold(piece, task) for piece in whole if piece.fold is not None])
    generators = [stored[seed, None] for seed in seeds]
    counts = _counted(len(seeds), compared.trainings["fold"].nunique())
    return TwoStageTraining(
        _read_stage_one(generators[0], task.splits),
        [piece.curve() for piece in generators],
        compared,
        pd.concat([pd.read_csv(stored[seed, 0].folder / "quality.csv") for seed in seeds]),
        {population.name: {"kept": [piece.seed for piece in whole], "failed": population.failed()}},
        f"Read from the population {population.name}: {counts}; {len(stored)} of {len(population.members)} "
        "pieces are stored.",
    )


def _counted(seeds: int, folds: int) -> str:
    trainings = f"{seeds} training{'s' * (seeds > 1)} of the generator"
    return f"{trainings}, each tested in {folds} fold{'s' * (folds > 1)}"


def _train_stage_one(task: ResidueTask, seed: int, precision: PrecisionName | Precision = "auto") -> StageOne:
    p = task.parameters
    return learn_stage_one(
        task.splits, gan_recipe(p), shuffled=p.ablation, seed=seed, device=task.device, precision=precision
    )


def gan_recipe(p: DerlParameters) -> GanRecipe:
    """Return how ``p`` trains generators."""
    return GanRecipe(p.gan_epochs, p.gan_batch, p.gan_lr, schedule="cosine", l1=p.l1, skips=p.skips)


def _read_stage_one(piece: Piece, splits: PairSplits) -> StageOne:
    generators = {name: load_weights(piece.folder / name) for name in STORED_GENERATORS}
    recipe = gan_recipe(piece.population.parameters)
    generators["untrained"] = untrained_generator(splits, recipe, piece.number)
    return StageOne(piece.number, generators, piece.curve(), Precision(**piece.done()["precision"]))


def _read_fold(piece: Piece, task: ResidueTask) -> ResidueStudy:
    trainings = pd.read_csv(piece.folder / "trainings.csv")
    return study.one_fold(task, piece.fold, trainings, piece.answers().astype(np.float32))


def quality_of(task: ResidueTask, stage: StageOne, learned: ResidueStudy) -> pd.DataFrame:
    """Measure the neutral faces of ``stage`` with the plain CNN of ``learned``; a column ``training``."""
    generators = {neutral_quality.GENERATED: stage.generators["trained"]}
    if "shuffled" in stage.generators:
        generators[neutral_quality.OTHERS] = stage.generators["shuffled"]
    judge, classes = learned.models[study.CNN].network, task.protocol.classes
    scores = neutral_quality.quality(task.splits, generators, judge, classes, device=task.device)
    return scores.assign(training=stage.seed)


@train_network.register
def train_piece(piece: Piece, device: torch.device) -> dict:
    """Train ``piece`` and store it; return its ``DONE.json``.

    Raises DataError for a fold whose generators are not stored; otherwise as the training.
    """
    started = perf_counter(), process_time()
    p = piece.population.parameters
    faces = open_faces(piece.population.faces).labelled()
    splits = draw_pair_splits(p, faces, {name: open_faces(p.request(name)) for name in p.real_pretraining})
    task = ResidueTask(p, faces, protocol_of(faces), splits, device)
    shutil.rmtree(piece.folder, ignore_errors=True)
    with whole_folder(piece.folder) as folder:
        store = _store_generators if piece.fold is None else _store_fold
        metrics, precision = store(piece, task, folder)
        record = origin_of(piece, faces, device) | {"precision": precision.to_json()}
        summary = seal(folder, record | cost_since(started) | metrics)
    _remove_weights(piece)
    return summary


def _store_generators(piece: Piece, task: ResidueTask, folder: Path) -> tuple[dict, Precision]:
    stage = _train_stage_one(task, piece.number)
    stage.curve.to_csv(folder / "curve.csv", index=False, float_format="%.6g")
    for name in STORED_GENERATORS:
        save_weights(stage.generators[name], folder / name, {"seed": piece.number}, compact=True)
    return {"epochs": len(stage.curve), "valid_l1": float(stage.curve["valid_l1"].iloc[-1])}, stage.precision


def _store_fold(piece: Piece, task: ResidueTask, folder: Path) -> tuple[dict, Precision]:
    generators = piece.generators
    if fault := generators.fault():
        raise DataError(f"{generators.folder} is {fault}; a fold starts from its seed's generators")
    if not generators.weights():
        raise DataError(
            f"{generators.folder} is without weights, which went when its seed was whole; a fold starts from "
            "its seed's generators: remove the folder, and it is trained anew"
        )
    stage = _read_stage_one(generators, task.splits)
    own = study.learn_fold(task, stage, piece.fold)
    own.trainings.to_csv(folder / "trainings.csv", index=False, float_format="%.6g")
    np.save(folder / "test.npy", own.probabilities.astype(np.float16), allow_pickle=False)
    if piece.fold == 0:
        quality_of(task, stage, own).to_csv(folder / "quality.csv", index=False, float_format="%.6g")
    right = own.probabilities[0].argmax(1) == own.labels
    valid = float(own.trainings.iloc[0]["valid_accuracy"])
    return {"valid_accuracy": valid, "test_accuracy": float(right.mean())}, stage.precision


def _remove_weights(piece: Piece) -> None:
    """Remove the generators' weights of a seed whose pieces are all stored; the page shows those of the first
    seed, which remain.
    """
    population = piece.population
    own = [each for each in population.members if each.number == piece.number]
    if piece.number == population.parameters.seed or any(each.fault() for each in own):
        return
    generators = piece.generators
    weights, record = generators.weights(), generators.done()
    gone = {file.name for file in weights}
    files = {name: digest for name, digest in record["files"].items() if name not in gone}
    write_json(generators.folder / DONE, record | {"files": files})
    for file in weights:
        file.unlink()
