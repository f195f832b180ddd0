"""The layers of a network that hold feature maps: their names, and how a picture reaches them."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from fer_lib.nets.classifier import Classifier, evaluating
from ferbook.errors import ParameterError, nearest_name

PICTURE = -1
"""Stands for the picture as the network sees it, standardised, where otherwise the number of a call stands.
"""

TIED = {torch.float64: 1e-6, torch.float32: 1e-6}
"""Values of a map that differ by less than this share of its largest are equal up to rounding: the same share
wherever float32 and float64 are to choose alike. In shorter
numbers so many are that none is told apart."""

TRIED_SIZE = 64
"""Side in pixels of the black picture that shows the layers of a network that does not say for what size it
was built.
"""


@dataclass(frozen=True)
class Call:
    """One call of a module without children while a picture passed through the network.

    ``name`` is dotted, as in ``named_modules``. ``inputs`` says of each tensor that the module was given what
    made it: the number of an earlier call, ``PICTURE``, or None of a function that worked outside all
    modules. ``given`` and ``shape`` are the shapes of its first input and of its output.
    """

    name: str
    module: nn.Module
    inputs: tuple[int | None, ...]
    given: tuple[int, ...]
    shape: tuple[int, ...]


class _Recorder:
    """Sees every call of a module without children.

    A tensor is known by its identity and version, so that a change in place between two modules is noticed.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.makers: dict[tuple[int, int], int] = {}
        self.kept: list[torch.Tensor] = []  # none may be freed: an identity would be given twice
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
    """What makes of a picture in [0, 1] the one that the first layer sees: a ``Classifier``'s first module,
    elsewhere nothing.
    """
    return next(model.children()) if isinstance(model, Classifier) else nn.Identity()


def to_input(model: nn.Module, pictures: np.ndarray) -> torch.Tensor:
    """``pictures`` (M, H, W), uint8 or floats in [0, 1], as ``model`` takes them: (M, 1, H, W) in [0, 1], in
    its type of numbers and on its device. Raises ParameterError for other whole numbers.
    """
    if pictures.dtype != np.uint8 and not np.issubdtype(pictures.dtype, np.floating):
        raise ParameterError(f"pictures of {pictures.dtype}: give uint8, or floats from 0 to 1")
    weight = next(model.parameters(), torch.zeros(()))
    grey = torch.as_tensor(pictures, device=weight.device)[:, None]
    return grey.to(weight.dtype) / (255 if pictures.dtype == np.uint8 else 1)


def maps_of(
    model: nn.Module, name: str, pictures: torch.Tensor, dtype: torch.dtype | None = None
) -> torch.Tensor:
    """What the module ``name`` puts out, (B, K, h, w), while ``pictures`` (B, 1, H, W) of the network's type
    and device pass; in evaluation mode, computed in ``dtype`` (None: the type of the weights).

    The hook is gone and each module's mode is restored afterwards, whatever happens. Of a module that works
    several times: what it put out first.
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
    """The largest value of each of ``maps`` (…, h, w), and its place among the h·w: of places that are equal
    up to rounding (``TIED``) the first, so that the order in which a processor adds up does not choose.
    """
    flat = maps.flatten(-2)
    largest = flat.amax(-1, keepdim=True)
    least = largest - TIED.get(maps.dtype, 0.0) * largest.abs()
    return largest[..., 0], (flat >= least).byte().max(dim=-1).indices


class _Enough(Exception):
    """Thrown by a hook, with what its module puts out: nobody asks for the layers behind it."""


def trace(model: nn.Module, pictures: torch.Tensor) -> tuple[Call, ...]:
    """The calls of all modules without children, in order, while ``pictures`` (B, 1, H, W) pass through
    ``model``.

    In evaluation mode; the hooks are gone and each module's mode is restored afterwards, whatever happens.
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
            # An empty sequence, such as the shortcut of a residual block, hands on what it is given.
            if not any(module.children()) and not isinstance(module, nn.Sequential) and module not in inside:
                watch(name, module)
        if isinstance(model, Classifier):
            hook = first.register_forward_hook(lambda m, _, output: recorder.made_by(output, PICTURE))
            stack.callback(hook.remove)
        else:
            recorder.made_by(pictures, PICTURE)
        model(pictures)


@torch.inference_mode(False)  # where its tensors would carry no version
def example_picture(model: nn.Module) -> torch.Tensor:
    """One black picture (1, channels, side, side) of a size that the network takes, in its type and on its
    device.
    """
    side = model.arguments["size"] if isinstance(model, Classifier) else TRIED_SIZE
    first = next((m for m in model.modules() if isinstance(m, nn.Conv2d)), None)
    if first is None:
        raise ParameterError(
            f"{type(model).__name__} has no convolution, so no layer of feature maps to look at"
        )
    return first.weight.new_zeros(1, first.in_channels, side, side)


def example_calls(model: nn.Module) -> tuple[Call, ...]:
    """The calls that put out feature maps (B, K, H, W), in order, while a black picture passes through
    ``model``: of ``conv1``, ``relu1``, ``pool1``, …, or ``stage1.0.relu2`` of a residual net; not of what
    standardises the picture. Raises ParameterError where ``model`` has no convolution.
    """
    recorder = _Recorder()
    try:
        _record(model, example_picture(model), recorder)
    except RuntimeError:
        # Dense layers that were built for another size stop the picture; all feature maps came before them.
        if isinstance(model, Classifier):
            raise
    return tuple(call for call in recorder.calls if len(call.shape) == 4)


def find_layer(model: nn.Module, name: str, *, once: bool = False) -> nn.Module:
    """The module called ``name``, of one of ``example_calls``; else ParameterError that lists them and says
    which is nearest. With ``once`` it must not work more than once while a picture passes.
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
    """The layer that the papers look at: the ReLU that follows the last convolution.

    ``relu3`` of the zero-bias CNN. The convolution's own name where no ReLU on feature maps follows it.
    Raises ParameterError where ``model`` has no convolution.
    """
    calls = example_calls(model)
    last = max(i for i, call in enumerate(calls) if isinstance(call.module, nn.Conv2d))
    relus = (call.name for call in calls[last:] if isinstance(call.module, nn.ReLU))
    return next(relus, calls[last].name)


def way_to(model: nn.Module, layer: str, pictures: torch.Tensor) -> dict[int, Call]:
    """The calls that ``layer`` is computed from, itself the last, by their numbers in ``trace``.

    ``pictures`` (B, 1, H, W) pass once. Raises ParameterError for an unknown layer, for one that works more
    than once in a pass, and where anything on the way was made by a function instead of a module.
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
