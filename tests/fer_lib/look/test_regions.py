"""Regions of action units: exact from masks, approximate around landmarks, refused where nobody knows."""

import numpy as np
import pytest

from fer_lib.look.regions import (
    LANDMARK_REGIONS,
    MIRRORED,
    Anchor,
    Patch,
    region_aus,
    regions_of,
    rival_regions,
)
from ferbook.errors import DataError
from synthetic_faces import facs
from synthetic_faces.assets import load_assets
from synthetic_faces.capture import draw_shot
from synthetic_faces.domains import LAB
from synthetic_faces.people import draw_person
from synthetic_faces.render import Renderer
from tests.made import made_faces

SIZE = 32


def frontal_face():
    """(68, 2): a face drawn by hand on 32 × 32 pixels, eyes 16 apart, the mouth 14 below them; symmetric
    about x = 16.
    """
    points = np.full((68, 2), 16.0)
    turns = np.linspace(np.pi, 0, 17)
    points[:17] = np.stack((16 + 15 * np.cos(turns), 12 + 19 * np.sin(turns)), axis=-1)
    points[17:22] = [(3, 6), (5, 5), (7.5, 4.5), (10, 5), (12.5, 6)]
    points[27:31] = [(16, 10), (16, 13), (16, 15), (16, 18)]
    points[31:34] = [(13, 19), (14.5, 19.5), (16, 20)]
    points[36:42] = [(5, 10), (7, 9), (9, 9), (11, 10), (9, 11), (7, 11)]
    points[48:52] = [(10, 24), (12, 23), (14, 22.5), (16, 23)]
    points[57:60] = [(16, 27), (14, 26.5), (12, 25.5)]
    points[60:63] = [(11, 24), (14, 24), (16, 24)]
    points[66:68] = [(16, 25), (14, 25)]
    own = {*range(17, 22), *range(31, 33), *range(36, 42), *range(48, 51), 58, 59, 60, 61, 67}
    for landmark in own:
        points[MIRRORED[landmark]] = 32 - points[landmark][0], points[landmark][1]
    return points


def faces_of(landmarks=None, masks=None, mask_aus=(), pictures=1, size=SIZE, pixels=None):
    if pixels is None:
        pixels = np.zeros((pictures, size, size), np.uint8)
    if landmarks is not None:
        landmarks = np.asarray(landmarks, np.float32)
    arrays = {"masks": masks, "mask_aus": mask_aus, "landmarks": landmarks}
    return made_faces(pixels, "made", arrays, emotion="neutral", split="train")


def test_masks_are_taken_bit_by_bit_in_the_order_asked_for():
    masks = np.array([[[0, 1], [2, 3]], [[3, 2], [1, 0]]], np.uint32)
    faces = faces_of(masks=masks, mask_aus=("AU12", "AU4"), pictures=2, size=2)
    assert region_aus(faces) == ("AU4", "AU12")
    found = regions_of(faces, [1, 0, 1], ("AU4", "AU12"))
    assert found.shape == (3, 2, 2, 2) and found.dtype == bool
    assert found[1].tolist() == [[[False, False], [True, True]], [[False, True], [False, True]]]
    for pair, row in enumerate((1, 0, 1)):
        for place, au in enumerate(("AU4", "AU12")):
            assert (found[pair, place] == faces.mask(au)[row]).all()


def test_masks_are_preferred_to_landmarks():
    masks = np.ones((1, SIZE, SIZE), np.uint32)
    faces = faces_of([frontal_face()], masks, ("AU12",))
    assert regions_of(faces, [0], ["AU12"]).all()


def test_a_patch_is_the_grown_hull_of_its_spots(monkeypatch):
    """A capsule by hand: the pixels whose centre is within the radius of a segment."""
    spots = (Anchor((36,), up=-0.25, out=-0.125), Anchor((39, 36), up=-0.5))
    monkeypatch.setitem(LANDMARK_REGIONS, "AU1", (Patch(spots, 0.2, mirrored=False),))
    found = regions_of(faces_of([frontal_face()]), [0], ["AU1"])[0, 0]
    # The eyes are 16 pixels apart: 36 at (5, 10) goes 4 down and 2 inwards; the middle of 36 and 39 goes 8
    # down.
    start, end = np.array([7.0, 14.0]), np.array([8.0, 18.0])
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    along = ((x - start[0]) * (end - start)[0] + (y - start[1]) * (end - start)[1]) / (
        (end - start) ** 2
    ).sum()
    nearest = start[:, None, None] + (end - start)[:, None, None] * along.clip(0, 1)
    distance = np.hypot(x - nearest[0], y - nearest[1])
    assert found[distance < 0.2 * 16 * 0.97].all()
    assert not found[distance > 0.2 * 16].any()


@pytest.mark.parametrize("au", LANDMARK_REGIONS)
def test_regions_of_a_symmetric_face_are_symmetric_and_neither_empty_nor_everything(au):
    found = regions_of(faces_of([frontal_face()]), [0], [au])[0, 0]
    assert (found == found[:, ::-1]).all()
    assert 0.005 < found.mean() < 0.3


def test_regions_lie_where_the_face_has_their_muscles():
    aus = ("AU1", "AU2", "AU5", "AU12", "AU17")
    inner_brow, outer_brow, lid, corner, chin = regions_of(faces_of([frontal_face()]), [0], aus)[0]
    assert inner_brow[4, 15] and not inner_brow[4, 4]
    assert outer_brow[4, 4] and not outer_brow[4, 15]
    assert lid[8, 8] and not lid[14:].any()
    assert corner[23, 9] and corner[23, 22] and not corner[:16].any()
    assert chin[29, 16] and not chin[:22].any()


def test_regions_follow_a_face_that_is_moved_turned_and_scaled():
    points = frontal_face()
    straight, moved, turned, larger = regions_of(
        faces_of(
            [
                points,
                points + np.array([0, 2]),
                np.stack((points[:, 1], SIZE - points[:, 0]), axis=-1),
                points * 2,
            ],
            pictures=4,
            size=2 * SIZE,
        ),
        np.arange(4),
        ["AU6"],
    )[:, 0]
    assert (moved[2:] == straight[:-2]).all()
    # A quarter turn: what was x is y, and what was y is x from the other end.
    assert (turned[:SIZE, :SIZE] == np.rot90(straight[:SIZE, :SIZE])).all()
    assert larger.sum() == pytest.approx(4 * straight.sum(), rel=0.1)


def test_a_region_beyond_the_picture_is_cut_or_empty():
    faces = faces_of([frontal_face() - [0, 12], frontal_face() - [0, 90]], pictures=2)
    found = regions_of(faces, [0, 1], ["AU1", "AU12"])
    aside = regions_of(faces_of([frontal_face() - np.array([7, 0])]), [0], ["AU12"])[0, 0]
    whole = regions_of(faces_of([frontal_face()]), [0], ["AU12"])[0, 0]
    assert whole[:, :7].any() and (aside[:, :-7] == whole[:, 7:]).all() and not aside[:, -7:].any()
    assert not found[0, 0].any() and found[0, 1].any() and not found[1].any()


def test_landmark_regions_agree_with_the_skin_that_rendered_faces_move(face_cache):
    """The independent oracle: each region hits its AU's exact mask far more often than chance does, and than
    it hits the other AUs'.
    """
    assets = load_assets(face_cache)
    renderer = Renderer(assets, 48, antialias=1, cache=face_cache)
    still = np.zeros((len(facs.AUS), 2))
    shots = [
        renderer.render(
            draw_person(assets, 7, person, LAB.looks),
            still,
            draw_shot(np.random.default_rng(person), LAB.capture),
            LAB.capture,
        )
        for person in range(2)
    ]
    masks = np.stack([shot.masks for shot in shots])
    landmarks = [shot.landmarks for shot in shots]
    exact = regions_of(faces_of(masks=masks, mask_aus=facs.AUS, pictures=2, size=48), np.arange(2), facs.AUS)
    around = regions_of(faces_of(landmarks, pictures=2, size=48), np.arange(2), facs.AUS)
    both = (around[:, :, None] & exact[:, None]).sum(axis=(0, 3, 4))
    hits = both / around.sum(axis=(0, 2, 3))[:, None]
    lifts = hits / exact.mean(axis=(0, 2, 3))
    for place, au in enumerate(facs.AUS):
        assert lifts[place, place] > 1.5, au
        assert lifts[place, place] > 1.2 * np.delete(lifts[place], place).mean(), au


def test_what_is_not_known_is_refused():
    with pytest.raises(DataError, match="'made' has neither masks nor landmarks"):
        regions_of(faces_of(), [0], ["AU1"])
    assert region_aus(faces_of()) == ()
    with pytest.raises(DataError, match=r"no region of 'AU99'.*landmarks give AU1, AU2"):
        regions_of(faces_of([frontal_face()]), [0], ["AU99"])
    with pytest.raises(DataError, match="index 1 is out of range"):
        regions_of(faces_of([frontal_face()]), [1], ["AU1"])


def test_damaged_landmarks_are_named_by_their_row():
    lost, blind = frontal_face(), frontal_face()
    lost[3] = np.nan
    blind[36:48] = 5
    faces = faces_of([frontal_face(), lost, blind], pictures=3)
    with pytest.raises(DataError, match="row 1: landmarks that are not numbers"):
        regions_of(faces, [0, 1], ["AU1"])
    with pytest.raises(DataError, match=r"row 2: the eyes' landmarks are 0\.00 pixels apart"):
        regions_of(faces, [2], ["AU1"])


def test_no_picture_gives_no_region():
    assert regions_of(faces_of([frontal_face()]), [], ["AU1"]).shape == (0, 1, SIZE, SIZE)


def test_rivals_are_as_large_as_the_own_region_beside_it_and_on_moving_skin():
    regions = np.zeros((1, 5, 12, 12), bool)
    regions[0, 0, 2:5, 0:4] = True  # 12 pixels: the own one
    regions[0, 1, 2:5, 0:5] = True  # the same skin but for a column
    regions[0, 2, 10, 10] = True  # one pixel, which grows
    regions[0, 3, 4:10, 1:9] = True  # 48 pixels, of which 3 are the own region's, which shrink
    rivals = rival_regions(regions, np.array([0]))[0]
    assert rivals.sum(axis=(1, 2)).tolist() == [0, 0, 12, 12, 0]
    assert not (rivals & regions[0, 0]).any() and not (rivals & ~regions.any(axis=1)[0]).any()
    assert rivals[2][10, 10] and not rivals[2][:6].any(), "those nearest to the pixel"
    rows, columns = np.nonzero(rivals[3])
    assert rows.min() > 4 and rows.max() < 9 and columns.min() > 1 and columns.max() < 8, "its innermost"


def test_no_rival_where_the_moving_skin_does_not_suffice_or_the_own_region_is_hidden():
    regions = np.zeros((2, 2, 6, 6), bool)
    regions[0, 0, :5] = regions[:, 1, 5] = True
    assert not rival_regions(regions, np.array([0, 0])).any()
    assert rival_regions(regions, np.array([1, 1])).sum(axis=(1, 2, 3)).tolist() == [6, 0]
