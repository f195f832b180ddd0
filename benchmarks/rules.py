"""Family-wise error and power of rules that decide over all filters and action units at once, where some
filters are sparse.

    python benchmarks/rules.py [--error-sets 400] [--power-sets 4] [--permutations 999] [--filters 256]

Labels are those of the rendered ``lab`` (units that go together as there, people with as many sequences);
responses are invented, a quarter of the filters answers to 1 to 10 % of the pictures. Error: no unit moves
any filter; over all pictures, and within emotions where filters go with emotions. Power, within emotions: a
quarter of the filters is moved by a unit by one standard deviation before the ReLU, among ever more people:
the share of them that is claimed for its unit, of dense and of sparse ones. Rules, all exact:

- unskewed: that of ``fer_lib.aus.nulls``;
- deviations: the same without the correction for skewness;
- step-down: unskewed, by Westfall and Young's (1993) step-down procedure;
- min-p: the pairs' own p-values, step-down;
- active: deviations, of filters that answer to at least 10 % of the pictures;
- studentised: each permutation's own standard error of the difference of mean ranks (Welch), not that over
  permutations.

Before them: of the filters that are claimed, the share that is called by the right unit when of those claimed
the one counts that is largest by the value over all pictures, by the score, or by the unskewed score.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata

from book.au_verification.simulation import SPARSE, Noise, null_responses
from contest import options
from fer_lib.aus.nulls import TIE, permuted_values, standardise_, unskew_
from fer_lib.aus.permutations import blocks_of
from fer_lib.aus.presence import FEWEST_SUBJECTS, Presence
from fer_lib.faces.rendered import set_table
from fer_lib.stats.proportion import proportion
from synthetic_faces.facs import AUS
from synthetic_faces.produce import Recipe

_FAMILY_ERROR = 0.05


def lab_codes(people: int, seed: int) -> Presence:
    table = set_table(Recipe.of("lab", people, seed=seed))
    present = table[list(AUS)].to_numpy() > 0
    who, sequence, emotion = (table[name].to_numpy(str) for name in ("subject", "sequence", "emotion"))
    return Presence(AUS, present, who, sequence, emotion)


def largest(scores: torch.Tensor) -> torch.Tensor:
    maxima = scores[1:].amax(1).sort().values
    return 1 + len(maxima) - torch.searchsorted(maxima, scores[0] - TIE) <= _FAMILY_ERROR * len(scores)


def step_down(scores: torch.Tensor) -> torch.Tensor:
    order = scores[0].argsort(kind="stable")
    maxima = scores[1:, order].cummax(1).values
    p = (1 + (maxima >= scores[0, order] - TIE).sum(0)) / len(scores)
    calls = torch.empty(len(p), dtype=torch.bool)
    calls[order] = p.flip(0).cummax(0).values.flip(0) <= _FAMILY_ERROR
    return calls


def own_p(scores: torch.Tensor) -> torch.Tensor:
    """Less each pair's p-value under each arrangement."""
    columns = scores.T.contiguous()
    return torch.searchsorted(columns.sort(1).values, columns - TIE).T / len(scores)


def studentised(maxima: np.ndarray, present: np.ndarray, draws: Iterator[np.ndarray]) -> torch.Tensor:
    """(1 + P, A·K): difference of mean ranks over its own standard error."""
    ranks = rankdata(maxima, axis=0) / len(maxima)
    ranks -= ranks.mean(0)
    features = torch.tensor(np.hstack((ranks, ranks**2)), dtype=torch.float32)
    labels, statistics = torch.tensor(present.T, dtype=torch.float32), []
    for rows in draws:
        own = labels[:, torch.as_tensor(rows)].transpose(0, 1)
        parts = []
        for marks in (own, 1 - own):
            number = marks.sum(2, keepdim=True)
            mean, square = ((marks @ features) / number).chunk(2, 2)
            parts.append((mean, (square - mean**2) / number))
        statistics.append((parts[0][0] - parts[1][0]) / (parts[0][1] + parts[1][1]).clamp_min(1e-9).sqrt())
    return torch.cat(statistics).flatten(1)


def judged(
    maxima: np.ndarray, presence: Presence, within: np.ndarray | None, permutations: int, seed: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Rule -> bool (A, K), what it calls; and strength -> (A, K)."""
    blocks = blocks_of(presence, within=within)
    rare_units = (blocks.movable(presence.present) < FEWEST_SUBJECTS) | (
        presence.fewest_subjects < FEWEST_SUBJECTS
    )
    rare = blocks.movable(maxima) < FEWEST_SUBJECTS
    present, responses = presence.present[:, ~rare_units], maxima[:, ~rare]
    device = torch.device("cpu")
    values = permuted_values(responses, present, "auroc", blocks, permutations, seed, device)
    scores = values.clone()
    _, skewness = standardise_(scores)
    unskewed = unskew_(scores.clone(), skewness).flatten(1)
    values, scores = values.flatten(1), scores.flatten(1)
    active = torch.tensor((responses > 0).mean(0) >= SPARSE[1]).repeat(present.shape[1])
    draws = (np.arange(len(maxima))[None], *blocks.draws(permutations, seed))
    of_active = torch.zeros_like(active)
    of_active[active] = largest(scores[:, active])
    calls = {
        "unskewed": largest(unskewed),
        "deviations": largest(scores),
        "step-down": step_down(unskewed),
        "min-p": step_down(own_p(values)),
        "active": of_active,
        "studentised": largest(studentised(responses, present, iter(draws))),
    }
    where = np.ix_(~rare_units, ~rare)

    def spread_out(flat: torch.Tensor, empty: float) -> np.ndarray:
        full = np.full((len(presence.aus), maxima.shape[1]), empty)
        full[where] = flat.reshape(present.shape[1], -1).numpy()
        return full

    strengths = {"value": values[0], "score": scores[0], "unskewed": unskewed[0]}
    return (
        {rule: spread_out(own, 0) == 1 for rule, own in calls.items()},
        {name: spread_out(own, -np.inf) for name, own in strengths.items()},
    )


def error(within: bool, sets: int, filters: int, permutations: int) -> pd.DataFrame:
    presence = lab_codes(60, 0)
    strata, noise = (presence.emotions, Noise(emotion=1.0)) if within else (None, Noise())
    hits: dict[str, int] = {}
    for seed in range(sets):
        calls, _ = judged(
            null_responses(presence, filters, seed=seed, noise=noise), presence, strata, permutations, seed
        )
        for rule, own in calls.items():
            hits[rule] = hits.get(rule, 0) + int(own.any())
    rows = {rule: proportion(number, sets, of="simulations") for rule, number in hits.items()}
    return pd.DataFrame(
        {rule: (own.value, own.low, own.high) for rule, own in rows.items()}, ["error", "low", "high"]
    ).T


def power(people: int, sets: int, filters: int, permutations: int) -> tuple[pd.DataFrame, pd.Series]:
    rows, right = [], []
    for seed in range(sets):
        presence, generator = lab_codes(people, seed), np.random.default_rng(seed)
        detectors = generator.choice(filters, filters // 4, replace=False)
        units = generator.choice(np.flatnonzero(presence.fewest_subjects >= FEWEST_SUBJECTS), len(detectors))
        effects = np.zeros((len(AUS), filters))
        effects[units, detectors] = 1.0
        maxima = null_responses(presence, filters, seed=seed, noise=Noise(emotion=1.0), shifts=effects)
        calls, strengths = judged(maxima, presence, presence.emotions, permutations, seed)
        sparse = detectors >= round(filters * (1 - Noise().sparse))
        for rule, own in calls.items():
            hit = own[units, detectors]
            rows.append((rule, hit[~sparse].mean(), hit[sparse].mean(), own.any(0).sum()))
        own = calls["unskewed"][:, detectors]
        for name, strength in strengths.items():
            best = np.where(own, strength[:, detectors], -np.inf).argmax(0)
            right += [(name, hit) for hit in (best == units)[own.any(0)]]
    columns = ["rule", "dense", "sparse", "filters claimed"]
    return (
        pd.DataFrame(rows, columns=columns).groupby("rule", sort=False).mean(),
        pd.DataFrame(right, columns=["by", "right"]).groupby("by", sort=False)["right"].mean(),
    )


def main() -> None:
    args = options(__doc__, error_sets=400, power_sets=4, permutations=999, filters=256).parse_args()
    for within in (False, True):
        print(
            f"-- error {'within emotions' if within else 'over all pictures'}, 60 people, "
            f"{args.error_sets} sets"
        )
        print(error(within, args.error_sets, args.filters, args.permutations).round(3).to_string())
    for people in (60, 120, 240, 480):
        rules, right = power(people, args.power_sets, args.filters, args.permutations)
        print(f"-- power, {people} people; right unit: {right.round(3).to_dict()}")
        print(rules.round(3).to_string(), flush=True)


if __name__ == "__main__":
    main()
