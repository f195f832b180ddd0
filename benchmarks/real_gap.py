"""How far a net that has only seen synthetic faces gets on real ones: trained on ``wild``, read on FER2013.

    python benchmarks/real_gap.py [--faces wild] [--subjects 1400] [--epochs 5] [--seeds 3] [--face-seed 0]
                                  [--split valid]

A small network is trained on pictures of the people of ``wild`` alone, each of whom shows each of FER2013's
seven classes once, with its right label, and reads FER2013's PublicTest. It is trained ``--seeds`` times.
Printed are two figures, means over the seeds: ``wild_to_fer2013``, the balanced accuracy by FER2013's labels
(chance: 0.143), and ``wild_to_clear``, the mean recall of five classes on those pictures for which at least 8
of FER+'s ten voters named FER2013's label too. (Of disgust and fear there are 1 and 12 such pictures.)
FER2013's labels are wrong so often that answering with FER+'s majority has a balanced accuracy of .571, and
this network, without gradients, taught by 14,000 pictures of FER2013 itself .466.

FER2013's own training pictures are not used here, but looked at, without their labels, for the shares of
children, hands, turned heads, glasses, fringes and captions. The tables of expressions were chosen with the
help of PublicTest's figures and of errors in it, so these are somewhat too good.

The goals, .40 and .50, were not reached. By default, with the faces of wild/2 as they stay: PublicTest .367
and .472 (three seeds: .375, .359, .366; .488, .468, .460). PrivateTest was read twice. For the faces of
716e7b5 (PublicTest .360 and .455): .355 and .477 (two seeds). For the last ones but for a few shares of
action units (PublicTest .369 and .470), three seeds: .355 and .490 (.363, .363, .340; .483, .504, .482). So
the last steps are not seen in PrivateTest's balanced accuracy, and in its clear pictures within the error.

What was tried, one after the other, with balanced sets with right labels (November 2026; one seed each unless
said; the standard error of a balanced accuracy is about .012, so steps of less than .03 say little); the
second column is of clear pictures, where it is known. From "heads turned" on rows change faces and numbers
together:

    untuned trial before beards, long hair, glasses, teeth (8,400 pictures)                .26
    all of those, with crops, head poses and blur that vary more than FER2013's            .253
    crops like FER2013's and less blur; folds of the face shaded; lower brows              .311
    natural expressions (expressions_web.py), 8,000 pictures                               .339
    no enlargement, little compression and noise, thinner brows, stronger expressions      .347
      the same, local contrast normalisation in the place of standardisation               .337
    a wider window, darker eyes, lips dark where they are closed                           .352
    lashes without speckles, lines beside the mouth at rest; 10 epochs instead of 16       .337
      the same, batch normalisation adapted to the pictures read, without labels           .343
    the pictures of .347, .352 and .337 together, 24,000, 6 epochs: more of them help       .367
    wild itself, 8,000 pictures, with 2 % disgust and 6 % wrong labels                     .320
      the same, 14,000 balanced ones, 5 epochs; gradients and action units (without: .329)   .358   .406
    heads turned and bowed, hands, more ways to shout, laugh, cry and rest, children and
      heavy faces, creases that bend the skin; 5,600 pictures, 8 epochs                      .362   .428
    people's own muscles, fear's mouths stretched; 7,000 pictures, 6 epochs                  .353   .438
    mouths, eyes and teeth as wide as they go; 14,000 pictures, 5 epochs: two seeds          .369   .464
    softer hair in seven styles, hats; 9,800 pictures, 5 epochs: three seeds                 .360   .455
      the same after its last touches; 7,000 pictures, 6 epochs: two seeds                   .358   .453
    crops as tight as photographs', faces broader, light varying more; 7,000, 6: two seeds   .369   .474
      the same; 9,800 pictures, 5 epochs: three seeds                                        .369   .470
      the same, joy, fear, anger and surprise without their leading unit now and then        .367   .472
    version 3, faces that rest unevenly (benchmarks/heads.py); 7,000, 5 epochs, three seeds  .363   .476
      version 2 with as many                                                                 .375   .472

With FER2013's Training pictures without labels, by self-training of a larger network on one core of an AMD
EPYC in bfloat16, PublicTest .432 and .564 of clear pictures (.359 and .487 before), PrivateTest .410 and .519
(.360 and .470), one seed. ``adaptation.py`` says by which protocol, and has the rows.

Crops were fitted without labels, by the eyes that OpenCV's cascade finds in Training: photographs have them
18.0 pixels apart in row 18.4, wild had them at 16.2 and 17.5 and has them at 17.7 and 17.9, with the mouth
where it was; hence the broader faces. The mean grey of pictures varies by 33 levels, 24 before, 28 now.
Anger without wrinkled noses, disgust without frowns and fear with wider mouths and flatter outer brows, all
after FACS, brought nothing (.367 and .451 against .363 and .464, one seed; clear anger was read as disgust
44 times of 108, not 34; surprise as fear 20 times of 228, not 18), and were taken back.

Wider shapes of faces (features .34), together with more bared teeth in anger, did worse half way through
training (.297 against .322): the shapes were taken back, the teeth kept. Instance normalisation changed
nothing (.304 against .300, half way), strong augmentation (elastic, shading, large erasing) made it worse
(.302 against .329), and so did painted wrinkles left out (.316 against .339). Ensembles of 5 or 7 networks
brought nothing (.357).

Training: the classes are equally frequent; the intensities of the action units are a second output; flips,
small rotations, scalings and shifts, gamma, blur, noise and a hidden square. The network sees the picture
standardised and its locally normalised gradients, in training and in reading. Where FER2013 is absent a line
says so and nothing is done.
"""

import time
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional as F

from contest import options
from fer_lib.faces.cache import cached
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers.fer2013 import CODES, read_fer2013
from fer_lib.faces.rendered import cache_key, entry_kind
from fer_lib.paths import cache_dir, data_dir
from ferbook.errors import DataError
from synthetic_faces.domains import domain_named
from synthetic_faces.expressions import LABELS
from synthetic_faces.facs import AUS
from synthetic_faces.produce import Recipe, empty_arrays
from synthetic_faces.sequences import Sequence, draw_course, perform
from synthetic_faces.workers import Job, render_people

_SIZE = 48
BATCH = 128
_WIDTH = 24
RATE = 6e-3
# The highest share of the width or height by which a picture is shifted, and so on: see ``augmented``.
ROTATION, LOG_SCALE, SHIFT = 0.2, 0.2, 0.1
# Side of the square, in pixels, within which gradients are brought to one strength.
NEIGHBOURHOOD = 11
CLEAR = tuple(CODES.index(name) for name in ("anger", "happiness", "sadness", "surprise", "neutral"))
CLEAR_VOTES = 8


def balanced_faces(name: str, subjects: int, seed: int) -> FaceSet:
    """Pictures of ``name``, which is ``wild`` or a version of it, in which everybody shows each of the seven
    classes once, and no label is wrong; with AU intensities; cached.
    """
    recipe, wild = Recipe(name, subjects, _SIZE, seed), domain_named(name)

    def make() -> FaceSet:
        numbers = [LABELS.index(emotion) for emotion in CODES]
        task = {"domain": recipe.domain, "seed": seed, "sequences": [(number, 0, [0]) for number in numbers]}
        jobs = [Job(len(CODES), task | {"person": person}) for person in range(subjects)]
        arrays = empty_arrays(len(CODES) * subjects, _SIZE)
        render_people("synthetic_faces.produce:render_sequences", jobs, arrays, size=_SIZE, cache=cache_dir())
        plan = [Sequence(person, number, 0) for person in range(subjects) for number in numbers]
        units = [
            perform(wild, seed, one, draw_course(wild, seed, one)).intensities[0].max(axis=1) for one in plan
        ]
        table = pd.DataFrame(units, columns=AUS)
        about = {
            "dataset": wild.name,
            "subject": [str(one.subject) for one in plan],
            "sequence": [f"{one.subject}-{one.emotion}" for one in plan],
            "frame": 0,
            "emotion": [one.emotion for one in plan],
            "split": "train",
        }
        return FaceSet("wild-balanced", arrays["pixels"], table.assign(**about))

    what = f"balanced-{subjects}"
    return cached(entry_kind(recipe, what), cache_key(recipe, balanced=True), make)


def standardised(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures (N, 1, H, W) with mean 0 and standard deviation about 1 each."""
    centred = pictures - pictures.mean((2, 3), keepdim=True)
    return centred / (centred.std((2, 3), keepdim=True) + 0.05)


def channels(pictures: torch.Tensor) -> torch.Tensor:
    """What the network sees of ``pictures`` (N, 1, H, W) in [0, 1]: (N, 3, H, W), the picture standardised,
    and its two Sobel gradients over their root mean square in the neighbourhood.
    """
    across = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
    gradients = F.conv2d(
        F.pad(pictures, (1, 1, 1, 1), mode="replicate"), torch.stack([across, across.T])[:, None]
    )
    strength = F.avg_pool2d(
        (gradients**2).sum(1, keepdim=True), NEIGHBOURHOOD, 1, NEIGHBOURHOOD // 2, count_include_pad=False
    )
    return torch.cat([standardised(pictures), gradients / (strength.sqrt() + 0.02)], 1)


def augmented(pictures: torch.Tensor) -> torch.Tensor:
    """The ``channels`` of pictures (N, 1, H, W) in [0, 1], each in its own way unlike what it was."""
    count, side = len(pictures), pictures.shape[-1]

    def spread(*shape: int) -> torch.Tensor:
        return 2 * torch.rand(count, *shape) - 1

    angle, scale, shape = ROTATION * spread(), torch.exp(LOG_SCALE * spread()), torch.exp(0.1 * spread())
    affine = torch.zeros(count, 2, 3)
    affine[:, 0, 0], affine[:, 0, 1] = torch.cos(angle) * scale * shape, -torch.sin(angle) * scale
    affine[:, 1, 0], affine[:, 1, 1] = torch.sin(angle) * scale, torch.cos(angle) * scale / shape
    affine[:, :, 2] = SHIFT * spread(2)
    mirrored = torch.rand(count, 1, 1, 1) < 0.5
    pictures = torch.where(mirrored, pictures.flip(3), pictures)
    grid = F.affine_grid(affine, list(pictures.shape), align_corners=False)
    pictures = F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
    pictures = pictures.clamp(1e-3, 1) ** torch.exp(0.5 * spread(1, 1, 1))
    soft = F.avg_pool2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, 1)
    pictures = torch.where(torch.rand(count, 1, 1, 1) < 0.3, soft, pictures)
    pictures = pictures + 0.03 * torch.rand(count, 1, 1, 1) * torch.randn_like(pictures)
    inputs = channels(pictures)
    places, half = torch.arange(float(side)), torch.randint(4, 11, (count, 1))
    rows, columns = (((places - side * torch.rand(count, 1)).abs() < half) for _ in range(2))
    hidden = rows[:, :, None] & columns[:, None, :] & (torch.rand(count, 1, 1) < 0.5)
    grey = torch.cat([torch.randn(count, 1, 1, 1), torch.zeros(count, 2, 1, 1)], 1)
    return torch.where(hidden[:, None], grey, inputs)


class UnitsAndEmotions(nn.Module):
    """It answers with scores of the classes, and of the action units, from the ``features`` numbers that
    ``body`` makes of what ``channels`` gives (N, 3, H, W).
    """

    def __init__(self, body: nn.Module, features: int) -> None:
        super().__init__()
        self.body = body
        self.emotions, self.units = nn.Linear(features, len(CODES)), nn.Linear(features, len(AUS))

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.body(inputs)
        return self.emotions(features), self.units(features)


def per_place() -> UnitsAndEmotions:
    """Four convolutions with batch normalisation and a weight per place: 190,000 parameters."""
    layers: list[nn.Module] = []
    last = 6 * _WIDTH
    for inputs, outputs in pairwise((3, _WIDTH, 2 * _WIDTH, 4 * _WIDTH, last)):
        layers += [nn.MaxPool2d(2)] if layers else []
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    layers += [nn.Conv2d(last, last, _SIZE // 8, groups=last), nn.Flatten(), nn.ReLU(), nn.Dropout(0.2)]
    return UnitsAndEmotions(nn.Sequential(*layers), last)


def optimiser_of(
    net: nn.Module, rate: float, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW for ``net``, and how its rate goes up to ``rate`` and down to nothing in so many ``steps``."""
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.02)
    return optimiser, torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.15)


def trained(
    net: UnitsAndEmotions,
    pixels: torch.Tensor,
    labels: torch.Tensor,
    units: torch.Tensor | None,
    epochs: int,
    rate: float = RATE,
) -> UnitsAndEmotions:
    """``net`` after ``epochs`` passes over uint8 ``pixels`` (N, H, W), at least ``BATCH`` of them, with class
    numbers ``labels`` (N,) and, where they are known, the intensities in [0, 1] of action ``units`` (N, K).
    """
    net = net.train().to(memory_format=torch.channels_last)
    steps = len(pixels) // BATCH
    optimiser, schedule = optimiser_of(net, rate, epochs * steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(pixels))[: steps * BATCH].split(BATCH):
            batch = augmented(pixels[rows, None].float() / 255).contiguous(memory_format=torch.channels_last)
            # Twice as fast on processors that have bfloat16, and good enough.
            with torch.autocast("cpu", torch.bfloat16):
                emotions, unit_logits = net(batch)
            loss = F.cross_entropy(emotions.float(), labels[rows], label_smoothing=0.1)
            if units is not None:
                loss = loss + F.binary_cross_entropy_with_logits(unit_logits.float(), units[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return net.eval()


@torch.no_grad()
def read(net: UnitsAndEmotions, pixels: torch.Tensor) -> np.ndarray:
    """Class numbers (N,) of uint8 ``pixels`` (N, H, W): the mean of a picture and its mirror image."""
    classes = []
    for batch in pixels.split(512):
        pictures = batch[:, None].float() / 255
        both = [net(channels(one))[0].softmax(1) for one in (pictures, pictures.flip(3))]
        classes.append(sum(both).argmax(1))
    return torch.cat(classes).numpy()


def recalls(answers: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The recall (7,) of each class; ``answers`` and ``truth`` (N,) are class numbers."""
    return np.array([(answers[truth == code] == code).mean() for code in range(len(CODES))])


def agreed(real: FaceSet, truth: np.ndarray) -> np.ndarray:
    """bool (N,): whether at least ``CLEAR_VOTES`` of FER+'s ten voters named the class ``truth`` (N,)."""
    votes = real.table[[f"vote_{emotion}" for emotion in CODES]].to_numpy()
    return votes[np.arange(len(truth)), truth] >= CLEAR_VOTES


def tensors_of(faces: FaceSet) -> tuple[torch.Tensor, torch.Tensor]:
    """uint8 pixels (N, H, W) and class numbers (N,) of ``faces``."""
    labels = [CODES.index(emotion) for emotion in faces.table["emotion"]]
    return torch.tensor(np.ascontiguousarray(faces.pixels)), torch.tensor(labels)


def main() -> None:
    parser = options(__doc__, subjects=1400, epochs=5, seeds=3, face_seed=0)
    parser.add_argument("--faces", default="wild")
    parser.add_argument("--split", choices=("valid", "test"), default="valid")
    args = parser.parse_args()
    try:
        real = read_fer2013(data_dir() / "fer2013")
    except DataError as fault:
        print(f"skipped: {fault}")
        return

    faces = balanced_faces(args.faces, args.subjects, args.face_seed)
    # Small pictures: a second thread costs more than it gives where others use the cores.
    torch.set_num_threads(1)
    pixels, labels = tensors_of(faces)
    units = torch.tensor(faces.table[list(AUS)].to_numpy(np.float32))
    real = real.select(real.table["split"].to_numpy() == args.split)
    pictures, classes = tensors_of(real)
    truth = classes.numpy()
    clear = agreed(real, truth)
    print(
        f"{len(faces)} synthetic pictures, {args.epochs} epochs; {len(truth)} real ones, {clear.sum()} clear"
    )

    rows = []
    for seed in range(args.seeds):
        start = time.perf_counter()
        torch.manual_seed(seed)
        answers = read(trained(per_place(), pixels, labels, units, args.epochs), pictures)
        rows.append([recalls(answers, truth), recalls(answers[clear], truth[clear])])
        every, few = rows[-1]
        print(
            f"seed {seed}: balanced accuracy {every.mean():.3f}, clear {few[[*CLEAR]].mean():.3f} "
            f"({time.perf_counter() - start:.0f} s)",
            flush=True,
        )
    every, few = np.mean(rows, axis=0)
    for emotion, recall, clearly in zip(CODES, every, few, strict=True):
        print(f"recall {emotion:10s} {recall:.3f}, of clear pictures {clearly:.3f}")
    print(f"ratio wild_to_fer2013 {every.mean():.3f}")
    print(f"ratio wild_to_clear {few[[*CLEAR]].mean():.3f}")


if __name__ == "__main__":
    main()
