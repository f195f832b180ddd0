"""What a face set contains: what each action unit changes, counts of pictures and people, how much a split by
pictures would leak, and how much emotions say about action units.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist
from sklearn.metrics import mutual_info_score

from face_sets.faceset import SPLITS, UNLABELLED, FaceSet, named_alone
from face_sets.leakage import leakage_table
from fer_lib.stats.resampling import bootstrap
from ferbook.estimate import Estimate, Unit
from ferbook.page.tables import Table
from ferbook.rule import holm

if TYPE_CHECKING:  # it would import the renderer
    from synthetic_faces.studio import Switched

VISIBLE_CHANGE = 12
"""Grey levels, of 255, by which a pixel must differ to count as changed: above noise and rounding."""

SHUFFLES = 1000
"""Shuffles behind each p: with fewer than 460 no unit of 23 could be significant after Holm's correction."""


def unit_overlaps(stimuli: "Switched") -> pd.DataFrame:
    """Compare what each action unit changes with the region that it moves.

    Returns
    -------
    DataFrame
        A row for each unit ``au``: ``region`` that it moves and pixels ``changed`` by more than
        ``VISIBLE_CHANGE``, as proportions of the picture; ``inside``: proportion of the change, in absolute
        grey levels, that lies in the region; ``iou`` of changed pixels and region; ``iou_of_others``: mean
        over the regions of the other units.
    """
    change = np.abs(stimuli.on.astype(int) - stimuli.off)
    change_masks, regions = change > VISIBLE_CHANGE, stimuli.masks
    both = np.einsum("ahw,bhw->ab", change_masks.astype(float), regions.astype(float))
    area = [each.sum(axis=(1, 2)).astype(float) for each in (change_masks, regions)]
    iou = both / (area[0][:, None] + area[1] - both)
    others = (iou.sum(axis=1) - iou.diagonal()) / (len(iou) - 1)
    columns = {
        "region": regions.mean(axis=(1, 2)),
        "changed": change_masks.mean(axis=(1, 2)),
        "inside": (change * regions).sum(axis=(1, 2)) / change.sum(axis=(1, 2)),
        "iou": iou.diagonal(),
        "iou_of_others": others,
    }
    return pd.DataFrame({"au": stimuli.aus} | {name: each.round(4) for name, each in columns.items()})


def nearest(faces: FaceSet) -> pd.DataFrame:
    """Find each picture's nearest neighbour: least squared difference of grey levels.

    Returns
    -------
    DataFrame
        A row for each picture: its ``person`` (int; a picture without a subject label is a separate one), and
        the row of its neighbour ``of_all`` other pictures and ``of_other_people``.
    """
    person = pd.factorize(named_alone(faces.table["subject"]))[0]
    pixels = faces.pixels.reshape(len(faces), -1).astype(float)
    far = cdist(pixels, pixels, "sqeuclidean")
    np.fill_diagonal(far, np.inf)
    of_all = far.argmin(axis=1)
    far[person[:, None] == person] = np.inf
    return pd.DataFrame({"person": person, "of_all": of_all, "of_other_people": far.argmin(axis=1)})


def leak_metrics(faces: FaceSet, neighbours: pd.DataFrame, seed: int = 0) -> dict[str, Estimate]:
    """Score the emotion of the nearest neighbour as a classifier: ``leaky`` among all other pictures,
    ``honest`` among those of other people, ``leak`` their difference in percentage points; the intervals
    resample people.
    """
    emotion, subject = faces.table["emotion"].to_numpy(), faces.table["subject"]
    right = {name: (emotion == emotion[neighbours[of]]).astype(float) for name, of in _NEAREST.items()}
    metrics = {name: _mean_over_people(each, subject, seed) for name, each in right.items()}
    leak = 100 * (right["leaky"] - right["honest"])
    return metrics | {"leak": _mean_over_people(leak, subject, seed, "")}


_NEAREST = {"leaky": "of_all", "honest": "of_other_people"}


def shuffled_emotions(
    labelled: pd.DataFrame, draws: int = SHUFFLES, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Shuffle the emotions of pictures, the frames of one sequence with one emotion together.

    People have habits, so emotions are shuffled among the sequences of one person. People with a single
    sequence, and pictures without a subject label, exchange emotions among themselves.

    Parameters
    ----------
    labelled : (N, columns) DataFrame
        Table of a ``FaceSet``, only rows with an emotion.
    draws, seed : int
        Number of shuffles and their seed.

    Returns
    -------
    groups : (N,) int array
        Which pictures are shuffled together.
    emotions : (1 + draws, groups) int array
        The emotion of each group, first as it is, then in each shuffle.
    """
    single = pd.Series(np.arange(len(labelled)).astype(str), labelled.index)
    sequence = labelled["sequence"].where(labelled["sequence"].ne(""), single)
    groups = pd.factorize(pd.MultiIndex.from_arrays([sequence, labelled["emotion"]]))[0]
    codes = pd.factorize(labelled["emotion"])[0]
    firsts = pd.DataFrame({"emotion": codes, "person": labelled["subject"]}).groupby(groups).first()
    repeats = firsts.groupby("person")["emotion"].transform("size").gt(1)
    person = pd.factorize(firsts["person"].where(repeats, ""))[0]
    rng, place = np.random.default_rng(seed), np.argsort(person, kind="stable")
    emotions = np.tile(firsts["emotion"].to_numpy(), (1 + draws, 1))
    for row in emotions[1:]:
        row[place] = row[np.lexsort([rng.random(len(person)), person])]
    return groups, emotions


def mutual_information(
    table: pd.DataFrame, aus: Sequence[str], draws: int = SHUFFLES, seed: int = 0
) -> pd.DataFrame:
    """Estimate the mutual information of the emotion and the presence (intensity > 0) of each action unit.

    In a small sample it is far above 0 even for independent variables. So it is adjusted for chance (Vinh,
    Epps and Bailey 2010) by ``shuffled_emotions``.

    Parameters
    ----------
    table : DataFrame
        Table of a ``FaceSet``; rows without an emotion are left out.
    aus : sequence of str
        Columns of action units.
    draws, seed : int
        Number of shuffles and their seed.

    Returns
    -------
    DataFrame
        A row for each unit. ``n``: pictures where it was coded; ``present``: proportion of them that show it;
        ``entropy`` of its presence, ``information`` and ``chance``, its mean over the shuffles, in bits;
        ``adjusted``: (information - chance) / (entropy - chance), about 0 where emotion and unit are
        independent, 1 where the emotion determines the unit; ``p``: proportion of the arrangements, the
        original among them, with as much information. The last two are NaN for a unit that is always or never
        present, and all but ``n`` where it was not coded.
    """
    labelled = table[table["emotion"].ne(UNLABELLED)].reset_index(drop=True)
    intensities = labelled[list(aus)].astype(float)
    present = intensities.gt(0).astype(float).where(intensities.notna())
    groups, shuffles = shuffled_emotions(labelled, draws, seed)
    rows = {}
    for au, values in present.items():
        coded = values.notna().to_numpy()
        rows[au] = {"n": int(coded.sum())}
        if coded.any():
            labels = values[coded].to_numpy()
            counts = [
                np.bincount(groups[coded], weights=which, minlength=shuffles.shape[1])
                for which in (labels, 1 - labels)
            ]
            information = _information(shuffles, np.stack(counts, axis=1))
            entropy = max(mutual_info_score(labels, labels) / np.log(2), 0.0)
            chance = information[1:].mean()
            # Equal but for rounding: for a unit that is always or never present.
            varies = entropy - chance > 1e-9
            rows[au] |= {
                "present": labels.mean(),
                "entropy": entropy,
                "information": information[0],
                "chance": chance,
                "adjusted": (information[0] - chance) / (entropy - chance) if varies else np.nan,
                "p": (information >= information[0] - 1e-9).mean() if varies else np.nan,
            }
    columns = ["n", "present", "entropy", "information", "chance", "adjusted", "p"]
    return pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns).rename_axis("AU")


def information_table(faces: FaceSet, seed: int = 0) -> Table:
    """Show ``mutual_information`` of ``faces``, the most informed unit first, with ``p`` corrected by Holm's
    method for all units that can be tested.
    """
    names = {"n": "pictures", "present": "present in", "adjusted": "adjusted information"}
    information = mutual_information(faces.table, faces.aus, seed=seed).rename(columns=names)
    tested = information["p"].notna()
    information.loc[tested, "p"] = holm(information.loc[tested, "p"])
    columns = ["adjusted information", "p", "present in", "pictures"]
    formats = ("{:.2f}".format, "{:.3f}".format, "share", "count")
    return Table(
        information.sort_values("adjusted information", ascending=False, kind="stable")[columns],
        "How much the emotion says about each action unit (p: Holm-corrected)",
        dict(zip(columns, formats, strict=True)),
    )


def _information(shuffles: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Bits (D,) of each of ``shuffles`` (D, groups) of emotions; ``counts`` (groups, 2): pictures of a group
    that show the unit, and that do not.
    """
    joint = np.stack([(shuffles == emotion) @ counts for emotion in range(shuffles.max() + 1)], axis=1)
    joint /= counts.sum()
    independent = joint.sum(axis=2, keepdims=True) * joint.sum(axis=1, keepdims=True)
    ratio = np.divide(joint, independent, out=np.ones_like(joint), where=joint > 0)
    return np.maximum((joint * np.log2(ratio)).sum(axis=(1, 2)), 0.0)


def _mean_over_people(values: np.ndarray, subject: pd.Series, seed: int, unit: Unit = "share") -> Estimate:
    sums = pd.DataFrame({"value": values, "n": 1.0}).groupby(named_alone(subject)).sum().to_numpy()
    return bootstrap(sums, value=float(np.mean(values)), draws=1000, seed=seed, n=len(values), unit=unit)


def inventory(faces: FaceSet) -> dict[str, Estimate]:
    """Count pictures, people with a subject label, classes and leakage.

    ``copies_valid_in_train`` and ``copies_test_in_train`` are pictures that equal one of the training split
    pixel for pixel, ``copies_conflicting`` those of them with another emotion than it has.
    """
    table = faces.table
    people = table[table["subject"].ne("")]
    splits_of_subject = people.groupby("subject")["split"].nunique()
    leakage = leakage_table(faces).set_index(["first", "second"])
    against_train = leakage.loc["train"]
    counts = {
        "pictures": len(faces),
        **{f"{split}_pictures": int(table["split"].eq(split).sum()) for split in SPLITS},
        "subjects": int(people["subject"].nunique()),
        "subjects_in_two_splits": int((splits_of_subject > 1).sum()),
        "classes": len(faces.classes),
        "copies_valid_in_train": int(against_train.loc["valid", "exact_copies"]),
        "copies_test_in_train": int(against_train.loc["test", "exact_copies"]),
        "copies_conflicting": int(against_train["conflicting_labels"].sum()),
    }
    return {name: Estimate(count, unit="count") for name, count in counts.items()}


def change_metrics(stimuli: "Switched") -> dict[str, Estimate]:
    """Average ``unit_overlaps`` over the action units of one person.

    ``change_inside``: proportion of the change inside the unit's region; ``region_share``: proportion of the
    picture that the region covers; ``overlap`` (IoU) of change and region, and ``overlap_of_others``;
    ``switched_units``: number of units; ``changed``: proportion of the picture that AU12 changes;
    ``changed_wrapped``: the same where bytes are subtracted and wrap around.
    """
    overlaps, place = unit_overlaps(stimuli), stimuli.aus.index("AU12")
    settings = {"why": "one person", "tolerance": 0.03}
    wrapped = float((stimuli.on[place] - stimuli.off > VISIBLE_CHANGE).mean())
    shares = {
        "change_inside": overlaps["inside"].mean(),
        "region_share": overlaps["region"].mean(),
        "changed": overlaps["changed"][place],
        "changed_wrapped": wrapped,
    }
    ratios = {"overlap": overlaps["iou"].mean(), "overlap_of_others": overlaps["iou_of_others"].mean()}
    return (
        {name: Estimate(share, unit="share", **settings) for name, share in shares.items()}
        | {name: Estimate(ratio, **settings) for name, ratio in ratios.items()}
        | {"switched_units": Estimate(len(overlaps), unit="count")}
    )


def information_metrics(table: Table) -> dict[str, Estimate]:
    """Take from ``information_table`` the largest and the median adjusted information, and the number of
    units whose corrected ``p`` is at most .05.
    """
    information = table.data["adjusted information"].dropna()
    count = {"informed_units": Estimate(int(table.data["p"].le(0.05).sum()), unit="count")}
    if information.empty:
        return count
    settings = {"why": "adjusted for chance, of this set", "tolerance": 0.05, "unit": "share"}
    values = {"information_most": information.max(), "information_median": information.median()}
    return {name: Estimate(value, **settings) for name, value in values.items()} | count
