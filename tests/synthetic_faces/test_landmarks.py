import dataclasses

import numpy as np
import pytest

from synthetic_faces.capture import Capture, draw_shot
from synthetic_faces.errors import AssetError
from synthetic_faces.facs import action_weights
from synthetic_faces.landmarks import LANDMARK_VERTICES, landmark_vertices
from synthetic_faces.people import draw_person
from synthetic_faces.render import Renderer
from tests.synthetic_faces.plain_shot import MIRRORED, shown

JAW, BROWS, NOSE, EYES, LIPS = (slice(*ends) for ends in ((0, 17), (17, 27), (27, 36), (36, 48), (48, 68)))


@pytest.fixture(scope="module")
def points(head):
    return head.template[landmark_vertices(head)]


def test_there_are_68_of_which_each_has_its_counterpart_on_the_other_half(points):
    assert len(LANDMARK_VERTICES) == len(set(LANDMARK_VERTICES)) == len(MIRRORED) == 68
    assert [MIRRORED[i] for i in MIRRORED] == list(range(68))
    np.testing.assert_allclose(points[list(MIRRORED)], points * (-1, 1, 1), atol=1e-4)


def test_the_order_is_that_of_ibug(points):
    x, z = points[:, 0], points[:, 2]
    # The subject's right (-x) comes first along the jaw, the brows and the lips.
    assert (np.diff(x[JAW]) > 0).all()
    assert (np.diff(x[BROWS]) > 0).all()
    assert z[8] == z[JAW].min()
    assert (np.diff(z[27:31]) < 0).all()
    assert (np.diff(x[31:36]) > 0).all()
    for eye in (36, 42):
        # Outer corner of the right eye and inner corner of the left one are first.
        corners, upper, lower = (eye, eye + 3), (eye + 1, eye + 2), (eye + 5, eye + 4)
        assert x[corners[0]] < x[upper[0]] < x[upper[1]] < x[corners[1]]
        assert z[list(upper)].min() > z[list(corners)].max() - 1e-3
        assert z[list(lower)].max() < z[list(upper)].min()
    assert (np.diff(x[48:55]) > 0).all()
    assert (np.diff(x[54:60]) < 0).all()
    assert z[49:54].min() > z[60:65].max() - 1e-3
    assert z[55:60].max() < z[65:68].min()


def test_lids_and_lips_go_with_what_opens_and_closes(head):
    rows = landmark_vertices(head)
    names = head.action_names.tolist()

    def moved(action):
        return head.actions[names.index(action)][rows]

    opened = moved("jawOpen")[:, 2]
    assert opened[66] < -0.02 < opened[62]
    assert (opened[[56, 57, 58, 8]] < -0.015).all()
    closed = moved("eyeBlinkLeft")[:, 2]
    assert (closed[[43, 44]] < -0.003).all()
    assert np.abs(closed[36:42]).max() < 1e-4
    assert (moved("browInnerUp")[[21, 22], 2] > 0.003).all()


def test_a_head_without_a_landmark_is_refused(head):
    gone = dataclasses.replace(
        head, vertex_ids=np.where(head.vertex_ids == LANDMARK_VERTICES[30], -1, head.vertex_ids)
    )
    with pytest.raises(AssetError, match=str(LANDMARK_VERTICES[30])):
        landmark_vertices(gone)


def turn(yaw, pitch, roll):
    def about(axis, angle):
        i, j = [k for k in range(3) if k != axis]
        matrix = np.eye(3)
        matrix[i, i] = matrix[j, j] = np.cos(angle)
        matrix[i, j], matrix[j, i] = -np.sin(angle), np.sin(angle)
        return matrix

    # Positive pitch lifts the face, positive roll tips the crown to the left, +x.
    return about(2, yaw) @ about(0, -pitch) @ about(1, -roll)


@pytest.mark.parametrize("subject", [0, 4])
@pytest.mark.parametrize("follow", [0.0, 0.7])
def test_landmarks_are_the_projected_points_of_the_moved_head(subject, follow, head):
    """The head turns before a fixed camera here; in the renderer the camera goes round the head."""
    size, person = 80, draw_person(head, 0, subject)
    capture = Capture(pose=2, crop=0.1, zoom=0.1, tilt=0.2, follow=follow, centre=0.3, window=0.09)
    shot = draw_shot(np.random.default_rng(subject), capture)
    dropped = shown(AU27=1)
    ours = Renderer(head, size, antialias=1).render(person, dropped, shot, capture).landmarks

    weights = action_weights(dropped, person.muscles.units, head.action_names.tolist())
    vertices = head.express(person.vertices, weights).astype(np.float64)
    neutral = person.vertices.astype(np.float64)
    eyeballs = np.isin(head.vertex_ids, range(14598, 14742))
    eyes, lips = neutral[eyeballs].mean(axis=0), neutral[head.regions[:, 0] > 0.5].mean(axis=0)
    scale = 0.5 * (eyes[2] - lips[2]) / 0.0664
    scale += 0.5 * neutral[eyeballs, 0].std() / head.template[eyeballs, 0].std(dtype=np.float64)
    pivot = eyes + np.array((0, 0.09, -0.06))
    rotation = turn(shot.yaw, shot.pitch, shot.roll)
    centre = np.array([eyes[0], eyes[1], eyes[2] + 0.3 * (lips[2] - eyes[2])])
    centre += (shot.shift[0], 0, shot.shift[1])
    turned = (vertices[landmark_vertices(head)] - pivot) @ rotation.T + pivot
    # The camera stands 1.3 m before the picture's middle, wherever the crop has gone with the face.
    window = 0.09 * scale * shot.zoom
    tilted = turn(0, 0, shot.tilt)
    gone = follow * (rotation @ (centre - pivot) + pivot - centre)
    right, up, ahead = tilted @ (1, 0, 0), tilted @ (0, 0, 1), np.array((0.0, 1.0, 0.0))
    middle = centre + (gone @ right + window * shot.offset[0]) * right
    middle = middle + (gone @ up + window * shot.offset[1]) * up
    away = turned - (middle - 1.3 * ahead)
    across, height = (1.3 * (away @ axis) / (away @ ahead) / window for axis in (right, up))
    expected = size / 2 * np.stack([1 + across, 1 - height], axis=1)

    # Droop and lids move the landmarks of the eyes; they are left out of this reckoning.
    still = np.r_[0:36, 48:68]
    np.testing.assert_allclose(ours[still], expected[still], atol=0.02)
    assert ours.dtype == np.float32
    assert ours.shape == (68, 2)
