"""Optical flow: displacements that are known, and the grid that they are averaged over."""

import cv2
import numpy as np
import pandas as pd
import pytest

from book.micro_expressions.optical_flow import displacements, flow_features
from fer_lib.faces.clips import clips_of
from fer_lib.faces.faceset import FaceSet

SIDE = 48


def texture() -> np.ndarray:
    """Smooth random grey values: flow needs something to hold on to."""
    noise = np.random.default_rng(0).normal(size=(SIDE, SIDE)).astype(np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), 2)
    return cv2.normalize(blurred, None, 20, 235, cv2.NORM_MINMAX)


def moved(picture: np.ndarray, right: float, down: float, inside: np.ndarray | None = None) -> np.ndarray:
    """``picture`` with what lies ``inside`` (all of it) moved by so many pixels."""
    rows, columns = np.indices(picture.shape, dtype=np.float32)
    share = np.ones_like(picture) if inside is None else inside.astype(np.float32)
    return cv2.remap(
        picture, columns - right * share, rows - down * share, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )


def grey(*pictures: np.ndarray) -> np.ndarray:
    return np.clip(np.round(np.stack(pictures)), 0, 255).astype(np.uint8)


def clip(*pictures: np.ndarray, apex: int):
    table = pd.DataFrame({"frame": range(len(pictures))}).assign(
        dataset="micro",
        subject="s",
        sequence="1",
        emotion="other",
        split="train",
        onset=0,
        apex=apex,
        offset=len(pictures) - 1,
        fps=200.0,
    )
    return clips_of(FaceSet("micro", grey(*pictures), table))


def corner() -> np.ndarray:
    """True in the lower right quarter, with a soft edge."""
    inside = np.zeros((SIDE, SIDE), np.float32)
    inside[SIDE // 2 :, SIDE // 2 :] = 1
    return cv2.GaussianBlur(inside, (0, 0), 2)


def test_a_part_that_moves_is_found_with_its_direction():
    first = texture()
    flow = displacements(grey(first), grey(moved(first, 1.5, -0.75, corner())))[0]
    np.testing.assert_allclose(flow[32:44, 32:44].mean(axis=(0, 1)), [1.5, -0.75], atol=0.2)
    assert np.abs(flow[4:16, 4:16]).mean() < 0.1


def test_a_head_that_moves_as_a_whole_counts_for_nothing():
    first = texture()
    plain = displacements(grey(first), grey(first))
    assert plain.shape == (1, SIDE, SIDE, 2) and plain.dtype == np.float32
    # Also at the edges, where the algorithm alone would see 0.4 pixels.
    assert np.abs(plain).max() < 1e-3
    flow = displacements(grey(first), grey(moved(first, 1, 1)))
    assert np.abs(flow[:, 6:-6, 6:-6]).mean() < 0.15
    np.testing.assert_allclose(np.median(flow, axis=(1, 2)), 0, atol=1e-6)


def test_features_go_from_the_onset_to_the_apex():
    first = texture()
    right, down = moved(first, 1.5, 0, corner()), moved(first, 0, 1.5, corner())
    for apex, expected in ((1, (1.5, 0)), (2, (0, 1.5))):
        features = flow_features(clip(first, right, down, first, apex=apex), np.array([apex]))
        assert features.shape == (1, 108) and features.dtype == np.float32
        inside, outside = features.reshape(6, 6, 3)[4, 4], features.reshape(6, 6, 3)[1, 1]
        np.testing.assert_allclose(inside[:2], expected, atol=0.2)
        assert inside[2] == pytest.approx(1.5, abs=0.2) and np.abs(outside).max() < 0.05


@pytest.mark.parametrize("cells", [1, 5, 48])
def test_cells_are_means_over_their_pixels(cells):
    first = texture()
    second = moved(first, 1.5, 1, corner())
    flow = displacements(grey(first), grey(second))[0]
    found = flow_features(clip(first, second, first, apex=1), np.array([1]), cells).reshape(cells, cells, 3)
    edges = [number * SIDE // cells for number in range(cells + 1)]
    for i in range(cells):
        for j in range(cells):
            part = flow[edges[i] : edges[i + 1], edges[j] : edges[j + 1]].reshape(-1, 2)
            expected = [*part.mean(axis=0), np.mean([np.hypot(*pixel) for pixel in part])]
            np.testing.assert_allclose(found[i, j], expected, rtol=1e-4, atol=1e-5)
