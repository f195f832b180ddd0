"""What features add to the emotion: probes on features that are known to hold a unit, or nothing."""

from dataclasses import replace

import numpy as np
import pytest

from book.transfer import action_units as units
from book.transfer import figures
from book.transfer.action_units import BY_EMOTION, BY_FEATURES, BY_HOG, BY_UNITS, BY_UNTRAINED, with_emotion

CLASSES = ("anger", "happiness")
PEOPLE = 60


@pytest.fixture(scope="module")
def faces(blank):
    """Two pictures of each of 60 people; AU4 comes with anger in three of four cases, AU12 at random."""
    generator = np.random.default_rng(4)
    emotions = [CLASSES[row % 2] for row in range(2 * PEOPLE)]
    with_anger = np.array([e == "anger" for e in emotions]) ^ (generator.random(2 * PEOPLE) < 0.25)
    people = range(2 * PEOPLE)
    split = ["train", "train", "train", "valid", "test"]
    units = {"AU4": with_anger.astype(float), "AU12": (generator.random(2 * PEOPLE) < 0.5).astype(float)}
    who = {"subject": [f"p{k // 2}" for k in people], "split": [split[k // 2 % 5] for k in people]}
    return blank(emotions, **who, **units)


@pytest.fixture(scope="module")
def reads(faces):
    """Two networks: of the first the features hold both units, of the second and of all others noise."""
    networks = [type("Model", (), {"to": lambda self, _: self})() for _ in range(2)]
    generator = np.random.default_rng(0)
    shown = faces.table[["AU4", "AU12"]].to_numpy()
    given = [np.hstack([shown + 0.3 * generator.normal(size=shown.shape)] * 2)]
    given += [generator.normal(size=(len(faces), 4)) for _ in range(3)]
    given += [np.hstack([shown + 0.1 * generator.normal(size=shown.shape)] * 2) for _ in range(2)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(units, "features_of", lambda *_: given.pop(0))
        patch.setattr(units, "untrained_network", lambda model, seed: model)
        patch.setattr(units, "hog_responses", lambda _: generator.normal(size=(len(faces), 4)))
        return units.read_units(faces, networks, CLASSES, networks, draws=200)


def test_everything_is_read_with_and_without_the_emotion(reads):
    expected = {BY_EMOTION, *(name for r in units.READS[1:] for name in (r, with_emotion(r)))}
    assert set(reads.reads) == expected and reads.aus == ("AU4", "AU12")
    counts = {name: len(read) for name, read in reads.reads.items()}
    several = [name for r in (BY_FEATURES, BY_UNTRAINED, BY_UNITS) for name in (r, with_emotion(r))]
    once = (BY_EMOTION, BY_HOG, with_emotion(BY_HOG))
    assert counts == dict.fromkeys(once, 1) | dict.fromkeys(several, 2)


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


def test_the_degree_lies_between_hog_and_features_trained_on_the_units(reads):
    found = units.unit_metrics(reads)
    means = {name: reads.macro(with_emotion(name))[:, 0].mean() for name in (BY_HOG, BY_FEATURES, BY_UNITS)}
    degree = (means[BY_FEATURES] - means[BY_HOG]) / (means[BY_UNITS] - means[BY_HOG])
    assert found["au_auroc_degree"].value == pytest.approx(degree) and 0.2 < degree < 0.8
    assert found["au_auroc_room"].value == pytest.approx(means[BY_UNITS] - means[BY_HOG])
    assert found["au_auroc"].value == pytest.approx(means[BY_FEATURES])
    assert found["au_networks_of_each_role"].value == 2
    without = {name: own for name, own in reads.reads.items() if BY_UNITS not in name}
    assert "au_auroc_degree" not in units.unit_metrics(replace(reads, reads=without))


def test_a_ceiling_below_its_floor_is_refused_by_name(reads):
    floor, ceiling = with_emotion(BY_HOG), with_emotion(BY_UNITS)
    turned = {ceiling: reads.reads[floor].repeat(2, axis=0), floor: reads.reads[ceiling][:1]}
    found = units.unit_metrics(replace(reads, reads=reads.reads | turned))
    assert ceiling in found["au_auroc_degree"].why and "au_auroc_room" not in found


def test_one_network_says_that_seed_variance_is_not_covered(reads):
    alone = {name: read[:1] for name, read in reads.reads.items()}
    one = units.UnitReads(alone, reads.without, reads.aus, (), reads.test)
    added = units.auroc_gain(one, with_emotion(BY_FEATURES), BY_EMOTION)
    assert added.low > 0.05 and "one network: seed variance is not covered" in added.how


def test_held_out_people_are_split_again(faces):
    unseen = units.unseen_people(faces)
    held_out = faces.table["split"].ne("train")
    assert set(unseen.table["subject"]) == set(faces.table.loc[held_out, "subject"])
    assert unseen.table.groupby("subject")["split"].nunique().eq(1).all()
    assert set(unseen.table["split"]) == {"train", "valid", "test"}
    few = unseen.select(np.arange(len(unseen)) < 12)
    assert units.enough_for_probes(faces) and not units.enough_for_probes(few), "too few people"


def test_the_figures_show_what_is_read_and_what_it_adds(reads):
    table = units.added_table(reads)
    assert table.groupby("panel", sort=False).size().tolist() == [9, 4]
    drawn = figures.added_dots(reads)
    assert f"pictures: {len(reads.test)}, of {len(set(reads.test.subjects))} people." in drawn.caption
    assert "features + emotion" in drawn.alt and len(drawn.figure.axes) == 2
    gain = units.auroc_gain(reads, with_emotion(BY_HOG), BY_EMOTION)
    for own in (units.mean_auroc(reads, BY_EMOTION), gain):
        assert f"{own.value:.3f}".replace("-", "−") in drawn.caption
