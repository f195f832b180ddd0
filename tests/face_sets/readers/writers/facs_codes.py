"""FACS codes as coding sheets have them that code presence only."""

from face_sets.facs_codes import Code, Codes


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
