"""Records of csv files, and whether a layout has a label for each picture of a set."""

import pytest

from fer_lib.faces.faceset import EMOTIONS
from fer_lib.faces.readers.tables import SPELLINGS, read_records
from ferbook.errors import DataError


def test_a_record_may_go_over_several_lines_and_has_the_number_of_its_last(tmp_path):
    file = tmp_path / "votes.csv"
    file.write_bytes('\ufeffa,b\r\n"two\nlines",1\n\u2028x,2\n'.encode())
    assert read_records(file) == [(1, ["a", "b"]), (3, ["two\nlines", "1"]), (4, ["\u2028x", "2"])]
    file.write_bytes(b"a,b\nc,\xff\n")
    with pytest.raises(DataError, match=r"votes\.csv: cannot be read"):
        read_records(file)
    file.write_text("a,b\n" + "c" * 200_000)
    with pytest.raises(DataError, match=r"votes\.csv, line 2: not readable as csv"):
        read_records(file)


def test_every_spelling_means_one_of_the_emotions():
    assert set(SPELLINGS.values()) == set(EMOTIONS) and all(name == name.lower() for name in SPELLINGS)
