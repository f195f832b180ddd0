"""Both stages of DeRL for every seed: trained piece by piece and kept, read from the pieces that are kept, or
trained now.
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
from book.derl.pieces import GENERATORS, KEPT_GENERATORS, Piece, Pieces, recipe_of
from book.derl.stage_one import GanRecipe, StageOne, learn_stage_one, untrained_generator
from book.derl.study import ResidueTask
from book.population_training import cost_since, origin_of, train_network
from book.populations import find_population
from face_sets.folds import protocol_of
from face_sets.registry import open_faces
from fer_lib.train.device import Precision, PrecisionName
from fer_lib.train.weights import load_weights, save_weights
from ferbook.errors import DataError
from ferbook.files import whole_folder
from ferbook.store import DONE, seal, write_json


@train_network.register
def train_piece(piece: Piece, device: torch.device) -> dict:
    """Train ``piece`` and keep it; what ``done`` says of it. Raises DataError for a fold without
    generators, and as what it trains.
    """
    started = perf_counter(), process_time()
    p = piece.population.parameters
    faces = open_faces(piece.population.faces).labelled()
    splits = draw_pair_splits(p, faces, {name: open_faces(p.request(name)) for name in p.real_pretraining})
    task = ResidueTask(p, faces, protocol_of(faces), splits, device)
    number, _, what = piece.seed.partition("-")
    shutil.rmtree(piece.folder, ignore_errors=True)
    with whole_folder(piece.folder) as folder:
        if what == GENERATORS:
            metrics, precision = _keep_generators(task, int(number), folder)
        else:
            metrics, precision = _keep_fold(task, _start(piece, splits), int(what), folder)
        record = origin_of(piece, faces, device) | {"precision": precision.to_json()}
        summary = seal(folder, record | cost_since(started) | metrics)
    _give_up_weights(piece)
    return summary


def _keep_generators(task: ResidueTask, seed: int, folder: Path) -> tuple[dict, Precision]:
    stage = _first_stage(task, seed)
    stage.curve.to_csv(folder / "curve.csv", index=False, float_format="%.6g")
    for name in KEPT_GENERATORS:
        save_weights(stage.generators[name], folder / name, {"seed": seed}, compact=True)
    return {"epochs": len(stage.curve), "valid_l1": float(stage.curve["valid_l1"].iloc[-1])}, stage.precision


def _first_stage(task: ResidueTask, seed: int, precision: PrecisionName | Precision = "auto") -> StageOne:
    p, how = task.parameters, {"seed": seed, "device": task.device, "precision": precision}
    return learn_stage_one(task.splits, gan_recipe(p), shuffled=p.ablation, **how)


def gan_recipe(p: DerlParameters) -> GanRecipe:
    """How ``p`` trains generators."""
    return GanRecipe(p.gan_epochs, p.gan_batch, p.gan_lr, schedule="cosine", l1=p.l1, skips=p.skips)


def _start(piece: Piece, splits: PairSplits) -> StageOne:
    """The generators that a fold starts from. Raises DataError where they are not kept."""
    generators = piece.generators
    if fault := generators.fault():
        raise DataError(f"{generators.folder} is {fault}; a fold starts from its seed's generators")
    if not generators.weights():
        raise DataError(
            f"{generators.folder} is without weights, which went when its seed was whole; a fold starts from "
            "its seed's generators: remove the folder, and it is trained anew"
        )
    return _stage_one(generators, splits)


def _stage_one(piece: Piece, splits: PairSplits) -> StageOne:
    """The generators that ``piece`` keeps."""
    seed = int(piece.seed.partition("-")[0])
    generators = {name: load_weights(piece.folder / name) for name in KEPT_GENERATORS}
    generators["untrained"] = untrained_generator(splits, gan_recipe(piece.population.parameters), seed)
    return StageOne(seed, generators, piece.curve(), Precision(**piece.done()["precision"]))


def _keep_fold(task: ResidueTask, stage: StageOne, fold: int, folder: Path) -> tuple[dict, Precision]:
    own = study.learn_fold(task, stage, fold)
    own.trainings.to_csv(folder / "trainings.csv", index=False, float_format="%.6g")
    np.save(folder / "test.npy", own.probabilities.astype(np.float16), allow_pickle=False)
    if fold == 0:
        quality = quality_of(task, stage, own)
        quality.to_csv(folder / "quality.csv", index=False, float_format="%.6g")
    right = own.probabilities[0].argmax(1) == own.labels
    valid = float(own.trainings.iloc[0]["valid_accuracy"])
    return {"valid_accuracy": valid, "test_accuracy": float(right.mean())}, stage.precision


def quality_of(task: ResidueTask, stage: StageOne, learned: study.ResidueStudy) -> pd.DataFrame:
    """How good the neutral faces of ``stage`` are by the plain CNN of the study ``learned``, with
    ``training``.
    """
    generators = {neutral_quality.GENERATED: stage.generators["trained"]}
    if "shuffled" in stage.generators:
        generators[neutral_quality.OTHERS] = stage.generators["shuffled"]
    judge, classes = learned.models[study.CNN].network, task.protocol.classes
    scores = neutral_quality.quality(task.splits, generators, judge, classes, device=task.device)
    return scores.assign(training=stage.seed)


def _give_up_weights(piece: Piece) -> None:
    """Remove the weights that no page asks and no piece starts from any more: those of the seed of ``piece``,
    where it is not the first and all its pieces are there.
    """
    seed, population = piece.seed.partition("-")[0], piece.population
    own = [each for each in population.members if each.seed.partition("-")[0] == seed]
    if seed == str(population.parameters.seed) or any(each.fault() for each in own):
        return
    generators = own[0]
    weights, record = generators.weights(), generators.done()
    gone = {file.name for file in weights}
    files = {name: digest for name, digest in record["files"].items() if name not in gone}
    write_json(generators.folder / DONE, record | {"files": files})
    for file in weights:
        file.unlink()


@dataclass(frozen=True, eq=False)
class TwoStageTraining:
    """Both stages of every seed: ``first``, stage one of the first; ``learning``, how each was learned; what
    stage two answered in the folds that all have, and for each picture how good the neutral faces are.
    ``read``: the pieces that were read, by their population; empty where all was trained now. ``about``:
    which of both, in a sentence.
    """

    first: StageOne
    learning: Sequence[pd.DataFrame]
    compared: study.ResidueStudy
    quality: pd.DataFrame
    read: Mapping[str, Mapping]
    about: str


def stages_of(task: ResidueTask, precision: PrecisionName | Precision = "auto") -> TwoStageTraining:
    """The training that the parameters of the ``task`` ask for: the pieces of their population where they
    were trained as they say, else trained now.

    Raises DataError where the population is asked for and no seed has its generators and a fold; as what is
    trained.
    """
    p = task.parameters
    if p.population and recipe_of(p) == find_population(p.population).settings:
        return _read(find_population(p.population), task)
    folds = range(min(p.folds or len(task.protocol.folds), len(task.protocol.folds)))
    stages = [_first_stage(task, seed, precision) for seed in range(p.seed, p.seed + p.seeds)]
    studies = [[study.learn_fold(task, stage, fold) for fold in folds] for stage in stages]
    qualities = [quality_of(task, stage, own[0]) for stage, own in zip(stages, studies, strict=True)]
    about = f"Trained on this machine in this run: {_counted(len(stages), len(folds))}."
    compared = study.joined([each for own in studies for each in own])
    return TwoStageTraining(
        stages[0], [stage.curve for stage in stages], compared, pd.concat(qualities), {}, about
    )


def _read(pieces: Pieces, task: ResidueTask) -> TwoStageTraining:
    members = {piece.seed: piece for piece in pieces.kept()}
    seeds = dict.fromkeys(name.partition("-")[0] for name in members)
    seeds = [seed for seed in seeds if {f"{seed}-0", f"{seed}-{GENERATORS}"} <= members.keys()]
    if not seeds:
        raise DataError(f"no seed of the population is whole; `ferbook populations train {pieces.name}`")
    whole = {name: piece for name, piece in members.items() if name.partition("-")[0] in seeds}
    folds = [piece for name, piece in whole.items() if not name.endswith(GENERATORS)]
    compared = study.joined([_stage_two(piece, task) for piece in folds])
    quality = [pd.read_csv(members[f"{seed}-0"].folder / "quality.csv") for seed in seeds]
    generators = [members[f"{seed}-{GENERATORS}"] for seed in seeds]
    counts = _counted(len(seeds), compared.trainings["fold"].nunique())
    of_all = f"{len(members)} of {len(pieces.members)} pieces are kept"
    about = f"Read from the population {pieces.name}: {counts}; {of_all}."
    read = {pieces.name: {"kept": list(whole), "failed": pieces.failed()}}
    first, learning = _stage_one(generators[0], task.splits), [each.curve() for each in generators]
    return TwoStageTraining(first, learning, compared, pd.concat(quality), read, about)


def _stage_two(piece: Piece, task: ResidueTask) -> study.ResidueStudy:
    """The study of the answers that the ``piece`` of a fold keeps."""
    fold, trainings = int(piece.seed.partition("-")[2]), pd.read_csv(piece.folder / "trainings.csv")
    return study.one_fold(task, fold, trainings, piece.answers().astype(np.float32))


def _counted(seeds: int, folds: int) -> str:
    trainings = f"{seeds} training{'s' * (seeds > 1)} of the generator"
    return f"{trainings}, each tested in {folds} fold{'s' * (folds > 1)}"
