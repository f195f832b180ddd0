"""TFD: its MATLAB file, the folds, and each way a copy can be broken."""

import numpy as np
import pytest
from scipy.io import savemat

from face_sets.faceset import FaceSet
from face_sets.readers.tfd import TFD_CODES, read_tfd
from ferbook.errors import DataError
from tests.face_sets.readers.writers.tfd import write_tfd
from tests.made import made_faces

N = 12


def arrays(side=48) -> dict:
    """Twelve pictures: row 5 is unlabelled, row 3 shows nobody known; emotions run 1 to 7."""
    labels = np.array([k % 7 + 1 for k in range(N)])
    labels[5] = -1
    people = np.array([10 + k // 3 for k in range(N)])
    people[3] = -1
    folds = np.array([[(k + fold) % 3 + 1 for fold in range(5)] for k in range(N)])
    folds[5] = 0
    images = np.repeat(np.arange(N, dtype=np.uint8) * 20, side * side).reshape(N, side, side)
    return {"images": images, "labs_ex": labels[:, None], "labs_id": people[:, None], "folds": folds}


def write(folder, name="TFD_48x48.mat", side=48, **changed):
    folder.mkdir(exist_ok=True)
    content = {key: value for key, value in (arrays(side) | changed).items() if value is not None}
    savemat(folder / name, content)
    return folder


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "tfd"


def test_the_official_file(folder):
    faces = read_tfd(write(folder), 48)
    table = faces.table
    rows = [k for k in range(N) if k != 5]
    assert faces.pixels[:, 0, 0].tolist() == [20 * k for k in rows] and faces.size == (48, 48)
    assert table["sequence"].tolist() == [f"{k:06d}" for k in rows]
    names = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
    assert table["emotion"].tolist() == [names[k % 7] for k in rows]
    assert table["subject"].tolist() == ["" if k == 3 else f"tfd-{10 + k // 3}" for k in rows]
    for fold in range(5):
        meant = [("train", "valid", "test")[(k + fold) % 3] for k in rows]
        assert table[f"fold{fold + 1}"].tolist() == meant
    assert (table["split"] == table["fold1"]).all()
    assert faces.left_out == {"pictures without an emotion": 1}


def test_the_file_nearer_to_the_size_is_read(folder):
    write(folder)
    assert read_tfd(folder, 96).pixels[:2, 50, 50].tolist() == [0, 20]  # resampled
    write(folder, "TFD_96x96.mat", 96, images=np.full((N, 96, 96), 7, np.uint8))
    assert read_tfd(folder, 48).pixels[1, 0, 0] == 20
    assert set(read_tfd(folder, 96).pixels.ravel().tolist()) == {7}
    (folder / "TFD_48x48.mat").unlink()
    assert set(read_tfd(folder, 48).pixels.ravel().tolist()) == {7}


def test_numbers_kept_as_double_and_rows_across_are_read(folder):
    given = arrays()
    same = read_tfd(write(folder), 48)
    write(folder, images=given["images"].astype(float), labs_ex=given["labs_ex"].T.astype(float))
    assert read_tfd(folder, 48).checksum == same.checksum


def test_absent_and_foreign_files(folder):
    with pytest.raises(DataError, match=r"TFD_48x48\.mat or TFD_96x96\.mat not found"):
        read_tfd(folder, 48)
    folder.mkdir()
    (folder / "TFD_48x48.mat").write_text("not MATLAB")
    with pytest.raises(DataError, match=r"TFD_48x48\.mat: not a readable MATLAB file"):
        read_tfd(folder, 48)
    newer = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    (folder / "TFD_48x48.mat").write_bytes(newer + bytes(600))
    with pytest.raises(DataError, match=r"TFD_48x48\.mat: a MATLAB 7\.3 file"):
        read_tfd(folder, 48)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.999])
def test_a_file_cut_short_is_named(folder, share):
    path = write(folder) / "TFD_48x48.mat"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DataError, match=r"TFD_48x48\.mat: "):
        read_tfd(folder, 48)


def face_set(side=48, **columns) -> FaceSet:
    columns = {
        "subject": [f"lab-{k % 4}" for k in range(N)],
        "emotion": [TFD_CODES[k % 7] for k in range(N)],
        "split": [("train", "valid", "test", "train")[k % 4] for k in range(N)],
    } | columns
    pixels = np.random.default_rng(0).integers(0, 256, (N, side, side)).astype(np.uint8)
    return made_faces(pixels, "lab", **columns)


def test_folds_unlabelled_and_nobody_survive(tmp_path):
    folds = {f"fold{k}": [("train", "valid", "test")[(i + k) % 3] for i in range(N)] for k in range(1, 6)}
    emotion = ["" if k == 2 else TFD_CODES[k % 7] for k in range(N)]
    faces = face_set(emotion=emotion, subject=["" if k == 7 else "tfd-7" for k in range(N)], **folds)
    write_tfd(faces, tmp_path)
    again = read_tfd(tmp_path, 48)
    kept = [k for k in range(N) if k != 2]
    assert again.left_out == {"pictures without an emotion": 1}
    assert again.table["subject"].tolist() == ["" if k == 7 else "tfd-7" for k in kept]
    for name, column in folds.items():
        assert again.table[name].tolist() == [column[k] for k in kept]


def test_other_sizes_are_resampled(tmp_path):
    write_tfd(face_set(64), tmp_path)
    assert (tmp_path / "TFD_96x96.mat").exists() and read_tfd(tmp_path, 96).size == (96, 96)
