"""Several people on the switchboard: what verified filters of the reference's first network, filters of it
whose claim failed, and filters of an untrained network answer to each of them.

The first of the people is the switchboard's, the others show one unit at a time. ``several_people.json``
keeps them, so that a book is built without rendering anybody; ``python -m book.kept`` makes it.
"""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from book.switchboard import (
    PAIR_INTENSITIES,
    SITTER,
    FaceCode,
    coded_script,
    switchboard_codes,
    switchboard_faces,
)
from ferbook.beside import REFERENCE
from ferbook.errors import RunStoreError
from ferbook.store import open_run

if TYPE_CHECKING:
    import numpy as np

    from fer_lib.aus.detectors import Detector
    from fer_lib.faces.faceset import FaceSet
    from ferbook.store import Run

SHEET_COLUMNS = 10
"""Pictures to a row of a sheet."""

PEOPLE_FILE = Path(__file__).with_suffix(".json")
"""``SeveralPeople`` of the run ``reference``."""

_OTHERS = 4
"""People besides the first: those that follow its number, whom no network has seen either."""

_COUNTS = {"verified": 5, "failed": 3, "untrained": 3}
"""Filters of each kind, each of another unit."""


class PeopleFilter(BaseModel):
    """A ``filter`` of a ``kind`` (``verified``, ``failed`` or ``untrained``) named for ``unit``, and what it
    ``answers`` to the pictures of each of the people: of the first to ``switchboard_codes``, of the others to
    ``single_codes``.
    """

    filter: int
    unit: str
    kind: str
    answers: tuple[list[float], ...]


class SeveralPeople(BaseModel):
    """Of the people but the first a sheet of their pictures each (WebP, base64), of ``size`` pixels a side
    and ``SHEET_COLUMNS`` to a row, and the ``filters``. ``detectors``: the SHA-256 of the artefact that says
    what the filters detect.
    """

    detectors: str
    size: int
    sheets: tuple[str, ...]
    filters: tuple[PeopleFilter, ...]


def single_codes() -> tuple[FaceCode, ...]:
    """What the others show: the face at rest, and each unit alone at three intensities."""
    singles = [code for code in switchboard_codes() if len(code) < 2]
    return tuple(code for code in singles if set(code.values()) <= set(PAIR_INTENSITIES))


def people_faces(number: int, size: int) -> "FaceSet":
    """The pictures of ``single_codes`` of person ``number``; 0 is the switchboard's own; cached."""
    from fer_lib.faces.rendered import scripted_faces

    return scripted_faces(coded_script(single_codes(), SITTER + number), size=size)


def chosen_detectors(filters: "Sequence[Detector]", verified: bool, count: int) -> "list[Detector]":
    """The first ``count`` of ``filters`` that are ``verified``, or are not though a unit moves them; each of
    another unit.
    """
    firsts = {}
    for each in filters:
        if each.verified is verified and each.moved_by:
            firsts.setdefault(each.au, each)
    return list(firsts.values())[:count]


def several_people() -> SeveralPeople:
    """Those of ``PEOPLE_FILE`` where these are of the reference's detectors, else ``answers_of_people``.
    Raises RunStoreError where the reference's network or its detectors are not kept.
    """
    run = open_run(REFERENCE)
    run.record()  # before heavy imports
    people = SeveralPeople.model_validate_json(PEOPLE_FILE.read_text(encoding="utf-8"))
    return people if people.detectors == _detectors_digest(run) else answers_of_people(run)


def _detectors_digest(run: "Run") -> str:
    manifest = run.result("au_verification").done() or {}
    return manifest.get("files", {}).get("artefacts/detectors.json", "")


def answers_of_people(run: "Run") -> SeveralPeople:
    """What the filters of the first network of ``run`` answer to the people, who are rendered. Raises as
    ``several_people``.
    """
    from book.explain import networks_of
    from fer_lib.faces.registry import open_faces
    from fer_lib.faces.request import FaceRequest
    from fer_lib.look.responses import maximal_responses
    from fer_lib.train.controls import untrained_network

    networks, detectors = networks_of(run, "cpu")
    if detectors is None:
        raise RunStoreError(f"run {run.name!r} has not asked what its filters detect")
    model, layer = networks[0].model, detectors.layer
    size = model.arguments["size"]
    untrained = untrained_network(model, seed=0)
    everyone = [switchboard_faces(size), *(people_faces(1 + k, size) for k in range(_OTHERS))]
    answers = {
        network: [maximal_responses(network, faces, layer).maxima for faces in everyone]
        for network in (model, untrained)
    }
    filters = [
        _filter(each.filter, each.au, kind, answers[model])
        for kind, verified in (("verified", True), ("failed", False))
        for each in chosen_detectors(detectors.filters, verified, _COUNTS[kind])
    ]
    faces = open_faces(FaceRequest("lab", size=size)).split("test")
    responses = maximal_responses(untrained, faces, layer).maxima
    for number, au in named_as_in_papers(responses, faces, _COUNTS["untrained"]):
        filters.append(_filter(number, au, "untrained", answers[untrained]))
    sheets = tuple(_sheet(each.pixels) for each in everyone[1:])
    return SeveralPeople(detectors=_detectors_digest(run), size=size, sheets=sheets, filters=tuple(filters))


def named_as_in_papers(responses: "np.ndarray", faces: "FaceSet", count: int) -> list[tuple[int, str]]:
    """``count`` filters of ``responses`` (N, K) to ``faces``, each of another unit: those whose largest AUROC
    is largest, with the unit that has it.
    """
    import numpy as np

    from fer_lib.aus.association import statistic
    from fer_lib.aus.presence import presence

    truth = presence(faces).scored()
    scores = np.nan_to_num(statistic(responses, truth.present, "auroc"), nan=-np.inf)
    units: dict[str, int] = {}
    for number in np.argsort(-scores.max(axis=1), kind="stable").tolist():
        units.setdefault(truth.aus[scores[number].argmax()], number)
    return [(number, au) for au, number in units.items()][:count]


def _filter(number: int, au: str, kind: str, answers: "Sequence[np.ndarray]") -> PeopleFilter:
    rows = tuple([float(f"{value:.3g}") for value in maxima[:, number]] for maxima in answers)
    return PeopleFilter(filter=number, unit=au, kind=kind, answers=rows)


def _sheet(pictures: "np.ndarray") -> str:
    from PIL import Image

    from ferbook.page.pictures import mosaic

    sink = io.BytesIO()
    Image.fromarray(mosaic(pictures, SHEET_COLUMNS, gap=0)).save(sink, "webp", quality=75, method=6)
    return base64.b64encode(sink.getvalue()).decode()
