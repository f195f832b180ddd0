"""Where is the expression? What a generator's layers do differently when a face moves, brought to the picture, beside the skin that has moved.

De-expression residue learning (Yang, Ciftci and Yin 2018) says that what a generator takes off a face stays in its layer pairs. A map
of it must not show the person, whom the layers hold too. Channels of encoder and decoder cannot be subtracted one from the other: without skip
connections nothing makes the k-th filter of the one see what the k-th of the other sees. Compared are therefore the same channels for two
pictures, one with the expression and one of the same person at rest. N pairs of such pictures of H × W pixels.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Literal, get_args

import cv2
import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F

from fer_lib.errors import DataError, ParameterError
from fer_lib.explain.localise import scores, summarise
from fer_lib.explain.placement import area_share, energy_share
from fer_lib.explain.regions import region_aus, regions_of
from fer_lib.faces.faceset import FaceSet
from fer_lib.learn.loaders import FaceBatches
from fer_lib.models.derl import Generator
from fer_lib.models.evaluating import evaluating
from fer_lib.resampling import bootstrap_interval, cluster_sums

Side = Literal["both", "encoder", "decoder"]

PIXELS = "pixels"
"""Name of the map that no layer has: the difference of the two pictures, the plain rival of the residue."""

SHOWN, NOT_SHOWN = "shown", "not shown"
"""The skin that the action units of a picture move, and the rest of the skin that the set's other action units would move."""

KINDS: dict[str, str] = {
    "ours": "the map itself in the skin that the picture's action units move",
    "not_shown": "the map in the skin of action units that the picture does not show",
    "other_expression": "the map of a picture with another expression, in this picture's skin",
    "edges": "the picture's edges",
    "centre": "a bell in the middle",
    "random": "noise",
}
"""The maps and their controls, by name, see ``explain.controls``."""

_RENAMED = {"wrong_au": "not_shown", "other_filter": "other_expression"}

FEWEST_SUBJECTS = 8
"""An action unit is located only where so many people show it, and as many are seen without it."""

OPENING = 1 / 8
"""Half of the widest opening that counts as part of the skin around it, as a share of the picture's height.

Masks are of skin, but a picture changes most where lids and lips open, and what then shows is no skin. Without the openings, on ``lab`` at 48 pixels
the plain difference of the pictures has less of its energy in the skin of AU27 (mouth stretch) when the mouth is wide open than when it is not.
"""

AT_ONCE = 128
"""Pictures whose masks of all action units are in memory at a time."""


def residue_maps(
    generator: Generator,
    pictures: np.ndarray,
    neutrals: np.ndarray,
    *,
    side: Side = "both",
    batch_size: int = 64,
    device: torch.device | str = "cpu",
) -> dict[str, np.ndarray]:
    """How much each layer pair changes between ``pictures`` and ``neutrals`` of the same people, place by place: by name float32 (N, H, W), 0 or more.

    ``pictures`` and ``neutrals`` uint8 (N, H, W), best of one take, or head pose and light are mapped as well; where no neutral picture is known, what the
    ``generator`` makes of the picture may stand for it. At each place the root mean square over the channels of the change, each channel in units of its standard
    deviation over all pictures, neutral or not, and all places: else a few loud channels were the map. A channel that is the same everywhere counts for
    nothing. ``side``: the maps of the encoder, of the decoder, or of both, as the residue has them; the decoder of a generator that
    took the expression off altogether would no longer change. Enlarged bilinearly to the picture, pixels in their places, so maps of small layers
    are coarse: one of 3 × 3 places can only say in which ninth. Last, under ``PIXELS``, the absolute difference of the pictures, in [0, 1].

    In evaluation mode; the generator is moved to ``device`` and its mode stays as it was. Raises DataError where pictures and neutrals do not fit each other
    or there are none; ParameterError for another ``side`` and as the generator does.
    """
    if side not in get_args(Side):
        raise ParameterError(f"side {side!r}: give {', '.join(get_args(Side))}")
    if pictures.shape != neutrals.shape or pictures.ndim != 3 or not len(pictures):
        raise DataError(
            f"pictures {pictures.shape} and neutrals {neutrals.shape}; give uint8 (N, H, W) of each, at least one"
        )
    generator.to(device)
    with evaluating(generator):
        scales = _scales(chain(*_both(generator, pictures, neutrals, side, batch_size, device)))
        found: dict[str, list[np.ndarray]] = {}
        pairs = _both(generator, pictures, neutrals, side, batch_size, device)
        for one, other in zip(*pairs, strict=True):
            for name, maps in one.items():
                change = ((maps - other[name]) / scales[name]).square().mean(dim=1, keepdim=True).sqrt()
                enlarged = F.interpolate(change, pictures.shape[1:], mode="bilinear", align_corners=False)
                found.setdefault(name, []).append(enlarged[:, 0].cpu().numpy())
    maps = {name: np.concatenate(parts) for name, parts in found.items()}
    return maps | {PIXELS: np.abs(pictures.astype(np.float32) - neutrals) / 255}


def changes_by_side(
    generator: Generator,
    pictures: np.ndarray,
    neutrals: np.ndarray,
    subjects: Sequence[str],
    *,
    draws: int = 1000,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> pd.DataFrame:
    """How much each pair's encoder layer changes with the expression, and how much of it its decoder layer still does: one row per pair.

    ``pictures`` and ``neutrals`` uint8 (N, H, W) as for ``residue_maps``, of ``subjects`` (N,). ``layer``; ``encoder`` and ``decoder``, the mean of the maps of that side, in
    standard deviations of its channels; ``ratio`` = decoder / encoder with ``low`` and ``high`` from a bootstrap over subjects (NaN where there is none). A
    decoder that makes the same neutral face of both pictures has 0; one that hands the expression on has about 1. Raises as ``residue_maps``, and DataError
    where there are not as many subjects as pictures.
    """
    means = {}
    for side in ("encoder", "decoder"):
        maps = residue_maps(generator, pictures, neutrals, side=side, device=device)
        means[side] = {layer: its.mean(axis=(1, 2)) for layer, its in maps.items() if layer != PIXELS}
    rows = []
    for layer in means["encoder"]:
        encoder, decoder = (means[side][layer].astype(float) for side in ("encoder", "decoder"))
        sums = cluster_sums(np.stack([decoder, encoder], axis=1), subjects)
        interval = bootstrap_interval(_ratio, sums, draws=draws, seed=seed)
        low, high = (np.nan if end is None else end for end in (interval.low, interval.high))
        row = {"layer": layer, "encoder": encoder.mean(), "decoder": decoder.mean()}
        rows.append(row | {"ratio": _ratio(sums.sum(axis=0)[None])[0], "low": low, "high": high})
    return pd.DataFrame(rows)


def _ratio(totals: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return totals[:, 0] / totals[:, 1]


def locate_residues(
    maps: Mapping[str, np.ndarray],
    faces: FaceSet,
    rows: np.ndarray,
    *,
    present_from: float = 0.0,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """How well the maps of each layer find the skin that the expression moves, beside every control: one row per layer, measure and kind.

    ``maps``: by layer (N, H, W), as ``residue_maps`` gives them; ``rows`` (N,): the pictures of ``faces`` that they are of. The region of a picture is all skin
    that its action units with an intensity above ``present_from`` move (``explain.regions``), and the ``OPENING`` of mouth or eyes that it surrounds. One picture per sequence will do: frames of one are alike.

    ``layer``, ``measure`` (``explain.localise.MEASURES``), ``kind`` (``KINDS``), and ``value`` to ``subjects`` as in ``explain.localise.summarise``; the share of two
    regions of unequal size is compared by the measure ``concentration``. Pictures that show no action unit are left out.

    Raises DataError where a map's shape does not fit, ``faces`` has no action units or regions, no picture shows one, or fewer than two people do.
    """
    coded = _intensities(faces, rows, maps)
    shown = coded > present_from
    keep = np.flatnonzero(shown.any(axis=1).to_numpy())
    if not len(keep):
        raise DataError(
            f"face set {faces.name!r}: none of the {len(rows)} pictures shows an action unit above {present_from}"
        )
    regions = np.empty((len(keep), 2, *faces.size), bool)
    for own, skin in _skin(faces, np.asarray(rows)[keep], tuple(coded)):
        visible = shown.to_numpy()[keep][own, :, None, None]
        moved = _closed((skin & visible).any(axis=1))
        regions[own] = np.stack([moved, _closed(skin.any(axis=1)) & ~moved], axis=1)
    chosen = faces.select(np.asarray(rows)[keep])
    expressions = pd.factorize(chosen.table["emotion"])[0]
    subjects = _named(chosen)
    tables = []
    for layer, its in maps.items():
        scored = scores(
            its[keep],
            regions,
            (SHOWN, NOT_SHOWN),
            [SHOWN] * len(keep),
            subjects,
            expressions,
            chosen.pixels,
            seed=seed,
        )
        summary = summarise(scored, draws=draws, seed=seed)
        tables.append(summary.assign(layer=layer, kind=summary["kind"].replace(_RENAMED)))
    return _layer_first(pd.concat(tables, ignore_index=True))


def locate_units(
    maps: Mapping[str, np.ndarray],
    faces: FaceSet,
    rows: np.ndarray,
    *,
    present_from: float = 0.0,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Whether the maps of each layer have more energy in an action unit's skin when it is shown than when it is not: one row per layer and AU.

    Arguments as ``locate_residues``. ``layer``, ``au``; ``shown`` and ``not_shown``, the mean share of the map's energy in the unit's region of pictures that show it and of
    those coded without it; ``area``, the mean share of the picture that the region covers; ``gain`` = shown less not shown, with ``low`` and ``high``
    from a bootstrap over subjects (NaN where there is none); ``n_shown``, ``n_not_shown``, pictures; ``subjects``, who show it. The other pictures tell what the
    map has there anyway, but not which of several units that are shown together it answers to; and shares add up to one, so a unit that comes with
    large movements elsewhere may have less of the energy when it is shown.

    AUs that fewer than ``FEWEST_SUBJECTS`` people show, or are seen without, are left out. Raises as ``locate_residues``, and DataError where
    all are left out.
    """
    coded = _intensities(faces, rows, maps)
    subjects = _named(faces.select(rows))
    present = np.where(coded.isna(), np.nan, coded > present_from)
    people = [[len(np.unique(subjects[column == state])) for state in (1, 0)] for column in present.T]
    kept = [a for a, counts in enumerate(people) if min(counts) >= FEWEST_SUBJECTS]
    if not kept:
        raise DataError(
            f"face set {faces.name!r}: no action unit is shown by {FEWEST_SUBJECTS} people and seen without by as many; take more pictures"
        )
    aus = [list(coded)[a] for a in kept]
    shares = {layer: np.empty((len(rows), len(aus))) for layer in maps}
    covered = np.empty((len(rows), len(aus)))
    for own, skin in _skin(faces, np.asarray(rows), aus):
        skin = _closed(skin)
        covered[own] = area_share(skin)
        for layer, its in maps.items():
            shares[layer][own] = energy_share(its[own], skin)
    areas = np.ma.masked_invalid(covered).mean(axis=0).filled(np.nan)
    found = []
    for layer, share in shares.items():
        for column, (a, au) in enumerate(zip(kept, aus, strict=True)):
            values, state = share[:, column], present[:, a]
            sides = [(state == side) & np.isfinite(values) for side in (1, 0)]
            means = [values[side].mean() if side.any() else np.nan for side in sides]
            sums = np.stack(
                [part for side in sides for part in (np.where(side, values, 0), side)], axis=1
            ).astype(float)
            interval = bootstrap_interval(_difference, cluster_sums(sums, subjects), draws=draws, seed=seed)
            low, high = (np.nan if end is None else end for end in (interval.low, interval.high))
            row = {"layer": layer, "au": au, "shown": means[0], "not_shown": means[1]}
            row |= {"area": areas[column], "gain": means[0] - means[1], "low": low, "high": high}
            row |= {"n_shown": int(sides[0].sum()), "n_not_shown": int(sides[1].sum())}
            found.append(row | {"subjects": people[a][0]})
    return pd.DataFrame(found)


def _difference(totals: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return totals[:, 0] / totals[:, 1] - totals[:, 2] / totals[:, 3]


def _both(
    generator: Generator, pictures: np.ndarray, neutrals: np.ndarray, *further: object
) -> tuple[Iterator[dict[str, torch.Tensor]], Iterator[dict[str, torch.Tensor]]]:
    return _layers(generator, pictures, *further), _layers(generator, neutrals, *further)


def _layers(
    generator: Generator, pictures: np.ndarray, side: Side, batch_size: int, device: torch.device | str
) -> Iterator[dict[str, torch.Tensor]]:
    """Batch by batch the maps (B, C, h, w) of each pair, of the ``side`` asked for."""
    for batch, _ in FaceBatches(pictures, np.zeros(len(pictures), np.int64), batch_size, device=device):
        pairs = generator.maps(batch)[1]
        if side == "both":
            yield {name: torch.cat(pair, dim=1) for name, pair in pairs.items()}
        else:
            yield {name: pair[get_args(Side).index(side) - 1] for name, pair in pairs.items()}


def _scales(batches: Iterator[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """By pair (1, C, 1, 1): the standard deviation of each channel over pictures and places; infinite where it does not vary."""
    totals: dict[str, torch.Tensor] = {}
    counts: dict[str, int] = {}
    for batch in batches:
        for name, maps in batch.items():
            exact = maps.double()
            sums = torch.stack([exact.sum(dim=(0, 2, 3)), exact.square().sum(dim=(0, 2, 3))])
            totals[name] = totals.get(name, 0) + sums
            counts[name] = counts.get(name, 0) + maps[:, 0].numel()
    scales = {}
    for name, (total, squares) in totals.items():
        mean = total / counts[name]
        variance = squares / counts[name] - mean**2
        varies = variance > 1e-10 * mean**2
        scale = torch.where(varies, variance.clamp(min=0).sqrt(), torch.inf)
        scales[name] = scale.float()[None, :, None, None]
    return scales


def _intensities(faces: FaceSet, rows: np.ndarray, maps: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """The intensities of the AUs that have regions, of the pictures ``rows``."""
    for layer, its in maps.items():
        if np.shape(its) != (len(rows), *faces.size):
            raise DataError(
                f"map {layer!r}: {np.shape(its)}; expected {(len(rows), *faces.size)}, one per row"
            )
    aus = [au for au in region_aus(faces) if au in faces.aus]
    if not aus:
        raise DataError(
            f"face set {faces.name!r} has no action units with regions; take a synthetic set, or a real one with AU codes and landmarks, such as ckplus"
        )
    return faces.table[aus].iloc[rows].astype(float).reset_index(drop=True)


def _skin(faces: FaceSet, rows: np.ndarray, aus: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Part by part the places in ``rows`` and the regions bool (n, A, H, W): all at once would fill the memory."""
    for start in range(0, len(rows), AT_ONCE):
        own = np.arange(start, min(start + AT_ONCE, len(rows)))
        yield own, regions_of(faces, rows[own], aus)


def _closed(regions: np.ndarray) -> np.ndarray:
    """``regions`` bool (..., H, W) with the openings that they surround: the morphological closing by a disc."""
    height, width = regions.shape[-2:]
    radius = max(1, round(OPENING * height))
    reach = np.arange(-radius, radius + 1)
    disc = (np.hypot(reach[:, None], reach) <= radius).astype(np.uint8)
    closed = np.empty_like(regions)
    for index in np.ndindex(regions.shape[:-2]):
        # With room around it, or the picture's edge would surround things too.
        padded = np.pad(regions[index].view(np.uint8), radius)
        filled = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, disc)
        closed[index] = filled[radius : radius + height, radius : radius + width]
    return closed


def _named(faces: FaceSet) -> np.ndarray:
    """(N,) text: who is shown; a picture of nobody named stands for itself."""
    names = faces.table["subject"]
    return names.where(names != "", "picture " + names.index.astype("str")).to_numpy(object).astype(str)


def _layer_first(table: pd.DataFrame) -> pd.DataFrame:
    return table[["layer", *(column for column in table if column != "layer")]]
