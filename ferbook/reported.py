"""What the papers report of recognition, as they report it: to be read beside a result, never as its equal."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from ferbook.text import NO_BREAK

Certainty = Literal["V", "S", "R", "N"]

CERTAINTIES: dict[Certainty, str] = {
    "V": "read in the authors' own paper or code",
    "S": "read in another paper that cites it",
    "R": "remembered; look it up before you rely on it",
    "N": "not found",
}


@dataclass(frozen=True)
class Claim:
    """An accuracy (share; None where none is known) that ``paper`` reports on ``faces``, and how well we know
    it.
    """

    paper: str
    faces: str
    accuracy: float | None
    certainty: Certainty
    remark: str = ""


_FIRST, _THIRD = "Khorrami et al. 2015, version 1", "Khorrami et al. 2015, version 3"
_ON_TEST, _CORRECTED = "epoch chosen on the test fold", "corrected: epoch chosen on validation"

RECOGNITION_CLAIMS: tuple[Claim, ...] = (
    Claim(_FIRST, "CK+, 8 classes", 0.964, "R", _ON_TEST),
    Claim(_THIRD, "CK+, 8 classes", 0.951, "S", _CORRECTED),
    Claim(_FIRST, "CK+, 6 classes", 0.983, "R", _ON_TEST),
    Claim(_THIRD, "CK+, 6 classes", 0.957, "R", _CORRECTED),
    Claim(_FIRST, "TFD", 0.898, "R", _ON_TEST),
    Claim(_THIRD, "TFD", 0.886, "S", _CORRECTED),
    Claim("Breuer & Kimmel 2017", "CK+", 0.9862, "R"),
    Claim("Breuer & Kimmel 2017", "FER2013", 0.721, "R"),
    Claim("Zhu et al. 2019", "", None, "N", "only the abstract is at hand"),
)

TRANSFER_CLAIMS: tuple[Claim, ...] = (
    Claim("Breuer & Kimmel 2017", "learned from one set, tested on another", None, "N"),
    Claim("Breuer & Kimmel 2017", "action units, from a network that learned emotions", 0.9754, "R"),
)

MICRO_CLAIMS: tuple[Claim, ...] = (
    Claim(
        "Breuer & Kimmel 2017",
        "CASME II, 5 classes",
        0.5947,
        "R",
        "CNN of expressions, LSTM over its features",
    ),
    Claim(
        "Yan et al. 2014",
        "CASME II, 5 classes",
        0.6341,
        "R",
        "LBP-TOP; the best of several settings on the people tested",
    ),
    Claim("", "CASME II, 5 classes", 99 / 246, "R", "always the largest class, 99 of 246 clips"),
)


DERL_CLAIMS: tuple[Claim, ...] = tuple(
    Claim("Yang et al. 2018", faces, accuracy, sure)
    for faces, accuracy, sure in (
        ("CK+", 0.9730, "S"),
        ("MMI", 0.7323, "S"),
        ("Oulu-CASIA", 0.88, "R"),
        ("BU-3DFE", 0.8417, "R"),
        ("BP4D+", 0.8139, "R"),
    )
)


def claims_table(claims: tuple[Claim, ...] = RECOGNITION_CLAIMS) -> pd.DataFrame:
    """``claims`` for the page: ``paper``, ``faces``, ``accuracy`` (text with the digits that the paper gives;
    missing where unknown), ``how sure`` and ``remark``.
    """
    rows = [
        {
            "paper": claim.paper,
            "faces": claim.faces or None,
            "accuracy": None if claim.accuracy is None else f"{100 * claim.accuracy:.4g}{NO_BREAK}%",
            "how sure": f"{claim.certainty}: {CERTAINTIES[claim.certainty]}",
            "remark": claim.remark or None,
        }
        for claim in claims
    ]
    return pd.DataFrame(rows)
