"""A network's weights on disk: a safetensors file and a JSON record. Nothing is ever unpickled."""

import hashlib
import json
from collections.abc import Collection
from importlib import import_module
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor, nn

from fer_lib.names import NETWORKS
from ferbook.errors import DataError, FerError
from ferbook.files import parse_json, read_plain, write_atomically

# Networks that can be read -> their module of ``nets``. Each stores the arguments of its constructor in
# ``arguments``.
ARCHITECTURES = dict(NETWORKS.values()) | dict.fromkeys(
    ("Generator", "Discriminator", "ResidueClassifier"), "derl"
)

_SCALE = ".int8_scale"

# Bytes of a weights file.
LARGEST_WEIGHTS = 2**31

# Largest number, or sum of numbers, in an argument of an architecture that is built.
LARGEST_ARGUMENT = 4096

# Errors from a file that is damaged or belongs to another network.
_UNFIT = (SafetensorError, FerError, RuntimeError, TypeError, ValueError, AttributeError, LookupError)

RECORD_FIELDS = ("architecture", "arguments", "parameters", "sha256")


def _architecture(name: str) -> type[nn.Module] | None:
    module = ARCHITECTURES.get(name)
    return getattr(import_module(f"fer_lib.nets.{module}"), name) if module else None


def _file_pair(path: Path | str) -> tuple[Path, Path]:
    path = Path(path)
    stem = path.with_suffix("") if path.suffix in (".safetensors", ".json") else path
    return stem.with_name(f"{stem.name}.safetensors"), stem.with_name(f"{stem.name}.json")


def parameter_count(model: nn.Module) -> int:
    """Count the trainable values."""
    return sum(p.numel() for p in model.parameters())


def compacted(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Compress ``tensors`` to a quarter of their size.

    Tensors with two axes or more become whole numbers of 8 bits, with a scale for each index of the first
    axis (mostly a filter) as ``<name>.int8_scale``; the others become half precision. No value changes by
    more than half a scale, 1/254 of the largest of its filter.
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
    """Reverse ``compacted``: tensors with two axes or more become single precision. Other tensors are
    returned unchanged.
    """
    wide = {name: value for name, value in tensors.items() if not name.endswith(_SCALE)}
    for name in wide:
        if (scale := tensors.get(f"{name}{_SCALE}")) is not None:
            if scale.shape != wide[name].shape[:1]:
                raise DataError(f"{name}: {tuple(scale.shape)} scales do not fit its filters")
            wide[name] = (wide[name].flatten(1) * scale.unsqueeze(1)).view_as(wide[name])
    return wide


def save_weights(
    model: nn.Module, path: Path, about: dict, *, compact: bool = False, without: Collection[str] = ()
) -> Path:
    """Write ``<stem>.safetensors`` and ``<stem>.json``.

    Each file appears whole or not at all, the record last.

    Parameters
    ----------
    model : torch.nn.Module
        One of ``ARCHITECTURES``.
    path : Path
        With either suffix or none.
    about : dict
        Plain JSON values for the record: classes, face set, precision, seed …. The record also holds the
        architecture, the arguments of its constructor, the number of parameters and the SHA-256 of the
        weights.
    compact : bool
        Compress as ``compacted``; ``load_weights`` reverses it.
    without : collection of str
        Tensors that are not stored, after the last layer that will be evaluated; they are read as NaN.

    Returns
    -------
    Path
        The weights file.

    Raises
    ------
    DataError
        The architecture cannot be read again, or a weight is not finite.
    """
    architecture = type(model).__name__
    if _architecture(architecture) is not type(model):
        raise DataError(
            f"{path}: no network called {architecture} can be read back; known: {', '.join(ARCHITECTURES)}"
        )
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    absent = {name: list(tensors.pop(name).shape) for name in without}
    tensors = compacted(tensors) if compact else tensors
    for name, value in tensors.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise DataError(
                f"{path}: {name} holds a weight that is not finite{' in half precision' * compact}; train "
                "again with a smaller lr"
            )
    content = tensors_to_bytes(tensors, metadata={"architecture": architecture})
    record = {
        **about,
        "architecture": architecture,
        "arguments": model.arguments,
        "parameters": parameter_count(model),
        "sha256": hashlib.sha256(content).hexdigest(),
    } | ({"without": absent} if absent else {})
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    weights_file, record_file = _file_pair(path)
    write_atomically(weights_file, content)
    write_atomically(record_file, text)
    return weights_file


def read_record(path: Path) -> dict:
    """Read the JSON record of a weights file.

    Raises DataError if it is absent, not JSON, or lacks a field, and if its arguments have no names or
    describe a network larger than any here.
    """
    _, record_file = _file_pair(path)
    try:
        record = parse_json(read_plain(record_file))
    except (OSError, ValueError) as fault:
        raise DataError(f"{record_file}: not a readable record of weights ({fault})") from fault
    missing = [n for n in RECORD_FIELDS if not isinstance(record, dict) or n not in record]
    if missing:
        raise DataError(f"{record_file}: the record of weights lacks {', '.join(missing)}")
    if not isinstance(record["arguments"], dict):
        raise DataError(f"{record_file}: arguments is {record['arguments']!r}; expected names with values")
    for name, value in record["arguments"].items():
        if _total(value) > LARGEST_ARGUMENT:
            raise DataError(f"{record_file}: arguments.{name} is {value}, more than {LARGEST_ARGUMENT:,}")
    return record


def _total(value: object) -> float:
    """Return the sum of the numbers in an argument; each counts as at least one."""
    if isinstance(value, list | dict):
        return sum(map(_total, value.values() if isinstance(value, dict) else value))
    return max(1.0, value) if isinstance(value, int | float) else 1.0


def load_weights(path: Path | str) -> nn.Module:
    """Read a network that ``save_weights`` wrote.

    Parameters
    ----------
    path : Path or str
        With either suffix or none.

    Returns
    -------
    torch.nn.Module
        On the CPU and in evaluation mode.

    Raises
    ------
    DataError
        A file is absent, cut short, changed or belongs to another record, or the architecture is unknown.
    """
    record = read_record(path)
    weights_file, record_file = _file_pair(path)
    name = str(record["architecture"])
    if (architecture := _architecture(name)) is None:
        raise DataError(f"{record_file}: unknown architecture {name!r}; known: {', '.join(ARCHITECTURES)}")
    try:
        content = read_plain(weights_file, LARGEST_WEIGHTS)
    except OSError as fault:
        raise DataError(f"{weights_file}: not readable ({fault})") from fault
    if hashlib.sha256(content).hexdigest() != record["sha256"]:
        raise DataError(
            f"{weights_file}: its content ({len(content):,} bytes) does not match the checksum in "
            f"{record_file.name}: it was cut short, changed, or belongs to another record; put back the "
            "right file, or train again"
        )
    try:
        absent = {name: torch.tensor(torch.nan).expand(n) for name, n in record.get("without", {}).items()}
        tensors = absent | widened(tensors_from_bytes(content))
        # Reading a file must not change the random state.
        with torch.random.fork_rng(devices=[]):
            with torch.device("meta"):  # without memory: the file may not fit
                architecture(**record["arguments"]).load_state_dict(tensors, assign=True)
            model = architecture(**record["arguments"])  # the weights drawn here are overwritten
        model.load_state_dict(tensors)
    except _UNFIT as fault:
        raise DataError(
            f"{weights_file}: does not hold the weights of {name} with the arguments in {record_file.name} "
            f"({fault})"
        ) from fault
    return model.eval()
