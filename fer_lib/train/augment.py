"""Data augmentation, the papers' and ours, for a whole batch at once on the batch's device."""

from dataclasses import dataclass

import torch
from torch.nn import functional as F


@dataclass(frozen=True)
class Augmentation:
    """Ranges from which each picture's own transformation is drawn, uniformly (Khorrami et al. 2015, variant
    A).

    ``flip``: probability of a mirror image. ``rotation``: largest angle in degrees, either way. ``window``:
    side of the window that is cut out, as a share of the picture: below 1 enlarges, above 1 shrinks.
    ``shift``: how far the window may move, as a share of the room there is: 1 lets a small window reach the
    picture's edge and a large one keep the whole picture inside; ``move``: how far it may move besides, as a
    share of the picture's side. ``gamma``, ``gain``, ``offset``: grey jitter x^gamma · gain ± offset, clipped
    to [0, 1]. The defaults are the ranges of the authors' code. That code does not clip: it stretches each
    jittered picture to fill [0, 1], which undoes gain and offset.
    """

    flip: float = 0.5
    rotation: float = 5.0
    window: tuple[float, float] = (0.7, 1.4)
    shift: float = 1.0
    move: float = 0.0
    gamma: tuple[float, float] = (0.25, 4.0)
    gain: tuple[float, float] = (0.7, 1.4)
    offset: float = 0.1


LIGHT_AUGMENTATION = Augmentation(window=(0.9, 1.1), gamma=(0.8, 1.25), gain=(0.9, 1.1), offset=0.05)
"""Mirror images and small changes: for trainings too short to make use of the authors' strong ones."""

STANDARD_AUGMENTATION = Augmentation(
    rotation=12.0, window=(0.88, 1.12), move=0.08, gamma=(0.8, 1.25), gain=(0.9, 1.1), offset=0.05
)
"""For pictures of the wild, in which faces are turned, off their place and of different sizes."""

AUGMENTATIONS: dict[str, Augmentation | None] = {
    "none": None,
    "light": LIGHT_AUGMENTATION,
    "standard": STANDARD_AUGMENTATION,
    "published": Augmentation(),
}
"""By the names that a chapter's parameter takes; ``published`` is variant A of Khorrami et al. 2015."""


def window_matrices(
    mirrored: torch.Tensor, degrees: torch.Tensor, window: torch.Tensor, shift: torch.Tensor, aspect: float
) -> torch.Tensor:
    """Affine matrices (B, 2, 3) from an output pixel to the input pixel it shows, in ``affine_grid``'s
    coordinates.

    ``mirrored`` (B,) bool; ``degrees`` (B,), counter-clockwise turns of the picture as it is seen; ``window``
    (B,) as in ``Augmentation``; ``shift`` (B, 2) of the window's centre, (x, y) in half picture sides;
    ``aspect`` is height/width.
    """
    angle = torch.deg2rad(degrees)
    # Coordinates run from -1 to 1 along either side, so a rotation of an oblong picture must be
    # done in equal pixels and scaled back.
    cos, sin = torch.cos(angle) * window, torch.sin(angle) * window
    mirror = 1 - 2 * mirrored.to(window.dtype)
    row_x = torch.stack((mirror * cos, mirror * -sin * aspect, mirror * shift[:, 0]), dim=1)
    row_y = torch.stack((sin / aspect, cos, shift[:, 1]), dim=1)
    return torch.stack((row_x, row_y), dim=1)


DRAWS = 10
"""Random numbers that a picture is given: two more than its transformation takes, so that networks that are
kept can be trained again from the same ones.
"""


def transformed(
    pictures: torch.Tensor,
    augmentation: Augmentation,
    draws: torch.Tensor,
    size: tuple[int, int] | None = None,
) -> torch.Tensor:
    """Pictures (B, 1, H, W), float in [0, 1], each moved and re-lit by its row of ``draws`` (B, ``DRAWS``),
    numbers in [0, 1); same type and device.

    Their ``size`` (height, width) is the one given, or stays; a smaller one is drawn from the same grid, so
    it costs less. Beyond a picture's edge is black, as in Khorrami et al.'s code.
    """
    batch, _, height, width = pictures.shape
    draws = draws.to(pictures.device, pictures.dtype)
    flip, rotation, window, x, y, gamma, gain, offset = draws.unbind(1)[:8]

    def between(draw: torch.Tensor, low: float, high: float) -> torch.Tensor:
        return low + draw * (high - low)

    side = between(window, *augmentation.window)
    # In half picture sides, as the matrices take it.
    room = (augmentation.shift * (1 - side).abs() + 2 * augmentation.move).unsqueeze(1)
    matrices = window_matrices(
        flip < augmentation.flip,
        between(rotation, -augmentation.rotation, augmentation.rotation),
        side,
        room * (2 * torch.stack((x, y), dim=1) - 1),
        height / width,
    )
    grid = F.affine_grid(matrices, [batch, 1, *(size or (height, width))], align_corners=False)
    samples = F.grid_sample(pictures, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    def per_picture(values: torch.Tensor) -> torch.Tensor:
        return values.view(batch, 1, 1, 1)

    grey = samples.pow(per_picture(between(gamma, *augmentation.gamma)))
    grey = grey * per_picture(between(gain, *augmentation.gain))
    grey = grey + per_picture(between(offset, -augmentation.offset, augmentation.offset))
    return grey.clamp(0, 1)
