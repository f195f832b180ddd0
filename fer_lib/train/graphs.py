"""The forward and the backward pass of a network as one order each to a GPU."""

import gc
from collections.abc import Callable

import torch
from fastai.callback.core import Callback
from fastai.callback.mixup import MixUp


class Graphs(Callback):
    """On a GPU: records the network's passes for whole batches, and plays them from then on.

    A small network asks for hundreds of operations a step, which Python orders more slowly than a GPU does
    them. ``torch.cuda.make_graphed_callables`` records them, once for each size of the pictures; what the
    recording changes (the running means of batch normalisation) is put back. A last batch of fewer pictures,
    a validation, and a loss that looks into the network are computed as without it.
    """

    order = MixUp.order + 5  # the batch is as the network will take it

    def __init__(self) -> None:
        super().__init__()
        self.shape: torch.Size | None = None
        self.graphed: Callable[[torch.Tensor], torch.Tensor] | None = None

    def before_batch(self) -> None:
        if self.training and len(self.x) == self.dls.train.bs and self.learn.objective.hook is None:
            if self.x.shape != self.shape:
                self.record()
            self.model.forward = self.graphed

    def record(self) -> None:
        """Record both passes for a batch like this one; an earlier recording gives its memory back."""
        self.graphed = None
        gc.collect()  # a recording holds itself
        buffers = [buffer.clone() for buffer in self.model.buffers()]
        with self.learn.precision.autocast(self.x.device):
            torch.cuda.make_graphed_callables(self.model, (self.x.detach().clone(),))
        self.graphed, self.shape = self.model.__dict__.pop("forward"), self.x.shape
        for buffer, value in zip(self.model.buffers(), buffers, strict=True):
            buffer.copy_(value)

    def after_pred(self) -> None:
        self.close()

    def after_fit(self) -> None:
        self.graphed = self.shape = None

    def close(self) -> None:
        """Have the network compute as ever, which fastai has no event for where a training is interrupted."""
        self.model.__dict__.pop("forward", None)
