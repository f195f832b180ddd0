"""A network that has seen the people of the clips is not asked about them."""

import numpy as np
import pandas as pd
import pytest
import torch

from book.micro_expressions import stranger
from book.micro_expressions.stranger import strangers_to
from book.training.chapter import TrainingParameters
from fer_lib.faces.faceset import FaceSet
from fer_lib.nets.build import build_network
from fer_lib.train.controls import untrained_network
from fer_lib.train.device import Precision
from fer_lib.train.lesson import Lesson, TrainedNetwork
from ferbook.errors import ParameterError

EMOTIONS = ("neutral", "anger", "fear")


def faces_of(dataset, size=16, people=10, pixels_from=0):
    rows = [(f"{dataset}-{who:02}", emotion) for who in range(people) for emotion in EMOTIONS]
    table = pd.DataFrame(rows, columns=["subject", "emotion"])
    table = table.assign(dataset="lab", sequence=table["subject"], frame=0, split="train")
    pixels = np.random.default_rng(pixels_from).integers(0, 256, (len(table), size, size), dtype=np.uint8)
    return FaceSet(dataset, pixels, table)


def lesson(fold=0, **changes):
    parameters = TrainingParameters(network="zhu", epochs=1, augment="none", dropout=0.0)
    precision = Precision("fp32", channels_last=False)
    return Lesson.of(parameters.model_copy(update=changes), EMOTIONS, fold, precision)


@pytest.fixture
def kept(monkeypatch):
    """The network of chapter ``training``, which learned from the set ``learned``."""
    monkeypatch.setattr(stranger, "open_faces", lambda *_, **__: faces_of("learned"))
    return build_network("zhu", 3, 16)


def asked_about(clips, kept, rendered=lambda name: faces_of("rendered", pixels_from=2)):
    learned = [TrainedNetwork(f"seed {k}", kept, lesson()) for k in range(2)]
    return strangers_to(clips, learned, rendered)


def test_the_kept_networks_are_asked_where_they_have_met_nobody(kept):
    found = asked_about(faces_of("clips", pixels_from=1), kept, lambda name: pytest.fail("rendered"))
    assert found.models == (kept, kept) and not kept.training
    assert "2 networks have learned from 24 pictures of learned" in found.introduction
    assert found.shared.nothing, "one tenth tested, one to select"


def test_an_untrained_network_stands_beside_each_of_them(kept, monkeypatch):
    monkeypatch.setattr(
        stranger, "clip_features", lambda model, _, dtype: model.output.weight.detach().clone()
    )
    first, second = asked_about(faces_of("clips", pixels_from=1), kept).untrained_features(None, 4)
    assert torch.equal(first, untrained_network(kept, 4).output.weight)
    assert torch.equal(second, untrained_network(kept, 5).output.weight) and not torch.equal(first, second)


def test_another_network_is_taught_where_the_kept_ones_have_met_the_people(kept):
    found = asked_about(faces_of("learned", pixels_from=1), kept)
    (other,) = found.models
    assert other is not kept and len(found.shared.subjects) == 10 and not other.training
    assert "learned from the people of these clips (10 of them)" in found.introduction
    assert "24 pictures of rendered" in found.introduction
    assert not (other.output.weight == kept.output.weight).all()


def test_copies_of_pictures_of_other_people_are_told_as_copies(kept):
    clips = faces_of("learned")
    found = asked_about(clips.assign(subject="other " + clips.table["subject"]), kept)
    assert "learned from pictures of these clips (30 copies)" in found.introduction


def test_pictures_that_were_learned_from_count_as_met_too(kept):
    """The same pictures under other names, as in an export."""
    found = asked_about(faces_of("renamed"), kept)
    assert found.models != (kept, kept) and found.shared.copies == 30 and not found.shared.subjects


def test_clips_of_another_size_are_refused_with_the_size_to_give(kept):
    with pytest.raises(ParameterError, match=r"size: the clips have 24 × 24.*-p size=16"):
        asked_about(faces_of("clips", size=24), kept)
