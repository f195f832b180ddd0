"""Stored networks of the reference, evaluated on the people of a run that trains a network itself.

These people are in none of the networks' splits, so all of their pictures are evaluated. The baseline, a
linear classifier on histograms of oriented gradients, was fitted to the same pictures as the networks; it is
in ``HOG_WEIGHTS``, which ``python -m book.training.own_people`` makes.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from book.session import FaceSession
from book.training.chapter import EMOTION_NETWORKS, EMOTIONS_FACES
from book.training.study import HOG, MAJORITY, OWN, classifier_on_hog, comparisons, of_condition
from face_sets.faceset import FaceSet
from face_sets.folds import fold_faces, protocol_of
from face_sets.leakage import independent_groups
from face_sets.registry import open_faces
from fer_lib.stats.contrasts import TrainingScores, score_trainings
from fer_lib.train.callbacks import last_fifth
from fer_lib.train.controls import hog_responses
from fer_lib.train.predict import predict
from ferbook.estimate import STORED, Estimate
from ferbook.files import write_atomically

HOG_WEIGHTS = Path(__file__).with_name("hog_of_emotions.csv")
"""A column for each class: the bias, then a weight for each channel of ``hog_responses``."""


def stored_scores(run: FaceSession, faces: FaceSet, **draws: int) -> TrainingScores | None:
    """Score stored networks, as the condition ``OWN``, and their baselines on all pictures of ``faces``.

    None if the parameters exclude it or no network is stored.
    """
    p = run.params
    if p.population or EMOTION_NETWORKS not in p.populations:
        return None
    networks = run.population(EMOTION_NETWORKS)[: p.stored_networks]
    if not networks:
        return None
    run.note(network=networks[0].record.network)
    classes, weights = networks[0].record.classes, pd.read_csv(HOG_WEIGHTS)
    labels, linear = faces.labels(classes), weights[[*classes]].to_numpy()
    by_hog = (linear[0] + hog_responses(faces) @ linear[1:]).argmax(axis=1)
    commonest = np.full(len(faces), np.bincount(labels).argmax())
    answers = [*(predict(each.model, faces, device=run.device) for each in networks)]
    answers += [np.eye(len(classes))[by_hog], np.eye(len(classes))[commonest]]
    seeds = [each.record.seed for each in networks]
    table = pd.DataFrame({"condition": [OWN] * len(networks) + [HOG, MAJORITY], "seed": [*seeds, 0, 0]})
    return score_trainings(
        table, np.stack(answers), labels, independent_groups(faces), ["condition"], **draws
    )


def stored_metrics(run: FaceSession, stored: TrainingScores | None) -> dict[str, Estimate]:
    """Metrics of ``stored_scores``, each with the prefix ``stored_``; empty if nothing was scored."""
    if stored is None:
        return {}
    count = stored.table["condition"].eq(OWN).sum()
    curves = [member.curve() for member in run.members(EMOTION_NETWORKS)[:count]]
    found = {
        **comparisons(stored),
        "valid_rise": last_fifth(curves)["valid_rise"],
        "test_accuracy": of_condition(stored, OWN),
        "hog_accuracy": of_condition(stored, HOG),
        "majority_accuracy": of_condition(stored, MAJORITY),
        "networks": Estimate(count, unit="count"),
    }
    return {f"{STORED}{name}": value for name, value in found.items()}


def linear_weights(classifier: Pipeline) -> np.ndarray:
    """Bias and weights (1 + channels, classes) of a ``study.classifier_on_hog`` with its scaling folded in;
    three classes or more.
    """
    scale, linear = (step for _, step in classifier.steps)
    slopes = linear.coef_ / scale.scale_
    return np.vstack([linear.intercept_ - slopes @ scale.mean_, slopes.T])


def hog_weights() -> pd.DataFrame:
    """Fit the content of ``HOG_WEIGHTS`` again, to the pictures that trained the stored networks."""
    faces = open_faces(EMOTIONS_FACES).labelled()
    protocol = protocol_of(faces)
    classifier = classifier_on_hog(fold_faces(faces, protocol, 0), protocol.classes)
    return pd.DataFrame(linear_weights(classifier), columns=[*protocol.classes])


if __name__ == "__main__":
    write_atomically(HOG_WEIGHTS, hog_weights().to_csv(index=False, float_format="%.5g"))
