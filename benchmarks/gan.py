"""GAN steps in pictures per second: the library's learner against a bare loop, and its formats against one
another.

    python benchmarks/gan.py [--pairs 512] [--size 48] [--batch 32] [--epochs 1] [--repeats 3] [--device cpu]

The pairs are noise. Each contestant trains the same two networks for ``epochs`` passes over them in the same
batches, mirrored alike, and averages the generator's weights; a step is one of the discriminator and one of
the generator.

- ours: ``gan_learner`` in the precision that is chosen;
- bare: the same networks, precision, fused Adam and averaging in a plain loop;
- ours fp32 contiguous: what ``bf16_channels_last`` is compared with.

The contestants take turns. Above 1, the first one is faster.
"""

import argparse
import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from book.derl.stage_one import GanRecipe, gan_learner
from contest import SEED, options, print_ratio, print_speeds, take_turns
from fer_lib.train.device import device_name
from fer_lib.train.learner import seed_everything
from fer_lib.train.precision import Precision

BF16 = Precision("bf16", channels_last=True)
FP32 = Precision("fp32", channels_last=False)


@dataclass(frozen=True)
class Task:
    """Pairs, and how they are learned from."""

    inputs: np.ndarray
    targets: np.ndarray
    recipe: GanRecipe
    device: torch.device


def noise(given: argparse.Namespace) -> Task:
    generator = np.random.default_rng(SEED)
    pictures = generator.integers(0, 256, (2, given.pairs, given.size, given.size), dtype=np.uint8)
    recipe = GanRecipe(epochs=given.epochs, batch_size=given.batch)
    return Task(*pictures, recipe, torch.device(given.device))


def learner_of(task: Task, precision: Precision | str):
    torch.manual_seed(SEED)
    return gan_learner(task.inputs, task.targets, task.recipe, precision=precision, device=task.device)


def ours(task: Task, precision: Precision) -> Callable[[], None]:
    learner = learner_of(task, precision)
    return lambda: learner.fit(task.recipe.epochs, task.recipe.lr, wd=0.0, reset_opt=True)


def bare(task: Task, precision: Precision) -> Callable[[], None]:
    learner = learner_of(task, precision)
    layout = torch.channels_last if precision.channels_last else torch.contiguous_format
    networks = (learner.model, learner.adversary.discriminator)
    generator, discriminator = (
        copy.deepcopy(network).to(task.device, memory_format=layout).train() for network in networks
    )
    batches, recipe = learner.dls.train, task.recipe

    def autocast() -> torch.autocast:
        return torch.autocast(
            task.device.type, torch.bfloat16, enabled=precision.name == "bf16", cache_enabled=False
        )

    def judged(faces: torch.Tensor, neutral: torch.Tensor) -> torch.Tensor:
        with autocast():
            return discriminator(torch.cat((faces, neutral), 1)).float()

    def train() -> None:
        first, second = (
            torch.optim.Adam(network.parameters(), recipe.lr, recipe.betas, fused=True)
            for network in (generator, discriminator)
        )
        average = get_ema_multi_avg_fn(recipe.ema)
        averaged = AveragedModel(generator, multi_avg_fn=average, use_buffers=True)
        for _ in range(recipe.epochs):
            for faces, true in batches:
                with autocast():
                    made = generator(faces)
                made = made.float()
                real, fake = judged(faces, true), judged(faces, made.detach())
                ((F.softplus(-real).mean() + F.softplus(fake).mean()) / 2).backward()
                second.step()
                second.zero_grad()
                discriminator.requires_grad_(False)
                adversarial = F.softplus(-judged(faces, made)).mean()
                discriminator.requires_grad_(True)
                (adversarial + recipe.l1 * F.l1_loss(made, true)).backward()
                first.step()
                first.zero_grad()
                averaged.update_parameters(generator)

    return train


def main() -> None:
    given = options(__doc__, pairs=512, size=48, batch=32, epochs=1, repeats=3).parse_args()
    seed_everything(SEED)
    task = noise(given)
    chosen = learner_of(task, "auto").precision
    print(
        f"{given.pairs} pairs of {given.size} pixels, {torch.get_num_threads()} threads, "
        f"{device_name(task.device)}; chosen: {chosen.name}{' channels_last' * chosen.channels_last}"
    )
    contestants = {
        "ours": ours(task, chosen),
        "bare": bare(task, chosen),
        "ours fp32 contiguous": ours(task, FP32),
        "ours bf16 channels_last": ours(task, BF16),
    }
    seconds = take_turns(contestants, given.repeats)["passed"]
    print_speeds(seconds, given.pairs * given.epochs)
    print_ratio("bare", seconds, "ours", "bare")
    print_ratio("bf16_channels_last", seconds, "ours bf16 channels_last", "ours fp32 contiguous")


if __name__ == "__main__":
    main()
