"""FER2013's reader: the csv, the FER+ votes and the image folders, and each way they can be broken."""

import io
import re

import numpy as np
import pytest
from PIL import Image

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
        (4, 1, lambda t: t + " 7", "line 6: 2305 pixel values; expected 2304"),
        (0, 1, pixel(0, "256"), "line 2: pixel 1 is '256'; expected a whole number from 0 to 255"),
        (8, 1, pixel(2303, "999"), "line 10: pixel 2304 is '999'"),
        (3, 1, pixel(7, "-1"), "line 5: pixel 8 is '-1'"),
        (3, 1, pixel(7, "1.5"), "line 5: pixel 8 is '1.5'"),
        (3, 1, pixel(7, "x"), "line 5: pixel 8 is 'x'"),
        (3, 1, pixel(7, "²"), "line 5: pixel 8 is '²'"),
        (3, 1, pixel(7, ""), "line 5: pixel 8 is ''"),
        (3, 1, pixel(7, "0255"), "line 5: pixel 8 is '0255'"),
        (3, 1, pixel(7, "1\t2"), "line 5: pixel 8 is '1\\t2'"),
        (3, 1, lambda t: " " + t, "line 5: pixel 1 is ''"),
        (3, 1, lambda t: t + " ", "line 5: pixel 2305 is ''"),
        (3, 1, lambda t: f'"{t}"', "line 5: pixel 1 is '\""),
        (5, 0, lambda t: "7", "line 7: emotion '7'; expected 0 to 6 (anger, disgust"),
        (5, 0, lambda t: "-1", "line 7: emotion '-1'"),
        (5, 0, lambda t: "", "line 7: emotion ''"),
        (5, 0, lambda t: "12", "line 7: emotion '12'"),
        (5, 0, lambda t: "angry", "line 7: emotion 'angry'"),
        (2, 2, lambda t: "Test", "line 4: Usage 'Test'; expected Training, PublicTest, PrivateTest"),
        (2, 2, lambda t: " " + t, "line 4: Usage ' PrivateTest'"),
        (2, 2, lambda t: "", "line 4: Usage ''"),
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


@pytest.mark.parametrize("keep", [1, 2, 40, 5000, -3, -12, -14])
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
        (b"pixels,Usage\n", "line 1: column 'emotion' is missing"),
        (b"emotion, Usage, pixels\n", "line 2: no pictures after the header"),
        (b"emotion,Usage,pixels\n", "line 1: columns in another order"),
        (b"0,1 2 3,Training\n", "line 1: column 'emotion' is missing"),
        (b"emotion,pixels,Usage\n\n", "line 2: 1 field(s) instead of 3"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "line 1: column 'emotion' is missing"),
        (b"emotion,pixels,Usage\n" + b"1 " * (3 << 20), "line 2: longer than"),
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
    with pytest.raises(DataError, match=r"fer2013\.csv: not found.*set FER_DATA to the folder") as refusal:
        read_fer2013(folder)
    assert str(folder) in str(refusal.value)
    folder.mkdir()
    with pytest.raises(DataError, match=r"fer2013\.csv: not found.*set FER_DATA to the folder"):
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
        (lambda rows: [*rows, rows[0]], "7 rows of votes for the 6 rows"),
        (lambda rows: changed(rows, 3, 4, lambda t: "many"), "line 5: surprise votes 'many'"),
        (lambda rows: changed(rows, 3, 4, lambda t: "-1"), "line 5: surprise votes '-1'"),
        (lambda rows: changed(rows, 3, 11, lambda t: ""), "line 5: NF votes ''"),
        (lambda rows: changed(rows, 3, 11, lambda t: "1.5"), "line 5: NF votes '1.5'"),
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


def write_folders(folder, per_class=3, names=FOLDERS, test_prefixes=("picture",), suffix="png", seed=0):
    """train/ and test/ with ``per_class`` pictures of each emotion; returns path -> pixels."""
    pixels = iter(pictures(per_class * 14, seed))
    written = {}
    for part in ("train", "test"):
        for emotion in names:
            (folder / part / emotion).mkdir(parents=True)
            for k in range(per_class):
                prefix = "Training" if part == "train" else test_prefixes[k % len(test_prefixes)]
                path = folder / part / emotion / f"{prefix}_{k}.{suffix}"
                written[path.relative_to(folder).as_posix()] = picture = next(pixels)
                Image.fromarray(picture).save(path)
    return written


@pytest.mark.parametrize("names", [FOLDERS, NAMES, tuple("0123456"), tuple(f.title() for f in FOLDERS)])
def test_image_folders(folder, names):
    written = write_folders(folder, names=names)
    faces = read_fer2013(folder)
    assert sorted(faces.table["sequence"]) == sorted(written)
    for row, path in enumerate(faces.table["sequence"]):
        np.testing.assert_array_equal(faces.pixels[row], written[path])
        part, emotion, _ = path.split("/")
        assert faces.table["emotion"][row] == NAMES[names.index(emotion)]
        assert (faces.table["split"][row] == "test") == (part == "test")


def test_the_official_split_is_regained_from_file_names(folder):
    write_folders(folder, test_prefixes=("PublicTest", "PrivateTest"))
    table = read_fer2013(folder).table
    for path, split in zip(table["sequence"], table["split"], strict=True):
        prefix = path.split("/")[-1].split("_")[0]
        assert split == {"Training": "train", "PublicTest": "valid", "PrivateTest": "test"}[prefix]
    assert set(table["split_rule"]) == {"file name prefix; 42 pictures where the release has 35,887"}


def test_one_foreign_name_among_the_test_pictures_and_the_split_is_not_guessed(folder):
    write_folders(folder, test_prefixes=("PublicTest", "PrivateTest"))
    (folder / "test" / "fear" / "PublicTest_0.png").rename(folder / "test" / "fear" / "mine_0.png")
    table = read_fer2013(folder).table
    assert {p.split("/")[0] for p in table["sequence"][table["split"] == "test"]} == {"test"}
    assert (table["split"] == "test").sum() == 21


def test_validation_is_an_eighth_of_each_emotion_of_train_whatever_the_names(folder, tmp_path):
    written = write_folders(folder, per_class=16)
    table = read_fer2013(folder).table
    valid = table[table["split"] == "valid"]
    assert all(path.startswith("train/") for path in valid["sequence"])
    assert valid["emotion"].value_counts().to_dict() == dict.fromkeys(NAMES, 2)
    (rule,) = set(table["split_rule"])
    assert rule.startswith("valid taken from train (1 in 8), test whole; 224 pictures")
    renamed = tmp_path / "renamed"
    for i, path in enumerate(sorted(written, reverse=True)):
        part, emotion, _ = path.split("/")
        (renamed / part / emotion).mkdir(parents=True, exist_ok=True)
        (folder / path).rename(renamed / part / emotion / f"{i:03d}.png")
    again = read_fer2013(renamed)
    assert {again.pixels[i].tobytes() for i in np.flatnonzero(again.table["split"] == "valid")} == {
        written[path].tobytes() for path in valid["sequence"]
    }


def test_exact_copies_stay_on_one_side_of_the_validation_split(folder):
    written = write_folders(folder, per_class=16)
    for path in [p for p in written if p.startswith("train/")]:
        # A second copy beside it, and of some a third under another label.
        Image.fromarray(written[path]).save(folder / path.replace("Training", "copy"))
        if path.endswith("5.png"):
            Image.fromarray(written[path]).save(folder / "train" / "neutral" / path.replace("/", "_"))
    faces = read_fer2013(folder)
    split = faces.table["split"].to_numpy()
    group = copy_groups(faces)
    assert (split == "valid").sum() >= 7 * 4
    assert not set(group[split == "train"]) & set(group[split == "valid"])


def test_grey_jpg_colour_pictures_doubled_folders_and_litter_are_read(folder):
    write_folders(folder, suffix="jpg")
    colour = folder / "train" / "fear" / "colour.PNG"
    Image.fromarray(np.full((48, 48, 3), 77, np.uint8)).save(colour)
    (folder / "train" / "fear" / ".DS_Store").write_bytes(b"x")
    (folder / "test" / "Thumbs.db").write_bytes(b"x")
    (folder / "train").rename(folder / "inner")
    (folder / "train").mkdir()
    (folder / "inner").rename(folder / "train" / "train")
    faces = read_fer2013(folder)
    assert len(faces) == 43
    row = faces.table["sequence"].tolist().index("train/train/fear/colour.PNG")
    assert set(faces.pixels[row].ravel()) == {77}


def png(size=(48, 48), mode="L") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, "png")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("bad.png", b"", "not a readable picture"),
        ("bad.png", b"not a picture at all", "not a readable picture (of no known format)"),
        ("bad.png", png()[:60], "not a readable picture"),
        ("bad.png", png()[:20], "not a readable picture"),
        ("bad.png", png((48, 47)), "48 × 47 pixels; expected 48 × 48"),
        ("bad.png", png((96, 96)), "96 × 96 pixels; expected 48 × 48"),
        ("bad.gif", b"GIF", "not a picture; expected .png, .jpg, .jpeg"),
    ],
)
def test_a_bad_picture_is_named(folder, name, content, message):
    write_folders(folder)
    (folder / "test" / "sad" / name).write_bytes(content)
    with pytest.raises(DataError, match=re.escape(f"test/sad/{name}: {message}")):
        read_fer2013(folder)


def test_emotion_folders_must_be_the_seven(folder):
    write_folders(folder)
    (folder / "train" / "bored").mkdir()
    with pytest.raises(DataError, match=r"train/bored: not an emotion folder; expected angry"):
        read_fer2013(folder)
    (folder / "train" / "bored").rmdir()
    (folder / "train" / "3").mkdir()
    with pytest.raises(DataError, match="happy: a second folder for happiness"):
        read_fer2013(folder)
    (folder / "train" / "3").rmdir()
    for picture in (folder / "test" / "disgust").iterdir():
        picture.unlink()
    with pytest.raises(DataError, match="test: no pictures of disgust"):
        read_fer2013(folder)
    (folder / "test" / "disgust").rmdir()
    with pytest.raises(DataError, match="test: no pictures of disgust"):
        read_fer2013(folder)
    (folder / "test").rename(folder / "tests")
    with pytest.raises(DataError, match="test: no such folder"):
        read_fer2013(folder)


@pytest.mark.parametrize("inside", ["test/sad/Training_9.png", "train/fear", "test"])
def test_links_out_of_the_image_folders_are_refused(folder, tmp_path, inside):
    write_folders(folder)
    place = folder / inside
    outside = tmp_path / "outside"
    if place.exists():
        place.rename(outside)
    else:
        Image.fromarray(pictures(1)[0]).save(outside, "png")
    place.symlink_to(outside)
    with pytest.raises(DataError, match=re.escape(f"{inside}: a link that leaves")):
        read_fer2013(folder)


def test_votes_cannot_be_joined_to_image_folders(folder):
    write_folders(folder)
    write_votes(folder, votes_of(42))
    with pytest.raises(DataError, match=r"fer2013new\.csv: the FER\+ votes follow the rows"):
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
