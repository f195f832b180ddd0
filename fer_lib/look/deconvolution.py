"""Projections of single neurons to the picture: deconvolution (Zeiler & Fergus 2014), guided backpropagation,
gradient.

All three send a neuron's response back through the network that computed it and differ in the ReLUs only. So
one backward pass serves all three, with another rule for the ReLUs, and it uses only what the neuron sees:
windows cut from the pictures, one per pair of a picture and a filter, and the corresponding windows of the
earlier maps.
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

# Pictures that pass through the whole network at a time to find the places of the maxima.
WHOLE_PICTURES = 32

AGREEMENT = {torch.float64: 1e-4, torch.float32: 1e-2}
# Largest difference of a response from the network's own, relative to the largest response, in these types
# and in shorter ones. A GPU multiplies float32 with 10 bits of precision by default.
HALF_AGREEMENT = 0.1


@dataclass(frozen=True)
class Projections:
    """Signed pixel maps of P pairs of a picture and a filter, each on the receptive field of its neuron.

    Attributes
    ----------
    maps : (P, h, w) float32 array
        By pixels of the standardised picture (as the network's first layer sees it), zero beyond its borders.
    corners : (P, 2) int64 array
        Row and column of a map's upper left pixel, negative where the field begins beyond the border.
    size : tuple of int
        Height and width of the pictures.
    responses : (P,) float32 array
        Of each neuron.
    positions : (P, 2) int64 array
        The neurons' rows and columns in the layer's maps.
    """

    maps: np.ndarray
    corners: np.ndarray
    size: tuple[int, int]
    responses: np.ndarray
    positions: np.ndarray

    def __len__(self) -> int:
        return len(self.maps)

    def whole(self, i: int | None = None) -> np.ndarray:
        """Place the maps on pictures that are zero elsewhere: float32 (P, H, W), or (H, W) of pair ``i``
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
    """Zeiler & Fergus 2014, section 2.1: the signal is rectified like the response, whatever the state of the
    neuron.
    """

    @staticmethod
    def forward(ctx: object, maps: torch.Tensor) -> torch.Tensor:
        return maps.relu()

    @staticmethod
    def backward(ctx: object, signal: torch.Tensor) -> torch.Tensor:
        return signal.relu()


def _guided(maps: torch.Tensor) -> torch.Tensor:
    """Springenberg et al. 2015 (arXiv 1412.6806), section 3.4: rectified, and only where the neuron was
    active.
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
    """Project responses of single neurons to the pixels of their pictures, for P pairs of a picture and a
    filter.

    The response of the neuron is put in its place, the rest of the layer is zero, and this signal is sent
    back to the standardised picture: through a convolution by its transpose, through batch normalisation by
    its scale, through a maximum to the pixel that was largest (the switch), through a mean evenly, through a
    sum into both branches. Biases are not used. A neuron that was inactive (response ≤ 0) projects to exact
    zeros.

    Only the receptive fields are computed. With given ``positions`` no picture passes through the whole
    network but the first, as a check. The network does not change.

    Parameters
    ----------
    model : torch.nn.Module
        Its weights are used on its own device and in its own type.
    layer : str
        Dotted name.
    pictures : (M, H, W) array
        uint8, or floats in [0, 1].
    rows : (P,) int array
        The picture of each pair.
    filters : (P,) int array
        The filter of each pair.
    positions : (P, 2) int array, optional
        Row and column of the neurons in the layer's maps; by default the largest value of the map (the first
        of equal ones).
    method : str
        The rule for a ReLU: ``deconv`` (Zeiler & Fergus 2014, section 2.1) passes the positive signal,
        ``gradient`` the signal at active neurons, ``guided`` (Springenberg et al. 2015) the positive signal
        at active neurons.
    chunk : int
        Pairs that are computed at a time, which bounds the memory.

    Returns
    -------
    Projections

    Raises
    ------
    ParameterError
        An unknown method, layer, filter, row or position; a module or function on the path for which there is
        no rule, naming it; or modules on the path that do not account for the layer's values.
    DataError
        There is no pair, or an activation is not finite, naming the picture.
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
    """Return maps (P, h, w) and responses (P,) of the neurons that see ``windows``."""
    responses = answers(windows.requires_grad_())
    # Of an inactive neuron nothing is sent back.
    (maps,) = torch.autograd.grad(responses, windows, responses.detach().clamp(min=0))
    return maps[:, 0], responses


def _maxima(
    model: nn.Module, layer: str, pictures: np.ndarray, rows: np.ndarray, filters: np.ndarray
) -> np.ndarray:
    """Return row and column (P, 2) of the largest value in each pair's map."""
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

    Otherwise a hook that changes maps, or a module whose call does more than its type, would not be noticed.
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
    """Return ``numbers`` as int64 of ``shape``, a number or a row per pair. Raises ParameterError for another
    shape or type and, naming the pair, for numbers that are not from 0 to below ``limits``.
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
