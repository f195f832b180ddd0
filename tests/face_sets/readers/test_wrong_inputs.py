"""One table of wrong inputs, of every reader: each is refused, and the message names the file, the row, the
field and the value.
"""

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image
from scipy.io import loadmat, savemat

from ferbook.errors import DataError
from tests.face_sets.readers.made_by_hand import edit_sheet, repack
from tests.face_sets.readers.test_every_reader import exported, read


def at(folder: Path, pattern: str) -> Path:
    """The first file or folder in ``folder`` whose path ends with ``pattern``."""
    return min(folder.glob(f"**/{pattern}"))


def edit(pattern, old, new):
    """``old`` in a text replaced once by ``new``."""

    def change(folder):
        text = at(folder, pattern).read_text(encoding="utf-8")
        assert old in text
        at(folder, pattern).write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def line(pattern, number, text):
    """Line ``number`` of a text replaced by ``text``."""

    def change(folder):
        lines = at(folder, pattern).read_text().splitlines()
        lines[number - 1] = text
        at(folder, pattern).write_text("\n".join(lines) + "\n")

    return change


def put(name, content=""):
    """A new file, or with no ending a new folder, beside what lies there."""

    def change(folder):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content) if path.suffix else path.mkdir()

    return change


def move(pattern, name):
    def change(folder):
        path = at(folder, pattern)
        path.rename(path.with_name(name))

    return change


def gone(pattern):
    def change(folder):
        path = at(folder, pattern)
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def raw(pattern, content):
    return lambda folder: at(folder, pattern).write_bytes(content)


def bits(pattern, old, new):
    """``old`` in any file replaced once by ``new``."""
    return lambda folder: raw(pattern, at(folder, pattern).read_bytes().replace(old, new, 1))(folder)


def zipped(name):
    """An entry of the first person's archive that is no picture."""
    return lambda folder: repack(at(folder, "F001.zip"), lambda entries: entries | {name: b"x"})


def smaller(pattern):
    """A picture of another size than the others of its clip."""
    return lambda folder: Image.new("L", (33, 32)).save(at(folder, pattern))


# Columns of the CASME II sheet; its first clip stands in row 2.
SUBJECT, CLIP, ONSET, APEX, OFFSET, UNITS, EMOTION = 1, 2, 4, 5, 6, 8, 9


def cells(*changes):
    """Cells (row, column, value) of the coding sheet."""
    return lambda folder: edit_sheet(folder, *changes)


def array(key, place=..., value=None):
    """``value`` in an array of TFD's file, which is taken out where there is none; or the array changed."""

    def change(folder):
        arrays = {name: values for name, values in loadmat(at(folder, "*.mat")).items() if name[0] != "_"}
        if callable(value):
            arrays[key] = value(arrays[key])
        elif value is None:
            del arrays[key]
        else:
            arrays[key] = arrays[key].astype(float)
            arrays[key][place] = value
        savemat(at(folder, "*.mat"), arrays)

    return change


OCC, INT = "AU_OCC/F001_T1.csv", "AU06/F001_T1_AU06.csv"
HEAD = ",".join(map(str, range(100)))
CODED = "1," + "9," * 98
MARKER = '<Marker Frame="2"'
AUCS, TAGS = "S001-001-oao_aucs.xml", "1/S001-001.xml"
FACS, LABEL = "S001_001_00000004_facs.txt", "S001_001_00000004_emotion.txt"
POINTS = "Landmarks/S001/001/S001_001_00000004_landmarks.txt"

WRONG = [
    ("bp4d", line(OCC, 3, f"2,{CODED[2:-2]}2,9"), "F001_T1.csv, line 3: AU98 '2'; expected 0, 1 or 9"),
    ("bp4d", line(OCC, 3, f"2,x,{CODED[4:]}9"), "AU_OCC/F001_T1.csv, line 3: AU1 'x'; expected 0, 1 or 9"),
    ("bp4d", line(OCC, 3, f"2.5,{CODED[2:]}9"), "line 3: frame '2.5'; expected a frame number"),
    ("bp4d", line(OCC, 3, f"1,{CODED[2:]}9"), "line 3: frame '1'; it occurs twice; keep one row"),
    ("bp4d", line(OCC, 1, HEAD.replace(",7,", ",brow,")), "line 1: column 'brow' is not known; the columns"),
    ("bp4d", line(OCC, 1, HEAD.replace(",7,", ",8,")), "F001_T1.csv, line 1: two columns AU8; keep one"),
    ("bp4d", raw(OCC, b""), "AU_OCC/F001_T1.csv, line 1: empty"),
    ("bp4d", line(INT, 1, "1,6"), "F001_T1_AU06.csv, line 1: AU6 '6'; expected 0 to 5 or 9"),
    ("bp4d", move(OCC, "F001-T1.csv"), "F001-T1.csv: not named like F001_T1.csv"),
    ("bp4d", gone(OCC), "F001_T1_AU06.csv: intensities without the occurrences of F001_T1"),
    ("bp4d", move(OCC, "F001_T02.csv"), "a second file for F001_T2"),
    ("bp4d", put("AUCoding/AU_OCC/F009_T1.csv"), "F009_T1.csv: codes, but no pictures, of F009"),
    ("bp4d", put("Sequences(2D+3D)/F001/T01"), "a second folder of T1"),
    ("bp4d", put("Sequences(2D+3D)/F001/T1/2.jpg"), "2.jpg: a second picture of frame 2, beside"),
    ("bp4d", put("Sequences(2D+3D)/F001/T1/x.jpg"), "x.jpg: not named like 0000.jpg"),
    ("bp4d", gone("AUCoding"), "no AU codes; expected AU_OCC/F001_T1.csv"),
    ("bp4d", gone("Sequences(2D+3D)"), "no folder Sequences(2D+3D) there"),
    ("bp4d", put("AUCoding/AU_INT/AU6/F001_T1_AU6.csv"), "a second file of AU6 for F001_T1, beside"),
    ("bp4d", put("frame_shift.txt", "1.5"), "frame_shift.txt: '1.5'; expected a whole number"),
    ("bp4dplus", edit(OCC, "frame,1,2", "frame,1,3"), "line 1: expected the frame and the AUs 1, 2, 4"),
    ("bp4dplus", zipped("F001/T1/0002.jpg"), "F001.zip/F001/T1/0002.jpg: not a readable picture"),
    ("bp4dplus", zipped("F001/T1/2.jpg"), "frame 2 occurs in the archive a second time, as F001/T1/2.jpg"),
    ("bp4dplus", put("2D+3D/F001"), "F001.zip: a second place of F001, beside"),
    ("bp4dplus", bits("F001.zip", b"JFIF", b"JUNK"), "F001.zip, F001/T1/0001.jpg: cannot be read from the"),
    ("mmi", gone("1/session.xml"), "session.xml: not found"),
    ("mmi", edit("1/session.xml", "view", "side"), "session.xml: no element track with the attribute view"),
    ("mmi", raw(TAGS, b"\xff\xfe"), "S001-001.xml: not a readable XML file"),
    ("mmi", raw(TAGS, b"<session/>"), "S001-001.xml: no element Metatag; it should say what is shown"),
    ("mmi", edit(TAGS, '"2"', '"joy"'), "S001-001.xml: Metatag Emotion is 'joy'; expected one whole number"),
    ("mmi", edit(TAGS, "</s", '<Metatag Name="Emotion" Value="1"/></s'), "Metatag Emotion is '1', '2'; exp"),
    ("mmi", edit(AUCS, 'Type="2"', 'Type="4"'), "AU4 has a Marker with Frame and Type [('2', '4')]; expecte"),
    ("mmi", edit(AUCS, MARKER, '<Marker Frame="x"'), "AU4 has a Marker with Frame and Type [('x', '2')]"),
    ("mmi", edit(AUCS, MARKER, '<Marker Frame="1"'), "AU4 has two Markers at one frame"),
    ("mmi", edit(AUCS, MARKER, f"={MARKER[1:]}"), "AU4 holds the text '=Marker Frame"),
    ("mmi", edit(AUCS, "</A", '</ActionUnit><ActionUnit Number="04"></A'), "AU04 occurs twice"),
    ("mmi", raw("S001-001.avi", b"RIFF"), "S001-001.avi: not a readable video"),
    ("mmi", put("Sessions/1/S001-002.avi"), "S001-002.avi: a second video next to S001-001.avi"),
    ("mmi", lambda f: [gone("Sessions")(f), put("Sessions/x")(f)], "no folders of sessions"),
    ("oulu_casia", move("P001/Disgust", "Bored"), "P001/Bored: not an emotion folder; expected Anger"),
    ("oulu_casia", move("P002", "p0001"), "a second folder of P001, beside"),
    ("oulu_casia", move("002.jpeg", "peak.jpeg"), "peak.jpeg: not named like 000.jpeg"),
    ("oulu_casia", move("002.jpeg", "03.jpeg"), "a second picture of frame 3, beside"),
    ("oulu_casia", smaller("002.jpeg"), "but others of its clip are"),
    ("oulu_casia", move("Strong", "Dark"), "VL/Strong: cannot be listed"),
    ("oulu_casia", move("VL", "NI"), "no folder VL or VL_Acropped there"),
    ("bu4dfe", put("more/F003"), "a second folder of F003, beside"),
    ("bu3dfe", put("f0003"), "a second folder of F0003, beside"),
    ("bu3dfe", move("F0001_DI01*", "F0001_XX01WH_F2D.bmp"), "F0001_XX01WH_F2D.bmp: not named like F0001_AN0"),
    ("bu3dfe", move("F0001_DI01*", "F0001_DI01XX_F2D.bmp"), "F0001_DI01XX_F2D.bmp: not named like F0001_AN0"),
    ("bu3dfe", move("F0001_DI01*", "F0002_DI01WH_F2D.bmp"), "F0002_DI01WH_F2D.bmp: not named like F0001_AN0"),
    ("bu3dfe", move("F0001_DI01*", "f0001_di02wh_f2d.bmp"), "a second picture of F0001_DI02WH"),
    ("casme2", cells((1, APEX, "Apex")), "row 1: no column 'ApexFrame'; found Subject, Filename, OnsetFrame"),
    ("casme2", cells((5, EMOTION, "joy")), "row 5: Estimated Emotion is 'joy'; expected one of happiness, d"),
    ("casme2", cells((4, UNITS, "4+x")), "row 4, Action Units: 'x' in '4+x' is no FACS code"),
    ("casme2", cells((4, APEX, "ca. 3")), "row 4: ApexFrame is 'ca. 3'; expected a whole number"),
    ("casme2", cells((3, SUBJECT, "001"), (3, CLIP, "EP01_01")), "EP01_01 belongs to an earlier row already"),
    ("casme2", cells((4, CLIP, "../sub02")), "row 4: Filename is '../sub02'; expected a clip's name"),
    ("casme2", cells((4, CLIP, "EP77_01")), "row 4: no folder"),
    ("casme2", cells((4, ONSET, 50), (4, OFFSET, 60)), "row 4: no picture from onset 50 to offset 60"),
    ("casme2", move("reg_img2.jpg", "img2.jpg"), "img2.jpg: not named like reg_img46.jpg"),
    ("casme2", move("reg_img2.jpg", "reg_img03.jpg"), "a second picture of frame 3, beside"),
    ("casme2", move("sub02", "sub1"), "a second folder of sub01, beside"),
    ("casme2", smaller("reg_img2.jpg"), "pixels, but others of its clip are"),
    ("casme2", gone("*.xlsx"), "CASME2-coding*.xlsx: not found"),
    ("casme2", raw("*.xlsx", b"PK"), "not a readable .xlsx workbook"),
    ("casme2", move("Cropped", "Pictures"), "no pictures; expected the folder Cropped or"),
    ("ckplus", smaller("S001_001_00000002.png"), "pixels, but others of its clip are"),
    ("ckplus", raw(LABEL, b"8"), f"{LABEL}, line 1: '8'; expected one number from 0 to 7"),
    ("ckplus", raw(LABEL, b"happy"), f"{LABEL}, line 1: 'happy'"),
    ("ckplus", raw(LABEL, b""), f"{LABEL}: 0 lines"),
    ("ckplus", put("Emotion/S001/001/S001_001_3_emotion.txt"), "a second file for that sequence, beside "),
    ("ckplus", put("Emotion/S001/009/S001_009_5_emotion.txt", "3"), "describes a sequence without pictures"),
    ("ckplus", put("FACS/S200/001/S200_001_5_facs.txt"), "describes a sequence without pictures"),
    ("ckplus", raw(FACS, b"1 2\ntwelve 3"), f"{FACS}, line 2: 'twelve 3'; expected an AU's number"),
    ("ckplus", raw(FACS, b"1 6"), f"{FACS}, line 1: '1 6'"),
    ("ckplus", raw(FACS, b"1 2\n1 3"), f"{FACS}, line 2: AU1 with intensity 3, but 2 before"),
    ("ckplus", raw(FACS, b"\xff\xfe"), f"{FACS}: cannot be read"),
    ("ckplus", put("FACS/S001/001/notes.txt"), "notes.txt: expected a name that ends in _facs.txt"),
    ("ckplus", move(FACS, "peak_facs.txt"), "peak_facs.txt: no frame number in the name"),
    ("ckplus", put(POINTS, "1 2\n" * 67), "_landmarks.txt: 67 lines; expected 68"),
    ("ckplus", put(POINTS, "1 2\n" * 67 + "1 x"), "_landmarks.txt, line 68: '1 x'"),
    ("ckplus", move("S001_001_00000002.png", "S006_001_00000002.png"), "not named like S001_001_00000001.pn"),
    ("ckplus", move("Emotion", "Emotions"), "ckplus/Emotion: not found"),
    ("ckplus", put("Emotion_labels/x"), "Emotion_labels: a second tree next to"),
    ("tfd", array("labs_ex", (4, 0), 8), "labs_ex, row 4: 8; expected 1 to 7, or -1 where unlabelled"),
    ("tfd", array("labs_id", (4, 0), -2), "labs_id, row 4: -2; expected the number of a person, or -1"),
    ("tfd", array("folds", (4, 2), 4), "folds, row 4: 4; expected 0 unlabelled, 1 train, 2 validation, 3 te"),
    ("tfd", array("folds", (4, 2), 0), "folds, row 4: 0; expected 1, 2 or 3, since labs_ex gives it an emot"),
    ("tfd", array("images", value=lambda v: v / 255), "images: grey levels from 0 to 1; expected 0 to 255"),
    ("tfd", array("images", (4, 2, 2), 256), "images, row 4: a pixel outside 0 to 255"),
    ("tfd", array("folds"), "no array 'folds'; expected images, labs_ex, labs_id, folds"),
    ("tfd", array("labs_ex", value=lambda v: v[:-1]), "(23, 1); expected numbers: images (N, 48, 48)"),
    ("tfd", array("labs_ex", value=lambda v: 0.0 * v - 1), "labs_ex is -1 throughout"),
    ("casme2", cells((1, 3, "Onset Frame")), "row 1: two columns OnsetFrame; keep one"),
    ("casme2", cells(*((k, c, None) for k in range(2, 8) for c in range(1, 10))), "no rows under the header"),
    ("jaffe", move("AA.DI1*", "AA.XX1.2.tiff"), "AA.XX1.2.tiff: not named like KA.AN1.39.tiff, with an expr"),
    ("jaffe", lambda f: [path.unlink() for path in f.iterdir()], "no pictures in it; expected files such as"),
    ("jaffe", raw("AA.DI1*", b"x"), "AA.DI1.2.tiff: not a readable picture (of no known format)"),
    ("own", edit("faces.csv", ",0.6,", ",1.2,"), "faces.csv, line 3: AU4 '1.2'; expected an intensity from"),
    ("own", edit("faces.csv", ",0.6,", ",\u0663,"), "line 3: AU4 '\u0663'; expected an intensity from 0 to"),
    ("own", edit("faces.csv", "-0,2,", "-0,-1,"), "line 3: frame '-1'; expected a whole number, 0 or more"),
    ("own", edit("faces.csv", "disgust", "angst"), "line 3: emotion 'angst'; expected one of neutral, anger"),
    ("own", edit("faces.csv", "yes", "maybe"), "faces.csv, line 2: cropped 'maybe'; expected one of yes, no"),
    ("own", edit("faces.csv", "train", "learn"), "line 2: split 'learn'; expected one of train, valid, test"),
    ("own", edit("faces.csv", ",yes", ""), "faces.csv, line 2: 8 fields; expected 9 (path,subject,emotion,"),
    ("own", edit("faces.csv", "path,", "file,"), "line 1: no column 'path' in 'file,subject,emotion,sequenc"),
    ("own", edit("faces.csv", "cropped", "croped"), "line 1: column 'croped' is not known; the columns are"),
    ("own", edit("faces.csv", "cropped", "path"), "faces.csv, line 1: two columns path; keep one"),
    ("own", edit("faces.csv", "0000.png", "00.png"), "line 2: '00000.png' not found in"),
    ("own", edit("faces.csv", "0.png", "0.PNG"), "there is '0000000.png': mind the letter case"),
    ("own", edit("faces.csv", "pictures/0000000.png", "pictures"), "'pictures' is a folder, not a file, in"),
    ("own", edit("faces.csv", "00.png", "0\0.png"), "faces.csv, line 2: no path of a picture"),
    ("own", edit("faces.csv", "pictures/0000000.png", "../p.png"), "../p.png: a path that leaves"),
    ("own", edit("faces.csv", "0000000.png", "0000001.png"), "line 3: a second picture, after line 2"),
    ("own", edit("faces.csv", "-0,2,", "-0,1,"), "line 3: a second picture of frame 1 of its sequence, afte"),
    ("own", raw("faces.csv", b""), "faces.csv, line 1: no column 'path'"),
    ("own", raw("faces.csv", b"path\tsubject\np\tq\n"), "AU1 …, with commas or semicolons between"),
    ("own", raw("faces.csv", b"path,subject,emotion\n\n , , \n"), "faces.csv, line 2: no pictures"),
    ("own", raw("faces.csv", b"\xff"), "faces.csv: cannot be read"),
    ("own", raw("faces.csv", b"path\n" + b"x" * 200_000), "faces.csv, line 2: not readable as csv"),
    ("own", edit("faces.csv", ",lab-0-0,3", ',"lab-0-0,3'), "faces.csv, line 4: not readable as csv ("),
    ("own", edit("faces.csv", ",yes", ',"yes'), "faces.csv, line 2: not readable as csv (a quote"),
    ("own", edit("faces.csv", "0000.png,", '0000.png"x,"'), "faces.csv, line 2: not readable as csv ("),
    ("ferplus", edit("*new.csv", ",fer", ',"fer'), "fer2013new.csv, line 2: not readable as csv ("),
    ("bp4d", edit(OCC, "0,", '"0,'), "F001_T1.csv, line 1: not readable as csv (a quote is opened"),
]


@pytest.mark.parametrize(("name", "change", "message"), WRONG)
def test_what_is_wrong_is_named(tmp_path, name, change, message):
    folder = exported(name, tmp_path / name)
    change(folder)
    with pytest.raises(DataError, match=re.escape(message)) as refusal:
        read(name, folder)
    assert str(tmp_path) in str(refusal.value)
