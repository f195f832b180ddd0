"""The maximal response of every filter to every picture, the pictures that drive it most, and the filters'
ranking.

A filter's **maximal response** m to a picture is the largest value of its feature map (Khorrami et al. 2015,
section 4; Zhu et al. 2019 call it the map's extremum); its **position** is where in the map that value
stands.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import nn

from fer_lib.faces.faceset import FaceSet
from fer_lib.look.layers import find_layer
from fer_lib.nets.evaluating import evaluating
from ferbook.errors import DataError, ParameterError

QUADRANTS = ("upper left", "upper right", "lower left", "lower right")
"""The quarters of a map as one sees them, in the order in which the zero-bias CNN's last pooling flattens
them.
"""


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


@dataclass(frozen=True)
class QuadrantResponses:
    """As ``Responses``, for each quarter of the maps in the order of ``QUADRANTS``.

    ``maxima`` float32 (N, K, 4); ``positions`` int16 (N, K, 4, 2), counted in the whole map.
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
    arrays = _reduced(model, faces, names, _peak, (), device, batch_size)
    found = tuple(Responses(name, *three) for name, three in zip(names, arrays, strict=True))
    return found[0] if isinstance(layers, str) else found


def quadrant_maxima(
    model: nn.Module,
    faces: FaceSet,
    layer: str,
    *,
    device: torch.device | str | None = None,
    batch_size: int = 32,
) -> QuadrantResponses:
    """The largest value and its place in each quarter of every feature map of ``layer``, as the zero-bias
    CNN's last pooling takes them.

    Of a map of odd height or width the lower or right quarters have the middle row or column. Otherwise as
    ``maximal_responses``; ParameterError also for maps with fewer than two rows or columns.
    """
    (arrays,) = _reduced(model, faces, (layer,), _quadrant_peaks, (4,), device, batch_size)
    return QuadrantResponses(layer, *arrays)


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


_Reduction = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""From maps (B, K, h, w) to the values (B, K, …) that are kept, and their places in the flattened map."""


def _peak(maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return maps.flatten(2).max(dim=2)


def _quadrant_peaks(maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    height, width = maps.shape[2:]
    values, places = [], []
    for top, bottom in ((0, height // 2), (height // 2, height)):
        for left, right in ((0, width // 2), (width // 2, width)):
            value, place = _peak(maps[:, :, top:bottom, left:right])
            row, column = place // (right - left), place % (right - left)
            values.append(value)
            places.append((top + row) * width + left + column)
    return torch.stack(values, dim=2), torch.stack(places, dim=2)


def _reduced(
    model: nn.Module,
    faces: FaceSet,
    names: tuple[str, ...],
    reduction: _Reduction,
    parts: tuple[int, ...],
    device: torch.device | str | None,
    batch_size: int,
) -> list[tuple[np.ndarray, np.ndarray, tuple[int, int]]]:
    """Per layer: values float32 (N, K, *parts), positions int16 (N, K, *parts, 2) and the maps' size."""
    if not names:
        raise ParameterError("no layer is named; give at least one")
    if batch_size < 1:
        raise ParameterError(f"batch_size {batch_size}: give at least 1")
    if not len(faces):
        raise DataError(f"face set {faces.name!r} holds no picture to ask the network about")
    layers = {name: find_layer(model, name) for name in names}
    with _asked(model, device) as like:
        shapes = _map_shapes(model, layers, _pictures(faces, 0, 1, like))
        if parts:
            _require_quarters(shapes)
        values = {name: np.empty((len(faces), shapes[name][0], *parts), np.float32) for name in layers}
        places = {name: np.empty(values[name].shape, np.int32) for name in layers}
        for start in range(0, len(faces), batch_size):
            stop = min(start + batch_size, len(faces))
            pictures = _pictures(faces, start, stop, like)
            for name, (value, place) in _pass(model, layers, reduction, pictures).items():
                values[name][start:stop] = value.float().cpu().numpy()
                places[name][start:stop] = place.cpu().numpy()
                _require_finite(values[name][start:stop], name, faces, start)
    found = []
    for name in names:
        positions = np.stack(np.divmod(places[name], shapes[name][2]), axis=-1).astype(np.int16)
        found.append((values[name], positions, shapes[name][1:]))
    return found


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


class _Enough(Exception):
    """Thrown by a hook to leave a forward pass whose remaining layers nobody asks for."""


def _pass(
    model: nn.Module, layers: dict[str, nn.Module], reduction: _Reduction, pictures: torch.Tensor
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Values and places of ``pictures`` (B, 1, H, W) by layer, from a pass that ends behind the last of
    ``layers``.
    """
    found: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, __: object, maps: torch.Tensor) -> None:
            # Reduced here: of several layers, no two have their maps in memory on our account.
            found[name] = reduction(maps)
            if len(found) == len(layers):
                raise _Enough

        return hook

    with _hooked([(layer, keep(name)) for name, layer in layers.items()]), suppress(_Enough):
        model(pictures)
    return found


def _map_shapes(
    model: nn.Module, layers: dict[str, nn.Module], pictures: torch.Tensor
) -> dict[str, tuple[int, int, int]]:
    """Filters, height and width of the maps of each layer, from a whole pass; ParameterError where one works
    more than once.
    """
    seen: dict[str, list[tuple[int, ...]]] = {name: [] for name in layers}

    def note(name: str) -> Callable[..., None]:
        return lambda _, __, maps: seen[name].append(tuple(maps.shape[1:]))

    with _hooked([(layer, note(name)) for name, layer in layers.items()]):
        model(pictures)
    for name, shapes in seen.items():
        if len(shapes) != 1:
            raise ParameterError(
                f"layer {name!r} works {len(shapes)} times while a picture passes, so its maps are not one "
                "stack; "
                "give the network one module per use"
            )
    return {name: shapes[0] for name, shapes in seen.items()}


@contextmanager
def _hooked(hooks: list[tuple[nn.Module, Callable[..., None]]]) -> Iterator[None]:
    handles = [layer.register_forward_hook(hook) for layer, hook in hooks]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _pictures(faces: FaceSet, start: int, stop: int, like: torch.Tensor) -> torch.Tensor:
    """Pictures ``start`` to ``stop`` - 1, (B, 1, H, W) in [0, 1], of the type and on the device of ``like``."""
    pixels = torch.from_numpy(faces.gather(np.arange(start, stop)))
    return pixels.to(like.device).unsqueeze(1).float().div_(255).to(like.dtype)


def _require_quarters(shapes: dict[str, tuple[int, int, int]]) -> None:
    for name, (_, height, width) in shapes.items():
        if min(height, width) < 2:
            raise ParameterError(
                f"layer {name!r} has maps of {height} × {width} values, which have no quarters; choose a "
                "layer before it"
            )


def _require_finite(values: np.ndarray, name: str, faces: FaceSet, start: int) -> None:
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        picture, number = wrong[0, :2]
        raise DataError(
            f"layer {name!r}, filter {number}: the response to picture {start + picture} of face set "
            f"{faces.name!r} is "
            f"{values[tuple(wrong[0])]}; expected a finite number; load or train the network again"
        )
