"""What two sets share: people by name, pictures by their bytes, data sets by what is published."""

import pytest

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.leakage import OVERLAPS, known_overlap, require_apart, shared, without_shared
from fer_lib.faces.registry import REGISTRY
from ferbook.errors import DataError
from tests.made import even_pictures, made_faces


def set_of(name, subjects, greys, size=4, dataset=None):
    """One even picture per person, of the grey value given."""
    return made_faces(even_pictures(greys, size), name, dataset=dataset or name, subject=subjects)


FIRST = set_of("first", ["a", "b", "", ""], [10, 20, 30, 40])


def test_people_and_copies_are_found_and_left_out():
    second = set_of("second", ["b", "c", "", "c", "b"], [1, 40, 30, 2, 20])
    found = shared(FIRST, second)
    # Nobody named is not somebody; 40, 30 and 20 are pictures of the first set too.
    assert (found.subjects, found.copies, found.known, found.nothing) == (("b",), 3, "", False)
    kept, counts = without_shared(FIRST, second)
    assert kept.pixels[:, 0, 0].tolist() == [2]
    assert counts == {"people": 2, "copies": 2}
    with pytest.raises(
        DataError, match=r"'first' and 'second' are not apart: 1 people .*\(b\); 3 pictures of second"
    ):
        require_apart(FIRST, second)


def test_a_rendered_person_is_known_in_sets_of_any_number_of_people():
    few = set_of("few", ["micro-S001", "micro-S026"], [1, 2], dataset="micro")
    many = set_of("many", ["micro-S0001", "micro-S1000"], [3, 4], dataset="micro")
    assert shared(few, many).subjects == ("micro-S1",)
    assert without_shared(few, many)[1] == {"people": 1, "copies": 0}
    # Two people of one's own may well be called so.
    own = set_of("own", ["own-S001"], [3]), set_of("own", ["own-S01"], [4])
    assert shared(*own).nothing


def test_one_grey_value_makes_another_picture():
    pixels = FIRST.pixels.copy()
    pixels[:, 3, 3] += 1
    other = FaceSet("other", pixels, FIRST.table.assign(subject=""))
    assert shared(FIRST, other).nothing
    require_apart(FIRST, other)
    kept, counts = without_shared(FIRST, other)
    assert len(kept) == 4 and counts == {"people": 0, "copies": 0}


def test_pictures_of_other_sizes_cannot_be_compared_but_people_can():
    larger = set_of("larger", ["a", ""], [10, 30], size=8)
    found = shared(FIRST, larger)
    assert found.copies is None and found.subjects == ("a",)
    assert without_shared(FIRST, larger)[1] == {"people": 1, "copies": 0}
    assert shared(FIRST, set_of("larger", [""], [10], size=8)).nothing


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [("tfd", "ckplus", "Susskind"), ("jaffe", "tfd", "JAFFE"), ("ferplus", "fer2013", "Barsoum")],
)
def test_what_is_published_about_two_sets_is_known_without_names_or_bytes(first, second, said):
    pair = set_of("one", [""], [1], dataset=first), set_of("two", [""], [2], dataset=second)
    assert said in known_overlap(*pair) and not shared(*pair).nothing
    with pytest.raises(DataError, match=f"'one' and 'two'.*{said}.*leave one of the two out"):
        require_apart(*pair)


def test_other_sets_and_a_set_itself_are_not_among_the_published():
    ckplus, jaffe = (set_of(name, [""], [1], dataset=name) for name in ("ckplus", "jaffe"))
    assert known_overlap(ckplus, jaffe) == known_overlap(ckplus, ckplus) == ""


def test_the_published_overlaps_are_of_sets_that_can_be_opened():
    assert {name for pair in OVERLAPS for name in pair} <= set(REGISTRY)
    assert all(len(pair) == 2 for pair in OVERLAPS)
