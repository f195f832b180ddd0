"""LBP-TOP against a loop over voxels that interpolates with SciPy; optical flow of known displacements."""

import math

import cv2
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from book.micro_expressions import descriptors
from book.micro_expressions.descriptors import candidate_features, displacements, lbp_top, uniform_patterns
from ferbook.errors import DataError, ParameterError
from tests.book.micro_expressions.made_clips import made_clips


def noise(frames: int = 6, side: int = 11, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, side, side), dtype=np.uint8)


def code_at(volume: np.ndarray, t: int, y: int, x: int, plane: str, radii: tuple[int, int, int]) -> int:
    """As Zhao and Pietikäinen write it down, one voxel at a time."""
    rx, ry, rt = radii
    code = 0
    for k in range(8):
        cos, sin = math.cos(2 * math.pi * k / 8), math.sin(2 * math.pi * k / 8)
        place = {
            "xy": (t, y + ry * sin, x + rx * cos),
            "xt": (t + rt * sin, y, x + rx * cos),
            "yt": (t + rt * sin, y + ry * cos, x),
        }[plane]
        value = map_coordinates(volume.astype(float), [[at] for at in place], order=1)[0]
        code += (value >= float(volume[t, y, x]) - descriptors.EQUAL_WITHIN) << k
    return code


@pytest.mark.parametrize("radii", [(1, 1, 1), (2, 1, 2), (1, 3, 1)])
@pytest.mark.parametrize("plane", descriptors.PLANES)
def test_codes_equal_those_of_a_loop(plane, radii):
    volume = noise()
    rx, ry, rt = radii
    codes = descriptors.plane_codes(volume, plane, radii)
    assert codes.shape == (6 - 2 * rt, 11 - 2 * ry, 11 - 2 * rx)
    for (t, y, x), code in np.ndenumerate(codes):
        assert code == code_at(volume, t + rt, y + ry, x + rx, plane, radii)


def test_uniform_patterns_by_hand():
    bins = uniform_patterns()
    assert len(bins) == 256 and np.unique(bins).tolist() == list(range(59))
    assert (bins == 58).sum() == 256 - 58
    for uniform in (0b00000000, 0b11111111, 0b00011100, 0b10000011):
        assert bins[uniform] < 58
    for other in (0b00000101, 0b10101010, 0b10011000 | 1 << 5 | 1):
        assert bins[other] == 58


def test_a_flat_clip_has_one_pattern_and_a_flash_another_in_time_only():
    flat = np.full((5, 9, 9), 77, np.uint8)
    bins = uniform_patterns()
    features = lbp_top(made_clips([flat]), blocks=2).reshape(4, 3, 59)
    assert (features[:, :, bins[255]] == 1).all() and features.sum() == 12
    flash = flat.copy()
    flash[2] = 200
    features = lbp_top(made_clips([flash]), blocks=1).reshape(3, 59)
    assert features[0, bins[255]] == 1
    # At the flash only the two neighbours in the same frame are as bright: angles 0 and 180 degrees.
    for plane in (1, 2):
        assert features[plane, bins[0b00010001]] == pytest.approx(1 / 3)


def test_histograms_are_counted_block_by_block():
    volumes = [noise(6), noise(4, seed=1)]
    radii, blocks = (1, 2, 1), 3
    features = lbp_top(made_clips(volumes), blocks, radii)
    assert features.shape == (2, 3 * 3 * 3 * 59) and features.dtype == np.float32
    bins = uniform_patterns()
    for volume, found in zip(volumes, features.reshape(2, 9, 3, 59), strict=True):
        for plane, name in enumerate(descriptors.PLANES):
            codes = descriptors.plane_codes(volume, name, radii)
            height, width = codes.shape[1:]
            counts = np.zeros((9, 59))
            for (_, y, x), code in np.ndenumerate(codes):
                # Block b begins at the first pixel at or above b/3 of the side.
                counts[int(y * blocks / height) * blocks + int(x * blocks / width), bins[code]] += 1
            np.testing.assert_allclose(found[:, plane], counts / counts.sum(axis=1, keepdims=True), rtol=1e-6)


def test_radii_are_tried_that_every_clip_is_long_enough_for():
    clips = made_clips([noise(9), noise(5, seed=1)])
    tried = candidate_features(clips, 2)
    assert list(tried) == ["radii 1, 1, 1", "radii 1, 1, 2"]
    np.testing.assert_array_equal(tried["radii 1, 1, 2"], lbp_top(clips, 2, (1, 1, 2)))
    assert len(candidate_features(made_clips([noise(9)]), 2)) == 3
    with pytest.raises(DataError, match="has 2 frames"):
        candidate_features(made_clips([noise(2)]), 2)


def test_short_clips_and_wrong_radii_are_refused():
    clips = made_clips([noise(6), noise(3)])
    with pytest.raises(DataError, match=r"clip 1 of s01 has 3 frames.*radius 2 need 5"):
        lbp_top(clips, 2, (1, 1, 2))
    assert lbp_top(clips, 2, (1, 1, 1)).shape == (2, 708)
    for blocks, radii in ((0, (1, 1, 1)), (10, (1, 1, 1)), (2, (0, 1, 1)), (1, (1, 6, 1))):
        with pytest.raises(ParameterError, match=f"blocks {blocks} and radii"):
            lbp_top(clips, blocks, radii)


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
    places = columns - right * share, rows - down * share
    return cv2.remap(picture, *places, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def grey(*pictures: np.ndarray) -> np.ndarray:
    return np.clip(np.round(np.stack(pictures)), 0, 255).astype(np.uint8)


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


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_pictures_that_are_no_bytes_are_refused(dtype):
    """Of pictures from 0 to 1 OpenCV finds no motion at all, and says nothing."""
    still = grey(texture())
    for pair in ((still.astype(dtype), still), (still, still.astype(dtype))):
        with pytest.raises(DataError, match=f"{np.dtype(dtype)}.*uint8"):
            displacements(*pair)


def test_features_go_from_the_onset_to_the_apex():
    first = texture()
    right, down = moved(first, 1.5, 0, corner()), moved(first, 0, 1.5, corner())
    for apex, expected in ((1, (1.5, 0)), (2, (0, 1.5))):
        clips = made_clips([grey(first, right, down, first)], apex=apex)
        features = descriptors.flow_features(clips, np.array([apex]))
        assert features.shape == (1, 108) and features.dtype == np.float32
        inside, outside = features.reshape(6, 6, 3)[4, 4], features.reshape(6, 6, 3)[1, 1]
        np.testing.assert_allclose(inside[:2], expected, atol=0.2)
        assert inside[2] == pytest.approx(1.5, abs=0.2) and np.abs(outside).max() < 0.05


@pytest.mark.parametrize("cells", [1, 5, 48])
def test_cells_are_means_over_their_pixels(cells):
    first = texture()
    second = moved(first, 1.5, 1, corner())
    flow = displacements(grey(first), grey(second))[0]
    clips = made_clips([grey(first, second, first)])
    found = descriptors.flow_features(clips, np.array([1]), cells).reshape(cells, cells, 3)
    edges = [number * SIDE // cells for number in range(cells + 1)]
    for i in range(cells):
        for j in range(cells):
            part = flow[edges[i] : edges[i + 1], edges[j] : edges[j + 1]].reshape(-1, 2)
            expected = [*part.mean(axis=0), np.mean([np.hypot(*pixel) for pixel in part])]
            np.testing.assert_allclose(found[i, j], expected, rtol=1e-4, atol=1e-5)
