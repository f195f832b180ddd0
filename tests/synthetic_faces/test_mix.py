"""Faces between two domains: the same people and expressions, and one factor of the other domain at a
time.
"""

from dataclasses import fields, replace

import numpy as np
import pytest

from synthetic_faces import domains
from synthetic_faces.capture import Capture, Shot, draw_shot
from synthetic_faces.domains import DOMAINS, GAME, LAB, MICRO, WILD
from synthetic_faces.errors import SettingError
from synthetic_faces.expressions import EMOTIONS, Spread
from synthetic_faces.facs import AUS
from synthetic_faces.mix import (
    FACTORS,
    conditions,
    draw_intensities,
    draw_mixed_shot,
    mixed,
    render_conditions,
    shared_emotions,
)
from synthetic_faces.people import MIXED, STRANGERS, Looks, draw_person

KEPT = {"seed", "frame", "gloss"}
"""What of a shot no factor takes over."""

ALIKE = ("occlusion", "scenery", "tone")
"""Factors in which lab and micro do not differ."""


@pytest.fixture(scope="module")
def made(face_cache):
    """Two people between lab and micro, which share three emotions: pixels and intensities by condition."""
    pixels, intensities = render_conditions("lab", "micro", 2, 24, workers=2, cache=face_cache)
    names = [kind.name for kind in conditions("lab", "micro")]
    return {name: both for name, *both in zip(names, pixels, intensities, strict=True)}


@pytest.mark.parametrize(("part", "kind"), [("capture", Capture), ("looks", Looks), ("spread", Spread)])
def test_every_setting_belongs_to_one_factor(part, kind):
    taken = [name for factor in FACTORS.values() for name in getattr(factor, part)]
    assert sorted(taken) == sorted(field.name for field in fields(kind))


def test_every_value_of_a_shot_belongs_to_one_factor_or_to_none():
    taken = [name for factor in FACTORS.values() for name in factor.shot]
    assert sorted([*taken, *KEPT]) == sorted(field.name for field in fields(Shot))


# What draws further random numbers (scenery, occluders, captions) moves all that is drawn after it.
STILL = [
    s for s in ("pose", "light", "blur", "noise", "crop", "zoom", "tilt", "exposure", "contrast", "levels")
]


@pytest.mark.parametrize(
    "setting",
    [*STILL, "turned", "bowed", "hands", "enlargement", "quality", "wrinkles", "window", "centre", "follow"],
)
def test_what_a_setting_draws_is_in_its_factor(setting):
    changed = {
        "blur": (2.0, 3.0),
        "noise": (0.3, 0.4),
        "enlargement": (2.0, 3.0),
        "quality": (20.0, 30.0),
        "window": 0.1,
        "turned": 1.0,
        "bowed": {"neutral": 1.0},
        "hands": {"neutral": {"cheeks": 1.0}},
    }
    capture = replace(Capture(), **{setting: changed.get(setting, 0.47)})
    shots = [draw_shot(np.random.default_rng(3), s) for s in (Capture(), capture)]
    moved = {f.name for f in fields(Shot) if getattr(shots[0], f.name) != getattr(shots[1], f.name)}
    factor = next(factor for factor in FACTORS.values() if setting in factor.capture)
    # Heads that move come a little closer; that is framing's.
    assert moved - ({"zoom"} if setting == "pose" else set()) <= set(factor.shot)


def test_conditions_switch_none_one_all_but_one_and_all():
    kinds = conditions("lab", "wild")
    assert len(kinds) == 2 * len(FACTORS) + 2 == len({kind.name for kind in kinds})
    assert kinds[0].switched == () and set(kinds[-1].switched) == set(FACTORS)
    for kind in kinds:
        if kind.direction == "add":
            assert kind.switched == (kind.factor,) and kind.name == f"lab + {kind.factor}"
        if kind.direction == "remove":
            assert set(kind.switched) == set(FACTORS) - {kind.factor} and kind.name == f"wild − {kind.factor}"
    assert [kind.direction for kind in kinds].count("add") == [kind.direction for kind in kinds].count(
        "remove"
    )


@pytest.mark.parametrize("other", [WILD, GAME, MICRO])
def test_all_factors_together_are_the_other_domain(other):
    every = mixed(LAB, other, FACTORS)
    assert (every.capture, every.looks, every.spread) == (other.capture, other.looks, other.spread)
    assert mixed(LAB, other, ()) == LAB
    none, all_of = (draw_mixed_shot(LAB, other, switched, 0, 7, "fear") for switched in ((), FACTORS))
    rng = [np.random.default_rng((22, 0, 7, EMOTIONS.index("fear"))) for _ in range(2)]
    own, far = (
        draw_shot(own_rng, domain.capture, "fear") for own_rng, domain in zip(rng, (LAB, other), strict=True)
    )
    assert none == own
    assert all_of == replace(far, **{name: getattr(own, name) for name in KEPT})


def test_one_factor_changes_nothing_else():
    every = draw_mixed_shot(LAB, WILD, FACTORS, 0, 7, "fear")
    for name, factor in FACTORS.items():
        alone = mixed(LAB, WILD, (name,))
        for part in ("capture", "looks", "spread"):
            own, changed = getattr(LAB, part), getattr(alone, part)
            moved = {f.name for f in fields(own) if getattr(own, f.name) != getattr(changed, f.name)}
            assert moved <= set(getattr(factor, part))
        without = draw_mixed_shot(LAB, WILD, [other for other in FACTORS if other != name], 0, 7, "fear")
        assert {f.name for f in fields(Shot) if getattr(every, f.name) != getattr(without, f.name)} <= set(
            factor.shot
        )


def test_a_weaker_intensity_is_the_same_expression():
    strong, weak = (
        draw_intensities(replace(LAB, spread=replace(LAB.spread, intensity=(level, level))), 0, 3, "surprise")
        for level in (1.0, 0.5)
    )
    assert ((strong > 0) == (weak > 0)).all() and 0 < weak.sum() < strong.sum()


def test_the_people_are_in_no_other_faces():
    for domain in DOMAINS.values():
        own = range(domain.first_person + MIXED, domain.first_person + MIXED + 10_000)
        for other in DOMAINS.values():
            taken = range(other.first_person, other.first_person + STRANGERS + 1000)
            assert own.stop <= taken.start or taken.stop <= own.start


def test_a_factor_in_which_the_domains_agree_changes_no_bit(made):
    for name in FACTORS:
        for end, kind in (("lab", f"lab + {name}"), ("micro", f"micro − {name}")):
            assert (made[kind][0] == made[end][0]).all() == (name in ALIKE), kind


def test_action_units_change_with_intensity_and_manner_only(made):
    units = {name: intensities for name, (_, intensities) in made.items()}
    for name in FACTORS:
        changed = (units[f"lab + {name}"] != units["lab"]).any()
        assert changed == (name in ("intensity", "manner")), name
    assert units["lab + intensity"].sum() < 0.6 * units["lab"].sum()


def test_the_ends_are_what_the_domains_would_take(made, renderer):
    places = [
        (person, emotion) for person in (MIXED, MIXED + 1) for emotion in shared_emotions("lab", "micro")
    ]
    for end, domain, switched in (("lab", LAB, ()), ("micro", MICRO, FACTORS)):
        pixels, intensities = made[end]
        assert len(pixels) == len(places) == 6
        for row in (1, 5):
            person, emotion = places[row]
            shot = draw_mixed_shot(LAB, MICRO, switched, 0, person, emotion)
            shown = draw_intensities(domain, 0, person, emotion)
            someone = draw_person(renderer.assets, 0, person, domain.looks)
            picture = renderer.render(someone, shown, shot, domain.capture)
            np.testing.assert_array_equal(picture.pixels, pixels[row])
            np.testing.assert_array_equal(intensities[row], shown.max(axis=1))
    assert intensities.shape == (6, len(AUS))


def test_emotions_are_those_of_both():
    seven = tuple(emotion for emotion in EMOTIONS if emotion != "contempt")
    assert shared_emotions("lab", "wild") == shared_emotions("wild", "game") == seven
    assert shared_emotions("lab", "game") == EMOTIONS


@pytest.mark.parametrize(
    ("base", "other", "message"),
    [("lab", "lab", "both lab"), ("lab", "zoo", "no synthetic domain 'zoo'"), ("zoo", "lab", "domain 'zoo'")],
)
def test_what_cannot_be_made_is_refused(base, other, message):
    with pytest.raises(SettingError, match=message):
        shared_emotions(base, other)


def test_domains_with_one_emotion_in_common_are_refused(monkeypatch):
    monkeypatch.setitem(domains.DOMAINS, "micro", replace(MICRO, counts={"disgust": 9, "other": 9}))
    with pytest.raises(SettingError, match="lab and micro share 1 emotions"):
        shared_emotions("lab", "micro")
