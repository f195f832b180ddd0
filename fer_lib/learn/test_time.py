"""What a trained network says about pictures."""

import numpy as np
import torch
from torch import nn

from fer_lib.errors import DataError
from fer_lib.faces.faceset import FaceSet
from fer_lib.learn.loaders import batches


@torch.no_grad()
def predict(
    model: nn.Module, faces: FaceSet, *, batch_size: int = 256, device: torch.device | str = "cpu"
) -> np.ndarray:
    """Class probabilities of every picture of ``faces``, in order: float32 (N, classes), each row sums to one.

    In float32 and in evaluation mode whatever the network was trained in, without augmentation; the
    network's own mode is restored.
    """
    model.to(device)
    was_training = model.training
    model.eval()
    try:
        logits = [model(pictures) for pictures in batches(faces, batch_size, device=device)]
    finally:
        model.train(was_training)
    if not logits:
        raise DataError(f"face set {faces.name!r} holds no picture to predict")
    return torch.cat(logits).float().softmax(dim=1).cpu().numpy()
