"""What the page on FACS shows of the code and of a run: its units and its emotions."""

import html
from collections.abc import Mapping
from contextlib import suppress

from book.page_parts import markdown_table
from book.unit_faces import UnitPictures, unit_codes
from ferbook.errors import RunStoreError
from ferbook.store import ChapterResult
from synthetic_faces.expressions import VARIANTS
from synthetic_faces.facs import ACTION_UNITS

Results = Mapping[str, ChapterResult]

PUBLISHED = {
    "anger": "4, 7, 24; 17 in 52 %, 23 in 29 %, 10 in 26 %",
    "contempt": "",
    "disgust": "9, 10, 17; 4 in 31 %, 24 in 26 %",
    "fear": "1, 4, 20, 25; 5 in 63 %, 2 in 57 %, 26 in 33 %",
    "happiness": "12, 25; 6 in 51 %",
    "sadness": "4, 15; 17 in 67 %, 1 in 60 %, 6 in 50 %",
    "surprise": "1, 2, 25, 26; 5 in 66 %",
}
"""Units of each emotion by Du, Tao & Martinez (PNAS 2014, table 1), as remembered; shares are of people."""


def emotions(results: Results) -> str:
    """A table of MyST: the units of each emotion as published, and how often they are in the generator's."""
    rows = []
    for emotion, published in PUBLISHED.items():
        shares: dict[str, float] = {}
        for variant in VARIANTS[emotion]:
            for au, (often, _) in variant.aus.items():
                shares[au] = shares.get(au, 0) + variant.share * often
        common = sorted((au for au in shares if shares[au] >= 0.25), key=shares.__getitem__, reverse=True)
        units_text = ", ".join(f"[{au[2:]}](#{au.lower()}) in {100 * shares[au]:.0f} %" for au in common)
        rows.append([emotion, published or "–", units_text])
    return markdown_table(["emotion", "published", "as the faces are made"], rows)


def units(results: Results) -> str:
    """A section of MyST for each unit: its name, muscle and appearance, and what it does to a face."""
    pictures, codes, parts = None, unit_codes(), []
    with suppress(KeyError, RunStoreError):
        pictures = results["faces"].artefact("switchboard", UnitPictures)
        sheet = f'url("data:image/webp;base64,{pictures.sheet}")'
        edge = f"calc(var(--side) * {pictures.columns})"
        parts.append(f"<style>.facs-tile{{background-image:{sheet};background-size:{edge}}}</style>")
    for place, (au, unit) in enumerate(ACTION_UNITS.items()):
        tiles = ""
        if pictures:
            numbers = (0, "at rest"), (codes.index({au: "E"}), f"with {au} in full")
            numbers += ((len(codes) + place, "what it changes"),)
            tiles = "".join(_tile(pictures, number, f"A face {what}") for number, what in numbers)
        about = f"<b>{html.escape(_upper(unit.name))}</b>: {html.escape(unit.appearance)}."
        muscle = f"<i>{html.escape(_upper(unit.muscle))}.</i>"
        parts.append(f'### {au}\n\n<div class="facs-unit">{tiles}<p>{about} {muscle}</p></div>')
    return "\n\n".join(parts)


def _tile(pictures: UnitPictures, number: int, alt: str) -> str:
    """One picture of the sheet."""
    row, column = divmod(number, pictures.columns)
    place = f"--row:{row};--column:{column}"
    return f'<span class="facs-tile" role="img" aria-label="{html.escape(alt)}" style="{place}"></span>'


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
