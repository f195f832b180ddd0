"""``ferbook stimuli`` and ``ferbook audit``: faces for anybody's detector of action units, and what it made
of them, as ``fer_lib.aus.audit`` judges it.
"""

import csv
import io
import itertools
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fer_lib.aus.audit import Audit, Output
from fer_lib.paths import cache_dir
from ferbook.errors import DataError, nearest_name
from ferbook.files import open_regular, read_yaml, whole_folder
from synthetic_faces.assets import CREDIT
from synthetic_faces.facs import AUS
from synthetic_faces.stimuli import render_stimuli, stimuli_table

PICTURES, TABLE, TRUTH_FILE, LICENCE_FILE = "pictures", "faces.csv", "truth.csv", "LICENCE.txt"
"""What lies in a folder of stimuli; a detector may see the first two."""

LICENCE_TEXT = """These people do not exist. The pictures are rendered and free to share: CC0 1.0.
{credit}
Made by: ferbook stimuli OUT --people {people} --seed {seed} --size {size}
Show a detector the folder "pictures" only; truth.csv says what is in them.
"""

OPENFACE_3 = ("AU1", "AU2", "AU4", "AU6", "AU9", "AU12", "AU25", "AU26")
"""The eight units of DISFA, which OpenFace 3 gives without names."""

COLUMN = re.compile(r"au[_ ]?0*(\d+)(?:[_ ](r|c|intensity|left|right))?", re.IGNORECASE)
"""py-feat (``AU01``), OpenFace 2 (``AU01_r``, ``AU01_c``), LibreFace (``au_1_intensity``, ``au_1``)."""

MEANT = re.compile(r"(AU\d+)(?: (left|right))?(?: of (\d+(?:\.\d+)?))?")
"""What a mapping says of a column: ``AU12``, ``AU12 left``, ``AU12 of 5``, where 5 is its full strength."""

SURE = ("facescore", "confidence", "success")
"""Columns by which one of several faces is taken."""

SUCCESS = re.compile(r"(?:true|false|\d+(?:[.,]\d*)?)?", re.IGNORECASE)
"""What a column ``success`` may say of a row: 0 or false, where no face was found."""

LARGEST = 2**28
"""Bytes of a table of detections."""


def write_stimuli(out: Path, people: int, seed: int, size: int, tell: Callable[[str], None]) -> int:
    """Render the stimuli into the folder ``out``, whole or not at all; returns how many there are.

    Raises DataError where ``out`` is there and not empty, or cannot be written, SettingError as
    ``stimuli_table`` does.
    """
    table = stimuli_table(people, seed)
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise DataError(f"{out}: it is there already and not empty; name a new folder")
        tell(f"rendering {len(table):,} pictures of {people} people, {size} × {size} pixels")
        ready = itertools.accumulate(itertools.repeat(len(table) // people))
        pixels = render_stimuli(
            table, size, seed, cache=cache_dir(), advance=lambda _: tell(f"{next(ready):,} rendered")
        )
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
        raise DataError(
            f"{folder}: no stimuli lie there (no {TRUTH_FILE}); `ferbook stimuli {folder}` makes them"
        )
    columns = stimuli_table(6).columns
    table = read_table(file)
    if list(table.columns) != list(columns) or not len(table):
        raise DataError(f"{file}: not a table of `ferbook stimuli`; make the folder anew")
    numbers = ["person", "dose", *(name for name in columns if name.startswith("AU"))]
    try:
        return table.assign(**{name: table[name].astype(float) for name in numbers})
    except ValueError as fault:
        raise DataError(f"{file}: {fault}; make the folder anew") from fault


def read_table(file: Path) -> pd.DataFrame:
    """A CSV as texts, without blanks around names and values. Raises DataError, naming the file, for what is
    none.
    """
    try:
        with open_regular(file) as stream:
            raw = stream.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise DataError(f"{file}: larger than {LARGEST:,} bytes; leave out columns that are no units")
        text = raw.decode("utf-8-sig")
        first = text.partition("\n")[0]
        separator = max(",;\t", key=first.count)
        # A separator at the end of each row makes no further column, and the first column no index.
        table = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            dtype=str,
            keep_default_na=False,
            index_col=False,
            usecols=range(_column_count(file, text, separator)),
        )
    except OSError as fault:
        raise DataError(f"{file}: cannot be read ({fault.strerror})") from fault
    except UnicodeDecodeError as fault:
        raise DataError(f"{file}: not UTF-8 at byte {fault.start}; save it as CSV in UTF-8") from fault
    except (pd.errors.EmptyDataError, pd.errors.ParserError, csv.Error) as fault:
        reason = "it is empty" if not text.strip() else f"not a CSV ({' '.join(str(fault).split())})"
        raise DataError(f"{file}: {reason}; expected a row per picture and a column per unit") from fault
    table.columns = table.columns.str.strip()
    if not len(table):
        raise DataError(f"{file}: no rows below the names of the columns")
    return table.apply(lambda column: column.str.strip())


def _column_count(file: Path, text: str, separator: str) -> int:
    """How many columns a CSV has. Raises DataError where two have one name, a row has more cells, or a column
    ``success`` says anything but ``SUCCESS``.
    """
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    heading = [name.strip() for name in next(rows, [])]
    if twice := next((name for name in heading if name and heading.count(name) > 1), ""):
        raise DataError(f"{file}: two columns are called {twice!r}; leave one of them")
    success = [place for place, name in enumerate(heading) if name.lower() == "success"]
    for row in rows:
        for entry in (row[place].strip() for place in success if place < len(row)):
            if not SUCCESS.fullmatch(entry):
                raise DataError(
                    f"{file}, line {rows.line_num}: success is {entry[:40]!r}; expected 1 or 0, true or false"
                )
        if any(row[len(heading) :]):
            raise DataError(
                f"{file}, line {rows.line_num}: {len(row)} cells, and {len(heading)} columns; expected one "
                "for each"
            )
    return len(heading)


def read_mapping(mapping: str, columns: list[str]) -> dict[str, str]:
    """Column -> what it means, as ``MEANT`` reads it, or ``file``: of a YAML file, of a CSV with the columns
    ``column`` and ``means``, or of ``openface3``. Raises DataError for a column that is not there and a
    meaning that is none.
    """
    file = Path(mapping)
    if mapping == "openface3":
        numbered = [name for name in columns if re.fullmatch(r"(?:\w*?[_ ])?[0-7]", name)]
        if len(numbered) != len(OPENFACE_3):
            raise DataError(f"openface3: {len(numbered)} columns end in _0 to _7; expected {len(OPENFACE_3)}")
        numbered.sort(key=lambda name: name[-1])
        return dict(zip(numbered, OPENFACE_3, strict=True))
    if file.suffix.lower() == ".csv":
        table = read_table(file)
        if not {"column", "means"} <= set(table.columns):
            raise DataError(f"{file}: expected the columns column and means")
        if twice := next(iter(table["column"][table["column"].duplicated()]), ""):
            raise DataError(f"{file}: the column {twice!r} stands there twice; leave one of them")
        meanings = dict(zip(table["column"], table["means"], strict=True))
    else:
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

    Beside a column of 0 to 5 (``AU12_r``) those that only say whether there is something are not taken.
    """
    outputs: dict[str, tuple[str, bool]] = {}
    blinks = []
    for column in columns:
        if not (fits := COLUMN.fullmatch(column)):
            continue
        unit, ending = f"AU{int(fits[1])}", (fits[2] or "").lower()
        if unit == "AU45":
            blinks.append(column)
            unit = "AU43"
        if unit not in AUS:
            notes.append(f"{column}: the faces show no {unit}; left out")
            continue
        side = f" {ending}" if ending in ("left", "right") else ""
        outputs[column] = unit + side, ending in ("r", "intensity")
    strong = {output for output, of_five in outputs.values() if of_five}
    meanings = {
        column: f"{output}{' of 5' * of_five}"
        for column, (output, of_five) in outputs.items()
        if of_five or output not in strong
    }
    notes += [f"{column}: a blink is read as AU43, closed eyes" for column in blinks if column in meanings]
    return meanings


def read_detections(
    file: Path, truth: pd.DataFrame, mapping: str = ""
) -> tuple[tuple[Output, ...], list[str]]:
    """The outputs of a detector on the pictures of ``truth``, and a line for each thing that is odd.

    ``mapping``: of columns, as of ``read_mapping``; without one they are known by their names. Raises
    DataError where nothing can be compared.
    """
    table, notes = read_table(file), []
    columns = list(table.columns)
    meanings = read_mapping(mapping, columns) if mapping else recognised(columns, notes)
    file_columns = [column for column, means in meanings.items() if means == "file"]
    meanings = {column: MEANT.fullmatch(means) for column, means in meanings.items() if means != "file"}
    if not meanings:
        raise DataError(
            f"{file}: no column is known as an action unit (there are {', '.join(columns[:8])} …); "
            "say what they mean with --columns"
        )
    rows = _one_row_each(_placed(file, table, truth, file_columns, notes), list(meanings), notes)
    places = rows.pop("place")
    rows.loc[_failed(rows), list(meanings)] = ""
    values = rows[list(meanings)].apply(_numbers).replace([np.inf, -np.inf], np.nan)
    if bad := int((values.isna() & rows[list(meanings)].ne("")).to_numpy().sum()):
        notes.append(f"{bad:,} values are no finite numbers; each counts as no answer")
    without = len(truth) - len(set(places[values.notna().any(axis=1)]))
    if without:
        notes.append(f"{without:,} of {len(truth):,} pictures have no answer: no face was found there")
    tops = _tops(values, meanings, notes)
    outputs = []
    for column, fits in meanings.items():
        answers = np.full(len(truth), np.nan)
        answers[places] = values[column] / tops[column][0]
        if np.isfinite(answers).any():
            top, scaled = tops[column]
            outputs.append(Output(fits[1], fits[2] or "", answers, top, scaled))
        else:
            notes.append(f"{column}: no number in any row; left out")
    twice = pd.Series([each.name for each in outputs], dtype=str)
    if twice.duplicated().any():
        raise DataError(f"{file}: two columns mean {twice[twice.duplicated()].iloc[0]}; give one of them")
    if not outputs:
        raise DataError(f"{file}: no number in any column of a unit")
    outputs.sort(key=lambda each: (AUS.index(each.unit), each.side))
    return tuple(outputs), notes


def _numbers(texts: pd.Series) -> pd.Series:
    """Texts as numbers, with a point or a comma, or 1 and 0 for true and false; NaN where they are none."""
    texts = texts.str.lower().replace({"true": "1", "false": "0"})
    return pd.to_numeric(texts.str.replace(",", "."), errors="coerce")


def _placed(
    file: Path, table: pd.DataFrame, truth: pd.DataFrame, file_columns: list[str], notes: list[str]
) -> pd.DataFrame:
    """The rows of known pictures, with the number of each in ``truth`` as ``place``."""
    numbers = {Path(name).stem: place for place, name in enumerate(truth["file"])}
    sought = file_columns or table.columns
    stems = {
        name: table[name].str.replace("\\", "/").str.rpartition("/")[2].str.rpartition(".") for name in sought
    }
    matches = {name: parts[0].where(parts[1].eq("."), parts[2]).map(numbers) for name, parts in stems.items()}
    column = max(matches, key=lambda name: matches[name].notna().sum())
    places = matches[column]
    if not places.notna().any() and not file_columns and "frame" in table:
        frames = _numbers(table["frame"])
        if frames.nunique() > 1:
            order = truth["file"].argsort(kind="stable").to_numpy()
            first = min(frames.min(), 1)
            if first == 1 and frames.max() < len(truth):
                raise DataError(
                    f"{file}: no column names the pictures, and `frame` goes from {frames.min():g} to "
                    f"{frames.max():g}: {len(truth):,} pictures may be counted from 0 or from 1; add a "
                    f"column with names such as {truth['file'].min()}"
                )
            places = (frames - first).map(dict(enumerate(order)))
            notes.append(
                f"no column names the pictures; `frame`, counted from {first:g}, is taken as their order"
            )
    if not places.notna().any():
        raise DataError(f"{file}: no column names the pictures; expected names such as {truth['file'].min()}")
    if strange := int(places.isna().sum()):
        first = table[column][places.isna()].iloc[0]
        notes.append(f"{strange:,} rows are of no picture of these stimuli, such as {first!r}; left out")
    rows = table[places.notna()].copy()
    rows["place"] = places[places.notna()].astype(int)
    return rows


def _failed(rows: pd.DataFrame) -> pd.Series:
    """bool: rows whose column ``success``, if there is one, is 0."""
    success = next((name for name in rows if name.lower() == "success"), "")
    return _numbers(rows[success]).eq(0) if success else pd.Series(False, rows.index)


def _one_row_each(rows: pd.DataFrame, units: list[str], notes: list[str]) -> pd.DataFrame:
    """One row per picture: the same row twice counts once, and of several faces the surest is taken, of those
    that succeeded if any did.
    """
    once = rows.drop_duplicates(["place", *units])
    if len(once) < len(rows):
        notes.append(f"{len(rows) - len(once):,} rows stand there twice; each counts once")
    if several := int(once["place"].duplicated(keep=False).sum()):
        sure = next((name for candidate in SURE for name in once if name.lower() == candidate), "")
        how = f"the one with the highest {sure}" if sure else "the first"
        pictures = once["place"][once["place"].duplicated()].nunique()
        notes.append(f"{pictures:,} pictures have several faces ({several:,} rows); {how} is taken")
        surety = _numbers(once[sure]) if sure else pd.Series(0.0, once.index)
        order = pd.DataFrame({"failed": _failed(once), "surety": surety})
        order = order.sort_values(["failed", "surety"], ascending=[True, False], kind="stable")
        once = once.loc[order.index]
        once = once.drop_duplicates("place")
    return once


def _tops(
    values: pd.DataFrame, meanings: Mapping[str, re.Match], notes: list[str]
) -> dict[str, tuple[float, bool]]:
    """What each column says of a unit in full: what the mapping says, else 1, 5 or 100, and where none of
    these fits all columns its own largest value; and whether it is known.
    """
    unsaid = [column for column, fits in meanings.items() if not fits[3]]
    largest = values[unsaid].abs().max()
    most, signed = float(largest.max()) if unsaid else 0.0, bool((values[unsaid] < -0.1).to_numpy().any())
    scales = () if signed else ((1.0, 0.0), (5.0, 2.0), (100.0, 20.0))
    top = next((top for top, above in scales if above <= most <= 1.1 * top), None)
    if top != 1:
        scale = {5.0: "0 to 5", 100.0: "per cent"}.get(top, "shares of each column's largest")
        notes.append(f"values go up to {most:.3g}{' and below 0' * signed}; they are read as {scale}")
    return {
        column: (float(fits[3] or top or largest[column] or 1), bool(fits[3] or top))
        for column, fits in meanings.items()
    }


def audited(folder: Path, detections: Path, columns: str = "") -> tuple[Audit, list[str]]:
    """The audit of a table of ``detections`` on the stimuli in ``folder``, and what is odd about it."""
    truth = read_truth(folder)
    outputs, notes = read_detections(detections, truth, columns)
    return Audit(truth, outputs), notes
