"""Which action units does each layer pair of a generator keep? Linear heads on the residue of one pair at a
time.

The second stage of de-expression residue learning (Yang, Ciftci and Yin 2018) tells expressions apart by
these residues; expressions are made of action units, so what a pair does not keep, its local network cannot
use.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn import functional as F

from fer_lib.aus import cross_task
from fer_lib.aus.heads import STRENGTHS
from fer_lib.aus.presence import presence
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.handmade import hog_responses
from fer_lib.nets.derl import Generator
from fer_lib.nets.evaluating import evaluating
from fer_lib.train.batches import FaceBatches
from ferbook.errors import DataError

CELLS = 6
"""Cells along each side over which a map is averaged; smaller maps stay as they are.

On the validation pictures of ``lab`` at 32 pixels heads on the two pairs of larger maps did better with 6 × 6
than with 2 × 2 cells.
"""

COMPONENTS = 64
"""Numbers that are kept of each pair, so that none wins by being wider."""


def residue_features(
    generator: Generator,
    pictures: np.ndarray,
    *,
    cells: int = CELLS,
    batch_size: int = 128,
    device: torch.device | str = "cpu",
) -> dict[str, np.ndarray]:
    """The residue of each layer pair for each of ``pictures`` uint8 (N, H, W), averaged over at most
    ``cells`` × ``cells`` places: by name float32 (N, F).

    One channel's places side by side, the encoder's channels first. In evaluation mode, in one pass; the
    generator is moved to ``device`` and its mode stays as it was. Raises DataError where there is no picture,
    ParameterError as the generator does.
    """
    if not len(pictures):
        raise DataError("no picture to take residues of")
    kept: dict[str, list[np.ndarray]] = {name: [] for name in generator.pairs}
    generator.to(device)
    with evaluating(generator):
        for batch, _ in FaceBatches(pictures, np.zeros(len(pictures), np.int64), batch_size, device=device):
            for name, maps in generator.residues(batch).items():
                places = [min(cells, side) for side in maps.shape[2:]]
                means = F.adaptive_avg_pool2d(maps.float(), places)
                kept[name].append(means.flatten(1).cpu().numpy())
    return {name: np.concatenate(parts) for name, parts in kept.items()}


def condensed(features: np.ndarray, train: np.ndarray, components: int = COMPONENTS) -> np.ndarray:
    """float64 (N, at most ``components``): the largest principal components of ``features`` (N, F), each
    feature standardised first.

    Scale and components are those of the pictures ``train`` (mask or indices), which need no label for it; a
    feature that is the same in all of them is left out, and where all are, one column of zeros is left.
    Raises DataError for fewer than two training pictures.
    """
    known = features[train].astype(np.float64)
    if len(known) < 2:
        raise DataError(f"{len(known)} training picture(s); principal components need at least 2")
    varies = np.ptp(known, axis=0) > 0
    if not varies.any():
        return np.zeros((len(features), 1))
    count = min(components, len(known) - 1, int(varies.sum()))
    # A seed for its random projections, so that the same features give the same components.
    reduce = make_pipeline(StandardScaler(), PCA(count, svd_solver="randomized", random_state=0))
    return reduce.fit(known[:, varies]).transform(features[:, varies].astype(np.float64))


def kept_units(
    generator: Generator,
    untrained: Sequence[Generator],
    faces: FaceSet,
    classes: tuple[str, ...],
    *,
    components: int = COMPONENTS,
    strengths: Sequence[float] = STRENGTHS,
    draws: int = 1000,
    device: torch.device | str = "cpu",
) -> pd.DataFrame:
    """How well linear heads on each pair's residue detect each action unit of ``faces``, on people that
    nothing was fitted to.

    ``faces`` with AU codes and splits by subject; ``generator`` learned from none of these people, nor did
    ``untrained``, one generator per seed, learn at all. Of each pair the ``condensed`` ``residue_features``
    are read; strengths, thresholds and the best pair of each AU are chosen on the validation pictures, and
    scored on the test pictures.

    The table is that of ``aus.cross_task.cross_task``, with the pairs as its layers: rows of the condition
    ``FROZEN`` (this generator), ``UNTRAINED``, ``HOG`` (condensed as the pairs are) and ``EMOTION``, which
    knows the expression, one of ``classes``, and no picture: what exceeds it is known of the action unit
    itself. Under the layer ``CHOSEN`` each AU is read from its best pair; ``aus.cross_task.best_layer`` says
    which one that is.

    Raises DataError where there are no AU codes or too few people (see ``aus.heads.fit_heads``).
    """
    coded = presence(faces)
    split = faces.table["split"].to_numpy(dtype=object).astype(str)
    judge = cross_task.Judge(coded, split, tuple(strengths), draws)
    reads: dict[tuple[str, str], cross_task.Read] = {}
    for condition, generators in ((cross_task.FROZEN, [generator]), (cross_task.UNTRAINED, untrained)):
        features = [residue_features(one, faces.pixels, device=device) for one in generators]
        own = {
            pair: judge.linear([condensed(of[pair], split == "train", components) for of in features])
            for pair in features[0]
        }
        reads |= {(condition, pair): read for pair, read in own.items()}
        reads[condition, cross_task.CHOSEN] = cross_task.chosen_layers(own)
    reads[cross_task.HOG, ""] = judge.linear([condensed(hog_responses(faces), split == "train", components)])
    reads[cross_task.EMOTION, ""] = judge.linear([cross_task.one_hot(faces, classes)])
    return cross_task.read_table(reads, judge.scored[0], coded.select(split == "test"))
