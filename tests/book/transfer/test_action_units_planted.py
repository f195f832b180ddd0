"""The control of units: features of networks whose last layer was taught the units themselves. Whether these
are found to tell more than histograms of gradients and than the first layer is what ``claims.yaml`` says of
``units_taught_features``.
"""

import numpy as np
import pytest

from book.populations import find_population
from book.transfer.action_units import layer_metrics, read_layers, read_units, unit_metrics, unseen_people
from book.transfer.chapter import CHAPTER
from fer_lib.aus.presence import presence
from fer_lib.faces.registry import open_faces
from fer_lib.faces.request import FaceRequest
from tests.book.au_verification.taught_detectors import with_detectors

STRANGERS, ASKED = 200, 120
"""People drawn anew, and how many of them the heads learn from and are tested on, as in the reference."""


@pytest.mark.slow
def test_claims_says_whether_features_that_were_taught_units_are_found_to_tell_them(planted_answers):
    p = CHAPTER.parameters(**CHAPTER.profiles["reference"])
    anew = open_faces(FaceRequest("lab", STRANGERS, p.size, face_seed=1)).labelled()
    subjects = anew.table["subject"].to_numpy(str)
    some = anew.select(np.isin(subjects, np.unique(subjects)[:ASKED]))
    asked = unseen_people(some.assign(split="test"))
    taught = open_faces(FaceRequest("lab", 0, p.size)).labelled()
    labels = presence(taught).scored().present
    members = find_population("published").kept()[: p.seeds]
    models = [with_detectors(member.network(), taught, labels)[0] for member in members]
    classes = tuple(members[0].done()["classes"])
    settings = {"draws": p.bootstrap, "seed": p.seed}
    reads = read_units(asked, models, classes, **settings)
    metrics = unit_metrics(reads) | layer_metrics(read_layers(reads, asked, models, classes, **settings))
    answers, finds = planted_answers("units_taught_features", transfer=metrics)
    assert (answers == {"yes"}) is finds
