"""Real faces are framed as the synthetic ones are: the formula of the readers against the renderer itself."""

import numpy as np
import pytest

from fer_lib.faces.readers.pictures import cut_out, find_face, landmark_window
from synthetic_faces import facs
from synthetic_faces.assets import load_assets
from synthetic_faces.capture import Capture, draw_shot
from synthetic_faces.people import draw_person
from synthetic_faces.render import Renderer

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
