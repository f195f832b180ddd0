"""The control of filters: networks whose last layer was taught the units themselves, judged as those of the
reference. Whether its filters are found to answer to them is what ``claims.yaml`` says of ``units_taught``
and of what begins so.
"""

import numpy as np
import pytest
import torch

from book.au_verification.chapter import CHAPTER
from book.au_verification.examine import examine
from book.au_verification.readings import MIXTURES, TRAINED, UNTRAINED
from book.au_verification.study import population_metrics, questions_of
from book.populations import find_population
from fer_lib.aus.presence import presence
from fer_lib.faces.registry import open_faces
from fer_lib.faces.request import FaceRequest
from fer_lib.look.handmade import rotated_channels
from fer_lib.train.controls import untrained_network
from tests.book.au_verification.taught_detectors import with_detectors

NETWORKS, TAUGHT = 6, 160
"""Networks, where the reference has ten; and people from whom they learn the units."""


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
    # Of networks of photographs and of Breuer's the same code asks for this one; what was not taught here has
    # shuffled labels, too.
    others = (
        "photographs_kappa_over_untrained",
        "photographs_kappa_over_shuffled",
        "breuer_kappa_over_untrained",
    )
    found |= dict.fromkeys(others, found["kappa_over_untrained"])
    controls = ("units_taught", "units_taught_at_all", "units_taught_singly", "units_taught_named")
    outcomes = [planted_answers(name, au_verification=found) for name in controls]
    assert [answers == {"yes"} for answers, _ in outcomes] == [finds for _, finds in outcomes]
