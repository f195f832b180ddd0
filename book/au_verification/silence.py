"""Ablation: filters are silenced, and what the network can no longer do says what they were for."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel
from torch import nn

from fer_lib.aus.heads import Heads, enough_people, fit_heads
from fer_lib.aus.interventions import Effects
from fer_lib.aus.presence import Presence, presence
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.layers import find_layer
from fer_lib.nets.classifier import Classifier
from fer_lib.nets.evaluating import evaluating
from fer_lib.stats.resampling import CONFIDENCE, bounds, cluster_weights
from fer_lib.train.batches import batches
from fer_lib.train.features import features_of
from fer_lib.train.lesson import TrainedNetwork
from ferbook.errors import DataError, ParameterError
from ferbook.estimate import Estimate

NEAREST = 10
"""A control is drawn from the so many free filters whose mean activation is nearest to that of the filter it
stands for.
"""

OWN_HEAD, ACCURACY = "own head", "accuracy"
"""Outcomes: AUROC of the AU's own head; share of expressions named rightly."""


def filters_to_silence(effects: Effects, count: int) -> dict[str, tuple[int, ...]]:
    """The ``count`` filters per AU that are silenced, the strongest first: those that it raises most. AUs
    that raise none are passed over.
    """
    filters = {}
    for au, column in zip(effects.aus, effects.effect[:, :, -1].T, strict=True):
        order = np.argsort(-column, kind="stable")[:count]
        if strongest := tuple(int(k) for k in order if column[k] > 0):
            filters[au] = strongest
    return filters


def missed_filters(
    parameters: BaseModel,
    network: TrainedNetwork,
    layer: str,
    chapter_faces: FaceSet,
    faces: FaceSet,
    effects: Effects,
) -> pd.DataFrame | None:
    """``silence`` of the trained ``network``, as the chapter's ``parameters`` ask: heads for the units of
    ``faces``, and for each unit the filters silenced that it moves most by ``effects``. Where ``faces`` are
    ``chapter_faces``, those of the chapter, heads are tested on people whom the network has not seen. None
    where none are to be silenced, or too few people show any unit.
    """
    if not parameters.silenced:
        return None
    faces = network.lesson.fold_of(faces) if faces is chapter_faces else faces
    split, coded = faces.table["split"].to_numpy(), presence(faces, parameters.present_from)
    if not enough_people(coded, split):
        return None
    return silence(
        network.model,
        layer,
        faces.split("test"),
        coded.select(split == "test"),
        fit_heads(features_of(network.model, faces), coded, split),
        filters_to_silence(effects, parameters.silenced),
        network.lesson.classes,
        repeats=2 * parameters.repeats,
        draws=parameters.bootstrap,
        seed=parameters.seed,
    )


def silence(
    model: Classifier,
    layer: str,
    faces: FaceSet,
    presence: Presence,
    heads: Heads,
    filters: Mapping[str, Sequence[int]],
    classes: tuple[str, ...],
    *,
    repeats: int = 20,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """What is lost when the ``filters`` of an AU are silenced, against ``repeats`` draws of as many other
    filters of equal mean activation.

    ``faces``: test pictures, none of whose people the network or the ``heads`` were fitted on; ``presence``:
    of these pictures; ``heads``: fitted on ``train.features.features_of`` the intact network; ``filters``: AU
    -> filters of ``layer``, as ``filters_to_silence`` chooses them; ``classes``: the emotions in the order of
    the network's output. For each silenced filter a draw takes at random one of the ``NEAREST`` filters
    nearest to it in mean activation (of the map, over all pictures) that are neither silenced nor drawn yet.

    A row per AU and outcome: ``au``; ``outcome``, see ``OWN_HEAD``; ``n`` pictures that the outcome counts;
    ``intact``, ``silenced`` and ``random`` (mean over the draws): the outcome; ``random_low``,
    ``random_high``: 95 % of the draws lie between; ``difference`` = random − silenced, what these filters
    matter more than others, with ``low`` and ``high``, its interval over draws of subjects. AUs without a
    head are left out, and so are AUs that the pictures do not show; pictures without an emotion do not count
    for expressions.

    Raises DataError where there is no AU left; ParameterError for an unknown layer, and for more filters than
    others remain.
    """
    by_unit = {au: filters[au] for au in heads.aus if filters.get(au)}
    if not by_unit:
        raise DataError(
            f"no AU has both a head and filters to silence; heads: {', '.join(heads.aus)}; filters: "
            f"{', '.join(filters) or 'none'}"
        )
    activation = mean_activation(model, layer, faces)
    rng = np.random.default_rng(seed)
    sets: list[tuple[int, ...]] = [()]
    for own in by_unit.values():
        sets += [own, *(matched(own, activation, rng) for _ in range(repeats))]
    log_odds, answers = _answers(model, layer, faces, heads, sets)
    subjects, codes = np.unique(presence.subjects, return_inverse=True)
    weights = np.concatenate([np.ones((1, len(subjects))), *cluster_weights(len(subjects), draws, seed)])
    emotions = faces.table["emotion"].to_numpy(dtype=object)
    in_classes = np.isin(emotions, classes)
    right = np.asarray(classes, dtype=object)[answers] == emotions
    rows = []
    for number, au in enumerate(by_unit):
        among = [0, *(1 + number * (1 + repeats) + np.arange(1 + repeats))]
        present, column = presence.only([au]).present[:, 0], heads.aus.index(au)
        outcomes = {}
        if (present == 1).any() and (present == 0).any():
            own = [_auroc(log_odds[k, :, column], present, codes, weights) for k in among]
            outcomes[OWN_HEAD] = (~np.isnan(present)).sum(), own
        if in_classes.any():
            outcomes[ACCURACY] = (
                in_classes.sum(),
                [_share(right[k], in_classes, codes, weights) for k in among],
            )
        rows += [
            {"au": au, "outcome": outcome, "n": int(n)} | _compared(np.stack(values), len(subjects))
            for outcome, (n, values) in outcomes.items()
        ]
    return pd.DataFrame(rows)


def _compared(values: np.ndarray, people: int) -> dict[str, float]:
    """Columns of one row from ``values`` (intact, silenced and random sets; 1 + draws of ``people``), the
    estimate first.
    """
    intact, own, others = values[0, 0], values[1, 0], values[2:, 0]
    difference = values[2:].mean(axis=0) - values[1]
    tail = (1 - CONFIDENCE) / 2
    random_low, random_high = np.quantile(others, (tail, 1 - tail))
    low, high = bounds(difference[1:], people, difference[0])
    random = {"random": others.mean(), "random_low": random_low, "random_high": random_high}
    return (
        {"intact": intact, "silenced": own} | random | {"difference": difference[0], "low": low, "high": high}
    )


def silencing_metrics(table: pd.DataFrame) -> dict[str, Estimate]:
    """Of ``silence``: ``head_loss``, the mean over units of what its head loses beyond other filters (AUROC),
    ``accuracy_loss``, the same of the share of expressions named rightly, and ``heads_hurt`` of ``heads``:
    units whose interval lies above 0.
    """
    own, accuracy = (table[table["outcome"].eq(outcome)] for outcome in (OWN_HEAD, ACCURACY))
    about = {"why": "a mean over units, each of which has its own", "tolerance": 0.05}
    estimates = {
        "heads": Estimate(len(own), unit="count", tolerance=3),
        "heads_hurt": Estimate(own["low"].gt(0).sum(), unit="count", tolerance=3),
        "head_loss": Estimate(own["difference"].mean(), n=len(own), **about),
    }
    if len(accuracy):
        loss = accuracy["difference"].mean()
        estimates["accuracy_loss"] = Estimate(loss, n=len(accuracy), unit="share", **about)
    return estimates


def mean_activation(model: nn.Module, layer: str, faces: FaceSet) -> np.ndarray:
    """float64 (K,): the mean of each map of ``layer`` over its places and all pictures of ``faces``."""
    sums: list[np.ndarray] = []

    def add(_: nn.Module, __: object, maps: torch.Tensor) -> None:
        sums.append(maps.double().mean(dim=(2, 3)).sum(dim=0).cpu().numpy())

    with find_layer(model, layer).register_forward_hook(add), evaluating(model):
        for pictures in _pictures(model, faces):
            model(pictures)
    return np.sum(sums, axis=0) / len(faces)


def matched(filters: Sequence[int], activation: np.ndarray, rng: np.random.Generator) -> tuple[int, ...]:
    """As many other filters, each near in ``activation`` (K,) to the one that it stands for; see ``silence``.

    Raises ParameterError where too few others remain.
    """
    free = [k for k in range(len(activation)) if k not in set(filters)]
    if len(free) < len(filters):
        raise ParameterError(
            f"{len(filters)} of {len(activation)} filters are to be silenced; no more than half can be, for "
            "as many others are drawn"
        )
    partners = []
    # The strongest first: they have the fewest neighbours.
    for own in sorted(filters, key=lambda k: -activation[k]):
        near = sorted(free, key=lambda k: (abs(activation[k] - activation[own]), k))[:NEAREST]
        partners.append(int(rng.choice(near)))
        free.remove(partners[-1])
    return tuple(partners)


def _pictures(model: nn.Module, faces: FaceSet) -> Iterator[torch.Tensor]:
    weight = next(model.parameters())
    for pictures in batches(faces.pixels, 128, device=weight.device):
        yield pictures.to(weight.dtype)


def _answers(
    model: Classifier, layer: str, faces: FaceSet, heads: Heads, sets: Sequence[Sequence[int]]
) -> tuple[np.ndarray, np.ndarray]:
    """What heads and network say of all N pictures with each of ``sets`` of filters silenced: log-odds of the
    heads float64 (sets, N, A), and the index of the class named (sets, N).

    What lies below the layer, or below the block that it is part of, is computed once for all sets.
    """
    module = find_layer(model, layer)
    first = [name for name, _ in model.named_children()].index(layer.partition(".")[0])
    *body, output = model.children()
    below, above = nn.Sequential(*body[:first]), nn.Sequential(*body[first:])

    def features_without(filters: Sequence[int], maps: torch.Tensor) -> torch.Tensor:
        muted = torch.tensor(filters, dtype=torch.long, device=maps.device)
        with module.register_forward_hook(lambda _, __, outputs: outputs.index_fill(1, muted, 0)):
            return above(maps)

    log_odds, classes = [], []
    with evaluating(model):
        for pictures in _pictures(model, faces):
            maps = below(pictures)
            features = [features_without(filters, maps) for filters in sets]
            log_odds.append([heads.log_odds(own.float().cpu().numpy()) for own in features])
            classes.append([output(own).argmax(dim=1).cpu().numpy() for own in features])
    return np.concatenate(log_odds, axis=1), np.concatenate(classes, axis=1)


def _auroc(scores: np.ndarray, present: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(draws,): AUROC of ``scores`` (N,) for ``weights`` (draws, S) of the subjects with ``codes`` (N,)."""
    wins, positives, negatives = subject_wins(scores, present, codes, weights.shape[1])
    won = np.einsum("ds,ds->d", weights @ wins, weights)
    pairs = (weights @ positives) * (weights @ negatives)
    return np.divide(won, pairs, out=np.full(len(weights), np.nan), where=pairs > 0)


def subject_wins(
    scores: np.ndarray, present: np.ndarray, codes: np.ndarray, subjects: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What AUROC is made of, by subject: wins (S, S), positives (S,) and negatives (S,).

    ``wins[s, t]``: pairs of a picture of s that shows the AU and one of t that does not, in which the first
    has the higher of ``scores`` (N,); ties count half. With weights w of the subjects AUROC is wᵀ wins w /
    (w·positives)(w·negatives): no draw has to sort. ``present`` (N,): 1, 0 or NaN.
    """
    positive, absent = present == 1, present == 0
    order = np.sort(scores[absent])
    who = np.zeros((int(absent.sum()) + 1, subjects))
    who[np.arange(1, len(who)), codes[absent][np.argsort(scores[absent], kind="stable")]] = 1
    below = who.cumsum(axis=0)
    strictly, at_most = (np.searchsorted(order, scores[positive], side=side) for side in ("left", "right"))
    wins = np.zeros((subjects, subjects))
    np.add.at(wins, codes[positive], (below[strictly] + below[at_most]) / 2)
    counts = (np.bincount(codes[rows], minlength=subjects).astype(float) for rows in (positive, absent))
    return wins, *counts


def _share(right: np.ndarray, mask: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(draws,): share of the pictures in ``mask`` (N,) that are ``right`` (N,)."""
    hits, total = (
        weights @ np.bincount(codes[rows], minlength=weights.shape[1]) for rows in (right & mask, mask)
    )
    return np.divide(hits, total, out=np.full(len(weights), np.nan), where=total > 0)
