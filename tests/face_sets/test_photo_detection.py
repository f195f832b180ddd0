"""Faces in anybody's pictures: found where they were put, framed as a set is, and files that are no pictures
refused.
"""

import re
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from face_sets import photo
from face_sets.photo import FRAMINGS, Framing, crop_face, find_faces, frame_as, look_closer, read_photo
from face_sets.readers.pictures import Window, cut_out
from face_sets.sources import SOURCES
from ferbook.errors import DataError


def with_faces(size: tuple[int, int], *placed: tuple[np.ndarray, int, int, int]) -> np.ndarray:
    """Grey clouds of ``size`` (height, width) with each of ``placed`` in it: a picture, its side there, left
    and top.
    """
    noise = np.random.default_rng(0).integers(0, 256, size).astype(np.uint8)
    picture = cv2.GaussianBlur(noise, (0, 0), 4)
    for face, side, left, top in placed:
        picture[top : top + side, left : left + side] = cv2.resize(face, (side, side))
    return picture


def overlap(window: Window, left: float, top: float, side: float) -> float:
    """Intersection over union of two squares."""
    across = min(window.left + window.side, left + side) - max(window.left, left)
    down = min(window.top + window.side, top + side) - max(window.top, top)
    shared = max(0.0, across) * max(0.0, down)
    return shared / (window.side**2 + side**2 - shared)


@pytest.mark.parametrize(
    ("size", "side", "left", "top"),
    [((96, 96), 96, 0, 0), ((240, 320), 96, 200, 20), ((600, 800), 250, 40, 300), ((480, 640), 96, 500, 380)],
)
def test_a_face_is_found_where_it_was_put_and_cut_out_as_it_was(rendered_faces, size, side, left, top):
    for face in rendered_faces:
        picture = with_faces(size, (face, side, left, top))
        crop, window, found = crop_face(picture, 64, "lab")
        assert found == 1
        assert overlap(window, left, top, side) > 0.8
        np.testing.assert_array_equal(crop, cut_out(picture, window, 64))


def test_a_small_face_is_framed_more_exactly_at_the_second_look(rendered_faces):
    better = []
    for face in rendered_faces:
        picture = with_faces((480, 640), (face, 96, 500, 380))
        first = find_faces(picture)[0]
        better += [
            overlap(frame_as(window, Framing()), 500, 380, 96)
            for window in (first, look_closer(picture, first))
        ]
    assert np.mean(better[1::2]) > np.mean(better[::2])


def test_of_several_faces_the_largest_comes_first(rendered_faces):
    one, other = rendered_faces[:2]
    picture = with_faces((480, 640), (one, 160, 30, 250), (other, 240, 350, 40))
    found = find_faces(picture)
    assert len(found) == 2 and found[0].side > found[1].side
    crop, window, count = crop_face(picture, 48, "lab")
    assert count == 2 and crop.shape == (48, 48) and overlap(window, 350, 40, 240) > 0.8


def test_smaller_faces_are_looked_for_where_the_first_search_finds_the_repeated_edge_alone(monkeypatch):
    side = {0.25: Window(0, 0, 20), 0.1: Window(300, 300, 40)}
    monkeypatch.setattr(
        photo, "face_windows", lambda view, least: [side[round(least / photo.SEARCHED_AT, 2)]]
    )
    assert len(find_faces(np.zeros((400, 400), np.uint8))) == 1


def test_where_there_is_no_face_there_is_none():
    for picture in (np.full((200, 300), 90, np.uint8), with_faces((300, 400)), np.zeros((1, 700), np.uint8)):
        assert find_faces(picture) == []
        assert crop_face(picture, 48, "lab") is None


def test_a_window_is_moved_and_scaled_about_its_centre():
    assert frame_as(Window(10, 20, 100), Framing()) == Window(10, 20, 100)
    moved = frame_as(Window(10, 20, 100), Framing(side=0.8, down=-0.1))
    assert (moved.left, moved.top, moved.side) == pytest.approx((20, 20, 80))


def test_only_known_sets_have_a_framing_of_their_own():
    assert set(FRAMINGS) <= {source.name for source in SOURCES}


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_a_photo_is_turned_upright_and_grey(tmp_path, ending):
    """The tag says how a camera was held: 6, the picture is to be turned clockwise, 3, upside down, 2,
    mirrored.
    """
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    for orientation, upright in {
        1: picture,
        6: np.rot90(picture, -1),
        3: picture[::-1, ::-1],
        2: picture[:, ::-1],
        5: picture.T,
        7: picture[::-1, ::-1].T,
        8: np.rot90(picture),
    }.items():
        image = Image.fromarray(np.stack([picture] * 3, axis=2))
        exif = image.getexif()
        exif[0x0112] = orientation
        image.save(tmp_path / f"a.{ending}", exif=exif)
        np.testing.assert_array_equal(read_photo(tmp_path / f"a.{ending}"), upright)


def test_a_picture_whose_exif_is_damaged_is_taken_as_it_is_stored(tmp_path):
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3)
    Image.fromarray(picture).save(tmp_path / "a.png", exif=b"Exif\0\0garbage")
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png"), picture)
    # The tag for the orientation as a text, where a number belongs.
    text = b"Exif\0\0II*\0" + struct.pack("<IHHHI4sI", 8, 1, 0x0112, 2, 2, b"6\0\0\0", 0)
    Image.fromarray(picture).save(tmp_path / "a.jpg", exif=text)
    assert read_photo(tmp_path / "a.jpg").shape == picture.shape
    assert photo.changes(tmp_path / "a.jpg") == []


def test_files_that_are_no_pictures_are_refused_by_name(tmp_path):
    (tmp_path / "a.png").write_text("no picture")
    (tmp_path / "b.png").write_bytes(b"")
    whole = tmp_path / "c.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90), dtype=np.uint8)).save(whole)
    whole.write_bytes(whole.read_bytes()[:2000])
    for path, told in [
        (tmp_path, "a folder; name the pictures in it"),
        (tmp_path / "nothing.png", "no such file"),
        (tmp_path / ("long" * 100), "no such file"),
        *((tmp_path / f"{name}.png", "not a readable picture") for name in "abc"),
    ]:
        with pytest.raises(DataError, match=re.escape(f"{path}: {told}")):
            read_photo(path)
