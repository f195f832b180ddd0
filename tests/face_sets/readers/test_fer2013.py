"""FER2013's reader: the csv and the FER+ votes, and each way they can be broken."""

import re

import numpy as np
import pytest

from face_sets.faceset import EMOTIONS, SPLITS, FaceSet
from face_sets.leakage import copy_groups
from face_sets.paths import data_dir
from face_sets.readers.fer2013 import FERPLUS_HEADER, read_fer2013
from face_sets.registry import REGISTRY
from ferbook.errors import DataError
from tests.face_sets.readers.writers.fer2013 import write_fer2013
from tests.made import made_faces

USAGES = ("Training", "PublicTest", "PrivateTest")
NAMES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
FOLDERS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def pictures(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    # Scaled at random, so that numbers of one, two and three digits stand side by side.
    return (rng.integers(0, 256, (n, 48, 48)) // rng.integers(1, 30, (n, 1, 1))).astype(np.uint8)


def rows_of(pixels: np.ndarray) -> list[str]:
    return [
        f"{i % 7},{' '.join(str(v) for v in picture.ravel())},{USAGES[i % 3]}"
        for i, picture in enumerate(pixels)
    ]


def write(folder, rows, header="emotion,pixels,Usage", end="\n"):
    folder.mkdir(exist_ok=True)
    (folder / "fer2013.csv").write_bytes("".join(line + end for line in [header, *rows]).encode())
    return folder


def votes_of(n: int) -> list[str]:
    names = ["" if i == 2 else f"fer{i:07d}.png" for i in range(n)]
    votes = [",".join(str((i + k) % 10) for k in range(10)) for i in range(n)]
    return [f"{USAGES[i % 3]},{names[i]},{votes[i]}" for i in range(n)]


def write_votes(folder, rows, header=FERPLUS_HEADER):
    (folder / "fer2013new.csv").write_text("".join(line + "\n" for line in [header, *rows]))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "fer2013"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_official_csv(folder, end):
    pixels = pictures(14)
    faces = read_fer2013(write(folder, rows_of(pixels), end=end))
    np.testing.assert_array_equal(faces.pixels, pixels)
    assert faces.name == "fer2013" and faces.size == (48, 48)
    assert faces.table["emotion"].tolist() == list(NAMES) * 2
    assert faces.table["split"].tolist() == (["train", "valid", "test"] * 5)[:14]
    assert set(faces.table["subject"]) == {""} and set(faces.table["dataset"]) == {"fer2013"}
    assert faces.table["sequence"].tolist() == [f"{i:05d}" for i in range(14)]
    assert set(faces.table["split_rule"]) == {"official Usage; 14 pictures where the release has 35,887"}
    assert not [column for column in faces.table if column.startswith("vote_")]


def test_without_a_final_newline_with_a_byte_order_mark_and_with_copies(folder):
    rows = rows_of(pictures(6))
    rows.append(rows[0])
    write(folder, rows)
    file = folder / "fer2013.csv"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().removesuffix(b"\n"))
    assert copy_groups(read_fer2013(folder)).tolist() == [0, 1, 2, 3, 4, 5, 0]


def test_quotes_and_the_order_of_the_columns_do_not_matter(folder):
    rows = rows_of(pictures(6))
    expected = read_fer2013(write(folder, rows)).checksum
    turned = [[row.split(",")[k] for k in (2, 0, 1)] for row in rows]
    quoted = ['"' + '","'.join(fields) + '"' for fields in turned]
    assert read_fer2013(write(folder, quoted, header='"Usage", "emotion","pixels"')).checksum == expected


@pytest.mark.parametrize("row", [0, 2, 5])
def test_a_quote_that_is_never_closed_is_named_by_its_line(folder, row):
    rows = rows_of(pictures(6))
    rows[row] = rows[row].replace(",", ',"', 1)
    with pytest.raises(DataError, match=rf"fer2013\.csv, line {row + 2}: not readable as csv"):
        read_fer2013(write(folder, rows))


def changed(rows, row, field, edit):
    fields = rows[row].split(",")
    fields[field] = edit(fields[field])
    return [*rows[:row], ",".join(fields), *rows[row + 1 :]]


def pixel(position, value):
    def edit(text):
        values = text.split(" ")
        values[position] = value
        return " ".join(values)

    return edit


# Row r (0-based) stands on line r + 2: line 1 is the header.
@pytest.mark.parametrize(
    ("row", "field", "edit", "message"),
    [
        (4, 1, lambda t: t.rpartition(" ")[0], "line 6: 2303 pixel values; expected 2304"),
        (0, 1, pixel(0, "256"), "line 2: pixel 1 is '256'; expected whole numbers from 0 to 255"),
        (3, 1, pixel(7, "²"), "line 5: pixel 8 is '²'"),
        (3, 1, pixel(7, ""), "line 5: pixel 8 is ''"),
        (3, 1, pixel(7, "1\t2"), "line 5: pixel 8 is '1\\t2'"),
        (5, 0, lambda t: "7", "line 7: emotion '7'; expected 0 to 6 (anger, disgust"),
        (5, 0, lambda t: "angry", "line 7: emotion 'angry'"),
        (2, 2, lambda t: "Test", "line 4: Usage 'Test'; expected Training, PublicTest, PrivateTest"),
        (2, 2, lambda t: t + ",x", "line 4: 4 field(s) instead of 3"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(folder, row, field, edit, message):
    write(folder, changed(rows_of(pictures(9)), row, field, edit))
    with pytest.raises(DataError, match=re.escape(f"fer2013.csv, {message}")):
        read_fer2013(folder)


def test_the_first_of_several_bad_rows_is_named_far_into_the_file(folder):
    rows = rows_of(pictures(400))
    rows = changed(changed(rows, 390, 0, lambda t: "9"), 357, 1, pixel(0, "300"))
    with pytest.raises(DataError, match=r"line 359: pixel 1 is '300'"):
        read_fer2013(write(folder, rows))


@pytest.mark.parametrize("keep", [1, 40, 5000, -3, -14])
def test_a_last_line_cut_short_is_refused(folder, keep):
    rows = rows_of(pictures(6))
    write(folder, rows)
    file = folder / "fer2013.csv"
    whole = file.read_bytes().removesuffix(b"\n")
    file.write_bytes(whole[: whole.rfind(b"\n") + 1 + keep] if keep > 0 else whole[:keep])
    with pytest.raises(DataError, match=r"fer2013\.csv, line 7: "):
        read_fer2013(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: empty; expected the header emotion,pixels,Usage"),
        (b"emotion,pixels,Usage\n", "line 2: no pictures after the header"),
        (b"emotion,pixels\n", "line 1: column 'Usage' is missing"),
        (b"emotion, Usage, pixels\n", "line 2: no pictures after the header"),
        (b"emotion,pixels,Usage,Usage\n", "line 1: columns in another order or too many"),
        (b"emotion,pixels,Usage\n" + b"1 " * (3 << 20), "line 2: not readable as csv"),
    ],
)
def test_a_file_that_is_not_a_fer2013_csv(folder, content, message):
    folder.mkdir()
    (folder / "fer2013.csv").write_bytes(content)
    with pytest.raises(DataError, match=re.escape(f"fer2013.csv, {message}")):
        read_fer2013(folder)


def test_a_csv_that_lacks_a_whole_split_is_not_fer2013(folder):
    rows = [row for row in rows_of(pictures(9)) if not row.endswith("PrivateTest")]
    with pytest.raises(DataError, match="no row with Usage PrivateTest"):
        read_fer2013(write(folder, rows))


def test_absent_folder_and_absent_csv_say_where_and_how(folder):
    with pytest.raises(DataError, match=r"fer2013\.csv: not found.*set FER_DATA") as refusal:
        read_fer2013(folder)
    assert str(folder) in str(refusal.value)
    folder.mkdir()
    with pytest.raises(DataError, match=r"fer2013\.csv: not found.*set FER_DATA"):
        read_fer2013(folder)
    (folder / "fer2013.csv").mkdir()
    with pytest.raises(DataError, match=r"fer2013\.csv: cannot be read"):
        read_fer2013(folder)


def test_votes_are_joined_by_row(folder):
    write(folder, rows_of(pictures(6)))
    write_votes(folder, votes_of(6))
    table = read_fer2013(folder).table
    assert [c for c in table if c.startswith("vote_")] == [
        *(f"vote_{emotion}" for emotion in EMOTIONS),
        "vote_unknown",
        "vote_nf",
    ]
    header = FERPLUS_HEADER.split(",")[2:]
    for row in range(6):
        for k, column in enumerate(header):
            assert table.loc[row, f"vote_{column.lower()}"] == (row + k) % 10


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda rows: rows[:-1], "5 rows of votes for the 6 rows"),
        (lambda rows: changed(rows, 3, 4, lambda t: "many"), "line 5: surprise votes 'many'"),
        (lambda rows: changed(rows, 3, 11, lambda t: ""), "line 5: NF votes ''"),
        (lambda rows: [*rows[:-1], rows[-1][:-4]], "line 7: 10 fields; expected 12"),
        (lambda rows: [rows[1], rows[0], *rows[2:]], "line 2: Usage 'PublicTest', but that row"),
        (
            lambda rows: [rows[3], *rows[1:3], rows[0], *rows[4:]],
            "line 3: fer0000001.png after fer0000003.png; rows have changed places",
        ),
    ],
)
def test_bad_votes_are_named_by_file_and_line(folder, edit, message):
    write(folder, rows_of(pictures(6)))
    write_votes(folder, edit(votes_of(6)))
    with pytest.raises(DataError, match=re.escape("fer2013new.csv") + "[:,] " + re.escape(message)):
        read_fer2013(folder)


def test_votes_with_a_missing_column_or_nothing_at_all(folder):
    write(folder, rows_of(pictures(6)))
    write_votes(folder, votes_of(6), header=FERPLUS_HEADER.replace(",contempt", ""))
    with pytest.raises(DataError, match=r"fer2013new\.csv, line 1: column 'contempt' is missing"):
        read_fer2013(folder)
    (folder / "fer2013new.csv").write_text("")
    with pytest.raises(DataError, match=r"fer2013new\.csv, line 1: empty"):
        read_fer2013(folder)
    (folder / "fer2013new.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"fer2013new\.csv: cannot be read"):
        read_fer2013(folder)


def face_set(pixels, emotions=NAMES, votes=None) -> FaceSet:
    numbers = range(len(pixels))
    return made_faces(
        pixels,
        "wild",
        emotion=[emotions[i % len(emotions)] for i in numbers],
        split=[SPLITS[i % 3] for i in numbers],
        **(votes or {}),
    )


def test_pictures_of_another_size_are_resampled_both_ways(tmp_path):
    bright = np.repeat(np.arange(9, dtype=np.uint8) * 20, 96 * 96).reshape(9, 96, 96)
    write_fer2013(face_set(bright), tmp_path)
    assert not (tmp_path / "fer2013new.csv").exists()
    assert read_fer2013(tmp_path).pixels.tolist() == bright[:, ::2, ::2].tolist()
    assert read_fer2013(tmp_path, 64).pixels.tolist() == bright[:, :64, :64].tolist()


def test_the_real_fer2013_has_its_published_counts():
    folder = data_dir() / "fer2013"
    if not (folder / "fer2013.csv").is_file():
        pytest.skip("the real FER2013 is not at hand: FER_DATA has no fer2013/fer2013.csv")
    faces = read_fer2013(folder)
    counts = faces.table.groupby(["split", "emotion"]).size().unstack()[list(NAMES)]
    assert counts.loc["train"].tolist() == [3995, 436, 4097, 7215, 4830, 3171, 4965]
    assert counts.loc["valid"].tolist() == [467, 56, 496, 895, 653, 415, 607]
    assert counts.loc["test"].tolist() == [491, 55, 528, 879, 594, 416, 626]
    assert faces.pixels[0, 0, :5].tolist() == [70, 80, 82, 72, 58]
    pictures_of = {f"pictures of {e}": n for e, n in faces.table["emotion"].value_counts().items()}
    assert {"pictures": len(faces), **pictures_of} == REGISTRY["fer2013"].published
    assert set(faces.table["split_rule"]) == {"official Usage"}
    if (folder / "fer2013new.csv").is_file():
        votes = faces.table.filter(like="vote_")
        assert votes.iloc[0].to_dict() == {
            **dict.fromkeys(votes.columns, 0),
            "vote_neutral": 4,
            "vote_sadness": 1,
            "vote_anger": 3,
            "vote_disgust": 2,
        }
        assert (votes.sum(axis=1) == 10).mean() > 0.999
