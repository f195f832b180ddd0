"""What a run of one's own finds of the first claim: kept networks of the reference, on people that the reader
makes, beside the network that is trained there.

These people are in none of the networks' splits, so all of them are asked. A linear classifier on histograms
of oriented gradients is asked beside, of the pictures that the networks learned from; it lies in
``HOG_WEIGHTS``, which ``python -m book.training.own_people`` makes.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from book.session import FaceSession
from book.training.chapter import EMOTION_NETWORKS, EMOTIONS_FACES
from book.training.study import HOG, OWN, classifier_on_hog, comparisons
from face_sets.faceset import FaceSet
from face_sets.folds import fold_faces, protocol_of
from face_sets.leakage import independent_groups
from face_sets.registry import open_faces
from fer_lib.stats.contrasts import TrainingScores, score_trainings
from fer_lib.train.callbacks import last_fifth
from fer_lib.train.controls import hog_responses
from fer_lib.train.predict import predict
from ferbook.estimate import Estimate
from ferbook.files import write_atomically

HOG_WEIGHTS = Path(__file__).with_name("hog_of_emotions.csv")
"""A column for each class: first the bias, then a weight for each channel of ``hog_responses``."""


def kept_scores(run: FaceSession, faces: FaceSet, **draws: int) -> TrainingScores | None:
    """Kept networks, called ``OWN``, as many as the parameters ask for, and ``HOG``, on all labelled pictures
    of ``faces``; None where they cannot be asked, or none is kept.
    """
    networks = (
        run.population(EMOTION_NETWORKS)[: run.params.kept_networks]
        if EMOTION_NETWORKS in run.params.populations
        else []
    )
    if run.params.population or not networks:
        return None
    run.note(network=networks[0].record.network)
    classes, weights = networks[0].record.classes, pd.read_csv(HOG_WEIGHTS)
    linear = weights[[*classes]].to_numpy()
    by_hog = np.eye(len(classes))[(linear[0] + hog_responses(faces) @ linear[1:]).argmax(axis=1)]
    answers = [*(predict(each.model, faces, device=run.device) for each in networks), by_hog]
    seeds = [each.record.seed for each in networks]
    table = pd.DataFrame({"condition": [OWN] * len(networks) + [HOG], "seed": [*seeds, 0]})
    labels, people = faces.labels(classes), independent_groups(faces)
    return score_trainings(table, np.stack(answers), labels, people, ["condition"], **draws)


def kept_metrics(
    run: FaceSession, kept: TrainingScores | None, own: dict[str, Estimate]
) -> dict[str, Estimate]:
    """What answers the first claim, of ``kept_scores``: ``ahead_of_hog`` in points, and ``networks``; and the
    ``valid_rise`` of these networks' trainings. Those of the page's ``own`` network begin with ``own_``.
    Empty where none was asked.
    """
    if kept is None:
        return {}
    count = kept.table["condition"].eq(OWN).sum()
    curves = [member.curve() for member in run.members(EMOTION_NETWORKS)[:count]]
    found = {
        "ahead_of_hog": comparisons(kept)["ahead_of_hog"],
        "valid_rise": last_fifth(curves)["valid_rise"],
    }
    owned = {f"own_{name}": own[name] for name in found}
    return found | owned | {"networks": Estimate(count, unit="count")}


def linear_weights(classifier: Pipeline) -> np.ndarray:
    """(1 + channels, classes): bias and weights of what ``study.classifier_on_hog`` fits, its scaling in
    them, of three classes or more.
    """
    scale, linear = (step for _, step in classifier.steps)
    slopes = linear.coef_ / scale.scale_
    return np.vstack([linear.intercept_ - slopes @ scale.mean_, slopes.T])


def hog_weights() -> pd.DataFrame:
    """What ``HOG_WEIGHTS`` holds, learned anew from the pictures of the kept networks."""
    faces = open_faces(EMOTIONS_FACES).labelled()
    protocol = protocol_of(faces)
    classifier = classifier_on_hog(fold_faces(faces, protocol, 0), protocol.classes)
    return pd.DataFrame(linear_weights(classifier), columns=[*protocol.classes])


if __name__ == "__main__":
    write_atomically(HOG_WEIGHTS, hog_weights().to_csv(index=False, float_format="%.5g"))
