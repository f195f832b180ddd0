"""Clips: which frames are kept, in what order, with which window; and how folders and ids are found."""

import re
from dataclasses import replace

import numpy as np
import pytest

from face_sets.faceset import LANDMARKS
from face_sets.readers import sequences
from face_sets.readers.pictures import Window
from ferbook.errors import DataError
from tests.face_sets.readers.made_by_hand import pictures


@pytest.mark.parametrize(("count", "kept"), [(4, [0, 1, 2, 3]), (9, [0, 3, 4, 5]), (100, [0, 49, 50, 51])])
def test_first_and_middle(count, kept):
    assert sequences.first_and_middle(count) == kept


def test_folders_are_found_below_added_levels(tmp_path):
    child = re.compile(r"sub\d+")
    with pytest.raises(DataError, match="no people there, nor in up to 3 folders below"):
        sequences.tops(tmp_path, child, "people")
    (tmp_path / "a" / "b" / "c" / "sub1").mkdir(parents=True)
    assert sequences.tops(tmp_path, child, "people") == [tmp_path / "a" / "b" / "c"]
    (tmp_path / "a" / "sub7").write_bytes(b"a file, no folder")
    assert sequences.tops(tmp_path, child, "people") == [tmp_path / "a" / "b" / "c"]
    for name in ("y", "x"):
        (tmp_path / name / "sub2").mkdir(parents=True)
    assert sequences.tops(tmp_path, child, "people") == [tmp_path / "x", tmp_path / "y"]
    assert sequences.tops(tmp_path / "x", child, "people") == [tmp_path / "x"]


def found_by_its_brightness(picture: np.ndarray) -> Window | None:
    """Stands in for a face detector: the box of the pixels above 200."""
    rows, columns = np.nonzero(picture > 200)
    if not len(rows):
        return None
    return Window(float(columns.min()), float(rows.min()), float(columns.max() - columns.min() + 1))


def with_a_bright_square(left: int, top: int, side: int = 20, size=(60, 80)) -> np.ndarray:
    picture = np.full(size, 100, np.uint8)
    picture[top : top + side, left : left + side] = 255
    return picture


BLANK, FACE = np.full((60, 80), 100, np.uint8), with_a_bright_square(10, 30)


def clip_of(subject: str, *frames: np.ndarray) -> list[sequences.FaceRow]:
    sequence = f"{subject}/1"
    return [
        sequences.FaceRow(
            sequences.Frame(f"{subject}.{k}", lambda p=p: p),
            subject,
            sequence,
            {"frame": k, "emotion": "fear"},
        )
        for k, p in enumerate(frames)
    ]


def gathered(clips, framing, left_out=()):
    rows = [replace(row, cropped=True if framing == "whole" else None) for clip in clips for row in clip]
    return sequences.gather_rows("x", rows, 20, sequences.Search(clips=framing == "clip"), dict(left_out))


@pytest.fixture
def detector(monkeypatch):
    monkeypatch.setattr("face_sets.readers.pictures.find_face", found_by_its_brightness)


def test_one_window_for_a_clip_and_one_for_each_picture(detector):
    people = [clip_of(name, FACE, with_a_bright_square(15, 30)) for name in "abc"]
    one = gathered(people, "clip")
    assert (one.pixels[0] == 255).all()
    # The window of the first picture: in the second its first five columns are background.
    assert (one.pixels[1][:, 6:] == 255).all() and (one.pixels[1][:, :4] == 100).all()
    assert (gathered(people, "picture").pixels == 255).all()


def test_the_window_may_come_from_a_later_picture_of_the_clip(detector):
    faces = gathered([clip_of(n, BLANK, FACE) for n in "abc"], "clip")
    assert (faces.pixels[0] == 100).all() and (faces.pixels[1] == 255).all()


def test_what_shows_no_face_is_left_out_and_counted(detector):
    people = [clip_of(n, FACE, BLANK, FACE) for n in "abc"] + [clip_of("d", BLANK, BLANK)]
    whole = gathered(people, "clip", {"odd folders": 2, "nothing": 0})
    assert whole.left_out == {"odd folders": 2, "clips in which no face was found": 1}
    assert whole.table.groupby("subject").size().to_dict() == {"a": 3, "b": 3, "c": 3}
    single = gathered(people, "picture")
    assert single.left_out == {"pictures in which no face was found": 5}
    assert single.table["frame"].tolist() == [0, 2] * 3
    told = r"x: no picture is left \(1 odd folders; 2 clips in which no face was found\)"
    with pytest.raises(DataError, match=told):
        gathered([clip_of(n, BLANK, BLANK) for n in "ab"], "clip", {"odd folders": 1})
    with pytest.raises(DataError, match=r"x: no picture is left \(no sequences found\)"):
        gathered([], "clip")


def test_a_clip_that_lacks_one_picture_is_left_out_whole(detector):
    marks = np.stack([np.linspace(20, 40, LANDMARKS), np.linspace(5, 55, LANDMARKS)], axis=1)
    bare, *marked = clip_of("d", BLANK, BLANK, BLANK)
    bare = [bare, *(replace(row, landmarks=marks) for row in marked)]
    whole = gathered([clip_of(n, FACE, FACE) for n in "abc"] + [bare], "clip")
    assert whole.left_out == {"clips in which no face was found": 1}
    assert set(whole.table["subject"]) == {"a", "b", "c"} and len(whole) == 6


def test_pictures_of_the_wanted_size_are_taken_as_they_are(monkeypatch):
    monkeypatch.setattr("face_sets.readers.pictures.find_face", None)  # not asked
    own = pictures(6, 20)
    faces = gathered([clip_of(n, own[2 * k], own[2 * k + 1]) for k, n in enumerate("abc")], "clip")
    np.testing.assert_array_equal(faces.pixels, own)
    assert faces.left_out == {}


@pytest.mark.parametrize("framing", ["clip", "picture", "whole"])
def test_a_picture_of_another_size_than_its_clip_is_named(detector, framing):
    odd = with_a_bright_square(10, 30, size=(60, 81))
    people = [*(clip_of(n, FACE) for n in "abc"), clip_of("d", FACE, odd)]
    with pytest.raises(DataError, match=r"d\.[01]: .*but others of its clip are"):
        gathered(people, framing)


def test_large_pictures_are_searched_in_a_reduced_copy(monkeypatch):
    searched = []

    def find(picture):
        searched.append(picture.shape)
        return found_by_its_brightness(picture)

    monkeypatch.setattr("face_sets.readers.pictures.find_face", find)
    window = sequences.face_window(with_a_bright_square(600, 400, side=400, size=(1280, 1920)))
    assert searched == [(320, 480)]
    assert (window.left, window.top, window.side) == pytest.approx((600, 400, 400), abs=8)
    assert sequences.face_window(np.zeros((640, 900), np.uint8)) is None
