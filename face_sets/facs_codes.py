"""FACS codes: from the text of a coding sheet to numbers, and back.

The notation is that of the Facial Action Coding System (Ekman, Friesen & Hager 2002): codes joined by
``+``, each an AU number, before it ``L`` or ``R`` where only the subject's own left or right half of the
face acts, behind it a letter from ``A`` (trace) to ``E`` (maximum) where intensity was scored: ``4+L10``,
``1C+2B+R12``. A letter is an intensity of 0.2, 0.4, 0.6, 0.8 or 1; a code without one says only that the
AU is there.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ferbook.errors import DataError

LETTERS = "ABCDE"
"""Intensity letters in order; the k-th (from 1) is intensity k/5."""

_SIDES = ("L", "R")
"""The subject's own left and right half of the face."""

EITHER = "L or R"
"""The side of a code that acts on one half of the face, which one is not known."""

NOT_CODED = "?"
"""What stands in a cell whose AUs are not known, and next to a code that the coder was not sure of."""

_CODE = re.compile(
    r"\s*(?P<before>\?)?\s*(?:AU\s*)?(?P<side>[LR])?\s*(?P<au>[0-9]{1,2})\s*(?P<letter>[A-E])?"
    r"(?(side)|\s*(?P<behind>[LR])?)\s*(?P<after>\?)?\s*",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"[+,;]")
_OR = re.compile(r"\bor\b", re.IGNORECASE)
_COLUMN = re.compile(r"AU([0-9]+)")


@dataclass(frozen=True)
class Code:
    """One action unit as coded: ``au`` 1 … 99; ``side`` ``L``, ``R``, ``EITHER``, or empty for both halves
    of the face; ``level`` 1 … 5 for A … E, None where only presence was coded; ``uncertain`` where a ``?``
    stands next to it.
    """

    au: int
    side: str = ""
    level: int | None = None
    uncertain: bool = False

    def __str__(self) -> str:
        if self.side == EITHER:
            return " or ".join(str(replace(self, side=side)) for side in _SIDES)
        letter = LETTERS[self.level - 1] if self.level else ""
        return f"{self.side}{self.au}{letter}{NOT_CODED if self.uncertain else ''}"


Codes = tuple[Code, ...] | None
"""The codes of one picture or clip: empty where the face shows no AU, None where it was not coded."""


def parse_codes(text: str, place: str = "FACS codes") -> Codes:
    """The codes in the ``text`` of a cell.

    ``4+L10``, ``1C+2B+R12``, ``4 + 7``, ``AU4``, ``4,7`` and ``10L`` are read, in either case. An empty text
    and ``0`` mean that no AU is shown: an empty tuple. ``?`` alone means not coded: None; ``12?`` and ``?12``
    are a code that is ``uncertain``. Of ``R12 or R15`` each is uncertain, but ``L14 or R14`` is a certain 14
    on one side, and ``4B or 4C`` at least a 4B. An AU may stand there once, or once for each side.

    Raises DataError that begins with ``place`` and names the code at fault.
    """
    text = text.strip()
    if text in ("", "0"):
        return ()
    if text == NOT_CODED:
        return None
    codes: list[Code] = []
    for part in _SEPARATOR.split(text):
        for code in _alternatives([_parse_code(token, text, place) for token in _OR.split(part)]):
            for other in codes:
                if other.au == code.au and {other.side, code.side} != set(_SIDES):
                    raise DataError(
                        f"{place}: AU{code.au} stands twice in {text[:80]!r}; expected it once, or once for "
                        "each side"
                    )
            codes.append(code)
    return tuple(codes)


def _parse_code(token: str, text: str, place: str) -> Code:
    match = _CODE.fullmatch(token)
    if not match or int(match["au"]) == 0:
        raise DataError(
            f"{place}: {token.strip()[:40]!r} in {text[:80]!r} is no FACS code; expected AU numbers joined "
            "by +, such as 4+L10 or 1C+2B+R12 (L or R for a side, A to E for intensity, ? where uncertain)"
        )
    letter = match["letter"]
    return Code(
        au=int(match["au"]),
        side=(match["side"] or match["behind"] or "").upper(),
        level=LETTERS.index(letter.upper()) + 1 if letter else None,
        uncertain=bool(match["before"] or match["after"]),
    )


def _alternatives(codes: list[Code]) -> list[Code]:
    """What is known where one of ``codes`` is meant: all uncertain, or of one AU that it is there, at the
    lowest level.
    """
    if len(codes) == 1:
        return codes
    if len({code.au for code in codes}) > 1:
        return [replace(code, uncertain=True) for code in codes]
    sides, levels = {code.side for code in codes}, {code.level for code in codes} - {None}
    side = sides.pop() if len(sides) == 1 else EITHER
    return [Code(codes[0].au, side, min(levels, default=None), any(code.uncertain for code in codes))]


def format_codes(codes: Codes) -> str:
    """``codes`` as a coding sheet writes them, in their order: ``1C+2B+R12``; the inverse of
    ``parse_codes``.
    """
    return NOT_CODED if codes is None else "+".join(map(str, codes))


def au_columns(rows: Sequence[Codes], unscored: float = 1.0, halves: bool = True) -> pd.DataFrame:
    """The columns of a FaceSet that hold ``rows``, one element each: intensities in [0, 1] and the text
    ``facs``.

    ``AU<n>`` is the stronger half, and with ``halves`` ``AU<n>_left`` and ``AU<n>_right`` are the subject's
    own two halves; a code without a side is both, and of one on either side no half is known. There is a
    column for every AU that occurs, in numeric order. 0 is not shown; NaN not coded, or uncertain;
    ``unscored`` is the intensity of a code without a letter.
    """
    present = sorted({code.au for codes in rows for code in codes or ()})
    place = {au: k for k, au in enumerate(present)}
    values = np.zeros((len(rows), len(place), len(_SIDES)))
    stronger = np.zeros((len(rows), len(place)))
    for row, codes in enumerate(rows):
        if codes is None:
            values[row] = stronger[row] = np.nan
            continue
        for code in codes:
            intensity = code.level / len(LETTERS) if code.level else unscored
            if code.uncertain:
                intensity = np.nan
            at = row, place[code.au]
            # maximum keeps NaN: with one half uncertain the stronger one is not known.
            stronger[at] = np.maximum(stronger[at], intensity)
            for k, side in enumerate(_SIDES):
                if code.side in ("", side, EITHER):
                    values[*at, k] = np.nan if code.side == EITHER else intensity
    columns: dict[str, object] = {}
    for au, k in place.items():
        columns[f"AU{au}"] = stronger[:, k]
        if halves:
            columns |= {f"AU{au}_left": values[:, k, 0], f"AU{au}_right": values[:, k, 1]}
    columns["facs"] = pd.Series([format_codes(codes) for codes in rows], dtype="str")
    return pd.DataFrame(columns)


def codes_from_columns(table: pd.DataFrame) -> list[Codes]:
    """The inverse of ``au_columns``: one element per row of ``table``, from its columns ``AU<n>``.

    Every AU with an intensity i above 0 is written, with the letter of level ceil(5 i). Halves of
    different level are written one by one (``L12B+R12D``, ``L10``), where ``table`` has both ``AU<n>_left``
    and ``AU<n>_right``. NaN becomes an uncertain code, and a row of nothing but NaN, or of a table without
    such columns, None.
    """
    numbers_present = sorted(int(m[1]) for c in table.columns if (m := _COLUMN.fullmatch(c)))
    rows: list[list[Code]] = [[] for _ in range(len(table))]
    coded = np.zeros(len(table), bool)
    for au in numbers_present:
        whole = table[f"AU{au}"].to_numpy(float, na_value=np.nan)
        halves = np.column_stack([whole, whole])
        names = [f"AU{au}_left", f"AU{au}_right"]
        if all(name in table.columns for name in names):
            pair = table[names].to_numpy(float, na_value=np.nan)
            halves = np.where(np.isnan(pair).all(axis=1, keepdims=True), halves, pair)
        unknown = np.isnan(halves)
        coded |= ~unknown.all(axis=1)
        levels = intensity_levels(halves)
        for row in np.flatnonzero(((levels > 0) | unknown).any(axis=1)):
            left, right = (
                Code(au, "", level or None, uncertain) if level or uncertain else None
                for level, uncertain in zip(levels[row].tolist(), unknown[row].tolist(), strict=True)
            )
            if left == right:
                rows[row].append(left)
            else:
                sides = zip(_SIDES, (left, right), strict=True)
                rows[row] += [replace(code, side=side) for side, code in sides if code]
    return [tuple(codes) if is_coded else None for codes, is_coded in zip(rows, coded, strict=True)]


def intensity_levels(intensities: np.ndarray) -> np.ndarray:
    """The levels 0 … 5 of ``intensities`` in [0, 1], of the same shape: 0 for 0 and for NaN, else ceil(5
    i).
    """
    values = np.nan_to_num(intensities)
    # Less a little, or 0.6 kept as float32 would be level 4.
    levels = np.clip(np.ceil(values * len(LETTERS) - 1e-6), 1, len(LETTERS))
    return np.where(values > 0, levels, 0).astype(int)
