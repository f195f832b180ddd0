"""The second player of a conditional GAN, beside a fastai ``Learner`` that trains the first."""

import torch
from fastai.callback.core import Callback
from fastai.callback.fp16 import MixedPrecision
from torch.nn import functional as F

from fer_lib.nets.derl import Discriminator
from fer_lib.train.precision import Precision

TERMS = ("generator_loss", "adversarial_loss", "l1", "discriminator_loss", "real_accuracy", "fake_accuracy")
"""What ``Adversary.terms`` holds of a step, in this order."""


class Adversary(Callback):
    """Trains ``discriminator`` on each batch before the generator, which is the learner's model, and gives
    the generator its loss.

    The conditional game of Isola et al. 2017 with the hinge losses of Miyato et al. 2018 (arXiv 1802.05957,
    eq. 16 and 17), which pay the discriminator nothing for being surer than it needs. With x the expressive
    faces, y the true and G(x) the generated neutral ones, the discriminator D minimises the mean of
    max(0, 1 − D(x, y)) and max(0, 1 + D(x, G(x))). Then the generator minimises −D(x, G(x)) plus ``l1`` (the
    paper's θ) times the mean |y − G(x)| in grey values of [0, 1]. Each is the mean over patches.

    The discriminator has an Adam of its own with ``betas``, at the rate that the learner's optimiser has in
    that step. ``terms``: float32 (6,) on the device, the latest step's losses, and the shares of patches that
    the discriminator judged rightly before it learned from them.
    """

    order = MixedPrecision.order + 1  # the generated pictures are float32 again

    def __init__(
        self,
        discriminator: Discriminator,
        *,
        betas: tuple[float, float],
        l1: float,
        precision: Precision,
    ) -> None:
        super().__init__()
        self.discriminator, self.betas, self.l1, self.precision = discriminator, betas, l1, precision

    def before_fit(self) -> None:
        layout = torch.channels_last if self.precision.channels_last else torch.contiguous_format
        self.discriminator.to(self.dls.device, memory_format=layout).train().requires_grad_(True)
        self.optimiser = torch.optim.Adam(self.discriminator.parameters(), betas=self.betas, fused=True)

    def _judged(self, neutral: torch.Tensor) -> torch.Tensor:
        # Without the cache of cast weights: within one region it would hide this step's update of the
        # discriminator from the generator.
        bf16 = self.precision.name == "bf16"
        with torch.autocast(self.dls.device.type, torch.bfloat16, enabled=bf16, cache_enabled=False):
            logits = self.discriminator(torch.cat((self.x, neutral), dim=1))
        return logits.float()

    def after_pred(self) -> None:
        if not self.training:
            return
        for group in self.optimiser.param_groups:
            group["lr"] = self.opt.hypers[-1]["lr"]
        real, fake = self._judged(self.y), self._judged(self.pred.detach())
        # Halved as in Isola et al. 2017 (section 3.3), which slows the discriminator down beside the
        # generator.
        loss = (F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2
        loss.backward()
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.judgement = (loss.detach(), (real > 0).float().mean(), (fake < 0).float().mean())

    def after_loss(self) -> None:
        if not self.training:
            return
        distance = self.learn.loss_grad
        self.discriminator.requires_grad_(False)  # the generator's gradient needs none of its weights'
        adversarial = -self._judged(self.pred).mean()
        self.discriminator.requires_grad_(True)
        total = adversarial + self.l1 * distance
        self.learn.loss_grad, self.learn.loss = total, total.detach()
        self.terms = torch.stack((total.detach(), adversarial.detach(), distance.detach(), *self.judgement))
