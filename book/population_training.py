"""Training what is missing of a population: one network at a time, whole or not at all."""

import shutil
from contextlib import ExitStack
from dataclasses import asdict
from functools import singledispatch
from importlib import import_module
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import pandas as pd
import torch

from book.populations import DIVERGED, FAILED, Member
from face_sets.faceset import FaceSet
from face_sets.folds import fold_faces, protocol_of
from face_sets.leakage import exact_copies, independent_groups
from face_sets.registry import open_faces, set_name
from fer_lib.nets.build import build_network
from fer_lib.train import controls
from fer_lib.train.device import device_name, pick_device
from fer_lib.train.learner import Diverged, face_learner, fit, seed_everything
from fer_lib.train.losses import class_counts
from fer_lib.train.predict import predict
from fer_lib.train.weights import save_weights
from ferbook.environment import git_commit, held, now
from ferbook.errors import DataError, RunStoreError
from ferbook.files import is_leftover, whole_folder
from ferbook.store import seal, write_json


def train_member(member: Member, *, device: str = "auto", replace: bool = False) -> dict | None:
    """Train ``member`` and keep it, unless it is there; what ``done`` says of it, or None where another
    process is at it.

    Raises DataError where one of another recipe, a damaged one or the record of a failure lies there and
    ``replace`` is false, and where its faces are absent; Diverged, of which a record is stored, and
    ParameterError as ``train``.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(held(member.folder.with_name(f".{member.seed}.lock"), "{}"))
        except RunStoreError:
            return None
        fault = member.fault()
        if fault and fault != "missing" and not replace:
            raise DataError(f"{member.folder} is {fault}; --replace trains it anew")
        import_module(member.trainer)
        return train_network(member, pick_device(device)) if fault else member.done()


@singledispatch
def train_network(member: Member, device: torch.device) -> dict:
    """Train ``member`` and keep it; what its ``done`` says. A chapter with members of another kind registers
    how these are trained, in the module that they name as ``trainer``. Raises Diverged, of which a record is
    kept, and as ``train``.
    """
    started = perf_counter(), process_time()
    population, seed = member.population, member.seed
    faces = open_faces(population.faces)
    labelled = faces.labelled()
    protocol = protocol_of(labelled)
    classes = protocol.classes
    fold = fold_faces(labelled, protocol, 0)
    if population.labels == "units":
        return _train_on_units(member, faces, fold, device, started)
    if population.labels == "identity":
        return _train_on_identity(member, faces, fold, device, started)
    shuffled = population.labels == "shuffled"
    training_fold = controls.with_shuffled_labels(fold, seed) if shuffled else fold
    seed_everything(seed)
    model = build_network(population.network, len(classes), faces.size[0], **population.options)
    place = seed - population.first_seed
    about = {"classes": classes, "faces": set_name(faces.name), "seed": seed}
    record = about | {"population": population.name} | origin_of(member, faces, device)
    try:
        learner = face_learner(training_fold, model, classes, population.recipe, device=device, seed=seed)
        training = fit(learner, checkpoints=range(1, population.recipe.epochs + 1))
    except Diverged as fault:
        _keep_failure(member, record, fault)
        raise
    last = max(training.checkpoints)
    # Validation cannot tell which epoch memorised most shuffled labels; the last one does.
    best_epoch = last if shuffled else training.best_epoch
    test, training_split = fold.split("test"), training_fold.split("train")
    by_epoch = []
    for weights in training.checkpoints.values():
        model.load_state_dict(weights)
        # In the precision of the training: in float32 so many answers take a third of its time.
        by_epoch.append(predict(model, test, device=device, dtype=training.precision.dtype).argmax(1))
    model.load_state_dict(training.checkpoints[best_epoch])
    by_heart = predict(model, training_split, device=device, dtype=training.precision.dtype)
    answers = predict(model, test, test_time=population.test_time, device=device)
    anew = [open_faces(population.fresh).labelled()] if population.fresh else []
    of_fresh = [predict(model, people, device=device) for people in anew]
    _clear(member)
    with whole_folder(member.folder) as folder:
        training.curve.to_csv(folder / "curve.csv", index=False, float_format="%.6g")
        np.save(folder / "epochs.npy", np.array(by_epoch, dtype=np.uint8), allow_pickle=False)
        _keep_answers(folder / "test.npy", folder / "tested.csv", test, answers, classes)
        if population.fresh:
            _keep_answers(folder / "fresh.npy", folder / "fresh.csv", anew[0], of_fresh[0], classes)
        if population.weights is None or place < population.weights:
            save_weights(model, folder / "weights", about, compact=True, without=population.without)
        summary = record | {
            "epochs": len(training.curve),
            "best_epoch": best_epoch,
            "train_loss": float(training.curve["train_loss"].iloc[-1]),
            "train_accuracy": float(np.mean(by_heart.argmax(1) == training_split.labels(classes))),
            "train_counts": class_counts(fold, classes).tolist(),
            "valid_accuracy": float(training.curve.set_index("epoch").loc[best_epoch, "valid_accuracy"]),
            "test_accuracy": float(np.mean(answers.argmax(1) == test.labels(classes))),
            "test_time": population.test_time,
            "fresh": population.fresh and asdict(population.fresh),
            "copies": np.flatnonzero(exact_copies(fold)[fold.table["split"].eq("test")]).tolist(),
            "precision": training.precision.to_json(),
        }
        return seal(folder, summary | cost_since(started))


def _train_on_units(
    member: Member, faces: FaceSet, fold: FaceSet, device: torch.device, started: tuple[float, float]
) -> dict:
    """As ``train_network``, of a network that is trained on the action units of the same pictures."""
    population, seed, units = member.population, member.seed, faces.aus
    seed_everything(seed)
    model = build_network(population.network, len(units), faces.size[0], **population.options)
    about = {"classes": units, "faces": set_name(faces.name), "seed": seed}
    record = about | {"population": population.name} | origin_of(member, faces, device)
    try:
        task = controls.unit_task(units)
        training = controls.train_on(task, fold, model, population.recipe, device=device, seed=seed)
    except Diverged as fault:
        _keep_failure(member, record, fault)
        raise
    test = fold.split("test")
    answers = controls.unit_answers(model, test, device=device)
    _clear(member)
    with whole_folder(member.folder) as folder:
        training.curve.to_csv(folder / "curve.csv", index=False, float_format="%.6g")
        np.save(folder / "test.npy", answers.astype(np.float16), allow_pickle=False)
        table = pd.DataFrame({"group": independent_groups(test)})
        table.to_csv(folder / "tested.csv", index=False)
        if population.weights is None or seed - population.first_seed < population.weights:
            save_weights(model, folder / "weights", about, compact=True, without=population.without)
        best = training.curve.set_index("epoch").loc[training.best_epoch]
        summary = record | {
            "epochs": len(training.curve),
            "best_epoch": training.best_epoch,
            "train_loss": float(training.curve["train_loss"].iloc[-1]),
            "valid_auroc": float(best["valid_auroc"]),
            "test_auroc": controls.units_auroc(controls.unit_targets(test, units), answers),
            "test_time": "none",
            "fresh": None,
            "precision": training.precision.to_json(),
        }
        return seal(folder, summary | cost_since(started))


def _train_on_identity(
    member: Member, faces: FaceSet, fold: FaceSet, device: torch.device, started: tuple[float, float]
) -> dict:
    """As ``train_network``, of a network that learns who the people of the same training pictures are; one
    picture of each is held out, chooses the epoch, and is what the network's accuracy is measured on.
    """
    population, seed = member.population, member.seed
    pictures = controls.with_held_out_pictures(fold, seed)
    subjects = tuple(sorted(set(pictures.table["subject"])))
    seed_everything(seed)
    model = build_network(population.network, len(subjects), faces.size[0], **population.options)
    about = {"classes": subjects, "faces": set_name(faces.name), "seed": seed}
    record = about | {"population": population.name} | origin_of(member, faces, device)
    try:
        task = controls.identity_task(subjects)
        training = controls.train_on(task, pictures, model, population.recipe, device=device, seed=seed)
    except Diverged as fault:
        _keep_failure(member, record, fault)
        raise
    held_out = pictures.split("valid")
    answers = predict(model, held_out, device=device).argmax(1)
    labels = controls.subject_targets(held_out, subjects)
    _clear(member)
    with whole_folder(member.folder) as folder:
        training.curve.to_csv(folder / "curve.csv", index=False, float_format="%.6g")
        if population.weights is None or seed - population.first_seed < population.weights:
            save_weights(model, folder / "weights", about, compact=True, without=population.without)
        summary = record | {
            "epochs": len(training.curve),
            "best_epoch": training.best_epoch,
            "train_loss": float(training.curve["train_loss"].iloc[-1]),
            "valid_accuracy": float(np.mean(answers == labels)),
            "test_time": "none",
            "fresh": None,
            "precision": training.precision.to_json(),
        }
        return seal(folder, summary | cost_since(started))


def _keep_failure(member: Member, record: dict, fault: Diverged) -> None:
    _clear(member)
    with whole_folder(member.folder) as folder:
        write_json(folder / FAILED, record | {"failed": f"{DIVERGED}{fault}", "finished": now()})


def origin_of(member: Member, faces: FaceSet, device: torch.device) -> dict[str, object]:
    """What the record of ``member`` says of where it comes from."""
    return {
        "taught": member.population.settings.model_dump(mode="json"),
        "faces": set_name(faces.name),
        "checksum_of_faces": faces.checksum,
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "commit": git_commit(),
    }


def cost_since(started: tuple[float, float]) -> dict[str, object]:
    """What a training took since ``started``, by the clock and by the processor."""
    seconds, core_seconds = (
        round(clock() - before) for clock, before in zip((perf_counter, process_time), started, strict=True)
    )
    return {"seconds": seconds, "core_seconds": core_seconds, "finished": now()}


def _keep_answers(
    answers: Path, labels_file: Path, faces: FaceSet, probabilities: np.ndarray, classes: tuple[str, ...]
) -> None:
    """The ``probabilities`` (N, classes) of ``faces``, and of each picture its label and its group."""
    np.save(answers, probabilities.astype(np.float16), allow_pickle=False)
    table = pd.DataFrame({"label": faces.labels(classes), "group": independent_groups(faces)})
    table.to_csv(labels_file, index=False)


def _clear(member: Member) -> None:
    """Remove what lies in the place of ``member``, and what killed processes left next to it."""
    beside = [file for file in member.population.folder.glob(".*") if is_leftover(file, member.folder)]
    for folder in (member.folder, *beside):
        shutil.rmtree(folder, ignore_errors=True)
