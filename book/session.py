"""An open chapter of this book: the engine's session with face sets, networks and the device they run on."""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import torch
from pydantic import BaseModel

import ferbook.session
from book.parameters import RoleParameters
from book.populations import Member, find_population, require_ceiling
from book.suite import FacesRecord
from face_sets.faceset import FaceSet
from face_sets.registry import named_source, open_faces, set_name, source_status
from fer_lib.train.device import Precision, device_name, pick_device
from fer_lib.train.learner import seed_everything
from fer_lib.train.record import TrainedNetwork, TrainingRecord
from fer_lib.train.weights import load_weights, save_weights
from ferbook.book import Chapter
from ferbook.environment import STORED_VARIABLE, THREADS_VARIABLE
from ferbook.errors import ChapterError, DataError
from ferbook.records import read_json
from ferbook.store import ChapterResult

# What torch says of the first backward pass on a GPU, after which everything is as it should be.
GPU_WARNINGS = "Attempting to run cuBLAS, but there was no current CUDA context"


def hush_gpu_training() -> None:
    """Keep from the page what torch says of trainings on a GPU that are as they should be: the gradients of a
    recorded pass come from a separate stream (``train.callbacks``).
    """
    torch.autograd.graph.set_warn_on_accumulate_grad_stream_mismatch(False)
    warnings.filterwarnings("ignore", GPU_WARNINGS)


class FaceSession(ferbook.session.Session):
    """An open chapter about faces. No number is computed here: a result does not go stale with this file."""

    def __init__(self, chapter: Chapter, parameters: BaseModel, output: Path, run: Path) -> None:
        super().__init__(chapter, parameters, output, run)
        self.device: torch.device = pick_device(self.params.device)
        threads = int(os.environ.get(THREADS_VARIABLE, "0"))
        if threads:
            torch.set_num_threads(threads)
        seed_everything(self.params.seed)
        if self.device.type == "cuda":
            hush_gpu_training()
        self.note(device=device_name(self.device), threads=torch.get_num_threads())

    def faces(self) -> FaceSet:
        """The face set that the parameters name; its checksum goes into the run's record."""
        faces = open_faces(self.params.face_request)
        self.note(data=_about(faces, faces.name))
        return faces

    def note_rendered(self, domain: str, *face_sets: FaceSet) -> None:
        """Put ``face_sets`` that the chapter rendered itself as ``domain`` is into the run's record."""
        first, *others = (_about(faces, domain) for faces in face_sets)
        self.note(data=first, beside=others)

    def extra_faces(self, name: str, **fields: str | int) -> FaceSet | None:
        """The face set ``name`` that the chapter opens besides its main one: the first that it declares with
        these ``fields`` (a ``family``, a ``face_seed``); None where it is not on this machine.

        Raises ChapterError where the chapter's parameters do not declare it: its result would not be
        noticed as stale when those faces change.
        """
        requests = self.params.face_requests[1:]
        request = {"name": name, "family": ""} | fields
        declared = [each for each in requests if request.items() <= vars(each).items()]
        if not declared:
            missing = " ".join(map(str, (name, *fields.values())))
            names = dict.fromkeys(f"{each.name} {each.family}".strip() for each in requests)
            what = f"chapter {self.chapter.name!r} does not declare the face set {missing!r}"
            raise ChapterError(f"{what}; it declares {', '.join(names) or 'no other'}")
        if not source_status(name)["found"]:
            return None
        faces = open_faces(declared[0])
        self.note(beside=[*self._record.get("beside", []), _about(faces, faces.name)])
        return faces

    @property
    def precision(self) -> str | Precision:
        """What to train in: the parameter ``precision``, or under ``ferbook check`` the format that the
        stored run chose, since ``auto`` may choose otherwise on another machine."""
        path = os.environ.get(STORED_VARIABLE)
        record = read_json(Path(path)).get("precision") if path else None
        return Precision(**record) if record else self.params.precision

    @cached_property
    def may_show_faces(self) -> bool:
        """Whether single pictures may appear on the page: the set is free, or the user said so."""
        return named_source(self.params.faces).shareable or self.params.publish_faces

    def upstream(self, name: str) -> ChapterResult:
        """As the engine's; ChapterError too where that chapter saw another version of the synthetic faces."""
        result = super().upstream(name)
        if faces := result.record().outdated:
            raise ChapterError(f"chapter {name!r} saw the faces {faces}; `ferbook run {name}` makes it anew")
        return result

    def network(self, name: str) -> torch.nn.Module:
        """The network that the upstream chapter ``name`` keeps, on this chapter's device and in evaluation
        mode.

        Raises ChapterError as ``upstream`` does, DataError where its weights are absent or damaged.
        """
        return load_weights(self.upstream(name).folder / "weights.safetensors").to(self.device)

    def networks(self) -> list[TrainedNetwork]:
        """The trained networks that the chapter is about: those of its parameter ``population``, else the one
        of chapter ``training``. Of which ``network`` they are goes into the run's record.

        Raises ChapterError where no network of the population is stored, and as ``network``.
        """
        name = self.params.population
        if name:
            networks = self.population(name)
        else:
            record = self.upstream("training").artefact("training_record", TrainingRecord)
            networks = [TrainedNetwork("this run's", self.network("training"), record)]
        if not networks:
            raise ChapterError(
                f"no network of the population {name!r} is stored; `ferbook populations train {name}`"
            )
        self.note(network=networks[0].record.network)
        return networks

    def population(self, name: str) -> list[TrainedNetwork]:
        """The networks of the population ``name`` whose weights are stored, by seed. Raises as
        ``members``.
        """
        return [member.trained_network(self.device) for member in self.members(name) if member.has_weights]

    def members(self, name: str) -> list[Member]:
        """What is stored of the population ``name``, by seed; it goes into the run's record, and what failed.

        Raises ChapterError where the chapter's parameters do not declare it: its result would not be noticed
        as out of date when there are more of them.
        """
        if name not in self.params.populations:
            raise ChapterError(
                f"chapter {self.chapter.name!r} does not declare the population {name!r}; it declares "
                f"{', '.join(self.params.populations) or 'none'}"
            )
        population = find_population(name)
        members = population.kept()
        entry = {name: {"kept": [member.seed for member in members], "failed": population.failed()}}
        self.note(populations=self._record.get("populations", {}) | entry)
        return members

    def save_weights(self, model: torch.nn.Module, about: dict) -> None:
        """Store the network as ``weights.safetensors`` and ``weights.json``, which says which faces the
        chapter has seen.
        """
        about = {"faces": ", ".join(FacesRecord.model_validate(self._record).seen)} | about
        save_weights(model, self.output / "weights.safetensors", about)


def _about(faces: FaceSet, source: str) -> dict[str, object]:
    return {"name": set_name(source), "pictures": len(faces), "checksum": faces.checksum}


def open_chapter(name: str, namespace: Mapping[str, object]) -> FaceSession:
    """Open the chapter ``name`` with what ``namespace`` (the notebook's ``globals()``) assigns, pick the
    device and seed all generators. Raises ParameterError.
    """
    return ferbook.session.open_chapter(name, namespace, FaceSession)


# Networks of a role at least: where all that are stored are evaluated, and in your run.
FEWEST_STORED, FEWEST_OF_OWN = 5, 3


def networks_of_pair(
    p: RoleParameters, pair: tuple[str, str], structure: str, kept: Callable[[str], Sequence[TrainedNetwork]]
) -> list[list[TrainedNetwork]]:
    """The networks ``kept`` of both populations of a ``pair`` of roles. Raises DataError where these cannot
    be evaluated as the parameters ``p`` say, are not of the ``structure`` (empty: of any), are no pair, or
    too few.
    """
    require_ceiling(*pair)
    if why := p.not_measured(pair[0]):
        raise DataError(why)
    if structure not in ("", own := find_population(pair[0]).network):
        raise DataError(f"{pair[0]!r} have the structure {own}, not {structure} as the page's network")
    networks = [list(kept(name))[: p.of_each or None] for name in pair]
    least = FEWEST_OF_OWN if p.of_each else FEWEST_STORED
    for name, own in zip(pair, networks, strict=True):
        if len(own) < least:
            raise DataError(f"{name!r} has {len(own)} networks; a role takes {least} or more")
    return networks
