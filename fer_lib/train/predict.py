"""What a trained network says about pictures, with or without test-time augmentation, anybody's pictures
among them, and what its last layer is given for a picture, and for the frames of a clip.
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

TestTime = Literal["none", "flip"]
"""Whether a network is asked about a picture's mirror image, too; the answer is the mean."""


def predict(
    model: nn.Module,
    faces: FaceSet,
    *,
    test_time: TestTime = "none",
    batch_size: int = 64,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
) -> np.ndarray:
    """Class probabilities of every picture of ``faces``, in order: float32 (N, classes), each row sums to
    one.

    With ``test_time`` flip the mean of those of a picture and of its mirror image. In evaluation mode and in
    the type of the weights, float32, whatever the network was trained in, or with ``dtype`` in that one; the
    network's own mode is restored. Raises DataError where there is no picture, ParameterError for another
    ``test_time``.
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


Readout = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From a module's input and output to what is kept of them."""


def collected(
    model: Classifier,
    faces: FaceSet,
    readouts: Mapping[str, tuple[nn.Module, Readout]],
    *,
    batch_size: int = 64,
    dtype: torch.dtype | None = None,
) -> dict[str, np.ndarray]:
    """By name float32 (N, F): what was read at a module of ``model`` while each picture of ``faces``
    passed, in evaluation mode, where the model is.

    ``readouts``: by name the module, and what to read there, a function of what it is given and what it
    makes. ``dtype``: what is computed in; None: the type of the weights. Raises DataError where there is no
    picture. The model's mode and hooks stay as they were.
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
    """float32 (N, F): what the last layer of ``model`` is given for each picture of ``faces``; otherwise as
    ``collected``.
    """
    readouts = {"features": (model.output, lambda inputs, _: inputs)}
    return collected(model, faces, readouts, batch_size=batch_size, dtype=dtype)["features"]


def clip_features(model: Classifier, clips: Clips, *, dtype: torch.dtype | None = None) -> np.ndarray:
    """float32 (C, T, F): the features of every frame of ``clips`` in the order of time, zero behind a clip's
    end; computed in ``dtype`` as by ``collected``.
    """
    rows, places = np.unique(clips.rows[clips.inside], return_inverse=True)
    own = features_of(model, clips.faces.select(rows), dtype=dtype)
    features = np.zeros((*clips.rows.shape, own.shape[1]), np.float32)
    features[clips.inside] = own[places]
    return features


def inside_clips(lengths: np.ndarray, frames: int) -> np.ndarray:
    """bool (C, ``frames``): which places hold a frame of a clip, by the clips' ``lengths`` (C,)."""
    return np.arange(frames) < np.asarray(lengths)[:, None]


def difference_to_onset(features: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """``features`` (…, C, T, F) less those of each clip's first frame; zero behind a clip's end."""
    inside = inside_clips(lengths, features.shape[-2])
    return (features - features[..., :1, :]) * inside[..., None].astype(features.dtype)


def scaling(features: np.ndarray, lengths: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, float32 (F,) each, over the frames of the clips ``train`` (mask or
    indices) and no other.

    ``features`` (C, T, F). A feature that does not vary there has the deviation one. Raises DataError where
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
    """What a network says about one picture, or, in ``fault``, why nothing.

    ``probabilities``: emotion -> share, summing to one. ``window``: what was cut out; None where the picture
    was taken whole. ``faces_found``: how many there are in it, of which the largest was taken.
    """

    path: Path
    probabilities: dict[str, float] = field(default_factory=dict)
    window: Window | None = None
    faces_found: int = 0
    fault: str = ""

    @property
    def emotion(self) -> str:
        """The most probable one."""
        return self.ranked[0][0]

    @property
    def ranked(self) -> list[tuple[str, float]]:
        """Emotions and their probabilities, the most probable first."""
        return sorted(self.probabilities.items(), key=lambda item: -item[1])

    def to_json(self) -> dict:
        """Plain values: the picture with its emotion and probabilities, or with what went wrong."""
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
    """What the network of ``classes``, trained on the set ``faces``, says about ``pictures``, in their order.

    ``seconds`` went into reading and framing them, and into the network.
    """

    classes: tuple[str, ...]
    faces: str
    pictures: list[PicturePrediction]
    seconds: float

    @property
    def pictures_per_second(self) -> float:
        """Pictures that were answered over all the time but that of loading the network; 0 where none was."""
        return sum(not picture.fault for picture in self.pictures) / self.seconds


def predict_pictures(folder: Path, paths: Sequence[Path], *, cropped: bool = False) -> Prediction:
    """What the network whose ``weights.safetensors`` and ``weights.json`` lie in ``folder`` says about the
    pictures at ``paths``, all in batches; one that cannot be answered stops no other.

    In each the largest face is found and cut out as the pictures of the network's training set are framed
    (``faces.photo``). ``cropped``: the pictures are such crops already and are taken whole, squeezed where
    not square. Raises DataError where the weights are absent or damaged, or their record does not say classes
    and size.
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
    """Classes in the order of the output, side of a picture, and training set of the network in
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
    """Anybody's pictures uint8 (N, H, W) as a face set of which nothing is known."""
    row = {"dataset": "pictures", "subject": "", "sequence": "", "emotion": UNLABELLED, "split": "test"}
    return FaceSet("pictures", crops, pd.DataFrame([row] * len(crops)).assign(frame=np.arange(len(crops))))
