"""What features add to the emotion: heads on features that are known to hold a unit, or nothing."""

import numpy as np
import pytest

from book.transfer import action_units as units
from book.transfer import figures
from book.transfer.action_units import (
    BY_EMOTION,
    BY_FEATURES,
    BY_HOG,
    BY_UNTRAINED,
    READS,
    UnitReads,
    with_emotion,
)
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.layers import example_picture, maps_of
from fer_lib.look.responses import maximal_responses
from fer_lib.nets.build import build_network

CLASSES = ("anger", "happiness")
PEOPLE = 60


@pytest.fixture
def faces(blank):
    """Two pictures of each of 60 people; AU4 comes with anger in three of four cases, AU12 as it likes."""
    generator = np.random.default_rng(4)
    emotions = [CLASSES[row % 2] for row in range(2 * PEOPLE)]
    with_anger = np.array([e == "anger" for e in emotions]) ^ (generator.random(2 * PEOPLE) < 0.25)
    who = [f"p{row // 2}" for row in range(2 * PEOPLE)]
    split = ["train", "train", "train", "valid", "test"]
    return blank(
        emotions,
        subject=who,
        split=[split[row // 2 % 5] for row in range(2 * PEOPLE)],
        AU4=with_anger.astype(float),
        AU12=(generator.random(2 * PEOPLE) < 0.5).astype(float),
    )


@pytest.fixture
def networks():
    return [type("Model", (), {"to": lambda self, _: self})() for _ in range(2)]


@pytest.fixture
def reads(faces, networks, monkeypatch):
    """Two networks: of the first the features hold both units, of the second and of all others noise."""
    generator = np.random.default_rng(0)
    shown = faces.table[["AU4", "AU12"]].to_numpy()
    given = [np.hstack([shown + 0.3 * generator.normal(size=shown.shape)] * 2)]
    given += [generator.normal(size=(len(faces), 4)) for _ in range(3)]
    monkeypatch.setattr(units, "features_of", lambda *_, dtype: given.pop(0))
    monkeypatch.setattr(units, "untrained_network", lambda model, seed: model)
    monkeypatch.setattr(units, "hog_responses", lambda _: generator.normal(size=(len(faces), 4)))
    return units.read_units(faces, networks, CLASSES, draws=200)


def test_everything_is_read_with_and_without_the_emotion(reads):
    expected = {BY_EMOTION, *(name for r in READS[1:] for name in (r, with_emotion(r)))}
    assert set(reads.reads) == expected and reads.aus == ("AU4", "AU12")
    assert {name: len(read) for name, read in reads.reads.items()} == {
        **dict.fromkeys((BY_EMOTION, BY_HOG, with_emotion(BY_HOG)), 1),
        **dict.fromkeys(
            (BY_FEATURES, BY_UNTRAINED, with_emotion(BY_FEATURES), with_emotion(BY_UNTRAINED)), 2
        ),
    }


def test_what_features_add_is_the_mean_of_units_and_networks_as_on_the_page(reads):
    of_units = {read: values[:, :, 0].mean() for read, values in reads.reads.items()}
    added = of_units[with_emotion(BY_FEATURES)] - of_units[BY_EMOTION]
    assert units.unit_metrics(reads)["au_features_over_emotion"].value == pytest.approx(added)


def test_only_features_that_hold_a_unit_add_to_the_emotion(reads):
    found = units.unit_metrics(reads)
    by_network = reads.macro(with_emotion(BY_FEATURES))[:, 0] - reads.macro(BY_EMOTION)[0, 0]
    assert by_network[0] > 0.15 > abs(by_network[1])
    added = found["au_features_over_emotion"]
    assert added.value == pytest.approx(by_network.mean()) and "and 2 networks" in added.how
    # Two networks that differ so much settle nothing.
    assert added.low < 0 < added.high
    assert abs(found["au_untrained_over_emotion"].value) < 0.1
    assert found["au_features_over_untrained"].value > 0.05
    assert found["au_scored"].value == 2 and found["au_networks"].value == 2


def test_one_network_says_that_its_luck_is_not_covered(reads):
    alone = {name: read[:1] for name, read in reads.reads.items()}
    one = UnitReads(alone, reads.aus, (), reads.test)
    added = units.auroc_gain(one, with_emotion(BY_FEATURES), BY_EMOTION)
    assert added.low > 0.05 and "one network, whose own luck is not covered" in added.how


def test_people_from_whom_nobody_learned_are_divided_anew(faces):
    unseen = units.unseen_people(faces)
    held_out = faces.table["split"].ne("train")
    assert set(unseen.table["subject"]) == set(faces.table.loc[held_out, "subject"])
    assert unseen.table.groupby("subject")["split"].nunique().eq(1).all()
    assert set(unseen.table["split"]) == {"train", "valid", "test"}
    few = unseen.select(np.arange(len(unseen)) < 12)
    assert units.can_be_asked(faces) and not units.can_be_asked(few), "too few people"


def test_the_figures_show_what_is_read_and_what_it_adds(reads):
    table = units.added_table(reads)
    assert len(table) == 7 + 3
    assert table.groupby("panel", sort=False).size().tolist() == [7, 3]
    drawn = figures.added_dots(table)
    assert "features + emotion" in drawn.alt and len(drawn.figure.axes) == 2
    assert "To a head that is told the emotion, trained features add 0." in drawn.caption


@pytest.mark.parametrize(
    ("network", "layers"),
    [
        ("zero_bias", ("relu1", "relu2", "relu3")),
        ("residual", ("stage1.0.relu2", "stage2.0.relu2", "stage3.0.relu2")),
    ],
)
def test_the_last_relu_of_each_size_stands_for_a_layer(faces, network, layers):
    pictures = np.random.default_rng(2).integers(0, 255, (len(faces), 32, 32), np.uint8)
    faces, model = FaceSet("noise", pictures, faces.table), build_network(network, 2, 32)
    assert units.layers_of(model) == layers
    found = units._by_layer(model, faces)
    maps = [maps_of(model, name, example_picture(model)).shape[1] for name in layers]
    assert [own.shape for own in found.values()] == [(len(faces), 9 * count) for count in maps]
    strongest = maximal_responses(model, faces, layers[0]).maxima
    assert np.allclose(found["layer 1"].reshape(len(faces), -1, 9).max(axis=2), strongest, atol=1e-5)


def test_a_layer_that_holds_a_unit_is_told_from_one_that_does_not(reads, faces, networks, monkeypatch):
    generator = np.random.default_rng(1)
    shown = faces.table[["AU4", "AU12"]].to_numpy()

    def by_layer(model, _, dtype):
        second = shown if model in networks else np.zeros_like(shown)
        noise = generator.normal(size=(2, *shown.shape))
        return {"layer 1": noise[0], "layer 2": 3 * second + noise[1]}

    monkeypatch.setattr(units, "_by_layer", by_layer)
    monkeypatch.setattr(units, "untrained_network", lambda model, seed: type(model)())
    found = units.read_layers(reads, faces, networks, CLASSES, draws=200)
    table = units.layer_table(found).set_index(["layer", "series"])
    assert list(table.index.get_level_values("layer")) == [
        *("layer 1", "layer 1", "layer 2", "layer 2", "features", "features")
    ]
    value = table["value"]
    assert value["layer 2", "trained"] > 0.15 > 0.1 > abs(value["layer 1", "trained"])
    assert abs(value["layer 2", "untrained"]) < 0.1
    assert (
        value["features", "trained"] == units.auroc_gain(reads, with_emotion(BY_FEATURES), BY_EMOTION).value
    )
    metrics = units.layer_metrics(found)
    assert set(metrics) == {
        *("au_last_over_first_layer", "au_layer_1_over_untrained", "au_layer_2_over_untrained")
    }
    assert metrics["au_layer_2_over_untrained"].low > 0.05
    gap = value["features", "trained"] - value["layer 1", "trained"]
    assert metrics["au_last_over_first_layer"].value == pytest.approx(gap)
    drawn = figures.layer_dots(table.reset_index())
    assert "layer 2" in drawn.alt and "Trained: layer 1" in drawn.caption
