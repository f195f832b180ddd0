from dataclasses import replace

import numpy as np
import pytest

from synthetic_faces.domains import LAB, domain_named
from synthetic_faces.errors import SettingError
from synthetic_faces.facs import AUS
from synthetic_faces.people import draw_person
from synthetic_faces.produce import Recipe, picture_rows
from synthetic_faces.rest import TRAITS, draw_rest


def test_traits_name_actions_of_the_head_and_one_that_a_head_lacks_is_left_out(head):
    names = head.action_names.tolist()
    ends = [end for trait in TRAITS for end in (trait.up, trait.down) if end]
    assert {end.replace("*", "Left") for end in ends} <= set(names)
    one = draw_rest(names, np.random.default_rng(3)).actions
    few = [name for name in names if not name.startswith("eyebrows")]
    other = draw_rest(few, np.random.default_rng(3)).actions
    np.testing.assert_array_equal(other, [one[names.index(name)] for name in few])


def test_people_hold_their_faces_by_the_spreads_of_the_traits(head):
    names = head.action_names.tolist()
    people = np.array([draw_rest(names, np.random.default_rng(k)).actions for k in range(2000)])
    left, right = (people[:, names.index(f"noseSneer{side}")] for side in ("Left", "Right"))
    (trait,) = (each for each in TRAITS if each.up == "noseSneer*")
    assert np.std((left + right) / 2) == pytest.approx(np.hypot(trait.person, trait.half / 2**0.5), rel=0.08)
    assert np.std(left - right) == pytest.approx(trait.half * 2**0.5, rel=0.08)
    up, down = (people[:, names.index(name)] for name in ("mouthSmileLeft", "mouthFrownLeft"))
    assert (np.minimum(up, down) == 0).all() and min(up.min(), down.min()) == 0 < min(up.max(), down.max())


def test_what_rests_belongs_to_the_person_and_not_to_what_moves(head):
    even, own = (draw_person(head, 0, 5, replace(LAB.looks, rest=rest)) for rest in (0.0, 1.0))
    moved = np.linalg.norm(own.vertices - even.vertices, axis=1)
    assert 0.001 < moved.max() < 0.02
    np.testing.assert_array_equal(own.muscles.units, even.muscles.units)
    assert own.skin == even.skin and own.texture == even.texture and own.droop >= even.droop


def test_version_3_is_made_where_it_is_named_with_the_people_and_units_of_version_2():
    third = domain_named("lab/3")
    assert (third.name, third.spread, third.capture) == ("lab", LAB.spread, LAB.capture)
    assert third.looks.rest > 0 == LAB.looks.rest
    recipe = Recipe("lab/3", 9, 24)
    assert recipe.key == Recipe("lab", 9, 24).key | {"faces": "lab/3"}
    assert Recipe("lab/2", 9, 24) == Recipe("lab", 9, 24) != recipe
    rows, before = picture_rows(recipe), picture_rows(Recipe("lab", 9, 24))
    assert rows.equals(before) and set(AUS) < set(rows)
    with pytest.raises(SettingError, match="heads/3 is not made here"):
        domain_named("heads/3")
