"""FaceSet: one form, clear refusals, a round trip that loses nothing and trusts nothing."""

import numpy as np
import pandas as pd
import pytest

from face_sets.faceset import EMOTIONS, SPLITS, FaceSet
from ferbook.errors import DataError
from tests.made import full_disk


def a_table(n: int, **columns) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "dataset": ["toy"] * n,
            "subject": [f"toy-{i // 2}" for i in range(n)],
            "sequence": [f"s{i}" for i in range(n)],
            "frame": np.zeros(n, np.int64),
            "emotion": [EMOTIONS[i % len(EMOTIONS)] for i in range(n)],
            "split": [SPLITS[i % len(SPLITS)] for i in range(n)],
        }
    )
    return table.assign(**columns)


def a_set(n: int = 6, seed: int = 0, **columns) -> FaceSet:
    pixels = np.random.default_rng(seed).integers(0, 256, (n, 4, 3), dtype=np.uint8)
    return FaceSet("toy", pixels, a_table(n, **columns))


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("emotion", ["anger", None], r"row 1: emotion is missing"),
        ("emotion", ["anger", "joy"], r"row 1: emotion is 'joy', which is not one of neutral"),
        ("split", ["training", "test"], r"row 0: split is 'training'"),
        ("subject", [1, 2], r"row 0: subject is .*1.* which is not text"),
        ("sequence", ["a", 7], r"row 1: sequence is 7, which is not text"),
        ("frame", [0.0, 1.0], r"frame has dtype float64; expected integers"),
        ("frame", pd.array([0, None], dtype="Int64"), r"frame has dtype Int64"),
        ("AU4", [0.5, 1.5], r"row 1: AU4 is .*1\.5.* \[0, 1\]"),
        ("AU12", ["0", "1"], r"AU12 has dtype str; expected numbers"),
        ("vote_fear", [1, -1], r"row 1: vote_fear .* a count of votes"),
        ("note", [{"a": 1}, "b"], r"row 0: note .* not text"),
    ],
)
def test_a_table_with_a_wrong_value_is_refused_by_row_and_column(column, values, message):
    with pytest.raises(DataError, match=message) as refusal:
        FaceSet("toy", np.zeros((2, 3, 3), np.uint8), a_table(2, **{column: values}))
    assert "'toy'" in str(refusal.value)


def test_an_au_that_was_not_coded_is_nan_and_missing_notes_are_allowed():
    faces = a_set(2, AU4=[np.nan, 0.5], note=["blurred", None])
    assert faces.aus == ("AU4",)
    assert faces.table["note"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("pixels", "table", "message"),
    [
        (np.zeros((2, 3, 3), np.float32), a_table(2), "must be uint8"),
        (np.zeros((3, 3, 3), np.uint8), a_table(2), "3 pictures but 2 table rows"),
        (np.zeros((2, 3, 3), np.uint8), a_table(2).drop(columns=["split", "frame"]), "frame, split"),
        (np.zeros((2, 3, 3), np.uint8), a_table(2).rename(columns={"frame": 3}), "table column 3;"),
        (
            np.zeros((2, 3, 3), np.uint8),
            pd.concat([a_table(2), a_table(2)[["emotion"]]], axis=1),
            "'emotion'; column names must be text, each once",
        ),
    ],
)
def test_pixels_and_table_must_fit(pixels, table, message):
    with pytest.raises(DataError, match=message):
        FaceSet("toy", pixels, table)


def test_the_table_takes_one_form_and_the_callers_frame_stays_as_it_was():
    given = a_table(3, frame=np.array([1, 2, 3], np.int16)).set_axis([7, 7, 9], axis="index")
    given["emotion"] = pd.Categorical(given["emotion"])
    given["sequence"] = given["sequence"].astype(object)
    before = given.copy()
    faces = FaceSet("toy", np.zeros((3, 2, 2), np.uint8), given)
    assert faces.table.index.tolist() == [0, 1, 2]
    assert faces.table["frame"].dtype == np.int64
    assert {str(faces.table[c].dtype) for c in ("emotion", "sequence", "subject")} == {"str"}
    assert faces.table["frame"].tolist() == [1, 2, 3]
    pd.testing.assert_frame_equal(given, before)


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ([True, False], "a mask of 2 values for 6"),
        ([0, 6], r"index 6 is out of range \(0 to 5\)"),
        ([0, -1], "index -1 is out of range"),
        ([[0, 1]], "one dimension"),
    ],
)
def test_select_refuses_what_does_not_fit(keep, message):
    with pytest.raises(DataError, match=message):
        a_set().select(np.array(keep))


def test_select_by_mask_by_indices_and_manually_agree():
    faces = a_set(20)
    mask = np.random.default_rng(0).random(20) < 0.4
    chosen = faces.select(mask)
    assert chosen.checksum == faces.select(np.flatnonzero(mask)).checksum
    assert chosen.table["sequence"].tolist() == [f"s{i}" for i in range(20) if mask[i]]
    assert all((a == faces.pixels[i]).all() for a, i in zip(chosen.pixels, np.flatnonzero(mask), strict=True))
    assert faces.select(np.arange(20)).checksum == faces.checksum


def test_labels_index_the_given_classes():
    faces = a_set(4)
    assert faces.classes == EMOTIONS[:4]
    assert faces.labels(EMOTIONS[:4]).tolist() == [0, 1, 2, 3]
    assert faces.labels(EMOTIONS[3::-1]).tolist() == [3, 2, 1, 0]
    with pytest.raises(DataError, match="row 3: emotion 'disgust' is not among"):
        faces.labels(EMOTIONS[:3])
    with pytest.raises(DataError, match="named twice"):
        faces.labels((*EMOTIONS, "fear"))


def test_a_split_that_there_is_not_is_named():
    with pytest.raises(DataError, match="no split 'validation'; the splits are train, valid, test"):
        a_set().split("validation")


def test_checksum_sees_every_pixel_and_cell_and_not_the_dtype():
    base = a_set(6, AU1=np.linspace(0, 1, 6))
    assert a_set(6, AU1=np.linspace(0, 1, 6)).checksum == base.checksum
    same = [
        base.table.assign(emotion=pd.Categorical(base.table["emotion"])),
        base.table.assign(split=base.table["split"].astype(object)),
        base.table.assign(frame=base.table["frame"].astype(np.uint8)),
        base.table.assign(AU1=base.table["AU1"].astype("Float64")),
        base.table.set_axis(list("abcdef"), axis="index"),
    ]
    assert {FaceSet("toy", base.pixels, table).checksum for table in same} == {base.checksum}
    assert FaceSet("toy", np.asfortranarray(base.pixels), base.table).checksum == base.checksum
    without = [{"blurred": 1, "turned": np.int64(2)}, {"turned": 2, "blurred": 1}]
    told = {FaceSet("toy", base.pixels, base.table, left_out=each).checksum for each in without}
    assert len(told) == 1 and base.checksum not in told

    changed = base.pixels.copy()
    changed[5, 3, 2] ^= 1
    other = [FaceSet("toy", changed, base.table), FaceSet("toy", base.pixels.reshape(6, 3, 4), base.table)]
    for column, row, value in [
        ("subject", 0, "toy-9"),
        ("sequence", 5, "s05"),
        ("frame", 3, 1),
        ("emotion", 2, "fear"),
        ("split", 4, "test" if base.table["split"][4] != "test" else "train"),
        ("AU1", 1, 0.2000001),
        ("AU1", 1, np.nan),
    ]:
        table = base.table.copy()
        table.loc[row, column] = value
        other.append(FaceSet("toy", base.pixels, table))
    other.append(FaceSet("toy", base.pixels, base.table.rename(columns={"AU1": "AU2"})))
    assert len({base.checksum, *(faces.checksum for faces in other)}) == len(other) + 1


def test_checksum_is_one_for_values_that_are_equal_in_other_bits():
    pixels = np.zeros((2, 2, 2), np.uint8)
    other_nan = np.array([0x7FF8_0000_0000_0001], np.uint64).view(np.float64)[0]
    one, other = ([0.0, np.nan], [-0.0, other_nan])
    assert np.array(one).tobytes() != np.array(other).tobytes()
    sums = {FaceSet("toy", pixels, a_table(2, AU1=np.array(values))).checksum for values in (one, other)}
    assert len(sums) == 1


def test_checksum_of_a_known_set_stays_what_it_is():
    """Runs record checksums: a change of the recipe makes all of them look like other data."""
    pixels = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    faces = FaceSet("toy", pixels, a_table(2, AU1=[0.5, np.nan]))
    assert faces.checksum == "dbc44f764f0b313fd37b00e52b01150c13d0d601421c37837211d45e61d70ba4"


def test_round_trip_keeps_values_dtypes_and_order(tmp_path):
    faces = a_set(
        7,
        AU12=np.linspace(0, 1, 7, dtype=np.float32),
        AU2=[0, 1, 0, 1, np.nan, 0, 1],
        vote_fear=np.arange(7, dtype=np.uint8),
        coded=[True, False] * 3 + [True],
        note=["é", None, "", "a,b", '"', "\n", "x"],
    )
    faces.save(tmp_path / "set")
    again = FaceSet.load(tmp_path / "set")
    assert again.name == "toy"
    assert again.checksum == faces.checksum
    np.testing.assert_array_equal(again.pixels, faces.pixels)
    pd.testing.assert_frame_equal(again.table, faces.table)
    assert not isinstance(again.pixels.base, np.memmap)


@pytest.mark.parametrize("n", [0, 1])
def test_round_trip_of_the_smallest_sets(tmp_path, n):
    a_set(n).save(tmp_path / "set")
    again = FaceSet.load(tmp_path / "set")
    pd.testing.assert_frame_equal(again.table, a_set(n).table)


def test_save_refuses_whatever_is_there(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("folder", "file", "link"):
        with pytest.raises(DataError, match=f"{name}: exists already"):
            a_set().save(tmp_path / name)
    assert (tmp_path / "file").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder", "link"]


def test_a_full_disk_is_a_data_error_and_leaves_nothing(tmp_path):
    faces = FaceSet("toy", np.zeros((40, 64, 64), np.uint8), a_table(40))
    with full_disk(100_000), pytest.raises(DataError, match="set: the face set could not be written"):
        faces.save(tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["pixels.npy", "table.parquet", "faceset.json"])
def test_a_file_cut_short_anywhere_is_a_data_error(tmp_path, name):
    a_set(6, AU1=np.linspace(0, 1, 6)).save(tmp_path / "set")
    file = tmp_path / "set" / name
    whole = file.read_bytes()
    cuts = range(0, len(whole) - 2, max(1, len(whole) // 20))  # the last byte of the json is a newline
    for length in (*cuts, len(whole) - 2):
        file.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"set: (not a readable face set|its content does not match)"):
            FaceSet.load(tmp_path / "set")
    file.unlink()
    with pytest.raises(DataError, match="not a readable face set"):
        FaceSet.load(tmp_path / "set")


@pytest.mark.parametrize("name", ["pixels.npy", "table.parquet", "faceset.json"])
def test_a_flipped_bit_is_a_data_error_or_changes_nothing(tmp_path, name):
    faces = a_set(6, AU1=np.linspace(0, 1, 6))
    faces.save(tmp_path / "set")
    file = tmp_path / "set" / name
    whole = bytearray(file.read_bytes())
    rng = np.random.default_rng(1)
    refused = 0
    for place in rng.choice(len(whole), min(len(whole), 120), replace=False):
        damaged = whole.copy()
        damaged[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(damaged)
        try:
            assert FaceSet.load(tmp_path / "set").checksum == faces.checksum
        except DataError:
            refused += 1
    assert refused > 5


@pytest.mark.parametrize("about", ["[]", '{"name": "toy"}', "{"])
def test_a_json_that_does_not_describe_the_set_is_a_data_error(tmp_path, about):
    a_set().save(tmp_path / "set")
    (tmp_path / "set" / "faceset.json").write_text(about)
    with pytest.raises(DataError, match="set: "):
        FaceSet.load(tmp_path / "set")


def test_a_header_that_claims_more_than_the_file_holds_asks_for_no_memory(tmp_path):
    a_set().save(tmp_path / "set")
    file = tmp_path / "set" / "pixels.npy"
    header = {"descr": "|u1", "fortran_order": False, "shape": (10**12, 48, 48)}
    with file.open("wb") as npy:
        np.lib.format.write_array_header_1_0(npy, header)
    with pytest.raises(DataError, match="not a readable face set"):
        FaceSet.load(tmp_path / "set")


def test_a_pickle_in_place_of_pixels_is_never_loaded(tmp_path):
    a_set().save(tmp_path / "set")
    np.save(tmp_path / "set" / "pixels.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="not a readable face set"):
        FaceSet.load(tmp_path / "set")


def a_masked_set(n: int = 6, seed: int = 0, **about) -> FaceSet:
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, 4, (n, 4, 3), dtype=np.uint32)
    landmarks = rng.random((n, 68, 2), dtype=np.float32)
    pixels = rng.integers(0, 256, (n, 4, 3), dtype=np.uint8)
    return FaceSet(
        "toy", pixels, a_table(n), masks=masks, mask_aus=("AU1", "AU12"), landmarks=landmarks, **about
    )


def test_masks_and_landmarks_follow_their_pictures(tmp_path):
    faces = a_masked_set(left_out={"sequences without frames": 2})
    faces.save(tmp_path / "set")
    for kept in (faces, FaceSet.load(tmp_path / "set")):
        some = kept.select(np.array([4, 1, 1]))
        np.testing.assert_array_equal(some.masks, faces.masks[[4, 1, 1]])
        np.testing.assert_array_equal(some.landmarks, faces.landmarks[[4, 1, 1]])
        np.testing.assert_array_equal(some.mask("AU12"), faces.masks[[4, 1, 1]] // 2 == 1)
        np.testing.assert_array_equal(some.mask("AU1"), faces.masks[[4, 1, 1]] % 2 == 1)
        assert some.left_out == {"sequences without frames": 2}
        assert some.mask_aus == ("AU1", "AU12")
    with pytest.raises(DataError, match="no mask of 'AU4'; the masks are AU1, AU12"):
        faces.mask("AU4")
    with pytest.raises(DataError, match="the masks are none"):
        a_set().mask("AU4")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"masks": np.zeros((6, 4, 3), np.uint32)}, "mask_aus must name"),
        ({"masks": np.zeros((6, 4, 3), np.uint32), "mask_aus": ("AU1", "AU1")}, "mask_aus must name"),
        ({"masks": np.zeros((6, 4, 3), np.uint8), "mask_aus": ("AU1",)}, "masks must be uint32"),
        (
            {"masks": np.zeros((6, 3, 4), np.uint32), "mask_aus": ("AU1",)},
            r"masks must be uint32 \(6, 4, 3\)",
        ),
        ({"landmarks": np.zeros((6, 49, 2), np.float32)}, r"landmarks must be float32 \(6, 68, 2\)"),
    ],
)
def test_masks_and_landmarks_must_fit(arrays, message):
    pixels = np.zeros((6, 4, 3), np.uint8)
    with pytest.raises(DataError, match=message):
        FaceSet("toy", pixels, a_table(6), **arrays)


def test_pictures_without_an_emotion_are_kept_apart():
    faces = a_set(4, emotion=["anger", "", "other", ""])
    assert faces.classes == ("anger", "other")
    assert faces.labelled().table["sequence"].tolist() == ["s0", "s2"]
    with pytest.raises(DataError, match="none of its 4 pictures carries an emotion"):
        a_set(4, emotion=[""] * 4).labelled()
    with pytest.raises(DataError, match=r"row 1: it has no emotion \(see labelled"):
        faces.labels(faces.classes)


def test_a_selection_copies_no_pixels_until_they_are_asked_for():
    faces = a_set(1000)
    some = faces.select(np.arange(10, 900)).select(np.arange(5, 20))
    assert np.shares_memory(some.pixels, faces.pixels)
    apart = faces.select(np.array([7, 3]))
    np.testing.assert_array_equal(apart.gather(np.array([1, 0, 1])), faces.pixels[[3, 7, 3]])
    assert "pixels" not in apart.__dict__  # gather has not gathered the others


def test_assigned_columns_leave_pictures_and_the_given_set_as_they_are():
    faces = FaceSet("toy", a_set(3).pixels, a_table(3), left_out={"a reason": 2})
    moved = faces.assign(split=["test", "valid", "test"], note="n")
    assert np.shares_memory(moved.pixels, faces.pixels) and moved.left_out == {"a reason": 2}
    assert moved.table["split"].tolist() == ["test", "valid", "test"] and set(moved.table["note"]) == {"n"}
    assert moved.table["sequence"].equals(faces.table["sequence"]) and "note" not in faces.table
    with pytest.raises(DataError, match="row 1: split is 'never'"):
        faces.assign(split=["test", "never", "test"])


def test_joined_sets_keep_rows_and_columns():
    first, second = a_masked_set(3, left_out={"a": 1}), a_masked_set(2, seed=1, left_out={"a": 2, "b": 1})
    second = FaceSet(
        "more", second.pixels, second.table.assign(AU4=0.5), masks=second.masks, mask_aus=("AU1", "AU12")
    )
    joined = FaceSet.concat("both", [second, first.select(np.array([2, 0])), first])
    expected = np.concatenate([second.pixels, first.pixels[[2, 0]], first.pixels])
    np.testing.assert_array_equal(joined.pixels, expected)
    np.testing.assert_array_equal(joined.masks[2:4], first.masks[[2, 0]])
    assert joined.landmarks is None and joined.left_out == {"a": 1}, "of two parts of one set once"
    assert joined.table["AU4"].isna().tolist() == [False] * 2 + [True] * 5
    np.testing.assert_array_equal(joined.gather(np.array([6, 0, 2])), expected[[6, 0, 2]])
    other = FaceSet("o", first.pixels, first.table, masks=first.masks, mask_aus=("AU1", "AU2"))
    assert FaceSet.concat("both", [first, other]).masks is None
    with pytest.raises(DataError, match="pictures of one size; given: none"):
        FaceSet.concat("none", [])
    with pytest.raises(DataError, match=r"toy 4 × 3, tall 5 × 3"):
        FaceSet.concat("two", [first, FaceSet("tall", np.zeros((1, 5, 3), np.uint8), a_table(1))])


def test_a_large_array_is_mapped_and_not_read(tmp_path, monkeypatch):
    a_set().save(tmp_path / "set")
    monkeypatch.setattr("face_sets.faceset.MAPPED_ABOVE", 10)
    mapped = FaceSet.load(tmp_path / "set")
    assert isinstance(mapped.pixels, np.memmap)
    assert mapped.checksum == a_set().checksum
    mapped.select(np.array([5, 0, 3])).save(tmp_path / "some")
    np.testing.assert_array_equal(FaceSet.load(tmp_path / "some").pixels, a_set().pixels[[5, 0, 3]])
