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

from book.derl import learning_curve, neutral_quality, stage_two, study
from book.derl.chapter import DerlParameters
from book.derl.pairs import Lessons, draw_lessons
from book.derl.pieces import CURVE, GENERATORS, KEPT_GENERATORS, Piece, Pieces, recipe_of
from book.derl.stage_one import GanRecipe, StageOne, learn_stage_one, untrained_generator
from book.population_training import cost_since, origin_of, train_network
from book.populations import find_population, seal
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import Protocol, protocol_of
from fer_lib.faces.registry import open_faces
from fer_lib.train.precision import Precision, PrecisionName, choose_precision
from fer_lib.train.weights import load_weights, save_weights
from ferbook.errors import DataError
from ferbook.files import whole_folder
from ferbook.store import DONE, write_json


@train_network.register
def train_piece(piece: Piece, device: torch.device) -> dict:
    """Train ``piece`` and keep it; what ``done`` says of it. Raises DataError for a fold without
    generators, and as what it trains.
    """
    started = perf_counter(), process_time()
    p = piece.population.parameters
    faces = open_faces(piece.population.faces).labelled()
    lessons = draw_lessons(p, faces, {name: open_faces(p.request(name)) for name in p.real_lessons})
    number, _, what = piece.seed.partition("-")
    shutil.rmtree(piece.folder, ignore_errors=True)
    with whole_folder(piece.folder) as folder:
        if what == GENERATORS:
            metrics, precision = _keep_generators(p, lessons, int(number), folder, device)
        else:
            stage = _start(piece, lessons)
            if what.startswith(CURVE):
                fold = int(what.removeprefix(CURVE))
                metrics, precision = _keep_curve(p, faces, stage, fold, folder, device)
            else:
                metrics, precision = _keep_fold(p, faces, lessons, stage, int(what), folder, device)
        record = origin_of(piece, faces, device) | {"precision": precision.to_json()}
        summary = seal(folder, record | cost_since(started) | metrics)
    _give_up_weights(piece)
    return summary


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


def gan_recipe(p: DerlParameters) -> GanRecipe:
    """How ``p`` trains generators."""
    return GanRecipe(p.gan_epochs, p.gan_batch, p.gan_lr, schedule="cosine", l1=p.l1, skips=p.skips)


def _start(piece: Piece, lessons: Lessons) -> StageOne:
    """The generators that a fold starts from. Raises DataError where they are not kept."""
    generators = piece.generators
    if fault := generators.fault():
        raise DataError(f"{generators.folder} is {fault}; a fold starts from its seed's generators")
    if not generators.weights():
        raise DataError(
            f"{generators.folder} is without weights, which went when its seed was whole; a fold starts from "
            "its seed's generators: remove the folder, and it is trained anew"
        )
    return _stage_one(generators, lessons)


def _stage_one(piece: Piece, lessons: Lessons) -> StageOne:
    """The generators that ``piece`` keeps."""
    seed = int(piece.seed.partition("-")[0])
    generators = {name: load_weights(piece.folder / name) for name in KEPT_GENERATORS}
    generators["untrained"] = untrained_generator(lessons, gan_recipe(piece.population.parameters), seed)
    return StageOne(seed, generators, piece.curve(), Precision.of(piece.done()["precision"]))


def _answers(piece: Piece) -> tuple[pd.DataFrame, np.ndarray]:
    """The trainings and the answers that the ``piece`` of a fold, or of its learning curve, keeps."""
    return pd.read_csv(piece.folder / "trainings.csv"), piece.answers().astype(np.float32)


def _stage_two(piece: Piece, faces: FaceSet, protocol: Protocol) -> study.ResidueStudy:
    """The study of the answers that the ``piece`` of a fold keeps."""
    fold = int(piece.seed.partition("-")[2])
    return study.one_fold(faces, protocol, fold, *_answers(piece))


def _keep_generators(
    p: DerlParameters, lessons: Lessons, seed: int, folder: Path, device: torch.device
) -> tuple[dict, Precision]:
    stage = learn_stage_one(lessons, gan_recipe(p), shuffled=p.ablation, seed=seed, device=device)
    stage.curve.to_csv(folder / "curve.csv", index=False, float_format="%.6g")
    for name in KEPT_GENERATORS:
        save_weights(stage.generators[name], folder / name, {"seed": seed}, compact=True)
    return {"epochs": len(stage.curve), "valid_l1": float(stage.curve["valid_l1"].iloc[-1])}, stage.precision


def _keep_fold(
    p: DerlParameters,
    faces: FaceSet,
    lessons: Lessons,
    stage: StageOne,
    fold: int,
    folder: Path,
    device: torch.device,
) -> tuple[dict, Precision]:
    protocol = protocol_of(faces)
    [fold_study], quality = learn_stage_two(p, faces, protocol, lessons, stage, (fold,), device)
    _keep_answers(folder, fold_study.trainings, fold_study.probabilities)
    if fold == 0:
        quality.to_csv(folder / "quality.csv", index=False, float_format="%.6g")
    right = fold_study.probabilities[0].argmax(1) == fold_study.labels
    first = fold_study.trainings.iloc[0]
    return {
        "valid_accuracy": float(first["valid_accuracy"]),
        "test_accuracy": float(right.mean()),
    }, stage.precision


def _keep_answers(folder: Path, trainings: pd.DataFrame, probabilities: np.ndarray) -> None:
    trainings.to_csv(folder / "trainings.csv", index=False, float_format="%.6g")
    np.save(folder / "test.npy", probabilities.astype(np.float16), allow_pickle=False)


def _keep_curve(
    p: DerlParameters, faces: FaceSet, stage: StageOne, fold: int, folder: Path, device: torch.device
) -> tuple[dict, Precision]:
    # The machine's own number format: what few people teach may be learned elsewhere than what all do.
    precision = choose_precision(p.precision, device)
    trainings, answers = _learn_curve(p, faces, protocol_of(faces), stage, fold, precision, device)
    _keep_answers(folder, trainings, answers)
    return {"valid_accuracy": float(trainings["valid_accuracy"].iloc[0])}, precision


def _learn_curve(
    p: DerlParameters,
    faces: FaceSet,
    protocol: Protocol,
    stage: StageOne,
    fold: int,
    precision: Precision,
    device: torch.device | str,
) -> tuple[pd.DataFrame, np.ndarray]:
    how = {"seed": stage.seed, "precision": precision, "device": device}
    return learning_curve.learn_curve(faces, protocol, stage.generators, _second_recipe(p), fold=fold, **how)


def _second_recipe(p: DerlParameters) -> stage_two.ResidueRecipe:
    return stage_two.ResidueRecipe(p.epochs, p.batch_size, p.lr, local=p.local, views=p.views)


def learn_stage_two(
    p: DerlParameters,
    faces: FaceSet,
    protocol: Protocol,
    lessons: Lessons,
    stage: StageOne,
    folds: Sequence[int],
    device: torch.device | str,
) -> tuple[list[study.ResidueStudy], pd.DataFrame]:
    """The studies of ``folds`` on the generators of ``stage``, and how good their neutral faces are by the
    plain CNN of the first of these folds, with ``training``.
    """
    conditions = study.CONTEST_CONDITIONS if p.ablation else study.CLAIMED_CONDITIONS
    how = {"seed": stage.seed, "precision": stage.precision, "device": device}
    studies = study.residue_study(
        faces, protocol, stage.generators, _second_recipe(p), conditions=conditions, folds=folds, **how
    )
    generators = {neutral_quality.GENERATED: stage.generators["trained"]}
    if "shuffled" in stage.generators:
        generators[neutral_quality.OTHERS] = stage.generators["shuffled"]
    judge = studies[0].models[study.CNN].network
    scores = neutral_quality.quality(lessons, generators, judge, protocol.classes, device=device)
    return studies, scores.assign(training=stage.seed)


@dataclass(frozen=True, eq=False)
class Trial:
    """Both stages of every seed: ``first``, stage one of the first; ``learning``, how each was learned; what
    stage two answered in the folds that all have, and for each picture how good the neutral faces are;
    ``curve``, the answers of fewer people to learn from, None where it was not asked for. ``read``: the
    pieces that were read, by their population; empty where all was trained now. ``about``: which of both, in
    a sentence.
    """

    first: StageOne
    learning: Sequence[pd.DataFrame]
    compared: study.ResidueStudy
    quality: pd.DataFrame
    curve: learning_curve.LearningCurve | None
    read: Mapping[str, Mapping]
    about: str


def trial_of(
    p: DerlParameters,
    faces: FaceSet,
    protocol: Protocol,
    lessons: Lessons,
    *,
    precision: PrecisionName | Precision = "auto",
    device: torch.device | str = "cpu",
) -> Trial:
    """The trial that ``p`` asks for: the pieces of its population where they were trained as ``p`` says, else
    trained now.

    Raises DataError where the population is asked for and no seed has its generators and a fold; as what is
    trained.
    """
    if p.population and recipe_of(p) == find_population(p.population).taught:
        return _read(find_population(p.population), faces, protocol, lessons)
    seeds = range(p.seed, p.seed + p.seeds)
    folds = range(min(p.folds or len(protocol.folds), len(protocol.folds)))
    how = {"shuffled": p.ablation, "precision": precision, "device": device}
    stages = [learn_stage_one(lessons, gan_recipe(p), seed=seed, **how) for seed in seeds]
    outcomes = [learn_stage_two(p, faces, protocol, lessons, stage, folds, device) for stage in stages]
    studies = [each for own, _ in outcomes for each in own]
    curve = None
    if p.ablation:
        whole = [
            (stage, fold, own[number])
            for stage, (own, _) in zip(stages, outcomes, strict=True)
            for number, fold in enumerate(folds)
        ]
        parts = [
            (each, *_learn_curve(p, faces, protocol, stage, fold, stage.precision, device))
            for stage, fold, each in whole
        ]
        curve = learning_curve.curve_of(faces, protocol, parts)
    about = f"Trained on this machine in this run: {_counted(len(seeds), len(folds))}."
    learning, quality = [stage.curve for stage in stages], pd.concat([q for _, q in outcomes])
    return Trial(stages[0], learning, study.joined(studies), quality, curve, {}, about)


def _read(pieces: Pieces, faces: FaceSet, protocol: Protocol, lessons: Lessons) -> Trial:
    members = {piece.seed: piece for piece in pieces.kept()}
    seeds = dict.fromkeys(
        name.partition("-")[0] for name in members if f"{name.partition('-')[0]}-0" in members
    )
    seeds = [seed for seed in seeds if f"{seed}-{GENERATORS}" in members]
    if not seeds:
        raise DataError(f"no seed of the population is whole; `ferbook populations train {pieces.name}`")
    of_seeds = {name: piece for name, piece in members.items() if name.partition("-")[0] in seeds}
    folds = [name for name in of_seeds if not name.endswith(GENERATORS) and CURVE not in name]
    whole = {name: _stage_two(members[name], faces, protocol) for name in folds}
    compared = study.joined(list(whole.values()))
    fewer = {name: name.replace("-", f"-{CURVE}") for name in folds}
    parts = [(whole[name], *_answers(members[own])) for name, own in fewer.items() if own in members]
    curve = learning_curve.curve_of(faces, protocol, parts)
    quality = [pd.read_csv(members[f"{seed}-0"].folder / "quality.csv") for seed in seeds]
    generators = [members[f"{seed}-{GENERATORS}"] for seed in seeds]
    first, learning = _stage_one(generators[0], lessons), [each.curve() for each in generators]
    counts = _counted(len(seeds), compared.trainings["fold"].nunique())
    of_all = f"{len(members)} of {len(pieces.members)} pieces are kept"
    about = f"Read from the population {pieces.name}: {counts}; {of_all}."
    read = {pieces.name: {"kept": list(of_seeds), "failed": pieces.failed()}}
    return Trial(first, learning, compared, pd.concat(quality), curve, read, about)


def _counted(seeds: int, folds: int) -> str:
    trainings = f"{seeds} training{'s' * (seeds > 1)} of the generator"
    return f"{trainings}, each tested in {folds} fold{'s' * (folds > 1)}"
