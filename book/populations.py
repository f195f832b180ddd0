"""Populations of trained networks: what the file ``populations.yaml`` requires, and which of it are stored.

A network is known by its recipe, its faces and its seed, never by the code that trained it: a moved file
costs no hours again. Each lies in a separate folder, which is whole or is not there, so a kill loses at most
the network that was being trained, and a folder may come from another machine. One whose training diverged
leaves a record of that in its folder, and is counted. Two of them may be roles between which a degree lies:
networks that a claim measures, and those of the same recipe that were trained on the units of the same
pictures.

Light to import: every command reads what is stored. What trains, ``population_training``, imports this.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from face_sets.registry import set_name
from face_sets.request import FaceRequest
from fer_lib.names import Network
from fer_lib.train.recipe import TrainingRecipe
from ferbook import paths
from ferbook.book import find_chapter
from ferbook.errors import DataError, ParameterError, RunStoreError, require_name
from ferbook.files import digest_of, read_yaml
from ferbook.records import Record, read_json
from ferbook.store import DONE, REFERENCE, file_checksums

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import torch

    from fer_lib.nets.classifier import Classifier
    from fer_lib.train.record import TrainedNetwork
Share = Annotated[float, Field(ge=0, le=1)]

# The record of a training that diverged.
FAILED = "FAILED.json"

# How the reason of a failure begins.
DIVERGED = "failed: "


class TrainingSettings(BaseModel):
    """What decides a network's weights, but for its seed and the last digits of a processor."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    faces: FaceRequest
    network: Network
    options: dict[str, bool | int | float | tuple[int, ...] | str] = {}
    recipe: TrainingRecipe
    labels: Literal["own", "shuffled", "units", "identity"] = "own"


class TrainedMember(Record):
    """``DONE.json`` of a member: how it was trained, and how well."""

    faces: str
    device: str
    seconds: Annotated[float, Field(ge=0)]
    core_seconds: Annotated[float, Field(ge=0)] = 0.0
    taught: dict
    files: dict[str, str]
    fresh: dict | None = None
    test_time: str = ""
    classes: list[str] = Field(default=[])
    train_accuracy: Share = 0.0
    valid_accuracy: Share = 0.0
    test_accuracy: Share = 0.0
    valid_auroc: Share = 0.0
    test_auroc: Share = 0.0


class Kept(BaseModel):
    """A population: members that are trained one by one, each stored in a separate folder.

    A child has ``members``; ``settings``, a model of what decides them but for their seed, by which they are
    known; and ``faces``, which they learn from. ``core_minutes``: what a member
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
        return {m.seed: fault for m in self.members if (fault := m.fault()).startswith(DIVERGED)}

    def key(self) -> str:
        """Changes with every member that is stored, or that failed."""
        faults = [(member, member.fault()) for member in self.members]  # once: it reads all their files
        failed = [member.seed for member, fault in faults if fault.startswith(DIVERGED)]
        return self.key_of([member for member, fault in faults if not fault], failed)

    def key_of(self, members: "Sequence[Member]", failed: Iterable[int]) -> str:
        """What ``key`` was when these ``members`` were stored, if they are still the same, and the seeds
        ``failed`` had failed.
        """
        return digest_of([[(member.seed, member.done()["files"]) for member in members], sorted(failed)])


class Population(Kept, TrainingSettings):
    """Networks that differ in nothing but their seed: the fields of ``populations.yaml``, and the ``name``.

    ``weights``: of so many networks, the first, the weights are stored (None: of all); of the others only
    curves and answers. ``without``: tensors that are not stored, behind all that is evaluated.
    ``first_seed``: that of the first network. ``fresh``: people drawn anew, whose pictures' answers are
    stored too. ``test_time``: how the test split is answered, as of ``predict``.
    """

    networks: int = Field(ge=1, le=100)
    first_seed: int = Field(0, ge=0)
    weights: int | None = Field(None, ge=0)
    without: tuple[str, ...] = ()
    fresh: FaceRequest | None = None
    test_time: Literal["none", "flip"] = "none"

    @property
    def settings(self) -> TrainingSettings:
        """What the population's networks have in common."""
        return TrainingSettings(**{name: getattr(self, name) for name in TrainingSettings.model_fields})

    @property
    def members(self) -> list["Member"]:
        """All networks of the population, stored or not."""
        return [Member(self, self.first_seed + place) for place in range(self.networks)]


def requested_members(names: Sequence[str], n: int = 0, only: str | None = None) -> list["Member"]:
    """The first ``n`` networks (0: all) of the populations ``names``; of each the one with the seed ``only``,
    where one is named. Raises ParameterError for a population that is not there, and for a seed that is not
    among them.
    """
    members = []
    for population in map(find_population, names):
        own = population.members[: n or None]
        seeds = [str(each.seed) for each in own]
        if only not in (None, *seeds):
            first = f" among its first {n}" if n else ""
            raise ParameterError(
                f"population {population.name} has no network {only}{first}; it has {', '.join(seeds)}"
            )
        members += [each for each in own if only in (None, str(each.seed))]
    return members


def require_matched(compared: Iterable["Population"], but: Sequence[str]) -> None:
    """Raise DataError, naming population and field, where one of the populations ``compared`` differs from
    the first in what decides its weights, other than in the fields ``but`` (``options``, ``recipe.loss`` …):
    networks of another recipe, or of other people, are no control of it.
    """
    first, *others = compared
    wanted = _decided(first)
    for other in others:
        for field, own in _decided(other).items():
            if field not in but and own != wanted[field]:
                raise DataError(
                    f"population {other.name!r} has {field} {own}, and {first.name!r} {wanted[field]}: "
                    f"compared are networks that differ in {' and '.join(but)} only"
                )


def _decided(population: "Population") -> dict[str, object]:
    """What decides the weights of its networks, field by field of ``TrainingSettings`` and of its recipe."""
    fields = dict(population.settings)
    recipe = {f"recipe.{name}": value for name, value in fields.pop("recipe")}
    return fields | recipe


def require_ceiling(measured: str, ceiling: str) -> None:
    """Raise DataError unless the networks of the population ``ceiling`` differ from those ``measured`` by
    their labels alone, which are units.
    """
    pair = [find_population(name) for name in (measured, ceiling)]
    labels = tuple(each.labels for each in pair)
    if labels != ("own", "units"):
        told = f"labels {' and '.join(labels)}, not own and units"
        raise DataError(f"{ceiling!r} is no ceiling of {measured!r}: {told}")
    require_matched(pair, but=("labels",))


# Proportion of the held-out pictures whose person a network trained on identity has to recognise.
LEARNED_IDENTITY = 0.5


def require_learned(name: str) -> None:
    """Raise DataError where a network of the population ``name``, trained on identity, did not learn it."""
    population = find_population(name)
    if getattr(population, "labels", "") != "identity":
        return
    for member in population.kept():
        if (accuracy := member.done()["valid_accuracy"]) < LEARNED_IDENTITY:
            raise DataError(
                f"population {name!r}, network {member.seed}: it recognises the person in {accuracy:.0%} of "
                f"the held-out pictures; a control takes networks that recognise {LEARNED_IDENTITY:.0%}"
            )


@dataclass(frozen=True)
class Member:
    """One network of a population, known by its ``seed``. ``trainer``: the module that trains it, by what it
    registers with ``population_training.train_network``.
    """

    trainer: ClassVar[str] = "book.population_training"

    population: Population
    seed: int

    @property
    def folder(self) -> Path:
        """Where it lies, or will."""
        return self.population.folder / str(self.seed)

    def fault(self) -> str:
        """Why it cannot be used: ``missing``, ``damaged``, ``of another recipe``, of other faces, why its
        training failed, or what it predicted by other settings than the present ones; empty where it can.
        """
        finished = (self.folder / DONE).is_file()
        if not finished and not (self.folder / FAILED).is_file():
            return "missing"
        try:
            record = self.done() if finished else {"files": {}} | read_json(self.folder / FAILED)
            settings = type(self.population.settings).model_validate(record["taught"])
            present = file_checksums(self.folder)
            faces, failure = record["faces"], "" if finished else str(record["failed"])
        except (RunStoreError, ValidationError, KeyError, OSError):
            return "damaged"
        if any(present.get(name) != digest for name, digest in record["files"].items()):
            return "damaged"
        if settings != self.population.settings:
            return "of another recipe"
        if faces != (made := set_name(self.population.faces.name)):
            return f"of the faces {faces}; {made} are made here"
        return failure or self._other_answers(record)

    def _other_answers(self, record: Mapping) -> str:
        """What was evaluated by other settings than the population has, where the record names them."""
        fresh = getattr(self.population, "fresh", None)
        now = {"test_time": getattr(self.population, "test_time", ""), "fresh": fresh}
        then = record | {"fresh": record.get("fresh") and FaceRequest(**record["fresh"])}
        changes = [name for name, value in now.items() if then.get(name) and then[name] != value]
        return f"answered by another {changes[0]}" if changes else ""

    def trained_network(self, device: "torch.device | str" = "cpu") -> "TrainedNetwork":
        """The network on ``device`` with its record."""
        from fer_lib.train.record import TrainedNetwork, TrainingRecord

        settings = {name: value for name, value in self.population.settings if name != "labels"}
        own = {name: self.done()[name] for name in ("precision", "classes")}
        trained = TrainingRecord(**settings, **own, seed=self.seed, fold=0)
        return TrainedNetwork(f"{self.population.name} {self.seed}", self.network().to(device), trained)

    def done(self) -> dict:
        """Where it comes from: faces, classes, commit, device, seconds, precision, accuracies."""
        return read_json(self.folder / DONE, TrainedMember)

    def network(self) -> "Classifier":
        """The network with the weights of the epoch that validation chose, in evaluation mode on the CPU.
        Raises DataError where they are not stored.
        """
        from fer_lib.train.weights import load_weights

        return load_weights(self.folder / "weights")

    @property
    def has_weights(self) -> bool:
        """Whether more than its curve and its answers is stored."""
        return "weights.safetensors" in self.done()["files"]

    def curve(self) -> "pd.DataFrame":
        """One row per epoch, as ``train.callbacks.Training`` has it."""
        import pandas as pd

        return pd.read_csv(self.folder / "curve.csv")

    def answers(self) -> "np.ndarray":
        """Probabilities (N, classes) of the test split, float16, in its order."""
        return self._array("test.npy")

    def answers_by_epoch(self) -> "np.ndarray":
        """Indices (epochs, N) of the classes that the test split was given after each epoch, uint8: what
        choosing the epoch on those who are tested would have been worth. Raises DataError where they are not
        stored, as of networks that were trained before this was recorded.
        """
        if not (self.folder / "epochs.npy").is_file():
            raise DataError(f"{self.folder}: no predictions after each epoch are stored")
        return self._array("epochs.npy")

    def fresh_answers(self) -> "np.ndarray | None":
        """Probabilities (N, classes), float16, of the pictures of the population's ``fresh`` people, in their
        order; None where none are stored, as of networks that were trained before they were required.
        """
        return self._array("fresh.npy") if (self.folder / "fresh.npy").is_file() else None

    def _array(self, name: str) -> "np.ndarray":
        import numpy as np

        try:  # mapped: an array that is larger than its file says takes no memory
            return np.array(np.load(self.folder / name, mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError) as fault:
            raise DataError(f"{self.folder / name}: no array of answers ({fault})") from fault

    def tested(self) -> "pd.DataFrame":
        """What statistics need of the test split, so that they need no faces: one row per picture with its
        ``label`` (index of its class) and ``group``, equal for pictures that are not independent.
        """
        import pandas as pd

        return pd.read_csv(self.folder / "tested.csv")


def populations() -> dict[str, Kept]:
    """Name -> population, as the file has them. Raises ParameterError, naming file and entry, where it cannot
    be understood.
    """
    return {name: _population(name, fields) for name, fields in _entries().items()}


def find_population(name: str) -> Kept:
    """The population called ``name``; raises ParameterError where there is none, and as ``populations``."""
    entries = _entries()
    require_name("population", name, entries)
    return _population(name, entries[name])


def _entries() -> dict[str, dict]:
    return _valid(dict[str, dict], read_yaml(_file(), ParameterError))


def _population(name: str, fields: dict) -> Kept:
    """The entry ``name``: networks, or the pieces of its ``chapter``."""
    kind = Population
    if "chapter" in fields:
        kind = import_module(f"book.{find_chapter(fields['chapter']).name}.pieces").Pieces
    return _valid(dict[str, kind], {name: {"name": name, **fields}})[name]


def _valid(kind: type, content: object) -> dict:
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as fault:
        first = fault.errors()[0]
        place = ".".join(map(str, first["loc"])) or "its content"
        raise ParameterError(f"{_file()}: {place}: {first['msg']}") from fault


def _file() -> Path:
    return paths.root() / "populations.yaml"
