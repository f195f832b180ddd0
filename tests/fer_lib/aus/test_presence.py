import numpy as np
import pytest

from fer_lib.aus.presence import Presence, presence, unit_source
from ferbook.errors import DataError, ParameterError
from tests.made import made_faces


def face_set(**columns):
    people, sequences = ["a", "a", "b", "b", "", ""], ["s1", "s1", "s2", "s2", "", ""]
    emotions = ["neutral", "anger", "neutral", "anger", "", "fear"]
    known = {"subject": people, "sequence": sequences, "emotion": emotions}
    return made_faces(np.zeros((6, 4, 4), np.uint8), **known | columns)


@pytest.fixture
def coded():
    return presence(face_set(AU12=[0, 1, 0.2, 0, np.nan, 0], AU4=[0, 0.6, 0.6, 0.5, 0.1, 0]))


def test_an_au_is_present_where_its_intensity_is_above_the_threshold(coded):
    assert coded.aus == ("AU4", "AU12") and len(coded) == 6
    assert coded.present.dtype == np.float32
    np.testing.assert_array_equal(coded.present[:, 0], [0, 1, 1, 1, 1, 0])
    np.testing.assert_array_equal(coded.present[:, 1], [0, 1, 1, 0, np.nan, 0])
    strong = presence(face_set(AU12=[0, 1, 0.2, 0.5, np.nan, 0]), present_from=0.5)
    np.testing.assert_array_equal(strong.present[:, 0], [0, 1, 0, 0, np.nan, 0])


def test_a_picture_without_a_name_is_a_subject_and_a_sequence_by_itself(coded):
    assert coded.subjects.tolist() == ["a", "a", "b", "b", "picture 4", "picture 5"]
    assert len(np.unique(coded.sequences)) == 4
    assert coded.emotions.tolist() == ["neutral", "anger", "neutral", "anger", "", "fear"]


def test_subjects_worked_by_hand(coded):
    # AU12 is shown by a and b; seen without it: a, b and picture 5.
    assert coded.subjects_with(1).tolist() == [3, 2]
    assert coded.subjects_with(0).tolist() == [2, 3]


def test_an_au_that_too_few_show_or_that_all_show_is_named(coded):
    assert coded.too_few(3) == ("AU4", "AU12")
    assert coded.too_few(2) == ()
    assert presence(face_set(AU1=0, AU2=[0, 0, 1, 1, 1, 1], AU5=1)).too_few(1) == ("AU1", "AU5")


def test_scored_keeps_the_others_and_refuses_when_none_is_left(coded):
    kept = presence(face_set(AU1=0, AU2=[0, 1, 1, 0, 1, 1], AU5=1)).scored(2)
    assert kept.aus == ("AU2",) and kept.present.shape == (6, 1)
    with pytest.raises(DataError, match="AU4 comes nearest with 4 and 2 of 4 subjects"):
        presence(face_set(AU1=0, AU4=[0, 1, 1, 0, 1, 1])).scored(5)


def test_only_and_select_keep_what_they_say(coded):
    assert coded.only(["AU12", "AU4"]).aus == ("AU12", "AU4")
    np.testing.assert_array_equal(coded.only(["AU12"]).present, coded.present[:, [1]])
    half = coded.select(coded.emotions == "anger")
    assert len(half) == 2 and half.subjects.tolist() == ["a", "b"] and half.present[:, 0].tolist() == [1, 1]
    assert coded.select(np.array([5, 0])).sequences.tolist() == ["picture 5", "s1"]
    with pytest.raises(ParameterError, match="no action unit 'AU9'; there are AU4, AU12"):
        coded.only(["AU9"])


def test_a_set_without_action_units_is_refused_and_told_which_sets_have_them():
    with pytest.raises(DataError, match=r"'toy' has no action units .*lab, wild, game, micro.*CK\+"):
        presence(face_set())


def test_whose_units_is_said_where_there_are_none_too():
    coded, bare = face_set(AU4=0.5), face_set()
    assert unit_source(coded, coded) == "Pictures and action units are those of toy."
    assert "evaluated on the faces of toy," in unit_source(bare, coded)
    assert "evaluated on the rendered faces of toy," in unit_source(bare, coded.assign(dataset="lab"))
    assert unit_source(bare, bare) == "toy has no codes of action units, so none are evaluated."


def test_facs_rows_that_are_not_numbers_are_named_before_presence_is_asked_for():
    with pytest.raises(DataError, match=r"row 3: AU4 is 7\.5, which is not an intensity"):
        presence(face_set(AU4=[0, 0, 0, 7.5, 0, 0]))
    with pytest.raises(DataError, match="AU4 has dtype str; expected numbers"):
        presence(face_set(AU4=["0", "0", "B", "0", "0", "0"]))


def test_presence_refuses_what_is_neither_shown_nor_hidden():
    names = np.array(["a", "b"])
    with pytest.raises(DataError, match=r"picture 1, action unit 0: presence is 0\.5"):
        Presence(("AU1",), np.array([[1], [0.5]]), names, names, names)
