"""Anybody's method on trial, beside the registered ones: maps of what a neuron looks at, and rules that name
the action unit which a filter detects.

``ferbook evaluate maps`` judges the maps of a function ``explain`` as ``fer_lib.look.judge`` does, ``ferbook
evaluate labels`` the scores of a function ``label`` as ``fer_lib.aus.label_judge`` does: of the networks of
the population ``ASKED_POPULATION`` and of people whom nobody trained on, drawn by a seed.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from book.entries import LABEL_ENTRY, MAP_ENTRY, EntryKind
from book.populations import find_population
from fer_lib.aus.interventions import interventions
from fer_lib.aus.label_judge import (
    LABEL_SCORES,
    LabelScore,
    LabelTrial,
    judge_labels,
    label_estimates,
    label_faces,
    label_trial,
)
from fer_lib.aus.labels import LABELLERS
from fer_lib.aus.twins import twins_of
from fer_lib.faces.registry import set_name
from fer_lib.faces.rendered import rendered_faces
from fer_lib.faces.request import FaceRequest
from fer_lib.look.attribution import EXPLAINERS
from fer_lib.look.judge import MAP_SCORES, MapScore, MapTrial, Twins, judge_maps, map_estimates, map_trial
from ferbook.errors import DataError
from ferbook.estimate import Estimate
from ferbook.store import ChapterResult
from synthetic_faces.facs import AUS

ASKED_POPULATION, FACES = "published", "lab"
"""Whose networks are asked about which faces."""

LABELLED_SIZE = 48
"""Pixels of a side of the faces that carry labels."""

LABELLED_FROM = 10_000
"""Seeds of faces that carry labels begin here: networks learned from people of seed 0."""

MIXTURE = (np.pi / 8, 3 * np.pi / 8)
"""How much of a filter and of another one are in one that nobody has seen: cosine and sine of an angle."""

WHERE = ("concentration", "pointing", "iou", "right_unit")
"""The scores that say where a map lies, which stand in a table of their own."""

WHICH = ("precision", "recall", "kappa", "effect", "dose")
"""The scores of a rule for labels that say whether its names are right."""

Tell = Callable[[str], None]
Estimates = Mapping[str, Estimate]


@dataclass(frozen=True)
class TrialSize:
    """So many ``networks``, asked about so many ``people`` and ``aus``; so many others are ``labelled``."""

    networks: int
    people: int
    aus: tuple[str, ...] = AUS
    labelled: int = 118


UNITS_OF_EMOTIONS = ("AU1", "AU2", "AU4", "AU6", "AU9", "AU12", "AU15", "AU25")
TRIAL_SIZES = {"small": TrialSize(5, 6, UNITS_OF_EMOTIONS, 40), "whole": TrialSize(10, 24)}


def made_twins(size: TrialSize, seed: int) -> Twins:
    """Neutral faces of strangers with each unit alone at full intensity, and without it."""
    return twins_of(interventions(size.people, size.aus, (1.0,), face_seed=seed, domain=FACES))


def trial_networks(size: TrialSize, seed: int, sealed: bool) -> Iterator[tuple[str, nn.Module]]:
    """Names and networks: those of ``ASKED_POPULATION`` that ``size`` asks for and are kept; where they are
    asked in secret (``sealed``), with filters that nobody has seen.
    """
    members = [each for each in find_population(ASKED_POPULATION).kept() if each.has_weights][: size.networks]
    if not members:
        raise DataError(
            f"no network of the population {ASKED_POPULATION!r} is kept here; clone the repository whole"
        )
    for member in members:
        network = member.network()
        yield (
            f"{ASKED_POPULATION} {member.seed}",
            mixed_network(network, (seed, member.seed)) if sealed else network,
        )


@torch.no_grad()
def mixed_network(network: nn.Module, seed: int | tuple[int, ...]) -> nn.Module:
    """A copy of ``network`` whose last convolution has other filters: each a mixture of two of its own, drawn
    by ``seed``. Who remembers what a filter of the public networks detects does not know these.
    """
    mixed, rng = deepcopy(network), np.random.default_rng(seed)
    convolution = [each for each in mixed.modules() if isinstance(each, nn.Conv2d)][-1]
    number = convolution.out_channels
    angles, (first, second) = rng.uniform(*MIXTURE, number), (rng.permutation(number) for _ in range(2))
    for values in convolution.parameters():
        shares = [
            torch.as_tensor(part(angles), dtype=values.dtype).reshape(-1, *[1] * (values.ndim - 1))
            for part in (np.cos, np.sin)
        ]
        values.copy_(shares[0] * values[first] + shares[1] * values[second])
    return mixed


def made_trials(size: TrialSize, seed: int, tell: Tell, sealed: bool = False) -> list[MapTrial]:
    """The ``trial_networks``, with the neurons that methods are asked about."""
    tell(f"rendering {size.people} people, each with each of {len(size.aus)} action units")
    twins, trials = made_twins(size, seed), []
    for name, network in trial_networks(size, seed, sealed):
        tell(f"network {name}: finding its neurons")
        trials.append(map_trial(name, network, twins, seed=seed))
    return trials


def made_label_trials(size: TrialSize, seed: int, tell: Tell, sealed: bool = False) -> list[LabelTrial]:
    """The ``trial_networks``, with what their filters answer and what moves them."""
    tell(f"rendering {size.labelled} people with labels, and {size.people} with one action unit at a time")
    labelled = rendered_faces(FaceRequest(FACES, size.labelled, LABELLED_SIZE, LABELLED_FROM + seed))
    faces, trials = label_faces(labelled, people=size.people, face_seed=LABELLED_FROM + seed), []
    for number, (name, network) in enumerate(trial_networks(size, seed, sealed)):
        tell(f"network {name}: finding what moves its filters")
        trials.append(label_trial(name, network, faces, seed=seed + number))
    return trials


@dataclass(frozen=True)
class TrialKind:
    """What can be put on trial: an ``entry`` of this kind, beside those ``registered``, by ``scores``.

    ``trials(size, seed, tell, sealed)`` are made once; ``judge`` gives what a method is worth in them, and
    ``about`` says what it is asked. ``file``: what the registered ones were found to be worth, committed;
    ``tables``: the scores that stand together on a page.
    """

    entry: EntryKind
    registered: Mapping[str, Callable]
    scores: Mapping[str, MapScore | LabelScore]
    trials: Callable[..., list]
    judge: Callable[[Callable, list], Estimates]
    about: Callable[[list], str]
    file: Path
    tables: tuple[tuple[str, ...], ...]


def _kind_of_trial(entry: EntryKind, registered, scores, trials, judge, about, file: str, first) -> TrialKind:
    tables = first, tuple(name for name in scores if name not in first)
    return TrialKind(entry, registered, scores, trials, judge, about, Path(__file__).with_name(file), tables)


TRIAL_KINDS = {
    "maps": _kind_of_trial(
        MAP_ENTRY,
        EXPLAINERS,
        MAP_SCORES,
        made_trials,
        lambda method, trials: map_estimates(judge_maps(method, trials)),
        lambda trials: f"{sum(len(trial.rows) for trial in trials):,} neurons, four maps each",
        "judge.csv",
        WHERE,
    ),
    "labels": _kind_of_trial(
        LABEL_ENTRY,
        LABELLERS,
        LABEL_SCORES,
        made_label_trials,
        lambda rule, trials: label_estimates(judge_labels(rule, trials)),
        lambda trials: f"{sum(trial.responses.shape[1] for trial in trials):,} filters",
        "labels.csv",
        WHICH,
    ),
}


def judged_method(name: str, method: Callable, trials: list, tell: Tell, kind: str = "maps") -> Estimates:
    """What one method is worth: score -> estimate."""
    tell(f"{name}: {TRIAL_KINDS[kind].about(trials)}")
    return TRIAL_KINDS[kind].judge(method, trials)


def judged_baselines(trials: list, tell: Tell, kind: str = "maps") -> dict[str, Estimates]:
    """What every registered method is worth."""
    registered = TRIAL_KINDS[kind].registered.items()
    return {name: judged_method(name, method, trials, tell, kind) for name, method in registered}


def baseline_table(by_method: Mapping[str, Estimates], size: str, seed: int) -> pd.DataFrame:
    """One row per method and score, with what decides them: ``seed``, ``size`` and version of the ``faces``;
    and ``device`` and ``date``.
    """
    about = {"seed": seed, "size": size, "faces": set_name(FACES), "population": ASKED_POPULATION}
    about |= {"device": "CPU", "date": datetime.now(UTC).date().isoformat()}
    fields = ("value", "low", "high", "n", "unit", "how", "why")
    rows = [
        about
        | {"method": method, "score": score}
        | {key: value for key, value in each.to_json().items() if key in fields}
        for method, estimates in by_method.items()
        for score, each in estimates.items()
    ]
    return pd.DataFrame(rows)


def committed_baselines(size: str, seed: int, kind: str = "maps") -> dict[str, Estimates]:
    """The registered methods as they were found before, if of this size, seed and version of the faces; else
    none.
    """
    table = pd.read_csv(TRIAL_KINDS[kind].file, keep_default_na=False, na_values={"low": "", "high": ""})
    own = table["seed"].eq(seed) & table["size"].eq(size) & table["faces"].eq(set_name(FACES))
    methods: dict[str, dict[str, Estimate]] = {}
    for row in table[own].itertuples():
        about = {"n": int(float(row.n)) if row.n else None, "unit": row.unit, "how": row.how, "why": row.why}
        methods.setdefault(row.method, {})[row.score] = Estimate.bounded(
            row.value, row.low, row.high, **about
        )
    return methods


def standing(score: str, value: float, others: Mapping[str, Estimates]) -> int:
    """The rank, from 1, of a ``value`` of ``score`` among ``others``."""
    return 1 + sum(each[score].value > value for each in others.values() if score in each)


def _page(kind: str, by: str) -> str:
    """The committed table as a page shows it, the best by the score ``by`` first."""
    by_method, contest = committed_baselines("small", 0, kind), TRIAL_KINDS[kind]
    every = sorted(by_method.items(), key=lambda item: -item[1][by].value)
    lines = []
    for scores in contest.tables:
        timed = scores is contest.tables[-1] and "seconds" in every[0][1]
        heads = [score.replace("_", " ") for score in scores] + ["ms"] * timed
        lines += [f"| {contest.entry.function} | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
        for name, own in every:
            cells = [f"{own[score].value:.2f}" if score in own else "–" for score in scores]
            if timed:
                cells.append(f"{1000 * own['seconds'].value:.1f}")
            lines.append(f"| `{name}` | {' | '.join(cells)} |")
        lines.append("")
    first = pd.read_csv(contest.file).iloc[0]
    origin = f"{first['faces']}, seed {first['seed']}, {first['size']}; {first['device']}, {first['date']}"
    return "\n".join([*lines, f"Networks of the population `{first['population']}`; faces {origin}."])


def baselines_page(results: Mapping[str, ChapterResult]) -> str:
    """The committed table of methods for maps."""
    return _page("maps", "correctness")


def label_baselines_page(results: Mapping[str, ChapterResult]) -> str:
    """The committed table of rules for labels."""
    return _page("labels", "kappa")
