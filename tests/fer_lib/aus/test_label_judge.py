"""The judge of rules for labels: who knows the truth has all, who knows nothing has what is said, and each
planted decoy is found by a rule that falls for it.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr

from fer_lib.aus.interventions import Interventions
from fer_lib.aus.label_judge import (
    LABEL_SCORES,
    PLANTED,
    LabelFaces,
    LabelTrial,
    judge_labels,
    label_estimates,
    label_trial,
    planted_scores,
    truth_scores,
    unit_names,
)
from fer_lib.aus.labels import LABELLERS
from fer_lib.aus.presence import Presence
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.responses import maximal_responses
from fer_lib.nets.build import build_network
from ferbook.errors import DataError

AUS = ("AU1", "AU4", "AU6", "AU12")
PEOPLE, EACH, FILTERS = 30, 20, 9


def shown(seed: int = 0) -> Presence:
    """AU6 comes with AU12, and both with happiness; AU1 and AU4 with fear."""
    rng = np.random.default_rng(seed)
    emotions = rng.choice(["happiness", "fear", "neutral"], PEOPLE * EACH)
    likely = {"happiness": (0.1, 0.1, 0.6, 0.8), "fear": (0.6, 0.5, 0.1, 0.1), "neutral": (0.05,) * 4}
    present = (rng.random((len(emotions), 4)) < [likely[each] for each in emotions]).astype(float)
    present[:, 2] = np.where(rng.random(len(emotions)) < 0.5, present[:, 3], present[:, 2])
    subjects = np.repeat([f"p{n}" for n in range(PEOPLE)], EACH)
    return Presence(AUS, present, subjects, np.arange(len(emotions)).astype(str), emotions)


def trial(name: str = "net", seed: int = 0) -> LabelTrial:
    """Filter k answers to unit k % 4, and says so when it is switched on."""
    rng, labels = np.random.default_rng(seed), shown()
    own = np.arange(FILTERS) % 4
    responses = labels.present[:, own] + 0.3 * rng.standard_normal((len(labels), FILTERS))
    effects = 0.1 * rng.standard_normal((6, FILTERS, 4))
    effects[:, np.arange(FILTERS), own] += 1
    doses = np.zeros_like(effects)
    doses[:, np.arange(FILTERS), own] = 1
    people = np.array([f"q{n}" for n in range(6)])
    return LabelTrial(name, responses, labels, people, effects, doses, seed)


def test_who_knows_the_truth_has_all():
    known = trial()
    found = truth_scores(known, known.effects.mean(axis=0))
    assert found == {"precision": 1, "recall": 1, "kappa": 1, "effect": pytest.approx(1), "dose": 1}


def test_scores_by_hand():
    known = replace(trial(), responses=np.ones((PEOPLE * EACH, 3)))
    effects = np.array([[3.0, 2, 1, 0], [0, 1, 2, -1], [-1, -1, -2, -3]])
    known = replace(
        known, effects=effects[None], doses=np.tile([[0.5, 0.25, 0, 1]], (1, 3, 1)), people=known.people[:1]
    )
    assert known.causes().tolist() == ["AU1", "AU6", ""], "what moves a filter down is no cause"
    scores = np.array([[4.0, 3, 2, 1], [5, 1, 1, 1], [2, 2, 0, 0]])
    assert unit_names(AUS, scores).tolist() == ["AU1", "AU1", ""], "of equals none is named"
    found = truth_scores(known, scores)
    assert found["precision"] == 0.5 and found["recall"] == 0.5 and found["dose"] == 0.5
    assert found["kappa"] == 0, "both are named AU1, and one of two has that cause"
    expected = [spearmanr(*pair).statistic for pair in zip(scores, effects, strict=True)]
    assert found["effect"] == pytest.approx(np.mean(expected))


def test_who_says_nothing_gains_nothing():
    found = truth_scores(trial(), np.zeros((FILTERS, 4)))
    assert set(found.values()) == {0.0}
    ahead = planted_scores(trial(), np.zeros((16, 12)))
    assert (ahead[[*PLANTED]] == 0.5).all(axis=None)


def oracle_of(decoy: int):
    """Scores of a rule that holds the decoys of one kind for the detectors."""
    scores = np.zeros((16, 12))
    scores[np.arange(16), np.arange(16) % 4] = np.arange(16) // 4 == decoy
    return scores


@pytest.mark.parametrize(("decoy", "name"), [(1, "emotion"), (2, "companion"), (3, "brightness")])
def test_a_rule_that_falls_for_a_decoy_is_found(decoy, name):
    ahead = planted_scores(trial(), oracle_of(decoy))[[*PLANTED]].mean()
    assert ahead[name] == 0
    assert planted_scores(trial(), oracle_of(0))[["emotion", "companion", "brightness"]].eq(1).all(axis=None)


def test_wrong_labels_beside_leave_pictures_without_a_frequent_unit():
    labels = shown()
    often = labels.present.copy()
    often[:, 0] = np.arange(len(often)) % 10 < 7
    extra = replace(trial(), shown=replace(labels, present=often)).planted[1][:, 2 * len(AUS)]
    assert extra.mean() == pytest.approx(0.85)


def test_what_is_planted():
    responses, labels = trial().planted
    present, missing, extra = np.split(labels, 3, axis=1)
    assert np.array_equal(present, shown().present)
    assert (missing.sum(0) == present.sum(0) - present.sum(0) // 2).all() and (missing <= present).all()
    assert (extra.sum(0) == 2 * present.sum(0)).all() and (extra >= present).all()
    alike = np.abs(LABELLERS["correlation"](responses, labels))
    detectors, _, companion, lamp = np.split(alike, 4)
    assert (np.diag(detectors) > 0.2).all() and (responses >= 0).all()
    assert companion[2].argmax() == 3 and companion[3].argmax() == 2, "AU6 and AU12 stand for each other"
    happy = (shown().emotions == "happiness").astype(float)[:, None]
    assert LABELLERS["correlation"](responses[:, 4:8], happy)[3] > 0.2, "AU12's emotion is happiness"
    assert (np.diag(lamp) > 0).all()


def test_labels_that_are_missing_or_too_many_lower_what_a_sound_rule_says():
    known = trial()
    ahead = planted_scores(known, LABELLERS["correlation"](*known.planted))
    assert ahead[["missing", "extra"]].eq(1).all(axis=None)
    assert ahead["unit"].tolist() == list(AUS)
    assert ahead["frequency"].to_numpy() == pytest.approx(shown().present.mean(axis=0))


def test_a_rule_has_an_interval_of_every_score_and_chance_has_chance():
    known = [trial(f"net {seed}", seed) for seed in range(3)]
    table = judge_labels(LABELLERS["auroc"], known)
    assert len(table) == 3 * (1 + 6) and set(table["left_out"]) == {*range(-1, 6)}
    good = label_estimates(table)
    assert set(good) == set(LABEL_SCORES)
    assert good["precision"].value == good["kappa"].value == good["dose"].value == 1
    assert good["effect"].low < good["effect"].value < good["effect"].high
    chance = label_estimates(judge_labels(LABELLERS["random"], known))
    assert chance["kappa"].value < 0.5 and chance["precision"].value < 0.7


def test_a_rule_that_draws_anew_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="other scores"):
        judge_labels(
            lambda responses, presence: rng.random((responses.shape[1], presence.shape[1])), [trial()]
        )


SIDE, LEVELS, CORNERS = 24, (0.1, 0.4, 1.0), ((slice(2, 10), slice(2, 10)), (slice(14, 22), slice(12, 22)))


def face_set(pixels: np.ndarray, people: list[str]) -> FaceSet:
    table = pd.DataFrame({"dataset": "toy", "subject": people, "emotion": "neutral", "split": "test"})
    return FaceSet("toy", pixels.astype(np.uint8), table.assign(sequence=people, frame=0))


def switched(levels: tuple[float, ...]) -> Interventions:
    """Six people, noise, in whom two units brighten a corner each."""
    rng, checked = np.random.default_rng(3), np.indices((SIDE, SIDE)).sum(0) % 2 * 100
    pictures, people = [], [f"q{n}" for n in range(6)]
    for _ in people:
        base = rng.integers(60, 120, (SIDE, SIDE))
        pictures.append(base)
        for corner in CORNERS:
            for level in levels:
                changed = base.copy()
                changed[corner] += (level * checked[corner]).astype(int)
                pictures.append(changed)
    named = np.repeat(people, 1 + 2 * len(levels)).tolist()
    faces = face_set(np.stack(pictures), named)
    valid = np.ones((6, 2), bool)
    return Interventions(
        faces, ("AU1", "AU4"), levels, np.array(people, object), np.zeros(6, int), valid, (1.0, 1.0)
    )


def test_the_truth_of_a_network_is_what_switching_does_to_it():
    labels = replace(shown().select(np.arange(60)), aus=AUS[:2], present=shown().present[:60, :2])
    labelled = face_set(
        np.random.default_rng(1).integers(60, 160, (60, SIDE, SIDE)), labels.subjects.tolist()
    )
    asked = LabelFaces(labelled, labels, switched((1.0,)), switched(LEVELS))
    network = build_network("zero_bias", 3, SIDE, generator=torch.Generator().manual_seed(1)).eval()
    found = label_trial("toy", network, asked, layer="relu2", seed=4)
    assert np.allclose(found.responses, maximal_responses(network, labelled, "relu2").maxima)
    off, on = asked.equal.arranged(
        maximal_responses(network, asked.equal.faces, "relu2").maxima.astype(float)
    )
    gain = (on[:, :, 0] - off[:, None]).mean(axis=0).T
    causes = np.where(gain.max(axis=1) > 0, np.array(AUS)[gain.argmax(axis=1)], "")
    apart = np.abs(gain[:, 0] - gain[:, 1]) > 1e-6
    assert apart.sum() > 20 and (found.causes()[apart] == causes[apart]).all()
    own_off, own_on = asked.dose.arranged(maximal_responses(network, asked.dose.faces, "relu2").maxima)
    alive = np.flatnonzero(np.ptp(own_on, axis=(0, 1, 2)) > 0)[:5]
    for person, filter_, unit in [(0, alive[0], 0), (3, alive[2], 1), (5, alive[4], 0)]:
        answers = [own_off[person, filter_], *own_on[person, unit, :, filter_]]
        by_scipy = spearmanr((0, *LEVELS), answers).statistic if np.ptp(answers) else 0
        assert found.doses[person, filter_, unit] == pytest.approx(by_scipy)


def test_faces_of_other_units_are_refused():
    made = switched((1.0,))
    labels = shown().only(["AU1", "AU12"])
    faces = face_set(np.zeros((len(labels), SIDE, SIDE)), labels.subjects.tolist())
    with pytest.raises(DataError, match="other units"):
        LabelFaces(faces, labels, made, made)
