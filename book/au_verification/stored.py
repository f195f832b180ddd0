"""Evaluations of single networks, stored in the cache so that an interrupted reference continues."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from torch import nn

from book.au_verification.examine import Examined, Questions
from book.checkpoints import checkpoint

PROCEDURE = 2
"""To be raised with every change of what ``examine`` computes, so that nothing older is read."""

ARRAYS = ("claimed", "strength", "caused", "overall", "elsewhere", "effects", "also_claimed")


def weights_digest(model: nn.Module) -> str:
    """SHA-256 (hex) of the names and values of a network's tensors."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.detach().cpu().contiguous().float().numpy().tobytes())
    return digest.hexdigest()


def evaluation(
    model: nn.Module,
    place: tuple[str, int],
    about: tuple[str, str, int],
    queries: Questions,
    *,
    measures: Sequence[str],
    compute: Callable[[], Examined],
) -> Examined:
    """The stored evaluation of a network, or that of ``compute``.

    Parameters
    ----------
    model : torch.nn.Module
        Known by its weights.
    place : (str, int)
        The layer, and which half of its channels: 1 for random mixtures.
    about : (str, str, int)
        Group, structure and seed, as ``Examined`` has them.
    """

    def arrays() -> dict[str, np.ndarray]:
        own = compute()
        held = {name: getattr(own, name) for name in ARRAYS if getattr(own, name) is not None}
        return held | {f"named_{name}": value for name, value in own.named.items()}

    inputs = {
        "procedure": PROCEDURE,
        "weights": weights_digest(model),
        "place": [*place, [*measures]],
        "pictures": [faces and faces.checksum for faces in queries.face_sets],
        "settings": [queries.measure, queries.permutations, queries.seed, [*queries.aus], queries.blocks],
        "present": queries.shown.present,
        "clear": queries.clear and queries.clear.present,
    }
    held = checkpoint("evaluations", inputs, (), arrays)
    named = {name.removeprefix("named_"): value for name, value in held.items() if name.startswith("named_")}
    own = {name: held.get(name) for name in ARRAYS}
    return Examined(*about, aus=queries.aus, named=named, asked=queries.people, **own)
