"""What a generator's layers do differently when a face moves, brought to the picture.

De-expression residue learning (Yang, Ciftci and Yin 2018) says that what a generator takes off a face remains
in its layer pairs. A map of it must not show the person, whom the layers hold too. Channels of encoder and
decoder cannot be subtracted one from the other: without skip connections nothing makes the k-th filter of the
one see what the k-th of the other sees. Compared are therefore the same channels for two pictures, one with
the expression and one of the same person, neutral. N pairs of such pictures of H × W pixels.
"""

from collections.abc import Iterator
from itertools import chain

import numpy as np
import torch
from torch.nn import functional as F

from fer_lib.nets.classifier import evaluating
from fer_lib.nets.derl import Generator
from fer_lib.train.batches import batches

PIXEL_MAPS = "pixels"
"""Name of the map that no layer has: the difference of the two pictures, the plain rival of the residue."""


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
    well; where no neutral picture is known, what the ``generator`` makes of the picture may replace it. At
    each place the root mean square over the channels of the change, each channel divided by its standard
    deviation over all pictures, neutral or not, and all places: else a few loud channels were the map. A
    channel that is the same everywhere counts for nothing. Enlarged bilinearly to the picture, pixels in
    their places, so maps of small layers are coarse: one of 3 × 3 places can only say in which ninth. Last,
    under ``PIXEL_MAPS``, the absolute difference of the pictures, in [0, 1].

    In evaluation mode; the generator is moved to ``device`` and its mode does not change. Raises
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
