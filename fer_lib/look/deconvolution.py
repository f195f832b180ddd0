"""Projections of single neurons to the picture: deconvolution (Zeiler & Fergus 2014), guided backpropagation,
gradient.

All three send a neuron's response down through the network that computed it and differ in the ReLUs only. So
one backward pass serves them, with another rule for the ReLUs, and it runs on nothing but what the neuron
sees: windows cut from the pictures, one per pair of a picture and a filter, and the windows of the maps below
that belong to them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from fer_lib.look.layers import extrema, maps_of, to_input, way_to
from fer_lib.look.receptive import WindowAnswers, computed_in_windows
from ferbook.errors import DataError, ParameterError, require_name

Method = Literal["deconv", "guided", "gradient"]

WHOLE_PICTURES = 32
"""Pictures that pass through the whole network at a time where the places of the maxima are looked for."""

AGREEMENT = {torch.float64: 1e-4, torch.float32: 1e-2}
HALF_AGREEMENT = 0.1
"""How far a response may be from the network's own, as a share of the largest, in these types of numbers and
in shorter ones. A GPU multiplies float32 with 10 bits of precision unless told otherwise."""


@dataclass(frozen=True)
class Projections:
    """Signed pixel maps of P pairs of a picture and a filter, each on the receptive field of its neuron.

    ``maps`` float32 (P, h, w): what comes down, by pixels of the standardised picture (as the network's first
    layer sees it), zero beyond the picture's borders. ``corners`` int64 (P, 2): row and column of a map's
    upper left pixel, negative where the field begins beyond the border. ``size``: height and width of the
    pictures. ``responses`` float32 (P,): what each neuron answered. ``positions`` int64 (P, 2): the neurons'
    rows and columns in the layer's maps.
    """

    maps: np.ndarray
    corners: np.ndarray
    size: tuple[int, int]
    responses: np.ndarray
    positions: np.ndarray

    def __len__(self) -> int:
        return len(self.maps)

    def whole(self, i: int | None = None) -> np.ndarray:
        """The maps in place on pictures that are zero elsewhere: float32 (P, H, W), or (H, W) of pair ``i``
        alone.
        """
        if i is None:
            return np.stack([self.whole(pair) for pair in range(len(self))])
        whole = np.zeros(self.size, np.float32)
        here, there = [], []
        for corner, length, side in zip(self.corners[i], self.maps.shape[1:], self.size, strict=True):
            first, end = max(corner, 0), min(corner + length, side)
            here.append(slice(first, max(first, end)))
            there.append(slice(first - corner, max(first, end) - corner))
        whole[tuple(here)] = self.maps[i][tuple(there)]
        return whole


class _Deconv(torch.autograd.Function):
    """Zeiler & Fergus 2014, section 2.1: what comes down is rectified like what went up, wherever the neuron
    stood.
    """

    @staticmethod
    def forward(ctx: object, maps: torch.Tensor) -> torch.Tensor:
        return maps.relu()

    @staticmethod
    def backward(ctx: object, signal: torch.Tensor) -> torch.Tensor:
        return signal.relu()


def _guided(maps: torch.Tensor) -> torch.Tensor:
    """Springenberg et al. 2015 (arXiv 1412.6806), section 3.4: rectified, and kept only where the neuron was
    on.
    """
    rectified = maps.relu()
    if rectified.requires_grad:
        rectified.register_hook(torch.relu)
    return rectified


RELU_RULES = {"deconv": _Deconv.apply, "guided": _guided, "gradient": F.relu}


@torch.inference_mode(False)  # where its tensors could not carry gradients
def project(
    model: nn.Module,
    layer: str,
    pictures: np.ndarray,
    rows: Sequence[int] | np.ndarray,
    filters: Sequence[int] | np.ndarray,
    *,
    positions: np.ndarray | None = None,
    method: Method = "deconv",
    chunk: int = 64,
) -> Projections:
    """What of each picture ``rows[p]`` made the filter ``filters[p]`` of ``layer`` answer as it did, for P
    pairs.

    ``pictures`` (M, H, W): uint8, or floats in [0, 1]. The neuron is that at ``positions[p]``, row and column
    in the layer's map; by default the largest of the map (the first of several). Its response is put back at
    its place, everything else in the layer is zero, and this goes down to the standardised picture: through a
    convolution by its transpose, through batch normalisation by its scale, through a maximum to the pixel
    that was largest (the switch), through a mean evenly, through a sum into both branches. Through a
    ReLU ``deconv`` (Zeiler & Fergus 2014, section 2.1) sends what is positive of the signal,
    ``gradient`` what meets a neuron that was on, ``guided`` (Springenberg et al. 2015) what is positive and
    meets one. Biases do not enter. A neuron that was off (response ≤ 0) projects to exact zeros.

    Only the receptive fields are computed, ``chunk`` pairs at a time, which bounds the memory; with given
    ``positions`` no picture passes whole, but the first to check. Computed from the modules' weights where
    ``model`` lies, in its own type. The network is left as it was.

    Raises ParameterError for an unknown method, layer, filter, row or position, for a module or function on
    the way that there is no rule for, naming it, and where the modules on the way do not account for the
    layer's values; DataError where there is no pair, or an activation is not a finite number,
    naming the picture.
    """
    require_name("method", method, RELU_RULES)
    if not len(rows):
        raise DataError("no pair of a picture and a filter to project")
    rows = _indices("rows", rows, (len(rows),), len(pictures))
    way = way_to(model, layer, to_input(model, pictures[rows[:1]]))
    shape = way[max(way)].shape
    filters = _indices("filters", filters, rows.shape, shape[1])
    if positions is None:
        positions = _maxima(model, layer, pictures, rows, filters)
    positions = _indices("positions", positions, (len(rows), 2), shape[2:])
    # Which pairs are computed together decides the last bits: those of one picture, side by side.
    order = np.argsort(rows, kind="stable")
    parts = [order[start : start + chunk] for start in range(0, len(rows), chunk)]
    at, how = (rows, filters, positions), {"relu": RELU_RULES[method], "parts": parts}
    arrays, field = computed_in_windows(_send_down, model, layer, pictures, *at, **how)
    maps, responses = (array[np.argsort(order, kind="stable")] for array in arrays)
    for pair in np.flatnonzero(~np.isfinite(responses)):
        raise DataError(
            f"picture {rows[pair]}: filter {filters[pair]} answers {responses[pair]}, which is not a finite "
            "number; look for such in the picture and in the network's weights"
        )
    _check_account(model, layer, pictures, at, responses)
    corners = field.start + positions * field.stride
    return Projections(maps, corners, pictures.shape[1:], responses, positions)


def _send_down(answers: WindowAnswers, windows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Maps (P, h, w) and responses (P,) of the neurons that see ``windows``."""
    responses = answers(windows.requires_grad_())
    # Where the neuron was off, nothing is put back.
    (maps,) = torch.autograd.grad(responses, windows, responses.detach().clamp(min=0))
    return maps[:, 0], responses


def _maxima(
    model: nn.Module, layer: str, pictures: np.ndarray, rows: np.ndarray, filters: np.ndarray
) -> np.ndarray:
    """Row and column (P, 2) of the largest value of each pair's map."""
    positions = np.zeros((len(rows), 2), np.int64)
    unique = np.unique(rows)
    for start in range(0, len(unique), WHOLE_PICTURES):
        some = unique[start : start + WHOLE_PICTURES]
        maps = maps_of(model, layer, to_input(model, pictures[some]))
        pairs = np.flatnonzero(np.isin(rows, some))
        which = torch.as_tensor(np.searchsorted(some, rows[pairs]), device=maps.device)
        own = maps[which, torch.as_tensor(filters[pairs], device=maps.device)]
        flat = extrema(own)[1].cpu().numpy()
        positions[pairs] = np.stack(np.divmod(flat, maps.shape[3]), axis=1)
    return positions


def _check_account(
    model: nn.Module, layer: str, pictures: np.ndarray, pairs: Sequence[np.ndarray], responses: np.ndarray
) -> None:
    """Compare the responses to the first pair's picture with the network's own.

    A hook that changes maps, or a module whose call does more than its kind says, would else pass unnoticed.
    """
    rows, filters, positions = pairs
    first = rows[0]
    maps = maps_of(model, layer, to_input(model, pictures[[first]]))
    checked = np.flatnonzero(rows == first)
    filters, responses = filters[checked], responses[checked]
    own = maps[0].float().cpu().numpy()[filters, *positions[checked].T]
    tolerance = AGREEMENT.get(maps.dtype, HALF_AGREEMENT) * float(maps.abs().max())
    off = np.abs(own - responses)
    if (off > tolerance).any():
        pair = off.argmax()
        raise ParameterError(
            f"layer {layer!r} of {type(model).__name__} says {own[pair]:.6g} where the modules on the way to "
            f"it make {responses[pair]:.6g} (picture {first}, filter {filters[pair]}): "
            "something else changes its maps, such as a forward hook; remove it"
        )


def _indices(
    what: str, numbers: Sequence[int] | np.ndarray, shape: tuple[int, ...], limits: int | tuple[int, ...]
) -> np.ndarray:
    """``numbers`` as int64 of ``shape``, a number or a row per pair. Raises ParameterError for another shape,
    what is no whole number and, naming the pair, what is not from 0 to below ``limits``.
    """
    indices = np.asarray(numbers)
    if indices.shape != shape or indices.dtype.kind not in "iu":
        raise ParameterError(
            f"{what} {indices.dtype} {indices.shape}: give whole numbers {shape}, one or a row per pair"
        )
    wrong = np.argwhere((indices < 0) | (indices >= limits))
    if len(wrong):
        pair = wrong[0, 0]
        raise ParameterError(
            f"{what} {indices[pair].tolist()} of pair {pair}: expected numbers from 0 to below {limits}"
        )
    return indices.astype(np.int64)
