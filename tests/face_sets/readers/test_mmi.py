"""MMI: videos and XML files written and read back, and copies that are broken."""

import numpy as np
import pytest

from face_sets.readers.mmi import read_mmi
from face_sets.readers.pictures import Window
from ferbook.errors import DataError
from tests.face_sets.readers.made_by_hand import by_sequence, move_below, posed_faces
from tests.face_sets.readers.test_wrong_inputs import edit
from tests.face_sets.readers.writers.every import write_layout
from tests.face_sets.readers.writers.mmi import write_video

SIZE = 24


@pytest.fixture
def mmi(tmp_path):
    return write_layout("mmi", posed_faces(), tmp_path / "mmi")


@pytest.fixture
def first(mmi):
    return mmi / "Sessions" / "1"


def test_written_and_read_back_without_loss(tmp_path):
    faces = posed_faces(("anger", "disgust", "fear", "happiness", "sadness", "surprise"))
    shuffled = faces.select(np.random.default_rng(1).permutation(len(faces)))
    back = read_mmi(write_layout("mmi", shuffled, tmp_path), SIZE)
    old = by_sequence(faces)
    # Sessions are numbered, and read, in the order of subjects and sequences.
    np.testing.assert_array_equal(back.pixels, faces.pixels[old["row"]])
    assert back.table["emotion"].tolist() == old["emotion"].tolist()
    assert back.table["frame"].tolist() == [1, 2, 3, 4] * 18
    assert back.table["subject"].tolist() == list(np.repeat(["mmi-1", "mmi-2", "mmi-3"], 24))
    assert back.table["sequence"].nunique() == 18 and back.table["sequence"][0] == "0001/S001-001"
    for au in ("AU6", "AU12", "AU25"):
        assert back.table[au].tolist() == (old[au] > 0).astype(float).tolist()
    assert set(back.table["facs"]) == {"", "6+12", "6+12+25"} and set(back.table["fps"]) == {25.0}
    assert not any(column.endswith("_left") for column in back.table) and back.left_out == {}


def test_the_first_and_the_middle_three_frames_of_longer_videos(tmp_path):
    faces = posed_faces(("fear",), frames=range(0, 18, 2))
    back = read_mmi(write_layout("mmi", faces, tmp_path), SIZE)
    assert back.table["frame"].tolist() == [1, 4, 5, 6] * 3
    np.testing.assert_array_equal(back.pixels[:4], faces.pixels[[0, 3, 4, 5]])


def test_frames_between_markers(first, mmi):
    coding = first / "S001-001-oao_aucs.xml"
    coding.write_text(
        "<ActionUnits><ActionUnit Number='4'><Marker Frame='1' Type='0'/><Marker Frame='2' "
        "Type='1'/><Marker Frame='3' Type='2'/><Marker Frame='4' Type='0'/></ActionUnit><ActionUnit "
        "Number='7'><Marker Frame='9' Type='0'/><Marker Frame='3' Type='3'/><Marker Frame='1' "
        "Type='0'/></ActionUnit><ActionUnit Number='12'/><ActionUnit Number='4.5'><Marker Frame='1' "
        "Type='2'/></ActionUnit><ActionUnit><Marker Frame='1' Type='2'/></ActionUnit></ActionUnits>"
    )
    back = read_mmi(mmi, SIZE)
    clip = back.table[:4]
    assert clip["AU4"].tolist() == [0, 1, 1, 0] and clip["AU7"].tolist() == [0, 0, 1, 1]
    assert clip["AU12"].tolist() == [0] * 4 and clip["AU6"].tolist() == [0] * 4
    assert back.left_out == {
        "AU codes whose number is not whole": 2,
        "AU codes whose markers do not follow each other in time, and were put in order": 1,
        "markers of AU codes that have none, and count as absent": 1,
    }


def test_a_video_without_au_codes_has_none(first, mmi):
    (first / "S001-001-oao_aucs.xml").unlink()
    table = read_mmi(mmi, SIZE).table
    assert table["AU6"].isna().tolist() == [True] * 4 + [False] * 20
    assert table["facs"].tolist()[:4] == ["?"] * 4 and table["emotion"][1] == "anger"


def test_other_emotions_are_kept_where_aus_are_coded_and_counted_elsewhere(first, mmi):
    tags = first / "S001-001.xml"
    text = tags.read_text()
    for old, new in (('Value="1"', 'Value="9"'), ("Emotion", "Mood")):
        tags.write_text(text.replace(old, new))
        assert read_mmi(mmi, SIZE).table["emotion"].tolist()[:4] == [""] * 4
    tags.unlink()
    assert read_mmi(mmi, SIZE).table["emotion"].tolist()[:4] == [""] * 4
    (first / "S001-001-oao_aucs.xml").unlink()
    back = read_mmi(mmi, SIZE)
    assert back.left_out == {"videos without one of the six emotions and without AU codes": 1}
    assert len(back) == 20


def test_the_subject_is_that_of_the_session_or_of_the_name(mmi):
    edit("1/session.xml", '<subject id="1" />', '<subject id="41" />')(mmi)
    assert read_mmi(mmi, SIZE).table["subject"][0] == "mmi-41"
    edit("1/session.xml", '<subject id="41" />', "")(mmi)
    assert read_mmi(mmi, SIZE).table["subject"][0] == "mmi-S001"


def test_elements_in_a_namespace_are_found(mmi):
    edit("1/session.xml", "<session ", '<session xmlns="http://example.org/mmi" ')(mmi)
    assert read_mmi(mmi, SIZE).table["subject"][0] == "mmi-1"


@pytest.mark.parametrize(("view", "kept"), [("0", 24), ("2", 24), ("1", 20)])
def test_only_frontal_views_are_read(mmi, view, kept):
    edit("1/session.xml", 'view="0"', f'view="{view}"')(mmi)
    back = read_mmi(mmi, SIZE)
    assert len(back) == kept
    assert back.left_out == ({} if kept == 24 else {"videos that do not show the face from the front": 1})


def test_stills_and_short_videos_are_counted(mmi, first):
    (first / "S001-001.avi").rename(first / "S001-001.bmp")
    write_video(mmi / "Sessions" / "6" / "S003-006.avi", np.zeros((3, 24, 24), np.uint8))
    (mmi / "Sessions" / "readme").mkdir()
    back = read_mmi(mmi, SIZE)
    assert back.left_out == {
        "sessions without a video": 1,
        "videos of fewer than four frames": 1,
        "folders that are not named like a session": 1,
    }


def test_a_video_on_its_side_is_turned_and_cut_out_with_one_window(mmi, first, monkeypatch):
    upright = read_mmi(mmi, SIZE).pixels[:4]
    for turns in (0, 1):
        frames = np.zeros((4, 60, 80), np.uint8)
        frames[:, 20:44, 12:36] = upright
        # Turned by 90° against the clock, so that a turn with it sets it right.
        write_video(first / "S001-001.avi", np.ascontiguousarray(np.rot90(frames, turns, axes=(1, 2))))
        shapes = []

        def find(picture, shapes=shapes):
            shapes.append(picture.shape)
            return Window(12.0, 20.0, 24.0) if picture.shape == (60, 80) else None

        monkeypatch.setattr("face_sets.readers.pictures.find_face", find)
        np.testing.assert_array_equal(read_mmi(mmi, SIZE).pixels[:4], upright)
        assert shapes == [(60, 80)] if turns == 0 else [(80, 60)] * 4 + [(60, 80)]
    monkeypatch.setattr("face_sets.readers.pictures.find_face", lambda picture: None)
    assert read_mmi(mmi, SIZE).left_out == {"clips in which no face was found": 1}


@pytest.mark.parametrize("name", ["Sessions/Sessions", "MMI/Sessions", "MMI/part/sessions"])
def test_added_folders(mmi, name):
    move_below(mmi / "Sessions", mmi / name)
    assert len(read_mmi(mmi, SIZE)) == 24


def test_a_video_that_is_cut_short_is_named(mmi, first):
    rng = np.random.default_rng(0)
    path = first / "S001-001.avi"
    write_video(path, rng.integers(0, 256, (12, 60, 80), np.uint8))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(DataError, match=r"S001-001\.avi: frame \d+ of 12 cannot be read"):
        read_mmi(mmi, SIZE)
