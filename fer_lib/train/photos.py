"""What a trained network says about anybody's pictures."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from fer_lib.faces.faceset import LABELS, UNLABELLED, FaceSet
from fer_lib.faces.photo import face_of
from fer_lib.faces.readers.pictures import Window
from fer_lib.train.device import pick_device
from fer_lib.train.predict import TestTime, predict
from fer_lib.train.weights import load_weights, read_record
from ferbook.errors import DataError
from ferbook.steps import steps


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
        window = self.window and [
            round(value, 1) for value in (self.window.left, self.window.top, self.window.side)
        ]
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

    ``reading_seconds`` went into reading and framing them, ``network_seconds`` into the network.
    """

    classes: tuple[str, ...]
    faces: str
    pictures: list[PicturePrediction]
    reading_seconds: float
    network_seconds: float

    @property
    def pictures_per_second(self) -> float:
        """Pictures that were answered over all the time but that of loading the network; 0 where none was."""
        count = sum(not picture.fault for picture in self.pictures)
        return count / (self.reading_seconds + self.network_seconds)


def predict_pictures(
    folder: Path,
    paths: Sequence[Path],
    *,
    cropped: bool = False,
    test_time: TestTime = "none",
) -> Prediction:
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
    reading_end = time.perf_counter()
    crops = [crop for crop, _ in inputs if crop is not None]
    rows = iter(())
    if crops:
        rows = iter(
            predict(model, as_faces(np.stack(crops)), test_time=test_time, device=pick_device()).tolist()
        )
    pictures = [
        picture
        if crop is None
        else replace(picture, probabilities=dict(zip(classes, next(rows), strict=True)))
        for crop, picture in inputs
    ]
    return Prediction(classes, faces, pictures, reading_end - start, time.perf_counter() - reading_end)


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
