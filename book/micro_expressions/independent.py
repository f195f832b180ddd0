"""Networks that have seen nobody of the clips that they are asked about."""

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
    """Networks for faces of which they have seen nobody, ``models`` in evaluation mode; the number format
    that they learned in; and who they are, in sentences. ``shared``: what the faces share with those that the
    networks asked for had learned from.
    """

    models: tuple[Classifier, ...]
    precision: Precision
    introduction: str
    shared: Shared

    def features(self, model: nn.Module, clips: Clips) -> np.ndarray:
        """float32 (C, T, F): those of every frame of ``clips`` (``train.predict.clip_features``), in the
        number format of the networks.
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
        """``features`` of an untrained network in the place of each of ``models``, drawn from ``seed`` on."""
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
    """The trained ``networks``, which had one training record but for the seed; or, where they learned from
    people or pictures of ``faces``, another one, trained the same way on the faces ``render("lab")``, by the
    first fold of their protocol.

    Raises ParameterError where the networks take pictures of another size than those of ``faces``.
    """
    record = networks[0].record
    own_faces = open_faces(record.faces)
    if own_faces.size != faces.size:
        raise ParameterError(
            f"size: the clips have {faces.size[0]} × {faces.size[1]} pixels, but {networks[0].name} network "
            f"was taught on {own_faces.size[0]} × {own_faces.size[1]}; give both one size, for "
            f"example -p size={own_faces.size[0]}"
        )
    own, overlap = record.fold_of(own_faces), shared(own_faces, faces)
    if overlap.nothing:
        count = f"{len(networks)} networks have" if len(networks) > 1 else "One network has"
        introduction = (
            f"{count} learned from {len(own.split('train')):,} pictures of {own_faces.name}, where nobody "
            "and no picture of these clips is."
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
        f"The network asked for learned from {learned}, so it is not asked about them. Another one, taught "
        f"the same way on {len(fold.split('train')):,} pictures of {labelled.name}, takes its place."
    )
    return IndependentNetworks((other.eval(),), training.precision, introduction, overlap)
