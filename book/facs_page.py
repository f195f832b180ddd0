"""What the page on FACS shows of the code and of a run: its units, its emotions, and the switchboard."""

import html
import json
from collections.abc import Mapping
from contextlib import suppress

from book.switchboard import (
    INTENSITIES,
    PAIRED_UNITS,
    ShownFilter,
    SwitchboardPictures,
    SwitchboardResponses,
    switchboard_codes,
)
from fer_lib.aus.detectors import Detectors
from ferbook.errors import RunStoreError
from ferbook.store import ChapterResult
from synthetic_faces.expressions import VARIANTS
from synthetic_faces.facs import ACTION_UNITS

Results = Mapping[str, ChapterResult]

SHOWN_FIRST = {"AU6": "C", "AU12": "E"}
"""What the switchboard shows at the start, and without JavaScript at all."""

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
    rows = ["| emotion | published | as the faces are made |", "|---|---|---|"]
    for emotion, published in PUBLISHED.items():
        shares: dict[str, float] = {}
        for variant in VARIANTS[emotion]:
            for au, (often, _) in variant.aus.items():
                shares[au] = shares.get(au, 0) + variant.share * often
        common = sorted((au for au in shares if shares[au] >= 0.25), key=shares.__getitem__, reverse=True)
        units_text = ", ".join(f"[{au[2:]}](#{au.lower()}) in {100 * shares[au]:.0f} %" for au in common)
        rows.append(f"| {emotion} | {published or '–'} | {units_text} |")
    return "\n".join(rows)


def units(results: Results) -> str:
    """A section of MyST for each unit: its name, muscle and appearance, and what it does to a face."""
    pictures = _artefact(results, "faces", SwitchboardPictures)
    codes = switchboard_codes()
    parts = []
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


def switchboard(results: Results) -> str:
    """The switchboard as HTML in one line: what it shows first, its data, and the script that moves it."""
    pictures = _artefact(results, "faces", SwitchboardPictures)
    if pictures is None:
        return "The switchboard needs the pictures of chapter *faces*: `ferbook run faces` makes them."
    answers = _artefact(results, "au_verification", SwitchboardResponses)
    codes = switchboard_codes()
    filters = answers.filters if answers else ()
    detectors = _artefact(results, "au_verification", Detectors, "detectors")
    moved_by = {each.filter: each.moved_by for each in detectors.filters} if detectors else {}
    first = codes.index(SHOWN_FIRST)
    outline = "".join(f'<path d="{pictures.outlines[au]}"/>' for au in SHOWN_FIRST)
    code_text = " + ".join(f"{au} {letter} ({ACTION_UNITS[au].name})" for au, letter in SHOWN_FIRST.items())
    data = {
        "codes": ["+".join(f"{au}{letter}" for au, letter in code.items()) for code in codes],
        "columns": pictures.columns,
        "letters": list(INTENSITIES),
        "names": {au: unit.name for au, unit in ACTION_UNITS.items()},
        "paired": PAIRED_UNITS,
        "first": list(SHOWN_FIRST.items()),
        "outlines": pictures.outlines,
        "filters": [[float(f"{value:.3g}") for value in each.responses] for each in filters],
    }
    size, edge = pictures.size, f"calc(var(--side) * {pictures.columns})"
    sheet = f'url("data:image/webp;base64,{pictures.sheet}")'
    style = f".facs-tile{{background-image:{sheet};background-size:{edge}}}"
    bars = "".join(_bar(each, first, moved_by.get(each.filter, "")) for each in filters)
    layer = html.escape(answers.layer) if answers else ""
    responses = (
        f"<p>Largest answers of filters of <code>{layer}</code> to this face; the tick is the face at rest. "
        "<b>✓</b>: of many people, the unit that moves the filter most. <i>Here</i>: the one that does so in "
        "this face.</p>"
        f"<ul>{bars}</ul>"
        if filters
        else "<p>What filters answer stands here after <code>ferbook run au_verification</code>.</p>"
    )
    parts = (
        '<link rel="stylesheet" href="../_static/switchboard.css">',
        f"<style>{style}</style>",
        '<div id="facs-board" class="switchboard"><div class="face">',
        _tile(pictures, first, f"The face with {code_text}"),
        f'<svg viewBox="0 0 {size} {size}" aria-hidden="true">{outline}</svg></div>',
        f'<div class="controls"><p class="shown" aria-live="polite">{code_text}</p></div>',
        f'<div class="answers">{responses}</div></div>',
        f'<script type="application/json" id="switchboard-data">{json.dumps(data)}</script>',
        '<script src="../_static/switchboard.js" defer></script>',
    )
    return f"<div>{''.join(parts)}</div>"


def _tile(pictures: SwitchboardPictures, number: int, alt: str) -> str:
    """One picture of the sheet."""
    row, column = divmod(number, pictures.columns)
    place = f"--row:{row};--column:{column}"
    return f'<span class="facs-tile" role="img" aria-label="{html.escape(alt)}" style="{place}"></span>'


def _bar(shown: ShownFilter, picture: int, moved_by: str) -> str:
    """What one filter answers to a picture, on a scale that ends at the largest of its answers; beside it its
    verdict, which is of many people, and the unit that moves it most in this face.
    """
    most = max(max(shown.responses), 1e-9)
    at = f"--value:{shown.responses[picture] / most:.3f};--rest:{shown.responses[0] / most:.3f}"
    name = f"filter {shown.filter}"
    if shown.unit:
        name += f": {'✓' if shown.unit == moved_by else 'not'} {shown.unit}, here {strongest_here(shown)}"
    number = f"{shown.responses[picture]:.3g}"
    return f'<li><span>{html.escape(name)}</span><span class="bar" style="{at}"></span><b>{number}</b></li>'


def strongest_here(shown: ShownFilter) -> str:
    """The unit that, in full and alone, raises the filter's answer most in the face of the switchboard;
    ``none`` where none does.
    """
    codes = switchboard_codes()
    full = {au: shown.responses[codes.index({au: "E"})] - shown.responses[0] for au in ACTION_UNITS}
    best = max(full, key=full.__getitem__)
    return best if full[best] > 0 else "none"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _artefact(results: Results, chapter: str, model: type, name: str = "switchboard") -> object | None:
    """The artefact ``name`` of a chapter; None where its result has none."""
    with suppress(KeyError, RunStoreError):
        return results[chapter].artefact(name, model)
    return None
