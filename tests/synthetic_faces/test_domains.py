import numpy as np
import pytest

from face_sets.faceset import EMOTIONS, LABELS
from synthetic_faces.assets import SKIN
from synthetic_faces.domains import DOMAINS, FAMILIES, domain_named, sequence_counts, with_options
from synthetic_faces.errors import SettingError
from synthetic_faces.expressions import VARIANTS
from synthetic_faces.facs import AUS
from synthetic_faces.people import draw_person
from synthetic_faces.produce import Recipe, picture_rows

# Lucey et al. 2010, table of the 327 sequences; Yan et al. 2014, the five classes of CASME II.
CKPLUS = {
    "anger": 45,
    "contempt": 18,
    "disgust": 59,
    "fear": 25,
    "happiness": 69,
    "sadness": 28,
    "surprise": 83,
}
CASME2 = {"happiness": 32, "disgust": 63, "repression": 27, "surprise": 25, "other": 99}


def test_the_counts_of_the_sets_they_stand_in_for():
    assert sequence_counts(DOMAINS["lab"], 118) == CKPLUS and sum(CKPLUS.values()) == 327
    assert sequence_counts(DOMAINS["micro"], 26) == CASME2 and sum(CASME2.values()) == 246
    assert sum(sequence_counts(DOMAINS["wild"], 2000).values()) == 8000
    assert sequence_counts(DOMAINS["game"], 40) == dict.fromkeys(EMOTIONS, 400)


def test_the_class_shares_of_wild_are_those_of_fer2013():
    # layouts.md, section 13, training and test together.
    fer2013 = {
        "anger": 4953,
        "disgust": 547,
        "fear": 5121,
        "happiness": 8989,
        "neutral": 6198,
        "sadness": 6077,
        "surprise": 4002,
    }
    counts = DOMAINS["wild"].counts
    assert set(counts) == set(fer2013)
    for emotion, count in fer2013.items():
        assert counts[emotion] == pytest.approx(8000 * count / 35887, abs=0.6)


@pytest.mark.parametrize("name", DOMAINS)
def test_counts_go_with_the_people(name):
    domain = DOMAINS[name]
    twice = sequence_counts(domain, 2 * domain.subjects)
    assert twice == {emotion: 2 * count for emotion, count in domain.counts.items()}
    for subjects in (3, 9, 10, 17, 50):
        counts = sequence_counts(domain, subjects)
        for emotion, count in counts.items():
            exact = domain.counts[emotion] * subjects / domain.subjects
            assert count >= min(5, subjects)
            assert count == min(5, subjects) or abs(count - exact) <= 0.5
        assert sum(counts.values()) >= subjects


def test_the_domains_share_nobody_and_show_what_can_be_shown():
    firsts = sorted(domain.first_person for domain in DOMAINS.values())
    assert np.diff(firsts).min() >= 100_000
    for name, domain in DOMAINS.items():
        assert domain.name == name == domain_named(name).name
        assert set(domain.emotions) <= set(LABELS) & set(VARIANTS)
        assert domain.size % 8 == 0


def test_an_unknown_domain_is_refused_by_name():
    with pytest.raises(SettingError, match=r"'zoo'.*lab, wild, game, micro"):
        domain_named("zoo")


def test_families_are_people_of_their_own_whose_shapes_and_muscles_lie_apart(head):
    def people(family):
        domain = with_options(DOMAINS["lab"], family=family)
        return [draw_person(head, 0, domain.first_person + k, domain.looks) for k in range(6)]

    def width(person):
        front = head.in_group(SKIN) & (head.template[:, 1] < -0.05)
        shape = np.ptp(person.vertices[front & (np.abs(head.template[:, 2] - 0.66) < 0.005)][:, 0])
        return shape / np.ptp(person.vertices[front & (np.abs(head.template[:, 0]) < 0.005)][:, 2])

    families = {family: people(family) for family in FAMILIES}
    assert len({person.texture for members in families.values() for person in members}) == 24
    wide = {family: [width(person) for person in members] for family, members in families.items()}
    smile = head.action_names.tolist().index("mouthSmileLeft")
    for family, members in families.items():
        narrow, faceunits = family.startswith("narrow"), family.endswith("faceunits")
        others = [w for other in wide for w in wide[other] if other.startswith("narrow") != narrow]
        assert max(wide[family]) < min(others) if narrow else min(wide[family]) > max(others)
        assert all((p.muscles.units[AUS.index("AU12"), 0, smile] > 0) == faceunits for p in members)


def test_a_family_that_there_is_not_is_refused_by_name_and_everybody_is_none():
    assert with_options(DOMAINS["wild"]) is DOMAINS["wild"]
    with pytest.raises(SettingError, match="family is 'broad'; it must be one of narrow-faceunits, narrow-m"):
        Recipe.of("wild", family="broad")
    with pytest.raises(SettingError, match="but heads has the heads of scans; leave it out"):
        Recipe.of("heads", family="broad-makehuman")
    recipe = Recipe.of("lab", 9, 24, family="broad-makehuman")
    assert recipe.key["family"] == "broad-makehuman"
    rows, everybody = picture_rows(recipe), picture_rows(Recipe.of("lab", 9, 24))
    assert set(rows["emotion"]) == set(everybody["emotion"])
    assert not set(rows["subject"]) & set(everybody["subject"])
