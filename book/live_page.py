"""The network in the page: the reference's first network in 8 bits, faces to give it, and what its filters
were found to detect, packed for ``book/_static/network.js``, which computes.

Whatever run the book is built from, this is the network of the reference.
"""

import base64
import html
import json
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from book.page_parts import TEMPLATES, webp_address
from book.photographs import worth_on_photographs
from book.unit_faces import INTENSITIES, PAIRED_UNITS, unit_codes, unit_faces
from ferbook.errors import FerError, RunStoreError
from ferbook.store import REFERENCE, ChapterResult, open_run
from synthetic_faces.facs import ACTION_UNITS
from synthetic_faces.framing import DOWN, EYE_TO_EYE, EYES_TO_LIPS, HALF_SIDE

if TYPE_CHECKING:
    import torch

    from fer_lib.aus.verification import Detectors
    from fer_lib.nets.zero_bias import ZeroBiasCNN
    from fer_lib.train.record import TrainedNetwork

# Units of the face at the start, to which no emotion is certain; without scripts the only face.
STARTING_FACE = {"AU1": "E", "AU4": "A"}

# To multiples of this the untrained network's 8-bit weights are rounded: they are drawn by lot, so that 5
# bits do as well, and take half the space.
COARSE = 8

# How pictures are stored that are computed with or compared by eye.
LOSSLESS = {"lossless": True, "quality": 100, "method": 6}

_COLUMNS = 23

_CONVOLUTIONS = ("conv1", "conv2", "conv3")


def live_network() -> "tuple[TrainedNetwork, dict[str, torch.Tensor], Detectors]":
    """The first network of the run ``reference``, the ``compacted`` first weights of the same structure, and
    the detectors among the network's filters. Raises RunStoreError where it is not stored, or is of another
    structure than the page can compute.
    """
    run = open_run(REFERENCE)
    run.record()  # before heavy imports
    from book.explain import networks_of
    from fer_lib.nets.zero_bias import ZeroBiasCNN
    from fer_lib.train.controls import untrained_network

    networks, detectors = networks_of(run, "cpu")
    model = networks[0].model
    if detectors is None:
        raise RunStoreError(f"run {run.name!r} has no results on what its filters detect")
    if not isinstance(model, ZeroBiasCNN) or model.arguments["bias"] or detectors.layer != "relu3":
        raise RunStoreError(f"run {run.name!r} is about {type(model).__name__}, not the zero-bias network")
    return networks[0], _in_five_bits(untrained_network(model, seed=0)), detectors


def _in_five_bits(model: "ZeroBiasCNN") -> dict[str, "torch.Tensor"]:
    """``compacted`` weights of ``model``, of which each is one of 31 multiples of its filter's scale."""
    from fer_lib.train.weights import compacted

    tensors = compacted(model.state_dict())
    for name, whole in tensors.items():
        if f"{name}.int8_scale" in tensors:
            tensors[name] = (whole / COARSE).round().clamp(-15, 15).to(whole.dtype)
            tensors[f"{name}.int8_scale"] *= COARSE
    return tensors


def packed_network(tensors: Mapping[str, "torch.Tensor"], layers: tuple[str, ...]) -> dict:
    """``compacted`` weights of ``layers`` for the page: ``shapes``, for each layer ``scales`` of its outputs
    and its ``biases``, and in ``weights`` the whole numbers of all one after the other, deflated, base64.
    """
    whole = b"".join(tensors[f"{name}.weight"].numpy().tobytes() for name in layers)
    return {
        "shapes": [list(tensors[f"{name}.weight"].shape) for name in layers],
        "scales": [_rounded(tensors[f"{name}.weight.int8_scale"]) for name in layers],
        "biases": [_rounded(tensors[f"{name}.bias"]) if f"{name}.bias" in tensors else [] for name in layers],
        "weights": base64.b64encode(zlib.compress(whole, 9)).decode(),
    }


def _rounded(values: "np.ndarray | torch.Tensor") -> list[float]:
    """As text these make the same numbers of single precision."""
    return [float(f"{value:.9g}") for value in values.tolist()]


def live(results: Mapping[str, ChapterResult]) -> str:
    """The part of the page that computes, as HTML in one line; where the reference's network is not stored, a
    sentence that says so.
    """
    try:
        learned, untrained, detectors = live_network()
    except FerError as fault:
        return f"The network of the reference, which computes here, is not stored: {html.escape(str(fault))}."
    from book.explain_page import heated, magnified
    from fer_lib.look.deconvolution import project
    from fer_lib.look.responses import maximal_responses
    from fer_lib.train.predict import as_faces, predict
    from fer_lib.train.weights import compacted

    model, layer, classes = learned.model, detectors.layer, learned.record.classes
    faces = unit_faces(model.arguments["size"])
    verdicts: list[list[str] | None] = [None] * model.conv3.out_channels
    for each in detectors.filters:
        verdicts[each.filter] = [each.au, each.moved_by]
    maxima = maximal_responses(model, faces, layer).maxima
    most = maxima.max(axis=0)
    start = unit_codes().index(STARTING_FACE)
    chosen = _first_filter(detectors, maxima[start] / np.maximum(most, 1e-9))
    face = faces.pixels[start]
    probabilities = predict(model, as_faces(face[None]))[0]
    energy = np.abs(project(model, layer, face[None], [0], [chosen]).whole(0))
    data = {
        "size": model.arguments["size"],
        "classes": classes,
        "trained": packed_network(compacted(model.state_dict()), (*_CONVOLUTIONS, "dense", "output")),
        "untrained": packed_network(untrained, _CONVOLUTIONS),
        "codes": ["+".join(f"{au}{letter}" for au, letter in code.items()) for code in unit_codes()],
        "sheet": webp_address(_sheet(faces.pixels), **LOSSLESS),
        "columns": _COLUMNS,
        "letters": list(INTENSITIES),
        "names": {au: unit.name for au, unit in ACTION_UNITS.items()},
        "paired": PAIRED_UNITS,
        "first": list(STARTING_FACE.items()),
        "filter": chosen,
        "verdicts": verdicts,
        "most": _rounded(most),
        # A window in distances of the eyes: its side, and how far its middle lies below them.
        "side": 2 * HALF_SIDE / EYE_TO_EYE,
        "down": DOWN * EYES_TO_LIPS / EYE_TO_EYE,
    }
    page = TEMPLATES.get_template("live.html").render(
        face=webp_address(magnified(face), **LOSSLESS),
        heated=webp_address(heated(face, energy), **LOSSLESS),
        emotion=classes[probabilities.argmax()],
        probability=probabilities.max(),
        filter=chosen,
        worth=worth_on_photographs(learned.name),
        data=json.dumps(data),
    )
    return " ".join(map(str.strip, page.splitlines()))


def _first_filter(detectors: "Detectors", responses: np.ndarray) -> int:
    """The confirmed filter of a unit of ``STARTING_FACE`` with the largest of the ``responses`` (filters,) to
    it, as proportions of each filter's largest; without one the first filter of ``detectors``.
    """
    fitting = [each for each in detectors.filters if each.verified and each.au in STARTING_FACE]
    first, *_ = sorted(fitting, key=lambda each: -responses[each.filter]) or detectors.filters
    return first.filter


def _sheet(pictures: np.ndarray) -> np.ndarray:
    """Pictures (N, S, S) in rows of ``_COLUMNS``; N must fill the rows."""
    side = pictures.shape[1]
    rows = pictures.reshape(-1, _COLUMNS, side, side)
    return rows.transpose(0, 2, 1, 3).reshape(-1, _COLUMNS * side)
