"""Features: what a network's last layer is given for a picture."""

import numpy as np

from fer_lib.errors import DataError
from fer_lib.faces.faceset import FaceSet
from fer_lib.learn.loaders import batches
from fer_lib.models.classifier import Classifier
from fer_lib.models.evaluating import evaluating


def features_of(model: Classifier, faces: FaceSet, *, batch_size: int = 256) -> np.ndarray:
    """float32 (N, F): what the last layer of ``model`` is given for each picture of ``faces``, in evaluation mode, where the model is.

    Raises DataError where there is no picture. The model's mode and hooks stay as they were.
    """
    if not len(faces):
        raise DataError(f"face set {faces.name!r} holds no picture")
    kept: list[np.ndarray] = []
    hook = model.output.register_forward_pre_hook(
        lambda _, given: kept.append(given[0].float().cpu().numpy())
    )
    try:
        with evaluating(model):
            for pictures in batches(faces, batch_size, device=model.output.weight.device):
                model(pictures.to(model.output.weight.dtype))
    finally:
        hook.remove()
    return np.concatenate(kept)
