"""Every registered rule that names filters' units, asked about every network, and which of them are believed.

The judge is ``aus.label_judge``; here its people are of the families.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from book.truth.family_faces import family_expressions, family_interventions, family_of
from book.truth.maps import EVERYBODY, AskedNetwork, believed
from book.truth.questions import IGNORANT_RULES, LABEL_QUESTIONS, ScoreQuestion, answer
from fer_lib.aus.interventions import matched_doses
from fer_lib.aus.label_judge import (
    LABEL_SCORES,
    LEAST_INTENSITY,
    SWITCHED_TO,
    LabelFaces,
    LabelTrial,
    judge_labels,
    label_trial,
    unit_names,
)
from fer_lib.aus.labels import LABELLERS, Labeller, label_scores
from fer_lib.aus.presence import presence
from fer_lib.aus.verification import verified
from fer_lib.stats.two_way import PEOPLE_GROUPS, all_but_one, networks_and_people
from ferbook.estimate import Estimate

CROSSED = 2
"""Base faces of each person: a neutral one, and another expression in another pose and light."""

RULE_TOLERANCE = 0.1
"""How far a score may move where another processor adds up in another order: two scores that are nearly equal
may change places."""


def family_labels(
    families: Sequence[str], labelled: int, people: int, aus: Sequence[str], **taken: int | str
) -> LabelFaces:
    """As ``aus.label_judge.label_faces``, of so many ``labelled`` people of each of ``families``, and so many
    other ``people`` on whom each of ``aus`` is switched on; ``taken`` as in ``family_interventions``.

    The dose is that of neutral faces; the causes are those over ``CROSSED`` base faces.
    """
    faces = family_expressions(families, labelled, **taken)
    dose = family_interventions(families, people, aus, SWITCHED_TO, **taken)
    doses = matched_doses(dose).intensities
    equal = family_interventions(families, people, aus, contexts=CROSSED, doses=doses, **taken)
    return LabelFaces(faces, presence(faces, LEAST_INTENSITY).only(aus), equal, dose)


def alone(pictures: LabelFaces) -> LabelFaces:
    """``pictures`` in which units are switched on in neutral faces alone."""
    neutral = pictures.equal.valid & (pictures.equal.contexts == 0)[:, None]
    return replace(pictures, equal=replace(pictures.equal, valid=neutral))


def label_trials(
    networks: Sequence[AskedNetwork], pictures: LabelFaces, *, seed: int = 0
) -> dict[str, list[LabelTrial]]:
    """``label_judge.label_trial`` of each of ``networks``, by population."""
    trials = {}
    for number, each in enumerate(networks):
        trial = label_trial(each.name, each.model, pictures, seed=seed + number)
        trials.setdefault(each.population, []).append(trial)
    return trials


def held_out(trial: LabelTrial, family: str) -> LabelTrial:
    """``trial`` without the people of ``family``, those who are labelled and those who say what is true."""
    labelled, true = (family_of(each) != family for each in (trial.shown.subjects, trial.people))
    return replace(
        trial,
        responses=trial.responses[labelled],
        shown=trial.shown.select(labelled),
        people=trial.people[true],
        effects=trial.effects[true],
        doses=trial.doses[true],
    )


def judged_labels(
    trials: Mapping[str, Sequence[LabelTrial]], rules: Mapping[str, Labeller] = LABELLERS
) -> pd.DataFrame:
    """``label_judge.judge_labels`` of each of ``rules`` about the ``trials`` of each population, also with
    each family held out: with the columns ``method``, ``population`` and ``without`` (empty of everybody).
    """
    families = list(dict.fromkeys(family_of(next(iter(trials.values()))[0].people)))
    tables = []
    for population, own in trials.items():
        for without in (EVERYBODY, *families):
            part = [held_out(trial, without) for trial in own] if without else own
            tables += [
                judge_labels(rule, part).assign(method=name, population=population, without=without)
                for name, rule in rules.items()
            ]
    return pd.concat(tables, ignore_index=True)


def rule_score(table: pd.DataFrame, method: str, score: str, against: Collection[str] = ()) -> Estimate:
    """The ``score`` of a rule, ``method``, in ``table``, the rows of one population of ``judged_labels`` and
    of who is held out; with ``against`` how far it lies above that of the best of these rules. Over networks
    and people (``stats.two_way``).
    """
    wide = table.pivot(index=["method", "network"], columns="left_out", values=score).sort_index(axis=1)
    values, limits = wide.loc[method].to_numpy(), LABEL_SCORES[score].limits
    if against:
        values = values - max((wide.loc[name].to_numpy() for name in against), key=lambda v: v[:, 0].mean())
        limits = limits[0] - limits[1], limits[1] - limits[0]
    return networks_and_people(values, limits=limits, tolerance=RULE_TOLERANCE)


def rule_estimate(table: pd.DataFrame, method: str, question: ScoreQuestion) -> Estimate:
    """What ``question`` asks about a rule, see ``rule_score``."""
    return rule_score(table, method, question.score, IGNORANT_RULES if question.ahead else ())


def label_answers(table: pd.DataFrame) -> pd.DataFrame:
    """What is answered to ``LABEL_QUESTIONS``, as ``maps.map_answers`` has it of ``MAP_QUESTIONS``."""
    rows = []
    for (population, without), own in table.groupby(["population", "without"], sort=False):
        for method in own["method"].unique():
            for question in LABEL_QUESTIONS if method not in IGNORANT_RULES else ():
                estimate = rule_estimate(own, method, question)
                verdict = answer(estimate, question.bound)
                if estimate.low is None and estimate.value != question.bound:  # alike in all
                    verdict = "yes" if estimate.value > question.bound else "no"
                rows.append((population, without, method, question.score, estimate, verdict))
    return pd.DataFrame(rows, columns=["population", "without", "method", "score", "estimate", "answer"])


def cause_agreement(crossed: Sequence[LabelTrial], neutral: Sequence[LabelTrial]) -> Estimate:
    """Cohen's kappa of filters' causes over all base faces with those over neutral ones: how far what a unit
    does hangs on the face that it is added to. Over networks and people.
    """
    people = crossed[0].people
    masks = all_but_one(people, min(PEOPLE_GROUPS, len(people)))
    values = [
        [verified(there.causes(rows), here.causes(rows), here.shown.aus).kappa for rows in masks]
        for here, there in zip(crossed, neutral, strict=True)
    ]
    return networks_and_people(np.array(values), limits=(-1, 1), tolerance=RULE_TOLERANCE)


def unit_rates(trials: Sequence[LabelTrial], rule: str) -> pd.DataFrame:
    """One row per unit: ``frequency`` (share of pictures that show it), and over the filters of all
    ``trials`` the ``precision`` of a rule's names and the ``recall`` of causes; NaN of a unit without any.
    """
    counts = np.zeros((3, len(trials[0].shown.aus)))
    for trial in trials:
        aus, causes = trial.shown.aus, trial.causes()
        names = unit_names(aus, label_scores(LABELLERS[rule], trial.responses, trial.shown.present))
        own = verified(names, causes, aus)
        counts += own.verified, own.claimed, [(causes == unit).sum() for unit in aus]
    right, claimed, caused = counts
    rates = {
        "frequency": (trials[0].shown.present == 1).mean(axis=0),
        "precision": np.divide(right, claimed, out=np.full(len(right), np.nan), where=claimed > 0),
        "recall": np.divide(right, caused, out=np.full(len(right), np.nan), where=caused > 0),
    }
    return pd.DataFrame(rates, index=pd.Index(trials[0].shown.aus, name="unit")).sort_values(
        "frequency", kind="stable"
    )


def rule_metrics(table: pd.DataFrame, answers: pd.DataFrame, learners: Sequence[str]) -> dict[str, Estimate]:
    """How many rules are believed of the first of the populations ``learners`` (of emotions), and of all of
    these with every family held out; how many answers about the first are the same whichever family is; and
    what decides about Zhu's distance, Khorrami's divergence and the sparse probe.
    """
    first = answers[answers["population"].eq(learners[0])]
    own = table[table["population"].eq(learners[0]) & table["without"].eq(EVERYBODY)]
    stable = first.groupby(["method", "score"])["answer"].nunique().eq(1)
    counts = {
        "rules": first["method"].nunique(),
        "label_questions": len(LABEL_QUESTIONS),
        "rules_believed": believed(first[first["without"].eq(EVERYBODY)]).sum(),
        "rules_believed_in_all": believed(answers[answers["population"].isin(learners)]).sum(),
        "label_answers": len(stable),
        "label_answers_kept": stable.sum(),
    }
    metrics = {name: Estimate(int(count), unit="count") for name, count in counts.items()}
    for rule in ("auroc", "kl", "sparse_probe"):
        for score in ("precision", "kappa", "missing"):
            metrics[f"{rule}_{score}"] = rule_score(own, rule, score)
    return metrics | {"probe_over_auroc": rule_score(own, "sparse_probe", "precision", ["auroc"])}
