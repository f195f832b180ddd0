"""Training throughput of the library's learner against a bare PyTorch loop and against stock fastai.

    python benchmarks/training.py [--pictures 768] [--size 48] [--repeats 3] [--faces FOLDER]

All train the zero-bias CNN for one epoch on the same pictures with the same augmentation ranges, batch size and optimiser,
and validate it on an eighth as many. The contestants take turns; a ratio is the median over the turns of the ratio within a
turn, so that whatever else the machine does falls on both sides alike.

- ours: ``face_learner``, in the precision that it chooses;
- bare: the same network, precision, augmentation and handling of freed memory in a plain loop;
- ours fp32 contiguous: what ``bf16_channels_last`` is compared with;
- stock fastai: ``ImageDataLoaders.from_df`` on PNG files with fastai's own augmentation and its default number of workers,
  in float32, which is all that fastai offers on a CPU, with memory handled as glibc does by itself;
- fastai without workers: the same but ``num_workers=0``, which suits small pictures on few cores better.
"""

import argparse
import functools
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from fastai.optimizer import SGD
from fastai.vision.all import ImageDataLoaders, Learner, PILImageBW, accuracy, aug_transforms
from PIL import Image
from torch.nn import functional as F

from fer_lib.faces.faceset import EMOTIONS, FaceSet
from fer_lib.learn.augment import Augmentation
from fer_lib.learn.learner import MOMENTUM, face_learner, seed_everything
from fer_lib.learn.loaders import face_loaders
from fer_lib.learn.memory import keep_freed_memory
from fer_lib.learn.precision import Precision
from fer_lib.models.zero_bias import ZeroBiasCNN

SEED = 0
BATCH_SIZE = 64
LR = 0.001
WEIGHT_DECAY = 1e-5
AUGMENTATION = Augmentation()
BF16 = Precision("bf16", channels_last=True)
FP32 = Precision("fp32", channels_last=False)
STOCK, UNWORKED = "stock fastai", "fastai without workers"


def random_faces(pictures: int, size: int) -> FaceSet:
    """Noise, with an eighth as many pictures again for validation."""
    generator = np.random.default_rng(SEED)
    total = pictures + pictures // 8
    table = pd.DataFrame(
        {
            "dataset": "noise",
            "subject": "",
            "sequence": "",
            "frame": 0,
            "emotion": generator.choice(EMOTIONS, total),
            "split": ["train"] * pictures + ["valid"] * (total - pictures),
        }
    )
    pixels = generator.integers(0, 256, (total, size, size), dtype=np.uint8)
    return FaceSet("noise", pixels, table)


def real_faces(folder: Path, pictures: int) -> FaceSet:
    """The first ``pictures`` training pictures of a saved face set and an eighth as many for validation."""
    faces = FaceSet.load(folder)
    split = faces.table["split"].to_numpy()
    keep = [
        np.flatnonzero(split == name)[:count]
        for name, count in (("train", pictures), ("valid", pictures // 8))
    ]
    return faces.select(np.concatenate(keep))


def network(faces: FaceSet) -> ZeroBiasCNN:
    return ZeroBiasCNN(len(EMOTIONS), faces.size[0], generator=torch.Generator().manual_seed(SEED))


def ours(faces: FaceSet, precision: Precision, device: torch.device) -> Callable[[], None]:
    learner = face_learner(
        faces,
        network(faces),
        EMOTIONS,
        batch_size=BATCH_SIZE,
        augmentation=AUGMENTATION,
        precision=precision,
        device=device,
        seed=SEED,
    )
    return lambda: learner.fit(1, LR, wd=WEIGHT_DECAY)


def bare(faces: FaceSet, precision: Precision, device: torch.device) -> Callable[[], None]:
    model = network(faces).to(device)
    if precision.channels_last:
        model = model.to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(model.parameters(), LR, MOMENTUM, weight_decay=WEIGHT_DECAY)
    loaders = face_loaders(faces, EMOTIONS, BATCH_SIZE, device=device, augmentation=AUGMENTATION, seed=SEED)

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
        right.item()

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
        bs=BATCH_SIZE,
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
        ZeroBiasCNN(loaders.c, faces.size[0]),
        loss_func=F.cross_entropy,
        opt_func=functools.partial(SGD, mom=MOMENTUM),
        metrics=accuracy,
    )

    def epoch() -> None:
        with learner.no_bar(), learner.no_logging():
            learner.fit(1, LR, wd=WEIGHT_DECAY)

    return epoch


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MB (Linux counts it in KB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pictures", type=int, default=768)
    parser.add_argument("--size", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--faces", type=Path, help="a folder written by FaceSet.save, instead of noise")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    device = torch.device(given.device)
    seed_everything(SEED)
    faces = (
        real_faces(given.faces, given.pictures) if given.faces else random_faces(given.pictures, given.size)
    )
    trained = int((faces.table["split"] == "train").sum())
    chosen = face_learner(faces, network(faces), EMOTIONS, batch_size=BATCH_SIZE, device=device).precision
    print(f"{trained} pictures of {faces.size[0]} pixels, {torch.get_num_threads()} threads, {device}")
    print(f"precision chosen: {chosen.name}, channels_last {chosen.channels_last}")

    with tempfile.TemporaryDirectory() as folder:
        for row, picture in enumerate(faces.pixels):
            Image.fromarray(picture).save(Path(folder) / f"{row}.png")
        contestants = {
            "ours": ours(faces, chosen, device),
            "bare": bare(faces, chosen, device),
            "ours fp32 contiguous": ours(faces, FP32, device),
            STOCK: stock(faces, Path(folder), None, device),
            UNWORKED: stock(faces, Path(folder), 0, device),
        }
        bf16 = "ours"
        if (chosen.name, chosen.channels_last) != (BF16.name, BF16.channels_last):
            bf16 = "ours bf16 channels_last"
            contestants[bf16] = ours(faces, BF16, device)
        seconds: dict[str, list[float]] = {name: [] for name in contestants}
        memory: dict[str, float] = {}
        for turn in range(given.repeats + 1):
            for name, epoch in contestants.items():
                keep_freed_memory(name not in (STOCK, UNWORKED))
                start = time.perf_counter()
                epoch()
                # The first turn warms up: allocations, kernels, page cache.
                if turn:
                    seconds[name].append(time.perf_counter() - start)
                memory.setdefault(name, peak_memory_mb())

    rate = {name: trained / statistics.median(times) for name, times in seconds.items()}
    for name, pictures in rate.items():
        print(f"{name:26} {pictures:8.0f} pictures/s   peak memory so far {memory[name]:7.0f} MB")

    def ratio(name: str, other: str) -> float:
        turns = zip(seconds[name], seconds[other], strict=True)
        return statistics.median(theirs / mine for mine, theirs in turns)

    print(f"ratio bare {ratio('ours', 'bare'):.2f}")
    print(f"ratio stock_fastai {ratio('ours', STOCK):.2f}")
    print(f"ratio fastai_without_workers {ratio('ours', UNWORKED):.2f}")
    print(f"ratio bf16_channels_last {ratio(bf16, 'ours fp32 contiguous'):.2f}")


if __name__ == "__main__":
    main()
