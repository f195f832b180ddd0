"""Faces between two domains: the same people and expressions, and one factor of the other domain at a time."""

from dataclasses import fields, replace

import numpy as np
import pytest

from fer_lib.aus.interventions import STRANGERS
from fer_lib.faces.faceset import EMOTIONS, FaceSet
from ferbook.errors import FerError, ParameterError
from ferbook.imports import reached_files
from synthetic_faces import domains, facs, mix, shares
from synthetic_faces.domains import DOMAINS, GAME, LAB, MICRO, WILD
from synthetic_faces.expressions import Spread
from synthetic_faces.mix import (
    FACTORS,
    FIRST,
    conditions,
    draw_intensities,
    draw_mixed_shot,
    factor_faces,
    factor_table,
    mixed,
    render_factors,
    shared_emotions,
)
from synthetic_faces.people import Looks, draw_person
from synthetic_faces.produce import Recipe
from synthetic_faces.studio import Shot, Studio, draw_shot

RECIPE = Recipe("lab", subjects=3, size=16, seed=0)
KEPT = {"seed", "frame", "gloss", "lids"}
"""What of a shot no factor takes over."""

ALIKE = ("occlusion", "scenery", "tone")
"""Factors in which lab and micro do not differ."""


@pytest.fixture(scope="module")
def faces(cache):
    """Two people between lab and micro, which share three emotions."""
    return render_factors(RECIPE, "micro", people=2, workers=2)


def by_condition(faces):
    return {
        name: faces.select((faces.table["condition"] == name).to_numpy()) for name in faces.table["condition"]
    }


@pytest.mark.parametrize(("part", "kind"), [("studio", Studio), ("looks", Looks), ("spread", Spread)])
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
    "setting", [*STILL, "enlargement", "quality", "wrinkles", "window", "centre", "follow"]
)
def test_what_a_setting_draws_is_in_its_factor(setting):
    changed = {
        "blur": (2.0, 3.0),
        "noise": (0.3, 0.4),
        "enlargement": (2.0, 3.0),
        "quality": (20.0, 30.0),
        "window": 0.1,
    }
    studio = replace(Studio(), **{setting: changed.get(setting, 0.47)})
    shots = [draw_shot(np.random.default_rng(3), s) for s in (Studio(), studio)]
    moved = {f.name for f in fields(Shot) if getattr(shots[0], f.name) != getattr(shots[1], f.name)}
    factor = next(factor for factor in FACTORS.values() if setting in factor.studio)
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
    assert (every.studio, every.looks, every.spread) == (other.studio, other.looks, other.spread)
    assert mixed(LAB, other, ()) == LAB
    none, all_of = (draw_mixed_shot(LAB, other, switched, 0, 7, "fear") for switched in ((), FACTORS))
    rng = [np.random.default_rng((22, 0, 7, EMOTIONS.index("fear"))) for _ in range(2)]
    own, far = draw_shot(rng[0], LAB.studio), draw_shot(rng[1], other.studio)
    assert none == own
    assert all_of == replace(far, **{name: getattr(own, name) for name in KEPT})


def test_one_factor_changes_nothing_else():
    every = draw_mixed_shot(LAB, WILD, FACTORS, 0, 7, "fear")
    for name, factor in FACTORS.items():
        alone = mixed(LAB, WILD, (name,))
        for part in ("studio", "looks", "spread"):
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
        own = range(domain.first_person + FIRST, domain.first_person + FIRST + 10_000)
        for other in DOMAINS.values():
            taken = range(other.first_person, other.first_person + STRANGERS + 1000)
            assert own.stop <= taken.start or taken.stop <= own.start


def test_the_other_sets_do_not_depend_on_these_faces():
    reached = reached_files(["synthetic_faces.produce"], lambda file: "faces" in file.parts)
    names = {file.name for file in reached}
    assert "sequences.py" in names and not names & {"factors.py", "shares.py"}


def test_pictures_are_paired_over_the_conditions(faces):
    kinds = conditions("lab", "micro")
    assert len(faces) == len(kinds) * 2 * 3 and faces.size == (16, 16)
    table = faces.table
    assert list(table["condition"].drop_duplicates()) == [kind.name for kind in kinds]
    who = table[["subject", "emotion", "sequence"]].to_numpy().reshape(len(kinds), 6, 3)
    assert (who == who[0]).all()
    assert list(who[0, :, 1]) == ["disgust", "happiness", "surprise"] * 2
    assert list(who[0, ::3, 0]) == ["lab-S200001", "lab-S200002"]
    assert set(table["split"]) == {"test"} and set(table["factor"]) == {"", *FACTORS}


def test_a_factor_in_which_the_domains_agree_changes_no_bit(faces):
    parts = by_condition(faces)
    for name in FACTORS:
        for end, kind in (("lab", f"lab + {name}"), ("micro", f"micro − {name}")):
            same = (parts[kind].pixels == parts[end].pixels).all()
            assert same == (name in ALIKE), kind


def test_action_units_change_with_intensity_and_manner_only(faces):
    parts = by_condition(faces)
    units = {name: part.table[list(part.aus)].to_numpy() for name, part in parts.items()}
    for name in FACTORS:
        changed = (units[f"lab + {name}"] != units["lab"]).any()
        assert changed == (name in ("intensity", "manner")), name
    assert units["lab + intensity"].sum() < 0.6 * units["lab"].sum()


def test_the_ends_are_what_the_domains_would_take(faces, head):
    from synthetic_faces.render import Renderer

    renderer, number = Renderer(head, 16), FIRST
    parts = by_condition(faces)
    for end, domain, switched in (("lab", LAB, ()), ("micro", MICRO, FACTORS)):
        shot = draw_mixed_shot(LAB, MICRO, switched, 0, number, "happiness")
        shown = draw_intensities(domain, 0, number, "happiness")
        someone = draw_person(head, 0, number, domain.looks)
        picture = renderer.render(someone, shown, shot, domain.studio)
        np.testing.assert_array_equal(picture.pixels, parts[end].pixels[1])
        np.testing.assert_array_equal(parts[end].table[list(facs.AUS)].to_numpy()[1], shown.max(axis=1))


def test_one_worker_makes_the_same_bits(faces):
    assert render_factors(RECIPE, "micro", people=2, workers=1).checksum == faces.checksum


def test_faces_are_rendered_once(cache, monkeypatch):
    made = []

    def fake(recipe, other, people, workers):
        made.append((other, people))
        table = mix._table(recipe.domain, other, people)
        return FaceSet("between", np.zeros((len(table), 16, 16), np.uint8), table)

    monkeypatch.setattr(mix, "render_factors", fake)
    first, again = (factor_faces(2, size=16) for _ in range(2))
    assert first.checksum == again.checksum and made == [("wild", 2)]
    factor_faces(3, size=16)
    factor_faces(2, size=16, seed=1)
    factor_faces(2, size=16, other="game")
    assert len(made) == 4


def test_a_worker_that_fails_is_named(monkeypatch):
    monkeypatch.setattr(mix, "FACTORS", {})
    run = shares.run_shares
    monkeypatch.setattr(shares, "run_shares", lambda module, wanted, *rest: run(module, {}, *rest))
    with pytest.raises(FerError, match="renders faces between domains ended with status 1: KeyError"):
        render_factors(RECIPE, "micro", people=2, workers=1)


def test_emotions_are_those_of_both():
    seven = tuple(emotion for emotion in EMOTIONS if emotion != "contempt")
    assert shared_emotions("lab", "wild") == shared_emotions("wild", "game") == seven
    assert shared_emotions("lab", "game") == EMOTIONS


def test_the_table_says_in_what_the_domains_differ():
    table = factor_table("lab", "wild").set_index("setting")
    assert (table.loc["pose", "lab"], table.loc["pose", "wild"]) == ("0.2", "1.4")
    assert (table.loc["blur", "lab"], table.loc["blur", "wild"]) == ("0 to 0.3", "0 to 0.1")
    assert (table.loc["natural", "lab"], table.loc["natural", "wild"]) == ("no", "yes")
    assert "asymmetry" not in table.index and set(table["factor"]) == set(FACTORS)
    alike = factor_table("lab", "micro").query("setting == ''")
    assert tuple(alike["factor"]) == ALIKE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"people": 1}, "people 1: give a whole number"),
        ({"people": 2.0}, r"people 2\.0"),
        ({"size": 8}, "size is 8"),
        ({"other": "lab"}, "both lab"),
        ({"other": "studio"}, "no synthetic domain 'studio'"),
        ({"base": "studio"}, "no synthetic domain 'studio'"),
    ],
)
def test_what_cannot_be_made_is_refused(arguments, message):
    with pytest.raises(ParameterError, match=message):
        factor_faces(**arguments)


def test_domains_with_one_emotion_in_common_are_refused(monkeypatch):
    monkeypatch.setitem(
        domains.DOMAINS, "lone", replace(MICRO, name="lone", counts={"disgust": 9, "other": 9})
    )
    with pytest.raises(ParameterError, match="lab and lone share 1 emotions"):
        factor_faces(other="lone")
