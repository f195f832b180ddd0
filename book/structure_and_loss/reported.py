"""What is claimed on FER2013, and what people report who run the published code: to be read beside a result,
never as its equal.
"""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Report:
    """Accuracies (shares) on FER2013: ``claimed`` by ``who``, and ``reported`` by users of the code in the
    public thread ``where``; None where unknown.

    ``sure`` says how the claim is known: read in the thread too, remembered and unverified, or not found.
    """

    who: str
    claimed: float | None
    sure: str
    reported: tuple[float, ...] = ()
    where: str = ""


REPORTS: tuple[Report, ...] = (
    Report("Liu 2019, structure and loss", None, "not found: only the abstract is at hand"),
    Report("people, by Goodfellow et al. 2013", 0.65, "remembered: 65 ± 5 %"),
    Report("Tang 2013, winner of the contest", 0.712, "remembered"),
    Report("Khaireddin & Chen 2021, VGG", 0.7328, "remembered"),
    Report("Deep-Emotion", 0.7002, "remembered", (0.47,), "omarsayed7/Deep-Emotion, issue 15"),
    Report(
        "ResEmoteNet",
        0.7979,
        "read in issue 49",
        (0.60, 0.58),
        "ArnabKumarRoy02/ResEmoteNet, issues 39 and 34",
    ),
    Report(
        "ResMaskingNet, single network",
        0.7414,
        "remembered",
        (0.6563, 0.736),
        "phamquiluan/ResidualMaskingNetwork, issue 9",
    ),
)
"""What users did differently from the authors the threads do not always say."""


def reported_table(reports: tuple[Report, ...] = REPORTS) -> pd.DataFrame:
    """``reports`` for the page: ``who``, ``claimed`` (share, NaN where unknown), ``how sure``, ``users
    report`` and ``where``.
    """
    rows = [
        {
            "who": report.who,
            "claimed": report.claimed,
            "how sure": report.sure,
            "users report": ", ".join(f"{100 * share:g} %" for share in report.reported) or None,
            "where": report.where or None,
        }
        for report in reports
    ]
    return pd.DataFrame(rows).astype({"claimed": float})
