"""CK+: its four trees, what is kept of a sequence, framing by landmarks, and each way a copy can be
broken.
"""

import numpy as np
import pytest
from PIL import Image

from face_sets.faceset import FaceSet
from face_sets.readers.ckplus import read_ckplus
from ferbook.errors import DataError
from tests.face_sets.readers.made_by_hand import posed_faces
from tests.face_sets.readers.writers.every import write_layout

SIZE = 32


def face_points(side: float, dx: float = 0.0, mouth: float = 0.0) -> np.ndarray:
    """68 points whose window is the whole of a picture of ``side`` pixels, moved by ``dx``; ``mouth``: lips
    lower.
    """
    metre = side / 0.168
    points = np.full((68, 2), side / 2)
    x, y = side / 2, side / 2 - 0.45 * 0.0664 * metre
    points[36:42], points[42:48] = (x - 0.031 * metre, y), (x + 0.031 * metre, y)
    points[48:68] = x, y + 0.0664 * metre + mouth
    return points + (dx, 0)  # noqa: RUF005 (an array, moved)


CLIPS = (("S005", "001"), ("S010", "002"), ("S132", "006"))
FRAMES = [(*clip, frame) for clip in CLIPS for frame in range(1, 7)]


class Copy:
    """A copy of CK+ of three people with one sequence of six frames each, made by hand."""

    def __init__(
        self, folder, images="cohn-kanade-images", emotion="Emotion", facs="FACS", landmarks="Landmarks"
    ):
        self.folder = folder
        self.tops = {"images": images, "emotion": emotion, "facs": facs, "landmarks": landmarks}
        for frame in FRAMES:
            grey = 40 * CLIPS.index(frame[:2]) + frame[2]
            self.picture(*frame, np.full((SIZE, SIZE), grey, np.uint8))
        for k, clip in enumerate(CLIPS):
            self.write("emotion", *clip, 6, f"   {k + 3}.0000000e+00\n")
            self.write("facs", *clip, 6, "   1.0000000e+00   2.0000000e+00\n   2.5e+01   0.0000000e+00\n")

    def place(self, tree, subject, number):
        place = self.folder / self.tops[tree] / subject / number
        place.mkdir(parents=True, exist_ok=True)
        return place

    def picture(self, subject, number, frame, pixels, suffix="png"):
        path = self.place("images", subject, number) / f"{subject}_{number}_{frame:08d}.{suffix}"
        Image.fromarray(pixels).save(path)
        return path

    def write(self, tree, subject, number, frame, text):
        path = self.place(tree, subject, number) / f"{subject}_{number}_{frame:08d}_{tree}.txt"
        path.write_text(text)
        return path

    def points(self, subject, number, frame, points):
        lines = "".join(f"   {x:.7e}   {y:.7e}\n" for x, y in points)
        return self.write("landmarks", subject, number, frame, lines)

    def read(self, size=SIZE) -> FaceSet:
        return read_ckplus(self.folder, size)


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path / "ckplus")


def test_the_neutral_first_frame_and_the_last_three_are_kept_with_the_units_of_the_peak(copy):
    (copy.folder / "cohn-kanade-images" / ".DS_Store").write_bytes(b"x")
    (copy.folder / "cohn-kanade-images" / "S005" / "001" / ".DS_Store").write_bytes(b"x")
    faces = copy.read()
    table = faces.table
    assert table["subject"].tolist() == [f"ckplus-{s}" for s in ("S005", "S010", "S132") for _ in range(4)]
    assert table["sequence"].unique().tolist() == ["S005/001", "S010/002", "S132/006"]
    assert table["frame"].tolist() == [1, 4, 5, 6] * 3
    shown = ("disgust", "fear", "happiness")
    assert table["emotion"].tolist() == [each for own in shown for each in ("neutral", own, own, own)]
    assert faces.pixels[:, 0, 0].tolist() == [1, 4, 5, 6, 41, 44, 45, 46, 81, 84, 85, 86]
    assert set(table["split"]) == {"train", "valid", "test"}
    assert (table.groupby("subject")["split"].nunique() == 1).all()
    assert faces.landmarks is None and faces.left_out == {} and faces.name == "ckplus"
    # Action units are those of the peak.
    assert table["AU1"].tolist() == [0, 0.4, 0.4, 0.4] * 3  # level 2 of 5
    assert table["AU25"].tolist() == [0, 0.5, 0.5, 0.5] * 3  # there, but not scored
    assert table["facs"].tolist() == ["", "1B+25", "1B+25", "1B+25"] * 3


@pytest.mark.parametrize(
    "tops",
    [
        {
            "images": "extended-cohn-kanade-images/cohn-kanade-images",
            "emotion": "Emotion_labels/Emotion",
            "facs": "FACS_labels/FACS",
            "landmarks": "Landmarks/Landmarks",
        },
        {"emotion": "Emotion_labels", "facs": "FACS/FACS"},
    ],
)
def test_a_level_more_in_the_tree(tmp_path, copy, tops):
    assert Copy(tmp_path / "deeper", **tops).read().checksum == copy.read().checksum


def test_sequences_without_emotion_are_kept_where_they_are_coded(copy):
    (copy.folder / "Emotion" / "S010" / "002" / "S010_002_00000006_emotion.txt").unlink()
    (copy.folder / "FACS" / "S132" / "006" / "S132_006_00000006_facs.txt").unlink()
    table = copy.read().table
    assert table["emotion"].tolist()[4:8] == [""] * 4
    assert table["AU1"].tolist()[4:8] == [0, 0.4, 0.4, 0.4]
    assert table["AU1"].isna().tolist() == [False] * 8 + [True] * 4
    assert table["facs"].tolist()[8:] == ["?"] * 4
    assert table["emotion"].tolist()[8:] == ["neutral", *["happiness"] * 3]


def test_what_is_left_out_is_counted(copy):
    for frame in (1, 2, 3, 4):
        copy.picture("S011", "001", frame, np.zeros((SIZE, SIZE), np.uint8))  # neither emotion nor codes
        copy.picture("S011", "002", frame, np.zeros((SIZE, SIZE), np.uint8))
    copy.write("emotion", "S011", "002", 9, "3")  # of a frame that is not there
    copy.place("images", "S011", "003")
    faces = copy.read()
    assert len(faces) == 12
    assert faces.left_out == {
        "sequences with neither an emotion nor FACS codes": 1,
        "sequences whose emotion or FACS file belongs to a frame that is not there": 1,
        "sequence folders without a picture": 1,
    }


def test_short_sequences_and_the_slip_of_the_readme(copy):
    for frame in (1, 2, 3):
        (copy.folder / "cohn-kanade-images" / "S005" / "001" / f"S005_001_{frame:08d}.png").unlink()
    facs = copy.folder / "FACS" / "S005" / "001" / "S005_001_00000006_facs.txt"
    facs.rename(facs.with_name("S0005_001_00000006_facs.txt"))
    table = copy.read().table
    assert table["frame"].tolist()[:3] == [4, 5, 6]
    assert table["emotion"].tolist()[:3] == ["neutral", "disgust", "disgust"]
    assert table["AU1"].tolist()[:3] == [0, 0.4, 0.4]


def test_pictures_are_framed_by_their_landmarks(copy):
    """A gradient tells where each pixel came from: the window of these points is known by hand."""
    rows, columns = np.mgrid[:80, :100].astype(np.uint8)
    for frame in FRAMES:
        copy.picture(*frame, columns)
        # The window of 64 pixels begins at (10, 8), and moves right by 2 pixels with each frame; the mouth
        # opens.
        copy.points(*frame, face_points(64, 2 * frame[2], frame[2] - 1) + np.array([10, 8]))
    faces = copy.read()
    for row, frame in enumerate([1, 4, 5, 6]):
        left = 10 + 2 * frame
        np.testing.assert_allclose(
            faces.pixels[row, 7, 1:-1], left + 2 * np.arange(SIZE)[1:-1] + 0.5, atol=0.6
        )
        eyes = faces.landmarks[row, 36:48].mean(axis=0)
        np.testing.assert_allclose(eyes, (16, 16 - 0.45 * 0.0664 / 0.168 * 32), atol=1e-4)
        lips = faces.landmarks[row, 48:60].mean(axis=0)
        np.testing.assert_allclose(lips[1] - eyes[1], (0.0664 / 0.168 * 64 + frame - 1) / 2, atol=1e-4)
    copy.picture("S010", "002", 5, rows)
    copy.points("S010", "002", 5, face_points(64) + np.array([500, 0]))
    with pytest.raises(DataError, match=r"S010_002_00000005\.png: landmarks from \(520\.2, 20\.62\)"):
        copy.read()


def test_where_neither_landmarks_nor_a_detector_frame_the_face_the_sequence_is_counted(copy):
    copy.picture("S011", "001", 1, np.full((40, 30), 9, np.uint8))  # flat: no face to be found
    copy.write("emotion", "S011", "001", 1, "3")
    faces = copy.read()
    assert len(faces) == 12 and faces.left_out == {
        "clips in which no face was found": 1,
        "AU codes of sequences that have none, or an empty file": 1,
    }
    with pytest.raises(DataError, match="no picture is left"):
        copy.read(16)


def test_a_frame_without_landmarks_takes_the_window_of_the_first(copy):
    for frame in FRAMES:
        if frame[2] != 5:
            copy.points(*frame, face_points(SIZE))
    faces = copy.read(16)
    assert len(faces) == 12 and faces.pixels[:4, 0, 0].tolist() == [1, 4, 5, 6]
    assert np.isnan(faces.landmarks).all(axis=(1, 2)).tolist() == [False, False, True, False] * 3


def test_what_is_written_is_read_back(tmp_path):
    rng = np.random.default_rng(1)
    levels = np.repeat(rng.integers(0, 6, (6, 3)) / 5, 4, axis=0) * (np.arange(24) % 4 > 0)[:, None]
    units = dict(zip(("AU6", "AU12", "AU25"), levels.T, strict=True))
    points = rng.uniform(0, 24, (24, 68, 2)).astype(np.float32)
    given = posed_faces(("anger", "fear"), frames=(0, 7, 8, 9), **units)
    expected = FaceSet("lab", given.pixels, given.table, landmarks=points)
    again = read_ckplus(write_layout("ckplus", expected.select(rng.permutation(24)), tmp_path), 24)
    np.testing.assert_array_equal(again.pixels, expected.pixels)
    np.testing.assert_array_equal(again.landmarks, expected.landmarks)
    for column in ("emotion", "frame"):
        assert again.table[column].tolist() == expected.table[column].tolist()
    for au in units:
        np.testing.assert_allclose(again.table[au], expected.table[au], atol=1e-12)
    assert again.table["subject"].tolist() == [f"ckplus-S00{k // 8 + 1}" for k in range(24)]
    assert set(again.table["sequence"]) == {f"S00{s}/00{k}" for s in (1, 2, 3) for k in (1, 2)}


def test_unlabelled_unscored_one_sided_and_uncoded_survive(tmp_path):
    codes = [*["1+L4B+R4D+12?"] * 4, *["?"] * 4, *[""] * 4]
    shown = [*[""] * 4, *["neutral", *["anger"] * 3] * 2]
    faces = posed_faces(("anger",), emotion=shown, facs=codes, AU1=0.5, AU4=0.8, AU12=np.nan)
    again = read_ckplus(write_layout("ckplus", faces, tmp_path), 24).table
    assert again["emotion"].tolist() == shown
    assert again["facs"].tolist() == ["", *["1+4D"] * 3, *["?"] * 4, *[""] * 4]
    assert again["AU1"].tolist()[:4] == [0, 0.5, 0.5, 0.5] and again["AU4"].tolist()[8:] == [0] * 4


def test_folders_in_lower_case_keep_their_landmarks(tmp_path):
    copy = Copy(tmp_path)
    for frame in FRAMES:
        copy.write("landmarks", *frame, "\n".join(f"{x} {y}" for x, y in face_points(SIZE)))
    whole = read_ckplus(tmp_path, SIZE)
    assert np.isfinite(whole.landmarks).all()
    for tree in copy.tops.values():
        for place in (tmp_path / tree).iterdir():
            place.rename(place.with_name(place.name.lower()))
    np.testing.assert_array_equal(read_ckplus(tmp_path, SIZE).landmarks, whole.landmarks)


@pytest.mark.parametrize(
    "change",
    [
        lambda points: points / 96,
        lambda points: points / 6,
        lambda points: 0 * points + 40 + np.random.default_rng(0).random((68, 2)),
        lambda points: points * 3,
        lambda points: points - (0, 60),
        lambda points: points * (1, -1) + (0, 96),
    ],
    ids=["proportions", "per cent", "in one place", "enlarged", "outside", "upside down"],
)
def test_landmarks_that_do_not_fit_their_picture_are_refused(copy, change):
    """Each face of such a copy was one grey."""
    for frame in FRAMES:
        copy.picture(*frame, np.full((96, 96), 9, np.uint8))
        copy.points(*frame, face_points(96))
    assert len(copy.read()) == 12
    copy.points(*FRAMES[0], change(face_points(96)))
    with pytest.raises(DataError, match=r"S005_001_00000001\.png: landmarks"):
        copy.read()
