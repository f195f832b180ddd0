"""A network that has seen the people of the clips is not asked about them."""

import numpy as np
import pandas as pd
import pytest

from book.micro_expressions import stranger
from book.micro_expressions.stranger import stranger_to
from book.training.chapter import TrainingParameters
from fer_lib.faces.faceset import FaceSet
from fer_lib.nets.build import build_network
from fer_lib.train.lesson import Lesson
from fer_lib.train.precision import Precision
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
    monkeypatch.setattr(stranger, "open_faces", lambda **_: faces_of("learned"))
    return build_network("zhu", 3, 16)


def asked_about(clips, kept):
    return stranger_to(clips, lesson(), kept, lambda name: faces_of("rendered", pixels_from=2))


def test_the_kept_network_is_asked_where_it_has_met_nobody(kept):
    found = stranger_to(
        faces_of("clips", pixels_from=1), lesson(), kept, lambda name: pytest.fail("rendered")
    )
    assert found.kept and found.model is kept and not found.model.training
    assert found.learned_from == "learned" and found.pictures == 8 * 3, "one tenth tested, one to select"
    assert found.shared.nothing and "shares nobody" in found.introduction


def test_another_network_is_taught_where_the_kept_one_has_met_the_people(kept):
    found = asked_about(faces_of("learned", pixels_from=1), kept)
    assert not found.kept and found.model is not kept
    assert found.learned_from == "rendered" and len(found.shared.subjects) == 10
    assert "learned from the people of these clips (10 of them)" in found.introduction
    assert "24 pictures of rendered" in found.introduction and not found.model.training
    assert not (found.model.output.weight == kept.output.weight).all()


def test_pictures_that_were_learned_from_count_as_met_too(kept):
    """The same pictures under other names, as in an export."""
    found = asked_about(faces_of("renamed"), kept)
    assert not found.kept and found.shared.copies == 30 and not found.shared.subjects


def test_clips_of_another_size_are_refused_with_the_size_to_give(kept):
    with pytest.raises(ParameterError, match=r"size: the clips have 24 × 24.*-p size=16"):
        asked_about(faces_of("clips", size=24), kept)
