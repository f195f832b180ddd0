"""What networks say about one picture, which filters answered, and how far that can be believed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from book.populations import Member, find_population
from book.yardstick import YARDSTICK, Calibration, Yardstick, tempered, yardstick_of
from face_sets.photo import changes, face_of
from face_sets.readers.pictures import Window
from face_sets.registry import set_name
from fer_lib.aus.verification import Detector, Detectors
from fer_lib.look.deconvolution import Projections, project
from fer_lib.look.layers import last_conv
from fer_lib.look.responses import maximal_responses
from fer_lib.train.device import pick_device
from fer_lib.train.predict import as_faces, predict
from fer_lib.train.record import TrainedNetwork, TrainingRecord
from fer_lib.train.weights import load_weights
from ferbook.errors import DataError, RunStoreError
from ferbook.steps import Advance
from ferbook.store import REFERENCE, ChapterResult, Run, current_run, open_run

# Filters whose projections are shown, those with the largest response, as Khorrami et al. 2015 chose.
STRONGEST = 8


@dataclass(frozen=True)
class Answer:
    """The ``response`` of a filter to the face; ``above``: in which proportion of the validation pictures it
    answers less; ``detector``: what it was found to detect over many faces, if anything.
    """

    filter: int
    response: float
    above: float
    detector: Detector | None


@dataclass(frozen=True)
class Explanation:
    """What the networks ``learned`` say about the face ``crop`` uint8 (size, size), cut from ``picture`` at
    ``window``, the largest of ``faces_found``; None and 0 where the picture was taken whole. ``changed``:
    what reading the file changed.

    ``probabilities`` float64 (networks, classes), ``raw`` (classes,) of the first network, whose
    ``calibration`` it is. Its filters of ``layer``: the ``strongest``, with the ``projections`` of these in
    that order, and the best detector of each unit, ``units``, None where no detectors are known.
    ``beyond``: how many of its ``filters`` answer more than to any validation picture, ``usual``: what 95 in
    100 test pictures do not exceed.
    """

    run: Run
    path: Path
    faces: str
    learned: tuple[TrainedNetwork, ...]
    picture: np.ndarray
    crop: np.ndarray
    window: Window | None
    faces_found: int
    changed: list[str]
    probabilities: np.ndarray
    raw: np.ndarray
    calibration: Calibration
    layer: str
    strongest: list[Answer]
    projections: Projections
    units: list[Answer] | None
    filters: int
    beyond: int
    usual: int


def named_run(name: str | None) -> Run:
    """The run called ``name``; where none is named the reference, whose filters were tested, or where that is
    not here the run that `ferbook run` was last called for. Raises RunStoreError.
    """
    if name is not None:
        return open_run(name)
    reference = open_run(REFERENCE)
    return reference if reference.exists() else current_run()


def networks_of(run: Run, device: torch.device) -> tuple[list[TrainedNetwork], Detectors | None]:
    """The networks that the chapters of ``run`` are about, and what the first one's filters detect; None
    where the run did not evaluate it.

    Raises RunStoreError where the run has no network, or its chapters saw other faces than are made here.
    """
    run.record()
    results = [run.result(name) for name in ("au_verification", "training")]
    finished = [result for result in results if result.done()]
    if not finished:
        mend = (
            f"`ferbook run au_verification --run {run.name}` makes one, and evaluates what its filters detect"
        )
        raise RunStoreError(f"run {run.name!r} has no trained network; {mend}")
    for result in finished:
        result.require_whole()
        if faces := result.record().outdated:
            mend = f"`ferbook run {result.chapter} --run {run.name}` makes it anew"
            raise RunStoreError(
                f"chapter {result.chapter!r} of run {run.name!r} saw the faces {faces}; {mend}"
            )
    verified, training = results
    detectors = verified.artefact("detectors", Detectors) if verified in finished else None
    if population := finished[0].done()["inputs"].get("parameters", {}).get("population"):
        members = _evaluated(finished[0], population)
        return [member.trained_network(device) for member in members], detectors
    if verified in finished:
        origin = verified.done()["inputs"].get("upstream", {}).get("training")
        if origin != training.artifact_digest():
            raise RunStoreError(
                f"chapter 'au_verification' of run {run.name!r} evaluated a network that has been trained "
                f"anew since; `ferbook run au_verification --run {run.name}` evaluates the present one"
            )
    model = load_weights(training.folder / "weights").to(device)
    record = training.artefact("training_record", TrainingRecord)
    return [TrainedNetwork("this run's", model, record)], detectors


def _evaluated(result: ChapterResult, name: str) -> list[Member]:
    """The networks of the population ``name`` that ``result`` evaluated and whose weights are stored: not
    those that were trained since, for the detectors are filters of the first that was there.

    Raises RunStoreError where that is not stored any more, and unless all are still the same.
    """
    run, population = result.folder.parent.name, find_population(name)
    evaluated = result.record().populations[name]
    members = [member for member in population.kept() if member.seed in evaluated.kept]
    stored = [member for member in members if member.has_weights]
    if not stored or stored[0].seed != evaluated.kept[0]:
        what = f"run {run!r} evaluated network {evaluated.kept[0]} of the population {name!r}"
        mend = f"`ferbook populations train {name}` makes it"
        raise RunStoreError(f"{what}, which is not stored any more; {mend}")
    key = result.done()["inputs"].get("data", {}).get(f"population {name}")
    if key and key != population.key_of(members, map(int, evaluated.failed)):
        what = f"chapter {result.chapter!r} of run {run!r} evaluated networks of the population {name!r}"
        mend = f"`ferbook run {result.chapter} --run {run}` evaluates those"
        raise RunStoreError(f"{what} that have been trained anew since; {mend}")
    return stored


def explain(run: Run, path: Path, advance: Advance = lambda: None, *, cropped: bool = False) -> Explanation:
    """Evaluate the networks of ``run`` on the largest face in the picture at ``path``, in two parts, after
    each of which ``advance`` is called; ``cropped``: it is the crop of a face already. What they say of the
    faces that they know is read where the run stores it.

    Raises RunStoreError as ``networks_of``; DataError as ``photo.face_of``, for a picture in which all pixels
    are alike, and where those faces are needed and not here.
    """
    device = pick_device()
    networks, detectors = networks_of(run, device)
    first = networks[0]
    faces = set_name(first.record.faces.name)
    size = first.model.arguments["size"]
    picture, crop, window, faces_found = face_of(path, size, faces, cropped=cropped)
    if np.ptp(crop) == 0:
        raise DataError(f"{path}: all pixels of the face are alike; there is nothing to explain")
    own = as_faces(crop[None])
    raw = [predict(each.model, own, device=device) for each in networks]
    advance()
    layer = detectors.layer if detectors else last_conv(first.model)
    yardstick = _stored_reference(run, networks, layer) or yardstick_of(networks, layer, device)
    advance()
    own_maxima = maximal_responses(first.model, own, layer).maxima
    by_filter = {each.filter: each for each in detectors.filters} if detectors else {}
    above = yardstick.shares_below(own_maxima[0])

    def answer(number: int) -> Answer:
        return Answer(number, float(own_maxima[0, number]), float(above[number]), by_filter.get(number))

    filters = [int(k) for k in np.argsort(-own_maxima[0], kind="stable")[:STRONGEST]]
    strongest = [answer(number) for number in filters]
    best: dict[str, Detector] = {}
    for each in sorted(by_filter.values(), key=lambda d: (not d.verified, -d.association)):
        best.setdefault(each.au, each)
    units = sorted((answer(each.filter) for each in best.values()), key=lambda a: -a.above)
    return Explanation(
        run=run,
        path=path,
        faces=faces,
        learned=tuple(networks),
        picture=picture,
        crop=crop,
        window=window,
        faces_found=faces_found,
        changed=changes(path),
        probabilities=np.concatenate(
            [tempered(p, yardstick.temperatures[each.name]) for p, each in zip(raw, networks, strict=True)]
        ),
        raw=raw[0][0],
        calibration=yardstick.calibration,
        layer=layer,
        strongest=strongest,
        projections=project(first.model, layer, crop[None], [0] * len(strongest), filters),
        units=units if detectors else None,
        filters=own_maxima.shape[1],
        beyond=int(yardstick.beyond(own_maxima)[0]),
        usual=yardstick.usual,
    )


def _stored_reference(run: Run, networks: list[TrainedNetwork], layer: str) -> Yardstick | None:
    """What ``run`` stores of the faces that these ``networks`` know; None where it is of others, or of older
    code, which stored none.
    """
    result = run.result("au_verification")
    if not (result.folder / "artefacts" / f"{YARDSTICK}.json").is_file():
        return None
    stick = result.artefact(YARDSTICK, Yardstick)
    fits = stick.layer == layer and all(each.name in stick.temperatures for each in networks)
    return stick if fits and networks[0].name == stick.first else None
