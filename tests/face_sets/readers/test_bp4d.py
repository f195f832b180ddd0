"""BP4D and BP4D+: pictures and codes frame by frame, written and read back, and copies that are broken."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from face_sets.faceset import FaceSet
from face_sets.readers import bp4d as reader
from face_sets.readers.bp4d import NO_CODES, NO_PICTURE, SHIFT_FILE, read_bp4d, read_bp4dplus, read_codes
from face_sets.readers.pictures import Window
from ferbook.errors import DataError
from tests.face_sets.readers.made_by_hand import by_sequence, move_below, pictures, posed_faces, repack
from tests.face_sets.readers.writers.every import write_layout
from tests.made import made_faces

SIZE = 24
PICTURES = "Sequences(2D+3D)"


@pytest.fixture
def bp4d(tmp_path):
    return write_layout("bp4d", posed_faces(), tmp_path / "bp4d")


@pytest.fixture
def plus(tmp_path):
    return write_layout("bp4dplus", posed_faces(), tmp_path / "bp4dplus")


@pytest.mark.parametrize(("read", "name"), [(read_bp4d, "bp4d"), (read_bp4dplus, "bp4dplus")])
def test_written_and_read_back(tmp_path, read, name):
    faces = posed_faces(AU9=[0.0, np.nan, 0.1, 0.0] * 6, AU17=np.nan)
    shuffled = faces.select(np.random.default_rng(1).permutation(len(faces)))
    back = read(write_layout(name, shuffled, tmp_path / name), SIZE)
    old, new = by_sequence(faces), by_sequence(back)
    assert new["frame"].tolist() == old["frame"].tolist() and set(new["emotion"]) == {""}
    assert new["subject"].tolist() == list(np.repeat([f"{name}-F00{k}" for k in (1, 2, 3)], 8))
    assert new["task"].tolist() == (["T1"] * 4 + ["T2"] * 4) * 3
    assert np.abs(back.pixels[new["row"]].astype(int) - faces.pixels[old["row"]]).max() <= 2
    # Intensities of AU6 and AU12 by level, of the others presence; BP4D+ has no column for AU25.
    assert new["AU6"].tolist() == [0, 0.2, 0.4, 0.6] * 6
    assert new["AU12"].tolist() == [0, 0.4, 0.8, 1.0] * 6
    np.testing.assert_array_equal(new["AU9"], [0, np.nan, 1, 0] * 6)
    if name == "bp4d":
        assert new["AU25"].tolist() == [0, 0, 0, 1] * 6
    # AU17 is unknown everywhere, and what was never coded has no column.
    assert back.aus == tuple(f"AU{n}" for n in ((6, 9, 12, 25) if name == "bp4d" else (6, 9, 12)))


def test_the_files_are_those_of_the_official_layouts(bp4d, plus):
    assert (bp4d / PICTURES / "F003" / "T2" / "0017.jpg").is_file()
    lines = (bp4d / "AUCoding" / "AU_OCC" / "F001_T1.csv").read_text().splitlines()
    assert lines[0] == ",".join(map(str, range(100))) and lines[2].split(",")[:8] == ["17", *"999991", "9"]
    lines = (bp4d / "AUCoding" / "AU_INT" / "AU12" / "F001_T1_AU12.csv").read_text().splitlines()
    assert lines == ["0,0", "17,2", "18,4", "119,5"]
    with zipfile.ZipFile(plus / "2D+3D" / "F003.zip") as archive:
        assert "F003/T2/0119.jpg" in archive.namelist() and len(archive.namelist()) == 8
    lines = (plus / "AUCoding" / "AU_OCC" / "F001_T1.csv").read_text().splitlines()
    assert len(lines[0].split(",")) == 35 == len(reader.OCCURRENCE_AUS) + 1


def codes_of(tmp_path, text, columns=None, **intensities):
    (tmp_path / "F001_T1.csv").write_text(text)
    paths = {}
    for name, content in intensities.items():
        paths[int(name[2:])] = tmp_path / f"F001_T1_{name}.csv"
        paths[int(name[2:])].write_text(content)
    return read_codes(tmp_path / "F001_T1.csv", paths, columns)


def test_codes_by_hand(tmp_path):
    codes = codes_of(
        tmp_path,
        "frame,AU06,12,AU 4\n20,1,0,9\n9,0,1,1\n10,1,9,0\n\n",
        AU06="20,5\n9,9\n10,0\n",
        AU14="frame,level\n9,3\n10,9\n",
    )
    assert codes.index.tolist() == [9, 10, 20] and list(codes) == ["AU6", "AU12", "AU4", "AU14"]
    np.testing.assert_array_equal(codes["AU6"], [0, 0, 1.0])  # 9 falls back on the occurrence
    np.testing.assert_array_equal(codes["AU12"], [1, np.nan, 0])
    np.testing.assert_array_equal(codes["AU4"], [1, 0, np.nan])
    np.testing.assert_array_equal(codes["AU14"], [0.6, np.nan, np.nan])


def test_the_faulty_header_of_bp4dplus_is_read_by_position(tmp_path):
    codes = codes_of(tmp_path, "1,1,1,4\n7,0,1,0\n", (1, 2, 4))
    assert codes.to_dict("list") == {"AU1": [0], "AU2": [1], "AU4": [0]}


def long_set(frames: int) -> FaceSet:
    people, numbers = np.repeat(["a", "b", "c"], frames), np.tile(np.arange(frames) + 1, 3)
    return made_faces(pictures(3 * frames, 8), subject=people, sequence="0", frame=numbers, AU1=1.0)


@pytest.mark.parametrize(
    ("frames", "kept"), [(100, range(1, 101)), (101, range(1, 102, 2)), (250, range(1, 251, 3))]
)
def test_long_tasks_are_thinned_to_every_kth_frame(tmp_path, frames, kept):
    table = read_bp4d(write_layout("bp4d", long_set(frames), tmp_path), 8).table
    assert table[table["subject"] == "bp4d-F001"]["frame"].tolist() == list(kept)
    assert len(kept) <= reader.FRAMES_PER_TASK


def test_codes_and_pictures_may_be_numbered_one_apart(bp4d):
    before = read_bp4d(bp4d, SIZE)
    for path in sorted((bp4d / PICTURES).rglob("*.jpg"), key=lambda p: -int(p.stem)):
        path.rename(path.with_name(f"{int(path.stem) + 1:04d}.jpg"))
    back = read_bp4d(bp4d, SIZE)
    assert back.left_out[NO_PICTURE] == 3 * 6 and len(back) == 6  # frame 18 has the picture of frame 17
    (bp4d / SHIFT_FILE).write_text("1\n")
    assert read_bp4d(bp4d, SIZE).checksum == before.checksum


def test_pictures_without_codes_and_codes_without_pictures_are_counted(bp4d):
    (bp4d / PICTURES / "F001" / "T1" / "0017.jpg").unlink()
    (bp4d / PICTURES / "F001" / "T9").mkdir()
    (bp4d / PICTURES / "F004" / "T1").mkdir(parents=True)
    (bp4d / PICTURES / "docs").mkdir()
    Image.new("L", (SIZE, SIZE)).save(bp4d / PICTURES / "F001" / "T1" / "0500.jpg")
    back = read_bp4d(bp4d, SIZE)
    assert back.left_out == {NO_PICTURE: 1, NO_CODES: 2, "folders that are not named like a person": 1}
    assert len(back) == 23


def test_each_picture_has_its_own_window_and_those_without_a_face_are_counted(bp4d, monkeypatch):
    for path in (bp4d / PICTURES).rglob("*.jpg"):
        Image.fromarray(np.full((60, 80), 200 if path.stem == "0017" else 100, np.uint8)).save(path)
    monkeypatch.setattr(
        "face_sets.readers.pictures.find_face", lambda p: Window(5.0, 5.0, 30.0) if p[0, 0] < 150 else None
    )
    back = read_bp4d(bp4d, SIZE)
    assert back.left_out == {"pictures in which no face was found": 6}
    assert back.table["frame"].tolist() == [0, 18, 119] * 6
    assert back.table["AU6"].tolist() == [0, 0.4, 0.6] * 6


@pytest.mark.parametrize(
    "tree", ["2D+3D", "BP4D-training", "Sequences_2D+3D/Sequences_2D+3D", "BP4D/Sequences"]
)
def test_other_names_of_the_folder_of_pictures(bp4d, tree):
    move_below(bp4d / PICTURES, bp4d / tree)
    move_below(bp4d / "AUCoding", bp4d / "AUCoding" / "AUCoding")
    assert len(read_bp4d(bp4d, SIZE)) == 24


def test_archives_and_unpacked_folders_give_the_same(plus):
    before, place = read_bp4dplus(plus, SIZE), plus / "2D+3D"
    for person in ("F001", "F003"):
        with zipfile.ZipFile(place / f"{person}.zip") as archive:
            archive.extractall(place)
        (place / f"{person}.zip").unlink()
    (place / "readme.zip").write_bytes(b"not a person's")
    assert read_bp4dplus(plus, SIZE).checksum == before.checksum
    (place / "readme.zip").unlink()
    move_below(place, place / "2D+3D")
    assert read_bp4dplus(plus, SIZE).checksum == before.checksum


def test_entries_of_an_archive_in_any_order_beside_others(plus):
    before = read_bp4dplus(plus, SIZE)

    def edit(entries):
        renamed = {f"x/y/{n.replace('0017', '017')}": c for n, c in reversed(entries.items())}
        return {"x/": b"", "x/F001/T1/0017.obj": b"mesh", "__MACOSX/x/T1/0017.jpg": b"litter"} | renamed

    repack(plus / "2D+3D" / "F001.zip", edit)
    assert read_bp4dplus(plus, SIZE).checksum == before.checksum


def test_an_entry_too_large_for_a_picture_is_not_unpacked(plus, monkeypatch):
    size = len(zipfile.ZipFile(plus / "2D+3D" / "F001.zip").read("F001/T1/0000.jpg"))
    monkeypatch.setattr(reader, "_LARGEST_PICTURE", size - 1)
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("unpacked"))
    with pytest.raises(DataError, match=rf"F001\.zip, F001/T1/0000\.jpg: {size:,} bytes; expected a picture"):
        read_bp4dplus(plus, SIZE)
