"""One face with its units switched on, one or two at a time: what the page on FACS and the live page show.

Chapter ``faces`` packs the pictures for the page on FACS; both go by ``unit_codes``.
"""

from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
from pydantic import BaseModel

from face_sets.faceset import FaceSet
from face_sets.rendered import scripted_faces
from synthetic_faces.facs import AUS
from synthetic_faces.people import STRANGERS
from synthetic_faces.script import Script

INTENSITIES = {"A": 0.2, "B": 0.4, "C": 0.6, "D": 0.8, "E": 1.0}
"""The five intensities of FACS, as proportions of a unit's full movement."""

PAIRED_UNITS = ("AU1", "AU2", "AU4", "AU6", "AU9", "AU12", "AU17", "AU25")
"""Units that can be switched on two at a time; none excludes another."""

PAIR_INTENSITIES = "ACE"

SITTER = STRANGERS + 2
"""Who sits for all pictures: a person of ``lab`` who is in no face set, so no network has learned from it."""

FaceCode = dict[str, str]
"""Unit -> its intensity, a letter of ``INTENSITIES``; empty if neutral."""


def unit_codes() -> tuple[FaceCode, ...]:
    """What the pictures show, in their order: the neutral face, each of ``AUS`` at five
    intensities, any two of ``PAIRED_UNITS`` at three each. 368 in all.
    """
    single = [{au: letter} for au in AUS for letter in INTENSITIES]
    pairs = [
        {first: one, second: other}
        for first, second in combinations(PAIRED_UNITS, 2)
        for one, other in product(PAIR_INTENSITIES, repeat=2)
    ]
    return ({}, *single, *pairs)


def unit_faces(size: int, face_seed: int = 0) -> FaceSet:
    """The pictures of ``unit_codes``, in their order: ``SITTER`` of ``lab`` in one pose and light;
    cached. At the ``size`` of a network's input they can be given to it, as pictures of ``lab``.
    """
    return scripted_faces(coded_script(unit_codes(), SITTER), size=size, seed=face_seed)


def coded_script(codes: Sequence[FaceCode], person: int) -> Script:
    """``person`` showing each of ``codes``, in one pose and light."""
    intensities = np.zeros((len(codes), len(AUS), 2))
    for row, code in zip(intensities, codes, strict=True):
        for au, letter in code.items():
            row[AUS.index(au)] = INTENSITIES[letter]
    return Script(np.full(len(codes), person), np.zeros(len(codes), int), intensities)


class UnitPictures(BaseModel):
    """The artefact ``switchboard`` of chapter ``faces``: one ``sheet`` (WebP, base64) with ``columns``
    pictures of ``size`` pixels to a row: those of ``unit_codes``, then for each of ``AUS`` what it changes in
    full.
    """

    size: int
    columns: int
    sheet: str
