"""``ferbook detector``: the folder, tables of known tools and odd ones, and the page."""

import json
import re
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest

from book import detector_audit, detector_page
from book.detector_audit import PICTURES, TRUTH_FILE, audited, read_detections, read_truth, write_stimuli
from book.detector_page import audit_json, audit_page, tried_page, verdict_lines
from book.detector_rules import Audit
from ferbook.errors import DataError
from synthetic_faces.stimuli import stimuli_table

UNITS = ("AU1", "AU2", "AU4", "AU12", "AU15", "AU25")


@pytest.fixture(scope="module")
def stimuli(tmp_path_factory):
    """A folder whose pictures are grey squares: an audit reads none of them."""
    folder = tmp_path_factory.mktemp("made") / "stimuli"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detector_audit, "render_stimuli", lambda table, *_, **__: grey_squares(len(table)))
        write_stimuli(folder, 6, 0, 8)
    return folder


def grey_squares(number):
    return np.zeros((number, 8, 8), np.uint8)


def answers(truth, units=UNITS):
    """Whatever the outputs are called: .1 at rest, and half of the dose, with some noise."""
    random = np.random.default_rng(0)
    found = {au: 0.1 + truth[[f"{au}_left", f"{au}_right"]].max(axis=1) / 2 for au in units}
    return pd.DataFrame(found).add(0.02 * random.standard_normal((len(truth), len(units)))).clip(0, 1)


@pytest.fixture
def truth(stimuli):
    return read_truth(stimuli)


@pytest.fixture
def table(truth):
    found = answers(truth).rename(columns={au: f"AU{int(au[2:]):02d}" for au in UNITS})
    return found.assign(input=["/home/x/" + name for name in truth["file"]])


def read(tmp_path, table, truth, given=""):
    file = tmp_path / "detections.csv"
    table.to_csv(file, index=False)
    return read_detections(file, truth, given)


def test_the_folder_keeps_the_truth_apart(stimuli):
    table = stimuli_table(6)
    assert sorted(each.name for each in (stimuli / PICTURES).iterdir()) == list(table["file"])
    assert list(pd.read_csv(stimuli / "faces.csv")) == ["file"]
    pd.testing.assert_frame_equal(read_truth(stimuli), table, check_dtype=False)
    assert "CC0" in (stimuli / "LICENCE.txt").read_text()


def test_a_folder_is_whole_or_not_there(tmp_path, monkeypatch):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").write_text("x")
    with pytest.raises(DataError, match="not empty"):
        write_stimuli(tmp_path / "full", 6, 0, 8)
    assert (tmp_path / "full/mine").read_text() == "x"
    monkeypatch.setattr(detector_audit, "render_stimuli", lambda *_, **__: grey_squares(3))
    with pytest.raises(ValueError, match="zip"):
        write_stimuli(tmp_path / "new", 6, 0, 8)
    assert [each.name for each in tmp_path.iterdir()] == ["full"]


def test_py_feat(tmp_path, table, truth):
    table.iloc[7, :-1] = np.nan  # no face was found
    outputs, notes = read(tmp_path, table.assign(AU11=0.5, FaceScore=0.9), truth)
    told = ["AU11: the faces show no AU11; left out", "1 of 1,626 pictures have no answer, as where no face"]
    assert [each.name for each in outputs] == list(UNITS) and len(notes) == 2
    assert all(map(str.startswith, notes, told))
    np.testing.assert_allclose(outputs[3].found, table["AU12"])


def test_openface_2(tmp_path, table, truth):
    found = {f" {name}_r": 5 * table[name] for name in table if name.startswith("AU")}
    found |= {f" {name}_c": (table[name] > 0.3).astype(int) for name in table if name.startswith("AU")}
    own = pd.DataFrame(found).assign(**{"frame": np.arange(len(truth)) + 1, " success": 1, " AU45_r": 0.3})
    own.loc[:3, " success"] = 0
    outputs, notes = read(tmp_path, own, truth)
    assert [each.name for each in outputs] == [*UNITS, "AU43"]
    np.testing.assert_allclose(outputs[3].found[4:], table["AU12"][4:])
    assert np.isnan(outputs[3].found[:4]).all()
    assert any("`frame`" in note for note in notes) and any("4 of " in note for note in notes)


def test_a_mapping_of_one_s_own(tmp_path, table, truth):
    names = truth["file"].str.removesuffix(".png")
    own = pd.DataFrame({"smile": 7 * table["AU12"], "left": table["AU01"], "picture": names})
    (tmp_path / "m.yaml").write_text("smile: AU12 of 7\nleft: AU2 left\npicture: file\n")
    outputs, _ = read(tmp_path, own, truth, str(tmp_path / "m.yaml"))
    assert [each.name for each in outputs] == ["AU2 left", "AU12"]
    np.testing.assert_allclose(outputs[1].found, table["AU12"])


def test_odd_rows_are_told_and_the_rest_stands(tmp_path, table, truth):
    odd = table.astype(object)
    odd.loc[5, "AU12"], odd.loc[6, "AU01"] = "inf", "much"
    twice = odd.iloc[[10]]
    strange = odd.iloc[[11]].assign(input="someone.jpg")
    other = odd.iloc[[12]].assign(AU12=0.9, FaceScore=0.2)
    rows = [odd.assign(FaceScore=0.8), twice.assign(FaceScore=0.8), strange, other]
    odd = pd.concat(rows).drop(index=range(20, 30))
    outputs, notes = read(tmp_path, odd, truth)
    told, smile = "\n".join(notes), outputs[3].found
    assert "1 rows stand there twice" in told and "'someone.jpg'" in told
    assert "1 pictures have several faces (2 rows); the one with the highest FaceScore" in told
    assert "2 values are no" in told and f"10 of {len(truth):,} pictures have no answer" in told
    assert np.isnan(smile[[5, *range(20, 30)]]).all()
    assert smile[12] == pytest.approx(table["AU12"][12])


def test_values_that_are_no_numbers_are_counted_where_a_face_was_found(tmp_path, table, truth):
    odd = table.astype(object).assign(success=1)
    odd.loc[5, "success"], odd.loc[5, "AU12"], odd.loc[6, "AU01"] = 0, "nan", "much"
    outputs, notes = read(tmp_path, odd, truth)
    assert notes == [
        "1 values are no finite numbers; each counts as no answer",
        f"1 of {len(truth):,} pictures have no answer, as where no face was found",
    ]
    assert all(np.isnan(each.found[5]) for each in outputs)


def test_a_face_that_failed_gives_way_to_one_that_did_not_however_sure(tmp_path, table, truth):
    failed = table.iloc[:5].assign(success=0, confidence=0.9, AU12=1)
    own = pd.concat([failed, table.assign(success=1, confidence=0.5)])
    outputs, notes = read(tmp_path, own, truth)
    smile = next(each for each in outputs if each.name == "AU12").found
    assert smile[:5] == pytest.approx(table["AU12"][:5]) and not any("no answer" in note for note in notes)


@pytest.mark.parametrize("words", [("True", "False"), ("TRUE", "false"), ("1.0", "0.0"), ("1", "0")])
def test_success_is_a_truth_value_in_figures_or_words(tmp_path, table, truth, words):
    own = pd.concat([table.assign(success=words[0]), table.iloc[[7]].assign(AU12=1, success=words[1])])
    own.iloc[5, own.columns.get_loc("success")] = words[1]
    outputs, notes = read(tmp_path, own.iloc[::-1], truth)
    smile = next(each for each in outputs if each.name == "AU12").found
    assert np.isnan(smile[5]) and smile[7] == pytest.approx(table["AU12"][7])
    assert "the one with the highest success is taken" in notes[0]


@pytest.mark.parametrize(
    ("times", "told"),
    [(100, "read as per cent"), (5, "read as 0 to 5"), (900, "shares of each column's largest")],
)
def test_other_scales(tmp_path, table, truth, times, told):
    own = table.copy()
    own.iloc[:, :-1] *= times / own.iloc[:, :-1].to_numpy().max()
    outputs, notes = read(tmp_path, own, truth)
    assert told in notes[0] and max(each.found.max() for each in outputs) == pytest.approx(1)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "it is empty"),
        (b"AU01\n\xff\xfe", "not UTF-8"),
        (b'file,AU12\na,1\n"x', "not a CSV below line 2"),
        (b'file,AU12,by\na,1,"me\nb,1,you"\n', "line 3: a quote of a row above it is closed only here"),
    ],
)
def test_files_that_are_no_tables(tmp_path, truth, raw, told):
    file = tmp_path / "d.csv"
    file.write_bytes(raw)
    with pytest.raises(DataError, match=told):
        read_detections(file, truth)
    with pytest.raises(DataError, match="cannot be read"):
        read_detections(tmp_path / "none.csv", truth)
    with pytest.raises(DataError, match="no stimuli lie there"):
        read_truth(tmp_path)


def test_a_separator_at_the_end_of_each_row_shifts_nothing(tmp_path, table, truth):
    whole, _ = read(tmp_path, table, truth)
    file = tmp_path / "detections.csv"
    heading, *rows = file.read_text().splitlines()
    file.write_text("\n".join([heading, *(f"{row}," for row in rows)]))
    outputs, notes = read_detections(file, truth)
    assert [each.name for each in outputs] == [each.name for each in whole] and notes == []
    assert all(np.array_equal(own.found, other.found) for own, other in zip(outputs, whole, strict=True))
    file.write_text("\n".join([heading, rows[0], f"{rows[1]},0.5"]))
    with pytest.raises(DataError, match=r"detections\.csv, line 3: 8 cells, and 7 columns"):
        read_detections(file, truth)


@pytest.mark.parametrize(
    ("first", "second", "unit"),
    [
        ("AU12", "AU012", "AU12"),
        ("AU12_c", "au_12", "AU12"),
        ("AU12_r", "au_12_intensity", "AU12"),
        ("AU43", "AU45", "AU43"),
        ("AU12_left", "au_12_left", "AU12 left"),
    ],
)
def test_two_columns_of_one_unit_are_refused_in_either_order(tmp_path, table, truth, first, second, unit):
    own = table[["input"]].assign(**{first: 0.5, second: 0.25})
    for columns in ([first, second], [second, first]):
        with pytest.raises(DataError, match=f"two columns mean {unit}; give one of them"):
            read(tmp_path, own[["input", *columns]], truth)


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        ("AU12: AU12 of 1.2.3", "AU12 means 'AU12 of 1.2.3'"),
        ("AU12: AU12 of .", "AU12 means 'AU12 of .'"),
        ("AU12: AU12 of 0", "AU12 means 'AU12 of 0'"),
        ("smile: AU12", "no column 'smile'"),
        ("AU12: AU12\nAU12: AU4", "'AU12'.* twice"),
        ("AU12: AU99", "AU12 means 'AU99'"),
        ("- AU12", "expected lines such as"),
        ("a: [", "not YAML"),
    ],
)
def test_a_mapping_that_fits_nothing(tmp_path, table, truth, mapping, told):
    (tmp_path / "m.yaml").write_text(mapping)
    with pytest.raises(DataError, match=told):
        read(tmp_path, table, truth, str(tmp_path / "m.yaml"))


def openface(own, truth, first=1):
    """``own`` as OpenFace writes it: 0 to 5, and numbers of frames in place of names."""
    wide = own.drop(columns="input").mul(5).add_suffix("_r")
    return wide.assign(frame=np.arange(len(truth)) + first, confidence=0.98, success=1)


def doubled(own, truth, first=1):
    """A frame twice in the middle, and all behind it with the next number."""
    found = openface(own, truth)
    found = found.iloc[np.sort([*range(len(found)), len(found) // 2])]
    return found.assign(frame=np.arange(len(found)) + first)


def with_cell(own, column, value, row=55):
    found = own.astype(object)
    found.loc[row, column] = value
    return found


def with_sides(own, left, right):
    """Each unit twice: whole on the right, half on the left."""
    units = own.drop(columns="input")
    return units.add_suffix(right).join(units.div(2).add_suffix(left)).join(own["input"])


def below_lines(own, lines, separator="\t"):
    return "\n".join(lines) + "\n" + own.to_csv(index=False, sep=separator)


def listed(own, count=8):
    """OpenFace 3: AU12 is the sixth of the eight of a list in one cell."""
    cells = [f"[[{', '.join(['0.1'] * 5 + [str(each)] + ['0.1'] * (count - 6))}]]" for each in own["AU12"]]
    return pd.DataFrame({"image_path": own["input"], "action_units": cells, "frame_index": 0})


def lettered(own):
    letters = np.array(["NotActive", *"ABCDE"])
    units = own.drop(columns="input")
    names = {au: f"Action Unit {au[2:]} - Some Name" for au in units}
    return units.apply(lambda each: letters[np.round(each * 5).astype(int)]).rename(columns=names)


REFUSED = {
    "a frame twice": (doubled, r"line 1628: it is 1627, and there are 1,626 pictures; add a column"),
    "a frame twice, from 0": (lambda own, truth: doubled(own, truth, 0), "line 1628: it is 1626, and"),
    "fewer frames": (lambda own, truth: openface(own, truth)[:-1], "goes from 1 to 1625: 1,626 pictures"),
    "each number twice": (
        lambda own, truth: openface(own, truth).assign(frame=np.arange(len(truth)) // 2 * 2 + 1),
        "line 3: 1 stands there again; add a column",
    ),
    "every second number": (
        lambda own, truth: openface(own, truth)[:813].assign(frame=range(2, 1627, 2)),
        "line 3: it goes by 2; add a column",
    ),
    "a number that is none": (
        lambda own, truth: with_cell(openface(own, truth), "frame", "7.5"),
        r"`frame` is not their order: line 57: it is '7\.5'",
    ),
    "capital R alone": (
        lambda own, truth: own.set_index("input").add_suffix("_R").reset_index(),
        r"AU01_R goes to .*: the right side, or OpenFace's intensity .* with --columns",
    ),
    "a 999": (
        lambda own, truth: with_cell(own, "AU12", 999),
        r"line 57: AU12 is 999 \(1 such values\), and of 1 at most 1; leave what is no answer empty",
    ),
    "a -1": (lambda own, truth: with_cell(own, "AU12", -1), r"line 57: AU12 is -1 \(1 such"),
    "-1 for every fourth face": (
        lambda own, truth: own.assign(AU12=own["AU12"].where(own.index % 4 != 0, -1)),
        "line 2: AU12 is -1 .407 such values",
    ),
    "999 for every second face": (
        lambda own, truth: own.assign(AU12=own["AU12"].where(own.index % 2 == 0, 999)),
        "line 3: AU12 is 999 .813 such values",
    ),
    "a list of seven": (lambda own, truth: listed(own, 7), "line 2: action_units has 7 numbers; expected 8"),
    "JSON": (lambda own, truth: own.to_json(), "JSON; expected a CSV with a row per picture and a column"),
    "two columns of names": (
        lambda own, truth: own.assign(path=[*truth["file"][:9], *truth["file"][10:], truth["file"][9]]),
        "line 11: input and path name two pictures; leave the one that is right",
    ),
    "other pictures": (
        lambda own, truth: own.assign(input=own["input"].where(own.index < 500, "x.png")),
        "line 502: input is 'x.png'; 1,126 of 1,626 rows are of no picture of these stimuli; leave them out",
    ),
    "a picture from two folders": (
        lambda own, truth: pd.concat([own, own[3:4].assign(input="old/" + truth["file"][3])]),
        "line 1628: old/.* stands there under another path",
    ),
    "still being written": (
        lambda own, truth: own.to_csv(index=False)[:-60],
        r"line 1627: \d cells, and 7 columns: the last row is not whole",
    ),
    "no unit": (lambda own, truth: own.rename(columns="x{}".format), "no column is known as an action unit"),
    "one picture for all": (lambda own, truth: own.assign(input="a.png"), "no column names the pictures"),
    "no picture": (lambda own, truth: own.drop(columns="input").assign(frame=0), "no column names"),
    "no rows": (lambda own, truth: own.iloc[:0], "no rows below"),
    "no number": (lambda own, truth: own.assign(**dict.fromkeys(own.filter(like="AU"), "x")), "no number in"),
    "a success that is none": (
        lambda own, truth: own.assign(Success=["1", "", "yes"] + ["0"] * (len(own) - 3)),
        "line 4: success is 'yes'; expected 1 or 0, true",
    ),
    "a name twice": (lambda own, truth: "file,AU12,AU12\na.png,1,0\n", "two columns are called 'AU12'"),
    "with a space": (lambda own, truth: "file,AU12, AU12\na.png,1,0\n", "two columns are called 'AU12'"),
}
READ = {
    "gaps of LibreFace": (
        lambda own, truth: pd.DataFrame(
            {"au_12_intensity": 5 * own["AU12"], "au_12": own["AU12"] > 0.3, "frame_idx": own.index}
        ).drop(index=range(5, 9)),
        "`frame_idx`, counted from 0, is taken .*\n4 numbers of `frame_idx` are not there, as where",
    ),
    "two faces of a frame": (
        lambda own, truth: pd.concat(
            openface(own, truth, 0)[:end].assign(face_id=face, confidence=sure)
            for face, end, sure in ((0, None, 0.98), (1, 2, 0.1))
        ).assign(frame=[*range(len(truth)), 0, 1]),
        "2 numbers of `frame` stand there again, for other faces",
    ),
    "PyAFAR": (
        lambda own, truth: pd.DataFrame(
            {"Int_au_12": 5 * own["AU12"], "Occ_au_12": 1, "Occ_au_1": own["AU01"], "Frame": own.index}
        ),
        "`Frame`, counted from 0, is taken as their order$",
    ),
    "capital R is a side": (lambda own, truth: with_sides(own, "_L", "_R"), ""),
    "sides without a line": (lambda own, truth: with_sides(own, "L", "R"), ""),
    "a comma for the point": (lambda own, truth: own.to_csv(index=False, sep=";", decimal=","), ""),
    "a flag and a level": (lambda own, truth: own[["input"]].assign(AU12_c=1, AU12_r=5 * own["AU12"]), ""),
    "shares called r": (
        lambda own, truth: openface(own, truth).filter(like="_r").div(5).assign(file=truth["file"]),
        "no value above 1; read as 0 to 1, not as 0 to 5",
    ),
    "shares called intensity": (
        lambda own, truth: own.rename(columns={"AU12": "au_12_intensity", "AU15": "au_15_intensity"}),
        "au_12_intensity, au_15_intensity: no value above 1; read as 0 to 1, not as 0 to 5",
    ),
    "columns like units": (
        lambda own, truth: own.assign(AU12_occ=1, AU15_prob=0.5, AU25_lips_part=0.5),
        "AU12_occ, AU15_prob, AU25_lips_part: named as units are, and not understood; left out; say",
    ),
    "one column in per cent": (lambda own, truth: own.assign(AU12=100 * own["AU12"]), "AU12: .* as per cent"),
    "log odds": (
        lambda own, truth: (
            own.drop(columns="input").sub(0.5).mul(8).add_suffix(" Evidence").assign(file=truth["file"])
        ),
        "shares of each column's largest, since they go below 0, as log odds",
    ),
    "a little below 0": (lambda own, truth: own.filter(like="AU").sub(0.09).join(own["input"]), ""),
    "below 0, and no log odds": (
        lambda own, truth: own.filter(like="AU").sub(0.2).join(own["input"]),
        "shares of each column's largest, since they go below 0$",
    ),
    "FaceReader's lines and letters": (
        lambda own, truth: below_lines(
            lettered(own).assign(Picture=truth["file"]),
            ["Video analysis detailed log", "Face Model:\tGeneral", "Frame rate:\t25", ""],
        ),
        "read as the letters of FACS, of 5: 0, and A to E",
    ),
    "iMotions' lines": (lambda own, truth: below_lines(own, ["#INFO", "#Study name,x", "#DATA,"], ","), ""),
    "a list in one cell": (lambda own, truth: listed(own), ""),
    "a picture twice": (
        lambda own, truth: pd.concat([own, own[3:4].assign(AU12=0.5)]),
        r"1 pictures have several faces \(2 rows\); the first is taken \(the first again: line 1628\)",
    ),
}
# How far AU12 may be from what was written; infinite where it is not compared.
TOLERANCES = {"a little below 0": 0.1, "FaceReader's lines and letters": 0.1}
TOLERANCES |= dict.fromkeys(("log odds", "below 0, and no log odds"), np.inf)


def written(tmp_path, table):
    """The file of a table, or of a text."""
    file = tmp_path / "d.csv"
    file.write_text(table if isinstance(table, str) else table.to_csv(index=False))
    return file


@pytest.mark.parametrize(("build", "told"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_compared_is_refused_in_a_line(tmp_path, table, truth, build, told):
    file = written(tmp_path, build(table, truth))
    with pytest.raises(DataError, match=told) as refused:
        read_detections(file, truth)
    assert "\n" not in str(refused.value) and str(file) in str(refused.value)


@pytest.mark.parametrize("name", READ)
def test_tables_as_tools_and_people_write_them(tmp_path, table, truth, name):
    build, told = READ[name]
    outputs, notes = read_detections(written(tmp_path, build(table, truth)), truth)
    assert re.search(told, "\n".join(notes)) and (told or not notes)
    smile = next(each.found for each in outputs if each.name in ("AU12", "AU12 right"))
    there = np.isfinite(smile)
    np.testing.assert_allclose(smile[there], table["AU12"][there], atol=TOLERANCES.get(name, 1e-9))
    assert there.sum() >= len(truth) - 4


def written_one_by_one(table, truth, count, folder):
    """A table of each of the first pictures, as OpenFace writes it."""
    for place, name in enumerate(truth["file"][:count]):
        own = table.drop(columns="frame")[place : place + 1]
        own.to_csv(folder / name.replace(".png", ".csv"), index=False)


def test_a_folder_of_one_table_per_picture(tmp_path, table, truth):
    folder = tmp_path / "openface"
    folder.mkdir()
    written_one_by_one(openface(table, truth).assign(face=0), truth, 100, folder)
    outputs, notes = read_detections(folder, truth)
    smile = next(each.found for each in outputs if each.name == "AU12")
    np.testing.assert_allclose(smile[:100], table["AU12"][:100])
    assert np.isnan(smile[100:]).all() and len(notes) == 1 and "1,526 of them have no row" in notes[0]
    (folder / "99999.csv").write_text("AU12_r\n0.5\n")
    told = r"99999\.csv: other columns than .*; expected tables of one detector"
    with pytest.raises(DataError, match=told):
        read_detections(folder, truth)
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="no CSV lies there; expected one table, or one per picture"):
        read_detections(tmp_path / "none", truth)


def test_numbers_of_frames_are_no_names_of_pictures_however_many(tmp_path):
    truth = stimuli_table(37)
    own = answers(truth).mul(5).rename(columns={au: f"AU{int(au[2:]):02d}_r" for au in UNITS})
    outputs, notes = read(tmp_path, own.assign(frame=np.arange(len(truth)) + 1), truth)
    assert len(truth) == 10_027 and "`frame`, counted from 1" in notes[0]
    np.testing.assert_allclose(outputs[3].found[truth["file"].argsort()], own["AU12_r"] / 5)


def test_columns_of_numbers_are_not_searched_for_names(tmp_path, table, truth, monkeypatch):
    asked = []
    whole = detector_audit.read_table
    monkeypatch.setattr(detector_audit, "read_table", lambda *args: asked.extend(args[1]) or whole(*args))
    mesh = pd.DataFrame({f"x_{k}": np.arange(len(truth)) / 7 for k in range(50)})
    read(tmp_path, table.join(mesh).assign(model="v2"), truth)
    assert sorted(asked) == sorted([*table, "model"])


def test_half_of_the_pictures_without_a_face(tmp_path, table, stimuli):
    table.iloc[::2].to_csv(tmp_path / "d.csv", index=False)
    audit, _ = audited(stimuli, tmp_path / "d.csv")
    assert [each.word for each in audit.faults] == ["no face"]
    assert verdict_lines(audit)[-1] == "fault: in 50\u00a0% of the pictures no face was found"
    assert {each.word for each in audit.verdicts} == {"responds to its unit"}


def test_the_page_needs_nothing_else(tmp_path, table, stimuli):
    file = tmp_path / "<b>.csv"
    swapped = table.rename(columns={"AU12": "AU15", "AU15": "AU12"})
    swapped.iloc[:-100].to_csv(file, index=False)
    audit, notes = audited(stimuli, file)
    page = audit_page(audit, notes, file.name)
    assert "<b>.csv" not in page and "&lt;b&gt;.csv" in page
    assert not re.search(r"<script|https?://(?!www\.w3\.org)", page) and 'src="data:' in page
    assert "the columns seem shuffled: AU12 has AU15, AU15 has AU12" in page
    assert "100 of " in page and "AU43 (eyes closed)" in page
    assert "AU12: responds to AU15" in verdict_lines(audit)
    told = json.loads(json.dumps(audit_json(audit, notes), allow_nan=False))
    effect = told["outputs"]["AU12"]["effects"]["AU15"]
    assert effect["low"] < 0.5 < effect["high"] and told["faults"][0]["fault"] == "columns shuffled"


def test_the_commands(tmp_path, table, stimuli, command):
    table.to_csv(tmp_path / "d.csv", index=False)

    code, out, err = command("detector", "audit", tmp_path / "d.csv", "--stimuli", stimuli)
    assert code == 0 and "AU12: responds to its unit" in out and (tmp_path / "d-audit.html").is_file()
    code, out, _ = command("detector", "audit", tmp_path / "d.csv", "--stimuli", stimuli, "--json")
    assert json.loads(out)["outputs"]["AU12"]["verdict"] == "responds to its unit"
    code, _, err = command("detector", "audit", tmp_path / "no.csv", "--stimuli", stimuli)
    assert code == 2 and err.strip().count("\n") == 0 and "no.csv" in err
    code, _, err = command("detector", "stimuli", stimuli)
    assert code == 2 and "not empty" in err and (stimuli / TRUTH_FILE).is_file()


def test_what_was_tried_stands_on_the_page(tmp_path, monkeypatch):
    page = tried_page({})
    assert page.count("| AU12 |") == 1 and "MediaPipe" in page
    tools = (detector_page.TRIED.parent / "detectors.md").read_text().partition("| Known by |\n")[2]
    known = [line.rsplit("| ", 1)[1] for line in tools.partition("\n\n")[0].splitlines()[1:]]
    assert {"run |", "source |", "documents |"} == set(known) and len(known) > 9
    rows = pd.DataFrame(
        [
            ["output", "AU12 left", "responds to another", "AU4", 0.5, 0.4, 0.61],
            ["output", "AU12 right", "silent", "", 0.0, 0.0, 0.0],
            ["fault", "", "bias", "AU12", None, None, None],
        ],
        columns=["kind", "output", "word", "about", "effect", "low", "high"],
    )
    rows.assign(detector="mine", about_it="of today").to_csv(tmp_path / "tried.csv", index=False)
    monkeypatch.setattr(detector_page, "TRIED", tmp_path / "tried.csv")
    page = tried_page({}).replace("\u202f", "")
    assert "| AU12 | left: responds to AU4, 0.50 (0.40–0.61)<br>right: silent, 0.00" in page
    assert "- **mine** (of today). Deaf to: AU12. What is wrong as a whole: AU12 raises most outputs" in page


def test_tables_and_figures_tell_how_far_they_are(tmp_path, table, truth, monkeypatch):
    told = []

    @contextmanager
    def counted(what, total):
        done = []
        yield lambda: done.append(1)
        told.append((what, total, len(done)))

    for module in (detector_audit, detector_page):
        monkeypatch.setattr(module, "steps", counted)
    written_one_by_one(openface(table, truth), truth, 40, tmp_path)
    read_detections(tmp_path, truth)
    audit_page(Audit(truth, read(tmp_path, table, truth)[0]), [], "mine")
    assert told[0] == ("tables", 40, 40) and told[1] == ("figures", 3, 3)
