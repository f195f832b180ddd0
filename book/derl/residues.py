"""Where is the expression? What a generator's layers do differently when a face moves, brought to the
picture, beside the skin that has moved.

De-expression residue learning (Yang, Ciftci and Yin 2018) says that what a generator takes off a face stays
in its layer pairs. A map of it must not show the person, whom the layers hold too. Channels of encoder and
decoder cannot be subtracted one from the other: without skip connections nothing makes the k-th filter of the
one see what the k-th of the other sees. Compared are therefore the same channels for two pictures, one with
the expression and one of the same person at rest. N pairs of such pictures of H × W pixels.
"""

from collections.abc import Iterator, Mapping
from itertools import chain

import cv2
import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F

from fer_lib.aus.presence import named_alone
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.localisation import scores
from fer_lib.look.regions import region_aus, regions_of
from fer_lib.nets.derl import Generator
from fer_lib.nets.evaluating import evaluating
from fer_lib.stats.resampling import bootstrap, cluster_sums
from fer_lib.train.batches import batches
from ferbook.errors import DataError
from ferbook.estimate import Estimate

PIXEL_MAPS = "pixels"
"""Name of the map that no layer has: the difference of the two pictures, the plain rival of the residue."""

_RENAMED = {"wrong_au": "not_shown", "other_filter": "other_expression"}

WIDEST_OPENING = 1 / 8
"""Half of the widest opening that counts as part of the skin around it, as a share of the picture's height.

Masks are of skin, but a picture changes most where lids and lips open, and what then shows is no skin.
Without the openings, on ``lab`` at 48 pixels the plain difference of the pictures has less of its energy in
the skin of AU27 (mouth stretch) when the mouth is wide open than when it is not.
"""

UNLEARNED = "untrained"
"""The kind of the maps of a generator with its first weights, beside those of ``locate_residues``."""

PICTURES_AT_ONCE = 128
"""Pictures whose masks of all action units are in memory at a time: those of all would fill it."""


def residue_maps(
    generator: Generator,
    pictures: np.ndarray,
    neutrals: np.ndarray,
    *,
    batch_size: int = 64,
    device: torch.device | str = "cpu",
) -> dict[str, np.ndarray]:
    """How much each layer pair changes between ``pictures`` and ``neutrals`` of the same people, place by
    place: by name float32 (N, H, W), 0 or more.

    ``pictures`` and ``neutrals`` uint8 (N, H, W), best of one take, or head pose and light are mapped as
    well; where no neutral picture is known, what the ``generator`` makes of the picture may stand for it. At
    each place the root mean square over the channels of the change, each channel divided by its standard
    deviation over all pictures, neutral or not, and all places: else a few loud channels were the map. A
    channel that is the same everywhere counts for nothing. Enlarged bilinearly to the picture, pixels in
    their places, so maps of small layers are coarse: one of 3 × 3 places can only say in which ninth. Last,
    under ``PIXEL_MAPS``, the absolute difference of the pictures, in [0, 1].

    In evaluation mode; the generator is moved to ``device`` and its mode stays as it was. Raises
    ParameterError as the generator does.
    """

    def answers(faces: np.ndarray) -> Iterator[dict[str, torch.Tensor]]:
        """Batch by batch the maps (B, C, h, w) of each pair, the encoder's channels first."""
        for batch in batches(faces, batch_size, device=device):
            yield generator.residues(batch)

    generator.to(device)
    with evaluating(generator):
        scales = _scales(chain(answers(pictures), answers(neutrals)))
        changes: dict[str, list[np.ndarray]] = {}
        for one, other in zip(answers(pictures), answers(neutrals), strict=True):
            for name, maps in one.items():
                change = ((maps - other[name]) / scales[name]).square().mean(dim=1, keepdim=True).sqrt()
                enlarged = F.interpolate(change, pictures.shape[1:], mode="bilinear", align_corners=False)
                changes.setdefault(name, []).append(enlarged[:, 0].cpu().numpy())
    maps = {name: np.concatenate(parts) for name, parts in changes.items()}
    return maps | {PIXEL_MAPS: np.abs(pictures.astype(np.float32) - neutrals) / 255}


def locate_residues(
    maps: Mapping[str, np.ndarray], faces: FaceSet, *, draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """How well the maps of each layer find the skin that the expression moves, beside every control: one row
    per ``layer`` and ``kind`` with the ``estimate`` of the concentration, the share of the energy that lies
    in that skin over its share of the area.

    ``maps``: by layer (N, H, W), as ``residue_maps`` gives them, of the N pictures of ``faces``. The region
    of a picture is all skin that the action units that it shows move (``look.regions``), and the
    ``WIDEST_OPENING`` of mouth or eyes that it surrounds.

    The kinds: ``ours``, the map itself in the skin that the picture's action units move; ``not_shown``, in
    the skin of those that it does not show; ``other_expression``, the map of a picture with another
    expression in this picture's skin; and ``edges``, ``centre`` and ``random``, see ``look.controls``.
    Pictures that show no action unit are left out.

    Raises DataError where fewer than two people are shown, or none with an action unit that has a region.
    """
    aus = [au for au in region_aus(faces) if au in faces.aus]
    presence = faces.table[aus].gt(0).to_numpy()
    keep = np.flatnonzero(presence.any(axis=1))
    if not len(keep):
        raise DataError(f"face set {faces.name!r}: no picture shows an action unit whose place is known")
    regions = np.empty((len(keep), 2, *faces.size), bool)
    for start in range(0, len(keep), PICTURES_AT_ONCE):
        part = keep[start : start + PICTURES_AT_ONCE]
        skin = regions_of(faces, part, aus)
        target = _closed((skin & presence[part, :, None, None]).any(axis=1))
        still = _closed(skin.any(axis=1)) & ~target
        regions[start : start + PICTURES_AT_ONCE] = np.stack([target, still], axis=1)
    subset = faces.select(keep)
    people, emotions = named_alone(subset.table["subject"]), pd.factorize(subset.table["emotion"])[0]
    rows = []
    for layer, its in maps.items():
        scored = scores(its[keep], regions[:, 0], regions[:, 1:], people, emotions, subset.pixels, seed=seed)
        rows += [
            (layer, _RENAMED.get(kind, kind), _concentration(part, draws, seed))
            for kind, part in scored.groupby("kind", sort=False)
        ]
    return pd.DataFrame(rows, columns=["layer", "kind", "estimate"])


def _concentration(scored: pd.DataFrame, draws: int, seed: int) -> Estimate | None:
    """The energy over the area of all rows in which both are defined, with its interval over people; None
    where there is none.
    """
    shares = scored[["energy_share", "area_share"]].to_numpy(float)
    defined = np.isfinite(shares).all(axis=1)
    sums = cluster_sums(np.where(defined[:, None], shares, 0), scored["subject"])
    if not defined.any():
        return None
    return bootstrap(sums, draws=draws, seed=seed, n=defined.sum(), tolerance=0.3)


def _scales(batches: Iterator[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """By pair (1, C, 1, 1): the standard deviation of each channel over pictures and places; infinite where
    it does not vary.
    """
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


def _closed(regions: np.ndarray) -> np.ndarray:
    """``regions`` bool (..., H, W) with the openings that they surround: the morphological closing by a
    disc.
    """
    height, width = regions.shape[-2:]
    radius = max(1, round(WIDEST_OPENING * height))
    reach = np.arange(-radius, radius + 1)
    disc = (np.hypot(reach[:, None], reach) <= radius).astype(np.uint8)
    closed = np.empty_like(regions)
    for index in np.ndindex(regions.shape[:-2]):
        # With room around it, or the picture's edge would surround things too.
        padded = np.pad(regions[index].view(np.uint8), radius)
        filled = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, disc)
        closed[index] = filled[radius : radius + height, radius : radius + width]
    return closed


def place_residues(
    maps: Mapping[str, np.ndarray],
    untrained: Mapping[str, np.ndarray],
    faces: FaceSet,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame | None:
    """``locate_residues`` of the trained generator's ``maps``, and as a further kind ``UNLEARNED`` what the
    maps of an ``untrained`` one reach; None where it is not known of ``faces`` which units are shown, or
    where on the face they act.
    """
    if not any(au in faces.aus and faces.table[au].gt(0).any() for au in region_aus(faces)):
        return None
    blank = {layer: its for layer, its in untrained.items() if layer != PIXEL_MAPS}
    own, null = (locate_residues(each, faces, draws=draws, seed=seed) for each in (maps, blank))
    return pd.concat([own, null[null["kind"].eq("ours")].assign(kind=UNLEARNED)], ignore_index=True)


def place_metrics(table: pd.DataFrame | None) -> dict[str, Estimate]:
    """``<layer>_concentration``: how many times as much of the energy of a layer's maps lies in the skin that
    moves as its area would give (``pixels`` for the plain difference); ``<layer>_untrained``, without
    training; ``edges_concentration``. ``table``: as of ``place_residues``.
    """
    metrics: dict[str, Estimate] = {}
    if table is None:
        return metrics
    names = {"ours": "{}_concentration", UNLEARNED: "{}_untrained", "edges": "edges_concentration"}
    for row in table[table["kind"].isin(names)].dropna(subset="estimate").itertuples():
        # The edges, which are no layer's, are those of the first layer.
        metrics.setdefault(names[row.kind].format(row.layer), row.estimate)
    return metrics
