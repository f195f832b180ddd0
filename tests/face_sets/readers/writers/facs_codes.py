"""FACS codes as coding sheets have them: what of a set's own text and columns is written."""

import pandas as pd

from face_sets.facs_codes import Code, Codes, codes_from_columns, parse_codes


def codes_of(table: pd.DataFrame, letters: bool = True) -> list[Codes]:
    """The codes to write for each row of ``table``: its own ``facs`` where it has any, else
    ``codes_from_columns``.

    A set's own text knows more than its numbers: which codes were scored, and in which order they were
    written. ``letters=False`` leaves intensities out, for sheets that code presence only. Raises DataError
    for bad ``facs``.
    """
    codes = codes_from_columns(table)
    if "facs" not in table.columns:
        return codes if letters else [presence_only(each) for each in codes]
    own = [
        derived if pd.isna(text) else parse_codes(text, f"row {row}, facs")
        for row, (text, derived) in enumerate(zip(table["facs"], codes, strict=True))
    ]
    return own if letters else [presence_only(codes) for codes in own]


def presence_only(codes: Codes) -> Codes:
    """``codes`` without intensities; an AU on both sides becomes one code without a side: L12B+R12D is 12."""
    if codes is None:
        return None
    by_au: dict[int, list[Code]] = {}
    for code in codes:
        by_au.setdefault(code.au, []).append(code)
    return tuple(
        Code(au, own[0].side if len(own) == 1 else "", None, all(code.uncertain for code in own))
        for au, own in by_au.items()
    )
