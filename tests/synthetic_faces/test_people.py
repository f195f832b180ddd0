import dataclasses
from itertools import compress

import numpy as np
import pytest

from synthetic_faces import people as people_module
from synthetic_faces.assets import TEETH, vertex_normals
from synthetic_faces.errors import SettingError
from synthetic_faces.hair import (
    STYLES,
    beard_field,
    fall,
    grid_coordinates,
    grid_triangles,
    moustache_field,
    scalp_field,
    stand_off,
)
from synthetic_faces.people import Looks, Stream, draw_person, measure_head

PAINT = (
    *("skin", "lips", "freckles", "bags", "creases", "folds", "eye_shadow"),
    *("hair", "hair_density", "stubble", "beard", "moustache", "brow", "iris", "lash", "droop", "clothes"),
)


@pytest.fixture(scope="module")
def people(head):
    return [draw_person(head, seed=0, subject=subject) for subject in range(40)]


def test_a_person_follows_from_seed_and_number(head, people):
    again = draw_person(head, seed=0, subject=7)
    np.testing.assert_array_equal(again.vertices, people[7].vertices)
    assert (again.skin, again.texture) == (people[7].skin, people[7].texture)
    assert draw_person(head, seed=1, subject=7).texture != people[7].texture


def test_all_have_possible_looks(people):
    for person in people:
        assert all(0 <= getattr(person, name) <= 1 for name in PAINT)
        assert np.isfinite(person.vertices).all()


def test_people_differ(people):
    assert np.std([p.skin for p in people]) > 0.05
    heads = np.stack([p.vertices - p.vertices.mean(axis=0) for p in people])
    distance = np.sqrt(((heads[:, None] - heads[None]) ** 2).sum(-1).mean(-1))
    assert distance[np.triu_indices(len(people), 1)].min() > 0.002


def test_hair_grows_on_the_crown_and_not_on_the_face(head):
    field = scalp_field(head.template, hairline=0.0)
    top, chin_and_nose = np.argmax(head.template[:, 2]), head.template[:, 1] < -0.11
    assert field[top] > 0.03
    assert (field[chin_and_nose & (head.template[:, 2] < 0.77)] < 0).all()
    assert (scalp_field(head.template, hairline=0.01) <= field).all()


def test_shares_of_looks_are_those_that_were_asked_for(head):
    looks = Looks(
        beard=0.5, moustache=0.3, stubble=0.4, long_hair=0.6, makeup=0.5, glasses=0.3, dark_glasses=0.5
    )
    people = [draw_person(head, 1, k, looks) for k in range(300)]
    # The first draw of a person says which.
    male = [np.random.default_rng((Stream.PERSON, 1, k)).beta(0.5, 0.5) < 0.5 for k in range(300)]
    men = list(compress(people, male))
    women = list(compress(people, np.logical_not(male)))

    def share(whom, what):
        return np.mean([bool(what(p)) for p in whom])

    # Three standard errors of a share of 150 are about .12.
    assert share(men, lambda p: p.beard > 0) == pytest.approx(0.5, abs=0.12)
    assert share(men, lambda p: p.moustache > 0) == pytest.approx(0.5 + 0.5 * 0.3, abs=0.12)
    assert share(men, lambda p: p.stubble > 0) == pytest.approx(0.4, abs=0.12)
    assert share(women, lambda p: p.long_hair is not None) == pytest.approx(0.6, abs=0.12)
    assert share(men, lambda p: p.long_hair is not None) == pytest.approx(0.1, abs=0.08)
    assert share(women, lambda p: p.eye_shadow > 0) == pytest.approx(0.5, abs=0.12)
    assert share(people, lambda p: p.glasses is not None) == pytest.approx(0.3, abs=0.08)
    with_glasses = [p.glasses for p in people if p.glasses is not None]
    assert share(with_glasses, lambda g: g.tint > 0.5) == pytest.approx(0.5, abs=0.16)
    assert not any(p.beard or p.moustache or p.stubble for p in women)


def test_without_the_extras_nobody_has_them(head):
    looks = Looks(beard=0, moustache=0, stubble=0, long_hair=0, bangs=0, makeup=0, lines=0)
    for person in (draw_person(head, 1, k, looks) for k in range(30)):
        assert (person.beard, person.moustache, person.stubble, person.eye_shadow) == (0, 0, 0, 0)
        assert (person.creases, person.bags, person.folds) == (0, 0, 0)
        assert person.long_hair is None and person.glasses is None


def test_children_have_neither_beards_nor_lines_nor_make_up_and_the_others_stay_who_they_are(head):
    looks = Looks(beard=1, moustache=1, stubble=1, makeup=1, folds=1)
    everybody = [draw_person(head, 1, k, looks) for k in range(30)]
    some = [draw_person(head, 1, k, dataclasses.replace(looks, children=0.5)) for k in range(30)]
    children = [new for old, new in zip(everybody, some, strict=True) if (old.vertices != new.vertices).any()]
    assert 8 <= len(children) <= 22
    for child in children:
        assert (child.beard, child.moustache, child.stubble, child.eye_shadow) == (0, 0, 0, 0)
        assert (child.creases, child.bags, child.folds) == (0, 0, 0)


def test_features_and_age_are_as_wide_as_the_looks_say(head):
    def spread(features):
        looks = Looks(features=features, age=(0.8, 0.8))
        people = [draw_person(head, 2, k, looks) for k in range(12)]
        return np.stack([p.vertices for p in people]).std(axis=0).mean()

    assert spread(0.4) > spread(0.1)


@pytest.mark.parametrize(
    ("field", "value"), [("age", (0.9, 0.8)), ("texture", -1), ("beard", 1.1), ("children", 1.5)]
)
def test_looks_out_of_range_are_refused_by_name(field, value):
    with pytest.raises(SettingError, match=field):
        Looks(**{field: value})


def test_beards_grow_on_the_jaw_and_moustaches_under_the_nose(head):
    x, y, z = head.template.T
    beard, lip = beard_field(head.template), moustache_field(head.template)
    chin = np.argmin(np.hypot(np.hypot(x, z - 0.635), y + 0.145))
    philtrum = np.argmin(np.hypot(np.hypot(x, z - 0.674), y + 0.158))
    assert beard[chin] > 0.01 and lip[chin] < 0
    assert lip[philtrum] > 0.002 and beard[philtrum] < 0
    above_the_nose = (z > 0.71) & (np.abs(x) < 0.05)
    assert (beard[above_the_nose] < 0).all() and (lip[above_the_nose] < 0).all()
    mirrored = head.template * (-1, 1, 1)
    np.testing.assert_allclose(beard_field(mirrored), beard, atol=1e-6)
    np.testing.assert_allclose(moustache_field(mirrored), lip, atol=1e-6)


def test_hair_stands_off_where_it_grows_and_as_its_style_says(head):
    inside = scalp_field(head.template, 0.0)
    off = {
        name: np.linalg.norm(stand_off(head.template, inside, style, np.random.default_rng(0)), axis=1)
        for name, style in STYLES.items()
    }
    for length in off.values():
        assert (length[inside < 0] == 0).all()
        # No helmet: near its line hair lies flat.
        assert length[(inside > 0) & (inside < 0.002)].max() < 0.003
    middle = inside > 0.03
    assert np.median(off["cropped"][middle]) < 0.006 < 0.02 < np.median(off["afro"][middle])


def test_a_fringe_may_slant(head):
    x, y, z = head.template.T
    level, slanted = (scalp_field(head.template, -0.02, slant) for slant in (0.0, 0.3))
    left, right = ((y < -0.1) & (np.abs(z - 0.78) < 0.01) & (np.abs(x - at) < 0.01) for at in (0.03, -0.03))
    assert (slanted[left] < level[left]).all()
    assert (slanted[right] > level[right]).all()


def test_the_covered_wear_cloth_and_scarves_have_smooth_edges(head):
    people = [draw_person(head, 3, k, Looks(covered=1.0)) for k in range(30)]
    wearing = [person for person in people if person.cloth == 1]
    assert len(wearing) > 20
    scarves = [person.long_hair for person in wearing if person.long_hair]
    assert 0 < len(scarves) < len(wearing)
    assert {scarf.loose for scarf in scarves} == {0.0}
    assert not any(draw_person(head, 3, k).cloth for k in range(5))


def test_long_hair_falls_outside_heavy_cheeks(head):
    looks = Looks(weight=1.0, long_hair=1.0)
    people = [draw_person(head, 4, k, looks) for k in range(12)]
    skin = (head.region("ears") < 0.3) & (head.template[:, 2] > 0.67) & (np.abs(head.template[:, 0]) > 0.06)
    cheeks = skin & (head.template[:, 2] < 0.72) & (head.template[:, 1] < -0.06)
    for person in filter(lambda someone: someone.long_hair and not someone.cloth, people):
        middle, _, _ = measure_head(person.vertices, head)
        off, hair = (points - middle for points in (person.vertices[cheeks], person.long_hair.points))
        beside = np.abs(hair[:, 2]) < 0.02
        assert np.hypot(off[:, 0], off[:, 1] / 1.32).max() < np.abs(hair[beside, 0]).max() + 0.004


def test_long_hair_goes_round_the_head_and_down_to_its_length():
    middle = np.array([0.0, -0.05, 0.73])
    points = fall(middle, 0.075, 0.85, volume=0.02, length=0.2, flare=0.0, waves=[(0.0, 6, 0, 0)])
    assert points.shape == grid_coordinates().shape
    assert points[:, 2].max() == pytest.approx(0.87, abs=1e-6)
    assert points[:, 2].min() == pytest.approx(0.53, abs=1e-6)
    assert np.abs(points[:, 0]).max() == pytest.approx(0.095, abs=1e-3)
    # Outwards, where it hangs beside the face.
    beside = (np.abs(points[:, 0]) > 0.08) & (points[:, 2] < 0.7)
    normals = vertex_normals(points, grid_triangles())
    assert (normals[beside, 0] * points[beside, 0] > 0).all()
    triangles = grid_triangles()
    assert triangles.max() == len(points) - 1
    edges = np.sort(np.concatenate([triangles[:, [i, (i + 1) % 3]] for i in range(3)]), axis=1)
    _, uses = np.unique(edges, axis=0, return_counts=True)
    # A tube: only its two rims have edges of one triangle.
    assert set(uses) == {1, 2}
    assert (uses == 1).sum() == 2 * (grid_coordinates()[:, 2] == 0).sum()


def test_a_head_is_measured_where_it_is(head):
    middle, half, top = measure_head(head.template, head)
    np.testing.assert_allclose(middle, (0.0, -0.057, 0.7285), atol=0.003)
    assert half == pytest.approx(0.0752, abs=0.001)
    assert top == pytest.approx(0.8491, abs=0.001)
    moved, _, _ = measure_head(head.template + np.float32((0.1, 0.2, 0.3)), head)
    np.testing.assert_allclose(moved - middle, (0.1, 0.2, 0.3), atol=1e-5)


def test_a_smile_shows_the_upper_teeth_for_they_are_longer_than_the_strips_of_the_mesh(head):
    shift = people_module._tooth_shift(head)
    teeth = np.unique(head.triangles[head.groups == TEETH])
    upper = teeth[head.vertex_ids[teeth] >= 15060]
    lower = teeth[head.vertex_ids[teeth] < 15060]
    assert (len(upper), len(lower)) == (68, 68)
    edge = upper[np.argmin(head.template[upper, 2])]
    assert shift[edge, 2] == pytest.approx(-0.0045, abs=1e-4)
    assert shift[upper[np.argmax(head.template[upper, 2])], 2] == 0
    assert shift[lower, 2].min() == pytest.approx(-0.006, abs=1e-6)
    assert (shift[np.setdiff1d(np.arange(len(shift)), teeth)] == 0).all()
