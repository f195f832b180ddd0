"""Leave-one-subject-out LSTMs: all networks in one program against one after the other, and against
processes.

    python benchmarks/lstm.py [--people 26] [--clips 246] [--frames 16] [--features 300] [--seeds 3] [--epochs
    5] [--repeats 5] [--device cpu]

Features are noise, of clips of all lengths from half of ``frames`` on; the default sizes are those of CASME
II. Each person is tested once, the three next ones validate, so there is a network per person and seed. Every
contestant trains all of them for ``epochs`` full-batch steps of AdamW with the same first weights, and scores
the validation clips after each:

- batched: ``train_clips`` with all networks in one program;
- one by one: ``train_clips`` for each network, with all threads;
- torch one by one: ``torch.nn.LSTM`` on packed sequences in a plain loop, each network on its own training
  and validation clips;
- torch in processes: the same loop in as many processes as there are cores, of one thread each, which were
  started beforehand; on a CPU only.

The contestants take turns. `ratio folds_batched` is against the faster of the two that train one by one.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from contest import SEED, machine, options, print_ratio, take_turns
from fer_lib.nets.lstm import ClipLSTM
from fer_lib.train.clips import ClipRecipe, class_weights, train_clips
from fer_lib.train.predict import inside_clips, scaling

CLIP_CLASSES = 5
VALIDATE = 3


@dataclass(frozen=True)
class LstmTask:
    """Clips and who learns from which, as ``train_clips`` takes them."""

    features: np.ndarray
    lengths: np.ndarray
    labels: np.ndarray
    train: np.ndarray
    valid: np.ndarray
    seeds: tuple[int, ...]
    recipe: ClipRecipe
    device: str


def random_clips(args: argparse.Namespace) -> LstmTask:
    generator = np.random.default_rng(SEED)
    subject = np.arange(args.clips) % args.people
    ahead = (subject - np.arange(args.people)[:, None]) % args.people
    parts = (ahead > VALIDATE, (ahead >= 1) & (ahead <= VALIDATE))
    lengths = generator.integers(args.frames // 2, args.frames + 1, args.clips)
    features = generator.normal(size=(args.clips, args.frames, args.features)).astype(np.float32)
    features[np.arange(args.frames) >= lengths[:, None]] = 0
    return LstmTask(
        features,
        lengths,
        generator.integers(CLIP_CLASSES, size=args.clips),
        *(np.tile(part, (args.seeds, 1)) for part in parts),
        tuple(np.repeat(np.arange(args.seeds), args.people).tolist()),
        ClipRecipe(epochs=args.epochs, schedule="constant"),
        args.device,
    )


def our_lstms(task: LstmTask, rows: slice) -> None:
    clips = (task.features, task.lengths, task.labels, CLIP_CLASSES)
    folds = {"train": task.train[rows], "valid": task.valid[rows], "seeds": task.seeds[rows]}
    train_clips(*clips, task.recipe, **folds, device=task.device)


def ours_one_by_one(task: LstmTask) -> None:
    for network in range(len(task.seeds)):
        our_lstms(task, slice(network, network + 1))


class Plain(nn.Module):
    """What one network is to torch: its LSTM, dropout and a linear layer, from first weights that
    ``ClipLSTM`` draws.
    """

    def __init__(self, features: int, recipe: ClipRecipe, seed: int) -> None:
        super().__init__()
        first = ClipLSTM(features, CLIP_CLASSES, recipe.hidden, seeds=(seed,))
        self.lstm = nn.LSTM(features, recipe.hidden, batch_first=True)
        self.dropout = nn.Dropout(recipe.dropout)
        self.output = nn.Linear(recipe.hidden, CLIP_CLASSES)
        with torch.no_grad():
            self.lstm.weight_ih_l0.copy_(first.lstm[0].from_input.weight[0])
            self.lstm.weight_hh_l0.copy_(first.lstm[0].from_state.weight[0])
            self.lstm.bias_ih_l0.copy_(first.lstm[0].from_input.bias[0])
            self.lstm.bias_hh_l0.zero_()
            self.output.weight.copy_(first.output.weight[0])
            self.output.bias.zero_()

    def forward(self, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        packed = pack_padded_sequence(features, lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.output(self.dropout(states.sum(dim=1) / lengths.to(states)[:, None]))


def torchs(task: LstmTask, network: int) -> None:
    train, valid = task.train[network], task.valid[network]
    recipe, device = task.recipe, task.device
    weights = class_weights(task.labels, CLIP_CLASSES, train[None])[0][task.labels]
    mean, spread = scaling(task.features, task.lengths, train)
    inside = inside_clips(task.lengths, task.features.shape[1])[..., None]
    scaled = np.where(inside, (task.features - mean) / spread, 0).astype(np.float32)
    parts = [
        (
            torch.from_numpy(scaled[part]).to(device),
            torch.from_numpy(task.lengths[part]),
            torch.from_numpy(task.labels[part]).to(device),
            torch.from_numpy(weights[part] / weights[part].sum()).float().to(device),
        )
        for part in (train, valid)
    ]
    model = Plain(scaled.shape[2], recipe, task.seeds[network]).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), recipe.lr, weight_decay=recipe.weight_decay)

    def loss(part: tuple[torch.Tensor, ...]) -> torch.Tensor:
        features, lengths, labels, shares = part
        return (F.cross_entropy(model(features, lengths), labels, reduction="none") * shares).sum()

    for _ in range(recipe.epochs):
        model.train()
        loss(parts[0]).backward()
        optimiser.step()
        optimiser.zero_grad()
        model.eval()
        with torch.no_grad():
            loss(parts[1]).item()


def torch_one_by_one(task: LstmTask) -> None:
    for network in range(len(task.seeds)):
        torchs(task, network)


def torch_in_processes(task: LstmTask, pool: ProcessPoolExecutor) -> None:
    networks = range(len(task.seeds))
    list(pool.map(partial(torchs, task), networks, chunksize=-(-len(networks) // os.cpu_count())))


def main() -> None:
    sizes = {"people": 26, "clips": 246, "frames": 16, "features": 300, "seeds": 3}
    args = options(__doc__, **sizes, epochs=5, repeats=5).parse_args()
    task = random_clips(args)
    print(
        f"{len(task.seeds)} networks, {args.clips} clips of up to {args.frames} frames, {args.features} "
        f"features, {args.epochs} epochs, {machine(args.device)}"
    )
    contestants = {
        "batched": partial(our_lstms, task, slice(None)),
        "one by one": partial(ours_one_by_one, task),
        "torch one by one": partial(torch_one_by_one, task),
    }
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        if args.device == "cpu":
            contestants["torch in processes"] = partial(torch_in_processes, task, pool)
        seconds = take_turns(contestants, args.repeats)["passed"]
    for name, median in seconds.median().items():
        print(f"{name:20} {median / args.epochs:8.3f} s per epoch of all networks")
    print_ratio("folds_batched", seconds, "batched", "one by one", "torch one by one")
    if "torch in processes" in seconds:
        print_ratio("folds_in_processes", seconds, "batched", "torch in processes")


if __name__ == "__main__":
    main()
