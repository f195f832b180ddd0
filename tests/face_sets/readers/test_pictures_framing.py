"""Real faces are framed as the synthetic ones are: the formula of the readers against the renderer itself."""

from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest

from face_sets.faceset import FaceSet
from face_sets.readers.pictures import cut_out, find_face, landmark_window
from synthetic_faces import facs
from synthetic_faces.assets import load_assets
from synthetic_faces.capture import Capture, draw_shot
from synthetic_faces.domains import LAB
from synthetic_faces.people import draw_person
from synthetic_faces.render import Renderer
from tests.face_sets.readers.test_every_reader import SOURCES, face_set, function
from tests.face_sets.readers.writers.every import export_faces

# Framed by landmarks or a detector; casme2 and own are written as crops.
FRAMED = [name for name, source in SOURCES.items() if not source.sizes and name not in ("casme2", "own")]

SIZE = 96
PEOPLE = 8


@pytest.fixture(scope="module")
def shoot(face_cache):
    assets = load_assets(face_cache)
    renderer = Renderer(assets, SIZE, antialias=1, cache=face_cache)

    def shot_of(subject: int, window: float, action: str = ""):
        intensities = np.zeros((len(facs.AUS), 2))
        if action:
            intensities[list(facs.AUS).index(action)] = 1
        capture = Capture(pose=0.0, window=window)
        shot = draw_shot(np.random.default_rng(subject), capture)
        return renderer.render(draw_person(assets, 7, subject), intensities, shot, capture)

    return shot_of


def test_the_window_of_a_rendered_face_is_its_picture(shoot):
    windows = [landmark_window(shoot(k, Capture().window).landmarks) for k in range(PEOPLE)]
    edges = np.array([(w.left, w.top, w.left + w.side - SIZE, w.top + w.side - SIZE) for w in windows])
    assert np.abs(edges.mean(axis=0)).max() < 0.03 * SIZE
    assert np.abs(edges).max() < 0.05 * SIZE


def test_a_dropped_jaw_moves_the_window_only_without_the_face_at_rest(shoot):
    rest, shown = shoot(0, Capture().window).landmarks, shoot(0, Capture().window, "AU26").landmarks
    at_rest, alone, with_rest = landmark_window(rest), landmark_window(shown), landmark_window(shown, rest)
    assert alone.side > 1.02 * at_rest.side
    assert with_rest.side == at_rest.side
    assert (with_rest.left, with_rest.top) == pytest.approx((at_rest.left, at_rest.top), abs=0.5)


@pytest.fixture(scope="module")
def people(face_cache):
    """Three people at rest: with room around them (160 px), with landmarks; and as ``lab`` renders them."""
    assets = load_assets(face_cache)
    capture = replace(LAB.capture, pose=0.0, noise=(0.0, 0.0), blur=(0.0, 0.0))
    wide, meant = [], []
    for pictures, size, half in ((wide, 160, 0.14), (meant, SIZE, capture.window)):
        renderer = Renderer(assets, size, antialias=1, cache=face_cache)
        for k in range(3):
            own = replace(capture, window=half)
            shot = draw_shot(np.random.default_rng(k), own)
            who = draw_person(assets, 7, k, LAB.looks)
            pictures.append(renderer.render(who, np.zeros((len(facs.AUS), 2)), shot, own))
    return wide, meant


@pytest.mark.parametrize(("name", "landmarks"), [("ckplus", True), *((name, False) for name in FRAMED)])
def test_a_face_comes_back_from_each_layout_as_large_as_it_is_rendered(people, name, landmarks, tmp_path):
    """Eyes as far apart, in pixels, to 5 % on average and 10 % each: the detector's box spreads by 3 %."""
    wide, meant = people
    given = face_set(160)
    who = given.table["subject"].str[-1].astype(int).to_numpy()
    points = np.array([wide[k].landmarks for k in who]) if landmarks else None
    pixels = np.array([wide[k].pixels for k in who])
    folder = export_faces(FaceSet("lab", pixels, given.table, landmarks=points), name, tmp_path)
    back = function(SOURCES[name].reader)(folder, SIZE)
    pairs = zip(pd.factorize(back.table["subject"], sort=True)[0], back.pixels, strict=True)
    scales = [magnified(meant[k].pixels, picture) for k, picture in pairs]
    assert abs(np.mean(scales) - 1) < 0.05 and np.abs(np.array(scales) - 1).max() < 0.1


def magnified(first: np.ndarray, second: np.ndarray) -> float:
    """How much larger what ``first`` shows is in ``second``."""
    warp = np.eye(2, 3, dtype=np.float32)
    _, warp = cv2.findTransformECC(first, second, warp, cv2.MOTION_AFFINE)
    return float(np.sqrt(np.linalg.det(warp[:, :2])))


def test_the_detector_finds_the_window_that_the_landmarks_give(shoot):
    """Of a picture with room around the face, its crop is about the picture that would have been rendered."""
    apart, alike, moved = [], [], []
    for k in range(PEOPLE):
        wide = shoot(k, 0.14)
        found, meant = find_face(wide.pixels), landmark_window(wide.landmarks)
        assert found is not None
        apart.append(
            [
                found.left + found.side / 2 - meant.left - meant.side / 2,
                found.top + found.side / 2 - meant.top - meant.side / 2,
                found.side - meant.side,
            ]
        )
        assert np.abs(np.array(apart[-1])).max() < 0.2 * meant.side
        crop = cut_out(wide.pixels, meant, SIZE // 2)
        close = shoot(k, Capture().window).pixels.reshape(SIZE // 2, 2, SIZE // 2, 2).mean(axis=(1, 3))
        alike.append(np.corrcoef(crop.ravel(), close.ravel())[0, 1])
        moved.append(np.corrcoef(np.roll(crop, 4, axis=0).ravel(), close.ravel())[0, 1])
    assert np.abs(np.mean(apart, axis=0)).max() < 0.05 * SIZE
    assert np.mean(alike) > 0.85 and (np.array(alike) > moved).all()
