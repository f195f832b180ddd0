"""Features: what a network's last layer is given for a picture, and for the frames of a clip."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack

import numpy as np
import torch
from torch import nn

from fer_lib.faces.clips import Clips
from fer_lib.faces.faceset import FaceSet
from fer_lib.nets.classifier import Classifier
from fer_lib.nets.evaluating import evaluating
from fer_lib.train.batches import batches
from ferbook.errors import DataError

Readout = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From a module's input and output to what is kept of them."""


def collected(
    model: Classifier,
    faces: FaceSet,
    readouts: Mapping[str, tuple[nn.Module, Readout]],
    *,
    batch_size: int = 256,
    dtype: torch.dtype | None = None,
) -> dict[str, np.ndarray]:
    """By name float32 (N, F): what was read at a module of ``model`` while each picture of ``faces``
    passed, in evaluation mode, where the model is.

    ``readouts``: by name the module, and what to read there, a function of what it is given and what it
    makes. ``dtype``: what is computed in; None: the type of the weights. Raises DataError where there is no
    picture. The model's mode and hooks stay as they were.
    """
    if not len(faces):
        raise DataError(f"face set {faces.name!r} holds no picture")
    outputs: dict[str, list[np.ndarray]] = {name: [] for name in readouts}

    def keep(name: str, reading: Readout) -> Callable[..., None]:
        return lambda _, inputs, output: outputs[name].append(
            reading(inputs[0], output).float().cpu().numpy()
        )

    with ExitStack() as hooks, evaluating(model, dtype):
        for name, (module, reading) in readouts.items():
            hooks.callback(module.register_forward_hook(keep(name, reading)).remove)
        for pictures in batches(faces.pixels, batch_size, device=model.output.weight.device):
            model(pictures.to(model.output.weight.dtype))
    return {name: np.concatenate(parts) for name, parts in outputs.items()}


def features_of(
    model: Classifier, faces: FaceSet, *, batch_size: int = 256, dtype: torch.dtype | None = None
) -> np.ndarray:
    """float32 (N, F): what the last layer of ``model`` is given for each picture of ``faces``; otherwise as
    ``collected``.
    """
    readouts = {"features": (model.output, lambda inputs, _: inputs)}
    return collected(model, faces, readouts, batch_size=batch_size, dtype=dtype)["features"]


def clip_features(model: Classifier, clips: Clips, *, dtype: torch.dtype | None = None) -> np.ndarray:
    """float32 (C, T, F): the features of every frame of ``clips`` in the order of time, zero behind a clip's
    end; computed in ``dtype`` as by ``collected``.
    """
    inside = clips.rows >= 0
    rows, places = np.unique(clips.rows[inside], return_inverse=True)
    own = features_of(model, clips.faces.select(rows), dtype=dtype)
    features = np.zeros((*clips.rows.shape, own.shape[1]), np.float32)
    features[inside] = own[places]
    return features


def inside_clips(lengths: np.ndarray, frames: int) -> np.ndarray:
    """bool (C, ``frames``): which places hold a frame of a clip, by the clips' ``lengths`` (C,)."""
    return np.arange(frames) < np.asarray(lengths)[:, None]


def difference_to_onset(features: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """``features`` (…, C, T, F) less those of each clip's first frame; zero behind a clip's end."""
    inside = inside_clips(lengths, features.shape[-2])
    return (features - features[..., :1, :]) * inside[..., None].astype(features.dtype)


def scaling(features: np.ndarray, lengths: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, float32 (F,) each, over the frames of the clips ``train`` (mask or
    indices) and no other.

    ``features`` (C, T, F). A feature that does not vary there has the deviation one. Raises DataError where
    ``train`` is empty.
    """
    frames = features[train][inside_clips(np.asarray(lengths)[train], features.shape[1])]
    if not len(frames):
        raise DataError("no training clip to take the scale of the features from")
    mean = frames.mean(axis=0, dtype=np.float64)
    spread = frames.std(axis=0, dtype=np.float64).astype(np.float32)
    return mean.astype(np.float32), np.where(spread > 0, spread, np.float32(1))
