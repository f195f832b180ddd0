"""Predictions of a trained network, for face sets and for picture files, with or without test-time
augmentation; and the input of its last layer, for pictures and for the frames of clips.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd
import torch
from torch import nn

from face_sets.clips import Clips
from face_sets.faceset import LABELS, UNLABELLED, FaceSet
from face_sets.photo import face_of
from face_sets.readers.pictures import Window
from fer_lib.nets.classifier import Classifier, evaluating
from fer_lib.train.batches import batches
from fer_lib.train.device import pick_device
from fer_lib.train.weights import load_weights, read_record
from ferbook.errors import DataError, require_name
from ferbook.steps import steps

# With ``flip`` a picture and its mirror image are predicted, and the mean is returned.
TestTime = Literal["none", "flip"]


def predict(
    model: nn.Module,
    faces: FaceSet,
    *,
    test_time: TestTime = "none",
    batch_size: int = 64,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
) -> np.ndarray:
    """Predict the class probabilities of every picture of ``faces``.

    The network is in evaluation mode; afterwards its own mode is restored.

    Parameters
    ----------
    model : torch.nn.Module
        Gives logits (B, classes).
    faces : FaceSet
    test_time : str
        ``none``, or ``flip`` for the mean over a picture and its mirror image.
    batch_size : int
    device : torch.device or str
    dtype : torch.dtype, optional
        Type of the computation; by default that of the weights, float32, whatever the network was trained in.

    Returns
    -------
    (N, classes) float32 array
        In the order of ``faces``; each row sums to one.

    Raises
    ------
    DataError
        There is no picture.
    ParameterError
        For another ``test_time``.
    """
    require_name("test_time", test_time, get_args(TestTime))
    if not len(faces):
        raise DataError(f"face set {faces.name!r} holds no picture to predict")
    answers = []
    with evaluating(model.to(device), dtype):
        for pictures in batches(faces.pixels, batch_size, device=device):
            views = [pictures, pictures.flip(3)] if test_time == "flip" else [pictures]
            shares = [model(view).float().softmax(dim=1) for view in views]
            answers.append(torch.stack(shares).mean(dim=0))
    return torch.cat(answers).cpu().numpy()


# From a module's input and output to the tensor that is collected.
Readout = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def collected(
    model: Classifier,
    faces: FaceSet,
    readouts: Mapping[str, tuple[nn.Module, Readout]],
    *,
    batch_size: int = 64,
    dtype: torch.dtype | None = None,
) -> dict[str, np.ndarray]:
    """Collect what modules of ``model`` receive or compute while the pictures of ``faces`` pass, in
    evaluation mode.

    The mode and the hooks of the model do not change.

    Parameters
    ----------
    model : Classifier
        Evaluated on its own device.
    faces : FaceSet
    readouts : mapping
        Name -> a module, and a function of its input and output.
    batch_size : int
    dtype : torch.dtype, optional
        Type of the computation; by default that of the weights.

    Returns
    -------
    dict
        Name -> float32 (N, F).

    Raises
    ------
    DataError
        There is no picture.
    """
    if not len(faces):
        raise DataError(f"face set {faces.name!r} holds no picture")
    outputs: dict[str, list[np.ndarray]] = {name: [] for name in readouts}

    def keep(name: str, reading: Readout) -> Callable[..., None]:
        return lambda _, inputs, output: outputs[name].append(
            reading(inputs[0], output).float().cpu().numpy()
        )

    with ExitStack() as hooks, evaluating(model, dtype):
        for name, (module, reading) in readouts.items():
            hooks.callback(module.register_forward_hook(keep(name, reading)).remove)
        for pictures in batches(faces.pixels, batch_size, device=model.output.weight.device):
            model(pictures.to(model.output.weight.dtype))
    return {name: np.concatenate(parts) for name, parts in outputs.items()}


def features_of(
    model: Classifier, faces: FaceSet, *, batch_size: int = 64, dtype: torch.dtype | None = None
) -> np.ndarray:
    """Compute the features of every picture: the input of the last layer of ``model``.

    Parameters
    ----------
    model : Classifier
    faces : FaceSet
    batch_size : int
    dtype : torch.dtype, optional
        Type of the computation; by default that of the weights.

    Returns
    -------
    (N, F) float32 array

    Raises
    ------
    DataError
        There is no picture.
    """
    readouts = {"features": (model.output, lambda inputs, _: inputs)}
    return collected(model, faces, readouts, batch_size=batch_size, dtype=dtype)["features"]


def clip_features(model: Classifier, clips: Clips, *, dtype: torch.dtype | None = None) -> np.ndarray:
    """Compute the features of every frame of ``clips``.

    Parameters
    ----------
    model : Classifier
    clips : Clips
    dtype : torch.dtype, optional
        Type of the computation; by default that of the weights.

    Returns
    -------
    (C, T, F) float32 array
        In temporal order, zero after a clip's end.
    """
    rows, places = np.unique(clips.rows[clips.inside], return_inverse=True)
    own = features_of(model, clips.faces.select(rows), dtype=dtype)
    features = np.zeros((*clips.rows.shape, own.shape[1]), np.float32)
    features[clips.inside] = own[places]
    return features


def inside_clips(lengths: np.ndarray, frames: int) -> np.ndarray:
    """Return bool (C, ``frames``): the frames of each clip, by the ``lengths`` (C,) of the clips."""
    return np.arange(frames) < np.asarray(lengths)[:, None]


def difference_to_onset(features: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Subtract the features of each clip's first frame from ``features`` (…, C, T, F); zero after a clip's
    end.
    """
    inside = inside_clips(lengths, features.shape[-2])
    return (features - features[..., :1, :]) * inside[..., None].astype(features.dtype)


def scaling(features: np.ndarray, lengths: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean and standard deviation over the frames of the training clips only.

    Parameters
    ----------
    features : (C, T, F) array
    lengths : (C,) int array
    train : array
        Mask or indices of clips.

    Returns
    -------
    two (F,) float32 arrays
        The deviation is 1 for a feature that does not vary.

    Raises
    ------
    DataError
        ``train`` is empty.
    """
    frames = features[train][inside_clips(np.asarray(lengths)[train], features.shape[1])]
    if not len(frames):
        raise DataError("no training clip to take the scale of the features from")
    mean = frames.mean(axis=0, dtype=np.float64)
    spread = frames.std(axis=0, dtype=np.float64).astype(np.float32)
    return mean.astype(np.float32), np.where(spread > 0, spread, np.float32(1))


@dataclass(frozen=True)
class PicturePrediction:
    """The prediction for one picture file, or why there is none.

    Attributes
    ----------
    path : Path
    probabilities : dict
        Emotion -> probability; they sum to one.
    window : Window or None
        The part that was cut out; None if the picture was used whole.
    faces_found : int
        Faces in the picture, of which the largest was used.
    fault : str
        Why there is no prediction, or empty.
    """

    path: Path
    probabilities: dict[str, float] = field(default_factory=dict)
    window: Window | None = None
    faces_found: int = 0
    fault: str = ""

    @property
    def emotion(self) -> str:
        """The most probable emotion."""
        return self.ranked[0][0]

    @property
    def ranked(self) -> list[tuple[str, float]]:
        """Emotions and their probabilities, the most probable first."""
        return sorted(self.probabilities.items(), key=lambda item: -item[1])

    def to_json(self) -> dict:
        """Return plain values: the picture with its emotion and probabilities, or with its error."""
        if self.fault:
            return {"picture": str(self.path), "error": self.fault}
        window = self.window and [round(value, 1) for value in astuple(self.window)]
        return {
            "picture": str(self.path),
            "emotion": self.emotion,
            "probabilities": {name: round(share, 6) for name, share in self.probabilities.items()},
            "faces_found": self.faces_found,
            "window": window,
        }


@dataclass(frozen=True)
class Prediction:
    """The predictions for several picture files.

    Attributes
    ----------
    classes : tuple of str
        Of the network.
    faces : str
        The face set on which the network was trained.
    pictures : list of PicturePrediction
        In the order of the files.
    seconds : float
        Time for reading and framing the pictures and for the network.
    """

    classes: tuple[str, ...]
    faces: str
    pictures: list[PicturePrediction]
    seconds: float

    @property
    def pictures_per_second(self) -> float:
        """Pictures with a prediction per second, without the time to load the network; 0 if there are
        none.
        """
        return sum(not picture.fault for picture in self.pictures) / self.seconds


def predict_pictures(folder: Path, paths: Sequence[Path], *, cropped: bool = False) -> Prediction:
    """Predict the emotions in picture files, all in batches; an unusable file does not stop the others.

    In each picture the largest face is found and cut out as the pictures of the network's training set are
    framed (``face_sets.photo``).

    Parameters
    ----------
    folder : Path
        Holds ``weights.safetensors`` and ``weights.json`` of the network.
    paths : sequence of Path
    cropped : bool
        The pictures are such crops already and are used whole, squeezed where not square.

    Returns
    -------
    Prediction

    Raises
    ------
    DataError
        The weights are absent or damaged, or their record lacks classes and size.
    """
    model, (classes, size, faces) = load_weights(folder / "weights"), _task(folder)
    start = time.perf_counter()

    def load(path: Path) -> tuple[np.ndarray | None, PicturePrediction]:
        try:
            _, crop, window, count = face_of(path, size, faces, cropped=cropped)
        except DataError as fault:
            return None, PicturePrediction(path, fault=str(fault))
        return crop, PicturePrediction(path, window=window, faces_found=count)

    inputs = []
    with ThreadPoolExecutor() as threads, steps("pictures", len(paths)) as advance:
        for each in threads.map(load, paths):
            inputs.append(each)
            advance(1)
    crops = [crop for crop, _ in inputs if crop is not None]
    rows = iter(predict(model, as_faces(np.stack(crops)), device=pick_device()).tolist() if crops else ())
    pictures = [
        picture
        if crop is None
        else replace(picture, probabilities=dict(zip(classes, next(rows), strict=True)))
        for crop, picture in inputs
    ]
    return Prediction(classes, faces, pictures, time.perf_counter() - start)


def _task(folder: Path) -> tuple[tuple[str, ...], int, str]:
    """Read classes in the order of the output, side of a picture, and training set of the network in
    ``folder``.
    """
    record = read_record(folder / "weights")
    classes, arguments = record.get("classes"), record["arguments"]
    valid = isinstance(classes, list) and classes and all(name in LABELS for name in classes)
    if (
        not valid
        or len(set(classes)) < len(classes)
        or not isinstance(arguments.get("size"), int)
        or arguments.get("n_classes") != len(classes)
    ):
        raise DataError(
            f"{folder / 'weights.json'}: the record does not say which classes and which size the network "
            "takes; train again"
        )
    return tuple(classes), arguments["size"], str(record.get("faces", ""))


def as_faces(crops: np.ndarray) -> FaceSet:
    """Make a face set without labels from pictures uint8 (N, H, W)."""
    row = {"dataset": "pictures", "subject": "", "sequence": "", "emotion": UNLABELLED, "split": "test"}
    return FaceSet("pictures", crops, pd.DataFrame([row] * len(crops)).assign(frame=np.arange(len(crops))))
