"""The network in the page: the reference's first network in 8 bits, faces to give it, and what its filters
were found to detect, packed for ``book/_static/network.js``, which computes.

Whatever run the book is built from, this is the network of the reference.
"""

import base64
import html
import io
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from book.photographs import worth_on_photographs
from book.unit_faces import INTENSITIES, PAIRED_UNITS, unit_codes, unit_faces
from ferbook.errors import FerError, RunStoreError
from ferbook.store import REFERENCE, ChapterResult, open_run
from ferbook.text import bounds_text
from synthetic_faces.facs import ACTION_UNITS
from synthetic_faces.framing import DOWN, EYE_TO_EYE, EYES_TO_LIPS, HALF_SIDE

if TYPE_CHECKING:
    import numpy as np
    import torch

    from fer_lib.aus.verification import Detectors
    from fer_lib.nets.zero_bias import ZeroBiasCNN
    from fer_lib.train.record import TrainedNetwork

LIVE_CONTROLS = Path(__file__).with_name("live_controls.html")
"""What the reader moves; the page shows it where scripts run."""

STARTING_FACE = {"AU1": "E", "AU4": "A"}
"""Units of the face at the start, to which no emotion is certain; without scripts the only face."""

COARSE = 8
"""To multiples of this the untrained network's 8-bit weights are rounded: they are drawn by lot, so that 5
bits do as well, and take half the space."""

_COLUMNS = 23

_CONVOLUTIONS = ("conv1", "conv2", "conv3")


@dataclass(frozen=True)
class LiveNetwork:
    """What the page computes with: the network ``learned``, the ``detectors`` among its filters, and in
    ``untrained`` the ``compacted`` first weights of the same structure.
    """

    learned: "TrainedNetwork"
    untrained: dict[str, "torch.Tensor"]
    detectors: "Detectors"


def live_network() -> LiveNetwork:
    """The first network of the run ``reference``. Raises RunStoreError where it is not stored, or is of
    another structure than the page can compute.
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
    return LiveNetwork(networks[0], _in_five_bits(untrained_network(model, seed=0)), detectors)


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
        network = live_network()
    except FerError as fault:
        return f"The network of the reference, which computes here, is not stored: {html.escape(str(fault))}."
    import numpy as np

    from fer_lib.look.responses import maximal_responses
    from fer_lib.train.weights import compacted

    model, classes = network.learned.model, network.learned.record.classes
    faces = unit_faces(model.arguments["size"])
    verdicts: list[list[str] | None] = [None] * model.conv3.out_channels
    for each in network.detectors.filters:
        verdicts[each.filter] = [each.au, each.moved_by]
    maxima = maximal_responses(model, faces, network.detectors.layer).maxima
    most = maxima.max(axis=0)
    start = unit_codes().index(STARTING_FACE)
    chosen = _first_filter(network.detectors, maxima[start] / np.maximum(most, 1e-9))
    data = {
        "size": model.arguments["size"],
        "classes": classes,
        "trained": packed_network(compacted(model.state_dict()), (*_CONVOLUTIONS, "dense", "output")),
        "untrained": packed_network(network.untrained, _CONVOLUTIONS),
        "codes": ["+".join(f"{au}{letter}" for au, letter in code.items()) for code in unit_codes()],
        "sheet": picture_data(_sheet(faces.pixels)),
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
    told = worth_on_photographs(network.learned.name)
    worth = "Its accuracy on photographs is not stored."
    if told:
        share, pictures, photographs = told
        worth = (
            f"Of {pictures:,} test photographs ({photographs}) it classifies {bounds_text(share)} correctly."
        )
    controls = "".join(line.strip() + " " for line in LIVE_CONTROLS.read_text(encoding="utf-8").splitlines())
    controls = controls.replace("<!-- worth -->", worth)
    parts = (
        '<link rel="stylesheet" href="../_static/live.css">',
        f'<div id="live" class="live">{_still(network, faces.pixels[start], chosen)}</div>',
        f'<template id="live-controls">{controls}</template>',
        f'<script type="application/json" id="live-data">{json.dumps(data)}</script>',
        '<script src="../_static/network.js" defer></script>',
        '<script src="../_static/live.js" defer></script>',
    )
    return f"<div>{''.join(parts)}</div>"


def _first_filter(detectors: "Detectors", responses: "np.ndarray") -> int:
    """The confirmed filter of a unit of ``STARTING_FACE`` with the largest of the ``responses`` (filters,) to
    it, as proportions of each filter's largest; without one the first filter of ``detectors``.
    """
    fitting = [each for each in detectors.filters if each.verified and each.au in STARTING_FACE]
    first, *_ = sorted(fitting, key=lambda each: -responses[each.filter]) or detectors.filters
    return first.filter


def _sheet(pictures: "np.ndarray") -> "np.ndarray":
    """Pictures (N, S, S) in rows of ``_COLUMNS``; N must fill the rows."""
    side = pictures.shape[1]
    rows = pictures.reshape(-1, _COLUMNS, side, side)
    return rows.transpose(0, 2, 1, 3).reshape(-1, _COLUMNS * side)


def picture_data(pixels: "np.ndarray") -> str:
    """``pixels`` uint8, grey or in colours, without a loss: WebP, base64."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "WEBP", lossless=True, quality=100, method=6)
    return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _still(network: LiveNetwork, face: "np.ndarray", number: int) -> str:
    """What the page shows without scripts: the first face, its predicted emotion, what drives a filter."""
    import numpy as np

    from book.explain_page import ENLARGED, heated
    from fer_lib.look.deconvolution import project
    from fer_lib.train.predict import as_faces, predict

    model, layer = network.learned.model, network.detectors.layer
    shares = predict(model, as_faces(face[None]))[0]
    emotion = network.learned.record.classes[shares.argmax()]
    energy = np.abs(project(model, layer, face[None], [0], [number]).whole(0))
    pictures = (
        (np.kron(face, np.ones((ENLARGED, ENLARGED), np.uint8)), "The face as the network gets it"),
        (heated(face, energy), f"The same face; in vermilion the pixels that drive filter {number}"),
    )
    return "".join(
        (
            '<figure class="still">',
            *(f'<img src="{picture_data(pixels)}" alt="{alt}">' for pixels, alt in pictures),
            f"<figcaption>The network classifies this face as {emotion}, with a probability of "
            f"{100 * shares.max():.0f} %. Vermilion: the pixels that drive filter {number}. With scripts "
            "allowed, the network computes here.</figcaption></figure>",
        )
    )
