"""Micro-expressions named clip by clip: the clips, who named them how well, and what choosing on the person
tested would have added.
"""

import numpy as np
import pandas as pd

from book.micro_expressions.leave_one_out import ClipStudy
from book.micro_expressions.rivals import CLIP_RIVALS, SLUGS
from face_sets.clips import Clips
from face_sets.faceset import FaceSet
from face_sets.leakage import Shared
from fer_lib.stats.contrasts import OURS, Contender, Contest, difference, hold_contest
from fer_lib.stats.resampling import RERUN_TOLERANCE
from ferbook.estimate import Estimate
from ferbook.page.tables import Table

CLIP_MEASURES = {"macro_f1": "uf1", "balanced_accuracy": "uar", "accuracy": "accuracy"}
"""Measures of ``stats.contrasts`` and what the field calls them: of one confusion matrix pooled over all
folds, the mean of the classes' F1 scores is the unweighted F1, UF1, and the mean of their recalls the
unweighted average recall, UAR (See et al. 2019)."""


def clips_of_classes(clips: Clips, classes: tuple[str, ...]) -> Clips:
    """The clips whose emotion is one of ``classes``: those of others are in no fold of a protocol."""
    return clips.select(np.isin(clips.emotions, classes))


def clip_source(run_faces: FaceSet, faces: FaceSet) -> str:
    """Whose clips the chapter is about, in a sentence: ``run_faces`` are the run's face set."""
    about = f"{len(faces):,} pictures of {faces.name}"
    exclusions = "; ".join(f"{reason}: {count}" for reason, count in faces.left_out.items())
    clips = f"The clips are made of {about}." + (
        f" Left out by its reader: {exclusions}." if exclusions else ""
    )
    if faces is run_faces:
        return clips
    return (
        f"{run_faces.name} has no clips. The network that learned from it is asked about rendered ones "
        f"instead. {clips}"
    )


def clip_contest_metrics(contest: Contest) -> dict[str, Estimate]:
    """``uf1``, ``uar`` and ``accuracy`` of the first contender; of each rival, by its slug in
    ``CLIP_RIVALS``, ``<slug>_uf1`` and ``ahead_of_<slug>``: how far the first is ahead in UF1, in points;
    ``majority_accuracy`` and ``accuracy_ahead_of_majority``. ``seed_spread``: standard deviation of the UF1
    between two trainings of one contender, in points, where any was trained twice."""
    metrics = {short: contest.score(contest.names[0], measure) for measure, short in CLIP_MEASURES.items()}
    for name in contest.names[1:]:
        metrics[f"{SLUGS[name]}_uf1"] = contest.score(name)
        metrics[f"ahead_of_{SLUGS[name]}"] = contest.ahead(name)
    majority = CLIP_RIVALS["majority"][1]
    if majority in contest.names:
        metrics["majority_accuracy"] = contest.score(majority, "accuracy")
        metrics["accuracy_ahead_of_majority"] = contest.ahead(majority, "accuracy")
    if contest.scored.freedom:
        spread = 100 * contest.scored.spread["macro_f1"]
        why = f"pooled over the contenders, {contest.scored.freedom} degrees of freedom"
        metrics["seed_spread"] = Estimate(spread, why=why, tolerance=100 * RERUN_TOLERANCE)
    return metrics


def selection_gain(
    study: ClipStudy, labels: np.ndarray, subjects: np.ndarray, *, draws: int = 2000, seed: int = 0
) -> dict[str, Estimate]:
    """``selection_gain_uf1`` and ``selection_gain_accuracy`` in points: what the same trainings would report
    if the person tested chose the epoch.

    The interval draws people; the trainings are the same in both, and the test subjects were watched.
    """
    flattered = Contender("chosen by the person tested", OURS, study.chosen_on_test)
    honest = Contender("chosen by validation", OURS, study.probabilities)
    both = hold_contest((flattered, honest), labels, subjects, draws=draws, seed=seed)
    sides = both.of(flattered.name), both.of(honest.name)
    return {
        f"selection_gain_{short}": difference(
            both.scored, *sides, measure, same_networks=True, tolerance=RERUN_TOLERANCE
        )
        for measure, short in CLIP_MEASURES.items()
        if short != "uar"
    }


def leak_summary(leaks: pd.DataFrame, study: ClipStudy, overlap: Shared) -> Table:
    """What could give a test away, and how often it was found: ``what`` and ``found``.

    ``leaks``: ``faces.folds.leak_table`` of the clips' pictures. ``overlap``: what the clips share with the
    pictures that the CNN learned from.
    """
    lonely = study.table.drop_duplicates("fold")["absent"].ne("").sum()
    rows = {
        "people of a fold's test who are also learned from or selected on": leaks["tested_subjects"].sum(),
        "people selected on who are also learned from": leaks["validated_subjects"].sum(),
        "tested pictures that equal one learned from or selected on": leaks["tested_copies"].sum(),
        "people of the clips whom the CNN has seen": len(overlap.subjects),
        "pictures of the clips that the CNN has seen": overlap.copies,
        "folds in which a class has no clip to learn from": int(lonely),
    }
    data = pd.DataFrame({"what": list(rows), "found": pd.array(list(rows.values()), "Int64")})
    return Table(data, "What could give a test away")


def clip_counts(study: ClipStudy, subjects: np.ndarray) -> dict[str, Estimate]:
    """``clips``, ``people``, ``classes``, ``folds`` and ``lstms``, how many answer for the study itself."""
    counts = {
        "clips": len(subjects),
        "people": len(np.unique(subjects)),
        "classes": len(study.classes),
        "folds": study.table["fold"].nunique(),
        "lstms": len(study.table),
    }
    return {name: Estimate(count, unit="count") for name, count in counts.items()}
