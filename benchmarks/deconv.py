"""Projections of all filters of the zero-bias CNN's third layer to their top pictures, against one neuron at
a time.

    python benchmarks/deconv.py [--size 96] [--pictures 1308] [--top 9] [--method deconv] [--neurons 24]
    [--repeats 5]

The pairs are those of the atlas: 256 filters times their `--top` strongest pictures, from different people.
The contestants take turns; a ratio is once of the time that passed and, on a CPU, once of processor time.

- ours: ``look.deconvolution.project`` of all pairs, the places of the maxima given, as ``maximal_responses``
  found them;
- one by one: for each pair the whole picture through the network as far as the layer and back, hooks on the
  ReLUs: the work that Captum does, without what Captum does around it;
- captum: ``NeuronDeconvolution``, ``NeuronGuidedBackprop`` or ``NeuronGradient`` with a neuron selected.

The last two are timed on `--neurons` pairs, spread evenly, and **scaled** to all; on these the maps are
compared, too. `atlas` is what a chapter waits for: the responses of all filters to all pictures, the choice
of the top pictures, and the projections. Memory is what the process grew by at most while all pairs were
projected.
"""

from collections.abc import Callable
from functools import partial

import captum.attr
import numpy as np
import pandas as pd
import psutil
import torch
from torch import nn

from contest import SEED, machine, noise, options, peak_memory_mb, print_ratio, take_turns
from face_sets.faceset import FaceSet
from fer_lib.look.deconvolution import Method, Projections, project
from fer_lib.look.responses import maximal_responses, top_pictures
from fer_lib.nets.build import build_network

LAYER = "relu3"
SUBJECTS = 118
CAPTUM = {"deconv": "NeuronDeconvolution", "guided": "NeuronGuidedBackprop", "gradient": "NeuronGradient"}


class TopPairs:
    """What every contestant is given: filters with their top pictures, and where in the layer each responds
    most, found in the same pass.
    """

    def __init__(self, model: nn.Module, faces: FaceSet, top: int) -> None:
        self.model, self.faces = model, faces
        responses = maximal_responses(model, faces, LAYER)
        top_rows = top_pictures(responses, faces.table["subject"], top)
        self.filters, place = np.nonzero(top_rows >= 0)
        self.rows = top_rows[self.filters, place]
        self.positions = responses.positions[self.rows, self.filters]

    def spread(self, count: int) -> np.ndarray:
        return np.unique(np.linspace(0, len(self.rows) - 1, count).astype(int))

    def standardised(self, pair: int) -> torch.Tensor:
        """The pair's picture (1, 1, H, W) as the first layer sees it, where every contestant begins."""
        device = next(self.model.parameters()).device
        picture = torch.tensor(self.faces.pixels[None, self.rows[pair], None], device=device)
        with torch.no_grad():
            return self.model.standardise(picture / 255).requires_grad_()

    def neuron(self, pair: int) -> tuple[int, int, int]:
        """Filter, row and column."""
        return (int(self.filters[pair]), *(int(place) for place in self.positions[pair]))


def projections_of_ours(pairs: TopPairs, method: Method) -> Projections:
    given = pairs.model, LAYER, pairs.faces.pixels, pairs.rows, pairs.filters
    return project(*given, positions=pairs.positions, method=method)


def one_by_one(pairs: TopPairs, some: np.ndarray, method: Method) -> np.ndarray:
    """Maps (P, H, W) of the pairs ``some``, each from a pass of its own."""

    def rectify(module: nn.Module, signals: tuple, above: tuple) -> tuple | None:
        if method == "gradient":
            return None
        return ((above[0] if method == "deconv" else signals[0]).clamp(min=0),)

    layers = list(pairs.model.children())
    first = nn.Sequential(*layers[1 : layers.index(pairs.model.relu3) + 1])
    hooks = [m.register_full_backward_hook(rectify) for m in first if isinstance(m, nn.ReLU)]
    maps = []
    for pair in some:
        picture = pairs.standardised(pair)
        response = first(picture)[0][pairs.neuron(pair)]
        (signal,) = torch.autograd.grad(response, picture, response.detach())
        maps.append(signal[0, 0].cpu().numpy())
    for hook in hooks:
        hook.remove()
    return np.stack(maps)


def captum_loop(pairs: TopPairs, some: np.ndarray, method: Method) -> np.ndarray:
    """As ``one_by_one``, by Captum, but of a value of 1 in the neuron's place."""
    behind = nn.Sequential(*list(pairs.model.children())[1:]).eval()
    oracle = getattr(captum.attr, CAPTUM[method])(behind, pairs.model.relu3)
    maps = [oracle.attribute(pairs.standardised(pair), pairs.neuron(pair))[0, 0] for pair in some]
    return torch.stack(maps).detach().cpu().numpy()


def largest_difference(maps: np.ndarray, reference: np.ndarray) -> float:
    """Median over pairs of the largest difference of a pixel as a share of the map's largest value."""
    off = np.abs(maps - reference).max(axis=(1, 2)) / np.abs(reference).max(axis=(1, 2))
    return float(np.median(off))


def grown_mb(run: Callable[[], object], device: torch.device) -> float:
    """MB that the process (or, on a GPU, its tensors there) grew by at most while ``run`` worked."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    before = psutil.Process().memory_info().rss / 2**20
    run()
    return peak_memory_mb() - before


def main() -> None:
    parser = options(__doc__, size=96, pictures=1308, top=9, neurons=24, repeats=5)
    parser.add_argument("--method", choices=list(CAPTUM), default="deconv")
    args = parser.parse_args()
    device = torch.device(args.device)
    people = [f"noise-{row % SUBJECTS}" for row in range(args.pictures)]
    faces = noise(args.pictures, args.size, subject=people)
    generator = torch.Generator().manual_seed(SEED)
    model = build_network("zero_bias", 8, faces.size[0], gain=1.0, generator=generator).to(device).eval()
    print(f"{len(faces)} pictures of {faces.size[0]} pixels, {machine(device)}")

    # The very first: later, memory that was freed before would be taken again, and nothing would grow.
    few = noise(args.top, args.size)
    filters = np.repeat(np.arange(256), args.top)
    rows = np.tile(np.arange(args.top), 256)
    places = np.random.default_rng(SEED).integers(0, args.size // 4, (len(rows), 2))
    grown = grown_mb(
        lambda: project(model, LAYER, few.pixels, rows, filters, positions=places, method=args.method), device
    )
    print(f"memory {grown:.0f} MB for {len(rows)} pairs")

    pairs = TopPairs(model, faces, args.top)
    some = pairs.spread(args.neurons)
    maps = projections_of_ours(pairs, args.method)
    whole = np.stack([maps.whole(pair) for pair in some])
    loops = {
        "one_by_one": partial(one_by_one, pairs, some, args.method),
        "captum": partial(captum_loop, pairs, some, args.method),
    }
    by_loop = {name: loop() for name, loop in loops.items()}
    by_loop["captum"] *= maps.responses[some, None, None]
    for name, each in by_loop.items():
        print(f"differs from {name} by {largest_difference(whole, each):.1e} (median)")
    rest = {
        "choice": partial(TopPairs, model, faces, args.top),
        "ours": partial(projections_of_ours, pairs, args.method),
    }
    turns = take_turns(rest | loops, args.repeats)
    for seconds in turns.values():
        seconds[list(loops)] *= len(pairs.rows) / len(some)
        seconds["atlas"] = seconds["choice"] + seconds["ours"]
    medians = pd.DataFrame({clock: seconds.median() for clock, seconds in turns.items()})
    print(f"Seconds for {len(pairs.rows)} pairs; {' and '.join(loops)} scaled from {len(some)}")
    print(medians.to_string(float_format="{:.2f}".format))
    for name in loops:
        print_ratio(name, turns["passed"], "ours", name, digits=1)
        if device.type == "cpu":
            print_ratio(f"{name}_processor", turns["processor"], "ours", name, digits=1)


if __name__ == "__main__":
    main()
