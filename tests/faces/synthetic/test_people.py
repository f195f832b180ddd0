import numpy as np
import pytest

from fer_lib.faces.synthetic.hair import scalp_field
from fer_lib.faces.synthetic.people import draw_person

PAINT = (
    "skin",
    "lips",
    "stubble",
    "freckles",
    "creases",
    "hair",
    "hair_density",
    "brow",
    "iris",
    "lash",
    "droop",
)


@pytest.fixture(scope="module")
def people(head):
    return [draw_person(head, seed=0, subject=subject) for subject in range(40)]


def test_a_person_follows_from_seed_and_number(head, people):
    again = draw_person(head, seed=0, subject=7)
    np.testing.assert_array_equal(again.vertices, people[7].vertices)
    assert (again.skin, again.texture) == (people[7].skin, people[7].texture)
    assert draw_person(head, seed=1, subject=7).texture != people[7].texture


def test_all_are_adults_with_possible_looks(people):
    for person in people:
        assert 2 / 3 <= person.age <= 1
        assert all(0 <= getattr(person, name) <= 1 for name in PAINT)
        assert np.isfinite(person.vertices).all()


def test_people_differ(people):
    assert np.std([p.skin for p in people]) > 0.05
    assert {p.gender < 0.5 for p in people} == {True, False}
    heads = np.stack([p.vertices - p.vertices.mean(axis=0) for p in people])
    distance = np.sqrt(((heads[:, None] - heads[None]) ** 2).sum(-1).mean(-1))
    assert distance[np.triu_indices(len(people), 1)].min() > 0.002


def test_hair_grows_on_the_crown_and_not_on_the_face(head):
    field = scalp_field(head.template, hairline=0.0)
    top, chin_and_nose = np.argmax(head.template[:, 2]), head.template[:, 1] < -0.11
    assert field[top] > 0.03
    assert (field[chin_and_nose & (head.template[:, 2] < 0.77)] < 0).all()
    assert (scalp_field(head.template, hairline=0.01) <= field).all()
