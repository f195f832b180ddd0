"""What a trained network says about anybody's pictures."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from fer_lib.faces.faceset import LABELS, UNLABELLED, FaceSet
from fer_lib.faces.photo import face_of
from fer_lib.faces.readers.pictures import Window
from fer_lib.train.device import pick_device
from fer_lib.train.predict import TestTime, predict
from fer_lib.train.weights import load_weights, read_record
from ferbook.errors import DataError


@dataclass(frozen=True)
class TrainedNetwork:
    """A network that was kept. ``classes`` in the order of its answers; ``faces``: the set that it was
    trained on.
    """

    model: nn.Module
    classes: tuple[str, ...]
    faces: str
    size: int


@dataclass(frozen=True)
class Answer:
    """What was said about one picture, or, in ``fault``, why nothing was.

    ``probabilities``: emotion -> share, summing to one. ``window``: what was cut out; None where the picture
    was taken whole. ``found``: how many faces were found in it, of which the largest was taken.
    """

    path: Path
    probabilities: dict[str, float]
    window: Window | None = None
    found: int = 0
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
            "faces_found": self.found,
            "window": window,
        }


@dataclass(frozen=True)
class Prediction:
    """Answers in the order of the pictures, and the seconds that reading and framing them, and asking the
    network, took.
    """

    answers: list[Answer]
    reading: float
    asking: float

    @property
    def pictures_per_second(self) -> float:
        """Pictures that were answered over all the time but that of loading the network; 0 where none was."""
        answered = sum(not answer.fault for answer in self.answers)
        return answered / (self.reading + self.asking)


def trained_network(folder: Path) -> TrainedNetwork:
    """The network whose weights lie in ``folder`` as ``weights.safetensors`` and ``weights.json``.

    Raises DataError where they are absent or damaged, or their record does not say classes and size.
    """
    record = read_record(folder / "weights")
    classes, arguments = record.get("classes"), record["arguments"]
    known = isinstance(classes, list) and classes and all(name in LABELS for name in classes)
    if (
        not known
        or len(set(classes)) < len(classes)
        or not isinstance(arguments.get("size"), int)
        or arguments.get("n_classes") != len(classes)
    ):
        raise DataError(
            f"{folder / 'weights.json'}: the record does not say which classes and which size the network "
            "takes; train again"
        )
    model = load_weights(folder / "weights")
    return TrainedNetwork(model, tuple(classes), str(record.get("faces", "")), arguments["size"])


def predict_pictures(
    network: TrainedNetwork,
    paths: Sequence[Path],
    *,
    cropped: bool = False,
    test_time: TestTime = "none",
) -> Prediction:
    """What ``network`` says about the pictures at ``paths``, all in batches; one that cannot be answered
    stops no other.

    In each the largest face is found and cut out as the pictures of the network's training set are framed
    (``faces.photo``). ``cropped``: the pictures are such crops already and are taken whole, squeezed where
    not square.
    """
    started = time.perf_counter()

    def load(path: Path) -> tuple[np.ndarray | None, Answer]:
        try:
            _, crop, *found = face_of(path, network.size, network.faces, cropped=cropped)
        except DataError as fault:
            return None, Answer(path, {}, fault=str(fault))
        return crop, Answer(path, {}, *found)

    with ThreadPoolExecutor() as threads:
        loaded = list(threads.map(load, paths))
    read = time.perf_counter()
    crops = [crop for crop, _ in loaded if crop is not None]
    said = iter(_ask(network, np.stack(crops), test_time) if crops else ())
    answers = [
        answer
        if crop is None
        else replace(answer, probabilities=dict(zip(network.classes, next(said), strict=True)))
        for crop, answer in loaded
    ]
    return Prediction(answers, read - started, time.perf_counter() - read)


def _ask(network: TrainedNetwork, crops: np.ndarray, test_time: TestTime) -> list[list[float]]:
    said = predict(network.model, as_faces(crops), test_time=test_time, device=pick_device())
    return said.astype(float).tolist()


def as_faces(crops: np.ndarray) -> FaceSet:
    """Anybody's pictures uint8 (N, H, W) as a face set of which nothing is known."""
    row = {"dataset": "pictures", "subject": "", "sequence": "", "emotion": UNLABELLED, "split": "test"}
    return FaceSet("pictures", crops, pd.DataFrame([row] * len(crops)).assign(frame=np.arange(len(crops))))
