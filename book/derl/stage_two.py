"""Stage two of DeRL (Yang, Ciftci and Yin 2018): telling expressions apart by what a frozen generator took
off the face.

The generator does not learn here, so what its layers hold is computed once per picture, and only small
networks are trained on it. Whatever a picture may become on its way to a classifier (residues, a difference
of pixels, the picture itself) is a mapping of named tensors, and every classifier answers with logits and
with those of its local networks, so that all are trained and compared alike.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
from fastai.callback.schedule import ParamScheduler
from fastai.data.core import DataLoaders
from torch import Tensor, nn
from torch.nn import functional as F

from fer_lib.nets.classifier import evaluating
from fer_lib.train.batches import AUGMENTATIONS, DRAWS, Batches, transformed
from fer_lib.train.callbacks import ClassScore, Objective, Training, rate_of
from fer_lib.train.device import Precision, PrecisionName
from fer_lib.train.learner import FaceLearner, fit
from ferbook.errors import DataError

Inputs = Mapping[str, Tensor]
"""By name float tensors (V, N, …) on the CPU: N pictures in V views, the first of them the pictures as they
are.
"""

JointAndLocalLogits = tuple[Tensor, dict[str, Tensor]]
"""Logits (B, classes) of the whole network, and by name those of its local networks, which may be none."""


@dataclass(frozen=True)
class ResidueRecipe:
    """How classifiers of stage two are trained.

    ``epochs`` passes in batches of ``batch_size`` by AdamW (Loshchilov and Hutter 2019) at the peak rate
    ``lr`` of ``schedule``, with ``weight_decay``. ``local``: the weight of each local network's cross-entropy
    next to that of the joint answer, which weighs one; the paper has five weighted losses, their weights are
    not known here. Each training picture is there in ``views`` versions, as it is and transformed by the
    augmentation ``light`` of ``train.batches``, of which every pass takes one at random; all conditions of a
    study see the same versions.
    """

    epochs: int = 12
    batch_size: int = 32
    lr: float = 0.003
    schedule: Literal["constant", "onecycle", "cosine"] = "onecycle"
    weight_decay: float = 0.01
    local: float = 0.25
    views: int = 2


def picture_views(pixels: np.ndarray, recipe: ResidueRecipe, seed: int = 0) -> Tensor:
    """uint8 (V, N, 1, H, W): the pictures ``pixels``, uint8 (N, H, W), as they are and in ``recipe.views`` -
    1 transformed versions, from ``seed``.
    """
    pictures = torch.tensor(pixels).unsqueeze(1)
    generator = torch.Generator().manual_seed(seed)
    versions = [pictures]
    for _ in range(recipe.views - 1):
        parts = [
            transformed(
                part.float() / 255,
                AUGMENTATIONS["light"],
                torch.rand(len(part), DRAWS, generator=generator),
                part.shape[2:],
            )
            for part in pictures.split(256)
        ]
        versions.append((torch.cat(parts) * 255).round().to(torch.uint8))
    return torch.stack(versions)


def residues_of(
    generator: nn.Module, views: Tensor, *, batch_size: int = 128, device: torch.device | str = "cpu"
) -> dict[str, Tensor]:
    """By pair float16 (V, N, C, h, w): the residues of the pictures ``views`` (see ``picture_views``) in the
    frozen ``generator``.

    In evaluation mode and without gradients; the generator's mode does not change. Raises DataError
    where a value is not finite or too large for float16: of such a generator no residue is worth learning
    from.
    """
    return _asked(generator, views, generator.residues, batch_size, device)


def neutral_faces(
    generator: nn.Module, views: Tensor, *, batch_size: int = 128, device: torch.device | str = "cpu"
) -> Tensor:
    """float16 (V, N, 1, H, W) in [0, 1]: the neutral faces that ``generator`` makes of ``views``; otherwise
    as ``residues_of``.
    """
    return _asked(generator, views, lambda pictures: {"neutral": generator(pictures)}, batch_size, device)[
        "neutral"
    ]


def as_inputs(views: Tensor) -> Tensor:
    """float16 (V, N, 1, H, W) in [0, 1]: the pictures ``views`` themselves, as a plain network takes them."""
    return views.half() / 255


def _asked(
    generator: nn.Module,
    views: Tensor,
    ask: Callable[[Tensor], Mapping[str, Tensor]],
    batch_size: int,
    device: torch.device | str,
) -> dict[str, Tensor]:
    versions, count = views.shape[:2]
    generator.to(device)
    outputs: dict[str, Tensor] = {}
    with evaluating(generator):
        for start in range(0, versions * count, batch_size):
            pictures = views.flatten(0, 1)[start : start + batch_size].to(device).float().div_(255)
            for name, answer in ask(pictures).items():
                values = answer.half().cpu()
                if not torch.isfinite(values).all():
                    raise DataError(
                        f"{name}: the generator gives values that are not finite in float16; it has "
                        "diverged, train it anew with a smaller rate"
                    )
                if name not in outputs:
                    outputs[name] = torch.empty((versions, count, *values.shape[1:]), dtype=torch.float16)
                outputs[name].flatten(0, 1)[start : start + batch_size] = values
    return outputs


class InputBatches(Batches):
    """Batches ``(inputs, labels)`` of the pictures ``rows`` of ``inputs``.

    ``inputs`` as ``Inputs``, ``labels`` int64 (N,) of all N pictures. A batch is a dict of float32 tensors
    (B, …) and int64 (B,), on ``device``; the inputs are not moved, they may be large. With ``shuffle``
    every pass draws each picture's version; without, the pictures come in order as they are.
    """

    def __init__(
        self, inputs: Inputs, labels: np.ndarray, rows: np.ndarray, batch_size: int, **settings: object
    ) -> None:
        self.inputs, self.labels, self.rows = inputs, torch.as_tensor(labels), torch.as_tensor(rows)
        super().__init__(len(rows), batch_size, **settings)

    def __iter__(self) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
        versions, count = next(iter(self.inputs.values())).shape[:2]
        rows = places = self.rows[self.order()]
        if self.shuffle:
            places = rows + count * torch.randint(versions, (self.n,), generator=self.generator)
        for cut in self.cuts():
            inputs = {
                name: values.flatten(0, 1).index_select(0, places[cut]).to(self.device).float()
                for name, values in self.inputs.items()
            }
            yield inputs, self.labels[rows[cut]].to(self.device)


def weighted_losses(answers: JointAndLocalLogits, labels: Tensor, *, local: float) -> Tensor:
    """The joint answer's cross-entropy, and ``local`` times that of each local network (Yang et al. 2018:
    five weighted losses); in nats.
    """
    locals_ = sum(F.cross_entropy(logits, labels) for logits in answers[1].values())
    return joint_loss(answers, labels) + local * locals_


def joint_loss(answers: JointAndLocalLogits, labels: Tensor) -> Tensor:
    """The cross-entropy of the joint answer alone, in nats."""
    return F.cross_entropy(answers[0], labels)


class JointScore(ClassScore):
    """Loss and right answers of the joint answer alone, by which the epoch is chosen."""

    def add(self, answers: JointAndLocalLogits, labels: Tensor) -> None:
        super().add(answers[0], labels)


PICTURE_INPUT = "picture"
"""Name of the one input of a plain network."""


class PlainClassifier(nn.Module):
    """A ``network`` of one tensor, ``PICTURE_INPUT``, as a classifier that has no local networks."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Mapping[str, Tensor]) -> JointAndLocalLogits:
        return self.network(inputs[PICTURE_INPUT]), {}


def train_residue_classifier(
    inputs: Inputs,
    labels: np.ndarray,
    train: np.ndarray,
    valid: np.ndarray,
    model: nn.Module,
    *,
    recipe: ResidueRecipe,
    precision: PrecisionName | Precision = "auto",
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> Training:
    """Train ``model`` on the pictures ``train`` of ``inputs``, and leave it with the weights that the
    pictures ``valid`` chose.

    ``model`` takes a mapping of float tensors (B, …) and gives ``JointAndLocalLogits``: a
    ``nets.derl.ResidueClassifier`` or a ``PlainClassifier``. ``labels`` int64 (N,) of all N pictures;
    ``train`` and ``valid`` are indices of them. Stored is the epoch with the highest validation accuracy of
    the joint answer, of equals that with its lowest loss. Otherwise as ``train.learner.fit``: silent,
    repeatable from ``seed``, the global random state untouched.

    Raises DataError where a picture is both learned from and selected on; ParameterError where training
    diverges.
    """
    both = np.intersect1d(train, valid)
    if len(both):
        raise DataError(f"picture {both[0]} is both learned from and selected on")
    device = torch.device(device)
    loaders = DataLoaders(
        InputBatches(inputs, labels, train, recipe.batch_size, device=device, shuffle=True, seed=seed),
        InputBatches(inputs, labels, valid, 8 * recipe.batch_size, device=device),
        device=device,
    )
    learner = FaceLearner(
        loaders,
        model.to(device),
        joint_loss,
        torch.optim.AdamW,
        recipe,
        callbacks=[Objective(partial(weighted_losses, local=recipe.local), joint_loss)],
        fit_callbacks=[ParamScheduler({"lr": rate_of(recipe.schedule, recipe.lr)})],
        precision=precision,
        seed=seed,
    )
    try:
        return fit(learner, score=JointScore)
    finally:
        # A learner refers to itself: without this its data would lie in memory until a garbage collection.
        for batches in loaders.loaders:
            batches.inputs = {}


def predict_inputs(
    model: nn.Module,
    inputs: Inputs,
    rows: np.ndarray | None = None,
    *,
    batch_size: int = 256,
    device: torch.device | str = "cpu",
) -> np.ndarray:
    """float32 (len(rows), classes): the probabilities of ``model``'s joint answer for the pictures ``rows``
    (none named: all) as they are, in float32, evaluation mode.
    """
    labels = np.zeros(next(iter(inputs.values())).shape[1], np.int64)
    rows = np.arange(len(labels)) if rows is None else rows
    with evaluating(model.to(device)):
        probabilities = [
            model(batch)[0].float().softmax(dim=1).cpu()
            for batch, _ in InputBatches(inputs, labels, rows, batch_size, device=device)
        ]
    return torch.cat(probabilities).numpy()
