"""Features: what a network's last layer is given for a picture, and for the frames of a clip."""

import hashlib
import io
import json
import logging
import zipfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save as tensors_to_bytes
from torch import nn

from fer_lib import paths
from fer_lib.faces.clips import Clips
from fer_lib.faces.faceset import FaceSet
from fer_lib.nets.classifier import Classifier
from fer_lib.nets.evaluating import evaluating
from fer_lib.train.batches import batches
from ferbook.errors import DataError
from ferbook.files import write_atomically

Reading = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From a module's input and output to what is kept of them."""


def collected(
    model: Classifier,
    faces: FaceSet,
    wanted: Mapping[str, tuple[nn.Module, Reading]],
    *,
    batch_size: int = 256,
) -> dict[str, np.ndarray]:
    """By name float32 (N, F): what was read at a module of ``model`` while each picture of ``faces``
    passed, in evaluation mode, where the model is.

    ``wanted``: by name the module, and what to read there, a function of what it is given and what it makes.
    Raises DataError where there is no picture. The model's mode and hooks stay as they were.
    """
    if not len(faces):
        raise DataError(f"face set {faces.name!r} holds no picture")
    kept: dict[str, list[np.ndarray]] = {name: [] for name in wanted}

    def keep(name: str, reading: Reading) -> Callable[..., None]:
        return lambda _, given, made: kept[name].append(reading(given[0], made).float().cpu().numpy())

    with ExitStack() as hooks, evaluating(model):
        for name, (module, reading) in wanted.items():
            hooks.callback(module.register_forward_hook(keep(name, reading)).remove)
        for pictures in batches(faces, batch_size, device=model.output.weight.device):
            model(pictures.to(model.output.weight.dtype))
    return {name: np.concatenate(parts) for name, parts in kept.items()}


def features_of(model: Classifier, faces: FaceSet, *, batch_size: int = 256) -> np.ndarray:
    """float32 (N, F): what the last layer of ``model`` is given for each picture of ``faces``; otherwise as
    ``collected``.
    """
    wanted = {"features": (model.output, lambda given, _: given)}
    return collected(model, faces, wanted, batch_size=batch_size)["features"]


def cached_features(model: Classifier, faces: FaceSet) -> np.ndarray:
    """As ``features_of``, kept below ``paths.cache_dir()`` and read from there when the same is asked again.

    The key is of the network's weights and structure, the checksum of ``faces``, the code that computes, the
    kind of device and torch's version. A damaged entry is reported in one line and made anew. Raises
    DataError where there is no picture or the entry cannot be written.
    """
    file = _entry(model, faces)
    if file.exists():
        try:
            return _read(file, len(faces))
        except _DAMAGE as fault:
            _log.warning("%s: cached features are damaged and made anew (%s)", file, fault)
    found = features_of(model, faces)
    content = io.BytesIO()
    # An archive, as its members carry a checksum.
    np.savez(content, features=found)
    try:
        write_atomically(file, content.getvalue())
    except OSError as fault:
        raise DataError(f"{fault}: FER_CACHE says where features are kept") from fault
    return found


_log = logging.getLogger(__name__)

_DAMAGE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)
"""What numpy raises for a damaged archive."""


def _read(file: Path, pictures: int) -> np.ndarray:
    with np.load(file, allow_pickle=False) as archive:
        found = archive["features"]
    if found.ndim != 2 or len(found) != pictures or found.dtype != np.float32:
        raise ValueError(f"{found.dtype} {found.shape} for {pictures} pictures")
    return found


def _entry(model: Classifier, faces: FaceSet) -> Path:
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    key = {
        "weights": hashlib.sha256(tensors_to_bytes(tensors)).hexdigest(),
        "network": [type(model).__name__, model.arguments],
        "layer": "input of output",
        "faces": faces.checksum,
        "code": _code_hash(),
        "device": model.output.weight.device.type,
        "torch": torch.__version__,
    }
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    return paths.cache_dir() / "features" / f"{faces.name}-{name}.npz"


def _code_hash() -> str:
    """Of the networks, and of how pictures come to them."""
    here = Path(__file__)
    networks = sorted((here.parents[1] / "nets").glob("*.py"))
    files = [*networks, here, here.with_name("batches.py"), here.with_name("augment.py")]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def clip_features(model: Classifier, clips: Clips) -> np.ndarray:
    """float32 (C, T, F): the features of every frame of ``clips`` in the order of time, zero behind a clip's
    end. Kept as ``cached_features``.
    """
    inside = clips.rows >= 0
    rows, places = np.unique(clips.rows[inside], return_inverse=True)
    found = cached_features(model, clips.faces.select(rows))
    features = np.zeros((*clips.rows.shape, found.shape[1]), np.float32)
    features[inside] = found[places]
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


def standardised(features: np.ndarray, lengths: np.ndarray, train: np.ndarray) -> np.ndarray:
    """``features`` (C, T, F) less the mean and over the deviation of the clips ``train`` (see ``scaling``);
    zero behind a clip's end.
    """
    mean, spread = scaling(features, lengths, train)
    inside = inside_clips(lengths, features.shape[1])[..., None]
    return np.where(inside, (features - mean) / spread, 0).astype(np.float32)
