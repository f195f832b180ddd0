"""Several sets brought to one list of classes; whatever has no counterpart is counted."""

import numpy as np
import pandas as pd
import pytest

from book.transfer.study import common_classes, mapped
from fer_lib.faces.faceset import UNLABELLED, FaceSet
from ferbook.errors import DataError


def labelled(name, emotions, splits=("train", "valid", "test")):
    """One picture of each emotion in each split."""
    rows = [(emotion, split) for split in splits for emotion in emotions]
    table = pd.DataFrame(
        {
            "dataset": name,
            "subject": "",
            "sequence": "",
            "frame": 0,
            "emotion": [emotion for emotion, _ in rows],
            "split": [split for _, split in rows],
        }
    )
    return FaceSet(name, np.zeros((len(rows), 4, 4), np.uint8), table)


def test_common_classes_stand_in_the_order_of_emotions_and_contempt_and_neutral_count_where_all_have_them():
    first = labelled("first", ["surprise", "neutral", "contempt", "anger", "other", ""])
    second = labelled("second", ["anger", "surprise", "neutral", "fear", "other"])
    # "other" is another thing in each set, whatever the name.
    assert common_classes({"a": first, "b": second}) == ("neutral", "anger", "surprise")
    assert common_classes({"a": first}) == ("neutral", "anger", "contempt", "surprise")


def test_what_has_no_counterpart_is_counted_by_label():
    faces = labelled("first", ["anger", "contempt", "fear", "repression", UNLABELLED])
    kept, dropped = mapped(faces, ("anger", "fear"))
    assert kept.classes == ("anger", "fear") and len(kept) == 6
    assert dropped == {"": 3, "contempt": 3, "repression": 3}
    assert len(kept) + sum(dropped.values()) == len(faces)


def test_sets_that_cannot_be_compared_are_refused_with_what_each_has():
    one, two = labelled("one", ["anger", "fear"]), labelled("two", ["anger", "sadness"])
    with pytest.raises(DataError, match=r"have anger in common.*A: anger, fear; B: anger, sadness"):
        common_classes({"A": one, "B": two})
    with pytest.raises(DataError, match=r"no emotion in common"):
        common_classes({"A": one, "B": labelled("three", ["happiness", "sadness"])})
    with pytest.raises(DataError, match=r"'B' has anger only"):
        common_classes({"A": one, "B": labelled("three", ["anger", "other", ""])})
    with pytest.raises(DataError, match="no face set"):
        common_classes({})


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_class_without_pictures_to_learn_or_to_test_is_named(split):
    faces = labelled("first", ["anger", "fear"])
    gone = (faces.table["emotion"].eq("fear") & faces.table["split"].eq(split)).to_numpy()
    with pytest.raises(DataError, match=f"'first': no picture of fear in its split '{split}'"):
        mapped(faces.select(~gone), ("anger", "fear"))


def test_a_set_without_pictures_to_select_on_is_refused():
    with pytest.raises(DataError, match="no picture of anger, fear in its split 'valid'"):
        mapped(labelled("first", ["anger", "fear"], ("train", "test")), ("anger", "fear"))
    # One class may be absent there: the epoch is chosen by the others.
    faces = labelled("first", ["anger", "fear"])
    gone = (faces.table["emotion"].eq("fear") & faces.table["split"].eq("valid")).to_numpy()
    assert len(mapped(faces.select(~gone), ("anger", "fear"))[0]) == 5
