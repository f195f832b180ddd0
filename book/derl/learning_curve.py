"""How many people does it take? The residue, the face and the differences, learned from fewer people; and an
oracle beside them, the difference to the true neutral face.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from book.derl.pairs import is_neutral
from book.derl.stage_two import ResidueRecipe
from book.derl.study import (
    CNN,
    CONDITION_LABELS,
    DERL,
    PIXEL_DIFFERENCE,
    TRUE_DIFFERENCE,
    ResidueStudy,
    contest_of,
    joined,
    one_fold,
    residue_study,
)
from fer_lib.aus.presence import named_alone
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import Protocol
from fer_lib.nets.derl import Generator
from fer_lib.train.precision import Precision
from ferbook.estimate import Estimate

CURVE_CONDITIONS = (DERL, PIXEL_DIFFERENCE, CNN)
"""What learns from fewer people, beside the oracle where the true neutral faces are known."""

_ALL = "all"
SHARES = {"few": 0.12, "some": 0.3, _ALL: 1.0}
"""By name the share of a fold's people who are learned from. Of all of them the conditions are trained
elsewhere, and the oracle here.
"""


def fewer_people(faces: FaceSet, protocol: Protocol, fold: int, share: float, seed: int) -> np.ndarray:
    """int64 (N,): the rows of ``fold`` to learn from, N of them as in the fold, but of a ``share`` of its
    people only: so many passes over each of their pictures that the steps stay the same.

    People are drawn from ``seed``, fewer of them among more; further ones are taken where a class would have
    no picture. A picture of somebody who is not named stands for a person.
    """
    train, table = protocol.folds[fold].train, faces.labelled().table
    subjects, emotions = named_alone(table["subject"])[train], table["emotion"].to_numpy(dtype=object)[train]
    order = np.random.default_rng((seed, fold)).permutation(np.unique(subjects.astype(str)))
    count = max(1, round(share * len(order)))
    while set(emotions[np.isin(subjects, order[:count])]) < set(emotions):
        count += 1
    return np.sort(np.resize(train[np.isin(subjects, order[:count])], len(train)))


def learn_curve(
    faces: FaceSet,
    protocol: Protocol,
    generators: Mapping[str, Generator],
    recipe: ResidueRecipe,
    *,
    fold: int,
    seed: int,
    precision: Precision,
    device: torch.device | str = "cpu",
) -> tuple[pd.DataFrame, np.ndarray]:
    """Train what ``SHARES`` asks for in a ``fold`` of ``protocol`` from ``seed``: a row for each training, as
    ``ResidueStudy.trainings`` has it, with ``share``, its name, and ``people`` learned from; and the answers
    float32 (trainings, P, classes).

    All else is as of ``residue_study``: the steps, the people who choose the epoch and those who are tested.
    """
    labelled = faces.labelled()
    subjects = named_alone(labelled.table["subject"])
    at_rest = subjects[is_neutral(labelled) & labelled.table["subject"].ne("").to_numpy()]
    oracle = (TRUE_DIFFERENCE,) if np.isin(subjects, at_rest).all() else ()
    trainings, answers = [], []
    for name, share in SHARES.items():
        conditions = (*(() if name == _ALL else CURVE_CONDITIONS), *oracle)
        if not conditions:
            continue
        rows = fewer_people(faces, protocol, fold, share, seed)
        folds = list(protocol.folds)
        folds[fold] = replace(folds[fold], train=rows)
        [study] = residue_study(
            faces,
            replace(protocol, folds=tuple(folds)),
            generators,
            recipe,
            conditions=conditions,
            folds=(fold,),
            seed=seed,
            precision=precision,
            device=device,
        )
        trainings.append(study.trainings.assign(share=name, people=len(np.unique(subjects[rows]))))
        answers.append(study.probabilities)
    return pd.concat(trainings, ignore_index=True), np.concatenate(answers)


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """By name of a share of ``SHARES`` what was learned from so many people: ``studies``, and how many they
    were, ``people``, in the mean of the folds.
    """

    studies: Mapping[str, ResidueStudy]
    people: Mapping[str, float]


def curve_of(
    faces: FaceSet,
    protocol: Protocol,
    pieces: Sequence[tuple[ResidueStudy, pd.DataFrame, np.ndarray]],
) -> LearningCurve | None:
    """Of the ``pieces``, each the study of one fold and seed of all people with what ``learn_curve`` gave
    there; None where there is none.
    """
    subjects = named_alone(faces.labelled().table["subject"])
    everybody = [len(np.unique(subjects[fold.train])) for fold in protocol.folds]
    by_share: dict[str, list[ResidueStudy]] = {}
    people: dict[str, list[int]] = {}
    for whole, trainings, answers in pieces:
        fold = int(whole.trainings["fold"].iloc[0])
        for name in SHARES:
            own = trainings["share"].eq(name).to_numpy()
            table, probabilities = trainings[own].drop(columns=["share", "people"]), answers[own]
            if name == _ALL:
                mask = whole.trainings["condition"].isin(CURVE_CONDITIONS).to_numpy()
                table = pd.concat([whole.trainings[mask], table], ignore_index=True)
                probabilities = np.concatenate([whole.probabilities[mask], probabilities])
            by_share.setdefault(name, []).append(one_fold(faces, protocol, fold, table, probabilities))
            # Of all people nothing is trained here where some are never seen at rest: no oracle is possible.
            count = everybody[fold] if name == _ALL else trainings.loc[own, "people"].iloc[0]
            people.setdefault(name, []).append(count)
    studies = {name: joined(own) for name, own in by_share.items()}
    return LearningCurve(studies, {name: np.mean(own) for name, own in people.items()}) if studies else None


def curve_table(
    curve: LearningCurve | None, faces: FaceSet, protocol: Protocol, *, draws: int = 2000, seed: int = 0
) -> pd.DataFrame | None:
    """One row per share and condition: ``share``, ``people`` learned from, ``condition``, its ``accuracy``
    (share), and how far DeRL is ``ahead`` of it in points (None of DeRL): Estimates. None of no curve.
    """
    if curve is None:
        return None
    rows = []
    for name, study in curve.studies.items():
        contest = contest_of(study, faces, protocol, draws=draws, seed=seed)
        for slug in study.table["condition"].unique():
            label = CONDITION_LABELS[slug][0]
            ahead = contest.ahead(label, "accuracy") if slug != DERL else None
            rows.append((name, curve.people[name], slug, contest.score(label, "accuracy"), ahead))
    return pd.DataFrame(rows, columns=["share", "people", "condition", "accuracy", "ahead"])


def curve_metrics(table: pd.DataFrame | None) -> dict[str, Estimate]:
    """Of ``curve_table``: ``few_people``, ``some_people`` and ``all_people`` learned from in each fold;
    ``few_accuracy`` and ``few_ahead_of_cnn`` …, as ``study.residue_metrics`` calls them of all people, whose
    own here is the oracle's; empty of no table.
    """
    metrics = {}
    for row in () if table is None else table.itertuples():
        metrics[f"{row.share}_people"] = Estimate(round(row.people), unit="count", tolerance=1)
        if row.share == _ALL and row.condition != TRUE_DIFFERENCE:
            continue
        before = "" if row.share == _ALL else f"{row.share}_"
        metrics[before + ("" if row.condition == DERL else f"{row.condition}_") + "accuracy"] = row.accuracy
        if row.condition != DERL:
            metrics[f"{before}ahead_of_{row.condition}"] = row.ahead
    return metrics
