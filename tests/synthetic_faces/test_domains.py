import numpy as np
import pytest

from fer_lib.faces.faceset import EMOTIONS, LABELS
from synthetic_faces.domains import DOMAINS, domain_named, sequence_counts
from synthetic_faces.errors import SettingError
from synthetic_faces.expressions import VARIANTS

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
