"""``ferbook detector``: faces for anybody's detector of action units, and what it made of them, as
``book.detector_rules`` judges it.
"""

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from book.detector_rules import Audit, Output
from face_sets.paths import cache_dir
from face_sets.readers.tables import text_lines
from ferbook.errors import DataError, nearest_name
from ferbook.files import read_yaml, whole_folder
from ferbook.steps import steps
from synthetic_faces.assets import CREDIT
from synthetic_faces.facs import AUS
from synthetic_faces.stimuli import render_stimuli, stimuli_table

# What lies in a folder of stimuli; a detector may see the first two.
PICTURES, TABLE, TRUTH_FILE, LICENCE_FILE = "pictures", "faces.csv", "truth.csv", "LICENCE.txt"

LICENCE_TEXT = """These people do not exist. The pictures are rendered and free to share: CC0 1.0.
{credit}
Made by: ferbook detector stimuli OUT --people {people} --seed {seed} --size {size}
Show a detector the folder "pictures" only; truth.csv says what is in them.
"""

# Where OpenFace 3 writes eight numbers as one text, ``[[…]]``.
OPENFACE_3_COLUMN = "action_units"

# What the eight are called here: the units of DISFA, which OpenFace 3 does not name.
OPENFACE_3 = [f"AU{number} - {OPENFACE_3_COLUMN}" for number in (1, 2, 4, 6, 9, 12, 25, 26)]

# py-feat (``AU01``), OpenFace 2 (``AU01_r``, ``AU01_c``), LibreFace (``au_1_intensity``, ``au_1``), PyAFAR
# (``Occ_au_1``, ``Int_au_6``), FaceReader (``Action Unit 01 - Inner Brow Raiser``), iMotions (``AU1
# Evidence``), and sides as people write them (``AU12_L``, ``AU12R``).
COLUMN = re.compile(
    r"(?:(occ|int)_)?(?:au|action unit)[_ ]?0*(\d+)"
    r"(?:[_ ]?(left|right|l|r)|[_ ](c|intensity|evidence)| - (?!.*(?:left|right)).+)?",
    re.IGNORECASE,
)

LIKE_UNIT = re.compile(r"(?:(?:occ|int)_)?(?:au|action unit)[_ ]?\d", re.IGNORECASE)

# What a mapping says of a column: ``AU12``, ``AU12 left``, ``AU12 of 5``, where 5 is its full strength.
MEANT = re.compile(r"(AU\d+)(?: (left|right))?(?: of (\d+(?:\.\d+)?))?")

# Columns by which one of several faces is taken.
SURE = ("facescore", "confidence", "success")

# Columns that number the faces of a picture.
FACE_NUMBERS = ("face", "face_id", "face_idx", "face_index", "person_id")

# Columns that number the pictures, where none names them.
FRAMES = ("frame", "frame_idx", "frame_index")

SPECIAL = (*SURE, *FACE_NUMBERS, *FRAMES)

# Columns of our own, called as none of a table: a row's picture, and whether no face was found.
PICTURE_NUMBER, FACELESS = " place", " failed"

# What a column ``success`` may say of a row: 0 or false, where no face was found.
SUCCESS = re.compile(r"(?:true|false|\d+(?:[.,]\d*)?)?", re.IGNORECASE)

# A number, or nothing. ``00012`` is none: so a picture may be called.
NUMBER = re.compile(r"[-+]?(?:0|[1-9]\d*)?(?:[.,]\d*)?(?:e[-+]?\d+)?|nan|true|false", re.IGNORECASE)

# Intensities of FACS, of 5.
FACS_LETTERS = {"notactive": "0", "a": "1", "b": "2", "c": "3", "d": "4", "e": "5"}

# Full strength -> what the largest values must exceed for it, and its name.
FULL_STRENGTHS = {1.0: (0.0, "0 to 1"), 5.0: (2.0, "0 to 5"), 100.0: (20.0, "per cent")}

# Times the full strength, beyond which a value is none of a scale; proportion of a column's values that must
# name stimuli, or it names no pictures.
SLACK, NEARLY = 1.1, 0.9

# Bytes of a table of detections; lines in which it must have begun.
LARGEST, PEEK = 2**28, 40


@dataclass(frozen=True)
class Heading:
    """How a table begins: so many lines ``above`` the names of its ``columns``, its ``separator``, and its
    ``first`` rows.
    """

    above: int
    separator: str
    columns: list[str]
    first: list[list[str]]


def write_stimuli(out: Path, people: int, seed: int, size: int) -> int:
    """Render the stimuli into the folder ``out``, whole or not at all; returns how many there are.

    Raises DataError where ``out`` is there and not empty, or cannot be written, SettingError as
    ``stimuli_table`` does.
    """
    table = stimuli_table(people, seed)
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise DataError(f"{out}: it is there already and not empty; name a new folder")
        with steps("pictures", len(table)) as advance:
            pixels = render_stimuli(table, size, seed, cache=cache_dir(), advance=advance)
        with whole_folder(out) as partial:
            (partial / PICTURES).mkdir()
            for name, picture in zip(table["file"], pixels, strict=True):
                Image.fromarray(picture).convert("RGB").save(partial / PICTURES / name)
            table[["file"]].to_csv(partial / TABLE, index=False)
            table.to_csv(partial / TRUTH_FILE, index=False)
            licence = LICENCE_TEXT.format(credit=CREDIT, people=people, seed=seed, size=size)
            (partial / LICENCE_FILE).write_text(licence, encoding="utf-8")
    except OSError as fault:
        raise DataError(f"{out}: the stimuli could not be written ({fault.strerror})") from fault
    return len(table)


def read_truth(folder: Path) -> pd.DataFrame:
    """The table of the stimuli in ``folder``. Raises DataError where it is none, or another one."""
    file = folder / TRUTH_FILE
    if not file.is_file():
        raise DataError(f"{folder}: no stimuli lie there; `ferbook detector stimuli {folder}` makes them")
    kinds = stimuli_table(6).dtypes
    try:
        table = pd.read_csv(file, keep_default_na=False, dtype=dict(kinds))
    except ValueError as fault:
        raise DataError(f"{file}: {' '.join(str(fault).split())}; make the folder anew") from fault
    if not table.columns.equals(kinds.index) or table.isna().any(axis=None) or not len(table):
        raise DataError(f"{file}: not a table of `ferbook detector stimuli`; make the folder anew")
    return table


def _lines(file: Path) -> Iterator[str]:
    """The lines of a CSV. Raises DataError as ``text_lines``, and for what is larger than ``LARGEST``, or
    JSON.
    """
    if file.is_file() and file.stat().st_size > LARGEST:
        raise DataError(f"{file}: larger than {LARGEST:,} bytes; leave out columns that are no units")
    lines = text_lines(file)
    first = next(lines, "")
    if first.lstrip()[:1] in ("{", "["):
        raise _no_csv(file, "JSON")
    return itertools.chain([first], lines)


def read_heading(file: Path) -> Heading:
    """Where a CSV begins: lines that start with ``#``, and those of a name and a value (``Frame rate:``), are
    passed over. Raises DataError for what is none, and where two columns have one name.
    """
    lines = list(itertools.islice(_lines(file), PEEK))
    found = []
    for separator in ",;\t":
        try:
            rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator)]
        except csv.Error as fault:
            raise _no_csv(file, f"not a CSV ({fault})") from fault
        widths = [len(row) for row in rows if any(row)]
        usual = int(np.median(widths[len(widths) // 2 :])) if widths else 0
        for above, row in enumerate(rows):
            if any(row) and not row[0].startswith("#") and not row[0].endswith(":") and 2 * len(row) >= usual:
                found.append((usual < 2, above, -usual, -len(row), separator, row, rows[above + 1 :]))
                break
    if not found:
        raise _no_csv(file, "it is empty" if not any(map(str.strip, lines)) else "no names of columns")
    _, above, _, _, separator, columns, first = min(found)
    while not columns[-1]:
        columns.pop()
    if twice := _first_twice(columns):
        raise DataError(f"{file}: two columns are called {twice!r}; leave one of them")
    return Heading(above, separator, columns, first)


def _no_csv(file: Path, reason: str) -> DataError:
    return DataError(f"{file}: {reason}; expected a CSV with a row per picture and a column per unit")


def _refuse(file: Path, wrong: pd.Series, why: str, values: pd.Series | None = None) -> None:
    """Raise DataError where rows are ``wrong``: it names the first, and says ``why``, with its value."""
    if wrong.any():
        value = "" if values is None else values[wrong].iloc[0]
        raise DataError(f"{file}, {wrong.index[wrong][0]}: {why.format(value)}")


def read_table(file: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Some ``columns`` of a CSV as texts, without blanks around names and values; the index says in which
    ``line`` a row ends. Raises DataError, naming the file, for what is none.
    """
    heading = read_heading(file)
    width, places = len(heading.columns), [heading.columns.index(name) for name in columns]
    rows, lines, cells = [], [], width
    reader = csv.reader(_lines(file), delimiter=heading.separator, strict=True)
    try:
        for row in itertools.islice(reader, heading.above + 1, None):
            if not any(row):
                continue
            if len(row) > width and any(row[width:]):
                where = f"{file}, line {reader.line_num}"
                raise DataError(f"{where}: {len(row)} cells, and {width} columns; expected one for each")
            if any(
                re.search(r"[\r\n]", cell) and heading.separator in cell and "[" not in cell for cell in row
            ):
                raise csv.Error(f"line {reader.line_num}: a quote of a row above it is closed only here")
            cells = len(row)
            row += [""] * (width - cells)
            rows.append([row[place].strip() for place in places])
            lines.append(f"line {reader.line_num}")
    except csv.Error as fault:
        below = f" below {lines[-1]}" if lines else ""
        raise _no_csv(file, f"not a CSV{below} ({fault})") from fault
    if not rows:
        raise DataError(f"{file}: no rows below the names of the columns")
    if cells < width:
        what = "the last row is not whole; is the file still being written?"
        raise DataError(f"{file}, {lines[-1]}: {cells} cells, and {width} columns: {what}")
    return pd.DataFrame(rows, index=lines, columns=list(columns), dtype=object)


def read_folder(files: Sequence[Path], columns: Sequence[str]) -> pd.DataFrame:
    """Tables of one picture each, one below the other, with the name of each in a column ``""``. Raises
    DataError where two have other columns.
    """
    tables, first = [], read_heading(files[0]).columns
    with steps("tables", len(files)) as advance:
        for file in files:
            if read_heading(file).columns != first:
                raise DataError(
                    f"{file}: other columns than {files[0].name}; expected tables of one detector"
                )
            table = read_table(file, columns)
            table.index = f"{file.name}, " + table.index
            tables.append(table.assign(**{"": file.stem}))
            advance()
    return pd.concat(tables)


def read_mapping(file: Path, columns: list[str]) -> dict[str, str]:
    """Column -> what it means, as ``MEANT`` reads it, or ``file``: of a YAML file. Raises DataError for a
    column that is not there and a meaning that is none.
    """
    meanings = read_yaml(file, DataError)
    if not isinstance(meanings, dict) or not meanings:
        raise DataError(f"{file}: expected lines such as `mouth_smile: AU12`")
    for column, means in meanings.items():
        if str(column) not in columns:
            raise DataError(
                f"{file}: no column {column!r} among the detections{nearest_name(str(column), columns)}"
            )
        fits = MEANT.fullmatch(str(means))
        if means != "file" and not (fits and fits[1] in AUS and float(fits[3] or 1)):
            raise DataError(f"{file}: {column} means {means!r}; expected file, AU12, AU12 left or AU12 of 5")
    return {str(column): str(means) for column, means in meanings.items()}


def recognised(columns: list[str], notes: list[str]) -> dict[str, str]:
    """Column -> what it means, by the names that known tools give; ``notes`` gets what is left out.

    ``AU12_r`` is a side where there is a column of the left, else OpenFace's intensity. Next to an intensity
    those that only say whether there is something are not taken.
    """
    outputs: dict[str, tuple[str, bool]] = {}
    forms = {column: fits for column in columns if (fits := COLUMN.fullmatch(column))}
    sided = any((fits[3] or "").lower() in ("l", "left") for fits in forms.values())
    strange = [column for column in columns if column not in forms and LIKE_UNIT.match(column)]
    blinks = [column for column, fits in forms.items() if int(fits[2]) == 45]
    for column, fits in forms.items():
        unit, side = "AU43" if column in blinks else f"AU{int(fits[2])}", (fits[3] or "").lower()
        if unit not in AUS:
            notes.append(f"{column}: the faces show no {unit}; left out")
            continue
        side = {"l": " left", "r": " right"}.get(side[:1], "") if sided or len(side) > 1 else ""
        outputs[column] = unit + side, _intensity(column) and not side
    strong = {output for output, intensity in outputs.values() if intensity}
    meanings = {
        column: output for column, (output, intensity) in outputs.items() if intensity or output not in strong
    }
    notes += [f"{column}: a blink is read as AU43, closed eyes" for column in blinks if column in meanings]
    if strange:
        how = "named as units are, and not understood; left out; say what they mean with --columns"
        notes.append(f"{_listed(strange)}: {how}")
    return meanings


def _intensity(column: str) -> bool:
    """Whether a column is called as those that go from 0 to 5."""
    fits = COLUMN.fullmatch(column)
    ends = {each.lower() for each in fits.group(1, 3, 4) if each} if fits else set()
    return bool(ends & {"int", "r", "intensity"})


def read_detections(
    file: Path, truth: pd.DataFrame, mapping: str = ""
) -> tuple[tuple[Output, ...], list[str]]:
    """The outputs of a detector on the pictures of ``truth``, and a line for each thing that is odd.

    ``file``: a table, or a folder of tables that are named as the pictures. ``mapping``: a file for
    ``read_mapping``; without one columns are known by their names. Raises DataError where nothing can be
    compared.
    """
    notes: list[str] = []
    tables = sorted(file.glob("*.csv")) if file.is_dir() else [file]
    if not tables:
        raise DataError(f"{file}: no CSV lies there; expected one table, or one per picture, named as it")
    heading = read_heading(tables[0])
    columns = heading.columns + OPENFACE_3 * (OPENFACE_3_COLUMN in heading.columns)
    said = read_mapping(Path(mapping), columns) if mapping else recognised(columns, notes)
    meanings = {column: MEANT.fullmatch(means) for column, means in said.items() if means != "file"}
    if not meanings:
        what = f"no column is known as an action unit (there are {', '.join(columns[:8])} …)"
        raise DataError(f"{file}: {what}; say what they mean with --columns{'; '.join(['', *notes])}")
    sources = [column for column in said if column not in meanings] or [
        name
        for place, name in enumerate(heading.columns)
        if name not in meanings
        and name.lower() not in SPECIAL
        and not all(NUMBER.fullmatch(row[place]) for row in heading.first if place < len(row))
    ]
    known = {*meanings, *sources, OPENFACE_3_COLUMN}
    needed = [name for name in heading.columns if name in known or name.lower() in SPECIAL]
    table = read_folder(tables, needed) if file.is_dir() else read_table(file, needed)
    if OPENFACE_3_COLUMN in table:
        table = _unpacked(file, table)
    rows = _placed(file, table, truth, [""] if file.is_dir() else sources, notes)
    rows = _one_row_each(rows.assign(**{FACELESS: _failed(file, rows)}), list(meanings), notes)
    places, texts = rows[PICTURE_NUMBER], rows[list(meanings)].mask(rows[FACELESS], "", axis=0)
    values = texts.apply(_numbers).replace([np.inf, -np.inf], np.nan)
    if bad := int((values.isna() & texts.ne("")).to_numpy().sum()):
        notes.append(f"{bad:,} values are no finite numbers; each counts as no answer")
    if without := len(truth) - len(set(places[values.notna().any(axis=1)])):
        absent = len(truth) - places.nunique()
        rowless = f"; {absent:,} of them have no row" if absent else ""
        notes.append(
            f"{without:,} of {len(truth):,} pictures have no answer, as where no face was found{rowless}"
        )
    tops = _tops(file, values, texts, meanings, notes)
    full = {column: top or values[column].abs().max() or 1.0 for column, top in tops.items()}
    answers = values.div(full).set_axis(places).reindex(range(len(truth))).dropna(axis=1, how="all")
    notes += [f"{column}: no number in any row; left out" for column in meanings if column not in answers]
    outputs = [
        Output(meanings[column][1], meanings[column][2] or "", answers[column].to_numpy(), bool(tops[column]))
        for column in answers
    ]
    if not outputs:
        raise DataError(f"{file}: no number in any column of a unit")
    if twice := _first_twice([each.name for each in outputs]):
        raise DataError(f"{file}: two columns mean {twice}; give one of them")
    return tuple(sorted(outputs, key=lambda each: (AUS.index(each.unit), each.side))), notes


def _first_twice(names: list[str]) -> str:
    return next((name for name, count in Counter(names).items() if name and count > 1), "")


def _unpacked(file: Path, table: pd.DataFrame) -> pd.DataFrame:
    """``table`` with a column for each number of OpenFace 3's lists."""
    lists = table[OPENFACE_3_COLUMN].str.findall(r"[^\[\],\s]+")
    counts, count = lists.map(len), len(OPENFACE_3)
    wrong = ~counts.isin((0, count))
    _refuse(file, wrong, f"{OPENFACE_3_COLUMN} has {{}} numbers; expected {count}", counts)
    rows = [each or [""] * count for each in lists]
    return table.join(pd.DataFrame(rows, index=table.index, columns=OPENFACE_3))


def _numbers(texts: pd.Series) -> pd.Series:
    """Texts as numbers, with a point or a comma, or 1 and 0 for true and false, or letters of FACS for 0 to
    5; NaN where they are none.
    """
    texts = texts.str.lower().replace({"true": "1", "false": "0"})
    numbers = pd.to_numeric(texts.str.replace(",", "."), errors="coerce")
    return numbers if numbers.notna().any() else texts.map(FACS_LETTERS).astype(float)


def _placed(
    file: Path, table: pd.DataFrame, truth: pd.DataFrame, sources: list[str], notes: list[str]
) -> pd.DataFrame:
    """The rows of known pictures, with ``PICTURE_NUMBER``, its number in ``truth``: by the columns that name
    the pictures, of ``sources``, else by a number of frames.
    """
    numbers = {Path(name).stem: place for place, name in enumerate(truth["file"])}
    path_and_suffix = r".*[/\\]|\.[^./\\]*$"
    matches = table[sources].replace(path_and_suffix, "", regex=True).apply(lambda each: each.map(numbers))
    shares = dict(matches.notna().sum() / table[sources].ne("").sum().clip(lower=1))
    column = max(shares, key=shares.__getitem__, default="")
    if not shares.get(column):
        return table.assign(**{PICTURE_NUMBER: _by_frames(file, table, truth, notes)})
    places, named = matches[column], table[column].ne("")
    strange = places.isna() & named
    if shares[column] < NEARLY:
        why = (
            f"{column} is {{!r}}; {strange.sum():,} of {len(table):,} rows are of no picture of these "
            "stimuli; leave them out, or name the column of the pictures with --columns"
        )
        _refuse(file, strange, why, table[column])
    if strange.any():
        such = f"such as {table[column][strange].iloc[0]!r}; left out"
        notes.append(f"{strange.sum():,} rows are of no picture of these stimuli, {such}")
    for other in (name for name, share in shares.items() if share >= NEARLY and name != column):
        differs = matches[other].notna() & places.notna() & matches[other].ne(places)
        _refuse(file, differs, f"{column} and {other} name two pictures; leave the one that is right")
    if nameless := int((~named).sum()):
        notes.append(f"{nameless:,} rows name no picture; left out")
    rows = table[places.notna()].assign(**{PICTURE_NUMBER: places[places.notna()].astype(int)})
    again = rows[PICTURE_NUMBER].duplicated() & ~rows.duplicated([PICTURE_NUMBER, column])
    _refuse(file, again, "{} stands there under another path too; leave the rows of one folder", rows[column])
    return rows


def _by_frames(file: Path, table: pd.DataFrame, truth: pd.DataFrame, notes: list[str]) -> np.ndarray:
    """The number of each row's picture, by numbers of frames that can only mean the order of the names."""
    column = next((name for name in table if name.lower() in FRAMES), None)
    if column is None:
        example = truth["file"].min()
        raise DataError(f"{file}: no column names the pictures; expected names such as {example}")
    frames, total, fault = _numbers(table[column]), len(truth), ""
    faces = [name for name in table if name.lower() in FACE_NUMBERS]
    first, last = frames.min(), frames.max()
    origin, end = min(first, 1), total - 1 if first == 0 else total
    strange, again = ~(frames % 1).eq(0), table.duplicated([column, *faces])
    off = (frames < 0) | (frames > end)
    gaps = np.diff(np.unique(frames))
    if strange.any():
        fault = f"{table.index[strange][0]}: it is {table[column][strange].iloc[0]!r}"
    elif off.any():
        fault = f"{table.index[off][0]}: it is {frames[off].iloc[0]:g}, and there are {total:,} pictures"
    elif again.any() and len(gaps):
        fault = f"{table.index[again][0]}: {frames[again].iloc[0]:g} stands there again"
    elif last != end:
        fault = f"it goes from {first:g} to {last:g}: {total:,} pictures may be counted from 0 or from 1"
    elif gaps.min() > 1:
        fault = f"{table.index[1]}: it goes by {gaps.min():g}"
    if fault:
        what = f"no column names the pictures, and `{column}` is not their order: {fault}"
        raise DataError(f"{file}: {what}; add a column with names such as {truth['file'].min()}")
    order = f"`{column}`, counted from {origin:g}, is taken as their order"
    notes.append(f"no column names the pictures; {order}")
    if missing := total - frames.nunique():
        notes.append(f"{missing:,} numbers of `{column}` are not there, as where no face was found")
    if several := len(frames) - frames.nunique():
        notes.append(f"{several:,} numbers of `{column}` stand there again, for other faces")
    return truth["file"].argsort(kind="stable").to_numpy()[(frames - origin).astype(int)]


def _failed(file: Path, rows: pd.DataFrame) -> pd.Series:
    """bool: rows whose column ``success``, if there is one, is 0. Raises DataError for what it may not
    say.
    """
    success = next((rows[name] for name in rows if name.lower() == "success"), pd.Series("1", rows.index))
    wrong = ~success.str.fullmatch(SUCCESS)
    _refuse(file, wrong, "success is {!r}; expected 1 or 0, true or false", success.str[:40])
    return _numbers(success).eq(0)


def _one_row_each(rows: pd.DataFrame, units: list[str], notes: list[str]) -> pd.DataFrame:
    """One row per picture: the same row twice counts once, and of several faces the surest is taken, of those
    that succeeded if any did.
    """
    once = rows.drop_duplicates([PICTURE_NUMBER, *units])
    if twice := len(rows) - len(once):
        notes.append(f"{twice:,} rows stand there twice; each counts once")
    again = once[PICTURE_NUMBER].duplicated()
    if not again.any():
        return once
    sure = next((name for candidate in SURE for name in once if name.lower() == candidate), "")
    how = f"the one with the highest {sure}" if sure else "the first"
    notes.append(
        f"{once[PICTURE_NUMBER][again].nunique():,} pictures have several faces "
        f"({once[PICTURE_NUMBER].duplicated(keep=False).sum():,} rows); {how} is taken (the first again: "
        f"{once.index[again][0]})"
    )
    order = np.lexsort((-_numbers(once[sure]) if sure else again, once[FACELESS]))
    return once.iloc[order].drop_duplicates(PICTURE_NUMBER)


def _tops(
    file: Path, values: pd.DataFrame, texts: pd.DataFrame, meanings: dict[str, re.Match], notes: list[str]
) -> dict[str, float]:
    """What each column says of a unit in full: what the mapping says, else 1, 5 or 100, as its values show,
    as columns of the same form; 0 where none of them fits.

    Raises DataError where a few values lie far beyond all others, or beyond what the mapping says.
    """
    most = values.apply(_largest)
    below = values[values < -np.where(most <= SLACK, 0.1, 0.5)]
    # One value below 0 again and again is no log odds, but written where there is no answer.
    signed = (below.count() > max(3, len(values) // 500)) & (below.nunique() > 1)
    own = most.map(_scale).mask(signed, 0.0)
    letters = texts.apply(lambda each: each.str.lower().isin(FACS_LETTERS).any())
    tops = {column: float(fits[3]) for column, fits in meanings.items() if fits[3]}
    forms, readings = {}, {}
    for column in (column for column in meanings if column not in tops):
        intensity = _intensity(column) and not meanings[column][2]
        form = "letters" if letters[column] else "intensity" if intensity else "shares"
        forms.setdefault(form, []).append(column)
    for form, columns in forms.items():
        counts, highest = own[columns].value_counts(), most[columns].max()
        shared = max(counts.index[counts >= max(2, len(columns) / 4)], default=1.0)
        if form == "letters" or (form == "intensity" and SLACK < highest <= SLACK * 5):
            shared = 5.0
        elif form == "intensity" and highest <= SLACK:
            if right := next((column for column in columns if column.endswith("R")), ""):
                which = "the right side, or OpenFace's intensity in other letters?"
                what = f"{right} goes to {highest:.3g}: {which}"
                raise DataError(f"{file}: {what} Say `AU12 right` or `AU12` with --columns")
            notes.append(f"{_listed(columns)}: no value above 1; read as 0 to 1, not as 0 to 5")
        for column in columns:
            inherits = most[column] <= SLACK * shared and not signed[column]
            top = tops[column] = max(own[column], shared) if inherits else own[column]
            reading = FULL_STRENGTHS[top][1] if top else "shares of each column's largest"
            if signed[column]:
                evidence = bool(values[column].min() < -values[column].max() / 2)
                reading += ", since they go below 0" + ", as log odds (evidence) do" * evidence
            elif form == "letters":
                reading = "the letters of FACS, of 5: 0, and A to E"
            if (form, top) != ("intensity", 5):
                readings.setdefault(reading, []).append(column)
    for column, top in tops.items():
        wild = values[column].abs() > (SLACK * top or 10 * most[column] or np.inf)
        if not signed[column]:
            wild |= values[column] < -0.5 * (top or most[column])
        others = f"of {top:g}" if top else "nearly all are"
        why = (
            f"{column} is {{:g}} ({wild.sum():,} such values), and {others} at most "
            f"{top or most[column]:.3g}; leave what is no answer empty, or say with --columns of how much"
        )
        _refuse(file, wild, why, values[column])
    for reading, columns in readings.items():
        if reading != FULL_STRENGTHS[1.0][1] or len(readings) > 1:
            low, high = values[columns].min().min(), values[columns].max().max()
            who = "values" if len(readings) == 1 else f"{_listed(columns)}: values"
            notes.append(f"{who} go from {low:.3g} to {high:.3g}; they are read as {reading}")
    return tops


def _listed(columns: list[str]) -> str:
    """Some names of columns, and how many more there are."""
    return ", ".join(columns[:6]) + (f" and {len(columns) - 6} more" if len(columns) > 6 else "")


def _scale(most: float) -> float:
    """The full strength of a scale, by the largest of its values; 0 where none fits."""
    return next((top for top, (above, _) in FULL_STRENGTHS.items() if above <= most <= SLACK * top), 0.0)


def _largest(values: pd.Series) -> float:
    """The largest distance from 0, but for a few values, and for one that is written for no answer (999)."""
    sizes = np.sort(values.abs().dropna().to_numpy())[::-1]
    most = sizes[min(max(3, len(values) // 500), len(sizes) - 1)] if len(sizes) else 0.0
    others = sizes[sizes < sizes[0]] if len(sizes) else sizes
    if len(others) and sizes[0] > SLACK and 0 < others[0] < sizes[0] / 10:
        most = min(most, others[0])
    return float(most)


def audited(folder: Path, detections: Path, columns: str = "") -> tuple[Audit, list[str]]:
    """The audit of a table of ``detections``, or of a folder of them, on the stimuli in ``folder``, and what
    is odd about it.
    """
    truth = read_truth(folder)
    outputs, notes = read_detections(detections, truth, columns)
    return Audit(truth, outputs), notes
