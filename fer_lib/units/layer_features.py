"""Features of several layers at once: what a linear head may read from each stage of a network."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from fer_lib.errors import DataError, ParameterError
from fer_lib.explain.layers import example_picture, find_layer, trace
from fer_lib.faces.faceset import FaceSet
from fer_lib.learn.loaders import batches
from fer_lib.models.classifier import Classifier
from fer_lib.models.evaluating import evaluating

FEATURES = "features"
"""Stands for what ``output`` is given, beside the names of layers."""


def stage_layers(model: nn.Module) -> tuple[str, ...]:
    """The last rectifier at each size of feature maps, in the order in which they work: where a stage of the network ends.

    ``relu1``, ``relu2``, ``relu3`` of the zero-bias CNN, ``stage1.0.relu2``, … of the residual net. Raises ParameterError where ``model`` has no
    rectified maps.
    """
    ends: dict[tuple[int, ...], str] = {}
    for call in trace(model, example_picture(model)):
        if isinstance(call.module, nn.ReLU) and len(call.shape) == 4:
            ends[call.shape[2:]] = call.name
    if not ends:
        raise ParameterError(f"{type(model).__name__} has no rectified feature maps; name its layers")
    return tuple(ends.values())


@torch.no_grad()
def layer_features(
    model: Classifier, faces: FaceSet, layers: Sequence[str] | None = None, *, batch_size: int = 64
) -> dict[str, np.ndarray]:
    """What each of ``layers`` says of each picture of ``faces``, in one pass: by name float32 (N, F), in evaluation mode, where the model is.

    Of a layer with K feature maps the mean of each quarter of each map (F = 4 K, a map's quarters side by side): whether an edge is at the brows or at
    the mouth stays known. On the validation pictures of ``lab`` at 32 pixels that served heads on an untrained network better than a quarter's
    largest value, or than maximum and mean of the whole map, and heads on a trained one as well as these: the fairest to
    the rival. Of an odd side both quarters have the middle row or column. Behind the layers, under the name ``FEATURES``, what the last layer is
    given, equal to ``learn.features.features_of``.

    ``layers``: names as in ``explain.layers.layer_names``; None takes ``stage_layers``. Raises ParameterError for an unknown layer, DataError where there is no
    picture. The model's mode and hooks stay as they were.
    """
    names = stage_layers(model) if layers is None else tuple(layers)
    if not len(faces):
        raise DataError(f"face set {faces.name!r} holds no picture")
    kept: dict[str, list[np.ndarray]] = {name: [] for name in (*names, FEATURES)}

    def quarters_of(name: str) -> Callable[..., None]:
        return lambda _, __, maps: kept[name].append(_quarters(maps))

    # All found before the first hook is set: finding a layer sends a picture through.
    modules = {name: find_layer(model, name) for name in names}
    hooks = [module.register_forward_hook(quarters_of(name)) for name, module in modules.items()]
    hooks.append(
        model.output.register_forward_pre_hook(lambda _, given: kept[FEATURES].append(_array(given[0])))
    )
    try:
        with evaluating(model):
            for pictures in batches(faces, batch_size, device=model.output.weight.device):
                model(pictures.to(model.output.weight.dtype))
    finally:
        for hook in hooks:
            hook.remove()
    return {name: np.concatenate(parts) for name, parts in kept.items()}


def _quarters(maps: torch.Tensor) -> np.ndarray:
    return _array(F.adaptive_avg_pool2d(maps.float(), 2).flatten(1))


def _array(values: torch.Tensor) -> np.ndarray:
    return values.float().cpu().numpy()
