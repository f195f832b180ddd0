"""The maximal response of every filter to every picture, the pictures that drive it most, and the filters'
ranking.

A filter's **maximal response** m to a picture is the largest value of its feature map (Khorrami et al. 2015,
section 4; Zhu et al. 2019 call it the map's extremum); its **position** is where in the map that value
stands.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import nn

from fer_lib.faces.faceset import FaceSet
from fer_lib.look.layers import find_layer
from fer_lib.nets.evaluating import evaluating
from ferbook.errors import DataError, ParameterError


@dataclass(frozen=True)
class Responses:
    """What ``maximal_responses`` finds at one ``layer`` with K filters, of N pictures.

    ``maxima`` float32 (N, K): m of each picture and filter, in the units of the layer's output. ``positions``
    int16 (N, K, 2): row and column of the maximum in the map, the first in reading order of equal ones, so
    (0, 0) where a rectified map is all zero. ``map_size``: height and width of a map.
    """

    layer: str
    maxima: np.ndarray
    positions: np.ndarray
    map_size: tuple[int, int]


def maximal_responses(
    model: nn.Module,
    faces: FaceSet,
    layers: str | Sequence[str],
    *,
    device: torch.device | str | None = None,
    batch_size: int = 32,
) -> Responses | tuple[Responses, ...]:
    """The largest value and its place of every feature map of ``layers``, for every picture of ``faces``, in
    one pass.

    ``layers``: one dotted name, or several, which give a tuple in their order. Only (N, K) values are kept,
    and pictures are read batch by batch (of 32: on a CPU more take longer and need more memory). The network
    is asked in evaluation mode, on ``device`` (None: where it is) and in its own precision; afterwards its
    mode, place and hooks are as they were, also after an exception.

    Raises ParameterError for no layer, an unknown one (listing all), or one that works more than once per
    pass; DataError for an empty face set, and for NaN or infinite responses (it names layer, filter and
    picture).
    """
    names = (layers,) if isinstance(layers, str) else tuple(layers)
    if not names:
        raise ParameterError("no layer is named; give at least one")
    if batch_size < 1:
        raise ParameterError(f"batch_size {batch_size}: give at least 1")
    if not len(faces):
        raise DataError(f"face set {faces.name!r} holds no picture to ask the network about")
    wanted = {name: find_layer(model, name, once=True) for name in names}
    parts: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in names}
    sizes: dict[str, tuple[int, int]] = {}
    for start, found in _passes(model, wanted, faces, device, batch_size):
        for name, (values, places, sizes[name]) in found.items():
            parts[name].append((values, places))
            _require_finite(values, name, faces, start)
    kept = []
    for name in names:
        maxima, places = (np.concatenate(part) for part in zip(*parts[name], strict=True))
        positions = np.stack(np.divmod(places, sizes[name][1]), axis=-1).astype(np.int16)
        kept.append(Responses(name, maxima, positions, sizes[name]))
    return kept[0] if isinstance(layers, str) else tuple(kept)


def top_pictures(responses: Responses, subjects: np.ndarray | pd.Series, count: int = 9) -> np.ndarray:
    """The ``count`` pictures that drive each filter most, strongest first, at most one of each subject: int64
    (K, ``count``).

    ``subjects`` (N,) as in the table of the face set; a picture with an empty subject counts as a subject of
    its own. Without the limit the nine strongest are often frames of one sequence. Equal responses stand in
    the pictures' order; -1 fills up where there are fewer pictures that drive the filter above zero. Raises
    DataError where ``subjects`` does not fit, ParameterError for a ``count`` below 1.
    """
    if count < 1:
        raise ParameterError(f"count {count}: give the number of pictures per filter, at least 1")
    n, k = responses.maxima.shape
    names = np.asarray(subjects, dtype=object)
    if names.shape != (n,):
        raise DataError(
            f"subjects has shape {names.shape} for responses to {n} pictures; give one per picture, in "
            "their order"
        )
    own = np.arange(n)
    codes = np.where(names == "", own + n, pd.factorize(names)[0])
    order = np.argsort(-responses.maxima, axis=0, kind="stable")
    top = np.full((k, count), -1, dtype=np.int64)
    for number in range(k):
        rows = order[:, number]
        rows = rows[responses.maxima[rows, number] > 0]
        firsts = np.unique(codes[rows], return_index=True)[1]
        chosen = rows[np.sort(firsts)[:count]]
        top[number, : len(chosen)] = chosen
    return top


def rank_filters(responses: Responses, top: np.ndarray) -> pd.DataFrame:
    """One row per filter, the one with the highest response first, as Khorrami et al. 2015 chose the ten that
    they show.

    ``top`` (K, count) is what ``top_pictures`` gave. Columns: ``filter``; ``strongest``, its largest response
    to any picture; ``pictures``, how many top pictures it has; ``mean_top``, its mean response to them;
    ``mean``, that to all pictures; ``share_active``, the share of pictures with a response above 0;
    ``selectivity``, the lifetime sparseness (Vinje and Gallant 2000) of the responses r, negative ones
    counted as 0: (1 − mean(r)² / mean(r²)) / (1 − 1/N), which is 0 for equal responses to all pictures and 1
    for a response to only one.

    A filter that never responds is listed last, with 0 ``pictures``, and NaN for ``mean_top`` and
    ``selectivity``. Filters of equal strength stand in order of their number. Raises DataError where ``top``
    does not fit.
    """
    maxima = responses.maxima.astype(np.float64)
    n, k = maxima.shape
    if top.ndim != 2 or len(top) != k or top.min(initial=-1) < -1 or top.max(initial=-1) >= n:
        raise DataError(
            f"top has shape {top.shape} for {k} filters and {n} pictures; give what top_pictures gave for "
            "these responses"
        )
    there = top >= 0
    pictures = there.sum(axis=1)
    driven = np.where(there, maxima[top, np.arange(k)[:, None]], 0).sum(axis=1)
    rectified = maxima.clip(min=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        selectivity = (1 - rectified.mean(axis=0) ** 2 / (rectified**2).mean(axis=0)) / (1 - 1 / n)
        mean_top = driven / pictures
    table = pd.DataFrame(
        {
            "filter": np.arange(k),
            "strongest": maxima.max(axis=0),
            "pictures": pictures,
            "mean_top": mean_top,
            "mean": maxima.mean(axis=0),
            "share_active": (maxima > 0).mean(axis=0),
            "selectivity": selectivity,
        }
    )
    return table.sort_values("strongest", ascending=False, kind="stable", ignore_index=True)


class _Enough(Exception):
    """Thrown by a hook to leave a forward pass whose remaining layers nobody asks for."""


def _passes(
    model: nn.Module,
    layers: dict[str, nn.Module],
    faces: FaceSet,
    device: torch.device | str | None,
    batch_size: int,
) -> Iterator[tuple[int, dict[str, tuple[np.ndarray, np.ndarray, tuple[int, int]]]]]:
    """For each batch the number of its first picture, and by layer maxima float32 (B, K), their places in the
    flattened maps, and the maps' size; each pass ends behind the last of ``layers``.
    """
    found: dict[str, tuple[np.ndarray, np.ndarray, tuple[int, int]]] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, __: object, maps: torch.Tensor) -> None:
            # Reduced here: of several layers, no two have their maps in memory on our account.
            values, places = maps.flatten(2).max(dim=2)
            found[name] = (values.float().cpu().numpy(), places.cpu().numpy(), tuple(maps.shape[2:]))
            if len(found) == len(layers):
                raise _Enough

        return hook

    with _asked(model, device) as like, ExitStack() as hooks:
        for name, layer in layers.items():
            hooks.callback(layer.register_forward_hook(keep(name)).remove)
        for start in range(0, len(faces), batch_size):
            found.clear()
            pixels = torch.from_numpy(faces.gather(np.arange(start, min(start + batch_size, len(faces)))))
            with suppress(_Enough):
                model(pixels.to(like.device).unsqueeze(1).float().div_(255).to(like.dtype))
            yield start, found


@contextmanager
def _asked(model: nn.Module, device: torch.device | str | None) -> Iterator[torch.Tensor]:
    """``model`` in evaluation mode on ``device`` (None: where it is); afterwards modes and place are as they
    were.

    Gives an empty tensor of the device and floating type in which the network takes its pictures.
    """
    weights = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    home, dtype = weights.device, weights.dtype
    with evaluating(model):
        try:
            if device is not None:
                model.to(device)
            yield torch.empty(0, dtype=dtype, device=home if device is None else device)
        finally:
            if device is not None:
                model.to(home)


def _require_finite(values: np.ndarray, name: str, faces: FaceSet, start: int) -> None:
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        picture, number = wrong[0, :2]
        raise DataError(
            f"layer {name!r}, filter {number}: the response to picture {start + picture} of face set "
            f"{faces.name!r} is {values[tuple(wrong[0])]}; expected a finite number; load or train the "
            "network again"
        )
