"""The layers of a network that have feature maps: their names, and the path of a picture to them."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from fer_lib.nets.classifier import Classifier, evaluating
from ferbook.errors import ParameterError, nearest_name

# The standardised picture, as an input where otherwise a call is given by its number.
PICTURE = -1

# Values of a map that differ by less than this proportion of its largest are equal up to rounding: the same
# wherever float32 and float64 must select alike. In shorter types too many values would be equal, so there is
# no such rule.
TIED = {torch.float64: 1e-6, torch.float32: 1e-6}

# Side in pixels of the black picture that reveals the layers of a network that does not record its size.
TRIED_SIZE = 64


@dataclass(frozen=True)
class Call:
    """One call of a module without children while a picture passes through the network.

    Attributes
    ----------
    name : str
        Dotted, as in ``named_modules``.
    module : torch.nn.Module
    inputs : tuple of int or None
        The origin of each input tensor: the number of an earlier call, ``PICTURE``, or None for a function
        outside all modules.
    given, shape : tuple of int
        Shapes of its first input and of its output.
    """

    name: str
    module: nn.Module
    inputs: tuple[int | None, ...]
    given: tuple[int, ...]
    shape: tuple[int, ...]


class _Recorder:
    """Records every call of a module without children.

    A tensor is identified by its identity and version, so that a change in place between two modules is
    noticed.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.makers: dict[tuple[int, int], int] = {}
        self.kept: list[torch.Tensor] = []  # none may be freed: an identity would be used twice
        self.entered: list[tuple[tuple[int | None, ...], tuple[int, ...]]] = []

    def made_by(self, tensor: torch.Tensor, maker: int) -> None:
        self.kept.append(tensor)
        self.makers[id(tensor), tensor._version] = maker

    def enter(self, module: nn.Module, args: tuple, kwargs: dict) -> None:
        tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)]
        inputs = tuple(self.makers.get((id(t), t._version)) for t in tensors)
        self.entered.append((inputs, tuple(tensors[0].shape) if tensors else ()))

    def leave(self, name: str, module: nn.Module, output: object) -> None:
        inputs, arguments = self.entered.pop()
        if isinstance(output, torch.Tensor):
            self.made_by(output, len(self.calls))
            self.calls.append(Call(name, module, inputs, arguments, tuple(output.shape)))


def standardiser(model: nn.Module) -> nn.Module:
    """Return the module that standardises pictures in [0, 1]: the first module of a ``Classifier``, else an
    identity.
    """
    return next(model.children()) if isinstance(model, Classifier) else nn.Identity()


def to_input(model: nn.Module, pictures: np.ndarray) -> torch.Tensor:
    """Convert ``pictures`` (M, H, W), uint8 or floats in [0, 1], to the input of ``model``: (M, 1, H, W) in
    [0, 1], in its type and on its device. Raises ParameterError for other whole numbers.
    """
    if pictures.dtype != np.uint8 and not np.issubdtype(pictures.dtype, np.floating):
        raise ParameterError(f"pictures of {pictures.dtype}: give uint8, or floats from 0 to 1")
    weight = next(model.parameters(), torch.zeros(()))
    grey = torch.as_tensor(pictures, device=weight.device)[:, None]
    return grey.to(weight.dtype) / (255 if pictures.dtype == np.uint8 else 1)


def maps_of(
    model: nn.Module, name: str, pictures: torch.Tensor, dtype: torch.dtype | None = None
) -> torch.Tensor:
    """Return the output of the module ``name`` for ``pictures``.

    Evaluation mode and hook end afterwards, also after an exception. For a module that is called several
    times, the output of its first call.

    Parameters
    ----------
    model : torch.nn.Module
    name : str
    pictures : (B, 1, H, W) tensor
        Of the network's type and device.
    dtype : torch.dtype, optional
        Type of the computation; by default that of the weights.

    Returns
    -------
    (B, K, h, w) tensor
    """

    def leave(_: nn.Module, __: object, output: torch.Tensor) -> None:
        raise _Enough(output)

    hook = model.get_submodule(name).register_forward_hook(leave)
    try:
        with evaluating(model, dtype):
            model(pictures)
    except _Enough as enough:
        return enough.args[0]
    finally:
        hook.remove()


def extrema(maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the largest value of each of ``maps`` (…, h, w), and its place among the h·w: of places that are
    equal up to rounding (``TIED``) the first, so that the order in which a processor adds does not decide.
    """
    flat = maps.flatten(-2)
    largest = flat.amax(-1, keepdim=True)
    least = largest - TIED.get(maps.dtype, 0.0) * largest.abs()
    return largest[..., 0], (flat >= least).byte().max(dim=-1).indices


class _Enough(Exception):
    """Raised by a hook with the output of its module: later layers are not needed."""


def trace(model: nn.Module, pictures: torch.Tensor) -> tuple[Call, ...]:
    """Record the calls of all modules without children, in order, while ``pictures`` (B, 1, H, W) pass
    through ``model``.

    Evaluation mode and hooks end afterwards, also after an exception.
    """
    recorder = _Recorder()
    _record(model, pictures, recorder)
    return tuple(recorder.calls)


def _record(model: nn.Module, pictures: torch.Tensor, recorder: _Recorder) -> None:
    first = standardiser(model)
    inside = set(first.modules())
    with ExitStack() as stack:
        stack.enter_context(evaluating(model))

        def watch(name: str, module: nn.Module) -> None:
            for hook in (
                module.register_forward_pre_hook(recorder.enter, with_kwargs=True),
                module.register_forward_hook(lambda m, _, output: recorder.leave(name, m, output)),
            ):
                stack.callback(hook.remove)

        for name, module in model.named_modules():
            # An empty sequence, such as the shortcut of a residual block, returns its input.
            if not any(module.children()) and not isinstance(module, nn.Sequential) and module not in inside:
                watch(name, module)
        if isinstance(model, Classifier):
            hook = first.register_forward_hook(lambda m, _, output: recorder.made_by(output, PICTURE))
            stack.callback(hook.remove)
        else:
            recorder.made_by(pictures, PICTURE)
        model(pictures)


@torch.inference_mode(False)  # where its tensors would have no version
def example_picture(model: nn.Module) -> torch.Tensor:
    """Return a black picture (1, channels, side, side) of a size that the network accepts, in its type and on
    its device. Raises ParameterError for a network without a convolution.
    """
    side = model.arguments["size"] if isinstance(model, Classifier) else TRIED_SIZE
    first = next((m for m in model.modules() if isinstance(m, nn.Conv2d)), None)
    if first is None:
        raise ParameterError(
            f"{type(model).__name__} has no convolution, so no layer of feature maps to look at"
        )
    return first.weight.new_zeros(1, first.in_channels, side, side)


def example_calls(model: nn.Module) -> tuple[Call, ...]:
    """Record the calls that return feature maps (B, K, H, W), in order, while a black picture passes through
    ``model``: ``conv1``, ``relu1``, ``pool1``, …, or ``stage1.0.relu2`` of a residual net; not those that
    standardise the picture. Raises ParameterError for a network without a convolution.
    """
    recorder = _Recorder()
    try:
        _record(model, example_picture(model), recorder)
    except RuntimeError:
        # Dense layers that were built for another size reject the picture; all feature maps are before them.
        if isinstance(model, Classifier):
            raise
    return tuple(call for call in recorder.calls if len(call.shape) == 4)


def find_layer(model: nn.Module, name: str, *, once: bool = False) -> nn.Module:
    """Return the module ``name`` of one of ``example_calls``.

    Parameters
    ----------
    model : torch.nn.Module
    name : str
        Dotted.
    once : bool
        Reject a module that is called more than once while a picture passes.

    Raises
    ------
    ParameterError
        There is no such layer; lists them and gives the nearest.
    """
    _require_layer(model, name, example_calls(model), once=once)
    return model.get_submodule(name)


def _require_layer(model: nn.Module, name: str, calls: Sequence[Call], *, once: bool = True) -> None:
    names = [call.name for call in calls if len(call.shape) == 4]
    times, layer = names.count(name), f"layer {name!r}"
    if not times:
        choices = dict.fromkeys(names)
        raise ParameterError(
            f"{type(model).__name__} has no {layer} of feature maps{nearest_name(name, choices)}; they are "
            f"{', '.join(choices)}"
        )
    if once and times > 1:
        raise ParameterError(
            f"{layer} of {type(model).__name__} works {times} times while a picture passes, so its maps are "
            "not one stack and a neuron has no single place: give the network one module per use"
        )


def last_conv(model: nn.Module) -> str:
    """Return the name of the layer that the papers examine: the ReLU that follows the last convolution.

    Parameters
    ----------
    model : torch.nn.Module

    Returns
    -------
    str
        ``relu3`` for the zero-bias CNN. The convolution itself if no ReLU on feature maps follows it.

    Raises
    ------
    ParameterError
        ``model`` has no convolution.
    """
    calls = example_calls(model)
    last = max(i for i, call in enumerate(calls) if isinstance(call.module, nn.Conv2d))
    relus = (call.name for call in calls[last:] if isinstance(call.module, nn.ReLU))
    return next(relus, calls[last].name)


def way_to(model: nn.Module, layer: str, pictures: torch.Tensor) -> dict[int, Call]:
    """Record the calls from which ``layer`` is computed, itself the last, by their numbers in ``trace``.

    ``pictures`` (B, 1, H, W) pass once. Raises ParameterError for an unknown layer, for one that is called
    more than once in a pass, and if anything on the path was computed by a function instead of a module.
    """
    calls = trace(model, pictures)
    _require_layer(model, layer, calls)
    end = [call.name for call in calls].index(layer)
    numbers, way = {end}, {}
    for number in range(end, -1, -1):
        if number not in numbers:
            continue
        call = way[number] = calls[number]
        for maker in call.inputs:
            if maker is None:
                raise ParameterError(
                    f"{call.name!r} of {type(model).__name__}, on the way to {layer!r}, is given what a "
                    "function made, and no module; how to go back through it is known of modules only: use "
                    "nn.ReLU, nn.MaxPool2d, nets.classifier.Sum, …"
                )
        numbers |= set(call.inputs) - {PICTURE}
    return dict(sorted(way.items()))
