"""Exports: a layout appears whole or not at all, and says that it is not the official one."""

import numpy as np
import pandas as pd
import pytest

from fer_lib.faces import registry
from fer_lib.faces.export import export_faces, export_folder, leave_out
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers import fer2013
from ferbook.errors import DataError, ParameterError
from synthetic_faces.versions import versioned


@pytest.fixture
def faces() -> FaceSet:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 48, 48), dtype=np.uint8)
    table = pd.DataFrame(
        {
            "dataset": "wild",
            "subject": [f"wild-S{i // 2}" for i in range(6)],
            "sequence": [f"s{i}" for i in range(6)],
            "frame": 0,
            "emotion": ["anger", "fear"] * 3,
            "split": ["train", "train", "valid", "valid", "test", "test"],
        }
    )
    return FaceSet("wild", pixels, table)


def test_what_is_exported_is_found_read_and_marked(faces, tmp_path, monkeypatch):
    folder = export_faces(faces, "fer2013", tmp_path / "data")
    assert folder == tmp_path / "data" / "fer2013"
    monkeypatch.setenv("FER_DATA", str(tmp_path / "data"))
    again = registry.read_anew(registry.FaceRequest("fer2013"))
    order = np.argsort(faces.pixels[:, 0, 0]), np.argsort(again.pixels[:, 0, 0])
    np.testing.assert_array_equal(faces.pixels[order[0]], again.pixels[order[1]])
    assert registry.source_status("fer2013")["exported_from"] == versioned("wild")
    with pytest.raises(DataError, match="exists already"):
        export_faces(faces, "fer2013", tmp_path / "data")


@pytest.mark.parametrize("layout", ["lab", "fer2012", "a/b", "../fer2013"])
def test_a_layout_that_is_none_is_refused(faces, tmp_path, layout):
    with pytest.raises(ParameterError, match=layout):
        export_faces(faces, layout, tmp_path / "data")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "fault", [OSError(28, "No space left on device"), DataError("no"), KeyboardInterrupt]
)
def test_a_failure_leaves_nothing(faces, tmp_path, monkeypatch, fault):
    def half(faces, folder):
        (folder / "fer2013.csv").write_text("half")
        raise fault

    monkeypatch.setattr(fer2013, "write_fer2013", half)
    with pytest.raises(DataError if isinstance(fault, Exception) else KeyboardInterrupt):
        export_faces(faces, "fer2013", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("layout", ["fer2013", "tfd", "jaffe", "novaemotions"])
def test_a_set_without_pictures_is_refused(faces, tmp_path, layout):
    with pytest.raises(DataError, match="'wild': no pictures to write"):
        export_faces(faces.select([]), layout, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_a_reader_names_the_copy(faces, tmp_path, monkeypatch):
    monkeypatch.setenv("FER_DATA", str(tmp_path))
    folder = export_faces(faces.select([0, 1, 2, 3]), "jaffe", tmp_path)
    with pytest.raises(DataError, match=rf"^jaffe, read from {folder}: 2 people cannot be divided"):
        registry.read_anew(registry.FaceRequest("jaffe", size=48))


def test_a_sequence_is_left_out_with_the_neutral_picture_that_it_starts_from(faces):
    table = faces.table.assign(
        sequence=list("aabbcc"), emotion=["neutral", "fear", "neutral", "anger", "fear", ""]
    )
    kept = leave_out(FaceSet("wild", faces.pixels, table), ["fear"])
    assert kept.table["sequence"].tolist() == ["b", "b"]
    np.testing.assert_array_equal(kept.pixels, faces.pixels[2:4])
    numbered = table.assign(subject=list("xxxyyy"), sequence=list("112122"))
    rest = leave_out(FaceSet("wild", faces.pixels, numbered), ["fear"]).table
    assert rest[["subject", "sequence"]].values.tolist() == [["x", "2"], ["y", "1"]]
    assert len(leave_out(faces, [])) == len(faces)
    with pytest.raises(ParameterError, match="no emotion 'joy'"):
        leave_out(faces, ["joy"])


def test_a_set_of_ones_own_is_no_layout(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_DATA", str(tmp_path))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "faces.csv").write_text("path,subject,emotion\n")
    with pytest.raises(ParameterError, match="'mine' is a set of yours; its layout is called own"):
        export_folder("mine", tmp_path / "data")
