"""What the page on FACS shows of the code and of a run: its units, its emotions, and the switchboard."""

import html
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress

from book.several_people import SHEET_COLUMNS, PeopleFilter, SeveralPeople, several_people, single_codes
from book.switchboard import (
    INTENSITIES,
    PAIRED_UNITS,
    SwitchboardPictures,
    SwitchboardResponses,
    switchboard_codes,
)
from fer_lib.aus.detectors import Detectors
from ferbook.beside import REFERENCE
from ferbook.errors import FerError, RunStoreError
from ferbook.store import ChapterResult, open_run
from synthetic_faces.expressions import VARIANTS
from synthetic_faces.facs import ACTION_UNITS

Results = Mapping[str, ChapterResult]

SHOWN_FIRST = {"AU6": "C", "AU12": "E"}
"""What the switchboard shows at the start, and without JavaScript at all."""

FILTER_KINDS = {
    "verified": "Verified:",
    "failed": "Claimed, but another unit moves it more:",
    "untrained": "Of an untrained network, named for the unit with the largest AUROC:",
    "": "Named for no unit:",
}
"""Kind of filter -> what stands above its bars."""

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
    codes = switchboard_codes()
    filters, layer, people = _filters(results)
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
        "filters": [{"unit": each.unit, "answers": each.answers} for each in filters],
        "sheets": [f"data:image/webp;base64,{sheet}" for sheet in people.sheets] if people else [],
        "sheetColumns": SHEET_COLUMNS,
        "sheetCodes": ["".join(au + letter for au, letter in code.items()) for code in single_codes()],
    }
    size, edge = pictures.size, f"calc(var(--side) * {pictures.columns})"
    sheet = f'url("data:image/webp;base64,{pictures.sheet}")'
    style = f".facs-tile{{background-image:{sheet};background-size:{edge}}}"
    responses = (
        f"<p>Largest answers of filters of {layer} to this face; the tick is the "
        f"face at rest{', the dots are the other people with the same unit' if people else ''}. <b>✓</b>: of "
        "many people, the unit that moves the filter most. <i>Here</i>: the one that does so in this face"
        f"{', and in brackets in how many of the people it is the named one' if people else ''}.</p>"
        + "".join(
            _bars(kind, [each for each in filters if each.kind == kind], first) for kind in FILTER_KINDS
        )
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


def _filters(results: Results) -> tuple[tuple[PeopleFilter, ...], str, SeveralPeople | None]:
    """The filters to show, what they are of, as HTML, and what several people need: the reference's where its
    network is kept, else those that the run has chosen, and one face. None of a run that has not asked what
    its filters detect.
    """
    answers = _artefact(results, "au_verification", SwitchboardResponses)
    if answers is None:
        return (), "", None
    detectors = _artefact(results, "au_verification", Detectors, "detectors")
    with suppress(FerError):
        people = several_people()
        reference = open_run(REFERENCE).result("au_verification")
        layer = f"<code>{html.escape(reference.artefact('detectors', Detectors).layer)}</code>"
        own = results["au_verification"] == reference
        return people.filters, layer if own else f"{layer} of the reference's network", people
    moved_by = {each.filter: each.moved_by for each in detectors.filters} if detectors else {}
    filters = []
    for each in answers.filters:
        kind = ("verified" if each.unit == moved_by.get(each.filter) else "failed") if each.unit else ""
        rows = ([float(f"{value:.3g}") for value in each.responses],)
        filters.append(PeopleFilter(filter=each.filter, unit=each.unit, kind=kind, answers=rows))
    return tuple(filters), f"<code>{html.escape(answers.layer)}</code>", None


def _bars(kind: str, filters: Sequence[PeopleFilter], picture: int) -> str:
    if not filters:
        return ""
    return f"<p>{FILTER_KINDS[kind]}</p><ul>{''.join(_bar(each, picture) for each in filters)}</ul>"


def _bar(channel: PeopleFilter, picture: int) -> str:
    """What one filter answers to a picture, on a scale that ends at the largest of its answers; beside it its
    verdict, which is of many people, and the unit that moves it most in this face.
    """
    own = channel.answers[0]
    most = max(*map(max, channel.answers), 1e-9)
    at = f"--value:{own[picture] / most:.3f};--rest:{own[0] / most:.3f}"
    name = f"filter {channel.filter}"
    if channel.unit:
        verdict = {"verified": "✓ ", "failed": "not "}.get(channel.kind, "")
        here = [strongest_here(answers, k > 0) for k, answers in enumerate(channel.answers)]
        alike = f" ({here.count(channel.unit)} of {len(here)})" if len(here) > 1 else ""
        name = f"{name}: {verdict}{channel.unit}, here <i>{here[0]}</i>{alike}"
    dots = "<i></i>" * (len(channel.answers) - 1)
    number = f"{own[picture]:.3g}"
    return f'<li><span>{name}</span><span class="bar" style="{at}">{dots}</span><b>{number}</b></li>'


def strongest_here(answers: Sequence[float], singly: bool = False) -> str:
    """The unit that, in full and alone, raises the filter's ``answers`` to the pictures of the switchboard
    most, or to those of ``single_codes`` where ``singly``; ``none`` where none does.
    """
    codes = single_codes() if singly else switchboard_codes()
    full = {au: answers[codes.index({au: "E"})] - answers[0] for au in ACTION_UNITS}
    best = max(full, key=full.__getitem__)
    return best if full[best] > 0 else "none"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _artefact(results: Results, chapter: str, model: type, name: str = "switchboard") -> object | None:
    """The artefact ``name`` of a chapter; None where its result has none."""
    with suppress(KeyError, RunStoreError):
        return results[chapter].artefact(name, model)
    return None
