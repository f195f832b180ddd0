"""The published protocols: CK+'s fold sizes, and for every set that nobody and no picture is on two sides."""

from collections import Counter
from itertools import cycle, islice

import numpy as np
import pandas as pd
import pytest

from face_sets.faceset import SIX, FaceSet
from face_sets.folds import Fold, Protocol, fold_faces, leak_table, protocol_of
from face_sets.readers.ckplus import read_ckplus
from face_sets.readers.tfd import read_tfd
from face_sets.registry import REGISTRY
from ferbook.errors import DataError, ParameterError
from tests.face_sets.readers.test_every_reader import function
from tests.face_sets.readers.writers.ckplus import write_ckplus
from tests.face_sets.readers.writers.every import write_layout
from tests.face_sets.readers.writers.tfd import write_tfd

EIGHT_CLASSES = (132, 156, 160, 140, 120, 148, 116, 116, 132, 88)
# Test pictures of each fold of CK+ in Khorrami, Paine & Huang 2015.
SIX_CLASSES = (96, 111, 114, 99, 84, 105, 81, 84, 93, 60)

# Labelled sequences; with contempt, 18, there are 327.
CKPLUS = {"anger": 45, "disgust": 59, "fear": 25, "happiness": 69, "sadness": 28, "surprise": 83}


def frames(subject: str, sequence: str, emotions: list[str], **columns) -> list[dict]:
    """The rows of one sequence, a picture each."""
    row = {"subject": subject, "sequence": sequence, "split": "train"} | columns
    return [row | {"frame": k, "emotion": emotion} for k, emotion in enumerate(emotions)]


def a_set(rows: list[dict], name: str = "lab", size: int = 8) -> FaceSet:
    """Pictures all different: blocks of eight pixels, so that JPEG hardly changes them, numbered in their
    last two rows.
    """
    rng = np.random.default_rng(0)
    blocks = rng.integers(20, 230, (len(rows), size // 8, size // 8))
    pixels = np.kron(blocks, np.ones((1, 8, 8))).astype(np.uint8)
    pixels[:, -1, 0], pixels[:, -1, 1] = np.divmod(np.arange(len(rows)), 256)
    return FaceSet(name, pixels, pd.DataFrame(rows).assign(dataset=name))


def posed(people: int, emotions=("disgust", "happiness"), name: str = "lab", size: int = 8) -> FaceSet:
    """Everybody with a sequence of each emotion: at rest, and three pictures of it; a fifth of the people
    each validate and test.
    """
    rows = []
    for person in range(people):
        split = ("train", "train", "train", "valid", "test")[person % 5]
        for k, emotion in enumerate(emotions):
            units = {
                "AU4": [0.0, 0.6][k == 0],
                "AU12": [0.0, 1.0][k == 1],
                "onset": 0,
                "apex": 2,
                "offset": 3,
            }
            shown = ["neutral", *[emotion] * 3]
            rows += frames(f"{name}-{person:03d}", f"{person:03d}/{k}", shown, split=split, **units)
    return a_set(rows, name, size)


def ckplus_sequences() -> list[tuple[str, str]]:
    """(subject, emotion) of 327 sequences that give the published sizes of both protocols, as one of many
    ways to.

    118 people, sorted, belong to ten folds by their index modulo ten. A fold of 132 pictures has 33
    sequences, and where 96 of its pictures show one of six emotions, 32 of them do: the other one is of
    contempt.
    """
    people = [f"ckplus-S{number:03d}" for number in range(5, 5 + 7 * 118, 7)]
    spread = [((k + 0.5) / count, emotion) for emotion, count in CKPLUS.items() for k in range(count)]
    emotions = [emotion for _, emotion in sorted(spread)]
    found = []
    for k, (pictures, of_six) in enumerate(zip(EIGHT_CLASSES, SIX_CLASSES, strict=True)):
        own = list(islice(cycle(people[k::10]), pictures // 4))
        contempt = pictures // 4 - of_six // 3
        found += [(person, "contempt") for person in own[:contempt]]
        found += [(person, emotions.pop()) for person in own[contempt:]]
    assert not emotions
    return found


@pytest.fixture(scope="module")
def ckplus(tmp_path_factory) -> FaceSet:
    """Those sequences, and five coded ones of people without a label, in CK+'s official layout, read back."""
    counts: Counter[str] = Counter()
    rows = []
    for subject, emotion in ckplus_sequences():
        counts[subject] += 1
        place = f"{subject.removeprefix('ckplus-')}/{counts[subject]:03d}"
        rows += frames(subject, place, ["neutral", *[emotion] * 3], AU12=0.4)
    for number in (1, 300, 301, 302, 999):
        rows += frames(f"ckplus-S{number:03d}", f"S{number:03d}/001", [""] * 4, AU12=0.4)
    folder = tmp_path_factory.mktemp("ckplus")
    write_ckplus(a_set(rows, "ckplus"), folder)
    return read_ckplus(folder, 8)


def test_fold_sizes_are_the_published_ones(ckplus):
    """That index modulo ten over the labelled people, four or three frames of a sequence, and one numbering
    for both protocols can give both lists; not which of CK+'s people are in which fold, which only a copy of
    CK+ can show."""
    assert len(ckplus) == 1328 and len(ckplus.labelled()) == 1308
    assert ckplus.labelled().table["subject"].nunique() == 118
    eight = protocol_of(ckplus)
    assert len(eight.classes) == 8 and eight.name == "ten folds by subject, 8 classes"
    assert [len(fold.test) for fold in eight.folds] == list(EIGHT_CLASSES)
    six = protocol_of(ckplus, SIX)
    assert six.classes == SIX
    assert [len(fold.test) for fold in six.folds] == list(SIX_CLASSES)
    for protocol in (eight, six):
        sizes = [len(fold.test) for fold in protocol.folds]
        assert [len(fold.valid) for fold in protocol.folds] == sizes[1:] + sizes[:1]
        assert {len(fold.train) + len(fold.valid) + len(fold.test) for fold in protocol.folds} == {sum(sizes)}


def test_a_person_keeps_the_fold_whichever_classes_are_told_apart(ckplus):
    subject = ckplus.labelled().table["subject"].to_numpy()
    order = sorted(set(subject))
    for classes in (None, SIX, ("fear", "sadness")):
        for number, fold in enumerate(protocol_of(ckplus, classes).folds):
            assert {order.index(who) % 10 for who in subject[fold.test]} == {number}
            assert {order.index(who) % 10 for who in subject[fold.valid]} == {(number + 1) % 10}


LAYOUTS = tuple(name for name, source in REGISTRY.items() if source.reader and not name.startswith("bp4d"))
FOLDS = {"tfd": 5} | dict.fromkeys(("jaffe", "casme2", "samm", "micro"), 11)
FOLDS |= dict.fromkeys(("ckplus", "lab", "mmi", "oulu_casia", "bu3dfe", "bu4dfe"), 10)
"""Of the sets below, of eleven people; one where not said, as of any new set."""


def in_layout(name: str, folder) -> FaceSet:
    """Eleven people, written in the official layout of the real set ``name`` and read back."""
    source = REGISTRY[name]
    emotions = ("anger", "happiness") if name == "samm" else ("disgust", "happiness")
    size = source.sizes[0] if source.sizes else 16
    faces = posed(11, emotions, size=size)
    if name == "tfd":
        person = faces.table["subject"].str[-3:].astype(int)
        turned = {
            f"fold{k + 1}": np.array(["test", "valid", *["train"] * 3])[(person + k) % 5] for k in range(5)
        }
        faces = FaceSet("lab", faces.pixels, faces.table.assign(**turned))
    write_layout(name, faces, folder)
    return function(source.reader)(folder, size)


@pytest.fixture(scope="module", params=[*LAYOUTS, "lab", "wild", "game", "micro"])
def faces(request, tmp_path_factory) -> FaceSet:
    if request.param in LAYOUTS:
        return in_layout(request.param, tmp_path_factory.mktemp(request.param, numbered=False))
    return posed(11, name=request.param)


def test_nobody_and_no_picture_is_on_two_sides(faces):
    protocol = protocol_of(faces)
    labelled = faces.labelled()
    subject = labelled.table["subject"].to_numpy()
    assert len(protocol.folds) == FOLDS.get(faces.name, 1)
    assert protocol.about.endswith(".")
    pictures = [picture.tobytes() for picture in labelled.pixels]
    for fold in protocol.folds:
        sides = [fold.train, fold.valid, fold.test]
        assert all(rows.dtype == np.int64 and len(rows) and (np.diff(rows) > 0).all() for rows in sides)
        for i, one in enumerate(sides):
            for other in sides[i + 1 :]:
                assert not set(one.tolist()) & set(other.tolist())
                assert not {pictures[row] for row in one} & {pictures[row] for row in other}
                assert not (set(subject[one]) & set(subject[other])) - {""}
    table = leak_table(faces, protocol)
    nobody = faces.name in ("fer2013", "ferplus")
    for side in ("tested", "validated"):
        assert (table[f"{side}_copies"] == 0).all()
        people = table[f"{side}_subjects"]
        assert people.isna().all() if nobody else (people == 0).all()
    assert table[["train", "valid", "test"]].to_numpy().tolist() == [
        [len(fold.train), len(fold.valid), len(fold.test)] for fold in protocol.folds
    ]


def test_where_people_are_divided_everybody_is_tested_once(faces):
    protocol = protocol_of(faces)
    tested = np.concatenate([fold.test for fold in protocol.folds])
    counted = np.flatnonzero(faces.labelled().table["emotion"].isin(protocol.classes))
    if len(protocol.folds) > 1:
        assert sorted(tested) == counted.tolist()
    else:
        split = faces.labelled().table["split"]
        for part in ("train", "valid", "test"):
            np.testing.assert_array_equal(getattr(protocol.folds[0], part), np.flatnonzero(split == part))


def test_leaving_one_subject_out_by_hand():
    """21 people: one is tested, the next three, a tenth rounded up, are selected on, after the last comes the
    first.
    """
    faces = posed(21, name="jaffe")
    who = faces.table["subject"].str[-3:].astype(int).to_numpy()
    folds = protocol_of(faces).folds
    people = [[sorted(set(who[rows])) for rows in (fold.test, fold.valid)] for fold in folds]
    assert people[0] == [[0], [1, 2, 3]] and people[17] == [[17], [18, 19, 20]]
    assert people[19] == [[19], [0, 1, 20]] and people[20] == [[20], [0, 1, 2]]
    assert len(folds) == 21 and all(len(fold.train) == 17 * 8 for fold in folds)


def test_micro_expressions_of_rare_classes_are_in_no_fold_and_their_people_are_not_left_out():
    rows = [
        row
        for k, emotion in enumerate(["disgust", "happiness", "fear"] * 2 + ["disgust", "happiness"])
        for row in frames(f"casme2-sub{k:02d}", f"{k}", [emotion] * 2)
    ]
    faces = a_set(rows, "casme2")
    protocol = protocol_of(faces)
    assert protocol.classes == ("disgust", "happiness")
    assert len(protocol.folds) == 6  # the two people who show nothing but fear are not tested
    assert len(protocol_of(faces, ("fear", "disgust", "happiness")).folds) == 8


def test_official_folds_of_tfd_are_those_of_its_columns_and_equal_ones_are_one(tmp_path):
    faces = in_layout("tfd", tmp_path)
    for number, fold in enumerate(protocol_of(faces).folds, start=1):
        column = faces.table[f"fold{number}"].to_numpy()
        for part in ("train", "valid", "test"):
            np.testing.assert_array_equal(getattr(fold, part), np.flatnonzero(column == part))
    again = tmp_path / "again"
    again.mkdir()
    write_tfd(posed(5, size=48), again)  # writes the one split five times
    assert len(protocol_of(read_tfd(again, 48)).folds) == 1


def test_a_fold_has_its_split_and_keeps_what_the_set_holds():
    plain = posed(12, ("contempt", "happiness"))
    faces = FaceSet(
        "lab",
        plain.pixels,
        plain.table,
        masks=np.arange(96 * 64, dtype=np.uint32).reshape(96, 8, 8),
        mask_aus=("AU4",),
        landmarks=np.arange(96 * 68 * 2, dtype=np.float32).reshape(96, 68, 2),
        left_out={"a reason": 3},
    )
    protocol = protocol_of(faces, ("contempt", "happiness"))
    for number, fold in enumerate(protocol.folds):
        own = fold_faces(faces, protocol, number)
        assert own.name == "lab" and own.left_out == {"a reason": 3} and own.mask_aus == ("AU4",)
        assert own.classes == protocol.classes and len(own) == 72
        for part in ("train", "valid", "test"):
            there, meant = own.split(part), faces.select(getattr(fold, part))
            np.testing.assert_array_equal(there.pixels, meant.pixels)
            np.testing.assert_array_equal(there.masks, meant.masks)
            np.testing.assert_array_equal(there.landmarks, meant.landmarks)
            columns = [c for c in there.table if c != "split"]
            pd.testing.assert_frame_equal(there.table[columns], meant.table[columns])
    assert set(faces.table["split"]) == {"train", "valid", "test"}  # the given set is as it was


def test_a_fold_copies_no_pictures(monkeypatch):
    """A cross-validation keeps all its folds."""
    faces = posed(12)
    protocol = protocol_of(faces)
    monkeypatch.setattr(FaceSet, "_gathered", lambda *_: pytest.fail("all rows were gathered"))
    assert len(fold_faces(faces, protocol, 0)) == len(faces)


def test_a_class_absent_from_training_is_named_and_one_absent_from_the_test_is_listed():
    """Fear is shown by person 3 alone, contempt by the persons 0, 1 and 2."""
    rows = []
    for person in range(10):
        emotions = ["happiness", "anger"] + ["contempt"] * (person < 3) + ["fear"] * (person == 3)
        rows += frames(f"lab-{person}", f"{person}", emotions)
    faces = a_set(rows)
    protocol = protocol_of(faces)
    table = leak_table(faces, protocol)
    assert table["absent_from_train"].tolist() == ["", "", "fear", "fear", *[""] * 6]
    assert table["absent_from_test"].tolist() == [*["fear"] * 3, "contempt", *["contempt, fear"] * 6]
    for number in (2, 3):
        with pytest.raises(DataError, match=rf"fold {number} of .*: no training picture of fear; leave"):
            fold_faces(faces, protocol, number)
    assert len(fold_faces(faces, protocol, 4)) == len(faces)


def test_a_leak_is_counted():
    """Rows 0 1 2 3 4; 0 and 4 are one picture, person b has rows 1 and 2, and nobody is known to be in row
    3.
    """
    rows = [
        *frames("a", "0", ["anger"]),
        *frames("b", "1", ["fear"]),
        *frames("b", "2", ["fear"]),
        *frames("", "3", ["anger"]),
        *frames("c", "4", ["anger"]),
    ]
    plain = a_set(rows)
    pixels = plain.pixels.copy()
    pixels[4] = pixels[0]
    faces = FaceSet("lab", pixels, plain.table)
    folds = [((0, 1), (2,), (3, 4)), ((1,), (0, 4), (2,)), ((0, 1), (2,), (3,)), ((3,), (0, 1), (2, 4))]
    protocol = Protocol("", ("anger", "fear"), tuple(Fold(*map(np.array, fold)) for fold in folds), "")
    table = leak_table(faces, protocol)
    assert table["tested_copies"].tolist() == [1, 0, 0, 1]
    assert table["tested_subjects"].fillna(-1).tolist() == [-1, 1, -1, 1]
    assert table["validated_copies"].tolist() == [0, 0, 0, 0]
    assert table["validated_subjects"].fillna(-1).tolist() == [1, 0, 1, -1]


@pytest.mark.parametrize(
    ("faces", "told"),
    [
        (FaceSet.concat("both", [posed(3), posed(3, name="wild")]), "joins pictures of lab, wild"),
        (posed(2), "2 people cannot be divided"),
        (a_set(frames("", "0", ["anger", "fear"])), "row 0 of the labelled pictures: no subject"),
        (a_set(frames("a", "0", [""] * 3)), "none of its 3 pictures carries an emotion"),
        (
            a_set(frames("a", "0", ["fear", "anger"]), "wild"),
            "fold 0 of 1 .* no picture of anger, fear to select on",
        ),
    ],
)
def test_a_set_that_no_protocol_fits_is_refused(faces, told):
    with pytest.raises(DataError, match=told):
        protocol_of(faces)


@pytest.mark.parametrize(
    ("classes", "told"),
    [
        (("anger", "happiness"), "no picture of 'anger'; its emotions are neutral, disgust, happiness"),
        (("disgust", "disgust"), "a class is named twice"),
        (("disgust",), "disgust to discriminate; at least two"),
        ((), "no class to discriminate"),
    ],
)
def test_classes_that_cannot_be_told_apart_are_refused(classes, told):
    with pytest.raises(ParameterError, match=told):
        protocol_of(posed(3), classes)
