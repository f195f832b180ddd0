"""Methods that attribute a neuron's response to pixels, all with one signature, and the registry of methods.

A method is a function ``explain(network, layer, pictures, rows, filters, positions)`` that returns maps (N,
H, W), one for each of N neurons: that of filter ``filters[n]`` of ``layer`` at ``positions[n]`` (row and
column in the layer's maps), for the picture ``pictures[rows[n]]``. ``pictures`` (M, H, W) are uint8. A map
may have any sign and scale. ``@explainer("name")`` registers a method; ``look.judge`` tests all registered
methods, and ``ferbook evaluate`` lists them.

Gradients are by the standardised picture, as the network's first layer sees it, like those of
``look.deconvolution``.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import get_args

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from fer_lib.look.deconvolution import Method, Projections, project
from fer_lib.look.layers import find_layer, standardiser, to_input, way_to
from fer_lib.look.localisation import control_maps, receptive_fields
from fer_lib.look.receptive import (
    NEURONS_AT_ONCE,
    Explainer,
    WindowAnswers,
    computed_in_windows,
    receptive_field,
)
from fer_lib.nets.classifier import evaluating
from ferbook.errors import ParameterError

# Name -> method, of all registered methods.
EXPLAINERS: dict[str, Explainer] = {}

# Points of the path of integrated gradients; draws of noise of the smooth gradient, and their standard
# deviation relative to the range of the window.
PATH_STEPS, NOISE_DRAWS, NOISE = 32, 5, 0.1

# The square that occludes has a side of 1/4 of the window that a neuron sees, and moves by 1/8 of it.
SQUARE, STRIDE = 4, 8


def explainer(name: str) -> Callable[[Explainer], Explainer]:
    """Register the method below as ``name``. Raises ParameterError if that is taken."""
    if name in EXPLAINERS:
        raise ParameterError(f"a method {name!r} is registered already; give yours another name")
    return lambda method: EXPLAINERS.setdefault(name, method)


def _by_rule(rule: Method, network, layer, pictures, rows, filters, positions) -> np.ndarray:
    return project(network, layer, pictures, rows, filters, positions=positions, method=rule).whole()


for _rule in get_args(Method):
    explainer(_rule)(partial(_by_rule, _rule))


def _in_windows(way_back: Callable[[WindowAnswers, torch.Tensor], torch.Tensor]) -> Explainer:
    """Return the method that makes maps by ``way_back`` from neurons and the windows that they see, (P, 1, h,
    w).
    """

    def explain(network, layer, pictures, rows, filters, positions) -> np.ndarray:
        at = (pictures, rows, filters, positions)
        (maps,), field = computed_in_windows(lambda *some: (way_back(*some),), network, layer, *at)
        corners = field.start + positions * field.stride
        return Projections(maps[:, 0], corners, pictures.shape[1:], np.ones(len(rows)), positions).whole()

    return explain


def _slope(answers: WindowAnswers, windows: torch.Tensor) -> torch.Tensor:
    windows = windows.detach().requires_grad_()
    return torch.autograd.grad(answers(windows).sum(), windows)[0]


@explainer("gradient_input")
@_in_windows
def _gradient_input(answers: WindowAnswers, windows: torch.Tensor) -> torch.Tensor:
    """Shrikumar et al. 2016 (arXiv 1605.01713): the gradient times the input."""
    return _slope(answers, windows) * windows


@explainer("integrated_gradients")
@_in_windows
def _integrated_gradients(answers: WindowAnswers, windows: torch.Tensor) -> torch.Tensor:
    """Sundararajan et al. 2017 (arXiv 1703.01365), section 3, from a picture without contrast, by
    midpoints.
    """
    steps = (torch.arange(PATH_STEPS) + 0.5) / PATH_STEPS
    return sum(_slope(answers, float(step) * windows) for step in steps) / PATH_STEPS * windows


@explainer("smooth_gradient")
@_in_windows
def _smooth_gradient(answers: WindowAnswers, windows: torch.Tensor) -> torch.Tensor:
    """Smilkov et al. 2017 (arXiv 1706.03825): the mean gradient over noise, the same noise for every
    picture.
    """
    samples = torch.randn(NOISE_DRAWS, *windows.shape[1:], generator=torch.Generator().manual_seed(0))
    noise = NOISE * samples.to(windows)
    spread = windows.amax((1, 2, 3), keepdim=True) - windows.amin((1, 2, 3), keepdim=True)
    return sum(_slope(answers, windows + spread * each) for each in noise) / NOISE_DRAWS


@explainer("occlusion")
@_in_windows
@torch.no_grad()
def _occlusion(answers: WindowAnswers, windows: torch.Tensor) -> torch.Tensor:
    """Zeiler & Fergus 2014, section 4.2: how much a square without contrast reduces the response, at each
    pixel the mean over the squares that cover it.
    """
    side, step = max(windows.shape[-1] // SQUARE, 1), max(windows.shape[-1] // STRIDE, 1)
    starts = sorted({*range(0, windows.shape[-1] - side, step), windows.shape[-1] - side})
    whole, drops, counts = answers(windows), torch.zeros_like(windows), torch.zeros_like(windows)
    for square in [(slice(r, r + side), slice(c, c + side)) for r in starts for c in starts]:
        copies = windows.clone()
        copies[:, :, *square] = 0
        drops[:, :, *square] += (whole - answers(copies))[:, None, None, None]
        counts[:, :, *square] += 1
    return drops / counts


class Neurons(nn.Module):
    """Single neurons of ``layer`` as the output of a network, for methods that need a whole one.

    ``forward(inputs, filters, rows, columns)`` returns the responses (P,) to standardised pictures (P, 1, H,
    W), in filters and at places (P,) each.
    """

    def __init__(self, network: nn.Module, layer: str) -> None:
        super().__init__()
        self.network, self.layer = network, layer

    def forward(
        self, inputs: torch.Tensor, filters: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor
    ) -> torch.Tensor:
        outputs = []
        hooks = [
            standardiser(self.network).register_forward_hook(lambda *_: inputs),
            self.network.get_submodule(self.layer).register_forward_hook(
                lambda *call: outputs.append(call[2])
            ),
        ]
        try:
            self.network(inputs)
        finally:
            for hook in hooks:
                hook.remove()
        return outputs[0][torch.arange(len(inputs), device=inputs.device), filters, rows, columns]


def in_whole(
    way_back: Callable[[Neurons, torch.Tensor, tuple[torch.Tensor, ...]], torch.Tensor],
) -> Explainer:
    """Return the method that makes maps (P, 1, H, W) with a whole network, by ``way_back(neurons, inputs,
    at)``: ``neurons(inputs, *at)`` are the responses to standardised pictures (P, 1, H, W), as Captum and
    Zennit take them.

    Where Captum replaces modules, the network needs modules: its guided backpropagation of a functional ReLU
    is a plain gradient.
    """

    @torch.inference_mode(False)
    def explain(network, layer, pictures, rows, filters, positions) -> np.ndarray:
        find_layer(network, layer, once=True)
        maps = []
        for pairs in np.array_split(np.arange(len(rows)), math.ceil(len(rows) / NEURONS_AT_ONCE)):
            with evaluating(network), torch.enable_grad():
                inputs = standardiser(network)(to_input(network, pictures[rows[pairs]])).detach()
                at = tuple(
                    torch.as_tensor(each[pairs], device=inputs.device)
                    for each in (filters, *np.transpose(positions))
                )
                own = way_back(Neurons(network, layer), inputs.requires_grad_(), at)
            maps.append(own.detach()[:, 0].float().cpu().numpy())
        return np.concatenate(maps)

    return explain


@explainer("grad_cam")
def _grad_cam(network, layer, pictures, rows, filters, positions) -> np.ndarray:
    """Selvaraju et al. 2017 (arXiv 1610.02391), section 3, at the last rectified maps before the layer."""
    way = way_to(network, layer, to_input(network, pictures[rows[:1]]))
    below = [each.name for each in way.values() if isinstance(each.module, nn.ReLU) and each.name != layer]
    if not below:
        raise ParameterError(f"grad_cam: no rectified maps lie below {layer!r}; take a later layer")

    def weighted(neurons: Neurons, inputs: torch.Tensor, at: tuple[torch.Tensor, ...]) -> torch.Tensor:
        outputs = []
        hook = network.get_submodule(below[-1]).register_forward_hook(lambda *call: outputs.append(call[2]))
        try:
            (slope,) = torch.autograd.grad(neurons(inputs, *at).sum(), outputs)
        finally:
            hook.remove()
        maps = (slope.mean((2, 3), keepdim=True) * outputs[0]).sum(1, keepdim=True).relu()
        return F.interpolate(maps, inputs.shape[2:], mode="bilinear", align_corners=False)

    return in_whole(weighted)(network, layer, pictures, rows, filters, positions)


def _control(name: str, network, layer, pictures, rows, filters, positions) -> np.ndarray:
    """Return a map of ``look.localisation``, which does not depend on the filter."""
    field, size = receptive_field(network, layer), pictures.shape[1:]
    fields = receptive_fields(field.start + positions * field.stride, field.size, size)
    return control_maps(np.zeros((len(rows), *size)), pictures[rows], filters, fields=fields)[name]


for _name in ("edges", "field", "field_edges", "centre", "random"):
    explainer(_name)(partial(_control, _name))
