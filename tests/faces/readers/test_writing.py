"""Identifiers of a layout, and labels that it can hold."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_lib.errors import DataError
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers.writing import layout_ids, require_labels, sequences_of, write_picture


def numbered(k: int) -> str:
    return f"S{k + 1:03d}"


def test_own_identifiers_are_kept_and_foreign_ones_numbered_in_sorted_order():
    own = layout_ids(["ckplus-S132", "ckplus-S005", "ckplus-S132"], r"S\d{3}", numbered, "ckplus-")
    assert own == {"ckplus-S132": "S132", "ckplus-S005": "S005"}
    foreign = layout_ids(["lab-0007", "lab-0001", "lab-0007"], r"S\d{3}", numbered, "ckplus-")
    assert foreign == {"lab-0001": "S001", "lab-0007": "S002"}
    # One that could be kept beside one that cannot: numbering all of them is what keeps two from colliding.
    mixed = layout_ids(["ckplus-S002", "lab-0001"], r"S\d{3}", numbered, "ckplus-")
    assert sorted(mixed.values()) == ["S001", "S002"]
    with pytest.raises(DataError, match="without a name"):
        layout_ids(["", "a"], r"S\d{3}", numbered)


def faces(emotions, frames=None) -> FaceSet:
    n = len(emotions)
    table = pd.DataFrame(
        {"dataset": "t", "subject": "a", "sequence": "s", "emotion": emotions, "split": "train"}
    )
    return FaceSet("t", np.zeros((n, 8, 8), np.uint8), table.assign(frame=frames or list(range(n))))


def test_a_label_that_the_layout_lacks_is_named():
    require_labels(faces(["anger", "fear"]), ("fear", "anger"), "X")
    require_labels(faces(["anger", ""]), ("anger",), "X", unlabelled=True)
    with pytest.raises(
        DataError, match=r"row 1: the layout of X has no label for 'contempt'; select the pictures of anger"
    ):
        require_labels(faces(["anger", "contempt"]), ("anger",), "X")
    with pytest.raises(DataError, match="row 0: the layout of X has no label for 'an unlabelled picture'"):
        require_labels(faces([""]), ("anger",), "X")


def test_sequences_are_ordered_by_frame_and_a_frame_occurs_once():
    assert {k: v.tolist() for k, v in sequences_of(faces(["fear"] * 3, [7, 2, 5]).table).items()} == {
        ("a", "s"): [1, 2, 0]
    }
    with pytest.raises(DataError, match="sequence 's': two pictures of frame 2"):
        sequences_of(faces(["fear"] * 3, [2, 7, 2]).table)


def test_a_written_picture_is_the_picture(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (9, 7)).astype(np.uint8)
    write_picture(tmp_path / "a" / "b" / "p.png", picture)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a" / "b" / "p.png")), picture)
