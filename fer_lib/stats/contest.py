"""A contest: ways to answer about the same pictures or clips, scored on the same people, with the first held
against the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fer_lib.stats.contrasts import TrainingScores, difference, mean_score, score_trainings
from fer_lib.stats.resampling import RERUN_TOLERANCE
from ferbook.errors import DataError
from ferbook.estimate import Estimate

OURS, CONTROL, BASELINE, NULL = "ours", "control", "baseline", "null"


@dataclass(frozen=True)
class Contender:
    """One way to answer about all cases (pictures or clips), each case by a classifier that has not seen its
    person.

    ``probabilities`` (S, C, K): of S trainings for C cases and K classes; ``seeded``: whether another seed
    would give another answer.
    """

    name: str
    kind: str
    probabilities: np.ndarray
    seeded: bool = True


@dataclass(frozen=True)
class Contest:
    """All contenders' trainings, scored on the same cases: ``scored`` has the columns ``name``, ``kind`` and
    ``seeded`` beside the measures.
    """

    scored: TrainingScores
    names: tuple[str, ...]

    def of(self, name: str) -> np.ndarray:
        """bool (trainings,): those of the contender ``name``."""
        return self.scored.table["name"].eq(name).to_numpy()

    def score(self, name: str, measure: str = "macro_f1") -> Estimate:
        """The mean of the trainings of ``name`` on a measure of ``stats.contrasts``, with its interval over
        people, and over seeds where it has any.
        """
        own = self.of(name)
        return mean_score(
            self.scored, own, measure, without_seed=self._without_seed, tolerance=RERUN_TOLERANCE
        )

    def ahead(self, name: str, measure: str = "macro_f1") -> Estimate:
        """How far the first contender is ahead of ``name`` on the same cases, in percentage points."""
        sides = self.of(self.names[0]), self.of(name)
        return difference(
            self.scored, *sides, measure, without_seed=self._without_seed, tolerance=RERUN_TOLERANCE
        )

    @property
    def _without_seed(self) -> np.ndarray:
        return ~self.scored.table["seeded"].to_numpy(bool)


def hold_contest(
    contenders: Sequence[Contender],
    labels: np.ndarray,
    subjects: np.ndarray,
    *,
    draws: int = 2000,
    seed: int = 0,
) -> Contest:
    """Score all ``contenders`` on the same cases, of which ``labels`` int (C,) are the true classes and
    ``subjects`` (C,) the people.

    The bootstrap draws people, the same for all contenders. The first contender is the one that the page is
    about. Raises DataError where two have one name, and where one that no seed changes was trained twice.
    """
    names = tuple(contender.name for contender in contenders)
    if len(set(names)) < len(names) or not names:
        raise DataError(f"contenders need names of their own, at least one: {', '.join(names) or 'none'}")
    for contender in contenders:
        if not contender.seeded and len(contender.probabilities) > 1:
            raise DataError(f"{contender.name}: no seed changes it, so give its answers once")
    table = pd.DataFrame(
        [
            {"name": contender.name, "kind": contender.kind, "seeded": contender.seeded, "training": number}
            for contender in contenders
            for number in range(len(contender.probabilities))
        ]
    )
    answers = np.concatenate([contender.probabilities for contender in contenders])
    scores = score_trainings(
        table, answers, labels, pd.factorize(subjects)[0], ["name"], draws=draws, seed=seed
    )
    return Contest(scores, names)


def contest_table(contest: Contest, measure: str = "macro_f1") -> pd.DataFrame:
    """One row per contender, as ``figures.contender_dots`` takes it, by a measure of ``stats.contrasts``.

    ``kind``, ``name``, ``trainings``; ``score`` (share) with ``low`` and ``high``; ``least`` and ``most`` of
    single trainings; ``ahead``: how far the first is ahead of it, in points, with ``ahead_low`` and
    ``ahead_high`` (NaN of the first). A bound that there is not is NaN.
    """
    rows = []
    for name in contest.names:
        own = contest.scored.table[contest.of(name)]
        score = contest.score(name, measure)
        row = {"kind": own["kind"].iloc[0], "name": name, "trainings": len(own)}
        row |= {"score": score.value, "low": score.low, "high": score.high}
        row |= {"least": own[measure].min(), "most": own[measure].max()}
        if name != contest.names[0]:
            gap = contest.ahead(name, measure)
            row |= {"ahead": gap.value, "ahead_low": gap.low, "ahead_high": gap.high}
        rows.append(row)
    columns = ["score", "low", "high", "least", "most", "ahead", "ahead_low", "ahead_high"]
    return (
        pd.DataFrame(rows)
        .reindex(columns=["kind", "name", "trainings", *columns])
        .astype(dict.fromkeys(columns, float))
    )
