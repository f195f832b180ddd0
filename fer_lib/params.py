"""Typed parameters: one model per chapter. The profiles are data.

A model's defaults are the ``laptop`` profile; ``PROFILES`` holds what the other profiles, and
the real data sets, change. A chapter notebook's ``parameters`` cell repeats the defaults.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

FaceSource = Literal["synthetic", "fer2013"]
Profile = Literal["smoke", "laptop", "paper"]


class ChapterParameters(BaseModel):
    """What every chapter takes: which faces, which seed, which device."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    faces: Annotated[
        FaceSource, Field(description="the face set: embedded synthetic faces, or a real set below FER_DATA")
    ] = "synthetic"
    subjects: Annotated[int, Field(ge=9, le=5000, description="synthetic faces: number of people")] = 120
    repeats: Annotated[
        int, Field(ge=1, le=50, description="synthetic faces: pictures per person and expression")
    ] = 3
    size: Annotated[
        int, Field(ge=24, le=256, multiple_of=8, description="side of a picture in pixels (FER2013: 48)")
    ] = 48
    face_seed: Annotated[
        int, Field(ge=0, lt=2**31, description="synthetic faces: seed of people and pictures")
    ] = 0
    seed: Annotated[
        int, Field(ge=0, lt=2**31, description="seed of initialisation, batches, augmentation and resampling")
    ] = 0
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"],
        Field(description="where networks run; auto takes a GPU if there is one"),
    ] = "auto"
    publish_faces: Annotated[bool, Field(description="show pictures of licensed subjects on the page")] = (
        False
    )


class FacesParameters(ChapterParameters):
    """Chapter ``faces``: what the data are."""

    samples: Annotated[int, Field(ge=1, le=12, description="sample pictures shown per class")] = 6


class TrainingParameters(ChapterParameters):
    """Chapter ``training``: the zero-bias CNN of Khorrami et al. (2015)."""

    epochs: Annotated[int, Field(ge=1, le=2000, description="passes over the training split")] = 30
    batch_size: Annotated[int, Field(ge=2, le=4096, description="pictures per training step")] = 64
    lr: Annotated[float, Field(gt=0, le=10, description="peak learning rate of the schedule")] = 0.01
    schedule: Annotated[
        Literal["constant", "onecycle"], Field(description="constant as published, or one-cycle")
    ] = "onecycle"
    weight_decay: Annotated[float, Field(ge=0, le=1, description="weight decay of SGD")] = 1e-5
    dropout: Annotated[
        float, Field(ge=0, lt=1, description="dropout on the dense layer's input (D); 0.5 in the paper")
    ] = 0.5
    augment: Annotated[
        bool, Field(description="data augmentation (A): flip, rotation, scale, translation, grey jitter")
    ] = True
    bias: Annotated[bool, Field(description="biases in the convolutions; the paper's network has none")] = (
        False
    )
    precision: Annotated[
        Literal["auto", "fp32", "bf16"],
        Field(description="number format of training; auto times a few steps on a CPU"),
    ] = "auto"
    bootstrap: Annotated[
        int, Field(ge=100, le=100_000, description="subject-cluster bootstrap draws behind each interval")
    ] = 2000
