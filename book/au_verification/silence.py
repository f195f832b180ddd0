"""Ablation: filters are silenced, and what the network can no longer do says what they were for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import nn

from fer_lib.aus.heads import Heads
from fer_lib.aus.presence import Presence
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.layers import find_layer
from fer_lib.nets.classifier import Classifier
from fer_lib.nets.evaluating import evaluating
from fer_lib.stats.resampling import bounds, cluster_weights
from fer_lib.train.batches import batches
from ferbook.errors import DataError, ParameterError

NEAREST = 10
"""A control is drawn from the so many free filters whose mean activation is nearest to that of the filter it
stands for.
"""

OWN, SEPARATION, OTHERS, ACCURACY = "own head", "own separation", "other heads", "accuracy"
"""Outcomes: AUROC of the AU's own head; how much higher its log-odds are, in the mean, on pictures with the
AU than on others, which falls before any picture changes places; mean AUROC of the other heads; share of
expressions named rightly. Further ones are ``recall <emotion>``."""


@contextmanager
def silenced(model: nn.Module, layer: str, filters: Sequence[int]) -> Iterator[None]:
    """``model`` with the maps of ``filters`` of ``layer`` set to zero, whatever else it is; afterwards as
    before, also after an exception.

    Raises ParameterError for an unknown layer; and, once pictures pass, for a filter out of range.
    """
    with _muting(find_layer(model, layer), filters, layer):
        yield


@contextmanager
def _muting(module: nn.Module, filters: Sequence[int], layer: str) -> Iterator[None]:
    hook = module.register_forward_hook(lambda _, __, maps: _muted(maps, filters, layer))
    try:
        yield
    finally:
        hook.remove()


def _muted(maps: torch.Tensor, filters: Sequence[int], layer: str) -> torch.Tensor:
    wrong = [f for f in filters if not 0 <= f < maps.shape[1]]
    if wrong:
        raise ParameterError(
            f"filter {wrong[0]} of layer {layer!r}: its {maps.shape[1]} filters are 0 to {maps.shape[1] - 1}"
        )
    muted = maps.clone()
    muted[:, list(filters)] = 0
    return muted


def top_filters(scores: np.ndarray, aus: Sequence[str], count: int) -> dict[str, tuple[int, ...]]:
    """For each of ``aus`` the ``count`` filters with the largest of ``scores`` (K, A), strongest first; only
    such above 0.

    ``scores`` may be any association or effect. Values that are not numbers are passed over, and so are AUs
    that no filter is left for.
    """
    chosen = {}
    for au, column in zip(aus, np.where(np.isnan(scores), -np.inf, scores).T, strict=True):
        order = np.argsort(-column, kind="stable")[:count]
        if kept := tuple(int(k) for k in order if column[k] > 0):
            chosen[au] = kept
    return chosen


@dataclass(frozen=True)
class _Answers:
    """Of N pictures: log-odds of the heads float64 (N, A) and the index of the class named (N,)."""

    log_odds: np.ndarray
    named: np.ndarray


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
    batch_size: int = 128,
) -> pd.DataFrame:
    """What is lost when the ``filters`` of an AU are silenced, against ``repeats`` draws of as many other
    filters of equal mean activation.

    ``faces``: test pictures, none of whose people the network or the ``heads`` were fitted on; ``presence``:
    of these pictures; ``heads``: fitted on ``train.features.features_of`` the intact network; ``filters``: AU
    -> filters of ``layer``, for instance ``top_filters``; ``classes``: the emotions in the order of the
    network's output. For each silenced filter a draw takes at random one of the ``NEAREST`` filters nearest
    to it in mean activation (of the map, over all pictures) that are neither silenced nor drawn yet.

    A row per AU and outcome: ``au``; ``outcome``, see ``OWN``; ``filters``, how many; ``n`` pictures that the
    outcome counts; ``intact``, ``silenced`` and ``random`` (mean over the draws): the outcome;
    ``random_low``, ``random_high``: 95 % of the draws lie between; ``difference`` = random − silenced, what
    these filters matter more than others, with ``low`` and ``high``, its interval over draws of subjects;
    ``p``: (1 + draws of filters that lose as much) / (1 + ``repeats``); ``activation`` and
    ``activation_random``: summed mean activation of what was silenced. AUs without a head are left out, and
    so are emotions and AUs that the pictures do not show; pictures without an emotion do not count for
    expressions.

    Raises DataError where shapes do not fit or there is no AU left; ParameterError for an unknown layer or
    filter, for more filters than others remain, and for no repeats.
    """
    if repeats < 1 or draws < 1:
        raise ParameterError(f"repeats {repeats}, draws {draws}: give at least 1 each")
    if len(presence) != len(faces):
        raise DataError(
            f"presence of {len(presence)} pictures for {len(faces)}: give that of the same pictures"
        )
    expected = (model.output.in_features, model.output.out_features)
    if (heads.weights.shape[1], len(classes)) != expected:
        raise DataError(
            f"heads on {heads.weights.shape[1]} features and {len(classes)} classes for a network with "
            f"{expected[0]} features and "
            f"{expected[1]} outputs: fit the heads on features_of this network, and give its classes in order"
        )
    wanted = {au: tuple(dict.fromkeys(filters[au])) for au in heads.aus if filters.get(au)}
    if not wanted:
        raise DataError(
            f"no AU has both a head and filters to silence; heads: {', '.join(heads.aus)}; filters: "
            f"{', '.join(filters) or 'none'}"
        )
    activation = mean_activation(model, layer, faces, batch_size=batch_size)
    rng = np.random.default_rng(seed)
    sets: list[tuple[int, ...]] = [()]
    for own in wanted.values():
        sets += [own, *(matched(own, activation, rng) for _ in range(repeats))]
    answers = _answers(model, layer, faces, heads, sets, batch_size)
    outcomes = _outcomes(faces, presence, heads, classes)
    subjects, codes = np.unique(presence.subjects, return_inverse=True)
    weights = np.concatenate([np.ones((1, len(subjects))), *cluster_weights(len(subjects), draws, seed)])
    rows = []
    for number, (au, own) in enumerate(wanted.items()):
        start = 1 + number * (1 + repeats)
        among = [answers[0], *answers[start : start + 1 + repeats]]
        drawn = sets[start + 1 : start + 1 + repeats]
        about = {
            "activation": activation[list(own)].sum(),
            "activation_random": np.mean([activation[list(others)].sum() for others in drawn]),
        }
        for outcome, (n, score) in outcomes(au).items():
            values = np.stack([score(answer, codes, weights) for answer in among])
            rows.append(
                {"au": au, "outcome": outcome, "filters": len(own), "n": n}
                | _compared(values, len(subjects))
                | about
            )
    return pd.DataFrame(rows)


def _compared(values: np.ndarray, people: int) -> dict[str, float]:
    """Columns of one row from ``values`` (intact, silenced and random sets; 1 + draws of ``people``), the
    estimate first.
    """
    intact, own, others = values[0, 0], values[1, 0], values[2:, 0]
    difference = values[2:].mean(axis=0) - values[1]
    low, high = bounds(difference[1:], people, difference[0])
    random_low, random_high = np.nanquantile(others, (0.025, 0.975))
    return {
        "intact": intact,
        "silenced": own,
        "random": others.mean(),
        "random_low": random_low,
        "random_high": random_high,
        "difference": difference[0],
        "low": low,
        "high": high,
        "p": (1 + (others <= own).sum()) / (1 + len(others)),
    }


def mean_activation(model: nn.Module, layer: str, faces: FaceSet, *, batch_size: int = 128) -> np.ndarray:
    """float64 (K,): the mean of each map of ``layer`` over its places and all pictures of ``faces``. Raises
    DataError without pictures.
    """
    if not len(faces):
        raise DataError(f"face set {faces.name!r} holds no picture")
    sums: list[np.ndarray] = []

    def add(_: nn.Module, __: object, maps: torch.Tensor) -> None:
        sums.append(maps.double().mean(dim=(2, 3)).sum(dim=0).cpu().numpy())

    hook = find_layer(model, layer).register_forward_hook(add)
    try:
        with evaluating(model):
            for pictures in _pictures(model, faces, batch_size):
                model(pictures)
    finally:
        hook.remove()
    return np.sum(sums, axis=0) / len(faces)


def matched(filters: Sequence[int], activation: np.ndarray, rng: np.random.Generator) -> tuple[int, ...]:
    """As many other filters, each near in ``activation`` (K,) to the one that it stands for; see ``silence``.

    Raises ParameterError where a filter is out of range or too few others remain.
    """
    wrong = [f for f in filters if not 0 <= f < len(activation)]
    if wrong:
        raise ParameterError(
            f"filter {wrong[0]}: the {len(activation)} filters are 0 to {len(activation) - 1}"
        )
    free = [k for k in range(len(activation)) if k not in set(filters)]
    if len(free) < len(filters):
        raise ParameterError(
            f"{len(filters)} of {len(activation)} filters are to be silenced; no more than half can be, for "
            "as many others are drawn"
        )
    drawn = []
    # The strongest first: they have the fewest neighbours.
    for own in sorted(filters, key=lambda k: -activation[k]):
        near = sorted(free, key=lambda k: (abs(activation[k] - activation[own]), k))[:NEAREST]
        drawn.append(int(rng.choice(near)))
        free.remove(drawn[-1])
    return tuple(drawn)


def _pictures(model: nn.Module, faces: FaceSet, batch_size: int) -> Iterator[torch.Tensor]:
    weight = next(model.parameters())
    for pictures in batches(faces, batch_size, device=weight.device):
        yield pictures.to(weight.dtype)


def _answers(
    model: Classifier,
    layer: str,
    faces: FaceSet,
    heads: Heads,
    sets: Sequence[Sequence[int]],
    batch_size: int,
) -> list[_Answers]:
    """What heads and network say of all pictures with each of ``sets`` of filters silenced.

    Of a layer that is one of the network's own, what lies below it is computed once for all sets.
    """
    found = find_layer(model, layer)
    names = [name for name, _ in model.named_children()]
    top = list(model.children())
    cut = names.index(layer) + 1 if layer in names else 0
    said: list[tuple[list[np.ndarray], list[np.ndarray]]] = [([], []) for _ in sets]
    with evaluating(model):
        for pictures in _pictures(model, faces, batch_size):
            maps = pictures
            for module in top[:cut]:
                maps = module(maps)
            for filters, (log_odds, named) in zip(sets, said, strict=True):
                if cut:
                    features = _through(top[cut:-1], _muted(maps, filters, layer))
                else:
                    with _muting(found, filters, layer):
                        features = _through(top[:-1], maps)
                log_odds.append(heads.log_odds(features.float().cpu().numpy()))
                named.append(model.output(features).argmax(dim=1).cpu().numpy())
    return [_Answers(np.concatenate(log_odds), np.concatenate(named)) for log_odds, named in said]


def _through(modules: Sequence[nn.Module], maps: torch.Tensor) -> torch.Tensor:
    for module in modules:
        maps = module(maps)
    return maps


_Score = Callable[[_Answers, np.ndarray, np.ndarray], np.ndarray]
"""From answers, subjects' codes (N,) and weights (draws, S) to the outcome (draws,)."""


def _outcomes(
    faces: FaceSet, presence: Presence, heads: Heads, classes: tuple[str, ...]
) -> Callable[[str], dict[str, tuple[int, _Score]]]:
    """For an AU: outcome -> number of pictures that it counts, and how it is computed."""
    of_heads, separations = {}, {}
    for column, au in enumerate(heads.aus):
        present = presence.only([au]).present[:, 0]
        if (present == 1).any() and (present == 0).any():
            coded = int((~np.isnan(present)).sum())
            of_heads[au] = (coded, _auroc_of(column, present))
            separations[au] = (coded, _separation_of(column, present))
    emotions = faces.table["emotion"].to_numpy(dtype=object)
    of_expressions = {}
    known = np.isin(emotions, classes)
    if known.any():
        of_expressions[ACCURACY] = (int(known.sum()), _share_of(emotions, known, classes))
    for emotion in classes:
        own = emotions == emotion
        if own.any():
            of_expressions[f"recall {emotion}"] = (int(own.sum()), _share_of(emotions, own, classes))

    def outcomes(au: str) -> dict[str, tuple[int, _Score]]:
        others = [score for other, (_, score) in of_heads.items() if other != au]
        found = {OWN: of_heads[au], SEPARATION: separations[au]} if au in of_heads else {}
        if others:
            found[OTHERS] = (len(faces), _mean_of(others))
        return found | of_expressions

    return outcomes


def _auroc_of(column: int, present: np.ndarray) -> _Score:
    def auroc(answers: _Answers, codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
        wins, positives, negatives = subject_wins(
            answers.log_odds[:, column], present, codes, weights.shape[1]
        )
        won = np.einsum("ds,ds->d", weights @ wins, weights)
        pairs = (weights @ positives) * (weights @ negatives)
        return np.divide(won, pairs, out=np.full(len(weights), np.nan), where=pairs > 0)

    return auroc


def subject_wins(
    scores: np.ndarray, present: np.ndarray, codes: np.ndarray, subjects: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What AUROC is made of, by subject: wins (S, S), positives (S,) and negatives (S,).

    ``wins[s, t]``: pairs of a picture of s that shows the AU and one of t that does not, in which the first
    has the higher of ``scores`` (N,); ties count half. With weights w of the subjects AUROC is wᵀ wins w /
    (w·positives)(w·negatives): no draw has to sort. ``present`` (N,): 1, 0 or NaN.
    """
    shown, absent = present == 1, present == 0
    order = np.sort(scores[absent])
    who = np.zeros((int(absent.sum()) + 1, subjects))
    who[np.arange(1, len(who)), codes[absent][np.argsort(scores[absent], kind="stable")]] = 1
    below = who.cumsum(axis=0)
    strictly, at_most = (np.searchsorted(order, scores[shown], side=side) for side in ("left", "right"))
    wins = np.zeros((subjects, subjects))
    np.add.at(wins, codes[shown], (below[strictly] + below[at_most]) / 2)
    counts = (np.bincount(codes[rows], minlength=subjects).astype(float) for rows in (shown, absent))
    return wins, *counts


def _separation_of(column: int, present: np.ndarray) -> _Score:
    def separation(answers: _Answers, codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
        means = []
        for rows in (present == 1, present == 0):
            sums, counts = (
                weights @ np.bincount(codes[rows], given, minlength=weights.shape[1])
                for given in (answers.log_odds[rows, column], None)
            )
            means.append(np.divide(sums, counts, out=np.full(len(weights), np.nan), where=counts > 0))
        return means[0] - means[1]

    return separation


def _share_of(emotions: np.ndarray, kept: np.ndarray, classes: tuple[str, ...]) -> _Score:
    def share(answers: _Answers, codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
        right = np.asarray(classes, dtype=object)[answers.named] == emotions
        hits, all_of_them = (
            weights @ np.bincount(codes[rows], minlength=weights.shape[1]) for rows in (right & kept, kept)
        )
        return np.divide(hits, all_of_them, out=np.full(len(weights), np.nan), where=all_of_them > 0)

    return share


def _mean_of(scores: Sequence[_Score]) -> _Score:
    def mean(answers: _Answers, codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return np.mean([score(answers, codes, weights) for score in scores], axis=0)

    return mean
