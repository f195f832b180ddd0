"""The second player of a conditional GAN, beside a fastai ``Learner`` that trains the first."""

import torch
from fastai.callback.core import Callback
from fastai.callback.fp16 import MixedPrecision
from torch.nn import functional as F

from fer_lib.nets.derl import Discriminator
from fer_lib.train.device import Precision

TERMS = ("generator_loss", "adversarial_loss", "l1", "discriminator_loss", "real_accuracy", "fake_accuracy")
"""What ``Adversary.terms`` holds of a step, in this order."""


def discriminator_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """The discriminator's hinge loss (Miyato et al. 2018, arXiv 1802.05957, equation 16) for its logits of
    true and of generated pairs: the mean over patches of max(0, 1 - real) and that of max(0, 1 + fake).

    Halved as by Isola et al. 2017 (section 3.3), which slows it down beside the generator.
    """
    return (F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2


def generator_loss(fake: torch.Tensor, distance: torch.Tensor, l1: float) -> torch.Tensor:
    """The generator's loss: minus the mean logit of its pairs (Miyato et al., equation 17), and ``l1`` (the
    paper's θ) times the mean absolute ``distance`` of its pictures from the true ones.
    """
    return l1 * distance - fake.mean()


class Adversary(Callback):
    """Trains ``discriminator`` on each batch before the generator, which is the learner's model, and gives
    the generator its loss.

    The conditional game of Isola et al. 2017 with ``discriminator_loss`` and ``generator_loss``; x are the
    expressive faces, y the true neutral ones. Distances are in grey values of [0, 1].

    The discriminator has an Adam of its own with ``betas``, at the rate that the learner's optimiser has in
    that step. ``terms``: float32 (6,) on the device, the latest step's losses, and the shares of patches that
    the discriminator judged rightly before it learned from them.
    """

    order = MixedPrecision.order + 1  # the generated pictures are float32 again

    def __init__(
        self, discriminator: Discriminator, *, betas: tuple[float, float], l1: float, precision: Precision
    ) -> None:
        super().__init__()
        self.discriminator, self.betas, self.l1, self.precision = discriminator, betas, l1, precision

    def before_fit(self) -> None:
        layout = torch.channels_last if self.precision.channels_last else torch.contiguous_format
        self.discriminator.to(self.dls.device, memory_format=layout).train().requires_grad_(True)
        self.optimiser = torch.optim.Adam(self.discriminator.parameters(), betas=self.betas, fused=True)

    def _judged(self, neutral: torch.Tensor) -> torch.Tensor:
        with self.precision.autocast(self.dls.device):
            logits = self.discriminator(torch.cat((self.x, neutral), dim=1))
        return logits.float()

    def after_pred(self) -> None:
        if not self.training:
            return
        for group in self.optimiser.param_groups:
            group["lr"] = self.opt.hypers[-1]["lr"]
        real, fake = self._judged(self.y), self._judged(self.pred.detach())
        loss = discriminator_loss(real, fake)
        loss.backward()
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.judgement = (loss.detach(), (real > 0).float().mean(), (fake < 0).float().mean())

    def after_loss(self) -> None:
        if not self.training:
            return
        distance = self.learn.loss_grad
        self.discriminator.requires_grad_(False)  # the generator's gradient needs none of its weights'
        fake = self._judged(self.pred)
        self.discriminator.requires_grad_(True)
        total = generator_loss(fake, distance, self.l1)
        self.learn.loss_grad, self.learn.loss = total, total.detach()
        self.terms = torch.stack((total, -fake.mean(), distance, *self.judgement)).detach()
