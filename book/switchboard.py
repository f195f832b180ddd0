"""The switchboard of the page on FACS: one face, its units at chosen intensities, and what filters answer.

Chapter ``faces`` packs the pictures for the page, ``au_verification`` says what its filters answer to the
same pictures; both go by ``switchboard_codes``.
"""

from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
from pydantic import BaseModel, Field, model_validator

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.rendered import scripted_faces
from synthetic_faces.facs import AUS
from synthetic_faces.people import STRANGERS
from synthetic_faces.script import Script

INTENSITIES = {"A": 0.2, "B": 0.4, "C": 0.6, "D": 0.8, "E": 1.0}
"""The five intensities of FACS, as shares of a unit's full movement."""

PAIRED_UNITS = ("AU1", "AU2", "AU4", "AU6", "AU9", "AU12", "AU17", "AU25")
"""Units that can be switched on two at a time; none excludes another."""

PAIR_INTENSITIES = "ACE"

SITTER = STRANGERS + 2
"""Who sits for all pictures: a person of ``lab`` who is in no face set, so no network has learned from it."""

FaceCode = dict[str, str]
"""Unit -> its intensity, a letter of ``INTENSITIES``; empty at rest."""


def switchboard_codes() -> tuple[FaceCode, ...]:
    """What the pictures of the switchboard show, in their order: the face at rest, each of ``AUS`` at five
    intensities, any two of ``PAIRED_UNITS`` at three each. 368 in all.
    """
    single = [{au: letter} for au in AUS for letter in INTENSITIES]
    pairs = [
        {first: one, second: other}
        for first, second in combinations(PAIRED_UNITS, 2)
        for one, other in product(PAIR_INTENSITIES, repeat=2)
    ]
    return ({}, *single, *pairs)


def switchboard_faces(size: int, face_seed: int = 0) -> FaceSet:
    """The pictures of ``switchboard_codes``, in their order: ``SITTER`` of ``lab`` in one pose and light;
    cached. At the ``size`` of a network's input they can be given to it, as pictures of ``lab``.
    """
    return scripted_faces(coded_script(switchboard_codes(), SITTER), size=size, seed=face_seed)


def coded_script(codes: Sequence[FaceCode], person: int) -> Script:
    """``person`` showing each of ``codes``, in one pose and light."""
    intensities = np.zeros((len(codes), len(AUS), 2))
    for row, code in zip(intensities, codes, strict=True):
        for au, letter in code.items():
            row[AUS.index(au)] = INTENSITIES[letter]
    return Script(np.full(len(codes), person), np.zeros(len(codes), int), intensities)


class SwitchboardPictures(BaseModel):
    """The artefact ``switchboard`` of chapter ``faces``: one ``sheet`` (WebP, base64) with ``columns``
    pictures of ``size`` pixels to a row: those of ``switchboard_codes``, then for each of ``AUS`` what it
    changes in full. ``outlines``: for each unit the region that it moves, as an SVG path in the pixels of one
    picture.
    """

    size: int
    columns: int
    sheet: str
    outlines: dict[str, str]


class ShownFilter(BaseModel):
    """One filter on the switchboard: its number in the layer, the unit that it is named for (empty if for
    none), and its largest answer to each of ``switchboard_codes``, in their order.
    """

    filter: int = Field(ge=0)
    unit: str
    responses: tuple[float, ...]

    @model_validator(mode="after")
    def _one_for_each_picture(self) -> "ShownFilter":
        pictures = len(switchboard_codes())
        if len(self.responses) != pictures:
            raise ValueError(
                f"filter {self.filter}: {len(self.responses)} responses, one for each of the {pictures} "
                "pictures of the switchboard is expected"
            )
        return self


class SwitchboardResponses(BaseModel):
    """The artefact ``switchboard`` of chapter ``au_verification``, which the page on FACS shows: some five to
    ten filters of ``layer``, in the order to be shown, and the maximal responses of one network to
    ``switchboard_faces`` of its input's size.
    """

    layer: str
    filters: tuple[ShownFilter, ...]
