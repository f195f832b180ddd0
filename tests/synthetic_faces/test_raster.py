import numpy as np
import pytest
import warp as wp

from synthetic_faces.assets import EYE, LASH, SKIN
from synthetic_faces.raster import UNCOVERED, comb, draw

SIZE = 16


def drawn(places, corners, groups, steps=1):
    """Depths (in [0, 2], 2 where nothing is) and triangles (-1 where none) on a grid of 16 pixels."""
    wp.init()
    points = wp.array(np.asarray(places, np.float32), dtype=wp.vec3, device="cpu")
    corners = wp.array(np.ravel(corners).astype(np.int32), dtype=wp.int32, device="cpu")
    groups = wp.array(np.asarray(groups, np.uint8), dtype=wp.uint8, device="cpu")
    words = wp.full((steps * SIZE, steps * SIZE), UNCOVERED, dtype=wp.uint64, device="cpu")
    wp.launch(draw, len(groups), [corners, groups, points, steps], [words], device="cpu")
    strips = wp.zeros(words.shape, dtype=wp.int32, device="cpu")
    lashes = wp.array(np.flatnonzero(groups.numpy() == LASH), dtype=wp.int32, device="cpu")
    wp.launch(comb, len(lashes), [lashes, corners, points, steps, words], [strips], device="cpu")
    found = words.numpy()
    triangle = (found & np.uint64(0xFFFFFFFF)).astype(np.uint32).astype(np.int32)
    return (found >> np.uint64(32)).astype(float) / 2**31, triangle, strips.numpy()


def fan(depth):
    """Triangles around a point, at ``depth``, that cover the grid and more, their fronts to the viewer."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    rim = np.stack([7.3 + 20 * np.cos(angle), 8.1 - 20 * np.sin(angle), np.full(24, depth)], axis=1)
    corners = [(0, 1 + i, 1 + (i + 1) % 24) for i in range(24)]
    return np.concatenate([[(7.3, 8.1, depth)], rim]), np.array(corners)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_neighbours_leave_no_gap_and_reach_no_further_than_they_are(steps):
    places, corners = fan(0.5)
    depth, triangle, _ = drawn(places, corners, [SKIN] * 24, steps)
    np.testing.assert_allclose(depth, 0.5, atol=1e-6)
    rows, columns = (np.mgrid[: steps * SIZE, : steps * SIZE] + 0.5) / steps
    turn = np.arctan2(8.1 - rows, columns - 7.3) % (2 * np.pi)
    # A sample on an edge may be either neighbour's.
    inner = np.abs(turn / (np.pi / 12) - np.round(turn / (np.pi / 12))) > 1e-3
    np.testing.assert_array_equal(triangle[inner], (turn // (np.pi / 12)).astype(int)[inner])


def test_the_nearest_is_seen_whichever_is_drawn_first():
    near, far = fan(0.4), fan(0.6)
    half = np.array([(0, 0, 0.2), (0, 40, 0.7), (40, 0, 0.2)])
    for first, second in ((near, far), (far, near)):
        places = np.concatenate([first[0], second[0], half])
        corners = np.concatenate([first[1], second[1] + 25, [[50, 51, 52]]])
        depth, triangle, _ = drawn(places, corners, [SKIN] * 48 + [EYE])
        rows = np.mgrid[:SIZE, :SIZE][0] + 0.5
        slope = 0.2 + rows * 0.5 / 40
        np.testing.assert_allclose(depth, np.minimum(slope, 0.4), atol=1e-6)
        np.testing.assert_array_equal(triangle == 48, slope < 0.4)


def test_skin_has_one_side_and_lashes_only_count():
    places, corners = fan(0.5)
    away = corners[:, ::-1]
    assert (drawn(places, away, [SKIN] * 24)[1] == -1).all()
    assert (drawn(places, away, [EYE] * 24)[1] >= 0).all()
    strip = np.array([(-40, -40, 0.3), (-40, 80, 0.7), (80, -40, 0.3)])
    _, triangle, strips = drawn(
        np.concatenate([places, strip, strip]),
        np.concatenate([corners, [[25, 26, 27], [28, 29, 30]]]),
        [SKIN] * 24 + [LASH] * 2,
    )
    assert (triangle < 24).all()
    rows = np.mgrid[:SIZE, :SIZE][0] + 0.5
    np.testing.assert_array_equal(strips, 2 * (0.3 + (rows + 40) * 0.4 / 120 < 0.5))


def test_a_triangle_that_covers_one_sample_is_drawn_there():
    places = np.array([(5.2, 7.9, 0.5), (5.8, 7.9, 0.5), (5.5, 7.1, 0.5)])
    triangle = drawn(places, [(0, 1, 2)], [SKIN])[1]
    assert [*zip(*np.nonzero(triangle >= 0), strict=True)] == [(7, 5)]
