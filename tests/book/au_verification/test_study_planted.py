"""The control of filters: networks whose last layer was taught the units themselves, judged as those of the
reference. Whether its filters are found to answer to them is what ``claims.yaml`` says of ``units_taught``
and of what begins so.
"""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from book.au_verification.chapter import CHAPTER
from book.au_verification.examine import examine
from book.au_verification.readings import MIXTURES, TRAINED, UNTRAINED
from book.au_verification.study import population_metrics, questions_of
from book.populations import find_population
from fer_lib.aus.presence import presence
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.registry import open_faces
from fer_lib.faces.request import FaceRequest
from fer_lib.look.handmade import rotated_channels
from fer_lib.nets.classifier import Classifier
from fer_lib.train.controls import untrained_network
from fer_lib.train.features import collected

NETWORKS, TAUGHT, PARTS = 6, 160, 3
"""Networks, where the reference has ten; people from whom they learn the units; and the parts of the picture,
by side, that a detector tells apart.
"""

STRENGTH = 100.0
"""Of the penalty on a detector's weights, whose inputs have a variance of 1."""


ABOVE_ZERO = 3.0
"""Standard deviations of its score by which a detector's mean response lies above the zero of its ReLU."""


def with_detectors(trunk: Classifier, taught: FaceSet, labels: np.ndarray) -> tuple[Classifier, str]:
    """A copy of ``trunk`` with a filter for each column of ``labels`` (N, A) behind its third layer, by ridge
    regression on what that layer gives of the pictures ``taught``; and the name of the layer of filters.
    """
    parts = nn.AdaptiveAvgPool2d(PARTS)
    maps = collected(trunk, taught, {"maps": (trunk.relu3, lambda _, made: parts(made).flatten(1))})["maps"]
    mean, spread = maps.mean(axis=0), maps.std(axis=0) + 1e-6
    features, targets = (maps - mean) / spread, labels - labels.mean(axis=0)
    gram = features @ features.T + STRENGTH * np.eye(len(features))
    weights = features.T @ np.linalg.solve(gram, targets)
    weights /= (features @ weights).std(axis=0)
    model, filters = copy.deepcopy(trunk), nn.Conv2d(maps.shape[1] // PARTS**2, labels.shape[1], PARTS)
    with torch.no_grad():
        filters.weight.copy_(torch.from_numpy((weights / spread[:, None]).T).view_as(filters.weight))
        filters.bias.copy_(torch.from_numpy(ABOVE_ZERO - (mean / spread) @ weights))
    model.pool3 = nn.Sequential(parts, filters, nn.ReLU())
    model.dense, model.output = nn.Identity(), nn.Linear(labels.shape[1], model.output.out_features)
    return model.eval(), "pool3.2"


@pytest.mark.slow
def test_claims_says_whether_networks_that_were_taught_units_are_found_to_answer_to_them(planted_answers):
    torch.set_num_threads(1)
    p = CHAPTER.parameters(**CHAPTER.profiles["reference"])
    asked = questions_of(p, open_faces(FaceRequest("lab", p.strangers, p.size, face_seed=1)))
    taught = open_faces(FaceRequest("lab", TAUGHT, p.size))
    labels = presence(taught, p.present_from).only(asked.aus).present
    examined = []
    for member in find_population(p.population).kept()[:NETWORKS]:
        learned, seed = member.network(), member.seed
        model, layer = with_detectors(learned, taught, labels)
        mixed, at = rotated_channels(model, layer, labels.shape[1], seed)
        blank, chance = untrained_network(learned, seed), np.random.default_rng(seed)
        blank, _ = with_detectors(blank, taught, chance.permutation(labels))
        for group, network, of in ((TRAINED, model, layer), (MIXTURES, mixed, at), (UNTRAINED, blank, layer)):
            measures = ("auroc", "kl")
            examined.append(examine(network, of, asked, about=(group, "planted", seed), measures=measures)[0])
    found = population_metrics(examined)
    # Of networks of photographs and of Breuer's the same code asks for this one.
    found |= {
        f"{name}_kappa_over_untrained": found["kappa_over_untrained"] for name in ("photographs", "breuer")
    }
    controls = ("units_taught", "units_taught_at_all", "units_taught_singly", "units_taught_named")
    outcomes = [planted_answers(name, au_verification=found) for name in controls]
    assert [answers == {"yes"} for answers, _ in outcomes] == [finds for _, finds in outcomes]
