"""The receptive field of a neuron in the picture and in every map on the path to it; and neurons computed
from nothing but these windows of the picture and of each of those maps.

Many neurons are computed at a time, at different places. A module is applied to its windows without padding,
since they are large enough to include what lies beyond a map's borders; that part is filled with the padding
of the module, wherever it reaches across a border. Intermediate values beyond the borders have no effect: no
neuron inside a map depends on them.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from fer_lib.look.layers import PICTURE, TIED, Call, example_picture, standardiser, to_input, way_to
from fer_lib.nets.classifier import Sum, evaluating
from ferbook.errors import ParameterError

POINTWISE = (nn.BatchNorm2d, nn.ReLU, nn.Identity, nn.Dropout, nn.Dropout2d, Sum)
SLIDING = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)


@dataclass(frozen=True)
class ReceptiveField:
    """Unit (r, c) of a layer sees rows ``start + r·stride`` … ``start + r·stride + size - 1``, and columns by
    c in the same way.

    In pixels of the picture, or places of an earlier map. ``start`` is negative where maps are padded: the
    outside counts as zero.
    """

    size: int
    stride: int
    start: int


@dataclass(frozen=True)
class Sliding:
    """How a module slides over its input: all in pixels of that input, the same for rows and columns.

    ``straddles``: a neuron may see beyond the input's borders.
    """

    kernel: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    straddles: bool = False

    def below(self, field: ReceptiveField) -> ReceptiveField:
        """Return the field in the module's input of a ``field`` in its output."""
        return ReceptiveField(
            (field.size - 1) * self.stride + self.dilation * (self.kernel - 1) + 1,
            field.stride * self.stride,
            field.start * self.stride - self.padding,
        )


def sliding(call: Call) -> Sliding:
    """Return how the module of ``call`` slides. Raises ParameterError, naming it, if there is no rule for
    it.
    """
    module = call.module
    kind = type(module)  # not isinstance: a child may have another forward
    # Without running statistics a picture's maps would depend on its batch.
    plain = {"padding_mode": "zeros", "divisor_override": None, "track_running_stats": True}
    if any(getattr(module, name, value) != value for name, value in plain.items()):
        raise _refused(call, "it pads, divides or normalises otherwise than a plain one does")
    if kind in POINTWISE:
        return Sliding()
    if kind in (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d):
        names = ("kernel_size", "stride", "padding", "dilation")
        slide = Sliding(*(_square(call, name) for name in names if hasattr(module, name)))
        return replace(slide, straddles=slide.padding > 0 or getattr(module, "ceil_mode", False))
    if kind is nn.AdaptiveAvgPool2d:
        kernel = _part(call)
        return Sliding(kernel, kernel)
    raise _refused(call, "there is no rule to go back through such a module")


def _refused(call: Call, why: str) -> ParameterError:
    kinds = ", ".join(kind.__name__ for kind in (*SLIDING, *POINTWISE))
    return ParameterError(f"cannot go back through {call.name!r}, {call.module}: {why}. What can be: {kinds}")


def _square(call: Call, name: str) -> int:
    value = getattr(call.module, name)
    if isinstance(value, str):
        raise _refused(call, f"its {name} is {value!r}; only numbers are known")
    if isinstance(value, tuple):
        if len(set(value)) > 1:
            raise _refused(call, f"its {name} {value} differs between rows and columns")
        return value[0]
    return value


def _part(call: Call) -> int:
    """Return the side of the equal squares into which an adaptive mean divides its input."""
    sides = {(before, after) for before, after in zip(call.given[2:], call.shape[2:], strict=True)}
    kernels = {before // after for before, after in sides}
    if len(kernels) > 1 or any(before % after for before, after in sides):
        raise _refused(call, f"it does not cut maps of {call.given[2:]} into equal squares")
    return kernels.pop()


def fields_below(way: dict[int, Call]) -> dict[int, ReceptiveField]:
    """Return the field of one neuron of the last call of ``way`` in the output of every call, and in the
    picture (``PICTURE``).

    If several calls use one map, the smallest field that includes those of all. Raises ParameterError as
    ``sliding``.
    """
    last = max(way)
    fields = {last: ReceptiveField(1, 1, 0)}
    for number in sorted(way, reverse=True):
        call = way[number]
        need = sliding(call).below(fields[number])
        for maker in call.inputs:
            fields[maker] = _union(call, fields.get(maker, need), need)
    return fields


def _union(call: Call, one: ReceptiveField, other: ReceptiveField) -> ReceptiveField:
    if one.stride != other.stride:
        raise _refused(call, f"its branches step over the maps below by {one.stride} and {other.stride}")
    start = min(one.start, other.start)
    end = max(one.start + one.size, other.start + other.size)
    return ReceptiveField(end - start, one.stride, start)


def receptive_field(model: nn.Module, layer: str) -> ReceptiveField:
    """Return the receptive field of one neuron of ``layer`` in the picture, in pixels: the union over all
    branches.

    For pictures of the size for which ``model`` was built (it matters only for means of whole maps), after
    its standardisation, which uses 5×5 pixels in the zero-bias CNN and the whole picture in the others.
    Raises ParameterError for an unknown layer (listing all), and for modules on the path whose reach is
    unknown.
    """
    return fields_below(way_to(model, layer, example_picture(model)))[PICTURE]


ReLURule = Callable[[torch.Tensor], torch.Tensor]


def cut(
    pictures: torch.Tensor, which: torch.Tensor, field: ReceptiveField, places: torch.Tensor
) -> torch.Tensor:
    """Cut windows from pictures: for neurons at ``places`` (P, 2), ``field`` of ``pictures[which]`` (P of
    them, of (M, 1, H, W)): (P, 1, size, size).

    Values beyond the borders are arbitrary: only modules that pad read them, and ``neurons`` replaces them by
    the padding.
    """
    steps = _steps(field, places)
    sides = torch.tensor(pictures.shape[2:], device=places.device)[:, None]
    rows, columns = steps.clamp(min=torch.zeros_like(sides), max=sides - 1).unbind(1)
    windows = pictures[which[:, None, None], 0, rows[:, :, None], columns[:, None, :]]
    return windows[:, None]


def neurons(
    way: dict[int, Call],
    fields: dict[int, ReceptiveField],
    windows: torch.Tensor,
    places: torch.Tensor,
    relu: ReLURule,
) -> torch.Tensor:
    """Compute the neurons at ``places`` (P, 2) of the last layer of ``way``, of every filter: (P, K).

    ``windows`` (P, 1, size, size) as of ``cut``; ``fields`` from ``fields_below``. Every ``nn.ReLU`` is
    replaced by ``relu``, whose gradient may differ; the weights are constants.
    """
    values = {PICTURE: windows}
    for number, call in way.items():
        slide = sliding(call)
        need = slide.below(fields[number])
        inputs = []
        for maker in call.inputs:
            value = values[maker]
            if need != fields[maker]:  # another branch sees more of the same map
                offset = need.start - fields[maker].start
                inner = slice(offset, offset + need.size)
                value = value[:, :, inner, inner]
            if slide.straddles:
                padding = -torch.inf if isinstance(call.module, nn.MaxPool2d) else 0
                value = _fenced(value, need, places, call.given[2:], padding)
            inputs.append(value)
        values[number] = _passed(call, inputs, relu, fields[number], places)
    return values[max(way)][:, :, 0, 0]


# A method of attribution, see ``look.attribution``.
Explainer = Callable[[nn.Module, str, np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]

# The responses (P,) of P neurons to the windows (P, 1, h, w) of the standardised pictures that they see.
WindowAnswers = Callable[[torch.Tensor], torch.Tensor]

# Neurons that are computed at a time.
NEURONS_AT_ONCE = 64


@torch.inference_mode(False)  # where tensors could not carry gradients
def computed_in_windows(
    compute: Callable[[WindowAnswers, torch.Tensor], tuple[torch.Tensor, ...]],
    network: nn.Module,
    layer: str,
    *inputs: np.ndarray,
    relu: ReLURule = F.relu,
    parts: Sequence[np.ndarray] = (),
) -> tuple[list[np.ndarray], ReceptiveField]:
    """Compute arrays of N neurons from the windows that they see, and from nothing else.

    Parameters
    ----------
    compute : callable
        ``compute(answers, windows)`` returns a tuple of tensors (P, …) of P neurons.
    network, layer, *inputs
        Pictures, rows, filters and positions, as of every method (``look.attribution``).
    relu : callable
        Takes the place of every ReLU, see ``neurons``.
    parts : sequence of int arrays
        The neurons that are computed together; by default ``NEURONS_AT_ONCE`` at most.

    Returns
    -------
    list of float32 arrays (N, …)
        What ``compute`` returned, in the order of the parts.
    ReceptiveField
        What each neuron sees of the picture.
    """
    pictures, rows, filters, positions = inputs
    way = way_to(network, layer, to_input(network, pictures[rows[:1]]))
    fields, found = fields_below(way), []
    for pairs in parts or np.array_split(np.arange(len(rows)), math.ceil(len(rows) / NEURONS_AT_ONCE)):
        with evaluating(network), torch.enable_grad():
            inputs = standardiser(network)(to_input(network, pictures[rows[pairs]])).detach()
            places, own = (
                torch.as_tensor(each[pairs], device=inputs.device) for each in (positions, filters)
            )
            windows = cut(inputs, torch.arange(len(inputs), device=inputs.device), fields[PICTURE], places)

            def answers(windows: torch.Tensor, places=places, own=own) -> torch.Tensor:
                return neurons(way, fields, windows, places, relu).gather(1, own[:, None])[:, 0]

            found.append([part.detach().float().cpu().numpy() for part in compute(answers, windows)])
    return [np.concatenate(part) for part in zip(*found, strict=True)], fields[PICTURE]


def answers_at(network: nn.Module, layer: str, *inputs: np.ndarray) -> np.ndarray:
    """Return the responses of neurons, float32 (N,), by the arguments of every method: pictures, rows,
    filters and positions.
    """
    compute = torch.no_grad()(lambda answers, windows: (answers(windows),))
    return computed_in_windows(compute, network, layer, *inputs)[0][0]


def _steps(field: ReceptiveField, places: torch.Tensor) -> torch.Tensor:
    """Return the rows and columns of ``field`` for neurons at ``places`` (P, 2): (P, 2, size)."""
    return (field.start + places * field.stride)[..., None] + torch.arange(field.size, device=places.device)


def _fenced(
    windows: torch.Tensor,
    field: ReceptiveField,
    places: torch.Tensor,
    size: tuple[int, ...],
    value: float = 0,
) -> torch.Tensor:
    """Replace by ``value`` what lies beyond maps of ``size`` in ``windows`` (P, K, s, s), cut from these by
    ``field``.
    """
    steps = _steps(field, places)
    outside = (steps < 0) | (steps >= torch.tensor(size, device=places.device)[:, None])
    if not outside.any():
        return windows
    rows, columns = outside.unbind(1)
    beyond = (rows[:, :, None] | columns[:, None, :])[..., None]
    # With the filters last in memory, before and after: else all further maps would have the slower format.
    return windows.permute(0, 2, 3, 1).masked_fill(beyond, value).permute(0, 3, 1, 2)


def _passed(
    call: Call, inputs: list[torch.Tensor], relu: ReLURule, field: ReceptiveField, places: torch.Tensor
) -> torch.Tensor:
    """Apply the module of ``call`` to windows of its input, without padding: they include what lies beyond
    borders.
    """
    module, maps, slide = call.module, inputs[0], sliding(call)
    match module:
        case nn.Conv2d(in_channels=1):
            return _product_of_patches(module, slide, maps)
        case nn.Conv2d():
            bias = None if module.bias is None else module.bias.detach()
            return F.conv2d(
                maps, module.weight.detach(), bias, slide.stride, 0, slide.dilation, module.groups
            )
        case nn.BatchNorm2d():
            weight, bias = (None if p is None else p.detach() for p in (module.weight, module.bias))
            return F.batch_norm(
                maps, module.running_mean, module.running_var, weight, bias, False, 0, module.eps
            )
        case nn.ReLU():
            return relu(maps)
        case nn.MaxPool2d():
            return _maxima(maps, slide)
        case nn.AvgPool2d() | nn.AdaptiveAvgPool2d():
            means = F.avg_pool2d(maps, slide.kernel, slide.stride)
            if not slide.straddles:
                return means
            return means * (slide.kernel**2 / _counted(call, slide, field, places).to(means.dtype))
        case Sum():
            return maps + inputs[1]
    return maps  # dropout in evaluation mode, identity


def _maxima(maps: torch.Tensor, slide: Sliding) -> torch.Tensor:
    """Return the largest value of each window of ``maps`` (P, K, h, w), whose gradient goes to one place: of
    values that are equal up to rounding, the first by its place in a kernel's square.

    Weights stored as whole numbers and pictures of whole numbers give equal values, and the order in which a
    processor adds would make one of them the largest, and so decide the map. So ``TIED`` of the largest value
    is subtracted for each place before: more than rounding errors, and less than any difference that matters.
    """
    pool = partial(
        F.max_pool2d, kernel_size=slide.kernel, stride=slide.stride, padding=0, dilation=slide.dilation
    )
    if (tied := TIED.get(maps.dtype)) is None:
        return pool(maps)
    height, width = (torch.arange(side, device=maps.device) % slide.kernel for side in maps.shape[2:])
    places = (height[:, None] * slide.kernel + width).to(maps.dtype)
    largest = maps.detach().amax((1, 2, 3), keepdim=True).clamp(min=0)
    return pool(maps.addcmul(places.expand_as(maps[:1, :1]), largest, value=-tied))


def _product_of_patches(module: nn.Conv2d, slide: Sliding, maps: torch.Tensor) -> torch.Tensor:
    """Compute the convolution of one grey map as a matrix product, which is about three times as fast on a
    CPU, forwards and backwards.

    The filters come last in memory, as the next modules prefer: the maxima take a sixth of the time.
    """
    patches = F.unfold(maps, slide.kernel, slide.dilation, 0, slide.stride).transpose(1, 2)
    values = patches @ module.weight.detach().flatten(1).T
    if module.bias is not None:
        values = values + module.bias.detach()
    side = math.isqrt(values.shape[1])
    return values.unflatten(1, (side, side)).permute(0, 3, 1, 2)


def _counted(call: Call, slide: Sliding, field: ReceptiveField, places: torch.Tensor) -> torch.Tensor:
    """Return the number of pixels by which a mean near the border is divided: (P, 1, size, size), as
    ``nn.AvgPool2d`` counts them.
    """
    sides = torch.tensor(call.given[2:], device=places.device)[:, None]
    first = _steps(field, places) * slide.stride - slide.padding
    end = (first + slide.kernel).minimum(sides + slide.padding)
    if not call.module.count_include_pad:
        first, end = first.clamp(min=0), end.minimum(sides)
    # A window may include places beyond the map, which see no pixel: their signal is 0, also divided by 1.
    rows, columns = (end - first).clamp(min=1).unbind(1)
    return (rows[:, :, None] * columns[:, None, :])[:, None]
