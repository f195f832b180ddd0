"""The clips, the scores of everyone who classifies them, and what choosing the epoch on the tested subjects
would add.
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
"""Measure of ``stats.contrasts`` -> name in the field: from one confusion matrix pooled over all folds, the
mean F1 of the classes is the unweighted F1 (UF1), their mean recall the unweighted average recall (UAR; See
et al. 2019)."""


def clips_of_classes(clips: Clips, classes: tuple[str, ...]) -> Clips:
    """Return the clips whose emotion is one of ``classes``; others are in no fold of a protocol."""
    return clips.select(np.isin(clips.emotions, classes))


def clip_source(run_faces: FaceSet, faces: FaceSet) -> str:
    """Say whose clips the chapter evaluates. ``run_faces``: the run's face set."""
    about = f"{len(faces):,} pictures of {faces.name}"
    exclusions = "; ".join(f"{reason}: {count}" for reason, count in faces.left_out.items())
    clips = f"The clips are made of {about}." + (
        f" Left out by its reader: {exclusions}." if exclusions else ""
    )
    if faces is run_faces:
        return clips
    return (
        f"{run_faces.name} has no clips. The network that was trained on it is evaluated on rendered ones. "
        f"{clips}"
    )


def clip_contest_metrics(contest: Contest) -> dict[str, Estimate]:
    """Return ``uf1``, ``uar`` and ``accuracy`` of the first contender; for each other one, by its slug in
    ``CLIP_RIVALS``, ``<slug>_uf1`` and ``ahead_of_<slug>``, the UF1 of the first minus its UF1 in percentage
    points; ``majority_accuracy`` and ``accuracy_ahead_of_majority``; and ``seed_spread``, the standard
    deviation of UF1 between trainings of one contender in percentage points, if any was trained twice."""
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
    """Return ``selection_gain_uf1`` and ``selection_gain_accuracy``, in percentage points: what the same
    trainings would report if the tested subjects chose the epoch, minus what they report.

    The interval resamples people; the trainings are the same on both sides.
    """
    flattered = Contender("chosen on the tested subjects", OURS, study.chosen_on_test)
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
    """Count what could leak from training into a test: ``what`` and ``found``.

    ``leaks``: ``face_sets.folds.leak_table`` of the clips' pictures. ``overlap``: what the clips have in
    common with the training pictures of the CNN.
    """
    lonely = study.table.drop_duplicates("fold")["absent"].ne("").sum()
    rows = {
        "tested people who are also in training or validation": leaks["tested_subjects"].sum(),
        "validation people who are also in training": leaks["validated_subjects"].sum(),
        "tested pictures with a copy in training or validation": leaks["tested_copies"].sum(),
        "people of the clips among the CNN's training people": len(overlap.subjects),
        "pictures of the clips with a copy in the CNN's training": overlap.copies,
        "folds in which a class has no training clip": int(lonely),
    }
    data = pd.DataFrame({"what": list(rows), "found": pd.array(list(rows.values()), "Int64")})
    return Table(data, "Leaks from training into a test")


def clip_counts(study: ClipStudy, subjects: np.ndarray) -> dict[str, Estimate]:
    """Count ``clips``, ``people``, ``classes``, ``folds`` and ``lstms`` (of the study itself)."""
    counts = {
        "clips": len(subjects),
        "people": len(np.unique(subjects)),
        "classes": len(study.classes),
        "folds": study.table["fold"].nunique(),
        "lstms": len(study.table),
    }
    return {name: Estimate(count, unit="count") for name, count in counts.items()}
