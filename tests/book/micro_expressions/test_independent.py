"""Networks are evaluated on clips of people who were not in their training."""

import numpy as np
import pytest

from book.micro_expressions import independent
from book.micro_expressions.independent import independent_of
from fer_lib.nets.build import build_network
from fer_lib.train.controls import untrained_network
from fer_lib.train.predict import clip_features
from fer_lib.train.record import TrainedNetwork
from ferbook.errors import ParameterError
from tests.book.micro_expressions.made_clips import made_clips
from tests.fer_lib.train.toy_record import faces_of, record


@pytest.fixture
def kept(monkeypatch):
    """The network of chapter ``training``, which learned from the set ``learned``."""
    monkeypatch.setattr(independent, "open_faces", lambda *_, **__: faces_of("learned"))
    return build_network("zhu", 3, 16)


def asked_about(clips, kept, rendered=lambda name: faces_of("rendered", pixels_from=2)):
    learned = [TrainedNetwork(f"seed {k}", kept, record()) for k in range(2)]
    return independent_of(clips, learned, rendered)


def test_the_kept_networks_are_asked_where_they_have_met_nobody(kept):
    found = asked_about(faces_of("clips", pixels_from=1), kept, lambda name: pytest.fail("rendered"))
    assert found.models == (kept, kept) and not kept.training
    assert "24 pictures of learned" in found.introduction
    assert found.shared.nothing, "one tenth tested, one to select"


def test_untrained_features_are_those_of_an_untrained_network_per_trained_one(kept):
    clips = made_clips([np.random.default_rng(0).integers(0, 256, (2, 16, 16), np.uint8)])
    found = asked_about(faces_of("clips", pixels_from=1), kept)
    first, second = found.untrained_features(clips, 4)
    for seed, found in ((4, first), (5, second)):
        np.testing.assert_allclose(found, clip_features(untrained_network(kept, seed), clips), rtol=1e-4)
    assert np.abs(first - second).max() > 0.01


def test_another_network_is_taught_where_the_kept_ones_have_met_the_people(kept):
    found = asked_about(faces_of("learned", pixels_from=1), kept)
    (other,) = found.models
    assert other is not kept and len(found.shared.subjects) == 10 and not other.training
    assert "the people of these clips (10 of them)" in found.introduction
    assert "24 pictures of rendered" in found.introduction
    assert not (other.output.weight == kept.output.weight).all()


def test_copies_of_pictures_of_other_people_are_told_as_copies(kept):
    clips = faces_of("learned")
    found = asked_about(clips.assign(subject="other " + clips.table["subject"]), kept)
    assert "pictures of these clips (30 copies)" in found.introduction


def test_pictures_that_were_learned_from_count_as_met_too(kept):
    """The same pictures under other names, as in an export."""
    found = asked_about(faces_of("renamed"), kept)
    assert found.models != (kept, kept) and found.shared.copies == 30 and not found.shared.subjects


def test_clips_of_another_size_are_refused_with_the_size_to_give(kept):
    with pytest.raises(ParameterError, match=r"size: the clips have 24 × 24.*-p size=16"):
        asked_about(faces_of("clips", size=24), kept)
