"""A network's weights on disk: safetensors beside a JSON record. Nothing is ever unpickled."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor, nn

from fer_lib.nets.build import NETWORKS
from fer_lib.nets.derl import Discriminator, Generator, ResidueClassifier
from ferbook.errors import DataError, FerError
from ferbook.files import write_atomically

ARCHITECTURES: dict[str, type[nn.Module]] = {
    network.__name__: network for network in (*NETWORKS.values(), Generator, Discriminator, ResidueClassifier)
}
"""The networks that can be read back. Each keeps its constructor's arguments in ``arguments``."""

_SCALE = ".int8_scale"

RECORD_FIELDS = ("architecture", "arguments", "parameters", "sha256")


def _file_pair(path: Path) -> tuple[Path, Path]:
    stem = path.with_suffix("") if path.suffix in (".safetensors", ".json") else path
    return stem.with_name(f"{stem.name}.safetensors"), stem.with_name(f"{stem.name}.json")


def parameter_count(model: nn.Module) -> int:
    """Number of trainable values."""
    return sum(p.numel() for p in model.parameters())


def compacted(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """``tensors`` in a quarter of their room: of each with two axes or more, whole numbers of 8 bits, with a
    scale for each index of the first axis (a filter's, mostly) as ``<name>.int8_scale``; the others in half
    precision. No value moves by more than half a scale: 1/254 of the largest of its filter.
    """
    compact = {}
    for name, value in tensors.items():
        if not value.is_floating_point():
            compact[name] = value
        elif value.ndim < 2:
            compact[name] = value.half()
        else:
            rows = value.float().flatten(1)
            scale = rows.abs().amax(1, keepdim=True).div(127).clamp_min(torch.finfo(torch.float32).tiny)
            compact[name] = rows.div(scale).round().to(torch.int8).view_as(value)
            compact[f"{name}{_SCALE}"] = scale.squeeze(1)
    return compact


def widened(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """What ``compacted`` was given, in single precision; of what it did not make, ``tensors`` themselves."""
    wide = {name: value for name, value in tensors.items() if not name.endswith(_SCALE)}
    for name in wide:
        if (scale := tensors.get(f"{name}{_SCALE}")) is not None:
            wide[name] = (wide[name].flatten(1) * scale.unsqueeze(1)).view_as(wide[name])
    return wide


def save_weights(model: nn.Module, path: Path, about: dict, *, compact: bool = False) -> Path:
    """Write ``<stem>.safetensors`` and ``<stem>.json`` and return the first one's path.

    ``path`` may carry either suffix or none. The record holds the architecture, its constructor's arguments,
    the number of parameters, the SHA-256 of the weights file, and ``about`` (plain JSON values: classes, face
    set, precision, seed …). ``compact``: as ``compacted``, which ``load_weights`` widens again. Each file
    appears whole or not at all, the record last.

    Raises DataError where the architecture could not be read back, where ``about``
    is not JSON, or where a weight is not finite.
    """
    architecture = type(model).__name__
    if ARCHITECTURES.get(architecture) is not type(model):
        raise DataError(
            f"{path}: no network called {architecture} can be read back; known: {', '.join(ARCHITECTURES)}"
        )
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    for name, value in tensors.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise DataError(
                f"{path}: {name} holds a weight that is not finite; train again with a smaller lr"
            )
    content = tensors_to_bytes(
        compacted(tensors) if compact else tensors, metadata={"architecture": architecture}
    )
    record = {
        **about,
        "architecture": architecture,
        "arguments": model.arguments,
        "parameters": parameter_count(model),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    try:
        text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as fault:
        raise DataError(f"{path}: the weights' record holds a value that is not JSON ({fault})") from fault
    weights_file, record_file = _file_pair(path)
    write_atomically(weights_file, content)
    write_atomically(record_file, text)
    return weights_file


def read_record(path: Path) -> dict:
    """The JSON record beside a weights file: what ``save_weights`` was told, and what it added.

    Raises DataError where it is absent, not JSON, or lacks a field, and where its arguments have no names.
    """
    _, record_file = _file_pair(path)
    try:
        record = json.loads(record_file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise DataError(f"{record_file}: not a readable record of weights ({fault})") from fault
    missing = [n for n in RECORD_FIELDS if not isinstance(record, dict) or n not in record]
    if missing:
        raise DataError(f"{record_file}: the record of weights lacks {', '.join(missing)}")
    if not isinstance(record["arguments"], dict):
        raise DataError(f"{record_file}: arguments is {record['arguments']!r}; expected names with values")
    return record


def load_weights(path: Path) -> nn.Module:
    """The network that ``save_weights`` wrote, on the CPU and in evaluation mode.

    Raises DataError where a file is absent, cut short, changed or another record's, or where the architecture
    is unknown.
    """
    record = read_record(path)
    weights_file, record_file = _file_pair(path)
    architecture = ARCHITECTURES.get(str(record["architecture"]))
    if architecture is None:
        raise DataError(
            f"{record_file}: unknown architecture {record['architecture']!r}; known: "
            f"{', '.join(ARCHITECTURES)}"
        )
    try:
        content = weights_file.read_bytes()
    except OSError as fault:
        raise DataError(f"{weights_file}: not readable ({fault})") from fault
    if hashlib.sha256(content).hexdigest() != record["sha256"]:
        raise DataError(
            f"{weights_file}: its content ({len(content):,} bytes) does not match the checksum in "
            f"{record_file.name}: it was cut short, changed, or belongs to another record; put back the "
            "right file, or train again"
        )
    try:
        # The weights drawn here are overwritten, and reading a file must not move the random state.
        with torch.random.fork_rng(devices=[]):
            model = architecture(**record["arguments"])
        model.load_state_dict(widened(tensors_from_bytes(content)))
    except (SafetensorError, FerError, RuntimeError, TypeError) as fault:
        raise DataError(
            f"{weights_file}: does not hold the weights of {record['architecture']} with the arguments "
            f"in {record_file.name} ({fault})"
        ) from fault
    return model.eval()
