"""Populations of trained networks: what the file ``populations.yaml`` asks for, and what of it is kept.

A network is known by its recipe, its faces and its seed, never by the code that trained it: a moved file asks
for no hours again. Each lies in a folder of its own, which is whole or is not there, so a kill loses at most
the network that was being trained, and a folder may come from another machine. One whose training diverged
leaves a record of that in its folder, and is counted.
"""

import hashlib
import json
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from time import perf_counter, process_time
from typing import Literal

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from safetensors.torch import load_file, save_file

from fer_lib.faces.folds import fold_faces, protocol_of
from fer_lib.faces.leakage import independent_groups
from fer_lib.faces.registry import open_faces, set_name
from fer_lib.names import Network
from fer_lib.nets.build import build_network
from fer_lib.nets.classifier import Classifier
from fer_lib.train.controls import with_shuffled_labels
from fer_lib.train.device import device_name, pick_device
from fer_lib.train.learner import Diverged, seed_everything, train
from fer_lib.train.lesson import Learned, Lesson
from fer_lib.train.precision import Precision
from fer_lib.train.predict import predict
from fer_lib.train.recipe import Recipe
from fer_lib.train.targets import class_counts
from fer_lib.train.weights import compacted, load_weights, save_weights, widened
from ferbook import paths
from ferbook.book import find_chapter
from ferbook.environment import git_commit
from ferbook.errors import DataError, ParameterError, RunStoreError, require_name
from ferbook.files import is_leftover, read_yaml, whole_folder
from ferbook.owner import held, now
from ferbook.store import DONE, file_checksums, read_json, write_json

REFERENCE = "reference"
"""The run that is committed."""

FAILED = "FAILED.json"
"""The record of a training that diverged."""

_DIVERGED = "failed: "


class Taught(BaseModel):
    """What decides a network's weights, but for its seed and the last digits of a processor."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    faces: dict[str, str | int]
    network: Network
    options: dict[str, bool | int | float | tuple[int, ...]] = {}
    recipe: Recipe
    labels: Literal["own", "shuffled"] = "own"


class Kept(BaseModel):
    """A population: members that are trained one by one, each kept in a folder of its own.

    A child has ``members``; ``taught``, a model of what decides them but for their seed, by which they are
    known; and ``faces``, the arguments of ``faces.registry.open_faces``. ``core_minutes``: what a member
    takes, measured or estimated.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    about: str
    core_minutes: float = Field(gt=0)

    @property
    def folder(self) -> Path:
        """One folder a member lies in it."""
        return paths.runs_dir() / REFERENCE / "populations" / self.name

    def kept(self) -> list["Member"]:
        """The members that are there and of this recipe, by seed."""
        return [member for member in self.members if not member.fault()]

    def failed(self) -> dict[int, str]:
        """Seed -> why, of the members whose training by this recipe diverged."""
        faults = {member.seed: member.fault() for member in self.members}
        return {seed: fault for seed, fault in faults.items() if fault.startswith(_DIVERGED)}

    def key(self) -> str:
        """Changes with every member that is kept, or that failed."""
        told = [[(member.seed, member.done()["files"]) for member in self.kept()], sorted(self.failed())]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


class Population(Kept, Taught):
    """Networks that differ in nothing but their seed: the fields of ``populations.yaml``, and the ``name``.

    ``checkpoints``: epochs after which the convolutions of the first ``checkpointed`` networks are kept too.
    ``weights``: of so many networks, the first, the weights are kept (None: of all); of the others only
    curves and answers.
    """

    networks: int = Field(ge=1, le=100)
    checkpoints: tuple[int, ...] = ()
    checkpointed: int = Field(0, ge=0)
    weights: int | None = Field(None, ge=0)

    @property
    def taught(self) -> Taught:
        """What the population's networks have in common."""
        return Taught(**{name: getattr(self, name) for name in Taught.model_fields})

    @property
    def members(self) -> list["Member"]:
        """All networks that are asked for, kept or not."""
        return [Member(self, seed) for seed in range(self.networks)]


@dataclass(frozen=True)
class Member:
    """One network of a population, known by its ``seed``."""

    population: Population
    seed: int

    @property
    def folder(self) -> Path:
        """Where it lies, or will."""
        return self.population.folder / str(self.seed)

    def fault(self) -> str:
        """Why it cannot be used: ``missing``, ``damaged``, ``of another recipe``, of other faces, or why its
        training failed; empty where it can.
        """
        if not (self.folder / DONE).is_file():
            return self._failure() if (self.folder / FAILED).is_file() else "missing"
        try:
            done = self.done()
            taught = type(self.population.taught).model_validate(done["taught"])
            present = file_checksums(self.folder)
            files = {name: present.get(name) for name in done["files"]}
        except (RunStoreError, ValidationError, KeyError, OSError):
            return "damaged"
        if files != done["files"]:
            return "damaged"
        if taught != self.population.taught:
            return "of another recipe"
        faces = set_name(self.population.faces["name"])
        return "" if done["faces"] == faces else f"of the faces {done['faces']}; {faces} are made here"

    def _failure(self) -> str:
        try:
            told = read_json(self.folder / FAILED)
            taught = type(self.population.taught).model_validate(told["taught"])
        except (RunStoreError, ValidationError, KeyError):
            return "damaged"
        return told["failed"] if taught == self.population.taught else "of another recipe"

    def learned(self, device: torch.device | str = "cpu") -> Learned:
        """The network on ``device`` with its lesson."""
        done, taught = self.done(), self.population.taught
        lesson = Lesson(
            network=taught.network,
            options=taught.options,
            recipe=taught.recipe,
            precision=Precision.of(done["precision"]),
            seed=self.seed,
            classes=tuple(done["classes"]),
            fold=0,
            source=dict(taught.faces),
        )
        return Learned(f"{self.population.name} {self.seed}", self.network().to(device), lesson)

    def train(self, device: torch.device) -> dict:
        """Train and keep it; what ``done`` says of it."""
        return _train(self, device)

    def done(self) -> dict:
        """Where it comes from: faces, classes, commit, device, seconds, precision, accuracies."""
        return read_json(self.folder / DONE)

    def network(self, epoch: int = 0) -> Classifier:
        """The network with the weights of the epoch that validation chose, in evaluation mode on the CPU; its
        convolutions, of which checkpoints are kept, as they were after ``epoch``. Raises DataError where
        either is not kept.
        """
        model, file = load_weights(self.folder / "weights"), self._checkpoint(epoch)
        if epoch and not file.is_file():
            raise DataError(f"{file}: no such checkpoint is kept")
        if epoch:
            model.load_state_dict(widened(load_file(file)), strict=False)
        return model

    def _checkpoint(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch:03d}.safetensors"

    @property
    def has_weights(self) -> bool:
        """Whether more than its curve and its answers is kept."""
        return "weights.safetensors" in self.done()["files"]

    def curve(self) -> pd.DataFrame:
        """One row per epoch, as ``train.curve.Training`` has it."""
        return pd.read_csv(self.folder / "curve.csv")

    def answers(self) -> np.ndarray:
        """Probabilities (N, classes) of the test split, float16, in its order."""
        return np.load(self.folder / "test.npy", allow_pickle=False)

    def tested(self) -> pd.DataFrame:
        """What statistics need of the test split, so that they need no faces: one row per picture with its
        ``label`` (index of its class) and ``group``, equal for pictures that are not independent.
        """
        return pd.read_csv(self.folder / "tested.csv")


def populations() -> dict[str, Kept]:
    """Name -> population, as the file has them. Raises ParameterError, naming file and entry, where it cannot
    be understood.
    """
    file = paths.root() / "populations.yaml"
    try:
        content = TypeAdapter(dict[str, dict]).validate_python(read_yaml(file, ParameterError))
        named = {name: {"name": name, **fields} for name, fields in content.items()}
        return {
            name: TypeAdapter(dict[str, _kind(fields)]).validate_python({name: fields})[name]
            for name, fields in named.items()
        }
    except ValidationError as fault:
        first = fault.errors()[0]
        place = ".".join(map(str, first["loc"])) or "its content"
        raise ParameterError(f"{file}: {place}: {first['msg']}") from fault


def find_population(name: str) -> Kept:
    """The population called ``name``; raises ParameterError where there is none."""
    known = populations()
    require_name("population", name, known)
    return known[name]


def _kind(fields: dict) -> type[Kept]:
    """What an entry is of: networks, or the pieces of its ``chapter``."""
    if "chapter" not in fields:
        return Population
    return import_module(f"book.{find_chapter(fields['chapter']).name}.pieces").Pieces


def train_member(member: Member, *, device: str = "auto", replace: bool = False) -> dict | None:
    """Train ``member`` and keep it, unless it is there; what ``done`` says of it, or None where another
    process is at it.

    Raises DataError where one of another recipe, a damaged one or the record of a failure lies there and
    ``replace`` is false, and where its faces are absent; Diverged, of which a record is kept, and
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
        return member.train(pick_device(device)) if fault else member.done()


def _train(member: Member, device: torch.device) -> dict:
    started, spent = perf_counter(), process_time()
    asked, seed = member.population, member.seed
    faces = open_faces(**asked.faces, progress=False)
    labelled = faces.labelled()
    protocol = protocol_of(labelled)
    classes = protocol.classes
    chosen = fold_faces(labelled, protocol, 0)
    shuffled = asked.labels == "shuffled"
    learned = with_shuffled_labels(chosen, seed) if shuffled else chosen
    seed_everything(seed)
    model = build_network(asked.network, len(classes), faces.size[0], **asked.options)
    last = asked.recipe.epochs
    checkpoints = {*(asked.checkpoints if seed < asked.checkpointed else ()), *((last,) if shuffled else ())}
    about = {"classes": classes, "faces": set_name(faces.name), "seed": seed}
    record = about | {
        "population": asked.name,
        "taught": asked.taught.model_dump(),
        "checksum_of_faces": faces.checksum,
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "commit": git_commit(),
    }
    try:
        training = train(
            learned, model, classes, asked.recipe, device=device, seed=seed, checkpoints=checkpoints
        )
    except Diverged as fault:
        told = {"failed": f"{_DIVERGED}{fault}", "finished": now()}
        _clear(member)
        with whole_folder(member.folder) as folder:
            write_json(folder / FAILED, record | told)
        raise
    best_epoch = training.best_epoch
    if shuffled:
        # Validation cannot tell which epoch knows most pictures by heart; the last one does.
        best_epoch = last
        model.load_state_dict(training.checkpoints.pop(last))
    test, taught = chosen.split("test"), learned.split("train")
    answers, by_heart = (predict(model, split, device=device) for split in (test, taught))
    labels = test.labels(classes)
    _clear(member)
    with whole_folder(member.folder) as folder:
        training.curve.to_csv(folder / "curve.csv", index=False, float_format="%.6g")
        np.save(folder / "test.npy", answers.astype(np.float16), allow_pickle=False)
        tested = pd.DataFrame({"label": labels, "group": independent_groups(test)})
        tested.to_csv(folder / "tested.csv", index=False)
        if asked.weights is None or seed < asked.weights:
            save_weights(model, folder / "weights", about, compact=True)
        for epoch, weights in training.checkpoints.items():
            filters = compacted({n: value for n, value in weights.items() if value.ndim == 4})
            save_file(filters, folder / member._checkpoint(epoch).name)
        done = record | {
            "epochs": len(training.curve),
            "best_epoch": best_epoch,
            "train_loss": float(training.curve["train_loss"].iloc[-1]),
            "train_accuracy": float(np.mean(by_heart.argmax(1) == taught.labels(classes))),
            "train_counts": class_counts(chosen, classes).tolist(),
            "valid_accuracy": float(training.curve.set_index("epoch").loc[best_epoch, "valid_accuracy"]),
            "test_accuracy": float(np.mean(answers.argmax(1) == labels)),
            "precision": training.precision.to_json(),
            "seconds": round(perf_counter() - started),
            "core_seconds": round(process_time() - spent),
            "finished": now(),
        }
        return seal(folder, done)


def seal(folder: Path, done: dict) -> dict:
    """Write ``done`` into ``folder`` with the checksums of the files that are there; returns it."""
    write_json(folder / DONE, done | {"files": file_checksums(folder)})
    return done


def _clear(member: Member) -> None:
    """Remove what lies in the place of ``member``, and what killed processes left beside it."""
    beside = [file for file in member.population.folder.glob(".*") if is_leftover(file, member.folder)]
    for folder in (member.folder, *beside):
        shutil.rmtree(folder, ignore_errors=True)
