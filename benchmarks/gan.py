"""GAN steps in pictures per second: the library's learner against a bare loop, and its formats against one
another.

    python benchmarks/gan.py [--pairs 512] [--size 48] [--batch 32] [--epochs 1] [--repeats 5] [--device cpu]

The pairs are noise. Each contestant trains the same two networks for ``epochs`` passes over them in the same
batches, mirrored alike, and averages the generator's weights; a step is one of the discriminator and one of
the generator.

- ours: ``gan_learner`` in the precision that is chosen;
- bare: the same networks, precision, fused Adam and averaging in a plain loop;
- ours fp32 contiguous: what ``bf16_channels_last`` is compared with.

The contestants take turns. Above 1, the first one is faster.
"""

import copy
from collections.abc import Callable

import torch
from fastai.learner import Learner
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from book.derl.stage_one import GanRecipe, gan_learner
from contest import SEED, machine, noise, options, print_ratio, print_speeds, take_turns
from fer_lib.train.device import Precision
from fer_lib.train.learner import seed_everything

BF16 = Precision("bf16", channels_last=True)
FP32 = Precision("fp32", channels_last=False)


def our_steps(learner: Learner, recipe: GanRecipe) -> Callable[[], None]:
    return lambda: learner.fit(recipe.epochs, recipe.lr, wd=0.0, reset_opt=True)


def bare(learner: Learner, recipe: GanRecipe, device: torch.device) -> Callable[[], None]:
    """The learner's networks and batches in a plain loop."""
    precision, batches = learner.precision, learner.dls.train
    layout = torch.channels_last if precision.channels_last else torch.contiguous_format
    networks = (learner.model, learner.adversary.discriminator)
    generator, discriminator = (
        copy.deepcopy(network).to(device, memory_format=layout).train() for network in networks
    )

    def autocast() -> torch.autocast:
        return torch.autocast(
            device.type, torch.bfloat16, enabled=precision.name == "bf16", cache_enabled=False
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
        ema = AveragedModel(generator, multi_avg_fn=average, use_buffers=True)
        for _ in range(recipe.epochs):
            for faces, true in batches:
                with autocast():
                    output = generator(faces)
                output = output.float()
                real, fake = judged(faces, true), judged(faces, output.detach())
                ((F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2).backward()
                second.step()
                second.zero_grad()
                discriminator.requires_grad_(False)
                adversarial = -judged(faces, output).mean()
                discriminator.requires_grad_(True)
                (adversarial + recipe.l1 * F.l1_loss(output, true)).backward()
                first.step()
                first.zero_grad()
                ema.update_parameters(generator)

    return train


def main() -> None:
    args = options(__doc__, pairs=512, size=48, batch=32, epochs=1, repeats=5).parse_args()
    seed_everything(SEED)
    pictures = noise(2 * args.pairs, args.size).pixels
    recipe = GanRecipe(epochs=args.epochs, batch_size=args.batch)
    device = torch.device(args.device)

    def learner(precision: Precision | str) -> Learner:
        torch.manual_seed(SEED)
        halves = (pictures[: args.pairs], pictures[args.pairs :])
        return gan_learner(*halves, recipe, precision=precision, device=device)

    automatic = learner("auto").precision
    print(
        f"{args.pairs} pairs of {args.size} pixels, {machine(device)}; chosen: {automatic.name}"
        f"{' channels_last' * automatic.channels_last}"
    )
    contestants = {
        "ours": our_steps(learner(automatic), recipe),
        "bare": bare(learner(automatic), recipe, device),
        "ours fp32 contiguous": our_steps(learner(FP32), recipe),
        "ours bf16 channels_last": our_steps(learner(BF16), recipe),
    }
    seconds = take_turns(contestants, args.repeats)["passed"]
    print_speeds(seconds, args.pairs * args.epochs)
    print_ratio("bare", seconds, "ours", "bare")
    print_ratio("bf16_channels_last", seconds, "ours bf16 channels_last", "ours fp32 contiguous")


if __name__ == "__main__":
    main()
