"""What a trained network says about pictures, with or without test-time augmentation."""

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from fer_lib.faces.faceset import FaceSet
from fer_lib.nets.evaluating import evaluating
from fer_lib.train.batches import batches
from ferbook.errors import DataError, require_name

TestTime = Literal["none", "flip", "ten_crop"]

CROP = 7 / 8
"""Side of a crop as a share of the picture's: 224 of 256 pixels, as Krizhevsky et al. 2012 cut their ten
crops.
"""


def views(pictures: torch.Tensor, test_time: TestTime) -> Iterator[torch.Tensor]:
    """The versions of ``pictures`` (B, 1, H, W) that a network is asked about, each of the same shape.

    ``none``: the pictures. ``flip``: the pictures and their mirror images. ``ten_crop``: the four corners and
    the centre, each a window of ``CROP`` times the sides (42 of 48 pixels) enlarged bilinearly to the
    pictures' own size, and their mirror images; the whole picture is not among them.

    Raises ParameterError for any other name.
    """
    require_name("test_time", test_time, get_args(TestTime))
    crops = _corners_and_centre(pictures) if test_time == "ten_crop" else [pictures]
    for crop in crops:
        yield crop
        if test_time != "none":
            yield crop.flip(3)


def _corners_and_centre(pictures: torch.Tensor) -> Iterator[torch.Tensor]:
    from torchvision.transforms.functional import five_crop  # not at the top: slow to import

    size = pictures.shape[2:]
    for window in five_crop(pictures, [round(CROP * side) for side in size]):
        yield F.interpolate(window, size, mode="bilinear", align_corners=False)


def predict(
    model: nn.Module,
    faces: FaceSet,
    *,
    test_time: TestTime = "none",
    batch_size: int = 256,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
) -> np.ndarray:
    """Class probabilities of every picture of ``faces``, in order: float32 (N, classes), each row sums to
    one.

    With ``test_time`` the mean of the probabilities over a picture's ``views``. In evaluation mode and in the
    type of the weights, float32, whatever the network was trained in, or with ``dtype`` in that one; the
    network's own mode is restored. Raises DataError where there is no picture.
    """
    if not len(faces):
        raise DataError(f"face set {faces.name!r} holds no picture to predict")
    answers = []
    with evaluating(model.to(device), dtype):
        for pictures in batches(faces.pixels, batch_size, device=device):
            shares = [model(view).float().softmax(dim=1) for view in views(pictures, test_time)]
            answers.append(torch.stack(shares).mean(dim=0))
    return torch.cat(answers).cpu().numpy()
