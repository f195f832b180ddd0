"""Whether a rule that names filters' action units is right: scores by a truth that only rendered faces have.

A rule of ``aus.labels`` sees what filters answer to pictures of people, and which units these show. The truth
is found elsewhere, in other people: every unit is switched on by itself, at the intensity at which all change
the picture alike (``aus.interventions``), and the **cause** of a filter is the unit that raises its answer
most. So it is known which names are right.

What faces rarely offer is **planted**: for each unit a *detector*, a column of responses that answers to the
unit and to chance; and its *decoys*, which answer to what goes with the unit. A rule that can be relied on
scores the detector higher. And the detector is scored by labels of which half are missing, and by labels with
as many wrong ones beside: it should score lower by them (Oikarinen et al. 2025, arXiv 2506.05774, section 4).
All this asks for the order of two scores only, since a rule may have any scale.

The scores are ``LABEL_SCORES``; K filters, A units, N pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from torch import nn

from fer_lib.aus.interventions import Interventions, effects_of, interventions, matched_doses
from fer_lib.aus.labels import Labeller, label_scores
from fer_lib.aus.presence import Presence, presence
from fer_lib.aus.verification import verified
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.layers import last_conv
from fer_lib.look.responses import maximal_responses
from fer_lib.stats.two_way import PEOPLE_GROUPS, networks_and_people, people_groups
from ferbook.errors import DataError
from ferbook.estimate import Estimate

SWITCHED_TO = (0.1, 0.4, 1.0)
"""Those at which each unit is switched on, for the dose and for finding where all change a picture alike."""

LEAST_INTENSITY = 0.2
"""From here on a picture counts as showing the unit: a trace is not to be seen."""

PLANTED_NOISE = 1.0
"""Standard deviation of what planted filters add to 0 and 1: a detector's AUROC is .76."""

LAMP = 0.8
"""Of the pictures with a unit this share is lit by a lamp, of the others as many are not."""

SAME_SCORES = 1e-3
"""Share of the largest score by which a rule may differ when it is asked again."""


@dataclass(frozen=True)
class LabelScore:
    """A score: ``about`` it, and what a rule that says nothing has, ``nothing``; more is better of each, and
    the best is 1. It cannot leave its ``limits``.
    """

    about: str
    nothing: str = "0"
    limits: tuple[float, float] = (0, 1)


LABEL_SCORES = {
    "precision": LabelScore("of the filters that are named, the share whose cause is that unit", "chance"),
    "recall": LabelScore("of the filters with a cause, the share named so; the mean over units", "chance"),
    "kappa": LabelScore("names and causes that agree, beyond chance", limits=(-1, 1)),
    "effect": LabelScore(
        "rank correlation, over units, of a filter's scores with what the units do to it", limits=(-1, 1)
    ),
    "dose": LabelScore(
        "rank correlation of a filter's answer with the intensity of the unit it is named by", limits=(-1, 1)
    ),
    "emotion": LabelScore("detectors above a filter that answers to the emotion alone", "0.5"),
    "companion": LabelScore("detectors above a filter of the unit that is shown with it most", "0.5"),
    "brightness": LabelScore("detectors above a filter that answers to a lamp", "0.5"),
    "missing": LabelScore("detectors that score less by labels of which half are missing", "0.5"),
    "extra": LabelScore("detectors that score less by labels with as many wrong ones beside", "0.5"),
}
"""What ``judge_labels`` gives: name -> score."""

PLANTED = ("emotion", "companion", "brightness", "missing", "extra")
"""Those of them that are about planted filters."""


@dataclass(frozen=True, eq=False)
class LabelFaces:
    """The faces that networks are asked about: ``labelled``, with ``shown`` on them, which rules see; and for
    the truth ``equal``, each unit alone so that all change the picture alike, and ``dose``, each at
    ``SWITCHED_TO``.

    Raises DataError where the units of the three are not the same.
    """

    labelled: FaceSet
    shown: Presence
    equal: Interventions
    dose: Interventions

    def __post_init__(self) -> None:
        if not self.shown.aus == self.equal.aus == self.dose.aus:
            raise DataError("the labelled faces and those with a unit switched on have other units")


def label_faces(
    labelled: FaceSet, *, people: int, contexts: int = 2, face_seed: int = 0, domain: str = "lab"
) -> LabelFaces:
    """``labelled`` faces, by those units that enough people show, with ``people`` of ``domain`` on whom these
    are switched on, each over so many base faces (``contexts``: other expressions, poses and light).

    Raises as ``presence``, ``Presence.scored`` and ``interventions``.
    """
    coding = presence(labelled, LEAST_INTENSITY).scored()
    about = {"size": labelled.size[0], "contexts": contexts, "face_seed": face_seed, "domain": domain}
    dose = interventions(people, coding.aus, SWITCHED_TO, **about)
    doses = matched_doses(dose).intensities
    equal = interventions(people, coding.aus, SWITCHED_TO[-1:], doses=doses, **about)
    return LabelFaces(labelled, coding, equal, dose)


@dataclass(frozen=True, eq=False)
class LabelTrial:
    """What a rule is asked about one network, ``name``: ``responses`` (N, K) to pictures of ``shown``.

    The truth of P people, ``people`` (P,): ``effects`` (P, K, A), what each unit does at equal energy, in
    standard deviations, and ``doses`` (P, K, A), the rank correlation of the answer with its intensity.
    ``seed`` draws what is planted.
    """

    name: str
    responses: np.ndarray
    shown: Presence
    people: np.ndarray
    effects: np.ndarray
    doses: np.ndarray
    seed: int = 0

    def causes(self, subset: np.ndarray | None = None) -> np.ndarray:
        """Object (K,): the unit that raises each filter most, by the mean over the ``subset`` of people, bool
        (P,) (None: all); empty where none raises it.
        """
        means = self._mean(self.effects, subset)
        return np.where(means.max(axis=1) > 0, unit_names(self.shown.aus, means), "")

    def _mean(self, values: np.ndarray, subset: np.ndarray | None) -> np.ndarray:
        return (values if subset is None else values[subset]).mean(axis=0)

    @cached_property
    def planted(self) -> tuple[np.ndarray, np.ndarray]:
        """Responses float64 (N, 4A): A detectors, then their decoys of emotion, companion and lamp. Labels
        float32 (N, 3A): as they are, with half missing, and with as many wrong ones beside, on at most half
        of the pictures without the unit.
        """
        rng, present = np.random.default_rng((self.seed, len(self.shown))), self.shown.present == 1
        lit = np.where(present, *(rng.random(present.shape) < share for share in (LAMP, 1 - LAMP)))
        emotions = self.shown.emotions[:, None] == np.unique(self.shown.emotions)
        goes_with = _likeness(present, present)
        np.fill_diagonal(goes_with, -np.inf)
        signals = np.hstack(
            [
                present,
                emotions[:, _likeness(present, emotions).argmax(axis=1)],
                present[:, goes_with.argmax(axis=1)],
                lit,
            ]
        )
        missing, extra = present.copy(), present.copy()
        for unit, own in enumerate(present.T):
            there, absent = np.flatnonzero(own), np.flatnonzero(~own)
            missing[rng.permutation(there)[: len(there) // 2], unit] = False
            # Of a frequent unit fewer, or none would be left without it, which every detector scores 0 by.
            extra[rng.permutation(absent)[: min(len(there), len(absent) // 2)], unit] = True
        responses = signals + PLANTED_NOISE * rng.standard_normal(signals.shape)
        return responses.clip(0), np.hstack([present, missing, extra]).astype(np.float32)


def _likeness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(A, B): Pearson's correlation of each column of ``one`` (N, A) with each of ``other`` (N, B); 0 where
    one is the same everywhere.
    """
    one, other = (each - each.mean(axis=0) for each in (one, other))
    scale = np.sqrt(np.outer((one**2).sum(axis=0), (other**2).sum(axis=0)))
    return np.divide(one.T @ other, scale, out=np.zeros(scale.shape), where=scale > 0)


def label_trial(
    name: str, network: nn.Module, pictures: LabelFaces, *, layer: str = "", seed: int = 0
) -> LabelTrial:
    """The filters of ``layer`` of ``network`` (the last convolution where none is named), and their truth."""
    layer = layer or last_conv(network)
    responses, equal, dose = (
        maximal_responses(network, faces, layer).maxima.astype(np.float64)
        for faces in (pictures.labelled, pictures.equal.faces, pictures.dose.faces)
    )
    effects = effects_of(equal, pictures.equal, draws=20, flips=20)
    off, on = pictures.dose.arranged(dose)
    steps = np.concatenate([np.broadcast_to(off[:, None, None], on[:, :, :1].shape), on], axis=2)
    ranks = rankdata(steps, axis=2) - (steps.shape[2] + 1) / 2
    order = np.arange(steps.shape[2]) - (steps.shape[2] - 1) / 2
    scale = np.sqrt((ranks**2).sum(axis=2) * (order**2).sum())
    alike = np.divide(
        np.einsum("balk,l->bak", ranks, order), scale, out=np.zeros_like(scale), where=scale > 0
    )
    people = np.unique(pictures.dose.subjects.astype(str))
    valid = pictures.dose.valid[..., None]
    own = [pictures.dose.subjects.astype(str) == who for who in people]
    doses = np.stack([(alike[some] * valid[some]).sum(0) / valid[some].sum(0) for some in own])
    return LabelTrial(
        name,
        responses,
        pictures.shown,
        people,
        effects.people[..., -1].astype(np.float64),
        doses.transpose(0, 2, 1),
        seed,
    )


def unit_names(aus: Sequence[str], scores: np.ndarray) -> np.ndarray:
    """Object (K,): the unit of the largest of ``scores`` (K, A) of each filter; empty where several are
    equally large.
    """
    largest = scores.max(axis=1, keepdims=True)
    alone = (scores == largest).sum(axis=1) == 1
    return np.where(alone, np.array(aus, dtype=object)[scores.argmax(axis=1)], "")


def truth_scores(trial: LabelTrial, scores: np.ndarray, subset: np.ndarray | None = None) -> dict[str, float]:
    """The scores of ``LABEL_SCORES`` that need no planted filter, of a rule's ``scores`` (K, A) of
    ``trial.responses``; ``subset`` bool (P,): the people who say what is true (None: all).

    Where no filter is named, or has a cause, the score is 0: who says nothing gains nothing.
    """
    aus = trial.shown.aus
    names = unit_names(aus, scores)
    causes = trial.causes(subset)
    claims = verified(names, causes, aus)
    every = np.array([(causes == unit).sum() for unit in aus])
    rows = np.flatnonzero(names != "")
    columns = scores[rows].argmax(axis=1)
    kappa = claims.kappa
    alike = _rank_correlations(scores, trial._mean(trial.effects, subset))
    doses = trial._mean(trial.doses, subset)[rows, columns]
    return {
        "precision": float(claims.verified.sum() / max(claims.filters, 1)),
        "recall": float((claims.verified[every > 0] / every[every > 0]).mean()) if every.any() else 0.0,
        "kappa": 0.0 if np.isnan(kappa) else kappa,
        "effect": float(alike.mean()) if len(alike) else 0.0,
        "dose": float(doses.mean()) if len(rows) else 0.0,
    }


def _rank_correlations(scores: np.ndarray, effects: np.ndarray) -> np.ndarray:
    """Of each filter that some unit moves, Spearman's correlation over units; 0 of scores that are all the
    same.
    """
    filters = np.ptp(effects, axis=1) > 0
    one, other = (rankdata(each[filters], axis=1) - (each.shape[1] + 1) / 2 for each in (scores, effects))
    scale = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    return np.divide((one * other).sum(axis=1), scale, out=np.zeros(len(one)), where=scale > 0)


def planted_scores(trial: LabelTrial, scores: np.ndarray) -> pd.DataFrame:
    """One row per unit, of a rule's ``scores`` (4A, 3A) of ``trial.planted``: ``unit``; ``frequency``, the
    share of pictures that show it; and ``PLANTED``, whether the detector is ahead: 1, 0, or 0.5 where both
    are alike.
    """
    units = np.arange(len(trial.shown.aus))
    number = len(units)
    own = scores[units, units]
    others = {
        "emotion": scores[number + units, units],
        "companion": scores[2 * number + units, units],
        "brightness": scores[3 * number + units, units],
        "missing": scores[units, number + units],
        "extra": scores[units, 2 * number + units],
    }
    ahead = {name: (own > other) + 0.5 * (own == other) for name, other in others.items()}
    frequency = (trial.shown.present == 1).mean(axis=0)
    return pd.DataFrame({"unit": list(trial.shown.aus), "frequency": frequency, **ahead})


def judge_labels(rule: Labeller, trials: Sequence[LabelTrial]) -> pd.DataFrame:
    """What ``rule`` is worth, one row per network and group of people left out: ``network``, ``left_out``
    (-1: nobody), and a column for each of ``LABEL_SCORES``.

    The same groups for all networks; of the people who are labelled and of those who say what is true one
    group each is left out at a time. Raises DataError as ``label_scores``, and where the rule says something
    else when it is asked again.
    """
    first = trials[0]
    groups = min(PEOPLE_GROUPS, len(first.people), len(np.unique(first.shown.subjects)))
    rows, firsts = [], []
    for trial in trials:
        labelled, true = (people_groups(each, groups) for each in (trial.shown.subjects, trial.people))
        present, (responses, labels) = trial.shown.present, trial.planted
        for group in range(-1, groups):
            some, truth_people = labelled != group, true != group
            scores = label_scores(rule, trial.responses[some], present[some])
            metrics = truth_scores(trial, scores, truth_people)
            ahead = planted_scores(trial, _shuffled(rule, responses[some], labels[some], trial.seed))
            rows.append({"network": trial.name, "left_out": group, **metrics, **ahead[[*PLANTED]].mean()})
            if group < 0:
                firsts.append(scores)
    for trial, scores in zip(trials, firsts, strict=True):
        again = label_scores(rule, trial.responses, trial.shown.present)
        if np.abs(again - scores).max() > SAME_SCORES * np.abs(scores).max():
            raise DataError("asked again about the same filters it gave other scores; draw from a fixed seed")
    return pd.DataFrame(rows)


def _shuffled(rule: Labeller, responses: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    """The scores of ``rule``, to which filters and labels come in another order: none is known by its
    place.
    """
    rng = np.random.default_rng(seed)
    filters, units = rng.permutation(responses.shape[1]), rng.permutation(labels.shape[1])
    scores = np.empty((len(filters), len(units)))
    scores[np.ix_(filters, units)] = label_scores(rule, responses[:, filters], labels[:, units])
    return scores


def label_estimates(table: pd.DataFrame) -> dict[str, Estimate]:
    """Each of ``LABEL_SCORES`` of the ``table`` of ``judge_labels``, with its interval over people, and
    networks where there are several (``stats.two_way``).
    """
    wide = table.pivot(index="network", columns="left_out")
    return {
        name: networks_and_people(wide[name].sort_index(axis=1).to_numpy(), limits=score.limits)
        for name, score in LABEL_SCORES.items()
    }
