"""What the page on FACS shows of the code and of a run: its units and its emotions."""

from collections.abc import Mapping
from contextlib import suppress

from book.page_parts import TEMPLATES, markdown_table
from book.unit_faces import UnitPictures, unit_codes
from ferbook.errors import RunStoreError
from ferbook.store import ChapterResult
from synthetic_faces.expressions import VARIANTS
from synthetic_faces.facs import ACTION_UNITS

Results = Mapping[str, ChapterResult]

# Units of each emotion by Du, Tao & Martinez (PNAS 2014, table 1), as remembered; shares are of people.
PUBLISHED = {
    "anger": "4, 7, 24; 17 in 52 %, 23 in 29 %, 10 in 26 %",
    "contempt": "",
    "disgust": "9, 10, 17; 4 in 31 %, 24 in 26 %",
    "fear": "1, 4, 20, 25; 5 in 63 %, 2 in 57 %, 26 in 33 %",
    "happiness": "12, 25; 6 in 51 %",
    "sadness": "4, 15; 17 in 67 %, 1 in 60 %, 6 in 50 %",
    "surprise": "1, 2, 25, 26; 5 in 66 %",
}


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
    pictures, codes, rows = None, unit_codes(), []
    with suppress(KeyError, RunStoreError):
        pictures = results["faces"].artefact("switchboard", UnitPictures)
    for place, (au, unit) in enumerate(ACTION_UNITS.items()):
        alone, change = codes.index({au: "E"}), len(codes) + place
        tiles = (0, "at rest"), (alone, f"with {au} in full"), (change, "what it changes")
        rows.append((au, unit, tiles))
    return TEMPLATES.get_template("facs.html").render(pictures=pictures, units=rows).strip()
