"""Networks whose training has no person and no picture in common with the clips."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from book.checkpoints import checkpoint
from face_sets.clips import Clips
from face_sets.faceset import FaceSet
from face_sets.folds import fold_faces, protocol_of
from face_sets.leakage import Shared, shared
from face_sets.registry import open_faces
from fer_lib.nets.build import build_network
from fer_lib.nets.classifier import Classifier
from fer_lib.train import predict
from fer_lib.train.controls import untrained_network
from fer_lib.train.device import Precision
from fer_lib.train.learner import face_learner, fit, seed_everything
from fer_lib.train.predict import clip_features
from fer_lib.train.record import TrainedNetwork
from ferbook.errors import ParameterError


@dataclass(frozen=True)
class IndependentNetworks:
    """Networks trained on other people than those of the clips.

    Attributes
    ----------
    models : tuple of Classifier
        In evaluation mode.
    precision : Precision
        Number format of their training.
    introduction : str
        Which networks they are, in sentences.
    shared : Shared
        What the clips have in common with the training of the networks that were requested.
    """

    models: tuple[Classifier, ...]
    precision: Precision
    introduction: str
    shared: Shared

    def features(self, model: nn.Module, clips: Clips) -> np.ndarray:
        """Return the features of every frame of ``clips``, float32 (C, T, F), from the cache folder if they
        are stored there.
        """
        model = model.to(memory_format=torch.channels_last)
        inputs = {name: weight.cpu().numpy() for name, weight in model.state_dict().items()}
        inputs |= {"pictures": clips.faces.checksum, "rows": clips.rows, "precision": self.precision.name}
        inputs |= {"device": next(model.parameters()).device.type}
        code = [predict, sys.modules[type(model).__module__]]

        def make() -> dict[str, np.ndarray]:
            return {"features": clip_features(model, clips, dtype=self.precision.dtype)}

        return checkpoint("clip_features", inputs, code, make)["features"]

    def untrained_features(self, clips: Clips, seed: int) -> list[np.ndarray]:
        """Return ``features`` of an untrained network for each of ``models``, with seeds from ``seed``."""
        return [
            self.features(untrained_network(model, seed + k).to(next(model.parameters()).device), clips)
            for k, model in enumerate(self.models)
        ]


def independent_of(
    faces: FaceSet,
    networks: Sequence[TrainedNetwork],
    render: Callable[[str], FaceSet],
    *,
    device: torch.device | str = "cpu",
) -> IndependentNetworks:
    """Return the trained ``networks``, which differ in their seed only; or, if people or pictures of
    ``faces`` were in their training, another network, trained the same way on ``render("lab")``, first fold.

    Raises ParameterError if the networks take pictures of another size than those of ``faces``.
    """
    record = networks[0].record
    own_faces = open_faces(record.faces)
    if own_faces.size != faces.size:
        raise ParameterError(
            f"size: the clips have {faces.size[0]} × {faces.size[1]} pixels, but {networks[0].name} network "
            f"was trained on {own_faces.size[0]} × {own_faces.size[1]}; give both one size, for "
            f"example -p size={own_faces.size[0]}"
        )
    own, overlap = record.fold_of(own_faces), shared(own_faces, faces)
    if overlap.nothing:
        count = f"{len(networks)} networks were" if len(networks) > 1 else "One network was"
        introduction = (
            f"{count} trained on {len(own.split('train')):,} pictures of {own_faces.name}, which has no "
            "person and no picture in common with these clips."
        )
        models = tuple(network.model.eval() for network in networks)
        return IndependentNetworks(models, record.precision, introduction, overlap)
    labelled = render("lab").labelled()
    protocol = protocol_of(labelled)
    fold = fold_faces(labelled, protocol, 0)
    seed_everything(record.seed)
    other = build_network(record.network, len(protocol.classes), faces.size[0], **record.options)
    learner = face_learner(
        fold,
        other,
        protocol.classes,
        record.recipe,
        precision=record.precision,
        device=device,
        seed=record.seed,
    )
    training = fit(learner)
    if overlap.subjects:
        learned = f"the people of these clips ({len(overlap.subjects)} of them)"
    else:
        learned = f"pictures of these clips ({overlap.copies:,} copies)" if overlap.copies else "these clips"
    introduction = (
        f"The network of this run was trained on {learned}, so another one is evaluated, which was trained "
        f"the same way on {len(fold.split('train')):,} pictures of {labelled.name}."
    )
    return IndependentNetworks((other.eval(),), training.precision, introduction, overlap)
