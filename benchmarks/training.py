"""Training throughput: the library's learner against a bare loop and stock fastai, and the loaders.

    python benchmarks/training.py [--parts learners loaders] [--pictures 768] [--size 48] [--repeats 5]

Everything is trained for one epoch on the same pictures, which are noise, with the same augmentation ranges,
batch size and optimiser, and validated on an eighth as many. The contestants take turns.

`learners`, with the zero-bias CNN:

- ours: ``face_learner`` and ``fit``, in the precision that is chosen;
- bare: the same network, precision and augmentation in a plain loop; on a GPU compiled, too;
- other format: ours in float32 where bfloat16 is chosen, else in bfloat16, both channels_last; by
  ``chosen_precision`` the rule that chooses is judged;
- ours bf16 channels_last, ours fp32 contiguous: what the ratio ``bf16_channels_last`` compares;
- stock fastai: ``ImageDataLoaders.from_df`` on PNG files with fastai's own augmentation and its default
  number of workers, in float32, which is all that fastai offers on a CPU, with memory handled as glibc does
  by itself;
- fastai without workers: the same but ``num_workers=0``, which suits small pictures on few cores better.

`loaders`: batches alone, without a network. Ours; torchvision's transforms picture by picture in a
``DataLoader`` with two workers, and with none. The transforms are those nearest to ours: a mirror image, an
affine map, brightness and contrast.
"""

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from fastai.data.core import DataLoaders
from fastai.optimizer import SGD
from fastai.vision.all import ImageDataLoaders, Learner, PILImageBW, accuracy, aug_transforms
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from contest import SEED, machine, noise, options, peak_memory_mb, print_ratio, print_speeds, take_turns
from face_sets.faceset import EMOTIONS, FaceSet
from fer_lib.nets.build import build_network
from fer_lib.train.batches import AUGMENTATIONS, face_loaders
from fer_lib.train.device import Precision, choose_precision
from fer_lib.train.learner import MOMENTUM, face_learner, fit, seed_everything
from fer_lib.train.recipe import TrainingRecipe

ONE_EPOCH = TrainingRecipe(epochs=1, batch_size=64, lr=0.001, schedule="constant", augment="published")
AUGMENTATION = AUGMENTATIONS[ONE_EPOCH.augment]
BF16_CHANNELS_LAST = Precision("bf16", channels_last=True)
FP32_CONTIGUOUS = Precision("fp32", channels_last=False)
# By the number format that is chosen, what it is held against.
OTHER_FORMAT = {"fp32": BF16_CHANNELS_LAST, "bf16": Precision("fp32", channels_last=True)}
WORKERS = 2
# Passes of the loaders in one turn: a pass of ours takes milliseconds.
LOADED = 20


def seeded_network(faces: FaceSet) -> nn.Module:
    generator = torch.Generator().manual_seed(SEED)
    return build_network("zero_bias", len(EMOTIONS), faces.size[0], generator=generator)


def our_loaders(faces: FaceSet, device: torch.device) -> DataLoaders:
    return face_loaders(
        faces, EMOTIONS, ONE_EPOCH.batch_size, device=device, augmentation=AUGMENTATION, seed=SEED
    )


def our_training(faces: FaceSet, precision: Precision, device: torch.device) -> Callable[[], None]:
    model = seeded_network(faces)
    learner = face_learner(faces, model, EMOTIONS, ONE_EPOCH, precision=precision, device=device, seed=SEED)
    return lambda: fit(learner)


def plain_training(
    faces: FaceSet, precision: Precision, device: torch.device, compiled: bool = False
) -> Callable[[], None]:
    model = seeded_network(faces).to(device)
    if precision.channels_last:
        model = model.to(memory_format=torch.channels_last)
    if compiled:
        model = torch.compile(model)
    optimiser = torch.optim.SGD(
        model.parameters(), ONE_EPOCH.lr, MOMENTUM, weight_decay=ONE_EPOCH.weight_decay
    )
    loaders = our_loaders(faces, device)

    def forward(pictures: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision.name == "bf16"):
            return model(pictures).float()

    def epoch() -> None:
        model.train()
        for pictures, labels in loaders.train:
            F.cross_entropy(forward(pictures), labels).backward()
            optimiser.step()
            optimiser.zero_grad()
        model.eval()
        right = torch.zeros((), device=device)
        with torch.no_grad():
            for pictures, labels in loaders.valid:
                right += (forward(pictures).argmax(1) == labels).sum()

    return epoch


def stock(faces: FaceSet, folder: Path, workers: int | None, device: torch.device) -> Callable[[], None]:
    table = pd.DataFrame(
        {
            "name": [f"{row}.png" for row in range(len(faces))],
            "label": faces.table["emotion"],
            "is_valid": faces.table["split"] == "valid",
        }
    )
    loaders = ImageDataLoaders.from_df(
        table,
        folder,
        valid_col="is_valid",
        bs=ONE_EPOCH.batch_size,
        num_workers=workers,
        device=device,
        batch_tfms=aug_transforms(
            max_rotate=AUGMENTATION.rotation,
            min_zoom=1 / AUGMENTATION.window[1],
            max_zoom=1 / AUGMENTATION.window[0],
            max_lighting=0.4,
            max_warp=0,
            p_affine=1,
            p_lighting=1,
        ),
        img_cls=PILImageBW,
    )
    learner = Learner(
        loaders,
        seeded_network(faces),
        loss_func=F.cross_entropy,
        opt_func=functools.partial(SGD, mom=MOMENTUM),
        metrics=accuracy,
    )

    def epoch() -> None:
        with learner.no_bar(), learner.no_logging():
            learner.fit(1, ONE_EPOCH.lr, wd=ONE_EPOCH.weight_decay)

    return epoch


class TransformedPictures(Dataset):
    """Single pictures through torchvision's transforms."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = torch.tensor(pixels).unsqueeze(1)
        self.transform = v2.Compose(
            [
                v2.ToDtype(torch.float32, scale=True),
                v2.RandomHorizontalFlip(AUGMENTATION.flip),
                v2.RandomAffine(
                    AUGMENTATION.rotation,
                    translate=(0.15, 0.15),
                    scale=tuple(1 / side for side in reversed(AUGMENTATION.window)),
                    interpolation=v2.InterpolationMode.BILINEAR,
                ),
                v2.ColorJitter(brightness=0.4, contrast=0.4),
            ]
        )

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, row: int) -> torch.Tensor:
        return self.transform(self.pixels[row])


def our_batches(faces: FaceSet, device: torch.device) -> Callable[[], None]:
    batches = our_loaders(faces, device).train

    def passes() -> None:
        for _ in range(LOADED):
            for _ in batches:
                pass

    return passes


def torchvision_batches(faces: FaceSet, workers: int, device: torch.device) -> Callable[[], None]:
    loader = DataLoader(
        TransformedPictures(faces.split("train").pixels),
        ONE_EPOCH.batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )

    def one_pass() -> None:
        for pictures in loader:
            pictures.to(device)

    return one_pass


def compare_learners(faces: FaceSet, repeats: int, device: torch.device) -> None:
    automatic = choose_precision("auto", device)
    print(f"precision chosen: {automatic.name}, channels_last {automatic.channels_last}")
    with tempfile.TemporaryDirectory() as folder:
        for row, picture in enumerate(faces.pixels):
            Image.fromarray(picture).save(Path(folder) / f"{row}.png")
        contestants = {
            "ours": our_training(faces, automatic, device),
            "bare": plain_training(faces, automatic, device),
            "other format": our_training(faces, OTHER_FORMAT[automatic.name], device),
            "ours fp32 contiguous": our_training(faces, FP32_CONTIGUOUS, device),
            "ours bf16 channels_last": our_training(faces, BF16_CHANNELS_LAST, device),
            "stock fastai": stock(faces, Path(folder), None, device),
            "fastai without workers": stock(faces, Path(folder), 0, device),
        }
        if device.type == "cuda":
            contestants["bare compiled"] = plain_training(faces, automatic, device, compiled=True)
        seconds = take_turns(contestants, repeats)["passed"]
    print_speeds(seconds, len(faces.split("train")))
    for other in ("bare", "bare compiled", "stock fastai", "fastai without workers"):
        if other in seconds:
            print_ratio(other.replace(" ", "_"), seconds, "ours", other)
    print_ratio("chosen_precision", seconds, "ours", "other format")
    print_ratio("bf16_channels_last", seconds, "ours bf16 channels_last", "ours fp32 contiguous")


def compare_loaders(faces: FaceSet, repeats: int, device: torch.device) -> None:
    with_workers, without_workers = f"torchvision, {WORKERS} workers", "torchvision without workers"
    contestants = {
        "our batches": our_batches(faces, device),
        with_workers: torchvision_batches(faces, WORKERS, device),
        without_workers: torchvision_batches(faces, 0, device),
    }
    seconds = take_turns(contestants, repeats)["passed"]
    seconds["our batches"] /= LOADED
    print_speeds(seconds, len(faces.split("train")))
    print_ratio("torchvision_workers", seconds, "our batches", with_workers)
    print_ratio("torchvision_without_workers", seconds, "our batches", without_workers)


COMPARISONS = {"learners": compare_learners, "loaders": compare_loaders}


def main() -> None:
    parser = options(__doc__, pictures=768, size=48, repeats=5)
    parser.add_argument("--parts", nargs="+", choices=list(COMPARISONS), default=list(COMPARISONS))
    args = parser.parse_args()
    device = torch.device(args.device)
    seed_everything(SEED)
    split = ["train"] * args.pictures + ["valid"] * (args.pictures // 8)
    faces = noise(len(split), args.size, split=split)
    count = len(faces.split("train"))
    print(f"{count} pictures of {faces.size[0]} pixels, {machine(device)}")
    for part in args.parts:
        print(f"-- {part}")
        COMPARISONS[part](faces, args.repeats, device)
    print(f"peak memory {peak_memory_mb():.0f} MB")


if __name__ == "__main__":
    main()
