"""Micro-expressions named clip by clip: the clips, who named them how well, and what choosing on the person
tested would have added.
"""

import numpy as np
import pandas as pd

from book.micro_expressions.leave_one_out import ClipStudy
from book.micro_expressions.rivals import RIVALS, SLUGS
from fer_lib.faces.clips import Clips
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.shared import Shared
from fer_lib.stats.classification import confusion
from fer_lib.stats.contest import OURS, Contender, Contest, hold_contest
from fer_lib.stats.contrasts import difference
from fer_lib.stats.resampling import RERUN_TOLERANCE
from ferbook.estimate import Estimate
from ferbook.page.tables import Table

MEASURES = {"macro_f1": "uf1", "balanced_accuracy": "uar", "accuracy": "accuracy"}
"""Measures of ``stats.contrasts`` and what the field calls them: of one confusion matrix pooled over all
folds, the mean of the classes' F1 scores is the unweighted F1, UF1, and the mean of their recalls the
unweighted average recall, UAR (See et al. 2019)."""


def clips_of_classes(clips: Clips, classes: tuple[str, ...]) -> Clips:
    """The clips whose emotion is one of ``classes``: those of others are in no fold of a protocol."""
    return clips.select(np.isin(clips.emotions, classes))


def whose_clips(given: FaceSet, faces: FaceSet) -> str:
    """Whose clips the chapter is about, in a sentence: ``given`` is the run's face set."""
    about = f"{len(faces):,} pictures of {faces.name}"
    left = "; ".join(f"{reason}: {count}" for reason, count in faces.left_out.items())
    told = f"The clips are made of {about}." + (f" Left out by its reader: {left}." if left else "")
    if faces is given:
        return told
    return (
        f"{given.name} has no clips. The network that learned from it is asked about rendered ones instead. "
        f"{told}"
    )


def clip_table(clips: Clips, classes: tuple[str, ...]) -> Table:
    """One row per class and one for all: ``clips``, ``people``, ``frames kept`` of a clip (median), and from
    onset to offset ``milliseconds`` (median), with the ``shortest`` and the ``longest``.
    """
    rows = []
    lasting = 1000 * (clips.offset - clips.onset) / clips.fps
    for name in (*classes, "all"):
        own = np.full(len(clips), True) if name == "all" else clips.emotions == name
        some = lasting[own]
        rows.append(
            {
                "class": name,
                "clips": int(own.sum()),
                "people": len(np.unique(clips.subjects[own])),
                "frames kept": float(np.median(clips.lengths[own])),
                "milliseconds": float(np.median(some)),
                "shortest": float(some.min()),
                "longest": float(some.max()),
            }
        )
    return Table(pd.DataFrame(rows), "Clips, and how long they are")


def measures_table(contest: Contest) -> Table:
    """One row per contender: ``contender``, then UF1, UAR and accuracy, each with its interval, and
    ``trainings``.
    """
    heads = {"uf1": "UF1", "uar": "UAR", "accuracy": "accuracy"}
    rows = [
        {"contender": name}
        | {heads[short]: contest.score(name, measure) for measure, short in MEASURES.items()}
        | {"trainings": int(contest.of(name).sum())}
        for name in contest.names
    ]
    caption = "All contenders, with 95 % intervals"
    return Table(pd.DataFrame(rows), caption, tolerance=dict.fromkeys(heads.values(), 0.15))


def contest_metrics(contest: Contest) -> dict[str, Estimate]:
    """``uf1``, ``uar`` and ``accuracy`` of the first contender; of each rival, by its slug in ``RIVALS``,
    ``<slug>_uf1`` and ``ahead_of_<slug>``: how far the first is ahead in UF1, in points;
    ``majority_accuracy``. ``seed_spread``: standard deviation of the UF1 between two trainings of one
    contender, in points."""
    found = {short: contest.score(contest.names[0], measure) for measure, short in MEASURES.items()}
    for name in contest.names[1:]:
        found[f"{SLUGS[name]}_uf1"] = contest.score(name)
        found[f"ahead_of_{SLUGS[name]}"] = contest.ahead(name)
    majority = RIVALS["majority"][1]
    if majority in contest.names:
        found["majority_accuracy"] = contest.score(majority, "accuracy")
    freedom = f"pooled over the contenders, {contest.scored.freedom} degrees of freedom"
    found["seed_spread"] = Estimate(
        100 * contest.scored.spread["macro_f1"], why=freedom, tolerance=100 * RERUN_TOLERANCE
    )
    return found


def selection_by_person(study: ClipStudy) -> pd.DataFrame:
    """Accuracy on each person by who chose the epoch, mean over the trainings, as
    ``shared_figures.selection_dumbbells`` takes it.

    ``training``: the person; ``chosen_epoch`` and ``chosen_accuracy``, by validation; ``test_epoch`` and
    ``test_accuracy``, by the person tested; ``gain``. Of equal epochs the person tested takes the first.
    """
    keys = ["fold", "training"]
    chosen = study.table.rename(columns={"best_epoch": "epoch"})[["subject", *keys, "epoch"]]
    own = chosen.merge(study.curves, on=[*keys, "epoch"])
    first = study.curves.sort_values(["test_accuracy", "epoch"], ascending=[False, True], kind="stable")
    best = first.drop_duplicates(keys)[[*keys, "epoch", "test_accuracy"]]
    both = (
        own.merge(best, on=keys, suffixes=("", "_best")).groupby(["fold", "subject"]).mean(numeric_only=True)
    )
    called = {"subject": "training", "epoch": "chosen_epoch", "test_accuracy": "chosen_accuracy"}
    called |= {"epoch_best": "test_epoch", "test_accuracy_best": "test_accuracy"}
    table = both.reset_index()[list(called)].rename(columns=called)
    return table.assign(gain=table["test_accuracy"] - table["chosen_accuracy"])


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
    settings = {"same_networks": True, "tolerance": RERUN_TOLERANCE}
    return {
        f"selection_gain_{short}": difference(
            both.scored, both.of(flattered.name), both.of(honest.name), measure, **settings
        )
        for measure, short in MEASURES.items()
        if short != "uar"
    }


def pooled_confusion(study: ClipStudy, labels: np.ndarray) -> pd.DataFrame:
    """The confusion matrix of the first training's networks, pooled over all folds: counts of clips, rows the
    true class.
    """
    return confusion(labels, study.probabilities[0].argmax(axis=1), study.classes)


def leak_summary(leaks: pd.DataFrame, study: ClipStudy, met: Shared) -> Table:
    """What could give a test away, and how often it was found: ``what`` and ``found``.

    ``leaks``: ``faces.folds.leak_table`` of the clips' pictures. ``met``: what the clips share with the
    pictures that the CNN learned from.
    """
    lonely = study.table.drop_duplicates("fold")["absent"].ne("").sum()
    rows = {
        "people of a fold's test who are also learned from or selected on": leaks["tested_subjects"].sum(),
        "people selected on who are also learned from": leaks["validated_subjects"].sum(),
        "tested pictures that equal one learned from or selected on": leaks["tested_copies"].sum(),
        "people of the clips whom the CNN has seen": len(met.subjects),
        "pictures of the clips that the CNN has seen": met.copies,
        "folds in which a class has no clip to learn from": int(lonely),
    }
    data = pd.DataFrame({"what": list(rows), "found": pd.array(list(rows.values()), "Int64")})
    return Table(data, "What could give a test away")


def study_metrics(study: ClipStudy, subjects: np.ndarray) -> dict[str, Estimate]:
    """``clips``, ``people``, ``classes``, ``folds`` and ``lstms``, how many answer for the study itself."""
    counts = {
        "clips": len(subjects),
        "people": len(np.unique(subjects)),
        "classes": len(study.classes),
        "folds": study.table["fold"].nunique(),
        "lstms": len(study.table),
    }
    return {name: Estimate(count, unit="count") for name, count in counts.items()}


NUMBERS = {
    "uf1": "unweighted F1 (UF1)",
    "uar": "unweighted average recall (UAR)",
    "accuracy": "accuracy",
    "majority_accuracy": "accuracy of the majority-class baseline",
    **{f"{slug}_uf1": f"UF1, {name}" for slug, (_, name) in RIVALS.items()},
    "seed_spread": "spread of the UF1 between trainings (points)",
    "selection_gain_uf1": "what choosing on the person tested adds to the UF1 (points)",
    "spotting_trained": "apex missed by (frames), trained CNN from onset",
    "spotting_trained_both_ends": "apex missed by (frames), trained CNN from both ends",
    "spotting_middle": "apex missed by (frames), middle of the clip",
}
"""What the page sums itself up in: metric and what it is."""
