"""Noise of some people who show three emotions, and how a network was taught them."""

import numpy as np

from book.training.chapter import TrainingParameters
from face_sets.faceset import FaceSet
from fer_lib.train.device import Precision
from fer_lib.train.record import TrainingRecord
from tests.made import made_faces

EMOTIONS = ("neutral", "anger", "fear")


def faces_of(dataset, size=16, people=10, pixels_from=0) -> FaceSet:
    who, emotions = np.repeat([f"{dataset}-{who:02}" for who in range(people)], 3), [*EMOTIONS] * people
    pixels = np.random.default_rng(pixels_from).integers(0, 256, (len(who), size, size), dtype=np.uint8)
    known = {"dataset": "lab", "subject": who, "sequence": who, "emotion": emotions, "split": "train"}
    return made_faces(pixels, dataset, **known)


def record(fold=0, **changes) -> TrainingRecord:
    parameters = TrainingParameters(network="zhu", epochs=1, augment="none", dropout=0.0)
    precision = Precision("fp32", channels_last=False)
    return TrainingRecord.of(parameters.model_copy(update=changes), EMOTIONS, fold, precision)
